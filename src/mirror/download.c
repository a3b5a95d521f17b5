/*
 * Downloads: which files, where they go, whether they belong together, whether they are whole.
 */
#include "mirror/download.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "mirror/dump.h"
#include "mirror/fetch.h"
#include "mirror/input.h"
#include "mirror/md5_sum.h"

enum {
    PATH_BYTES = 2500,
    TRIES = 5, /* In a row without a byte. */
    TELL_MS = 2000,
    LOG_MS = 30000,
    LOOK_EVERY = 1024, /* Objects between looks at the cancel flag. */
    LEAST_PERCENT = 90,
    SUM_FILE_MAX = 4096,
    APART_S = 12 * 60 * 60, /* A dump so much older than its serial file is another day's. */
};

/** One file of the dump. */
struct part {
    const char *url;       /* As configured. */
    char path[PATH_BYTES]; /* Where it is, or will be. */
    char tag[200];         /* Identifies it; "": nothing does. */
    char last_tag[200];    /* Of the one loaded last. */
    bool is_remote, is_unchanged;
    int64_t modified_s;
};

struct download {
    const struct load_request *wanted;
    struct load_request local;
    const char *name;
    struct part *parts;
    const char **paths;
    size_t count;
    int folder_fd; /* Locked; -1: nothing to fetch or to look at. */
    bool has_remote, is_unchanged;
    int64_t serial_modified_s;

    /* Of the file that is being fetched. */
    const char *url;
    int64_t begun_ms, told_ms, logged_ms;
    uint64_t before, so_far; /* Bytes. */
};

static int64_t now_ms(void)
{
    return clock_mono_us() / 1000;
}

static bool is_cancelled(const struct download *d)
{
    return d->wanted->cancel != NULL && atomic_load(d->wanted->cancel);
}

/* --- the folder --- */

static void path_in_folder(const struct download *d, const char *name, char path[PATH_BYTES])
{
    snprintf(path, PATH_BYTES, "%.2300s/%.150s", d->wanted->spool, name);
}

/* 0-ripe.db.gz: the end of the URL, for people who look into the folder. */
static void name_part(const struct download *d, size_t i, struct part *part)
{
    const char *base = strrchr(part->url, '/') + 1;
    char name[120];
    size_t used = (size_t)snprintf(name, sizeof(name), "%zu-", i);

    for (; *base != '\0' && used < sizeof(name) - 1; base++) {
        name[used++] = isalnum((unsigned char)*base) || strchr("._-", *base) != NULL ? *base : '_';
    }
    name[used] = '\0';
    path_in_folder(d, name, part->path);
}

static enum err lock_folder(struct download *d, struct why *why)
{
    const char *folder = d->wanted->spool;

    if (folder == NULL) {
        return why_set(why, ERR_IO, "%s: there is no folder to download to", d->name);
    }
    if (mkdir(folder, 0750) != 0 && errno != EEXIST) {
        return why_set(why, ERR_IO, "%s: %s", folder, strerror(errno));
    }
    d->folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->folder_fd < 0) {
        return why_set(why, ERR_IO, "%s: %s", folder, strerror(errno));
    }
    if (flock(d->folder_fd, LOCK_EX | LOCK_NB) != 0) {
        return why_set(why, ERR_BUSY, "%s: its dump is being downloaded already", d->name);
    }
    return ERR_OK;
}

/* --- what was loaded last: a line `TAG URL` per file, as tags have blanks but no tabs --- */

static void read_last_tags(struct download *d)
{
    char path[PATH_BYTES], line[2400];
    FILE *file;

    path_in_folder(d, "loaded", path);
    file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        char *url = strchr(line, '\t');

        line[strcspn(line, "\n")] = '\0';
        for (size_t i = 0; url != NULL && i < d->count; i++) {
            if (strcmp(url + 1, d->parts[i].url) == 0) {
                snprintf(d->parts[i].last_tag, sizeof(d->parts[i].last_tag), "%.*s",
                         (int)(url - line), line);
            }
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}

static void write_last_tags(const struct download *d)
{
    char path[PATH_BYTES];
    FILE *file;
    bool failed = true;

    path_in_folder(d, "loaded", path);
    file = fopen(path, "we");
    if (file != NULL) {
        for (size_t i = 0; i < d->count; i++) {
            fprintf(file, "%s\t%s\n", d->parts[i].tag, d->parts[i].url);
        }
        failed = fclose(file) != 0;
    }
    if (failed) {
        log_warn(LOG_LOADER, "%s: %s: the next load will not know that nothing changed", path,
                 strerror(errno));
    }
}

/* --- progress --- */

static void on_progress(void *context, uint64_t got, uint64_t total)
{
    struct download *d = context;
    int64_t now = now_ms();
    char line[300];
    uint64_t rate;
    size_t used;

    d->so_far = got;
    if (now - d->told_ms < TELL_MS) {
        return;
    }
    d->told_ms = now;
    rate = (got > d->before ? got - d->before : 0) * 1000 / (uint64_t)(now - d->begun_ms + 1);
    used = (size_t)snprintf(line, sizeof(line), "%s: downloading %.150s: ", d->name, d->url);
    if (total > 0) {
        uint64_t left_s = rate > 0 ? (total - got) / rate : 0;

        snprintf(line + used, sizeof(line) - used,
                 "%" PRIu64 "%% of %" PRIu64 " MB, %" PRIu64 " kB/s, %" PRIu64 " min %02" PRIu64
                 " s left",
                 got * 100 / total, total >> 20, rate >> 10, left_s / 60, left_s % 60);
    } else {
        snprintf(line + used, sizeof(line) - used, "%" PRIu64 " MB, %" PRIu64 " kB/s", got >> 20,
                 rate >> 10);
    }
    if (d->wanted->on_progress != NULL) {
        d->wanted->on_progress(d->wanted->context, line);
    }
    if (now - d->logged_ms >= LOG_MS) {
        d->logged_ms = now;
        log_info(LOG_LOADER, "%s", line);
    }
}

/* --- one file, with patience --- */

/* @return Whether to go on. */
static bool pause_s(const struct download *d, int seconds)
{
    for (int i = 0; i < seconds * 10 && !is_cancelled(d); i++) {
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
    return !is_cancelled(d);
}

/* Of a file whose download begins now. */
static int64_t deadline_ms(const struct download *d)
{
    return d->wanted->fetch.total_s > 0 ? now_ms() + d->wanted->fetch.total_s * INT64_C(1000) : 0;
}

static enum err fetch_patiently(struct download *d, const char *url, const char *path,
                                const char *unless, int64_t deadline, struct fetched *out,
                                struct why *why)
{
    const struct load_request *wanted = d->wanted;
    const struct fetch_request request = {
        .url = url,
        .path = path,
        .max_bytes = (uint64_t)wanted->fetch.max_bytes,
        .connect_timeout_s = wanted->fetch.timeout_s,
        .stall_s = wanted->fetch.timeout_s,
        .deadline_ms = deadline,
        .unless = unless,
        .cancel = wanted->cancel,
        .on_progress = on_progress,
        .context = d,
    };
    int tries = 0, wait_s;
    struct why cause;
    enum err rc;

    d->url = url;
    d->so_far = 0;
    d->logged_ms = d->told_ms = now_ms();
    for (;;) {
        uint64_t reached = d->so_far;

        d->before = reached;
        d->begun_ms = now_ms();
        rc = fetch_file(&request, out, why);
        if (rc != ERR_IO) {
            return rc;
        }
        tries = d->so_far > reached ? 1 : tries + 1;
        wait_s = 1 << tries >> 1;
        if (deadline > 0 && now_ms() + wait_s * 1000 >= deadline) {
            cause = *why;
            return why_set(why, ERR_IO, "not within the %d s of mirror.dump.max.time: %.500s",
                           wanted->fetch.total_s, cause.text);
        }
        if (tries >= TRIES || !pause_s(d, wait_s)) {
            return is_cancelled(d) ? why_set(why, ERR_STOPPED, "%s: stopped", url) : rc;
        }
        log_info(LOG_LOADER, "%s: the download broke off at %" PRIu64 " bytes, trying again: %s",
                 d->name, d->so_far, why->text);
    }
}

/* What is not to be had by FTP may be there by HTTPS: many registries serve both. */
static enum err fetch(struct download *d, const char *url, const char *path, const char *unless,
                      struct fetched *out, struct why *why)
{
    const int64_t deadline = deadline_ms(d);
    enum err rc = fetch_patiently(d, url, path, unless, deadline, out, why);
    char other[2400];
    struct why cause;

    if (strncmp(url, "ftp://", 6) != 0 ||
        (rc != ERR_IO && rc != ERR_NOT_FOUND && rc != ERR_DENIED)) {
        return rc;
    }
    snprintf(other, sizeof(other), "https%.2300s", url + 3);
    log_info(LOG_LOADER, "%s: trying %s, since %s", d->name, other, why->text);
    return fetch_patiently(d, other, path, unless, deadline, out, &cause) == ERR_OK ? ERR_OK
           : is_cancelled(d) ? why_set(why, ERR_STOPPED, "%s: stopped", url)
                             : rc;
}

/* --- checksums that are published beside a file --- */

/* Of a file with a checksum beside it; one without is as good as its gzip trailer. */
static enum err check_sum(struct download *d, const struct part *part, struct why *why)
{
    char url[2400], path[PATH_BYTES], said[MD5_TEXT_BYTES], found[MD5_TEXT_BYTES];
    struct buf text = {0};
    struct fetched got;
    enum err rc;

    snprintf(url, sizeof(url), "%.2300s.md5", part->url);
    snprintf(path, sizeof(path), "%.2400s.md5", part->path);
    rc = fetch_patiently(d, url, path, NULL, deadline_ms(d), &got, why);
    if (rc == ERR_IO) {
        log_warn(LOG_LOADER, "%s: goes unused: %s", url, why->text);
    }
    if (rc != ERR_OK) {
        return rc == ERR_STOPPED ? rc : ERR_OK; /* There is none, or nobody gets at it. */
    }
    rc = input_slurp(path, SUM_FILE_MAX, &text, why);
    unlink(path);
    if (rc == ERR_OK && md5_sum_find(buf_str(&text), said)) {
        rc = md5_sum_file(part->path, d->wanted->cancel, found, why);
        if (rc == ERR_OK && strcmp(said, found) != 0) {
            rc = why_set(why, ERR_CORRUPT, "%s: its MD5 is %s, and %s by the file beside it",
                         part->url, found, said);
        }
    } else if (rc == ERR_OK || rc == ERR_LIMIT) { /* A page that says there is none, perhaps. */
        log_warn(LOG_LOADER, "%s: holds no MD5 checksum", url);
        rc = ERR_OK;
    }
    buf_free(&text);
    return rc;
}

static enum err fetch_part(struct download *d, struct part *part, const char *unless,
                           struct why *why)
{
    int64_t began_ms = now_ms();
    struct fetched got;
    enum err rc = fetch(d, part->url, part->path, unless, &got, why);

    if (rc != ERR_OK) {
        return rc;
    }
    part->is_unchanged = got.is_unchanged;
    snprintf(part->tag, sizeof(part->tag), "%s", got.is_unchanged ? part->last_tag : got.tag);
    if (!got.is_unchanged) {
        part->modified_s = got.modified_s;
        log_info(LOG_LOADER, "%s: downloaded %s bytes=%" PRIu64 " resumed=%" PRIu64 " ms=%lld",
                 d->name, part->url, got.bytes, got.resumed_from, (long long)(now_ms() - began_ms));
        return check_sum(d, part, why);
    }
    return ERR_OK;
}

/* A local file is as old as the file system says. */
static enum err look_at_local(struct part *part, struct why *why)
{
    const char *path = input_local_path(part->url);
    struct stat st;

    if (stat(path, &st) != 0) {
        return why_set(why, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path,
                       strerror(errno));
    }
    snprintf(part->path, sizeof(part->path), "%s", path);
    snprintf(part->tag, sizeof(part->tag), "%lld-%lld", (long long)st.st_mtime,
             (long long)st.st_size);
    part->is_unchanged = strcmp(part->tag, part->last_tag) == 0;
    part->modified_s = st.st_mtime;
    return ERR_OK;
}

/* --- the serial --- */

/* @param serial  -1 when the request has none. */
static enum err read_serial(struct download *d, int64_t *serial, struct why *why)
{
    const char *url = d->wanted->serial_file;
    struct fetched got = {.modified_s = -1};
    char path[PATH_BYTES];
    struct why cause;
    struct stat st;
    enum err rc;

    *serial = d->wanted->serial;
    if (url == NULL) {
        return ERR_OK;
    }
    if (!fetch_is_remote(url)) {
        d->serial_modified_s = stat(input_local_path(url), &st) == 0 ? st.st_mtime : -1;
        return mirror_read_serial(url, serial, why);
    }
    path_in_folder(d, "serial", path);
    rc = fetch(d, url, path, NULL, &got, why);
    if (rc == ERR_OK) {
        d->serial_modified_s = got.modified_s;
        rc = mirror_read_serial(path, serial, why);
        if (rc != ERR_OK) {
            cause = *why;
            rc = why_set(why, rc, "%.200s: %.350s", url, strstr(cause.text, ": ") + 2);
        }
    }
    unlink(path);
    return rc;
}

/* Before gigabytes come for nothing. */
static enum err check_least_serial(const struct download *d, struct why *why)
{
    if (d->wanted->least_serial <= 0 || d->local.serial >= d->wanted->least_serial) {
        return ERR_OK;
    }
    return why_set(why, ERR_DENIED, "%s: the dump is of serial %lld, wanted is %lld at least",
                   d->name, (long long)d->local.serial, (long long)d->wanted->least_serial);
}

static enum err compare_serials(const struct download *d, struct why *why)
{
    int64_t first = d->local.serial, again;
    enum err rc = read_serial((struct download *)d, &again, why);

    if (rc != ERR_OK || again == first) {
        return rc;
    }
    if (again < first) {
        return why_set(why, ERR_IO,
                       "%s: the serial file went from %lld to %lld during the download", d->name,
                       (long long)first, (long long)again);
    }
    log_info(LOG_LOADER,
             "%s: the serial file changed during the download, its first content is used: "
             "serial=%lld now=%lld",
             d->name, (long long)first, (long long)again);
    return ERR_OK;
}

/* --- is it to be trusted? --- */

static enum err check_age(const struct download *d, const struct part *part, struct why *why)
{
    int64_t age_s = time(NULL) - part->modified_s;

    if (part->modified_s < 0 || d->wanted->force) {
        return ERR_OK;
    }
    if (d->wanted->fetch.max_age_s > 0 && age_s > d->wanted->fetch.max_age_s) {
        return why_set(why, ERR_DENIED,
                       "%s: was written %lld days ago, older than mirror.dump.max.age: force it if "
                       "it is right",
                       part->url, (long long)(age_s / 86400));
    }
    if (d->serial_modified_s >= 0 && d->serial_modified_s - part->modified_s > APART_S) {
        return why_set(why, ERR_DENIED,
                       "%s: was written %lld h before its serial file: updates between the two "
                       "would be lost; force it if they belong together",
                       part->url, (long long)((d->serial_modified_s - part->modified_s) / 3600));
    }
    return ERR_OK;
}

/* Read all of it: damage shows, and how many objects there are. */
static enum err check_content(const struct download *d, uint64_t *objects, struct why *why)
{
    struct dump *dump;
    struct str object;
    enum err rc = dump_open(d->paths, d->count, d->wanted->max_object, &dump, why);

    *objects = 0;
    if (rc != ERR_OK) {
        return rc;
    }
    while ((rc = dump_next(dump, &object, why)) == ERR_OK) {
        if (++*objects % LOOK_EVERY == 0 && is_cancelled(d)) {
            rc = why_set(why, ERR_STOPPED, "%s: stopped", d->name);
            break;
        }
    }
    dump_close(dump);
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

static enum err check_files(struct download *d, struct source *source, struct why *why)
{
    struct source_status status;
    uint64_t objects = 0;
    enum err rc = ERR_OK;

    source_get_status(source, &status);
    if (!d->has_remote && status.objects == 0) {
        return ERR_OK; /* An operator's own files, however old; damage ends the load. */
    }
    for (size_t i = 0; rc == ERR_OK && i < d->count; i++) {
        rc = check_age(d, &d->parts[i], why);
    }
    if (rc == ERR_OK) {
        rc = check_content(d, &objects, why);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    if (!d->wanted->force && objects * 100 < status.objects * LEAST_PERCENT) {
        return why_set(why, ERR_DENIED,
                       "%s: the dump has %" PRIu64 " objects, the source %" PRIu64
                       ": fewer than %d%% are refused unless forced",
                       d->name, objects, status.objects, LEAST_PERCENT);
    }
    log_info(LOG_LOADER, "%s: the dump is whole: objects=%" PRIu64 " serial=%lld", d->name, objects,
             (long long)d->local.serial);
    return ERR_OK;
}

/* --- all of it --- */

static void forget_files(const struct download *d)
{
    for (size_t i = 0; i < d->count; i++) {
        if (d->parts[i].is_remote) {
            unlink(d->parts[i].path);
        }
    }
}

/* Ask for what differs from the last load. @return Whether anything does, in is_unchanged. */
static enum err get_parts(struct download *d, struct why *why)
{
    bool if_changed = d->wanted->if_changed;
    size_t unchanged = 0;
    enum err rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < d->count; i++) {
        struct part *part = &d->parts[i];

        rc = part->is_remote ? fetch_part(d, part, if_changed ? part->last_tag : NULL, why)
                             : look_at_local(part, why);
        unchanged += rc == ERR_OK && part->is_unchanged;
    }
    d->is_unchanged = rc == ERR_OK && if_changed && unchanged == d->count;
    for (size_t i = 0; rc == ERR_OK && !d->is_unchanged && i < d->count; i++) {
        if (d->parts[i].is_remote && d->parts[i].is_unchanged) {
            rc = fetch_part(d, &d->parts[i], NULL, why); /* Others changed: this is needed too. */
        }
    }
    return rc;
}

static enum err get_all(struct download *d, struct source *source, struct why *why)
{
    enum err rc = lock_folder(d, why);

    if (rc != ERR_OK) {
        return rc;
    }
    read_last_tags(d);
    if ((rc = read_serial(d, &d->local.serial, why)) != ERR_OK ||
        (rc = check_least_serial(d, why)) != ERR_OK || (rc = get_parts(d, why)) != ERR_OK ||
        d->is_unchanged) {
        if (rc == ERR_CORRUPT) {
            forget_files(d);
        }
        return rc;
    }
    if ((rc = compare_serials(d, why)) == ERR_OK) {
        rc = check_files(d, source, why);
    }
    if (rc != ERR_OK && rc != ERR_STOPPED && rc != ERR_IO) {
        forget_files(d); /* Not to be trusted: nothing of it is of use to the next attempt. */
    }
    return rc;
}

/* @return Whether anything has to be fetched, or looked at. */
static bool prepare(struct download *d)
{
    d->has_remote = d->wanted->serial_file != NULL && fetch_is_remote(d->wanted->serial_file);
    for (size_t i = 0; i < d->count; i++) {
        struct part *part = &d->parts[i];

        part->url = d->wanted->files[i];
        part->modified_s = -1;
        part->is_remote = fetch_is_remote(part->url);
        if (part->is_remote) {
            name_part(d, i, part);
            d->has_remote = true;
        }
        d->paths[i] = part->path;
    }
    return d->has_remote || d->wanted->is_automatic;
}

enum err download_run(struct source *source, const struct load_request *wanted,
                      struct download **out, struct why *why)
{
    struct download *d = calloc(1, sizeof(*d));
    enum err rc = ERR_OK;

    if (d == NULL || (d->parts = calloc(wanted->file_count + 1, sizeof(*d->parts))) == NULL ||
        (d->paths = calloc(wanted->file_count + 1, sizeof(*d->paths))) == NULL) {
        abort();
    }
    d->wanted = wanted;
    d->local = *wanted;
    d->name = source_name(source);
    d->count = wanted->file_count;
    d->folder_fd = -1;
    d->serial_modified_s = -1;
    if (prepare(d)) {
        d->local.files = d->paths;
        d->local.serial_file = NULL;
        rc = get_all(d, source, why);
    }
    if (rc != ERR_OK) {
        download_free(d, false);
        return rc;
    }
    *out = d;
    return ERR_OK;
}

bool download_is_unchanged(const struct download *download)
{
    return download->is_unchanged;
}

const struct load_request *download_local(const struct download *download)
{
    return &download->local;
}

int64_t download_time_s(const char *spool, const char *source)
{
    char path[PATH_BYTES];
    struct stat st;

    if (spool == NULL) {
        return 0;
    }
    snprintf(path, sizeof(path), "%.2200s/%.100s/loaded", spool, source);
    return stat(path, &st) == 0 ? st.st_mtime : 0;
}

void download_free(struct download *download, bool is_loaded)
{
    if (download == NULL) {
        return;
    }
    if (is_loaded && download->folder_fd >= 0) {
        forget_files(download);
        write_last_tags(download);
    }
    if (download->folder_fd >= 0) {
        close(download->folder_fd);
    }
    free(download->parts);
    free(download->paths);
    free(download);
}
