/*
 * Huge pages start at multiples of 2 MB: one more is mapped, and what sticks out is given back.
 */
#include "storage/pages.h"

#include <stdint.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

static void *map(size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return at != MAP_FAILED ? at : NULL;
}

void *pages_map(size_t size)
{
    char *at, *start;
    size_t before;

    if (size < HUGE_PAGE) {
        return map(size);
    }
    at = map(size + HUGE_PAGE);
    if (at == NULL) {
        return NULL;
    }
    start = (char *)(((uintptr_t)at + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1));
    before = (size_t)(start - at);
    pages_unmap(before > 0 ? at : NULL, before);
    pages_unmap(start + size, HUGE_PAGE - before);
    madvise(start, size, MADV_HUGEPAGE); /* A wish: a system without them serves small ones. */
    return start;
}

void pages_unmap(void *at, size_t size)
{
    if (at != NULL) {
        munmap(at, size);
    }
}

void pages_empty(void *at, size_t size)
{
    madvise(at, size, MADV_DONTNEED); /* Fails for addresses that are not ours, only. */
}
