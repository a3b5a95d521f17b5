/*
 * Pruning: what is old enough goes, what the position, the index or another server needs stays.
 * Time stands still at NOW seconds behind the start unless a test moves it.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../log_lines.h"
#include "base/log.h"
#include "database.h"
#include "storage/history.h"
#include "storage/index.h"
#include "storage/source_parts.h"
#include "updates.h"

enum { KEPT_S = 1000 };

static int64_t start_ms;

static void setup(void)
{
    start_ms = test_wall_ms;
    database_prune_after(KEPT_S);
}

TestSuite(prune, .init = setup, .timeout = 60);

#define TEXT(name, rest) "mntner: " name "\nremarks: " rest "\nsource: RIPE\n"

/** The time, in seconds behind the start. */
static void at(int64_t second)
{
    test_wall_ms = start_ms + second * 1000;
}

static void load(struct source *source, const struct load_options *options, const char *text)
{
    struct load_report report;
    struct load *load;
    struct why why;

    cr_assert_eq(load_begin(source, options, &load, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(load_add(load, str_from(text), 0.5, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(load_finish(load, &report, &why), ERR_OK, "%s", why.text);
}

/** "HISTORY SERIALS TO" as it was told. */
static const char *prune(struct source *source, bool with_sweep)
{
    static char text[100];
    struct source_pruned pruned;
    struct source_status status;
    struct why why;

    cr_assert_eq(source_prune(source, with_sweep, &pruned, &why), ERR_OK, "%s", why.text);
    source_get_status(source, &status);
    cr_expect_eq(status.pruned.to, pruned.to);
    snprintf(text, sizeof(text), "%d %d %d", (int)pruned.history, (int)pruned.serials,
             (int)pruned.to);
    return text;
}

static const char *serials(void)
{
    return database_list("SELECT serial_id FROM serials ORDER BY serial_id");
}

static const char *history(void)
{
    return database_list("SELECT CONCAT(pkey, '.', sequence_id) FROM history ORDER BY object_id, "
                         "sequence_id");
}

Test(prune, what_is_old_goes_and_what_counts_stays)
{
    struct source *source;
    struct storage *storage = database_open(&source);

    commit_add(source, 101, TEXT("A-MNT", "one"));
    commit_add(source, 102, TEXT("B-MNT", "one"));
    commit_add(source, 103, TEXT("C-MNT", "one"));
    at(10);
    commit_add(source, 104, TEXT("A-MNT", "two"));
    commit_delete(source, 105, TEXT("C-MNT", "one"));
    at(500);
    commit_add(source, 106, TEXT("A-MNT", "three"));
    cr_expect_str_eq(history(), "A-MNT.1 A-MNT.2 C-MNT.1");

    at(1000);
    cr_expect_str_eq(prune(source, true), "0 0 0", "all were made less than 1000 s ago");
    cr_expect_str_eq(serials(), "101 102 103 104 105 106");

    at(1005); /* The first three are old; none of their versions was superseded so long ago. */
    cr_expect_str_eq(prune(source, true), "0 2 103");
    cr_expect_str_eq(serials(), "102 104 105 106", "102 is the present version");
    cr_expect_str_eq(history(), "A-MNT.1 A-MNT.2 C-MNT.1");

    at(1011);
    cr_expect_str_eq(prune(source, true), "2 2 105");
    cr_expect_str_eq(serials(), "102 106");
    cr_expect_str_eq(history(), "A-MNT.2", "superseded at 500");

    at(9000);
    cr_expect_str_eq(prune(source, false), "0 0 105", "the highest serial stays");
    cr_expect_str_eq(prune(source, true), "1 0 105", "not so what its version superseded");
    cr_expect_str_eq(serials(), "102 106");
    cr_expect_eq(database_number("SELECT MAX(serial_id) FROM serials"), 106);
    check_against_reopened(source);

    commit_add(source, 107, TEXT("B-MNT", "two"));
    at(99000);
    commit_add(source, 108, TEXT("D-MNT", "one"));
    cr_expect_str_eq(prune(source, false), "1 1 107", "a row that was kept goes with its version");
    cr_expect_str_eq(serials(), "106 107 108");
    cr_expect_str_eq(history(), "");
    check_against_reopened(source);
    storage_free(storage);
}

Test(prune, without_a_time_nothing_goes)
{
    struct source *source;
    struct storage *storage;

    database_prune_after(0);
    storage = database_open(&source);
    commit_add(source, 101, TEXT("A-MNT", "one"));
    commit_add(source, 102, TEXT("A-MNT", "two"));
    commit_add(source, 103, TEXT("A-MNT", "three"));
    at(1000000000);
    cr_expect_str_eq(prune(source, true), "0 0 0");
    cr_expect_str_eq(serials(), "101 102 103");
    cr_expect_str_eq(history(), "A-MNT.1 A-MNT.2");
    storage_free(storage);
}

Test(prune, many_blocks_are_one_pass)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct batch *batch;
    struct why why;

    cr_assert_eq(batch_begin(source, &batch, &why), ERR_OK, "%s", why.text);
    for (int i = 1; i <= 1700; i++) {
        char text[100];

        sprintf(text, "mntner: M%d-MNT\nremarks: %d\nsource: RIPE\n", i % 600, i);
        cr_assert_eq(batch_add(batch, 100 + i, str_from(text), &why), ERR_OK, "%s", why.text);
    }
    cr_assert_eq(batch_commit(batch, 0, &why), ERR_OK, "%s", why.text);
    at(KEPT_S + 1);
    cr_expect_str_eq(prune(source, false), "1099 1100 1799", "the last is kept from passing");
    cr_expect_eq(database_number("SELECT COUNT(*) FROM serials WHERE atlast = 1"), 600);
    cr_expect_eq(database_number("SELECT COUNT(*) FROM serials WHERE atlast = 0"), 0);
    cr_expect_str_eq(prune(source, true), "1 0 1799");
    cr_expect_eq(database_number("SELECT COUNT(*) FROM history"), 0);
    check_against_reopened(source);
    storage_free(storage);
}

/** Keep aside what came under a serial. */
static void keep_aside(struct source *source, int64_t serial)
{
    struct batch *batch;
    struct why why;

    cr_assert_eq(batch_begin(source, &batch, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(batch_quarantine(batch, serial, false, STR("no key\n"), "no key"), ERR_OK);
    cr_assert_eq(batch_commit(batch, 0, &why), ERR_OK, "%s", why.text);
}

/** Serials of the rows that are tried again. */
static const char *tried_again(struct source *source)
{
    static char text[100];
    struct quarantined row = {0};
    struct why why;
    enum err rc;

    text[0] = '\0';
    while ((rc = source_next_quarantined(source, row.id, &row, &why)) == ERR_OK) {
        sprintf(text + strlen(text), "%d ", (int)row.serial);
    }
    cr_expect_eq(rc, ERR_NOT_FOUND, "%s", why.text);
    buf_free(&row.raw);
    return text;
}

Test(prune, what_was_kept_aside_before_is_told_once)
{
    char log[] = "/tmp/prune_test.XXXXXX";
    struct source *source;
    struct storage *storage = database_open(&source);
    struct load_options options = {.serial = 110, .audit = true};
    struct why why;

    close(mkstemp(log));
    cr_assert_eq(log_open(log, &why), ERR_OK, "%s", why.text);
    commit_add(source, 101, TEXT("A-MNT", "one"));
    keep_aside(source, 102);
    keep_aside(source, 103);
    commit_add(source, 104, TEXT("A-MNT", "two"));
    at(500);
    keep_aside(source, 105);
    commit_add(source, 106, TEXT("A-MNT", "three"));
    commit_add(source, 107, TEXT("A-MNT", "four"));
    cr_expect_str_eq(tried_again(source), "102 103 105 ");
    at(1400);
    cr_expect_str_eq(prune(source, false), "1 2 104");
    cr_expect_str_eq(tried_again(source), "105 ");
    cr_expect_eq(log_lines(log, "WARN  [Storage] RIPE-GRS: 2 rows of nrtm_quarantine are"), 1);
    cr_expect_str_eq(prune(source, true), "0 0 104");
    at(1600);
    cr_expect_str_eq(prune(source, false), "1 1 106");
    cr_expect_eq(log_lines(log, "RIPE-GRS: 1 rows of nrtm_quarantine are"), 1);
    cr_expect_eq(log_lines(log, "of nrtm_quarantine"), 2, "each once");
    cr_expect_str_eq(tried_again(source), "");
    load(source, &options, TEXT("A-MNT", "four"));
    cr_expect_eq(database_number("SELECT COUNT(*) FROM nrtm_quarantine"), 0, "a dump covers them");
    storage_free(storage);
    unlink(log);
}

Test(prune, a_young_row_stops_it)
{
    struct source *source;
    struct storage *storage = database_open(&source);

    commit_add(source, 101, TEXT("A-MNT", "one"));
    commit_add(source, 102, TEXT("A-MNT", "two"));
    at(500);
    commit_add(source, 103, TEXT("A-MNT", "three"));
    at(0); /* The clock was put back. */
    commit_add(source, 104, TEXT("A-MNT", "four"));
    commit_add(source, 105, TEXT("A-MNT", "five"));
    at(1100);
    cr_expect_str_eq(prune(source, false), "1 2 102");
    cr_expect_str_eq(serials(), "103 104 105");
    storage_free(storage);
}

Test(prune, rows_whose_versions_are_gone_do_not_stop_it)
{
    struct source *source;
    struct storage *storage = database_open(&source);

    commit_add(source, 101, TEXT("A-MNT", "one"));
    commit_add(source, 102, TEXT("A-MNT", "two"));
    commit_add(source, 103, TEXT("B-MNT", "one"));
    at(500);
    commit_add(source, 104, TEXT("A-MNT", "three"));
    database_exec("DELETE FROM history");
    at(1100);
    cr_expect_str_eq(prune(source, true), "0 2 103", "102 is older than 103");
    cr_expect_str_eq(serials(), "103 104");
    storage_free(storage);
}

Test(prune, versions_superseded_by_a_reload_go_with_the_sweep)
{
    const struct load_options dump = {.serial = 100}, same = {.serial = 100, .audit = true};
    struct source *source;
    struct storage *storage = database_open(&source);

    load(source, &dump, TEXT("A-MNT", "one"));
    at(100);
    load(source, &same, TEXT("A-MNT", "two"));
    at(200);
    load(source, &same, TEXT("A-MNT", "three"));
    cr_expect_str_eq(history(), "A-MNT.1 A-MNT.2");
    at(1050);
    cr_expect_str_eq(prune(source, true), "0 0 0");
    at(1150);
    cr_expect_str_eq(prune(source, false), "0 0 0");
    cr_expect_str_eq(prune(source, true), "1 0 0");
    cr_expect_str_eq(history(), "A-MNT.2");
    at(1250);
    cr_expect_str_eq(prune(source, true), "1 0 0");
    cr_expect_str_eq(history(), "");
    check_against_reopened(source);
    storage_free(storage);
}

Test(prune, versions_are_counted_from_the_first_that_is_left)
{
    struct arena *arena = arena_new(1 << 20);
    struct history_list list = {0};
    struct source *source;
    struct storage *storage = database_open(&source);
    struct object_version gone;
    struct str text;
    struct why why;

    commit_add(source, 101, TEXT("A-MNT", "one"));
    at(10);
    commit_add(source, 102, TEXT("A-MNT", "two"));
    at(900);
    commit_add(source, 103, TEXT("A-MNT", "three"));
    commit_add(source, 104, TEXT("B-MNT", "one"));
    cr_assert_eq(source_histories(source, UINT32_MAX, STR("A-MNT"), arena, &list, &why), ERR_OK);
    cr_assert_eq(list.at[0].count, 3);
    gone = list.at[0].versions[0];

    at(1100);
    cr_expect_str_eq(prune(source, false), "1 2 102");
    cr_assert_eq(source_histories(source, UINT32_MAX, STR("A-MNT"), arena, &list, &why), ERR_OK);
    cr_assert_eq(list.at[0].count, 2);
    cr_expect_eq(list.at[0].versions[0].sequence, 2);
    cr_assert_eq(source_version_text(source, &list.at[0].versions[0], arena, &text, &why), ERR_OK,
                 "%s", why.text);
    cr_expect_str_eq(text.at, TEXT("A-MNT", "two"));
    cr_expect_eq(source_version_text(source, &gone, arena, &text, &why), ERR_NOT_FOUND);
    cr_expect_str_eq(why.text, "it has been deleted since");
    arena_free(arena);
    storage_free(storage);
}

/* --- others --- */
/** Another server at serial 103 of the same database, and this one, which goes on to 106. */
static struct storage *two_servers(struct source **source, struct source **other,
                                   struct storage **other_storage)
{
    struct storage *storage = database_open(source);

    commit_add(*source, 101, TEXT("A-MNT", "one"));
    commit_add(*source, 102, TEXT("B-MNT", "one"));
    commit_add(*source, 103, TEXT("C-MNT", "one"));
    *other_storage = database_open(other);
    commit_delete(*source, 104, TEXT("B-MNT", "one"));
    at(500);
    commit_add(*source, 105, TEXT("A-MNT", "two"));
    commit_add(*source, 106, TEXT("D-MNT", "one"));
    return storage;
}

static void expect_in_step(struct source *source)
{
    struct why why;
    bool changed = false;

    cr_assert_eq(source_sync(source, &changed, &why), ERR_OK, "%s", why.text);
    cr_expect(changed);
    cr_expect_null(indexed_text(source, CLASS_MNTNER, "B-MNT"), "it was deleted");
    cr_expect_str_eq(indexed_text(source, CLASS_MNTNER, "A-MNT"), TEXT("A-MNT", "two"));
    check_against_reopened(source);
}

Test(prune, another_server_that_is_behind_reads_everything)
{
    struct storage *storage, *other_storage;
    struct source *source, *other;

    storage = two_servers(&source, &other, &other_storage);
    at(1100);
    cr_expect_str_eq(prune(source, false), "1 3 104");
    cr_expect_str_eq(serials(), "103 105 106", "the row of 103 is there, that of 104 is not");
    expect_in_step(other);
    storage_free(other_storage);
    storage_free(storage);
}

Test(prune, another_server_may_prune_too)
{
    struct storage *storage, *other_storage;
    struct source *source, *other;

    storage = two_servers(&source, &other, &other_storage);
    at(1100);
    cr_expect_str_eq(prune(other, false), "1 3 104", "what it does not know yet");
    cr_expect_str_eq(prune(source, true), "0 0 104");
    commit_add(source, 107, TEXT("A-MNT", "two"));
    expect_in_step(other);
    storage_free(other_storage);
    storage_free(storage);
}

Test(prune, serials_that_come_again_are_not_pruned_ones)
{
    struct storage *storage, *other_storage;
    struct source *source, *other;
    struct why why;
    bool changed;

    storage = two_servers(&source, &other, &other_storage);
    at(1100);
    cr_expect_str_eq(prune(source, false), "1 3 104");
    cr_expect_eq(database_number("SELECT pruned FROM nrtm_state"), 104);
    cr_assert_eq(source_set_serial(source, 50, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(database_number("SELECT pruned FROM nrtm_state"), 50);
    cr_assert_eq(source_sync(other, &changed, &why), ERR_OK, "%s", why.text);
    commit_add(source, 51, TEXT("C-MNT", "two"));
    commit_delete(source, 52, TEXT("C-MNT", "two"));
    commit_add(source, 53, TEXT("A-MNT", "two"));
    cr_expect_str_eq(prune(source, false), "0 0 50");
    cr_expect_str_eq(serials(), "50 51 52 53");
    expect_in_step(other);
    storage_free(other_storage);
    storage_free(storage);
}

Test(prune, a_dump_from_before_the_pruned_serials_is_refused)
{
    const struct load_options old = {.serial = 103, .audit = true},
                              fresh = {.serial = 104, .audit = true};
    struct storage *storage, *other_storage;
    struct source *source, *other;
    struct load *load;
    struct why why;

    storage = two_servers(&source, &other, &other_storage);
    at(1100);
    cr_expect_str_eq(prune(source, false), "1 3 104");
    cr_expect_eq(load_begin(source, &old, &load, &why), ERR_DENIED);
    cr_expect_not_null(strstr(why.text, "were pruned"), "%s", why.text);
    cr_assert_eq(load_begin(source, &fresh, &load, &why), ERR_OK, "%s", why.text);
    load_abort(load);
    storage_free(other_storage);
    storage_free(storage);
}

Test(prune, a_dump_is_refused_when_pruning_overtakes_its_loading)
{
    const struct load_options audit = {.serial = 103, .audit = true};
    struct storage *storage, *other_storage;
    struct source *source, *other;
    struct load_report report;
    struct load *load;
    struct why why;
    bool changed;

    storage = two_servers(&source, &other, &other_storage);
    cr_assert_eq(source_sync(other, &changed, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(load_begin(source, &audit, &load, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(load_add(load, STR(TEXT("A-MNT", "one")), 0.1, &why), ERR_OK);
    cr_assert_eq(load_add(load, STR(TEXT("B-MNT", "one")), 0.2, &why), ERR_OK);
    cr_assert_eq(load_add(load, STR(TEXT("C-MNT", "repaired")), 0.3, &why), ERR_OK);
    at(1100);
    cr_expect_str_eq(prune(other, false), "1 3 104");
    cr_expect_eq(load_finish(load, &report, &why), ERR_DENIED);
    cr_expect_not_null(strstr(why.text, "were pruned"), "%s", why.text);
    cr_expect_null(indexed_text(source, CLASS_MNTNER, "B-MNT"));
    storage_free(other_storage);
    storage_free(storage);
}

/* --- in nobody's way --- */
Test(prune, a_writer_that_takes_long_is_left_alone)
{
    struct storage *storage, *other_storage;
    struct source *source, *other;
    struct source_pruned pruned;
    struct sql *sql = NULL;
    struct why why;

    storage = two_servers(&source, &other, &other_storage);
    at(1100);
    sql = database_connect();
    cr_assert_eq(sql_begin(sql, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(sql_exec(sql, &why, "UPDATE nrtm_state SET hw = hw + 1"), ERR_OK, "%s", why.text);
    cr_expect_eq(source_prune(source, true, &pruned, &why), ERR_SQL_RETRY, "%s", why.text);
    cr_expect_str_eq(serials(), "101 102 103 104 105 106");
    sql_close(sql);
    cr_expect_str_eq(prune(source, false), "1 3 104");
    storage_free(other_storage);
    storage_free(storage);
}

Test(prune, a_writer_under_update_lock_is_not_waited_for)
{
    struct storage *storage, *other_storage;
    struct source *source, *other;
    struct sql *sql = NULL;
    struct why why;

    storage = two_servers(&source, &other, &other_storage);
    at(1100);
    sql = database_connect();
    cr_assert_eq(sql_begin(sql, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(position_lock(sql, &why), ERR_OK, "%s", why.text);
    cr_expect_str_eq(prune(source, false), "1 3 104");
    sql_close(sql);
    storage_free(other_storage);
    storage_free(storage);
}

Test(prune, a_database_that_is_being_loaded_is_left_alone)
{
    struct storage *storage, *other_storage;
    struct source *source, *other;
    struct source_pruned pruned;
    struct why why;

    storage = two_servers(&source, &other, &other_storage);
    at(1100);
    database_exec("UPDATE nrtm_state SET loading = 1");
    cr_expect_eq(source_prune(source, true, &pruned, &why), ERR_BUSY, "%s", why.text);
    cr_expect_str_eq(serials(), "101 102 103 104 105 106");
    database_exec("UPDATE nrtm_state SET loading = 0");
    storage_free(other_storage);
    storage_free(storage);
}

static void prune_old(struct source *source, const void *context)
{
    struct source_pruned pruned;
    struct why why;

    at(1100);
    cr_assert_neq(source_prune(source, true, &pruned, &why), ERR_OK);
}

Test(prune, a_kill_leaves_all_or_nothing_of_a_block)
{
    struct storage *storage, *other_storage;
    struct source *source, *other;

    storage = two_servers(&source, &other, &other_storage);
    storage_free(other_storage);
    storage_free(storage);
    database_kill_at("prune-before-commit", prune_old, NULL);
    storage = database_open_when_free(&source);
    cr_expect_str_eq(serials(), "101 102 103 104 105 106");
    cr_expect_str_eq(history(), "A-MNT.1 B-MNT.1");
    cr_expect_eq(database_number("SELECT pruned FROM nrtm_state"), 0);
    storage_free(storage);
}

Test(prune, the_thread_prunes_by_itself_and_ends_when_told)
{
    struct storage *storage, *other_storage;
    struct source *source, *other;
    struct source_status status = {0};
    struct why why;

    storage = two_servers(&source, &other, &other_storage);
    at(1100);
    cr_assert_eq(storage_start_pruning(storage, &why), ERR_OK, "%s", why.text);
    while (status.pruned.to != 104) { /* The suite's limit ends it. */
        source_get_status(source, &status);
        pause_ms(10);
    }
    storage_stop_pruning(storage);
    storage_stop_pruning(storage);
    storage_stop_pruning(NULL);
    cr_expect_eq(status.pruned.serials, 3);
    cr_expect_eq(status.pruned.history, 1);
    cr_expect_str_eq(serials(), "103 105 106");
    storage_free(other_storage);
    storage_free(storage);
}

Test(prune, a_database_from_before_gets_the_column)
{
    struct source *source;
    struct storage *storage = database_open(&source);

    commit_add(source, 101, TEXT("A-MNT", "one"));
    storage_free(storage);
    database_exec("ALTER TABLE nrtm_state DROP COLUMN pruned, DROP COLUMN fresh_time");
    storage = database_open(&source);
    commit_add(source, 102, TEXT("A-MNT", "two"));
    cr_expect_eq(database_number("SELECT pruned FROM nrtm_state"), 0);
    storage_free(storage);
}
