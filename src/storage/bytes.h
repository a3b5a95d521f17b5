/*
 * Numbers as big-endian bytes: records that compare byte by byte in numeric order, at any
 * alignment.
 */
#pragma once

#include <stdint.h>
#include <string.h>

static inline uint32_t load32(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return __builtin_bswap32(value);
}

static inline uint64_t load64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof(value));
    return __builtin_bswap64(value);
}

static inline void store32(uint8_t *at, uint32_t value)
{
    value = __builtin_bswap32(value);
    memcpy(at, &value, sizeof(value));
}

static inline void store64(uint8_t *at, uint64_t value)
{
    value = __builtin_bswap64(value);
    memcpy(at, &value, sizeof(value));
}

/** The first bytes of a key as a number that orders like them: a search compares it first. */
static inline uint64_t key_head(const uint8_t *key, unsigned size)
{
    return size >= 8 ? load64(key) : load32(key);
}

/** memcmp() for the short keys of records: 4 bytes, or 8 and more. */
static inline int key_compare(const uint8_t *a, const uint8_t *b, unsigned size)
{
    if (size >= 8) {
        uint64_t x = load64(a), y = load64(b);

        if (x != y) {
            return x < y ? -1 : 1;
        }
        if (size == 8) {
            return 0;
        }
        a += 8;
        b += 8;
        size -= 8;
    }
    if (size == 4) {
        uint32_t x = load32(a), y = load32(b);

        return (x > y) - (x < y);
    }
    return memcmp(a, b, size);
}
