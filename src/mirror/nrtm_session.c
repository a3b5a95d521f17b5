/*
 * NRTM session: events in, batches out, an outcome at the end.
 *
 *   bytes -> nrtm_stream -> event -> check against the request -> intake -> batch -> commit
 *
 * Nothing is ever skipped because of an error of ours: the session ends, and the next one asks
 * again from the committed position. When a batch fails for a reason that may lie in one operation,
 * the next session commits one at a time up to where the batch ended, and what still fails alone
 * for its size goes to quarantine.
 *
 * Where there is no room for a batch its first operation waits, and with it everything behind it in
 * the stream. Batches that change no object need no room: they move hw, or put something aside.
 */
#include "mirror/nrtm_session.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum { BATCH_BYTES = 4 * 1024 * 1024 };

struct nrtm_session {
    struct nrtm_session_conf conf;
    const char *name;
    struct nrtm_stream *stream;
    struct intake intake;
    struct nrtm_reply reply;
    bool started, filtered;
    int64_t start_first, start_last;
    int64_t ordinal;  /* Operations read, for versions 1 and 2. */
    int64_t position; /* Everything up to here is committed. */
    int64_t seen;     /* Newest serial read. */
    int64_t complete; /* Everything up to here has been read: hw of the next commit. */
    struct batch *batch;
    int64_t batch_first;
    int64_t batch_started_ms;
    uint64_t operations;
    struct nrtm_op_copy {
        bool is_delete;
        int64_t serial;
        struct buf raw;
    } last_op;          /* In careful mode: what quarantine would need. */
    int64_t cut_serial; /* -1: none. */
    bool cut_is_delete;
    struct nrtm_op {             /* On its way into a batch. */
        struct nrtm_event event; /* Slices of the stream's. */
        int64_t serial;
        struct str text; /* Of the intake's. */
        bool is_recoded;
    } op;
    bool is_waiting; /* `op` is in no batch yet: there is no room for one. */
    struct room_wait room;
    bool is_refused; /* OUTCOME_DENIED, once that is explained. */
    bool warned_comments, warned_backwards;
    enum nrtm_outcome ended; /* Nothing is committed any more once this is set. */
    char start_line[160];
    struct why why;
};

struct nrtm_session *nrtm_session_new(const struct nrtm_session_conf *conf)
{
    struct nrtm_session *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        abort();
    }
    s->conf = *conf;
    s->name = source_name(conf->source);
    s->stream = nrtm_stream_new(conf->max_object);
    s->intake = (struct intake){
        .mirror = s->name, .upstream = source_upstream(conf->source), .charset = conf->charset};
    s->reply = (struct nrtm_reply){-1, -1, 0};
    s->cut_serial = -1;
    s->position = s->seen = s->complete = conf->request.first - 1;
    return s;
}

void nrtm_session_free(struct nrtm_session *s)
{
    if (s == NULL) {
        return;
    }
    batch_abort(s->batch);
    s->conf.counters->foreign += s->intake.foreign;
    s->conf.counters->recoded += s->intake.recoded;
    nrtm_stream_free(s->stream);
    intake_fini(&s->intake);
    buf_free(&s->last_op.raw);
    free(s);
}

PRINTF_LIKE(3, 4)
static enum nrtm_outcome end(struct nrtm_session *s, enum nrtm_outcome outcome, const char *format,
                             ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(s->why.text, sizeof(s->why.text), format, args);
    va_end(args);
    return outcome;
}

/* --- batches --- */

static bool is_careful(const struct nrtm_session *s)
{
    return s->position < *s->conf.careful_until;
}

enum nrtm_outcome nrtm_session_outcome_of(enum err rc)
{
    switch (rc) {
    case ERR_MOVED:
        return OUTCOME_MOVED;
    case ERR_SQL_LOST:
        return OUTCOME_DATABASE_DOWN;
    case ERR_SQL_FULL:
        return OUTCOME_DATABASE_FULL;
    case ERR_SQL_RETRY:
    case ERR_BUSY:
        return OUTCOME_DATABASE_RETRY;
    default:
        return OUTCOME_BAD_BATCH;
    }
}

static enum err open_batch(struct nrtm_session *s)
{
    enum err rc;

    if (s->batch != NULL) {
        return ERR_OK;
    }
    rc = batch_begin(s->conf.source, &s->batch, &s->why);
    if (rc == ERR_OK) {
        s->batch_started_ms = clock_mono_ms(s->conf.clock);
        s->batch_first = 0;
    } else {
        s->batch = NULL;
    }
    return rc;
}

static void drop_batch(struct nrtm_session *s)
{
    batch_abort(s->batch);
    s->batch = NULL;
}

bool nrtm_session_is_pending(const struct nrtm_session *s)
{
    return s->ended == OUTCOME_GOES_ON && (s->batch != NULL || s->complete > s->position);
}

static void count_commit(struct nrtm_session *s, size_t ops)
{
    struct nrtm_counters *counters = s->conf.counters;

    s->position = s->complete;
    s->operations += ops;
    counters->operations += ops;
    counters->batches++;
    if (ops > 0) {
        counters->last_op_ms = clock_wall_ms(s->conf.clock);
        log_info(LOG_IMPORTER, "batch source=%s from=%lld to=%lld ops=%zu ms=%lld", s->name,
                 (long long)s->batch_first, (long long)s->complete, ops,
                 (long long)(clock_mono_ms(s->conf.clock) - s->batch_started_ms));
    }
}

static enum err commit_batch(struct nrtm_session *s)
{
    size_t ops;
    enum err rc = open_batch(s); /* A range may end without operations: then hw moves alone. */

    if (rc != ERR_OK) {
        return rc;
    }
    ops = batch_ops(s->batch);
    rc = batch_commit(s->batch, s->complete, &s->why);
    s->batch = NULL; /* Freed in every case. */
    if (rc == ERR_OK) {
        count_commit(s, ops);
    }
    return rc;
}

/*
 * The one operation of a careful batch could not be stored: keep it aside and go on. Its bytes may
 * be what is too large for the database; then the quarantine gets the reason alone, and the log its
 * place.
 */
static enum err quarantine_last_op(struct nrtm_session *s, enum err cause)
{
    const struct str raws[] = {
        buf_str(&s->last_op.raw), {NULL, 0}
    };
    char reason[300];
    enum err rc = cause;

    snprintf(reason, sizeof(reason), "%s: %.200s", err_text(cause), s->why.text);
    s->complete = s->last_op.serial;
    for (size_t i = 0; i < 2 && rc == cause; i++) {
        if ((rc = open_batch(s)) == ERR_OK) {
            rc = batch_quarantine(s->batch, s->last_op.serial, s->last_op.is_delete, raws[i],
                                  reason);
        }
        if (rc == ERR_OK) {
            rc = commit_batch(s);
        }
        drop_batch(s);
    }
    if (rc == ERR_OK) {
        s->conf.counters->quarantined++;
        log_error(LOG_IMPORTER,
                  "%s: serial %lld was put into nrtm_quarantine (for large objects set "
                  "max_allowed_packet = 64M, then reload): %s",
                  s->name, (long long)s->last_op.serial, reason);
    }
    return rc;
}

/*
 * A batch could not be built or committed. A reason that may lie in one operation is looked for one
 * by one; only what fails alone because it is too large is passed over.
 */
static enum nrtm_outcome batch_failed(struct nrtm_session *s, enum err rc, int64_t last_serial)
{
    bool alone = is_careful(s) && s->last_op.serial == last_serial;

    drop_batch(s);
    if (alone && (rc == ERR_SQL_PACKET || rc == ERR_LIMIT)) {
        rc = quarantine_last_op(s, rc);
        if (rc == ERR_OK) {
            return OUTCOME_GOES_ON;
        }
    }
    s->ended = nrtm_session_outcome_of(rc);
    if (s->ended == OUTCOME_BAD_BATCH && last_serial > *s->conf.careful_until) {
        *s->conf.careful_until = last_serial;
    }
    return s->ended;
}

enum nrtm_outcome nrtm_session_commit(struct nrtm_session *s)
{
    enum err rc;

    if (s->ended != OUTCOME_GOES_ON || !nrtm_session_is_pending(s)) {
        return s->ended;
    }
    rc = commit_batch(s);
    return rc == ERR_OK ? OUTCOME_GOES_ON : batch_failed(s, rc, s->complete);
}

/* --- events --- */

static enum nrtm_outcome take_start(struct nrtm_session *s, const struct nrtm_event *e)
{
    const struct nrtm_request *request = &s->conf.request;
    const char *upstream = source_upstream(s->conf.source);
    struct log_quoted line = log_quote(e->line);

    if (s->started) {
        return end(s, OUTCOME_PROTOCOL, "a second %%START in one answer: %s", line.text);
    }
    if (e->version != request->version && !s->conf.any_first) {
        return end(s, OUTCOME_PROTOCOL, "asked for NRTM version %d: %s", request->version,
                   line.text);
    }
    if (!str_eq_nocase(e->source, str_from(upstream))) {
        return end(s, OUTCOME_PROTOCOL, "asked for source %s: %s", upstream, line.text);
    }
    if (s->conf.any_first ? e->first > request->first : e->first != request->first) {
        return end(s, OUTCOME_PROTOCOL, "asked for serials from %lld: %s",
                   (long long)request->first, line.text);
    }
    if (e->last < e->first - 1 || e->last > INT32_MAX) {
        return end(s, e->last > INT32_MAX ? OUTCOME_SERIAL_RANGE : OUTCOME_PROTOCOL,
                   "a range that cannot be: %s", line.text);
    }
    s->started = true;
    s->filtered = e->filtered;
    s->conf.request.version = e->version;
    s->start_first = e->first;
    s->start_last = e->last;
    if (request->last < 0) {
        s->reply.upstream_max = e->last;
    }
    snprintf(s->start_line, sizeof(s->start_line), "%.*s", STR_ARG(e->line));
    return OUTCOME_GOES_ON;
}

/* The serial of an operation, and whether it is to be applied. */
static enum nrtm_outcome check_serial(struct nrtm_session *s, const struct nrtm_event *e,
                                      int64_t *serial, bool *skip)
{
    const struct nrtm_request *request = &s->conf.request;

    *serial = e->serial;
    if (e->serial < 0) {
        if (request->version >= 3) {
            return end(s, OUTCOME_PROTOCOL, "an operation without a serial");
        }
        *serial = s->start_first + s->ordinal;
    }
    s->ordinal++;
    if (*serial > INT32_MAX) {
        return end(s, OUTCOME_SERIAL_RANGE, "serial %lld is above 2147483647", (long long)*serial);
    }
    if (!request->keep_open && *serial > s->start_last) {
        return end(s, OUTCOME_PROTOCOL, "serial %lld lies behind the range %lld-%lld",
                   (long long)*serial, (long long)s->start_first, (long long)s->start_last);
    }
    *skip = *serial <= s->seen;
    if (!*skip) {
        s->conf.counters->gaps += (uint64_t)(*serial - s->seen - 1);
        return OUTCOME_GOES_ON;
    }
    s->conf.counters->repeated++;
    if (!s->warned_backwards && *serial > s->position) {
        s->warned_backwards = true;
        log_warn(LOG_IMPORTER, "%s: serial %lld came behind %lld and was skipped", s->name,
                 (long long)*serial, (long long)s->seen);
    }
    return OUTCOME_GOES_ON;
}

static enum err put_aside(struct nrtm_session *s, const struct nrtm_event *e, int64_t serial,
                          const char *reason)
{
    enum err rc = batch_quarantine(s->batch, serial, e->is_delete, e->text, reason);

    if (rc == ERR_OK) {
        s->conf.counters->quarantined++;
    }
    return rc;
}

static enum err apply_op(struct nrtm_session *s, const struct nrtm_op *op)
{
    const struct nrtm_event *e = &op->event;
    enum err rc = e->is_delete ? batch_delete(s->batch, op->serial, op->text, &s->why)
                               : batch_add(s->batch, op->serial, op->text, &s->why);

    if (rc == ERR_SYNTAX || rc == ERR_SQL_PACKET) {
        return put_aside(s, e, op->serial, s->why.text);
    }
    if (rc == ERR_OK && op->is_recoded) {
        rc = batch_quarantine(s->batch, op->serial, e->is_delete, e->text, INTAKE_RECODED_REASON);
    }
    return rc;
}

static void remember_op(struct nrtm_session *s, const struct nrtm_event *e, int64_t serial)
{
    s->last_op.is_delete = e->is_delete;
    s->last_op.serial = serial;
    buf_clear(&s->last_op.raw);
    buf_add_str(&s->last_op.raw, e->text);
}

/* An operation has been dealt with. */
static enum nrtm_outcome op_is_done(struct nrtm_session *s, int64_t serial)
{
    s->seen = s->complete = serial;
    if (is_careful(s) || (s->batch != NULL && batch_bytes(s->batch) >= BATCH_BYTES)) {
        return nrtm_session_commit(s);
    }
    return OUTCOME_GOES_ON;
}

/* Put `op` into the batch, or have it wait where there is no room to begin one. */
static enum nrtm_outcome store_op(struct nrtm_session *s)
{
    const int64_t serial = s->op.serial;
    enum nrtm_outcome outcome;
    enum err rc;

    s->is_waiting = s->batch == NULL && !source_has_room(s->conf.source, &s->room);
    if (s->is_waiting) {
        return OUTCOME_GOES_ON;
    }
    rc = open_batch(s);
    if (rc == ERR_OK) {
        s->batch_first = s->batch_first == 0 ? serial : s->batch_first;
        rc = apply_op(s, &s->op);
    }
    if (rc != ERR_OK && (outcome = batch_failed(s, rc, serial)) != OUTCOME_GOES_ON) {
        return outcome;
    }
    return op_is_done(s, serial);
}

static enum nrtm_outcome take_op(struct nrtm_session *s, const struct nrtm_event *e)
{
    enum intake_verdict verdict;
    char place[40];
    struct str text;
    int64_t serial;
    bool skip = false;
    enum nrtm_outcome outcome;

    if (!s->started) {
        return end(s, OUTCOME_PROTOCOL, "an operation before %%START");
    }
    outcome = check_serial(s, e, &serial, &skip);
    if (outcome != OUTCOME_GOES_ON || skip) {
        return outcome;
    }
    if (e->had_comments && !s->warned_comments) {
        s->warned_comments = true;
        log_warn(LOG_IMPORTER, "%s: comment lines inside objects are dropped, first at serial %lld",
                 s->name, (long long)serial);
    }
    snprintf(place, sizeof(place), "serial %lld", (long long)serial);
    verdict = intake_text(&s->intake, e->text, place, &text);
    if (verdict == INTAKE_FOREIGN) {
        return op_is_done(s, serial);
    }
    if (is_careful(s)) {
        remember_op(s, e, serial);
    }
    s->op = (struct nrtm_op){*e, serial, text, verdict == INTAKE_RECODED};
    return store_op(s);
}

/* Everything up to this serial has been sent. */
static enum nrtm_outcome take_complete(struct nrtm_session *s, int64_t serial)
{
    if (serial > INT32_MAX) {
        return end(s, OUTCOME_SERIAL_RANGE, "serial %lld is above 2147483647", (long long)serial);
    }
    if (serial > s->complete) {
        s->seen = s->complete = serial;
    }
    return OUTCOME_GOES_ON;
}

static enum nrtm_outcome take_end(struct nrtm_session *s, const struct nrtm_event *e)
{
    enum nrtm_outcome outcome;

    if (!s->started) {
        return end(s, OUTCOME_PROTOCOL, "%%END before %%START");
    }
    if (!str_eq_nocase(e->source, str_from(source_upstream(s->conf.source)))) {
        return end(s, OUTCOME_PROTOCOL, "the end of another source: %s", log_quote(e->line).text);
    }
    outcome = take_complete(s, s->start_last);
    return outcome == OUTCOME_GOES_ON ? OUTCOME_COMPLETE
                                      : outcome; /* Then take_events() commits. */
}

/* %END a - b tells how far a stream is. A range that was asked for ends in %END SOURCE alone. */
static enum nrtm_outcome take_marker(struct nrtm_session *s, const struct nrtm_event *e)
{
    if (!s->started) {
        return end(s, OUTCOME_PROTOCOL, "%%END before %%START");
    }
    if (!s->conf.request.keep_open) {
        log_debug(LOG_CLIENT, "%s: no stream, passed over: %s", s->name, log_quote(e->line).text);
        return OUTCOME_GOES_ON;
    }
    return take_complete(s, e->last);
}

static enum nrtm_outcome take_message(struct nrtm_session *s, const struct nrtm_event *e)
{
    struct nrtm_reply reply;
    enum nrtm_outcome outcome =
        nrtm_reply_meaning(e->line, e->kind == NRTM_ERROR, &s->conf.request, &reply);

    if (outcome == OUTCOME_GOES_ON) {
        log_debug(LOG_CLIENT, "%s: %s", s->name, log_quote(e->line).text);
        return outcome;
    }
    if (reply.upstream_max >= 0) {
        s->reply = reply;
    }
    s->reply.range_limit = reply.range_limit;
    return end(s, outcome, "%s", log_quote(e->line).text);
}

static enum nrtm_outcome take_event(struct nrtm_session *s, const struct nrtm_event *e)
{
    switch (e->kind) {
    case NRTM_START:
        return take_start(s, e);
    case NRTM_OP:
        return take_op(s, e);
    case NRTM_END:
        return take_end(s, e);
    case NRTM_MARKER:
        return take_marker(s, e);
    case NRTM_ERROR:
    case NRTM_WARNING:
    case NRTM_COMMENT:
        return take_message(s, e);
    case NRTM_BAD:
        return end(s, OUTCOME_PROTOCOL, "%s: %s", e->reason, log_quote(e->line).text);
    case NRTM_TRUNCATED:
        s->cut_serial = e->serial;
        s->cut_is_delete = e->is_delete;
        return end(s, OUTCOME_PEER_CLOSED,
                   "the stream was cut off behind serial %lld; what was incomplete is discarded",
                   (long long)s->seen);
    case NRTM_MORE:
        break;
    }
    return OUTCOME_GOES_ON;
}

/*
 * Some refusals are explained by comment lines behind them: whether for today only, for example. A
 * blank line or anything else ends them.
 * @return Whether that was all.
 */
static bool add_explanation(struct nrtm_session *s)
{
    struct nrtm_event event;
    size_t used = strlen(s->why.text);

    while (nrtm_stream_next(s->stream, &event) == NRTM_COMMENT && used < sizeof(s->why.text)) {
        struct str text = str_trim(str_sub(event.line, 1, event.line.len));

        used += (size_t)snprintf(s->why.text + used, sizeof(s->why.text) - used, "%s%s",
                                 text.len > 0 ? " " : "", log_quote(text).text);
    }
    return event.kind != NRTM_MORE || nrtm_stream_is_at_blank(s->stream);
}

/* What waits, then all events that the stream has, until one has to wait; what was complete before
 * a bad one is kept. */
static enum nrtm_outcome take_events(struct nrtm_session *s)
{
    enum nrtm_outcome outcome = nrtm_session_is_refused(s) ? OUTCOME_DENIED : s->ended, committed;
    struct nrtm_event event;

    if (outcome == OUTCOME_GOES_ON && s->is_waiting) {
        outcome = store_op(s);
    }
    while (outcome == OUTCOME_GOES_ON && !s->is_waiting &&
           nrtm_stream_next(s->stream, &event) != NRTM_MORE) {
        outcome = take_event(s, &event);
    }
    if (outcome == OUTCOME_DENIED && s->ended == OUTCOME_GOES_ON) {
        s->is_refused = true;
        if (!add_explanation(s)) {
            return OUTCOME_GOES_ON;
        }
    }
    if (outcome != OUTCOME_GOES_ON && s->ended == OUTCOME_GOES_ON) {
        committed = nrtm_session_commit(s);
        s->ended = committed == OUTCOME_GOES_ON ? outcome : committed;
    }
    return s->ended;
}

enum nrtm_outcome nrtm_session_feed(struct nrtm_session *s, struct str bytes)
{
    assert(!s->is_waiting); /* What waits has slices of the stream. */
    nrtm_stream_feed(s->stream, bytes);
    return take_events(s);
}

bool nrtm_session_is_waiting(const struct nrtm_session *s)
{
    return s->is_waiting && s->ended == OUTCOME_GOES_ON;
}

bool nrtm_session_is_refused(const struct nrtm_session *s)
{
    return s->is_refused && s->ended == OUTCOME_GOES_ON;
}

enum nrtm_outcome nrtm_session_go_on(struct nrtm_session *s)
{
    return take_events(s);
}

enum nrtm_outcome nrtm_session_end(struct nrtm_session *s)
{
    if (!s->is_waiting) {
        nrtm_stream_end(s->stream);
        (void)take_events(s);
    }
    if (s->ended == OUTCOME_GOES_ON && nrtm_session_commit(s) == OUTCOME_GOES_ON) {
        s->ended = s->is_refused ? OUTCOME_DENIED : OUTCOME_PEER_CLOSED;
    }
    return s->ended;
}

enum err nrtm_session_pass_over(struct nrtm_session *s, int64_t serial, const char *reason)
{
    enum err rc = open_batch(s);

    if (rc == ERR_OK) {
        rc = batch_quarantine(s->batch, serial, s->cut_is_delete, (struct str){NULL, 0}, reason);
    }
    if (rc == ERR_OK) {
        s->batch_first = serial;
        s->complete = serial;
        rc = commit_batch(s);
    }
    drop_batch(s);
    s->conf.counters->quarantined += rc == ERR_OK;
    return rc;
}

/* --- what is known --- */

bool nrtm_session_has_started(const struct nrtm_session *s)
{
    return s->started;
}

struct str nrtm_session_start_line(const struct nrtm_session *s)
{
    return str_from(s->start_line);
}

bool nrtm_session_is_filtered(const struct nrtm_session *s)
{
    return s->filtered;
}

void nrtm_session_range(const struct nrtm_session *s, int64_t *first, int64_t *last)
{
    *first = s->start_first;
    *last = s->start_last;
}

int64_t nrtm_session_cut_serial(const struct nrtm_session *s)
{
    return s->cut_serial;
}

int64_t nrtm_session_position(const struct nrtm_session *s)
{
    return s->position;
}

struct nrtm_reply nrtm_session_reply(const struct nrtm_session *s)
{
    return s->reply;
}

const char *nrtm_session_why(const struct nrtm_session *s)
{
    return s->why.text;
}

uint64_t nrtm_session_operations(const struct nrtm_session *s)
{
    return s->operations;
}
