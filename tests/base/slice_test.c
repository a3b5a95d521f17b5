#include "base/slice.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLICE_US 500

/** Of the calling thread, in ns; 0 where the system tells none. */
static uint64_t slice_ns(void)
{
    uint64_t attributes[6] = {0}; /* The fourth is sched_runtime. */

    cr_assert_eq(syscall(SYS_sched_getattr, 0, attributes, sizeof(attributes), 0), 0);
    return attributes[3];
}

static void *read_slice(void *out)
{
    *(uint64_t *)out = slice_ns();
    return NULL;
}

static void *ask(void *context)
{
    const uint64_t before = slice_ns();
    uint64_t of_child;
    pthread_t child;

    cr_assert_eq(setpriority(PRIO_PROCESS, (id_t)gettid(), 3), 0);
    cr_expect_eq(slice_ask(SLICE_US), before != 0);
    cr_expect_eq(slice_ns(), before != 0 ? SLICE_US * 1000 : 0);
    cr_expect_eq(getpriority(PRIO_PROCESS, (id_t)gettid()), 3, "niceness stays");
    cr_assert_eq(pthread_create(&child, NULL, read_slice, &of_child), 0);
    pthread_join(child, NULL);
    cr_expect_eq(of_child, before);
    return NULL;
}

static void *ask_idle(void *context)
{
    cr_assert_eq(sched_setscheduler(gettid(), SCHED_IDLE, &(struct sched_param){0}), 0);
    cr_expect_not(slice_ask(SLICE_US));
    cr_expect_eq(sched_getscheduler(gettid()), SCHED_IDLE);
    return NULL;
}

static void run(void *(*task)(void *context))
{
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, task, NULL), 0);
    pthread_join(thread, NULL);
}

Test(base_slice, is_the_threads_own)
{
    run(ask);
}

Test(base_slice, an_idle_thread_stays_idle)
{
    run(ask_idle);
}
