/*
 * Arena: memory that is given back all at once, with a ceiling.
 * Reaching the ceiling is an ordinary outcome (NULL, ERR_LIMIT), never a crash.
 */
#pragma once

#include <stddef.h>

#include "base/str.h"

struct arena; /* Opaque; one thread at a time. */

/**
 * @param max_bytes  Ceiling for everything taken between two resets.
 * @return Never NULL (aborts without memory).
 */
struct arena *arena_new(size_t max_bytes);
void arena_free(struct arena *arena); /* NULL is fine. */
/** Forget everything, keep the first block for reuse. */
void arena_reset(struct arena *arena);

/** @return `size` bytes aligned for any type, not cleared; NULL when the ceiling is reached. */
void *arena_alloc(struct arena *arena, size_t size);
void *arena_calloc(struct arena *arena, size_t count, size_t size);
/**
 * Enlarge the newest allocation in place when possible, else copy it.
 * @param old  NULL or an earlier result of this arena.
 * @return NULL when the ceiling is reached (old stays valid).
 */
void *arena_grow(struct arena *arena, void *old, size_t old_size, size_t new_size);
/** Copies; at is NULL when the ceiling is reached. The copy is NUL-terminated behind len. */
struct str arena_strdup(struct arena *arena, struct str s);
struct str arena_printf(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);
size_t arena_used(const struct arena *arena); /* Bytes taken since the last reset. */
/** A point to go back to: everything allocated after it is forgotten by arena_rewind(). */
struct arena_mark {
    void *block;
    size_t used, total;
};
struct arena_mark arena_mark(const struct arena *arena);
void arena_rewind(struct arena *arena, struct arena_mark mark);
