/*
 * A source into a dump file, as its upstream publishes it: a header of `#` lines with the serial,
 * then the objects by id in the upstream's charset, an empty line before each; gzip when the name
 * ends in .gz. Beside it lies its serial file, NAME.serial, as loads take it.
 *
 * All objects are of one version, those of the serial. Updates and queries go on meanwhile; while
 * too much memory waits for the export, its mirror is paused. The old file stays until the new one
 * is whole and on the disk; the serial file is replaced behind it, so that a pair that is read in
 * between has a serial that is too old, which does no harm.
 */
#pragma once

#include "mirror/mirror.h"

struct export_request {
    const char *path;
    void (*on_progress)(void *context, const char *line); /**< As of struct load_request. */
    void *context;
};

struct export_report {
    int64_t serial; /**< -1: the position is unknown, no serial file was written. */
    uint64_t objects, bytes, checksum;
};

/**
 * Export an open source; takes its time.
 * @return ERR_OK; ERR_NOT_FOUND when it holds no objects; ERR_IO; ERR_SYNTAX when an object has
 * characters that the mirror's charset lacks; ERR_STOPPED; ERR_CORRUPT. why is a whole sentence.
 */
enum err mirror_export(struct mirror *mirror, struct source *source,
                       const struct export_request *request, struct export_report *report,
                       struct why *why) MUST_CHECK;
