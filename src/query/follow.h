/*
 * From an object to others that belong with it: the contacts and organisations that it refers to,
 * its irts, its abuse contact (whois-queries 6.1, 4.6, 6.7). All of one source and one snapshot.
 */
#pragma once

#include "query/item.h"

/** Keys of objects that another one refers to. Zero-initialise; may be used again and again. */
struct references {
    struct reference *all; /**< Private; in the arena, like the keys. */
    size_t count, cap, next;
    char *keys;
    size_t key_bytes, key_cap;
    uint32_t self; /**< The id of the object that refers: it does not count. */
};
/** Forget the keys, keep the room. */
void references_clear(struct references *references, uint32_t self);
/**
 * Look up the next few keys and append the ids of the objects that have them, each once.
 * @return ERR_OK, ERR_LIMIT, ERR_CORRUPT.
 */
enum err references_step(struct references *references, const struct view *view,
                         struct arena *arena, struct id_list *out, bool *is_done) MUST_CHECK;

/**
 * Append the persons, roles and organisations that an object refers to.
 * @param with_personal  false: organisations only.
 * @param arena  The references'.
 * @return ERR_OK, ERR_LIMIT, ERR_CORRUPT.
 */
enum err follow_references(const struct view *view, struct item *item, bool with_personal,
                           struct arena *arena, struct references *out) MUST_CHECK;

/** Append the irts of an inetnum or inet6num: its own, else those of the outermost range that names
 * any. */
enum err follow_irts(const struct view *view, struct item *item, struct arena *arena,
                     struct references *out) MUST_CHECK;

/** Whose objects may have abuse contacts, and where looking for one ends. */
struct abuse_rules {
    const struct str *sources; /**< Values of source: whose objects have contacts. */
    size_t source_count;
    const struct str *maintainers; /**< Of the registry: their ranges do not inherit a contact. */
    size_t maintainer_count;
};
/**
 * The abuse mailbox of an inetnum, inet6num or aut-num.
 * @param out  In the scratch arena; "" when there is none.
 * @return ERR_OK, ERR_LIMIT, ERR_CORRUPT.
 */
enum err follow_abuse_contact(const struct view *view, const struct abuse_rules *rules,
                              struct item *item, struct str *out) MUST_CHECK;
