/*
 * A checkpoint with any bytes of it changed. The input says which:
 *
 *   seal 1 | cut 2 | { offset 3, value 1 } ...       numbers little-endian
 *
 * Each value is XORed to the byte at its offset (modulo the length), `cut` bytes go at the end.
 * When `seal` is even the CRCs stay as they were: any change must be refused. When it is odd they
 * are made good again, where the changed table still allows it: a file that is whole but wrong is
 * then refused, or every walk through the index it makes ends.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/crc.h"
#include "base/log.h"
#include "storage/checkpoint_format.h"
#include "storage/index.h"

#define ARENA_BYTES ((size_t)64 << 20)
#define OBJECTS     200

static const uint8_t build[BUILD_ID_BYTES] = "fuzz";
static uint8_t *original;
static size_t original_size;
static char file[64]; /* In memory: /proc/self/fd/N */
static int file_fd;

static void must(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void put(struct index *index, uint32_t id, struct str text, struct arena *arena)
{
    struct rpsl_object object;
    struct rpsl_key key;

    must(object_parse(text, arena, &object, &key) == ERR_OK);
    must(index_put(index, id, 1, 7, &object, &key) == ERR_OK);
}

/** A small index: trees of one and of two levels, ranges, a segment. */
static void fill(struct index *index, struct arena *arena)
{
    index_begin(index);
    for (uint32_t id = 1; id <= OBJECTS; id++) {
        put(index, id,
            arena_printf(arena,
                         "inetnum: 10.0.%u.0 - 10.0.%u.255\nnetname: N%u\ntech-c: T%u-TEST\n"
                         "mnt-by: M%u-MNT\nsource: TEST\n",
                         id, id, id % 7, id % 9, id % 5),
            arena);
    }
    put(index, OBJECTS + 1, STR("domain: 0.10.in-addr.arpa\nnserver: ns.example.net\nsource: T\n"),
        arena);
    put(index, OBJECTS + 2, STR("inet6num: 2001:db8::/32\nnetname: N\nsource: T\n"), arena);
    index_publish(index, (index_position){.serial = 1});
}

static void write_original(void)
{
    char folder[] = "/tmp/whoisd-fuzz-XXXXXX", path[sizeof(folder) + 8];
    const struct checkpoint_options options = {.is_synced = false};
    struct checkpoint_origin origin = {.source = "TEST"};
    struct index *index = index_new("TEST");
    struct arena *arena = arena_new(ARENA_BYTES);
    struct checkpoint *checkpoint;
    uint64_t bytes;
    FILE *in;

    log_set_level(LOG_ERROR);
    memcpy(origin.build, build, sizeof(build));
    must(mkdtemp(folder) != NULL);
    snprintf(path, sizeof(path), "%s/file", folder);
    fill(index, arena);
    checkpoint = checkpoint_new(index, &origin);
    must(checkpoint_write(checkpoint, path, &options, &bytes, &(struct why){""}) == ERR_OK);
    checkpoint_free(checkpoint);
    original_size = bytes;
    original = malloc(original_size);
    in = fopen(path, "rb");
    must(in != NULL && original != NULL && fread(original, 1, original_size, in) == original_size);
    fclose(in);
    unlink(path);
    rmdir(folder);
    arena_free(arena);
    index_free(index);
    file_fd = memfd_create("checkpoint", MFD_CLOEXEC);
    must(file_fd >= 0);
    snprintf(file, sizeof(file), "/proc/self/fd/%d", file_fd);
}

/** Make all CRCs those of what the file holds, as far as its table goes. */
static void seal(uint8_t *bytes, size_t size)
{
    struct checkpoint_header header;
    uint64_t table_bytes;

    if (size < sizeof(header)) {
        return;
    }
    memcpy(&header, bytes, sizeof(header));
    table_bytes = (uint64_t)header.section_count * sizeof(struct checkpoint_section);
    if (header.table_at <= size && table_bytes <= size - header.table_at) {
        for (uint32_t i = 0; i < header.section_count; i++) {
            uint8_t *at = bytes + header.table_at + i * sizeof(struct checkpoint_section);
            struct checkpoint_section section;

            memcpy(&section, at, sizeof(section));
            if (section.at <= size && section.bytes <= size - section.at) {
                section.crc = crc32c(0, bytes + section.at, section.bytes);
                memcpy(at, &section, sizeof(section));
            }
        }
        header.table_crc = crc32c(0, bytes + header.table_at, table_bytes);
    }
    header.crc = checkpoint_header_crc(&header);
    memcpy(bytes, &header, sizeof(header));
}

/** Change the copy as the input says. @return Its new size. */
static size_t change(uint8_t *bytes, const uint8_t *data, size_t size)
{
    size_t left = original_size, cut = (size_t)data[1] | (size_t)data[2] << 8;

    for (size_t at = 3; at + 4 <= size; at += 4) {
        size_t offset = (size_t)data[at] | (size_t)data[at + 1] << 8 | (size_t)data[at + 2] << 16;

        bytes[offset % original_size] ^= data[at + 3];
    }
    left -= cut < left ? cut : left;
    if (data[0] % 2 == 1) {
        seal(bytes, left);
    }
    return left;
}

/** Whatever a reader may do. */
static void use(struct index *index)
{
    static const enum range_mode modes[] = {RANGE_EXACT_OR_LESS, RANGE_ALL_LESS, RANGE_ONE_MORE,
                                            RANGE_ALL_MORE};
    const struct ip_range range = {.begin = 0x0a000000, .end = 0x0a00ffff};
    struct arena *arena = arena_new(ARENA_BYTES);
    struct reader *reader = reader_new();
    const struct snapshot *snap;
    struct id_list list = {0};
    struct why why;
    uint32_t id;

    reader_attach(reader, index);
    reader_refresh(reader);
    snap = reader_snapshot(reader, index);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        (void)!snapshot_by_range(snap, RANGE_INETNUM, &range, modes[i], arena, &list);
    }
    (void)!snapshot_by_value(snap, ATTR_MNT_BY, STR("m1-mnt"), arena, &list);
    (void)!snapshot_by_prefix(snap, ATTR_NSERVER, STR("ns"), arena, &list);
    (void)!snapshot_by_key(reader, snap, CLASS_DOMAIN, STR("0.10.in-addr.arpa"), arena, &id);
    (void)!snapshot_sort(reader, snap, &list, arena);
    reader_free(reader);
    (void)index_check(index, &why);
    arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct index *index;
    struct checkpoint_origin origin;
    struct why why;
    uint8_t *bytes;
    size_t left;
    bool is_changed, is_good;

    if (original == NULL) {
        write_original();
    }
    if (size < 3) {
        return 0;
    }
    bytes = malloc(original_size);
    must(bytes != NULL);
    memcpy(bytes, original, original_size);
    left = change(bytes, data, size);
    is_changed = left != original_size || memcmp(bytes, original, left) != 0;
    must(ftruncate(file_fd, 0) == 0 && pwrite(file_fd, bytes, left, 0) == (ssize_t)left);
    free(bytes);
    index = index_new("TEST");
    is_good = checkpoint_read(index, file, "TEST", build, &origin, &why) == ERR_OK;
    must(is_good || is_changed);
    must(!is_good || !is_changed || data[0] % 2 == 1);
    if (is_good) {
        index_publish(index, (index_position){.serial = 1});
        use(index);
    }
    index_free(index);
    return 0;
}
