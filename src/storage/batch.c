/*
 * The mirror's updates: one MySQL transaction and one next version of the index.
 *
 * Ops change the next version in memory at once and leave rows behind, so that a commit is a
 * handful of array-bound statements. Several versions of one object inside a batch are folded:
 * those in between go straight to `history` and `serials` with their sequence numbers, and `last`
 * sees one row per object, from what stood in it before the batch to what stands in it after
 * (struct touched).
 *
 * The commit holds update_lock and compares the position with the one the index was built from;
 * equal means that memory is authoritative and that no object has to be read from the database. Its
 * statements are rows of commit_steps[], each behind a fault point.
 */
#include "storage/source_parts.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "rpsl/fold.h"
#include "storage/entries.h"

enum {
    RETRIES = 2, /* More than a deadlock needs; who waits longer must not do it on a loop. */
    BACKOFF_MS = 50,
    COMPACT_BYTES = 1 << 20,
    PACKET_SPARE = 4096, /* Of a row beside its text. */
    DELETE_MISSING_LOG_MS = 60000,
    UPDATE_LAST_ID = 4 /* Column of ROWS_UPDATE_LAST_TYPES. */
};
#define ARENA_BYTES ((size_t)1 << 30)

/** One object's way through the batch. */
struct touched {
    uint32_t id;
    uint32_t before; /* Its sequence_id in `last` when the batch began; 0: not there. */
    uint32_t now;    /* The one it gets; 0: deleted. */
    uint32_t time;
    uint8_t type;          /* object_type */
    struct str text, pkey; /* In the arena; text empty when deleted. */
    size_t serials_row;    /* 1 + the row of `serials` that has atlast = 1; 0: that row is in the
                              database, or none. */
};

struct batch {
    struct source *source;
    struct arena *arena;   /* Lives as long as the batch: texts that are bound. */
    struct arena *scratch; /* Reset for each op. */
    struct touched *touched;
    size_t touched_count, touched_cap;
    uint32_t *slots; /* Hash table of ids: 1 + index into touched. */
    size_t slot_count;
    struct sql_array history, retired, last_update, last_insert, serials, quarantine;
    int64_t last_serial, applied;
    size_t bytes, ops, missing;
    int64_t created, removed;
    bool is_generation_new; /* Something changed without a serial of its own. */
};

/* --- touched objects --- */
static size_t slot_of(const struct batch *batch, uint32_t id)
{
    size_t slot = (id * 2654435761u) & (batch->slot_count - 1);

    while (batch->slots[slot] != 0 && batch->touched[batch->slots[slot] - 1].id != id) {
        slot = (slot + 1) & (batch->slot_count - 1);
    }
    return slot;
}

static void touched_grow(struct batch *batch)
{
    batch->touched_cap = batch->touched_cap == 0 ? 64 : batch->touched_cap * 2;
    batch->slot_count = batch->touched_cap * 2;
    batch->touched = reallocarray(batch->touched, batch->touched_cap, sizeof(*batch->touched));
    free(batch->slots);
    batch->slots = calloc(batch->slot_count, sizeof(*batch->slots));
    if (batch->touched == NULL || batch->slots == NULL) {
        abort();
    }
    for (size_t i = 0; i < batch->touched_count; i++) {
        batch->slots[slot_of(batch, batch->touched[i].id)] = (uint32_t)i + 1;
    }
}

/** @param before  Used when the batch meets the object for the first time. */
static struct touched *touch(struct batch *batch, uint32_t id, uint32_t before)
{
    size_t slot;

    if (batch->touched_count == batch->touched_cap) {
        touched_grow(batch);
    }
    slot = slot_of(batch, id);
    if (batch->slots[slot] == 0) {
        batch->touched[batch->touched_count] = (struct touched){.id = id, .before = before};
        batch->slots[slot] = (uint32_t)++batch->touched_count;
    }
    return &batch->touched[batch->slots[slot] - 1];
}

/* --- begin and end --- */
enum err batch_begin(struct source *source, struct batch **out, struct why *why)
{
    struct batch *batch;
    enum err rc = source_check_writable(source, why);

    if (rc == ERR_OK) {
        rc = source_lock(source, WRITER_BATCH, why);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    batch = calloc(1, sizeof(*batch));
    if (batch == NULL) {
        abort();
    }
    batch->source = source;
    batch->arena = arena_new(ARENA_BYTES);
    batch->scratch = arena_new(ARENA_BYTES);
    batch->last_serial = source->position.hw;
    batch->applied = source->position.applied;
    sql_array_init(&batch->history, ROWS_LAST_TYPES);
    sql_array_init(&batch->last_insert, ROWS_LAST_TYPES);
    sql_array_init(&batch->last_update, ROWS_UPDATE_LAST_TYPES);
    sql_array_init(&batch->retired, ROWS_RETIRE_SERIALS_TYPES);
    sql_array_init(&batch->serials, ROWS_SERIALS_TYPES);
    sql_array_init(&batch->quarantine, ROWS_QUARANTINE_TYPES);
    index_begin(source->index);
    *out = batch;
    return ERR_OK;
}

/** Free the batch and give up the lock; the index's next version has been published or rolled back.
 */
static void batch_free(struct batch *batch)
{
    sql_array_fini(&batch->history);
    sql_array_fini(&batch->last_insert);
    sql_array_fini(&batch->last_update);
    sql_array_fini(&batch->retired);
    sql_array_fini(&batch->serials);
    sql_array_fini(&batch->quarantine);
    arena_free(batch->arena);
    arena_free(batch->scratch);
    free(batch->touched);
    free(batch->slots);
    source_unlock(batch->source);
    free(batch);
}

void batch_abort(struct batch *batch)
{
    if (batch != NULL) {
        index_rollback(batch->source->index);
        batch_free(batch);
    }
}

size_t batch_bytes(const struct batch *batch)
{
    return batch->bytes;
}

size_t batch_ops(const struct batch *batch)
{
    return batch->ops;
}

/* --- ops --- */
/** Whether an op's serial is new. @return ERR_LIMIT when the database cannot hold it. */
static enum err take_serial(struct batch *batch, int64_t serial, bool *is_new, struct why *why)
{
    *is_new = serial > batch->last_serial;
    if (serial > SERIAL_MAX) {
        log_error(LOG_IMPORTER,
                  "%s: serial %" PRId64 " is above 2147483647, which is the largest that "
                  "`serials` holds: the mirror stops",
                  batch->source->name, serial);
        return why_set(why, ERR_LIMIT, "serial %" PRId64 " is above 2147483647", serial);
    }
    if (!*is_new) {
        log_debug(LOG_IMPORTER, "%s: Already applied serial %" PRId64, batch->source->name, serial);
    }
    return ERR_OK;
}

static void count_op(struct batch *batch, int64_t serial)
{
    batch->last_serial = serial;
    batch->ops++;
}

static enum err out_of_memory(struct why *why)
{
    return why_set(why, ERR_LIMIT, "the batch does not fit its %zu MB of memory",
                   ARENA_BYTES >> 20);
}

/** Whether a version may have a row in `serials`: a bulk load wrote one for its last object only.
 */
static bool has_serial(const struct batch *batch, const struct object_info *info)
{
    return info->sequence > 1 || info->id >= batch->source->position.bulk_end;
}

/** The present version goes to `history`, its row of `serials` gets atlast = 0. */
static enum err retire(struct batch *batch, const struct index_object *old, struct touched **out,
                       struct why *why)
{
    const struct object_info *info = &old->info;
    struct touched *touched = touch(batch, info->id, info->sequence);

    if (touched->text.at == NULL) { /* First seen in this batch. */
        touched->text = arena_strdup(batch->arena, old->text);
        touched->pkey = arena_strdup(batch->arena, rows_pkey(old->key.text, batch->scratch));
        touched->type = rpsl_class_info(info->class)->db_id;
        if (touched->text.at == NULL || touched->pkey.at == NULL) {
            return out_of_memory(why);
        }
    }
    SQL_ARRAY_ADD(&batch->history, {.number = info->id}, {.number = info->sequence},
                  {.number = info->timestamp}, {.number = touched->type}, {.text = touched->text},
                  {.text = touched->pkey});
    if (touched->serials_row != 0) {
        batch->serials.columns[3].numbers[touched->serials_row - 1] = 0;
        touched->serials_row = 0;
    } else if (info->sequence == touched->before && has_serial(batch, info)) {
        SQL_ARRAY_ADD(&batch->retired, {.number = info->id}, {.number = info->sequence});
    }
    batch->bytes += touched->text.len;
    *out = touched;
    return ERR_OK;
}

static void add_serial(struct batch *batch, int64_t serial, struct touched *touched,
                       uint32_t sequence, bool is_delete)
{
    SQL_ARRAY_ADD(&batch->serials, {.number = serial}, {.number = touched->id},
                  {.number = sequence}, {.number = is_delete ? 0 : 1},
                  {.number = is_delete ? 2 : 1});
    touched->serials_row = is_delete ? 0 : batch->serials.rows;
    batch->applied = serial;
}

/** Remove the object in the next version and leave its tombstone. */
static enum err remove_object(struct batch *batch, const struct index_object *old,
                              struct touched **out, struct why *why)
{
    enum err rc = retire(batch, old, out, why);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = index_remove_found(batch->source->index, old);
    if (rc != ERR_OK) {
        return why_set(why, rc, "removing object_id %u: %s", old->info.id, err_text(rc));
    }
    (*out)->now = 0;
    (*out)->text = STR("");
    (*out)->time = source_now(batch->source);
    batch->removed++;
    return ERR_OK;
}

/** A person becomes a role or the other way round: the other class's object goes, without a serial
 * of its own. */
static enum err remove_other_class(struct batch *batch, const struct rpsl_key *key, struct why *why)
{
    const enum rpsl_class other = key->class == CLASS_PERSON ? CLASS_ROLE : CLASS_PERSON;
    struct index_object found;
    struct touched *touched = NULL;
    enum err rc;

    if (key->class != CLASS_PERSON && key->class != CLASS_ROLE) {
        return ERR_OK;
    }
    rc = index_find(batch->source->index, other, key->canonical, batch->scratch, &found);
    if (rc == ERR_NOT_FOUND) {
        return ERR_OK;
    }
    if (rc != ERR_OK) {
        return why_set(why, rc, "looking up %.*s: %s", STR_ARG(key->text), err_text(rc));
    }
    rc = remove_object(batch, &found, &touched, why);
    batch->is_generation_new = true;
    log_info(LOG_IMPORTER, "%s: %s %s replaces the %s of that name", batch->source->name,
             rpsl_class_info(key->class)->name, log_quote(key->text).text,
             rpsl_class_info(other)->name);
    return rc;
}

static enum err put_object(struct batch *batch, int64_t serial, const struct rpsl_object *object,
                           const struct rpsl_key *key, struct why *why)
{
    struct index *index = batch->source->index;
    const uint32_t now = source_now(batch->source);
    struct index_object found;
    struct touched *touched = NULL;
    enum err rc = index_find(index, key->class, key->canonical, batch->scratch, &found);
    const bool is_there = rc == ERR_OK;

    if (is_there) {
        rc = retire(batch, &found, &touched, why);
        if (rc != ERR_OK) {
            return rc;
        }
        touched->now = found.info.sequence + 1;
    } else if (rc == ERR_NOT_FOUND) {
        touched = touch(batch, index_next_id(index), 0);
        touched->now = 1;
        batch->created++;
    } else {
        return why_set(why, rc, "looking up %.*s: %s", STR_ARG(key->text), err_text(rc));
    }
    touched->time = now;
    touched->type = rpsl_class_info(key->class)->db_id;
    touched->text = arena_strdup(batch->arena, object->text);
    touched->pkey = arena_strdup(batch->arena, rows_pkey(key->text, batch->scratch));
    if (touched->text.at == NULL || touched->pkey.at == NULL) {
        return out_of_memory(why);
    }
    rc = is_there ? index_replace(index, &found, touched->now, now, object, key)
                  : index_put(index, touched->id, touched->now, now, object, key);
    if (rc != ERR_OK) {
        return why_set(why, rc, "indexing %.*s: %s", STR_ARG(key->text), err_text(rc));
    }
    add_serial(batch, serial, touched, touched->now, false);
    batch->bytes += object->text.len;
    return ERR_OK;
}

/** Parse an op's text and check that a row of its size can be sent. */
static enum err parse_op(struct batch *batch, struct str text, struct rpsl_object *object,
                         struct rpsl_key *key, struct why *why)
{
    struct sql *sql = batch->source->sql;
    enum err rc;

    arena_reset(batch->scratch);
    rc = object_parse(text, batch->scratch, object, key);
    if (rc != ERR_OK) {
        return why_set(why, rc, "no class or key in %s",
                       log_quote(str_sub(text, 0, str_find(text, '\n', 0))).text);
    }
    if (sql != NULL && text.len + PACKET_SPARE > sql_max_packet(sql)) {
        return why_set(
            why, ERR_SQL_PACKET,
            "object of %zu bytes is above the server's max_allowed_packet = %" PRIu64
            ": SET GLOBAL max_allowed_packet = 67108864, and in the server's configuration",
            text.len, sql_max_packet(sql));
    }
    return ERR_OK;
}

enum err batch_add(struct batch *batch, int64_t serial, struct str text, struct why *why)
{
    struct rpsl_object object;
    struct rpsl_key key;
    bool is_new;
    enum err rc = take_serial(batch, serial, &is_new, why);

    if (rc != ERR_OK || !is_new || (rc = parse_op(batch, text, &object, &key, why)) != ERR_OK) {
        return rc;
    }
    rc = remove_other_class(batch, &key, why);
    if (rc == ERR_OK) {
        rc = put_object(batch, serial, &object, &key, why);
    }
    if (rc == ERR_OK) {
        count_op(batch, serial);
    }
    return rc;
}

enum err batch_delete(struct batch *batch, int64_t serial, struct str text, struct why *why)
{
    struct rpsl_object object;
    struct rpsl_key key;
    struct index_object found;
    struct touched *touched = NULL;
    bool is_new;
    enum err rc = take_serial(batch, serial, &is_new, why);

    if (rc != ERR_OK || !is_new || (rc = parse_op(batch, text, &object, &key, why)) != ERR_OK) {
        return rc;
    }
    rc = index_find(batch->source->index, key.class, key.canonical, batch->scratch, &found);
    if (rc == ERR_NOT_FOUND) {
        batch->missing++;
        count_op(batch, serial);
        return ERR_OK;
    }
    if (rc != ERR_OK) {
        return why_set(why, rc, "looking up %.*s: %s", STR_ARG(key.text), err_text(rc));
    }
    rc = remove_object(batch, &found, &touched, why);
    if (rc == ERR_OK) {
        add_serial(batch, serial, touched, found.info.sequence + 1, true);
        count_op(batch, serial);
    }
    return rc;
}

/** Once per object and reason: one that an upstream sends again and again is told by the count. */
static void say_aside(struct source *source, int64_t serial, struct str raw, struct str note)
{
    const struct str first_line = str_sub(raw, 0, str_find(raw, '\n', 0));
    const uint64_t hash = rpsl_hash(1, first_line) ^ rpsl_hash(2, note);
    bool is_told = false;

    for (size_t i = 0; i < ASIDE_TOLD; i++) {
        is_told = is_told || source->aside[i] == hash;
    }
    if (!is_told) {
        source->aside[source->aside_next++ % ASIDE_TOLD] = hash;
    }
    log_write(is_told ? LOG_DEBUG : LOG_WARN, LOG_IMPORTER,
              "%s: serial %" PRId64 " is kept aside in nrtm_quarantine: %s: %s", source->name,
              serial, log_quote(note).text, log_quote(first_line).text);
}

enum err batch_quarantine(struct batch *batch, int64_t serial, bool is_delete, struct str raw,
                          const char *reason)
{
    const struct sql *sql = batch->source->sql;
    const uint64_t packet = sql == NULL ? (uint64_t)1 << 20 : sql_max_packet(sql);
    struct str kept, note = str_from(reason);
    const bool is_copy = batch->ops > 0 && serial == batch->last_serial;
    bool is_new = true;
    enum err rc = is_copy ? ERR_OK : take_serial(batch, serial, &is_new, NULL);

    if (rc != ERR_OK || !is_new) {
        return rc;
    }
    kept = arena_strdup(batch->arena, str_sub(raw, 0, packet - PACKET_SPARE));
    note = arena_strdup(batch->arena, str_sub(note, 0, QUARANTINE_NOTE_MAX - 1));
    if (kept.at == NULL || note.at == NULL) {
        return ERR_LIMIT;
    }
    SQL_ARRAY_ADD(&batch->quarantine, {.text = str_from(batch->source->name)}, {.number = serial},
                  {.number = is_delete ? 2 : 1}, {.text = kept}, {.text = note},
                  {.number = source_now(batch->source)});
    say_aside(batch->source, serial, raw, note);
    batch->bytes += kept.len;
    if (!is_copy) {
        count_op(batch, serial);
    }
    return ERR_OK;
}

/* --- the transaction --- */
struct commit {
    struct batch *batch;
    struct position to;
    uint64_t number; /* nrtm_state.batch of this transaction. */
    bool was_sent;   /* COMMIT has been sent: without its answer the outcome is unknown. */
};

static enum err step_begin(struct commit *commit, struct sql *sql, struct why *why)
{
    return sql_begin(sql, why);
}

static enum err step_lock(struct commit *commit, struct sql *sql, struct why *why)
{
    return position_lock(sql, why);
}

static enum err step_position(struct commit *commit, struct sql *sql, struct why *why)
{
    struct source *source = commit->batch->source;
    struct database_position found;
    enum err rc = position_read(source, sql, &found, why);

    if (rc == ERR_OK && !position_is_ours(source, &found)) {
        rc = why_set(why, ERR_MOVED, "%s: the database is at %" PRId64 ", we were at %" PRId64,
                     source->name, found.max_serial, source->position.applied);
    }
    return rc;
}

/** Every row must have been there: else somebody changed objects without a serial, and memory is
 * wrong. */
static enum err run_all(struct commit *commit, struct sql *sql, const char *statement,
                        const struct sql_array *array, struct why *why)
{
    enum err rc = sql_run(sql, statement, array, why);

    if (rc == ERR_OK && sql_affected(sql) != array->rows) {
        commit->batch->source->in_doubt = commit->batch->source->must_rebuild = true;
        rc = why_set(why, ERR_MOVED, "%s: %zu rows of last were changed by somebody else",
                     commit->batch->source->name, array->rows - (size_t)sql_affected(sql));
    }
    return rc;
}

static enum err step_history(struct commit *commit, struct sql *sql, struct why *why)
{
    return sql_run(sql, rows_insert_history, &commit->batch->history, why);
}

static enum err step_serials_old(struct commit *commit, struct sql *sql, struct why *why)
{
    return sql_run(sql, rows_retire_serials, &commit->batch->retired, why);
}

static enum err step_last_update(struct commit *commit, struct sql *sql, struct why *why)
{
    return run_all(commit, sql, rows_update_last, &commit->batch->last_update, why);
}

static enum err step_last_insert(struct commit *commit, struct sql *sql, struct why *why)
{
    return sql_run(sql, rows_insert_last, &commit->batch->last_insert, why);
}

static enum err step_serials(struct commit *commit, struct sql *sql, struct why *why)
{
    enum err rc = sql_run(sql, rows_insert_serials, &commit->batch->serials, why);

    return rc == ERR_OK ? sql_run(sql, rows_quarantine, &commit->batch->quarantine, why) : rc;
}

static enum err step_state(struct commit *commit, struct sql *sql, struct why *why)
{
    return position_write(commit->batch->source, sql, commit->to, commit->number, why);
}

static enum err step_commit(struct commit *commit, struct sql *sql, struct why *why)
{
    enum err rc;

    commit->was_sent = true;
    rc = sql_commit(sql, why);
    if (rc == ERR_OK && fault_point("batch-after-commit")) {
        return why_set(why, ERR_SQL_LOST, "fault batch-after-commit");
    }
    return rc;
}

/** The transaction, statement by statement. `last` comes late: until then its pages are read ahead.
 */
static const struct commit_step {
    const char *fault;
    enum err (*run)(struct commit *commit, struct sql *sql, struct why *why);
} commit_steps[] = {
    {"batch-begin",         step_begin      },
    {"batch-lock",          step_lock       },
    {"batch-position",      step_position   },
    {"batch-history",       step_history    },
    {"batch-serials-old",   step_serials_old},
    {"batch-serials",       step_serials    },
    {"batch-last-update",   step_last_update},
    {"batch-last-insert",   step_last_insert},
    {"batch-state",         step_state      },
    {"batch-before-commit", step_commit     },
};

static enum err run_transaction(struct commit *commit, struct why *why)
{
    struct source *source = commit->batch->source;
    enum err rc = source_connect(source, why);

    commit->was_sent = false;
    if (rc == ERR_OK) {
        read_ahead_begin(source, &commit->batch->last_update, UPDATE_LAST_ID);
    }
    for (size_t i = 0; rc == ERR_OK && i < sizeof(commit_steps) / sizeof(commit_steps[0]); i++) {
        rc = fault_point(commit_steps[i].fault)
                 ? why_set(why, ERR_SQL, "fault %s", commit_steps[i].fault)
                 : commit_steps[i].run(commit, source->sql, why);
    }
    if (rc != ERR_OK && rc != ERR_SQL_LOST) {
        sql_rollback(source->sql);
    }
    return rc;
}

/** Run the transaction until it is committed or cannot be. */
static enum err commit_transaction(struct commit *commit, struct why *why)
{
    struct source *source = commit->batch->source;
    int64_t backoff_ms = BACKOFF_MS;
    enum err rc;

    for (int i = 0;; i++) {
        rc = run_transaction(commit, why);
        if (rc != ERR_SQL_RETRY || i == RETRIES) {
            break;
        }
        log_warn(LOG_IMPORTER, "%s: batch is tried again in %" PRId64 " ms: %s", source->name,
                 backoff_ms, why->text);
        pause_ms(backoff_ms + (int64_t)(random_number() % BACKOFF_MS));
        backoff_ms *= 2;
    }
    return rc == ERR_OK || !commit->was_sent ? rc
                                             : position_settle(source, commit->number, rc, why);
}

/**
 * What `last` held before the batch and holds after it, one row per object. Rows go to their tables
 * in the order of these, so that neighbours share pages while they are at hand.
 */
static void collect_rows(struct batch *batch)
{
    for (size_t i = 0; i < batch->touched_count; i++) {
        const struct touched *t = &batch->touched[i];

        if (t->before == 0) {
            SQL_ARRAY_ADD(&batch->last_insert, {.number = t->id}, {.number = t->now},
                          {.number = t->time}, {.number = t->type}, {.text = t->text},
                          {.text = t->pkey});
        } else {
            SQL_ARRAY_ADD(&batch->last_update, {.text = t->text}, {.number = t->time},
                          {.number = t->now}, {.text = t->pkey}, {.number = t->id},
                          {.number = t->before});
        }
    }
    sql_array_sort(&batch->history, 0);
    sql_array_sort(&batch->retired, 0);
    sql_array_sort(&batch->last_update, UPDATE_LAST_ID);
}

static void log_missing(const struct batch *batch)
{
    struct source *source = batch->source;
    const int64_t now = clock_mono_ms(source->storage->clock);

    source->missing += batch->missing;
    if (source->missing > 0 && (source->missing_logged_ms == 0 ||
                                now - source->missing_logged_ms >= DELETE_MISSING_LOG_MS)) {
        log_warn(LOG_IMPORTER,
                 "%s: %zu deletions of objects that are not here, up to serial %" PRId64,
                 source->name, source->missing, batch->last_serial);
        source->missing = 0;
        source->missing_logged_ms = now;
    }
}

static void publish(struct batch *batch, struct position to)
{
    struct source *source = batch->source;

    source_set_position(source, to);
    source_publish(source);
    source_add_objects(source, batch->created - batch->removed);
    pthread_mutex_lock(&source->status_mutex);
    source->status.quarantined += batch->quarantine.rows;
    source->status.missing += batch->missing;
    source->status.last_commit_ms = clock_wall_ms(source->storage->clock);
    pthread_mutex_unlock(&source->status_mutex);
    log_missing(batch);
    source_write_note(source);
    if (batch->bytes >= COMPACT_BYTES) {
        source_compact(source); /* In a catch-up the timer would find the lock taken. */
    }
}

enum err batch_commit(struct batch *batch, int64_t hw, struct why *why)
{
    struct source *source = batch->source;
    struct commit commit = {.batch = batch, .to = source->position, .number = random_number()};
    enum err rc;

    commit.to.applied = batch->applied;
    commit.to.hw = hw > batch->last_serial ? hw : batch->last_serial;
    commit.to.known = commit.to.known || commit.to.hw > 1;
    if (batch->is_generation_new) {
        commit.to.generation = random_number();
    }
    if (commit.to.hw == source->position.hw) { /* Nothing but repeats. */
        batch_abort(batch);
        return ERR_OK;
    }
    collect_rows(batch);
    rc = source_sql_done(source, commit_transaction(&commit, why), why);
    if (rc != ERR_OK) {
        index_rollback(source->index);
        batch_free(batch);
        return rc;
    }
    (void)fault_point("batch-before-publish"); /* Too late to fail: only to be killed. */
    publish(batch, commit.to);
    batch_free(batch);
    return ERR_OK;
}
