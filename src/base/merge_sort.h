/*
 * Sorting in steps: for lists so long that sorting them at once would keep others waiting.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/** Private, but for items: where the records are, sorted in the end. */
struct merge_sort {
    char *items, *room;
    size_t count, size;
    int (*compare)(const void *, const void *);
    size_t width;       /* Records of the runs that are merged; 0: none are sorted yet. */
    size_t begin;       /* Of the two runs that are merged now. */
    size_t left, right; /* The next record of each. */
};

/** @param items  Records. @param room  For as many; both stay the caller's. */
void merge_sort_begin(struct merge_sort *sort, void *items, void *room, size_t count, size_t size,
                      int (*compare)(const void *, const void *));
/**
 * Go on for some hundred comparisons. Records that are equal keep their order.
 * @return true when all is sorted: `items`, now one of the two arrays, holds the result.
 */
bool merge_sort_step(struct merge_sort *sort);
