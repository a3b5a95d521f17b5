/*
 * Connections that we open: success, every kind of failure, and changing one's mind.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/conn.h"

static struct loop *loop;
static struct conn *connected;
static char failure[400], received[400], end_reason[100];
static const struct net_keepalive keepalive = {63, 19, 3, 0};
static const struct conn_limits limits = {.max_line = 100};

static void make_loop(void)
{
    loop = loop_new("test");
}

static void free_loop(void)
{
    loop_free(loop);
}

TestSuite(connect, .init = make_loop, .fini = free_loop, .timeout = 30);

/* @return A socket that listens on a port of its own; -1 when the address is not there. */
static int listen_on(const char *address, int backlog, int *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST}, *info;
    struct sockaddr_storage bound;
    socklen_t len = sizeof(bound);
    char service[16];
    int fd;

    snprintf(service, sizeof(service), "%d", *port);
    cr_assert_eq(getaddrinfo(address, service, &hints, &info), 0);
    fd = socket(info->ai_family, SOCK_STREAM, 0);
    cr_assert_eq(bind(fd, info->ai_addr, info->ai_addrlen), 0);
    cr_assert_eq(listen(fd, backlog), 0);
    getsockname(fd, (struct sockaddr *)&bound, &len);
    *port = ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                              : ((struct sockaddr_in *)&bound)->sin_port);
    freeaddrinfo(info);
    return fd;
}

static void on_line(struct conn *conn, struct str line)
{
    snprintf(received, sizeof(received), "%.*s", STR_ARG(line));
    conn_close_after_flush(conn, "enough");
}

static void on_close(struct conn *conn, const char *reason)
{
    connected = NULL;
    snprintf(end_reason, sizeof(end_reason), "%s", reason);
    loop_stop(loop);
}

static const struct conn_handler handler = {.on_line = on_line, .on_close = on_close};

static void on_connected(void *context, struct conn *conn)
{
    connected = conn;
    conn_set_handler(conn, &handler, context);
    buf_add_str(conn_output(conn), STR("hello\n"));
    if (context != NULL) {
        loop_stop(loop);
    }
}

static void on_fail(void *context, const char *text)
{
    snprintf(failure, sizeof(failure), "%s", text);
    loop_stop(loop);
}

static struct conn_request *start(const char *host, int port, int timeout_s, void *context)
{
    return conn_connect(loop, host, port, timeout_s, &keepalive, &limits, on_connected, on_fail,
                        context);
}

Test(connect, talks_to_the_peer)
{
    char text[16] = "";
    int port = 0, listening = listen_on("127.0.0.1", 5, &port), peer;

    start("127.0.0.1", port, 5, "stop");
    cr_assert_null(connected); /* Never before it returns. */
    loop_run(loop);
    cr_assert_not_null(connected, "%s", failure);
    cr_expect_str_eq(conn_peer(connected), "127.0.0.1");
    peer = accept(listening, NULL, NULL);
    cr_expect_eq(recv(peer, text, 6, MSG_WAITALL), 6);
    cr_expect_str_eq(text, "hello\n");
    close(peer);
    close(listening);
}

struct peer {
    pthread_t thread;
    int listening;
};

static void *say_hello_back(void *argument)
{
    char text[16] = "";
    int fd = accept(((struct peer *)argument)->listening, NULL, NULL);

    cr_expect_eq(recv(fd, text, 6, MSG_WAITALL), 6);
    cr_expect_eq(send(fd, "welcome\n", 8, MSG_NOSIGNAL), 8);
    cr_expect_eq(recv(fd, text, sizeof(text), 0), 0);
    close(fd);
    return NULL;
}

Test(connect, delivers_lines_and_closes)
{
    struct peer peer;
    int port = 0;

    peer.listening = listen_on("127.0.0.1", 5, &port);
    pthread_create(&peer.thread, NULL, say_hello_back, &peer);
    start("127.0.0.1", port, 5, NULL);
    loop_run(loop);
    pthread_join(peer.thread, NULL);
    cr_expect_str_eq(received, "welcome");
    cr_expect_str_eq(end_reason, "enough");
    close(peer.listening);
}

Test(connect, refused_port_is_reported)
{
    char sentence[100];
    int port = 0;

    close(listen_on("127.0.0.1", 5, &port)); /* Nobody listens there any more. */
    start("127.0.0.1", port, 5, NULL);
    loop_run(loop);
    snprintf(sentence, sizeof(sentence), "127.0.0.1 port %d: Connection refused", port);
    cr_expect_str_eq(failure, sentence);
}

/* What src/net resolves: "both" has two addresses, whatever the machine's hosts file says. */
int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
        dlsym(RTLD_NEXT, "getaddrinfo");
    int rc;

    if (strcmp(host, "both") != 0) {
        return next(host, service, hints, out);
    }
    rc = next("::1", service, hints, out);
    return rc != 0 ? rc : next("127.0.0.1", service, hints, &(*out)->ai_next);
}

Test(connect, tries_every_address)
{
    static const char *const addresses[] = {"127.0.0.1", "::1"};

    for (int i = 0; i < 2; i++) {
        int port = 0, listening = listen_on(addresses[i], 5, &port);

        failure[0] = '\0';
        start("both", port, 5, "stop");
        loop_run(loop);
        cr_assert_not_null(connected, "%s", failure);
        cr_expect_str_eq(conn_peer(connected), addresses[i]);
        close(listening);
        loop_free(loop);
        make_loop();
    }
}

Test(connect, failure_names_each_address)
{
    char sentence[100];
    int port = 0;

    close(listen_on("127.0.0.1", 5, &port));
    start("both", port, 5, NULL);
    loop_run(loop);
    snprintf(sentence, sizeof(sentence),
             "both port %d: ::1: Connection refused, 127.0.0.1: Connection refused", port);
    cr_expect_str_eq(failure, sentence);
}

Test(connect, unknown_name_is_reported)
{
    start("no-such-host.invalid", 43, 5, NULL);
    loop_run(loop);
    cr_expect(str_starts(str_from(failure), STR("no-such-host.invalid port 43: ")), "%s", failure);
    cr_expect_gt(strlen(failure), strlen("no-such-host.invalid port 43: "));
}

/* Fill the queue of a listening socket, so that the kernel leaves further clients unanswered. */
static int listen_deaf(int *port, int clients[4])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
    int listening = listen_on("127.0.0.1", 0, port);

    address.sin_port = htons((uint16_t)*port);
    for (int i = 0; i < 4; i++) {
        clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(clients[i], (struct sockaddr *)&address, sizeof(address));
    }
    return listening;
}

Test(connect, silent_peer_meets_the_timeout)
{
    int64_t started = clock_mono_us();
    int clients[4], port = 0, listening = listen_deaf(&port, clients);
    char sentence[100];

    start("127.0.0.1", port, 1, NULL);
    loop_run(loop);
    snprintf(sentence, sizeof(sentence), "127.0.0.1 port %d: no answer within 1 s", port);
    cr_expect_str_eq(failure, sentence);
    cr_expect_geq(clock_mono_us() - started, 900000);
    for (int i = 0; i < 4; i++) {
        close(clients[i]);
    }
    close(listening);
}

static void cancel(void *context)
{
    conn_connect_cancel(context);
}

static void stop_loop(void *context)
{
    loop_stop(loop);
}

Test(connect, cancelled_while_connecting_calls_nobody)
{
    struct loop_timer cancel_timer = {0}, end = {0};
    int clients[4], port = 0, listening = listen_deaf(&port, clients);
    struct conn_request *request = start("127.0.0.1", port, 1, NULL);

    loop_timer_start(loop, &cancel_timer, 0.2, 0, cancel, request);
    loop_timer_start(loop, &end, 1.4, 0, stop_loop, NULL);
    loop_run(loop);
    cr_expect_null(connected);
    cr_expect_str_eq(failure, "");
    for (int i = 0; i < 4; i++) {
        close(clients[i]);
    }
    close(listening);
}

Test(connect, cancelled_while_resolving_calls_nobody)
{
    struct loop_timer end = {0};
    int port = 0, listening = listen_on("127.0.0.1", 50, &port);

    /* At once, after a while, and when the result may already be in the loop's queue. */
    for (int i = 0; i < 200; i++) {
        struct conn_request *request = start("127.0.0.1", port, 1, NULL);

        usleep((useconds_t)(i * 5));
        conn_connect_cancel(request);
    }
    conn_connect_cancel(NULL);
    loop_timer_start(loop, &end, 0.1, 0, stop_loop, NULL);
    loop_run(loop);
    cr_expect_null(connected);
    cr_expect_str_eq(failure, "");
    close(listening);
}

Test(connect, socket_options_are_set)
{
    int port = 0, listening = listen_on("127.0.0.1", 5, &port), value = 0;
    socklen_t len = sizeof(value);
    struct sockaddr_in peer;
    int fd = -1;

    start("127.0.0.1", port, 5, "stop");
    loop_run(loop);
    cr_assert_not_null(connected, "%s", failure);
    for (int candidate = 3; candidate < 256; candidate++) {
        socklen_t peer_len = sizeof(peer);

        if (getpeername(candidate, (struct sockaddr *)&peer, &peer_len) == 0 &&
            peer.sin_family == AF_INET && ntohs(peer.sin_port) == port) {
            fd = candidate;
        }
    }
    cr_assert_geq(fd, 0);
    cr_assert_eq(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &len), 0);
    cr_expect_eq(value, 1);
    cr_assert_eq(getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &value, &len), 0);
    cr_expect_eq(value, 63);
    cr_assert_eq(getsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &value, &len), 0);
    cr_expect_eq(value, 19);
    cr_assert_eq(getsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &value, &len), 0);
    cr_expect_eq(value, 3);
    close(listening);
}
