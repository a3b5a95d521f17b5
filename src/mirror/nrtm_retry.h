/*
 * What follows from the end of a session: one row per outcome, and when the next session begins.
 */
#pragma once

#include "base/log.h"
#include "mirror/nrtm_reply.h"

/** How a mirror stands, as operators see it. */
#define NRTM_STANDING_LIST(X)                                                                      \
    X(STANDING_DISABLED, "disabled")                                                               \
    X(STANDING_BOOTSTRAP, "bootstrap") /* nothing loaded, or no position */                        \
    X(STANDING_CATCHUP, "catch-up")    /* far from the upstream's newest serial */                 \
    X(STANDING_STREAM, "stream")       /* up to date */                                            \
    X(STANDING_BACKOFF, "backoff")     /* the last session failed; trying again */                 \
    X(STANDING_DATABASE, "database")   /* our own database is down or full */                      \
    X(STANDING_DENIED, "denied")                                                                   \
    X(STANDING_EXPIRED, "expired")                 /* the upstream no longer has what we need */   \
    X(STANDING_RESET_SUSPECTED, "reset-suspected") /* its serials are below ours, for long */      \
    X(STANDING_OTHER_SERVER, "other-server")       /* our serial is one of another host's */

enum nrtm_standing {
#define X(name, text) name,
    NRTM_STANDING_LIST(X)
#undef X
        STANDING_COUNT
};
const char *nrtm_standing_text(enum nrtm_standing standing);
/** Whether no session can bring the mirror up to date any more: only a dump, or an operator. */
bool nrtm_standing_is_lost(enum nrtm_standing standing);

struct nrtm_end {
    enum nrtm_outcome outcome;
    enum nrtm_standing standing; /**< STANDING_COUNT: stays as it is. */
    enum log_level level;        /**< Of its log line. */
    bool loud;                   /**< At this level each time; otherwise repetitions are DEBUG. */
    bool failed;                 /**< Something an operator should see in the status. */
    int64_t first_ms, cap_ms;    /**< To wait: doubles from first to cap while this repeats. */
};
const struct nrtm_end *nrtm_end_of(enum nrtm_outcome outcome);

/** The memory of a client's attempts. Zero-initialise; random may hold any seed. */
struct nrtm_retry {
    enum nrtm_outcome last;
    int64_t delay_ms;
    unsigned random;
};
/**
 * When to try again.
 * @param progress  Something was committed, or the stream was healthy for minutes: the doubling
 * starts anew.
 * @return Milliseconds; -1: not before somebody changes something.
 */
int64_t nrtm_retry_delay(struct nrtm_retry *retry, enum nrtm_outcome outcome, bool progress,
                         int64_t poll_ms);
