/*
 * Checkpoints, written: a pinned version streams into a file. Texts go out straight from their
 * segments, nodes by way of a buffer of one chunk. Slices of 1 MB; between two of them the deadline
 * is looked at.
 *
 * The pin is given back before the sync: what it keeps from being freed is bounded by the time of
 * copying, not by that of the disk.
 */
#include "storage/checkpoint_format.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crc.h"
#include "base/fault.h"
#include "storage/version.h"

enum { SLICE_BYTES = 1 << 20, SYNC_BYTES = 16 << 20 };
#define ARENA_MAX_BYTES ((size_t)64 << 20)

struct checkpoint {
    struct index *index;
    struct pin *pin; /* NULL: given back. */
    const struct snapshot *snap;
    uint32_t next_id;
    struct arena *arena;
    struct texts_image texts;
    struct checkpoint_origin origin;
    _Atomic int64_t deadline_us;
};

uint32_t checkpoint_header_crc(const struct checkpoint_header *header)
{
    struct checkpoint_header copy = *header;

    copy.crc = 0;
    return crc32c(0, &copy, sizeof(copy));
}

/* --- pinning --- */
struct checkpoint *checkpoint_new(struct index *index, const struct checkpoint_origin *origin)
{
    struct checkpoint *checkpoint = calloc(1, sizeof(*checkpoint));

    if (checkpoint == NULL) {
        abort();
    }
    checkpoint->index = index;
    checkpoint->origin = *origin;
    checkpoint->next_id = index->next_id;
    checkpoint->arena = arena_new(ARENA_MAX_BYTES);
    atomic_init(&checkpoint->deadline_us, INT64_MAX);
    if (texts_describe(&index->texts, &index->writer, checkpoint->arena, &checkpoint->texts) !=
        ERR_OK) {
        abort(); /* The arena holds any number of segments. */
    }
    checkpoint->pin = pins_take(&index->pins);
    atomic_store(&checkpoint->pin->oldest, atomic_load(&index->published));
    checkpoint->snap = atomic_load(&index->root);
    return checkpoint;
}

static void unpin(struct checkpoint *checkpoint)
{
    if (checkpoint->pin != NULL) {
        pins_give_back(&checkpoint->index->pins, checkpoint->pin);
        checkpoint->pin = NULL;
    }
}

void checkpoint_free(struct checkpoint *checkpoint)
{
    if (checkpoint != NULL) {
        unpin(checkpoint);
        arena_free(checkpoint->arena);
        free(checkpoint);
    }
}

void checkpoint_set_deadline(struct checkpoint *checkpoint, int64_t at_us)
{
    atomic_store(&checkpoint->deadline_us, at_us);
}

/* --- the file --- */
struct output {
    struct checkpoint *checkpoint;
    int fd;
    const char *path; /* Of the new file. */
    uint64_t at;
    struct checkpoint_header header;
    struct buf table; /* struct checkpoint_section */
    uint8_t *chunk;   /* Nodes waiting. */
    size_t chunk_bytes;
    enum err rc;
    struct why *why;
};

static enum err io_failed(struct output *out, const char *what)
{
    return why_set(out->why, ERR_IO, "%s %s: %s", what, out->path, strerror(errno));
}

static enum err write_slice(struct output *out, const uint8_t *at, size_t len)
{
    if (clock_mono_us() >= atomic_load(&out->checkpoint->deadline_us)) {
        return why_set(out->why, ERR_STOPPED, "there was no more time");
    }
    if (fault_point("checkpoint-write")) {
        return why_set(out->why, ERR_IO, "fault checkpoint-write");
    }
    while (len > 0) {
        ssize_t written = pwrite(out->fd, at, len, (off_t)out->at);

        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return io_failed(out, "writing");
        }
        at += written;
        len -= (size_t)written;
        out->at += (uint64_t)written;
    }
    return ERR_OK;
}

/** @param section  kind and number, and for texts what else there is; the rest is filled in. */
static enum err write_section(struct output *out, struct checkpoint_section section,
                              const void *content, size_t len)
{
    const uint8_t *at = content;
    enum err rc = ERR_OK;

    section.at = out->at;
    section.bytes = len;
    for (size_t done = 0, slice; done < len && rc == ERR_OK; done += slice) {
        slice = len - done < SLICE_BYTES ? len - done : SLICE_BYTES;
        section.crc = crc32c(section.crc, at + done, slice);
        rc = write_slice(out, at + done, slice);
    }
    buf_add(&out->table, &section, sizeof(section));
    return rc;
}

static enum err write_texts(struct output *out)
{
    const struct texts_image *texts = &out->checkpoint->texts;
    enum err rc = ERR_OK;

    for (size_t i = 0; i < texts->dict_count && rc == ERR_OK; i++) {
        const struct dict_image *dict = &texts->dicts[i];
        const struct checkpoint_section section = {.kind = SECTION_DICT, .number = dict->number};

        rc = write_section(out, section, dict->content.at, dict->content.len);
    }
    for (size_t i = 0; i < texts->segment_count && rc == ERR_OK; i++) {
        const struct segment_image *segment = &texts->segments[i];
        const struct checkpoint_section section = {.kind = SECTION_TEXTS,
                                                   .number = segment->number,
                                                   .live = segment->live,
                                                   .last_id = segment->last_id,
                                                   .dict = segment->dict};

        rc = write_section(out, section, segment->at, segment->used);
    }
    return rc;
}

/** Write the chunk that ends before node `next`. */
static void flush_nodes(struct output *out, uint32_t next)
{
    const struct checkpoint_section section = {.kind = SECTION_NODES,
                                               .number = (next - 1) / NODES_PER_CHUNK};

    if (out->rc == ERR_OK && out->chunk_bytes > 0) {
        out->rc = write_section(out, section, out->chunk, out->chunk_bytes);
        out->chunk_bytes = 0;
    }
}

/** Nodes come in the order of their numbers, which node_count follows. */
static bool take_node(void *context, const struct node *node)
{
    struct output *out = context;

    memcpy(out->chunk + out->chunk_bytes, node, NODE_BYTES);
    out->chunk_bytes += NODE_BYTES;
    out->header.node_count++;
    if ((out->header.node_count + 1) % NODES_PER_CHUNK == 0) {
        flush_nodes(out, out->header.node_count + 1);
    }
    return out->rc == ERR_OK;
}

static enum err write_nodes(struct output *out)
{
    const struct snapshot *snap = out->checkpoint->snap;
    uint32_t next = 1;

    out->chunk = malloc(NODES_CHUNK_BYTES);
    if (out->chunk == NULL) {
        abort();
    }
    for (unsigned tree = 0; tree < TREE_COUNT; tree++) {
        struct checkpoint_tree *described = &out->header.trees[tree];

        described->records = snap->trees[tree].count;
        if (!tree_copy(snapshot_tree(snap, tree), &next, &described->root, take_node, out)) {
            break;
        }
    }
    flush_nodes(out, next);
    free(out->chunk);
    return out->rc;
}

/** The table, then, when all else stands, the header. */
static enum err write_header(struct output *out)
{
    struct checkpoint_header *header = &out->header;
    enum err rc;

    memcpy(header->magic, CHECKPOINT_MAGIC, sizeof(header->magic));
    header->format = CHECKPOINT_FORMAT;
    header->section_count = (uint32_t)(out->table.len / sizeof(struct checkpoint_section));
    header->table_at = out->at;
    header->table_crc = crc32c(0, out->table.at, out->table.len);
    header->file_bytes = out->at + out->table.len;
    header->next_id = out->checkpoint->next_id;
    header->open_segment = out->checkpoint->texts.open;
    header->current_dict = out->checkpoint->texts.current_dict;
    header->origin = out->checkpoint->origin;
    header->checksum = out->checkpoint->snap->checksum;
    header->crc = checkpoint_header_crc(header);
    rc = write_slice(out, (const uint8_t *)out->table.at, out->table.len);
    if (rc == ERR_OK) {
        out->at = 0;
        rc = write_slice(out, (const uint8_t *)header, sizeof(*header));
    }
    return rc;
}

/**
 * Hand the file to the disk step by step, so that the database's own syncs come in between. Not
 * beyond the deadline: what a crash of the machine tears then, the CRCs find.
 */
static enum err sync_file(struct output *out)
{
    for (uint64_t at = 0; at < out->header.file_bytes; at += SYNC_BYTES) {
        if (clock_mono_us() >= atomic_load(&out->checkpoint->deadline_us)) {
            return ERR_OK;
        }
        /* Where it is not understood the sync below has more to do. */
        (void)sync_file_range(out->fd, (off_t)at, SYNC_BYTES,
                              SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
    }
    return fdatasync(out->fd) == 0 ? ERR_OK : io_failed(out, "syncing");
}

static enum err write_all(struct output *out, const struct checkpoint_options *options)
{
    enum err rc;

    out->at = sizeof(out->header);
    rc = write_texts(out);
    if (rc == ERR_OK) {
        rc = write_nodes(out);
    }
    unpin(out->checkpoint);
    if (options->on_copied != NULL) {
        options->on_copied(options->context);
    }
    if (rc == ERR_OK) {
        rc = write_header(out);
    }
    if (rc == ERR_OK && fault_point("checkpoint-sync")) {
        rc = why_set(out->why, ERR_IO, "fault checkpoint-sync");
    }
    if (rc == ERR_OK && options->is_synced) {
        rc = sync_file(out);
    }
    return rc;
}

/** The rename outlives a crash of the machine when the folder is synced, too. */
static enum err sync_folder(const char *path, struct why *why)
{
    const char *slash = strrchr(path, '/');
    char folder[PATH_MAX];
    int fd;
    enum err rc;

    snprintf(folder, sizeof(folder), "%.*s", slash != NULL ? (int)(slash - path) + 1 : 1,
             slash != NULL ? path : ".");
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    rc = fd >= 0 && fsync(fd) == 0
             ? ERR_OK
             : why_set(why, ERR_IO, "syncing %s: %s", folder, strerror(errno));
    if (fd >= 0) {
        close(fd);
    }
    return rc;
}

static enum err put_in_place(struct output *out, const char *path,
                             const struct checkpoint_options *options)
{
    if (fault_point("checkpoint-rename")) {
        return why_set(out->why, ERR_IO, "fault checkpoint-rename");
    }
    if (rename(out->path, path) != 0) {
        return io_failed(out, "renaming");
    }
    (void)fault_point("checkpoint-renamed"); /* Too late to fail: only to be killed. */
    return options->is_synced ? sync_folder(path, out->why) : ERR_OK;
}

enum err checkpoint_write(struct checkpoint *checkpoint, const char *path,
                          const struct checkpoint_options *options, uint64_t *bytes,
                          struct why *why)
{
    char new_path[PATH_MAX];
    struct output out = {.checkpoint = checkpoint, .path = new_path, .why = why};
    enum err rc;

    if (snprintf(new_path, sizeof(new_path), "%s.new", path) >= (int)sizeof(new_path)) {
        return why_set(why, ERR_IO, "%s: path too long", path);
    }
    out.fd = open(new_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (out.fd < 0) {
        return io_failed(&out, "creating");
    }
    rc = write_all(&out, options);
    close(out.fd);
    if (rc == ERR_OK) {
        rc = put_in_place(&out, path, options);
    }
    if (rc != ERR_OK) {
        unlink(new_path);
    }
    *bytes = out.header.file_bytes;
    buf_free(&out.table);
    return rc;
}
