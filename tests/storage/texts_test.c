/*
 * Texts: what is added comes back byte by byte, of any size, with and without a dictionary, before
 * and after compaction; damage is noticed; memory is given back.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "objects.h"
#include "storage/texts.h"

static struct arena *arena;
static struct texts texts;
static struct text_writer writer;
static struct text_reader reader;

static void setup(void)
{
    arena = arena_new(1 << 28);
    texts_init(&texts);
    text_writer_init(&writer, &texts);
    text_reader_init(&reader);
}

static void teardown(void)
{
    text_reader_fini(&reader);
    text_writer_fini(&writer);
    texts_fini(&texts);
    arena_free(arena);
}

TestSuite(storage_texts, .init = setup, .fini = teardown, .timeout = 120);

static struct str random_bytes(uint64_t *seed, size_t len)
{
    char *bytes = arena_alloc(arena, len);

    for (size_t i = 0; i < len; i++) {
        bytes[i] = (char)draw(seed, 256);
    }
    return (struct str){bytes, len};
}

static void assert_holds(text_ref ref, struct str expected)
{
    struct str got;

    cr_assert_eq(text_reader_get(&reader, &texts, ref, arena, &got), ERR_OK);
    cr_assert(str_eq(got, expected));
}

Test(storage_texts, any_size_comes_back)
{
    static const size_t sizes[] = {1, 2, 100, 4000, 65536, 700000, 1 << 20, 5 << 20, 20 << 20};
    enum { COUNT = sizeof(sizes) / sizeof(sizes[0]) };
    uint64_t seed = 1;
    struct str expected[2 * COUNT];
    text_ref refs[2 * COUNT];

    for (size_t i = 0; i < COUNT; i++) {
        expected[2 * i] = random_bytes(&seed, sizes[i]); /* Does not compress. */
        expected[2 * i + 1] = (struct str){arena_calloc(arena, sizes[i], 1), sizes[i]};
        cr_assert_eq(text_writer_add(&writer, (uint32_t)i, expected[2 * i], &refs[2 * i]), ERR_OK);
        cr_assert_eq(text_writer_add(&writer, UINT32_MAX, expected[2 * i + 1], &refs[2 * i + 1]),
                     ERR_OK);
    }
    for (size_t i = 0; i < 2 * COUNT; i++) {
        assert_holds(refs[i], expected[i]);
    }
}

Test(storage_texts, too_large_a_text_is_refused)
{
    struct str huge = {arena_calloc(arena, TEXT_MAX_BYTES + 1, 1), TEXT_MAX_BYTES + 1};
    text_ref ref;

    cr_expect_eq(text_writer_add(&writer, 1, huge, &ref), ERR_LIMIT);
    huge.len--;
    cr_expect_eq(text_writer_add(&writer, 1, huge, &ref), ERR_OK);
}

Test(storage_texts, a_full_arena_is_an_ordinary_outcome)
{
    struct arena *small = arena_new(1000);
    uint64_t seed = 1;
    struct str got;
    text_ref ref;

    cr_assert_eq(text_writer_add(&writer, 1, random_bytes(&seed, 2000), &ref), ERR_OK);
    cr_expect_eq(text_reader_get(&reader, &texts, ref, small, &got), ERR_LIMIT);
    arena_free(small);
}

Test(storage_texts, damage_is_noticed)
{
    uint64_t seed = 3;
    struct str text = random_object(&seed, arena), got;
    text_ref ref;
    int wrong = 0;

    cr_assert_eq(text_writer_add(&writer, 1, text, &ref), ERR_OK);
    for (uint32_t i = 0; i < text_entry_bytes(&texts, ref); i++) {
        uint8_t *byte = texts.segments[text_segment(ref)]->at + i;

        *byte ^= 0xff; /* Without a checksum the worst outcome is another text, never a crash. */
        wrong += text_reader_get(&reader, &texts, ref, arena, &got) != ERR_OK;
        *byte ^= 0xff;
    }
    cr_expect_gt(wrong, 5);
    assert_holds(ref, text);
    cr_expect_eq(text_reader_get(&reader, &texts, (text_ref)60000 << 22, arena, &got), ERR_CORRUPT);
}

Test(storage_texts, a_dictionary_makes_small_texts_smaller)
{
    enum { COUNT = 3000 };
    struct str samples[COUNT];
    text_ref refs[2][COUNT];
    uint64_t seed = 4;
    size_t used[2] = {0, 0};

    for (size_t i = 0; i < COUNT; i++) {
        samples[i] = random_object(&seed, arena);
    }
    for (int with = 0; with < 2; with++) {
        if (with) {
            cr_assert_not(texts_train(&texts, samples, 2), "two samples are too few");
            cr_assert(texts_train(&texts, samples, COUNT));
        }
        for (uint32_t i = 0; i < COUNT; i++) {
            cr_assert_eq(text_writer_add(&writer, i, samples[i], &refs[with][i]), ERR_OK);
            used[with] += text_entry_bytes(&texts, refs[with][i]);
        }
    }
    cr_expect_lt(used[1], used[0] / 2, "%zu and %zu bytes", used[0], used[1]);
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_holds(refs[0][i], samples[i]);
        assert_holds(refs[1][i], samples[i]);
    }
}

Test(storage_texts, a_rollback_takes_back_what_was_added)
{
    struct texts_mark mark;
    struct number_list retired;
    uint64_t seed = 5;
    text_ref kept, ref;
    struct str text = random_object(&seed, arena);
    size_t used;

    mark = texts_begin(&texts, &writer);
    cr_assert_eq(text_writer_add(&writer, 1, text, &kept), ERR_OK);
    texts_publish(&texts, &writer, &retired);
    used = texts_get_usage(&texts, &writer).used;
    mark = texts_begin(&texts, &writer);
    for (uint32_t i = 0; i < 20; i++) {
        cr_assert_eq(text_writer_add(&writer, i, random_bytes(&seed, 900000), &ref), ERR_OK);
    }
    texts_drop(&texts, kept);
    texts_rollback(&texts, &writer, mark);
    cr_expect_eq(texts_get_usage(&texts, &writer).used, used);
    cr_expect_eq(texts_get_usage(&texts, &writer).live, used);
    assert_holds(kept, text);
}

/* --- compaction, through an index --- */

static void put_all(struct index *index, struct str *objects, uint32_t from, uint32_t to)
{
    index_begin(index);
    for (uint32_t i = from; i < to; i++) {
        cr_assert_eq(put_text(index, i + 1, objects[i], arena), ERR_OK);
    }
    index_publish(index, (index_position){.serial = 1});
}

static unsigned compact(struct index *index)
{
    unsigned steps = 0;

    while (index_wants_compaction(index)) {
        struct index_memory before, after;

        index_memory(index, &before);
        index_begin(index);
        cr_assert_eq(index_compact_step(index), ERR_OK);
        index_rollback(index); /* An undone step changes nothing but may train. */
        index_memory(index, &after);
        cr_assert_eq(after.texts, before.texts);
        index_begin(index);
        cr_assert_eq(index_compact_step(index), ERR_OK);
        index_publish(index, (index_position){.serial = 1});
        cr_assert_lt(++steps, 100, "compaction comes to an end");
    }
    return steps;
}

static void assert_index_holds(struct index *index, const struct str *objects, uint32_t count)
{
    struct why why;

    cr_assert(index_check(index, &why), "%s", why.text);
    for (uint32_t i = 0; i < count; i++) {
        struct index_object got;

        cr_assert_eq(index_get(index, i + 1, arena, &got), ERR_OK);
        cr_assert(str_eq(got.text, objects[i]));
        cr_assert_eq(got.info.timestamp, 7);
    }
}

Test(storage_texts, a_source_fed_from_empty_gets_its_dictionary)
{
    enum { COUNT = 9000 };
    struct str *objects = arena_alloc(arena, COUNT * sizeof(*objects));
    struct index *index = index_new("TEST");
    struct index_memory before, after;
    uint64_t seed = 6;

    for (uint32_t i = 0; i < COUNT; i++) {
        objects[i] = random_object(&seed, arena);
    }
    put_all(index, objects, 0, 5000);
    cr_assert_not(index_wants_compaction(index));
    put_all(index, objects, 5000, COUNT);
    index_memory(index, &before);
    cr_assert_eq(before.dictionary, 0);
    cr_assert_gt(compact(index), 0);
    index_memory(index, &after);
    cr_assert_gt(after.dictionary, 0);
    put_all(index, objects, 0, 10); /* Closes the old open segment: it is compacted next. */
    compact(index);
    index_memory(index, &after);
    cr_assert_lt(after.texts, before.texts / 2, "%lu of %lu", after.texts, before.texts);
    assert_index_holds(index, objects, COUNT);
    index_free(index);
}

static struct str incompressible_object(uint32_t number, size_t size, uint64_t *seed)
{
    struct str head = arena_printf(arena, "mntner: M%u-MNT\nremarks: ", number);
    char *text = arena_alloc(arena, head.len + size);

    memcpy(text, head.at, head.len);
    for (size_t i = 0; i < size; i++) {
        text[head.len + i] = (char)('!' + draw(seed, 90));
    }
    return (struct str){text, head.len + size};
}

Test(storage_texts, segments_of_dead_texts_are_emptied)
{
    enum { COUNT = 300, SIZE = 60000 };
    struct str *objects = arena_alloc(arena, COUNT * sizeof(*objects));
    struct index *index = index_new("TEST");
    struct index_memory before, after;
    uint64_t seed = 7;

    for (int round = 0; round < 2; round++) {
        /* The second round replaces two of three. */
        for (uint32_t i = 0; i < COUNT; i++) {
            if (round == 0 || i % 3 > 0) {
                objects[i] = incompressible_object(i, SIZE, &seed);
                put_all(index, objects, i, i + 1);
            }
        }
    }
    index_memory(index, &before);
    cr_assert(index_wants_compaction(index));
    compact(index);
    index_memory(index, &after);
    cr_assert_lt(after.texts, before.texts * 3 / 4, "%lu of %lu", after.texts, before.texts);
    assert_index_holds(index, objects, COUNT);
    index_free(index);
}
