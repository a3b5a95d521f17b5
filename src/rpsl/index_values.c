/*
 * What the postings index holds of an object.
 * Which attributes count is read from the class's template; how a value becomes one or several
 * entries depends on the attribute. Each (attribute, folded value) is handed out once: a small hash
 * set remembers what was seen, so that a maintainer list of any length stays linear.
 */
#include "rpsl/fold.h"
#include "rpsl/object.h"
#include "rpsl/syntax_values.h"

#define SEEN_AT_FIRST 64 /* Slots; a power of two. Most objects have fewer than ten values. */

struct entry {
    uint64_t hash;
    struct str folded;
    unsigned index_attr;
};

struct collector {
    struct arena *arena;
    rpsl_value_visitor *visit;
    void *context;
    struct entry **slots; /* Open addressing, at most half full. */
    size_t slot_count, used;
    enum err rc; /* ERR_OK as long as there is reason to go on. */
};

/** @return The slot of an equal entry, or the free one where it belongs. */
static struct entry **find_slot(const struct collector *c, const struct entry *entry)
{
    size_t at = entry->hash & (c->slot_count - 1);

    while (c->slots[at] != NULL) {
        const struct entry *seen = c->slots[at];

        if (seen->hash == entry->hash && seen->index_attr == entry->index_attr &&
            str_eq(seen->folded, entry->folded)) {
            break;
        }
        at = (at + 1) & (c->slot_count - 1);
    }
    return &c->slots[at];
}

/** Make room for one more entry. */
static bool grow_slots(struct collector *c)
{
    struct collector grown = *c;

    if (2 * c->used < c->slot_count) {
        return true;
    }
    grown.slot_count = c->slot_count > 0 ? 2 * c->slot_count : SEEN_AT_FIRST;
    grown.slots = arena_calloc(c->arena, grown.slot_count, sizeof(struct entry *));
    if (grown.slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < c->slot_count; i++) {
        if (c->slots[i] != NULL) {
            *find_slot(&grown, c->slots[i]) = c->slots[i];
        }
    }
    *c = grown;
    return true;
}

/** Fold a value and hand it out unless it is empty or was already. */
static void add_value(struct collector *c, unsigned index_attr, struct str value)
{
    struct entry entry = {.index_attr = index_attr, .folded = rpsl_fold(value, c->arena)};
    struct entry **slot, *kept;

    if (entry.folded.at == NULL || !grow_slots(c)) {
        c->rc = ERR_LIMIT;
        return;
    }
    if (entry.folded.len == 0) {
        return;
    }
    entry.hash = rpsl_hash(index_attr, entry.folded);
    slot = find_slot(c, &entry);
    if (*slot != NULL) {
        return;
    }
    kept = arena_alloc(c->arena, sizeof(*kept));
    if (kept == NULL) {
        c->rc = ERR_LIMIT;
        return;
    }
    *kept = entry;
    *slot = kept;
    c->used++;
    if (!c->visit(c->context, index_attr, entry.folded)) {
        c->rc = ERR_STOPPED;
    }
}

/** Each piece of a value, cut at a separator, blanks around it dropped. */
static void add_pieces(struct collector *c, unsigned index_attr, struct str value, char separator)
{
    struct str piece;

    while (c->rc == ERR_OK && str_split(&value, separator, &piece)) {
        add_value(c, index_attr, str_trim(piece));
    }
}

/** Everything before the first byte that is one of `ends`. */
static struct str before_any(struct str value, struct str ends)
{
    size_t len = 0;

    while (len < value.len && str_find(ends, value.at[len], 0) == ends.len) {
        len++;
    }
    return str_sub(value, 0, len);
}

/** `Name <a@b>` and `a@b (Name)` become `a@b`; anything else stays, as does what is no address. */
static struct str bare_address(struct str value)
{
    struct str bare = value;

    if (bare.len > 0 && bare.at[bare.len - 1] == ')') {
        bare = str_trim(str_sub(bare, 0, str_find(bare, '(', 0)));
    }
    if (bare.len > 0 && bare.at[bare.len - 1] == '>') {
        size_t open = str_find(bare, '<', 0);

        bare = str_trim(str_sub(bare, open + 1, bare.len - 1));
    }
    return bare.len < value.len && value_is_email(value) ? bare : value;
}

enum err rpsl_interface_address(struct str value, struct arena *arena, struct str *out)
{
    struct ip_range range;
    char text[IP_TEXT_MAX];
    size_t len;

    if (ip_parse_v4(before_any(value, STR(" ")), &range) != ERR_OK || range.begin != range.end) {
        return ERR_NOT_FOUND;
    }
    len = ip_format_prefix(&range, text);
    *out = arena_strdup(arena, before_any((struct str){text, len}, STR("/")));
    return out->at == NULL ? ERR_LIMIT : ERR_OK;
}

/** What has no such address is not found. */
static void add_interface_address(struct collector *c, struct str value)
{
    enum err rc = rpsl_interface_address(value, c->arena, &value);

    if (rc == ERR_OK) {
        add_value(c, ATTR_IFADDR, value);
    } else if (rc != ERR_NOT_FOUND) {
        c->rc = rc;
    }
}

static void add_attribute(struct collector *c, enum rpsl_attr_id attr, struct str value)
{
    unsigned flags = rpsl_attr_info(attr)->flags;

    switch (attr) {
    case ATTR_PERSON:
    case ATTR_ROLE:
    case ATTR_ORG_NAME:
        add_pieces(c, INDEX_NAME_WORD, value, ' ');
        return;
    case ATTR_AUTH: /* A password's hash is not for searching. */
        if (!str_ends_nocase(before_any(value, STR(" ")), STR("-PW"))) {
            add_value(c, attr, value);
        }
        return;
    case ATTR_MNT_ROUTES: /* `FOO-MNT {10.0.0.0/8}` and `FOO-MNT ANY` */
        add_value(c, attr, before_any(value, STR(" {,")));
        return;
    case ATTR_IFADDR:
        add_interface_address(c, value);
        return;
    default:
        break;
    }
    if (flags & ATTR_LIST_VALUED) {
        add_pieces(c, attr, value, ',');
    } else {
        add_value(c, attr, flags & ATTR_EMAIL_VALUE ? bare_address(value) : value);
    }
}

enum err rpsl_index_values(const struct rpsl_object *object, struct arena *arena,
                           rpsl_value_visitor *visit, void *context)
{
    struct collector c = {.arena = arena, .visit = visit, .context = context};

    for (size_t i = 0; i < object->attr_count && c.rc == ERR_OK; i++) {
        const struct rpsl_attr *attr = &object->attrs[i];
        const struct rpsl_template_row *row = rpsl_template_row(object->class, attr->id);
        struct str value;

        if (row == NULL || !(row->inverse || (row->lookup && !row->primary))) {
            continue;
        }
        value = rpsl_clean_value(attr->value, arena);
        if (value.at == NULL) {
            return ERR_LIMIT;
        }
        add_attribute(&c, attr->id, value);
    }
    return c.rc;
}
