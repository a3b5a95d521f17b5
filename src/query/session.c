/*
 * A session reads a line, starts an answer and hands it to the connection, which pumps it slice by
 * slice. The short answer, nearly every one, is complete after the first slice and never leaves the
 * callback that read its line.
 *
 * An answer that needs the database waits for a job of the pool. The job knows its session by a
 * ticket: when the client leaves, the ticket is torn, and the job's end finds nobody to tell.
 */
#include "query/session.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

#define SLICE_BYTES 65536
#define SLICE_US    200
#define CLOCK_STEPS 8 /* The clock is looked at once in so many steps. */

/* A version query on its way through the pool. */
struct version_ticket {
    struct pool_job job;
    struct version_query *query;
    const struct query_source *source;
    struct session *session; /* NULL: the client has left, or waits no more. */
    int64_t since_us;
};

struct session {
    struct worker *worker;
    struct conn *conn;
    struct session *next, **link; /* link: what points to this session. */
    struct arena *arena;
    struct answer_client client;
    bool is_persistent;
    bool is_answering;
    int64_t started_us; /* Of the answer; 0 until it takes more than a slice, or is logged. */
    struct version_ticket *ticket; /* What the answer waits for; NULL: nothing. */
    struct answer answer;
};

static void count(_Atomic uint64_t *counter, uint64_t more)
{
    uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);

    atomic_store_explicit(counter, now + more, memory_order_relaxed);
}

static const struct settings *settings_of(const struct session *session)
{
    return session->worker->tools.settings;
}

static void print_served_by(const struct session *session)
{
    struct buf *out = conn_output(session->conn);

    buf_add_str(out, buf_str(&settings_of(session)->served_by));
    buf_add_char(out, '\n');
}

static void log_answer(struct session *session, const char *reason)
{
    int64_t ms = (clock_mono_us() - session->started_us) / 1000;

    log_info(LOG_QUERY, "done id=%x peer=%s query=%s objects=%llu ms=%lld reason=%s",
             session->worker->next_id++, conn_peer(session->conn),
             log_quote(session->answer.query.text).text,
             (unsigned long long)session->answer.object_count, (long long)ms, reason);
}

/* --- what answers wait for --- */

static void free_ticket(struct version_ticket *ticket)
{
    version_query_free(ticket->query);
    free(ticket);
}

static struct version_ticket *ticket_of(struct pool_job *job)
{
    return (struct version_ticket *)((char *)job - offsetof(struct version_ticket, job));
}

static void run_version_query(struct pool_job *job)
{
    version_query_run(ticket_of(job)->query);
}

static void on_versions(struct pool_job *job)
{
    struct version_ticket *ticket = ticket_of(job);
    struct session *session = ticket->session;

    if (session != NULL) {
        session->answer.versions = ticket->query;
        session->ticket = NULL;
        ticket->query = NULL;
        conn_answer(session->conn);
    }
    free_ticket(ticket);
}

/* Have the answer's version query carried out. It is the job's until it comes back. */
static enum conn_pump fetch_versions(struct session *session)
{
    struct version_ticket *ticket = calloc(1, sizeof(*ticket));

    if (ticket == NULL) {
        abort();
    }
    *ticket = (struct version_ticket){
        .job = {.run = run_version_query, .done = on_versions},
        .query = session->answer.versions,
        .source = session->answer.versions->source,
        .session = session,
        .since_us = clock_mono_us(),
    };
    if (!pool_submit(session->worker->pool, session->worker->loop, &ticket->job)) {
        free(ticket);
        version_query_refuse(session->answer.versions);
        return CONN_MORE;
    }
    session->answer.versions = NULL;
    session->ticket = ticket;
    return CONN_WAIT;
}

static void leave_ticket(struct session *session)
{
    struct version_ticket *ticket = session->ticket;

    if (ticket == NULL) {
        return;
    }
    session->ticket = NULL;
    ticket->session = NULL;
    if (pool_cancel(&ticket->job)) {
        free_ticket(ticket);
    }
}

/* --- the end of an answer --- */

static void end_answer(struct session *session, const char *reason)
{
    if (!session->is_answering) {
        return;
    }
    count(&session->worker->queries, 1);
    count(&session->worker->objects, session->answer.object_count);
    if (settings_of(session)->log_queries) {
        log_answer(session, session->answer.failure != NULL ? session->answer.failure : reason);
    }
    leave_ticket(session);
    answer_end(&session->answer);
    session->is_answering = false;
    session->started_us = 0;
    arena_reset(session->arena);
}

static void session_free(struct session *session, const char *reason)
{
    end_answer(session, reason);
    *session->link = session->next;
    if (session->next != NULL) {
        session->next->link = session->link;
    }
    arena_free(session->arena);
    free(session);
}

/* --- callbacks of the connection --- */

/* Another protocol's line: the connection is its from now on. */
static bool hand_over(struct session *session, struct str line)
{
    struct worker *worker = session->worker;
    struct conn *conn = session->conn;
    bool has_letter = line.len > 2 && line.at[0] == '-' && line.at[2] == ' ';
    unsigned letter = has_letter ? (unsigned char)line.at[1] : 0;

    if (letter >= MAX_HANDLERS || worker->handlers[letter] == NULL) {
        return false;
    }
    conn_set_handler(conn, NULL, NULL);
    session_free(session, "handed over");
    worker->handlers[letter](worker->handler_contexts[letter], conn, line);
    return true;
}

static void on_line(struct conn *conn, struct str line)
{
    struct session *session = conn_context(conn);
    struct worker *worker = session->worker;
    bool is_only_persistent;

    if (hand_over(session, line)) {
        return;
    }
    if (answer_read(&session->answer, &worker->tools, line, &session->client, session->arena) !=
        ERR_OK) {
        log_warn(LOG_QUERY, "closed peer=%s query=%s reason=\"query.answer.memory is too small\"",
                 conn_peer(conn), log_quote(line).text);
        conn_close(conn, "query.answer.memory is too small");
        return;
    }
    is_only_persistent =
        session->answer.is_valid && query_is_only_persistent(&session->answer.query);
    if (session->is_persistent && is_only_persistent) {
        conn_close_after_flush(conn, "client");
        return;
    }
    if (session->answer.is_valid && query_has(&session->answer.query, QF(PERSISTENT))) {
        session->is_persistent = true;
    }
    session->is_answering = true;
    if (settings_of(session)->log_queries) {
        session->started_us = clock_mono_us();
    }
    conn_answer(conn);
}

static enum conn_pump finish(struct session *session)
{
    bool stays =
        session->is_persistent && !session->answer.must_close && !session->worker->is_stopping;

    print_served_by(session);
    if (stays) {
        buf_add_str(conn_output(session->conn), buf_str(&settings_of(session)->banner));
    }
    end_answer(session, "answered");
    return stays ? CONN_DONE : CONN_DONE_CLOSE;
}

static enum conn_pump pump(struct conn *conn)
{
    struct session *session = conn_context(conn);
    struct buf *out = conn_output(conn);
    size_t begin = out->len;
    int64_t until_us = 0; /* Most answers are complete before the clock is looked at. */
    enum answer_progress progress;

    if (session->ticket != NULL) {
        return CONN_WAIT;
    }
    for (unsigned step = 1; (progress = answer_step(&session->answer, out)) == ANSWER_MORE;
         step++) {
        bool is_over = out->len - begin >= SLICE_BYTES;

        if (step % CLOCK_STEPS == 0) {
            int64_t now_us = clock_mono_us();

            until_us = until_us == 0 ? now_us + SLICE_US : until_us;
            is_over = is_over || now_us >= until_us;
        }
        if (is_over) {
            answer_hold(&session->answer);
            if (session->started_us == 0) {
                session->started_us = clock_mono_us();
            }
            return CONN_MORE;
        }
    }
    if (progress == ANSWER_AHEAD) {
        answer_hold(&session->answer);
        return CONN_SOON;
    }
    if (progress == ANSWER_WAITS) {
        session->started_us = session->started_us == 0 ? clock_mono_us() : session->started_us;
        return fetch_versions(session);
    }
    return finish(session);
}

static void on_line_too_long(struct conn *conn)
{
    message_print(conn_output(conn), MSG_LINE_TOO_LONG, NULL);
    print_served_by(conn_context(conn));
    conn_close_after_flush(conn, "line too long");
}

static void on_idle(struct conn *conn)
{
    message_print(conn_output(conn), MSG_IDLE, NULL);
    print_served_by(conn_context(conn));
    conn_close_after_flush(conn, "idle");
}

/* A line without its end is no query; answers of complete lines were all given. */
static void on_eof(struct conn *conn, struct str rest)
{
    conn_close_after_flush(conn, "peer");
}

static void on_close(struct conn *conn, const char *reason)
{
    session_free(conn_context(conn), reason);
}

static const struct conn_handler handler = {
    .on_line = on_line,
    .on_line_too_long = on_line_too_long,
    .pump = pump,
    .on_idle = on_idle,
    .on_eof = on_eof,
    .on_close = on_close,
};

/* --- the worker's side --- */

/* What the settings say about the client. */
static void look_up_client(struct session *session)
{
    const struct settings *settings = settings_of(session);
    struct answer_client *client = &session->client;

    client->is_trusted = address_list_find(&settings->trusted, &client->address) != NULL;
    client->is_blocked = address_list_find(&settings->blocked, &client->address) != NULL;
}

void session_open(struct worker *worker, struct conn *conn)
{
    struct session *session = calloc(1, sizeof(*session));

    if (session == NULL) {
        abort();
    }
    session->worker = worker;
    session->conn = conn;
    session->arena = arena_new(worker->answer_memory);
    session->client.address = address_of_peer(conn_peer_address(conn));
    look_up_client(session);
    session->link = &worker->sessions;
    session->next = worker->sessions;
    if (session->next != NULL) {
        session->next->link = &session->next;
    }
    worker->sessions = session;
    count(&worker->connections, 1);
    conn_set_handler(conn, &handler, session);
    buf_add_str(conn_output(conn), buf_str(&worker->tools.settings->banner));
}

void session_refuse(struct worker *worker, struct conn *conn, bool from_its_address)
{
    const struct settings *settings = worker->tools.settings;
    struct buf *out = conn_output(conn);
    char limit[16];

    snprintf(limit, sizeof(limit), "%d",
             from_its_address ? settings->connections_per_address : settings->connections_total);
    buf_add_str(out, buf_str(&settings->banner));
    message_print(out, from_its_address ? MSG_TOO_MANY_FROM_ADDRESS : MSG_TOO_MANY,
                  ARGS(str_from(limit)));
    buf_add_str(out, buf_str(&settings->served_by));
    count(&worker->refused, 1);
    conn_close_after_flush(conn, "too many connections");
}

static void cut(struct session *session, const char *why, const char *reason)
{
    log_warn(LOG_QUERY, "closed peer=%s query=%s reason=\"%s\"", conn_peer(session->conn),
             log_quote(session->answer.query.text).text, why);
    conn_close(session->conn, reason);
}

void sessions_close_overdue(struct worker *worker)
{
    int timeout_s = worker->tools.settings->answer_timeout_s;
    int64_t oldest = clock_mono_us() - (int64_t)timeout_s * 1000000;
    char why[80];

    for (struct session *session = worker->sessions, *next; session != NULL; session = next) {
        next = session->next;
        if (!session->is_answering) {
            continue;
        }
        if (timeout_s > 0 && session->started_us != 0 && session->started_us < oldest) {
            snprintf(why, sizeof(why), "answer took more than %d s", timeout_s);
            cut(session, why, "overdue");
        } else if (answer_is_unwanted(&session->answer)) {
            cut(session, "answer keeps too much memory of old versions", "old version");
        }
    }
}

void sessions_reconfigured(struct worker *worker)
{
    for (struct session *session = worker->sessions; session != NULL; session = session->next) {
        look_up_client(session);
    }
}

void sessions_end_waits(struct worker *worker)
{
    int timeout_s = worker->tools.settings->database_timeout_s;
    int64_t oldest = clock_mono_us() - (int64_t)timeout_s * 1000000;

    for (struct session *session = worker->sessions; session != NULL && timeout_s > 0;
         session = session->next) {
        const struct version_ticket *ticket = session->ticket;
        const struct query_source *source;

        if (ticket == NULL || ticket->since_us >= oldest) {
            continue;
        }
        source = ticket->source;
        log_warn(LOG_QUERY, "source %s: the database gives no versions for %d s, query=%s",
                 source->name, timeout_s, log_quote(session->answer.query.text).text);
        leave_ticket(session);
        session->answer.versions = version_query_late(source);
        conn_answer(session->conn);
    }
}

void sessions_close_all(struct worker *worker, const char *reason)
{
    while (worker->sessions != NULL) {
        conn_close(worker->sessions->conn, reason);
    }
}
