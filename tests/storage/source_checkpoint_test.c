/*
 * Checkpoints of a source: used when the database is the one they were taken of, later; else the
 * index is rebuilt. Which of the two happened shows in an object whose row the test changed behind
 * the server's back: a rebuild sees it, a checkpoint cannot.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "database.h"
#include "objects.h"
#include "storage/source_parts.h"
#include "updates.h"

static char folder[] = "/tmp/whoisd-checkpoints-XXXXXX";
static char file[64], door[64]; /* The checkpoint; a link to the server's socket. */

static void setup(void)
{
    cr_assert_not_null(mkdtemp(folder));
    snprintf(file, sizeof(file), "%s/RIPE-GRS.img", folder);
    snprintf(door, sizeof(door), "%s/door", folder);
    cr_assert_eq(symlink(database_url()->socket, door), 0);
    database_use_checkpoints(folder, door);
}

static void teardown(void)
{
    char command[100];

    snprintf(command, sizeof(command), "rm -rf %s", folder);
    cr_expect_eq(system(command), 0);
}

TestSuite(source_checkpoint, .init = setup, .fini = teardown, .timeout = 120);

#define TEXT(name, rest) "mntner: " name "\nremarks: " rest "\nsource: RIPE\n"

static void write_checkpoint(struct source *source)
{
    struct why why;

    cr_assert_eq(source_write_checkpoint(source, true, &why), ERR_OK, "%s", why.text);
}

/** Four serials, and a checkpoint at the third. Ends with nobody at the database. */
static void run_once(void)
{
    struct source *source;
    struct storage *storage = database_open(&source);

    commit_add(source, 101, TEXT("TELLTALE-MNT", "as committed"));
    commit_add(source, 102, TEXT("A-MNT", "one"));
    commit_add(source, 103, TEXT("B-MNT", "one"));
    write_checkpoint(source);
    commit_add(source, 104, TEXT("A-MNT", "two"));
    storage_free(storage);
}

static void change_behind_its_back(void)
{
    database_exec("UPDATE last SET object = '" TEXT("TELLTALE-MNT", "by hand") "' WHERE pkey = "
                                                                               "'TELLTALE-MNT'");
}

static bool is_rebuilt(struct source *source)
{
    const char *text = indexed_text(source, CLASS_MNTNER, "TELLTALE-MNT");

    cr_assert_not_null(text);
    return strstr(text, "by hand") != NULL;
}

/** Open with the telltale changed. */
static struct storage *reopen(struct source **source)
{
    change_behind_its_back();
    return database_open(source);
}

static void expect_used(void)
{
    struct source *source;
    struct storage *storage = reopen(&source);

    cr_expect_not(is_rebuilt(source), "the checkpoint was not used");
    storage_free(storage);
    cr_expect_eq(access(file, F_OK), 0);
}

static void expect_refused(const char *because)
{
    struct source *source;
    struct storage *storage = reopen(&source);

    cr_expect(is_rebuilt(source), "it was used: %s", because);
    cr_expect_neq(access(file, F_OK), 0, "it was kept: %s", because);
    database_use_checkpoints(NULL, NULL);
    check_against_reopened(source);
    storage_free(storage);
}

/* --- used --- */
Test(source_checkpoint, is_used_with_what_came_since)
{
    struct source *source;
    struct source_status status;
    struct storage *storage;

    run_once();
    storage = reopen(&source);
    cr_expect_not(is_rebuilt(source));
    cr_expect_str_eq(indexed_text(source, CLASS_MNTNER, "A-MNT"), TEXT("A-MNT", "two"));
    source_get_status(source, &status);
    cr_expect_eq(status.state, SOURCE_READY);
    cr_expect_eq(status.serial, 104);
    cr_expect_eq(status.objects, 3);
    cr_expect_eq(status.stale_since_ms, 0);
    commit_add(source, 105, TEXT("B-MNT", "two"));
    commit_delete(source, 106, TEXT("A-MNT", ""));
    commit_add(source, 107, TEXT("C-MNT", "one"));
    database_exec(
        "UPDATE last SET object = '" TEXT("TELLTALE-MNT", "as committed") "' WHERE pkey "
                                                                          "= 'TELLTALE-MNT'");
    database_use_checkpoints(NULL, NULL);
    check_against_reopened(source);
    storage_free(storage);
}

Test(source_checkpoint, is_used_when_nothing_came_since)
{
    struct source *source;
    struct storage *storage = database_open(&source);

    commit_add(source, 101, TEXT("TELLTALE-MNT", "as committed"));
    write_checkpoint(source);
    storage_free(storage);
    expect_used();
}

Test(source_checkpoint, deletions_and_new_objects_are_replayed)
{
    struct source *source;
    struct storage *storage;

    run_once();
    database_use_checkpoints(NULL, NULL); /* Somebody else goes on. */
    storage = database_open(&source);
    commit_delete(source, 105, TEXT("B-MNT", ""));
    commit_add(source, 106, TEXT("D-MNT", "one"));
    commit_add(source, 107, TEXT("D-MNT", "two"));
    storage_free(storage);
    database_use_checkpoints(folder, door);
    storage = reopen(&source);
    cr_expect_not(is_rebuilt(source));
    cr_expect_null(indexed_text(source, CLASS_MNTNER, "B-MNT"));
    cr_expect_str_eq(indexed_text(source, CLASS_MNTNER, "D-MNT"), TEXT("D-MNT", "two"));
    storage_free(storage);
}

Test(source_checkpoint, an_edit_to_a_higher_serial_leaves_it_good)
{
    run_once();
    database_exec("DELETE FROM serials WHERE serial_id = 104");
    database_exec("UPDATE nrtm_state SET hw = 103, applied = 103 WHERE mirror = 'RIPE-GRS'");
    database_exec("UPDATE serials SET serial_id = 500 WHERE serial_id = 103");
    expect_used();
}

static void prune_in_a_minute(void)
{
    struct source *source;
    struct source_pruned pruned;
    struct storage *storage;
    struct why why;

    database_use_checkpoints(NULL, NULL);
    database_prune_after(30);
    test_wall_ms += 60000;
    storage = database_open(&source);
    cr_assert_eq(source_prune(source, true, &pruned, &why), ERR_OK, "%s", why.text);
    cr_expect_gt(pruned.serials, 0);
    storage_free(storage);
    database_use_checkpoints(folder, door);
}

Test(source_checkpoint, pruning_up_to_it_leaves_it_good)
{
    struct source *source;
    struct storage *storage = database_open(&source);

    commit_add(source, 101, TEXT("TELLTALE-MNT", "as committed"));
    commit_add(source, 102, TEXT("A-MNT", "one"));
    commit_delete(source, 103, TEXT("A-MNT", "one"));
    commit_add(source, 104, TEXT("B-MNT", "one"));
    write_checkpoint(source);
    storage_free(storage);
    prune_in_a_minute();
    expect_used();
}

/* --- refused --- */
/** The row at its position is still there: only the mark says that a deletion behind it is not. */
Test(source_checkpoint, pruning_beyond_it_makes_it_useless)
{
    struct source *source;
    struct storage *storage;

    run_once();
    database_use_checkpoints(NULL, NULL);
    storage = database_open(&source);
    commit_delete(source, 105, TEXT("A-MNT", ""));
    commit_add(source, 106, TEXT("C-MNT", "one"));
    storage_free(storage);
    prune_in_a_minute();
    cr_expect_eq(database_number("SELECT COUNT(*) FROM serials WHERE serial_id = 103"), 1);
    expect_refused("pruning");
}

Test(source_checkpoint, an_edit_to_a_lower_serial_makes_it_useless)
{
    run_once();
    database_exec("DELETE FROM serials WHERE serial_id > 102");
    database_exec("UPDATE serials SET serial_id = 90 WHERE serial_id = 102");
    expect_refused("an edit");
}

Test(source_checkpoint, a_reload_makes_it_useless)
{
    struct load_options options = {.serial = 104};
    struct load_report report;
    struct source *source;
    struct storage *storage;
    struct load *load;
    struct why why;

    run_once();
    database_use_checkpoints(NULL, NULL);
    storage = database_open(&source);
    options.force = true;
    cr_assert_eq(load_begin(source, &options, &load, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(load_add(load, STR(TEXT("TELLTALE-MNT", "as committed")), 0.5, &why), ERR_OK);
    cr_assert_eq(load_add(load, STR(TEXT("E-MNT", "one")), 1, &why), ERR_OK);
    cr_assert_eq(load_finish(load, &report, &why), ERR_OK, "%s", why.text);
    storage_free(storage);
    database_use_checkpoints(folder, door);
    expect_refused("a reload");
}

static const char *const tables[] = {"last",       "history",         "serials",
                                     "nrtm_state", "nrtm_checkpoint", "nrtm_quarantine"};
#define TABLES (sizeof(tables) / sizeof(tables[0]))

static void back_up(void)
{
    for (size_t i = 0; i < TABLES; i++) {
        database_exec("CREATE TABLE backup_%s AS SELECT * FROM %s", tables[i], tables[i]);
    }
}

static void restore_backup(void)
{
    for (size_t i = 0; i < TABLES; i++) {
        database_exec("DELETE FROM %s", tables[i]);
        database_exec("INSERT INTO %s SELECT * FROM backup_%s", tables[i], tables[i]);
    }
}

/** The worst: same generation, same serials, further on than the checkpoint, other objects. */
Test(source_checkpoint, a_restored_database_that_moved_on_is_recognised)
{
    struct source *source;
    struct storage *storage = database_open(&source);

    commit_add(source, 101, TEXT("TELLTALE-MNT", "as committed"));
    commit_add(source, 102, TEXT("A-MNT", "one"));
    back_up();
    commit_add(source, 103, TEXT("B-MNT", "one"));
    write_checkpoint(source);
    storage_free(storage);
    restore_backup();
    database_use_checkpoints(NULL, NULL);
    storage = database_open(&source);
    commit_add(source, 103, TEXT("X-MNT", "one")); /* The same object_id as B-MNT had. */
    commit_add(source, 104, TEXT("A-MNT", "two"));
    storage_free(storage);
    database_use_checkpoints(folder, door);
    expect_refused("restored from a backup");
}

Test(source_checkpoint, a_backup_from_after_it_is_good)
{
    struct source *source;
    struct storage *storage = database_open(&source);

    commit_add(source, 101, TEXT("TELLTALE-MNT", "as committed"));
    write_checkpoint(source);
    commit_add(source, 102, TEXT("A-MNT", "one"));
    back_up();
    commit_add(source, 103, TEXT("B-MNT", "one"));
    storage_free(storage);
    restore_backup();
    storage = reopen(&source);
    cr_expect_not(is_rebuilt(source));
    cr_expect_not_null(indexed_text(source, CLASS_MNTNER, "A-MNT"));
    cr_expect_null(indexed_text(source, CLASS_MNTNER, "B-MNT"));
    storage_free(storage);
}

Test(source_checkpoint, one_that_is_ahead_of_the_database_is_refused)
{
    struct source *source;
    struct storage *storage = database_open(&source);

    commit_add(source, 101, TEXT("TELLTALE-MNT", "as committed"));
    back_up();
    commit_add(source, 102, TEXT("A-MNT", "one"));
    write_checkpoint(source);
    storage_free(storage);
    restore_backup();
    expect_refused("ahead of the database");
}

Test(source_checkpoint, pruned_serials_make_it_useless)
{
    run_once();
    database_exec("DELETE FROM serials WHERE serial_id <= 103");
    expect_refused("serials are pruned");
}

Test(source_checkpoint, an_emptied_table_makes_it_useless)
{
    struct source *source;
    struct storage *storage;

    run_once();
    database_exec("TRUNCATE TABLE last");
    storage = database_open(&source);
    cr_expect_null(indexed_text(source, CLASS_MNTNER, "A-MNT"));
    storage_free(storage);
}

Test(source_checkpoint, too_many_updates_are_not_replayed)
{
    run_once();
    database_exec("INSERT INTO serials SELECT 200 + seq, 1, 1, 0, 1 FROM seq_1_to_10001");
    database_exec("UPDATE nrtm_state SET hw = 10201, applied = 10201 WHERE mirror = 'RIPE-GRS'");
    expect_refused("too many updates");
}

Test(source_checkpoint, a_damaged_file_is_refused)
{
    uint8_t byte;
    int fd;

    run_once();
    fd = open(file, O_RDWR);
    cr_assert_eq(pread(fd, &byte, 1, 3000), 1);
    byte ^= 1;
    cr_assert_eq(pwrite(fd, &byte, 1, 3000), 1);
    close(fd);
    expect_refused("damaged");
}

Test(source_checkpoint, a_truncated_file_is_refused)
{
    run_once();
    cr_assert_eq(truncate(file, 3000), 0);
    expect_refused("truncated");
}

/* --- without the database --- */
/** What readers see of the published version. */
static int64_t published_stale_since(struct source *source)
{
    struct reader *reader = reader_new();
    int64_t since_ms;

    reader_attach(reader, source_index(source));
    reader_refresh(reader);
    since_ms = snapshot_position(reader_snapshot(reader, source_index(source))).stale_since_ms;
    reader_free(reader);
    return since_ms;
}

Test(source_checkpoint, is_served_as_stale_until_the_database_is_back)
{
    struct source_status status;
    struct source *source;
    struct storage *storage;
    struct batch *batch;
    struct why why;

    run_once();
    change_behind_its_back();
    cr_assert_eq(unlink(door), 0);
    storage = database_storage(&source);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(source_open(source, &why), ERR_SQL_LOST);
        source_get_status(source, &status);
        cr_expect_eq(status.state, SOURCE_CLOSED);
        cr_expect_eq(status.stale_since_ms, test_wall_ms);
        cr_expect_eq(status.objects, 3);
        cr_expect_eq(published_stale_since(source), test_wall_ms);
        cr_expect_str_eq(indexed_text(source, CLASS_MNTNER, "A-MNT"), TEXT("A-MNT", "one"));
        cr_expect_eq(batch_begin(source, &batch, &why), ERR_BUSY, "nothing is written meanwhile");
    }
    cr_assert_eq(symlink(database_url()->socket, door), 0);
    cr_assert_eq(source_open(source, &why), ERR_OK, "%s", why.text);
    source_get_status(source, &status);
    cr_expect_eq(status.state, SOURCE_READY);
    cr_expect_eq(status.stale_since_ms, 0);
    cr_expect_eq(published_stale_since(source), 0);
    cr_expect_eq(status.serial, 104);
    cr_expect_str_eq(indexed_text(source, CLASS_MNTNER, "A-MNT"), TEXT("A-MNT", "two"));
    cr_expect_not(is_rebuilt(source));
    commit_add(source, 105, TEXT("A-MNT", "three"));
    storage_free(storage);
}

Test(source_checkpoint, what_was_served_is_replaced_when_it_does_not_fit)
{
    struct source_status status;
    struct source *source;
    struct storage *storage;
    struct why why;

    run_once();
    change_behind_its_back();
    database_exec("UPDATE nrtm_state SET generation = generation + 1");
    cr_assert_eq(unlink(door), 0);
    storage = database_storage(&source);
    cr_assert_eq(source_open(source, &why), ERR_SQL_LOST);
    cr_expect_not(is_rebuilt(source));
    cr_assert_eq(symlink(database_url()->socket, door), 0);
    cr_assert_eq(source_open(source, &why), ERR_OK, "%s", why.text);
    cr_expect(is_rebuilt(source));
    cr_expect_str_eq(indexed_text(source, CLASS_MNTNER, "A-MNT"), TEXT("A-MNT", "two"));
    source_get_status(source, &status);
    cr_expect_eq(status.stale_since_ms, 0);
    cr_expect_eq(status.objects, 3);
    cr_expect(index_check(source_index(source), &why), "%s", why.text);
    storage_free(storage);
}

/* --- written --- */
static void wait_for_file(void)
{
    while (access(file, F_OK) != 0) {
        usleep(10000);
    }
}

Test(source_checkpoint, is_written_after_an_opening_and_at_a_stop)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct why why;

    commit_add(source, 101, TEXT("TELLTALE-MNT", "as committed"));
    cr_assert_eq(storage_start_checkpoints(storage, &why), ERR_OK, "%s", why.text);
    wait_for_file();
    commit_add(source, 102, TEXT("A-MNT", "one"));
    storage_stop_checkpoints(storage);
    storage_free(storage);
    cr_expect_eq(database_number("SELECT COUNT(*) FROM nrtm_checkpoint WHERE serial = 102"), 1);
    expect_used();
}

Test(source_checkpoint, an_empty_source_has_none)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct why why;

    cr_expect_eq(source_write_checkpoint(source, true, &why), ERR_NOT_FOUND);
    storage_stop_checkpoints(storage);
    storage_free(storage);
    cr_expect_neq(access(file, F_OK), 0);
}

Test(source_checkpoint, is_not_taken_of_what_somebody_else_moved)
{
    struct source *source, *other;
    struct storage *storage, *others;
    struct why why;

    run_once();
    storage = database_open(&source);
    others = database_open(&other);
    commit_add(other, 105, TEXT("B-MNT", "two"));
    cr_expect_eq(source_write_checkpoint(source, true, &why), ERR_BUSY);
    storage_free(others);
    storage_free(storage);
}

/* --- while it is copied --- */
/** Put all objects again until older versions keep more than they may. */
static void pile_up_garbage(struct index *index, struct arena *arena)
{
    enum { FIRST_ID = 1000, OBJECTS = 20000, STEP = 10 };

    for (uint32_t round = 0; index_collect(index) <= index_garbage_limit(index); round++) {
        index_begin(index);
        for (uint32_t i = 0; i < OBJECTS; i += round == 0 ? 1 : STEP) {
            struct arena_mark mark = arena_mark(arena);
            struct str text =
                arena_printf(arena, "aut-num: AS%u\nas-name: N%u\nmnt-by: M%u-MNT\nsource: RIPE\n",
                             i, i + round, i + round);

            cr_assert_eq(put_text(index, FIRST_ID + i, text, arena), ERR_OK);
            arena_rewind(arena, mark);
        }
        index_publish(index, (index_position){.serial = 101});
    }
}

Test(source_checkpoint, updates_wait_when_the_copy_keeps_too_much)
{
    const struct checkpoint_origin origin = {.source = "RIPE-GRS"};
    struct arena *arena = arena_new((size_t)64 << 20);
    struct source *source;
    struct storage *storage = database_open(&source);
    struct index *index = source_index(source);
    struct room_wait wait = {0};

    test_mono_stands = true;
    index_begin(index);
    index_publish(index, (index_position){.serial = 101});
    source->checkpoint.running = checkpoint_new(index, &origin);
    source->checkpoint.is_copying = true;
    pile_up_garbage(index, arena);
    cr_expect_not(source_has_room(source, &wait));
    test_mono_ms += 9999;
    cr_expect_not(source_has_room(source, &wait));
    test_mono_ms += 1; /* It is told to give up; until it has done so it is a reader like others. */
    cr_expect_not(source_has_room(source, &wait));
    checkpoint_free(source->checkpoint.running);
    source->checkpoint.running = NULL;
    source->checkpoint.is_copying = false;
    cr_expect(source_has_room(source, &wait));
    cr_expect_eq(index_collect(index), 0);
    storage_free(storage);
    arena_free(arena);
}
