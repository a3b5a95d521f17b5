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

enum err item_load_at(const struct view *view, const struct object_place *place, struct item *out)
{
    out->is_parsed = false;
    out->info = place->info;
    return snapshot_load_at(view->reader, view->snap, place, view->scratch, &out->text);
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

/* The value of the attribute that begins the text, continuation lines included. */
static struct str first_value(struct str text)
{
    size_t colon = str_find(text, ':', 0), end = colon;

    do {
        end = str_find(text, '\n', end + 1);
    } while (end + 1 < text.len &&
             (text.at[end + 1] == ' ' || text.at[end + 1] == '\t' || text.at[end + 1] == '+'));
    return str_sub(text, colon + 1, end);
}

/*
 * The clean value of an attribute behind the first. In an object that is laid out names are in
 * lower case, so that one line is found without reading all of them.
 * @param line_start  "\nname:"
 * @return at == NULL when it is not found, or the arena is full: parsing will tell.
 */
static struct str find_value(const struct view *view, const struct item *item,
                             struct str line_start)
{
    const char *line = NULL, *end = item->text.at + item->text.len;

    if ((item->info.flags & OBJECT_LAID_OUT) != 0) {
        line = memmem(item->text.at, item->text.len, line_start.at, line_start.len);
    }
    return line == NULL
               ? (struct str){NULL, 0}
               : rpsl_clean_value(first_value((struct str){line + 1, (size_t)(end - line) - 1}),
                                  view->scratch);
}

/* As the key of an object, without parsing it. @return at == NULL when that does not do. */
static struct str quick_key_text(const struct view *view, const struct item *item)
{
    struct str key, origin;
    char *joined;

    switch (item->info.class) {
    case CLASS_UNKNOWN:
        return (struct str){NULL, 0};
    case CLASS_PERSON:
    case CLASS_ROLE:
        return find_value(view, item, STR("\nnic-hdl:"));
    default:
        return rpsl_clean_value(first_value(item->text), view->scratch);
    case CLASS_ROUTE:
    case CLASS_ROUTE6:
        break;
    }
    key = rpsl_clean_value(first_value(item->text), view->scratch);
    origin = find_value(view, item, STR("\norigin:"));
    joined = arena_alloc(view->scratch, key.len + origin.len);
    if (key.len == 0 || origin.len == 0 || joined == NULL) {
        return (struct str){NULL, 0};
    }
    memcpy(joined, key.at, key.len);
    memcpy(joined + key.len, origin.at, origin.len);
    return (struct str){joined, key.len + origin.len};
}

enum err item_key_text(const struct view *view, struct item *item, struct str *out)
{
    struct rpsl_key key = {0};
    enum err rc;

    *out = quick_key_text(view, item);
    if (out->len > 0) {
        return ERR_OK;
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

    /* Nearly always it is. */
    if (item_key_text(view, item, &text) == ERR_OK &&
        str_eq(rpsl_canonical_key(item->info.class, text, view->scratch), canonical)) {
        return ERR_OK;
    }
    rc = item_key(view, item, &key);
    return rc != ERR_OK ? rc : str_eq(key.canonical, canonical) ? ERR_OK : ERR_NOT_FOUND;
}

enum err item_origin(const struct view *view, struct item *item, struct str *out)
{
    enum err rc;

    *out = find_value(view, item, STR("\norigin:"));
    if (out->at != NULL) {
        return ERR_OK;
    }
    rc = item_parse(view, item);
    if (rc == ERR_OK) {
        *out = item_value(view, item, ATTR_ORIGIN);
        rc = out->at == NULL ? ERR_LIMIT : ERR_OK;
    }
    return rc;
}

struct str item_value(const struct view *view, const struct item *item, enum rpsl_attr_id attr)
{
    const struct rpsl_attr *found = rpsl_find(&item->object, attr, 0);

    return found == NULL ? STR("") : rpsl_clean_value(found->value, view->scratch);
}

enum err view_find(const struct view *view, enum rpsl_class class, struct str key, uint32_t *id_out)
{
    struct arena_mark mark = arena_mark(view->scratch);
    struct str canonical = rpsl_canonical_key(class, key, view->scratch);
    enum err rc = ERR_LIMIT;

    *id_out = 0;
    if (canonical.at != NULL) {
        rc = snapshot_by_key(view->reader, view->snap, class, canonical, view->scratch, id_out);
    }
    arena_rewind(view->scratch, mark);
    return rc;
}
