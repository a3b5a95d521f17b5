/*
 * The container of every index: a copy-on-write B+tree of fixed-size records in key order.
 *
 * A record starts with its key, bytes that compare as memcmp() does and are distinct within a tree;
 * a payload may follow. A tree is a plain value: copying the struct keeps a version, for as long as
 * the nodes of that version live (nodes.h). A shape may name some bytes of the key whose minimum is
 * kept per child, so that a search can skip whole subtrees (tree_next_low): range trees keep their
 * inverted ends there.
 */
#pragma once

#include "storage/nodes.h"

/** What the records of a tree look like; constant per tree, passed to every call. */
struct tree_shape {
    uint8_t record_size; /**< Bytes, at most 64. */
    uint8_t key_size;    /**< Leading bytes that are compared: 4, or at least 8. */
    uint8_t low_at;      /**< Offset of the bytes whose minimum is kept per child ... */
    uint8_t low_size;    /**< ... and how many: 4, at least 8, or 0 for none. */
    bool is_even;        /**< Keys are spread evenly, by their first 4 bytes: a hint to searches. */
};

#define TREE_RECORD_MAX 64
#define TREE_DEPTH_MAX  20

/** Zero-initialised: empty. */
struct tree {
    uint32_t root; /**< Node; 0: no records. */
    uint64_t count;
};

/** A tree and all that is needed to read it. */
struct tree_view {
    const struct nodes *nodes;
    const struct tree_shape *shape;
    const struct tree *tree;
};

/* --- reading; records point into nodes and live as long as the version --- */
/** @return The record with this key, or NULL. */
const uint8_t *tree_find(struct tree_view view, const uint8_t *key);

/** A place in a tree; valid as long as the version is not written to. */
struct tree_cursor {
    struct tree_view view;
    unsigned depth; /**< Levels in at[]; 0: behind the last record. */
    struct {
        const struct node *node;
        unsigned slot;
    } at[TREE_DEPTH_MAX]; /**< Root first. */
};
/** @return The first record whose key is not below `key` (NULL: the first of all), or NULL. */
const uint8_t *tree_seek(struct tree_cursor *cursor, struct tree_view view, const uint8_t *key);
/**
 * tree_seek() in steps, node by node, for a caller with other work to do while memory is waited
 * for: what the next step looks at has been noted (base/ahead.h). All with the same key.
 */
void tree_seek_begin(struct tree_cursor *cursor, struct tree_view view, const uint8_t *key);
/** @return true: that was the last step, *record is what tree_seek() returns. */
bool tree_seek_step(struct tree_cursor *cursor, const uint8_t *key, const uint8_t **record);
/** The same for tree_find(). */
struct tree_descent {
    const struct node *node; /**< Not looked at yet; NULL: the tree is empty. */
    unsigned level;          /**< Its level; 0: a leaf. */
};
void tree_find_begin(struct tree_descent *descent, struct tree_view view, const uint8_t *key);
bool tree_find_step(struct tree_descent *descent, struct tree_view view, const uint8_t *key,
                    const uint8_t **record);
/** @return The record behind the cursor's, or NULL. */
const uint8_t *tree_next(struct tree_cursor *cursor);
/**
 * @return The cursor's own record or the first behind it whose low bytes are at most `bound`, or
 * NULL. Subtrees without such a record are skipped. Only for shapes with low_size.
 */
const uint8_t *tree_next_low(struct tree_cursor *cursor, const uint8_t *bound);

/* --- writing, inside a batch of the nodes --- */
/** Insert the record, or replace the one with its key. @return True when it is new. */
bool tree_put(struct nodes *nodes, const struct tree_shape *shape, struct tree *tree,
              const uint8_t *record);
/** @return False when there is no such key (some nodes may have been copied all the same). */
bool tree_remove(struct nodes *nodes, const struct tree_shape *shape, struct tree *tree,
                 const uint8_t *key);
/** Take all nodes of a tree out of the next version; the tree becomes empty. */
void tree_drop(struct nodes *nodes, struct tree *tree, const struct tree_shape *shape);

/* --- building bottom-up --- */
struct tree_builder {
    struct nodes *nodes;
    const struct tree_shape *shape;
    uint64_t count;
    unsigned levels;
    uint32_t open[TREE_DEPTH_MAX]; /**< The rightmost node of each level, leaves first. */
};
void tree_builder_init(struct tree_builder *builder, struct nodes *nodes,
                       const struct tree_shape *shape);
/** Records come in ascending order of their keys, each key once. */
void tree_builder_add(struct tree_builder *builder, const uint8_t *record);
struct tree tree_builder_finish(struct tree_builder *builder);

/* --- a copy elsewhere --- */
/** Takes a node of a copy. @return false to end it. */
typedef bool tree_emit_fn(void *context, const struct node *node);
/**
 * Hand out a copy of a tree, node by node: children before their parents, numbered one after the
 * other, born in no version. The version must be pinned.
 * @param next  Number of the next node; moved behind those that were handed out.
 * @param root  Becomes the root's number, 0 for an empty tree.
 * @return Whether the copy is complete.
 */
bool tree_copy(struct tree_view view, uint32_t *next, uint32_t *root, tree_emit_fn *emit,
               void *context);
/**
 * Whether the nodes from `first` up to the root are a tree as tree_copy() makes one: each but the
 * root is the child of one parent, on the right level; counts are right. Every walk then ends and
 * stays inside. Neither order nor minima are looked at.
 */
bool tree_is_copy(struct tree_view view, uint32_t first);

/* --- checking --- */
uint64_t tree_node_count(struct tree_view view);
/** Count nodes and verify order, separators, minima and the count. @return NULL when sound, else
 * what is wrong. */
const char *tree_check(struct tree_view view, uint64_t *nodes_seen);
