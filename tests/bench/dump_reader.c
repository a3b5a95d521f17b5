#include "dump_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define FIRST_CAP (4 << 20)

struct dump_reader {
    gzFile file;
    char *text;
    size_t at, len, cap; /* Unread bytes are text[at, len). */
    size_t bytes;
    bool ended;
};

/* Numbers of the column object_type. */
static const struct {
    const char *name;
    int type;
} classes[] = {
    {"inetnum",      6 },
    {"inet6num",     5 },
    {"domain",       3 },
    {"route",        12},
    {"role",         11},
    {"organisation", 18},
    {"route6",       19},
    {"mntner",       9 },
    {"aut-num",      2 },
    {"as-set",       1 },
    {"as-block",     0 },
    {"inet-rtr",     4 },
    {"key-cert",     7 },
    {"person",       10},
    {"route-set",    13},
    {"filter-set",   14},
    {"peering-set",  15},
    {"rtr-set",      16},
    {"irt",          17},
    {"poem",         20},
    {"poetic-form",  21},
};

struct dump_reader *dump_reader_open(const char *path)
{
    struct dump_reader *reader = calloc(1, sizeof(*reader));

    reader->file = gzopen(path, "rb");
    if (reader->file == NULL) {
        free(reader);
        return NULL;
    }
    gzbuffer(reader->file, 256 << 10);
    reader->cap = FIRST_CAP;
    reader->text = malloc(reader->cap);
    return reader;
}

void dump_reader_close(struct dump_reader *reader)
{
    gzclose(reader->file);
    free(reader->text);
    free(reader);
}

size_t dump_reader_bytes(const struct dump_reader *reader)
{
    return reader->bytes;
}

static void fill(struct dump_reader *reader)
{
    int got;

    if (reader->at > 0) {
        memmove(reader->text, reader->text + reader->at, reader->len - reader->at);
        reader->len -= reader->at;
        reader->at = 0;
    }
    if (reader->len + (1 << 20) > reader->cap) {
        reader->cap *= 2;
        reader->text = realloc(reader->text, reader->cap);
    }
    got = gzread(reader->file, reader->text + reader->len, 1 << 20);
    if (got < 0) {
        fputs("dump: damaged file\n", stderr);
        exit(1);
    }
    reader->len += (size_t)got;
    reader->bytes += (size_t)got;
    reader->ended = got == 0;
}

/* The next paragraph, its last LF included. */
static bool next_paragraph(struct dump_reader *reader, const char **text, size_t *len)
{
    size_t searched = 0;

    for (;;) {
        const char *start = reader->text + reader->at, *end;
        size_t left = reader->len - reader->at;

        if (left > 0 && *start == '\n' && searched == 0) {
            reader->at++;
            continue;
        }
        end = memmem(start + searched, left - searched, "\n\n", 2);
        if (end != NULL || reader->ended) {
            *text = start;
            *len = end != NULL ? (size_t)(end + 1 - start) : left;
            reader->at += *len;
            return *len > 0;
        }
        searched = left > 0 ? left - 1 : 0;
        fill(reader);
    }
}

static int class_of(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        if (strlen(classes[i].name) == len && strncasecmp(classes[i].name, name, len) == 0) {
            return classes[i].type;
        }
    }
    return -1;
}

static void parse(struct dump_object *object)
{
    const char *end = object->text + object->len;
    const char *colon = memchr(object->text, ':', object->len);
    const char *line_end = memchr(object->text, '\n', object->len);

    object->type = -1;
    object->key_len = 0;
    object->attributes = 0;
    for (const char *line = object->text; line < end;) {
        const char *next = memchr(line, '\n', (size_t)(end - line));

        object->attributes += *line != ' ' && *line != '\t' && *line != '+';
        line = next == NULL ? end : next + 1;
    }
    if (colon == NULL || (line_end != NULL && colon > line_end)) {
        return;
    }
    object->type = class_of(object->text, (size_t)(colon - object->text));
    line_end = line_end == NULL ? end : line_end;
    for (object->key = colon + 1; object->key < line_end && (unsigned char)*object->key <= ' ';) {
        object->key++;
    }
    while (line_end > object->key && (unsigned char)line_end[-1] <= ' ') {
        line_end--;
    }
    object->key_len = (size_t)(line_end - object->key);
}

bool dump_reader_next(struct dump_reader *reader, struct dump_object *object)
{
    do {
        if (!next_paragraph(reader, &object->text, &object->len)) {
            return false;
        }
    } while (*object->text == '#' || *object->text == '%');
    parse(object);
    return true;
}
