/*
 * Long work that can wait, done by a thread that makes room for those who answer.
 *
 * Niceness alone leaves a thread the smaller share of a processor, but the system still puts it on
 * one by itself and two busy threads on another. It does not so with a thread of SCHED_IDLE: that
 * one runs where nobody else wants to. But it gets next to nothing on a machine that is always
 * busy, and a thread may not leave SCHED_IDLE without privileges. So the work takes turns: most of
 * the time in a thread of SCHED_IDLE, made for the turn, then for a while in one of niceness 10.
 */
#pragma once

#include <stdbool.h>

/**
 * A small part of the work, at most a few milliseconds of it. Called by one thread at a time, not
 * always the same; a call sees what the ones before did. It may not wait for what the caller's
 * thread holds, and should not hold what those who answer wait for.
 * @return false: that was the last one.
 */
typedef bool background_step(void *context);

/** Niceness 10 for the rest of this thread's life, and that of threads it makes. */
void background_enter(void);
/** Enter, and do step after step in turns until one was the last. */
void background_run(background_step *step, void *context);
