/*
 * A look-up that goes on in short steps. Private to storage.
 */
#pragma once

#include "storage/version.h"

struct id_walk {
    /** Take the id of walk->record or pass it by, and go to the next one. @return ERR_OK,
     * ERR_LIMIT. */
    enum err (*visit)(struct id_walk *walk);
    /** Begin at the first record at or behind `start`, or at NULL; NULL: that was done. */
    void (*begin)(struct id_walk *walk, const uint8_t *record);
    const uint8_t *record; /**< The next one; NULL: no more. */
    struct tree_cursor cursor;
    struct tree_view view;
    enum tree_id tree;
    struct arena *arena;
    struct id_list *out;

    uint8_t start[RECORD_BYTES_MAX]; /**< Where the first record would be. */

    /* Of values and keys. */
    size_t start_len; /**< What all records share of it. */

    /* Of ranges. */
    enum rpsl_range_kind kind;
    enum range_mode mode;
    struct ip_range wanted;
    struct ip_range last; /**< Of the level that is walked. */
    bool found;
};

/** Append the current record's id. */
static inline enum err walk_take(struct id_walk *walk)
{
    return id_list_add(walk->out, walk->arena, record_id(walk->tree, walk->record));
}
/** Walk to the end. */
enum err walk_all(struct id_walk *walk) MUST_CHECK;
/** Prepare a walk over ranges. */
void walk_ranges(struct id_walk *walk, const struct snapshot *snap, enum rpsl_range_kind kind,
                 const struct ip_range *range, enum range_mode mode);
