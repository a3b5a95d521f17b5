/*
 * What source.c, position.c, operators.c, tables.c, rebuild.c, rows.c, batch.c, load.c, reload.c,
 * history.c, prune.c, quarantine.c, read_ahead.c, room.c and source_checkpoint.c share: the inside
 * of a source, its writer lock, and the few statements that more than one of them runs. Nobody else
 * includes this.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "storage/checkpoint.h"
#include "storage/read_ahead.h"
#include "storage/source.h"
#include "storage/sql.h"

enum {
    SERIAL_MAX = 2147483647,         /* serials.serial_id is an int. */
    PKEY_CHARACTERS = 254,           /* Of the pkey column. */
    QUARANTINE_NOTE_MAX = 600,       /* Of its reason column. */
    QUARANTINE_TEXT_MAX = 64 << 10,  /* Of an object from a dump: cut. */
    QUARANTINE_ROW_SPARE = 64 << 10, /* A raw object so near the packet's limit was cut, too. */
    ASIDE_TOLD = 256 /* Objects in quarantine whose further operations are not logged. */
};

struct storage {
    struct storage_conf conf; /* Strings are our own copies. */
    const struct clock *clock;
    struct source **sources;
    size_t source_count;
    struct sql_group connections;
    _Atomic bool is_impatient; /* Updates wait for no answers any more. */
    pthread_mutex_t lock;      /* Guards what follows. */
    bool server_was_described; /* The server's settings are logged once. */
    struct {
        int64_t left_ms, at_ms; /* How long updates could wait for answers, then. room.c's. */
    } patience;

    /* source_checkpoint.c's. */
    uint8_t build[BUILD_ID_BYTES];
    bool has_build_id, has_checkpoint_thread;
    pthread_t checkpoint_thread;
    pthread_cond_t stopping;    /* With lock. */
    _Atomic int64_t stop_at_us; /* 0: not stopping; else what is being written ends until then. */

    /* prune.c's. */
    struct {
        pthread_t thread;
        pthread_cond_t stopping; /* With lock. */
        bool has_thread, stops;  /* The second under lock. */
    } pruning;
};

enum writer { WRITER_NONE, WRITER_SHORT, WRITER_BATCH, WRITER_LOAD };

/** Where the database stood when the published version was made. */
struct position {
    int64_t applied, hw;
    uint64_t generation;
    uint32_t bulk_end; /* Version 1 of objects below it has no row in `serials`. */
    bool known;        /* false: loaded without a serial, and nobody has set one. */
};

/** Connections of those who read versions, while nobody uses them. */
struct idle_readers {
    pthread_mutex_t mutex;
    struct sql *at[4];
    size_t count;
};

struct source {
    struct storage *storage;
    enum source_kind kind;
    char name[64], upstream[64];
    struct jdbc_url url; /* database is this source's own. */
    struct index *index;

    /* The writer lock: a state, since a batch holds it across calls. */
    pthread_mutex_t writer_mutex;
    pthread_cond_t writer_gone;
    enum writer writer;
    pthread_t writer_thread;

    /* Under the writer lock. */
    struct sql *sql; /* NULL while not connected. */
    bool is_open;
    bool in_doubt; /* Memory and database may differ: the next sync compares everything or rebuilds.
                    */
    bool must_rebuild;
    enum err compaction_failure; /* The last one, while it lasts. */
    struct position position;
    uint64_t aside[ASIDE_TOLD]; /* Hashes of what was put into quarantine lately: logged once. */
    size_t aside_next;
    int64_t stale_since_ms; /* The index is a checkpoint of then, and the database has not been
                               reached; 0: it is in step. */
    size_t missing;         /* Deletions of unknown keys since that was logged. */
    int64_t missing_logged_ms;
    struct read_ahead read_ahead;

    /* Under status_mutex; never held across SQL. */
    pthread_mutex_t status_mutex;
    struct source_status status;
    struct index_contents contents; /* Of the published version. */
    struct index_memory memory;     /* As of the last housekeeping. */
    struct position shown;          /* A copy of position for source_get_position(). */
    struct source_bond bond; /* As of the last look at nrtm_state; its fresh_time may be newer. */
    int64_t fresh_written_s; /* What nrtm_state has of it. */
    struct source_server server; /* Waits like the note; host "": nothing does. */
    struct {
        bool is_pending;
        char state[40], error[QUARANTINE_NOTE_MAX];
    } note; /* Waits for the next one who has the writer lock. */

    struct idle_readers idle_readers;

    /* source_checkpoint.c's. */
    struct {
        struct checkpoint_origin held; /* In the file; id 0: none. This and the next two under
                                          status_mutex. */
        int64_t held_ms, retry_ms;     /* Monotonic: taken or read; not before. */
        int64_t took_us;               /* The last one; of whoever writes them. */
        pthread_mutex_t mutex;
        struct checkpoint *running; /* This and the next under mutex; NULL: none is written. */
        bool is_copying;            /* It still holds its pin. */
    } checkpoint;

    /* prune.c's: when it is due, by the monotonic clock; of the pruning thread. */
    struct {
        int64_t pass_ms, sweep_ms;
    } pruning;
};

/* --- source.c: lock, status, connection --- */
/**
 * Take the writer lock.
 * @return ERR_OK; ERR_BUSY when a load runs or the calling thread holds it already.
 */
enum err source_lock(struct source *source, enum writer as, struct why *why) MUST_CHECK;
bool source_try_lock(struct source *source, enum writer as);
void source_unlock(struct source *source);
/** @return ERR_OK; ERR_BUSY while the source is not open. Does not wait for whoever opens it. */
enum err source_check_open(struct source *source, struct why *why) MUST_CHECK;
enum err source_check_writable(struct source *source,
                               struct why *why) MUST_CHECK; /* And adopted. */
void source_set_state(struct source *source, enum source_state state);
void source_set_percent(struct source *source, int percent);
void source_set_objects(struct source *source, uint64_t objects);
/** Count created less removed objects; the state follows: READY or EMPTY. */
void source_add_objects(struct source *source, int64_t more);
/** Record the outcome of an SQL attempt for source_get_status(), and drop a lost connection. Hands
 * rc back. */
enum err source_sql_done(struct source *source, enum err rc, const struct why *why);
/** Adopt a position, in memory and for readers of the status. */
void source_set_position(struct source *source, struct position position);
/** Say since when the index lacks what the database holds; 0: it is in step. */
void source_set_stale(struct source *source, int64_t since_ms);
/** Publish the index's next version at the source's position. */
void source_publish(struct source *source);
/** Under the writer lock: give back what can be freed. @return Whether what waits for readers is
 * above its bound all the same. */
bool source_keeps_too_much(struct source *source);
/** One step of text compaction when it is worth it, as a version of its own. */
void source_compact(struct source *source);
/** Connect to the source's database when there is no connection. */
enum err source_connect(struct source *source, struct why *why) MUST_CHECK;
enum err source_connect_new(const struct source *source, struct sql **out,
                            struct why *why) MUST_CHECK;
/** For the status. */
enum err source_count_quarantined(struct source *source, struct why *why) MUST_CHECK;
uint32_t source_now(const struct source *source); /* Unix seconds. */
uint64_t random_number(void); /* 63 bits, not 0: generations and batch numbers. */

/* --- position.c: what the database says --- */
struct database_position {
    int64_t max_serial;  /* 0 without rows. */
    int64_t hw, applied; /* As in nrtm_state. */
    uint64_t generation, batch;
    int64_t pruned; /* Rows of `serials` up to this one may be missing. */
    uint32_t bulk_end;
    bool has_boot_serial, is_loading;
    struct source_bond bond;
};
/** Read it and remember its bond: for whoever has the writer lock, so that nothing older comes
 * behind something newer. */
enum err position_read(struct source *source, struct sql *sql, struct database_position *out,
                       struct why *why) MUST_CHECK;
/** Read it for oneself. */
enum err position_look(const struct source *source, struct sql *sql, struct database_position *out,
                       struct why *why) MUST_CHECK;
/** Inside a transaction: wait for other writers and keep them out until it ends. */
enum err position_lock(struct sql *sql, struct why *why) MUST_CHECK;
/** What a source at this place in the database is at. */
struct position position_of(const struct database_position *found);
/** Whether nothing moved since the source's position was taken. */
bool position_is_ours(const struct source *source, const struct database_position *found);
/** Write hw, applied and generation into nrtm_state (inside a transaction). Serials above a lower
 * position will come again: they count as not pruned. */
enum err position_write(struct source *source, struct sql *sql, struct position position,
                        uint64_t batch, struct why *why) MUST_CHECK;
/** Inside a transaction: the position is the operator's, or a dump's, and of no server yet. */
enum err position_unbind(struct source *source, struct sql *sql, struct why *why) MUST_CHECK;
/** Inside a transaction: what came by dump is of this serial at most, or an older dump would be
 * refused for good. */
enum err position_lower_boot(struct source *source, struct sql *sql, int64_t serial,
                             struct why *why) MUST_CHECK;
/** Honour an operator's edit of `serials`: nrtm_state follows it, and the log says so. Commits
 * nothing. */
enum err position_follow_edit(struct source *source, struct sql *sql,
                              const struct database_position *found, struct position *out,
                              struct why *why) MUST_CHECK;
/**
 * COMMIT was sent and failed with rc: ask a new connection whether nrtm_state has this
 * transaction's number. Under update_lock the old transaction has ended, whichever way.
 * @return ERR_OK when it was carried out, else rc; the source is in doubt when nobody could be
 * asked.
 */
enum err position_settle(struct source *source, uint64_t batch, enum err rc,
                         struct why *why) MUST_CHECK;
void pause_ms(int64_t ms);
/** Write a note that waits, if any; a failure only keeps it waiting. */
void source_write_note(struct source *source);

/* --- rebuild.c --- */
/** Build the index anew from `last`, by two threads, and publish. */
enum err source_rebuild(struct source *source, struct why *why) MUST_CHECK;
/** Read again what `serials` names between the source's position and a new one, adopt that, and
 * publish; everything, when rows between them have been pruned. */
enum err source_replay(struct source *source, struct position to, struct why *why) MUST_CHECK;

/* --- source_checkpoint.c --- */
/**
 * The index from its checkpoint, and what the database committed since.
 * @return ERR_OK: published, in step; ERR_NOT_FOUND: there is none, or none that may be used, which
 * was said: source_rebuild(); errors of SQL.
 */
enum err source_restore(struct source *source, struct why *why) MUST_CHECK;
/** The database is not reached: publish the checkpoint as it is, if there is a good one. */
void source_serve_stale(struct source *source);
/** Whether a checkpoint is being copied, and keeps old versions. One that is waited for for too
 * long is told to give up, and not waited for any more. */
bool source_is_copying(struct source *source, int64_t waited_ms);

/* --- tables.c: database, tables, checks --- */
/** Create what is missing, test privileges, look at the server's settings; fills read_only. */
enum err tables_prepare(struct source *source, struct why *why) MUST_CHECK;
/** Whether `last` has both of its secondary keys. */
enum err tables_have_keys(struct sql *sql, bool *out, struct why *why) MUST_CHECK;
/** Add the secondary keys of `last` that are missing, while others read and write. */
enum err tables_add_keys(struct sql *sql, struct why *why) MUST_CHECK;
enum err tables_drop_keys(struct sql *sql, struct why *why) MUST_CHECK;
/** Empty `last` after a load that did not end; a load that did is left alone. */
enum err tables_undo_load(struct source *source, struct sql *sql, struct why *why) MUST_CHECK;
/** Refuse when `bytes` more would not fit beside the database (only known when it is on this
 * machine). */
enum err tables_check_disk(struct source *source, struct sql *sql, uint64_t bytes,
                           struct why *why) MUST_CHECK;

/* --- history.c --- */
void idle_readers_init(struct idle_readers *readers);
void idle_readers_fini(struct idle_readers *readers); /* Closes them. */
/** Something to read: its inputs and outputs are the context's. */
typedef enum err reading(struct sql *sql, void *context, struct why *why);
/** Read by a connection that nobody uses, without the writer lock. Again, when it was lost. */
enum err source_read(struct source *source, reading *read, void *context,
                     struct why *why) MUST_CHECK;

/* --- rows.c: the statements and values that batch.c and load.c share --- */
extern const char rows_insert_last[], rows_update_last[], rows_insert_history[],
    rows_insert_serials[], rows_retire_serials[], rows_quarantine[];
#define ROWS_LAST_TYPES                                                                            \
    "nnnnbt" /* object_id, sequence_id, timestamp, object_type, object, pkey                       \
              */
#define ROWS_UPDATE_LAST_TYPES                                                                     \
    "bnntnn" /* object, timestamp, new sequence_id, pkey, object_id, old sequence_id */
#define ROWS_SERIALS_TYPES        "nnnnn" /* serial_id, object_id, sequence_id, atlast, operation */
#define ROWS_RETIRE_SERIALS_TYPES "nn"    /* object_id, sequence_id */
#define ROWS_QUARANTINE_TYPES     "tnnbtn" /* mirror, serial, operation, raw, reason, time */
/** The key as the pkey column holds it: valid UTF-8, cut to its width in characters. */
struct str rows_pkey(struct str key, struct arena *arena);
