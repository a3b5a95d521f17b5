/*
 * Memory that is looked at a little later, asked for before.
 *
 * Pieces of work that take turns note what they are going to look at in their next turn. Asking for
 * it one by one, where it is noted, is dear: a prefetch of a page whose translation the processor
 * does not have waits for that (some 100 ns in a virtual machine), and nothing else goes on. But
 * translations asked for one right after the other overlap. And asking for everything at once is
 * too much for the first cache. So at the start of a round the pages of all notes are asked for,
 * and during the round the bytes, a few turns ahead.
 *
 * Notes are per thread, and hints: nothing is read, notes in excess are dropped, and what was noted
 * may have been unmapped meanwhile.
 */
#pragma once

#include <stddef.h>

/** Bytes that the present piece of work looks at in its next turn. */
void ahead_note(const void *at, size_t bytes);
/** A round starts: those who have noted get their turns, in the order of their notes. */
void ahead_start_round(void);
/** The next turn of the round starts. */
void ahead_next_turn(void);
