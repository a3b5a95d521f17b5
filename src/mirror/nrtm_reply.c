/*
 * The messages of NRTM servers: RIPE's Java and C servers, IRRd 2, 3 and 4. They are told apart by
 * a part of their text, as numbers and punctuation differ. Three kinds of message have to be
 * compared with what we asked for.
 */
#include "mirror/nrtm_reply.h"

#include <ctype.h>

#define ALSO_IN_COMMENTS true

enum reply_range {
    RANGE_NONE,
    RANGE_WITHIN,  /* "Not within MIN-MAX": what the server has. */
    RANGE_ABSENT,  /* "Serials A - B do not exist": one end is ours, the other the server's last. */
    RANGE_MISSING, /* "serials (A - B) don't exist": all of them, only one end is ours. */
    RANGE_FROM_TO  /* "from > to (A > B)": A is ours, B the server's newest. */
};

struct reply_row {
    struct str text;
    enum nrtm_outcome outcome;
    bool in_comments; /* Some servers send it as a comment or warning. */
    enum reply_range range;
};

// clang-format off
static const struct reply_row reply_rows[] = {
    {STR_INIT("Not within"), OUTCOME_PROTOCOL, false, RANGE_WITHIN},
    {STR_INIT("Requesting serials older than"), OUTCOME_EXPIRED, ALSO_IN_COMMENTS, RANGE_NONE},
    {STR_INIT("no newer updates available"), OUTCOME_UP_TO_DATE, ALSO_IN_COMMENTS, RANGE_NONE},
    {STR_INIT("there are no updates available"), OUTCOME_UP_TO_DATE, ALSO_IN_COMMENTS, RANGE_NONE},
    {STR_INIT("exceeds maximum range of"), OUTCOME_TOO_MANY, false, RANGE_NONE},
    {STR_INIT("do not exist"), OUTCOME_PROTOCOL, false, RANGE_ABSENT},
    {STR_INIT("don't exist"), OUTCOME_PROTOCOL, false, RANGE_MISSING},
    {STR_INIT("range error"), OUTCOME_PROTOCOL, false, RANGE_FROM_TO},
    {STR_INIT("no journal entries greater"), OUTCOME_EXPIRED, false, RANGE_NONE},
    {STR_INIT("no journal entries for this source"), OUTCOME_TRANSIENT, false, RANGE_NONE},
    {STR_INIT("CURRENTSERIAL file missing"), OUTCOME_TRANSIENT, false, RANGE_NONE},
    {STR_INIT("connections exceeded"), OUTCOME_TRANSIENT, false, RANGE_NONE},
    {STR_INIT("internal error"), OUTCOME_TRANSIENT, false, RANGE_NONE},
    {STR_INIT("% Access denied"), OUTCOME_DENIED, ALSO_IN_COMMENTS, RANGE_NONE},
    {STR_INIT("access denied"), OUTCOME_DENIED, false, RANGE_NONE},
    {STR_INIT("not authori"), OUTCOME_DENIED, false, RANGE_NONE},
    {STR_INIT("Dummified mirroring"), OUTCOME_DENIED, false, RANGE_NONE},
};
// clang-format on

/* Case-insensitive search; @return offset behind the needle, or 0. */
static size_t find_text(struct str line, struct str needle)
{
    for (size_t at = 0; at + needle.len <= line.len; at++) {
        if (str_starts_nocase(str_sub(line, at, line.len), needle)) {
            return at + needle.len;
        }
    }
    return 0;
}

/* The numbers of a text, at most two. */
static size_t find_numbers(struct str text, int64_t numbers[2])
{
    size_t count = 0;

    for (size_t at = 0; at < text.len && count < 2; at++) {
        size_t end = at;
        uint64_t number;

        while (end < text.len && isdigit((unsigned char)text.at[end])) {
            end++;
        }
        if (end > at && str_to_u64(str_sub(text, at, end), INT64_MAX, &number) == ERR_OK) {
            numbers[count++] = (int64_t)number;
        }
        at = end;
    }
    return count;
}

static enum nrtm_outcome compare_with(int64_t min, int64_t max, const struct nrtm_request *request,
                                      struct nrtm_reply *reply)
{
    reply->upstream_min = min;
    reply->upstream_max = max;
    if (request->first - 1 == max) {
        return OUTCOME_UP_TO_DATE;
    }
    if (request->first - 1 > max) {
        return OUTCOME_BEHIND;
    }
    if (min >= 0 && request->first < min) {
        return OUTCOME_EXPIRED;
    }
    return request->last > max ? OUTCOME_TOO_MANY : OUTCOME_PROTOCOL;
}

/*
 * IRRd 4 asked for 101-200: "101 - 150" when its journal starts at 150, "150 - 200" when it ends
 * there; asked for 101-LAST: "13 - 101" when it ends at 13. Its predecessors name the serials that
 * are not there: "101 - 149", "151 - 200". What can mean either, "101 - 200", is taken for the end:
 * the next request is one to LAST, and its answer is clear.
 */
static enum nrtm_outcome compare_absent(const int64_t n[2], bool is_missing,
                                        const struct nrtm_request *request,
                                        struct nrtm_reply *reply)
{
    bool is_beyond = n[0] < request->first || (request->last >= 0 && n[1] == request->last);

    return is_beyond ? compare_with(-1, is_missing ? n[0] - 1 : n[0], request, reply)
                     : OUTCOME_EXPIRED;
}

static enum nrtm_outcome compare(const struct reply_row *row, struct str line, size_t behind,
                                 const struct nrtm_request *request, struct nrtm_reply *reply)
{
    int64_t n[2];

    switch (row->range) {
    case RANGE_WITHIN:
        return find_numbers(str_sub(line, behind, line.len), n) == 2
                   ? compare_with(n[0], n[1], request, reply)
                   : OUTCOME_PROTOCOL;
    case RANGE_ABSENT:
    case RANGE_MISSING:
        behind = find_text(line, STR("serials"));
        if (find_numbers(str_sub(line, behind, line.len), n) != 2) {
            return OUTCOME_PROTOCOL;
        }
        return compare_absent(n, row->range == RANGE_MISSING, request, reply);
    case RANGE_FROM_TO:
        return find_numbers(str_sub(line, behind, line.len), n) == 2
                   ? compare_with(-1, n[1], request, reply)
                   : OUTCOME_PROTOCOL;
    case RANGE_NONE:
        break;
    }
    if (row->outcome == OUTCOME_TOO_MANY && find_numbers(str_sub(line, behind, line.len), n) > 0) {
        reply->range_limit = n[0] < INT32_MAX ? n[0] : INT32_MAX;
    }
    return row->outcome;
}

enum nrtm_outcome nrtm_reply_meaning(struct str line, bool is_error,
                                     const struct nrtm_request *request, struct nrtm_reply *reply)
{
    *reply = (struct nrtm_reply){-1, -1, 0};
    for (size_t i = 0; i < sizeof(reply_rows) / sizeof(reply_rows[0]); i++) {
        const struct reply_row *row = &reply_rows[i];
        size_t behind;

        if ((is_error || row->in_comments) && (behind = find_text(line, row->text)) > 0) {
            return compare(row, line, behind, request, reply);
        }
    }
    return is_error ? OUTCOME_PROTOCOL : OUTCOME_GOES_ON;
}

const char *nrtm_outcome_text(enum nrtm_outcome outcome)
{
    static const char *const texts[] = {
#define X(name, text) text,
        NRTM_OUTCOME_LIST(X)
#undef X
    };
    return texts[outcome];
}
