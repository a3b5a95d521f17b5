/* Versions as the database has them: found by key, in order, with their texts. */
#include "storage/history.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "database.h"
#include "updates.h"

TestSuite(history, .timeout = 60);

#define ALL_CLASSES ((UINT32_C(1) << CLASS_UNKNOWN) - 1)

static struct arena *arena;

/** One op per batch, five seconds apart; `;` stands for the line end. */
static void play(struct source *source, bool is_delete, int64_t serial, const char *text)
{
    char *copy = strdup(text);

    for (char *c = copy; *c != '\0'; c++) {
        *c = *c == ';' ? '\n' : *c;
    }
    commit_update(source, serial, is_delete, copy);
    test_wall_ms += 5000;
    free(copy);
}

/** "CLASS COUNT@TIMES -DELETED;" for each class that was found; times are seconds since the start.
 */
static const char *histories(struct source *source, uint32_t classes, const char *key)
{
    static char text[1024];
    const uint32_t start = 1795348800;
    struct history_list list = {0};
    struct why why;
    size_t len = 0;

    arena_free(arena);
    arena = arena_new(1 << 20);
    cr_assert_eq(source_histories(source, classes, str_from(key), arena, &list, &why), ERR_OK, "%s",
                 why.text);
    text[0] = '\0';
    for (size_t i = 0; i < list.count; i++) {
        const struct history *history = &list.at[i];

        len += (size_t)sprintf(text + len, "%s %zu", rpsl_class_info(history->class)->name,
                               history->count);
        for (size_t j = 0; j < history->count; j++) {
            len += (size_t)sprintf(text + len, "@%u", history->versions[j].timestamp - start);
        }
        if (history->deleted != 0) {
            len += (size_t)sprintf(text + len, " -%u", history->deleted - start);
        }
        len += (size_t)sprintf(text + len, ";");
    }
    return text;
}

static const char *text_of(struct source *source, const struct object_version *version)
{
    struct why why;
    struct str text;

    cr_assert_eq(source_version_text(source, version, arena, &text, &why), ERR_OK, "%s", why.text);
    return text.at;
}

Test(history, an_object_s_versions_are_found_in_order)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct history_list list = {0};
    struct why why;

    play(source, false, 10, "mntner: A-MNT;remarks: one;source: RIPE;");
    play(source, false, 11, "mntner: B-MNT;source: RIPE;");
    play(source, false, 12, "mntner: a-mnt;remarks: two;source: RIPE;");
    play(source, false, 13, "mntner: A-MNT;remarks: three;source: RIPE;");
    cr_expect_str_eq(histories(source, ALL_CLASSES, "A-mnt"), "mntner 3@0@10@15;");
    cr_expect_str_eq(histories(source, ALL_CLASSES, "A-MN"), "");
    cr_expect_str_eq(histories(source, 1u << CLASS_PERSON, "A-MNT"), "", "another class");

    cr_assert_eq(source_histories(source, ALL_CLASSES, STR("A-MNT"), arena, &list, &why), ERR_OK);
    cr_expect_str_eq(text_of(source, &list.at[0].versions[0]),
                     "mntner: A-MNT\nremarks: one\nsource: RIPE\n");
    cr_expect_str_eq(text_of(source, &list.at[0].versions[2]),
                     "mntner: A-MNT\nremarks: three\nsource: RIPE\n");
    storage_free(storage);
}

Test(history, begins_with_the_last_creation)
{
    struct source *source;
    struct storage *storage = database_open(&source);

    play(source, false, 10, "mntner: A-MNT;source: RIPE;");
    play(source, false, 11, "mntner: A-MNT;remarks: x;source: RIPE;");
    play(source, true, 12, "mntner: A-MNT;");
    cr_expect_str_eq(histories(source, ALL_CLASSES, "A-MNT"), "mntner 0 -10;");
    play(source, false, 13, "mntner: A-MNT;source: RIPE;");
    cr_expect_str_eq(histories(source, ALL_CLASSES, "A-MNT"), "mntner 1@15 -10;");
    play(source, true, 14, "mntner: A-MNT;");
    play(source, false, 15, "mntner: A-MNT;source: RIPE;");
    play(source, false, 16, "mntner: A-MNT;remarks: y;source: RIPE;");
    cr_expect_str_eq(histories(source, ALL_CLASSES, "A-MNT"), "mntner 2@25@30 -20;");
    storage_free(storage);
}

Test(history, a_range_is_found_however_its_blanks_stand)
{
    struct source *source;
    struct storage *storage = database_open(&source);

    play(source, false, 10, "inetnum: 10.0.0.0-10.0.0.7;source: RIPE;");
    play(source, false, 11, "inetnum: 10.0.0.0 -10.0.0.7;source: RIPE;");
    cr_expect_str_eq(histories(source, ALL_CLASSES, "10.0.0.0 - 10.0.0.7"), "inetnum 2@0@5;");
    play(source, true, 12, "inetnum: 10.0.0.0- 10.0.0.7;");
    cr_expect_str_eq(histories(source, ALL_CLASSES, "10.0.0.0 - 10.0.0.7"), "inetnum 0 -10;");
    storage_free(storage);
}

Test(history, a_key_is_text_not_sql)
{
    struct source *source;
    struct storage *storage = database_open(&source);

    cr_expect_str_eq(histories(source, ALL_CLASSES, "x' OR '1' = '1"), "");
    cr_expect_str_eq(histories(source, ALL_CLASSES, "\\' OR 1 = 1 -- "), "");
    cr_expect_str_eq(histories(source, ALL_CLASSES, "%s%n % - _"), "");
    storage_free(storage);
}

Test(history, versions_of_many_classes_and_many_versions_are_all_there)
{
    struct source *source;
    struct storage *storage = database_open(&source);
    struct history_list list = {0};
    struct batch *batch;
    struct why why;

    arena = arena_new(1 << 20);
    cr_assert_eq(batch_begin(source, &batch, &why), ERR_OK, "%s", why.text);
    for (int i = 1; i <= 100; i++) {
        char text[100];

        sprintf(text, "mntner: X\nremarks: %d\nsource: RIPE\n", i);
        cr_assert_eq(batch_add(batch, 2 * i, str_from(text), &why), ERR_OK, "%s", why.text);
    }
    cr_assert_eq(batch_add(batch, 300, STR("inet-rtr: x\nsource: RIPE\n"), &why), ERR_OK);
    cr_assert_eq(batch_commit(batch, 0, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(source_histories(source, ALL_CLASSES, STR("x"), arena, &list, &why), ERR_OK);
    cr_assert_eq(list.count, 2);
    cr_expect_eq(list.at[0].class, CLASS_INET_RTR);
    cr_expect_eq(list.at[1].class, CLASS_MNTNER);
    cr_assert_eq(list.at[1].count, 100);
    for (uint32_t i = 0; i < 100; i++) {
        cr_expect_eq(list.at[1].versions[i].sequence, i + 1);
    }
    cr_expect_str_eq(text_of(source, &list.at[1].versions[41]),
                     "mntner: X\nremarks: 42\nsource: RIPE\n");
    storage_free(storage);
}

static void kill_connections(void)
{
    database_exec(
        "BEGIN NOT ATOMIC FOR c IN (SELECT id FROM information_schema.processlist WHERE db = "
        "DATABASE() AND id <> CONNECTION_ID()) DO KILL CONNECTION c.id; END FOR; END");
}

Test(history, a_connection_that_the_server_closed_is_replaced)
{
    struct source *source;
    struct storage *storage = database_open(&source);

    play(source, false, 10, "mntner: A-MNT;source: RIPE;");
    cr_expect_str_eq(histories(source, ALL_CLASSES, "A-MNT"), "mntner 1@0;");
    kill_connections();
    cr_expect_str_eq(histories(source, ALL_CLASSES, "A-MNT"), "mntner 1@0;");
    storage_free(storage);
}

Test(history, a_database_that_lets_nobody_in_is_an_error)
{
    struct source *source;
    struct storage *storage = database_open_locked_out(&source);
    struct history_list list = {0};
    struct why why;

    arena = arena_new(1 << 20);
    database_lock_out(true);
    cr_expect_eq(source_histories(source, ALL_CLASSES, STR("A-MNT"), arena, &list, &why),
                 ERR_DENIED);
    cr_expect(str_contains(str_from(why.text), STR("Access denied")), "%s", why.text);
    database_lock_out(false);
    cr_expect_eq(source_histories(source, ALL_CLASSES, STR("A-MNT"), arena, &list, &why), ERR_OK,
                 "%s", why.text);
    storage_free(storage);
}
