/*
 * Primary keys as stored and in canonical form, and the ranges they name.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

#include "rpsl/object.h"

static struct arena *arena;

static void set_up(void)
{
    arena = arena_new(1 << 20);
}

static void tear_down(void)
{
    arena_free(arena);
}

TestSuite(rpsl_key, .init = set_up, .fini = tear_down);

struct key_case {
    char object[128];
    char text[64], canonical[64];
    char range[IP_TEXT_MAX]; /* Empty: none. */
    enum rpsl_range_kind kind;
};

ParameterizedTestParameters(rpsl_key, of_an_object)
{
    /* clang-format off */
    static struct key_case cases[] = {
        {"inetnum: 193.0.0.0 - 193.0.7.255\nnetname: X\n", "193.0.0.0 - 193.0.7.255",
         "193.0.0.0 - 193.0.7.255", "193.0.0.0/21", RANGE_INETNUM},
        {"inetnum:10.0.0.0 -10.0.0.7 # office\n", "10.0.0.0 -10.0.0.7", "10.0.0.0 - 10.0.0.7",
         "10.0.0.0/29", RANGE_INETNUM},
        {"inetnum: 1.2.3.0-1.2.3.6\n", "1.2.3.0-1.2.3.6", "1.2.3.0 - 1.2.3.6", "1.2.3.0 - 1.2.3.6",
         RANGE_INETNUM},
        {"inetnum: 193.0.0.0/21\n", "193.0.0.0/21", "193.0.0.0 - 193.0.7.255", "193.0.0.0/21",
         RANGE_INETNUM},
        {"inetnum: 10.0.0.0\n -\n+ 10.0.0.7\n", "10.0.0.0 - 10.0.0.7", "10.0.0.0 - 10.0.0.7",
         "10.0.0.0/29", RANGE_INETNUM},
        {"inetnum: 10.0.0.9 - 10.0.0.1\n", "10.0.0.9 - 10.0.0.1", "10.0.0.9 - 10.0.0.1", "",
         RANGE_NONE},
        {"inetnum: nonsense\n", "nonsense", "NONSENSE", "", RANGE_NONE},
        {"inet6num: 2001:0DB8::/32\n", "2001:0DB8::/32", "2001:db8::/32", "2001:db8::/32",
         RANGE_INET6NUM},
        {"inet6num: 2001:db8:0:0:1::1/64\n", "2001:db8:0:0:1::1/64", "2001:db8::/64",
         "2001:db8::/64", RANGE_INET6NUM},
        {"route: 193.0.0.0/21\norigin: as3333\n", "193.0.0.0/21as3333", "193.0.0.0/21AS3333",
         "193.0.0.0/21", RANGE_ROUTE},
        {"Route: 193/21 # x\ndescr: y\norigin:AS3333 # z\n", "193/21AS3333", "193.0.0.0/21AS3333",
         "193.0.0.0/21", RANGE_ROUTE},
        {"route: 193.0.0.1/21\norigin: AS3333\n", "193.0.0.1/21AS3333", "193.0.0.1/21AS3333", "",
         RANGE_NONE},
        {"route: 193.0.0.0/21\norigin: three\n", "193.0.0.0/21three", "193.0.0.0/21THREE", "",
         RANGE_NONE},
        {"route6: 2001:DB8::/32\norigin: AS1\n", "2001:DB8::/32AS1", "2001:db8::/32AS1",
         "2001:db8::/32", RANGE_ROUTE6},
        {"as-block: as1-AS5\n", "as1-AS5", "AS1 - AS5", "AS1 - AS5", RANGE_AS_BLOCK},
        {"as-block: AS5 - AS1\n", "AS5 - AS1", "AS5 - AS1", "", RANGE_NONE},
        {"aut-num: as3333\n", "as3333", "AS3333", "", RANGE_NONE},
        {"as-set: as8386:as-customers\n", "as8386:as-customers", "AS8386:AS-CUSTOMERS", "",
         RANGE_NONE},
        {"domain: 208.165.95.IN-addr.ARPA.\n", "208.165.95.IN-addr.ARPA.",
         "208.165.95.IN-ADDR.ARPA", "95.165.208.0/24", RANGE_DOMAIN4},
        {"domain: 0-15.0.0.193.in-addr.arpa\n", "0-15.0.0.193.in-addr.arpa",
         "0-15.0.0.193.IN-ADDR.ARPA", "193.0.0.0/28", RANGE_DOMAIN4},
        {"domain: 8.b.d.0.1.0.0.2.ip6.arpa\n", "8.b.d.0.1.0.0.2.ip6.arpa",
         "8.B.D.0.1.0.0.2.IP6.ARPA", "2001:db8::/32", RANGE_DOMAIN6},
        {"domain: 1.3.e164.arpa\n", "1.3.e164.arpa", "1.3.E164.ARPA", "", RANGE_NONE},
        {"domain: ..\n", "..", ".", "", RANGE_NONE},
        {"person: John\nnic-hdl: jd1-ripe # me\n", "jd1-ripe", "JD1-RIPE", "", RANGE_NONE},
        {"role: NOC\naddress: x\nnic-hdl: NO1-RIPE\n", "NO1-RIPE", "NO1-RIPE", "", RANGE_NONE},
        {"organisation: org-x1-ripe\n", "org-x1-ripe", "ORG-X1-RIPE", "", RANGE_NONE},
        {"key-cert: PGPKEY-abcdef01\n", "PGPKEY-abcdef01", "PGPKEY-ABCDEF01", "", RANGE_NONE},
        {"poem: POEM-\xc3\xbc\n", "POEM-\xc3\xbc", "POEM-U", "", RANGE_NONE},
        {"Limerick: LIM-x\nsource: RIPE\n", "Limerick:LIM-x", "LIMERICK:LIM-X", "", RANGE_NONE},
        {"inetnum: 0.0.0.0 - 255.255.255.255\n", "0.0.0.0 - 255.255.255.255",
         "0.0.0.0 - 255.255.255.255", "0.0.0.0/0", RANGE_INETNUM},
    };
    /* clang-format on */
    return cr_make_param_array(struct key_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct key_case *c, rpsl_key, of_an_object)
{
    struct rpsl_object object;
    struct rpsl_key key;
    struct ip_range range;
    char text[IP_TEXT_MAX] = "";
    enum rpsl_range_kind kind;

    cr_assert_eq(rpsl_parse(str_from(c->object), arena, &object), ERR_OK, "%s", c->object);
    cr_assert_eq(rpsl_object_key(&object, arena, &key), ERR_OK, "%s", c->object);
    cr_expect_eq(key.class, object.class);
    cr_expect(str_eq(key.text, str_from(c->text)), "text '%.*s'", STR_ARG(key.text));
    cr_expect(str_eq(key.canonical, str_from(c->canonical)), "canonical '%.*s', not '%s'",
              STR_ARG(key.canonical), c->canonical);
    cr_expect(str_eq(rpsl_canonical_key(key.class, key.canonical, arena), key.canonical),
              "%s: twice canonical is another", c->canonical);
    cr_expect(str_eq(rpsl_canonical_key(key.class, key.text, arena), key.canonical));

    kind = rpsl_object_range(&key, &range);
    cr_expect_eq(kind, c->kind, "%s", c->object);
    if (kind == RANGE_AS_BLOCK) {
        (void)ip_format_as_range(&range, text);
    } else if (kind != RANGE_NONE) {
        (void)ip_format_prefix(&range, text);
        cr_expect_eq(range.is_v6, rpsl_range_is_wide(kind));
    }
    cr_expect_str_eq(text, c->range);
}

struct keyless_case {
    char object[64];
};

ParameterizedTestParameters(rpsl_key, is_refused_when_missing_or_empty)
{
    static struct keyless_case cases[] = {
        {"inetnum:\nnetname: X\n"},
        {"inetnum: # nothing\n+\n"},
        {"route: 10.0.0.0/8\ndescr: no origin\n"},
        {"route: 10.0.0.0/8\norigin:\n"},
        {"route:\norigin: AS1\n"},
        {"person: John\n"},
        {"role: NOC\nnic-hdl:  \n"},
        {"limerick:\nsource: RIPE\n"},
    };
    return cr_make_param_array(struct keyless_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct keyless_case *c, rpsl_key, is_refused_when_missing_or_empty)
{
    struct rpsl_object object;
    struct rpsl_key key;

    cr_assert_eq(rpsl_parse(str_from(c->object), arena, &object), ERR_OK);
    cr_expect_eq(rpsl_object_key(&object, arena, &key), ERR_SYNTAX, "%s", c->object);
}

Test(rpsl_key, of_a_client_may_be_spelt_in_any_way)
{
    cr_expect(str_eq(rpsl_canonical_key(CLASS_INETNUM, STR("193.0.0.0-193.0.7.255"), arena),
                     STR("193.0.0.0 - 193.0.7.255")));
    cr_expect(str_eq(rpsl_canonical_key(CLASS_ROUTE, STR("193.0.0.0/21 as3333"), arena),
                     STR("193.0.0.0/21AS3333")));
    cr_expect(str_eq(rpsl_canonical_key(CLASS_AS_BLOCK, STR("AS7"), arena), STR("AS7 - AS7")));
    cr_expect(str_eq(rpsl_canonical_key(CLASS_PERSON, STR("jd1-ripe"), arena), STR("JD1-RIPE")));
}

Test(rpsl_key, says_when_the_arena_is_full)
{
    static const char *objects[] = {"route: 10.0.0.0/8\norigin: AS1\n", "inetnum: 10.0.0.0/8\n",
                                    "mntner: foo-mnt\n", "mntner: FOO #\n", "limerick: X\n"};

    for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
        struct arena *small = arena_new(64);
        struct rpsl_object object;
        struct rpsl_key key;

        while (arena_alloc(small, 1) != NULL) {
        }
        cr_assert_eq(rpsl_parse(str_from(objects[i]), arena, &object), ERR_OK);
        cr_expect_eq(rpsl_object_key(&object, small, &key), ERR_LIMIT, "%s", objects[i]);
        arena_free(small);
    }
}
