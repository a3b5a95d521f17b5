#include "base/slice.h"

#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/** sched_setattr(2), its first version; not every C library declares it. */
struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};
_Static_assert(sizeof(struct attributes) == 48, "as in the manual");

#define RESET_ON_FORK 1 /* SCHED_FLAG_RESET_ON_FORK */

static bool get(struct attributes *attributes)
{
    return syscall(SYS_sched_getattr, 0, attributes, sizeof(*attributes), 0) == 0;
}

bool slice_ask(unsigned us)
{
    const uint64_t wanted_ns = UINT64_C(1000) * us;
    struct attributes attributes = {0};

    if (!get(&attributes) || attributes.runtime_ns == 0 || attributes.policy != SCHED_OTHER) {
        return false;
    }
    attributes.size = sizeof(attributes);
    attributes.flags |= RESET_ON_FORK;
    attributes.runtime_ns = wanted_ns;
    return syscall(SYS_sched_setattr, 0, &attributes, 0) == 0 && get(&attributes) &&
           attributes.runtime_ns == wanted_ns;
}
