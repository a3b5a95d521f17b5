"""A naive model of a registry: lists and loops over a dump, nothing clever.

It says what the server has to answer: every object's text, every inverse search, every range search.
Everything is bytes in the dump's charset. References: the tables of whois-queries in the RPSL and
query documents; the model shares no code and no table with the server.
"""

import gzip
import ipaddress
import os
import re
import sys
from collections import defaultdict

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "upstream"))
from changes import read_dump  # noqa: E402

OBJECT_TYPES = {  # name: (object_type in the database)
    "as-block": 0, "as-set": 1, "aut-num": 2, "domain": 3, "inet-rtr": 4, "inet6num": 5, "inetnum": 6,
    "key-cert": 7, "mntner": 9, "person": 10, "role": 11, "route": 12, "route-set": 13,
    "filter-set": 14, "peering-set": 15, "rtr-set": 16, "irt": 17, "organisation": 18, "route6": 19,
    "poem": 20, "poetic-form": 21,
}
LISTS = {"form", "mbrs-by-ref", "member-of", "mnt-by", "mnt-domains", "mnt-irt", "mnt-lower",
         "mnt-ref"}
MAILS = {"abuse-mailbox", "irt-nfy", "mnt-nfy", "notify", "ref-nfy", "upd-to"}
ALL = set(OBJECT_TYPES)
CONTACTED = ALL - {"route", "route6", "as-block", "poem", "person"}
SETS = {"as-set", "route-set", "rtr-set"}
INVERSE = {  # attribute: the classes in which it can be searched for
    "abuse-c": {"inetnum", "inet6num", "aut-num", "organisation"},
    "abuse-mailbox": {"role"},
    "admin-c": CONTACTED,
    "auth": {"mntner", "irt"},
    "author": {"poem"},
    "ds-rdata": {"domain"},
    "fingerpr": {"key-cert"},
    "form": {"poem"},
    "irt-nfy": {"irt"},
    "local-as": {"inet-rtr"},
    "mbrs-by-ref": SETS,
    "member-of": {"aut-num", "route", "route6", "inet-rtr"},
    "mnt-by": ALL,
    "mnt-domains": {"inetnum", "inet6num"},
    "mnt-irt": {"inetnum", "inet6num"},
    "mnt-lower": {"inetnum", "inet6num", "as-block", "as-set", "route", "route6", "route-set",
                  "filter-set", "peering-set", "rtr-set"},
    "mnt-nfy": {"mntner"},
    "mnt-ref": {"mntner", "irt", "organisation", "role", "person"},
    "mnt-routes": {"inetnum", "inet6num", "route", "route6"},
    "notify": ALL,
    "nserver": {"domain"},
    "org": ALL - {"poem", "poetic-form"},
    "origin": {"route", "route6"},
    "ping-hdl": {"route", "route6"},
    "ref-nfy": {"organisation"},
    "sponsoring-org": {"inetnum", "inet6num", "aut-num"},
    "tech-c": CONTACTED - {"poetic-form"},
    "upd-to": {"mntner"},
    "zone-c": {"domain"},
}
RANGED = ("inetnum", "inet6num", "route", "route6")


class Object:
    def __init__(self, text):
        self.text = text
        self.attributes = []  # [(name, value without comments, on one line)]
        for line in text.splitlines() if b"\r" not in text else text.split(b"\n"):
            if line[:1] in (b" ", b"\t", b"+"):
                name, value = self.attributes[-1]
                self.attributes[-1] = (name, value + b"\n" + line[1:])
            elif line:
                name, _, value = line.partition(b":")
                self.attributes.append((name.strip().lower().decode("latin-1"), value))
        self.attributes = [(name, clean(value)) for name, value in self.attributes]
        self.type = self.attributes[0][0]
        self.key = self.make_key()
        self.range = self.make_range()

    def first(self, name):
        return next((value for other, value in self.attributes if other == name), b"")

    def make_key(self):
        """Two spellings of one key are equal: (type, folded text)."""
        value = self.attributes[0][1]
        if self.type == "inetnum":
            value = b"-".join(part.strip() for part in value.split(b"-"))
        elif self.type in ("inet6num", "route6", "route"):
            value = str(ipaddress.ip_network(value.decode("ascii"))).encode()
            if self.type != "inet6num":
                value += self.first("origin").upper()
        elif self.type in ("person", "role"):
            value = self.first("nic-hdl")
        return self.type, value.lower()

    def make_range(self):
        """(begin, end) as numbers, both inclusive, of the classes that have one."""
        value = self.attributes[0][1].decode("latin-1")
        if self.type == "inetnum":
            begin, end = (int(ipaddress.ip_address(part.strip())) for part in value.split("-"))
        elif self.type in RANGED:
            net = ipaddress.ip_network(value)
            begin, end = int(net.network_address), int(net.broadcast_address)
        else:
            return None
        return begin, end

    def values(self, attribute):
        """What an inverse search for this attribute finds the object by, folded."""
        found = set()
        for name, value in self.attributes:
            if name != attribute or not value:
                continue
            parts = value.split(b",") if name in LISTS else [value]
            for part in parts:
                part = part.strip()
                if name in MAILS:
                    bare = re.search(rb"<([^<>]+)>\s*$", part)
                    part = bare[1] if bare else part
                elif name == "auth" and not re.match(rb"(?i)(PGPKEY|X509)-", part):
                    continue
                elif name == "mnt-routes":
                    part = re.split(rb"[\s{]", part)[0]
                elif name == "nserver":
                    part = part.rstrip(b".")
                if part:
                    found.add(part.lower())
        return found


def clean(value):
    """Comments dropped, blanks squeezed, on one line."""
    return b" ".join(b" ".join(line.split(b"#")[0] for line in value.split(b"\n")).split())


def normal_text(text):
    """An object's lines with the blanks squeezed: layout does not count, contents do."""
    lines = []
    for line in text.rstrip(b"\n").split(b"\n"):
        words = b" ".join(line[1:].split())
        if line[:1] == b"+":
            lines.append(b"+ " + words if words else b"+")
        elif line[:1] in (b" ", b"\t"):
            lines.append(b"  " + words if words else b"+")
        else:
            name, _, value = line.partition(b":")
            lines.append(name.strip().lower() + b": " + b" ".join(value.split()))
    return lines


def printed_text(text):
    """As normal_text(), as a mirror prints it: passwords hidden, no changed:."""
    lines = []
    hidden = False
    for line in normal_text(text):
        name, _, value = line.partition(b": ")
        word = value.split(b" ")[0].upper()
        if name == b"auth" and (word.endswith(b"-PW") or word == b"SSO"):
            line = b"auth: " + word + b" # Filtered"
            hidden = True
        if name != b"changed":
            lines.append(line)
    if hidden:
        last = max(i for i, line in enumerate(lines) if line.startswith(b"source: "))
        lines[last] = lines[last].split(b"#")[0].rstrip() + b" # Filtered"
    return lines


def text_checksum(text):
    """Eight bytes at a time: multiplied to spread a bit upwards, folded to bring it down again."""
    factor, mask = 0x9E3779B97F4A7C15, (1 << 64) - 1
    words = [int.from_bytes(text[at:at + 8].ljust(8, b"\0"), "big") for at in range(0, len(text), 8)]
    total = len(text)
    for word in words + [factor, factor]:
        total = (total ^ word) * factor & mask
        total ^= total >> 32
    return total


class Registry:
    def __init__(self, objects):
        self.objects = objects  # {key: Object}

    @classmethod
    def read(cls, path):
        """Of two objects with one key the later one counts."""
        return cls({o.key: o for o in map(Object, read_dump(path))})

    def apply(self, journal_path, first=0, last=1 << 62):
        """Play the ops of a recorded NRTM stream."""
        with gzip.open(journal_path, "rb") as stream:
            data = stream.read()
        for match in re.finditer(rb"(?ms)^(ADD|DEL) (\d+)\n\n(.*?\n)\n", data):
            if first <= int(match[2]) <= last:
                self.change(match[1], match[3])

    def change(self, op, text):
        changed = Object(text)
        self.objects.pop(changed.key, None)
        if op == b"ADD":
            self.objects[changed.key] = changed

    def texts(self):
        """Sorted [(object_type, text)] as the database has to hold them, in UTF-8."""
        return sorted((OBJECT_TYPES[o.type], o.text.decode("latin-1").encode())
                      for o in self.objects.values())

    def checksum(self):
        """As the server's status has it: the sum of a number made of each text."""
        return sum(text_checksum(text) for _, text in self.texts()) % (1 << 64)

    def inverse(self):
        """{(attribute, folded value): set of keys}."""
        index = defaultdict(set)
        for o in self.objects.values():
            for attribute, types in INVERSE.items():
                if o.type in types:
                    for value in o.values(attribute):
                        index[attribute, value].add(o.key)
        self.drop_unaccepted_members(index)
        self.spread_name_servers(index)
        return index

    def drop_unaccepted_members(self, index):
        """A member counts when its set accepts it: ANY, or one of the member's maintainers."""
        accepts = {o.key[1]: o.values("mbrs-by-ref") for o in self.objects.values()
                   if o.type in SETS}
        for (attribute, value), keys in list(index.items()):
            if attribute == "member-of":
                allowed = accepts.get(value, set())
                keys = {key for key in keys if b"any" in allowed or
                        allowed & self.objects[key].values("mnt-by")}
                index[attribute, value] = keys

    @staticmethod
    def spread_name_servers(index):
        """A name server is found by any beginning of its name; by whole names here."""
        names = sorted(value for attribute, value in index if attribute == "nserver")
        whole = {name: index["nserver", name] for name in names}
        for name in names:
            index["nserver", name] = set().union(
                *(keys for other, keys in whole.items() if other.startswith(name)))

    def in_ranges(self, object_type):
        """[(begin, -end, origin, key)] of a class, in the order of answers."""
        return sorted((o.range[0], -o.range[1], o.first("origin").lower(), o.key)
                      for o in self.objects.values() if o.type == object_type)


def search_range(rows, flag, begin, end):
    """What a range search answers: keys in order. Rows are Registry.in_ranges()."""
    holding = [row for row in rows if row[0] <= begin and -row[1] >= end]
    exact = [row for row in holding if row[0] == begin and -row[1] == end]
    wider = [row for row in holding if row not in exact]
    inside = [row for row in rows if row[0] >= begin and -row[1] <= end and row not in exact]
    smallest = [row for row in wider if row[:2] == wider[-1][:2]] if wider else []
    if flag == "":
        found = exact or smallest
    elif flag == "-x":
        found = exact
    elif flag == "-l":
        found = smallest
    elif flag == "-L":
        found = holding
    elif flag == "-M":
        found = inside
    else:
        found = []
        for row in inside:  # -m: only what lies in nothing else inside.
            if not found or row[:2] == found[-1][:2] or row[0] > -found[-1][1]:
                found.append(row)
    return [row[3] for row in found]
