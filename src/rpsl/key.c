/*
 * What identifies an object, and where it lies in number space.
 * Two spellings of one key must meet: addresses and AS numbers are compared as numbers written in
 * one way, everything else as the collation folds it.
 */
#include "rpsl/object.h"

#include <string.h>

#include "rpsl/fold.h"

/** One behind the other, in the arena. at == NULL when that is full. */
static struct str join(struct arena *arena, struct str a, struct str b)
{
    char *text = arena_alloc(arena, a.len + b.len);

    if (text == NULL) {
        return (struct str){NULL, 0};
    }
    memcpy(text, a.at, a.len);
    memcpy(text + a.len, b.at, b.len);
    return (struct str){text, a.len + b.len};
}

/** Add the clean value of an attribute to a key that may be empty so far. */
static enum err add_key_part(struct str *key, const struct rpsl_attr *attr, struct arena *arena)
{
    struct str part;

    if (attr == NULL) {
        return ERR_SYNTAX;
    }
    part = rpsl_clean_value(attr->value, arena);
    if (part.at == NULL) {
        return ERR_LIMIT;
    }
    if (part.len == 0) {
        return ERR_SYNTAX;
    }
    *key = key->len > 0 ? join(arena, *key, part) : part;
    return key->at != NULL ? ERR_OK : ERR_LIMIT;
}

/** The key as stored: the key attributes of the class in template order. */
static enum err key_text(const struct rpsl_object *object, struct arena *arena, struct str *out)
{
    const struct rpsl_class_info *info = rpsl_class_info(object->class);
    const struct rpsl_attr *first = &object->attrs[0];
    struct str key = {NULL, 0};
    enum err rc = ERR_OK;

    if (object->class == CLASS_UNKNOWN) {
        key = (struct str){first->name.at, first->name.len + 1}; /* With the colon behind it. */
        rc = add_key_part(&key, first, arena);
    }
    for (unsigned i = 0; i < info->row_count && rc == ERR_OK; i++) {
        if (info->rows[i].primary) {
            rc = add_key_part(&key, rpsl_find(object, info->rows[i].attr, 0), arena);
        }
    }
    *out = key;
    return rc;
}

/** Split `193.0.0.0/21AS3333` before the origin; blanks between them are allowed. */
static bool split_route_key(struct str key, struct str *prefix, struct str *origin)
{
    size_t at = key.len;

    while (at > 0 && key.at[at - 1] >= '0' && key.at[at - 1] <= '9') {
        at--;
    }
    if (at == key.len || at < 3 || !str_eq_nocase(str_sub(key, at - 2, at), STR("AS"))) {
        return false;
    }
    *prefix = str_trim(str_sub(key, 0, at - 2));
    *origin = str_sub(key, at - 2, key.len);
    return true;
}

/** Read the part of a key that is a range. */
static bool read_range(enum rpsl_class class, struct str key, struct ip_range *out)
{
    struct str prefix, origin;

    switch (class) {
    case CLASS_INETNUM:
        return ip_parse_v4(key, out) == ERR_OK;
    case CLASS_INET6NUM:
        return ip_parse_v6(key, out) == ERR_OK;
    case CLASS_ROUTE:
        return split_route_key(key, &prefix, &origin) && ip_parse_v4(prefix, out) == ERR_OK;
    case CLASS_ROUTE6:
        return split_route_key(key, &prefix, &origin) && ip_parse_v6(prefix, out) == ERR_OK;
    case CLASS_AS_BLOCK:
        return ip_parse_as_range(key, UINT32_MAX, out) == ERR_OK;
    case CLASS_DOMAIN:
        return ip_parse_reverse(key, out) == ERR_OK;
    default:
        return false;
    }
}

static struct str without_dots_behind(struct str name)
{
    while (name.len > 1 && (name.at[name.len - 1] == '.' || name.at[name.len - 1] == ' ')) {
        name.len--;
    }
    return name;
}

struct str rpsl_canonical_key(enum rpsl_class class, struct str text, struct arena *arena)
{
    struct str folded = rpsl_fold(text, arena);
    struct ip_range range;
    char number[IP_TEXT_MAX];
    struct str prefix, origin;

    if (folded.at == NULL) {
        return folded;
    }
    if (class == CLASS_DOMAIN) {
        return without_dots_behind(folded);
    }
    if (!read_range(class, folded, &range)) {
        return folded;
    }
    switch (class) {
    case CLASS_ROUTE:
    case CLASS_ROUTE6:
        (void)split_route_key(folded, &prefix, &origin); /* read_range() has done it. */
        prefix = (struct str){number, ip_format_prefix(&range, number)};
        return join(arena, prefix, origin);
    case CLASS_AS_BLOCK:
        return arena_strdup(arena, (struct str){number, ip_format_as_range(&range, number)});
    default:
        return arena_strdup(arena, (struct str){number, ip_format(&range, number)});
    }
}

enum err rpsl_object_key(const struct rpsl_object *object, struct arena *arena,
                         struct rpsl_key *out)
{
    struct rpsl_key key = {.class = object->class};
    enum err rc = key_text(object, arena, &key.text);

    if (rc != ERR_OK) {
        return rc;
    }
    key.canonical = rpsl_canonical_key(key.class, key.text, arena);
    if (key.canonical.at == NULL) {
        return ERR_LIMIT;
    }
    *out = key;
    return ERR_OK;
}

enum rpsl_range_kind rpsl_range_kind_of(enum rpsl_class class, bool is_v6)
{
    switch (class) {
    case CLASS_INETNUM:
        return RANGE_INETNUM;
    case CLASS_INET6NUM:
        return RANGE_INET6NUM;
    case CLASS_ROUTE:
        return RANGE_ROUTE;
    case CLASS_ROUTE6:
        return RANGE_ROUTE6;
    case CLASS_AS_BLOCK:
        return RANGE_AS_BLOCK;
    case CLASS_DOMAIN:
        return is_v6 ? RANGE_DOMAIN6 : RANGE_DOMAIN4;
    default:
        return RANGE_NONE;
    }
}

enum rpsl_range_kind rpsl_object_range(const struct rpsl_key *key, struct ip_range *out)
{
    return read_range(key->class, key->canonical, out) ? rpsl_range_kind_of(key->class, out->is_v6)
                                                       : RANGE_NONE;
}

bool rpsl_range_is_wide(enum rpsl_range_kind kind)
{
    return kind == RANGE_INET6NUM || kind == RANGE_ROUTE6 || kind == RANGE_DOMAIN6;
}
