/*
 * NRTM client.
 *
 *   waiting -> syncing -> connecting -> requested -> receiving -> waiting -> ...
 *
 * The way of a session is in nrtm_steps[], what follows from its end in nrtm_retry.c. Every change
 * of state passes client_event(); a pair that is not in the table is a mistake of ours: logged, and
 * the session ended.
 *
 * Batching: bytes are applied as they arrive; the commit follows when an iteration of the loop
 * brings no more of them (at once for a live update), after COMMIT_AFTER_MS of uninterrupted
 * arrival, or at 4 MB.
 */
#include "mirror/nrtm_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mirror/nrtm_probe.h"

enum {
    COMMIT_AFTER_MS = 40,
    HEALTHY_MS = 5 * 60 * 1000, /* The end of a stream of this age begins a new back-off. */
    LOOK_S = 5,                 /* Between two looks at a stream: alive, moving? */
    CATCHUP_SERIALS = 1000,     /* This far behind the upstream is catching up. */
    FIRST_RANGE = 64000,        /* Asked for when a server is too slow to START for all. */
    LEAST_RANGE = 1000,
    ALARM_MS = 60 * 60 * 1000,
    PROBE_GRACE_MS = 60 * 1000, /* Beyond two polls, for what a probe said is newer. */
    DAY_S = 24 * 60 * 60,
};

enum client_event {
    EVENT_NONE,
    EVENT_RUN,      /* Started by the owner. */
    EVENT_DUE,      /* The time for the next attempt has come. */
    EVENT_POSITION, /* We know where we are. */
    EVENT_CONNECTED,
    EVENT_START, /* %START was read. */
    EVENT_OVER,  /* The session is over; client->outcome says how. */
    EVENT_MOVED, /* The position was edited. */
    EVENT_STOP,  /* Stopped by the owner. */
};

struct nrtm_client {
    struct nrtm_client_conf conf;
    char *host; /* What conf.host points at. */
    struct source *source;
    const char *name;
    struct loop *loop;
    const struct clock *clock;
    enum nrtm_state state;

    /* Of the session. */
    struct nrtm_request request;
    struct nrtm_session *session;
    struct conn_request *connecting;
    struct conn *conn;
    struct nrtm_probe *probe;
    bool said_connected;      /* "Connected to" was logged for this connection. */
    bool arrived;             /* Bytes since `quiet` fired last. */
    int64_t pending_since_ms; /* Since when something waits for its commit. */
    int64_t last_byte_ms, connected_ms;
    int64_t probed_ms; /* The probe said that the upstream is ahead of us; 0: it did not. */
    enum nrtm_outcome outcome;
    char why[600]; /* Explains the outcome; "" when there is nothing to say. */

    struct loop_timer due;      /* WAITING: the next attempt. */
    struct loop_timer deadline; /* REQUESTED: %START. RECEIVING: a look at the stream. */
    struct loop_timer quiet;    /* Nothing more has arrived: commit. */

    /* From session to session. */
    struct nrtm_retry retry;
    bool was_connected;      /* Since the start. */
    bool closes_ranges;      /* Mode auto: the server does not push. */
    bool wants_range;        /* Ask for a closed range next: heartbeat. */
    int64_t range_limit;     /* Serials per request; 0: all. */
    int64_t careful_until;   /* See nrtm_session_conf. */
    int64_t hw_moved_ms;     /* When status.position moved last. */
    int64_t behind_since_ms; /* The upstream's newest serial is below ours since; 0: it is not. */
    int64_t alarm_ms;        /* Last loud line of a lasting failure. */
    struct nrtm_client_status status;
};

typedef enum client_event client_action(struct nrtm_client *client);
static void client_event(struct nrtm_client *client, enum client_event event);

static int64_t now_ms(const struct nrtm_client *client)
{
    return clock_mono_ms(client->clock);
}

static const char *state_text(enum nrtm_state state)
{
    static const char *const texts[] = {
#define X(name, text) text,
        NRTM_STATE_LIST(X)
#undef X
    };
    return texts[state];
}

/* --- how the mirror stands --- */

static void set_standing(struct nrtm_client *client, enum nrtm_standing standing)
{
    struct nrtm_client_status *status = &client->status;

    if (standing == STANDING_STREAM || status->standing == STANDING_STREAM) {
        status->fresh_ms = clock_wall_ms(client->clock); /* Until now, or from now on. */
    }
    if (standing != STANDING_COUNT && status->standing != standing) {
        log_write(standing >= STANDING_DENIED ? LOG_ERROR : LOG_INFO, LOG_IMPORTER,
                  "%s state=%s was=%s", client->name, nrtm_standing_text(standing),
                  nrtm_standing_text(status->standing));
        status->standing = standing;
        status->standing_since_ms = clock_wall_ms(client->clock);
    }
    source_note_state(client->source, nrtm_standing_text(status->standing),
                      status->error[0] != '\0' ? status->error : NULL);
}

static void note_position(struct nrtm_client *client, int64_t position)
{
    if (client->status.position != position) {
        client->status.position = position;
        client->hw_moved_ms = now_ms(client);
    }
}

static void note_upstream(struct nrtm_client *client)
{
    int64_t newest = nrtm_session_reply(client->session).upstream_max;

    if (newest >= 0) {
        client->status.upstream_max = newest;
    }
}

/* Behind the position that the upstream had at START, or not any more. */
static void note_catchup(struct nrtm_client *client)
{
    int64_t newest = client->status.upstream_max, left = newest - client->status.position;

    if (left > CATCHUP_SERIALS && client->status.standing != STANDING_CATCHUP) {
        set_standing(client, STANDING_CATCHUP);
    } else if (newest >= 0 && left <= 0 && client->status.standing != STANDING_STREAM) {
        set_standing(client, STANDING_STREAM);
    }
}

/* --- ending a session, from anywhere --- */

static void over(struct nrtm_client *client, enum nrtm_outcome outcome, const char *why)
{
    client->outcome = outcome;
    snprintf(client->why, sizeof(client->why), "%s", why);
    client_event(client, EVENT_OVER);
}

static void over_by_session(struct nrtm_client *client, enum nrtm_outcome outcome)
{
    over(client, outcome, nrtm_session_why(client->session));
}

/* --- bytes --- */

static void on_look(void *context);

static void commit_when_quiet(void *context)
{
    struct nrtm_client *client = context;
    bool go_on = client->arrived && now_ms(client) - client->pending_since_ms < COMMIT_AFTER_MS;
    enum nrtm_outcome outcome;

    if (go_on) {
        client->arrived = false;
        loop_timer_start(client->loop, &client->quiet, 0, 0, commit_when_quiet, client);
        return;
    }
    client->pending_since_ms = 0;
    outcome = nrtm_session_commit(client->session);
    note_position(client, nrtm_session_position(client->session));
    if (outcome != OUTCOME_GOES_ON) {
        over_by_session(client, outcome);
        return;
    }
    note_catchup(client);
}

static size_t on_bytes(struct conn *conn, struct str bytes)
{
    struct nrtm_client *client = conn_context(conn);
    enum nrtm_outcome outcome = nrtm_session_feed(client->session, bytes);

    client->last_byte_ms = now_ms(client);
    client->arrived = true;
    client->probed_ms = 0;
    note_upstream(client);
    if (client->state == NRTM_REQUESTED && nrtm_session_has_started(client->session)) {
        client_event(client, EVENT_START);
    }
    if (outcome != OUTCOME_GOES_ON) {
        over_by_session(client, outcome);
    } else if (client->pending_since_ms == 0 && nrtm_session_is_pending(client->session)) {
        client->pending_since_ms = client->last_byte_ms;
        loop_timer_start(client->loop, &client->quiet, 0, 0, commit_when_quiet, client);
    }
    return bytes.len;
}

static void peer_gone(struct nrtm_client *client, const char *reason)
{
    enum nrtm_outcome outcome = nrtm_session_end(client->session);
    const char *why = nrtm_session_why(client->session);

    note_upstream(client);
    over(client, outcome, why[0] != '\0' ? why : reason);
}

static void on_eof(struct conn *conn, struct str rest)
{
    peer_gone(conn_context(conn), "the peer closed the connection");
}

static void on_close(struct conn *conn, const char *reason)
{
    struct nrtm_client *client = conn_context(conn);

    char why[100];

    if (client->conn == conn) { /* Not closed by us. */
        client->conn = NULL;
        snprintf(why, sizeof(why), "the connection broke: %.60s", reason);
        peer_gone(client, why);
    }
}

static const struct conn_handler client_handler = {
    .on_bytes = on_bytes, .on_eof = on_eof, .on_close = on_close};

/* --- watching a stream --- */

static void on_probed(void *context, int64_t newest)
{
    struct nrtm_client *client = context;

    client->probe = NULL;
    if (newest == NRTM_PROBE_NO_ANSWER) {
        over(client, OUTCOME_TRANSIENT, "a silent stream, and the server does not answer a probe");
    } else if (newest > client->status.position) {
        client->status.upstream_max = newest;
        client->probed_ms = now_ms(client);
    } else {
        client->last_byte_ms = now_ms(client); /* Nothing new there: silence is right. */
    }
}

/* From time to time while receiving: is the peer alive, does the position move? */
static void on_look(void *context)
{
    struct nrtm_client *client = context;
    int64_t now = now_ms(client), silent_ms = now - client->last_byte_ms;
    int64_t patience_ms = (int64_t)client->conf.idle_probe_s * 1000;

    if (!client->request.keep_open) {
        if (silent_ms >= patience_ms) {
            over(client, OUTCOME_TRANSIENT, "the server stopped in the middle of a range");
        }
        return;
    }
    if (now - client->hw_moved_ms >= (int64_t)client->conf.heartbeat_s * 1000) {
        over(client, OUTCOME_HEARTBEAT, "the position has not moved for long");
    } else if (client->probed_ms > 0) {
        if (now - client->probed_ms >= (int64_t)2 * client->conf.poll_s * 1000 + PROBE_GRACE_MS) {
            over(client, OUTCOME_HEARTBEAT, "the upstream has newer serials than it sends");
        }
    } else if (silent_ms >= patience_ms && client->probe == NULL) {
        /* NULL while another mirror probes the host: the next look tries again. */
        client->probe = nrtm_probe_start(client->conf.probes, client->loop, client->conf.host,
                                         client->conf.port, source_upstream(client->source),
                                         &client->conf.keepalive, client->conf.connect_timeout_s,
                                         on_probed, client);
    }
}

static void on_start_timeout(void *context)
{
    struct nrtm_client *client = context;

    over(client, OUTCOME_START_TIMEOUT, "no %START in mirror.start.timeout");
}

/* --- actions of the table --- */

/* Why there is nothing to ask for yet; NULL when there is. */
static const char *no_position(struct nrtm_client *client, struct source_position *position)
{
    source_get_position(client->source, position);
    if (position->read_only) {
        return "the database was written by the reference server: run whoisd --adopt";
    }
    if (!position->position_known) {
        return "nothing says which serial the data is of: run whois.init load with a serial file, "
               "or whois.init setserial";
    }
    return NULL;
}

static enum client_event sync_position(struct nrtm_client *client)
{
    struct source_position position;
    struct why why = {""};
    const char *missing;
    bool changed;
    enum err rc;

    loop_timer_stop(&client->due);
    client->status.sessions++;
    client->why[0] = '\0';
    rc = source_sync(client->source, &changed, &why);
    if (rc != ERR_OK) {
        client->outcome = nrtm_session_outcome_of(rc);
        snprintf(client->why, sizeof(client->why), "%s", why.text);
        return EVENT_OVER;
    }
    missing = no_position(client, &position);
    if (missing != NULL) {
        client->outcome = OUTCOME_NO_POSITION;
        snprintf(client->why, sizeof(client->why), "%s", missing);
        return EVENT_OVER;
    }
    note_position(client, position.hw > position.applied ? position.hw : position.applied);
    return EVENT_POSITION;
}

/* Whether there is no stream to come back to soon. */
static bool is_polling(const struct nrtm_client *client)
{
    return client->conf.mode == NRTM_MODE_POLL ||
           (client->conf.mode == NRTM_MODE_AUTO && client->closes_ranges);
}

static struct nrtm_request next_request(const struct nrtm_client *client)
{
    const struct nrtm_client_conf *conf = &client->conf;
    struct nrtm_request request = {conf->version, client->status.position + 1, -1, false};
    int64_t newest = client->status.upstream_max;

    if (client->range_limit > 0) {
        int64_t last = client->status.position + client->range_limit;

        request.last = newest < 0 || last < newest ? last : -1;
    } else if (!client->wants_range) {
        request.keep_open = !is_polling(client);
    }
    return request;
}

static void on_connected(void *context, struct conn *conn)
{
    struct nrtm_client *client = context;

    client->connecting = NULL;
    client->conn = conn;
    conn_set_handler(conn, &client_handler, client);
    client_event(client, EVENT_CONNECTED);
}

static void on_connect_failed(void *context, const char *text)
{
    struct nrtm_client *client = context;

    client->connecting = NULL;
    over(client, OUTCOME_CONNECT, text);
}

static enum client_event start_connect(struct nrtm_client *client)
{
    static const struct conn_limits limits = {.max_line = 1024, .write_timeout_s = 60};

    client->request = next_request(client);
    client->connecting = conn_connect(client->loop, client->conf.host, client->conf.port,
                                      client->conf.connect_timeout_s, &client->conf.keepalive,
                                      &limits, on_connected, on_connect_failed, client);
    return EVENT_NONE;
}

static void say_connected(struct nrtm_client *client)
{
    if (!client->said_connected) {
        log_info(LOG_CLIENT, "Connected to %s:%d", client->conf.host, client->conf.port);
    }
    client->said_connected = client->was_connected = true;
}

/* -g RIPE:3:4712-LAST -k; servers answer longer lines than 128 bytes with an error. */
static void write_request(struct nrtm_client *client, struct buf *out)
{
    const char *upstream = source_upstream(client->source);
    char source[64], last[24] = "LAST";
    size_t i;

    for (i = 0; i < sizeof(source) - 1 && upstream[i] != '\0'; i++) {
        source[i] =
            (char)(upstream[i] >= 'a' && upstream[i] <= 'z' ? upstream[i] - 32 : upstream[i]);
    }
    source[i] = '\0';
    if (client->request.last >= 0) {
        snprintf(last, sizeof(last), "%lld", (long long)client->request.last);
    }
    buf_printf(out, "-g %s:%d:%lld-%s%s\n", source, client->request.version,
               (long long)client->request.first, last, client->request.keep_open ? " -k" : "");
}

static enum client_event send_request(struct nrtm_client *client)
{
    const struct nrtm_session_conf conf = {
        .source = client->source,
        .clock = client->clock,
        .charset = client->conf.charset,
        .max_object = client->conf.max_object,
        .request = client->request,
        .counters = &client->status.counters,
        .careful_until = &client->careful_until,
    };

    if (!client->was_connected) {
        say_connected(client);
    }
    client->status.last_connect_ms = clock_wall_ms(client->clock);
    client->session = nrtm_session_new(&conf);
    client->connected_ms = client->last_byte_ms = now_ms(client);
    write_request(client, conn_output(client->conn));
    conn_flush(client->conn);
    loop_timer_start(client->loop, &client->deadline, client->conf.start_timeout_s, 0,
                     on_start_timeout, client);
    return EVENT_NONE;
}

static enum client_event note_start(struct nrtm_client *client)
{
    struct str line = nrtm_session_start_line(client->session);

    say_connected(client);
    log_info(LOG_CLIENT, "%.*s", STR_ARG(line));
    client->status.filtered = nrtm_session_is_filtered(client->session);
    client->status.error[0] = '\0';
    client->behind_since_ms = 0;
    if (client->status.standing != STANDING_STREAM) {
        set_standing(client, STANDING_CATCHUP);
    }
    note_catchup(client);
    loop_timer_start(client->loop, &client->deadline, LOOK_S, LOOK_S, on_look, client);
    return EVENT_NONE;
}

/* --- the end of a session --- */

static bool made_progress(const struct nrtm_client *client)
{
    return client->session != NULL && (nrtm_session_operations(client->session) > 0 ||
                                       (nrtm_session_has_started(client->session) &&
                                        now_ms(client) - client->connected_ms >= HEALTHY_MS));
}

/* A refusal for a used-up day ends at midnight UTC. */
static int64_t until_midnight_ms(const struct nrtm_client *client)
{
    int64_t now_s = clock_wall_ms(client->clock) / 1000;

    return (DAY_S - now_s % DAY_S + 60) * 1000;
}

/* A server that is too slow or refuses long ranges is asked for less; once up to date, for all
 * again. */
static void adapt_range(struct nrtm_client *client)
{
    int64_t told = client->session != NULL ? nrtm_session_reply(client->session).range_limit : 0;
    int64_t limit = client->range_limit;

    switch (client->outcome) {
    case OUTCOME_TOO_MANY:
        limit = told > 0 && told != limit ? told : limit / 2;
        break;
    case OUTCOME_START_TIMEOUT:
        if (client->retry.last == OUTCOME_START_TIMEOUT) {
            limit = limit == 0 ? FIRST_RANGE : limit / 2 < LEAST_RANGE ? LEAST_RANGE : limit / 2;
        }
        break;
    case OUTCOME_UP_TO_DATE:
        limit = 0;
        break;
    default:
        break;
    }
    if (limit != client->range_limit && limit > 0) {
        log_warn(LOG_IMPORTER, "%s asks for %lld serials at a time from now on", client->name,
                 (long long)limit);
    }
    client->range_limit = limit;
}

/* A lagging replica, or a registry whose serials began anew? */
static void judge_behind(struct nrtm_client *client)
{
    int64_t now = now_ms(client);

    if (client->behind_since_ms == 0) {
        client->behind_since_ms = now;
    } else if (now - client->behind_since_ms >= (int64_t)client->conf.reset_grace_s * 1000) {
        set_standing(client, STANDING_RESET_SUSPECTED);
    }
}

/* After %END: what is left to ask for, and how. @return Whether to ask at once. */
static bool complete_wants_more(struct nrtm_client *client)
{
    bool was_heartbeat = client->wants_range, was_part = client->request.last >= 0;
    bool came_on = client->status.position >= client->request.first;

    if (client->request.keep_open) {
        client->closes_ranges = true;
    }
    client->wants_range = false;
    /* A server that brought nothing would bring nothing again, whatever it says it has. */
    return was_heartbeat ||
           (came_on && (was_part || client->status.position < client->status.upstream_max));
}

static int64_t wait_after(struct nrtm_client *client)
{
    bool progress = made_progress(client);
    int64_t delay = nrtm_retry_delay(&client->retry, client->outcome, progress,
                                     (int64_t)client->conf.poll_s * 1000);

    switch (client->outcome) {
    case OUTCOME_COMPLETE:
        return complete_wants_more(client) ? 0 : delay;
    case OUTCOME_PROTOCOL:
        return progress ? 1000 : delay; /* The request was right; something broke on the way. */
    case OUTCOME_DENIED:
        return strstr(client->why, "emporar") != NULL ? until_midnight_ms(client) : delay;
    case OUTCOME_UP_TO_DATE:
        client->behind_since_ms = 0;
        client->wants_range = false;
        return is_polling(client) ? (int64_t)client->conf.poll_s * 1000 : delay;
    case OUTCOME_HEARTBEAT:
        client->wants_range = true;
        client->hw_moved_ms =
            now_ms(client); /* The next one after the same time, whatever comes. */
        return delay;
    case OUTCOME_BEHIND:
        judge_behind(client);
        return delay;
    default:
        return delay;
    }
}

/* One line per session. What repeats, such as "up to date" every minute, is not worth an operator's
 * attention. */
static void say_end(struct nrtm_client *client, const struct nrtm_end *row, bool repeated,
                    int64_t delay_ms)
{
    bool is_lost = client->status.standing == STANDING_RESET_SUSPECTED;
    enum log_level level = is_lost && row->failed ? LOG_ERROR : row->level;
    int64_t now = now_ms(client);
    bool alarm = level == LOG_ERROR && now - client->alarm_ms >= ALARM_MS;
    char next[32] = "never";

    if (repeated && !row->loud && !alarm) {
        level = LOG_DEBUG;
    } else {
        client->alarm_ms = now;
    }
    if (delay_ms >= 0) {
        snprintf(next, sizeof(next), "%lld.%03llds", (long long)(delay_ms / 1000),
                 (long long)(delay_ms % 1000));
    }
    log_write(
        level, LOG_IMPORTER,
        "session source=%s peer=%s:%d position=%lld upstream=%lld ops=%llu next=%s "
        "reason=%s%s%s",
        client->name, client->conf.host, client->conf.port, (long long)client->status.position,
        (long long)client->status.upstream_max,
        (unsigned long long)(client->session != NULL ? nrtm_session_operations(client->session)
                                                     : 0),
        next, nrtm_outcome_text(client->outcome), client->why[0] != '\0' ? ": " : "", client->why);
}

static void release_session(struct nrtm_client *client)
{
    struct conn *conn = client->conn;

    loop_timer_stop(&client->deadline);
    loop_timer_stop(&client->quiet);
    conn_connect_cancel(client->connecting);
    nrtm_probe_cancel(client->probe);
    nrtm_session_free(client->session);
    client->connecting = NULL;
    client->probe = NULL;
    client->session = NULL;
    client->conn = NULL;
    client->said_connected = false;
    client->pending_since_ms = 0;
    client->probed_ms = 0;
    if (conn != NULL) {
        conn_close(conn, nrtm_outcome_text(client->outcome));
    }
}

/* An end that we choose keeps what has arrived whole. */
static void commit_rest(struct nrtm_client *client)
{
    enum nrtm_outcome outcome;

    if (client->session == NULL) {
        return;
    }
    if (client->outcome != OUTCOME_MOVED) {
        outcome = nrtm_session_commit(client->session);
        if (outcome != OUTCOME_GOES_ON && client->outcome == OUTCOME_HEARTBEAT) {
            client->outcome = outcome;
            snprintf(client->why, sizeof(client->why), "%s", nrtm_session_why(client->session));
        }
    }
    note_position(client, nrtm_session_position(client->session));
}

static void on_due(void *context)
{
    client_event(context, EVENT_DUE);
}

/* What an operator can do about it. */
static void add_advice(struct nrtm_client *client)
{
    size_t used = strlen(client->why);
    char *end = client->why + used;

    if (client->outcome == OUTCOME_BEHIND) {
        snprintf(end, sizeof(client->why) - used,
                 "; our serial %lld is above the upstream's newest: it lags, its serials began "
                 "anew, or ours was set too high (whois.init setserial %s N)",
                 (long long)client->status.position, client->name);
    } else if (client->outcome == OUTCOME_EXPIRED) {
        snprintf(end, sizeof(client->why) - used, "; reload from a new dump (whois.init reload %s)",
                 client->name);
    }
}

static enum client_event end_session(struct nrtm_client *client)
{
    const struct nrtm_end *row;
    char error[sizeof(client->status.error)];
    int64_t delay_ms;
    bool repeated;

    commit_rest(client);
    add_advice(client);
    row = nrtm_end_of(client->outcome);
    snprintf(error, sizeof(error), "%s: %.250s", nrtm_outcome_text(client->outcome), client->why);
    repeated = client->retry.last == client->outcome &&
               (!row->failed || strcmp(error, client->status.error) == 0);
    if (row->failed) {
        memcpy(client->status.error, error, sizeof(error));
        client->status.failures++;
    } else {
        client->status.error[0] = '\0';
    }
    adapt_range(client);
    delay_ms = wait_after(client);
    say_end(client, row, repeated, delay_ms);
    release_session(client);
    /* Between two parts of a range the mirror is where it was: catching up. */
    set_standing(client, client->outcome == OUTCOME_COMPLETE && delay_ms == 0 ? STANDING_COUNT
                                                                              : row->standing);
    if (delay_ms >= 0) {
        loop_timer_start(client->loop, &client->due, (double)delay_ms / 1000, 0, on_due, client);
    }
    return EVENT_NONE;
}

static enum client_event end_moved(struct nrtm_client *client)
{
    client->outcome = OUTCOME_MOVED;
    snprintf(client->why, sizeof(client->why), "the position was changed in the database");
    return end_session(client);
}

static enum client_event end_stopped(struct nrtm_client *client)
{
    client->outcome = OUTCOME_STOPPED;
    client->why[0] = '\0';
    return end_session(client);
}

static enum client_event rest(struct nrtm_client *client)
{
    loop_timer_stop(&client->due);
    return EVENT_NONE;
}

static enum client_event nothing(struct nrtm_client *client)
{
    return EVENT_NONE;
}

/* --- the table --- */

struct nrtm_step {
    enum nrtm_state from;
    enum client_event event;
    enum nrtm_state to;
    client_action *action; /* May name the next event. */
};

// clang-format off
static const struct nrtm_step nrtm_steps[] = {
    {NRTM_STOPPED, EVENT_RUN, NRTM_SYNCING, sync_position},
    {NRTM_STOPPED, EVENT_STOP, NRTM_STOPPED, nothing},
    {NRTM_STOPPED, EVENT_MOVED, NRTM_STOPPED, nothing},

    {NRTM_WAITING, EVENT_RUN, NRTM_WAITING, nothing},
    {NRTM_WAITING, EVENT_DUE, NRTM_SYNCING, sync_position},
    {NRTM_WAITING, EVENT_MOVED, NRTM_SYNCING, sync_position},
    {NRTM_WAITING, EVENT_STOP, NRTM_STOPPED, rest},

    {NRTM_SYNCING, EVENT_POSITION, NRTM_CONNECTING, start_connect},
    {NRTM_SYNCING, EVENT_OVER, NRTM_WAITING, end_session},

    {NRTM_CONNECTING, EVENT_RUN, NRTM_CONNECTING, nothing},
    {NRTM_CONNECTING, EVENT_CONNECTED, NRTM_REQUESTED, send_request},
    {NRTM_CONNECTING, EVENT_OVER, NRTM_WAITING, end_session},
    {NRTM_CONNECTING, EVENT_MOVED, NRTM_WAITING, end_moved},
    {NRTM_CONNECTING, EVENT_STOP, NRTM_STOPPED, end_stopped},

    {NRTM_REQUESTED, EVENT_RUN, NRTM_REQUESTED, nothing},
    {NRTM_REQUESTED, EVENT_START, NRTM_RECEIVING, note_start},
    {NRTM_REQUESTED, EVENT_OVER, NRTM_WAITING, end_session},
    {NRTM_REQUESTED, EVENT_MOVED, NRTM_WAITING, end_moved},
    {NRTM_REQUESTED, EVENT_STOP, NRTM_STOPPED, end_stopped},

    {NRTM_RECEIVING, EVENT_RUN, NRTM_RECEIVING, nothing},
    {NRTM_RECEIVING, EVENT_OVER, NRTM_WAITING, end_session},
    {NRTM_RECEIVING, EVENT_MOVED, NRTM_WAITING, end_moved},
    {NRTM_RECEIVING, EVENT_STOP, NRTM_STOPPED, end_stopped},
};
// clang-format on

static const struct nrtm_step *find_step(enum nrtm_state from, enum client_event event)
{
    for (size_t i = 0; i < sizeof(nrtm_steps) / sizeof(nrtm_steps[0]); i++) {
        if (nrtm_steps[i].from == from && nrtm_steps[i].event == event) {
            return &nrtm_steps[i];
        }
    }
    return NULL;
}

/* The one place where the state changes. */
static void client_event(struct nrtm_client *client, enum client_event event)
{
    while (event != EVENT_NONE) {
        const struct nrtm_step *step = find_step(client->state, event);

        if (step == NULL) {
            log_error(LOG_IMPORTER, "%s: event %d in state %s was not foreseen", client->name,
                      (int)event, state_text(client->state));
            client->outcome = OUTCOME_PROTOCOL;
            snprintf(client->why, sizeof(client->why), "internal: unforeseen event");
            client->state = NRTM_WAITING;
            event = end_session(client);
            continue;
        }
        client->state = step->to;
        event = step->action(client);
    }
}

/* --- the owner's side --- */

struct nrtm_client *nrtm_client_new(const struct nrtm_client_conf *conf, struct source *source,
                                    struct loop *loop, const struct clock *clock)
{
    struct nrtm_client *client = calloc(1, sizeof(*client));

    if (client == NULL) {
        abort();
    }
    client->conf = *conf;
    client->host = str_dup(str_from(conf->host));
    client->conf.host = client->host;
    client->source = source;
    client->name = source_name(source);
    client->loop = loop;
    client->clock = clock;
    client->retry.last = OUTCOME_GOES_ON;
    client->retry.random = (unsigned)clock_mono_us();
    client->status.upstream_max = -1;
    client->status.standing = STANDING_BOOTSTRAP;
    client->status.standing_since_ms = client->status.fresh_ms = clock_wall_ms(clock);
    client->hw_moved_ms = now_ms(client);
    if (conf->version < 3) {
        log_warn(LOG_IMPORTER,
                 "%s uses NRTM version %d, whose operations carry no serials: version 3 is safer",
                 client->name, conf->version);
    }
    return client;
}

void nrtm_client_free(struct nrtm_client *client)
{
    if (client != NULL) {
        nrtm_client_stop(client);
        free(client->host);
        free(client);
    }
}

void nrtm_client_start(struct nrtm_client *client)
{
    client_event(client, EVENT_RUN);
}

void nrtm_client_stop(struct nrtm_client *client)
{
    client_event(client, EVENT_STOP);
}

void nrtm_client_position_moved(struct nrtm_client *client)
{
    client_event(client, EVENT_MOVED);
}

bool nrtm_client_is_in_batch(const struct nrtm_client *client)
{
    return client->session != NULL && nrtm_session_is_pending(client->session);
}

void nrtm_client_get_status(const struct nrtm_client *client, struct nrtm_client_status *out)
{
    *out = client->status;
    out->state = client->state;
    if (client->state == NRTM_RECEIVING && out->standing == STANDING_STREAM) {
        out->fresh_ms = clock_wall_ms(client->clock);
    }
}
