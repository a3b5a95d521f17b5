/*
 * Nodes: the memory of all trees of one index. A node is 1 KB, addressed by a 32-bit number that
 * stays good when the space grows: it grows by chunks that never move, so readers need no lock. The
 * memory of a chunk without nodes in use is given back after a while, its addresses stay.
 *
 * Copy-on-write: the writer changes a node in place only when it made it in this batch; else it
 * changes a copy and retires the original, which readers of older versions may still see. A node is
 * copied at most once per batch. Everything but nodes_at() belongs to the writer.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NODE_BYTES   1024
#define NODE_PAYLOAD (NODE_BYTES - 8)

/** What a tree keeps in a node is the tree's business: see tree.c. */
struct node {
    uint16_t count; /**< Entries. */
    uint8_t level;  /**< 0: a leaf. */
    uint8_t unused;
    uint32_t born; /**< Version it was made for; of a free one: the chunk's next free one, or 0. */
    uint8_t payload[NODE_PAYLOAD];
};

/** A growing stack of numbers on the heap. Zero-initialise; number_list_free() gives the memory
 * back. */
struct number_list {
    uint32_t *at;
    size_t count, cap;
};
void number_list_add(struct number_list *list, uint32_t number);
void number_list_free(struct number_list *list);

#define NODES_PER_CHUNK   4096
#define NODES_CHUNK_BYTES ((size_t)NODES_PER_CHUNK * NODE_BYTES)
#define NODES_CHUNKS_MAX  65536 /* 256 GB */

/** Calls of nodes_give_back() after which a chunk's memory goes. */
#define NODES_IDLE_CALLS 60

/** What the writer knows of a chunk. */
struct node_chunk {
    uint32_t free;       /**< Number of a free node, the first of a chain; 0: none. */
    uint16_t top;        /**< Places from here on were not used since the memory came. */
    uint16_t taken;      /**< Nodes that are not free. */
    uint16_t idle_calls; /**< Of nodes_give_back(), since a node was taken or all are free. */
};

struct nodes {
    struct node **chunks;     /**< NODES_CHUNKS_MAX pointers, filled from the front. */
    struct node_chunk *usage; /**< The same number. */
    size_t lowest;            /**< Chunks below this have no room. */
    size_t taken, free;       /**< Nodes in use by some version or batch; free ones with memory. */
    uint32_t version;         /**< Of the batch being written. */
    struct number_list fresh; /**< Made in this batch, for a rollback. */
    struct number_list spare; /**< Made and given up in this batch: first to be taken again. */
    struct number_list retired; /**< Not in the next version, but seen by older ones. */
};

void nodes_init(struct nodes *nodes);
void nodes_fini(struct nodes *nodes);

static inline struct node *nodes_at(const struct nodes *nodes, uint32_t number)
{
    return &nodes->chunks[number / NODES_PER_CHUNK][number % NODES_PER_CHUNK];
}

/** Start a batch; versions grow from batch to batch. */
void nodes_begin(struct nodes *nodes, uint32_t version);
/** @return A new empty node's number; aborts the process when memory is gone. */
uint32_t nodes_new(struct nodes *nodes, unsigned level);
/** The node to write to: itself when it is of this batch, else a copy, whose number replaces
 * *number. */
struct node *nodes_write(struct nodes *nodes, uint32_t *number);
/** Take a node out of the next version. */
void nodes_drop(struct nodes *nodes, uint32_t number);
/** The batch becomes a version. @param retired  Receives what only older versions see; freed with
 * nodes_release(). */
void nodes_publish(struct nodes *nodes, struct number_list *retired);
void nodes_rollback(struct nodes *nodes);
/** No reader sees these any more. Empties the list. */
void nodes_release(struct nodes *nodes, struct number_list *retired);
/** Numbers 1 to `count` come into use, for the caller to fill their nodes with what was written
 * elsewhere. Only in a space that was never used. They belong to the batch. */
void nodes_restore(struct nodes *nodes, uint32_t count);
/** @return Nodes of the next version and of older ones that still have readers. */
size_t nodes_used(const struct nodes *nodes);
/** @return Nodes whose memory is kept for the next ones. */
size_t nodes_free(const struct nodes *nodes);
/** Give back the memory of chunks in which no node was in use for the last NODES_IDLE_CALLS calls.
 * For a timer: a peak that comes again within that time finds its memory. */
void nodes_give_back(struct nodes *nodes);
