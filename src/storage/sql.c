/*
 * The MySQL connection. Rows are read with the text protocol and mysql_use_result(): the library
 * hands out pointers into its packet buffer, which is as fast as the binary protocol and needs no
 * buffers of ours.
 *
 * Arrays go out by MariaDB's bulk execution: one packet for some thousand rows. Without it an
 * INSERT becomes a multi-row INSERT and anything else one execution per row. A packet beyond
 * max_allowed_packet makes the server hang up, which looks like a lost connection; so sizes are
 * compared here, before anything is sent.
 */
#include "storage/sql.h"

#include <assert.h>
#include <mysql.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#ifndef CR_NET_PACKET_TOO_LARGE
#define CR_NET_PACKET_TOO_LARGE 2020
#endif

enum {
    CONNECT_TIMEOUT_S = 10,
    READ_TIMEOUT_S = 900, /* Adding the keys of a large table is silent for minutes. A stop does not
                             wait for that: see sql_group_cut(). */
    WRITE_TIMEOUT_S = 60,
    IDLE_TIMEOUT_S = 7 * 24 * 60 * 60, /* A source's connection is idle while a dump is read. */
    STATEMENTS_MAX = 24,
    BULK_ROWS_MAX = 4096,
    BULK_BYTES_MAX = 4 << 20,
    ROW_OVERHEAD = 64, /* Per row and packet: headers, lengths, punctuation; generously. */
    PACKET_OVERHEAD = 1024
};

struct sql {
    MYSQL *mysql;
    struct sql_group *group; /* NULL: none. */
    struct sql *next;        /* In it. */
    MYSQL_RES *result;       /* Being read, or NULL. */
    struct str row[SQL_COLUMNS_MAX];
    uint64_t max_packet, affected;
    bool bulk;
    struct buf text; /* The statement being built. */
    struct prepared {
        const char *text;
        MYSQL_STMT *stmt;
    } prepared[STATEMENTS_MAX];
    size_t prepared_count;
};

/* --- errors --- */
struct error_class {
    unsigned number;
    enum err code;
};

static const struct error_class error_classes[] = {
    {1205, ERR_SQL_RETRY },
    {1213, ERR_SQL_RETRY },
    {1317, ERR_SQL_RETRY }, /* KILL QUERY */
    {1412, ERR_SQL_RETRY }, /* Somebody altered a table */
    {1615, ERR_SQL_RETRY },
    {1969, ERR_SQL_RETRY }, /* max_statement_time */
    {1153, ERR_SQL_PACKET},
    {2020, ERR_SQL_PACKET},
    {2002, ERR_SQL_LOST  }, /* No socket */
    {2003, ERR_SQL_LOST  }, /* No TCP connection */
    {2005, ERR_SQL_LOST  }, /* Unknown host */
    {2006, ERR_SQL_LOST  },
    {2012, ERR_SQL_LOST  },
    {2013, ERR_SQL_LOST  },
    {2014, ERR_SQL_LOST  }, /* Out of sync: only a new connection helps */
    {2026, ERR_SQL_LOST  },
    {2055, ERR_SQL_LOST  },
    {1047, ERR_SQL_LOST  }, /* A cluster's node that is not ready */
    {1040, ERR_SQL_LOST  }, /* Too many connections */
    {1053, ERR_SQL_LOST  }, /* Shutdown */
    {1152, ERR_SQL_LOST  },
    {1158, ERR_SQL_LOST  },
    {1159, ERR_SQL_LOST  },
    {1160, ERR_SQL_LOST  },
    {1161, ERR_SQL_LOST  },
    {1184, ERR_SQL_LOST  },
    {1203, ERR_SQL_LOST  }, /* Too many connections of this user */
    {1226, ERR_SQL_LOST  },
    {1927, ERR_SQL_LOST  }, /* Killed */
    {3,    ERR_SQL_FULL  }, /* Error writing a file */
    {1021, ERR_SQL_FULL  },
    {1026, ERR_SQL_FULL  },
    {1114, ERR_SQL_FULL  },
    {1290, ERR_SQL_FULL  },
    {1792, ERR_SQL_FULL  },
    {1836, ERR_SQL_FULL  },
    {1878, ERR_SQL_FULL  },
    {1044, ERR_DENIED    },
    {1045, ERR_DENIED    },
    {1130, ERR_DENIED    },
    {1142, ERR_DENIED    },
    {1143, ERR_DENIED    },
    {1227, ERR_DENIED    },
    {1370, ERR_DENIED    },
    {1698, ERR_DENIED    },
    {1049, ERR_NOT_FOUND },
    {1146, ERR_NOT_FOUND },
};

static enum err classify(unsigned number)
{
    for (size_t i = 0; i < sizeof(error_classes) / sizeof(error_classes[0]); i++) {
        if (error_classes[i].number == number) {
            return error_classes[i].code;
        }
    }
    return ERR_SQL;
}

static enum err explain(struct why *why, unsigned number, const char *message,
                        const char *statement)
{
    enum err code = classify(number);

    if (statement == NULL) {
        return why_set(why, code, "MySQL error %u: %s", number, message);
    }
    return why_set(why, code, "MySQL error %u: %s (in: %.60s)", number, message, statement);
}

static enum err connection_failed(const struct sql *sql, struct why *why, const char *statement)
{
    return explain(why, mysql_errno(sql->mysql), mysql_error(sql->mysql), statement);
}

static enum err statement_failed(MYSQL_STMT *stmt, struct why *why, const char *statement)
{
    return explain(why, mysql_stmt_errno(stmt), mysql_stmt_error(stmt), statement);
}

/* --- groups --- */
void sql_group_init(struct sql_group *group)
{
    *group = (struct sql_group){0};
    pthread_mutex_init(&group->mutex, NULL);
}

void sql_group_fini(struct sql_group *group)
{
    assert(group->first == NULL);
    pthread_mutex_destroy(&group->mutex);
}

void sql_group_cut(struct sql_group *group)
{
    pthread_mutex_lock(&group->mutex);
    group->is_cut = true;
    for (struct sql *sql = group->first; sql != NULL; sql = sql->next) {
        shutdown((int)mysql_get_socket(sql->mysql), SHUT_RDWR);
    }
    pthread_mutex_unlock(&group->mutex);
}

/* A new connection. @return false when the group is cut. */
static bool join_group(struct sql *sql, struct sql_group *group)
{
    bool is_cut;

    if (group == NULL) {
        return true;
    }
    pthread_mutex_lock(&group->mutex);
    is_cut = group->is_cut;
    if (!is_cut) {
        sql->group = group;
        sql->next = group->first;
        group->first = sql;
    }
    pthread_mutex_unlock(&group->mutex);
    return !is_cut;
}

static void leave_group(struct sql *sql)
{
    struct sql **link;

    if (sql->group == NULL) {
        return;
    }
    pthread_mutex_lock(&sql->group->mutex);
    for (link = &sql->group->first; *link != sql; link = &(*link)->next) {
    }
    *link = sql->next;
    pthread_mutex_unlock(&sql->group->mutex);
}

/* --- connecting --- */
static bool server_has_bulk(MYSQL *mysql)
{
#if defined(MARIADB_CLIENT_STMT_BULK_OPERATIONS) && defined(MARIADB_PACKAGE_VERSION_ID)
    unsigned long extended = 0;

    return mariadb_get_infov(mysql, MARIADB_CONNECTION_EXTENDED_SERVER_CAPABILITIES, &extended) ==
               0 &&
           (extended & (unsigned long)(MARIADB_CLIENT_STMT_BULK_OPERATIONS >> 32)) != 0;
#else
    return false;
#endif
}

static enum err prepare_session(struct sql *sql, struct why *why)
{
    int64_t packet = 0;
    enum err rc = sql_exec(sql, why,
                           "SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_AUTO_VALUE_ON_ZERO,"
                           "NO_ENGINE_SUBSTITUTION', SESSION time_zone = '+00:00', "
                           "SESSION innodb_lock_wait_timeout = 10, SESSION autocommit = 1, "
                           "SESSION wait_timeout = %d",
                           IDLE_TIMEOUT_S);

    if (rc == ERR_OK) {
        rc = sql_exec(sql, why, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED");
    }
    if (rc == ERR_OK) {
        rc = sql_select_number(sql, &packet, why, "SELECT @@max_allowed_packet");
    }
    sql->max_packet = (uint64_t)packet;
    return rc;
}

enum err sql_connect(const struct jdbc_url *url, const char *user, const char *password,
                     const char *database, struct sql_group *group, struct sql **out,
                     struct why *why)
{
    static const unsigned connect_s = CONNECT_TIMEOUT_S, read_s = READ_TIMEOUT_S,
                          write_s = WRITE_TIMEOUT_S;
    struct sql *sql = calloc(1, sizeof(*sql));
    const bool by_socket = url->socket[0] != '\0';
    unsigned protocol = by_socket ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
    enum err rc;

    if (sql == NULL || (sql->mysql = mysql_init(NULL)) == NULL) {
        abort();
    }
    mysql_options(sql->mysql, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
    mysql_options(sql->mysql, MYSQL_OPT_READ_TIMEOUT, &read_s);
    mysql_options(sql->mysql, MYSQL_OPT_WRITE_TIMEOUT, &write_s);
    mysql_options(sql->mysql, MYSQL_OPT_PROTOCOL, &protocol);
    mysql_options(sql->mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (mysql_real_connect(sql->mysql, by_socket ? NULL : url->host, user, password, database,
                           by_socket ? 0 : (unsigned)url->port, by_socket ? url->socket : NULL,
                           CLIENT_FOUND_ROWS) == NULL) {
        rc = connection_failed(sql, why, NULL);
        sql_close(sql);
        return rc;
    }
    if (!join_group(sql, group)) {
        sql_close(sql);
        return why_set(why, ERR_SQL_LOST, "no connections are made any more");
    }
    sql->bulk = server_has_bulk(sql->mysql);
    rc = prepare_session(sql, why);
    if (rc != ERR_OK) {
        sql_close(sql);
        return rc;
    }
    *out = sql;
    return ERR_OK;
}

void sql_close(struct sql *sql)
{
    if (sql == NULL) {
        return;
    }
    leave_group(sql);
    sql_end_rows(sql);
    for (size_t i = 0; i < sql->prepared_count; i++) {
        mysql_stmt_close(sql->prepared[i].stmt);
    }
    mysql_close(sql->mysql);
    buf_free(&sql->text);
    free(sql);
}

uint64_t sql_max_packet(const struct sql *sql)
{
    return sql->max_packet;
}

bool sql_has_bulk(const struct sql *sql)
{
    return sql->bulk;
}

void sql_disable_bulk(struct sql *sql)
{
    sql->bulk = false;
}

/* --- statements --- */
static enum err check_text_size(const struct sql *sql, struct why *why)
{
    assert(sql->result == NULL);
    if (sql->max_packet != 0 && sql->text.len + PACKET_OVERHEAD > sql->max_packet) {
        return why_set(why, ERR_SQL_PACKET,
                       "a statement of %zu bytes is above max_allowed_packet = %llu", sql->text.len,
                       (unsigned long long)sql->max_packet);
    }
    return ERR_OK;
}

static enum err send_text(struct sql *sql, struct why *why)
{
    enum err rc = check_text_size(sql, why);

    if (rc != ERR_OK) {
        return rc;
    }
    buf_add_char(&sql->text, '\0');
    if (mysql_real_query(sql->mysql, sql->text.at, sql->text.len - 1) != 0) {
        return connection_failed(sql, why, sql->text.at);
    }
    return ERR_OK;
}

static void format_text(struct sql *sql, const char *format, va_list args)
{
    va_list again;
    int len;

    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    buf_clear(&sql->text);
    buf_reserve(&sql->text, (size_t)len + 1);
    vsnprintf(sql->text.at, (size_t)len + 1, format, args);
    sql->text.len = (size_t)len;
}

enum err sql_exec(struct sql *sql, struct why *why, const char *format, ...)
{
    va_list args;
    enum err rc;

    va_start(args, format);
    format_text(sql, format, args);
    va_end(args);
    rc = send_text(sql, why);
    sql->affected = rc == ERR_OK ? mysql_affected_rows(sql->mysql) : 0;
    return rc;
}

uint64_t sql_affected(const struct sql *sql)
{
    return sql->affected;
}

enum err sql_exec_script(struct sql *sql, const char *script, struct why *why)
{
    enum err rc = ERR_OK;

    for (const char *end; rc == ERR_OK && (end = strstr(script, ";\n")) != NULL; script = end + 2) {
        rc = sql_exec(sql, why, "%.*s", (int)(end - script), script);
    }
    return rc;
}

enum err sql_use(struct sql *sql, const char *database, bool *created, struct why *why)
{
    enum err rc = sql_exec(sql, why, "USE `%s`", database);

    if (rc != ERR_NOT_FOUND && rc != ERR_DENIED) {
        return rc;
    }
    rc = sql_exec(sql, why, "CREATE DATABASE IF NOT EXISTS `%s` DEFAULT CHARACTER SET utf8mb4",
                  database);
    if (rc == ERR_OK && created != NULL) {
        *created = true;
    }
    return rc == ERR_OK ? sql_exec(sql, why, "USE `%s`", database) : rc;
}

enum err sql_begin(struct sql *sql, struct why *why)
{
    return sql_exec(sql, why, "BEGIN");
}

enum err sql_commit(struct sql *sql, struct why *why)
{
    return sql_exec(sql, why, "COMMIT");
}

void sql_rollback(struct sql *sql)
{
    if (sql == NULL) {
        return;
    }
    sql_end_rows(sql);
    (void)mysql_rollback(sql->mysql);
}

/* --- reading --- */
/** Behind a statement that was sent and answered. */
static enum err open_result(struct sql *sql, struct why *why)
{
    sql->result = mysql_use_result(sql->mysql);
    if (sql->result == NULL) {
        return connection_failed(sql, why, sql->text.at);
    }
    assert(mysql_num_fields(sql->result) <= SQL_COLUMNS_MAX);
    return ERR_OK;
}

static enum err use_result(struct sql *sql, struct why *why)
{
    enum err rc = send_text(sql, why);

    return rc == ERR_OK ? open_result(sql, why) : rc;
}

enum err sql_select(struct sql *sql, struct why *why, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    format_text(sql, format, args);
    va_end(args);
    return use_result(sql, why);
}

enum err sql_next(struct sql *sql, const struct str **row, struct why *why)
{
    MYSQL_ROW fields = mysql_fetch_row(sql->result);
    const unsigned long *lengths;
    unsigned count;

    if (fields == NULL) {
        enum err rc = mysql_errno(sql->mysql) == 0 ? ERR_NOT_FOUND
                                                   : connection_failed(sql, why, sql->text.at);
        sql_end_rows(sql);
        return rc;
    }
    lengths = mysql_fetch_lengths(sql->result);
    count = mysql_num_fields(sql->result);
    for (unsigned i = 0; i < count; i++) {
        sql->row[i] = (struct str){fields[i], fields[i] == NULL ? 0 : lengths[i]};
    }
    *row = sql->row;
    return ERR_OK;
}

void sql_end_rows(struct sql *sql)
{
    if (sql->result != NULL) {
        mysql_free_result(sql->result);
        sql->result = NULL;
    }
}

int64_t sql_to_number(struct str field)
{
    int64_t value = 0;
    size_t i = field.len > 0 && field.at[0] == '-' ? 1 : 0;

    for (; i < field.len && field.at[i] >= '0' && field.at[i] <= '9'; i++) {
        value = value * 10 + (field.at[i] - '0');
    }
    return field.len > 0 && field.at[0] == '-' ? -value : value;
}

struct str sql_quote(struct sql *sql, struct str text, struct arena *arena)
{
    char *quoted = arena_alloc(arena, 2 * text.len + 3);
    size_t len;

    if (quoted == NULL) {
        return (struct str){0};
    }
    quoted[0] = '\'';
    len = 1 + mysql_real_escape_string(sql->mysql, quoted + 1, text.at, text.len);
    quoted[len++] = '\'';
    return (struct str){quoted, len};
}

/** The only field of the only row. */
static enum err read_number(struct sql *sql, int64_t *out, struct why *why)
{
    const struct str *row;
    enum err rc = sql_next(sql, &row, why);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = row[0].at == NULL ? ERR_NOT_FOUND : ERR_OK;
    if (rc == ERR_OK) {
        *out = sql_to_number(row[0]);
    }
    sql_end_rows(sql);
    return rc;
}

enum err sql_select_number(struct sql *sql, int64_t *out, struct why *why, const char *format, ...)
{
    va_list args;
    enum err rc;

    va_start(args, format);
    format_text(sql, format, args);
    va_end(args);
    rc = use_result(sql, why);
    return rc == ERR_OK ? read_number(sql, out, why) : rc;
}

/* --- a number that is not waited for --- */
enum err sql_post(struct sql *sql, struct str statement, struct why *why)
{
    enum err rc;

    buf_clear(&sql->text);
    buf_add_str(&sql->text, statement);
    rc = check_text_size(sql, why);
    buf_add_char(&sql->text, '\0');
    if (rc == ERR_OK && mysql_send_query(sql->mysql, sql->text.at, statement.len) != 0) {
        rc = connection_failed(sql, why, sql->text.at);
    }
    return rc;
}

bool sql_is_answered(const struct sql *sql)
{
    struct pollfd fd = {.fd = (int)mysql_get_socket(sql->mysql), .events = POLLIN};

    return poll(&fd, 1, 0) > 0; /* A lost connection, too: reading tells. */
}

enum err sql_take_number(struct sql *sql, int64_t *out, struct why *why)
{
    enum err rc;

    if (mysql_read_query_result(sql->mysql) != 0) {
        return connection_failed(sql, why, sql->text.at);
    }
    rc = open_result(sql, why);
    return rc == ERR_OK ? read_number(sql, out, why) : rc;
}

/* --- arrays --- */
static void *grow(void *old, size_t count, size_t size)
{
    void *grown = reallocarray(old, count, size);

    if (grown == NULL) {
        abort();
    }
    return grown;
}

void sql_array_init(struct sql_array *array, const char *types)
{
    assert(strlen(types) <= SQL_ARRAY_COLUMNS);
    *array = (struct sql_array){.types = types};
}

void sql_array_fini(struct sql_array *array)
{
    for (size_t i = 0; i < SQL_ARRAY_COLUMNS; i++) {
        free(array->columns[i].numbers);
        free(array->columns[i].texts);
        free(array->columns[i].lengths);
    }
    *array = (struct sql_array){.types = array->types};
}

void sql_array_clear(struct sql_array *array)
{
    array->rows = 0;
    array->bytes = 0;
}

static void array_reserve(struct sql_array *array)
{
    if (array->rows < array->cap) {
        return;
    }
    array->cap = array->cap == 0 ? 16 : array->cap * 2;
    for (size_t i = 0; array->types[i] != '\0'; i++) {
        struct sql_column *column = &array->columns[i];

        if (array->types[i] == 'n') {
            column->numbers = grow(column->numbers, array->cap, sizeof(*column->numbers));
        } else {
            column->texts = grow(column->texts, array->cap, sizeof(*column->texts));
            column->lengths = grow(column->lengths, array->cap, sizeof(*column->lengths));
        }
    }
}

static size_t row_bytes(const struct sql_array *array, size_t row)
{
    size_t bytes = ROW_OVERHEAD;

    for (size_t i = 0; array->types[i] != '\0'; i++) {
        bytes += array->types[i] == 'n' ? 9 : array->columns[i].lengths[row] + 10;
    }
    return bytes;
}

void sql_array_add(struct sql_array *array, const union sql_value *row)
{
    array_reserve(array);
    for (size_t i = 0; array->types[i] != '\0'; i++) {
        struct sql_column *column = &array->columns[i];

        if (array->types[i] == 'n') {
            column->numbers[array->rows] = row[i].number;
        } else {
            column->texts[array->rows] = row[i].text.len == 0 ? "" : row[i].text.at;
            column->lengths[array->rows] = row[i].text.len;
        }
    }
    array->bytes += row_bytes(array, array->rows);
    array->rows++;
}

struct sort_key {
    int64_t number;
    size_t row;
};

static int compare_keys(const void *a, const void *b)
{
    const struct sort_key *x = a, *y = b;

    return x->number != y->number ? (x->number > y->number) - (x->number < y->number)
                                  : (x->row > y->row) - (x->row < y->row);
}

/** Put the items of a column into the order of the keys. */
static void permute(void *items, size_t size, const struct sort_key *keys, size_t count,
                    void *scratch)
{
    for (size_t i = 0; i < count; i++) {
        memcpy((char *)scratch + i * size, (char *)items + keys[i].row * size, size);
    }
    memcpy(items, scratch, count * size);
}

void sql_array_sort(struct sql_array *array, size_t column)
{
    struct sort_key *keys;
    void *scratch;

    assert(array->types[column] == 'n');
    if (array->rows < 2) {
        return;
    }
    keys = grow(NULL, array->rows, sizeof(*keys));
    scratch = grow(NULL, array->rows, sizeof(int64_t));
    for (size_t i = 0; i < array->rows; i++) {
        keys[i] = (struct sort_key){array->columns[column].numbers[i], i};
    }
    qsort(keys, array->rows, sizeof(*keys), compare_keys);
    for (size_t i = 0; array->types[i] != '\0'; i++) {
        struct sql_column *sorted = &array->columns[i];

        if (array->types[i] == 'n') {
            permute(sorted->numbers, sizeof(*sorted->numbers), keys, array->rows, scratch);
        } else {
            permute(sorted->texts, sizeof(*sorted->texts), keys, array->rows, scratch);
            permute(sorted->lengths, sizeof(*sorted->lengths), keys, array->rows, scratch);
        }
    }
    free(keys);
    free(scratch);
}

/**
 * How many rows from `first` on go into one packet.
 * @param bytes_per_byte  2 where escaping may double what is sent.
 * @return 0 when not even one fits.
 */
static size_t rows_per_packet(const struct sql *sql, const struct sql_array *array, size_t first,
                              size_t bytes_per_byte)
{
    const size_t most = sql->max_packet < BULK_BYTES_MAX ? sql->max_packet : BULK_BYTES_MAX;
    size_t bytes = PACKET_OVERHEAD, count = 0;

    while (first + count < array->rows && count < BULK_ROWS_MAX) {
        bytes += row_bytes(array, first + count) * bytes_per_byte;
        if (bytes > most && (count > 0 || bytes > sql->max_packet)) {
            break;
        }
        count++;
    }
    return count;
}

static enum err row_too_large(const struct sql *sql, const struct sql_array *array, size_t row,
                              struct why *why)
{
    return why_set(why, ERR_SQL_PACKET,
                   "a row of %zu bytes is above max_allowed_packet = %llu: SET GLOBAL "
                   "max_allowed_packet = 67108864, and in the server's configuration",
                   row_bytes(array, row), (unsigned long long)sql->max_packet);
}

static enum err prepare(struct sql *sql, const char *text, MYSQL_STMT **out, struct why *why)
{
    MYSQL_STMT *stmt;

    for (size_t i = 0; i < sql->prepared_count; i++) {
        if (strcmp(sql->prepared[i].text, text) == 0) {
            *out = sql->prepared[i].stmt;
            return ERR_OK;
        }
    }
    assert(sql->prepared_count < STATEMENTS_MAX);
    stmt = mysql_stmt_init(sql->mysql);
    if (stmt == NULL) {
        abort();
    }
    if (mysql_stmt_prepare(stmt, text, strlen(text)) != 0) {
        enum err rc = statement_failed(stmt, why, text);
        mysql_stmt_close(stmt);
        return rc;
    }
    sql->prepared[sql->prepared_count++] = (struct prepared){text, stmt};
    *out = stmt;
    return ERR_OK;
}

/** Bind `count` rows from `first` on; 0: the row `first` alone, without array binding. */
static enum err execute_rows(MYSQL_STMT *stmt, const char *text, const struct sql_array *array,
                             size_t first, unsigned count, struct why *why)
{
    MYSQL_BIND binds[SQL_ARRAY_COLUMNS] = {0};

    for (size_t i = 0; array->types[i] != '\0'; i++) {
        const struct sql_column *column = &array->columns[i];

        if (array->types[i] == 'n') {
            binds[i].buffer_type = MYSQL_TYPE_LONGLONG;
            binds[i].buffer = column->numbers + first;
            continue;
        }
        binds[i].buffer_type = array->types[i] == 't' ? MYSQL_TYPE_STRING : MYSQL_TYPE_BLOB;
        binds[i].buffer =
            count > 0 ? (void *)(column->texts + first) : (void *)column->texts[first];
        binds[i].length = column->lengths + first;
        binds[i].buffer_length = column->lengths[first];
    }
#ifdef MARIADB_CLIENT_STMT_BULK_OPERATIONS
    mysql_stmt_attr_set(stmt, STMT_ATTR_ARRAY_SIZE, &count);
#endif
    if (mysql_stmt_bind_param(stmt, binds) != 0 || mysql_stmt_execute(stmt) != 0) {
        return statement_failed(stmt, why, text);
    }
    return ERR_OK;
}

/** Rows from `first` up to `end`, in bulk packets or one by one. */
static enum err run_prepared(struct sql *sql, const char *text, const struct sql_array *array,
                             size_t first, size_t end, struct why *why)
{
    MYSQL_STMT *stmt = NULL;
    enum err rc = prepare(sql, text, &stmt, why);
    size_t count;

    for (; rc == ERR_OK && first < end; first += count) {
        count = rows_per_packet(sql, array, first, 1);
        if (count == 0) {
            return row_too_large(sql, array, first, why);
        }
        if (!sql->bulk) {
            count = 1;
        }
        rc = execute_rows(stmt, text, array, first, sql->bulk ? (unsigned)count : 0, why);
        if (rc == ERR_OK) {
            sql->affected += mysql_stmt_affected_rows(stmt);
        }
    }
    return rc;
}

static void add_literal(struct sql *sql, char type, struct str value)
{
    buf_add_str(&sql->text, type == 'b' ? STR("_binary'") : STR("'"));
    buf_reserve(&sql->text, value.len * 2 + 1);
    sql->text.len +=
        mysql_real_escape_string(sql->mysql, sql->text.at + sql->text.len, value.at, value.len);
    buf_add_char(&sql->text, '\'');
}

static void add_row(struct sql *sql, const struct sql_array *array, size_t row)
{
    for (size_t i = 0; array->types[i] != '\0'; i++) {
        const struct sql_column *column = &array->columns[i];

        buf_add_char(&sql->text, i == 0 ? '(' : ',');
        if (array->types[i] == 'n') {
            buf_printf(&sql->text, "%lld", (long long)column->numbers[row]);
        } else {
            add_literal(sql, array->types[i],
                        (struct str){column->texts[row], column->lengths[row]});
        }
    }
    buf_add_char(&sql->text, ')');
}

/** The fallback for INSERT: `INSERT INTO t (...) VALUES (...),(...),...`. */
static enum err run_multi_row(struct sql *sql, const char *text, const char *values,
                              const struct sql_array *array, struct why *why)
{
    enum err rc = ERR_OK;
    size_t count;

    for (size_t first = 0; rc == ERR_OK && first < array->rows; first += count) {
        count = rows_per_packet(sql, array, first, 2);
        if (count == 0) { /* Too long once escaped, perhaps not as it is. */
            count = 1;
            rc = run_prepared(sql, text, array, first, first + 1, why);
            continue;
        }
        buf_clear(&sql->text);
        buf_add(&sql->text, text, (size_t)(values - text));
        for (size_t i = 0; i < count; i++) {
            buf_add_str(&sql->text, i == 0 ? STR(" ") : STR(","));
            add_row(sql, array, first + i);
        }
        rc = send_text(sql, why);
        if (rc == ERR_OK) {
            sql->affected += mysql_affected_rows(sql->mysql);
        }
    }
    return rc;
}

enum err sql_run(struct sql *sql, const char *statement, const struct sql_array *array,
                 struct why *why)
{
    const char *values = strstr(statement, "VALUES (");

    assert(sql->result == NULL);
    sql->affected = 0;
    if (!sql->bulk && strncmp(statement, "INSERT", 6) == 0 && values != NULL) {
        return run_multi_row(sql, statement, values + sizeof("VALUES") - 1, array, why);
    }
    return run_prepared(sql, statement, array, 0, array->rows, why);
}
