/*
 * The daemon: every part of the server, built and taken down in one order.
 *
 * A start: configuration; var/ and the pid lock; ports and control socket; root dropped; query
 * loops, which answer at once; sources opened, each on a thread of the mirror's; streams. A stop is
 * the same backwards: no new connections, answers finished, streams committed, lock released.
 */
#include "config.h" /* Written by configure. */

#include "daemon.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "commands.h"

#define FINISH_ANSWERS_S  30
#define FINISH_SQL_S      30
#define GIVE_BACK_S       10
#define SPARE_DESCRIPTORS 256

/* --- building --- */

/* What can change in a running server. */
static void apply_process_conf(struct daemon *daemon, const struct process_conf *conf)
{
    log_set_level(conf->log_level);
    atomic_store(&daemon->pause_s, conf->shutdown_pause_s);
}

/* Declare one source unless it was declared under another option already. */
static enum err add_source(struct daemon *daemon, enum source_kind kind, const char *name,
                           const char *upstream, struct why *why)
{
    if (storage_find(daemon->storage, str_from(name)) != NULL) {
        return ERR_OK;
    }
    return storage_add(daemon->storage, kind, name, upstream, why) != NULL ? ERR_OK : ERR_SYNTAX;
}

/* Whether a name of grs.sources is another one of the main source's data: it has the main source's
 * name in it and follows no stream. */
static bool is_alias(const struct configuration *configuration, const char *name)
{
    for (size_t i = 0; i < configuration->mirror.source_count; i++) {
        if (str_eq_nocase(str_from(configuration->mirror.sources[i].name), str_from(name))) {
            return false;
        }
    }
    return str_ends_nocase(str_from(name), STR("-GRS")) &&
           strcasestr(name, configuration->query.main_source) != NULL;
}

static enum err declare_sources(struct daemon *daemon, struct why *why)
{
    const struct configuration *configuration = daemon->configuration;
    const struct conf_list *names = &configuration->process.grs_sources;
    enum err rc = add_source(daemon, SOURCE_MAIN, configuration->query.main_source, NULL, why);

    for (size_t i = 0; rc == ERR_OK && i < configuration->mirror.source_count; i++) {
        const struct mirror_source_conf *mirror = &configuration->mirror.sources[i];

        rc = add_source(daemon, SOURCE_MIRROR, mirror->name, mirror->source, why);
    }
    for (size_t i = 0; rc == ERR_OK && i < names->count; i++) {
        if (!is_alias(configuration, names->items[i])) {
            rc = add_source(daemon, SOURCE_MIRROR, names->items[i], NULL, why);
        }
    }
    return rc;
}

/* What the server and a lone command have in common: configuration, var/, lock, sources. */
static enum err build_base(struct daemon *daemon, const char *config_path, struct why *why)
{
    enum err rc;

    daemon->lock_fd = -1;
    rc = process_paths_init(&daemon->paths, config_path, why);
    if (rc == ERR_OK) {
        rc = process_enter_root(&daemon->paths, why);
    }
    if (rc == ERR_OK) {
        rc = configuration_read(daemon->paths.config, &daemon->configuration, why);
    }
    if (rc == ERR_OK) {
        rc = process_find_user(daemon->configuration->process.run_user, &daemon->user, why);
    }
    if (rc == ERR_OK) {
        rc = process_make_var(&daemon->paths, &daemon->user, why);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    daemon->lock_fd = process_lock(&daemon->paths, &daemon->user, why);
    if (daemon->lock_fd < 0) {
        return ERR_BUSY;
    }
    apply_process_conf(daemon, &daemon->configuration->process);
    daemon->configuration->storage.var_dir = daemon->paths.var;
    daemon->storage = storage_new(&daemon->configuration->storage, &system_clock);
    rc = declare_sources(daemon, why);
    return rc;
}

static void free_base(struct daemon *daemon)
{
    storage_free(daemon->storage);
    buf_free(&daemon->alias_names);
    process_unlock(daemon->lock_fd);
    while (daemon->configuration != NULL) {
        struct configuration *older = daemon->configuration->older;

        configuration_free(daemon->configuration);
        daemon->configuration = older;
    }
}

/* --- the server --- */

static enum err build_acl_keeper(struct daemon *daemon, struct why *why)
{
    const struct configuration *configuration = daemon->configuration;

    if (configuration->query.personal_limit >= 0 && configuration->acl.url[0] == '\0') {
        log_warn(LOG_MAIN, "acl.limit without acl.database.url: counts end with the process");
    }
    return acl_keeper_new(&configuration->acl, query_server_acl(daemon->query), &system_clock,
                          &daemon->acl_keeper, why);
}

static bool is_named_before(const struct conf_list *names, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (str_eq_nocase(str_from(names->items[i]), str_from(names->items[index]))) {
            return true;
        }
    }
    return false;
}

/* Rows of the virtual sources. @param main  The main source's, the first of storage. */
static size_t add_aliases(struct daemon *daemon, const struct query_source *main,
                          struct query_source *out)
{
    const struct conf_list *names = &daemon->configuration->process.grs_sources;
    size_t count = 0, size = 0;

    for (size_t i = 0; i < names->count; i++) {
        size += strlen(names->items[i]) + 1;
    }
    buf_reserve(&daemon->alias_names, size); /* So that it stays where it is. */
    for (size_t i = 0; i < names->count; i++) {
        const char *name = daemon->alias_names.at + daemon->alias_names.len;

        if (is_alias(daemon->configuration, names->items[i]) && !is_named_before(names, i)) {
            for (const char *c = names->items[i]; *c != '\0'; c++) {
                buf_add_char(&daemon->alias_names, (char)toupper((unsigned char)*c));
            }
            buf_add_char(&daemon->alias_names, '\0');
            out[count++] = query_source_alias(main, name);
            log_info(LOG_MAIN, "source %s is the data of %s under another name", name, main->name);
        }
    }
    return count;
}

static enum err build_query_server(struct daemon *daemon, struct why *why)
{
    const struct query_conf *conf = &daemon->configuration->query;
    size_t count = storage_source_count(daemon->storage);
    struct query_source *sources;
    size_t alias_count;
    enum err rc;

    if (conf->bind.count == 0) {
        return why_set(why, ERR_SYNTAX, "query.bind is empty: at least one address is needed");
    }
    daemon->query_address = conf->bind.items[0];
    sources = calloc(count + daemon->configuration->process.grs_sources.count, sizeof(*sources));
    if (sources == NULL) {
        return why_set(why, ERR_MEMORY, "%s", err_text(ERR_MEMORY));
    }
    for (size_t i = 0; i < count; i++) {
        struct source *source = storage_source(daemon->storage, i);

        sources[i] = query_source_of(source);
        sources[i].notice = mirror_notice(daemon->mirror, source);
    }
    alias_count = add_aliases(daemon, &sources[0], &sources[count]);
    rc = query_server_new(conf, sources, count + alias_count, &daemon->query, why);
    free(sources);
    if (rc == ERR_OK) {
        rc = build_acl_keeper(daemon, why);
    }
    return rc != ERR_OK ? rc : query_server_listen(daemon->query, why);
}

/* On the mirror loop. */
static void on_stale(void *context, const struct source *source, int64_t since_ms)
{
    struct daemon *daemon = context;

    query_server_set_stale(daemon->query, source_name(source), since_ms);
}

/* Clients' connections and what the server needs besides: databases, upstreams, files. */
static void raise_descriptors(int connections)
{
    uint64_t wanted = connections > 0 ? (uint64_t)connections + SPARE_DESCRIPTORS : 0;
    uint64_t got = process_raise_descriptors(wanted);

    if (got < wanted) {
        log_warn(LOG_MAIN,
                 "%" PRIu64 " open files are allowed (ulimit -n): too few for "
                 "query.connections.max=%d, which needs %" PRIu64,
                 got, connections, wanted);
    }
}

/* Everything that may need root, and everything whose failure the operator should see at once. */
static enum err build_server(struct daemon *daemon, struct why *why)
{
    enum err rc = mirror_new(&daemon->configuration->mirror, daemon->storage, daemon->paths.status,
                             daemon->paths.spool, &system_clock, &daemon->mirror, why);

    raise_descriptors(daemon->configuration->query.connections_total);
    if (rc == ERR_OK) {
        mirror_on_stale(daemon->mirror, on_stale, daemon);
        rc = build_query_server(daemon, why);
    }
    if (rc == ERR_OK) {
        rc = process_drop_root(&daemon->user, why);
    }
    if (rc == ERR_OK) {
        rc = control_open(daemon->paths.control, command_run, daemon, &daemon->control, why);
    }
    if (rc == ERR_OK) {
        rc = log_open(daemon->paths.console, why);
    }
    if (rc == ERR_OK) {
        rc = process_write_pid(daemon->lock_fd, why);
    }
    if (rc == ERR_OK) {
        daemon->main_loop = loop_new("main");
        rc = daemon->main_loop != NULL ? ERR_OK : why_set(why, ERR_IO, "no event loop");
    }
    return rc;
}

static enum err start_server(struct daemon *daemon, struct why *why)
{
    enum err rc = acl_keeper_start(daemon->acl_keeper, why);

    if (rc == ERR_OK) {
        rc = query_server_start(daemon->query, why);
    }
    if (rc == ERR_OK) {
        rc = mirror_start(daemon->mirror, why);
    }
    if (rc == ERR_OK) {
        rc = storage_start_checkpoints(daemon->storage, why);
    }
    if (rc == ERR_OK) {
        rc = storage_start_pruning(daemon->storage, why);
    }
    if (rc == ERR_OK) {
        rc = control_start(daemon->control, why);
    }
    return rc;
}

/* A stop waits for the transactions in flight, but not for a database that does not answer. */
struct sql_limit {
    struct storage *storage;
    int seconds;
    pthread_t thread;
    bool is_running;
    sem_t over; /* Posted when nobody waits for the database any more. */
};

static void *limit_sql(void *arg)
{
    struct sql_limit *limit = arg;
    struct timespec until;
    int rc;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += limit->seconds;
    while ((rc = sem_timedwait(&limit->over, &until)) != 0 && errno == EINTR) {
    }
    if (rc != 0) {
        log_warn(LOG_MAIN, "the database keeps the end waiting for %d s: its connections are cut",
                 limit->seconds);
        storage_cut_off(limit->storage);
    }
    return NULL;
}

static void sql_limit_begin(struct sql_limit *limit, struct storage *storage, int seconds)
{
    limit->storage = storage;
    limit->seconds = seconds;
    sem_init(&limit->over, 0, 0);
    limit->is_running =
        storage != NULL && pthread_create(&limit->thread, NULL, limit_sql, limit) == 0;
}

static void sql_limit_end(struct sql_limit *limit)
{
    if (limit->is_running) {
        sem_post(&limit->over);
        pthread_join(limit->thread, NULL);
    }
    sem_destroy(&limit->over);
}

/* Takes down whatever was built; each part knows NULL. */
static void stop_server(struct daemon *daemon)
{
    struct sql_limit limit;

    /* Answers that nobody reads have their time, and must not cost the streams theirs. */
    sql_limit_begin(&limit, daemon->storage, FINISH_ANSWERS_S + FINISH_SQL_S);
    atomic_store(&daemon->is_stopping, true);
    storage_stop_waiting(daemon->storage);
    mirror_cancel_loads(daemon->mirror);
    control_close(daemon->control); /* Waits for commands, which still need the mirror. */
    if (daemon->query != NULL) {
        query_server_stop(daemon->query, FINISH_ANSWERS_S);
    }
    sql_limit_end(&limit);
    sql_limit_begin(&limit, daemon->storage, FINISH_SQL_S);
    acl_keeper_stop(daemon->acl_keeper); /* Has the last answers' counts. */
    acl_keeper_free(daemon->acl_keeper);
    mirror_stop(daemon->mirror);
    storage_stop_pruning(daemon->storage);
    storage_stop_checkpoints(daemon->storage);
    sql_limit_end(&limit);
    mirror_free(daemon->mirror);
    query_server_free(daemon->query);
    loop_free(daemon->main_loop);
}

static enum err reread_configuration(struct daemon *daemon, struct why *why)
{
    struct configuration *fresh;
    enum err rc = configuration_read(daemon->paths.config, &fresh, why);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = query_server_reconfigure(daemon->query, &fresh->query, why);
    if (rc != ERR_OK) {
        configuration_free(fresh);
        return rc;
    }
    acl_keeper_wake(daemon->acl_keeper);
    mirror_reconfigure(daemon->mirror, &fresh->mirror);
    apply_process_conf(daemon, &fresh->process);
    fresh->older = daemon->configuration; /* Other parts still hold its strings. */
    daemon->configuration = fresh;
    return ERR_OK;
}

enum err daemon_reload(struct daemon *daemon, struct why *why)
{
    enum err rc;

    pthread_mutex_lock(&daemon->reload_lock);
    rc = log_reopen(why);
    if (rc != ERR_OK) {
        log_error(LOG_MAIN, "the log stays where it was: %s", why->text);
    }
    rc = reread_configuration(daemon, why);
    if (rc == ERR_OK) {
        log_info(LOG_MAIN, "configuration re-read");
    } else {
        log_error(LOG_MAIN, "configuration not re-read, the old one stays: %s", why->text);
    }
    pthread_mutex_unlock(&daemon->reload_lock);
    return rc;
}

static void end_main_loop(void *context)
{
    struct daemon *daemon = context;

    loop_stop(daemon->main_loop);
}

/* In the pause the server goes on, for load balancers to learn that it will end. Another signal
 * ends it at once. */
static void on_terminate(struct ev_loop *ev, struct ev_signal *watcher, int revents)
{
    struct daemon *daemon = watcher->data;
    int seconds = daemon->is_pausing ? 0 : atomic_load(&daemon->pause_s);

    log_info(LOG_MAIN, "stopping in %d s: %s", seconds, strsignal(watcher->signum));
    daemon->is_pausing = true;
    loop_timer_start(daemon->main_loop, &daemon->pause, seconds, 0, end_main_loop, daemon);
}

static void on_hangup(struct ev_loop *ev, struct ev_signal *watcher, int revents)
{
    struct why why;
    enum err rc = daemon_reload(watcher->data, &why); /* Logs what went wrong: nobody else asks. */

    (void)rc;
}

static void give_back_memory(void *context)
{
    process_give_back_memory();
}

static void block_signals(int how)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(how, &set, NULL);
}

static void run_main_loop(struct daemon *daemon)
{
    struct ev_loop *ev = loop_ev(daemon->main_loop);
    struct ev_signal signals[3];
    struct loop_timer give_back = {0};

    ev_signal_init(&signals[0], on_terminate, SIGTERM);
    ev_signal_init(&signals[1], on_terminate, SIGINT);
    ev_signal_init(&signals[2], on_hangup, SIGHUP);
    for (size_t i = 0; i < 3; i++) {
        signals[i].data = daemon;
        ev_signal_start(ev, &signals[i]);
    }
    loop_timer_start(daemon->main_loop, &give_back, GIVE_BACK_S, GIVE_BACK_S, give_back_memory,
                     NULL);
    block_signals(SIG_UNBLOCK);
    loop_run(daemon->main_loop);
    loop_timer_stop(&give_back);
    loop_timer_stop(&daemon->pause);
    for (size_t i = 0; i < 3; i++) {
        ev_signal_stop(ev, &signals[i]);
    }
}

int daemon_run(const char *config_path, bool in_background)
{
    struct daemon daemon = {.lock_fd = -1, .reload_lock = PTHREAD_MUTEX_INITIALIZER};
    struct why why;
    enum err rc = in_background ? process_daemonize(&why) : ERR_OK;

    block_signals(SIG_BLOCK); /* Only the main loop takes them: threads inherit this. */
    if (rc == ERR_OK) {
        rc = build_base(&daemon, config_path, &why);
    }
    if (rc == ERR_OK) {
        rc = build_server(&daemon, &why);
    }
    if (rc == ERR_OK) {
        log_info(LOG_MAIN, "whoisd %s started, pid %d, port %d, root %s", PACKAGE_VERSION,
                 (int)getpid(), query_server_port(daemon.query), daemon.paths.root);
        rc = start_server(&daemon, &why);
    }
    if (rc != ERR_OK) {
        fprintf(stderr, "whoisd: %s\n", why.text);
        log_error(LOG_MAIN, "not started: %s", why.text);
        stop_server(&daemon);
        free_base(&daemon);
        return EXIT_FAILURE;
    }
    process_daemon_ready();
    run_main_loop(&daemon);
    stop_server(&daemon);
    log_info(LOG_MAIN, "stopped");
    free_base(&daemon);
    return EXIT_SUCCESS;
}

int daemon_run_alone(const char *config_path, size_t count, char **words)
{
    struct daemon daemon = {.lock_fd = -1, .reload_lock = PTHREAD_MUTEX_INITIALIZER};
    struct control_out out = {.fd = STDOUT_FILENO, .is_raw = true};
    struct why why;
    int exit_code = EXIT_FAILURE;
    enum err rc = build_base(&daemon, config_path, &why);

    if (rc == ERR_OK) {
        rc = process_drop_root(&daemon.user, &why);
    }
    if (rc == ERR_OK) {
        rc = log_open(daemon.paths.console, &why); /* The terminal is for what the command says. */
    }
    if (rc == ERR_OK) {
        rc = mirror_new(&daemon.configuration->mirror, daemon.storage, daemon.paths.status,
                        daemon.paths.spool, &system_clock, &daemon.mirror, &why);
    }
    if (rc == ERR_OK) {
        exit_code = command_run(&daemon, count, words, &out);
        storage_stop_checkpoints(daemon.storage);
    } else {
        fprintf(stderr, "whoisd: %s\n", why.text);
    }
    mirror_free(daemon.mirror);
    free_base(&daemon);
    return exit_code;
}
