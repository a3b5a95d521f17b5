/*
 * Notes are a ring: of the present round, which are asked for in turn, then of the next one.
 */
#include "base/ahead.h"

#define CACHE_LINE  64
#define NOTES_MAX   256 /* A power of two. */
#define TURNS_AHEAD 4

struct note {
    const char *at;
    size_t bytes;
};

static _Thread_local struct {
    struct note ring[NOTES_MAX];
    unsigned next;      /* Whose bytes are asked for next; counts on, as the others. */
    unsigned round_end; /* Where the notes of the next round begin. */
    unsigned end;
} notes;

static const struct note *note_at(unsigned number)
{
    return &notes.ring[number % NOTES_MAX];
}

void ahead_note(const void *at, size_t bytes)
{
    if (notes.end - notes.next < NOTES_MAX) {
        notes.ring[notes.end++ % NOTES_MAX] = (struct note){at, bytes};
    }
}

void ahead_start_round(void)
{
    notes.next = notes.round_end;
    notes.round_end = notes.end;
    for (unsigned i = notes.next; i != notes.round_end; i++) {
        __builtin_prefetch(note_at(i)->at);
    }
    for (unsigned i = 0; i < TURNS_AHEAD; i++) {
        ahead_next_turn();
    }
}

void ahead_next_turn(void)
{
    const struct note *note;

    if (notes.next == notes.round_end) {
        return;
    }
    note = note_at(notes.next++);
    for (size_t at = CACHE_LINE; at < note->bytes; at += CACHE_LINE) { /* The first line was. */
        __builtin_prefetch(note->at + at);
    }
}
