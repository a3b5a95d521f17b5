#!/usr/bin/python3
"""A scriptable NRTM upstream, for tests and for quickstart.

    upstream.py journal FILE.nrtm[.gz] [options]     plays a recorded stream
    upstream.py endless DUMP[.gz] --state FILE       invents changes for ever (changes.py)

It speaks as one of the servers of dialects.py does (--dialect), and misbehaves as planned. It prints one line per event, to standard output or to --log FILE:

    listening 127.0.0.1:4444
    accept 1 127.0.0.1:51234         one per connection, numbered from 1
    request 1 -g RIPE:3:70000001-LAST -k
    start 1 70000001-70004000
    close 1 end bytes=123456         why: end, peer, cut, refused, error, answer, stop

Plans. A plan is a JSON object that says how one session goes wrong; sessions take plans in turn (--plan,
or the command `plan`), and when none is left they go right. `-q` requests take none.

    refuse        a kind of refusal (dialects.py), in the words of the dialect
    answer        this text instead of everything, then close
    banner        this text instead of the dialect's banner
    source        this name in START and END
    first, last   these serials in START
    suffix        text behind START's range, such as " FILTERED"
    hold          say nothing after the request until `release`
    replace       {"70000005": "raw text instead of this serial's op"}
    before        {"70000005": "raw text in front of this serial's op"}
    repeat        [70000001, 70000010]: send these ops again after the second one
    cut_in        a serial: close in the middle of its op, whenever it is its turn
    no_end        leave out %END
    chunk         send so many bytes at a time, each in a packet of its own
    stall_after   stop sending after so many bytes, keep the connection open until `release`
    cut_after     close after so many bytes
    half_close    send no more after so many bytes, but keep listening until the peer leaves
    reset         close with RST

Commands, one per line on standard input when --stdin is given; each is answered with one line:

    publish N | +N | all      let sessions see the journal up to serial N (--last sets the first one)
    plan JSON                 queue a plan
    refuse on | off           close new connections at once, without a word
    release                   let held and stalled sessions go on
    cut                       close all sessions with RST
    last                      say the newest serial
    hold                      endless: no further changes
    quit
"""

import argparse
import bisect
import gzip
import itertools
import json
import os
import pwd
import re
import signal
import socket
import struct
import sys
import threading
import time

from changes import Changes
from dialects import DIALECTS

REQUEST = re.compile(r"^([A-Za-z0-9_-]+):(\d+):(\d+)-(\d+|LAST)$", re.IGNORECASE)
OPS_PER_SEND = 2048
WINDOW = 200000  # Ops that endless mode keeps.
NEW_AT_START = 10


class Journal:
    """Ops in serial order, as they go over the wire. Readers see them up to `last`."""

    def __init__(self, source="RIPE"):
        self.source = source
        self.serials = []
        self.ops = []  # b"ADD 5\n\n<text>\n"
        self.last = 0
        self.begin = None  # Of the counter, when others have a share in it.
        self.changed = threading.Condition()

    @classmethod
    def read(cls, path):
        """A recorded stream: START, ops, END; comments and blank lines between."""
        journal = cls()
        with (gzip.open if path.endswith(".gz") else open)(path, "rb") as stream:
            data = stream.read()
        start = re.search(rb"^%START Version: \d+ (\S+) (\d+)-(\d+)", data, re.MULTILINE)
        if not start:
            raise ValueError("%s: no %%START line" % path)
        journal.source = start[1].decode()
        journal.last = int(start[3])
        heads = [m for m in re.finditer(rb"^(?:ADD|DEL) (\d+)\n\n", data, re.MULTILINE)]
        ends = [m.start() for m in heads[1:]] + [max(data.rfind(b"%END"), heads[-1].end())]
        for head, end in zip(heads, ends):
            journal.serials.append(int(head[1]))
            journal.ops.append(data[head.start():end])
        return journal

    def append(self, pairs):
        """[(op, text)]: the next serials. Not visible before publish()."""
        serial = self.serials[-1] if self.serials else self.last
        for op, text in pairs:
            serial += 1
            self.serials.append(serial)
            self.ops.append(b"%s %d\n\n%s\n" % (op.encode(), serial, text))
        return serial

    def trim(self, keep):
        with self.changed:
            del self.serials[:-keep], self.ops[:-keep]

    def publish(self, last):
        with self.changed:
            self.last = last
            self.changed.notify_all()

    @property
    def first(self):
        if self.begin is not None:
            return self.begin
        return self.serials[0] if self.serials else self.last + 1

    def between(self, first, last):
        """[(serial, op)] of first to last, at most OPS_PER_SEND."""
        with self.changed:
            a = bisect.bisect_left(self.serials, first)
            b = min(bisect.bisect_right(self.serials, last), a + OPS_PER_SEND)
            return list(zip(self.serials[a:b], self.ops[a:b]))


class Ended(Exception):
    """The session is over; the text says why."""


class Session:
    """One connection: a request, an answer, in the dialect of the upstream."""

    def __init__(self, upstream, number, sock):
        self.upstream = upstream
        self.journal = upstream.journal
        self.dialect = upstream.dialect
        self.number = number
        self.sock = sock
        self.plan = {}
        self.sent = 0
        self.stay = False  # For another request: IRRd's meaning of -k.
        self.is_over = threading.Event()

    def run(self):
        try:
            self.talk()
            reason = "end"
        except Ended as why:
            reason = str(why)
        except OSError:
            reason = "peer"
        self.upstream.log("close %d %s bytes=%d" % (self.number, reason, self.sent))
        self.close(self.plan.get("reset", False))

    def close(self, reset=False):
        self.is_over.set()
        with self.journal.changed:
            self.journal.changed.notify_all()
        try:
            if reset:
                # A thread that waits in recv() would keep the socket open behind close(): wake it.
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.sock.shutdown(socket.SHUT_RD)
            else:
                self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()
        self.upstream.forget(self)

    # --- sending ---

    def send(self, data):
        """Send as the plan allows: in chunks, up to a cut or a stall."""
        for name in ("cut_after", "stall_after", "half_close"):
            limit = self.plan.get(name)
            if limit is None or self.sent + len(data) < limit:
                continue
            keep = max(limit - self.sent, 0)
            self.send_whole(data[:keep])
            if name == "cut_after":
                raise Ended("cut")
            if name == "half_close":
                self.half_close()
            del self.plan[name]
            self.wait_for_release()
            data = data[keep:]
        self.send_whole(data)

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)
        while self.sock.recv(4096):
            pass
        raise Ended("peer")

    def send_whole(self, data):
        size = self.plan.get("chunk") or max(len(data), 1)
        for at in range(0, len(data), size):
            self.sock.sendall(data[at:at + size])
        self.sent += len(data)

    def wait_for_release(self):
        released = self.upstream.released
        with self.journal.changed:
            self.journal.changed.wait_for(
                lambda: self.is_over.is_set() or self.upstream.released != released)
        if self.is_over.is_set():
            raise Ended("stop")

    # --- the conversation ---

    def talk(self):
        if self.upstream.is_refusing:
            raise Ended("refused")
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.dialect.banner_first:
            self.plan = self.upstream.take_plan()
            self.send(self.plan.get("banner", "").encode("latin-1") or self.dialect.banner)
        lines = self.sock.makefile("rb")
        while True:
            line = lines.readline(4096)
            if not line:
                raise Ended("peer")
            self.answer(line.decode("latin-1").strip())
            if not self.stay:
                return

    def answer(self, request):
        self.upstream.log("request %d %s" % (self.number, request))
        self.stay = False
        words = re.sub("^-g", "-g ", request).split()
        if "-q" in words or request.startswith("!"):
            self.upstream.return_plan(self.plan)
            self.plan = {}
            self.answer_status(request, words)
            return
        self.plan = self.plan or self.upstream.take_plan()
        if "answer" in self.plan:
            self.send(self.plan["answer"].encode("latin-1"))
            raise Ended("answer")
        if "-g" not in words or words[-1] == "-g":
            self.refuse("syntax")
        match = REQUEST.match(words[words.index("-g") + 1])
        if not match:
            self.refuse("syntax")
        if self.plan.get("hold"):
            self.wait_for_release()
        self.serve_range(match[1], int(match[2]), int(match[3]), match[4], "-k" in words)

    def answer_status(self, request, words):
        journals = self.upstream.journals
        if not self.upstream.tells_status:
            self.send(b"F Unrecognised command\n")
        elif request.startswith("!j"):
            journal = self.upstream.journal_of(request[2:])
            text = self.dialect.journal_status(journal) if journal else None
            self.send(text or b"F Unrecognised command\n")
        elif words == ["-q", "sources"]:
            self.send(self.dialect.sources(journals))
        elif words == ["-q", "version"]:
            self.send(b"% nrtm-server-test\n\n")
        else:
            self.refuse("syntax")

    def refuse(self, kind, source="", first=0, last=0):
        """In the words of the dialect, and end."""
        oldest, newest = self.journal.first, self.journal.last
        self.send(self.dialect.refusal(kind, source=source, first=first, last=last, min=oldest,
                                       before=oldest - 1, max=newest, behind=newest + 1,
                                       limit=self.upstream.range_limit))
        if kind == "up-to-date" and not self.dialect.pushes:
            return
        raise Ended("error")

    def serve_range(self, source, version, first, last_text, is_keepalive):
        dialect, journal = self.dialect, self.upstream.journal_of(source)
        if journal is None:
            self.refuse("unknown-source", source)
        self.journal = journal
        if "refuse" in self.plan:
            self.refuse(self.plan["refuse"], source, first)
            return
        if version not in (1, 2, 3):
            self.refuse("version")
        newest = journal.last
        is_open = last_text.upper() == "LAST" or (is_keepalive and dialect.pushes)
        last = newest if is_open else int(last_text)
        if is_open and first == newest + 1:
            self.stay = is_keepalive and not dialect.pushes
            self.refuse("up-to-date", source, first)
            return
        if is_open and first > newest:
            self.refuse("too-new", source, first)
        if not is_open and last < first:
            self.refuse("syntax")
        if first < journal.first:
            self.refuse("too-old", source, first)
        if last > newest:
            self.refuse("beyond", source, first, last)
        if self.upstream.range_limit and last - first >= self.upstream.range_limit:
            self.refuse("too-many")
        is_expired = self.upstream.oldest is not None and first < self.upstream.oldest
        if is_expired and not dialect.expired_after_start:
            self.refuse("expired")
        self.start(source, version, first, last)
        if is_expired:
            self.send(dialect.expired_after_start.encode())
            raise Ended("error")
        if dialect.strict_case and source != journal.source:
            first = last + 1  # RIPE compares the name as typed with each object's source.
        at = self.send_ops(version, first, last)
        if is_keepalive and dialect.pushes:
            self.stream(version, at)
        elif not self.plan.get("no_end"):
            name = self.plan.get("source", source)
            self.send(dialect.end.format(source=name.upper() if dialect.upper_end else name).encode())
            self.stay = is_keepalive

    def start(self, source, version, first, last):
        plan = self.plan
        name = self.journal.source.lower() if self.dialect.upper_end else source
        self.send((self.dialect.lead + "%%START Version: %d %s %d-%d%s\n\n" % (
            version, plan.get("source", name), plan.get("first", first), plan.get("last", last),
            plan.get("suffix", self.dialect.suffix))).encode("latin-1"))
        if version < 3:
            self.send(b"%%WARNING: NRTM version %d is deprecated, please consider migrating to "
                      b"version 3!\n\n" % version)
        self.upstream.log("start %d %d-%d" % (self.number, first, last))

    def send_ops(self, version, first, last):
        """Send what lies between, return the serial to go on from."""
        at = first
        while True:
            ops = self.journal.between(at, last)
            if not ops:
                return last + 1
            at = ops[-1][0] + 1
            bad = self.plan.get("cut_in")
            if bad in [serial for serial, _ in ops]:
                self.send(b"".join(op for serial, op in ops if serial < bad))
                self.send(next(op[:len(op) // 2] for serial, op in ops if serial == bad))
                raise Ended("cut")
            if self.is_over.is_set():
                raise Ended("stop")
            self.send(b"".join(self.as_planned(serial, op, version) for serial, op in ops)
                      if version < 3 or self.plan else b"".join([op for _, op in ops]))

    def as_planned(self, serial, op, version):
        key = str(serial)
        plan = self.plan
        if version < 3:
            op = op[:3] + op[op.index(b"\n"):]
        if key in plan.get("replace", {}):
            op = plan["replace"][key].encode("latin-1")
        if key in plan.get("before", {}):
            op = plan["before"][key].encode("latin-1") + op
        repeat = plan.get("repeat")
        if repeat and serial == repeat[1]:
            op += b"".join([again for _, again in self.journal.between(*repeat)])
        return op

    def stream(self, version, at):
        """A -k stream: push what is published, until somebody ends it."""
        threading.Thread(target=self.watch_peer, daemon=True).start()
        while True:
            with self.journal.changed:
                self.journal.changed.wait_for(
                    lambda: self.is_over.is_set() or self.journal.last >= at)
                last = self.journal.last
            if self.is_over.is_set():
                raise Ended("stop")
            before = at
            at = self.send_ops(version, at, last)
            if self.upstream.marks_batches:
                self.send(b"%%END %d - %d\n\n" % (before, last))

    def watch_peer(self):
        """The server reads nothing during a stream, but sees the peer go away."""
        try:
            while self.sock.recv(4096):
                pass
        except OSError:
            pass
        if not self.is_over.is_set():
            self.is_over.set()
            with self.journal.changed:
                self.journal.changed.notify_all()


class Upstream:
    """The listener. Usable in the same process: tests read `accepts` and call publish() and plan()."""

    def __init__(self, journal, host="127.0.0.1", port=0, dialect="ripe", marks_batches=False,
                 log=None, twins=()):
        self.journals = [journal, *twins]  # Of other sources that count with the same counter.
        self.dialect = DIALECTS[dialect]()
        self.tells_status = True  # Knows -q and !j.
        self.range_limit = None   # IRRd's: serials in a request.
        self.oldest = None        # What is asked from below it is refused for its age.
        self.marks_batches = marks_batches
        self.accepts = 0
        self.released = 0
        self.is_refusing = False
        self.plans = []
        self.endless = None
        self.plan_of_all = {}  # For sessions that find no plan.
        self.sessions = set()
        self.events = []  # Every line that was logged.
        self.event = threading.Condition()
        self.patience = 60  # Seconds that wait_for_event() waits.
        self.log_file = log
        self.listener = socket.create_server((host, port), backlog=64)
        self.host, self.port = self.listener.getsockname()[:2]
        self.log("listening %s:%d" % (self.host, self.port))
        self.acceptor = threading.Thread(target=self.accept_all, daemon=True)
        self.acceptor.start()

    def accept_all(self):
        while True:
            try:
                sock, peer = self.listener.accept()
            except OSError:
                return
            self.accepts += 1
            self.log("accept %d %s:%d" % (self.accepts, peer[0], peer[1]))
            session = Session(self, self.accepts, sock)
            self.sessions.add(session)
            threading.Thread(target=session.run, daemon=True).start()

    def log(self, line):
        with self.event:
            self.events.append(line)
            if self.log_file:
                print(line, file=self.log_file, flush=True)
            self.event.notify_all()

    def wait_for_event(self, pattern, after=0):
        """Wait until a logged line matches; return its index + 1, for `after` of the next call."""
        regex = re.compile(pattern)

        def found():
            return next((i + 1 for i in range(after, len(self.events))
                         if regex.search(self.events[i])), None)

        with self.event:
            index = self.event.wait_for(found, self.patience)
            if index is None:
                raise TimeoutError("upstream: no event %r in %r" % (pattern, self.events[after:]))
            return index

    @property
    def journal(self):
        return self.journals[0]

    @journal.setter
    def journal(self, journal):
        self.journals[0] = journal

    def journal_of(self, source):
        return next((journal for journal in self.journals
                     if journal.source.upper() == source.upper()), None)

    def forget(self, session):
        self.sessions.discard(session)

    def plan(self, **plan):
        self.plans.append(plan)

    def take_plan(self):
        return dict(self.plans.pop(0) if self.plans else self.plan_of_all)

    def return_plan(self, plan):
        """It was a session with -q: the plan is for the next one."""
        if plan and plan != self.plan_of_all:
            self.plans.insert(0, plan)

    def publish(self, last):
        for journal in self.journals:
            journal.publish(last)

    def release(self):
        self.released += 1
        for journal in self.journals:
            with journal.changed:
                journal.changed.notify_all()

    def cut(self):
        for session in list(self.sessions):
            session.close(reset=True)

    def close(self):
        """A thread in accept() is woken and waited for, or it would take the next listener's clients."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.acceptor.join()
        self.listener.close()
        for session in list(self.sessions):
            session.close()


class Endless(threading.Thread):
    """Publishes changes at a rate. The serial is on disk before anybody sees it."""

    def __init__(self, dump, state, seed, rate, first_serial):
        super().__init__(daemon=True)
        self.state = state
        self.tick = max(1 / rate, 0.05)
        self.per_tick = max(round(rate * self.tick), 1)
        self.changes = Changes(dump, seed)
        self.journal = Journal()
        source = re.search(rb"(?mi)^source:\s*([^\s#]+)", self.changes.alive[0])
        self.journal.source = source[1].decode().upper() if source else "RIPE"
        self.journal.last = first_serial
        self.lock = threading.Lock()  # A tick's.
        self.is_held = False
        try:
            with open(state, encoding="ascii") as file:
                reached = int(file.read())
        except FileNotFoundError:
            reached = first_serial
        # A few new ones at once: RIPE's server sends a client away that has everything already.
        reached += NEW_AT_START
        while self.changes.number < reached - first_serial:
            self.grow(min(reached - first_serial - self.changes.number, WINDOW))
        self.save(reached)
        self.journal.publish(reached)

    def grow(self, count):
        serial = self.journal.append([self.changes.next_change() for _ in range(count)])
        if len(self.journal.ops) > 2 * WINDOW:
            self.journal.trim(WINDOW)
        return serial

    def run(self):
        due = time.monotonic()
        while True:
            due += self.tick
            time.sleep(max(due - time.monotonic(), 0))
            with self.lock:
                if not self.is_held:
                    last = self.grow(self.per_tick)
                    self.save(last)
                    self.journal.publish(last)

    def hold(self):
        with self.lock:
            self.is_held = True

    def save(self, serial):
        with open(self.state + ".new", "w", encoding="ascii") as file:
            file.write("%d\n" % serial)
        os.replace(self.state + ".new", self.state)


def obey(upstream, line):
    """Carry out one command; return its answer."""
    command, _, argument = line.strip().partition(" ")
    journal = upstream.journal
    if command == "publish":
        if argument == "all":
            upstream.publish(journal.serials[-1])
        else:
            upstream.publish(int(argument) + (journal.last if argument[0] == "+" else 0))
    elif command == "plan":
        upstream.plan(**json.loads(argument))
    elif command == "refuse":
        upstream.is_refusing = argument == "on"
    elif command == "release":
        upstream.release()
    elif command == "cut":
        upstream.cut()
    elif command == "hold" and upstream.endless:
        upstream.endless.hold()
    elif command not in ("last", "quit"):
        return "unknown command: " + line.strip()
    return "ok %d" % journal.last


def parse_arguments():
    parser = argparse.ArgumentParser(usage=__doc__, add_help=False)
    parser.add_argument("-h", "--help", action="help")
    parser.add_argument("mode", choices=("journal", "endless"))
    parser.add_argument("file")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free one, see the log")
    parser.add_argument("--dialect", choices=list(DIALECTS), default="ripe")
    parser.add_argument("--marks", action="store_true", help="%%END a - b after each batch of a -k")
    parser.add_argument("--log", help="file for the event lines")
    parser.add_argument("--pid-file")
    parser.add_argument("--user", help="become this user once the files are read")
    parser.add_argument("--plan", action="append", default=[], type=json.loads)
    parser.add_argument("--stdin", action="store_true", help="take commands")
    parser.add_argument("--last", type=int, help="journal: publish up to this serial at first")
    parser.add_argument("--state", help="endless: keeps the serial")
    parser.add_argument("--serial", type=int, default=70000000, help="endless: the dump's serial")
    parser.add_argument("--seed", type=int, default=1, help="endless")
    parser.add_argument("--rate", type=float, default=1.0, help="endless: changes per second")
    arguments = parser.parse_args()
    if arguments.mode == "endless" and (not arguments.state or arguments.rate <= 0):
        parser.error("endless needs --state FILE and a --rate above 0")
    return arguments


def become(name):
    account = pwd.getpwnam(name)
    if account.pw_uid == os.geteuid():
        return
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)


def main():
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    log = open(arguments.log, "a", encoding="latin-1") if arguments.log else sys.stdout
    endless = None
    if arguments.mode == "endless":
        endless = Endless(arguments.file, arguments.state, arguments.seed, arguments.rate,
                          arguments.serial)
        journal = endless.journal
    else:
        journal = Journal.read(arguments.file)
        if arguments.last is not None:
            journal.last = arguments.last
    upstream = Upstream(journal, arguments.host, arguments.port, arguments.dialect,
                        arguments.marks, log)
    upstream.plans = arguments.plan
    upstream.endless = endless
    if arguments.user:
        become(arguments.user)
    if endless:
        endless.start()
    if arguments.pid_file:  # Last: whoever waits for it finds everything at work.
        with open(arguments.pid_file, "w", encoding="ascii") as file:
            file.write("%d\n" % os.getpid())
    for line in sys.stdin if arguments.stdin else ():
        print(obey(upstream, line), flush=True)
        if line.strip() == "quit":
            return
    for _ in itertools.count():
        signal.pause()


if __name__ == "__main__":
    main()
