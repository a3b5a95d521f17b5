/*
 * Folding: the one table by which values compare equal, as the reference's collation
 * (utf8mb4_general_ci) does: case-insensitive, accent-insensitive, blind to trailing blanks;
 * invalid UTF-8 bytes stand for themselves.
 */
#pragma once

#include "base/arena.h"
#include "base/str.h"

/**
 * Replace every character by its weight, drop blanks at the end. Folding twice changes nothing.
 * @return A slice of value when it is ASCII without lower-case letters, else a copy in the arena;
 * at == NULL when that is full.
 */
struct str rpsl_fold(struct str value, struct arena *arena);
/** 64-bit hash of a folded value; the same on every machine. */
uint64_t rpsl_hash(unsigned seed, struct str folded);
