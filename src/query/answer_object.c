/*
 * One object of an answer: whether it is shown, what is told before it, and itself.
 */
#include "query/answer_object.h"

#include "rpsl/dummify.h"
#include "rpsl/syntax.h"

/* With -s on the main data only objects of the named sources are shown. */
enum err answer_check_source_line(struct answer *answer, struct item *item)
{
    const struct query *query = &answer->query;
    struct str source;
    enum err rc;

    if (!answer_part(answer)->source->is_main || query->source_count == 0) {
        return ERR_OK;
    }
    if ((rc = item_parse(&answer->search.view, item)) != ERR_OK) {
        return rc;
    }
    source = item_value(&answer->search.view, item, ATTR_SOURCE);
    for (size_t i = 0; i < query->source_count; i++) {
        if (source.len == 0 || str_eq_nocase(source, query->sources[i])) {
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}

enum err answer_remove_personal(struct answer *answer, struct item *item)
{
    const struct view *view = &answer->search.view;
    enum err rc;

    if (!answer->is_dummified) {
        return ERR_OK;
    }
    if ((rc = item_parse(view, item)) != ERR_OK) {
        return rc;
    }
    if (rpsl_is_withheld(&item->object)) {
        return ERR_NOT_FOUND;
    }
    rc = rpsl_dummify(&item->object, answer_part(answer)->name, view->scratch, &item->text);
    item->info.flags &= ~(unsigned)OBJECT_LAID_OUT;
    item->is_parsed = false;
    return rc;
}

bool answer_is_hidden_person(const struct answer *answer, enum rpsl_class class)
{
    return (class == CLASS_PERSON || class == CLASS_ROLE) &&
           query_has(&answer->query, QF(NO_PERSONAL)) &&
           !query_has(&answer->query, QF(SHOW_PERSONAL));
}

/* `% Information related to` and the abuse contact. */
enum err answer_print_comments(struct answer *answer, struct item *item, struct buf *out)
{
    const struct view *view = &answer->search.view;
    bool has_contact = item->info.class == CLASS_INETNUM || item->info.class == CLASS_INET6NUM ||
                       item->info.class == CLASS_AUT_NUM;
    struct str key, mailbox;
    enum err rc = ERR_OK;

    has_contact = has_contact && answer_part(answer)->source->is_main;
    if ((query_has(&answer->query, QF(NO_GROUPING) | QF(PRIMARY_KEYS)) && !has_contact) ||
        (rc = item_key_text(view, item, &key)) != ERR_OK) {
        return rc;
    }
    if (!query_has(&answer->query, QF(NO_GROUPING) | QF(PRIMARY_KEYS))) {
        message_print(out, MSG_RELATED_TO, ARGS(key));
    }
    if (!has_contact) {
        return ERR_OK;
    }
    rc = follow_abuse_contact(view, &answer_settings(answer)->abuse, item, &mailbox);
    if (rc == ERR_OK && mailbox.len > 0) {
        message_print(out, MSG_ABUSE_CONTACT, ARGS(key, mailbox));
    } else if (rc == ERR_OK) {
        message_print(out, MSG_NO_ABUSE_CONTACT, ARGS(key));
    }
    return rc;
}

/* --valid-syntax and --no-valid-syntax: a comment in place of the object. */
static enum err replace_by_syntax(struct answer *answer, struct item *item, struct buf *out,
                                  bool *is_replaced)
{
    const struct query *query = &answer->query;
    const struct view *view = &answer->search.view;
    bool wants_valid = query_has(query, QF(VALID_SYNTAX)), is_valid;
    struct str key;
    enum err rc;

    *is_replaced = false;
    if (!query_has(query, QF(VALID_SYNTAX) | QF(NO_VALID_SYNTAX))) {
        return ERR_OK;
    }
    if ((rc = item_parse(view, item)) != ERR_OK ||
        (rc = item_key_text(view, item, &key)) != ERR_OK ||
        (rc = rpsl_check_syntax(&item->object, view->scratch, &is_valid)) != ERR_OK) {
        return rc;
    }
    if (is_valid != wants_valid) {
        message_print(out, is_valid ? MSG_VALID_SYNTAX : MSG_INVALID_SYNTAX, ARGS(key));
        *is_replaced = true;
    }
    return ERR_OK;
}

/* Persons, and roles that are not for complaints only, of the main source, when shown whole. */
static enum err find_personal(const struct answer *answer, struct item *item, bool *is_personal)
{
    const struct query *query = &answer->query;
    bool is_whole = !query_has(query, BRIEF_FLAGS) || query_has(query, QF(BRIEF));
    enum err rc = ERR_OK;

    *is_personal = item->info.class == CLASS_PERSON || item->info.class == CLASS_ROLE;
    *is_personal = *is_personal && is_whole && answer_part(answer)->source->is_main;
    if (*is_personal && item->info.class == CLASS_ROLE) {
        rc = item_parse(&answer->search.view, item);
        *is_personal = rc == ERR_OK && rpsl_find(&item->object, ATTR_ABUSE_MAILBOX, 0) == NULL;
    }
    return rc;
}

/* @return ERR_DENIED when a personal object is one too many for today. */
static enum err count_personal(struct answer *answer, struct item *item)
{
    bool is_personal = false;
    enum err rc = ERR_OK;

    if (answer->is_limited) {
        rc = find_personal(answer, item, &is_personal);
    }
    if (rc != ERR_OK || !is_personal) {
        return rc;
    }
    if (answer->personal_count == 0) {
        answer->personal_budget = acl_budget(answer->tools->acl, &answer->accounted);
    }
    answer->personal_count++;
    return answer->personal_count > answer->personal_budget ? ERR_DENIED : ERR_OK;
}

/* One object in the form that was asked for. */
enum err answer_print_item(struct answer *answer, struct item *item, struct buf *out)
{
    const struct view *view = &answer->search.view;
    const struct query *query = &answer->query;
    struct str mailbox;
    bool printed = true, is_replaced;
    enum err rc = replace_by_syntax(answer, item, out, &is_replaced);

    if (rc != ERR_OK || is_replaced || (rc = count_personal(answer, item)) != ERR_OK) {
        return rc;
    }
    answer->printer.out = out;
    if (query_has(query, QF(ABUSE_CONTACT)) && item->info.class == CLASS_IRT) {
        rc = print_irt_mailboxes(&answer->printer, view, item, &printed);
    } else if (query_has(query, QF(ABUSE_CONTACT))) {
        rc = follow_abuse_contact(view, &answer_settings(answer)->abuse, item, &mailbox);
        if (rc == ERR_OK) {
            rc = print_abuse(&answer->printer, view, item, mailbox);
        }
    } else if (query_has(query, QF(PRIMARY_KEYS)) && !query_has(query, QF(BRIEF))) {
        rc = print_keys(&answer->printer, view, item);
    } else {
        rc = print_object(&answer->printer, view, item);
    }
    answer->object_count += rc == ERR_OK && printed;
    return rc;
}
