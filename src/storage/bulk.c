/*
 * Bulk building: an index from scratch.
 *
 * Lanes compress the texts into segments of their own and collect the records of each tree in plain
 * arrays. At the end a second thread joins the arrays of the lanes and sorts them, tree after tree,
 * while this one builds the trees bottom-up and frees each array, so that little is in memory
 * twice. The whole build is one batch: a rollback leaves nothing of it.
 */
#include <assert.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"
#include "storage/bytes.h"
#include "storage/checksum.h"
#include "storage/sort.h"
#include "storage/version.h"

#define LANES_MAX 16

/** Records of one tree, unsorted. */
struct records {
    uint8_t *at;
    size_t count;
    size_t bytes; /**< Of the mapping. */
};

struct index_lane {
    struct index_bulk *bulk;
    struct text_writer writer;
    struct arena *scratch;
    struct entry_list entries;
    struct records trees[TREE_COUNT];
    uint64_t class_count[CLASS_COUNT];
    uint64_t checksum;
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
    struct key_slot *keys; /**< Open addressing, half full at most; made by index_bulk_find(). */
    size_t key_cap, key_count;
    sem_t sorted; /**< Trees whose records are joined and sorted. */
};

/* --- records --- */

/*
 * Mapped by ourselves: a larger mapping moves without copying, only touched pages count, and all of
 * it is given back, while the heaps of threads that are gone keep what was freed.
 */
#define RECORDS_FIRST_BYTES ((size_t)1 << 16)

/* The thread sanitizer does not know mremap(): to it, what moved away is still the mover's, and
 * whoever gets that place next races with it. */
static void *move_records(void *at, size_t bytes, size_t grown)
{
#ifdef __SANITIZE_THREAD__
    void *moved = mmap(NULL, grown, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (moved != MAP_FAILED) {
        memcpy(moved, at, bytes);
        munmap(at, bytes);
    }
    return moved;
#else
    return mremap(at, bytes, grown, MREMAP_MAYMOVE);
#endif
}

static void grow_records(struct records *records, size_t bytes)
{
    size_t grown = records->bytes > 0 ? records->bytes : RECORDS_FIRST_BYTES;
    void *at;

    while (grown < bytes) {
        grown *= 2;
    }
    if (records->at == NULL) {
        at = mmap(NULL, grown, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    } else {
        at = move_records(records->at, records->bytes, grown);
    }
    if (at == MAP_FAILED) {
        log_error(LOG_STORAGE, "no memory to build an index: %zu bytes", grown);
        abort();
    }
    records->at = at;
    records->bytes = grown;
}

static void free_records(struct records *records)
{
    if (records->at != NULL) {
        munmap(records->at, records->bytes);
    }
    *records = (struct records){0};
}

static void add_record(struct records *records, const uint8_t *record, unsigned size)
{
    if ((records->count + 1) * size > records->bytes) {
        grow_records(records, (records->count + 1) * size);
    }
    memcpy(records->at + records->count * size, record, size);
    records->count++;
}

/** Append the records of another array and free it. */
static void join_records(struct records *to, struct records *more, unsigned size)
{
    if (to->count == 0) {
        free_records(to);
        *to = *more;
        *more = (struct records){0};
        return;
    }
    if (more->count > 0) {
        if ((to->count + more->count) * size > to->bytes) {
            grow_records(to, (to->count + more->count) * size);
        }
        memcpy(to->at + to->count * size, more->at, more->count * size);
        to->count += more->count;
    }
    free_records(more);
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
            free_records(&lane->trees[tree]);
        }
        text_writer_fini(&lane->writer);
        arena_free(lane->scratch);
        free(lane->entries.at);
        free(lane);
    }
    for (unsigned tree = 0; tree < TREE_COUNT; tree++) {
        free_records(&bulk->dropped[tree]);
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
    uint64_t checksum = 0;
    text_ref ref;
    enum err rc;

    assert(bulk->lane_count == 1);
    if (id < row && load32(object_row(bulk, id)) == id) {
        row = id; /* A dump's ids count its rows. */
    }
    while (row > 0 && load32(object_row(bulk, row)) != id) {
        row--;
    }
    if (row == 0) {
        return ERR_NOT_FOUND;
    }
    rc = load_row(bulk, row, lane->scratch, &info, &ref, &object, &key);
    if (rc == ERR_OK) {
        checksum = text_checksum(object.text);
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
    lane->checksum -= checksum;
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
    lane->checksum += text_checksum(object->text);
    lane->top_id = id > lane->top_id ? id : lane->top_id;
    if (bulk->keys != NULL) {
        grow_keys(bulk);
        add_key(bulk, key_hash(key->class, key->canonical),
                (uint32_t)lane->trees[TREE_OBJECTS].count);
    }
    return ERR_OK;
}

/* --- the end --- */

/** Join and sort the records of all trees; posts once for each. A thread of its own. */
static void *sort_all(void *context)
{
    struct index_bulk *bulk = context;

    for (unsigned tree = 0; tree < TREE_COUNT; tree++) {
        struct records *all = &bulk->lanes[0]->trees[tree];
        struct records *dropped = &bulk->dropped[tree];
        unsigned size = tree_shapes[tree].record_size;

        for (size_t lane = 1; lane < bulk->lane_count; lane++) {
            join_records(all, &bulk->lanes[lane]->trees[tree], size);
        }
        sort_records(all->at, all->count, size);
        sort_records(dropped->at, dropped->count, size);
        sem_post(&bulk->sorted);
    }
    return NULL;
}

/**
 * Build one tree from its sorted records, leaving out one for each equal one in `dropped`.
 * @return ERR_CORRUPT when a key comes twice.
 */
static enum err build_tree(struct index *index, enum tree_id tree, const struct records *records,
                           const struct records *dropped)
{
    const struct tree_shape *shape = &tree_shapes[tree];
    unsigned size = shape->record_size;
    struct tree_builder builder;
    const uint8_t *last = NULL;
    size_t gone = 0;

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

/** Build all trees, each as soon as it is sorted. */
static enum err build_all(struct index_bulk *bulk)
{
    struct index *index = bulk->index;
    enum err rc = ERR_OK;
    pthread_t sorter;
    bool threaded;

    sem_init(&bulk->sorted, 0, 0);
    threaded = pthread_create(&sorter, NULL, sort_all, bulk) == 0;
    if (!threaded) {
        sort_all(bulk);
    }
    for (unsigned tree = 0; tree < TREE_COUNT; tree++) {
        struct records *records = &bulk->lanes[0]->trees[tree];

        while (sem_wait(&bulk->sorted) != 0) { /* Interrupted by a signal. */
        }
        tree_drop(&index->nodes, &index->next->trees[tree], &tree_shapes[tree]);
        if (rc == ERR_OK) {
            rc = build_tree(index, tree, records, &bulk->dropped[tree]);
        }
        free_records(records);
    }
    if (threaded) {
        pthread_join(sorter, NULL);
    }
    sem_destroy(&bulk->sorted);
    return rc;
}

enum err index_bulk_finish(struct index_bulk *bulk)
{
    struct index *index = bulk->index;
    struct snapshot *next = index->next;
    enum err rc;

    if (bulk->lane_count == 0) {
        index_bulk_lane(bulk);
    }
    texts_drop_all(&index->texts);
    index->writer.open = bulk->lanes[0]->writer.open;
    memset(next->class_count, 0, sizeof(next->class_count));
    next->checksum = 0;
    for (size_t i = 0; i < bulk->lane_count; i++) {
        for (unsigned class = 0; class < CLASS_COUNT; class ++) {
            next->class_count[class] += bulk->lanes[i]->class_count[class];
        }
        next->checksum += bulk->lanes[i]->checksum;
        index_reserve_id(index, bulk->lanes[i]->top_id);
    }
    free(bulk->keys);
    bulk->keys = NULL;
    rc = build_all(bulk);
    if (rc != ERR_OK) {
        index_rollback(index);
    }
    free_parts(bulk);
    return rc;
}
