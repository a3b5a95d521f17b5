/*
 * The server owns its workers and speaks to them only through jobs of their loops: to stop, and to
 * change their settings. Nothing else is shared but the listener, the connection counts and the
 * indexes, which are made for it.
 */
#include "query/server.h"

#include <semaphore.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/listener.h"
#include "query/session.h"
#include "storage/index.h"

#define MAX_LINE          1024
#define OUTPUT_PAUSE      262144
#define SCRATCH_MAX_BYTES ((size_t)256 << 20) /* Several texts of 20 MB and their parts. */
#define OVERDUE_CHECK_S   1.0
#define STOP_CHECK_S      0.02
#define POOL_THREADS      2
#define POOL_QUEUE        100 /* Version queries that may wait for a thread. */

struct server_worker {
    struct worker worker;
    struct query_server *server;
    size_t index;
    struct loop_job stop_job, configure_job, evict_job;
    struct loop_timer overdue_timer, stop_timer;
    int64_t stop_deadline_us;
};

struct query_server {
    struct settings *settings, *next_settings;
    struct query_conf conf; /* For query_server_new() and query_server_listen(). */
    struct query_source sources[MAX_SOURCES];
    size_t source_count;
    struct server_worker *workers;
    size_t worker_count;
    struct acl *acl;
    struct net_limits *limits;
    struct listener *listener;
    struct pool *pool; /* From query_server_start() to query_server_stop(). */
    int stop_timeout_s;
    sem_t configured;
    bool is_running;
    _Atomic int64_t stale_since_ms[MAX_SOURCES];
};

/* --- workers, on their threads --- */

static void on_accept(struct conn *conn, enum net_refusal refusal, void *context)
{
    struct server_worker *worker = context;

    if (refusal == NET_OK) {
        session_open(&worker->worker, conn);
    } else {
        session_refuse(&worker->worker, conn, refusal == NET_TOO_MANY_FROM_ADDRESS);
    }
}

static bool is_balancer(void *context, const struct sockaddr_storage *peer)
{
    struct server_worker *worker = context;
    struct ip_range address = address_of_peer(peer);

    return address_list_find(&worker->worker.tools.settings->balancers, &address) != NULL;
}

static bool has_any_connections(void *context, const struct sockaddr_storage *peer)
{
    struct server_worker *worker = context;
    struct ip_range address = address_of_peer(peer);

    return acl_has_any_connections(worker->server->acl, &address);
}

/* Each iteration of the loop sees the newest data. */
static void on_iteration(void *context)
{
    struct server_worker *worker = context;

    reader_refresh(worker->worker.tools.reader);
}

static void on_overdue_check(void *context)
{
    struct server_worker *worker = context;

    sessions_close_overdue(&worker->worker);
    sessions_end_waits(&worker->worker);
}

/* End the loop once its last connection is gone, or the time for that is up. */
static void on_stop_check(void *context)
{
    struct server_worker *worker = context;
    size_t left = conn_count(worker->worker.loop);

    if (left > 0 && clock_mono_us() < worker->stop_deadline_us) {
        return;
    }
    if (left > 0) {
        log_warn(LOG_QUERY, "shutdown cuts %zu connections", left);
    }
    loop_stop(worker->worker.loop);
}

static void run_stop(struct loop_job *job)
{
    struct server_worker *worker =
        (struct server_worker *)((char *)job - offsetof(struct server_worker, stop_job));

    if (worker->server->listener != NULL) {
        listener_stop(worker->server->listener, worker->index);
    }
    worker->worker.is_stopping = true;
    worker->stop_deadline_us = clock_mono_us() + (int64_t)worker->server->stop_timeout_s * 1000000;
    conn_finish_all(worker->worker.loop);
    loop_timer_start(worker->worker.loop, &worker->stop_timer, 0, STOP_CHECK_S, on_stop_check,
                     worker);
}

static void run_configure(struct loop_job *job)
{
    struct server_worker *worker =
        (struct server_worker *)((char *)job - offsetof(struct server_worker, configure_job));

    worker->worker.tools.settings = worker->server->next_settings;
    sessions_reconfigured(&worker->worker);
    sem_post(&worker->server->configured);
}

static void run_evict(struct loop_job *job)
{
    struct server_worker *worker =
        (struct server_worker *)((char *)job - offsetof(struct server_worker, evict_job));

    sessions_close_overdue(&worker->worker);
}

/* --- on a writer's thread --- */

/* Idle loops move their pins, so that the old version can go; answers that keep too much go. */
static void on_index_event(void *context, enum index_event event)
{
    struct query_server *server = context;

    for (size_t i = 0; i < server->worker_count; i++) {
        struct server_worker *worker = &server->workers[i];

        if (event == INDEX_EVICTS) {
            loop_post(worker->worker.loop, &worker->evict_job);
        } else {
            loop_wake(worker->worker.loop);
        }
    }
}

/* --- the server, on the caller's thread --- */

static enum err worker_init(struct query_server *server, size_t index, struct why *why)
{
    struct server_worker *worker = &server->workers[index];
    char name[16];

    worker->server = server;
    worker->index = index;
    worker->stop_job.run = run_stop;
    worker->configure_job.run = run_configure;
    worker->evict_job.run = run_evict;
    snprintf(name, sizeof(name), "query-%zu", index % 1000);
    worker->worker.loop = loop_new(name);
    if (worker->worker.loop == NULL) {
        return why_set(why, ERR_IO, "query thread %zu: the system refuses an event loop", index);
    }
    worker->worker.answer_memory = (size_t)server->conf.answer_memory_bytes;
    worker->worker.tools.settings = server->settings;
    worker->worker.tools.reader = reader_new();
    worker->worker.tools.matcher = key_matcher_new();
    worker->worker.tools.scratch = arena_new(SCRATCH_MAX_BYTES);
    worker->worker.tools.acl = server->acl;
    for (size_t i = 0; i < server->source_count; i++) {
        reader_attach(worker->worker.tools.reader, server->sources[i].index);
    }
    loop_on_iteration(worker->worker.loop, on_iteration, worker);
    loop_timer_start(worker->worker.loop, &worker->overdue_timer, OVERDUE_CHECK_S, OVERDUE_CHECK_S,
                     on_overdue_check, worker);
    return ERR_OK;
}

static void worker_fini(struct server_worker *worker)
{
    if (worker->worker.loop == NULL) {
        return;
    }
    loop_timer_stop(&worker->overdue_timer);
    loop_timer_stop(&worker->stop_timer);
    sessions_close_all(&worker->worker, "shutdown");
    reader_free(worker->worker.tools.reader);
    key_matcher_free(worker->worker.tools.matcher);
    arena_free(worker->worker.tools.scratch);
    buf_free(&worker->worker.tools.utf8);
    loop_free(worker->worker.loop);
}

static size_t thread_count(const struct query_conf *conf)
{
    long processors;

    if (conf->threads > 0) {
        return (size_t)conf->threads;
    }
    processors = sysconf(_SC_NPROCESSORS_ONLN);
    return processors > 2 ? (size_t)processors - 1 : 1;
}

enum err query_server_new(const struct query_conf *conf, const struct query_source *sources,
                          size_t source_count, struct query_server **out, struct why *why)
{
    struct query_server *server = calloc(1, sizeof(*server));
    enum err rc;

    if (server == NULL) {
        return why_set(why, ERR_MEMORY, "no memory for the query server");
    }
    sem_init(&server->configured, 0, 0);
    server->conf = *conf;
    if (source_count > MAX_SOURCES) {
        query_server_free(server);
        return why_set(why, ERR_SYNTAX, "more than %d sources", MAX_SOURCES);
    }
    memcpy(server->sources, sources, source_count * sizeof(*sources));
    server->source_count = source_count;
    rc = settings_new(conf, server->sources, source_count, &server->settings, why);
    if (rc != ERR_OK) {
        query_server_free(server);
        return rc;
    }
    server->settings->stale_since_ms = server->stale_since_ms;
    server->acl = acl_new(&system_clock, conf->personal_limit);
    server->limits = net_limits_new(conf->connections_total, conf->connections_per_address);
    server->worker_count = thread_count(conf);
    server->workers = calloc(server->worker_count, sizeof(*server->workers));
    if (server->workers == NULL) {
        abort();
    }
    for (size_t i = 0; i < server->worker_count && rc == ERR_OK; i++) {
        rc = worker_init(server, i, why);
    }
    if (rc != ERR_OK) {
        query_server_free(server);
        return rc;
    }
    *out = server;
    return ERR_OK;
}

void query_server_free(struct query_server *server)
{
    if (server == NULL) {
        return;
    }
    for (size_t i = 0; i < server->source_count; i++) {
        index_on_event(server->sources[i].index, NULL, NULL);
    }
    if (server->listener != NULL) {
        listener_free(server->listener);
    }
    for (size_t i = 0; i < server->worker_count && server->workers != NULL; i++) {
        worker_fini(&server->workers[i]);
    }
    if (server->limits != NULL) {
        net_limits_free(server->limits);
    }
    free(server->workers);
    acl_free(server->acl);
    settings_free(server->settings);
    sem_destroy(&server->configured);
    free(server);
}

enum err query_server_listen(struct query_server *server, struct why *why)
{
    const struct query_conf *conf = &server->conf;
    struct listener_conf listener = {
        .addresses = conf->bind.items,
        .address_count = conf->bind.count,
        .port = conf->port,
        .keepalive = conf->keepalive,
        .is_proxy = is_balancer,
        .is_unlimited = has_any_connections,
        .limits =
            {
                     .max_line = MAX_LINE,
                     .output_pause = OUTPUT_PAUSE,
                     .read_timeout_s = conf->read_timeout_s,
                     .write_timeout_s = conf->read_timeout_s,
                     .telnet_interrupt = true,
                     },
    };

    return listener_open(&listener, server->worker_count, server->limits, &server->listener, why);
}

int query_server_port(const struct query_server *server)
{
    return server->listener == NULL ? 0 : listener_port(server->listener);
}

enum err query_server_start(struct query_server *server, struct why *why)
{
    enum err rc = pool_new("query-sql", POOL_THREADS, POOL_QUEUE, &server->pool, why);

    if (rc != ERR_OK) {
        return rc;
    }
    for (size_t i = 0; i < server->source_count; i++) {
        index_on_event(server->sources[i].index, on_index_event, server);
    }
    server->is_running = true;
    for (size_t i = 0; i < server->worker_count && rc == ERR_OK; i++) {
        struct server_worker *worker = &server->workers[i];

        worker->worker.pool = server->pool;
        listener_serve(server->listener, i, worker->worker.loop, on_accept, worker);
        rc = loop_start_thread(worker->worker.loop, why);
    }
    return rc;
}

void query_server_stop(struct query_server *server, int timeout_s)
{
    if (!server->is_running) {
        return;
    }
    server->stop_timeout_s = timeout_s;
    for (size_t i = 0; i < server->worker_count; i++) {
        loop_post(server->workers[i].worker.loop, &server->workers[i].stop_job);
    }
    for (size_t i = 0; i < server->worker_count; i++) {
        loop_join(server->workers[i].worker.loop);
    }
    for (size_t i = 0; i < server->worker_count; i++) {
        sessions_close_all(&server->workers[i].worker, "shutdown");
    }
    pool_free(server->pool); /* Jobs come back from there: nobody waits for them any more. */
    server->pool = NULL;
    server->is_running = false;
}

enum err query_server_reconfigure(struct query_server *server, const struct query_conf *conf,
                                  struct why *why)
{
    const struct query_source *main = server->settings->main;
    struct query_conf renamed = *conf;
    struct settings *settings;
    enum err rc;

    /* The sources are those of the start, and so is the main one's name. */
    if (main != NULL && !str_eq_nocase(str_from(conf->main_source), str_from(main->name))) {
        log_warn(LOG_QUERY, "whois.source=%s takes a restart", conf->main_source);
        renamed.main_source = main->name;
    }
    rc = settings_new(&renamed, server->sources, server->source_count, &settings, why);
    if (rc != ERR_OK) {
        return rc;
    }
    /* The limits that are enforced are those of the start. */
    settings->connections_per_address = server->settings->connections_per_address;
    settings->connections_total = server->settings->connections_total;
    settings->stale_since_ms = server->stale_since_ms;
    server->next_settings = settings;
    for (size_t i = 0; i < server->worker_count; i++) {
        if (server->is_running) {
            loop_post(server->workers[i].worker.loop, &server->workers[i].configure_job);
        } else {
            run_configure(&server->workers[i].configure_job);
        }
    }
    for (size_t i = 0; i < server->worker_count; i++) {
        while (sem_wait(&server->configured) != 0) {
        }
    }
    settings_free(server->settings);
    server->settings = settings;
    acl_set_default_limit(server->acl, conf->personal_limit);
    return ERR_OK;
}

struct acl *query_server_acl(const struct query_server *server)
{
    return server->acl;
}

void query_server_set_stale(struct query_server *server, const char *name, int64_t since_ms)
{
    for (size_t i = 0; i < server->source_count; i++) {
        if (str_eq_nocase(str_from(server->sources[i].name), str_from(name))) {
            atomic_store_explicit(&server->stale_since_ms[i], since_ms, memory_order_relaxed);
        }
    }
}

void query_server_set_handler(struct query_server *server, char letter, query_line_handler *handler,
                              void *context)
{
    for (size_t i = 0; i < server->worker_count; i++) {
        server->workers[i].worker.handlers[(int)(letter & 0x7F)] = handler;
        server->workers[i].worker.handler_contexts[(int)(letter & 0x7F)] = context;
    }
}

void query_server_counters(const struct query_server *server, struct query_counters *out)
{
    *out = (struct query_counters){.open = net_limits_count(server->limits)};
    for (size_t i = 0; i < server->worker_count; i++) {
        const struct worker *worker = &server->workers[i].worker;

        out->connections += atomic_load_explicit(&worker->connections, memory_order_relaxed);
        out->refused += atomic_load_explicit(&worker->refused, memory_order_relaxed);
        out->queries += atomic_load_explicit(&worker->queries, memory_order_relaxed);
        out->objects += atomic_load_explicit(&worker->objects, memory_order_relaxed);
    }
}
