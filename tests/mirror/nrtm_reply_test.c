/*
 * The meaning of servers' messages.
 */
#include "mirror/nrtm_reply.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

struct message {
    char line[120];
    bool is_error;
    enum nrtm_outcome outcome;
    int64_t upstream_max;
};

/* Asked: 101-LAST. */
ParameterizedTestParameters(nrtm_reply, knows_every_message)
{
    // clang-format off
    static struct message messages[] = {
        {"%ERROR:401: invalid range: Not within 1-100", true, OUTCOME_UP_TO_DATE, 100},
        {"%ERROR:401: invalid range: Not within 1-99", true, OUTCOME_BEHIND, 99},
        {"%ERROR:401: invalid range: Not within 1-10", true, OUTCOME_BEHIND, 10},
        {"%ERROR:401: invalid range: Not within 200-300", true, OUTCOME_EXPIRED, 300},
        {"%ERROR:401: invalid range: Not within 1-300", true, OUTCOME_PROTOCOL, 300},
        {"%ERROR:401: invalid range: Not within 1-9223372036854775807", true, OUTCOME_PROTOCOL,
         INT64_MAX},
        {"%ERROR:401: (Requesting serials older than 14 days will be rejected)", true,
         OUTCOME_EXPIRED, -1},
        {"% (Requesting serials older than 14 days will be rejected)", false, OUTCOME_EXPIRED, -1},
        {"%ERROR:402: not authorised to mirror the database from IP address 192.0.2.1", true,
         OUTCOME_DENIED, -1},
        {"%ERROR:402: not authorized to mirror the database from IP address 192.0.2.1", true,
         OUTCOME_DENIED, -1},
        {"%ERROR:403: unknown source RIPF", true, OUTCOME_PROTOCOL, -1},
        {"%ERROR:404: Dummified mirroring of source X is not supported (try source Y)", true,
         OUTCOME_DENIED, -1},
        {"%ERROR:405: syntax error", true, OUTCOME_PROTOCOL, -1},
        {"%ERROR:406: NRTM version mismatch", true, OUTCOME_PROTOCOL, -1},
        {"%ERROR:201: access denied for 192.0.2.1", true, OUTCOME_DENIED, -1},
        {"ERROR:306: connections exceeded", true, OUTCOME_TRANSIENT, -1},
        {"internal error occurred.", true, OUTCOME_TRANSIENT, -1},
        {"%% ERROR: Serials 101 - 200 do not exist", true, OUTCOME_EXPIRED, -1},
        {"%% ERROR: Serials 13 - 101 do not exist", true, OUTCOME_BEHIND, 13},
        {"%% ERROR: Serials 100 - 101 do not exist", true, OUTCOME_UP_TO_DATE, 100},
        {"%% Access denied", false, OUTCOME_DENIED, -1},
        {"%% ERROR: Access denied", true, OUTCOME_DENIED, -1},
        {"%% ERROR: Unknown source: X", true, OUTCOME_PROTOCOL, -1},
        {"%% ERROR: No journal kept for this source, unable to serve NRTM queries", true,
         OUTCOME_PROTOCOL, -1},
        {"%% ERROR: There are no journal entries for this source.", true, OUTCOME_TRANSIENT, -1},
        {"%% ERROR: There are no journal entries greater than or equal to this serial 101.", true,
         OUTCOME_EXPIRED, -1},
        {"%% ERROR: Serial range requested exceeds maximum range of 50", true, OUTCOME_TOO_MANY,
         -1},
        {"% Warning: there are no newer updates available", false, OUTCOME_UP_TO_DATE, -1},
        {"% Warning (1): there are no newer updates available", false, OUTCOME_UP_TO_DATE, -1},
        {"% ERROR: serials (101 - 199) don't exist!", true, OUTCOME_EXPIRED, -1},
        {"% ERROR: range error 'from > to' (101 > 100)", true, OUTCOME_UP_TO_DATE, 100},
        {"% ERROR: range error 'from > to' (101 > 90)", true, OUTCOME_BEHIND, 90},
        {"% ERROR: mirror access denied", true, OUTCOME_DENIED, -1},
        {"% ERROR: Unknown db (X) in mirror request", true, OUTCOME_PROTOCOL, -1},
        {"% ERROR: Database (X) is a non-mirrored db!", true, OUTCOME_PROTOCOL, -1},
        {"%% ERROR: Invalid NRTM version: X", true, OUTCOME_PROTOCOL, -1},
        {"%% ERROR: Invalid serial range: X", true, OUTCOME_PROTOCOL, -1},
        {"%% ERROR: Invalid parameter: must contain three elements", true, OUTCOME_PROTOCOL, -1},
        {"%% ERROR: Requesting serials older than 14 days will be rejected", true,
         OUTCOME_EXPIRED, -1},
        {"% Your request has been denied to protect private data.", false, OUTCOME_GOES_ON, -1},
        {"% Warning: there are no updates available", false, OUTCOME_UP_TO_DATE, -1},
        {"% Warning: there are no newer updates available!", false, OUTCOME_UP_TO_DATE, -1},
        {"%ERROR:405: no flags passed", true, OUTCOME_PROTOCOL, -1},
        {"%ERROR:405: -k cannot be used with out -g", true, OUTCOME_PROTOCOL, -1},
        {"% ERROR: (X).CURRENTSERIAL file missing or corrupted!", true, OUTCOME_TRANSIENT, -1},
        {"%ERROR:999: never heard of", true, OUTCOME_PROTOCOL, -1},
        {"% Access to this server is not authorised", false, OUTCOME_GOES_ON, -1},
        {"% The RIPE Database is subject to Terms and Conditions.", false, OUTCOME_GOES_ON, -1},
        {"%WARNING: NRTM version 2 is deprecated, please consider", false, OUTCOME_GOES_ON, -1},
    };
    // clang-format on
    return cr_make_param_array(struct message, messages, sizeof(messages) / sizeof(messages[0]));
}

ParameterizedTest(struct message *m, nrtm_reply, knows_every_message)
{
    const struct nrtm_request request = {3, 101, -1, true};
    struct nrtm_reply reply;

    cr_expect_eq(nrtm_reply_meaning(str_from(m->line), m->is_error, &request, &reply), m->outcome,
                 "%s", m->line);
    cr_expect_eq(reply.upstream_max, m->upstream_max, "%s", m->line);
}

Test(nrtm_reply, tells_the_limit_of_a_request)
{
    const struct nrtm_request request = {3, 101, -1, true};
    struct nrtm_reply reply;

    cr_assert_eq(
        nrtm_reply_meaning(STR("%% ERROR: Serial range requested exceeds maximum range of 50"),
                           true, &request, &reply),
        OUTCOME_TOO_MANY);
    cr_expect_eq(reply.range_limit, 50);
    cr_assert_eq(nrtm_reply_meaning(STR("exceeds maximum range of 9223372036854775807"), true,
                                    &request, &reply),
                 OUTCOME_TOO_MANY);
    cr_expect_eq(reply.range_limit, INT32_MAX, "serials that a request can name");
}

Test(nrtm_reply, asks_again_for_less_when_a_bounded_request_went_too_far)
{
    const struct nrtm_request request = {3, 101, 400, false};
    struct nrtm_reply reply;

    cr_expect_eq(nrtm_reply_meaning(STR("%ERROR:401: invalid range: Not within 1-300"), true,
                                    &request, &reply),
                 OUTCOME_TOO_MANY);
    cr_expect_eq(reply.upstream_max, 300);
}

struct end_case {
    char line[80];
    enum nrtm_outcome outcome;
    int64_t upstream_max;
};

/* Asked: 101-200. */
ParameterizedTestParameters(nrtm_reply, tells_an_end_that_is_too_new_from_a_beginning_too_old)
{
    // clang-format off
    static struct end_case cases[] = {
        {"%% ERROR: Serials 150 - 200 do not exist", OUTCOME_TOO_MANY, 150},
        {"%% ERROR: Serials 199 - 200 do not exist", OUTCOME_TOO_MANY, 199},
        {"%% ERROR: Serials 101 - 200 do not exist", OUTCOME_TOO_MANY, 101},
        {"%% ERROR: Serials 100 - 200 do not exist", OUTCOME_UP_TO_DATE, 100},
        {"%% ERROR: Serials 99 - 200 do not exist", OUTCOME_BEHIND, 99},
        {"%% ERROR: Serials 101 - 150 do not exist", OUTCOME_EXPIRED, -1},
        {"%% ERROR: Serials 101 - 300 do not exist", OUTCOME_EXPIRED, -1},
        {"% ERROR: serials (151 - 200) don't exist!", OUTCOME_TOO_MANY, 150},
        {"% ERROR: serials (101 - 200) don't exist!", OUTCOME_UP_TO_DATE, 100},
        {"% ERROR: serials (101 - 149) don't exist!", OUTCOME_EXPIRED, -1},
    };
    // clang-format on
    return cr_make_param_array(struct end_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct end_case *c, nrtm_reply,
                  tells_an_end_that_is_too_new_from_a_beginning_too_old)
{
    const struct nrtm_request request = {3, 101, 200, false};
    struct nrtm_reply reply;

    cr_expect_eq(nrtm_reply_meaning(str_from(c->line), true, &request, &reply), c->outcome, "%s",
                 c->line);
    cr_expect_eq(reply.upstream_max, c->upstream_max, "%s", c->line);
}
