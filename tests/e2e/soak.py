#!/usr/bin/python3
"""An hour of 5,000 updates a second while clients ask for long answers and do not read them: memory
stays what it was, the mirror keeps up, and the index equals the database at the end.

    SOAK_MINUTES  60; memory is compared between the second and the last sixth
    SOAK_RATE     5000 updates per second
    SOAK_PRUNE    5m, as of nrtm.prune.days: rows of history and serials do not become more

Run by `make soak`. A shorter run says what memory did and does not judge it.
"""

import os
import re
import socket
import subprocess
import sys
import threading
import time

import harness
from harness import ROOT, SERIAL, SMALL, equal, free_port, wait_for
from oracle import text_checksum

MINUTES = float(os.environ.get("SOAK_MINUTES") or 60)
RATE = int(os.environ.get("SOAK_RATE") or 5000)
PRUNE = os.environ.get("SOAK_PRUNE") or "5m"
POOL_BYTES = 1 << 30  # The kept rows and their keys fit, as the manual advises.
EVERY_S = 1
TOLD_EVERY = 60  # Samples.
MOST_GROWTH = 1.01
READERS = 4  # Of each kind.
KEY = "AS-TEST-NEST-L1"
MORE_SPECIFIC = b"-s RIPE-GRS -r -B -M 0.0.0.0/1\n"
INVERSE = b"-s RIPE-GRS -r -B -i tech-c DUMY-RIPE\n"


class Stalled(threading.Thread):
    """Asks for a long answer and reads none of it; closed by the server, it comes again."""

    def __init__(self, port, question, is_done):
        super().__init__(daemon=True)
        self.port, self.question, self.is_done = port, question, is_done
        self.connections = 0

    def run(self):
        while not self.is_done.wait(0.1):
            try:
                self.stall()
            except OSError:
                pass

    def stall(self):
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", self.port))
            sock.sendall(self.question)
            self.connections += 1
            while not self.is_done.wait(1):
                sock.send(b"\n")  # Fails once the server has closed.


def start_endless(lab):
    """An upstream that goes on by itself, in a process of its own."""
    state, port = os.path.join(lab.root, "endless"), free_port()
    prefix = "nrtm.import.RIPE-GRS."
    lab.options.update({prefix + "source": "RIPE", prefix + "host": "127.0.0.1", prefix + "port": port})
    process = subprocess.Popen(
        [sys.executable, os.path.join(ROOT, "tests/upstream/upstream.py"), "endless", SMALL.dump,
         "--state", state, "--port", str(port), "--rate", str(RATE), "--serial", str(SERIAL),
         "--stdin", "--log", os.path.join(lab.root, "endless.log")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def serial():
        with open(state, encoding="ascii") as file:
            return int(file.read())

    wait_for("the upstream", lambda: os.path.exists(state))
    return process, serial


def hold(upstream):
    """It serves what there is, and nothing new comes."""
    upstream.stdin.write("hold\n")
    upstream.stdin.flush()
    equal(upstream.stdout.readline().startswith("ok "), True, "the upstream obeys")


def resident_kb(lab):
    with open("/proc/%d/status" % lab.process.pid, encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])


def count_rows(lab):
    """Of history and serials."""
    return [int(lab.database.value("SELECT COUNT(*) FROM " + table)) for table in ("history", "serials")]


def kept_s():
    """Seconds that rows are kept."""
    unit = {"s": 1, "m": 60, "h": 3600, "d": 86400}.get(PRUNE[-1])
    return int(PRUNE[:-1]) * unit if unit else int(PRUNE) * 86400


def expect_pruned(lab):
    """Every row goes a while after its time: as many are left as came in it, and a bit more. Where
    updates fill the machine, pruning catches up behind them."""
    most = RATE * (1.5 * kept_s() + 60)
    objects = int(lab.database.value("SELECT COUNT(*) FROM last"))

    def is_pruned():
        history, serials = count_rows(lab)
        return history <= most and serials <= most + objects

    print("      %d rows of history, %d of serials; %d objects, deleted ones too"
          % (*count_rows(lab), objects))
    lab.wait_for("pruning", is_pruned, 600)


def mean_between(samples, begin, end):
    """Of the resident memory, between two parts of the whole time."""
    part = [kb for at, kb in samples if begin <= at < end]
    return sum(part) / len(part)


def watch(lab, upstream_serial):
    """Look at the memory until the time is over. @return [(part of the time, kB)]"""
    samples, began, most_lag = [], time.monotonic(), 0
    while time.monotonic() - began < MINUTES * 60:
        time.sleep(EVERY_S)
        samples.append(((time.monotonic() - began) / (MINUTES * 60), resident_kb(lab)))
        lag = upstream_serial() - lab.database.max_serial()
        most_lag = max(most_lag, lag)
        if len(samples) % TOLD_EVERY == 0:
            memory = lab.status()["memory"]
            mean = sum(kb for _, kb in samples[-TOLD_EVERY:]) / TOLD_EVERY
            print("      %4.0f min: %.0f kB resident (mean; now %d), %d serials behind, index %d kB "
                  "with texts %d, garbage %d, free %d, %s rows of history, %s of serials"
                  % ((time.monotonic() - began) / 60, mean, samples[-1][1], lag,
                     *(memory[part] // 1024 for part in ("total", "texts", "garbage", "free_nodes")),
                     *count_rows(lab)), flush=True)
    print("      at most %d serials behind" % most_lag)
    return samples


def expect_index_is_database(lab):
    rows = lab.database.sql("SELECT HEX(object) FROM last WHERE sequence_id > 0")
    total = sum(text_checksum(bytes.fromhex(text)) for (text,) in rows)
    equal(int(lab.status()["checksum"], 16), total % (1 << 64), "checksum of the index")


def test_soak(lab):
    upstream, upstream_serial = start_endless(lab)
    done = threading.Event()
    readers = [Stalled(lab.port, question, done)
               for question in (b"-k\n" + INVERSE, MORE_SPECIFIC) for _ in range(READERS)]
    try:
        lab.probe("-s RIPE-GRS -r " + KEY, KEY.encode())
        lab.load(SMALL.dump)
        lab.options["nrtm.prune.days"] = PRUNE
        lab.database.sql("SET GLOBAL innodb_buffer_pool_size = %d" % POOL_BYTES)
        lab.start()
        for reader in readers:
            reader.start()
        samples = watch(lab, upstream_serial)
        hold(upstream)
        expect_pruned(lab)
        lab.wait_for("all of it", lambda: lab.database.max_serial() == upstream_serial(), 600)
        wait_for("all of it in the index",
                 lambda: lab.status()["checksum_serial"] == upstream_serial())
        expect_index_is_database(lab)
    finally:
        done.set()
        upstream.kill()
        upstream.wait()
    early, late = mean_between(samples, 1 / 6, 2 / 6), mean_between(samples, 5 / 6, 1)
    print("      %.1f min (memory compared as of an hour), %d updates, %d stalled answers begun; "
          "resident %.0f kB in the second sixth, %.0f kB in the last: %+.2f %%"
          % (MINUTES, upstream_serial() - SERIAL, sum(reader.connections for reader in readers),
             early, late, 100 * (late / early - 1)))
    equal(MINUTES < 60 or late <= early * MOST_GROWTH, True, "memory stays what it was")
    lab.stop()


harness.main(__name__)
