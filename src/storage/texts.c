/*
 * Compressed texts in segments.
 *
 *   entry = id (zigzag varint: less that of the entry before) | size of the frame (varint) | frame
 *
 * A frame is zstd's without its 4 magic bytes; it knows the size of the raw text. The ids let a
 * compaction walk find the owner of each entry without a look at the index. A text too large to
 * share a segment gets its own.
 */
#include "storage/texts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <zdict.h>

#include "base/ahead.h"
#include "base/log.h"
#include "storage/pages.h"

#define OFFSET_BITS       22
#define OFFSET_MASK       ((1u << OFFSET_BITS) - 1)
#define OWN_SEGMENT_BYTES (TEXT_SEGMENT_BYTES / 4) /* Entries from this size on. */
#define MAGIC_BYTES       4
#define HEADER_MAX        10         /* Two varints. */
#define FRAME_KEPT_MAX    (1u << 20) /* Larger buffers are given back at once. */
#define CACHE_LINE        64
#define LINES_AHEAD       3 /* Few texts take more, header included. */

#define DICT_BYTES      65536
#define DICT_SAMPLE_MAX 4000 /* Bytes taken of one sample. */

_Static_assert(TEXT_SEGMENT_BYTES == 1u << OFFSET_BITS, "offsets cover a segment");

/*
 * What a query waits for is a text being expanded: literals are not compressed (so the strategy
 * ZSTD_fast takes a target length), and short matches are left out. doc/performance.md has the
 * figures of these and other settings.
 */
static const struct {
    ZSTD_cParameter parameter;
    int value;
} zstd_settings[] = {
    {ZSTD_c_compressionLevel, 1 },
    {ZSTD_c_targetLength,     1 },
    {ZSTD_c_minMatch,         7 },
    {ZSTD_c_hashLog,          16},
    {ZSTD_c_dictIDFlag,       0 },
};

static const char zstd_magic[MAGIC_BYTES] = "\x28\xb5\x2f\xfd";

/* --- dictionaries --- */

struct text_dict {
    ZSTD_DDict *decompress;
    uint32_t number;
    uint32_t users;     /* Segments, and the texts for which it is current; under the mutex. */
    struct str content; /* What zstd trained; each writer makes its own tables of it. */
};

static void dict_release(struct text_dict *dict)
{
    if (dict == NULL || --dict->users > 0) {
        return;
    }
    ZSTD_freeDDict(dict->decompress);
    free((char *)dict->content.at);
    free(dict);
}

/** @return A dictionary with one user; NULL when zstd does not take it. */
static struct text_dict *dict_new(uint32_t number, struct str content)
{
    struct text_dict *dict = calloc(1, sizeof(*dict));
    char *copy = malloc(content.len > 0 ? content.len : 1);
    ZSTD_CDict *probe; /* What writers could not use is none. */

    if (dict == NULL || copy == NULL) {
        abort();
    }
    memcpy(copy, content.at, content.len);
    dict->number = number;
    dict->users = 1;
    dict->content = (struct str){copy, content.len};
    probe = ZSTD_createCDict(copy, content.len, 1);
    dict->decompress = ZSTD_createDDict(copy, content.len);
    if (probe == NULL || dict->decompress == NULL) {
        dict_release(dict);
        dict = NULL;
    }
    ZSTD_freeCDict(probe);
    return dict;
}

/** Use a dictionary for new segments; takes it. */
static void set_dict(struct texts *texts, struct text_dict *dict)
{
    pthread_mutex_lock(&texts->mutex);
    dict_release(texts->dict);
    texts->dict = dict;
    pthread_mutex_unlock(&texts->mutex);
}

bool texts_train(struct texts *texts, const struct str *samples, size_t count)
{
    size_t *sizes = calloc(count + 1, sizeof(sizes[0]));
    struct buf joined = {0};
    char *bytes = malloc(DICT_BYTES);
    struct text_dict *dict;
    size_t size;

    if (sizes == NULL || bytes == NULL) {
        abort();
    }
    for (size_t i = 0; i < count; i++) {
        sizes[i] = samples[i].len < DICT_SAMPLE_MAX ? samples[i].len : DICT_SAMPLE_MAX;
        buf_add(&joined, samples[i].at, sizes[i]);
    }
    size = ZDICT_trainFromBuffer(bytes, DICT_BYTES, joined.at, sizes, (unsigned)count);
    if (!ZDICT_isError(size)) {
        dict = dict_new(++texts->dict_count, (struct str){bytes, size});
        if (dict == NULL) {
            abort();
        }
        set_dict(texts, dict);
    }
    buf_free(&joined);
    free(sizes);
    free(bytes);
    return !ZDICT_isError(size);
}

/* --- segments --- */

void texts_init(struct texts *texts)
{
    *texts = (struct texts){.top = 1};
    pthread_mutex_init(&texts->mutex, NULL);
    texts->segments = calloc(TEXT_SEGMENTS_MAX, sizeof(texts->segments[0]));
    if (texts->segments == NULL) {
        abort();
    }
}

static void segment_free(struct texts *texts, uint32_t number)
{
    struct segment *segment = texts->segments[number];

    pages_unmap(segment->at, segment->cap);
    pthread_mutex_lock(&texts->mutex);
    dict_release(segment->dict);
    texts->segments[number] = NULL;
    number_list_add(&texts->free, number);
    pthread_mutex_unlock(&texts->mutex);
    free(segment);
}

void texts_fini(struct texts *texts)
{
    for (uint32_t i = 1; i < texts->top; i++) {
        if (texts->segments[i] != NULL) {
            segment_free(texts, i);
        }
    }
    dict_release(texts->dict);
    free(texts->segments);
    number_list_free(&texts->free);
    number_list_free(&texts->fresh);
    buf_free(&texts->dead);
    pthread_mutex_destroy(&texts->mutex);
}

static struct segment *segment_map(size_t cap)
{
    struct segment *segment = calloc(1, sizeof(*segment));

    if (segment == NULL) {
        abort();
    }
    segment->cap = cap;
    segment->at = pages_map(cap);
    if (segment->at == NULL) {
        log_error(LOG_STORAGE, "no memory for %zu more bytes of object texts", cap);
        abort();
    }
    return segment;
}

/** File a segment under a number; under the mutex. */
static void segment_put(struct texts *texts, uint32_t number, struct segment *segment,
                        struct text_dict *dict)
{
    texts->segments[number] = segment;
    number_list_add(&texts->fresh, number);
    segment->dict = dict;
    if (dict != NULL) {
        dict->users++;
    }
}

/** @return A new segment's number, 0 when there are no more. Any thread. */
static uint32_t segment_new(struct texts *texts, size_t cap, struct text_dict *dict)
{
    struct segment *segment = segment_map(cap);
    uint32_t number = 0;

    pthread_mutex_lock(&texts->mutex);
    if (texts->free.count > 0) {
        number = texts->free.at[--texts->free.count];
    } else if (texts->top < TEXT_SEGMENTS_MAX) {
        number = texts->top++;
    }
    if (number != 0) {
        segment_put(texts, number, segment, dict);
    }
    pthread_mutex_unlock(&texts->mutex);
    if (number == 0) {
        pages_unmap(segment->at, cap);
        free(segment);
    }
    return number;
}

static size_t put_varint(uint8_t *at, uint32_t value)
{
    size_t len = 0;

    for (; value >= 0x80; value >>= 7) {
        at[len++] = (uint8_t)(value | 0x80);
    }
    at[len++] = (uint8_t)value;
    return len;
}

/** @return Bytes read, 0 when the number does not end before `end`. */
static size_t get_varint(const uint8_t *at, const uint8_t *end, uint32_t *value)
{
    size_t len = 0;

    *value = 0;
    while (at + len < end && len < 5) {
        *value |= (uint32_t)(at[len] & 0x7f) << (7 * len);
        if (at[len++] < 0x80) {
            return len;
        }
    }
    return 0;
}

static uint32_t zigzag(uint32_t difference)
{
    return (difference << 1) ^ (0u - (difference >> 31));
}

static uint32_t unzigzag(uint32_t value)
{
    return (value >> 1) ^ (0u - (value & 1));
}

static const struct segment *segment_of(const struct texts *texts, text_ref ref)
{
    return texts->segments[ref >> OFFSET_BITS];
}

/* --- writing --- */

void text_writer_init(struct text_writer *writer, struct texts *texts)
{
    *writer = (struct text_writer){.texts = texts, .zstd = ZSTD_createCCtx(), .dict = UINT32_MAX};
    if (writer->zstd == NULL) {
        abort();
    }
}

void text_writer_fini(struct text_writer *writer)
{
    ZSTD_freeCCtx(writer->zstd);
    buf_free(&writer->frame);
}

/** Compress into writer->frame, magic included. */
static void compress(struct text_writer *writer, struct str text, const struct text_dict *dict)
{
    uint32_t number = dict == NULL ? 0 : dict->number;
    size_t size;

    if (writer->dict != number) {
        ZSTD_CCtx_reset(writer->zstd, ZSTD_reset_session_and_parameters);
        for (size_t i = 0; i < sizeof(zstd_settings) / sizeof(zstd_settings[0]); i++) {
            ZSTD_CCtx_setParameter(writer->zstd, zstd_settings[i].parameter,
                                   zstd_settings[i].value);
        }
        if (dict != NULL) {
            ZSTD_CCtx_loadDictionary(writer->zstd, dict->content.at, dict->content.len);
        }
        writer->dict = number;
    }
    buf_clear(&writer->frame);
    buf_reserve(&writer->frame, ZSTD_compressBound(text.len));
    size = ZSTD_compress2(writer->zstd, writer->frame.at, writer->frame.cap, text.at, text.len);
    assert(!ZSTD_isError(size)); /* The room is enough and the parameters are constant. */
    writer->frame.len = size;
}

/** The segment for an entry of this size: the open one, a new open one, or one of its own. 0: no
 * more. */
static uint32_t segment_for(struct text_writer *writer, size_t size, struct text_dict *dict)
{
    struct texts *texts = writer->texts;

    if (size >= OWN_SEGMENT_BYTES) {
        return segment_new(texts, size, dict);
    }
    if (writer->open != 0) {
        const struct segment *open = texts->segments[writer->open];

        if (open->dict == dict && open->used + size <= open->cap) {
            return writer->open;
        }
    }
    writer->open = segment_new(texts, TEXT_SEGMENT_BYTES, dict);
    return writer->open;
}

enum err text_writer_add(struct text_writer *writer, uint32_t id, struct str text, text_ref *out)
{
    struct text_dict *dict = writer->texts->dict;
    struct segment *segment;
    uint8_t *at;
    uint32_t number;
    size_t size;

    if (text.len > TEXT_MAX_BYTES) {
        return ERR_LIMIT;
    }
    compress(writer, text, dict);
    size = writer->frame.len - MAGIC_BYTES;
    number = segment_for(writer, size + HEADER_MAX, dict);
    if (number == 0) {
        return ERR_LIMIT;
    }
    segment = writer->texts->segments[number];
    *out = (text_ref)number << OFFSET_BITS | segment->used;
    at = segment->at + segment->used;
    at += put_varint(at, zigzag(id - segment->last_id));
    at += put_varint(at, (uint32_t)size);
    memcpy(at, writer->frame.at + MAGIC_BYTES, size);
    at += size;
    segment->last_id = id;
    segment->live += (size_t)(at - segment->at) - segment->used;
    segment->used = (size_t)(at - segment->at);
    if (writer->frame.cap > FRAME_KEPT_MAX) {
        buf_free(&writer->frame);
    }
    return ERR_OK;
}

/* --- reading --- */

void text_reader_init(struct text_reader *reader)
{
    *reader = (struct text_reader){.zstd = ZSTD_createDCtx()};
    if (reader->zstd == NULL) {
        abort();
    }
}

void text_reader_fini(struct text_reader *reader)
{
    ZSTD_freeDCtx(reader->zstd);
    buf_free(&reader->frame);
}

/** Find the frame of an entry. @return Bytes of the header, 0 when damaged. */
static size_t entry_frame(const struct segment *segment, size_t offset, uint32_t *difference,
                          uint32_t *frame_size)
{
    const uint8_t *at = segment->at + offset, *end = segment->at + segment->cap;
    size_t first, second;

    __builtin_prefetch(at + CACHE_LINE); /* Most frames reach into a second line. */
    first = get_varint(at, end, difference);

    if (first == 0) {
        return 0;
    }
    second = get_varint(at + first, end, frame_size);
    if (second == 0 || *frame_size > (size_t)(end - at) - first - second) {
        return 0;
    }
    return first + second;
}

enum err text_reader_get(struct text_reader *reader, const struct texts *texts, text_ref ref,
                         struct arena *arena, struct str *out)
{
    const struct segment *segment = segment_of(texts, ref);
    uint32_t difference, size;
    size_t offset = ref & OFFSET_MASK, header, got;
    unsigned long long raw_size;
    char *text;

    if (segment == NULL || (header = entry_frame(segment, offset, &difference, &size)) == 0) {
        return ERR_CORRUPT;
    }
    buf_clear(&reader->frame);
    buf_add(&reader->frame, zstd_magic, MAGIC_BYTES);
    buf_add(&reader->frame, segment->at + offset + header, size);
    raw_size = ZSTD_getFrameContentSize(reader->frame.at, reader->frame.len);
    if (raw_size > TEXT_MAX_BYTES) { /* zstd's two error values are above it, too. */
        return ERR_CORRUPT;
    }
    text = arena_alloc(arena, raw_size);
    if (text == NULL) {
        return ERR_LIMIT;
    }
    if (segment->dict != NULL) {
        got = ZSTD_decompress_usingDDict(reader->zstd, text, raw_size, reader->frame.at,
                                         reader->frame.len, segment->dict->decompress);
    } else {
        got =
            ZSTD_decompressDCtx(reader->zstd, text, raw_size, reader->frame.at, reader->frame.len);
    }
    if (reader->frame.cap > FRAME_KEPT_MAX) {
        buf_free(&reader->frame);
    }
    if (got != raw_size) {
        return ERR_CORRUPT;
    }
    *out = (struct str){text, raw_size};
    return ERR_OK;
}

void text_ahead(const struct texts *texts, text_ref ref)
{
    const struct segment *segment = segment_of(texts, ref);

    if (segment != NULL) {
        ahead_note(segment->at + (ref & OFFSET_MASK), LINES_AHEAD * CACHE_LINE);
    }
}

uint32_t text_segment(text_ref ref)
{
    return (uint32_t)(ref >> OFFSET_BITS);
}

uint32_t text_entry_bytes(const struct texts *texts, text_ref ref)
{
    uint32_t difference, size;
    size_t header = entry_frame(segment_of(texts, ref), ref & OFFSET_MASK, &difference, &size);

    assert(header != 0);
    return (uint32_t)(header + size);
}

/* --- batches --- */

struct texts_mark texts_begin(struct texts *texts, const struct text_writer *writer)
{
    struct texts_mark mark = {.open = writer->open};

    texts->fresh.count = 0;
    buf_clear(&texts->dead);
    if (writer->open != 0) {
        const struct segment *open = texts->segments[writer->open];

        mark.used = open->used;
        mark.live = open->live;
        mark.last_id = open->last_id;
    }
    return mark;
}

void texts_drop(struct texts *texts, text_ref ref)
{
    struct dead_text dead = {text_segment(ref), text_entry_bytes(texts, ref)};

    buf_add(&texts->dead, &dead, sizeof(dead));
}

void texts_drop_all(struct texts *texts)
{
    for (uint32_t i = 1; i < texts->top; i++) {
        const struct segment *segment = texts->segments[i];
        struct dead_text dead = {.segment = i};
        bool is_fresh = false;

        for (size_t f = 0; f < texts->fresh.count; f++) {
            is_fresh = is_fresh || texts->fresh.at[f] == i;
        }
        if (segment != NULL && !is_fresh) {
            dead.bytes = (uint32_t)segment->live;
            buf_add(&texts->dead, &dead, sizeof(dead));
        }
    }
}

void texts_publish(struct texts *texts, const struct text_writer *writer,
                   struct number_list *retired)
{
    *retired = (struct number_list){0};
    for (size_t at = 0; at < texts->dead.len; at += sizeof(struct dead_text)) {
        struct dead_text dead;
        struct segment *segment;

        memcpy(&dead, texts->dead.at + at, sizeof(dead));
        segment = texts->segments[dead.segment];
        assert(segment->live >= dead.bytes);
        segment->live -= dead.bytes;
    }
    for (uint32_t i = 1; i < texts->top; i++) {
        struct segment *segment = texts->segments[i];

        if (segment != NULL && segment->live == 0 && !segment->retired && i != writer->open) {
            segment->retired = true;
            number_list_add(retired, i);
        }
    }
    buf_clear(&texts->dead);
    texts->fresh.count = 0;
}

void texts_rollback(struct texts *texts, struct text_writer *writer, struct texts_mark mark)
{
    for (size_t i = 0; i < texts->fresh.count; i++) {
        segment_free(texts, texts->fresh.at[i]);
    }
    texts->fresh.count = 0;
    buf_clear(&texts->dead);
    writer->open = mark.open;
    if (mark.open != 0) {
        struct segment *open = texts->segments[mark.open];

        open->used = mark.used;
        open->live = mark.live;
        open->last_id = mark.last_id;
    }
}

void texts_release(struct texts *texts, struct number_list *retired)
{
    for (size_t i = 0; i < retired->count; i++) {
        segment_free(texts, retired->at[i]);
    }
    number_list_free(retired);
}

/* --- a copy elsewhere --- */

/** Add a dictionary to a description unless it is there. */
static bool describe_dict(const struct text_dict *dict, struct arena *arena,
                          struct texts_image *out)
{
    for (size_t i = 0; i < out->dict_count; i++) {
        if (out->dicts[i].number == dict->number) {
            return true;
        }
    }
    out->dicts[out->dict_count] =
        (struct dict_image){dict->number, arena_strdup(arena, dict->content)};
    return out->dicts[out->dict_count++].content.at != NULL;
}

enum err texts_describe(const struct texts *texts, const struct text_writer *writer,
                        struct arena *arena, struct texts_image *out)
{
    *out = (struct texts_image){
        .segments = arena_calloc(arena, texts->top, sizeof(out->segments[0])),
        .dicts = arena_calloc(arena, texts->top + 1, sizeof(out->dicts[0])),
        .open = writer->open,
        .current_dict = texts->dict != NULL ? texts->dict->number : 0,
    };
    if (out->segments == NULL || out->dicts == NULL ||
        (texts->dict != NULL && !describe_dict(texts->dict, arena, out))) {
        return ERR_LIMIT;
    }
    for (uint32_t i = 1; i < texts->top; i++) {
        const struct segment *segment = texts->segments[i];

        if (segment == NULL || segment->retired) {
            continue;
        }
        if (segment->dict != NULL && !describe_dict(segment->dict, arena, out)) {
            return ERR_LIMIT;
        }
        out->segments[out->segment_count++] = (struct segment_image){
            .number = i,
            .dict = segment->dict != NULL ? segment->dict->number : 0,
            .at = segment->at,
            .used = segment->used,
            .live = segment->live,
            .last_id = segment->last_id,
        };
    }
    return ERR_OK;
}

static bool is_good_segment(const struct texts *texts, const struct texts_image *image,
                            const struct segment_image *segment)
{
    size_t most = segment->number == image->open ? TEXT_SEGMENT_BYTES
                                                 : (size_t)TEXT_MAX_BYTES + TEXT_SEGMENT_BYTES;

    return segment->number > 0 && segment->number < TEXT_SEGMENTS_MAX &&
           texts->segments[segment->number] == NULL && segment->used > 0 && segment->used <= most &&
           segment->live <= segment->used;
}

/** The dictionaries of an image, made; each has one user until restore_end(). */
struct restored_dicts {
    struct text_dict **at;
    size_t count;
};

static struct text_dict *find_dict(const struct restored_dicts *dicts, uint32_t number)
{
    for (size_t i = 0; i < dicts->count; i++) {
        if (dicts->at[i]->number == number) {
            return dicts->at[i];
        }
    }
    return NULL;
}

static enum err restore_dicts(struct texts *texts, const struct texts_image *image,
                              struct restored_dicts *dicts)
{
    dicts->at = calloc(image->dict_count + 1, sizeof(struct text_dict *));
    if (dicts->at == NULL) {
        abort();
    }
    for (size_t i = 0; i < image->dict_count; i++) {
        const struct dict_image *described = &image->dicts[i];
        struct text_dict *dict = NULL;

        if (described->number > 0 && described->number < UINT32_MAX &&
            find_dict(dicts, described->number) == NULL) {
            dict = dict_new(described->number, described->content);
        }
        if (dict == NULL) {
            return ERR_CORRUPT;
        }
        dicts->at[dicts->count++] = dict;
        if (dict->number > texts->dict_count) {
            texts->dict_count = dict->number;
        }
    }
    return ERR_OK;
}

static enum err restore_segments(struct texts *texts, const struct texts_image *image,
                                 const struct restored_dicts *dicts)
{
    for (size_t i = 0; i < image->segment_count; i++) {
        const struct segment_image *described = &image->segments[i];
        struct text_dict *dict = find_dict(dicts, described->dict);
        struct segment *segment;

        if (!is_good_segment(texts, image, described) || (dict == NULL && described->dict != 0)) {
            return ERR_CORRUPT;
        }
        /* Only the open one grows. */
        segment = segment_map(described->number == image->open ? TEXT_SEGMENT_BYTES
                                                               : (size_t)described->used);
        segment->used = described->used;
        segment->live = described->live;
        segment->last_id = described->last_id;
        segment_put(texts, described->number, segment, dict);
        if (described->number >= texts->top) {
            texts->top = described->number + 1;
        }
    }
    return ERR_OK;
}

enum err texts_restore(struct texts *texts, struct text_writer *writer,
                       const struct texts_image *image)
{
    struct restored_dicts dicts = {0};
    struct text_dict *current;
    enum err rc;

    assert(texts->top == 1);
    rc = restore_dicts(texts, image, &dicts);
    if (rc == ERR_OK) {
        rc = restore_segments(texts, image, &dicts);
    }
    current = find_dict(&dicts, image->current_dict);
    if (rc == ERR_OK &&
        ((current == NULL && image->current_dict != 0) || image->open >= texts->top ||
         (image->open != 0 && texts->segments[image->open] == NULL))) {
        rc = ERR_CORRUPT;
    }
    for (uint32_t i = 1; i < texts->top; i++) {
        if (texts->segments[i] == NULL) {
            number_list_add(&texts->free, i);
        }
    }
    if (rc == ERR_OK) {
        writer->open = image->open;
        if (current != NULL) {
            current->users++;
            set_dict(texts, current);
        }
    }
    for (size_t i = 0; i < dicts.count; i++) {
        dict_release(dicts.at[i]);
    }
    free(dicts.at);
    return rc;
}

bool texts_have(const struct texts *texts, text_ref ref)
{
    const uint64_t number = ref >> OFFSET_BITS;

    return number < texts->top && texts->segments[number] != NULL &&
           (ref & OFFSET_MASK) < texts->segments[number]->used;
}

/* --- compaction --- */

static size_t dict_bytes(const struct text_dict *dict)
{
    return dict->content.len + ZSTD_sizeof_DDict(dict->decompress);
}

struct texts_usage texts_get_usage(const struct texts *texts, const struct text_writer *writer)
{
    struct texts_usage usage = {0};
    const struct text_dict *counted = texts->dict;
    uint64_t most = 0;

    if (counted != NULL) {
        usage.dictionaries = dict_bytes(counted);
    }
    for (uint32_t i = 1; i < texts->top; i++) {
        const struct segment *segment = texts->segments[i];
        uint64_t gain;

        if (segment == NULL || segment->retired) {
            continue;
        }
        usage.used += segment->used;
        usage.live += segment->live;
        if (segment->dict != NULL && segment->dict != counted) {
            counted = segment->dict;
            usage.dictionaries += dict_bytes(counted);
        }
        if (i == writer->open) {
            continue;
        }
        gain = segment->used - segment->live;
        usage.dead += gain;
        if (segment->dict != texts->dict) {
            usage.has_old = true;
            gain += segment->live / 2; /* What a new dictionary is good for, roughly. */
        }
        if (gain > most) {
            most = gain;
            usage.worst = i;
        }
    }
    return usage;
}

bool texts_entry(const struct segment *segment, uint32_t number, size_t *at, uint32_t *last_id,
                 struct text_entry *out)
{
    uint32_t difference, size;
    size_t header;

    if (*at >= segment->used) {
        return false;
    }
    header = entry_frame(segment, *at, &difference, &size);
    assert(header != 0);
    *last_id += unzigzag(difference);
    out->ref = (text_ref)number << OFFSET_BITS | *at;
    out->id = *last_id;
    out->bytes = (uint32_t)(header + size);
    *at += out->bytes;
    return true;
}
