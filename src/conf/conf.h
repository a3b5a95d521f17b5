/*
 * The configuration file: Java-style properties. Knows rows, not modules: each module declares a
 * table of options, main.c applies all of them to one parsed file. A reload is all or nothing:
 * parse into fresh structs, swap when good.
 *
 * Syntax: `key=value`, `key: value` or `key value`; lines that start with `#` or `!` are comments;
 * a `\` at the end continues a line; `\uXXXX`, `\t`, `\n`, `\r`, `\f` and `\` before any other
 * character to mean just that; `${name:default}` in values is replaced by another key, else by the
 * environment, else by the default (which may hold further `${}`). Bytes that are not UTF-8 are
 * taken as Latin-1. Of a key that occurs twice the later one counts, with a WARN.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct conf; /* A parsed file. */

/**
 * Turn text into a value at `target`.
 * @param text   Trimmed value; NUL-terminated, lives as long as the struct conf.
 * @param arena  Of the struct conf, for values that need memory.
 * @return ERR_OK, or ERR_SYNTAX with why = what is allowed ("a port, 0 to 65535").
 */
typedef enum err conf_parse_fn(const char *text, void *target, struct arena *arena,
                               struct why *why);

/** One option. `*` in a name stands for an instance, such as the mirror in `nrtm.import.*.host`. */
struct conf_key {
    const char *name;
    conf_parse_fn *parse;
    size_t offset;            /**< Of the field in the struct that the table fills. */
    const char *default_text; /**< Used when the file has no such key; NULL: field stays. */
    const char *help;         /**< One line for --check-config and the sample file. */
};

struct conf_list {
    const char **items; /**< NUL-terminated, owned by the conf. */
    size_t count;
};

/** @return ERR_OK, ERR_IO (why names the file), ERR_SYNTAX (why names file and line). */
enum err conf_read(const char *path, struct conf **out, struct why *why) MUST_CHECK;
/**
 * The same from memory. @param name  Stands for the file in messages.
 * @return ERR_OK, ERR_SYNTAX, ERR_LIMIT (more than 1 MB of text).
 */
enum err conf_parse(struct str text, const char *name, struct conf **out,
                    struct why *why) MUST_CHECK;
void conf_free(struct conf *conf); /* NULL is fine. Strings parsed from it die with it. */

/**
 * Fill a struct from a table of options.
 * @param keys      Ends with a row whose name is NULL.
 * @param instance  Replaces `*` in names; NULL for a table without `*`.
 * @param target    Start of the struct the offsets count from.
 * @return ERR_OK; ERR_SYNTAX with why = "FILE line N: KEY: VALUE: allowed is ...".
 */
enum err conf_apply(struct conf *conf, const struct conf_key *keys, const char *instance,
                    void *target, struct why *why) MUST_CHECK;
/**
 * @return The trimmed value after substitution; NULL when there is no such key, or (with a WARN)
 * when its substitution fails. Marks the key as known.
 */
const char *conf_get(struct conf *conf, const char *key);
/** Accept a key, or all that start like a `prefix*`, that whoisd does not need without a WARN. */
void conf_ignore(struct conf *conf, const char *key);
/** Log a WARN for every key that nothing asked for. @return How many. */
size_t conf_warn_unknown(const struct conf *conf);

/* Parsers for the rows; the comment starts with the target's type. */
conf_parse_fn conf_text;    /**< const char *; any text. */
conf_parse_fn conf_bool;    /**< bool; true or false (also yes/no, on/off). */
conf_parse_fn conf_port;    /**< int; 0 to 65535. */
conf_parse_fn conf_int;     /**< int; -2^31 to 2^31-1. */
conf_parse_fn conf_bytes;   /**< int64_t; a number with an optional k, m or g (powers of 1024). */
conf_parse_fn conf_seconds; /**< int; 0 to 10 years. */
/** int64_t, seconds; a number of days, or of hours, minutes or seconds with h, m or s behind it; up
 * to 10 years. */
conf_parse_fn conf_days;
conf_parse_fn conf_list; /**< struct conf_list; commas separate, blanks and empty items drop. */
