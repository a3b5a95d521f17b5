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
 * ids, and texts are fetched only where codes are equal. Both in steps: each fetches a few texts,
 * or looks at some hundred records.
 */
#include "storage/order.h"

#include <stdlib.h>
#include <string.h>

#include "base/merge_sort.h"
#include "storage/version.h"

#define STEP_RECORDS 256
#define STEP_TEXTS   4
#define FEW          8 /* Sorted in one step. */

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

static int compare_ids(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
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

/** Sort a list of at most FEW ids. */
static enum err sort_few(struct reader *reader, const struct snapshot *snap, struct id_list *list,
                         struct arena *arena)
{
    struct arena_mark mark = arena_mark(arena);
    struct item items[FEW];
    size_t count = 0;
    enum err rc = ERR_OK;

    for (size_t i = 0; i < list->count && list->count > 1 && rc == ERR_OK; i++) {
        size_t same = 0;

        while (same < count && items[same].id != list->ids[i]) {
            same++;
        }
        if (same == count) {
            rc = load_item(reader, snap, list->ids[i], arena, &items[count++]);
        }
    }
    if (rc == ERR_OK && list->count > 1) {
        qsort(items, count, sizeof(items[0]), compare_items);
        list->count = count;
        for (size_t i = 0; i < count; i++) {
            list->ids[i] = items[i].id;
        }
    }
    arena_rewind(arena, mark);
    return rc;
}

struct id_sort {
    enum err (*step)(struct id_sort *sort);
    bool is_done;
    struct reader *reader;
    const struct snapshot *snap;
    struct id_list *list;
    struct arena *arena;
    size_t at; /* Where the step stands in the list. */
    struct merge_sort merge;

    /* Sorting by texts: the ids from `first` up to the end of the list. */
    size_t first;
    struct item *items;
    struct arena_mark texts; /* What the items' texts begin behind. */
    enum err (*after_texts)(struct id_sort *sort);

    /* The walk. */
    uint8_t *set; /* A bit for each id. */
    uint32_t top;
    struct tree_cursor cursor;
    const uint8_t *record; /* The next one. */
    const uint8_t *code;   /* Of the group of ids that are not told apart yet. */
    size_t wanted;         /* How many there will be. */
};

/* --- by texts --- */

static enum err step_put(struct id_sort *sort)
{
    struct id_list *list = sort->list;
    const struct item *items = (const struct item *)sort->merge.items;

    for (unsigned i = 0; i < STEP_RECORDS && sort->at < list->count; i++, sort->at++) {
        list->ids[sort->at] = items[sort->at - sort->first].id;
    }
    if (sort->at < list->count) {
        return ERR_OK;
    }
    arena_rewind(sort->arena, sort->texts);
    return sort->after_texts(sort);
}

static enum err step_items(struct id_sort *sort)
{
    if (merge_sort_step(&sort->merge)) {
        sort->at = sort->first;
        sort->step = step_put;
    }
    return ERR_OK;
}

static enum err step_load(struct id_sort *sort)
{
    const struct id_list *list = sort->list;
    size_t count = list->count - sort->first;
    enum err rc = ERR_OK;

    for (unsigned i = 0; i < STEP_TEXTS && sort->at < list->count && rc == ERR_OK;
         i++, sort->at++) {
        rc = load_item(sort->reader, sort->snap, list->ids[sort->at], sort->arena,
                       &sort->items[sort->at - sort->first]);
    }
    if (rc == ERR_OK && sort->at == list->count) {
        merge_sort_begin(&sort->merge, sort->items, sort->items + count, count,
                         sizeof(sort->items[0]), compare_items);
        sort->step = step_items;
    }
    return rc;
}

/** Sort the distinct ids from `first` on, then do what comes after. */
static enum err begin_texts(struct id_sort *sort, size_t first,
                            enum err (*after)(struct id_sort *sort))
{
    size_t count = sort->list->count - first;

    sort->after_texts = after;
    if (count < 2) {
        return after(sort);
    }
    sort->texts = arena_mark(sort->arena);
    sort->items = arena_alloc(sort->arena, 2 * count * sizeof(sort->items[0]));
    sort->first = sort->at = first;
    sort->step = step_load;
    return sort->items == NULL ? ERR_LIMIT : ERR_OK;
}

static enum err end_sort(struct id_sort *sort)
{
    sort->is_done = true;
    return ERR_OK;
}

/* --- small lists --- */

/* Drop doubles; what is left is sorted by the texts. */
static enum err drop_doubles(struct id_sort *sort)
{
    struct id_list *list = sort->list;
    const uint32_t *sorted = (const uint32_t *)sort->merge.items;
    size_t kept = 0;

    for (size_t i = 0; i < list->count; i++) {
        if (kept == 0 || list->ids[kept - 1] != sorted[i]) {
            list->ids[kept++] = sorted[i];
        }
    }
    list->count = kept;
    arena_rewind(sort->arena, sort->texts);
    return begin_texts(sort, 0, end_sort);
}

static enum err step_ids(struct id_sort *sort)
{
    return merge_sort_step(&sort->merge) ? drop_doubles(sort) : ERR_OK;
}

static enum err begin_small(struct id_sort *sort)
{
    struct id_list *list = sort->list;
    uint32_t *room;

    sort->texts = arena_mark(sort->arena);
    room = arena_alloc(sort->arena, list->count * sizeof(room[0]));
    if (room == NULL) {
        return ERR_LIMIT;
    }
    merge_sort_begin(&sort->merge, list->ids, room, list->count, sizeof(room[0]), compare_ids);
    sort->step = step_ids;
    return ERR_OK;
}

/* --- large lists --- */

static enum err go_on_walking(struct id_sort *sort);

/* Walk the order tree, picking the ids of the list. */
static enum err step_walk(struct id_sort *sort)
{
    struct id_list *list = sort->list;

    for (unsigned i = 0; i < STEP_RECORDS; i++) {
        uint32_t id;

        if (sort->record == NULL || list->count == sort->wanted) {
            return begin_texts(sort, sort->first, end_sort);
        }
        id = record_id(TREE_ORDER, sort->record);
        if (id <= sort->top && (sort->set[id / 8] & 1u << id % 8) != 0) {
            if (sort->code == NULL || memcmp(sort->record, sort->code, ORDER_BYTES) != 0) {
                sort->code = sort->record;
                if (list->count - sort->first > 1) { /* Tell the ids of the last group apart. */
                    return begin_texts(sort, sort->first, go_on_walking);
                }
                sort->first = list->count;
            }
            list->ids[list->count++] = id;
        }
        sort->record = tree_next(&sort->cursor);
    }
    return ERR_OK;
}

static enum err go_on_walking(struct id_sort *sort)
{
    sort->first = sort->list->count;
    sort->step = step_walk;
    return ERR_OK;
}

static enum err step_mark(struct id_sort *sort)
{
    struct id_list *list = sort->list;

    for (unsigned i = 0; i < STEP_RECORDS && sort->at < list->count; i++, sort->at++) {
        uint32_t id = list->ids[sort->at];
        uint8_t bit = (uint8_t)(1u << id % 8);

        sort->wanted += (sort->set[id / 8] & bit) == 0;
        sort->set[id / 8] |= bit;
    }
    if (sort->at < list->count) {
        return ERR_OK;
    }
    list->count = 0;
    sort->record = tree_seek(&sort->cursor, snapshot_tree(sort->snap, TREE_ORDER), NULL);
    sort->step = step_walk;
    return ERR_OK;
}

static enum err step_top(struct id_sort *sort)
{
    const struct id_list *list = sort->list;

    for (unsigned i = 0; i < STEP_RECORDS && sort->at < list->count; i++, sort->at++) {
        sort->top = list->ids[sort->at] > sort->top ? list->ids[sort->at] : sort->top;
    }
    if (sort->at < list->count) {
        return ERR_OK;
    }
    sort->set = arena_calloc(sort->arena, (size_t)sort->top / 8 + 1, 1);
    sort->at = 0;
    sort->step = step_mark;
    return sort->set == NULL ? ERR_LIMIT : ERR_OK;
}

enum err snapshot_sort_begin(struct reader *reader, const struct snapshot *snap,
                             struct id_list *list, struct arena *arena, struct id_sort **out)
{
    struct id_sort *sort;

    *out = NULL;
    if (list->count <= FEW) {
        return sort_few(reader, snap, list, arena);
    }
    sort = arena_alloc(arena, sizeof(*sort));
    if (sort == NULL) {
        return ERR_LIMIT;
    }
    *sort = (struct id_sort){.reader = reader, .snap = snap, .list = list, .arena = arena};
    *out = sort;
    /* A step of the walk costs about a four-hundredth of fetching a text. */
    if (list->count <= 256 || list->count <= snap->position.objects / 400) {
        return begin_small(sort);
    }
    sort->step = step_top;
    return ERR_OK;
}

enum err snapshot_sort_step(struct id_sort *sort, bool *is_done)
{
    bool was_done = sort == NULL || sort->is_done;
    enum err rc = was_done ? ERR_OK : sort->step(sort);

    *is_done = was_done || sort->is_done;
    return rc;
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
