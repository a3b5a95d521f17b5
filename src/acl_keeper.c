/*
 * The keeper's thread. A round that fails gives back what it took, so that the next one writes it;
 * the spell is logged when it begins and when it ends.
 */
#include "acl_keeper.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"

#define DAY_MS       INT64_C(86400000)
#define NIGHT_MS     INT64_C(60000) /* The nightly work begins this long before midnight. */
#define OVERLAP_S    60     /* Counts are written this long before they can be read, at most. */
#define FIRST_READ_S 172800 /* All of today's. */
#define LAST_ROUND_S 10     /* At a stop. */

struct acl_keeper {
    struct acl_conf conf;
    struct acl *acl;
    const struct clock *clock;
    struct acl_store *store; /* NULL: no tables. */

    pthread_t thread;
    bool is_running;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool is_stopping, is_woken; /* Under the lock. */

    /* The thread's. */
    bool is_failing;
    bool has_news; /* Rules that were not logged yet. */
    size_t denied, limits, proxies;
    int64_t read_ms; /* Monotonic time of the last reading of counts; 0: none yet. */
    int64_t night;   /* The last one whose work is done; 0: none yet. */
    uint64_t lost;   /* As logged. */
    size_t bad_prefix_count;
    char bad_prefix[64]; /* One of them. */
};

/* --- rules in --- */

struct rules_reading {
    struct acl_rules rules;
    size_t bad_count;
    char bad[64];
};

static void take_rule(void *context, const struct acl_row *row)
{
    struct rules_reading *reading = context;
    struct acl_rules *rules = &reading->rules;
    struct ip_range range;

    if (ip_parse(row->prefix, &range) != ERR_OK) {
        size_t len =
            row->prefix.len < sizeof(reading->bad) ? row->prefix.len : sizeof(reading->bad) - 1;

        memcpy(reading->bad, row->prefix.at, len);
        reading->bad[len] = '\0';
        reading->bad_count++;
        return;
    }
    switch (row->table) {
    case ACL_TABLE_DENIED:
        address_list_add(&rules->denied, &range, 0);
        break;
    case ACL_TABLE_PROXY:
        address_list_add(&rules->proxies, &range, 0);
        break;
    case ACL_TABLE_LIMIT:
        address_list_add(&rules->limits, &range, row->limit);
        address_list_add(&rules->connections, &range, row->any_connections);
        break;
    }
}

static enum err read_rules(struct acl_keeper *keeper, struct why *why)
{
    struct rules_reading reading = {0};
    enum err rc = acl_store_read_rules(keeper->store, take_rule, &reading, why);

    if (rc != ERR_OK) {
        acl_rules_free(&reading.rules);
        return rc;
    }
    keeper->denied = reading.rules.denied.count;
    keeper->limits = reading.rules.limits.count;
    keeper->proxies = reading.rules.proxies.count;
    keeper->has_news |= acl_set_rules_take(keeper->acl, &reading.rules);
    if (reading.bad_count != keeper->bad_prefix_count ||
        strcmp(reading.bad, keeper->bad_prefix) != 0) {
        keeper->bad_prefix_count = reading.bad_count;
        memcpy(keeper->bad_prefix, reading.bad, sizeof(reading.bad));
        if (reading.bad_count > 0) {
            log_warn(LOG_QUERY, "access control: %zu rows are ignored, %s is no address or prefix",
                     reading.bad_count, log_quote(str_from(reading.bad)).text);
        }
    }
    return ERR_OK;
}

/* --- counts and blocks out --- */

static struct acl_change *make_changes(const struct acl_tally *tallies, size_t count)
{
    struct acl_change *changes = calloc(count + 1, sizeof(*changes));
    char text[IP_TEXT_MAX];

    if (changes == NULL) {
        abort();
    }
    for (size_t i = 0; i < count; i++) {
        size_t len = ip_format_prefix(&tallies[i].client, text);

        memcpy(changes[i].prefix, text, len + 1); /* A /32 or a /64: 43 bytes at most. */
        changes[i].day = tallies[i].day;
        changes[i].number = tallies[i].objects;
    }
    return changes;
}

static enum err write_changes(struct acl_keeper *keeper, struct why *why)
{
    struct acl_tally *counts, *blocks;
    size_t count_count = acl_take_counts(keeper->acl, &counts);
    size_t block_count = acl_take_blocks(keeper->acl, &blocks);
    struct acl_change *count_changes = make_changes(counts, count_count);
    struct acl_change *block_changes = make_changes(blocks, block_count);
    enum err rc =
        acl_store_write(keeper->store, count_changes, count_count, block_changes, block_count, why);

    if (rc != ERR_OK) {
        acl_return_counts(keeper->acl, counts, count_count);
        acl_return_blocks(keeper->acl, blocks, block_count);
    }
    free(counts);
    free(blocks);
    free(count_changes);
    free(block_changes);
    return rc;
}

/* --- counts in --- */

struct counts_reading {
    struct acl *acl;
    int32_t day;
};

static void take_count(void *context, struct str prefix, uint64_t objects)
{
    struct counts_reading *reading = context;
    struct acl_tally tally = {.day = reading->day,
                              .objects = objects > UINT32_MAX ? UINT32_MAX : (uint32_t)objects};

    if (ip_parse(prefix, &tally.client) == ERR_OK) {
        acl_set_count(reading->acl, &tally);
    }
}

/* Other servers' counts, and after a start our own. */
static enum err read_counts(struct acl_keeper *keeper, struct why *why)
{
    struct counts_reading reading = {keeper->acl, acl_day(keeper->acl)};
    int64_t now_ms = clock_mono_ms(keeper->clock), seconds = FIRST_READ_S;
    enum err rc;

    if (keeper->read_ms != 0) {
        seconds = (now_ms - keeper->read_ms) / 1000 + OVERLAP_S;
    }
    rc = acl_store_read_counts(keeper->store, reading.day, seconds, take_count, &reading, why);
    if (rc == ERR_OK) {
        keeper->read_ms = now_ms;
    }
    return rc;
}

/* --- rounds --- */

/* Before the rules are read, so that they hold who is denied by it. */
static enum err work_at_night(struct acl_keeper *keeper, struct why *why)
{
    int64_t now_ms = clock_wall_ms(keeper->clock), night = (now_ms + NIGHT_MS) / DAY_MS;
    enum err rc;

    if (night == keeper->night) {
        return ERR_OK;
    }
    rc = acl_store_clean(keeper->store, now_ms / 1000, why);
    if (rc == ERR_OK) {
        keeper->night = night;
    }
    return rc;
}

static void report(struct acl_keeper *keeper, enum err rc, const struct why *why)
{
    uint64_t lost = acl_lost(keeper->acl);

    if (rc != ERR_OK && !keeper->is_failing) {
        log_warn(LOG_QUERY, "access control goes on without its tables: %s", why->text);
    } else if (rc == ERR_OK && keeper->is_failing) {
        log_info(LOG_QUERY, "access control has its tables again");
    }
    keeper->is_failing = rc != ERR_OK;
    if (rc == ERR_OK && keeper->has_news) {
        log_info(LOG_QUERY, "access control denied=%zu limits=%zu proxies=%zu", keeper->denied,
                 keeper->limits, keeper->proxies);
        keeper->has_news = false;
    }
    if (lost != keeper->lost) {
        log_warn(LOG_QUERY, "access control: counts of %llu clients were lost, there are too many",
                 (unsigned long long)(lost - keeper->lost));
        keeper->lost = lost;
    }
}

static void run_round(struct acl_keeper *keeper)
{
    struct why why;
    enum err rc = acl_store_open(keeper->store, &why);

    if (rc == ERR_OK) {
        rc = write_changes(keeper, &why);
    }
    if (rc == ERR_OK) {
        rc = work_at_night(keeper, &why);
    }
    if (rc == ERR_OK) {
        rc = read_rules(keeper, &why);
    }
    if (rc == ERR_OK) {
        rc = read_counts(keeper, &why);
    }
    report(keeper, rc, &why);
}

/* @return false when it is time to end. */
static bool wait_for_round(struct acl_keeper *keeper)
{
    struct timespec until;
    bool goes_on;
    int rc = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += keeper->conf.refresh_s > 0 ? keeper->conf.refresh_s : 1;
    pthread_mutex_lock(&keeper->lock);
    while (!keeper->is_stopping && !keeper->is_woken && rc != ETIMEDOUT) {
        rc = pthread_cond_timedwait(&keeper->wake, &keeper->lock, &until);
    }
    keeper->is_woken = false;
    goes_on = !keeper->is_stopping;
    pthread_mutex_unlock(&keeper->lock);
    return goes_on;
}

static void *run(void *argument)
{
    struct acl_keeper *keeper = argument;

    do {
        run_round(keeper);
    } while (wait_for_round(keeper));
    run_round(keeper); /* What was counted since. */
    return NULL;
}

/* --- life --- */

enum err acl_keeper_new(const struct acl_conf *conf, struct acl *acl, const struct clock *clock,
                        struct acl_keeper **out, struct why *why)
{
    struct acl_keeper *keeper = calloc(1, sizeof(*keeper));
    pthread_condattr_t monotonic;

    if (keeper == NULL) {
        abort();
    }
    keeper->conf = *conf;
    keeper->acl = acl;
    keeper->clock = clock;
    keeper->has_news = true;
    if (conf->url[0] != '\0' && acl_store_new(&keeper->conf, &keeper->store, why) != ERR_OK) {
        free(keeper);
        return ERR_SYNTAX;
    }
    pthread_mutex_init(&keeper->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&keeper->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *out = keeper;
    return ERR_OK;
}

enum err acl_keeper_start(struct acl_keeper *keeper, struct why *why)
{
    if (keeper->store == NULL) {
        return ERR_OK;
    }
    if (pthread_create(&keeper->thread, NULL, run, keeper) != 0) {
        return why_set(why, ERR_IO, "the system refuses a thread for access control");
    }
    keeper->is_running = true;
    return ERR_OK;
}

static void signal_keeper(struct acl_keeper *keeper, bool stop)
{
    pthread_mutex_lock(&keeper->lock);
    keeper->is_woken = true;
    keeper->is_stopping |= stop;
    pthread_cond_signal(&keeper->wake);
    pthread_mutex_unlock(&keeper->lock);
}

void acl_keeper_wake(struct acl_keeper *keeper)
{
    if (keeper != NULL) {
        signal_keeper(keeper, false);
    }
}

void acl_keeper_stop(struct acl_keeper *keeper)
{
    if (keeper != NULL && keeper->is_running) {
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += LAST_ROUND_S;
        signal_keeper(keeper, true);
        if (pthread_timedjoin_np(keeper->thread, NULL, &until) != 0) {
            log_warn(LOG_QUERY, "the database hangs: the last counts of access control are lost");
            acl_store_cut(keeper->store);
            pthread_join(keeper->thread, NULL);
        }
        keeper->is_running = false;
    }
}

void acl_keeper_free(struct acl_keeper *keeper)
{
    if (keeper != NULL) {
        acl_store_free(keeper->store);
        pthread_mutex_destroy(&keeper->lock);
        pthread_cond_destroy(&keeper->wake);
        free(keeper);
    }
}
