/*
 * What the query side knows of a source: a name, an index to read and a way to ask why the index is
 * still empty. The server takes an array of these, so that it serves any index: a database's, or
 * one that a test built by hand.
 */
#pragma once

#include "storage/history.h"
#include "storage/snapshot.h"

/** Where the versions of a source's objects are. Its functions may block and are called by several
 * threads. */
struct version_store {
    /** As source_histories(). */
    enum err (*find)(void *context, uint32_t classes, struct str key, struct arena *arena,
                     struct history_list *out, struct why *why);
    /** As source_version_text(). */
    enum err (*text)(void *context, const struct object_version *version, struct arena *arena,
                     struct str *out, struct why *why);
};

enum query_source_state {
    QUERY_SOURCE_READY,       /**< Holds what it should, be it nothing. */
    QUERY_SOURCE_LOADING,     /**< Being loaded or rebuilt. */
    QUERY_SOURCE_UNAVAILABLE, /**< Never loaded, or its database was not reached yet. */
};

struct query_source {
    const char *name; /**< "RIPE-GRS", upper case. */
    bool is_main; /**< The main source; all others are answered as mirrors (whois-queries 7.4). */
    bool is_virtual; /**< Another name of the main source's data, answered as a mirror. */
    struct index *index;
    const char *notice; /**< Extra banner lines of this source ("% ...\n"); NULL: none. */
    /**
     * Asked only while the index shows no objects; must be quick and must not block. NULL: always
     * ready.
     * @param percent  Of LOADING; preset to 0.
     */
    enum query_source_state (*state)(void *context, int *percent);
    const struct version_store *versions; /**< NULL: only the present is known. */
    void *context;                        /**< For state and versions. */
};

/**
 * The row of a virtual source. It knows no versions: they would show what the name hides.
 * @param name  Upper case; must outlive the server.
 */
struct query_source query_source_alias(const struct query_source *main, const char *name);
/** The row of a source that storage opened. The source must outlive the server. */
struct query_source query_source_of(struct source *source);
