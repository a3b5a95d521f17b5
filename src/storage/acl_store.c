/*
 * Access control's SQL. Prefixes are bound, never pasted into statements: operators write them by
 * hand.
 */
#include "storage/acl_store.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "src/storage/acl_schema_sql.h" /* acl_schema_sql[]: etc/acl_schema.sql, by the build */
#include "storage/sql.h"

#define AT(field) offsetof(struct acl_conf, field)
#define DAY_S     INT64_C(86400)
#define DATE_MAX  sizeof("2026-11-22 23:59:00")

const struct conf_key acl_conf_keys[] = {
    {"acl.database.url",      conf_text,    AT(url),       "",
     "database of access control, as whois.db.master.url; empty: none"                        },
    {"acl.database.username", conf_text,    AT(username),  "",   "empty: as whois.db.master.*"},
    {"acl.database.password", conf_text,    AT(password),  "",   "its password"               },
    {"acl.refresh.sec",       conf_seconds, AT(refresh_s), "10",
     "how often its tables are read and written; 0: every second"                             },
    {NULL,                    NULL,         0,             NULL, NULL                         },
};

struct acl_store {
    const struct acl_conf *conf;
    struct jdbc_url url;
    struct sql_group group;
    struct sql *sql; /* NULL: not connected. */
};

/* --- life --- */

enum err acl_store_new(const struct acl_conf *conf, struct acl_store **out, struct why *why)
{
    struct acl_store *store = calloc(1, sizeof(*store));
    struct why cause;

    if (store == NULL) {
        abort();
    }
    store->conf = conf;
    if (jdbc_parse(conf->url, &store->url, &cause) != ERR_OK) {
        free(store);
        return why_set(why, ERR_SYNTAX, "acl.database.url: %.400s", cause.text);
    }
    sql_group_init(&store->group);
    *out = store;
    return ERR_OK;
}

void acl_store_free(struct acl_store *store)
{
    if (store != NULL) {
        sql_close(store->sql);
        sql_group_fini(&store->group);
        free(store);
    }
}

void acl_store_cut(struct acl_store *store)
{
    sql_group_cut(&store->group);
}

/* What every function ends with: a connection that failed is not used again. */
static enum err done(struct acl_store *store, enum err rc)
{
    if (rc != ERR_OK) {
        sql_close(store->sql);
        store->sql = NULL;
    }
    return rc;
}

enum err acl_store_open(struct acl_store *store, struct why *why)
{
    const struct acl_conf *conf = store->conf;
    enum err rc;

    if (store->sql != NULL) {
        return ERR_OK;
    }
    rc = sql_connect(&store->url, conf->username, conf->password, NULL, &store->group, &store->sql,
                     why);
    if (rc != ERR_OK) {
        store->sql = NULL;
        return rc;
    }
    rc = sql_use(store->sql, store->url.database, NULL, why);
    if (rc == ERR_OK) {
        rc = sql_exec_script(store->sql, acl_schema_sql, why);
    }
    return done(store, rc);
}

/* --- reading --- */

static enum err read_table(struct acl_store *store, enum acl_table table, const char *columns,
                           const char *name,
                           void (*visit)(void *context, const struct acl_row *row), void *context,
                           struct why *why)
{
    const struct str *row;
    enum err rc = sql_select(store->sql, why, "SELECT %s FROM %s", columns, name);

    while (rc == ERR_OK && (rc = sql_next(store->sql, &row, why)) == ERR_OK) {
        visit(context, &(struct acl_row){.table = table,
                                         .prefix = row[0],
                                         .limit = (int)sql_to_number(row[1]),
                                         .any_connections = sql_to_number(row[2]) != 0});
    }
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

enum err acl_store_read_rules(struct acl_store *store,
                              void (*visit)(void *context, const struct acl_row *row),
                              void *context, struct why *why)
{
    enum err rc =
        read_table(store, ACL_TABLE_DENIED, "prefix, 0, 0", "acl_denied", visit, context, why);

    if (rc == ERR_OK) {
        rc = read_table(store, ACL_TABLE_PROXY, "prefix, 0, 0", "acl_proxy", visit, context, why);
    }
    if (rc == ERR_OK) {
        rc = read_table(store, ACL_TABLE_LIMIT, "prefix, daily_limit, unlimited_connections + 0",
                        "acl_limit", visit, context, why);
    }
    return done(store, rc);
}

static void format_time(char out[static DATE_MAX], const char *format, int64_t seconds)
{
    time_t at = (time_t)seconds;
    struct tm when;

    gmtime_r(&at, &when);
    strftime(out, DATE_MAX, format, &when);
}

static void format_day(char out[static DATE_MAX], int32_t day)
{
    format_time(out, "%Y-%m-%d", day * DAY_S);
}

enum err acl_store_read_counts(struct acl_store *store, int32_t day, int64_t seconds,
                               void (*visit)(void *context, struct str prefix, uint64_t objects),
                               void *context, struct why *why)
{
    const struct str *row;
    char date[DATE_MAX];
    enum err rc;

    format_day(date, day);
    rc = sql_select(store->sql, why,
                    "SELECT prefix, objects FROM acl_personal WHERE count_date = '%s' AND "
                    "changed >= NOW() - INTERVAL %" PRId64 " SECOND",
                    date, seconds);
    while (rc == ERR_OK && (rc = sql_next(store->sql, &row, why)) == ERR_OK) {
        visit(context, row[0], (uint64_t)sql_to_number(row[1]));
    }
    return done(store, rc == ERR_NOT_FOUND ? ERR_OK : rc);
}

/* --- writing --- */

/* A row has to be there before it can be added to: the two statements share their array's form. */
static enum err add_counts(struct acl_store *store, const struct acl_change *counts, size_t count,
                           struct why *why)
{
    char(*dates)[DATE_MAX] = calloc(count, sizeof(*dates));
    struct sql_array rows, additions;
    enum err rc;

    if (dates == NULL && count > 0) {
        abort();
    }
    sql_array_init(&rows, "tt");
    sql_array_init(&additions, "ntt");
    for (size_t i = 0; i < count; i++) {
        struct str prefix = str_from(counts[i].prefix), date;

        format_day(dates[i], counts[i].day);
        date = str_from(dates[i]);
        SQL_ARRAY_ADD(&rows, {.text = prefix}, {.text = date});
        SQL_ARRAY_ADD(&additions, {.number = counts[i].number}, {.text = prefix}, {.text = date});
    }
    rc = sql_run(store->sql, "INSERT IGNORE INTO acl_personal (prefix, count_date) VALUES (?, ?)",
                 &rows, why);
    if (rc == ERR_OK) {
        rc = sql_run(store->sql,
                     "UPDATE acl_personal SET objects = objects + ? WHERE prefix = ? AND "
                     "count_date = ?",
                     &additions, why);
    }
    sql_array_fini(&rows);
    sql_array_fini(&additions);
    free(dates);
    return rc;
}

#define INSERT_EVENT                                                                               \
    "INSERT IGNORE INTO acl_event (prefix, event_time, daily_limit, event_type) "                  \
    "VALUES (?, ?, ?, ?)"

static enum err add_blocks(struct acl_store *store, const struct acl_change *blocks, size_t count,
                           struct why *why)
{
    char(*dates)[DATE_MAX] = calloc(count, sizeof(*dates));
    struct sql_array rows;
    enum err rc;

    if (dates == NULL && count > 0) {
        abort();
    }
    sql_array_init(&rows, "ttnt");
    for (size_t i = 0; i < count; i++) {
        format_day(dates[i], blocks[i].day);
        SQL_ARRAY_ADD(&rows, {.text = str_from(blocks[i].prefix)}, {.text = str_from(dates[i])},
                      {.number = blocks[i].number}, {.text = STR("BLOCK_TEMPORARY")});
    }
    rc = sql_run(store->sql, INSERT_EVENT, &rows, why);
    sql_array_fini(&rows);
    free(dates);
    return rc;
}

enum err acl_store_write(struct acl_store *store, const struct acl_change *counts,
                         size_t count_count, const struct acl_change *blocks, size_t block_count,
                         struct why *why)
{
    enum err rc;

    if (count_count == 0 && block_count == 0) {
        return ERR_OK;
    }
    rc = sql_begin(store->sql, why);
    if (rc == ERR_OK) {
        rc = add_counts(store, counts, count_count, why);
    }
    if (rc == ERR_OK) {
        rc = add_blocks(store, blocks, block_count, why);
    }
    return done(store, rc == ERR_OK ? sql_commit(store->sql, why) : rc);
}

/* --- nightly work --- */

struct offender {
    char prefix[4 * ACL_PREFIX_MAX + 1]; /* As UTF-8, whatever an operator wrote. */
    char comment[80];
    int64_t limit;
};

struct offenders {
    struct offender *at;
    size_t count, cap;
};

static struct offender *add_offender(struct offenders *list)
{
    if (list->count == list->cap) {
        list->cap = list->cap == 0 ? 16 : 2 * list->cap;
        list->at = reallocarray(list->at, list->cap, sizeof(list->at[0]));
        if (list->at == NULL) {
            abort();
        }
    }
    return &list->at[list->count++];
}

static enum err find_offenders(struct acl_store *store, const char *today, struct offenders *list,
                               struct why *why)
{
    const struct str *row;
    enum err rc =
        sql_select(store->sql, why,
                   "SELECT block.prefix, COUNT(*), MAX(block.daily_limit) FROM acl_event block "
                   "LEFT JOIN (SELECT prefix, MAX(event_time) AS since FROM acl_event "
                   "WHERE event_type <> 'BLOCK_TEMPORARY' GROUP BY prefix) pardon "
                   "ON pardon.prefix = block.prefix "
                   "WHERE block.event_type = 'BLOCK_TEMPORARY' "
                   "AND block.event_time >= '%s' - INTERVAL 30 DAY "
                   "AND (pardon.since IS NULL OR block.event_time > pardon.since) "
                   "AND block.prefix NOT IN (SELECT prefix FROM acl_denied) "
                   "GROUP BY block.prefix HAVING COUNT(*) >= %d",
                   today, ACL_BLOCKS_BEFORE_DENIAL);

    while (rc == ERR_OK && (rc = sql_next(store->sql, &row, why)) == ERR_OK) {
        struct offender *offender = add_offender(list);

        snprintf(offender->prefix, sizeof(offender->prefix), "%.*s", STR_ARG(row[0]));
        snprintf(offender->comment, sizeof(offender->comment),
                 "Automatic permanent ban after %d temporary blocks at %s",
                 (int)sql_to_number(row[1]), today);
        offender->limit = sql_to_number(row[2]);
    }
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

static enum err deny(struct acl_store *store, const struct offenders *list, const char *today,
                     const char *now, struct why *why)
{
    struct sql_array denials, events;
    enum err rc;

    sql_array_init(&denials, "ttt");
    sql_array_init(&events, "ttnt");
    for (size_t i = 0; i < list->count; i++) {
        struct str prefix = str_from(list->at[i].prefix);

        SQL_ARRAY_ADD(&denials, {.text = prefix}, {.text = str_from(list->at[i].comment)},
                      {.text = str_from(today)});
        SQL_ARRAY_ADD(&events, {.text = prefix}, {.text = str_from(now)},
                      {.number = list->at[i].limit}, {.text = STR("BLOCK_PERMANENTLY")});
    }
    rc = sql_run(store->sql,
                 "INSERT IGNORE INTO acl_denied (prefix, comment, denied_date) VALUES (?, ?, ?)",
                 &denials, why);
    if (rc == ERR_OK) {
        rc = sql_run(store->sql, INSERT_EVENT, &events, why);
    }
    sql_array_fini(&denials);
    sql_array_fini(&events);
    return rc;
}

static enum err forget_old(struct acl_store *store, const char *today, struct why *why)
{
    enum err rc = sql_exec(
        store->sql, why, "DELETE FROM acl_event WHERE event_time < '%s' - INTERVAL 3 MONTH", today);

    if (rc == ERR_OK) {
        rc = sql_exec(store->sql, why,
                      "DELETE FROM acl_denied WHERE denied_date < '%s' - INTERVAL 1 YEAR", today);
    }
    if (rc == ERR_OK) {
        rc = sql_exec(store->sql, why, "DELETE FROM acl_personal WHERE count_date < '%s'", today);
    }
    return rc;
}

enum err acl_store_clean(struct acl_store *store, int64_t now_s, struct why *why)
{
    struct offenders list = {0};
    char today[DATE_MAX], now[DATE_MAX];
    enum err rc = sql_begin(store->sql, why);

    format_day(today, (int32_t)(now_s / DAY_S));
    format_time(now, "%Y-%m-%d %H:%M:%S", now_s);
    if (rc == ERR_OK) {
        rc = find_offenders(store, today, &list, why);
    }
    if (rc == ERR_OK) {
        rc = deny(store, &list, today, now, why);
    }
    if (rc == ERR_OK) {
        rc = forget_old(store, today, why);
    }
    if (rc == ERR_OK) {
        rc = sql_commit(store->sql, why);
    }
    for (size_t i = 0; rc == ERR_OK && i < list.count; i++) {
        log_info(LOG_STORAGE, "denied for good prefix=%s", list.at[i].prefix);
    }
    free(list.at);
    return done(store, rc);
}
