/*
 * The end of a session: what it means for the mirror, when the next one begins and what it asks
 * for. The rows of outcomes are in nrtm_retry.c.
 */
#include "mirror/nrtm_client_parts.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    HEALTHY_MS = 5 * 60 * 1000, /* The end of a stream of this age begins a new back-off. */
    FIRST_RANGE = 64000,        /* Asked for when a server is too slow to START for all. */
    LEAST_RANGE = 1000,
    CUTS_MAX = 3,         /* So often at one place: the server cannot send what is there. */
    OTHER_NUMBERS = 1000, /* So far apart are serials that do not count the same. */
    ALARM_MS = 60 * 60 * 1000,
    DAY_S = 24 * 60 * 60,
};

static bool made_progress(const struct nrtm_client *client)
{
    return client->session != NULL &&
           (nrtm_session_operations(client->session) > 0 ||
            (nrtm_session_has_started(client->session) &&
             client_now_ms(client) - client->connected_ms >= HEALTHY_MS));
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
    struct nrtm_reply told = {-1, -1, 0};
    int64_t limit = client->range_limit;

    if (client->session != NULL) {
        told = nrtm_session_reply(client->session);
    }
    switch (client->outcome) {
    case OUTCOME_COMPLETE:
        if (client->is_narrow) {
            limit = limit < LEAST_RANGE ? limit * 2 : 0;
        }
        break;
    case OUTCOME_TOO_MANY:
        if (told.upstream_max >= 0) {
            break; /* Beyond its newest serial, which is known now. */
        }
        client->knows_newest = false;
        if (limit == 0 || (told.range_limit > 0 && told.range_limit < limit)) {
            limit = told.range_limit;
        } else if (client->request.last >= 0) {
            limit /= 2;
        }
        break;
    case OUTCOME_START_TIMEOUT:
        client->knows_newest = false;
        if (limit == 0 && client->retry.last == OUTCOME_START_TIMEOUT) {
            limit = FIRST_RANGE;
        } else if (limit > LEAST_RANGE) {
            limit = limit / 2 < LEAST_RANGE ? LEAST_RANGE : limit / 2;
        }
        break;
    case OUTCOME_UP_TO_DATE:
        limit = 0;
        break;
    default:
        break;
    }
    if (limit != client->range_limit && limit > 0 && !client->is_narrow) {
        log_warn(LOG_IMPORTER, "%s asks for %lld serials at a time from now on", client->name,
                 (long long)limit);
    }
    client->range_limit = limit;
    client->is_narrow = client->is_narrow && limit > 0;
}

/* --- a serial that the upstream cannot send --- */

static bool asked_for_one(const struct nrtm_client *client)
{
    int64_t first, last;

    nrtm_session_range(client->session, &first, &last);
    return first == last && !client->request.keep_open;
}

static void pass_over(struct nrtm_client *client, int64_t serial)
{
    enum err rc = nrtm_session_pass_over(client->session, serial,
                                         "the upstream breaks off in the middle of it");

    if (rc != ERR_OK) {
        client->outcome = nrtm_session_outcome_of(rc);
        snprintf(client->why, sizeof(client->why), "%s", nrtm_session_why(client->session));
        return;
    }
    client_note_position(client, serial);
    client->cuts = 0;
    log_error(LOG_IMPORTER,
              "%s: serial %lld is passed over and noted in nrtm_quarantine: %s broke off in the "
              "middle of it %d times; the next audit or reload brings what it changed",
              client->name, (long long)serial, client->host, CUTS_MAX);
}

/*
 * The same end at the same place, again and again. With the serial known it is passed over. Without
 * it serials are asked for one at a time from there on, then two, four, and so on: what cannot be
 * sent alone is passed over.
 */
static void judge_cut(struct nrtm_client *client)
{
    int64_t serial, position = client->status.position;

    if (client->outcome == OUTCOME_COMPLETE || client->outcome == OUTCOME_UP_TO_DATE) {
        client->cuts = 0;
    }
    if (client->outcome != OUTCOME_PEER_CLOSED || client->session == NULL ||
        !nrtm_session_has_started(client->session)) {
        return;
    }
    serial = nrtm_session_cut_serial(client->session);
    client->cuts =
        client->cuts > 0 && client->cut_position == position && client->cut_serial == serial
            ? client->cuts + 1
            : 1;
    client->cut_position = position;
    client->cut_serial = serial;
    if (client->cuts < CUTS_MAX) {
        return;
    }
    if (serial < 0 && !asked_for_one(client)) {
        client->cuts = 0;
        client->is_narrow = true;
        client->range_limit = 1;
        log_warn(LOG_IMPORTER, "%s: %s breaks off behind serial %lld every time: asking for less",
                 client->name, client->host, (long long)position);
    } else {
        pass_over(client, serial > position ? serial : position + 1);
    }
}

/* --- what is said and done --- */

/* A lagging replica, or a registry whose serials began anew? */
static void judge_behind(struct nrtm_client *client)
{
    int64_t now = client_now_ms(client);

    if (client->behind_since_ms == 0) {
        client->behind_since_ms = now;
    } else if (now - client->behind_since_ms >= (int64_t)client->conf.reset_grace_s * 1000) {
        client_set_standing(client, STANDING_RESET_SUSPECTED);
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
        client_bind(client);
        return client_is_polling(client) ? (int64_t)client->conf.poll_s * 1000 : delay;
    case OUTCOME_HEARTBEAT:
        client->wants_range = true;
        client->hw_moved_ms =
            client_now_ms(client); /* The next one after the same time, whatever comes. */
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
    int64_t now = client_now_ms(client);
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
    loop_timer_stop(&client->room);
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
    client_note_position(client, nrtm_session_position(client->session));
}

static void on_due(void *context)
{
    client_event(context, EVENT_DUE);
}

/* "2026-11-01 03:30 UTC, 26 days ago": a refusal says nothing of how old is too old. */
static void print_time(const struct nrtm_client *client, char *text, size_t size)
{
    int64_t seconds = client->bond.hw_time_s;
    int64_t days = (clock_wall_ms(client->clock) / 1000 - seconds) / DAY_S;
    time_t time = (time_t)seconds;
    struct tm parts;
    size_t used;

    if (seconds <= 0 || gmtime_r(&time, &parts) == NULL) {
        snprintf(text, size, "an unknown time");
        return;
    }
    used = strftime(text, size, "%Y-%m-%d %H:%M UTC", &parts);
    snprintf(text + used, size - used, ", %lld days ago", (long long)days);
}

/* Nothing was applied since the dump, and the upstream counts far below it. */
static bool is_other_numbering(const struct nrtm_client *client)
{
    return client->status.position == client->bond.boot_serial &&
           client->status.position - client->status.upstream_max > OTHER_NUMBERS;
}

/* What an operator can do about it. */
static void add_advice(struct nrtm_client *client)
{
    size_t used = strlen(client->why);
    char *end = client->why + used, since[60];

    if (client->outcome == OUTCOME_BEHIND && is_other_numbering(client)) {
        snprintf(end, sizeof(client->why) - used,
                 "; the serial file does not match NRTM: the dump was said to be of serial %lld. "
                 "With nrtm.import.%s.serial=nrtm a reload takes the server's own (whois.init "
                 "reload %s --force)",
                 (long long)client->status.position, client->name, client->name);
    } else if (client->outcome == OUTCOME_BEHIND) {
        snprintf(end, sizeof(client->why) - used,
                 "; our serial %lld is above the upstream's newest: it lags, its serials began "
                 "anew, or ours was set too high (whois.init setserial %s N)",
                 (long long)client->status.position, client->name);
    } else if (client->outcome == OUTCOME_EXPIRED) {
        print_time(client, since, sizeof(since));
        snprintf(end, sizeof(client->why) - used,
                 "; our serial %lld is of %s, the upstream keeps no such old ones: reload from a "
                 "new dump (whois.init reload %s)",
                 (long long)client->status.position, since, client->name);
    }
}

enum client_event client_end_session(struct nrtm_client *client)
{
    const struct nrtm_end *row;
    char error[sizeof(client->status.error)];
    int64_t delay_ms;
    bool repeated;

    commit_rest(client);
    judge_cut(client);
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
    client_set_standing(client, client->outcome == OUTCOME_COMPLETE && delay_ms == 0
                                    ? STANDING_COUNT
                                    : row->standing);
    if (delay_ms >= 0) {
        loop_timer_start(client->loop, &client->due, (double)delay_ms / 1000, 0, on_due, client);
    }
    return EVENT_NONE;
}
