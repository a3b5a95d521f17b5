/*
 * The fake net: what a handler does is called directly; a closed connection is remembered as such.
 */
#include "fake_net.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TIMERS = 16, MAX_CONNS = 16384, MAX_REQUESTS = 8 };

struct conn {
    const struct conn_handler *handler;
    void *context;
    struct buf output;
    bool is_open, is_paused;
};

struct conn_request {
    void (*on_connected)(void *context, struct conn *conn);
    void (*on_fail)(void *context, const char *text);
    void *context;
};

int64_t fake_now_ms = 1000000;

static struct {
    struct loop_timer *timer;
    int64_t due_ms, repeat_ms;
} timers[MAX_TIMERS];
static size_t timer_count;
static struct conn conns[MAX_CONNS];
static size_t opened;
static struct conn_request *requests[MAX_REQUESTS];
static size_t request_count;

static int64_t now(const struct clock *clock)
{
    return fake_now_ms;
}

const struct clock fake_clock = {now, now};

void fake_net_reset(void)
{
    timer_count = opened = request_count = 0;
}

/* --- timers --- */

void loop_timer_stop(struct loop_timer *timer)
{
    for (size_t i = 0; i < timer_count; i++) {
        if (timers[i].timer == timer) {
            timers[i] = timers[--timer_count];
            return;
        }
    }
}

void loop_timer_start(struct loop *loop, struct loop_timer *timer, double after_s, double repeat_s,
                      void (*fire)(void *context), void *context)
{
    loop_timer_stop(timer);
    cr_assert_lt(timer_count, MAX_TIMERS);
    timer->fire = fire;
    timer->context = context;
    timers[timer_count].timer = timer;
    timers[timer_count].due_ms = fake_now_ms + (int64_t)(after_s * 1000 + 0.5);
    timers[timer_count].repeat_ms = (int64_t)(repeat_s * 1000 + 0.5);
    timer_count++;
}

/* Index of the timer that fires next, or -1. */
static int first_timer(void)
{
    int first = -1;

    for (size_t i = 0; i < timer_count; i++) {
        if (first < 0 || timers[i].due_ms < timers[first].due_ms) {
            first = (int)i;
        }
    }
    return first;
}

int64_t fake_next_timer_ms(void)
{
    int first = first_timer();

    return first < 0 ? -1 : timers[first].due_ms - fake_now_ms;
}

static void fire_until(int64_t end_ms)
{
    for (int i = first_timer(); i >= 0 && timers[i].due_ms <= end_ms; i = first_timer()) {
        struct loop_timer *timer = timers[i].timer;

        fake_now_ms = timers[i].due_ms > fake_now_ms ? timers[i].due_ms : fake_now_ms;
        if (timers[i].repeat_ms > 0) {
            timers[i].due_ms += timers[i].repeat_ms;
        } else {
            loop_timer_stop(timer);
        }
        timer->fire(timer->context);
    }
}

void fake_settle(void)
{
    fire_until(fake_now_ms);
}

void fake_advance(int64_t ms)
{
    int64_t end_ms = fake_now_ms + ms;

    fire_until(end_ms);
    fake_now_ms = end_ms;
}

/* --- connections --- */

struct conn_request *conn_connect(struct loop *loop, const char *host, int port, int timeout_s,
                                  const struct net_keepalive *keepalive,
                                  const struct conn_limits *limits,
                                  void (*on_connected)(void *context, struct conn *conn),
                                  void (*on_fail)(void *context, const char *text), void *context)
{
    struct conn_request *request = calloc(1, sizeof(*request));

    cr_assert_lt(request_count, MAX_REQUESTS);
    *request = (struct conn_request){on_connected, on_fail, context};
    requests[request_count++] = request;
    return request;
}

static void forget_request(size_t i)
{
    free(requests[i]);
    memmove(&requests[i], &requests[i + 1], (--request_count - i) * sizeof(requests[0]));
}

void conn_connect_cancel(struct conn_request *request)
{
    for (size_t i = 0; i < request_count; i++) {
        if (requests[i] == request) {
            forget_request(i);
            return;
        }
    }
    cr_assert_null(request, "a request was cancelled behind its end");
}

int fake_connects_pending(void)
{
    return (int)request_count;
}

struct conn *fake_accept(void)
{
    struct conn_request request;
    struct conn *conn = &conns[opened++];

    cr_assert_gt(request_count, 0, "nobody connects");
    cr_assert_leq(opened, MAX_CONNS);
    request = *requests[0];
    forget_request(0);
    *conn = (struct conn){.is_open = true};
    request.on_connected(request.context, conn);
    return conn;
}

void fake_refuse(const char *text)
{
    struct conn_request request;

    cr_assert_gt(request_count, 0, "nobody connects");
    request = *requests[0];
    forget_request(0);
    request.on_fail(request.context, text);
}

int fake_conns_open(void)
{
    int open = 0;

    for (size_t i = 0; i < opened; i++) {
        open += conns[i].is_open;
    }
    return open;
}

void conn_set_handler(struct conn *conn, const struct conn_handler *handler, void *context)
{
    conn->handler = handler;
    conn->context = context;
}

void *conn_context(const struct conn *conn)
{
    return conn->context;
}

struct buf *conn_output(struct conn *conn)
{
    return &conn->output;
}

void conn_flush(struct conn *conn)
{
}

void conn_pause_input(struct conn *conn, bool pause)
{
    conn->is_paused = pause;
}

bool fake_is_paused(const struct conn *conn)
{
    return conn->is_paused;
}

void conn_close(struct conn *conn, const char *reason)
{
    cr_assert(conn->is_open, "closed twice");
    conn->is_open = false;
    if (conn->handler->on_close != NULL) {
        conn->handler->on_close(conn, reason);
    }
}

const char *fake_sent(struct conn *conn)
{
    static char sent[300];

    snprintf(sent, sizeof(sent), "%.*s", STR_ARG(buf_str(&conn->output)));
    buf_clear(&conn->output);
    return sent;
}

void fake_receive(struct conn *conn, const char *bytes)
{
    cr_assert(conn->is_open, "bytes for a closed connection");
    cr_assert_not(conn->is_paused, "bytes for a paused connection");
    if (conn->handler->on_bytes != NULL) {
        cr_expect_eq(conn->handler->on_bytes(conn, str_from(bytes)), strlen(bytes));
        return;
    }
    for (struct str rest = str_from(bytes), line; conn->is_open && rest.len > 0;) {
        if (str_split(&rest, '\n', &line)) {
            conn->handler->on_line(conn, line);
        }
    }
}

void fake_eof(struct conn *conn)
{
    cr_assert(conn->is_open);
    if (conn->handler->on_eof != NULL) {
        conn->handler->on_eof(conn, (struct str){0});
    } else {
        conn_close(conn, "peer");
    }
}
