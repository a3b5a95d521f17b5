/*
 * A source's life: declared, opened, kept in step with its database, closed.
 *
 * The writer lock is a state under a mutex, not a mutex held: a batch keeps it between calls of an
 * event loop, and a load keeps it for minutes, during which the others are told ERR_BUSY instead of
 * being made to wait. The status has a mutex of its own that nobody holds across SQL, so that
 * asking for it never waits for the database.
 */
#include "storage/source_parts.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"

enum { FRESH_LATE_S = 60 /* Being up to date is not written more often. */ };

/* --- configuration --- */
#define AT(field) offsetof(struct storage_conf, field)

const struct conf_key storage_conf_keys[] = {
    {"whois.db.master.url",         conf_text,    AT(master_url),          NULL,
     "database of the main source: jdbc:mariadb://HOST[:PORT]/DATABASE[?localSocket=PATH]"                          },
    {"whois.db.master.username",    conf_text,    AT(username),            "dbint",          "user of all databases"},
    {"whois.db.master.password",    conf_text,    AT(password),            "",               "its password"         },
    {"whois.db.slave.url",          conf_text,    AT(slave_url),           NULL,             "accepted, not used"   },
    {"whois.db.slave.username",     conf_text,    AT(slave_username),      NULL,             "accepted, not used"   },
    {"whois.db.slave.password",     conf_text,    AT(slave_password),      NULL,             "accepted, not used"   },
    {"whois.db.grs.master.baseurl", conf_text,    AT(grs_base_url),        NULL,
     "databases of the mirrors: _SOURCE is appended to the path"                                                    },
    {"whois.db.grs.slave.baseurl",  conf_text,    AT(slave_grs_base_url),  NULL,             "accepted, not used"   },
    {"mirror.db.name.check",        conf_bool,    AT(check_names),         "true",
     "a mirror's database must be called ..._MIRROR_..._GRS, or contain \"test\""                                   },
    {"checkpoint.enabled",          conf_bool,    AT(checkpoint_enabled),  "true",
     "keep a copy of the index for the next start"                                                                  },
    {"checkpoint.dir",              conf_text,    AT(checkpoint_dir),      "var/checkpoint",
     "where; must be there and writable"                                                                            },
    {"checkpoint.period",           conf_seconds, AT(checkpoint_period_s), "900",
     "between two, when something changed; seconds"                                                                 },
    {"checkpoint.stop.sec",         conf_seconds, AT(checkpoint_stop_s),   "5",
     "a stop waits so long for a last one; 0: none"                                                                 },
    {"mirror.answers.wait.sec",     conf_seconds, AT(answers_wait_s),      "30",
     "updates wait so long for answers that keep too much memory of old versions"                                   },
    {"nrtm.prune.days",             conf_days,    AT(prune_s),             "0",
     "rows of history and serials that are older are deleted; 0: never"                                             },
    {NULL,                          NULL,         0,                       NULL,             NULL                   },
};

static const char *copy_text(const char *text)
{
    return text == NULL ? NULL : str_dup(str_from(text));
}

static void copy_conf(struct storage_conf *out, const struct storage_conf *conf)
{
    *out = *conf;
    out->master_url = copy_text(conf->master_url);
    out->username = copy_text(conf->username);
    out->password = copy_text(conf->password);
    out->grs_base_url = copy_text(conf->grs_base_url);
    out->var_dir = copy_text(conf->var_dir);
    out->checkpoint_dir = copy_text(conf->checkpoint_dir);
    out->slave_url = out->slave_username = out->slave_password = out->slave_grs_base_url = NULL;
}

/* --- life --- */
struct storage *storage_new(const struct storage_conf *conf, const struct clock *clock)
{
    struct storage *storage = calloc(1, sizeof(*storage));

    if (storage == NULL) {
        abort();
    }
    copy_conf(&storage->conf, conf);
    storage->clock = clock;
    pthread_mutex_init(&storage->lock, NULL);
    sql_group_init(&storage->connections);
    pthread_cond_init(&storage->stopping, NULL);
    pthread_cond_init(&storage->pruning.stopping, NULL);
    storage->patience.left_ms = conf->answers_wait_s * INT64_C(1000);
    storage->has_build_id = build_id(storage->build);
    return storage;
}

static void source_free(struct source *source)
{
    idle_readers_fini(&source->idle_readers);
    read_ahead_stop(&source->read_ahead);
    sql_close(source->sql);
    index_free(source->index);
    pthread_mutex_destroy(&source->writer_mutex);
    pthread_cond_destroy(&source->writer_gone);
    pthread_mutex_destroy(&source->status_mutex);
    pthread_mutex_destroy(&source->checkpoint.mutex);
    free(source);
}

void storage_free(struct storage *storage)
{
    if (storage == NULL) {
        return;
    }
    for (size_t i = 0; i < storage->source_count; i++) {
        source_free(storage->sources[i]);
    }
    free(storage->sources);
    free((char *)storage->conf.master_url);
    free((char *)storage->conf.username);
    free((char *)storage->conf.password);
    free((char *)storage->conf.grs_base_url);
    free((char *)storage->conf.var_dir);
    free((char *)storage->conf.checkpoint_dir);
    pthread_cond_destroy(&storage->stopping);
    pthread_cond_destroy(&storage->pruning.stopping);
    pthread_mutex_destroy(&storage->lock);
    sql_group_fini(&storage->connections);
    free(storage);
}

void storage_cut_off(struct storage *storage)
{
    sql_group_cut(&storage->connections);
}

void storage_stop_waiting(struct storage *storage)
{
    if (storage != NULL) {
        atomic_store(&storage->is_impatient, true);
    }
}

static bool name_is_good(const char *name, size_t size)
{
    size_t len = strlen(name);

    return len > 0 && len < size &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == len;
}

static void copy_upper(char *out, const char *name)
{
    size_t i = 0;

    for (; name[i] != '\0'; i++) {
        out[i] = (char)toupper((unsigned char)name[i]);
    }
    out[i] = '\0';
}

/** The guard of the reference against loading into a production database. */
static bool is_mirror_name(const char *database)
{
    const char *mirror = strcasestr(database, "_mirror_");

    return strcasestr(database, "test") != NULL ||
           (mirror != NULL && strlen(mirror) > sizeof("_mirror_") &&
            strcasestr(mirror + sizeof("_mirror_"), "_grs") != NULL);
}

/** The mirror's database: the base URL's path, `_`, and the name with `_` for `-`. */
static enum err append_name(struct jdbc_url *url, const char *name, struct why *why)
{
    const size_t len = strlen(url->database);
    int more = snprintf(url->database + len, sizeof(url->database) - len, "_%s", name);

    if (more < 0 || (size_t)more >= sizeof(url->database) - len) {
        return why_set(why, ERR_SYNTAX, "%s: the database's name becomes too long", name);
    }
    for (char *c = url->database + len; *c != '\0'; c++) {
        *c = *c == '-' ? '_' : *c;
    }
    return ERR_OK;
}

static enum err find_database(const struct storage *storage, enum source_kind kind,
                              const char *name, struct jdbc_url *out, struct why *why)
{
    const bool is_mirror = kind == SOURCE_MIRROR;
    const char *url = is_mirror ? storage->conf.grs_base_url : storage->conf.master_url;
    enum err rc;

    if (url == NULL) {
        return why_set(why, ERR_SYNTAX, "source %s needs %s", name,
                       is_mirror ? "whois.db.grs.master.baseurl" : "whois.db.master.url");
    }
    rc = jdbc_parse(url, out, why);
    if (rc == ERR_OK && is_mirror) {
        rc = append_name(out, name, why);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    if (strspn(out->database,
               "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_$-") !=
        strlen(out->database)) {
        return why_set(why, ERR_SYNTAX, "%s: a database's name has letters, digits, _ and $",
                       out->database);
    }
    if (is_mirror && storage->conf.check_names && !is_mirror_name(out->database)) {
        return why_set(
            why, ERR_SYNTAX,
            "%s: a mirror's database is called ..._MIRROR_..._GRS, so that none is loaded "
            "into another's; mirror.db.name.check=false allows any name",
            out->database);
    }
    return ERR_OK;
}

struct source *storage_add(struct storage *storage, enum source_kind kind, const char *name,
                           const char *upstream, struct why *why)
{
    struct source *source = calloc(1, sizeof(*source));
    struct source **grown =
        reallocarray(storage->sources, storage->source_count + 1, sizeof(*grown));

    if (source == NULL || grown == NULL) {
        abort();
    }
    storage->sources = grown;
    upstream = upstream == NULL ? name : upstream;
    if (!name_is_good(name, sizeof(source->name)) ||
        !name_is_good(upstream, sizeof(source->upstream))) {
        (void)why_set(why, ERR_SYNTAX, "%s: a source's name has letters, digits, - and _",
                      log_quote(str_from(name)).text);
        free(source);
        return NULL;
    }
    copy_upper(source->name, name);
    copy_upper(source->upstream, upstream);
    if (storage_find(storage, str_from(source->name)) != NULL) {
        (void)why_set(why, ERR_SYNTAX, "source %s is declared twice", source->name);
        free(source);
        return NULL;
    }
    if (find_database(storage, kind, source->name, &source->url, why) != ERR_OK) {
        free(source);
        return NULL;
    }
    source->storage = storage;
    source->kind = kind;
    source->index = index_new(source->name);
    pthread_mutex_init(&source->writer_mutex, NULL);
    pthread_cond_init(&source->writer_gone, NULL);
    pthread_mutex_init(&source->status_mutex, NULL);
    idle_readers_init(&source->idle_readers);
    pthread_mutex_init(&source->checkpoint.mutex, NULL);
    storage->sources[storage->source_count++] = source;
    return source;
}

size_t storage_source_count(const struct storage *storage)
{
    return storage->source_count;
}

struct source *storage_source(const struct storage *storage, size_t i)
{
    return storage->sources[i];
}

struct source *storage_find(const struct storage *storage, struct str name)
{
    for (size_t i = 0; i < storage->source_count; i++) {
        if (str_eq_nocase(str_from(storage->sources[i]->name), name)) {
            return storage->sources[i];
        }
    }
    return NULL;
}

const char *source_name(const struct source *source)
{
    return source->name;
}

const char *source_upstream(const struct source *source)
{
    return source->upstream;
}

enum source_kind source_kind(const struct source *source)
{
    return source->kind;
}

struct index *source_index(const struct source *source)
{
    return source->index;
}

uint32_t source_now(const struct source *source)
{
    return (uint32_t)(clock_wall_ms(source->storage->clock) / 1000);
}

uint64_t random_number(void)
{
    uint64_t number = 0;

    while (number == 0) {
        if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number)) {
            abort();
        }
        number >>= 1; /* Fits a signed column too. */
    }
    return number;
}

/* --- the writer lock --- */
enum err source_lock(struct source *source, enum writer as, struct why *why)
{
    enum err rc = ERR_OK;

    pthread_mutex_lock(&source->writer_mutex);
    while (source->writer != WRITER_NONE) {
        if (source->writer == WRITER_LOAD || pthread_equal(source->writer_thread, pthread_self())) {
            rc = why_set(why, ERR_BUSY, "source %s is %s", source->name,
                         source->writer == WRITER_LOAD ? "being loaded" : "being updated");
            break;
        }
        pthread_cond_wait(&source->writer_gone, &source->writer_mutex);
    }
    if (rc == ERR_OK) {
        source->writer = as;
        source->writer_thread = pthread_self();
    }
    pthread_mutex_unlock(&source->writer_mutex);
    return rc;
}

bool source_try_lock(struct source *source, enum writer as)
{
    bool taken;

    pthread_mutex_lock(&source->writer_mutex);
    taken = source->writer == WRITER_NONE;
    if (taken) {
        source->writer = as;
        source->writer_thread = pthread_self();
    }
    pthread_mutex_unlock(&source->writer_mutex);
    return taken;
}

void source_unlock(struct source *source)
{
    pthread_mutex_lock(&source->writer_mutex);
    assert(source->writer != WRITER_NONE);
    source->writer = WRITER_NONE;
    pthread_cond_broadcast(&source->writer_gone);
    pthread_mutex_unlock(&source->writer_mutex);
}

/* --- status --- */
void source_get_status(struct source *source, struct source_status *out)
{
    pthread_mutex_lock(&source->status_mutex);
    *out = source->status;
    pthread_mutex_unlock(&source->status_mutex);
}

void source_get_contents(struct source *source, struct index_contents *out,
                         struct index_memory *memory)
{
    pthread_mutex_lock(&source->status_mutex);
    *out = source->contents;
    *memory = source->memory;
    pthread_mutex_unlock(&source->status_mutex);
}

enum err source_check_open(struct source *source, struct why *why)
{
    struct source_status status;

    source_get_status(source, &status);
    return status.state == SOURCE_CLOSED || status.state == SOURCE_OPENING ||
                   status.state == SOURCE_FAILED
               ? why_set(why, ERR_BUSY, "source %s is not open", source->name)
               : ERR_OK;
}

enum err source_check_writable(struct source *source, struct why *why)
{
    struct source_status status;

    source_get_status(source, &status);
    return status.read_only
               ? why_set(why, ERR_BUSY,
                         "source %s is read-only until it is taken over: whoisd --adopt %s",
                         source->name, source->name)
               : source_check_open(source, why);
}

void source_get_position(struct source *source, struct source_position *out)
{
    pthread_mutex_lock(&source->status_mutex);
    *out = (struct source_position){
        .applied = source->shown.applied,
        .hw = source->shown.hw,
        .position_known = source->shown.known,
        .read_only = source->status.read_only,
    };
    pthread_mutex_unlock(&source->status_mutex);
}

void source_set_state(struct source *source, enum source_state state)
{
    pthread_mutex_lock(&source->status_mutex);
    source->status.state = state;
    source->status.percent = 0;
    pthread_mutex_unlock(&source->status_mutex);
}

void source_set_percent(struct source *source, int percent)
{
    pthread_mutex_lock(&source->status_mutex);
    source->status.percent = percent;
    pthread_mutex_unlock(&source->status_mutex);
}

void source_set_objects(struct source *source, uint64_t objects)
{
    pthread_mutex_lock(&source->status_mutex);
    source->status.objects = objects;
    pthread_mutex_unlock(&source->status_mutex);
}

void source_add_objects(struct source *source, int64_t more)
{
    pthread_mutex_lock(&source->status_mutex);
    source->status.objects += (uint64_t)more;
    source->status.state = source->status.objects == 0 ? SOURCE_EMPTY : SOURCE_READY;
    pthread_mutex_unlock(&source->status_mutex);
}

enum err source_sql_done(struct source *source, enum err rc, const struct why *why)
{
    pthread_mutex_lock(&source->status_mutex);
    source->status.database_down = rc == ERR_SQL_LOST;
    if (rc == ERR_OK) {
        source->status.error[0] = '\0';
    } else {
        snprintf(source->status.error, sizeof(source->status.error), "%.*s",
                 (int)sizeof(source->status.error) - 1, why->text);
    }
    pthread_mutex_unlock(&source->status_mutex);
    if (rc == ERR_SQL_LOST) {
        sql_close(source->sql);
        source->sql = NULL;
    }
    return rc;
}

void source_set_position(struct source *source, struct position position)
{
    source->position = position;
    pthread_mutex_lock(&source->status_mutex);
    source->shown = position;
    source->status.serial = position.applied;
    source->status.hw = position.hw;
    pthread_mutex_unlock(&source->status_mutex);
}

void source_set_stale(struct source *source, int64_t since_ms)
{
    source->stale_since_ms = since_ms;
    pthread_mutex_lock(&source->status_mutex);
    source->status.stale_since_ms = since_ms;
    pthread_mutex_unlock(&source->status_mutex);
}

void source_publish(struct source *source)
{
    index_publish(source->index, (index_position){
                                     .serial = source->position.applied,
                                     .hw = source->position.hw,
                                     .generation = source->position.generation,
                                     .stale_since_ms = source->stale_since_ms,
                                 });
    pthread_mutex_lock(&source->status_mutex);
    index_get_contents(source->index, &source->contents);
    pthread_mutex_unlock(&source->status_mutex);
}

void source_note_state(struct source *source, const char *state, const char *error)
{
    pthread_mutex_lock(&source->status_mutex);
    source->note.is_pending = true;
    snprintf(source->note.state, sizeof(source->note.state), "%s", state == NULL ? "" : state);
    snprintf(source->note.error, sizeof(source->note.error), "%s", error == NULL ? "" : error);
    pthread_mutex_unlock(&source->status_mutex);
    if (source_try_lock(source, WRITER_SHORT)) {
        source_write_note(source);
        source_unlock(source);
    }
}

void source_note_server(struct source *source, const struct source_server *server)
{
    pthread_mutex_lock(&source->status_mutex);
    source->note.is_pending = true; /* With the state, which is noted all the time. */
    source->server = *server;
    pthread_mutex_unlock(&source->status_mutex);
}

void source_note_fresh(struct source *source, int64_t time_s)
{
    pthread_mutex_lock(&source->status_mutex);
    if (time_s > source->bond.fresh_time_s) {
        source->bond.fresh_time_s = time_s;
        source->note.is_pending |= time_s - source->fresh_written_s >= FRESH_LATE_S;
    }
    pthread_mutex_unlock(&source->status_mutex);
}

void source_get_bond(struct source *source, struct source_bond *out)
{
    pthread_mutex_lock(&source->status_mutex);
    *out = source->bond;
    pthread_mutex_unlock(&source->status_mutex);
}

/* --- connection --- */
enum err source_connect_new(const struct source *source, struct sql **out, struct why *why)
{
    const struct storage_conf *conf = &source->storage->conf;

    return sql_connect(&source->url, conf->username, conf->password, source->url.database,
                       &source->storage->connections, out, why);
}

enum err source_connect(struct source *source, struct why *why)
{
    return source->sql != NULL ? ERR_OK : source_connect_new(source, &source->sql, why);
}

/* --- open --- */
/** After the tables are there: undo an unfinished load, honour an edit made while we were down. */
static enum err settle_position(struct source *source, struct why *why)
{
    struct database_position found;
    struct position position;
    enum err rc = position_read(source, source->sql, &found, why);

    if (rc == ERR_OK && found.is_loading) {
        rc = tables_undo_load(source, source->sql, why);
    }
    if (rc != ERR_OK || (rc = sql_begin(source->sql, why)) != ERR_OK) {
        return rc;
    }
    rc = position_lock(source->sql, why);
    if (rc == ERR_OK) {
        rc = position_read(source, source->sql, &found, why);
    }
    if (rc == ERR_OK) {
        rc = position_follow_edit(source, source->sql, &found, &position, why);
    }
    if (rc == ERR_OK) {
        rc = sql_commit(source->sql, why);
    }
    if (rc != ERR_OK) {
        sql_rollback(source->sql);
    }
    return rc;
}

enum err source_count_quarantined(struct source *source, struct why *why)
{
    int64_t count = 0;
    enum err rc =
        sql_select_number(source->sql, &count, why,
                          "SELECT COUNT(*) FROM nrtm_quarantine WHERE mirror = '%s'", source->name);

    pthread_mutex_lock(&source->status_mutex);
    source->status.quarantined = (uint64_t)count;
    pthread_mutex_unlock(&source->status_mutex);
    return rc;
}

/* A load that was killed behind its publication left them out. Queries do not need them. It takes
 * minutes, so others who want to write are told so from here on: they wait on loops. */
static enum err add_missing_keys(struct source *source, struct why *why)
{
    bool has_keys;
    enum err rc = tables_have_keys(source->sql, &has_keys, why);

    if (rc != ERR_OK || has_keys) {
        return rc;
    }
    pthread_mutex_lock(&source->writer_mutex);
    source->writer = WRITER_LOAD;
    pthread_cond_broadcast(&source->writer_gone);
    pthread_mutex_unlock(&source->writer_mutex);
    return tables_add_keys(source->sql, why);
}

static enum err open_locked(struct source *source, struct why *why)
{
    enum err rc;

    source_set_state(source, SOURCE_OPENING);
    rc = tables_prepare(source, why);
    if (rc == ERR_OK) {
        rc = settle_position(source, why);
    }
    if (rc == ERR_OK) {
        rc = source_count_quarantined(source, why);
    }
    if (rc == ERR_OK) {
        rc = source_restore(source, why);
        rc = rc == ERR_NOT_FOUND ? source_rebuild(source, why) : rc;
    }
    if (rc == ERR_SQL_LOST) {
        source_serve_stale(source);
    }
    if (rc != ERR_OK) {
        source_set_state(source, rc == ERR_SQL_LOST ? SOURCE_CLOSED : SOURCE_FAILED);
        sql_close(source->sql);
        source->sql = NULL;
        return rc;
    }
    source->is_open = true;
    rc = add_missing_keys(source, why);
    if (rc != ERR_OK) {
        log_warn(LOG_STORAGE, "%s: secondary keys could not be added: %s", source->name, why->text);
    }
    return ERR_OK;
}

enum err source_open(struct source *source, struct why *why)
{
    enum err rc = source_lock(source, WRITER_SHORT, why);

    if (rc != ERR_OK) {
        return rc;
    }
    if (!source->is_open) {
        rc = source_sql_done(source, open_locked(source, why), why);
    }
    source_unlock(source);
    return rc;
}

/* --- keeping in step --- */
/**
 * Somebody wrote, or an operator edited `serials`. Higher serials are replayed. A lower one is only
 * a new position when nrtm_state still says what we wrote; else the database was restored or reset,
 * and everything is read again.
 */
static enum err catch_up(struct source *source, const struct database_position *found,
                         struct position position, struct why *why)
{
    const bool is_other_data = found->generation != source->position.generation ||
                               (found->max_serial < source->position.applied &&
                                found->applied != source->position.applied);

    if (source->must_rebuild || is_other_data) {
        log_info(LOG_STORAGE, "%s: the database was changed by somebody else, reading it again",
                 source->name);
        return source_rebuild(source, why);
    }
    if (found->max_serial > source->position.applied) {
        return source_replay(source, position, why);
    }
    source_set_position(source, position);
    index_begin(source->index);
    source_publish(source);
    return ERR_OK;
}

static enum err sync_locked(struct source *source, struct why *why)
{
    struct database_position found;
    struct position position = {0};
    enum err rc = source_connect(source, why);

    if (rc != ERR_OK || (rc = position_read(source, source->sql, &found, why)) != ERR_OK) {
        return rc;
    }
    if (found.is_loading || (!source->in_doubt && position_is_ours(source, &found))) {
        return ERR_OK; /* Somebody else's first load is looked at when it has ended. */
    }
    /* Under the lock a transaction of ours whose end we did not see has ended. */
    rc = sql_begin(source->sql, why);
    if (rc == ERR_OK) {
        rc = position_lock(source->sql, why);
    }
    if (rc == ERR_OK) {
        rc = position_read(source, source->sql, &found, why);
    }
    if (rc == ERR_OK) {
        rc = position_follow_edit(source, source->sql, &found, &position, why);
    }
    if (rc == ERR_OK && found.max_serial < source->position.applied &&
        position.generation == source->position.generation) {
        position.generation = random_number(); /* Restored from a backup: serials come again. */
        rc = position_write(source, source->sql, position, found.batch, why);
    }
    if (rc == ERR_OK) {
        rc = sql_commit(source->sql, why);
    }
    if (rc != ERR_OK) {
        sql_rollback(source->sql);
        return rc;
    }
    rc = catch_up(source, &found, position, why);
    if (rc == ERR_OK) {
        source->in_doubt = source->must_rebuild = false;
    }
    return rc;
}

enum err source_sync(struct source *source, bool *changed, struct why *why)
{
    struct position before;
    enum err rc = source_check_open(source, why);

    *changed = false;
    if (rc != ERR_OK) {
        return rc;
    }
    if (source_lock(source, WRITER_SHORT, why) != ERR_OK) {
        return ERR_OK; /* A batch of this thread or a load: each looks for itself, under the lock.
                        */
    }
    before = source->position;
    rc = source_sql_done(source, sync_locked(source, why), why);
    *changed = rc == ERR_OK &&
               (before.applied != source->position.applied || before.hw != source->position.hw ||
                before.generation != source->position.generation);
    if (rc == ERR_OK) {
        source_write_note(source);
    }
    source_unlock(source);
    return rc;
}

static void show_memory(struct source *source)
{
    struct index_memory memory;

    index_memory(source->index, &memory);
    pthread_mutex_lock(&source->status_mutex);
    source->memory = memory;
    pthread_mutex_unlock(&source->status_mutex);
}

void source_compact(struct source *source)
{
    enum err rc;

    /* While much waits for readers it would only add to that. */
    if (!index_wants_compaction(source->index) || source_keeps_too_much(source)) {
        return;
    }
    index_begin(source->index);
    rc = index_compact_step(source->index);
    if (rc == ERR_OK) {
        source->compaction_failure = ERR_OK;
        source_publish(source);
        return;
    }
    index_rollback(source->index);
    if (rc != source->compaction_failure) { /* Once: it is tried again every second. */
        log_error(LOG_STORAGE, "%s: the memory of old texts cannot be won back: %s", source->name,
                  err_text(rc));
        source->compaction_failure = rc;
    }
}

void source_housekeep(struct source *source)
{
    if (!source_try_lock(source, WRITER_SHORT)) {
        return;
    }
    if (source->is_open) {
        source_compact(source);
        (void)index_collect(source->index);
        index_give_back(source->index);
        show_memory(source);
        read_ahead_rest(source);
    }
    source_unlock(source);
}
