/*
 * MD5: blocks of 64 bytes through 64 steps.
 */
#include "base/md5.h"

#include <stdio.h>
#include <string.h>

/* The fractional parts of sines, times 2^32. */
static const uint32_t sines[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};
static const unsigned char turns[4][4] = {
    {7, 12, 17, 22},
    {5, 9,  14, 20},
    {4, 11, 16, 23},
    {6, 10, 15, 21}
};

static void add_block(uint32_t state[4], const unsigned char block[64])
{
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], words[16];

    for (size_t i = 0; i < 16; i++) {
        words[i] = (uint32_t)block[4 * i] | (uint32_t)block[4 * i + 1] << 8 |
                   (uint32_t)block[4 * i + 2] << 16 | (uint32_t)block[4 * i + 3] << 24;
    }
    for (size_t i = 0; i < 64; i++) {
        const size_t round = i / 16;
        const unsigned turn = turns[round][i % 4];
        uint32_t mix, sum;
        size_t word;

        if (round == 0) {
            mix = (b & c) | (~b & d);
            word = i;
        } else if (round == 1) {
            mix = (d & b) | (~d & c);
            word = (5 * i + 1) % 16;
        } else if (round == 2) {
            mix = b ^ c ^ d;
            word = (3 * i + 5) % 16;
        } else {
            mix = c ^ (b | ~d);
            word = 7 * i % 16;
        }
        sum = a + mix + sines[i] + words[word];
        a = d;
        d = c;
        c = b;
        b += sum << turn | sum >> (32 - turn);
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
}

void md5_begin(struct md5 *md5)
{
    *md5 = (struct md5){
        .state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}
    };
}

void md5_add(struct md5 *md5, const void *at, size_t len)
{
    const unsigned char *from = at;

    while (len > 0) {
        const size_t used = md5->bytes % 64, room = 64 - used, n = len < room ? len : room;

        memcpy(md5->block + used, from, n);
        md5->bytes += n;
        from += n;
        len -= n;
        if (md5->bytes % 64 == 0) {
            add_block(md5->state, md5->block);
        }
    }
}

void md5_end(struct md5 *md5, char hex[33])
{
    static const unsigned char padding[64] = {0x80};
    const uint64_t bits = md5->bytes * 8;
    unsigned char length[8];

    for (size_t i = 0; i < 8; i++) {
        length[i] = (unsigned char)(bits >> (8 * i));
    }
    md5_add(md5, padding, 1 + (64 + 55 - md5->bytes % 64) % 64);
    md5_add(md5, length, sizeof(length));
    for (size_t i = 0; i < 16; i++) {
        snprintf(hex + 2 * i, 3, "%02x", (unsigned)(md5->state[i / 4] >> (8 * (i % 4)) & 0xFF));
    }
}
