/*
 * American flag sort: count the values of a byte, move every record into its bucket by swapping,
 * sort the buckets by the next byte. Hashes and addresses spread well, so a million records take a
 * few passes. Small buckets are finished by insertion. The functions are made per record size, so
 * that a record is moved by a few instructions.
 */
#include "storage/sort.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#define INSERTION_MAX 40

#define DEFINE_SORT(SIZE)                                                                          \
    struct record##SIZE {                                                                          \
        uint8_t bytes[SIZE];                                                                       \
    };                                                                                             \
    static void insert##SIZE(struct record##SIZE *at, size_t count, unsigned byte)                 \
    {                                                                                              \
        for (size_t i = 1; i < count; i++) {                                                       \
            struct record##SIZE moved = at[i];                                                     \
            size_t to = i;                                                                         \
                                                                                                   \
            while (to > 0 &&                                                                       \
                   memcmp(at[to - 1].bytes + byte, moved.bytes + byte, SIZE - byte) > 0) {         \
                at[to] = at[to - 1];                                                               \
                to--;                                                                              \
            }                                                                                      \
            at[to] = moved;                                                                        \
        }                                                                                          \
    }                                                                                              \
    static void sort##SIZE(struct record##SIZE *at, size_t count, unsigned byte)                   \
    {                                                                                              \
        size_t from[256], to[256], counts[256] = {0}, sum = 0;                                     \
                                                                                                   \
        if (count <= INSERTION_MAX) {                                                              \
            insert##SIZE(at, count, byte);                                                         \
            return;                                                                                \
        }                                                                                          \
        for (size_t i = 0; i < count; i++) {                                                       \
            counts[at[i].bytes[byte]]++;                                                           \
        }                                                                                          \
        for (unsigned b = 0; b < 256; b++) {                                                       \
            from[b] = sum;                                                                         \
            sum += counts[b];                                                                      \
            to[b] = sum;                                                                           \
        }                                                                                          \
        for (unsigned b = 0; b < 256; b++) {                                                       \
            while (from[b] < to[b]) {                                                              \
                struct record##SIZE moved = at[from[b]];                                           \
                uint8_t home = moved.bytes[byte];                                                  \
                                                                                                   \
                while (home != b) {                                                                \
                    struct record##SIZE displaced = at[from[home]];                                \
                                                                                                   \
                    at[from[home]++] = moved;                                                      \
                    moved = displaced;                                                             \
                    home = moved.bytes[byte];                                                      \
                }                                                                                  \
                at[from[b]++] = moved;                                                             \
            }                                                                                      \
        }                                                                                          \
        for (unsigned b = 0; b < 256 && byte + 1 < SIZE; b++) {                                    \
            if (counts[b] > 1) {                                                                   \
                sort##SIZE(at + to[b] - counts[b], counts[b], byte + 1);                           \
            }                                                                                      \
        }                                                                                          \
    }

DEFINE_SORT(8)
DEFINE_SORT(12)
DEFINE_SORT(16)
DEFINE_SORT(20)
DEFINE_SORT(36)

static bool is_sorted(const uint8_t *records, size_t count, unsigned size)
{
    for (size_t i = 1; i < count; i++) {
        if (memcmp(records + (i - 1) * size, records + i * size, size) > 0) {
            return false;
        }
    }
    return true;
}

void sort_records(uint8_t *records, size_t count, unsigned size)
{
    if (is_sorted(records, count, size)) {
        return; /* Object records usually are: ids ascend. */
    }
    switch (size) {
    case 8:
        sort8((struct record8 *)records, count, 0);
        break;
    case 12:
        sort12((struct record12 *)records, count, 0);
        break;
    case 16:
        sort16((struct record16 *)records, count, 0);
        break;
    case 20:
        sort20((struct record20 *)records, count, 0);
        break;
    case 36:
        sort36((struct record36 *)records, count, 0);
        break;
    default:
        assert(!"a record size without a sort");
    }
}
