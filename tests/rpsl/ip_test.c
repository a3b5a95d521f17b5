/*
 * Address notations: what is read, what is refused, and how it is written.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

#include "rpsl/ip.h"

#define PARAMETERS(cases)                                                                          \
    cr_make_param_array(struct ip_case, cases, sizeof(cases) / sizeof(cases[0]))

struct ip_case {
    char text[96];
    char canonical[IP_TEXT_MAX]; /* Empty: must be refused. */
};

typedef enum err parser(struct str s, struct ip_range *out);

static void check(const struct ip_case *c, parser *parse,
                  size_t (*format)(const struct ip_range *, char *))
{
    struct ip_range range = {0};
    char text[IP_TEXT_MAX] = "";
    enum err rc = parse(str_from(c->text), &range);

    if (c->canonical[0] == '\0') {
        cr_assert_eq(rc, ERR_SYNTAX, "'%s' was read", c->text);
        return;
    }
    cr_assert_eq(rc, ERR_OK, "'%s' was refused", c->text);
    cr_expect_eq(format(&range, text), strlen(c->canonical));
    cr_expect_str_eq(text, c->canonical, "'%s' became '%s', not '%s'", c->text, text, c->canonical);
    cr_expect(range.begin <= range.end);
    cr_assert_eq(parse(str_from(text), &range), ERR_OK, "'%s' is not read again", text);
}

ParameterizedTestParameters(rpsl_ip, reads_ipv4)
{
    static struct ip_case cases[] = {
        {"193.0.0.1",                 "193.0.0.1 - 193.0.0.1"            },
        {" 193.0.0.1 ",               "193.0.0.1 - 193.0.0.1"            },
        {"0.0.0.0",                   "0.0.0.0 - 0.0.0.0"                },
        {"255.255.255.255",           "255.255.255.255 - 255.255.255.255"},
        {"193.0.0.0/21",              "193.0.0.0 - 193.0.7.255"          },
        {"193.0.0.0 / 21",            "193.0.0.0 - 193.0.7.255"          },
        {"193/8",                     "193.0.0.0 - 193.255.255.255"      },
        {"192.0/32",                  "192.0.0.0 - 192.0.0.0"            },
        {"0/0",                       "0.0.0.0 - 255.255.255.255"        },
        {"0.0.0.0/0",                 "0.0.0.0 - 255.255.255.255"        },
        {"255.255.255.254/31",        "255.255.255.254 - 255.255.255.255"},
        {"010.0.0.0/+8",              "10.0.0.0 - 10.255.255.255"        },
        {"193.0.0.0 - 193.0.7.255",   "193.0.0.0 - 193.0.7.255"          },
        {"193.0.0.0-193.0.7.255",     "193.0.0.0 - 193.0.7.255"          },
        {"10.0.0.0 -10.0.0.7",        "10.0.0.0 - 10.0.0.7"              },
        {"1-2",                       "1.0.0.0 - 2.0.0.0"                },
        {"010.+1.1 - 10.2",           "10.1.1.0 - 10.2.0.0"              },
        {"0 - 255.255.255.255",       "0.0.0.0 - 255.255.255.255"        },
 /* Refused. */
        {"",                          ""                                 },
        {"-",                         ""                                 },
        {"/",                         ""                                 },
        {"1.2.3",                     ""                                 },
        {"1.2.3.4.5",                 ""                                 },
        {"1.2.3.4.",                  ""                                 },
        {".1.2.3",                    ""                                 },
        {"1..2.3",                    ""                                 },
        {"1.2.3.256",                 ""                                 },
        {"010.0.0.1",                 ""                                 },
        {"1.2.3.00",                  ""                                 },
        {"+1.2.3.4",                  ""                                 },
        {"1.2.3.4a",                  ""                                 },
        {"1. 2.3.4",                  ""                                 },
        {"193.0.0.1/21",              ""                                 },
        {"1.0.0.0/0",                 ""                                 },
        {"10.0.0.0/33",               ""                                 },
        {"10.0.0.0/",                 ""                                 },
        {"10.0.0.0/8/8",              ""                                 },
        {"10.0.0.0/-1",               ""                                 },
        {"10.-1.0.0/16",              ""                                 },
        {"10.-.0.0/16",               ""                                 },
        {"10.+-0.0.0/16",             ""                                 },
        {"256/8",                     ""                                 },
        {"10.0.0.9 - 10.0.0.1",       ""                                 },
        {"10.0.0.0 - 10.0.0.256",     ""                                 },
        {"1-2-3",                     ""                                 },
        {"10.0.0.0 - 10.0.0.9/24",    ""                                 },
        {"(1.2.3.4)",                 ""                                 },
        {"10,10",                     ""                                 },
        {"...",                       ""                                 },
        {"4294967297/8",              ""                                 },
        {"99999999999999999999999/8", ""                                 },
    };
    return PARAMETERS(cases);
}

Test(rpsl_ip, an_empty_slice_is_no_address)
{
    struct str nothing = {NULL, 0};
    struct ip_range range;

    cr_expect_eq(ip_parse_v4(nothing, &range), ERR_SYNTAX);
    cr_expect_eq(ip_parse_v6(nothing, &range), ERR_SYNTAX);
    cr_expect_eq(ip_parse_reverse(nothing, &range), ERR_SYNTAX);
    cr_expect_eq(ip_parse_as_range(nothing, UINT32_MAX, &range), ERR_SYNTAX);
}

ParameterizedTest(struct ip_case *c, rpsl_ip, reads_ipv4)
{
    check(c, ip_parse_v4, ip_format);
}

ParameterizedTestParameters(rpsl_ip, reads_ipv6)
{
    static struct ip_case cases[] = {
        {"2001:db8::/32",            "2001:db8::/32"          },
        {"2001:0DB8:0000::0/32",     "2001:db8::/32"          },
        {"2001:db8::1/32",           "2001:db8::/32"          },
        {"2001:db8::1",              "2001:db8::1/128"        },
        {" 2001:db8::1 ",            "2001:db8::1/128"        },
        {"[2001:db8::1]",            "2001:db8::1/128"        },
        {"[2001:db8::]/+32",         "2001:db8::/32"          },
        {"::",                       "::/128"                 },
        {"::/0",                     "::/0"                   },
        {"ffff::/0",                 "::/0"                   },
        {"8000::/1",                 "8000::/1"               },
        {"::1",                      "::1/128"                },
        {"1::",                      "1::/128"                },
        {"1:2:3:4:5:6:7:8",          "1:2:3:4:5:6:7:8/128"    },
        {"1:2:3:4:5:6:7::",          "1:2:3:4:5:6:7::/128"    },
        {"::2:3:4:5:6:7:8",          "::2:3:4:5:6:7:8/128"    },
        {"1:2:3::5:6:7:8",           "1:2:3::5:6:7:8/128"     },
 /* The last of the longest runs, a single group as well. */
        {"1:0:0:4:5:0:0:8",          "1:0:0:4:5::8/128"       },
        {"1:0:3:4:5:0:7:8",          "1:0:3:4:5::7:8/128"     },
        {"0:2:0:4:0:6:0:8",          "0:2:0:4:0:6::8/128"     },
        {"0:0:3:0:0:0:7:0",          "0:0:3::7:0/128"         },
        {"0:2:3:4:5:6:7:0",          "0:2:3:4:5:6:7::/128"    },
        {"::1.2.3.4",                "::102:304/128"          },
        {"1:2:3:4:5:6:1.2.3.4",      "1:2:3:4:5:6:102:304/128"},
        {"2001:67c:2e8:9::/64",      "2001:67c:2e8:9::/64"    },
        {"2001:db8:ffff::/33",       "2001:db8:8000::/33"     },
        {"::fffe:1.2.3.4",           "::fffe:102:304/128"     },
        {"fe80::1%1",                "fe80::1/128"            },
        {"fe80::1%012345678/10",     "fe80::/10"              },
        {"[fe80::1%]/-0",            "::/0"                   },
 /* Refused. */
        {"",                         ""                       },
        {":",                        ""                       },
        {":::",                      ""                       },
        {"1:2",                      ""                       },
        {"1:2:3:4:5:6:7",            ""                       },
        {"1:2:3:4:5:6:7:8:9",        ""                       },
        {"1:2:3:4:5:6:7::8",         ""                       },
        {"1:2:3:4::5:6:7:8",         ""                       },
        {"1::2::3",                  ""                       },
        {":1::2",                    ""                       },
        {"fe80::1%eth0",             ""                       },
        {"fe80::1%1234567890",       ""                       },
        {"fe80::1%1%2",              ""                       },
        {"fe80::1.2.3.4%1",          ""                       },
        {"::/-1",                    ""                       },
        {"1::2:",                    ""                       },
        {"12345::",                  ""                       },
        {"g::",                      ""                       },
        {"+1::",                     ""                       },
        {"::1.2.3",                  ""                       },
        {"::1.2.3.4:5",              ""                       },
        {"1.2.3.4::",                ""                       },
        {"::01.2.3.4",               ""                       },
        {"1:2:3:4:5:6:7:1.2.3.4",    ""                       },
        {"::ffff:1.2.3.4",           ""                       },
        {"::ffff:102:304",           ""                       },
        {"::ffff:0:0/96",            ""                       },
        {"2001:db8::/129",           ""                       },
        {"2001:db8::/",              ""                       },
        {"2001:db8::/ 32",           ""                       },
        {"/32",                      ""                       },
        {"[2001:db8::1",             ""                       },
        {"[]",                       ""                       },
        {"fe80::1%eth0",             ""                       },
        {"2001:db8:: - 2001:db8::1", ""                       },
    };
    return PARAMETERS(cases);
}

ParameterizedTest(struct ip_case *c, rpsl_ip, reads_ipv6)
{
    check(c, ip_parse_v6, ip_format);
}

ParameterizedTestParameters(rpsl_ip, reads_reverse_names)
{
    static struct ip_case cases[] = {
        {"193.in-addr.arpa",             "193.0.0.0/8"          },
        {"0.0.193.in-addr.arpa",         "193.0.0.0/24"         },
        {"0.0.193.IN-ADDR.ARPA.",        "193.0.0.0/24"         },
        {"1.0.0.193.in-addr.arpa",       "193.0.0.1/32"         },
        {"0-15.0.0.193.in-addr.arpa",    "193.0.0.0/28"         },
        {"3-9.0.0.193.in-addr.arpa",     "193.0.0.3 - 193.0.0.9"},
        {"8-8.0.0.193.in-addr.arpa",     "193.0.0.8/32"         },
        {"0-255.0.0.193.in-addr.arpa",   "193.0.0.0/24"         },
        {"8.b.d.0.1.0.0.2.ip6.arpa",     "2001:db8::/32"        },
        {"2.ip6.arpa",                   "2000::/4"             },
        {"0.ip6.ARPA.",                  "::/4"                 },
 /* Refused. */
        {"",                             ""                     },
        {".",                            ""                     },
        {"in-addr.arpa",                 ""                     },
        {".in-addr.arpa",                ""                     },
        {"ip6.arpa",                     ""                     },
        {"5.4.3.2.1.in-addr.arpa",       ""                     },
        {"256.in-addr.arpa",             ""                     },
        {"00.193.in-addr.arpa",          ""                     },
        {"01.193.in-addr.arpa",          ""                     },
        {"0..193.in-addr.arpa",          ""                     },
        {"0-15.0.193.in-addr.arpa",      ""                     },
        {"0.0-15.0.193.in-addr.arpa",    ""                     },
        {"15-0.0.0.193.in-addr.arpa",    ""                     },
        {"0-15-31.0.0.193.in-addr.arpa", ""                     },
        {"0-256.0.0.193.in-addr.arpa",   ""                     },
        {"-15.0.0.193.in-addr.arpa",     ""                     },
        {"0-.0.0.193.in-addr.arpa",      ""                     },
        {"0/28.0.0.193.in-addr.arpa",    ""                     },
        {"0.0.193.in-addr.arpa..",       ""                     },
        {"g.ip6.arpa",                   ""                     },
        {"10.ip6.arpa",                  ""                     },
        {"0.0-1.ip6.arpa",               ""                     },
        {"4.3.2.1.e164.arpa",            ""                     },
        {"example.net",                  ""                     },
    };
    return PARAMETERS(cases);
}

ParameterizedTest(struct ip_case *c, rpsl_ip, reads_reverse_names)
{
    struct ip_range range;
    char text[IP_TEXT_MAX];
    enum err rc = ip_parse_reverse(str_from(c->text), &range);

    if (c->canonical[0] == '\0') {
        cr_assert_eq(rc, ERR_SYNTAX, "'%s' was read", c->text);
        return;
    }
    cr_assert_eq(rc, ERR_OK, "'%s' was refused", c->text);
    (void)ip_format_prefix(&range, text);
    cr_expect_str_eq(text, c->canonical, "'%s' became '%s'", c->text, text);
}

Test(rpsl_ip, reads_a_reverse_name_of_all_32_digits)
{
    struct ip_range range;

    cr_assert_eq(ip_parse_reverse(STR("F.e.f.f.f.f.f.f.f.f.f.f.f.f.f.f."
                                      "f.f.f.f.f.f.f.f.f.f.f.f.f.f.d.c.ip6.arpa"),
                                  &range),
                 ERR_OK);
    cr_expect(range.begin == range.end && range.is_v6);
    cr_expect((uint32_t)range.begin == 0xffffffef && (uint32_t)(range.begin >> 96) == 0xcdffffff);
    cr_expect_eq(ip_parse_reverse(STR("0.F.e.f.f.f.f.f.f.f.f.f.f.f.f.f.f."
                                      "f.f.f.f.f.f.f.f.f.f.f.f.f.f.d.c.ip6.arpa"),
                                  &range),
                 ERR_SYNTAX);
}

static enum err parse_as_range(struct str s, struct ip_range *out)
{
    return ip_parse_as_range(s, UINT32_MAX, out);
}

ParameterizedTestParameters(rpsl_ip, reads_as_ranges)
{
    static struct ip_case cases[] = {
        {"AS1 - AS5",       "AS1 - AS5"                  },
        {"as1-As5",         "AS1 - AS5"                  },
        {"AS1  -AS5",       "AS1 - AS5"                  },
        {"AS3333",          "AS3333 - AS3333"            },
        {" AS0 ",           "AS0 - AS0"                  },
        {"AS007",           "AS7 - AS7"                  },
        {"AS4294967295",    "AS4294967295 - AS4294967295"},
 /* Refused. */
        {"",                ""                           },
        {"AS",              ""                           },
        {"AS-FOO",          ""                           },
        {"AS5 - AS1",       ""                           },
        {"AS1 - 5",         ""                           },
        {"1 - 5",           ""                           },
        {"AS1 - AS5 - AS9", ""                           },
        {"AS4294967296",    ""                           },
        {"AS1.5",           ""                           },
        {"AS 1",            ""                           },
        {"AS+1",            ""                           },
    };
    return PARAMETERS(cases);
}

ParameterizedTest(struct ip_case *c, rpsl_ip, reads_as_ranges)
{
    check(c, parse_as_range, ip_format_as_range);
}

Test(rpsl_ip, as_numbers_end_where_they_are_told_to)
{
    struct ip_range range;

    cr_expect_eq(ip_parse_as_range(STR("AS5 - AS9223372036854775807"), INT64_MAX, &range), ERR_OK);
    cr_expect(range.begin == 5 && range.end == INT64_MAX);
    cr_expect_eq(ip_parse_as_range(STR("AS9223372036854775808"), INT64_MAX, &range), ERR_SYNTAX);
}

Test(rpsl_ip, takes_v6_by_its_colon)
{
    struct ip_range range;

    cr_assert_eq(ip_parse(STR("10.0.0.1"), &range), ERR_OK);
    cr_expect_not(range.is_v6);
    cr_assert_eq(ip_parse(STR("::1"), &range), ERR_OK);
    cr_expect(range.is_v6);
    cr_expect_eq(ip_parse(STR("RIPE"), &range), ERR_SYNTAX);
}

Test(rpsl_ip, leaves_the_range_alone_when_it_refuses)
{
    struct ip_range range = {7, 8, true};

    cr_expect_eq(ip_parse(STR("10.0.0.9 - 10.0.0.1"), &range), ERR_SYNTAX);
    cr_expect_eq(ip_parse(STR("1::2::3"), &range), ERR_SYNTAX);
    cr_expect_eq(ip_parse_reverse(STR("15-0.0.0.193.in-addr.arpa"), &range), ERR_SYNTAX);
    cr_expect(range.begin == 7 && range.end == 8 && range.is_v6);
}

Test(rpsl_ip, does_not_take_bytes_behind_the_slice)
{
    struct ip_range range;

    cr_assert_eq(ip_parse_v4((struct str){"10.0.0.123", 8}, &range), ERR_OK);
    cr_expect(range.begin == 0x0a000001);
    cr_assert_eq(ip_parse_v6((struct str){"2001:db8::12", 11}, &range), ERR_OK);
    cr_expect((uint32_t)range.begin == 1);
}

Test(rpsl_ip, knows_the_length_of_blocks_only)
{
    struct ip_range block = {0x0a000000, 0x0a0000ff, false};
    struct ip_range shifted = {0x0a000001, 0x0a000002, false};
    struct ip_range odd = {0x0a000000, 0x0a000002, false};
    struct ip_range all4 = {0, 0xffffffff, false};
    struct ip_range all6 = {0, ~(u128)0, true};
    struct ip_range one6 = {5, 5, true};

    cr_expect_eq(ip_prefix_length(&block), 24);
    cr_expect_eq(ip_prefix_length(&shifted), -1);
    cr_expect_eq(ip_prefix_length(&odd), -1);
    cr_expect_eq(ip_prefix_length(&all4), 0);
    cr_expect_eq(ip_prefix_length(&all6), 0);
    cr_expect_eq(ip_prefix_length(&one6), 128);
}

Test(rpsl_ip, writes_the_ends_of_what_is_no_block)
{
    struct ip_range longest = {((u128)0x1111222233334444 << 64) | 0x5555666677778888, ~(u128)0 - 1,
                               true};
    char text[IP_TEXT_MAX];

    cr_expect_eq(ip_format(&longest, text), strlen(text));
    cr_expect_str_eq(text, "1111:2222:3333:4444:5555:6666:7777:8888 - "
                           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe");
}
