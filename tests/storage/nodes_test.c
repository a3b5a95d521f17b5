/* The node space: which numbers are given out, and when memory is given back. */
#include "storage/nodes.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE_BYTES  4096
#define CHUNK_PAGES (NODES_CHUNK_BYTES / PAGE_BYTES)

/* A batch that takes nodes and fills them. */
static void take(struct nodes *nodes, uint32_t version, uint32_t count)
{
    struct number_list retired;

    nodes_begin(nodes, version);
    for (uint32_t i = 0; i < count; i++) {
        struct node *node = nodes_at(nodes, nodes_new(nodes, 0));

        memset(node->payload, 0xff, sizeof(node->payload));
    }
    nodes_publish(nodes, &retired);
    cr_assert_eq(retired.count, 0);
}

/* A batch that gives up the nodes from number `first` on, which nobody reads. */
static void drop(struct nodes *nodes, uint32_t version, uint32_t first, uint32_t count)
{
    struct number_list retired;

    nodes_begin(nodes, version);
    for (uint32_t i = 0; i < count; i++) {
        nodes_drop(nodes, first + i);
    }
    nodes_publish(nodes, &retired);
    nodes_release(nodes, &retired);
}

static size_t resident_pages(const struct nodes *nodes, size_t chunk)
{
    unsigned char pages[CHUNK_PAGES];
    size_t count = 0;

    cr_assert_eq(mincore(nodes->chunks[chunk], NODES_CHUNK_BYTES, pages), 0);
    for (size_t i = 0; i < CHUNK_PAGES; i++) {
        count += pages[i] & 1;
    }
    return count;
}

static void call_give_back(struct nodes *nodes, int times)
{
    for (int i = 0; i < times; i++) {
        nodes_give_back(nodes);
    }
}

Test(storage_nodes, lowest_chunks_are_filled_first)
{
    struct nodes nodes;

    nodes_init(&nodes);
    take(&nodes, 1, 3 * NODES_PER_CHUNK);
    drop(&nodes, 2, 2 * NODES_PER_CHUNK, NODES_PER_CHUNK);
    drop(&nodes, 3, 10, 5);
    nodes_begin(&nodes, 4);
    for (int i = 0; i < 5; i++) {
        uint32_t number = nodes_new(&nodes, 0);

        cr_assert(number >= 10 && number < 15, "got %u", number);
    }
    cr_assert_geq(nodes_new(&nodes, 0), 2u * NODES_PER_CHUNK);
    nodes_rollback(&nodes);
    cr_assert_eq(nodes_used(&nodes), 2 * NODES_PER_CHUNK - 5);
    nodes_fini(&nodes);
}

Test(storage_nodes, memory_of_idle_chunks_is_given_back)
{
    const uint32_t peak = 2 * NODES_PER_CHUNK, rest = 7;
    struct nodes nodes;

    nodes_init(&nodes);
    take(&nodes, 1, peak);
    drop(&nodes, 2, rest + 1, peak - rest);
    cr_assert_eq(nodes_free(&nodes), peak - rest);

    call_give_back(&nodes, NODES_IDLE_CALLS - 1);
    cr_assert_eq(nodes_free(&nodes), peak - rest);
    cr_assert_eq(resident_pages(&nodes, 1), CHUNK_PAGES);
    nodes_give_back(&nodes);
    cr_assert_eq(resident_pages(&nodes, 1), 0);
    cr_assert_eq(resident_pages(&nodes, 0), CHUNK_PAGES, "a node of it is in use");
    cr_assert_eq(nodes_used(&nodes), rest);
    cr_assert_lt(nodes_free(&nodes), NODES_PER_CHUNK);

    take(&nodes, 3, peak - rest); /* All numbers are good again. */
    cr_assert_eq(nodes_used(&nodes), peak);
    cr_assert_eq(resident_pages(&nodes, 1), CHUNK_PAGES);
    drop(&nodes, 4, 1, peak);
    cr_assert_eq(nodes_used(&nodes), 0);
    call_give_back(&nodes, NODES_IDLE_CALLS);
    cr_assert_eq(nodes_free(&nodes), 0);
    cr_assert_eq(resident_pages(&nodes, 0) + resident_pages(&nodes, 1), 0);
    nodes_fini(&nodes);
}

Test(storage_nodes, a_peak_that_comes_again_in_time_finds_its_memory)
{
    struct nodes nodes;

    nodes_init(&nodes);
    for (uint32_t version = 1; version < 6; version += 2) {
        take(&nodes, version, NODES_PER_CHUNK - 1);
        drop(&nodes, version + 1, 1, NODES_PER_CHUNK - 1);
        call_give_back(&nodes, NODES_IDLE_CALLS - 1);
        cr_assert_eq(nodes_free(&nodes), NODES_PER_CHUNK - 1);
    }
    nodes_fini(&nodes);
}
