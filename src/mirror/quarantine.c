/*
 * Trying again what was kept aside.
 *
 * Most rows wait for a dump: what the server refused for its size, what the upstream could not
 * send, deletions. Here are those that this program may understand although the one before did not.
 * Each is compared as of its serial, so that an object that changed since is left alone.
 */
#include "mirror/quarantine.h"

#include "base/log.h"
#include "mirror/intake.h"
#include "rpsl/object.h"

enum { ROWS_MAX = 1000, ARENA_BYTES = 64 << 20 };

struct retrying {
    struct source *source;
    const struct load_request *request;
    struct arena *arena;
    int64_t boot; /* Serial of the dump, for what came with it. */
    uint64_t applied, overtaken, left;
};

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

static void try_row(struct retrying *r, const struct quarantined *row)
{
    struct intake intake = {.mirror = source_name(r->source),
                            .upstream = source_upstream(r->source),
                            .charset = r->request->charset};
    struct load_report report = {0};
    struct str text;
    struct why why;

    if (!row->is_whole || row->is_delete ||
        intake_text(&intake, buf_str(&row->raw), "in nrtm_quarantine", &text) == INTAKE_FOREIGN ||
        !has_key(r, text)) {
        r->left++;
    } else if (load_row(r, row, text, &report, &why) != ERR_OK) {
        log_warn(LOG_LOADER, "%s: row %lld of nrtm_quarantine: %s", source_name(r->source),
                 (long long)row->id, why.text);
        r->left++;
    } else if (report.added + report.changed > 0) {
        r->applied++;
    } else {
        r->overtaken++;
    }
    intake_fini(&intake);
}

void mirror_retry_quarantine(struct source *source, const struct load_request *request)
{
    struct retrying r = {.source = source, .request = request, .arena = arena_new(ARENA_BYTES)};
    struct quarantined row = {0};
    struct source_bond bond;
    struct why why = {""};
    bool changed;
    enum err rc = source_sync(source, &changed, &why); /* The dump may be of just now. */

    source_get_bond(source, &bond);
    r.boot = bond.boot_serial;
    for (int i = 0; rc == ERR_OK && i < ROWS_MAX && !atomic_load(request->cancel); i++) {
        rc = source_next_quarantined(source, row.id, &row, &why);
        if (rc != ERR_OK) {
            break;
        }
        if (!str_starts(str_from(row.reason), STR(INTAKE_RECODED_REASON))) { /* That was applied. */
            try_row(&r, &row);
        }
    }
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
