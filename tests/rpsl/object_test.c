/*
 * Finding attributes and cleaning values.
 */
#include "rpsl/object.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

static struct arena *arena;

static void set_up(void)
{
    arena = arena_new(1 << 24);
}

static void tear_down(void)
{
    arena_free(arena);
}

TestSuite(rpsl_object, .init = set_up, .fini = tear_down);

static struct rpsl_object parse(struct str text)
{
    struct rpsl_object object = {0};

    cr_assert_eq(rpsl_parse(text, arena, &object), ERR_OK, "%.*s", STR_ARG(text));
    return object;
}

static void expect_attr(const struct rpsl_object *object, size_t index, enum rpsl_attr_id id,
                        const char *name, struct str value)
{
    const struct rpsl_attr *attr = &object->attrs[index];

    cr_assert_lt(index, object->attr_count);
    cr_expect_eq(attr->id, id, "attribute %zu", index);
    cr_expect(str_eq(attr->name, str_from(name)), "name %zu is '%.*s'", index, STR_ARG(attr->name));
    cr_expect(str_eq(attr->value, value), "value %zu is '%.*s'", index, STR_ARG(attr->value));
}

Test(rpsl_object, values_are_byte_exact)
{
    struct rpsl_object object = parse(STR("mntner:FOO-MNT\n"
                                          "DESCR: \tone  \n"
                                          " two\n"
                                          "\tthree\n"
                                          "+four # five\n"
                                          "   \n"
                                          "x-attr_1:  v: w\n"
                                          "remarks:\n"
                                          "source:         RIPE # Filtered\n"));

    cr_expect_eq(object.class, CLASS_MNTNER);
    cr_assert_eq(object.attr_count, 5);
    cr_expect_eq(object.stray_lines, 0);
    expect_attr(&object, 0, ATTR_MNTNER, "mntner", STR("FOO-MNT"));
    expect_attr(&object, 1, ATTR_DESCR, "DESCR", STR(" \tone  \n two\n\tthree\n+four # five\n   "));
    expect_attr(&object, 2, ATTR_UNKNOWN, "x-attr_1", STR("  v: w"));
    expect_attr(&object, 3, ATTR_REMARKS, "remarks", STR(""));
    expect_attr(&object, 4, ATTR_SOURCE, "source", STR("         RIPE # Filtered"));
}

Test(rpsl_object, the_last_line_feed_may_be_missing)
{
    struct rpsl_object with = parse(STR("poem: X\nsource: RIPE\n"));
    struct rpsl_object without = parse(STR("poem: X\nsource: RIPE"));
    struct rpsl_object empty = parse(STR("poem:"));

    expect_attr(&with, 1, ATTR_SOURCE, "source", STR(" RIPE"));
    expect_attr(&without, 1, ATTR_SOURCE, "source", STR(" RIPE"));
    expect_attr(&empty, 0, ATTR_POEM, "poem", STR(""));
}

Test(rpsl_object, stray_lines_stay_with_the_attribute_above)
{
    struct rpsl_object object = parse(STR("person: A\n"
                                          "no colon here\n"
                                          "two words: x\n"
                                          ": y\n"
                                          "\n"
                                          "nic-hdl: A1\n"));

    cr_assert_eq(object.attr_count, 2);
    cr_expect_eq(object.stray_lines, 4);
    expect_attr(&object, 0, ATTR_PERSON, "person", STR(" A\nno colon here\ntwo words: x\n: y\n"));
    expect_attr(&object, 1, ATTR_NIC_HDL, "nic-hdl", STR(" A1"));
}

Test(rpsl_object, nul_bytes_and_carriage_returns_are_data)
{
    struct rpsl_object object = parse(STR("poem: a\0b\r\ntext: \0\r\n"));

    cr_assert_eq(object.attr_count, 2);
    expect_attr(&object, 0, ATTR_POEM, "poem", STR(" a\0b\r"));
    expect_attr(&object, 1, ATTR_TEXT, "text", STR(" \0\r"));
}

Test(rpsl_object, classes_need_not_be_known)
{
    cr_expect_eq(parse(STR("limerick: X\nsource: RIPE\n")).class, CLASS_UNKNOWN);
    cr_expect_eq(parse(STR("descr: X\n")).class, CLASS_UNKNOWN);
    cr_expect_eq(parse(STR("Aut-Num: AS1\n")).class, CLASS_AUT_NUM);
}

struct bad_case {
    char text[32];
};

ParameterizedTestParameters(rpsl_object, is_refused_without_a_first_attribute)
{
    static struct bad_case cases[] = {
        {""},         {"\n"},          {" mntner: X\n"},   {"+mntner: X\n"},
        {"mntner"},   {"mntner\n: X"}, {": X\n"},          {"\nmntner: X\n"},
        {"a b: X\n"}, {"% comment\n"}, {"m\xc3\xbc: X\n"},
    };
    return cr_make_param_array(struct bad_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct bad_case *c, rpsl_object, is_refused_without_a_first_attribute)
{
    struct rpsl_object object;

    cr_expect_eq(rpsl_parse(str_from(c->text), arena, &object), ERR_SYNTAX, "'%s'", c->text);
}

Test(rpsl_object, a_slice_is_not_read_behind_its_end)
{
    struct rpsl_object object;

    cr_expect_eq(rpsl_parse((struct str){"mntner: X", 6}, arena, &object), ERR_SYNTAX);
    object = parse((struct str){"mntner: XY", 9});
    expect_attr(&object, 0, ATTR_MNTNER, "mntner", STR(" X"));
}

Test(rpsl_object, holds_any_number_of_attributes)
{
    struct buf text = {0};
    struct rpsl_object object;

    buf_add_str(&text, STR("as-set: AS-X\n"));
    for (int i = 1; i < 5000; i++) {
        buf_printf(&text, "members: AS%d\n", i);
    }
    object = parse(buf_str(&text));
    cr_assert_eq(object.attr_count, 5000);
    expect_attr(&object, 4999, ATTR_MEMBERS, "members", STR(" AS4999"));
    buf_free(&text);
}

Test(rpsl_object, says_when_the_arena_is_full)
{
    struct arena *small = arena_new(4096);
    struct buf text = {0};
    struct rpsl_object object;

    for (int i = 0; i < 1000; i++) {
        buf_add_str(&text, STR("remarks: x\n"));
    }
    cr_expect_eq(rpsl_parse(buf_str(&text), small, &object), ERR_LIMIT);
    buf_free(&text);
    arena_free(small);
}

Test(rpsl_object, finds_the_next_attribute_of_a_kind)
{
    struct rpsl_object object = parse(STR("poem: X\ntext: 1\nauthor: A\ntext: 2\nfoo: 3\n"));

    cr_expect_eq(rpsl_find(&object, ATTR_TEXT, 0), &object.attrs[1]);
    cr_expect_eq(rpsl_find(&object, ATTR_TEXT, 2), &object.attrs[3]);
    cr_expect_null(rpsl_find(&object, ATTR_TEXT, 4));
    cr_expect_null(rpsl_find(&object, ATTR_TEXT, 99));
    cr_expect_null(rpsl_find(&object, ATTR_MNT_BY, 0));
    cr_expect_eq(rpsl_find(&object, ATTR_UNKNOWN, 0), &object.attrs[4]);
}

struct clean_case {
    char value[64], clean[64];
};

ParameterizedTestParameters(rpsl_object, cleans_values)
{
    static struct clean_case cases[] = {
        {"",                                   ""                      },
        {"   ",                                ""                      },
        {"X",                                  "X"                     },
        {" \t X Y \r",                         "X Y"                   },
        {"a  b\t\tc \t d\re",                  "a b c d e"             },
        {" AS1, # one\n AS2,\n+\n+ AS3#3",     "AS1, AS2, AS3"         },
        {"# only a comment",                   ""                      },
        {"a#b#c\nd",                           "a d"                   },
        {"a\nb",                               "a b"                   },
        {"a\n+b",                              "a b"                   },
        {"a\n+\n+\n+++     asd",               "a ++ asd"              },
        {"a + b\n +c",                         "a + b +c"              },
        {" one\n two # x\n\tthree\n  \n four", "one two three four"    },
        {"\n\n  x",                            "x"                     },
        {"x\n",                                "x"                     },
        {"10.0.0.0 -10.0.0.7",                 "10.0.0.0 -10.0.0.7"    },
        {"M\xc3\xbcller  &\x01 Co",            "M\xc3\xbcller &\x01 Co"},
    };
    return cr_make_param_array(struct clean_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct clean_case *c, rpsl_object, cleans_values)
{
    struct str clean = rpsl_clean_value(str_from(c->value), arena);

    cr_assert_not_null(clean.at);
    cr_expect(str_eq(clean, str_from(c->clean)), "'%s' became '%.*s', not '%s'", c->value,
              STR_ARG(clean), c->clean);
    cr_expect(str_eq(rpsl_clean_value(clean, arena), clean), "cleaning twice changes '%s'",
              c->value);
}

Test(rpsl_object, clean_values_are_slices_when_nothing_is_joined)
{
    struct str value = STR("         RIPE-NCC-HM-MNT  ");

    cr_expect_eq(rpsl_clean_value(value, arena).at, value.at + 9);
    cr_expect_eq(arena_used(arena), 0);
}

Test(rpsl_object, clean_values_keep_nul_bytes)
{
    cr_expect(str_eq(rpsl_clean_value(STR(" a\0b  c"), arena), STR("a\0b c")));
}
