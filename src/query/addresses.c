/*
 * A sealed list is sorted by family, begin ascending and end descending. Each entry knows the
 * nearest entry before it that ends later: from the last entry that begins at or before an address,
 * that chain passes by every entry that may hold it, and the first that does is the smallest.
 */
#include "query/addresses.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_PARENT UINT32_MAX

struct ip_range address_of_peer(const struct sockaddr_storage *peer)
{
    struct ip_range address = {.is_v6 = peer->ss_family == AF_INET6};

    if (address.is_v6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)peer;

        for (size_t i = 0; i < sizeof(in6->sin6_addr.s6_addr); i++) {
            address.begin = address.begin << 8 | in6->sin6_addr.s6_addr[i];
        }
    } else {
        address.begin = ntohl(((const struct sockaddr_in *)peer)->sin_addr.s_addr);
    }
    address.end = address.begin;
    return address;
}

const char *address_text_of(const struct ip_range *address, char out[static ADDRESS_TEXT_MAX])
{
    size_t len = 0;

    if (!address->is_v6) {
        unsigned v4 = (unsigned)address->begin;

        snprintf(out, ADDRESS_TEXT_MAX, "%u.%u.%u.%u", v4 >> 24, v4 >> 16 & 255, v4 >> 8 & 255,
                 v4 & 255);
        return out;
    }
    for (int shift = 112; shift >= 0; shift -= 16) {
        len += (size_t)snprintf(out + len, ADDRESS_TEXT_MAX - len, shift > 0 ? "%x:" : "%x",
                                (unsigned)(address->begin >> shift) & 0xffff);
    }
    return out;
}

/* --- lists --- */

void address_list_add(struct address_list *list, const struct ip_range *range, int value)
{
    if (list->count == list->cap) {
        list->cap = list->cap == 0 ? 16 : 2 * list->cap;
        list->entries = reallocarray(list->entries, list->cap, sizeof(list->entries[0]));
        if (list->entries == NULL) {
            abort();
        }
    }
    list->entries[list->count] = (struct address_entry){*range, value, (uint32_t)list->count};
    list->count++;
}

/* The family, the begin and the end decide; among equals the parent, which holds the place in the
 * order of adding until the list is sealed. */
static int compare(const void *left, const void *right)
{
    const struct address_entry *a = left, *b = right;

    if (a->range.is_v6 != b->range.is_v6) {
        return a->range.is_v6 ? 1 : -1;
    }
    if (a->range.begin != b->range.begin) {
        return a->range.begin > b->range.begin ? 1 : -1;
    }
    if (a->range.end != b->range.end) {
        return a->range.end < b->range.end ? 1 : -1;
    }
    return a->parent > b->parent ? 1 : -1;
}

static bool is_same_range(const struct ip_range *a, const struct ip_range *b)
{
    return a->is_v6 == b->is_v6 && a->begin == b->begin && a->end == b->end;
}

static void drop_doubles(struct address_list *list)
{
    size_t kept = 0;

    for (size_t i = 0; i < list->count; i++) {
        if (i + 1 == list->count ||
            !is_same_range(&list->entries[i].range, &list->entries[i + 1].range)) {
            list->entries[kept++] = list->entries[i];
        }
    }
    list->count = kept;
}

void address_list_seal(struct address_list *list)
{
    if (list->count == 0) {
        return;
    }
    qsort(list->entries, list->count, sizeof(list->entries[0]), compare);
    drop_doubles(list);
    for (size_t i = 0; i < list->count; i++) {
        const struct ip_range *range = &list->entries[i].range;
        uint32_t parent = i > 0 ? (uint32_t)(i - 1) : NO_PARENT;

        while (parent != NO_PARENT && list->entries[parent].range.end <= range->end) {
            parent = list->entries[parent].parent;
        }
        if (parent != NO_PARENT && list->entries[parent].range.is_v6 != range->is_v6) {
            parent = NO_PARENT;
        }
        list->entries[i].parent = parent;
    }
}

/* @return How many entries begin at or before an address of the family, or are of an earlier one.
 */
static size_t count_before(const struct address_list *list, const struct ip_range *address)
{
    size_t low = 0, high = list->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct ip_range *range = &list->entries[middle].range;
        bool is_before =
            range->is_v6 != address->is_v6 ? address->is_v6 : range->begin <= address->begin;

        if (is_before) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const struct address_entry *address_list_find(const struct address_list *list,
                                              const struct ip_range *address)
{
    size_t before = count_before(list, address);
    uint32_t at = before > 0 ? (uint32_t)(before - 1) : NO_PARENT;

    if (at != NO_PARENT && list->entries[at].range.is_v6 != address->is_v6) {
        return NULL;
    }
    while (at != NO_PARENT && list->entries[at].range.end < address->end) {
        at = list->entries[at].parent;
    }
    return at == NO_PARENT ? NULL : &list->entries[at];
}

bool address_list_equals(const struct address_list *a, const struct address_list *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (!is_same_range(&a->entries[i].range, &b->entries[i].range) ||
            a->entries[i].value != b->entries[i].value) {
            return false;
        }
    }
    return true;
}

void address_list_free(struct address_list *list)
{
    free(list->entries);
    *list = (struct address_list){0};
}
