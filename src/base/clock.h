/*
 * Time comes in through a struct clock, so that a test can move it.
 */
#pragma once

#include <stdint.h>

struct clock {
    /** Milliseconds since 1970, UTC. */
    int64_t (*wall_ms)(const struct clock *clock);
    /** Milliseconds since some start; never goes back. */
    int64_t (*mono_ms)(const struct clock *clock);
};

extern const struct clock system_clock;

static inline int64_t clock_wall_ms(const struct clock *clock)
{
    return clock->wall_ms(clock);
}
static inline int64_t clock_mono_ms(const struct clock *clock)
{
    return clock->mono_ms(clock);
}
/** Monotonic microseconds, for slices and measurements; never faked. */
int64_t clock_mono_us(void);
