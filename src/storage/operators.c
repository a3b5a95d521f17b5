/*
 * What an operator asks for by command: a new position.
 */
#include "storage/source_parts.h"

#include <inttypes.h>

#include "base/log.h"

/** max(serial_id) becomes `serial`. Its row may be any: the newest is renumbered, others above go.
 */
static enum err move_rows(struct sql *sql, int64_t from, int64_t serial, struct why *why)
{
    int64_t taken = 0;
    enum err rc;

    if (from == 0 || from == serial) {
        return ERR_OK; /* Without rows nrtm_state alone says it. */
    }
    rc = sql_select_number(sql, &taken, why,
                           "SELECT COUNT(*) FROM serials WHERE serial_id = %" PRId64, serial);
    if (rc == ERR_OK && !taken) {
        rc = sql_exec(sql, why,
                      "UPDATE serials SET serial_id = %" PRId64 " WHERE serial_id = %" PRId64,
                      serial, from);
    }
    if (rc == ERR_OK) {
        rc = sql_exec(sql, why, "DELETE FROM serials WHERE serial_id > %" PRId64, serial);
    }
    return rc;
}

static enum err set_serial(struct source *source, int64_t serial, struct position *to,
                           struct why *why)
{
    struct sql *sql = source->sql;
    struct database_position found;
    enum err rc = sql_begin(sql, why);

    if (rc == ERR_OK) {
        rc = position_lock(sql, why);
    }
    if (rc == ERR_OK) {
        rc = position_read(source, sql, &found, why);
    }
    if (rc == ERR_OK && !position_is_ours(source, &found)) {
        rc = why_set(why, ERR_MOVED, "%s: the database was changed by somebody else, try again",
                     source->name);
    }
    if (rc == ERR_OK) {
        rc = move_rows(sql, found.max_serial, serial, why);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    *to = position_of(&found);
    to->applied = found.max_serial == 0 ? 0 : serial;
    to->hw = serial;
    to->known = true;
    if (serial < found.max_serial || serial < found.hw) {
        to->generation = random_number();
    }
    rc = position_write(source, sql, *to, found.batch, why);
    if (rc == ERR_OK) {
        rc = position_unbind(source, sql, why);
    }
    if (rc == ERR_OK) {
        rc = position_lower_boot(source, sql, serial, why);
    }
    return rc == ERR_OK ? sql_commit(sql, why) : rc;
}

enum err source_set_serial(struct source *source, int64_t serial, struct why *why)
{
    struct position to = {0};
    int64_t was;
    bool changed;
    enum err rc;

    if (serial < 0 || serial > SERIAL_MAX) {
        return why_set(why, ERR_LIMIT, "a serial is 0 to 2147483647, not %" PRId64, serial);
    }
    rc = source_sync(source, &changed, why); /* What somebody else wrote comes first. */
    if (rc == ERR_OK) {
        rc = source_lock(source, WRITER_SHORT, why);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    was = source->position.hw;
    rc = source_connect(source, why);
    if (rc == ERR_OK) {
        rc = set_serial(source, serial, &to, why);
        if (rc != ERR_OK) {
            sql_rollback(source->sql);
        }
    }
    if (source_sql_done(source, rc, why) == ERR_OK) {
        index_begin(source->index);
        source_set_position(source, to);
        source_publish(source);
        log_info(LOG_CLIENT, "%s position set to %" PRId64 " by command (was %" PRId64 ")",
                 source->name, serial, was);
    }
    source_unlock(source);
    return rc;
}
