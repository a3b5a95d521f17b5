/*
 * Access control (whois-queries 8): how many personal objects each client has been given today, and
 * what the operator's tables say about it. In memory only: whoever keeps the tables (main) brings
 * in the operator's rules and takes out counts and blocks from time to time. Nothing here waits for
 * anything but short locks.
 *
 * Clients are told apart by IPv4 address and by IPv6 /64. Days are counted since 1970, in UTC; at
 * midnight all counts are 0. There is room for ACL_CLIENTS_MAX clients a day. When the part of it
 * where a client belongs is full, the one there with the smallest count is forgotten: it begins
 * anew, which costs the registry little; who has used up his limit is the last to profit.
 */
#pragma once

#include "base/clock.h"
#include "query/addresses.h"

#define ACL_CLIENTS_MAX 262144
#define ACL_BLOCKS_MAX  65536 /* That wait to be taken; more are lost, with a line in the log. */

struct acl; /* Opaque. Every function may be called by any thread. */

/** @param default_limit  Personal objects per day; negative: any number. */
struct acl *acl_new(const struct clock *clock, int default_limit);
void acl_free(struct acl *acl); /* NULL is fine. */
void acl_set_default_limit(struct acl *acl, int limit);

/** What the operator's tables say; value is what the comment tells. */
struct acl_rules {
    struct address_list denied;      /**< Unused. */
    struct address_list proxies;     /**< Unused. */
    struct address_list limits;      /**< Personal objects per day; negative: any number. */
    struct address_list connections; /**< 1: any number of connections, 0: as others. */
};
void acl_rules_free(struct acl_rules *rules);
/**
 * Put rules in the place of the present ones.
 * @param rules  Not sealed; taken and left empty. @return false when they say the same as before.
 */
bool acl_set_rules_take(struct acl *acl, struct acl_rules *rules);

/* --- questions of a query; an address is a range of one --- */

enum acl_verdict {
    ACL_PASS,
    ACL_DENIED,     /**< For good. */
    ACL_LIMIT_PAST, /**< For today. */
};
/** Whether a client may search at all. */
enum acl_verdict acl_check(struct acl *acl, const struct ip_range *client);
/** Whether it may say for whom it asks. */
bool acl_may_proxy(struct acl *acl, const struct ip_range *client);
/** Whether it may have more connections than the others. */
bool acl_has_any_connections(struct acl *acl, const struct ip_range *client);
/** Whether there is a limit to its personal objects: otherwise they are not counted. */
bool acl_is_limited(struct acl *acl, const struct ip_range *client);
/** @return How many personal objects it may still be given today, below 0 when that was more than
 * its limit already; INT64_MAX: any number. */
int64_t acl_budget(struct acl *acl, const struct ip_range *client);
/** Personal objects that it was given, or would have been but for the limit. */
void acl_count(struct acl *acl, const struct ip_range *client, uint32_t objects);

/* --- for the keeper of the tables --- */

/** A client's objects of a day, or a limit that it went past. */
struct acl_tally {
    struct ip_range client; /**< /32 or /64. */
    int32_t day;
    uint32_t objects; /**< acl_take_counts(): new ones; acl_take_blocks(): its limit. */
};
/**
 * Take what was counted since the last time, and the clients that went past their limit since.
 * @param out  Freed by the caller. @return How many.
 */
size_t acl_take_counts(struct acl *acl, struct acl_tally **out);
size_t acl_take_blocks(struct acl *acl, struct acl_tally **out);
/** They could not be written: they will be taken again. Counts of a past day are let go. */
void acl_return_counts(struct acl *acl, const struct acl_tally *tallies, size_t count);
void acl_return_blocks(struct acl *acl, const struct acl_tally *tallies, size_t count);
/** What the tables say a client was given on a day, by all servers; what was not taken yet is
 * added. A past day is ignored. A client that was counted here, too, and is past its limit now is
 * to be blocked, as after acl_count(). */
void acl_set_count(struct acl *acl, const struct acl_tally *tally);
/** @return Today. */
int32_t acl_day(const struct acl *acl);
/** @return How many clients of a day were forgotten, and blocks lost, since the start. */
uint64_t acl_lost(const struct acl *acl);
