#!/usr/bin/python3
"""The recorded dialogues of the reference server, replayed against a whole whoisd over MariaDB: the data as the main
source, versions included, and as a mirrored source. The long form replays all of them in every manner, and once more
while updates of other objects are applied; the short form a sample. Counts are printed.
"""

import os
import subprocess
import sys
import threading

import harness
from harness import IS_LONG, SEED, SMALL, equal

GOLDEN = os.path.join(harness.ROOT, "tests", "golden")
SAMPLE = 1 if IS_LONG else 23  # Of the dialogues of one line, one in so many.
MANNERS = "plain,random,split,pipelined" if IS_LONG else "pipelined"
OPS_PER_UPDATE = 40


def replay(lab, names, manners=MANNERS):
    files = [os.path.join(GOLDEN, name) for name in names]
    done = subprocess.run([sys.executable, os.path.join(GOLDEN, "run.py"), "127.0.0.1", str(lab.port), *files,
                           "--manner", manners, "--sample", str(SAMPLE), "--seed", str(SEED)], check=False)
    equal(done.returncode, 0, "exit code of the replay")


class Updates:
    """Objects that no dialogue shows, added and deleted by journals until the end of the `with`."""

    def __init__(self, lab, source):
        self.lab, self.source = lab, source
        self.path = os.path.join(lab.root, "updates.nrtm")
        self.serial = SMALL.last
        self.is_over = threading.Event()
        self.failure = None
        self.thread = threading.Thread(target=self.run)

    def run(self):
        try:
            while not self.is_over.is_set():
                self.apply_one()
        except Exception as error:  # pylint: disable=broad-except
            self.failure = error

    def apply_one(self):
        first = self.serial + 1
        with open(self.path, "w", encoding="ascii") as journal:
            journal.write("%%START Version: 3 RIPE %d-%d\n\n" % (first, self.serial + OPS_PER_UPDATE))
            for number in range(OPS_PER_UPDATE):
                self.serial += 1
                journal.write("%s %d\n\nkey-cert:       PGPKEY-%08X\nmethod:         PGP\nsource:         RIPE\n\n"
                              % ("DEL" if number % 4 == 3 else "ADD", self.serial, 0xEE000000 + number // 2))
            journal.write("%END RIPE\n")
        os.chmod(self.path, 0o644)
        self.lab.whoisd("--apply", self.source, self.path)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *unused):
        self.is_over.set()
        self.thread.join()
        if self.failure is not None:
            raise self.failure
        print("updates while replaying: %d" % (self.serial - SMALL.last), flush=True)
        if self.serial == SMALL.last:
            raise AssertionError("no update was made")


def start(lab, source):
    lab.options["nrtm.import.enabled"] = "false"
    lab.options["nrtm.import.RIPE-GRS.source"] = "RIPE"
    lab.options["ipranges.trusted"] = "127.0.0.1,::1"
    lab.load(SMALL.dump, source)  # That of the recordings.
    lab.whoisd("--apply", source, SMALL.journal)
    lab.start()


def test_as_main_source(lab):
    lab.options["whois.source"] = "RIPE"
    lab.options["nrtm.import.sources"] = ""
    start(lab, "RIPE")
    replay(lab, ["main.rec.gz", "versions.rec.gz"])
    with Updates(lab, "RIPE"):
        replay(lab, ["main.rec.gz", "versions.rec.gz"], "random")
    lab.stop()


@harness.long_only
def test_as_mirrored_source(lab):
    start(lab, "RIPE-GRS")
    replay(lab, ["mirror.rec.gz", "sessions.json"])
    with Updates(lab, "RIPE-GRS"):
        replay(lab, ["mirror.rec.gz"], "random")
    lab.stop()


def expect_no_versions(lab):
    answer = lab.ask("-s RIPE-GRS --list-versions AS-TEST-LOOP-A")
    equal(b"% the versions of source RIPE-GRS cannot be read at the moment\n" in answer, True, answer)
    equal(b"as-set:" in lab.ask("-s RIPE-GRS AS-TEST-LOOP-A"), True, "the object itself")


@harness.long_only
def test_versions_of_a_mirrored_source(lab):
    """While the database is there, while it hangs or is away, and when it is back."""
    lab.options["query.database.max.sec"] = "1"
    start(lab, "RIPE-GRS")
    listed = lab.ask("-s RIPE-GRS --list-versions AS-TEST-LOOP-A")
    equal(listed.count(b"ADD/UPD\n"), 6, "versions in %r" % listed)
    with lab.database.hanging():
        expect_no_versions(lab)
    lab.database.control("stop")
    expect_no_versions(lab)
    lab.database.control("start")
    equal(lab.ask("-s RIPE-GRS --list-versions AS-TEST-LOOP-A"), listed, "versions")
    lab.stop()


harness.main(__name__)
