/*
 * Eight bytes at a time: multiplied to spread a bit upwards, folded to bring it down again.
 */
#include "storage/checksum.h"

#include "storage/bytes.h"

#define FACTOR UINT64_C(0x9E3779B97F4A7C15)

static uint64_t mix(uint64_t sum, uint64_t word)
{
    sum = (sum ^ word) * FACTOR;
    return sum ^ sum >> 32;
}

uint64_t text_checksum(struct str text)
{
    uint64_t sum = text.len;
    uint8_t rest[8] = {0};
    size_t at = 0;

    for (; text.len - at >= 8; at += 8) {
        sum = mix(sum, load64((const uint8_t *)text.at + at));
    }
    if (at < text.len) {
        memcpy(rest, text.at + at, text.len - at);
        sum = mix(sum, load64(rest));
    }
    return mix(mix(sum, FACTOR), FACTOR);
}
