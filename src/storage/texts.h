/*
 * Texts: the objects of one index, compressed one by one into append-only segments of 4 MB.
 *
 * zstd with a dictionary trained on the source makes an object of 800 bytes about 110. A segment
 * names the dictionary it was written with, so that a later one can replace it; without one (a
 * source fed from empty) texts are compressed each for itself. Segments never move or change below
 * what is published, so readers need no lock. A segment counts the bytes that are still alive; one
 * that is mostly dead is emptied by adding its live texts again, one without live texts is given
 * back once no reader can see it.
 */
#pragma once

#include <pthread.h>
#include <zstd.h>

#include "base/arena.h"
#include "base/str.h"
#include "storage/nodes.h"

#define TEXT_SEGMENT_BYTES (4u << 20)
#define TEXT_SEGMENTS_MAX  65536u
#define TEXT_MAX_BYTES     (64u << 20) /* Of one object, raw. */

/** Where a text is: segment number and offset, 48 bits. */
typedef uint64_t text_ref;
#define TEXT_REF_BITS 48

struct text_dict; /* Opaque; shared by the segments written with it. */

struct segment {
    uint8_t *at;
    size_t cap;
    struct text_dict *dict; /**< NULL: none. */
    /* The writer's: */
    size_t used, live;
    uint32_t last_id; /**< Of the newest entry: entries store the difference. */
    bool retired;     /**< Without live texts, waiting for its readers. */
};

/** Bytes of an entry given up in the batch: counted when the batch is published. */
struct dead_text {
    uint32_t segment, bytes;
};

struct texts {
    struct segment **segments; /**< TEXT_SEGMENTS_MAX pointers; slot 0 is not used. */
    pthread_mutex_t mutex;     /**< Guards the numbers: several lanes may open segments. */
    uint32_t top;              /**< Numbers from here on were never used. */
    struct number_list free;
    struct text_dict *dict;   /**< For new segments; NULL before one was trained. */
    uint32_t dict_count;      /**< Ever trained. */
    struct number_list fresh; /**< Segments of this batch. */
    struct buf dead;          /**< struct dead_text of this batch. */
};

void texts_init(struct texts *texts);
void texts_fini(struct texts *texts);

/**
 * Train a dictionary and use it for new segments. Not undone by a rollback: it is as good for what
 * comes next.
 * @return false, keeping what it had, when the samples are too few or too alike.
 */
bool texts_train(struct texts *texts, const struct str *samples, size_t count);

/** Appends texts; one per thread. What it appends belongs to the batch, or to the bulk build, that
 * is running. */
struct text_writer {
    struct texts *texts;
    ZSTD_CCtx *zstd;
    struct buf frame;
    uint32_t open; /**< Number of the segment being filled; 0: none. */
    uint32_t dict; /**< Number of the dictionary zstd is set up for; UINT32_MAX: not set up. */
};
void text_writer_init(struct text_writer *writer, struct texts *texts);
void text_writer_fini(struct text_writer *writer);
/** @return ERR_OK, ERR_LIMIT (longer than TEXT_MAX_BYTES, or no more segments). */
enum err text_writer_add(struct text_writer *writer, uint32_t id, struct str text,
                         text_ref *out) MUST_CHECK;

/** Decompresses; one per thread. */
struct text_reader {
    ZSTD_DCtx *zstd;
    struct buf frame;
};
void text_reader_init(struct text_reader *reader);
void text_reader_fini(struct text_reader *reader);
/** @return ERR_OK; ERR_LIMIT when the arena is full; ERR_CORRUPT. */
enum err text_reader_get(struct text_reader *reader, const struct texts *texts, text_ref ref,
                         struct arena *arena, struct str *out) MUST_CHECK;

/* --- batches; a writer that takes part is passed, to be set back by a rollback --- */

/** What a rollback goes back to. */
struct texts_mark {
    uint32_t open;
    size_t used, live; /**< Of the open segment. */
    uint32_t last_id;
};
struct texts_mark texts_begin(struct texts *texts, const struct text_writer *writer);
/** Give a text up with this batch; its bytes stay until the segment goes. */
void texts_drop(struct texts *texts, text_ref ref);
/** Give up all texts that were published before this batch. */
void texts_drop_all(struct texts *texts);
/** @param retired  Receives the segments without live texts, for texts_release() when no reader
 * sees them. */
void texts_publish(struct texts *texts, const struct text_writer *writer,
                   struct number_list *retired);
void texts_rollback(struct texts *texts, struct text_writer *writer, struct texts_mark mark);
void texts_release(struct texts *texts, struct number_list *retired);

/* --- a copy elsewhere --- */
/** What is to be known of the texts beside their bytes. */
struct texts_image {
    struct segment_image {
        uint32_t number;
        uint32_t dict;     /**< Number of its dictionary; 0: none. */
        const uint8_t *at; /**< Its bytes; of a described segment only. */
        uint64_t used, live;
        uint32_t last_id;
    } * segments;
    size_t segment_count;
    struct dict_image {
        uint32_t number;
        struct str content; /**< In the arena. */
    } * dicts;
    size_t dict_count;
    uint32_t open;         /**< The segment being filled, 0: none. */
    uint32_t current_dict; /**< For new segments, 0: none. */
};
/** Describe the texts between two batches. What is described stays as it is while the version is
 * pinned. @return ERR_OK, ERR_LIMIT (arena). */
enum err texts_describe(const struct texts *texts, const struct text_writer *writer,
                        struct arena *arena, struct texts_image *out) MUST_CHECK;
/**
 * Make dictionaries and segments as described, for the caller to fill in the segments' bytes. Only
 * in texts that were never used. They belong to the batch.
 * @return ERR_OK; ERR_CORRUPT when the description cannot be right.
 */
enum err texts_restore(struct texts *texts, struct text_writer *writer,
                       const struct texts_image *image) MUST_CHECK;

/** Whether a reference points into a segment. */
bool texts_have(const struct texts *texts, text_ref ref);

/* --- compaction --- */
struct texts_usage {
    uint64_t used, live;   /**< Bytes in all segments that are not retired. */
    uint64_t dead;         /**< Bytes that emptying the full segments would win. */
    uint64_t dictionaries; /**< Bytes, the tables of readers included. */
    uint32_t worst;        /**< The full segment best worth emptying, 0: none. */
    bool has_old;          /**< Some were written with another dictionary than new ones are. */
};
struct texts_usage texts_get_usage(const struct texts *texts, const struct text_writer *writer);
/** An entry of a segment. */
struct text_entry {
    text_ref ref;
    uint32_t id;
    uint32_t bytes; /**< All of it. */
};
/** Note that a text is going to be read (base/ahead.h). */
void text_ahead(const struct texts *texts, text_ref ref);
uint32_t text_segment(text_ref ref);
uint32_t text_entry_bytes(const struct texts *texts, text_ref ref);
/** Walk a segment. @param at  Starts 0, moved behind the entry. @return false at the end. */
bool texts_entry(const struct segment *segment, uint32_t number, size_t *at, uint32_t *last_id,
                 struct text_entry *out);
