/*
 * What is kept aside, read back by who tries it again. What a row is tried with is a load of one
 * object (load_options.quarantined), which deletes the row in its transaction. Reading needs no
 * lock, so that going through many rows holds up nobody.
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

struct next {
    const struct source *source;
    int64_t after;
    struct quarantined *out;
};

static enum err read_next(struct sql *sql, void *context, struct why *why)
{
    const struct next *next = context;
    struct quarantined *out = next->out;
    const struct str *row;
    enum err rc =
        sql_select(sql, why,
                   "SELECT id, serial, operation, reason, raw FROM nrtm_quarantine "
                   "WHERE id > %" PRId64 " AND mirror = '%s' AND GREATEST(serial, "
                   "(SELECT COALESCE(boot_serial, 0) FROM nrtm_state WHERE mirror = "
                   "'%s')) >= (SELECT pruned FROM nrtm_state WHERE mirror = '%s') "
                   "ORDER BY id LIMIT 1",
                   next->after, next->source->name, next->source->name, next->source->name);

    if (rc != ERR_OK || (rc = sql_next(sql, &row, why)) != ERR_OK) {
        return rc;
    }
    out->id = sql_to_number(row[0]);
    out->serial = sql_to_number(row[1]);
    out->is_delete = sql_to_number(row[2]) == 2;
    snprintf(out->reason, sizeof(out->reason), "%.*s", STR_ARG(row[3]));
    out->is_whole = is_whole(sql, row[4]);
    buf_clear(&out->raw);
    buf_add_str(&out->raw, row[4]);
    return ERR_OK;
}

enum err source_next_quarantined(struct source *source, int64_t after, struct quarantined *out,
                                 struct why *why)
{
    struct next next = {source, after, out};
    enum err rc = source_check_open(source, why);

    return rc == ERR_OK ? source_read(source, read_next, &next, why) : rc;
}
