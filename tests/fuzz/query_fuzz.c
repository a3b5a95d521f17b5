/*
 * An input line up to the decision what to search: decode, parse, classify, check, and every
 * message on the way.
 */
#include "fuzz.h"

#include <stdlib.h>

#include "query/check.h"
#include "query/info.h"
#include "query/line.h"

static void answer(struct str line, struct key_matcher *matcher, struct arena *arena)
{
    static struct settings settings; /* No sources at all. */
    struct buf out = {0};
    struct str text;
    struct query query;
    struct search_key key;
    struct verdict verdict;
    bool is_converted, may_run = false;

    if (line_decode(line, arena, &text, &is_converted) == ERR_OK &&
        query_parse(text, arena, &query) == ERR_OK) {
        if (query.key.at == NULL || query.complaint_count != 0) {
            abort(); /* The header promises a key, and a complaint only with ERR_SYNTAX. */
        }
        if (search_key_read(matcher, query.key, query_has(&query, QF(REVERSE_DOMAIN)), arena,
                            &key) == ERR_OK) {
            may_run = query_check(&query, &key, false, arena, &verdict);
        }
        if (may_run && info_is_asked(&query, &key)) {
            info_print(&settings, &query, &key, arena, &out);
        }
        for (size_t i = 0; i < query.complaint_count; i++) {
            message_print(&out, query.complaints[i].message, query.complaints[i].args);
        }
    }
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct key_matcher *matcher;
    static struct arena *arena;

    if (matcher == NULL) {
        matcher = key_matcher_new();
        arena = arena_new(1 << 20);
    }
    answer((struct str){(const char *)data, size}, matcher, arena);
    arena_reset(arena);
    return 0;
}
