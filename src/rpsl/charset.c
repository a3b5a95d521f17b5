/*
 * Character sets. Nearly all object text is ASCII, so every conversion first skips what is, eight
 * bytes at a time, and copies it in one piece.
 */
#include "rpsl/charset.h"

#include <string.h>

#include "rpsl/charset_table.h"

struct charset_name {
    const char *name;
    enum charset charset;
};

/* The canonical names and their aliases in the reference's language. */
static const struct charset_name charset_names[] = {
    {"latin-1",           CHARSET_LATIN1},
    {"latin1",            CHARSET_LATIN1},
    {"l1",                CHARSET_LATIN1},
    {"iso-8859-1",        CHARSET_LATIN1},
    {"iso8859-1",         CHARSET_LATIN1},
    {"iso_8859-1",        CHARSET_LATIN1},
    {"iso_8859-1:1987",   CHARSET_LATIN1},
    {"iso8859_1",         CHARSET_LATIN1},
    {"iso_8859_1",        CHARSET_LATIN1},
    {"8859_1",            CHARSET_LATIN1},
    {"iso-ir-100",        CHARSET_LATIN1},
    {"ibm819",            CHARSET_LATIN1},
    {"ibm-819",           CHARSET_LATIN1},
    {"cp819",             CHARSET_LATIN1},
    {"819",               CHARSET_LATIN1},
    {"csisolatin1",       CHARSET_LATIN1},
    {"utf-8",             CHARSET_UTF8  },
    {"utf8",              CHARSET_UTF8  },
    {"unicode-1-1-utf-8", CHARSET_UTF8  },
    {"us-ascii",          CHARSET_ASCII },
    {"ascii",             CHARSET_ASCII },
    {"ascii7",            CHARSET_ASCII },
    {"iso646-us",         CHARSET_ASCII },
    {"iso_646-us",        CHARSET_ASCII },
    {"iso_646.irv:1991",  CHARSET_ASCII },
    {"iso_646.irv:1983",  CHARSET_ASCII },
    {"iso-ir-6",          CHARSET_ASCII },
    {"ansi_x3.4-1986",    CHARSET_ASCII },
    {"ansi_x3.4-1968",    CHARSET_ASCII },
    {"us",                CHARSET_ASCII },
    {"646",               CHARSET_ASCII },
    {"ibm367",            CHARSET_ASCII },
    {"cp367",             CHARSET_ASCII },
    {"csascii",           CHARSET_ASCII },
};

enum err charset_by_name(struct str name, enum charset *out)
{
    for (size_t i = 0; i < sizeof(charset_names) / sizeof(charset_names[0]); i++) {
        if (str_eq_nocase(name, str_from(charset_names[i].name))) {
            *out = charset_names[i].charset;
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}

enum err charset_for_output(struct str name, enum charset *out)
{
    if (charset_by_name(name, out) == ERR_OK) {
        return ERR_OK;
    }
    for (size_t i = 0; i < sizeof(charset_table) / sizeof(charset_table[0]); i++) {
        struct str rest = str_from(charset_table[i].names), known;

        while (name.len > 0 && str_split(&rest, ' ', &known)) {
            if (str_eq_nocase(name, known)) {
                *out = (enum charset)(CHARSET_TABLED + i);
                return ERR_OK;
            }
        }
    }
    return ERR_NOT_FOUND;
}

/** @return The byte of a character above 127, or `?`. */
static char encode_character(uint32_t character, enum charset charset)
{
    const uint16_t *characters;

    if (charset < CHARSET_TABLED) {
        return charset == CHARSET_LATIN1 && character <= 0xff ? (char)character : '?';
    }
    characters = charset_table[charset - CHARSET_TABLED].characters;
    for (unsigned i = 0; i < 128; i++) {
        if (characters[i] == character) {
            return (char)(128 + i);
        }
    }
    return '?';
}

/** @return Index of the first byte above 127 at or after from, or s.len. */
static size_t ascii_end(struct str s, size_t from)
{
    uint64_t word;

    for (; from + sizeof(word) <= s.len; from += sizeof(word)) {
        memcpy(&word, s.at + from, sizeof(word));
        if (word & 0x8080808080808080u) {
            break;
        }
    }
    while (from < s.len && !(s.at[from] & 0x80)) {
        from++;
    }
    return from;
}

bool str_is_ascii(struct str s)
{
    return ascii_end(s, 0) == s.len;
}

unsigned utf8_decode(struct str s, uint32_t *character)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000}; /* Of that many bytes. */
    const unsigned char *bytes = (const unsigned char *)s.at;
    unsigned len;
    uint32_t code;

    if (s.len == 0) {
        return 0;
    }
    if (bytes[0] < 0x80) {
        *character = bytes[0];
        return 1;
    }
    len = bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : 2;
    if (bytes[0] < 0xc2 || bytes[0] > 0xf4 || s.len < len) {
        return 0;
    }
    code = bytes[0] & (0x7f >> len);
    for (unsigned i = 1; i < len; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (bytes[i] & 0x3f);
    }
    if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
        return 0;
    }
    *character = code;
    return len;
}

unsigned utf8_put(char to[static 4], uint32_t character)
{
    unsigned len = character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;

    for (unsigned i = len - 1; i > 0; i--) {
        to[i] = (char)(0x80 | (character & 0x3f));
        character >>= 6;
    }
    to[0] = (char)(len == 1 ? character : (0xf00u >> len & 0xff) | character);
    return len;
}

bool utf8_is_valid(struct str s)
{
    uint32_t character;

    for (size_t at = ascii_end(s, 0); at < s.len; at = ascii_end(s, at)) {
        unsigned len = utf8_decode(str_sub(s, at, s.len), &character);

        if (len == 0) {
            return false;
        }
        at += len;
    }
    return true;
}

void latin1_to_utf8(struct str latin1, struct buf *out)
{
    for (size_t at = 0; at < latin1.len; at++) {
        size_t end = ascii_end(latin1, at);

        buf_add(out, latin1.at + at, end - at);
        at = end;
        if (at < latin1.len) {
            char bytes[4];

            buf_add(out, bytes, utf8_put(bytes, (unsigned char)latin1.at[at]));
        }
    }
}

void utf8_encode(struct str utf8, enum charset charset, struct buf *out)
{
    uint32_t character;

    if (charset == CHARSET_UTF8) {
        buf_add_str(out, utf8);
        return;
    }
    for (size_t at = 0; at < utf8.len;) {
        size_t end = ascii_end(utf8, at);

        buf_add(out, utf8.at + at, end - at);
        at = end;
        if (at < utf8.len) {
            unsigned len = utf8_decode(str_sub(utf8, at, utf8.len), &character);

            buf_add_char(out, len > 0 ? encode_character(character, charset) : '?');
            at += len > 0 ? len : 1;
        }
    }
}

struct str charset_to_utf8(struct str raw, enum charset from, struct buf *scratch, bool *was_wrong)
{
    *was_wrong = false;
    if (str_is_ascii(raw)) {
        return raw;
    }
    if (from != CHARSET_LATIN1) {
        if (from == CHARSET_UTF8 && utf8_is_valid(raw)) {
            return raw;
        }
        *was_wrong = true;
    }
    buf_clear(scratch);
    buf_reserve(scratch, raw.len + raw.len / 8);
    latin1_to_utf8(raw, scratch);
    return buf_str(scratch);
}
