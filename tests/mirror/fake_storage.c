/*
 * The fake storage. An operation whose text begins with `?` has no key.
 */
#include "fake_storage.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake_storage fake;

struct source {
    int unused;
};

struct batch {
    struct buf lines;
    size_t bytes, ops, longest;
    int64_t last;
};

struct load {
    struct buf lines;
};

static struct source the_source, the_other;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* Of state and opens. */
static bool is_open;

struct source *fake_source(void)
{
    return &the_source;
}

struct source *fake_other_source(void)
{
    return &the_other;
}

void fake_storage_reset(int64_t position)
{
    buf_free(&fake.committed);
    fake = (struct fake_storage){.applied = position, .hw = position, .position_known = true};
}

const char *source_name(const struct source *source)
{
    return "RIPE-GRS";
}

const char *source_upstream(const struct source *source)
{
    return "RIPE";
}

enum source_kind source_kind(const struct source *source)
{
    return SOURCE_MIRROR;
}

enum err source_sync(struct source *source, bool *changed, struct why *why)
{
    fake.syncs++;
    *changed = fake.sync_changed;
    fake.sync_changed = false;
    if (fake.sync_boot_serial != 0) {
        fake.bond.boot_serial = fake.sync_boot_serial;
    }
    return fake.sync_result == ERR_OK ? ERR_OK : why_set(why, fake.sync_result, "fake sync");
}

void source_get_position(struct source *source, struct source_position *out)
{
    *out = (struct source_position){fake.applied, fake.hw, fake.position_known, fake.read_only};
}

void source_note_state(struct source *source, const char *state, const char *error)
{
    snprintf(fake.noted_state, sizeof(fake.noted_state), "%s", state);
    snprintf(fake.noted_error, sizeof(fake.noted_error), "%s", error == NULL ? "" : error);
}

enum err source_next_quarantined(struct source *source, int64_t after, struct quarantined *out,
                                 struct why *why)
{
    if (fake.quarantined == NULL || after >= fake.quarantined_rows) {
        return ERR_NOT_FOUND;
    }
    out->id = after + 1;
    out->is_whole = true;
    buf_clear(&out->raw);
    buf_add_str(&out->raw, str_from(fake.quarantined));
    return ERR_OK;
}

void source_note_server(struct source *source, const struct source_server *server)
{
    fake.noted_server = *server;
    snprintf(fake.bond.host, sizeof(fake.bond.host), "%s", server->host);
    snprintf(fake.bond.source, sizeof(fake.bond.source), "RIPE");
}

void source_note_fresh(struct source *source, int64_t time_s)
{
    fake.bond.fresh_time_s = time_s;
}

void source_get_bond(struct source *source, struct source_bond *out)
{
    *out = fake.bond;
}

/* --- one source, opened by a thread of the mirror's --- */

size_t storage_source_count(const struct storage *storage)
{
    return 1;
}

struct source *storage_source(const struct storage *storage, size_t i)
{
    return &the_source;
}

struct source *storage_find(const struct storage *storage, struct str name)
{
    return str_eq_nocase(name, STR("RIPE-GRS")) ? &the_source : NULL;
}

enum err source_open(struct source *source, struct why *why)
{
    pthread_mutex_lock(&mutex);
    fake.opens++;
    is_open = fake.opens > fake.opens_that_fail;
    pthread_mutex_unlock(&mutex);
    return is_open ? ERR_OK : why_set(why, ERR_SQL_LOST, "fake open");
}

void source_get_contents(struct source *source, struct index_contents *out,
                         struct index_memory *memory)
{
    *out = (struct index_contents){.position.objects = 3};
    *memory = (struct index_memory){0};
}

void source_get_status(struct source *source, struct source_status *out)
{
    pthread_mutex_lock(&mutex);
    *out = (struct source_status){.state = is_open ? fake.state : SOURCE_CLOSED,
                                  .objects = fake.objects};
    pthread_mutex_unlock(&mutex);
}

void source_housekeep(struct source *source)
{
}

static void add_line(struct buf *lines, const char *what, int64_t serial, struct str text)
{
    buf_printf(lines, "%s %lld [", what, (long long)serial);
    for (size_t i = 0; i < text.len; i++) {
        buf_add_char(lines, text.at[i] == '\n' ? '/' : text.at[i]);
    }
    buf_add(lines, "]\n", 2);
}

bool source_has_room(struct source *source, struct room_wait *wait)
{
    return source != &the_source || fake.no_room == 0 || fake.no_room-- == 0;
}

enum err batch_begin(struct source *source, struct batch **out, struct why *why)
{
    *out = calloc(1, sizeof(**out));
    fake.begun++;
    return ERR_OK;
}

static enum err add_op(struct batch *batch, const char *what, int64_t serial, struct str text,
                       struct why *why)
{
    if (text.len > 0 && text.at[0] == '?') {
        return why_set(why, ERR_SYNTAX, "no key");
    }
    if (serial > fake.hw) {
        add_line(&batch->lines, what, serial, text);
        batch->ops++;
    }
    batch->bytes += text.len;
    batch->longest = text.len > batch->longest ? text.len : batch->longest;
    batch->last = serial;
    return ERR_OK;
}

enum err batch_add(struct batch *batch, int64_t serial, struct str text, struct why *why)
{
    return add_op(batch, "add", serial, text, why);
}

enum err batch_delete(struct batch *batch, int64_t serial, struct str text, struct why *why)
{
    return add_op(batch, "del", serial, text, why);
}

enum err batch_quarantine(struct batch *batch, int64_t serial, bool is_delete, struct str raw,
                          const char *reason)
{
    add_line(&batch->lines, "quarantine", serial, raw);
    batch->last = serial;
    batch->longest = raw.len > batch->longest ? raw.len : batch->longest;
    return ERR_OK;
}

size_t batch_bytes(const struct batch *batch)
{
    return batch->bytes;
}

size_t batch_ops(const struct batch *batch)
{
    return batch->ops;
}

void batch_abort(struct batch *batch)
{
    if (batch != NULL) {
        buf_free(&batch->lines);
        free(batch);
        fake.begun--;
    }
}

static enum err next_result(void)
{
    enum err rc = ERR_OK;

    if (fake.next_commit_count > 0) {
        rc = fake.next_commit[0];
        fake.next_commit_count--;
        memmove(fake.next_commit, fake.next_commit + 1,
                fake.next_commit_count * sizeof(fake.next_commit[0]));
    }
    return rc;
}

enum err batch_commit(struct batch *batch, int64_t hw, struct why *why)
{
    enum err rc = next_result();

    if (rc == ERR_OK && fake.packet_limit > 0 && batch->longest > fake.packet_limit) {
        rc = ERR_SQL_PACKET;
    }
    if (rc == ERR_OK) {
        buf_add_str(&fake.committed, buf_str(&batch->lines));
        fake.commits++;
        fake.applied = batch->ops > 0 ? batch->last : fake.applied;
        fake.hw = hw > 0 ? hw : batch->last;
    } else {
        why_set(why, rc, "fake commit");
    }
    batch_abort(batch);
    return rc;
}

enum err load_begin(struct source *source, const struct load_options *options, struct load **out,
                    struct why *why)
{
    *out = calloc(1, sizeof(**out));
    fake.load_options = *options;
    fake.begun++;
    return ERR_OK;
}

bool load_is_by_difference(const struct load *load)
{
    return fake.objects > 0;
}

enum err load_add(struct load *load, struct str text, double fraction, struct why *why)
{
    add_line(&load->lines, "load", fake.load_options.serial, text);
    return ERR_OK;
}

void load_keep_raw(struct load *load, struct str raw, const char *reason)
{
    add_line(&load->lines, "raw", fake.load_options.serial, raw);
}

void load_abort(struct load *load)
{
    if (load != NULL) {
        buf_free(&load->lines);
        free(load);
        fake.begun--;
    }
}

enum err load_finish(struct load *load, struct load_report *report, struct why *why)
{
    enum err rc = fake.load_finish_result;

    if (rc == ERR_OK) {
        buf_add_str(&fake.committed, buf_str(&load->lines));
        pthread_mutex_lock(&mutex);
        fake.loads++;
        fake.state = SOURCE_READY;
        pthread_mutex_unlock(&mutex);
        *report = (struct load_report){.objects = 1};
    } else {
        why_set(why, rc, "fake load");
    }
    load_abort(load);
    return rc;
}
