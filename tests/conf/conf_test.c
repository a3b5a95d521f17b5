/*
 * Tables of options applied to a file, substitution, and the sentences errors come with.
 */
#include "conf/conf.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"

struct options {
    const char *host;
    const char *note;
    int port;
    bool enabled;
    struct conf_list sources;
};

#define AT(field) offsetof(struct options, field)

static const struct conf_key keys[] = {
    {"host",    conf_text, AT(host),    "localhost", "where"  },
    {"note",    conf_text, AT(note),    NULL,        "nothing"},
    {"port",    conf_port, AT(port),    "1043",      "port"   },
    {"enabled", conf_bool, AT(enabled), "false",     "on"     },
    {"sources", conf_list, AT(sources), "",          "names"  },
    {NULL,      NULL,      0,           NULL,        NULL     },
};

static const struct conf_key mirror_keys[] = {
    {"nrtm.import.*.host", conf_text, AT(host), "nowhere", "upstream"},
    {"nrtm.import.*.port", conf_port, AT(port), "4444",    "upstream"},
    {NULL,                 NULL,      0,        NULL,      NULL      },
};

static struct conf *parse(const char *text)
{
    struct conf *conf = NULL;
    struct why why = {0};

    cr_assert_eq(conf_parse(str_from(text), "FILE", &conf, &why), ERR_OK, "%s", why.text);
    return conf;
}

static void expect_apply_error(const char *text, const char *sentence)
{
    struct conf *conf = parse(text);
    struct options options = {0};
    struct why why = {0};

    cr_expect_eq(conf_apply(conf, keys, NULL, &options, &why), ERR_SYNTAX);
    cr_expect_str_eq(why.text, sentence);
    conf_free(conf);
}

static void expect_value(const char *text, const char *value)
{
    struct conf *conf = parse(text);
    const char *got = conf_get(conf, "key");

    cr_assert_not_null(got, "%s", text);
    cr_expect_str_eq(got, value, "%s: got %s", text, got);
    conf_free(conf);
}

Test(conf, fills_fields_from_the_file)
{
    struct conf *conf = parse("host = whois.example.net \nport: 43\nenabled yes\nsources a, b\n");
    struct options options = {.note = "untouched"};
    struct why why;

    cr_assert_eq(conf_apply(conf, keys, NULL, &options, &why), ERR_OK);
    cr_expect_str_eq(options.host, "whois.example.net");
    cr_expect_str_eq(options.note, "untouched");
    cr_expect_eq(options.port, 43);
    cr_expect(options.enabled);
    cr_expect_eq(options.sources.count, 2);
    conf_free(conf);
}

Test(conf, uses_defaults_for_missing_keys)
{
    struct conf *conf = parse("");
    struct options options = {.enabled = true};
    struct why why;

    cr_assert_eq(conf_apply(conf, keys, NULL, &options, &why), ERR_OK);
    cr_expect_str_eq(options.host, "localhost");
    cr_expect_eq(options.port, 1043);
    cr_expect_not(options.enabled);
    cr_expect_eq(options.sources.count, 0);
    conf_free(conf);
}

Test(conf, puts_the_instance_for_the_star)
{
    struct conf *conf = parse("nrtm.import.RIPE-GRS.host=a\nnrtm.import.X.host=b\n");
    struct options options = {0};
    struct why why;

    cr_assert_eq(conf_apply(conf, mirror_keys, "RIPE-GRS", &options, &why), ERR_OK);
    cr_expect_str_eq(options.host, "a");
    cr_expect_eq(options.port, 4444);
    conf_free(conf);
}

Test(conf, bad_value_is_reported_with_line_and_allowed_range)
{
    expect_apply_error("# comment\nport=\\\n  70000\n",
                       "FILE line 2: port: \"70000\": allowed is a port, 0 to 65535");
}

Test(conf, bad_syntax_is_reported_with_line)
{
    struct conf *conf = NULL;
    struct why why;

    cr_assert_eq(conf_parse(STR("a=1\n\n =x\n"), "FILE", &conf, &why), ERR_SYNTAX);
    cr_expect_str_eq(why.text, "FILE line 3: no key before \"=\"");
    cr_expect_null(conf);
}

Test(conf, later_duplicate_wins_with_a_warning)
{
    char log_path[] = "conf_test_log_XXXXXX", text[400] = "";
    int fd = mkstemp(log_path);
    struct conf *conf;
    struct why why;

    cr_assert_eq(log_open(log_path, &why), ERR_OK, "%s", why.text);
    conf = parse("key=1\nother=x\nkey=2\nkey=3\n");
    cr_expect_str_eq(conf_get(conf, "key"), "3");
    cr_expect_str_eq(conf_get(conf, "other"), "x");
    cr_assert_gt(read(fd, text, sizeof(text) - 1), 0);
    cr_expect(str_contains(str_from(text), STR("FILE line 3: \"key\" stands already on line 1")));
    cr_expect(str_contains(str_from(text), STR("FILE line 4: \"key\" stands already on line 3")));
    unlink(log_path);
    conf_free(conf);
}

Test(conf, replaces_references_by_key_environment_or_default)
{
    setenv("CONF_TEST_VARIABLE", "environment", 1);
    expect_value("other=7\nkey=a${other}b${other}", "a7b7");
    expect_value("key=<${CONF_TEST_VARIABLE}>", "<environment>");
    expect_value("CONF_TEST_VARIABLE=file\nkey=${CONF_TEST_VARIABLE:default}", "file");
    expect_value("key=jdbc://${db.host:localhost}/x", "jdbc://localhost/x");
    expect_value("key=${url:jdbc:mariadb://h:1}", "jdbc:mariadb://h:1");
    expect_value("key=${a:${b:${c:deep}}}", "deep");
    expect_value("which=x\nname.x=found\nkey=${name.${which}}", "found");
    expect_value("key=${empty:}", "");
    expect_value("key=$5 and {braces} $", "$5 and {braces} $");
}

Test(conf, bad_references_are_reported_where_they_are_used)
{
    expect_apply_error("host=${missing.key}",
                       "FILE line 1: host: ${missing.key} is neither a key nor in the environment");
    expect_apply_error("host=${a}\na=${b}\nb=${a}", "FILE line 1: host: ${a} refers to itself");
    expect_apply_error("host=${open", "FILE line 1: host: ${ without }");
}

Test(conf, bad_reference_in_an_unused_key_does_no_harm)
{
    struct conf *conf = parse("unused=${missing.key}\nport=1");
    struct options options = {0};
    struct why why;

    cr_expect_eq(conf_apply(conf, keys, NULL, &options, &why), ERR_OK);
    conf_free(conf);
}

Test(conf, values_cannot_grow_without_bound)
{
    struct buf text = {0};
    struct conf *conf;

    buf_printf(&text, "v0=%0100d\n", 7);
    for (int i = 1; i < 30; i++) {
        buf_printf(&text, "v%d=${v%d}${v%d}${v%d}\n", i, i - 1, i - 1, i - 1);
    }
    buf_printf(&text, "key=${v29}");
    buf_add_char(&text, '\0');
    log_set_level(LOG_ERROR);
    conf = parse(text.at);
    cr_expect_null(conf_get(conf, "key"));
    buf_free(&text);
    conf_free(conf);
}

Test(conf, warns_of_each_unknown_key_only)
{
    struct conf *conf = parse("port=1\nused=${helper}\nhelper=1\nodd=1\nold.a=1\nold.b=1\nstray=1");
    struct options options;
    struct why why;

    log_set_level(LOG_ERROR);
    cr_assert_eq(conf_apply(conf, keys, NULL, &options, &why), ERR_OK);
    conf_get(conf, "used");
    conf_ignore(conf, "old.*");
    conf_ignore(conf, "odd");
    conf_ignore(conf, "str");
    cr_expect_eq(conf_warn_unknown(conf), 1);
    conf_free(conf);
}

Test(conf, reads_a_file_and_names_one_that_is_missing)
{
    char path[] = "conf_test_XXXXXX";
    int fd = mkstemp(path);
    struct conf *conf;
    struct why why;

    cr_assert_eq(write(fd, "a=1", 3), 3);
    cr_assert_eq(conf_read(path, &conf, &why), ERR_OK, "%s", why.text);
    cr_expect_str_eq(conf_get(conf, "a"), "1");
    cr_expect_null(conf_get(conf, "b"));
    conf_free(conf);
    unlink(path);
    cr_expect_eq(conf_read("no/such/file", &conf, &why), ERR_IO);
    cr_expect_str_eq(why.text, "cannot open no/such/file: No such file or directory");
    cr_expect_eq(conf_read(".", &conf, &why), ERR_IO);
}

Test(conf, refuses_a_file_above_the_limit)
{
    size_t size = ((size_t)1 << 20) + 1;
    char *text = malloc(size);
    struct conf *conf;
    struct why why;

    memset(text, '#', size);
    cr_expect_eq(conf_parse((struct str){text, size}, "FILE", &conf, &why), ERR_LIMIT);
    free(text);
}
