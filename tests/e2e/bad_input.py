#!/usr/bin/python3
"""Bad input: broken upstreams, garbage on the query port, a full disk. A clear log line, nothing lost,
and the server goes on answering."""

import contextlib
import functools
import os
import re
import socket
import struct
import subprocess
import tempfile

import harness
from harness import (DUMP, JOURNAL, SERIAL, SMALL, Database, Journal, Lab, ask_once, equal,
                     long_only)
from oracle import Registry

KEY = "AS-TEST-NEST-L1"
LAST = SERIAL + 400  # Of the journal's ops that are played.
PLAYED = 100  # Of these, before anything goes wrong.

@functools.cache
def final_texts(last):
    """What the database has to hold at a serial."""
    registry = Registry.read(DUMP)
    registry.apply(JOURNAL, last=last)
    return registry.texts()


def start_mirror(lab, **more):
    """A loaded mirror that has followed its upstream for 100 serials, and that somebody asks all the
    time."""
    lab.probe("-s RIPE-GRS -r " + KEY, KEY.encode())
    upstream = lab.upstream(last=SERIAL + PLAYED, **more)
    lab.load()
    lab.start()
    lab.wait_for_serial(SERIAL + PLAYED)
    return upstream


def session_with(upstream, last=LAST, **plan):
    """Have the next session go wrong: end the present one; the server comes back."""
    at = len(upstream.events)
    upstream.plan(**plan)
    upstream.cut()
    upstream.publish(last)
    return at


def still_answers(lab):
    answer = ask_once(lab.port, "-s RIPE-GRS -r " + KEY)
    if KEY.encode() not in answer:
        raise AssertionError("no answer: %r" % answer)


def expect_final_state(lab, quarantined=0, missing=(), last=LAST):
    """Everything has been applied, but for the serials that the upstream spoilt."""
    lab.wait_for_serial(last)
    still_answers(lab)
    if not missing:
        rows = lab.database.sql("SELECT object_type, HEX(object) FROM last WHERE sequence_id > 0")
        got = sorted((int(number), bytes.fromhex(text)) for number, text in rows)
        equal(got == final_texts(last), True, "the final state: %d objects of %d"
              % (len(got), len(final_texts(last))))
    equal(lab.database.value("SELECT COUNT(*) FROM nrtm_quarantine"), str(quarantined),
          "rows in quarantine")
    lab.stop()


# --- upstreams ---

def test_cut_inside_an_object(lab):
    upstream = start_mirror(lab)
    session_with(upstream, cut_after=70000)
    expect_final_state(lab)


@long_only
def test_cut_by_reset(lab):
    upstream = start_mirror(lab)
    session_with(upstream, cut_after=70001, reset=True)
    expect_final_state(lab)


@long_only
def test_cut_everywhere(lab):
    """Sessions that end after ever more bytes: in banners, START lines, op lines, blank lines, texts."""
    upstream = lab.upstream(last=LAST)
    for size in [0, 1, 60, 120, 130, 150, 158, 159, 160, 170, 175, 176, 177, 200] + \
            ([] if not harness.IS_LONG else list(range(201, 1500, 13))):
        upstream.plan(cut_after=size)
    lab.load()
    lab.start()
    # The server waits longer after each failure: a restart makes it ask at once.
    while upstream.plans:
        count = len(upstream.plans)
        lab.wait_for("the next session", lambda n=count: len(upstream.plans) < n)
        lab.stop()
        lab.start()
    expect_final_state(lab)


def test_malformed_op_line(lab):
    upstream = start_mirror(lab)
    session_with(upstream, before={str(SERIAL + 200): "CHANGE 70000200\n\nperson: nobody\n\n"})
    lab.wait_for_log(r"(WARN|ERROR).*CHANGE 70000200")
    expect_final_state(lab)


def test_wrong_source(lab):
    upstream = start_mirror(lab)
    session_with(upstream, source="APNIC")
    lab.wait_for_log(r"(WARN|ERROR).*APNIC")
    equal(lab.database.max_serial(), SERIAL + PLAYED, "serial after a stream of another source")
    still_answers(lab)
    lab.stop()
    lab.start()
    expect_final_state(lab)


@long_only
def test_start_for_another_range(lab):
    upstream = start_mirror(lab)
    session_with(upstream, first=SERIAL + 150)
    lab.wait_for_log(r"(WARN|ERROR).*%d" % (SERIAL + 150))
    equal(lab.database.max_serial(), SERIAL + PLAYED, "serial after another range than asked for")
    lab.stop()
    lab.start()
    expect_final_state(lab)


def test_repeated_batch(lab):
    upstream = start_mirror(lab)
    session_with(upstream, repeat=[SERIAL + 150, SERIAL + 180])
    expect_final_state(lab)


@long_only
def test_serial_that_goes_backwards(lab):
    journal = Journal.read(JOURNAL)
    old = journal.ops[10].decode("latin-1")
    upstream = start_mirror(lab)
    session_with(upstream, before={str(SERIAL + 200): old})
    expect_final_state(lab)


def test_object_without_key(lab):
    upstream = start_mirror(lab)
    spoilt = str(SERIAL + 200)
    session_with(upstream, replace={spoilt: "ADD %s\n\nthis is no object\n\n" % spoilt})
    expect_final_state(lab, quarantined=1, missing=[spoilt])


def test_object_with_nul(lab):
    upstream = start_mirror(lab)
    spoilt = str(SERIAL + 200)
    text = "person:  Nul\0Byte\nnic-hdl: NUL1-RIPE\nmnt-by: X-MNT\nsource: RIPE\n"
    session_with(upstream, replace={spoilt: "ADD %s\n\n%s\n" % (spoilt, text)})
    lab.wait_for_serial(LAST)
    equal(lab.database.value("SELECT HEX(object) FROM last WHERE pkey = 'NUL1-RIPE'"),
          text.encode().hex().upper(), "stored text")
    expect_final_state(lab, missing=[spoilt])


@long_only
def test_huge_line(lab):
    """A line above mirror.max.object.size ends the session and is named; memory stays bounded."""
    upstream = start_mirror(lab)
    spoilt = str(SERIAL + 200)
    huge = "ADD %s\n\nperson: %s\n" % (spoilt, "x" * (100 << 20))
    session_with(upstream, replace={spoilt: huge})
    lab.wait_for_log(r"(WARN|ERROR).*(20971520|20 MB|20 MiB|max\.object\.size)")
    still_answers(lab)
    if "SAN" not in os.environ.get("E2E_BUILD", ""):
        equal(high_water(lab) < 400 * 1024, True, "high-water memory %d kB" % high_water(lab))
    expect_final_state(lab)


@long_only
def test_one_byte_at_a_time(lab):
    upstream = start_mirror(lab)
    at = len(upstream.events)
    upstream.plan(chunk=1)
    upstream.cut()
    upstream.publish(SERIAL + PLAYED + 30)
    lab.wait_for_serial(SERIAL + PLAYED + 30)
    upstream.wait_for_event("^start", after=at)
    session_with(upstream)
    expect_final_state(lab)


@long_only
def test_no_end(lab):
    """A polled range without %END is truncated: what came is kept, the rest is asked for again."""
    lab.options["nrtm.import.RIPE-GRS.mode"] = "poll"
    lab.options["nrtm.import.RIPE-GRS.poll"] = "15"
    upstream = lab.upstream(last=LAST)
    upstream.plan(no_end=True, cut_after=150000)
    lab.load()
    lab.start()
    expect_final_state(lab)


@long_only
def test_stalled_start(lab):
    """An upstream that says nothing after the request holds up nobody."""
    upstream = start_mirror(lab)
    at = session_with(upstream, hold=True)
    upstream.wait_for_event("^request", after=at)
    still_answers(lab)
    upstream.release()
    expect_final_state(lab)


@long_only
def test_refused_and_up_to_date(lab):
    upstream = start_mirror(lab)
    upstream.is_refusing = True
    upstream.cut()
    at = len(upstream.events)
    upstream.wait_for_event("^close .* refused", after=at)
    still_answers(lab)
    upstream.is_refusing = False
    # Exactly current: RIPE's server says 401 and closes. No error, no second "Connected to".
    upstream.wait_for_event("^close .* error", after=at)
    equal(len(re.findall("Connected to", lab.log())), 1, "lines 'Connected to'")
    upstream.publish(LAST)
    expect_final_state(lab)


@long_only
def test_unwelcome_answers(lab):
    for text, pattern in (("%ERROR:402: not authorised to mirror the database from IP address 1\n\n",
                           "not authorised"),
                          ("%% Access denied", "Access denied"),
                          ("\0\1\2 garbage \xff\n" * 100, "garbage|expected|unexpected|malformed"),
                          ("internal error occurred.", "internal error")):
        upstream = lab.upstream(last=LAST)
        upstream.plan(answer=text)
        lab.load()
        lab.start()
        lab.wait_for_log(r"(WARN|ERROR).*(%s)" % pattern)
        still_answers(lab)
        lab.stop()
        lab.database.drop_all()


# --- the query port ---

def test_garbage_on_the_query_port(lab):
    lab.load()
    lab.start()
    for garbage in (b"\0\1\2\n", bytes(range(256)) + b"\n", b"\xff\xf4\xff\xfd\x06\n", b"\n", b"\r\n",
                    b"-\n", b"--------\n", b"-s\n", b"-i\n", b"GET / HTTP/1.1\r\n\r\n",
                    b"-s RIPE-GRS -T " + b"," * 900 + b" x\n", b"%s%n%d\n", b"' OR 1=1 --\n"):
        answer = ask_once(lab.port, garbage)
        equal(answer.startswith(b"%"), True, "answer to %r: %r" % (garbage, answer[:100]))
        still_answers(lab)
    lab.stop()


def test_endless_line_on_the_query_port(lab):
    """It is refused after 1,024 bytes; what follows costs no memory."""
    lab.load()
    lab.start()
    answer = ask_once(lab.port, b"x" * 2000)
    equal(b"%ERROR:107" in answer, True, "answer to a long line: %r" % answer)
    before = high_water(lab)
    with socket.create_connection(("127.0.0.1", lab.port), timeout=harness.PATIENCE) as sock:
        try:
            for _ in range(1600):
                sock.sendall(b"x" * 65536)
        except OSError:
            pass
    still_answers(lab)
    equal(high_water(lab) - before < 20 * 1024, True, "memory for 100 MB without a line end")
    lab.stop()


def high_water(lab):
    """The most memory the server ever had, in kB."""
    with open("/proc/%d/status" % lab.process.pid, encoding="ascii") as file:
        return int(re.search(r"VmHWM:\s+(\d+)", file.read())[1])


def test_half_open_peers(lab):
    """Clients that connect and say nothing, say half a line, or vanish with RST in an answer."""
    lab.load(SMALL.dump)
    lab.start()
    idle = [socket.create_connection(("127.0.0.1", lab.port)) for _ in range(200)]
    for number, sock in enumerate(idle):
        if number % 2:
            sock.sendall(b"-s RIPE-GRS -r AS")
    for _ in range(50):
        sock = socket.create_connection(("127.0.0.1", lab.port))
        sock.sendall(b"-s RIPE-GRS -r -B -i tech-c DUMY-RIPE\n")
        sock.recv(1000)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    still_answers(lab)
    for sock in idle:
        sock.close()
    still_answers(lab)
    lab.stop()


# --- dumps ---

def test_bad_dumps(lab):
    """A load that fails leaves what was there."""
    lab.load()
    before = lab.database.value("SELECT COUNT(*) FROM last WHERE sequence_id > 0")
    with open(harness.DUMP, "rb") as file:
        packed = file.read()
    half = len(packed) // 2
    broken = {"truncated.gz": packed[:half],
              "corrupt.gz": packed[:half] + b"\0" * 1000 + packed[half + 1000:],
              "empty.db": b"", "page.html": b"<html><body>404 Not Found</body></html>\n"}
    for name, data in broken.items():
        path = os.path.join(lab.root, name)
        with open(path, "wb") as file:
            file.write(data)
        code, text = lab.whoisd("--load", "RIPE-GRS", path, "--serial", str(LAST), check=False)
        equal(code != 0 and text != "", True, "load of %s fails and says why: %s" % (name, text))
        equal(lab.database.value("SELECT COUNT(*) FROM last WHERE sequence_id > 0"), before,
              "objects after the load of " + name)
        equal(lab.database.max_serial(), SERIAL, "serial after the load of " + name)
    lab.start()
    still_answers(lab)
    lab.stop()


# --- a full disk ---

@long_only
def test_full_disk(lab):
    """The database's disk is full: the mirror waits, queries go on, nothing is lost."""
    if os.geteuid() != 0:
        print("      needs root, for a small file system")
        return
    disk = tempfile.mkdtemp(prefix="whoisd-disk-")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300m", "none", disk],
                      stderr=subprocess.DEVNULL, check=False).returncode:
        os.rmdir(disk)
        print("      no mounts here")
        return
    database = None
    try:
        os.chmod(disk, 0o755)
        database = Database(os.path.join(disk, "mariadb"))
        small = Lab(database, lab.root, "small")
        run_out_of_disk(small, disk)
    finally:
        if database:
            database.control("stop")
        subprocess.run(["umount", disk], check=True)
        os.rmdir(disk)


def run_out_of_disk(lab, disk):
    try:
        upstream = start_mirror(lab)
        filler = os.path.join(disk, "filler")
        with open(filler, "wb", buffering=0) as file:  # What is buffered would fail again at the end.
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * (1 << 16))
        # All of the journal: a few updates might still fit into what the tables have reserved.
        session_with(upstream, last=harness.LAST)
        lab.wait_for_log(r"(WARN|ERROR).*(full|disk|space)", seconds=2 * harness.PATIENCE)
        still_answers(lab)
        os.remove(filler)
        lab.wait_for_serial(harness.LAST, seconds=2 * harness.PATIENCE)
        expect_final_state(lab, last=harness.LAST)
        lab.expect_answers_throughout()
    finally:
        lab.close()


harness.main(__name__)
