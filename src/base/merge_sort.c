/*
 * Runs of a few records are sorted at once; then pairs of runs are merged from one array to the
 * other, until one run is left.
 */
#include "base/merge_sort.h"

#include <stdlib.h>
#include <string.h>

#define RUN          16
#define STEP_RECORDS 256

void merge_sort_begin(struct merge_sort *sort, void *items, void *room, size_t count, size_t size,
                      int (*compare)(const void *, const void *))
{
    *sort = (struct merge_sort){
        .items = items, .room = room, .count = count, .size = size, .compare = compare};
}

static char *at(const struct merge_sort *sort, char *array, size_t i)
{
    return array + i * sort->size;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* By insertion, which keeps the order of equals. */
static void sort_run(const struct merge_sort *sort, size_t begin, size_t end)
{
    for (size_t i = begin + 1; i < end; i++) {
        size_t to = i;

        while (to > begin &&
               sort->compare(at(sort, sort->items, to - 1), at(sort, sort->items, i)) > 0) {
            to--;
        }
        if (to < i) {
            memcpy(sort->room, at(sort, sort->items, i), sort->size);
            memmove(at(sort, sort->items, to + 1), at(sort, sort->items, to),
                    (i - to) * sort->size);
            memcpy(at(sort, sort->items, to), sort->room, sort->size);
        }
    }
}

static void begin_merge(struct merge_sort *sort, size_t begin)
{
    sort->begin = sort->left = begin;
    sort->right = least(begin + sort->width, sort->count);
}

/* Move on to the next runs, and behind the last to longer ones in the other array. */
static void end_merge(struct merge_sort *sort)
{
    char *merged = sort->room;

    if (sort->right < sort->count) {
        begin_merge(sort, sort->right);
        return;
    }
    sort->room = sort->items;
    sort->items = merged;
    sort->width *= 2;
    begin_merge(sort, 0);
}

static void merge_record(struct merge_sort *sort)
{
    size_t middle = least(sort->begin + sort->width, sort->count);
    size_t end = least(middle + sort->width, sort->count);
    size_t to = sort->left + (sort->right - middle);
    bool takes_left =
        sort->right == end ||
        (sort->left < middle &&
         sort->compare(at(sort, sort->items, sort->left), at(sort, sort->items, sort->right)) <= 0);
    size_t from = takes_left ? sort->left++ : sort->right++;

    memcpy(at(sort, sort->room, to), at(sort, sort->items, from), sort->size);
    if (sort->left == middle && sort->right == end) {
        end_merge(sort);
    }
}

bool merge_sort_step(struct merge_sort *sort)
{
    size_t end = least(sort->begin + STEP_RECORDS, sort->count);

    if (sort->width == 0) {
        for (; sort->begin < end; sort->begin += RUN) {
            sort_run(sort, sort->begin, least(sort->begin + RUN, end));
        }
        if (end < sort->count) {
            return false;
        }
        sort->width = RUN;
        begin_merge(sort, 0);
        return sort->width >= sort->count;
    }
    for (size_t i = 0; i < STEP_RECORDS && sort->width < sort->count; i++) {
        merge_record(sort);
    }
    return sort->width >= sort->count;
}
