/*
 * The log: format, levels, rotation, several threads, and a full disk.
 */
#include "base/log.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char path[] = "log_test_XXXXXX";
static char text[4 << 20];

static void open_log(void)
{
    struct why why = {0};

    close(mkstemp(path));
    cr_assert_eq(log_open(path, &why), ERR_OK, "%s", why.text);
}

static void remove_log(void)
{
    unlink(path);
}

TestSuite(log, .init = open_log, .fini = remove_log);

static const char *read_log(void)
{
    FILE *file = fopen(path, "r");
    size_t len;

    cr_assert_not_null(file);
    len = fread(text, 1, sizeof(text) - 1, file);
    text[len] = '\0';
    fclose(file);
    return text;
}

static void expect_log_matches(const char *pattern)
{
    regex_t regex;

    cr_assert_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    cr_expect_eq(regexec(&regex, read_log(), 0, NULL, 0), 0, "%s", text);
    regfree(&regex);
}

#define STAMP "[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2},[0-9]{3} "

Test(log, line_has_the_operators_format)
{
    log_info(LOG_CLIENT, "Connected to %s:%d", "whois.ripe.net", 4444);
    log_warn(LOG_MAIN, "careful");
    log_error(LOG_MAIN, "broken");
    expect_log_matches("^" STAMP
                       "INFO  \\[NrtmClientFactory\\] Connected to whois.ripe.net:4444\n" STAMP
                       "WARN  \\[Whoisd\\] careful\n" STAMP "ERROR \\[Whoisd\\] broken\n$");
}

Test(log, time_is_utc)
{
    char expected[32];
    time_t before;

    setenv("TZ", "America/New_York", 1);
    tzset();
    do {
        before = time(NULL);
        cr_assert_eq(truncate(path, 0), 0);
        log_info(LOG_MAIN, "x");
    } while (time(NULL) != before);
    strftime(expected, sizeof(expected), "%Y-%m-%d %H:%M:%S,", gmtime(&before));
    cr_expect_eq(strncmp(read_log(), expected, strlen(expected)), 0, "%s", text);
}

Test(log, level_holds_lines_back)
{
    log_debug(LOG_MAIN, "hidden");
    log_set_level(LOG_DEBUG);
    log_debug(LOG_MAIN, "shown");
    log_set_level(LOG_ERROR);
    log_warn(LOG_MAIN, "hidden");
    expect_log_matches("^" STAMP "DEBUG \\[Whoisd\\] shown\n$");
}

Test(log, event_stays_on_one_line)
{
    log_info(LOG_MAIN, "one\ntwo\r\nthree");
    expect_log_matches("\\[Whoisd\\] one two  three\n$");
}

Test(log, long_line_is_cut)
{
    memset(text, 'x', 20000);
    text[20000] = '\0';
    log_info(LOG_MAIN, "%s", text);
    read_log();
    cr_expect_leq(strlen(text), 8192);
    cr_expect_str_eq(text + strlen(text) - 5, "x...\n");
}

Test(log, errno_survives)
{
    errno = EAGAIN;
    log_info(LOG_MAIN, "x");
    cr_expect_eq(errno, EAGAIN);
}

Test(log, file_is_private_to_owner_and_group)
{
    struct stat status;
    struct why why;

    unlink(path);
    umask(0);
    cr_assert_eq(log_reopen(&why), ERR_OK);
    cr_assert_eq(stat(path, &status), 0);
    cr_expect_eq(status.st_mode & 0777, 0640);
}

Test(log, reopen_follows_a_rotation)
{
    char rotated[40];
    struct why why;

    snprintf(rotated, sizeof(rotated), "%s.1", path);
    log_info(LOG_MAIN, "before");
    rename(path, rotated);
    log_info(LOG_MAIN, "between");
    cr_assert_eq(log_reopen(&why), ERR_OK);
    log_info(LOG_MAIN, "after");
    expect_log_matches("^[^\n]* after\n$");
    rename(rotated, path);
    expect_log_matches("before\n.*between\n$");
}

Test(log, file_that_cannot_be_opened_is_named)
{
    struct why why;

    cr_expect_eq(log_open("no/such/folder/log", &why), ERR_IO);
    cr_expect_str_eq(why.text,
                     "cannot open log file no/such/folder/log: No such file or directory");
    log_info(LOG_MAIN, "still here");
    expect_log_matches("still here\n$");
}

static void *write_lines(void *argument)
{
    for (int i = 0; i < 2000; i++) {
        log_info(LOG_MAIN, "thread %d line %d %0100d end", *(int *)argument, i, 0);
    }
    return NULL;
}

Test(log, lines_of_threads_do_not_mix)
{
    pthread_t threads[4];
    int numbers[4], lines = 0;
    char *line, *rest;
    struct why why;

    for (int i = 0; i < 4; i++) {
        numbers[i] = i;
        pthread_create(&threads[i], NULL, write_lines, &numbers[i]);
    }
    for (int i = 0; i < 50; i++) {
        cr_expect_eq(log_reopen(&why), ERR_OK); /* Under their hands. */
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    rest = (char *)read_log();
    while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
        size_t len = strlen(line);

        cr_assert(strstr(line, "[Whoisd] thread ") != NULL && len > 130 &&
                      strcmp(line + len - 4, " end") == 0,
                  "%s", line);
        lines++;
    }
    cr_expect_eq(lines, 8000);
}

Test(log, full_disk_breaks_nothing)
{
    struct rlimit limit = {.rlim_cur = 200, .rlim_max = RLIM_INFINITY};

    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0); /* Writes beyond it are cut, then fail. */
    for (int i = 0; i < 10; i++) {
        log_info(LOG_MAIN, "line %d that takes some room", i);
    }
    limit.rlim_cur = RLIM_INFINITY;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    log_info(LOG_MAIN, "room again");
    /* The line that was cut, then whole lines again. */
    expect_log_matches("line 0 that takes some room\n");
    expect_log_matches(
        "\n" STAMP "INFO  \\[Whoisd\\] room again\n" STAMP
        "WARN  \\[Whoisd\\] the log could not be written for a while: [78] lines lost\n$");
}

Test(log, quoting_escapes_what_could_mislead)
{
    char bytes[300];

    cr_expect_str_eq(log_quote(STR("plain -r AS1")).text, "\"plain -r AS1\"");
    cr_expect_str_eq(log_quote(STR("a\"b\\c")).text, "\"a\\\"b\\\\c\"");
    cr_expect_str_eq(log_quote(STR("\x1b[1m\n\x7f\xff")).text, "\"\\x1b[1m\\x0a\\x7f\\xff\"");
    cr_expect_str_eq(log_quote((struct str){NULL, 0}).text, "\"\"");
    memset(bytes, 1, sizeof(bytes));
    cr_expect_eq(strlen(log_quote((struct str){bytes, sizeof(bytes)}).text), 200 * 4 + 5);
    cr_expect_eq(strlen(log_quote((struct str){bytes, 200}).text), 200 * 4 + 2);
}
