/*
 * Pruning: rows of `serials` and `history` that are older than nrtm.prune.days go.
 *
 * A row of `serials` tells when an object's version was made, and with it that the version before
 * has been superseded since then. So pruning walks along `serials` behind nrtm_state.pruned: each
 * row that is old enough takes with it the version that it superseded, and what is left of that
 * one's row. Stays what the position and queries need: the highest serial, and every version that
 * is in `last`. Versions that were superseded by a reload have no such row; a rarer walk along
 * `history` finds them.
 *
 * Who goes on from an older position learns from nrtm_state.pruned that `serials` does not name
 * everything any more, and reads the whole database: it is written by the transaction that deletes.
 * That one takes no lock of the writers. What it deletes they do not touch; it writes nrtm_state
 * last, as theirs do, and is rolled back when the position went down meanwhile, which changes the
 * generation. Each is small, and the next waits half as long as it took.
 */
#include "storage/source_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/background.h"
#include "base/fault.h"
#include "base/log.h"

enum {
    BLOCK_ROWS = 1000, /* Of a transaction. */
    LOOK_MS = 1000,
    PASSES = 100, /* In the time that rows are kept: they are late by so much at most. */
    PASS_MIN_MS = 10 * 1000,
    PASS_MAX_MS = 60 * 60 * 1000,
    SWEEP_MIN_MS = PASS_MAX_MS, /* Of the walk along `history`: once in the time, within bounds. */
    SWEEP_MAX_MS = 24 * 60 * 60 * 1000,
    TELL_MS = 60 * 1000 /* A long pass tells how far it is. */
};

/** One pass over a source. */
struct pass {
    struct source *source;
    struct sql *sql;
    uint32_t before; /* Unix seconds: what was superseded earlier goes. */
    struct source_pruned total, untold;
    int64_t told_ms;
    int64_t from;                 /* What is told next begins at this serial. */
    struct buf versions, serials; /* What a block deletes, as lists of values. */
};

/* --- waiting --- */
/** @return Whether the storage stops. */
static bool wait_or_stop(struct storage *storage, int64_t ms)
{
    struct timespec until;
    int waited = 0;
    bool stops;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (ms % 1000) * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&storage->lock);
    while (!storage->pruning.stops && waited == 0) {
        waited = pthread_cond_timedwait(&storage->pruning.stopping, &storage->lock, &until);
    }
    stops = storage->pruning.stops;
    pthread_mutex_unlock(&storage->lock);
    return stops;
}

/* --- telling --- */
/** What was kept aside from before these serials cannot be compared with what is newer any more:
 * told when it happens, since it stays so until a dump comes. */
static void tell_quarantined(struct pass *pass)
{
    int64_t count = 0;
    struct why why;
    enum err rc = sql_select_number(
        pass->sql, &count, &why,
        "SELECT COUNT(*) FROM nrtm_quarantine q JOIN nrtm_state s ON s.mirror = q.mirror WHERE "
        "s.mirror = '%s' AND GREATEST(q.serial, COALESCE(s.boot_serial, 0)) >= %" PRId64
        " AND GREATEST(q.serial, COALESCE(s.boot_serial, 0)) < %" PRId64,
        pass->source->name, pass->from, pass->total.to);

    if (rc != ERR_OK) {
        log_warn(LOG_STORAGE, "%s: counting what is in quarantine: %s", pass->source->name,
                 why.text);
    } else if (count > 0) {
        log_warn(LOG_STORAGE,
                 "%s: %" PRId64 " rows of nrtm_quarantine are from before serial %" PRId64
                 ", up to which serials were pruned: they are not tried again, the next dump "
                 "brings what they lack",
                 pass->source->name, count, pass->total.to);
    }
    pass->from = pass->total.to;
}

static void tell(struct pass *pass)
{
    if (pass->total.to > pass->from) {
        tell_quarantined(pass);
    }
    if (pass->untold.history + pass->untold.serials > 0) {
        log_info(LOG_STORAGE,
                 "%s: pruned history=%" PRIu64 " serials=%" PRIu64 " up to serial=%" PRId64,
                 pass->source->name, pass->untold.history, pass->untold.serials, pass->total.to);
    }
    pass->untold = (struct source_pruned){0};
    pass->told_ms = clock_mono_ms(pass->source->storage->clock);
}

static void add(struct source_pruned *sum, const struct source_pruned *more)
{
    sum->history += more->history;
    sum->serials += more->serials;
    sum->to = more->to;
}

static void count(struct pass *pass, const struct source_pruned *deleted)
{
    add(&pass->total, deleted);
    add(&pass->untold, deleted);
    pthread_mutex_lock(&pass->source->status_mutex);
    add(&pass->source->status.pruned, deleted);
    pthread_mutex_unlock(&pass->source->status_mutex);
    if (clock_mono_ms(pass->source->storage->clock) - pass->told_ms >= TELL_MS) {
        tell(pass);
    }
}

/** Run one block after the other, each followed by a pause, until one says that it was the last. */
static enum err run_blocks(struct pass *pass, void *context,
                           enum err (*block)(struct pass *pass, void *context, bool *is_last,
                                             struct why *why),
                           struct why *why)
{
    bool is_last = false;

    while (!is_last) {
        const int64_t began_us = clock_mono_us();
        enum err rc;

        buf_clear(&pass->versions);
        buf_clear(&pass->serials);
        rc = block(pass, context, &is_last, why);
        if (rc != ERR_OK) {
            sql_rollback(pass->sql);
            return rc;
        }
        if (!is_last &&
            wait_or_stop(pass->source->storage, 1 + (clock_mono_us() - began_us) / 2000)) {
            return why_set(why, ERR_STOPPED, "%s", err_text(ERR_STOPPED));
        }
    }
    return ERR_OK;
}

/* --- along `serials` --- */
enum age { OLD, YOUNG, UNKNOWN };

/** Columns of a row: serial_id, object_id, sequence_id, operation, atlast, the time of this version
 * in `history`, sequence and time in `last`. */
static enum age age_of(const struct pass *pass, const struct str *row)
{
    const bool is_delete = sql_to_number(row[3]) == 2, is_in_last = row[6].at != NULL;
    const int64_t sequence = sql_to_number(row[2]), last = sql_to_number(row[6]);
    struct str time = {NULL, 0};

    if (is_in_last && last == (is_delete ? 0 : sequence)) {
        time = row[7];
    } else if (!is_delete) {
        time = row[5];
    }
    if (time.at != NULL) {
        return sql_to_number(time) < pass->before ? OLD : YOUNG;
    }
    /* Its version is gone. It is not newer than the present one. */
    return is_in_last && sql_to_number(row[7]) < pass->before ? OLD : UNKNOWN;
}

struct walked {
    int64_t serial;
    uint32_t object, sequence;
    bool is_delete, is_in_last;
};

/**
 * Read on behind a serial, up to the first row that is too young.
 * @param count    Receives how many rows may be passed: behind the last of them none is known to be
 *                 old.
 * @param is_last  Whether there is nothing more to look at.
 */
static enum err read_walk(struct pass *pass, int64_t from, int64_t below, struct walked *out,
                          size_t *count, bool *is_last, struct why *why)
{
    const struct str *row;
    enum age age = OLD;
    size_t read = 0;
    enum err rc = sql_select(
        pass->sql, why,
        "SELECT s.*, h.timestamp, l.sequence_id, l.timestamp FROM (SELECT serial_id, object_id, "
        "sequence_id, operation, atlast FROM serials WHERE serial_id > %" PRId64
        " AND serial_id < %" PRId64
        " ORDER BY serial_id LIMIT %d) s LEFT JOIN history h ON h.object_id = s.object_id AND "
        "h.sequence_id = s.sequence_id LEFT JOIN last l ON l.object_id = s.object_id ORDER BY "
        "s.serial_id",
        from, below, BLOCK_ROWS);

    *count = 0;
    while (rc == ERR_OK && age != YOUNG && read < BLOCK_ROWS &&
           (rc = sql_next(pass->sql, &row, why)) == ERR_OK) {
        age = age_of(pass, row);
        out[read++] = (struct walked){.serial = sql_to_number(row[0]),
                                      .object = (uint32_t)sql_to_number(row[1]),
                                      .sequence = (uint32_t)sql_to_number(row[2]),
                                      .is_delete = sql_to_number(row[3]) == 2,
                                      .is_in_last = sql_to_number(row[4]) == 1};
        *count = age == OLD ? read : *count;
    }
    *is_last = age == YOUNG || read < BLOCK_ROWS || *count == 0;
    sql_end_rows(pass->sql);
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

/**
 * Delete the versions of the list, and their rows of `serials` up to the mark. A version that came
 * again under such a number, in a database restored meanwhile, is younger.
 */
static enum err delete_versions(struct pass *pass, int64_t mark, struct source_pruned *deleted,
                                struct why *why)
{
    const struct str list = buf_str(&pass->versions);
    enum err rc;

    if (list.len == 0) {
        return ERR_OK;
    }
    /* The columns of a list of values are called like its first row. */
    rc = sql_exec(pass->sql, why,
                  "DELETE h FROM (VALUES (0,1)%.*s) v STRAIGHT_JOIN history h ON h.object_id = "
                  "v.`0` AND h.sequence_id = v.`1` WHERE h.timestamp <= %u",
                  STR_ARG(list), pass->before);
    deleted->history += sql_affected(pass->sql);
    if (rc == ERR_OK) {
        rc = sql_exec(pass->sql, why,
                      "DELETE s FROM (VALUES (0,1)%.*s) v STRAIGHT_JOIN serials s ON s.object_id = "
                      "v.`0` AND s.sequence_id = v.`1` WHERE s.serial_id <= %" PRId64
                      " AND s.atlast <> 1",
                      STR_ARG(list), mark);
        deleted->serials += sql_affected(pass->sql);
    }
    return rc;
}

static void add_version(struct pass *pass, uint32_t object, uint32_t sequence)
{
    buf_printf(&pass->versions, ",(%u,%u)", object, sequence);
}

/** The rows pass: they and the versions that they superseded are deleted, and nrtm_state says so.
 */
static enum err pass_rows(struct pass *pass, const struct database_position *found,
                          const struct walked *rows, size_t count, struct source_pruned *deleted,
                          struct why *why)
{
    enum err rc;

    deleted->to = rows[count - 1].serial;
    buf_add_char(&pass->serials, '0');
    for (size_t i = 0; i < count; i++) {
        if (rows[i].sequence > 1) {
            add_version(pass, rows[i].object, rows[i].sequence - 1);
        }
        if (rows[i].is_delete) { /* Some databases give it the sequence of the deleted version. */
            add_version(pass, rows[i].object, rows[i].sequence);
        }
        if (!rows[i].is_in_last) {
            buf_printf(&pass->serials, ",%" PRId64, rows[i].serial);
        }
    }
    rc = sql_exec(pass->sql, why, "DELETE FROM serials WHERE serial_id IN (%.*s) AND atlast <> 1",
                  STR_ARG(buf_str(&pass->serials)));
    deleted->serials = sql_affected(pass->sql);
    if (rc == ERR_OK) {
        rc = delete_versions(pass, deleted->to, deleted, why);
    }
    if (rc == ERR_OK) {
        rc = sql_exec(pass->sql, why,
                      "UPDATE nrtm_state SET pruned = %" PRId64
                      " WHERE mirror = '%s' AND generation = %" PRIu64 " AND pruned = %" PRId64
                      " AND loading = 0",
                      deleted->to, pass->source->name, found->generation, found->pruned);
    }
    return rc != ERR_OK || sql_affected(pass->sql) == 1
               ? rc
               : why_set(why, ERR_BUSY, "%s: the database was changed meanwhile",
                         pass->source->name);
}

static enum err walk_serials(struct pass *pass, void *context, bool *is_last, struct why *why)
{
    struct walked *rows = context;
    struct source_pruned deleted = {0};
    struct database_position found;
    size_t passed = 0;
    enum err rc = sql_begin(pass->sql, why);

    if (rc == ERR_OK) {
        rc = position_look(pass->source, pass->sql, &found, why);
    }
    if (rc == ERR_OK && found.is_loading) {
        rc = why_set(why, ERR_BUSY, "%s is being loaded", pass->source->name);
    }
    if (rc == ERR_OK) {
        rc = read_walk(pass, found.pruned, found.max_serial, rows, &passed, is_last, why);
    }
    if (rc == ERR_OK && passed > 0) {
        rc = pass_rows(pass, &found, rows, passed, &deleted, why);
    }
    if (rc == ERR_OK && fault_point("prune-before-commit")) {
        rc = why_set(why, ERR_SQL, "fault prune-before-commit");
    }
    if (rc == ERR_OK) {
        rc = sql_commit(pass->sql, why);
    }
    if (rc == ERR_OK) {
        deleted.to = passed > 0 ? deleted.to : found.pruned;
        pass->from = pass->total.to == 0 ? found.pruned : pass->from; /* The first block. */
        count(pass, &deleted);
    }
    return rc;
}

/* --- along `history` --- */
struct sweep {
    uint32_t object, sequence; /* Where the next block begins. */
};

/** A row of `history`: object_id, sequence_id, when it and the object's present version were made.
 */
struct swept {
    uint32_t object, sequence, time, last;
};

/** A version was superseded when the next was made: in `history` it follows, or it is in `last`. */
static void judge_sweep(struct pass *pass, const struct swept *row, const struct swept *next)
{
    const bool has_next = next != NULL && next->object == row->object;

    if ((has_next ? next->time : row->last) < pass->before) {
        add_version(pass, row->object, row->sequence);
    }
}

static enum err sweep_history(struct pass *pass, void *context, bool *is_last, struct why *why)
{
    struct sweep *sweep = context;
    struct swept row, before;
    const struct str *fields;
    struct source_pruned deleted = {.to = pass->total.to};
    size_t read = 0;
    enum err rc = sql_select(
        pass->sql, why,
        "SELECT h.object_id, h.sequence_id, h.timestamp, IFNULL(l.timestamp, %u) FROM history h "
        "LEFT JOIN last l ON l.object_id = h.object_id WHERE h.object_id > %u OR (h.object_id = %u "
        "AND h.sequence_id >= %u) ORDER BY h.object_id, h.sequence_id LIMIT %d",
        pass->before, sweep->object, sweep->object, sweep->sequence, BLOCK_ROWS);

    while (rc == ERR_OK && (rc = sql_next(pass->sql, &fields, why)) == ERR_OK) {
        row = (struct swept){.object = (uint32_t)sql_to_number(fields[0]),
                             .sequence = (uint32_t)sql_to_number(fields[1]),
                             .time = (uint32_t)sql_to_number(fields[2]),
                             .last = (uint32_t)sql_to_number(fields[3])};
        if (read++ > 0) {
            judge_sweep(pass, &before, &row);
        }
        before = row;
    }
    if (rc != ERR_NOT_FOUND) {
        return rc;
    }
    *is_last = read < BLOCK_ROWS;
    if (read > 0 && *is_last) {
        judge_sweep(pass, &before, NULL);
    } else if (read > 0) { /* The last one's next is not known yet. */
        *sweep = (struct sweep){before.object, before.sequence};
    }
    rc = sql_begin(pass->sql, why);
    if (rc == ERR_OK) {
        rc = delete_versions(pass, deleted.to, &deleted, why);
    }
    if (rc == ERR_OK) {
        rc = sql_commit(pass->sql, why);
    }
    if (rc == ERR_OK) {
        count(pass, &deleted);
    }
    return rc;
}

/* --- a pass --- */
enum err source_prune(struct source *source, bool with_sweep, struct source_pruned *out,
                      struct why *why)
{
    const int64_t kept_s = source->storage->conf.prune_s;
    struct pass pass = {.source = source, .told_ms = clock_mono_ms(source->storage->clock)};
    struct sweep sweep = {0};
    struct walked *rows;
    enum err rc = source_check_writable(source, why);

    *out = (struct source_pruned){0};
    if (rc != ERR_OK || kept_s == 0 || kept_s >= source_now(source)) {
        return rc;
    }
    pass.before = (uint32_t)(source_now(source) - kept_s);
    rc = source_connect_new(source, &pass.sql, why);
    if (rc == ERR_OK) { /* Who writes nrtm_state may be a reload of minutes. */
        rc = sql_exec(pass.sql, why, "SET SESSION innodb_lock_wait_timeout = 1");
    }
    rows = calloc(BLOCK_ROWS, sizeof(*rows));
    if (rows == NULL) {
        abort();
    }
    if (rc == ERR_OK) {
        rc = run_blocks(&pass, rows, walk_serials, why);
    }
    if (rc == ERR_OK && with_sweep) {
        rc = run_blocks(&pass, &sweep, sweep_history, why);
    }
    tell(&pass);
    free(rows);
    buf_free(&pass.versions);
    buf_free(&pass.serials);
    sql_close(pass.sql);
    *out = pass.total;
    return rc;
}

/* --- when --- */
static int64_t between(int64_t min, int64_t value, int64_t max)
{
    return value < min ? min : value > max ? max : value;
}

/** Prune when it is time; what fails is tried again at the next. */
static void prune_one(struct source *source)
{
    const int64_t kept_ms = source->storage->conf.prune_s * INT64_C(1000);
    const int64_t now = clock_mono_ms(source->storage->clock);
    const bool with_sweep = now >= source->pruning.sweep_ms;
    struct source_pruned pruned;
    struct why why;
    enum err rc;

    if (source->kind != SOURCE_MIRROR || now < source->pruning.pass_ms) {
        return;
    }
    rc = source_prune(source, with_sweep, &pruned, &why);
    if (rc == ERR_BUSY || rc == ERR_SQL_RETRY) {
        return; /* Not open yet, being loaded, or somebody was in the way: at the next look. */
    }
    source->pruning.pass_ms = now + between(PASS_MIN_MS, kept_ms / PASSES, PASS_MAX_MS);
    if (rc == ERR_OK && with_sweep) {
        source->pruning.sweep_ms = now + between(SWEEP_MIN_MS, kept_ms, SWEEP_MAX_MS);
    }
    if (rc != ERR_OK && rc != ERR_STOPPED && rc != ERR_SQL_LOST) { /* A lost one tells others. */
        log_warn(LOG_STORAGE, "%s: pruning: %s", source->name, why.text);
    }
}

static void *run_pruning(void *context)
{
    struct storage *storage = context;

    background_enter();
    while (!wait_or_stop(storage, LOOK_MS)) {
        for (size_t i = 0; i < storage->source_count; i++) {
            prune_one(storage->sources[i]);
        }
    }
    return NULL;
}

enum err storage_start_pruning(struct storage *storage, struct why *why)
{
    int error;

    if (storage->conf.prune_s == 0) {
        return ERR_OK;
    }
    error = pthread_create(&storage->pruning.thread, NULL, run_pruning, storage);
    if (error != 0) {
        return why_set(why, ERR_IO, "a thread for pruning: %s", strerror(error));
    }
    pthread_setname_np(storage->pruning.thread, "pruning");
    storage->pruning.has_thread = true;
    return ERR_OK;
}

void storage_stop_pruning(struct storage *storage)
{
    if (storage == NULL || !storage->pruning.has_thread) {
        return;
    }
    pthread_mutex_lock(&storage->lock);
    storage->pruning.stops = true;
    pthread_cond_broadcast(&storage->pruning.stopping);
    pthread_mutex_unlock(&storage->lock);
    pthread_join(storage->pruning.thread, NULL);
    storage->pruning.has_thread = false;
}
