/*
 * Version queries from their line to their last byte, over a store in memory.
 */
#include "query/answer.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "fixture.h"
#include "fixture_versions.h"

static const char dump[] = "mntner:         A-MNT\n"
                           "descr:          one\n"
                           "address:        Street 1\n"
                           "e-mail:         a@example.net\n"
                           "auth:           MD5-PW $1$x\n"
                           "source:         RIPE\n"
                           "\n"
                           "inetnum:        10.0.0.0 - 10.0.0.255\n"
                           "netname:        TEN\n"
                           "source:         RIPE\n"
                           "\n"
                           "role:           Caf\xc3\xa9\n"
                           "nic-hdl:        C1-RIPE\n"
                           "source:         RIPE\n"
                           "\n"
                           "route:          10.0.0.0/8\n"
                           "origin:         AS1\n"
                           "descr:          caf\xc3\xa9\n"
                           "source:         RIPE\n";
/* Of the second that each operation takes, the fixture makes the times. */
static const char journal[] = "ADD 2\n\n"
                              "mntner:         A-MNT\n"
                              "descr:          two,\n"
                              "                and more\n"
                              "auth:           MD5-PW $1$x\n"
                              "source:         RIPE\n\n"
                              "DEL 3\n\n"
                              "inetnum:        10.0.0.0 - 10.0.0.255\n"
                              "netname:        TEN\n"
                              "source:         RIPE\n\n"
                              "DEL 4\n\n"
                              "route:          10.0.0.0/8\n"
                              "origin:         AS1\n"
                              "source:         RIPE\n\n"
                              "ADD 5\n\n"
                              "route:          10.0.0.0/8\n"
                              "origin:         AS1\n"
                              "descr:          caf\xc3\xa9\n"
                              "source:         RIPE\n\n"
                              "ADD 6\n\n"
                              "mntner:         IRT-TWO\n"
                              "source:         RIPE\n\n"
                              "ADD 7\n\n"
                              "irt:            IRT-TWO\n"
                              "source:         RIPE\n\n"
                              "ADD 8\n\n"
                              "inet-rtr:       r_1.example\n"
                              "source:         RIPE\n\n"
                              "ADD 9\n\n"
                              "person:         Former Role\n"
                              "nic-hdl:        FR1-RIPE\n"
                              "source:         RIPE\n\n"
                              "ADD 10\n\n"
                              "role:           Former Role\n"
                              "nic-hdl:        FR1-RIPE\n"
                              "source:         RIPE\n\n"
                              "ADD 11\n\n"
                              "mntner:         FR1-RIPE\n"
                              "source:         RIPE\n\n"
                              "ADD 12\n\n"
                              "person:         Two Lives\n"
                              "nic-hdl:        TL1-RIPE\n"
                              "source:         RIPE\n\n"
                              "ADD 13\n\n"
                              "role:           Two Lives\n"
                              "nic-hdl:        TL1-RIPE\n"
                              "source:         RIPE\n\n"
                              "ADD 14\n\n"
                              "mntner:         IRT-TWO\n"
                              "descr:          two\n"
                              "source:         RIPE\n\n";

static struct query_source sources[2];
static struct settings *settings;
static struct answer_tools tools;
static struct arena *arena;
static struct buf printed;
static enum err store_fails;

/* The fixture's store, unless the test says that the database is down. */
static enum err find(void *context, uint32_t classes, struct str key, struct arena *memory,
                     struct history_list *out, struct why *why)
{
    return store_fails != ERR_OK
               ? why_set(why, store_fails, "no database")
               : fixture_version_store.find(context, classes, key, memory, out, why);
}

static enum err find_text(void *context, const struct object_version *version, struct arena *memory,
                          struct str *out, struct why *why)
{
    return fixture_version_store.text(context, version, memory, out, why);
}

static const struct version_store store = {find, find_text};

static void setup(void)
{
    static const char *additional[] = {"X-GRS"};
    struct query_conf conf = {
        .main_source = "RIPE",
        .nonauth_source = "",
        .additional = {additional, 1},
        .service = "test",
        .instance = "here",
        .terms_url = "http://terms/",
    };
    struct why why;

    arena = arena_new(1 << 20);
    tools = (struct answer_tools){
        .reader = reader_new(),
        .matcher = key_matcher_new(),
        .scratch = arena_new(1 << 24),
        .acl = acl_new(&system_clock, -1),
    };
    sources[0] = (struct query_source){.name = "RIPE", .is_main = true};
    sources[1] = (struct query_source){.name = "X-GRS"};
    for (int i = 0; i < 2; i++) {
        sources[i].index = index_new(sources[i].name);
        reader_attach(tools.reader, sources[i].index);
    }
    sources[0].versions = &store;
    sources[0].context = fixture_versions_new(STR(dump), STR(journal));
    cr_assert_eq(settings_new(&conf, sources, 2, &settings, &why), ERR_OK, "%s", why.text);
    tools.settings = settings;
    reader_refresh(tools.reader);
}

static void teardown(void)
{
    fixture_versions_free(sources[0].context);
    reader_free(tools.reader);
    key_matcher_free(tools.matcher);
    arena_free(tools.scratch);
    buf_free(&tools.utf8);
    acl_free(tools.acl);
    buf_free(&printed);
    settings_free(settings);
    arena_free(arena);
    index_free(sources[0].index);
    index_free(sources[1].index);
}

TestSuite(versions, .init = setup, .fini = teardown);

static struct answer ask(const char *line)
{
    const struct answer_client client = {.is_trusted = true};
    enum answer_progress progress;
    struct answer answer;

    buf_clear(&printed);
    arena_reset(arena);
    cr_assert_eq(answer_read(&answer, &tools, str_from(line), &client, arena), ERR_OK);
    while ((progress = answer_step(&answer, &printed)) != ANSWER_DONE) {
        if (progress == ANSWER_WAITS) {
            version_query_run(answer.versions);
        }
    }
    answer_end(&answer);
    buf_add_char(&printed, '\0');
    return answer;
}

static void expect(const char *line, const char *text)
{
    ask(line);
    cr_expect_str_eq(printed.at, text, "%s: %s", line, printed.at);
}

#define HEAD(class, key)                                                                           \
    "% Version history for " class " object \"" key "\"\n"                                         \
                                   "% You can use \"--show-version rev#\" to get an exact "        \
                                   "version of the object.\n\n"
#define COLUMNS    "rev#  Date              Op.    \n\n"
#define NO_ENTRIES "%ERROR:101: no entries found\n%\n% No entries found in source RIPE,X-GRS.\n\n"
#define BAD_OPTION                                                                                 \
    "%ERROR:111: invalid option supplied\n%\n% Use help query to see the valid options.\n\n"
#define TOO_HIGH(count)                                                                            \
    "%ERROR:117: version cannot exceed " count " for this object\n%\n"                             \
    "% Versions are numbers greater or equal to 1\n"                                               \
    "% but cannot exceed the object's current version number.\n\n"
#define DELETED                                                                                    \
    HEAD("INETNUM", "10.0.0.0 - 10.0.0.255")                                                       \
    "% This object was deleted on "                                                                \
    "2001-09-09T01:46:45Z\n\n"

Test(versions, are_listed)
{
    expect("--list-versions a-mnt",
           HEAD("MNTNER", "a-mnt") COLUMNS "1     2001-09-09T01:46:40Z  ADD/UPD\n"
                                           "2     2001-09-09T01:46:44Z  ADD/UPD\n\n");
}

Test(versions, are_shown_without_secrets_and_contacts)
{
    expect("--show-version 1 A-MNT",
           "% Version 1 of object \"A-MNT\"\n"
           "% This version was a UPDATE operation on 2001-09-09T01:46:40Z\n"
           "% You can use \"--list-versions\" to get a list of versions for an object.\n\n"
           "mntner:         A-MNT\n"
           "descr:          one\n"
           "auth:           MD5-PW # Filtered\n"
           "source:         RIPE # Filtered\n\n");
}

Test(versions, the_newest_is_the_current_one)
{
    ask("--show-version 2 A-MNT");
    cr_expect_not_null(strstr(printed.at, "% Version 2 (current version) of object \"A-MNT\"\n"));
}

Test(versions, differences_are_those_of_what_is_shown)
{
    expect("--diff-versions 1:2 A-MNT",
           "% Difference between version 1 and 2 of object \"A-MNT\"\n\n"
           "@@ -1,3 +1,4 @@\n"
           " mntner:         A-MNT\n"
           "-descr:          one\n"
           "+descr:          two,\n"
           "+and more\n"
           " auth:           MD5-PW # Filtered\n\n");
}

Test(versions, of_a_deleted_object_only_that_is_told)
{
    expect("--list-versions 10.0.0.0/24", DELETED);
    expect("--show-version 1 10.0.0.0 - 10.0.0.255", DELETED);
    expect("--diff-versions nonsense 10.0.0.0-10.0.0.255", DELETED);
}

Test(versions, begin_anew_after_a_deletion)
{
    expect("--list-versions 10.0.0.0/8as1",
           HEAD("ROUTE",
                "10.0.0.0/8as1") "% This object was deleted on 2001-09-09T01:46:46Z\n\n" COLUMNS
                                 "1     2001-09-09T01:46:47Z  ADD/UPD\n\n");
}

Test(versions, come_in_the_charset_that_was_asked_for)
{
    ask("--show-version 1 10.0.0.0/8AS1");
    cr_expect_not_null(strstr(printed.at, "caf\xe9\n"));
    ask("-Z utf8 --show-version 1 10.0.0.0/8AS1");
    cr_expect_not_null(strstr(printed.at, "caf\xc3\xa9\n"));
}

Test(versions, persons_and_roles_have_none)
{
    expect("--list-versions C1-RIPE", "% Version history for ROLE object \"C1-RIPE\"\n"
                                      "% History not available for PERSON and ROLE objects.\n\n");
    expect("--list-versions -T role C1-RIPE",
           "%ERROR:116: unsupported query\n%\n"
           "% Versions are not supported for PERSON/ROLE objects\n\n");
}

/* In the order of the names of their classes; what one lacks another may have. */
Test(versions, of_objects_of_several_classes)
{
    const char *irt, *mntner;

    ask("--list-versions IRT-TWO");
    irt = strstr(printed.at, HEAD("IRT", "IRT-TWO"));
    mntner = strstr(printed.at, HEAD("MNTNER", "IRT-TWO"));
    cr_expect(irt == printed.at && mntner > irt, "%s", printed.at);
    ask("--list-versions -T irt,mntner IRT-TWO");
    irt = strstr(printed.at, HEAD("IRT", "IRT-TWO"));
    mntner = strstr(printed.at, HEAD("MNTNER", "IRT-TWO"));
    cr_expect(mntner == printed.at && irt > mntner, "%s", printed.at);
    ask("--show-version 2 IRT-TWO");
    cr_expect(str_starts(str_from(printed.at),
                         STR(TOO_HIGH("1") "% Version 2 (current version) of object")),
              "%s", printed.at);
    expect("--diff-versions 4:3 IRT-TWO", TOO_HIGH("1") TOO_HIGH("2"));
    expect("--show-version 0 IRT-TWO",
           "% version flag number must be greater than 0\n%\n" BAD_OPTION);
}

/* `_` is in no name of a router that can be looked up. */
Test(versions, of_what_is_found_in_no_other_way)
{
    ask("--list-versions r_1.example");
    cr_expect(str_starts(str_from(printed.at), STR(HEAD("INET-RTR", "r_1.example"))), "%s",
              printed.at);
}

#define NO_HISTORY(class, key)                                                                     \
    "% Version history for " class " object \"" key "\"\n"                                         \
                                   "% History not available for PERSON and ROLE objects.\n\n"

Test(versions, persons_are_mentioned_for_want_of_others_or_by_class)
{
    expect("--list-versions TL1-RIPE",
           NO_HISTORY("PERSON", "TL1-RIPE") NO_HISTORY("ROLE", "TL1-RIPE"));
    expect("--diff-versions 1:2 FR1-RIPE", TOO_HIGH("1"));
    expect("--diff-versions 1:2 -T person,mntner FR1-RIPE",
           TOO_HIGH("1") NO_HISTORY("PERSON", "FR1-RIPE"));
}

Test(versions, arguments_are_checked_when_there_is_an_object)
{
    expect("--show-version x NOSUCH-MNT", NO_ENTRIES);
    expect("--show-version x A-MNT", BAD_OPTION);
    expect("--show-version 2147483648 A-MNT", BAD_OPTION);
    expect("--show-version 0 A-MNT",
           "% version flag number must be greater than 0\n%\n" BAD_OPTION);
    expect("--show-version -1 A-MNT",
           "% version flag number must be greater than 0\n%\n" BAD_OPTION);
    expect("--show-version 3 A-MNT", TOO_HIGH("2"));
    expect("--show-version +1 --show-version 1 A-MNT",
           "%ERROR:110: multiple use of flag\n%\n"
           "% The flag \"--show-version\" cannot be used multiple times.\n\n");
    expect("--diff-versions 1 A-MNT", "% diff versions must be in the format a:b\n%\n" BAD_OPTION);
    expect("--diff-versions 1:2:3 A-MNT",
           "% diff versions must be in the format a:b\n%\n" BAD_OPTION);
    expect("--diff-versions 1:x A-MNT", "% diff version must be a number\n%\n" BAD_OPTION);
    expect("--diff-versions 0:1 A-MNT",
           "% diff version number must be greater than 0\n%\n" BAD_OPTION);
    expect("--diff-versions 5:5 A-MNT", "% diff versions are the same\n%\n" BAD_OPTION);
    expect("--diff-versions 1:3 A-MNT", TOO_HIGH("2"));
}

Test(versions, of_named_sources)
{
    expect("-s X-GRS --list-versions A-MNT",
           "%ERROR:101: no entries found\n%\n% No entries found in source X-GRS.\n\n");
    ask("-s X-GRS,RIPE --list-versions A-MNT");
    cr_expect(str_starts(str_from(printed.at), STR(HEAD("MNTNER", "A-MNT"))), "%s", printed.at);
}

Test(versions, cannot_be_read_while_the_database_is_down)
{
    struct answer answer;

    log_set_level(LOG_ERROR);
    store_fails = ERR_SQL_LOST;
    answer = ask("--list-versions A-MNT");
    cr_expect_str_eq(printed.at, "%ERROR:100: internal software error\n%\n"
                                 "% the versions of source RIPE cannot be read at the moment\n\n");
    cr_expect(answer.must_close);
    cr_expect_str_eq(answer.failure, "database connection lost");
    store_fails = ERR_OK;
}
