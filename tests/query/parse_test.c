#include "query/parse.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

static struct arena *arena;

static void setup(void)
{
    arena = arena_new(1 << 20);
}

static void teardown(void)
{
    arena_free(arena);
}

TestSuite(parse, .init = setup, .fini = teardown);

struct flag_case {
    char line[64];
    uint64_t flags;
    char key[32];
};

ParameterizedTestParameters(parse, reads_flags_and_key)
{
    static struct flag_case cases[] = {
        {"AS1",                0,                                                      "AS1"       },
        {"-r AS1",             QF(NO_REFERENCED),                                      "AS1"       },
        {"AS1 -r",             QF(NO_REFERENCED),                                      "AS1"       },
        {"-rBG AS1",           QF(NO_REFERENCED) | QF(NO_FILTERING) | QF(NO_GROUPING), "AS1"       },
        {"--exact 10.0.0.0/8", QF(EXACT),                                              "10.0.0.0/8"},
        {"-e 10.0.0.0/8",      QF(EXACT),                                              "10.0.0.0/8"},
        {"-re 10.0.0.0/8",     QF(NO_REFERENCED) | QF(EXACT),                          "10.0.0.0/8"},
        {"-br X",              QF(BRIEF),                                              "X"         },
        {"-rb X",              QF(NO_REFERENCED) | QF(ABUSE_CONTACT),                  "X"         },
        {"-res X",             QF(RESOURCE),                                           "X"         },
        {"-r=5 X",             QF(NO_REFERENCED),                                      "X"         },
        {"AS1 - AS5",          0,                                                      "AS1 - AS5" },
        {"-- -r AS1",          0,                                                      "-r AS1"    },
        {"-r  John   Doe",     QF(NO_REFERENCED),                                      "John Doe"  },
        {"-rTinetnum X",       QF(NO_REFERENCED) | QF(SELECT_TYPES),                   "X"         },
        {"-T=inetnum X",       QF(SELECT_TYPES),                                       "X"         },
        {"-rT inetnum X",      QF(NO_REFERENCED) | QF(SELECT_TYPES),                   "X"         },
        {"-inv mnt-by X",      QF(INVERSE),                                            "X"         },
        {"-imb X",             QF(INVERSE),                                            "X"         },
        {"-source RIPE X",     QF(SOURCES),                                            "X"         },
        {"",                   0,                                                      ""          },
        {"-k",                 QF(PERSISTENT),                                         ""          },
    };
    return cr_make_param_array(struct flag_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct flag_case *c, parse, reads_flags_and_key)
{
    struct query query;

    cr_assert_eq(query_parse(str_from(c->line), arena, &query), ERR_OK, "line: %s", c->line);
    cr_expect_eq(query.flags, c->flags, "line: %s: flags %llx", c->line,
                 (unsigned long long)query.flags);
    cr_expect(str_eq(query.key, str_from(c->key)), "line: %s: key %.*s", c->line,
              STR_ARG(query.key));
}

struct reject_case {
    char line[64];
    enum message message;
    char arg[32];
};

ParameterizedTestParameters(parse, rejects)
{
    static struct reject_case cases[] = {
        {"--sel inetnum X",          MSG_BAD_OPTION_NAMED,  "--sel"                 },
        {"--r X",                    MSG_BAD_OPTION_NAMED,  "--r"                   },
        {"-irt X",                   MSG_BAD_OPTION_NAMED,  "-irt"                  },
        {"-- --foo",                 MSG_BAD_OPTION_NAMED,  "--foo"                 },
        {"--select-types=inetnum X", MSG_BAD_OPTION_NAMED,  "--select-types=inetnum"},
        {"--Exact X",                MSG_BAD_OPTION,        ""                      },
        {"-g X",                     MSG_BAD_OPTION,        ""                      },
        {"-R X",                     MSG_BAD_OPTION,        ""                      },
        {"10.0.0.0 -10.0.0.9",       MSG_BAD_OPTION,        ""                      },
        {"-T",                       MSG_BAD_OPTION,        ""                      },
        {"-t",                       MSG_BAD_OPTION,        ""                      },
        {"-rT=inetnum X",            MSG_UNKNOWN_TYPE,      "=inetnum"              },
        {"-Tinetnum\t10.0.0.0",      MSG_UNKNOWN_TYPE,      "inetnum\t10.0.0.0"     },
        {"-T -r foo",                MSG_UNKNOWN_TYPE,      "-r"                    },
        {"-i rev-srv X",             MSG_UNKNOWN_ATTRIBUTE, "rev-srv"               },
        {"-x -l 10/8",               MSG_TWO_IP_MODES,      ""                      },
    };
    return cr_make_param_array(struct reject_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct reject_case *c, parse, rejects)
{
    struct query query;

    cr_assert_eq(query_parse(str_from(c->line), arena, &query), ERR_SYNTAX, "line: %s", c->line);
    cr_assert_eq(query.complaint_count, 1, "line: %s", c->line);
    cr_expect_eq(query.complaints[0].message, c->message, "line: %s", c->line);
    cr_expect(str_eq(query.complaints[0].args[0], str_from(c->arg)), "line: %s: %.*s", c->line,
              STR_ARG(query.complaints[0].args[0]));
}

Test(parse, gathers_types_over_several_flags)
{
    struct query query;

    cr_assert_eq(query_parse(STR("-T aut-num,,in --select-types *rt X"), arena, &query), ERR_OK);
    cr_expect_eq(query.classes,
                 CLASS_BIT(CLASS_AUT_NUM) | CLASS_BIT(CLASS_INETNUM) | CLASS_BIT(CLASS_ROUTE));
}

Test(parse, gathers_attributes_without_doubles)
{
    struct query query;

    cr_assert_eq(query_parse(STR("-i mb,mnt-by,ML -i tech-c X"), arena, &query), ERR_OK);
    cr_assert_eq(query.inverse_count, 3);
    cr_expect_eq(query.inverse[0], ATTR_MNT_BY);
    cr_expect_eq(query.inverse[1], ATTR_MNT_LOWER);
    cr_expect_eq(query.inverse[2], ATTR_TECH_C);
}

Test(parse, keeps_the_order_of_sources_in_upper_case)
{
    struct query query;

    cr_assert_eq(query_parse(STR("-s ripe-grs,ARIN,Ripe-Grs X"), arena, &query), ERR_OK);
    cr_assert_eq(query.source_count, 2);
    cr_expect(str_eq(query.sources[0], STR("RIPE-GRS")));
    cr_expect(str_eq(query.sources[1], STR("ARIN")));
}

Test(parse, takes_sixty_words_and_no_more)
{
    char line[256] = "";
    struct query query;

    for (int i = 0; i < MAX_KEY_WORDS; i++) {
        strcat(line, "w ");
    }
    cr_expect_eq(query_parse(str_from(line), arena, &query), ERR_OK);
    strcat(line, "w");
    cr_expect_eq(query_parse(str_from(line), arena, &query), ERR_SYNTAX);
    cr_expect_eq(query.complaints[0].message, MSG_TOO_MANY_WORDS);
}

Test(parse, only_k_ignores_the_key)
{
    struct query query;

    cr_assert_eq(query_parse(STR("-k 193.0.0.1"), arena, &query), ERR_OK);
    cr_expect(query_is_only_persistent(&query));
    cr_assert_eq(query_parse(STR("-k -k"), arena, &query), ERR_OK);
    cr_expect_not(query_is_only_persistent(&query));
    cr_assert_eq(query_parse(STR("-kr 193.0.0.1"), arena, &query), ERR_OK);
    cr_expect_not(query_is_only_persistent(&query));
}

Test(parse, stops_at_the_arenas_ceiling)
{
    struct arena *small = arena_new(16);
    struct query query;

    cr_expect_eq(query_parse(STR("-r this does not fit"), small, &query), ERR_LIMIT);
    arena_free(small);
}

/* As if a letter and its long name were two flags. */
Test(parse, lists_of_letters_come_before_those_of_long_names)
{
    struct query query;

    cr_assert_eq(query_parse(STR("--sources c -s b,a --sources d,b -s e X"), arena, &query),
                 ERR_OK);
    cr_assert_eq(query.source_count, 5);
    for (size_t i = 0; i < 5; i++) {
        cr_expect(str_eq(query.sources[i], str_sub(STR("BAECD"), i, i + 1)));
    }
    cr_assert_eq(query_parse(STR("--inverse org -i mb X"), arena, &query), ERR_OK);
    cr_expect(query.inverse_count == 2 && query.inverse[0] == ATTR_MNT_BY &&
              query.inverse[1] == ATTR_ORG);
    cr_assert_eq(query_parse(STR("--select-types nosuch -T neither X"), arena, &query), ERR_SYNTAX);
    cr_expect(str_eq(query.complaints[0].args[0], STR("neither")));
}

Test(parse, sources_are_in_upper_case)
{
    struct query query;

    cr_assert_eq(
        query_parse(STR("-s r\xC3\xAFpe,\xC3\x9F\xC3\xBF\xC2\xB5\xC3\xB7,?x X"), arena, &query),
        ERR_OK);
    cr_assert_eq(query.source_count, 3);
    cr_expect(str_eq(query.sources[0], STR("R\xC3\x8FPE")));
    cr_expect(str_eq(query.sources[1], STR("SS\xC5\xB8\xCE\x9C\xC3\xB7")));
    cr_expect(str_eq(query.sources[2], STR("?X")));
}

Test(parse, a_token_with_an_end_of_line_has_any_number_of_dashes)
{
    struct query query;

    cr_assert_eq(query_parse(STR("--nosuch\rflag X"), arena, &query), ERR_SYNTAX);
    cr_expect_eq(query.complaints[0].message, MSG_BAD_OPTION);
    cr_assert_eq(query_parse(STR("--nosuch X"), arena, &query), ERR_SYNTAX);
    cr_expect_eq(query.complaints[0].message, MSG_BAD_OPTION_NAMED);
}
