/* Sources: declared, opened on demand, checked, kept in step with what others write. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "database.h"
#include "storage/index.h"
#include "updates.h"

TestSuite(source, .timeout = 60);

/* --- declaring --- */
Test(source, names_and_databases_are_guarded)
{
    struct storage_conf conf = {
        .master_url = "jdbc:mariadb://h/WHOIS_LOCAL",
        .grs_base_url = "jdbc:mariadb://h/WHOIS_MIRROR",
        .check_names = true,
    };
    struct storage *storage = storage_new(&conf, &test_clock);
    struct why why;

    cr_expect_not_null(storage_add(storage, SOURCE_MAIN, "test", NULL, &why), "%s", why.text);
    cr_expect_not_null(storage_add(storage, SOURCE_MIRROR, "ripe-grs", "ripe", &why), "%s",
                       why.text);
    cr_expect_null(storage_add(storage, SOURCE_MIRROR, "RIPE-GRS", "RIPE", &why), "twice");
    cr_expect_null(storage_add(storage, SOURCE_MIRROR, "RIPE", "RIPE", &why));
    cr_expect_not_null(strstr(why.text, "mirror.db.name.check"), "%s", why.text);
    cr_expect_null(storage_add(storage, SOURCE_MIRROR, "A`; DROP", NULL, &why));
    cr_expect_null(storage_add(storage, SOURCE_MIRROR, "", NULL, &why));
    cr_expect_eq(storage_source_count(storage), 2);
    cr_expect_str_eq(source_name(storage_source(storage, 1)), "RIPE-GRS");
    cr_expect_str_eq(source_upstream(storage_source(storage, 1)), "RIPE");
    cr_expect_eq(storage_find(storage, STR("Ripe-Grs")), storage_source(storage, 1));
    cr_expect_null(storage_find(storage, STR("RIPE")));
    cr_expect_eq(source_kind(storage_source(storage, 0)), SOURCE_MAIN);
    storage_free(storage);
}

Test(source, without_a_url_the_key_is_named)
{
    struct storage_conf conf = {0};
    struct storage *storage = storage_new(&conf, &test_clock);
    struct why why;

    cr_expect_null(storage_add(storage, SOURCE_MAIN, "TEST", NULL, &why));
    cr_expect_not_null(strstr(why.text, "whois.db.master.url"), "%s", why.text);
    storage_free(storage);
}

/* --- opening --- */
Test(source, opening_makes_database_and_tables)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct why why;

    cr_expect_eq(status_of(source).state, SOURCE_EMPTY);
    cr_expect_not(position_of_source(source).position_known);
    cr_expect_eq(position_of_source(source).applied, 0);
    cr_expect_eq(database_number("SELECT global_lock FROM update_lock"), 0);
    cr_expect_str_eq(database_list("SELECT version FROM version"), "whois-1.115");
    cr_expect_str_eq(
        database_list("SELECT column_name FROM information_schema.key_column_usage WHERE "
                      "table_schema = DATABASE() AND table_name = 'last' AND "
                      "constraint_name = 'PRIMARY'"),
        "object_id");
    cr_expect_eq(source_open(source, &why), ERR_OK, "an open source opens");
    storage_free(storage);
}

Test(source, a_server_that_is_down_is_lost_and_comes_back)
{
    struct storage_conf conf = {
        .master_url = "jdbc:mariadb://localhost/test?localSocket=/nonexistent/socket",
        .username = "nobody",
        .password = "",
    };
    struct storage *storage = storage_new(&conf, &test_clock);
    struct why why;
    struct source *source = storage_add(storage, SOURCE_MAIN, "TEST", NULL, &why);

    cr_assert_eq(source_open(source, &why), ERR_SQL_LOST, "%s", why.text);
    cr_expect(status_of(source).database_down);
    cr_expect_eq(status_of(source).state, SOURCE_CLOSED);
    cr_expect_eq(source_open(source, &why), ERR_SQL_LOST, "and can be tried again");
    storage_free(storage);
}

Test(source, missing_privileges_are_named_with_the_statement_to_run)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct storage_conf conf = {.password = "x", .username = "little"};
    char url[600];
    struct source *poor;
    struct why why;

    storage_free(storage);
    database_exec("CREATE OR REPLACE USER little@localhost IDENTIFIED BY 'x'");
    snprintf(url, sizeof(url), "jdbc:mariadb://localhost/%s?localSocket=%s",
             database_url()->database, database_url()->socket);
    conf.master_url = url;
    storage = storage_new(&conf, &test_clock);
    poor = storage_add(storage, SOURCE_MAIN, "TEST", NULL, &why);
    cr_assert_eq(source_open(poor, &why), ERR_DENIED, "%s", why.text);
    cr_expect_not_null(strstr(why.text, "GRANT ALL PRIVILEGES ON `test_mirror_"), "%s", why.text);
    cr_expect_eq(status_of(poor).state, SOURCE_FAILED);
    database_grant("SELECT", "little");
    cr_assert_eq(source_open(poor, &why), ERR_DENIED, "%s", why.text);
    cr_expect_not_null(strstr(why.text, "little may not"), "%s", why.text);
    database_grant("SELECT, INSERT, UPDATE, DELETE", "little");
    cr_assert_eq(source_open(poor, &why), ERR_DENIED, "an empty source needs CREATE to be loaded");
    cr_expect_not_null(strstr(why.text, "create and alter"), "%s", why.text);
    database_grant("ALL", "little");
    cr_assert_eq(source_open(poor, &why), ERR_OK, "%s", why.text);
    storage_free(storage);
}

Test(source, an_old_latin1_database_is_refused)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct why why;

    storage_free(storage);
    database_exec("UPDATE version SET version = 'whois-1.86'");
    storage = database_storage(&source);
    cr_expect_neq(source_open(source, &why), ERR_OK);
    cr_expect_not_null(strstr(why.text, "whois-1.86"), "%s", why.text);
    storage_free(storage);
}

Test(source, a_database_of_the_reference_is_read_only_until_adopted)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct batch *batch;
    struct why why;

    storage_free(storage);
    database_exec("DROP TABLE last");
    database_exec(
        "CREATE TABLE last (object_id int unsigned NOT NULL AUTO_INCREMENT, sequence_id int "
        "unsigned NOT NULL DEFAULT 1, timestamp int unsigned NOT NULL, object_type tinyint "
        "unsigned NOT NULL, object longblob NOT NULL, pkey varchar(254) NOT NULL, PRIMARY KEY "
        "(object_id, sequence_id), KEY last_pkey (pkey), KEY object_type_index (object_type))");
    database_exec(
        "INSERT INTO last VALUES (7, 2, 1000, 9, 'mntner: A-MNT\nsource: RIPE\n', 'A-MNT')");
    database_exec("INSERT INTO last VALUES (8, 0, 1000, 9, '', 'B-MNT')");
    database_exec("INSERT INTO serials VALUES (10, 7, 1, 0, 1), (11, 7, 2, 1, 1)");
    database_exec("CREATE TABLE mntner (object_id int unsigned PRIMARY KEY, mntner varchar(80))");
    database_exec("INSERT INTO mntner VALUES (7, 'A-MNT')");
    storage = database_open(&source);
    cr_expect(status_of(source).read_only);
    cr_expect_eq(status_of(source).objects, 1);
    cr_expect_eq(position_of_source(source).applied, 11);
    cr_expect_eq(position_of_source(source).hw, 11);
    cr_expect(position_of_source(source).position_known);
    cr_expect_str_eq(indexed_text(source, CLASS_MNTNER, "a-mnt"), "mntner: A-MNT\nsource: RIPE\n");
    cr_expect_eq(batch_begin(source, &batch, &why), ERR_BUSY);
    cr_assert_eq(source_adopt(source, &why), ERR_OK, "%s", why.text);
    cr_expect_not(status_of(source).read_only);
    cr_expect_eq(database_number("SELECT COUNT(*) FROM mntner"), 0);
    commit_add(source, 12, "mntner: A-MNT\nremarks: changed\nsource: RIPE\n");
    commit_add(source, 13, "mntner: C-MNT\nsource: RIPE\n");
    cr_expect_str_eq(database_list("SELECT CONCAT(object_id, ':', sequence_id) FROM last"),
                     "7:3 8:0 9:1");
    storage_free(storage);
}

/* --- keeping in step --- */
Test(source, an_edit_of_serials_is_honoured_while_running)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct batch *batch;
    struct why why;
    uint64_t generation;

    commit_add(source, 100, "mntner: A-MNT\nsource: RIPE\n");
    generation = (uint64_t)database_number("SELECT generation FROM nrtm_state");
    cr_expect_not(sync_source(source), "nothing moved");
    database_exec("UPDATE serials SET serial_id = 500 WHERE serial_id = 100");
    cr_assert_eq(batch_begin(source, &batch, &why), ERR_OK);
    cr_assert_eq(batch_add(batch, 101, STR("mntner: B-MNT\nsource: RIPE\n"), &why), ERR_OK);
    cr_expect_eq(batch_commit(batch, 0, &why), ERR_MOVED, "%s", why.text);
    cr_expect_null(indexed_text(source, CLASS_MNTNER, "B-MNT"), "nothing was applied");
    cr_expect(sync_source(source));
    cr_expect_eq(position_of_source(source).hw, 500);
    cr_expect_eq(position_of_source(source).applied, 500);
    cr_expect_eq(database_number("SELECT generation FROM nrtm_state"), (int64_t)generation,
                 "up: the same generation");
    database_exec("UPDATE serials SET serial_id = 50 WHERE serial_id = 500");
    cr_expect(sync_source(source));
    cr_expect_eq(position_of_source(source).hw, 50);
    cr_expect_neq(database_number("SELECT generation FROM nrtm_state"), (int64_t)generation,
                  "down: serials will be used again");
    cr_expect_eq(database_number("SELECT boot_serial FROM nrtm_state"), 50,
                 "a dump of serial 60 is not refused as older than one loaded before");
    cr_expect_not(sync_source(source));
    commit_add(source, 51, "mntner: B-MNT\nsource: RIPE\n");
    cr_expect_eq(database_number("SELECT MAX(serial_id) FROM serials"), 51);
    storage_free(storage);
}

Test(source, an_edit_of_serials_is_honoured_while_stopped)
{
    struct source *source;
    struct storage *storage = database_open(&source);

    commit_add(source, 100, "mntner: A-MNT\nsource: RIPE\n");
    storage_free(storage);
    database_exec("UPDATE serials SET serial_id = 70 WHERE serial_id = 100");
    storage = database_open(&source);
    cr_expect_eq(position_of_source(source).hw, 70);
    cr_expect_eq(position_of_source(source).applied, 70);
    cr_expect_eq(database_number("SELECT hw FROM nrtm_state"), 70);
    cr_expect_eq(status_of(source).state, SOURCE_READY);
    cr_expect_not_null(indexed_text(source, CLASS_MNTNER, "A-MNT"));
    storage_free(storage);
}

Test(source, what_another_process_writes_is_replayed)
{
    struct source *source, *other;
    struct storage *storage = database_open(&source), *elsewhere;

    commit_add(source, 100, "mntner: A-MNT\nsource: RIPE\n");
    commit_add(source, 101, "mntner: B-MNT\nsource: RIPE\n");
    elsewhere = database_open(&other);
    commit_add(other, 102, "mntner: C-MNT\nsource: RIPE\n");
    commit_add(other, 103, "mntner: A-MNT\nremarks: new\nsource: RIPE\n");
    cr_expect_null(indexed_text(source, CLASS_MNTNER, "C-MNT"));
    cr_expect(sync_source(source));
    cr_expect_str_eq(indexed_text(source, CLASS_MNTNER, "A-MNT"),
                     "mntner: A-MNT\nremarks: new\nsource: RIPE\n");
    cr_expect_not_null(indexed_text(source, CLASS_MNTNER, "C-MNT"));
    cr_expect_eq(status_of(source).objects, 3);
    commit_add(source, 104, "mntner: D-MNT\nsource: RIPE\n");
    cr_expect_eq(database_number("SELECT object_id FROM last WHERE pkey = 'D-MNT'"), 4);
    cr_expect(sync_source(other));
    cr_expect_eq(status_of(other).objects, 4);
    storage_free(elsewhere);
    storage_free(storage);
}

Test(source, the_id_of_a_row_that_cannot_be_parsed_is_taken)
{
    struct source *source;
    struct storage *storage = database_open(&source);

    commit_add(source, 100, "mntner: A-MNT\nsource: RIPE\n");
    database_exec("INSERT INTO last (object_id, sequence_id, timestamp, object_type, object, pkey) "
                  "VALUES (2, 1, 0, 9, 'rubbish', 'X')");
    database_exec("INSERT INTO serials (serial_id, object_id, sequence_id, atlast, operation) "
                  "VALUES (101, 2, 1, 1, 1)");
    cr_expect(sync_source(source));
    commit_add(source, 102, "mntner: B-MNT\nsource: RIPE\n");
    cr_expect_eq(database_number("SELECT object_id FROM last WHERE pkey = 'B-MNT'"), 3);
    storage_free(storage);
}

Test(source, a_new_generation_is_read_again)
{
    struct source *source;
    struct storage *storage = database_open(&source);

    commit_add(source, 100, "mntner: A-MNT\nsource: RIPE\n");
    database_exec("UPDATE last SET object = 'mntner: A-MNT\nremarks: by hand\nsource: RIPE\n'");
    cr_expect_not(sync_source(source), "a change without a serial is not seen by itself");
    database_exec("UPDATE nrtm_state SET generation = generation + 1");
    cr_expect(sync_source(source));
    cr_expect_str_eq(indexed_text(source, CLASS_MNTNER, "A-MNT"),
                     "mntner: A-MNT\nremarks: by hand\nsource: RIPE\n");
    storage_free(storage);
}

Test(source, a_restored_backup_is_read_again)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    int64_t generation;

    commit_add(source, 100, "mntner: A-MNT\nsource: RIPE\n");
    generation = database_number("SELECT generation FROM nrtm_state");
    database_exec("CREATE TABLE last_copy AS SELECT * FROM last");
    database_exec("CREATE TABLE serials_copy AS SELECT * FROM serials");
    database_exec("CREATE TABLE nrtm_state_copy AS SELECT * FROM nrtm_state");
    commit_add(source, 101, "mntner: B-MNT\nsource: RIPE\n");
    for (int i = 0; i < 3; i++) {
        const char *const table = (const char *const[]){"last", "serials", "nrtm_state"}[i];

        database_exec("DELETE FROM %s", table);
        database_exec("INSERT INTO %s SELECT * FROM %s_copy", table, table);
    }
    cr_expect(sync_source(source));
    cr_expect_null(indexed_text(source, CLASS_MNTNER, "B-MNT"));
    cr_expect_eq(position_of_source(source).applied, 100);
    cr_expect_neq(database_number("SELECT generation FROM nrtm_state"), generation);
    cr_expect_not(sync_source(source));
    storage_free(storage);
}

Test(source, setserial_moves_the_position_both_ways)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct why why;

    cr_assert_eq(source_set_serial(source, 10, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(position_of_source(source).hw, 10, "an empty source keeps it too");
    cr_expect(position_of_source(source).position_known);
    commit_add(source, 11, "mntner: A-MNT\nsource: RIPE\n");
    commit_add(source, 12, "mntner: B-MNT\nsource: RIPE\n");
    commit_add(source, 15, "mntner: C-MNT\nsource: RIPE\n");
    cr_assert_eq(source_set_serial(source, 20, &why), ERR_OK, "%s", why.text);
    cr_expect_str_eq(database_list("SELECT serial_id FROM serials"), "11 12 20");
    cr_assert_eq(source_set_serial(source, 14, &why), ERR_OK, "%s", why.text);
    cr_expect_str_eq(database_list("SELECT serial_id FROM serials"), "11 12 14");
    cr_assert_eq(source_set_serial(source, 11, &why), ERR_OK, "%s", why.text);
    cr_expect_str_eq(database_list("SELECT serial_id FROM serials"), "11");
    cr_assert_eq(source_set_serial(source, 5, &why), ERR_OK, "%s", why.text);
    cr_expect_str_eq(database_list("SELECT serial_id FROM serials"), "5");
    cr_expect_eq(position_of_source(source).applied, 5);
    cr_expect_not(sync_source(source), "it is our own doing");
    cr_expect_eq(source_set_serial(source, 2147483648, &why), ERR_LIMIT);
    storage_free(storage);
}

Test(source, the_state_is_noted_for_sql_readers)
{
    struct source *source;
    struct storage *storage = database_open(&source);

    source_note_state(source, "STREAM", "it's \"bad\"");
    cr_expect_str_eq(database_list("SELECT CONCAT(state, '/', last_error) FROM nrtm_state"),
                     "STREAM/it's \"bad\"");
    source_note_state(source, "BACKOFF", NULL);
    cr_expect_str_eq(database_list("SELECT CONCAT(state, '/', last_error) FROM nrtm_state"),
                     "BACKOFF/");
    storage_free(storage);
}

static int64_t fresh_time_of(struct source *source)
{
    struct source_bond bond;

    source_get_bond(source, &bond);
    return bond.fresh_time_s;
}

Test(source, how_fresh_it_was_is_noted_now_and_then)
{
    struct source *source, *again;
    struct storage *storage = database_open(&source), *other;

    cr_expect_eq(fresh_time_of(source), 0, "never");
    source_note_fresh(source, 1000);
    source_note_fresh(source, 1010);
    cr_expect_not(sync_source(source));
    cr_expect_eq(database_number("SELECT fresh_time FROM nrtm_state"), 1010);
    source_note_fresh(source, 1069);
    cr_expect_not(sync_source(source));
    cr_expect_eq(database_number("SELECT fresh_time FROM nrtm_state"), 1010, "not a minute ago");
    cr_expect_eq(fresh_time_of(source), 1069, "but it is known here");
    source_note_fresh(source, 1070);
    commit_add(source, 1, "mntner: A-MNT\nsource: RIPE\n");
    cr_expect_eq(database_number("SELECT fresh_time FROM nrtm_state"), 1070, "with a batch");
    source_note_fresh(source, 1075);
    source_note_state(source, "stopped", NULL);
    cr_expect_eq(database_number("SELECT fresh_time FROM nrtm_state"), 1075, "with the state");
    source_note_fresh(source, 1000);
    cr_expect_eq(fresh_time_of(source), 1075, "never less");
    other = database_open(&again);
    cr_expect_eq(fresh_time_of(again), 1075);
    storage_free(other);
    storage_free(storage);
    database_exec("ALTER TABLE nrtm_state DROP COLUMN fresh_time"); /* As it was before. */
    storage = database_open(&source);
    cr_expect_eq(fresh_time_of(source), 0);
    storage_free(storage);
}

Test(source, its_position_is_of_the_server_that_answered_until_somebody_sets_it)
{
    const struct source_server server = {.host = "nrtm.example",
                                         .port = 4444,
                                         .version = 3,
                                         .filtered = true,
                                         .start_first = 11,
                                         .start_last = 12,
                                         .max = 12};
    struct source *source;
    struct storage *storage = database_open(&source);
    struct source_bond bond;
    struct why why;

    cr_assert_eq(source_set_serial(source, 10, &why), ERR_OK, "%s", why.text);
    source_note_server(source, &server);
    source_note_state(source, "STREAM", NULL);
    cr_expect_str_eq(database_list("SELECT CONCAT_WS('/', host, port, version, filtered, "
                                   "last_start_first, last_start_last, source_max) "
                                   "FROM nrtm_state"),
                     "nrtm.example/4444/3/1/11/12/12");
    source_get_bond(source, &bond);
    cr_expect_str_eq(bond.host, "nrtm.example");
    cr_expect_str_eq(bond.source, source_upstream(source));
    cr_expect_not(sync_source(source));
    source_get_bond(source, &bond);
    cr_expect_str_eq(bond.host, "nrtm.example", "read back");
    cr_expect_eq(bond.boot_serial, 10);
    cr_expect_gt(bond.hw_time_s, 0);
    cr_assert_eq(source_set_serial(source, 20, &why), ERR_OK, "%s", why.text);
    source_get_bond(source, &bond);
    cr_expect_str_eq(bond.host, "", "by command");
    source_note_server(source, &server);
    commit_add(source, 21, "mntner: A-MNT\nsource: RIPE\n");
    database_exec("UPDATE serials SET serial_id = 30");
    cr_expect(sync_source(source));
    source_get_bond(source, &bond);
    cr_expect_str_eq(bond.host, "", "by an edit");
    storage_free(storage);
}

Test(source, housekeeping_and_sync_do_nothing_while_a_batch_is_open)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct batch *batch, *second;
    struct why why;

    cr_assert_eq(batch_begin(source, &batch, &why), ERR_OK);
    cr_expect_eq(batch_begin(source, &second, &why), ERR_BUSY);
    cr_expect_not(sync_source(source));
    source_housekeep(source);
    source_note_state(source, "STREAM", NULL);
    cr_assert_eq(batch_add(batch, 1, STR("mntner: A-MNT\nsource: RIPE\n"), &why), ERR_OK);
    cr_assert_eq(batch_commit(batch, 0, &why), ERR_OK, "%s", why.text);
    source_housekeep(source);
    cr_expect_str_eq(database_list("SELECT state FROM nrtm_state"), "STREAM",
                     "the note came later");
    storage_free(storage);
}
