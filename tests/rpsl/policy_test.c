/*
 * The policy language: what is in it, and what is not.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "rpsl/policy.h"

struct policy_case {
    enum policy policy;
    bool is_valid;
    const char *value;
};

/* clang-format off */
static const struct policy_case policy_cases[] = {
    {POLICY_AGGR_BNDRY, true, "AS1"},
    {POLICY_AGGR_BNDRY, true, "AS1 or AS2 except (AS3 and AS-FOO)"},
    {POLICY_AGGR_BNDRY, false, ""},
    {POLICY_AGGR_BNDRY, false, "AS1 and"},
    {POLICY_AGGR_BNDRY, false, "or AS1"},
    {POLICY_AGGR_BNDRY, false, "AS1 AS2"},
    {POLICY_AGGR_BNDRY, false, "192.0.2.1"},
    {POLICY_AGGR_MTD, true, "inbound"},
    {POLICY_AGGR_MTD, true, "outbound"},
    {POLICY_AGGR_MTD, true, "outbound AS1 or AS-FOO"},
    {POLICY_AGGR_MTD, false, ""},
    {POLICY_AGGR_MTD, false, "inbound AS1"},
    {POLICY_AGGR_MTD, false, "outbound except AS1"},
    {POLICY_AGGR_MTD, false, "sideways"},
    {POLICY_COMPONENTS, true, ""},
    {POLICY_COMPONENTS, true, "atomic"},
    {POLICY_COMPONENTS, true, "{192.0.2.0/24}"},
    {POLICY_COMPONENTS, true, "atomic {192.0.2.0/24^+} protocol OSPF ANY protocol RIP AS1"},
    {POLICY_COMPONENTS, true, "protocol BGP4 {}"},
    {POLICY_COMPONENTS, false, "atomic or AS1"},
    {POLICY_COMPONENTS, false, "protocol AS1"},
    {POLICY_COMPONENTS, false, "protocol OSPF"},
    {POLICY_COMPONENTS, false, "{2001:db8::/32}"},
    {POLICY_COMPONENTS_V6, true, "{2001:db8::/32}"},
    {POLICY_COMPONENTS_V6, true, "atomic"},
    {POLICY_COMPONENTS_V6, false, "{192.0.2.0/24}"},
    {POLICY_DEFAULT, true, "to AS1"},
    {POLICY_DEFAULT, true, "to AS1 192.0.2.1 at 192.0.2.2 action pref = 1; networks ANY"},
    {POLICY_DEFAULT, true, "to prng-foo"},
    {POLICY_DEFAULT, false, ""},
    {POLICY_DEFAULT, false, "to"},
    {POLICY_DEFAULT, false, "AS1"},
    {POLICY_DEFAULT, false, "to AS1 action networks ANY"},
    {POLICY_DEFAULT, false, "to AS1 networks"},
    {POLICY_DEFAULT, false, "to AS1;"},
    {POLICY_DEFAULT, false, "afi ipv4 to AS1"},
    {POLICY_DEFAULT, false, "to AS1 2001:db8::1"},
    {POLICY_MP_DEFAULT, true, "to AS1"},
    {POLICY_MP_DEFAULT, true, "afi ipv6.unicast, any to AS1 2001:db8::1 networks {::/0}"},
    {POLICY_MP_DEFAULT, false, "afi to AS1"},
    {POLICY_MP_DEFAULT, false, "afi ipv5 to AS1"},
    {POLICY_MP_DEFAULT, false, "afi ipv4.anycast to AS1"},
    {POLICY_EXPORT, true, "to AS1 announce ANY"},
    {POLICY_EXPORT, true, "to AS1 announce AS2;"},
    {POLICY_EXPORT, true, "to AS-FOO to AS2 announce AS1 AS2:AS-FOO"},
    {POLICY_EXPORT, true, "protocol BGP4 into OSPF to AS1 announce AS2"},
    {POLICY_EXPORT, true, "to AS1 action aspath.prepend (AS2, AS2); announce AS-FOO AND NOT fltr-martian"},
    {POLICY_EXPORT, true, "to AS1 at rtr.example.net announce ANY"},
    {POLICY_EXPORT, true, "to AS1 action community .= { 65000:1, no_export }; announce {192.0.2.0/24}{192.0.3.0/24}"},
    {POLICY_EXPORT, true, "to AS1 foo announce ANY"},
    {POLICY_EXPORT, true, "{to AS1 announce AS2; to AS3 announce AS4;}"},
    {POLICY_EXPORT, true, "to AS1 announce ANY; except to AS2 announce AS3;"},
    {POLICY_EXPORT, false, ""},
    {POLICY_EXPORT, false, "to AS1"},
    {POLICY_EXPORT, false, "announce ANY"},
    {POLICY_EXPORT, false, "to AS1 announce"},
    {POLICY_EXPORT, false, "from AS1 announce ANY"},
    {POLICY_EXPORT, false, "to AS1 accept ANY"},
    {POLICY_EXPORT, false, "to ASX announce ANY"},
    {POLICY_EXPORT, false, "to AS4294967296 announce ANY"},
    {POLICY_EXPORT, false, "to AS1 announce {2001:db8::/32}"},
    {POLICY_EXPORT, false, "to AS1 announce ANY except to AS2 announce AS3"},
    {POLICY_EXPORT, false, "{to AS1 announce AS2}"},
    {POLICY_EXPORT, false, "protocol FOO to AS1 announce ANY"},
    {POLICY_EXPORT, false, "to AS1 announce ANY;;"},
    {POLICY_MP_EXPORT, true, "afi ipv6.unicast to AS1 announce {2001:db8::/32^48-64}"},
    {POLICY_MP_EXPORT, true, "to AS1 2001:db8::1 announce ANY;"},
    {POLICY_MP_EXPORT, true, "afi any to AS1 announce ANY; refine afi ipv4 to AS2 announce AS1;"},
    {POLICY_MP_EXPORT, false, "afi ipv6.unicast"},
    {POLICY_MP_EXPORT, false, "to AS1 announce {2001:db8::/32^129}"},
    {POLICY_EXPORT_VIA, true, "AS1 to AS2 announce AS3"},
    {POLICY_EXPORT_VIA, true, "afi ipv4.unicast AS1 192.0.2.1 at 192.0.2.2 to AS2 action pref=1; AS3 to AS4 announce AS-FOO;"},
    {POLICY_EXPORT_VIA, false, "to AS2 announce AS3"},
    {POLICY_EXPORT_VIA, false, "AS1 to AS2 to AS3 announce ANY"},
    {POLICY_IMPORT, true, "from AS1 accept ANY"},
    {POLICY_IMPORT, true, "from AS1 accept PeerAS"},
    {POLICY_IMPORT, true, "from AS1:AS-FOO and AS2 accept <AS-FOO>"},
    {POLICY_IMPORT, true, "from AS1 action pref=10; med=0; community.append(10250, 3561:10); accept {192.0.2.0/24}"},
    {POLICY_IMPORT, true, "from AS1 192.0.2.1 action pref=1; dpa=5; from AS2 action med=igp_cost; accept AS4"},
    {POLICY_IMPORT, true, "from (AS1 or AS2) except AS3 (192.0.2.1 or rtr.example.net) at RTRS-FOO accept ANY"},
    {POLICY_IMPORT, true, "from prng-foo accept (AS1 or AS1:RS-FOO:PeerAS) and not (fltr-a or fltr-b)"},
    {POLICY_IMPORT, true, "protocol STATIC into RIPng from AS1 accept AS1:RS-STATIC"},
    {POLICY_IMPORT, true, "from AS1 action next_hop=self; cost=3; accept community(1:2)"},
    {POLICY_IMPORT, true, "from AS1 action community = {internet, 12}; accept community.contains(1:1) or community == {1:1}"},
    {POLICY_IMPORT, true, "from AS1 accept ANY; refine {from AS2 accept AS3; from AS4 accept AS5^24-32;} except from AS6 accept AS7;"},
    {POLICY_IMPORT, false, ""},
    {POLICY_IMPORT, false, "from AS1"},
    {POLICY_IMPORT, false, "from invalid accept ANY"},
    {POLICY_IMPORT, false, "accept ANY"},
    {POLICY_IMPORT, false, "from AS1 accept"},
    {POLICY_IMPORT, false, "from AS1 action accept ANY"},
    {POLICY_IMPORT, false, "from AS1 action pref=1 accept ANY"},
    {POLICY_IMPORT, false, "from AS1 action pref=65536; accept ANY"},
    {POLICY_IMPORT, false, "from AS1 action pref=self; accept ANY"},
    {POLICY_IMPORT, false, "from AS1 action foo=1; accept ANY"},
    {POLICY_IMPORT, false, "from AS1 action community=1:1; accept ANY"},
    {POLICY_IMPORT, false, "from AS1 action community.append(); accept ANY"},
    {POLICY_IMPORT, false, "from AS1 action community={65536:1}; accept ANY"},
    {POLICY_IMPORT, false, "from AS1 action aspath.prepend(2); accept ANY"},
    {POLICY_IMPORT, false, "from AS1 action next_hop=2001:db8::1; accept ANY"},
    {POLICY_IMPORT, false, "from AS1 accept ANY refine"},
    {POLICY_IMPORT, false, "from AS1 accept ANY; refine"},
    {POLICY_IMPORT, false, "from AS1 192.0.2.256 accept ANY"},
    {POLICY_IMPORT, false, "from AS1 accept ANY extra"},
    {POLICY_IMPORT, false, "from AS1 at accept ANY"},
    {POLICY_IMPORT, false, "from AS_FOO accept ANY"},
    {POLICY_MP_IMPORT, true, "afi any.unicast from AS1 accept ANY;"},
    {POLICY_MP_IMPORT, true, "afi ipv6 from AS1 2001:db8::1 at 2001:db8::2 action next_hop=2001:db8::3; accept {::/0^0-48}"},
    {POLICY_MP_IMPORT, true, "from AS1 accept ANY; except afi ipv6.multicast from AS2 accept AS2;"},
    {POLICY_MP_IMPORT, false, "afi ipv6, from AS1 accept ANY"},
    {POLICY_MP_IMPORT, false, "afi from AS1 accept ANY"},
    {POLICY_MP_IMPORT, false, "from AS1 2001:db8::g accept ANY"},
    {POLICY_MP_IMPORT, false, "from AS1 accept {2001:db8::/129}"},
    {POLICY_IMPORT_VIA, true, "AS1 from AS2 accept ANY"},
    {POLICY_IMPORT_VIA, true, "afi ipv6.unicast AS1 2001:db8::1 at 2001:db8::2 from AS3 action pref=1; AS4 from AS-FOO accept <^[AS1-AS5]>;"},
    {POLICY_IMPORT_VIA, false, "from AS2 accept ANY"},
    {POLICY_IMPORT_VIA, false, "AS1 from AS2"},
    {POLICY_IMPORT_VIA, false, "AS1 AS2 accept ANY"},
    {POLICY_FILTER, true, "ANY"},
    {POLICY_FILTER, true, "AS1 AS2"},
    {POLICY_FILTER, true, "as1 AND aS2 OR NOT not as3"},
    {POLICY_FILTER, true, "{}"},
    {POLICY_FILTER, true, "{192.0.2.0/24, 10.0.0.0/8^+}^-"},
    {POLICY_FILTER, true, "AS-FOO^24"},
    {POLICY_FILTER, true, "RS-FOO^24-28"},
    {POLICY_FILTER, true, "<AS1>"},
    {POLICY_FILTER, true, "<^AS1 .* AS2$>"},
    {POLICY_FILTER, true, "<^AS1+ (AS2|AS3)* [^AS4-AS6 AS7 . PeerAS]~* AS9?$>"},
    {POLICY_FILTER, true, "<AS1{2} AS2{2,} AS3~{2,3} AS4~+>"},
    {POLICY_FILTER, true, "<[AS1 - AS5]>"},
    {POLICY_FILTER, true, "<[]>"},
    {POLICY_FILTER, true, "community(1:2)"},
    {POLICY_FILTER, true, "pref=10"},
    {POLICY_FILTER, true, "ANY AND NOT (FLTR-A AS1:RS-B)"},
    {POLICY_FILTER, true, "{0.0.255.0/0^25-32}"},
    {POLICY_FILTER, false, ""},
    {POLICY_FILTER, false, "invalid"},
    {POLICY_FILTER, false, "AND"},
    {POLICY_FILTER, false, "AS1 AND"},
    {POLICY_FILTER, false, "NOT"},
    {POLICY_FILTER, false, "(AS1"},
    {POLICY_FILTER, false, "AS1)"},
    {POLICY_FILTER, false, "{ 192.0.2/24 }"},
    {POLICY_FILTER, false, "{192.0.2.0/33}"},
    {POLICY_FILTER, false, "{192.0.2.0/24^33}"},
    {POLICY_FILTER, false, "{192.0.2.0/24^28-24}"},
    {POLICY_FILTER, false, "{192.0.2.0}"},
    {POLICY_FILTER, false, "{192.0.2.0/24,}"},
    {POLICY_FILTER, false, "{192.0.2.0/24"},
    {POLICY_FILTER, false, "AS1^33"},
    {POLICY_FILTER, false, "AS1^"},
    {POLICY_FILTER, false, "<>"},
    {POLICY_FILTER, false, "<AS1"},
    {POLICY_FILTER, false, "<AS1|>"},
    {POLICY_FILTER, false, "<[AS5-AS1]>"},
    {POLICY_FILTER, false, "<AS1 ~>"},
    {POLICY_FILTER, false, "<AS1~?>"},
    {POLICY_FILTER, false, "<AS1{}>"},
    {POLICY_FILTER, false, "<AS1{a}>"},
    {POLICY_FILTER, false, "{2001:db8::/32}"},
    {POLICY_FILTER, false, "AS1-AS5"},
    {POLICY_FILTER, false, "prng-foo"},
    {POLICY_FILTER, false, "community(1:2"},
    {POLICY_FILTER, false, "192.0.2.0/24"},
    {POLICY_MP_FILTER, true, "{2001:db8::/32^+, 192.0.2.0/24}"},
    {POLICY_MP_FILTER, true, "AS1^48"},
    {POLICY_MP_FILTER, false, "{2001:db8::/32^129}"},
    {POLICY_MP_FILTER, false, "AS1^129"},
    {POLICY_MP_FILTER, false, "{2001:db8::}"},
    {POLICY_FILTER_V6, true, "{2001:db8::/32, 2001:db8:1::/48^+}"},
    {POLICY_FILTER_V6, false, "{192.0.2.0/24}"},
    {POLICY_FILTER_V6, false, "{2001:db8::/32}, {2001:db8:1::/48}"},
    {POLICY_IFADDR, true, "192.0.2.1 masklen 30"},
    {POLICY_IFADDR, true, "192.0.2.1 masklen 0 action community.append(1:2);"},
    {POLICY_IFADDR, false, ""},
    {POLICY_IFADDR, false, "192.0.2.1"},
    {POLICY_IFADDR, false, "192.0.2.1 masklen 33"},
    {POLICY_IFADDR, false, "192.0.2.1 masklen -1"},
    {POLICY_IFADDR, false, "2001:db8::1 masklen 64"},
    {POLICY_IFADDR, false, "192.0.2.1 masklen 30 action"},
    {POLICY_IFADDR, false, "192.0.2.1 masklen 30 pref=1;"},
    {POLICY_IFADDR, false, "192.0.2.1 masklen 30 tunnel"},
    {POLICY_INTERFACE, true, "192.0.2.1 masklen 30"},
    {POLICY_INTERFACE, true, "2001:db8::1 masklen 128 action pref=1;"},
    {POLICY_INTERFACE, true, "2001:db8::1 masklen 64 tunnel 2001:db8::2, GRE"},
    {POLICY_INTERFACE, true, "2001:db8::1 masklen 64 action next_hop=2001:db8::2; tunnel 2001:db8::2, IPv6inIPv4"},
    {POLICY_INTERFACE, false, "192.0.2.1 masklen 33"},
    {POLICY_INTERFACE, false, "2001:db8::1 masklen 129"},
    {POLICY_INTERFACE, false, "2001:db8::/64 masklen 64"},
    {POLICY_INTERFACE, false, "2001:db8::1 masklen 64 tunnel 192.0.2.1, GRE"},
    {POLICY_INTERFACE, false, "2001:db8::1 masklen 64 tunnel 2001:db8::2, FOO"},
    {POLICY_INTERFACE, false, "192.0.2.1 masklen 30 action next_hop=2001:db8::1;"},
    {POLICY_PEER, true, "BGP4 192.0.2.1 asno(AS1)"},
    {POLICY_PEER, true, "BGP4 rtr.example.net asno(PeerAS), flap_damp()"},
    {POLICY_PEER, true, "BGP4 RTRS-FOO flap_damp(1, 2, 3, 4, 5, 6), asno(AS1)"},
    {POLICY_PEER, true, "OSPF PRNG-FOO"},
    {POLICY_PEER, true, "is-is rtr.example.net"},
    {POLICY_PEER, false, ""},
    {POLICY_PEER, false, "192.0.2.1 asno(AS1)"},
    {POLICY_PEER, false, "BGP4 192.0.2.1"},
    {POLICY_PEER, false, "BGP4 192.0.2.1 asno(PeerAS_)"},
    {POLICY_PEER, false, "BGP4 192.0.2.1 asno()"},
    {POLICY_PEER, false, "BGP4 192.0.2.1 asno(AS1), flap_damp(1,2)"},
    {POLICY_PEER, false, "BGP4 192.0.2.1 flap_damp()"},
    {POLICY_PEER, false, "OSPF 192.0.2.1 asno(AS1)"},
    {POLICY_PEER, false, "BGP4 2001:db8::1 asno(AS1)"},
    {POLICY_PEER, false, "FOO 192.0.2.1"},
    {POLICY_PEER, false, "BGP4 192.0.2.256 asno(AS1)"},
    {POLICY_MP_PEER, true, "MPBGP 2001:db8::1 asno(AS1)"},
    {POLICY_MP_PEER, true, "RIPng 2001:db8::1"},
    {POLICY_MP_PEER, false, "MPBGP 2001:db8::/32 asno(AS1)"},
    {POLICY_MP_PEER, false, "MPBGP 2001:db8::1"},
    {POLICY_PEERING, true, "AS1"},
    {POLICY_PEERING, true, "AS-FOO"},
    {POLICY_PEERING, true, "AS1 192.0.2.1 at 192.0.2.2"},
    {POLICY_PEERING, true, "AS1 at rtr.example.net"},
    {POLICY_PEERING, true, "AS1 except AS2"},
    {POLICY_PEERING, true, "pRng-foo"},
    {POLICY_PEERING, true, "AS1:PRNG-FOO"},
    {POLICY_PEERING, false, ""},
    {POLICY_PEERING, false, "except AS1"},
    {POLICY_PEERING, false, "at AS1"},
    {POLICY_PEERING, false, "AS1 at"},
    {POLICY_PEERING, false, "AS1 at except AS2"},
    {POLICY_PEERING, false, "invalid"},
    {POLICY_PEERING, false, "AS1 2001:db8::1"},
    {POLICY_PEERING, false, "AS1 prng-foo"},
    {POLICY_PEERING, false, "AS1 rtr..net"},
    {POLICY_PEERING, false, "AS1 rtr_1.net"},
    {POLICY_MP_PEERING, true, "AS1 2001:db8::1 at 2001:db8::2"},
    {POLICY_MP_PEERING, true, "AS1"},
    {POLICY_MP_PEERING, false, "AS1 at 192.0.2"},
    {POLICY_MP_PEERING, false, "AS9998555555 192.0.2.1"},
    {POLICY_INJECT, true, ""},
    {POLICY_INJECT, true, "upon static"},
    {POLICY_INJECT, true, "at 192.0.2.1 action pref=1; upon have-components {192.0.2.0/24} and (static or exclude {})"},
    {POLICY_INJECT, true, "at rtr.example.net"},
    {POLICY_INJECT, false, "at AS1"},
    {POLICY_INJECT, false, "upon"},
    {POLICY_INJECT, false, "upon have-components"},
    {POLICY_INJECT, false, "static"},
    {POLICY_INJECT, false, "upon static except static"},
    {POLICY_INJECT, false, "upon have-components {2001:db8::/32}"},
    {POLICY_INJECT_V6, true, "at 192.0.2.1 or 2001:db8::1 upon HAVE-COMPONENTS {2001:db8::/48}"},
    {POLICY_INJECT_V6, false, "upon have-components {192.0.2.0/24}"},};
/* clang-format on */

Test(rpsl_policy, judges_policies)
{
    for (size_t i = 0; i < sizeof(policy_cases) / sizeof(policy_cases[0]); i++) {
        const struct policy_case *c = &policy_cases[i];

        cr_expect_eq(policy_is_valid(c->policy, str_from(c->value)), c->is_valid, "policy %d: '%s'",
                     (int)c->policy, c->value);
    }
}

/** A filter in so many parentheses. */
static bool is_valid_nested(size_t depth)
{
    struct buf text = {0};
    bool is_valid;

    for (size_t i = 0; i < depth; i++) {
        buf_add_char(&text, '(');
    }
    buf_add_str(&text, STR("AS1"));
    for (size_t i = 0; i < depth; i++) {
        buf_add_char(&text, ')');
    }
    is_valid = policy_is_valid(POLICY_FILTER, buf_str(&text));
    buf_free(&text);
    return is_valid;
}

Test(rpsl_policy, nests_a_hundred_deep_and_no_deeper)
{
    cr_expect(is_valid_nested(1));
    cr_expect(is_valid_nested(100));
    cr_expect_not(is_valid_nested(101));
    cr_expect_not(is_valid_nested(1000000));
}

/** Very often the same piece, then the end. Quadratic work would not come to an end here. */
static bool is_valid_repeated(enum policy policy, const char *start, const char *piece,
                              const char *end)
{
    struct buf text = {0};
    bool is_valid;

    buf_add_str(&text, str_from(start));
    for (size_t i = 0; i < 200000; i++) {
        buf_add_str(&text, str_from(piece));
    }
    buf_add_str(&text, str_from(end));
    is_valid = policy_is_valid(policy, buf_str(&text));
    buf_free(&text);
    return is_valid;
}

Test(rpsl_policy, long_values_take_linear_time)
{
    cr_expect(is_valid_repeated(POLICY_FILTER, "AS1", " OR AS-FOO", ""));
    cr_expect(is_valid_repeated(POLICY_FILTER, "", "NOT ", "ANY"));
    cr_expect(is_valid_repeated(POLICY_FILTER, "", "AS1:", "AS-FOO"));
    cr_expect(is_valid_repeated(POLICY_FILTER, "<", "AS1? ", ">"));
    cr_expect(is_valid_repeated(POLICY_IMPORT, "from AS1 accept AS1;",
                                " except from AS1 accept AS1;", ""));
    cr_expect(is_valid_repeated(POLICY_AGGR_BNDRY, "AS1", " except AS2", ""));
    cr_expect_not(is_valid_repeated(POLICY_FILTER, "", "AS1:", ""));
    cr_expect_not(is_valid_repeated(POLICY_MP_FILTER, "", "1:", ""));
    cr_expect_not(is_valid_repeated(POLICY_MP_FILTER, "", "a:", ""));
    cr_expect_not(is_valid_repeated(POLICY_MP_FILTER, "", "AS1 - ", ""));
    cr_expect_not(is_valid_repeated(POLICY_FILTER, "", "AS-_", ""));
    cr_expect_not(is_valid_repeated(POLICY_PEERING, "AS1 ", "a.", "a"));
    cr_expect_not(is_valid_repeated(POLICY_FILTER, "", "(", ""));
}
