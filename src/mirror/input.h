/*
 * The bytes of a local file, plain or gzip: told apart by the first two bytes, never by the name.
 * Several gzip members in a row read as one text. All offsets are 64-bit.
 */
#pragma once

#include "base/str.h"

struct input;

/** The path of a local file that may be named by a file:// URL: points into it. */
const char *input_local_path(const char *path);
/**
 * @param path  A path, or a file:// URL.
 * @return ERR_OK; ERR_IO with why = file and the system's reason. Other URL schemes are ERR_IO too.
 */
enum err input_open(const char *path, struct input **out, struct why *why) MUST_CHECK;
void input_close(struct input *input); /* NULL is fine. */
/**
 * Read on.
 * @param got  Set to the number of bytes written at `to`; 0 only at the end.
 * @return ERR_OK; ERR_IO; ERR_CORRUPT for a truncated or damaged gzip file: why names the file and
 * the offset in it.
 */
enum err input_read(struct input *input, void *to, size_t room, size_t *got,
                    struct why *why) MUST_CHECK;
const char *input_path(const struct input *input);  /* As opened, without file://. */
uint64_t input_size(const struct input *input);     /* Bytes on disk. */
uint64_t input_consumed(const struct input *input); /* Bytes of them read so far: for progress. */
/** About how many bytes the text has: exact for a plain file, from the gzip trailer otherwise. */
uint64_t input_estimate(const struct input *input);
/**
 * Read a small file as a whole, such as a serial file. @return ERR_LIMIT when it is longer than
 * max.
 */
enum err input_slurp(const char *path, size_t max, struct buf *out, struct why *why) MUST_CHECK;
