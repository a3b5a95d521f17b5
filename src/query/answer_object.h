/*
 * How an answer shows one object. Private to answer*.c.
 */
#pragma once

#include "query/answer.h"

#define BRIEF_FLAGS (QF(PRIMARY_KEYS) | QF(ABUSE_CONTACT))

static inline const struct settings *answer_settings(const struct answer *answer)
{
    return answer->tools->settings;
}

/** The source that is answered from. */
static inline const struct answer_part *answer_part(const struct answer *answer)
{
    return &answer->parts[answer->part - 1];
}

/* Each returns ERR_OK, ERR_LIMIT, ERR_CORRUPT, or what else it says. */

/** With -s on the main data only objects of the named sources are shown. @return ERR_NOT_FOUND when
 * it is not. */
enum err answer_check_source_line(struct answer *answer, struct item *item) MUST_CHECK;
/** Take what is personal from an object that was searched for, where the source is dummified; what
 * it refers to stays whole, as in the reference. @return ERR_NOT_FOUND when nothing is left to
 * show. */
enum err answer_remove_personal(struct answer *answer, struct item *item) MUST_CHECK;
bool answer_is_hidden_person(const struct answer *answer, enum rpsl_class class);
/** `% Information related to` and the abuse contact. */
enum err answer_print_comments(struct answer *answer, struct item *item,
                               struct buf *out) MUST_CHECK;
/** The object in the form that was asked for. @return ERR_DENIED when a personal object is one too
 * many for today. */
enum err answer_print_item(struct answer *answer, struct item *item, struct buf *out) MUST_CHECK;
