/*
 * Loading a dump: the way in for both kinds, and the bulk load of an empty source.
 *
 * A bulk load is a pipeline. The caller's thread parses, dedupes and compresses objects into the
 * coming index and packs their rows into chunks of 4 MB; a thread of its own inserts the chunks by
 * a connection of its own. A few chunks go round between the two, so that neither runs ahead. The
 * secondary keys of `last` are dropped before and added after the publication, which costs a third
 * of keeping them.
 *
 * Chunks are committed every 64 MB under nrtm_state.loading = 1, not as one transaction: the time
 * is the same, undoing a killed load is then a TRUNCATE instead of a long rollback, and the undo
 * log stays small. Serial, position and loading = 0 are one transaction at the end; before it the
 * source is empty to everybody, after it whole.
 */
#include "storage/load_parts.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "storage/entries.h"

enum {
    CHUNKS = 4,
    CHUNK_BYTES = 4 << 20,
    CHUNK_ROWS = 20000,
    COMMIT_BYTES = 64 << 20,
    SAMPLE_OBJECTS = 40000, /* The dictionary is trained on every tenth of the first so many. */
    SAMPLE_BYTES = 32 << 20,
    SAMPLE_STEP = 10,
    SAMPLE_TEXT_MAX = 16 << 10,
    WARNED_MAX = 20,
    QUARANTINE_ROWS_MAX = 1000
};
#define ARENA_BYTES ((size_t)1 << 30)

/** Rows on their way to the inserting thread. */
struct chunk {
    struct chunk *next;
    struct arena *arena;
    struct sql_array rows;
};

/** A bulk load of an empty source. */
struct fill {
    struct sql *sql; /* Of the inserting thread while it runs. */
    struct index_bulk *bulk;
    struct index_lane *lane;
    struct buf sample; /* Objects waiting for the dictionary, back to back. */
    size_t *sample_lengths, sample_count;
    uint32_t next_id, last_id;
    struct number_array {
        uint32_t *at;
        size_t count, cap;
    } dropped;           /* Ids of duplicates that rows were written for. */
    struct chunk *chunk; /* Being filled. */

    pthread_t thread;
    bool is_running, is_marked; /* loading = 1 stands in the database. */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct chunk *full, **full_tail, *empty; /* Under mutex. */
    bool is_closed;
    enum err rc; /* Of the inserting thread. */
    struct why why;
};

/* --- what both kinds share --- */
static void keep_aside(struct load *load, struct str text, const char *reason)
{
    struct str kept;

    if (load->quarantine.rows >= QUARANTINE_ROWS_MAX) {
        return;
    }
    log_warn(LOG_LOADER, "%s: object kept aside in nrtm_quarantine: %s: %s", load->source->name,
             reason, log_quote(str_sub(text, 0, str_find(text, '\n', 0))).text);
    kept = arena_strdup(load->kept, str_sub(text, 0, QUARANTINE_TEXT_MAX));
    if (kept.at != NULL) {
        SQL_ARRAY_ADD(&load->quarantine, {.text = str_from(load->source->name)}, {.number = 0},
                      {.number = 1}, {.text = kept}, {.text = str_from(reason)},
                      {.number = source_now(load->source)});
    }
}

void load_reject(struct load *load, struct str text, const char *reason)
{
    load->report.rejected++;
    keep_aside(load, text, reason);
}

void load_keep_raw(struct load *load, struct str raw, const char *reason)
{
    keep_aside(load, raw, reason);
}

enum err load_write_quarantine(struct load *load, struct sql *sql, struct why *why)
{
    const int64_t serial = load->options.serial, id = load->options.quarantined;
    const bool is_all = load->options.is_reset || load->options.force || load->fill != NULL;
    enum err rc =
        id != 0 ? sql_exec(sql, why,
                           "DELETE FROM nrtm_quarantine WHERE mirror = '%s' AND id = %" PRId64,
                           load->source->name, id)
                : sql_exec(sql, why,
                           "DELETE FROM nrtm_quarantine WHERE mirror = '%s' AND (%d OR serial <= "
                           "%" PRId64 ")",
                           load->source->name, is_all, serial > 0 ? serial : 0);

    return rc == ERR_OK ? sql_run(sql, rows_quarantine, &load->quarantine, why) : rc;
}

void load_note_duplicate(struct load *load, const struct rpsl_key *key, const char *what)
{
    load->report.duplicates++;
    if (load->warned++ < WARNED_MAX) {
        log_warn(LOG_LOADER, "%s: %s %s %s", load->source->name, rpsl_class_info(key->class)->name,
                 log_quote(key->text).text, what);
    } else if (load->warned == WARNED_MAX + 1) {
        log_warn(LOG_LOADER, "%s: further duplicates are only counted", load->source->name);
    }
}

enum rpsl_class load_other_class(enum rpsl_class class)
{
    return class == CLASS_PERSON ? CLASS_ROLE : class == CLASS_ROLE ? CLASS_PERSON : CLASS_UNKNOWN;
}

/* --- the inserting thread --- */
static struct chunk *chunk_new(void)
{
    struct chunk *chunk = calloc(1, sizeof(*chunk));

    if (chunk == NULL) {
        abort();
    }
    chunk->arena = arena_new(ARENA_BYTES);
    sql_array_init(&chunk->rows, ROWS_LAST_TYPES);
    return chunk;
}

static void chunks_free(struct chunk *chunk)
{
    while (chunk != NULL) {
        struct chunk *next = chunk->next;

        arena_free(chunk->arena);
        sql_array_fini(&chunk->rows);
        free(chunk);
        chunk = next;
    }
}

/** @return The next full chunk; NULL when there will be no more. */
static struct chunk *take_full(struct fill *fill)
{
    struct chunk *chunk;

    pthread_mutex_lock(&fill->mutex);
    while (fill->full == NULL && !fill->is_closed) {
        pthread_cond_wait(&fill->changed, &fill->mutex);
    }
    chunk = fill->full;
    if (chunk != NULL) {
        fill->full = chunk->next;
        if (fill->full == NULL) {
            fill->full_tail = &fill->full;
        }
    }
    pthread_mutex_unlock(&fill->mutex);
    return chunk;
}

static void give_empty(struct fill *fill, struct chunk *chunk, enum err rc)
{
    arena_reset(chunk->arena);
    sql_array_clear(&chunk->rows);
    pthread_mutex_lock(&fill->mutex);
    fill->rc = rc;
    chunk->next = fill->empty;
    fill->empty = chunk;
    pthread_cond_broadcast(&fill->changed);
    pthread_mutex_unlock(&fill->mutex);
}

static enum err insert_chunk(struct fill *fill, const struct chunk *chunk, size_t *uncommitted)
{
    enum err rc = ERR_OK;

    if (fault_point("load-rows")) {
        return why_set(&fill->why, ERR_SQL, "fault load-rows");
    }
    if (*uncommitted == 0) {
        rc = sql_begin(fill->sql, &fill->why);
    }
    if (rc == ERR_OK) {
        rc = sql_run(fill->sql, rows_insert_last, &chunk->rows, &fill->why);
    }
    *uncommitted += chunk->rows.bytes;
    if (rc == ERR_OK && *uncommitted >= COMMIT_BYTES) {
        rc = sql_commit(fill->sql, &fill->why);
        *uncommitted = 0;
    }
    return rc;
}

static void *run_inserts(void *context)
{
    struct fill *fill = context;
    struct chunk *chunk;
    size_t uncommitted = 0;
    enum err rc = ERR_OK;

    while ((chunk = take_full(fill)) != NULL) {
        if (rc == ERR_OK) { /* After a failure chunks are only handed back. */
            rc = insert_chunk(fill, chunk, &uncommitted);
        }
        give_empty(fill, chunk, rc);
    }
    if (rc == ERR_OK && uncommitted > 0) {
        rc = sql_commit(fill->sql, &fill->why);
    }
    pthread_mutex_lock(&fill->mutex);
    fill->rc = rc;
    pthread_mutex_unlock(&fill->mutex);
    return NULL;
}

static enum err push_chunk(struct fill *fill, struct why *why)
{
    enum err rc;

    pthread_mutex_lock(&fill->mutex);
    fill->chunk->next = NULL;
    *fill->full_tail = fill->chunk;
    fill->full_tail = &fill->chunk->next;
    fill->chunk = NULL;
    pthread_cond_broadcast(&fill->changed);
    while (fill->empty == NULL) {
        pthread_cond_wait(&fill->changed, &fill->mutex);
    }
    fill->chunk = fill->empty;
    fill->empty = fill->chunk->next;
    fill->chunk->next = NULL;
    rc = fill->rc;
    pthread_mutex_unlock(&fill->mutex);
    if (rc != ERR_OK) {
        *why = fill->why; /* Written before rc was. */
    }
    return rc;
}

static void stop_inserts(struct fill *fill)
{
    if (!fill->is_running) {
        return;
    }
    pthread_mutex_lock(&fill->mutex);
    fill->is_closed = true;
    pthread_cond_broadcast(&fill->changed);
    pthread_mutex_unlock(&fill->mutex);
    pthread_join(fill->thread, NULL);
    fill->is_running = false;
}

/* --- objects --- */
static void drop_id(struct fill *fill, uint32_t id)
{
    if (fill->dropped.count == fill->dropped.cap) {
        fill->dropped.cap = fill->dropped.cap == 0 ? 64 : fill->dropped.cap * 2;
        fill->dropped.at = reallocarray(fill->dropped.at, fill->dropped.cap, sizeof(uint32_t));
        if (fill->dropped.at == NULL) {
            abort();
        }
    }
    fill->dropped.at[fill->dropped.count++] = id;
}

static enum err add_row(struct load *load, uint32_t id, struct str text, const struct rpsl_key *key,
                        struct why *why)
{
    struct fill *fill = load->fill;
    struct chunk *chunk = fill->chunk;
    const struct str copy = arena_strdup(chunk->arena, text),
                     pkey = arena_strdup(chunk->arena, rows_pkey(key->text, load->arena));

    if (copy.at == NULL || pkey.at == NULL) {
        return why_set(why, ERR_LIMIT, "an object of %zu bytes does not fit", text.len);
    }
    SQL_ARRAY_ADD(&chunk->rows, {.number = id}, {.number = 1}, {.number = source_now(load->source)},
                  {.number = rpsl_class_info(key->class)->db_id}, {.text = copy}, {.text = pkey});
    return chunk->rows.bytes < CHUNK_BYTES && chunk->rows.rows < CHUNK_ROWS ? ERR_OK
                                                                            : push_chunk(fill, why);
}

static enum err fill_add_parsed(struct load *load, const struct rpsl_object *object,
                                const struct rpsl_key *key, struct why *why)
{
    struct fill *fill = load->fill;
    const enum rpsl_class other = load_other_class(key->class);
    uint32_t id;
    enum err rc = ERR_OK;

    if (other != CLASS_UNKNOWN &&
        index_bulk_find(fill->bulk, other, key->canonical, load->arena) != 0) {
        load_note_duplicate(load, key, "is there as person and as role: the first is kept");
        return ERR_OK;
    }
    id = index_bulk_find(fill->bulk, key->class, key->canonical, load->arena);
    if (id != 0) {
        load_note_duplicate(load, key, "is there more than once: the last is kept");
        drop_id(fill, id);
        load->report.objects--;
        rc = index_bulk_drop(fill->bulk, id);
    }
    id = fill->next_id++;
    if (rc == ERR_OK) {
        rc = index_lane_add(fill->lane, id, 1, source_now(load->source), object, key);
    }
    if (rc != ERR_OK) {
        return why_set(why, rc, "indexing %.*s: %s", STR_ARG(key->text), err_text(rc));
    }
    fill->last_id = id;
    load->report.objects++;
    return add_row(load, id, object->text, key, why);
}

/** For both kinds. */
static enum err add_text(struct load *load, struct str text, struct why *why)
{
    struct rpsl_object object;
    struct rpsl_key key;
    enum err rc;

    arena_reset(load->arena);
    rc = object_parse(text, load->arena, &object, &key);
    if (rc == ERR_SYNTAX) {
        load_reject(load, text, "no class or key");
        return ERR_OK;
    }
    if (rc != ERR_OK) {
        return why_set(why, rc, "parsing an object: %s", err_text(rc));
    }
    return load->fill != NULL ? fill_add_parsed(load, &object, &key, why)
                              : reload_add(load, &object, &key, why);
}

/** Enough objects have come to train the dictionary: add them, and the following as they come. */
static enum err end_sample(struct load *load, struct why *why)
{
    struct fill *fill = load->fill;
    struct str *parts = calloc(fill->sample_count / SAMPLE_STEP + 1, sizeof(*parts));
    size_t count = 0, at = 0;
    enum err rc = ERR_OK;

    if (parts == NULL) {
        abort();
    }
    for (size_t i = 0; i < fill->sample_count; at += fill->sample_lengths[i++]) {
        if (i % SAMPLE_STEP == 0) {
            parts[count++] = str_sub((struct str){fill->sample.at + at, fill->sample_lengths[i]}, 0,
                                     SAMPLE_TEXT_MAX);
        }
    }
    fill->bulk = index_bulk_new(load->source->index, parts, count);
    fill->lane = index_bulk_lane(fill->bulk);
    free(parts);
    at = 0;
    for (size_t i = 0; rc == ERR_OK && i < fill->sample_count; at += fill->sample_lengths[i++]) {
        rc = add_text(load, (struct str){fill->sample.at + at, fill->sample_lengths[i]}, why);
    }
    buf_free(&fill->sample);
    free(fill->sample_lengths);
    fill->sample_lengths = NULL;
    return rc;
}

static enum err fill_add(struct load *load, struct str text, struct why *why)
{
    struct fill *fill = load->fill;

    if (fill->bulk != NULL) {
        return add_text(load, text, why);
    }
    buf_add_str(&fill->sample, text);
    fill->sample_lengths[fill->sample_count++] = text.len;
    return fill->sample_count == SAMPLE_OBJECTS || fill->sample.len >= SAMPLE_BYTES
               ? end_sample(load, why)
               : ERR_OK;
}

/* --- begin and end of a bulk load --- */
static enum err prepare_tables(struct load *load, struct why *why)
{
    struct source *source = load->source;
    struct sql *sql = load->fill->sql;
    struct database_position found;
    struct why cause;
    int64_t is_ours = 0;
    enum err rc = position_read(source, sql, &found, why);

    if (rc == ERR_OK) {
        rc = sql_select_number(sql, &is_ours, why, "SELECT GET_LOCK('whoisd.load.%.45s', 0)",
                               source->url.database);
    }
    if (rc == ERR_OK && !is_ours) {
        return why_set(why, ERR_BUSY, "%s is being loaded by another process",
                       source->url.database);
    }
    if (rc == ERR_OK && found.is_loading) {
        rc = sql_exec(sql, why, "TRUNCATE TABLE last");
    }
    if (rc == ERR_OK) {
        load->fill->is_marked = true;
        rc = sql_exec(sql, why, "UPDATE nrtm_state SET loading = 1 WHERE mirror = '%s'",
                      source->name);
    }
    if (rc == ERR_OK && tables_drop_keys(sql, &cause) != ERR_OK) {
        log_warn(LOG_LOADER, "%s: the load will be slower: %s", source->name, cause.text);
    }
    if (rc == ERR_OK) {
        rc = sql_exec(sql, why, "SET SESSION unique_checks = 0");
    }
    return rc;
}

static void start_inserts(struct fill *fill)
{
    pthread_mutex_init(&fill->mutex, NULL);
    pthread_cond_init(&fill->changed, NULL);
    fill->full_tail = &fill->full;
    fill->chunk = chunk_new();
    for (int i = 1; i < CHUNKS; i++) {
        struct chunk *chunk = chunk_new();

        chunk->next = fill->empty;
        fill->empty = chunk;
    }
    if (pthread_create(&fill->thread, NULL, run_inserts, fill) != 0) {
        abort();
    }
    fill->is_running = true;
}

static enum err fill_begin(struct load *load, struct why *why)
{
    struct fill *fill = calloc(1, sizeof(*fill));
    enum err rc;

    if (fill == NULL ||
        (fill->sample_lengths = calloc(SAMPLE_OBJECTS, sizeof(*fill->sample_lengths))) == NULL) {
        abort();
    }
    load->fill = fill;
    fill->next_id = 1;
    start_inserts(fill);
    rc = source_connect_new(load->source, &fill->sql, why);
    /* Rows, their pages' slack and keys, and the redo and undo of the way there. */
    if (rc == ERR_OK && !load->options.force) {
        rc = tables_check_disk(load->source, fill->sql, load->options.bytes / 10 * 16, why);
    }
    if (rc == ERR_OK) {
        rc = prepare_tables(load, why);
    }
    if (rc == ERR_OK) {
        source_set_state(load->source, SOURCE_LOADING);
    }
    return rc;
}

static void fill_free(struct fill *fill)
{
    if (fill == NULL) {
        return;
    }
    stop_inserts(fill);
    chunks_free(fill->chunk);
    chunks_free(fill->full);
    chunks_free(fill->empty);
    pthread_mutex_destroy(&fill->mutex);
    pthread_cond_destroy(&fill->changed);
    index_bulk_free(fill->bulk);
    sql_close(fill->sql);
    buf_free(&fill->sample);
    free(fill->sample_lengths);
    free(fill->dropped.at);
    free(fill);
}

/** Empty the tables again. When even that fails loading = 1 stays, and the next open or load does
 * it. */
static void fill_undo(struct load *load)
{
    struct fill *fill = load->fill;
    struct why why;
    enum err rc;

    stop_inserts(fill);
    source_set_state(load->source, SOURCE_EMPTY);
    if (!fill->is_marked) {
        return;
    }
    sql_rollback(fill->sql);
    rc = tables_undo_load(load->source, fill->sql, &why);
    if (rc == ERR_OK) {
        rc = tables_add_keys(fill->sql, &why);
    }
    if (rc != ERR_OK) {
        log_warn(LOG_LOADER, "%s: the tables are emptied later: %s", load->source->name, why.text);
    }
}

static enum err delete_dropped(struct load *load, struct sql *sql, struct why *why)
{
    struct sql_array ids;
    enum err rc;

    sql_array_init(&ids, "n");
    for (size_t i = 0; i < load->fill->dropped.count; i++) {
        SQL_ARRAY_ADD(&ids, {.number = load->fill->dropped.at[i]});
    }
    rc = sql_run(sql, "DELETE FROM last WHERE object_id = ?", &ids, why);
    sql_array_fini(&ids);
    return rc;
}

/** Serial, position and the end of loading: one transaction, by the source's own connection. */
static enum err fill_transaction(struct load *load, struct position to, uint64_t number,
                                 bool *was_sent, struct why *why)
{
    struct source *source = load->source;
    struct sql *sql = source->sql;
    enum err rc = sql_begin(sql, why);

    if (rc == ERR_OK) {
        rc = position_lock(sql, why);
    }
    if (rc == ERR_OK) {
        rc = delete_dropped(load, sql, why);
    }
    if (rc == ERR_OK) {
        rc = sql_exec(sql, why, "DELETE FROM serials");
    }
    if (rc == ERR_OK && load->report.objects > 0) {
        rc = sql_exec(sql, why, "INSERT INTO serials VALUES (%" PRId64 ", %u, 1, 1, 1)", to.applied,
                      load->fill->last_id);
    }
    if (rc == ERR_OK) {
        rc = load_write_quarantine(load, sql, why);
    }
    if (rc == ERR_OK && fault_point("load-state")) {
        rc = why_set(why, ERR_SQL, "fault load-state");
    }
    if (rc == ERR_OK) {
        rc = position_write(source, sql, to, number, why);
    }
    if (rc == ERR_OK) {
        rc = position_unbind(source, sql, why);
    }
    if (rc == ERR_OK) {
        rc = sql_exec(sql, why,
                      "UPDATE nrtm_state SET loading = 0, boot_time = %u, "
                      "boot_serial = IF(%d, %" PRId64 ", NULL) WHERE mirror = '%s'",
                      source_now(source), to.known, to.hw, source->name);
    }
    if (rc == ERR_OK && fault_point("load-before-commit")) {
        rc = why_set(why, ERR_SQL, "fault load-before-commit");
    }
    if (rc != ERR_OK) {
        sql_rollback(sql);
        return rc;
    }
    *was_sent = true;
    rc = sql_commit(sql, why);
    if (rc == ERR_OK && fault_point("load-after-commit")) {
        rc = why_set(why, ERR_SQL_LOST, "fault load-after-commit");
    }
    return rc;
}

/** All rows written, the index built meanwhile. */
static enum err end_rows(struct load *load, struct why *why)
{
    struct fill *fill = load->fill;
    enum err rc = fill->bulk == NULL ? end_sample(load, why) : ERR_OK;
    enum err built;

    if (rc == ERR_OK && fill->chunk->rows.rows > 0) {
        rc = push_chunk(fill, why);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    pthread_mutex_lock(&fill->mutex);
    fill->is_closed = true; /* The last chunks are inserted while the index is built. */
    pthread_cond_broadcast(&fill->changed);
    pthread_mutex_unlock(&fill->mutex);
    built = index_bulk_finish(fill->bulk);
    fill->bulk = NULL;
    stop_inserts(fill);
    rc = fill->rc;
    if (rc != ERR_OK) {
        *why = fill->why;
        if (built == ERR_OK) {
            index_rollback(load->source->index);
        }
        return rc;
    }
    return built == ERR_OK ? ERR_OK
                           : why_set(why, built, "building the index: %s", err_text(built));
}

static enum err fill_finish(struct load *load, struct why *why)
{
    struct source *source = load->source;
    const int64_t serial = load->options.serial;
    const uint64_t number = random_number();
    struct position to = {
        .applied = serial >= 0 ? serial : 1,
        .hw = serial >= 0 ? serial : 1,
        .generation = random_number(),
        .known = serial >= 0,
    };
    bool was_sent = false;
    enum err rc = end_rows(load, why);

    if (rc != ERR_OK) {
        return rc;
    }
    to.bulk_end = load->fill->last_id;
    if (load->report.objects == 0) {
        to.applied = 0; /* No row of `serials` says it: nrtm_state alone does. */
    }
    rc = load->report.objects > 0 || load->options.force
             ? source_connect(source, why)
             : why_set(why, ERR_SYNTAX, "%s: the dump holds no object", source->name);
    if (rc == ERR_OK) {
        rc = fill_transaction(load, to, number, &was_sent, why);
    }
    if (rc != ERR_OK && was_sent) {
        rc = position_settle(source, number, rc, why);
    }
    if (rc != ERR_OK) {
        index_rollback(source->index);
        return rc;
    }
    load->report.added = load->report.objects;
    source_set_position(source, to);
    source_publish(source);
    source_set_objects(source, load->report.objects);
    source_add_objects(source, 0); /* Settles the state. */
    return ERR_OK;
}

/* --- the way in --- */
/** Whether the source has no object and never had one: then it is bulk loaded. */
static enum err is_blank(struct source *source, bool *out, struct why *why)
{
    int64_t one;
    struct database_position found = {0};
    enum err rc = position_read(source, source->sql, &found, why);

    if (rc == ERR_OK && !found.is_loading) {
        rc = sql_select_number(source->sql, &one, why, "SELECT 1 FROM last LIMIT 1");
    }
    *out = found.is_loading || rc == ERR_NOT_FOUND;
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

static void load_free(struct load *load)
{
    fill_free(load->fill);
    reload_free(load->reload);
    sql_array_fini(&load->quarantine);
    arena_free(load->arena);
    arena_free(load->kept);
    free(load);
}

static enum err begin_locked(struct load *load, struct why *why)
{
    struct source *source = load->source;
    bool blank = false;
    enum err rc;

    if (load->options.serial > SERIAL_MAX) {
        return why_set(why, ERR_LIMIT, "serial %" PRId64 " is above 2147483647",
                       load->options.serial);
    }
    rc = source_connect(source, why);
    if (rc == ERR_OK) {
        rc = is_blank(source, &blank, why);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    load->report.by_difference = !blank;
    if (!blank) {
        return reload_begin(load, why);
    }
    rc = fill_begin(load, why);
    if (rc != ERR_OK) {
        fill_undo(load);
    }
    return rc;
}

enum err load_begin(struct source *source, const struct load_options *options, struct load **out,
                    struct why *why)
{
    struct load *load;
    enum err rc = source_check_writable(source, why);

    if (rc == ERR_OK) {
        rc = source_lock(source, WRITER_LOAD, why);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    load = calloc(1, sizeof(*load));
    if (load == NULL) {
        abort();
    }
    load->source = source;
    load->options = *options;
    load->arena = arena_new(ARENA_BYTES);
    load->kept = arena_new(ARENA_BYTES);
    sql_array_init(&load->quarantine, ROWS_QUARANTINE_TYPES);
    rc = source_sql_done(source, begin_locked(load, why), why);
    if (rc != ERR_OK) {
        load_free(load);
        source_unlock(source);
        return rc;
    }
    log_info(LOG_LOADER, "%s: loading %s", source->name,
             load->report.by_difference ? "by difference" : "an empty source");
    *out = load;
    return ERR_OK;
}

bool load_is_by_difference(const struct load *load)
{
    return load->report.by_difference;
}

enum err load_add(struct load *load, struct str text, double fraction, struct why *why)
{
    const int percent = (int)(fraction * 100);

    if (percent != load->percent) {
        load->percent = percent;
        source_set_percent(load->source, percent);
    }
    return load->fill != NULL ? fill_add(load, text, why) : add_text(load, text, why);
}

enum err load_finish(struct load *load, struct load_report *report, struct why *why)
{
    struct source *source = load->source;
    struct sql *sql = NULL;
    struct why cause;
    enum err rc = load->fill != NULL ? fill_finish(load, why) : reload_finish(load, why);

    *report = load->report;
    (void)source_sql_done(source, rc, why);
    if (rc != ERR_OK) {
        load_abort(load);
        return rc;
    }
    if (source_count_quarantined(source, &cause) != ERR_OK) {
        log_warn(LOG_LOADER, "%s: counting what is in quarantine: %s", source->name, cause.text);
    }
    pthread_mutex_lock(&source->status_mutex);
    source->status.last_commit_ms = clock_wall_ms(source->storage->clock);
    pthread_mutex_unlock(&source->status_mutex);
    if (load->fill != NULL) {
        sql = load->fill->sql;
        load->fill->sql = NULL;
    }
    load_free(load);
    source_unlock(source); /* Nobody's writing waits for the keys. */
    if (sql != NULL && tables_add_keys(sql, &cause) != ERR_OK) {
        log_warn(LOG_LOADER, "%s: secondary keys are added at the next start: %s", source->name,
                 cause.text);
    }
    sql_close(sql);
    return ERR_OK;
}

void load_abort(struct load *load)
{
    struct source *source;

    if (load == NULL) {
        return;
    }
    source = load->source;
    if (load->fill != NULL) {
        fill_undo(load);
    }
    load_free(load);
    source_unlock(source);
}
