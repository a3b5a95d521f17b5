/* Database URLs of the reference's configuration. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

#include "storage/source.h"

struct good_url {
    char url[160], host[40], database[40], socket[40];
    int port;
};

ParameterizedTestParameters(jdbc, takes_urls_apart)
{
    static struct good_url cases[] = {
        {"jdbc:mariadb://localhost/WHOIS_LOCAL",                               "localhost",   "WHOIS_LOCAL", "",   3306},
        {"jdbc:mysql://db1:3307/LOCAL",                                        "db1",         "LOCAL",       "",   3307},
        {"jdbc:log:mariadb://h/DB;driver=org.mariadb.jdbc.Driver",             "h",           "DB",          "",   3306},
        {"jdbc:log:mysql://h:1/DB;driver=x;logger=y",                          "h",           "DB",          "",   1   },
        {" JDBC:MariaDB://[::1]:3310/A?useSSL=false&localSocket=/run/m.sock ", "::1",         "A",
         "/run/m.sock",                                                                                            3310},
        {"jdbc:mariadb://[2001:db8::1]/A",                                     "2001:db8::1", "A",           "",   3306},
        {"jdbc:mariadb:///A?localSocket=/s",                                   "localhost",   "A",           "/s", 3306},
    };
    return cr_make_param_array(struct good_url, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct good_url *c, jdbc, takes_urls_apart)
{
    struct jdbc_url url;
    struct why why;

    cr_assert_eq(jdbc_parse(c->url, &url, &why), ERR_OK, "%s: %s", c->url, why.text);
    cr_expect_str_eq(url.host, c->host, "%s", c->url);
    cr_expect_str_eq(url.database, c->database, "%s", c->url);
    cr_expect_str_eq(url.socket, c->socket, "%s", c->url);
    cr_expect_eq(url.port, c->port, "%s", c->url);
}

struct bad_url {
    char url[200];
};

ParameterizedTestParameters(jdbc, refuses_other_urls)
{
    static struct bad_url cases[] = {
        {""},
        {"mysql://h/DB"},
        {"jdbc:postgresql://h/DB"},
        {"jdbc:mariadb://h"},
        {"jdbc:mariadb://h/"},
        {"jdbc:mariadb://h:x/DB"},
        {"jdbc:mariadb://h:65536/DB"},
        {"jdbc:mariadb://h:/DB"},
        {"jdbc:mariadb://[::1]x/DB"},
        {"jdbc:mariadb://h/"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
    };
    return cr_make_param_array(struct bad_url, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct bad_url *c, jdbc, refuses_other_urls)
{
    struct jdbc_url url = {.port = 77};
    struct why why;

    cr_expect_eq(jdbc_parse(c->url, &url, &why), ERR_SYNTAX, "%s", c->url);
    cr_expect_eq(url.port, 77, "untouched");
    cr_expect_not_null(strstr(why.text, "jdbc:mariadb://HOST"), "%s", why.text);
}
