/*
 * The header by which a load balancer tells whose connection it forwards: HAProxy's PROXY protocol,
 * version 1 (a line of text) and 2 (binary). Whoever may send one has to be known beforehand: any
 * client could claim any address.
 */
#pragma once

#include <sys/socket.h>

#include "base/str.h"

enum proxy_header_state {
    PROXY_HEADER_PARTIAL, /**< So far it is one: more bytes are needed. */
    PROXY_HEADER_WHOLE,
    PROXY_HEADER_BAD, /**< No header, whatever comes. */
};

struct proxy_header {
    size_t length;                  /**< In bytes: what follows is the client's. */
    bool has_client;                /**< False: the connection is the balancer's own (a check). */
    struct sockaddr_storage client; /**< AF_INET, also for IPv4-mapped addresses, or AF_INET6. */
};

/** @param out  Filled when the header is whole. */
enum proxy_header_state proxy_header_read(struct str bytes, struct proxy_header *out);
