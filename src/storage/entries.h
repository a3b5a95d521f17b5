/*
 * Entries: what the trees of an index hold of one object, as records ready for the trees.
 *
 * All but the object record are derived from the text alone, so an update is the difference of two
 * lists of entries, and a check can derive everything again. Layouts, numbers big-endian:
 *
 *   objects   id 4 | text 6, class 1, flags 1, sequence 4, timestamp 4     key: the id
 *   keys      hash of class and canonical key 4, id 4
 *   postings  attribute 1, hash of the folded value 7, id 4
 *   hosts     first bytes of the folded value 16, id 4         nserver, searched by prefix
 *   order     class position 1, code of the key text 11, id 4  see order.c
 *   ranges    begin 4, inverted end 4, id 4; or begin 16, inverted end 16, id 4
 *
 * The inverted end makes a range come before those that it contains: the order of a tree is the
 * pre-order of nesting.
 */
#pragma once

#include "rpsl/object.h"
#include "storage/snapshot.h"
#include "storage/texts.h"
#include "storage/tree.h"

/** Largest first: a bulk build sorts one while it builds the one before. */
enum tree_id {
    TREE_POSTINGS,
    TREE_OBJECTS,
    TREE_ORDER,
    TREE_KEYS,
    TREE_HOSTS,
    TREE_RANGES, /**< TREE_RANGES + enum rpsl_range_kind - 1: one per kind. */
    TREE_COUNT = TREE_RANGES + RANGE_KIND_COUNT - 1
};
extern const struct tree_shape tree_shapes[TREE_COUNT];

static inline enum tree_id tree_of_range(enum rpsl_range_kind kind)
{
    return TREE_RANGES + kind - 1;
}

/* --- records --- */

#define OBJECT_RECORD_BYTES 20
#define RECORD_BYTES_MAX    36

void object_record_put(uint8_t record[OBJECT_RECORD_BYTES], const struct object_info *info,
                       text_ref text);
void object_record_get(const uint8_t *record, struct object_info *info, text_ref *text);

/** The id at the end of the record of any tree but objects. */
uint32_t record_id(enum tree_id tree, const uint8_t *record);

/* The leading bytes of records, for seeking; the rest is cleared. */
void key_record_start(uint8_t *record, enum rpsl_class class, struct str canonical);
void posting_record_start(uint8_t *record, unsigned index_attr, struct str folded);
#define KEY_HASH_BYTES 4
#define POSTING_BYTES  8 /* Attribute and hash. */
#define HOST_BYTES     16

/** A range record without its id; wide or not is the kind's. */
void range_record_start(uint8_t *record, enum rpsl_range_kind kind, const struct ip_range *range);
void range_record_get(const uint8_t *record, enum rpsl_range_kind kind, struct ip_range *range);

/* --- entries --- */

/** Parse a text and find its key. @return As rpsl_parse() and rpsl_object_key(). */
enum err object_parse(struct str text, struct arena *arena, struct rpsl_object *object,
                      struct rpsl_key *key) MUST_CHECK;

struct entry {
    uint8_t tree; /**< enum tree_id; never TREE_OBJECTS. */
    uint8_t record[RECORD_BYTES_MAX];
};

/** A reusable list. Zero-initialise; free(at). */
struct entry_list {
    struct entry *at;
    size_t count, cap;
};

/** Whether values of an attribute are filed under their first bytes (hosts) and not under a hash
 * (postings). */
bool entries_by_prefix(unsigned index_attr);

/**
 * All entries of an object, sorted by tree and record, each once; replaces the list.
 * @param scratch  For folding; the caller rewinds it. @return ERR_OK, ERR_LIMIT.
 */
enum err entries_derive(uint32_t id, const struct rpsl_object *object, const struct rpsl_key *key,
                        struct arena *scratch, struct entry_list *out) MUST_CHECK;
int entry_compare(const struct entry *a, const struct entry *b);
/** The flags of an object (enum object_flags). */
unsigned entries_object_flags(const struct rpsl_object *object);
