/*
 * Listening sockets: bound once in main.c (as root where needed), served by every query loop (SO_REUSEPORT).
 */
#pragma once

#include "net/conn.h"

/** Process-wide connection counts and refusals; shared by all loops, thread-safe. */
struct net_limits;
struct net_limits *net_limits_new(int max_total, int max_per_address /* <= 0: off */);
void net_limits_free(struct net_limits *limits);
int net_limits_count(const struct net_limits *limits); /* Connections now open. */

struct listener;

struct listener_conf {
    const char *const *addresses; /**< Numeric or names, "::" and "0.0.0.0" for all; IPV6_V6ONLY is set. */
    size_t address_count;
    int port; /**< 0 lets the system choose (then listener_port() tells). */
    struct net_keepalive keepalive;
    struct conn_limits limits;
};

/**
 * Bind and listen on every address, once per loop.
 * @param loop_count  How many loops will serve it.
 * @return ERR_OK; ERR_IO with why = "127.0.0.1 port 1043: Address already in use" and nothing bound.
 */
enum err listener_open(const struct listener_conf *conf, size_t loop_count,
                       struct net_limits *counts, struct listener **out, struct why *why) MUST_CHECK;
int listener_port(const struct listener *listener);

enum net_refusal { NET_OK, NET_TOO_MANY, NET_TOO_MANY_FROM_ADDRESS };
/**
 * Serve from a loop (call on its thread or before it runs).
 * @param index      0 .. loop_count - 1, each loop its own.
 * @param on_accept  Give the connection its handler and greeting. With refusal != NET_OK: write the refusal (or nothing)
 *                   and conn_close_after_flush(). A pause of 1 s follows EMFILE and the like, with one WARN.
 */
void listener_serve(struct listener *listener, size_t index, struct loop *loop,
                    void (*on_accept)(struct conn *conn, enum net_refusal refusal, void *context),
                    void *context);
/** Accept what is queued, then close this loop's sockets. On the loop's thread. */
void listener_stop(struct listener *listener, size_t index);
void listener_free(struct listener *listener);
