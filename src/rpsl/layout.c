/*
 * Laying out attributes. A value is written line by line: the first behind the name, the others as
 * continuation lines, the text of each at a fixed column. Blanks at the end of a line go, tabs and
 * carriage returns inside it become blanks one by one, everything else is kept.
 */
#include "rpsl/layout.h"

#include <string.h>

#define COLUMN       16 /* Where values stand in the plain form, counted from 0. */
#define SHORT_COLUMN 5  /* In the -F form, behind `*mb: `. */

/** Write blanks and then text, the blanks in it as spaces. */
static void put_text(struct buf *out, size_t pad, struct str text)
{
    char *to;

    buf_reserve(out, pad + text.len);
    to = out->at + out->len;
    memset(to, ' ', pad);
    to += pad;
    for (size_t i = 0; i < text.len; i++) {
        to[i] = text.at[i];
        if (rpsl_is_blank(to[i])) {
            to[i] = ' ';
        }
    }
    out->len += pad + text.len;
}

/** The first line of a value, behind a name that ends at column `at`. */
static void put_first_line(struct buf *out, size_t at, struct str line)
{
    struct str text = rpsl_trim(line);

    if (text.len > 0) {
        put_text(out, at < COLUMN ? COLUMN - at : (size_t)(text.at - line.at), text);
    }
}

static void put_continuation(struct buf *out, struct str line)
{
    bool has_plus = line.len > 0 && line.at[0] == '+';
    struct str text = rpsl_trim(has_plus ? str_sub(line, 1, line.len) : line);

    /* A line without text becomes `+`: an empty one would end the object. */
    if (has_plus || text.len == 0) {
        buf_add_char(out, '+');
    }
    if (text.len > 0) {
        put_text(out, has_plus ? COLUMN - 1 : COLUMN, text);
    }
}

static void put_name(struct buf *out, struct str name)
{
    size_t start = out->len;

    buf_add_str(out, name);
    for (size_t i = start; i < out->len; i++) {
        if (out->at[i] >= 'A' && out->at[i] <= 'Z') {
            out->at[i] |= 0x20;
        }
    }
    buf_add_char(out, ':');
}

/** Whether the text of a line that is blank from `at` on stands at the column for values. */
static bool stands_in_column(struct str line, size_t at)
{
    while (at < line.len && line.at[at] == ' ') {
        at++;
    }
    return at == COLUMN && line.len > COLUMN;
}

static bool is_laid_out_line(struct str line)
{
    size_t name = rpsl_name_length(line);

    if (line.len == 0 || line.at[line.len - 1] == ' ') {
        return false;
    }
    if (name == 0) {
        return line.at[0] == '+' ? line.len == 1 || stands_in_column(line, 1)
                                 : stands_in_column(line, 0);
    }
    for (size_t i = 0; i < name; i++) {
        if (line.at[i] >= 'A' && line.at[i] <= 'Z') {
            return false;
        }
    }
    return line.len == name + 1 || name + 1 >= COLUMN || stands_in_column(line, name + 1);
}

bool rpsl_is_laid_out(struct str text)
{
    struct str line;

    if (text.len > 0 && text.at[text.len - 1] == '\n') {
        text.len--;
    }
    if (rpsl_name_length(text) == 0 || str_find(text, '\t', 0) < text.len ||
        str_find(text, '\r', 0) < text.len) {
        return false;
    }
    while (str_split(&text, '\n', &line)) {
        if (!is_laid_out_line(line)) {
            return false;
        }
    }
    return true;
}

void rpsl_layout_attr(const struct rpsl_attr *attr, struct buf *out)
{
    struct str rest = attr->value, line;

    put_name(out, attr->name);
    if (str_split(&rest, '\n', &line)) {
        put_first_line(out, attr->name.len + 1, line);
    }
    while (str_split(&rest, '\n', &line)) {
        buf_add_char(out, '\n');
        put_continuation(out, line);
    }
    buf_add_char(out, '\n');
}

/** Cut the blanks and `+` off a continuation line. @return Whether there was a `+`. */
static bool cut_continuation(struct str *line)
{
    bool has_plus = false;

    while (line->len > 0 && (line->at[0] == '+' || rpsl_is_blank(line->at[0]))) {
        has_plus |= line->at[0] == '+';
        *line = str_sub(*line, 1, line->len);
    }
    return has_plus;
}

/** Text behind a `+` of the short form. */
static void put_short_continuation(struct buf *out, size_t column, struct str text)
{
    if (text.len > 0) {
        buf_add_str(out, STR("\n+"));
        put_text(out, column - 1, text);
    }
}

/** Cut off the text up to the first blank. */
static struct str cut_word(struct str *line)
{
    struct str word = *line;

    word.len = 0;
    while (word.len < line->len && !rpsl_is_blank(line->at[word.len])) {
        word.len++;
    }
    *line = rpsl_trim(str_sub(*line, word.len, line->len));
    return word;
}

void rpsl_layout_attr_short(const struct rpsl_attr *attr, struct buf *out)
{
    const char *short_name = rpsl_attr_info(attr->id)->short_name;
    size_t start = out->len, column = short_name != NULL ? SHORT_COLUMN : COLUMN, at;
    struct str rest = attr->value, line;
    bool is_first = true; /* No text stands behind the name yet, but may. */

    if (short_name != NULL) {
        buf_printf(out, "*%s:", short_name);
    } else {
        put_name(out, attr->name);
    }
    at = out->len - start;
    for (bool is_behind = false; str_split(&rest, '\n', &line); is_behind = true) {
        if (is_behind && cut_continuation(&line)) {
            is_first = false;
        }
        line = rpsl_trim(line);
        if (is_first && line.len > 0) {
            /* What fills an empty first line breaks behind its first word, an accident of the
             * reference. */
            struct str first = is_behind ? cut_word(&line) : line;

            put_text(out, at < column ? column - at : 1, first);
            line = is_behind ? line : STR("");
            is_first = false;
        }
        put_short_continuation(out, column, line);
    }
    buf_add_char(out, '\n');
}
