/*
 * The client's state machine, on a fake clock, fake sockets and a fake storage.
 */
#include "mirror/nrtm_client.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_net.h"
#include "fake_storage.h"

#define HEAD      "%START Version: 3 RIPE 11-12\n\n"
#define OP(n)     "ADD " #n "\n\nperson: A\n\n"
#define OPERATION "ADD 11\n\nperson: A\n\n"
#define CURRENT   "%ERROR:401: invalid range: Not within 1-10\n\n"

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE };

static struct nrtm_client_conf conf;
static struct nrtm_probes probes;
static struct nrtm_client *client;
static char log_path[] = "/tmp/client_test.XXXXXX";

static void setup(void)
{
    int fd = mkstemp(log_path);

    cr_assert_geq(fd, 0);
    close(fd);
    cr_assert_eq(log_open(log_path, NULL), ERR_OK);
    fake_storage_reset(10);
    fake_net_reset();
    conf = (struct nrtm_client_conf){
        .host = "nrtm.example",
        .port = 4444,
        .version = 3,
        .poll_s = 60,
        .max_object = 1000000,
        .connect_timeout_s = 10,
        .start_timeout_s = 300,
        .idle_probe_s = 600,
        .heartbeat_s = 6 * 3600,
        .reset_grace_s = 1800,
        .probes = &probes,
    };
    client = nrtm_client_new(&conf, fake_source(), NULL, &fake_clock);
}

static void teardown(void)
{
    nrtm_client_free(client);
    cr_expect_eq(fake_conns_open(), 0, "a connection was left open");
    cr_expect_eq(fake_connects_pending(), 0);
    cr_expect_eq(fake_next_timer_ms(), -1, "a timer was left");
    cr_expect_eq(fake.begun, 0, "a batch was left open");
    unlink(log_path);
}

TestSuite(nrtm_client, .init = setup, .fini = teardown);

/* Lines of the log that contain a text. */
static int logged(const char *text)
{
    FILE *file = fopen(log_path, "r");
    char line[2000];
    int count = 0;

    cr_assert_not_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        count += strstr(line, text) != NULL;
    }
    fclose(file);
    return count;
}

static struct nrtm_client_status status(void)
{
    struct nrtm_client_status out;

    nrtm_client_get_status(client, &out);
    return out;
}

static struct conn *start(void)
{
    nrtm_client_start(client);
    return fake_accept();
}

static void expect_state(enum nrtm_state state)
{
    cr_expect_eq(status().state, state, "is in state %d", (int)status().state);
}

Test(nrtm_client, asks_for_everything_behind_its_position)
{
    struct conn *conn = start();

    cr_expect_str_eq(fake_sent(conn), "-g RIPE:3:11-LAST -k\n");
    expect_state(NRTM_REQUESTED);
}

Test(nrtm_client, asks_behind_hw_when_it_is_above_the_newest_row)
{
    fake.hw = 25;
    cr_expect_str_eq(fake_sent(start()), "-g RIPE:3:26-LAST -k\n");
}

Test(nrtm_client, polls_without_keeping_open_in_mode_poll)
{
    nrtm_client_free(client);
    conf.mode = NRTM_MODE_POLL;
    conf.version = 1;
    client = nrtm_client_new(&conf, fake_source(), NULL, &fake_clock);
    cr_expect_str_eq(fake_sent(start()), "-g RIPE:1:11-LAST\n");
}

Test(nrtm_client, logs_the_lines_that_operators_look_for)
{
    struct conn *conn = start();

    fake_receive(conn, "% banner\n\n" HEAD);
    cr_expect_eq(logged("INFO  [NrtmClientFactory] Connected to nrtm.example:4444\n"), 1);
    cr_expect_eq(logged("INFO  [NrtmClientFactory] %START Version: 3 RIPE 11-12\n"), 1);
    expect_state(NRTM_RECEIVING);
}

Test(nrtm_client, commits_a_live_update_at_once)
{
    struct conn *conn = start();

    fake_receive(conn, HEAD);
    fake_receive(conn, OPERATION);
    cr_expect_eq(fake_next_timer_ms(), 0);
    fake_settle();
    cr_expect_eq(fake.commits, 1);
    cr_expect_eq(fake.hw, 11);
    cr_expect_eq(status().position, 11);
}

Test(nrtm_client, commits_what_arrived_together_in_one_batch)
{
    struct conn *conn = start();

    fake_receive(conn, HEAD OP(11));
    fake_receive(conn, OP(12));
    fake_receive(conn, OP(13));
    fake_settle();
    cr_expect_eq(fake.commits, 1);
    cr_expect_eq(fake.hw, 13);
    cr_expect_eq(status().standing, STANDING_STREAM);
}

/* What repeats for ever must not fill the log: one INFO at the start, none later. */
Test(nrtm_client, is_silent_while_it_is_up_to_date)
{
    nrtm_client_start(client);
    for (int i = 0; i < 50; i++) {
        struct conn *conn = fake_accept();

        fake_receive(conn, CURRENT);
        expect_state(NRTM_WAITING);
        cr_expect_eq(fake_conns_open(), 0);
        cr_expect_geq(fake_next_timer_ms(), i == 0 ? 12000 : i == 1 ? 24000 : 48000);
        fake_advance(fake_next_timer_ms());
    }
    cr_expect_eq(logged("Connected to"), 1);
    cr_expect_eq(logged("reason=up-to-date"), 1);
    cr_expect_eq(status().standing, STANDING_STREAM);
    cr_expect_str_eq(status().error, "");
}

Test(nrtm_client, waits_the_poll_interval_from_the_first_time_where_it_polls)
{
    nrtm_client_free(client);
    conf.mode = NRTM_MODE_POLL;
    client = nrtm_client_new(&conf, fake_source(), NULL, &fake_clock);
    nrtm_client_start(client);
    for (int i = 0; i < 3; i++) {
        fake_receive(fake_accept(), "% Warning: there are no newer updates available\n\n\n");
        cr_expect_eq(fake_next_timer_ms(), MINUTE);
        fake_advance(MINUTE);
    }
}

Test(nrtm_client, waits_at_most_the_poll_interval_while_up_to_date)
{
    nrtm_client_start(client);
    for (int i = 0; i < 10; i++) {
        fake_receive(fake_accept(), CURRENT);
        cr_expect_leq(fake_next_timer_ms(), 72000);
        fake_advance(fake_next_timer_ms());
    }
}

Test(nrtm_client, polls_a_server_that_closes_the_range)
{
    struct conn *conn = start();

    fake_receive(conn, HEAD OP(11) "%END RIPE\n\n");
    cr_expect_eq(fake.hw, 12, "hw is START.last");
    expect_state(NRTM_WAITING);
    cr_expect_eq(fake_next_timer_ms(), MINUTE);
    fake_advance(MINUTE);
    cr_expect_str_eq(fake_sent(fake_accept()), "-g RIPE:3:13-LAST\n");
}

Test(nrtm_client, comes_back_at_once_after_a_stream_that_brought_something)
{
    nrtm_client_start(client);
    for (int i = 0; i < 5; i++) {
        struct conn *conn = fake_accept();
        char bytes[100];

        snprintf(bytes, sizeof(bytes), "%%START Version: 3 RIPE %d-%d\n\nADD %d\n\nperson: A\n\n",
                 11 + i, 11 + i, 11 + i);
        fake_receive(conn, bytes);
        fake_eof(conn);
        cr_expect_leq(fake_next_timer_ms(), 1200);
        fake_advance(fake_next_timer_ms());
    }
    cr_expect_eq(fake.hw, 15);
}

Test(nrtm_client, backs_off_when_connections_fail)
{
    int64_t waited = 0;

    nrtm_client_start(client);
    for (int i = 0; i < 14; i++) {
        fake_refuse("nrtm.example port 4444: Connection refused");
        expect_state(NRTM_WAITING);
        cr_expect_leq(fake_next_timer_ms(), 360 * 1000);
        waited += fake_next_timer_ms();
        fake_advance(fake_next_timer_ms());
    }
    cr_expect_gt(waited, 20 * MINUTE);
    cr_expect_eq(logged("reason=connect-failed: nrtm.example port 4444: Connection refused"), 14);
    cr_expect_eq(status().standing, STANDING_BACKOFF);
    cr_expect_eq(status().failures, 14);
    fake_receive(fake_accept(), HEAD OP(11));
    fake_settle();
    cr_expect_str_eq(status().error, "");
}

Test(nrtm_client, gives_a_slow_server_its_time)
{
    struct conn *conn = start();

    fake_advance(299 * 1000);
    fake_receive(conn, HEAD);
    expect_state(NRTM_RECEIVING);
}

Test(nrtm_client, asks_a_server_that_never_starts_for_less)
{
    nrtm_client_start(client);
    cr_expect_str_eq(fake_sent(fake_accept()), "-g RIPE:3:11-LAST -k\n");
    fake_advance(301 * 1000);
    cr_expect_eq(logged("reason=no-start"), 1);
    fake_advance(10 * 1000);
    cr_expect_str_eq(fake_sent(fake_accept()), "-g RIPE:3:11-LAST -k\n");
    fake_advance(301 * 1000);
    fake_advance(10 * 1000);
    for (int range = 64000; range > 1; range /= 2) {
        char line[40];

        snprintf(line, sizeof(line), "-g RIPE:3:11-%d\n", 10 + (range < 1000 ? 1000 : range));
        cr_expect_str_eq(fake_sent(fake_accept()), line);
        fake_advance(301 * 1000);
        cr_expect_eq(status().standing, STANDING_BACKOFF);
        fake_advance(fake_next_timer_ms());
    }
    cr_expect_eq(logged("asks for 1000 serials at a time"), 1, "not for less");
    cr_expect_eq(logged("WARN  [NrtmImporter] session"), 17, "each time");
}

Test(nrtm_client, cuts_its_requests_to_the_servers_limit)
{
    struct conn *conn = start();

    fake_receive(conn, "%% ERROR: Serial range requested exceeds maximum range of 100\n\n\n");
    fake_advance(fake_next_timer_ms());
    conn = fake_accept();
    cr_expect_str_eq(fake_sent(conn), "-g RIPE:3:11-110\n");
    fake_receive(conn, "%START Version: 3 RIPE 11-110\n\n%END RIPE\n\n");
    cr_expect_eq(fake_next_timer_ms(), 0, "more is there");
    fake_advance(0);
    conn = fake_accept();
    cr_expect_str_eq(fake_sent(conn), "-g RIPE:3:111-210\n");
    fake_receive(conn, "%ERROR:401: invalid range: Not within 1-150\n\n");
    fake_advance(fake_next_timer_ms());
    conn = fake_accept();
    cr_expect_str_eq(fake_sent(conn), "-g RIPE:3:111-LAST\n");
}

Test(nrtm_client, does_not_ask_at_once_again_for_a_part_that_brought_nothing)
{
    struct conn *conn = start();

    fake_receive(conn, "%% ERROR: Serial range requested exceeds maximum range of 100\n\n\n");
    fake_advance(fake_next_timer_ms());
    fake_receive(fake_accept(), "%START Version: 3 RIPE 11-10\n\n%END RIPE\n\n");
    cr_expect_eq(fake_next_timer_ms(), MINUTE, "the poll interval");
}

struct refusal {
    char bytes[100];
    char reason[100];
    enum nrtm_standing standing;
    int64_t least_ms, most_ms;
};

ParameterizedTestParameters(nrtm_client, answers_each_refusal_in_its_way)
{
    // clang-format off
    static struct refusal refusals[] = {
        {"%ERROR:402: not authorised to mirror the database from IP address 192.0.2.1\n",
         "reason=denied", STANDING_DENIED, 12 * MINUTE, 18 * MINUTE},
        {"%ERROR:403: unknown source RIPE\n", "reason=protocol-error", STANDING_BACKOFF,
         10 * MINUTE, 10 * MINUTE},
        {"%START Version: 3 APNIC 11-12\n", "reason=protocol-error: asked for source RIPE",
         STANDING_BACKOFF, 10 * MINUTE, 10 * MINUTE},
        {"HTTP/1.1 400 Bad Request\n", "reason=protocol-error", STANDING_BACKOFF, 10 * MINUTE,
         10 * MINUTE},
        {"ERROR:306: connections exceeded\n", "reason=transient-error", STANDING_BACKOFF, 800,
         1200},
        {"%ERROR:401: (Requesting serials older than 14 days will be rejected)\n",
         "reason=serials-expired", STANDING_EXPIRED, 8 * MINUTE, 12 * MINUTE},
        {"%ERROR:401: invalid range: Not within 1-9\n", "reason=upstream-behind",
         STANDING_BOOTSTRAP, MINUTE, MINUTE},
    };
    // clang-format on
    return cr_make_param_array(struct refusal, refusals, sizeof(refusals) / sizeof(refusals[0]));
}

ParameterizedTest(struct refusal *r, nrtm_client, answers_each_refusal_in_its_way)
{
    fake_receive(start(), r->bytes);
    cr_expect_eq(logged(r->reason), 1, "%s", r->bytes);
    cr_expect_eq(status().standing, r->standing, "%s: %s", r->bytes,
                 nrtm_standing_text(status().standing));
    cr_expect(fake_next_timer_ms() >= r->least_ms && fake_next_timer_ms() <= r->most_ms,
              "%s: %lld ms", r->bytes, (long long)fake_next_timer_ms());
    cr_expect_str_neq(status().error, "");
    cr_expect_str_eq(fake.noted_state, nrtm_standing_text(r->standing));
}

Test(nrtm_client, goes_on_soon_after_garbage_in_the_middle)
{
    struct conn *conn = start();

    fake_receive(conn, HEAD OP(11) "garbage\n");
    cr_expect_eq(fake.hw, 11, "what was whole is kept");
    cr_expect_eq(fake_next_timer_ms(), 1000);
}

Test(nrtm_client, suspects_a_reset_when_the_upstream_stays_behind)
{
    nrtm_client_start(client);
    for (int i = 0; i < 29; i++) {
        fake_receive(fake_accept(), "%ERROR:401: invalid range: Not within 1-5\n");
        fake_advance(MINUTE);
    }
    cr_expect_neq(status().standing, STANDING_RESET_SUSPECTED, "a replica may lag");
    for (int i = 0; i < 3; i++) {
        fake_receive(fake_accept(), "%ERROR:401: invalid range: Not within 1-5\n");
        fake_advance(MINUTE);
    }
    cr_expect_eq(status().standing, STANDING_RESET_SUSPECTED);
    cr_expect_eq(logged("state=reset-suspected"), 1);
    for (int i = 0; i < 130; i++) {
        fake_receive(fake_accept(), "%ERROR:401: invalid range: Not within 1-5\n");
        fake_advance(MINUTE);
    }
    cr_expect_eq(logged("ERROR [NrtmImporter] session"), 2, "an alarm every hour");
    fake_receive(fake_accept(), CURRENT);
    cr_expect_eq(status().standing, STANDING_STREAM);
}

Test(nrtm_client, suspects_no_reset_when_only_some_servers_of_the_upstream_lag)
{
    nrtm_client_free(client);
    conf.reset_grace_s = 300;
    client = nrtm_client_new(&conf, fake_source(), NULL, &fake_clock);
    nrtm_client_start(client);
    for (int i = 0; i < 20; i++) {
        fake_receive(fake_accept(),
                     i % 2 == 0 ? "%ERROR:401: invalid range: Not within 1-9\n" : CURRENT);
        fake_advance(fake_next_timer_ms());
    }
    cr_expect_eq(logged("state=reset-suspected"), 0);
}

Test(nrtm_client, waits_for_its_database_without_connecting)
{
    fake.sync_result = ERR_SQL_LOST;
    nrtm_client_start(client);
    for (int i = 0; i < 10; i++) {
        cr_expect_eq(fake_connects_pending(), 0);
        cr_expect_leq(fake_next_timer_ms(), 36000);
        fake_advance(fake_next_timer_ms());
    }
    cr_expect_eq(status().standing, STANDING_DATABASE);
    cr_expect_eq(logged("ERROR [NrtmImporter] session"), 1, "said once");
    fake.sync_result = ERR_OK;
    fake_advance(fake_next_timer_ms());
    cr_expect_str_eq(fake_sent(fake_accept()), "-g RIPE:3:11-LAST -k\n");
}

Test(nrtm_client, loses_nothing_when_a_commit_fails)
{
    struct conn *conn = start();

    fake.next_commit[0] = ERR_SQL_LOST;
    fake.next_commit_count = 1;
    fake_receive(conn, HEAD OP(11) OP(12));
    fake_settle();
    cr_expect_eq(fake.commits, 0);
    expect_state(NRTM_WAITING);
    fake_advance(2000);
    conn = fake_accept();
    cr_expect_str_eq(fake_sent(conn), "-g RIPE:3:11-LAST -k\n");
    fake_receive(conn, HEAD OP(11) OP(12));
    fake_settle();
    cr_expect_eq(fake.hw, 12);
}

Test(nrtm_client, follows_an_operators_edit_during_a_stream)
{
    struct conn *conn = start();

    fake_receive(conn, HEAD OP(11));
    fake_settle();
    fake.applied = fake.hw = 5;
    nrtm_client_position_moved(client);
    expect_state(NRTM_WAITING);
    fake_settle();
    cr_expect_str_eq(fake_sent(fake_accept()), "-g RIPE:3:6-LAST -k\n");
}

Test(nrtm_client, follows_an_edit_that_a_commit_finds)
{
    struct conn *conn = start();

    fake.next_commit[0] = ERR_MOVED;
    fake.next_commit_count = 1;
    fake_receive(conn, HEAD OP(11));
    fake.applied = fake.hw = 7;
    fake_settle();
    cr_expect_eq(logged("reason=position-moved"), 1);
    cr_expect_str_eq(fake_sent(fake_accept()), "-g RIPE:3:8-LAST -k\n");
}

Test(nrtm_client, does_not_commit_what_belongs_to_a_position_that_was_edited_away)
{
    fake_receive(start(), HEAD OP(11));
    nrtm_client_position_moved(client);
    cr_expect_eq(fake.commits, 0);
    fake_settle();
}

Test(nrtm_client, rests_without_a_position_until_there_is_one)
{
    fake.position_known = false;
    nrtm_client_start(client);
    expect_state(NRTM_WAITING);
    cr_expect_eq(fake_next_timer_ms(), -1);
    cr_expect_eq(status().standing, STANDING_BOOTSTRAP);
    cr_expect_eq(logged("WARN"), 1);
    fake.position_known = true;
    nrtm_client_position_moved(client);
    cr_expect_str_eq(fake_sent(fake_accept()), "-g RIPE:3:11-LAST -k\n");
}

Test(nrtm_client, rests_on_a_database_that_was_not_adopted)
{
    fake.read_only = true;
    nrtm_client_start(client);
    cr_expect_eq(fake_connects_pending(), 0);
    cr_expect_eq(logged("--adopt"), 1);
    fake.read_only = false;
    nrtm_client_stop(client); /* As a command has it rest around its work. */
    nrtm_client_start(client);
    cr_expect_str_eq(fake_sent(fake_accept()), "-g RIPE:3:11-LAST -k\n");
}

Test(nrtm_client, commits_what_is_whole_when_it_is_stopped)
{
    fake_receive(start(), HEAD OP(11) "ADD 12\n\nperson: ");
    nrtm_client_stop(client);
    cr_expect_eq(fake.hw, 11);
    expect_state(NRTM_STOPPED);
    cr_expect_eq(logged("reason=stopped"), 1);
    nrtm_client_stop(client);
    cr_expect_eq(logged("reason=stopped"), 1);
    nrtm_client_start(client);
    cr_expect_str_eq(fake_sent(fake_accept()), "-g RIPE:3:12-LAST -k\n");
}

Test(nrtm_client, can_be_stopped_started_and_moved_in_every_state)
{
    for (int state = 0; state < 5; state++) {
        nrtm_client_start(client);
        if (state == 1) {
            fake_refuse("no");
        } else if (state == 2) {
            fake_accept();
        } else if (state >= 3) {
            fake_receive(fake_accept(), state == 3 ? HEAD : CURRENT);
        }
        nrtm_client_start(client);
        nrtm_client_position_moved(client);
        fake_settle();
        cr_expect_eq(fake_connects_pending(), 1);
        nrtm_client_stop(client);
        nrtm_client_position_moved(client);
        expect_state(NRTM_STOPPED);
        cr_expect_eq(fake_connects_pending() + fake_conns_open(), 0);
        cr_expect_eq(fake_next_timer_ms(), -1);
    }
    cr_expect_eq(logged("was not foreseen"), 0);
}

Test(nrtm_client, stops_for_good_at_a_serial_that_cannot_be_stored)
{
    fake_receive(start(), HEAD OP(11) "ADD 2147483648\n\nperson: A\n\n");
    cr_expect_eq(fake.hw, 11);
    cr_expect_eq(fake_next_timer_ms(), -1);
    cr_expect_eq(status().standing, STANDING_DISABLED);
    cr_expect_eq(logged("ERROR [NrtmImporter] session"), 1);
}

/* --- liveness --- */

Test(nrtm_client, probes_a_silent_stream_and_trusts_it_when_nothing_is_new)
{
    struct conn *conn = start(), *probe;

    fake_receive(conn, HEAD OP(12));
    fake_advance(605 * 1000);
    cr_expect_eq(fake_connects_pending(), 1);
    probe = fake_accept();
    cr_expect_str_eq(fake_sent(probe), "-q sources\n");
    fake_receive(probe, "% banner\n\nAPNIC:3:X:1-99\nRIPE:3:X:1-12\n");
    cr_expect_eq(fake_conns_open(), 1, "the probe is closed, the stream goes on");
    fake_advance(500 * 1000);
    expect_state(NRTM_RECEIVING);
    cr_expect_eq(fake_connects_pending(), 0);
}

Test(nrtm_client, asks_for_a_range_when_the_stream_is_stuck)
{
    struct conn *conn = start();

    fake_receive(conn, HEAD OP(12));
    fake_advance(605 * 1000);
    fake_receive(fake_accept(), "RIPE:3:X:1-15\n");
    fake_advance(170 * 1000);
    cr_expect_eq(logged("reason=heartbeat"), 0, "two polls and a minute");
    fake_advance(20 * 1000);
    cr_expect_eq(logged("reason=heartbeat"), 1);
    conn = fake_accept();
    cr_expect_str_eq(fake_sent(conn), "-g RIPE:3:13-LAST\n");
    fake_receive(conn, "%START Version: 3 RIPE 13-15\n\n%END RIPE\n\n");
    cr_expect_eq(fake.hw, 15);
    fake_settle();
    cr_expect_str_eq(fake_sent(fake_accept()), "-g RIPE:3:16-LAST -k\n");
}

Test(nrtm_client, does_not_probe_a_host_that_another_mirror_probes)
{
    struct nrtm_client *other = nrtm_client_new(&conf, fake_source(), NULL, &fake_clock);
    struct conn *conn = start(), *others;

    nrtm_client_start(other);
    others = fake_accept();
    fake_receive(conn, HEAD);
    fake_receive(others, HEAD);
    fake_advance(605 * 1000);
    cr_expect_eq(fake_connects_pending(), 1, "one at a time");
    fake_receive(fake_accept(), "RIPE:3:X:1-12\n");
    fake_advance(5 * 1000);
    cr_expect_eq(fake_connects_pending(), 1, "then the other");
    nrtm_client_free(other);
    nrtm_client_stop(client);
    cr_expect_null(probes.first);
}

Test(nrtm_client, takes_a_server_that_answers_no_probe_for_dead)
{
    fake_receive(start(), HEAD);
    fake_advance(605 * 1000);
    fake_refuse("no route");
    cr_expect_eq(logged("reason=transient-error: a silent stream"), 1);
    expect_state(NRTM_WAITING);
}

Test(nrtm_client, goes_on_when_a_server_knows_no_status_query)
{
    struct conn *probe;

    fake_receive(start(), HEAD);
    fake_advance(605 * 1000);
    probe = fake_accept();
    fake_receive(probe, "%% ERROR: Unrecognised command\n");
    fake_eof(probe);
    probe = fake_accept();
    cr_expect_str_eq(fake_sent(probe), "!jRIPE\n");
    fake_receive(probe, "F Unknown command\n");
    fake_eof(probe);
    probe = fake_accept();
    cr_expect_str_eq(fake_sent(probe), "-g RIPE:3:2147483647-LAST\n");
    fake_receive(probe, "%ERROR:403: unknown source\n");
    fake_eof(probe);
    expect_state(NRTM_RECEIVING);
    cr_expect_str_eq(status().error, "");
}

/* IRRd's servers say "Unknown" where they keep no journal, and old ones know the other query only.
 */
Test(nrtm_client, asks_irrd_in_its_own_way)
{
    struct conn *probe;

    fake_receive(start(), HEAD OP(12));
    fake_advance(605 * 1000);
    probe = fake_accept();
    fake_receive(probe, "RIPE:3:X:Unknown\n");
    fake_eof(probe);
    probe = fake_accept();
    fake_receive(probe, "A18\nRIPE:Y:1-15:12\nC\n");
    cr_expect_eq(fake_conns_open(), 1, "the probe is closed");
    cr_expect_eq(status().upstream_max, 15);
    fake_advance(185 * 1000);
    cr_expect_eq(logged("reason=heartbeat: the upstream has newer serials than it sends"), 1);
}

Test(nrtm_client, learns_the_newest_serial_from_a_refusal_when_nothing_else_tells_it)
{
    fake_receive(start(), HEAD OP(12));
    fake_advance(605 * 1000);
    fake_eof(fake_accept());
    fake_eof(fake_accept());
    fake_receive(fake_accept(), "%% ERROR: Serials 15 - 2147483647 do not exist\n\n\n");
    cr_expect_eq(status().upstream_max, 15);
}

Test(nrtm_client, does_not_blame_a_server_whose_second_answer_cannot_be_had)
{
    struct conn *probe;

    fake_receive(start(), HEAD);
    fake_advance(605 * 1000);
    probe = fake_accept();
    fake_receive(probe, "%ERROR:405: syntax error\n");
    fake_eof(probe);
    fake_refuse("too many connections");
    expect_state(NRTM_RECEIVING);
}

/* --- whose serials these are --- */

Test(nrtm_client, notes_the_server_that_its_position_is_of)
{
    fake_receive(start(), "%START Version: 3 RIPE 11-12 FILTERED\n\n");
    cr_expect_str_eq(fake.noted_server.host, "nrtm.example");
    cr_expect_eq(fake.noted_server.port, 4444);
    cr_expect_eq(fake.noted_server.version, 3);
    cr_expect_eq(fake.noted_server.start_first, 11);
    cr_expect_eq(fake.noted_server.start_last, 12);
    cr_expect_eq(fake.noted_server.max, 12);
    cr_expect(fake.noted_server.filtered);
}

Test(nrtm_client, notes_a_server_that_has_nothing_newer)
{
    fake_receive(start(), CURRENT);
    cr_expect_str_eq(fake.noted_server.host, "nrtm.example");
    cr_expect_eq(fake.noted_server.min, 1);
    cr_expect_eq(fake.noted_server.max, 10);
}

Test(nrtm_client, does_not_ask_another_server_for_serials_of_the_last_one)
{
    fake.bond = (struct source_bond){.source = "RIPE", .host = "elsewhere.example"};
    nrtm_client_start(client);
    cr_expect_eq(fake_connects_pending(), 0);
    cr_expect_eq(status().standing, STANDING_OTHER_SERVER);
    cr_expect_eq(logged("ERROR [NrtmImporter] session"), 1);
    cr_expect_eq(logged("serial 10 is of RIPE at elsewhere.example"), 1);
    fake_advance(fake_next_timer_ms());
    cr_expect_eq(logged("ERROR [NrtmImporter] session"), 1, "said once");
    fake.bond.host[0] = '\0'; /* As a reload and setserial do. */
    nrtm_client_position_moved(client);
    cr_expect_str_eq(fake_sent(fake_accept()), "-g RIPE:3:11-LAST -k\n");
}

Test(nrtm_client, does_not_take_serials_of_one_registry_for_those_of_another)
{
    fake.bond = (struct source_bond){.source = "APNIC", .host = "nrtm.example"};
    nrtm_client_start(client);
    cr_expect_eq(status().standing, STANDING_OTHER_SERVER);
}

Test(nrtm_client, goes_on_at_another_name_of_the_same_server)
{
    nrtm_client_free(client);
    conf.aliases = "first.example, Elsewhere.example";
    client = nrtm_client_new(&conf, fake_source(), NULL, &fake_clock);
    fake.bond = (struct source_bond){.source = "RIPE", .host = "elsewhere.example"};
    cr_expect_str_eq(fake_sent(start()), "-g RIPE:3:11-LAST -k\n");
}

/* --- a server that cannot send something --- */

/* The session that begins now is cut behind these bytes; the next one is waited for. */
static void cut(const char *bytes)
{
    struct conn *conn = fake_accept();

    fake_receive(conn, bytes);
    fake_eof(conn);
    fake_advance(fake_next_timer_ms());
}

Test(nrtm_client, passes_over_an_object_that_the_server_never_gets_out)
{
    nrtm_client_start(client);
    cut("%START Version: 3 RIPE 11-20\n\n" OP(11) "ADD 13\n\nas-set: A\nmem");
    cut("%START Version: 3 RIPE 12-20\n\nADD 13\n\nas-set: A\n");
    cr_expect_eq(status().counters.quarantined, 0);
    cut("%START Version: 3 RIPE 12-20\n\nADD 13\n\nas-set: A\nmemb");
    cr_expect_eq(status().counters.quarantined, 1);
    cr_expect_eq(logged("ERROR [NrtmImporter] RIPE-GRS: serial 13 is passed over"), 1);
    cr_expect_str_eq(buf_str(&fake.committed).at, "add 11 [person: A/]\nquarantine 13 []\n");
    cr_expect_str_eq(fake_sent(fake_accept()), "-g RIPE:3:14-LAST -k\n");
}

Test(nrtm_client, passes_nothing_over_that_breaks_off_here_and_there)
{
    nrtm_client_start(client);
    cut("%START Version: 3 RIPE 11-20\n\nADD 11\n\nas-set: A\n");
    cut("%START Version: 3 RIPE 11-20\n\nADD 11\n\nas-set: A\n");
    cut("%START Version: 3 RIPE 11-20\n\n" OP(11) "ADD 12\n\nas-set: A\n");
    cut("%START Version: 3 RIPE 12-20\n\nADD 12\n\nas-set: A\n");
    cr_expect_eq(status().counters.quarantined, 0);
    cut("%START Version: 3 RIPE 12-20\n\n" OP(12));
    cr_expect_eq(fake.hw, 12);
    cr_expect_eq(status().counters.quarantined, 0);
}

/* Nothing shows where it breaks: serials are asked for one by one, then two, four ... */
Test(nrtm_client, looks_for_a_serial_that_the_server_cannot_even_begin)
{
    nrtm_client_start(client);
    for (int i = 0; i < 3; i++) {
        cut("%START Version: 3 RIPE 11-20\n\n");
    }
    for (int i = 0; i < 3; i++) {
        struct conn *conn = fake_accept();

        cr_expect_str_eq(fake_sent(conn), "-g RIPE:3:11-11\n");
        fake_receive(conn, "%START Version: 3 RIPE 11-11\n\n");
        fake_eof(conn);
        fake_advance(fake_next_timer_ms());
    }
    cr_expect_eq(logged("serial 11 is passed over"), 1);
    for (int i = 0, first = 12; i < 3; i++) {
        struct conn *conn = fake_accept();
        char bytes[80], line[40];

        snprintf(line, sizeof(line), "-g RIPE:3:%d-%d\n", first, first + (1 << i) - 1);
        cr_expect_str_eq(fake_sent(conn), line);
        snprintf(bytes, sizeof(bytes), "%%START Version: 3 RIPE %d-%d\n\n%%END RIPE\n\n", first,
                 first + (1 << i) - 1);
        fake_receive(conn, bytes);
        fake_advance(fake_next_timer_ms());
        first += 1 << i;
    }
    fake_receive(fake_accept(), "%ERROR:401: invalid range: Not within 1-18\n");
    fake_advance(fake_next_timer_ms());
    cr_expect_str_eq(fake_sent(fake_accept()), "-g RIPE:3:19-LAST -k\n");
}

/* --- what an operator is told --- */

Test(nrtm_client, says_how_old_its_serial_is_when_it_has_expired)
{
    fake.bond.hw_time_s = fake_now_ms / 1000 - 20 * 24 * 3600;
    fake_receive(start(), "%ERROR:401: (Requesting serials older than 14 days will be rejected)\n");
    cr_expect_eq(logged("our serial 10 is of an unknown time"), 1, "before 1970, on this clock");
    fake_now_ms += INT64_C(1600000000000);
    fake.bond.hw_time_s = fake_now_ms / 1000 - 20 * 24 * 3600;
    fake_advance(0);
    fake_receive(fake_accept(),
                 "%ERROR:401: (Requesting serials older than 14 days will be rejected)\n");
    cr_expect_eq(logged("UTC, 20 days ago, the upstream keeps no such old ones"), 1);
}

Test(nrtm_client, tells_a_serial_file_that_does_not_match)
{
    fake.applied = fake.hw = fake.bond.boot_serial = 323043;
    fake_receive(start(), "%% ERROR: Serials 13 - 323044 do not exist\n");
    cr_expect_eq(logged("the serial file does not match NRTM"), 1);
    cr_expect_eq(fake_next_timer_ms(), MINUTE, "it goes on asking");
    fake.applied = fake.hw = 323050; /* Something was applied since the dump: a reset, perhaps. */
    fake_advance(MINUTE);
    fake_receive(fake_accept(), "%% ERROR: Serials 13 - 323051 do not exist\n");
    cr_expect_eq(logged("the serial file does not match NRTM"), 1);
}

Test(nrtm_client, comes_back_after_midnight_when_it_is_refused_for_today)
{
    fake_receive(start(), "%ERROR:201: access denied for 192.0.2.1\n%\n"
                          "% Sorry, access from your host has been temporarily\n"
                          "% denied because of a connection limit.\n\n");
    cr_expect_eq(status().standing, STANDING_DENIED);
    cr_expect_eq((fake_now_ms + fake_next_timer_ms()) / 1000 % (24 * 3600), 60,
                 "a minute after midnight UTC");
    fake_advance(fake_next_timer_ms());
    fake_receive(fake_accept(), "%ERROR:201: access denied for 192.0.2.1\n%\n"
                                "% Sorry, access from your host has been permanently\n"
                                "% denied.\n\n");
    cr_expect_leq(fake_next_timer_ms(), 40 * MINUTE);
}

Test(nrtm_client, moves_hw_over_filtered_serials_by_heartbeat)
{
    struct conn *conn = start();

    fake_receive(conn, HEAD);
    for (int64_t t = 0; t < 6 * HOUR; t += 5 * MINUTE) {
        fake_advance(5 * MINUTE - 1);
        if (fake_connects_pending() > 0) {
            break;
        }
        fake_receive(conn, "% still here\n");
        fake_advance(1);
    }
    fake_advance(10 * 1000);
    conn = fake_accept();
    cr_expect_str_eq(fake_sent(conn), "-g RIPE:3:11-LAST\n");
    fake_receive(conn, CURRENT);
    fake_advance(20 * 1000);
    cr_expect_str_eq(fake_sent(fake_accept()), "-g RIPE:3:11-LAST -k\n");
    fake_advance(60 * 1000);
    expect_state(NRTM_REQUESTED);
}

Test(nrtm_client, knows_since_when_it_is_not_up_to_date)
{
    int64_t cut_ms;

    fake_receive(start(), HEAD OP(12));
    fake_settle();
    fake_advance(9 * MINUTE);
    cr_expect_eq(status().fresh_ms, fake_now_ms, "it streams");
    nrtm_client_position_moved(client);
    cut_ms = fake_now_ms;
    fake_settle();
    for (int i = 0; i < 10; i++) {
        fake_refuse("no");
        fake_advance(fake_next_timer_ms());
    }
    cr_expect_gt(fake_now_ms, cut_ms + 5 * MINUTE);
    cr_expect_leq(status().fresh_ms, cut_ms);
    fake_receive(fake_accept(), "%ERROR:401: invalid range: Not within 1-12\n");
    cr_expect_eq(status().fresh_ms, fake_now_ms);
}

Test(nrtm_client, leaves_a_range_that_stops_in_the_middle)
{
    nrtm_client_free(client);
    conf.mode = NRTM_MODE_POLL;
    client = nrtm_client_new(&conf, fake_source(), NULL, &fake_clock);
    fake_receive(start(), HEAD OP(11));
    fake_advance(605 * 1000);
    cr_expect_eq(logged("stopped in the middle of a range"), 1);
    cr_expect_eq(fake.hw, 11);
}

Test(nrtm_retry, has_its_rows_in_the_order_of_the_outcomes)
{
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        cr_expect_eq(nrtm_end_of((enum nrtm_outcome)i)->outcome, (enum nrtm_outcome)i);
    }
}

Test(nrtm_retry, doubles_between_its_bounds_and_starts_anew_after_progress)
{
    struct nrtm_retry retry = {.random = 7};
    int64_t delay = 0;

    for (int i = 0; i < 30; i++) {
        int64_t want = 1000ll << (i < 9 ? i : 9);

        want = want > 300000 ? 300000 : want;
        delay = nrtm_retry_delay(&retry, OUTCOME_PEER_CLOSED, false, 60000);
        cr_expect(delay >= want * 8 / 10 && delay <= want * 12 / 10, "%d: %lld", i,
                  (long long)delay);
    }
    cr_expect_leq(nrtm_retry_delay(&retry, OUTCOME_PEER_CLOSED, true, 60000), 1200);
    cr_expect_leq(nrtm_retry_delay(&retry, OUTCOME_CONNECT, false, 60000), 1200);
}
