/*
 * Files in, bytes out: plain or gzip.
 * A gzip file is a sequence of members; each ends in a checksum and a length that zlib compares.
 * Whatever does not end that way is reported with its offset, so that an operator can tell a broken
 * download from a broken disk.
 */
#include "mirror/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { RAW_BYTES = 256 * 1024 };
#define GZIP_OR_NOTHING (15 + 16) /* inflateInit2(): largest window, gzip framing only. */

struct input {
    char *path;
    int fd;
    uint64_t size;     /* Of the file. */
    uint64_t consumed; /* What was handed on of it; not what was read ahead. */
    bool is_gzip;
    bool in_member; /* Between a gzip header and its trailer. */
    bool at_eof;
    z_stream z;
    struct str raw; /* Read from the file, not used yet: slice of raw_bytes. */
    char raw_bytes[RAW_BYTES];
};

static enum err fill_raw(struct input *input, struct why *why)
{
    ssize_t n;

    if (input->raw.len > 0 || input->at_eof) {
        return ERR_OK;
    }
    do {
        n = read(input->fd, input->raw_bytes, sizeof(input->raw_bytes));
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return why_set(why, ERR_IO, "%s: %s", input->path, strerror(errno));
    }
    input->raw = (struct str){input->raw_bytes, (size_t)n};
    input->at_eof = n == 0;
    return ERR_OK;
}

static void take_raw(struct input *input, size_t count)
{
    input->raw.at += count;
    input->raw.len -= count;
    input->consumed += count;
}

const char *input_local_path(const char *path)
{
    return strncmp(path, "file://", 7) == 0 ? path + 7 : path;
}

enum err input_open(const char *path, struct input **out, struct why *why)
{
    struct input *input;
    struct stat st;
    enum err rc;

    path = input_local_path(path);
    if (strstr(path, "://") != NULL) {
        return why_set(why, ERR_IO, "%s: only local files and file:// are read", path);
    }
    input = calloc(1, sizeof(*input));
    if (input == NULL) {
        return why_set(why, ERR_MEMORY, "%s: out of memory", path);
    }
    input->path = str_dup(str_from(path));
    input->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (input->fd < 0 || fstat(input->fd, &st) < 0) {
        rc = why_set(why, ERR_IO, "%s: %s", path, strerror(errno));
        goto fail;
    }
    if (S_ISDIR(st.st_mode)) {
        rc = why_set(why, ERR_IO, "%s: %s", path, strerror(EISDIR));
        goto fail;
    }
    input->size = (uint64_t)st.st_size;
    if ((rc = fill_raw(input, why)) != ERR_OK) {
        goto fail;
    }
    if (str_starts(input->raw, STR("\x1f\x8b"))) {
        if (inflateInit2(&input->z, GZIP_OR_NOTHING) != Z_OK) {
            rc = why_set(why, ERR_MEMORY, "%s: out of memory", path);
            goto fail;
        }
        input->is_gzip = true;
        input->in_member = true;
    }
    *out = input;
    return ERR_OK;
fail:
    input_close(input);
    return rc;
}

void input_close(struct input *input)
{
    if (input == NULL) {
        return;
    }
    if (input->is_gzip) {
        inflateEnd(&input->z);
    }
    if (input->fd >= 0) {
        close(input->fd);
    }
    free(input->path);
    free(input);
}

static enum err read_plain(struct input *input, char *to, size_t room, size_t *got, struct why *why)
{
    enum err rc = fill_raw(input, why);
    size_t n = input->raw.len < room ? input->raw.len : room;

    if (rc != ERR_OK) {
        return rc;
    }
    memcpy(to, input->raw.at, n);
    take_raw(input, n);
    *got = n;
    return ERR_OK;
}

/* Behind a member: another one, or nothing but zero bytes (tapes and some FTP servers pad with
 * them). */
static enum err begin_member(struct input *input, struct why *why)
{
    enum err rc;

    while ((rc = fill_raw(input, why)) == ERR_OK && input->raw.len > 0 && input->raw.at[0] == 0) {
        take_raw(input, 1);
    }
    if (rc != ERR_OK || input->raw.len == 0) {
        return rc;
    }
    input->in_member = inflateReset(&input->z) == Z_OK;
    return ERR_OK;
}

static enum err corrupt(struct input *input, struct why *why, const char *what)
{
    return why_set(why, ERR_CORRUPT, "%s: gzip data is damaged at byte %llu of %llu: %s",
                   input->path, (unsigned long long)input->consumed,
                   (unsigned long long)input->size, what);
}

static enum err read_gzip(struct input *input, char *to, size_t room, size_t *got, struct why *why)
{
    enum err rc;

    while (*got == 0) {
        int z;

        if (!input->in_member && ((rc = begin_member(input, why)) != ERR_OK || !input->in_member)) {
            return rc;
        }
        if ((rc = fill_raw(input, why)) != ERR_OK) {
            return rc;
        }
        if (input->raw.len == 0) {
            return why_set(why, ERR_CORRUPT, "%s: gzip data is cut off at byte %llu", input->path,
                           (unsigned long long)input->consumed);
        }
        input->z.next_in = (Bytef *)input->raw.at;
        input->z.avail_in = (uInt)input->raw.len;
        input->z.next_out = (Bytef *)to;
        input->z.avail_out = (uInt)room;
        z = inflate(&input->z, Z_NO_FLUSH);
        take_raw(input, input->raw.len - input->z.avail_in);
        *got = room - input->z.avail_out;
        if (z == Z_STREAM_END) {
            input->in_member = false;
        } else if (z != Z_OK) {
            return corrupt(input, why, input->z.msg != NULL ? input->z.msg : "no gzip data");
        }
    }
    return ERR_OK;
}

enum err input_read(struct input *input, void *to, size_t room, size_t *got, struct why *why)
{
    *got = 0;
    if (room > UINT32_MAX / 2) {
        room = UINT32_MAX / 2; /* zlib counts in unsigned int. */
    }
    return (input->is_gzip ? read_gzip : read_plain)(input, to, room, got, why);
}

const char *input_path(const struct input *input)
{
    return input->path;
}

uint64_t input_size(const struct input *input)
{
    return input->size;
}

uint64_t input_consumed(const struct input *input)
{
    return input->consumed;
}

uint64_t input_estimate(const struct input *input)
{
    unsigned char tail[4];
    uint64_t length;

    if (!input->is_gzip || input->size < sizeof(tail) ||
        pread(input->fd, tail, sizeof(tail), (off_t)(input->size - sizeof(tail))) != sizeof(tail)) {
        return input->size;
    }
    /* The trailer holds the last member's length modulo 4 GiB. Registry text shrinks to a tenth: a
     * file whose trailer says much less has several members or wrapped. */
    length = tail[0] | tail[1] << 8 | tail[2] << 16 | (uint64_t)tail[3] << 24;
    if (input->size > (1u << 28)) {
        while (length < input->size * 4) {
            length += 1ull << 32;
        }
    } else if (length < input->size) {
        length = input->size * 8;
    }
    return length;
}

enum err input_slurp(const char *path, size_t max, struct buf *out, struct why *why)
{
    struct input *input = NULL;
    enum err rc = input_open(path, &input, why);
    size_t got;

    buf_clear(out);
    while (rc == ERR_OK) {
        buf_reserve(out, max + 1 - out->len);
        rc = input_read(input, out->at + out->len, max + 1 - out->len, &got, why);
        if (rc != ERR_OK || got == 0) {
            break;
        }
        out->len += got;
        if (out->len > max) {
            rc = why_set(why, ERR_LIMIT, "%s: longer than %zu bytes", input_path(input), max);
        }
    }
    input_close(input);
    return rc;
}
