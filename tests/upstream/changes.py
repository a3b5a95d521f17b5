"""Endless changes on top of a registry dump, for the test upstream.

The nth change depends on the dump, the seed and n alone: a second run that is told how far the first
came makes the same changes again, in memory, and goes on. Objects are modified, deleted, created and
re-created so that the registry stays sensible: nothing is deleted that others may refer to, and what
is created fits the objects that are there. Every FAVOURITE_EVERYth change modifies the dump's first
object, so that a person can watch one object change.
"""

import gzip
import ipaddress
import random
import re
import time

FAVOURITE_EVERY = 5
DELETABLE = {b"domain", b"route", b"route6"}
CLOCK_START = 1767225600  # 2026-01-01: the nth change was made n seconds later.


def read_dump(path):
    """Yield the objects of a dump, plain or gzip: bytes that end in one line feed."""
    opener = gzip.open if open(path, "rb").read(2) == b"\x1f\x8b" else open
    with opener(path, "rb") as lines:
        block = []
        for line in lines:
            if line in (b"\n", b"\r\n"):
                if block:
                    yield b"".join(block)
                block = []
            elif block or line[:1] not in b"#%":
                block.append(line)
        if block:
            yield b"".join(block)


def class_of(text):
    return text.partition(b":")[0].lower()


class Changes:
    """next_change() gives ("ADD" or "DEL", text) for ever."""

    def __init__(self, dump, seed):
        self.random = random.Random(seed)
        self.number = 0
        self.alive = list(read_dump(dump))
        self.deletable = [i for i, text in enumerate(self.alive) if class_of(text) in DELETABLE]
        self.deleted = []  # Texts that may come back.
        self.routes = {text.partition(b"\n")[0] for text in self.alive
                       if class_of(text) in (b"route", b"route6")}

    def next_change(self):
        self.number += 1
        if self.number % FAVOURITE_EVERY == 0:
            return self.modify(0)
        dice = self.random.random()
        if dice < 0.68 or not self.deletable:
            return self.modify(self.random.randrange(len(self.alive)))
        if dice < 0.84:
            return self.delete()
        if dice < 0.94 and self.deleted:
            return self.revive()
        return self.create()

    def modify(self, at):
        self.alive[at] = self.stamped(self.alive[at])
        return "ADD", self.alive[at]

    def delete(self):
        """The last object takes the place of the deleted one, so that both lists stay dense."""
        pick = self.random.randrange(len(self.deletable))
        at = self.deletable[pick]
        self.deletable[pick] = self.deletable[-1]
        self.deletable.pop()
        text = self.alive[at]
        self.alive[at] = b""
        self.deleted.append(text)
        self.compact(at)
        return "DEL", text

    def compact(self, at):
        last = len(self.alive) - 1
        if at != last:
            self.alive[at] = self.alive[last]
            if class_of(self.alive[at]) in DELETABLE:
                self.deletable[self.deletable.index(last)] = at
        self.alive.pop()

    def revive(self):
        text = self.deleted.pop(self.random.randrange(len(self.deleted)))
        return self.add(self.stamped(text))

    def create(self):
        """The lower half of an existing route, with the same origin."""
        for _ in range(50):
            text = self.alive[self.random.choice(self.deletable)] if self.deletable else b""
            match = re.match(rb"(route6?): *(\S+)\n", text)
            if not match:
                continue
            try:
                net = ipaddress.ip_network(match[2].decode("ascii"))
            except ValueError:
                continue
            half = next(net.subnets(), net) if net.prefixlen < net.max_prefixlen else net
            first = b"%-16s%s" % (match[1] + b":", str(half).encode())
            if first not in self.routes:
                self.routes.add(first)
                return self.add(self.stamped(first + b"\n" + text[match.end():]))
        return self.modify(0)

    def add(self, text):
        self.alive.append(text)
        self.deletable.append(len(self.alive) - 1)
        return "ADD", text

    def stamped(self, text):
        """The text with the change's number in a remark and a later last-modified:."""
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(CLOCK_START + self.number))
        text = re.sub(rb"(?m)^remarks: +change \d+ of the endless upstream\n", b"", text)
        mark = b"remarks:        change %d of the endless upstream\n" % self.number
        changed, count = re.subn(rb"(?m)^last-modified:[^\n]*\n",
                                 b"last-modified:  %s\n" % when.encode(), text, count=1)
        at = changed.find(b"\ncreated:") if count else changed.rfind(b"\nsource:")
        return changed[:at + 1] + mark + changed[at + 1:] if at >= 0 else changed + mark
