/*
 * Buffers lent by the loop. Small outputs are many: the answers to all lines of a poll wait for
 * their sending at the same time.
 */
#include "net/spare.h"

#define MAX_BYTES      ((size_t)512 << 10)
#define MAX_MORE_BYTES ((size_t)16 << 10) /* Of outputs behind the first. */

void spare_take_input(struct spare *spare, struct buf *in)
{
    if (in->at == NULL) {
        *in = spare->input;
        spare->input = (struct buf){0};
    }
}

void spare_give_input(struct spare *spare, struct buf *in)
{
    if (spare->input.at != NULL || in->cap > MAX_BYTES) {
        buf_free(in);
        return;
    }
    spare->input = *in;
    buf_clear(&spare->input);
    *in = (struct buf){0};
}

void spare_take_output(struct spare *spare, struct buf *out)
{
    if (out->at == NULL && spare->output_count > 0) {
        *out = spare->outputs[--spare->output_count];
    }
}

void spare_give_output(struct spare *spare, struct buf *out)
{
    size_t most = spare->output_count == 0 ? MAX_BYTES : MAX_MORE_BYTES;

    if (spare->output_count == SPARE_OUTPUTS || out->cap > most) {
        buf_free(out);
        return;
    }
    buf_clear(out);
    spare->outputs[spare->output_count++] = *out;
    *out = (struct buf){0};
}

void spare_fini(struct spare *spare)
{
    buf_free(&spare->input);
    while (spare->output_count > 0) {
        buf_free(&spare->outputs[--spare->output_count]);
    }
}
