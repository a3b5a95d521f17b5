/*
 * Any bytes as an address notation: what is read must be a range, and its canonical text must be
 * read as the same range.
 */
#include "fuzz.h"
#include "rpsl/ip.h"

#include <stdlib.h>
#include <string.h>

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static bool same(const struct ip_range *a, const struct ip_range *b)
{
    return a->begin == b->begin && a->end == b->end && a->is_v6 == b->is_v6;
}

static void check_range(const struct ip_range *range)
{
    require(range->begin <= range->end);
    require(range->is_v6 || range->end <= UINT32_MAX);
    require(ip_prefix_length(range) <= (range->is_v6 ? 128 : 32));
}

/** The text must be read as the range it was written from. */
static void check_text(const struct ip_range *range, const char *text, size_t len,
                       enum err (*parse)(struct str, struct ip_range *))
{
    struct ip_range again;

    require(len < IP_TEXT_MAX && strlen(text) == len);
    require(parse((struct str){text, len}, &again) == ERR_OK && same(range, &again));
}

static enum err parse_as_range(struct str s, struct ip_range *out)
{
    return ip_parse_as_range(s, UINT32_MAX, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct ip_range range;
    char out[IP_TEXT_MAX];

    if (ip_parse_v4(text, &range) == ERR_OK) {
        check_range(&range);
        require(!range.is_v6);
        check_text(&range, out, ip_format(&range, out), ip_parse);
        check_text(&range, out, ip_format_prefix(&range, out), ip_parse_v4);
    }
    if (ip_parse_v6(text, &range) == ERR_OK) {
        check_range(&range);
        require(range.is_v6 && ip_prefix_length(&range) >= 0);
        check_text(&range, out, ip_format(&range, out), ip_parse);
    }
    if (ip_parse_reverse(text, &range) == ERR_OK) {
        check_range(&range);
        require(ip_format_prefix(&range, out) == strlen(out));
    }
    if (parse_as_range(text, &range) == ERR_OK) {
        check_range(&range);
        check_text(&range, out, ip_format_as_range(&range, out), parse_as_range);
    }
    return 0;
}
