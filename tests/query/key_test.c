#include "query/key.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#define BIT(id) CLASS_BIT(CLASS_##id)
#define NAMES   (BIT(MNTNER) | BIT(ORGANISATION) | BIT(ROLE) | BIT(PERSON))
#define NETS    (BIT(INETNUM) | BIT(INET6NUM))
#define HOSTS   (BIT(INET_RTR) | BIT(DOMAIN))

struct key_case {
    char text[48];
    uint32_t classes;
    char value[48]; /* "": as typed. */
};

ParameterizedTestParameters(key, makes_candidates)
{
    static struct key_case cases[] = {
        {"193.0.0.1",             BIT(INETNUM) | BIT(ROUTE) | BIT(DOMAIN),             "193.0.0.1 - 193.0.0.1"  },
        {"193.0.0.0/21",          BIT(INETNUM) | BIT(ROUTE) | BIT(DOMAIN),             "193.0.0.0 - 193.0.7.255"},
        {"193.0.0.0-193.0.7.255", BIT(INETNUM) | BIT(ROUTE) | BIT(DOMAIN),
         "193.0.0.0 - 193.0.7.255"                                                                              },
        {"1-2",                   BIT(INETNUM) | BIT(ROUTE) | BIT(DOMAIN),             "1.0.0.0 - 2.0.0.0"      },
        {"193.0.0.1/21",          0,                                                   ""                       },
        {"1.0.0.0/0",             0,                                                   ""                       },
        {"10.0.0.9 - 10.0.0.1",   0,                                                   ""                       },
        {"(1.2.3.4)",             0,                                                   ""                       },
        {"10,10",                 0,                                                   ""                       },
        {"...",                   0,                                                   ""                       },
        {"@",                     0,                                                   ""                       },
        {"*",                     0,                                                   ""                       },
        {".",                     HOSTS,                                               ""                       },
        {"2001:db8::/32",         BIT(INET6NUM) | BIT(ROUTE6) | BIT(DOMAIN) | NAMES,   "2001:db8::/32"          },
        {"2001::/16",             BIT(INET6NUM) | BIT(ROUTE6) | BIT(DOMAIN),           "2001::/16"              },
        {"193.0.0.0/21AS3333",    BIT(ROUTE) | NAMES,                                  ""                       },
        {"193.0.0.0/21 AS3333",   BIT(ROUTE) | NAMES,                                  ""                       },
        {"193.0.0.1 AS3333",      NAMES,                                               ""                       },
        {"AS3333",                NETS | BIT(AS_BLOCK) | BIT(AUT_NUM) | HOSTS | NAMES, ""                       },
        {"AS1-AS5",               NETS | BIT(AS_BLOCK) | HOSTS | NAMES,                ""                       },
        {"AS1 - AS5",             BIT(AS_BLOCK) | NAMES,                               ""                       },
        {"AS5 - AS1",             NAMES,                                               ""                       },
        {"0.0.193.in-addr.arpa.", HOSTS | NAMES,                                       "0.0.193.in-addr.arpa"   },
        {"0.193.in-addr.arpa..",  HOSTS | NAMES,                                       "0.193.in-addr.arpa."    },
        {"0/25.0.193.example",    HOSTS | NAMES,                                       ""                       },
        {"a.0/25.example",        NAMES,                                               ""                       },
        {"a..example",            NAMES,                                               ""                       },
        {"a.example..",           NAMES,                                               ""                       },
        {"DW-RIPE",               NETS | HOSTS | NAMES,                                ""                       },
        {"ORG-RIEN1-RIPE",        NETS | HOSTS | NAMES,                                ""                       },
        {"AS-FOO",                NETS | HOSTS | NAMES | BIT(AS_SET),                  ""                       },
        {"RS-FOO",                NETS | HOSTS | NAMES | BIT(ROUTE_SET),               ""                       },
        {"RTRS-X",                NETS | HOSTS | NAMES | BIT(RTR_SET),                 ""                       },
        {"FLTR-X",                NETS | HOSTS | NAMES | BIT(FILTER_SET),              ""                       },
        {"PRNG-X",                NETS | HOSTS | NAMES | BIT(PEERING_SET),             ""                       },
        {"AS3333:AS-FOO",         NAMES | BIT(AS_SET),                                 ""                       },
        {"IRT-FOO",               NETS | HOSTS | NAMES | BIT(IRT),                     ""                       },
        {"PGPKEY-ABCDEF01",       NETS | HOSTS | NAMES | BIT(KEY_CERT),                ""                       },
        {"POEM-X",                NETS | HOSTS | NAMES | BIT(POEM),                    ""                       },
        {"FORM-X",                NETS | HOSTS | NAMES | BIT(POETIC_FORM),             ""                       },
        {"RIPE_NET",              NETS | NAMES,                                        ""                       },
        {"John Doe",              NAMES,                                               ""                       },
        {"john@example.com",      NAMES | BIT(IRT),                                    ""                       },
        {"3333",                  NETS | HOSTS | BIT(ROLE) | BIT(PERSON),              ""                       },
        {"-",                     NETS | HOSTS | BIT(ROLE) | BIT(PERSON),              ""                       },
        {"",                      HOSTS,                                               ""                       },
    };
    return cr_make_param_array(struct key_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct key_case *c, key, makes_candidates)
{
    struct arena *arena = arena_new(1 << 20);
    struct key_matcher *matcher = key_matcher_new();
    struct query query = {.key = str_from(c->text)};
    struct search_key key;

    cr_assert_eq(search_key_read(matcher, query.key, false, arena, &key), ERR_OK);
    cr_expect_eq(search_candidates(&query, &key), c->classes, "%s: %x, not %x", c->text,
                 search_candidates(&query, &key), c->classes);
    if (c->value[0] != '\0') {
        cr_expect(str_eq(key.value, str_from(c->value)), "%s: %.*s", c->text, STR_ARG(key.value));
    }
    key_matcher_free(matcher);
    arena_free(arena);
}

static struct search_key read(struct arena *arena, const char *text, bool with_reverse)
{
    struct key_matcher *matcher = key_matcher_new();
    struct search_key key;

    cr_assert_eq(search_key_read(matcher, str_from(text), with_reverse, arena, &key), ERR_OK);
    key_matcher_free(matcher);
    return key;
}

Test(key, splits_a_route_from_its_origin)
{
    struct arena *arena = arena_new(1 << 20);
    struct search_key key = read(arena, "2001:db8::/32as3333", false);

    cr_assert(key.has_ip && key.has_origin);
    cr_expect(key.ip.is_v6);
    cr_expect(str_eq(key.origin, STR("AS3333")));
    arena_free(arena);
}

Test(key, counts_an_address_as_a_reverse_name_with_d_only)
{
    struct arena *arena = arena_new(1 << 20);

    cr_expect_not(read(arena, "193.0.0.0/24", false).has_reverse);
    cr_expect(read(arena, "193.0.0.0/24", true).has_reverse);
    cr_expect_not(read(arena, "0.0.193.in-addr.arpa", false).has_ip);
    cr_expect(read(arena, "0.0.193.in-addr.arpa", true).has_ip);
    arena_free(arena);
}

Test(key, flags_narrow_the_candidates)
{
    struct arena *arena = arena_new(1 << 20);
    struct search_key key = read(arena, "AS3333", false);
    struct query query = {.flags = QF(NO_PERSONAL)};

    cr_expect_eq(search_candidates(&query, &key) & (BIT(PERSON) | BIT(ROLE)), 0);
    query.flags = QF(ABUSE_CONTACT);
    cr_expect_eq(search_candidates(&query, &key), NETS | BIT(AUT_NUM));
    query.flags = QF(RESOURCE);
    cr_expect_eq(search_candidates(&query, &key), NETS | BIT(AUT_NUM) | BIT(DOMAIN));
    query = (struct query){.flags = QF(SELECT_TYPES), .classes = BIT(AUT_NUM) | BIT(POEM)};
    cr_expect_eq(search_candidates(&query, &key), BIT(AUT_NUM));
    query.flags |= QF(INVERSE);
    cr_expect_eq(search_candidates(&query, &key), BIT(AUT_NUM) | BIT(POEM));
    arena_free(arena);
}

Test(key, joins_runs_of_blanks)
{
    struct arena *arena = arena_new(1 << 20);

    cr_expect(str_eq(read(arena, "John \t Doe", false).value, STR("John Doe")));
    arena_free(arena);
}
