/*
 * NRTM client: keeps one source equal to its upstream, session after session, for ever.
 *
 * A session: compare with the database, connect, ask for everything behind our position, apply what
 * comes. Every session ends in an outcome; the outcome decides when the next one begins. Nothing
 * ends the client but nrtm_client_stop(). Belongs to the mirror loop's thread; SQL may block it.
 */
#pragma once

#include "mirror/nrtm_probe.h"
#include "mirror/nrtm_retry.h"
#include "mirror/nrtm_session.h"
#include "net/conn.h"

enum nrtm_mode {
    NRTM_MODE_AUTO, /**< Ask with -k; a server that closes the range all the same is polled. */
    NRTM_MODE_PERSISTENT, /**< Always -k. */
    NRTM_MODE_POLL,       /**< Never -k. */
    NRTM_MODE_DUMP,       /**< No NRTM at all: no client. */
};

struct nrtm_client_conf {
    const char *host;    /**< Copied by the client, like the next. */
    const char *aliases; /**< Other hosts that count the same serials, commas between them. */
    int port;
    int version; /**< 1 to 3. */
    enum nrtm_mode mode;
    int poll_s;
    enum charset charset;
    size_t max_object;
    int connect_timeout_s, start_timeout_s;
    int idle_probe_s;  /**< A stream without a byte for so long: ask the server for its newest
                          serial. */
    int heartbeat_s;   /**< hw unchanged for so long: ask for a closed range. */
    int reset_grace_s; /**< Upstream behind us for so long: suspect a reset. */
    struct net_keepalive keepalive;
    struct nrtm_probes *probes; /**< Shared by the clients of a loop. */
};

/** States of the session; what happens in each is a table in nrtm_client.c. */
#define NRTM_STATE_LIST(X)                                                                         \
    X(NRTM_STOPPED, "stopped")                                                                     \
    X(NRTM_WAITING, "waiting") /* for the next attempt */                                          \
    X(NRTM_SYNCING, "syncing") /* comparing with the database */                                   \
    X(NRTM_CONNECTING, "connecting")                                                               \
    X(NRTM_REQUESTED, "requested") /* until %START or a message */                                 \
    X(NRTM_RECEIVING, "receiving")                                                                 \
    X(NRTM_HELD, "held")       /* until there is room for an operation; reads nothing meanwhile */ \
    X(NRTM_REFUSED, "refused") /* until the upstream has said why */

enum nrtm_state {
#define X(name, text) name,
    NRTM_STATE_LIST(X)
#undef X
};

struct nrtm_client_status {
    enum nrtm_state state;
    enum nrtm_standing standing;
    int64_t standing_since_ms; /**< Wall clock. */
    struct nrtm_counters counters;
    int64_t position;     /**< Newest serial known complete. */
    int64_t upstream_max; /**< Newest serial that the upstream is known to have; -1: unknown. */
    int64_t fresh_ms;     /**< Wall clock when the mirror was last known to be up to date, in this
                               run or before; 0: not known yet. */
    int64_t last_connect_ms; /**< Wall clock; 0: never. */
    uint64_t sessions;       /**< Attempts. */
    uint64_t connects;       /**< Those that reached the server. */
    uint64_t failures;       /**< Those that ended in a failure. */
    bool filtered;           /**< The upstream says that it removes personal data. */
    char error[300];         /**< Of the last session when it failed; "" when fine. */
};

struct nrtm_client;

struct nrtm_client *nrtm_client_new(const struct nrtm_client_conf *conf, struct source *source,
                                    struct loop *loop, const struct clock *clock);
void nrtm_client_free(struct nrtm_client *client);  /* Stops it. NULL is fine. */
void nrtm_client_start(struct nrtm_client *client); /* The source is open. Twice is fine. */
/** Commit what has arrived whole, close the connection, rest until started again. Twice is fine. */
void nrtm_client_stop(struct nrtm_client *client);
/** The position was changed in the database: end the session and begin at the new one, at once. */
void nrtm_client_position_moved(struct nrtm_client *client);
/** Whether a batch holds the source's writer lock at this moment: then only the client may touch
 * the source. */
bool nrtm_client_is_in_batch(const struct nrtm_client *client);
void nrtm_client_get_status(const struct nrtm_client *client, struct nrtm_client_status *out);
