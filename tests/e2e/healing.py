#!/usr/bin/python3
"""A mirror that operators can forget about: it fetches its dump by itself, distrusts dump servers, finds
its way back when the upstream lost it, and repairs what an audit finds. Old data is served meanwhile."""

import gzip
import hashlib
import os
import re
import time

import harness
from harness import DUMP, FINAL, JOURNAL, LAST, SERIAL, Journal, ask_once, equal, long_only
from dumps import DumpServer, FtpServer
from oracle import Registry

KEY = "AS-TEST-NEST-L1"
DAY_S = 24 * 60 * 60


def read(path):
    with open(path, "rb") as file:
        return file.read()


def serve(lab, data=None, serial=SERIAL, name="RIPE-GRS", **more):
    """A dump server with a dump and its serial file, which the mirror is told of."""
    server = DumpServer()
    lab.upstreams.append(server)
    prefix = "nrtm.import.%s." % name
    lab.options[prefix + "dump"] = server.put("ripe.db.gz", data or read(DUMP), **more)
    lab.options[prefix + "serial"] = server.put("RIPE.CURRENTSERIAL", b"%d" % serial)
    return server


def put_locally(lab, data, age_s=0, name="dump.db.gz"):
    """A file that the server's account can read; return its path."""
    path = os.path.join(lab.root, name)
    with open(path, "wb") as file:
        file.write(data)
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def expect_texts(lab, path):
    """The database holds the objects of a dump, and no others."""
    rows = lab.database.sql("SELECT object_type, HEX(object) FROM last WHERE sequence_id > 0")
    got = sorted((int(number), bytes.fromhex(text)) for number, text in rows)
    expected = Registry.read(path).texts()
    equal(len(got), len(expected), "objects")
    equal(got == expected, True, "their texts")


def still_answers(lab):
    if KEY.encode() not in ask_once(lab.port, "-s RIPE-GRS -r " + KEY):
        raise AssertionError("no answer")


def count(server, pattern):
    return len([event for event in server.events if re.search(pattern, event)])


def reload(lab, *more, fails=None):
    """whois.init reload; with `fails`, it has to and to say so."""
    code, text = lab.whoisd("--reload", "RIPE-GRS", *more, check=False)
    equal((code == 0) == (fails is None), True, "reload: " + text)
    if fails and not re.search(fails, text):
        raise AssertionError("no /%s/ in %s" % (fails, text))
    return text


# --- dumps by URL ---

def test_three_lines_from_nothing_to_streaming(lab):
    """enabled, sources, source under a known registry's name; the rest is only made local."""
    upstream = lab.upstream()
    server = serve(lab)
    equal(lab.options["nrtm.import.RIPE-GRS.source"], "RIPE", "the registry's name")
    lab.start()
    upstream.wait_for_event(r"^start 1 %d-" % (SERIAL + 1))
    lab.wait_for_serial(LAST)
    expect_texts(lab, FINAL)
    equal([event.split()[1] for event in server.events],
          ["/RIPE.CURRENTSERIAL", "/ripe.db.gz", "/ripe.db.gz.md5", "/RIPE.CURRENTSERIAL"],
          "what was asked for")
    lab.stop()


def test_download_that_breaks_off_is_resumed(lab):
    lab.upstream()
    server = serve(lab)
    part = len(read(DUMP)) // 3
    server.plan("ripe.db.gz", cut_after=part)
    if harness.IS_LONG:
        server.plan("ripe.db.gz", status=503)
        server.plan("ripe.db.gz", cut_after=part)
    lab.start()
    lab.wait_for_serial(LAST)
    equal(count(server, "ripe.db.gz 206 from=%d" % (2 * part if harness.IS_LONG else part)), 1,
          "resumed where it broke off")
    lab.stop()


@long_only
def test_download_resumed_of_another_file_begins_anew(lab):
    """The dump is replaced while it is downloaded; the server tells by its ETag."""
    lab.upstream()
    server = serve(lab)
    server.plan("ripe.db.gz", cut_after=300000, then=lambda: server.put("ripe.db.gz", read(FINAL)))
    lab.start()
    lab.wait_for_serial(LAST)
    equal(count(server, "ripe.db.gz 200 from=0"), 2, "whole files")
    expect_texts(lab, FINAL)
    lab.stop()


@long_only
def test_ftp(lab):
    """Resumed as long as size and time of the remote file are the same."""
    lab.upstream()
    server = FtpServer()
    lab.upstreams.append(server)
    lab.options["nrtm.import.RIPE-GRS.dump"] = server.put("ripe.db.gz", read(DUMP))
    lab.options["nrtm.import.RIPE-GRS.serial"] = server.put("RIPE.CURRENTSERIAL", b"%d" % SERIAL)
    lab.start()
    lab.wait_for_serial(LAST)
    equal([event for event in server.events if "ripe.db.gz" in event], ["RETR ripe.db.gz from=0"],
          "transfers")
    server.cut_after = 100000
    server.events.clear()
    server.put("RIPE.CURRENTSERIAL", b"%d" % LAST)
    server.put("ripe.db.gz", read(FINAL))
    reload(lab)
    equal(server.events[-2:], ["RETR ripe.db.gz from=100000", "RETR RIPE.CURRENTSERIAL from=0"],
          "transfers")
    expect_texts(lab, FINAL)
    server.files.pop("ripe.db.gz")  # What is not there by FTP may be by HTTPS, at the same place.
    reload(lab, fails="ftp://.*ripe.db.gz")
    equal(server.events[-1], "TLS", "what came last")
    lab.wait_for_log(r"trying https://127.0.0.1:\d+/ripe.db.gz, since ftp://")
    lab.stop()


@long_only
def test_twins_with_one_counter(lab):
    """RIPE and RIPE-NONAUTH: two dumps and two streams, the same serials."""
    def twin(data):
        return re.sub(rb"(?m)^(source:\s*)RIPE(?=\s)", rb"\1RIPE-NONAUTH", data)

    journal = Journal.read(JOURNAL)
    journal.source = "RIPE-NONAUTH"
    journal.ops = [twin(op) for op in journal.ops]
    lab.options["nrtm.import.sources"] = "RIPE-GRS,RIPE-NONAUTH-GRS"
    lab.upstream()
    lab.upstream(journal, name="RIPE-NONAUTH-GRS")
    serve(lab)
    serve(lab, gzip.compress(twin(gzip.decompress(read(DUMP)))), name="RIPE-NONAUTH-GRS")
    lab.start()
    for database in ("WHOIS_MIRROR_RIPE_GRS", "WHOIS_MIRROR_RIPE_NONAUTH_GRS"):
        lab.wait_for_serial(LAST, database)
    expect_texts(lab, FINAL)
    answer = ask_once(lab.port, "-s RIPE-NONAUTH-GRS -r " + KEY)
    equal(re.findall(rb"(?m)^source:\s*(\S+)", answer), [b"RIPE-NONAUTH"], "the twin's object")
    lab.stop()


def test_dump_that_does_not_match_its_checksum(lab):
    """Written by the registry beside the dump, in either form; a file of something else counts for nothing."""
    lab.upstream()
    server = serve(lab)
    right = hashlib.md5(read(DUMP)).hexdigest()
    server.put("ripe.db.gz.md5", b"%s  ripe.db.gz\n" % right[::-1].encode())
    lab.start(wait=False)
    lab.wait_for_log(r"ERROR .*RIPE-GRS: the first load failed.*its MD5 is %s, and " % right)
    equal(lab.database.value("SELECT COUNT(*) FROM last"), "0", "objects")
    server.put("ripe.db.gz.md5", b"MD5 (ripe.db.gz) = %s\n" % right.upper().encode())
    reload(lab)
    lab.wait_for_serial(LAST)
    server.put("ripe.db.gz.md5", b"<html>what?</html>\n")
    server.put("RIPE.CURRENTSERIAL", b"%d" % LAST)
    server.put("ripe.db.gz", read(FINAL))
    reload(lab)
    lab.wait_for_log(r"WARN .*ripe.db.gz.md5: holds no MD5 checksum")
    lab.stop()


@long_only
def test_servers_that_misbehave_during_a_reload(lab):
    """Broken off, stalled, too long or too short for what they say: resumed or refused, and the old data
    is answered from all the time."""
    lab.options["mirror.dump.timeout"] = 2
    lab.probe("-s RIPE-GRS -r " + KEY, KEY.encode())
    lab.upstream()
    server = serve(lab)
    lab.load()
    lab.start()
    lab.wait_for_serial(LAST)
    server.put("RIPE.CURRENTSERIAL", b"%d" % LAST)
    server.put("ripe.db.gz", read(FINAL))
    size = len(read(FINAL))
    for plans, fails, resumed in (
            ([{"cut_after": size // 4}, {"status": 503}, {"cut_after": size // 4}], None, size // 4 * 2),
            ([{"stall_after": size // 3}], None, size // 3),
            ([{"length": size + 1000}], None, size),
            ([{"length": size - 1000, "whole": True}], "cut off", None)):
        server.events.clear()
        for plan in plans:
            server.plan("ripe.db.gz", **plan)
        reload(lab, fails=fails)
        if resumed is not None and resumed < size:
            equal(count(server, "ripe.db.gz 206 from=%d " % resumed), 1, "resumed at %d" % resumed)
        expect_texts(lab, FINAL)
        equal(lab.database.max_serial(), LAST, "serial")
    lab.stop()


@long_only
def test_server_that_stalls(lab):
    lab.options["mirror.dump.timeout"] = 2
    lab.upstream()
    server = serve(lab)
    server.plan("ripe.db.gz", stall_after=100000)
    lab.start()
    lab.wait_for_serial(LAST)
    equal(count(server, "ripe.db.gz 206 from=100000"), 1, "resumed")
    lab.stop()


def test_server_that_drips(lab):
    """Each answer brings a byte and breaks off: the time for a file is for all of them together."""
    lab.options["mirror.dump.max.time"] = 3
    lab.upstream()
    server = serve(lab)
    for _ in range(200):  # Enough for longer than anybody waits here.
        server.plan("ripe.db.gz", cut_after=1)
    lab.start(wait=False)
    lab.wait_for_log(r"ERROR .*RIPE-GRS: the first load failed.*not within the 3 s of "
                     r"mirror.dump.max.time: \S+/ripe.db.gz: ")
    server.plans.clear()
    del lab.options["mirror.dump.max.time"]
    lab.write_properties()
    lab.whoisd("--reload")
    reload(lab)  # Nothing holds it up.
    lab.wait_for_serial(LAST)
    lab.stop()


@long_only
def test_server_that_lies_about_the_length(lab):
    lab.upstream()
    server = serve(lab)
    size = len(read(DUMP))
    server.plan("ripe.db.gz", length=size + 1000)  # The end never comes: asked for again.
    server.plan("ripe.db.gz", length=size - 1000, whole=True)  # A gzip file without its end.
    lab.start(wait=False)
    lab.wait_for_log(r"ERROR .*RIPE-GRS: the first load failed.*cut off")
    equal(lab.database.value("SELECT COUNT(*) FROM last"), "0", "objects of half a dump")
    reload(lab)
    lab.wait_for_serial(LAST)
    lab.stop()


@long_only
def test_dumps_that_are_refused(lab):
    """Old, halved, of another day, a page in place of one: the old data stays and is served."""
    server = serve(lab)
    lab.probe("-s RIPE-GRS -r " + KEY, KEY.encode())
    lab.upstream()
    lab.load()
    lab.start()
    lab.wait_for_serial(LAST)
    new = LAST + 1000
    server.put("RIPE.CURRENTSERIAL", b"%d" % new)
    whole = gzip.decompress(read(FINAL))
    more = b"".join(b"\nas-set: AS-MORE%d\nsource: RIPE\n" % i for i in range(30000))
    for data, age_s, pattern in ((read(FINAL), 20 * DAY_S, "mirror.dump.max.age"),
                                 (read(FINAL), DAY_S, "before its serial file"),
                                 (gzip.compress(whole[:len(whole) // 2]), 0, "fewer than 90%"),
                                 (gzip.compress(whole + more), 0, "more than 100% of growth"),
                                 (read(FINAL)[:-1000], 0, "cut off"),
                                 (b"<html>404</html>\n", 0, "fewer than 90%")):
        server.put("ripe.db.gz", data, age_s)
        reload(lab, fails=pattern)
        still_answers(lab)
        equal(lab.database.max_serial(), LAST, "serial after " + pattern)
    expect_texts(lab, FINAL)
    server.put("RIPE.CURRENTSERIAL", b"%d" % SERIAL)
    server.put("ripe.db.gz", read(FINAL))
    reload(lab, fails="below the mirror's")
    server.put("RIPE.CURRENTSERIAL", b"<html>")
    reload(lab, fails="expected a serial")
    lab.stop()


@long_only
def test_split_dump_that_changes_between_its_files(lab):
    """The serial of before counts: what the second file has already comes again and changes nothing."""
    lab.upstream()
    server = serve(lab)
    whole = gzip.decompress(read(DUMP))
    half = whole.index(b"\n\n", len(whole) // 2) + 2
    changed = gzip.decompress(read(FINAL))
    first = server.put("a.db", whole[:half])
    second = server.put("b.db.gz", gzip.compress(whole[half:]))
    lab.options["nrtm.import.RIPE-GRS.dump"] = first + "," + second
    server.plan("a.db", then=lambda: (server.put("b.db.gz", gzip.compress(changed)),
                                      server.put("RIPE.CURRENTSERIAL", b"%d" % (SERIAL + 500))))
    lab.start()
    lab.wait_for_log(r"the serial file changed during the download.*serial=%d" % SERIAL)
    lab.wait_for_serial(LAST)
    expect_texts(lab, FINAL)
    lab.stop()


# --- healing ---

def lose(lab, journal):
    """A loaded mirror, and an upstream that has no way from there to here."""
    lab.load()
    upstream = lab.upstream(journal)
    lab.start()
    return upstream


def test_expired_serials_are_healed_from_the_dump(lab):
    journal = Journal.read(JOURNAL)
    journal.trim(100)
    server = serve(lab, read(FINAL), LAST)
    if harness.IS_LONG:
        server.plan("ripe.db.gz", status=503)
    upstream = lose(lab, journal)
    lab.wait_for_log(r"WARN .*RIPE-GRS is expired: reloading it from its dump")
    still_answers(lab)
    lab.wait_for_serial(LAST)
    lab.wait_for_log(r"state=stream")
    expect_texts(lab, FINAL)
    upstream.wait_for_event(r"^request \d+ -g RIPE:3:%d-LAST" % (LAST + 1))
    equal(lab.database.value("SELECT COUNT(*) > 0 FROM history"), "1", "history is kept")
    lab.stop()


@long_only
def test_local_files_that_are_old_fill_a_mirror_and_heal_none(lab):
    """What an operator has may be old; it does not replace newer data unless he says so."""
    journal = Journal.read(JOURNAL)
    journal.trim(100)
    lab.upstream(journal)
    dump = put_locally(lab, read(DUMP), 20 * DAY_S)
    lab.options["nrtm.import.RIPE-GRS.dump"] = dump
    lab.options["nrtm.import.RIPE-GRS.serial"] = put_locally(lab, b"%d" % SERIAL, name="SERIAL")
    lab.start()
    failed = "ERROR .*RIPE-GRS: the automatic reload failed.*"
    lab.wait_for_log(failed + "written 20 days ago, older than mirror.dump.max.age")
    still_answers(lab)
    expect_texts(lab, DUMP)
    lab.stop()
    put_locally(lab, read(DUMP), DAY_S)
    lab.start()
    lab.wait_for_log(failed + "written 2[34] h before its serial file")
    expect_texts(lab, DUMP)
    lab.stop()
    put_locally(lab, read(FINAL))
    put_locally(lab, b"%d" % LAST, name="SERIAL")
    lab.start()
    lab.wait_for_serial(LAST)
    expect_texts(lab, FINAL)
    lab.stop()


@long_only
def test_upstream_that_counts_anew_is_healed_from_the_dump(lab):
    """And one that never had our serial: an operator's mistake looks the same."""
    lab.options["mirror.reset.grace"] = 1
    journal = Journal()
    journal.append([("ADD", b"person: New\nnic-hdl: NEW1-RIPE\nsource: RIPE\n")] * 5)
    journal.last = 5
    serve(lab, read(FINAL), 3)
    lose(lab, journal)
    lab.wait_for_log(r"reset-suspected", seconds=180)
    still_answers(lab)
    lab.wait_for("the new counter", lambda: lab.database.max_serial() == 5, 180)
    equal(lab.database.value("SELECT COUNT(*) FROM last WHERE pkey = 'NEW1-RIPE'"), "1", "new object")
    lab.stop()


@long_only
def test_reload_without_serial_is_refused(lab):
    lab.upstream()
    lab.load()
    lab.start()
    lab.wait_for_serial(LAST)
    headless = os.path.join(lab.root, "headless.db")  # The sample's head names its serial.
    with open(headless, "wb") as file:
        file.write(re.sub(rb"(?m)^[#%].*\n", b"", gzip.decompress(read(DUMP))))
    reload(lab, headless, fails="without its serial")
    expect_texts(lab, FINAL)
    lab.stop()


# --- audits ---

@long_only
def test_audit_repairs(lab):
    """Against an older dump: what is newer than it stays."""
    reached = SERIAL + 500
    lab.upstream(last=reached)
    serve(lab)
    lab.start()
    lab.wait_for_serial(reached)
    before = sorted(lab.database.sql("SELECT pkey, HEX(object) FROM last WHERE sequence_id > 0"))
    # Of the dump itself, and not changed since.
    key = lab.database.value("SELECT pkey FROM last WHERE object_type = 10 AND object_id NOT IN "
                             "(SELECT object_id FROM serials) LIMIT 1")
    lab.database.sql("UPDATE last SET object = CONCAT(object, 'remarks: damaged\n') "
                     "WHERE pkey = '%s'; UPDATE nrtm_state SET generation = generation + 1" % key)
    lab.wait_for("the damage to show", lambda: b"damaged" in ask_once(
        lab.port, "-s RIPE-GRS -r " + key))
    text = reload(lab, "--audit")
    if not re.search(r"audit: \d+ checked, 0 added, 1 changed, 0 removed", text):
        raise AssertionError(text)
    lab.wait_for_log("audit: changed .*" + key)
    equal(sorted(lab.database.sql("SELECT pkey, HEX(object) FROM last WHERE sequence_id > 0")) ==
          before, True, "the data after the repair")
    equal(lab.database.max_serial(), reached, "serial")
    lab.stop()


# --- registries without NRTM ---

@long_only
def test_registry_without_nrtm_is_reloaded_by_difference(lab):
    server = DumpServer()
    lab.upstreams.append(server)
    lab.options["nrtm.import.RIPE-GRS.source"] = "RIPE"
    lab.options["nrtm.import.RIPE-GRS.mode"] = "dump"
    lab.options["nrtm.import.RIPE-GRS.dump"] = server.put("ripe.db.gz", read(DUMP))
    lab.start()
    lab.wait_for_log(r"RIPE-GRS: loaded")
    still_answers(lab)
    expect_texts(lab, DUMP)
    path = os.path.join(lab.var, "status", "nrtm.RIPE-GRS")
    lab.wait_for("the status file", lambda: os.path.exists(path) and "dump_time=1" in read(path).decode())
    status = lab.status()
    equal((status["state"], status["freshness"], status["dump_error"], status["followed"]),
          ("dump", "fresh", "", False), "status")
    lab.stop()
    lab.start()  # What is due at a start is done; the same dump is not loaded again.
    lab.wait_for("a question for changes", lambda: count(server, "ripe.db.gz 304"))
    lab.stop()
    lab.start()  # And not at the next start either.
    lab.wait_for("another one", lambda: count(server, "ripe.db.gz (200|304)") == 3)
    equal(count(server, "ripe.db.gz 304"), 2, "answers that nothing changed")
    lab.stop()
    server.put("ripe.db.gz", read(FINAL))
    server.plan("ripe.db.gz", status=404)
    lab.start()
    lab.wait_for("the error in the status", lambda: "404" in lab.status()["dump_error"])
    equal(lab.status()["dump_time"] >= status["dump_time"], True, "when the last one came")
    reload(lab)
    lab.wait_for_log(r"reloaded by difference")
    expect_texts(lab, FINAL)
    equal(lab.database.value("SELECT COUNT(*) > 0 FROM history"), "1", "history")
    lab.stop()


def test_local_dump_without_nrtm_is_loaded_once(lab):
    """However old it is: it is the one that was loaded."""
    lab.options["nrtm.import.RIPE-GRS.source"] = "RIPE"
    lab.options["nrtm.import.RIPE-GRS.mode"] = "dump"
    lab.options["nrtm.import.RIPE-GRS.dump"] = put_locally(lab, read(DUMP), 20 * DAY_S)
    lab.start()
    lab.wait_for_log(r"RIPE-GRS: loaded")
    lab.stop()
    lab.start()
    lab.wait_for_log(r"RIPE-GRS: the (dump is the one loaded last|scheduled reload failed)")
    equal("scheduled reload failed" in lab.log(), False, "the reload failed")
    expect_texts(lab, DUMP)
    lab.stop()


harness.main(__name__)
