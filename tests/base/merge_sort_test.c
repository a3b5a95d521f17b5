/*
 * Sorting in steps: what comes out is sorted, stable and complete, and no step takes long.
 */
#include "base/merge_sort.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define STEP_COMPARISONS_MAX 2500

struct record {
    unsigned key, place;
};

static unsigned comparisons;

static int compare(const void *left, const void *right)
{
    const struct record *a = left, *b = right;

    comparisons++;
    return (a->key > b->key) - (a->key < b->key);
}

static void check(size_t count, unsigned keys)
{
    struct record *items = calloc(count + 1, sizeof(*items));
    struct record *room = calloc(count + 1, sizeof(*room)), *sorted;
    bool *seen = calloc(count + 1, sizeof(*seen));
    struct merge_sort sort;
    bool is_done = false;

    srand((unsigned)count);
    for (size_t i = 0; i < count; i++) {
        items[i] = (struct record){(unsigned)rand() % keys, (unsigned)i};
    }
    merge_sort_begin(&sort, items, room, count, sizeof(*items), compare);
    while (!is_done) {
        comparisons = 0;
        is_done = merge_sort_step(&sort);
        cr_assert_leq(comparisons, STEP_COMPARISONS_MAX);
    }
    sorted = (struct record *)sort.items;
    for (size_t i = 0; i < count; i++) {
        cr_assert_not(seen[sorted[i].place]);
        seen[sorted[i].place] = true;
        cr_assert(i == 0 || sorted[i - 1].key < sorted[i].key ||
                      (sorted[i - 1].key == sorted[i].key && sorted[i - 1].place < sorted[i].place),
                  "%zu of %zu", i, count);
    }
    free(items);
    free(room);
    free(seen);
}

Test(merge_sort, sorts_lists_of_any_length)
{
    for (size_t count = 0; count < 600; count++) {
        check(count, 1 + (unsigned)count);
    }
    check(100000, 1000000);
}

Test(merge_sort, keeps_the_order_of_equals)
{
    check(5000, 1);
    check(5000, 7);
}
