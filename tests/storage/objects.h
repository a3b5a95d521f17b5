/*
 * What the storage tests share: reproducible random numbers and objects, and putting texts into an
 * index.
 */
#pragma once

#include "storage/index.h"

/** The next number of a sequence, below a bound. */
uint32_t draw(uint64_t *seed, uint32_t below);
/**
 * A small random object of one of eight classes; few distinct keys and values, so that they repeat.
 * @return In the arena.
 */
struct str random_object(uint64_t *seed, struct arena *arena);
/** Parse a text that must be good; aborts the program else. */
void parse_good(struct str text, struct arena *arena, struct rpsl_object *object,
                struct rpsl_key *key);
/** index_put() of a text, with sequence 1. */
enum err put_text(struct index *index, uint32_t id, struct str text,
                  struct arena *arena) MUST_CHECK;
