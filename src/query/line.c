/*
 * Nearly every line is printable ASCII and passes untouched after one scan. The rest is decoded the
 * way the reference's decoder does it: each maximal part of an invalid sequence counts as one bad
 * character.
 */
#include "query/line.h"

#include <string.h>

#define BAD_CHARACTER 0xFFFDu

/* Whether any of 8 bytes is no printable ASCII: below a blank, 0x7F, or above. */
static bool has_unprintable(uint64_t bytes)
{
    const uint64_t each = UINT64_C(0x0101010101010101);

    return ((bytes | (bytes + each) | (bytes - each * ' ')) & each << 7) != 0;
}

static bool is_printable(struct str line)
{
    uint64_t bytes = 0;

    for (; line.len >= sizeof(bytes); line.at += sizeof(bytes), line.len -= sizeof(bytes)) {
        memcpy(&bytes, line.at, sizeof(bytes));
        if (has_unprintable(bytes)) {
            return false;
        }
    }
    memset(&bytes, ' ', sizeof(bytes));
    memcpy(&bytes, line.at, line.len);
    return !has_unprintable(bytes);
}

static bool is_plain(struct str line)
{
    if (line.len == 0 || is_printable(line)) {
        return true;
    }
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.at[i];

        if (c >= 0x7F || (c < 0x20 && c != '\t' && c != '\r')) {
            return false;
        }
    }
    return true;
}

/* Decode one character at *pos and move *pos behind it. */
static uint32_t next_character(struct str line, size_t *pos)
{
    unsigned char first = (unsigned char)line.at[(*pos)++];
    /* Allowed values of the second byte: narrower for some first bytes (overlong forms, surrogates,
     * above 10FFFF). */
    unsigned char low = 0x80, high = 0xBF;
    int more;
    uint32_t c;

    if (first < 0x80) {
        return first;
    }
    if (first >= 0xC2 && first <= 0xDF) {
        more = 1;
        c = first & 0x1F;
    } else if (first >= 0xE0 && first <= 0xEF) {
        more = 2;
        c = first & 0x0F;
        low = first == 0xE0 ? 0xA0 : low;
        high = first == 0xED ? 0x9F : high;
    } else if (first >= 0xF0 && first <= 0xF4) {
        more = 3;
        c = first & 0x07;
        low = first == 0xF0 ? 0x90 : low;
        high = first == 0xF4 ? 0x8F : high;
    } else {
        return BAD_CHARACTER;
    }
    for (; more > 0; more--) {
        unsigned char byte;

        if (*pos >= line.len) {
            return BAD_CHARACTER;
        }
        byte = (unsigned char)line.at[*pos];
        if (byte < low || byte > high) {
            return BAD_CHARACTER;
        }
        c = c << 6 | (byte & 0x3F);
        low = 0x80;
        high = 0xBF;
        (*pos)++;
    }
    return c;
}

static uint32_t squeeze(uint32_t c)
{
    if (c == 0xA0) {
        return ' ';
    }
    if (c == 0xAD) {
        return '-';
    }
    if (c > 0xFF || (c >= 0x7F && c <= 0x9F)) {
        return '?';
    }
    if (c < 0x20 && c != '\t' && c != '\r' && c != '\n') {
        return '?';
    }
    return c;
}

enum err line_decode(struct str raw, struct arena *arena, struct str *text, bool *is_converted)
{
    struct str line = str_trim(raw);
    size_t len = 0;
    char *out;

    *is_converted = false;
    *text = line;
    if (is_plain(line)) {
        return ERR_OK;
    }
    /* A character never takes more bytes than it was read from, except a bad byte: one for one. */
    out = arena_alloc(arena, line.len + 1);
    if (out == NULL) {
        return ERR_LIMIT;
    }
    for (size_t pos = 0; pos < line.len;) {
        uint32_t c = next_character(line, &pos);
        uint32_t squeezed = squeeze(c);

        *is_converted |= squeezed != c;
        if (squeezed < 0x80) {
            out[len++] = (char)squeezed;
        } else {
            out[len++] = (char)(0xC0 | squeezed >> 6);
            out[len++] = (char)(0x80 | (squeezed & 0x3F));
        }
    }
    *text = str_trim((struct str){out, len});
    return ERR_OK;
}
