/*
 * The syntax of Java properties, without any meaning: text in, keys and values out.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct property {
    const char *key;   /**< UTF-8, escapes resolved. */
    const char *value; /**< Likewise; `${}` still in it. */
    int line;          /**< Where the key stands, from 1. */
};

/**
 * Read the next property.
 * @param text   What is left of the file; moves on.
 * @param line   Lines read so far; 0 at first.
 * @param arena  Takes the strings.
 * @return ERR_OK; ERR_NOT_FOUND at the end; ERR_SYNTAX with why = "line N: ..."; ERR_LIMIT.
 */
enum err properties_next(struct str *text, int *line, struct arena *arena,
                         struct property *property, struct why *why) MUST_CHECK;
