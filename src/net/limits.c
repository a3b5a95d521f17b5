/*
 * Connection counts of the whole process: a total, and one per address while that has a limit.
 * Connections open and close rarely next to what happens on them, so one lock serves all loops.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "net/internal.h"

#define BUCKETS      4096
#define MOST_REFUSED 1000 /* They have their descriptors for a while. */

struct address {
    unsigned char bytes[16]; /* An IPv4 address fills the first four. */
};

struct address_count {
    struct address_count *next;
    struct address address;
    int count;
};

struct net_limits {
    int max_total, max_per_address;
    atomic_int total, refused; /* Grow with the lock held. */
    pthread_mutex_t lock;
    struct address_count *buckets[BUCKETS];
};

static struct address address_of(const struct sockaddr_storage *peer)
{
    struct address address = {0};

    if (peer->ss_family == AF_INET6) {
        memcpy(address.bytes, &((const struct sockaddr_in6 *)peer)->sin6_addr, 16);
    } else {
        memcpy(address.bytes, &((const struct sockaddr_in *)peer)->sin_addr, 4);
    }
    return address;
}

/* @return The link that points to the address's count, or to the NULL where it would stand. */
static struct address_count **find(struct net_limits *limits, const struct address *address)
{
    struct address_count **link;
    uint32_t hash = 2166136261U;

    for (size_t i = 0; i < sizeof(address->bytes); i++) {
        hash = (hash ^ address->bytes[i]) * 16777619U;
    }
    link = &limits->buckets[hash % BUCKETS];
    while (*link != NULL && memcmp(&(*link)->address, address, sizeof(*address)) != 0) {
        link = &(*link)->next;
    }
    return link;
}

static bool is_full(struct net_limits *limits, const struct address *address)
{
    struct address_count **link = find(limits, address);

    return *link != NULL && (*link)->count >= limits->max_per_address;
}

static void enter_address(struct net_limits *limits, const struct address *address)
{
    struct address_count **link = find(limits, address);

    if (*link == NULL) {
        *link = calloc(1, sizeof(**link));
        if (*link == NULL) {
            abort();
        }
        (*link)->address = *address;
    }
    (*link)->count++;
}

static void leave_address(struct net_limits *limits, const struct address *address)
{
    struct address_count **link = find(limits, address), *entry = *link;

    if (--entry->count == 0) {
        *link = entry->next;
        free(entry);
    }
}

struct net_limits *net_limits_new(int max_total, int max_per_address)
{
    struct net_limits *limits = calloc(1, sizeof(*limits));

    if (limits == NULL) {
        abort();
    }
    limits->max_total = max_total;
    limits->max_per_address = max_per_address;
    pthread_mutex_init(&limits->lock, NULL);
    return limits;
}

void net_limits_free(struct net_limits *limits)
{
    if (limits == NULL) {
        return;
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        while (limits->buckets[i] != NULL) {
            struct address_count *next = limits->buckets[i]->next;

            free(limits->buckets[i]);
            limits->buckets[i] = next;
        }
    }
    pthread_mutex_destroy(&limits->lock);
    free(limits);
}

int net_limits_count(const struct net_limits *limits)
{
    return atomic_load(&limits->total);
}

enum net_refusal net_limits_enter(struct net_limits *limits, const struct sockaddr_storage *peer,
                                  bool is_unlimited)
{
    struct address address = address_of(peer);
    bool counts_addresses = limits->max_per_address > 0;
    enum net_refusal refusal = NET_OK;

    pthread_mutex_lock(&limits->lock);
    if (limits->max_total > 0 && limits->total >= limits->max_total) {
        refusal = NET_TOO_MANY;
    } else if (counts_addresses && !is_unlimited && is_full(limits, &address)) {
        refusal = NET_TOO_MANY_FROM_ADDRESS;
    } else {
        atomic_fetch_add(&limits->total, 1);
        if (counts_addresses) {
            enter_address(limits, &address);
        }
    }
    if (refusal != NET_OK && limits->refused >= MOST_REFUSED) {
        refusal = NET_TOO_MANY_REFUSED;
    } else if (refusal != NET_OK) {
        atomic_fetch_add(&limits->refused, 1);
    }
    pthread_mutex_unlock(&limits->lock);
    return refusal;
}

enum net_refusal net_limits_move(struct net_limits *limits, const struct sockaddr_storage *from,
                                 const struct sockaddr_storage *to, bool is_unlimited)
{
    struct address old = address_of(from), new = address_of(to);
    enum net_refusal refusal = NET_OK;

    if (limits->max_per_address <= 0) {
        return NET_OK;
    }
    pthread_mutex_lock(&limits->lock);
    if (!is_unlimited && is_full(limits, &new)) {
        refusal = NET_TOO_MANY_FROM_ADDRESS;
    }
    leave_address(limits, &old);
    enter_address(limits, &new);
    pthread_mutex_unlock(&limits->lock);
    return refusal;
}

void net_limits_leave(struct net_limits *limits, const struct sockaddr_storage *peer)
{
    struct address address = address_of(peer);

    if (limits->max_per_address <= 0) {
        return;
    }
    pthread_mutex_lock(&limits->lock);
    leave_address(limits, &address);
    pthread_mutex_unlock(&limits->lock);
}

void net_limits_gone(struct net_limits *limits)
{
    atomic_fetch_sub(&limits->total, 1);
}

void net_limits_refused_gone(struct net_limits *limits)
{
    atomic_fetch_sub(&limits->refused, 1);
}
