/*
 * The tables of access control, etc/acl_schema.sql: their rows in, counts and blocks out. Knows SQL
 * and nothing of what the rows mean. One connection, for one thread; every function may wait for
 * the database. After a failure the connection is closed, and acl_store_open() makes another.
 *
 * Days are counted since 1970, in UTC.
 */
#pragma once

#include "conf/conf.h"

struct acl_conf {
    const char *url;      /**< acl.database.url; "": there are no tables. */
    const char *username; /**< acl.database.username; "": as of the main source's database. */
    const char *password; /**< acl.database.password; as above. */
    int refresh_s;        /**< acl.refresh.sec */
};
extern const struct conf_key acl_conf_keys[];

struct acl_store; /* Opaque. */

/** @param conf  Borrowed. @return ERR_OK; ERR_SYNTAX: the URL is none. Connects to nothing. */
enum err acl_store_new(const struct acl_conf *conf, struct acl_store **out,
                       struct why *why) MUST_CHECK;
void acl_store_free(struct acl_store *store); /* NULL is fine. */

/** End what the database is waited for, now and for good: it fails. Any thread. */
void acl_store_cut(struct acl_store *store);

/** Connect, create database and tables on demand. An open one returns ERR_OK at once. */
enum err acl_store_open(struct acl_store *store, struct why *why) MUST_CHECK;

enum acl_table { ACL_TABLE_DENIED, ACL_TABLE_PROXY, ACL_TABLE_LIMIT };
struct acl_row {
    enum acl_table table;
    struct str prefix;    /**< As written there. Valid for the call. */
    int limit;            /**< daily_limit of acl_limit. */
    bool any_connections; /**< unlimited_connections of acl_limit. */
};
/** Read the operators' tables, all of them. */
enum err acl_store_read_rules(struct acl_store *store,
                              void (*visit)(void *context, const struct acl_row *row),
                              void *context, struct why *why) MUST_CHECK;

#define ACL_PREFIX_MAX 50
struct acl_change {
    char prefix[ACL_PREFIX_MAX + 1];
    int32_t day;
    uint32_t number; /**< Objects to be added, or the limit that was passed. */
};
/** Add counts to acl_personal and BLOCK_TEMPORARY rows to acl_event (one per prefix and day), in
 * one transaction. When the answer to its COMMIT is lost nobody knows whether it took place. */
enum err acl_store_write(struct acl_store *store, const struct acl_change *counts,
                         size_t count_count, const struct acl_change *blocks, size_t block_count,
                         struct why *why) MUST_CHECK;
/** Read the counts of a day that changed in the last seconds, by the database's clock. */
enum err acl_store_read_counts(struct acl_store *store, int32_t day, int64_t seconds,
                               void (*visit)(void *context, struct str prefix, uint64_t objects),
                               void *context, struct why *why) MUST_CHECK;
/**
 * The nightly work: deny for good who was blocked ACL_BLOCKS_BEFORE_DENIAL times in 30 days, not
 * counting what is older than its last UNBLOCK or BLOCK_PERMANENTLY; forget events after 3 months,
 * denials after a year, counts after their day. Doing it again changes nothing.
 * @param now_s  Seconds since 1970: the time of the events.
 */
#define ACL_BLOCKS_BEFORE_DENIAL 10
enum err acl_store_clean(struct acl_store *store, int64_t now_s, struct why *why) MUST_CHECK;
