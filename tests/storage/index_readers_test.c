/*
 * One writer beside many readers: the writer moves two objects together, readers never see one
 * moved without the other, texts are whole, holds outlive refreshes, and in the end all memory of
 * old versions is given back. A plain program, because Criterion does not run under the thread
 * sanitizer.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "objects.h"

#define READERS  4
#define BATCHES  600
#define OBJECTS  300
#define FILLER   2000 /* Bytes of text: enough for many segments and compactions. */
#define HOLD_FOR 20   /* Refreshes. */

static struct index *shared;
static atomic_bool stop;

static void require(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "FAILED: %s\n", what);
        exit(1);
    }
}

/* An object whose range and contact say the same number; its remarks do not compress. */
static void put(struct arena *arena, uint64_t *seed, uint32_t id, uint32_t number)
{
    static char filler[FILLER + 1];
    struct str text;

    for (int i = 0; i < FILLER; i++) {
        filler[i] = (char)('!' + draw(seed, 90));
    }
    text = arena_printf(arena,
                        "inetnum: 10.%u.%u.0 - 10.%u.%u.255\nnetname: NET-%u\nadmin-c: P%u-TEST\n"
                        "remarks: %s\nsource: TEST\n",
                        number / 256, number % 256, number / 256, number % 256, id, number, filler);
    require(put_text(shared, id, text, arena) == ERR_OK, "put");
    arena_reset(arena);
}

/* Objects 1 and 2 always have one number and the same range: two hits, or none. */
static void check_pair(struct reader *reader, const struct snapshot *snap, struct arena *arena)
{
    struct rpsl_object object;
    struct rpsl_key key;
    struct ip_range range;
    struct id_list list = {0};
    struct str text;
    const struct rpsl_attr *contact;

    require(snapshot_position(snap).objects == OBJECTS, "the count is of the version");
    require(snapshot_text(reader, snap, 1, arena, &text) == ERR_OK, "text");
    require(rpsl_parse(text, arena, &object) == ERR_OK, "the text is whole");
    require(rpsl_object_key(&object, arena, &key) == ERR_OK, "the text has a key");
    require(rpsl_object_range(&key, &range) == RANGE_INETNUM, "the text has a range");
    require(snapshot_by_range(snap, RANGE_INETNUM, &range, RANGE_EXACT, arena, &list) == ERR_OK,
            "range");
    require(list.count >= 2 && list.ids[0] == 1 && list.ids[1] == 2, "both are at the range");
    contact = rpsl_find(&object, ATTR_ADMIN_C, 0);
    require(contact != NULL, "the text has a contact");
    list = (struct id_list){0};
    require(snapshot_by_value(snap, ATTR_ADMIN_C, rpsl_clean_value(contact->value, arena), arena,
                              &list) == ERR_OK,
            "value");
    require(list.count >= 2 && list.ids[0] == 1 && list.ids[1] == 2, "both have the contact");
}

static void *read_versions(void *context)
{
    struct reader *reader = reader_new();
    struct arena *arena = arena_new(1 << 26);
    const struct snapshot *held = NULL;
    unsigned refreshes = 0;

    reader_attach(reader, shared);
    do {
        const struct snapshot *snap;

        reader_refresh(reader);
        snap = reader_snapshot(reader, shared);
        require(snap != NULL, "a version is published");
        if (refreshes % HOLD_FOR == 0) {
            if (held != NULL) {
                snapshot_release(reader, held);
            }
            held = snap;
            snapshot_hold(reader, held);
        }
        check_pair(reader, snap, arena);
        check_pair(reader, held, arena);
        arena_reset(arena);
        refreshes++;
    } while (!atomic_load(&stop));
    snapshot_release(reader, held);
    reader_free(reader);
    arena_free(arena);
    return NULL;
}

static void count_published(void *context, enum index_event event)
{
    *(unsigned *)context += event == INDEX_PUBLISHED;
}

int main(void)
{
    struct arena *arena = arena_new(1 << 26);
    pthread_t readers[READERS];
    uint64_t seed = 3;
    unsigned published = 0, compacted = 0;
    struct why why;

    shared = index_new("TEST");
    index_on_event(shared, count_published, &published);
    index_begin(shared);
    for (uint32_t id = 1; id <= OBJECTS; id++) {
        put(arena, &seed, id, id <= 2 ? 0 : id);
    }
    index_publish(shared, (index_position){.serial = 1});
    for (int i = 0; i < READERS; i++) {
        require(pthread_create(&readers[i], NULL, read_versions, NULL) == 0, "thread");
    }
    for (int batch = 0; batch < BATCHES; batch++) {
        uint32_t number = draw(&seed, 60000);

        index_begin(shared);
        put(arena, &seed, 2, number);
        for (int i = 0; i < 20; i++) {
            put(arena, &seed, 3 + draw(&seed, OBJECTS - 2), draw(&seed, 60000));
        }
        put(arena, &seed, 1, number);
        if (batch % 7 == 3) {
            index_rollback(shared);
        } else {
            index_publish(shared, (index_position){.serial = batch});
        }
        if (index_wants_compaction(shared)) {
            index_begin(shared);
            require(index_compact_step(shared) == ERR_OK, "compaction");
            index_publish(shared, (index_position){.serial = batch});
            compacted++;
        }
    }
    atomic_store(&stop, true);
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i], NULL);
    }
    require(published > BATCHES / 2, "publishing calls the hook");
    require(compacted > 0, "texts were compacted");
    require(index_collect(shared) == 0, "no garbage is left when nobody reads");
    require(index_check(shared, &why), why.text);
    index_free(shared);
    arena_free(arena);
    return 0;
}
