/*
 * Slices and the growable buffer. Case folding is ASCII only and knows no locale: RPSL values that
 * need more are folded by src/rpsl.
 */
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>

static unsigned char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : (unsigned char)c;
}

static int cmp_len(size_t a, size_t b)
{
    return (a > b) - (a < b);
}

bool bytes_eq_nocase(const char *a, const char *b, size_t len)
{
    if (len == 0 || memcmp(a, b, len) == 0) { /* Most are spelled as they should be. */
        return true;
    }
    for (size_t i = 0; i < len; i++) {
        if (a[i] != b[i] && lower(a[i]) != lower(b[i])) {
            return false;
        }
    }
    return true;
}

int str_cmp(struct str a, struct str b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common > 0 ? memcmp(a.at, b.at, common) : 0;

    return order != 0 ? order : cmp_len(a.len, b.len);
}

bool str_contains(struct str s, struct str needle)
{
    return needle.len == 0 || (s.len > 0 && memmem(s.at, s.len, needle.at, needle.len) != NULL);
}

enum err str_to_u64(struct str s, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    bool too_large = false;

    if (s.len == 0) {
        return ERR_SYNTAX;
    }
    /* To the end even when too large: "9999x" is no number at all. */
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned char)s.at[i] - (unsigned)'0';

        if (digit > 9) {
            return ERR_SYNTAX;
        }
        too_large = too_large || __builtin_mul_overflow(value, 10, &value) ||
                    __builtin_add_overflow(value, digit, &value);
    }
    if (too_large || value > max) {
        return ERR_LIMIT;
    }
    *out = value;
    return ERR_OK;
}

char *str_dup(struct str s)
{
    char *copy = malloc(s.len + 1);

    if (copy == NULL) {
        abort();
    }
    if (s.len > 0) {
        memcpy(copy, s.at, s.len);
    }
    copy[s.len] = '\0';
    return copy;
}

void buf_grow(struct buf *buf, size_t more)
{
    size_t need, cap;

    if (__builtin_add_overflow(buf->len, more, &need)) {
        abort();
    }
    cap = buf->cap < 64 ? 128 : buf->cap + buf->cap / 2;
    buf->cap = cap > need ? cap : need;
    buf->at = realloc(buf->at, buf->cap);
    if (buf->at == NULL) {
        abort();
    }
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0) {
        abort(); /* A bad format string: ours. */
    }
    buf_reserve(buf, (size_t)len + 1);
    va_start(args, format);
    vsnprintf(buf->at + buf->len, (size_t)len + 1, format, args);
    va_end(args);
    buf->len += (size_t)len;
}

void buf_drop(struct buf *buf, size_t count)
{
    if (count >= buf->len) {
        buf->len = 0;
        return;
    }
    if (count > 0) {
        memmove(buf->at, buf->at + count, buf->len - count);
        buf->len -= count;
    }
}

void buf_free(struct buf *buf)
{
    free(buf->at);
    *buf = (struct buf){0};
}
