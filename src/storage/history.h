/*
 * The versions of objects, from the tables `last` and `history`: what the database knows, which may
 * be a moment ahead of the index.
 *
 * Everything here blocks on SQL and may be called by several threads at a time. A source keeps a
 * few connections for it; no lock of the writers is taken.
 */
#pragma once

#include "base/arena.h"
#include "storage/source.h"

/** One version, by the columns that name it. */
struct object_version {
    uint32_t object_id, sequence;
    uint32_t timestamp; /**< When it was made. */
};

/** What became of the objects of one class that had a key. */
struct history {
    enum rpsl_class class;
    struct object_version *versions; /**< Of the object that is alive, oldest first, from the
                                        first one that was not pruned. */
    size_t count;                    /**< 0: none is. */
    uint32_t deleted;                /**< When one was last deleted; 0: never. */
};

/** By class, in order of output. Zero-initialise. */
struct history_list {
    struct history *at;
    size_t count;
};

/**
 * Find all that had a key.
 * @param classes  A bit per enum rpsl_class.
 * @param key      As a client spells it: letters in any case, an inetnum as `a - b`.
 * @param out      In the arena; empty when there never was such an object.
 * @return ERR_OK; ERR_LIMIT when the arena is full; ERR_SQL_LOST (the database is down) and others.
 */
enum err source_histories(struct source *source, uint32_t classes, struct str key,
                          struct arena *arena, struct history_list *out,
                          struct why *why) MUST_CHECK;
/** The text of a version, UTF-8, in the arena. @return As above; ERR_NOT_FOUND when it was pruned
 * since. */
enum err source_version_text(struct source *source, const struct object_version *version,
                             struct arena *arena, struct str *out, struct why *why) MUST_CHECK;
