/*
 * From an object to bytes of the answer (whois-queries 6.3, 6.5, 6.6, 6.8, 7.2): laid out,
 * filtered, reduced, encoded.
 */
#pragma once

#include "query/item.h"
#include "rpsl/charset.h"

struct printer {
    struct buf *out;
    struct buf *utf8;     /**< Room for a text before it is encoded. */
    enum charset charset; /**< Of objects. -K and -b are always Latin-1. */
    bool filters_email;
    bool hides_contacts; /**< As in versions (whois-queries 6.12); leaves no mark. */
    bool is_short;       /**< -F */
};

/** A whole object and the empty line behind it. @return ERR_OK, ERR_LIMIT, ERR_CORRUPT. */
enum err print_object(const struct printer *printer, const struct view *view,
                      struct item *item) MUST_CHECK;
/** -K: the key attributes, and the members of a set. */
enum err print_keys(const struct printer *printer, const struct view *view,
                    struct item *item) MUST_CHECK;
/** -b: the first attribute and the mailbox; "" shows the object's own mailboxes. */
enum err print_abuse(const struct printer *printer, const struct view *view, struct item *item,
                     struct str mailbox) MUST_CHECK;
/** -b of an irt: its mailboxes. @param printed  Whether there were any. */
enum err print_irt_mailboxes(const struct printer *printer, const struct view *view,
                             struct item *item, bool *printed) MUST_CHECK;
