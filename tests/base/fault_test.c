/*
 * Fault points: armed by the environment, striking once.
 */
#include "base/fault.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>

#include "base/log.h"

static void arm(const char *text)
{
    log_set_level(LOG_ERROR);
    setenv("WHOISD_FAULT", text, 1);
    fault_init();
}

Test(fault, nothing_is_armed_without_the_environment)
{
    unsetenv("WHOISD_FAULT");
    fault_init();
    cr_expect_not(fault_armed);
    cr_expect_not(fault_point("commit"));
}

Test(fault, fails_at_the_counted_passage_and_once)
{
    arm("commit:3=fail");
    cr_expect_not(fault_point("commit"));
    cr_expect_not(fault_point("publish"));
    cr_expect_not(fault_point("commit"));
    cr_expect(fault_point("commit"));
    cr_expect_not(fault_point("commit"));
}

Test(fault, count_is_one_by_default)
{
    arm("commit=fail");
    cr_expect(fault_point("commit"));
}

Test(fault, kills_by_default, .signal = SIGKILL)
{
    arm("commit:2");
    fault_point("commit");
    fault_point("commit");
}

Test(fault, bad_texts_arm_nothing)
{
    static const char *const texts[] = {"",         "=fail",     "commit=explode", "commit:=fail",
                                        "commit:0", "commit:-1", "commit:x",       ":1"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        arm(texts[i]);
        cr_expect_not(fault_armed, "%s", texts[i]);
    }
}
