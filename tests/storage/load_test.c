/* Dumps: a bulk load of an empty source, a reload by difference, and what a failure leaves of
 * either. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "database.h"
#include "storage/index.h"
#include "updates.h"

TestSuite(load, .timeout = 60);

/** Load texts in which `;` stands for the line end. */
static enum err load(struct source *source, struct load_options options, const char *const *texts,
                     struct load_report *report, struct why *why)
{
    struct load *load;
    enum err rc = load_begin(source, &options, &load, why);

    if (rc != ERR_OK) {
        return rc;
    }
    for (; *texts != NULL; texts++) {
        char *text = strdup(*texts);

        for (char *c = text; *c != '\0'; c++) {
            *c = *c == ';' ? '\n' : *c;
        }
        rc = load_add(load, str_from(text), 0.5, why);
        free(text);
        if (rc != ERR_OK) {
            load_abort(load);
            return rc;
        }
    }
    return load_finish(load, report, why);
}
#define TEXTS(...)                                                                                 \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

static void load_well(struct source *source, int64_t serial, const char *const *texts,
                      struct load_report *report)
{
    struct why why;

    cr_assert_eq(load(source, (struct load_options){.serial = serial}, texts, report, &why), ERR_OK,
                 "%s", why.text);
}

#define IDS "SELECT CONCAT_WS('/', object_id, sequence_id, pkey) FROM last"
#define SERIALS                                                                                    \
    "SELECT CONCAT_WS('/', serial_id, object_id, sequence_id, atlast, operation) FROM serials"
#define KEYS                                                                                       \
    "SELECT COUNT(DISTINCT index_name) FROM information_schema.statistics WHERE table_schema = "   \
    "DATABASE() AND table_name = 'last'"

/* --- an empty source --- */
Test(load, an_empty_source_is_filled)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct load_report report;

    load_well(source, 70, TEXTS("mntner: A-MNT;", "person: P;nic-hdl: P1-RIPE;", "mntner: B-MNT;"),
              &report);
    cr_expect_eq(report.objects, 3);
    cr_expect_eq(report.added, 3);
    cr_expect_not(report.by_difference);
    cr_expect_str_eq(database_list(IDS), "1/1/A-MNT 2/1/P1-RIPE 3/1/B-MNT");
    cr_expect_str_eq(database_list(SERIALS), "70/3/1/1/1");
    cr_expect_str_eq(database_list("SELECT CONCAT_WS('/', hw, applied, boot_serial, loading) FROM "
                                   "nrtm_state"),
                     "70/70/70/0");
    cr_expect_eq(database_number(KEYS), 3, "the secondary keys are back");
    cr_expect_eq(status_of(source).state, SOURCE_READY);
    cr_expect(position_of_source(source).position_known);
    cr_expect_not_null(indexed_text(source, CLASS_PERSON, "p1-ripe"));
    check_against_reopened(source);
    commit_update(source, 71, false, "mntner: C-MNT\n");
    cr_expect_str_eq(database_list("SELECT object_id FROM last WHERE pkey = 'C-MNT'"), "4");
    storage_free(storage);
}

Test(load, without_a_serial_the_position_is_unknown_until_it_is_set)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct load_report report;
    struct why why;

    load_well(source, -1, TEXTS("mntner: A-MNT;"), &report);
    cr_expect_str_eq(database_list(SERIALS), "1/1/1/1/1");
    cr_expect_not(position_of_source(source).position_known);
    storage_free(storage);
    storage = database_open(&source);
    cr_expect_not(position_of_source(source).position_known, "after a restart too");
    database_exec("UPDATE serials SET serial_id = 4711 WHERE serial_id = 1");
    cr_assert_eq(source_sync(source, &(bool){false}, &why), ERR_OK, "%s", why.text);
    cr_expect(position_of_source(source).position_known);
    cr_expect_eq(position_of_source(source).hw, 4711);
    storage_free(storage);
}

Test(load, duplicates_the_last_wins_and_rejects_are_kept_aside)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct load_report report;

    load_well(source, 70,
              TEXTS("mntner: A-MNT;remarks: 1;", "role: R;nic-hdl: ROLE-RIPE;", "no object",
                    "mntner: B-MNT;", "mntner: a-mnt;remarks: 2;", "person: R;nic-hdl: role-ripe;",
                    "person: nameless;"),
              &report);
    cr_expect_eq(report.objects, 3);
    cr_expect_eq(report.duplicates, 2);
    cr_expect_eq(report.rejected, 2);
    cr_expect_str_eq(indexed_text(source, CLASS_MNTNER, "A-MNT"), "mntner: a-mnt\nremarks: 2\n");
    cr_expect_null(indexed_text(source, CLASS_PERSON, "ROLE-RIPE"), "the first of the two is kept");
    cr_expect_not_null(indexed_text(source, CLASS_ROLE, "ROLE-RIPE"));
    cr_expect_eq(database_number("SELECT COUNT(*) FROM last"), 3);
    cr_expect_eq(database_number("SELECT COUNT(*) FROM nrtm_quarantine"), 2);
    cr_expect_eq(status_of(source).quarantined, 2);
    check_against_reopened(source);
    storage_free(storage);
}

Test(load, many_objects_pass_the_pipeline)
{
    enum { OBJECTS = 60000 };
    struct source *source;
    struct storage *storage = database_open(&source);
    struct load *load;
    struct load_report report;
    struct why why;
    char text[400];

    cr_assert_eq(load_begin(source, &(struct load_options){.serial = 1}, &load, &why), ERR_OK, "%s",
                 why.text);
    cr_expect_eq(status_of(source).state, SOURCE_LOADING);
    for (int i = 0; i < OBJECTS; i++) {
        snprintf(text, sizeof(text), "mntner: M%d-MNT\ndescr: %0*d\nsource: RIPE\n", i, i % 300, i);
        cr_assert_eq(load_add(load, str_from(text), (double)i / OBJECTS, &why), ERR_OK, "%s",
                     why.text);
    }
    cr_expect_eq(status_of(source).percent, 99);
    cr_assert_eq(load_finish(load, &report, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(report.objects, OBJECTS);
    cr_expect_eq(database_number("SELECT COUNT(*) FROM last"), OBJECTS);
    cr_expect_eq(
        database_number("SELECT SUM(LENGTH(object)) FROM last"),
        database_number("SELECT SUM(LENGTH(CONCAT('mntner: M', seq, '-MNT\\ndescr: ', LPAD(seq, "
                        "GREATEST(LENGTH(seq), MOD(seq, 300)), '0'), '\\nsource: RIPE\\n'))) FROM "
                        "seq_0_to_%d",
                        OBJECTS - 1));
    cr_expect_not_null(indexed_text(source, CLASS_MNTNER, "M59999-MNT"));
    storage_free(storage);
}

Test(load, an_aborted_load_leaves_an_empty_source)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct load *load;
    struct load_report report;
    struct batch *batch;
    struct why why;

    cr_assert_eq(load_begin(source, &(struct load_options){.serial = 5}, &load, &why), ERR_OK);
    cr_assert_eq(load_add(load, STR("mntner: A-MNT\n"), 0, &why), ERR_OK);
    cr_expect_eq(batch_begin(source, &batch, &why), ERR_BUSY, "a load is not waited for");
    load_abort(load);
    cr_expect_eq(status_of(source).state, SOURCE_EMPTY);
    cr_expect_eq(database_number("SELECT COUNT(*) FROM last"), 0);
    cr_expect_eq(database_number("SELECT loading FROM nrtm_state"), 0);
    cr_expect_eq(database_number(KEYS), 3);
    load_well(source, 6, TEXTS("mntner: B-MNT;"), &report);
    check_against_reopened(source);
    storage_free(storage);
}

Test(load, a_dump_without_objects_is_refused)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct load_report report;
    struct why why;

    cr_expect_eq(load(source, (struct load_options){.serial = 5}, (const char *const[]){NULL},
                      &report, &why),
                 ERR_SYNTAX);
    cr_expect_eq(database_number("SELECT loading FROM nrtm_state"), 0);
    storage_free(storage);
}

/* --- failures and kills --- */
Test(load, a_load_that_may_have_been_committed_is_not_undone)
{
    struct source *source;
    struct storage *storage = database_open_locked_out(&source);
    struct load *load;
    struct load_report report;
    struct why why;
    bool changed;

    cr_assert_eq(load_begin(source, &(struct load_options){.serial = 5}, &load, &why), ERR_OK);
    cr_assert_eq(load_add(load, STR("mntner: A-MNT\n"), 0, &why), ERR_OK);
    database_lock_out(true);
    database_arm("load-after-commit", "fail");
    cr_expect_eq(load_finish(load, &report, &why), ERR_SQL_LOST, "nobody could be asked");
    cr_expect_eq(database_number("SELECT COUNT(*) FROM last"), 1);
    database_lock_out(false);
    cr_expect_eq(source_sync(source, &changed, &why), ERR_OK, "%s", why.text);
    cr_expect(changed);
    cr_expect_eq(status_of(source).objects, 1);
    cr_expect_eq(position_of_source(source).hw, 5);
    storage_free(storage);
}

struct fault_case {
    char name[32];
    bool survives; /* The transaction took place. */
};

#define FAULT_CASES                                                                                \
    {                                                                                              \
        {"load-rows", false}, {"load-state", false}, {"load-before-commit", false},                \
            {"load-after-commit", true},                                                           \
    }

ParameterizedTestParameters(load, a_failure_is_undone)
{
    static struct fault_case cases[] = FAULT_CASES;
    return cr_make_param_array(struct fault_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct fault_case *c, load, a_failure_is_undone)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct load_report report;
    struct why why;

    database_arm(c->name, "fail");
    cr_expect_eq(
        load(source, (struct load_options){.serial = 5}, TEXTS("mntner: A-MNT;"), &report, &why),
        c->survives ? ERR_OK : ERR_SQL, "%s", why.text);
    cr_expect_eq(status_of(source).state, c->survives ? SOURCE_READY : SOURCE_EMPTY);
    cr_expect_eq(database_number("SELECT COUNT(*) FROM last"), c->survives);
    check_against_reopened(source);
    database_arm(c->name, "fail");
    cr_expect_eq(load(source, (struct load_options){.serial = 6},
                      TEXTS("mntner: A-MNT;remarks: 2;", "mntner: B-MNT;"), &report, &why),
                 c->survives ? ERR_OK : ERR_SQL, "%s", why.text);
    check_against_reopened(source);
    cr_expect_eq(load(source, (struct load_options){.serial = 7},
                      TEXTS("mntner: A-MNT;remarks: 2;", "mntner: B-MNT;"), &report, &why),
                 ERR_OK, "%s", why.text);
    cr_expect_eq(status_of(source).objects, 2);
    check_against_reopened(source);
    storage_free(storage);
}

static void load_to_be_killed(struct source *source, const void *context)
{
    struct load_report report;
    struct why why;

    (void)load(source, (struct load_options){.serial = 50}, context, &report, &why);
}

ParameterizedTestParameters(load, a_kill_leaves_the_old_state_or_the_new)
{
    static struct fault_case cases[] = FAULT_CASES;
    return cr_make_param_array(struct fault_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct fault_case *c, load, a_kill_leaves_the_old_state_or_the_new)
{
    struct source *source;
    struct storage *storage;
    struct load_report report;

    database_kill_at(c->name, load_to_be_killed, TEXTS("mntner: A-MNT;", "mntner: B-MNT;"));
    storage = database_open_when_free(&source);
    cr_expect_eq(status_of(source).state, c->survives ? SOURCE_READY : SOURCE_EMPTY);
    cr_expect_eq(status_of(source).objects, c->survives ? 2 : 0);
    cr_expect_eq(database_number("SELECT COUNT(*) FROM last"), c->survives ? 2 : 0);
    cr_expect_eq(database_number("SELECT loading FROM nrtm_state"), 0);
    cr_expect_eq(database_number(KEYS), 3, "keys that the killed load left out are back");
    if (!c->survives) {
        load_well(source, 49, TEXTS("mntner: A-MNT;", "mntner: B-MNT;"), &report);
    }
    storage_free(storage);

    database_kill_at(c->name, load_to_be_killed,
                     TEXTS("mntner: B-MNT;remarks: 2;", "mntner: C-MNT;"));
    storage = database_open_when_free(&source);
    cr_expect_eq(status_of(source).objects, 2);
    cr_expect_eq(indexed_text(source, CLASS_MNTNER, "C-MNT") != NULL, c->survives);
    cr_expect_eq(indexed_text(source, CLASS_MNTNER, "A-MNT") != NULL, !c->survives);
    cr_expect_eq(position_of_source(source).applied, c->survives ? 50 : 49);
    storage_free(storage);
}

/* --- by difference --- */
Test(load, a_reload_keeps_ids_and_history)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct load_report report;
    int64_t generation;

    load_well(source, 70,
              TEXTS("mntner: A-MNT;", "mntner: B-MNT;", "mntner: C-MNT;", "mntner: D-MNT;",
                    "mntner: E-MNT;", "mntner: F-MNT;", "mntner: G-MNT;", "mntner: H-MNT;",
                    "mntner: I-MNT;", "mntner: J-MNT;"),
              &report);
    generation = database_number("SELECT generation FROM nrtm_state");
    load_well(source, 80,
              TEXTS("mntner: A-MNT;", "mntner: B-MNT;remarks: new;", "mntner: D-MNT;",
                    "mntner: E-MNT;", "mntner: F-MNT;", "mntner: G-MNT;", "mntner: H-MNT;",
                    "mntner: I-MNT;", "mntner: J-MNT;", "mntner: K-MNT;"),
              &report);
    cr_expect(report.by_difference);
    cr_expect_eq(report.objects, 10);
    cr_expect_eq(report.added, 1);
    cr_expect_eq(report.changed, 1);
    cr_expect_eq(report.removed, 1);
    cr_expect_eq(report.unchanged, 8);
    cr_expect_str_eq(
        database_list("SELECT CONCAT_WS('/', object_id, sequence_id, pkey, object) FROM last "
                      "WHERE object_id IN (1, 2, 3, 11)"),
        "1/1/A-MNT/mntner: A-MNT\n 2/2/B-MNT/mntner: B-MNT\nremarks: new\n 3/0/C-MNT/ "
        "11/1/K-MNT/mntner: K-MNT\n");
    cr_expect_str_eq(
        database_list("SELECT CONCAT_WS('/', object_id, sequence_id, pkey) FROM history"),
        "2/1/B-MNT 3/1/C-MNT");
    cr_expect_str_eq(database_list(SERIALS), "70/10/1/1/1 80/11/1/1/1");
    cr_expect_neq(database_number("SELECT generation FROM nrtm_state"), generation);
    check_against_reopened(source);

    generation = database_number("SELECT generation FROM nrtm_state");
    load_well(source, 80,
              TEXTS("mntner: A-MNT;", "mntner: B-MNT;remarks: new;", "mntner: D-MNT;",
                    "mntner: E-MNT;", "mntner: F-MNT;", "mntner: G-MNT;", "mntner: H-MNT;",
                    "mntner: I-MNT;", "mntner: J-MNT;", "mntner: K-MNT;"),
              &report);
    cr_expect_eq(report.unchanged, 10, "the same dump again changes nothing");
    cr_expect_eq(database_number("SELECT generation FROM nrtm_state"), generation);
    cr_expect_str_eq(database_list(SERIALS), "70/10/1/1/1 80/11/1/1/1");
    storage_free(storage);
}

Test(load, a_reload_dedupes_before_it_changes_anything)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct load_report report;

    load_well(source, 70, TEXTS("mntner: A-MNT;", "role: R;nic-hdl: R1-RIPE;"), &report);
    load_well(source, 71,
              TEXTS("mntner: A-MNT;remarks: 1;", "role: R;nic-hdl: R1-RIPE;", "mntner: A-MNT;",
                    "mntner: N-MNT;", "mntner: n-mnt;remarks: 2;", "person: R;nic-hdl: R1-RIPE;"),
              &report);
    cr_expect_eq(report.duplicates, 3);
    cr_expect_eq(report.changed, 0, "the last duplicate equals what is here");
    cr_expect_eq(report.added, 1);
    cr_expect_eq(database_number("SELECT COUNT(*) FROM history"), 0);
    cr_expect_str_eq(indexed_text(source, CLASS_MNTNER, "N-MNT"), "mntner: n-mnt\nremarks: 2\n");
    check_against_reopened(source);

    /* The dump now says person: the role goes. */
    load_well(source, 72,
              TEXTS("mntner: A-MNT;", "mntner: n-mnt;remarks: 2;", "person: R;nic-hdl: R1-RIPE;"),
              &report);
    cr_expect_null(indexed_text(source, CLASS_ROLE, "R1-RIPE"));
    cr_expect_not_null(indexed_text(source, CLASS_PERSON, "R1-RIPE"));
    check_against_reopened(source);
    storage_free(storage);
}

Test(load, an_audit_leaves_alone_what_is_newer_than_the_dump)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct load_report report;
    struct why why;

    load_well(source, 70,
              TEXTS("mntner: A-MNT;", "mntner: B-MNT;", "mntner: C-MNT;", "mntner: D-MNT;"),
              &report);
    commit_update(source, 71, false, "mntner: A-MNT\nremarks: 71\n");
    commit_update(source, 75, false, "mntner: B-MNT\nremarks: 75\n");
    commit_update(source, 76, true, "mntner: C-MNT\n");
    commit_update(source, 77, false, "mntner: E-MNT\n");
    /* By hand, without a serial: what an audit is for. */
    database_exec(
        "UPDATE last SET object = 'mntner: D-MNT\nremarks: damaged\n' WHERE pkey = 'D-MNT'");
    database_exec("UPDATE nrtm_state SET generation = generation + 1");
    cr_assert_eq(source_sync(source, &(bool){false}, &why), ERR_OK);
    cr_expect_eq(
        load(source, (struct load_options){.serial = 72}, TEXTS("mntner: A-MNT;"), &report, &why),
        ERR_DENIED, "a lower serial needs audit or force");
    cr_assert_eq(load(source, (struct load_options){.serial = 72, .audit = true},
                      TEXTS("mntner: A-MNT;remarks: 71;", "mntner: B-MNT;", "mntner: C-MNT;",
                            "mntner: D-MNT;"),
                      &report, &why),
                 ERR_OK, "%s", why.text);
    cr_expect_eq(report.added, 0);
    cr_expect_eq(report.removed, 0);
    cr_expect_eq(report.changed, 1);
    cr_expect_str_eq(indexed_text(source, CLASS_MNTNER, "B-MNT"), "mntner: B-MNT\nremarks: 75\n");
    cr_expect_null(indexed_text(source, CLASS_MNTNER, "C-MNT"));
    cr_expect_str_eq(indexed_text(source, CLASS_MNTNER, "D-MNT"), "mntner: D-MNT\n");
    cr_expect_not_null(indexed_text(source, CLASS_MNTNER, "E-MNT"));
    cr_expect_eq(position_of_source(source).applied, 77, "the position stays");
    cr_expect_eq(load(source, (struct load_options){.serial = 69, .audit = true},
                      TEXTS("mntner: A-MNT;"), &report, &why),
                 ERR_DENIED, "older than the dump loaded last: nothing tells what is newer");
    check_against_reopened(source);
    storage_free(storage);
}

Test(load, a_dump_without_serial_does_not_undo_what_is_known_to_be_newer)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct load_report report;
    struct why why;

    load_well(source, 70, TEXTS("mntner: A-MNT;"), &report);
    commit_update(source, 71, false, "mntner: A-MNT\nremarks: 71\n");
    cr_expect_eq(
        load(source, (struct load_options){.serial = -1}, TEXTS("mntner: A-MNT;"), &report, &why),
        ERR_DENIED);
    cr_expect_not_null(strstr(why.text, "without its serial"), "%s", why.text);
    cr_expect_str_eq(indexed_text(source, CLASS_MNTNER, "A-MNT"), "mntner: A-MNT\nremarks: 71\n");
    cr_expect_eq(load(source, (struct load_options){.serial = -1, .force = true},
                      TEXTS("mntner: A-MNT;"), &report, &why),
                 ERR_OK, "%s", why.text);
    cr_expect_eq(position_of_source(source).hw, 71, "the position stays");
    storage_free(storage);
}

Test(load, without_a_known_position_every_dump_is_as_good)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct load_report report;

    load_well(source, -1, TEXTS("mntner: A-MNT;"), &report);
    load_well(source, -1, TEXTS("mntner: A-MNT;remarks: new;"), &report);
    cr_expect_eq(report.changed, 1);
    cr_expect_str_eq(database_list("SELECT CONCAT_WS('/', object_id, sequence_id) FROM history"),
                     "1/1");
    storage_free(storage);
}

Test(load, what_was_kept_aside_goes_when_a_dump_covers_it)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct load_report report;
    struct batch *batch;
    struct why why;

    load_well(source, 70, TEXTS("mntner: A-MNT;", "no key;"), &report);
    cr_assert_eq(batch_begin(source, &batch, &why), ERR_OK);
    cr_assert_eq(batch_quarantine(batch, 71, false, STR("person: X\n"), "no key"), ERR_OK);
    cr_assert_eq(batch_quarantine(batch, 75, false, STR("person: Y\n"), "no key"), ERR_OK);
    cr_assert_eq(batch_commit(batch, 0, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(status_of(source).quarantined, 3);
    cr_assert_eq(load(source, (struct load_options){.serial = 72, .audit = true},
                      TEXTS("mntner: A-MNT;"), &report, &why),
                 ERR_OK, "%s", why.text);
    cr_expect_str_eq(database_list("SELECT serial FROM nrtm_quarantine"), "75");
    cr_expect_eq(status_of(source).quarantined, 1);
    storage_free(storage);
}

Test(load, what_was_kept_aside_is_tried_again_as_of_its_serial)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct load_report report;
    struct quarantined row = {0};
    struct load_options options = {.audit = true};
    struct batch *batch;
    struct why why;

    load_well(source, 70, TEXTS("mntner: A-MNT;", "mntner: B-MNT;"), &report);
    cr_assert_eq(batch_begin(source, &batch, &why), ERR_OK);
    cr_assert_eq(batch_quarantine(batch, 71, false, STR("mntner: A-MNT\nx: 71\n"), "?"), ERR_OK);
    cr_assert_eq(batch_quarantine(batch, 72, false, STR("mntner: B-MNT\nx: 72\n"), "?"), ERR_OK);
    cr_assert_eq(batch_quarantine(batch, 73, true, STR("cut"), "?"), ERR_OK);
    cr_assert_eq(batch_commit(batch, 0, &why), ERR_OK, "%s", why.text);
    commit_update(source, 80, false, "mntner: B-MNT\nx: 80\n");

    cr_assert_eq(source_next_quarantined(source, 0, &row, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(row.serial, 71);
    cr_expect(row.is_whole && !row.is_delete);
    cr_expect(str_eq(buf_str(&row.raw), STR("mntner: A-MNT\nx: 71\n")));
    options.serial = row.serial;
    options.quarantined = row.id;
    cr_assert_eq(load(source, options, TEXTS("mntner: A-MNT;x: 71;"), &report, &why), ERR_OK, "%s",
                 why.text);
    cr_expect_eq(report.changed, 1);
    cr_expect_eq(report.removed, 0, "the others stay");

    cr_assert_eq(source_next_quarantined(source, row.id, &row, &why), ERR_OK, "%s", why.text);
    options.serial = row.serial;
    options.quarantined = row.id;
    cr_assert_eq(load(source, options, TEXTS("mntner: B-MNT;x: 72;"), &report, &why), ERR_OK, "%s",
                 why.text);
    cr_expect_eq(report.changed, 0, "it changed since");
    cr_expect_eq(position_of_source(source).hw, 80);

    database_exec("DELETE FROM serials WHERE serial_id > 70");
    cr_assert(sync_source(source));
    options.serial = 73;
    cr_assert_eq(load(source, options, TEXTS("mntner: C-MNT;x: 73;"), &report, &why), ERR_OK, "%s",
                 why.text);
    cr_expect_eq(position_of_source(source).hw, 70, "an object is no dump: 71 and 72 come again");
    commit_update(source, 80, false, "mntner: B-MNT\nx: 80\n");

    cr_assert_eq(source_next_quarantined(source, row.id, &row, &why), ERR_OK, "%s", why.text);
    cr_expect(row.is_delete && !row.is_whole);
    cr_expect_eq(source_next_quarantined(source, row.id, &row, &why), ERR_NOT_FOUND);
    cr_expect_str_eq(database_list("SELECT serial FROM nrtm_quarantine"), "73");
    cr_expect_str_eq(database_list("SELECT REPLACE(object, '\\n', ';') FROM last"),
                     "mntner: A-MNT;x: 71; mntner: B-MNT;x: 80; mntner: C-MNT;x: 73;");
    cr_expect_eq(position_of_source(source).hw, 80);
    cr_expect_eq(status_of(source).quarantined, 1);
    buf_free(&row.raw);
    storage_free(storage);
}

Test(load, after_a_reset_the_dump_and_its_serial_replace_ours)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct load_report report;
    struct why why;

    load_well(source, 70, TEXTS("mntner: A-MNT;", "mntner: B-MNT;"), &report);
    commit_update(source, 71, false, "mntner: A-MNT\nremarks: 71\n");
    commit_update(source, 72, false, "mntner: C-MNT\n");
    cr_assert_eq(load(source, (struct load_options){.serial = 5, .force = true},
                      TEXTS("mntner: A-MNT;", "mntner: B-MNT;"), &report, &why),
                 ERR_OK, "%s", why.text);
    cr_expect_eq(report.changed, 1);
    cr_expect_eq(report.removed, 1);
    cr_expect_eq(database_number("SELECT MAX(serial_id) FROM serials"), 5);
    cr_expect_eq(database_number("SELECT COUNT(*) FROM serials"), 1);
    cr_expect_eq(position_of_source(source).hw, 5);
    check_against_reopened(source);
    commit_update(source, 6, false, "mntner: C-MNT\n");
    check_against_reopened(source);
    storage_free(storage);
}

Test(load, a_reset_does_not_excuse_a_dump_that_is_cut_short)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct load_report report;
    struct why why;

    load_well(source, 70, TEXTS("mntner: A-MNT;", "mntner: B-MNT;"), &report);
    cr_expect_eq(load(source, (struct load_options){.serial = 5, .is_reset = true},
                      TEXTS("mntner: A-MNT;"), &report, &why),
                 ERR_DENIED);
    cr_expect_eq(position_of_source(source).hw, 70);
    cr_expect_eq(load(source, (struct load_options){.serial = 5, .is_reset = true},
                      TEXTS("mntner: A-MNT;", "mntner: B-MNT;"), &report, &why),
                 ERR_OK, "%s", why.text);
    cr_expect_eq(position_of_source(source).hw, 5);
    check_against_reopened(source);
    storage_free(storage);
}

Test(load, a_serial_on_an_unchanged_object_is_its_only_last_one)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct load_report report;

    load_well(source, 70, TEXTS("mntner: A-MNT;", "mntner: B-MNT;"), &report);
    commit_update(source, 71, false, "mntner: B-MNT\nremarks: changed\n");
    cr_assert_str_eq(database_list(SERIALS), "70/2/1/0/1 71/2/2/1/1");
    load_well(source, 80, TEXTS("mntner: A-MNT;", "mntner: B-MNT;remarks: changed;"), &report);
    cr_expect_eq(report.unchanged, 2);
    cr_expect_str_eq(database_list(SERIALS), "70/2/1/0/1 71/2/2/0/1 80/2/2/1/1");
    check_against_reopened(source);
    storage_free(storage);
}

/** Nothing moves the position but what the test does. */
static void expect_position(struct source *source, int64_t applied, int64_t hw)
{
    struct why why;
    bool changed;

    cr_assert_eq(source_sync(source, &changed, &why), ERR_OK, "%s", why.text);
    cr_expect_not(changed, "the database says something else");
    cr_expect_eq(position_of_source(source).applied, applied, "%d",
                 (int)position_of_source(source).applied);
    cr_expect_eq(position_of_source(source).hw, hw, "%d", (int)position_of_source(source).hw);
    cr_expect(position_of_source(source).position_known);
    check_against_reopened(source);
}

static void load_nothing(struct source *source, int64_t serial)
{
    static const char *const none[] = {NULL};
    struct load_report report;
    struct why why;

    cr_assert_eq(
        load(source, (struct load_options){.serial = serial, .force = true}, none, &report, &why),
        ERR_OK, "%s", why.text);
}

/* No row of `serials` can say it. */
Test(load, a_dump_without_objects_has_its_serial_all_the_same)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct load_report report;

    load_nothing(source, 60);
    expect_position(source, 0, 60);
    load_well(source, 70, TEXTS("mntner: A-MNT;"), &report);
    source_note_server(source, &(struct source_server){.host = "nrtm.example", .port = 4444});
    source_note_state(source, "stream", NULL);
    load_nothing(source, 80);
    expect_position(source, 70, 80);
    cr_expect_str_eq(database_list("SELECT CONCAT_WS('/', boot_serial, host, hw) FROM nrtm_state"),
                     "80//80", "of no server yet");
    load_nothing(source, 90);
    expect_position(source, 70, 90);
    load_nothing(source, 50);
    expect_position(source, 0, 50);
    cr_expect_eq(database_number("SELECT COUNT(*) FROM serials"), 0);
    commit_update(source, 51, false, "mntner: B-MNT\n");
    expect_position(source, 51, 51);
    storage_free(storage);
}

Test(load, fewer_than_nine_tenths_are_refused_unless_forced)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct load_report report;
    struct why why;

    load_well(source, 70, TEXTS("mntner: A-MNT;", "mntner: B-MNT;"), &report);
    cr_expect_eq(
        load(source, (struct load_options){.serial = 71}, TEXTS("mntner: A-MNT;"), &report, &why),
        ERR_DENIED);
    cr_expect_not_null(indexed_text(source, CLASS_MNTNER, "B-MNT"));
    check_against_reopened(source);
    cr_expect_eq(load(source, (struct load_options){.serial = 71, .force = true},
                      TEXTS("mntner: A-MNT;"), &report, &why),
                 ERR_OK, "%s", why.text);
    cr_expect_null(indexed_text(source, CLASS_MNTNER, "B-MNT"));
    check_against_reopened(source);
    storage_free(storage);
}

Test(load, a_reload_meets_an_edit_made_meanwhile)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct load *load;
    struct load_report report;
    struct why why;

    load_well(source, 70, TEXTS("mntner: A-MNT;"), &report);
    cr_assert_eq(load_begin(source, &(struct load_options){.serial = 75}, &load, &why), ERR_OK);
    cr_assert_eq(load_add(load, STR("mntner: A-MNT\nremarks: 2\n"), 0, &why), ERR_OK);
    database_exec("UPDATE serials SET serial_id = 90");
    cr_expect_eq(load_finish(load, &report, &why), ERR_MOVED);
    cr_expect_str_eq(indexed_text(source, CLASS_MNTNER, "A-MNT"), "mntner: A-MNT\n");
    cr_assert_eq(source_sync(source, &(bool){false}, &why), ERR_OK);
    cr_expect_eq(position_of_source(source).hw, 90);
    storage_free(storage);
}
