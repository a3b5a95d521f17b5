/*
 * Listening: addresses, ports, limits, and what happens without descriptors.
 */
#include "net/listener.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "net/internal.h"
#include "server.h"

static struct server server;

static void init(void)
{
    server_init(&server);
}

TestSuite(listener, .init = init, .timeout = 60);

static void expect_echo(int client)
{
    client_send(client, "x\n");
    client_expect(client, "1 x\n");
}

Test(listener, serves_ipv4_and_ipv6_on_one_chosen_port)
{
    static const char *const addresses[] = {"127.0.0.1", "::1", "127.0.0.1"};
    int v4, v6;

    server.conf.addresses = addresses;
    server.conf.address_count = 3;
    server_start(&server);
    v4 = client_connect_to("127.0.0.1", server.port);
    expect_echo(v4);
    v6 = client_connect_to("::1", server.port);
    expect_echo(v6);
    close(v4);
    close(v6);
    server_stop(&server);
}

static void note_peer(struct server *s)
{
    cr_expect_str_eq(conn_peer(s->newest), "::1");
    cr_expect_eq(conn_peer_address(s->newest)->ss_family, AF_INET6);
}

Test(listener, connection_knows_its_peer)
{
    static const char *const addresses[] = {"::1"};
    int client;

    server.conf.addresses = addresses;
    server_start(&server);
    client = client_connect_to("::1", server.port);
    expect_echo(client);
    server_call(&server, note_peer);
    close(client);
    server_stop(&server);
}

static void expect_port_in_use(int port)
{
    struct listener_conf conf = server.conf;
    struct listener *listener = NULL;
    struct why why = {0};
    char sentence[100];

    conf.port = port;
    snprintf(sentence, sizeof(sentence), "127.0.0.1 port %d: Address already in use", port);
    cr_expect_eq(listener_open(&conf, 1, NULL, &listener, &why), ERR_IO);
    cr_expect_str_eq(why.text, sentence);
    cr_expect_null(listener);
}

Test(listener, port_in_use_is_named)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
    socklen_t len = sizeof(address);
    int other = socket(AF_INET, SOCK_STREAM, 0);

    cr_assert_eq(bind(other, (struct sockaddr *)&address, len), 0);
    cr_assert_eq(listen(other, 1), 0);
    getsockname(other, (struct sockaddr *)&address, &len);
    expect_port_in_use(ntohs(address.sin_port));
    close(other);
}

Test(listener, port_of_another_listener_is_not_shared)
{
    server_start(&server);
    expect_port_in_use(server.port);
    server_stop(&server);
}

Test(listener, unknown_address_is_named)
{
    static const char *const addresses[] = {"300.1.2.3.4"};
    struct listener *listener;
    struct why why = {0};

    server.conf.addresses = addresses;
    cr_expect_eq(listener_open(&server.conf, 1, NULL, &listener, &why), ERR_IO);
    cr_expect(strstr(why.text, "300.1.2.3.4 port 0: ") == why.text, "%s", why.text);
}

static void stop_listening(struct server *s)
{
    listener_stop(s->listener, 0);
}

static sem_t loop_is_held, loop_may_go_on;

static void hold_and_stop_listening(struct server *s)
{
    sem_post(&loop_is_held);
    sem_wait(&loop_may_go_on);
    stop_listening(s);
}

static void *call_hold(void *argument)
{
    server_call(argument, hold_and_stop_listening);
    return NULL;
}

Test(listener, stop_accepts_what_is_queued)
{
    pthread_t caller;
    int clients[20];

    sem_init(&loop_is_held, 0, 0);
    sem_init(&loop_may_go_on, 0, 0);
    server_start(&server);
    pthread_create(&caller, NULL, call_hold, &server);
    sem_wait(&loop_is_held);
    for (int i = 0; i < 20; i++) {
        clients[i] = client_connect(server.port); /* Connected by the kernel, not yet accepted. */
        client_send(clients[i], "x\n");
    }
    cr_expect_eq(server.accepted, 0);
    sem_post(&loop_may_go_on);
    pthread_join(caller, NULL);
    cr_expect_eq(server.accepted, 20);
    for (int i = 0; i < 20; i++) {
        client_expect(clients[i], "1 x\n");
        close(clients[i]);
    }
    server_stop(&server);
}

Test(listener, nobody_is_let_in_after_stop)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    server_start(&server);
    server_call(&server, stop_listening);
    address.sin_port = htons((uint16_t)server.port);
    cr_expect_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), -1);
    cr_expect_eq(errno, ECONNREFUSED);
    close(fd);
    server_stop(&server);
}

static void expect_refused(const char *greeting)
{
    int client = client_connect(server.port);

    cr_expect_str_eq(client_read_all(client), greeting);
    close(client);
    server_wait_close(&server);
    cr_expect(server_has_reason(&server, "refused;"));
}

Test(listener, connections_above_the_total_are_refused)
{
    int first, second, third;

    server.max_total = 2;
    server_start(&server);
    first = client_connect(server.port);
    expect_echo(first);
    second = client_connect(server.port);
    expect_echo(second);
    cr_expect_eq(net_limits_count(server.limits), 2);
    expect_refused("full\n");
    close(second);
    server_wait_close(&server);
    cr_expect_eq(net_limits_count(server.limits), 1);
    third = client_connect(server.port);
    expect_echo(third);
    close(first);
    close(third);
    server_stop(&server);
}

Test(listener, refused_connections_have_a_bound_of_their_own)
{
    struct net_limits *limits = net_limits_new(1, 0);
    const struct sockaddr_storage peer = {.ss_family = AF_INET};
    int told = 0;

    cr_expect_eq(net_limits_enter(limits, &peer, false), NET_OK);
    while (told < 100000 && net_limits_enter(limits, &peer, false) == NET_TOO_MANY) {
        told++;
    }
    cr_expect_eq(net_limits_enter(limits, &peer, false), NET_TOO_MANY_REFUSED);
    net_limits_refused_gone(limits);
    cr_expect_eq(net_limits_enter(limits, &peer, false), NET_TOO_MANY);
    net_limits_gone(limits);
    cr_expect_eq(net_limits_enter(limits, &peer, false), NET_OK);
    cr_expect_eq(net_limits_count(limits), 1, "those refused do not count");
    net_limits_free(limits);
}

Test(listener, connections_above_the_limit_of_an_address_are_refused)
{
    static const char *const addresses[] = {"127.0.0.1", "::1"};
    int first, second, other;

    server.conf.addresses = addresses;
    server.conf.address_count = 2;
    server.max_per_address = 2;
    server_start(&server);
    first = client_connect(server.port);
    expect_echo(first);
    second = client_connect(server.port);
    expect_echo(second);
    expect_refused("too many\n");
    other = client_connect_to("::1", server.port);
    expect_echo(other);
    client_send(second, "bye x\n");
    cr_expect_str_eq(client_read_all(second), "x");
    close(second);
    second = client_connect(server.port); /* Counted until its end was in sight, no longer. */
    expect_echo(second);
    close(first);
    close(second);
    close(other);
    server_stop(&server);
}

Test(listener, without_descriptors_accepting_pauses_with_one_warning)
{
    char log_path[] = "listener_test_log_XXXXXX", text[4096] = "";
    int log_fd = mkstemp(log_path), client, other, fd;
    struct rlimit limit;
    struct why why;
    const char *warning;

    cr_assert_eq(log_open(log_path, &why), ERR_OK);
    server_start(&server);
    client = client_connect(server.port);
    expect_echo(client);
    other = socket(AF_INET, SOCK_STREAM, 0);
    close(other); /* Its number is the next to be given out. */
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = (rlim_t)other + 1;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    other = client_connect(server.port); /* Takes the last one. */
    cr_expect_eq(open("/dev/null", O_RDONLY), -1);
    client_send(other, "y\n");
    expect_echo(client); /* Served as if nothing were. */
    while (read(log_fd, text, sizeof(text) - 1) == 0) {
        usleep(10000);
    }
    usleep(1500000); /* It tries again meanwhile. */
    expect_echo(client);
    limit.rlim_cur += 10;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    client_expect(other, "1 y\n");

    fd = open(log_path, O_RDONLY);
    cr_assert_gt(read(fd, text, sizeof(text) - 1), 0);
    warning = strstr(text, "cannot accept connections: Too many open files");
    cr_assert_not_null(warning, "%s", text);
    cr_expect_null(strstr(warning + 1, "cannot accept"), "%s", text);
    unlink(log_path);
    close(client);
    close(other);
    server_stop(&server);
}

static atomic_int accepts_of[2];
static sem_t accepted;

static void count_accept(struct conn *conn, enum net_refusal refusal, void *context)
{
    (*(atomic_int *)context)++;
    sem_post(&accepted);
    conn_close_after_flush(conn, "counted");
}

Test(listener, every_loop_gets_its_share)
{
    struct loop *loops[2];
    struct listener *listener;
    struct why why;

    sem_init(&accepted, 0, 0);
    cr_assert_eq(listener_open(&server.conf, 2, NULL, &listener, &why), ERR_OK);
    for (size_t i = 0; i < 2; i++) {
        loops[i] = loop_new("share");
        listener_serve(listener, i, loops[i], count_accept, &accepts_of[i]);
        cr_assert_eq(loop_start_thread(loops[i], &why), ERR_OK);
    }
    for (int i = 0; i < 200; i++) {
        int client = client_connect(listener_port(listener));

        cr_expect_str_eq(client_read_all(client), "");
        close(client);
        sem_wait(&accepted);
    }
    for (size_t i = 0; i < 2; i++) {
        loop_stop(loops[i]);
        loop_join(loops[i]);
    }
    listener_free(listener);
    loop_free(loops[0]);
    loop_free(loops[1]);
    cr_expect_eq(accepts_of[0] + accepts_of[1], 200);
    cr_expect_gt(accepts_of[0], 20);
    cr_expect_gt(accepts_of[1], 20);
}

/* --- load balancers --- */

static bool is_proxy(void *context, const struct sockaddr_storage *peer)
{
    return true;
}

static bool is_unlimited(void *context, const struct sockaddr_storage *peer)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)peer;

    return peer->ss_family == AF_INET && in->sin_addr.s_addr == htonl(0xC0000208);
}

static void expect_forwarded_peer(struct server *s)
{
    cr_expect_str_eq(conn_peer(s->newest), "192.0.2.7");
    cr_expect_eq(conn_peer_address(s->newest)->ss_family, AF_INET);
}

Test(listener, a_proxy_header_in_pieces_names_the_peer)
{
    static const char header[] = "PROXY TCP4 192.0.2.7 198.51.100.1 999 43\r\n";
    int client;

    server.conf.is_proxy = is_proxy;
    server_start(&server);
    client = client_connect(server.port);
    for (size_t i = 0; i + 1 < sizeof(header); i++) {
        client_send_bytes(client, header + i, 1);
    }
    expect_echo(client);
    server_call(&server, expect_forwarded_peer);
    close(client);
    server_stop(&server);
}

Test(listener, lines_behind_a_proxy_header_are_not_lost)
{
    int client;

    server.conf.is_proxy = is_proxy;
    server_start(&server);
    client = client_connect(server.port);
    client_send(client, "PROXY UNKNOWN\r\nx\nyy\n");
    client_expect(client, "1 x\n2 yy\n");
    close(client);
    server_stop(&server);
}

Test(listener, without_its_proxy_header_a_connection_is_closed)
{
    int client;

    server.conf.is_proxy = is_proxy;
    server_start(&server);
    client = client_connect(server.port);
    client_send(client, "AS1\n");
    cr_expect_str_eq(client_read_all(client), "");
    close(client);
    client = client_connect(server.port); /* A check. */
    close(client);
    server_stop(&server);
    cr_expect_eq(server.accepted, 0);
}

Test(listener, forwarded_connections_count_for_their_client)
{
    int first, second, third;

    server.conf.is_proxy = is_proxy;
    server.conf.is_unlimited = is_unlimited;
    server.max_per_address = 1;
    server_start(&server);
    first = client_connect(server.port);
    client_send(first, "PROXY TCP4 192.0.2.7 198.51.100.1 999 43\r\n");
    expect_echo(first);
    second = client_connect(server.port);
    client_send(second, "PROXY TCP4 192.0.2.7 198.51.100.1 999 43\r\n");
    cr_expect_str_eq(client_read_all(second), "too many\n");
    close(second);
    server_wait_close(&server);
    second = client_connect(server.port);
    client_send(second, "PROXY TCP4 192.0.2.8 198.51.100.1 999 43\r\n");
    expect_echo(second);
    third = client_connect(server.port);
    client_send(third, "PROXY TCP4 192.0.2.8 198.51.100.1 999 43\r\n");
    expect_echo(third);
    close(first);
    server_wait_close(&server);
    first = client_connect(server.port);
    client_send(first, "PROXY TCP4 192.0.2.7 198.51.100.1 999 43\r\n");
    expect_echo(first);
    close(first);
    close(second);
    close(third);
    server_stop(&server);
}

Test(listener, a_connection_counts_in_the_total_until_its_descriptor_is_free)
{
    int client, other;

    server.max_total = 1;
    server_start(&server);
    client = client_connect(server.port);
    client_send(client, "bye x\n");
    cr_expect_str_eq(client_read_all(client), "x");
    server_wait_close(&server);
    cr_expect_eq(net_limits_count(server.limits), 1, "it lingers: we have not closed yet");
    expect_refused("full\n");
    close(client);
    while (net_limits_count(server.limits) > 0) {
        usleep(1000);
    }
    other = client_connect(server.port);
    expect_echo(other);
    close(other);
    server_stop(&server);
}
