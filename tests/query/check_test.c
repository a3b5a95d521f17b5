#include "query/check.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

struct check_case {
    char line[64];
    char printed[512]; /* All complaints. */
    bool warns;
};

static void check_line(const char *line, bool is_trusted, struct buf *printed, bool *warns)
{
    struct arena *arena = arena_new(1 << 20);
    struct key_matcher *matcher = key_matcher_new();
    struct query query;
    struct search_key key;
    struct verdict verdict;

    cr_assert_eq(query_parse(str_from(line), arena, &query), ERR_OK, "line: %s", line);
    cr_assert_eq(
        search_key_read(matcher, query.key, query_has(&query, QF(REVERSE_DOMAIN)), arena, &key),
        ERR_OK);
    cr_expect_eq(query_check(&query, &key, is_trusted, arena, &verdict),
                 query.complaint_count == 0);
    for (size_t i = 0; i < query.complaint_count; i++) {
        message_print(printed, query.complaints[i].message, query.complaints[i].args);
    }
    *warns = verdict.has_useless_ip_flag;
    key_matcher_free(matcher);
    arena_free(arena);
}

#define E106 "%ERROR:106: no search key specified\n%\n% No search key specified\n\n"
#define E115                                                                                       \
    "%ERROR:115: invalid search key\n%\n"                                                          \
    "% Search key entered is not valid for the specified object type(s)\n\n"
#define E111                                                                                       \
    "%ERROR:111: invalid option supplied\n%\n% Use help query to see the valid options.\n\n"
#define E109(a, b)                                                                                 \
    "%ERROR:109: invalid combination of flags passed\n%\n"                                         \
    "% The flags \"" a "\" and \"" b "\" cannot be used together.\n\n"
#define E110(a)                                                                                    \
    "%ERROR:110: multiple use of flag\n%\n"                                                        \
    "% The flag \"" a "\" cannot be used multiple times.\n\n"

ParameterizedTestParameters(check, says_what_is_wrong)
{
    // clang-format off
    static struct check_case cases[] = {
        {"AS1", "", false},
        {"-r", E106, false},
        {"-rT person", E106 E115, false},
        {"-k", "", false},
        {"-k -k", E106, false},
        {"-t person", "", false},
        {"-rT person 10.0.0.0", E115, false},
        {"-x EXAMPLE-MNT", "", true},
        {"-x 10.0.0.0", "", false},
        {"-x 0.193.in-addr.arpa", "", true},
        {"-d -x 0.193.in-addr.arpa", "", false},
        {"-b EXAMPLE", E111, false},
        {"-b AS1", "", false},
        {"-b as0", "", false},
        {"-b AS01", E111, false},
        {"-b AS4294967296", E111, false},
        {"-b -F 10.0.0.0", E109("-b, --abuse-contact", "-F, --brief"), false},
        {"-b -r -B 10.0.0.0", E109("-b, --abuse-contact", "-B, --no-filtering"), false},
        {"--resource -s RIPE AS1", E109("--resource", "-s, --sources"), false},
        {"--list-versions -r AS1", E109("--list-versions","-r, --no-referenced"), false},
        {"--valid-syntax --show-version 1 --diff-versions 1:2 AS1", E109("--valid-syntax", "--show-version"), false},
        {"--list-versions -q types --types AS1", E109("--list-versions", "-q"), false},
        {"-V a,b AS1", E111, false},
        {"-V a,1.2.3.4,c AS1", E111, false},
        {"-V a,1.2.3.4 AS1", "", false},
        {"-V a, AS1", "", false},
        {"-V ,b AS1", "", false},
        {"-V ,a,,1.2.3.4, AS1", "", false},
        {"-V a,::ffff:1.2.3.4 AS1", "", false},
        {"-V a,::1 AS1", "", false},
        {"-V a,1.2.3.0/32 AS1", E111, false},
        {"-V a,1-1 AS1", E111, false},
        {"-V a,[::1] AS1", E111, false},
        {"-V a,b,c AS1", E111, false},
        {"-b -V x,y EXAMPLE", E111, false}, /* Twice the same is said once. */
        {"-V a -V b -b -r X", E110("-V"), false}, /* Nothing else is looked at. */
        {"-T route help", "", false}, /* The word needs nothing to fit. */
        {"-rT route HELP", "", false},
        {"-T as-block AS4294967296", "", false},
        {"-T as-block AS9223372036854775808", E115, false},
        {"-v a -v b", "", false}, /* It is looked at when it is carried out. */
        {"-Z utf-8 -Z utf-8 AS1", E110("-Z"), false},
        {"-Z nosuch AS1", "% Invalid character set nosuch\n\n", false},
        {"-i auth MD5-PW x", "% Inverse search on 'auth' attribute is limited to 'key-cert' objects only\n\n", false},
    };
    // clang-format on
    return cr_make_param_array(struct check_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct check_case *c, check, says_what_is_wrong)
{
    struct buf printed = {0};
    bool warns;

    check_line(c->line, true, &printed, &warns);
    cr_expect(str_eq(buf_str(&printed), str_from(c->printed)), "line: %s\n%.*s", c->line,
              STR_ARG(buf_str(&printed)));
    cr_expect_eq(warns, c->warns, "line: %s", c->line);
    buf_free(&printed);
}

Test(check, refuses_to_list_everything)
{
    struct buf printed = {0};
    bool warns;

    check_line("-M 0/0", false, &printed, &warns);
    check_line("-m ::/0", false, &printed, &warns);
    check_line("-m 0.0.0.0/0AS1", false, &printed, &warns);
    cr_expect_eq(printed.len, 3 * strlen("%ERROR:112: unsupported query\n%\n"
                                         "% '-mM' query options are not allowed on very large "
                                         "ranges/prefixes.\n"
                                         "% This data is available from the daily object split "
                                         "files:\n% ftp://ftp.ripe.net/ripe/dbase/split/\n\n"));
    buf_free(&printed);
}

Test(check, tells_sso_holders_to_trusted_clients_only)
{
    struct buf printed = {0};
    bool warns;

    check_line("-i auth SSO a@b", true, &printed, &warns);
    cr_expect_eq(printed.len, 0);
    check_line("-i auth SSO a@b", false, &printed, &warns);
    cr_expect_neq(printed.len, 0);
    buf_free(&printed);
}
