/*
 * From the text of a query to its flags, their arguments and its key words (whois-queries 2.1
 * and 2.2). What is wrong with a query becomes a complaint: a message and its arguments, printed
 * instead of an answer.
 */
#pragma once

#include "base/arena.h"
#include "query/flags.h"
#include "query/messages.h"
#include "rpsl/schema.h"

struct complaint {
    enum message message;
    struct str args[2];
};

/** What a flag with FLAG_ONCE got. */
struct flag_value {
    struct str text;                     /**< Of its last use. */
    unsigned char short_uses, long_uses; /**< Capped at 255. */
};

#define MAX_COMPLAINTS 8

struct query {
    struct str text;      /**< The whole query, decoded. */
    uint64_t flags;       /**< QF(...) bits. */
    unsigned option_uses; /**< Options given, repetitions counted. */
    struct str key;       /**< The key words, joined by one blank each; "" when there are none. */
    uint32_t classes;     /**< -T: a bit per enum rpsl_class; 0: not given. */
    enum rpsl_attr_id *inverse; /**< -i, as named, without doubles. */
    size_t inverse_count;
    struct str *sources; /**< -s: upper case, without doubles, in order. */
    size_t source_count;
    bool is_converted; /**< line_decode() had to change something. */
    size_t complaint_count;
    /* Not cleared for each query: only what the members above announce is there. */
    struct complaint complaints[MAX_COMPLAINTS];
    struct flag_value
        values[FLAG_COUNT]; /**< Of the set flags with FLAG_ONCE; see query_value(). */
};

#define CLASS_BIT(class) (UINT32_C(1) << (class))
#define ALL_CLASSES      (CLASS_BIT(CLASS_UNKNOWN) - 1)
#define MAX_KEY_WORDS    60

static inline bool query_has(const struct query *query, uint64_t flags)
{
    return (query->flags & flags) != 0;
}

/** What a flag with FLAG_ONCE got; all empty when it was not given. */
static inline struct flag_value query_value(const struct query *query, enum query_flag flag)
{
    return query_has(query, UINT64_C(1) << flag) ? query->values[flag] : (struct flag_value){0};
}

/**
 * @param text  From line_decode(); must live as long as the query.
 * @return ERR_OK; ERR_SYNTAX with complaints[] filled; ERR_LIMIT when the arena is full.
 */
enum err query_parse(struct str text, struct arena *arena, struct query *out) MUST_CHECK;

/** Add a complaint, unless it is there already; more than MAX_COMPLAINTS are dropped. */
void query_complain(struct query *query, enum message message, struct str arg1, struct str arg2);

/** Whether the query consists of one -k, key words or not (whois-queries 1.5). */
bool query_is_only_persistent(const struct query *query);
/** Whether a flag that takes one value was given twice. */
bool query_is_repeated(const struct query *query, enum query_flag flag);
/** How its complaint names such a flag: by the letter, or by the long name. In the arena. */
struct str query_repeated_spelling(const struct query *query, enum query_flag flag,
                                   struct arena *arena);
/** How messages spell a flag: `-x, --exact`, `--resource`, `-q`. In the arena. */
struct str query_flag_spelling(enum query_flag flag, struct arena *arena);
