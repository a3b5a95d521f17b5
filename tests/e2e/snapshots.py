#!/usr/bin/python3
"""One answer is taken from one snapshot: a writer moves two objects together, the first and the last of
a long answer, while readers take that answer slowly. No reader may see a mix."""

import re
import socket
import threading

import harness
from changes import read_dump
from harness import IS_LONG, SERIAL, SMALL, Journal, blocks, equal
from oracle import normal_text

ROUNDS = 300 if IS_LONG else 20
READERS = 8 if IS_LONG else 2
VERSIONS = 4  # So many have to be seen; a slow machine needs more rounds for that.
QUERY = b"-s RIPE-GRS -r -B -G -i tech-c DUMY-RIPE\n"
MARK = rb"(?m)^remarks: +version (\d+)$"


def marked(text, version):
    first, rest = text.split(b"\n", 1)
    return b"%s\nremarks:        version %d\n%s" % (first, version, rest)


def ends_of_the_answer(lab):
    found = blocks(lab.ask(QUERY))
    heads = [normal_text(block)[0] for block in (found[0], found[-1])]
    texts = {normal_text(text[:200])[0]: text for text in read_dump(SMALL.dump)}
    return [texts[head] for head in heads]


class Reader(threading.Thread):
    """Takes the answer again and again, in small bites; remembers the versions it saw."""

    def __init__(self, port, is_done):
        super().__init__(daemon=True)
        self.port = port
        self.is_done = is_done
        self.pairs = []
        self.error = None

    def run(self):
        try:
            while not self.is_done.is_set():
                self.read_once()
        except Exception as error:
            self.error = error

    def read_once(self):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        sock.connect(("127.0.0.1", self.port))
        sock.settimeout(harness.PATIENCE)
        sock.sendall(QUERY)
        answer = bytearray()
        while True:
            data = sock.recv(16384)
            if not data:
                break
            answer += data
        sock.close()
        self.pairs.append([int(number) for number in re.findall(MARK, bytes(answer))])


def test_no_reader_sees_a_mix(lab):
    lab.load(SMALL.dump)
    lab.start()
    ends = ends_of_the_answer(lab)
    lab.stop()

    journal = Journal()
    journal.last = SERIAL
    upstream = lab.upstream(journal)
    # Something to begin with: a server is asked for what it has.
    journal.publish(journal.append([("ADD", marked(text, 0)) for text in ends]))
    lab.start()
    lab.wait_for_serial(SERIAL + 2)

    done = threading.Event()
    readers = [Reader(lab.port, done) for _ in range(READERS)]
    for reader in readers:
        reader.start()

    def move():
        """Once more; return whether enough of it has been seen."""
        serial = journal.append([("ADD", marked(text, len(journal.ops) // 2)) for text in ends])
        upstream.publish(serial)
        lab.wait_for_serial(serial)
        seen = {tuple(pair) for reader in readers for pair in reader.pairs}
        return len(seen) >= VERSIONS or any(reader.error for reader in readers)

    for _ in range(ROUNDS):
        move()
    harness.wait_for("answers of several versions", move)
    # Every reader has begun and ended an answer after the last move.
    counts = [len(reader.pairs) for reader in readers]
    for reader, count in zip(readers, counts):
        harness.wait_for("the readers", lambda r=reader, c=count: len(r.pairs) >= c + 2 or r.error)
    done.set()
    pairs = []
    for reader in readers:
        if reader.error:
            raise reader.error
        pairs += reader.pairs
    mixed = [pair for pair in pairs if len(pair) != 2 or pair[0] != pair[1]]
    equal(mixed, [], "answers that mix versions, of %d" % len(pairs))
    lab.stop()
    print("      %d answers, %d versions" % (len(pairs), len({pair[0] for pair in pairs})))


harness.main(__name__)
