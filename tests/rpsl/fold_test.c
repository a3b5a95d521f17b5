/*
 * Folding as utf8mb4_general_ci compares, and the hash.
 */
#include "rpsl/fold.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>

static struct arena *arena;

static void set_up(void)
{
    arena = arena_new(1 << 20);
}

static void tear_down(void)
{
    arena_free(arena);
}

TestSuite(rpsl_fold, .init = set_up, .fini = tear_down);

struct fold_case {
    char value[40], folded[40];
};

ParameterizedTestParameters(rpsl_fold, folds_as_the_collation)
{
    /* Right side: WEIGHT_STRING() of MariaDB 10.11, read as characters. */
    static struct fold_case cases[] = {
        {"KALNERA-MNT",      "KALNERA-MNT"     },
        {"kalnera-mnt",      "KALNERA-MNT"     },
        {"Foo_Bar9 ",        "FOO_BAR9"        },
        {"a  b   ",          "A  B"            },
        {"\ta\t",            "\tA\t"           }, /* Only blanks are padding. */
        {"",                 ""                },
        {"   ",              ""                },
        {"M\xc3\xbcller",    "MULLER"          }, /* ü */
        {"M\xc3\x9cLLER",    "MULLER"          }, /* Ü */
        {"Stra\xc3\x9f"
         "e",       "STRASE"          }, /* ß is one S */
        {"\xc3\xa6\xc3\x86", "\xc3\x86\xc3\x86"}, /* æ and Æ are no AE */
        {"\xc3\xb8",         "\xc3\x98"        }, /* ø is no O */
        {"\xc3\xbf",         "Y"               }, /* ÿ */
        {"\xc5\xbe",         "Z"               }, /* ž */
        {"\xc4\xb1",         "I"               }, /* dotless i */
        {"\xce\xac",         "\xce\x91"        }, /* ά */
        {"\xd0\xb9\xd0\x99", "\xd0\x99\xd0\x99"}, /* й */
        {"\xe1\xbb\xb3",     "Y"               }, /* ỳ */
        {"\xef\xbd\x81",     "\xef\xbc\xa1"    }, /* full width a */
        {"\xe2\x93\x90",     "\xe2\x92\xb6"    }, /* circled a */
        {"\xe6\xbc\xa2",     "\xe6\xbc\xa2"    }, /* 漢 */
        {"x\xc2\xa0",        "X\xc2\xa0"       }, /* a no-break space is no padding */
        {"\xf0\x9f\x98\x80", "\xef\xbf\xbd"    }, /* above U+FFFF: all alike */
        {"\xf0\x90\x90\xa8", "\xef\xbf\xbd"    },
 /* Bytes that are no UTF-8 stand for themselves. */
        {"a\xfc"
         "b",       "A\xfc"
         "B"             },
        {"\xc3",             "\xc3"            },
        {"\xe2\x82",         "\xe2\x82"        },
        {"\xed\xa0\x80",     "\xed\xa0\x80"    }, /* a surrogate */
        {"\xc1\xa1",         "\xc1\xa1"        }, /* overlong a */
        {"\xf5\x80\x80\x80", "\xf5\x80\x80\x80"},
    };
    return cr_make_param_array(struct fold_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct fold_case *c, rpsl_fold, folds_as_the_collation)
{
    struct str folded = rpsl_fold(str_from(c->value), arena);

    cr_assert(str_eq(folded, str_from(c->folded)), "'%s' became '%.*s', not '%s'", c->value,
              STR_ARG(folded), c->folded);
    cr_expect(str_eq(rpsl_fold(folded, arena), folded), "folding twice changes '%s'", c->value);
}

Test(rpsl_fold, gives_the_slice_itself_when_nothing_changes)
{
    struct str value = STR("RIPE-NCC-HM-MNT"), padded = STR("AS3333  ");

    cr_expect_eq(rpsl_fold(value, arena).at, value.at);
    cr_expect_eq(rpsl_fold(padded, arena).at, padded.at);
    cr_expect_eq(arena_used(arena), 0);
}

Test(rpsl_fold, says_when_the_arena_is_full)
{
    struct arena *small = arena_new(16);

    while (arena_alloc(small, 1) != NULL) {
    }
    cr_expect_null(rpsl_fold(STR("lower"), small).at);
    cr_expect_not_null(rpsl_fold(STR("UPPER"), small).at);
    arena_free(small);
}

Test(rpsl_fold, folds_every_character_once)
{
    for (unsigned character = 1; character < 0x10000; character++) {
        char text[3];
        struct str value = {text, 0}, folded;

        if (character < 0x80) {
            text[value.len++] = (char)character;
        } else if (character < 0x800) {
            text[value.len++] = (char)(0xc0 | character >> 6);
            text[value.len++] = (char)(0x80 | (character & 0x3f));
        } else {
            text[value.len++] = (char)(0xe0 | character >> 12);
            text[value.len++] = (char)(0x80 | (character >> 6 & 0x3f));
            text[value.len++] = (char)(0x80 | (character & 0x3f));
        }
        arena_reset(arena);
        folded = rpsl_fold(value, arena);
        cr_assert_leq(folded.len, value.len, "U+%04X grows", character);
        cr_assert(str_eq(rpsl_fold(folded, arena), folded), "U+%04X folds twice", character);
    }
}

Test(rpsl_hash, is_the_same_on_every_machine)
{
    cr_expect_eq(rpsl_hash(0, STR("")), 0xa1746d6e0d791296u);
    cr_expect_eq(rpsl_hash(1, STR("KALNERA-MNT")), 0xac96723331887be8u);
    cr_expect_eq(rpsl_hash(2, STR("A VALUE OF MORE THAN THIRTY-TWO BYTES")), 0xd767182f9546dba4u);
}

Test(rpsl_hash, differs_for_each_length_of_the_same_byte)
{
    static const char zeros[64];
    uint64_t seen[64];

    for (size_t len = 0; len < 64; len++) {
        seen[len] = rpsl_hash(7, (struct str){zeros, len});
        for (size_t i = 0; i < len; i++) {
            cr_assert_neq(seen[i], seen[len], "%zu and %zu zero bytes", i, len);
        }
    }
}

Test(rpsl_hash, depends_on_the_seed)
{
    cr_expect_neq(rpsl_hash(1, STR("X")), rpsl_hash(2, STR("X")));
}

Test(rpsl_hash, spreads_over_low_and_high_bits)
{
    unsigned low[256] = {0}, high[256] = {0};

    for (unsigned i = 0; i < 65536; i++) {
        char text[16];
        int len = snprintf(text, sizeof(text), "AS%u", i);
        uint64_t hash = rpsl_hash(3, (struct str){text, (size_t)len});

        low[hash & 255]++;
        high[hash >> 56]++;
    }
    for (unsigned i = 0; i < 256; i++) { /* 256 expected, standard deviation 16. */
        cr_expect(low[i] > 156 && low[i] < 356, "low byte %u: %u", i, low[i]);
        cr_expect(high[i] > 156 && high[i] < 356, "high byte %u: %u", i, high[i]);
    }
}
