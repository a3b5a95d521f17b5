/*
 * A source's database: made on demand, checked at the start, its secondary keys, its index tables
 * of the reference. Each check names the fault and the statement that mends it.
 */
#include "storage/source_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/log.h"
#include "src/storage/schema_sql.h" /* schema_sql[]: etc/schema.sql, made by the build */

enum {
    MEGABYTE = 1 << 20,
    REDO_LOG_SHARE = 8, /* Of the buffer pool; below that the redo log makes the server flush. */
};

/** Per-attribute tables of the reference server; one with a row in it says that the reference wrote
 * this database. */
static const char *const reference_tables[] = {
    "abuse_c",   "abuse_mailbox",  "admin_c",      "as_block",    "as_set",      "auth",
    "aut_num",   "author",         "domain",       "ds_rdata",    "e_mail",      "filter_set",
    "fingerpr",  "form",           "ifaddr",       "inaddr_arpa", "inet6num",    "inet_rtr",
    "inetnum",   "interface",      "irt",          "irt_nfy",     "key_cert",    "mbrs_by_ref",
    "member_of", "mnt_by",         "mnt_domains",  "mnt_irt",     "mnt_lower",   "mnt_nfy",
    "mnt_ref",   "mnt_routes",     "mntner",       "names",       "notify",      "nserver",
    "org",       "org_name",       "organisation", "peering_set", "person_role", "ping_hdl",
    "poem",      "poetic_form",    "ref_nfy",      "route",       "route6",      "route_set",
    "rtr_set",   "sponsoring_org", "status",       "tech_c",      "upd_to",      "zone_c",
};
#define REFERENCE_TABLES (sizeof(reference_tables) / sizeof(reference_tables[0]))

/* --- privileges --- */
static enum err denied(const struct source *source, enum err rc, const char *what, struct why *why)
{
    const char *user = source->storage->conf.username;
    const char *host = source->url.socket[0] != '\0' ? "localhost" : "%";
    struct why cause = *why;

    if (rc != ERR_DENIED) {
        return rc;
    }
    return why_set(
        why, rc,
        "user %s may not %s %s; as the database's administrator run: CREATE DATABASE IF NOT "
        "EXISTS `%s`; GRANT ALL PRIVILEGES ON `%s`.* TO '%s'@'%s'; (%.120s)",
        user, what, source->url.database, source->url.database, source->url.database, user, host,
        cause.text);
}

/** What every update does; a statement that touches no row is refused just the same. */
static enum err test_updating(struct source *source, struct why *why)
{
    static const char *const statements[] = {
        "SELECT 1 FROM last WHERE object_id = 0",
        "SELECT global_lock FROM update_lock WHERE global_lock < 0 FOR UPDATE",
        "INSERT INTO last SELECT * FROM last WHERE FALSE",
        "UPDATE last SET sequence_id = 0 WHERE FALSE",
        "DELETE FROM last WHERE FALSE",
        "INSERT INTO history SELECT * FROM history WHERE FALSE",
        "INSERT INTO serials SELECT * FROM serials WHERE FALSE",
        "UPDATE serials SET atlast = 0 WHERE FALSE",
        "DELETE FROM serials WHERE FALSE",
        "UPDATE nrtm_state SET hw = 0 WHERE FALSE",
        "INSERT INTO nrtm_quarantine SELECT * FROM nrtm_quarantine WHERE FALSE",
    };
    enum err rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < sizeof(statements) / sizeof(statements[0]); i++) {
        const struct str *row;

        if (strncmp(statements[i], "SELECT", 6) != 0) {
            rc = sql_exec(source->sql, why, "%s", statements[i]);
            continue;
        }
        rc = sql_select(source->sql, why, "%s", statements[i]);
        if (rc == ERR_OK && (rc = sql_next(source->sql, &row, why)) == ERR_OK) {
            sql_end_rows(source->sql);
        }
        rc = rc == ERR_NOT_FOUND ? ERR_OK : rc;
    }
    return denied(source, rc, "read and write", why);
}

/** What loading a dump needs besides: keys are dropped and added, tables emptied. */
static enum err test_loading(struct source *source, struct why *why)
{
    static const char *const statements[] = {
        "DROP TABLE IF EXISTS nrtm_probe",
        "CREATE TABLE nrtm_probe (id int, PRIMARY KEY (id)) ENGINE=InnoDB",
        "ALTER TABLE nrtm_probe ADD COLUMN more int, ADD KEY more (more)",
        "TRUNCATE TABLE nrtm_probe",
        "DROP TABLE nrtm_probe",
    };
    enum err rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < sizeof(statements) / sizeof(statements[0]); i++) {
        rc = sql_exec(source->sql, why, "%s", statements[i]);
    }
    return denied(source, rc, "create and alter tables in", why);
}

/* --- the server --- */
struct server {
    int64_t packet, flush, pool, redo_log, is_read_only, log_bin;
    char binlog_format[32], version[100], datadir[300];
};

static void copy_field(char *out, size_t size, struct str field)
{
    snprintf(out, size, "%.*s", STR_ARG(field));
}

static enum err read_server(struct source *source, struct server *out, struct why *why)
{
    const struct str *row;
    enum err rc = sql_select(source->sql, why,
                             "SELECT @@max_allowed_packet, @@innodb_flush_log_at_trx_commit, "
                             "@@innodb_buffer_pool_size, @@read_only, @@log_bin, @@binlog_format, "
                             "@@version, @@datadir");

    if (rc != ERR_OK || (rc = sql_next(source->sql, &row, why)) != ERR_OK) {
        return rc;
    }
    out->packet = sql_to_number(row[0]);
    out->flush = sql_to_number(row[1]);
    out->pool = sql_to_number(row[2]);
    out->is_read_only = sql_to_number(row[3]);
    out->log_bin = sql_to_number(row[4]);
    copy_field(out->binlog_format, sizeof(out->binlog_format), row[5]);
    copy_field(out->version, sizeof(out->version), row[6]);
    copy_field(out->datadir, sizeof(out->datadir), row[7]);
    sql_end_rows(source->sql);
    out->redo_log = 0; /* Not every server has the variable. */
    rc = sql_select(source->sql, why, "SHOW GLOBAL VARIABLES LIKE 'innodb_log_file_size'");
    if (rc == ERR_OK && (rc = sql_next(source->sql, &row, why)) == ERR_OK) {
        out->redo_log = sql_to_number(row[1]);
        sql_end_rows(source->sql);
    }
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

/** @return Free bytes at a path, or UINT64_MAX when that cannot be told. */
static uint64_t free_bytes(const char *path)
{
    struct statvfs fs;

    return path == NULL || statvfs(path, &fs) != 0 ? UINT64_MAX
                                                   : (uint64_t)fs.f_bavail * fs.f_frsize;
}

static bool is_local(const struct source *source)
{
    const char *host = source->url.host;

    return source->url.socket[0] != '\0' || strcmp(host, "localhost") == 0 ||
           strcmp(host, "127.0.0.1") == 0 || strcmp(host, "::1") == 0;
}

static void warn_low_disk(const char *what, const char *path)
{
    const uint64_t bytes = free_bytes(path);

    if (bytes < (uint64_t)1024 * MEGABYTE) {
        log_warn(LOG_STORAGE, "only %" PRIu64 " MB are free for %s in %s", bytes / MEGABYTE, what,
                 path);
    }
}

static void describe_packet(const struct source *source, int64_t packet)
{
    static const char advice[] = "SET GLOBAL max_allowed_packet = 67108864, and in the server's "
                                 "configuration";
    const int64_t object = source->storage->conf.object_max_bytes;

    if (packet < object) {
        log_error(LOG_STORAGE,
                  "max_allowed_packet = %" PRId64 " is below mirror.max.object.size = %" PRId64
                  ": larger objects cannot be stored: %s",
                  packet, object, advice);
    } else if (packet < 20 * MEGABYTE) {
        log_warn(LOG_STORAGE, "max_allowed_packet = %" PRId64 " is below 20M: %s", packet, advice);
    }
}

/** Log what an operator may want to change; once for all sources. */
static void describe_server(struct source *source, const struct server *server)
{
    struct storage *storage = source->storage;
    bool was_described;

    pthread_mutex_lock(&storage->lock);
    was_described = storage->server_was_described;
    storage->server_was_described = true;
    pthread_mutex_unlock(&storage->lock);
    if (was_described) {
        return;
    }
    log_info(LOG_STORAGE,
             "database server %s max_allowed_packet=%" PRId64
             " innodb_flush_log_at_trx_commit=%" PRId64 " innodb_buffer_pool_size=%" PRId64
             " innodb_log_file_size=%" PRId64 " bulk=%s",
             server->version, server->packet, server->flush, server->pool, server->redo_log,
             sql_has_bulk(source->sql) ? "yes" : "no");
    describe_packet(source, server->packet);
    if (server->flush != 1 && server->flush != 3) {
        log_warn(LOG_STORAGE, "durability is reduced: a power failure may lose updates of the last "
                              "second: SET GLOBAL "
                              "innodb_flush_log_at_trx_commit = 1");
    }
    if (server->pool < (int64_t)256 * MEGABYTE) {
        log_warn(LOG_STORAGE,
                 "innodb_buffer_pool_size = %" PRId64
                 " MB: updates of a large source will wait for the "
                 "disk: SET GLOBAL innodb_buffer_pool_size = 2147483648",
                 server->pool / MEGABYTE);
    }
    if (server->redo_log > 0 && server->redo_log < server->pool / REDO_LOG_SHARE) {
        log_warn(LOG_STORAGE,
                 "innodb_log_file_size = %" PRId64 " MB: a backlog of updates will write the same "
                 "pages again and again: SET GLOBAL innodb_log_file_size = %" PRId64
                 ", and in the server's configuration",
                 server->redo_log / MEGABYTE, server->pool / REDO_LOG_SHARE * 2);
    }
    if (is_local(source)) {
        warn_low_disk("the database", server->datadir);
    }
    if (storage->conf.var_dir != NULL) {
        warn_low_disk("checkpoints and logs", storage->conf.var_dir);
    }
}

static enum err check_server(struct source *source, struct why *why)
{
    struct server server;
    enum err rc = read_server(source, &server, why);

    if (rc != ERR_OK) {
        return rc;
    }
    describe_server(source, &server);
    if (server.is_read_only) {
        return why_set(why, ERR_SQL_FULL,
                       "the database server is read-only: SET GLOBAL read_only = 0");
    }
    if (server.log_bin && strcmp(server.binlog_format, "STATEMENT") == 0) {
        return why_set(why, ERR_SQL,
                       "binlog_format = STATEMENT does not work with READ COMMITTED: SET "
                       "GLOBAL binlog_format = MIXED");
    }
    return ERR_OK;
}

enum err tables_check_disk(struct source *source, struct sql *sql, uint64_t bytes, struct why *why)
{
    const struct str *row;
    char datadir[300];
    uint64_t have;
    enum err rc;

    if (!is_local(source) || bytes == 0) {
        return ERR_OK;
    }
    rc = sql_select(sql, why, "SELECT @@datadir");
    if (rc != ERR_OK || (rc = sql_next(sql, &row, why)) != ERR_OK) {
        return rc;
    }
    copy_field(datadir, sizeof(datadir), row[0]);
    sql_end_rows(sql);
    have = free_bytes(datadir);
    log_info(LOG_LOADER, "%s: about %" PRIu64 " MB of disk needed in %s", source->name,
             bytes / MEGABYTE, datadir);
    if (have < bytes) {
        return why_set(why, ERR_SQL_FULL,
                       "%s has %" PRIu64 " MB free, the load needs about %" PRIu64 " MB", datadir,
                       have / MEGABYTE, bytes / MEGABYTE);
    }
    return ERR_OK;
}

/* --- database and tables --- */
static enum err use_database(struct source *source, struct why *why)
{
    const char *database = source->url.database;
    bool created = false;
    enum err rc = denied(source, sql_use(source->sql, database, &created, why), "create", why);

    if (created) {
        log_info(LOG_STORAGE, "%s: database %s created", source->name, database);
    }
    return rc;
}

/** Whether every table is there, and the column that came last. */
static enum err find_tables(struct source *source, bool *out, struct why *why)
{
    int64_t present = 0;
    enum err rc = sql_select_number(
        source->sql, &present, why,
        "SELECT (SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = '%s' AND "
        "table_name IN ('last', 'history', 'serials', 'update_lock', 'version', 'nrtm_state', "
        "'nrtm_quarantine', 'nrtm_checkpoint')) + (SELECT COUNT(*) FROM "
        "information_schema.columns WHERE table_schema = '%s' AND table_name = 'nrtm_state' AND "
        "column_name = 'fresh_time')",
        source->url.database, source->url.database);

    *out = present == 9;
    return rc;
}

static enum err create_tables(struct source *source, struct why *why)
{
    bool are_there = false;
    int64_t seeded = 0;
    enum err rc = find_tables(source, &are_there, why);

    if (rc == ERR_OK && are_there) {
        rc = sql_select_number(source->sql, &seeded, why,
                               "SELECT (SELECT COUNT(*) FROM update_lock) > 0 AND "
                               "(SELECT COUNT(*) FROM version) > 0");
        rc = rc == ERR_DENIED ? denied(source, rc, "read", why) : rc;
    }
    if (rc == ERR_OK && !seeded) {
        rc = denied(source, sql_exec_script(source->sql, schema_sql, why), "create tables in", why);
    }
    if (rc == ERR_OK) {
        rc = sql_exec(
            source->sql, why,
            "INSERT IGNORE INTO nrtm_state (mirror, source, generation) VALUES ('%s', '%s', "
            "%" PRIu64 ")",
            source->name, source->upstream, random_number());
    }
    return denied(source, rc, "write to", why);
}

/** Before 1.115 the reference's texts were Latin-1. */
static enum err check_version(struct source *source, struct why *why)
{
    const struct str *row;
    char version[81] = "";
    int major = 0, minor = 0;
    enum err rc =
        sql_select(source->sql, why,
                   "SELECT version FROM version ORDER BY LENGTH(version) DESC, version DESC");

    if (rc != ERR_OK || (rc = sql_next(source->sql, &row, why)) != ERR_OK) {
        return rc == ERR_NOT_FOUND ? ERR_OK : rc;
    }
    copy_field(version, sizeof(version), row[0]);
    sql_end_rows(source->sql);
    if (sscanf(version, "whois-%d.%d", &major, &minor) == 2 && (major > 1 || minor >= 115)) {
        return ERR_OK;
    }
    return why_set(why, ERR_SQL,
                   "%s has version %.40s, whois-1.115 or later is needed (texts in UTF-8): "
                   "apply the reference server's patches first",
                   source->url.database, version);
}

static enum err table_has_rows(struct source *source, const char *table, bool *out, struct why *why)
{
    int64_t one;
    enum err rc = sql_select_number(source->sql, &one, why, "SELECT 1 FROM `%s` LIMIT 1", table);

    *out = rc == ERR_OK;
    return rc == ERR_NOT_FOUND ? ERR_OK : rc; /* No row, or no such table. */
}

static enum err find_reference_rows(struct source *source, bool *out, struct why *why)
{
    enum err rc = ERR_OK;

    *out = false;
    for (size_t i = 0; rc == ERR_OK && !*out && i < REFERENCE_TABLES; i++) {
        rc = table_has_rows(source, reference_tables[i], out, why);
    }
    return rc;
}

static void set_read_only(struct source *source, bool read_only)
{
    pthread_mutex_lock(&source->status_mutex);
    source->status.read_only = read_only;
    pthread_mutex_unlock(&source->status_mutex);
}

static enum err check_adopted(struct source *source, struct why *why)
{
    bool is_reference;
    enum err rc = find_reference_rows(source, &is_reference, why);

    if (rc != ERR_OK) {
        return rc;
    }
    if (is_reference) {
        log_warn(
            LOG_STORAGE,
            "%s: %s was written by the reference server and is read-only; to take it over: whoisd "
            "--adopt %s",
            source->name, source->url.database, source->name);
    }
    set_read_only(source, is_reference);
    return ERR_OK;
}

static enum err check_privileges(struct source *source, struct why *why)
{
    bool has_rows = false;
    struct why cause;
    enum err rc = test_updating(source, why);

    if (rc == ERR_OK) {
        rc = table_has_rows(source, "last", &has_rows, why);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    rc = test_loading(source, &cause);
    if (rc != ERR_OK && rc != ERR_SQL_LOST && has_rows) {
        log_warn(LOG_STORAGE, "%s: a first load would not be possible: %s", source->name,
                 cause.text);
        return ERR_OK; /* What is there can be served, on a full disk too. */
    }
    if (rc != ERR_OK) {
        *why = cause;
    }
    return rc;
}

typedef enum err check_fn(struct source *source, struct why *why);
static check_fn *const checks[] = {
    check_server, use_database, create_tables, check_privileges, check_version, check_adopted,
};

enum err tables_prepare(struct source *source, struct why *why)
{
    const struct storage_conf *conf = &source->storage->conf;
    enum err rc = ERR_OK;

    sql_close(source->sql);
    source->sql = NULL;
    rc = sql_connect(&source->url, conf->username, conf->password, NULL,
                     &source->storage->connections, &source->sql, why);
    for (size_t i = 0; rc == ERR_OK && i < sizeof(checks) / sizeof(checks[0]); i++) {
        rc = checks[i](source, why);
    }
    return rc;
}

/* --- secondary keys of `last` --- */
enum err tables_have_keys(struct sql *sql, bool *out, struct why *why)
{
    int64_t keys = 0;
    enum err rc =
        sql_select_number(sql, &keys, why,
                          "SELECT COUNT(*) FROM information_schema.statistics WHERE table_schema = "
                          "DATABASE() AND table_name = 'last' AND index_name IN ('last_pkey', "
                          "'object_type_index')");

    *out = keys == 2;
    return rc;
}

enum err tables_add_keys(struct sql *sql, struct why *why)
{
    bool has_keys;
    enum err rc = tables_have_keys(sql, &has_keys, why);

    if (rc != ERR_OK || has_keys) {
        return rc;
    }
    return sql_exec(
        sql, why,
        "ALTER TABLE last ADD KEY IF NOT EXISTS last_pkey (pkey), ADD KEY IF NOT EXISTS "
        "object_type_index (object_type), ALGORITHM=INPLACE, LOCK=NONE");
}

enum err tables_drop_keys(struct sql *sql, struct why *why)
{
    return sql_exec(sql, why,
                    "ALTER TABLE last DROP KEY IF EXISTS last_pkey, DROP KEY IF EXISTS "
                    "object_type_index");
}

/* --- a load that did not end --- */
/** Whether loading = 1 stands. Under update_lock a last transaction whose end nobody saw has ended,
 * whichever way. */
static enum err load_stands_open(struct source *source, struct sql *sql, bool *out, struct why *why)
{
    struct database_position found = {0};
    enum err rc = sql_begin(sql, why);

    if (rc == ERR_OK) {
        rc = position_lock(sql, why);
    }
    if (rc == ERR_OK) {
        rc = position_read(source, sql, &found, why);
    }
    sql_rollback(sql); /* Gives up the lock; nothing was written. */
    *out = found.is_loading;
    return rc;
}

enum err tables_undo_load(struct source *source, struct sql *sql, struct why *why)
{
    bool is_loading = false;
    int64_t is_ours = 0;
    enum err rc;

    /* Only the loader holds this lock: with it free nobody loads any more. */
    rc = sql_select_number(sql, &is_ours, why, "SELECT GET_LOCK('whoisd.load.%.45s', 0)",
                           source->url.database);
    if (rc == ERR_OK && !is_ours) {
        return why_set(why, ERR_BUSY, "%s is being loaded by another process",
                       source->url.database);
    }
    if (rc == ERR_OK) {
        rc = load_stands_open(source, sql, &is_loading, why);
    }
    if (rc == ERR_OK && is_loading) {
        log_warn(LOG_STORAGE, "%s: a load did not end, emptying %s", source->name,
                 source->url.database);
        rc = sql_exec(sql, why, "TRUNCATE TABLE last");
    }
    if (rc == ERR_OK && is_loading) {
        rc = sql_exec(sql, why, "UPDATE nrtm_state SET loading = 0 WHERE mirror = '%s'",
                      source->name);
    }
    if (rc == ERR_OK) {
        rc = sql_exec(sql, why, "DO RELEASE_LOCK('whoisd.load.%.45s')", source->url.database);
    }
    return rc;
}

/* --- taking over a database of the reference --- */
enum err source_adopt(struct source *source, struct why *why)
{
    enum err rc = source_check_open(source, why);

    if (rc == ERR_OK) {
        rc = source_lock(source, WRITER_SHORT, why);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    rc = source_connect(source, why);
    for (size_t i = 0; rc == ERR_OK && i < REFERENCE_TABLES; i++) {
        bool has_rows;

        rc = table_has_rows(source, reference_tables[i], &has_rows, why);
        if (rc == ERR_OK && has_rows) {
            rc = sql_exec(source->sql, why, "TRUNCATE TABLE `%s`", reference_tables[i]);
        }
    }
    rc = source_sql_done(source, denied(source, rc, "empty tables in", why), why);
    if (rc == ERR_OK) {
        set_read_only(source, false);
        log_info(LOG_STORAGE, "%s: %s has been taken over", source->name, source->url.database);
    }
    source_unlock(source);
    return rc;
}
