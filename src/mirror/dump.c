/*
 * Dump reader: files -> bytes -> paragraphs -> objects.
 * One buffer holds the text being cut; what is left of it moves to its front before the next read,
 * which is rare because a read is large and an object small.
 */
#include "mirror/dump.h"

#include <stdlib.h>
#include <string.h>

#include "mirror/input.h"
#include "mirror/paragraph.h"

enum { READ_BYTES = 1024 * 1024 };

struct dump {
    struct input **inputs;
    size_t count, current;
    size_t max_object;
    uint64_t size, size_before; /* Bytes on disk: of all files, of those before the current. */
    uint64_t dropped;           /* Text bytes of the current file that left the buffer. */
    uint64_t tombstones;
    struct buf buf;
    size_t at; /* Start in buf of what was not handed out yet. */
    bool at_eof;
};

enum err dump_open(const char *const *paths, size_t count, size_t max_object, struct dump **out,
                   struct why *why)
{
    struct dump *dump = calloc(1, sizeof(*dump));
    enum err rc = ERR_OK;

    if (dump == NULL || (dump->inputs = calloc(count + 1, sizeof(dump->inputs[0]))) == NULL) {
        free(dump);
        return why_set(why, ERR_MEMORY, "dump reader: out of memory");
    }
    dump->max_object = max_object;
    for (; rc == ERR_OK && dump->count < count; dump->count++) {
        rc = input_open(paths[dump->count], &dump->inputs[dump->count], why);
        if (rc != ERR_OK) {
            break;
        }
        dump->size += input_size(dump->inputs[dump->count]);
    }
    if (rc != ERR_OK) {
        dump_close(dump);
        return rc;
    }
    *out = dump;
    return ERR_OK;
}

void dump_close(struct dump *dump)
{
    if (dump == NULL) {
        return;
    }
    for (size_t i = 0; i < dump->count; i++) {
        input_close(dump->inputs[i]);
    }
    free(dump->inputs);
    buf_free(&dump->buf);
    free(dump);
}

/* More text of the current file behind what is there. */
static enum err read_more(struct dump *dump, struct why *why)
{
    size_t got;
    enum err rc;

    buf_drop(&dump->buf, dump->at);
    dump->dropped += dump->at;
    dump->at = 0;
    buf_reserve(&dump->buf, READ_BYTES);
    rc = input_read(dump->inputs[dump->current], dump->buf.at + dump->buf.len, READ_BYTES, &got,
                    why);
    if (rc == ERR_OK) {
        dump->buf.len += got;
        dump->at_eof = got == 0;
    }
    return rc;
}

static void next_file(struct dump *dump)
{
    dump->size_before += input_size(dump->inputs[dump->current]);
    dump->current++;
    dump->dropped = 0;
    dump->at = 0;
    dump->at_eof = false;
    buf_clear(&dump->buf);
}

static enum err too_long(struct dump *dump, struct why *why)
{
    return why_set(why, ERR_LIMIT,
                   "%s: the object at byte %llu of the text is longer than %zu bytes "
                   "(mirror.max.object.size)",
                   dump_file(dump), (unsigned long long)(dump->dropped + dump->at),
                   dump->max_object);
}

/* The next paragraph of the current file; ERR_NOT_FOUND at its end. */
static enum err next_paragraph(struct dump *dump, struct str *text, struct why *why)
{
    struct paragraph paragraph = {0};
    enum err rc = ERR_OK;

    while (!paragraph_scan(&paragraph, str_sub(buf_str(&dump->buf), dump->at, dump->buf.len))) {
        size_t have = dump->buf.len - dump->at;

        if (have > dump->max_object) {
            return too_long(dump, why);
        }
        if (!dump->at_eof) {
            if ((rc = read_more(dump, why)) != ERR_OK) {
                return rc;
            }
            continue;
        }
        if (have == 0) {
            return ERR_NOT_FOUND;
        }
        if (dump->buf.at[dump->buf.len - 1] != '\n') {
            buf_add_char(&dump->buf,
                         '\n'); /* The last line of a file may lack it; then scan that too. */
            continue;
        }
        paragraph_end_of_file(&paragraph, str_sub(buf_str(&dump->buf), dump->at, dump->buf.len));
        break;
    }
    if (paragraph.end > dump->max_object) {
        return too_long(dump, why);
    }
    *text = paragraph_clean(&paragraph, dump->buf.at + dump->at);
    dump->at += paragraph.next;
    return ERR_OK;
}

enum err dump_next(struct dump *dump, struct str *object, struct why *why)
{
    while (dump->current < dump->count) {
        enum err rc = next_paragraph(dump, object, why);

        if (rc == ERR_NOT_FOUND) {
            next_file(dump);
        } else if (rc != ERR_OK) {
            return rc;
        } else if (str_starts(*object, STR("*xx"))) {
            dump->tombstones++;
        } else if (object->len > 0) {
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}

uint64_t dump_estimate(const struct dump *dump)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < dump->count; i++) {
        sum += input_estimate(dump->inputs[i]);
    }
    return sum;
}

double dump_fraction(const struct dump *dump)
{
    uint64_t done = dump->size_before;

    if (dump->current < dump->count) {
        done += input_consumed(dump->inputs[dump->current]);
    }
    return dump->size == 0 ? 1 : (double)done / (double)dump->size;
}

uint64_t dump_tombstones(const struct dump *dump)
{
    return dump->tombstones;
}

const char *dump_file(const struct dump *dump)
{
    size_t i = dump->current < dump->count ? dump->current : dump->count - 1;

    return dump->count == 0 ? "" : input_path(dump->inputs[i]);
}
