#!/usr/bin/python3
"""Access control: limits on personal objects, blocks, proxies, load balancers, and the operator's tables, which
come and go. Clients are told apart by the loopback address they connect from."""

import gzip
import os
import signal
import socket
import subprocess

import harness
from harness import PATIENCE, equal, long_only

ACL = "ACL_LOCAL"
LIMIT = 2
WHY = "% For more information, see\n% https://docs.db.ripe.net/FAQ#why-did-i-receive-an-error-201-access-denied\n\n"
FOR_TODAY = """%%ERROR:201: access denied for %s
%%
%% Queries from your IP address have passed the daily limit of controlled objects.
%% Access from your host has been temporarily denied.
""" + WHY.replace("%", "%%")
FOR_GOOD = """%%ERROR:201: access denied for %s
%%
%% Sorry, access from your host has been permanently
%% denied because of a repeated excessive querying.
""" + WHY.replace("%", "%%")
NO_PROXY = "%ERROR:203: you are not allowed to act as a proxy\n\n"
PERSON = "person:         Some One\nnic-hdl:        SO1-RIPE\nsource:         RIPE\n\n"
MAINTAINER = "mntner:         SOME-MNT\nsource:         RIPE\n\n"
INETNUM = ("inetnum:        10.0.0.0 - 10.0.0.255\nnetname:        TEN\nadmin-c:        SO1-RIPE\n"
           "tech-c:         SO2-RIPE\nsource:         RIPE\n\n")
ROLE = "role:           Some Desk\nnic-hdl:        SO2-RIPE\nsource:         RIPE\n\n"
ASK_PERSON = "-rBG -T person SO1-RIPE"
ASK_MAINTAINER = "-rBG -T mntner SOME-MNT"


def start(lab, **options):
    """A server whose main source holds the objects above."""
    dump = os.path.join(lab.root, "small.db.gz")
    lab.options.update({"whois.source": "RIPE", "nrtm.import.enabled": "false", "acl.limit": LIMIT,
                        "acl.database.url":
                            "jdbc:mariadb://localhost/%s?localSocket=%s" % (ACL, lab.database.socket),
                        "acl.refresh.sec": 0, "query.log": "true", "query.threads": 2})
    lab.options.update(options)
    with gzip.open(dump, "wb") as file:
        file.write((MAINTAINER + INETNUM + ROLE + PERSON).encode())
    os.chmod(dump, 0o644)
    lab.load(dump, "RIPE", 1)
    lab.start()
    lab.wait_for("the tables", lambda: lab.database.sql(
        "SELECT 1 FROM information_schema.tables WHERE table_schema = '%s' AND "
        "table_name = 'acl_personal'" % ACL, ""))


def start_again(lab):
    """The server knows what the tables hold when this returns."""
    lab.start()
    lab.wait_for_log("access control denied=")


def ask(lab, line, client="127.0.0.1", header=b""):
    """The answer without banner and served-by line."""
    with socket.create_connection(("127.0.0.1", lab.port), PATIENCE, (client, 0)) as sock:
        sock.sendall(header + line.encode() + b"\n")
        text = b""
        while data := sock.recv(1 << 16):
            text += data
    text = text.decode("latin-1")
    return text[text.index("\n\n") + 2:text.rindex("% This query was served by")]


def sql(lab, statement):
    return lab.database.sql(statement, ACL)


def refresh(lab):
    """Do not wait for the second to be over: a reload reads and writes the tables at once."""
    lab.process.send_signal(signal.SIGHUP)


def wait_for_answer(lab, line, expected, client):
    lab.wait_for("%r for %s" % (expected, client), lambda: ask(lab, line, client) == expected)


def test_limit_in_the_place_of_an_object(lab):
    start(lab)
    for _ in range(LIMIT):
        equal(ask(lab, ASK_PERSON, "127.0.0.2"), PERSON, "an answer within the limit")
    equal(ask(lab, ASK_PERSON, "127.0.0.2"), FOR_TODAY % "127.0.0.2", "the object above the limit")
    equal(ask(lab, ASK_MAINTAINER, "127.0.0.2"), FOR_TODAY % "127.0.0.2", "any other question")
    if "ERROR" in ask(lab, "-t person", "127.0.0.2"):
        raise AssertionError("a blocked client may not ask for templates")
    equal(ask(lab, ASK_PERSON, "127.0.0.3"), PERSON, "another client")
    equal(ask(lab, "-BG -T inetnum 10.0.0.1", "127.0.0.3"),
          "% No abuse contact registered for 10.0.0.0 - 10.0.0.255\n\n" + INETNUM + ROLE +
          FOR_TODAY % "127.0.0.3", "an answer that the limit cuts")
    refresh(lab)
    lab.wait_for("the events", lambda: len(sql(lab, "SELECT 1 FROM acl_event")) == 2)
    equal(sql(lab, "SELECT prefix, daily_limit, event_type, TIME(event_time) FROM acl_event ORDER BY prefix"),
          [["127.0.0.2/32", str(LIMIT), "BLOCK_TEMPORARY", "00:00:00"],
           ["127.0.0.3/32", str(LIMIT), "BLOCK_TEMPORARY", "00:00:00"]], "acl_event")

    lab.kill()
    start_again(lab)
    equal(ask(lab, ASK_MAINTAINER, "127.0.0.2"), FOR_TODAY % "127.0.0.2", "after a crash")
    equal(ask(lab, ASK_PERSON, "127.0.0.4"), PERSON, "right before a stop")
    out = subprocess.run(["whois", "-h", "127.0.0.1", "-p", str(lab.port), "--", ASK_MAINTAINER], check=False,
                         stdout=subprocess.PIPE).stdout.decode()
    if MAINTAINER not in out:
        raise AssertionError("whois: %r" % out)

    # Nine blocks on the days before make ten.
    sql(lab, "".join("INSERT INTO acl_event VALUES ('127.0.0.2/32', CURDATE() - INTERVAL %d DAY, 2, "
                     "'BLOCK_TEMPORARY');" % day for day in range(1, 10)))
    lab.stop()
    equal(sql(lab, "SELECT objects FROM acl_personal WHERE prefix = '127.0.0.4/32'"), [["1"]], "the last count")
    start_again(lab)
    equal(ask(lab, ASK_MAINTAINER, "127.0.0.2"), FOR_GOOD % "127.0.0.2", "after ten blocks")
    equal(ask(lab, ASK_MAINTAINER, "127.0.0.3"), FOR_TODAY % "127.0.0.3", "after one")
    equal(sql(lab, "SELECT prefix, denied_date = CURDATE() FROM acl_denied"), [["127.0.0.2/32", "1"]], "acl_denied")
    lab.stop()


def test_operators_rows_take_effect(lab):
    start(lab)
    sql(lab, "INSERT INTO acl_denied VALUES ('127.0.0.4/32', 'test', CURDATE());"
             "INSERT INTO acl_limit (prefix, comment) VALUES ('127.0.0.5', 'colleagues');"
             "INSERT INTO acl_proxy VALUES ('127.0.0.6/32', 'web')")
    refresh(lab)
    wait_for_answer(lab, ASK_MAINTAINER, FOR_GOOD % "127.0.0.4", "127.0.0.4")
    for _ in range(LIMIT + 2):
        equal(ask(lab, ASK_PERSON, "127.0.0.5"), PERSON, "an unlimited client")

    equal(ask(lab, "-V web,192.0.2.9 " + ASK_PERSON, "127.0.0.7"), NO_PROXY, "no proxy")
    for _ in range(LIMIT):
        equal(ask(lab, "-V web,192.0.2.9 " + ASK_PERSON, "127.0.0.6"), PERSON, "for another")
    equal(ask(lab, "-V web,192.0.2.9 " + ASK_PERSON, "127.0.0.6"), FOR_TODAY % "192.0.2.9", "for another")
    equal(ask(lab, "-V web,2001:db8::9 " + ASK_PERSON, "127.0.0.6"), PERSON, "for a third")
    equal(ask(lab, ASK_PERSON, "127.0.0.6"), PERSON, "for itself")
    refresh(lab)
    lab.wait_for("the counts", lambda: sql(lab, "SELECT prefix, objects FROM acl_personal ORDER BY prefix") ==
                 [["127.0.0.6/32", "1"], ["192.0.2.9/32", str(LIMIT + 1)], ["2001:db8::/64", "1"]])

    sql(lab, "DELETE FROM acl_denied; INSERT INTO acl_denied VALUES ('rubbish', '', NULL)")
    refresh(lab)
    wait_for_answer(lab, ASK_MAINTAINER, MAINTAINER, "127.0.0.4")
    lab.wait_for_log("WARN.*access control: 1 rows are ignored.*rubbish")
    lab.stop()


@long_only
def test_without_the_database(lab):
    start(lab)
    equal(ask(lab, ASK_PERSON, "127.0.0.8"), PERSON, "with a database")
    lab.database.control("stop")
    try:
        equal(ask(lab, ASK_PERSON, "127.0.0.8"), PERSON, "without a database")
        equal(ask(lab, ASK_PERSON, "127.0.0.8"), FOR_TODAY % "127.0.0.8", "without a database")
        lab.wait_for_log("access control goes on without its tables")
    finally:
        lab.database.control("start")
    lab.wait_for_log("access control has its tables again")
    lab.wait_for("the block", lambda: sql(lab, "SELECT prefix FROM acl_event") == [["127.0.0.8/32"]])
    equal(sql(lab, "SELECT objects FROM acl_personal"), [[str(LIMIT + 1)]], "count")
    lab.stop()


@long_only
def test_a_hanging_database_holds_up_neither_answers_nor_stop(lab):
    start(lab)
    with lab.database.hanging():
        equal(ask(lab, ASK_PERSON, "127.0.0.8"), PERSON, "a hanging database")
        lab.wait_for("the tables to be asked", lab.database.has_unread_request)
        equal(ask(lab, ASK_PERSON, "127.0.0.8"), PERSON, "a hanging database")
        equal(ask(lab, ASK_PERSON, "127.0.0.8"), FOR_TODAY % "127.0.0.8", "a hanging database")
        lab.process.send_signal(signal.SIGTERM)
        lab.wait_for_log("the last counts of access control are lost")
        equal(lab.wait_for_end(), 0, "exit code")


def test_load_balancer(lab):
    start(lab, **{"proxy.protocol.enabled": "true", "ipranges.loadbalancer": "127.0.0.9", "acl.limit": 0,
                  "ipranges.blocked": "192.0.2.66"})
    v1 = b"PROXY TCP4 192.0.2.77 127.0.0.1 1234 43\r\n"
    v2 = (b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24" + socket.inet_pton(socket.AF_INET6, "2001:db8::77") +
          socket.inet_pton(socket.AF_INET6, "2001:db8::1") + b"\x04\xd2\0\x2b")
    equal(ask(lab, ASK_PERSON, "127.0.0.9", v1), FOR_TODAY % "192.0.2.77", "version 1")
    equal(ask(lab, ASK_PERSON, "127.0.0.9", v2), FOR_TODAY % "2001:db8:0:0:0:0:0:77", "version 2")
    equal(ask(lab, "help", "127.0.0.9", v1.replace(b"77", b"66")),
          "% Your host 192.0.2.66 has been blocked. Please contact support <ripe-dbm@ripe.net> for further "
          "assistance.\n\n", "a blocked client")
    if "ERROR:111" not in ask(lab, "PROXY -X", "127.0.0.10"):
        raise AssertionError("a header of somebody else is no question")
    lab.wait_for_log("done .*peer=192.0.2.77 .*reason=limit")
    lab.wait_for_log("done .*peer=2001:db8::77 .*reason=limit")
    lab.stop()


harness.main(__name__)
