/*
 * The log sink: each event becomes one write(2) to a file opened for appending, so that lines of
 * several threads and processes never mix and nothing needs a lock. The text of the second is
 * formatted once per second and thread.
 *
 * A log that cannot be written (disk full) loses lines and says how many once it can be written
 * again; the daemon goes on. After a write that was cut short the next line starts on a line of its
 * own.
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_LINE_BYTES    8192
#define MAX_QUOTED_BYTES  200
#define SECOND_TEXT_BYTES sizeof("2015-08-21 15:47:14")

static struct {
    pthread_mutex_t lock; /* For path and file_fd. */
    char *path;           /* NULL: standard error. */
    int file_fd;          /* -1 until the first file; a new file is put under the same number. */
    atomic_int fd;        /* Where lines go. */
    atomic_int least;
    atomic_ulong lost_lines;
    atomic_bool torn; /* The last write ended inside a line. */
} sink = {.lock = PTHREAD_MUTEX_INITIALIZER, .file_fd = -1, .fd = STDERR_FILENO, .least = LOG_INFO};

static const char *const level_names[] = {"DEBUG", "INFO ", "WARN ", "ERROR"};

/* With sink.lock held. Keeping the number lets other threads write while the file changes below
 * them. */
static enum err open_file(const char *path, struct why *why)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);

    if (fd < 0) {
        return why_set(why, ERR_IO, "cannot open log file %s: %s", path, strerror(errno));
    }
    if (sink.file_fd < 0) {
        sink.file_fd = fd;
    } else {
        dup3(fd, sink.file_fd, O_CLOEXEC);
        close(fd);
    }
    atomic_store(&sink.fd, sink.file_fd);
    return ERR_OK;
}

enum err log_open(const char *path, struct why *why)
{
    enum err rc = ERR_OK;

    pthread_mutex_lock(&sink.lock);
    if (path == NULL) {
        atomic_store(&sink.fd, STDERR_FILENO);
    } else {
        rc = open_file(path, why);
    }
    if (rc == ERR_OK) {
        char *old = sink.path;

        sink.path = path != NULL ? str_dup(str_from(path)) : NULL;
        free(old);
    }
    pthread_mutex_unlock(&sink.lock);
    return rc;
}

enum err log_reopen(struct why *why)
{
    enum err rc = ERR_OK;

    pthread_mutex_lock(&sink.lock);
    if (sink.path != NULL) {
        rc = open_file(sink.path, why);
    }
    pthread_mutex_unlock(&sink.lock);
    return rc;
}

void log_set_level(enum log_level least)
{
    atomic_store(&sink.least, (int)least);
}

static const char *second_text(time_t second)
{
    static _Thread_local time_t cached = -1;
    static _Thread_local char text[SECOND_TEXT_BYTES];

    if (second != cached) {
        struct tm utc;

        gmtime_r(&second, &utc);
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &utc);
        cached = second;
    }
    return text;
}

/* Leaves `line` ending in one newline and holding no other. @return Its length. */
static size_t format_line(char line[MAX_LINE_BYTES], enum log_level level, const char *label,
                          const char *format, va_list args)
{
    struct timespec now;
    size_t len, room;
    int wanted;

    clock_gettime(CLOCK_REALTIME, &now);
    len = (size_t)snprintf(line, MAX_LINE_BYTES / 2, "%s,%03ld %s [%s] ", second_text(now.tv_sec),
                           now.tv_nsec / 1000000, level_names[level], label);
    if (len >= MAX_LINE_BYTES / 2) {
        len = MAX_LINE_BYTES / 2 - 1;
    }
    room = MAX_LINE_BYTES - len;
    wanted = vsnprintf(line + len, room, format, args);
    if (wanted >= (int)room) {
        len = MAX_LINE_BYTES - 1;
        memcpy(line + len - 3, "...", 3);
    } else if (wanted > 0) {
        len += (size_t)wanted;
    }
    for (size_t i = 0; i < len; i++) {
        if (line[i] == '\n' || line[i] == '\r') {
            line[i] = ' ';
        }
    }
    line[len] = '\n';
    return len + 1;
}

static bool write_line(const char *line, size_t len)
{
    int fd = atomic_load(&sink.fd);
    ssize_t written;

    if (atomic_load(&sink.torn) && write(fd, "\n", 1) == 1) {
        atomic_store(&sink.torn, false);
    }
    do {
        written = write(fd, line, len);
    } while (written < 0 && errno == EINTR);
    if (written > 0 && (size_t)written < len) {
        atomic_store(&sink.torn, true);
    }
    return written == (ssize_t)len;
}

static void report_lost_lines(void)
{
    unsigned long lost = atomic_exchange(&sink.lost_lines, 0);

    if (lost > 0) {
        log_warn(LOG_MAIN, "the log could not be written for a while: %lu lines lost", lost);
    }
}

void log_write(enum log_level level, const char *label, const char *format, ...)
{
    char line[MAX_LINE_BYTES];
    int saved_errno = errno;
    va_list args;
    size_t len;

    if ((int)level < atomic_load_explicit(&sink.least, memory_order_relaxed)) {
        return;
    }
    va_start(args, format);
    len = format_line(line, level, label, format, args);
    va_end(args);
    if (!write_line(line, len)) {
        atomic_fetch_add(&sink.lost_lines, 1);
    } else if (atomic_load_explicit(&sink.lost_lines, memory_order_relaxed) > 0) {
        report_lost_lines();
    }
    errno = saved_errno;
}

struct log_quoted log_quote(struct str s)
{
    static const char hex[] = "0123456789abcdef";
    struct log_quoted quoted;
    struct str shown = str_sub(s, 0, MAX_QUOTED_BYTES);
    char *out = quoted.text;

    *out++ = '"';
    for (size_t i = 0; i < shown.len; i++) {
        unsigned char c = (unsigned char)shown.at[i];

        if (c < 0x20 || c > 126) {
            *out++ = '\\';
            *out++ = 'x';
            *out++ = hex[c >> 4];
            *out++ = hex[c & 15];
            continue;
        }
        if (c == '"' || c == '\\') {
            *out++ = '\\';
        }
        *out++ = (char)c;
    }
    *out++ = '"';
    strcpy(out, shown.len < s.len ? "..." : "");
    return quoted;
}
