#!/usr/bin/env python3
"""Replay recorded dialogues of the reference server against a running whois server and compare.

    run.py HOST PORT FILE...            FILE: *.rec.gz (one line per connection) or *.json (whole sessions)
    run.py --serve PROGRAM DATA_DIR     start PROGRAM (tests/query/serve) over the test data, in both of its
                                        modes, and replay everything in this folder

Masked, as the recordings' README allows: the banner (comment lines up to the empty line behind them, at connect and
between the answers of a session), the served-by line, the version line, and the times of versions. Everything else must
be equal byte for byte, unless expected.txt lists the dialogue.

A dialogue of one line can be had in several manners, --manner: `plain`, in the order of the file; `random` order;
`split`, the line sent in pieces; `pipelined`, many lines of a -k session in one go (those that would end it aside).
"""

import argparse
import difflib
import gzip
import json
import os
import random
import re
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SERVED_BY = re.compile(rb"^% This query was served by .*$", re.M)
VERSION = re.compile(rb"^% whois-server-.*$", re.M)
VERSION_TIME = re.compile(
    rb"^(% This version was a \w+ operation on |% This object was deleted on |\d+ +)"
    rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.M)
SHOWN = 3
QUIET_S = 0.6  # How long the recording waited for more.


def read_records(path):
    """Yield (query, answer) pairs of a .rec.gz file."""
    data = gzip.open(path).read()
    at, query = 0, None
    while at < len(data):
        line_end = data.index(b"\n", at)
        kind, length = data[at:line_end].split()
        body = data[line_end + 1 : line_end + 1 + int(length)]
        at = line_end + 1 + int(length) + 1
        if kind == b"Q":
            query = body
        else:
            yield query, body


def is_comment(line):
    return line.startswith(b"%")


def mask(answer, begins_with_banner, is_session):
    """Replace what may differ by fixed text."""
    answer = SERVED_BY.sub(b"% SERVED BY", answer)
    answer = VERSION.sub(b"% VERSION", answer)
    answer = VERSION_TIME.sub(rb"\1TIME", answer)
    lines = answer.split(b"\n")
    out, at = [], 0
    banner_next = begins_with_banner
    while at < len(lines):
        if banner_next and is_comment(lines[at]):
            while at < len(lines) and is_comment(lines[at]):
                at += 1
            out.append(b"% BANNER")
            banner_next = False
            continue
        banner_next = False
        out.append(lines[at])
        # Behind the served-by line and two empty lines a session shows the banner again.
        if is_session and out[-3:] == [b"% SERVED BY", b"", b""]:
            banner_next = True
        at += 1
    return b"\n".join(out)


def connect(address):
    return socket.create_connection(address, timeout=30)


def read_all(sock):
    pieces = []
    while True:
        try:
            piece = sock.recv(1 << 20)
        except ConnectionResetError:
            break
        if not piece:
            break
        pieces.append(piece)
    return b"".join(pieces)


def ask(address, query):
    with connect(address) as sock:
        sock.sendall(query + b"\n")
        return read_all(sock)


def ask_in_pieces(address, query):
    """The line arrives in two to four reads."""
    line = query + b"\n"
    cuts = sorted(random.randrange(1, len(line) + 1) for _ in range(random.randint(1, 3)))
    with connect(address) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for begin, end in zip([0] + cuts, cuts + [len(line)]):
            sock.sendall(line[begin:end])
            time.sleep(0.001)
        return read_all(sock)


def play_step(sock, step, is_first):
    """Send a step and collect what comes back."""
    expected = step["recv"].encode("latin-1")
    try:
        for part in step.get("parts") or [step["send"]]:
            sock.sendall(part.encode("latin-1"))
            if step.get("parts"):
                time.sleep(0.005)
    except (BrokenPipeError, ConnectionResetError):
        pass
    data, closed = b"", False
    masked = mask(expected, is_first, True)
    quiet_since = None
    while not closed:
        if not step["closed"] and mask(data, is_first, True) == masked:
            break
        sock.settimeout(QUIET_S)
        try:
            piece = sock.recv(1 << 20)
        except (TimeoutError, socket.timeout):
            if quiet_since is not None:
                break
            quiet_since = True
            continue
        except (ConnectionResetError, BrokenPipeError):
            piece = b""
        closed = not piece
        data += piece
    return data, closed


def expected_deviations():
    """Names of dialogues that are known to differ: file name, a tab, the query or the session's name."""
    names = set()
    with open(os.path.join(HERE, "expected.txt"), encoding="utf-8") as lines:
        for line in lines:
            if line.strip() and not line.startswith("#"):
                names.add(tuple(line.rstrip("\n").split("\t")[:2]))
    return names


class Report:
    """Counts, and the first differences in full."""

    def __init__(self, name, known, manner):
        self.name, self.known, self.manner = name, known, manner
        self.passed = self.failed = self.deviated = 0
        self.shown = []

    def add(self, title, expected, got):
        known = (self.name, title) in self.known
        if expected == got:
            self.passed += 1
            if known:
                print(f"{self.name}: {title!r} is listed in expected.txt but does not differ any more")
        elif known:
            self.deviated += 1
        else:
            self.failed += 1
            self.shown.append((title, expected, got))

    def show(self, limit, only_titles):
        print(
            f"{self.name}, {self.manner}: {self.passed} passed, {self.failed} failed, "
            f"{self.deviated} expected deviations",
            flush=True,
        )
        for title, expected, got in self.shown[:limit]:
            print(f"--- {title!r}")
            if only_titles:
                continue
            diff = difflib.unified_diff(
                expected.decode("latin-1").split("\n"),
                got.decode("latin-1").split("\n"),
                "recorded",
                "got",
                lineterm="",
                n=2,
            )
            for number, line in enumerate(diff):
                if number == 40:
                    print("...")
                    break
                print(line)


def replay_one_by_one(address, dialogues, ask_one, report):
    for query, answer in dialogues:
        got = ask_one(address, query)
        report.add(query.decode("latin-1"), mask(answer, True, False), mask(got, True, False))


PIPELINE = 100  # Lines that are sent in one go.
END = b"% SERVED BY\n\n\n"
PERSISTENT = re.compile(rb"(^| )-(-persistent|[^ -]*[kp])", re.I)


def may_be_pipelined(query, answer):
    """Whether the line leaves a session open and is one line for the server, too."""
    return not (PERSISTENT.search(query) or b"%ERROR:100:" in answer or b"%ERROR:107:" in answer
                or b"\n" in query or b"\xff" in query)


def replay_pipelined(address, dialogues, report):
    dialogues = [pair for pair in dialogues if may_be_pipelined(*pair)]
    for at in range(0, len(dialogues), PIPELINE):
        part = dialogues[at:at + PIPELINE]
        with connect(address) as sock:
            lines = b"".join(query + b"\n" for query, _ in part)
            sock.sendall(b"-k\n" + lines + b"-k\n")
            got = mask(read_all(sock), True, True)
        answers = got.split(END + b"% BANNER\n\n")
        # Before the first of them is the answer to -k, behind the last nothing.
        for number, (query, answer) in enumerate(part, 1):
            expected = mask(answer, True, False)[len(b"% BANNER\n\n"):]
            found = answers[number] + END if number + 1 < len(answers) else b"<no answer>\n"
            report.add(query.decode("latin-1"), expected, found)


def replay_records(address, path, report, manner, sample):
    dialogues = list(read_records(path))[::sample]
    if manner != "plain":
        random.shuffle(dialogues)
    if manner == "pipelined":
        replay_pipelined(address, dialogues, report)
    else:
        replay_one_by_one(address, dialogues, ask_in_pieces if manner == "split" else ask, report)


def replay_session(address, session):
    """Return what was recorded and what came, as two texts."""
    recorded, got = [], []
    with connect(address) as sock:
        for number, step in enumerate(session["steps"]):
            data, closed = play_step(sock, step, number == 0)
            expected = mask(step["recv"].encode("latin-1"), number == 0, True)
            head = b"> " + (step.get("send") or "".join(step.get("parts", []))).encode("latin-1")
            recorded.append(head + b"\n" + expected + (b"<closed>\n" if step["closed"] else b""))
            data = mask(data, number == 0, True)
            got.append(head + b"\n" + data + (b"<closed>\n" if closed else b""))
            if closed and not step["closed"]:
                break
    return b"".join(recorded[: len(got)]), b"".join(got)


def replay_sessions(address, path, report):
    with open(path, encoding="utf-8") as file:
        for session in json.load(file):
            recorded, got = replay_session(address, session)
            report.add(session["name"], recorded, got)


def replay(address, path, known, args):
    name = os.path.basename(path)
    failed = 0
    for manner in ["plain"] if path.endswith(".json") else args.manner.split(","):
        report = Report(name, known, manner)
        if path.endswith(".json"):
            replay_sessions(address, path, report)
        else:
            replay_records(address, path, report, manner, args.sample)
        report.show(args.show, args.titles)
        failed += report.failed
    return failed


def serve_and_replay(args, known):
    """Start the test server in each mode and replay what was recorded in it."""
    data = args.files[0]
    failed = 0
    for mode, files in (
        ("mirror", ("mirror.rec.gz", "sessions.json")),
        ("main", ("main.rec.gz", "versions.rec.gz")),
    ):
        command = [
            args.serve,
            mode,
            "0",
            os.path.join(data, "ripe-small.db.gz"),
            os.path.join(data, "ripe-small.nrtm.gz"),
        ]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
            try:
                line = server.stdout.readline().split()
                if len(line) != 2 or line[0] != b"port":
                    sys.exit(f"{args.serve} did not start")
                for file in files:
                    failed += replay(("127.0.0.1", int(line[1])), os.path.join(HERE, file), known, args)
            finally:
                server.stdin.close()
                if server.wait(30) != 0:
                    print(f"{args.serve} {mode} ended with {server.returncode}")
                    failed += 1
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve", metavar="PROGRAM")
    parser.add_argument("--show", type=int, default=SHOWN, help="how many differences to print in full")
    parser.add_argument("--titles", action="store_true", help="only name the differing dialogues")
    parser.add_argument("--manner", default="plain", help="comma list of plain, random, split, pipelined")
    parser.add_argument("--sample", type=int, default=1, metavar="N", help="every Nth dialogue only")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("files", nargs="+", metavar="HOST PORT FILE | DATA_DIR")
    args = parser.parse_args()
    random.seed(args.seed)
    print(f"seed {args.seed}")
    known = expected_deviations()
    if args.serve:
        failed = serve_and_replay(args, known)
    else:
        address = (args.files[0], int(args.files[1]))
        failed = sum(replay(address, path, known, args) for path in args.files[2:])
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
