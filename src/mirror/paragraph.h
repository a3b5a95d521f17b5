/*
 * Where an object ends in received bytes: at the first empty line. Shared by dumps and NRTM
 * streams. A line that holds only blanks is not empty. Lines that start with `#` or `%` are no part
 * of an object, and CR before LF is tolerated: paragraph_clean() takes both out. Everything else is
 * kept, byte for byte. Bytes may arrive in any pieces; none is looked at twice.
 */
#pragma once

#include "base/str.h"

enum paragraph_marks {
    PARAGRAPH_HAS_CR = 1,      /**< CR LF somewhere. */
    PARAGRAPH_HAS_COMMENT = 2, /**< A line starting with `#` or `%`. */
};

/** Zero-initialise before the first byte of each object. Offsets count from that byte. */
struct paragraph {
    size_t end;      /**< Complete: the text is [0, end), its last LF included. */
    size_t next;     /**< Complete: behind the empty line. */
    unsigned marks;  /**< enum paragraph_marks of the lines seen so far. */
    size_t line;     /**< Private: start of the line being scanned. */
    size_t searched; /**< Private: no LF of that line before this offset. */
};

/**
 * Look for the end.
 * @param bytes  All bytes of the paragraph received so far (and what follows it): only ever grows
 * at its end.
 * @return Whether it is complete.
 */
bool paragraph_scan(struct paragraph *paragraph, struct str bytes);
/**
 * The source has ended: what is there is the paragraph. @param bytes  As given to paragraph_scan(),
 * which said false.
 */
void paragraph_end_of_file(struct paragraph *paragraph, struct str bytes);
/**
 * The text of a complete paragraph, comment lines and CRs taken out in place.
 * @param at  Where the paragraph is. @return Slice at `at`; empty when it held comments only.
 */
struct str paragraph_clean(const struct paragraph *paragraph, char *at);
