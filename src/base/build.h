/*
 * Which build of the program this is: a number that the linker derives from its contents. Two
 * programs with the same one have the same code and the same tables.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BUILD_ID_BYTES 20

/** @return false when the linker left none; out is then zeros. */
bool build_id(uint8_t out[static BUILD_ID_BYTES]);
