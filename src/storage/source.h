/*
 * A source: one registry database in MySQL plus its in-memory index. All writing goes through here,
 * so that an update and its serial are one transaction and the next snapshot is published after the
 * commit, never before.
 *
 * Threads: a source has one writer lock. batch_, load_ and the source_ functions that change
 * something take it; a batch or load belongs to the thread that began it and keeps the lock until
 * it ends. A short writer is waited for; while a load runs the others get ERR_BUSY at once. Reading
 * goes through storage/snapshot.h and takes no lock. SQL blocks the calling thread; query loops
 * never call this file, save source_status() and the name getters.
 */
#pragma once

#include "base/clock.h"
#include "conf/conf.h"
#include "storage/index.h"

/* --- configuration --- */
struct storage_conf {
    const char *master_url; /**< whois.db.master.url: JDBC, with the main source's database. */
    const char *username, *password; /**< Of all databases. */
    const char *grs_base_url; /**< whois.db.grs.master.baseurl; `_<SOURCE>` goes to its end. */
    /** whois.db.slave.*, whois.db.grs.slave.baseurl: accepted, not used: queries need no database.
     */
    const char *slave_url, *slave_username, *slave_password, *slave_grs_base_url;
    bool check_names; /**< mirror.db.name.check: a mirror's database must be called like one. */
    int64_t object_max_bytes; /**< mirror.max.object.size, an option of the mirror's. */
    const char *var_dir;      /**< For the disk check; set by main, no option. NULL: not checked. */
    bool checkpoint_enabled;
    const char *checkpoint_dir;
    int checkpoint_period_s; /**< Between two, when something changed. */
    int checkpoint_stop_s;   /**< For the last, at a stop; 0: none is written then. */
    int answers_wait_s; /**< mirror.answers.wait.sec: updates wait so long for those in their way.
                         */
    int64_t prune_s;    /**< nrtm.prune.days: what is older is deleted; seconds, 0: never. */
};
extern const struct conf_key storage_conf_keys[];

/** A JDBC URL taken apart (jdbc:mariadb://, jdbc:mysql://, jdbc:log:...; `?localSocket=PATH`;
 * others WARN). */
struct jdbc_url {
    char host[256], database[128], socket[256];
    int port; /**< 3306 when the URL has none. */
};
enum err jdbc_parse(const char *url, struct jdbc_url *out, struct why *why) MUST_CHECK;

/* --- life --- */
struct storage; /* Shared by all sources: configuration, clock, server checks. */
struct source;

/** @param conf  Copied. */
struct storage *storage_new(const struct storage_conf *conf, const struct clock *clock);
void storage_free(struct storage *storage); /* Frees its sources. */
/**
 * Have whoever waits for the database wait no longer: all connections are cut, and no new ones
 * made. What was not committed is as if it had never been; whether a COMMIT in flight was carried
 * out the next start finds out. Any thread.
 */
void storage_cut_off(struct storage *storage);
/** Have updates wait for no answers any more: the end is near. Any thread; NULL is fine. */
void storage_stop_waiting(struct storage *storage);

enum source_kind { SOURCE_MAIN, SOURCE_MIRROR };
/**
 * Declare a source; touches nothing yet. @param name  "RIPE-GRS"; upper-cased.
 * @param upstream  What its objects' source: says ("RIPE"); NULL: like name. @return NULL with why
 * for a bad name.
 */
struct source *storage_add(struct storage *storage, enum source_kind kind, const char *name,
                           const char *upstream, struct why *why);
size_t storage_source_count(const struct storage *storage);
struct source *storage_source(const struct storage *storage, size_t i);
struct source *storage_find(const struct storage *storage,
                            struct str name); /* Any case; NULL when unknown. */

const char *source_name(const struct source *source);
const char *source_upstream(const struct source *source);
enum source_kind source_kind(const struct source *source);
struct index *source_index(const struct source *source);

enum source_state {
    SOURCE_CLOSED,  /**< Database not reached yet; objects from a checkpoint are served. */
    SOURCE_OPENING, /**< Index being rebuilt from `last`. */
    SOURCE_EMPTY,   /**< Open, never loaded (or nothing in it). */
    SOURCE_LOADING, /**< First load running: answers "is being loaded (43%)". */
    SOURCE_READY,
    SOURCE_FAILED, /**< Start-up checks failed; why says what to do. Retried. */
};
/** Rows that pruning has deleted. */
struct source_pruned {
    uint64_t history, serials;
    int64_t to; /**< Rows of `serials` up to this one may be missing. */
};
struct source_status {
    enum source_state state;
    int percent;        /**< Of OPENING and LOADING. */
    bool read_only;     /**< Written by the reference server, not adopted yet. */
    bool database_down; /**< Last SQL attempt lost the connection. */
    int64_t serial, hw;
    int64_t stale_since_ms; /**< Wall clock: the database has not been reached, the index is a
                               checkpoint of then; 0: it is in step. */
    uint64_t objects, quarantined;
    uint64_t missing;            /**< Deletions of objects that were not here, in this run. */
    int64_t last_commit_ms;      /**< Wall clock; 0 = never in this run. */
    struct source_pruned pruned; /**< In this run. */
    uint64_t read_ahead;         /**< Rows of `last` read before their updates, in this run. */
    char error[300];             /**< Last failure, "" when fine. */
};
void source_get_status(struct source *source,
                       struct source_status *out); /* Any thread, never waits for SQL. */

/** What queries see of a source at this moment. Any thread, never waits for SQL. @param memory  As
 * of the last second or so. */
void source_get_contents(struct source *source, struct index_contents *out,
                         struct index_memory *memory);

/**
 * Connect, create database and tables on demand, run the start-up checks (privileges,
 * max_allowed_packet, innodb_flush_log_at_trx_commit, buffer pool, disk), undo an unfinished load,
 * read the index from its checkpoint and replay what was committed since, or rebuild it from `last`
 * over two connections, publish. With the server unreachable a good checkpoint is published, marked
 * stale. Again after ERR_SQL_LOST is fine; an open source returns ERR_OK at once.
 * @return ERR_OK; ERR_SQL_LOST (server unreachable: retry later); ERR_DENIED (why has the GRANT to
 * run); others.
 */
enum err source_open(struct source *source, struct why *why) MUST_CHECK;

/**
 * Compare max(serial_id), generation with the snapshot and re-synchronise when somebody else wrote:
 * replay `serials` above ours, or rebuild when it went down or the generation changed. Run at every
 * session start and every 10 s. An operator's edit is honoured and logged: `RIPE-GRS position set
 * to 70004000 by database (was 70000000)`.
 * @param changed  Set when the position moved without us.
 */
enum err source_sync(struct source *source, bool *changed, struct why *why) MUST_CHECK;
/** Give back memory that no reader pins and memory that was kept for reuse in vain, and one step of
 * text compaction when it is worth it. For a timer of a second; does nothing while somebody writes.
 */
void source_housekeep(struct source *source);

/** hw and max(serial_id) as of the last sync or commit. position_known is false for "position
 * unknown" (serial 1 after a load without a serial). The next request starts at max(hw, applied)
 * + 1. */
struct source_position {
    int64_t applied, hw;
    bool position_known, read_only;
};
void source_get_position(struct source *source, struct source_position *out);

/** What the position is of, as nrtm_state has it, or had it at the last sync or commit. */
struct source_bond {
    char source[64], host[256]; /**< Whose serials these are; "": of whoever answers next, since a
                                     dump was loaded or an operator set the position. */
    int64_t boot_serial;        /**< Of the dump loaded last; -1: not known. */
    int64_t hw_time_s;          /**< Unix time when hw moved last; 0: never. */
    int64_t fresh_time_s; /**< When the mirror was up to date last, as it was noted; 0: never. */
};
void source_get_bond(struct source *source, struct source_bond *out);

/* --- the mirror's updates --- */
struct batch; /* One MySQL transaction and one next version. */

enum { ROOM_LOOK_MS = 10 }; /* Between two tries of source_has_room(). */
/** A wait for room, of one who updates. Zero-initialise; may be forgotten at any time. */
struct room_wait {
    bool is_waiting;
    int64_t began_ms, looked_ms; /**< Monotonic. */
};
/**
 * Whether there is room for what an update leaves behind, or old versions that somebody reads take
 * too much memory. To be asked before a batch that changes objects. Never sleeps: while there is
 * none, ask again ROOM_LOOK_MS later. Waits for a checkpoint 10 s at most, for answers as
 * mirror.answers.wait.sec says; then it has the oldest answers closed, and there is room.
 * @param wait  The caller's own, the same at each try.
 */
bool source_has_room(struct source *source, struct room_wait *wait);

/** Take the writer lock and begin the next version; no SQL yet.
 *  @return ERR_OK; ERR_BUSY when not open, read-only, being loaded, or the thread has a batch
 * already. */
enum err batch_begin(struct source *source, struct batch **out, struct why *why) MUST_CHECK;
/**
 * ADD: create or replace the object with this key.
 * @param serial  Source serial; at or below hw or the batch's previous one: skipped silently
 * (counted). Above 2^31-1 no database can hold it: ERR_LIMIT, and an ERROR in the log; the mirror
 * has to stop.
 * @param text    UTF-8, as received; borrowed for the call.
 * @return ERR_OK; ERR_SYNTAX when it has no class or key, ERR_SQL_PACKET when the server takes no
 * row of its size (both leave the batch as it was: caller quarantines); others end the batch's use.
 */
enum err batch_add(struct batch *batch, int64_t serial, struct str text,
                   struct why *why) MUST_CHECK;
/** DEL by class and key of the text; unknown keys only move hw (counted). */
enum err batch_delete(struct batch *batch, int64_t serial, struct str text,
                      struct why *why) MUST_CHECK;
/**
 * Keep aside what could not be parsed; hw moves to serial. With the serial of the op just applied:
 * its bytes as received, when what was applied differs from them.
 * @param raw  Bytes as received; cut when too large.
 */
enum err batch_quarantine(struct batch *batch, int64_t serial, bool is_delete, struct str raw,
                          const char *reason) MUST_CHECK;
size_t batch_bytes(const struct batch *batch); /* Commit at 4 MB. */
size_t batch_ops(const struct batch *batch);   /* Skipped ones not included. */
/**
 * BEGIN; update_lock FOR UPDATE; compare position and generation; rows; nrtm_state; COMMIT;
 * publish. Frees the batch and the lock in every case. Deadlocks and lock waits are retried inside,
 * up to 10 times. A lost COMMIT is looked up by a new connection.
 * @param hw  New high-water serial (START.last at %END); 0: the last op's serial.
 * @return ERR_OK; ERR_MOVED: the position was edited or somebody wrote, nothing applied:
 * source_sync() and a new session; ERR_SQL_LOST: unknown or not applied, source_sync() finds out;
 * ERR_SQL_FULL: nothing applied, retry in 30 s.
 */
enum err batch_commit(struct batch *batch, int64_t hw, struct why *why) MUST_CHECK;
void batch_abort(struct batch *batch); /* NULL is fine. */

/* --- dumps --- */
struct load;
struct load_options {
    int64_t serial; /**< The dump's serial; -1: none given (position unknown). */
    bool is_reset;  /**< The upstream's serials began anew. Accept one below hw: the dump and its
                       serial replace ours, rows of `serials` above it go. */
    bool force; /**< As is_reset, accept fewer than 90% of the present objects, and a dump without
                   serial where the position is known (which stays as it is). */
    bool audit; /**< A serial below hw is fine: compare as of it; objects changed since are left
                   alone. Each repair is logged. */
    uint64_t bytes;      /**< Estimated text size for the disk check and percent; 0 = unknown. */
    int64_t quarantined; /**< No dump: one object of this row of nrtm_quarantine, with the row's
                            serial. Other objects stay, and the row goes. Audit, too. 0: none. */
};
struct load_report {
    uint64_t objects, duplicates, rejected, added, changed, removed, unchanged;
    bool by_difference;
};
/**
 * An empty source is bulk loaded; one that holds objects is reloaded by difference (kept ids and
 * history). Atomic: until load_finish() returns ERR_OK the old state stays, in the database and for
 * readers, also when killed.
 */
enum err load_begin(struct source *source, const struct load_options *options, struct load **out,
                    struct why *why) MUST_CHECK;
/** Whether readers have something to ask for meanwhile. */
bool load_is_by_difference(const struct load *load);
/** One object of the dump, UTF-8. A later duplicate of a key wins, with a WARN. Rejected objects
 * (no key) are counted, quarantined and ERR_OK. @param fraction  Progress of the reader, 0..1,
 * shown in status. */
enum err load_add(struct load *load, struct str text, double fraction, struct why *why) MUST_CHECK;
/** Keep the received bytes of an object whose stored text differs from them. */
void load_keep_raw(struct load *load, struct str raw, const char *reason);
/** Commit and publish; frees the load in every case. Secondary keys follow inside, after the
 * publication. */
enum err load_finish(struct load *load, struct load_report *report, struct why *why) MUST_CHECK;
void load_abort(struct load *load); /* NULL is fine. */

/** A row of nrtm_quarantine. Zero-initialise; raw is the caller's to free. */
struct quarantined {
    int64_t id, serial; /**< Serial 0: of a dump. */
    bool is_delete;
    bool is_whole; /**< Raw holds all of the object. */
    char reason[600];
    struct buf raw;
};
/** The next row behind one, of those that can be tried: nothing tells any more what is newer than
 * rows from before pruned serials. No writer is kept waiting. @param after  Its id; 0: the first.
 * @return ERR_NOT_FOUND behind the last; ERR_BUSY: not open; errors of SQL. */
enum err source_next_quarantined(struct source *source, int64_t after, struct quarantined *out,
                                 struct why *why) MUST_CHECK;

/* --- checkpoints: the index in a file, for the next start (storage/checkpoint.h) --- */
/** Start the thread that writes them: of each source soon after a load, a rebuild or whatever makes
 * the last one useless, and once in a period when something changed. */
enum err storage_start_checkpoints(struct storage *storage, struct why *why) MUST_CHECK;
/** End that thread, if there is one, and write what changed since; together checkpoint.stop.sec at
 * most. Then nothing may be written to the sources. NULL is fine. */
void storage_stop_checkpoints(struct storage *storage);
/**
 * Write a checkpoint now. @param is_synced  Wait until it is on disk.
 * @return ERR_OK; ERR_BUSY (being loaded, or the database is not in step); ERR_NOT_FOUND (no row in
 * `serials`); ERR_STOPPED (checkpoint.stop.sec); ERR_IO; errors of SQL.
 */
enum err source_write_checkpoint(struct source *source, bool is_synced, struct why *why) MUST_CHECK;

/* --- pruning: old rows of `history` and `serials` go --- */
/** Start the thread that prunes mirrors, when nrtm.prune.days is set. */
enum err storage_start_pruning(struct storage *storage, struct why *why) MUST_CHECK;
void storage_stop_pruning(struct storage *storage); /* NULL is fine. */
/**
 * Delete what is older than nrtm.prune.days: versions that were superseded before, and the rows of
 * `serials` from before, save the highest and those of versions in `last`. In small transactions,
 * with pauses; other writers are not kept waiting.
 * @param with_sweep  Look through all of `history` too, for versions that were superseded without a
 *                    serial.
 * @param out         What went.
 * @return ERR_OK; ERR_BUSY (not open, read-only, being loaded, changed meanwhile); ERR_SQL_RETRY (a
 * writer was in the way for too long); ERR_STOPPED (by storage_stop_pruning()); other errors of
 * SQL. What was done until then is done.
 */
enum err source_prune(struct source *source, bool with_sweep, struct source_pruned *out,
                      struct why *why) MUST_CHECK;

/* --- operators --- */
/** Move the position to serial, deleting or renumbering rows above it, in one transaction. */
enum err source_set_serial(struct source *source, int64_t serial, struct why *why) MUST_CHECK;
/** Take over a database of the reference server: empty its per-attribute index tables. */
enum err source_adopt(struct source *source, struct why *why) MUST_CHECK;
/** State of the mirror for SQL readers: nrtm_state.state, last_error ... @param text  NULL clears.
 */
void source_note_state(struct source *source, const char *state, const char *error);
/** The mirror was up to date then, by Unix time. For nrtm_state; written with the state, and in
 * between about once a minute, with a batch or a sync. */
void source_note_fresh(struct source *source, int64_t time_s);
/** The server that the position is of from now on; of serials 0 is not known. */
struct source_server {
    char host[256];
    int port, version;
    bool filtered;
    int64_t start_first, start_last, min, max;
};
/** For nrtm_state; written with the state, a batch, or a sync. */
void source_note_server(struct source *source, const struct source_server *server);
