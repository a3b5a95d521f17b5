/*
 * When dumps are taken.
 */
#include "mirror/schedule.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>
#include <time.h>

enum { MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS, DAY_S = 24 * 60 * 60 };
#define NOON INT64_C(1600000000) /* 2020-09-13 12:26:40 UTC */

struct situation {
    char name[60];
    struct schedule_view view;
    enum refresh_kind due;
};

ParameterizedTestParameters(schedule, knows_what_is_due)
{
    // clang-format off
    static struct situation situations[] = {
        {"nothing is configured", {.is_empty = true, .audit_minute = -1}, REFRESH_NONE},
        {"an empty source", {.has_dump = true, .is_empty = true, .audit_minute = -1}, REFRESH_FIRST},
        {"a source that is not open", {.has_dump = true, .audit_minute = -1}, REFRESH_NONE},
        {"a stream that goes on",
         {.has_dump = true, .has_stream = true, .is_ready = true, .is_streaming = true,
          .audit_minute = -1}, REFRESH_NONE},
        {"a long backlog",
         {.has_dump = true, .has_serial = true, .has_stream = true, .is_ready = true,
          .may_heal = true, .is_far = true, .audit_minute = -1}, REFRESH_FAR},
        {"a long backlog without a serial file",
         {.has_dump = true, .has_stream = true, .is_ready = true, .may_heal = true, .is_far = true,
          .audit_minute = -1}, REFRESH_NONE},
        {"a lost mirror",
         {.has_dump = true, .has_stream = true, .is_ready = true, .may_heal = true, .is_lost = true,
          .audit_minute = -1}, REFRESH_LOST},
        {"a lost mirror that must not heal itself",
         {.has_dump = true, .has_stream = true, .is_ready = true, .is_lost = true,
          .audit_minute = -1}, REFRESH_NONE},
        {"a mirror without NRTM",
         {.has_dump = true, .is_ready = true, .refresh_s = 60, .audit_minute = -1}, REFRESH_DUMP},
        {"the main source", {.has_dump = true, .is_ready = true, .audit_minute = -1}, REFRESH_NONE},
    };
    // clang-format on
    return cr_make_param_array(struct situation, situations,
                               sizeof(situations) / sizeof(situations[0]));
}

ParameterizedTest(struct situation *s, schedule, knows_what_is_due)
{
    struct schedule schedule = {0};

    cr_expect_eq(schedule_due(&schedule, &s->view, HOUR_MS, NOON), s->due, "%s", s->name);
}

static const struct schedule_view lost = {.has_dump = true,
                                          .has_stream = true,
                                          .is_ready = true,
                                          .may_heal = true,
                                          .is_lost = true,
                                          .audit_minute = -1};

Test(schedule, tries_for_ever_what_cannot_be_had_ever_more_slowly)
{
    struct schedule schedule = {0};
    int64_t now = HOUR_MS, last = 0;

    for (int i = 0; i < 20; i++) {
        cr_assert_eq(schedule_due(&schedule, &lost, now, NOON), REFRESH_LOST, "attempt %d", i);
        schedule_done(&schedule, REFRESH_LOST, true, now);
        cr_expect_eq(schedule_due(&schedule, &lost, schedule.retry_ms - 1, NOON), REFRESH_NONE);
        cr_expect_geq(schedule.retry_ms - now, last);
        cr_expect_leq(schedule.retry_ms - now, 6 * HOUR_MS);
        last = schedule.retry_ms - now;
        now = schedule.retry_ms;
    }
    cr_expect_eq(last, 6 * HOUR_MS);
}

Test(schedule, tries_a_dump_in_place_of_a_backlog_once_in_six_hours)
{
    const struct schedule_view far = {.has_dump = true,
                                      .has_serial = true,
                                      .has_stream = true,
                                      .is_ready = true,
                                      .may_heal = true,
                                      .is_far = true,
                                      .audit_minute = -1};
    struct schedule schedule = {0};

    for (int has_failed = 0; has_failed < 2; has_failed++) {
        int64_t now = HOUR_MS * (1 + 7 * has_failed);

        cr_expect_eq(schedule_due(&schedule, &far, now, NOON), REFRESH_FAR);
        schedule_done(&schedule, REFRESH_FAR, has_failed, now);
        cr_expect_eq(schedule_due(&schedule, &far, now + 5 * HOUR_MS, NOON), REFRESH_NONE);
        cr_expect_eq(schedule_due(&schedule, &lost, now + 1, NOON), REFRESH_LOST,
                     "what is lost need not wait for it");
    }
}

Test(schedule, does_not_let_an_empty_source_wait_for_more_than_an_hour)
{
    const struct schedule_view empty = {.has_dump = true, .is_empty = true, .audit_minute = -1};
    struct schedule schedule = {0};

    for (int i = 0; i < 20; i++) {
        schedule_done(&schedule, REFRESH_FIRST, true, 0);
    }
    cr_expect_eq(schedule_due(&schedule, &empty, HOUR_MS, NOON), REFRESH_FIRST);
}

Test(schedule, leaves_the_third_reload_that_does_not_help_to_the_operator)
{
    struct schedule schedule = {0};
    int64_t now = HOUR_MS;

    for (int i = 0; i < 2; i++) {
        cr_assert_eq(schedule_due(&schedule, &lost, now, NOON), REFRESH_LOST);
        schedule_done(&schedule, REFRESH_LOST, false, now);
        cr_expect_eq(schedule_due(&schedule, &lost, now + 6 * HOUR_MS - 1, NOON), REFRESH_NONE,
                     "one in six hours");
        now += 6 * HOUR_MS;
    }
    cr_expect_eq(schedule_due(&schedule, &lost, now + 100 * (int64_t)HOUR_MS, NOON), REFRESH_NONE);
    schedule_by_hand(&schedule, now);
    cr_expect_eq(schedule_due(&schedule, &lost, now, NOON), REFRESH_LOST, "on again");
}

Test(schedule, forgets_reloads_that_helped)
{
    const struct schedule_view streaming = {.has_dump = true,
                                            .has_stream = true,
                                            .is_ready = true,
                                            .is_streaming = true,
                                            .audit_minute = -1};
    struct schedule schedule = {0};
    int64_t now = HOUR_MS;

    for (int i = 0; i < 10; i++) {
        cr_assert_eq(schedule_due(&schedule, &lost, now, NOON), REFRESH_LOST);
        schedule_done(&schedule, REFRESH_LOST, false, now);
        cr_expect_eq(schedule_due(&schedule, &streaming, now + 1, NOON), REFRESH_NONE);
        now += 6 * HOUR_MS;
    }
}

Test(schedule, takes_a_dump_at_every_interval_where_there_is_no_stream)
{
    const struct schedule_view view = {
        .has_dump = true, .is_ready = true, .refresh_s = 3600, .audit_minute = -1};
    struct schedule schedule = {0};

    schedule_done(&schedule, REFRESH_DUMP, false, HOUR_MS);
    cr_expect_eq(schedule_due(&schedule, &view, 2 * HOUR_MS - 1, NOON), REFRESH_NONE);
    cr_expect_eq(schedule_due(&schedule, &view, 2 * HOUR_MS, NOON), REFRESH_DUMP);
}

Test(schedule, audits_once_a_night)
{
    struct schedule_view view = {.has_dump = true,
                                 .has_serial = true,
                                 .has_stream = true,
                                 .is_ready = true,
                                 .audit_minute = 3 * 60 + 30};
    struct schedule schedule = {.seed = 1000000};
    int64_t wall = NOON, first = 0;
    int audits = 0;

    setenv("TZ", "Europe/Amsterdam", 1);
    tzset();
    for (; wall < NOON + 10 * DAY_S; wall += 60) {
        if (schedule_due(&schedule, &view, HOUR_MS, wall) == REFRESH_AUDIT) {
            time_t at = (time_t)wall;
            struct tm day;

            localtime_r(&at, &day);
            cr_expect_eq(day.tm_hour == 3 ? day.tm_min >= 30 : day.tm_hour == 4 && day.tm_min == 0,
                         1, "at %d:%d", day.tm_hour, day.tm_min);
            schedule_done(&schedule, REFRESH_AUDIT, false, HOUR_MS);
            first = first == 0 ? wall : first;
            audits++;
        }
    }
    cr_expect_eq(audits, 10);
    view.has_serial = false;
    cr_expect_eq(schedule_due(&schedule, &view, HOUR_MS, wall + DAY_S), REFRESH_NONE,
                 "nothing says what the dump holds");
}
