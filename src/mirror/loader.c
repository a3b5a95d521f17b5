/*
 * Dump loader: files -> objects -> intake -> storage.
 * The serial is read before the dump: one older than the dump is harmless, as repeated updates
 * converge; a newer one would lose updates in silence.
 */
#include "mirror/loader.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/background.h"
#include "base/clock.h"
#include "base/log.h"
#include "mirror/dump.h"
#include "mirror/input.h"
#include "mirror/intake.h"

enum {
    PROGRESS_MS = 5000,
    LOOK_EVERY = 512, /* Objects between looks at the clock and the cancel flag. */
    SERIAL_FILE_MAX = 4096,
    HEAD_BYTES = 4096,
    FEW_OBJECTS = 1000, /* So few may become many times more. */
};

struct loading {
    const struct load_request *request;
    const char *name;
    struct source *source;
    struct dump *dump;
    struct load *load;
    struct intake intake;
    uint64_t before;          /* Objects that the source had. */
    const char *checked_file; /* The file whose first object was looked at. */
    uint64_t objects;         /* Handed to storage. */
    uint64_t objects_before;  /* At the last line of progress. */
    int64_t started_ms, progress_ms;
};

static int64_t now_ms(void)
{
    return clock_mono_us() / 1000;
}

/* --- serial files --- */

enum err mirror_read_serial(const char *path, int64_t *serial, struct why *why)
{
    struct buf bytes = {0};
    struct str text;
    uint64_t number;
    enum err rc = input_slurp(path, SERIAL_FILE_MAX, &bytes, why);

    if (rc == ERR_OK ||
        rc == ERR_LIMIT) { /* What is too long for a number is shown as what it is. */
        text = str_trim(buf_str(&bytes));
        rc = str_to_u64(text, INT32_MAX, &number);
        if (rc == ERR_OK) {
            *serial = (int64_t)number;
        } else if (text.len == 0) {
            rc = why_set(why, ERR_SYNTAX, "%s: is empty, expected a serial", path);
        } else {
            rc = why_set(why, ERR_SYNTAX, "%s: expected a serial from 0 to 2147483647, found %s",
                         path, log_quote(str_sub(text, 0, 60)).text);
        }
    }
    buf_free(&bytes);
    return rc;
}

/* "# Serial: 4711", "% CURRENTSERIAL 4711": some registries write it into the dump's head. */
static bool serial_in_comment(struct str line, int64_t *serial)
{
    static const struct str word = STR_INIT("serial");
    uint64_t number;
    size_t at = 0;

    if (line.len == 0 || (line.at[0] != '#' && line.at[0] != '%')) {
        return false;
    }
    while (at + word.len <= line.len && !str_starts_nocase(str_sub(line, at, line.len), word)) {
        at++;
    }
    line = str_sub(line, at + word.len, line.len);
    while (line.len > 0 && strchr(" \t:=", line.at[0]) != NULL) {
        line = str_sub(line, 1, line.len);
    }
    if (str_to_u64(str_trim(line), INT32_MAX, &number) != ERR_OK) {
        return false;
    }
    *serial = (int64_t)number;
    return true;
}

/* Look for a serial above the first object of a dump. */
static void serial_of_head(const char *path, int64_t *serial)
{
    struct input *input = NULL;
    char bytes[HEAD_BYTES];
    struct str rest = {bytes, 0}, line;
    struct why why;

    if (input_open(path, &input, &why) == ERR_OK &&
        input_read(input, bytes, sizeof(bytes), &rest.len, &why) == ERR_OK) {
        while (str_split(&rest, '\n', &line) &&
               (line.len == 0 || line.at[0] == '#' || line.at[0] == '%' || line.at[0] == '\r')) {
            if (serial_in_comment(line, serial)) {
                log_info(LOG_LOADER, "%s: the serial stands in its head: %lld", path,
                         (long long)*serial);
                break;
            }
        }
    }
    input_close(input);
}

static enum err first_serial(const struct load_request *request, int64_t *serial, struct why *why)
{
    *serial = request->serial;
    if (*serial < 0 && request->serial_file == NULL) {
        serial_of_head(request->files[0], serial);
    }
    if (request->serial_file != NULL) {
        return mirror_read_serial(request->serial_file, serial, why);
    }
    if (*serial > INT32_MAX) {
        return why_set(why, ERR_SYNTAX, "serial %lld: allowed is 0 to 2147483647",
                       (long long)*serial);
    }
    return ERR_OK;
}

/* Dump and serial are published one after the other: around midnight they may not belong together.
 */
static void compare_serial_again(const struct loading *l, int64_t first)
{
    int64_t again;
    struct why why;

    if (l->request->serial_file == NULL) {
        return;
    }
    if (mirror_read_serial(l->request->serial_file, &again, &why) != ERR_OK) {
        log_warn(LOG_LOADER, "%s: the serial file was fine before the load and is not now: %s",
                 l->name, why.text);
    } else if (again != first) {
        log_warn(LOG_LOADER,
                 "%s: the serial file changed during the load, its first content is used: "
                 "serial=%lld now=%lld",
                 l->name, (long long)first, (long long)again);
    }
}

/* --- progress --- */

/* A line for the log, and for who waits for the load. */
PRINTF_LIKE(2, 3)
static void say(const struct loading *l, const char *format, ...)
{
    char line[300];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    log_info(LOG_LOADER, "%s", line);
    if (l->request->on_progress != NULL) {
        l->request->on_progress(l->request->context, line);
    }
}

static void say_progress(struct loading *l, int64_t now)
{
    double fraction = dump_fraction(l->dump);
    int64_t elapsed = now - l->started_ms, since = now - l->progress_ms;
    int64_t left_s = fraction > 0 ? (int64_t)(elapsed * (1 - fraction) / fraction / 1000) : 0;
    int64_t rate = (int64_t)(l->objects - l->objects_before) * 1000 / (since > 0 ? since : 1);

    say(l, "%s: %llu objects, %lld objects/s, %d%%, %lld min %02lld s left", l->name,
        (unsigned long long)l->objects, (long long)rate, (int)(fraction * 100),
        (long long)(left_s / 60), (long long)(left_s % 60));
    l->progress_ms = now;
    l->objects_before = l->objects;
}

static bool is_cancelled(const struct load_request *request)
{
    return request->cancel != NULL && atomic_load_explicit(request->cancel, memory_order_relaxed);
}

/* --- objects --- */

/* The next object; the first one of each file has to look like one. ERR_NOT_FOUND at the end. */
static enum err next_object(struct loading *l, struct str *raw, struct why *why)
{
    enum err rc = dump_next(l->dump, raw, why);

    if (rc == ERR_OK && l->checked_file != dump_file(l->dump)) {
        l->checked_file = dump_file(l->dump);
        if (!intake_looks_like_object(*raw)) {
            return why_set(why, ERR_SYNTAX, "%s: is no registry dump: its first object begins %s",
                           l->checked_file, log_quote(str_sub(*raw, 0, 60)).text);
        }
    }
    return rc;
}

static enum err add_object(struct loading *l, struct str raw, struct why *why)
{
    struct str text;
    enum intake_verdict verdict = intake_text(&l->intake, raw, dump_file(l->dump), &text);

    if (verdict == INTAKE_FOREIGN) {
        return ERR_OK;
    }
    if (verdict == INTAKE_RECODED) {
        load_keep_raw(l->load, raw, INTAKE_RECODED_REASON);
    }
    l->objects++;
    return load_add(l->load, text, dump_fraction(l->dump), why);
}

struct adding {
    struct loading *l;
    struct str raw; /* The next object. */
    enum err rc;    /* ERR_NOT_FOUND behind the last. */
    struct why *why;
};

/* Some objects, then a look at the clock and the cancel flag: a background_step. */
static bool add_some(void *context)
{
    struct adding *adding = context;
    struct loading *l = adding->l;

    for (int i = 0; adding->rc == ERR_OK && i < LOOK_EVERY; i++) {
        adding->rc = add_object(l, adding->raw, adding->why);
        if (adding->rc == ERR_OK) {
            adding->rc = next_object(l, &adding->raw, adding->why);
        }
    }
    if (adding->rc == ERR_OK && is_cancelled(l->request)) {
        adding->rc =
            why_set(adding->why, ERR_STOPPED, "%s: the load was stopped after %llu objects",
                    l->name, (unsigned long long)l->objects);
    }
    if (adding->rc == ERR_OK && now_ms() - l->progress_ms >= PROGRESS_MS) {
        say_progress(l, now_ms());
    }
    return adding->rc == ERR_OK;
}

/* All objects, the first of which was read before. */
static enum err add_objects(struct loading *l, struct str first, struct why *why)
{
    struct adding adding = {.l = l, .raw = first, .why = why};

    if (load_is_by_difference(l->load)) {
        background_run(add_some, &adding); /* Clients ask for what is there already. */
    } else {
        while (add_some(&adding)) {
        }
    }
    return adding.rc == ERR_NOT_FOUND ? ERR_OK : adding.rc;
}

static void say_result(const struct loading *l, const struct load_report *report, int64_t serial)
{
    int64_t ms = now_ms() - l->started_ms;
    struct source_position position;

    if (report->by_difference && l->request->audit) {
        say(l, "%s: audit: %llu checked, %llu added, %llu changed, %llu removed", l->name,
            (unsigned long long)report->objects, (unsigned long long)report->added,
            (unsigned long long)report->changed, (unsigned long long)report->removed);
    }
    source_get_position(l->source, &position);
    if (!position.position_known && l->request->has_stream) {
        log_warn(LOG_LOADER,
                 "%s: the position is unknown, there will be no streaming until an operator sets "
                 "it: whois.init setserial %s SERIAL",
                 l->name, l->name);
    }
    log_info(LOG_LOADER,
             "%s: %s serial=%lld objects=%llu added=%llu changed=%llu removed=%llu unchanged=%llu "
             "duplicates=%llu rejected=%llu foreign=%llu recoded=%llu tombstones=%llu ms=%lld",
             l->name, report->by_difference ? "reloaded by difference" : "loaded",
             (long long)serial, (unsigned long long)report->objects,
             (unsigned long long)report->added, (unsigned long long)report->changed,
             (unsigned long long)report->removed, (unsigned long long)report->unchanged,
             (unsigned long long)report->duplicates, (unsigned long long)report->rejected,
             (unsigned long long)l->intake.foreign, (unsigned long long)l->intake.recoded,
             (unsigned long long)dump_tombstones(l->dump), (long long)ms);
}

/* --- the end of a load: storage is silent while it writes the rest and builds the index --- */

struct finishing {
    struct loading *l;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_done;
};

static void *say_finishing(void *context)
{
    struct finishing *finishing = context;
    const struct loading *l = finishing->l;
    struct timespec until;
    int seconds = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    pthread_mutex_lock(&finishing->mutex);
    while (!finishing->is_done) {
        until.tv_sec += PROGRESS_MS / 1000;
        while (!finishing->is_done && pthread_cond_timedwait(&finishing->changed, &finishing->mutex,
                                                             &until) != ETIMEDOUT) {
        }
        if (!finishing->is_done) {
            seconds += PROGRESS_MS / 1000;
            say(l, "%s: %llu objects read, writing the rest and building the index, %d s", l->name,
                (unsigned long long)l->objects, seconds);
        }
    }
    pthread_mutex_unlock(&finishing->mutex);
    return NULL;
}

/* load_finish() with a line of progress now and then. */
static enum err finish_load(struct loading *l, struct load_report *report, struct why *why)
{
    struct finishing finishing = {
        .l = l, .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    bool has_thread = pthread_create(&finishing.thread, NULL, say_finishing, &finishing) == 0;
    enum err rc = load_finish(l->load, report, why);

    pthread_mutex_lock(&finishing.mutex);
    finishing.is_done = true;
    pthread_cond_signal(&finishing.changed);
    pthread_mutex_unlock(&finishing.mutex);
    if (has_thread) {
        pthread_join(finishing.thread, NULL);
    }
    return rc;
}

/* Twice as many objects as yesterday are a mistake, such as another registry's dump. */
static enum err check_growth(const struct loading *l, struct why *why)
{
    const uint64_t percent = (uint64_t)l->request->fetch.max_growth;

    if (l->request->fetch.max_growth <= 0 || l->request->force || l->before < FEW_OBJECTS ||
        l->objects <= l->before + l->before * percent / 100) {
        return ERR_OK;
    }
    return why_set(why, ERR_DENIED,
                   "%s: the dump has %llu objects, the source %llu: more than %d%% of growth "
                   "(mirror.dump.max.growth) are refused unless forced",
                   l->name, (unsigned long long)l->objects, (unsigned long long)l->before,
                   l->request->fetch.max_growth);
}

static enum err load_objects(struct loading *l, int64_t serial, struct str first,
                             struct load_report *report, struct why *why)
{
    const struct load_options options = {.serial = serial,
                                         .is_reset = l->request->is_reset,
                                         .force = l->request->force,
                                         .audit = l->request->audit,
                                         .bytes = dump_estimate(l->dump)};
    enum err rc = load_begin(l->source, &options, &l->load, why);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = add_objects(l, first, why);
    if (rc == ERR_OK && l->objects == 0) {
        rc = why_set(why, ERR_SYNTAX, "%s: no object of source %s among %llu objects of the dump",
                     l->name, l->intake.upstream, (unsigned long long)l->intake.foreign);
    }
    if (rc == ERR_OK) {
        rc = check_growth(l, why);
    }
    if (rc != ERR_OK) {
        load_abort(l->load);
        return rc;
    }
    say_progress(l, now_ms());
    compare_serial_again(l, serial);
    rc = finish_load(l, report, why);
    if (rc == ERR_OK) {
        say_result(l, report, serial);
    }
    return rc;
}

enum err mirror_load(struct source *source, const struct load_request *request,
                     struct load_report *report, struct why *why)
{
    int64_t now = now_ms();
    struct loading l = {
        .request = request,
        .name = source_name(source),
        .source = source,
        .intake = {.mirror = source_name(source), .charset = request->charset},
        .started_ms = now,
        .progress_ms = now,
    };
    struct source_status status;
    int64_t serial;
    struct str first;
    enum err rc;

    source_get_status(source, &status);
    l.before = status.objects;
    /* The main source may hold a twin (NONAUTH) besides; a mirror is of one source. */
    if (source_kind(source) == SOURCE_MIRROR) {
        l.intake.upstream = source_upstream(source);
    }
    if ((rc = first_serial(request, &serial, why)) != ERR_OK ||
        (rc = dump_open(request->files, request->file_count, request->max_object, &l.dump, why)) !=
            ERR_OK) {
        return rc;
    }
    rc = next_object(&l, &first, why);
    if (rc == ERR_NOT_FOUND) {
        rc = why_set(why, ERR_SYNTAX, "%s: no objects in %s%s", l.name, dump_file(l.dump),
                     request->file_count > 1 ? " and the files before it" : "");
    } else if (rc == ERR_OK) {
        log_info(LOG_LOADER, "%s: loading files=%zu text=%lluMB serial=%lld", l.name,
                 request->file_count, (unsigned long long)(dump_estimate(l.dump) >> 20),
                 (long long)serial);
        rc = load_objects(&l, serial, first, report, why);
    }
    dump_close(l.dump);
    intake_fini(&l.intake);
    return rc;
}

/* --- streams from files --- */

static enum err apply_failed(struct source *source, const char *path, enum nrtm_outcome outcome,
                             const struct nrtm_session *session, struct why *why)
{
    const char *text = nrtm_session_why(session);
    enum err rc = outcome == OUTCOME_DATABASE_DOWN   ? ERR_SQL_LOST
                  : outcome == OUTCOME_DATABASE_FULL ? ERR_SQL_FULL
                  : outcome == OUTCOME_MOVED         ? ERR_MOVED
                                                     : ERR_CORRUPT;

    if (outcome == OUTCOME_PEER_CLOSED && text[0] == '\0') {
        text = "it ends before its %END";
    }
    return why_set(why, rc, "%s: %s: %s; %s is at serial %lld", path, nrtm_outcome_text(outcome),
                   text, source_name(source), (long long)nrtm_session_position(session));
}

/* @param bytes  Empty at the end of the file. */
static enum nrtm_outcome feed(struct nrtm_session *session, struct str bytes,
                              const struct load_request *request)
{
    const struct timespec look = {.tv_nsec = ROOM_LOOK_MS * 1000000};
    enum nrtm_outcome outcome =
        bytes.len > 0 ? nrtm_session_feed(session, bytes) : nrtm_session_end(session);

    while (nrtm_session_is_waiting(session) && !is_cancelled(request)) {
        nanosleep(&look, NULL); /* In a thread of its own. */
        outcome = nrtm_session_go_on(session);
    }
    return outcome;
}

static enum err feed_file(struct nrtm_session *session, struct input *input,
                          const struct load_request *request, enum nrtm_outcome *outcome,
                          struct why *why)
{
    enum { CHUNK = 256 * 1024 };
    struct buf chunk = {0};
    int64_t said_ms = now_ms();
    size_t got = 1;
    enum err rc = ERR_OK;

    buf_reserve(&chunk, CHUNK);
    *outcome = OUTCOME_GOES_ON;
    while (rc == ERR_OK && *outcome == OUTCOME_GOES_ON) {
        if (is_cancelled(request)) {
            rc = why_set(why, ERR_STOPPED, "%s: stopped", input_path(input));
            break;
        }
        if ((rc = input_read(input, chunk.at, CHUNK, &got, why)) != ERR_OK) {
            break;
        }
        *outcome = feed(session, (struct str){chunk.at, got}, request);
        if (request->on_progress != NULL && now_ms() - said_ms >= PROGRESS_MS) {
            char line[200];

            said_ms = now_ms();
            snprintf(line, sizeof(line), "%.120s: at serial %lld", input_path(input),
                     (long long)nrtm_session_position(session));
            request->on_progress(request->context, line);
        }
    }
    buf_free(&chunk);
    return rc;
}

static enum err apply_file(struct source *source, const char *path,
                           const struct load_request *request, struct apply_report *report,
                           struct why *why)
{
    struct source_position position;
    int64_t careful_until = 0;
    struct nrtm_session_conf conf = {
        .source = source,
        .clock = &system_clock,
        .charset = request->charset,
        .max_object = request->max_object,
        .request = {.version = 3, .last = -1, .keep_open = true},
        .any_first = true,
        .counters = &report->counters,
        .careful_until = &careful_until,
    };
    struct nrtm_session *session;
    struct input *input;
    enum nrtm_outcome outcome;
    enum err rc;

    if ((rc = input_open(path, &input, why)) != ERR_OK) {
        return rc;
    }
    source_get_position(source, &position);
    conf.request.first = (position.hw > position.applied ? position.hw : position.applied) + 1;
    session = nrtm_session_new(&conf);
    rc = feed_file(session, input, request, &outcome, why);
    if (rc == ERR_OK && outcome != OUTCOME_COMPLETE) {
        rc = apply_failed(source, path, outcome, session, why);
    }
    report->to = nrtm_session_position(session);
    nrtm_session_free(session);
    input_close(input);
    return rc;
}

enum err mirror_apply(struct source *source, const struct load_request *request,
                      struct apply_report *report, struct why *why)
{
    struct source_position position;
    int64_t started_ms = now_ms();
    bool changed;
    enum err rc = source_sync(source, &changed, why);

    *report = (struct apply_report){0};
    if (rc != ERR_OK) {
        return rc;
    }
    source_get_position(source, &position);
    if (!position.position_known) {
        return why_set(why, ERR_NOT_FOUND,
                       "%s: its position is not known: load a dump with its serial, or set it",
                       source_name(source));
    }
    report->from = report->to = position.hw > position.applied ? position.hw : position.applied;
    for (size_t i = 0; rc == ERR_OK && i < request->file_count; i++) {
        rc = apply_file(source, request->files[i], request, report, why);
    }
    log_info(LOG_LOADER,
             "%s: applied files=%zu from=%lld to=%lld ops=%llu skipped=%llu foreign=%llu "
             "quarantined=%llu ms=%lld",
             source_name(source), request->file_count, (long long)report->from,
             (long long)report->to, (unsigned long long)report->counters.operations,
             (unsigned long long)report->counters.repeated,
             (unsigned long long)report->counters.foreign,
             (unsigned long long)report->counters.quarantined, (long long)(now_ms() - started_ms));
    return rc;
}
