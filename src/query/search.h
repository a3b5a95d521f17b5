/*
 * Finding objects: from a key and flags to ids in the order of the answer (whois-queries 3.6, 3.7,
 * 4 and 5).
 *
 * Ids come from indexes of hashes, so each object is looked at again when its text is at hand:
 * search_accepts() drops a false hit, and everything that can only be judged by the text (the
 * origin of a route, consent to a membership).
 */
#pragma once

#include "query/item.h"
#include "query/key.h"

/** One value that makes an object a hit. */
struct wanted_value {
    unsigned attr; /**< enum rpsl_attr_id or INDEX_NAME_WORD. */
    struct str folded;
    bool is_like; /**< `folded` is a pattern: % and _ are wildcards, \ takes their meaning. */
};

struct search {
    struct view view;
    const struct query *query;
    const struct search_key *key;
    uint32_t classes; /**< CLASS_BIT()s of what may be returned. */
    bool is_trusted;
    struct arena *arena; /**< For lists; kept until the answer of this source ends. */

    /* Private to search*.c. */
    struct wanted_value *wanted; /**< -i: any of them. Forward: the words of a name, all of them. */
    size_t wanted_count;
    struct str folded;                       /**< The key, folded. */
    struct id_list worded, mailed, netnamed; /**< Ids of all classes by words, e-mail, netname. */
    bool has_words, has_mails, has_netnames;
    enum rpsl_class class;  /**< Now searched; not by -i. */
    bool is_by_key;         /**< Its objects may have been found by key: */
    struct str canonical;   /**< this one. */
    struct str *consenting; /**< member-of: whom the set lets in. */
    size_t consenting_count;
    size_t ordered; /**< Routes of the current list up to here are in order of origin. */
};

/** Start searching one source. view, query, key, is_trusted and arena are set, everything else is
 * zero. */
enum err search_begin(struct search *search) MUST_CHECK;
/**
 * Ids of one class, in order. @param out  Empty. @return ERR_OK, ERR_LIMIT, ERR_CORRUPT.
 */
enum err search_class(struct search *search, enum rpsl_class class, struct id_list *out) MUST_CHECK;

/** Whether -i may name this attribute. */
bool search_is_inverse(enum rpsl_attr_id attr, bool is_trusted);
/** Ids of all objects that hold the key in one of the attributes of -i, in no order and with
 * doubles: snapshot_sort_begin(). Returns as search_class(). */
enum err search_inverse(struct search *search, struct id_list *out) MUST_CHECK;

/** Put the routes that share the prefix of ids[i] in order of origin; call before ids[i] is used.
 */
enum err search_order(struct search *search, struct id_list *list, size_t i) MUST_CHECK;
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
/** Remember a value that makes an object a hit, for search_accepts(). @param folded  In the
 * search's arena. */
enum err search_want(struct search *search, unsigned attr, struct str folded,
                     bool is_like) MUST_CHECK;
/** The keyword of mbrs-by-ref. */
static inline bool search_is_any(struct str folded)
{
    return str_eq_nocase(folded, STR("any"));
}
