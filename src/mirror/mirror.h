/*
 * All mirrors of the process: their configuration, the mirror loop and its thread, the opening and
 * the watch of every source, first loads. The only header of this folder that the daemon's life
 * needs; commands use mirror/loader.h too.
 *
 * Life: mirror_new(), mirror_start(), ..., mirror_stop(), mirror_free(), from main's thread. A lone
 * command uses mirror_new() and mirror_free() only.
 */
#pragma once

#include "conf/conf.h"
#include "mirror/loader.h"
#include "mirror/nrtm_client.h"
#include "net/conn.h"
#include "storage/source.h"

/** Whether a mirror reloads itself when its upstream cannot bring it up to date any more. */
enum mirror_reload { RELOAD_UNTOLD, RELOAD_AUTO, RELOAD_MANUAL };

/** One mirror's rows (`nrtm.import.<GRS>.*`), open ones filled from the known registries. Strings
 * live as long as the parsed file. */
struct mirror_source_conf {
    const char *name;   /**< "RIPE-GRS" */
    const char *source; /**< Upstream's name: "RIPE"; NULL when the row is missing. */
    bool is_enabled;  /**< False after a mistake in its rows: logged as ERROR, the others go on. */
    const char *host; /**< NULL in mode dump. */
    const char *aliases; /**< Other hosts with the same serials, commas between them. */
    int port;
    int version;
    enum nrtm_mode mode;
    int poll_s, refresh_s;
    enum charset charset;
    const char *notice;     /**< In place of the banner lines; NULL: the usual ones. */
    const char *notice_off; /**< "i-have-permission": no banner lines. */
    struct conf_list dump;  /**< Files or URLs; loaded when the mirror is empty or lost. */
    const char *serial;     /**< The dump's serial file or its URL; "" when there is none. */
    bool asks_serial;       /**< serial=nrtm: the server's newest when the download begins. */
    enum mirror_reload reload;
};

struct mirror_conf {
    bool is_enabled;        /**< nrtm.import.enabled */
    struct conf_list names; /**< nrtm.import.sources */
    struct mirror_source_conf *sources;
    size_t source_count;
    struct net_keepalive keepalive; /**< mirror.keepalive.*: of every socket. */
    int connect_timeout_s, start_timeout_s, idle_probe_s, heartbeat_s, reset_grace_s;
    int lag_warn_s, lag_error_s; /**< mirror.lag.*: not up to date for so long. */
    int audit_minute;            /**< mirror.audit, minute of the local day; -1: off. */
    struct fetch_limits fetch;   /**< mirror.dump.* */
    int backlog_reload;          /**< Serials behind; 0: off. */
    int64_t max_object;          /**< mirror.max.object.size, bytes; storage's too. */
    struct conf_list bootstrap;  /**< bootstrap.dumpfile: loaded when the main source is empty. */
};
extern const struct conf_key mirror_conf_keys[];
extern const struct conf_key mirror_source_conf_keys[];

/** Apply both tables. @return ERR_OK, ERR_SYNTAX. What it allocates: mirror_conf_free(). */
enum err mirror_conf_read(struct conf *file, struct mirror_conf *out, struct why *why) MUST_CHECK;
void mirror_conf_free(struct mirror_conf *conf);

struct mirror;

/**
 * @param conf        Must live until mirror_free().
 * @param status_dir  Where the machine-readable status files go (var/status); NULL: none.
 * @param spool_dir   Where downloads go and what was loaded is noted (var/spool), a folder per
 *                    source; NULL: none, and no source takes its dump by itself.
 */
enum err mirror_new(const struct mirror_conf *conf, struct storage *storage, const char *status_dir,
                    const char *spool_dir, const struct clock *clock, struct mirror **out,
                    struct why *why) MUST_CHECK;
/**
 * Start the threads: every source is opened (again and again while the database is down), its
 * client started when it is open and configured, every open source watched every 10 s. Dumps are
 * taken when they are due: see mirror/schedule.h.
 */
enum err mirror_start(struct mirror *mirror, struct why *why) MUST_CHECK;
/** Have running loads end with ERR_STOPPED, so that whoever waits for one is free. Any thread. NULL
 * is fine. */
void mirror_cancel_loads(struct mirror *mirror);
/** Streams commit what they hold, running loads are given up, threads end. NULL or not started is
 * fine. */
void mirror_stop(struct mirror *mirror);
void mirror_free(struct mirror *mirror); /* NULL is fine. */
/** Take over what changed: clients of changed mirrors start again, as soon as the mirror loop gets
 * to it; nothing is waited for. Any thread. */
void mirror_reconfigure(struct mirror *mirror, const struct mirror_conf *conf);

/** Extra banner lines ("% ...\n" each) that name the registry and say the data is near real time;
 * NULL for the main source. Lives as long as mirror. */
const char *mirror_notice(const struct mirror *mirror, const struct source *source);

/**
 * Be told when the data of a mirror becomes stale: mirror.lag.error without being up to date, or an
 * upstream that lost us. Before mirror_start(); called on the mirror loop.
 * @param hook  since_ms: wall clock when it was last up to date; 0: fresh again.
 */
void mirror_on_stale(struct mirror *mirror,
                     void (*hook)(void *context, const struct source *source, int64_t since_ms),
                     void *context);

enum mirror_freshness {
    FRESH,
    LATE,  /**< mirror.lag.warn without being up to date. */
    STALE, /**< mirror.lag.error, or an upstream that lost us. */
};

struct mirror_status {
    char text[160];   /**< One phrase: "streaming from whois.ripe.net:4444", "no mirror", ... */
    char error[300];  /**< "" when fine. */
    bool is_degraded; /**< Not following although it should, or not up to date. */

    bool is_mirrored; /**< False: what follows says nothing. */
    enum mirror_freshness freshness;
    int64_t lag_serials;  /**< Behind the upstream's newest that we know of; -1: it is unknown. */
    int64_t lag_s;        /**< Since it was last up to date. */
    int64_t dump_ms;      /**< Wall clock: its dump was loaded, or found unchanged; 0: never. */
    char dump_error[300]; /**< Why it could not be, the last time; "": it could. */

    bool is_followed; /**< By NRTM; false: what follows says nothing. */
    char peer[128];   /**< "whois.ripe.net:4444" */
    struct nrtm_client_status client;
};
/** Any thread. */
void mirror_get_status(struct mirror *mirror, const struct source *source,
                       struct mirror_status *out);
const char *mirror_freshness_text(enum mirror_freshness freshness);

/** What a load into this source is read with: charset and limits of its configuration, and given up
 * when the mirror stops. Files and serial are for the caller to fill in. */
struct load_request mirror_load_request(struct mirror *mirror, const struct source *source);
/**
 * Download what is remote in the request, look at it, and load it while the client rests. An
 * operator's: when it succeeds, automatic reloads that had been given up are on again. Any thread
 * but the loop's.
 * @return As download_run() and mirror_load().
 */
enum err mirror_refresh_by_hand(struct mirror *mirror, struct source *source,
                                const struct load_request *request, struct load_report *report,
                                struct why *why) MUST_CHECK;
/** The mirror's rows, for its dump files, serial file and charset; NULL for the main source. */
const struct mirror_source_conf *mirror_source_conf_of(const struct mirror *mirror,
                                                       const struct source *source);
/** Pause a mirror's client around a load or a change of its position; counted. Blocks until the
 * batch in flight is done. It looks anew at where it stands when it goes on. */
void mirror_pause(struct mirror *mirror, const struct source *source);
void mirror_resume(struct mirror *mirror, const struct source *source);
