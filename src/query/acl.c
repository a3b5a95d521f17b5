/*
 * Counts live in a fixed table of small buckets, a client in the one that its hash names; 256 locks
 * share the buckets. An entry that was not touched today is free. Rules are replaced as a whole
 * under a read-write lock. While there are no rules and no limit, which is how a private mirror
 * runs, a question costs one relaxed load.
 */
#include "query/acl.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"

#define BUCKET_CLIENTS 8
#define BUCKETS        (ACL_CLIENTS_MAX / BUCKET_CLIENTS)
#define LOCKS          256
#define MS_PER_DAY     INT64_C(86400000)
#define V6_HOST_BITS   64

struct slot {
    uint64_t prefix; /* The IPv4 address, or the first 64 bits of an IPv6 one. */
    int32_t day;     /* 0: never used. */
    bool is_v6;
    bool is_past_limit; /* Told to the keeper, once a day. */
    uint32_t objects;   /* Today. */
    uint32_t untaken;   /* Of these, what the keeper has not taken yet. */
};

struct bucket {
    struct slot clients[BUCKET_CLIENTS];
};

struct acl {
    const struct clock *clock;
    atomic_int default_limit;
    atomic_bool has_rules;
    pthread_rwlock_t rules_lock;
    struct acl_rules rules;

    struct bucket *buckets;
    pthread_mutex_t locks[LOCKS]; /* Of every LOCKSth bucket. */
    atomic_bool has_untaken;
    _Atomic uint64_t lost;

    pthread_mutex_t blocks_lock;
    struct acl_tally *blocks;
    size_t block_count, block_cap;
};

/* --- life --- */

struct acl *acl_new(const struct clock *clock, int default_limit)
{
    struct acl *acl = calloc(1, sizeof(*acl));

    if (acl == NULL) {
        abort();
    }
    acl->clock = clock;
    acl->default_limit = default_limit;
    acl->buckets = calloc(BUCKETS, sizeof(acl->buckets[0])); /* Costs no memory until it is used. */
    if (acl->buckets == NULL) {
        abort();
    }
    pthread_rwlock_init(&acl->rules_lock, NULL);
    pthread_mutex_init(&acl->blocks_lock, NULL);
    for (size_t i = 0; i < LOCKS; i++) {
        pthread_mutex_init(&acl->locks[i], NULL);
    }
    return acl;
}

void acl_rules_free(struct acl_rules *rules)
{
    address_list_free(&rules->denied);
    address_list_free(&rules->proxies);
    address_list_free(&rules->limits);
    address_list_free(&rules->connections);
}

void acl_free(struct acl *acl)
{
    if (acl == NULL) {
        return;
    }
    for (size_t i = 0; i < LOCKS; i++) {
        pthread_mutex_destroy(&acl->locks[i]);
    }
    pthread_mutex_destroy(&acl->blocks_lock);
    pthread_rwlock_destroy(&acl->rules_lock);
    acl_rules_free(&acl->rules);
    free(acl->blocks);
    free(acl->buckets);
    free(acl);
}

void acl_set_default_limit(struct acl *acl, int limit)
{
    atomic_store(&acl->default_limit, limit);
}

int32_t acl_day(const struct acl *acl)
{
    return (int32_t)(clock_wall_ms(acl->clock) / MS_PER_DAY);
}

uint64_t acl_lost(const struct acl *acl)
{
    return atomic_load(&acl->lost);
}

/* --- rules --- */

static bool rules_equal(const struct acl_rules *a, const struct acl_rules *b)
{
    return address_list_equals(&a->denied, &b->denied) &&
           address_list_equals(&a->proxies, &b->proxies) &&
           address_list_equals(&a->limits, &b->limits) &&
           address_list_equals(&a->connections, &b->connections);
}

bool acl_set_rules_take(struct acl *acl, struct acl_rules *rules)
{
    struct acl_rules old = *rules;
    bool is_new;

    address_list_seal(&rules->denied);
    address_list_seal(&rules->proxies);
    address_list_seal(&rules->limits);
    address_list_seal(&rules->connections);
    is_new = !rules_equal(&acl->rules, rules); /* Only the keeper changes them. */
    if (is_new) {
        pthread_rwlock_wrlock(&acl->rules_lock);
        old = acl->rules;
        acl->rules = *rules;
        pthread_rwlock_unlock(&acl->rules_lock);
        atomic_store(&acl->has_rules, acl->rules.denied.count + acl->rules.proxies.count +
                                              acl->rules.limits.count +
                                              acl->rules.connections.count >
                                          0);
    }
    acl_rules_free(&old);
    *rules = (struct acl_rules){0};
    return is_new;
}

/* @param list  In acl->rules. @param value  Of the entry, when there is one. */
static bool find_rule(struct acl *acl, const struct address_list *list,
                      const struct ip_range *client, int *value)
{
    const struct address_entry *entry;

    if (!atomic_load_explicit(&acl->has_rules, memory_order_relaxed)) {
        return false;
    }
    pthread_rwlock_rdlock(&acl->rules_lock);
    entry = address_list_find(list, client);
    if (entry != NULL) {
        *value = entry->value;
    }
    pthread_rwlock_unlock(&acl->rules_lock);
    return entry != NULL;
}

static int limit_of(struct acl *acl, const struct ip_range *client)
{
    int limit = atomic_load_explicit(&acl->default_limit, memory_order_relaxed);

    find_rule(acl, &acl->rules.limits, client, &limit);
    return limit;
}

bool acl_is_limited(struct acl *acl, const struct ip_range *client)
{
    return limit_of(acl, client) >= 0;
}

bool acl_may_proxy(struct acl *acl, const struct ip_range *client)
{
    int unused;

    return find_rule(acl, &acl->rules.proxies, client, &unused);
}

bool acl_has_any_connections(struct acl *acl, const struct ip_range *client)
{
    int has_any = 0;

    return (find_rule(acl, &acl->rules.connections, client, &has_any) && has_any != 0) ||
           acl_may_proxy(acl, client);
}

/* --- counts --- */

static uint64_t prefix_of(const struct ip_range *client)
{
    return (uint64_t)(client->is_v6 ? client->begin >> V6_HOST_BITS : client->begin);
}

static size_t bucket_of(uint64_t prefix, bool is_v6)
{
    uint64_t hash = (prefix + is_v6) * UINT64_C(0x9E3779B97F4A7C15);

    hash = (hash ^ hash >> 32) * UINT64_C(0xD6E8FEB86659FD93);
    return (hash ^ hash >> 32) % BUCKETS;
}

static bool is_of(const struct slot *entry, uint64_t prefix, bool is_v6, int32_t day)
{
    return entry->day == day && entry->prefix == prefix && entry->is_v6 == is_v6;
}

/* A free entry, or the one with the smallest count, which is forgotten. */
static struct slot *make_room(struct acl *acl, struct bucket *bucket, int32_t day)
{
    struct slot *room = &bucket->clients[0];

    for (size_t i = 0; i < BUCKET_CLIENTS; i++) {
        struct slot *entry = &bucket->clients[i];

        if (entry->day != day) {
            return entry;
        }
        if (entry->objects < room->objects) {
            room = entry;
        }
    }
    atomic_fetch_add(&acl->lost, 1);
    return room;
}

/*
 * A client's entry of a day, its bucket locked: unlock() it.
 * @param makes_one  One that counts nothing yet, when there is none. @return Else NULL.
 */
static struct slot *lock_client(struct acl *acl, const struct ip_range *address, int32_t day,
                                bool makes_one)
{
    uint64_t prefix = prefix_of(address);
    size_t index = bucket_of(prefix, address->is_v6);
    struct bucket *bucket = &acl->buckets[index];
    struct slot *entry;

    pthread_mutex_lock(&acl->locks[index % LOCKS]);
    for (size_t i = 0; i < BUCKET_CLIENTS; i++) {
        if (is_of(&bucket->clients[i], prefix, address->is_v6, day)) {
            return &bucket->clients[i];
        }
    }
    if (!makes_one) {
        return NULL;
    }
    entry = make_room(acl, bucket, day);
    *entry = (struct slot){.prefix = prefix, .day = day, .is_v6 = address->is_v6};
    return entry;
}

static void unlock(struct acl *acl, const struct ip_range *address)
{
    size_t index = bucket_of(prefix_of(address), address->is_v6);

    pthread_mutex_unlock(&acl->locks[index % LOCKS]);
}

static uint32_t sum(uint32_t count, uint32_t more)
{
    return count > UINT32_MAX - more ? UINT32_MAX : count + more;
}

int64_t acl_budget(struct acl *acl, const struct ip_range *client)
{
    int limit = limit_of(acl, client);
    const struct slot *entry;
    int64_t used;

    if (limit < 0) {
        return INT64_MAX;
    }
    entry = lock_client(acl, client, acl_day(acl), false);
    used = entry != NULL ? entry->objects : 0;
    unlock(acl, client);
    return limit - used;
}

enum acl_verdict acl_check(struct acl *acl, const struct ip_range *client)
{
    int unused;

    if (find_rule(acl, &acl->rules.denied, client, &unused)) {
        return ACL_DENIED;
    }
    return acl_budget(acl, client) < 0 ? ACL_LIMIT_PAST : ACL_PASS;
}

/* --- blocks --- */

static struct ip_range prefix_range(uint64_t prefix, bool is_v6)
{
    u128 begin = is_v6 ? (u128)prefix << V6_HOST_BITS : prefix;

    return (struct ip_range){begin, is_v6 ? begin | UINT64_MAX : begin, is_v6};
}

static void add_block(struct acl *acl, const struct acl_tally *block)
{
    pthread_mutex_lock(&acl->blocks_lock);
    if (acl->block_count == ACL_BLOCKS_MAX) {
        atomic_fetch_add(&acl->lost, 1);
        pthread_mutex_unlock(&acl->blocks_lock);
        return;
    }
    if (acl->block_count == acl->block_cap) {
        acl->block_cap = acl->block_cap == 0 ? 16 : 2 * acl->block_cap;
        acl->blocks = reallocarray(acl->blocks, acl->block_cap, sizeof(acl->blocks[0]));
        if (acl->blocks == NULL) {
            abort();
        }
    }
    acl->blocks[acl->block_count++] = *block;
    pthread_mutex_unlock(&acl->blocks_lock);
}

static void block(struct acl *acl, const struct ip_range *client, int32_t day, int limit)
{
    struct ip_range prefix = prefix_range(prefix_of(client), client->is_v6);
    char text[IP_TEXT_MAX];

    add_block(acl, &(struct acl_tally){prefix, day, (uint32_t)limit});
    ip_format_prefix(&prefix, text);
    log_info(LOG_QUERY, "blocked for today prefix=%s limit=%d", text, limit);
}

void acl_count(struct acl *acl, const struct ip_range *client, uint32_t objects)
{
    int limit = limit_of(acl, client);
    int32_t day = acl_day(acl);
    bool goes_past;
    struct slot *entry;

    if (limit < 0 || objects == 0) {
        return;
    }
    entry = lock_client(acl, client, day, true);
    entry->objects = sum(entry->objects, objects);
    entry->untaken = sum(entry->untaken, objects);
    goes_past = entry->objects > (uint32_t)limit && !entry->is_past_limit;
    entry->is_past_limit |= goes_past;
    unlock(acl, client);
    atomic_store_explicit(&acl->has_untaken, true, memory_order_release);
    if (goes_past) {
        block(acl, client, day, limit);
    }
}

/* --- the keeper's side --- */

struct tally_list {
    struct acl_tally *tallies;
    size_t count, cap;
};

static void list_add(struct tally_list *list, const struct slot *entry)
{
    if (list->count == list->cap) {
        list->cap = list->cap == 0 ? 64 : 2 * list->cap;
        list->tallies = reallocarray(list->tallies, list->cap, sizeof(list->tallies[0]));
        if (list->tallies == NULL) {
            abort();
        }
    }
    list->tallies[list->count++] =
        (struct acl_tally){prefix_range(entry->prefix, entry->is_v6), entry->day, entry->untaken};
}

size_t acl_take_counts(struct acl *acl, struct acl_tally **out)
{
    struct tally_list list = {0};

    if (atomic_exchange(&acl->has_untaken, false)) {
        for (size_t i = 0; i < BUCKETS; i++) {
            pthread_mutex_lock(&acl->locks[i % LOCKS]);
            for (size_t j = 0; j < BUCKET_CLIENTS; j++) {
                struct slot *entry = &acl->buckets[i].clients[j];

                if (entry->untaken > 0) {
                    list_add(&list, entry);
                    entry->untaken = 0;
                }
            }
            pthread_mutex_unlock(&acl->locks[i % LOCKS]);
        }
    }
    *out = list.tallies;
    return list.count;
}

size_t acl_take_blocks(struct acl *acl, struct acl_tally **out)
{
    size_t count;

    pthread_mutex_lock(&acl->blocks_lock);
    *out = acl->blocks;
    count = acl->block_count;
    acl->blocks = NULL;
    acl->block_count = acl->block_cap = 0;
    pthread_mutex_unlock(&acl->blocks_lock);
    return count;
}

void acl_return_counts(struct acl *acl, const struct acl_tally *tallies, size_t count)
{
    int32_t today = acl_day(acl);

    for (size_t i = 0; i < count; i++) {
        struct slot *entry = lock_client(acl, &tallies[i].client, tallies[i].day, false);

        if (entry != NULL && tallies[i].day == today) {
            entry->untaken = sum(entry->untaken, tallies[i].objects);
            atomic_store(&acl->has_untaken, true);
        } else if (tallies[i].day == today) {
            atomic_fetch_add(&acl->lost, 1);
        }
        unlock(acl, &tallies[i].client);
    }
}

void acl_return_blocks(struct acl *acl, const struct acl_tally *tallies, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        add_block(acl, &tallies[i]);
    }
}

void acl_set_count(struct acl *acl, const struct acl_tally *tally)
{
    int limit = limit_of(acl, &tally->client);
    bool is_past = limit >= 0 && tally->objects > (uint32_t)limit, goes_past;
    struct slot *entry;

    if (tally->day != acl_day(acl)) {
        return;
    }
    entry = lock_client(acl, &tally->client, tally->day, true);
    /* Servers may have gone past the limit together, none of them alone: each that counted tells.
     * Of a client that is new here somebody has told, before a restart perhaps. */
    goes_past = is_past && !entry->is_past_limit && entry->objects > 0;
    entry->objects = sum(tally->objects, entry->untaken);
    entry->is_past_limit = is_past;
    unlock(acl, &tally->client);
    if (goes_past) {
        block(acl, &tally->client, tally->day, limit);
    }
}
