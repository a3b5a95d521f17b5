/*
 * Jobs of a pool: there and back, refused, taken back, and left over at the end.
 */
#include "net/pool.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

static struct loop *loop;
static struct pool *pool;

static void setup(void)
{
    struct why why;

    loop = loop_new("test");
    cr_assert_eq(loop_start_thread(loop, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(pool_new("test-pool", 1, 2, &pool, &why), ERR_OK, "%s", why.text);
}

static void end_loop(void)
{
    loop_stop(loop);
    loop_join(loop);
}

static void teardown(void)
{
    end_loop();
    pool_free(pool);
    loop_free(loop);
}

TestSuite(pool, .init = setup, .fini = teardown, .timeout = 30);

/* A job that says where it is and waits to be let on. */
struct slow_job {
    struct pool_job job;
    sem_t began, may_end, came_back;
    pthread_t ran_on, done_on;
    atomic_int runs, dones;
};

static void run(struct pool_job *job)
{
    struct slow_job *slow = (struct slow_job *)job;

    slow->ran_on = pthread_self();
    atomic_fetch_add(&slow->runs, 1);
    sem_post(&slow->began);
    sem_wait(&slow->may_end);
}

static void done(struct pool_job *job)
{
    struct slow_job *slow = (struct slow_job *)job;

    slow->done_on = pthread_self();
    atomic_fetch_add(&slow->dones, 1);
    sem_post(&slow->came_back);
}

static void slow_init(struct slow_job *slow)
{
    *slow = (struct slow_job){
        .job = {.run = run, .done = done}
    };
    sem_init(&slow->began, 0, 0);
    sem_init(&slow->may_end, 0, 0);
    sem_init(&slow->came_back, 0, 0);
}

Test(pool, runs_a_job_elsewhere_and_gives_it_back_on_the_loop)
{
    struct slow_job slow;

    slow_init(&slow);
    cr_assert(pool_submit(pool, loop, &slow.job));
    sem_post(&slow.may_end);
    sem_wait(&slow.came_back);
    cr_expect_not(pthread_equal(slow.ran_on, pthread_self()));
    cr_expect_not(pthread_equal(slow.ran_on, slow.done_on), "done() belongs to the loop");
}

Test(pool, refuses_what_does_not_fit_its_queue)
{
    struct slow_job slow[4];

    for (int i = 0; i < 4; i++) {
        slow_init(&slow[i]);
    }
    cr_assert(pool_submit(pool, loop, &slow[0].job));
    sem_wait(&slow[0].began);
    cr_expect(pool_submit(pool, loop, &slow[1].job));
    cr_expect(pool_submit(pool, loop, &slow[2].job));
    cr_expect_not(pool_submit(pool, loop, &slow[3].job));
    for (int i = 0; i < 3; i++) {
        sem_post(&slow[i].may_end);
        sem_wait(&slow[i].came_back);
    }
    cr_expect_eq(slow[3].runs + slow[3].dones, 0);
}

Test(pool, takes_back_what_has_not_begun)
{
    struct slow_job slow[3];

    for (int i = 0; i < 3; i++) {
        slow_init(&slow[i]);
        cr_assert(pool_submit(pool, loop, &slow[i].job));
        if (i == 0) {
            sem_wait(&slow[0].began);
        }
    }
    cr_expect(pool_cancel(&slow[1].job));
    cr_expect_not(pool_cancel(&slow[0].job), "it has begun");
    sem_post(&slow[0].may_end);
    sem_post(&slow[2].may_end);
    sem_wait(&slow[0].came_back);
    sem_wait(&slow[2].came_back);
    cr_expect_eq(slow[1].runs + slow[1].dones, 0);
}

Test(pool, ends_the_running_job_and_hands_over_the_rest)
{
    struct slow_job slow[2];

    for (int i = 0; i < 2; i++) {
        slow_init(&slow[i]);
        cr_assert(pool_submit(pool, loop, &slow[i].job));
    }
    sem_wait(&slow[0].began);
    end_loop();
    sem_post(&slow[0].may_end);
    sem_post(&slow[1].may_end);
    pool_free(pool);
    pool = NULL;
    cr_expect_eq(slow[0].dones, 1);
    cr_expect_eq(slow[1].dones, 1, "the caller's memory comes back");
}
