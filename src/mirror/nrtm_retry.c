/*
 * Outcomes and what follows: a table, and the doubling of delays.
 */
#include "mirror/nrtm_retry.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define POLL   (-1) /* Stands for the configured interval. */
#define NEVER  (-2)
#define SAME   STANDING_COUNT
#define LOUD   true
#define FAILED true

// clang-format off
static const struct nrtm_end nrtm_ends[] = {
    {OUTCOME_GOES_ON, SAME, LOG_ERROR, LOUD, FAILED, SECOND, 5 * MINUTE},
    {OUTCOME_COMPLETE, STANDING_STREAM, LOG_INFO, LOUD, !FAILED, POLL, POLL},
    {OUTCOME_UP_TO_DATE, STANDING_STREAM, LOG_INFO, !LOUD, !FAILED, 15 * SECOND, POLL},
    {OUTCOME_BEHIND, SAME, LOG_WARN, !LOUD, FAILED, MINUTE, MINUTE},
    {OUTCOME_EXPIRED, STANDING_EXPIRED, LOG_ERROR, !LOUD, FAILED, 10 * MINUTE, 6 * HOUR},
    {OUTCOME_DENIED, STANDING_DENIED, LOG_ERROR, !LOUD, FAILED, 15 * MINUTE, 6 * HOUR},
    {OUTCOME_PROTOCOL, STANDING_BACKOFF, LOG_ERROR, !LOUD, FAILED, 10 * MINUTE, 10 * MINUTE},
    {OUTCOME_TOO_MANY, STANDING_CATCHUP, LOG_WARN, !LOUD, !FAILED, SECOND, 5 * MINUTE},
    {OUTCOME_TRANSIENT, STANDING_BACKOFF, LOG_WARN, LOUD, FAILED, SECOND, 5 * MINUTE},
    {OUTCOME_CONNECT, STANDING_BACKOFF, LOG_WARN, LOUD, FAILED, SECOND, 5 * MINUTE},
    {OUTCOME_START_TIMEOUT, STANDING_BACKOFF, LOG_WARN, LOUD, FAILED, SECOND, 5 * MINUTE},
    {OUTCOME_PEER_CLOSED, STANDING_BACKOFF, LOG_WARN, LOUD, FAILED, SECOND, 5 * MINUTE},
    {OUTCOME_HEARTBEAT, SAME, LOG_INFO, LOUD, !FAILED, 0, 0},
    {OUTCOME_MOVED, SAME, LOG_INFO, LOUD, !FAILED, 0, 30 * SECOND},
    {OUTCOME_NO_POSITION, STANDING_BOOTSTRAP, LOG_WARN, !LOUD, !FAILED, NEVER, NEVER},
    {OUTCOME_OTHER_SERVER, STANDING_OTHER_SERVER, LOG_ERROR, !LOUD, FAILED, 10 * MINUTE,
     10 * MINUTE},
    {OUTCOME_DATABASE_DOWN, STANDING_DATABASE, LOG_ERROR, !LOUD, FAILED, SECOND, 30 * SECOND},
    {OUTCOME_DATABASE_FULL, STANDING_DATABASE, LOG_ERROR, LOUD, FAILED, 30 * SECOND, 30 * SECOND},
    {OUTCOME_DATABASE_RETRY, SAME, LOG_WARN, LOUD, FAILED, 100, 5 * SECOND},
    {OUTCOME_BAD_BATCH, STANDING_DATABASE, LOG_ERROR, LOUD, FAILED, SECOND, 5 * MINUTE},
    {OUTCOME_SERIAL_RANGE, STANDING_DISABLED, LOG_ERROR, LOUD, FAILED, NEVER, NEVER},
    {OUTCOME_STOPPED, SAME, LOG_INFO, LOUD, !FAILED, NEVER, NEVER},
};
// clang-format on
_Static_assert(sizeof(nrtm_ends) / sizeof(nrtm_ends[0]) == OUTCOME_COUNT, "a row per outcome");

const char *nrtm_standing_text(enum nrtm_standing standing)
{
    static const char *const texts[] = {
#define X(name, text) text,
        NRTM_STANDING_LIST(X)
#undef X
    };
    return texts[standing];
}

bool nrtm_standing_is_lost(enum nrtm_standing standing)
{
    return standing == STANDING_EXPIRED || standing == STANDING_RESET_SUSPECTED ||
           standing == STANDING_OTHER_SERVER;
}

const struct nrtm_end *nrtm_end_of(enum nrtm_outcome outcome)
{
    return &nrtm_ends[outcome]; /* The rows are in the order of the list; a test holds them to it.
                                 */
}

/* 80 to 120 %: many mirrors of one upstream should not come back together. */
static int64_t with_jitter(struct nrtm_retry *retry, int64_t ms)
{
    retry->random = retry->random * 1103515245 + 12345;
    return ms * (80 + (retry->random >> 16) % 41) / 100;
}

int64_t nrtm_retry_delay(struct nrtm_retry *retry, enum nrtm_outcome outcome, bool progress,
                         int64_t poll_ms)
{
    const struct nrtm_end *row = nrtm_end_of(outcome);
    int64_t first = row->first_ms == POLL ? poll_ms : row->first_ms;
    int64_t cap = row->cap_ms == POLL ? poll_ms : row->cap_ms;
    bool again = retry->last == outcome && !progress;

    retry->last = outcome;
    if (row->first_ms == NEVER) {
        return -1;
    }
    if (!again) {
        retry->delay_ms = first;
    } else {
        retry->delay_ms = retry->delay_ms > 0 ? retry->delay_ms * 2 : SECOND;
    }
    if (retry->delay_ms > cap) {
        retry->delay_ms = cap;
    }
    return first == cap ? retry->delay_ms : with_jitter(retry, retry->delay_ms);
}
