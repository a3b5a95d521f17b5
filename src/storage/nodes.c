/*
 * The node space: chunks mapped as they are needed, numbers given out again once no version uses
 * them. A number is in at most one of free, spare and retired; fresh lists every number taken in
 * the batch, so that a rollback can free them whatever became of them.
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

void number_list_append(struct number_list *list, const struct number_list *more)
{
    for (size_t i = 0; i < more->count; i++) {
        number_list_add(list, more->at[i]);
    }
}

void number_list_free(struct number_list *list)
{
    free(list->at);
    *list = (struct number_list){0};
}

void nodes_init(struct nodes *nodes)
{
    *nodes = (struct nodes){.top = 1};
    nodes->chunks = calloc(NODES_CHUNKS_MAX, sizeof(nodes->chunks[0]));
    if (nodes->chunks == NULL) {
        abort();
    }
}

void nodes_fini(struct nodes *nodes)
{
    for (size_t i = 0; i < NODES_CHUNKS_MAX && nodes->chunks[i] != NULL; i++) {
        pages_unmap(nodes->chunks[i], (size_t)NODES_PER_CHUNK * NODE_BYTES);
    }
    free(nodes->chunks);
    number_list_free(&nodes->free);
    number_list_free(&nodes->fresh);
    number_list_free(&nodes->spare);
    number_list_free(&nodes->retired);
}

void nodes_begin(struct nodes *nodes, uint32_t version)
{
    assert(nodes->fresh.count == 0 && nodes->retired.count == 0);
    nodes->version = version;
}

static uint32_t take_unused(struct nodes *nodes)
{
    uint32_t number = nodes->top;

    if (number % NODES_PER_CHUNK == 0 || number == 1) {
        size_t chunk = number / NODES_PER_CHUNK;
        void *at = NULL;

        if (chunk < NODES_CHUNKS_MAX) {
            at = pages_map((size_t)NODES_PER_CHUNK * NODE_BYTES);
        }
        if (at == NULL) {
            log_error(LOG_STORAGE, "no memory for more index nodes, have %u", number);
            abort();
        }
        nodes->chunks[chunk] = at;
    }
    nodes->top++;
    return number;
}

static uint32_t pop(struct number_list *list)
{
    return list->at[--list->count];
}

uint32_t nodes_new(struct nodes *nodes, unsigned level)
{
    uint32_t number;
    struct node *node;

    if (nodes->spare.count > 0) {
        number = pop(&nodes->spare); /* Already in fresh. */
    } else {
        number = nodes->free.count > 0 ? pop(&nodes->free) : take_unused(nodes);
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
    number_list_append(&nodes->free, &nodes->spare);
    nodes->spare.count = 0;
    nodes->fresh.count = 0;
    *retired = nodes->retired;
    nodes->retired = (struct number_list){0};
}

void nodes_rollback(struct nodes *nodes)
{
    number_list_append(&nodes->free, &nodes->fresh);
    nodes->fresh.count = 0;
    nodes->spare.count = 0;
    nodes->retired.count = 0;
}

void nodes_release(struct nodes *nodes, struct number_list *retired)
{
    number_list_append(&nodes->free, retired);
    number_list_free(retired);
}

void nodes_restore(struct nodes *nodes, uint32_t count)
{
    assert(nodes->top == 1);
    for (uint32_t i = 0; i < count; i++) {
        number_list_add(&nodes->fresh, take_unused(nodes));
    }
}

size_t nodes_used(const struct nodes *nodes)
{
    return nodes->top - 1 - nodes->free.count - nodes->spare.count;
}
