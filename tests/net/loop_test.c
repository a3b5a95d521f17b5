/*
 * The loop's door for other threads, its hook and its timers.
 */
#include "net/loop.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"

#define POSTERS         4
#define JOBS_PER_POSTER 5000

static struct loop *loop;

static void make_loop(void)
{
    loop = loop_new("test");
    cr_assert_not_null(loop);
}

static void free_loop(void)
{
    loop_free(loop);
}

TestSuite(loop, .init = make_loop, .fini = free_loop, .timeout = 30);

struct counted_job {
    struct loop_job job;
    int poster, number;
};

static int next_number[POSTERS]; /* Of the loop's thread. */
static int out_of_order, run_count;

static void count_job(struct loop_job *job)
{
    struct counted_job *counted = (struct counted_job *)job;

    out_of_order += counted->number != next_number[counted->poster];
    next_number[counted->poster] = counted->number + 1;
    run_count++;
    free(counted);
}

static void *post_jobs(void *argument)
{
    for (int i = 0; i < JOBS_PER_POSTER; i++) {
        struct counted_job *counted = calloc(1, sizeof(*counted));

        counted->job.run = count_job;
        counted->poster = *(int *)argument;
        counted->number = i;
        loop_post(loop, &counted->job);
    }
    return NULL;
}

Test(loop, runs_jobs_of_other_threads_in_order_of_posting)
{
    pthread_t threads[POSTERS];
    int numbers[POSTERS];
    struct why why;

    cr_assert_eq(loop_start_thread(loop, &why), ERR_OK);
    for (int i = 0; i < POSTERS; i++) {
        numbers[i] = i;
        pthread_create(&threads[i], NULL, post_jobs, &numbers[i]);
    }
    for (int i = 0; i < POSTERS; i++) {
        pthread_join(threads[i], NULL);
    }
    loop_stop(loop); /* What was posted before still runs. */
    loop_join(loop);
    cr_expect_eq(run_count, POSTERS * JOBS_PER_POSTER);
    cr_expect_eq(out_of_order, 0);
}

static struct loop_job jobs[4];
static char order[16];

static void note_job(struct loop_job *job)
{
    order[strlen(order)] = (char)('a' + (job - jobs));
}

static void post_first_again(struct loop_job *job)
{
    note_job(job);
    if (strlen(order) < 6) {
        loop_post(loop, job);
    } else {
        loop_stop(loop);
    }
}

static void unpost_third(struct loop_job *job)
{
    note_job(job);
    loop_unpost(loop, &jobs[2]);
}

Test(loop, queues_a_job_once)
{
    jobs[0].run = jobs[1].run = note_job;
    loop_post(loop, &jobs[0]);
    loop_post(loop, &jobs[1]);
    loop_post(loop, &jobs[0]);
    loop_stop(loop);
    loop_run(loop);
    cr_expect_str_eq(order, "ab");
}

Test(loop, job_that_posts_itself_lets_others_run)
{
    jobs[0].run = post_first_again;
    jobs[1].run = note_job;
    loop_post(loop, &jobs[0]);
    loop_post(loop, &jobs[1]);
    loop_run(loop);
    cr_expect_str_eq(order, "abaaaa");
}

Test(loop, unposted_job_does_not_run)
{
    jobs[0].run = note_job;
    jobs[1].run = unpost_third;
    jobs[2].run = jobs[3].run = note_job;
    for (int i = 0; i < 4; i++) {
        loop_post(loop, &jobs[i]);
    }
    loop_unpost(loop, &jobs[3]); /* The last one: the next is queued behind the third. */
    loop_post(loop, &jobs[3]);
    loop_unpost(loop, &jobs[0]);
    loop_unpost(loop, &jobs[0]);
    loop_stop(loop);
    loop_run(loop);
    cr_expect_str_eq(order, "bd");
}

static atomic_int hook_calls;
static sem_t hook_called;

static void count_hook(void *context)
{
    hook_calls++;
    sem_post(context);
}

Test(loop, wake_runs_the_hook)
{
    struct why why;

    sem_init(&hook_called, 0, 0);
    loop_on_iteration(loop, count_hook, &hook_called);
    cr_assert_eq(loop_start_thread(loop, &why), ERR_OK);
    loop_wake(loop);
    sem_wait(&hook_called);
    cr_expect_geq(hook_calls, 1);
    loop_stop(loop);
    loop_join(loop);
}

static void note_hook(void *context)
{
    order[strlen(order)] = 'h';
}

static void stop_job(struct loop_job *job)
{
    note_job(job);
    loop_stop(loop);
}

Test(loop, hook_comes_before_the_events_of_an_iteration)
{
    jobs[0].run = stop_job;
    loop_on_iteration(loop, note_hook, NULL);
    loop_post(loop, &jobs[0]);
    loop_run(loop);
    cr_expect(strncmp(order, "ha", 2) == 0, "%s", order);
}

static void note_and_stop_after_three(void *context)
{
    if (strlen(order) < 3) {
        order[strlen(order)] = 't';
    } else {
        loop_stop(loop); /* It stops a bit later: there may be one more. */
    }
}

static void stop_loop(void *context)
{
    loop_stop(loop);
}

Test(loop, timer_repeats_until_it_is_stopped)
{
    struct loop_timer timer = {0}, end = {0};

    loop_timer_stop(&timer); /* Never started: nothing happens. */
    loop_timer_start(loop, &timer, 0.01, 0.01, note_and_stop_after_three, NULL);
    loop_run(loop);
    loop_timer_stop(&timer);
    loop_timer_stop(&timer);
    cr_expect_str_eq(order, "ttt");

    loop_free(loop);
    make_loop();
    loop_timer_start(loop, &end, 0.05, 0, stop_loop, NULL);
    loop_run(loop);
    cr_expect_str_eq(order, "ttt");
}

Test(loop, timer_fires_once_and_not_too_early)
{
    struct loop_timer timer = {0};
    int64_t started = clock_mono_us();

    loop_timer_start(loop, &timer, 10, 0, stop_loop, NULL);
    loop_timer_start(loop, &timer, 0.1, 0, stop_loop, NULL); /* Restarts. */
    loop_run(loop);
    cr_expect_geq(clock_mono_us() - started, 90000);
    cr_expect_lt(clock_mono_us() - started, 5000000);
}
