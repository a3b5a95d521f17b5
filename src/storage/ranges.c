/*
 * Ranges: the modes of whois-queries 4.1.
 *
 * Records are sorted by (begin ascending, end descending), so a range comes before all that it
 * contains, and nested ranges are in pre-order. Ranges may cross; nothing here relies on nesting:
 *
 * - what contains R starts at or before R's begin and ends at or behind its end: a walk over that
 * part of the tree, in which subtrees that end too early are skipped by their maximum end;
 * - what lies strictly inside R is a slice of the tree, less those that end behind R;
 * - one of those is on the outermost level when it ends behind all those before it in the slice:
 * whatever contains it would come before it and end at or behind its end. So the walk hops to the
 * next range that ends behind the last;
 * - of several smallest ranges that contain R, which then cross, the one with the lowest begin is
 * taken: the result does not depend on the order of arrival.
 */
#include "storage/walk.h"

#include <assert.h>

static bool same_range(const struct ip_range *a, const struct ip_range *b)
{
    return a->begin == b->begin && a->end == b->end;
}

static bool is_inside(const struct ip_range *inner, const struct ip_range *outer)
{
    return inner->begin >= outer->begin && inner->end <= outer->end;
}

/** The cursor's own record or the first behind it that ends at or behind `end`. */
static const uint8_t *reach_end(struct id_walk *walk, u128 end)
{
    struct ip_range bound = {.begin = 0, .end = end};
    uint8_t record[RECORD_BYTES_MAX];

    range_record_start(record, walk->kind, &bound);
    return tree_next_low(&walk->cursor, record + walk->view.shape->low_at);
}

/* --- what contains a range --- */

/** The cursor's own record or the next behind it that contains what is wanted, or NULL. */
static const uint8_t *reach_containing(struct id_walk *walk, struct ip_range *range)
{
    const uint8_t *record = reach_end(walk, walk->wanted.end);

    if (record == NULL) {
        return NULL;
    }
    range_record_get(record, walk->kind, range);
    return range->begin <= walk->wanted.begin ? record : NULL;
}

static const uint8_t *first_containing(struct id_walk *walk, struct ip_range *range)
{
    return tree_seek(&walk->cursor, walk->view, NULL) == NULL ? NULL
                                                              : reach_containing(walk, range);
}

static const uint8_t *next_containing(struct id_walk *walk, struct ip_range *range)
{
    return tree_next(&walk->cursor) == NULL ? NULL : reach_containing(walk, range);
}

static enum err visit_containing(struct id_walk *walk)
{
    struct ip_range range;
    enum err rc = walk_take(walk);

    walk->record = next_containing(walk, &range);
    return rc;
}

/* --- one range --- */

static enum err visit_exact(struct id_walk *walk)
{
    struct ip_range range;
    enum err rc = walk_take(walk);

    walk->record = tree_next(&walk->cursor);
    if (walk->record != NULL) {
        range_record_get(walk->record, walk->kind, &range);
        walk->record = same_range(&range, &walk->last) ? walk->record : NULL;
    }
    return rc;
}

/** @param record  The first record at or behind the range. */
static void walk_exact(struct id_walk *walk, const struct ip_range *wanted, const uint8_t *record)
{
    struct ip_range range;

    walk->visit = visit_exact;
    walk->last = *wanted;
    walk->record = record;
    if (record != NULL) {
        range_record_get(record, walk->kind, &range);
        walk->record = same_range(&range, wanted) ? record : NULL;
    }
}

static void walk_one_less(struct id_walk *walk)
{
    struct ip_range range, best = {0};
    bool found = false;
    const uint8_t *record = first_containing(walk, &range);

    for (; record != NULL; record = next_containing(walk, &range)) {
        if (!same_range(&range, &walk->wanted) &&
            (!found || range.end - range.begin < best.end - best.begin)) {
            best = range;
            found = true;
        }
    }
    walk->record = NULL;
    if (found) {
        uint8_t start[RECORD_BYTES_MAX];

        range_record_start(start, walk->kind, &best);
        walk_exact(walk, &best, tree_seek(&walk->cursor, walk->view, start));
    }
}

/* --- what lies strictly inside a range --- */

static bool is_behind(const struct id_walk *walk, const struct ip_range *range)
{
    return range->begin > walk->wanted.end;
}

static enum err visit_more(struct id_walk *walk)
{
    struct ip_range range;
    enum err rc = ERR_OK;

    range_record_get(walk->record, walk->kind, &range);
    if (is_behind(walk, &range)) {
        walk->record = NULL;
        return ERR_OK;
    }
    if (is_inside(&range, &walk->wanted) && !same_range(&range, &walk->wanted)) {
        rc = walk_take(walk);
    }
    walk->record = tree_next(&walk->cursor);
    return rc;
}

static enum err visit_one_more(struct id_walk *walk)
{
    struct ip_range *last = &walk->last, range;
    enum err rc = ERR_OK;

    range_record_get(walk->record, walk->kind, &range);
    if (is_behind(walk, &range)) {
        walk->record = NULL;
        return ERR_OK;
    }
    if (is_inside(&range, &walk->wanted) && !same_range(&range, &walk->wanted) &&
        (!walk->found || range.end > last->end || same_range(&range, last))) {
        rc = walk_take(walk);
        *last = range;
        walk->found = true;
    }
    walk->record = tree_next(&walk->cursor);
    if (walk->found && walk->record != NULL) {
        range_record_get(walk->record, walk->kind, &range);
        if (!same_range(&range, last)) {
            /* Nothing behind a range that ends with the wanted one is inside. */
            walk->record = last->end == walk->wanted.end ? NULL : reach_end(walk, last->end + 1);
        }
    }
    return rc;
}

static void begin_ranges(struct id_walk *walk, const uint8_t *record)
{
    struct ip_range first;

    switch (walk->mode) {
    case RANGE_EXACT:
        walk_exact(walk, &walk->wanted, record);
        break;
    case RANGE_EXACT_OR_LESS:
        walk_exact(walk, &walk->wanted, record);
        if (walk->record == NULL) {
            walk_one_less(walk);
        }
        break;
    case RANGE_ONE_LESS:
        walk_one_less(walk);
        break;
    case RANGE_ALL_LESS:
        walk->visit = visit_containing;
        walk->record = first_containing(walk, &first);
        break;
    case RANGE_ONE_MORE:
    case RANGE_ALL_MORE:
        walk->visit = walk->mode == RANGE_ONE_MORE ? visit_one_more : visit_more;
        walk->record = record;
        break;
    }
}

void walk_ranges(struct id_walk *walk, const struct snapshot *snap, enum rpsl_range_kind kind,
                 const struct ip_range *range, enum range_mode mode)
{
    assert(kind > RANGE_NONE && kind < RANGE_KIND_COUNT);
    walk->kind = kind;
    walk->mode = mode;
    walk->tree = tree_of_range(kind);
    walk->view = snapshot_tree(snap, walk->tree);
    walk->wanted = *range;
    walk->found = false;
    walk->begin = begin_ranges;
    range_record_start(walk->start, kind, range);
}
