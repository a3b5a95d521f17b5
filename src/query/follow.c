/*
 * References are values, not ids: each is looked up when the object that holds it is printed, and
 * one that leads nowhere is skipped. Mirrors full of `DUMY-RIPE` refer to the same few objects
 * again and again, so a value equal to the one before it is not looked up twice.
 */
#include "query/follow.h"

#include <string.h>

#include "query/search.h"

#define STEP_LOOKUPS 4

/* --- references: keys that are not looked up yet --- */

struct reference {
    uint32_t classes; /* CLASS_BIT()s of what it may refer to. */
    size_t at, len;   /* Of its key, in the keys. */
};

void references_clear(struct references *references, uint32_t self)
{
    references->count = references->next = references->key_bytes = 0;
    references->self = self;
}

static bool make_room(struct arena *arena, void **array, size_t *cap, size_t need, size_t size)
{
    size_t more = need > 2 * *cap ? need : 2 * *cap;
    void *grown;

    if (need <= *cap) {
        return true;
    }
    grown = arena_grow(arena, *array, *cap * size, more * size);
    if (grown == NULL) {
        return false;
    }
    *array = grown;
    *cap = more;
    return true;
}

static enum err add_reference(struct references *references, struct arena *arena, uint32_t classes,
                              struct str key)
{
    size_t at = references->key_bytes;

    if (!make_room(arena, (void **)&references->all, &references->cap, references->count + 1,
                   sizeof(references->all[0])) ||
        !make_room(arena, (void **)&references->keys, &references->key_cap, at + key.len, 1)) {
        return ERR_LIMIT;
    }
    if (key.len > 0) {
        memcpy(references->keys + at, key.at, key.len);
    }
    references->all[references->count++] = (struct reference){classes, at, key.len};
    references->key_bytes += key.len;
    return ERR_OK;
}

static enum err add_unique(struct id_list *list, struct arena *arena, uint32_t id)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->ids[i] == id) {
            return ERR_OK;
        }
    }
    return id_list_add(list, arena, id);
}

/* Add the objects of some classes that have this key. */
static enum err add_targets(const struct view *view, const struct reference *reference,
                            const struct references *references, struct arena *arena,
                            struct id_list *out)
{
    struct str key = {references->keys + reference->at, reference->len};
    enum err rc = ERR_OK;

    for (uint32_t left = reference->classes; left != 0 && rc == ERR_OK; left &= left - 1) {
        uint32_t id;

        rc = view_find(view, (enum rpsl_class)__builtin_ctz(left), key, &id);
        if (rc == ERR_OK && id != 0 && id != references->self) {
            rc = add_unique(out, arena, id);
        }
    }
    return rc;
}

enum err references_step(struct references *references, const struct view *view,
                         struct arena *arena, struct id_list *out, bool *is_done)
{
    enum err rc = ERR_OK;

    for (unsigned i = 0; i < STEP_LOOKUPS && references->next < references->count && rc == ERR_OK;
         i++) {
        rc = add_targets(view, &references->all[references->next++], references, arena, out);
    }
    *is_done = references->next == references->count;
    return rc;
}

enum err follow_references(const struct view *view, struct item *item, bool with_personal,
                           struct arena *arena, struct references *out)
{
    struct str last = STR("");
    enum err rc;

    if ((item->info.flags & OBJECT_HAS_CONTACTS) == 0) {
        return ERR_OK;
    }
    if ((rc = item_parse(view, item)) != ERR_OK) {
        return rc;
    }
    for (size_t i = 0; i < item->object.attr_count && rc == ERR_OK; i++) {
        const struct rpsl_attr *attr = &item->object.attrs[i];
        struct str value;

        if ((rpsl_attr_info(attr->id)->flags & ATTR_FOLLOWED) == 0 ||
            (!with_personal && attr->id != ATTR_ORG)) {
            continue;
        }
        value = rpsl_clean_value(attr->value, view->scratch);
        if (value.at == NULL) {
            return ERR_LIMIT;
        }
        if (attr->id != ATTR_ORG && str_eq(value, last)) {
            continue;
        }
        last = attr->id != ATTR_ORG ? value : last;
        rc = add_reference(out, arena, search_targets(attr->id), value);
    }
    return rc;
}

/* --- irts --- */

static enum err add_irts(const struct view *view, struct item *item, struct arena *arena,
                         struct references *out)
{
    const struct rpsl_attr *attr;
    enum err rc = item_parse(view, item);

    for (size_t i = 0; rc == ERR_OK && (attr = rpsl_find(&item->object, ATTR_MNT_IRT, i)) != NULL;
         i = (size_t)(attr - item->object.attrs) + 1) {
        struct str rest = rpsl_clean_value(attr->value, view->scratch), name;

        if (rest.at == NULL) {
            return ERR_LIMIT;
        }
        while (rc == ERR_OK && str_split(&rest, ',', &name)) {
            rc = add_reference(out, arena, CLASS_BIT(CLASS_IRT), str_trim(name));
        }
    }
    return rc;
}

static bool has_irt(const struct item *item)
{
    return rpsl_find(&item->object, ATTR_MNT_IRT, 0) != NULL;
}

/* Ranges that strictly contain the item's, in tree order. */
static enum err find_containing(const struct view *view, struct item *item, enum range_mode mode,
                                struct id_list *out)
{
    struct rpsl_key key;
    struct ip_range range;
    enum rpsl_range_kind kind;
    enum err rc = item_key(view, item, &key);

    if (rc != ERR_OK || (kind = rpsl_object_range(&key, &range)) == RANGE_NONE) {
        return rc;
    }
    return snapshot_by_range(view->snap, kind, &range, mode, view->scratch, out);
}

enum err follow_irts(const struct view *view, struct item *item, struct arena *arena,
                     struct references *out)
{
    struct id_list containing = {0};
    enum err rc = item_parse(view, item);

    if (rc != ERR_OK || has_irt(item)) {
        return rc != ERR_OK ? rc : add_irts(view, item, arena, out);
    }
    rc = find_containing(view, item, RANGE_ALL_LESS, &containing);
    for (size_t i = 0; i < containing.count && rc == ERR_OK; i++) {
        struct item outer;

        if (containing.ids[i] == item->info.id) {
            continue;
        }
        if ((rc = item_load(view, containing.ids[i], &outer)) == ERR_OK &&
            (rc = item_parse(view, &outer)) == ERR_OK && has_irt(&outer)) {
            return add_irts(view, &outer, arena, out);
        }
    }
    return rc;
}

/* --- abuse contacts --- */

static bool is_one_of(struct str value, const struct str *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq_nocase(value, list[i])) {
            return true;
        }
    }
    return false;
}

/* Load what an attribute of an object refers to. @return ERR_NOT_FOUND when there is nothing. */
static enum err load_target(const struct view *view, const struct item *from,
                            enum rpsl_attr_id attr, enum rpsl_class class, struct item *out)
{
    struct str key = item_value(view, from, attr);
    uint32_t id;
    enum err rc;

    if (key.at == NULL) {
        return ERR_LIMIT;
    }
    if (key.len == 0) {
        return ERR_NOT_FOUND;
    }
    if ((rc = view_find(view, class, key, &id)) != ERR_OK || id == 0) {
        return rc != ERR_OK ? rc : ERR_NOT_FOUND;
    }
    rc = item_load(view, id, out);
    return rc != ERR_OK ? rc : item_parse(view, out);
}

/* The mailbox of the role in an object's abuse-c. */
static enum err read_mailbox(const struct view *view, const struct item *item, struct str *out)
{
    struct item role;
    enum err rc = load_target(view, item, ATTR_ABUSE_C, CLASS_ROLE, &role);

    if (rc != ERR_OK) {
        return rc;
    }
    *out = item_value(view, &role, ATTR_ABUSE_MAILBOX);
    if (out->at == NULL) {
        return ERR_LIMIT;
    }
    return out->len > 0 ? ERR_OK : ERR_NOT_FOUND;
}

/* The object's own contact, else its organisation's. */
static enum err read_contact(const struct view *view, const struct item *item, struct str *out)
{
    struct item organisation;
    enum err rc = read_mailbox(view, item, out);

    if (rc != ERR_NOT_FOUND) {
        return rc;
    }
    rc = load_target(view, item, ATTR_ORG, CLASS_ORGANISATION, &organisation);
    return rc != ERR_OK ? rc : read_mailbox(view, &organisation, out);
}

static enum err find_maintainer(const struct view *view, const struct item *item,
                                const struct abuse_rules *rules, bool *is_maintained)
{
    *is_maintained = false;
    for (size_t i = 0; i < item->object.attr_count; i++) {
        const struct rpsl_attr *attr = &item->object.attrs[i];
        struct str rest, name;

        if (attr->id != ATTR_MNT_BY && attr->id != ATTR_MNT_LOWER) {
            continue;
        }
        rest = rpsl_clean_value(attr->value, view->scratch);
        if (rest.at == NULL) {
            return ERR_LIMIT;
        }
        while (str_split(&rest, ',', &name)) {
            if (is_one_of(str_trim(name), rules->maintainers, rules->maintainer_count)) {
                *is_maintained = true;
                return ERR_OK;
            }
        }
    }
    return ERR_OK;
}

enum err follow_abuse_contact(const struct view *view, const struct abuse_rules *rules,
                              struct item *item, struct str *out)
{
    struct item current = *item;
    bool is_maintained;
    struct str source;
    enum err rc;

    *out = STR("");
    for (;;) {
        struct id_list containing = {0};

        if ((rc = item_parse(view, &current)) != ERR_OK) {
            return rc;
        }
        source = item_value(view, &current, ATTR_SOURCE);
        if (source.at == NULL) {
            return ERR_LIMIT;
        }
        if (!is_one_of(source, rules->sources, rules->source_count)) {
            return ERR_OK;
        }
        rc = read_contact(view, &current, out);
        if (rc != ERR_NOT_FOUND) {
            return rc;
        }
        *out = STR("");
        if (current.info.class != CLASS_INETNUM && current.info.class != CLASS_INET6NUM) {
            return ERR_OK;
        }
        rc = find_maintainer(view, &current, rules, &is_maintained);
        if (rc != ERR_OK || is_maintained) {
            return rc;
        }
        rc = find_containing(view, &current, RANGE_ONE_LESS, &containing);
        if (rc != ERR_OK || containing.count == 0) {
            return rc;
        }
        if ((rc = item_load(view, containing.ids[0], &current)) != ERR_OK) {
            return rc;
        }
    }
}
