/*
 * Slices of bytes (not NUL-terminated, not owned) and a growable byte buffer.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

struct str str_from(const char *text); /* NUL-terminated; NULL gives an empty slice. */
bool str_eq(struct str a, struct str b);
bool str_eq_nocase(struct str a, struct str b); /* ASCII letters only. */
bool str_starts(struct str s, struct str prefix);
bool str_starts_nocase(struct str s, struct str prefix);
bool str_ends_nocase(struct str s, struct str suffix);
/* By byte; shorter first when one is the start of the other. */
int str_cmp(struct str a, struct str b);
int str_cmp_nocase(struct str a, struct str b);
struct str str_trim(struct str s); /* Drops bytes <= 0x20 on both sides. */
struct str str_trim_right(struct str s);
struct str str_sub(struct str s, size_t from, size_t to); /* Clamped to s. */
/** @return Index of the first byte c at or after from, or s.len. */
size_t str_find(struct str s, char c, size_t from);
/** @return True when needle occurs in s. */
bool str_contains(struct str s, struct str needle);
/**
 * Cut the next piece off *rest at separator; empty pieces are returned too.
 * @return false when *rest is exhausted (at == NULL).
 */
bool str_split(struct str *rest, char separator, struct str *piece);
/**
 * Read a decimal number that is the whole of s: digits only, no sign, no blanks.
 * @return ERR_OK, ERR_SYNTAX; ERR_LIMIT when it is above max.
 */
enum err str_to_u64(struct str s, uint64_t max, uint64_t *out) MUST_CHECK;
/** @return A NUL-terminated heap copy for the caller to free; aborts when memory is gone. */
char *str_dup(struct str s);

/** A growable buffer of bytes. Zero-initialise; buf_free() gives the memory back. */
struct buf {
    char *at;
    size_t len, cap;
};

/* Growing aborts the process when memory is gone: callers bound what they put in. */
void buf_reserve(struct buf *buf, size_t more); /* At least `more` bytes behind len. */
void buf_add(struct buf *buf, const void *data, size_t len);
void buf_add_str(struct buf *buf, struct str s);
void buf_add_char(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_drop(struct buf *buf, size_t count); /* Remove bytes from the front. */
void buf_clear(struct buf *buf);              /* len = 0, memory kept. */
void buf_free(struct buf *buf);
struct str buf_str(const struct buf *buf); /* Valid until the next change. */
