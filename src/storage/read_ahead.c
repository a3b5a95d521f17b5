/*
 * Where the buffer pool is smaller than `last`, most updates of a catch-up wait for a page from the
 * disk, one at a time, while disks could do several. Here the same rows are asked for by several
 * connections: dealt out in turn, so that all of them work at the front of what the updates will
 * need next, which come in the same order.
 *
 * The answers are numbers, of rows found, and come when everything has been read. They are taken at
 * the next batch, or by a timer: no thread is needed.
 *
 * Whether pages are missing tells the server's count of pages read from disk, asked once per large
 * batch: what was read since the one before, by whomever, compared with the rows that one wrote.
 * Where nearly all of them were at hand, reading ahead would only cost.
 */
#include "storage/read_ahead.h"

#include "base/log.h"
#include "storage/source_parts.h"

enum {
    IDS_PER_LIST = 500, /* Above 1,000 MariaDB makes a join of a list. */
    MISSING_SHARE = 8,  /* One page in so many rows, and reading ahead is worth it. */
    POOL_SHARE = 8      /* Of the pool's pages, at most, so that none has to go unused. */
};

void read_ahead_stop(struct read_ahead *ahead)
{
    for (size_t i = 0; i < READ_AHEAD_CONNECTIONS; i++) {
        sql_close(ahead->lanes[i].sql);
        ahead->lanes[i] = (struct read_ahead_lane){0};
    }
}

static void pause_after(struct source *source, const struct why *why)
{
    log_warn(LOG_IMPORTER, "%s: rows are not read ahead of updates for %d s: %s", source->name,
             READ_AHEAD_PAUSE_MS / 1000, why->text);
    read_ahead_stop(&source->read_ahead);
    source->read_ahead.retry_ms = clock_mono_ms(source->storage->clock) + READ_AHEAD_PAUSE_MS;
}

/* --- answers --- */
static void count_rows(struct source *source, int64_t rows)
{
    pthread_mutex_lock(&source->status_mutex);
    source->status.read_ahead += (uint64_t)rows;
    pthread_mutex_unlock(&source->status_mutex);
}

static void take_answers(struct source *source)
{
    for (size_t i = 0; i < READ_AHEAD_CONNECTIONS; i++) {
        struct read_ahead_lane *lane = &source->read_ahead.lanes[i];
        int64_t rows = 0;
        struct why why;

        if (!lane->is_asked || !sql_is_answered(lane->sql)) {
            continue;
        }
        lane->is_asked = false;
        if (sql_take_number(lane->sql, &rows, &why) != ERR_OK) {
            pause_after(source, &why);
            return;
        }
        count_rows(source, rows);
    }
}

/* --- whether --- */
/** What the server counts. @return false when it cannot be asked: the batch's own statements will
 * meet that. */
static bool look_at_pool(struct source *source, int64_t *reads, int64_t *pages)
{
    const struct str *row;
    struct why why;
    enum err rc = sql_select(source->sql, &why,
                             "SHOW GLOBAL STATUS WHERE Variable_name IN "
                             "('Innodb_buffer_pool_reads', 'Innodb_buffer_pool_pages_total')");

    *reads = *pages = 0;
    while (rc == ERR_OK && (rc = sql_next(source->sql, &row, &why)) == ERR_OK) {
        *(str_eq_nocase(row[0], STR("Innodb_buffer_pool_reads")) ? reads : pages) =
            sql_to_number(row[1]);
    }
    return rc == ERR_NOT_FOUND;
}

/** @return How many rows may be read ahead now; 0: none. */
static size_t rows_wanted(struct source *source, size_t rows)
{
    struct read_ahead *ahead = &source->read_ahead;
    const int64_t before = ahead->before.reads, row_count = (int64_t)ahead->before.rows;
    int64_t reads, pages;

    if (!look_at_pool(source, &reads, &pages)) {
        return 0;
    }
    ahead->before.reads = reads;
    ahead->before.rows = rows;
    if (row_count == 0 || (reads - before) * MISSING_SHARE < row_count) {
        return 0;
    }
    return rows * POOL_SHARE < (size_t)pages ? rows : (size_t)pages / POOL_SHARE;
}

/* --- asking --- */
static enum err connect_lane(struct source *source, struct read_ahead_lane *lane, struct why *why)
{
    enum err rc = source_connect_new(source, &lane->sql, why);

    /* Rows that the batch has written meanwhile need not be shown as they were. */
    return rc != ERR_OK ? rc
                        : sql_exec(lane->sql, why,
                                   "SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED");
}

/** Connect what is not connected. @param free  Filled with lanes that can be asked. @return How
 * many. */
static size_t find_free_lanes(struct source *source,
                              struct read_ahead_lane *free[READ_AHEAD_CONNECTIONS])
{
    size_t count = 0;
    struct why why;

    for (size_t i = 0; i < READ_AHEAD_CONNECTIONS; i++) {
        struct read_ahead_lane *lane = &source->read_ahead.lanes[i];

        if (lane->sql == NULL && connect_lane(source, lane, &why) != ERR_OK) {
            pause_after(source, &why);
            return 0;
        }
        if (!lane->is_asked) {
            free[count++] = lane;
        }
    }
    return count;
}

/** Ask for every so manieth row from `first` up to `end`. */
static enum err ask(struct sql *sql, const int64_t *ids, size_t first, size_t end, size_t step,
                    struct why *why)
{
    struct buf text = {0};
    enum err rc;

    buf_add_str(&text, STR("SELECT 0"));
    for (size_t i = first, listed = 0; i < end; i += step, listed++) {
        if (listed % IDS_PER_LIST == 0) {
            buf_add_str(&text, listed == 0 ? STR("") : STR("))"));
            buf_add_str(&text, STR(" + (SELECT COUNT(*) FROM last FORCE INDEX (PRIMARY) "
                                   "WHERE object_id IN ("));
        } else {
            buf_add_char(&text, ',');
        }
        buf_printf(&text, "%lld", (long long)ids[i]);
    }
    buf_add_str(&text, STR("))"));
    rc = sql_post(sql, buf_str(&text), why);
    buf_free(&text);
    return rc;
}

void read_ahead_begin(struct source *source, const struct sql_array *rows, size_t column)
{
    struct read_ahead *ahead = &source->read_ahead;
    const int64_t now = clock_mono_ms(source->storage->clock);
    struct read_ahead_lane *free_lanes[READ_AHEAD_CONNECTIONS];
    size_t wanted, lanes;
    struct why why;

    if (rows->rows < READ_AHEAD_ROWS_MIN) {
        return;
    }
    take_answers(source);
    wanted = rows_wanted(source, rows->rows);
    if (wanted == 0 || now < ahead->retry_ms) {
        return;
    }
    lanes = find_free_lanes(source, free_lanes);
    ahead->used_ms = now;
    for (size_t i = 0; i < lanes && i < wanted; i++) {
        if (ask(free_lanes[i]->sql, rows->columns[column].numbers, i, wanted, lanes, &why) !=
            ERR_OK) {
            pause_after(source, &why);
            return;
        }
        free_lanes[i]->is_asked = true;
    }
}

void read_ahead_rest(struct source *source)
{
    take_answers(source);
    if (clock_mono_ms(source->storage->clock) - source->read_ahead.used_ms >= READ_AHEAD_PAUSE_MS) {
        read_ahead_stop(&source->read_ahead);
    }
}
