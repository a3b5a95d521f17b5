#!/usr/bin/python3
"""Upstreams of every kind: what each server says and refuses, several of them at once, servers that
change, that cannot send something, that are far ahead; and the few lines that make a mirror."""

import gzip
import os
import re

import harness
from harness import (DUMP, FINAL, JOURNAL, LAST, ROOT, SERIAL, Journal, Session, ask_once, blocks,
                     equal, long_only)
from dumps import DumpServer
from oracle import Registry

KEY = "AS-TEST-NEST-L1"
SERVERS = (("RIPE-GRS", "ripe"), ("C-GRS", "ripe-c"), ("IRRD-GRS", "irrd"), ("OLD-GRS", "irrd-legacy"))


def read(path):
    with open(path, "rb") as file:
        return file.read()


def database_of(source):
    return "WHOIS_MIRROR_" + source.replace("-", "_")


def expect_texts(lab, path, source="RIPE-GRS"):
    rows = lab.database.sql("SELECT object_type, HEX(object) FROM last WHERE sequence_id > 0",
                            database_of(source))
    got = sorted((int(number), bytes.fromhex(text)) for number, text in rows)
    equal(got == Registry.read(path).texts(), True, "the objects of " + source)


def serve(lab, data=None, serial=SERIAL, name="RIPE-GRS"):
    """A dump server with a dump and its serial file, which the mirror is told of."""
    server = DumpServer()
    lab.upstreams.append(server)
    prefix = "nrtm.import.%s." % name
    lab.options[prefix + "dump"] = server.put("ripe.db.gz", data or read(DUMP))
    lab.options[prefix + "serial"] = server.put("RIPE.CURRENTSERIAL", b"%d" % serial)
    return server


def set_serial(lab, source, serial):
    """Also begins a new session, at once."""
    lab.whoisd("--setserial", source, str(serial))


# --- dialects ---

def follow_each(lab):
    """A mirror of each kind of server, loaded and up to date."""
    lab.options["nrtm.import.sources"] = ",".join(name for name, _ in SERVERS)
    upstreams = {name: lab.upstream(name=name, dialect=dialect) for name, dialect in SERVERS}
    for name in upstreams:
        lab.load(source=name)
    lab.start()
    for name in upstreams:
        lab.wait_for_serial(LAST, database_of(name))
    return upstreams


def wait_for_states(lab, expected):
    """{source: state}"""
    lab.wait_for("the states %r" % expected, lambda: {
        name: lab.status(name).get("state") for name in expected} == expected)


def test_each_dialect_is_followed(lab):
    upstreams = follow_each(lab)
    wait_for_states(lab, {name: "stream" for name in upstreams})
    for name, dialect in SERVERS:
        expect_texts(lab, FINAL, name)
        status = lab.status(name)
        equal(status["filtered"], dialect == "ripe-c", "%s says that it filters" % dialect)
        equal((status["last_error"], status["counters"]["failures"]), ("", 0), "failures of " + name)
        equal(status["source_max"], LAST, "newest serial of " + name)
    lab.stop()


@long_only
def test_each_refusal_is_understood_in_each_dialect(lab):
    """Position and age are the servers' own judgement; who may ask is planned. Then all is well again."""
    upstreams = follow_each(lab)
    for position, plan, state, error in (
            (LAST, None, "stream", r"^$"),
            (SERIAL - 100, None, "expired", r"serials-expired: .*our serial \d+ is of 20\d\d-"),
            (LAST + 50, None, None, r"upstream-behind: .*above the upstream's newest"),
            (SERIAL + 100, None, "expired", r"serials-expired: .*14 days"),
            (SERIAL + 100, "denied", "denied", r"denied: "),
            (SERIAL + 100, "unknown-source", "backoff", r"protocol-error: ")):
        is_old = state == "expired" and position > SERIAL
        for name, upstream in upstreams.items():
            upstream.oldest = LAST + 1000 if is_old else None
            if plan:
                upstream.plan(refuse=plan)
            set_serial(lab, name, position)
        for name, upstream in upstreams.items():
            lab.wait_for("%s: %s /%s/" % (name, state, error), lambda: re.search(
                error, lab.status(name)["last_error"]) and state in (None, lab.status(name)["state"]))
    for name, upstream in upstreams.items():
        set_serial(lab, name, SERIAL)
        lab.wait_for_serial(LAST, database_of(name))
        expect_texts(lab, FINAL, name)
    lab.stop()


def test_ranges_are_split_where_a_server_limits_them(lab):
    """Also for a mirror that knew where the server ended, before it was away for long. One request goes
    beyond the end, and so learns where it is."""
    limit, known = 70, SERIAL + 50
    upstream = lab.upstream(dialect="irrd", last=known)
    upstream.range_limit = limit
    lab.options["nrtm.import.RIPE-GRS.poll"] = 3600  # Requests come when this test wants them.
    lab.load()
    lab.start()
    lab.wait_for_serial(known)
    wait_for_states(lab, {"RIPE-GRS": "stream"})
    at = len(upstream.events)
    upstream.publish(LAST)
    set_serial(lab, "RIPE-GRS", known)
    lab.wait_for_serial(LAST)
    wait_for_states(lab, {"RIPE-GRS": "stream"})
    firsts = range(known + 1, LAST + 1, limit)
    equal(firsts[-1] + limit - 1 > LAST, True, "the last part is a short one")
    equal([event.split(" -g ")[1] for event in upstream.events[at:] if " -g " in event],
          ["RIPE:3:%d-LAST" % firsts[0]]
          + ["RIPE:3:%d-%d" % (first, first + limit - 1) for first in firsts]
          + ["RIPE:3:%d-LAST" % firsts[-1]], "requests")
    equal(lab.status()["source_max"], LAST, "newest serial")
    expect_texts(lab, FINAL)
    lab.stop()


# --- several sources ---

def test_twins_of_one_server_with_one_counter(lab):
    """Each takes its own of the serials; one whose serials all belong to the other gets %START and %END."""
    ripe = Journal.read(JOURNAL)
    nonauth = Journal("RIPE-NONAUTH")
    kept = [(serial, op) for serial, op in zip(ripe.serials, ripe.ops) if serial % 10 or serial > LAST - 200]
    moved = [(serial, op) for serial, op in zip(ripe.serials, ripe.ops)
             if serial % 10 == 0 and serial <= LAST - 200]
    ripe.serials, ripe.ops = [serial for serial, _ in kept], [op for _, op in kept]
    nonauth.serials = [serial for serial, _ in moved]
    nonauth.ops = [b"ADD %d\n\nas-set: AS-N%d\nsource: RIPE-NONAUTH\n\n" % (serial, serial)
                   for serial, _ in moved]
    nonauth.last, nonauth.begin = ripe.last, SERIAL + 1
    lab.options["nrtm.import.sources"] = "RIPE-GRS,RIPE-NONAUTH-GRS"
    # Asked for ranges, so that each knows how far it is although nothing of its own comes any more.
    upstream = lab.upstream(ripe, twins=[nonauth])
    for name, source in (("RIPE-GRS", "RIPE"), ("RIPE-NONAUTH-GRS", "RIPE-NONAUTH")):
        prefix = "nrtm.import.%s." % name
        lab.options.update({prefix + "source": source, prefix + "host": upstream.host,
                            prefix + "port": upstream.port, prefix + "mode": "poll"})
    serve(lab)
    serve(lab, b"as-set: AS-OLD\nsource: RIPE-NONAUTH\n", name="RIPE-NONAUTH-GRS")
    lab.start()
    lab.wait_for("both at the counter's newest serial", lambda: [
        lab.status(name)["hw"] for name in ("RIPE-GRS", "RIPE-NONAUTH-GRS")] == [LAST, LAST])
    equal(lab.status("RIPE-NONAUTH-GRS")["applied"], nonauth.serials[-1], "its own last serial")
    equal(lab.database.value("SELECT COUNT(*) FROM last", database_of("RIPE-NONAUTH-GRS")),
          str(1 + len(moved)), "objects of the twin")
    lab.stop()


@long_only
def test_ten_mirrors_one_of_which_misbehaves(lab):
    """Garbage, cuts, silence, another source, a refusal: the other nine notice nothing."""
    names = ["M%d-GRS" % i for i in range(10)]
    lab.options["nrtm.import.sources"] = ",".join(names)
    half = SERIAL + 300
    upstreams = {name: lab.upstream(name=name, last=half, dialect="ripe" if i % 3 else "ripe-c")
                 for i, name in enumerate(names)}
    for name in names:
        serve(lab, name=name)
    lab.options["mirror.max.object.size"] = "2m"
    lab.probe("-s M5-GRS -r " + KEY, KEY.encode())
    lab.start()
    lab.switch_prober(False)
    lab.wait_for("ten mirrors", lambda: [lab.status(name)["hw"] for name in names] == [half] * 10)
    lab.switch_prober(True)
    bad, others = upstreams[names[0]], [upstreams[name] for name in names[1:]]
    for i, plan in enumerate(({"answer": "\x00\x01\xff" * 1000 + "\n"}, {"cut_after": 60, "reset": True},
                              {"source": "OTHER"}, {"before": {str(half + 1): "x" * 3000000}},
                              {"refuse": "denied"}, {"hold": True})):
        at = len(bad.events)
        bad.plan(**plan)
        bad.publish(half + 1)
        set_serial(lab, names[0], half)  # The next session begins.
        at = bad.wait_for_event(r"^request", after=at)
        if "hold" not in plan:
            number = bad.events[at - 1].split()[1]
            bad.wait_for_event(r"^close %s " % number, after=at)
        for upstream in others:
            upstream.publish(half + 20 * (i + 1))
    for upstream in upstreams.values():
        upstream.publish(LAST)
    for name in names[1:]:
        lab.wait_for_serial(LAST, database_of(name))
    for name in names[1:]:
        status = lab.status(name)
        equal((status["state"], status["last_error"], status["freshness"]), ("stream", "", "fresh"), name)
        equal(status["counters"]["failures"], 0, "failures of " + name)
    equal(lab.status(names[0])["counters"]["failures"], 5, "failures of the one")
    expect_texts(lab, FINAL, names[9])
    bad.release()
    lab.wait_for_serial(LAST, database_of(names[0]))
    expect_texts(lab, FINAL, names[0])
    lab.stop()


@long_only
def test_keys_that_take_long_hold_up_no_other_mirror(lab):
    """What a killed load left out is added while the server runs; here the table is held meanwhile."""
    half, names = SERIAL + 300, ("RIPE-GRS", "COPY-GRS")
    lab.options["nrtm.import.sources"] = ",".join(names)
    ours, other = (lab.upstream(name=name, last=half) for name in names)
    for name in names:
        lab.load(source=name)
    lab.start()
    for name in names:
        lab.wait_for_serial(half, database_of(name))
    lab.stop()
    lab.database.sql("ALTER TABLE last DROP KEY last_pkey", database_of(names[0]))
    reader = Session(lab.database.option_file)
    reader.sql("BEGIN")
    reader.sql("SELECT 1 FROM last LIMIT 1", database_of(names[0]))
    ours.publish(LAST)
    other.publish(half + 1)
    lab.start()
    lab.wait_for("keys that wait", lab.database.waits_for_a_table)
    lab.wait_for_log("source RIPE-GRS is being loaded")
    other.publish(LAST)
    lab.wait_for_serial(LAST, database_of(names[1]))
    reader.sql("COMMIT")
    reader.close()
    lab.wait_for_serial(LAST, database_of(names[0]))
    expect_texts(lab, FINAL)
    equal(lab.database.value("SELECT COUNT(*) FROM information_schema.statistics WHERE table_schema = "
                             "'%s' AND index_name = 'last_pkey'" % database_of(names[0])), "1", "keys")
    lab.stop()


# --- from nothing ---

THREE_LINES = """nrtm.import.enabled=true
nrtm.import.sources=RIPE-GRS
nrtm.import.RIPE-GRS.source=RIPE
"""


def test_the_sample_and_three_lines(lab):
    """Nothing but the sample, the three lines, and what has to be local here: the database, the port and
    user of this test, and host, port, dump and serial of the registry."""
    upstream = lab.upstream(last=SERIAL + 200)
    serve(lab)
    local = {key: value for key, value in lab.options.items() if key.startswith("whois.db.")
             or key in ("port.query", "run.user")
             or re.fullmatch(r"nrtm\.import\.RIPE-GRS\.(host|port|dump|serial)", key)}
    replaced = [line.split("=")[0] for line in THREE_LINES.splitlines()] + list(local)
    with open(os.path.join(ROOT, "etc", "whois.properties.example"), encoding="ascii") as file:
        sample = [line for line in file if line.split("=")[0] not in replaced]
    lab.preface, lab.options = "".join(sample) + THREE_LINES, local
    lab.start()
    upstream.wait_for_event(r"^start \d+ %d-" % (SERIAL + 1))
    lab.wait_for_serial(SERIAL + 200)
    upstream.publish(LAST)  # Streaming: what comes now is there at once.
    lab.wait_for_serial(LAST)
    wait_for_states(lab, {"RIPE-GRS": "stream"})
    equal(len(blocks(ask_once(lab.port, "-s RIPE-GRS -r " + KEY))), 1, "answers")
    expect_texts(lab, FINAL)
    lab.stop()


def test_the_servers_own_serial(lab):
    """serial=nrtm, where the serial file does not count like NRTM, or there is none."""
    upstream = lab.upstream(last=SERIAL)
    server = serve(lab, serial=SERIAL * 2)
    lab.options["nrtm.import.RIPE-GRS.reload"] = "manual"
    lab.start()
    lab.wait_for_log(r"ERROR|WARN.*the serial file does not match NRTM: the dump was said to be of "
                     r"serial %d" % (SERIAL * 2))
    lab.stop()
    server.events.clear()
    lab.options["nrtm.import.RIPE-GRS.serial"] = "nrtm"
    lab.start()
    code, text = lab.whoisd("--reload", "RIPE-GRS", "--force", check=False)
    equal(code, 0, "exit code of the reload: " + text)
    lab.wait_for("the serial", lambda: lab.database.max_serial() == SERIAL)
    equal([event for event in server.events if "CURRENTSERIAL" in event], [], "serial files asked for")
    code, text = lab.whoisd("--reload", "RIPE-GRS", "--audit", check=False)
    equal((code, "needs the dump's own serial" in text), (2, True), "an audit: " + text)
    upstream.publish(LAST)
    set_serial(lab, "RIPE-GRS", SERIAL)
    lab.wait_for_serial(LAST)
    expect_texts(lab, FINAL)
    lab.stop()


# --- servers that change, and that cannot ---

def test_another_host_needs_a_reload_or_a_word(lab):
    """A mirror in between counts its own serials: ours mean nothing to it."""
    upstream = lab.upstream(last=SERIAL + 100)
    lab.load()
    lab.start()
    lab.wait_for_serial(SERIAL + 100)
    lab.wait_for("the host in the database", lambda: lab.database.value(
        "SELECT CONCAT(host, ' ', source) FROM nrtm_state") == "127.0.0.1 RIPE")
    lab.stop()
    at = upstream.accepts
    upstream.publish(LAST)
    lab.options["nrtm.import.RIPE-GRS.host"] = "localhost"
    lab.start()
    lab.wait_for_log(r"ERROR .*reason=other-server: serial %d is of RIPE at 127.0.0.1" % (SERIAL + 100))
    equal((lab.status()["state"], upstream.accepts - at), ("other-server", 0), "state, and connections")
    lab.stop()
    lab.options["nrtm.import.RIPE-GRS.aliases"] = "nrtm.example,127.0.0.1"
    lab.start()
    lab.wait_for_serial(LAST)
    expect_texts(lab, FINAL)
    lab.stop()


@long_only
def test_another_host_is_healed_from_its_dump(lab):
    lab.upstream(last=SERIAL + 100)
    lab.load()
    lab.start()
    lab.wait_for_serial(SERIAL + 100)
    lab.wait_for("the host in the database", lambda: lab.database.value(
        "SELECT host FROM nrtm_state") == "127.0.0.1")
    lab.stop()
    other = Journal()
    other.append([("ADD", b"person: New\nnic-hdl: NEW1-RIPE\nsource: RIPE\n")] * 7)
    other.last = 7
    lab.upstream(other, host="localhost")
    lab.options["nrtm.import.RIPE-GRS.host"] = "localhost"
    serve(lab, read(FINAL), 5)
    lab.start()
    lab.wait_for("the other counter", lambda: lab.database.max_serial() == 7)
    equal(lab.database.value("SELECT COUNT(*) FROM last WHERE pkey = 'NEW1-RIPE'"), "1", "new object")
    lab.wait_for("the new host", lambda: lab.database.value("SELECT host FROM nrtm_state") == "localhost")
    lab.stop()


@long_only
def test_object_that_the_server_cannot_send(lab):
    """The same cut at the same place: passed over, noted, and brought by the next audit."""
    bad = SERIAL + 50
    upstream = lab.upstream(last=SERIAL + 100)
    upstream.plan_of_all = {"cut_in": bad}
    server = serve(lab)
    lab.start()
    lab.wait_for_log(r"ERROR .*serial %d is passed over and noted in nrtm_quarantine" % bad)
    lab.wait_for_serial(SERIAL + 100)
    equal(lab.database.sql("SELECT serial, reason FROM nrtm_quarantine"),
          [[str(bad), "the upstream breaks off in the middle of it"]], "quarantine")
    equal(lab.status()["quarantined"], 1, "in the status")
    upstream.plan_of_all = {}
    upstream.publish(LAST)
    lab.wait_for_serial(LAST)
    server.put("ripe.db.gz", read(FINAL))
    server.put("RIPE.CURRENTSERIAL", b"%d" % LAST)
    lab.whoisd("--reload", "RIPE-GRS", "--audit")
    expect_texts(lab, FINAL)
    equal(lab.status()["quarantined"], 0, "after the audit")
    lab.stop()


def test_dump_in_place_of_a_long_backlog(lab):
    lab.options["mirror.backlog.reload"] = 200
    upstream = lab.upstream()
    serve(lab, read(FINAL), LAST)
    upstream.plan(stall_after=4000)  # So far it gets by itself.
    lab.load()
    lab.start()
    lab.wait_for_log(r"RIPE-GRS is \d+ serials behind \(mirror.backlog.reload\): taking its dump")
    lab.wait_for_log(r"reloaded by difference serial=%d" % LAST)
    lab.wait_for_serial(LAST)
    expect_texts(lab, FINAL)
    lab.stop()


def test_what_was_kept_aside_is_tried_again_at_a_start(lab):
    """As a program would find it that understands more than the one before: all of it, however much
    comes first that it does not understand either."""
    lab.upstream()
    lab.load()
    lab.start()
    lab.wait_for_serial(LAST)
    lab.stop()
    old = lab.database.value("SELECT HEX(object) FROM last WHERE pkey = '%s'" % KEY)
    old = bytes.fromhex(old).decode().encode("latin-1").hex()  # As it was received.
    lab.database.sql(
        "INSERT INTO nrtm_quarantine (mirror, serial, operation, raw, reason, time) VALUES "
        "%s('RIPE-GRS', %d, 1, 'mntner: KEPT-MNT\nremarks: \xc3\xbc\nsource: RIPE\n', 'x', 1), "
        "('RIPE-GRS', %d, 1, UNHEX('%s'), 'x', 1)"
        % (1200 * ("('RIPE-GRS', %d, 1, 'no key at all\n', 'x', 1), " % LAST), LAST, LAST, old))
    lab.start()
    lab.wait_for_log(r"tried again: applied=1 overtaken=1 left=1200")
    equal(lab.database.sql("SELECT raw, COUNT(*) FROM nrtm_quarantine GROUP BY raw"),
          [["no key at all\\n", "1200"]], "what is left")
    equal(lab.status()["quarantined"], 1200, "in the status")
    equal(lab.database.max_serial(), LAST, "serial")
    equal(len(blocks(ask_once(lab.port, "-s RIPE-GRS -r KEPT-MNT"))), 1, "answers about it")
    lab.stop()


harness.main(__name__)
