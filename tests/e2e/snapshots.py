#!/usr/bin/python3
"""One answer is taken from one snapshot: a writer moves two objects together, the first and the last of
a long answer, while readers take that answer slowly. No reader may see a mix."""

import re
import socket
import threading

import harness
from harness import DUMP, IS_LONG, SERIAL, Journal, blocks, equal
from oracle import Object, Registry

ROUNDS = 600 if IS_LONG else 60
READERS = 8 if IS_LONG else 3
QUERY = b"-s RIPE-GRS -r -B -G -i tech-c DUMY-RIPE\n"
MARK = rb"(?m)^remarks: +version (\d+)$"


def marked(text, version):
    first, rest = text.split(b"\n", 1)
    return b"%s\nremarks:        version %d\n%s" % (first, version, rest)


def ends_of_the_answer(lab):
    answer = lab.ask(QUERY)
    registry = Registry.read(DUMP)
    found = blocks(answer)
    return [registry.objects[Object(block + b"\n").key].text for block in (found[0], found[-1])]


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
    lab.load()
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
    for version in range(1, ROUNDS + 1):
        upstream.publish(journal.append([("ADD", marked(text, version)) for text in ends]))
        lab.wait_for_serial(SERIAL + 2 + 2 * version)
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
    equal(len({pair[0] for pair in pairs}) > 3, True, "several versions were seen: %r" % pairs)
    lab.stop()
    print("      %d answers, %d versions" % (len(pairs), len({pair[0] for pair in pairs})))


harness.main(__name__)
