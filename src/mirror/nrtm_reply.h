/*
 * What the sessions of an NRTM client can end in, and what the messages of the servers mean (one
 * row each).
 */
#pragma once

#include "base/str.h"

/** X(name, text for `reason=`). What follows from each is a row in nrtm_client.c. */
#define NRTM_OUTCOME_LIST(X)                                                                       \
    X(OUTCOME_GOES_ON, "none")                                                                     \
    X(OUTCOME_COMPLETE, "complete")       /* %END: everything up to START.last is here */          \
    X(OUTCOME_UP_TO_DATE, "up-to-date")   /* the server has nothing newer */                       \
    X(OUTCOME_BEHIND, "upstream-behind")  /* its newest serial is below ours */                    \
    X(OUTCOME_EXPIRED, "serials-expired") /* it no longer has what we need */                      \
    X(OUTCOME_DENIED, "denied")                                                                    \
    X(OUTCOME_PROTOCOL, "protocol-error")  /* or a mistake in the configuration */                 \
    X(OUTCOME_TOO_MANY, "range-too-large") /* ask for less at a time */                            \
    X(OUTCOME_TRANSIENT, "transient-error")                                                        \
    X(OUTCOME_CONNECT, "connect-failed")                                                           \
    X(OUTCOME_START_TIMEOUT, "no-start") /* nothing came within mirror.start.timeout */            \
    X(OUTCOME_PEER_CLOSED, "peer-closed")                                                          \
    X(OUTCOME_HEARTBEAT, "heartbeat")       /* we end a quiet stream to ask for a range */         \
    X(OUTCOME_MOVED, "position-moved")      /* the database was edited */                          \
    X(OUTCOME_NO_POSITION, "no-position")   /* empty, or its serial is not known */                \
    X(OUTCOME_OTHER_SERVER, "other-server") /* the position is of another host's serials */        \
    X(OUTCOME_DATABASE_DOWN, "database-down")                                                      \
    X(OUTCOME_DATABASE_FULL, "database-full")                                                      \
    X(OUTCOME_DATABASE_RETRY, "database-retry")    /* deadlock, lock wait */                       \
    X(OUTCOME_BAD_BATCH, "batch-failed")           /* again, one operation at a time */            \
    X(OUTCOME_SERIAL_RANGE, "serial-out-of-range") /* above 2^31 - 1: cannot be stored */          \
    X(OUTCOME_STOPPED, "stopped")

enum nrtm_outcome {
#define X(name, text) name,
    NRTM_OUTCOME_LIST(X)
#undef X
        OUTCOME_COUNT
};
const char *nrtm_outcome_text(enum nrtm_outcome outcome);

/** What we asked for; last -1 stands for LAST. */
struct nrtm_request {
    int version;
    int64_t first, last;
    bool keep_open; /**< -k */
};

/** What a message told besides. */
struct nrtm_reply {
    int64_t upstream_max; /**< Newest serial of the server; -1 when it did not say. */
    int64_t upstream_min;
    int64_t range_limit; /**< OUTCOME_TOO_MANY: serials per request. */
};

/**
 * The meaning of a server's message.
 * @param is_error  The line is an error message: unknown ones are OUTCOME_PROTOCOL. Comments and
 * warnings mean something only when they are known, else OUTCOME_GOES_ON.
 */
enum nrtm_outcome nrtm_reply_meaning(struct str line, bool is_error,
                                     const struct nrtm_request *request, struct nrtm_reply *reply);
