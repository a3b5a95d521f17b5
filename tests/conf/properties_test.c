/*
 * The syntax of properties, case by case as java.util.Properties reads it.
 */
#include "conf/properties.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

struct syntax_case {
    char text[64]; /* Arrays: parameters are copied to the test's process, pointers are not. */
    char key[16], value[32];
    int line;
};

ParameterizedTestParameters(properties, splits_key_and_value)
{
    static struct syntax_case cases[] = {
        {"key=value",                   "key",    "value",                    1},
        {"key:value",                   "key",    "value",                    1},
        {"key value",                   "key",    "value",                    1},
        {"key = value",                 "key",    "value",                    1},
        {"key : value",                 "key",    "value",                    1},
        {"  \t\fkey\t=\tvalue",         "key",    "value",                    1},
        {"key==value",                  "key",    "=value",                   1},
        {"key = : value",               "key",    ": value",                  1},
        {"key  value = more",           "key",    "value = more",             1},
        {"key",                         "key",    "",                         1},
        {"key=",                        "key",    "",                         1},
        {"key=value  ",                 "key",    "value  ",                  1},
        {"\n# no\n  ! no\n\nkey=value", "key",    "value",                    5},
        {"# no \\\nkey=value",          "key",    "value",                    2},
        {"key=one,\\\n   two",          "key",    "one,two",                  1},
        {"key=one,\\\r\n\ttwo",         "key",    "one,two",                  1},
        {"key=a\\\n# b",                "key",    "a# b",                     1},
        {"key=a\\\\\nb=c",              "key",    "a\\",                      1},
        {"\\\n\\\n\nkey=value",         "key",    "value",                    4},
        {"key=end\\",                   "key",    "end",                      1},
        {"ke\\\n  y=v",                 "key",    "v",                        1},
        {"\r\rkey=value\rother=x",      "key",    "value",                    3},
        {"k\\=e\\:y\\ =v",              "k=e:y ", "v",                        1},
        {"key=a\\tb\\nc\\rd\\fe",       "key",    "a\tb\nc\rd\fe",            1},
        {"key=\\q\\\"\\'\\z",           "key",    "q\"'z",                    1},
        {"key=\\u0041\\u00e9\\u20AC",   "key",    "A\xc3\xa9\xe2\x82\xac",    1},
        {"key=\\ud83d\\ude00",          "key",    "\xf0\x9f\x98\x80",         1},
        {"k\\u0061=v",                  "ka",     "v",                        1},
        {"key=caf\xc3\xa9",             "key",    "caf\xc3\xa9",              1},
        {"key=caf\xe9",                 "key",    "caf\xc3\xa9",              1},
        {"key=\xf0\x9f\x98\x80",        "key",    "\xf0\x9f\x98\x80",         1},
        {"key=\xc0\x80",                "key",    "\xc3\x80\xc2\x80",         1},
        {"key=\xed\xa0\x80",            "key",    "\xc3\xad\xc2\xa0\xc2\x80", 1},
        {"key=a\\\xe9",                 "key",    "a\xc3\xa9",                1},
    };
    return cr_make_param_array(struct syntax_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct syntax_case *c, properties, splits_key_and_value)
{
    struct arena *arena = arena_new(4096);
    struct str text = str_from(c->text);
    struct property property;
    struct why why = {0};
    int line = 0;

    cr_assert_eq(properties_next(&text, &line, arena, &property, &why), ERR_OK, "%s: %s", c->text,
                 why.text);
    cr_expect_str_eq(property.key, c->key, "%s: %s", c->text, property.key);
    cr_expect_str_eq(property.value, c->value, "%s: %s", c->text, property.value);
    cr_expect_eq(property.line, c->line, "%s: line %d", c->text, property.line);
    arena_free(arena);
}

struct error_case {
    char text[32];
    size_t len;
    char sentence[80];
};

ParameterizedTestParameters(properties, refuses)
{
    static struct error_case cases[] = {
        {"a=1\n=x",    6, "line 2: no key before \"=\""                                    },
        {"b=\\u12",    7, "line 1: \\u needs four hexadecimal digits that name a character"},
        {"b=\\u00zz",  9, "line 1: \\u needs four hexadecimal digits that name a character"},
        {"b=\\u0000",  8, "line 1: \\u needs four hexadecimal digits that name a character"},
        {"b=\\ude00",  8, "line 1: \\u needs four hexadecimal digits that name a character"},
        {"b=\\ud83dx", 9, "line 1: \\u needs four hexadecimal digits that name a character"},
        {"b=x\0y",     5, "line 1: a NUL byte"                                             },
    };
    return cr_make_param_array(struct error_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct error_case *c, properties, refuses)
{
    struct arena *arena = arena_new(4096);
    struct str text = {c->text, c->len};
    struct property property;
    struct why why = {0};
    int line = 0;
    enum err rc;

    do {
        rc = properties_next(&text, &line, arena, &property, &why);
    } while (rc == ERR_OK);
    cr_expect_eq(rc, ERR_SYNTAX);
    cr_expect_str_eq(why.text, c->sentence);
    arena_free(arena);
}

Test(properties, ends_with_not_found)
{
    struct arena *arena = arena_new(4096);
    struct str text = STR("a=1\nb=2\n\n# end\n  ");
    struct property property;
    struct why why;
    int line = 0;

    cr_expect_eq(properties_next(&text, &line, arena, &property, &why), ERR_OK);
    cr_expect_eq(properties_next(&text, &line, arena, &property, &why), ERR_OK);
    cr_expect_str_eq(property.key, "b");
    cr_expect_eq(properties_next(&text, &line, arena, &property, &why), ERR_NOT_FOUND);
    arena_free(arena);
}
