/*
 * The system's clock, and one that a test moves.
 */
#include "base/clock.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

struct test_clock {
    struct clock clock; /* First: the functions get a pointer to it. */
    int64_t now_ms;
};

static int64_t test_now_ms(const struct clock *clock)
{
    return ((const struct test_clock *)clock)->now_ms;
}

Test(clock, system_clock_tells_the_time)
{
    int64_t mono = clock_mono_ms(&system_clock), us = clock_mono_us();

    cr_expect_leq(llabs(clock_wall_ms(&system_clock) / 1000 - time(NULL)), 1);
    cr_expect_geq(clock_mono_ms(&system_clock), mono);
    cr_expect_geq(clock_mono_us(), us);
    cr_expect_leq(llabs(us / 1000 - mono), 1000);
}

Test(clock, test_moves_its_own)
{
    struct test_clock fake = {
        {test_now_ms, test_now_ms},
        5000
    };

    cr_expect_eq(clock_wall_ms(&fake.clock), 5000);
    fake.now_ms += 60000;
    cr_expect_eq(clock_mono_ms(&fake.clock), 65000);
}
