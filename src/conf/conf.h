/*
 * The configuration file: Java-style properties. Knows rows, not modules: each module declares a table of options,
 * main.c applies all of them to one parsed file. A reload is all or nothing: parse into fresh structs,
 * swap when good.
 *
 * Syntax: `key=value`, `key: value` or `key value`; `#` and `!` start comment lines; a `\` at the end continues a line;
 * `\uXXXX` and the usual escapes; `${var:default}` in values is replaced by another key or the environment.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

struct conf; /* A parsed file. */

/**
 * Turn text into a value at `target`.
 * @param text  Trimmed value; NUL-terminated, lives as long as the struct conf.
 * @return ERR_OK, or ERR_SYNTAX with why = what is allowed ("a port, 0 to 65535").
 */
typedef enum err conf_parse_fn(const char *text, void *target, struct why *why);

/** One option. `*` in a name stands for an instance, such as the mirror in `nrtm.import.*.host`. */
struct conf_key {
    const char *name;
    conf_parse_fn *parse;
    size_t offset;            /**< Of the field in the struct that the table fills. */
    const char *default_text; /**< Parsed when the file has no such key; NULL leaves the field alone. */
    const char *help;         /**< One line for --check-config and the sample file. */
};

struct conf_list {
    const char **items; /**< NUL-terminated, owned by the conf. */
    size_t count;
};

/** @return ERR_OK, ERR_IO (why names the file), ERR_SYNTAX (why names file and line). */
enum err conf_read(const char *path, struct conf **out, struct why *why) MUST_CHECK;
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
/** @return The raw value after substitution, or NULL. Marks the key as known. */
const char *conf_get(struct conf *conf, const char *key);
/** Accept a key (or a prefix that ends in `*`) of the reference that whoisd does not need, without a warning. */
void conf_ignore(struct conf *conf, const char *key);
/** Log a WARN for every key that no table asked for. @return How many. */
size_t conf_warn_unknown(const struct conf *conf);

/* Parsers for the rows. Targets: const char *; bool; int; int; int64_t; int; struct conf_list. */
conf_parse_fn conf_text;      /**< Any text; stays owned by the conf. */
conf_parse_fn conf_bool;      /**< true or false (also yes/no, on/off). */
conf_parse_fn conf_port;      /**< 0 to 65535. */
conf_parse_fn conf_int;       /**< A whole number, -2^31 to 2^31-1. */
conf_parse_fn conf_bytes;     /**< int64_t; a number with an optional k, m or g. */
conf_parse_fn conf_seconds;   /**< int; 0 to 10 years. */
conf_parse_fn conf_list;      /**< Comma list; blanks round the items dropped, empty items too. */
