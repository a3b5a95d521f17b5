/*
 * What a source's own thread does: open the source, bring its dump here, load it.
 *
 * A thread per source and occasion, so that a slow dump server or a long load holds up nobody else.
 * The stream goes on during a download and rests during the load. Nothing is touched before the
 * dump is here, whole, and plausible.
 */
#include "mirror/member.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "mirror/download.h"
#include "mirror/quarantine.h"

enum { OPEN_RETRY_MAX_S = 30 };

/* --- opening --- */

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

/* --- requests --- */

struct load_request mirror_load_request(struct mirror *mirror, const struct source *source)
{
    struct member *member = mirror_member(mirror, source);
    const struct current_conf conf = member_conf(member);

    return (struct load_request){
        .serial = -1,
        .charset = conf.source != NULL ? conf.source->charset : CHARSET_LATIN1,
        .max_object = (size_t)conf.all->max_object,
        .has_stream = source_kind(source) == SOURCE_MIRROR &&
                      (conf.source == NULL || conf.source->mode != NRTM_MODE_DUMP),
        .fetch = conf.all->fetch,
        .cancel = &mirror->stopping,
    };
}

/* The configured files. @return false when there are none. */
static bool configured_dump(const struct member *member, struct load_request *request)
{
    const struct current_conf conf = member_conf(member);
    const struct conf_list *files = NULL;

    *request = mirror_load_request(member->mirror, member->source);
    if (source_kind(member->source) == SOURCE_MAIN) {
        files = &conf.all->bootstrap;
    } else if (member_is_mirrored(conf)) {
        files = &conf.source->dump;
        request->asks_serial = conf.source->asks_serial;
        request->serial_file = conf.source->serial[0] != '\0' && !conf.source->asks_serial
                                   ? conf.source->serial
                                   : NULL;
    }
    if (files == NULL || files->count == 0) {
        return false;
    }
    request->files = files->items;
    request->file_count = files->count;
    return true;
}

const struct mirror_source_conf *mirror_source_conf_of(const struct mirror *mirror,
                                                       const struct source *source)
{
    return member_conf(mirror_member(mirror, source)).source;
}

/* --- refreshing --- */

/** A request on its way: lines of progress are shown in the status, too. */
struct refreshing {
    struct member *member;
    const struct load_request *wanted;
};

static void show_activity(struct member *member, const char *line)
{
    const char *name = source_name(member->source);
    size_t length = strlen(name);

    /* The status names the source already. */
    if (strncmp(line, name, length) == 0 && strncmp(line + length, ": ", 2) == 0) {
        line += length + 2;
    }
    pthread_mutex_lock(&member->mirror->mutex);
    snprintf(member->activity, sizeof(member->activity), "%.190s", line);
    pthread_mutex_unlock(&member->mirror->mutex);
}

static void on_progress(void *context, const char *line)
{
    struct refreshing *refreshing = context;

    show_activity(refreshing->member, line);
    if (refreshing->wanted->on_progress != NULL) {
        refreshing->wanted->on_progress(refreshing->wanted->context, line);
    }
}

static enum err load_local(struct member *member, const struct load_request *local,
                           struct load_report *report, struct why *why)
{
    enum err rc;

    mirror_pause(member->mirror, member->source);
    rc = mirror_load(member->source, local, report, why);
    mirror_resume(member->mirror, member->source);
    return rc;
}

/* Before the download: serials that come meanwhile are in the dump, or come again. */
static enum err ask_serial(struct member *member, int64_t *serial, struct why *why)
{
    const char *name = source_name(member->source);
    int64_t newest = member_ask_newest(member);

    while (newest == MEMBER_ASK_LATER && !wait_or_stop(member->mirror, 1)) {
        newest = member_ask_newest(member);
    }
    if (atomic_load(&member->mirror->stopping)) {
        return why_set(why, ERR_STOPPED, "%s: stopped", name);
    }
    if (newest < 0) {
        return why_set(why, ERR_IO,
                       "%s: the NRTM server did not tell its newest serial (nrtm.import.%s.serial="
                       "nrtm)",
                       name, name);
    }
    log_info(LOG_LOADER, "%s: the dump is taken as of serial %lld, the NRTM server's newest", name,
             (long long)newest);
    *serial = newest;
    return ERR_OK;
}

static enum err refresh_source(struct mirror *mirror, struct source *source,
                               const struct load_request *request, struct load_report *report,
                               struct why *why)
{
    struct member *member = mirror_member(mirror, source);
    struct refreshing refreshing = {member, request};
    struct load_request watched = *request;
    struct download *download = NULL;
    char spool[2300];
    enum err rc;

    *report = (struct load_report){0};
    watched.on_progress = on_progress;
    watched.context = &refreshing;
    if (mirror->spool_dir != NULL) {
        snprintf(spool, sizeof(spool), "%.2200s/%s", mirror->spool_dir, source_name(source));
        watched.spool = spool;
    }
    rc = watched.asks_serial ? ask_serial(member, &watched.serial, why) : ERR_OK;
    if (rc == ERR_OK) {
        rc = download_run(source, &watched, &download, why);
    }
    if (rc != ERR_OK) {
        show_activity(member, "");
        return rc;
    }
    if (download_is_unchanged(download)) {
        log_info(LOG_LOADER, "%s: the dump is the one loaded last", source_name(source));
    } else {
        rc = load_local(member, download_local(download), report, why);
    }
    if (rc == ERR_OK) {
        pthread_mutex_lock(&mirror->mutex);
        member->taken_wall_ms = clock_wall_ms(mirror->clock);
        pthread_mutex_unlock(&mirror->mutex);
    }
    download_free(download, rc == ERR_OK);
    show_activity(member, "");
    return rc;
}

enum err mirror_refresh_by_hand(struct mirror *mirror, struct source *source,
                                const struct load_request *request, struct load_report *report,
                                struct why *why)
{
    struct member *member = mirror_member(mirror, source);
    enum err rc = refresh_source(mirror, source, request, report, why);

    if (rc == ERR_OK) {
        pthread_mutex_lock(&mirror->mutex);
        schedule_by_hand(&member->schedule, clock_mono_ms(mirror->clock));
        pthread_mutex_unlock(&mirror->mutex);
    }
    return rc;
}

/* --- refreshes that come by themselves --- */

static const char *kind_text(enum refresh_kind kind)
{
    static const char *const texts[] = {
        [REFRESH_NONE] = "refresh",          [REFRESH_FIRST] = "first load",
        [REFRESH_LOST] = "automatic reload", [REFRESH_DUMP] = "scheduled reload",
        [REFRESH_AUDIT] = "audit",           [REFRESH_FAR] = "reload in place of a backlog",
    };
    return texts[kind];
}

/* What was done is remembered; what failed is told with its next time. */
static void settle_refresh(struct member *member, enum refresh_kind kind, enum err rc,
                           const struct why *why)
{
    struct mirror *mirror = member->mirror;
    const char *name = source_name(member->source);
    struct schedule after;

    pthread_mutex_lock(&mirror->mutex);
    schedule_done(&member->schedule, kind, rc != ERR_OK, clock_mono_ms(mirror->clock));
    after = member->schedule;
    snprintf(member->refresh_error, sizeof(member->refresh_error), "%.290s",
             rc == ERR_OK || rc == ERR_STOPPED || kind == REFRESH_FAR ? "" : why->text);
    pthread_mutex_unlock(&mirror->mutex);
    if (rc == ERR_STOPPED) {
        log_info(LOG_LOADER, "%s: the %s was stopped", name, kind_text(kind));
    } else if (rc != ERR_OK && kind == REFRESH_FAR) {
        log_info(LOG_LOADER, "%s: the backlog is streamed: %s", name, why->text);
    } else if (rc != ERR_OK) {
        log_error(LOG_LOADER,
                  "%s: the %s failed, the next attempt comes in %lld min (or ./whois.init reload "
                  "%s): %s",
                  name, kind_text(kind), (long long)(after.delay_ms / 60000), name, why->text);
    } else if (kind == REFRESH_LOST && after.heals == SCHEDULE_HEALS_MAX) {
        log_warn(
            LOG_LOADER,
            "%s: this was automatic reload %d in a row; when it does not help either, the next "
            "one is yours: ./whois.init reload %s",
            name, after.heals, name);
    }
}

static void refresh(struct member *member, enum refresh_kind kind)
{
    struct load_request request;
    struct load_report report;
    struct why why = {""};
    enum err rc;

    if (!configured_dump(member, &request)) {
        return; /* A new configuration came first. */
    }
    request.is_reset = kind == REFRESH_LOST && member->is_reset;
    request.audit = kind == REFRESH_AUDIT;
    request.is_automatic = true;
    request.if_changed = kind == REFRESH_DUMP;
    request.least_serial = kind == REFRESH_FAR ? member->far_serial : 0;
    rc = refresh_source(member->mirror, member->source, &request, &report, &why);
    settle_refresh(member, kind, rc, &why);
}

static void rest(void *context, bool rests)
{
    struct member *member = context;

    if (rests) {
        mirror_pause(member->mirror, member->source);
    } else {
        mirror_resume(member->mirror, member->source);
    }
}

/* Whatever is still in quarantine, once more. */
static void retry_quarantine(struct member *member)
{
    const struct quarantine_stream stream = {rest, member, member->mirror->clock};
    struct load_request request = mirror_load_request(member->mirror, member->source);
    struct source_status status;

    source_get_status(member->source, &status);
    if (status.quarantined > 0 && status.state == SOURCE_READY && !status.read_only) {
        mirror_retry_quarantine(member->source, &request, &stream);
    }
}

static void *run_open(void *context)
{
    struct member *member = context;
    struct source_status status;
    struct load_request request;

    if (open_source(member)) {
        source_get_status(member->source, &status);
        if (status.state == SOURCE_EMPTY && configured_dump(member, &request)) {
            refresh(member, REFRESH_FIRST);
        } else if (status.state == SOURCE_EMPTY) {
            say_empty(member);
        } else {
            retry_quarantine(member);
        }
        member_settle_from_outside(member);
    }
    atomic_store(&member->is_busy, false);
    return NULL;
}

static void *run_refresh(void *context)
{
    struct member *member = context;

    refresh(member, member->kind);
    retry_quarantine(member);
    member_settle_from_outside(member);
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

enum err member_start_opening(struct member *member, struct why *why)
{
    return start_worker(member, run_open, why);
}

/* On the loop: serials that the upstream is ahead. */
static int64_t backlog_of(const struct member *member)
{
    return member->status.upstream_max - member->status.position;
}

/* On the loop: what the schedule looks at. */
static struct schedule_view view_of(struct member *member)
{
    const struct current_conf conf = member_conf(member);
    enum nrtm_standing standing = member->status.standing;
    struct source_status stored;
    struct load_request request;
    struct schedule_view view = {.audit_minute = -1};

    source_get_status(member->source, &stored);
    view.has_dump = configured_dump(member, &request);
    view.is_empty = stored.state == SOURCE_EMPTY;
    view.is_ready = stored.state == SOURCE_READY;
    if (conf.source != NULL) {
        view.has_stream = member_is_followed(conf);
        view.has_serial = request.serial_file != NULL; /* A server's is newer than the dump. */
        view.is_far = view.has_stream && conf.all->backlog_reload > 0 &&
                      standing == STANDING_CATCHUP && backlog_of(member) > conf.all->backlog_reload;
        view.may_heal = conf.source->reload == RELOAD_AUTO;
        view.is_lost = member->client != NULL && nrtm_standing_is_lost(standing);
        view.is_streaming = member->client != NULL && standing == STANDING_STREAM;
        view.refresh_s = conf.source->refresh_s;
        view.audit_minute = conf.all->audit_minute;
    }
    return view;
}

static void say_begin(const struct member *member, enum refresh_kind kind)
{
    const char *name = source_name(member->source);

    if (kind == REFRESH_FAR) {
        log_info(
            LOG_LOADER,
            "%s is %lld serials behind (mirror.backlog.reload): taking its dump, if that is of "
            "serial %lld or later",
            name, (long long)backlog_of(member), (long long)member->far_serial);
    } else if (kind == REFRESH_LOST) {
        log_warn(LOG_LOADER, "%s is %s: reloading it from its dump (nrtm.import.%s.reload=auto)",
                 name, nrtm_standing_text(member->status.standing), name);
    } else {
        log_info(LOG_LOADER, "%s: %s begins", name, kind_text(kind));
    }
}

void member_refresh_when_due(struct member *member)
{
    struct mirror *mirror = member->mirror;
    struct schedule_view view;
    enum refresh_kind kind;
    bool is_paused;
    struct why why;

    if (atomic_load(&member->is_busy)) {
        return;
    }
    view = view_of(member);
    pthread_mutex_lock(&mirror->mutex);
    kind = schedule_due(&member->schedule, &view, clock_mono_ms(mirror->clock),
                        clock_wall_ms(mirror->clock) / 1000);
    is_paused = member->pauses > 0;
    pthread_mutex_unlock(&mirror->mutex);
    if (kind == REFRESH_NONE || is_paused || atomic_load(&mirror->stopping)) {
        return;
    }
    member->kind = kind;
    member->is_reset = member->status.standing == STANDING_RESET_SUSPECTED ||
                       member->status.standing == STANDING_OTHER_SERVER;
    /* It has to save most of the way. */
    member->far_serial = member->status.position + backlog_of(member) / 2;
    if (start_worker(member, run_refresh, &why) == ERR_OK) {
        say_begin(member, kind);
    }
}
