/*
 * The answer to one line, made a step at a time (whois-queries 6 and 7): notes, then source by
 * source and class by class each object with those that it refers to, then the last lines. A step
 * prints at most one object, reads a few texts or looks at some hundred records, so that a caller
 * can stop between steps and go on later: the answer holds on to its snapshot. Versions of objects
 * are not at hand: then the answer waits until its caller has had the version query carried out.
 */
#pragma once

#include "query/acl.h"
#include "query/check.h"
#include "query/follow.h"
#include "query/print.h"
#include "query/search.h"
#include "query/settings.h"
#include "query/versions.h"

/** Who asks. */
struct answer_client {
    struct ip_range address; /**< A range of one. */
    bool is_trusted;         /**< In ipranges.trusted. */
    bool is_blocked;         /**< In ipranges.blocked: gets nothing, not even help. */
};

/** What all answers of a thread share. */
struct answer_tools {
    const struct settings *settings;
    struct reader *reader;
    struct key_matcher *matcher;
    struct acl *acl;
    struct arena *scratch; /**< Empty between steps. */
    struct buf utf8;       /**< Scratch of the printer. */
};

/** A source of an answer, as named in it. */
struct answer_part {
    struct str name;
    const struct query_source *source; /**< NULL: unknown name. */
    bool is_merged; /**< The same data as an earlier part (main and nonauth): searched there. */
};

struct answer {
    struct answer_tools *tools;
    struct arena *arena; /**< Everything of this answer but its texts. */

    /* From answer_read(). */
    bool is_valid; /**< False: it will be answered by its complaints. */
    struct answer_client client;

    /* For whoever sends it. */
    bool must_close;                /**< Close the connection behind it, persistent or not. */
    const char *failure;            /**< What cut the answer short, for the log; NULL: nothing. */
    uint64_t object_count;          /**< Printed so far. */
    struct version_query *versions; /**< What it waits for, or what came of it. */

    /* Private. */
    int stage;
    struct ip_range accounted; /* The client, or for whom it asks. */
    bool is_limited;           /* It has a limit: personal objects are counted. */
    int64_t personal_budget;   /* Read at the first personal object. */
    uint32_t personal_count;
    struct answer_part *parts;
    size_t part_count, part; /* The next one. */
    bool is_held, hides_no_entries;
    bool is_dummified;   /* Objects of this part lose what is personal. */
    uint32_t candidates; /* Classes, or the rest of them. */
    struct id_list ids, related, shown_related;
    struct references references; /* Of the object that was printed last. */
    struct id_sort *sort;         /* Of one of the lists. */
    struct arena_mark sort_mark;
    int behind_sort;           /* The stage. */
    struct object_place place; /* Of ids[0]; info.id 0: not known. */
    bool is_ahead;             /* Memory was asked for what the next step needs. */
    size_t id, related_id;
    struct search search;
    struct printer printer;
    struct arena_mark source_mark;
    struct verdict verdict;

    /* Not cleared for each answer: set by answer_read(), the key only when is_valid. */
    struct query query; /**< Whether the query is_valid or not. */
    struct search_key key;
};

/**
 * Read a line: decode, parse, classify, check. Nothing is printed. The line is copied.
 * @param arena  Emptied by the caller; lives until the answer ends.
 * @return ERR_OK (also for an invalid query: see is_valid); ERR_LIMIT.
 */
enum err answer_read(struct answer *answer, struct answer_tools *tools, struct str line,
                     const struct answer_client *client, struct arena *arena) MUST_CHECK;
enum answer_progress {
    ANSWER_MORE,
    ANSWER_AHEAD, /**< There is more; what it looks at next is on its way from memory. */
    ANSWER_WAITS, /**< The next step needs version_query_run(answer->versions). */
    ANSWER_DONE,  /**< Nothing is left: the caller adds the served-by line. */
};
/** Print the next bit. */
enum answer_progress answer_step(struct answer *answer, struct buf *out);
/** Keep the snapshot while the loop goes round; call when stopping between steps. */
void answer_hold(struct answer *answer);
/** Whether the snapshot it holds keeps too much memory of old versions. */
bool answer_is_unwanted(const struct answer *answer);
/** Give everything back, finished or not; the personal objects in it are counted now. */
void answer_end(struct answer *answer);
