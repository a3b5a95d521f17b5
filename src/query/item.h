/*
 * One object on its way into an answer: its text, and its attributes once somebody needs them.
 */
#pragma once

#include "storage/snapshot.h"

/** Where the objects of one source come from while one answer is made. */
struct view {
    struct reader *reader;
    const struct snapshot *snap;
    struct arena *scratch; /**< For one object's text and parts: the caller rewinds it. */
};

struct item {
    struct object_info info;
    struct str text;           /**< In the scratch arena. */
    struct rpsl_object object; /**< Only when is_parsed. */
    bool is_parsed;
};

/** @return ERR_OK, ERR_NOT_FOUND, ERR_LIMIT (the arena is full), ERR_CORRUPT. */
enum err item_load(const struct view *view, uint32_t id, struct item *out) MUST_CHECK;
/** The same for an object whose place is known. */
enum err item_load_at(const struct view *view, const struct object_place *place,
                      struct item *out) MUST_CHECK;
/** Find the attributes, once. @return ERR_OK, ERR_LIMIT, ERR_CORRUPT. */
enum err item_parse(const struct view *view, struct item *item) MUST_CHECK;
/** The key as comments show it (whois-queries 6.2). @return ERR_OK, ERR_LIMIT, ERR_CORRUPT. */
enum err item_key_text(const struct view *view, struct item *item, struct str *out) MUST_CHECK;
/** Whether its canonical key is this. @return ERR_OK (it is), ERR_NOT_FOUND, ERR_LIMIT,
 * ERR_CORRUPT.
 */
enum err item_has_key(const struct view *view, struct item *item, struct str canonical) MUST_CHECK;
/** The origin of a route, "" when it has none. @return ERR_OK, ERR_LIMIT, ERR_CORRUPT. */
enum err item_origin(const struct view *view, struct item *item, struct str *out) MUST_CHECK;
/** The whole key. As above. */
enum err item_key(const struct view *view, struct item *item, struct rpsl_key *out) MUST_CHECK;
/**
 * The first attribute with this id as one line, "" when there is none.
 * @param item  Parsed. @return at == NULL when the arena is full.
 */
struct str item_value(const struct view *view, const struct item *item, enum rpsl_attr_id attr);
/** The id of the object with this key. @param id_out  0: there is none. @return ERR_OK, ERR_LIMIT,
 * ERR_CORRUPT. */
enum err view_find(const struct view *view, enum rpsl_class class, struct str key,
                   uint32_t *id_out) MUST_CHECK;
