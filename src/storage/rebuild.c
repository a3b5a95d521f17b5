/*
 * The index from the database: all of `last` at a start, or the few rows that somebody else's
 * serials name.
 *
 * A rebuild reads one consistent snapshot over two connections. The ids are cut into slices that
 * two threads take in turns, so that both end together however the ids are spread; each feeds a
 * lane of its own of the bulk build. Rows are parsed in an arena that is reset for each.
 */
#include "storage/source_parts.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "storage/entries.h"

enum {
    LANES = 2,
    SLICES = 64,
    SAMPLE_SLICES = 40,
    SAMPLE_ROWS = 100, /* Of each slice. */
    SAMPLE_BYTES_MAX =
        16 << 10, /* Of one text: a 20 MB object teaches the dictionary nothing more. */
    PROGRESS_ROWS = 4096,
    REPLAY_IDS = 500 /* Read by one SELECT. */
};
#define ROW_ARENA_BYTES ((size_t)1 << 30)

#define COLUMNS "object_id, sequence_id, timestamp, object"

struct rebuild {
    struct source *source;
    struct index_bulk *bulk;
    uint32_t max_id;
    atomic_uint next_slice;
    atomic_ullong rows;
    atomic_ullong unusable; /* Rows without class or key. */
    atomic_bool failed;     /* One lane failed: the other stops. */
    uint64_t expected;      /* Rows, about. */
};

struct lane {
    struct rebuild *rebuild;
    struct sql *sql;
    struct index_lane *out;
    struct arena *arena;
    pthread_t thread;
    enum err rc;
    struct why why;
};

/** First id of a slice; slice SLICES begins behind the last id. */
static uint64_t slice_begin(const struct rebuild *rebuild, unsigned slice, unsigned slices)
{
    return (uint64_t)slice * ((uint64_t)rebuild->max_id + 1) / slices;
}

static enum err add_row(struct lane *lane, const struct str *row)
{
    struct rpsl_object object;
    struct rpsl_key key;
    enum err rc;

    arena_reset(lane->arena);
    rc = object_parse(row[3], lane->arena, &object, &key);
    if (rc == ERR_SYNTAX) {
        atomic_fetch_add(&lane->rebuild->unusable, 1);
        return ERR_OK;
    }
    if (rc == ERR_OK) {
        rc = index_lane_add(lane->out, (uint32_t)sql_to_number(row[0]),
                            (uint32_t)sql_to_number(row[1]), (uint32_t)sql_to_number(row[2]),
                            &object, &key);
    }
    return rc == ERR_OK
               ? ERR_OK
               : why_set(&lane->why, rc, "object_id %.*s: %s", STR_ARG(row[0]), err_text(rc));
}

static void show_progress(struct rebuild *rebuild, uint64_t rows)
{
    uint64_t sum = atomic_fetch_add(&rebuild->rows, rows) + rows;
    uint64_t percent = rebuild->expected == 0 ? 0 : sum * 100 / rebuild->expected;

    source_set_percent(rebuild->source, percent > 99 ? 99 : (int)percent);
}

static enum err read_slice(struct lane *lane, unsigned slice)
{
    struct rebuild *rebuild = lane->rebuild;
    const struct str *row;
    uint64_t rows = 0;
    enum err rc =
        sql_select(lane->sql, &lane->why,
                   "SELECT " COLUMNS " FROM last WHERE object_id >= %" PRIu64
                   " AND object_id < %" PRIu64 " AND sequence_id > 0",
                   slice_begin(rebuild, slice, SLICES), slice_begin(rebuild, slice + 1, SLICES));

    while (rc == ERR_OK && (rc = sql_next(lane->sql, &row, &lane->why)) == ERR_OK) {
        rc = add_row(lane, row);
        if (++rows % PROGRESS_ROWS == 0) {
            show_progress(rebuild, PROGRESS_ROWS);
        }
    }
    show_progress(rebuild, rows % PROGRESS_ROWS);
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

static void *run_lane(void *context)
{
    struct lane *lane = context;
    struct rebuild *rebuild = lane->rebuild;
    unsigned slice;

    while (lane->rc == ERR_OK && !atomic_load(&rebuild->failed) &&
           (slice = atomic_fetch_add(&rebuild->next_slice, 1)) < SLICES) {
        lane->rc = read_slice(lane, slice);
    }
    if (lane->rc != ERR_OK) {
        atomic_store(&rebuild->failed, true);
    }
    return NULL;
}

/* --- the dictionary's sample --- */
struct sample {
    struct buf texts;
    struct str parts[SAMPLE_SLICES * SAMPLE_ROWS];
    size_t offsets[SAMPLE_SLICES * SAMPLE_ROWS];
    size_t count;
};

static enum err read_sample(struct rebuild *rebuild, struct sql *sql, struct sample *out,
                            struct why *why)
{
    enum err rc = ERR_OK;

    for (unsigned slice = 0; slice < SAMPLE_SLICES && rc == ERR_OK; slice++) {
        const struct str *row;

        rc = sql_select(sql, why,
                        "SELECT LEFT(object, %d) FROM last WHERE object_id >= %" PRIu64
                        " AND object_id < %" PRIu64 " AND sequence_id > 0 LIMIT %d",
                        SAMPLE_BYTES_MAX, slice_begin(rebuild, slice, SAMPLE_SLICES),
                        slice_begin(rebuild, slice + 1, SAMPLE_SLICES), SAMPLE_ROWS);
        while (rc == ERR_OK && (rc = sql_next(sql, &row, why)) == ERR_OK) {
            out->offsets[out->count] = out->texts.len;
            out->parts[out->count++].len = row[0].len;
            buf_add_str(&out->texts, row[0]);
        }
        rc = rc == ERR_NOT_FOUND ? ERR_OK : rc;
    }
    for (size_t i = 0; i < out->count; i++) {
        out->parts[i].at = out->texts.at + out->offsets[i];
    }
    return rc;
}

static enum err train(struct rebuild *rebuild, struct sql *sql, struct why *why)
{
    struct sample *sample = calloc(1, sizeof(*sample));
    enum err rc;

    if (sample == NULL) {
        abort();
    }
    rc = read_sample(rebuild, sql, sample, why);
    if (rc == ERR_OK) {
        rebuild->bulk = index_bulk_new(rebuild->source->index, sample->parts, sample->count);
    }
    buf_free(&sample->texts);
    free(sample);
    return rc;
}

/* --- one consistent view --- */
/** Open the lanes' snapshots while other writers are kept out: all see the same state, `found` says
 * which. */
static enum err open_views(struct source *source, struct lane *lanes,
                           struct database_position *found, struct why *why)
{
    enum err rc = sql_begin(source->sql, why);

    if (rc == ERR_OK) {
        rc = position_lock(source->sql, why);
    }
    for (size_t i = 0; rc == ERR_OK && i < LANES; i++) {
        rc = source_connect_new(source, &lanes[i].sql, why);
        if (rc == ERR_OK) {
            rc = sql_exec(lanes[i].sql, why,
                          "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ");
        }
        if (rc == ERR_OK) {
            rc = sql_exec(lanes[i].sql, why, "START TRANSACTION WITH CONSISTENT SNAPSHOT");
        }
    }
    if (rc == ERR_OK) {
        rc = position_read(source, lanes[0].sql, found, why);
    }
    sql_rollback(source->sql); /* Gives up the lock; nothing was written. */
    return rc;
}

static enum err run_lanes(struct rebuild *rebuild, struct lane *lanes, struct why *why)
{
    for (size_t i = 0; i < LANES; i++) {
        lanes[i].out = index_bulk_lane(rebuild->bulk);
        lanes[i].arena = arena_new(ROW_ARENA_BYTES);
    }
    for (size_t i = 1; i < LANES; i++) {
        if (pthread_create(&lanes[i].thread, NULL, run_lane, &lanes[i]) != 0) {
            abort();
        }
    }
    run_lane(&lanes[0]);
    for (size_t i = 1; i < LANES; i++) {
        pthread_join(lanes[i].thread, NULL);
    }
    for (size_t i = 0; i < LANES; i++) {
        if (lanes[i].rc != ERR_OK) {
            *why = lanes[i].why;
            return lanes[i].rc;
        }
    }
    return ERR_OK;
}

static enum err fill(struct rebuild *rebuild, struct lane *lanes, struct why *why)
{
    struct source *source = rebuild->source;
    int64_t max_id = 0, expected = 0;
    enum err rc = sql_select_number(lanes[0].sql, &max_id, why, "SELECT MAX(object_id) FROM last");

    if (rc == ERR_OK) {
        rc = sql_select_number(
            lanes[0].sql, &expected, why,
            "SELECT table_rows FROM information_schema.tables WHERE table_schema = "
            "DATABASE() AND table_name = 'last'");
    }
    if (rc != ERR_OK && rc != ERR_NOT_FOUND) {
        return rc;
    }
    rebuild->max_id = (uint32_t)max_id;
    rebuild->expected = (uint64_t)expected;
    rc = train(rebuild, lanes[0].sql, why);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = run_lanes(rebuild, lanes, why);
    if (rc != ERR_OK) {
        index_bulk_free(rebuild->bulk);
        return rc;
    }
    rc = index_bulk_finish(rebuild->bulk);
    if (rc != ERR_OK) {
        return why_set(why, rc, "%s: building the index: %s", source->name, err_text(rc));
    }
    index_reserve_id(source->index, rebuild->max_id);
    return ERR_OK;
}

enum err source_rebuild(struct source *source, struct why *why)
{
    const int64_t began_us = clock_mono_us();
    struct rebuild rebuild = {.source = source};
    struct lane lanes[LANES] = {{.rebuild = &rebuild}, {.rebuild = &rebuild}};
    struct database_position found;
    uint64_t objects;
    enum err rc = open_views(source, lanes, &found, why);

    if (rc == ERR_OK) {
        rc = fill(&rebuild, lanes, why);
    }
    for (size_t i = 0; i < LANES; i++) {
        sql_close(lanes[i].sql);
        arena_free(lanes[i].arena);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    objects = atomic_load(&rebuild.rows) - atomic_load(&rebuild.unusable);
    source_set_position(source, position_of(&found));
    source_set_stale(source, 0);
    source_publish(source);
    source_set_objects(source, objects);
    source_set_state(source, objects == 0 ? SOURCE_EMPTY : SOURCE_READY);
    if (atomic_load(&rebuild.unusable) > 0) {
        log_warn(LOG_STORAGE, "%s: %llu rows of last have no class or key and are not served",
                 source->name, atomic_load(&rebuild.unusable));
    }
    log_info(LOG_STORAGE,
             "%s: index built from last objects=%" PRIu64 " serial=%" PRId64 " ms=%" PRId64,
             source->name, objects, source->position.applied, (clock_mono_us() - began_us) / 1000);
    return ERR_OK;
}

/* --- what somebody else's serials name --- */
struct replay {
    struct source *source;
    struct arena *arena;
    int64_t created, removed;
};

static enum err replay_row(struct replay *replay, const struct str *row)
{
    struct index *index = replay->source->index;
    const uint32_t id = (uint32_t)sql_to_number(row[0]), sequence = (uint32_t)sql_to_number(row[1]);
    struct index_object before;
    struct rpsl_object object;
    struct rpsl_key key;
    enum err rc;
    bool was_there;

    arena_reset(replay->arena);
    rc = index_get(index, id, replay->arena, &before);
    if (rc != ERR_OK && rc != ERR_NOT_FOUND) {
        return rc;
    }
    was_there = rc == ERR_OK;
    index_reserve_id(index, id); /* Taken, whatever the row holds. */
    if (sequence == 0) {
        replay->removed += was_there;
        return was_there ? index_remove_found(index, &before) : ERR_OK;
    }
    rc = object_parse(row[3], replay->arena, &object, &key);
    if (rc != ERR_OK) {
        return rc == ERR_SYNTAX ? ERR_OK : rc;
    }
    replay->created += !was_there;
    return was_there
               ? index_replace(index, &before, sequence, (uint32_t)sql_to_number(row[2]), &object,
                               &key)
               : index_put(index, id, sequence, (uint32_t)sql_to_number(row[2]), &object, &key);
}

/** The ids named by serials in (from, to], at most REPLAY_IDS, above `after`. */
static enum err read_ids(struct source *source, int64_t from, int64_t to, uint32_t after,
                         uint32_t *ids, size_t *count, struct why *why)
{
    const struct str *row;
    enum err rc =
        sql_select(source->sql, why,
                   "SELECT DISTINCT object_id FROM serials WHERE serial_id > %" PRId64
                   " AND serial_id <= %" PRId64 " AND object_id > %u ORDER BY object_id LIMIT %d",
                   from, to, after, REPLAY_IDS);

    *count = 0;
    while (rc == ERR_OK && (rc = sql_next(source->sql, &row, why)) == ERR_OK) {
        ids[(*count)++] = (uint32_t)sql_to_number(row[0]);
    }
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

static enum err replay_ids(struct replay *replay, const uint32_t *ids, size_t count,
                           struct why *why)
{
    struct sql *sql = replay->source->sql;
    const struct str *row;
    struct buf list = {0};
    enum err rc;

    for (size_t i = 0; i < count; i++) {
        buf_printf(&list, i == 0 ? "%u" : ",%u", ids[i]);
    }
    rc = sql_select(sql, why, "SELECT " COLUMNS " FROM last WHERE object_id IN (%.*s)",
                    STR_ARG(buf_str(&list)));
    buf_free(&list);
    while (rc == ERR_OK && (rc = sql_next(sql, &row, why)) == ERR_OK) {
        rc = replay_row(replay, row);
        if (rc != ERR_OK) {
            (void)why_set(why, rc, "replaying object_id %.*s: %s", STR_ARG(row[0]), err_text(rc));
        }
    }
    sql_end_rows(sql);
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

static enum err replay_is_void(struct source *source, const struct database_position *found,
                               struct why *why)
{
    log_info(LOG_STORAGE,
             "%s: serials were pruned up to %" PRId64 ", the index is at %" PRId64
             ": reading the database again",
             source->name, found->pruned, source->position.applied);
    return source_rebuild(source, why);
}

enum err source_replay(struct source *source, struct position to, struct why *why)
{
    struct replay replay = {.source = source, .arena = arena_new(ROW_ARENA_BYTES)};
    struct database_position found;
    uint32_t ids[REPLAY_IDS], after = 0;
    size_t count = 0;
    enum err rc = ERR_OK;

    index_begin(source->index);
    do {
        rc = read_ids(source, source->position.applied, to.applied, after, ids, &count, why);
        if (rc == ERR_OK && count > 0) {
            rc = replay_ids(&replay, ids, count, why);
            after = ids[count - 1];
        }
    } while (rc == ERR_OK && count == REPLAY_IDS);
    arena_free(replay.arena);
    if (rc == ERR_OK) { /* Behind the reading: what was pruned meanwhile may not have been read. */
        rc = position_read(source, source->sql, &found, why);
    }
    if (rc != ERR_OK || found.pruned > source->position.applied) {
        index_rollback(source->index);
        return rc != ERR_OK ? rc : replay_is_void(source, &found, why);
    }
    source_set_position(source, to);
    source_set_stale(source, 0);
    source_publish(source);
    source_add_objects(source, replay.created - replay.removed);
    return ERR_OK;
}
