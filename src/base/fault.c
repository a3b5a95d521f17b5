/*
 * One fault point can be armed per process. It is parsed before any thread starts and only counted
 * down afterwards, so that the passage that strikes is exactly one, whichever thread makes it.
 */
#include "base/fault.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static struct {
    char name[64];
    bool fail; /* Else: kill. */
    atomic_long passages_left;
} armed;

bool fault_armed;

void fault_init(void)
{
    const char *text = getenv("WHOISD_FAULT");
    struct str rest, point, name;
    uint64_t count = 1;

    fault_armed = false;
    if (text == NULL || *text == '\0') {
        return;
    }
    rest = str_from(text);
    str_split(&rest, '=', &point);
    armed.fail = str_eq(rest, STR("fail"));
    if (!armed.fail && rest.at != NULL && !str_eq(rest, STR("kill"))) {
        log_warn(LOG_MAIN, "WHOISD_FAULT=%s ignored: kill or fail is allowed behind =", text);
        return;
    }
    rest = point;
    str_split(&rest, ':', &name);
    if (name.len == 0 || name.len >= sizeof(armed.name) ||
        (rest.at != NULL && (str_to_u64(rest, INT32_MAX, &count) != ERR_OK || count == 0))) {
        log_warn(LOG_MAIN, "WHOISD_FAULT=%s ignored: NAME[:COUNT][=kill|fail] is allowed", text);
        return;
    }
    memcpy(armed.name, name.at, name.len);
    armed.name[name.len] = '\0';
    atomic_store(&armed.passages_left, (long)count);
    fault_armed = true;
    log_warn(LOG_MAIN, "fault point %s armed: passage %ld will %s", armed.name, (long)count,
             armed.fail ? "fail" : "kill");
}

bool fault_passed(const char *name)
{
    if (strcmp(name, armed.name) != 0 || atomic_fetch_sub(&armed.passages_left, 1) != 1) {
        return false;
    }
    if (armed.fail) {
        log_warn(LOG_MAIN, "fault point %s fails", name);
        return true;
    }
    raise(SIGKILL);
    return false;
}
