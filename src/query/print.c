/*
 * Stored flags tell whether an object is in its final layout, holds anything that a filter looks
 * at, or is plain ASCII. The common object is copied whole; one that is filtered is copied
 * attribute by attribute; only one that was stored in another layout is laid out anew. Latin-1 is
 * made last, from finished text.
 */
#include "query/print.h"

#include <string.h>

#include "rpsl/layout.h"

/* Where attributes go: straight to the answer, or to be encoded first. */
static struct buf *target(const struct printer *printer, const struct item *item,
                          enum charset charset)
{
    if (charset == CHARSET_UTF8 || (item->info.flags & OBJECT_ASCII) != 0) {
        return printer->out;
    }
    buf_clear(printer->utf8);
    return printer->utf8;
}

static void finish(const struct printer *printer, struct buf *written, enum charset charset)
{
    if (written == printer->utf8) {
        utf8_encode(buf_str(written), charset, printer->out);
    }
    buf_add_char(printer->out, '\n');
}

static void add_attr(const struct printer *printer, const struct rpsl_attr *attr, struct buf *out)
{
    if (printer->is_short) {
        rpsl_layout_attr_short(attr, out);
    } else {
        rpsl_layout_attr(attr, out);
    }
}

/* An attribute as it is stored, when the object is laid out already. */
static void add_stored(const struct rpsl_attr *attr, struct buf *out)
{
    const char *end = attr->value.at + attr->value.len;

    buf_add(out, attr->name.at, (size_t)(end - attr->name.at));
    buf_add_char(out, '\n');
}

static enum err add_with_value(const struct printer *printer, const struct view *view,
                               const struct rpsl_attr *attr, struct str value, struct buf *out)
{
    static const struct str mark = STR_INIT(" # Filtered");
    struct rpsl_attr changed = {.id = attr->id, .name = attr->name};
    char *text = arena_alloc(view->scratch, 1 + value.len + mark.len);

    if (text == NULL) {
        return ERR_LIMIT;
    }
    text[0] = ' ';
    if (value.len > 0) {
        memcpy(text + 1, value.at, value.len);
    }
    memcpy(text + 1 + value.len, mark.at, mark.len);
    changed.value = (struct str){text, 1 + value.len + mark.len};
    add_attr(printer, &changed, out);
    return ERR_OK;
}

/* The first word of a password's auth:, in the arena and upper case; "" for keys, which may be
 * shown. */
static struct str secret_scheme(const struct view *view, const struct rpsl_attr *attr)
{
    struct str value = rpsl_clean_value(attr->value, view->scratch);
    struct str word = arena_strdup(view->scratch, str_sub(value, 0, str_find(value, ' ', 0)));

    for (size_t i = 0; i < word.len; i++) {
        char *c = (char *)word.at + i;

        *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
    }
    if (word.at == NULL || str_eq(word, STR("SSO")) || str_ends_nocase(word, STR("-PW"))) {
        return word;
    }
    return STR("");
}

static bool is_contact(enum rpsl_attr_id id)
{
    switch (id) {
    case ATTR_ADDRESS:
    case ATTR_ADMIN_C:
    case ATTR_AUTHOR:
    case ATTR_CONTACT:
    case ATTR_E_MAIL:
    case ATTR_NOTIFY:
    case ATTR_PING_HDL:
    case ATTR_TECH_C:
    case ATTR_ZONE_C:
        return true;
    default:
        return false;
    }
}

static bool is_removed(const struct printer *printer, const struct rpsl_attr *attr)
{
    return attr->id == ATTR_CHANGED || (printer->hides_contacts && is_contact(attr->id)) ||
           (printer->filters_email && (rpsl_attr_info(attr->id)->flags & ATTR_FILTERED) != 0);
}

/* Whether the object's source: gets the mark: something was taken away, the bare changed: filter
 * aside. */
static enum err finds_filtered(const struct printer *printer, const struct view *view,
                               const struct item *item, bool *found)
{
    *found = false;
    for (size_t i = 0; i < item->object.attr_count && !*found; i++) {
        const struct rpsl_attr *attr = &item->object.attrs[i];

        if (attr->id == ATTR_AUTH) {
            struct arena_mark mark = arena_mark(view->scratch);
            struct str scheme = secret_scheme(view, attr);

            if (scheme.at == NULL) {
                return ERR_LIMIT;
            }
            *found = scheme.len > 0;
            arena_rewind(view->scratch, mark);
        } else {
            *found =
                printer->filters_email && (rpsl_attr_info(attr->id)->flags & ATTR_FILTERED) != 0;
        }
    }
    return ERR_OK;
}

static size_t last_source(const struct item *item)
{
    for (size_t i = item->object.attr_count; i > 0; i--) {
        if (item->object.attrs[i - 1].id == ATTR_SOURCE) {
            return i - 1;
        }
    }
    return item->object.attr_count;
}

static enum err add_filtered_attrs(const struct printer *printer, const struct view *view,
                                   struct item *item, struct buf *out)
{
    bool copies = !printer->is_short && (item->info.flags & OBJECT_LAID_OUT) != 0;
    size_t marked = item->object.attr_count;
    bool is_filtered;
    enum err rc = finds_filtered(printer, view, item, &is_filtered);

    if (is_filtered) {
        marked = last_source(item);
    }
    for (size_t i = 0; i < item->object.attr_count && rc == ERR_OK; i++) {
        const struct rpsl_attr *attr = &item->object.attrs[i];
        struct str scheme = STR("");

        if (is_removed(printer, attr)) {
            continue;
        }
        if (attr->id == ATTR_AUTH) {
            scheme = secret_scheme(view, attr);
        }
        if (scheme.at == NULL) {
            rc = ERR_LIMIT;
        } else if (scheme.len > 0) {
            rc = add_with_value(printer, view, attr, scheme, out);
        } else if (i == marked) {
            rc = add_with_value(printer, view, attr, rpsl_clean_value(attr->value, view->scratch),
                                out);
        } else if (copies) {
            add_stored(attr, out);
        } else {
            add_attr(printer, attr, out);
        }
    }
    return rc;
}

static bool needs_filter(const struct printer *printer, const struct item *item)
{
    unsigned watched = OBJECT_HAS_AUTH | OBJECT_HAS_CHANGED;

    if (printer->hides_contacts) {
        return true;
    }
    if (printer->filters_email) {
        watched |= OBJECT_HAS_EMAIL;
    }
    return (item->info.flags & watched) != 0;
}

enum err print_object(const struct printer *printer, const struct view *view, struct item *item)
{
    struct buf *out;
    enum err rc;

    if (!printer->is_short && (item->info.flags & OBJECT_LAID_OUT) != 0 &&
        !needs_filter(printer, item)) {
        struct str text = item->text;

        if (printer->charset == CHARSET_UTF8 || (item->info.flags & OBJECT_ASCII) != 0) {
            buf_add_str(printer->out, text);
        } else {
            utf8_encode(text, printer->charset, printer->out);
        }
        if (text.len > 0 && text.at[text.len - 1] != '\n') {
            buf_add_char(printer->out, '\n');
        }
        buf_add_char(printer->out, '\n');
        return ERR_OK;
    }
    if ((rc = item_parse(view, item)) != ERR_OK) {
        return rc;
    }
    out = target(printer, item, printer->charset);
    rc = add_filtered_attrs(printer, view, item, out);
    finish(printer, out, printer->charset);
    return rc;
}

/* Whether -K shows an attribute: the key's own, and the members of a set. */
static bool is_key_attr(const struct item *item, const struct rpsl_attr *attr)
{
    const struct rpsl_template_row *row = rpsl_template_row(item->info.class, attr->id);

    if (row != NULL && row->primary) {
        return true;
    }
    switch (item->info.class) {
    case CLASS_AS_SET:
    case CLASS_ROUTE_SET:
    case CLASS_RTR_SET:
    case CLASS_FILTER_SET:
    case CLASS_PEERING_SET:
        return attr->id == ATTR_MEMBERS || attr->id == ATTR_MP_MEMBERS;
    default:
        return false;
    }
}

enum err print_keys(const struct printer *printer, const struct view *view, struct item *item)
{
    struct buf *out;
    enum err rc = item_parse(view, item);

    if (rc != ERR_OK) {
        return rc;
    }
    out = target(printer, item, CHARSET_LATIN1);
    for (size_t i = 0; i < item->object.attr_count; i++) {
        if (is_key_attr(item, &item->object.attrs[i])) {
            add_attr(printer, &item->object.attrs[i], out);
        }
    }
    finish(printer, out, CHARSET_LATIN1);
    return ERR_OK;
}

/* The mailboxes of an object. @return How many. */
static size_t add_mailboxes(const struct printer *printer, const struct item *item, struct buf *out)
{
    size_t count = 0;

    for (size_t i = 0; i < item->object.attr_count; i++) {
        if (item->object.attrs[i].id == ATTR_ABUSE_MAILBOX) {
            add_attr(printer, &item->object.attrs[i], out);
            count++;
        }
    }
    return count;
}

enum err print_abuse(const struct printer *printer, const struct view *view, struct item *item,
                     struct str mailbox)
{
    struct rpsl_attr found = {ATTR_ABUSE_MAILBOX, STR_INIT("abuse-mailbox"), mailbox};
    struct buf *out;
    enum err rc = item_parse(view, item);

    if (rc != ERR_OK) {
        return rc;
    }
    /* The mailbox is another object's: it may hold what this object's flags deny. */
    out = printer->utf8;
    buf_clear(out);
    add_attr(printer, &item->object.attrs[0], out);
    if (mailbox.len > 0) {
        add_attr(printer, &found, out);
    } else {
        add_mailboxes(printer, item, out);
    }
    finish(printer, out, CHARSET_LATIN1);
    return ERR_OK;
}

enum err print_irt_mailboxes(const struct printer *printer, const struct view *view,
                             struct item *item, bool *printed)
{
    enum err rc = item_parse(view, item);

    *printed = false;
    if (rc != ERR_OK) {
        return rc;
    }
    buf_clear(printer->utf8);
    *printed = add_mailboxes(printer, item, printer->utf8) > 0;
    if (*printed) {
        finish(printer, printer->utf8, CHARSET_LATIN1);
    }
    return ERR_OK;
}
