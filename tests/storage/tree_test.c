/*
 * The tree against a naive sorted array: random operations in batches that are published or rolled
 * back, bulk builds, skipping by minimum; and one writer beside readers that check every version
 * they pin. Seeds are printed on failure.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "objects.h"
#include "storage/bytes.h"
#include "storage/tree.h"

static const struct tree_shape shapes[] = {
    {20, 4,  0,  0,  true }, /* objects */
    {8,  8,  0,  0,  true }, /* keys */
    {12, 12, 4,  4,  false}, /* IPv4 ranges */
    {36, 36, 16, 16, false}, /* IPv6 ranges */
};
#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

/* --- the model: records in a sorted array --- */

struct model {
    const struct tree_shape *shape;
    uint8_t (*records)[TREE_RECORD_MAX];
    size_t count;
};

static size_t model_slot(const struct model *model, const uint8_t *key)
{
    size_t from = 0, to = model->count;

    while (from < to) {
        size_t middle = (from + to) / 2;

        if (memcmp(model->records[middle], key, model->shape->key_size) < 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

static bool model_has(const struct model *model, size_t slot, const uint8_t *key)
{
    return slot < model->count && memcmp(model->records[slot], key, model->shape->key_size) == 0;
}

static void model_put(struct model *model, const uint8_t *record)
{
    size_t slot = model_slot(model, record);

    if (!model_has(model, slot, record)) {
        memmove(model->records + slot + 1, model->records + slot,
                (model->count - slot) * TREE_RECORD_MAX);
        model->count++;
    }
    memcpy(model->records[slot], record, model->shape->record_size);
}

static bool model_remove(struct model *model, const uint8_t *key)
{
    size_t slot = model_slot(model, key);

    if (!model_has(model, slot, key)) {
        return false;
    }
    model->count--;
    memmove(model->records + slot, model->records + slot + 1,
            (model->count - slot) * TREE_RECORD_MAX);
    return true;
}

static void model_copy(struct model *to, const struct model *from)
{
    to->shape = from->shape;
    to->count = from->count;
    memcpy(to->records, from->records, from->count * TREE_RECORD_MAX);
}

/* Few distinct values per byte group, so that keys collide in their first bytes and repeat. */
static void draw_record(const struct tree_shape *shape, uint64_t *seed, uint32_t spread,
                        uint8_t *record)
{
    memset(record, 0, TREE_RECORD_MAX);
    for (unsigned at = 0; at < shape->record_size; at += 4) {
        store32(record + at, draw(seed, at == 0 ? spread : 7));
    }
    if (shape->key_size == 4) {
        store32(record, draw(seed, spread));
    }
}

static void assert_same(struct tree_view view, const struct model *model, uint64_t seed)
{
    struct tree_cursor cursor;
    const uint8_t *record = tree_seek(&cursor, view, NULL);
    uint64_t nodes = 0;
    const char *wrong = tree_check(view, &nodes);

    cr_assert_null(wrong, "seed %lu: %s", seed, wrong);
    cr_assert_eq(view.tree->count, model->count, "seed %lu", seed);
    for (size_t i = 0; i < model->count; i++, record = tree_next(&cursor)) {
        cr_assert_not_null(record, "seed %lu: ends at %zu of %zu", seed, i, model->count);
        cr_assert_eq(memcmp(record, model->records[i], view.shape->record_size), 0, "seed %lu",
                     seed);
    }
    cr_assert_null(record, "seed %lu: goes on", seed);
}

/* Searches in steps end where those at once do. */
static void assert_steps(struct tree_view view, const uint8_t *key, const uint8_t *found,
                         const uint8_t *sought)
{
    struct tree_descent descent;
    struct tree_cursor cursor;
    const uint8_t *record;

    tree_find_begin(&descent, view, key);
    while (!tree_find_step(&descent, view, key, &record)) {
    }
    cr_assert_eq(record, found);
    tree_seek_begin(&cursor, view, key);
    while (!tree_seek_step(&cursor, key, &record)) {
    }
    cr_assert_eq(record, sought);
}

static void assert_searches(struct tree_view view, const struct model *model, uint64_t seed)
{
    for (int i = 0; i < 200; i++) {
        uint8_t key[TREE_RECORD_MAX];
        struct tree_cursor cursor;
        const uint8_t *record, *found;
        size_t slot;

        draw_record(view.shape, &seed, 500, key);
        slot = model_slot(model, key);
        found = tree_find(view, key);
        cr_assert_eq(found != NULL, model_has(model, slot, key), "seed %lu", seed);
        record = tree_seek(&cursor, view, key);
        assert_steps(view, key, found, record);
        cr_assert_eq(record != NULL, slot < model->count, "seed %lu", seed);
        if (record != NULL) {
            cr_assert_eq(memcmp(record, model->records[slot], view.shape->record_size), 0);
        }
        if (view.shape->low_size > 0 && record != NULL) {
            uint8_t bound[16];
            unsigned at = view.shape->low_at;

            memcpy(bound, key + at, view.shape->low_size);
            record = tree_next_low(&cursor, bound);
            while (slot < model->count &&
                   memcmp(model->records[slot] + at, bound, view.shape->low_size) > 0) {
                slot++;
            }
            cr_assert_eq(record != NULL, slot < model->count, "seed %lu", seed);
            if (record != NULL) {
                cr_assert_eq(memcmp(record, model->records[slot], view.shape->record_size), 0);
            }
        }
    }
}

static void run_model(const struct tree_shape *shape, uint64_t first_seed)
{
    struct model model = {.shape = shape, .records = malloc(20000 * TREE_RECORD_MAX)};
    struct model before = {.shape = shape, .records = malloc(20000 * TREE_RECORD_MAX)};
    struct tree tree = {0};
    uint64_t seed = first_seed;
    struct nodes nodes;

    nodes_init(&nodes);
    for (uint32_t version = 1; version < 120; version++) {
        struct tree old = tree;
        struct tree_view view = {&nodes, shape, &tree};
        bool growing = (version / 30) % 2 == 0;
        uint64_t seen = 0;

        model_copy(&before, &model);
        nodes_begin(&nodes, version);
        for (int i = 0; i < 300; i++) {
            uint8_t record[TREE_RECORD_MAX];

            draw_record(shape, &seed, version % 3 == 0 ? 20 : 5000, record);
            if (draw(&seed, 10) < (growing ? 8u : 2u)) {
                model_put(&model, record);
                tree_put(&nodes, shape, &tree, record);
            } else if (model.count > 0) {
                if (draw(&seed, 4) > 0) {
                    memcpy(record, model.records[draw(&seed, (uint32_t)model.count)],
                           shape->key_size);
                }
                cr_assert_eq(tree_remove(&nodes, shape, &tree, record),
                             model_remove(&model, record), "seed %lu", first_seed);
            }
        }
        assert_same(view, &model, first_seed);
        assert_searches(view, &model, seed);
        /* The version before is untouched whatever this batch did. */
        view.tree = &old;
        assert_same(view, &before, first_seed);
        if (draw(&seed, 4) == 0) {
            nodes_rollback(&nodes);
            tree = old;
            model_copy(&model, &before);
        } else {
            struct number_list retired;

            nodes_publish(&nodes, &retired);
            nodes_release(&nodes, &retired);
        }
        view.tree = &tree;
        cr_assert_null(tree_check(view, &seen));
        cr_assert_eq(nodes_used(&nodes), seen, "seed %lu: %zu nodes, %lu in the tree", first_seed,
                     nodes_used(&nodes), seen);
    }
    nodes_fini(&nodes);
    free(model.records);
    free(before.records);
}

Test(storage_tree, agrees_with_a_sorted_array)
{
    for (unsigned i = 0; i < SHAPES * 3; i++) {
        run_model(&shapes[i % SHAPES], 1000 + i);
    }
}

Test(storage_tree, gives_back_every_node_when_emptied)
{
    const struct tree_shape *shape = &shapes[2];
    struct number_list retired;
    struct tree tree = {0};
    struct nodes nodes;

    nodes_init(&nodes);
    for (uint32_t version = 1; version <= 2; version++) {
        nodes_begin(&nodes, version);
        for (uint32_t i = 0; i < 50000; i++) {
            uint8_t record[12] = {0};

            store32(record, i * 2654435761u);
            if (version == 1) {
                cr_assert(tree_put(&nodes, shape, &tree, record));
            } else {
                cr_assert(tree_remove(&nodes, shape, &tree, record));
            }
        }
        nodes_publish(&nodes, &retired);
        nodes_release(&nodes, &retired);
    }
    cr_assert_eq(tree.root, 0);
    cr_assert_eq(tree.count, 0);
    cr_assert_eq(nodes_used(&nodes), 0);
    nodes_fini(&nodes);
}

Test(storage_tree, is_built_from_sorted_records)
{
    static const uint64_t sizes[] = {0, 1, 50, 84, 85, 5000, 300000};

    for (unsigned s = 0; s < SHAPES; s++) {
        for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            struct tree_builder builder;
            struct number_list retired;
            struct tree_view view;
            struct nodes nodes;
            struct tree tree;
            uint64_t seen = 0;

            nodes_init(&nodes);
            nodes_begin(&nodes, 1);
            tree_builder_init(&builder, &nodes, &shapes[s]);
            for (uint32_t n = 0; n < sizes[i]; n++) {
                uint8_t record[TREE_RECORD_MAX] = {0};

                store32(record, n);
                if (shapes[s].low_size > 0) {
                    store32(record + shapes[s].low_at, n * 2654435761u);
                }
                tree_builder_add(&builder, record);
            }
            tree = tree_builder_finish(&builder);
            view = (struct tree_view){&nodes, &shapes[s], &tree};
            cr_assert_null(tree_check(view, &seen), "shape %u size %lu", s, sizes[i]);
            cr_assert_eq(tree.count, sizes[i]);
            cr_assert_eq(seen, nodes_used(&nodes));
            tree_drop(&nodes, &tree, &shapes[s]);
            nodes_publish(&nodes, &retired);
            nodes_release(&nodes, &retired);
            cr_assert_eq(nodes_used(&nodes), 0);
            nodes_fini(&nodes);
        }
    }
}
