/*
 * Reading Java properties, as java.util.Properties documents them.
 * Natural lines are joined into one logical line first (continuations lose their leading blanks),
 * which is then cut into key and value, and escapes are resolved in each. NUL bytes are refused, so
 * that every value is a C string.
 */
#include "conf/properties.h"

#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\f';
}

static struct str skip_blanks(struct str s)
{
    size_t blanks = 0;

    while (blanks < s.len && is_blank(s.at[blanks])) {
        blanks++;
    }
    return str_sub(s, blanks, s.len);
}

/* Cut one line off; it ends at \n, \r, \r\n or the end of the text. */
static struct str take_natural_line(struct str *text, int *line)
{
    size_t end = 0, next;
    struct str taken;

    while (end < text->len && text->at[end] != '\n' && text->at[end] != '\r') {
        end++;
    }
    next = end + 1;
    if (next < text->len && text->at[end] == '\r' && text->at[next] == '\n') {
        next++;
    }
    taken = str_sub(*text, 0, end);
    *text = str_sub(*text, next, text->len);
    (*line)++;
    return taken;
}

static bool is_continued(struct str line)
{
    size_t backslashes = 0;

    while (backslashes < line.len && line.at[line.len - 1 - backslashes] == '\\') {
        backslashes++;
    }
    return backslashes % 2 == 1;
}

/* The next line that is neither blank nor a comment, with its continuations; it may come out empty.
 */
static bool take_logical_line(struct str *text, int *line, int *first_line, struct buf *joined)
{
    struct str part;

    do {
        if (text->len == 0) {
            return false;
        }
        part = skip_blanks(take_natural_line(text, line));
    } while (part.len == 0 || part.at[0] == '#' || part.at[0] == '!');

    *first_line = *line;
    buf_clear(joined);
    while (is_continued(part) && text->len > 0) {
        buf_add(joined, part.at, part.len - 1);
        part = skip_blanks(take_natural_line(text, line));
    }
    buf_add(joined, part.at, is_continued(part) ? part.len - 1 : part.len);
    return true;
}

/* The key ends at the first `=`, `:` or blank that no backslash precedes. */
static size_t key_length(struct str line)
{
    size_t i = 0;

    while (i < line.len && line.at[i] != '=' && line.at[i] != ':' && !is_blank(line.at[i])) {
        i += line.at[i] == '\\' ? 2 : 1;
    }
    return i < line.len ? i : line.len;
}

static struct str value_behind(struct str rest)
{
    rest = skip_blanks(rest);
    if (rest.len > 0 && (rest.at[0] == '=' || rest.at[0] == ':')) {
        rest = skip_blanks(str_sub(rest, 1, rest.len));
    }
    return rest;
}

static void add_character(struct buf *out, uint32_t code)
{
    if (code < 0x80) {
        buf_add_char(out, (char)code);
        return;
    }
    if (code < 0x800) {
        buf_add_char(out, (char)(0xc0 | code >> 6));
    } else {
        if (code < 0x10000) {
            buf_add_char(out, (char)(0xe0 | code >> 12));
        } else {
            buf_add_char(out, (char)(0xf0 | code >> 18));
            buf_add_char(out, (char)(0x80 | (code >> 12 & 0x3f)));
        }
        buf_add_char(out, (char)(0x80 | (code >> 6 & 0x3f)));
    }
    buf_add_char(out, (char)(0x80 | (code & 0x3f)));
}

/* @return Bytes of the well-formed UTF-8 character at the start of s; 0 when there is none. */
static size_t utf8_character_length(struct str s)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = (unsigned char)s.at[0];
    size_t len = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    uint32_t code = first & (0x7fU >> len);

    if (first < 0xc2 || first > 0xf4 || s.len < len) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if ((s.at[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (s.at[i] & 0x3f);
    }
    return code < least[len] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : len;
}

static bool parse_hex4(struct str s, uint32_t *out)
{
    uint32_t value = 0;

    if (s.len < 4) {
        return false;
    }
    for (size_t i = 0; i < 4; i++) {
        char c = s.at[i];

        if (c >= '0' && c <= '9') {
            value = value * 16 + (uint32_t)(c - '0');
        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            value = value * 16 + (uint32_t)((c | 0x20) - 'a' + 10);
        } else {
            return false;
        }
    }
    *out = value;
    return true;
}

/* `\uXXXX`, or two of them for a character beyond the first plane. @return Bytes read, or 0. */
static size_t add_unicode_escape(struct buf *out, struct str s)
{
    uint32_t code, low;

    if (!parse_hex4(str_sub(s, 2, s.len), &code) || code == 0 ||
        (code >= 0xdc00 && code < 0xe000)) {
        return 0;
    }
    if (code < 0xd800 || code >= 0xe000) {
        add_character(out, code);
        return 6;
    }
    if (!str_starts(str_sub(s, 6, s.len), STR("\\u")) || !parse_hex4(str_sub(s, 8, s.len), &low) ||
        low < 0xdc00 || low >= 0xe000) {
        return 0;
    }
    add_character(out, 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00));
    return 12;
}

static void add_simple_escape(struct buf *out, char c)
{
    static const char letters[] = "tnrf", meanings[] = "\t\n\r\f";
    const char *hit = strchr(letters, c);

    buf_add_char(out, hit != NULL ? meanings[hit - letters] : c);
}

/* Resolve escapes, and bring what is not UTF-8 to it. */
static enum err unescape(struct str raw, struct buf *out, struct why *why)
{
    buf_clear(out);
    while (raw.len > 0) {
        char c = raw.at[0];
        size_t used = 1;

        if (c == '\0') {
            return why_set(why, ERR_SYNTAX, "a NUL byte");
        }
        if (c == '\\' && raw.len > 1 && raw.at[1] == 'u') {
            used = add_unicode_escape(out, raw);
            if (used == 0) {
                return why_set(why, ERR_SYNTAX,
                               "\\u needs four hexadecimal digits that name a character");
            }
        } else if (c == '\\' && raw.len > 1 && raw.at[1] > 0) {
            add_simple_escape(out, raw.at[1]);
            used = 2;
        } else if ((unsigned char)c >= 0x80) {
            used = utf8_character_length(raw);
            if (used > 0) {
                buf_add(out, raw.at, used);
            } else {
                add_character(out, (unsigned char)c);
                used = 1;
            }
        } else if (c != '\\') {
            buf_add_char(out, c);
        }
        raw = str_sub(raw, used, raw.len);
    }
    return ERR_OK;
}

static enum err unescape_copy(struct str raw, struct buf *scratch, struct arena *arena,
                              const char **out, struct why *why)
{
    enum err rc = unescape(raw, scratch, why);

    if (rc != ERR_OK) {
        return rc;
    }
    *out = arena_strdup(arena, buf_str(scratch)).at;
    return *out != NULL ? ERR_OK : why_set(why, ERR_LIMIT, "the file is too large");
}

static enum err cut(struct str line, struct buf *scratch, struct arena *arena,
                    struct property *property, struct why *why)
{
    size_t key_len = key_length(line);
    enum err rc;

    if (key_len == 0) {
        return why_set(why, ERR_SYNTAX, "no key before \"%c\"", line.at[0]);
    }
    rc = unescape_copy(str_sub(line, 0, key_len), scratch, arena, &property->key, why);
    if (rc != ERR_OK) {
        return rc;
    }
    return unescape_copy(value_behind(str_sub(line, key_len, line.len)), scratch, arena,
                         &property->value, why);
}

enum err properties_next(struct str *text, int *line, struct arena *arena,
                         struct property *property, struct why *why)
{
    struct buf joined = {0}, scratch = {0};
    struct why what = {0};
    enum err rc = ERR_NOT_FOUND;

    while (take_logical_line(text, line, &property->line, &joined)) {
        if (joined.len == 0) {
            continue; /* Nothing but a backslash. */
        }
        rc = cut(buf_str(&joined), &scratch, arena, property, &what);
        if (rc != ERR_OK) {
            why_set(why, rc, "line %d: %s", property->line, what.text);
        }
        break;
    }
    buf_free(&joined);
    buf_free(&scratch);
    return rc;
}
