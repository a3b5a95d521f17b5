/*
 * The rules of refreshes.
 */
#include "mirror/schedule.h"

#include <time.h>

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)

enum { AUDIT_SPREAD_S = 30 * 60 };
#define RETRY_FIRST_MS     MINUTE
#define RETRY_CAP_MS       (6 * HOUR)
#define RETRY_CAP_EMPTY_MS HOUR /* Nothing can be answered before. */
#define HEAL_EVERY_MS      (6 * HOUR)
#define FAR_EVERY_MS       (6 * HOUR)

/* The next moment behind wall_s that has this time of the local day. */
static int64_t next_audit_s(const struct schedule *schedule, int minute, int64_t wall_s)
{
    int64_t spread = schedule->seed % AUDIT_SPREAD_S;
    time_t now = (time_t)(wall_s - spread);
    struct tm day;
    int64_t at;

    localtime_r(&now, &day);
    day.tm_hour = minute / 60;
    day.tm_min = minute % 60;
    day.tm_sec = 0;
    day.tm_isdst = -1;
    at = mktime(&day);
    if (at <= now) {
        day.tm_mday++;
        day.tm_isdst = -1;
        at = mktime(&day);
    }
    return at + spread;
}

static bool audit_is_due(struct schedule *schedule, const struct schedule_view *view,
                         int64_t wall_s)
{
    if (view->audit_minute < 0 || !view->has_stream || !view->has_serial) {
        schedule->audit_s = 0;
        return false;
    }
    if (schedule->audit_s == 0 || schedule->audit_minute != view->audit_minute) {
        schedule->audit_minute = view->audit_minute;
        schedule->audit_s = next_audit_s(schedule, view->audit_minute, wall_s);
    }
    return wall_s >= schedule->audit_s;
}

static bool heal_is_due(const struct schedule *schedule, const struct schedule_view *view,
                        int64_t now_ms)
{
    return view->is_lost && view->may_heal && schedule->heals < SCHEDULE_HEALS_MAX &&
           (schedule->healed_ms == 0 || now_ms - schedule->healed_ms >= HEAL_EVERY_MS);
}

/* The stream goes on meanwhile, so that one attempt is enough for a backlog. */
static bool far_is_due(const struct schedule *schedule, const struct schedule_view *view,
                       int64_t now_ms)
{
    return view->is_far && view->may_heal && view->has_serial &&
           (schedule->far_ms == 0 || now_ms - schedule->far_ms >= FAR_EVERY_MS);
}

enum refresh_kind schedule_due(struct schedule *schedule, const struct schedule_view *view,
                               int64_t now_ms, int64_t wall_s)
{
    bool audit = audit_is_due(schedule, view, wall_s);

    if (view->is_streaming) {
        schedule->heals = 0;
    }
    if (!view->has_dump || now_ms < schedule->retry_ms) {
        return REFRESH_NONE;
    }
    if (view->is_empty) {
        return REFRESH_FIRST;
    }
    if (!view->is_ready) {
        return REFRESH_NONE;
    }
    if (heal_is_due(schedule, view, now_ms)) {
        return REFRESH_LOST;
    }
    if (far_is_due(schedule, view, now_ms)) {
        return REFRESH_FAR;
    }
    if (!view->has_stream) {
        return view->refresh_s > 0 && (schedule->taken_ms == 0 ||
                                       now_ms - schedule->taken_ms >= view->refresh_s * SECOND)
                   ? REFRESH_DUMP
                   : REFRESH_NONE;
    }
    return audit && !view->is_lost ? REFRESH_AUDIT : REFRESH_NONE;
}

void schedule_done(struct schedule *schedule, enum refresh_kind kind, bool has_failed,
                   int64_t now_ms)
{
    int64_t cap = kind == REFRESH_FIRST ? RETRY_CAP_EMPTY_MS : RETRY_CAP_MS;

    if (kind == REFRESH_FAR) {
        schedule->far_ms = now_ms;
        if (has_failed) {
            return;
        }
    }
    if (has_failed) {
        schedule->delay_ms = schedule->delay_ms == 0 ? RETRY_FIRST_MS : schedule->delay_ms * 2;
        schedule->delay_ms = schedule->delay_ms > cap ? cap : schedule->delay_ms;
        schedule->retry_ms = now_ms + schedule->delay_ms;
        return;
    }
    schedule->delay_ms = schedule->retry_ms = 0;
    schedule->taken_ms = now_ms;
    if (kind == REFRESH_LOST) {
        schedule->healed_ms = now_ms;
        schedule->heals++;
    }
    if (kind == REFRESH_AUDIT) {
        schedule->audit_s = 0;
    }
}

void schedule_by_hand(struct schedule *schedule, int64_t now_ms)
{
    schedule->delay_ms = schedule->retry_ms = 0;
    schedule->taken_ms = now_ms;
    schedule->healed_ms = 0;
    schedule->heals = 0;
}
