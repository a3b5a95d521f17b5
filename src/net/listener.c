/*
 * Listening sockets. Each loop has a socket of its own for every address, and the kernel spreads
 * the connections (SO_REUSEPORT). Since such a socket would also share the port with a stranger of
 * the same user in silence, each address is first bound, and let go, without that option.
 */
#include "net/listener.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "net/internal.h"
#include "net/proxy_header.h"

#define ACCEPTS_PER_EVENT    64
#define PAUSE_S              1.0
#define CHOSEN_PORT_ATTEMPTS 16

/* One socket of one loop. */
struct entrance {
    struct gate *gate;
    struct ev_io readable;
    int fd; /* -1: closed. */
};

/* All sockets of one loop. */
struct gate {
    struct listener *listener;
    struct loop *loop; /* NULL before listener_serve(). */
    void (*on_accept)(struct conn *conn, enum net_refusal refusal, void *context);
    void *context;
    struct entrance *entrances; /* One per address. */
    struct ev_timer pause;
    bool has_warned; /* Of this spell without descriptors. */
};

struct listener {
    struct net_keepalive keepalive;
    struct conn_limits limits;
    bool (*is_proxy)(void *context, const struct sockaddr_storage *peer);
    bool (*is_unlimited)(void *context, const struct sockaddr_storage *peer);
    struct net_limits *counts;
    struct sockaddr_storage *addresses;
    size_t address_count;
    int port;
    struct gate *gates; /* One per loop. */
    size_t gate_count;
};

/* --- accepting --- */

static void stop_entrances(struct gate *gate)
{
    for (size_t i = 0; i < gate->listener->address_count; i++) {
        ev_io_stop(gate->loop->ev, &gate->entrances[i].readable);
    }
}

static void start_entrances(struct gate *gate)
{
    for (size_t i = 0; i < gate->listener->address_count; i++) {
        ev_io_start(gate->loop->ev, &gate->entrances[i].readable);
    }
}

static void on_pause_over(struct ev_loop *ev, struct ev_timer *w, int revents)
{
    start_entrances(w->data);
}

/* Out of descriptors, memory or the like: the sockets would stay readable and the loop spin. */
static void pause_accepting(struct gate *gate, int error)
{
    if (!gate->has_warned) {
        log_warn(LOG_MAIN, "cannot accept connections: %s; trying again every second",
                 strerror(error));
        gate->has_warned = true;
    }
    stop_entrances(gate);
    ev_timer_stop(gate->loop->ev, &gate->pause);
    ev_timer_set(&gate->pause, PAUSE_S, 0);
    ev_timer_start(gate->loop->ev, &gate->pause);
}

static bool is_unlimited(const struct gate *gate, const struct sockaddr_storage *peer)
{
    return gate->listener->is_unlimited != NULL &&
           gate->listener->is_unlimited(gate->context, peer);
}

static void hand_over(struct gate *gate, struct conn *conn, enum net_refusal refusal)
{
    gate->on_accept(conn, refusal, gate->context);
    if (refusal != NET_OK) {
        conn_close_after_flush(conn, "refused");
    }
}

/* The owner gets a forwarded connection when it is known whose it is. */
static size_t on_proxy_bytes(struct conn *conn, struct str bytes)
{
    struct gate *gate = conn_context(conn);
    enum net_refusal refusal = NET_OK;
    struct proxy_header header;

    switch (proxy_header_read(bytes, &header)) {
    case PROXY_HEADER_PARTIAL:
        return 0;
    case PROXY_HEADER_BAD:
        log_warn(LOG_MAIN, "closed peer=%s reason=\"no PROXY header\"", conn_peer(conn));
        conn_close(conn, "no PROXY header");
        return 0;
    case PROXY_HEADER_WHOLE:
        break;
    }
    if (header.has_client) {
        refusal = conn_set_peer(conn, &header.client, is_unlimited(gate, &header.client));
    }
    hand_over(gate, conn, refusal);
    return header.length;
}

static const struct conn_handler proxy_handler = {.on_bytes = on_proxy_bytes};

static void welcome(struct gate *gate, int fd, const struct sockaddr_storage *peer)
{
    struct listener *listener = gate->listener;
    bool is_proxy = listener->is_proxy != NULL && listener->is_proxy(gate->context, peer);
    enum net_refusal refusal = NET_OK;
    struct conn *conn;

    if (listener->counts != NULL) {
        refusal = net_limits_enter(listener->counts, peer, is_proxy || is_unlimited(gate, peer));
    }
    if (refusal == NET_TOO_MANY_REFUSED) {
        close(fd);
        return;
    }
    conn = conn_new(gate->loop, fd, peer, &listener->limits, listener->counts, refusal);
    socket_set_options(fd, &listener->keepalive);
    if (is_proxy && refusal == NET_OK) {
        conn_set_handler(conn, &proxy_handler, gate);
    } else {
        hand_over(gate, conn, refusal);
    }
    conn_start(conn);
}

/* @return false when nobody waits, or accepting has to pause. */
static bool accept_one(struct entrance *entrance)
{
    struct sockaddr_storage peer = {0};
    socklen_t len = sizeof(peer);
    int fd = accept4(entrance->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0) {
        entrance->gate->has_warned = false;
        welcome(entrance->gate, fd, &peer);
        return true;
    }
    switch (errno) {
    case EAGAIN:
        return false;
    case ECONNABORTED:
    case EINTR:
    case EPERM:
    case EPROTO:
        return true; /* This one is gone already; look at the next. */
    default:
        pause_accepting(entrance->gate, errno);
        return false;
    }
}

static void on_knock(struct ev_loop *ev, struct ev_io *w, int revents)
{
    struct entrance *entrance = w->data;

    for (int i = 0; i < ACCEPTS_PER_EVENT && accept_one(entrance); i++) {
    }
}

void listener_serve(struct listener *listener, size_t index, struct loop *loop,
                    void (*on_accept)(struct conn *conn, enum net_refusal refusal, void *context),
                    void *context)
{
    struct gate *gate = &listener->gates[index];

    gate->loop = loop;
    gate->on_accept = on_accept;
    gate->context = context;
    ev_timer_init(&gate->pause, on_pause_over, PAUSE_S, 0);
    gate->pause.data = gate;
    for (size_t i = 0; i < listener->address_count; i++) {
        struct entrance *entrance = &gate->entrances[i];

        ev_io_init(&entrance->readable, on_knock, entrance->fd, EV_READ);
        entrance->readable.data = entrance;
    }
    start_entrances(gate);
}

void listener_stop(struct listener *listener, size_t index)
{
    struct gate *gate = &listener->gates[index];

    for (size_t i = 0; i < listener->address_count; i++) {
        while (accept_one(&gate->entrances[i])) {
        }
    }
    stop_entrances(gate);
    ev_timer_stop(gate->loop->ev, &gate->pause);
    for (size_t i = 0; i < listener->address_count; i++) {
        close(gate->entrances[i].fd);
        gate->entrances[i].fd = -1;
    }
}

/* --- opening --- */

static enum err cannot_listen(const struct sockaddr_storage *address, int port, struct why *why)
{
    int error = errno;
    char text[ADDRESS_TEXT_BYTES];

    address_text(address, text);
    return why_set(why, ERR_IO, "%s port %d: %s", text, port, strerror(error));
}

static void set_port(struct sockaddr_storage *address, int port)
{
    if (address->ss_family == AF_INET6) {
        ((struct sockaddr_in6 *)address)->sin6_port = htons((uint16_t)port);
    } else {
        ((struct sockaddr_in *)address)->sin_port = htons((uint16_t)port);
    }
}

static int bound_port(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof(address);

    getsockname(fd, (struct sockaddr *)&address, &len);
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

/* @return The bound socket, or -1 with errno. */
static int bind_socket(const struct sockaddr_storage *address, bool is_shared)
{
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t len =
        address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    int on = 1, error;

    if (fd < 0) {
        return -1;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        (!is_shared || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0) &&
        (address->ss_family != AF_INET6 ||
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0) &&
        bind(fd, (const struct sockaddr *)address, len) == 0) {
        return fd;
    }
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

static bool has_address(const struct listener *listener, const struct addrinfo *info)
{
    for (size_t i = 0; i < listener->address_count; i++) {
        if (memcmp(&listener->addresses[i], info->ai_addr, info->ai_addrlen) == 0) {
            return true;
        }
    }
    return false;
}

static enum err add_addresses(struct listener *listener, const char *name, int port,
                              struct why *why)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *infos;
    char service[16];
    int rc;

    snprintf(service, sizeof(service), "%d", port);
    rc = getaddrinfo(name, service, &hints, &infos);
    if (rc != 0) {
        return why_set(why, ERR_IO, "%s port %d: %s", name, port, gai_strerror(rc));
    }
    for (const struct addrinfo *info = infos; info != NULL; info = info->ai_next) {
        if (has_address(listener, info)) {
            continue;
        }
        listener->addresses = realloc(listener->addresses, (listener->address_count + 1) *
                                                               sizeof(listener->addresses[0]));
        if (listener->addresses == NULL) {
            abort();
        }
        memset(&listener->addresses[listener->address_count], 0, sizeof(listener->addresses[0]));
        memcpy(&listener->addresses[listener->address_count], info->ai_addr, info->ai_addrlen);
        listener->address_count++;
    }
    freeaddrinfo(infos);
    return ERR_OK;
}

static enum err check_ports_are_free(const struct listener *listener, int port, struct why *why)
{
    for (size_t i = 0; port != 0 && i < listener->address_count; i++) {
        int fd = bind_socket(&listener->addresses[i], false);

        if (fd < 0) {
            return cannot_listen(&listener->addresses[i], port, why);
        }
        close(fd);
    }
    return ERR_OK;
}

static void make_gates(struct listener *listener, size_t count)
{
    listener->gates = calloc(count, sizeof(listener->gates[0]));
    if (listener->gates == NULL) {
        abort();
    }
    listener->gate_count = count;
    for (size_t i = 0; i < count; i++) {
        struct gate *gate = &listener->gates[i];

        gate->listener = listener;
        gate->entrances = calloc(listener->address_count, sizeof(gate->entrances[0]));
        if (gate->entrances == NULL) {
            abort();
        }
        for (size_t j = 0; j < listener->address_count; j++) {
            gate->entrances[j].gate = gate;
            gate->entrances[j].fd = -1;
        }
    }
}

static void close_entrances(struct listener *listener)
{
    for (size_t i = 0; i < listener->gate_count; i++) {
        for (size_t j = 0; j < listener->address_count; j++) {
            struct entrance *entrance = &listener->gates[i].entrances[j];

            if (entrance->fd >= 0) {
                close(entrance->fd);
                entrance->fd = -1;
            }
        }
    }
}

/* Port 0 becomes the one that the first socket is given. */
static enum err open_entrances(struct listener *listener, int port, struct why *why)
{
    listener->port = port;
    for (size_t i = 0; i < listener->gate_count; i++) {
        for (size_t j = 0; j < listener->address_count; j++) {
            struct sockaddr_storage *address = &listener->addresses[j];
            struct entrance *entrance = &listener->gates[i].entrances[j];

            set_port(address, listener->port);
            entrance->fd = bind_socket(address, true);
            if (entrance->fd < 0 || listen(entrance->fd, SOMAXCONN) != 0) {
                return cannot_listen(address, listener->port, why);
            }
            listener->port = bound_port(entrance->fd);
        }
    }
    return ERR_OK;
}

enum err listener_open(const struct listener_conf *conf, size_t loop_count,
                       struct net_limits *counts, struct listener **out, struct why *why)
{
    struct listener *listener = calloc(1, sizeof(*listener));
    int attempts = conf->port == 0 ? CHOSEN_PORT_ATTEMPTS : 1;
    enum err rc = ERR_OK;

    if (listener == NULL) {
        abort();
    }
    listener->keepalive = conf->keepalive;
    listener->limits = conf->limits;
    listener->is_proxy = conf->is_proxy;
    listener->is_unlimited = conf->is_unlimited;
    listener->counts = counts;
    for (size_t i = 0; i < conf->address_count && rc == ERR_OK; i++) {
        rc = add_addresses(listener, conf->addresses[i], conf->port, why);
    }
    if (rc == ERR_OK && listener->address_count == 0) {
        rc = why_set(why, ERR_IO, "no address to listen on");
    }
    if (rc == ERR_OK) {
        rc = check_ports_are_free(listener, conf->port, why);
    }
    if (rc == ERR_OK) {
        make_gates(listener, loop_count);
        /* A port that is free on the first address may be taken on the second. */
        do {
            close_entrances(listener);
            rc = open_entrances(listener, conf->port, why);
        } while (rc != ERR_OK && --attempts > 0);
    }
    if (rc != ERR_OK) {
        listener_free(listener);
        return rc;
    }
    *out = listener;
    return ERR_OK;
}

int listener_port(const struct listener *listener)
{
    return listener->port;
}

void listener_free(struct listener *listener)
{
    if (listener == NULL) {
        return;
    }
    for (size_t i = 0; i < listener->gate_count; i++) {
        struct gate *gate = &listener->gates[i];

        if (gate->loop != NULL && gate->entrances[0].fd >= 0) {
            stop_entrances(gate);
            ev_timer_stop(gate->loop->ev, &gate->pause);
        }
    }
    close_entrances(listener);
    for (size_t i = 0; i < listener->gate_count; i++) {
        free(listener->gates[i].entrances);
    }
    free(listener->gates);
    free(listener->addresses);
    free(listener);
}
