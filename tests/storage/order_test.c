/*
 * The order of answers: packed key texts never contradict the texts, and both ways of sorting agree
 * with the definition.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "objects.h"
#include "storage/order.h"

static int sign(int value)
{
    return (value > 0) - (value < 0);
}

static int compare_codes(enum rpsl_class class, struct str a, struct str b)
{
    uint8_t record_a[ORDER_BYTES], record_b[ORDER_BYTES];

    order_record_start(record_a, class, a);
    order_record_start(record_b, class, b);
    return sign(memcmp(record_a, record_b, sizeof(record_a)));
}

Test(storage_order, codes_never_contradict_the_texts)
{
    static const enum rpsl_class classes[] = {CLASS_INETNUM, CLASS_INET6NUM, CLASS_ROUTE,
                                              CLASS_DOMAIN,  CLASS_MNTNER,   CLASS_UNKNOWN};
    /* Few characters, in and outside the alphabets, so that texts share their starts. */
    static const char characters[] = "0019./:aAfgz -~\x01\xc3";
    uint64_t seed = 11;

    for (int i = 0; i < 300000; i++) {
        enum rpsl_class class = classes[draw(&seed, 6)];
        char a[24], b[24];
        struct str x = {a, draw(&seed, 24)}, y = {b, draw(&seed, 24)};
        int code, text;

        for (size_t at = 0; at < 24; at++) {
            a[at] = characters[draw(&seed, sizeof(characters) - 1)];
            b[at] = draw(&seed, 5) ? a[at] : characters[draw(&seed, sizeof(characters) - 1)];
        }
        code = compare_codes(class, x, y);
        text = sign(str_cmp(x, y));
        cr_assert(code == 0 || code == text, "class %d: \"%.*s\" and \"%.*s\": %d, not %d", class,
                  STR_ARG(x), STR_ARG(y), code, text);
    }
}

Test(storage_order, codes_tell_address_keys_apart)
{
    cr_expect_eq(compare_codes(CLASS_INETNUM, STR("193.100.100.0 - 193.100.100.255"),
                               STR("193.100.101.0 - 193.100.101.255")),
                 -1);
    cr_expect_eq(
        compare_codes(CLASS_INETNUM, STR("109.0.0.0 - 109.0.0.1"), STR("62.92.0.0 - 62.92.0.1")),
        -1);
    cr_expect_eq(compare_codes(CLASS_ROUTE, STR("10.1.0.0/16AS9"), STR("9.0.0.0/8AS1")), -1);
    cr_expect_eq(compare_codes(CLASS_INET6NUM, STR("2001:db8::/32"), STR("2a00::/12")), -1);
    cr_expect_eq(compare_codes(CLASS_AUT_NUM, STR("AS12"), STR("AS9")), -1);
    cr_expect_eq(compare_codes(CLASS_MNTNER, STR("KESLAGEN-MNT"), STR("kalnera-mnt")), -1);
}

struct sortable {
    uint8_t position;
    struct str text;
    uint32_t id;
};

static int compare_sortable(const void *a, const void *b)
{
    const struct sortable *x = a, *y = b;
    int order;

    if (x->position != y->position) {
        return x->position < y->position ? -1 : 1;
    }
    order = str_cmp(x->text, y->text);
    return order != 0 ? order : (x->id > y->id) - (x->id < y->id);
}

Test(storage_order, both_ways_of_sorting_are_the_definition, .timeout = 60)
{
    enum { COUNT = 20000 };
    static const uint32_t sizes[] = {0, 1, 2, 200, 300, 3000, 20000, 40000};
    struct arena *arena = arena_new(1 << 28), *keep = arena_new(1 << 28);
    struct sortable *all = arena_calloc(keep, COUNT + 1, sizeof(*all));
    struct index *index = index_new("TEST");
    struct reader *reader = reader_new();
    const struct snapshot *snap;
    uint64_t seed = 12;

    reader_attach(reader, index);
    index_begin(index);
    for (uint32_t id = 1; id <= COUNT; id++) {
        struct str text = random_object(&seed, keep);
        struct rpsl_object object;
        struct rpsl_key key;

        parse_good(text, keep, &object, &key);
        all[id] = (struct sortable){rpsl_class_info(key.class)->position, key.text, id};
        cr_assert_eq(index_put(index, id, 1, 1, &object, &key), ERR_OK);
    }
    index_publish(index, (index_position){.serial = 1});
    reader_refresh(reader);
    snap = reader_snapshot(reader, index);
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        struct sortable *expected = arena_calloc(arena, COUNT + 1, sizeof(*expected));
        bool *seen = arena_calloc(arena, COUNT + 1, sizeof(*seen));
        struct id_list list = {0};
        size_t count = 0;

        for (uint32_t i = 0; i < sizes[s]; i++) {
            uint32_t id = draw(&seed, COUNT) + 1; /* With doubles. */

            cr_assert_eq(id_list_add(&list, arena, id), ERR_OK);
            if (!seen[id]) {
                seen[id] = true;
                expected[count++] = all[id];
            }
        }
        qsort(expected, count, sizeof(*expected), compare_sortable);
        cr_assert_eq(snapshot_sort(reader, snap, &list, arena), ERR_OK);
        cr_assert_eq(list.count, count);
        for (size_t i = 0; i < count; i++) {
            cr_assert_eq(list.ids[i], expected[i].id, "size %u, place %zu", sizes[s], i);
        }
        arena_reset(arena);
    }
    reader_free(reader);
    index_free(index);
    arena_free(arena);
    arena_free(keep);
}
