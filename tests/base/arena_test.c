/*
 * Arenas: ceiling, growing in place, going back.
 */
#include "base/arena.h"

#include <criterion/criterion.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

static struct arena *arena;

static void make_arena(void)
{
    arena = arena_new(1 << 20);
}

static void free_arena(void)
{
    arena_free(arena);
}

TestSuite(arena, .init = make_arena, .fini = free_arena);

Test(arena, memory_is_aligned_and_does_not_overlap)
{
    unsigned char *blocks[200];
    size_t sizes[200];

    for (size_t i = 0; i < 200; i++) {
        sizes[i] = i * 37 % 3000 + 1;
        blocks[i] = arena_alloc(arena, sizes[i]);
        cr_assert_not_null(blocks[i]);
        cr_expect_eq((uintptr_t)blocks[i] % alignof(max_align_t), 0);
        memset(blocks[i], (int)i, sizes[i]);
    }
    for (size_t i = 0; i < 200; i++) {
        for (size_t j = 0; j < sizes[i]; j++) {
            cr_assert_eq(blocks[i][j], (unsigned char)i);
        }
    }
}

Test(arena, ceiling_is_an_ordinary_outcome)
{
    struct arena *small = arena_new(1000);

    cr_expect_not_null(arena_alloc(small, 900));
    cr_expect_null(arena_alloc(small, 200));
    cr_expect_null(arena_printf(small, "%0500d", 1).at);
    cr_expect_not_null(arena_alloc(small, 16));
    arena_reset(small);
    cr_expect_not_null(arena_alloc(small, 1000 / 16 * 16));
    cr_expect_null(arena_alloc(small, 16));
    arena_free(small);
}

Test(arena, sizes_that_overflow_are_refused)
{
    struct arena *large = arena_new(SIZE_MAX);

    cr_expect_null(arena_alloc(large, SIZE_MAX));
    cr_expect_null(arena_calloc(large, SIZE_MAX / 2, 3));
    cr_expect_null(arena_grow(large, arena_alloc(large, 8), 8, SIZE_MAX));
    arena_free(large);
}

Test(arena, calloc_clears_reused_memory)
{
    unsigned char *bytes = arena_alloc(arena, 1000);

    memset(bytes, 0xff, 1000);
    arena_reset(arena);
    bytes = arena_calloc(arena, 10, 100);
    for (size_t i = 0; i < 1000; i++) {
        cr_assert_eq(bytes[i], 0);
    }
}

Test(arena, newest_allocation_grows_in_place)
{
    char *first = arena_alloc(arena, 100), *grown, *copy;

    memset(first, 'a', 100);
    grown = arena_grow(arena, first, 100, 500);
    cr_expect_eq(grown, first);
    memset(grown, 'b', 500);
    arena_alloc(arena, 1);
    copy = arena_grow(arena, grown, 500, 600);
    cr_expect_neq(copy, grown);
    cr_expect_eq(copy[0], 'b');
    cr_expect_eq(copy[499], 'b');
    cr_expect_eq(arena_grow(arena, copy, 600, 10), copy);
    cr_expect_not_null(arena_grow(arena, NULL, 0, 10));
}

Test(arena, failed_growth_leaves_the_old_memory)
{
    struct arena *small = arena_new(1024);
    char *old = arena_alloc(small, 100);

    memset(old, 'x', 100);
    cr_expect_null(arena_grow(small, old, 100, 2000));
    cr_expect_eq(old[99], 'x');
    arena_free(small);
}

Test(arena, rewind_forgets_what_came_after_the_mark)
{
    struct arena_mark empty = arena_mark(arena), mark;
    const char *kept = arena_strdup(arena, STR("kept")).at;
    char *later;

    mark = arena_mark(arena);
    later = arena_alloc(arena, 10);
    for (int i = 0; i < 100; i++) {
        arena_alloc(arena, 5000);
    }
    arena_rewind(arena, mark);
    cr_expect_str_eq(kept, "kept");
    cr_expect_eq(arena_used(arena), mark.total);
    cr_expect_eq(arena_alloc(arena, 10), later);
    arena_rewind(arena, empty);
    cr_expect_eq(arena_used(arena), 0);
    cr_expect_not_null(arena_alloc(arena, 10));
}

Test(arena, reset_keeps_the_first_block)
{
    void *first = arena_alloc(arena, 100);

    arena_alloc(arena, 100000);
    arena_reset(arena);
    cr_expect_eq(arena_used(arena), 0);
    cr_expect_eq(arena_alloc(arena, 100), first);
}

Test(arena, strings_are_terminated)
{
    struct str copy = arena_strdup(arena, STR("abc")), printed;

    cr_expect_eq(copy.len, 3);
    cr_expect_str_eq(copy.at, "abc");
    printed = arena_printf(arena, "%s-%d", "x", 42);
    cr_expect_eq(printed.len, 4);
    cr_expect_str_eq(printed.at, "x-42");
    cr_expect_str_eq(arena_strdup(arena, (struct str){NULL, 0}).at, "");
}

/* What is alone in its block grows without leaving its old place behind. */
Test(arena, large_allocations_grow_where_they_are)
{
    enum { MIB = 1 << 20 };
    struct arena *large = arena_new(64 * MIB);
    struct arena_mark mark;
    size_t size = 2 * MIB;
    char *at, *small;

    cr_assert_not_null(arena_alloc(large, 10));
    mark = arena_mark(large);
    at = arena_alloc(large, size);
    cr_assert_not_null(at);
    memset(at, 'a', size);
    for (; size < 48 * MIB; size += MIB) {
        at = arena_grow(large, at, size, size + MIB);
        cr_assert_not_null(at, "%zu", size);
        memset(at + size, 'b', MIB);
    }
    cr_expect_leq(arena_used(large), size + 100);
    cr_expect_eq(at[2 * MIB - 1], 'a');
    cr_expect_eq(at[2 * MIB], 'b');
    cr_expect_eq(at[size - 1], 'b');
    cr_expect_null(arena_grow(large, at, size, size + 32 * MIB), "beyond the ceiling");
    cr_expect_eq(at[size - 1], 'b');

    small =
        arena_alloc(large, 10); /* It has a block of its own: the large one is not the newest. */
    cr_assert_not_null(small);
    memset(small, 's', 10);
    cr_expect_null(arena_grow(large, at, size, size + MIB), "no room for a copy");
    arena_rewind(large, mark);
    cr_expect_eq(arena_used(large), 16);
    at = arena_alloc(large, 3 * MIB);
    cr_assert_not_null(at);
    mark = arena_mark(large);
    at = arena_grow(large, at, 3 * MIB, 4 * MIB);
    memset(at, 'c', 4 * MIB);
    arena_rewind(large, mark); /* A mark behind it keeps its place: what it grew by is forgotten. */
    cr_expect_eq(at[3 * MIB - 1], 'c');
    arena_reset(large);
    cr_expect_eq(arena_used(large), 0);
    arena_free(large);
}
