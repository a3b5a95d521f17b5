/* Batches: what each op leaves in the tables and in the index, folding, and failures at every
 * statement. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "database.h"
#include "storage/index.h"

TestSuite(batch, .timeout = 60);

#define LAST                                                                                       \
    "SELECT CONCAT_WS('/', object_id, sequence_id, timestamp, object_type, pkey, object) FROM "    \
    "last"
#define HISTORY                                                                                    \
    "SELECT CONCAT_WS('/', object_id, sequence_id, pkey, object) FROM history ORDER BY 1"
#define SERIALS                                                                                    \
    "SELECT CONCAT_WS('/', serial_id, object_id, sequence_id, atlast, operation) FROM serials"

/** One batch, written as lines: `+SERIAL text` adds, `-SERIAL text` deletes; `;` stands for the
 * line end in texts. */
static enum err play(struct source *source, int64_t hw, const char *const *ops)
{
    struct batch *batch;
    struct why why;
    enum err rc = batch_begin(source, &batch, &why);

    cr_assert_eq(rc, ERR_OK, "%s", why.text);
    for (; *ops != NULL; ops++) {
        char *text, *copy = strdup(*ops);
        int64_t serial = strtoll(copy + 1, &text, 10);

        for (char *c = text; *c != '\0'; c++) {
            *c = *c == ';' ? '\n' : *c;
        }
        rc = copy[0] == '+' ? batch_add(batch, serial, str_from(text + 1), &why)
                            : batch_delete(batch, serial, str_from(text + 1), &why);
        cr_assert_eq(rc, ERR_OK, "%s: %s", *ops, why.text);
        free(copy);
    }
    return batch_commit(batch, hw, &why);
}
#define PLAY(source, hw, ...) play(source, hw, (const char *const[]){__VA_ARGS__, NULL})

static int64_t hw_of(struct source *source)
{
    struct source_position position;

    source_get_position(source, &position);
    return position.hw;
}

Test(batch, add_change_delete_and_create_again)
{
    struct source *source;
    struct storage *storage = database_open(&source);

    cr_assert_eq(PLAY(source, 0, "+10 mntner: A-MNT;source: RIPE;"), ERR_OK);
    cr_expect_str_eq(database_list(LAST), "1/1/1795348800/9/A-MNT/mntner: A-MNT\nsource: RIPE\n");
    cr_expect_str_eq(database_list(SERIALS), "10/1/1/1/1");
    test_wall_ms += 5000;
    cr_assert_eq(PLAY(source, 0, "+12 mntner:   a-mnt;remarks: x;source: RIPE;"), ERR_OK);
    cr_expect_str_eq(database_list(LAST),
                     "1/2/1795348805/9/a-mnt/mntner:   a-mnt\nremarks: x\nsource: RIPE\n");
    cr_expect_str_eq(database_list(HISTORY), "1/1/A-MNT/mntner: A-MNT\nsource: RIPE\n");
    cr_expect_eq(database_number("SELECT timestamp FROM history"), 1795348800);
    cr_expect_str_eq(database_list(SERIALS), "10/1/1/0/1 12/1/2/1/1");
    test_wall_ms += 5000;
    cr_assert_eq(PLAY(source, 0, "-13 mntner: A-MNT;"), ERR_OK);
    cr_expect_str_eq(database_list(LAST), "1/0/1795348810/9/a-mnt/");
    cr_expect_str_eq(database_list(SERIALS), "10/1/1/0/1 12/1/2/0/1 13/1/3/0/2");
    cr_expect_eq(database_number("SELECT COUNT(*) FROM history"), 2);
    cr_expect_null(indexed_text(source, CLASS_MNTNER, "A-MNT"));
    cr_assert_eq(PLAY(source, 0, "+14 mntner: A-MNT;source: RIPE;"), ERR_OK);
    cr_expect_eq(database_number("SELECT object_id FROM last WHERE sequence_id > 0"), 2,
                 "a new object_id");
    cr_expect_str_eq(database_list("SELECT CONCAT_WS('/', hw, applied) FROM nrtm_state"), "14/14");
    check_against_reopened(source);
    storage_free(storage);
}

Test(batch, identical_text_is_a_version_too)
{
    struct source *source;
    struct storage *storage = database_open(&source);

    cr_assert_eq(PLAY(source, 0, "+10 mntner: A-MNT;source: RIPE;"), ERR_OK);
    cr_assert_eq(PLAY(source, 0, "+11 mntner: A-MNT;source: RIPE;"), ERR_OK);
    cr_expect_str_eq(database_list(SERIALS), "10/1/1/0/1 11/1/2/1/1");
    cr_expect_eq(database_number("SELECT COUNT(*) FROM history"), 1);
    check_against_reopened(source);
    storage_free(storage);
}

Test(batch, versions_of_one_object_are_folded)
{
    struct source *source;
    struct storage *storage = database_open(&source);

    cr_assert_eq(
        PLAY(source, 0, "+10 mntner: A-MNT;source: RIPE;", "+11 mntner: B-MNT;source: RIPE;"),
        ERR_OK);
    cr_assert_eq(PLAY(source, 0, "+12 mntner: A-MNT;remarks: 2;", "+13 mntner: A-MNT;remarks: 3;",
                      "-14 mntner: A-MNT;", "+15 mntner: A-MNT;remarks: new;",
                      "+16 mntner: A-MNT;remarks: new2;", "+17 mntner: C-MNT;",
                      "-18 mntner: C-MNT;", "+19 mntner: B-MNT;remarks: 2;"),
                 ERR_OK);
    cr_expect_str_eq(
        database_list("SELECT CONCAT_WS('/', object_id, sequence_id, pkey, object) FROM last"),
        "1/0/A-MNT/ 2/2/B-MNT/mntner: B-MNT\nremarks: 2\n "
        "3/2/A-MNT/mntner: A-MNT\nremarks: new2\n 4/0/C-MNT/");
    cr_expect_str_eq(
        database_list(HISTORY),
        "1/1/A-MNT/mntner: A-MNT\nsource: RIPE\n 1/2/A-MNT/mntner: A-MNT\nremarks: 2\n "
        "1/3/A-MNT/mntner: A-MNT\nremarks: 3\n 2/1/B-MNT/mntner: B-MNT\nsource: RIPE\n "
        "3/1/A-MNT/mntner: A-MNT\nremarks: new\n 4/1/C-MNT/mntner: C-MNT\n");
    cr_expect_str_eq(database_list(SERIALS),
                     "10/1/1/0/1 11/2/1/0/1 12/1/2/0/1 13/1/3/0/1 14/1/4/0/2 15/3/1/0/1 16/3/2/1/1 "
                     "17/4/1/0/1 18/4/2/0/2 19/2/2/1/1");
    check_against_reopened(source);
    storage_free(storage);
}

Test(batch, deleting_what_is_not_there_moves_hw_only)
{
    struct source *source;
    struct storage *storage = database_open(&source);

    cr_assert_eq(PLAY(source, 0, "+10 mntner: A-MNT;"), ERR_OK);
    cr_assert_eq(PLAY(source, 0, "-11 mntner: B-MNT;"), ERR_OK);
    cr_expect_str_eq(database_list("SELECT CONCAT_WS('/', hw, applied) FROM nrtm_state"), "11/10");
    cr_expect_str_eq(database_list(SERIALS), "10/1/1/1/1");
    check_against_reopened(source);
    storage_free(storage);
}

Test(batch, repeats_are_skipped_and_hw_may_run_ahead)
{
    struct source *source;
    struct storage *storage = database_open(&source);

    cr_assert_eq(PLAY(source, 20, "+10 mntner: A-MNT;"), ERR_OK);
    cr_expect_eq(hw_of(source), 20);
    cr_assert_eq(PLAY(source, 0, "+10 mntner: A-MNT;remarks: again;", "-20 mntner: A-MNT;"),
                 ERR_OK);
    cr_expect_str_eq(indexed_text(source, CLASS_MNTNER, "A-MNT"), "mntner: A-MNT\n");
    cr_assert_eq(PLAY(source, 0, "+21 mntner: A-MNT;remarks: 2;", "+21 mntner: A-MNT;remarks: 3;"),
                 ERR_OK);
    cr_expect_str_eq(indexed_text(source, CLASS_MNTNER, "A-MNT"), "mntner: A-MNT\nremarks: 2\n");
    cr_assert_eq(play(source, 30, (const char *const[]){NULL}), ERR_OK, "%%END of an empty range");
    cr_expect_eq(database_number("SELECT hw FROM nrtm_state"), 30);
    check_against_reopened(source);
    storage_free(storage);
}

Test(batch, person_and_role_replace_each_other)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    int64_t generation;

    cr_assert_eq(PLAY(source, 0, "+10 person: A;nic-hdl: AA1-RIPE;"), ERR_OK);
    generation = database_number("SELECT generation FROM nrtm_state");
    cr_assert_eq(PLAY(source, 0, "+11 role: A;nic-hdl: aa1-ripe;"), ERR_OK);
    cr_expect_null(indexed_text(source, CLASS_PERSON, "AA1-RIPE"));
    cr_expect_str_eq(indexed_text(source, CLASS_ROLE, "AA1-RIPE"), "role: A\nnic-hdl: aa1-ripe\n");
    cr_expect_str_eq(
        database_list("SELECT CONCAT_WS('/', object_id, sequence_id, object_type) FROM last"),
        "1/0/10 2/1/11");
    cr_expect_str_eq(database_list(SERIALS), "10/1/1/0/1 11/2/1/1/1");
    cr_expect_eq(database_number("SELECT COUNT(*) FROM history"), 1);
    cr_expect_neq(database_number("SELECT generation FROM nrtm_state"), generation);
    check_against_reopened(source);
    storage_free(storage);
}

Test(batch, only_the_last_object_of_a_bulk_load_has_a_serial_to_retire)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct load *load;
    struct load_report report;
    struct why why;

    cr_assert_eq(load_begin(source, &(struct load_options){.serial = 9}, &load, &why), ERR_OK);
    cr_assert_eq(load_add(load, STR("mntner: A-MNT\n"), 0, &why), ERR_OK);
    cr_assert_eq(load_add(load, STR("mntner: B-MNT\n"), 0, &why), ERR_OK);
    cr_assert_eq(load_finish(load, &report, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(database_number("SELECT bulk_end FROM nrtm_state"), 2);
    cr_assert_eq(PLAY(source, 0, "+10 mntner: A-MNT;remarks: 2;", "+11 mntner: B-MNT;remarks: 2;"),
                 ERR_OK);
    cr_expect_str_eq(database_list(SERIALS), "9/2/1/0/1 10/1/2/1/1 11/2/2/1/1");
    cr_assert_eq(PLAY(source, 0, "+12 mntner: A-MNT;remarks: 3;", "-13 mntner: B-MNT;"), ERR_OK);
    cr_expect_str_eq(database_list(SERIALS),
                     "9/2/1/0/1 10/1/2/0/1 11/2/2/0/1 12/1/3/1/1 13/2/3/0/2");
    check_against_reopened(source);
    storage_free(storage);
}

Test(batch, long_keys_are_cut_to_254_characters)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct batch *batch;
    struct why why;
    struct buf text = {0};

    buf_add_str(&text, STR("poem: "));
    for (int i = 0; i < 300; i++) {
        buf_add_str(&text, STR("é"));
    }
    buf_add_str(&text, STR("\nsource: RIPE\n"));
    cr_assert_eq(batch_begin(source, &batch, &why), ERR_OK);
    cr_assert_eq(batch_add(batch, 1, buf_str(&text), &why), ERR_OK, "%s", why.text);
    cr_assert_eq(batch_add(batch, 2, buf_str(&text), &why), ERR_OK, "%s", why.text);
    cr_assert_eq(batch_commit(batch, 0, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(database_number("SELECT CHAR_LENGTH(pkey) FROM last"), 254);
    cr_expect_eq(database_number("SELECT CHAR_LENGTH(pkey) FROM history"), 254);
    cr_expect_eq(database_number("SELECT COUNT(*) FROM last"), 1);
    buf_free(&text);
    storage_free(storage);
}

Test(batch, serials_above_the_column_stop_the_mirror)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct batch *batch;
    struct why why;

    cr_assert_eq(batch_begin(source, &batch, &why), ERR_OK);
    cr_assert_eq(batch_add(batch, 2147483647, STR("mntner: A-MNT\n"), &why), ERR_OK);
    cr_expect_eq(batch_add(batch, 2147483648, STR("mntner: B-MNT\n"), &why), ERR_LIMIT);
    cr_assert_eq(batch_commit(batch, 0, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(database_number("SELECT MAX(serial_id) FROM serials"), 2147483647);
    storage_free(storage);
}

Test(batch, what_cannot_be_parsed_is_kept_aside)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct source_status status;
    struct batch *batch;
    struct why why;
    const struct str raw = STR("\xff\0 rubbish");

    cr_assert_eq(batch_begin(source, &batch, &why), ERR_OK);
    cr_assert_eq(batch_add(batch, 5, STR("mntner: A-MNT\n"), &why), ERR_OK);
    cr_expect_eq(batch_add(batch, 6, STR("rubbish\n"), &why), ERR_SYNTAX);
    cr_expect_eq(batch_add(batch, 6, STR("person: A\n"), &why), ERR_SYNTAX, "no key");
    cr_expect_eq(batch_quarantine(batch, 6, false, raw, why.text), ERR_OK);
    cr_expect_eq(batch_ops(batch), 2);
    cr_assert_eq(batch_commit(batch, 0, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(hw_of(source), 6);
    cr_expect_str_eq(
        database_list("SELECT CONCAT_WS('/', mirror, serial, operation, HEX(raw)) FROM "
                      "nrtm_quarantine"),
        "RIPE-GRS/6/1/FF002072756262697368");
    source_get_status(source, &status);
    cr_expect_eq(status.quarantined, 1);
    check_against_reopened(source);
    storage_free(storage);
}

Test(batch, keeps_the_received_bytes_beside_an_op)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct batch *batch;
    struct why why;

    cr_assert_eq(batch_begin(source, &batch, &why), ERR_OK);
    cr_assert_eq(batch_add(batch, 5, STR("mntner: A-MNT\n"), &why), ERR_OK);
    cr_expect_eq(batch_quarantine(batch, 5, false, STR("\xfc"), "not UTF-8"), ERR_OK);
    cr_expect_eq(batch_ops(batch), 1);
    cr_assert_eq(batch_commit(batch, 0, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(database_number("SELECT COUNT(*) FROM nrtm_quarantine WHERE serial = 5"), 1);
    cr_expect_eq(database_number("SELECT COUNT(*) FROM serials WHERE serial_id = 5"), 1);
    storage_free(storage);
}

Test(batch, an_object_changed_by_hand_is_found_out_and_read_again)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct why why;
    bool changed;

    cr_assert_eq(PLAY(source, 0, "+10 mntner: A-MNT;"), ERR_OK);
    database_exec("UPDATE last SET sequence_id = 7");
    cr_expect_eq(PLAY(source, 0, "+11 mntner: A-MNT;remarks: 2;"), ERR_MOVED);
    cr_assert_eq(source_sync(source, &changed, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(PLAY(source, 0, "+11 mntner: A-MNT;remarks: 2;"), ERR_OK);
    cr_expect_eq(database_number("SELECT sequence_id FROM last"), 8);
    check_against_reopened(source);
    storage_free(storage);
}

Test(batch, a_lock_held_by_somebody_else_is_waited_for)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct sql *other = database_connect();
    struct why why;

    cr_assert_eq(PLAY(source, 0, "+10 mntner: A-MNT;"), ERR_OK);
    database_exec("SET GLOBAL innodb_deadlock_detect = ON");
    cr_assert_eq(sql_begin(other, &why), ERR_OK);
    cr_assert_eq(sql_exec(other, &why, "UPDATE serials SET atlast = 1"), ERR_OK);
    /* The row lock goes away with its connection, while the batch waits for it. */
    cr_assert_eq(sql_exec(other, &why, "SET SESSION idle_transaction_timeout = 1"), ERR_OK);
    cr_expect_eq(PLAY(source, 0, "+11 mntner: A-MNT;remarks: 2;"), ERR_OK);
    sql_close(other);
    check_against_reopened(source);
    storage_free(storage);
}

Test(batch, a_lost_connection_leaves_the_old_state_and_is_made_again)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct source_status status;
    struct batch *batch;
    struct why why;
    bool changed;

    cr_assert_eq(PLAY(source, 0, "+10 mntner: A-MNT;"), ERR_OK);
    cr_assert_eq(batch_begin(source, &batch, &why), ERR_OK);
    cr_assert_eq(batch_add(batch, 11, STR("mntner: B-MNT\n"), &why), ERR_OK);
    database_exec(
        "BEGIN NOT ATOMIC FOR c IN (SELECT id FROM information_schema.processlist WHERE db = "
        "DATABASE() AND id <> CONNECTION_ID()) DO KILL CONNECTION c.id; END FOR; END");
    cr_expect_eq(batch_commit(batch, 0, &why), ERR_SQL_LOST, "%s", why.text);
    source_get_status(source, &status);
    cr_expect(status.database_down);
    cr_expect_null(indexed_text(source, CLASS_MNTNER, "B-MNT"));
    cr_assert_eq(source_sync(source, &changed, &why), ERR_OK, "%s", why.text);
    cr_expect_not(changed);
    cr_assert_eq(PLAY(source, 0, "+11 mntner: B-MNT;"), ERR_OK);
    check_against_reopened(source);
    storage_free(storage);
}

Test(batch, a_connection_that_cannot_be_made_again_leaves_the_old_state)
{
    struct source *source;
    struct storage *storage = database_open_locked_out(&source);
    struct why why;
    bool changed;

    cr_assert_eq(PLAY(source, 0, "+10 mntner: A-MNT;"), ERR_OK);
    database_lock_out(true);
    database_exec("KILL USER locked_out@localhost");
    cr_expect_eq(PLAY(source, 0, "+11 mntner: B-MNT;"), ERR_SQL_LOST);
    cr_expect_eq(PLAY(source, 0, "+11 mntner: B-MNT;"), ERR_DENIED);
    cr_expect_eq(source_sync(source, &changed, &why), ERR_DENIED);
    cr_expect_not_null(indexed_text(source, CLASS_MNTNER, "A-MNT"), "queries are answered");
    database_lock_out(false);
    cr_expect_eq(PLAY(source, 0, "+11 mntner: B-MNT;"), ERR_OK);
    storage_free(storage);
}

Test(batch, a_commit_whose_answer_is_lost_is_looked_up)
{
    struct source *source;
    struct storage *storage = database_open(&source);

    cr_assert_eq(PLAY(source, 0, "+10 mntner: A-MNT;"), ERR_OK);
    database_arm("batch-after-commit", "fail");
    cr_expect_eq(PLAY(source, 0, "+11 mntner: B-MNT;"), ERR_OK);
    cr_expect_not_null(indexed_text(source, CLASS_MNTNER, "B-MNT"));
    cr_expect_eq(hw_of(source), 11);
    check_against_reopened(source);
    storage_free(storage);
}

struct fault_case {
    char name[32];
};

ParameterizedTestParameters(batch, a_failing_statement_leaves_the_old_state)
{
    static struct fault_case cases[] = {
        {"batch-begin"},         {"batch-lock"},        {"batch-position"},
        {"batch-history"},       {"batch-serials-old"}, {"batch-serials"},
        {"batch-last-update"},   {"batch-last-insert"}, {"batch-state"},
        {"batch-before-commit"},
    };
    return cr_make_param_array(struct fault_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct fault_case *c, batch, a_failing_statement_leaves_the_old_state)
{
    struct source *source;
    struct storage *storage = database_open(&source);

    cr_assert_eq(PLAY(source, 0, "+10 mntner: A-MNT;", "+11 mntner: B-MNT;"), ERR_OK);
    database_arm(c->name, "fail");
    cr_expect_eq(PLAY(source, 0, "+12 mntner: A-MNT;remarks: 2;", "-13 mntner: B-MNT;",
                      "+14 mntner: C-MNT;"),
                 ERR_SQL);
    cr_expect_str_eq(database_list(SERIALS), "10/1/1/1/1 11/2/1/1/1");
    cr_expect_eq(database_number("SELECT COUNT(*) FROM history"), 0);
    cr_expect_eq(hw_of(source), 11);
    check_against_reopened(source);
    cr_expect_eq(PLAY(source, 0, "+12 mntner: A-MNT;remarks: 2;", "-13 mntner: B-MNT;",
                      "+14 mntner: C-MNT;"),
                 ERR_OK, "and again");
    check_against_reopened(source);
    storage_free(storage);
}

static void play_to_be_killed(struct source *source, const void *context)
{
    (void)PLAY(source, 0, "+12 mntner: A-MNT;remarks: 2;", "-13 mntner: B-MNT;",
               "+14 mntner: C-MNT;");
}

struct kill_case {
    char name[32];
    bool survives; /* The transaction took place. */
};

ParameterizedTestParameters(batch, a_kill_leaves_the_old_state_or_the_new)
{
    static struct kill_case cases[] = {
        {"batch-begin",          false},
        {"batch-lock",           false},
        {"batch-position",       false},
        {"batch-history",        false},
        {"batch-serials-old",    false},
        {"batch-last-update",    false},
        {"batch-last-insert",    false},
        {"batch-serials",        false},
        {"batch-state",          false},
        {"batch-before-commit",  false},
        {"batch-after-commit",   true },
        {"batch-before-publish", true },
    };
    return cr_make_param_array(struct kill_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct kill_case *c, batch, a_kill_leaves_the_old_state_or_the_new)
{
    struct source *source;
    struct storage *storage = database_open(&source);

    cr_assert_eq(PLAY(source, 0, "+10 mntner: A-MNT;", "+11 mntner: B-MNT;"), ERR_OK);
    storage_free(storage);
    database_kill_at(c->name, play_to_be_killed, NULL);
    storage = database_open_when_free(&source);
    cr_expect_eq(hw_of(source), c->survives ? 14 : 11);
    cr_expect_eq(indexed_text(source, CLASS_MNTNER, "B-MNT") == NULL, c->survives);
    cr_expect_eq(indexed_text(source, CLASS_MNTNER, "C-MNT") != NULL, c->survives);
    /* The stream sends everything again; what is in is skipped. */
    play_to_be_killed(source, NULL);
    cr_expect_str_eq(database_list(SERIALS),
                     "10/1/1/0/1 11/2/1/0/1 12/1/2/1/1 13/2/2/0/2 14/3/1/1/1");
    cr_expect_str_eq(database_list(HISTORY), "1/1/A-MNT/mntner: A-MNT\n 2/1/B-MNT/mntner: B-MNT\n");
    check_against_reopened(source);
    storage_free(storage);
}

/** Random ops in random batches, small key space: tables, index and a model agree at the end. */
Test(batch, random_ops_leave_consistent_tables)
{
    enum { KEYS = 12, BATCHES = 30 };
    struct source *source;
    struct storage *storage = database_open(&source);
    char expected[KEYS][80] = {{0}};
    unsigned seed = 20261122;
    int64_t serial = 100;
    struct batch *batch;
    struct why why;

    for (int b = 0; b < BATCHES; b++) {
        cr_assert_eq(batch_begin(source, &batch, &why), ERR_OK, "%s", why.text);
        for (int i = rand_r(&seed) % 12 + 1; i > 0; i--) {
            const int key = rand_r(&seed) % KEYS;
            char text[80];

            serial += rand_r(&seed) % 3 + 1;
            snprintf(text, sizeof(text), "mntner: M%d-MNT\nremarks: %d\n", key, rand_r(&seed) % 3);
            if (rand_r(&seed) % 3 == 0) {
                cr_assert_eq(batch_delete(batch, serial, str_from(text), &why), ERR_OK, "%s",
                             why.text);
                expected[key][0] = '\0';
            } else {
                cr_assert_eq(batch_add(batch, serial, str_from(text), &why), ERR_OK, "%s",
                             why.text);
                strcpy(expected[key], text);
            }
        }
        cr_assert_eq(batch_commit(batch, 0, &why), ERR_OK, "%s", why.text);
    }
    for (int key = 0; key < KEYS; key++) {
        char name[20];
        const char *text;

        snprintf(name, sizeof(name), "M%d-MNT", key);
        text = indexed_text(source, CLASS_MNTNER, name);
        cr_expect_str_eq(text == NULL ? "" : text, expected[key], "%s", name);
    }
    /* Each live object has exactly one row with atlast = 1, a deleted one none. */
    cr_expect_eq(
        database_number("SELECT COUNT(*) FROM last l WHERE (sequence_id > 0) <> (SELECT COUNT(*) "
                        "FROM serials s WHERE s.object_id = l.object_id AND atlast = 1)"),
        0);
    cr_expect_eq(
        database_number("SELECT COUNT(*) FROM serials s JOIN last l USING (object_id) WHERE "
                        "atlast = 1 AND s.sequence_id <> l.sequence_id"),
        0);
    /* History and last number the versions without a gap. */
    cr_expect_eq(
        database_number("SELECT COUNT(*) FROM last l WHERE sequence_id > 0 AND sequence_id <> 1 + "
                        "(SELECT COUNT(*) FROM history h WHERE h.object_id = l.object_id)"),
        0);
    cr_expect_eq(
        database_number("SELECT COUNT(*) FROM history h WHERE sequence_id > (SELECT COUNT(*) FROM "
                        "history i WHERE i.object_id = h.object_id)"),
        0);
    check_against_reopened(source);
    storage_free(storage);
}
