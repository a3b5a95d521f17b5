/*
 * Housekeeping of an index: how much memory it takes, compaction of its texts, and the self-check.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "storage/bytes.h"
#include "storage/checksum.h"
#include "storage/version.h"

/* Dead text is worth a batch from here on: an eighth of all text, but not for little. */
#define COMPACTION_MIN_BYTES ((uint64_t)TEXT_SEGMENT_BYTES)
#define COMPACTION_SHARE     8

/* A source fed from empty gets its dictionary when there is enough to learn from. */
#define TRAINING_OBJECTS 8000
#define TRAINING_SAMPLES 4000

/* --- memory --- */

static uint64_t tree_bytes(const struct snapshot *snap, enum tree_id tree)
{
    return tree_node_count(snapshot_tree(snap, tree)) * NODE_BYTES;
}

void index_memory(const struct index *index, struct index_memory *out)
{
    const struct snapshot *snap = index_newest(index);
    struct texts_usage texts = texts_get_usage(&index->texts, &index->writer);

    *out = (struct index_memory){.texts = texts.used, .dictionary = texts.dictionaries};
    out->free_nodes = (uint64_t)nodes_free(&index->nodes) * NODE_BYTES;
    out->garbage = index_garbage_bytes(index);
    out->garbage_limit = index_garbage_limit(index);
    if (snap == NULL) {
        return;
    }
    out->objects = tree_bytes(snap, TREE_OBJECTS);
    out->keys = tree_bytes(snap, TREE_KEYS);
    out->postings = tree_bytes(snap, TREE_POSTINGS) + tree_bytes(snap, TREE_HOSTS);
    out->order = tree_bytes(snap, TREE_ORDER);
    for (unsigned tree = TREE_RANGES; tree < TREE_COUNT; tree++) {
        out->ranges += tree_bytes(snap, tree);
    }
}

void index_give_back(struct index *index)
{
    nodes_give_back(&index->nodes);
}

void index_get_contents(const struct index *index, struct index_contents *out)
{
    const struct snapshot *snap = index_newest(index);

    *out = (struct index_contents){0};
    if (snap != NULL) {
        out->position = snap->position;
        out->checksum = snap->checksum;
        memcpy(out->classes, snap->class_count, sizeof(out->classes));
    }
}

/* --- compaction --- */

static bool wants_training(const struct index *index)
{
    const struct snapshot *snap = index_newest(index);

    return index->texts.dict == NULL && !index->is_untrainable && snap != NULL &&
           snap->trees[TREE_OBJECTS].count >= TRAINING_OBJECTS;
}

bool index_wants_compaction(const struct index *index)
{
    struct texts_usage usage = texts_get_usage(&index->texts, &index->writer);

    return wants_training(index) || usage.has_old ||
           (usage.dead > COMPACTION_MIN_BYTES && usage.dead > usage.used / COMPACTION_SHARE);
}

/** Train a dictionary on objects spread over the source. */
static enum err train(struct index *index)
{
    const struct snapshot *snap = index->next;
    uint64_t step = snap->trees[TREE_OBJECTS].count / TRAINING_SAMPLES, count = 0, n = 0;
    struct str *samples = arena_alloc(index->scratch, TRAINING_SAMPLES * sizeof(*samples));
    struct tree_cursor cursor;
    const uint8_t *record = tree_seek(&cursor, snapshot_tree(snap, TREE_OBJECTS), NULL);
    enum err rc = samples == NULL ? ERR_LIMIT : ERR_OK;

    for (; record != NULL && count < TRAINING_SAMPLES && rc == ERR_OK;
         record = tree_next(&cursor), n++) {
        if (n % step == 0) {
            struct object_info info;
            text_ref text;

            object_record_get(record, &info, &text);
            rc = text_reader_get(&index->reader, &index->texts, text, index->scratch,
                                 &samples[count++]);
        }
    }
    if (rc == ERR_OK) {
        index->is_untrainable = !texts_train(&index->texts, samples, count);
    }
    arena_reset(index->scratch);
    return rc;
}

/** Write one text again, into the open segment and with the dictionary of today. */
static enum err move_text(struct index *index, uint8_t record[OBJECT_RECORD_BYTES],
                          struct object_info *info, text_ref from)
{
    struct str text;
    text_ref to;
    enum err rc = text_reader_get(&index->reader, &index->texts, from, index->scratch, &text);

    if (rc == ERR_OK) {
        rc = text_writer_add(&index->writer, info->id, text, &to);
    }
    arena_reset(index->scratch);
    if (rc != ERR_OK) {
        return rc;
    }
    texts_drop(&index->texts, from);
    object_record_put(record, info, to);
    tree_put(&index->nodes, &tree_shapes[TREE_OBJECTS], &index->next->trees[TREE_OBJECTS], record);
    return ERR_OK;
}

enum err index_compact_step(struct index *index)
{
    struct texts_usage usage;
    const struct segment *segment;
    struct text_entry entry;
    uint32_t last_id = 0;
    size_t at = 0;
    enum err rc = wants_training(index) ? train(index) : ERR_OK;

    usage = texts_get_usage(&index->texts, &index->writer);
    if (rc != ERR_OK || usage.worst == 0) {
        return rc;
    }
    segment = index->texts.segments[usage.worst];
    while (rc == ERR_OK && texts_entry(segment, usage.worst, &at, &last_id, &entry)) {
        const uint8_t *found = snapshot_object_record(index->next, entry.id);
        uint8_t record[OBJECT_RECORD_BYTES];
        struct object_info info;
        text_ref text;

        if (found == NULL) {
            continue;
        }
        object_record_get(found, &info, &text);
        if (text == entry.ref) {
            rc = move_text(index, record, &info, text);
        }
    }
    return rc;
}

/* --- checking --- */

static const char *const tree_names[TREE_RANGES] = {"postings", "objects", "order", "keys",
                                                    "hosts"};

static const char *tree_name(unsigned tree)
{
    return tree < TREE_RANGES ? tree_names[tree] : "ranges";
}

struct tally {
    uint64_t entries[TREE_COUNT];
    uint64_t classes[CLASS_COUNT];
    uint64_t checksum;
    size_t live[TEXT_SEGMENTS_MAX];
};

/** Derive an object's entries from its text and look each of them up. */
static bool check_object(struct index *index, const struct snapshot *snap, const uint8_t *record,
                         struct tally *tally, struct why *why)
{
    struct object_info info;
    struct rpsl_object object;
    struct rpsl_key key;
    struct str stored;
    text_ref text;
    enum err rc;

    object_record_get(record, &info, &text);
    rc = text_reader_get(&index->reader, &index->texts, text, index->scratch, &stored);
    if (rc == ERR_OK) {
        rc = object_parse(stored, index->scratch, &object, &key);
    }
    if (rc == ERR_OK) {
        rc = entries_derive(info.id, &object, &key, index->scratch, &index->old_entries);
    }
    if (rc != ERR_OK) {
        why_set(why, rc, "object %u: text: %s", info.id, err_text(rc));
        return false;
    }
    if (info.class != key.class || info.flags != entries_object_flags(&object)) {
        why_set(why, ERR_CORRUPT, "object %u: class or flags are not those of its text", info.id);
        return false;
    }
    tally->classes[info.class]++;
    tally->checksum += text_checksum(stored);
    tally->live[text_segment(text)] += text_entry_bytes(&index->texts, text);
    tally->entries[TREE_OBJECTS]++;
    for (size_t i = 0; i < index->old_entries.count; i++) {
        const struct entry *entry = &index->old_entries.at[i];

        tally->entries[entry->tree]++;
        if (tree_find(snapshot_tree(snap, entry->tree), entry->record) == NULL) {
            why_set(why, ERR_CORRUPT, "object %u: an entry is missing in %s", info.id,
                    tree_name(entry->tree));
            return false;
        }
    }
    return true;
}

static bool check_trees(struct index *index, const struct snapshot *snap, struct why *why)
{
    uint64_t nodes = index->nodes.retired.count;

    for (size_t i = 0; i < index->garbage_count; i++) {
        nodes += index->garbage[i].nodes.count;
    }
    for (unsigned tree = 0; tree < TREE_COUNT; tree++) {
        const char *wrong = tree_check(snapshot_tree(snap, tree), &nodes);

        if (wrong != NULL) {
            why_set(why, ERR_CORRUPT, "tree of %s: %s", tree_name(tree), wrong);
            return false;
        }
    }
    if (nodes != nodes_used(&index->nodes)) {
        why_set(why, ERR_CORRUPT, "%zu nodes are in use, %lu accounted for",
                nodes_used(&index->nodes), (unsigned long)nodes);
        return false;
    }
    return true;
}

static bool check_tally(struct index *index, const struct snapshot *snap, const struct tally *tally,
                        struct why *why)
{
    for (unsigned tree = 0; tree < TREE_COUNT; tree++) {
        if (tally->entries[tree] != snap->trees[tree].count) {
            why_set(why, ERR_CORRUPT, "tree of %s has %lu records, the texts say %lu",
                    tree_name(tree), (unsigned long)snap->trees[tree].count,
                    (unsigned long)tally->entries[tree]);
            return false;
        }
    }
    for (unsigned class = 0; class < CLASS_COUNT; class ++) {
        if (tally->classes[class] != snap->class_count[class]) {
            why_set(why, ERR_CORRUPT, "class %u is miscounted", class);
            return false;
        }
    }
    if (tally->checksum != snap->checksum) {
        why_set(why, ERR_CORRUPT, "the checksum is not that of the texts");
        return false;
    }
    for (uint32_t i = 1; i < index->texts.top && index->next == NULL; i++) {
        const struct segment *segment = index->texts.segments[i];

        if (tally->live[i] != (segment != NULL ? segment->live : 0)) {
            why_set(why, ERR_CORRUPT, "text segment %u has %zu live bytes, the objects say %zu", i,
                    segment != NULL ? segment->live : 0, tally->live[i]);
            return false;
        }
    }
    return true;
}

bool index_check(struct index *index, struct why *why)
{
    const struct snapshot *snap = index_newest(index);
    struct tally *tally;
    struct tree_cursor cursor;
    const uint8_t *record;
    bool sound;

    if (snap == NULL) {
        return true;
    }
    tally = calloc(1, sizeof(*tally));
    if (tally == NULL) {
        abort();
    }
    sound = check_trees(index, snap, why);
    record = tree_seek(&cursor, snapshot_tree(snap, TREE_OBJECTS), NULL);
    for (; record != NULL && sound; record = tree_next(&cursor)) {
        sound = check_object(index, snap, record, tally, why);
        arena_reset(index->scratch);
    }
    sound = sound && check_tally(index, snap, tally, why);
    free(tally);
    return sound;
}
