/*
 * What the query side knows of a source: a name, an index to read and a way to ask why the index is
 * still empty. The server takes an array of these, so that it serves any index: a database's, or
 * one that a test built by hand.
 */
#pragma once

#include "storage/snapshot.h"

struct source;

enum query_source_state {
    QUERY_SOURCE_READY,       /**< Holds what it should, be it nothing. */
    QUERY_SOURCE_LOADING,     /**< Being loaded or rebuilt. */
    QUERY_SOURCE_UNAVAILABLE, /**< Never loaded, or its database was not reached yet. */
};

struct query_source {
    const char *name;     /**< "RIPE-GRS", upper case. */
    const char *upstream; /**< What the source: line of its objects says. */
    bool is_main; /**< The main source; all others are answered as mirrors (whois-queries 7.4). */
    struct index *index;
    const char *notice; /**< Extra banner lines of this source ("% ...\n"); NULL: none. */
    /**
     * Asked only while the index shows no objects; must be quick and must not block. NULL: always
     * ready.
     * @param percent  Of LOADING; preset to 0.
     */
    enum query_source_state (*state)(void *context, int *percent);
    void *context; /**< For state. */
};

/** The row of a source that storage opened. The source must outlive the server. */
struct query_source query_source_of(struct source *source);
