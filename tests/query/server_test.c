/*
 * The server as clients meet it: sockets, limits, time-outs, shutdown. What answers say is tested
 * elsewhere.
 */
#include "query/server.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config.h"
#include "fixture.h"
#include "small_registry.h"

#define BANNER                                                                                     \
    "% This is the test query service.\n% The objects are in RPSL format.\n%\n"                    \
    "% The data is subject to Terms and Conditions.\n% See http://terms/\n\n"
#define SERVED                                                                                     \
    "% This query was served by the test Query Service version " PACKAGE_VERSION " (HERE)\n\n"
#define ANSWER                                                                                     \
    "person:         Alice Example\nnic-hdl:        AB1-RIPE\nsource:         RIPE\n\n" SERVED "\n"

#define LONG_ROUTES 100

static const char *loopback[] = {"127.0.0.1"};
static struct index *registry;
static struct query_server *server;
static struct query_conf conf;

/* A database that answers when the test lets it: there never was an object of any key. */
static sem_t database_asked, database_answers;

static enum err find_versions(void *context, uint32_t classes, struct str key, struct arena *arena,
                              struct history_list *out, struct why *why)
{
    sem_post(&database_asked);
    sem_wait(&database_answers);
    return ERR_OK;
}

static const struct version_store slow_store = {.find = find_versions};

static int database_timeout_s;

static void start(int per_address, int read_timeout_s, int answer_timeout_s)
{
    struct query_source source = {.name = "RIPE", .is_main = true, .versions = &slow_store};
    struct why why;

    conf = (struct query_conf){
        .bind = {loopback, 1},
        .threads = 1,
        .main_source = "RIPE",
        .nonauth_source = "",
        .connections_per_address = per_address,
        .personal_limit = -1,
        .read_timeout_s = read_timeout_s,
        .answer_timeout_s = answer_timeout_s,
        .database_timeout_s = database_timeout_s,
        .answer_memory_bytes = 1 << 20,
        .service = "test",
        .instance = "here",
        .terms_url = "http://terms/",
    };
    sem_init(&database_asked, 0, 0);
    sem_init(&database_answers, 0, 0);
    registry = source.index = index_new("RIPE");
    fixture_load(registry, STR(small_registry));
    cr_assert_eq(query_server_new(&conf, &source, 1, &server, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(query_server_listen(server, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(query_server_start(server, &why), ERR_OK, "%s", why.text);
}

static void setup(void)
{
    start(0, 60, 600);
}

static void teardown(void)
{
    query_server_stop(server, 5);
    query_server_free(server);
    index_free(registry);
}

TestSuite(server, .init = setup, .fini = teardown, .timeout = 30);

static bool is_listening(int fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)query_server_port(server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    return connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

static int dial(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    cr_assert(is_listening(fd));
    return fd;
}

/* The stop has begun once nobody listens any more. */
static void wait_for_stop(void)
{
    bool listens = true;

    while (listens) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        listens = is_listening(fd);
        close(fd);
    }
}

static void say(int fd, const char *text)
{
    cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Read exactly this text. */
static void hear(int fd, const char *text)
{
    char got[65536];
    size_t wanted = strlen(text), len = 0;
    ssize_t count = 1;

    while (len < wanted && (count = recv(fd, got + len, wanted - len, 0)) > 0) {
        len += (size_t)count;
    }
    got[len] = '\0';
    cr_expect_str_eq(got, text);
}

static void hear_close(int fd)
{
    char byte;

    cr_expect_eq(recv(fd, &byte, 1, 0), 0, "more came: %c", byte);
    close(fd);
}

Test(server, greets_answers_and_closes)
{
    int fd = dial();

    hear(fd, BANNER);
    say(fd, "-rBG -T person AB1-RIPE\r\n-rBG dropped\n");
    hear(fd, ANSWER);
    hear_close(fd);
}

Test(server, gives_a_half_closed_client_its_answer)
{
    int fd = dial();

    say(fd, "-rBG -T person AB1-RIPE\n");
    shutdown(fd, SHUT_WR);
    hear(fd, BANNER ANSWER);
    hear_close(fd);
}

Test(server, never_runs_a_line_without_its_end)
{
    int fd = dial();

    say(fd, "-rBG -T person AB1-RIPE");
    shutdown(fd, SHUT_WR);
    hear(fd, BANNER);
    hear_close(fd);
}

Test(server, answers_every_pipelined_line_before_the_closing_k)
{
    int fd = dial();

    say(fd, "-k\n-T nosuch x\n-rBG -T person AB1-RIPE\n-k\n");
    hear(fd, BANNER SERVED "\n" BANNER "%ERROR:103: unknown object type 'nosuch'\n\n" SERVED
                           "\n" BANNER ANSWER BANNER);
    hear_close(fd);
}

Test(server, closes_after_a_line_that_is_too_long)
{
    char line[1030];
    int fd = dial();

    memset(line, 'x', sizeof(line));
    line[sizeof(line) - 1] = '\0';
    say(fd, "-k\n");
    say(fd, line);
    hear(fd, BANNER SERVED
         "\n" BANNER
         "%ERROR:107: input line too long\n%\n% Input exceeds the maximum line length.\n\n" SERVED
         "\n");
    hear_close(fd);
}

Test(server, finishes_answers_and_closes_idle_sessions_when_it_stops)
{
    int fd = dial();

    say(fd, "-k\n");
    hear(fd, BANNER SERVED "\n" BANNER);
    query_server_stop(server, 5);
    hear_close(fd);
}

static void *stop_server(void *unused)
{
    query_server_stop(server, 20);
    return NULL;
}

/* Routes of 100 KB each: far more than sockets buffer. */
static void add_long_routes(void)
{
    struct buf text = {0};

    for (int i = 0; i < LONG_ROUTES; i++) {
        buf_printf(&text, "ADD %d\n\nroute: 10.9.%d.0/24\norigin: AS1\n", i + 1, i);
        for (int line = 0; line < 1000; line++) {
            buf_printf(&text, "remarks: %0100d\n", line);
        }
        buf_add_str(&text, STR("source: RIPE\n\n"));
    }
    fixture_apply(registry, buf_str(&text));
    buf_free(&text);
}

Test(server, finishes_a_long_answer_when_it_stops)
{
    size_t len = 0, routes = 0;
    char *got = malloc(LONG_ROUTES * 200000);
    pthread_t stopper;
    ssize_t count;
    int fd = dial();

    add_long_routes();
    say(fd, "-k\n-rBG -T route -M 10.9.0.0/16\n");
    len = (size_t)recv(fd, got, 1000, MSG_WAITALL);
    pthread_create(&stopper, NULL, stop_server, NULL);
    wait_for_stop();
    while ((count = recv(fd, got + len, LONG_ROUTES * 200000 - len - 1, 0)) > 0) {
        len += (size_t)count;
    }
    pthread_join(stopper, NULL);
    got[len] = '\0';
    for (const char *at = got; (at = strstr(at, "\nroute:")) != NULL; at++) {
        routes++;
    }
    cr_expect_eq(routes, LONG_ROUTES);
    cr_expect(str_ends_nocase((struct str){got, len}, STR(SERVED "\n")));
    free(got);
    close(fd);
}

Test(server, shows_a_new_banner_after_a_reconfiguration)
{
    struct why why;
    int fd;

    conf.banner = "New";
    cr_assert_eq(query_server_reconfigure(server, &conf, &why), ERR_OK);
    fd = dial();
    hear(fd, "% New\n% See http://terms/\n\n");
    close(fd);
}

Test(server, keeps_its_settings_when_a_reconfiguration_is_bad)
{
    static const char *bad[] = {"nonsense"};
    char names[2 * 65 + 1] = "";
    struct why why;
    int fd;

    conf.trusted = (struct conf_list){bad, 1};
    cr_assert_eq(query_server_reconfigure(server, &conf, &why), ERR_SYNTAX);
    cr_expect(strstr(why.text, "nonsense"));
    conf.trusted.count = 0;
    for (size_t i = 0; i + 2 < sizeof(names); i += 2) {
        memcpy(names + i, "A,", 2);
    }
    conf.alloc_maintainers = names;
    cr_assert_eq(query_server_reconfigure(server, &conf, &why), ERR_SYNTAX);
    cr_expect_str_eq(why.text, "whois.maintainers.*: more than 64 names");
    fd = dial();
    hear(fd, BANNER);
    close(fd);
}

static int counters_open(void)
{
    struct query_counters counters;

    query_server_counters(server, &counters);
    return counters.open;
}

Test(server, counts)
{
    struct query_counters counters;
    int fd = dial();

    say(fd, "-rBG -T person AB1-RIPE\n");
    hear(fd, BANNER ANSWER);
    hear_close(fd);
    query_server_counters(server, &counters);
    cr_expect_eq(counters.connections, 1);
    cr_expect_eq(counters.queries, 1);
    cr_expect_eq(counters.objects, 1);
    cr_expect_eq(counters.refused, 0);
}

static void serve_other(void *context, struct conn *conn, struct str line)
{
    buf_printf(conn_output(conn), "%s: %.*s\n", (const char *)context, STR_ARG(line));
    conn_close_after_flush(conn, "other");
}

Test(server_limits, other_protocols_take_their_lines, .timeout = 30)
{
    struct query_source source = {.name = "RIPE", .is_main = true, .index = index_new("RIPE")};
    struct why why;
    int fd;

    conf = (struct query_conf){
        .bind = {loopback, 1},
        .threads = 1,
        .main_source = "RIPE",
        .answer_memory_bytes = 1 << 20,
        .service = "test",
        .instance = "here",
        .terms_url = "http://terms/"
    };
    cr_assert_eq(query_server_new(&conf, &source, 1, &server, &why), ERR_OK);
    query_server_set_handler(server, 'g', serve_other, "other");
    cr_assert_eq(query_server_listen(server, &why), ERR_OK);
    cr_assert_eq(query_server_start(server, &why), ERR_OK);
    fd = dial();
    say(fd, "-g RIPE:3:1-LAST\n");
    hear(fd, BANNER "other: -g RIPE:3:1-LAST\n");
    hear_close(fd);
    fd = dial();
    say(fd, "-gRIPE:3:1-LAST\n");
    hear(fd, BANNER "%ERROR:111");
    close(fd);
    registry = source.index;
    teardown();
}

Test(server_limits, refuses_too_many_from_one_address, .timeout = 30)
{
    int fds[2], refused;

    start(2, 60, 600);
    for (int i = 0; i < 2; i++) {
        fds[i] = dial();
        hear(fds[i], BANNER);
    }
    refused = dial();
    hear(refused, BANNER "%ERROR:306: connections exceeded\n%\n"
                         "% Number of connections from a single IP address\n"
                         "% has exceeded the maximum number allowed (2).\n\n" SERVED);
    hear_close(refused);
    close(fds[0]);
    close(fds[1]);
    teardown();
}

Test(server_limits, tells_a_silent_client_why_it_closes, .timeout = 30)
{
    int fd;

    start(0, 1, 600);
    fd = dial();
    hear(fd, BANNER "%ERROR:305: connection has been closed\n%\n"
                    "% The connection to the RIPE Database query server\n"
                    "% has been closed after a period of inactivity.\n\n" SERVED "\n");
    hear_close(fd);
    teardown();
}

/* A reader that stalls in the middle holds a snapshot; that must end. */
Test(server_limits, cuts_an_answer_that_takes_too_long, .timeout = 30)
{
    char piece[65536];
    size_t len = 0;
    ssize_t count;
    int fd;

    start(0, 60, 1);
    add_long_routes();
    fd = dial();
    say(fd, "-rBG -T route -M 10.9.0.0/16\n");
    hear(fd, BANNER);
    while (counters_open() > 0) { /* The test's time-out ends a wait in vain. */
        usleep(10000);
    }
    while ((count = recv(fd, piece, sizeof(piece), 0)) > 0) {
        len += (size_t)count;
    }
    cr_expect_gt(len, 1000);
    cr_expect_lt(len, LONG_ROUTES * 100000);
    close(fd);
    teardown();
}

/* Two rounds: then every line that was sent before has been read, every job done. */
static void let_the_loop_catch_up(void)
{
    for (int round = 0; round < 2; round++) {
        int fd = dial();

        say(fd, "-rBG -T person AB1-RIPE\n");
        hear(fd, BANNER ANSWER);
        hear_close(fd);
    }
}

/* A new version of a large object that does not compress well: the old one is garbage. */
static void replace_large_object(void)
{
    struct buf text = {0};
    unsigned random = 1;

    buf_add_str(&text, STR("ADD 1\n\nmntner: LARGE-MNT\nremarks: "));
    while (text.len < 16 << 20) {
        random = random * 1103515245 + 12345;
        buf_add_char(&text, (char)('0' + (random >> 16) % 64));
    }
    buf_add_str(&text, STR("\nsource: RIPE\n\n"));
    fixture_apply(registry, buf_str(&text));
    buf_free(&text);
}

Test(server, ends_an_answer_whose_client_stalls_while_too_much_changes)
{
    char piece[1000];
    ssize_t count;
    int fd = dial();

    add_long_routes();
    say(fd, "-rBG -T route -M 10.9.0.0/16\n");
    hear(fd, BANNER);
    cr_assert_eq(recv(fd, piece, sizeof(piece), MSG_WAITALL), (ssize_t)sizeof(piece));
    for (int i = 0; i < 8; i++) { /* 12 MB each; 64 may wait. */
        replace_large_object();
    }
    cr_expect_eq(counters_open(), 1, "whoever writes may want to wait for it");
    index_evict(registry);
    let_the_loop_catch_up();
    do {
        count = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);
    } while (count > 0);
    cr_expect(count == 0 || errno == ECONNRESET, "closed at once, and not at the next look");
    while (index_collect(registry) > 0) {
        usleep(10000);
    }
    close(fd);
}

/* --- answers that wait for the database --- */

#define VERSIONS "--list-versions X-MNT\n"
#define NO_ENTRIES                                                                                 \
    "%ERROR:101: no entries found\n%\n% No entries found in source RIPE.\n\n" SERVED "\n"
#define SLOW_MAX  2   /* Answers that are worked on at a time, ... */
#define QUEUE_MAX 100 /* ... and that may wait for it. */

Test(server, answers_others_while_one_waits_for_the_database)
{
    int slow = dial(), quick = dial();

    say(slow, "-k\n" VERSIONS "-rBG -T person AB1-RIPE\n");
    sem_wait(&database_asked);
    say(quick, "-rBG -T person AB1-RIPE\n");
    hear(quick, BANNER ANSWER);
    hear_close(quick);
    sem_post(&database_answers);
    hear(slow, BANNER SERVED "\n" BANNER NO_ENTRIES BANNER ANSWER BANNER);
    close(slow);
}

/* The database has time for the next one. */
static void expect_versions_for_another(void)
{
    int other = dial();

    say(other, VERSIONS);
    sem_wait(&database_asked);
    sem_post(&database_answers);
    hear(other, BANNER NO_ENTRIES);
    hear_close(other);
}

Test(server, forgets_a_waiting_client_that_was_cut_off)
{
    struct linger at_once = {1, 0};
    int waiting = dial();

    hear(waiting, BANNER);
    say(waiting, VERSIONS);
    sem_wait(&database_asked);
    setsockopt(waiting, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(waiting);
    sem_post(&database_answers);
    expect_versions_for_another();
}

Test(server, gives_a_waiting_client_its_answer_when_it_stops)
{
    int fd = dial();
    pthread_t stopper;

    hear(fd, BANNER);
    say(fd, VERSIONS);
    sem_wait(&database_asked);
    pthread_create(&stopper, NULL, stop_server, NULL);
    sem_post(&database_answers);
    pthread_join(stopper, NULL);
    hear(fd, NO_ENTRIES);
    hear_close(fd);
}

static void *stop_server_at_once(void *unused)
{
    query_server_stop(server, 0);
    return NULL;
}

Test(server, cuts_those_who_wait_too_long_when_it_stops)
{
    int fds[SLOW_MAX + 1];
    pthread_t stopper;

    for (int i = 0; i <= SLOW_MAX; i++) {
        fds[i] = dial();
        hear(fds[i], BANNER);
        say(fds[i], VERSIONS);
    }
    for (int i = 0; i < SLOW_MAX; i++) {
        sem_wait(&database_asked);
    }
    let_the_loop_catch_up();
    pthread_create(&stopper, NULL, stop_server_at_once, NULL);
    for (int i = 0; i <= SLOW_MAX; i++) {
        hear_close(fds[i]);
    }
    sem_post(&database_answers); /* Now its threads can end. */
    sem_post(&database_answers);
    pthread_join(stopper, NULL);
}

Test(server, says_so_when_too_many_wait_for_the_database)
{
    int fds[SLOW_MAX + QUEUE_MAX], refused;

    for (int i = 0; i < SLOW_MAX + QUEUE_MAX; i++) {
        fds[i] = dial();
        hear(fds[i], BANNER);
        say(fds[i], VERSIONS);
        if (i < SLOW_MAX) {
            sem_wait(&database_asked);
        }
    }
    let_the_loop_catch_up();
    refused = dial();
    say(refused, VERSIONS);
    hear(refused, BANNER
         "%ERROR:100: internal software error\n%\n"
         "% too many version queries wait for an answer; please try again later\n\n" SERVED "\n");
    hear_close(refused);
    for (int i = 0; i < SLOW_MAX + QUEUE_MAX; i++) {
        sem_post(&database_answers);
    }
    for (int i = 0; i < SLOW_MAX + QUEUE_MAX; i++) {
        hear(fds[i], NO_ENTRIES);
        hear_close(fds[i]);
    }
}

TestSuite(server_with_impatience, .fini = teardown, .timeout = 30);

Test(server_with_impatience, closes_an_answer_that_the_database_holds_up)
{
    int fd;

    start(0, 60, 1);
    fd = dial();
    hear(fd, BANNER);
    say(fd, VERSIONS);
    hear_close(fd);
    sem_wait(&database_asked);
    sem_post(&database_answers);
}

TestSuite(server_with_a_slow_database, .fini = teardown, .timeout = 30);

Test(server_with_a_slow_database, ends_the_wait_with_an_error)
{
    int fd;

    database_timeout_s = 1;
    start(0, 60, 600);
    fd = dial();
    say(fd, VERSIONS);
    hear(fd, BANNER "%ERROR:100: internal software error\n%\n"
                    "% the versions of source RIPE cannot be read at the moment\n\n" SERVED "\n");
    hear_close(fd);
    sem_wait(&database_asked);
    sem_post(&database_answers); /* Nobody is told any more. */
    expect_versions_for_another();
}

/* --- who is who --- */

static void reconfigure(void)
{
    struct why why;

    cr_assert_eq(query_server_reconfigure(server, &conf, &why), ERR_OK, "%s", why.text);
}

Test(server, a_session_lives_by_the_newest_lists)
{
    int fd = dial();

    hear(fd, BANNER);
    say(fd, "-k -rBG -T person AB1-RIPE\n");
    hear(fd, ANSWER BANNER);
    conf.blocked = (struct conf_list){loopback, 1};
    reconfigure();
    say(fd, "-rBG -T person AB1-RIPE\n");
    hear(fd, "% Your host 127.0.0.1 has been blocked. Please contact support <ripe-dbm@ripe.net> "
             "for further assistance.\n\n" SERVED "\n");
    hear_close(fd);
}

Test(server, a_session_is_trusted_as_long_as_its_address)
{
    static const char question[] = "-k -rBG -i auth SSO x\n";
    int fd;

    conf.trusted = (struct conf_list){loopback, 1};
    reconfigure();
    fd = dial();
    hear(fd, BANNER);
    say(fd, question);
    hear(fd, "%ERROR:101: no entries found\n%\n% No entries found in source RIPE.\n\n" SERVED
             "\n" BANNER);
    conf.trusted.count = 0;
    reconfigure();
    say(fd, question);
    hear(fd, "% Inverse search on 'auth' attribute is limited to 'key-cert' objects only\n\n" SERVED
             "\n" BANNER);
    close(fd);
}

Test(server, many_ranges_may_be_trusted)
{
    static char texts[300][16];
    static const char *ranges[300];

    for (int i = 0; i < 300; i++) {
        snprintf(texts[i], sizeof(texts[i]), "10.%d.%d.0/24", i / 256, i % 256);
        ranges[i] = texts[i];
    }
    conf.trusted = (struct conf_list){ranges, 300};
    reconfigure();
}

Test(server, a_limit_is_enforced_and_can_be_changed)
{
    int fd = dial();

    conf.personal_limit = 0;
    reconfigure();
    say(fd, "-k -rBG -T person AB1-RIPE\n");
    hear(fd, BANNER "%ERROR:201: access denied for 127.0.0.1\n%\n"
                    "% Queries from your IP address have passed the daily limit of controlled "
                    "objects.\n"
                    "% Access from your host has been temporarily denied.\n"
                    "% For more information, see\n"
                    "% https://docs.db.ripe.net/"
                    "FAQ#why-did-i-receive-an-error-201-access-denied\n\n" SERVED "\n");
    hear_close(fd);
    conf.personal_limit = 2;
    reconfigure();
    fd = dial();
    say(fd, "-rBG -T person AB1-RIPE\n");
    hear(fd, BANNER ANSWER);
    hear_close(fd);
}

Test(server, a_load_balancers_header_names_the_client)
{
    int fd;

    conf.proxy_protocol = true;
    conf.balancers = (struct conf_list){loopback, 1};
    conf.blocked = (struct conf_list){(const char *[]){"192.0.2.7"}, 1};
    reconfigure();
    fd = dial();
    say(fd, "PROXY TCP4 192.0.2.7 127.0.0.1 999 43\r\nhelp\r\n");
    hear(fd, BANNER "% Your host 192.0.2.7 has been blocked. Please contact support "
                    "<ripe-dbm@ripe.net> for further assistance.\n\n" SERVED "\n");
    hear_close(fd);
    fd = dial();
    say(fd, "PROXY TCP4 192.0.2.8 127.0.0.1 999 43\r\n");
    hear(fd, BANNER);
    say(fd, "-rBG -T person AB1-RIPE\n");
    hear(fd, ANSWER);
    hear_close(fd);
    fd = dial();
    say(fd, "-rBG -T person AB1-RIPE\n");
    hear_close(fd);
}

Test(server_limits, who_asks_for_others_has_any_connections, .timeout = 30)
{
    struct acl_rules rules = {0};
    struct ip_range here = {0x7F000001, 0x7F000001, false};
    int fds[3];

    start(1, 60, 600);
    address_list_add(&rules.proxies, &here, 0);
    acl_set_rules_take(query_server_acl(server), &rules);
    for (int i = 0; i < 3; i++) {
        fds[i] = dial();
        hear(fds[i], BANNER);
    }
    acl_set_rules_take(query_server_acl(server), &rules);
    for (int i = 0; i < 2; i++) {
        close(fds[i]);
    }
    close(fds[2]);
    teardown();
}
