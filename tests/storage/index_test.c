/*
 * The index as its users see it: put, find, remove, publish, roll back; look-ups; what one version
 * holds while the next is made; random updates against a plain list of texts.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "objects.h"
#include "rpsl/fold.h"

static struct arena *arena;
static struct index *made;
static struct reader *reader;

static void setup(void)
{
    arena = arena_new(1 << 28);
    made = index_new("TEST");
    reader = reader_new();
    reader_attach(reader, made);
}

static void teardown(void)
{
    struct why why;

    cr_expect(index_check(made, &why), "%s", why.text);
    reader_free(reader);
    index_free(made);
    arena_free(arena);
}

TestSuite(storage_index, .init = setup, .fini = teardown, .timeout = 120);

static void put(uint32_t id, const char *text)
{
    cr_assert_eq(put_text(made, id, str_from(text), arena), ERR_OK, "%s", text);
}

static void publish(void)
{
    index_publish(made, (index_position){.serial = 1});
    reader_refresh(reader);
}

static const struct snapshot *now(void)
{
    return reader_snapshot(reader, made);
}

static uint32_t by_key(enum rpsl_class class, const char *key)
{
    uint32_t id;

    cr_assert_eq(snapshot_by_key(reader, now(), class,
                                 rpsl_canonical_key(class, str_from(key), arena), arena, &id),
                 ERR_OK);
    return id;
}

static struct id_list by_value(unsigned attr, const char *value)
{
    struct id_list list = {0};

    cr_assert_eq(snapshot_by_value(now(), attr, rpsl_fold(str_from(value), arena), arena, &list),
                 ERR_OK);
    return list;
}

static const char *text_of(uint32_t id)
{
    struct str text;

    if (snapshot_text(reader, now(), id, arena, &text) != ERR_OK) {
        return NULL;
    }
    return arena_strdup(arena, text).at;
}

#define MNTNER(name) "mntner: " name "\nadmin-c: AA1-TEST\nmnt-by: " name "\nsource: TEST\n"

Test(storage_index, has_nothing_before_the_first_version)
{
    struct index_object found;

    reader_refresh(reader);
    cr_expect_null(now());
    cr_expect_eq(index_find(made, CLASS_MNTNER, STR("A-MNT"), arena, &found), ERR_NOT_FOUND);
    cr_expect_eq(index_next_id(made), 1);
}

Test(storage_index, shows_a_version_only_after_publish_and_refresh)
{
    struct index_object found;

    index_begin(made);
    put(1, MNTNER("A-MNT"));
    reader_refresh(reader);
    cr_expect_null(now());
    cr_expect_eq(index_find(made, CLASS_MNTNER, STR("A-MNT"), arena, &found), ERR_OK);
    index_publish(made, (index_position){.serial = 42, .hw = 43, .generation = 5});
    cr_expect_null(now());
    reader_refresh(reader);
    cr_assert_not_null(now());
    cr_expect_eq(snapshot_position(now()).serial, 42);
    cr_expect_eq(snapshot_position(now()).hw, 43);
    cr_expect_eq(snapshot_position(now()).generation, 5);
    cr_expect_eq(snapshot_position(now()).objects, 1);
    cr_expect_eq(snapshot_class_count(now(), CLASS_MNTNER), 1);
    cr_expect_eq(by_key(CLASS_MNTNER, "a-mnt"), 1);
    cr_expect_str_eq(text_of(1), MNTNER("A-MNT"));
}

static void walk_key(enum rpsl_class class, const char *canonical, struct id_list *list)
{
    struct id_walk *walk = NULL;
    enum walk_progress progress = WALK_MORE;

    cr_assert_eq(snapshot_key_walk(now(), class, str_from(canonical), arena, list, &walk), ERR_OK);
    while (progress != WALK_DONE) {
        cr_assert_eq(id_walk_step(walk, &progress), ERR_OK);
    }
}

Test(storage_index, the_hash_of_a_key_finds_its_object)
{
    struct id_list list = {0};

    index_begin(made);
    put(1, MNTNER("A-MNT"));
    put(2, MNTNER("B-MNT"));
    publish();
    walk_key(CLASS_MNTNER, "B-MNT", &list);
    walk_key(CLASS_MNTNER, "C-MNT", &list);
    walk_key(CLASS_PERSON, "A-MNT", &list);
    cr_assert_eq(list.count, 1);
    cr_expect_eq(list.ids[0], 2);
}

static void find_place(uint32_t id, struct object_place *place)
{
    snapshot_place_begin(now(), id, place);
    while (!snapshot_place_step(now(), id, place)) {
    }
}

Test(storage_index, an_object_is_read_in_steps_as_at_once)
{
    struct object_place place;
    struct str text = {0};

    index_begin(made);
    put(7, MNTNER("A-MNT"));
    publish();
    find_place(7, &place);
    cr_expect_eq(place.info.id, 7);
    cr_expect_eq(place.info.class, CLASS_MNTNER);
    cr_assert_eq(snapshot_load_at(reader, now(), &place, arena, &text), ERR_OK);
    cr_expect(str_eq(text, STR(MNTNER("A-MNT"))));
    find_place(8, &place);
    cr_expect_eq(place.info.id, 0);
}

Test(storage_index, the_checksum_is_that_of_the_texts_whatever_their_history)
{
    uint64_t both;

    index_begin(made);
    put(1, MNTNER("A-MNT"));
    publish();
    cr_expect_eq(snapshot_checksum(now()), UINT64_C(0x87F157E4D424BDD4),
                 "it is compared with other machines'");
    index_begin(made);
    put(2, MNTNER("B-MNT"));
    publish();
    both = snapshot_checksum(now());
    index_begin(made);
    put(1, MNTNER("C-MNT"));
    put(2, MNTNER("A-MNT"));
    publish();
    cr_expect_neq(snapshot_checksum(now()), both);
    index_begin(made);
    put(1, MNTNER("B-MNT"));
    put(3, MNTNER("C-MNT"));
    cr_assert_eq(index_remove(made, 3), ERR_OK);
    publish();
    cr_expect_eq(snapshot_checksum(now()), both);
    index_begin(made);
    cr_assert_eq(index_remove(made, 1), ERR_OK);
    cr_assert_eq(index_remove(made, 2), ERR_OK);
    publish();
    cr_expect_eq(snapshot_checksum(now()), 0);
}

Test(storage_index, keeps_what_it_is_told_of_an_object)
{
    struct rpsl_object object;
    struct rpsl_key key;
    struct object_info info;
    const char *text = "mntner:         B-MNT\nauth:           PGPKEY-1\nupd-to:         a@b.c\n"
                       "admin-c:        AA1\nsource:         TEST\n";

    index_begin(made);
    cr_assert_eq(rpsl_parse(str_from(text), arena, &object), ERR_OK);
    cr_assert_eq(rpsl_object_key(&object, arena, &key), ERR_OK);
    cr_assert_eq(index_put(made, 4000000000u, 7, 1234567890, &object, &key), ERR_OK);
    publish();
    cr_assert(snapshot_object(now(), 4000000000u, &info));
    cr_expect_eq(info.id, 4000000000u);
    cr_expect_eq(info.sequence, 7);
    cr_expect_eq(info.timestamp, 1234567890);
    cr_expect_eq(info.class, CLASS_MNTNER);
    cr_expect_eq(info.flags, OBJECT_LAID_OUT | OBJECT_ASCII | OBJECT_HAS_AUTH | OBJECT_HAS_EMAIL |
                                 OBJECT_HAS_CONTACTS);
    cr_expect_eq(index_next_id(made), 4000000001u);
    cr_expect_not(snapshot_object(now(), 3999999999u, &info));
}

Test(storage_index, rollback_leaves_everything_as_it_was)
{
    struct index_memory before, after;

    index_begin(made);
    put(1, MNTNER("A-MNT"));
    put(2, MNTNER("B-MNT"));
    publish();
    index_memory(made, &before);
    index_begin(made);
    put(1, "mntner: A-MNT\nadmin-c: BB1-TEST\nsource: TEST\n");
    put(9, MNTNER("C-MNT"));
    cr_assert_eq(index_remove(made, 2), ERR_OK);
    index_rollback(made);
    index_memory(made, &after);
    reader_refresh(reader);
    cr_expect_eq(after.texts, before.texts);
    cr_expect_eq(after.objects, before.objects);
    cr_expect_eq(after.postings, before.postings);
    cr_expect_eq(after.garbage, 0);
    cr_expect_eq(index_next_id(made), 3);
    cr_expect_str_eq(text_of(1), MNTNER("A-MNT"));
    cr_expect_eq(by_key(CLASS_MNTNER, "B-MNT"), 2);
    cr_expect_eq(by_key(CLASS_MNTNER, "C-MNT"), 0);
    cr_expect_eq(by_value(ATTR_ADMIN_C, "AA1-TEST").count, 2);
    cr_expect_eq(by_value(ATTR_ADMIN_C, "BB1-TEST").count, 0);
}

Test(storage_index, finds_by_value_ascending)
{
    struct id_list list;

    index_begin(made);
    put(30, MNTNER("A-MNT"));
    put(10, MNTNER("B-MNT"));
    put(20, "person: Zoë Test Test\nnic-hdl: ZT1-TEST\nmnt-by: A-MNT, B-MNT\nsource: TEST\n");
    publish();
    list = by_value(ATTR_ADMIN_C, "aa1-test");
    cr_assert_eq(list.count, 2);
    cr_expect_eq(list.ids[0], 10);
    cr_expect_eq(list.ids[1], 30);
    list = by_value(ATTR_MNT_BY, "B-MNT");
    cr_assert_eq(list.count, 2);
    cr_expect_eq(list.ids[0], 10);
    cr_expect_eq(list.ids[1], 20);
    cr_expect_eq(by_value(INDEX_NAME_WORD, "zoe").count, 1);
    cr_expect_eq(by_value(INDEX_NAME_WORD, "TEST").count, 1);
    cr_expect_eq(by_value(ATTR_TECH_C, "AA1-TEST").count, 0);
}

Test(storage_index, finds_name_servers_by_prefix)
{
    struct id_list list = {0};

    index_begin(made);
    put(1, "domain: 1.0.0.10.in-addr.arpa\nnserver: ns1.example.net\nnserver: ns1.example.org\n");
    put(2, "domain: 2.0.0.10.in-addr.arpa\nnserver: ns.a-much-longer-name.example.net\n");
    put(3, "domain: 3.0.0.10.in-addr.arpa\nnserver: ns.a-much-longer-other.example.net\n");
    publish();
    cr_assert_eq(snapshot_by_prefix(now(), ATTR_NSERVER, STR("NS1.EX"), arena, &list), ERR_OK);
    cr_assert_eq(list.count, 1);
    cr_expect_eq(list.ids[0], 1);
    /* Only the first bytes are filed: candidates, to be checked by the caller. */
    cr_assert_eq(
        snapshot_by_prefix(now(), ATTR_NSERVER, STR("NS.A-MUCH-LONGER-NAME"), arena, &list),
        ERR_OK);
    cr_expect_geq(list.count, 2);
    cr_expect_eq(list.ids[1], 2);
    cr_expect_geq(by_value(ATTR_NSERVER, "ns1.example.net").count, 1);
    cr_expect_eq(snapshot_by_prefix(now(), ATTR_MNT_BY, STR("A"), arena, &list), ERR_DENIED);
}

Test(storage_index, takes_an_object_of_20_mb_and_one_of_100000_values)
{
    struct buf text = {0}, list = {0};
    struct object_info info;

    buf_add_str(&text, STR("mntner: BIG-MNT\n"));
    while (text.len < 20 << 20) {
        buf_printf(&text, "remarks: line %zu\n", text.len);
    }
    buf_add_str(&list, STR("person: Long List\nnic-hdl: LL1-TEST\nmnt-by: M0-MNT"));
    for (int i = 1; i < 100000; i++) {
        buf_printf(&list, ", M%d-MNT", i);
    }
    buf_add_char(&list, '\n');
    for (int round = 0; round < 2; round++) {
        index_begin(made);
        cr_assert_eq(put_text(made, 1, buf_str(&text), arena), ERR_OK);
        cr_assert_eq(put_text(made, 2, buf_str(&list), arena), ERR_OK);
        publish();
    }
    cr_expect(str_eq(str_from(text_of(1)), buf_str(&text)));
    cr_expect(snapshot_object(now(), 2, &info));
    cr_expect_eq(by_value(ATTR_MNT_BY, "M99999-MNT").count, 1);
    index_begin(made);
    cr_expect_eq(index_remove(made, 1), ERR_OK);
    cr_expect_eq(index_remove(made, 2), ERR_OK);
    publish();
    cr_expect_eq(by_value(ATTR_MNT_BY, "M99999-MNT").count, 0);
    buf_free(&text);
    buf_free(&list);
}

Test(storage_index, keeps_a_held_snapshot_through_refreshes)
{
    const struct snapshot *old;
    struct str text;

    index_begin(made);
    put(1, MNTNER("A-MNT"));
    publish();
    old = now();
    snapshot_hold(reader, old);
    for (int i = 0; i < 50; i++) {
        index_begin(made);
        put(1, i % 2 ? MNTNER("A-MNT") : MNTNER("OTHER-MNT"));
        put(2 + (uint32_t)i, MNTNER("MORE-MNT"));
        publish();
    }
    cr_expect_gt(index_collect(made), 0);
    cr_expect_eq(snapshot_text(reader, old, 1, arena, &text), ERR_OK);
    cr_expect(str_eq(text, STR(MNTNER("A-MNT"))));
    cr_expect_eq(snapshot_next(old, 1), 0);
    cr_expect_eq(snapshot_next(now(), 1), 2);
    snapshot_release(reader, old);
    cr_expect_eq(index_collect(made), 0);
}

/* --- random updates against a list of texts --- */

#define IDS 400

Test(storage_index, agrees_with_a_list_of_texts)
{
    static const char *texts[IDS], *before[IDS];
    struct arena *keep = arena_new(1 << 28);
    uint64_t seed = 77;

    for (int batch = 0; batch < 150; batch++) {
        memcpy(before, texts, sizeof(before));
        index_begin(made);
        for (int i = 0; i < 40; i++) {
            uint32_t id = draw(&seed, IDS - 1) + 1;

            if (draw(&seed, 3) > 0) {
                texts[id] = random_object(&seed, keep).at;
                put(id, texts[id]);
            } else {
                cr_assert_eq(index_remove(made, id), texts[id] ? ERR_OK : ERR_NOT_FOUND);
                texts[id] = NULL;
            }
        }
        if (draw(&seed, 4) == 0) {
            index_rollback(made);
            memcpy(texts, before, sizeof(texts));
        } else {
            publish();
        }
        if (batch % 10 == 9 && now() != NULL) {
            struct why why;
            uint32_t id = 0;

            cr_assert(index_check(made, &why), "%s", why.text);
            for (uint32_t i = 1; i < IDS; i++) {
                const char *text = text_of(i);

                cr_assert_eq(text == NULL, texts[i] == NULL);
                if (text != NULL) {
                    cr_assert_str_eq(text, texts[i]);
                    id = snapshot_next(now(), id);
                    cr_assert_eq(id, i);
                }
            }
            cr_assert_eq(snapshot_next(now(), id), 0);
            cr_assert_eq(index_collect(made), 0);
        }
        arena_reset(arena);
    }
    arena_free(keep);
}
