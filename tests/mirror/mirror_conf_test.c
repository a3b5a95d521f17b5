/*
 * The rows of mirrors: defaults, and that one mirror's mistake is its own.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "mirror/mirror.h"

#define TWO_MIRRORS                                                                                \
    "nrtm.import.enabled=true\nnrtm.import.sources=RIPE-GRS, RADB-GRS\n"                           \
    "nrtm.import.RIPE-GRS.source=RIPE\nnrtm.import.RIPE-GRS.host=whois.ripe.net\n"                 \
    "nrtm.import.RIPE-GRS.port=4444\n"                                                             \
    "nrtm.import.RADB-GRS.source=RADB\nnrtm.import.RADB-GRS.host=nrtm.radb.net\n"                  \
    "nrtm.import.RADB-GRS.port=43\n"

static struct conf *file;
static struct mirror_conf conf;

static void read_text(const char *text)
{
    struct why why = {""};

    log_set_level(LOG_ERROR + 1);
    cr_assert_eq(conf_parse(str_from(text), "properties", &file, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(mirror_conf_read(file, &conf, &why), ERR_OK, "%s", why.text);
}

static void forget(void)
{
    mirror_conf_free(&conf);
    conf_free(file);
}

TestSuite(mirror_conf, .fini = forget);

Test(mirror_conf, is_off_without_rows)
{
    read_text("whois.source=LOCAL\n");
    cr_expect_not(conf.is_enabled);
    cr_expect_eq(conf.source_count, 0);
    cr_expect_eq(conf.keepalive.idle_s, 60);
    cr_expect_eq(conf.start_timeout_s, 300);
    cr_expect_eq(conf.max_object, 20 << 20);
}

Test(mirror_conf, reads_several_mirrors)
{
    read_text(TWO_MIRRORS);
    cr_expect(conf.is_enabled);
    cr_assert_eq(conf.source_count, 2);
    cr_expect_str_eq(conf.sources[0].name, "RIPE-GRS");
    cr_expect_str_eq(conf.sources[0].host, "whois.ripe.net");
    cr_expect_eq(conf.sources[0].version, 3);
    cr_expect_eq(conf.sources[0].mode, NRTM_MODE_AUTO);
    cr_expect_eq(conf.sources[0].poll_s, 60);
    cr_expect_str_eq(conf.sources[1].source, "RADB");
    cr_expect_eq(conf.sources[1].port, 43);
    cr_expect(conf.sources[0].is_enabled && conf.sources[1].is_enabled);
    cr_expect_eq(conf_warn_unknown(file), 0);
}

Test(mirror_conf, knows_the_usual_charset_of_an_upstream)
{
    read_text(TWO_MIRRORS);
    cr_expect_eq(conf.sources[0].charset, CHARSET_LATIN1);
    cr_expect_eq(conf.sources[1].charset, CHARSET_UTF8);
}

Test(mirror_conf, takes_a_declared_charset)
{
    read_text(TWO_MIRRORS "nrtm.import.RIPE-GRS.charset=utf8\nnrtm.import.RADB-GRS.charset=\n");
    cr_expect_eq(conf.sources[0].charset, CHARSET_UTF8);
    cr_expect_eq(conf.sources[1].charset, CHARSET_UTF8);
}

Test(mirror_conf, reloads_by_itself_only_with_a_dump_or_when_told)
{
    read_text(TWO_MIRRORS "nrtm.import.RIPE-GRS.dump=a.gz, b.gz\nnrtm.import.RADB-GRS.dump=\n");
    cr_expect_eq(conf.sources[0].dump.count, 2);
    cr_expect_eq(conf.sources[0].reload, RELOAD_AUTO);
    cr_expect_eq(conf.sources[1].reload, RELOAD_MANUAL);
    forget();
    read_text(TWO_MIRRORS "nrtm.import.RIPE-GRS.dump=a.gz\nnrtm.import.RIPE-GRS.reload=manual\n");
    cr_expect_eq(conf.sources[0].reload, RELOAD_MANUAL);
}

#define ONE(name) "nrtm.import.enabled=true\nnrtm.import.sources=" name "\n"

Test(mirror_conf, knows_a_registry_by_its_name)
{
    const struct mirror_source_conf *ripe;

    read_text(ONE("RIPE-GRS") "nrtm.import.RIPE-GRS.source=RIPE\n");
    ripe = &conf.sources[0];
    cr_assert(ripe->is_enabled);
    cr_expect_str_eq(ripe->host, "whois.ripe.net");
    cr_expect_eq(ripe->port, 4444);
    cr_expect_eq(ripe->charset, CHARSET_LATIN1);
    cr_assert_eq(ripe->dump.count, 1);
    cr_expect_str_eq(ripe->dump.items[0], "https://ftp.ripe.net/ripe/dbase/ripe.db.gz");
    cr_expect_str_eq(ripe->serial, "https://ftp.ripe.net/ripe/dbase/RIPE.CURRENTSERIAL");
    cr_expect_eq(ripe->reload, RELOAD_AUTO);
}

Test(mirror_conf, takes_the_name_of_the_mirror_for_that_of_the_registry)
{
    read_text(ONE("RIPE-NONAUTH-GRS,NTTCOM,APNIC-GRS"));
    cr_assert_eq(conf.source_count, 3);
    cr_expect_str_eq(conf.sources[0].source, "RIPE-NONAUTH");
    cr_expect_str_eq(conf.sources[0].dump.items[0],
                     "https://ftp.ripe.net/ripe/dbase/ripe-nonauth.db.gz");
    cr_expect_str_eq(conf.sources[1].host, "rr.ntt.net");
    cr_expect_eq(conf.sources[1].charset, CHARSET_UTF8);
    cr_expect_eq(conf.sources[2].dump.count, 18, "one per class");
}

Test(mirror_conf, every_value_of_a_registry_can_be_another)
{
    const struct mirror_source_conf *ripe;

    read_text(ONE("RIPE-GRS") "nrtm.import.RIPE-GRS.host=127.0.0.1\n"
                              "nrtm.import.RIPE-GRS.port=4445\nnrtm.import.RIPE-GRS.charset=utf8\n"
                              "nrtm.import.RIPE-GRS.dump=a,b\nnrtm.import.RIPE-GRS.serial=c\n");
    ripe = &conf.sources[0];
    cr_expect_str_eq(ripe->host, "127.0.0.1");
    cr_expect_eq(ripe->port, 4445);
    cr_expect_eq(ripe->charset, CHARSET_UTF8);
    cr_expect_eq(ripe->dump.count, 2);
    cr_expect_str_eq(ripe->serial, "c");
}

Test(mirror_conf, the_serial_may_be_the_servers)
{
    read_text(ONE("RIPE-GRS,RADB-GRS") "nrtm.import.RIPE-GRS.serial=nrtm\n"
                                       "nrtm.import.RADB-GRS.host=127.0.0.1\n"
                                       "nrtm.import.RADB-GRS.port=43\n"
                                       "nrtm.import.RADB-GRS.aliases=a.example,b.example\n");
    cr_expect(conf.sources[0].asks_serial);
    cr_expect_eq(conf.sources[0].dump.count, 1, "with the registry's dump");
    cr_expect_not(conf.sources[1].asks_serial);
    cr_expect_str_eq(conf.sources[0].aliases, "");
    cr_expect_str_eq(conf.sources[1].aliases, "a.example,b.example");
}

Test(mirror_conf, does_not_mix_the_registrys_dump_with_another_server_or_serial_file)
{
    read_text(ONE("RIPE-GRS") "nrtm.import.RIPE-GRS.host=127.0.0.1\nnrtm.import.RIPE-GRS.port=1\n");
    cr_expect_eq(conf.sources[0].dump.count, 0);
    forget();
    read_text(ONE("RIPE-GRS") "nrtm.import.RIPE-GRS.dump=mine.gz\n");
    cr_expect_str_eq(conf.sources[0].serial, "");
    forget();
    read_text(ONE("RIPE-GRS") "nrtm.import.RIPE-GRS.dump=\n");
    cr_expect_eq(conf.sources[0].dump.count, 0, "none is wanted");
    cr_expect_eq(conf.sources[0].reload, RELOAD_MANUAL);
}

Test(mirror_conf, a_registry_without_nrtm_is_reloaded_from_its_dump)
{
    read_text(ONE("LACNIC-GRS,MINE-GRS,RIPE-GRS") "nrtm.import.MINE-GRS.source=MINE\n"
                                                  "nrtm.import.MINE-GRS.dump=mine.db\n"
                                                  "nrtm.import.MINE-GRS.refresh=3600\n"
                                                  "nrtm.import.RIPE-GRS.mode=dump\n");
    for (size_t i = 0; i < 3; i++) {
        cr_expect(conf.sources[i].is_enabled, "%s", conf.sources[i].name);
        cr_expect_eq(conf.sources[i].mode, NRTM_MODE_DUMP, "%s", conf.sources[i].name);
    }
    cr_expect_eq(conf.sources[0].refresh_s, 86400);
    cr_expect_eq(conf.sources[1].refresh_s, 3600);
    cr_expect_eq(conf.sources[2].dump.count, 1);
}

Test(mirror_conf, reads_the_time_of_the_audit)
{
    struct why why;

    read_text("whois.source=LOCAL\n");
    cr_expect_eq(conf.audit_minute, 3 * 60 + 30);
    forget();
    read_text("mirror.audit=23:59\n");
    cr_expect_eq(conf.audit_minute, 24 * 60 - 1);
    forget();
    read_text("mirror.audit=off\n");
    cr_expect_eq(conf.audit_minute, -1);
    forget();
    cr_assert_eq(conf_parse(STR("mirror.audit=24:00\n"), "properties", &file, &why), ERR_OK);
    cr_expect_eq(mirror_conf_read(file, &conf, &why), ERR_SYNTAX);
}

Test(mirror_conf, disables_only_the_mirror_with_a_mistake)
{
    static const char *const mistakes[] = {
        "nrtm.import.RADB-GRS.port=hello\n",     "nrtm.import.RADB-GRS.version=4\n",
        "nrtm.import.RADB-GRS.mode=push\n",      "nrtm.import.RADB-GRS.poll=5\n",
        "nrtm.import.RADB-GRS.charset=ebcdic\n", "nrtm.import.RADB-GRS.reload=never\n",
    };

    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        char text[1000];

        snprintf(text, sizeof(text), TWO_MIRRORS "%s", mistakes[i]);
        read_text(text);
        cr_expect(conf.sources[0].is_enabled, "%s", mistakes[i]);
        cr_expect_not(conf.sources[1].is_enabled, "%s", mistakes[i]);
        cr_expect_eq(conf_warn_unknown(file), 0, "the mistake was told");
        if (i + 1 < sizeof(mistakes) / sizeof(mistakes[0])) {
            forget();
        }
    }
}

Test(mirror_conf, disables_a_mirror_without_host)
{
    read_text("nrtm.import.sources=MINE-GRS\nnrtm.import.MINE-GRS.source=MINE\n"
              "nrtm.import.MINE-GRS.port=4444\n");
    cr_assert_eq(conf.source_count, 1);
    cr_expect_not(conf.sources[0].is_enabled);
}

Test(mirror_conf, refuses_a_bad_value_of_all_mirrors)
{
    struct why why;

    log_set_level(LOG_ERROR + 1);
    cr_assert_eq(conf_parse(STR("mirror.heartbeat=soon\n"), "properties", &file, &why), ERR_OK);
    cr_expect_eq(mirror_conf_read(file, &conf, &why), ERR_SYNTAX);
    cr_expect_not_null(strstr(why.text, "mirror.heartbeat"));
}
