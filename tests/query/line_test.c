#include "query/line.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

struct line_case {
    char raw[32];
    size_t raw_len; /* 0: up to the NUL. */
    char text[32];
    bool is_converted;
};

ParameterizedTestParameters(line, reads_utf8_into_latin1)
{
    static struct line_case cases[] = {
        {"AS1",                   0, "AS1",                   false},
        {"  -r AS1 \r",           0, "-r AS1",                false},
        {"a\tb",                  0, "a\tb",                  false},
        {"Kundenanschlu\xC3\x9F", 0, "Kundenanschlu\xC3\x9F", false},
        {"Kundenanschlu\xDF",     0, "Kundenanschlu?",        true },
        {"\xFF\xFE\xFD",          0, "???",                   true },
        {"a\x01"
         "b",            0, "a?b",                   true },
        {"AS1\0AS2",              7, "AS1?AS2",               true },
        {"AS1\0",                 4, "AS1",                   false},
        {"a\xC2\xA0"
         "b",            0, "a b",                   true },
        {"a\xC2\xAD"
         "b",            0, "a-b",                   true },
        {"\xE2\x80\x93r",         0, "?r",                    true },
        {"\xE2\x80",              0, "?",                     true },
        {"\xE2\x80"
         "AS1",          0, "?AS1",                  true },
        {"\xED\xA0\x80",          0, "???",                   true },
        {"\xF0\x9F\x98\x80",      0, "?",                     true },
        {"\xC2\x85",              0, "?",                     true },
        {"\x7F",                  0, "?",                     true },
    };
    return cr_make_param_array(struct line_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct line_case *c, line, reads_utf8_into_latin1)
{
    struct arena *arena = arena_new(65536);
    struct str raw = {c->raw, c->raw_len != 0 ? c->raw_len : strlen(c->raw)}, text;
    bool is_converted;

    cr_assert_eq(line_decode(raw, arena, &text, &is_converted), ERR_OK);
    cr_expect(str_eq(text, str_from(c->text)), "%s gave %.*s", c->raw, STR_ARG(text));
    cr_expect_eq(is_converted, c->is_converted, "%s", c->raw);
    arena_free(arena);
}

Test(line, stops_at_the_arenas_ceiling)
{
    struct arena *arena = arena_new(16);
    struct str text;
    bool is_converted;

    cr_assert_eq(
        line_decode(STR("\xC3\xBC is too long for this arena"), arena, &text, &is_converted),
        ERR_LIMIT);
    arena_free(arena);
}
