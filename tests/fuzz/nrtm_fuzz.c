/*
 * NRTM stream: any bytes, in pieces and at once, give the same events and end in bounds.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "mirror/nrtm_stream.h"

enum { MAX_OBJECT = 256 };

static void add_slice(struct buf *out, struct str s)
{
    buf_add(out, &s.len, sizeof(s.len));
    buf_add_str(out, s);
}

static void drain(struct nrtm_stream *stream, struct buf *out)
{
    struct nrtm_event e;

    while (nrtm_stream_next(stream, &e) != NRTM_MORE) {
        buf_add(out, &e.kind, sizeof(e.kind));
        buf_add(out, &e.serial, sizeof(e.serial));
        add_slice(out, e.text);
        if (e.kind == NRTM_OP &&
            (e.text.len == 0 || e.text.len > MAX_OBJECT || e.text.at[e.text.len - 1] != '\n')) {
            abort();
        }
        if (e.kind != NRTM_BAD) { /* The line of an overlong object depends on what has arrived. */
            add_slice(out, e.line);
        } else if (e.reason == NULL) {
            abort();
        }
    }
}

static struct buf run(const uint8_t *data, size_t size, size_t piece)
{
    struct nrtm_stream *stream = nrtm_stream_new(MAX_OBJECT);
    struct buf out = {0};

    for (size_t at = 0; at < size; at += piece) {
        nrtm_stream_feed(stream, str_sub((struct str){(const char *)data, size}, at, at + piece));
        drain(stream, &out);
    }
    nrtm_stream_end(stream);
    drain(stream, &out);
    nrtm_stream_free(stream);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = run(data, size, size > 0 ? size : 1);
    struct buf pieces = run(data, size, size > 0 ? 1 + data[0] % 16 : 1);

    if (!str_eq(buf_str(&whole), buf_str(&pieces))) {
        abort();
    }
    buf_free(&whole);
    buf_free(&pieces);
    return 0;
}
