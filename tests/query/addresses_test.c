#include "query/addresses.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdlib.h>

static struct address_list list;

static struct ip_range range_of(const char *text)
{
    struct ip_range range;

    cr_assert_eq(ip_parse(str_from(text), &range), ERR_OK, "%s", text);
    return range;
}

static void add(const char *text, int value)
{
    struct ip_range range = range_of(text);

    address_list_add(&list, &range, value);
}

/* @return The value of the smallest range that holds the address, -1 when there is none. */
static int find(const char *text)
{
    struct ip_range address = range_of(text);
    const struct address_entry *entry = address_list_find(&list, &address);

    return entry == NULL ? -1 : entry->value;
}

static void teardown(void)
{
    address_list_free(&list);
}

TestSuite(addresses, .fini = teardown);

Test(addresses, an_empty_list_holds_nobody)
{
    address_list_seal(&list);
    cr_expect_eq(find("192.0.2.1"), -1);
    cr_expect_eq(find("2001:db8::1"), -1);
}

Test(addresses, the_smallest_range_decides)
{
    add("192.0.2.7/32", 4);
    add("0.0.0.0/0", 1);
    add("192.0.2.0/24", 3);
    add("192.0.0.0/16", 2);
    address_list_seal(&list);
    cr_expect_eq(find("192.0.2.7"), 4);
    cr_expect_eq(find("192.0.2.8"), 3);
    cr_expect_eq(find("192.0.3.0"), 2);
    cr_expect_eq(find("191.255.255.255"), 1);
    cr_expect_eq(find("255.255.255.255"), 1);
    cr_expect_eq(find("::"), -1);
}

Test(addresses, families_are_kept_apart)
{
    add("0.0.0.0/0", 4);
    add("::/128", 60);
    add("2001:db8::/32", 6);
    address_list_seal(&list);
    cr_expect_eq(find("1.2.3.4"), 4);
    cr_expect_eq(find("::"), 60);
    cr_expect_eq(find("::1"), -1);
    cr_expect_eq(find("2001:db8:ffff::1"), 6);
    cr_expect_eq(find("2001:db9::"), -1);
}

Test(addresses, of_equal_ranges_the_last_stays)
{
    add("10.0.0.0/8", 1);
    add("10.0.0.0 - 10.255.255.255", 2);
    address_list_seal(&list);
    cr_expect_eq(list.count, 1);
    cr_expect_eq(find("10.1.2.3"), 2);
}

/* Ranges of operators may cross; a plain look at all of them says which is right. */
Test(addresses, finds_what_a_plain_list_finds)
{
    unsigned seed = 20261122;

    for (int i = 0; i < 600; i++) {
        unsigned begin = (unsigned)rand_r(&seed) % 1000, length = (unsigned)rand_r(&seed) % 100;
        struct ip_range range = {begin, begin + length, i % 2 == 1};

        address_list_add(&list, &range, i);
    }
    address_list_seal(&list);
    for (unsigned n = 0; n < 2 * 1200; n++) {
        unsigned at = n / 2;
        struct ip_range address = {at, at, n % 2 == 1};
        const struct address_entry *found = address_list_find(&list, &address), *best = NULL;

        for (size_t i = 0; i < list.count; i++) {
            const struct address_entry *entry = &list.entries[i];

            if (entry->range.is_v6 == address.is_v6 && entry->range.begin <= at &&
                at <= entry->range.end &&
                (best == NULL || entry->range.begin > best->range.begin ||
                 (entry->range.begin == best->range.begin && entry->range.end < best->range.end))) {
                best = entry;
            }
        }
        cr_expect_eq(found, best, "address %u", at);
    }
}

Test(addresses, lists_are_compared)
{
    struct address_list other = {0};
    struct ip_range range = range_of("10.0.0.0/8");

    add("10.0.0.0/8", 1);
    address_list_seal(&list);
    cr_expect_not(address_list_equals(&list, &other));
    address_list_add(&other, &range, 2);
    address_list_seal(&other);
    cr_expect_not(address_list_equals(&list, &other));
    address_list_free(&other);
    address_list_add(&other, &range, 1);
    address_list_seal(&other);
    cr_expect(address_list_equals(&list, &other));
    address_list_free(&other);
}

Test(addresses, peers_become_ranges_and_texts)
{
    struct sockaddr_storage peer = {0};
    struct sockaddr_in *in = (struct sockaddr_in *)&peer;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&peer;
    char text[ADDRESS_TEXT_MAX];
    struct ip_range address;

    in->sin_family = AF_INET;
    inet_pton(AF_INET, "192.0.2.7", &in->sin_addr);
    address = address_of_peer(&peer);
    cr_expect_str_eq(address_text_of(&address, text), "192.0.2.7");

    in6->sin6_family = AF_INET6;
    inet_pton(AF_INET6, "2001:db8::a:0:1", &in6->sin6_addr);
    address = address_of_peer(&peer);
    cr_expect(address.is_v6);
    cr_expect_str_eq(address_text_of(&address, text), "2001:db8:0:0:0:a:0:1");
}
