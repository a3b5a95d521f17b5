/*
 * Listening sockets: bound once at the start (as root where needed), served by every query loop,
 * each from a socket of its own (SO_REUSEPORT).
 */
#pragma once

#include "net/conn.h"

/**
 * Process-wide connection counts and refusals; shared by all loops, any thread. The total counts a
 * connection as long as it has its descriptor, an address's until the owner was told of its end.
 */
struct net_limits;
struct net_limits *net_limits_new(int max_total, int max_per_address); /* <= 0: no limit. */
void net_limits_free(struct net_limits *limits);                       /* NULL is fine. */
int net_limits_count(const struct net_limits *limits);                 /* Descriptors in use. */

struct listener;

struct listener_conf {
    /** Numeric or names; "::" and "0.0.0.0" for all of their family (IPV6_V6ONLY is set). */
    const char *const *addresses;
    size_t address_count;
    int port; /**< 0 lets the system choose one for all addresses; listener_port() tells. */
    struct net_keepalive keepalive;
    struct conn_limits limits;
    /**
     * Whether connections from an address begin with a PROXY header (net/proxy_header.h): its
     * client becomes the peer before on_accept is called. Without a valid header within the limits
     * of a line they are closed. On the loop's thread, context as of listener_serve(); NULL: none.
     */
    bool (*is_proxy)(void *context, const struct sockaddr_storage *peer);
    /** Whether an address may have more connections than the others. As above. */
    bool (*is_unlimited)(void *context, const struct sockaddr_storage *peer);
};

/**
 * Bind and listen on every address, once per loop.
 * @param loop_count  How many loops will serve it.
 * @param counts      Borrowed until the last connection is gone; NULL: no limits.
 * @return ERR_OK; ERR_IO with why = "127.0.0.1 port 1043: Address already in use", nothing bound.
 */
enum err listener_open(const struct listener_conf *conf, size_t loop_count,
                       struct net_limits *counts, struct listener **out,
                       struct why *why) MUST_CHECK;
int listener_port(const struct listener *listener);

enum net_refusal {
    NET_OK,
    NET_TOO_MANY,
    NET_TOO_MANY_FROM_ADDRESS,
    NET_TOO_MANY_REFUSED /**< At a time, that were told so; this one is closed without a word. */
};

/**
 * Serve from a loop (call on its thread or before it runs).
 * @param index      0 .. loop_count - 1, each loop its own.
 * @param on_accept  Give the connection its handler and greeting. With refusal != NET_OK write the
 *                   refusal (or nothing): the connection closes after it.
 * When the process is out of descriptors or memory, accepting pauses for a second, with one WARN
 * per spell.
 */
void listener_serve(struct listener *listener, size_t index, struct loop *loop,
                    void (*on_accept)(struct conn *conn, enum net_refusal refusal, void *context),
                    void *context);
/** Accept what is queued, then close this loop's sockets. On the loop's thread. */
void listener_stop(struct listener *listener, size_t index);
/** When no loop runs any more, but before loop_free(). NULL is fine. */
void listener_free(struct listener *listener);
