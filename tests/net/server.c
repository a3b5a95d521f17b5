/*
 * The server and the client that the tests of src/net share.
 */
#include "server.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

struct session {
    struct server *server;
    size_t left;      /* Of a big answer. */
    char soon;        /* Of an answer in many turns: the letter; 0: a big one. */
    size_t soon_left; /* Its turns. */
};

static void on_line(struct conn *conn, struct str line)
{
    struct session *session = conn_context(conn);
    struct buf *out = conn_output(conn);

    if (str_starts(line, STR("big "))) {
        session->left = strtoul(line.at + 4, NULL, 10);
        conn_answer(conn);
    } else if (str_starts(line, STR("soon "))) {
        session->soon = line.at[5];
        session->soon_left = SOON_TURNS;
        conn_answer(conn);
    } else if (str_starts(line, STR("bye "))) {
        buf_add_str(out, str_sub(line, 4, line.len));
        conn_close_after_flush(conn, "bye");
    } else if (str_eq(line, STR("drop"))) {
        conn_close(conn, "dropped");
    } else if (str_eq(line, STR("pause"))) {
        conn_pause_input(conn, true);
    } else {
        buf_printf(out, "%zu %.*s\n", line.len, STR_ARG(line));
    }
}

static enum conn_pump pump_soon(struct session *session, struct buf *out)
{
    char turn[2] = {session->soon};

    strncat(session->server->turns, turn, sizeof(session->server->turns) - 1);
    if (--session->soon_left > 0) {
        return CONN_SOON;
    }
    buf_printf(out, "%c\n", session->soon);
    session->soon = '\0';
    return CONN_DONE;
}

static enum conn_pump pump(struct conn *conn)
{
    struct session *session = conn_context(conn);
    struct server *server = session->server;
    size_t slice = session->left < SLICE_BYTES ? session->left : SLICE_BYTES;
    struct buf *out = conn_output(conn);

    if (session->soon != '\0') {
        return pump_soon(session, out);
    }
    if (conn_unsent(conn) > server->most_unsent) {
        server->most_unsent = conn_unsent(conn);
    }
    buf_reserve(out, slice + 1);
    memset(out->at + out->len, 'x', slice);
    out->len += slice;
    session->left -= slice;
    server->pumped += slice;
    if (session->left > 0) {
        return CONN_MORE;
    }
    buf_add_char(out, '\n');
    return CONN_DONE;
}

static void on_line_too_long(struct conn *conn)
{
    buf_add_str(conn_output(conn), STR("too long\n"));
}

static void on_idle(struct conn *conn)
{
    buf_add_str(conn_output(conn), STR("too slow\n"));
    conn_close_after_flush(conn, "idle");
}

static void on_eof(struct conn *conn, struct str rest)
{
    buf_printf(conn_output(conn), "rest=%.*s\n", STR_ARG(rest));
    conn_close_after_flush(conn, "peer");
}

static void on_close(struct conn *conn, const char *reason)
{
    struct session *session = conn_context(conn);
    struct server *server = session->server;

    pthread_mutex_lock(&server->lock);
    strncat(server->reasons, reason, sizeof(server->reasons) - strlen(server->reasons) - 1);
    strncat(server->reasons, ";", sizeof(server->reasons) - strlen(server->reasons) - 1);
    pthread_mutex_unlock(&server->lock);
    if (server->newest == conn) {
        server->newest = NULL;
    }
    free(session);
    server->closed++;
    sem_post(&server->on_close);
}

static const struct conn_handler handler = {.on_line = on_line,
                                            .pump = pump,
                                            .on_line_too_long = on_line_too_long,
                                            .on_idle = on_idle,
                                            .on_eof = on_eof,
                                            .on_close = on_close};
static const struct conn_handler handler_without_idle = {
    .on_line = on_line, .pump = pump, .on_close = on_close};

static void on_accept(struct conn *conn, enum net_refusal refusal, void *context)
{
    static const char *const greetings[] = {
        [NET_OK] = "", [NET_TOO_MANY] = "full\n", [NET_TOO_MANY_FROM_ADDRESS] = "too many\n"};
    struct server *server = context;
    struct session *session = calloc(1, sizeof(*session));

    session->server = server;
    server->newest = conn;
    server->accepted++;
    conn_set_handler(conn, server->has_no_idle_handler ? &handler_without_idle : &handler, session);
    buf_add_str(conn_output(conn), str_from(greetings[refusal]));
}

void server_init(struct server *server)
{
    static const char *const loopback[] = {"127.0.0.1"};

    memset(server, 0, sizeof(*server));
    server->conf.addresses = loopback;
    server->conf.address_count = 1;
    server->conf.limits.max_line = 1024;
    server->conf.limits.telnet_interrupt = true;
    sem_init(&server->on_close, 0, 0);
    pthread_mutex_init(&server->lock, NULL);
}

void server_start(struct server *server)
{
    struct why why = {0};

    server->loop = loop_new("server");
    server->limits = net_limits_new(server->max_total, server->max_per_address);
    cr_assert_eq(listener_open(&server->conf, 1, server->limits, &server->listener, &why), ERR_OK,
                 "%s", why.text);
    server->port = listener_port(server->listener);
    listener_serve(server->listener, 0, server->loop, on_accept, server);
    cr_assert_eq(loop_start_thread(server->loop, &why), ERR_OK, "%s", why.text);
}

void server_stop(struct server *server)
{
    loop_stop(server->loop);
    loop_join(server->loop);
    listener_free(server->listener);
    loop_free(server->loop);
    cr_expect_eq(net_limits_count(server->limits), 0);
    net_limits_free(server->limits);
    cr_expect_eq(server->accepted, server->closed);
}

struct call {
    struct loop_job job;
    void (*run)(struct server *server);
    struct server *server;
    sem_t done;
};

static void run_call(struct loop_job *job)
{
    struct call *call = (struct call *)job;

    call->run(call->server);
    sem_post(&call->done);
}

void server_call(struct server *server, void (*run)(struct server *server))
{
    struct call call = {.job.run = run_call, .run = run, .server = server};

    sem_init(&call.done, 0, 0);
    loop_post(server->loop, &call.job);
    sem_wait(&call.done);
}

void server_wait_close(struct server *server)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    cr_assert_eq(sem_timedwait(&server->on_close, &until), 0, "no connection closed within 10 s");
}

bool server_has_reason(struct server *server, const char *reason)
{
    bool found;

    pthread_mutex_lock(&server->lock);
    found = strstr(server->reasons, reason) != NULL;
    pthread_mutex_unlock(&server->lock);
    return found;
}

static void set_time_limits(int fd)
{
    struct timeval limit = {.tv_sec = 10};

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

int client_connect_to(const char *address, int port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    bool is_v6 = strchr(address, ':') != NULL;
    int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
    int rc;

    set_time_limits(fd);
    if (is_v6) {
        inet_pton(AF_INET6, address, &v6.sin6_addr);
        rc = connect(fd, (struct sockaddr *)&v6, sizeof(v6));
    } else {
        inet_pton(AF_INET, address, &v4.sin_addr);
        rc = connect(fd, (struct sockaddr *)&v4, sizeof(v4));
    }
    cr_assert_eq(rc, 0, "connect to %s port %d: %s", address, port, strerror(errno));
    return fd;
}

int client_connect(int port)
{
    return client_connect_to("127.0.0.1", port);
}

void client_send_bytes(int fd, const void *bytes, size_t len)
{
    cr_assert_eq(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

void client_send(int fd, const char *text)
{
    client_send_bytes(fd, text, strlen(text));
}

static char received[1 << 20];

const char *client_read_all(int fd)
{
    size_t len = 0;
    ssize_t got;

    while ((got = recv(fd, received + len, sizeof(received) - 1 - len, 0)) > 0) {
        len += (size_t)got;
    }
    cr_assert_eq(got, 0, "after %zu bytes: %s", len, strerror(errno));
    received[len] = '\0';
    return received;
}

const char *client_read(int fd, size_t len)
{
    cr_assert_lt(len, sizeof(received));
    cr_assert_eq(recv(fd, received, len, MSG_WAITALL), (ssize_t)len, "%s", strerror(errno));
    received[len] = '\0';
    return received;
}

void client_expect(int fd, const char *text)
{
    const char *got = client_read(fd, strlen(text));

    cr_assert_str_eq(got, text, "expected %s, got %s", text, got);
}

size_t client_count_all(int fd)
{
    size_t total = 0;
    ssize_t got;

    while ((got = recv(fd, received, sizeof(received), 0)) > 0) {
        total += (size_t)got;
    }
    cr_assert_eq(got, 0, "after %zu bytes: %s", total, strerror(errno));
    return total;
}
