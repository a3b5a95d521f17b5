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
#include <assert.h>

#include "storage/version.h"

struct walk {
    enum rpsl_range_kind kind;
    const struct ip_range *wanted;
    struct tree_cursor cursor;
    struct tree_view view;
    struct arena *arena;
    struct id_list *out;
};

static bool same_range(const struct ip_range *a, const struct ip_range *b)
{
    return a->begin == b->begin && a->end == b->end;
}

static bool is_inside(const struct ip_range *inner, const struct ip_range *outer)
{
    return inner->begin >= outer->begin && inner->end <= outer->end;
}

static enum err take(struct walk *walk, const uint8_t *record)
{
    return id_list_add(walk->out, walk->arena, record_id(tree_of_range(walk->kind), record));
}

/** Go to the first record at or behind a range. */
static const uint8_t *seek_range(struct walk *walk, const struct ip_range *range)
{
    uint8_t start[RECORD_BYTES_MAX];

    range_record_start(start, walk->kind, range);
    return tree_seek(&walk->cursor, walk->view, start);
}

/** The cursor's own record or the first behind it that ends at or behind `end`. */
static const uint8_t *reach_end(struct walk *walk, u128 end)
{
    struct ip_range bound = {.begin = 0, .end = end};
    uint8_t record[RECORD_BYTES_MAX];

    range_record_start(record, walk->kind, &bound);
    return tree_next_low(&walk->cursor, record + walk->view.shape->low_at);
}

/** The next record that contains what is wanted, or NULL. @param first  Whether to begin at the
 * start of the tree. */
static const uint8_t *next_containing(struct walk *walk, bool first, struct ip_range *range)
{
    const uint8_t *record =
        first ? tree_seek(&walk->cursor, walk->view, NULL) : tree_next(&walk->cursor);

    if (record == NULL || (record = reach_end(walk, walk->wanted->end)) == NULL) {
        return NULL;
    }
    range_record_get(record, walk->kind, range);
    return range->begin <= walk->wanted->begin ? record : NULL;
}

static enum err collect_containing(struct walk *walk)
{
    struct ip_range range;
    const uint8_t *record = next_containing(walk, true, &range);

    for (; record != NULL; record = next_containing(walk, false, &range)) {
        if (take(walk, record) != ERR_OK) {
            return ERR_LIMIT;
        }
    }
    return ERR_OK;
}

static enum err collect_exact(struct walk *walk, const struct ip_range *wanted)
{
    const uint8_t *record = seek_range(walk, wanted);
    struct ip_range range;

    for (; record != NULL; record = tree_next(&walk->cursor)) {
        range_record_get(record, walk->kind, &range);
        if (!same_range(&range, wanted)) {
            return ERR_OK;
        }
        if (take(walk, record) != ERR_OK) {
            return ERR_LIMIT;
        }
    }
    return ERR_OK;
}

static enum err collect_one_less(struct walk *walk)
{
    struct ip_range range, best = {0};
    bool found = false;
    const uint8_t *record = next_containing(walk, true, &range);

    for (; record != NULL; record = next_containing(walk, false, &range)) {
        if (!same_range(&range, walk->wanted) &&
            (!found || range.end - range.begin < best.end - best.begin)) {
            best = range;
            found = true;
        }
    }
    return found ? collect_exact(walk, &best) : ERR_OK;
}

static enum err collect_more(struct walk *walk)
{
    const uint8_t *record = seek_range(walk, walk->wanted);
    struct ip_range range;

    for (; record != NULL; record = tree_next(&walk->cursor)) {
        range_record_get(record, walk->kind, &range);
        if (range.begin > walk->wanted->end) {
            return ERR_OK;
        }
        if (is_inside(&range, walk->wanted) && !same_range(&range, walk->wanted) &&
            take(walk, record) != ERR_OK) {
            return ERR_LIMIT;
        }
    }
    return ERR_OK;
}

static enum err collect_one_more(struct walk *walk)
{
    const uint8_t *record = seek_range(walk, walk->wanted);
    struct ip_range range, last = {0};
    bool found = false;

    while (record != NULL) {
        range_record_get(record, walk->kind, &range);
        if (range.begin > walk->wanted->end) {
            return ERR_OK;
        }
        if (is_inside(&range, walk->wanted) && !same_range(&range, walk->wanted) &&
            (!found || range.end > last.end || same_range(&range, &last))) {
            if (take(walk, record) != ERR_OK) {
                return ERR_LIMIT;
            }
            last = range;
            found = true;
        }
        record = tree_next(&walk->cursor);
        if (found && record != NULL) {
            range_record_get(record, walk->kind, &range);
            if (!same_range(&range, &last)) {
                if (last.end == walk->wanted->end) {
                    return ERR_OK; /* Nothing behind it is inside. */
                }
                record = reach_end(walk, last.end + 1);
            }
        }
    }
    return ERR_OK;
}

enum err snapshot_by_range(const struct snapshot *snap, enum rpsl_range_kind kind,
                           const struct ip_range *range, enum range_mode mode, struct arena *arena,
                           struct id_list *out)
{
    size_t before = out->count;
    struct walk walk = {.kind = kind,
                        .wanted = range,
                        .view = snapshot_tree(snap, tree_of_range(kind)),
                        .arena = arena,
                        .out = out};
    enum err rc;

    assert(kind > RANGE_NONE && kind < RANGE_KIND_COUNT);
    switch (mode) {
    case RANGE_EXACT:
        return collect_exact(&walk, range);
    case RANGE_EXACT_OR_LESS:
        rc = collect_exact(&walk, range);
        return rc == ERR_OK && out->count == before ? collect_one_less(&walk) : rc;
    case RANGE_ONE_LESS:
        return collect_one_less(&walk);
    case RANGE_ALL_LESS:
        return collect_containing(&walk);
    case RANGE_ONE_MORE:
        return collect_one_more(&walk);
    case RANGE_ALL_MORE:
        return collect_more(&walk);
    }
    return ERR_OK;
}
