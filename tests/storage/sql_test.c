/* The MySQL connection: sessions, streaming, arrays with and without bulk execution, error classes.
 */
#include "storage/sql.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "database.h"

TestSuite(sql, .timeout = 60);

static struct sql *connect_with_table(void)
{
    struct sql *sql;
    struct why why;

    cr_assert_eq(
        sql_connect(database_url(), database_user(), database_password(), NULL, NULL, &sql, &why),
        ERR_OK, "%s", why.text);
    cr_assert_eq(sql_exec(sql, &why, "CREATE DATABASE `%s`", database_url()->database), ERR_OK,
                 "%s", why.text);
    cr_assert_eq(sql_exec(sql, &why, "USE `%s`", database_url()->database), ERR_OK);
    cr_assert_eq(sql_exec(sql, &why,
                          "CREATE TABLE t (id int unsigned PRIMARY KEY, body longblob NOT NULL, "
                          "name varchar(254) NOT NULL) DEFAULT CHARACTER SET utf8mb4"),
                 ERR_OK, "%s", why.text);
    return sql;
}

Test(sql, session_is_strict_utf8_utc_read_committed)
{
    struct sql *sql = connect_with_table();
    const struct str *row;
    struct why why;

    cr_assert_eq(
        sql_select(sql, &why,
                   "SELECT @@character_set_client, @@character_set_connection, @@time_zone, "
                   "@@tx_isolation, @@sql_mode LIKE '%%STRICT_TRANS_TABLES%%', @@autocommit"),
        ERR_OK, "%s", why.text);
    cr_assert_eq(sql_next(sql, &row, &why), ERR_OK, "%s", why.text);
    cr_expect(str_eq(row[0], STR("utf8mb4")));
    cr_expect(str_eq(row[1], STR("utf8mb4")));
    cr_expect(str_eq(row[2], STR("+00:00")));
    cr_expect(str_eq(row[3], STR("READ-COMMITTED")));
    cr_expect(str_eq(row[4], STR("1")));
    cr_expect(str_eq(row[5], STR("1")));
    cr_expect_eq(sql_next(sql, &row, &why), ERR_NOT_FOUND);
    cr_expect_eq(sql_max_packet(sql), 64 << 20);
    cr_expect(sql_has_bulk(sql), "MariaDB has it since 10.2");
    sql_close(sql);
}

static void fill(struct sql_array *array, char (*bodies)[3000], size_t rows)
{
    sql_array_init(array, "nbt");
    for (size_t i = 0; i < rows; i++) {
        /* Every byte value, quotes and NUL among them, in growing lengths. */
        for (size_t k = 0; k < i % 3000; k++) {
            bodies[i][k] = (char)(i + k * 7);
        }
        SQL_ARRAY_ADD(array,
                      {
                          .number = (int64_t)i + 1
        },
                      {.text = {bodies[i], i % 3000}}, {.text = STR("Müller's \\ \"名\"")});
    }
}

static void check_rows(struct sql *sql, const struct sql_array *array)
{
    const struct str *row;
    struct why why;
    size_t i = 0;

    cr_assert_eq(sql_select(sql, &why, "SELECT id, body, name FROM t ORDER BY id"), ERR_OK, "%s",
                 why.text);
    while (sql_next(sql, &row, &why) == ERR_OK) {
        const struct str body = {array->columns[1].texts[i], array->columns[1].lengths[i]};

        cr_assert_eq(sql_to_number(row[0]), array->columns[0].numbers[i]);
        cr_assert(str_eq(row[1], body), "row %zu", i);
        cr_assert(str_eq(row[2], STR("Müller's \\ \"名\"")), "row %zu", i);
        i++;
    }
    cr_assert_eq(i, array->rows);
}

static void insert_update_delete(struct sql *sql)
{
    enum { ROWS = 5000 };
    char(*bodies)[3000] = calloc(ROWS, sizeof(*bodies));
    struct sql_array inserts, updates, deletes;
    struct why why;

    fill(&inserts, bodies, ROWS);
    cr_assert_eq(sql_run(sql, "INSERT INTO t (id, body, name) VALUES (?, ?, ?)", &inserts, &why),
                 ERR_OK, "%s", why.text);
    cr_expect_eq(sql_affected(sql), ROWS);
    check_rows(sql, &inserts);

    sql_array_init(&updates, "bn");
    for (size_t i = 0; i < ROWS;
         i++) { /* Every second to the value it has: matched is what counts. */
        inserts.columns[1].lengths[i] /= 1 + i % 2;
        SQL_ARRAY_ADD(&updates,
                      {
                          .text = {bodies[i], inserts.columns[1].lengths[i]}
        },
                      {.number = (int64_t)i + 1});
    }
    cr_assert_eq(sql_run(sql, "UPDATE t SET body = ? WHERE id = ?", &updates, &why), ERR_OK, "%s",
                 why.text);
    cr_expect_eq(sql_affected(sql), ROWS);
    check_rows(sql, &inserts);

    sql_array_init(&deletes, "n");
    SQL_ARRAY_ADD(&deletes, {.number = ROWS});
    SQL_ARRAY_ADD(&deletes, {.number = ROWS + 1});
    cr_assert_eq(sql_run(sql, "DELETE FROM t WHERE id = ?", &deletes, &why), ERR_OK, "%s",
                 why.text);
    cr_expect_eq(sql_affected(sql), 1, "one of the two is not there");
    inserts.rows--;
    check_rows(sql, &inserts);
    sql_array_fini(&inserts);
    sql_array_fini(&updates);
    sql_array_fini(&deletes);
    free(bodies);
}

Test(sql, arrays_insert_update_and_delete_in_bulk)
{
    struct sql *sql = connect_with_table();

    insert_update_delete(sql);
    sql_close(sql);
}

Test(sql, arrays_do_the_same_without_bulk)
{
    struct sql *sql = connect_with_table();

    sql_disable_bulk(sql);
    insert_update_delete(sql);
    sql_close(sql);
}

Test(sql, sorted_arrays_keep_rows_whole_and_equal_ones_in_order)
{
    static const int64_t numbers[] = {5, 3, 5, -1, 3};
    static const char *const texts[] = {"a", "bb", "ccc", "dddd", "eeeee"};
    static const size_t expected[] = {3, 1, 4, 0, 2};
    struct sql_array rows;

    sql_array_init(&rows, "bn");
    for (size_t i = 0; i < 5; i++) {
        SQL_ARRAY_ADD(&rows, {.text = str_from(texts[i])}, {.number = numbers[i]});
    }
    sql_array_sort(&rows, 1);
    for (size_t i = 0; i < 5; i++) {
        cr_expect_eq(rows.columns[1].numbers[i], numbers[expected[i]], "row %zu", i);
        cr_expect_str_eq(rows.columns[0].texts[i], texts[expected[i]], "row %zu", i);
        cr_expect_eq(rows.columns[0].lengths[i], strlen(texts[expected[i]]), "row %zu", i);
    }
    sql_array_fini(&rows);
}

Test(sql, arrays_survive_a_row_as_large_as_the_packet_allows)
{
    struct sql *sql = connect_with_table();
    const size_t large = (20 << 20) + 4096;
    char *body = malloc(large);
    struct sql_array rows;
    struct why why;

    memset(body, '\'', large);
    for (int bulk = 1; bulk >= 0; bulk--) {
        if (!bulk) {
            sql_disable_bulk(sql);
        }
        sql_array_init(&rows, "nbt");
        SQL_ARRAY_ADD(&rows, {.number = 1}, {.text = STR("small")}, {.text = STR("")});
        SQL_ARRAY_ADD(&rows,
                      {
                          .number = 2
        },
                      {.text = {body, large}}, {.text = STR("")});
        SQL_ARRAY_ADD(&rows, {.number = 3}, {.text = STR("small")}, {.text = STR("")});
        cr_assert_eq(sql_run(sql, "INSERT INTO t (id, body, name) VALUES (?, ?, ?)", &rows, &why),
                     ERR_OK, "%s", why.text);
        cr_expect_eq(sql_affected(sql), 3);
        cr_assert_eq(sql_exec(sql, &why, "DELETE FROM t"), ERR_OK);
        sql_array_fini(&rows);
    }
    free(body);
    sql_close(sql);
}

Test(sql, a_row_above_the_packet_is_refused_and_the_connection_lives)
{
    struct sql *sql = connect_with_table();
    const size_t large = 64 << 20;
    char *body = calloc(1, large);
    struct sql_array rows;
    struct why why;
    int64_t one = 0;

    sql_array_init(&rows, "nbt");
    SQL_ARRAY_ADD(&rows,
                  {
                      .number = 2
    },
                  {.text = {body, large}}, {.text = STR("")});
    cr_expect_eq(sql_run(sql, "INSERT INTO t (id, body, name) VALUES (?, ?, ?)", &rows, &why),
                 ERR_SQL_PACKET);
    cr_expect_not_null(strstr(why.text, "SET GLOBAL max_allowed_packet"), "%s", why.text);
    cr_expect_eq(sql_select_number(sql, &one, &why, "SELECT 1"), ERR_OK, "%s", why.text);
    sql_array_fini(&rows);
    free(body);
    sql_close(sql);
}

Test(sql, failures_have_classes)
{
    struct sql *sql = connect_with_table(), *none = NULL, *killer = database_connect();
    struct jdbc_url url = *database_url();
    struct why why;
    int64_t id = 0;

    cr_expect_eq(sql_exec(sql, &why, "SELEC 1"), ERR_SQL);
    cr_expect_not_null(strstr(why.text, "1064"), "%s", why.text);
    cr_expect_eq(sql_exec(sql, &why, "DELETE FROM missing"), ERR_NOT_FOUND);
    cr_expect_eq(sql_exec(sql, &why, "USE missing"), ERR_NOT_FOUND);
    cr_expect_eq(sql_connect(&url, "stranger", "wrong", NULL, NULL, &none, &why), ERR_DENIED, "%s",
                 why.text);
    cr_expect_null(strstr(why.text, "wrong"), "a password is never shown");
    strcpy(url.socket, "/nonexistent");
    cr_expect_eq(sql_connect(&url, "nobody", "", NULL, NULL, &none, &why), ERR_SQL_LOST, "%s",
                 why.text);
    cr_assert_eq(sql_select_number(sql, &id, &why, "SELECT CONNECTION_ID()"), ERR_OK);
    cr_assert_eq(sql_exec(killer, &why, "KILL %lld", (long long)id), ERR_OK);
    cr_expect_eq(sql_exec(sql, &why, "DELETE FROM t"), ERR_SQL_LOST, "%s", why.text);
    cr_expect_eq(sql_exec(sql, &why, "DELETE FROM t"), ERR_SQL_LOST, "it does not reconnect");
    sql_close(sql);
    sql_close(killer);
}

Test(sql, a_lock_wait_is_to_be_tried_again)
{
    struct sql *one = connect_with_table(), *two = database_connect();
    struct why why;

    cr_assert_eq(sql_exec(one, &why, "INSERT INTO t VALUES (1, '', '')"), ERR_OK);
    cr_assert_eq(sql_begin(one, &why), ERR_OK);
    cr_assert_eq(sql_exec(one, &why, "UPDATE t SET name = 'x'"), ERR_OK);
    cr_assert_eq(sql_exec(two, &why, "SET SESSION innodb_lock_wait_timeout = 0"), ERR_OK);
    cr_expect_eq(sql_exec(two, &why, "UPDATE t SET name = 'y'"), ERR_SQL_RETRY, "%s", why.text);
    sql_rollback(one);
    cr_expect_eq(sql_exec(two, &why, "UPDATE t SET name = 'y'"), ERR_OK, "%s", why.text);
    sql_close(one);
    sql_close(two);
}

Test(sql, rows_can_be_given_up_half_way)
{
    struct sql *sql = connect_with_table();
    const struct str *row;
    struct why why;
    int64_t number = 0;

    cr_assert_eq(sql_select(sql, &why, "SELECT seq, NULL FROM seq_1_to_100000"), ERR_OK, "%s",
                 why.text);
    cr_assert_eq(sql_next(sql, &row, &why), ERR_OK);
    cr_expect_eq(sql_to_number(row[0]), 1);
    cr_expect_null(row[1].at);
    sql_end_rows(sql);
    cr_expect_eq(sql_select_number(sql, &number, &why, "SELECT -42"), ERR_OK);
    cr_expect_eq(number, -42);
    cr_expect_eq(sql_select_number(sql, &number, &why, "SELECT MAX(id) FROM t"), ERR_NOT_FOUND);
    sql_close(sql);
}

struct sleeper {
    struct sql *sql;
    int64_t slept;
    enum err rc;
};

static void *sleep_in_the_database(void *arg)
{
    struct sleeper *sleeper = arg;
    struct why why;

    sleeper->rc =
        sql_select_number(sleeper->sql, &sleeper->slept, &why, "SELECT SLEEP(600) /* cut me */");
    return NULL;
}

Test(sql, cutting_a_group_ends_what_its_connections_wait_for)
{
    struct sleeper sleeper = {.rc = ERR_OK};
    struct sql_group group;
    struct sql *other;
    pthread_t thread;
    struct why why;

    sql_group_init(&group);
    cr_assert_eq(sql_connect(database_url(), database_user(), database_password(), NULL, &group,
                             &sleeper.sql, &why),
                 ERR_OK, "%s", why.text);
    pthread_create(&thread, NULL, sleep_in_the_database, &sleeper);
    cr_assert_eq(sql_connect(database_url(), database_user(), database_password(), NULL, &group,
                             &other, &why),
                 ERR_OK, "%s", why.text);
    for (int64_t asleep = 0; asleep == 0;) {
        cr_assert_eq(sql_select_number(other, &asleep, &why,
                                       "SELECT COUNT(*) FROM information_schema.processlist "
                                       "WHERE info LIKE 'SELECT SLEEP(600)%%'"),
                     ERR_OK, "%s", why.text);
    }
    sql_group_cut(&group);
    pthread_join(thread, NULL); /* The suite's time-out is shorter than the sleep. */
    cr_expect_eq(sleeper.rc, ERR_SQL_LOST);
    cr_expect_eq(sql_exec(other, &why, "DO 1"), ERR_SQL_LOST);
    sql_close(other);
    cr_expect_eq(sql_connect(database_url(), database_user(), database_password(), NULL, &group,
                             &other, &why),
                 ERR_SQL_LOST);
    sql_close(sleeper.sql);
    sql_group_fini(&group);
}

Test(sql, a_posted_number_is_there_when_it_is_said_to_be)
{
    struct sql *sql = connect_with_table(), *other;
    struct why why;
    int64_t number = 0;

    cr_assert_eq(
        sql_connect(database_url(), database_user(), database_password(), NULL, NULL, &other, &why),
        ERR_OK);
    cr_assert_eq(sql_select_number(sql, &number, &why, "SELECT GET_LOCK('posted.%s', 0)",
                                   database_url()->database),
                 ERR_OK);
    cr_assert_eq(number, 1);
    cr_assert_eq(
        sql_exec(other, &why, "SET @name = CONCAT('posted.', '%s')", database_url()->database),
        ERR_OK);
    cr_assert_eq(sql_post(other, STR("SELECT 41 + GET_LOCK(@name, 50)"), &why), ERR_OK);
    cr_expect_not(sql_is_answered(other));
    cr_assert_eq(sql_exec(sql, &why, "DO RELEASE_LOCK('posted.%s')", database_url()->database),
                 ERR_OK);
    while (!sql_is_answered(other)) {
    }
    cr_assert_eq(sql_take_number(other, &number, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(number, 42);
    cr_assert_eq(sql_post(other, STR("SELECT 1 FROM nowhere.at_all"), &why), ERR_OK);
    cr_expect_eq(sql_take_number(other, &number, &why), ERR_NOT_FOUND,
                 "an error, as of sql_exec()");
    cr_expect_eq(sql_select_number(other, &number, &why, "SELECT 7"), ERR_OK, "goes on");
    cr_expect_eq(number, 7);
    sql_close(other);
    sql_close(sql);
}
