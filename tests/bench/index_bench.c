/*
 * Figures of the in-memory index: bulk build, memory, look-ups, updates.
 * Usage: index_bench DUMP [LANES]. A dump is a file of objects separated by blank lines, Latin-1.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "rpsl/charset.h"
#include "rpsl/fold.h"
#include "storage/index.h"

#define SAMPLES 4000
#define UPDATES 60000
#define BATCH   6000

static struct str *objects;
static size_t object_count;
static struct index *the_index;

static void read_dump(const char *path)
{
    FILE *file = fopen(path, "r");
    struct buf raw = {0}, utf8 = {0};
    struct str rest;
    size_t cap = 0, got;

    if (file == NULL) {
        perror(path);
        exit(1);
    }
    do {
        buf_reserve(&raw, 1 << 20);
        got = fread(raw.at + raw.len, 1, 1 << 20, file);
        raw.len += got;
    } while (got > 0);
    fclose(file);
    latin1_to_utf8(buf_str(&raw), &utf8);
    buf_free(&raw);
    for (rest = buf_str(&utf8); rest.len > 0;) {
        const char *end = memmem(rest.at, rest.len, "\n\n", 2);
        struct str object = {rest.at, end != NULL ? (size_t)(end + 1 - rest.at) : rest.len};

        rest = str_sub(rest, object.len + (end != NULL), rest.len);
        while (object.len > 0 && object.at[0] == '\n') {
            object = str_sub(object, 1, object.len);
        }
        if (object.len == 0 || object.at[0] == '%' || object.at[0] == '#') {
            continue;
        }
        if (object_count == cap) {
            cap = cap == 0 ? 1 << 16 : cap * 2;
            objects = realloc(objects, cap * sizeof(objects[0]));
        }
        objects[object_count++] = object;
    }
}

static double seconds(void)
{
    return (double)clock_mono_us() / 1e6;
}

/** Of all threads: on a busy machine the better figure. */
static double cpu_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double resident_mb(const char *field)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[200];
    double kb = 0;

    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, field, strlen(field)) == 0) {
            kb = strtod(line + strlen(field), NULL);
        }
    }
    fclose(file);
    return kb / 1024;
}

/** Let the peak start again from what is resident now. */
static void forget_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");

    if (file == NULL || fputs("5", file) < 0 || fclose(file) != 0) {
        perror("/proc/self/clear_refs");
    }
}

static void must(enum err rc, const char *what)
{
    if (rc != ERR_OK) {
        fprintf(stderr, "%s: %s\n", what, err_text(rc));
        exit(1);
    }
}

static void parse(struct str text, struct arena *arena, struct rpsl_object *object,
                  struct rpsl_key *key)
{
    must(rpsl_parse(text, arena, object), "parse");
    must(rpsl_object_key(object, arena, key), "key");
}

struct share {
    struct index_lane *lane; /* NULL: parse only. */
    size_t from, to;
};

static void *feed(void *context)
{
    struct share *share = context;
    struct arena *arena = arena_new(1 << 28);

    for (size_t i = share->from; i < share->to; i++) {
        struct rpsl_object object;
        struct rpsl_key key;

        parse(objects[i], arena, &object, &key);
        if (share->lane != NULL) {
            must(index_lane_add(share->lane, (uint32_t)i + 1, 1, 1, &object, &key), "add");
        }
        arena_reset(arena);
    }
    arena_free(arena);
    return NULL;
}

static void bench_build(size_t lanes)
{
    struct str *sample = calloc(SAMPLES, sizeof(*sample));
    struct share shares[16], whole = {NULL, 0, object_count};
    pthread_t threads[16];
    struct index_bulk *bulk;
    size_t samples = 0;
    double t0, t1, t2, t3, cpu;

    t0 = seconds();
    feed(&whole);
    printf("parsing alone: %.2f s\n", seconds() - t0);
    for (size_t i = 0; i < object_count && samples < SAMPLES; i += object_count / SAMPLES + 1) {
        sample[samples++] = objects[i];
    }
    t0 = seconds();
    cpu = cpu_seconds();
    bulk = index_bulk_new(the_index, sample, samples);
    t1 = seconds();
    for (size_t i = 0; i < lanes; i++) {
        shares[i] = (struct share){index_bulk_lane(bulk), object_count * i / lanes,
                                   object_count * (i + 1) / lanes};
        pthread_create(&threads[i], NULL, feed, &shares[i]);
    }
    for (size_t i = 0; i < lanes; i++) {
        pthread_join(threads[i], NULL);
    }
    t2 = seconds();
    must(index_bulk_finish(bulk), "finish");
    index_publish(the_index, (index_position){.serial = 1});
    t3 = seconds();
    printf("%zu lanes: dictionary %.2f s, feed with parsing %.2f s, build %.2f s; CPU %.2f s\n",
           lanes, t1 - t0, t2 - t1, t3 - t2, cpu_seconds() - cpu);
    free(sample);
}

static void print_memory(void)
{
    struct index_memory m;
    double n = (double)object_count;

    index_memory(the_index, &m);
    printf("bytes an object: texts %.1f objects %.1f keys %.1f postings %.1f ranges %.1f order "
           "%.1f; dictionary %.1f MB, free nodes %.1f MB, garbage %.1f MB\n",
           (double)m.texts / n, (double)m.objects / n, (double)m.keys / n, (double)m.postings / n,
           (double)m.ranges / n, (double)m.order / n, (double)m.dictionary / 1e6,
           (double)m.free_nodes / 1e6, (double)m.garbage / 1e6);
}

static uint32_t draw(uint64_t *seed, uint32_t below)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(((*seed >> 32) * below) >> 32);
}

static void bench_reads(void)
{
    struct reader *reader = reader_new();
    struct arena *arena = arena_new(1 << 28);
    const struct snapshot *snap;
    struct id_list list = {0};
    uint64_t seed = 1, bytes = 0;
    double t;

    reader_attach(reader, the_index);
    reader_refresh(reader);
    snap = reader_snapshot(reader, the_index);
    t = seconds();
    for (int i = 0; i < 200000; i++) {
        struct str text;

        must(snapshot_text(reader, snap, draw(&seed, (uint32_t)object_count) + 1, arena, &text),
             "text");
        bytes += text.len;
        arena_reset(arena);
    }
    printf("text: %.2f us, %.0f bytes\n", (seconds() - t) * 1e6 / 200000, (double)bytes / 200000);
    t = seconds();
    for (int i = 0; i < 100000; i++) {
        struct ip_range range = {.begin = draw(&seed, UINT32_MAX)};

        range.end = range.begin;
        list = (struct id_list){0};
        must(snapshot_by_range(snap, RANGE_INETNUM, &range, RANGE_EXACT_OR_LESS, arena, &list),
             "range");
        arena_reset(arena);
    }
    printf("inetnum of an address: %.2f us\n", (seconds() - t) * 1e6 / 100000);
    for (uint32_t limit = 1000; limit <= 1000000; limit *= 10) {
        list = (struct id_list){0};
        for (uint32_t id = 1; id <= object_count; id += (uint32_t)object_count / limit + 1) {
            must(id_list_add(&list, arena, id), "list");
        }
        t = seconds();
        must(snapshot_sort(reader, snap, &list, arena), "sort");
        printf("sort %zu ids: %.2f ms\n", list.count, (seconds() - t) * 1e3);
        arena_reset(arena);
    }
    list = (struct id_list){0};
    t = seconds();
    must(snapshot_by_value(snap, ATTR_MNT_BY, STR("DUMY-RIPE"), arena, &list), "value");
    must(snapshot_by_value(snap, ATTR_ADMIN_C, STR("DUMY-RIPE"), arena, &list), "value");
    printf("%zu ids of a popular contact: %.2f ms\n", list.count, (seconds() - t) * 1e3);
    arena_free(arena);
    reader_free(reader);
}

static void bench_updates(void)
{
    struct arena *arena = arena_new(1 << 28);
    struct buf changed = {0};
    uint64_t seed = 2;
    double t = seconds(), cpu = cpu_seconds();
    size_t steps = 0;

    for (int i = 0; i < UPDATES; i++) {
        uint32_t row = draw(&seed, (uint32_t)object_count);
        struct index_object present;
        struct rpsl_object object;
        struct rpsl_key key;

        if (i % BATCH == 0) {
            index_begin(the_index);
        }
        buf_clear(&changed);
        buf_add_str(&changed, objects[row]);
        buf_printf(&changed, "remarks:        changed %d\n", i);
        parse(buf_str(&changed), arena, &object, &key);
        must(index_find(the_index, key.class, key.canonical, arena, &present), "find");
        must(index_put(the_index, present.info.id, present.info.sequence + 1, 2, &object, &key),
             "put");
        arena_reset(arena);
        if (i % BATCH == BATCH - 1) {
            index_publish(the_index, (index_position){.serial = i});
        }
    }
    printf("updates (parse, find, put, publish): %.0f a second, %.1f us of CPU each\n",
           UPDATES / (seconds() - t), (cpu_seconds() - cpu) * 1e6 / UPDATES);
    print_memory();
    t = seconds();
    while (index_wants_compaction(the_index)) {
        index_begin(the_index);
        must(index_compact_step(the_index), "compaction");
        index_publish(the_index, (index_position){.serial = UPDATES});
        steps++;
    }
    printf("%zu compaction steps: %.3f s\n", steps, seconds() - t);
    buf_free(&changed);
    arena_free(arena);
}

int main(int argc, char **argv)
{
    double before;
    struct why why;

    if (argc < 2) {
        fprintf(stderr, "usage: %s DUMP [LANES]\n", argv[0]);
        return 2;
    }
    read_dump(argv[1]);
    malloc_trim(0);
    forget_peak();
    before = resident_mb("VmRSS:");
    the_index = index_new("BENCH");
    bench_build(argc > 2 ? (size_t)atoi(argv[2]) : 1);
    printf(
        "%zu objects; peak while building %.0f MB, resident %.0f MB (texts of the bench: %.0f)\n",
        object_count, resident_mb("VmHWM:") - before, resident_mb("VmRSS:") - before, before);
    print_memory();
    bench_reads();
    bench_updates();
    print_memory();
    if (!index_check(the_index, &why)) {
        fprintf(stderr, "index_check: %s\n", why.text);
        return 1;
    }
    index_free(the_index);
    return 0;
}
