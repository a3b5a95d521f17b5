/*
 * NRTM sessions: what is applied, where the position goes, and how a session ends.
 */
#include "mirror/nrtm_session.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <limits.h>
#include <string.h>

#include "base/log.h"
#include "fake_storage.h"

static struct nrtm_counters counters;
static int64_t careful_until;

static struct nrtm_session *session_of(int version, int64_t first, bool keep_open)
{
    const struct nrtm_session_conf conf = {
        .source = fake_source(),
        .clock = &system_clock,
        .charset = CHARSET_LATIN1,
        .max_object = 8 * 1024 * 1024,
        .request = {version, first, -1, keep_open},
        .counters = &counters,
        .careful_until = &careful_until,
    };

    return nrtm_session_new(&conf);
}

static void reset(void)
{
    fake_storage_reset(10);
    log_set_level(LOG_ERROR);
}

TestSuite(nrtm_session, .init = reset);

/* A whole session in pieces; the caller sees how it ended. */
static enum nrtm_outcome run(struct nrtm_session *session, struct str bytes, size_t piece)
{
    enum nrtm_outcome outcome = OUTCOME_GOES_ON;

    for (size_t at = 0; at < bytes.len && outcome == OUTCOME_GOES_ON; at += piece) {
        outcome = nrtm_session_feed(session, str_sub(bytes, at, at + piece));
    }
    return outcome == OUTCOME_GOES_ON ? nrtm_session_end(session) : outcome;
}

static void expect_committed(const char *lines)
{
    struct str want = str_from(lines);

    cr_expect(str_eq(buf_str(&fake.committed), want), "committed:\n%.*s",
              STR_ARG(buf_str(&fake.committed)));
    cr_expect_eq(fake.begun, 0, "a batch was left open");
}

struct play {
    char name[56];
    int version;
    bool keep_open;
    char bytes[400];
    char committed[300];
    enum nrtm_outcome outcome;
    int64_t hw;
};

#define START3      "%START Version: 3 RIPE 11-13\n\n"
#define ADD(n, x)   "ADD " #n "\n\nperson: " x "\nsource: RIPE\n\n"
#define DEL(n, x)   "DEL " #n "\n\nperson: " x "\n\n"
#define ADDED(n, x) "add " #n " [person: " x "/source: RIPE/]\n"

ParameterizedTestParameters(nrtm_session, applies_what_is_complete_and_nothing_else)
{
    // clang-format off
    static struct play plays[] = {
        {"a whole range", 3, false, START3 ADD(11, "A") DEL(12, "B") ADD(13, "C") "%END RIPE\n\n",
         ADDED(11, "A") "del 12 [person: B/]\n" ADDED(13, "C"), OUTCOME_COMPLETE, 13},
        {"gaps, and an end behind the last operation", 3, false, START3 ADD(12, "A") "%END RIPE\n",
         ADDED(12, "A"), OUTCOME_COMPLETE, 13},
        {"an empty range", 3, false, START3 "%END RIPE\n", "", OUTCOME_COMPLETE, 13},
        {"lower-case source", 3, false, "%START Version: 3 ripe 11-13\n%END ripe\n", "",
         OUTCOME_COMPLETE, 13},
        {"cut before the end", 3, false, START3 ADD(11, "A") ADD(12, "B"),
         ADDED(11, "A") ADDED(12, "B"), OUTCOME_PEER_CLOSED, 12},
        {"cut inside an object", 3, false, START3 ADD(11, "A") "ADD 12\n\nperson: B\nsour",
         ADDED(11, "A"), OUTCOME_PEER_CLOSED, 11},
        {"cut behind an op line", 3, true, START3 ADD(11, "A") "ADD 12\n", ADDED(11, "A"),
         OUTCOME_PEER_CLOSED, 11},
        {"cut behind start", 3, true, START3, "", OUTCOME_PEER_CLOSED, 10},
        {"stream goes on behind the range", 3, true, START3 ADD(13, "A") ADD(19, "B"),
         ADDED(13, "A") ADDED(19, "B"), OUTCOME_PEER_CLOSED, 19},
        {"batch markers", 3, true, START3 ADD(11, "A") "%END 11 - 15\n\n", ADDED(11, "A"),
         OUTCOME_PEER_CLOSED, 15},
        {"a batch marker in a range", 3, false, START3 ADD(11, "A") "%END 11 - 13\n\n",
         ADDED(11, "A"), OUTCOME_PEER_CLOSED, 11},
        {"repeated serials", 3, true,
         START3 ADD(11, "A") ADD(12, "B") ADD(11, "A") ADD(12, "B") ADD(13, "C"),
         ADDED(11, "A") ADDED(12, "B") ADDED(13, "C"), OUTCOME_PEER_CLOSED, 13},
        {"serials we have", 3, true, START3 ADD(9, "A") ADD(10, "B") ADD(11, "C"), ADDED(11, "C"),
         OUTCOME_PEER_CLOSED, 11},
        {"serial behind a closed range", 3, false, START3 ADD(11, "A") ADD(14, "B"), ADDED(11, "A"),
         OUTCOME_PROTOCOL, 11},
        {"second start", 3, true, START3 ADD(11, "A") START3, ADDED(11, "A"), OUTCOME_PROTOCOL, 11},
        {"another source", 3, true, "%START Version: 3 APNIC 11-13\n" ADD(11, "A"), "",
         OUTCOME_PROTOCOL, 10},
        {"another version", 3, true, "%START Version: 2 RIPE 11-13\n", "", OUTCOME_PROTOCOL, 10},
        {"another first serial", 3, true, "%START Version: 3 RIPE 12-13\n", "", OUTCOME_PROTOCOL,
         10},
        {"empty range at the end", 3, true, "%START Version: 3 RIPE 11-10\n" ADD(11, "A"),
         ADDED(11, "A"), OUTCOME_PEER_CLOSED, 11},
        {"impossible range", 3, true, "%START Version: 3 RIPE 11-9\n", "", OUTCOME_PROTOCOL, 10},
        {"operation before start", 3, true, ADD(11, "A"), "", OUTCOME_PROTOCOL, 10},
        {"end before start", 3, true, "%END RIPE\n", "", OUTCOME_PROTOCOL, 10},
        {"end of another source", 3, false, START3 ADD(11, "A") "%END APNIC\n", ADDED(11, "A"),
         OUTCOME_PROTOCOL, 11},
        {"operation without serial", 3, true, START3 "ADD\n\nperson: A\n\n", "", OUTCOME_PROTOCOL,
         10},
        {"operation without object", 3, true, START3 ADD(11, "A") "ADD 12\n\nADD 13\n\n",
         ADDED(11, "A"), OUTCOME_PROTOCOL, 11},
        {"garbage", 3, true, START3 ADD(11, "A") "hello\n", ADDED(11, "A"), OUTCOME_PROTOCOL, 11},
        {"serial beyond 31 bits", 3, true, START3 ADD(11, "A") ADD(2147483648, "B"), ADDED(11, "A"),
         OUTCOME_SERIAL_RANGE, 11},
        {"object of another source", 3, true, START3 "ADD 11\n\nperson: A\nsource: APNIC\n\n", "",
         OUTCOME_PEER_CLOSED, 11},
        {"object without a key", 3, true, START3 "ADD 11\n\n?\n\n" ADD(12, "B"),
         "quarantine 11 [?/]\n" ADDED(12, "B"), OUTCOME_PEER_CLOSED, 12},
        {"Latin-1", 3, true, START3 "ADD 11\n\nperson: \xfc\n\n", "add 11 [person: \xc3\xbc/]\n",
         OUTCOME_PEER_CLOSED, 11},
        {"version 2 counts from the start", 2, false,
         "%START Version: 2 RIPE 11-13\n\nADD\n\nperson: A\n\nDEL\n\nperson: B\n\n%END RIPE\n",
         "add 11 [person: A/]\ndel 12 [person: B/]\n", OUTCOME_COMPLETE, 13},
        {"version 2, cut", 2, false, "%START Version: 2 RIPE 11-13\n\nADD\n\nperson: A\n\nDEL\n\n",
         "add 11 [person: A/]\n", OUTCOME_PEER_CLOSED, 11},
        {"refusal for age behind start", 3, true,
         START3 "% Your request has been denied to protect private data.\n"
                "% (Requesting serials older than 14 days will be rejected)\n",
         "", OUTCOME_EXPIRED, 10},
        {"refusal with its reason", 3, true,
         START3 ADD(11, "A") "%ERROR:201: access denied for 192.0.2.1\n%\n% for today\n\n",
         ADDED(11, "A"), OUTCOME_DENIED, 11},
        {"refusal, then closed", 3, true, "%ERROR:201: access denied for 192.0.2.1\n% for to", "",
         OUTCOME_DENIED, 10},
        {"refusal without line end", 3, true, "%% Access denied", "", OUTCOME_DENIED, 10},
        {"up to date, RIPE", 3, true, "% banner\n\n%ERROR:401: invalid range: Not within 1-10\n\n",
         "", OUTCOME_UP_TO_DATE, 10},
        {"up to date, IRRd", 3, true, "% Warning: there are no newer updates available\n", "",
         OUTCOME_UP_TO_DATE, 10},
        {"nothing at all", 3, true, "", "", OUTCOME_PEER_CLOSED, 10},
    };
    // clang-format on
    return cr_make_param_array(struct play, plays, sizeof(plays) / sizeof(plays[0]));
}

ParameterizedTest(struct play *p, nrtm_session, applies_what_is_complete_and_nothing_else)
{
    for (size_t piece = 1; piece < 1000; piece *= 6) {
        struct nrtm_session *session;

        reset();
        session = session_of(p->version, 11, p->keep_open);
        cr_expect_eq(run(session, str_from(p->bytes), piece), p->outcome, "%s: %s", p->name,
                     nrtm_session_why(session));
        cr_expect_eq(nrtm_session_position(session), p->hw, "%s", p->name);
        nrtm_session_free(session);
        expect_committed(p->committed);
        cr_expect_eq(fake.hw, p->hw, "%s", p->name);
    }
}

Test(nrtm_session, waits_for_the_caller_to_commit_small_batches)
{
    struct nrtm_session *session = session_of(3, 11, true);

    cr_expect_eq(nrtm_session_feed(session, STR(START3 ADD(11, "A"))), OUTCOME_GOES_ON);
    cr_expect(nrtm_session_is_pending(session));
    cr_expect_eq(fake.commits, 0);
    cr_expect_eq(nrtm_session_commit(session), OUTCOME_GOES_ON);
    cr_expect_eq(fake.commits, 1);
    cr_expect_not(nrtm_session_is_pending(session));
    cr_expect_eq(nrtm_session_commit(session), OUTCOME_GOES_ON);
    cr_expect_eq(fake.commits, 1, "an empty commit");
    nrtm_session_free(session);
    cr_expect_eq(counters.operations, 1);
}

Test(nrtm_session, commits_large_batches_by_itself)
{
    static char value[1000000];
    struct nrtm_session *session = session_of(3, 11, true);
    struct buf bytes = {0};

    memset(value, 'x', sizeof(value) - 1);
    buf_printf(&bytes, "%%START Version: 3 RIPE 11-30\n\n");
    for (int serial = 11; serial <= 20; serial++) {
        buf_printf(&bytes, "ADD %d\n\nperson: %s\n\n", serial, value);
    }
    cr_expect_eq(nrtm_session_feed(session, buf_str(&bytes)), OUTCOME_GOES_ON);
    cr_expect_eq(fake.commits, 2, "10 MB in batches of 4 MB: %d", fake.commits);
    nrtm_session_free(session);
    buf_free(&bytes);
}

Test(nrtm_session, drops_what_was_not_committed)
{
    struct nrtm_session *session = session_of(3, 11, true);

    cr_expect_eq(nrtm_session_feed(session, STR(START3 ADD(11, "A"))), OUTCOME_GOES_ON);
    nrtm_session_free(session);
    expect_committed("");
    cr_expect_eq(fake.hw, 10);
}

struct failure {
    enum err rc;
    enum nrtm_outcome outcome;
};

ParameterizedTestParameters(nrtm_session, never_moves_when_a_commit_fails)
{
    // clang-format off
    static struct failure failures[] = {
        {ERR_MOVED, OUTCOME_MOVED},
        {ERR_SQL_LOST, OUTCOME_DATABASE_DOWN},
        {ERR_SQL_FULL, OUTCOME_DATABASE_FULL},
        {ERR_SQL_RETRY, OUTCOME_DATABASE_RETRY},
        {ERR_SQL, OUTCOME_BAD_BATCH},
        {ERR_SQL_PACKET, OUTCOME_BAD_BATCH},
    };
    // clang-format on
    return cr_make_param_array(struct failure, failures, sizeof(failures) / sizeof(failures[0]));
}

ParameterizedTest(struct failure *f, nrtm_session, never_moves_when_a_commit_fails)
{
    struct nrtm_session *session = session_of(3, 11, false);

    fake.next_commit[0] = f->rc;
    fake.next_commit_count = 1;
    cr_expect_eq(run(session, STR(START3 ADD(11, "A") ADD(12, "B") "%END RIPE\n"), 1000),
                 f->outcome);
    cr_expect_eq(nrtm_session_commit(session), f->outcome, "committed behind its end");
    cr_expect_eq(nrtm_session_feed(session, STR(ADD(13, "C"))), f->outcome);
    cr_expect_eq(nrtm_session_end(session), f->outcome);
    cr_expect_eq(nrtm_session_position(session), 10);
    nrtm_session_free(session);
    expect_committed("");
    cr_expect_eq(fake.hw, 10);
}

Test(nrtm_session, finds_the_operation_that_is_too_large_and_keeps_the_others)
{
    static const char bytes[] =
        START3 ADD(11, "A") ADD(12, "much longer than the others") ADD(13, "C") "%END RIPE\n";
    struct nrtm_session *session = session_of(3, 11, false);

    log_set_level(LOG_ERROR + 1);
    fake.packet_limit = 30;
    cr_expect_eq(run(session, STR(bytes), 1000), OUTCOME_BAD_BATCH);
    nrtm_session_free(session);
    expect_committed("");
    cr_expect_eq(careful_until, 13);

    session = session_of(3, 11, false);
    cr_expect_eq(run(session, STR(bytes), 1000), OUTCOME_COMPLETE);
    nrtm_session_free(session);
    expect_committed(ADDED(11, "A") "quarantine 12 []\n" ADDED(13, "C"));
    cr_expect_eq(fake.hw, 13);
    cr_expect_eq(counters.quarantined, 1);
}

Test(nrtm_session, keeps_asking_when_one_operation_fails_for_no_reason_of_its_own)
{
    struct nrtm_session *session;

    careful_until = 11;
    fake.next_commit[0] = ERR_SQL;
    fake.next_commit_count = 1;
    session = session_of(3, 11, true);
    cr_expect_eq(run(session, STR(START3 ADD(11, "A")), 1000), OUTCOME_BAD_BATCH);
    nrtm_session_free(session);
    expect_committed("");
    cr_expect_eq(fake.hw, 10);
}

Test(nrtm_session, counts_gaps_and_repeats)
{
    struct nrtm_session *session = session_of(3, 11, true);

    run(session, STR(START3 ADD(13, "A") ADD(13, "A") ADD(16, "B")), 1000);
    nrtm_session_free(session);
    cr_expect_eq(counters.gaps, 4);
    cr_expect_eq(counters.repeated, 1);
    cr_expect_eq(counters.operations, 2);
}

Test(nrtm_session, keeps_the_raw_bytes_of_what_is_not_in_the_declared_charset)
{
    const struct nrtm_session_conf conf = {
        .source = fake_source(),
        .clock = &system_clock,
        .charset = CHARSET_UTF8,
        .max_object = 1000,
        .request = {3, 11, -1, true},
        .counters = &counters,
        .careful_until = &careful_until,
    };
    struct nrtm_session *session = nrtm_session_new(&conf);

    run(session, STR(START3 "ADD 11\n\nperson: \xfc\n\nADD 12\n\nperson: \xc3\xbc\n\n"), 1000);
    nrtm_session_free(session);
    expect_committed("add 11 [person: \xc3\xbc/]\nquarantine 11 [person: \xfc/]\n"
                     "add 12 [person: \xc3\xbc/]\n");
    cr_expect_eq(counters.recoded, 1);
}

/* --- room for batches --- */

Test(nrtm_session, waits_for_room_and_loses_nothing)
{
    struct nrtm_session *session = session_of(3, 11, false);

    fake.no_room = INT_MAX;
    cr_expect_eq(nrtm_session_feed(session, STR(START3 ADD(11, "A") ADD(12, "B") "%END RIPE\n")),
                 OUTCOME_GOES_ON);
    cr_expect(nrtm_session_is_waiting(session));
    cr_expect(nrtm_session_has_started(session), "what is before it has been read");
    cr_expect_not(nrtm_session_is_pending(session));
    cr_expect_eq(nrtm_session_go_on(session), OUTCOME_GOES_ON);
    cr_expect(nrtm_session_is_waiting(session));
    cr_expect_eq(fake.begun, 0);
    fake.no_room = 0;
    cr_expect_eq(nrtm_session_go_on(session), OUTCOME_COMPLETE);
    cr_expect_not(nrtm_session_is_waiting(session));
    nrtm_session_free(session);
    expect_committed(ADDED(11, "A") ADDED(12, "B"));
    cr_expect_eq(fake.hw, 13);
    cr_expect_eq(counters.gaps, 0, "each was looked at once");
}

Test(nrtm_session, has_room_until_its_batch_ends)
{
    struct nrtm_session *session = session_of(3, 11, true);

    cr_expect_eq(nrtm_session_feed(session, STR(START3 ADD(11, "A"))), OUTCOME_GOES_ON);
    fake.no_room = INT_MAX;
    cr_expect_eq(nrtm_session_feed(session, STR(ADD(12, "B"))), OUTCOME_GOES_ON);
    cr_expect_not(nrtm_session_is_waiting(session));
    cr_expect_eq(nrtm_session_commit(session), OUTCOME_GOES_ON);
    expect_committed(ADDED(11, "A") ADDED(12, "B"));
    cr_expect_eq(nrtm_session_feed(session, STR(ADD(13, "C"))), OUTCOME_GOES_ON);
    cr_expect(nrtm_session_is_waiting(session));
    cr_expect_eq(nrtm_session_end(session), OUTCOME_PEER_CLOSED, "what waits is dropped");
    nrtm_session_free(session);
    cr_expect_eq(fake.hw, 12);
}

/* What changes no object leaves no old versions behind. */
Test(nrtm_session, needs_no_room_where_no_object_changes)
{
    struct nrtm_session *session = session_of(3, 11, false);

    fake.no_room = INT_MAX;
    cr_expect_eq(run(session, STR(START3 "%END RIPE\n"), 1000), OUTCOME_COMPLETE);
    nrtm_session_free(session);
    cr_expect_eq(fake.hw, 13);
}
