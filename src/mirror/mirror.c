/*
 * The set of mirrors.
 *
 * Three kinds of threads meet here. The mirror loop owns the clients and the ticks: what it decides
 * about a mirror it decides in settle_member(). Each source has a worker now and then (refresh.c):
 * a thread that opens it, downloads and loads its dump, and ends. Commands come from threads of the
 * control socket: they pause a mirror, work on its source, and resume it. What other threads may
 * see of a member is under the mutex.
 */
#include "mirror/member.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "mirror/notice.h"
#include "mirror/status_file.h"

enum {
    WATCH_MS = 10000,          /* Compare every source with its database. */
    DEGRADED_AFTER_MS = 60000, /* A short back-off is everyday life. */
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

struct member *mirror_member(const struct mirror *mirror, const struct source *source)
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

struct current_conf member_conf(const struct member *member)
{
    struct mirror *mirror = member->mirror;
    struct current_conf current;

    pthread_mutex_lock(&mirror->mutex);
    current = (struct current_conf){mirror->conf, member->conf};
    pthread_mutex_unlock(&mirror->mutex);
    return current;
}

bool member_is_mirrored(struct current_conf conf)
{
    return conf.all->is_enabled && conf.source != NULL && conf.source->is_enabled;
}

bool member_is_followed(struct current_conf conf)
{
    return member_is_mirrored(conf) && conf.source->mode != NRTM_MODE_DUMP;
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

void member_settle_from_outside(struct member *member)
{
    struct errand errand = {.mirror = member->mirror, .member = member};

    if (member->mirror->has_thread) {
        run_errand(&errand, settle_on_loop);
    }
}

static void change_pauses(struct mirror *mirror, const struct source *source, int by)
{
    struct member *member = mirror_member(mirror, source);

    pthread_mutex_lock(&mirror->mutex);
    member->pauses += by;
    pthread_mutex_unlock(&mirror->mutex);
    member_settle_from_outside(member);
}

void mirror_pause(struct mirror *mirror, const struct source *source)
{
    change_pauses(mirror, source, 1);
}

void mirror_resume(struct mirror *mirror, const struct source *source)
{
    change_pauses(mirror, source, -1);
}

/* --- the loop's ticks --- */

/* A mirror without NRTM is as fresh as its dump: two that are missed are late, four are stale. */
static enum mirror_freshness dump_freshness_of(const struct mirror_conf *conf,
                                               const struct mirror_source_conf *source,
                                               int64_t late_ms)
{
    int64_t late_s = late_ms / 1000 - 2 * (int64_t)source->refresh_s;

    return late_s >= 2 * (int64_t)source->refresh_s + conf->lag_error_s ? STALE
           : late_s >= conf->lag_warn_s                                 ? LATE
                                                                        : FRESH;
}

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

static enum mirror_freshness member_freshness(const struct member *member, int64_t late_ms)
{
    const struct current_conf conf = member_conf(member);

    if (member->client != NULL) {
        return freshness_of(conf.all, &member->status, late_ms);
    }
    return member_is_mirrored(conf) && !member_is_followed(conf)
               ? dump_freshness_of(conf.all, conf.source, late_ms)
               : FRESH;
}

static int64_t taken_wall_ms(struct member *member)
{
    int64_t taken_ms;

    pthread_mutex_lock(&member->mirror->mutex);
    taken_ms = member->taken_wall_ms;
    pthread_mutex_unlock(&member->mirror->mutex);
    return taken_ms;
}

/* Say so once when a mirror falls behind, falls far behind, and has caught up. */
static void judge_freshness(struct member *member)
{
    const struct mirror *mirror = member->mirror;
    int64_t since_ms = member->client != NULL ? member->status.fresh_ms : taken_wall_ms(member);
    int64_t late_ms = clock_wall_ms(mirror->clock) - since_ms;
    enum mirror_freshness freshness = member_freshness(member, late_ms);

    if (freshness == member->freshness) {
        return;
    }
    if (freshness == FRESH && member->client == NULL) {
        log_info(LOG_IMPORTER, "%s is not behind any more", source_name(member->source));
    } else if (freshness == FRESH) {
        log_info(LOG_IMPORTER, "%s is up to date again", source_name(member->source));
    } else {
        log_write(freshness == STALE ? LOG_ERROR : LOG_WARN, LOG_IMPORTER,
                  "%s is %s: not up to date for %lld min, state=%s", source_name(member->source),
                  mirror_freshness_text(freshness), (long long)(late_ms / 60000),
                  member->client != NULL ? nrtm_standing_text(member->status.standing) : "dump");
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
        member_refresh_when_due(member);
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

/* The same for a name at every start: its audit comes at the same time each night. */
static unsigned seed_of(const char *name)
{
    unsigned seed = 5381;

    for (; *name != '\0'; name++) {
        seed = seed * 33 + (unsigned char)*name;
    }
    return seed;
}

enum err mirror_new(const struct mirror_conf *conf, struct storage *storage, const char *status_dir,
                    const char *spool_dir, const struct clock *clock, struct mirror **out,
                    struct why *why)
{
    struct mirror *mirror = calloc(1, sizeof(*mirror));

    if (mirror == NULL) {
        return why_set(why, ERR_MEMORY, "%s", err_text(ERR_MEMORY));
    }
    mirror->conf = conf;
    mirror->storage = storage;
    mirror->clock = clock;
    mirror->status_dir = status_dir != NULL ? str_dup(str_from(status_dir)) : NULL;
    mirror->spool_dir = spool_dir != NULL ? str_dup(str_from(spool_dir)) : NULL;
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
        member->taken_wall_ms = clock_wall_ms(clock);
        member->schedule.seed = seed_of(source_name(member->source));
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
    free(mirror->spool_dir);
    free(mirror);
}

/* On the loop, or before it runs: a client for a mirror whose rows are good. */
static void make_client(struct member *member)
{
    const struct mirror *mirror = member->mirror;
    const struct current_conf conf = member_conf(member);

    if (member_is_followed(conf)) {
        member->client_conf = client_conf_of(conf.all, conf.source);
        member->client_conf.probes = &member->mirror->probes;
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
        rc = member_start_opening(&mirror->members[i], why);
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
    const struct current_conf conf = member_conf(member);
    bool was_followed = member->client != NULL, is_now = member_is_followed(conf);
    struct nrtm_client_conf fresh = {0};

    if (is_now) {
        fresh = client_conf_of(conf.all, conf.source);
        fresh.probes = &member->mirror->probes;
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

/* What is being downloaded or loaded besides. */
static void add_activity(const struct member *member, struct mirror_status *out)
{
    size_t used = strlen(out->text);

    if (member->activity[0] != '\0') {
        snprintf(out->text + used, sizeof(out->text) - used, "; %s", member->activity);
    }
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
    add_activity(member, out);
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
    struct member *member = mirror_member(mirror, source);
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
    } else if (member->conf != NULL && mirror->conf->is_enabled &&
               member->conf->mode == NRTM_MODE_DUMP) {
        since = (now - member->taken_wall_ms) / 60000;
        snprintf(out->text, sizeof(out->text), "%s its dump every %d s, last %lld min ago",
                 stored.state == SOURCE_EMPTY ? "empty, waits for" : "reloaded from",
                 member->conf->refresh_s, (long long)since);
        add_activity(member, out);
        out->is_degraded = stored.state == SOURCE_EMPTY || member->schedule.retry_ms != 0;
    } else {
        snprintf(out->text, sizeof(out->text), "no mirror");
    }
    pthread_mutex_unlock(&mirror->mutex);
}
