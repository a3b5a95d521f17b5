/*
 * Named fault points: places where a test wants the process to die or an operation to fail.
 * Armed by the environment, WHOISD_FAULT="NAME[:COUNT][=kill|fail]": the COUNTth passage (default 1) raises SIGKILL
 * ("kill", the default) or makes fault_point() return true ("fail", for the caller to turn into an error).
 * Unarmed, a point costs one predictable branch. fault_init() logs a WARN when something is armed.
 */
#pragma once

#include <stdbool.h>

void fault_init(void);
extern bool fault_armed;
bool fault_passed(const char *name);

static inline bool fault_point(const char *name)
{
    return __builtin_expect(fault_armed, 0) && fault_passed(name);
}
