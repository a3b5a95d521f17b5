/*
 * Finding objects: from a key and flags to ids in the order of the answer (whois-queries 3.6, 3.7,
 * 4 and 5).
 *
 * Ids come from indexes of hashes, so each object is looked at again when its text is at hand:
 * search_accepts() drops a false hit, and everything that can only be judged by the text (the
 * origin of a route, consent to a membership).
 */
#pragma once

#include "base/merge_sort.h"
#include "query/item.h"
#include "query/key.h"

/** One value that makes an object a hit. */
struct wanted_value {
    unsigned attr; /**< enum rpsl_attr_id or INDEX_NAME_WORD. */
    struct str folded;
    bool is_like; /**< `folded` is a pattern: % and _ are wildcards, \ takes their meaning. */
};

/** Whom a set lets in: objects that this maintainer maintains, or all of them. */
struct consent {
    enum rpsl_class set;   /**< The class of the set: its members are of other classes each. */
    struct str maintainer; /**< Folded; ANY: all. */
};

struct search {
    struct view view;
    const struct query *query;
    const struct search_key *key;
    uint32_t classes; /**< CLASS_BIT()s of what may be returned. */
    bool is_trusted;
    struct arena *arena; /**< For lists; kept until the answer of this source ends. */
    bool is_ahead;       /**< What the next step looks at is on its way from memory. */

    /* Private to search*.c. */
    struct wanted_value *wanted; /**< -i: any of them. Forward: the words of a name, all of them. */
    size_t wanted_count;
    struct str folded;                       /**< The key, folded. */
    struct id_list worded, mailed, netnamed; /**< Ids of all classes by words, e-mail, netname. */
    bool has_words, has_mails, has_netnames;
    enum rpsl_class class;    /**< Now searched; not by -i. */
    bool is_by_key;           /**< Its objects may have been found by key: */
    struct str canonical;     /**< this one. */
    struct consent *consents; /**< member-of. */
    size_t consent_count;

    /* Where the search stands. */
    enum err (*step)(struct search *search); /**< NULL: it is complete. */
    struct id_list *out;
    const struct lookup *lookup; /**< The next row of the class. */
    struct id_walk *walk;
    enum err (*behind_walk)(struct search *search);
    struct str words;            /**< Those that were not looked up yet. */
    struct id_list found;        /**< Of one word. */
    const struct id_list *dealt; /**< A list that is dealt out by class. */
    size_t at, other, kept;      /**< Places in lists. */
    struct placed *places;       /**< Of netnames, or of the routes of a prefix; in the arena */
    size_t place_count, place_cap;
    struct arena_mark mark; /**< behind this. */
    struct merge_sort merge;
    bool is_merging;
    size_t ordered;   /**< Routes of the list up to here are in order. */
    size_t attribute; /**< The next one of -i, */
    unsigned contact; /**< and of those that `person` stands for. */
};

/** Start searching one source. view, query, key, is_trusted and arena are set, everything else is
 * zero. */
enum err search_begin(struct search *search) MUST_CHECK;
/** Search one class: search_step() appends to `out`, which is empty. */
void search_class(struct search *search, enum rpsl_class class, struct id_list *out);
/** The same for -i: objects that hold the key in one of its attributes, with doubles. */
void search_inverse(struct search *search, struct id_list *out);
/**
 * Go on: some hundred records, a few texts.
 * @param is_done  Whether the list is complete. It is in order then, unless search_is_unsorted().
 * @return ERR_OK, ERR_LIMIT, ERR_CORRUPT.
 */
enum err search_step(struct search *search, bool *is_done) MUST_CHECK;
/** Whether the list that was found has to be sorted by key: snapshot_sort_begin(). */
bool search_is_unsorted(const struct search *search);

/** Whether -i may name this attribute. */
bool search_is_inverse(enum rpsl_attr_id attr, bool is_trusted);

/** Put the routes that share the prefix of ids[i] in order of origin, before ids[i] is used: call
 * until it is done. */
enum err search_order(struct search *search, struct id_list *list, size_t i,
                      bool *is_done) MUST_CHECK;
/** Whether the object is a hit after all. @return ERR_OK, ERR_NOT_FOUND (it is not), ERR_LIMIT,
 * ERR_CORRUPT. */
enum err search_accepts(struct search *search, struct item *item) MUST_CHECK;

/** The classes that a reference attribute refers to, as CLASS_BIT()s. */
uint32_t search_targets(enum rpsl_attr_id attr);

/* --- among search*.c --- */

static inline bool search_is_route(enum rpsl_class class)
{
    return class == CLASS_ROUTE || class == CLASS_ROUTE6;
}
/** Whether a lookup finds objects by one of their values, and not by what identifies them. */
static inline bool search_is_by_value(enum search_how how)
{
    return how == SEARCH_NETNAME || how == SEARCH_WORDS || how == SEARCH_EMAIL;
}
/** Look a value up, into a list; then go on with `behind`. */
enum err search_walk_value(struct search *search, unsigned attr, struct str folded,
                           struct id_list *list,
                           enum err (*behind)(struct search *search)) MUST_CHECK;
/** Remember a value that makes an object a hit, for search_accepts(). @param folded  In the
 * search's arena. */
enum err search_want(struct search *search, unsigned attr, struct str folded,
                     bool is_like) MUST_CHECK;
/** The keyword of mbrs-by-ref. */
static inline bool search_is_any(struct str folded)
{
    return str_eq_nocase(folded, STR("any"));
}
