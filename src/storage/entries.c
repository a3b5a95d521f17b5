/*
 * From a parsed object to the records of the trees.
 */
#include "storage/entries.h"

#include <stdlib.h>
#include <string.h>

#include "rpsl/charset.h"
#include "rpsl/fold.h"
#include "rpsl/layout.h"
#include "storage/bytes.h"
#include "storage/order.h"

/* In the order of enum tree_id; ranges in that of enum rpsl_range_kind. */
const struct tree_shape tree_shapes[TREE_COUNT] = {
    {12,                  12, 0,  0,  false}, /* postings */
    {OBJECT_RECORD_BYTES, 4,  0,  0,  true }, /* objects */
    {16,                  16, 0,  0,  false}, /* order */
    {8,                   8,  0,  0,  true }, /* keys */
    {20,                  20, 0,  0,  false}, /* hosts */
    {12,                  12, 4,  4,  false}, /* inetnum */
    {36,                  36, 16, 16, false}, /* inet6num */
    {12,                  12, 4,  4,  false}, /* route */
    {36,                  36, 16, 16, false}, /* route6 */
    {12,                  12, 4,  4,  false}, /* domain, IPv4 */
    {36,                  36, 16, 16, false}, /* domain, IPv6 */
    {12,                  12, 4,  4,  false}, /* as-block */
};

/* --- records --- */

void object_record_put(uint8_t record[OBJECT_RECORD_BYTES], const struct object_info *info,
                       text_ref text)
{
    store32(record, info->id);
    store64(record + 4, text << 16 | (uint64_t)info->class << 8 | info->flags);
    store32(record + 12, info->sequence);
    store32(record + 16, info->timestamp);
}

void object_record_get(const uint8_t *record, struct object_info *info, text_ref *text)
{
    uint64_t word = load64(record + 4);

    info->id = load32(record);
    info->sequence = load32(record + 12);
    info->timestamp = load32(record + 16);
    info->class = (enum rpsl_class)(word >> 8 & 0xff);
    info->flags = word & 0xff;
    *text = word >> 16;
}

uint32_t record_id(enum tree_id tree, const uint8_t *record)
{
    return load32(record + tree_shapes[tree].record_size - 4);
}

void key_record_start(uint8_t *record, enum rpsl_class class, struct str canonical)
{
    memset(record, 0, tree_shapes[TREE_KEYS].record_size);
    store32(record, (uint32_t)(rpsl_hash(class, canonical) >> 32));
}

void posting_record_start(uint8_t *record, unsigned index_attr, struct str folded)
{
    memset(record, 0, tree_shapes[TREE_POSTINGS].record_size);
    store64(record, (uint64_t)index_attr << 56 | rpsl_hash(index_attr, folded) >> 8);
}

/** A 128-bit number, big-endian. */
static void store128(uint8_t *at, u128 value)
{
    store64(at, (uint64_t)(value >> 64));
    store64(at + 8, (uint64_t)value);
}

static u128 load128(const uint8_t *at)
{
    return (u128)load64(at) << 64 | load64(at + 8);
}

void range_record_start(uint8_t *record, enum rpsl_range_kind kind, const struct ip_range *range)
{
    memset(record, 0, tree_shapes[tree_of_range(kind)].record_size);
    if (rpsl_range_is_wide(kind)) {
        store128(record, range->begin);
        store128(record + 16, ~range->end);
    } else {
        store32(record, (uint32_t)range->begin);
        store32(record + 4, ~(uint32_t)range->end);
    }
}

void range_record_get(const uint8_t *record, enum rpsl_range_kind kind, struct ip_range *range)
{
    range->is_v6 = rpsl_range_is_wide(kind);
    if (range->is_v6) {
        range->begin = load128(record);
        range->end = ~load128(record + 16);
    } else {
        range->begin = load32(record);
        range->end = ~load32(record + 4);
    }
}

/* --- entries --- */

enum err object_parse(struct str text, struct arena *arena, struct rpsl_object *object,
                      struct rpsl_key *key)
{
    enum err rc = rpsl_parse(text, arena, object);

    return rc == ERR_OK ? rpsl_object_key(object, arena, key) : rc;
}

static struct entry *add_entry(struct entry_list *list, enum tree_id tree)
{
    struct entry *entry;

    if (list->count == list->cap) {
        list->cap = list->cap == 0 ? 32 : list->cap * 2;
        list->at = realloc(list->at, list->cap * sizeof(list->at[0]));
        if (list->at == NULL) {
            abort();
        }
    }
    entry = &list->at[list->count++];
    memset(entry, 0, sizeof(*entry));
    entry->tree = (uint8_t)tree;
    return entry;
}

static void end_with_id(struct entry *entry, uint32_t id)
{
    store32(entry->record + tree_shapes[entry->tree].record_size - 4, id);
}

bool entries_by_prefix(unsigned index_attr)
{
    return index_attr == ATTR_NSERVER;
}

struct derivation {
    struct entry_list *list;
    uint32_t id;
};

static bool add_value(void *context, unsigned index_attr, struct str folded)
{
    const struct derivation *derivation = context;
    struct entry *entry;

    if (entries_by_prefix(index_attr)) {
        entry = add_entry(derivation->list, TREE_HOSTS);
        memcpy(entry->record, folded.at, folded.len < HOST_BYTES ? folded.len : HOST_BYTES);
    } else {
        entry = add_entry(derivation->list, TREE_POSTINGS);
        posting_record_start(entry->record, index_attr, folded);
    }
    end_with_id(entry, derivation->id);
    return true;
}

int entry_compare(const struct entry *a, const struct entry *b)
{
    return memcmp(a, b, sizeof(*a));
}

static int compare_entries(const void *a, const void *b)
{
    return entry_compare(a, b);
}

/** Sort and drop doubles: two values of an object may share a hash or their first bytes. */
static void sort_entries(struct entry_list *list)
{
    size_t kept = 0;

    if (list->count <= 32) {
        for (size_t i = 1; i < list->count; i++) {
            struct entry moved = list->at[i];
            size_t to = i;

            for (; to > 0 && entry_compare(&list->at[to - 1], &moved) > 0; to--) {
                list->at[to] = list->at[to - 1];
            }
            list->at[to] = moved;
        }
    } else {
        qsort(list->at, list->count, sizeof(list->at[0]), compare_entries);
    }
    for (size_t i = 0; i < list->count; i++) {
        if (kept == 0 || entry_compare(&list->at[kept - 1], &list->at[i]) != 0) {
            list->at[kept++] = list->at[i];
        }
    }
    list->count = kept;
}

enum err entries_derive(uint32_t id, const struct rpsl_object *object, const struct rpsl_key *key,
                        struct arena *scratch, struct entry_list *out)
{
    struct derivation derivation = {out, id};
    struct ip_range range;
    enum rpsl_range_kind kind = rpsl_object_range(key, &range);
    struct entry *entry;
    enum err rc;

    out->count = 0;
    entry = add_entry(out, TREE_KEYS);
    key_record_start(entry->record, key->class, key->canonical);
    end_with_id(entry, id);
    entry = add_entry(out, TREE_ORDER);
    order_record_start(entry->record, key->class, key->text);
    end_with_id(entry, id);
    if (kind != RANGE_NONE) {
        entry = add_entry(out, tree_of_range(kind));
        range_record_start(entry->record, kind, &range);
        end_with_id(entry, id);
    }
    rc = rpsl_index_values(object, scratch, add_value, &derivation);
    if (rc == ERR_OK) {
        sort_entries(out);
    }
    return rc;
}

unsigned entries_object_flags(const struct rpsl_object *object)
{
    unsigned flags = 0;

    flags |= rpsl_is_laid_out(object->text) ? OBJECT_LAID_OUT : 0;
    flags |= str_is_ascii(object->text) ? OBJECT_ASCII : 0;
    for (size_t i = 0; i < object->attr_count; i++) {
        enum rpsl_attr_id attr = object->attrs[i].id;
        unsigned kinds = rpsl_attr_info(attr)->flags;

        flags |= attr == ATTR_AUTH ? OBJECT_HAS_AUTH : 0;
        flags |= attr == ATTR_CHANGED ? OBJECT_HAS_CHANGED : 0;
        flags |= kinds & ATTR_FILTERED ? OBJECT_HAS_EMAIL : 0;
        flags |= kinds & ATTR_FOLLOWED ? OBJECT_HAS_CONTACTS : 0;
    }
    return flags;
}
