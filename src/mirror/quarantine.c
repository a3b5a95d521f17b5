/*
 * Trying again what was kept aside.
 *
 * Most rows wait for a dump: what the server refused for its size, what the upstream could not
 * send, deletions. Here are those that this program may understand although the one before did not.
 * Each is compared as of its serial, so that an object that changed since is left alone.
 */
#include "mirror/quarantine.h"

#include <time.h>

#include "base/log.h"
#include "mirror/intake.h"
#include "rpsl/object.h"

enum {
    STEP_MS = 2000,
    BETWEEN_MS = 30 * 1000,
    LOOK_MS = 100, /* In between: is it cancelled? */
    FAILURES_TOLD = 10,
    ARENA_BYTES = 64 << 20
};

struct retrying {
    struct source *source;
    const struct load_request *request;
    const struct quarantine_stream *stream;
    struct arena *arena;
    bool is_step;
    int64_t step_end_ms;
    int64_t boot; /* Serial of the dump, for what came with it. As of the step. */
    uint64_t applied, overtaken, left, failed;
};

/* --- steps --- */

static int64_t now_ms(const struct retrying *r)
{
    return clock_mono_ms(r->stream->clock);
}

static bool is_cancelled(const struct retrying *r)
{
    return atomic_load(r->request->cancel);
}

static enum err begin_step(struct retrying *r, struct why *why)
{
    struct source_bond bond;
    bool changed;
    enum err rc;

    r->stream->rest(r->stream->context, true);
    r->is_step = true;
    r->step_end_ms = now_ms(r) + STEP_MS;
    rc = source_sync(r->source, &changed, why); /* The dump may be of just now. */
    source_get_bond(r->source, &bond);
    r->boot = bond.boot_serial;
    return rc;
}

static void end_step(struct retrying *r)
{
    if (r->is_step) {
        r->stream->rest(r->stream->context, false);
        r->is_step = false;
    }
}

static void leave_time(const struct retrying *r)
{
    const int64_t until_ms = now_ms(r) + BETWEEN_MS;

    while (now_ms(r) < until_ms && !is_cancelled(r)) {
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000}, NULL);
    }
}

/* --- a row --- */

static bool has_key(struct retrying *r, struct str text)
{
    struct rpsl_object object;
    struct rpsl_key key;

    arena_reset(r->arena);
    return rpsl_parse(text, r->arena, &object) == ERR_OK &&
           rpsl_object_key(&object, r->arena, &key) == ERR_OK;
}

static enum err load_row(struct retrying *r, const struct quarantined *row, struct str text,
                         struct load_report *report, struct why *why)
{
    const struct load_options options = {.serial = row->serial > r->boot ? row->serial : r->boot,
                                         .audit = true,
                                         .quarantined = row->id};
    struct load *load;
    enum err rc = load_begin(r->source, &options, &load, why);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = load_add(load, text, 1, why);
    if (rc != ERR_OK) {
        load_abort(load);
        return rc;
    }
    return load_finish(load, report, why);
}

/* What is no object, or not all of one, waits for a dump. */
static bool can_be_tried(struct retrying *r, const struct quarantined *row, struct intake *intake,
                         struct str *text)
{
    return row->is_whole && !row->is_delete &&
           intake_text(intake, buf_str(&row->raw), "in nrtm_quarantine", text) != INTAKE_FOREIGN &&
           has_key(r, *text);
}

/* In a step, which begins with the first row that needs one. @return What ends all of it. */
static enum err apply_row(struct retrying *r, const struct quarantined *row, struct str text,
                          struct why *why)
{
    struct load_report report = {0};
    struct why cause;
    enum err rc = r->is_step ? ERR_OK : begin_step(r, why);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = load_row(r, row, text, &report, &cause);
    if (rc != ERR_OK) {
        r->left++;
        log_write(r->failed++ < FAILURES_TOLD ? LOG_WARN : LOG_DEBUG, LOG_LOADER,
                  "%s: row %lld of nrtm_quarantine: %s", source_name(r->source), (long long)row->id,
                  cause.text);
    } else if (report.added + report.changed > 0) {
        r->applied++;
    } else {
        r->overtaken++;
    }
    if (now_ms(r) >= r->step_end_ms) {
        end_step(r);
        leave_time(r);
    }
    return ERR_OK;
}

static enum err try_row(struct retrying *r, const struct quarantined *row, struct why *why)
{
    struct intake intake = {.mirror = source_name(r->source),
                            .upstream = source_upstream(r->source),
                            .charset = r->request->charset};
    struct str text;
    enum err rc = ERR_OK;

    if (can_be_tried(r, row, &intake, &text)) {
        rc = apply_row(r, row, text, why);
    } else {
        r->left++;
    }
    intake_fini(&intake);
    return rc;
}

void mirror_retry_quarantine(struct source *source, const struct load_request *request,
                             const struct quarantine_stream *stream)
{
    struct retrying r = {
        .source = source, .request = request, .stream = stream, .arena = arena_new(ARENA_BYTES)};
    struct quarantined row = {0};
    struct why why = {""};
    enum err rc = ERR_OK;

    while (rc == ERR_OK && !is_cancelled(&r)) {
        rc = source_next_quarantined(source, row.id, &row, &why);
        if (rc == ERR_OK &&
            !str_starts(str_from(row.reason), STR(INTAKE_RECODED_REASON))) { /* That was applied. */
            rc = try_row(&r, &row, &why);
        }
    }
    end_step(&r);
    if (rc != ERR_OK && rc != ERR_NOT_FOUND) {
        log_warn(LOG_LOADER, "%s: nrtm_quarantine cannot be read: %s", source_name(source),
                 why.text);
    }
    if (r.applied + r.overtaken + r.left > 0) {
        log_info(LOG_LOADER,
                 "%s: what was kept aside was tried again: applied=%llu overtaken=%llu left=%llu",
                 source_name(source), (unsigned long long)r.applied,
                 (unsigned long long)r.overtaken, (unsigned long long)r.left);
    }
    buf_free(&row.raw);
    arena_free(r.arena);
}
