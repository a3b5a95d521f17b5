#!/usr/bin/python3
"""The end state: load the sample, play its journal, and compare everything with the recorded final
state: every object in the database, every object by whois, every inverse and range answer.

Once straight through, once with the server killed at each named fault point of a batch, once killed at
random moments inside a batch. Nothing may be lost and nothing applied twice.
"""

import os
import random
import signal
import time

import harness
from harness import FINAL, IS_LONG, LAST, SERIAL, Session, blocks, equal, long_only
from oracle import INVERSE, RANGED, Object, Registry, normal_text, printed_text, search_range

FAULT_POINTS = ["batch-begin", "batch-lock", "batch-position", "batch-history", "batch-serials-old",
                "batch-serials", "batch-last-update", "batch-last-insert", "batch-state",
                "batch-before-commit", "batch-after-commit", "batch-before-publish"]
RANDOM_KILLS = 60 if IS_LONG else 6
MOST_OPS = (LAST - SERIAL) // (2 * RANDOM_KILLS)  # Of a batch: the journal suffices for all kills.
SAMPLE = 1 if IS_LONG else 4  # Of inverse and range searches, one in so many is asked.

_final = None


def final():
    """The recorded final state, read once."""
    global _final
    if _final is None:
        _final = Registry.read(FINAL)
    return _final


# --- comparing ---

def compare_texts(lab, registry):
    """The database, and the checksum that the status tells, which is the index's."""
    rows = lab.database.sql("SELECT object_type, HEX(object) FROM last WHERE sequence_id > 0")
    got = sorted((int(number), bytes.fromhex(text)) for number, text in rows)
    expected = registry.texts()
    missing = set(expected) - set(got)
    extra = set(got) - set(expected)
    equal((len(got), sorted(missing)[:3], sorted(extra)[:3]), (len(expected), [], []),
          "objects in the database: number, missing, extra")
    equal(int(lab.status()["checksum"], 16), registry.checksum(), "checksum")


def compare_history(lab):
    """Every op has its one serial; versions count from 1 without a gap."""
    value = lab.database.value
    equal(value("SELECT COUNT(*) FROM serials WHERE serial_id > %d" % SERIAL), str(LAST - SERIAL),
          "rows in serials")
    equal(value("SELECT COUNT(*) FROM (SELECT object_id, COUNT(*) n FROM serials WHERE atlast = 1 "
                "GROUP BY object_id HAVING n > 1) twice"), "0", "objects with two newest serials")
    equal(value("SELECT COUNT(*) FROM serials s JOIN last l USING (object_id) WHERE s.atlast = 1 "
                "AND s.sequence_id <> l.sequence_id"), "0", "newest serials of older versions")
    equal(value("SELECT COUNT(*) FROM (SELECT object_id, COUNT(*) n, MAX(sequence_id) top "
                "FROM history GROUP BY object_id) h JOIN last l USING (object_id) "
                "WHERE h.n <> h.top OR (l.sequence_id > 0 AND l.sequence_id <> h.top + 1)"), "0",
          "objects with gaps in their versions")


def compare_objects_by_whois(lab, registry):
    client = lab.client()
    wanted = list(registry.objects.values())
    lines = ["-s RIPE-GRS -r -G -B -x -T %s %s" % (o.type, search_key(o)) if o.range else
             "-s RIPE-GRS -r -G -B %s -T %s %s" % ("-x" if o.type == "domain" else "", o.type,
                                                  search_key(o)) for o in wanted]
    for o, line, answer in zip(wanted, lines, client.answers(lines)):
        got = [normal_text(block) for block in blocks(answer)]
        expected = printed_text(o.text)
        if o.type in ("mntner", "person", "role", "organisation", "as-block"):
            # Also found by names and, as-blocks, by what they hold: ours is among them.
            got = [block for block in got if Object(b"\n".join(block) + b"\n").key == o.key]
        equal(got, [expected], "answer to " + line)
    client.close()


def search_key(o):
    """As a person writes it; a `-` without blanks behind it would be read as a flag."""
    value = o.attributes[0][1].decode("latin-1")
    if o.type == "inetnum":
        return " - ".join(part.strip() for part in value.split("-"))
    if o.type in ("route", "route6"):
        return value + o.first("origin").decode()
    if o.type in ("person", "role"):
        return o.first("nic-hdl").decode()
    return value


def range_key(o):
    """Without the origin, for all routes of a prefix."""
    return search_key(o) if o.type == "inetnum" else o.attributes[0][1].decode("latin-1")


def keys_of(answer):
    """Of a -K answer, in its order."""
    return [Object(block + b"\n").key for block in blocks(answer)]


def compare_inverse(lab):
    index = sorted(final().inverse().items())
    asked = [entry for entry in index if random.randrange(SAMPLE) == 0]
    client = lab.client()
    lines = ["-s RIPE-GRS -K -r -i %s %s" % (attribute, value.decode("latin-1"))
             for (attribute, value), _ in asked]
    for ((attribute, value), expected), line, answer in zip(asked, lines, client.answers(lines)):
        if attribute not in INVERSE or not may_refer(attribute, value):
            continue
        # -K shows persons and roles by their nic-hdl: line.
        expected = sorted(("nic-hdl" if name in ("person", "role") else name, text)
                          for name, text in expected)
        equal(sorted(keys_of(answer)), expected, "answer to " + line)
    client.close()


def may_refer(attribute, value):
    """Non-ASCII keys are asked in UTF-8 by people; not here."""
    return value.isascii()


def is_everything(o):
    """More specifics of all addresses are refused (ERROR:112)."""
    return o.range in ((0, 2**32 - 1), (0, 2**128 - 1))


def compare_ranges(lab):
    client = lab.client()
    for object_type in RANGED:
        rows = final().in_ranges(object_type)
        objects = [o for o in final().objects.values() if o.type == object_type]
        picked = random.sample(objects, min(len(objects), 4000 // SAMPLE // len(RANGED)))
        questions = [(flag, o) for o in picked for flag in ("", "-x", "-l", "-L", "-m", "-M")
                     if not (flag in ("-m", "-M") and is_everything(o))]
        lines = ["-s RIPE-GRS -K -r %s -T %s %s" % (flag, object_type, range_key(o))
                 for flag, o in questions]
        for (flag, o), line, answer in zip(questions, lines, client.answers(lines)):
            equal(keys_of(answer), search_range(rows, flag, *o.range), "answer to " + line)
    client.close()


def compare_all(lab):
    compare_texts(lab, final())
    compare_history(lab)
    compare_objects_by_whois(lab, final())
    compare_inverse(lab)
    compare_ranges(lab)


# --- scenarios ---

def test_straight_through(lab):
    upstream = lab.upstream()
    lab.load()
    lab.start()
    lab.wait_for_serial(LAST)
    compare_all(lab)
    equal(upstream.accepts, 1, "connections to the upstream")
    lab.stop()
    lab.start()  # And the same from the checkpoint that the stop left.
    lab.wait_for_log("RIPE-GRS: index read from checkpoint objects=.* replayed=0 ")
    compare_all(lab)
    lab.stop()


@long_only
def test_checkpoint_of_the_beginning(lab):
    """Everything since the load is replayed: the server is killed before it writes another one."""
    lab.options["checkpoint.stop.sec"] = 0
    lab.load()
    lab.start()
    lab.wait_for_log("RIPE-GRS: checkpoint written")
    lab.upstream()
    lab.stop()
    lab.start()
    lab.wait_for_serial(LAST)
    lab.kill()
    lab.start()
    lab.wait_for_log("RIPE-GRS: index read from checkpoint objects=.* replayed=%d " % (LAST - SERIAL))
    compare_all(lab)
    lab.stop()


def test_killed_at_every_fault_point(lab):
    """Each point is passed in a batch of its own; the server dies there and goes on after a restart."""
    upstream = lab.upstream(last=SERIAL)
    lab.load()
    step = (LAST - SERIAL) // len(FAULT_POINTS)
    for number, point in enumerate(FAULT_POINTS):
        begin = SERIAL + number * step
        target = LAST if point == FAULT_POINTS[-1] else begin + step
        upstream.publish(target)
        lab.start(wait=False, WHOISD_FAULT=point)
        equal(lab.wait_for_end(), -signal.SIGKILL, "end of the server at " + point)
        committed = point in ("batch-after-commit", "batch-before-publish")
        reached = lab.database.max_serial()
        equal(reached > begin, committed, "serial moved at %s: %d" % (point, reached))
        lab.start()
        lab.wait_for_serial(target)
        lab.stop()
    os.unlink(lab.checkpoint())
    lab.start()  # From an index rebuilt from the database.
    lab.wait_for_log("RIPE-GRS: index built from last objects=")
    compare_all(lab)
    lab.stop()


@long_only
def test_killed_while_a_checkpoint_is_written(lab):
    """Whatever lies there then is good, or refused."""
    points = ["checkpoint-write", "checkpoint-write:3", "checkpoint-sync", "checkpoint-rename",
              "checkpoint-renamed"]
    upstream = lab.upstream(last=SERIAL)
    lab.load()
    step = (LAST - SERIAL) // len(points)
    lab.options["checkpoint.period"] = 1
    for number, point in enumerate(points):
        upstream.publish(LAST if point == points[-1] else SERIAL + (number + 1) * step)
        lab.start(wait=False, WHOISD_FAULT=point)
        equal(lab.wait_for_end(), -signal.SIGKILL, "end of the server at " + point)
        lab.start()
        lab.wait_for_log("RIPE-GRS: index read from checkpoint objects=")
        lab.wait_for_serial(upstream.journal.last)
        lab.kill()
    lab.start()
    compare_all(lab)
    lab.stop()


def is_inside_batch(lab):
    """Whether a transaction has changed rows and not ended. Not asked of
    information_schema.innodb_trx, which is up to 100 ms old."""
    status = lab.database.sql("SHOW ENGINE INNODB STATUS")
    return "undo log entries" in "\n".join(field for row in status for field in row)


def kill_inside_batch(lab):
    """At a random moment the server is stopped; outside of a batch it goes on until the next one."""
    deadline = time.monotonic() + harness.PATIENCE
    while True:
        time.sleep(random.random() * 0.02)
        lab.process.send_signal(signal.SIGSTOP)
        if is_inside_batch(lab):
            return lab.kill()
        equal(time.monotonic() < deadline, True, "a batch begins; " + lab.tail())
        lab.process.send_signal(signal.SIGCONT)


def test_killed_at_random_moments(lab):
    """A batch has to write to `last`, behind its rows of `serials`. We hold that table while the batch
    goes on, so that it cannot be over before the kill, however slow the machine is; every other kill
    comes at a random moment after we let go, and finds the batch committed or not."""
    upstream = lab.upstream(last=SERIAL)
    lab.load()
    gate = Session(lab.database.option_file)
    committed = 0
    for number in range(RANDOM_KILLS):
        # Something to stream, so that the server is connected when the gate closes.
        upstream.publish(upstream.journal.last + random.randint(1, MOST_OPS))
        lab.start()
        begin = upstream.journal.last
        lab.wait_for_serial(begin)
        gate.sql("BEGIN")
        gate.sql("SELECT COUNT(*) FROM last FOR UPDATE")
        upstream.publish(begin + random.randint(1, MOST_OPS))
        if number % 2 == 0:
            equal(kill_inside_batch(lab), -signal.SIGKILL, "end of the server")
            gate.sql("ROLLBACK")
        else:
            lab.wait_for("a batch", lambda: is_inside_batch(lab))
            gate.sql("ROLLBACK")
            time.sleep(random.random() * 0.005)
            equal(lab.kill(), -signal.SIGKILL, "end of the server")
        lab.wait_for("the end of the transaction", lambda: not is_inside_batch(lab))
        reached = lab.database.max_serial()
        equal(begin <= reached <= upstream.journal.last, True, "serial %d after a kill" % reached)
        if number % 2 == 0:
            equal(reached, begin, "serial after a kill inside a batch")
        committed += reached > begin
    gate.close()
    print("      %d kills, %d inside a batch; %d of the others after its commit; serial %d"
          % (RANDOM_KILLS, (RANDOM_KILLS + 1) // 2, committed, upstream.journal.last))
    upstream.publish(LAST)
    lab.start()
    lab.wait_for_serial(LAST)
    compare_all(lab)
    lab.stop()


harness.main(__name__)
