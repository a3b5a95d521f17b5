/* Access control by itself, on days that the tests choose. */
#include "query/acl.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define NOON   INT64_C(43200000)
#define DAY_MS INT64_C(86400000)

static int64_t wall_ms;
static struct acl *acl;

static int64_t test_wall_ms(const struct clock *clock)
{
    return wall_ms;
}

static const struct clock test_clock = {.wall_ms = test_wall_ms};

static void setup(void)
{
    wall_ms = 20000 * DAY_MS + NOON;
    acl = acl_new(&test_clock, 10);
}

static void teardown(void)
{
    acl_free(acl);
}

TestSuite(acl, .init = setup, .fini = teardown);

static struct ip_range range_of(const char *text)
{
    struct ip_range range;

    cr_assert_eq(ip_parse(str_from(text), &range), ERR_OK, "%s", text);
    return range;
}

static enum acl_verdict check(const char *client)
{
    struct ip_range range = range_of(client);

    return acl_check(acl, &range);
}

static int64_t budget(const char *client)
{
    struct ip_range range = range_of(client);

    return acl_budget(acl, &range);
}

static void count(const char *client, uint32_t objects)
{
    struct ip_range range = range_of(client);

    acl_count(acl, &range, objects);
}

static void add(struct address_list *list, const char *prefix, int value)
{
    struct ip_range range = range_of(prefix);

    address_list_add(list, &range, value);
}

static void set_count(const char *client, int32_t day, uint32_t objects)
{
    acl_set_count(acl, &(struct acl_tally){range_of(client), day, objects});
}

/* The only tally there is, as text. */
static const char *only(size_t taken, struct acl_tally *tallies)
{
    static char text[IP_TEXT_MAX + 32];
    size_t len;

    cr_assert_eq(taken, 1, "%zu tallies", taken);
    len = ip_format_prefix(&tallies[0].client, text);
    snprintf(text + len, sizeof(text) - len, " %d %u", tallies[0].day, tallies[0].objects);
    free(tallies);
    return text;
}

static const char *only_count(void)
{
    struct acl_tally *tallies;
    size_t taken = acl_take_counts(acl, &tallies);

    return only(taken, tallies);
}

static const char *only_block(void)
{
    struct acl_tally *tallies;
    size_t taken = acl_take_blocks(acl, &tallies);

    return only(taken, tallies);
}

static size_t nothing_taken(void)
{
    struct acl_tally *counts, *blocks;
    size_t taken = acl_take_counts(acl, &counts) + acl_take_blocks(acl, &blocks);

    free(counts);
    free(blocks);
    return taken == 0;
}

/* --- limits --- */

Test(acl, a_limit_that_is_used_up_still_passes)
{
    cr_expect_eq(budget("192.0.2.7"), 10);
    count("192.0.2.7", 10);
    cr_expect_eq(budget("192.0.2.7"), 0);
    cr_expect_eq(check("192.0.2.7"), ACL_PASS);
    count("192.0.2.7", 1);
    cr_expect_eq(budget("192.0.2.7"), -1);
    cr_expect_eq(check("192.0.2.7"), ACL_LIMIT_PAST);
    cr_expect_eq(check("192.0.2.8"), ACL_PASS, "another client");
}

Test(acl, midnight_begins_anew)
{
    wall_ms = 20001 * DAY_MS - 1;
    count("192.0.2.7", 11);
    cr_expect_eq(check("192.0.2.7"), ACL_LIMIT_PAST);
    wall_ms++;
    cr_expect_eq(check("192.0.2.7"), ACL_PASS);
    cr_expect_eq(budget("192.0.2.7"), 10);
    count("192.0.2.7", 3);
    cr_expect_eq(budget("192.0.2.7"), 7);
}

Test(acl, a_negative_limit_counts_nothing)
{
    acl_set_default_limit(acl, -1);
    count("192.0.2.7", 1000);
    cr_expect_eq(budget("192.0.2.7"), INT64_MAX);
    cr_expect(nothing_taken());
    acl_set_default_limit(acl, 10);
    cr_expect_eq(budget("192.0.2.7"), 10);
}

Test(acl, a_limit_of_nothing_passes_until_the_first_object)
{
    acl_set_default_limit(acl, 0);
    cr_expect_eq(check("192.0.2.7"), ACL_PASS);
    count("192.0.2.7", 1);
    cr_expect_eq(check("192.0.2.7"), ACL_LIMIT_PAST);
}

Test(acl, ipv6_clients_are_one_per_64)
{
    count("2001:db8:1:2::1", 6);
    count("2001:db8:1:2:ffff::2", 5);
    cr_expect_eq(check("2001:db8:1:2:3:4:5:6"), ACL_LIMIT_PAST);
    cr_expect_eq(budget("2001:db8:1:3::1"), 10);
    cr_expect_str_eq(only_block(), "2001:db8:1:2::/64 20000 10");
}

Test(acl, an_ipv4_address_is_no_ipv6_prefix)
{
    count("0.0.0.1", 11);
    cr_expect_eq(budget("0:0:0:1::"), 10);
}

/* --- rules --- */

Test(acl, the_smallest_prefix_decides)
{
    struct acl_rules rules = {0};

    add(&rules.limits, "192.0.2.0/24", 3);
    add(&rules.limits, "192.0.2.7/32", -1);
    add(&rules.limits, "2001:db8::/32", 0);
    add(&rules.denied, "198.51.100.0/24", 0);
    add(&rules.proxies, "203.0.113.5/32", 0);
    add(&rules.connections, "203.0.113.0/24", 1);
    add(&rules.connections, "203.0.113.7/32", 0);
    cr_expect(acl_set_rules_take(acl, &rules));
    cr_expect_eq(budget("192.0.2.8"), 3);
    cr_expect_eq(budget("192.0.2.7"), INT64_MAX);
    cr_expect_eq(budget("192.0.3.1"), 10);
    cr_expect_eq(budget("2001:db8::1"), 0);
    cr_expect_eq(check("198.51.100.200"), ACL_DENIED);
    cr_expect(acl_may_proxy(acl, &(struct ip_range){0xCB007105, 0xCB007105, false}));
    cr_expect_not(acl_may_proxy(acl, &(struct ip_range){0xCB007106, 0xCB007106, false}));
    cr_expect(acl_has_any_connections(acl, &(struct ip_range){0xCB007105, 0xCB007105, false}));
    cr_expect(acl_has_any_connections(acl, &(struct ip_range){0xCB007106, 0xCB007106, false}));
    cr_expect_not(acl_has_any_connections(acl, &(struct ip_range){0xCB007107, 0xCB007107, false}));
    cr_expect_not(acl_has_any_connections(acl, &(struct ip_range){1, 1, false}));
}

Test(acl, rules_are_replaced_as_a_whole)
{
    struct acl_rules rules = {0};

    add(&rules.denied, "198.51.100.0/24", 0);
    cr_expect(acl_set_rules_take(acl, &rules));
    add(&rules.denied, "198.51.100.0/24", 0);
    cr_expect_not(acl_set_rules_take(acl, &rules), "the same again");
    cr_expect_eq(check("198.51.100.1"), ACL_DENIED);
    cr_expect(acl_set_rules_take(acl, &rules), "none at all");
    cr_expect_eq(check("198.51.100.1"), ACL_PASS);
}

Test(acl, a_raised_limit_ends_the_block)
{
    struct acl_rules rules = {0};

    count("192.0.2.7", 11);
    add(&rules.limits, "192.0.2.7/32", 100);
    acl_set_rules_take(acl, &rules);
    cr_expect_eq(check("192.0.2.7"), ACL_PASS);
    cr_expect_eq(budget("192.0.2.7"), 89);
}

/* --- the keeper's side --- */

Test(acl, counts_are_taken_once)
{
    count("192.0.2.7", 2);
    count("192.0.2.7", 3);
    cr_expect_str_eq(only_count(), "192.0.2.7/32 20000 5");
    cr_expect(nothing_taken());
    count("192.0.2.7", 1);
    cr_expect_str_eq(only_count(), "192.0.2.7/32 20000 1");
    cr_expect_eq(budget("192.0.2.7"), 4);
}

Test(acl, a_block_is_told_once_a_day)
{
    count("192.0.2.7", 12);
    cr_expect_str_eq(only_block(), "192.0.2.7/32 20000 10");
    count("192.0.2.7", 1);
    only_count();
    cr_expect(nothing_taken());
    wall_ms += DAY_MS;
    count("192.0.2.7", 11);
    cr_expect_str_eq(only_block(), "192.0.2.7/32 20001 10");
}

Test(acl, what_could_not_be_written_comes_again)
{
    struct acl_tally *counts, *blocks;

    count("192.0.2.7", 12);
    cr_assert_eq(acl_take_counts(acl, &counts), 1);
    cr_assert_eq(acl_take_blocks(acl, &blocks), 1);
    count("192.0.2.7", 3);
    acl_return_counts(acl, counts, 1);
    acl_return_blocks(acl, blocks, 1);
    cr_expect_str_eq(only_count(), "192.0.2.7/32 20000 15");
    cr_expect_str_eq(only_block(), "192.0.2.7/32 20000 10");
    cr_expect_eq(budget("192.0.2.7"), -5, "counted once");
    free(counts);
    free(blocks);
}

Test(acl, counts_of_a_past_day_are_let_go_but_not_its_blocks)
{
    struct acl_tally *counts, *blocks;

    count("192.0.2.7", 12);
    cr_assert_eq(acl_take_counts(acl, &counts), 1);
    cr_assert_eq(acl_take_blocks(acl, &blocks), 1);
    wall_ms += DAY_MS;
    acl_return_counts(acl, counts, 1);
    acl_return_blocks(acl, blocks, 1);
    cr_expect_str_eq(only_block(), "192.0.2.7/32 20000 10");
    cr_expect(nothing_taken());
    cr_expect_eq(budget("192.0.2.7"), 10);
    free(counts);
    free(blocks);
}

Test(acl, the_tables_count_is_ours_and_the_others)
{
    count("192.0.2.7", 2);
    only_count();
    count("192.0.2.7", 1);
    set_count("192.0.2.7/32", 20000, 5); /* Our 2, and 3 of another server. */
    cr_expect_eq(budget("192.0.2.7"), 4);
    cr_expect_str_eq(only_count(), "192.0.2.7/32 20000 1");
    set_count("192.0.2.7/32", 19999, 11);
    cr_expect_eq(budget("192.0.2.7"), 4, "yesterday's");
}

Test(acl, servers_that_go_past_the_limit_together_tell_of_it)
{
    count("192.0.2.7", 6);
    only_count();
    set_count("192.0.2.7/32", 20000, 12); /* 6 of another server. */
    set_count("192.0.2.7/32", 20000, 12);
    cr_expect_eq(check("192.0.2.7"), ACL_LIMIT_PAST);
    cr_expect_str_eq(only_block(), "192.0.2.7/32 20000 10");
}

Test(acl, a_restart_keeps_the_block_and_does_not_tell_it_again)
{
    set_count("192.0.2.7/32", 20000, 11);
    set_count("2001:db8::/64", 20000, 11);
    cr_expect_eq(check("192.0.2.7"), ACL_LIMIT_PAST);
    cr_expect_eq(check("2001:db8::99"), ACL_LIMIT_PAST);
    count("192.0.2.7", 1);
    only_count();
    cr_expect(nothing_taken());
}

/* --- bounds --- */

Test(acl, when_it_is_full_small_counts_are_forgotten_first, .timeout = 60)
{
    int32_t day = acl_day(acl);
    size_t blocked = 0;

    for (u128 i = 0; i < 1000; i++) {
        struct ip_range client = {i << 64, i << 64, true};

        acl_count(acl, &client, 11);
    }
    for (u128 i = 1000; i < 1000 + 2 * ACL_CLIENTS_MAX; i++) {
        struct ip_range client = {i << 64, i << 64, true};

        acl_count(acl, &client, 1);
    }
    for (u128 i = 0; i < 1000; i++) {
        struct ip_range client = {i << 64, i << 64, true};

        blocked += acl_check(acl, &client) == ACL_LIMIT_PAST;
    }
    cr_expect_eq(blocked, 1000);
    cr_expect_geq(acl_lost(acl), ACL_CLIENTS_MAX);
    cr_expect_eq(day, acl_day(acl));
}

static void *count_many(void *argument)
{
    for (u128 i = 0; i < 20000; i++) {
        struct ip_range client = {i % 16, i % 16, false};

        acl_count(acl, &client, 1);
        (void)acl_check(acl, &client);
    }
    return NULL;
}

Test(acl, threads_lose_no_count, .timeout = 60)
{
    pthread_t threads[4];
    struct acl_tally *tallies;
    uint64_t sum = 0;
    size_t taken;

    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, count_many, NULL), 0);
    }
    for (int round = 0; round < 100; round++) {
        struct acl_rules rules = {0};

        add(&rules.limits, "0.0.0.0/0", round);
        acl_set_rules_take(acl, &rules);
        taken = acl_take_counts(acl, &tallies);
        for (size_t i = 0; i < taken; i++) {
            sum += tallies[i].objects;
        }
        free(tallies);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    taken = acl_take_counts(acl, &tallies);
    for (size_t i = 0; i < taken; i++) {
        sum += tallies[i].objects;
    }
    free(tallies);
    cr_expect_eq(sum, 80000);
}
