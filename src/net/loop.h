/*
 * An event loop with its thread-safe door: the only places that know libev are src/net and main.c.
 * Everything here belongs to the loop's own thread unless it says "any thread".
 */
#pragma once

#include <ev.h>

#include "base/err.h"

struct loop;

/** A piece of work for a loop. Embedded in the caller's struct; owned by the caller, untouched between post and run. */
struct loop_job {
    void (*run)(struct loop_job *job);
    struct loop_job *next; /**< Private. */
};

/** @param name  For logs; copied. @return NULL when the system refuses. */
struct loop *loop_new(const char *name);
void loop_free(struct loop *loop);
/** Run until loop_stop(). Blocks the calling thread, which becomes the loop's thread. */
void loop_run(struct loop *loop);
/** Start a thread (name at most 15 bytes, all signals blocked) that runs the loop; loop_join() waits for its end. */
enum err loop_start_thread(struct loop *loop, struct why *why) MUST_CHECK;
void loop_join(struct loop *loop);
void loop_stop(struct loop *loop); /* Any thread. */
/** Have job->run called on the loop's thread, in order of posting. Any thread. A job is queued once until it ran. */
void loop_post(struct loop *loop, struct loop_job *job);
/** Wake the loop without work, so that its iteration hook runs. Any thread; many wakes become one. */
void loop_wake(struct loop *loop);
/** Call hook at the start of every iteration, before any event: query loops refresh their pin here. One hook. */
void loop_on_iteration(struct loop *loop, void (*hook)(void *context), void *context);
struct ev_loop *loop_ev(struct loop *loop);

/** A one-shot or repeating timer. Zero-initialise; stopping twice is fine. */
struct loop_timer {
    struct ev_timer ev; /**< Private. */
    struct loop *loop;
    void (*fire)(void *context);
    void *context;
};
void loop_timer_start(struct loop *loop, struct loop_timer *timer, double after_s, double repeat_s,
                      void (*fire)(void *context), void *context);
void loop_timer_stop(struct loop_timer *timer);
