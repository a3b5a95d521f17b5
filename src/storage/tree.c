/*
 * The copy-on-write B+tree.
 *
 *   leaf:   record, record, ...
 *   inner:  entry = key | child number (4 bytes) | minimum of the low bytes below that child
 *
 * The key of an entry is a lower bound of its child and above everything in the child before it;
 * the key of a node's first entry is never compared, so a smaller record may go below it. Nodes
 * need not be half full: a node that falls under a third is merged with a neighbour when both fit
 * in one, an empty one is taken out. All leaves have one depth.
 *
 * Writing descends once and makes every node on its way writable (nodes_write), so a path is copied
 * at most once per batch; parents are corrected on the way back.
 */
#include "storage/tree.h"

#include <assert.h>
#include <string.h>

#include "base/ahead.h"
#include "storage/bytes.h"

#define CACHE_LINE 64

/* The root and its children are few and looked at by every search: they are in the cache. */
#define LEVELS_AT_HAND 2

/* --- nodes as arrays of entries --- */

static unsigned entry_size(const struct tree_shape *shape, const struct node *node)
{
    return node->level == 0 ? shape->record_size : shape->key_size + 4u + shape->low_size;
}

static unsigned capacity(const struct tree_shape *shape, const struct node *node)
{
    return NODE_PAYLOAD / entry_size(shape, node);
}

static const uint8_t *entry_at(const struct tree_shape *shape, const struct node *node,
                               unsigned slot)
{
    return node->payload + slot * entry_size(shape, node);
}

static uint8_t *entry_write(const struct tree_shape *shape, struct node *node, unsigned slot)
{
    return node->payload + slot * entry_size(shape, node);
}

static uint32_t child_at(const struct tree_shape *shape, const struct node *node, unsigned slot)
{
    return load32(entry_at(shape, node, slot) + shape->key_size);
}

/** The low bytes of an entry, which a leaf has in the key and an inner node behind the child. */
static const uint8_t *low_of(const struct tree_shape *shape, const struct node *node, unsigned slot)
{
    return entry_at(shape, node, slot) + (node->level == 0 ? shape->low_at : shape->key_size + 4u);
}

static bool is_below(const struct tree_shape *shape, const struct node *node, unsigned slot,
                     const uint8_t *key)
{
    return key_compare(entry_at(shape, node, slot), key, shape->key_size) < 0;
}

/**
 * Narrow a search among keys that are spread evenly: look where the key should be, then in steps
 * that double, until it is between two looks. Takes two looks, mostly, and not seven.
 */
static void narrow(const struct tree_shape *shape, const struct node *node, unsigned *from,
                   unsigned *to, const uint8_t *key)
{
    uint32_t first = load32(entry_at(shape, node, *from));
    uint32_t last = load32(entry_at(shape, node, *to - 1)), wanted = load32(key);
    unsigned at = *from, step = 1;

    if (wanted >= last) {
        at = *to - 1;
    } else if (wanted > first) {
        at += (unsigned)((uint64_t)(wanted - first) * (*to - 1 - *from) / (last - first));
    }
    if (is_below(shape, node, at, key)) {
        do {
            *from = at + 1;
            at += step;
            step *= 2;
        } while (at < *to && is_below(shape, node, at, key));
        *to = at < *to ? at : *to;
    } else {
        do {
            *to = at;
            at -= at - *from < step ? at - *from : step;
            step *= 2;
        } while (at < *to && !is_below(shape, node, at, key));
        *from = at < *to ? at + 1 : *from;
    }
}

/** The first slot whose key is not below `key`, from slot `from` on (keys are distinct). */
static unsigned lower_bound(const struct tree_shape *shape, const struct node *node, unsigned from,
                            const uint8_t *key)
{
    unsigned size = entry_size(shape, node), to = node->count;
    uint64_t head = key_head(key, shape->key_size);

    if (shape->is_even && from < to) {
        narrow(shape, node, &from, &to, key);
    }
    while (from < to) {
        unsigned middle = (from + to) / 2;
        const uint8_t *entry = node->payload + middle * size;
        uint64_t entry_head = key_head(entry, shape->key_size);
        int order = entry_head != head ? (entry_head < head ? -1 : 1)
                                       : key_compare(entry, key, shape->key_size);

        if (order == 0) {
            return middle;
        }
        if (order < 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

/**
 * A node that is looked at next. A search jumps about in it: asking for all of it at once makes the
 * waits for memory overlap.
 */
static const struct node *fetch(const struct node *node)
{
    for (unsigned at = 0; at < NODE_BYTES; at += CACHE_LINE) {
        __builtin_prefetch((const char *)node + at);
    }
    return node;
}

/** The child that a key belongs to. */
static unsigned child_slot(const struct tree_shape *shape, const struct node *node,
                           const uint8_t *key)
{
    unsigned slot = lower_bound(shape, node, 1, key);

    if (slot < node->count && key_compare(entry_at(shape, node, slot), key, shape->key_size) == 0) {
        return slot;
    }
    return slot - 1;
}

static bool slot_has_key(const struct tree_shape *shape, const struct node *node, unsigned slot,
                         const uint8_t *key)
{
    return slot < node->count &&
           key_compare(entry_at(shape, node, slot), key, shape->key_size) == 0;
}

static void insert_entry(const struct tree_shape *shape, struct node *node, unsigned slot,
                         const uint8_t *entry)
{
    unsigned size = entry_size(shape, node);
    uint8_t *at = node->payload + slot * size;

    memmove(at + size, at, (node->count - slot) * size);
    memcpy(at, entry, size);
    node->count++;
}

static void remove_entry(const struct tree_shape *shape, struct node *node, unsigned slot)
{
    unsigned size = entry_size(shape, node);
    uint8_t *at = node->payload + slot * size;

    node->count--;
    memmove(at, at + size, (node->count - slot) * size);
}

/** Bring a child's minimum in its parent up to date. */
static void refresh_low(const struct nodes *nodes, const struct tree_shape *shape,
                        struct node *parent, unsigned slot)
{
    const struct node *child;
    const uint8_t *least;

    if (shape->low_size == 0) {
        return;
    }
    child = nodes_at(nodes, child_at(shape, parent, slot));
    least = low_of(shape, child, 0);
    for (unsigned i = 1; i < child->count; i++) {
        const uint8_t *low = low_of(shape, child, i);

        if (key_compare(low, least, shape->low_size) < 0) {
            least = low;
        }
    }
    memcpy(entry_write(shape, parent, slot) + shape->key_size + 4, least, shape->low_size);
}

/** Make an entry for a child; its minimum is filled by refresh_low(). */
static void make_entry(const struct tree_shape *shape, uint8_t *entry, const uint8_t *key,
                       uint32_t child)
{
    memcpy(entry, key, shape->key_size);
    store32(entry + shape->key_size, child);
    memset(entry + shape->key_size + 4, 0, shape->low_size);
}

#define ENTRY_MAX (TREE_RECORD_MAX + 4 + TREE_RECORD_MAX)

/* --- reading --- */

static const uint8_t *find_in_leaf(struct tree_view view, const struct node *leaf,
                                   const uint8_t *key)
{
    unsigned slot = lower_bound(view.shape, leaf, 0, key);

    return slot_has_key(view.shape, leaf, slot, key) ? entry_at(view.shape, leaf, slot) : NULL;
}

static uint32_t child_of(struct tree_view view, const struct node *node, const uint8_t *key)
{
    return child_at(view.shape, node, child_slot(view.shape, node, key));
}

const uint8_t *tree_find(struct tree_view view, const uint8_t *key)
{
    const struct node *node;

    if (view.tree->root == 0) {
        return NULL;
    }
    node = fetch(nodes_at(view.nodes, view.tree->root));
    while (node->level > 0) {
        node = fetch(nodes_at(view.nodes, child_of(view, node, key)));
    }
    return find_in_leaf(view, node, key);
}

static void descend(struct tree_descent *descent, struct tree_view view, const uint8_t *key)
{
    descent->node = nodes_at(view.nodes, child_of(view, descent->node, key));
    descent->level--;
}

void tree_find_begin(struct tree_descent *descent, struct tree_view view, const uint8_t *key)
{
    descent->node = NULL;
    if (view.tree->root == 0) {
        return;
    }
    descent->node = nodes_at(view.nodes, view.tree->root);
    descent->level = descent->node->level;
    for (unsigned i = 0; i < LEVELS_AT_HAND && descent->level > 0; i++) {
        descend(descent, view, key);
    }
    ahead_note(descent->node, NODE_BYTES);
}

bool tree_find_step(struct tree_descent *descent, struct tree_view view, const uint8_t *key,
                    const uint8_t **record)
{
    if (descent->node != NULL && descent->level > 0) {
        descend(descent, view, key);
        ahead_note(descent->node, NODE_BYTES);
        return false;
    }
    *record = descent->node != NULL ? find_in_leaf(view, descent->node, key) : NULL;
    return true;
}

static const uint8_t *cursor_record(const struct tree_cursor *cursor)
{
    unsigned leaf = cursor->depth - 1;

    return entry_at(cursor->view.shape, cursor->at[leaf].node, cursor->at[leaf].slot);
}

static void cursor_enter(struct tree_cursor *cursor, const struct node *node, unsigned slot)
{
    cursor->at[cursor->depth].node = node;
    cursor->at[cursor->depth].slot = slot;
    cursor->depth++;
}

/** Go to the first record at or behind the cursor's slots, climbing out of used-up nodes and down
 * again. */
static const uint8_t *cursor_settle(struct tree_cursor *cursor)
{
    while (cursor->depth > 0) {
        unsigned top = cursor->depth - 1;
        const struct node *node = cursor->at[top].node;
        unsigned slot = cursor->at[top].slot;

        if (slot >= node->count) {
            cursor->depth--;
            if (cursor->depth > 0) {
                cursor->at[top - 1].slot++;
            }
        } else if (node->level > 0) {
            cursor_enter(cursor,
                         nodes_at(cursor->view.nodes, child_at(cursor->view.shape, node, slot)), 0);
        } else {
            return cursor_record(cursor);
        }
    }
    return NULL;
}

/** Start at the root. @return It, not looked at; NULL when there is none. */
static const struct node *cursor_start(struct tree_cursor *cursor, struct tree_view view)
{
    cursor->view = view;
    cursor->depth = 0;
    if (view.tree->root == 0) {
        return NULL;
    }
    cursor_enter(cursor, nodes_at(view.nodes, view.tree->root), 0);
    return cursor->at[0].node;
}

/** The level of the lowest node a cursor has gone to, which is not looked at. */
static unsigned cursor_level(const struct tree_cursor *cursor)
{
    return cursor->at[0].node->level - (cursor->depth - 1);
}

/** Go from the lowest node to the child that a key belongs to. @return The child, not looked at. */
static const struct node *cursor_descend(struct tree_cursor *cursor, const uint8_t *key)
{
    const struct tree_view *view = &cursor->view;
    unsigned top = cursor->depth - 1;
    const struct node *node = cursor->at[top].node;
    unsigned slot = key == NULL ? 0 : child_slot(view->shape, node, key);

    cursor->at[top].slot = slot;
    node = nodes_at(view->nodes, child_at(view->shape, node, slot));
    cursor_enter(cursor, node, 0);
    return node;
}

static const uint8_t *cursor_arrive(struct tree_cursor *cursor, const uint8_t *key)
{
    if (cursor->depth > 0 && key != NULL) {
        unsigned leaf = cursor->depth - 1;

        cursor->at[leaf].slot = lower_bound(cursor->view.shape, cursor->at[leaf].node, 0, key);
    }
    return cursor_settle(cursor);
}

const uint8_t *tree_seek(struct tree_cursor *cursor, struct tree_view view, const uint8_t *key)
{
    const struct node *node = cursor_start(cursor, view);

    while (node != NULL && node->level > 0) {
        node = fetch(cursor_descend(cursor, key));
    }
    return cursor_arrive(cursor, key);
}

void tree_seek_begin(struct tree_cursor *cursor, struct tree_view view, const uint8_t *key)
{
    const struct node *node = cursor_start(cursor, view);

    if (node == NULL) {
        return;
    }
    for (unsigned i = 0; i < LEVELS_AT_HAND && cursor_level(cursor) > 0; i++) {
        node = cursor_descend(cursor, key);
    }
    ahead_note(node, NODE_BYTES);
}

bool tree_seek_step(struct tree_cursor *cursor, const uint8_t *key, const uint8_t **record)
{
    if (cursor->depth > 0 && cursor_level(cursor) > 0) {
        ahead_note(cursor_descend(cursor, key), NODE_BYTES);
        return false;
    }
    *record = cursor_arrive(cursor, key);
    return true;
}

const uint8_t *tree_next(struct tree_cursor *cursor)
{
    if (cursor->depth == 0) {
        return NULL;
    }
    cursor->at[cursor->depth - 1].slot++;
    return cursor_settle(cursor);
}

const uint8_t *tree_next_low(struct tree_cursor *cursor, const uint8_t *bound)
{
    const struct tree_shape *shape = cursor->view.shape;

    /* As cursor_settle(), but entries whose minimum is above the bound are stepped over at every
     * level. */
    while (cursor->depth > 0) {
        unsigned top = cursor->depth - 1;
        const struct node *node = cursor->at[top].node;
        unsigned slot = cursor->at[top].slot;

        while (slot < node->count &&
               key_compare(low_of(shape, node, slot), bound, shape->low_size) > 0) {
            slot++;
        }
        cursor->at[top].slot = slot;
        if (slot >= node->count) {
            cursor->depth--;
            if (cursor->depth > 0) {
                cursor->at[top - 1].slot++;
            }
        } else if (node->level > 0) {
            cursor_enter(cursor, nodes_at(cursor->view.nodes, child_at(shape, node, slot)), 0);
        } else {
            return cursor_record(cursor);
        }
    }
    return NULL;
}

/* --- writing --- */

/** What an insertion hands up when a node was split: the new right sibling, or number 0. */
struct sibling {
    uint32_t number;
    uint8_t key[TREE_RECORD_MAX];
};

/** Insert into a node, splitting it when full. */
static void insert_splitting(struct nodes *nodes, const struct tree_shape *shape, struct node *node,
                             unsigned slot, const uint8_t *entry, struct sibling *right_out)
{
    unsigned size = entry_size(shape, node), keep = node->count / 2;
    struct node *right;

    right_out->number = 0;
    if (node->count < capacity(shape, node)) {
        insert_entry(shape, node, slot, entry);
        return;
    }
    if (slot == node->count) {
        keep = node->count; /* Growing at its end: ascending keys fill nodes completely. */
    }
    right_out->number = nodes_new(nodes, node->level);
    right = nodes_at(nodes, right_out->number);
    right->count = (uint16_t)(node->count - keep);
    memcpy(right->payload, node->payload + keep * size, right->count * size);
    node->count = (uint16_t)keep;
    if (slot < keep || (slot == keep && right->count > 0)) {
        insert_entry(shape, node, slot, entry);
    } else {
        insert_entry(shape, right, slot - keep, entry);
    }
    memcpy(right_out->key, right->payload, shape->key_size);
}

/** @return True when the key is new. *number becomes the writable node. */
static bool put_below(struct nodes *nodes, const struct tree_shape *shape, uint32_t *number,
                      const uint8_t *record, struct sibling *right_out)
{
    struct node *node = nodes_write(nodes, number);
    struct sibling right;
    uint32_t child;
    unsigned slot;
    bool is_new;

    right_out->number = 0;
    if (node->level == 0) {
        slot = lower_bound(shape, node, 0, record);
        if (slot_has_key(shape, node, slot, record)) {
            memcpy(entry_write(shape, node, slot), record, shape->record_size);
            return false;
        }
        insert_splitting(nodes, shape, node, slot, record, right_out);
        return true;
    }
    slot = child_slot(shape, node, record);
    child = child_at(shape, node, slot);
    is_new = put_below(nodes, shape, &child, record, &right);
    store32(entry_write(shape, node, slot) + shape->key_size, child);
    refresh_low(nodes, shape, node, slot);
    if (right.number != 0) {
        uint8_t entry[ENTRY_MAX];
        struct node *parent = node;
        unsigned at = slot + 1;

        make_entry(shape, entry, right.key, right.number);
        insert_splitting(nodes, shape, node, at, entry, right_out);
        if (at >= node->count) {
            at -= node->count;
            parent = nodes_at(nodes, right_out->number);
        }
        refresh_low(nodes, shape, parent, at);
    }
    return is_new;
}

bool tree_put(struct nodes *nodes, const struct tree_shape *shape, struct tree *tree,
              const uint8_t *record)
{
    struct sibling right;
    bool is_new;

    if (tree->root == 0) {
        tree->root = nodes_new(nodes, 0);
    }
    is_new = put_below(nodes, shape, &tree->root, record, &right);
    if (right.number != 0) {
        unsigned level = nodes_at(nodes, tree->root)->level + 1u;
        uint32_t number = nodes_new(nodes, level);
        struct node *root = nodes_at(nodes, number);
        uint8_t entry[ENTRY_MAX];

        assert(level < TREE_DEPTH_MAX);
        make_entry(shape, entry, nodes_at(nodes, tree->root)->payload, tree->root);
        insert_entry(shape, root, 0, entry);
        make_entry(shape, entry, right.key, right.number);
        insert_entry(shape, root, 1, entry);
        refresh_low(nodes, shape, root, 0);
        refresh_low(nodes, shape, root, 1);
        tree->root = number;
    }
    tree->count += is_new;
    return is_new;
}

/** Move everything of the child in slot + 1 into the child in slot, when it fits. @return Whether
 * it did. */
static bool merge_children(struct nodes *nodes, const struct tree_shape *shape, struct node *parent,
                           unsigned slot)
{
    uint32_t left_number = child_at(shape, parent, slot);
    uint32_t right_number = child_at(shape, parent, slot + 1);
    const struct node *right = nodes_at(nodes, right_number);
    unsigned fits =
        capacity(shape, right) * 7 / 8; /* Some room, or the next insertion splits again. */
    unsigned size = entry_size(shape, right), joint;
    struct node *left;

    if (nodes_at(nodes, left_number)->count + right->count > fits) {
        return false;
    }
    left = nodes_write(nodes, &left_number);
    store32(entry_write(shape, parent, slot) + shape->key_size, left_number);
    joint = left->count;
    memcpy(left->payload + joint * size, right->payload, right->count * size);
    left->count = (uint16_t)(joint + right->count);
    if (left->level > 0) {
        /* The first key of the right node was never compared; the parent's is the true bound. */
        memcpy(entry_write(shape, left, joint), entry_at(shape, parent, slot + 1), shape->key_size);
    }
    nodes_drop(nodes, right_number);
    remove_entry(shape, parent, slot + 1);
    refresh_low(nodes, shape, parent, slot);
    return true;
}

static bool remove_below(struct nodes *nodes, const struct tree_shape *shape, uint32_t *number,
                         const uint8_t *key)
{
    struct node *node = nodes_write(nodes, number);
    const struct node *below;
    uint32_t child;
    unsigned slot;
    bool found;

    if (node->level == 0) {
        slot = lower_bound(shape, node, 0, key);
        found = slot_has_key(shape, node, slot, key);
        if (found) {
            remove_entry(shape, node, slot);
        }
        return found;
    }
    slot = child_slot(shape, node, key);
    child = child_at(shape, node, slot);
    found = remove_below(nodes, shape, &child, key);
    store32(entry_write(shape, node, slot) + shape->key_size, child);
    below = nodes_at(nodes, child);
    if (below->count == 0) {
        nodes_drop(nodes, child);
        remove_entry(shape, node, slot);
        return found;
    }
    refresh_low(nodes, shape, node, slot);
    if (below->count < capacity(shape, below) / 3) {
        bool merged = slot > 0 && merge_children(nodes, shape, node, slot - 1);

        if (!merged && slot + 1 < node->count) {
            merge_children(nodes, shape, node, slot);
        }
    }
    return found;
}

bool tree_remove(struct nodes *nodes, const struct tree_shape *shape, struct tree *tree,
                 const uint8_t *key)
{
    const struct node *root;
    bool found;

    if (tree->root == 0) {
        return false;
    }
    found = remove_below(nodes, shape, &tree->root, key);
    root = nodes_at(nodes, tree->root);
    while (root->level > 0 && root->count == 1) {
        uint32_t only = child_at(shape, root, 0);

        nodes_drop(nodes, tree->root);
        tree->root = only;
        root = nodes_at(nodes, only);
    }
    if (root->count == 0) {
        nodes_drop(nodes, tree->root);
        tree->root = 0;
    }
    tree->count -= found;
    return found;
}

static void drop_below(struct nodes *nodes, uint32_t number, const struct tree_shape *shape)
{
    const struct node *node = nodes_at(nodes, number);

    for (unsigned i = 0; node->level > 0 && i < node->count; i++) {
        drop_below(nodes, child_at(shape, node, i), shape);
    }
    nodes_drop(nodes, number);
}

void tree_drop(struct nodes *nodes, struct tree *tree, const struct tree_shape *shape)
{
    if (tree->root != 0) {
        drop_below(nodes, tree->root, shape);
    }
    *tree = (struct tree){0};
}

/* --- building --- */

void tree_builder_init(struct tree_builder *builder, struct nodes *nodes,
                       const struct tree_shape *shape)
{
    *builder = (struct tree_builder){.nodes = nodes, .shape = shape};
}

/** Append an entry to the rightmost node of a level, closing that node into the level above when it
 * is full. */
static void builder_append(struct tree_builder *builder, unsigned level, const uint8_t *entry)
{
    const struct tree_shape *shape = builder->shape;
    uint32_t number = builder->open[level];
    struct node *node;

    if (level == builder->levels) {
        assert(level < TREE_DEPTH_MAX);
        builder->levels++;
        number = nodes_new(builder->nodes, level);
    }
    node = nodes_at(builder->nodes, number);
    /* One sixteenth stays empty, so that the first updates of a fresh index split few nodes. */
    if (node->count >= capacity(shape, node) - capacity(shape, node) / 16) {
        uint8_t up[ENTRY_MAX];

        make_entry(shape, up, node->payload, number);
        builder_append(builder, level + 1, up);
        number = nodes_new(builder->nodes, level);
        node = nodes_at(builder->nodes, number);
    }
    builder->open[level] = number;
    insert_entry(shape, node, node->count, entry);
    if (level > 0) {
        refresh_low(builder->nodes, shape, node, node->count - 1u);
    }
}

void tree_builder_add(struct tree_builder *builder, const uint8_t *record)
{
    builder_append(builder, 0, record);
    builder->count++;
}

struct tree tree_builder_finish(struct tree_builder *builder)
{
    struct tree tree = {.count = builder->count};

    for (unsigned level = 0; level < builder->levels; level++) {
        uint32_t number = builder->open[level];

        if (level + 1 == builder->levels) {
            tree.root = number;
        } else {
            uint8_t up[ENTRY_MAX];

            make_entry(builder->shape, up, nodes_at(builder->nodes, number)->payload, number);
            builder_append(builder, level + 1, up);
        }
    }
    return tree;
}

/* --- a copy elsewhere --- */

struct copy {
    struct tree_view view;
    uint32_t *next;
    tree_emit_fn *emit;
    void *context;
};

static bool copy_below(struct copy *copy, uint32_t number, uint32_t *out)
{
    const struct tree_shape *shape = copy->view.shape;
    struct node node = *fetch(nodes_at(copy->view.nodes, number));
    unsigned used = node.count * entry_size(shape, &node);

    for (unsigned i = 0; node.level > 0 && i < node.count; i++) {
        uint32_t child;

        if (!copy_below(copy, child_at(shape, &node, i), &child)) {
            return false;
        }
        store32(entry_write(shape, &node, i) + shape->key_size, child);
    }
    memset(node.payload + used, 0, sizeof(node.payload) - used);
    node.born = 0;
    *out = (*copy->next)++;
    return copy->emit(copy->context, &node);
}

bool tree_copy(struct tree_view view, uint32_t *next, uint32_t *root, tree_emit_fn *emit,
               void *context)
{
    struct copy copy = {view, next, emit, context};

    *root = 0;
    return view.tree->root == 0 || copy_below(&copy, view.tree->root, root);
}

#define ENTRIES_MAX (NODE_PAYLOAD / 8) /* Of the smallest, a key of 4 bytes and a child. */

/** Subtrees without a parent yet, in the order they came: levels never rise on the way. */
struct orphans {
    uint32_t numbers[TREE_DEPTH_MAX * ENTRIES_MAX];
    uint8_t levels[TREE_DEPTH_MAX * ENTRIES_MAX];
    unsigned count;
};

/** The last orphans become the children of a node. @return false when they are not its own. */
static bool adopt(struct tree_view view, const struct node *node, struct orphans *orphans)
{
    unsigned first;

    if (node->count > orphans->count) {
        return false;
    }
    first = orphans->count - node->count;
    for (unsigned i = 0; i < node->count; i++) {
        if (orphans->numbers[first + i] != child_at(view.shape, node, i) ||
            orphans->levels[first + i] + 1 != node->level) {
            return false;
        }
    }
    orphans->count = first;
    return true;
}

bool tree_is_copy(struct tree_view view, uint32_t first)
{
    struct orphans orphans = {.count = 0};
    uint64_t records = 0;

    if (view.tree->root == 0) {
        return view.tree->count == 0;
    }
    for (uint32_t number = first; number <= view.tree->root; number++) {
        const struct node *node = nodes_at(view.nodes, number);

        if (node->level >= TREE_DEPTH_MAX || node->count == 0 ||
            node->count > capacity(view.shape, node)) {
            return false;
        }
        if (node->level == 0) {
            records += node->count;
        } else if (!adopt(view, node, &orphans)) {
            return false;
        }
        if (orphans.count == TREE_DEPTH_MAX * ENTRIES_MAX) {
            return false;
        }
        orphans.numbers[orphans.count] = number;
        orphans.levels[orphans.count++] = node->level;
    }
    return orphans.count == 1 && records == view.tree->count;
}

/* --- checking --- */

static uint64_t count_below(struct tree_view view, uint32_t number)
{
    const struct node *node = nodes_at(view.nodes, number);
    uint64_t count = 1;

    if (node->level == 1) {
        return count + node->count; /* Leaves need not be touched. */
    }
    for (unsigned i = 0; node->level > 0 && i < node->count; i++) {
        count += count_below(view, child_at(view.shape, node, i));
    }
    return count;
}

uint64_t tree_node_count(struct tree_view view)
{
    return view.tree->root == 0 ? 0 : count_below(view, view.tree->root);
}

struct check {
    struct tree_view view;
    uint64_t records, nodes;
    uint8_t last[TREE_RECORD_MAX]; /**< Key of the record before. */
};

/**
 * @param from, to  Bounds of the keys below, NULL: none; from inclusive, to exclusive.
 * @param low       The parent's minimum, NULL at the root.
 */
static const char *check_below(struct check *check, uint32_t number, int level, const uint8_t *from,
                               const uint8_t *to, const uint8_t *low)
{
    const struct tree_shape *shape = check->view.shape;
    const struct node *node = nodes_at(check->view.nodes, number);
    const uint8_t *least = low_of(shape, node, 0);

    check->nodes++;
    if (level >= 0 && node->level != level) {
        return "a node is on the wrong level";
    }
    if (node->count == 0 || node->count > capacity(shape, node)) {
        return "a node has a bad count";
    }
    for (unsigned i = 0; i < node->count; i++) {
        const uint8_t *entry = entry_at(shape, node, i);

        if (key_compare(low_of(shape, node, i), least, shape->low_size) < 0) {
            least = low_of(shape, node, i);
        }
        if (node->level > 0) {
            const uint8_t *next = i + 1 < node->count ? entry_at(shape, node, i + 1) : to;
            const char *wrong =
                check_below(check, child_at(shape, node, i), node->level - 1, i > 0 ? entry : from,
                            next, shape->low_size > 0 ? low_of(shape, node, i) : NULL);

            if (wrong != NULL) {
                return wrong;
            }
            continue;
        }
        if (check->records > 0 && key_compare(check->last, entry, shape->key_size) >= 0) {
            return "records are out of order";
        }
        if ((from != NULL && key_compare(entry, from, shape->key_size) < 0) ||
            (to != NULL && key_compare(entry, to, shape->key_size) >= 0)) {
            return "a record is outside its separators";
        }
        memcpy(check->last, entry, shape->key_size);
        check->records++;
    }
    if (low != NULL && memcmp(low, least, shape->low_size) != 0) {
        return "a minimum is wrong";
    }
    return NULL;
}

const char *tree_check(struct tree_view view, uint64_t *nodes_seen)
{
    struct check check = {.view = view};
    const char *wrong = NULL;

    if (view.tree->root != 0) {
        wrong = check_below(&check, view.tree->root, -1, NULL, NULL, NULL);
    }
    *nodes_seen += check.nodes;
    if (wrong == NULL && check.records != view.tree->count) {
        wrong = "the count is wrong";
    }
    return wrong;
}
