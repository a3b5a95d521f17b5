/*
 * The client's state machine: sessions, their ends, and what comes after them.
 */
#include "client_lab.h"

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

/* What is asked for next, answered by this. */
static void expect_request(const char *request, const char *answer)
{
    struct conn *conn = fake_accept();

    cr_expect_str_eq(fake_sent(conn), request);
    fake_receive(conn, answer);
    fake_advance(fake_next_timer_ms());
}

/* The newest serial of before an outage says nothing of how far the server is behind it. */
Test(nrtm_client, cuts_its_requests_also_when_it_was_up_to_date_before)
{
    static const char too_many[] =
        "%% ERROR: Serial range requested exceeds maximum range of 100\n\n\n";

    nrtm_client_start(client);
    expect_request("-g RIPE:3:11-LAST -k\n", "%START Version: 3 RIPE 11-12\n\n%END RIPE\n\n");
    expect_request("-g RIPE:3:13-LAST\n", too_many);
    expect_request("-g RIPE:3:13-112\n", "%START Version: 3 RIPE 13-112\n\n%END RIPE\n\n");
    cr_expect_eq(status().standing, STANDING_CATCHUP, "nothing says that this is all");
    cr_expect_eq(status().upstream_max, 112);
    expect_request("-g RIPE:3:113-212\n", "%START Version: 3 RIPE 113-212\n\n%END RIPE\n\n");
    expect_request("-g RIPE:3:213-312\n", "%% ERROR: Serials 240 - 312 do not exist\n\n\n");
    cr_expect_eq(status().upstream_max, 240);
    expect_request("-g RIPE:3:213-LAST\n", "%START Version: 3 RIPE 213-240\n\n%END RIPE\n\n");
    cr_expect_eq(status().standing, STANDING_STREAM);
    expect_request("-g RIPE:3:241-LAST\n", too_many);
    expect_request("-g RIPE:3:241-340\n", "%START Version: 3 RIPE 241-340\n\n%END RIPE\n\n");
    expect_request("-g RIPE:3:341-440\n", "%% ERROR: Serials 340 - 440 do not exist\n\n\n");
    expect_request("-g RIPE:3:341-LAST\n", "% Warning: there are no newer updates available\n");
    cr_expect_eq(logged("asks for 100 serials at a time"), 1, "not for less");
    cr_expect_eq(status().failures, 0);
}

Test(nrtm_client, asks_a_server_that_became_slow_for_less)
{
    nrtm_client_start(client);
    expect_request("-g RIPE:3:11-LAST -k\n", "%START Version: 3 RIPE 11-12\n\n%END RIPE\n\n");
    for (int i = 0; i < 2; i++) {
        cr_expect_str_eq(fake_sent(fake_accept()), "-g RIPE:3:13-LAST\n");
        fake_advance(300 * 1000);
        fake_advance(fake_next_timer_ms());
    }
    expect_request("-g RIPE:3:13-64012\n", "%ERROR:401: invalid range: Not within 1-40000\n\n");
    cr_expect_str_eq(fake_sent(fake_accept()), "-g RIPE:3:13-LAST\n", "less than that");
    fake_advance(300 * 1000);
    fake_advance(fake_next_timer_ms());
    expect_request("-g RIPE:3:13-32012\n", "%START Version: 3 RIPE 13-32012\n\n%END RIPE\n\n");
    expect_request("-g RIPE:3:32013-64012\n", "%ERROR:401: invalid range: Not within 1-40000\n\n");
    expect_request("-g RIPE:3:32013-LAST\n", "%START Version: 3 RIPE 32013-40000\n\n%END RIPE\n\n");
    cr_expect_eq(fake.hw, 40000);
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
        {"%ERROR:402: not authorised to mirror the database from IP address 192.0.2.1\n\n",
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
    static const char *const answers[] = {"", "", "", HEAD, CURRENT, REFUSED};

    for (int state = 0; state < 6; state++) {
        nrtm_client_start(client);
        if (state == 1) {
            fake_refuse("no");
        } else if (state == 2) {
            fake_accept();
        } else if (state >= 3) {
            fake_receive(fake_accept(), answers[state]);
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
