/*
 * The slice of a thread: how long it asks to run at a time. Where more threads want to run than
 * there are processors, Linux (EEVDF, from 6.12 on) takes the one whose deadline is nearest, and
 * that is a slice away: who asks for a short one gets a processor soon after it wakes. The shares
 * of the processors stay what they are.
 */
#pragma once

#include <stdbool.h>

/**
 * Ask for a slice for the calling thread; threads that it makes have the system's, some 3 ms.
 * @param us  Microseconds, 100 to 100,000.
 * @return false, changing nothing: the system knows no slices or does not allow it, or the thread
 * is none of those that share (SCHED_IDLE, real time).
 */
bool slice_ask(unsigned us);
