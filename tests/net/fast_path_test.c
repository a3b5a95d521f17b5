/*
 * What a line costs. The system calls of the server's thread are counted on their way to the C
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
static atomic_int recvs, sends, epoll_ctls;

static void count(atomic_int *counter)
{
    if (is_server_thread_known && pthread_equal(pthread_self(), server_thread)) {
        (*counter)++;
    }
}

ssize_t recv(int fd, void *bytes, size_t len, int flags)
{
    ssize_t (*next)(int, void *, size_t, int) = dlsym(RTLD_NEXT, "recv");

    count(&recvs);
    return next(fd, bytes, len, flags);
}

ssize_t send(int fd, const void *bytes, size_t len, int flags)
{
    ssize_t (*next)(int, const void *, size_t, int) = dlsym(RTLD_NEXT, "send");

    count(&sends);
    return next(fd, bytes, len, flags);
}

int epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
    int (*next)(int, int, int, struct epoll_event *) = dlsym(RTLD_NEXT, "epoll_ctl");

    count(&epoll_ctls);
    return next(epoll, op, fd, event);
}

static void start_counting(struct server *s)
{
    server_thread = pthread_self();
    is_server_thread_known = true;
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
    epoll_ctls = 0;
    for (int i = 0; i < 100; i++) {
        client_send(client, "x\n");
        client_expect(client, "1 x\n");
    }
    cr_expect_eq(recvs, 100);
    cr_expect_eq(sends, 100);
    cr_expect_eq(epoll_ctls, 0);
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
    cr_expect_eq(recvs, 1);
    cr_expect_eq(sends, 1);
    close(client);
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
