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

static void walk_values(struct id_walk *walk, const struct snapshot *snap, unsigned index_attr,
                        struct str folded)
{
    memset(walk->start, 0, sizeof(walk->start));
    if (entries_by_prefix(index_attr)) {
        walk->tree = TREE_HOSTS;
        walk->start_len = folded.len < HOST_BYTES ? folded.len : HOST_BYTES;
        memcpy(walk->start, folded.at, walk->start_len);
    } else {
        walk->tree = TREE_POSTINGS;
        walk->start_len = POSTING_BYTES;
        posting_record_start(walk->start, index_attr, folded);
    }
    walk->view = snapshot_tree(snap, walk->tree);
    walk->visit = visit_value;
    walk->record = tree_seek(&walk->cursor, walk->view, walk->start);
    if (walk->record != NULL && memcmp(walk->record, walk->start, walk->start_len) != 0) {
        walk->record = NULL;
    }
}

enum err walk_all(struct id_walk *walk)
{
    enum err rc = ERR_OK;

    while (walk->record != NULL && rc == ERR_OK) {
        rc = walk->visit(walk);
    }
    return rc;
}

enum err id_walk_step(struct id_walk *walk, bool *is_done)
{
    enum err rc = ERR_OK;

    for (unsigned i = 0; i < STEP_RECORDS && walk->record != NULL && rc == ERR_OK; i++) {
        rc = walk->visit(walk);
    }
    *is_done = walk->record == NULL;
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

enum err snapshot_value_walk(const struct snapshot *snap, unsigned index_attr, struct str folded,
                             struct arena *arena, struct id_list *out, struct id_walk **walk)
{
    enum err rc = begin_walk(arena, out, walk);

    if (rc == ERR_OK) {
        walk_values(*walk, snap, index_attr, folded);
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
