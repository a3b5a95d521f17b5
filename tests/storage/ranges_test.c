/*
 * Every range mode against its definition over a plain array, with ranges that nest, touch, repeat
 * and cross, put in random order; and the executed examples of the language description.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "objects.h"

#define RANGES 300

struct held {
    struct ip_range range;
    uint32_t id;
};

static struct arena *arena, *keep; /* keep: not emptied by assert_modes(). */
static struct index *made;
static struct reader *reader;
static struct held held[RANGES];
static size_t held_count;

static void setup(void)
{
    arena = arena_new(1 << 28);
    keep = arena_new(1 << 24);
    made = index_new("TEST");
    reader = reader_new();
    reader_attach(reader, made);
    held_count = 0;
}

static void teardown(void)
{
    struct why why;

    cr_expect(index_check(made, &why), "%s", why.text);
    reader_free(reader);
    index_free(made);
    arena_free(arena);
    arena_free(keep);
}

TestSuite(storage_ranges, .init = setup, .fini = teardown, .timeout = 120);

static void put_held(uint32_t id, struct str text)
{
    struct rpsl_object object;
    struct rpsl_key key;

    parse_good(text, arena, &object, &key);
    cr_assert_eq(index_put(made, id, 1, 1, &object, &key), ERR_OK);
    cr_assert_neq(rpsl_object_range(&key, &held[held_count].range), RANGE_NONE, "%s", text.at);
    held[held_count++].id = id;
}

static void put(uint32_t id, const char *class, const char *range)
{
    put_held(id, arena_printf(arena, "%s: %s\nsource: TEST\n", class, range));
}

static int compare_held(const void *a, const void *b)
{
    const struct held *x = a, *y = b;

    if (x->range.begin != y->range.begin) {
        return x->range.begin < y->range.begin ? -1 : 1;
    }
    if (x->range.end != y->range.end) {
        return x->range.end > y->range.end ? -1 : 1;
    }
    return (x->id > y->id) - (x->id < y->id);
}

/* --- the definitions --- */

static bool same(const struct ip_range *a, const struct ip_range *b)
{
    return a->begin == b->begin && a->end == b->end;
}

static bool strictly_inside(const struct ip_range *inner, const struct ip_range *outer)
{
    return inner->begin >= outer->begin && inner->end <= outer->end && !same(inner, outer);
}

static const struct ip_range *smallest_around(const struct ip_range *wanted)
{
    const struct ip_range *best = NULL;

    for (size_t i = 0; i < held_count;
         i++) { /* Sorted: the first of equal size has the lowest begin. */
        const struct ip_range *range = &held[i].range;

        if (strictly_inside(wanted, range) &&
            (best == NULL || range->end - range->begin < best->end - best->begin)) {
            best = range;
        }
    }
    return best;
}

static bool has_exact(const struct ip_range *wanted)
{
    for (size_t i = 0; i < held_count; i++) {
        if (same(&held[i].range, wanted)) {
            return true;
        }
    }
    return false;
}

static bool is_outermost(const struct ip_range *range, const struct ip_range *wanted)
{
    for (size_t i = 0; i < held_count; i++) {
        if (strictly_inside(&held[i].range, wanted) && strictly_inside(range, &held[i].range)) {
            return false;
        }
    }
    return strictly_inside(range, wanted);
}

static bool belongs(const struct ip_range *range, const struct ip_range *wanted,
                    enum range_mode mode, const struct ip_range *around, bool exact)
{
    switch (mode) {
    case RANGE_EXACT:
        return same(range, wanted);
    case RANGE_EXACT_OR_LESS:
        return exact ? same(range, wanted) : around != NULL && same(range, around);
    case RANGE_ONE_LESS:
        return around != NULL && same(range, around);
    case RANGE_ALL_LESS:
        return same(range, wanted) || strictly_inside(wanted, range);
    case RANGE_ONE_MORE:
        return is_outermost(range, wanted);
    case RANGE_ALL_MORE:
        return strictly_inside(range, wanted);
    }
    return false;
}

static void assert_modes(enum rpsl_range_kind kind, const struct ip_range *wanted, uint64_t seed)
{
    const struct snapshot *snap = reader_snapshot(reader, made);
    const struct ip_range *around = smallest_around(wanted);
    bool exact = has_exact(wanted);

    for (unsigned mode = RANGE_EXACT; mode <= RANGE_ALL_MORE; mode++) {
        struct id_list list = {0};
        size_t at = 0;

        cr_assert_eq(snapshot_by_range(snap, kind, wanted, mode, arena, &list), ERR_OK);
        for (size_t i = 0; i < held_count; i++) {
            if (belongs(&held[i].range, wanted, mode, around, exact)) {
                cr_assert(at < list.count && list.ids[at] == held[i].id,
                          "seed %lu mode %u range %lu - %lu: object %u is not at %zu", seed, mode,
                          (unsigned long)wanted->begin, (unsigned long)wanted->end, held[i].id, at);
                at++;
            }
        }
        cr_assert_eq(at, list.count, "seed %lu mode %u: %zu ids too many", seed, mode,
                     list.count - at);
    }
    arena_reset(arena);
}

static void publish(void)
{
    index_publish(made, (index_position){.serial = 1});
    reader_refresh(reader);
    qsort(held, held_count, sizeof(held[0]), compare_held);
}

static void run_ipv4(uint64_t first_seed, uint32_t width, size_t count)
{
    uint64_t seed = first_seed;

    index_begin(made);
    for (uint32_t id = 1; id <= count; id++) {
        uint32_t begin = draw(&seed, width), end = begin + draw(&seed, width - begin);
        char range[80];

        if (draw(&seed, 3) == 0) {
            end = begin + draw(&seed, width - begin < 4 ? width - begin : 4);
        }
        snprintf(range, sizeof(range), "10.0.%u.%u - 10.0.%u.%u", begin / 256, begin % 256,
                 end / 256, end % 256);
        put(id, "inetnum", range);
    }
    publish();
    for (int i = 0; i < 2000; i++) {
        uint32_t base = 10u << 24, begin = draw(&seed, width),
                 end = begin + draw(&seed, width - begin);
        struct ip_range wanted = {.begin = base + begin, .end = base + end};

        if (i % 4 == 0) {
            wanted = held[draw(&seed, (uint32_t)held_count)].range;
        }
        assert_modes(RANGE_INETNUM, &wanted, first_seed);
    }
    assert_modes(RANGE_INETNUM, &(struct ip_range){.begin = 0, .end = UINT32_MAX}, first_seed);
    assert_modes(RANGE_INETNUM, &(struct ip_range){.begin = UINT32_MAX, .end = UINT32_MAX},
                 first_seed);
}

Test(storage_ranges, every_mode_is_its_definition_when_ranges_cross)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        run_ipv4(seed, seed % 2 ? 40 : 2000, seed % 3 ? RANGES : 20);
        teardown();
        setup();
    }
}

Test(storage_ranges, every_mode_is_its_definition_for_ipv6)
{
    uint64_t seed = 9;

    index_begin(made);
    for (uint32_t id = 1; id <= RANGES; id++) {
        char prefix[80];

        snprintf(prefix, sizeof(prefix), "2001:db8:%x::/%u", draw(&seed, 64) << draw(&seed, 10),
                 24 + draw(&seed, 25));
        put(id, "inet6num", prefix);
    }
    publish();
    for (int i = 0; i < 2000; i++) {
        struct ip_range wanted = held[draw(&seed, (uint32_t)held_count)].range;

        if (i % 2) {
            wanted.end = wanted.begin + ((wanted.end - wanted.begin) >> draw(&seed, 5));
        }
        assert_modes(RANGE_INET6NUM, &wanted, 9);
    }
}

/* A random object of a kind: few enough places for ranges to nest, touch and repeat, and to cross
 * where they need not be prefixes. */
static struct str make_object(enum rpsl_range_kind kind, uint64_t *seed)
{
    uint32_t begin = draw(seed, 200), end = begin + draw(seed, 200 - begin);
    uint32_t bits = draw(seed, 9);

    switch (kind) {
    case RANGE_INETNUM:
        return arena_printf(keep, "inetnum: 10.0.0.%u - 10.0.0.%u\nsource: TEST\n", begin, end);
    case RANGE_INET6NUM:
        return arena_printf(keep, "inet6num: 2001:db8::%x/%u\nsource: TEST\n", begin, 120 + bits);
    case RANGE_ROUTE:
        return arena_printf(keep, "route: 10.0.0.%u/%u\norigin: AS%u\nsource: TEST\n",
                            begin >> (8 - bits) << (8 - bits), 24 + bits, end);
    case RANGE_ROUTE6:
        return arena_printf(keep, "route6: 2001:db8::%x/%u\norigin: AS%u\nsource: TEST\n", begin,
                            120 + bits, end);
    case RANGE_DOMAIN4:
        return arena_printf(keep, "domain: %u-%u.0.0.10.in-addr.arpa\nsource: TEST\n", begin, end);
    case RANGE_DOMAIN6:
        return bits < 5
                   ? arena_printf(keep, "domain: %x.8.b.d.0.1.0.0.2.ip6.arpa\nsource: TEST\n",
                                  begin % 16)
                   : arena_printf(keep, "domain: %x.%x.8.b.d.0.1.0.0.2.ip6.arpa\nsource: TEST\n",
                                  end % 16, begin % 16);
    default:
        return arena_printf(keep, "as-block: AS%u - AS%u\nsource: TEST\n", begin, end);
    }
}

/* Everything that was put, what begins with one of them and ends with another, and its inside. */
static void assert_all(enum rpsl_range_kind kind, uint64_t seed)
{
    for (size_t i = 0; i < held_count; i++) {
        for (size_t j = i % 7; j < held_count; j += 7) {
            struct ip_range wanted = {.begin = held[i].range.begin,
                                      .end = held[j].range.end,
                                      .is_v6 = held[i].range.is_v6};

            if (wanted.begin > wanted.end) {
                continue;
            }
            assert_modes(kind, &wanted, seed);
            wanted.begin += wanted.begin < wanted.end;
            assert_modes(kind, &wanted, seed);
            wanted.end -= wanted.begin < wanted.end;
            assert_modes(kind, &wanted, seed);
        }
    }
}

/* The objects of a seed, put in an order of their own and in many batches, while others come and
 * go; then some of them go, too: what is found is what the definition says, by the same ids. */
static void run_in_order(enum rpsl_range_kind kind, uint64_t object_seed, uint64_t order_seed)
{
    enum { COUNT = 90, PER_BATCH = 7, PASSING = 10000 };
    struct str texts[COUNT];
    uint32_t ids[COUNT];
    uint64_t seed = order_seed;

    for (uint32_t i = 0; i < COUNT; i++) {
        texts[i] = make_object(kind, &object_seed);
        ids[i] = i;
    }
    for (uint32_t i = COUNT - 1; i > 0; i--) {
        uint32_t other = draw(&seed, i + 1), id = ids[i];

        ids[i] = ids[other];
        ids[other] = id;
    }
    index_begin(made);
    for (uint32_t i = 0; i < COUNT; i++) {
        put_held(ids[i] + 1, texts[ids[i]]);
        put_held(PASSING + i, texts[draw(&seed, COUNT)]);
        held_count--;
        if (i >= PER_BATCH) {
            cr_assert_eq(index_remove(made, PASSING + i - PER_BATCH), ERR_OK);
        }
        if (i % PER_BATCH == 0) {
            publish();
            index_begin(made);
        }
    }
    for (uint32_t i = COUNT - PER_BATCH; i < COUNT; i++) {
        cr_assert_eq(index_remove(made, PASSING + i), ERR_OK);
    }
    publish();
    assert_all(kind, order_seed);
    index_begin(made);
    for (size_t i = 0; i < held_count; i += 1 + draw(&seed, 3)) {
        cr_assert_eq(index_remove(made, held[i].id), ERR_OK);
        held[i] = held[--held_count];
    }
    publish();
    assert_all(kind, order_seed);
}

Test(storage_ranges, the_order_of_arrival_decides_nothing)
{
    for (int kind = RANGE_NONE + 1; kind < RANGE_KIND_COUNT; kind++) {
        for (uint64_t seed = 1; seed <= 4; seed++) {
            run_in_order((enum rpsl_range_kind)kind, 1 + seed / 3, seed);
            teardown();
            setup();
        }
    }
}

Test(storage_ranges, nothing_is_found_in_an_empty_tree)
{
    index_begin(made);
    publish();
    assert_modes(RANGE_ROUTE6, &(struct ip_range){.begin = 1, .end = 1, .is_v6 = true}, 0);
    assert_modes(RANGE_AS_BLOCK, &(struct ip_range){.begin = 1, .end = 5}, 0);
}

static void assert_ids(const char *wanted_text, enum range_mode mode, const char *expected)
{
    struct ip_range wanted;
    struct id_list list = {0};
    char got[100] = "";

    cr_assert_eq(ip_parse_v4(str_from(wanted_text), &wanted), ERR_OK);
    cr_assert_eq(snapshot_by_range(reader_snapshot(reader, made), RANGE_INETNUM, &wanted, mode,
                                   arena, &list),
                 ERR_OK);
    for (size_t i = 0; i < list.count; i++) {
        snprintf(got + strlen(got), sizeof(got) - strlen(got), "%u ", list.ids[i]);
    }
    cr_expect_str_eq(got, expected, "%s mode %d: %s", wanted_text, mode, got);
}

Test(storage_ranges, answers_the_examples_of_the_language)
{
    static const char *const ranges[] = {
        "0.0.0.0 - 255.255.255.255", "10.0.0.0 - 10.255.255.255", "10.0.0.0 - 10.0.3.255",
        "10.0.0.0 - 10.0.0.255",     "10.0.1.0 - 10.0.1.10",      "10.2.0.0 - 10.2.0.255",
        "11.0.0.0 - 11.0.0.255",
    };

    index_begin(made);
    for (uint32_t i = 7; i > 0; i--) {
        put(i, "inetnum", ranges[i - 1]);
    }
    publish();
    assert_ids("10.0.0.5", RANGE_EXACT_OR_LESS, "4 ");
    assert_ids("10.0.0.5", RANGE_ONE_LESS, "4 ");
    assert_ids("10.0.0.5", RANGE_ONE_MORE, "");
    assert_ids("10.0.0.5", RANGE_ALL_LESS, "1 2 3 4 ");
    assert_ids("10.0.0.0/24", RANGE_EXACT_OR_LESS, "4 ");
    assert_ids("10.0.0.0/24", RANGE_ONE_LESS, "3 ");
    assert_ids("10.0.0.0/24", RANGE_ALL_MORE, "");
    assert_ids("10.0.0.0/8", RANGE_EXACT, "2 ");
    assert_ids("10.0.0.0/8", RANGE_ONE_LESS, "1 ");
    assert_ids("10.0.0.0/8", RANGE_ONE_MORE, "3 6 ");
    assert_ids("10.0.0.0/8", RANGE_ALL_MORE, "3 4 5 6 ");
    assert_ids("10.0.0.0-10.0.2.0", RANGE_EXACT_OR_LESS, "3 ");
    assert_ids("10.0.0.0-10.0.2.0", RANGE_EXACT, "");
    assert_ids("10.0.0.0-10.0.2.0", RANGE_ONE_MORE, "4 5 ");
    assert_ids("10.0.0.0-10.0.2.0", RANGE_ALL_MORE, "4 5 ");
    assert_ids("9.0.0.0-11.255.255.255", RANGE_EXACT_OR_LESS, "1 ");
    assert_ids("9.0.0.0-11.255.255.255", RANGE_ONE_MORE, "2 7 ");
    assert_ids("9.0.0.0-11.255.255.255", RANGE_ALL_MORE, "2 3 4 5 6 7 ");
}

Test(storage_ranges, both_of_two_crossing_ranges_are_found)
{
    index_begin(made);
    put(1, "inetnum", "10.0.0.0 - 10.0.0.20");
    put(2, "inetnum", "10.0.0.5 - 10.0.0.100");
    put(3, "inetnum", "10.0.0.6 - 10.0.0.7");
    publish();
    assert_ids("10.0.0.0 - 10.0.0.200", RANGE_ONE_MORE, "1 2 ");
    assert_ids("10.0.0.6", RANGE_ALL_LESS, "1 2 3 ");
    assert_ids("10.0.0.6 - 10.0.0.7", RANGE_ONE_LESS, "1 ");
    assert_ids("10.0.0.50", RANGE_EXACT_OR_LESS, "2 ");
}

/* Step by step, and no step adds much. */
Test(storage_ranges, a_long_walk_goes_in_steps)
{
    const struct ip_range everything = {.begin = 0, .end = UINT32_MAX};

    index_begin(made);
    for (uint32_t id = 1; id <= 3000; id++) {
        char range[40];

        snprintf(range, sizeof(range), "10.0.%u.%u", id / 256, id % 256);
        put(id, "inetnum", range);
        held_count = 0;
    }
    publish();
    for (int mode = RANGE_ONE_MORE; mode <= RANGE_ALL_MORE; mode++) {
        struct id_list list = {0};
        struct id_walk *walk = NULL;
        enum walk_progress progress = WALK_MORE;
        unsigned steps = 0;

        cr_assert_eq(snapshot_range_walk(reader_snapshot(reader, made), RANGE_INETNUM, &everything,
                                         (enum range_mode)mode, arena, &list, &walk),
                     ERR_OK);
        for (size_t before = 0; progress != WALK_DONE; before = list.count, steps++) {
            cr_assert_eq(id_walk_step(walk, &progress), ERR_OK);
            cr_assert_leq(list.count, before + 256);
        }
        cr_expect_eq(list.count, 3000);
        cr_expect_geq(steps, 3000 / 256);
    }
}
