/*
 * Walks over the records that share a beginning, and what all walks have in common.
 */
#include "storage/walk.h"

#include <string.h>

#define STEP_RECORDS 256

static enum err visit_value(struct id_walk *walk)
{
    enum err rc = walk_take(walk);

    walk->record = tree_next(&walk->cursor);
    if (walk->record != NULL && memcmp(walk->record, walk->start, walk->start_len) != 0) {
        walk->record = NULL;
    }
    return rc;
}

static void begin_values(struct id_walk *walk, const uint8_t *record)
{
    bool is_one = record != NULL && memcmp(record, walk->start, walk->start_len) == 0;

    walk->record = is_one ? record : NULL;
}

/** Prepare a walk over the records that begin with walk->start, which is filled. */
static void walk_start(struct id_walk *walk, const struct snapshot *snap, enum tree_id tree,
                       size_t start_len)
{
    walk->tree = tree;
    walk->start_len = start_len;
    walk->view = snapshot_tree(snap, tree);
    walk->visit = visit_value;
    walk->begin = begin_values;
}

static void walk_values(struct id_walk *walk, const struct snapshot *snap, unsigned index_attr,
                        struct str folded)
{
    if (entries_by_prefix(index_attr)) {
        size_t len = folded.len < HOST_BYTES ? folded.len : HOST_BYTES;

        memset(walk->start, 0, sizeof(walk->start));
        memcpy(walk->start, folded.at, len);
        walk_start(walk, snap, TREE_HOSTS, len);
    } else {
        posting_record_start(walk->start, index_attr, folded);
        walk_start(walk, snap, TREE_POSTINGS, POSTING_BYTES);
    }
}

static void walk_keys(struct id_walk *walk, const struct snapshot *snap, enum rpsl_class class,
                      struct str canonical)
{
    key_record_start(walk->start, class, canonical);
    walk_start(walk, snap, TREE_KEYS, KEY_HASH_BYTES);
}

/** Visit up to so many records. @return ERR_OK, ERR_LIMIT. */
static enum err visit_some(struct id_walk *walk, size_t most)
{
    enum err rc = ERR_OK;

    for (size_t i = 0; i < most && walk->record != NULL && rc == ERR_OK; i++) {
        rc = walk->visit(walk);
    }
    return rc;
}

enum err walk_all(struct id_walk *walk)
{
    walk->begin(walk, tree_seek(&walk->cursor, walk->view, walk->start));
    return visit_some(walk, SIZE_MAX);
}

enum err id_walk_step(struct id_walk *walk, enum walk_progress *progress)
{
    const uint8_t *record;
    enum err rc;

    if (walk->begin != NULL) {
        if (!tree_seek_step(&walk->cursor, walk->start, &record)) {
            *progress = WALK_AHEAD;
            return ERR_OK;
        }
        walk->begin(walk, record);
        walk->begin = NULL;
    }
    rc = visit_some(walk, STEP_RECORDS);
    *progress = walk->record == NULL ? WALK_DONE : WALK_MORE;
    return rc;
}

static enum err begin_walk(struct arena *arena, struct id_list *out, struct id_walk **walk)
{
    if (*walk == NULL) {
        *walk = arena_alloc(arena, sizeof(**walk));
    }
    if (*walk == NULL) {
        return ERR_LIMIT;
    }
    (*walk)->arena = arena;
    (*walk)->out = out;
    return ERR_OK;
}

static void seek_in_steps(struct id_walk *walk)
{
    tree_seek_begin(&walk->cursor, walk->view, walk->start);
}

enum err snapshot_value_walk(const struct snapshot *snap, unsigned index_attr, struct str folded,
                             struct arena *arena, struct id_list *out, struct id_walk **walk)
{
    enum err rc = begin_walk(arena, out, walk);

    if (rc == ERR_OK) {
        walk_values(*walk, snap, index_attr, folded);
        seek_in_steps(*walk);
    }
    return rc;
}

enum err snapshot_range_walk(const struct snapshot *snap, enum rpsl_range_kind kind,
                             const struct ip_range *range, enum range_mode mode,
                             struct arena *arena, struct id_list *out, struct id_walk **walk)
{
    enum err rc = begin_walk(arena, out, walk);

    if (rc == ERR_OK) {
        walk_ranges(*walk, snap, kind, range, mode);
        seek_in_steps(*walk);
    }
    return rc;
}

enum err snapshot_key_walk(const struct snapshot *snap, enum rpsl_class class, struct str canonical,
                           struct arena *arena, struct id_list *out, struct id_walk **walk)
{
    enum err rc = begin_walk(arena, out, walk);

    if (rc == ERR_OK) {
        walk_keys(*walk, snap, class, canonical);
        seek_in_steps(*walk);
    }
    return rc;
}

enum err snapshot_by_value(const struct snapshot *snap, unsigned index_attr, struct str folded,
                           struct arena *arena, struct id_list *out)
{
    struct id_walk walk;

    walk.arena = arena;
    walk.out = out;
    walk_values(&walk, snap, index_attr, folded);
    return walk_all(&walk);
}

enum err snapshot_by_range(const struct snapshot *snap, enum rpsl_range_kind kind,
                           const struct ip_range *range, enum range_mode mode, struct arena *arena,
                           struct id_list *out)
{
    struct id_walk walk;

    walk.arena = arena;
    walk.out = out;
    walk_ranges(&walk, snap, kind, range, mode);
    return walk_all(&walk);
}
