/* The tables of access control in a real database. */
#include "storage/acl_store.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "database.h"

#define DAY   INT32_C(20779) /* 2026-11-22 */
#define DAY_S INT64_C(86400)

static char url[600], seen[1000];
static struct acl_conf conf;
static struct acl_store *store;

static void setup(void)
{
    struct why why;

    snprintf(url, sizeof(url), "jdbc:mariadb://localhost/%s?localSocket=%s",
             database_url()->database, database_url()->socket);
    conf = (struct acl_conf){url, database_user(), database_password(), 10};
    cr_assert_eq(acl_store_new(&conf, &store, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(acl_store_open(store, &why), ERR_OK, "%s", why.text);
}

static void teardown(void)
{
    acl_store_free(store);
}

TestSuite(acl_store, .init = setup, .fini = teardown, .timeout = 60);

static void see_rule(void *context, const struct acl_row *row)
{
    static const char *const tables[] = {"denied", "proxy", "limit"};
    size_t len = strlen(seen);

    snprintf(seen + len, sizeof(seen) - len, "%s %.*s %d%s;", tables[row->table],
             STR_ARG(row->prefix), row->limit, row->any_connections ? " any" : "");
}

static void see_count(void *context, struct str prefix, uint64_t objects)
{
    size_t len = strlen(seen);

    snprintf(seen + len, sizeof(seen) - len, "%.*s %lu;", STR_ARG(prefix), (unsigned long)objects);
}

static const char *counts_of(int32_t day)
{
    struct why why;

    seen[0] = '\0';
    cr_assert_eq(acl_store_read_counts(store, day, 60, see_count, NULL, &why), ERR_OK, "%s",
                 why.text);
    return seen;
}

static void clean(int32_t day)
{
    struct why why;

    cr_assert_eq(acl_store_clean(store, day * DAY_S + 86340, &why), ERR_OK, "%s", why.text);
}

Test(acl_store, reads_the_operators_rows)
{
    struct why why;

    database_exec("INSERT INTO acl_denied VALUES ('10.0.0.0/8', NULL, '2026-11-01')");
    database_exec("INSERT INTO acl_limit (prefix) VALUES ('192.0.2.7/32')");
    database_exec("INSERT INTO acl_limit (prefix, daily_limit, unlimited_connections) "
                  "VALUES ('2001:db8::/32', 7, 1)");
    database_exec("INSERT INTO acl_proxy VALUES ('203.0.113.5', 'web')");
    cr_assert_eq(acl_store_read_rules(store, see_rule, NULL, &why), ERR_OK, "%s", why.text);
    cr_expect_str_eq(seen, "denied 10.0.0.0/8 0;proxy 203.0.113.5 0;"
                           "limit 192.0.2.7/32 -1;limit 2001:db8::/32 7 any;");
}

Test(acl_store, counts_add_up_and_blocks_are_one_a_day)
{
    struct acl_change counts[] = {
        {"192.0.2.7/32",  DAY, 3},
        {"2001:db8::/64", DAY, 4}
    };
    struct acl_change blocks[] = {
        {"192.0.2.7/32", DAY, 2}
    };
    struct why why;

    for (int i = 0; i < 2; i++) {
        cr_assert_eq(acl_store_write(store, counts, 2, blocks, 1, &why), ERR_OK, "%s", why.text);
    }
    cr_expect_str_eq(counts_of(DAY), "192.0.2.7/32 6;2001:db8::/64 8;");
    cr_expect_str_eq(counts_of(DAY + 1), "");
    cr_expect_str_eq(database_list("SELECT CONCAT_WS(',', prefix, event_time, daily_limit, "
                                   "event_type) FROM acl_event"),
                     "192.0.2.7/32,2026-11-22 00:00:00,2,BLOCK_TEMPORARY");
}

static void block_on(const char *prefix, int32_t first, int days)
{
    struct why why;

    for (int i = 0; i < days; i++) {
        struct acl_change block = {.day = first + i, .number = 5};

        snprintf(block.prefix, sizeof(block.prefix), "%s", prefix);
        cr_assert_eq(acl_store_write(store, NULL, 0, &block, 1, &why), ERR_OK, "%s", why.text);
    }
}

#define DENIED database_list("SELECT prefix FROM acl_denied ORDER BY prefix")

Test(acl_store, ten_blocks_in_thirty_days_deny_for_good)
{
    block_on("192.0.2.9/32", DAY - 8, 9);
    block_on("192.0.2.10/32", DAY - 9, 10);
    block_on("192.0.2.30/32", DAY - 30, 10);
    block_on("192.0.2.31/32", DAY - 31, 10);
    clean(DAY);
    cr_expect_str_eq(DENIED, "192.0.2.10/32 192.0.2.30/32");
    cr_expect_str_eq(database_list("SELECT CONCAT_WS(',', comment, denied_date) FROM acl_denied "
                                   "WHERE prefix = '192.0.2.10/32'"),
                     "Automatic permanent ban after 10 temporary blocks at 2026-11-22,2026-11-22");
    cr_expect_str_eq(database_list("SELECT CONCAT_WS(',', prefix, event_time, daily_limit) FROM "
                                   "acl_event WHERE event_type = 'BLOCK_PERMANENTLY' "
                                   "AND prefix = '192.0.2.10/32'"),
                     "192.0.2.10/32,2026-11-22 23:59:00,5");
    clean(DAY);
    cr_expect_eq(database_number("SELECT COUNT(*) FROM acl_event WHERE event_type = "
                                 "'BLOCK_PERMANENTLY'"),
                 2);
}

Test(acl_store, blocks_before_a_pardon_do_not_count)
{
    block_on("192.0.2.1/32", DAY - 12, 13);
    database_exec("INSERT INTO acl_event VALUES ('192.0.2.1/32', '2026-11-13 12:00:00', 0, "
                  "'UNBLOCK')");
    clean(DAY);
    cr_expect_str_eq(DENIED, "");
    database_exec("DELETE FROM acl_event WHERE event_type = 'UNBLOCK'");
    clean(DAY);
    cr_expect_str_eq(DENIED, "192.0.2.1/32");
    database_exec("DELETE FROM acl_denied"); /* Let go by an operator: a new ten are needed. */
    clean(DAY);
    cr_expect_str_eq(DENIED, "");
}

Test(acl_store, old_rows_go)
{
    struct acl_change count = {"192.0.2.7/32", DAY - 1, 3};
    struct why why;

    cr_assert_eq(acl_store_write(store, &count, 1, NULL, 0, &why), ERR_OK, "%s", why.text);
    database_exec("INSERT INTO acl_denied VALUES ('10.0.0.0/32', NULL, '2025-11-21'), "
                  "('10.0.0.1/32', NULL, '2025-11-22'), ('10.0.0.2/32', NULL, NULL)");
    database_exec(
        "INSERT INTO acl_event VALUES ('10.0.0.0/32', '2026-08-21 23:59:59', 0, 'UNBLOCK'), "
        "('10.0.0.1/32', '2026-08-22', 0, 'UNBLOCK')");
    clean(DAY);
    cr_expect_str_eq(DENIED, "10.0.0.1/32 10.0.0.2/32");
    cr_expect_str_eq(database_list("SELECT prefix FROM acl_event"), "10.0.0.1/32");
    cr_expect_eq(database_number("SELECT COUNT(*) FROM acl_personal"), 0);
}

Test(acl_store, a_lost_connection_is_replaced)
{
    struct acl_change count = {"192.0.2.7/32", DAY, 3};
    struct why why;

    database_exec("DROP TABLE acl_personal");
    cr_assert_neq(acl_store_write(store, &count, 1, NULL, 0, &why), ERR_OK);
    cr_assert_eq(acl_store_open(store, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(acl_store_write(store, &count, 1, NULL, 0, &why), ERR_OK, "%s", why.text);
    cr_expect_str_eq(counts_of(DAY), "192.0.2.7/32 3;");
}

Test(acl_store, a_bad_url_is_named)
{
    struct acl_conf bad = {"mariadb://x", "", "", 10};
    struct acl_store *none;
    struct why why;

    cr_expect_eq(acl_store_new(&bad, &none, &why), ERR_SYNTAX);
    cr_expect(strstr(why.text, "acl.database.url"), "%s", why.text);
}
