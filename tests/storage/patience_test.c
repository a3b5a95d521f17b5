/* Updates wait for readers who keep too much memory of old versions: how long, and what then. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "database.h"
#include "objects.h"
#include "storage/source_parts.h"

enum { OBJECTS = 2000, CHANGED = 100, TEXT_BYTES = 1500, LOOK_MS = 1000 };

static struct source *source;
static struct storage *storage;
static struct reader *reader;
static struct arena *arena;
static const struct snapshot *held;
static uint64_t seed = 5;
static int looks, lets_go_at;

/** Who looks at the clock finds it a second later. */
static void on_look(void)
{
    test_mono_ms += LOOK_MS;
    if (++looks == lets_go_at) {
        snapshot_release(reader, held);
        reader_refresh(reader);
        held = NULL;
    }
}

static void setup(void)
{
    test_mono_stands = true;
    arena = arena_new(1 << 20);
    storage = database_open(&source);
    reader = reader_new();
    reader_attach(reader, source_index(source));
}

static void let_go(void)
{
    if (held != NULL) {
        snapshot_release(reader, held);
        held = NULL;
    }
    reader_refresh(reader);
}

static void teardown(void)
{
    test_mono_hook = NULL;
    let_go();
    reader_free(reader);
    storage_free(storage);
    arena_free(arena);
}

TestSuite(patience, .init = setup, .fini = teardown, .timeout = 120);

/** An object with a text that does not become much smaller. */
static void put(uint32_t id)
{
    char noise[TEXT_BYTES + 1];

    for (size_t i = 0; i < TEXT_BYTES; i++) {
        noise[i] = (char)('a' + draw(&seed, 26));
    }
    noise[TEXT_BYTES] = '\0';
    cr_assert_eq(
        put_text(source_index(source), id,
                 arena_printf(arena, "mntner: M%u-MNT\nremarks: %s\nsource: RIPE\n", id, noise),
                 arena),
        ERR_OK);
    arena_reset(arena);
}

static bool is_full(void)
{
    return index_collect(source_index(source)) > index_garbage_limit(source_index(source));
}

/** Hold a version, and change the index until what waits for it is too much. */
static void fill_memory(void)
{
    struct index *index = source_index(source);

    index_begin(index);
    for (uint32_t id = 1; id <= OBJECTS; id++) {
        put(id);
    }
    source_publish(source);
    reader_refresh(reader);
    held = reader_snapshot(reader, index);
    snapshot_hold(reader, held);
    while (!is_full()) {
        index_begin(index);
        for (int i = 0; i < CHANGED; i++) {
            put(1 + draw(&seed, OBJECTS));
        }
        source_publish(source);
        reader_refresh(reader);
    }
}

/** Wait for room. @return For how many seconds that was. */
static int wait_of_a_batch(void)
{
    const int64_t began = test_mono_ms;
    struct room_wait wait = {0};

    looks = 0;
    test_mono_hook = on_look;
    while (!source_has_room(source, &wait)) {
    }
    test_mono_hook = NULL;
    return (int)((test_mono_ms - began) / LOOK_MS);
}

/** A batch waits so many seconds; the looks around it take one each. */
static void expect_wait(int seconds)
{
    const int waited = wait_of_a_batch();

    cr_expect(waited >= seconds && waited <= seconds + 2, "%d s instead of %d", waited, seconds);
}

Test(patience, who_does_not_let_go_is_unwanted_after_half_a_minute)
{
    fill_memory();
    cr_expect_not(snapshot_is_unwanted(held), "not before anybody waits");
    expect_wait(30);
    cr_expect(snapshot_is_unwanted(held));
    cr_expect_not(snapshot_is_unwanted(reader_snapshot(reader, source_index(source))));
    cr_expect(is_full());
    cr_expect(snapshot_is_unwanted(held), "as long as there is no room");
    let_go();
    cr_expect_not(is_full());
    cr_expect_eq(wait_of_a_batch(), 1, "looked once");
}

Test(patience, who_lets_go_in_time_is_waited_for)
{
    fill_memory();
    lets_go_at = 20;
    expect_wait(20);
    cr_expect_null(held);
    cr_expect_not(is_full());
    cr_expect_not(snapshot_is_unwanted(reader_snapshot(reader, source_index(source))));
}

Test(patience, what_is_left_of_it_is_used_up_by_the_next_and_comes_back_slowly)
{
    fill_memory();
    lets_go_at = 20;
    expect_wait(20);
    lets_go_at = 0;
    fill_memory();
    expect_wait(11); /* The first look took none of it. */
    cr_expect(snapshot_is_unwanted(held));
    let_go();
    fill_memory();
    expect_wait(1);
    cr_expect(snapshot_is_unwanted(held));
    let_go();
    fill_memory();
    test_mono_ms += 150000;
    expect_wait(15);
    cr_expect(snapshot_is_unwanted(held));
    let_go();
    fill_memory();
    test_mono_ms += 3600000;
    expect_wait(30);
}

/** Another mirror, with versions of its own that somebody holds. */
static struct source *add_full_source(void)
{
    struct source *first = source, *other;
    struct why why;

    other = storage_add(storage, SOURCE_MIRROR, "OTHER-GRS", "OTHER", &why);
    cr_assert_not_null(other, "%s", why.text);
    reader_attach(reader, source_index(other));
    source = other;
    fill_memory();
    source = first;
    return other;
}

Test(patience, is_one_for_all_sources)
{
    fill_memory();
    expect_wait(30);
    let_go();
    source = add_full_source();
    expect_wait(0);
    cr_expect(snapshot_is_unwanted(held));
}

/** Those who wait at the same time use it up once. */
Test(patience, is_used_up_by_time_not_by_those_who_wait)
{
    struct room_wait waits[2] = {0};
    const struct snapshot *hold;
    struct source *other;
    int64_t began, waited;

    fill_memory();
    hold = held;
    other = add_full_source();
    began = test_mono_ms;
    while (!source_has_room(source, &waits[0]) && !source_has_room(other, &waits[1])) {
        test_mono_ms += 10;
    }
    waited = test_mono_ms - began;
    cr_expect(waited >= 30000 && waited <= 30020, "%d ms", (int)waited);
    snapshot_release(reader, hold);
}

Test(patience, is_not_used_up_by_who_has_stopped_waiting)
{
    struct room_wait wait = {0};

    fill_memory();
    cr_expect_not(source_has_room(source, &wait));
    test_mono_ms += 10000;
    cr_expect_not(source_has_room(source, &wait));
    test_mono_ms += 50000; /* 10 s are used up, and 5 come back. */
    expect_wait(25);
}

/** Who asks does not keep the source to himself meanwhile. */
Test(patience, does_not_lock_the_source)
{
    struct room_wait wait = {0};

    fill_memory();
    cr_expect_not(source_has_room(source, &wait));
    cr_expect(source_try_lock(source, WRITER_LOAD));
    cr_expect(source_has_room(source, &wait), "whoever begins a batch now is told of the load");
    source_unlock(source);
}

Test(patience, a_stop_ends_it)
{
    fill_memory();
    storage_stop_waiting(storage);
    expect_wait(1);
    storage_stop_waiting(NULL);
}

Test(patience, texts_are_not_moved_while_there_is_no_room)
{
    struct index_memory memory;
    struct index_contents contents;

    fill_memory();
    cr_assert(index_wants_compaction(source_index(source)));
    source_compact(source);
    cr_expect(index_wants_compaction(source_index(source)));
    let_go();
    for (int i = 0; i < 100 && index_wants_compaction(source_index(source)); i++) {
        source_compact(source);
        reader_refresh(reader);
    }
    cr_expect_not(index_wants_compaction(source_index(source)));
    source_housekeep(source);
    source_get_contents(source, &contents, &memory);
    cr_expect_lt(memory.garbage, memory.garbage_limit);
}
