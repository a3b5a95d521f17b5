/*
 * Connections. Every event ends in conn_run(), which lets a connection do its next steps until it
 * has to wait: pump a slice of the answer in progress, or deliver the next line. What takes longer
 * than a slice waits for its next turn in a queue that is served once per iteration of the loop,
 * before the poll, which then does not sleep.
 *
 * Output is sent when these steps are done, so that pipelined lines leave in one write. Where
 * nothing is left to do but to send, that waits for a turn, too: the answers to all lines that one
 * poll brought are made one after the other and then sent one after the other. A busy loop works
 * with warmer caches that way, and its clients are not woken once for each answer. An answer may
 * also be made in turns that come round at once (CONN_SOON), so that the memory that one waits for
 * (base/ahead.h) arrives while the others are at work.
 *
 * The common case, a line that is answered at once, costs one read, one write and nothing else:
 * buffers are lent by the loop, and the timer is not touched but looks at time stamps when it
 * fires.
 *
 * The owner may close a connection inside any callback. While conn_run() is at work the memory
 * stays until it is left (is_closed tells it); so only conn_run() and conn_close() free
 * connections.
 *
 * After the last byte was sent the socket lingers a moment, its owner gone: closing a socket with
 * unread input would reset it, and the peer might lose what it has not read yet.
 */
#include "net/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ahead.h"
#include "base/clock.h"
#include "net/internal.h"

#define READ_BYTES           ((size_t)64 << 10)
#define DEFAULT_OUTPUT_PAUSE ((size_t)256 << 10)
#define SLICE_US             200  /* A connection with many lines yields after this long. */
#define ROUND_US             2000 /* And all that wait for a turn, to let events in. */
#define STEPS_PER_CLOCK_LOOK 8
#define RUNS_PER_CLOCK_LOOK  16
#define LINGER_S             2.0
#define FIRST_LINE_GRACE_S   1.0 /* When finishing, for a client that has just connected. */

struct conn {
    struct loop *loop;
    const struct conn_handler *handler;
    void *context;
    struct conn_limits limits;
    struct net_limits *counts;

    int fd;
    struct ev_io readable, writable;
    struct ev_timer timer;
    double timer_due;

    struct buf in;
    size_t in_start; /* Delivered so far. */
    size_t scanned;  /* Bytes behind in_start known to hold no delimiter. */
    struct buf out;
    size_t out_start; /* Sent so far. */
    double waiting_since, sending_since;

    const char *close_reason; /* Of is_closing and is_broken. */
    bool is_answering;
    bool is_closing; /* After the flush. */
    bool is_broken;  /* The socket failed. */
    bool is_paused;
    bool is_eof, is_eof_told;
    bool has_had_line;
    bool is_refused;   /* Counted as such, and not in its address's count. */
    bool is_lingering; /* The owner was told that it closed. */
    bool is_running;   /* In conn_run(). */
    bool is_closed;    /* To be freed when conn_run() is left. */
    bool sends_later;  /* Waits for a turn only to send. */

    struct conn *next, **link; /* All of the loop. */
    struct conn_queue *queue;  /* Where it waits; NULL: nowhere. */
    struct conn *queue_next, *queue_before;

    struct sockaddr_storage peer;
    char peer_text[ADDRESS_TEXT_BYTES];
};

enum step {
    STEP_AGAIN, /* There may be more to do. */
    STEP_WAIT,  /* Nothing to do before an event. */
    STEP_YIELD, /* More to do, but it is the others' turn. */
    STEP_SOON,  /* More to do, after the others that say so. */
};

static const struct conn_handler no_handler;

static void conn_run(struct conn *conn);

/* --- input and output between events --- */

/* Between events a connection holds what is not delivered yet, and no more. */
static void settle_input(struct conn *conn)
{
    struct buf rest = {0};

    if (conn->in_start == conn->in.len) {
        if (conn->in.at != NULL) {
            spare_give_input(&conn->loop->conns.spare, &conn->in);
        }
    } else if (conn->in.len - conn->in_start < conn->in.cap / 4) {
        buf_add(&rest, conn->in.at + conn->in_start, conn->in.len - conn->in_start);
        spare_give_input(&conn->loop->conns.spare, &conn->in);
        conn->in = rest;
    } else {
        buf_drop(&conn->in, conn->in_start);
    }
    conn->in_start = 0;
}

/* --- turns --- */

static void enqueue(struct conn *conn, struct conn_queue *queue)
{
    conn->queue = queue;
    conn->queue_next = NULL;
    conn->queue_before = queue->last;
    if (queue->last != NULL) {
        queue->last->queue_next = conn;
    } else {
        queue->first = conn;
    }
    queue->last = conn;
}

static void wait_for_turn(struct conn *conn)
{
    conn->sends_later = false;
    if (conn->queue == NULL && !conn->is_running) {
        enqueue(conn, &conn->loop->conns.turns);
    }
}

static void leave_queue(struct conn *conn)
{
    struct conn_queue *queue = conn->queue;

    if (queue == NULL) {
        return;
    }
    conn->queue = NULL;
    conn->sends_later = false;
    if (conn->queue_before != NULL) {
        conn->queue_before->queue_next = conn->queue_next;
    } else {
        queue->first = conn->queue_next;
    }
    if (conn->queue_next != NULL) {
        conn->queue_next->queue_before = conn->queue_before;
    } else {
        queue->last = conn->queue_before;
    }
}

/* One after the other and round again, until each has gone on to something else. */
static void run_soon(struct conn_group *group, int64_t until_us)
{
    const struct conn *last = NULL; /* Of the round. */

    for (unsigned i = 1; group->soon.first != NULL; i++) {
        struct conn *conn = group->soon.first;

        if (last == NULL) {
            ahead_start_round();
            last = group->soon.last;
        }
        if (conn == last) {
            last = NULL;
        }
        ahead_next_turn();
        conn_run(conn);
        if (i % RUNS_PER_CLOCK_LOOK == 0 && clock_mono_us() >= until_us) {
            return;
        }
    }
}

/* A turn for each that waits for one, as long as there is time. */
static void run_turns(struct conn_group *group)
{
    struct conn *last = group->turns.last, *conn = NULL;
    int64_t until_us = 0;

    /* `last` may be gone before its turn: then the time or the queue ends the round. */
    while (conn != last && group->turns.first != NULL &&
           (until_us == 0 || clock_mono_us() < until_us)) {
        conn = group->turns.first;
        if (until_us == 0 && !conn->sends_later) { /* Those that only send come first. */
            until_us = clock_mono_us() + ROUND_US;
        }
        conn_run(conn);
    }
}

/* So that turns waited for since the last poll come without another. */
static void before_poll(struct ev_loop *ev, struct ev_prepare *w, int revents)
{
    struct conn_group *group = w->data;

    if (group->soon.first != NULL) {
        run_soon(group, clock_mono_us() + ROUND_US);
    }
    run_turns(group);
    if (group->turns.first == NULL && group->soon.first == NULL) {
        ev_idle_stop(ev, &group->no_sleep);
    } else {
        ev_idle_start(ev, &group->no_sleep);
    }
}

static void on_no_sleep(struct ev_loop *ev, struct ev_idle *w, int revents)
{
}

/* --- output --- */

size_t conn_unsent(const struct conn *conn)
{
    return conn->out.len - conn->out_start;
}

static bool is_output_full(const struct conn *conn)
{
    return conn_unsent(conn) >= conn->limits.output_pause;
}

static void set_broken(struct conn *conn, const char *reason)
{
    conn->is_broken = true;
    conn->close_reason = reason;
}

static void all_sent(struct conn *conn)
{
    conn->out_start = 0;
    spare_give_output(&conn->loop->conns.spare, &conn->out);
    if (ev_is_active(&conn->writable)) {
        ev_io_stop(conn->loop->ev, &conn->writable);
        conn->waiting_since = ev_now(conn->loop->ev);
    }
}

/* One write. What the socket does not take waits for on_writable(). */
static void send_some(struct conn *conn)
{
    ssize_t sent = send(conn->fd, conn->out.at + conn->out_start, conn_unsent(conn), MSG_NOSIGNAL);

    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        set_broken(conn, "peer");
        return;
    }
    if (sent > 0) {
        conn->out_start += (size_t)sent;
        conn->sending_since = ev_now(conn->loop->ev);
    }
    if (conn_unsent(conn) == 0) {
        all_sent(conn);
        return;
    }
    if (!ev_is_active(&conn->writable)) {
        conn->sending_since = ev_now(conn->loop->ev);
        ev_io_start(conn->loop->ev, &conn->writable);
    }
    if (conn->out_start >= conn->out.len / 2) {
        buf_drop(&conn->out, conn->out_start);
        conn->out_start = 0;
    }
}

static void flush(struct conn *conn)
{
    if (conn_unsent(conn) > 0 && !ev_is_active(&conn->writable) && !conn->is_broken) {
        send_some(conn);
    }
}

/* --- the timer --- */

/* @return When the connection has waited too long; 0 when it need not end. */
static double deadline(const struct conn *conn)
{
    double grace = conn->waiting_since + FIRST_LINE_GRACE_S, due = 0;

    if (conn->is_lingering) {
        return conn->waiting_since + LINGER_S;
    }
    if (conn->sends_later) {
        return 0;
    }
    if (conn_unsent(conn) > 0) {
        return conn->limits.write_timeout_s > 0 ? conn->sending_since + conn->limits.write_timeout_s
                                                : 0;
    }
    if (conn->is_answering || conn->queue != NULL || conn->is_paused || conn->is_eof) {
        return 0;
    }
    if (conn->limits.read_timeout_s > 0) {
        due = conn->waiting_since + conn->limits.read_timeout_s;
    }
    return conn->loop->conns.is_finishing && (due == 0 || due > grace) ? grace : due;
}

/* See that the timer fires at the deadline or before; it finds out by itself when it was too early.
 */
static void arm_timer(struct conn *conn)
{
    struct ev_loop *ev = conn->loop->ev;
    double due = deadline(conn);

    if (due == 0 || (ev_is_active(&conn->timer) && conn->timer_due <= due)) {
        return;
    }
    ev_timer_stop(ev, &conn->timer);
    ev_timer_set(&conn->timer, due > ev_now(ev) ? due - ev_now(ev) : 0, 0);
    ev_timer_start(ev, &conn->timer);
    conn->timer_due = due;
}

/* --- the end --- */

static void destroy(struct conn *conn)
{
    struct ev_loop *ev = conn->loop->ev;

    leave_queue(conn);
    ev_io_stop(ev, &conn->readable);
    ev_io_stop(ev, &conn->writable);
    ev_timer_stop(ev, &conn->timer);
    close(conn->fd);
    *conn->link = conn->next;
    if (conn->next != NULL) {
        conn->next->link = conn->link;
    }
    buf_free(&conn->in);
    buf_free(&conn->out);
    free(conn);
}

/* Its descriptor is free, or as good as. */
static void count_gone(struct conn *conn)
{
    if (conn->counts == NULL) {
        return;
    }
    if (conn->is_refused) {
        net_limits_refused_gone(conn->counts);
    } else {
        net_limits_gone(conn->counts);
    }
}

/* The owner's and the counts' part of closing: from here on the connection is ours alone. */
static void tell_closed(struct conn *conn, const char *reason)
{
    const struct conn_handler *handler = conn->handler;

    conn->handler = &no_handler;
    conn->loop->conns.count--;
    if (conn->counts != NULL && !conn->is_refused) {
        net_limits_leave(conn->counts, &conn->peer);
    }
    if (!conn->is_lingering) {
        count_gone(conn);
    }
    if (handler->on_close != NULL) {
        handler->on_close(conn, reason);
    }
}

void conn_close(struct conn *conn, const char *reason)
{
    if (conn->is_closed) {
        return; /* From within on_close. */
    }
    conn->is_closed = true;
    if (!conn->is_lingering) {
        tell_closed(conn, reason);
    } else {
        count_gone(conn);
    }
    if (!conn->is_running) {
        destroy(conn);
    }
}

static void linger(struct conn *conn)
{
    struct ev_loop *ev = conn->loop->ev;

    conn->is_lingering = true;
    tell_closed(conn, conn->close_reason);
    conn->waiting_since = ev_now(ev);
    shutdown(conn->fd, SHUT_WR);
    leave_queue(conn);
    buf_free(&conn->in);
    conn->in_start = 0;
    ev_io_start(ev, &conn->readable);
}

void conn_close_after_flush(struct conn *conn, const char *reason)
{
    if (conn->is_closing || conn->is_broken) {
        return;
    }
    conn->is_closing = true;
    conn->close_reason = reason;
    wait_for_turn(conn);
}

/* --- input --- */

static struct str undelivered(const struct conn *conn)
{
    return str_sub(buf_str(&conn->in), conn->in_start, conn->in.len);
}

static void consume(struct conn *conn, size_t count)
{
    conn->in_start += count;
    conn->scanned = 0;
}

static bool wants_input(const struct conn *conn)
{
    return !conn->is_eof && !conn->is_paused && !conn->is_answering && !conn->is_closing &&
           conn->queue == NULL && !is_output_full(conn);
}

static enum step refuse_long_line(struct conn *conn)
{
    if (conn->handler->on_line_too_long != NULL) {
        conn->handler->on_line_too_long(conn);
    }
    if (!conn->is_closed) {
        conn_close_after_flush(conn, "line too long");
    }
    return STEP_AGAIN;
}

static bool is_too_long(const struct conn *conn, size_t len)
{
    return conn->limits.max_line > 0 && len > conn->limits.max_line;
}

/* @return STEP_WAIT when there is no whole line. */
static enum step deliver_line(struct conn *conn, struct str bytes)
{
    size_t delimiter;
    size_t len = line_end_find(bytes, conn->scanned, conn->limits.telnet_interrupt, &delimiter);

    if (is_too_long(conn, len)) {
        return refuse_long_line(conn);
    }
    if (delimiter == 0) {
        conn->scanned = bytes.len;
        return STEP_WAIT;
    }
    consume(conn, len + delimiter);
    conn->has_had_line = true;
    conn->handler->on_line(conn, str_sub(bytes, 0, len));
    return STEP_AGAIN;
}

/* @return STEP_WAIT when the owner takes nothing of it. */
static enum step deliver_bytes(struct conn *conn, struct str bytes)
{
    size_t taken = bytes.len;

    if (conn->handler->on_bytes != NULL) {
        conn->has_had_line = true;
        taken = conn->handler->on_bytes(conn, bytes);
    }
    if (conn->is_closed) {
        return STEP_WAIT;
    }
    if (conn->handler->on_line != NULL) {
        conn->has_had_line = false; /* It became one of lines; the first is to come. */
    }
    consume(conn, taken);
    if (taken == 0 && is_too_long(conn, bytes.len)) {
        return refuse_long_line(conn);
    }
    return taken > 0 ? STEP_AGAIN : STEP_WAIT;
}

static enum step deliver_eof(struct conn *conn)
{
    struct str rest = undelivered(conn);

    conn->is_eof_told = true;
    consume(conn, rest.len);
    if (conn->handler->on_eof == NULL) {
        conn_close_after_flush(conn, "peer");
    } else {
        conn->handler->on_eof(conn, rest);
    }
    return STEP_AGAIN;
}

static enum step deliver_input(struct conn *conn)
{
    struct str bytes = undelivered(conn);
    enum step step = STEP_WAIT;

    if (conn->is_paused) {
        return STEP_WAIT;
    }
    if (bytes.len > 0) {
        step =
            conn->handler->on_line != NULL ? deliver_line(conn, bytes) : deliver_bytes(conn, bytes);
    }
    if (step == STEP_WAIT && !conn->is_closed && conn->is_eof && !conn->is_eof_told) {
        step = deliver_eof(conn);
    }
    return step;
}

/* --- running --- */

static enum step pump_slice(struct conn *conn)
{
    enum conn_pump outcome = conn->handler->pump(conn);

    if (conn->is_closed) {
        return STEP_WAIT;
    }
    if (outcome == CONN_MORE) {
        return STEP_YIELD;
    }
    if (outcome == CONN_SOON) {
        return STEP_SOON;
    }
    if (outcome == CONN_WAIT) {
        return STEP_WAIT;
    }
    conn->is_answering = false;
    conn->waiting_since = ev_now(conn->loop->ev);
    if (outcome == CONN_DONE_CLOSE) {
        conn_close_after_flush(conn, "answered");
    }
    return STEP_AGAIN;
}

static enum step next_step(struct conn *conn)
{
    if (conn->is_closed) {
        return STEP_WAIT;
    }
    if (is_output_full(conn)) {
        flush(conn);
    }
    if (conn->is_broken || is_output_full(conn)) {
        return STEP_WAIT;
    }
    if (conn->is_answering) {
        return pump_slice(conn);
    }
    return conn->is_closing ? STEP_WAIT : deliver_input(conn);
}

static enum step run_slice(struct conn *conn)
{
    int64_t started_us = 0;
    enum step step;

    for (int steps = 1; (step = next_step(conn)) == STEP_AGAIN; steps++) {
        if (steps % STEPS_PER_CLOCK_LOOK != 0) {
            continue;
        }
        if (started_us == 0) {
            started_us = clock_mono_us();
        } else if (clock_mono_us() - started_us > SLICE_US) {
            return STEP_YIELD;
        }
    }
    return step;
}

/* When finishing, a connection ends where it would wait for more input, not where lines wait for
 * room in the output. */
static bool is_finished(const struct conn *conn)
{
    return conn->loop->conns.is_finishing && !conn->is_answering && !conn->is_closing &&
           !is_output_full(conn) && (conn->has_had_line || conn->is_eof);
}

static bool is_ready_to_close(const struct conn *conn)
{
    return conn->is_closing && !conn->is_answering && conn_unsent(conn) == 0;
}

/* Send, and leave the connection so that the right event comes next. */
static void settle(struct conn *conn, enum step step)
{
    flush(conn);
    if (step == STEP_WAIT && is_finished(conn)) {
        conn_close_after_flush(conn, "shutdown");
    }
    if (conn->is_broken || (is_ready_to_close(conn) && conn->is_eof)) {
        conn_close(conn, conn->close_reason);
    } else if (is_ready_to_close(conn)) {
        linger(conn);
    } else {
        settle_input(conn);
    }
}

/*
 * Whether the output may wait for a turn: a complete answer that nothing else waits for. Before it
 * in the queue are only others that send, no slices of long answers.
 */
static bool can_send_later(const struct conn *conn, enum step step)
{
    const struct conn *before = conn->loop->conns.turns.last;

    return step == STEP_WAIT && conn_unsent(conn) > 0 && !ev_is_active(&conn->writable) &&
           !is_output_full(conn) && !conn->is_closed && !conn->is_closing && !conn->is_eof &&
           !conn->is_broken && !conn->loop->conns.is_finishing &&
           (before == NULL || before->sends_later);
}

static void conn_run(struct conn *conn)
{
    bool only_sends = conn->sends_later, sends_later = false;
    enum step step = STEP_WAIT;

    leave_queue(conn);
    conn->is_running = true;
    if (!only_sends) {
        step = run_slice(conn);
        sends_later = can_send_later(conn, step);
    }
    if (sends_later || (step == STEP_SOON && !is_output_full(conn))) {
        settle_input(conn);
    } else if (!conn->is_closed && !conn->is_lingering) {
        settle(conn, step);
    }
    conn->is_running = false;
    if (conn->is_closed) {
        destroy(conn);
        return;
    }
    if (sends_later || (step == STEP_YIELD && !conn->is_lingering && !is_output_full(conn))) {
        wait_for_turn(conn);
    } else if (step == STEP_SOON && !conn->is_lingering && !is_output_full(conn)) {
        enqueue(conn, &conn->loop->conns.soon);
    }
    conn->sends_later = sends_later;
    if (!ev_is_active(&conn->readable) && wants_input(conn)) {
        ev_io_start(conn->loop->ev, &conn->readable);
    }
    arm_timer(conn);
}

/* --- events --- */

static void fill_input(struct conn *conn)
{
    ssize_t got;

    spare_take_input(&conn->loop->conns.spare, &conn->in);
    buf_reserve(&conn->in, READ_BYTES);
    got = recv(conn->fd, conn->in.at + conn->in.len, READ_BYTES, 0);
    if (got > 0) {
        conn->in.len += (size_t)got;
        conn->waiting_since = ev_now(conn->loop->ev);
    } else if (got == 0) {
        conn->is_eof = true;
        ev_io_stop(conn->loop->ev, &conn->readable);
    } else if (errno != EAGAIN && errno != EINTR) {
        set_broken(conn, "peer");
    }
}

/* Throw away what the peer sends until it has seen that we closed. */
static void drain_input(struct conn *conn)
{
    struct buf *scratch = &conn->loop->conns.spare.input;
    ssize_t got;

    buf_reserve(scratch, READ_BYTES);
    got = recv(conn->fd, scratch->at, READ_BYTES, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        conn_close(conn, NULL);
    }
}

static void on_readable(struct ev_loop *ev, struct ev_io *w, int revents)
{
    struct conn *conn = w->data;

    if (conn->is_lingering) {
        drain_input(conn);
        return;
    }
    if (!wants_input(conn)) {
        ev_io_stop(ev, w); /* Not before it matters: most answers are complete at once. */
        return;
    }
    fill_input(conn);
    conn_run(conn);
}

static void on_writable(struct ev_loop *ev, struct ev_io *w, int revents)
{
    struct conn *conn = w->data;

    send_some(conn);
    if (conn->is_broken || !is_output_full(conn)) {
        conn_run(conn);
    }
}

static void on_too_late(struct conn *conn)
{
    if (conn->is_lingering) {
        conn_close(conn, NULL);
    } else if (conn_unsent(conn) > 0) {
        conn_close(conn, "write time-out");
    } else if (conn->loop->conns.is_finishing) {
        conn_close(conn, "shutdown");
    } else if (conn->handler->on_idle == NULL) {
        conn_close(conn, "idle");
    } else {
        conn->is_running = true;
        conn->waiting_since = ev_now(conn->loop->ev);
        conn->handler->on_idle(conn);
        conn_run(conn);
    }
}

static void on_timer(struct ev_loop *ev, struct ev_timer *w, int revents)
{
    struct conn *conn = w->data;
    double due = deadline(conn);

    if (due == 0 || due > ev_now(ev)) {
        arm_timer(conn);
        return;
    }
    on_too_late(conn);
}

/* --- making and using them --- */

struct conn *conn_new(struct loop *loop, int fd, const struct sockaddr_storage *peer,
                      const struct conn_limits *limits, struct net_limits *counts,
                      enum net_refusal refusal)
{
    struct conn_group *group = &loop->conns;
    struct conn *conn = calloc(1, sizeof(*conn));

    if (conn == NULL) {
        abort();
    }
    conn->loop = loop;
    conn->handler = &no_handler;
    conn->limits = *limits;
    if (conn->limits.output_pause == 0) {
        conn->limits.output_pause = DEFAULT_OUTPUT_PAUSE;
    }
    conn->counts = counts;
    conn->is_refused = refusal != NET_OK;
    conn->fd = fd;
    conn->peer = *peer;
    address_text(peer, conn->peer_text);
    conn->waiting_since = ev_now(loop->ev);
    ev_io_init(&conn->readable, on_readable, fd, EV_READ);
    ev_io_init(&conn->writable, on_writable, fd, EV_WRITE);
    ev_timer_init(&conn->timer, on_timer, 0, 0);
    conn->readable.data = conn->writable.data = conn->timer.data = conn;

    conn->link = &group->first;
    conn->next = group->first;
    if (conn->next != NULL) {
        conn->next->link = &conn->next;
    }
    group->first = conn;
    group->count++;
    conn->is_running = true; /* Until conn_start(). */
    return conn;
}

void conn_start(struct conn *conn)
{
    conn_run(conn);
}

void conn_group_init(struct loop *loop)
{
    ev_prepare_init(&loop->conns.before_poll, before_poll);
    ev_idle_init(&loop->conns.no_sleep, on_no_sleep);
    loop->conns.before_poll.data = &loop->conns;
    ev_prepare_start(loop->ev, &loop->conns.before_poll);
}

void conn_group_fini(struct loop *loop)
{
    while (loop->conns.first != NULL) {
        conn_close(loop->conns.first, "shutdown");
    }
    spare_fini(&loop->conns.spare);
}

void conn_finish_all(struct loop *loop)
{
    loop->conns.is_finishing = true;
    for (struct conn *conn = loop->conns.first; conn != NULL; conn = conn->next) {
        if (conn->is_lingering) {
            continue;
        }
        if (conn->sends_later) {
            leave_queue(conn); /* For one that does more. */
        }
        if (wants_input(conn)) {
            fill_input(conn); /* What has arrived is still answered. */
        }
        wait_for_turn(conn);
    }
}

size_t conn_count(const struct loop *loop)
{
    return loop->conns.count;
}

void conn_set_handler(struct conn *conn, const struct conn_handler *handler, void *context)
{
    conn->handler = handler != NULL ? handler : &no_handler;
    conn->context = context;
}

void *conn_context(const struct conn *conn)
{
    return conn->context;
}

const char *conn_peer(const struct conn *conn)
{
    return conn->peer_text;
}

const struct sockaddr_storage *conn_peer_address(const struct conn *conn)
{
    return &conn->peer;
}

enum net_refusal conn_set_peer(struct conn *conn, const struct sockaddr_storage *peer,
                               bool is_unlimited)
{
    enum net_refusal refusal = NET_OK;

    if (conn->counts != NULL) {
        refusal = net_limits_move(conn->counts, &conn->peer, peer, is_unlimited);
    }
    conn->peer = *peer;
    address_text(peer, conn->peer_text);
    return refusal;
}

struct buf *conn_output(struct conn *conn)
{
    spare_take_output(&conn->loop->conns.spare, &conn->out);
    return &conn->out;
}

void conn_flush(struct conn *conn)
{
    if (conn->is_running) {
        return; /* Sent when the callback returns. */
    }
    flush(conn);
    if (conn->is_broken) {
        wait_for_turn(conn);
    }
    arm_timer(conn);
}

void conn_answer(struct conn *conn)
{
    conn->is_answering = true;
    wait_for_turn(conn);
}

void conn_pause_input(struct conn *conn, bool pause)
{
    if (conn->is_paused && !pause) {
        conn->waiting_since = ev_now(conn->loop->ev);
        wait_for_turn(conn);
    }
    conn->is_paused = pause;
}
