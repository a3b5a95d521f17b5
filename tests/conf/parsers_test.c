/*
 * The parsers of single values: what they take, what they refuse.
 */
#include "conf/conf.h"

#include <criterion/criterion.h>

static struct arena *arena;

static void make_arena(void)
{
    arena = arena_new(65536);
}

static void free_arena(void)
{
    arena_free(arena);
}

TestSuite(conf_parsers, .init = make_arena, .fini = free_arena);

#define EXPECT_VALUE(parse, type, input, expected)                                                 \
    do {                                                                                           \
        type value;                                                                                \
        struct why why = {0};                                                                      \
        cr_expect_eq(parse(input, &value, arena, &why), ERR_OK, "%s", input);                      \
        cr_expect_eq(value, expected, "%s", input);                                                \
    } while (0)

#define EXPECT_REFUSED(parse, type, input)                                                         \
    do {                                                                                           \
        type value;                                                                                \
        struct why why = {0};                                                                      \
        cr_expect_eq(parse(input, &value, arena, &why), ERR_SYNTAX, "%s", input);                  \
        cr_expect_neq(why.text[0], '\0');                                                          \
    } while (0)

Test(conf_parsers, bool_knows_its_words)
{
    EXPECT_VALUE(conf_bool, bool, "true", true);
    EXPECT_VALUE(conf_bool, bool, "False", false);
    EXPECT_VALUE(conf_bool, bool, "YES", true);
    EXPECT_VALUE(conf_bool, bool, "no", false);
    EXPECT_VALUE(conf_bool, bool, "on", true);
    EXPECT_VALUE(conf_bool, bool, "off", false);
    EXPECT_REFUSED(conf_bool, bool, "1");
    EXPECT_REFUSED(conf_bool, bool, "");
}

Test(conf_parsers, port_keeps_to_its_range)
{
    EXPECT_VALUE(conf_port, int, "0", 0);
    EXPECT_VALUE(conf_port, int, "65535", 65535);
    EXPECT_REFUSED(conf_port, int, "65536");
    EXPECT_REFUSED(conf_port, int, "-1");
    EXPECT_REFUSED(conf_port, int, "43x");
    EXPECT_REFUSED(conf_port, int, "");
}

Test(conf_parsers, int_takes_signs_and_limits)
{
    EXPECT_VALUE(conf_int, int, "-2147483648", INT32_MIN);
    EXPECT_VALUE(conf_int, int, "2147483647", INT32_MAX);
    EXPECT_VALUE(conf_int, int, "+5", 5);
    EXPECT_REFUSED(conf_int, int, "2147483648");
    EXPECT_REFUSED(conf_int, int, "-2147483649");
    EXPECT_REFUSED(conf_int, int, "99999999999999999999");
    EXPECT_REFUSED(conf_int, int, "--1");
    EXPECT_REFUSED(conf_int, int, "-");
}

Test(conf_parsers, seconds_are_bounded)
{
    EXPECT_VALUE(conf_seconds, int, "0", 0);
    EXPECT_VALUE(conf_seconds, int, "315360000", 315360000);
    EXPECT_REFUSED(conf_seconds, int, "315360001");
    EXPECT_REFUSED(conf_seconds, int, "-1");
}

Test(conf_parsers, days_take_units)
{
    EXPECT_VALUE(conf_days, int64_t, "0", 0);
    EXPECT_VALUE(conf_days, int64_t, "14", 14 * 86400);
    EXPECT_VALUE(conf_days, int64_t, "14d", 14 * 86400);
    EXPECT_VALUE(conf_days, int64_t, "36 h", 36 * 3600);
    EXPECT_VALUE(conf_days, int64_t, "5M", 300);
    EXPECT_VALUE(conf_days, int64_t, "90s", 90);
    EXPECT_VALUE(conf_days, int64_t, "3650", 315360000);
    EXPECT_REFUSED(conf_days, int64_t, "3651");
    EXPECT_REFUSED(conf_days, int64_t, "315360001s");
    EXPECT_REFUSED(conf_days, int64_t, "");
    EXPECT_REFUSED(conf_days, int64_t, "d");
    EXPECT_REFUSED(conf_days, int64_t, "-1");
    EXPECT_REFUSED(conf_days, int64_t, "1.5");
    EXPECT_REFUSED(conf_days, int64_t, "2w");
}

Test(conf_parsers, bytes_take_units)
{
    EXPECT_VALUE(conf_bytes, int64_t, "0", 0);
    EXPECT_VALUE(conf_bytes, int64_t, "512", 512);
    EXPECT_VALUE(conf_bytes, int64_t, "64k", 65536);
    EXPECT_VALUE(conf_bytes, int64_t, "2 M", 2097152);
    EXPECT_VALUE(conf_bytes, int64_t, "3G", (int64_t)3 << 30);
    EXPECT_VALUE(conf_bytes, int64_t, "9223372036854775807", INT64_MAX);
    EXPECT_REFUSED(conf_bytes, int64_t, "9223372036854775807k");
    EXPECT_REFUSED(conf_bytes, int64_t, "k");
    EXPECT_REFUSED(conf_bytes, int64_t, "");
    EXPECT_REFUSED(conf_bytes, int64_t, "-1");
    EXPECT_REFUSED(conf_bytes, int64_t, "1kk");
}

Test(conf_parsers, list_drops_blanks_and_empty_items)
{
    struct conf_list list;
    struct why why;

    cr_assert_eq(conf_list(" RIPE-GRS ,, b c,\t,d", &list, arena, &why), ERR_OK);
    cr_assert_eq(list.count, 3);
    cr_expect_str_eq(list.items[0], "RIPE-GRS");
    cr_expect_str_eq(list.items[1], "b c");
    cr_expect_str_eq(list.items[2], "d");
    cr_assert_eq(conf_list("", &list, arena, &why), ERR_OK);
    cr_expect_eq(list.count, 0);
}
