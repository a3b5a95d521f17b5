/*
 * Any bytes as a search key: what is read of it must hold together, its canonical text must be read
 * as the same key, and -T must only take candidates away.
 *
 * With FUZZ_PLANTED in the environment the key is spoilt for some inputs before it is checked, as
 * by a bug: `make fuzz-planted` requires that this is found.
 */
#include "fuzz.h"

#include <stdlib.h>

#include "query/key.h"
#include "query/line.h"

static struct key_matcher *matcher;
static struct arena *arena;

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* As if begin and end of a range were not compared. */
static void plant_bug(struct search_key *key)
{
    if (key->has_ip && !key->ip.is_v6 && key->ip.begin == 0x0A000000 && key->ip.end == 0x0A00FFFF) {
        key->ip.begin = key->ip.end + 1;
    }
}

static enum err read_key(struct str text, bool with_reverse, struct search_key *out)
{
    enum err rc = search_key_read(matcher, text, with_reverse, arena, out);

    if (rc == ERR_OK && getenv("FUZZ_PLANTED") != NULL) {
        plant_bug(out);
    }
    return rc;
}

static void check_range(const struct ip_range *range)
{
    require(range->begin <= range->end);
    require(range->is_v6 || range->end <= UINT32_MAX);
}

static void check_key(const struct search_key *key)
{
    require(key->value.at != NULL);
    if (key->has_ip) {
        check_range(&key->ip);
    }
    if (key->has_reverse) {
        check_range(&key->reverse);
    }
    require(!key->has_as_range || key->as_range.begin <= key->as_range.end);
    require(!key->has_origin || (key->has_ip && str_starts(key->origin, STR("AS"))));
}

/* The canonical text of an address is an address, and its own canonical text. */
static void check_again(const struct search_key *key)
{
    struct search_key again;

    if (!key->has_ip || key->has_origin || key->has_reverse ||
        read_key(key->value, false, &again) != ERR_OK) {
        return;
    }
    require(again.has_ip && str_eq(again.value, key->value));
    require(again.ip.begin == key->ip.begin && again.ip.end == key->ip.end);
}

static void check_candidates(const struct search_key *key)
{
    struct query query = {.flags = 0};
    uint32_t all = search_candidates(&query, key);

    require((all & ~ALL_CLASSES) == 0);
    for (int class = 0; class < CLASS_UNKNOWN; class ++) {
        query.classes = CLASS_BIT(class);
        require(search_candidates(&query, key) == (all & CLASS_BIT(class)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct search_key key;
    struct str text;
    bool is_converted;

    if (matcher == NULL) {
        matcher = key_matcher_new();
        arena = arena_new(1 << 20);
    }
    if (line_decode((struct str){(const char *)data, size}, arena, &text, &is_converted) ==
        ERR_OK) {
        for (int with_reverse = 0; with_reverse < 2; with_reverse++) {
            if (read_key(text, with_reverse == 1, &key) == ERR_OK) {
                check_key(&key);
                check_again(&key);
                check_candidates(&key);
            }
        }
    }
    arena_reset(arena);
    return 0;
}
