/*
 * Bulk building: an index from scratch.
 *
 * Lanes compress the texts into segments of their own and collect the records of each tree in plain
 * arrays. The end joins the arrays of the lanes, sorts them, and builds the trees bottom-up, one
 * tree after the other, so that little is in memory twice. The whole build is one batch: a rollback
 * leaves nothing of it.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "storage/bytes.h"
#include "storage/sort.h"
#include "storage/version.h"

#define LANES_MAX 16

/** Records of one tree, unsorted. */
struct records {
    uint8_t *at;
    size_t count, cap;
};

struct index_lane {
    struct index_bulk *bulk;
    struct text_writer writer;
    struct arena *scratch;
    struct entry_list entries;
    struct records trees[TREE_COUNT];
    uint64_t class_count[CLASS_COUNT];
    uint32_t top_id;
};

/** Where an object with a key hash is among the object records; row counts from 1. */
struct key_slot {
    uint32_t hash, row;
};

struct index_bulk {
    struct index *index;
    bool owns_batch;
    struct index_lane *lanes[LANES_MAX];
    size_t lane_count;
    struct records dropped[TREE_COUNT]; /**< Records of objects that were dropped again. */
    struct key_slot
        *keys; /**< Open addressing, at most half full; NULL before the first index_bulk_find(). */
    size_t key_cap, key_count;
};

/* --- records --- */

static void add_record(struct records *records, const uint8_t *record, unsigned size)
{
    if (records->count == records->cap) {
        /* Large blocks move by mremap(), and only touched pages count: doubling is cheap. */
        records->cap = records->cap == 0 ? 256 : records->cap * 2;
        records->at = realloc(records->at, records->cap * size);
        if (records->at == NULL) {
            abort();
        }
    }
    memcpy(records->at + records->count * size, record, size);
    records->count++;
}

static void join_records(struct records *to, struct records *more, unsigned size)
{
    if (to->count == 0) {
        free(to->at);
        *to = *more;
    } else if (more->count > 0) {
        to->at = realloc(to->at, (to->count + more->count) * size);
        if (to->at == NULL) {
            abort();
        }
        memcpy(to->at + to->count * size, more->at, more->count * size);
        to->count += more->count;
        to->cap = to->count;
        free(more->at);
    }
    *more = (struct records){0};
}

/* --- life --- */

struct index_bulk *index_bulk_new(struct index *index, const struct str *sample,
                                  size_t sample_count)
{
    struct index_bulk *bulk = calloc(1, sizeof(*bulk));

    if (bulk == NULL) {
        abort();
    }
    bulk->index = index;
    bulk->owns_batch = index->next == NULL;
    if (bulk->owns_batch) {
        index_begin(index);
    }
    if (sample_count > 0 && !texts_train(&index->texts, sample, sample_count)) {
        log_debug(LOG_STORAGE, "%s: too few texts for a dictionary", index->name);
    }
    return bulk;
}

static void free_parts(struct index_bulk *bulk)
{
    for (size_t i = 0; i < bulk->lane_count; i++) {
        struct index_lane *lane = bulk->lanes[i];

        for (unsigned tree = 0; tree < TREE_COUNT; tree++) {
            free(lane->trees[tree].at);
        }
        text_writer_fini(&lane->writer);
        arena_free(lane->scratch);
        free(lane->entries.at);
        free(lane);
    }
    for (unsigned tree = 0; tree < TREE_COUNT; tree++) {
        free(bulk->dropped[tree].at);
    }
    free(bulk->keys);
    free(bulk);
}

void index_bulk_free(struct index_bulk *bulk)
{
    if (bulk == NULL) {
        return;
    }
    if (bulk->owns_batch) {
        index_rollback(bulk->index);
    }
    free_parts(bulk);
}

struct index_lane *index_bulk_lane(struct index_bulk *bulk)
{
    struct index_lane *lane = calloc(1, sizeof(*lane));

    if (lane == NULL) {
        abort();
    }
    assert(bulk->lane_count < LANES_MAX);
    lane->bulk = bulk;
    text_writer_init(&lane->writer, &bulk->index->texts);
    lane->scratch = arena_new(SCRATCH_MAX_BYTES);
    bulk->lanes[bulk->lane_count++] = lane;
    return lane;
}

/* --- finding doubles --- */

static uint8_t *object_row(const struct index_bulk *bulk, uint32_t row)
{
    return bulk->lanes[0]->trees[TREE_OBJECTS].at + (size_t)(row - 1) * OBJECT_RECORD_BYTES;
}

static uint32_t key_hash(enum rpsl_class class, struct str canonical)
{
    uint8_t record[RECORD_BYTES_MAX];

    key_record_start(record, class, canonical);
    return load32(record);
}

static void add_key(struct index_bulk *bulk, uint32_t hash, uint32_t row)
{
    size_t at = hash & (bulk->key_cap - 1);

    while (bulk->keys[at].row != 0) {
        at = (at + 1) & (bulk->key_cap - 1);
    }
    bulk->keys[at] = (struct key_slot){hash, row};
    bulk->key_count++;
}

/** Make room for one more key, filling a new table from the key records. */
static void grow_keys(struct index_bulk *bulk)
{
    const struct records *keys = &bulk->lanes[0]->trees[TREE_KEYS];

    if (bulk->keys != NULL && 2 * bulk->key_count < bulk->key_cap) {
        return;
    }
    if (bulk->key_cap == 0) {
        bulk->key_cap = 1024;
    }
    while (bulk->key_cap <= 2 * keys->count) {
        bulk->key_cap *= 2;
    }
    free(bulk->keys);
    bulk->keys = calloc(bulk->key_cap, sizeof(bulk->keys[0]));
    if (bulk->keys == NULL) {
        abort();
    }
    bulk->key_count = 0;
    for (size_t i = 0; i < keys->count; i++) {
        /* The lane adds one key record and one object record for each object: rows agree. */
        add_key(bulk, load32(keys->at + i * 8), (uint32_t)i + 1);
    }
}

/** Fetch and parse the text of a row. */
static enum err load_row(struct index_bulk *bulk, uint32_t row, struct arena *arena,
                         struct object_info *info, text_ref *ref, struct rpsl_object *object,
                         struct rpsl_key *key)
{
    struct index *index = bulk->index;
    struct str text;
    enum err rc;

    object_record_get(object_row(bulk, row), info, ref);
    rc = text_reader_get(&index->reader, &index->texts, *ref, arena, &text);
    return rc == ERR_OK ? object_parse(text, arena, object, key) : rc;
}

uint32_t index_bulk_find(struct index_bulk *bulk, enum rpsl_class class, struct str canonical,
                         struct arena *arena)
{
    uint32_t hash = key_hash(class, canonical);

    assert(bulk->lane_count == 1);
    if (bulk->keys == NULL) {
        grow_keys(bulk);
    }
    for (size_t at = hash & (bulk->key_cap - 1); bulk->keys[at].row != 0;
         at = (at + 1) & (bulk->key_cap - 1)) {
        struct arena_mark mark = arena_mark(arena);
        struct object_info info;
        struct rpsl_object object;
        struct rpsl_key key;
        text_ref ref;
        bool same;

        if (bulk->keys[at].hash != hash || load32(object_row(bulk, bulk->keys[at].row)) == 0) {
            continue;
        }
        same = load_row(bulk, bulk->keys[at].row, arena, &info, &ref, &object, &key) == ERR_OK &&
               key.class == class && str_eq(key.canonical, canonical);
        arena_rewind(arena, mark);
        if (same) {
            return info.id;
        }
    }
    return 0;
}

enum err index_bulk_drop(struct index_bulk *bulk, uint32_t id)
{
    struct index_lane *lane = bulk->lanes[0];
    uint32_t row = (uint32_t)lane->trees[TREE_OBJECTS].count;
    struct object_info info;
    struct rpsl_object object;
    struct rpsl_key key;
    text_ref ref;
    enum err rc;

    assert(bulk->lane_count == 1);
    while (row > 0 && load32(object_row(bulk, row)) != id) {
        row--; /* Linear, but doubles in a dump are rare. */
    }
    if (row == 0) {
        return ERR_NOT_FOUND;
    }
    rc = load_row(bulk, row, lane->scratch, &info, &ref, &object, &key);
    if (rc == ERR_OK) {
        rc = entries_derive(id, &object, &key, lane->scratch, &lane->entries);
    }
    arena_reset(lane->scratch);
    if (rc != ERR_OK) {
        return rc;
    }
    for (size_t i = 0; i < lane->entries.count; i++) {
        const struct entry *entry = &lane->entries.at[i];

        add_record(&bulk->dropped[entry->tree], entry->record,
                   tree_shapes[entry->tree].record_size);
    }
    lane->class_count[info.class]--;
    texts_drop(&bulk->index->texts, ref);
    store32(object_row(bulk, row), 0); /* No object has id 0: left out at the end. */
    return ERR_OK;
}

/* --- adding --- */

enum err index_lane_add(struct index_lane *lane, uint32_t id, uint32_t sequence, uint32_t timestamp,
                        const struct rpsl_object *object, const struct rpsl_key *key)
{
    struct object_info info = {.id = id,
                               .sequence = sequence,
                               .timestamp = timestamp,
                               .class = key->class,
                               .flags = entries_object_flags(object)};
    struct index_bulk *bulk = lane->bulk;
    uint8_t record[OBJECT_RECORD_BYTES];
    text_ref text;
    enum err rc = entries_derive(id, object, key, lane->scratch, &lane->entries);

    assert(id != 0);
    if (rc == ERR_OK) {
        rc = text_writer_add(&lane->writer, id, object->text, &text);
    }
    arena_reset(lane->scratch);
    if (rc != ERR_OK) {
        return rc;
    }
    object_record_put(record, &info, text);
    add_record(&lane->trees[TREE_OBJECTS], record, OBJECT_RECORD_BYTES);
    for (size_t i = 0; i < lane->entries.count; i++) {
        const struct entry *entry = &lane->entries.at[i];

        add_record(&lane->trees[entry->tree], entry->record, tree_shapes[entry->tree].record_size);
    }
    lane->class_count[info.class]++;
    lane->top_id = id > lane->top_id ? id : lane->top_id;
    if (bulk->keys != NULL) {
        grow_keys(bulk);
        add_key(bulk, key_hash(key->class, key->canonical),
                (uint32_t)lane->trees[TREE_OBJECTS].count);
    }
    return ERR_OK;
}

/* --- the end --- */

/**
 * Sort one tree's records and build it, leaving out one record for each equal one in `dropped`.
 * @return ERR_CORRUPT when a key comes twice.
 */
static enum err build_tree(struct index *index, enum tree_id tree, struct records *records,
                           struct records *dropped)
{
    const struct tree_shape *shape = &tree_shapes[tree];
    unsigned size = shape->record_size;
    struct tree_builder builder;
    const uint8_t *last = NULL;
    size_t gone = 0;

    sort_records(records->at, records->count, size);
    sort_records(dropped->at, dropped->count, size);
    tree_builder_init(&builder, &index->nodes, shape);
    for (size_t i = 0; i < records->count; i++) {
        const uint8_t *record = records->at + i * size;

        if (gone < dropped->count && memcmp(record, dropped->at + gone * size, size) == 0) {
            gone++;
            continue;
        }
        if (tree == TREE_OBJECTS && load32(record) == 0) {
            continue;
        }
        if (last != NULL && key_compare(last, record, shape->key_size) == 0) {
            return ERR_CORRUPT;
        }
        tree_builder_add(&builder, record);
        last = record;
    }
    index->next->trees[tree] = tree_builder_finish(&builder);
    return ERR_OK;
}

enum err index_bulk_finish(struct index_bulk *bulk)
{
    struct index *index = bulk->index;
    struct snapshot *next = index->next;
    struct records none = {0};
    enum err rc = ERR_OK;

    texts_drop_all(&index->texts);
    index->writer.open = bulk->lane_count > 0 ? bulk->lanes[0]->writer.open : 0;
    memset(next->class_count, 0, sizeof(next->class_count));
    for (size_t i = 0; i < bulk->lane_count; i++) {
        for (unsigned class = 0; class < CLASS_COUNT; class ++) {
            next->class_count[class] += bulk->lanes[i]->class_count[class];
        }
        if (bulk->lanes[i]->top_id > 0) {
            index_reserve_id(index, bulk->lanes[i]->top_id);
        }
    }
    free(bulk->keys);
    bulk->keys = NULL;
    for (unsigned tree = 0; tree < TREE_COUNT && rc == ERR_OK; tree++) {
        struct records *all = bulk->lane_count > 0 ? &bulk->lanes[0]->trees[tree] : &none;

        for (size_t i = 1; i < bulk->lane_count; i++) {
            join_records(all, &bulk->lanes[i]->trees[tree], tree_shapes[tree].record_size);
        }
        tree_drop(&index->nodes, &next->trees[tree], &tree_shapes[tree]);
        rc = build_tree(index, tree, all, &bulk->dropped[tree]);
        free(all->at);
        *all = none;
    }
    if (rc != ERR_OK) {
        index_rollback(index);
    }
    free_parts(bulk);
    return rc;
}
