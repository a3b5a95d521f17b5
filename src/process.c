/*
 * The process around the server: whois root, var/, pid lock, background, privileges.
 *
 * The order at a start as root is fixed by what each step needs: hand var/ over, lock, bind, drop
 * root.
 */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <malloc.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOCK_PATIENCE_MS 500
#define LOCK_RETRY_MS    10
#define SHARED_STATE_DIR "/var/lib/whoisd"

static const char *const var_folders[] = {"log", "status", "checkpoint", "spool"};
static int ready_pipe = -1; /* Write end, in a background child that is not ready yet. */

static void name_files_of_var(struct process_paths *paths)
{
    snprintf(paths->pid, sizeof(paths->pid), "%s/whois.pid", paths->var);
    snprintf(paths->console, sizeof(paths->console), "%s/console.log", paths->var);
    snprintf(paths->control, sizeof(paths->control), "%s/whoisd.sock", paths->var);
    snprintf(paths->status, sizeof(paths->status), "%s/status", paths->var);
    snprintf(paths->spool, sizeof(paths->spool), "%s/spool", paths->var);
}

enum err process_paths_init(struct process_paths *paths, const char *config, struct why *why)
{
    char copy[PATH_MAX];
    char root[PATH_MAX];

    if (strlen(config) >= sizeof(copy)) {
        return why_set(why, ERR_IO, "%s: path too long", config);
    }
    strcpy(copy, config);
    if (realpath(dirname(copy), root) == NULL || strlen(root) >= sizeof(paths->root)) {
        return why_set(why, ERR_IO, "%s: %s", config, strerror(errno));
    }
    strcpy(copy, config);
    if (strlen(basename(copy)) >= sizeof(paths->config)) {
        return why_set(why, ERR_IO, "%s: name too long", config);
    }
    strcpy(paths->root, root);
    strcpy(paths->config, basename(copy));
    snprintf(paths->var, sizeof(paths->var), "%s/var", paths->root);
    name_files_of_var(paths);
    return ERR_OK;
}

enum err process_enter_root(const struct process_paths *paths, struct why *why)
{
    if (chdir(paths->root) != 0) {
        return why_set(why, ERR_IO, "%s: %s", paths->root, strerror(errno));
    }
    return ERR_OK;
}

const char *process_name_in_root(const struct process_paths *paths, const char *path)
{
    size_t len = strlen(paths->root);

    return strncmp(path, paths->root, len) == 0 && path[len] == '/' ? path + len + 1 : path;
}

enum err process_find_user(const char *name, struct run_user *out, struct why *why)
{
    struct passwd *entry;

    memset(out, 0, sizeof(*out));
    if (geteuid() != 0) {
        return ERR_OK;
    }
    errno = 0;
    entry = getpwnam(name);
    if (entry == NULL) {
        return why_set(why, ERR_NOT_FOUND,
                       "started as root, and there is no account '%s' to run as: "
                       "useradd --system --no-create-home --shell /usr/sbin/nologin %s "
                       "(or name another one with run.user)",
                       name, name);
    }
    if (entry->pw_uid == 0) {
        return why_set(why, ERR_DENIED, "run.user=%s is root: name an unprivileged account", name);
    }
    out->is_set = true;
    out->uid = entry->pw_uid;
    out->gid = entry->pw_gid;
    snprintf(out->name, sizeof(out->name), "%s", name);
    return ERR_OK;
}

/* Whether the run user can enter a directory: asked of the kernel, by a child that is that user. */
static bool user_can_enter(const char *path, const struct run_user *user)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        bool can = setgroups(0, NULL) == 0 && setgid(user->gid) == 0 && setuid(user->uid) == 0 &&
                   chdir(path) == 0;
        _exit(can ? 0 : 1);
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

/* Links are given away themselves, not followed: the run user could have made one in var/, to be
 * given what it points at. */
static enum err hand_over(const char *path, const struct run_user *user, struct why *why)
{
    if (user->is_set && lchown(path, user->uid, user->gid) != 0) {
        return why_set(why, ERR_IO, "cannot give %s to %s: %s", path, user->name, strerror(errno));
    }
    return ERR_OK;
}

static enum err make_folder(const char *path, struct why *why)
{
    if (mkdir(path, 0750) != 0 && errno != EEXIST) {
        return why_set(why, ERR_IO, "cannot create %s: %s", path, strerror(errno));
    }
    return ERR_OK;
}

/* Replace an empty var/ by a link to the shared place. One that holds data is the operator's to
 * move. */
static enum err link_var_to_shared(const struct process_paths *paths, const struct run_user *user,
                                   struct why *why)
{
    enum err rc = make_folder(SHARED_STATE_DIR, why);

    if (rc != ERR_OK) {
        return rc;
    }
    if (rmdir(paths->var) != 0) {
        return why_set(why, ERR_DENIED,
                       "%s holds data and cannot be reached by %s: move it to " SHARED_STATE_DIR
                       " and make var a link to that",
                       paths->var, user->name);
    }
    if (symlink(SHARED_STATE_DIR, paths->var) != 0) {
        return why_set(why, ERR_IO, "cannot link %s to " SHARED_STATE_DIR ": %s", paths->var,
                       strerror(errno));
    }
    return ERR_OK;
}

/* Files that an earlier start as root left in var/ must be writable for the run user. */
static enum err hand_over_files(const struct process_paths *paths, const struct run_user *user,
                                struct why *why)
{
    const char *const files[] = {paths->console, paths->pid};
    enum err rc = ERR_OK;

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && rc == ERR_OK; i++) {
        rc = access(files[i], F_OK) == 0 ? hand_over(files[i], user, why) : ERR_OK;
    }
    return rc;
}

/* Where var/ is a link the run user reaches what it points at, not always the link. */
static enum err follow_link(struct process_paths *paths, struct why *why)
{
    char var[PATH_MAX];

    if (realpath(paths->var, var) == NULL || strlen(var) >= sizeof(paths->var)) {
        return why_set(why, ERR_IO, "%s: %s", paths->var, strerror(errno));
    }
    strcpy(paths->var, var);
    name_files_of_var(paths);
    return ERR_OK;
}

/* Make var/, wherever the run user can reach it. */
static enum err place_var(struct process_paths *paths, const struct run_user *user, struct why *why)
{
    enum err rc = make_folder(paths->var, why);

    if (rc == ERR_OK) {
        rc = follow_link(paths, why);
    }
    if (rc == ERR_OK) {
        rc = hand_over(paths->var, user, why);
    }
    if (rc != ERR_OK || !user->is_set || user_can_enter(paths->var, user)) {
        return rc;
    }
    rc = link_var_to_shared(paths, user, why);
    if (rc == ERR_OK) {
        rc = follow_link(paths, why);
    }
    return rc != ERR_OK ? rc : hand_over(paths->var, user, why);
}

enum err process_make_var(struct process_paths *paths, const struct run_user *user, struct why *why)
{
    enum err rc = place_var(paths, user, why);

    for (size_t i = 0; i < sizeof(var_folders) / sizeof(var_folders[0]) && rc == ERR_OK; i++) {
        char path[2200];

        snprintf(path, sizeof(path), "%s/%s", paths->var, var_folders[i]);
        rc = make_folder(path, why);
        if (rc == ERR_OK) {
            rc = hand_over(path, user, why);
        }
    }
    return rc != ERR_OK ? rc : hand_over_files(paths, user, why);
}

static pid_t read_pid(int fd)
{
    char text[32];
    ssize_t got = pread(fd, text, sizeof(text) - 1, 0);

    if (got <= 0) {
        return 0;
    }
    text[got] = '\0';
    return (pid_t)strtol(text, NULL, 10);
}

/* Whoever asks whether a server runs holds the lock for a moment: that is no server. */
static bool lock_within(int fd, int patience_ms)
{
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (patience_ms <= 0) {
            return false;
        }
        poll(NULL, 0, LOCK_RETRY_MS);
        patience_ms -= LOCK_RETRY_MS;
    }
    return true;
}

int process_lock(const struct process_paths *paths, const struct run_user *user, struct why *why)
{
    int fd = open(paths->pid, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

    if (fd < 0) {
        why_set(why, ERR_IO, "cannot open %s: %s", paths->pid, strerror(errno));
        return -1;
    }
    if (!lock_within(fd, LOCK_PATIENCE_MS)) {
        pid_t pid = read_pid(fd);

        if (pid > 0) {
            why_set(why, ERR_BUSY, "already running, pid %d holds %s", (int)pid, paths->pid);
        } else {
            why_set(why, ERR_BUSY, "a command that is at work holds %s: wait for its end",
                    paths->pid);
        }
        close(fd);
        return -1;
    }
    if (ftruncate(fd, 0) != 0) { /* Left over from a server that was killed. */
        why_set(why, ERR_IO, "cannot empty %s: %s", paths->pid, strerror(errno));
        close(fd);
        return -1;
    }
    if (user->is_set && fchown(fd, user->uid, user->gid) != 0) {
        why_set(why, ERR_IO, "cannot give %s to %s: %s", paths->pid, user->name, strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

enum err process_write_pid(int lock_fd, struct why *why)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());

    if (ftruncate(lock_fd, 0) != 0 || pwrite(lock_fd, text, (size_t)len, 0) != len) {
        return why_set(why, ERR_IO, "cannot write the pid file: %s", strerror(errno));
    }
    return ERR_OK;
}

void process_unlock(int lock_fd)
{
    if (lock_fd >= 0) {
        if (ftruncate(lock_fd, 0) != 0) {
            /* The lock's end says the same; a left-over pid is only less tidy. */
        }
        close(lock_fd);
    }
}

pid_t process_running(const struct process_paths *paths)
{
    pid_t pid;
    int fd = open(paths->pid, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return 0;
    }
    pid = read_pid(fd);
    if (flock(fd, LOCK_SH | LOCK_NB) == 0) {
        pid = pid > 0 ? -1 : 0;
    }
    close(fd);
    return pid;
}

enum err process_daemonize(struct why *why)
{
    int fds[2];
    pid_t child;
    char ready = 0;

    if (pipe2(fds, O_CLOEXEC) != 0) {
        return why_set(why, ERR_IO, "pipe: %s", strerror(errno));
    }
    child = fork();
    if (child < 0) {
        return why_set(why, ERR_IO, "fork: %s", strerror(errno));
    }
    if (child > 0) {
        close(fds[1]);
        _exit(read(fds[0], &ready, 1) == 1 ? 0 : 1);
    }
    close(fds[0]);
    ready_pipe = fds[1];
    if (setsid() < 0) {
        return why_set(why, ERR_IO, "setsid: %s", strerror(errno));
    }
    return ERR_OK;
}

void process_daemon_ready(void)
{
    int null;

    if (ready_pipe < 0) {
        return;
    }
    null = open("/dev/null", O_RDWR);
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        if (null > STDERR_FILENO) {
            close(null);
        }
    }
    if (write(ready_pipe, "+", 1) != 1) {
        /* The parent is gone: nobody waits for the word. */
    }
    close(ready_pipe);
    ready_pipe = -1;
}

uint64_t process_raise_descriptors(uint64_t wanted)
{
    struct rlimit now = {0}, more;

    getrlimit(RLIMIT_NOFILE, &now);
    more = now;
    more.rlim_max = now.rlim_max < wanted ? wanted : now.rlim_max;
    more.rlim_cur = more.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &more) != 0) {
        more.rlim_cur = more.rlim_max = now.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &more); /* What is there in the end is looked at. */
    }
    getrlimit(RLIMIT_NOFILE, &now);
    return now.rlim_cur;
}

enum err process_drop_root(const struct run_user *user, struct why *why)
{
    if (!user->is_set) {
        return ERR_OK;
    }
    if (setgroups(0, NULL) != 0 || setgid(user->gid) != 0 || setuid(user->uid) != 0) {
        return why_set(why, ERR_DENIED, "cannot become %s: %s", user->name, strerror(errno));
    }
    if (setuid(0) == 0 || seteuid(0) == 0) {
        return why_set(why, ERR_DENIED, "root could be taken back after becoming %s", user->name);
    }
    return ERR_OK;
}

void process_give_back_memory(void)
{
    malloc_trim(0);
}
