/*
 * Laying out an object for output (whois-queries 7.2 and 6.6): columns, continuation lines, short
 * names. Only printing lays out; stored text stays as received. Output is UTF-8; the query side
 * encodes it.
 */
#pragma once

#include "rpsl/object.h"

/** Append one attribute in the plain form, with its LF. */
void rpsl_layout_attr(const struct rpsl_attr *attr, struct buf *out);
/** Append one attribute in the -F form. */
void rpsl_layout_attr_short(const struct rpsl_attr *attr, struct buf *out);
/**
 * Whether laying out every attribute would give the text again (a last LF may be missing): then
 * printing copies it. A stored object flag.
 */
bool rpsl_is_laid_out(struct str text);
