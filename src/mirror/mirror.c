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
#include "mirror/download.h"
#include "mirror/notice.h"

enum {
    WATCH_MS = 10000, /* Compare every source with its database. */
    SLICE_US = 500    /* The loop mostly waits; what it wakes for, somebody waits for. */
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
        .aliases = source->aliases,
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
    if (status.standing == STANDING_STREAM) {
        source_note_fresh(member->source, status.fresh_ms / 1000);
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

/* --- asking an NRTM server, for a worker --- */

struct asking {
    struct errand errand;
    struct asking *next; /* Of the mirror's. */
    struct nrtm_probe *probe;
    int64_t newest;
};

static void end_asking(struct asking *asking, int64_t newest)
{
    struct asking **link = &asking->errand.mirror->asking;

    while (*link != asking) {
        link = &(*link)->next;
    }
    *link = asking->next;
    asking->newest = newest;
    errand_done(&asking->errand);
}

static void on_newest(void *context, int64_t newest)
{
    end_asking(context, newest);
}

static void ask_on_loop(struct loop_job *job)
{
    struct asking *asking = (struct asking *)job;
    struct mirror *mirror = asking->errand.mirror;
    const struct member *member = asking->errand.member;
    const struct nrtm_client_conf *conf = &member->client_conf;

    asking->next = mirror->asking;
    mirror->asking = asking;
    if (member->client == NULL || atomic_load(&mirror->stopping)) {
        end_asking(asking, NRTM_PROBE_NO_ANSWER);
        return;
    }
    asking->probe = nrtm_probe_start(&mirror->probes, mirror->loop, conf->host, conf->port,
                                     source_upstream(member->source), &conf->keepalive,
                                     conf->connect_timeout_s, on_newest, asking);
    if (asking->probe == NULL) {
        end_asking(asking, MEMBER_ASK_LATER);
    }
}

int64_t member_ask_newest(struct member *member)
{
    struct asking asking = {
        .errand = {.mirror = member->mirror, .member = member},
          .newest = NRTM_PROBE_NO_ANSWER
    };

    if (member->mirror->has_thread) {
        run_errand(&asking.errand, ask_on_loop);
    }
    return asking.newest;
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
        member_judge_freshness(member);
        member_refresh_when_due(member);
        source_housekeep(member->source);
        if (watches && mirror->status_dir != NULL) {
            member_write_status(member);
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
    mirror->begun_wall_ms = clock_wall_ms(clock);
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
        member->taken_wall_ms = download_time_s(spool_dir, source_name(member->source)) * 1000;
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
    loop_set_slice(mirror->loop, SLICE_US);
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
    while (mirror->asking != NULL) {
        nrtm_probe_cancel(mirror->asking->probe);
        end_asking(mirror->asking, NRTM_PROBE_NO_ANSWER);
    }
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

void mirror_on_stale(struct mirror *mirror,
                     void (*hook)(void *context, const struct source *source, int64_t since_ms),
                     void *context)
{
    mirror->on_stale = hook;
    mirror->stale_context = context;
}

/* --- a new configuration --- */

static bool same_client(const struct nrtm_client_conf *a, const struct nrtm_client_conf *b)
{
    return strcmp(a->host, b->host) == 0 && strcmp(a->aliases, b->aliases) == 0 &&
           a->port == b->port && a->version == b->version && a->mode == b->mode &&
           a->poll_s == b->poll_s && a->charset == b->charset && a->max_object == b->max_object &&
           a->connect_timeout_s == b->connect_timeout_s &&
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
