/*
 * The system's clocks behind struct clock.
 */
#include "base/clock.h"

#include <time.h>

static int64_t read_us(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t system_wall_ms(const struct clock *clock)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

static int64_t system_mono_ms(const struct clock *clock)
{
    return read_us(CLOCK_MONOTONIC) / 1000;
}

const struct clock system_clock = {.wall_ms = system_wall_ms, .mono_ms = system_mono_ms};

int64_t clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}
