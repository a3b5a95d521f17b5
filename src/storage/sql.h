/*
 * One connection to MySQL or MariaDB: the only place that calls the client library.
 *
 * A connection belongs to one thread at a time. There is no automatic reconnect: a statement that
 * failed with ERR_SQL_LOST leaves a connection that is good for sql_close() only. Sessions are
 * strict, utf8mb4, UTC, READ COMMITTED and autocommit until sql_begin(). Every failure is one of:
 * ERR_SQL_LOST, ERR_SQL_RETRY (deadlock, lock wait), ERR_SQL_PACKET, ERR_SQL_FULL (full or
 * read-only), ERR_DENIED (privileges), ERR_NOT_FOUND (no such database or table), ERR_SQL (anything
 * else); why then holds the server's number, its sentence and the start of the statement.
 */
#pragma once

#include <pthread.h>

#include "base/arena.h"
#include "storage/source.h"

struct sql; /* Opaque. */

/** Connections that can be cut together. */
struct sql_group {
    pthread_mutex_t mutex;
    struct sql *first;
    bool is_cut; /**< No connection of it works any more, and none is made. */
};
void sql_group_init(struct sql_group *group);
void sql_group_fini(struct sql_group *group); /* After its connections were closed. */
/** End whatever its connections wait for, with ERR_SQL_LOST, now and for good. Any thread. */
void sql_group_cut(struct sql_group *group);

/**
 * Connect. TCP unless the URL names a socket; gives up after 10 s.
 * @param database  Made the default database; NULL for none.
 * @param group     To be in until it is closed; NULL: in none.
 */
enum err sql_connect(const struct jdbc_url *url, const char *user, const char *password,
                     const char *database, struct sql_group *group, struct sql **out,
                     struct why *why) MUST_CHECK;
void sql_close(struct sql *sql); /* NULL is fine. An open transaction is rolled back. */
/** The server's max_allowed_packet, read at connect, in bytes. */
uint64_t sql_max_packet(const struct sql *sql);
/** Whether arrays are sent as one bulk packet (header and server must both know how). */
bool sql_has_bulk(const struct sql *sql);
void sql_disable_bulk(struct sql *sql); /* For tests of the fallback. */

/** One statement without result. */
enum err sql_exec(struct sql *sql, struct why *why, const char *format, ...) MUST_CHECK
    PRINTF_LIKE(3, 4);
/** The statements of a script, each of which ends in `;` at the end of a line. */
enum err sql_exec_script(struct sql *sql, const char *script, struct why *why) MUST_CHECK;
/** Go to a database, which is created where there is none. @param created  May be NULL. */
enum err sql_use(struct sql *sql, const char *database, bool *created, struct why *why) MUST_CHECK;
/** Rows matched (not only changed) by the last sql_exec(), or by all rows of the last sql_run(). */
uint64_t sql_affected(const struct sql *sql);
enum err sql_begin(struct sql *sql, struct why *why) MUST_CHECK;
enum err sql_commit(struct sql *sql, struct why *why) MUST_CHECK;
void sql_rollback(
    struct sql *sql); /* NULL is fine. Failure is logged by nobody: the next statement meets it. */

/* --- reading: one result at a time per connection, streamed --- */
#define SQL_COLUMNS_MAX 24
enum err sql_select(struct sql *sql, struct why *why, const char *format, ...) MUST_CHECK
    PRINTF_LIKE(3, 4);
/**
 * The next row.
 * @param row  Fields as text, valid until the next call; NULL columns have at == NULL.
 * @return ERR_OK; ERR_NOT_FOUND behind the last row (the result is then closed); errors.
 */
enum err sql_next(struct sql *sql, const struct str **row, struct why *why) MUST_CHECK;
void sql_end_rows(struct sql *sql);      /* Give up the rest; fine without a result. */
int64_t sql_to_number(struct str field); /* NULL and rubbish are 0. */
/** A text as a literal for a statement, quotes included; in the arena, at == NULL when that is
 * full. */
struct str sql_quote(struct sql *sql, struct str text, struct arena *arena);
/** First field of the first row as a number. @return ERR_NOT_FOUND without a row or when it is
 * NULL. */
enum err sql_select_number(struct sql *sql, int64_t *out, struct why *why, const char *format,
                           ...) MUST_CHECK PRINTF_LIKE(4, 5);

/* --- a number that is not waited for --- */
/** Send a statement that selects one number, and return. Until sql_take_number() the connection is
 * good for nothing else but sql_close(), which gives the answer up. */
enum err sql_post(struct sql *sql, struct str statement, struct why *why) MUST_CHECK;
/** Whether sql_take_number() would not wait. */
bool sql_is_answered(const struct sql *sql);
/** @return ERR_OK; errors of the statement. */
enum err sql_take_number(struct sql *sql, int64_t *out, struct why *why) MUST_CHECK;

/* --- arrays: one prepared statement for many rows --- */
union sql_value {
    int64_t number;
    struct str text;
};
#define SQL_ARRAY_COLUMNS 8
/** Rows to bind, kept column by column. Texts are borrowed until sql_run(). sql_array_init() before
 * use. */
struct sql_array {
    const char *types; /**< A letter per column: n number, t text (UTF-8), b bytes. */
    size_t rows, cap;
    size_t bytes; /**< What the rows take in a packet, about. */
    struct sql_column {
        int64_t *numbers;
        const char **texts;
        unsigned long *lengths;
    } columns[SQL_ARRAY_COLUMNS];
};
void sql_array_init(struct sql_array *array, const char *types);
void sql_array_fini(struct sql_array *array);
void sql_array_clear(struct sql_array *array); /* Memory is kept. */
void sql_array_add(struct sql_array *array, const union sql_value *row);
/** Sort the rows by a column of numbers; equal ones stay in order. */
void sql_array_sort(struct sql_array *array, size_t column);
/** sql_array_add(array, {.number = 1}, {.text = STR("x")}) */
#define SQL_ARRAY_ADD(array, ...) sql_array_add((array), (const union sql_value[]){__VA_ARGS__})

/**
 * Run a statement once per row of an array, in as few packets as possible; an empty array does
 * nothing. Prepared statements are kept by the connection. Use a transaction: a failure leaves some
 * rows done.
 * @param statement  A string literal with one ? per column; an INSERT must end in "VALUES (?,
 * ...)".
 */
enum err sql_run(struct sql *sql, const char *statement, const struct sql_array *array,
                 struct why *why) MUST_CHECK;
