/*
 * From an object to others that belong with it: the contacts and organisations that it refers to,
 * its irts, its abuse contact (whois-queries 6.1, 4.6, 6.7). All of one source and one snapshot.
 */
#pragma once

#include "query/item.h"

/**
 * Append the ids of the persons, roles and organisations that an object refers to.
 * @param with_personal  false: organisations only.
 * @param arena  The list's.
 * @return ERR_OK, ERR_LIMIT, ERR_CORRUPT.
 */
enum err follow_references(const struct view *view, struct item *item, bool with_personal,
                           struct arena *arena, struct id_list *out) MUST_CHECK;

/** Append the irts of an inetnum or inet6num: its own, else those of the outermost range that names
 * any. */
enum err follow_irts(const struct view *view, struct item *item, struct arena *arena,
                     struct id_list *out) MUST_CHECK;

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
