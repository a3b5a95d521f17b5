#!/usr/bin/python3
"""Faults: servers, databases, upstreams and networks that fail in the middle of a stream.

In every one of them a client asks all the time and is answered, and the end state equals the expected
one: each object in the database, each object by whois, and the checksum of the status. Broken streams
that need no more than a line of a plan are in bad_input.py, kills at every step of a batch in
end_state.py, dump servers that fail in healing.py.
"""

import os
import random
import re
import socket
import subprocess
import sys
import time

import harness
from bad_input import KEY, session_with, start_mirror, still_answers
from changes import Changes
from end_state import compare_all, compare_objects_by_whois, compare_texts
from harness import (DUMP, IS_SOAK, JOURNAL, LAST, SERIAL, SMALL, TINY, Journal, Lab, Session,
                     equal, long_only, soak_only, wait_for)
from oracle import Object, Registry

OUTAGE_S = 60 if IS_SOAK else 2
UPDATES, KILLS, RESETS = (100000, 100, 3) if IS_SOAK else (3000, 5, 1)


def expect_end_state(lab, registry):
    compare_texts(lab, registry)
    compare_objects_by_whois(lab, registry)


def played(journal, dump=DUMP):
    """The dump with all ops of a journal applied."""
    registry = Registry.read(dump)
    for op in journal.ops:
        head, text = op.split(b"\n\n", 1)
        registry.change(head[:3], text[:-1])
    return registry


def ask_at_once(lab):
    """After a failure the mirror waits, ever longer; started anew it does not."""
    lab.stop()
    lab.start()


# --- kills ---

def kill(lab, victim):
    """And start again what was killed. The server dies first where both do: it cannot see the other go."""
    if victim != "database":
        lab.kill()
    if victim != "server":
        lab.database.kill()
        lab.database.control("start")
    if victim != "database":
        lab.start()


@long_only
def test_kills_while_updates_stream_and_counters_that_restart(lab):
    """Server, database, or both are killed at random moments. In between the upstream begins to count
    anew, with a dump that has the new counter: the mirror finds back by itself."""
    changes = Changes(TINY.dump, harness.SEED)
    dump, serial_file = os.path.join(lab.root, "dump.db"), os.path.join(lab.root, "CURRENTSERIAL")
    lab.options["nrtm.import.RIPE-GRS.dump"] = dump
    lab.options["nrtm.import.RIPE-GRS.serial"] = serial_file
    lab.options["mirror.reset.grace"] = 1
    lab.probe("-s RIPE-GRS -r " + KEY, KEY.encode())
    upstream = lab.upstream(counting_from(SERIAL))
    lab.load(TINY.dump)
    lab.start()
    victims = ["server", "database", "both"]
    killed = dict.fromkeys(victims, 0)
    for number in range(KILLS):
        publish_changes(upstream, changes, UPDATES // KILLS)
        time.sleep(random.random() * 0.2)  # Any moment is right.
        victim = victims[number % len(victims)]
        kill(lab, victim)
        killed[victim] += 1
        if (number + 1) * RESETS % KILLS < RESETS:
            lab.wait_for_serial(upstream.journal.last)
            restart_counter(lab, upstream, changes, dump, serial_file)
    lab.wait_for_serial(upstream.journal.last)
    print("      %d updates, killed %r, the counter began anew %d times, serial %d"
          % (changes.number, killed, RESETS, upstream.journal.last))
    expect_end_state(lab, Registry({o.key: o for o in map(Object, changes.alive)}))
    lab.stop()


def counting_from(serial):
    journal = Journal()
    journal.last = serial
    return journal


def publish_changes(upstream, changes, count):
    upstream.publish(upstream.journal.append([changes.next_change() for _ in range(count)]))


def restart_counter(lab, upstream, changes, dump, serial_file):
    """The registry moves: its serials begin again, far below; what it has now is in its dump."""
    base = upstream.journal.last // 10
    for path, data in ((dump, b"\n".join(changes.alive)), (serial_file, b"%d\n" % base)):
        with open(path + ".new", "wb") as file:
            file.write(data)
        os.rename(path + ".new", path)
    upstream.journal = counting_from(base)
    publish_changes(upstream, changes, 10)
    upstream.cut()
    # The first refusal begins the grace, the one after a minute ends it.
    lab.wait_for("the new counter", lambda: lab.database.max_serial() == base + 10, 600)


@long_only
def test_database_away_for_a_while(lab):
    """Killed while a batch is on its way; what comes meanwhile waits upstream."""
    upstream = start_mirror(lab)
    upstream.publish(SERIAL + 300)
    lab.database.kill()
    upstream.publish(LAST)
    lab.wait_for_log(r"ERROR .*RIPE-GRS.*database")
    answers = lab.prober.answers
    end = time.monotonic() + OUTAGE_S
    lab.wait_for("the end of the outage and answers in it", lambda: time.monotonic() > end and
                 lab.prober.answers > answers + 20, OUTAGE_S + harness.PATIENCE)
    lab.database.control("start")
    lab.wait_for_serial(LAST)
    compare_all(lab)
    lab.stop()


# --- upstreams ---

def test_half_closed(lab):
    """The upstream says that it sends no more, and leaves the connection open."""
    upstream = start_mirror(lab)
    at = session_with(upstream, half_close=70000)
    upstream.publish(LAST)
    upstream.wait_for_event("^close .* peer", after=at)
    lab.wait_for_serial(LAST)
    compare_all(lab)
    lab.stop()


@long_only
def test_garbage_between_objects(lab):
    upstream = start_mirror(lab)
    garbage = random.randbytes(3000).decode("latin-1")
    session_with(upstream, before={str(SERIAL + 200): garbage})
    upstream.publish(LAST)
    lab.wait_for_log(r"ERROR .*reason=protocol")
    lab.wait_for_serial(LAST)
    compare_all(lab)
    lab.stop()


@soak_only
def test_stall_in_the_middle(lab):
    """The connection is alive and brings nothing: a probe tells that there is more."""
    lab.options["mirror.idle.probe"] = 1
    lab.options["nrtm.import.RIPE-GRS.poll"] = 15
    upstream = start_mirror(lab)
    session_with(upstream, stall_after=70000)
    upstream.publish(LAST)
    lab.wait_for_log(r"the upstream has newer serials than it sends", 3 * harness.PATIENCE)
    lab.wait_for_serial(LAST)
    compare_all(lab)
    lab.stop()


@long_only
def test_skipped_serials(lab):
    """Some registries do: what is not there is not waited for."""
    journal = Journal.read(JOURNAL)
    ends = (0, len(journal.ops) - 1)
    kept = [i for i in range(len(journal.ops)) if i in ends or random.randrange(3)]
    journal.ops = [journal.ops[i] for i in kept]
    journal.serials = [journal.serials[i] for i in kept]
    lab.probe("-s RIPE-GRS -r " + KEY, KEY.encode())
    lab.upstream(journal)
    lab.load()
    lab.start()
    lab.wait_for_serial(LAST)
    expect_end_state(lab, played(journal))
    lab.stop()


def always_401(lab, newest, reason):
    """Of a server that says it has no such serials: loud, served on, and taken up again."""
    upstream = start_mirror(lab)
    upstream.plan_of_all = {"answer": "%%ERROR:401: invalid range: Not within %d-%d\n\n"
                            % (newest - 1000, newest)}
    upstream.cut()
    lab.wait_for_log(r"(WARN|ERROR) .*reason=%s" % reason)
    still_answers(lab)
    lab.wait_for("an error in the status", lambda: lab.status()["last_error"] != "")
    upstream.plan_of_all = {}
    upstream.publish(LAST)
    ask_at_once(lab)
    lab.wait_for_serial(LAST)
    compare_all(lab)
    lab.stop()


@long_only
def test_always_401_because_expired(lab):
    always_401(lab, SERIAL + 100000, "serials-expired")


@long_only
def test_always_401_because_too_high(lab):
    always_401(lab, SERIAL - 100000, "upstream-behind")


@long_only
def test_object_of_20_mb(lab):
    """Just below the limit: stored, answered whole, found again after a restart."""
    upstream = start_mirror(lab)
    remarks = b"remarks:        %s\n" % (b"x" * 1000)
    text = (b"person:         Big One\nnic-hdl:        BIG1-RIPE\n" + remarks * 20500 +
            b"mnt-by:         X-MNT\nsource:         RIPE\n")
    big = str(SERIAL + 200)
    registry = Registry.read(DUMP)
    registry.apply(JOURNAL, last=SERIAL + 199)
    registry.change(b"ADD", text)
    registry.apply(JOURNAL, first=SERIAL + 201)
    session_with(upstream, replace={big: "ADD %s\n\n%s\n" % (big, text.decode())})
    upstream.publish(LAST)
    lab.wait_for_serial(LAST)
    expect_end_state(lab, registry)
    ask_at_once(lab)
    expect_end_state(lab, registry)
    lab.stop()


# --- clients ---

def start_stalled(lab, patience_s):
    """A mirror whose updates wait so long for answers, a client that reads nothing of its long one,
    and another mirror."""
    changes = Changes(SMALL.dump, harness.SEED)
    upstream = lab.upstream(counting_from(SERIAL))
    lab.options["nrtm.import.sources"] = "RIPE-GRS,OTHER-GRS"
    other = lab.upstream(counting_from(SERIAL), name="OTHER-GRS")
    lab.probe("-s RIPE-GRS -r " + KEY, KEY.encode())
    lab.options["mirror.answers.wait.sec"] = patience_s
    lab.load(SMALL.dump)
    lab.load(TINY.dump, "OTHER-GRS")
    lab.start()
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.connect(("127.0.0.1", lab.port))
    reader.sendall(b"-s RIPE-GRS -r -B -i tech-c DUMY-RIPE\n")
    return changes, upstream, reader, other


def rest_of_answer(reader):
    """Up to its end, or to where it was cut."""
    reader.settimeout(harness.PATIENCE)
    answer = b""
    try:
        while data := reader.recv(1 << 20):
            answer += data
    except ConnectionResetError:
        pass
    return answer


@long_only
def test_readers_that_stall_are_closed_when_memory_is_needed(lab):
    """What their answers look at cannot be freed, and at most 64 MB of it may wait. Updates wait for
    them first."""
    changes, upstream, reader, _ = start_stalled(lab, 2)

    def was_closed():
        publish_changes(upstream, changes, 100)
        lab.wait_for_serial(upstream.journal.last)
        return re.search("closed peer=.* reason=\"answer keeps too much memory", lab.log())

    lab.wait_for("the end of the stalled answer", was_closed, 2 * harness.PATIENCE)
    waited = re.search(r"updates waited (\d+) ms for answers .*, the oldest are closed", lab.log())
    equal(waited is not None and int(waited[1]) >= 2000, True, "it was waited for")
    lab.wait_for("the memory", lambda: lab.status()["memory"]["garbage"] < 64 << 20)
    equal(rest_of_answer(reader).endswith(b"\n\n\n"), False, "the answer ends as if it were whole")
    expect_end_state(lab, Registry({o.key: o for o in map(Object, changes.alive)}))
    lab.stop()


@long_only
def test_readers_that_go_on_in_time_are_waited_for(lab):
    """Updates stand still until the answer has been read, and none of it is lost. Queries go on, and
    so does another mirror."""
    changes, upstream, reader, other = start_stalled(lab, 10 * harness.PATIENCE)

    def is_reached_or_full():
        return (lab.database.max_serial() == upstream.journal.last
                or lab.status()["memory"]["garbage"] > 64 << 20)

    def is_waiting():
        publish_changes(upstream, changes, 100)
        lab.wait_for("the updates", is_reached_or_full)
        return lab.database.max_serial() < upstream.journal.last

    lab.wait_for("updates that wait", is_waiting, 2 * harness.PATIENCE)
    equal(KEY.encode() in harness.ask_once(lab.port, "-s RIPE-GRS -r " + KEY), True, "queries go on")
    publish_changes(other, Changes(TINY.dump, harness.SEED), 100)
    lab.wait_for_serial(other.journal.last, "WHOIS_MIRROR_OTHER_GRS")
    equal(lab.database.max_serial() < upstream.journal.last, True, "the first one still waits")
    equal(rest_of_answer(reader).endswith(b"\n\n\n"), True, "the answer is whole")
    lab.wait_for_serial(upstream.journal.last)
    equal(re.search("closed peer=", lab.log()), None, "nobody is closed")
    expect_end_state(lab, Registry({o.key: o for o in map(Object, changes.alive)}))
    lab.stop()


# --- networks ---

class Island:
    """An upstream in a network namespace of its own, behind a link that can be taken down."""

    def __init__(self, last):
        number = random.SystemRandom().randrange(1 << 14)
        self.ours, self.theirs = "whoisd%d" % number, "whoisu%d" % number
        net = "198.18.%d.%d/30" % (number // 64, number % 64 * 4)
        base = net.rpartition(".")[0] + "."
        at = number % 64 * 4
        self.host, self.port = base + str(at + 2), harness.free_port()
        self.process = subprocess.Popen(
            ["unshare", "-n", "sh", "-c", "read go && ip address add %s/30 dev %s && "
             "ip link set %s up && exec \"$@\"" % (self.host, self.theirs, self.theirs), "sh",
             sys.executable, os.path.join(harness.ROOT, "tests/upstream/upstream.py"), "journal",
             JOURNAL, "--host", self.host, "--port", str(self.port), "--last", str(last), "--stdin"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            wait_for("the namespace", self.is_apart)
            run("ip", "link", "add", self.ours, "type", "veth", "peer", "name", self.theirs, "netns",
                str(self.process.pid))
            run("ip", "address", "add", "%s%d/30" % (base, at + 1), "dev", self.ours)
            run("ip", "link", "set", self.ours, "up")
            self.say("go")
            self.wait_for(b"listening")
        except BaseException:
            self.close()
            raise

    def is_apart(self):
        here, there = (os.readlink("/proc/%s/ns/net" % pid) for pid in ("self", self.process.pid))
        return here != there

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def wait_for(self, begin):
        """Of its events and answers, one that begins so."""
        for line in self.process.stdout:
            if line.startswith(begin):
                return
        raise AssertionError("the upstream ended")

    def set_link(self, state):
        run("nsenter", "-t", str(self.process.pid), "-n", "ip", "link", "set", self.theirs, state)

    def close(self):
        self.process.kill()
        self.process.wait()  # The namespace ends with it, and both ends of the link.


def run(*command):
    subprocess.run(command, check=True, capture_output=True)


def may_make_networks():
    return os.geteuid() == 0 and subprocess.run(
        ["unshare", "-n", "ip", "link", "add", "whoisd-try", "type", "veth", "peer", "name",
         "whoisd-try2"], capture_output=True, check=False).returncode == 0


@long_only
def test_network_cut_without_a_word(lab):
    """No FIN and no RST arrive from a host that is gone: only keepalive can tell."""
    if not may_make_networks():
        print("      skipped: needs root, and the right to make network namespaces")
        return
    idle, interval, count = 2, 1, 3
    island = Island(SERIAL + 100)
    try:
        lab.options.update({
            "nrtm.import.RIPE-GRS.source": "RIPE", "nrtm.import.RIPE-GRS.host": island.host,
            "nrtm.import.RIPE-GRS.port": island.port, "mirror.connect.timeout": 2,
            "mirror.keepalive.idle": idle, "mirror.keepalive.intvl": interval,
            "mirror.keepalive.cnt": count})
        lab.probe("-s RIPE-GRS -r " + KEY, KEY.encode())
        lab.load()
        lab.start()
        lab.wait_for_serial(SERIAL + 100)
        at = lab.log_size()
        island.set_link("down")
        begin = time.monotonic()
        lab.wait_for_log(r"WARN .*the connection broke", start=at, seconds=60)
        print("      noticed after %.1f s; configured: %d s"
              % (time.monotonic() - begin, idle + interval * count))
        island.say("publish all")
        island.set_link("up")
        lab.wait_for_serial(LAST)
        compare_all(lab)
        lab.stop()
    finally:
        island.close()


# --- other hands in the database ---

def waits_for_a_lock(lab):
    """Not asked of information_schema, which shows nothing new to those who ask all the time."""
    return any("LOCK WAIT" in field
               for row in lab.database.sql("SHOW ENGINE INNODB STATUS", "") for field in row)


@long_only
def test_serials_taken_back_while_a_batch_waits_for_its_lock(lab):
    """The operator holds update_lock and sends the mirror back: the batch is dropped, and what is behind
    the new position comes again."""
    upstream = start_mirror(lab)
    operator = Session(lab.database.option_file)
    operator.sql("BEGIN")
    operator.sql("SELECT global_lock FROM update_lock FOR UPDATE")
    at = len(upstream.events)
    upstream.publish(LAST)
    lab.wait_for("a batch that waits", lambda: waits_for_a_lock(lab))
    operator.sql("DELETE FROM serials WHERE serial_id > %d" % (SERIAL + 40))
    operator.sql("COMMIT")
    operator.close()
    upstream.wait_for_event(r"^start \d+ %d-" % (SERIAL + 41), after=at)
    lab.wait_for_serial(LAST)
    expect_end_state(lab, played(upstream.journal))
    lab.stop()


@long_only
def test_serials_set_forward_between_the_check_and_the_commit(lab):
    """The batch has compared its position and writes; then the operator moves it. The batch stands, the
    edit as well: the mirror goes on behind what the operator said."""
    upstream = start_mirror(lab)
    begin, forward = SERIAL + 100, SERIAL + 400
    operator = Session(lab.database.option_file)
    operator.sql("BEGIN")
    operator.sql("SELECT * FROM serials WHERE serial_id > %d FOR UPDATE" % begin)
    at = len(upstream.events)
    upstream.publish(SERIAL + 300)
    lab.wait_for("a batch that waits", lambda: waits_for_a_lock(lab))
    operator.sql("UPDATE serials SET serial_id = %d WHERE serial_id = %d" % (forward, begin))
    operator.sql("COMMIT")
    operator.close()
    upstream.publish(LAST)
    upstream.wait_for_event(r"^start \d+ %d-" % (forward + 1), after=at)
    lab.wait_for_serial(LAST)
    committed = int(lab.database.value("SELECT MAX(serial_id) FROM serials WHERE serial_id < %d"
                                       % forward))
    equal(begin < committed <= SERIAL + 300, True, "the batch was committed: %d" % committed)
    registry = Registry.read(DUMP)
    registry.apply(JOURNAL, last=committed)
    registry.apply(JOURNAL, first=forward + 1)
    expect_end_state(lab, registry)
    lab.stop()


@long_only
def test_second_writer(lab):
    """Two servers mirror into one database: each serial is applied once, and both know all of it."""
    second = Lab(lab.database, lab.root, "second")
    try:
        upstream, other = start_mirror(lab), second.upstream(last=SERIAL + 100)
        second.probe("-s RIPE-GRS -r " + KEY, KEY.encode())
        second.start()
        for last in range(SERIAL + 150, LAST + 1, 50):
            upstream.publish(last)
            other.publish(last)
            lab.wait_for_serial(last)
        for one in (lab, second):
            one.wait_for("all of it in the index",
                         lambda one=one: one.status()["checksum_serial"] == LAST)
            compare_all(one)
        second.stop()
        second.expect_answers_throughout()
        lab.stop()
    finally:
        second.close()


harness.main(__name__)
