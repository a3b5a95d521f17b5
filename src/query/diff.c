/*
 * Myers' greedy forward algorithm, with the reference's choice among equally short edit scripts.
 *
 * Diagonal k holds the points (x, y) with x - y = k; x counts lines of the text before, y of the
 * one after. rows[d] has, for each diagonal k = -d, -d + 2, ..., d, how far x gets on it with d
 * edits. Once the end is reached, the rows lead back through the edits, which are marked at their
 * lines; runs of marked lines are the changes, and changes that are close share a hunk.
 */
#include "query/diff.h"

#define CONTEXT 1

struct lines {
    struct str *at;
    size_t count;
    bool *is_edited; /* Deleted of the text before, inserted of the text after. */
};

struct edits {
    struct lines before, after;
    struct arena *arena;
    size_t **rows;
    size_t row_count;
};

/* A run of deleted lines and the inserted ones in their place. */
struct change {
    size_t before, deleted, after, inserted;
};

static enum err cut_lines(struct str text, struct arena *arena, struct lines *out)
{
    struct str line;
    size_t count = 1;

    for (size_t i = 0; i < text.len; i++) {
        count += text.at[i] == '\n';
    }
    *out = (struct lines){.at = arena_alloc(arena, count * sizeof(*out->at)),
                          .is_edited = arena_calloc(arena, count, sizeof(*out->is_edited))};
    if (out->at == NULL || out->is_edited == NULL) {
        return ERR_LIMIT;
    }
    while (str_split(&text, '\n', &line)) {
        out->at[out->count++] = str_trim(line);
    }
    return ERR_OK;
}

/* --- the edit script --- */

static size_t *reach(const struct edits *edits, size_t d, ptrdiff_t k)
{
    return &edits->rows[d][(size_t)(k + (ptrdiff_t)d) / 2];
}

/* Whether the last of d edits that lead to diagonal k is an insertion. */
static bool ends_in_insertion(const struct edits *edits, size_t d, ptrdiff_t k)
{
    const ptrdiff_t last = (ptrdiff_t)d;

    return k == -last || (k != last && *reach(edits, d - 1, k - 1) < *reach(edits, d - 1, k + 1));
}

static size_t follow_equal_lines(const struct edits *edits, size_t x, ptrdiff_t k)
{
    size_t y = (size_t)((ptrdiff_t)x - k);

    while (x < edits->before.count && y < edits->after.count &&
           str_eq(edits->before.at[x], edits->after.at[y])) {
        x++;
        y++;
    }
    return x;
}

static enum err add_row(struct edits *edits)
{
    const size_t d = edits->row_count;

    if ((d & (d - 1)) == 0) { /* Full: its room doubles at powers of two. */
        size_t room = d == 0 ? 1 : 2 * d;
        size_t **grown =
            arena_grow(edits->arena, edits->rows, d * sizeof(*grown), room * sizeof(*grown));

        if (grown == NULL) {
            return ERR_LIMIT;
        }
        edits->rows = grown;
    }
    edits->rows[d] = arena_alloc(edits->arena, (d + 1) * sizeof(**edits->rows));
    edits->row_count++;
    return edits->rows[d] == NULL ? ERR_LIMIT : ERR_OK;
}

/* Fill rows until the end of both texts is reached. */
static enum err find_path(struct edits *edits)
{
    const ptrdiff_t end = (ptrdiff_t)edits->before.count - (ptrdiff_t)edits->after.count;

    for (size_t d = 0;; d++) {
        enum err rc = add_row(edits);

        if (rc != ERR_OK) {
            return rc;
        }
        for (ptrdiff_t k = -(ptrdiff_t)d; k <= (ptrdiff_t)d; k += 2) {
            size_t x = d == 0                           ? 0
                       : ends_in_insertion(edits, d, k) ? *reach(edits, d - 1, k + 1)
                                                        : *reach(edits, d - 1, k - 1) + 1;

            *reach(edits, d, k) = follow_equal_lines(edits, x, k);
            if (k == end && *reach(edits, d, k) >= edits->before.count) {
                return ERR_OK;
            }
        }
    }
}

static void mark_edits(struct edits *edits)
{
    ptrdiff_t k = (ptrdiff_t)edits->before.count - (ptrdiff_t)edits->after.count;

    for (size_t d = edits->row_count - 1; d > 0; d--) {
        if (ends_in_insertion(edits, d, k)) {
            k++;
            edits->after.is_edited[(ptrdiff_t)*reach(edits, d - 1, k) - k] = true;
        } else {
            k--;
            edits->before.is_edited[*reach(edits, d - 1, k)] = true;
        }
    }
}

/* --- hunks --- */

static size_t run_length(const struct lines *lines, size_t from)
{
    size_t to = from;

    while (to < lines->count && lines->is_edited[to]) {
        to++;
    }
    return to - from;
}

/* The next change at or behind the end of *change. @return false when there is none. */
static bool next_change(const struct edits *edits, struct change *change)
{
    size_t before = change->before + change->deleted, after = change->after + change->inserted;

    while (before < edits->before.count && after < edits->after.count &&
           !edits->before.is_edited[before] && !edits->after.is_edited[after]) {
        before++;
        after++;
    }
    *change = (struct change){before, run_length(&edits->before, before), after,
                              run_length(&edits->after, after)};
    return change->deleted + change->inserted > 0;
}

static void add_lines(const struct lines *lines, size_t from, size_t to, char sign, struct buf *out)
{
    for (size_t i = from; i < to; i++) {
        buf_add_char(out, sign);
        buf_add_str(out, lines->at[i]);
        buf_add_char(out, '\n');
    }
}

static size_t back_by_context(size_t at)
{
    return at > CONTEXT ? at - CONTEXT : 0;
}

/* Print the hunk that begins with a change. @return false when it was the last; else *change is the
 * next hunk's first. */
static bool print_hunk(const struct edits *edits, struct change *change, struct buf *out)
{
    const size_t begin = back_by_context(change->before);
    const size_t begin_after = back_by_context(change->after);
    size_t at = begin, end, inserted = 0, deleted = 0;
    struct buf body = {0};
    bool has_next;

    do {
        add_lines(&edits->before, at, change->before, ' ', &body);
        at = change->before + change->deleted;
        add_lines(&edits->before, change->before, at, '-', &body);
        add_lines(&edits->after, change->after, change->after + change->inserted, '+', &body);
        deleted += change->deleted;
        inserted += change->inserted;
        has_next = next_change(edits, change);
    } while (has_next && change->before <= at + 2 * CONTEXT);

    end = at + CONTEXT < edits->before.count ? at + CONTEXT : edits->before.count;
    add_lines(&edits->before, at, end, ' ', &body);
    buf_printf(out, "@@ -%zu,%zu +%zu,%zu @@\n", begin + 1, end - begin, begin_after + 1,
               end - begin - deleted + inserted);
    buf_add_str(out, buf_str(&body));
    buf_free(&body);
    return has_next;
}

enum err diff_unified(struct str before, struct str after, struct arena *arena, struct buf *out)
{
    struct edits edits = {.arena = arena};
    struct change change = {0};
    enum err rc;

    if ((rc = cut_lines(before, arena, &edits.before)) != ERR_OK ||
        (rc = cut_lines(after, arena, &edits.after)) != ERR_OK ||
        (rc = find_path(&edits)) != ERR_OK) {
        return rc;
    }
    mark_edits(&edits);
    if (next_change(&edits, &change)) {
        while (print_hunk(&edits, &change, out)) {
        }
    }
    return ERR_OK;
}
