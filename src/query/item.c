/*
 * Most answers print an object as it is stored and name it by its first line; only filtering,
 * following and verifying need all attributes. So parsing waits until it is asked for.
 */
#include "query/item.h"

#include <string.h>

enum err item_load(const struct view *view, uint32_t id, struct item *out)
{
    out->is_parsed = false;
    return snapshot_load(view->reader, view->snap, id, view->scratch, &out->info, &out->text);
}

enum err item_parse(const struct view *view, struct item *item)
{
    enum err rc;

    if (item->is_parsed) {
        return ERR_OK;
    }
    rc = rpsl_parse(item->text, view->scratch, &item->object);
    item->is_parsed = rc == ERR_OK;
    return rc == ERR_SYNTAX ? ERR_CORRUPT : rc;
}

enum err item_key(const struct view *view, struct item *item, struct rpsl_key *out)
{
    enum err rc = item_parse(view, item);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = rpsl_object_key(&item->object, view->scratch, out);
    return rc == ERR_SYNTAX ? ERR_CORRUPT : rc;
}

/* Whether the first attribute alone is the key. */
static bool is_keyed_by_first(enum rpsl_class class)
{
    return class != CLASS_ROUTE && class != CLASS_ROUTE6 && class != CLASS_PERSON &&
           class != CLASS_ROLE && class != CLASS_UNKNOWN;
}

/* The value of the first attribute, continuation lines included. */
static struct str first_value(struct str text)
{
    size_t colon = str_find(text, ':', 0), end = colon;

    do {
        end = str_find(text, '\n', end + 1);
    } while (end + 1 < text.len &&
             (text.at[end + 1] == ' ' || text.at[end + 1] == '\t' || text.at[end + 1] == '+'));
    return str_sub(text, colon + 1, end);
}

enum err item_key_text(const struct view *view, struct item *item, struct str *out)
{
    struct rpsl_key key = {0};
    enum err rc;

    if (is_keyed_by_first(item->info.class)) {
        *out = rpsl_clean_value(first_value(item->text), view->scratch);
        return out->at == NULL ? ERR_LIMIT : ERR_OK;
    }
    rc = item_key(view, item, &key);
    *out = key.text;
    return rc;
}

enum err item_has_key(const struct view *view, struct item *item, struct str canonical)
{
    struct rpsl_key key;
    struct str text;
    enum err rc;

    /* Nearly always it is, and the first line tells. */
    if (is_keyed_by_first(item->info.class) && item_key_text(view, item, &text) == ERR_OK &&
        str_eq(rpsl_canonical_key(item->info.class, text, view->scratch), canonical)) {
        return ERR_OK;
    }
    rc = item_key(view, item, &key);
    return rc != ERR_OK ? rc : str_eq(key.canonical, canonical) ? ERR_OK : ERR_NOT_FOUND;
}

struct str item_value(const struct view *view, const struct item *item, enum rpsl_attr_id attr)
{
    const struct rpsl_attr *found = rpsl_find(&item->object, attr, 0);

    return found == NULL ? STR("") : rpsl_clean_value(found->value, view->scratch);
}

uint32_t view_find(const struct view *view, enum rpsl_class class, struct str key)
{
    struct arena_mark mark = arena_mark(view->scratch);
    struct str canonical = rpsl_canonical_key(class, key, view->scratch);
    uint32_t id = 0;

    if (canonical.at != NULL) {
        id = snapshot_by_key(view->reader, view->snap, class, canonical, view->scratch);
    }
    arena_rewind(view->scratch, mark);
    return id;
}
