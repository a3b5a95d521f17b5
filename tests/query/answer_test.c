#include "query/answer.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../log_lines.h"
#include "base/log.h"
#include "fixture.h"
#include "small_registry.h"

static struct index *index_main, *index_mirror;
static struct settings *settings;
static struct answer_tools tools;
static struct arena *arena;
static struct answer_client client;
#define SOURCES_MAX 4

static enum query_source_state mirror_state;
static struct buf printed;

static enum query_source_state state(void *context, int *percent)
{
    *percent = 43;
    return mirror_state;
}

/* @param count  How many of the sources there are; the last two are virtual. */
static void make_settings(size_t count)
{
    static const char *trusted[] = {"127.0.0.1"}, *dummified[] = {"ripe-grs"};
    struct query_conf conf = {
        .main_source = "ripe",
        .nonauth_source = "RIPE-NONAUTH",
        .trusted = {trusted,   1        },
        .service = "test",
        .instance = "here",
        .terms_url = "http://terms/",
        .enduser_maintainers = "RIPE-NCC-END-MNT",
        .dummified = {dummified, count > 2},
    };
    static struct query_source sources[SOURCES_MAX];
    const struct query_source filled[SOURCES_MAX] = {
        {.name = "RIPE",          .is_main = true,       .index = index_main},
        {.name = "X-GRS",         .index = index_mirror, .state = state     },
        {.name = "RIPE-GRS",      .is_virtual = true,    .index = index_main},
        {.name = "OPEN-RIPE-GRS", .is_virtual = true,    .index = index_main},
    };
    struct why why;

    memcpy(sources, filled, sizeof(filled));
    cr_assert_eq(settings_new(&conf, sources, count, &settings, &why), ERR_OK, "%s", why.text);
    tools.settings = settings;
}

static int64_t wall_ms(const struct clock *clock)
{
    return 1795348800000;
}

static const struct clock noon = {.wall_ms = wall_ms}; /* 2026-11-22 12:00:00 UTC */

static void make_tools(void)
{
    client = (struct answer_client){
        {0x7F000001, 0x7F000001, false},
        true, false
    };
    tools = (struct answer_tools){
        .settings = settings,
        .reader = reader_new(),
        .matcher = key_matcher_new(),
        .scratch = arena_new(1 << 24),
        .acl = acl_new(&noon, -1),
    };
    reader_attach(tools.reader, index_main);
    reader_attach(tools.reader, index_mirror);
    reader_refresh(tools.reader);
}

static void setup(void)
{
    arena = arena_new(1 << 20);
    index_main = index_new("RIPE");
    index_mirror = index_new("X-GRS");
    mirror_state = QUERY_SOURCE_READY;
    fixture_load(index_main, STR(small_registry));
    fixture_load(index_mirror, STR(small_registry));
    make_settings(2);
    make_tools();
}

static void setup_virtual(void)
{
    setup();
    settings_free(settings);
    make_settings(SOURCES_MAX);
}

static void setup_empty(void)
{
    arena = arena_new(1 << 20);
    index_main = index_new("RIPE");
    index_mirror = index_new("X-GRS");
    make_settings(2);
    make_tools();
}

static void teardown(void)
{
    reader_free(tools.reader);
    key_matcher_free(tools.matcher);
    arena_free(tools.scratch);
    buf_free(&tools.utf8);
    acl_free(tools.acl);
    buf_free(&printed);
    settings_free(settings);
    arena_free(arena);
    index_free(index_main);
    index_free(index_mirror);
}

TestSuite(answer, .init = setup, .fini = teardown);
TestSuite(answer_virtual, .init = setup_virtual, .fini = teardown);
TestSuite(answer_without_data, .init = setup_empty, .fini = teardown);

/* The line is gone once it was read. */
static enum err read_line(struct answer *answer, const char *line)
{
    char *copy = strdup(line);
    enum err rc;

    buf_clear(&printed);
    arena_reset(arena);
    rc = answer_read(answer, &tools, str_from(copy), &client, arena);
    memset(copy, 'X', strlen(copy));
    free(copy);
    return rc;
}

/* Every step is a slice of its own, between which the data may change. */
static void print_answer(struct answer *answer, void (*between)(int step))
{
    enum answer_progress progress;

    for (int step = 0; (progress = answer_step(answer, &printed)) != ANSWER_DONE; step++) {
        if (progress == ANSWER_WAITS) {
            version_query_run(answer->versions);
        }
        answer_hold(answer);
        if (between != NULL) {
            between(step);
        }
        reader_refresh(tools.reader);
    }
    answer_end(answer);
    buf_add_char(&printed, '\0');
}

static struct answer ask_between(const char *line, void (*between)(int step))
{
    struct answer answer;

    cr_assert_eq(read_line(&answer, line), ERR_OK);
    print_answer(&answer, between);
    return answer;
}

static const char *ask(const char *line)
{
    ask_between(line, NULL);
    return printed.at;
}

static void expect(const char *line, const char *text)
{
    cr_expect_str_eq(ask(line), text, "line: %s: %s", line, printed.at);
}

#define I1                                                                                         \
    "% Note: this output has been filtered.\n"                                                     \
    "%       To receive output for a database update, use the \"-B\" flag.\n\n"
#define I3                                                                                         \
    "% Note: this output has been filtered.\n"                                                     \
    "% Only primary keys and abuse contacts will be visible.\n"                                    \
    "% No other contact information will be shown.\n\n"
#define E101(sources)                                                                              \
    "%ERROR:101: no entries found\n%\n% No entries found in source " sources ".\n\n"
#define ALICE "person:         Alice Example\nnic-hdl:        AB1-RIPE\nsource:         RIPE\n\n"
#define DESK                                                                                       \
    "role:           Example Abuse Desk\nnic-hdl:        AB2-RIPE\n"                               \
    "abuse-mailbox:  abuse@example.net\nadmin-c:        AB2-RIPE\nsource:         RIPE\n\n"

Test(answer, groups_an_object_with_its_contacts)
{
    expect("-T inetnum 10.1.9.9",
           I1 "% Information related to '10.1.0.0 - 10.1.255.255'\n\n"
              "% Abuse contact for '10.1.0.0 - 10.1.255.255' is 'abuse@example.net'\n\n"
              "inetnum:        10.1.0.0 - 10.1.255.255\nnetname:        TEN-ONE\n"
              "admin-c:        AB1-RIPE\ntech-c:         AB2-RIPE\nmnt-by:         ONE-MNT\n"
              "source:         RIPE # Filtered\n\n" DESK ALICE);
}

Test(answer, mirrors_show_mail_addresses_and_no_abuse_contact)
{
    expect("-r -s x-grs -T inetnum 10.1.9.9",
           "% Information related to '10.1.0.0 - 10.1.255.255'\n\n"
           "inetnum:        10.1.0.0 - 10.1.255.255\nnetname:        TEN-ONE\n"
           "admin-c:        AB1-RIPE\ntech-c:         AB2-RIPE\nmnt-by:         ONE-MNT\n"
           "notify:         n@example.net\nsource:         RIPE\n\n");
}

Test(answer, registry_maintainers_stop_the_climb_to_an_abuse_contact)
{
    cr_expect(strstr(ask("-r -T inetnum 10.1.2.3"),
                     "% No abuse contact registered for 10.1.2.0 - 10.1.2.255\n\n"));
}

Test(answer, orders_routes_of_a_prefix_by_origin_as_text)
{
    expect("-K -T route 10.1.0.0/16", I3 "route:          10.1.0.0/16\norigin:         AS12\n\n"
                                         "route:          10.1.0.0/16\norigin:         AS9\n\n");
}

Test(answer, a_route_key_takes_its_origin_only)
{
    expect("-K 10.1.0.0/16as9", I3 "route:          10.1.0.0/16\norigin:         AS9\n\n");
    expect("-K -L 10.1.2.0/24AS12", I3 "route:          10.1.0.0/16\norigin:         AS12\n\n");
    expect("-K 10.1.2.0/24AS12", I3 E101("RIPE"));
}

Test(answer, filters_secrets_addresses_and_marks_the_source)
{
    expect("-r ONE-MNT", I1 "% Information related to 'ONE-MNT'\n\n"
                            "mntner:         ONE-MNT\ndescr:          Stra\xDF"
                            "e ?\n"
                            "auth:           MD5-PW # Filtered\nauth:           PGPKEY-12345678\n"
                            "mnt-by:         ONE-MNT\nsource:         RIPE # Filtered\n"
                            "remarks:        behind the source\n\n");
}

Test(answer, a_nul_hides_nothing)
{
    static const char added[] = "ADD 1\n\nmntner:         NUL-MNT\n"
                                "auth:           A\0B-PW x\nremarks:        a\0b\n"
                                "source:         RI\0PE # c\n\n";
    static const char shown[] = "mntner:         NUL-MNT\n"
                                "auth:           A\0B-PW # Filtered\nremarks:        a\0b\n"
                                "source:         RI\0PE # Filtered\n\n";

    fixture_apply(index_main, (struct str){added, sizeof(added) - 1});
    reader_refresh(tools.reader);
    ask("-rGB -T mntner NUL-MNT");
    cr_assert_eq(printed.len, sizeof(shown));
    cr_expect_eq(memcmp(printed.at, shown, sizeof(shown)), 0);
}

Test(answer, charset_applies_to_objects)
{
    cr_expect(strstr(ask("-r -Z utf-8 ONE-MNT"), "\ndescr:          Stra\xC3\x9F"
                                                 "e \xE2\x82\xAC\n"));
    cr_expect(strstr(ask("-r -Z us-ascii ONE-MNT"), "\ndescr:          Stra?e ?\n"));
    cr_expect(strstr(ask("-r -Z Windows-1252 ONE-MNT"), "\ndescr:          Stra\xDF"
                                                        "e \x80\n"));
    cr_expect(strstr(ask("-FZ cp437 ONE-MNT"), "\n*de: Stra\xE1"
                                               "e ?\n"));
    expect("-r -Z utf-16 ONE-MNT", "% Invalid character set utf-16\n\n");
}

Test(answer, lays_out_what_is_stored_otherwise)
{
    expect("-rB TWO-MNT", "% Information related to 'TWO-MNT'\n\n"
                          "mntner:         TWO-MNT\nmnt-by:         ONE-MNT\ndescr:          one\n"
                          "                two\n+               three\nsource:         RIPE\n\n");
    expect("-FGB TWO-MNT",
           "*mt: TWO-MNT\n*mb: ONE-MNT\n*de: one\n+    two\n+    three\n*so: RIPE\n\n");
}

Test(answer, keys_of_a_set_include_its_members)
{
    expect("-K AS-OPEN", I3 "as-set:         AS-OPEN\nmembers:        AS1,\n"
                            "                AS2\n\n");
}

Test(answer, membership_needs_consent)
{
    expect("-K -s X-GRS -i member-of AS-OPEN", I3 "aut-num:        AS7\n\n");
    expect("-K -s X-GRS -i member-of AS-SHUT", I3 E101("X-GRS"));
}

/* A set lets in only those of its own class, and its maintainers have to exist. */
Test(answer, membership_is_of_the_right_class_and_by_one_who_exists)
{
    fixture_apply(index_main,
                  STR("ADD 1\n\nroute-set: RS-ONE\nmbrs-by-ref: ANY\nsource: RIPE\n\n"
                      "ADD 2\n\naut-num: AS8\nmember-of: RS-ONE\nmnt-by: ONE-MNT\n"
                      "source: RIPE\n\n"
                      "ADD 3\n\nroute: 10.8.0.0/16\norigin: AS8\nmember-of: RS-ONE\n"
                      "mnt-by: ONE-MNT\nsource: RIPE\n\n"
                      "ADD 4\n\nas-set: AS-GONE\nmbrs-by-ref: GONE-MNT\nsource: RIPE\n\n"
                      "ADD 5\n\naut-num: AS9\nmember-of: AS-GONE\nmnt-by: GONE-MNT\n"
                      "source: RIPE\n\n"));
    reader_refresh(tools.reader);
    expect("-K -i member-of RS-ONE", I3 "route:          10.8.0.0/16\norigin:         AS8\n\n");
    expect("-K -i member-of AS-GONE", I3 E101("RIPE"));
    fixture_apply(index_main, STR("ADD 6\n\nmntner: GONE-MNT\nsource: RIPE\n\n"));
    reader_refresh(tools.reader);
    expect("-rBG -i member-of AS-GONE",
           "% No abuse contact registered for AS9\n\naut-num:        AS9\n"
           "member-of:      AS-GONE\nmnt-by:         GONE-MNT\nsource:         RIPE\n\n");
}

/* ANY is a keyword of references to maintainers, and of no maintainer. */
Test(answer, any_may_be_asked_for)
{
    fixture_apply(index_main,
                  STR("ADD 1\n\norganisation: ORG-A1-RIPE\nmnt-ref: any\nsource: RIPE\n\n"
                      "ADD 2\n\nroute: 10.8.0.0/16\norigin: AS8\nmnt-routes: ANY\n"
                      "source: RIPE\n\n"));
    reader_refresh(tools.reader);
    expect("-K -i mnt-ref,mnt-routes,mnt-by ANY", I3 "organisation:   ORG-A1-RIPE\n\n");
    expect("-K -i mbrs-by-ref Any", I3 "as-set:         AS-OPEN\nmembers:        AS1,\n"
                                       "                AS2\n\n");
}

Test(answer, references_to_nothing_are_not_found)
{
    expect("-rB -s X-GRS -i mnt-by RIPE-NCC-END-MNT", E101("X-GRS"));
}

Test(answer, names_attributes_that_cannot_be_searched)
{
    expect("-i descr,role x",
           I1 "%ERROR:105: attribute is not searchable\n%\n"
              "% \"descr\" is not an inverse searchable attribute.\n\n"
              "%ERROR:105: attribute is not searchable\n%\n"
              "% \"role\" is not an inverse searchable attribute.\n\n" E101("RIPE"));
}

Test(answer, finds_names_by_all_words_in_any_order_and_case)
{
    expect("-rBG -T role desk EXAMPLE", DESK);
    expect("-rBG -T role desk Other", E101("RIPE"));
    expect("-rBG -T person \xC3\x81lice", ALICE);
}

Test(answer, nserver_is_a_prefix_with_wildcards)
{
    static const char domain[] = "domain:         1.10.in-addr.arpa\n"
                                 "nserver:        ns1.example.net\n"
                                 "mnt-by:         ONE-MNT\nsource:         RIPE\n\n";

    expect("-rBG -i nserver ns1.ex", domain);
    expect("-rBG -i nserver NS_.%net.", domain);
    expect("-rBG -i nserver s1.example", E101("RIPE"));
    expect("-rBG -i nserver ns1\\.example", domain);
    expect("-rBG -i nserver %net", domain);
    expect("-rBG -i nserver ns\\_", E101("RIPE"));
    expect("-rBG -i nserver ns1.example.net\\", E101("RIPE"));
    expect("-rBG -i nserver .", E101("RIPE"));
}

/* References are found by what they refer to, whatever that is; values as they are. */
Test(answer, what_a_reference_refers_to_may_be_of_another_class)
{
    fixture_apply(index_main,
                  STR("ADD 1\n\norganisation: ORG-A1-RIPE\nabuse-c: AB1-RIPE\nsource: RIPE\n\n"
                      "ADD 2\n\nmntner: K-MNT\nauth: PGPKEY-00000001\nsource: RIPE\n\n"));
    reader_refresh(tools.reader);
    expect("-rBG -i abuse-c ab1-ripe",
           "organisation:   ORG-A1-RIPE\nabuse-c:        AB1-RIPE\nsource:         RIPE\n\n");
    expect("-rBG -i auth pgpkey-00000001",
           "mntner:         K-MNT\nauth:           PGPKEY-00000001\nsource:         RIPE\n\n");
}

Test(answer, interface_addresses_are_found_in_every_form)
{
    static const char router[] = "inet-rtr:       r.example\nifaddr:         192.0.2.1 masklen 30\n"
                                 "source:         RIPE\n\n";

    fixture_apply(index_main, STR("ADD 1\n\ninet-rtr: r.example\n"
                                  "ifaddr: 192.0.2.1 masklen 30\nsource: RIPE\n\n"));
    reader_refresh(tools.reader);
    expect("-rBG -i ifaddr 192.0.2.1", router);
    expect("-rBG -i ifaddr 192.0.2.1/32", router);
    expect("-rBG -i ifaddr 192.0.2.1 - 192.0.2.9", router); /* The first word alone. */
    expect("-rBG -i ifaddr 192.0.2.1/32 masklen 30", router);
    expect("-rBG -i ifaddr 192.0.2.2", E101("RIPE"));
    expect("-rBG -i ifaddr 2001:db8::1", E101("RIPE"));
    expect("-rBG -i ifaddr r.example", E101("RIPE"));
}

Test(answer, no_block_holds_what_is_no_as_number)
{
    cr_expect(strstr(ask("-r -T as-block AS100"), "as-block:       AS1 - AS100\n"));
    expect("-rB -T as-block AS4294967297 - AS4294967300", E101("RIPE")); /* 1 and 4, cut short. */
}

/* What is wrong with the argument is told behind the warning: it is found out later. */
Test(answer, a_warning_comes_before_a_repetition)
{
    expect("-x -t a -t b X", "%WARNING:902: useless IP flag passed\n%\n"
                             "% An IP flag (-l, -L, -m, -M, -x, -d or -b) used without an IP key."
                             "\n\n%ERROR:110: multiple use of flag\n%\n"
                             "% The flag \"-t\" cannot be used multiple times.\n\n");
}

Test(answer, no_grouping_prints_contacts_once_at_the_end)
{
    const char *text = ask("-GB -T inetnum,aut-num,role -i admin-c AB1-RIPE");
    const char *first = strstr(text, "person:");

    cr_assert_not_null(first);
    cr_expect_null(strstr(first + 1, "person:"));
    cr_expect_null(strstr(text, "Information related"));
    cr_expect_null(strstr(first, "inetnum:"));
}

Test(answer, sources_split_the_main_data)
{
    cr_expect(strstr(ask("-rB -s RIPE-NONAUTH -x 10.1.2.0/24"), "inetnum:        10.1.2.0"));
    expect("-rB -s RIPE -x 10.1.2.0/24", E101("RIPE"));
    expect("-rB -s RIPE,X-GRS AS99:AS-NONE", E101("RIPE,X-GRS"));
}

/* The reference searches the main data twice and prints every match twice. */
Test(answer, main_and_nonauth_are_searched_once)
{
    const char *text = ask("-rB -s RIPE,RIPE-NONAUTH -T inetnum -L 10.1.2.3"), *at = text;
    int count = 0;

    for (; (at = strstr(at, "\ninetnum:")) != NULL; at++) {
        count++;
    }
    cr_expect_eq(count, 3, "%s", text);
}

Test(answer, unknown_sources_are_named_in_their_turn)
{
    expect("-rBG -s NOWHERE,X-GRS -T person AB1-RIPE",
           "%ERROR:102: unknown source\n%\n% \"NOWHERE\" is not a known source.\n"
           "% Use \"-q sources\" to list known sources.\n\n" ALICE);
}

Test(answer, brief_abuse_output)
{
    expect("-b -x 10.0.0.0/8", "inetnum:        10.0.0.0 - 10.255.255.255\n"
                               "abuse-mailbox:  abuse@example.net\n\n"
                               "abuse-mailbox:  irt@example.net\n\n");
}

/* Nothing is grouped: what several ranges refer to comes once, at the end. */
Test(answer, brief_abuse_output_ends_in_the_irts)
{
    expect("-b -L 10.1.0.0/16", "inetnum:        10.0.0.0 - 10.255.255.255\n"
                                "abuse-mailbox:  abuse@example.net\n\n"
                                "inetnum:        10.1.0.0 - 10.1.255.255\n"
                                "abuse-mailbox:  abuse@example.net\n\n"
                                "abuse-mailbox:  irt@example.net\n\n");
}

Test(answer, irts_come_from_the_outermost_range)
{
    cr_expect(strstr(ask("-cB -T inetnum 10.1.2.3"), "\nirt:            IRT-ONE\n"));
}

/* Names that are not in lower case, or do not stand alone at the start of a line, are found, too.
 */
Test(answer, keys_are_found_in_objects_that_are_not_laid_out)
{
    fixture_apply(index_main, STR("ADD 1\n\nroute: 10.2.0.0/16\ndescr: no\n+origin: AS1\n"
                                  "Origin: AS2 # not AS1\nsource: RIPE\n\n"
                                  "ADD 2\n\nPerson: Carol Example\nNIC-hdl: CE1-RIPE\n"
                                  "source: RIPE\n"));
    reader_refresh(tools.reader);
    expect("-K 10.2.0.0/16AS2",
           I3 "route:          10.2.0.0/16\norigin:         AS2 # not AS1\n\n");
    expect("-K 10.2.0.0/16AS1", I3 E101("RIPE"));
    cr_expect(strstr(ask("-r -T route 10.2.0.0/16AS2"), "related to '10.2.0.0/16AS2'\n"));
    cr_expect(strstr(ask("-r -T person CE1-RIPE"), "related to 'CE1-RIPE'\n"));
}

static void move_org(int step)
{
    if (step == 2) {
        fixture_apply(index_main, STR("DEL 1\n\nperson: Alice Example\nnic-hdl: AB1-RIPE\n"
                                      "source: RIPE\n\nADD 2\n\nroute: 10.1.0.0/16\n"
                                      "origin: AS9\ndescr: new\nsource: RIPE\n"));
    }
}

Test(answer, is_taken_from_one_snapshot)
{
    char *before = strdup(ask("-B -M 10/8"));

    ask_between("-B -M 10/8", move_org);
    cr_expect_str_eq(printed.at, before);
    cr_expect_str_neq(ask("-B -M 10/8"), before);
    free(before);
}

static struct settings *old_settings;

static void change_settings(int step)
{
    if (step == 3) {
        old_settings = settings;
        make_settings(2);
        settings_free(old_settings);
    }
}

Test(answer, goes_on_when_the_settings_change)
{
    char *before = strdup(ask("-B -M 10/8"));

    ask_between("-B -M 10/8", change_settings);
    cr_expect_str_eq(printed.at, before);
    free(before);
}

Test(answer, one_that_needs_too_much_memory_ends_in_an_error)
{
    char log[] = "/tmp/answer_test.XXXXXX";
    struct answer answer;
    struct why why;

    close(mkstemp(log));
    cr_assert_eq(log_open(log, &why), ERR_OK, "%s", why.text);
    arena_free(arena);
    arena = arena_new(4096);
    for (int i = 0; i < 2000; i++) {
        char text[200];

        snprintf(text, sizeof(text),
                 "ADD %d\n\nroute: 10.%d.%d.0/24\norigin: AS1\nmnt-by: ONE-MNT\nsource: RIPE\n", i,
                 i / 256, i % 256);
        fixture_apply(index_main, str_from(text));
    }
    reader_refresh(tools.reader);
    answer = ask_between("-rB -M 10/8", NULL);
    cr_expect(strstr(printed.at, "%ERROR:100: internal software error\n"));
    cr_expect(answer.must_close);
    cr_expect_not_null(answer.failure);
    cr_expect_eq(log_lines(log, "query=\"-rB -M 10/8\""), 1);
    unlink(log);
}

/* Wherever the memory ends. */
Test(answer, is_whole_or_ends_in_an_error)
{
    static const char line[] = "-T inetnum 10.1.9.9";
    char *whole = strdup(ask(line));
    struct answer answer;
    int errors = 0;

    log_set_level(LOG_ERROR);
    for (size_t bytes = 16; errors == 0 || answer.failure != NULL; bytes += 16) {
        arena_free(arena);
        arena = arena_new(bytes);
        if (read_line(&answer, line) != ERR_OK) {
            continue;
        }
        print_answer(&answer, NULL);
        if (answer.failure == NULL) {
            cr_expect_str_eq(printed.at, whole, "with %zu bytes", bytes);
        } else {
            cr_expect(strstr(printed.at, "%ERROR:100:"), "with %zu bytes: %s", bytes, printed.at);
            errors++;
        }
    }
    free(whole);
}

Test(answer, a_stale_source_says_since_when)
{
    static const _Atomic int64_t stale[] = {0, 1445000000123};

    settings->stale_since_ms = stale;
    expect("-s X-GRS AS99:AS-NONE", "% Warning: source X-GRS was last updated at "
                                    "2015-10-16T12:53:20Z.\n\n" E101("X-GRS"));
    expect("AS99:AS-NONE", I1 E101("RIPE"));
}

Test(answer, syntax_filters_replace_objects_by_comments)
{
    expect("-rGB --valid-syntax -T mntner TWO-MNT", "% 'TWO-MNT' invalid syntax\n\n" E101("RIPE"));
    cr_expect(strstr(ask("-rGB --no-valid-syntax -T mntner TWO-MNT"), "mntner:         TWO-MNT\n"));
    expect("-rGB --no-valid-syntax -T route 10.1.0.0/16",
           "% '10.1.0.0/16AS12' has valid syntax\n\n"
           "% '10.1.0.0/16AS9' has valid syntax\n\n" E101("RIPE"));
    cr_expect(strstr(ask("-rGB --valid-syntax -T route 10.1.0.0/16"), "origin:         AS12\n"));
}

Test(answer_without_data, an_empty_main_source_has_no_entries)
{
    expect("AS1", I1 E101("RIPE"));
}

Test(answer_without_data, a_mirror_says_that_it_is_being_loaded)
{
    struct answer answer;

    mirror_state = QUERY_SOURCE_LOADING;
    answer = ask_between("-s X-GRS,RIPE AS1", NULL);
    cr_expect_str_eq(printed.at, "%ERROR:100: internal software error\n%\n"
                                 "% source X-GRS is being loaded (43%)\n\n" I1);
    cr_expect(answer.must_close);
    mirror_state = QUERY_SOURCE_UNAVAILABLE;
    expect("-s X-GRS AS1", "%ERROR:100: internal software error\n%\n"
                           "% source X-GRS has not been loaded yet\n\n");
    answer = ask_between("-s X-GRS -t poem", NULL);
    cr_expect_not(answer.must_close);
}

/* --- access control --- */

#define E201(address)                                                                              \
    "%ERROR:201: access denied for " address "\n%\n"                                               \
    "% Queries from your IP address have passed the daily limit of controlled objects.\n"          \
    "% Access from your host has been temporarily denied.\n"                                       \
    "% For more information, see\n"                                                                \
    "% https://docs.db.ripe.net/FAQ#why-did-i-receive-an-error-201-access-denied\n\n"
#define E201_FOR_GOOD(address)                                                                     \
    "%ERROR:201: access denied for " address "\n%\n"                                               \
    "% Sorry, access from your host has been permanently\n"                                        \
    "% denied because of a repeated excessive querying.\n"                                         \
    "% For more information, see\n"                                                                \
    "% https://docs.db.ripe.net/FAQ#why-did-i-receive-an-error-201-access-denied\n\n"
#define ASK_ALICE "-rBG -T person AB1-RIPE"

static int64_t budget_left(const char *address)
{
    struct ip_range range;

    cr_assert_eq(ip_parse(str_from(address), &range), ERR_OK);
    return acl_budget(tools.acl, &range);
}

static void set_rule(size_t offset, const char *prefix, int value)
{
    struct acl_rules rules = {0};
    struct ip_range range;

    cr_assert_eq(ip_parse(str_from(prefix), &range), ERR_OK);
    address_list_add((struct address_list *)((char *)&rules + offset), &range, value);
    acl_set_rules_take(tools.acl, &rules);
}

#define SET_RULE(list, prefix, value) set_rule(offsetof(struct acl_rules, list), prefix, value)

Test(answer, the_object_above_the_limit_becomes_an_error)
{
    struct answer answer;

    acl_set_default_limit(tools.acl, 1);
    expect(ASK_ALICE, ALICE);
    cr_expect_eq(budget_left("127.0.0.1"), 0);
    answer = ask_between(ASK_ALICE, NULL);
    cr_expect_str_eq(printed.at, E201("127.0.0.1"));
    cr_expect(answer.must_close);
    cr_expect_str_eq(answer.failure, "limit");
    cr_expect_eq(budget_left("127.0.0.1"), -1);
    expect("-K -T mntner ONE-MNT", E201("127.0.0.1"));
    cr_expect_eq(budget_left("127.0.0.1"), -1, "a refused query counts nothing");
}

Test(answer, an_answer_is_cut_where_the_limit_is_reached)
{
    acl_set_default_limit(tools.acl, 0);
    expect("-B -T inetnum 10.1.9.9",
           "% Information related to '10.1.0.0 - 10.1.255.255'\n\n"
           "% Abuse contact for '10.1.0.0 - 10.1.255.255' is 'abuse@example.net'\n\n"
           "inetnum:        10.1.0.0 - 10.1.255.255\nnetname:        TEN-ONE\n"
           "admin-c:        AB1-RIPE\ntech-c:         AB2-RIPE\nmnt-by:         ONE-MNT\n"
           "notify:         n@example.net\nsource:         RIPE\n\n" DESK E201("127.0.0.1"));
}

Test(answer, a_primary_object_leaves_its_comment_behind)
{
    acl_set_default_limit(tools.acl, 0);
    expect("-T person AB1-RIPE", I1 "% Information related to 'AB1-RIPE'\n\n" E201("127.0.0.1"));
}

Test(answer, a_warning_comes_before_the_refusal)
{
    SET_RULE(denied, "127.0.0.0/8", 0);
    expect("-x ONE-MNT",
           "%WARNING:902: useless IP flag passed\n%\n"
           "% An IP flag (-l, -L, -m, -M, -x, -d or -b) used without an IP key.\n\n" E201_FOR_GOOD(
               "127.0.0.1"));
}

Test(answer, contacts_count_each_time_they_are_printed)
{
    acl_set_default_limit(tools.acl, 100);
    ask("-T inetnum,route 10.1.9.9");
    ask("-T person AB1-RIPE");
    cr_expect_eq(budget_left("127.0.0.1"), 98);
    ask("-F -i admin-c AB1-RIPE");
    cr_expect_eq(budget_left("127.0.0.1"), 98, "-F shows no contacts");
    ask("-F -T person -i nic-hdl AB1-RIPE");
    ask("-F AB1-RIPE");
    ask("-F Alice");
    cr_expect_lt(budget_left("127.0.0.1"), 98, "but persons that were asked for");
}

Test(answer, what_is_no_whole_person_of_the_main_source_is_not_counted)
{
    acl_set_default_limit(tools.acl, 0);
    expect("-s X-GRS -rG -T person AB1-RIPE", ALICE);
    expect("-rBG -T role AB2-RIPE", DESK);
    cr_expect_null(strstr(ask("-K -i admin-c AB2-RIPE"), "ERROR:201"));
    cr_expect_null(strstr(ask("--no-personal -T inetnum 10.1.9.9"), "ERROR:201"));
    cr_expect_null(strstr(ask("-b 10.1.9.9"), "ERROR:201"));
    cr_expect_eq(budget_left("127.0.0.1"), 0);
}

Test(answer, a_role_that_takes_no_complaints_is_a_person)
{
    fixture_apply(index_main, STR("ADD 1\n\nrole:           Other Desk\nnic-hdl:        OD1-RIPE\n"
                                  "source:         RIPE\n\n"));
    reader_refresh(tools.reader);
    acl_set_default_limit(tools.acl, 1);
    expect("-rBG -T role OD1-RIPE",
           "role:           Other Desk\nnic-hdl:        OD1-RIPE\nsource:         RIPE\n\n");
    expect("-rBG -T role OD1-RIPE", E201("127.0.0.1"));
}

Test(answer, an_unlimited_client_is_not_counted)
{
    acl_set_default_limit(tools.acl, 0);
    SET_RULE(limits, "127.0.0.1/32", -1);
    expect(ASK_ALICE, ALICE);
    cr_expect_eq(budget_left("127.0.0.1"), INT64_MAX);
}

Test(answer, denied_clients_may_ask_about_the_server_only)
{
    struct answer answer;

    SET_RULE(denied, "127.0.0.0/8", 0);
    answer = ask_between("ONE-MNT", NULL);
    cr_expect_str_eq(printed.at, E201_FOR_GOOD("127.0.0.1"));
    cr_expect(answer.must_close);
    cr_expect_null(strstr(ask("-t person"), "ERROR"));
    cr_expect_null(strstr(ask("-q sources"), "ERROR"));
    cr_expect_null(strstr(ask("help"), "ERROR"));
    client.address = (struct ip_range){((u128)0x20010db8 << 96) + 1, 0, true};
    client.address.end = client.address.begin;
    SET_RULE(denied, "2001:db8::/32", 0);
    expect("ONE-MNT", E201_FOR_GOOD("2001:db8:0:0:0:0:0:1"));
}

Test(answer, blocked_clients_may_ask_nothing)
{
    static const char refusal[] = "% Your host 127.0.0.1 has been blocked. Please contact support "
                                  "<ripe-dbm@ripe.net> for further assistance.\n\n";

    client.is_blocked = true;
    expect("help", refusal);
    expect("-T nosuch x", refusal);
    cr_expect(ask_between("-k", NULL).must_close);
}

Test(answer, only_proxies_ask_for_others)
{
    acl_set_default_limit(tools.acl, 1);
    expect("-V tag,192.0.2.7 ONE-MNT", "%ERROR:203: you are not allowed to act as a proxy\n\n");
    expect("-V tag -K -T mntner ONE-MNT", I3 "mntner:         ONE-MNT\n\n");
    cr_expect_null(strstr(ask("-V tag,192.0.2.7 -t person"), "ERROR"));
    cr_expect(strstr(ask("-V tag,192.0.2.0/24 ONE-MNT"), "ERROR:111"));

    SET_RULE(proxies, "127.0.0.1/32", 0);
    expect("-V tag,192.0.2.7 " ASK_ALICE, ALICE);
    cr_expect_eq(budget_left("192.0.2.7"), 0);
    cr_expect_eq(budget_left("127.0.0.1"), 1);
    expect("-V tag,192.0.2.7 " ASK_ALICE, E201("192.0.2.7"));
    expect("-V tag,192.0.2.7 -K -T mntner ONE-MNT", I3 "mntner:         ONE-MNT\n\n");
    expect("-V tag,192.0.2.8 " ASK_ALICE, ALICE);
}

Test(answer, a_source_counts_once)
{
    expect("-a -s x-grs,RIPE,RIPE AS99:AS-NONE", I1 E101("RIPE,X-GRS"));
}

Test(answer, a_list_of_no_sources_is_none)
{
    ask("-s , nosuch");
    cr_expect_not_null(strstr(printed.at, "% No entries found in source RIPE"), "%s", printed.at);
}

/* --- long answers --- */

#define MANY         600
#define RECORDS_MAX  300 /* What a step may add to a list. */
#define TEXTS_A_STEP 4

/* Many objects that one key finds, and one that refers to many. */
static void fill(void)
{
    struct buf text = {0};

    for (int i = 0; i < MANY; i++) {
        buf_printf(&text,
                   "ADD 1\n\nroute: 10.9.0.0/16\norigin: AS%d\nmnt-by: ONE-MNT\nsource: RIPE\n\n",
                   i);
        buf_printf(&text,
                   "ADD 2\n\ninetnum: 10.2.%d.%d\nnetname: MANY\nmnt-by: ONE-MNT\n"
                   "source: RIPE\n\n",
                   i / 256, i % 256);
        buf_printf(&text, "ADD 3\n\nperson: Many Name\nnic-hdl: N%d-RIPE\nsource: RIPE\n\n", i);
        buf_printf(&text, "ADD 4\n\nperson: Many Other\nnic-hdl: M%d-RIPE\nsource: RIPE\n\n", i);
    }
    buf_add_str(&text, STR("ADD 5\n\nmntner: BIG-MNT\nsource: RIPE\n"));
    for (int i = 0; i < MANY; i++) {
        buf_printf(&text, "admin-c: N%d-RIPE\n", i);
    }
    buf_add_char(&text, '\n');
    fixture_apply(index_main, buf_str(&text));
    buf_free(&text);
    reader_refresh(tools.reader);
}

/* @return The steps of an answer; none of them does much. */
static unsigned count_steps(const char *line, unsigned objects)
{
    struct answer answer;
    unsigned steps = 0;
    uint64_t printed_before = 0;
    size_t ids_before = 0;

    buf_clear(&printed);
    arena_reset(arena);
    cr_assert_eq(answer_read(&answer, &tools, str_from(line), &client, arena), ERR_OK);
    while (answer_step(&answer, &printed) != ANSWER_DONE) {
        steps++;
        cr_assert_leq(answer.object_count, printed_before + 1, "line: %s", line);
        cr_assert(answer.ids.count <= ids_before + RECORDS_MAX, "line: %s", line);
        printed_before = answer.object_count;
        ids_before = answer.ids.count;
    }
    answer_end(&answer);
    cr_expect_eq(answer.object_count, objects, "line: %s: %zu", line, (size_t)answer.object_count);
    return steps;
}

Test(answer, no_step_of_a_long_answer_takes_long)
{
    arena_free(arena);
    arena = arena_new(1 << 24);
    fill();
    /* A step for each object, and steps for whatever texts are read before. */
    cr_expect_geq(count_steps("-rB -T route 10.9.0.0/16", MANY), MANY + MANY / TEXTS_A_STEP);
    cr_expect_geq(count_steps("-rB -T inetnum MANY", MANY), MANY + MANY / TEXTS_A_STEP);
    cr_expect_geq(count_steps("-rB -T inetnum -M 10.2.0.0/16", MANY), MANY + MANY / 256);
    cr_expect_geq(count_steps("-rB -T inetnum -m 10.2.0.0/16", MANY), MANY + MANY / 256);
    cr_expect_geq(count_steps("-rB -T person many NAME", MANY), MANY + 3 * MANY / 256);
    cr_expect_geq(count_steps("-rB -T route -i mnt-by ONE-MNT", MANY + 1), MANY + 2 * MANY / 64);
    cr_expect_geq(count_steps("-B BIG-MNT", MANY + 1), MANY + MANY / TEXTS_A_STEP);
    cr_expect_geq(count_steps("-GB BIG-MNT", MANY + 1), MANY + MANY / TEXTS_A_STEP);
}

Test(answer, a_long_answer_is_in_order)
{
    const char *at;

    arena_free(arena);
    arena = arena_new(1 << 24);
    fill();
    at = ask("-rBG -T route 10.9.0.0/16");
    cr_expect(strstr(at, "origin:         AS0\n") < strstr(at, "origin:         AS1\n"));
    cr_expect(strstr(at, "origin:         AS199\n") < strstr(at, "origin:         AS2\n"));
    at = ask("-rBG -T inetnum MANY");
    cr_expect(strstr(at, " 10.2.0.9\n") < strstr(at, " 10.2.0.10\n"));
    cr_expect(strstr(at, " 10.2.0.255\n") < strstr(at, " 10.2.1.0\n"));
    at = ask("-B BIG-MNT");
    cr_expect(strstr(at, "\nnic-hdl:        N100-RIPE\n") <
              strstr(at, "\nnic-hdl:        N11-RIPE\n"));
    at = ask("-rB -T person Name");
    cr_expect(strstr(at, "\nnic-hdl:        N100-RIPE\n") <
              strstr(at, "\nnic-hdl:        N11-RIPE\n"));
    cr_expect_null(strstr(at, "nic-hdl:        M"));
}

/* It is given up in whatever step it is. */
Test(answer, a_long_answer_may_end_at_any_step)
{
    static const char *const lines[] = {"-rB -T route 10.9.0.0/16", "-rB -T inetnum MANY",
                                        "-rB -T person many NAME", "-GB BIG-MNT"};

    arena_free(arena);
    arena = arena_new(1 << 24);
    fill();
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        unsigned all = count_steps(lines[i], i == 3 ? MANY + 1 : MANY);

        for (unsigned steps = 0; steps < all; steps += 1 + all / 60) {
            struct answer answer;

            arena_reset(arena);
            cr_assert_eq(answer_read(&answer, &tools, str_from(lines[i]), &client, arena), ERR_OK);
            for (unsigned step = 0; step < steps; step++) {
                cr_assert_neq(answer_step(&answer, &printed), ANSWER_DONE);
                answer_hold(&answer);
                reader_refresh(tools.reader);
            }
            answer_end(&answer);
        }
    }
}

#define MODIFIED                                                                                   \
    "remarks:        ****************************\n"                                               \
    "remarks:        * THIS OBJECT IS MODIFIED\n"                                                  \
    "remarks:        * Please note that all data that is generally regarded as personal\n"         \
    "remarks:        * data has been removed from this object.\n"                                  \
    "remarks:        * To view the original object, please query the RIPE Database at:\n"          \
    "remarks:        * http://www.ripe.net/whois\n"                                                \
    "remarks:        ****************************\n\n"

Test(answer_virtual, shows_the_main_data_without_what_is_personal)
{
    fixture_apply(index_main, STR("ADD 1\n\nperson:         Dummy\nnic-hdl:        DUMY-RIPE\n"
                                  "source:         RIPE\n\n"));
    reader_refresh(tools.reader);
    expect("-s ripe-grs ONE-MNT",
           "% Information related to 'ONE-MNT'\n\nmntner:         ONE-MNT\n"
           "auth:           SSO # Filtered\nupd-to:         unread@ripe.net\n"
           "mnt-by:         ONE-MNT\nsource:         RIPE-GRS # Filtered\n" MODIFIED);
    expect("-s RIPE-GRS -T aut-num AS7",
           "% Information related to 'AS7'\n\naut-num:        AS7\nas-name:        SEVEN\n"
           "member-of:      AS-OPEN, AS-SHUT\nadmin-c:        DUMY-RIPE\n"
           "mnt-by:         ONE-MNT\nsource:         RIPE-GRS\n" MODIFIED
           "person:         Dummy\nnic-hdl:        DUMY-RIPE\nsource:         RIPE\n\n");
    expect("-K -s RIPE-GRS AS-SHUT", I3 "as-set:         AS-SHUT\n\n");
    expect("-s RIPE-GRS -b -T inetnum 10.1.9.9",
           "inetnum:        10.1.0.0 - 10.1.255.255\nabuse-mailbox:  abuse@example.net\n\n"
           "abuse-mailbox:  irt@example.net\n\n");
}

Test(answer_virtual, persons_are_withheld_and_roles_for_complaints_are_not)
{
    expect("-s RIPE-GRS -T person AB1-RIPE", E101("RIPE-GRS"));
    expect("-rG -s RIPE-GRS -T role AB2-RIPE",
           "role:           Example Abuse Desk\nnic-hdl:        AB2-RIPE\n"
           "abuse-mailbox:  abuse@example.net\nadmin-c:        DUMY-RIPE\n"
           "source:         RIPE-GRS\n" MODIFIED);
}

Test(answer_virtual, without_dummify_the_data_is_as_it_is)
{
    expect("-r -s OPEN-RIPE-GRS -T inetnum 10.1.9.9",
           "% Information related to '10.1.0.0 - 10.1.255.255'\n\n"
           "inetnum:        10.1.0.0 - 10.1.255.255\nnetname:        TEN-ONE\n"
           "admin-c:        AB1-RIPE\ntech-c:         AB2-RIPE\nmnt-by:         ONE-MNT\n"
           "notify:         n@example.net\nsource:         RIPE\n\n");
    expect("-rG -s OPEN-RIPE-GRS -T person AB1-RIPE", ALICE);
}

Test(answer_virtual, is_asked_by_name_and_for_resources_only)
{
    expect("-a AS99:AS-NONE", I1 E101("RIPE,X-GRS"));
    expect("--resource AS99999", E101("X-GRS,RIPE-GRS,OPEN-RIPE-GRS"));
    expect("AS99:AS-NONE", I1 E101("RIPE"));
    cr_expect(
        strstr(ask("-q sources"), "X-GRS:3:N:0-0\nRIPE-GRS:3:N:0-0\nOPEN-RIPE-GRS:3:N:0-0\n"));
}

/* Wherever no source is named, behind the main one. */
Test(answer_virtual, additional_sources_are_searched_besides_the_main_one)
{
    settings->additional[0] = STR("X-GRS");
    settings->additional_count = 1;
    expect("AS99:AS-NONE", I1 E101("RIPE,X-GRS"));
    expect("-a AS99:AS-NONE", I1 E101("RIPE,X-GRS"));
    expect("-s OPEN-RIPE-GRS AS99:AS-NONE", E101("OPEN-RIPE-GRS"));
    expect("--resource AS99999", I1 E101("X-GRS,RIPE-GRS,OPEN-RIPE-GRS,RIPE"));
}

Test(answer_virtual, personal_objects_are_not_counted)
{
    acl_set_default_limit(tools.acl, 1);
    expect("-rG -s OPEN-RIPE-GRS -T person AB1-RIPE", ALICE);
    expect("-rG -s OPEN-RIPE-GRS -T person AB1-RIPE", ALICE);
    cr_expect_eq(budget_left("127.0.0.1"), 1);
}

Test(answer_virtual, knows_no_versions)
{
    struct query_source main = *settings->main, alias;

    main.versions = &(struct version_store){0};
    alias = query_source_alias(&main, "RIPE-GRS");
    cr_expect_null(alias.versions);
    cr_expect_not(alias.is_main);
    cr_expect(alias.is_virtual);
    cr_expect_eq(alias.index, main.index);
    expect("-s RIPE-GRS --list-versions AS7", E101("RIPE-GRS"));
}
