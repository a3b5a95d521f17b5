/*
 * From the bytes of an input line to the text of a query (whois-queries 1.3).
 */
#pragma once

#include "base/arena.h"
#include "base/str.h"

/**
 * Trim the line, read it as UTF-8 and squeeze it into Latin-1: other characters and control
 * characters become `?`, a no-break space a blank, a soft hyphen `-`.
 * @param raw           As received, delimiter stripped.
 * @param text          The result, in UTF-8: a slice of raw when nothing had to change, else in the
 * arena.
 * @param is_converted  Whether anything was changed; the answer mentions it.
 * @return ERR_OK, ERR_LIMIT when the arena is full.
 */
enum err line_decode(struct str raw, struct arena *arena, struct str *text,
                     bool *is_converted) MUST_CHECK;
