/*
 * Connections that we open. A thread of its own resolves the name, since that may block for long;
 * the addresses come back as a job of the loop and are tried one after the other.
 *
 * The thread and the request share a struct lookup. Whoever is last frees it: a cancelled request
 * leaves it to the thread, which then keeps away from the loop.
 */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/internal.h"

struct lookup {
    struct loop_job job; /* First: on_resolved() gets it. */
    struct loop *loop;
    struct conn_request *request;
    char *host;
    char service[16];

    pthread_mutex_t lock; /* For the two flags. */
    bool is_done, is_abandoned;

    struct addrinfo *addresses;
    int error; /* Of getaddrinfo(). */
    int system_error;
};

struct conn_request {
    struct loop *loop;
    struct lookup *lookup; /* NULL when the addresses are known. */
    char *host;
    int port;
    int timeout_s;
    struct net_keepalive keepalive;
    struct conn_limits limits;
    void (*on_connected)(void *context, struct conn *conn);
    void (*on_fail)(void *context, const char *text);
    void *context;

    struct addrinfo *addresses, *next_address;
    const struct addrinfo *address; /* The one that is being tried. */
    struct buf reasons;             /* Why the earlier ones failed. */
    int fd;                         /* -1: none. */
    struct ev_io writable;
    struct ev_timer timer;
};

/* --- resolving --- */

static void lookup_free(struct lookup *lookup)
{
    if (lookup->addresses != NULL) {
        freeaddrinfo(lookup->addresses);
    }
    pthread_mutex_destroy(&lookup->lock);
    free(lookup->host);
    free(lookup);
}

static void *run_lookup(void *argument)
{
    struct lookup *lookup = argument;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    bool is_abandoned;

    pthread_setname_np(pthread_self(), "resolver");
    lookup->error = getaddrinfo(lookup->host, lookup->service, &hints, &lookup->addresses);
    lookup->system_error = errno;

    /* Posted with the lock held: the loop is there as long as nobody has abandoned the look-up. */
    pthread_mutex_lock(&lookup->lock);
    is_abandoned = lookup->is_abandoned;
    lookup->is_done = true;
    if (!is_abandoned) {
        loop_post(lookup->loop, &lookup->job);
    }
    pthread_mutex_unlock(&lookup->lock);
    if (is_abandoned) {
        lookup_free(lookup);
    }
    return NULL;
}

static void abandon_lookup(struct lookup *lookup)
{
    bool is_done;

    pthread_mutex_lock(&lookup->lock);
    is_done = lookup->is_done;
    lookup->is_abandoned = true;
    pthread_mutex_unlock(&lookup->lock);
    if (is_done) {
        loop_unpost(lookup->loop, &lookup->job);
        lookup_free(lookup);
    }
}

static const char *lookup_error_text(const struct lookup *lookup)
{
    return lookup->error == EAI_SYSTEM ? strerror(lookup->system_error)
                                       : gai_strerror(lookup->error);
}

/* --- trying the addresses --- */

static void request_free(struct conn_request *request)
{
    ev_io_stop(request->loop->ev, &request->writable);
    ev_timer_stop(request->loop->ev, &request->timer);
    if (request->fd >= 0) {
        close(request->fd);
    }
    if (request->lookup != NULL) {
        abandon_lookup(request->lookup);
    }
    if (request->addresses != NULL) {
        freeaddrinfo(request->addresses);
    }
    buf_free(&request->reasons);
    free(request->host);
    free(request);
}

static void fail(struct conn_request *request)
{
    struct buf text = {0};

    buf_printf(&text, "%s port %d: %.*s", request->host, request->port,
               STR_ARG(buf_str(&request->reasons)));
    buf_add_char(&text, '\0');
    request->on_fail(request->context, text.at);
    buf_free(&text);
    request_free(request);
}

/* Why an address failed; it is named only when there are several. */
static void add_reason(struct conn_request *request, const char *reason)
{
    char address[ADDRESS_TEXT_BYTES];

    if (request->addresses->ai_next == NULL) {
        buf_add_str(&request->reasons, str_from(reason));
        return;
    }
    address_text((const struct sockaddr_storage *)request->address->ai_addr, address);
    buf_printf(&request->reasons, "%s%s: %s", request->reasons.len > 0 ? ", " : "", address,
               reason);
}

static void succeed(struct conn_request *request)
{
    struct sockaddr_storage peer = {0};
    struct conn *conn;

    memcpy(&peer, request->address->ai_addr, request->address->ai_addrlen);
    ev_io_stop(request->loop->ev, &request->writable); /* Before another watches the socket. */
    conn = conn_new(request->loop, request->fd, &peer, &request->limits, NULL, NET_OK);
    request->fd = -1;
    request->on_connected(request->context, conn);
    request_free(request);
    conn_start(conn);
}

/* @return 0 when the connection is on its way, else the errno. */
static int try_address(struct conn_request *request)
{
    const struct addrinfo *address = request->address;

    request->fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (request->fd < 0) {
        return errno;
    }
    socket_set_options(request->fd, &request->keepalive);
    if (connect(request->fd, address->ai_addr, address->ai_addrlen) != 0 && errno != EINPROGRESS) {
        return errno;
    }
    ev_io_set(&request->writable, request->fd, EV_WRITE);
    ev_io_start(request->loop->ev, &request->writable);
    if (request->timeout_s > 0) {
        ev_timer_set(&request->timer, request->timeout_s, 0);
        ev_timer_start(request->loop->ev, &request->timer);
    }
    return 0;
}

static void try_next_address(struct conn_request *request)
{
    while (request->next_address != NULL) {
        int error;

        request->address = request->next_address;
        request->next_address = request->address->ai_next;
        error = try_address(request);
        if (error == 0) {
            return;
        }
        add_reason(request, strerror(error));
        if (request->fd >= 0) {
            close(request->fd);
            request->fd = -1;
        }
    }
    fail(request);
}

static void give_address_up(struct conn_request *request, const char *reason)
{
    ev_io_stop(request->loop->ev, &request->writable);
    ev_timer_stop(request->loop->ev, &request->timer);
    close(request->fd);
    request->fd = -1;
    add_reason(request, reason);
    try_next_address(request);
}

static void on_writable(struct ev_loop *ev, struct ev_io *w, int revents)
{
    struct conn_request *request = w->data;
    socklen_t len = sizeof(int);
    int error = 0;

    if (getsockopt(request->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
        error = errno;
    }
    if (error != 0) {
        give_address_up(request, strerror(error));
        return;
    }
    succeed(request);
}

static void on_timeout(struct ev_loop *ev, struct ev_timer *w, int revents)
{
    struct conn_request *request = w->data;
    char reason[64];

    snprintf(reason, sizeof(reason), "no answer within %d s", request->timeout_s);
    give_address_up(request, reason);
}

static void on_resolved(struct loop_job *job)
{
    struct lookup *lookup = (struct lookup *)job;
    struct conn_request *request = lookup->request;

    /* The thread may still hold the lock, though it is done with the rest. */
    pthread_mutex_lock(&lookup->lock);
    pthread_mutex_unlock(&lookup->lock);
    request->lookup = NULL;
    request->addresses = request->next_address = lookup->addresses;
    lookup->addresses = NULL;
    if (lookup->error != 0) {
        buf_add_str(&request->reasons, str_from(lookup_error_text(lookup)));
    }
    lookup_free(lookup);
    try_next_address(request);
}

/* --- asking --- */

static void start_lookup(struct conn_request *request)
{
    struct lookup *lookup = calloc(1, sizeof(*lookup));
    pthread_t thread;
    int rc;

    if (lookup == NULL) {
        abort();
    }
    lookup->job.run = on_resolved;
    lookup->loop = request->loop;
    lookup->request = request;
    lookup->host = str_dup(str_from(request->host));
    snprintf(lookup->service, sizeof(lookup->service), "%d", request->port);
    pthread_mutex_init(&lookup->lock, NULL);
    request->lookup = lookup;
    rc = thread_start(&thread, run_lookup, lookup);
    if (rc == 0) {
        pthread_detach(thread);
        return;
    }
    lookup->error = EAI_SYSTEM;
    lookup->system_error = rc;
    lookup->is_done = true;
    loop_post(lookup->loop, &lookup->job);
}

struct conn_request *conn_connect(struct loop *loop, const char *host, int port, int timeout_s,
                                  const struct net_keepalive *keepalive,
                                  const struct conn_limits *limits,
                                  void (*on_connected)(void *context, struct conn *conn),
                                  void (*on_fail)(void *context, const char *text), void *context)
{
    struct conn_request *request = calloc(1, sizeof(*request));

    if (request == NULL) {
        abort();
    }
    request->loop = loop;
    request->host = str_dup(str_from(host));
    request->port = port;
    request->timeout_s = timeout_s;
    request->keepalive = *keepalive;
    request->limits = *limits;
    request->on_connected = on_connected;
    request->on_fail = on_fail;
    request->context = context;
    request->fd = -1;
    ev_io_init(&request->writable, on_writable, -1, EV_WRITE);
    ev_timer_init(&request->timer, on_timeout, 0, 0);
    request->writable.data = request->timer.data = request;
    start_lookup(request);
    return request;
}

void conn_connect_cancel(struct conn_request *request)
{
    if (request != NULL) {
        request_free(request);
    }
}
