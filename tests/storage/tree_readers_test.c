/*
 * One writer beside many readers at the level of trees: readers check every version they pin, and
 * in the end all memory of old versions is given back. A plain program, because Criterion does not
 * run under the thread sanitizer.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "objects.h"
#include "storage/bytes.h"
#include "storage/pins.h"
#include "storage/tree.h"

static const struct tree_shape shape = {12, 12, 4, 4, false};

static void require(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "FAILED: %s\n", what);
        exit(1);
    }
}

#define READERS  4
#define VERSIONS 400
#define PAIRS    3000

/* A version: the records of `ones` sum to the same as always, and so do those of `twos`. */
struct version {
    uint32_t number;
    struct tree ones, twos;
};

struct shared {
    struct nodes nodes;
    struct pins pins;
    _Atomic(struct version *) root;
    _Atomic uint32_t published;
    atomic_bool stop;
};

/* Each value is in exactly one of the two trees: a reader that sees a mix counts wrong. */
static void *read_versions(void *context)
{
    struct shared *shared = context;
    struct pin *pin = pins_take(&shared->pins);
    uintptr_t checked = 0;

    while (!atomic_load(&shared->stop) || checked == 0) {
        const struct version *version;
        const struct tree *trees[2];
        uint64_t sum = 0;

        atomic_store(&pin->oldest, atomic_load(&shared->published));
        version = atomic_load(&shared->root);
        trees[0] = &version->ones;
        trees[1] = &version->twos;
        for (int i = 0; i < 2; i++) {
            struct tree_view view = {&shared->nodes, &shape, trees[i]};
            struct tree_cursor cursor;

            for (const uint8_t *r = tree_seek(&cursor, view, NULL); r != NULL;
                 r = tree_next(&cursor)) {
                sum += load32(r);
            }
        }
        if (version->ones.count + version->twos.count != PAIRS ||
            sum != (uint64_t)PAIRS * (PAIRS - 1) / 2) {
            return NULL;
        }
        checked++;
    }
    pins_give_back(&shared->pins, pin);
    return (void *)checked;
}

/* What a version retired, kept until no reader pins an older one. */
struct garbage {
    struct version *root; /* The version before. */
    struct number_list nodes;
};

static size_t collect(struct shared *shared, struct garbage *garbage, size_t from, size_t to)
{
    uint32_t oldest = pins_oldest(&shared->pins);

    while (from < to && garbage[from].root->number < oldest) {
        free(garbage[from].root);
        nodes_release(&shared->nodes, &garbage[from].nodes);
        from++;
    }
    return from;
}

int main(void)
{
    static struct shared shared;
    static struct garbage garbage[VERSIONS];
    pthread_t readers[READERS];
    size_t collected = 0, versions = 0;
    uint64_t seed = 4, used = 0;
    struct version *now = calloc(1, sizeof(*now));
    struct tree_view view = {&shared.nodes, &shape, NULL};

    nodes_init(&shared.nodes);
    pins_init(&shared.pins);
    nodes_begin(&shared.nodes, 1);
    for (uint32_t i = 0; i < PAIRS; i++) {
        uint8_t record[12] = {0};

        store32(record, i);
        tree_put(&shared.nodes, &shape, i % 2 ? &now->ones : &now->twos, record);
    }
    now->number = 1;
    nodes_publish(&shared.nodes, &garbage[0].nodes);
    atomic_store(&shared.root, now);
    atomic_store(&shared.published, 1);
    for (int i = 0; i < READERS; i++) {
        pthread_create(&readers[i], NULL, read_versions, &shared);
    }
    for (; versions < VERSIONS; versions++) {
        struct version *next = malloc(sizeof(*next));

        *next = *now;
        next->number++;
        nodes_begin(&shared.nodes, next->number);
        for (int i = 0; i < 40; i++) {
            uint8_t record[12] = {0};
            bool from_ones;

            store32(record, draw(&seed, PAIRS));
            from_ones = tree_remove(&shared.nodes, &shape, &next->ones, record);
            if (!from_ones) {
                require(tree_remove(&shared.nodes, &shape, &next->twos, record),
                        "a value is in a tree");
            }
            tree_put(&shared.nodes, &shape, from_ones ? &next->twos : &next->ones, record);
        }
        if (versions % 5 == 4) {
            nodes_rollback(&shared.nodes);
            free(next);
            garbage[versions].root = calloc(1, sizeof(*now)); /* Nothing: keeps the array dense. */
            continue;
        }
        nodes_publish(&shared.nodes, &garbage[versions].nodes);
        garbage[versions].root = now;
        atomic_store(&shared.root, next);
        atomic_store(&shared.published, next->number);
        now = next;
        collected = collect(&shared, garbage, collected, versions + 1);
    }
    atomic_store(&shared.stop, true);
    for (int i = 0; i < READERS; i++) {
        void *checked;

        pthread_join(readers[i], &checked);
        require(checked != NULL, "readers see no mix of versions");
    }
    collected = collect(&shared, garbage, collected, versions);
    require(collected == versions, "no garbage is left when nobody reads");
    for (int i = 0; i < 2; i++) {
        view.tree = i == 0 ? &now->ones : &now->twos;
        require(tree_check(view, &used) == NULL, "the trees are sound");
    }
    require(nodes_used(&shared.nodes) == used, "only the trees use nodes");
    free(now);
    pins_fini(&shared.pins);
    nodes_fini(&shared.nodes);
    return 0;
}
