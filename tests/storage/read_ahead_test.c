/* Reading ahead: which rows are read, when they are not, and that nothing depends on it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "database.h"
#include "storage/source_parts.h"

TestSuite(read_ahead, .timeout = 60);

enum { OBJECTS = 900 };

/** One batch that creates or changes so many objects. */
static void change(struct source *source, size_t objects)
{
    static int64_t serial = 10;
    struct batch *batch;
    struct why why;
    char text[100];

    cr_assert_eq(batch_begin(source, &batch, &why), ERR_OK, "%s", why.text);
    for (size_t i = 0; i < objects; i++) {
        snprintf(text, sizeof(text), "mntner: M%zu-MNT\nremarks: %lld\nsource: RIPE\n", i,
                 (long long)++serial);
        cr_assert_eq(batch_add(batch, serial, str_from(text), &why), ERR_OK, "%s", why.text);
    }
    cr_assert_eq(batch_commit(batch, 0, &why), ERR_OK, "%s", why.text);
}

/** As if all pages had had to come from the disk since the last large batch. */
static void say_missing(struct source *source)
{
    source->read_ahead.before.reads = -1000000;
    source->read_ahead.before.rows = OBJECTS;
}

static uint64_t rows_read(struct source *source)
{
    struct source_status status;

    source_get_status(source, &status);
    return status.read_ahead;
}

static size_t lanes_connected(const struct source *source)
{
    size_t count = 0;

    for (size_t i = 0; i < READ_AHEAD_CONNECTIONS; i++) {
        count += source->read_ahead.lanes[i].sql != NULL;
    }
    return count;
}

static size_t lanes_asked(const struct source *source)
{
    size_t count = 0;

    for (size_t i = 0; i < READ_AHEAD_CONNECTIONS; i++) {
        count += source->read_ahead.lanes[i].is_asked;
    }
    return count;
}

/** Until all but so many lanes have answered. The test's time-out ends what does not come. */
static void await_answers(struct source *source, size_t left)
{
    while (lanes_asked(source) > left) {
        pause_ms(1);
        source_housekeep(source);
    }
}

/** As its database ends the connections that read ahead, and leaves the source's own. */
static void kill_lanes(struct source *source)
{
    int64_t own = 0;
    struct why why;

    cr_assert_eq(sql_select_number(source->sql, &own, &why, "SELECT CONNECTION_ID()"), ERR_OK);
    database_exec("BEGIN NOT ATOMIC FOR c IN (SELECT id FROM information_schema.processlist WHERE "
                  "db = DATABASE() AND id NOT IN (CONNECTION_ID(), %lld)) DO KILL CONNECTION "
                  "c.id; END FOR; END",
                  (long long)own);
}

/** The most that may be read ahead. */
static uint64_t pool_share(void)
{
    return (uint64_t)database_number("SELECT variable_value FROM information_schema.global_status "
                                     "WHERE variable_name = 'INNODB_BUFFER_POOL_PAGES_TOTAL'") /
           8;
}

static struct storage *open_filled(struct source **source)
{
    struct storage *storage = database_open(source);

    change(*source, OBJECTS);
    return storage;
}

Test(read_ahead, every_row_of_a_batch_is_read_once_where_pages_were_missing)
{
    struct source *source;
    struct storage *storage = open_filled(&source);
    const uint64_t most = pool_share();

    say_missing(source);
    change(source, OBJECTS);
    cr_expect_eq(lanes_connected(source), READ_AHEAD_CONNECTIONS);
    await_answers(source, 0);
    cr_expect_eq(rows_read(source), OBJECTS < most ? OBJECTS : most);
    cr_expect_eq(database_number("SELECT COUNT(*) FROM last WHERE sequence_id = 2"), OBJECTS);
    cr_expect_eq(database_number("SELECT COUNT(*) FROM serials WHERE atlast = 0"), OBJECTS);
    check_against_reopened(source);
    storage_free(storage);
}

Test(read_ahead, no_more_is_read_than_the_pool_can_keep)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    const uint64_t most = pool_share();

    cr_assert_lt(most, 20000, "or make this test's batches larger");
    change(source, most + 100);
    say_missing(source);
    change(source, most + 100);
    await_answers(source, 0);
    cr_expect_eq(rows_read(source), most);
    storage_free(storage);
}

Test(read_ahead, batches_whose_pages_are_at_hand_read_nothing)
{
    struct source *source;
    struct storage *storage = open_filled(&source);

    for (int i = 0; i < 3; i++) {
        change(source, OBJECTS);
        cr_expect_eq(lanes_connected(source), 0);
    }
    cr_expect_gt(source->read_ahead.before.reads, 0, "the server was asked");
    storage_free(storage);
}

Test(read_ahead, small_batches_are_left_alone)
{
    struct source *source;
    struct storage *storage = open_filled(&source);

    say_missing(source);
    change(source, READ_AHEAD_ROWS_MIN - 1);
    cr_expect_eq(lanes_connected(source), 0);
    cr_expect_lt(source->read_ahead.before.reads, 0, "nor was the server asked");
    change(source, READ_AHEAD_ROWS_MIN);
    cr_expect_eq(lanes_connected(source), READ_AHEAD_CONNECTIONS);
    storage_free(storage);
}

Test(read_ahead, an_answer_that_does_not_come_is_not_waited_for)
{
    struct source *source;
    struct storage *storage = open_filled(&source);
    struct read_ahead_lane *slow = &source->read_ahead.lanes[1];
    struct why why;

    say_missing(source);
    change(source, OBJECTS);
    await_answers(source, 0);
    cr_assert_eq(lanes_connected(source), READ_AHEAD_CONNECTIONS);
    cr_assert_eq(sql_post(slow->sql, STR("SELECT SLEEP(100000)"), &why), ERR_OK, "%s", why.text);
    slow->is_asked = true;
    say_missing(source);
    change(source, OBJECTS);
    await_answers(source, 1);
    cr_expect(slow->is_asked);
    cr_expect_eq(rows_read(source), 2 * OBJECTS, "by the others");
    change(source, 1);
    test_mono_ms += READ_AHEAD_PAUSE_MS;
    source_housekeep(source);
    cr_expect_eq(lanes_connected(source), 0, "unused, they are closed");
    check_against_reopened(source);
    storage_free(storage);
}

Test(read_ahead, a_source_is_closed_while_it_reads)
{
    struct source *source;
    struct storage *storage = open_filled(&source);
    struct why why;

    say_missing(source);
    change(source, OBJECTS);
    await_answers(source, 0);
    cr_assert_eq(lanes_connected(source), READ_AHEAD_CONNECTIONS);
    for (size_t i = 0; i < READ_AHEAD_CONNECTIONS; i++) {
        cr_assert_eq(sql_post(source->read_ahead.lanes[i].sql, STR("SELECT SLEEP(100000)"), &why),
                     ERR_OK);
        source->read_ahead.lanes[i].is_asked = true;
    }
    storage_free(storage);
}

Test(read_ahead, connections_that_were_lost_are_made_again_later)
{
    struct source *source;
    struct storage *storage = open_filled(&source);

    say_missing(source);
    change(source, OBJECTS);
    await_answers(source, 0);
    kill_lanes(source);
    say_missing(source);
    change(source, OBJECTS);
    await_answers(source, 0);
    cr_expect_eq(lanes_connected(source), 0);
    say_missing(source);
    change(source, OBJECTS);
    cr_expect_eq(lanes_connected(source), 0, "not at once");
    test_mono_ms += READ_AHEAD_PAUSE_MS;
    say_missing(source);
    change(source, OBJECTS);
    await_answers(source, 0);
    cr_expect_eq(lanes_connected(source), READ_AHEAD_CONNECTIONS);
    cr_expect_eq(rows_read(source), 2 * OBJECTS);
    check_against_reopened(source);
    storage_free(storage);
}

Test(read_ahead, connections_that_cannot_be_made_fail_no_batch)
{
    struct source *source;
    struct storage *storage = database_open_locked_out(&source);

    change(source, OBJECTS);
    database_lock_out(true);
    say_missing(source);
    change(source, OBJECTS);
    cr_expect_eq(lanes_connected(source), 0);
    database_lock_out(false);
    test_mono_ms += READ_AHEAD_PAUSE_MS;
    say_missing(source);
    change(source, OBJECTS);
    await_answers(source, 0);
    cr_expect_eq(rows_read(source), OBJECTS);
    storage_free(storage);
}
