/*
 * NRTM client.
 *
 *   waiting -> syncing -> connecting -> requested -> receiving -> waiting -> ...
 *                                                     ^  v
 *                                                     held
 *
 * From requested and receiving a refusal leads to refused, until it has been explained.
 *
 * The way of a session is in nrtm_steps[], what follows from its end in nrtm_end.c. Every change
 * of state passes client_event(); a pair that is not in the table is a mistake of ours: logged, and
 * the session ended.
 *
 * Batching: bytes are applied as they arrive; the commit follows when an iteration of the loop
 * brings no more of them (at once for a live update), after COMMIT_AFTER_MS of uninterrupted
 * arrival, or at 4 MB.
 */
#include "mirror/nrtm_client_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    COMMIT_AFTER_MS = 40,
    EXPLAIN_S = 5,              /* For a refusal that may be explained. */
    LOOK_S = 5,                 /* Between two looks at a stream: alive, moving? */
    CATCHUP_SERIALS = 1000,     /* This far behind the upstream is catching up. */
    PROBE_GRACE_MS = 60 * 1000, /* Beyond two polls, for what a probe said is newer. */
};

typedef enum client_event client_action(struct nrtm_client *client);
int64_t client_now_ms(const struct nrtm_client *client)
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

void client_set_standing(struct nrtm_client *client, enum nrtm_standing standing)
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

void client_note_position(struct nrtm_client *client, int64_t position)
{
    if (client->status.position != position) {
        client->status.position = position;
        client->hw_moved_ms = client_now_ms(client);
    }
}

/* A range up to LAST and some refusals tell where the upstream ends, a closed range only how far it
 * comes at least. */
static void note_upstream(struct nrtm_client *client)
{
    int64_t newest = nrtm_session_reply(client->session).upstream_max, first, last;

    nrtm_session_range(client->session, &first, &last);
    if (newest >= 0) {
        client->status.upstream_max = newest;
        client->knows_newest = true;
    } else if (last > client->status.upstream_max) {
        client->status.upstream_max = last;
    }
}

/* Behind the position that the upstream had at START, or not any more. */
static void note_catchup(struct nrtm_client *client)
{
    int64_t newest = client->status.upstream_max, left = newest - client->status.position;

    if (left > CATCHUP_SERIALS && client->status.standing != STANDING_CATCHUP) {
        client_set_standing(client, STANDING_CATCHUP);
    } else if (client->knows_newest && left <= 0 && client->status.standing != STANDING_STREAM) {
        client_set_standing(client, STANDING_STREAM);
    }
}

void client_bind(struct nrtm_client *client)
{
    const struct nrtm_reply reply = nrtm_session_reply(client->session);
    struct source_server server = {
        .port = client->conf.port,
        .version = client->request.version,
        .filtered = client->status.filtered,
        .min = reply.upstream_min > 0 ? reply.upstream_min : 0,
        .max = client->status.upstream_max > 0 ? client->status.upstream_max : 0,
    };

    nrtm_session_range(client->session, &server.start_first, &server.start_last);
    snprintf(server.host, sizeof(server.host), "%s", client->host);
    source_note_server(client->source, &server);
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
    bool goes_on =
        client->arrived && client_now_ms(client) - client->pending_since_ms < COMMIT_AFTER_MS;
    enum nrtm_outcome outcome;

    if (goes_on) {
        client->arrived = false;
        loop_timer_start(client->loop, &client->quiet, 0, 0, commit_when_quiet, client);
        return;
    }
    client->pending_since_ms = 0;
    outcome = nrtm_session_commit(client->session);
    client_note_position(client, nrtm_session_position(client->session));
    if (outcome != OUTCOME_GOES_ON) {
        over_by_session(client, outcome);
        return;
    }
    note_catchup(client);
}

/* The session has taken what there was. */
static void follow_session(struct nrtm_client *client, enum nrtm_outcome outcome)
{
    note_upstream(client);
    if (client->state == NRTM_REQUESTED && nrtm_session_has_started(client->session)) {
        client_event(client, EVENT_START);
    }
    if (outcome != OUTCOME_GOES_ON) {
        over_by_session(client, outcome);
        return;
    }
    if (client->pending_since_ms == 0 && nrtm_session_is_pending(client->session)) {
        client->pending_since_ms = client_now_ms(client);
        loop_timer_start(client->loop, &client->quiet, 0, 0, commit_when_quiet, client);
    }
    if (nrtm_session_is_waiting(client->session)) {
        client_event(client, EVENT_FULL);
    }
    if (client->state != NRTM_REFUSED && nrtm_session_is_refused(client->session)) {
        client_event(client, EVENT_REFUSED);
    }
}

static size_t on_bytes(struct conn *conn, struct str bytes)
{
    struct nrtm_client *client = conn_context(conn);
    enum nrtm_outcome outcome = nrtm_session_feed(client->session, bytes);

    client->last_byte_ms = client_now_ms(client);
    client->arrived = true;
    client->probed_ms = 0;
    follow_session(client, outcome);
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
        client->probed_ms = client_now_ms(client);
    } else {
        client->last_byte_ms = client_now_ms(client); /* Nothing new there: silence is right. */
    }
}

/* From time to time while receiving: is the peer alive, does the position move? */
static void on_look(void *context)
{
    struct nrtm_client *client = context;
    int64_t now = client_now_ms(client), silent_ms = now - client->last_byte_ms;
    int64_t patience_ms = (int64_t)client->conf.idle_probe_s * 1000;

    if (client->state == NRTM_HELD) {
        return; /* It is us who stand still. */
    }
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

/* The configured server, or one of those that are said to count like it. */
static bool counts_the_same(const struct nrtm_client *client, const char *host)
{
    struct str rest = str_from(client->aliases), alias;

    if (str_eq_nocase(str_from(host), str_from(client->host))) {
        return true;
    }
    while (str_split(&rest, ',', &alias)) {
        if (str_eq_nocase(str_from(host), str_trim(alias))) {
            return true;
        }
    }
    return false;
}

/* Serials mean something to the server that counts them: a mirror in between, and another registry,
 * have their own. */
static bool is_of_other_server(struct nrtm_client *client)
{
    const struct source_bond *bond = &client->bond;
    const char *upstream = source_upstream(client->source);

    source_get_bond(client->source, &client->bond);
    if (bond->host[0] == '\0' || (str_eq_nocase(str_from(bond->source), str_from(upstream)) &&
                                  counts_the_same(client, bond->host))) {
        return false;
    }
    snprintf(
        client->why, sizeof(client->why),
        "serial %lld is of %.60s at %.100s, and %.60s at %.100s may count otherwise: reload it "
        "(whois.init reload %s), or set its position (whois.init setserial %s N), or name the "
        "other host in nrtm.import.%s.aliases",
        (long long)client->status.position, bond->source, bond->host, upstream, client->host,
        client->name, client->name, client->name);
    return true;
}

/* When the mirror was up to date last, before this client: as it was noted, or where nothing was
 * noted yet, when its data moved last. */
static void recall_freshness(struct nrtm_client *client)
{
    const int64_t now_ms = clock_wall_ms(client->clock);
    struct source_bond bond;
    int64_t known_ms;

    if (client->status.fresh_ms == 0) {
        source_get_bond(client->source, &bond);
        known_ms = (bond.fresh_time_s > 0 ? bond.fresh_time_s : bond.hw_time_s) * 1000;
        client->status.fresh_ms = known_ms < now_ms ? known_ms : now_ms;
    }
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
    recall_freshness(client);
    missing = no_position(client, &position);
    if (missing != NULL) {
        client->outcome = OUTCOME_NO_POSITION;
        snprintf(client->why, sizeof(client->why), "%s", missing);
        return EVENT_OVER;
    }
    client_note_position(client, position.hw > position.applied ? position.hw : position.applied);
    if (is_of_other_server(client)) {
        client->outcome = OUTCOME_OTHER_SERVER;
        return EVENT_OVER;
    }
    return EVENT_POSITION;
}

bool client_is_polling(const struct nrtm_client *client)
{
    return client->conf.mode == NRTM_MODE_POLL ||
           (client->conf.mode == NRTM_MODE_AUTO && client->closes_ranges);
}

/* Part by part where all at once cannot be had. Only a newest serial that is known makes LAST a
 * part that is small enough; the part that goes beyond it is refused, and that tells it. */
static struct nrtm_request next_request(const struct nrtm_client *client)
{
    const struct nrtm_client_conf *conf = &client->conf;
    struct nrtm_request request = {conf->version, client->status.position + 1, -1, false};

    if (client->range_limit > 0) {
        int64_t last = client->status.position + client->range_limit;

        request.last = client->knows_newest && last >= client->status.upstream_max ? -1 : last;
    } else if (!client->wants_range) {
        request.keep_open = !client_is_polling(client);
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
    client->status.connects++;
    client->status.last_connect_ms = clock_wall_ms(client->clock);
    client->session = nrtm_session_new(&conf);
    client->connected_ms = client->last_byte_ms = client_now_ms(client);
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
    client_bind(client);
    if (client->status.standing != STANDING_STREAM) {
        client_set_standing(client, STANDING_CATCHUP);
    }
    note_catchup(client);
    loop_timer_start(client->loop, &client->deadline, LOOK_S, LOOK_S, on_look, client);
    return EVENT_NONE;
}

static void on_room_look(void *context)
{
    struct nrtm_client *client = context;
    enum nrtm_outcome outcome = nrtm_session_go_on(client->session);

    if (!nrtm_session_is_waiting(client->session)) {
        client_event(client, EVENT_ROOM);
        follow_session(client, outcome);
    }
}

static enum client_event hold(struct nrtm_client *client)
{
    const double look_s = ROOM_LOOK_MS / 1000.0;

    if (client->status.standing == STANDING_STREAM) {
        client->status.fresh_ms = clock_wall_ms(client->clock); /* Until now. */
    }
    conn_pause_input(client->conn, true);
    loop_timer_start(client->loop, &client->room, look_s, look_s, on_room_look, client);
    return EVENT_NONE;
}

static enum client_event go_on(struct nrtm_client *client)
{
    loop_timer_stop(&client->room);
    client->last_byte_ms = client_now_ms(client);
    conn_pause_input(client->conn, false);
    return EVENT_NONE;
}

static void on_explain_timeout(void *context)
{
    struct nrtm_client *client = context;

    over_by_session(client, nrtm_session_end(client->session));
}

static enum client_event await_explanation(struct nrtm_client *client)
{
    loop_timer_start(client->loop, &client->deadline, EXPLAIN_S, 0, on_explain_timeout, client);
    return EVENT_NONE;
}

static enum client_event end_moved(struct nrtm_client *client)
{
    client->outcome = OUTCOME_MOVED;
    snprintf(client->why, sizeof(client->why), "the position was changed in the database");
    return client_end_session(client);
}

static enum client_event end_stopped(struct nrtm_client *client)
{
    client->outcome = OUTCOME_STOPPED;
    client->why[0] = '\0';
    return client_end_session(client);
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
    {NRTM_SYNCING, EVENT_OVER, NRTM_WAITING, client_end_session},

    {NRTM_CONNECTING, EVENT_RUN, NRTM_CONNECTING, nothing},
    {NRTM_CONNECTING, EVENT_CONNECTED, NRTM_REQUESTED, send_request},
    {NRTM_CONNECTING, EVENT_OVER, NRTM_WAITING, client_end_session},
    {NRTM_CONNECTING, EVENT_MOVED, NRTM_WAITING, end_moved},
    {NRTM_CONNECTING, EVENT_STOP, NRTM_STOPPED, end_stopped},

    {NRTM_REQUESTED, EVENT_RUN, NRTM_REQUESTED, nothing},
    {NRTM_REQUESTED, EVENT_START, NRTM_RECEIVING, note_start},
    {NRTM_REQUESTED, EVENT_REFUSED, NRTM_REFUSED, await_explanation},
    {NRTM_REQUESTED, EVENT_OVER, NRTM_WAITING, client_end_session},
    {NRTM_REQUESTED, EVENT_MOVED, NRTM_WAITING, end_moved},
    {NRTM_REQUESTED, EVENT_STOP, NRTM_STOPPED, end_stopped},

    {NRTM_RECEIVING, EVENT_RUN, NRTM_RECEIVING, nothing},
    {NRTM_RECEIVING, EVENT_OVER, NRTM_WAITING, client_end_session},
    {NRTM_RECEIVING, EVENT_MOVED, NRTM_WAITING, end_moved},
    {NRTM_RECEIVING, EVENT_STOP, NRTM_STOPPED, end_stopped},
    {NRTM_RECEIVING, EVENT_FULL, NRTM_HELD, hold},
    {NRTM_RECEIVING, EVENT_REFUSED, NRTM_REFUSED, await_explanation},

    {NRTM_HELD, EVENT_RUN, NRTM_HELD, nothing},
    {NRTM_HELD, EVENT_ROOM, NRTM_RECEIVING, go_on},
    {NRTM_HELD, EVENT_OVER, NRTM_WAITING, client_end_session},
    {NRTM_HELD, EVENT_MOVED, NRTM_WAITING, end_moved},
    {NRTM_HELD, EVENT_STOP, NRTM_STOPPED, end_stopped},

    {NRTM_REFUSED, EVENT_RUN, NRTM_REFUSED, nothing},
    {NRTM_REFUSED, EVENT_OVER, NRTM_WAITING, client_end_session},
    {NRTM_REFUSED, EVENT_MOVED, NRTM_WAITING, end_moved},
    {NRTM_REFUSED, EVENT_STOP, NRTM_STOPPED, end_stopped},
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

void client_event(struct nrtm_client *client, enum client_event event)
{
    while (event != EVENT_NONE) {
        const struct nrtm_step *step = find_step(client->state, event);

        if (step == NULL) {
            log_error(LOG_IMPORTER, "%s: event %d in state %s was not foreseen", client->name,
                      (int)event, state_text(client->state));
            client->outcome = OUTCOME_PROTOCOL;
            snprintf(client->why, sizeof(client->why), "internal: unforeseen event");
            client->state = NRTM_WAITING;
            event = client_end_session(client);
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
    client->aliases = str_dup(str_from(conf->aliases != NULL ? conf->aliases : ""));
    client->conf.host = client->host;
    client->conf.aliases = client->aliases;
    client->source = source;
    client->name = source_name(source);
    client->loop = loop;
    client->clock = clock;
    client->retry.last = OUTCOME_GOES_ON;
    client->cut_serial = -1;
    client->retry.random = (unsigned)clock_mono_us();
    client->status.upstream_max = -1;
    client->status.standing = STANDING_BOOTSTRAP;
    client->status.standing_since_ms = clock_wall_ms(clock);
    client->hw_moved_ms = client_now_ms(client);
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
        free(client->aliases);
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
