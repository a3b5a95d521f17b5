/*
 * The client's distrust: streams that are silent, servers that changed, answers that break off; and
 * what it tells an operator.
 */
#include "client_lab.h"

#include <limits.h>

/* --- is it alive? --- */

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

/* --- room for updates --- */

Test(nrtm_client, stands_still_while_there_is_no_room_and_others_go_on)
{
    struct nrtm_client *other = nrtm_client_new(&conf, fake_other_source(), NULL, &fake_clock);
    struct conn *conn = start(), *others;
    int64_t began_ms;

    nrtm_client_start(other);
    others = fake_accept();
    fake_receive(others, HEAD);
    fake_receive(conn, HEAD OP(12));
    fake_settle();
    cr_expect_eq(status().standing, STANDING_STREAM);
    fake_advance(MINUTE);
    buf_clear(&fake.committed);
    began_ms = fake_now_ms;
    fake.no_room = INT_MAX;
    fake_receive(conn, OP(13) OP(14));
    expect_state(NRTM_HELD);
    cr_expect(fake_is_paused(conn), "the upstream is held back");
    cr_expect_eq(fake_next_timer_ms(), 10);
    cr_expect_not(nrtm_client_is_in_batch(client), "the database may be looked at");
    fake_advance(20 * 1000);
    expect_state(NRTM_HELD);
    fake_receive(others, "ADD 13\n\nperson: B\n\n");
    fake_settle();
    cr_expect(str_eq(buf_str(&fake.committed), STR("add 13 [person: B/]\n")));
    fake.hw = fake.applied = 12; /* The fake has one for both. */
    fake_advance(conf.idle_probe_s * 1000);
    fake_receive(fake_accept(), "RIPE:3:X:1-13\n");
    cr_expect_eq(fake_connects_pending(), 0, "whoever stands still itself does not probe");
    cr_expect_eq(status().fresh_ms, began_ms, "until then it was up to date");
    fake.no_room = 0;
    fake_advance(10);
    expect_state(NRTM_RECEIVING);
    cr_expect_not(fake_is_paused(conn));
    cr_expect(str_eq(buf_str(&fake.committed),
                     STR("add 13 [person: B/]\nadd 13 [person: A/]\nadd 14 [person: A/]\n")));
    cr_expect_eq(status().failures, 0);
    nrtm_client_free(other);
}

Test(nrtm_client, can_be_stopped_while_it_stands_still)
{
    fake.no_room = INT_MAX;
    fake_receive(start(), HEAD OP(11));
    nrtm_client_stop(client);
    expect_state(NRTM_STOPPED);
    cr_expect_eq(fake.hw, 10, "nothing of it was applied");
    fake.no_room = 0;
    cr_expect_str_eq(fake_sent(start()), "-g RIPE:3:11-LAST -k\n");
}

Test(nrtm_client, begins_anew_when_the_position_moves_while_it_stands_still)
{
    fake.no_room = INT_MAX;
    fake_receive(start(), HEAD OP(11));
    fake.hw = 11;
    nrtm_client_position_moved(client);
    fake_settle();
    cr_expect_str_eq(fake_sent(fake_accept()), "-g RIPE:3:12-LAST -k\n");
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
    cr_expect(str_eq(buf_str(&fake.committed), STR("add 11 [person: A/]\nquarantine 13 []\n")));
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
    fake_receive(start(), REFUSED "%\n"
                                  "% Sorry, access from your host has been temporarily\n"
                                  "% denied because of a connection limit.\n\n");
    cr_expect_eq(status().standing, STANDING_DENIED);
    cr_expect_eq((fake_now_ms + fake_next_timer_ms()) / 1000 % (24 * 3600), 60,
                 "a minute after midnight UTC");
    fake_advance(fake_next_timer_ms());
    fake_receive(fake_accept(), REFUSED "%\n"
                                        "% Sorry, access from your host has been permanently\n"
                                        "% denied.\n\n");
    cr_expect_leq(fake_next_timer_ms(), 40 * MINUTE);
}

Test(nrtm_client, waits_for_what_explains_a_refusal)
{
    struct conn *conn = start();

    fake_receive(conn, REFUSED);
    expect_state(NRTM_REFUSED);
    cr_expect_eq(logged("reason=denied"), 0);
    fake_receive(conn, "%\n% Sorry, access from your host has been tem");
    fake_receive(conn, "porarily\n% denied because of a connection limit.\n");
    expect_state(NRTM_REFUSED);
    fake_receive(conn, "\n");
    expect_state(NRTM_WAITING);
    cr_expect_eq(logged("access from your host has been temporarily"), 1);
    cr_expect_eq((fake_now_ms + fake_next_timer_ms()) / 1000 % (24 * 3600), 60,
                 "a minute after midnight UTC");
}

Test(nrtm_client, takes_a_refusal_as_explained_when_the_server_closes)
{
    struct conn *conn = start();

    fake_receive(conn, REFUSED);
    fake_receive(conn, "% temporarily\n");
    fake_eof(conn);
    cr_expect_eq(status().standing, STANDING_DENIED);
    cr_expect_eq((fake_now_ms + fake_next_timer_ms()) / 1000 % (24 * 3600), 60);
}

Test(nrtm_client, does_not_wait_for_an_explanation_without_end)
{
    struct conn *conn = start();

    fake_receive(conn, HEAD OP(11) REFUSED);
    for (int second = 0; second < 5; second++) {
        expect_state(NRTM_REFUSED);
        fake_receive(conn, "%\n");
        fake_advance(1000);
    }
    expect_state(NRTM_WAITING);
    cr_expect_eq(status().standing, STANDING_DENIED);
    cr_expect_eq(fake.hw, 11, "what was whole is kept");
    cr_expect_leq(fake_next_timer_ms(), 18 * MINUTE);
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

/* A quiet source of a shared counter: nothing of its own comes for 20 days, and the counter goes
 * on. Without the closed ranges its position would be too old to be served. */
Test(nrtm_client, does_not_grow_too_old_when_nothing_comes_for_weeks)
{
    const int64_t begin_ms = fake_now_ms, day_ms = 24 * HOUR;
    struct conn *conn = start();
    char bytes[100], sent[100];
    int64_t newest = 12, first;

    fake_receive(conn, HEAD);
    while (fake_now_ms - begin_ms < 20 * day_ms) {
        cr_assert_geq(fake_next_timer_ms(), 0);
        fake_advance(fake_next_timer_ms());
        newest = 12 + (fake_now_ms - begin_ms) / MINUTE;
        if (fake_connects_pending() == 0) {
            continue;
        }
        conn = fake_accept();
        snprintf(sent, sizeof(sent), "%s", fake_sent(conn));
        if (strncmp(sent, "-q", 2) == 0) {
            snprintf(bytes, sizeof(bytes), "RIPE:3:X:1-%lld\n", (long long)newest);
        } else {
            cr_assert_eq(sscanf(sent, "-g RIPE:3:%lld-LAST", (long long *)&first), 1, "%s", sent);
            snprintf(bytes, sizeof(bytes), "%%START Version: 3 RIPE %lld-%lld\n\n%s",
                     (long long)first, (long long)newest,
                     strstr(sent, "-k") != NULL ? "" : "%END RIPE\n\n");
        }
        fake_receive(conn, bytes);
        cr_assert_gt(fake.hw, newest - 7 * 60, "hours behind, after %lld h",
                     (long long)((fake_now_ms - begin_ms) / HOUR));
    }
    cr_expect_eq(status().failures, 0);
    cr_expect_eq(fake.applied, 10, "nothing was applied");
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

Test(nrtm_client, remembers_from_before_when_it_was_up_to_date)
{
    const int64_t now_s = fake_now_ms / 1000;

    cr_expect_eq(status().fresh_ms, 0, "nothing is known yet");
    fake.bond.fresh_time_s = now_s - 500;
    fake.bond.hw_time_s = now_s - 900; /* A quiet registry. */
    nrtm_client_start(client);
    cr_expect_eq(status().fresh_ms, (now_s - 500) * 1000);
    fake_refuse("no");
    cr_expect_eq(status().fresh_ms, (now_s - 500) * 1000, "nothing was heard");
    fake_advance(fake_next_timer_ms());
    fake_receive(fake_accept(), "%START Version: 3 RIPE 11-5000\n\n" OP(11));
    fake_settle();
    cr_expect_eq(status().fresh_ms, (now_s - 500) * 1000, "much is missing");
    nrtm_client_position_moved(client);
    fake_settle();
    fake_receive(fake_accept(), "%START Version: 3 RIPE 12-12\n\n" OP(12));
    fake_settle();
    cr_expect_eq(status().fresh_ms, fake_now_ms);
}

Test(nrtm_client, takes_the_last_change_for_its_age_where_nothing_was_noted)
{
    fake.bond.hw_time_s = fake_now_ms / 1000 - 900;
    nrtm_client_start(client);
    cr_expect_eq(status().fresh_ms, fake.bond.hw_time_s * 1000);
}
