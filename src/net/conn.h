/*
 * A TCP connection on a loop: lines in, bytes out, with bounds and time-outs. Used by the query
 * server (accepted connections) and by the NRTM client (connections it opens).
 *
 * Life: everything happens on the loop's thread. conn_close() calls on_close once and the
 * connection is gone; nothing may touch it afterwards. All other functions leave it alive: failures
 * of the socket, and closing after a flush, reach the owner as on_close from the loop, later.
 *
 * Long answers: the owner starts an answer with conn_answer(); `pump` is then called for one slice
 * at a time, in turn with the other answering connections of the loop, only while less than
 * output_pause bytes wait to be sent. The next input line is not delivered before the answer is
 * complete. An answer that waits for something else says so (CONN_WAIT) and has no time-out here.
 * The first slice is pumped at once.
 *
 * Output is written when the callback has returned; a complete answer may leave a moment later,
 * with those to the other lines that came at the same time.
 *
 * Pipelined lines are delivered in order, as long as the output of the earlier ones does not exceed
 * output_pause; what they append to the output goes out in one write.
 */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/str.h"
#include "net/loop.h"

struct conn;

/** Options of every socket, besides SO_KEEPALIVE and TCP_NODELAY; 0 leaves the system's value. */
struct net_keepalive {
    int idle_s;          /**< TCP_KEEPIDLE */
    int interval_s;      /**< TCP_KEEPINTVL */
    int count;           /**< TCP_KEEPCNT */
    int user_timeout_ms; /**< TCP_USER_TIMEOUT */
};

enum conn_pump {
    CONN_MORE,       /**< There is more: another turn. */
    CONN_SOON,       /**< There is more, after what the others do at once: a little of it. */
    CONN_WAIT,       /**< There will be more: conn_answer() asks for the next turn. */
    CONN_DONE,       /**< The answer is complete. */
    CONN_DONE_CLOSE, /**< And the connection's last. */
};

/** What the owner is told; every member may be NULL. Each may close conn: return at once then. */
struct conn_handler {
    /** A whole line, delimiter stripped (CR kept). Valid during the call. */
    void (*on_line)(struct conn *conn, struct str line);
    /**
     * Raw mode instead of lines (on_line NULL): take what you want, the rest is offered again with
     * more behind it. With neither, input is thrown away.
     * @return Bytes consumed.
     */
    size_t (*on_bytes)(struct conn *conn, struct str bytes);
    /** More than max_line bytes without a delimiter. Write the error; then it closes. */
    void (*on_line_too_long)(struct conn *conn);
    /** One slice (at most 64 KB or 200 microseconds) of the answer begun with conn_answer(). */
    enum conn_pump (*pump)(struct conn *conn);
    /**
     * Read time-out while no answer is in progress. Write the message and conn_close_after_flush(),
     * or do neither and be called again after another read time-out. NULL closes.
     */
    void (*on_idle)(struct conn *conn);
    /**
     * The peer will send nothing more, but may still read: half-closed clients get their answers.
     * Comes after all complete lines were delivered and answered. Answer and close, or keep the
     * connection for output. NULL closes after the flush.
     * @param rest  Bytes behind the last delimiter; valid during the call.
     */
    void (*on_eof)(struct conn *conn, struct str rest);
    /**
     * The connection is going away; free what conn_context() holds.
     * @param reason  "peer" (it left), "idle", "write time-out", "line too long", "answered",
     *                "shutdown", or the owner's own.
     */
    void (*on_close)(struct conn *conn, const char *reason);
};

struct conn_limits {
    size_t max_line;       /**< Bytes without delimiter (raw: not consumed); 0 = no bound. */
    size_t output_pause;   /**< Unsent bytes that stop pump and lines; 0 = 256 KB. */
    int read_timeout_s;    /**< Of waiting for input since the last byte or answer; 0 = none. */
    int write_timeout_s;   /**< A write stalled this long closes the connection; 0 = none. */
    bool telnet_interrupt; /**< FF F4 FF FD 06 also ends a line. */
};

/** @param handler  Lives as long as the connection; may be changed at any time; NULL: none. */
void conn_set_handler(struct conn *conn, const struct conn_handler *handler, void *context);
void *conn_context(const struct conn *conn);
/** @return Numeric address without port; lives as long as conn. */
const char *conn_peer(const struct conn *conn);
const struct sockaddr_storage *conn_peer_address(const struct conn *conn);

/** Where to put output: append to it in callbacks, it is sent behind the callback. */
struct buf *conn_output(struct conn *conn);
size_t conn_unsent(const struct conn *conn); /* Bytes of output that still wait. */
/** For output from outside a callback of this connection: send what conn_output() holds. */
void conn_flush(struct conn *conn);
void conn_answer(struct conn *conn); /* Start pumping, or go on after CONN_WAIT; see above. */
/** Close at once; output that is not sent yet is lost. @param reason  A literal, for on_close. */
void conn_close(struct conn *conn, const char *reason);
/** Deliver no more input, finish the answer, send everything (or time out), then close. */
void conn_close_after_flush(struct conn *conn, const char *reason);
/** Stop or go on reading from the socket (TCP back-pressure). */
void conn_pause_input(struct conn *conn, bool pause);

/**
 * Wind down all connections of a loop, those accepted later included: what was received is
 * answered, then each closes with reason "shutdown". One that has not sent its first line yet gets
 * a second to do so.
 */
void conn_finish_all(struct loop *loop);
size_t conn_count(const struct loop *loop); /* Connections of this loop that have not closed. */

/* --- connections that we open --- */

struct conn_request;

/**
 * Resolve (on a thread of its own: DNS may block) and try every address in turn.
 * Exactly one of the callbacks comes, later, on the loop.
 * @param host          Name or numeric address; copied, like keepalive and limits.
 * @param timeout_s     For each address.
 * @param on_connected  Give conn its handler here; what it puts into the output is sent afterwards.
 * @param on_fail       text = "HOST port PORT: REASON"; with several addresses each one's reason.
 * @return A ticket for conn_connect_cancel(), valid until one of the callbacks was called.
 */
struct conn_request *conn_connect(struct loop *loop, const char *host, int port, int timeout_s,
                                  const struct net_keepalive *keepalive,
                                  const struct conn_limits *limits,
                                  void (*on_connected)(void *context, struct conn *conn),
                                  void (*on_fail)(void *context, const char *text), void *context);
/** No callback comes any more. NULL is fine. */
void conn_connect_cancel(struct conn_request *request);
