/*
 * Where a source stands: max(serial_id) of `serials`, which operators edit, and our row of
 * nrtm_state.
 *
 * nrtm_state.applied repeats max(serial_id) as whoisd last wrote or saw it. When the two differ an
 * operator has edited `serials`: nrtm_state follows, so that the mirror goes on behind the edited
 * serial. A position that went down draws a new generation, because serials above it will be used
 * again.
 */
#include "base/log.h"
#include "storage/source_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    RECONNECTS = 5,
    RECONNECT_MS = 200
}; /* To learn the end of a COMMIT whose answer was lost. */

enum err position_look(const struct source *source, struct sql *sql, struct database_position *out,
                       struct why *why)
{
    const struct str *row;
    /* One statement, so that both tables are seen at one instant. */
    enum err rc =
        sql_select(sql, why,
                   "SELECT (SELECT MAX(serial_id) FROM serials), hw, applied, generation, "
                   "batch, COALESCE(boot_serial, -1), loading, bulk_end, source, host, hw_time, "
                   "pruned, fresh_time FROM nrtm_state WHERE mirror = '%s'",
                   source->name);

    *out = (struct database_position){0};
    if (rc != ERR_OK || (rc = sql_next(sql, &row, why)) != ERR_OK) {
        return rc == ERR_NOT_FOUND ? why_set(why, ERR_CORRUPT, "%s: nrtm_state has no row of it",
                                             source->url.database)
                                   : rc;
    }
    out->max_serial = sql_to_number(row[0]);
    out->hw = sql_to_number(row[1]);
    out->applied = sql_to_number(row[2]);
    out->generation = (uint64_t)sql_to_number(row[3]);
    out->batch = (uint64_t)sql_to_number(row[4]);
    out->has_boot_serial = sql_to_number(row[5]) >= 0;
    out->is_loading = sql_to_number(row[6]) != 0;
    out->bulk_end = (uint32_t)sql_to_number(row[7]);
    out->pruned = sql_to_number(row[11]);
    out->bond.boot_serial = sql_to_number(row[5]);
    out->bond.hw_time_s = sql_to_number(row[10]);
    out->bond.fresh_time_s = sql_to_number(row[12]);
    snprintf(out->bond.source, sizeof(out->bond.source), "%.*s", STR_ARG(row[8]));
    snprintf(out->bond.host, sizeof(out->bond.host), "%.*s", STR_ARG(row[9]));
    sql_end_rows(sql);
    return ERR_OK;
}

enum err position_read(struct source *source, struct sql *sql, struct database_position *out,
                       struct why *why)
{
    enum err rc = position_look(source, sql, out, why);

    if (rc == ERR_OK) {
        pthread_mutex_lock(&source->status_mutex);
        source->fresh_written_s = out->bond.fresh_time_s;
        if (source->bond.fresh_time_s > out->bond.fresh_time_s) {
            out->bond.fresh_time_s = source->bond.fresh_time_s;
        }
        source->bond = out->bond;
        pthread_mutex_unlock(&source->status_mutex);
    }
    return rc;
}

/** Whose serials these are, as nrtm_state says from now on. Under status_mutex. */
static void bind(struct source *source, const char *upstream, const char *host)
{
    snprintf(source->bond.source, sizeof(source->bond.source), "%s", upstream);
    snprintf(source->bond.host, sizeof(source->bond.host), "%s", host);
}

enum err position_lock(struct sql *sql, struct why *why)
{
    int64_t lock;
    enum err rc = sql_select_number(sql, &lock, why,
                                    "SELECT global_lock FROM update_lock WHERE global_lock = 0 "
                                    "FOR UPDATE");

    return rc != ERR_NOT_FOUND
               ? rc
               : why_set(why, ERR_CORRUPT,
                         "update_lock has no row: INSERT INTO update_lock VALUES (0)");
}

struct position position_of(const struct database_position *found)
{
    return (struct position){
        .applied = found->max_serial,
        .hw = found->hw,
        .generation = found->generation,
        .bulk_end = found->bulk_end,
        .known = found->has_boot_serial || found->hw > 1,
    };
}

bool position_is_ours(const struct source *source, const struct database_position *found)
{
    return found->max_serial == source->position.applied &&
           found->applied == source->position.applied && found->hw == source->position.hw &&
           found->generation == source->position.generation && !found->is_loading;
}

enum err position_write(struct source *source, struct sql *sql, struct position position,
                        uint64_t batch, struct why *why)
{
    return sql_exec(sql, why,
                    "UPDATE nrtm_state SET hw_time = IF(hw = %" PRId64 ", hw_time, %u), "
                    "hw = %" PRId64 ", applied = %" PRId64 ", pruned = LEAST(pruned, %" PRId64
                    "), bulk_end = %u, generation = %" PRIu64 ", batch = %" PRIu64
                    " WHERE mirror = '%s'",
                    position.hw, source_now(source), position.hw, position.applied,
                    position.applied, position.bulk_end, position.generation, batch, source->name);
}

enum err position_unbind(struct source *source, struct sql *sql, struct why *why)
{
    pthread_mutex_lock(&source->status_mutex);
    source->server.host[0] = '\0'; /* What waits is of the position before. */
    bind(source, "", "");
    pthread_mutex_unlock(&source->status_mutex);
    return sql_exec(sql, why, "UPDATE nrtm_state SET source = '', host = '' WHERE mirror = '%s'",
                    source->name);
}

enum err position_lower_boot(struct source *source, struct sql *sql, int64_t serial,
                             struct why *why)
{
    return sql_exec(sql, why,
                    "UPDATE nrtm_state SET boot_serial = %" PRId64
                    " WHERE mirror = '%s' AND (boot_serial IS NULL OR boot_serial > %" PRId64 ")",
                    serial, source->name, serial);
}

enum err position_follow_edit(struct source *source, struct sql *sql,
                              const struct database_position *found, struct position *out,
                              struct why *why)
{
    const int64_t was = found->hw > found->applied ? found->hw : found->applied;
    struct position position = position_of(found);
    enum err rc;

    *out = position;
    if (found->applied == found->max_serial) {
        return ERR_OK;
    }
    position.hw = found->max_serial;
    position.known = true;
    if (found->max_serial < found->applied) {
        position.generation = random_number();
    }
    rc = position_write(source, sql, position, found->batch, why);
    if (rc == ERR_OK) {
        rc = position_unbind(source, sql, why);
    }
    if (rc == ERR_OK) {
        rc = position_lower_boot(source, sql, position.hw, why);
    }
    if (rc == ERR_OK) {
        log_info(LOG_CLIENT, "%s position set to %" PRId64 " by database (was %" PRId64 ")",
                 source->name, position.hw, was);
        *out = position;
    }
    return rc;
}

void pause_ms(int64_t ms)
{
    const struct timespec time = {ms / 1000, (ms % 1000) * 1000000};

    nanosleep(&time, NULL);
}

enum err position_settle(struct source *source, uint64_t batch, enum err rc, struct why *why)
{
    struct database_position found = {0};
    struct why cause;
    enum err asked = ERR_SQL_LOST;

    for (int i = 0; i < RECONNECTS && asked == ERR_SQL_LOST; i++) {
        sql_close(source->sql);
        source->sql = NULL;
        if (i > 0) {
            pause_ms(RECONNECT_MS);
        }
        asked = source_connect(source, &cause);
        if (asked == ERR_OK) {
            asked = sql_begin(source->sql, &cause);
        }
        if (asked == ERR_OK) {
            asked = position_lock(source->sql, &cause);
        }
        if (asked == ERR_OK) {
            asked = position_read(source, source->sql, &found, &cause);
        }
    }
    if (asked != ERR_SQL_LOST) {
        sql_rollback(source->sql); /* Gives up the lock; nothing was written. */
    }
    if (asked != ERR_OK) {
        source->in_doubt = true;
        return rc;
    }
    log_warn(LOG_IMPORTER, "%s: the answer to COMMIT was lost (%s); it was %s", source->name,
             why->text, found.batch == batch ? "carried out" : "not carried out");
    return found.batch == batch ? ERR_OK : rc;
}

/* The server that answered, and how far it is. */
static void write_server(struct source *source)
{
    static const char names[] = "UPDATE nrtm_state SET source = ?, host = ? WHERE mirror = ?";
    struct source_server server;
    struct sql_array array;
    struct why why;
    enum err rc;

    pthread_mutex_lock(&source->status_mutex);
    server = source->server;
    source->server.host[0] = '\0'; /* Taken. */
    pthread_mutex_unlock(&source->status_mutex);
    if (server.host[0] == '\0') {
        return;
    }
    sql_array_init(&array, "ttt");
    SQL_ARRAY_ADD(&array, {.text = str_from(source->upstream)}, {.text = str_from(server.host)},
                  {.text = str_from(source->name)});
    rc = sql_run(source->sql, names, &array, &why);
    if (rc == ERR_OK) {
        rc = sql_exec(source->sql, &why,
                      "UPDATE nrtm_state SET port = %d, version = %d, filtered = %d, "
                      "last_start_first = %" PRId64 ", last_start_last = %" PRId64
                      ", source_min = %" PRId64 ", source_max = %" PRId64 " WHERE mirror = '%s'",
                      server.port, server.version, server.filtered, server.start_first,
                      server.start_last, server.min, server.max, source->name);
    }
    rc = source_sql_done(source, rc, &why);
    pthread_mutex_lock(&source->status_mutex);
    if (rc == ERR_OK) {
        bind(source, source->upstream, server.host);
    } else if (source->server.host[0] == '\0') {
        source->server = server; /* Nothing newer came meanwhile. */
        source->note.is_pending = true;
    }
    pthread_mutex_unlock(&source->status_mutex);
    sql_array_fini(&array);
}

void source_write_note(struct source *source)
{
    static const char statement[] =
        "UPDATE nrtm_state SET state = ?, last_error = ?, last_error_time = ?, fresh_time = "
        "GREATEST(fresh_time, ?) WHERE mirror = ?";
    struct sql_array array;
    char state[sizeof(source->note.state)], error[sizeof(source->note.error)];
    int64_t fresh_s;
    bool is_pending;
    struct why why;

    pthread_mutex_lock(&source->status_mutex);
    is_pending = source->note.is_pending && source->sql != NULL && source->is_open;
    source->note.is_pending = source->note.is_pending && !is_pending;
    memcpy(state, source->note.state, sizeof(state));
    memcpy(error, source->note.error, sizeof(error));
    fresh_s = source->bond.fresh_time_s;
    pthread_mutex_unlock(&source->status_mutex);
    if (!is_pending) {
        return;
    }
    sql_array_init(&array, "ttnnt");
    SQL_ARRAY_ADD(&array, {.text = str_from(state)}, {.text = str_from(error)},
                  {.number = error[0] == '\0' ? 0 : source_now(source)}, {.number = fresh_s},
                  {.text = str_from(source->name)});
    if (source_sql_done(source, sql_run(source->sql, statement, &array, &why), &why) != ERR_OK) {
        pthread_mutex_lock(&source->status_mutex);
        source->note.is_pending = true;
        pthread_mutex_unlock(&source->status_mutex);
    } else {
        pthread_mutex_lock(&source->status_mutex);
        source->fresh_written_s = fresh_s;
        pthread_mutex_unlock(&source->status_mutex);
        write_server(source);
    }
    sql_array_fini(&array);
}
