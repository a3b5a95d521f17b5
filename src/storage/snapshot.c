/*
 * Look-ups in one version. Hashes find candidates; what must be certain is verified against the
 * text.
 */
#include "storage/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "storage/bytes.h"
#include "storage/version.h"

struct snapshot_position snapshot_position(const struct snapshot *snap)
{
    return snap->position;
}

uint64_t snapshot_class_count(const struct snapshot *snap, enum rpsl_class class)
{
    return snap->class_count[class];
}

bool snapshot_is_unwanted(const struct snapshot *snap)
{
    return snap->version < atomic_load_explicit(&snap->index->unwanted, memory_order_relaxed);
}

uint64_t snapshot_checksum(const struct snapshot *snap)
{
    return snap->checksum;
}

const uint8_t *snapshot_object_record(const struct snapshot *snap, uint32_t id)
{
    uint8_t key[4];

    store32(key, id);
    return tree_find(snapshot_tree(snap, TREE_OBJECTS), key);
}

bool snapshot_object(const struct snapshot *snap, uint32_t id, struct object_info *out)
{
    const uint8_t *record = snapshot_object_record(snap, id);
    text_ref text;

    if (record == NULL) {
        return false;
    }
    object_record_get(record, out, &text);
    return true;
}

/** @return false when there is no record: the object is not alive. */
static bool place_from(const uint8_t *record, struct object_place *out)
{
    if (record == NULL) {
        return false;
    }
    object_record_get(record, &out->info, &out->text);
    return true;
}

static enum err read_text(struct text_reader *reader, const struct snapshot *snap, uint32_t id,
                          struct arena *arena, struct object_place *place, struct str *out)
{
    if (!place_from(snapshot_object_record(snap, id), place)) {
        return ERR_NOT_FOUND;
    }
    return text_reader_get(reader, &snap->index->texts, place->text, arena, out);
}

enum err snapshot_read_object(struct text_reader *reader, const struct snapshot *snap, uint32_t id,
                              struct arena *arena, struct index_object *out)
{
    struct object_place place;
    enum err rc = read_text(reader, snap, id, arena, &place, &out->text);

    if (rc != ERR_OK) {
        return rc;
    }
    out->info = place.info;
    out->ref = place.text;
    rc = object_parse(out->text, arena, &out->parsed, &out->key);
    return rc == ERR_OK || rc == ERR_LIMIT ? rc : ERR_CORRUPT;
}

enum err snapshot_load(struct reader *reader, const struct snapshot *snap, uint32_t id,
                       struct arena *arena, struct object_info *info, struct str *out)
{
    struct object_place place;
    enum err rc = read_text(reader_texts(reader), snap, id, arena, &place, out);

    if (rc == ERR_OK) {
        *info = place.info;
    }
    return rc;
}

void snapshot_place_begin(const struct snapshot *snap, uint32_t id, struct object_place *place)
{
    uint8_t key[4];

    store32(key, id);
    place->info.id = 0;
    tree_find_begin(&place->descent, snapshot_tree(snap, TREE_OBJECTS), key);
}

bool snapshot_place_step(const struct snapshot *snap, uint32_t id, struct object_place *place)
{
    const uint8_t *record;
    uint8_t key[4];

    store32(key, id);
    if (!tree_find_step(&place->descent, snapshot_tree(snap, TREE_OBJECTS), key, &record)) {
        return false;
    }
    if (place_from(record, place)) {
        text_ahead(&snap->index->texts, place->text);
    }
    return true;
}

enum err snapshot_load_at(struct reader *reader, const struct snapshot *snap,
                          const struct object_place *place, struct arena *arena, struct str *out)
{
    return text_reader_get(reader_texts(reader), &snap->index->texts, place->text, arena, out);
}

enum err snapshot_text(struct reader *reader, const struct snapshot *snap, uint32_t id,
                       struct arena *arena, struct str *out)
{
    struct object_info info;

    return snapshot_load(reader, snap, id, arena, &info, out);
}

enum err id_list_add(struct id_list *list, struct arena *arena, uint32_t id)
{
    if (list->count == list->cap) {
        size_t cap = list->cap == 0 ? 64 : list->cap * 2;
        uint32_t *grown = arena_grow(arena, list->ids, list->cap * sizeof(list->ids[0]),
                                     cap * sizeof(list->ids[0]));

        if (grown == NULL) {
            return ERR_LIMIT;
        }
        list->ids = grown;
        list->cap = cap;
    }
    list->ids[list->count++] = id;
    return ERR_OK;
}

/** Read an object unless it is of another class or has another key; then ERR_NOT_FOUND. */
static enum err read_if_key(struct text_reader *reader, const struct snapshot *snap, uint32_t id,
                            enum rpsl_class class, struct str canonical, struct arena *arena,
                            struct index_object *out)
{
    enum err rc = snapshot_read_object(reader, snap, id, arena, out);

    if (rc == ERR_OK && (out->info.class != class || !str_eq(out->key.canonical, canonical))) {
        rc = ERR_NOT_FOUND;
    }
    return rc;
}

enum err snapshot_find_object(struct text_reader *reader, const struct snapshot *snap,
                              enum rpsl_class class, struct str canonical, struct arena *arena,
                              struct index_object *out)
{
    struct tree_cursor cursor;
    uint8_t start[RECORD_BYTES_MAX];
    const uint8_t *record;

    key_record_start(start, class, canonical);
    record = tree_seek(&cursor, snapshot_tree(snap, TREE_KEYS), start);
    for (; record != NULL && memcmp(record, start, KEY_HASH_BYTES) == 0;
         record = tree_next(&cursor)) {
        struct arena_mark mark = arena_mark(arena);
        enum err rc =
            read_if_key(reader, snap, record_id(TREE_KEYS, record), class, canonical, arena, out);

        if (rc != ERR_NOT_FOUND) {
            return rc;
        }
        arena_rewind(arena, mark);
    }
    return ERR_NOT_FOUND;
}

enum err snapshot_by_key(struct reader *reader, const struct snapshot *snap, enum rpsl_class class,
                         struct str canonical, struct arena *arena, uint32_t *id_out)
{
    struct arena_mark mark = arena_mark(arena);
    struct index_object found;
    enum err rc = snapshot_find_object(reader_texts(reader), snap, class, canonical, arena, &found);

    arena_rewind(arena, mark);
    *id_out = rc == ERR_OK ? found.info.id : 0;
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

static int compare_ids(const void *a, const void *b)
{
    uint32_t x, y;

    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return (x > y) - (x < y);
}

enum err snapshot_by_prefix(const struct snapshot *snap, unsigned index_attr,
                            struct str folded_prefix, struct arena *arena, struct id_list *out)
{
    size_t first = out->count, kept = first;
    enum err rc;

    if (!entries_by_prefix(index_attr)) {
        return ERR_DENIED;
    }
    rc = snapshot_by_value(snap, index_attr, folded_prefix, arena, out);
    if (rc != ERR_OK || out->count == first) {
        return rc;
    }
    /* An object may have several such values; ids ascend only within one. */
    qsort(out->ids + first, out->count - first, sizeof(out->ids[0]), compare_ids);
    for (size_t i = first; i < out->count; i++) {
        if (kept == first || out->ids[kept - 1] != out->ids[i]) {
            out->ids[kept++] = out->ids[i];
        }
    }
    out->count = kept;
    return ERR_OK;
}

uint32_t snapshot_next(const struct snapshot *snap, uint32_t after)
{
    struct tree_cursor cursor;
    const uint8_t *record;
    uint8_t key[4];

    if (after == UINT32_MAX) {
        return 0;
    }
    store32(key, after + 1);
    record = tree_seek(&cursor, snapshot_tree(snap, TREE_OBJECTS), key);
    return record != NULL ? load32(record) : 0;
}
