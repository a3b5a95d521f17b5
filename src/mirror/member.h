/*
 * The inside of the set of mirrors, shared by mirror.c (life, loop), mirror_status.c (how each
 * stands) and refresh.c (what a source's own thread does: opening, loading). Nobody else includes
 * this.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "mirror/mirror.h"
#include "mirror/schedule.h"

/** A source and what the mirror does for it. */
struct member {
    struct mirror *mirror;
    struct source *source;
    char *notice; /**< NULL: none. */

    /* The loop's. */
    struct nrtm_client_conf client_conf;
    struct nrtm_client *client; /**< NULL: nothing to follow. */
    enum mirror_freshness freshness;

    /* Under the mutex. */
    const struct mirror_source_conf *conf; /**< NULL: not mirrored. */
    int pauses;
    bool has_client;
    struct nrtm_client_status status; /**< As of the last tick or change. */
    char peer[128];
    char activity[200]; /**< What is being downloaded or loaded; "": nothing. */
    struct schedule schedule;
    int64_t taken_wall_ms;   /**< When its dump was loaded, or found unchanged; 0: never. */
    char refresh_error[300]; /**< Of the last refresh by itself; "": it went well. */

    pthread_t worker; /**< Opens or loads. */
    bool has_worker;
    atomic_bool is_busy;
    enum refresh_kind kind; /**< What the worker does; set before it starts. */
    bool is_reset;          /**< Likewise: the upstream's serials began anew. */
    int64_t far_serial;     /**< Likewise: an older dump does not help REFRESH_FAR. */
};

struct mirror {
    const struct mirror_conf *conf; /**< Under the mutex. */
    struct storage *storage;
    const struct clock *clock;
    char *status_dir, *spool_dir; /**< NULL: none. */
    bool status_file_failed;
    struct member *members;
    size_t count;
    struct loop *loop; /**< NULL until started. */
    struct nrtm_probes probes;
    struct asking *asking; /**< The loop's: those who wait in member_ask_newest(). */
    bool has_thread;
    struct loop_timer tick;
    struct loop_job reconfigure;
    void (*on_stale)(void *context, const struct source *source, int64_t since_ms); /**< Or NULL. */
    void *stale_context;
    int64_t watched_ms;
    int64_t begun_wall_ms;
    atomic_bool stopping;
    pthread_mutex_t mutex;
    pthread_cond_t woken; /**< Openers that wait, when stopping. */
};

/** The configuration at this moment; both stay valid. */
struct current_conf {
    const struct mirror_conf *all;
    const struct mirror_source_conf *source;
};
struct current_conf member_conf(const struct member *member);
/** Whether the mirror's rows are good and mirrors are on. */
bool member_is_mirrored(struct current_conf conf);
/** Whether it is, and follows an upstream by NRTM. */
bool member_is_followed(struct current_conf conf);
struct member *mirror_member(const struct mirror *mirror, const struct source *source);
/** Any thread: have the client look at what may have changed. */
void member_settle_from_outside(struct member *member);

/**
 * Ask the member's NRTM server for its newest serial, by a probe on the loop. Any thread but the
 * loop's. @return The serial; MEMBER_ASK_LATER while its host is probed for another; otherwise as
 * nrtm_probe.h says.
 */
int64_t member_ask_newest(struct member *member);
#define MEMBER_ASK_LATER (-3)

/* --- mirror_status.c --- */
/** On the loop: say so once when a mirror falls behind, falls far behind, and has caught up. */
void member_judge_freshness(struct member *member);
/** On the loop: its file in var/status. */
void member_write_status(const struct member *member);

/* --- refresh.c --- */
/** Start the member's thread: open the source, load an empty one. */
enum err member_start_opening(struct member *member, struct why *why) MUST_CHECK;
/** On the loop: start the member's thread when its dump is due. */
void member_refresh_when_due(struct member *member);
