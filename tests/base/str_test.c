/*
 * Slices, numbers and the growable buffer.
 */
#include "base/str.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const struct str none = {NULL, 0};

#define EXPECT_STR(got, text)                                                                      \
    do {                                                                                           \
        struct str slice = (got);                                                                  \
        cr_expect(str_eq(slice, str_from(text)), "%.*s", STR_ARG(slice));                          \
    } while (0)

Test(str, equality)
{
    cr_expect(str_eq(STR("abc"), str_from("abc")));
    cr_expect_not(str_eq(STR("abc"), STR("abd")));
    cr_expect_not(str_eq(STR("abc"), STR("ab")));
    cr_expect(str_eq(none, STR("")));
    cr_expect(str_eq(str_from(NULL), none));
    cr_expect(str_eq_nocase(STR("AbC-1"), STR("aBc-1")));
    cr_expect_not(str_eq_nocase(STR("\xc4"), STR("\xe4")));
    cr_expect_not(str_eq_nocase(STR("@"), STR("`"))); /* 32 apart, like letters. */
}

Test(str, starts_ends_contains)
{
    cr_expect(str_starts(STR("route6"), STR("route")));
    cr_expect_not(str_starts(STR("rout"), STR("route")));
    cr_expect(str_starts(STR("x"), none));
    cr_expect(str_starts_nocase(STR("Route6"), STR("rOUTE")));
    cr_expect(str_ends_nocase(STR("a.EXAMPLE"), STR(".example")));
    cr_expect_not(str_ends_nocase(STR("le"), STR("example")));
    cr_expect(str_contains(STR("abcd"), STR("bc")));
    cr_expect_not(str_contains(STR("abcd"), STR("bd")));
    cr_expect(str_contains(none, none));
    cr_expect_not(str_contains(none, STR("a")));
}

Test(str, order)
{
    cr_expect_lt(str_cmp(STR("a"), STR("b")), 0);
    cr_expect_lt(str_cmp(STR("a"), STR("aa")), 0);
    cr_expect_gt(str_cmp(STR("\xff"), STR("a")), 0);
    cr_expect_eq(str_cmp(none, none), 0);
}

Test(str, trimming)
{
    EXPECT_STR(str_trim(STR("\t a b \r\n")), "a b");
    EXPECT_STR(str_trim_right(STR(" a \n")), " a");
    EXPECT_STR(str_trim(STR(" \t ")), "");
    EXPECT_STR(str_trim(none), "");
    EXPECT_STR(str_trim(STR("\xa0")), "\xa0");
}

Test(str, parts_are_clamped)
{
    EXPECT_STR(str_sub(STR("abcdef"), 2, 4), "cd");
    EXPECT_STR(str_sub(STR("abcdef"), 4, 100), "ef");
    EXPECT_STR(str_sub(STR("abcdef"), 5, 2), "");
    EXPECT_STR(str_sub(none, 3, 9), "");
}

Test(str, finding)
{
    cr_expect_eq(str_find(STR("a:b:c"), ':', 0), 1);
    cr_expect_eq(str_find(STR("a:b:c"), ':', 2), 3);
    cr_expect_eq(str_find(STR("a:b:c"), ':', 4), 5);
    cr_expect_eq(str_find(STR("a:b:c"), ':', 99), 5);
    cr_expect_eq(str_find(none, ':', 0), 0);
}

Test(str, splitting_returns_empty_pieces_too)
{
    struct str rest = STR("a,,b,"), piece;

    cr_assert(str_split(&rest, ',', &piece));
    EXPECT_STR(piece, "a");
    cr_assert(str_split(&rest, ',', &piece));
    EXPECT_STR(piece, "");
    cr_assert(str_split(&rest, ',', &piece));
    EXPECT_STR(piece, "b");
    cr_assert(str_split(&rest, ',', &piece));
    EXPECT_STR(piece, "");
    cr_expect_not(str_split(&rest, ',', &piece));
    rest = STR("");
    cr_expect(str_split(&rest, ',', &piece));
    cr_expect_not(str_split(&rest, ',', &piece));
}

Test(str, numbers)
{
    uint64_t value = 7;

    cr_expect_eq(str_to_u64(STR("0"), 10, &value), ERR_OK);
    cr_expect_eq(value, 0);
    cr_expect_eq(str_to_u64(STR("18446744073709551615"), UINT64_MAX, &value), ERR_OK);
    cr_expect_eq(value, UINT64_MAX);
    cr_expect_eq(str_to_u64(STR("007"), 7, &value), ERR_OK);
    cr_expect_eq(value, 7);
    cr_expect_eq(str_to_u64(STR("8"), 7, &value), ERR_LIMIT);
    cr_expect_eq(str_to_u64(STR("18446744073709551616"), UINT64_MAX, &value), ERR_LIMIT);
    cr_expect_eq(str_to_u64(STR("99999999999999999999999"), UINT64_MAX, &value), ERR_LIMIT);
    cr_expect_eq(str_to_u64(STR("99999999999999999999999x"), UINT64_MAX, &value), ERR_SYNTAX);
    cr_expect_eq(str_to_u64(STR(""), 7, &value), ERR_SYNTAX);
    cr_expect_eq(str_to_u64(STR("-1"), 7, &value), ERR_SYNTAX);
    cr_expect_eq(str_to_u64(STR(" 1"), 7, &value), ERR_SYNTAX);
    cr_expect_eq(value, 7);
}

Test(buf, grows_and_keeps_its_bytes)
{
    struct buf buf = {0};

    for (int i = 0; i < 1000; i++) {
        buf_printf(&buf, "%03d", i);
    }
    cr_assert_eq(buf.len, 3000);
    EXPECT_STR(str_sub(buf_str(&buf), 1500, 1503), "500");
    buf_drop(&buf, 2994);
    EXPECT_STR(buf_str(&buf), "998999");
    buf_drop(&buf, 100);
    cr_expect_eq(buf.len, 0);
    cr_expect_gt(buf.cap, 0);
    buf_add(&buf, NULL, 0);
    buf_add_str(&buf, STR("ab"));
    buf_add_char(&buf, 'c');
    EXPECT_STR(buf_str(&buf), "abc");
    buf_clear(&buf);
    cr_expect_eq(buf.len, 0);
    buf_free(&buf);
    cr_expect_null(buf.at);
}

Test(buf, reserve_makes_room)
{
    struct buf buf = {0};

    buf_reserve(&buf, 5000);
    cr_expect_geq(buf.cap - buf.len, 5000);
    memset(buf.at, 'x', 5000);
    buf.len = 5000;
    buf_reserve(&buf, 1);
    cr_expect_geq(buf.cap, 5001);
    buf_free(&buf);
}

Test(str, dup_is_terminated)
{
    char *copy = str_dup(str_sub(STR("abcdef"), 1, 3));

    cr_expect_str_eq(copy, "bc");
    free(copy);
}
