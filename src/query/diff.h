/*
 * The unified difference of two texts, as the reference shows it between two versions of an object
 * (whois-queries 6.12): one line of context, no file names.
 */
#pragma once

#include "base/arena.h"

/**
 * Append the hunks; nothing when the texts are equal.
 * @param before, after  Lines are compared, and shown, without the blanks around them.
 * @param arena  For lists; ERR_LIMIT when it is full, as it will be for long texts with little in
 * common.
 */
enum err diff_unified(struct str before, struct str after, struct arena *arena,
                      struct buf *out) MUST_CHECK;
