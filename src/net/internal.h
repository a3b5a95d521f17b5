/*
 * What the files of src/net share and nobody else sees.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "net/line_end.h"
#include "net/listener.h"
#include "net/spare.h"

/* --- the loop --- */

/** Connections that wait, through conn->queue_next. */
struct conn_queue {
    struct conn *first, *last;
};

/** The connections of a loop: all of them, those that wait for a turn, and buffers to lend. */
struct conn_group {
    struct conn *first;      /**< All, through conn->next. */
    struct conn_queue soon;  /**< Those that go on as soon as each of them has had its turn. */
    struct conn_queue turns; /**< Those with work that waits for its turn. */
    struct ev_prepare before_poll;
    struct ev_idle no_sleep; /**< Active while somebody still waits: poll without sleeping. */
    struct spare spare;      /**< Buffers to lend. */
    size_t count;
    bool is_finishing;
};

struct loop {
    struct ev_loop *ev;
    char name[16];
    pthread_t thread;
    bool has_thread;
    unsigned slice_us; /**< 0: the system's. */

    pthread_mutex_t lock; /**< For the queue of jobs. */
    struct loop_job *first_job, *last_job;
    struct ev_async door; /**< Rings when a job is posted, at a wake and at a stop. */
    atomic_bool is_stopping;

    struct ev_check iteration;
    void (*hook)(void *context);
    void *hook_context;

    struct conn_group conns;
};

void conn_group_init(struct loop *loop);
void conn_group_fini(struct loop *loop);
/** Start a thread with all signals blocked: signals belong to the main thread. @return An errno, or
 * 0. */
int thread_start(pthread_t *thread, void *(*run)(void *), void *argument);

/* --- connections, from the side that makes them --- */

/**
 * Make a connection of a connected, non-blocking socket.
 * @param fd       Moves to the connection.
 * @param counts   Where its closing is counted; NULL: nowhere.
 * @param refusal  As net_limits_enter() counted it.
 * @return The connection, idle until conn_start().
 */
struct conn *conn_new(struct loop *loop, int fd, const struct sockaddr_storage *peer,
                      const struct conn_limits *limits, struct net_limits *counts,
                      enum net_refusal refusal);
/** Set off: send what is in the output, start to read. To be called once, after the handler is set.
 */
void conn_start(struct conn *conn);

/**
 * The connection turns out to be another address's.
 * @param is_unlimited  The address may have any number. @return NET_OK, NET_TOO_MANY_FROM_ADDRESS.
 */
enum net_refusal conn_set_peer(struct conn *conn, const struct sockaddr_storage *peer,
                               bool is_unlimited);

/**
 * Count a new connection.
 * @param is_unlimited  The address may have any number.
 * @return NET_OK when it is let in, NET_TOO_MANY_REFUSED when it is counted nowhere.
 */
enum net_refusal net_limits_enter(struct net_limits *limits, const struct sockaddr_storage *peer,
                                  bool is_unlimited);
/** Count a connection, which stays in the total, under another address; even one that is refused:
 * it still has to leave. @return NET_OK, NET_TOO_MANY_FROM_ADDRESS. */
enum net_refusal net_limits_move(struct net_limits *limits, const struct sockaddr_storage *from,
                                 const struct sockaddr_storage *to, bool is_unlimited);
/** The address's connection has ended ... */
void net_limits_leave(struct net_limits *limits, const struct sockaddr_storage *peer);
/** ... and its descriptor is free. */
void net_limits_gone(struct net_limits *limits);

/** The same for one that was refused, and told so. */
void net_limits_refused_gone(struct net_limits *limits);

/* --- sockets --- */

#define ADDRESS_TEXT_BYTES 64

/** Numeric text of an address without port. */
void address_text(const struct sockaddr_storage *address, char text[ADDRESS_TEXT_BYTES]);
/** Keepalive as configured, and TCP_NODELAY: answers leave in whole writes. */
void socket_set_options(int fd, const struct net_keepalive *keepalive);
