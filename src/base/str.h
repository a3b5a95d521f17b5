/*
 * Slices of bytes (not NUL-terminated, not owned) and a growable byte buffer. What takes a few
 * instructions is inline: a query calls these hundreds of times.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

/** A borrowed run of bytes; at may be NULL only when len is 0. Pass by value. */
struct str {
    const char *at;
    size_t len;
};

/** A slice of a string literal, usable in static initialisers. */
/* clang-format off */
#define STR_INIT(literal) {(literal), sizeof(literal) - 1}
/* clang-format on */
#define STR(literal) ((struct str)STR_INIT(literal))
/** For printf: `"%.*s", STR_ARG(s)`. */
#define STR_ARG(s) (int)(s).len, (s).at

/** NUL-terminated; NULL gives an empty slice. */
static inline struct str str_from(const char *text)
{
    return (struct str){text, text != NULL ? strlen(text) : 0};
}

/** Clamped to s. */
static inline struct str str_sub(struct str s, size_t from, size_t to)
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

static inline bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static inline bool str_starts(struct str s, struct str prefix)
{
    return s.len >= prefix.len && str_eq(str_sub(s, 0, prefix.len), prefix);
}

/* Without regard to the case of ASCII letters. */
bool bytes_eq_nocase(const char *a, const char *b, size_t len);

static inline bool str_eq_nocase(struct str a, struct str b)
{
    return a.len == b.len && bytes_eq_nocase(a.at, b.at, a.len);
}

static inline bool str_starts_nocase(struct str s, struct str prefix)
{
    return s.len >= prefix.len && bytes_eq_nocase(s.at, prefix.at, prefix.len);
}

static inline bool str_ends_nocase(struct str s, struct str suffix)
{
    return s.len >= suffix.len &&
           bytes_eq_nocase(s.at + (s.len - suffix.len), suffix.at, suffix.len);
}

/* By byte; shorter first when one is the start of the other. */
int str_cmp(struct str a, struct str b);

/** Drop bytes <= 0x20 at the end. */
static inline struct str str_trim_right(struct str s)
{
    while (s.len > 0 && (unsigned char)s.at[s.len - 1] <= 0x20) {
        s.len--;
    }
    return s;
}

/** Drop bytes <= 0x20 on both sides. */
static inline struct str str_trim(struct str s)
{
    while (s.len > 0 && (unsigned char)*s.at <= 0x20) {
        s.at++;
        s.len--;
    }
    return str_trim_right(s);
}

/** @return Index of the first byte c at or after from, or s.len. */
static inline size_t str_find(struct str s, char c, size_t from)
{
    const char *hit;

    if (from >= s.len) {
        return s.len;
    }
    hit = (const char *)memchr(s.at + from, (unsigned char)c, s.len - from);
    return hit != NULL ? (size_t)(hit - s.at) : s.len;
}

/** @return True when needle occurs in s. */
bool str_contains(struct str s, struct str needle);

/**
 * Cut the next piece off *rest at separator; empty pieces are returned too.
 * @return false when *rest is exhausted (at == NULL).
 */
static inline bool str_split(struct str *rest, char separator, struct str *piece)
{
    size_t end;

    if (rest->at == NULL) {
        return false;
    }
    end = str_find(*rest, separator, 0);
    *piece = (struct str){rest->at, end};
    *rest = end < rest->len ? (struct str){rest->at + end + 1, rest->len - end - 1}
                            : (struct str){NULL, 0};
    return true;
}

/**
 * Read a decimal number that is the whole of s: digits only, no sign, no blanks.
 * @return ERR_OK, ERR_SYNTAX; ERR_LIMIT when it is above max.
 */
enum err str_to_u64(struct str s, uint64_t max, uint64_t *out) MUST_CHECK;
/** @return A NUL-terminated heap copy for the caller to free; aborts when memory is gone. */
char *str_dup(struct str s);

/* ASCII, whatever the locale says. */
static inline bool char_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool char_is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static inline bool char_is_alnum(char c)
{
    return char_is_digit(c) || char_is_letter(c);
}

/** A growable buffer of bytes. Zero-initialise; buf_free() gives the memory back. */
struct buf {
    char *at;
    size_t len, cap;
};

/* Growing aborts the process when memory is gone: callers bound what they put in. */
void buf_grow(struct buf *buf, size_t more); /* buf_reserve() when there is no room. */

/** At least `more` bytes behind len. */
static inline void buf_reserve(struct buf *buf, size_t more)
{
    if (more > buf->cap - buf->len) {
        buf_grow(buf, more);
    }
}

static inline void buf_add(struct buf *buf, const void *data, size_t len)
{
    if (len > 0) {
        buf_reserve(buf, len);
        memcpy(buf->at + buf->len, data, len);
        buf->len += len;
    }
}

static inline void buf_add_str(struct buf *buf, struct str s)
{
    buf_add(buf, s.at, s.len);
}

static inline void buf_add_char(struct buf *buf, char c)
{
    buf_reserve(buf, 1);
    buf->at[buf->len++] = c;
}

void buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_drop(struct buf *buf, size_t count); /* Remove bytes from the front. */
void buf_free(struct buf *buf);

/** len = 0, memory kept. */
static inline void buf_clear(struct buf *buf)
{
    buf->len = 0;
}

/** Valid until the next change. */
static inline struct str buf_str(const struct buf *buf)
{
    return (struct str){buf->at, buf->len};
}
