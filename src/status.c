/*
 * The status of a running server. What programs read of a source is mirror/status_file.c's; the
 * table for people shows the same numbers, rounded and in columns.
 */
#include "config.h" /* Written by configure. */

#include "status.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon.h"
#include "mirror/status_file.h"
#include "query/server.h"

/** What is asked of all sources before anything is printed. */
struct row {
    struct source *source;
    struct source_status stored;
    struct mirror_status mirror;
    struct index_contents contents;
    struct index_memory memory;
};

static struct row make_row(struct daemon *daemon, size_t i)
{
    struct row row = {.source = storage_source(daemon->storage, i)};

    source_get_status(row.source, &row.stored);
    source_get_contents(row.source, &row.contents, &row.memory);
    mirror_get_status(daemon->mirror, row.source, &row.mirror);
    return row;
}

static bool is_degraded(const struct row *row)
{
    return row->stored.state == SOURCE_FAILED || row->stored.state == SOURCE_CLOSED ||
           row->stored.database_down || row->mirror.is_degraded;
}

/* Bytes of this process in memory; 0 when the system does not say. */
static uint64_t resident_bytes(void)
{
    unsigned long long total, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    if (file == NULL) {
        return 0;
    }
    if (fscanf(file, "%llu %llu", &total, &resident) != 2) {
        resident = 0;
    }
    fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* --- the table --- */

static void print_time(int64_t wall_ms, char *text, size_t size)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;

    if (wall_ms == 0 || gmtime_r(&seconds, &parts) == NULL) {
        snprintf(text, size, "-");
        return;
    }
    strftime(text, size, "%Y-%m-%d %H:%M:%S", &parts);
}

static void print_age(int64_t seconds, char *text, size_t size)
{
    if (seconds < 120) {
        snprintf(text, size, "%" PRId64 " s", seconds);
    } else if (seconds < 7200) {
        snprintf(text, size, "%" PRId64 " min", seconds / 60);
    } else {
        snprintf(text, size, "%" PRId64 " h", seconds / 3600);
    }
}

/* Serials and time behind the upstream. */
static void print_lag(const struct mirror_status *mirror, char *text, size_t size)
{
    char age[32];

    if (!mirror->is_mirrored) {
        snprintf(text, size, "-");
        return;
    }
    print_age(mirror->lag_s, age, sizeof(age));
    if (mirror->lag_serials < 0) {
        snprintf(text, size, "? / %s", age);
    } else {
        snprintf(text, size, "%" PRId64 " / %s", mirror->lag_serials, age);
    }
}

static double megabytes(uint64_t bytes)
{
    return (double)bytes / 1e6;
}

static void print_row(const struct row *row, struct control_out *out)
{
    char state[32], commit[32], lag[64];

    snprintf(state, sizeof(state), "%s", source_state_text(&row->stored));
    if (row->stored.state == SOURCE_OPENING || row->stored.state == SOURCE_LOADING) {
        snprintf(state, sizeof(state), "%s %d%%", source_state_text(&row->stored),
                 row->stored.percent);
    }
    print_time(row->stored.last_commit_ms, commit, sizeof(commit));
    print_lag(&row->mirror, lag, sizeof(lag));
    control_print(out, "%-16s %-12s %10" PRIu64 " %11" PRId64 " %11" PRId64 " %14s %-5s  %-19s  %s",
                  source_name(row->source), state, row->contents.position.objects,
                  row->stored.serial, row->stored.hw, lag,
                  row->mirror.is_mirrored ? mirror_freshness_text(row->mirror.freshness) : "-",
                  commit, row->mirror.text);
    if (row->stored.error[0] != '\0') {
        control_print(out, "  %s: %s", source_name(row->source), row->stored.error);
    }
    if (row->stored.stale_since_ms != 0) {
        print_time(row->stored.stale_since_ms, commit, sizeof(commit));
        control_print(out, "  %s: answers come from the checkpoint of %s UTC",
                      source_name(row->source), commit);
    }
    if (row->mirror.error[0] != '\0') {
        control_print(out, "  %s: %s", source_name(row->source), row->mirror.error);
    }
    if (row->mirror.dump_error[0] != '\0') {
        control_print(out, "  %s: its dump: %s", source_name(row->source), row->mirror.dump_error);
    }
}

static void print_classes(const struct row *row, struct control_out *out)
{
    struct buf text = {0};

    for (unsigned class = 0; class < CLASS_COUNT; class ++) {
        if (row->contents.classes[class] > 0) {
            buf_printf(&text, "%s %s %" PRIu64, text.len > 0 ? "," : "",
                       class < CLASS_UNKNOWN ? rpsl_class_info((enum rpsl_class) class)->name
                                             : "other",
                       row->contents.classes[class]);
        }
    }
    control_print(out, "  objects:%.*s", STR_ARG(buf_str(&text)));
    buf_free(&text);
}

static void print_details(const struct row *row, struct control_out *out)
{
    const struct index_memory *memory = &row->memory;
    const struct nrtm_client_status *client = &row->mirror.client;

    if (row->contents.position.objects == 0) {
        return;
    }
    control_print(out, "%s", source_name(row->source));
    control_print(out, "  checksum: %016" PRIx64 " at serial %" PRId64, row->contents.checksum,
                  row->contents.position.hw);
    print_classes(row, out);
    control_print(out,
                  "  memory: %.1f MB: texts %.1f, dictionary %.1f, objects %.1f, keys %.1f, "
                  "postings %.1f, ranges %.1f, order %.1f, free %.1f, older versions %.1f",
                  megabytes(index_memory_total(memory)), megabytes(memory->texts),
                  megabytes(memory->dictionary), megabytes(memory->objects),
                  megabytes(memory->keys), megabytes(memory->postings), megabytes(memory->ranges),
                  megabytes(memory->order), megabytes(memory->free_nodes),
                  megabytes(memory->garbage));
    if (row->stored.pruned.to != 0) {
        control_print(
            out,
            "  pruned: %" PRIu64 " rows of history, %" PRIu64 " of serials, up to serial %" PRId64,
            row->stored.pruned.history, row->stored.pruned.serials, row->stored.pruned.to);
    }
    if (row->mirror.is_followed) {
        control_print(out,
                      "  stream: %" PRIu64 " sessions, %" PRIu64 " failed; %" PRIu64
                      " operations in %" PRIu64 " batches, %" PRIu64 " skipped, %" PRIu64
                      " gaps, %" PRIu64 " deletions of nothing, %" PRIu64 " foreign, %" PRIu64
                      " recoded, %" PRIu64 " quarantined",
                      client->sessions, client->failures, client->counters.operations,
                      client->counters.batches, client->counters.repeated, client->counters.gaps,
                      row->stored.missing, client->counters.foreign, client->counters.recoded,
                      row->stored.quarantined);
    }
}

static void print_table(struct daemon *daemon, const struct row *rows, size_t count,
                        struct control_out *out)
{
    struct query_counters counters;

    query_server_counters(daemon->query, &counters);
    control_print(out, "whoisd %s is running, pid %d, port %d, %.1f MB of memory", PACKAGE_VERSION,
                  (int)getpid(), query_server_port(daemon->query), megabytes(resident_bytes()));
    control_print(out,
                  "connections %d open, %" PRIu64 " accepted, %" PRIu64 " refused; %" PRIu64
                  " queries, %" PRIu64 " objects",
                  counters.open, counters.connections, counters.refused, counters.queries,
                  counters.objects);
    control_print(out, "%-16s %-12s %10s %11s %11s %14s %-5s  %-19s  %s", "source", "state",
                  "objects", "serial", "hw", "behind", "is", "last commit (UTC)", "mirror");
    for (size_t i = 0; i < count; i++) {
        print_row(&rows[i], out);
    }
    for (size_t i = 0; i < count; i++) {
        print_details(&rows[i], out);
    }
}

/* --- JSON --- */

static void print_lines(struct str text, struct control_out *out)
{
    struct str line;

    while (str_split(&text, '\n', &line)) {
        control_print(out, "%.*s", STR_ARG(line));
    }
}

static void print_json(struct daemon *daemon, const struct row *rows, size_t count, bool degraded,
                       struct control_out *out)
{
    struct query_counters counters;
    struct buf text = {0};

    query_server_counters(daemon->query, &counters);
    buf_printf(&text,
               "{\n  \"version\": \"%s\",\n  \"pid\": %d,\n  \"port\": %d,\n"
               "  \"degraded\": %s,\n  \"resident\": %" PRIu64 ",\n",
               PACKAGE_VERSION, (int)getpid(), query_server_port(daemon->query),
               degraded ? "true" : "false", resident_bytes());
    buf_printf(
        &text,
        "  \"connections_open\": %d,\n  \"connections\": %" PRIu64 ",\n  \"refused\": %" PRIu64
        ",\n  \"queries\": %" PRIu64 ",\n  \"objects\": %" PRIu64 ",\n  \"sources\": [",
        counters.open, counters.connections, counters.refused, counters.queries, counters.objects);
    for (size_t i = 0; i < count; i++) {
        buf_add_str(&text, i > 0 ? STR(",\n    ") : STR("\n    "));
        status_print(&text, STATUS_JSON, rows[i].source, &rows[i].mirror);
    }
    buf_add_str(&text, STR("\n  ]\n}"));
    print_lines(buf_str(&text), out);
    buf_free(&text);
}

int run_status(struct daemon *daemon, size_t count, char **words, struct control_out *out)
{
    size_t sources = storage_source_count(daemon->storage);
    bool degraded = false, is_json = count > 1;
    struct row *rows;

    if (is_json && strcmp(words[1], "--json") != 0) {
        control_print(out, "unknown option %s", words[1]);
        return CONTROL_REFUSED;
    }
    rows = calloc(sources, sizeof(*rows));
    if (rows == NULL) {
        abort();
    }
    for (size_t i = 0; i < sources; i++) {
        rows[i] = make_row(daemon, i);
        degraded = degraded || is_degraded(&rows[i]);
    }
    if (is_json) {
        print_json(daemon, rows, sources, degraded, out);
    } else {
        print_table(daemon, rows, sources, out);
    }
    free(rows);
    return degraded ? EXIT_DEGRADED : EXIT_SUCCESS;
}
