/*
 * Large pieces of memory, straight from the system and given straight back to it. They ask for huge
 * pages: a look-up touches a handful of nodes and a text anywhere in hundreds of megabytes, and
 * with small pages finding the page costs as much as reading it.
 */
#pragma once

#include <stddef.h>

/** @param size  A multiple of 4 KB. @return Cleared memory; NULL when there is none. */
void *pages_map(size_t size);
/** Give the memory back and keep the addresses: they read as cleared and get new memory when
 * written. @param size  A multiple of 4 KB. */
void pages_empty(void *at, size_t size);
void pages_unmap(void *at, size_t size); /* NULL is fine. */
