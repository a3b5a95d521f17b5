/*
 * The daemon: every part of the server hangs off one struct, built and taken down in one order.
 * A lone command (no server running) builds the same struct without listeners and loops.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "acl_keeper.h"
#include "configuration.h"
#include "control.h"
#include "net/loop.h"
#include "process.h"

struct daemon {
    struct process_paths paths;
    struct run_user user;
    int lock_fd;
    pthread_mutex_t reload_lock; /**< For configuration, which only grows. */
    struct configuration *configuration;
    struct storage *storage;
    struct query_server *query;    /**< NULL in a lone command. */
    struct acl_keeper *acl_keeper; /**< NULL in a lone command. */
    const char *query_address;     /**< The first that it listens on. */
    struct buf alias_names;        /**< Of virtual sources, upper case, NUL-terminated. */
    struct mirror *mirror;
    struct control *control; /**< NULL in a lone command. */
    struct loop *main_loop;  /**< NULL in a lone command. */
    atomic_int pause_s;      /**< shutdown.pause.sec */
    struct loop_timer pause; /**< Between the signal to end and the end. */
    bool is_pausing;
    atomic_bool is_stopping; /**< Commands that wait give up. */
};

/**
 * Run the server in the foreground or the background, until SIGTERM or SIGINT.
 * @param config_path  The properties file; its folder is the whois root.
 * @return Exit code of the process; failures before the server is up are told on standard error.
 */
int daemon_run(const char *config_path, bool in_background);

/**
 * Carry out one command without a server: takes the pid lock, declares the sources, works, ends.
 * @param words  As for a control client; words[0] is the command. @return Exit code.
 */
int daemon_run_alone(const char *config_path, size_t count, char **words);

/**
 * Reopen the log and re-read the configuration, all of it or nothing. Any thread.
 * @return ERR_OK; ERR_IO, ERR_SYNTAX: the old one stays.
 */
enum err daemon_reload(struct daemon *daemon, struct why *why) MUST_CHECK;
