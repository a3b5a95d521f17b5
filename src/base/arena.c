/*
 * An arena is a chain of malloc'ed blocks, newest first; allocation moves a mark through the newest
 * one. Blocks double in size, so that a long answer takes few of them and an idle connection holds
 * one small one. What is larger than the largest has a block for itself, whose bytes lie apart:
 * they grow by realloc(), which moves pages and copies nothing. Under the address sanitizer, memory
 * that was not handed out (or was forgotten) is poisoned.
 */
#include "base/arena.h"

#include <sanitizer/asan_interface.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BLOCK_BYTES ((size_t)4096 - sizeof(struct block))
#define MAX_BLOCK_BYTES   ((size_t)1 << 20)
#define ALIGNMENT         alignof(max_align_t)

struct block {
    struct block *older;
    size_t used, cap;
    char *bytes; /* Behind this, or apart. */
    alignas(max_align_t) char own[];
};

struct arena {
    struct block *newest; /* NULL until the first allocation. */
    size_t total, max;
};

static size_t round_up(size_t size)
{
    return (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
}

static bool is_apart(const struct block *block)
{
    return block->bytes != block->own;
}

/* Drop the blocks above `keep` (all of them for NULL). */
static void free_newer_than(struct arena *arena, struct block *keep)
{
    while (arena->newest != keep) {
        struct block *older = arena->newest->older;

        if (is_apart(arena->newest)) {
            free(arena->newest->bytes);
        }
        free(arena->newest);
        arena->newest = older;
    }
}

static void shrink_newest(struct arena *arena, size_t used)
{
    struct block *block = arena->newest;

    block->used = used;
    ASAN_POISON_MEMORY_REGION(block->bytes + used, block->cap - used);
}

static bool add_block(struct arena *arena, size_t size)
{
    size_t cap = FIRST_BLOCK_BYTES;
    struct block *block;

    if (arena->newest != NULL) {
        cap = arena->newest->cap < MAX_BLOCK_BYTES / 2 ? arena->newest->cap * 2 : MAX_BLOCK_BYTES;
    }
    if (cap < size) {
        cap = size;
    }
    block = malloc(sizeof(*block) + (cap > MAX_BLOCK_BYTES ? 0 : cap));
    if (block == NULL) {
        return false;
    }
    block->bytes = cap > MAX_BLOCK_BYTES ? malloc(cap) : block->own;
    if (block->bytes == NULL) {
        free(block);
        return false;
    }
    block->older = arena->newest;
    block->cap = cap;
    arena->newest = block;
    shrink_newest(arena, 0);
    return true;
}

struct arena *arena_new(size_t max_bytes)
{
    struct arena *arena = calloc(1, sizeof(*arena));

    if (arena == NULL) {
        abort();
    }
    arena->max = max_bytes;
    return arena;
}

void arena_free(struct arena *arena)
{
    if (arena == NULL) {
        return;
    }
    free_newer_than(arena, NULL);
    free(arena);
}

void arena_reset(struct arena *arena)
{
    struct block *first = arena->newest;

    arena->total = 0;
    if (first == NULL) {
        return;
    }
    while (first->older != NULL) {
        first = first->older;
    }
    free_newer_than(arena, first);
    shrink_newest(arena, 0);
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t need = round_up(size > 0 ? size : 1);
    struct block *block = arena->newest;
    char *at;

    if (need < size || need > arena->max - arena->total) {
        return NULL;
    }
    if (block == NULL || need > block->cap - block->used) {
        if (!add_block(arena, need)) {
            return NULL;
        }
        block = arena->newest;
    }
    at = block->bytes + block->used;
    block->used += need;
    arena->total += need;
    ASAN_UNPOISON_MEMORY_REGION(at, size);
    return at;
}

void *arena_calloc(struct arena *arena, size_t count, size_t size)
{
    size_t bytes;
    void *at;

    if (__builtin_mul_overflow(count, size, &bytes)) {
        return NULL;
    }
    at = arena_alloc(arena, bytes);
    return at != NULL ? memset(at, 0, bytes) : NULL;
}

/* The newest allocation ends where the newest block's used part ends: it can grow into the rest. */
static bool grow_in_place(struct arena *arena, char *old, size_t old_size, size_t new_size)
{
    struct block *block = arena->newest;
    size_t have = round_up(old_size > 0 ? old_size : 1);
    size_t more = round_up(new_size) - have;

    if (old + have != block->bytes + block->used || more > block->cap - block->used ||
        more > arena->max - arena->total) {
        return false;
    }
    block->used += more;
    arena->total += more;
    ASAN_UNPOISON_MEMORY_REGION(old, new_size);
    return true;
}

/* The only allocation of a block whose bytes lie apart takes its block along. @return NULL when it
 * is none, or memory is out. */
static void *grow_block(struct arena *arena, char *old, size_t old_size, size_t new_size)
{
    struct block *block = arena->newest;
    size_t have = round_up(old_size), more = round_up(new_size) - have;
    char *bytes;

    if (!is_apart(block) || old != block->bytes || have != block->used ||
        more > arena->max - arena->total) {
        return NULL;
    }
    ASAN_UNPOISON_MEMORY_REGION(block->bytes, block->cap);
    bytes = realloc(block->bytes, have + more);
    if (bytes != NULL) {
        block->bytes = bytes;
        block->cap = have + more;
        arena->total += more;
    }
    shrink_newest(arena, bytes != NULL ? block->cap : have);
    return bytes;
}

void *arena_grow(struct arena *arena, void *old, size_t old_size, size_t new_size)
{
    void *grown;

    if (old == NULL) {
        return arena_alloc(arena, new_size);
    }
    if (new_size <= old_size) {
        return old;
    }
    if (round_up(new_size) < new_size) {
        return NULL;
    }
    if (grow_in_place(arena, old, old_size, new_size)) {
        return old;
    }
    if ((grown = grow_block(arena, old, old_size, new_size)) != NULL) {
        return grown;
    }
    grown = arena_alloc(arena, new_size);
    return grown != NULL ? memcpy(grown, old, old_size) : NULL;
}

struct str arena_strdup(struct arena *arena, struct str s)
{
    char *copy = arena_alloc(arena, s.len + 1);

    if (copy == NULL) {
        return (struct str){NULL, 0};
    }
    if (s.len > 0) {
        memcpy(copy, s.at, s.len);
    }
    copy[s.len] = '\0';
    return (struct str){copy, s.len};
}

struct str arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    char *text;
    int len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0) {
        abort(); /* A bad format string: ours. */
    }
    text = arena_alloc(arena, (size_t)len + 1);
    if (text == NULL) {
        return (struct str){NULL, 0};
    }
    va_start(args, format);
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return (struct str){text, (size_t)len};
}

size_t arena_used(const struct arena *arena)
{
    return arena->total;
}

struct arena_mark arena_mark(const struct arena *arena)
{
    return (struct arena_mark){.block = arena->newest,
                               .used = arena->newest != NULL ? arena->newest->used : 0,
                               .total = arena->total};
}

void arena_rewind(struct arena *arena, struct arena_mark mark)
{
    free_newer_than(arena, mark.block);
    arena->total = mark.total;
    if (arena->newest != NULL) {
        shrink_newest(arena, mark.used);
    }
}
