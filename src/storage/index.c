/*
 * Versions of an index and the changes that lead from one to the next.
 *
 * index_begin() copies the root; changes copy the nodes they touch; index_publish() stores the new
 * root and queues what only older versions see as garbage. An update derives the entries of the old
 * and of the new text and touches only the records in which they differ, since most updates change
 * few.
 */
#include "storage/index.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "storage/bytes.h"
#include "storage/checksum.h"
#include "storage/version.h"

#include "base/log.h"

/* Waiting for readers: an eighth of the index, but not for little. */
#define GARBAGE_MIN_BYTES ((uint64_t)64 << 20)
#define GARBAGE_SHARE     8

/* --- life --- */

struct index *index_new(const char *name)
{
    struct index *index = calloc(1, sizeof(*index));

    if (index == NULL) {
        abort();
    }
    index->name = str_dup(str_from(name));
    nodes_init(&index->nodes);
    texts_init(&index->texts);
    pins_init(&index->pins);
    text_writer_init(&index->writer, &index->texts);
    text_reader_init(&index->reader);
    index->scratch = arena_new(SCRATCH_MAX_BYTES);
    index->next_id = 1;
    return index;
}

void index_free(struct index *index)
{
    if (index == NULL) {
        return;
    }
    for (size_t i = 0; i < index->garbage_count; i++) {
        free(index->garbage[i].before);
        number_list_free(&index->garbage[i].nodes);
        number_list_free(&index->garbage[i].segments);
    }
    free(index->garbage);
    free(atomic_load(&index->root));
    free(index->next);
    free(index->old_entries.at);
    free(index->new_entries.at);
    arena_free(index->scratch);
    text_reader_fini(&index->reader);
    text_writer_fini(&index->writer);
    pins_fini(&index->pins);
    texts_fini(&index->texts);
    nodes_fini(&index->nodes);
    free(index->name);
    free(index);
}

void index_on_event(struct index *index, void (*hook)(void *context, enum index_event event),
                    void *context)
{
    index->hook = hook;
    index->hook_context = context;
}

static void tell(struct index *index, enum index_event event)
{
    if (index->hook != NULL) {
        index->hook(index->hook_context, event);
    }
}

const struct snapshot *index_newest(const struct index *index)
{
    return index->next != NULL ? index->next
                               : atomic_load_explicit(&index->root, memory_order_relaxed);
}

/* --- versions --- */

void index_begin(struct index *index)
{
    const struct snapshot *now = index_newest(index);
    struct snapshot *next = calloc(1, sizeof(*next));

    assert(index->next == NULL);
    if (next == NULL) {
        abort();
    }
    if (now != NULL) {
        *next = *now;
    }
    next->index = index;
    next->version = atomic_load(&index->published) + 1;
    nodes_begin(&index->nodes, next->version);
    index->texts_mark = texts_begin(&index->texts, &index->writer);
    index->next_id_mark = index->next_id;
    index->next = next;
}

static struct garbage *add_garbage(struct index *index)
{
    if (index->garbage_count == index->garbage_cap) {
        index->garbage_cap = index->garbage_cap == 0 ? 16 : index->garbage_cap * 2;
        index->garbage = realloc(index->garbage, index->garbage_cap * sizeof(index->garbage[0]));
        if (index->garbage == NULL) {
            abort();
        }
    }
    return &index->garbage[index->garbage_count++];
}

void index_publish(struct index *index, index_position position)
{
    struct garbage *garbage = add_garbage(index);
    struct snapshot *next = index->next;

    assert(next != NULL);
    next->position = position;
    next->position.objects = next->trees[TREE_OBJECTS].count;
    nodes_publish(&index->nodes, &garbage->nodes);
    texts_publish(&index->texts, &index->writer, &garbage->segments);
    garbage->since = next->version;
    garbage->before = atomic_load(&index->root);
    index->next = NULL;
    atomic_store(&index->root, next);
    atomic_store(&index->published, next->version);
    index_collect(index);
    tell(index, INDEX_PUBLISHED);
}

void index_rollback(struct index *index)
{
    assert(index->next != NULL);
    nodes_rollback(&index->nodes);
    texts_rollback(&index->texts, &index->writer, index->texts_mark);
    index->next_id = index->next_id_mark;
    free(index->next);
    index->next = NULL;
}

static uint64_t garbage_bytes(const struct index *index, const struct garbage *garbage)
{
    uint64_t bytes = (uint64_t)garbage->nodes.count * NODE_BYTES;

    for (size_t i = 0; i < garbage->segments.count; i++) {
        bytes += index->texts.segments[garbage->segments.at[i]]->used;
    }
    return bytes;
}

uint64_t index_garbage_bytes(const struct index *index)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < index->garbage_count; i++) {
        bytes += garbage_bytes(index, &index->garbage[i]);
    }
    return bytes;
}

uint64_t index_collect(struct index *index)
{
    uint32_t oldest = pins_oldest(&index->pins);
    uint64_t waiting;
    size_t done = 0;

    for (; done < index->garbage_count && index->garbage[done].since <= oldest; done++) {
        free(index->garbage[done].before);
        nodes_release(&index->nodes, &index->garbage[done].nodes);
        texts_release(&index->texts, &index->garbage[done].segments);
    }
    index->garbage_count -= done;
    memmove(index->garbage, index->garbage + done,
            index->garbage_count * sizeof(index->garbage[0]));
    waiting = index_garbage_bytes(index);
    if (waiting <= index_garbage_limit(index)) {
        atomic_store_explicit(&index->unwanted, 0, memory_order_relaxed);
    }
    return waiting;
}

void index_evict(struct index *index)
{
    uint64_t limit = index_garbage_limit(index), waiting = index_garbage_bytes(index);
    uint32_t unwanted = 0;

    for (size_t i = 0; i < index->garbage_count && waiting > limit; i++) {
        waiting -= garbage_bytes(index, &index->garbage[i]);
        unwanted = index->garbage[i].since;
    }
    atomic_store_explicit(&index->unwanted, unwanted, memory_order_relaxed);
    if (unwanted != 0) {
        tell(index, INDEX_EVICTS);
    }
}

uint64_t index_garbage_limit(const struct index *index)
{
    uint64_t share = (uint64_t)nodes_used(&index->nodes) * NODE_BYTES / GARBAGE_SHARE;

    return share > GARBAGE_MIN_BYTES ? share : GARBAGE_MIN_BYTES;
}

/* --- reading the next version --- */

uint64_t index_objects(const struct index *index)
{
    const struct snapshot *snap = index_newest(index);

    return snap != NULL ? snap->trees[TREE_OBJECTS].count : 0;
}

enum err index_get(struct index *index, uint32_t id, struct arena *arena, struct index_object *out)
{
    const struct snapshot *snap = index_newest(index);

    return snap != NULL ? snapshot_read_object(&index->reader, snap, id, arena, out)
                        : ERR_NOT_FOUND;
}

enum err index_find(struct index *index, enum rpsl_class class, struct str canonical,
                    struct arena *arena, struct index_object *out)
{
    const struct snapshot *snap = index_newest(index);

    return snap != NULL ? snapshot_find_object(&index->reader, snap, class, canonical, arena, out)
                        : ERR_NOT_FOUND;
}

/* --- changes --- */

static void put_entry(struct index *index, const struct entry *entry)
{
    tree_put(&index->nodes, &tree_shapes[entry->tree], &index->next->trees[entry->tree],
             entry->record);
}

static void remove_entry(struct index *index, const struct entry *entry)
{
    bool found = tree_remove(&index->nodes, &tree_shapes[entry->tree],
                             &index->next->trees[entry->tree], entry->record);

    assert(found);
    (void)found;
}

/** Remove the entries only the old list has, put those only the new one has. */
static void apply_difference(struct index *index, const struct entry_list *old_list,
                             const struct entry_list *new_list)
{
    size_t o = 0, n = 0;

    while (o < old_list->count || n < new_list->count) {
        int order = o == old_list->count   ? 1
                    : n == new_list->count ? -1
                                           : entry_compare(&old_list->at[o], &new_list->at[n]);

        if (order < 0) {
            remove_entry(index, &old_list->at[o++]);
        } else if (order > 0) {
            put_entry(index, &new_list->at[n++]);
        } else {
            o++;
            n++;
        }
    }
}

/** The entries of what the index holds of an object now. @param old  NULL: nothing. */
static enum err derive_old(struct index *index, const struct index_object *old)
{
    index->old_entries.count = 0;
    return old != NULL ? entries_derive(old->info.id, &old->parsed, &old->key, index->scratch,
                                        &index->old_entries)
                       : ERR_OK;
}

/** Take an object's text and counts out of the next version; its entries are taken apart. */
static void subtract(struct index *index, const struct index_object *old)
{
    struct snapshot *next = index->next;

    texts_drop(&index->texts, old->ref);
    next->class_count[old->info.class]--;
    next->checksum -= text_checksum(old->text);
}

/** @param old  What it replaces; NULL: nothing. */
static enum err put_over(struct index *index, const struct index_object *old, uint32_t id,
                         uint32_t sequence, uint32_t timestamp, const struct rpsl_object *object,
                         const struct rpsl_key *key)
{
    struct object_info info = {.id = id,
                               .sequence = sequence,
                               .timestamp = timestamp,
                               .class = key->class,
                               .flags = entries_object_flags(object)};
    struct snapshot *next = index->next;
    uint8_t record[OBJECT_RECORD_BYTES];
    text_ref text;
    enum err rc = derive_old(index, old);

    if (rc == ERR_OK) {
        rc = entries_derive(id, object, key, index->scratch, &index->new_entries);
    }
    if (rc == ERR_OK) {
        rc = text_writer_add(&index->writer, id, object->text, &text);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    apply_difference(index, &index->old_entries, &index->new_entries);
    if (old != NULL) {
        subtract(index, old);
    }
    next->class_count[info.class]++;
    next->checksum += text_checksum(object->text);
    object_record_put(record, &info, text);
    tree_put(&index->nodes, &tree_shapes[TREE_OBJECTS], &next->trees[TREE_OBJECTS], record);
    index_reserve_id(index, id);
    return ERR_OK;
}

static enum err remove_old(struct index *index, const struct index_object *old)
{
    static const struct entry_list nothing;
    uint8_t key[4];
    enum err rc = derive_old(index, old);

    if (rc != ERR_OK) {
        return rc;
    }
    apply_difference(index, &index->old_entries, &nothing);
    subtract(index, old);
    store32(key, old->info.id);
    tree_remove(&index->nodes, &tree_shapes[TREE_OBJECTS], &index->next->trees[TREE_OBJECTS], key);
    return ERR_OK;
}

enum err index_put(struct index *index, uint32_t id, uint32_t sequence, uint32_t timestamp,
                   const struct rpsl_object *object, const struct rpsl_key *key)
{
    struct index_object old;
    enum err rc;

    assert(index->next != NULL && id != 0);
    rc = index_get(index, id, index->scratch, &old);
    if (rc == ERR_OK || rc == ERR_NOT_FOUND) {
        rc = put_over(index, rc == ERR_OK ? &old : NULL, id, sequence, timestamp, object, key);
    }
    arena_reset(index->scratch);
    return rc;
}

enum err index_replace(struct index *index, const struct index_object *old, uint32_t sequence,
                       uint32_t timestamp, const struct rpsl_object *object,
                       const struct rpsl_key *key)
{
    enum err rc;

    assert(index->next != NULL);
    rc = put_over(index, old, old->info.id, sequence, timestamp, object, key);
    arena_reset(index->scratch);
    return rc;
}

enum err index_remove(struct index *index, uint32_t id)
{
    struct index_object old;
    enum err rc;

    assert(index->next != NULL);
    rc = index_get(index, id, index->scratch, &old);
    if (rc == ERR_OK) {
        rc = remove_old(index, &old);
    }
    arena_reset(index->scratch);
    return rc;
}

enum err index_remove_found(struct index *index, const struct index_object *old)
{
    enum err rc;

    assert(index->next != NULL);
    rc = remove_old(index, old);
    arena_reset(index->scratch);
    return rc;
}

uint32_t index_next_id(const struct index *index)
{
    return index->next_id;
}

void index_reserve_id(struct index *index, uint32_t id)
{
    if (id >= index->next_id) {
        index->next_id = id + 1;
    }
}
