/*
 * Checkpoints of an index: what is read back is what was written, version for version; whatever is
 * wrong with a file ends in an error and an index without a version.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crc.h"
#include "base/fault.h"
#include "objects.h"
#include "storage/checkpoint_format.h"
#include "storage/version.h"

static struct arena *arena;
static struct index *made;
static char folder[] = "/tmp/whoisd-checkpoint-XXXXXX";
static char path[64];
static const uint8_t build[BUILD_ID_BYTES] = "this build";
static uint64_t seed;

static void setup(void)
{
    arena = arena_new(1 << 28);
    made = index_new("TEST");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/TEST.img", folder);
    seed = (uint64_t)getpid() * 2654435761u; /* Reported when something differs. */
}

static void teardown(void)
{
    char command[100];

    index_free(made);
    arena_free(arena);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    cr_expect_eq(system(command), 0);
}

TestSuite(checkpoint, .init = setup, .fini = teardown, .timeout = 120);

/* --- making, writing, reading --- */
#define IDS 2000

/** Put, replace and remove random objects. */
static void change(size_t count)
{
    index_begin(made);
    for (size_t i = 0; i < count; i++) {
        uint32_t id = draw(&seed, IDS) + 1;

        if (draw(&seed, 5) == 0) {
            enum err rc = index_remove(made, id);

            cr_assert(rc == ERR_OK || rc == ERR_NOT_FOUND);
        } else {
            cr_assert_eq(put_text(made, id, random_object(&seed, arena), arena), ERR_OK);
        }
    }
    index_publish(made, (index_position){.serial = 1});
}

static void put_long_text(uint32_t id, size_t len)
{
    struct buf text = {0};

    buf_printf(&text, "mntner: LONG%u-MNT\n", id);
    while (text.len < len) {
        buf_printf(&text, "remarks: %08x%08x%08x%08x\n", draw(&seed, UINT32_MAX),
                   draw(&seed, UINT32_MAX), draw(&seed, UINT32_MAX), draw(&seed, UINT32_MAX));
    }
    buf_printf(&text, "source: TEST\n");
    index_begin(made);
    cr_assert_eq(put_text(made, id, buf_str(&text), arena), ERR_OK);
    index_publish(made, (index_position){.serial = 1});
    buf_free(&text);
}

static struct checkpoint_origin origin(void)
{
    struct checkpoint_origin origin = {
        .source = "TEST", .id = 4711, .applied = 12, .hw = 13, .generation = 14};

    memcpy(origin.build, build, sizeof(origin.build));
    return origin;
}

static struct checkpoint *pin_now(void)
{
    const struct checkpoint_origin now = origin();

    return checkpoint_new(made, &now);
}

static enum err try_write(struct checkpoint *checkpoint, struct why *why)
{
    const struct checkpoint_options options = {.is_synced = true};
    uint64_t bytes;
    enum err rc = checkpoint_write(checkpoint, path, &options, &bytes, why);

    checkpoint_free(checkpoint);
    return rc;
}

static void write_now(void)
{
    struct why why;

    cr_assert_eq(try_write(pin_now(), &why), ERR_OK, "%s", why.text);
}

/** An index as read from the file; published. */
static struct index *read_back(void)
{
    struct index *index = index_new("TEST");
    struct checkpoint_origin found;
    struct why why;

    cr_assert_eq(checkpoint_read(index, path, "TEST", build, &found, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(found.id, 4711);
    cr_expect_eq(found.hw, 13);
    index_publish(index, (index_position){.serial = found.applied});
    return index;
}

/** Both hold the same: record for record, text for text, and each is sound in itself. */
static void compare(struct index *a, struct index *b)
{
    const struct snapshot *one = index_newest(a), *other = index_newest(b);
    struct why why;

    for (unsigned tree = 0; tree < TREE_COUNT; tree++) {
        struct tree_cursor at, bt;
        const uint8_t *x = tree_seek(&at, snapshot_tree(one, tree), NULL);
        const uint8_t *y = tree_seek(&bt, snapshot_tree(other, tree), NULL);

        while (x != NULL && y != NULL) {
            cr_assert_arr_eq(x, y, tree_shapes[tree].key_size, "tree %u, seed %lu", tree,
                             (unsigned long)seed);
            x = tree_next(&at);
            y = tree_next(&bt);
        }
        cr_assert(x == NULL && y == NULL, "tree %u has another end, seed %lu", tree,
                  (unsigned long)seed);
    }
    for (uint32_t id = snapshot_next(one, 0); id != 0; id = snapshot_next(one, id)) {
        struct arena_mark mark = arena_mark(arena);
        struct index_object x, y;

        cr_assert_eq(index_get(a, id, arena, &x), ERR_OK);
        cr_assert_eq(index_get(b, id, arena, &y), ERR_OK);
        cr_assert(str_eq(x.text, y.text), "object %u, seed %lu", id, (unsigned long)seed);
        cr_assert_eq(x.info.sequence, y.info.sequence);
        cr_assert_eq(x.info.timestamp, y.info.timestamp);
        cr_assert_eq(x.info.class, y.info.class);
        cr_assert_eq(x.info.flags, y.info.flags);
        arena_rewind(arena, mark);
    }
    cr_expect_eq(memcmp(one->class_count, other->class_count, sizeof(one->class_count)), 0);
    cr_expect_eq(index_next_id(a), index_next_id(b));
    cr_expect(index_check(a, &why), "%s", why.text);
    cr_expect(index_check(b, &why), "%s, seed %lu", why.text, (unsigned long)seed);
}

/** Reading must fail, say why, and leave an index that can be built otherwise. */
static void refuse(const char *because)
{
    struct index *index = index_new("TEST");
    struct checkpoint_origin found;
    struct why why = {""};
    enum err rc = checkpoint_read(index, path, "TEST", build, &found, &why);

    cr_assert_neq(rc, ERR_OK, "%s was not refused", because);
    cr_expect_neq(why.text[0], '\0', "%s", because);
    cr_expect_null(index_newest(index), "%s", because);
    index_begin(index);
    cr_assert_eq(put_text(index, 1, STR("mntner: A-MNT\nsource: TEST\n"), arena), ERR_OK);
    index_publish(index, (index_position){.serial = 1});
    cr_expect(index_check(index, &why), "%s: %s", because, why.text);
    index_free(index);
}

/* --- what is read back --- */
Test(checkpoint, holds_what_the_index_held)
{
    struct index *again;

    change(3000);
    put_long_text(IDS + 1, 3 << 20); /* A segment of its own. */
    put_long_text(IDS + 2, 1 << 16);
    write_now();
    again = read_back();
    compare(made, again);
    index_free(again);
}

Test(checkpoint, holds_an_empty_index)
{
    struct index *again;

    index_begin(made);
    index_publish(made, (index_position){.serial = 1});
    write_now();
    again = read_back();
    compare(made, again);
    index_free(again);
}

/** Sizes around the end of the first chunk of nodes, and several chunks. */
Test(checkpoint, holds_many_nodes)
{
    struct index *again;

    for (uint32_t round = 0; round < 3; round++) {
        index_begin(made);
        for (uint32_t id = 1; id <= 20000; id++) {
            struct arena_mark mark = arena_mark(arena);
            struct str text =
                arena_printf(arena, "aut-num: AS%u\nas-name: N%u\nmnt-by: M%u-MNT\nsource: TEST\n",
                             round * 20000 + id, id, id);

            cr_assert_eq(put_text(made, round * 20000 + id, text, arena), ERR_OK);
            arena_rewind(arena, mark);
        }
        index_publish(made, (index_position){.serial = 1});
    }
    cr_assert_gt(nodes_used(&made->nodes), NODES_PER_CHUNK);
    write_now();
    again = read_back();
    compare(made, again);
    index_free(again);
}

Test(checkpoint, goes_on_being_updated_like_the_original)
{
    struct index *again, *kept = made;
    uint64_t before;

    change(3000);
    write_now();
    again = read_back();
    for (int round = 0; round < 20; round++) {
        before = seed;
        made = kept;
        change(200);
        made = again;
        seed = before;
        change(200);
        made = kept;
        compare(made, again);
    }
    index_free(again);
}

Test(checkpoint, keeps_the_dictionary)
{
    struct index *again;
    size_t used;

    index_begin(made);
    for (uint32_t id = 1; id <= 9000; id++) { /* Enough to learn from. */
        struct arena_mark mark = arena_mark(arena);

        cr_assert_eq(put_text(made, id, random_object(&seed, arena), arena), ERR_OK);
        arena_rewind(arena, mark);
    }
    index_publish(made, (index_position){.serial = 1});
    index_begin(made);
    cr_assert_eq(index_compact_step(made), ERR_OK);
    index_publish(made, (index_position){.serial = 1});
    cr_assert_not_null(made->texts.dict);
    write_now();
    again = read_back();
    compare(made, again);
    cr_expect_not_null(again->texts.dict);
    used = again->texts.top;
    while (index_wants_compaction(again)) {
        index_begin(again);
        cr_assert_eq(index_compact_step(again), ERR_OK);
        index_publish(again, (index_position){.serial = 1});
    }
    cr_expect_leq(again->texts.top, used + 1, "a segment is filled before the next is opened");
    index_free(again);
}

Test(checkpoint, holds_the_version_it_was_taken_of)
{
    struct index *twin = index_new("TEST"), *kept = made, *again;
    struct checkpoint *checkpoint;
    const uint64_t from = seed;
    uint64_t later;
    struct why why;

    change(2000);
    checkpoint = pin_now();
    for (int round = 0; round < 10; round++) {
        change(500); /* Rewrites nodes and texts, frees what only the old version had. */
    }
    later = seed;
    cr_assert_eq(try_write(checkpoint, &why), ERR_OK, "%s", why.text);
    again = read_back();
    made = twin;
    seed = from;
    change(2000);
    compare(twin, again);
    made = kept;
    seed = later;
    cr_expect_gt(index_garbage_bytes(made), 0);
    cr_expect_eq(index_collect(made), 0, "the pin is given back");
    index_free(again);
    index_free(twin);
}

/* --- what is refused --- */
static size_t file_size(void)
{
    struct stat status;

    cr_assert_eq(stat(path, &status), 0);
    return (size_t)status.st_size;
}

static void flip(size_t at)
{
    uint8_t byte;
    int fd = open(path, O_RDWR);

    cr_assert_geq(fd, 0);
    cr_assert_eq(pread(fd, &byte, 1, (off_t)at), 1);
    byte ^= 0x10;
    cr_assert_eq(pwrite(fd, &byte, 1, (off_t)at), 1);
    close(fd);
}

/** Every section, its first, middle and last byte, the table and all of the header. */
Test(checkpoint, refuses_a_flipped_byte_anywhere)
{
    struct checkpoint_header header;
    struct checkpoint_section *sections;
    char what[80];
    size_t bytes;
    int fd;

    change(300);
    write_now();
    fd = open(path, O_RDONLY);
    cr_assert_eq(pread(fd, &header, sizeof(header), 0), sizeof(header));
    bytes = header.section_count * sizeof(*sections);
    sections = arena_alloc(arena, bytes);
    cr_assert_eq(pread(fd, sections, bytes, (off_t)header.table_at), (ssize_t)bytes);
    close(fd);
    cr_assert_geq(header.section_count, 2);
    for (size_t at = 0; at < sizeof(header); at++) {
        snprintf(what, sizeof(what), "byte %zu of the header", at);
        flip(at);
        refuse(what);
        flip(at);
    }
    for (size_t i = 0; i < header.section_count; i++) {
        const uint64_t at[] = {sections[i].at, sections[i].at + sections[i].bytes / 2,
                               sections[i].at + sections[i].bytes - 1};

        for (size_t n = 0; n < 3; n++) {
            snprintf(what, sizeof(what), "section %zu, kind %u, byte %lu", i, sections[i].kind,
                     (unsigned long)at[n]);
            flip(at[n]);
            refuse(what);
            flip(at[n]);
        }
    }
    for (size_t at = header.table_at; at < header.file_bytes; at += 7) {
        flip(at);
        refuse("a byte of the table");
        flip(at);
    }
    index_free(read_back()); /* Flipped back it is good again. */
}

Test(checkpoint, refuses_a_file_of_another_length)
{
    size_t size;
    int fd;

    change(300);
    write_now();
    size = file_size();
    fd = open(path, O_WRONLY | O_APPEND);
    cr_assert_eq(write(fd, "", 1), 1);
    close(fd);
    refuse("a byte too many");
    for (size_t left = size; left > 0; left = left * 7 / 8) {
        cr_assert_eq(truncate(path, (off_t)left - 1), 0);
        refuse("a truncated file");
    }
}

Test(checkpoint, refuses_a_hole_in_the_file)
{
    static const uint8_t zeros[4096];
    int fd;

    change(300);
    write_now();
    cr_assert_gt(file_size(), sizeof(struct checkpoint_header) + sizeof(zeros));
    fd = open(path, O_WRONLY);
    cr_assert_eq(pwrite(fd, zeros, sizeof(zeros), sizeof(struct checkpoint_header)), sizeof(zeros));
    close(fd);
    refuse("a page that never reached the disk");
}

Test(checkpoint, refuses_what_is_not_its_own)
{
    static const uint8_t other_build[BUILD_ID_BYTES] = "that build";
    struct checkpoint_origin found;
    struct index *index = index_new("TEST");
    struct why why;

    cr_expect_eq(checkpoint_peek(path, "TEST", build, &found, &why), ERR_NOT_FOUND);
    cr_expect_eq(checkpoint_read(index, path, "TEST", build, &found, &why), ERR_NOT_FOUND);
    change(100);
    write_now();
    cr_expect_eq(checkpoint_peek(path, "TEST", build, &found, &why), ERR_OK);
    cr_expect_eq(found.id, 4711);
    cr_expect_eq(checkpoint_peek(path, "OTHER", build, &found, &why), ERR_CORRUPT);
    cr_expect_eq(checkpoint_read(index, path, "OTHER", build, &found, &why), ERR_CORRUPT);
    cr_expect_not_null(strstr(why.text, "another source"), "%s", why.text);
    cr_expect_eq(checkpoint_peek(path, "TEST", other_build, &found, &why), ERR_CORRUPT);
    cr_expect_eq(checkpoint_read(index, path, "TEST", other_build, &found, &why), ERR_CORRUPT);
    cr_expect_not_null(strstr(why.text, "another build"), "%s", why.text);
    index_free(index);
}

/** Whole, but wrong: the CRCs are those of what the file holds. */
Test(checkpoint, refuses_trees_that_are_none)
{
    struct checkpoint_header header;
    int fd;

    change(300);
    write_now();
    fd = open(path, O_RDWR);
    cr_assert_eq(pread(fd, &header, sizeof(header), 0), sizeof(header));
    header.trees[TREE_OBJECTS].records++;
    header.crc = checkpoint_header_crc(&header);
    cr_assert_eq(pwrite(fd, &header, sizeof(header), 0), sizeof(header));
    refuse("a record too few");
    header.trees[TREE_OBJECTS].records--;
    header.trees[TREE_OBJECTS].root--;
    header.crc = checkpoint_header_crc(&header);
    cr_assert_eq(pwrite(fd, &header, sizeof(header), 0), sizeof(header));
    refuse("a root that is none");
    close(fd);
}

/* --- writing that does not end --- */
Test(checkpoint, leaves_the_old_file_when_it_fails)
{
    static const char *const points[] = {"checkpoint-write", "checkpoint-sync",
                                         "checkpoint-rename"};
    struct index *again, *found;
    char left[80];
    struct why why;

    change(300);
    write_now();
    again = read_back();
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        change(100);
        setenv("WHOISD_FAULT", arena_printf(arena, "%s=fail", points[i]).at, 1);
        fault_init();
        cr_expect_eq(try_write(pin_now(), &why), ERR_IO);
        cr_expect_not_null(strstr(why.text, points[i]), "%s", why.text);
        cr_expect_eq(index_collect(made), 0, "the pin is given back");
    }
    snprintf(left, sizeof(left), "%s.new", path);
    cr_expect_neq(access(left, F_OK), 0, "nothing is left behind");
    found = read_back();
    compare(again, found);
    index_free(found);
    index_free(again);
}

Test(checkpoint, killed_at_any_moment_leaves_the_old_one_or_the_new_one)
{
    static const char *const points[] = {
        "checkpoint-write", "checkpoint-write:2", "checkpoint-write:3", "checkpoint-write:4",
        "checkpoint-sync",  "checkpoint-rename",  "checkpoint-renamed"};
    struct index *old;

    change(300);
    write_now();
    old = read_back();
    change(300);
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        const bool is_new = strcmp(points[i], "checkpoint-renamed") == 0;
        struct index *found;
        int status = 0;
        pid_t child = fork();

        if (child == 0) {
            struct why why;

            setenv("WHOISD_FAULT", points[i], 1);
            fault_init();
            (void)!try_write(pin_now(), &why);
            _exit(1);
        }
        cr_assert_eq(waitpid(child, &status, 0), child);
        cr_assert(WIFSIGNALED(status), "it was not killed at %s", points[i]);
        found = read_back();
        compare(is_new ? made : old, found);
        index_free(found);
    }
    index_free(old);
}

Test(checkpoint, ends_at_its_deadline)
{
    struct checkpoint *checkpoint;
    struct why why;

    change(300);
    checkpoint = pin_now();
    checkpoint_set_deadline(checkpoint, 0);
    cr_expect_eq(try_write(checkpoint, &why), ERR_STOPPED);
    cr_expect_neq(access(path, F_OK), 0);
}

Test(checkpoint, says_when_there_is_no_room_for_it)
{
    struct why why;

    change(10);
    snprintf(path, sizeof(path), "%s/none/TEST.img", folder);
    cr_expect_eq(try_write(pin_now(), &why), ERR_IO);
    cr_expect_not_null(strstr(why.text, path), "%s", why.text);
    cr_expect_eq(index_collect(made), 0, "the pin is given back");
}
