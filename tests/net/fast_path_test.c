/*
 * What a line costs. The system calls of the server's thread are written down on their way to the C
 * library.
 */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "server.h"

static struct server server;
static atomic_bool is_server_thread_known;
static pthread_t server_thread;

/* Written by the server's thread; looked at when it has nothing to do. */
static struct call {
    char what; /* 'r'eceive, 's'end, epoll_'c'tl. */
    int fd;
} calls[1000];
static atomic_int call_count;

static void note(char what, int fd)
{
    if (is_server_thread_known && pthread_equal(pthread_self(), server_thread) &&
        call_count < (int)(sizeof(calls) / sizeof(calls[0]))) {
        calls[call_count] = (struct call){what, fd};
        call_count++;
    }
}

static int count_calls(char what)
{
    int count = 0;

    for (int i = 0; i < call_count; i++) {
        count += calls[i].what == what;
    }
    return count;
}

ssize_t recv(int fd, void *bytes, size_t len, int flags)
{
    ssize_t (*next)(int, void *, size_t, int) = dlsym(RTLD_NEXT, "recv");

    note('r', fd);
    return next(fd, bytes, len, flags);
}

ssize_t send(int fd, const void *bytes, size_t len, int flags)
{
    ssize_t (*next)(int, const void *, size_t, int) = dlsym(RTLD_NEXT, "send");

    note('s', fd);
    return next(fd, bytes, len, flags);
}

int epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
    int (*next)(int, int, int, struct epoll_event *) = dlsym(RTLD_NEXT, "epoll_ctl");

    note('c', fd);
    return next(epoll, op, fd, event);
}

static void start_counting(struct server *s)
{
    server_thread = pthread_self();
    is_server_thread_known = true;
    call_count = 0;
}

/* Keeps the server's thread busy while lines of several clients arrive: one poll brings them all.
 */
struct stall {
    struct loop_job job;
    sem_t has_begun, may_end;
};

static void run_stall(struct loop_job *job)
{
    struct stall *stall = (struct stall *)job;

    sem_post(&stall->has_begun);
    sem_wait(&stall->may_end);
}

static void stall_begin(struct stall *stall)
{
    *stall = (struct stall){.job.run = run_stall};
    sem_init(&stall->has_begun, 0, 0);
    sem_init(&stall->may_end, 0, 0);
    loop_post(server.loop, &stall->job);
    sem_wait(&stall->has_begun);
}

static void stall_end(struct stall *stall)
{
    sem_post(&stall->may_end);
}

static void connect_all(int *clients, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        clients[i] = client_connect(server.port);
        client_send(clients[i], "warm-up\n");
        client_expect(clients[i], "7 warm-up\n");
    }
    server_call(&server, start_counting);
}

static void close_all(const int *clients, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        close(clients[i]);
    }
}

Test(fast_path, line_costs_one_read_and_one_write, .timeout = 30)
{
    int client;

    server_init(&server);
    server.conf.limits.read_timeout_s = 180;
    server.conf.limits.write_timeout_s = 60;
    server_start(&server);
    client = client_connect(server.port);
    client_send(client, "warm-up\n");
    client_expect(client, "7 warm-up\n");
    server_call(&server, start_counting);
    for (int i = 0; i < 100; i++) {
        client_send(client, "x\n");
        client_expect(client, "1 x\n");
    }
    cr_expect_eq(count_calls('r'), 100);
    cr_expect_eq(count_calls('s'), 100);
    cr_expect_eq(count_calls('c'), 0);
    close(client);
    server_stop(&server);
}

Test(fast_path, pipelined_lines_leave_in_one_write, .timeout = 30)
{
    int client;

    server_init(&server);
    server_start(&server);
    client = client_connect(server.port);
    client_send(client, "warm-up\n");
    client_expect(client, "7 warm-up\n");
    server_call(&server, start_counting);
    client_send(client, "a\nb\nc\nbig 1000\nd\n");
    client_read(client, 3 * strlen("1 a\n") + 1001 + strlen("1 d\n"));
    cr_expect_eq(count_calls('r'), 1);
    cr_expect_eq(count_calls('s'), 1);
    close(client);
    server_stop(&server);
}

Test(fast_path, answers_to_lines_that_came_together_are_sent_in_their_order, .timeout = 30)
{
    enum { CLIENTS = 10 };
    int clients[CLIENTS];
    struct stall stall;

    server_init(&server);
    server_start(&server);
    connect_all(clients, CLIENTS);
    stall_begin(&stall);
    for (int i = 0; i < CLIENTS; i++) {
        client_send(clients[i], i % 2 == 0 ? "x\n" : "x\ny\n");
    }
    stall_end(&stall);
    for (int i = 0; i < CLIENTS; i++) {
        client_expect(clients[i], i % 2 == 0 ? "1 x\n" : "1 x\n1 y\n");
    }
    cr_assert_eq(call_count, 2 * CLIENTS);
    for (int i = 0; i < CLIENTS; i++) {
        cr_expect_eq(calls[i].what, 'r');
        cr_expect_eq(calls[CLIENTS + i].what, 's');
        cr_expect_eq(calls[CLIENTS + i].fd, calls[i].fd);
    }
    close_all(clients, CLIENTS);
    server_stop(&server);
}

Test(fast_path, what_goes_on_soon_takes_turns_before_the_next_poll, .timeout = 30)
{
    int clients[3];
    struct stall stall;

    server_init(&server);
    server_start(&server);
    connect_all(clients, 3);
    stall_begin(&stall);
    client_send(clients[0], "soon a\n");
    client_send(clients[1], "soon b\n");
    client_send(clients[2], "x\nsoon c\ny\n");
    stall_end(&stall);
    client_expect(clients[0], "a\n");
    client_expect(clients[1], "b\n");
    client_expect(clients[2], "1 x\nc\n1 y\n");
    cr_assert_eq(strlen(server.turns), 3 * SOON_TURNS);
    cr_expect_neq(server.turns[0], server.turns[1]);
    for (size_t i = 3; i < 3 * SOON_TURNS; i++) {
        cr_expect_eq(server.turns[i], server.turns[i - 3], "turns %s", server.turns);
    }
    cr_expect_eq(call_count, 6, "one read and one write for each");
    close_all(clients, 3);
    server_stop(&server);
}

/* Before the first on a socket. */
static int count_sends_before(int fd)
{
    int count = 0;

    for (int i = 0; i < call_count && !(calls[i].what == 's' && calls[i].fd == fd); i++) {
        count += calls[i].what == 's';
    }
    return count;
}

Test(fast_path, short_answers_do_not_wait_for_the_slices_of_long_ones, .timeout = 30)
{
    enum { LONG = 5, CLIENTS = LONG + 2 };
    int clients[CLIENTS], fds[CLIENTS];
    struct stall stall;

    server_init(&server);
    server.conf.limits.output_pause = (size_t)1 << 30; /* Never: slow readers stay in the queue. */
    server_start(&server);
    connect_all(clients, CLIENTS);
    for (int i = 0; i < CLIENTS; i++) {
        client_send(clients[i], "who\n");
        client_expect(clients[i], "3 who\n");
        fds[i] = calls[2 * i].fd;
    }
    stall_begin(&stall);
    call_count = 0;
    client_send(clients[0], "first\n");
    for (int i = 1; i <= LONG; i++) {
        client_send(clients[i], "big 2000000\n");
    }
    client_send(clients[CLIENTS - 1], "last\n");
    stall_end(&stall);
    client_expect(clients[0], "5 first\n");
    client_expect(clients[CLIENTS - 1], "4 last\n");
    /* Not even for the second slice of any of them, wherever the lines stood in the poll. */
    cr_expect_leq(count_sends_before(fds[0]), LONG + 1);
    cr_expect_leq(count_sends_before(fds[CLIENTS - 1]), LONG + 1);
    close_all(clients, CLIENTS);
    server_stop(&server);
}

static size_t allocated(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

Test(fast_path, idle_connections_own_no_buffers, .timeout = 30)
{
    int clients[100];
    size_t before;

    server_init(&server);
    server_start(&server);
    clients[0] = client_connect(server.port);
    client_send(clients[0], "big 700000\n");
    client_read(clients[0], 700001);
    before = allocated(); /* With the buffers that the loop keeps to lend. */
    for (int i = 1; i < 100; i++) {
        clients[i] = client_connect(server.port);
        client_send(clients[i], "big 700000\n");
        client_read(clients[i], 700001);
    }
    cr_expect_lt(allocated(), before + 100 * 2048);
    for (int i = 0; i < 100; i++) {
        close(clients[i]);
    }
    server_stop(&server);
}
