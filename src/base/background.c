#include "base/background.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    NICENESS = 10,
    IDLE_US = 750 * 1000,
    PLAIN_US = 250 * 1000,
};

struct work {
    background_step *step;
    void *context;
    bool is_done;
};

void background_enter(void)
{
    /* Of this thread alone, on Linux. Without it the others wait for their turns a bit longer. */
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICENESS);
}

static void take_turn(struct work *work, int64_t us)
{
    const int64_t until_us = clock_mono_us() + us;

    while (!work->is_done && clock_mono_us() < until_us) {
        work->is_done = !work->step(work->context);
    }
}

static void *take_idle_turn(void *context)
{
    /* Without it this is one more turn of niceness 10. */
    (void)sched_setscheduler(gettid(), SCHED_IDLE, &(struct sched_param){0});
    take_turn(context, IDLE_US);
    return NULL;
}

void background_run(background_step *step, void *context)
{
    struct work work = {.step = step, .context = context};
    pthread_t idle;

    background_enter();
    while (!work.is_done) {
        if (pthread_create(&idle, NULL, take_idle_turn, &work) == 0) {
            pthread_setname_np(idle, "background");
            pthread_join(idle, NULL);
        }
        take_turn(&work, PLAIN_US);
    }
}
