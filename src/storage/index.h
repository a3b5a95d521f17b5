/*
 * The in-memory index of one source: copy-on-write B+trees and compressed texts, one writer, many
 * readers.
 *
 * The writer builds the next version beside the published one (each node copied at most once per
 * batch) and then publishes or rolls back. Memory of older versions is given back when no reader
 * pins them. One writer at a time: the caller holds the source's writer lock.
 */
#pragma once

#include "storage/snapshot.h"

struct index *index_new(const char *name);
void index_free(struct index *index); /* No reader may be attached. */

/** What a published version says about its place; objects is filled by the index. */
typedef struct snapshot_position index_position;

/** Objects of the next version, or of the published one; under the writer lock. */
uint64_t index_objects(const struct index *index);

/* --- changes --- */
void index_begin(struct index *index);
/** Make the next version visible to readers at their next refresh (release store). */
void index_publish(struct index *index, index_position position);
void index_rollback(struct index *index);

/** An object as the next version (own changes included) has it, all of it in the arena. */
struct index_object {
    struct object_info info;
    uint64_t ref; /**< Of its text: the index's own. */
    struct str text;
    struct rpsl_object parsed; /**< The text's attributes. */
    struct rpsl_key key;
};
/** Find by primary key in the next version. @return ERR_OK, ERR_NOT_FOUND, ERR_LIMIT, ERR_CORRUPT.
 */
enum err index_find(struct index *index, enum rpsl_class class, struct str canonical,
                    struct arena *arena, struct index_object *out) MUST_CHECK;
enum err index_get(struct index *index, uint32_t id, struct arena *arena,
                   struct index_object *out) MUST_CHECK;
/** Insert an object, or replace the one with this id. `object` is its parsed text, `key` its key.
 */
enum err index_put(struct index *index, uint32_t id, uint32_t sequence, uint32_t timestamp,
                   const struct rpsl_object *object, const struct rpsl_key *key) MUST_CHECK;
enum err index_remove(struct index *index, uint32_t id) MUST_CHECK;
/** The same for an object that was found: it is not read again. `old` as index_find() or
 * index_get() filled it, no change of that object since. */
enum err index_replace(struct index *index, const struct index_object *old, uint32_t sequence,
                       uint32_t timestamp, const struct rpsl_object *object,
                       const struct rpsl_key *key) MUST_CHECK;
enum err index_remove_found(struct index *index, const struct index_object *old) MUST_CHECK;
/** One more than the highest object id ever seen (deleted ones included); raised by put and
 * index_reserve_id(). */
uint32_t index_next_id(const struct index *index);
void index_reserve_id(struct index *index, uint32_t id);

/* --- bulk building: an index from scratch, replacing whatever was there --- */
struct index_bulk;
/** One of several threads that feed a bulk build; each has its own buffers. */
struct index_lane;
/**
 * Begin a bulk build. It is a batch of its own (begun here, no index_begin() before it): other
 * changes wait.
 * @param sample  Texts to train the compression dictionary on: a few thousand, spread over the
 *                source; may be 0. With too few of them texts are compressed without one.
 */
struct index_bulk *index_bulk_new(struct index *index, const struct str *sample,
                                  size_t sample_count);
struct index_lane *
index_bulk_lane(struct index_bulk *bulk); /* Before the threads start; up to 16. */
/**
 * Add an object. Ids are distinct over all lanes; ascending ones in each lane are fastest. Keys are
 * not compared: callers dedupe (index_bulk_find).
 * @return ERR_OK; ERR_LIMIT for an object larger than 64 MB: nothing of it was added.
 */
enum err index_lane_add(struct index_lane *lane, uint32_t id, uint32_t sequence, uint32_t timestamp,
                        const struct rpsl_object *object, const struct rpsl_key *key) MUST_CHECK;
/**
 * The id of an object added before with this class and canonical key, or 0; only with one lane.
 * For dumps: a later duplicate replaces the earlier one (index_bulk_drop then index_lane_add, with
 * the same id or another).
 */
uint32_t index_bulk_find(struct index_bulk *bulk, enum rpsl_class class, struct str canonical,
                         struct arena *arena);
enum err index_bulk_drop(struct index_bulk *bulk, uint32_t id) MUST_CHECK;
/**
 * Sort, build bottom-up, and leave the result as the next version: index_publish() or
 * index_rollback() follows. Frees bulk in every case.
 * @return ERR_OK; ERR_CORRUPT when an id came twice: everything is rolled back already.
 */
enum err index_bulk_finish(struct index_bulk *bulk) MUST_CHECK;
void index_bulk_free(struct index_bulk *bulk); /* Give up: rolls back. NULL is fine. */

/* --- housekeeping --- */
/** Whether enough text is dead, or written without the present dictionary, to be worth a step of
 * compaction. */
bool index_wants_compaction(const struct index *index);
/** Move the live texts out of one segment (4 MB at most). Between index_begin() and
 * index_publish(). */
enum err index_compact_step(struct index *index) MUST_CHECK;
/** Free what no reader pins any more; cheap; done by every publish, and by a timer. @return Bytes
 * still pinned. */
uint64_t index_collect(struct index *index);
/** Give back nodes' memory that was kept for reuse and not needed for a minute. For a timer of a
 * second. */
void index_give_back(struct index *index);
/** What waits for readers should stay below this; bytes. */
uint64_t index_garbage_limit(const struct index *index);
/** Tell the readers which versions have to go for that (snapshot_is_unwanted()), the oldest ones,
 * by an INDEX_EVICTS. Holds until there is room again. */
void index_evict(struct index *index);
void index_memory(const struct index *index, struct index_memory *out); /* Under the writer lock. */
/** What the newest version holds; all 0 before the first. Under the writer lock. */
struct index_contents {
    struct snapshot_position position;
    uint64_t checksum; /**< snapshot_checksum() */
    uint64_t classes[CLASS_COUNT];
};
void index_get_contents(const struct index *index, struct index_contents *out);
enum index_event {
    INDEX_PUBLISHED, /**< There is a newer version: query loops can move their pins. */
    INDEX_EVICTS     /**< Older ones have to go (index_evict()): answers can let go of them. */
};
/** Called on the writer's thread, which it must not keep. */
void index_on_event(struct index *index, void (*hook)(void *context, enum index_event event),
                    void *context);
/**
 * Self-check, reading every text: trees ordered, counts right, every entry derivable from the texts
 * and none besides. Under the writer lock. @return false and why.
 */
bool index_check(struct index *index, struct why *why);
