/*
 * Readers: which version of each index a thread looks at, and which it keeps.
 * The pin of an index is the oldest version this reader has there: the current one, or an older one
 * on hold. See pins.h for why storing the pin before loading the root is enough.
 */
#include <assert.h>
#include <stdlib.h>

#include "storage/version.h"

#define INDEXES_MAX 64

/** A snapshot that outlives the next refresh. */
struct hold {
    const struct snapshot *snap;
    unsigned count;
};

/** One index as this reader sees it. */
struct view {
    struct index *index;
    struct pin *pin;
    const struct snapshot *now;
};

struct reader {
    struct text_reader texts;
    struct arena *scratch;
    struct view views[INDEXES_MAX];
    size_t view_count;
    struct hold *holds;
    size_t hold_count, hold_cap;
};

struct reader *reader_new(void)
{
    struct reader *reader = calloc(1, sizeof(*reader));

    if (reader == NULL) {
        abort();
    }
    text_reader_init(&reader->texts);
    reader->scratch = arena_new(SCRATCH_MAX_BYTES);
    return reader;
}

void reader_free(struct reader *reader)
{
    if (reader == NULL) {
        return;
    }
    assert(reader->hold_count == 0);
    for (size_t i = 0; i < reader->view_count; i++) {
        pins_give_back(&reader->views[i].index->pins, reader->views[i].pin);
    }
    text_reader_fini(&reader->texts);
    arena_free(reader->scratch);
    free(reader->holds);
    free(reader);
}

struct text_reader *reader_texts(struct reader *reader)
{
    return &reader->texts;
}

void reader_attach(struct reader *reader, struct index *index)
{
    for (size_t i = 0; i < reader->view_count; i++) {
        if (reader->views[i].index == index) {
            return;
        }
    }
    assert(reader->view_count < INDEXES_MAX);
    reader->views[reader->view_count++] =
        (struct view){.index = index, .pin = pins_take(&index->pins)};
}

struct arena *reader_scratch(struct reader *reader)
{
    return reader->scratch;
}

/** Let the pin say what is used: the current version and those on hold. */
static void settle_pin(const struct reader *reader, const struct view *view)
{
    uint32_t oldest = view->now != NULL ? view->now->version : PIN_NONE;

    for (size_t i = 0; i < reader->hold_count; i++) {
        const struct snapshot *held = reader->holds[i].snap;

        if (held->index == view->index && held->version < oldest) {
            oldest = held->version;
        }
    }
    atomic_store(&view->pin->oldest, oldest);
}

void reader_refresh(struct reader *reader)
{
    for (size_t i = 0; i < reader->view_count; i++) {
        struct view *view = &reader->views[i];

        if (atomic_load_explicit(&view->index->root, memory_order_acquire) == view->now) {
            continue;
        }
        if (view->now == NULL) {
            atomic_store(&view->pin->oldest, atomic_load(&view->index->published));
        } /* Else the pin is on an older version, which keeps newer ones as well. */
        view->now = atomic_load(&view->index->root);
        settle_pin(reader, view);
    }
}

const struct snapshot *reader_snapshot(struct reader *reader, const struct index *index)
{
    for (size_t i = 0; i < reader->view_count; i++) {
        if (reader->views[i].index == index) {
            return reader->views[i].now;
        }
    }
    return NULL;
}

static struct hold *find_hold(struct reader *reader, const struct snapshot *snap)
{
    for (size_t i = 0; i < reader->hold_count; i++) {
        if (reader->holds[i].snap == snap) {
            return &reader->holds[i];
        }
    }
    return NULL;
}

void snapshot_hold(struct reader *reader, const struct snapshot *snap)
{
    struct hold *hold = find_hold(reader, snap);

    if (hold != NULL) {
        hold->count++;
        return;
    }
    if (reader->hold_count == reader->hold_cap) {
        reader->hold_cap = reader->hold_cap == 0 ? 16 : reader->hold_cap * 2;
        reader->holds = realloc(reader->holds, reader->hold_cap * sizeof(reader->holds[0]));
        if (reader->holds == NULL) {
            abort();
        }
    }
    reader->holds[reader->hold_count++] = (struct hold){snap, 1};
}

void snapshot_release(struct reader *reader, const struct snapshot *snap)
{
    struct hold *hold = find_hold(reader, snap);

    assert(hold != NULL);
    if (--hold->count > 0) {
        return;
    }
    for (size_t i = 0; i < reader->view_count; i++) {
        if (reader->views[i].index == snap->index) {
            *hold = reader->holds[--reader->hold_count];
            settle_pin(reader, &reader->views[i]);
            return;
        }
    }
}
