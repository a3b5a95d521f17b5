/*
 * A few threads for work that blocks, such as SQL, behind a queue with an end. A loop hands a job
 * in and gets it back, done, as one of its events: it never waits.
 *
 * A job sees nothing but itself while it runs: whoever handed it in may be gone by then, and tells
 * done() so by what it left in the job.
 */
#pragma once

#include "net/loop.h"

struct pool;

/** A piece of work. Embedded in the caller's struct, which lives until done(); zero-initialise. */
struct pool_job {
    void (*run)(struct pool_job *job);  /**< On a thread of the pool; may block. */
    void (*done)(struct pool_job *job); /**< On the loop, once; may free the job. */
    struct pool *pool;                  /**< Private, like what follows. */
    struct loop *loop;
    struct loop_job back;
    struct pool_job *queue_next;
    struct pool_job *next, **link;
    bool is_queued;
};

/**
 * @param name       Of the threads; 15 bytes count.
 * @param queue_max  Jobs that may wait for a thread.
 * @return ERR_OK; ERR_IO when the system refuses a thread.
 */
enum err pool_new(const char *name, size_t threads, size_t queue_max, struct pool **out,
                  struct why *why) MUST_CHECK;
/**
 * Wait for the jobs that run, then give all that did not come back yet to their done(), from here:
 * their loops must not run any more. NULL is fine.
 */
void pool_free(struct pool *pool);

/** Hand a job in, from its loop's thread. @return false when too many wait: nothing happens then.
 */
bool pool_submit(struct pool *pool, struct loop *loop, struct pool_job *job) MUST_CHECK;
/**
 * Take a job back that nobody needs any more, from its loop's thread.
 * @return true when it had not begun: it is the caller's again, and done() does not come.
 */
bool pool_cancel(struct pool_job *job);
