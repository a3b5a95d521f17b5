/*
 * The set of mirrors on its own loop: opening, first loads, pauses, what others see of it.
 */
#include "mirror/mirror.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "fake_storage.h"

static struct conf *files[4]; /* All of them live as long as the mirror. */
static struct mirror_conf confs[4];
static size_t conf_count;
static struct mirror *mirror;
static char dump_path[] = "/tmp/mirror_test.XXXXXX", spool[] = "/tmp/mirror_test.XXXXXX";

static const struct mirror_conf *read_conf(const char *text)
{
    struct why why = {""};
    size_t i = conf_count++;

    cr_assert_eq(conf_parse(str_from(text), "properties", &files[i], &why), ERR_OK, "%s", why.text);
    cr_assert_eq(mirror_conf_read(files[i], &confs[i], &why), ERR_OK, "%s", why.text);
    return &confs[i];
}

/* Nobody listens on port 1 of the loopback: clients back off, and that is all they shall do here.
 */
static void make_mirror(const char *more_rows)
{
    struct why why = {""};
    char text[1000];

    snprintf(text, sizeof(text),
             "nrtm.import.enabled=true\nnrtm.import.sources=RIPE-GRS\n"
             "nrtm.import.RIPE-GRS.source=RIPE\nnrtm.import.RIPE-GRS.host=127.0.0.1\n"
             "nrtm.import.RIPE-GRS.port=1\n%s",
             more_rows);
    cr_assert_eq(mirror_new(read_conf(text), NULL, NULL, spool, &system_clock, &mirror, &why),
                 ERR_OK);
}

static void start(void)
{
    struct why why = {""};

    cr_assert_eq(mirror_start(mirror, &why), ERR_OK, "%s", why.text);
}

static void setup(void)
{
    int fd = mkstemp(dump_path);

    cr_assert_geq(fd, 0);
    cr_assert_not_null(mkdtemp(spool));
    cr_assert_gt(write(fd, "person: A\nsource: RIPE\n", 23), 0);
    close(fd);
    fake_storage_reset(10);
    log_set_level(LOG_ERROR + 1);
}

static void remove_spool(void)
{
    char path[100];

    snprintf(path, sizeof(path), "%s/RIPE-GRS/loaded", spool);
    unlink(path);
    snprintf(path, sizeof(path), "%s/RIPE-GRS", spool);
    rmdir(path);
    rmdir(spool);
}

static void teardown(void)
{
    mirror_stop(mirror);
    mirror_free(mirror);
    for (size_t i = 0; i < conf_count; i++) {
        mirror_conf_free(&confs[i]);
        conf_free(files[i]);
    }
    unlink(dump_path);
    remove_spool();
    cr_expect_eq(fake.begun, 0, "a batch or load was left open");
}

TestSuite(mirror, .init = setup, .fini = teardown, .timeout = 60);

static struct mirror_status status(void)
{
    struct mirror_status out;

    mirror_get_status(mirror, fake_source(), &out);
    return out;
}

static void wait_for_text(const char *text)
{
    while (strstr(status().text, text) == NULL) { /* Until the suite's time-out. */
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static void wait_for_error(const char *text)
{
    while (strstr(status().error, text) == NULL) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

Test(mirror, follows_a_source_once_it_is_open)
{
    fake.state = SOURCE_READY;
    make_mirror("");
    start();
    wait_for_error("connect-failed: 127.0.0.1 port 1");
    cr_expect_not(status().is_degraded, "a short back-off is everyday life");
}

Test(mirror, opens_again_while_the_database_is_down)
{
    fake.state = SOURCE_READY;
    fake.opens_that_fail = 1;
    make_mirror("");
    start();
    wait_for_error("connect-failed");
    cr_expect_eq(fake.opens, 2);
}

Test(mirror, loads_an_empty_source_from_its_dump)
{
    char row[100];

    fake.state = SOURCE_EMPTY;
    snprintf(row, sizeof(row), "nrtm.import.RIPE-GRS.dump=%s\n", dump_path);
    make_mirror(row);
    start();
    wait_for_error("connect-failed");
    cr_expect_eq(fake.loads, 1);
}

Test(mirror, leaves_an_empty_source_alone_without_a_dump)
{
    fake.state = SOURCE_EMPTY;
    make_mirror("");
    start();
    wait_for_text("empty, load a dump of 127.0.0.1:1");
    mirror_stop(mirror);
    cr_expect_eq(fake.loads, 0);
}

Test(mirror, rests_while_it_is_paused)
{
    fake.state = SOURCE_READY;
    make_mirror("");
    start();
    wait_for_error("connect-failed");
    mirror_pause(mirror, fake_source());
    mirror_pause(mirror, fake_source());
    wait_for_text("paused for a command");
    mirror_resume(mirror, fake_source());
    wait_for_text("paused for a command");
    mirror_resume(mirror, fake_source());
    wait_for_text("trying again");
}

Test(mirror, takes_over_a_new_configuration)
{
    fake.state = SOURCE_READY;
    make_mirror("");
    start();
    wait_for_error("127.0.0.1 port 1");
    mirror_reconfigure(
        mirror, read_conf("nrtm.import.enabled=true\nnrtm.import.sources=RIPE-GRS\n"
                          "nrtm.import.RIPE-GRS.source=RIPE\nnrtm.import.RIPE-GRS.host=127.0.0.2\n"
                          "nrtm.import.RIPE-GRS.port=2\n"));
    wait_for_error("127.0.0.2 port 2");
    mirror_reconfigure(mirror, read_conf("nrtm.import.enabled=false\n"));
    wait_for_text("no mirror");
}

Test(mirror, works_for_a_lone_command_without_threads)
{
    struct load_request request;

    make_mirror("");
    mirror_pause(mirror, fake_source());
    request = mirror_load_request(mirror, fake_source());
    mirror_resume(mirror, fake_source());
    cr_expect_eq(request.charset, CHARSET_LATIN1);
    cr_expect_eq(request.serial, -1);
    cr_expect_eq(request.max_object, 20 << 20);
}

Test(mirror, names_the_registry_in_the_banner)
{
    make_mirror("");
    cr_expect_not_null(strstr(mirror_notice(mirror, fake_source()), "RIPE NCC"));
    cr_expect_eq(mirror_notice(mirror, fake_source())[0], '%');
}

Test(mirror, takes_the_operators_own_banner_lines)
{
    make_mirror("nrtm.import.RIPE-GRS.notice=one\\ntwo\n");
    cr_expect_str_eq(mirror_notice(mirror, fake_source()), "% one\n% two\n");
}

Test(mirror, does_not_empty_the_banner_by_accident)
{
    make_mirror("nrtm.import.RIPE-GRS.notice=\n");
    cr_expect_not_null(strstr(mirror_notice(mirror, fake_source()), "RIPE NCC"));
}

Test(mirror, says_nothing_with_permission)
{
    make_mirror("nrtm.import.RIPE-GRS.notice.off=i-have-permission\n");
    cr_expect_null(mirror_notice(mirror, fake_source()));
}
