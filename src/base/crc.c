/*
 * CRC-32C by the processor's own instruction where it has one (x86 since SSE 4.2), which is as fast
 * as memory; by eight tables, a step for eight bytes, elsewhere.
 */
#include "base/crc.h"

#include <pthread.h>
#include <string.h>

#define POLYNOMIAL 0x82f63b78u /* Reflected. */
#define STEP       8

/* Of a byte that is followed by 0 to 7 zero bytes. */
static uint32_t tables[STEP][256];
static pthread_once_t tables_made = PTHREAD_ONCE_INIT;

static void make_tables(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;

        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        }
        tables[0][byte] = crc;
    }
    for (int table = 1; table < STEP; table++) {
        for (uint32_t byte = 0; byte < 256; byte++) {
            uint32_t crc = tables[table - 1][byte];

            tables[table][byte] = crc >> 8 ^ tables[0][crc & 0xff];
        }
    }
}

uint32_t crc32c_portable(uint32_t crc, const void *start, size_t len)
{
    const uint8_t *at = start;

    pthread_once(&tables_made, make_tables);
    crc = ~crc;
    for (; len >= STEP; at += STEP, len -= STEP) {
        uint32_t first = crc ^ ((uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
                                (uint32_t)at[3] << 24);

        crc = tables[7][first & 0xff] ^ tables[6][first >> 8 & 0xff] ^
              tables[5][first >> 16 & 0xff] ^ tables[4][first >> 24] ^ tables[3][at[4]] ^
              tables[2][at[5]] ^ tables[1][at[6]] ^ tables[0][at[7]];
    }
    for (; len > 0; at++, len--) {
        crc = crc >> 8 ^ tables[0][(crc ^ *at) & 0xff];
    }
    return ~crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, const void *start,
                                                               size_t len)
{
    const uint8_t *at = start;
    uint64_t sum = ~crc;

    for (; len >= STEP; at += STEP, len -= STEP) {
        uint64_t word;

        memcpy(&word, at, sizeof(word));
        sum = __builtin_ia32_crc32di(sum, word);
    }
    for (; len > 0; at++, len--) {
        sum = __builtin_ia32_crc32qi((uint32_t)sum, *at);
    }
    return ~(uint32_t)sum;
}
#endif

uint32_t crc32c(uint32_t crc, const void *at, size_t len)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("sse4.2")) {
        return crc32c_sse42(crc, at, len);
    }
#endif
    return crc32c_portable(crc, at, len);
}
