/*
 * Connections against real sockets on the loopback.
 */
#include "net/conn.h"

#include <criterion/criterion.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "server.h"

static struct server server;

static void init(void)
{
    server_init(&server);
}

static void stop(void)
{
    server_stop(&server);
}

TestSuite(conn, .init = init, .fini = stop, .timeout = 60);

Test(conn, answers_pipelined_lines_in_order)
{
    struct buf lines = {0}, answers = {0};
    int client;

    for (int i = 0; i < 20000; i++) {
        char line[32];
        int len = snprintf(line, sizeof(line), "line %d", i);

        buf_printf(&lines, "%s\n", line);
        buf_printf(&answers, "%d %s\n", len, line);
    }
    buf_add_char(&answers, '\0');
    server_start(&server);
    client = client_connect(server.port);
    client_send_bytes(client, lines.at, lines.len);
    client_expect(client, answers.at);
    close(client);
    buf_free(&lines);
    buf_free(&answers);
}

Test(conn, keeps_the_carriage_return)
{
    int client;

    server_start(&server);
    client = client_connect(server.port);
    client_send(client, "x\r\n\n");
    client_expect(client, "2 x\r\n0 \n");
    close(client);
}

Test(conn, joins_a_line_that_comes_in_pieces)
{
    const char *text = "pieces\n";
    int client, on = 1;

    server_start(&server);
    client = client_connect(server.port);
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    for (size_t i = 0; i < strlen(text); i++) {
        client_send_bytes(client, text + i, 1);
        usleep(2000); /* To make pieces likely; the outcome does not depend on it. */
    }
    client_expect(client, "6 pieces\n");
    close(client);
}

Test(conn, half_closed_client_gets_every_answer_in_full)
{
    int client;

    server_start(&server);
    client = client_connect(server.port);
    client_send(client, "one\nbig 3000000\ntwo\nbig 1000000\n");
    shutdown(client, SHUT_WR);
    cr_expect_eq(client_count_all(client),
                 strlen("3 one\n") + 3000001 + strlen("3 two\n") + 1000001 + strlen("rest=\n"));
    server_wait_close(&server);
    cr_expect(server_has_reason(&server, "peer;"));
    close(client);
}

Test(conn, half_closed_client_is_told_of_its_unfinished_line)
{
    int client;

    server_start(&server);
    client = client_connect(server.port);
    client_send(client, "one\nunfinished");
    shutdown(client, SHUT_WR);
    cr_expect_str_eq(client_read_all(client), "3 one\nrest=unfinished\n");
    close(client);
}

Test(conn, next_line_waits_for_the_end_of_a_long_answer)
{
    const char *tail = "x\n5 after\n";
    int client;

    server_start(&server);
    client = client_connect(server.port);
    client_send(client, "big 700000\nafter\n");
    client_read(client, 700000 + 1 - 2);
    client_expect(client, tail);
    close(client);
}

Test(conn, slow_reader_is_paused_while_another_client_is_served)
{
    const size_t size = 200000000;
    size_t pumped;
    int slow, quick;

    server.conf.limits.output_pause = 100000;
    server_start(&server);
    slow = client_connect(server.port);
    client_send(slow, "big 200000000\n");
    client_read(slow, 1);

    quick = client_connect(server.port);
    for (int i = 0; i < 200; i++) {
        client_send(quick, "quick\n");
        client_expect(quick, "5 quick\n");
    }
    /* The kernel's buffers are full by then, or will be within a few megabytes. */
    do {
        pumped = server.pumped;
        usleep(50000);
    } while (server.pumped != pumped);
    cr_expect_lt(pumped, size / 2);
    cr_expect_lt(server.most_unsent, 100000);
    client_send(quick, "quick\n");
    client_expect(quick, "5 quick\n");

    shutdown(slow, SHUT_WR);
    cr_expect_eq(client_count_all(slow), size - 1 + strlen("\nrest=\n"));
    close(slow);
    close(quick);
}

static void *read_to_the_end(void *argument)
{
    char *scratch = malloc(1 << 20);
    int fd = *(int *)argument;
    size_t total = 0;
    ssize_t got;

    while ((got = recv(fd, scratch, 1 << 20, 0)) > 0) {
        total += (size_t)got;
    }
    free(scratch);
    return (void *)total;
}

Test(conn, long_answers_take_turns)
{
    const size_t size = 1000000000;
    pthread_t reader;
    void *total;
    int first, second;

    server_start(&server);
    first = client_connect(server.port);
    client_send(first, "big 1000000000\n");
    pthread_create(&reader, NULL, read_to_the_end, &first);

    second = client_connect(server.port);
    client_send(second, "big 1000000\n");
    shutdown(second, SHUT_WR);
    cr_expect_eq(client_count_all(second), 1000001 + strlen("rest=\n"));
    cr_expect_lt(server.pumped, size);

    shutdown(first, SHUT_WR);
    pthread_join(reader, &total);
    cr_expect_eq((size_t)total, size + strlen("\nrest=\n"));
    close(first);
    close(second);
}

Test(conn, flood_of_lines_does_not_starve_others)
{
    struct buf lines = {0};
    pthread_t reader;
    int flood, quick;
    void *total;
    int64_t started;

    for (int i = 0; i < 300000; i++) {
        buf_add_str(&lines, STR("l\n"));
    }
    server_start(&server);
    flood = client_connect(server.port);
    quick = client_connect(server.port);
    pthread_create(&reader, NULL, read_to_the_end, &flood);
    started = clock_mono_us();
    client_send_bytes(flood, lines.at, lines.len / 2);
    client_send(quick, "quick\n");
    client_expect(quick, "5 quick\n");
    cr_expect_lt(clock_mono_us() - started, 5000000);
    client_send_bytes(flood, lines.at, lines.len / 2);
    shutdown(flood, SHUT_WR);
    pthread_join(reader, &total);
    cr_expect_eq((size_t)total, 300000 * strlen("1 l\n") + strlen("rest=\n"));
    close(flood);
    close(quick);
    buf_free(&lines);
}

Test(conn, line_too_long_is_refused)
{
    char line[2000];
    int client;

    memset(line, 'a', sizeof(line));
    server_start(&server);

    client = client_connect(server.port);
    line[1024] = '\n';
    client_send_bytes(client, line, 1025); /* As long as it may be. */
    client_read(client, strlen("1024 \n") + 1024);
    line[1024] = 'a';
    line[1025] = '\n';
    client_send_bytes(client, line, 1026);
    cr_expect_str_eq(client_read_all(client), "too long\n");
    server_wait_close(&server);
    cr_expect(server_has_reason(&server, "line too long;"));
    close(client);

    client = client_connect(server.port);
    client_send_bytes(client, line, 1025); /* No delimiter in sight. */
    cr_expect_str_eq(client_read_all(client), "too long\n");
    close(client);
}

static void *send_much(void *argument)
{
    char *bytes = calloc(1, 1000000);

    for (int i = 0; i < 5; i++) {
        (void)!send(*(int *)argument, bytes, 1000000, MSG_NOSIGNAL);
    }
    free(bytes);
    return NULL;
}

Test(conn, answer_arrives_although_the_client_keeps_sending)
{
    pthread_t sender;
    int client;

    server_start(&server);
    client = client_connect(server.port);
    pthread_create(&sender, NULL, send_much, &client);
    /* The read fails if the socket was reset. */
    cr_expect_str_eq(client_read_all(client), "too long\n");
    pthread_join(sender, NULL);
    close(client);
}

Test(conn, silent_client_is_told_and_closed)
{
    int64_t started;
    int client;

    server.conf.limits.read_timeout_s = 1;
    server_start(&server);
    client = client_connect(server.port);
    usleep(600000);
    client_send(client, "x\n");
    started = clock_mono_us();
    client_expect(client, "1 x\n");
    cr_expect_str_eq(client_read_all(client), "too slow\n");
    cr_expect_geq(clock_mono_us() - started, 900000);
    cr_expect_leq(clock_mono_us() - started, 5000000);
    server_wait_close(&server);
    cr_expect(server_has_reason(&server, "idle;"));
    close(client);
}

Test(conn, silent_client_is_closed_without_a_handler)
{
    int client;

    server.conf.limits.read_timeout_s = 1;
    server.has_no_idle_handler = true;
    server_start(&server);
    client = client_connect(server.port);
    cr_expect_str_eq(client_read_all(client), "");
    server_wait_close(&server);
    cr_expect(server_has_reason(&server, "idle;"));
    close(client);
}

Test(conn, client_that_never_reads_meets_the_write_timeout)
{
    int client;

    server.conf.limits.write_timeout_s = 1;
    server_start(&server);
    client = client_connect(server.port);
    client_send(client, "big 100000000\n");
    server_wait_close(&server);
    cr_expect(server_has_reason(&server, "write time-out;"));
    cr_expect_lt(server.pumped, 100000000);
    close(client);
}

Test(conn, telnet_interrupt_ends_a_line)
{
    static const unsigned char bytes[] = "abc\xff\xf4\xff\xfd\x06"
                                         "de\xff\n";
    int client, on = 1;

    server_start(&server);
    client = client_connect(server.port);
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    client_send_bytes(client, bytes, sizeof(bytes) - 1);
    client_expect(client, "3 abc\n3 de\xff\n");
    for (size_t i = 0; i < sizeof(bytes) - 1; i++) {
        client_send_bytes(client, bytes + i, 1);
        usleep(2000);
    }
    client_expect(client, "3 abc\n3 de\xff\n");
    close(client);
}

Test(conn, bye_is_flushed_before_the_close)
{
    int client;

    server_start(&server);
    client = client_connect(server.port);
    client_send(client, "one\nbye now\nignored\n");
    cr_expect_str_eq(client_read_all(client), "3 one\nnow");
    server_wait_close(&server);
    cr_expect(server_has_reason(&server, "bye;"));
    close(client);
}

Test(conn, nothing_is_delivered_after_a_close)
{
    char byte;
    int client;

    server_start(&server);
    client = client_connect(server.port);
    client_send(client, "drop\nignored\n");
    cr_expect_leq(recv(client, &byte, 1, 0), 0);
    server_wait_close(&server);
    cr_expect_str_eq(server.reasons, "dropped;");
    close(client);
}

Test(conn, client_that_vanishes_in_an_answer_is_noticed)
{
    struct linger reset = {.l_onoff = 1};
    int client;

    server_start(&server);
    client = client_connect(server.port);
    client_send(client, "big 100000000\n");
    client_read(client, 1000);
    setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(client);
    server_wait_close(&server);
    cr_expect_str_eq(server.reasons, "peer;");
}

static void resume(struct server *s)
{
    conn_pause_input(s->newest, false);
}

static void nothing(struct server *s)
{
}

Test(conn, paused_input_is_delivered_later)
{
    char byte;
    int client;

    server_start(&server);
    client = client_connect(server.port);
    client_send(client, "pause\none\n");
    client_send(client, "two\n");
    for (int i = 0; i < 20; i++) {
        server_call(&server, nothing);
    }
    cr_expect_eq(recv(client, &byte, 1, MSG_DONTWAIT), -1);
    server_call(&server, resume);
    client_expect(client, "3 one\n3 two\n");
    close(client);
}

static void push(struct server *s)
{
    buf_add_str(conn_output(s->newest), STR("pushed\n"));
    conn_flush(s->newest);
}

static void close_newest_after_flush(struct server *s)
{
    buf_add_str(conn_output(s->newest), STR("end\n"));
    conn_close_after_flush(s->newest, "done");
    /* The connection lives until the loop gets to it. */
    cr_assert_not_null(s->newest);
    cr_expect_eq(conn_count(s->loop), 1);
}

Test(conn, output_from_outside_a_callback_is_flushed)
{
    int client;

    server_start(&server);
    client = client_connect(server.port);
    client_send(client, "x\n");
    client_expect(client, "1 x\n");
    server_call(&server, push);
    client_expect(client, "pushed\n");
    server_call(&server, close_newest_after_flush);
    cr_expect_str_eq(client_read_all(client), "end\n");
    server_wait_close(&server);
    cr_expect_str_eq(server.reasons, "done;");
    close(client);
}

static void finish(struct server *s)
{
    listener_stop(s->listener, 0);
    conn_finish_all(s->loop);
}

Test(conn, finishing_answers_what_was_received)
{
    int idle, answering, silent;

    server_start(&server);
    idle = client_connect(server.port);
    client_send(idle, "x\n");
    client_expect(idle, "1 x\n");
    silent = client_connect(server.port);
    answering = client_connect(server.port);
    client_send(answering, "big 50000000\nlast\n");
    client_read(answering, 1);
    server_call(&server, finish);
    cr_expect_str_eq(client_read_all(idle), "");
    client_send(silent, "first\n"); /* It has a second for that. */
    cr_expect_str_eq(client_read_all(silent), "5 first\n");
    cr_expect_eq(client_count_all(answering), 50000000 - 1 + strlen("\n4 last\n"));
    for (int i = 0; i < 3; i++) {
        server_wait_close(&server);
    }
    cr_expect_str_eq(server.reasons, "shutdown;shutdown;shutdown;");
    close(idle);
    close(silent);
    close(answering);
}

Test(conn, finishing_answers_lines_that_wait_for_room)
{
    struct buf lines = {0};
    int client;

    for (int i = 0; i < 400; i++) {
        buf_printf(&lines, "big %zu\n", SLICE_BYTES);
    }
    server.conf.limits.output_pause = SLICE_BYTES;
    server_start(&server);
    client = client_connect(server.port);
    client_send_bytes(client, lines.at, lines.len);
    client_read(client, 1);
    server_call(&server, finish);
    cr_expect_eq(client_count_all(client), 400 * (SLICE_BYTES + 1) - 1);
    server_wait_close(&server);
    cr_expect_str_eq(server.reasons, "shutdown;");
    close(client);
    buf_free(&lines);
}

/* --- raw mode --- */

static size_t take_pairs(struct conn *conn, struct str bytes)
{
    size_t taken = bytes.len / 2 * 2;

    buf_printf(conn_output(conn), "<%.*s>", (int)taken, bytes.at);
    return taken;
}

static void go_raw(struct server *s)
{
    static const struct conn_handler raw = {.on_bytes = take_pairs};

    free(conn_context(s->newest));
    conn_set_handler(s->newest, &raw, NULL);
    s->closed++; /* Its end will not be told. */
}

Test(conn, raw_bytes_that_are_not_taken_come_again)
{
    int client;

    server_start(&server);
    client = client_connect(server.port);
    client_send(client, "x\n");
    client_expect(client, "1 x\n");
    server_call(&server, go_raw);
    client_send(client, "abc");
    client_expect(client, "<ab><>");
    client_send(client, "d");
    client_expect(client, "<cd>");
    close(client);
}

/* --- socket options --- */

/* @return The server's end of a client's connection, which is in this process too. */
static int find_other_end(int client)
{
    struct sockaddr_in local, peer;
    socklen_t len = sizeof(local);

    getsockname(client, (struct sockaddr *)&local, &len);
    for (int fd = 3; fd < 256; fd++) {
        len = sizeof(peer);
        if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0 && peer.sin_family == AF_INET &&
            peer.sin_port == local.sin_port) {
            return fd;
        }
    }
    return -1;
}

static int option_of(int fd, int level, int option)
{
    socklen_t len = sizeof(int);
    int value = -1;

    cr_assert_eq(getsockopt(fd, level, option, &value, &len), 0);
    return value;
}

Test(conn, socket_options_are_set)
{
    int client, fd;

    server.conf.keepalive = (struct net_keepalive){61, 17, 5, 45000};
    server_start(&server);
    client = client_connect(server.port);
    client_send(client, "x\n");
    client_expect(client, "1 x\n");
    fd = find_other_end(client);
    cr_assert_geq(fd, 0);
    cr_expect_eq(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    cr_expect_eq(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    cr_expect_eq(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), 61);
    cr_expect_eq(option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL), 17);
    cr_expect_eq(option_of(fd, IPPROTO_TCP, TCP_KEEPCNT), 5);
    cr_expect_eq(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 45000);
    close(client);
}
