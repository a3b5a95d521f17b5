/*
 * Idle connections own no buffers: a loop lends them its own while they are at work. Private to
 * net.
 */
#pragma once

#include "base/str.h"

#define SPARE_OUTPUTS 64

/** Zero-initialise; spare_fini() gives the memory back. */
struct spare {
    struct buf input;
    struct buf outputs[SPARE_OUTPUTS];
    size_t output_count;
};

/** Lend a buffer unless the borrower has one; an empty one when there is none to lend. */
void spare_take_input(struct spare *spare, struct buf *in);
void spare_take_output(struct spare *spare, struct buf *out);
/** Take a buffer back, which becomes empty; one that is large, or one too many, is freed. */
void spare_give_input(struct spare *spare, struct buf *in);
void spare_give_output(struct spare *spare, struct buf *out);
void spare_fini(struct spare *spare);
