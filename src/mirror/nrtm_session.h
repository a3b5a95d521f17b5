/*
 * One NRTM session: what the events of a stream mean for a mirror. Checks them against what was
 * asked for, applies operations in batches, and keeps the position: every serial up to hw is in the
 * mirror. Knows storage, but no sockets: the client feeds it from a connection, `whoisd --apply`
 * from a file.
 *
 * hw moves only with what is known to be complete: to the serial of a committed operation, to
 * START.last at %END, to b at a marker %END a - b of a stream. In versions 1 and 2 operations carry
 * no serials; counted from START.first they are at most the true ones, so that after a cut some
 * operations come again, and none is lost.
 */
#pragma once

#include "mirror/intake.h"
#include "mirror/nrtm_reply.h"
#include "mirror/nrtm_stream.h"
#include "storage/source.h"

/** Counters of a mirror, over all its sessions. */
struct nrtm_counters {
    uint64_t operations;  /**< Committed. */
    uint64_t repeated;    /**< At or below a serial seen before: skipped. */
    uint64_t gaps;        /**< Serials that the upstream left out. */
    uint64_t foreign;     /**< Of another source: skipped. */
    uint64_t quarantined; /**< Could not be parsed or stored: kept aside. */
    uint64_t recoded; /**< Not in the declared charset: taken as Latin-1, raw bytes kept aside as
                         well. */
    uint64_t batches;
    int64_t last_op_ms; /**< Wall clock of the last commit with operations; 0: none in this run. */
};

struct nrtm_session_conf {
    struct source *source;
    const struct clock *clock;
    enum charset charset;
    size_t max_object;
    struct nrtm_request request;
    bool any_first;                 /**< A file: START may begin at or below request.first. */
    struct nrtm_counters *counters; /**< Added to. */
    int64_t *careful_until; /**< Commit every operation by itself up to this serial: a batch failed.
                               Updated. */
};

struct nrtm_session;

struct nrtm_session *nrtm_session_new(const struct nrtm_session_conf *conf);
void nrtm_session_free(
    struct nrtm_session *session); /* Drops what is not committed; NULL is fine. */

/**
 * Take the received bytes and apply what is complete in them. Batches are committed when they reach
 * 4 MB; what is left is for nrtm_session_commit(), which the caller calls when nothing more has
 * arrived. Not while it is waiting.
 * @return OUTCOME_GOES_ON, or how the session ended.
 */
enum nrtm_outcome nrtm_session_feed(struct nrtm_session *session, struct str bytes);
/** Whether an operation waits for room (source_has_room()): feed nothing, and go on
 * ROOM_LOOK_MS later. */
bool nrtm_session_is_waiting(const struct nrtm_session *session);
/** Apply what waits and what has been fed behind it, if there is room now. @return As
 * nrtm_session_feed(). */
enum nrtm_outcome nrtm_session_go_on(struct nrtm_session *session);
/** Whether the upstream has refused and may yet say why: feed that too, or end the session. */
bool nrtm_session_is_refused(const struct nrtm_session *session);
/** The peer has closed, or nothing more is waited for: apply what was complete, less what waits.
 * @return Never OUTCOME_GOES_ON. */
enum nrtm_outcome nrtm_session_end(struct nrtm_session *session);
/** Commit what is pending. @return OUTCOME_GOES_ON or how the session ended. */
enum nrtm_outcome nrtm_session_commit(struct nrtm_session *session);
/** Whether something waits for a commit. */
bool nrtm_session_is_pending(const struct nrtm_session *session);

bool nrtm_session_has_started(const struct nrtm_session *session);      /* %START was read. */
struct str nrtm_session_start_line(const struct nrtm_session *session); /* As received. */
bool nrtm_session_is_filtered(const struct nrtm_session *session);
/** START's range; 0 before it. */
void nrtm_session_range(const struct nrtm_session *session, int64_t *first, int64_t *last);
/** The operation in the middle of which the peer left; -1: none, or it has no serial. */
int64_t nrtm_session_cut_serial(const struct nrtm_session *session);
/**
 * Go on behind an operation that the upstream cannot send: nrtm_quarantine gets a row of it. For a
 * session that has ended. @return As batch_commit().
 */
enum err nrtm_session_pass_over(struct nrtm_session *session, int64_t serial,
                                const char *reason) MUST_CHECK;
/** Newest serial known complete and committed, or started from. */
int64_t nrtm_session_position(const struct nrtm_session *session);
/** What the upstream said of itself; -1 where it did not. upstream_max is START.last of a request
 * to LAST, too. */
struct nrtm_reply nrtm_session_reply(const struct nrtm_session *session);
/** The sentence that explains the outcome; "" when the outcome says it all. Text of the peer is
 * quoted in it. */
const char *nrtm_session_why(const struct nrtm_session *session);
/** Operations committed in this session. */
uint64_t nrtm_session_operations(const struct nrtm_session *session);
/** How a failure of storage ends a session. */
enum nrtm_outcome nrtm_session_outcome_of(enum err rc);
