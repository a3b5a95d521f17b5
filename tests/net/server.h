/*
 * A small server for the tests of src/net, on a loop and a thread of its own, and a blocking
 * client. Its lines: `big N` is answered with N bytes and a line end, pumped; `soon X` with X after
 * some turns that are to come soon; `bye TEXT` with TEXT and a close; `drop` closes at once;
 * `pause` stops reading; anything else comes back as it is, with its length before.
 */
#pragma once

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "net/listener.h"

#define SLICE_BYTES ((size_t)64 << 10)
#define SOON_TURNS  4

struct server {
    struct listener_conf conf; /**< Preset by server_init(), changed by the test. */
    int max_total, max_per_address;
    bool has_no_idle_handler;

    struct loop *loop;
    struct net_limits *limits;
    struct listener *listener;
    int port;

    struct conn *newest;       /**< The connection accepted last; for server_call() only. */
    atomic_size_t pumped;      /**< Bytes of all big answers. */
    atomic_size_t most_unsent; /**< Seen at the start of a slice. */
    atomic_int accepted, closed;
    sem_t on_close;
    pthread_mutex_t lock;
    char reasons[1024]; /**< Of all closed connections, each followed by a semicolon. */
    char turns[64];     /**< The letters of `soon` answers, one per turn. */
};

void server_init(struct server *server);
void server_start(struct server *server);
void server_stop(struct server *server);
/** Run a function on the loop's thread and wait for it. */
void server_call(struct server *server, void (*run)(struct server *server));
/** Wait until one more connection has closed. */
void server_wait_close(struct server *server);
bool server_has_reason(struct server *server, const char *reason);

/** @return A connected blocking socket; reads and writes fail after 10 s. */
int client_connect(int port);
int client_connect_to(const char *address, int port);
void client_send(int fd, const char *text);
void client_send_bytes(int fd, const void *bytes, size_t len);
/** Read until the peer closes; asserts that it closes in order. @return NUL-terminated, static. */
const char *client_read_all(int fd);
/** Read exactly len bytes. @return NUL-terminated, static. */
const char *client_read(int fd, size_t len);
void client_expect(int fd, const char *text);
/** Read and count bytes until the peer closes. */
size_t client_count_all(int fd);
