/*
 * The set of mirrors.
 *
 * Three kinds of threads meet here. The mirror loop owns the clients and the ticks: what it decides
 * about a mirror it decides in settle_member(). Each source has an opener, a thread that opens it
 * (again and again while the database is down), loads it when it is empty and a dump is configured,
 * and ends. Commands come from threads of the control socket: they pause a mirror, work on its
 * source, and resume it. What other threads may see of a member is under the mutex.
 */
#include "mirror/mirror.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "mirror/notice.h"
#include "mirror/status_file.h"

enum {
    WATCH_MS = 10000, /* Compare every source with its database. */
    OPEN_RETRY_MAX_S = 30,
    RELOAD_EVERY_MS = 6 * 60 * 60 * 1000,
    RELOAD_FAILURES_MAX = 2,
    DEGRADED_AFTER_MS = 60000, /* A short back-off is everyday life. */
};

/** A source and what the mirror does for it. */
struct member {
    struct mirror *mirror;
    struct source *source;
    char *notice; /* NULL: none. */

    /* The loop's. */
    struct nrtm_client_conf client_conf;
    struct nrtm_client *client; /* NULL: nothing to follow. */
    enum mirror_freshness freshness;

    /* Under the mutex. */
    const struct mirror_source_conf *conf; /* NULL: not mirrored. */
    int pauses;
    bool has_client;
    struct nrtm_client_status status; /* As of the last tick or change. */
    char peer[128];

    pthread_t worker; /* Opens or loads. */
    bool has_worker;
    atomic_bool is_busy;
    int64_t reloaded_ms; /* The loop's: last automatic reload; 0: none. */
    atomic_int reload_failures;
    bool reload_reset; /* Set before the worker starts: the upstream's serials began anew. */
};

struct mirror {
    const struct mirror_conf *conf; /* Under the mutex. */
    struct storage *storage;
    const struct clock *clock;
    char *status_dir; /* NULL: none. */
    bool status_file_failed;
    struct member *members;
    size_t count;
    struct loop *loop; /* NULL until started. */
    bool has_thread;
    struct loop_timer tick;
    struct loop_job reconfigure;
    void (*on_stale)(void *context, const struct source *source, int64_t since_ms); /* Or NULL. */
    void *stale_context;
    int64_t watched_ms;
    atomic_bool stopping;
    pthread_mutex_t mutex;
    pthread_cond_t woken; /* Openers that wait, when stopping. */
};

const char *mirror_notice(const struct mirror *mirror, const struct source *source)
{
    for (size_t i = 0; i < mirror->count; i++) {
        if (mirror->members[i].source == source) {
            return mirror->members[i].notice;
        }
    }
    return NULL;
}

/* --- members --- */

static struct member *member_of(const struct mirror *mirror, const struct source *source)
{
    for (size_t i = 0; i < mirror->count; i++) {
        if (mirror->members[i].source == source) {
            return &mirror->members[i];
        }
    }
    return NULL;
}

static const struct mirror_source_conf *find_conf(const struct mirror_conf *conf,
                                                  const struct source *source)
{
    for (size_t i = 0; i < conf->source_count; i++) {
        if (str_eq_nocase(str_from(conf->sources[i].name), str_from(source_name(source)))) {
            return &conf->sources[i];
        }
    }
    return NULL;
}

/** The configuration at this moment; both stay valid. */
struct current_conf {
    const struct mirror_conf *all;
    const struct mirror_source_conf *source;
};
static struct current_conf current_conf(const struct member *member)
{
    struct mirror *mirror = member->mirror;
    struct current_conf current;

    pthread_mutex_lock(&mirror->mutex);
    current = (struct current_conf){mirror->conf, member->conf};
    pthread_mutex_unlock(&mirror->mutex);
    return current;
}

static bool is_followed(const struct mirror_conf *conf, const struct mirror_source_conf *source)
{
    return conf->is_enabled && source != NULL && source->is_enabled;
}

static struct nrtm_client_conf client_conf_of(const struct mirror_conf *conf,
                                              const struct mirror_source_conf *source)
{
    return (struct nrtm_client_conf){
        .host = source->host,
        .port = source->port,
        .version = source->version,
        .mode = source->mode,
        .poll_s = source->poll_s,
        .charset = source->charset,
        .max_object = (size_t)conf->max_object,
        .connect_timeout_s = conf->connect_timeout_s,
        .start_timeout_s = conf->start_timeout_s,
        .idle_probe_s = conf->idle_probe_s,
        .heartbeat_s = conf->heartbeat_s,
        .reset_grace_s = conf->reset_grace_s,
        .keepalive = conf->keepalive,
    };
}

/* On the loop: show the client's status to other threads. */
static void show_status(struct member *member)
{
    struct nrtm_client_status status = {0};

    if (member->client != NULL) {
        nrtm_client_get_status(member->client, &status);
    }
    pthread_mutex_lock(&member->mirror->mutex);
    member->status = status;
    member->has_client = member->client != NULL;
    snprintf(member->peer, sizeof(member->peer), "%.100s:%d",
             member->client != NULL ? member->client_conf.host : "", member->client_conf.port);
    pthread_mutex_unlock(&member->mirror->mutex);
}

static bool is_paused(struct member *member)
{
    bool paused;

    pthread_mutex_lock(&member->mirror->mutex);
    paused = member->pauses > 0;
    pthread_mutex_unlock(&member->mirror->mutex);
    return paused;
}

/* On the loop: the client runs while the source holds data, nobody works on it, and we are not
 * stopping. */
static void settle_member(struct member *member)
{
    struct source_status status;

    if (member->client == NULL) {
        return;
    }
    source_get_status(member->source, &status);
    if (status.state == SOURCE_READY && !is_paused(member) &&
        !atomic_load(&member->mirror->stopping)) {
        nrtm_client_start(member->client);
    } else {
        nrtm_client_stop(member->client);
    }
    show_status(member);
}

/* --- watching the database --- */

/* Did an operator, or another process, move the position or the data? */
static void watch_member(struct member *member)
{
    struct source_status status;
    struct why why;
    bool changed;

    source_get_status(member->source, &status);
    if ((status.state != SOURCE_READY && status.state != SOURCE_EMPTY) || is_paused(member) ||
        (member->client != NULL && nrtm_client_is_in_batch(member->client))) {
        return;
    }
    if (source_sync(member->source, &changed, &why) == ERR_OK && changed &&
        member->client != NULL) {
        nrtm_client_position_moved(member->client);
    }
}

/* --- work for the loop from other threads --- */

struct errand {
    struct loop_job job;
    struct mirror *mirror;
    struct member *member;
    bool done;
};

static void errand_done(struct errand *errand)
{
    pthread_mutex_lock(&errand->mirror->mutex);
    errand->done = true;
    pthread_cond_broadcast(&errand->mirror->woken);
    pthread_mutex_unlock(&errand->mirror->mutex);
}

/* Have run() called on the loop and wait until it was. */
static void run_errand(struct errand *errand, void (*run)(struct loop_job *job))
{
    struct mirror *mirror = errand->mirror;

    errand->job.run = run;
    loop_post(mirror->loop, &errand->job);
    pthread_mutex_lock(&mirror->mutex);
    while (!errand->done) {
        pthread_cond_wait(&mirror->woken, &mirror->mutex);
    }
    pthread_mutex_unlock(&mirror->mutex);
}

static void settle_on_loop(struct loop_job *job)
{
    struct errand *errand = (struct errand *)job;

    settle_member(errand->member);
    errand_done(errand);
}

static void settle_from_outside(struct member *member)
{
    struct errand errand = {.mirror = member->mirror, .member = member};

    if (member->mirror->has_thread) {
        run_errand(&errand, settle_on_loop);
    }
}

static void change_pauses(struct mirror *mirror, const struct source *source, int by)
{
    struct member *member = member_of(mirror, source);

    pthread_mutex_lock(&mirror->mutex);
    member->pauses += by;
    pthread_mutex_unlock(&mirror->mutex);
    settle_from_outside(member);
}

void mirror_pause(struct mirror *mirror, const struct source *source)
{
    change_pauses(mirror, source, 1);
}

void mirror_resume(struct mirror *mirror, const struct source *source)
{
    change_pauses(mirror, source, -1);
}

/* --- opening a source, and its first load --- */

/* Sleep, unless the mirror stops. @return Whether it does. */
static bool wait_or_stop(struct mirror *mirror, int seconds)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += seconds;
    pthread_mutex_lock(&mirror->mutex);
    while (!atomic_load(&mirror->stopping) &&
           pthread_cond_timedwait(&mirror->woken, &mirror->mutex, &until) != ETIMEDOUT) {
    }
    pthread_mutex_unlock(&mirror->mutex);
    return atomic_load(&mirror->stopping);
}

/* @return Whether the source is open; false when the mirror stops before. */
static bool open_source(struct member *member)
{
    char said[600] = "";
    struct why why = {""};
    int wait_s = 1;

    while (source_open(member->source, &why) != ERR_OK) {
        if (strcmp(said, why.text) != 0) {
            snprintf(said, sizeof(said), "%s", why.text);
            log_error(LOG_STORAGE, "%s cannot be opened, trying again: %s",
                      source_name(member->source), why.text);
        }
        if (wait_or_stop(member->mirror, wait_s)) {
            return false;
        }
        wait_s = wait_s * 2 > OPEN_RETRY_MAX_S ? OPEN_RETRY_MAX_S : wait_s * 2;
    }
    return !atomic_load(&member->mirror->stopping);
}

static void say_empty(const struct member *member)
{
    const char *name = source_name(member->source), *upstream = source_upstream(member->source);

    if (source_kind(member->source) == SOURCE_MAIN) {
        log_info(LOG_LOADER, "%s is empty", name);
        return;
    }
    log_warn(
        LOG_LOADER,
        "%s is empty and nrtm.import.%s.dump is not set: nothing is mirrored. Load a dump of %s "
        "and its serial: ./whois.init load %s %s.db.gz --serial-file %s.CURRENTSERIAL",
        name, name, upstream, name, upstream, upstream);
}

/* The configured files. @return false when there are none. */
static bool configured_dump(const struct member *member, struct load_request *request)
{
    const struct current_conf conf = current_conf(member);
    const struct conf_list *files = NULL;

    *request = mirror_load_request(member->mirror, member->source);
    if (source_kind(member->source) == SOURCE_MAIN) {
        files = &conf.all->bootstrap;
    } else if (is_followed(conf.all, conf.source)) {
        files = &conf.source->dump;
        request->serial_file = conf.source->serial[0] != '\0' ? conf.source->serial : NULL;
    }
    if (files == NULL || files->count == 0) {
        return false;
    }
    request->files = files->items;
    request->file_count = files->count;
    return true;
}

static void load_first_dump(struct member *member)
{
    struct load_request request;
    struct load_report report;
    struct why why;

    if (!configured_dump(member, &request)) {
        say_empty(member);
    } else if (mirror_load(member->source, &request, &report, &why) != ERR_OK) {
        log_error(LOG_LOADER, "%s was not loaded: %s; when that is mended: ./whois.init reload %s",
                  source_name(member->source), why.text, source_name(member->source));
    }
}

static void *run_open(void *context)
{
    struct member *member = context;
    struct source_status status;

    if (open_source(member)) {
        source_get_status(member->source, &status);
        if (status.state == SOURCE_EMPTY) {
            load_first_dump(member);
        }
        settle_from_outside(member);
    }
    atomic_store(&member->is_busy, false);
    return NULL;
}

/* The upstream cannot bring us up to date any more: take the dump. */
static void *run_reload(void *context)
{
    struct member *member = context;
    const char *name = source_name(member->source);
    struct load_request request;
    struct load_report report;
    struct why why;

    if (configured_dump(member, &request)) {
        request.is_reset = member->reload_reset;
        mirror_pause(member->mirror, member->source);
        if (mirror_load(member->source, &request, &report, &why) == ERR_OK) {
            atomic_store(&member->reload_failures, 0);
        } else {
            log_error(LOG_LOADER, "%s: the automatic reload failed (%d of %d): %s", name,
                      atomic_fetch_add(&member->reload_failures, 1) + 1, RELOAD_FAILURES_MAX,
                      why.text);
        }
        mirror_resume(member->mirror, member->source);
    }
    atomic_store(&member->is_busy, false);
    return NULL;
}

/* A thread for the member, unless it has one at work. */
static enum err start_worker(struct member *member, void *(*run)(void *context), struct why *why)
{
    int error;

    if (atomic_load(&member->is_busy)) {
        return why_set(why, ERR_BUSY, "%s is being opened or loaded", source_name(member->source));
    }
    if (member->has_worker) {
        pthread_join(member->worker, NULL);
        member->has_worker = false;
    }
    atomic_store(&member->is_busy, true);
    error = pthread_create(&member->worker, NULL, run, member);
    if (error != 0) {
        atomic_store(&member->is_busy, false);
        return why_set(why, ERR_IO, "a thread for %s: %s", source_name(member->source),
                       strerror(error));
    }
    pthread_setname_np(member->worker, "source");
    member->has_worker = true;
    return ERR_OK;
}

/* On the loop: reload a mirror whose upstream has no way back to us, where the operator allows it.
 */
static void reload_if_lost(struct member *member, int64_t now)
{
    const struct current_conf conf = current_conf(member);
    enum nrtm_standing standing = member->status.standing;
    struct why why;

    if (member->client == NULL ||
        (standing != STANDING_EXPIRED && standing != STANDING_RESET_SUSPECTED) ||
        !is_followed(conf.all, conf.source) || /* A new configuration is on its way here. */
        !conf.source->reload_auto || is_paused(member) ||
        atomic_load(&member->reload_failures) >= RELOAD_FAILURES_MAX ||
        (member->reloaded_ms != 0 && now - member->reloaded_ms < RELOAD_EVERY_MS)) {
        return;
    }
    member->reload_reset = standing == STANDING_RESET_SUSPECTED;
    if (start_worker(member, run_reload, &why) == ERR_OK) {
        member->reloaded_ms = now;
        log_warn(LOG_LOADER, "%s is %s: reloading it from its dump (nrtm.import.%s.reload=auto)",
                 source_name(member->source), nrtm_standing_text(standing),
                 source_name(member->source));
    }
}

struct load_request mirror_load_request(const struct mirror *mirror, const struct source *source)
{
    const struct current_conf conf = current_conf(member_of(mirror, source));

    return (struct load_request){
        .serial = -1,
        .charset = conf.source != NULL ? conf.source->charset : CHARSET_LATIN1,
        .max_object = (size_t)conf.all->max_object,
        .cancel = &mirror->stopping,
    };
}

const struct mirror_source_conf *mirror_source_conf_of(const struct mirror *mirror,
                                                       const struct source *source)
{
    return current_conf(member_of(mirror, source)).source;
}

/* --- the loop's ticks --- */

static enum mirror_freshness freshness_of(const struct mirror_conf *conf,
                                          const struct nrtm_client_status *status, int64_t late_ms)
{
    enum nrtm_standing standing = status->standing;

    if (late_ms >= conf->lag_error_s * INT64_C(1000) || standing == STANDING_EXPIRED ||
        standing == STANDING_RESET_SUSPECTED) {
        return STALE;
    }
    return late_ms >= conf->lag_warn_s * INT64_C(1000) ? LATE : FRESH;
}

/* Say so once when a mirror falls behind, falls far behind, and has caught up. */
static void judge_freshness(struct member *member)
{
    const struct mirror *mirror = member->mirror;
    int64_t since_ms = member->status.fresh_ms;
    int64_t late_ms = clock_wall_ms(mirror->clock) - since_ms;
    enum mirror_freshness freshness =
        member->client == NULL ? FRESH
                               : freshness_of(current_conf(member).all, &member->status, late_ms);

    if (freshness == member->freshness) {
        return;
    }
    if (member->client == NULL) {
        log_info(LOG_IMPORTER, "%s is followed no more", source_name(member->source));
    } else if (freshness == FRESH) {
        log_info(LOG_IMPORTER, "%s is up to date again", source_name(member->source));
    } else {
        log_write(freshness == STALE ? LOG_ERROR : LOG_WARN, LOG_IMPORTER,
                  "%s is %s: not up to date for %lld min, state=%s", source_name(member->source),
                  mirror_freshness_text(freshness), (long long)(late_ms / 60000),
                  nrtm_standing_text(member->status.standing));
    }
    member->freshness = freshness;
    if (mirror->on_stale != NULL) {
        mirror->on_stale(mirror->stale_context, member->source, freshness == STALE ? since_ms : 0);
    }
}

static void write_status_file(const struct member *member)
{
    struct mirror *mirror = member->mirror;
    struct mirror_status status;
    struct why why;
    bool failed;

    mirror_get_status(mirror, member->source, &status);
    failed = status_file_write(mirror->status_dir, member->source, &status, &why) != ERR_OK;
    if (failed && !mirror->status_file_failed) { /* Once: the next attempt is 10 s away. */
        log_warn(LOG_IMPORTER, "%s", why.text);
    }
    mirror->status_file_failed = failed;
}

static void on_tick(void *context)
{
    struct mirror *mirror = context;
    int64_t now = clock_mono_ms(mirror->clock);
    bool watches = now - mirror->watched_ms >= WATCH_MS;

    for (size_t i = 0; i < mirror->count; i++) {
        struct member *member = &mirror->members[i];

        if (watches) {
            watch_member(member);
        }
        settle_member(member);
        judge_freshness(member);
        reload_if_lost(member, now);
        source_housekeep(member->source);
        if (watches && mirror->status_dir != NULL && member->client != NULL) {
            write_status_file(member);
        }
    }
    if (watches) {
        mirror->watched_ms = now;
    }
}

/* --- life --- */

enum err mirror_new(const struct mirror_conf *conf, struct storage *storage, const char *status_dir,
                    const struct clock *clock, struct mirror **out, struct why *why)
{
    struct mirror *mirror = calloc(1, sizeof(*mirror));

    if (mirror == NULL) {
        return why_set(why, ERR_MEMORY, "%s", err_text(ERR_MEMORY));
    }
    mirror->conf = conf;
    mirror->storage = storage;
    mirror->clock = clock;
    mirror->status_dir = status_dir != NULL ? str_dup(str_from(status_dir)) : NULL;
    mirror->count = storage_source_count(storage);
    mirror->members = calloc(mirror->count + 1, sizeof(mirror->members[0]));
    pthread_mutex_init(&mirror->mutex, NULL);
    pthread_cond_init(&mirror->woken, NULL);
    if (mirror->members == NULL) {
        mirror_free(mirror);
        return why_set(why, ERR_MEMORY, "%s", err_text(ERR_MEMORY));
    }
    for (size_t i = 0; i < mirror->count; i++) {
        struct member *member = &mirror->members[i];

        member->mirror = mirror;
        member->source = storage_source(storage, i);
        member->conf = find_conf(conf, member->source);
        member->notice = notice_new(member->source, member->conf);
    }
    *out = mirror;
    return ERR_OK;
}

void mirror_free(struct mirror *mirror)
{
    if (mirror == NULL) {
        return;
    }
    for (size_t i = 0; mirror->members != NULL && i < mirror->count; i++) {
        nrtm_client_free(mirror->members[i].client);
        free(mirror->members[i].notice);
    }
    pthread_cond_destroy(&mirror->woken);
    pthread_mutex_destroy(&mirror->mutex);
    loop_free(mirror->loop);
    free(mirror->members);
    free(mirror->status_dir);
    free(mirror);
}

/* On the loop, or before it runs: a client for a mirror whose rows are good. */
static void make_client(struct member *member)
{
    const struct mirror *mirror = member->mirror;
    const struct current_conf conf = current_conf(member);

    if (is_followed(conf.all, conf.source)) {
        member->client_conf = client_conf_of(conf.all, conf.source);
        member->client =
            nrtm_client_new(&member->client_conf, member->source, mirror->loop, mirror->clock);
    }
}

enum err mirror_start(struct mirror *mirror, struct why *why)
{
    enum err rc;

    mirror->loop = loop_new("mirror");
    if (mirror->loop == NULL) {
        return why_set(why, ERR_IO, "no event loop for the mirrors");
    }
    for (size_t i = 0; i < mirror->count; i++) {
        make_client(&mirror->members[i]);
        show_status(&mirror->members[i]);
    }
    mirror->watched_ms = clock_mono_ms(mirror->clock);
    loop_timer_start(mirror->loop, &mirror->tick, 1, 1, on_tick, mirror);
    if ((rc = loop_start_thread(mirror->loop, why)) != ERR_OK) {
        return rc;
    }
    mirror->has_thread = true;
    for (size_t i = 0; rc == ERR_OK && i < mirror->count; i++) {
        rc = start_worker(&mirror->members[i], run_open, why);
    }
    return rc;
}

static void stop_on_loop(struct loop_job *job)
{
    struct errand *errand = (struct errand *)job;
    struct mirror *mirror = errand->mirror;

    loop_timer_stop(&mirror->tick);
    for (size_t i = 0; i < mirror->count; i++) {
        nrtm_client_free(mirror->members[i].client);
        mirror->members[i].client = NULL;
    }
    errand_done(errand);
}

void mirror_cancel_loads(struct mirror *mirror)
{
    if (mirror != NULL) {
        atomic_store(&mirror->stopping, true);
    }
}

void mirror_stop(struct mirror *mirror)
{
    struct errand errand = {.mirror = mirror};

    if (mirror == NULL || !mirror->has_thread) {
        return;
    }
    pthread_mutex_lock(&mirror->mutex);
    atomic_store(&mirror->stopping, true);
    pthread_cond_broadcast(&mirror->woken);
    pthread_mutex_unlock(&mirror->mutex);
    run_errand(&errand, stop_on_loop);
    for (size_t i = 0; i < mirror->count; i++) {
        if (mirror->members[i].has_worker) {
            pthread_join(mirror->members[i].worker, NULL);
        }
    }
    mirror->has_thread = false;
    loop_stop(mirror->loop);
    loop_join(mirror->loop);
}

/* --- a new configuration --- */

static bool same_client(const struct nrtm_client_conf *a, const struct nrtm_client_conf *b)
{
    return strcmp(a->host, b->host) == 0 && a->port == b->port && a->version == b->version &&
           a->mode == b->mode && a->poll_s == b->poll_s && a->charset == b->charset &&
           a->max_object == b->max_object && a->connect_timeout_s == b->connect_timeout_s &&
           a->start_timeout_s == b->start_timeout_s && a->idle_probe_s == b->idle_probe_s &&
           a->heartbeat_s == b->heartbeat_s && a->reset_grace_s == b->reset_grace_s &&
           a->keepalive.idle_s == b->keepalive.idle_s &&
           a->keepalive.interval_s == b->keepalive.interval_s &&
           a->keepalive.count == b->keepalive.count;
}

/* On the loop. */
static void reconfigure_member(struct member *member)
{
    const struct current_conf conf = current_conf(member);
    bool was_followed = member->client != NULL, is_now = is_followed(conf.all, conf.source);
    struct nrtm_client_conf fresh = {0};

    if (is_now) {
        fresh = client_conf_of(conf.all, conf.source);
    }
    if (was_followed && is_now && same_client(&fresh, &member->client_conf)) {
        member->client_conf = fresh; /* Its strings live on. */
        return;
    }
    if (was_followed || is_now) {
        log_info(LOG_CLIENT, "%s is configured anew", source_name(member->source));
    }
    nrtm_client_free(member->client);
    member->client = NULL;
    make_client(member);
    settle_member(member);
    show_status(member);
}

static void reconfigure_on_loop(struct loop_job *job)
{
    struct mirror *mirror = (struct mirror *)((char *)job - offsetof(struct mirror, reconfigure));

    for (size_t i = 0; i < mirror->count; i++) {
        reconfigure_member(&mirror->members[i]);
    }
}

static void warn_of_new_sources(const struct mirror *mirror, const struct mirror_conf *conf)
{
    for (size_t i = 0; i < conf->source_count; i++) {
        if (storage_find(mirror->storage, str_from(conf->sources[i].name)) == NULL) {
            log_warn(LOG_CLIENT, "%s is new: it is mirrored after a restart",
                     conf->sources[i].name);
        }
    }
}

void mirror_reconfigure(struct mirror *mirror, const struct mirror_conf *conf)
{
    pthread_mutex_lock(&mirror->mutex);
    mirror->conf = conf;
    for (size_t i = 0; i < mirror->count; i++) {
        mirror->members[i].conf = find_conf(conf, mirror->members[i].source);
    }
    pthread_mutex_unlock(&mirror->mutex);
    warn_of_new_sources(mirror, conf);
    if (mirror->has_thread) {
        mirror->reconfigure.run = reconfigure_on_loop;
        loop_post(mirror->loop, &mirror->reconfigure);
    }
}

/* --- status --- */

void mirror_on_stale(struct mirror *mirror,
                     void (*hook)(void *context, const struct source *source, int64_t since_ms),
                     void *context)
{
    mirror->on_stale = hook;
    mirror->stale_context = context;
}

static void describe(const struct member *member, const struct source_status *stored,
                     struct mirror_status *out)
{
    static const char *const phrases[STANDING_COUNT] = {
        [STANDING_DISABLED] = "stopped, not following",
        [STANDING_BOOTSTRAP] = "not started with",
        [STANDING_CATCHUP] = "catching up with",
        [STANDING_STREAM] = "following",
        [STANDING_BACKOFF] = "trying again",
        [STANDING_DATABASE] = "waiting for the database, then",
        [STANDING_DENIED] = "refused by",
        [STANDING_EXPIRED] = "too far behind, needs a reload from",
        [STANDING_RESET_SUSPECTED] = "upstream was reset? needs a reload from",
    };
    const struct nrtm_client_status *s = &member->status;
    const char *phrase = phrases[s->standing];

    if (stored->state == SOURCE_EMPTY) {
        phrase = "empty, load a dump of";
    } else if (stored->state == SOURCE_LOADING) {
        phrase = "being loaded, then";
    } else if (stored->state != SOURCE_READY) {
        phrase = "not open yet, then";
    } else if (member->pauses > 0) {
        phrase = "paused for a command, then";
    }
    snprintf(out->text, sizeof(out->text), "%s %.100s", phrase, member->peer);
    snprintf(out->error, sizeof(out->error), "%s", s->error);
}

static void describe_lag(const struct mirror_conf *conf, const struct nrtm_client_status *status,
                         int64_t now, struct mirror_status *out)
{
    int64_t late_ms = now - status->fresh_ms, left = status->upstream_max - status->position;

    out->freshness = freshness_of(conf, status, late_ms);
    out->lag_s = late_ms > 0 ? late_ms / 1000 : 0;
    out->lag_serials = status->upstream_max < 0 ? -1 : left > 0 ? left : 0;
}

const char *mirror_freshness_text(enum mirror_freshness freshness)
{
    static const char *const texts[] = {[FRESH] = "fresh", [LATE] = "late", [STALE] = "stale"};

    return texts[freshness];
}

void mirror_get_status(struct mirror *mirror, const struct source *source,
                       struct mirror_status *out)
{
    struct member *member = member_of(mirror, source);
    struct source_status stored;
    int64_t now = clock_wall_ms(mirror->clock), since;

    *out = (struct mirror_status){0};
    source_get_status(member->source, &stored);
    pthread_mutex_lock(&mirror->mutex);
    if (member->has_client) {
        describe(member, &stored, out);
        describe_lag(mirror->conf, &member->status, now, out);
        out->is_followed = true;
        out->client = member->status;
        snprintf(out->peer, sizeof(out->peer), "%s", member->peer);
        since = now - member->status.standing_since_ms;
        out->is_degraded =
            out->freshness != FRESH ||
            (member->pauses == 0 && member->status.standing != STANDING_STREAM &&
             member->status.standing != STANDING_CATCHUP && since > DEGRADED_AFTER_MS);
    } else if (member->conf != NULL && !member->conf->is_enabled) {
        snprintf(out->text, sizeof(out->text), "disabled by a mistake in its configuration");
        out->is_degraded = true;
    } else {
        snprintf(out->text, sizeof(out->text), "no mirror");
    }
    pthread_mutex_unlock(&mirror->mutex);
}
