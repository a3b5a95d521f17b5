/*
 * Checkpoints, read. The table says where every section goes; a few threads take sections in turns,
 * read them straight to their place in memory and compare the CRCs. Then the trees are looked
 * through, the largest first, so that a file which is whole but wrong ends in an error, too, and
 * not in a walk that leaves the index.
 */
#include "storage/checkpoint_format.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc.h"
#include "storage/bytes.h"
#include "storage/version.h"

enum { THREADS_MAX = 4, DICT_MAX_BYTES = 16 << 20 };
#define ARENA_MAX_BYTES ((size_t)1 << 30)

struct input {
    int fd;
    const char *path;
    struct checkpoint_header header;
    struct arena *arena;
    struct checkpoint_section *sections;
    struct index *index;
    atomic_uint next_task;
    atomic_bool failed;
    struct why *why; /* Written by the task that failed first. */
};

/* --- bytes --- */
static enum err damaged(struct input *in, const char *what)
{
    return why_set(in->why, ERR_CORRUPT, "%s: %s", in->path, what);
}

static enum err read_at(struct input *in, uint64_t from, void *to, size_t len)
{
    uint8_t *at = to;

    while (len > 0) {
        ssize_t got = pread(in->fd, at, len, (off_t)from);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return why_set(in->why, ERR_IO, "%s: %s", in->path, strerror(errno));
        }
        if (got == 0) {
            return damaged(in, "it ends too early");
        }
        at += got;
        from += (uint64_t)got;
        len -= (size_t)got;
    }
    return ERR_OK;
}

static enum err read_section(struct input *in, const struct checkpoint_section *section, void *to)
{
    enum err rc = read_at(in, section->at, to, section->bytes);

    return rc == ERR_OK && crc32c(0, to, section->bytes) != section->crc
               ? damaged(in, "the CRC of a section differs")
               : rc;
}

/* --- header and table --- */
static enum err open_file(struct input *in)
{
    in->fd = open(in->path, O_RDONLY | O_CLOEXEC);
    if (in->fd < 0) {
        return why_set(in->why, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", in->path,
                       strerror(errno));
    }
    return ERR_OK;
}

static enum err read_header(struct input *in, const char *source,
                            const uint8_t build[BUILD_ID_BYTES])
{
    struct checkpoint_header *header = &in->header;
    struct stat status;
    enum err rc = read_at(in, 0, header, sizeof(*header));

    if (rc != ERR_OK) {
        return rc;
    }
    if (memcmp(header->magic, CHECKPOINT_MAGIC, sizeof(header->magic)) != 0 ||
        header->format != CHECKPOINT_FORMAT) {
        return damaged(in, "it is of another format");
    }
    if (checkpoint_header_crc(header) != header->crc) {
        return damaged(in, "the CRC of the header differs");
    }
    if (memcmp(header->origin.build, build, BUILD_ID_BYTES) != 0) {
        return damaged(in, "another build of whoisd wrote it");
    }
    if (strncmp(header->origin.source, source, sizeof(header->origin.source)) != 0) {
        return damaged(in, "it is of another source");
    }
    if (fstat(in->fd, &status) != 0 || (uint64_t)status.st_size != header->file_bytes) {
        return damaged(in, "it has another length than its header says");
    }
    return ERR_OK;
}

static enum err read_table(struct input *in)
{
    const struct checkpoint_header *header = &in->header;
    const uint64_t bytes = (uint64_t)header->section_count * sizeof(in->sections[0]);
    uint64_t at = sizeof(*header);
    enum err rc;

    if (header->table_at > header->file_bytes || header->file_bytes - header->table_at != bytes) {
        return damaged(in, "its table has another length than its header says");
    }
    in->sections = arena_alloc(in->arena, bytes);
    if (in->sections == NULL) {
        return damaged(in, "it has too many sections");
    }
    rc = read_at(in, header->table_at, in->sections, bytes);
    if (rc == ERR_OK && crc32c(0, in->sections, bytes) != header->table_crc) {
        rc = damaged(in, "the CRC of the table differs");
    }
    for (uint32_t i = 0; i < header->section_count && rc == ERR_OK; i++) {
        if (in->sections[i].at != at || in->sections[i].bytes > header->table_at - at) {
            return damaged(in, "a section is not where it should be");
        }
        at += in->sections[i].bytes;
    }
    return rc == ERR_OK && at != header->table_at ? damaged(in, "bytes belong to no section") : rc;
}

/* --- room --- */
/** First node of a chunk: 0 is no node. */
static uint32_t chunk_first(uint32_t chunk)
{
    return chunk == 0 ? 1 : chunk * NODES_PER_CHUNK;
}

/** Chunks of nodes come in order, all of them. */
static enum err check_chunks(struct input *in)
{
    uint64_t next = 1, chunk = 0;

    for (uint32_t i = 0; i < in->header.section_count; i++) {
        const struct checkpoint_section *section = &in->sections[i];
        uint64_t left = in->header.node_count + UINT64_C(1) - next, room;

        if (section->kind != SECTION_NODES) {
            continue;
        }
        room = (chunk + 1) * NODES_PER_CHUNK - next;
        if (section->number != chunk || left == 0 ||
            section->bytes != (left < room ? left : room) * NODE_BYTES) {
            return damaged(in, "a chunk of nodes is not as it should be");
        }
        next += section->bytes / NODE_BYTES;
        chunk++;
    }
    return next == in->header.node_count + UINT64_C(1) ? ERR_OK : damaged(in, "nodes are missing");
}

/** Roots ascend, and the last is the last node. */
static enum err check_roots(struct input *in)
{
    uint32_t last = 0;

    for (unsigned tree = 0; tree < TREE_COUNT; tree++) {
        uint32_t root = in->header.trees[tree].root;

        if (root != 0 && root <= last) {
            return damaged(in, "the trees are not in order");
        }
        last = root != 0 ? root : last;
    }
    if (in->header.next_id == 0) {
        return damaged(in, "its next id is 0");
    }
    return last == in->header.node_count ? ERR_OK : damaged(in, "nodes belong to no tree");
}

static enum err describe_texts(struct input *in, struct texts_image *out)
{
    const uint32_t count = in->header.section_count;
    enum err rc = ERR_OK;

    *out = (struct texts_image){
        .segments = arena_calloc(in->arena, count + 1, sizeof(out->segments[0])),
        .dicts = arena_calloc(in->arena, count + 1, sizeof(out->dicts[0])),
        .open = in->header.open_segment,
        .current_dict = in->header.current_dict,
    };
    if (out->segments == NULL || out->dicts == NULL) {
        return damaged(in, "it has too many sections");
    }
    for (uint32_t i = 0; i < count && rc == ERR_OK; i++) {
        const struct checkpoint_section *section = &in->sections[i];
        char *content;

        switch (section->kind) {
        case SECTION_NODES:
            break;
        case SECTION_TEXTS:
            out->segments[out->segment_count++] =
                (struct segment_image){.number = section->number,
                                       .dict = section->dict,
                                       .used = section->bytes,
                                       .live = section->live,
                                       .last_id = section->last_id};
            break;
        case SECTION_DICT:
            content =
                section->bytes <= DICT_MAX_BYTES ? arena_alloc(in->arena, section->bytes) : NULL;
            if (content == NULL) {
                return damaged(in, "a dictionary is too large");
            }
            rc = read_section(in, section, content);
            out->dicts[out->dict_count++] = (struct dict_image){
                section->number, {content, section->bytes}
            };
            break;
        default:
            return damaged(in, "a section is of an unknown kind");
        }
    }
    return rc;
}

static enum err make_room(struct input *in)
{
    struct index *index = in->index;
    struct texts_image texts;
    enum err rc = check_chunks(in);

    if (rc == ERR_OK) {
        rc = check_roots(in);
    }
    if (rc == ERR_OK) {
        rc = describe_texts(in, &texts);
    }
    if (rc == ERR_OK && texts_restore(&index->texts, &index->writer, &texts) != ERR_OK) {
        rc = damaged(in, "its texts are not as they should be");
    }
    if (rc == ERR_OK) {
        nodes_restore(&index->nodes, in->header.node_count);
    }
    return rc;
}

/* --- tasks for several threads --- */
typedef enum err task_fn(struct input *in, uint32_t task);

struct team {
    struct input *in;
    task_fn *run;
    uint32_t count;
};

static void *work(void *context)
{
    const struct team *team = context;
    struct input *in = team->in;
    struct input own = {.fd = in->fd, .path = in->path, .index = in->index};
    struct why why;
    uint32_t task;
    enum err rc = ERR_OK;

    own.header = in->header;
    own.sections = in->sections;
    own.why = &why;
    while (!atomic_load(&in->failed) &&
           (task = atomic_fetch_add(&in->next_task, 1)) < team->count) {
        rc = team->run(&own, task);
        if (rc != ERR_OK && !atomic_exchange(&in->failed, true)) {
            *in->why = why;
        }
    }
    return NULL;
}

/** Run tasks 0 to count - 1. */
static enum err run_all(struct input *in, task_fn *run, uint32_t count)
{
    struct team team = {in, run, count};
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    pthread_t threads[THREADS_MAX];
    int started = 0;

    atomic_store(&in->next_task, 0);
    while (started < THREADS_MAX && started + 1 < processors &&
           pthread_create(&threads[started], NULL, work, &team) == 0) {
        started++;
    }
    work(&team);
    while (started > 0) {
        pthread_join(threads[--started], NULL);
    }
    return atomic_load(&in->failed) ? ERR_CORRUPT : ERR_OK;
}

static enum err fill_section(struct input *in, uint32_t task)
{
    const struct checkpoint_section *section = &in->sections[task];

    switch (section->kind) {
    case SECTION_NODES:
        return read_section(in, section, nodes_at(&in->index->nodes, chunk_first(section->number)));
    case SECTION_TEXTS:
        return read_section(in, section, in->index->texts.segments[section->number]->at);
    default:
        return ERR_OK; /* Dictionaries are there. */
    }
}

/** What the index relies on of an object's record; counts classes. */
static enum err check_objects(struct input *in)
{
    struct index *index = in->index;
    struct snapshot *next = index->next;
    struct tree_cursor cursor;
    const uint8_t *record = tree_seek(&cursor, snapshot_tree(next, TREE_OBJECTS), NULL);

    for (; record != NULL; record = tree_next(&cursor)) {
        struct object_info info;
        text_ref text;

        object_record_get(record, &info, &text);
        if (info.id == 0 || info.id >= in->header.next_id || info.class >= CLASS_COUNT ||
            !texts_have(&index->texts, text)) {
            return damaged(in, "an object's record is wrong");
        }
        next->class_count[info.class]++;
    }
    return ERR_OK;
}

static enum err check_tree(struct input *in, uint32_t task)
{
    uint32_t first = 1;

    for (uint32_t before = 0; before < task; before++) {
        first = in->header.trees[before].root != 0 ? in->header.trees[before].root + 1 : first;
    }
    if (!tree_is_copy(snapshot_tree(in->index->next, (enum tree_id)task), first)) {
        return damaged(in, "a tree is not one");
    }
    return task == TREE_OBJECTS ? check_objects(in) : ERR_OK;
}

/* --- all of it --- */
static enum err fill_index(struct input *in)
{
    struct index *index = in->index;
    enum err rc;

    index_begin(index);
    rc = make_room(in);
    if (rc == ERR_OK) {
        rc = run_all(in, fill_section, in->header.section_count);
    }
    if (rc == ERR_OK) {
        for (unsigned tree = 0; tree < TREE_COUNT; tree++) {
            index->next->trees[tree] =
                (struct tree){in->header.trees[tree].root, in->header.trees[tree].records};
        }
        rc = run_all(in, check_tree, TREE_COUNT);
    }
    if (rc != ERR_OK) {
        index_rollback(index);
        return rc;
    }
    index->next->checksum = in->header.checksum;
    index_reserve_id(index, in->header.next_id - 1);
    return ERR_OK;
}

enum err checkpoint_peek(const char *path, const char *source, const uint8_t build[BUILD_ID_BYTES],
                         struct checkpoint_origin *out, struct why *why)
{
    struct input in = {.path = path, .why = why};
    enum err rc = open_file(&in);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = read_header(&in, source, build);
    *out = in.header.origin;
    close(in.fd);
    return rc;
}

enum err checkpoint_read(struct index *index, const char *path, const char *source,
                         const uint8_t build[BUILD_ID_BYTES], struct checkpoint_origin *out,
                         struct why *why)
{
    struct input in = {.path = path, .index = index, .why = why};
    enum err rc = open_file(&in);

    if (rc != ERR_OK) {
        return rc;
    }
    in.arena = arena_new(ARENA_MAX_BYTES);
    rc = read_header(&in, source, build);
    if (rc == ERR_OK) {
        rc = read_table(&in);
    }
    if (rc == ERR_OK) {
        rc = fill_index(&in);
    }
    *out = in.header.origin;
    arena_free(in.arena);
    close(in.fd);
    return rc;
}
