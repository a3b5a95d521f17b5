/*
 * Pins: which versions of an index its readers may still look at.
 *
 * Each reader has a slot with the oldest version it uses. To pin, it stores the version number that
 * is published and only then loads the root pointer: the root it gets is that version or a newer
 * one, and the writer, which publishes first and reads the slots afterwards, either sees the pin or
 * has made the reader see the newer root.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#define PIN_NONE UINT32_MAX

/** One reader's pin; a cache line of its own. */
struct pin {
    _Alignas(64) _Atomic uint32_t oldest; /**< PIN_NONE: looks at nothing. */
    struct pin *next;
    int taken; /**< Under the mutex. */
};

struct pins {
    _Atomic(struct pin *) first; /**< Grows only; given back pins are taken again. */
    pthread_mutex_t mutex;
};

void pins_init(struct pins *pins);
void pins_fini(struct pins *pins);
struct pin *pins_take(struct pins *pins); /* Any thread. */
void pins_give_back(struct pins *pins, struct pin *pin);
/** @return The oldest version that is pinned, PIN_NONE when none is. */
uint32_t pins_oldest(const struct pins *pins);
