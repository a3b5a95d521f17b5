/*
 * The shortest way from a dump and a journal to an index: no validation, no batches, every mistake
 * ends the program.
 */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "rpsl/charset.h"

#define ARENA_BYTES ((size_t)256 << 20)
#define SAMPLES     4000
#define SAMPLE_STEP 4

static void check(enum err rc, const char *what, struct str text)
{
    if (rc != ERR_OK) {
        fprintf(stderr, "%s: %s: %.*s\n", what, err_text(rc), (int)(text.len < 80 ? text.len : 80),
                text.at);
        exit(1);
    }
}

static bool ends_paragraph(struct str line)
{
    return line.len == 0 || (line.len == 1 && line.at[0] == '\r');
}

/* Cut the next paragraph off *rest: lines up to an empty one. */
static bool next_paragraph(struct str *rest, struct str *paragraph)
{
    struct str line;
    const char *begin = NULL, *end = NULL;

    while (str_split(rest, '\n', &line)) {
        if (begin == NULL && ends_paragraph(line)) {
            continue;
        }
        if (ends_paragraph(line)) {
            break;
        }
        begin = begin == NULL ? line.at : begin;
        end = line.at + line.len;
    }
    if (begin == NULL) {
        return false;
    }
    *paragraph = (struct str){begin, (size_t)(end - begin)};
    return true;
}

static bool is_comment(struct str paragraph)
{
    return paragraph.at[0] == '#' || paragraph.at[0] == '%';
}

bool fixture_next_object(struct str *rest, struct str *object)
{
    bool found;

    do {
        found = next_paragraph(rest, object);
    } while (found && is_comment(*object));
    return found;
}

bool fixture_next_operation(struct str *rest, bool *is_delete, struct str *object)
{
    struct str operation;

    if (!fixture_next_object(rest, &operation)) {
        return false;
    }
    *is_delete = str_starts(operation, STR("DEL "));
    if ((!*is_delete && !str_starts(operation, STR("ADD "))) ||
        !fixture_next_object(rest, object)) {
        check(ERR_SYNTAX, "operation", operation);
    }
    return true;
}

struct parsed {
    struct rpsl_object object;
    struct rpsl_key key;
};

static struct parsed parse(struct str text, struct arena *arena)
{
    struct parsed parsed;

    check(rpsl_parse(text, arena, &parsed.object), "object", text);
    check(rpsl_object_key(&parsed.object, arena, &parsed.key), "key", text);
    return parsed;
}

/* Texts to train the index's dictionary on: every nth of the first ones. */
static size_t take_samples(struct str text, struct str *samples)
{
    struct str paragraph;
    size_t count = 0;

    for (size_t i = 0; count < SAMPLES && next_paragraph(&text, &paragraph); i++) {
        if (i % SAMPLE_STEP == 0 && !is_comment(paragraph)) {
            samples[count++] = paragraph;
        }
    }
    return count;
}

void fixture_load(struct index *index, struct str text)
{
    struct arena *arena = arena_new(ARENA_BYTES);
    struct str *samples = arena_calloc(arena, SAMPLES, sizeof(*samples)), object;
    size_t sample_count = take_samples(text, samples);
    struct index_bulk *bulk;
    struct index_lane *lane;
    uint32_t id = 0;

    bulk = index_bulk_new(index, samples, sample_count);
    lane = index_bulk_lane(bulk);
    while (fixture_next_object(&text, &object)) {
        struct parsed parsed = parse(object, arena);

        check(index_lane_add(lane, ++id, 1, 1, &parsed.object, &parsed.key), "add", object);
        arena_reset(arena);
    }
    check(index_bulk_finish(bulk), "bulk load", STR(""));
    index_publish(index, (index_position){.serial = 1, .hw = 1});
    arena_free(arena);
}

void fixture_apply(struct index *index, struct str journal)
{
    struct arena *arena = arena_new(ARENA_BYTES);
    struct str object;
    bool is_delete;

    index_begin(index);
    while (fixture_next_operation(&journal, &is_delete, &object)) {
        struct parsed parsed = parse(object, arena);
        struct index_object old;
        enum err rc = index_find(index, parsed.key.class, parsed.key.canonical, arena, &old);

        if (is_delete) {
            check(rc, "delete", object);
            check(index_remove(index, old.info.id), "remove", object);
        } else {
            uint32_t id = rc == ERR_OK ? old.info.id : index_next_id(index);

            check(index_put(index, id, 1, 1, &parsed.object, &parsed.key), "put", object);
        }
        arena_reset(arena);
    }
    index_publish(index, (index_position){.serial = 2, .hw = 2});
    arena_free(arena);
}

struct buf fixture_read(const char *path)
{
    gzFile file = gzopen(path, "rb");
    struct buf raw = {0}, utf8 = {0};
    char piece[65536];
    int count;

    if (file == NULL) {
        check(ERR_IO, "cannot open", str_from(path));
    }
    while ((count = gzread(file, piece, sizeof(piece))) > 0) {
        buf_add(&raw, piece, (size_t)count);
    }
    if (count < 0) {
        check(ERR_IO, "cannot read", str_from(path));
    }
    gzclose(file);
    latin1_to_utf8(buf_str(&raw), &utf8);
    buf_free(&raw);
    return utf8;
}
