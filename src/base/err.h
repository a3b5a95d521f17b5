/*
 * Errors: one list of outcomes for every function that can fail, and a place for the sentence
 * that explains one.
 */
#pragma once

#include <stdarg.h>

#define MUST_CHECK               __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))

#define ERR_LIST(X)                                                                                \
    X(ERR_OK, "ok")                                                                                \
    X(ERR_SYNTAX, "malformed input")                                                               \
    X(ERR_NOT_FOUND, "not found")                                                                  \
    X(ERR_LIMIT, "a configured limit was reached")                                                 \
    X(ERR_MEMORY, "out of memory")                                                                 \
    X(ERR_IO, "input or output failed")                                                            \
    X(ERR_CORRUPT, "stored data is damaged")                                                       \
    X(ERR_DENIED, "not allowed")                                                                   \
    X(ERR_BUSY, "in use by another operation")                                                     \
    X(ERR_STOPPED, "stopped before the end")                                                       \
    X(ERR_MOVED, "the database was changed by somebody else")                                      \
    X(ERR_SQL, "database error")                                                                   \
    X(ERR_SQL_LOST, "database connection lost")                                                    \
    X(ERR_SQL_RETRY, "deadlock or lock wait time-out")                                             \
    X(ERR_SQL_FULL, "database is full or read-only")                                               \
    X(ERR_SQL_PACKET, "row larger than max_allowed_packet")

enum err {
#define X(name, text) name,
    ERR_LIST(X)
#undef X
};

/** @return A short constant text such as "not found"; never NULL. */
const char *err_text(enum err code);

/** The sentence that explains a failure: file, line, what was found, what is allowed. */
struct why {
    char text[600]; /**< NUL-terminated, truncated when too long. */
};

/**
 * Write the explanation and hand back the code, so that a failing function ends in one line:
 * `return why_set(why, ERR_SYNTAX, "%s line %d: no colon", path, line);`
 * @param why  May be NULL: then only the code is returned.
 */
enum err why_set(struct why *why, enum err code, const char *format, ...) PRINTF_LIKE(3, 4);
