/*
 * What a configuration means to the workers: sources, texts ready to be sent, address lists.
 * Immutable once made; a reconfiguration makes a new one (see server.c).
 */
#pragma once

#include <stdatomic.h>

#include "query/addresses.h"
#include "query/follow.h"
#include "query/server.h"

#define MAX_SOURCES 64

struct settings {
    const struct query_source *sources; /**< In the order of `-q sources`; borrowed. */
    size_t source_count;
    const struct query_source *main; /**< NULL: there is none. */
    struct str main_name;            /**< Of whois.source; "" only when there is none. */
    struct str nonauth_name;         /**< "" when there is none. */
    struct str additional[MAX_SOURCES];
    size_t additional_count;
    bool is_dummified[MAX_SOURCES]; /**< By source: its objects lose what is personal. */
    struct abuse_rules abuse;
    struct address_list trusted;   /**< ipranges.trusted */
    struct address_list blocked;   /**< ipranges.blocked */
    struct address_list balancers; /**< ipranges.loadbalancer, while they are listened to. */
    struct buf banner;             /**< With the empty line behind it. */
    struct buf served_by;          /**< The line and one empty line; an answer adds another. */
    int connections_per_address, connections_total;
    int answer_timeout_s;
    int database_timeout_s;
    bool log_queries;
    /** Per source, see query_server_set_stale(); written by other threads. NULL: all are fresh. */
    const _Atomic int64_t *stale_since_ms;

    /* Private. */
    struct str abuse_sources[3], maintainers[MAX_SOURCES];
    struct buf strings; /* What the slices above show. */
};

#define SERVER_VERSION PACKAGE_VERSION

/**
 * @param sources  Borrowed: they outlive all settings, so that an answer may hold on to its source.
 * @return ERR_OK; ERR_SYNTAX with why. Texts of conf are copied.
 */
enum err settings_new(const struct query_conf *conf, const struct query_source *sources,
                      size_t source_count, struct settings **out, struct why *why) MUST_CHECK;
void settings_free(struct settings *settings); /* NULL is fine. */

/** @return The source with this name (upper case); the main one for the nonauth name; NULL when
 * unknown. */
const struct query_source *settings_source(const struct settings *settings, struct str name);
