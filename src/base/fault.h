/*
 * Named fault points: places where a test wants the process to die or an operation to fail.
 * Armed by the environment, WHOISD_FAULT="NAME[:COUNT][=kill|fail]": the COUNTth passage (default
 * 1) raises SIGKILL ("kill", the default) or makes fault_point() return true ("fail", for the
 * caller to turn into an error). Unarmed, a point costs one predictable branch.
 */
#pragma once

#include <stdbool.h>

/** Read the environment; before any thread starts. Logs a WARN when something is armed. */
void fault_init(void);
extern bool fault_armed;             /* Private. */
bool fault_passed(const char *name); /* Private. */

static inline bool fault_point(const char *name)
{
    return __builtin_expect(fault_armed, 0) && fault_passed(name);
}
