/*
 * How a mirror stands: for operators, for programs, for the log.
 */
#include "mirror/member.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "mirror/status_file.h"

enum { DEGRADED_AFTER_MS = 60000 /* A short back-off is everyday life. */ };

/* --- is it fresh? --- */

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

    if (late_ms >= conf->lag_error_s * INT64_C(1000) || nrtm_standing_is_lost(standing)) {
        return STALE;
    }
    return late_ms >= conf->lag_warn_s * INT64_C(1000) ? LATE : FRESH;
}

/* Wall clock: when it was last up to date. Under the mutex. */
static int64_t fresh_since_ms(const struct member *member)
{
    int64_t since_ms = member->has_client ? member->status.fresh_ms : member->taken_wall_ms;

    return since_ms > 0 ? since_ms : member->mirror->begun_wall_ms; /* Nothing is known. */
}

/* Under the mutex. */
static enum mirror_freshness member_freshness(const struct member *member, int64_t now)
{
    const struct current_conf conf = {member->mirror->conf, member->conf};
    int64_t late_ms = now - fresh_since_ms(member);

    if (member->has_client) {
        return freshness_of(conf.all, &member->status, late_ms);
    }
    return member_is_mirrored(conf) && !member_is_followed(conf)
               ? dump_freshness_of(conf.all, conf.source, late_ms)
               : FRESH;
}

void member_judge_freshness(struct member *member)
{
    const struct mirror *mirror = member->mirror;
    int64_t now = clock_wall_ms(mirror->clock), since_ms;
    enum mirror_freshness freshness;
    bool is_followed;

    pthread_mutex_lock(&member->mirror->mutex);
    freshness = member_freshness(member, now);
    since_ms = fresh_since_ms(member);
    is_followed = member->has_client;
    pthread_mutex_unlock(&member->mirror->mutex);
    if (freshness == member->freshness) {
        return;
    }
    if (freshness == FRESH && !is_followed) {
        log_info(LOG_IMPORTER, "%s is not behind any more", source_name(member->source));
    } else if (freshness == FRESH) {
        log_info(LOG_IMPORTER, "%s is up to date again", source_name(member->source));
    } else {
        log_write(freshness == STALE ? LOG_ERROR : LOG_WARN, LOG_IMPORTER,
                  "%s is %s: not up to date for %lld min, state=%s", source_name(member->source),
                  mirror_freshness_text(freshness), (long long)((now - since_ms) / 60000),
                  is_followed ? nrtm_standing_text(member->status.standing) : "dump");
    }
    member->freshness = freshness;
    if (mirror->on_stale != NULL) {
        mirror->on_stale(mirror->stale_context, member->source, freshness == STALE ? since_ms : 0);
    }
}

const char *mirror_freshness_text(enum mirror_freshness freshness)
{
    static const char *const texts[] = {[FRESH] = "fresh", [LATE] = "late", [STALE] = "stale"};

    return texts[freshness];
}

/* --- one phrase --- */

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
        [STANDING_OTHER_SERVER] = "holds another server's serials, needs a reload from",
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

/* A mirror without NRTM. */
static void describe_dump(const struct member *member, const struct source_status *stored,
                          int64_t now, struct mirror_status *out)
{
    const char *phrase = stored->state == SOURCE_EMPTY ? "empty, waits for" : "reloaded from";
    int64_t taken_ms = member->taken_wall_ms;

    if (taken_ms > 0) {
        snprintf(out->text, sizeof(out->text), "%s its dump every %d s, last %lld min ago", phrase,
                 member->conf->refresh_s, (long long)((now - taken_ms) / 60000));
    } else {
        snprintf(out->text, sizeof(out->text), "%s its dump every %d s", phrase,
                 member->conf->refresh_s);
    }
    add_activity(member, out);
    out->is_degraded =
        stored->state == SOURCE_EMPTY || member->schedule.retry_ms != 0 || out->freshness != FRESH;
}

/* --- all of it --- */

/* Of every mirror. */
static void describe_lag(const struct member *member, int64_t now, struct mirror_status *out)
{
    const struct nrtm_client_status *status = &member->status;
    int64_t late_ms = now - fresh_since_ms(member), left = status->upstream_max - status->position;

    out->is_mirrored = true;
    out->freshness = member_freshness(member, now);
    out->lag_s = late_ms > 0 ? late_ms / 1000 : 0;
    out->lag_serials = status->upstream_max < 0 ? -1 : left > 0 ? left : 0;
    out->dump_ms = member->taken_wall_ms;
    snprintf(out->dump_error, sizeof(out->dump_error), "%s", member->refresh_error);
}

static bool is_degraded(const struct member *member, enum mirror_freshness freshness, int64_t now)
{
    enum nrtm_standing standing = member->status.standing;

    return freshness != FRESH ||
           (member->pauses == 0 && standing != STANDING_STREAM && standing != STANDING_CATCHUP &&
            now - member->status.standing_since_ms > DEGRADED_AFTER_MS);
}

void mirror_get_status(struct mirror *mirror, const struct source *source,
                       struct mirror_status *out)
{
    struct member *member = mirror_member(mirror, source);
    struct source_status stored;
    int64_t now = clock_wall_ms(mirror->clock);

    *out = (struct mirror_status){0};
    source_get_status(member->source, &stored);
    pthread_mutex_lock(&mirror->mutex);
    if (member->has_client) {
        describe(member, &stored, out);
        describe_lag(member, now, out);
        out->is_followed = true;
        out->client = member->status;
        snprintf(out->peer, sizeof(out->peer), "%s", member->peer);
        out->is_degraded = is_degraded(member, out->freshness, now);
    } else if (member->conf != NULL && !member->conf->is_enabled) {
        snprintf(out->text, sizeof(out->text), "disabled by a mistake in its configuration");
        out->is_degraded = true;
    } else if (member->conf != NULL && mirror->conf->is_enabled &&
               member->conf->mode == NRTM_MODE_DUMP) {
        describe_lag(member, now, out);
        out->lag_serials = -1;
        describe_dump(member, &stored, now, out);
    } else {
        snprintf(out->text, sizeof(out->text), "no mirror");
    }
    pthread_mutex_unlock(&mirror->mutex);
}

void member_write_status(const struct member *member)
{
    struct mirror *mirror = member->mirror;
    struct mirror_status status;
    struct why why;
    bool failed;

    mirror_get_status(mirror, member->source, &status);
    if (!status.is_mirrored) {
        return;
    }
    failed = status_file_write(mirror->status_dir, member->source, &status, &why) != ERR_OK;
    if (failed && !mirror->status_file_failed) { /* Once: the next attempt is 10 s away. */
        log_warn(LOG_IMPORTER, "%s", why.text);
    }
    mirror->status_file_failed = failed;
}
