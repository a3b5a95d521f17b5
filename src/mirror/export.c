/*
 * The version is held by a reader of the export's own, and walked by id. zlib writes both forms:
 * gzip at its fastest level, since the version cannot go before the file is done.
 */
#include "mirror/export.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/log.h"

enum { PROGRESS_MS = 5000, OBJECTS_PER_LOOK = 1000, BUFFER_BYTES = 1 << 18 };

#define TEXT_ARENA_BYTES ((size_t)256 << 20)

struct export
{
    struct mirror *mirror;
    struct source *source;
    const struct export_request *request;
    struct export_report *report;
    struct load_request limits; /* Charset and when to give up. */
    const struct snapshot *snap;
    struct reader *reader;
    struct arena *arena;
    struct buf encoded;
    char fresh[4200]; /* The file being written. */
    gzFile file;
    bool is_pausing;
    int64_t progress_ms;
};

static enum err failed(const struct export *e, struct why *why)
{
    return why_set(why, ERR_IO, "%s: %s", e->fresh, strerror(errno));
}

static void say(struct export *e, const char *line)
{
    log_info(LOG_LOADER, "%s", line);
    if (e->request->on_progress != NULL) {
        e->request->on_progress(e->request->context, line);
    }
}

/* From time to time: tell how far it is, and keep the mirror from filling the memory with versions
 * that wait for us. */
static void look_around(struct export *e)
{
    struct index_contents contents;
    struct index_memory memory;
    int64_t now = clock_mono_ms(&system_clock);
    char line[200];

    source_get_contents(e->source, &contents, &memory);
    if (!e->is_pausing && memory.garbage > memory.garbage_limit) {
        e->is_pausing = true;
        mirror_pause(e->mirror, e->source);
        say(e, "the mirror waits for the export: too much memory is kept for it");
    }
    if (now - e->progress_ms >= PROGRESS_MS) {
        uint64_t all = snapshot_position(e->snap).objects;

        e->progress_ms = now;
        snprintf(line, sizeof(line), "%s: %" PRIu64 " of %" PRIu64 " objects exported (%d%%)",
                 source_name(e->source), e->report->objects, all,
                 (int)(e->report->objects * 100 / all));
        say(e, line);
    }
}

static enum err write_bytes(struct export *e, struct str bytes, struct why *why)
{
    e->report->bytes += bytes.len;
    return bytes.len == 0 || gzwrite(e->file, bytes.at, (unsigned)bytes.len) > 0 ? ERR_OK
                                                                                 : failed(e, why);
}

static enum err write_header(struct export *e, struct why *why)
{
    struct buf header = {0};
    enum err rc;

    buf_printf(&header, "# %s (%s): %" PRIu64 " objects\n", source_name(e->source),
               source_upstream(e->source), snapshot_position(e->snap).objects);
    if (e->report->serial >= 0) {
        buf_printf(&header, "# serial: %" PRId64 "\n", e->report->serial);
    }
    buf_printf(&header, "# checksum: %016" PRIx64 "\n", e->report->checksum);
    rc = write_bytes(e, buf_str(&header), why);
    buf_free(&header);
    return rc;
}

/* UTF-8 to what a load of the mirror decodes to the same again. */
static enum err encode(struct export *e, struct str text, struct str *out, struct why *why)
{
    struct buf back = {0};
    bool was_wrong;
    enum err rc = ERR_OK;

    *out = text;
    if (e->limits.charset == CHARSET_UTF8 || str_is_ascii(text)) {
        return ERR_OK;
    }
    buf_clear(&e->encoded);
    utf8_encode(text, e->limits.charset, &e->encoded);
    *out = buf_str(&e->encoded);
    if (!str_eq(charset_to_utf8(*out, e->limits.charset, &back, &was_wrong), text)) {
        rc = why_set(why, ERR_SYNTAX,
                     "%s: an object has characters that the charset of the mirror "
                     "(nrtm.import.%s.charset) lacks: %s",
                     source_name(e->source), source_name(e->source),
                     log_quote(str_sub(text, 0, str_find(text, '\n', 0))).text);
    }
    buf_free(&back);
    return rc;
}

static enum err write_object(struct export *e, uint32_t id, struct why *why)
{
    struct str text, encoded = {0};
    enum err rc = snapshot_text(e->reader, e->snap, id, e->arena, &text);

    if (rc != ERR_OK) {
        return why_set(why, rc, "%s: object %u: %s", source_name(e->source), id, err_text(rc));
    }
    rc = encode(e, text, &encoded, why);
    if (rc == ERR_OK) {
        rc = write_bytes(e, STR("\n"), why);
    }
    if (rc == ERR_OK) {
        rc = write_bytes(e, encoded, why);
    }
    if (rc == ERR_OK && !str_ends_nocase(encoded, STR("\n"))) {
        rc = write_bytes(e, STR("\n"), why);
    }
    e->report->objects++;
    arena_reset(e->arena);
    return rc;
}

static enum err write_objects(struct export *e, struct why *why)
{
    enum err rc = write_header(e, why);

    for (uint32_t id = 0; rc == ERR_OK && (id = snapshot_next(e->snap, id)) != 0;) {
        rc = write_object(e, id, why);
        if (rc == ERR_OK && e->report->objects % OBJECTS_PER_LOOK == 0) {
            look_around(e);
            if (e->limits.cancel != NULL && atomic_load(e->limits.cancel)) {
                rc = why_set(why, ERR_STOPPED, "%s: the export was given up",
                             source_name(e->source));
            }
        }
    }
    return rc;
}

/* --- files --- */

static bool is_gzip(const char *path)
{
    return str_ends_nocase(str_from(path), STR(".gz"));
}

/* Written aside; safe on the disk when this returns ERR_OK. */
static enum err write_file(struct export *e, struct why *why)
{
    int fd = open(e->fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), sync_fd;
    enum err rc;

    sync_fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    e->file = sync_fd < 0 ? NULL : gzdopen(fd, is_gzip(e->request->path) ? "wb1" : "wbT");
    if (e->file == NULL) {
        rc = failed(e, why);
        if (fd >= 0) {
            close(fd);
        }
        if (sync_fd >= 0) {
            close(sync_fd);
        }
        return rc;
    }
    gzbuffer(e->file, BUFFER_BYTES);
    rc = write_objects(e, why);
    if (gzclose(e->file) != Z_OK && rc == ERR_OK) {
        rc = failed(e, why);
    }
    if (rc == ERR_OK && fsync(sync_fd) != 0) {
        rc = failed(e, why);
    }
    close(sync_fd);
    return rc;
}

static enum err write_serial_file(struct export *e, struct why *why)
{
    char path[4096];
    FILE *file;
    bool is_bad;

    snprintf(path, sizeof(path), "%s.serial", e->request->path);
    if (e->report->serial < 0) {
        unlink(path); /* Of an older dump. */
        return ERR_OK;
    }
    snprintf(e->fresh, sizeof(e->fresh), "%s.new", path);
    file = fopen(e->fresh, "we");
    if (file == NULL) {
        return failed(e, why);
    }
    is_bad = fprintf(file, "%" PRId64 "\n", e->report->serial) < 0;
    is_bad = fclose(file) != 0 || is_bad || rename(e->fresh, path) != 0;
    return is_bad ? failed(e, why) : ERR_OK;
}

static enum err export_version(struct export *e, struct why *why)
{
    enum err rc;

    snprintf(e->fresh, sizeof(e->fresh), "%s.new", e->request->path);
    rc = write_file(e, why);
    if (rc == ERR_OK && rename(e->fresh, e->request->path) != 0) {
        rc = failed(e, why);
    }
    if (rc == ERR_OK) {
        rc = write_serial_file(e, why);
    }
    if (rc != ERR_OK) {
        unlink(e->fresh);
    }
    return rc;
}

enum err mirror_export(struct mirror *mirror, struct source *source,
                       const struct export_request *request, struct export_report *report,
                       struct why *why)
{
    struct export e = {.mirror = mirror, .source = source, .request = request, .report = report};
    struct source_position position;
    enum err rc;

    *report = (struct export_report){.serial = -1};
    e.limits = mirror_load_request(mirror, source);
    e.progress_ms = clock_mono_ms(&system_clock);
    e.reader = reader_new();
    e.arena = arena_new(TEXT_ARENA_BYTES);
    reader_attach(e.reader, source_index(source));
    reader_refresh(e.reader);
    e.snap = reader_snapshot(e.reader, source_index(source));
    if (e.snap == NULL || snapshot_position(e.snap).objects == 0) {
        rc = why_set(why, ERR_NOT_FOUND, "%s holds no objects", source_name(source));
    } else {
        source_get_position(source, &position);
        report->serial = position.position_known ? snapshot_position(e.snap).hw : -1;
        report->checksum = snapshot_checksum(e.snap);
        rc = export_version(&e, why);
    }
    if (e.is_pausing) {
        mirror_resume(mirror, source);
    }
    arena_free(e.arena);
    reader_free(e.reader);
    buf_free(&e.encoded);
    return rc;
}
