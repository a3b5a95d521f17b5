/*
 * Loading: what is refused, what is passed on, and that a failed load changes nothing.
 */
#include "mirror/loader.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "fake_storage.h"
#include "mirror/quarantine.h"

static char folder[] = "/tmp/loader_test.XXXXXX";
static char dump_path[64], serial_path[64];

static void make_folder(void)
{
    cr_assert_not_null(mkdtemp(folder));
    snprintf(dump_path, sizeof(dump_path), "%s/ripe.db", folder);
    snprintf(serial_path, sizeof(serial_path), "%s/RIPE.CURRENTSERIAL", folder);
    fake_storage_reset(0);
    log_set_level(LOG_ERROR);
}

static void remove_folder(void)
{
    unlink(dump_path);
    unlink(serial_path);
    rmdir(folder);
}

TestSuite(loader, .init = make_folder, .fini = remove_folder);

static void write_file(const char *path, struct str bytes)
{
    FILE *file = fopen(path, "wb");

    cr_assert_not_null(file);
    cr_assert_eq(fwrite(bytes.at, 1, bytes.len, file), bytes.len);
    cr_assert_eq(fclose(file), 0);
}

static enum err load_as(enum charset charset, const char *serial_file, struct why *why)
{
    static const char *files[] = {dump_path};
    const struct load_request request = {
        .files = files,
        .file_count = 1,
        .serial = -1,
        .serial_file = serial_file,
        .charset = charset,
        .max_object = 1000,
    };
    struct load_report report;

    return mirror_load(fake_source(), &request, &report, why);
}

static enum err load(const char *serial_file, struct why *why)
{
    return load_as(CHARSET_LATIN1, serial_file, why);
}

static void expect_committed(const char *lines)
{
    cr_expect(str_eq(buf_str(&fake.committed), str_from(lines)), "committed:\n%.*s",
              STR_ARG(buf_str(&fake.committed)));
    cr_expect_eq(fake.begun, 0, "a load was left open");
}

Test(loader, passes_on_every_object_of_the_source_as_utf8)
{
    struct why why = {""};

    write_file(dump_path, STR("# x\n\nperson: \xfc\nsource: RIPE # Filtered\n\n"
                              "person: B\nsource: APNIC\n\nperson: C\n"));
    write_file(serial_path, STR("70000000"));
    cr_expect_eq(load(serial_path, &why), ERR_OK, "%s", why.text);
    expect_committed("load 70000000 [person: \xc3\xbc/source: RIPE # Filtered/]\n"
                     "load 70000000 [person: C/]\n");
    cr_expect_eq(fake.loads, 1);
    cr_expect_gt(fake.load_options.bytes, 0);
}

Test(loader, keeps_the_received_bytes_of_what_is_not_in_the_declared_charset)
{
    struct why why = {""};

    log_set_level(LOG_ERROR);
    write_file(dump_path, STR("person: \xfc\n\nperson: \xc3\xbc\n"));
    cr_expect_eq(load_as(CHARSET_UTF8, NULL, &why), ERR_OK, "%s", why.text);
    expect_committed("raw -1 [person: \xfc/]\nload -1 [person: \xc3\xbc/]\n"
                     "load -1 [person: \xc3\xbc/]\n");
}

struct serial_file {
    char bytes[80];
    enum err rc;
    int64_t serial;
};

ParameterizedTestParameters(loader, reads_serial_files)
{
    static struct serial_file files[] = {
        {"70000000",                                     ERR_OK,     70000000  },
        {"70000000\n",                                   ERR_OK,     70000000  },
        {" 5 \r\n\n",                                    ERR_OK,     5         },
        {"2147483647",                                   ERR_OK,     2147483647},
        {"2147483648",                                   ERR_SYNTAX, 0         },
        {"",                                             ERR_SYNTAX, 0         },
        {"\n",                                           ERR_SYNTAX, 0         },
        {"-1",                                           ERR_SYNTAX, 0         },
        {"1 2",                                          ERR_SYNTAX, 0         },
        {"<!DOCTYPE html><html><body>404</body></html>", ERR_SYNTAX, 0         },
    };
    return cr_make_param_array(struct serial_file, files, sizeof(files) / sizeof(files[0]));
}

ParameterizedTest(struct serial_file *f, loader, reads_serial_files)
{
    struct why why = {""};
    int64_t serial = 0;
    enum err rc;

    write_file(serial_path, str_from(f->bytes));
    rc = mirror_read_serial(serial_path, &serial, &why);
    cr_expect_eq(rc, f->rc, "%s: %s", f->bytes, why.text);
    cr_expect_eq(serial, f->serial);
    if (rc != ERR_OK) {
        cr_expect_not_null(strstr(why.text, serial_path));
        write_file(dump_path, STR("person: A\n"));
        cr_expect_neq(load(serial_path, &why), ERR_OK);
        cr_expect_eq(fake.load_options.bytes, 0, "a load was begun");
    }
}

Test(loader, refuses_a_web_page_before_anything_is_touched)
{
    struct why why = {""};

    write_file(dump_path, STR("<!DOCTYPE html>\n<html>404: not found</html>\n"));
    cr_expect_eq(load(NULL, &why), ERR_SYNTAX);
    cr_expect_not_null(strstr(why.text, "is no registry dump"), "%s", why.text);
    cr_expect_eq(fake.load_options.bytes, 0, "a load was begun");
}

Test(loader, refuses_an_empty_dump)
{
    struct why why = {""};

    write_file(dump_path, STR("# header\n\n"));
    cr_expect_eq(load(NULL, &why), ERR_SYNTAX);
    cr_expect_not_null(strstr(why.text, "no objects in"), "%s", why.text);
}

Test(loader, refuses_a_dump_of_another_source)
{
    struct why why = {""};

    write_file(dump_path, STR("person: A\nsource: APNIC\n\nperson: B\nsource: APNIC\n"));
    cr_expect_eq(load(NULL, &why), ERR_SYNTAX);
    cr_expect_not_null(strstr(why.text, "no object of source RIPE among 2"), "%s", why.text);
    expect_committed("");
}

Test(loader, gives_up_whole_when_an_object_is_too_long)
{
    struct buf text = {0};
    struct why why = {""};

    buf_printf(&text, "person: A\n\nperson: B%2000s\n", "x");
    write_file(dump_path, buf_str(&text));
    cr_expect_eq(load(NULL, &why), ERR_LIMIT);
    expect_committed("");
    buf_free(&text);
}

Test(loader, passes_the_failure_of_storage_on)
{
    struct why why = {""};

    write_file(dump_path, STR("person: A\n"));
    fake.load_finish_result = ERR_SQL_LOST;
    cr_expect_eq(load(NULL, &why), ERR_SQL_LOST);
    cr_expect_str_eq(why.text, "fake load");
    expect_committed("");
}

Test(loader, can_be_stopped)
{
    const char *files[] = {dump_path};
    atomic_bool cancel = true;
    const struct load_request request = {
        .files = files, .file_count = 1, .serial = -1, .max_object = 1000, .cancel = &cancel};
    struct load_report report;
    struct buf text = {0};
    struct why why = {""};

    for (int i = 0; i < 5000; i++) {
        buf_printf(&text, "person: P%d\n\n", i);
    }
    write_file(dump_path, buf_str(&text));
    cr_expect_eq(mirror_load(fake_source(), &request, &report, &why), ERR_STOPPED);
    expect_committed("");
    buf_free(&text);
}

static enum err load_bounded(int max_growth, bool force, struct why *why)
{
    static const char *files[] = {dump_path};
    const struct load_request request = {
        .files = files,
        .file_count = 1,
        .serial = 5,
        .max_object = 1000,
        .force = force,
        .fetch = {.max_growth = max_growth},
    };
    struct load_report report;

    return mirror_load(fake_source(), &request, &report, why);
}

/* Objects of other sources do not count. */
Test(loader, refuses_a_dump_that_has_grown_too_much)
{
    struct buf dump = {0};
    struct why why;

    for (int i = 0; i < 1600; i++) {
        buf_printf(&dump, "person: A%d\nsource: RIPE\n\nperson: B%d\nsource: OTHER\n\n", i, i);
    }
    write_file(dump_path, buf_str(&dump));
    fake.objects = 1000;
    cr_expect_eq(load_bounded(60, false, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(load_bounded(59, false, &why), ERR_DENIED);
    cr_expect_not_null(strstr(why.text, "has 1600 objects, the source 1000"), "%s", why.text);
    cr_expect_eq(load_bounded(59, true, &why), ERR_OK, "forced");
    cr_expect_eq(load_bounded(0, false, &why), ERR_OK, "off");
    fake.objects = 999;
    cr_expect_eq(load_bounded(10, false, &why), ERR_OK, "a small source may grow");
    cr_expect_eq(fake.loads, 4);
    buf_free(&dump);
}

Test(loader, an_applied_file_waits_until_there_is_room)
{
    static const char *files[] = {dump_path};
    const struct load_request request = {
        .files = files, .file_count = 1, .charset = CHARSET_LATIN1, .max_object = 1000};
    struct apply_report report;
    struct why why = {""};

    fake_storage_reset(10);
    fake.no_room = 3;
    write_file(dump_path, STR("%START Version: 3 RIPE 11-12\n\nADD 11\n\nperson: A\n\n"
                              "ADD 12\n\nperson: B\n\n%END RIPE\n"));
    cr_expect_eq(mirror_apply(fake_source(), &request, &report, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(fake.no_room, 0);
    cr_expect_eq(report.to, 12);
    expect_committed("add 11 [person: A/]\nadd 12 [person: B/]\n");
}

/* --- what was kept aside --- */

static int rests;       /* How often the stream rested. */
static int64_t clock_s; /* Goes on by a second whenever somebody looks. */
static bool is_resting;

static void rest(void *context, bool on)
{
    cr_expect_neq(is_resting, on);
    is_resting = on;
    rests += on;
}

static int64_t next_second(const struct clock *clock)
{
    return clock_s++ * 1000;
}

static void retry_quarantine(const char *text, int rows)
{
    static const struct clock seconds = {next_second, next_second};
    static const struct quarantine_stream stream = {.rest = rest, .clock = &seconds};
    atomic_bool cancel = false;
    const struct load_request request = {
        .charset = CHARSET_LATIN1, .max_object = 1000, .cancel = &cancel};

    fake.quarantined = text;
    fake.quarantined_rows = rows;
    mirror_retry_quarantine(fake_source(), &request, &stream);
    cr_expect_not(is_resting);
}

Test(loader, what_a_dump_left_aside_is_tried_as_of_that_dump)
{
    fake.bond.boot_serial = 10; /* Of the one before; nobody has looked since. */
    fake.sync_boot_serial = 20;
    retry_quarantine("person: A\nnic-hdl: A-RIPE\nsource: RIPE\n", 1);
    cr_expect_eq(fake.load_options.quarantined, 1);
    expect_committed("load 20 [person: A/nic-hdl: A-RIPE/source: RIPE/]\n");
    cr_expect_eq(rests, 1);
}

Test(loader, the_stream_goes_on_while_what_was_kept_aside_is_only_read)
{
    retry_quarantine("no object\n", 5000);
    cr_expect_eq(rests, 0);
    cr_expect_eq(fake.loads, 0);
}

Test(loader, much_that_was_kept_aside_is_tried_in_steps)
{
    retry_quarantine("person: A\nnic-hdl: A-RIPE\nsource: RIPE\n", 5);
    cr_expect_eq(fake.loads, 5, "all of it");
    cr_expect_eq(rests, 3, "two seconds each");
    cr_expect_geq(clock_s, 2 * 30, "between them it goes on for half a minute");
}
