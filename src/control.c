/*
 * The control socket: one thread accepts, one thread per client works. Plain blocking sockets with
 * time-outs: nothing here is in the way of a query.
 */
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

#define MAX_CLIENTS    16
#define MAX_COMMAND    65536
#define REQUEST_TIME_S 10

struct control {
    char path[2300];
    control_command_fn *command;
    void *context;
    int listen_fd;
    int stop_pipe[2];
    pthread_t thread;
    bool is_started;
    pthread_mutex_t lock;
    pthread_cond_t all_gone;
    int clients;
};

struct client {
    struct control *control;
    int fd;
};

/* Send all of it. A client that is gone ends nothing but what it hears. */
static void put(struct control_out *out, const char *at, size_t len)
{
    while (out->fd >= 0 && len > 0) {
        ssize_t done = out->is_raw ? write(out->fd, at, len) : send(out->fd, at, len, MSG_NOSIGNAL);

        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            out->fd = -1;
            return;
        }
        at += done;
        len -= (size_t)done;
    }
}

void control_print(struct control_out *out, const char *format, ...)
{
    char line[4096] = " "; /* The mark of text; left out on a terminal. */
    size_t skipped = out->is_raw ? 1 : 0, len;
    va_list args;

    va_start(args, format);
    vsnprintf(line + 1, sizeof(line) - 1, format, args);
    va_end(args);
    for (char *c = line; (c = strchr(c, '\n')) != NULL;) {
        *c = ' ';
    }
    len = strlen(line);
    line[len++] = '\n';
    put(out, line + skipped, len - skipped);
}

/* The last line of an answer. */
static void print_exit(struct control_out *out, int code)
{
    char line[16];

    put(out, line, (size_t)snprintf(line, sizeof(line), "=%d\n", code));
}

/* A socket path is at most 107 bytes: a longer one is reached through a descriptor of its folder.
 */
static enum err socket_address(const char *path, struct sockaddr_un *address, int *dir_fd,
                               struct why *why)
{
    const char *base = strrchr(path, '/');

    *dir_fd = -1;
    memset(address, 0, sizeof(*address));
    address->sun_family = AF_UNIX;
    if (strlen(path) < sizeof(address->sun_path)) {
        strcpy(address->sun_path, path);
        return ERR_OK;
    }
    if (base != NULL && (size_t)(base - path) < 4096) {
        char folder[4096];

        snprintf(folder, sizeof(folder), "%.*s", (int)(base - path), path);
        *dir_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    if (*dir_fd < 0) {
        return why_set(why, errno == EACCES ? ERR_DENIED : ERR_IO, "%s: %s", path, strerror(errno));
    }
    snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/%.64s", *dir_fd,
             base + 1);
    return ERR_OK;
}

static bool is_allowed(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid() || peer.gid == getegid());
}

/* Read one line into text. @return false when it did not come whole and in time. */
static bool read_request(int fd, char *text, size_t size)
{
    size_t len = 0;

    while (len < size - 1) {
        ssize_t got = recv(fd, text + len, size - 1 - len, 0);

        if (got <= 0) {
            return false;
        }
        len += (size_t)got;
        text[len] = '\0';
        if (text[len - 1] == '\n') {
            text[len - 1] = '\0';
            return true;
        }
    }
    return false;
}

static size_t split_words(char *text, char **words)
{
    size_t count = 0;
    char *rest = text;
    char *word;

    while (count < CONTROL_MAX_WORDS && (word = strsep(&rest, "\t")) != NULL) {
        words[count++] = word;
    }
    return count;
}

static void *client_run(void *arg)
{
    struct client *client = arg;
    struct control *control = client->control;
    struct control_out out = {.fd = client->fd};
    char *words[CONTROL_MAX_WORDS];
    char *request = malloc(MAX_COMMAND);
    int code = CONTROL_REFUSED;

    if (request == NULL || !is_allowed(client->fd)) {
        control_print(&out, "not allowed: run this as root or as the server's own account");
    } else if (!read_request(client->fd, request, MAX_COMMAND)) {
        control_print(&out, "malformed command");
    } else {
        code = control->command(control->context, split_words(request, words), words, &out);
    }
    print_exit(&out, code);
    close(client->fd);
    free(request);
    free(client);
    pthread_mutex_lock(&control->lock);
    control->clients--;
    pthread_cond_signal(&control->all_gone);
    pthread_mutex_unlock(&control->lock);
    return NULL;
}

static void client_start(struct control *control, int fd)
{
    struct timeval limit = {.tv_sec = REQUEST_TIME_S};
    struct client *client = NULL;
    pthread_t thread;
    bool is_full;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    pthread_mutex_lock(&control->lock);
    is_full = control->clients >= MAX_CLIENTS;
    if (!is_full) {
        client = malloc(sizeof(*client));
    }
    if (client != NULL) {
        *client = (struct client){.control = control, .fd = fd};
        control->clients++;
        if (pthread_create(&thread, NULL, client_run, client) == 0) {
            pthread_detach(thread);
            fd = -1;
        } else {
            control->clients--;
            free(client);
        }
    }
    pthread_mutex_unlock(&control->lock);
    if (fd >= 0) {
        struct control_out out = {.fd = fd};

        control_print(&out, "too many commands at once");
        print_exit(&out, CONTROL_REFUSED);
        close(fd);
    }
}

static void *accept_run(void *arg)
{
    struct control *control = arg;
    struct pollfd fds[] = {
        {control->listen_fd,    POLLIN, 0},
        {control->stop_pipe[0], POLLIN, 0}
    };

    for (;;) {
        int fd;

        if (poll(fds, 2, -1) < 0 && errno != EINTR) {
            return NULL;
        }
        if (fds[1].revents != 0) {
            return NULL;
        }
        fd = accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            client_start(control, fd);
        } else if (errno == EMFILE || errno == ENFILE) {
            poll(&fds[1], 1, 1000);
        }
    }
}

enum err control_open(const char *path, control_command_fn *command, void *context,
                      struct control **out, struct why *why)
{
    struct control *control = calloc(1, sizeof(*control));
    struct sockaddr_un address;
    int dir_fd = -1;
    enum err rc;

    if (control == NULL) {
        return why_set(why, ERR_MEMORY, "%s", err_text(ERR_MEMORY));
    }
    control->stop_pipe[0] = control->stop_pipe[1] = control->listen_fd = -1;
    control->command = command;
    control->context = context;
    pthread_mutex_init(&control->lock, NULL);
    pthread_cond_init(&control->all_gone, NULL);
    rc = socket_address(path, &address, &dir_fd, why);
    if (rc != ERR_OK) {
        goto fail;
    }
    unlink(path); /* The pid lock says that no other server listens on it. */
    control->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (control->listen_fd < 0 || pipe2(control->stop_pipe, O_CLOEXEC) != 0 ||
        bind(control->listen_fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        chmod(path, 0666) != 0 || listen(control->listen_fd, 8) != 0) {
        rc = why_set(why, ERR_IO, "%s: %s", path, strerror(errno));
        goto fail;
    }
    snprintf(control->path, sizeof(control->path), "%s", path);
    if (dir_fd >= 0) {
        close(dir_fd);
    }
    *out = control;
    return ERR_OK;
fail:
    if (dir_fd >= 0) {
        close(dir_fd);
    }
    control_close(control);
    return rc;
}

enum err control_start(struct control *control, struct why *why)
{
    if (pthread_create(&control->thread, NULL, accept_run, control) != 0) {
        return why_set(why, ERR_IO, "control thread: %s", strerror(errno));
    }
    control->is_started = true;
    return ERR_OK;
}

void control_close(struct control *control)
{
    if (control == NULL) {
        return;
    }
    if (control->is_started) {
        if (write(control->stop_pipe[1], "x", 1) == 1) {
            pthread_join(control->thread, NULL);
        }
        pthread_mutex_lock(&control->lock);
        while (control->clients > 0) {
            pthread_cond_wait(&control->all_gone, &control->lock);
        }
        pthread_mutex_unlock(&control->lock);
        unlink(control->path);
    }
    for (size_t i = 0; i < 2; i++) {
        if (control->stop_pipe[i] >= 0) {
            close(control->stop_pipe[i]);
        }
    }
    if (control->listen_fd >= 0) {
        close(control->listen_fd);
    }
    pthread_mutex_destroy(&control->lock);
    pthread_cond_destroy(&control->all_gone);
    free(control);
}

/* --- the client's side --- */

/* Copy the answer up to its exit line. @return false when it ended without one. */
static bool copy_answer(int fd, int *exit_code)
{
    FILE *in = fdopen(fd, "r");
    char line[8192];
    bool is_whole = false;

    if (in == NULL) {
        close(fd);
        return false;
    }
    while (fgets(line, sizeof(line), in) != NULL) {
        if (line[0] == '=') {
            *exit_code = (int)strtol(line + 1, NULL, 10);
            is_whole = true;
            break;
        }
        fputs(line + 1, stdout); /* Behind its blank. */
        fflush(stdout);
    }
    fclose(in);
    return is_whole;
}

enum err control_send(const char *path, size_t count, char **words, int *exit_code, struct why *why)
{
    struct sockaddr_un address;
    struct control_out out = {.fd = -1};
    char request[MAX_COMMAND];
    size_t len = 0;
    int dir_fd = -1;
    enum err rc = socket_address(path, &address, &dir_fd, why);

    if (rc != ERR_OK) {
        return rc == ERR_DENIED ? rc : ERR_NOT_FOUND;
    }
    out.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    rc = connect(out.fd, (struct sockaddr *)&address, sizeof(address)) == 0 ? ERR_OK
         : errno == EACCES || errno == EPERM
             ? why_set(why, ERR_DENIED, "%s: %s", path, strerror(errno))
             : why_set(why, ERR_NOT_FOUND, "no server listens on %s", path);
    if (dir_fd >= 0) {
        close(dir_fd);
    }
    if (rc != ERR_OK) {
        close(out.fd);
        return rc;
    }
    for (size_t i = 0; i < count; i++) {
        len += (size_t)snprintf(request + len, sizeof(request) - len, "%s%s", i > 0 ? "\t" : "",
                                words[i]);
        if (len >= sizeof(request) - 1 || strpbrk(words[i], "\t\n") != NULL) {
            close(out.fd);
            return why_set(why, ERR_SYNTAX, "argument too long, or with a tab or line feed in it");
        }
    }
    request[len++] = '\n';
    /* A server that refuses may close before it has read this; its answer says why. */
    put(&(struct control_out){.fd = out.fd}, request, len);
    if (!copy_answer(out.fd, exit_code)) {
        return why_set(why, ERR_IO, "the server went away before it was done");
    }
    return ERR_OK;
}
