/*
 * A source's checkpoints: when they are written, and whether one may be used.
 *
 * A checkpoint is a cache of the database at one position, so all depends on knowing that a
 * database found later has passed that position. Each checkpoint has a random number, which is
 * committed to nrtm_checkpoint under update_lock at the very position that is pinned: a database
 * that holds this row is that one, later. One that was restored from an older backup does not hold
 * it, however far it has moved on since. What changed between is either named by `serials`, then it
 * is replayed, or there is a new generation, then everything is read. No row of `serials` above the
 * checkpoint's position may have been pruned, the one at it must still be there, and the object
 * that it names must be in `last`.
 *
 * A thread of the storage writes checkpoints, at the lowest priority that shares the processors
 * fairly. While it copies, the pin keeps old nodes; a batch that would let them grow beyond an
 * eighth of the index waits for the copy to end.
 */
#include "storage/source_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/background.h"
#include "base/log.h"
#include "storage/checkpoint.h"

enum {
    LOOK_S = 1,
    RETRY_MS = 60000, /* After a failure. */
    WAIT_FOR_COPY_MS = 10000,
    ROWS_KEPT_S = 30 * 24 * 60 * 60, /* Of nrtm_checkpoint: several servers may share a database. */
    REPLAY_ALWAYS = 10000,           /* So many updates are replayed, however few objects. */
    REPLAY_SHARE = 8                 /* Of the objects: beyond it reading all of them is faster. */
};

static bool is_enabled(const struct source *source)
{
    return source->storage->conf.checkpoint_enabled && source->storage->has_build_id;
}

static void file_of(const struct source *source, char path[static PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/%s.img", source->storage->conf.checkpoint_dir, source->name);
}

/** This is the checkpoint in the file. */
static void set_held(struct source *source, const struct checkpoint_origin *origin)
{
    pthread_mutex_lock(&source->status_mutex);
    source->checkpoint.held = *origin;
    source->checkpoint.held_ms = clock_mono_ms(source->storage->clock);
    pthread_mutex_unlock(&source->status_mutex);
}

/* --- taking one --- */
/** What `serials` holds at the position. @return ERR_NOT_FOUND without a row. */
static enum err read_newest(struct source *source, struct checkpoint_origin *origin,
                            struct why *why)
{
    const struct str *row;
    enum err rc = sql_select(source->sql, why,
                             "SELECT object_id, sequence_id, operation FROM serials WHERE "
                             "serial_id = %" PRId64,
                             origin->applied);

    if (rc != ERR_OK || (rc = sql_next(source->sql, &row, why)) != ERR_OK) {
        return rc == ERR_NOT_FOUND
                   ? why_set(why, rc, "no row of serials says where the database stands")
                   : rc;
    }
    origin->newest_object = (uint32_t)sql_to_number(row[0]);
    origin->newest_sequence = (uint32_t)sql_to_number(row[1]);
    origin->newest_operation = (uint32_t)sql_to_number(row[2]);
    sql_end_rows(source->sql);
    return ERR_OK;
}

/** Inside a transaction: nobody has moved the database, and it learns the checkpoint's number. */
static enum err leave_row(struct source *source, struct checkpoint_origin *origin, struct why *why)
{
    struct database_position found;
    const int64_t now = source_now(source);
    enum err rc = position_lock(source->sql, why);

    if (rc == ERR_OK) {
        rc = position_read(source, source->sql, &found, why);
    }
    if (rc == ERR_OK && !position_is_ours(source, &found)) {
        rc = why_set(why, ERR_BUSY, "the database was changed by somebody else");
    }
    if (rc == ERR_OK) {
        rc = read_newest(source, origin, why);
    }
    if (rc == ERR_OK) {
        rc = sql_exec(source->sql, why,
                      "DELETE FROM nrtm_checkpoint WHERE mirror = '%s' AND time < %" PRId64,
                      source->name, now - ROWS_KEPT_S);
    }
    if (rc == ERR_OK) {
        rc = sql_exec(source->sql, why,
                      "INSERT INTO nrtm_checkpoint (id, mirror, serial, time) VALUES "
                      "(%" PRIu64 ", '%s', %" PRId64 ", %" PRId64 ")",
                      origin->id, source->name, origin->applied, now);
    }
    return rc;
}

/** Under the writer lock: pin the version that the database stands at. */
static enum err take_locked(struct source *source, struct checkpoint_origin *origin,
                            struct checkpoint **out, struct why *why)
{
    const struct position *position = &source->position;
    enum err rc;

    if (!source->is_open || source->in_doubt || source->must_rebuild || source->sql == NULL) {
        return why_set(why, ERR_BUSY, "the database is not reached");
    }
    *origin = (struct checkpoint_origin){
        .bulk_end = position->bulk_end,
        .id = random_number(),
        .taken_ms = clock_wall_ms(source->storage->clock),
        .applied = position->applied,
        .hw = position->hw,
        .generation = position->generation,
        .is_known = position->known,
    };
    snprintf(origin->source, sizeof(origin->source), "%s", source->name);
    memcpy(origin->build, source->storage->build, sizeof(origin->build));
    rc = sql_begin(source->sql, why);
    if (rc == ERR_OK) {
        rc = leave_row(source, origin, why);
    }
    if (rc == ERR_OK) {
        rc = sql_commit(source->sql, why);
    }
    if (rc != ERR_OK) {
        sql_rollback(source->sql);
        return rc;
    }
    *out = checkpoint_new(source->index, origin);
    return ERR_OK;
}

/* --- writing one --- */
static void on_copied(void *context)
{
    struct source *source = context;

    pthread_mutex_lock(&source->checkpoint.mutex);
    source->checkpoint.is_copying = false;
    pthread_mutex_unlock(&source->checkpoint.mutex);
}

/** @param running  NULL: no more. */
static void set_running(struct source *source, struct checkpoint *running)
{
    pthread_mutex_lock(&source->checkpoint.mutex);
    source->checkpoint.running = running;
    source->checkpoint.is_copying = running != NULL;
    pthread_mutex_unlock(&source->checkpoint.mutex);
}

static void limit_running(struct source *source, int64_t deadline_us)
{
    pthread_mutex_lock(&source->checkpoint.mutex);
    if (source->checkpoint.running != NULL) {
        checkpoint_set_deadline(source->checkpoint.running, deadline_us);
    }
    pthread_mutex_unlock(&source->checkpoint.mutex);
}

enum err source_write_checkpoint(struct source *source, bool is_synced, struct why *why)
{
    const int64_t began_us = clock_mono_us();
    const struct checkpoint_options options = {is_synced, on_copied, source};
    struct storage *storage = source->storage;
    struct checkpoint_origin origin;
    struct checkpoint *checkpoint = NULL;
    uint64_t bytes = 0;
    char path[PATH_MAX];
    int64_t stop_at_us;
    enum err rc = source_lock(source, WRITER_SHORT, why);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = take_locked(source, &origin, &checkpoint, why);
    if (rc == ERR_SQL_LOST) {
        (void)source_sql_done(source, rc, why);
    }
    set_running(source, checkpoint);
    source_unlock(source);
    if (rc != ERR_OK) {
        return rc;
    }
    stop_at_us = atomic_load(&storage->stop_at_us);
    if (stop_at_us != 0) {
        checkpoint_set_deadline(checkpoint, stop_at_us);
    }
    file_of(source, path);
    rc = checkpoint_write(checkpoint, path, &options, &bytes, why);
    set_running(source, NULL);
    checkpoint_free(checkpoint);
    source->checkpoint.took_us = clock_mono_us() - began_us;
    if (rc == ERR_OK) {
        set_held(source, &origin);
        log_info(LOG_STORAGE,
                 "%s: checkpoint written serial=%" PRId64 " bytes=%" PRIu64 " ms=%" PRId64,
                 source->name, origin.applied, bytes, source->checkpoint.took_us / 1000);
    }
    return rc;
}

bool source_is_copying(struct source *source, int64_t waited_ms)
{
    bool is_copying;

    pthread_mutex_lock(&source->checkpoint.mutex);
    is_copying = source->checkpoint.is_copying;
    if (is_copying && waited_ms >= WAIT_FOR_COPY_MS) {
        checkpoint_set_deadline(source->checkpoint.running, 0);
        is_copying = false;
    }
    pthread_mutex_unlock(&source->checkpoint.mutex);
    return is_copying;
}

/* --- when --- */
/** Whether the file does not hold what the index does, as far as it can be told. */
static bool is_due(struct source *source, bool at_stop)
{
    const int64_t now = clock_mono_ms(source->storage->clock);
    struct checkpoint_origin held;
    bool changed, is_outdated, is_due;

    pthread_mutex_lock(&source->status_mutex);
    held = source->checkpoint.held;
    is_outdated = held.id == 0 || held.generation != source->shown.generation;
    changed = is_outdated || held.applied != source->shown.applied;
    is_due = changed && source->status.state == SOURCE_READY && !source->status.read_only &&
             source->shown.applied > 0;
    if (!at_stop) {
        is_due = is_due &&
                 (is_outdated || now - source->checkpoint.held_ms >=
                                     source->storage->conf.checkpoint_period_s * INT64_C(1000)) &&
                 now >= source->checkpoint.retry_ms;
    }
    pthread_mutex_unlock(&source->status_mutex);
    return is_due;
}

/** Write what is due; what fails is tried again later. */
static void write_one(struct source *source, bool at_stop)
{
    const int64_t limit_us = source->storage->conf.checkpoint_stop_s * INT64_C(1000000);
    struct why why;
    enum err rc;

    if (!is_due(source, at_stop)) {
        return;
    }
    if (at_stop && source->checkpoint.took_us > limit_us) {
        log_info(LOG_STORAGE, "%s: no checkpoint at the stop, the last took %" PRId64 " ms",
                 source->name, source->checkpoint.took_us / 1000);
        return;
    }
    rc = source_write_checkpoint(source, !at_stop, &why);
    if (rc == ERR_OK || rc == ERR_BUSY) { /* Who is busy is asked again at the next look. */
        return;
    }
    log_write(rc == ERR_STOPPED ? LOG_INFO : LOG_WARN, LOG_STORAGE,
              "%s: no checkpoint was written: %s", source->name, why.text);
    pthread_mutex_lock(&source->status_mutex);
    source->checkpoint.retry_ms = clock_mono_ms(source->storage->clock) + RETRY_MS;
    pthread_mutex_unlock(&source->status_mutex);
}

/** @return Whether the storage stops. */
static bool wait_or_stop(struct storage *storage)
{
    struct timespec until;
    int waited = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LOOK_S;
    pthread_mutex_lock(&storage->lock);
    while (atomic_load(&storage->stop_at_us) == 0 && waited != ETIMEDOUT) {
        waited = pthread_cond_timedwait(&storage->stopping, &storage->lock, &until);
    }
    pthread_mutex_unlock(&storage->lock);
    return atomic_load(&storage->stop_at_us) != 0;
}

static void *run_checkpoints(void *context)
{
    struct storage *storage = context;

    background_enter();
    while (!wait_or_stop(storage)) {
        for (size_t i = 0; i < storage->source_count; i++) {
            write_one(storage->sources[i], false);
        }
    }
    return NULL;
}

enum err storage_start_checkpoints(struct storage *storage, struct why *why)
{
    int error;

    if (!storage->conf.checkpoint_enabled) {
        return ERR_OK;
    }
    if (!storage->has_build_id) {
        log_warn(LOG_STORAGE, "no checkpoints: the linker left no build id in this program");
        return ERR_OK;
    }
    error = pthread_create(&storage->checkpoint_thread, NULL, run_checkpoints, storage);
    if (error != 0) {
        return why_set(why, ERR_IO, "a thread for checkpoints: %s", strerror(error));
    }
    pthread_setname_np(storage->checkpoint_thread, "checkpoint");
    storage->has_checkpoint_thread = true;
    return ERR_OK;
}

void storage_stop_checkpoints(struct storage *storage)
{
    int64_t until_us;

    if (storage == NULL || !storage->conf.checkpoint_enabled || !storage->has_build_id) {
        return;
    }
    until_us = clock_mono_us() + storage->conf.checkpoint_stop_s * INT64_C(1000000);
    pthread_mutex_lock(&storage->lock);
    atomic_store(&storage->stop_at_us, until_us);
    pthread_cond_broadcast(&storage->stopping);
    pthread_mutex_unlock(&storage->lock);
    for (size_t i = 0; i < storage->source_count; i++) {
        limit_running(storage->sources[i], until_us);
    }
    if (storage->has_checkpoint_thread) {
        pthread_join(storage->checkpoint_thread, NULL);
        storage->has_checkpoint_thread = false;
    }
    for (size_t i = 0; i < storage->source_count && storage->conf.checkpoint_stop_s > 0; i++) {
        write_one(storage->sources[i], true);
    }
}

/* --- using one --- */
/** It is good for nothing: say why, and delete it, so that it is not looked at again. */
static void discard(struct source *source, const char *reason)
{
    char path[PATH_MAX];

    file_of(source, path);
    log_warn(LOG_STORAGE, "%s: the checkpoint is not used: %s", source->name, reason);
    if (unlink(path) != 0 && errno != ENOENT) {
        log_warn(LOG_STORAGE, "%s: deleting %s: %s", source->name, path, strerror(errno));
    }
    set_held(source, &(struct checkpoint_origin){.id = 0});
}

/** @return ERR_OK; ERR_NOT_FOUND when there is none that is good for this build and source. */
static enum err look(struct source *source, struct checkpoint_origin *out)
{
    char path[PATH_MAX];
    struct why why;
    enum err rc;

    file_of(source, path);
    rc = checkpoint_peek(path, source->name, source->storage->build, out, &why);
    if (rc != ERR_OK && rc != ERR_NOT_FOUND) {
        discard(source, why.text);
        rc = ERR_NOT_FOUND;
    }
    return rc;
}

/** Read the file as the index's next version and adopt its position. */
static enum err read_file(struct source *source, struct checkpoint_origin *out)
{
    char path[PATH_MAX];
    struct why why;
    enum err rc;

    file_of(source, path);
    rc = checkpoint_read(source->index, path, source->name, source->storage->build, out, &why);
    if (rc != ERR_OK) {
        discard(source, why.text);
        return ERR_NOT_FOUND;
    }
    source_set_position(source, (struct position){.applied = out->applied,
                                                  .hw = out->hw,
                                                  .generation = out->generation,
                                                  .bulk_end = out->bulk_end,
                                                  .known = out->is_known != 0});
    set_held(source, out);
    return ERR_OK;
}

/** Publish what was read as the checkpoint's own position, marked as of then. */
static void publish_stale(struct source *source, const struct checkpoint_origin *origin)
{
    source_set_stale(source, origin->taken_ms);
    source_publish(source);
    source_set_objects(source, index_objects(source->index));
}

static enum err is_there(struct source *source, bool *out, struct why *why, const char *statement)
{
    int64_t one;
    enum err rc = sql_select_number(source->sql, &one, why, "%s", statement);

    *out = rc == ERR_OK;
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

/**
 * Whether the database is the checkpoint's, later.
 * @param replays  Receives how many updates came since.
 * @return ERR_OK; ERR_MOVED and why not; errors of SQL.
 */
static enum err compare(struct source *source, const struct checkpoint_origin *origin,
                        const struct database_position *found, int64_t *replays, struct why *why)
{
    char statement[400];
    bool is_known, is_connected;
    enum err rc;

    if (found->generation != origin->generation) {
        return why_set(why, ERR_MOVED, "objects were changed since without a serial");
    }
    if (found->max_serial < origin->applied) {
        return why_set(why, ERR_MOVED, "the database is at %" PRId64 ", it is at %" PRId64,
                       found->max_serial, origin->applied);
    }
    if (found->pruned > origin->applied) {
        return why_set(why, ERR_MOVED,
                       "serials were pruned up to %" PRId64 ", it needs those above %" PRId64,
                       found->pruned, origin->applied);
    }
    snprintf(statement, sizeof(statement),
             "SELECT 1 FROM nrtm_checkpoint WHERE id = %" PRIu64 " AND mirror = '%s'", origin->id,
             source->name);
    rc = is_there(source, &is_known, why, statement);
    if (rc != ERR_OK) {
        return rc;
    }
    if (!is_known) {
        return why_set(why, ERR_MOVED,
                       "the database does not know it: another one, or restored from a backup");
    }
    /* An operator's edit may have given the row a higher serial. */
    snprintf(statement, sizeof(statement),
             "SELECT 1 FROM serials JOIN last USING (object_id) WHERE serial_id >= %" PRId64
             " AND object_id = %u AND serials.sequence_id = %u AND operation = %u LIMIT 1",
             origin->applied, origin->newest_object, origin->newest_sequence,
             origin->newest_operation);
    rc = is_there(source, &is_connected, why, statement);
    if (rc == ERR_OK && !is_connected) {
        return why_set(why, ERR_MOVED, "the row of serials at %" PRId64 " is gone",
                       origin->applied);
    }
    return rc != ERR_OK
               ? rc
               : sql_select_number(source->sql, replays, why,
                                   "SELECT COUNT(*) FROM serials WHERE serial_id > %" PRId64
                                   " AND serial_id <= %" PRId64,
                                   origin->applied, found->max_serial);
}

/** Replaying goes object by object; from a certain number on it takes longer than a rebuild. */
static bool is_worth_it(const struct source *source, int64_t replays)
{
    return replays <= REPLAY_ALWAYS ||
           (uint64_t)replays <= index_objects(source->index) / REPLAY_SHARE;
}

/** What was read, or served, becomes what the database holds. */
static enum err bring_up_to_date(struct source *source, const struct database_position *found,
                                 int64_t replays, bool is_served,
                                 const struct checkpoint_origin *origin, struct why *why)
{
    if (found->max_serial > origin->applied) {
        if (!is_served) {
            publish_stale(source, origin);
        }
        return source_replay(source, position_of(found), why);
    }
    if (is_served) {
        index_begin(source->index);
    }
    source_set_position(source, position_of(found));
    source_set_stale(source, 0);
    source_publish(source);
    source_set_objects(source, index_objects(source->index));
    source_add_objects(source, 0); /* Settles the state. */
    return ERR_OK;
}

enum err source_restore(struct source *source, struct why *why)
{
    const int64_t began_us = clock_mono_us();
    const bool is_served = source->stale_since_ms != 0;
    struct checkpoint_origin origin = source->checkpoint.held;
    struct database_position found;
    int64_t replays = 0;
    enum err rc;

    if (!is_enabled(source) || (!is_served && look(source, &origin) != ERR_OK)) {
        return ERR_NOT_FOUND;
    }
    rc = position_read(source, source->sql, &found, why);
    if (rc == ERR_OK) {
        rc = compare(source, &origin, &found, &replays, why);
    }
    if (rc == ERR_OK && !is_served) {
        rc = read_file(source, &origin);
    }
    if (rc == ERR_OK && !is_worth_it(source, replays)) {
        if (!is_served) {
            index_rollback(source->index);
        }
        rc = why_set(why, ERR_MOVED, "%" PRId64 " updates came since", replays);
    }
    if (rc == ERR_MOVED) {
        discard(source, why->text);
        return ERR_NOT_FOUND;
    }
    if (rc == ERR_OK) {
        rc = bring_up_to_date(source, &found, replays, is_served, &origin, why);
    }
    if (rc == ERR_OK) {
        log_info(LOG_STORAGE,
                 "%s: index read from checkpoint objects=%" PRIu64 " serial=%" PRId64
                 " replayed=%" PRId64 " ms=%" PRId64,
                 source->name, index_objects(source->index), source->position.applied, replays,
                 (clock_mono_us() - began_us) / 1000);
    }
    return rc;
}

void source_serve_stale(struct source *source)
{
    const int64_t began_us = clock_mono_us();
    struct checkpoint_origin origin;

    if (!is_enabled(source) || source->stale_since_ms != 0 || look(source, &origin) != ERR_OK ||
        read_file(source, &origin) != ERR_OK) {
        return;
    }
    publish_stale(source, &origin);
    log_warn(LOG_STORAGE,
             "%s: the database is not reached; until it is, answers come from the checkpoint "
             "objects=%" PRIu64 " serial=%" PRId64 " age_s=%" PRId64 " ms=%" PRId64,
             source->name, index_objects(source->index), origin.applied,
             (clock_wall_ms(source->storage->clock) - origin.taken_ms) / 1000,
             (clock_mono_us() - began_us) / 1000);
}
