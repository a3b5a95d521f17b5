/*
 * A private MariaDB server for the tests of src/storage: started before the first test of the
 * program, stopped after the last. Every test has databases of its own, so that tests may run side
 * by side.
 */
#pragma once

#include "storage/source.h"
#include "storage/sql.h"

/** URL, user and password of the server. */
const struct jdbc_url *database_url(void);
const char *database_user(void);
const char *database_password(void);
/** A connection to this test's mirror database, which source_open() has made. Fails the test when
 * there is none. */
struct sql *database_connect(void);
/** A storage whose mirror RIPE-GRS (upstream RIPE) lives in this test's database; not opened. */
struct storage *database_storage(struct source **source_out);
/** From now on storages keep checkpoints in this folder, and reach the server by this socket; NULL:
 * as without. */
void database_use_checkpoints(const char *folder, const char *socket);
/** From now on storages let rows go that are older than this; 0: none. */
void database_prune_after(int64_t seconds);
/** The same, opened: fails the test with the reason otherwise. */
struct storage *database_open(struct source **source_out);
/** The source TEST in the same database, opened by a user whom database_lock_out() keeps from
 * making new connections. Those that stand go on. */
struct storage *database_open_locked_out(struct source **source_out);
void database_lock_out(bool out);
/** First field of the first row; fails the test when there is none. */
int64_t database_number(const char *format, ...) PRINTF_LIKE(1, 2);
/** The first field of every row, joined by blanks, NULL as "NULL". */
const char *database_list(const char *format, ...) PRINTF_LIKE(1, 2);
void database_exec(const char *format, ...) PRINTF_LIKE(1, 2);
/** Give a user rights on this test's mirror database, as the server's owner. */
void database_grant(const char *what, const char *user);
/** The text of a live object by class and key as the index has it now, or NULL. */
const char *indexed_text(struct source *source, enum rpsl_class class, const char *key);
/** Memory and database must hold the same: a second opening finds what the first has. */
void check_against_reopened(struct source *source);
/** Arm a fault point in this process: "kill" or "fail". */
void database_arm(const char *fault, const char *how);
/** Open the test's source in a child and run something there that has to die at a fault point. */
void database_kill_at(const char *fault, void (*run)(struct source *source, const void *context),
                      const void *context);
/** Open after such a death: the server may need a moment to notice it. */
struct storage *database_open_when_free(struct source **source_out);
/** Time that stands still, at 2026-11-22 12:00:00 UTC, unless a test moves it. */
extern int64_t test_wall_ms;
/** The monotonic clock goes by itself, unless it stands still; this is added. The hook, when there
 * is one, is called by whoever looks at it. */
extern int64_t test_mono_ms;
extern bool test_mono_stands;
extern void (*test_mono_hook)(void);
extern const struct clock test_clock;
