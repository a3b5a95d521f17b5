/*
 * What a fuzz target defines. libFuzzer calls it with inputs of its own making, replay.c with the
 * files of tests/fuzz/seeds/NAME/. It returns 0 and calls abort() when a promise of the tested
 * header is broken.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
