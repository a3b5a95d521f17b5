/*
 * Between the query threads' access control (query/acl.h) and its tables (storage/acl_store.h): a
 * thread that every acl.refresh.sec seconds writes what was counted, reads what operators and other
 * servers wrote, and does the nightly work at 23:59 UTC and after a start. It may wait for the
 * database; queries do not: meanwhile they go by what is in memory.
 *
 * A stop writes everything, unless the database hangs for 10 s. A crash loses what was counted
 * since the last time. When the connection is lost in the moment of a COMMIT, the counts of one
 * time may be added twice.
 */
#pragma once

#include "query/acl.h"
#include "storage/acl_store.h"

struct acl_keeper; /* Opaque. */

/**
 * @param conf  Copied; its strings must live as long. Without a URL there are no tables, and
 * counts and blocks end with the process. @param acl  Borrowed until acl_keeper_stop().
 */
enum err acl_keeper_new(const struct acl_conf *conf, struct acl *acl, const struct clock *clock,
                        struct acl_keeper **out, struct why *why) MUST_CHECK;
enum err acl_keeper_start(struct acl_keeper *keeper, struct why *why) MUST_CHECK;
/** Do not wait for the next time. Any thread; NULL is fine. */
void acl_keeper_wake(struct acl_keeper *keeper);
/** Write what is left and end; to be called when no query counts any more. NULL is fine. */
void acl_keeper_stop(struct acl_keeper *keeper);
void acl_keeper_free(struct acl_keeper *keeper); /* NULL is fine. */
