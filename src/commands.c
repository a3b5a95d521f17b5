/*
 * What can be asked of a whois root. Each command works on a struct daemon, be it the running
 * server's or that of a lone command, and tells what it does line by line.
 */
#include "config.h" /* Written by configure. */

#include "commands.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon.h"
#include "mirror/export.h"
#include "mirror/loader.h"
#include "mirror/status_file.h"
#include "status.h"

#define EXIT_USAGE 2

#define LOCAL_QUERY_TIME_S 10
#define WAIT_LINE_MS       2000 /* Between lines that say what wait-ready waits for. */
#define WAIT_LOOK_MS       20
#define ASKED_OBJECTS      8 /* Before a source is said not to answer. */

/* --- helpers --- */

static struct source *find_source(struct daemon *daemon, const char *name, struct control_out *out)
{
    struct source *source = storage_find(daemon->storage, str_from(name));

    if (source == NULL) {
        control_print(out, "%s is no configured source; there are:", name);
        for (size_t i = 0; i < storage_source_count(daemon->storage); i++) {
            control_print(out, "  %s", source_name(storage_source(daemon->storage, i)));
        }
    }
    return source;
}

/* The source by name, its database open. */
static struct source *open_source(struct daemon *daemon, const char *name, struct control_out *out)
{
    struct source *source = find_source(daemon, name, out);
    struct why why;

    if (source != NULL && source_open(source, &why) != ERR_OK) {
        control_print(out, "%s cannot be opened: %s", source_name(source), why.text);
        return NULL;
    }
    return source;
}

static int report(enum err rc, const struct why *why, struct control_out *out)
{
    if (rc == ERR_OK) {
        return EXIT_SUCCESS;
    }
    control_print(out, "failed: %s", why->text);
    return EXIT_FAILURE;
}

static bool parse_serial(const char *text, int64_t *out)
{
    uint64_t value;

    if (str_to_u64(str_trim(str_from(text)), INT32_MAX, &value) != ERR_OK) {
        return false;
    }
    *out = (int64_t)value;
    return true;
}

/* --- waiting for answers --- */

/* An address of this machine on which the query port listens. */
static const char *local_address(const struct daemon *daemon)
{
    const char *first = daemon->query_address;

    return strcmp(first, "0.0.0.0") == 0 ? "127.0.0.1" : strcmp(first, "::") == 0 ? "::1" : first;
}

/* Ask the query port, as a client would, for the source's first object. @return True when the
 * answer holds its key. */
static bool answers_key(struct daemon *daemon, struct source *source, const struct rpsl_key *key)
{
    struct timeval limit = {.tv_sec = LOCAL_QUERY_TIME_S};
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *address = NULL;
    struct buf answer = {0};
    char port[16];
    char query[512];
    bool found = false;
    int fd = -1;

    snprintf(port, sizeof(port), "%d", query_server_port(daemon->query));
    /* The main source is asked by default; -s would leave out its objects of other sources. */
    snprintf(query, sizeof(query), "%s%s -r -T %s %.*s\n",
             source_kind(source) == SOURCE_MAIN ? "" : "-s ",
             source_kind(source) == SOURCE_MAIN ? "" : source_name(source),
             rpsl_class_info(key->class)->name, STR_ARG(key->text));
    if (getaddrinfo(local_address(daemon), port, &hints, &address) != 0) {
        return false;
    }
    fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0 &&
        connect(fd, address->ai_addr, address->ai_addrlen) == 0 &&
        send(fd, query, strlen(query), MSG_NOSIGNAL) == (ssize_t)strlen(query)) {
        ssize_t got;

        do {
            buf_reserve(&answer, 4096);
            got = recv(fd, answer.at + answer.len, answer.cap - answer.len, 0);
            answer.len += got > 0 ? (size_t)got : 0;
        } while (got > 0);
        found = str_contains(buf_str(&answer), key->text);
    }
    if (fd >= 0) {
        close(fd);
    }
    buf_free(&answer);
    freeaddrinfo(address);
    return found;
}

/* Whether the class is found by its own key alone (a forward domain is not, an as-block by what it
 * contains). */
static bool is_found_by_key(enum rpsl_class class)
{
    return class != CLASS_UNKNOWN && class != CLASS_DOMAIN && class != CLASS_AS_BLOCK;
}

/* Ask for a few objects, in case one is found otherwise than by its key. @return 1 when the source
 * answers one, 0 when it answers none, -1 when it holds none to ask for. */
static int source_answers(struct daemon *daemon, struct source *source)
{
    struct reader *reader = reader_new();
    struct arena *arena = arena_new((size_t)64 << 20);
    const struct snapshot *snap;
    int result = -1, asked = 0;

    reader_attach(reader, source_index(source));
    reader_refresh(reader);
    snap = reader_snapshot(reader, source_index(source));
    for (uint32_t id = 0; snap != NULL && result != 1 && asked < ASKED_OBJECTS &&
                          (id = snapshot_next(snap, id)) != 0;) {
        struct object_info info;
        struct rpsl_object object;
        struct rpsl_key key;
        struct str text;

        arena_reset(arena);
        if (snapshot_object(snap, id, &info) && is_found_by_key(info.class) &&
            snapshot_text(reader, snap, id, arena, &text) == ERR_OK &&
            rpsl_parse(text, arena, &object) == ERR_OK &&
            rpsl_object_key(&object, arena, &key) == ERR_OK && str_is_ascii(key.text)) {
            result = answers_key(daemon, source, &key);
            asked++;
        }
    }
    arena_free(arena);
    reader_free(reader);
    return result;
}

/* Whether nothing more is to be waited for: an empty source or a first load is not. */
static bool is_settled(struct daemon *daemon, struct source *source)
{
    struct source_status status;

    source_get_status(source, &status);
    switch (status.state) {
    case SOURCE_CLOSED: /* A checkpoint is answered from, however long the database is away. */
        return status.stale_since_ms != 0;
    case SOURCE_OPENING:
        return false;
    case SOURCE_READY:
        return source_answers(daemon, source) != 0;
    case SOURCE_EMPTY:
    case SOURCE_LOADING:
    case SOURCE_FAILED: /* Told by the status; other sources answer. */
        return true;
    }
    return true;
}

static int run_wait_ready(struct daemon *daemon, size_t count, char **words,
                          struct control_out *out)
{
    int64_t seconds = 300;
    int64_t end_ms;
    int64_t next_line_ms;

    if (count > 1 && !parse_serial(words[1], &seconds)) {
        control_print(out, "%s is no number of seconds", words[1]);
        return EXIT_USAGE;
    }
    end_ms = clock_mono_ms(&system_clock) + seconds * 1000;
    next_line_ms = clock_mono_ms(&system_clock) + WAIT_LINE_MS;
    for (size_t i = 0; i < storage_source_count(daemon->storage);) {
        struct source *source = storage_source(daemon->storage, i);
        struct source_status status;

        if (is_settled(daemon, source)) {
            i++;
            continue;
        }
        source_get_status(source, &status);
        if (clock_mono_ms(&system_clock) > end_ms) {
            control_print(out, "%s does not answer yet: %s %s", source_name(source),
                          source_state_text(&status), status.error);
            return EXIT_FAILURE;
        }
        if (clock_mono_ms(&system_clock) >= next_line_ms) {
            control_print(out, "waiting for %s: %s %d%% %s", source_name(source),
                          source_state_text(&status), status.percent, status.error);
            next_line_ms = clock_mono_ms(&system_clock) + WAIT_LINE_MS;
        }
        if (out->fd < 0 || atomic_load(&daemon->is_stopping)) {
            return EXIT_FAILURE;
        }
        nanosleep(&(struct timespec){.tv_nsec = WAIT_LOOK_MS * 1000000}, NULL);
    }
    control_print(out, "every source that holds objects answers");
    return EXIT_SUCCESS;
}

/* --- loading --- */

struct load_words {
    const char *files[CONTROL_MAX_WORDS];
    size_t file_count;
    int64_t serial;
    const char *serial_file;
    bool force, audit;
    bool asks_serial; /* Of the NRTM server. */
};

/* Take `FILE... [--serial N | --serial-file F] [--force] [--audit]` apart. */
static bool parse_load_words(size_t count, char **words, struct load_words *out,
                             struct control_out *to)
{
    *out = (struct load_words){.serial = -1};
    for (size_t i = 0; i < count; i++) {
        bool has_value = i + 1 < count;

        if (strcmp(words[i], "--serial") == 0 && has_value) {
            if (!parse_serial(words[++i], &out->serial)) {
                control_print(to, "--serial %s: a number from 0 to 2147483647 is allowed",
                              words[i]);
                return false;
            }
        } else if (strcmp(words[i], "--serial-file") == 0 && has_value) {
            out->serial_file = words[++i];
        } else if (strcmp(words[i], "--force") == 0) {
            out->force = true;
        } else if (strcmp(words[i], "--audit") == 0) {
            out->audit = true;
        } else if (words[i][0] == '-') {
            control_print(to, "unknown or incomplete option %s", words[i]);
            return false;
        } else {
            out->files[out->file_count++] = words[i];
        }
    }
    return true;
}

static void print_progress(void *context, const char *line)
{
    control_print(context, "%s", line);
}

/* Load the files into an open source while its stream rests. */
static int load_files(struct daemon *daemon, struct source *source, const struct load_words *words,
                      struct control_out *out)
{
    struct load_request request = mirror_load_request(daemon->mirror, source);
    struct load_report counts = {0};
    struct source_position position;
    struct why why;
    enum err rc;

    request.files = words->files;
    request.file_count = words->file_count;
    request.serial = words->serial;
    request.serial_file = words->serial_file;
    request.force = words->force;
    request.audit = words->audit;
    request.asks_serial = words->asks_serial;
    request.on_progress = print_progress;
    request.context = out;
    rc = mirror_refresh_by_hand(daemon->mirror, source, &request, &counts, &why);
    if (rc != ERR_OK) {
        return report(rc, &why, out);
    }
    source_get_position(source, &position);
    if (!position.position_known && request.has_stream) {
        control_print(
            out,
            "the dump's serial is not known: the mirror does not stream until its position is set "
            "(whois.init setserial %s N)",
            source_name(source));
    }
    return EXIT_SUCCESS;
}

static int run_load(struct daemon *daemon, size_t count, char **words, struct control_out *out)
{
    struct load_words load;
    struct source *source;

    if (!parse_load_words(count - 2, words + 2, &load, out)) {
        return EXIT_USAGE;
    }
    if (load.file_count == 0) {
        control_print(out, "no file to load");
        return EXIT_USAGE;
    }
    source = open_source(daemon, words[1], out);
    return source != NULL ? load_files(daemon, source, &load, out) : EXIT_FAILURE;
}

/* Without a source: the configuration. With one: its data by difference, from the files given or
 * configured. */
static int run_reload(struct daemon *daemon, size_t count, char **words, struct control_out *out)
{
    struct load_words load;
    struct source *source;
    struct why why;

    if (count == 1) {
        if (daemon->query == NULL) {
            control_print(out, "whois is not running");
            return EXIT_FAILURE;
        }
        return report(daemon_reload(daemon, &why), &why, out);
    }
    if (!parse_load_words(count - 2, words + 2, &load, out)) {
        return EXIT_USAGE;
    }
    source = open_source(daemon, words[1], out);
    if (source == NULL) {
        return EXIT_FAILURE;
    }
    if (load.file_count == 0) {
        const struct mirror_source_conf *conf = mirror_source_conf_of(daemon->mirror, source);

        if (conf == NULL || conf->dump.count == 0) {
            control_print(out, "%s has no dump configured (nrtm.import.%s.dump): name the files",
                          source_name(source), source_name(source));
            return EXIT_USAGE;
        }
        for (; load.file_count < conf->dump.count && load.file_count < CONTROL_MAX_WORDS;
             load.file_count++) {
            load.files[load.file_count] = conf->dump.items[load.file_count];
        }
        if (load.serial < 0 && load.serial_file == NULL && conf->serial[0] != '\0') {
            if (load.audit && conf->asks_serial) {
                control_print(out, "an audit needs the dump's own serial: --serial, --serial-file");
                return EXIT_USAGE;
            }
            load.asks_serial = conf->asks_serial;
            load.serial_file = conf->asks_serial ? NULL : conf->serial;
        }
    }
    return load_files(daemon, source, &load, out);
}

static int run_apply(struct daemon *daemon, size_t count, char **words, struct control_out *out)
{
    struct source *source = open_source(daemon, words[1], out);
    struct load_request request;
    struct apply_report counts = {0};
    struct why why;
    enum err rc;

    if (source == NULL) {
        return EXIT_FAILURE;
    }
    request = mirror_load_request(daemon->mirror, source);
    request.files = (const char *const *)&words[2];
    request.file_count = count - 2;
    request.on_progress = print_progress;
    request.context = out;
    mirror_pause(daemon->mirror, source);
    rc = mirror_apply(source, &request, &counts, &why);
    mirror_resume(daemon->mirror, source);
    return report(rc, &why, out);
}

/* --- exporting --- */

static int run_export(struct daemon *daemon, size_t count, char **words, struct control_out *out)
{
    struct source *source = open_source(daemon, words[1], out);
    struct export_request request = {
        .path = words[2], .on_progress = print_progress, .context = out};
    struct export_report done;
    struct why why;
    enum err rc;

    (void)count;
    if (source == NULL) {
        return EXIT_FAILURE;
    }
    rc = mirror_export(daemon->mirror, source, &request, &done, &why);
    if (rc == ERR_OK) {
        control_print(out, "%llu objects of %s at serial %lld in %s, checksum %016llx",
                      (unsigned long long)done.objects, source_name(source), (long long)done.serial,
                      words[2], (unsigned long long)done.checksum);
        log_info(LOG_LOADER, "%s exported objects=%llu serial=%lld to %s", source_name(source),
                 (unsigned long long)done.objects, (long long)done.serial,
                 log_quote(str_from(words[2])).text);
    }
    return report(rc, &why, out);
}

/* --- the operator's hand on a source --- */

static int run_adopt(struct daemon *daemon, size_t count, char **words, struct control_out *out)
{
    struct source *source = open_source(daemon, words[1], out);
    struct why why;
    enum err rc;

    (void)count;
    if (source == NULL) {
        return EXIT_FAILURE;
    }
    mirror_pause(daemon->mirror, source);
    rc = source_adopt(source, &why);
    mirror_resume(daemon->mirror, source);
    return report(rc, &why, out);
}

static int run_set_serial(struct daemon *daemon, size_t count, char **words,
                          struct control_out *out)
{
    struct source *source;
    struct why why;
    int64_t serial;
    enum err rc;

    (void)count;
    if (!parse_serial(words[2], &serial) || serial == 0) {
        control_print(out, "%s: a serial from 1 to 2147483647 is allowed", words[2]);
        return EXIT_USAGE;
    }
    source = open_source(daemon, words[1], out);
    if (source == NULL) {
        return EXIT_FAILURE;
    }
    mirror_pause(daemon->mirror, source);
    rc = source_set_serial(source, serial, &why);
    mirror_resume(daemon->mirror, source);
    if (rc == ERR_OK) {
        control_print(out, "%s goes on after serial %lld", source_name(source), (long long)serial);
    }
    return report(rc, &why, out);
}

/* --- the table --- */

// clang-format off
const struct command commands[] = {
    {"status", "[--json]",
     "state, serials, lag, counters, memory and checksum of every source",
     COMMAND_SERVER, 0, 1, false, run_status},
    {"wait-ready", "[SECONDS]",
     "until every source that holds objects answers a key of its own",
     COMMAND_SERVER, 0, 1, false, run_wait_ready},
    {"load", "SOURCE FILE... [--serial N | --serial-file F] [--force]",
     "load a dump, gzip or plain; the whole of it or nothing",
     COMMAND_EITHER, 2, CONTROL_MAX_WORDS - 1, true, run_load},
    {"reload", "[SOURCE [FILE...] [--serial N | --serial-file F] [--force] [--audit]]",
     "re-read properties, or reload a source's data by difference; --audit: as of the dump's serial",
     COMMAND_EITHER, 0, CONTROL_MAX_WORDS - 1, true, run_reload},
    {"apply", "SOURCE FILE...",
     "apply an NRTM stream from files; serials that are done already are skipped",
     COMMAND_EITHER, 2, CONTROL_MAX_WORDS - 1, true, run_apply},
    {"export", "SOURCE FILE",
     "write a source's objects and their serial to a dump (gzip when FILE ends in .gz)",
     COMMAND_EITHER, 2, 2, true, run_export},
    {"setserial", "SOURCE SERIAL",
     "set a mirror's position: it goes on after this serial",
     COMMAND_EITHER, 2, 2, false, run_set_serial},
    {"adopt", "SOURCE",
     "take over a database written by the reference server",
     COMMAND_EITHER, 1, 1, false, run_adopt},
    {NULL, NULL, NULL, COMMAND_SERVER, 0, 0, false, NULL},
};
// clang-format on

const struct command *command_find(const char *name)
{
    for (const struct command *command = commands; command->name != NULL; command++) {
        if (strcmp(command->name, name) == 0) {
            return command;
        }
    }
    return NULL;
}

int command_run(void *context, size_t count, char **words, struct control_out *out)
{
    const struct command *command = command_find(words[0]);

    if (command == NULL || count - 1 < command->min_words || count - 1 > command->max_words) {
        control_print(out, "malformed command %s", words[0]);
        return EXIT_USAGE;
    }
    log_info(LOG_MAIN, "command %s%s%s", words[0], count > 1 ? " " : "", count > 1 ? words[1] : "");
    return command->run(context, count, words, out);
}
