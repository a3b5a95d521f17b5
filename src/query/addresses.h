/*
 * Lists of address ranges that say something about clients: trusted ones, limits, denials.
 */
#pragma once

#include <sys/socket.h>

#include "rpsl/ip.h"

/** A peer as a range of one address. */
struct ip_range address_of_peer(const struct sockaddr_storage *peer);
/** The address as messages to clients show it: IPv6 in full, without `::`. @return out. */
#define ADDRESS_TEXT_MAX 48
const char *address_text_of(const struct ip_range *address, char out[static ADDRESS_TEXT_MAX]);

struct address_entry {
    struct ip_range range;
    int value;       /**< Its meaning is the owner's. */
    uint32_t parent; /**< Private. */
};

/** Zero-initialise, add, seal; from then on any thread may look up. address_list_free() ends it. */
struct address_list {
    struct address_entry *entries;
    size_t count, cap;
};

void address_list_add(struct address_list *list, const struct ip_range *range, int value);
/** Make it ready for look-ups. Of equal ranges the one added last stays. */
void address_list_seal(struct address_list *list);
/**
 * The smallest range that holds an address; ranges that cross: the one that begins last.
 * @return NULL when there is none.
 */
const struct address_entry *address_list_find(const struct address_list *list,
                                              const struct ip_range *address);
bool address_list_equals(const struct address_list *a, const struct address_list *b);
void address_list_free(struct address_list *list);
