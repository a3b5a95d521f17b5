/*
 * Sorting arrays of fixed-size records in place, by all their bytes: the bulk build's main work.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/** @param size  8, 12, 16, 20 or 36 bytes, the sizes of tree records. */
void sort_records(uint8_t *records, size_t count, unsigned size);
