/*
 * Reading a registry dump: objects as received, one after the other, out of one or several files.
 *
 * Objects are separated by empty lines; the last needs none. Comment lines (`#`, `%`) and CRs are
 * taken out, paragraphs that start with `*xx` (tombstones of legacy servers) are skipped and
 * counted. Objects are slices of the reader's buffer: nothing is copied.
 */
#pragma once

#include "base/str.h"

struct dump;

/**
 * Open all files, so that a missing one is noticed before anything is loaded; see input_open() for
 * paths.
 * @param max_object  Bytes an object may have (mirror.max.object.size).
 * @return ERR_OK, ERR_IO.
 */
enum err dump_open(const char *const *paths, size_t count, size_t max_object, struct dump **out,
                   struct why *why) MUST_CHECK;
void dump_close(struct dump *dump); /* NULL is fine. */
/**
 * The next object.
 * @param object  Bytes as received, each line ends in LF; valid until the next call. Never empty.
 * @return ERR_OK; ERR_NOT_FOUND at the end; ERR_LIMIT for an object that is too long; ERR_IO and
 * ERR_CORRUPT of the file. why names the file and the place in it.
 */
enum err dump_next(struct dump *dump, struct str *object, struct why *why) MUST_CHECK;

uint64_t dump_estimate(const struct dump *dump);   /* Bytes of text in all files, about. */
double dump_fraction(const struct dump *dump);     /* How much was read, 0 to 1. */
uint64_t dump_tombstones(const struct dump *dump); /* `*xx` paragraphs skipped so far. */
const char *dump_file(const struct dump *dump);    /* The file the last object came from. */
