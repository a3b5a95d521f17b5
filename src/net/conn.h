/*
 * A TCP connection on a loop: lines in, bytes out, with bounds and time-outs. Used by the query server (accepted
 * connections) and by the NRTM client (connections it opens).
 *
 * Life: callbacks come from the loop's thread only. conn_close() frees the connection before it returns, after calling
 * on_close once; nothing may touch it afterwards.
 *
 * Long answers: the owner starts an answer with conn_answer(); `pump` is then called for one slice at a time, in turn
 * with the other answering connections of the loop, only while less than output_pause bytes wait to be sent. The next
 * input line is not delivered before the answer is complete. The first slice is pumped, and written, at once.
 */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/str.h"
#include "net/loop.h"

struct conn;

/** Socket options of every connection (operators ask for them per socket). */
struct net_keepalive {
    int idle_s, interval_s, count; /**< TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT; SO_KEEPALIVE always on. */
    int user_timeout_ms;           /**< TCP_USER_TIMEOUT; 0 leaves the system's. */
};

enum conn_pump { CONN_MORE, CONN_DONE, CONN_DONE_CLOSE };

struct conn_handler {
    /** A whole line, delimiter stripped (CR kept). May close conn: return at once then. */
    void (*on_line)(struct conn *conn, struct str line);
    /** Raw mode instead of lines (on_line NULL): take what you want. @return Bytes consumed. */
    size_t (*on_bytes)(struct conn *conn, struct str bytes);
    /** More than max_line bytes without a delimiter. Write the error, then conn_close_after_flush(). NULL closes. */
    void (*on_line_too_long)(struct conn *conn);
    /** One slice (at most 64 KB or 200 microseconds) of the answer begun with conn_answer(). */
    enum conn_pump (*pump)(struct conn *conn);
    /** Read time-out while no answer is in progress. Write the message, then conn_close_after_flush(). NULL closes. */
    void (*on_idle)(struct conn *conn);
    /** The peer will send nothing more (it may still read: half-closed clients get their answers). NULL: close.
     *  Called after all complete lines were delivered and answered. `rest`: bytes behind the last delimiter. */
    void (*on_eof)(struct conn *conn, struct str rest);
    /** The connection is going away; free what conn_context() holds. reason: "peer", "idle", "write time-out", ... */
    void (*on_close)(struct conn *conn, const char *reason);
};

struct conn_limits {
    size_t max_line;        /**< Bytes without the delimiter. 1024 on the query port. */
    size_t output_pause;    /**< pump stops above this many unsent bytes; default 256 KB. */
    int read_timeout_s;     /**< Since the last byte received, only while waiting for input; 0 = none. */
    int write_timeout_s;    /**< A stalled write closes the connection; 0 = none. */
    bool telnet_interrupt;  /**< FF F4 FF FD 06 also ends a line. */
};

void conn_set_handler(struct conn *conn, const struct conn_handler *handler, void *context);
void *conn_context(const struct conn *conn);
struct loop *conn_loop(const struct conn *conn);
const char *conn_peer(const struct conn *conn); /* Numeric address without port; lives as long as conn. */
const struct sockaddr_storage *conn_peer_address(const struct conn *conn);

/** Where to put output: append to it inside callbacks, the loop sends it when the callback returns. */
struct buf *conn_output(struct conn *conn);
/** For output from outside a callback of this connection: send what conn_output() holds. */
void conn_flush(struct conn *conn);
void conn_answer(struct conn *conn); /* Start pumping; see above. */
bool conn_is_answering(const struct conn *conn);
void conn_close(struct conn *conn, const char *reason);
/** Deliver no more input; close once everything is sent (or the write time-out struck). */
void conn_close_after_flush(struct conn *conn, const char *reason);
/** Stop or go on reading from the socket (TCP back-pressure). */
void conn_pause_input(struct conn *conn, bool pause);

/* --- connections that we open --- */

/**
 * Resolve (on a thread of its own: DNS may block) and try every address in turn.
 * Exactly one of the callbacks comes, later, on the loop; on_fail's text says host, port and the system's reason.
 * @return A ticket for conn_connect_cancel(), valid until one of the callbacks was called.
 */
struct conn_request;
struct conn_request *conn_connect(struct loop *loop, const char *host, int port, int timeout_s,
                                  const struct net_keepalive *keepalive,
                                  const struct conn_limits *limits,
                                  void (*on_connected)(void *context, struct conn *conn),
                                  void (*on_fail)(void *context, const char *text), void *context);
void conn_connect_cancel(struct conn_request *request); /* No callback comes any more. NULL is fine. */
