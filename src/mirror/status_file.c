/*
 * One list of what is told, in two forms. Files are written aside and renamed.
 */
#include "mirror/status_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/** Where rows go. */
struct rows {
    struct buf *out;
    enum status_form form;
    const char *group; /* NULL: none. */
    bool is_first;
};

static void begin_row(struct rows *rows, const char *name)
{
    if (rows->form == STATUS_JSON) {
        buf_printf(rows->out, "%s\n%s\"%s\": ", rows->is_first ? "" : ",",
                   rows->group != NULL ? "        " : "      ", name);
    } else {
        buf_printf(rows->out, "%s%s%s=", rows->group != NULL ? rows->group : "",
                   rows->group != NULL ? "." : "", name);
    }
    rows->is_first = false;
}

static void end_row(struct rows *rows)
{
    if (rows->form == STATUS_LINES) {
        buf_add_char(rows->out, '\n');
    }
}

static void add_number(struct rows *rows, const char *name, int64_t value)
{
    begin_row(rows, name);
    buf_printf(rows->out, "%" PRId64, value);
    end_row(rows);
}

/* Texts are errors of others, too: only what neither form trips over is left as it is. */
static void add_text(struct rows *rows, const char *name, const char *text)
{
    bool is_json = rows->form == STATUS_JSON;

    begin_row(rows, name);
    buf_add_str(rows->out, is_json ? STR("\"") : STR(""));
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if (c < 0x20 || c >= 0x7F) {
            buf_add_char(rows->out, c < 0x20 ? ' ' : '?');
        } else {
            buf_add_str(rows->out, is_json && (c == '"' || c == '\\') ? STR("\\") : STR(""));
            buf_add_char(rows->out, (char)c);
        }
    }
    buf_add_str(rows->out, is_json ? STR("\"") : STR(""));
    end_row(rows);
}

static void add_bool(struct rows *rows, const char *name, bool value)
{
    begin_row(rows, name);
    buf_add_str(rows->out, value ? STR("true") : STR("false"));
    end_row(rows);
}

static void begin_group(struct rows *rows, const char *name)
{
    if (rows->form == STATUS_JSON) {
        begin_row(rows, name);
        buf_add_char(rows->out, '{');
    }
    rows->group = name;
    rows->is_first = true;
}

static void end_group(struct rows *rows)
{
    rows->group = NULL;
    rows->is_first = false;
    if (rows->form == STATUS_JSON) {
        buf_add_str(rows->out, STR("\n      }"));
    }
}

/* --- what is told --- */

const char *source_state_text(const struct source_status *status)
{
    switch (status->state) {
    case SOURCE_CLOSED:
        return status->stale_since_ms != 0 ? "stale" : "closed";
    case SOURCE_OPENING:
        return "opening";
    case SOURCE_EMPTY:
        return "empty";
    case SOURCE_LOADING:
        return "loading";
    case SOURCE_READY:
        return status->read_only ? "read-only" : "ready";
    case SOURCE_FAILED:
        return "failed";
    }
    return "?";
}

/* Of every mirror. */
static void add_mirror(struct rows *rows, const struct mirror_status *mirror)
{
    const char *state = nrtm_standing_text(mirror->client.standing);

    add_text(rows, "state", mirror->is_followed ? state : "dump");
    add_text(rows, "freshness", mirror_freshness_text(mirror->freshness));
    add_number(rows, "lag_serials", mirror->lag_serials);
    add_number(rows, "lag_seconds", mirror->lag_s);
    add_number(rows, "dump_time", mirror->dump_ms / 1000);
    add_text(rows, "dump_error", mirror->dump_error);
}

/* Of one that follows a stream. */
static void add_stream(struct rows *rows, const struct mirror_status *mirror, uint64_t missing)
{
    const struct nrtm_client_status *s = &mirror->client;

    add_text(rows, "peer", mirror->peer);
    add_number(rows, "since", s->standing_since_ms / 1000);
    add_number(rows, "source_max", s->upstream_max);
    add_number(rows, "last_op_time", s->counters.last_op_ms / 1000);
    add_number(rows, "last_connect", s->last_connect_ms / 1000);
    add_bool(rows, "filtered", s->filtered);
    add_text(rows, "last_error", mirror->error);
    begin_group(rows, "counters");
    add_number(rows, "sessions", (int64_t)s->sessions);
    add_number(rows, "reconnects", (int64_t)s->connects - (s->connects > 0));
    add_number(rows, "failures", (int64_t)s->failures);
    add_number(rows, "operations", (int64_t)s->counters.operations);
    add_number(rows, "batches", (int64_t)s->counters.batches);
    add_number(rows, "skipped", (int64_t)s->counters.repeated);
    add_number(rows, "gaps", (int64_t)s->counters.gaps);
    add_number(rows, "del_missing", (int64_t)missing);
    add_number(rows, "foreign", (int64_t)s->counters.foreign);
    add_number(rows, "recoded", (int64_t)s->counters.recoded);
    end_group(rows);
}

static void add_contents(struct rows *rows, struct source *source)
{
    struct index_contents contents;
    struct index_memory memory;
    char checksum[17];

    source_get_contents(source, &contents, &memory);
    snprintf(checksum, sizeof(checksum), "%016" PRIx64, contents.checksum);
    add_number(rows, "objects", (int64_t)contents.position.objects);
    add_number(rows, "checksum_serial", contents.position.hw);
    add_text(rows, "checksum", checksum);
    begin_group(rows, "classes");
    for (unsigned class = 0; class < CLASS_UNKNOWN; class ++) {
        add_number(rows, rpsl_class_info((enum rpsl_class) class)->name,
                   (int64_t)contents.classes[class]);
    }
    add_number(rows, "other", (int64_t)contents.classes[CLASS_UNKNOWN]);
    end_group(rows);
    begin_group(rows, "memory");
#define X(field, text) add_number(rows, #field, (int64_t)memory.field);
    INDEX_MEMORY_LIST(X)
#undef X
    add_number(rows, "total", (int64_t)index_memory_total(&memory));
    end_group(rows);
}

void status_print(struct buf *out, enum status_form form, struct source *source,
                  const struct mirror_status *mirror)
{
    struct rows rows = {.out = out, .form = form, .is_first = true};
    struct source_status stored;

    source_get_status(source, &stored);
    if (form == STATUS_JSON) {
        buf_add_char(out, '{');
    }
    add_text(&rows, "source", source_name(source));
    add_text(&rows, "upstream", source_upstream(source));
    add_text(&rows, "source_state", source_state_text(&stored));
    add_number(&rows, "percent", stored.percent);
    add_number(&rows, "hw", stored.hw);
    add_number(&rows, "applied", stored.serial);
    add_number(&rows, "last_commit", stored.last_commit_ms / 1000);
    add_number(&rows, "quarantined", (int64_t)stored.quarantined);
    add_number(&rows, "pruned_history", (int64_t)stored.pruned.history);
    add_number(&rows, "pruned_serials", (int64_t)stored.pruned.serials);
    add_number(&rows, "pruned_to", stored.pruned.to);
    add_number(&rows, "read_ahead", (int64_t)stored.read_ahead);
    add_number(&rows, "stale_since", stored.stale_since_ms / 1000);
    add_bool(&rows, "database_down", stored.database_down);
    add_text(&rows, "database_error", stored.error);
    add_bool(&rows, "degraded", mirror->is_degraded);
    add_bool(&rows, "followed", mirror->is_followed);
    if (mirror->is_mirrored) {
        add_mirror(&rows, mirror);
    }
    if (mirror->is_followed) {
        add_stream(&rows, mirror, stored.missing);
    }
    add_contents(&rows, source);
    if (form == STATUS_JSON) {
        buf_add_str(out, STR("\n    }"));
    }
}

enum err status_file_write(const char *folder, struct source *source,
                           const struct mirror_status *mirror, struct why *why)
{
    char path[600], fresh[620];
    struct buf text = {0};
    bool failed = true;
    FILE *file;

    status_print(&text, STATUS_LINES, source, mirror);
    snprintf(path, sizeof(path), "%s/nrtm.%s", folder, source_name(source));
    snprintf(fresh, sizeof(fresh), "%s.new", path);
    file = fopen(fresh, "we");
    if (file != NULL) {
        failed = fwrite(text.at, 1, text.len, file) != text.len;
        failed = fclose(file) != 0 || failed || rename(fresh, path) != 0;
    }
    buf_free(&text);
    return failed ? why_set(why, ERR_IO, "%s: %s", path, strerror(errno)) : ERR_OK;
}
