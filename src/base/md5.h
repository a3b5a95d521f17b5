/*
 * MD5 (RFC 1321), as registries publish it beside their files: finds what went wrong on the way; no
 * protection against intent.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct md5 {
    uint32_t state[4];
    uint64_t bytes;
    unsigned char block[64]; /**< Its first bytes % 64 wait. */
};
void md5_begin(struct md5 *md5);
void md5_add(struct md5 *md5, const void *at, size_t len);
/** @param hex  32 small digits and a NUL. */
void md5_end(struct md5 *md5, char hex[33]);
