/*
 * The process around the server: whois root, var/, pid lock, background, privileges.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/** Where a whois root keeps its things. */
struct process_paths {
    char root[2048];    /**< Absolute, like all below but config. */
    char config[256];   /**< The properties file: its name in root, the working directory. */
    char var[2112];     /**< Once made: where it is, links followed. */
    char pid[2176];     /**< var/whois.pid */
    char console[2176]; /**< var/console.log */
    char control[2176]; /**< var/whoisd.sock */
    char status[2176];  /**< var/status */
    char spool[2176];   /**< var/spool: downloads */
};

/** The root is the directory of the properties file. @return ERR_OK, ERR_IO when it cannot be
 * resolved. */
enum err process_paths_init(struct process_paths *paths, const char *config,
                            struct why *why) MUST_CHECK;
/**
 * Make the root the working directory. The run user can then read what is in it even where it
 * cannot walk there from /, as in a clone under root's home.
 */
enum err process_enter_root(const struct process_paths *paths, struct why *why) MUST_CHECK;
/** How to name a file to a process in the root: relative when it is below the root. */
const char *process_name_in_root(const struct process_paths *paths, const char *path);

/** The account the server runs as once it holds its ports. */
struct run_user {
    bool is_set; /**< False when started without root: nothing to drop. */
    uid_t uid;
    gid_t gid;
    char name[64];
};
/** @param name  The `run.user` option. @return ERR_NOT_FOUND with why = how to make the account,
 * when root and there is none. */
enum err process_find_user(const char *name, struct run_user *out, struct why *why) MUST_CHECK;

/**
 * Make var/ and its folders, owned by the run user. When that user cannot reach var/ (a clone under
 * root's home) and it is still empty, var/ becomes a link to /var/lib/whoisd.
 */
enum err process_make_var(struct process_paths *paths, const struct run_user *user,
                          struct why *why) MUST_CHECK;

/**
 * Take the pid file's lock (flock): one server, or one lone command, per var/. Only a server writes
 * its pid into it.
 * @return A descriptor to keep open; -1 with why = "already running, pid N", or that a command is
 * at work.
 */
int process_lock(const struct process_paths *paths, const struct run_user *user, struct why *why);
/** Write our pid into the locked file; emptied again by process_unlock(). */
enum err process_write_pid(int lock_fd, struct why *why) MUST_CHECK;
void process_unlock(int lock_fd);
/** @return The pid that holds the lock, or 0 when nobody does; -1 when the pid file is left over
 * from a dead server. */
pid_t process_running(const struct process_paths *paths);

/**
 * Go to the background in two steps, so that the caller's shell learns of a failed start: the
 * parent waits until the child calls process_daemon_ready() or dies, and exits with 0 or 1. Returns
 * in the child only.
 */
enum err process_daemonize(struct why *why) MUST_CHECK;
void process_daemon_ready(void); /* Nothing to do when not in the background. */

/**
 * Let the process open as many descriptors as it may; as root, at least as many as wanted.
 * @return How many.
 */
uint64_t process_raise_descriptors(uint64_t wanted);

/** setgroups, setgid, setuid, and a check that there is no way back. */
enum err process_drop_root(const struct run_user *user, struct why *why) MUST_CHECK;

/**
 * Give what is free in the C library's arenas back to the system. The library itself gives back no
 * more than their ends, and those seldom: once a block of some megabytes was freed it waits for
 * more than that. Threads that allocate meanwhile wait for less than a millisecond per 10 MB.
 */
void process_give_back_memory(void);
