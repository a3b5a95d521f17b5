/*
 * Work in turns. Each test is a process of its own, whose priority it may lower.
 */
#include "base/background.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <sys/resource.h>

struct seen {
    int steps, steps_of[SCHED_IDLE + 1]; /* By policy. */
    int turns;
    int policy, least_niceness;
};

/* Until both kinds of turns were seen twice. */
static bool look(void *context)
{
    struct seen *seen = context;
    const int policy = sched_getscheduler(0), niceness = getpriority(PRIO_PROCESS, 0);

    cr_assert(policy == SCHED_OTHER || policy == SCHED_IDLE);
    seen->steps++;
    seen->steps_of[policy]++;
    seen->turns += policy != seen->policy;
    seen->policy = policy;
    seen->least_niceness = niceness < seen->least_niceness ? niceness : seen->least_niceness;
    return seen->turns < 4;
}

Test(background, takes_turns)
{
    struct seen seen = {.policy = SCHED_OTHER, .least_niceness = 19};

    background_run(look, &seen);
    cr_expect_eq(seen.turns, 4);
    cr_expect_eq(seen.least_niceness, 10);
    cr_expect_gt(seen.steps_of[SCHED_IDLE], 0);
    cr_expect_gt(seen.steps_of[SCHED_OTHER], 0);
    cr_expect_eq(sched_getscheduler(0), SCHED_OTHER, "the caller stays what it was");
}

static bool count(void *context)
{
    return ++*(int *)context < 1000;
}

Test(background, ends_with_the_last_step)
{
    int steps = 0;

    background_run(count, &steps);
    cr_expect_eq(steps, 1000);
}

Test(background, enters_for_good)
{
    background_enter();
    cr_expect_eq(getpriority(PRIO_PROCESS, 0), 10);
    cr_expect_eq(sched_getscheduler(0), SCHED_OTHER);
}
