/*
 * A bulk build is the same index as the one made object by object, whatever the number of lanes;
 * doubles are replaced; an older version stays readable; giving up leaves nothing.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "objects.h"
#include "rpsl/fold.h"

#define OBJECTS 5000

static struct arena *arena, *texts_arena;
static struct index *made, *expected;
static struct reader *reader;
static struct str *texts;

static void publish(struct index *index)
{
    index_publish(index, (index_position){.serial = 1});
    reader_refresh(reader);
}

static void setup(void)
{
    uint64_t seed = 5;

    arena = arena_new(1 << 28);
    texts_arena = arena_new(1 << 28);
    made = index_new("MADE");
    expected = index_new("EXPECTED");
    reader = reader_new();
    reader_attach(reader, made);
    reader_attach(reader, expected);
    texts = arena_alloc(texts_arena, OBJECTS * sizeof(*texts));
    index_begin(expected);
    for (uint32_t i = 0; i < OBJECTS; i++) {
        texts[i] = random_object(&seed, texts_arena);
        cr_assert_eq(put_text(expected, i + 1, texts[i], arena), ERR_OK);
        arena_reset(arena);
    }
    publish(expected);
}

static void teardown(void)
{
    struct why why;

    cr_expect(index_check(made, &why), "%s", why.text);
    reader_free(reader);
    index_free(made);
    index_free(expected);
    arena_free(arena);
    arena_free(texts_arena);
}

TestSuite(storage_bulk, .init = setup, .fini = teardown, .timeout = 120);

static enum err add(struct index_lane *lane, uint32_t id, struct str text)
{
    struct arena *own = arena_new(1 << 26);
    struct rpsl_object object;
    struct rpsl_key key;
    enum err rc;

    parse_good(text, own, &object, &key);
    rc = index_lane_add(lane, id, 1, 7, &object, &key);
    arena_free(own);
    return rc;
}

static bool same_lists(const struct id_list *a, const struct id_list *b)
{
    return a->count == b->count &&
           (a->count == 0 || memcmp(a->ids, b->ids, a->count * sizeof(a->ids[0])) == 0);
}

static bool visit_value(void *context, unsigned index_attr, struct str folded)
{
    struct id_list lists[2] = {{0}, {0}};
    struct index *indexes[2] = {made, expected};

    for (int i = 0; i < 2; i++) {
        cr_assert_eq(snapshot_by_value(reader_snapshot(reader, indexes[i]), index_attr, folded,
                                       arena, &lists[i]),
                     ERR_OK);
    }
    cr_assert(same_lists(&lists[0], &lists[1]));
    return true;
}

/* Both indexes answer alike about everything in an object. */
static void assert_same_about(uint32_t id)
{
    const struct snapshot *a = reader_snapshot(reader, made);
    const struct snapshot *b = reader_snapshot(reader, expected);
    struct object_info info_a, info_b;
    struct str text_a, text_b;
    uint32_t found;
    struct rpsl_object object;
    struct rpsl_key key;
    struct ip_range range;
    enum rpsl_range_kind kind;

    cr_assert_eq(snapshot_object(a, id, &info_a), snapshot_object(b, id, &info_b));
    if (!snapshot_object(b, id, &info_b)) {
        return;
    }
    cr_assert_eq(memcmp(&info_a, &info_b, sizeof(info_a)), 0);
    cr_assert_eq(snapshot_text(reader, a, id, arena, &text_a), ERR_OK);
    cr_assert_eq(snapshot_text(reader, b, id, arena, &text_b), ERR_OK);
    cr_assert(str_eq(text_a, text_b));
    parse_good(text_a, arena, &object, &key);
    cr_assert_eq(snapshot_by_key(reader, a, key.class, key.canonical, arena, &found), ERR_OK);
    cr_assert_neq(found, 0);
    cr_assert_eq(rpsl_index_values(&object, arena, visit_value, NULL), ERR_OK);
    kind = rpsl_object_range(&key, &range);
    for (unsigned mode = 0; mode <= RANGE_ALL_MORE && kind != RANGE_NONE; mode++) {
        struct id_list list_a = {0}, list_b = {0};

        cr_assert_eq(snapshot_by_range(a, kind, &range, mode, arena, &list_a), ERR_OK);
        cr_assert_eq(snapshot_by_range(b, kind, &range, mode, arena, &list_b), ERR_OK);
        cr_assert(same_lists(&list_a, &list_b));
    }
}

static void assert_same(void)
{
    for (uint32_t id = 1; id <= OBJECTS; id++) {
        assert_same_about(id);
        arena_reset(arena);
    }
    for (unsigned class = 0; class < CLASS_COUNT; class ++) {
        cr_assert_eq(snapshot_class_count(reader_snapshot(reader, made), class),
                     snapshot_class_count(reader_snapshot(reader, expected), class));
    }
    cr_assert_eq(snapshot_checksum(reader_snapshot(reader, made)),
                 snapshot_checksum(reader_snapshot(reader, expected)));
    cr_assert_eq(index_next_id(made), index_next_id(expected));
}

struct share {
    struct index_lane *lane;
    uint32_t from, to;
};

static void *feed(void *context)
{
    const struct share *share = context;

    for (uint32_t i = share->from; i < share->to; i++) {
        if (add(share->lane, i + 1, texts[i]) != ERR_OK) {
            return context;
        }
    }
    return NULL;
}

Test(storage_bulk, any_number_of_lanes_makes_the_same_index)
{
    for (uint32_t lanes = 1; lanes <= 4; lanes++) {
        struct index_bulk *bulk = index_bulk_new(made, texts, lanes % 2 ? OBJECTS : 0);
        struct share shares[4];
        pthread_t threads[4];

        for (uint32_t i = 0; i < lanes; i++) {
            shares[i] = (struct share){index_bulk_lane(bulk), OBJECTS * i / lanes,
                                       OBJECTS * (i + 1) / lanes};
        }
        for (uint32_t i = 0; i < lanes; i++) {
            cr_assert_eq(pthread_create(&threads[i], NULL, feed, &shares[i]), 0);
        }
        for (uint32_t i = 0; i < lanes; i++) {
            void *failed;

            pthread_join(threads[i], &failed);
            cr_assert_null(failed);
        }
        cr_assert_eq(index_bulk_finish(bulk), ERR_OK);
        publish(made);
        assert_same();
        cr_assert_eq(index_collect(made), 0, "the build before is gone");
    }
}

Test(storage_bulk, goes_on_with_updates)
{
    struct index_bulk *bulk = index_bulk_new(made, texts, OBJECTS);
    struct index_lane *lane = index_bulk_lane(bulk);
    uint64_t seed = 8;

    for (uint32_t i = 0; i < OBJECTS; i++) {
        cr_assert_eq(add(lane, i + 1, texts[i]), ERR_OK);
    }
    cr_assert_eq(index_bulk_finish(bulk), ERR_OK);
    publish(made);
    index_begin(made);
    index_begin(expected);
    for (int i = 0; i < 3000; i++) {
        uint32_t id = draw(&seed, OBJECTS) + 1;
        struct str text = random_object(&seed, arena);

        if (i % 3 == 0) {
            enum err rc = index_remove(made, id);

            cr_assert_eq(rc, index_remove(expected, id));
        } else {
            cr_assert_eq(put_text(made, id, text, arena), ERR_OK);
            cr_assert_eq(put_text(expected, id, text, arena), ERR_OK);
        }
        arena_reset(arena);
    }
    publish(made);
    publish(expected);
    assert_same();
}

Test(storage_bulk, a_later_double_replaces_the_earlier)
{
    struct index_bulk *bulk = index_bulk_new(made, NULL, 0);
    struct index_lane *lane = index_bulk_lane(bulk);
    uint64_t seed = 6;
    unsigned doubles = 0;

    /* The expected index gets the same doubles as ordinary updates. */
    index_begin(expected);
    for (uint32_t id = 1; id <= OBJECTS; id++) {
        cr_assert_eq(index_remove(expected, id), ERR_OK);
    }
    for (uint32_t i = 0; i < OBJECTS; i++) {
        struct rpsl_object object;
        struct rpsl_key key;
        uint32_t found, id = i + 1;

        parse_good(texts[i], arena, &object, &key);
        found = index_bulk_find(bulk, key.class, key.canonical, arena);
        if (found != 0) {
            doubles++;
            cr_assert_eq(index_bulk_drop(bulk, found), ERR_OK);
            cr_assert_eq(index_bulk_find(bulk, key.class, key.canonical, arena), 0);
            if (draw(&seed, 2)) {
                id = found; /* Either id is allowed. */
            }
            cr_assert_eq(index_remove(expected, found), ERR_OK);
        }
        cr_assert_eq(index_lane_add(lane, id, 1, 7, &object, &key), ERR_OK);
        cr_assert_eq(index_put(expected, id, 1, 7, &object, &key), ERR_OK);
        arena_reset(arena);
    }
    cr_assert_gt(doubles, 500);
    cr_assert_eq(index_bulk_drop(bulk, OBJECTS + 99), ERR_NOT_FOUND);
    cr_assert_eq(index_bulk_finish(bulk), ERR_OK);
    publish(made);
    publish(expected);
    index_reserve_id(made, OBJECTS);
    assert_same();
}

Test(storage_bulk, replaces_what_was_there_and_keeps_held_versions)
{
    struct index_bulk *bulk;
    struct index_lane *lane;
    const struct snapshot *old;
    struct str text;

    index_begin(made);
    for (uint32_t id = 1; id <= 2000; id++) {
        cr_assert_eq(put_text(made, id + 100000, texts[id], arena), ERR_OK);
    }
    publish(made);
    old = reader_snapshot(reader, made);
    snapshot_hold(reader, old);
    bulk = index_bulk_new(made, texts, OBJECTS);
    lane = index_bulk_lane(bulk);
    for (uint32_t i = 0; i < OBJECTS; i++) {
        cr_assert_eq(add(lane, i + 1, texts[i]), ERR_OK);
    }
    cr_assert_eq(index_bulk_finish(bulk), ERR_OK);
    publish(made);
    cr_assert_gt(index_collect(made), 0);
    for (uint32_t id = 1; id <= 2000; id++) {
        cr_assert_eq(snapshot_text(reader, old, id + 100000, arena, &text), ERR_OK);
        cr_assert(str_eq(text, texts[id]));
    }
    snapshot_release(reader, old);
    cr_assert_eq(index_collect(made), 0);
    index_reserve_id(expected, 102000);
    assert_same();
}

Test(storage_bulk, giving_up_or_rolling_back_leaves_nothing)
{
    for (int round = 0; round < 2; round++) {
        struct index_bulk *bulk = index_bulk_new(made, NULL, 0);
        struct index_lane *lane = index_bulk_lane(bulk);
        struct index_memory memory;

        for (uint32_t i = 0; i < 1000; i++) {
            cr_assert_eq(add(lane, i + 1, texts[i]), ERR_OK);
        }
        if (round == 0) {
            index_bulk_free(bulk);
        } else {
            cr_assert_eq(index_bulk_finish(bulk), ERR_OK);
            index_rollback(made);
        }
        index_memory(made, &memory);
        cr_assert_eq(memory.texts + memory.objects + memory.postings, 0);
        cr_assert_eq(index_next_id(made), 1);
        reader_refresh(reader);
        cr_assert_null(reader_snapshot(reader, made));
    }
    index_bulk_free(NULL);
}

Test(storage_bulk, refuses_an_id_that_comes_twice)
{
    struct index_bulk *bulk = index_bulk_new(made, NULL, 0);
    struct index_lane *lanes[2] = {index_bulk_lane(bulk), index_bulk_lane(bulk)};

    cr_assert_eq(add(lanes[0], 7, texts[0]), ERR_OK);
    cr_assert_eq(add(lanes[1], 7, texts[1]), ERR_OK);
    cr_assert_eq(index_bulk_finish(bulk), ERR_CORRUPT);
    index_begin(made); /* Everything was rolled back: a batch can begin. */
    index_rollback(made);
}

Test(storage_bulk, may_be_empty)
{
    cr_assert_eq(index_bulk_finish(index_bulk_new(made, NULL, 0)), ERR_OK);
    publish(made);
    cr_assert_not_null(reader_snapshot(reader, made));
    cr_assert_eq(snapshot_position(reader_snapshot(reader, made)).objects, 0);
}
