/*
 * What is kept aside, read back by who tries it again. What a row is tried with is a load of one
 * object (load_options.quarantined), which deletes the row in its transaction.
 */
#include <inttypes.h>
#include <stdio.h>

#include "storage/source_parts.h"

/* Cut rows are no objects: those of loads have this length, those of streams the server's limit. */
static bool is_whole(struct sql *sql, struct str raw)
{
    return raw.len > 0 && raw.at[raw.len - 1] == '\n' && raw.len != QUARANTINE_TEXT_MAX &&
           raw.len + QUARANTINE_ROW_SPARE < sql_max_packet(sql);
}

static enum err next_locked(struct source *source, int64_t after, struct quarantined *out,
                            struct why *why)
{
    const struct str *row;
    enum err rc = source_connect(source, why);

    if (rc == ERR_OK) {
        rc = sql_select(source->sql, why,
                        "SELECT id, serial, operation, reason, raw FROM nrtm_quarantine WHERE "
                        "mirror = '%s' AND id > %" PRId64 " ORDER BY id LIMIT 1",
                        source->name, after);
    }
    if (rc != ERR_OK || (rc = sql_next(source->sql, &row, why)) != ERR_OK) {
        return rc;
    }
    out->id = sql_to_number(row[0]);
    out->serial = sql_to_number(row[1]);
    out->is_delete = sql_to_number(row[2]) == 2;
    snprintf(out->reason, sizeof(out->reason), "%.*s", STR_ARG(row[3]));
    out->is_whole = is_whole(source->sql, row[4]);
    buf_clear(&out->raw);
    buf_add_str(&out->raw, row[4]);
    sql_end_rows(source->sql);
    return ERR_OK;
}

enum err source_next_quarantined(struct source *source, int64_t after, struct quarantined *out,
                                 struct why *why)
{
    enum err rc = source_check_open(source, why);

    if (rc == ERR_OK) {
        rc = source_lock(source, WRITER_SHORT, why);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    rc = source_sql_done(source, next_locked(source, after, out, why), why);
    source_unlock(source);
    return rc;
}
