/*
 * Fetching by libcurl.
 *
 * Resuming: by HTTP the request carries `Range` and `If-Range`; a server whose file is another one
 * than the one begun with answers 200 and the whole file, and what was there is thrown away. By FTP
 * size and time of the remote file are asked for first and compared here. A server that identifies
 * its file by nothing is always asked for the whole.
 */
#include "mirror/fetch.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

enum { STALL_BYTES_PER_S = 100, REDIRECTS_MAX = 5 };

struct transfer {
    const struct fetch_request *request;
    CURL *curl;
    char part[2600], tag_path[2600];
    char kept_tag[200]; /* Of PATH.part. */
    int fd;             /* PATH.part, at its end. */
    uint64_t base;      /* Bytes in it that earlier fetches brought. */
    uint64_t got;       /* Bytes of this one. */
    uint64_t total;     /* Of the whole file; 0: not known. */
    uint64_t range_from;
    bool has_begun; /* The first byte of the body was looked at. */
    char etag[160], modified[64];
    enum err rc; /* Of our own callbacks. */
    struct why why;
    char curl_text[CURL_ERROR_SIZE];
};

bool fetch_is_remote(const char *text)
{
    return strstr(text, "://") != NULL && strncmp(text, "file://", 7) != 0;
}

static void init_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool is_ftp(const struct transfer *t)
{
    return strncasecmp(t->request->url, "ftp", 3) == 0;
}

static enum err fail_io(struct transfer *t, const char *path)
{
    t->rc = why_set(&t->why, ERR_IO, "%s: %s", path, strerror(errno));
    return t->rc;
}

/* --- what identifies the remote file --- */

/* An ETag, or the time of the last change; weak ETags do not promise equal bytes. */
static void make_tag(const struct transfer *t, char tag[200])
{
    if (t->etag[0] == '"') {
        snprintf(tag, 200, "%s", t->etag);
    } else {
        snprintf(tag, 200, "%s", t->modified);
    }
}

static void read_kept_tag(struct transfer *t)
{
    FILE *file = fopen(t->tag_path, "re");

    if (file == NULL) {
        return;
    }
    if (fgets(t->kept_tag, sizeof(t->kept_tag), file) != NULL) {
        t->kept_tag[strcspn(t->kept_tag, "\r\n")] = '\0';
    }
    fclose(file);
}

static enum err keep_tag(struct transfer *t)
{
    char tag[200];
    FILE *file = fopen(t->tag_path, "we");

    if (file == NULL) {
        return fail_io(t, t->tag_path);
    }
    make_tag(t, tag);
    fprintf(file, "%s\n", tag);
    return fclose(file) == 0 ? ERR_OK : fail_io(t, t->tag_path);
}

/* --- what the server says --- */

static bool header_value(struct str line, struct str name, char *out, size_t size)
{
    if (!str_starts_nocase(line, name)) {
        return false;
    }
    line = str_trim(str_sub(line, name.len, line.len));
    snprintf(out, size, "%.*s", STR_ARG(line));
    return true;
}

static size_t on_header(char *at, size_t size, size_t count, void *context)
{
    struct transfer *t = context;
    const struct str line = {at, size * count};
    unsigned long long from, to, total;
    char range[100];

    if (is_ftp(t)) {
        return line.len; /* Their tag comes from ask_ftp(). */
    }
    if (str_starts(line, STR("HTTP/"))) { /* A redirection's headers are not the file's. */
        t->etag[0] = t->modified[0] = '\0';
        t->range_from = 0;
    } else if (header_value(line, STR("Content-Range:"), range, sizeof(range)) &&
               sscanf(range, "bytes %llu-%llu/%llu", &from, &to, &total) == 3) {
        t->range_from = from;
        t->total = total;
    } else if (!header_value(line, STR("ETag:"), t->etag, sizeof(t->etag))) {
        header_value(line, STR("Last-Modified:"), t->modified, sizeof(t->modified));
    }
    return line.len;
}

static enum err too_large(struct transfer *t)
{
    t->rc = why_set(&t->why, ERR_LIMIT, "%s: larger than %llu bytes", t->request->url,
                    (unsigned long long)t->request->max_bytes);
    return t->rc;
}

/* The body begins: is it the rest of what is here, or the whole? */
static enum err begin_body(struct transfer *t)
{
    curl_off_t length = -1;
    long code = 0;

    t->has_begun = true;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &code);
    curl_easy_getinfo(t->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    if (!is_ftp(t) && t->base > 0 && (code != 206 || t->range_from != t->base)) {
        if (ftruncate(t->fd, 0) != 0 || lseek(t->fd, 0, SEEK_SET) != 0) {
            return fail_io(t, t->part);
        }
        t->base = 0;
    }
    if (length >= 0) {
        t->total = t->base + (uint64_t)length;
    }
    if (t->request->max_bytes > 0 && t->total > t->request->max_bytes) {
        return too_large(t);
    }
    return keep_tag(t);
}

static size_t on_body(char *at, size_t size, size_t count, void *context)
{
    struct transfer *t = context;
    size_t length = size * count;

    if (!t->has_begun && begin_body(t) != ERR_OK) {
        return 0;
    }
    for (size_t done = 0; done < length;) {
        ssize_t n = write(t->fd, at + done, length - done);

        if (n < 0 && errno != EINTR) {
            fail_io(t, t->part);
            return 0;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    t->got += length;
    if (t->request->max_bytes > 0 && t->base + t->got > t->request->max_bytes) {
        too_large(t);
        return 0;
    }
    return length;
}

static int on_progress(void *context, curl_off_t total, curl_off_t now, curl_off_t up_total,
                       curl_off_t up_now)
{
    struct transfer *t = context;

    if (t->request->cancel != NULL && atomic_load(t->request->cancel)) {
        t->rc = why_set(&t->why, ERR_STOPPED, "%s: stopped", t->request->url);
        return 1;
    }
    if (t->request->on_progress != NULL && t->has_begun) {
        t->request->on_progress(t->request->context, t->base + t->got, t->total);
    }
    return 0;
}

/* --- one transfer --- */

/* For curl, to which 0 is no bound. */
static long left_ms(const struct fetch_request *r)
{
    int64_t left = r->deadline_ms - clock_mono_us() / 1000;

    return r->deadline_ms == 0 ? 0 : left > 0 ? (long)left : 1;
}

static void set_options(struct transfer *t)
{
    const struct fetch_request *r = t->request;

    curl_easy_reset(t->curl);
    curl_easy_setopt(t->curl, CURLOPT_URL, r->url);
    curl_easy_setopt(t->curl, CURLOPT_PROTOCOLS_STR, "http,https,ftp,ftps");
    curl_easy_setopt(t->curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https,ftp,ftps");
    curl_easy_setopt(t->curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(t->curl, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
    curl_easy_setopt(t->curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(t->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(t->curl, CURLOPT_FILETIME, 1L);
    curl_easy_setopt(t->curl, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(t->curl, CURLOPT_USERAGENT, "whoisd");
    curl_easy_setopt(t->curl, CURLOPT_CONNECTTIMEOUT, (long)r->connect_timeout_s);
    curl_easy_setopt(t->curl, CURLOPT_SERVER_RESPONSE_TIMEOUT, (long)r->stall_s);
    curl_easy_setopt(t->curl, CURLOPT_LOW_SPEED_LIMIT, (long)STALL_BYTES_PER_S);
    curl_easy_setopt(t->curl, CURLOPT_LOW_SPEED_TIME, (long)r->stall_s);
    curl_easy_setopt(t->curl, CURLOPT_TIMEOUT_MS, left_ms(r));
    curl_easy_setopt(t->curl, CURLOPT_ERRORBUFFER, t->curl_text);
    curl_easy_setopt(t->curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(t->curl, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(t->curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(t->curl, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(t->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(t->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(t->curl, CURLOPT_XFERINFODATA, t);
}

/* @return ERR_OK, or what curl's and the server's codes mean. */
static enum err outcome(struct transfer *t, CURLcode code)
{
    long status = 0;
    enum err rc = ERR_IO;

    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    if (t->rc != ERR_OK || code == CURLE_OK) {
        return t->rc;
    }
    if (code == CURLE_REMOTE_FILE_NOT_FOUND || status == 404 || status == 410 || status == 550) {
        rc = ERR_NOT_FOUND;
    } else if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL) {
        rc = ERR_SYNTAX;
    } else if (code == CURLE_LOGIN_DENIED || status == 401 || status == 403) {
        rc = ERR_DENIED;
    }
    return why_set(&t->why, rc, "%s: %s", t->request->url,
                   t->curl_text[0] != '\0' ? t->curl_text : curl_easy_strerror(code));
}

static size_t on_nothing(char *at, size_t size, size_t count, void *context)
{
    return size * count;
}

/* Size and time of a file on an FTP server stand for its tag. */
static enum err ask_ftp(struct transfer *t)
{
    curl_off_t length = -1, modified = -1;
    enum err rc;

    set_options(t);
    curl_easy_setopt(t->curl, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(t->curl, CURLOPT_WRITEFUNCTION, on_nothing); /* Gets what it found as text. */
    rc = outcome(t, curl_easy_perform(t->curl));
    curl_easy_getinfo(t->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    curl_easy_getinfo(t->curl, CURLINFO_FILETIME_T, &modified);
    t->modified[0] = '\0';
    if (rc == ERR_OK && length >= 0 && modified >= 0) {
        snprintf(t->modified, sizeof(t->modified), "%lld-%lld", (long long)modified,
                 (long long)length);
    }
    return rc;
}

/* HTTP: the conditions under which the server may send less than the whole. */
static struct curl_slist *conditions(const struct transfer *t)
{
    const char *unless = t->request->unless;
    struct curl_slist *headers = NULL;
    char line[260];

    if (t->base > 0) {
        snprintf(line, sizeof(line), "Range: bytes=%llu-", (unsigned long long)t->base);
        headers = curl_slist_append(headers, line);
        snprintf(line, sizeof(line), "If-Range: %s", t->kept_tag);
        headers = curl_slist_append(headers, line);
    } else if (unless != NULL && unless[0] != '\0') {
        snprintf(line, sizeof(line), "%s: %s",
                 unless[0] == '"' ? "If-None-Match" : "If-Modified-Since", unless);
        headers = curl_slist_append(headers, line);
    }
    return headers;
}

static enum err transfer_body(struct transfer *t)
{
    struct curl_slist *headers;
    CURLcode code;

    set_options(t);
    headers = is_ftp(t) ? NULL : conditions(t);
    curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, headers);
    if (is_ftp(t) && t->base > 0) {
        curl_easy_setopt(t->curl, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)t->base);
    }
    code = curl_easy_perform(t->curl);
    curl_slist_free_all(headers);
    return outcome(t, code);
}

static bool is_unchanged(const struct transfer *t)
{
    const char *unless = t->request->unless;
    long status = 0;

    if (unless == NULL || unless[0] == '\0') {
        return false;
    }
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    return is_ftp(t) ? strcmp(t->modified, unless) == 0 : status == 304;
}

static void throw_away(struct transfer *t)
{
    unlink(t->part);
    unlink(t->tag_path);
}

/* Open PATH.part; what is in it counts only when we know what file it is of. */
static enum err open_part(struct transfer *t)
{
    struct stat st;
    bool resumes;

    read_kept_tag(t);
    t->fd = open(t->part, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (t->fd < 0 || fstat(t->fd, &st) != 0) {
        return fail_io(t, t->part);
    }
    resumes = t->kept_tag[0] != '\0' && (!is_ftp(t) || strcmp(t->kept_tag, t->modified) == 0);
    if (!resumes && ftruncate(t->fd, 0) != 0) {
        return fail_io(t, t->part);
    }
    t->base = resumes ? (uint64_t)st.st_size : 0;
    return ERR_OK;
}

static enum err finish(struct transfer *t, struct fetched *out)
{
    curl_off_t modified = -1;

    if (!t->has_begun && t->base > 0) { /* The file that was begun is empty now. */
        throw_away(t);
        return why_set(&t->why, ERR_IO, "%s: the file changed meanwhile", t->request->url);
    }
    if (t->total > 0 && t->base + t->got != t->total) {
        return why_set(&t->why, ERR_IO, "%s: %llu bytes came of %llu", t->request->url,
                       (unsigned long long)(t->base + t->got), (unsigned long long)t->total);
    }
    if (rename(t->part, t->request->path) != 0) {
        return fail_io(t, t->request->path);
    }
    unlink(t->tag_path);
    curl_easy_getinfo(t->curl, CURLINFO_FILETIME_T, &modified);
    out->modified_s = modified;
    out->bytes = t->base + t->got;
    out->resumed_from = t->base;
    make_tag(t, out->tag);
    return ERR_OK;
}

static enum err run(struct transfer *t, struct fetched *out)
{
    enum err rc = is_ftp(t) ? ask_ftp(t) : ERR_OK;
    long status = 0;

    if (rc != ERR_OK || (is_ftp(t) && is_unchanged(t))) {
        out->is_unchanged = rc == ERR_OK;
        return rc;
    }
    if ((rc = open_part(t)) != ERR_OK) {
        return rc;
    }
    rc = transfer_body(t);
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    if (rc == ERR_OK && is_unchanged(t)) {
        out->is_unchanged = true;
        throw_away(t);
        return ERR_OK;
    }
    if (rc == ERR_LIMIT || (rc == ERR_IO && status == 416)) {
        throw_away(t); /* Nothing that the next attempt could go on from. */
    }
    return rc == ERR_OK ? finish(t, out) : rc;
}

enum err fetch_file(const struct fetch_request *request, struct fetched *out, struct why *why)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct transfer t = {.request = request, .fd = -1};
    enum err rc;

    pthread_once(&once, init_curl);
    *out = (struct fetched){.modified_s = -1};
    if ((size_t)snprintf(t.part, sizeof(t.part), "%s.part", request->path) >= sizeof(t.part)) {
        return why_set(why, ERR_LIMIT, "%s: the path is too long", request->path);
    }
    snprintf(t.tag_path, sizeof(t.tag_path), "%s.tag", request->path);
    t.curl = curl_easy_init();
    if (t.curl == NULL) {
        return why_set(why, ERR_MEMORY, "%s: libcurl cannot start", request->url);
    }
    rc = run(&t, out);
    if (t.fd >= 0) {
        close(t.fd);
    }
    curl_easy_cleanup(t.curl);
    if (rc != ERR_OK) {
        *why = t.why;
    }
    return rc;
}
