/*
 * What the files of the index share: a version of it, and the index with its writer's state.
 * Private to storage.
 */
#pragma once

#include <stdatomic.h>

#include "storage/entries.h"
#include "storage/index.h"
#include "storage/nodes.h"
#include "storage/pins.h"
#include "storage/texts.h"
#include "storage/tree.h"

/** A version: everything hangs off it. Immutable once published. */
struct snapshot {
    struct index *index;
    uint32_t version;
    struct tree trees[TREE_COUNT];
    uint64_t class_count[CLASS_COUNT];
    uint64_t checksum; /**< The sum of text_checksum() of all objects. */
    struct snapshot_position position;
};

/** What became invisible with a version; freed when no reader pins an older one. */
struct garbage {
    uint32_t since; /**< The first version without it. */
    struct snapshot *before;
    struct number_list nodes, segments;
};

struct index {
    char *name;
    struct nodes nodes;
    struct texts texts;
    struct pins pins;
    _Atomic(struct snapshot *) root; /**< The published version; NULL before the first. */
    _Atomic uint32_t unwanted;       /**< Older versions have to go (index_evict()). */
    _Atomic uint32_t published;      /**< Its number, stored after root (see pins.h). */

    /* The writer's. */
    struct snapshot *next; /**< Being built; NULL outside a batch. */
    struct texts_mark texts_mark;
    bool is_untrainable; /**< The texts do not make a dictionary: not tried again. */
    uint32_t next_id, next_id_mark;
    struct text_writer writer;
    struct text_reader reader;
    struct arena *scratch; /**< Empty between two calls. */
    struct entry_list old_entries, new_entries;
    struct garbage *garbage; /**< Oldest first. */
    size_t garbage_count, garbage_cap;
    void (*hook)(void *context, enum index_event event);
    void *hook_context;
};

static inline struct tree_view snapshot_tree(const struct snapshot *snap, enum tree_id tree)
{
    return (struct tree_view){&snap->index->nodes, &tree_shapes[tree], &snap->trees[tree]};
}

/** The version the writer reads: the one being built, else the published one; NULL when there is
 * none. */
const struct snapshot *index_newest(const struct index *index);

/** Bytes that older versions still see. */
uint64_t index_garbage_bytes(const struct index *index);

/* The reading functions of snapshot.h, for whoever has a text reader. */
const uint8_t *snapshot_object_record(const struct snapshot *snap, uint32_t id);
/** Read and parse an object. @return ERR_CORRUPT also where it does not parse: it did when put. */
enum err snapshot_read_object(struct text_reader *reader, const struct snapshot *snap, uint32_t id,
                              struct arena *arena, struct index_object *out) MUST_CHECK;
enum err snapshot_find_object(struct text_reader *reader, const struct snapshot *snap,
                              enum rpsl_class class, struct str canonical, struct arena *arena,
                              struct index_object *out) MUST_CHECK;
struct text_reader *reader_texts(struct reader *reader);
struct arena *reader_scratch(struct reader *reader); /* Empty between two calls. */

#define SCRATCH_MAX_BYTES                                                                          \
    ((size_t)1 << 30) /* The largest object with everything derived from it. */
