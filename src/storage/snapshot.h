/*
 * Reading: one answer is taken from one snapshot, to its last byte.
 *
 * A snapshot is an immutable version of one source's index: trees, texts and position agree. Each
 * query loop owns one struct reader; reader_refresh(), once per loop iteration, moves its pin to
 * the newest published version of every source (one acquire load per source). What
 * reader_snapshot() returns is valid until the next refresh, unless held. Readers never block and
 * never touch MySQL.
 */
#pragma once

#include "base/arena.h"
#include "rpsl/object.h"
#include "storage/tree.h"

struct index;
struct reader;   /* Belongs to one thread. */
struct snapshot; /* Opaque. */

struct reader *reader_new(void);
void reader_free(struct reader *reader); /* All holds must be released. */
/** Let the reader see an index (any time before its thread runs, or on its thread). Up to 64
 * indexes. */
void reader_attach(struct reader *reader, struct index *index);
void reader_refresh(struct reader *reader);
/** @return The pinned version; NULL while the index has none published (empty source that was never
 * opened). */
const struct snapshot *reader_snapshot(struct reader *reader, const struct index *index);
/** Keep a snapshot beyond the next refresh; each hold needs its release, on the same thread. */
void snapshot_hold(struct reader *reader, const struct snapshot *snap);
void snapshot_release(struct reader *reader, const struct snapshot *snap);
/** Whether so much memory waits for readers of old versions that this one should be released, now.
 */
bool snapshot_is_unwanted(const struct snapshot *snap);

/** Where the version stands. */
struct snapshot_position {
    int64_t serial; /**< max(serial_id) that it reflects; 0 without any. */
    int64_t hw;     /**< High-water serial. */
    uint64_t generation;
    uint64_t objects;       /**< Live objects. */
    int64_t stale_since_ms; /**< Wall clock: a checkpoint of then, without what the database has got
                               since; 0: all that it had. */
};
struct snapshot_position snapshot_position(const struct snapshot *snap);
uint64_t snapshot_class_count(const struct snapshot *snap, enum rpsl_class class);
/** A number that two versions with the same objects share, whatever their ids, order and history;
 * of this source or another, here or on another machine. Kept up to date by each batch. */
uint64_t snapshot_checksum(const struct snapshot *snap);

enum object_flags {
    OBJECT_LAID_OUT = 1, /**< Prints as stored (rpsl_is_laid_out). */
    OBJECT_ASCII = 2,
    OBJECT_HAS_AUTH = 4,  /**< Has an auth: line. */
    OBJECT_HAS_EMAIL = 8, /**< Has an attribute with ATTR_FILTERED. */
    OBJECT_HAS_CHANGED = 16,
    OBJECT_HAS_CONTACTS = 32, /**< Has an attribute with ATTR_FOLLOWED. */
};

struct object_info {
    uint32_t id;        /**< object_id of the database, from 1. */
    uint32_t sequence;  /**< sequence_id of the version. */
    uint32_t timestamp; /**< Unix seconds. */
    enum rpsl_class class;
    unsigned flags; /**< enum object_flags. */
};

/** @return false when the id is not alive in this version. */
bool snapshot_object(const struct snapshot *snap, uint32_t id, struct object_info *out);

/**
 * The stored text (UTF-8).
 * @param reader  Whose decompressor is used: the calling thread's.
 * @return ERR_OK; ERR_NOT_FOUND; ERR_LIMIT when the arena is full; ERR_CORRUPT.
 */
enum err snapshot_text(struct reader *reader, const struct snapshot *snap, uint32_t id,
                       struct arena *arena, struct str *out) MUST_CHECK;

/** Both at once, with one look-up; as snapshot_text(). *info is filled on ERR_OK. */
enum err snapshot_load(struct reader *reader, const struct snapshot *snap, uint32_t id,
                       struct arena *arena, struct object_info *info, struct str *out) MUST_CHECK;

/*
 * snapshot_load() in steps, for a caller with other work to do while memory is waited for (what the
 * next step looks at has been noted, base/ahead.h): find where the object's record is, find where
 * its text is, expand it. The snapshot must stay meanwhile.
 */
struct object_place {
    struct object_info info; /**< Filled by the last step; id 0: not alive in this version. */
    uint64_t text;           /**< The index's own, as all below. */
    struct tree_descent descent;
};
void snapshot_place_begin(const struct snapshot *snap, uint32_t id, struct object_place *place);
/** @return true: that was the last step, and snapshot_load_at() comes next. */
bool snapshot_place_step(const struct snapshot *snap, uint32_t id, struct object_place *place);
/** @return ERR_OK; ERR_LIMIT when the arena is full; ERR_CORRUPT. */
enum err snapshot_load_at(struct reader *reader, const struct snapshot *snap,
                          const struct object_place *place, struct arena *arena,
                          struct str *out) MUST_CHECK;

/** A list of object ids that grows in an arena. Zero-initialise. */
struct id_list {
    uint32_t *ids;
    size_t count, cap;
};
enum err id_list_add(struct id_list *list, struct arena *arena, uint32_t id) MUST_CHECK;

/**
 * The object with a primary key (rpsl_key.canonical), verified against its text.
 * @param id_out  0 when there is none.
 * @param arena   Used for the verification and rewound.
 * @return ERR_OK; ERR_LIMIT when the arena is full; ERR_CORRUPT.
 */
enum err snapshot_by_key(struct reader *reader, const struct snapshot *snap, enum rpsl_class class,
                         struct str canonical, struct arena *arena, uint32_t *id_out) MUST_CHECK;
/**
 * Ids of the objects that have a value, ascending, appended to the list. By 56-bit hash: a caller
 * that prints texts checks them (a false hit is possible, a miss is not).
 * @param index_attr  enum rpsl_attr_id or INDEX_NAME_WORD. @param folded  rpsl_fold()ed value.
 */
enum err snapshot_by_value(const struct snapshot *snap, unsigned index_attr, struct str folded,
                           struct arena *arena, struct id_list *out) MUST_CHECK;
/**
 * As above for values that start with a prefix; only for ATTR_NSERVER (else ERR_DENIED). By their
 * first 16 bytes: callers check the rest.
 */
enum err snapshot_by_prefix(const struct snapshot *snap, unsigned index_attr,
                            struct str folded_prefix, struct arena *arena,
                            struct id_list *out) MUST_CHECK;

/**
 * whois-queries 4.1; containment decides every mode, crossing ranges included, whatever the order
 * of arrival. Where several smallest ranges contain the wanted one (they then cross), the shortest
 * is taken, and of equally short ones that with the lowest begin.
 */
enum range_mode {
    RANGE_EXACT,
    RANGE_EXACT_OR_LESS, /**< Exact, else the smallest that contains it: the default. */
    RANGE_ONE_LESS,      /**< The smallest that strictly contains it. */
    RANGE_ALL_LESS,      /**< Exact included, outermost first. */
    RANGE_ONE_MORE,      /**< Strictly inside, and inside no other such range. */
    RANGE_ALL_MORE,      /**< Strictly inside, pre-order. */
};
/** Ids in tree order (begin ascending, end descending, id); all objects of an equal range follow
 * each other. */
enum err snapshot_by_range(const struct snapshot *snap, enum rpsl_range_kind kind,
                           const struct ip_range *range, enum range_mode mode, struct arena *arena,
                           struct id_list *out) MUST_CHECK;

struct id_walk; /* Opaque; in the arena. */
/**
 * The same look-ups in short steps, for lists that may be long, and for a caller with other work to
 * do while what the first step looks at is on its way from memory. The snapshot, the list and its
 * arena must stay until the last step. Values: of an attribute of snapshot_by_prefix() those that
 * start with `folded`, in no order and with doubles. Keys: the object that has this class and
 * canonical key, if any, and once in a few thousand look-ups another one, which has the same hash;
 * for a caller that reads the text anyhow, and looks.
 * @param walk  NULL, or an earlier walk of the arena, which is used again.
 * @return ERR_OK; ERR_LIMIT when the arena is full.
 */
enum err snapshot_key_walk(const struct snapshot *snap, enum rpsl_class class, struct str canonical,
                           struct arena *arena, struct id_list *out,
                           struct id_walk **walk) MUST_CHECK;
enum err snapshot_value_walk(const struct snapshot *snap, unsigned index_attr, struct str folded,
                             struct arena *arena, struct id_list *out,
                             struct id_walk **walk) MUST_CHECK;
enum err snapshot_range_walk(const struct snapshot *snap, enum rpsl_range_kind kind,
                             const struct ip_range *range, enum range_mode mode,
                             struct arena *arena, struct id_list *out,
                             struct id_walk **walk) MUST_CHECK;
enum walk_progress {
    WALK_MORE,  /**< Another step is needed ... */
    WALK_AHEAD, /**< ... and what it looks at has been noted (base/ahead.h). */
    WALK_DONE,
};
/** Append some more ids. @return ERR_OK; ERR_LIMIT. */
enum err id_walk_step(struct id_walk *walk, enum walk_progress *progress) MUST_CHECK;

/** The range an object of a range kind is filed under is not stored with it: take it from the key
 * of its text. */

/** Sort ids by (class position, key text as stored, byte order), dropping doubles:
 * whois-queries 3.7. */
enum err snapshot_sort(struct reader *reader, const struct snapshot *snap, struct id_list *list,
                       struct arena *arena) MUST_CHECK;
struct id_sort; /* Opaque. */
/**
 * The same in short steps.
 * @param out    NULL: the list was so short that it is sorted.
 * @param list   Must stay where it is until the last step, as must the snapshot.
 * @param arena  What is taken from it stays taken.
 */
enum err snapshot_sort_begin(struct reader *reader, const struct snapshot *snap,
                             struct id_list *list, struct arena *arena,
                             struct id_sort **out) MUST_CHECK;
/** @return As snapshot_sort(). */
enum err snapshot_sort_step(struct id_sort *sort, bool *is_done) MUST_CHECK;
/** The next live id above `after`, or 0: walks all objects. */
uint32_t snapshot_next(const struct snapshot *snap, uint32_t after);

/** Bytes held by one source's index, by structure; for status and benches. */
#define INDEX_MEMORY_LIST(X)                                                                       \
    X(texts, "texts")                                                                              \
    X(dictionary, "dictionary")                                                                    \
    X(objects, "objects")                                                                          \
    X(keys, "keys")                                                                                \
    X(postings, "postings")                                                                        \
    X(ranges, "ranges")                                                                            \
    X(order, "order")                                                                              \
    X(free_nodes, "free") /* Kept for reuse. */                                                    \
    X(garbage, "garbage") /* Waiting for readers of older versions. */
struct index_memory {
#define X(field, text) uint64_t field;
    INDEX_MEMORY_LIST(X)
#undef X
    uint64_t garbage_limit; /**< No memory: garbage should stay below this. */
};
static inline uint64_t index_memory_total(const struct index_memory *memory)
{
    uint64_t total = 0;

#define X(field, text) total += memory->field;
    INDEX_MEMORY_LIST(X)
#undef X
    return total;
}
