/*
 * CRC-32C (Castagnoli), as processors compute it: a check of what is read back from a file. Finds
 * every error of up to 32 bits in a row; no protection against intent.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/** @param crc  Of what comes before; 0 at the start. @return The CRC with these bytes behind it. */
uint32_t crc32c(uint32_t crc, const void *at, size_t len);
/** The same without the processor's help; for tests. */
uint32_t crc32c_portable(uint32_t crc, const void *at, size_t len);
