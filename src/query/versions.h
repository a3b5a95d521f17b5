/*
 * Version queries: `--list-versions`, `--show-version`, `--diff-versions` (whois-queries 6.12).
 *
 * What they ask for is in the database only. So a version query is cut off from its connection: it
 * owns what it needs, may be carried out by any thread, and then holds the whole text of its part
 * of the answer.
 */
#pragma once

#include "query/check.h"
#include "query/source.h"

/** What is asked of one source, and its answer. */
struct version_query {
    /* From version_query_run(), or version_query_refuse(). */
    bool is_done;
    bool found;          /**< There is, or was, such an object. */
    bool must_close;     /**< The answer is a failure of this server. */
    bool ends_answer;    /**< No other source is asked. */
    const char *failure; /**< For the log; NULL: none. */
    struct buf text;     /**< Messages in UTF-8, objects in the query's character set. */

    /* Private. */
    const struct query_source *source;
    struct arena *arena;
    uint32_t classes;
    bool is_by_class;     /**< -T names the classes. */
    enum query_flag flag; /**< Which of the three it is. */
    struct flag_value argument;
    struct str key;
    enum charset charset;
};

/** Everything is copied but the source. @return NULL when there is no memory. */
struct version_query *version_query_new(const struct query_source *source,
                                        const struct query *query, const struct search_key *key,
                                        const struct verdict *verdict);
void version_query_free(struct version_query *query); /* NULL is fine. */
/** Carry it out. Blocks; any thread. */
void version_query_run(struct version_query *query);
/** Answer it without looking: too many wait. */
void version_query_refuse(struct version_query *query);
/** In place of one that takes too long: its answer says that versions cannot be read. Aborts
 * without memory. */
struct version_query *version_query_late(const struct query_source *source);
