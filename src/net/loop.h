/*
 * An event loop with its thread-safe door: the only places that know libev are src/net and
 * daemon.c. Everything here belongs to the loop's own thread unless it says "any thread".
 */
#pragma once

#include <ev.h>
#include <stdbool.h>

#include "base/err.h"

struct loop;

/**
 * A piece of work for a loop. Embedded in the caller's struct and zero-initialised; owned by the
 * caller, untouched between post and run. run() may post it again, or free it.
 */
struct loop_job {
    void (*run)(struct loop_job *job);
    struct loop_job *next; /**< Private. */
    bool is_queued;        /**< Private. */
};

/** @param name  Of the thread; 15 bytes count. @return NULL when the system refuses. */
struct loop *loop_new(const char *name);
/** Closes its open connections, forgets posted jobs that did not run. NULL is fine. */
void loop_free(struct loop *loop);
/** Run until loop_stop(). Blocks the calling thread, which becomes the loop's thread. */
void loop_run(struct loop *loop);
/** For the thread that loop_start_thread() makes: the slice it asks for (base/slice.h), in
 * microseconds. */
void loop_set_slice(struct loop *loop, unsigned us);
/** Start a thread (all signals blocked) that runs the loop; loop_join() waits for its end. */
enum err loop_start_thread(struct loop *loop, struct why *why) MUST_CHECK;
void loop_join(struct loop *loop);
/** Any thread. What was posted before still runs. */
void loop_stop(struct loop *loop);
/** Any thread. Have job->run called on the loop's thread, in order; queued once until it ran. */
void loop_post(struct loop *loop, struct loop_job *job);
/** Take a posted job back, so that it will not run; fine when it is not queued. */
void loop_unpost(struct loop *loop, struct loop_job *job);
/** Any thread. Wake the loop so that its iteration hook runs; many wakes become one. */
void loop_wake(struct loop *loop);
/** One hook: called at the start of every iteration, before any event (to refresh a pin). */
void loop_on_iteration(struct loop *loop, void (*hook)(void *context), void *context);
struct ev_loop *loop_ev(struct loop *loop);

/** A timer. Zero-initialise; stopping twice is fine, starting again restarts. */
struct loop_timer {
    struct ev_timer ev; /**< Private. */
    struct loop *loop;  /**< Private; NULL while never started. */
    void (*fire)(void *context);
    void *context;
};

/** @param repeat_s  0: fire once. */
void loop_timer_start(struct loop *loop, struct loop_timer *timer, double after_s, double repeat_s,
                      void (*fire)(void *context), void *context);
void loop_timer_stop(struct loop_timer *timer);
