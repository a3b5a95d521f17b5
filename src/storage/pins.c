/*
 * The list of pins: taken and given back under a mutex, which happens when threads start and stop;
 * read by the writer without one.
 */
#include "storage/pins.h"

#include <assert.h>
#include <stdlib.h>

void pins_init(struct pins *pins)
{
    atomic_init(&pins->first, NULL);
    pthread_mutex_init(&pins->mutex, NULL);
}

void pins_fini(struct pins *pins)
{
    struct pin *pin = atomic_load(&pins->first);

    while (pin != NULL) {
        struct pin *next = pin->next;

        assert(!pin->taken);
        free(pin);
        pin = next;
    }
    pthread_mutex_destroy(&pins->mutex);
}

struct pin *pins_take(struct pins *pins)
{
    struct pin *pin;

    pthread_mutex_lock(&pins->mutex);
    for (pin = atomic_load(&pins->first); pin != NULL && pin->taken; pin = pin->next) {
    }
    if (pin == NULL) {
        pin = aligned_alloc(_Alignof(struct pin), sizeof(*pin));
        if (pin == NULL) {
            abort();
        }
        atomic_init(&pin->oldest, PIN_NONE);
        pin->next = atomic_load(&pins->first);
        atomic_store(&pins->first, pin);
    }
    pin->taken = 1;
    pthread_mutex_unlock(&pins->mutex);
    return pin;
}

void pins_give_back(struct pins *pins, struct pin *pin)
{
    pthread_mutex_lock(&pins->mutex);
    atomic_store(&pin->oldest, PIN_NONE);
    pin->taken = 0;
    pthread_mutex_unlock(&pins->mutex);
}

uint32_t pins_oldest(const struct pins *pins)
{
    uint32_t oldest = PIN_NONE;

    for (const struct pin *pin = atomic_load(&pins->first); pin != NULL; pin = pin->next) {
        uint32_t version = atomic_load(&pin->oldest);

        if (version < oldest) {
            oldest = version;
        }
    }
    return oldest;
}
