/*
 * The node space: chunks mapped as they are needed, numbers given out again once no version uses
 * them, those of the lowest chunks first, so that what a peak needed comes to be free chunk by
 * chunk. A number is free, or taken, and then in at most one of spare and retired; fresh lists
 * every number taken in the batch, so that a rollback can free them whatever became of them.
 */
#include "storage/nodes.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "storage/pages.h"

_Static_assert(sizeof(struct node) == NODE_BYTES, "nodes are 1 KB");

void number_list_add(struct number_list *list, uint32_t number)
{
    if (list->count == list->cap) {
        list->cap = list->cap == 0 ? 64 : list->cap * 2;
        list->at = realloc(list->at, list->cap * sizeof(list->at[0]));
        if (list->at == NULL) {
            abort();
        }
    }
    list->at[list->count++] = number;
}

void number_list_free(struct number_list *list)
{
    free(list->at);
    *list = (struct number_list){0};
}

/** The first place of a chunk that is a node: number 0 is none. */
static uint16_t first_of(size_t chunk)
{
    return chunk == 0 ? 1 : 0;
}

void nodes_init(struct nodes *nodes)
{
    *nodes = (struct nodes){0};
    /* One more each, which stays without memory, ends every search. */
    nodes->chunks = calloc(NODES_CHUNKS_MAX + 1, sizeof(nodes->chunks[0]));
    nodes->usage = calloc(NODES_CHUNKS_MAX + 1, sizeof(nodes->usage[0]));
    if (nodes->chunks == NULL || nodes->usage == NULL) {
        abort();
    }
    nodes->usage[0].top = first_of(0);
}

void nodes_fini(struct nodes *nodes)
{
    for (size_t i = 0; nodes->chunks[i] != NULL; i++) {
        pages_unmap(nodes->chunks[i], NODES_CHUNK_BYTES);
    }
    free(nodes->chunks);
    free(nodes->usage);
    number_list_free(&nodes->fresh);
    number_list_free(&nodes->spare);
    number_list_free(&nodes->retired);
}

void nodes_begin(struct nodes *nodes, uint32_t version)
{
    assert(nodes->fresh.count == 0 && nodes->retired.count == 0);
    nodes->version = version;
}

static bool is_full(const struct nodes *nodes, size_t chunk)
{
    return nodes->usage[chunk].taken == NODES_PER_CHUNK - first_of(chunk);
}

/** Make nodes->lowest the first chunk that has room. @return It. */
static struct node_chunk *find_room(struct nodes *nodes)
{
    struct node **at;

    while (is_full(nodes, nodes->lowest)) {
        nodes->lowest++;
    }
    at = &nodes->chunks[nodes->lowest];
    if (*at == NULL && nodes->lowest < NODES_CHUNKS_MAX) {
        *at = pages_map(NODES_CHUNK_BYTES);
    }
    if (*at == NULL) {
        log_error(LOG_STORAGE, "no memory for more index nodes, have %zu", nodes->taken);
        abort();
    }
    return &nodes->usage[nodes->lowest];
}

static uint32_t take(struct nodes *nodes)
{
    struct node_chunk *chunk = find_room(nodes);
    uint32_t number = chunk->free;

    if (number != 0) {
        chunk->free = nodes_at(nodes, number)->born;
        nodes->free--;
    } else {
        number = (uint32_t)nodes->lowest * NODES_PER_CHUNK + chunk->top++;
    }
    chunk->taken++;
    chunk->idle_calls = 0;
    nodes->taken++;
    return number;
}

static void give(struct nodes *nodes, uint32_t number)
{
    size_t i = number / NODES_PER_CHUNK;
    struct node_chunk *chunk = &nodes->usage[i];

    nodes_at(nodes, number)->born = chunk->free;
    chunk->free = number;
    chunk->taken--;
    nodes->free++;
    nodes->taken--;
    if (i < nodes->lowest) {
        nodes->lowest = i;
    }
}

static void give_all(struct nodes *nodes, struct number_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        give(nodes, list->at[i]);
    }
    list->count = 0;
}

uint32_t nodes_new(struct nodes *nodes, unsigned level)
{
    uint32_t number;
    struct node *node;

    if (nodes->spare.count > 0) {
        number = nodes->spare.at[--nodes->spare.count]; /* Already in fresh. */
    } else {
        number = take(nodes);
        number_list_add(&nodes->fresh, number);
    }
    node = nodes_at(nodes, number);
    node->count = 0;
    node->level = (uint8_t)level;
    node->unused = 0;
    node->born = nodes->version;
    return number;
}

struct node *nodes_write(struct nodes *nodes, uint32_t *number)
{
    struct node *old = nodes_at(nodes, *number), *copy;
    uint32_t fresh;

    if (old->born == nodes->version) {
        return old;
    }
    fresh = nodes_new(nodes, old->level);
    copy = nodes_at(nodes, fresh);
    copy->count = old->count;
    memcpy(copy->payload, old->payload, sizeof(copy->payload));
    number_list_add(&nodes->retired, *number);
    *number = fresh;
    return copy;
}

void nodes_drop(struct nodes *nodes, uint32_t number)
{
    bool ours = nodes_at(nodes, number)->born == nodes->version;

    number_list_add(ours ? &nodes->spare : &nodes->retired, number);
}

void nodes_publish(struct nodes *nodes, struct number_list *retired)
{
    give_all(nodes, &nodes->spare);
    nodes->fresh.count = 0;
    *retired = nodes->retired;
    nodes->retired = (struct number_list){0};
}

void nodes_rollback(struct nodes *nodes)
{
    give_all(nodes, &nodes->fresh);
    nodes->spare.count = 0;
    nodes->retired.count = 0;
}

void nodes_release(struct nodes *nodes, struct number_list *retired)
{
    give_all(nodes, retired);
    number_list_free(retired);
}

void nodes_restore(struct nodes *nodes, uint32_t count)
{
    assert(nodes->chunks[0] == NULL);
    for (uint32_t i = 0; i < count; i++) {
        number_list_add(&nodes->fresh, take(nodes));
    }
}

size_t nodes_used(const struct nodes *nodes)
{
    return nodes->taken - nodes->spare.count;
}

size_t nodes_free(const struct nodes *nodes)
{
    return nodes->free + nodes->spare.count;
}

void nodes_give_back(struct nodes *nodes)
{
    for (size_t i = 0; nodes->chunks[i] != NULL; i++) {
        struct node_chunk *chunk = &nodes->usage[i];

        if (chunk->taken == 0 && chunk->free != 0 && ++chunk->idle_calls == NODES_IDLE_CALLS) {
            nodes->free -= chunk->top - first_of(i);
            *chunk = (struct node_chunk){.top = first_of(i)};
            pages_empty(nodes->chunks[i], NODES_CHUNK_BYTES);
        }
    }
}
