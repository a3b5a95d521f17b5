/*
 * A checkpoint: one version of an index in a file, so that a start need not read the database.
 *
 *   header | sections, back to back | table of sections          numbers as this machine has them
 *
 *   section       holds
 *   dictionary    of zstd, as trained
 *   nodes         up to 4 MB of nodes as they lie in memory: trees one after the other, children
 *                 before parents, numbered anew from 1, so that only what the version sees is there
 *   texts         one segment, as far as it was filled
 *
 * Every byte is covered: by the CRC-32C of its section, which stands in the table, by that of the
 * table, which stands in the header, or by the header's own. A file is good for the build that
 * wrote it (base/build.h) and for its source; whether it is good for a database is for the caller
 * to say, by its origin. checkpoint_format.h has the structs.
 *
 * Writing pins a version and takes no lock: updates and queries go on. Memory: one chunk of nodes.
 */
#pragma once

#include <stdatomic.h>

#include "base/build.h"
#include "storage/index.h"

/** Where a checkpoint comes from: whoever takes it fills this, whoever reads it compares. */
struct checkpoint_origin {
    char source[64]; /**< "RIPE-GRS" */
    uint8_t build[BUILD_ID_BYTES];
    uint32_t bulk_end; /**< As in nrtm_state. */
    uint64_t id;       /**< Of the row in nrtm_checkpoint that was committed at this position. */
    int64_t taken_ms;  /**< Wall clock. */
    int64_t applied, hw;
    uint64_t generation;
    uint32_t newest_object, newest_sequence; /**< Of the row of `serials` at `applied`. */
    uint32_t newest_operation;
    uint32_t is_known; /**< Whether the position is: see struct position. */
};

/* --- writing --- */
struct checkpoint; /* Opaque: a pinned version on its way into a file. */

/** Pin the published version. The caller keeps writers away meanwhile; there is a version. */
struct checkpoint *checkpoint_new(struct index *index, const struct checkpoint_origin *origin);
/** Give the pin back, if checkpoint_write() has not done it. Any thread; NULL is fine. */
void checkpoint_free(struct checkpoint *checkpoint);
/** Have checkpoint_write() give up at this time (clock_mono_us()); 0: at once. Any thread. */
void checkpoint_set_deadline(struct checkpoint *checkpoint, int64_t at_us);
struct checkpoint_options {
    bool is_synced; /**< On disk when it returns, not only in the page cache, unless the deadline
                       came before. */
    void (*on_copied)(void *context); /**< Or NULL: called when the pin has been given back. */
    void *context;
};
/**
 * Write the file: under another name, then renamed. An old one stays until then, and when it fails.
 * @param bytes  Receives the file's size.
 * @return ERR_OK; ERR_STOPPED (deadline); ERR_IO.
 */
enum err checkpoint_write(struct checkpoint *checkpoint, const char *path,
                          const struct checkpoint_options *options, uint64_t *bytes,
                          struct why *why) MUST_CHECK;

/* --- reading --- */
/**
 * Look at the header alone.
 * @return ERR_OK; ERR_NOT_FOUND (no file); ERR_CORRUPT (damaged, or of another source or build);
 * ERR_IO.
 */
enum err checkpoint_peek(const char *path, const char *source, const uint8_t build[BUILD_ID_BYTES],
                         struct checkpoint_origin *out, struct why *why) MUST_CHECK;
/**
 * Read the file into an index that never had a version, as its next version: index_publish() or
 * index_rollback() follows. Several threads read. All that a reader of the index relies on is
 * checked: CRCs, that trees are trees, that texts are where the objects say.
 * @return As checkpoint_peek(); on a failure everything is rolled back already.
 */
enum err checkpoint_read(struct index *index, const char *path, const char *source,
                         const uint8_t build[BUILD_ID_BYTES], struct checkpoint_origin *out,
                         struct why *why) MUST_CHECK;
