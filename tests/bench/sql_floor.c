/*
 * What a bare client of the same database needs for the work that whoisd does: the floors of
 * loading, restarting, catching up and freshness. Same rows, same array binding, same durability;
 * no index, no checks.
 *
 *   parse   read, inflate and parse a dump
 *   insert  a dump's objects into the empty table `last` of a database of its own
 *   select  all rows of `last` over two connections, as a restart does
 *   update  uniformly spread updates in transactions of 4 MB, on what insert made
 *   commit  the same, one object per transaction: how long each takes
 *
 * Prints one line of name=value pairs.
 */
#include <getopt.h>
#include <mysql.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dump_reader.h"

#define BATCH_BYTES  (4 << 20)
#define BATCH_ROWS   16384
#define OBJECT_BYTES (20 << 20) /* The longest one. */
#define UPDATE_BYTES 700        /* Length of an updated object's text. */

struct settings {
    const char *command, *defaults_file, *database, *dump_path;
    unsigned long count;
};

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* --- SQL: every failure ends the program --- */

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "sql_floor: %s: %s\n", what, why);
    exit(1);
}

static MYSQL *sql_connect(const struct settings *settings, const char *database)
{
    MYSQL *sql = mysql_init(NULL);

    mysql_options(sql, MYSQL_READ_DEFAULT_FILE, settings->defaults_file);
    if (mysql_real_connect(sql, NULL, NULL, NULL, database, 0, NULL, 0) == NULL) {
        die("connect", mysql_error(sql));
    }
    return sql;
}

static void sql_run(MYSQL *sql, const char *statement)
{
    MYSQL_RES *result;

    if (mysql_query(sql, statement) != 0) {
        die(statement, mysql_error(sql));
    }
    result = mysql_store_result(sql);
    mysql_free_result(result);
}

/* Prepare a statement, its parameters bound column by column. */
static MYSQL_STMT *statement_new(MYSQL *sql, const char *text, MYSQL_BIND *columns)
{
    MYSQL_STMT *statement = mysql_stmt_init(sql);

    if (mysql_stmt_prepare(statement, text, strlen(text)) != 0 ||
        mysql_stmt_bind_param(statement, columns) != 0) {
        die(text, mysql_stmt_error(statement));
    }
    return statement;
}

static void statement_run(MYSQL_STMT *statement, unsigned rows)
{
    if (mysql_stmt_attr_set(statement, STMT_ATTR_ARRAY_SIZE, &rows) != 0 ||
        mysql_stmt_execute(statement) != 0) {
        die("execute", mysql_stmt_error(statement));
    }
}

/* --- a batch of rows, bound as arrays --- */

struct batch {
    unsigned rows;
    uint32_t id[BATCH_ROWS], sequence[BATCH_ROWS], old_sequence[BATCH_ROWS], time[BATCH_ROWS];
    uint32_t serial[BATCH_ROWS];
    uint8_t type[BATCH_ROWS];
    char *object[BATCH_ROWS], *key[BATCH_ROWS];
    unsigned long object_len[BATCH_ROWS], key_len[BATCH_ROWS];
    char *text;
    size_t text_len;
};

static MYSQL_BIND bind_u32(uint32_t *values)
{
    return (MYSQL_BIND){.buffer_type = MYSQL_TYPE_LONG, .buffer = values, .is_unsigned = 1};
}

static MYSQL_BIND bind_u8(uint8_t *values)
{
    return (MYSQL_BIND){.buffer_type = MYSQL_TYPE_TINY, .buffer = values, .is_unsigned = 1};
}

static MYSQL_BIND bind_bytes(enum enum_field_types type, char **values, unsigned long *lengths)
{
    return (MYSQL_BIND){.buffer_type = type, .buffer = values, .length = lengths};
}

static void batch_add(struct batch *batch, const struct dump_object *object, uint32_t id)
{
    unsigned row = batch->rows++;
    char *at;

    if (object->len > OBJECT_BYTES) {
        die("dump", "object too long");
    }
    at = batch->text + batch->text_len;
    memcpy(at, object->text, object->len);
    memcpy(at + object->len, object->key, object->key_len);
    batch->object[row] = at;
    batch->object_len[row] = object->len;
    batch->key[row] = at + object->len;
    batch->key_len[row] = object->key_len < 254 ? object->key_len : 254;
    batch->text_len += object->len + object->key_len;
    batch->id[row] = id;
    batch->sequence[row] = 1;
    batch->time[row] = (uint32_t)time(NULL);
    batch->type[row] = (uint8_t)object->type;
}

/* --- parse, insert --- */

static struct dump_reader *dump_open(const struct settings *settings)
{
    struct dump_reader *reader = dump_reader_open(settings->dump_path);

    if (reader == NULL) {
        die(settings->dump_path, "cannot be opened");
    }
    return reader;
}

static void run_parse(const struct settings *settings)
{
    struct dump_reader *reader = dump_open(settings);
    struct dump_object object;
    size_t objects = 0, attributes = 0;
    double began = now_s(), took;

    while (dump_reader_next(reader, &object)) {
        objects++;
        attributes += object.attributes;
    }
    took = now_s() - began;
    printf("objects=%zu attributes=%zu bytes=%zu seconds=%.3f rate=%.0f\n", objects, attributes,
           dump_reader_bytes(reader), took, (double)objects / took);
    dump_reader_close(reader);
}

static void tables_create(MYSQL *sql, const char *database)
{
    static const char *const statements[] = {
        "CREATE TABLE last (object_id int unsigned NOT NULL, sequence_id int unsigned NOT NULL, "
        "timestamp int unsigned NOT NULL, object_type tinyint unsigned NOT NULL, "
        "object longblob NOT NULL, pkey varchar(254) NOT NULL, PRIMARY KEY (object_id))",
        "CREATE TABLE history (object_id int unsigned NOT NULL, "
        "sequence_id int unsigned NOT NULL, timestamp int unsigned NOT NULL, "
        "object_type tinyint unsigned NOT NULL, object longblob NOT NULL, "
        "pkey varchar(254) NOT NULL, PRIMARY KEY (object_id, sequence_id), "
        "KEY history_pkey (pkey), KEY history_timestamp (timestamp))",
        "CREATE TABLE serials (serial_id int NOT NULL, object_id int unsigned NOT NULL, "
        "sequence_id int unsigned NOT NULL, atlast tinyint unsigned NOT NULL, "
        "operation tinyint unsigned NOT NULL, PRIMARY KEY (serial_id), "
        "KEY object (object_id, sequence_id))",
    };
    char text[200];

    snprintf(text, sizeof(text), "DROP DATABASE IF EXISTS %s", database);
    sql_run(sql, text);
    snprintf(text, sizeof(text), "CREATE DATABASE %s CHARACTER SET utf8mb4", database);
    sql_run(sql, text);
    mysql_select_db(sql, database);
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        sql_run(sql, statements[i]);
    }
}

static void run_insert(const struct settings *settings)
{
    struct dump_reader *reader = dump_open(settings);
    MYSQL *sql = sql_connect(settings, NULL);
    struct batch *batch = calloc(1, sizeof(*batch));
    MYSQL_BIND columns[] = {
        bind_u32(batch->id),
        bind_u32(batch->sequence),
        bind_u32(batch->time),
        bind_u8(batch->type),
        bind_bytes(MYSQL_TYPE_BLOB, batch->object, batch->object_len),
        bind_bytes(MYSQL_TYPE_STRING, batch->key, batch->key_len),
    };
    MYSQL_STMT *statement;
    struct dump_object object;
    uint32_t objects = 0;
    double began, took, sql_took = 0;
    bool more;

    batch->text = malloc(BATCH_BYTES + 2 * OBJECT_BYTES);
    tables_create(sql, settings->database);
    statement = statement_new(sql, "INSERT INTO last VALUES (?, ?, ?, ?, ?, ?)", columns);
    began = now_s();
    do {
        more = dump_reader_next(reader, &object);
        if (more) {
            batch_add(batch, &object, ++objects);
        }
        if (batch->rows == BATCH_ROWS || batch->text_len >= BATCH_BYTES ||
            (!more && batch->rows > 0)) {
            double sql_began = now_s();

            statement_run(statement, batch->rows); /* Commits. */
            sql_took += now_s() - sql_began;
            batch->rows = 0;
            batch->text_len = 0;
        }
    } while (more);
    took = now_s() - began;
    printf("objects=%u seconds=%.3f sql_seconds=%.3f rate=%.0f sql_rate=%.0f\n", objects, took,
           sql_took, objects / took, objects / sql_took);
    mysql_stmt_close(statement);
    mysql_close(sql);
    dump_reader_close(reader);
    free(batch->text);
    free(batch);
}

/* --- select --- */

struct select_part {
    const struct settings *settings;
    unsigned long from, to; /* Of object_id, to excluded. */
    unsigned long rows, bytes;
    pthread_t thread;
};

static void *select_run(void *argument)
{
    struct select_part *part = argument;
    MYSQL *sql = sql_connect(part->settings, part->settings->database);
    MYSQL_RES *result;
    char text[300];

    snprintf(text, sizeof(text),
             "SELECT object_id, sequence_id, timestamp, object_type, object FROM last "
             "WHERE object_id >= %lu AND object_id < %lu AND sequence_id != 0",
             part->from, part->to);
    if (mysql_query(sql, text) != 0 || (result = mysql_use_result(sql)) == NULL) {
        die(text, mysql_error(sql));
    }
    for (MYSQL_ROW row; (row = mysql_fetch_row(result)) != NULL;) {
        part->bytes += mysql_fetch_lengths(result)[4];
        part->rows++;
    }
    if (mysql_errno(sql) != 0) {
        die(text, mysql_error(sql));
    }
    mysql_free_result(result);
    mysql_close(sql);
    return NULL;
}

static unsigned long highest_id(const struct settings *settings)
{
    MYSQL *sql = sql_connect(settings, settings->database);
    MYSQL_RES *result;
    MYSQL_ROW row;
    unsigned long id;

    if (mysql_query(sql, "SELECT max(object_id) FROM last") != 0 ||
        (result = mysql_store_result(sql)) == NULL || (row = mysql_fetch_row(result)) == NULL ||
        row[0] == NULL) {
        die("last", "no rows");
    }
    id = strtoul(row[0], NULL, 10);
    mysql_free_result(result);
    mysql_close(sql);
    return id;
}

static void run_select(const struct settings *settings)
{
    unsigned long end = highest_id(settings) + 1;
    struct select_part parts[2] = {
        {.settings = settings, .from = 0,       .to = end / 2},
        {.settings = settings, .from = end / 2, .to = end    },
    };
    unsigned long rows = 0, bytes = 0;
    double began = now_s(), took;

    for (int i = 0; i < 2; i++) {
        pthread_create(&parts[i].thread, NULL, select_run, &parts[i]);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(parts[i].thread, NULL);
        rows += parts[i].rows;
        bytes += parts[i].bytes;
    }
    took = now_s() - began;
    printf("objects=%lu bytes=%lu seconds=%.3f rate=%.0f\n", rows, bytes, took,
           (double)rows / took);
}

/* --- update, commit --- */

struct updater {
    MYSQL *sql;
    MYSQL_STMT *history, *last, *serials;
    struct batch *batch;
    unsigned long highest_id;
    uint32_t *sequences; /* By object_id. */
    uint32_t serial;
};

static void updater_init(struct updater *updater, const struct settings *settings)
{
    struct batch *batch = calloc(1, sizeof(*batch));
    MYSQL_BIND object = bind_bytes(MYSQL_TYPE_BLOB, batch->object, batch->object_len);
    MYSQL_BIND key = bind_bytes(MYSQL_TYPE_STRING, batch->key, batch->key_len);
    MYSQL_BIND history[] = {
        bind_u32(batch->id),
        bind_u32(batch->old_sequence),
        bind_u32(batch->time),
        bind_u8(batch->type),
        object,
        key,
    };
    MYSQL_BIND last[] = {
        bind_u32(batch->sequence),
        bind_u32(batch->time),
        object,
        bind_u32(batch->id),
    };
    MYSQL_BIND serials[] = {
        bind_u32(batch->serial),
        bind_u32(batch->id),
        bind_u32(batch->sequence),
    };

    updater->highest_id = highest_id(settings);
    updater->sql = sql_connect(settings, settings->database);
    sql_run(updater->sql, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED");
    sql_run(updater->sql, "TRUNCATE history");
    sql_run(updater->sql, "TRUNCATE serials");
    sql_run(updater->sql, "UPDATE last SET sequence_id = 1 WHERE sequence_id != 1");
    updater->history =
        statement_new(updater->sql, "INSERT INTO history VALUES (?, ?, ?, ?, ?, ?)", history);
    updater->last = statement_new(
        updater->sql,
        "UPDATE last SET sequence_id = ?, timestamp = ?, object = ? WHERE object_id = ?", last);
    updater->serials =
        statement_new(updater->sql, "INSERT INTO serials VALUES (?, ?, ?, 1, 1)", serials);
    updater->batch = batch;
    updater->sequences = calloc(updater->highest_id + 1, sizeof(uint32_t));
    batch->text = malloc(UPDATE_BYTES);
    memset(batch->text, 'x', UPDATE_BYTES);
    for (unsigned i = 0; i < BATCH_ROWS; i++) {
        batch->object[i] = batch->key[i] = batch->text;
        batch->object_len[i] = UPDATE_BYTES;
        batch->key_len[i] = 30;
        batch->type[i] = 6;
    }
    srandom(1);
}

static void updater_fini(struct updater *updater)
{
    mysql_stmt_close(updater->history);
    mysql_stmt_close(updater->last);
    mysql_stmt_close(updater->serials);
    mysql_close(updater->sql);
    free(updater->batch->text);
    free(updater->batch);
    free(updater->sequences);
}

static void updater_commit(struct updater *updater, unsigned rows)
{
    struct batch *batch = updater->batch;

    for (unsigned i = 0; i < rows; i++) {
        batch->id[i] = 1 + (uint32_t)((unsigned long)random() % updater->highest_id);
        batch->old_sequence[i] = ++updater->sequences[batch->id[i]];
        batch->sequence[i] = batch->old_sequence[i] + 1;
        batch->time[i] = (uint32_t)time(NULL);
        batch->serial[i] = ++updater->serial;
    }
    sql_run(updater->sql, "START TRANSACTION");
    statement_run(updater->history, rows);
    statement_run(updater->last, rows);
    statement_run(updater->serials, rows);
    sql_run(updater->sql, "COMMIT");
}

static void run_update(const struct settings *settings)
{
    const unsigned rows_per_batch = BATCH_BYTES / UPDATE_BYTES;
    struct updater updater = {0};
    unsigned long left = settings->count;
    double began, took;

    updater_init(&updater, settings);
    began = now_s();
    while (left > 0) {
        unsigned rows = left < rows_per_batch ? (unsigned)left : rows_per_batch;

        updater_commit(&updater, rows);
        left -= rows;
    }
    took = now_s() - began;
    printf("updates=%lu seconds=%.3f rate=%.0f\n", settings->count, took,
           (double)settings->count / took);
    updater_fini(&updater);
}

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

static void run_commit(const struct settings *settings)
{
    struct updater updater = {0};
    unsigned long count = settings->count;
    double *took_ms = calloc(count, sizeof(double));

    updater_init(&updater, settings);
    for (unsigned long i = 0; i < count; i++) {
        double began = now_s();

        updater_commit(&updater, 1);
        took_ms[i] = 1000 * (now_s() - began);
    }
    qsort(took_ms, count, sizeof(double), compare_doubles);
    printf("commits=%lu p50_ms=%.2f p99_ms=%.2f max_ms=%.2f\n", count, took_ms[count / 2],
           took_ms[count * 99 / 100], took_ms[count - 1]);
    free(took_ms);
    updater_fini(&updater);
}

/* --- command line --- */

static const struct {
    const char *name;
    void (*run)(const struct settings *settings);
} commands[] = {
    {"parse",  run_parse },
    {"insert", run_insert},
    {"select", run_select},
    {"update", run_update},
    {"commit", run_commit},
};

static _Noreturn void usage(void)
{
    fputs("usage: sql_floor parse --dump FILE\n"
          "       sql_floor insert --sql CNF --dump FILE [--database NAME]\n"
          "       sql_floor select --sql CNF [--database NAME]\n"
          "       sql_floor update|commit --sql CNF --count N [--database NAME]\n"
          "  --sql CNF        option file of a client that may do everything\n"
          "  --database NAME  default bench_floor; insert drops and makes it\n",
          stderr);
    exit(2);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"sql",      required_argument, NULL, 's'},
        {"database", required_argument, NULL, 'd'},
        {"dump",     required_argument, NULL, 'f'},
        {"count",    required_argument, NULL, 'n'},
        {NULL,       0,                 NULL, 0  },
    };
    struct settings settings = {.database = "bench_floor", .count = 1000};

    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 's':
            settings.defaults_file = optarg;
            break;
        case 'd':
            settings.database = optarg;
            break;
        case 'f':
            settings.dump_path = optarg;
            break;
        case 'n':
            settings.count = strtoul(optarg, NULL, 10);
            break;
        default:
            usage();
        }
    }
    if (argc - optind != 1 || settings.count == 0) {
        usage();
    }
    settings.command = argv[optind];
    mysql_library_init(0, NULL, NULL);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i].name, settings.command) == 0) {
            commands[i].run(&settings);
            mysql_library_end();
            return 0;
        }
    }
    usage();
}
