/*
 * Packing key texts, and sorting ids by them.
 *
 * A class whose keys are addresses has an alphabet in byte order. A character is coded by its place
 * in the alphabet, counted from 1; 0 is the end of the text. A character outside the alphabet is
 * coded as its lower neighbour followed by ones only, which is above every text that goes on inside
 * the alphabet there; what such texts have in common from then on is left to the comparison of
 * texts.
 *
 * Small lists are sorted by their texts. For large ones the order tree is walked with a set of the
 * ids, and texts are fetched only where codes are equal.
 */
#include "storage/order.h"

#include <stdlib.h>
#include <string.h>

#include "storage/version.h"

#define SORT_STEP_RECORDS 256

struct alphabet {
    unsigned bits;
    const char *characters; /* Ascending. */
};

static const struct alphabet decimal = {4, " -./0123456789"};
static const struct alphabet hexadecimal = {5, " -./0123456789:ABCDEFabcdef"};

static const struct alphabet *alphabet_of(enum rpsl_class class)
{
    switch (class) {
    case CLASS_INETNUM:
    case CLASS_ROUTE:
        return &decimal;
    case CLASS_INET6NUM:
    case CLASS_ROUTE6:
    case CLASS_DOMAIN:
        return &hexadecimal;
    default:
        return NULL;
    }
}

static u128 pack(const struct alphabet *alphabet, struct str text)
{
    unsigned room = 8 * ORDER_CODE_BYTES, ones = (1u << alphabet->bits) - 1;
    bool is_over = false; /* Only ones follow. */
    u128 code = 0;

    for (size_t i = 0; room >= alphabet->bits; i++) {
        unsigned symbol = 0;

        if (is_over) {
            symbol = ones;
        } else if (i < text.len) {
            const char *at = alphabet->characters;

            while (*at != '\0' && (unsigned char)*at < (unsigned char)text.at[i]) {
                at++;
            }
            is_over = *at != text.at[i];
            symbol = (unsigned)(at - alphabet->characters) + !is_over;
        }
        code = code << alphabet->bits | symbol;
        room -= alphabet->bits;
    }
    return code << room;
}

void order_record_start(uint8_t record[static ORDER_BYTES], enum rpsl_class class,
                        struct str key_text)
{
    const struct alphabet *alphabet = alphabet_of(class);

    memset(record, 0, ORDER_BYTES);
    record[0] = rpsl_class_info(class)->position;
    if (alphabet != NULL) {
        u128 code = pack(alphabet, key_text);

        for (unsigned i = ORDER_CODE_BYTES; i > 0; i--, code >>= 8) {
            record[i] = (uint8_t)code;
        }
    } else {
        memcpy(record + 1, key_text.at,
               key_text.len < ORDER_CODE_BYTES ? key_text.len : ORDER_CODE_BYTES);
    }
}

/* --- sorting --- */

struct item {
    uint8_t code[ORDER_BYTES];
    struct str text;
    uint32_t id;
};

static int compare_items(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    int order = memcmp(x->code, y->code, ORDER_BYTES);

    if (order == 0) {
        order = str_cmp(x->text, y->text);
    }
    return order != 0 ? order : (x->id > y->id) - (x->id < y->id);
}

/** Fill an item: the key text is copied into the arena. */
static enum err load_item(struct reader *reader, const struct snapshot *snap, uint32_t id,
                          struct arena *arena, struct item *item)
{
    struct arena *scratch = reader_scratch(reader);
    struct rpsl_object object;
    struct rpsl_key key;
    struct str text;
    enum err rc = snapshot_text(reader, snap, id, scratch, &text);

    if (rc == ERR_OK) {
        rc = object_parse(text, scratch, &object, &key);
    }
    if (rc == ERR_OK) {
        order_record_start(item->code, key.class, key.text);
        item->text = arena_strdup(arena, key.text);
        item->id = id;
        rc = item->text.at == NULL ? ERR_LIMIT : ERR_OK;
    }
    arena_reset(scratch);
    return rc;
}

/** Sort distinct ids by their texts. */
static enum err sort_by_text(struct reader *reader, const struct snapshot *snap, uint32_t *ids,
                             size_t count, struct arena *arena)
{
    struct arena_mark mark = arena_mark(arena);
    struct item *items = arena_alloc(arena, count * sizeof(*items));
    enum err rc = items == NULL ? ERR_LIMIT : ERR_OK;

    for (size_t i = 0; i < count && rc == ERR_OK; i++) {
        rc = load_item(reader, snap, ids[i], arena, &items[i]);
    }
    if (rc == ERR_OK) {
        qsort(items, count, sizeof(*items), compare_items);
        for (size_t i = 0; i < count; i++) {
            ids[i] = items[i].id;
        }
    }
    arena_rewind(arena, mark);
    return rc;
}

/** Walk the order tree, picking the ids of the list. */
static int compare_ids(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* Drop doubles and sort what is left by the texts. */
static enum err sort_small(struct reader *reader, const struct snapshot *snap, struct id_list *list,
                           struct arena *arena)
{
    size_t kept = 0;

    if (list->count < 2) {
        return ERR_OK;
    }
    qsort(list->ids, list->count, sizeof(list->ids[0]), compare_ids);
    for (size_t i = 0; i < list->count; i++) {
        if (kept == 0 || list->ids[kept - 1] != list->ids[i]) {
            list->ids[kept++] = list->ids[i];
        }
    }
    list->count = kept;
    return sort_by_text(reader, snap, list->ids, list->count, arena);
}

struct id_sort {
    struct reader *reader;
    const struct snapshot *snap;
    struct id_list *list;
    struct arena *arena;
    uint8_t *set; /* A bit for each id; NULL: the list is small, and not walked for. */
    uint32_t top;
    struct tree_cursor cursor;
    const uint8_t *record; /* The next one of the walk. */
    const uint8_t *code;   /* Of the group of ids that are not told apart yet. */
    size_t wanted, group;  /* How many there will be; where that group begins. */
};

enum err snapshot_sort_begin(struct reader *reader, const struct snapshot *snap,
                             struct id_list *list, struct arena *arena, struct id_sort **out)
{
    struct id_sort *sort = arena_calloc(arena, 1, sizeof(*sort));

    if (sort == NULL) {
        return ERR_LIMIT;
    }
    *sort = (struct id_sort){.reader = reader, .snap = snap, .list = list, .arena = arena};
    *out = sort;
    /* A step of the walk costs about a four-hundredth of fetching a text. */
    if (list->count <= 256 || list->count <= snap->position.objects / 400) {
        return ERR_OK;
    }
    for (size_t i = 0; i < list->count; i++) {
        sort->top = list->ids[i] > sort->top ? list->ids[i] : sort->top;
    }
    sort->set = arena_calloc(arena, (size_t)sort->top / 8 + 1, 1);
    if (sort->set == NULL) {
        return ERR_LIMIT;
    }
    for (size_t i = 0; i < list->count; i++) {
        uint8_t bit = (uint8_t)(1u << list->ids[i] % 8);

        sort->wanted += (sort->set[list->ids[i] / 8] & bit) == 0;
        sort->set[list->ids[i] / 8] |= bit;
    }
    list->count = 0;
    sort->record = tree_seek(&sort->cursor, snapshot_tree(snap, TREE_ORDER), NULL);
    return ERR_OK;
}

/* Tell the ids of the last group apart. */
static enum err end_group(const struct id_sort *sort)
{
    size_t count = sort->list->count - sort->group;

    return count < 2 ? ERR_OK
                     : sort_by_text(sort->reader, sort->snap, sort->list->ids + sort->group, count,
                                    sort->arena);
}

enum err snapshot_sort_step(struct id_sort *sort, bool *is_done)
{
    struct id_list *list = sort->list;
    enum err rc = ERR_OK;

    *is_done = true;
    if (sort->set == NULL) {
        return sort_small(sort->reader, sort->snap, list, sort->arena);
    }
    for (unsigned i = 0; i < SORT_STEP_RECORDS; i++) {
        uint32_t id;

        if (sort->record == NULL || list->count == sort->wanted) {
            return end_group(sort);
        }
        id = record_id(TREE_ORDER, sort->record);
        if (id <= sort->top && (sort->set[id / 8] & 1u << id % 8) != 0) {
            if (sort->code == NULL || memcmp(sort->record, sort->code, ORDER_BYTES) != 0) {
                if ((rc = end_group(sort)) != ERR_OK) {
                    return rc;
                }
                sort->group = list->count;
                sort->code = sort->record;
            }
            list->ids[list->count++] = id;
        }
        sort->record = tree_next(&sort->cursor);
    }
    *is_done = false;
    return ERR_OK;
}

enum err snapshot_sort(struct reader *reader, const struct snapshot *snap, struct id_list *list,
                       struct arena *arena)
{
    struct arena_mark mark = arena_mark(arena);
    struct id_sort *sort;
    bool is_done = false;
    enum err rc = snapshot_sort_begin(reader, snap, list, arena, &sort);

    while (rc == ERR_OK && !is_done) {
        rc = snapshot_sort_step(sort, &is_done);
    }
    arena_rewind(arena, mark);
    return rc;
}
