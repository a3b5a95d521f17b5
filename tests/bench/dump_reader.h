/*
 * The least a dump reader can do: inflate, cut at empty lines, walk the attribute lines. For floors
 * only; whoisd's own reader is in src/mirror.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct dump_reader;

struct dump_object {
    const char *text; /**< Ends in LF; valid until the next call. */
    size_t len;
    int type;        /**< object_type of the database; -1 for a class we do not know. */
    const char *key; /**< Value of the first attribute, trimmed. */
    size_t key_len;
    size_t attributes;
};

/** @return NULL when the file cannot be opened (errno tells). Plain or gzip. */
struct dump_reader *dump_reader_open(const char *path);
void dump_reader_close(struct dump_reader *reader);
/** @return false at the end; a damaged file ends the process. */
bool dump_reader_next(struct dump_reader *reader, struct dump_object *object);
size_t dump_reader_bytes(const struct dump_reader *reader); /* Of text, so far. */
