/*
 * Slices and the growable buffer. Case folding is ASCII only and knows no locale: RPSL values that
 * need more are folded by src/rpsl.
 */
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : (unsigned char)c;
}

static int cmp_nocase(const char *a, const char *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        int difference = lower(a[i]) - lower(b[i]);

        if (difference != 0) {
            return difference;
        }
    }
    return 0;
}

static int cmp_len(size_t a, size_t b)
{
    return (a > b) - (a < b);
}

struct str str_from(const char *text)
{
    return (struct str){text, text != NULL ? strlen(text) : 0};
}

bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

bool str_eq_nocase(struct str a, struct str b)
{
    return a.len == b.len && cmp_nocase(a.at, b.at, a.len) == 0;
}

bool str_starts(struct str s, struct str prefix)
{
    return s.len >= prefix.len && str_eq(str_sub(s, 0, prefix.len), prefix);
}

bool str_starts_nocase(struct str s, struct str prefix)
{
    return s.len >= prefix.len && str_eq_nocase(str_sub(s, 0, prefix.len), prefix);
}

bool str_ends_nocase(struct str s, struct str suffix)
{
    return s.len >= suffix.len && str_eq_nocase(str_sub(s, s.len - suffix.len, s.len), suffix);
}

int str_cmp(struct str a, struct str b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common > 0 ? memcmp(a.at, b.at, common) : 0;

    return order != 0 ? order : cmp_len(a.len, b.len);
}

int str_cmp_nocase(struct str a, struct str b)
{
    int order = cmp_nocase(a.at, b.at, a.len < b.len ? a.len : b.len);

    return order != 0 ? order : cmp_len(a.len, b.len);
}

struct str str_trim(struct str s)
{
    while (s.len > 0 && (unsigned char)*s.at <= 0x20) {
        s.at++;
        s.len--;
    }
    return str_trim_right(s);
}

struct str str_trim_right(struct str s)
{
    while (s.len > 0 && (unsigned char)s.at[s.len - 1] <= 0x20) {
        s.len--;
    }
    return s;
}

struct str str_sub(struct str s, size_t from, size_t to)
{
    if (to > s.len) {
        to = s.len;
    }
    if (from > to) {
        from = to;
    }
    /* An empty slice may have no address to count from. */
    return (struct str){from > 0 ? s.at + from : s.at, to - from};
}

size_t str_find(struct str s, char c, size_t from)
{
    const char *hit;

    if (from >= s.len) {
        return s.len;
    }
    hit = memchr(s.at + from, c, s.len - from);
    return hit != NULL ? (size_t)(hit - s.at) : s.len;
}

bool str_contains(struct str s, struct str needle)
{
    return needle.len == 0 || (s.len > 0 && memmem(s.at, s.len, needle.at, needle.len) != NULL);
}

bool str_split(struct str *rest, char separator, struct str *piece)
{
    size_t end;

    if (rest->at == NULL) {
        return false;
    }
    end = str_find(*rest, separator, 0);
    *piece = str_sub(*rest, 0, end);
    *rest = end < rest->len ? str_sub(*rest, end + 1, rest->len) : (struct str){NULL, 0};
    return true;
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

void buf_reserve(struct buf *buf, size_t more)
{
    size_t need, cap;

    if (more <= buf->cap - buf->len) {
        return;
    }
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

void buf_add(struct buf *buf, const void *data, size_t len)
{
    if (len == 0) {
        return;
    }
    buf_reserve(buf, len);
    memcpy(buf->at + buf->len, data, len);
    buf->len += len;
}

void buf_add_str(struct buf *buf, struct str s)
{
    buf_add(buf, s.at, s.len);
}

void buf_add_char(struct buf *buf, char c)
{
    buf_reserve(buf, 1);
    buf->at[buf->len++] = c;
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

void buf_clear(struct buf *buf)
{
    buf->len = 0;
}

void buf_free(struct buf *buf)
{
    free(buf->at);
    *buf = (struct buf){0};
}

struct str buf_str(const struct buf *buf)
{
    return (struct str){buf->at, buf->len};
}
