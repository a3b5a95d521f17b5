"""What the benches ask and change: queries and updates drawn evenly from all objects of a dump.

Files made beside the dump (NAME is the dump's stem):
  NAME.queries  `query TAB a line its answer must hold`, one per line, for tests/bench/load
  NAME.default  the same without -r, made when asked for
  NAME.updates  objects with a marker line that says which serial changed them; empty lines between
  NAME.json     what else the benches want to know of the dump
  NAME-changed.db.gz    the same dump with a hundredth of the objects changed, made when asked for
  NAME-changed.queries  queries of NAME.queries whose answer is the same for both dumps
  NAME-changed.json     what tells the two dumps apart
"""

import gzip
import json
import os
import random
import re
import subprocess
import sys

SERIAL = 70000000       # Of every generated dump.
MARKER = b"bench update 0000000000"
ADDED = b"inet6num:       2001:db8:%x::/48\nnetname:        BENCH\nsource:         RIPE"
LONGEST_ASKED = 65536   # The few huge test objects would decide the mean answer.

FIRST_LINE = re.compile(rb"([a-z][a-z0-9-]*):( +)([!-~][ -~]*)$")
CONTACT = b"DUMY-RIPE"     # Who stands for all persons in a mirrored dump.
CONTACT_ATTRIBUTES = (b"admin-c", b"tech-c", b"zone-c")
CHANGED_SHARE = 100     # One object of so many is another in the changed dump;
REMOVED_SHARE = 10      # of these, one of so many is missing, and an added one stands in its place.
MANY = 500000           # An inverse query of at least so many objects, when there is one.

SOURCE_LINE = re.compile(rb"^source:", re.M)
NIC_HDL_LINE = re.compile(rb"^nic-hdl: {8}([!-~]+)$", re.M)


def generate(generator, scale, seed, directory):
    """@return The dump's path; made when it is not there yet."""
    dump = os.path.join(directory, "ripe-%d-%d.db.gz" % (scale, seed))
    if not os.path.exists(dump):
        print("generating %d objects" % scale, file=sys.stderr)
        part = os.path.join(directory, "part.db.gz")
        subprocess.run([sys.executable, generator, "--objects", str(scale), "--seed", str(seed),
                        "--serial", str(SERIAL), "--out", part], check=True)
        os.rename(part, dump)
    return dump


def objects(dump):
    """The objects of a dump, as bytes without the last LF."""
    rest = b""
    with gzip.open(dump) as file:
        while chunk := file.read(8 << 20):
            *texts, rest = (rest + chunk).split(b"\n\n")
            for text in texts:
                text = text.strip(b"\n")
                if text and text[0] not in b"#%":
                    yield text
    if rest.strip(b"\n"):
        yield rest.strip(b"\n")


def single_query(text):
    """@return (class, key, line of the answer); None when its first line may print unlike it is."""
    match = FIRST_LINE.match(text.split(b"\n", 1)[0])
    if not match or len(match[1]) + 1 + len(match[2]) != 16 or b"#" in match[3]:
        return None
    if match[3].endswith(b" ") or len(text) > LONGEST_ASKED:
        return None
    if match[1] in (b"person", b"role"):
        handle = NIC_HDL_LINE.search(text)
        return handle and (match[1], handle[1], handle[0])
    return match[1], match[3], match[0]


def with_marker(text):
    """@return The object with the marker in a line before `source:`, or None."""
    found = SOURCE_LINE.search(text)
    if not found:
        return None
    return text[:found.start()] + b"remarks:        " + MARKER + b"\n" + text[found.start():]


class Workload:
    """The files of one dump, made when they are not there yet."""

    def __init__(self, dump, source, queries, updates, seed=1):
        stem = re.sub(r"\.db\.gz$", "", dump)
        self.dump, self.queries, self.updates = dump, stem + ".queries", stem + ".updates"
        self.facts_path, self.default_path = stem + ".json", stem + ".default"
        wanted = {"source": source, "queries": queries, "updates": updates, "seed": seed}
        if os.path.exists(self.facts_path):
            with open(self.facts_path, encoding="ascii") as file:
                self.facts = json.load(file)
            if self.facts["wanted"] == wanted and "most_referenced" in self.facts:
                return
        print("drawing %d queries and %d updates" % (queries, updates), file=sys.stderr)
        self._draw(wanted)

    def _draw(self, wanted):
        draw = random.Random(wanted["seed"])
        count = sum(1 for _ in objects(self.dump))
        asked = set(draw.sample(range(count), min(count, wanted["queries"])))
        changed = set(draw.sample(range(count), min(count, wanted["updates"])))
        queries, updates = [], []
        prefixes, doubles, top_octets, text_bytes = set(), set(), {}, 0
        contact_lines = {name: b"\n" + (name + b":").ljust(16) + CONTACT + b"\n"
                         for name in CONTACT_ATTRIBUTES}
        referenced = dict.fromkeys(CONTACT_ATTRIBUTES, 0)
        for number, text in enumerate(objects(self.dump)):
            text_bytes += len(text)
            for name, line in contact_lines.items():
                referenced[name] += line in text
            if text.startswith(b"inetnum:"):
                octet = text[8:40].split(b".", 1)[0].strip()
                top_octets[octet] = top_octets.get(octet, 0) + 1
            elif text.startswith(b"route"):
                prefix = text.split(b"\n", 1)[0]
                (doubles if prefix in prefixes else prefixes).add(prefix)
            if number in asked and (query := single_query(text)):
                queries.append(query)
            if number in changed and (update := with_marker(text)):
                updates.append(update)
        draw.shuffle(updates)
        with open(self.queries, "wb") as file:
            for kind, key, line in queries:
                if line not in doubles:     # Several origins: more than one object.
                    file.write(b"-s %s -r -T %s %s\t%s\n"
                               % (wanted["source"].encode(), kind, key, line))
        with open(self.updates, "wb") as file:
            for text in updates:
                file.write(text + b"\n\n")
        busiest = max(top_octets, key=top_octets.get).decode()
        attribute = min(referenced, key=lambda name: (referenced[name] < MANY,
                                                      abs(referenced[name] - MANY)))
        self.facts = {"wanted": wanted, "objects": count, "text_bytes": text_bytes,
                      "updates": len(updates), "busiest_eight": busiest + ".0.0.0/8",
                      "busiest_eight_objects": top_octets[busiest.encode()],
                      "most_referenced": [attribute.decode(), CONTACT.decode(),
                                          referenced[attribute]]}
        with open(self.facts_path, "w", encoding="ascii") as file:
            json.dump(self.facts, file)

    def changed_dump(self):
        """@return A ChangedDump, its files made when they are not there yet."""
        return ChangedDump(self)

    def first_query(self):
        """@return (query, line) of an object that is certainly there."""
        with open(self.queries, encoding="latin-1") as file:
            return file.readline().rstrip("\n").split("\t")

    def default_queries(self):
        """@return A file of the same queries without -r."""
        with open(self.queries, "rb") as queries, open(self.default_path, "wb") as file:
            file.write(queries.read().replace(b" -r -T ", b" -T "))
        return self.default_path

    def update_texts(self):
        """@return The changed objects, marker not filled in, each with its empty line behind it."""
        with open(self.updates, "rb") as file:
            return [text + b"\n\n" for text in file.read().split(b"\n\n") if text]


class ChangedDump:
    """The dump with a few objects changed, removed and added, spread evenly."""

    def __init__(self, work, seed=2):
        stem = re.sub(r"\.db\.gz$", "-changed", work.dump)
        self.dump, self.queries, facts_path = (stem + end for end in
                                               (".db.gz", ".queries", ".json"))
        wanted = {**work.facts["wanted"], "changed_seed": seed}
        if os.path.exists(facts_path):
            with open(facts_path, encoding="ascii") as file:
                self.facts = json.load(file)
            if self.facts["wanted"] == wanted:
                return
        print("changing one object of %d" % CHANGED_SHARE, file=sys.stderr)
        self._write(work, wanted)
        with open(facts_path, "w", encoding="ascii") as file:
            json.dump(self.facts, file)

    def _write(self, work, wanted):
        draw = random.Random(wanted["changed_seed"])
        count = work.facts["objects"]
        drawn = draw.sample(range(count), count // CHANGED_SHARE)
        removed = set(drawn[::REMOVED_SHARE])
        drawn = set(drawn)
        self.facts = {"wanted": wanted, "changed": 0, "removed": 0}
        others = set()      # Queries whose answer is another one.
        with gzip.open(self.dump, "wb", 6) as file:
            for number, text in enumerate(objects(work.dump)):
                if number in drawn:
                    query = key_query(wanted["source"], text)
                    others.add(query)
                    text = self._change(number in removed, query, text)
                file.write(text + b"\n\n")
        with open(work.queries, encoding="latin-1") as queries, \
                open(self.queries, "w", encoding="latin-1") as file:
            file.writelines(line for line in queries if line.split("\t")[0] not in others)

    def _change(self, is_removed, query, text):
        """@return What the changed dump has in place of this object."""
        is_certain = query and not text.startswith(b"route")    # Of one object.
        if not is_removed:
            changed = with_marker(text)
            self.facts["changed"] += changed is not None
            if is_certain and changed:
                self.facts["shows_changed"] = [query, marker_line(0)]
            return changed or text
        self.facts["removed"] += 1
        if is_certain:
            self.facts["shows_first"] = [query, single_query(text)[2].decode("latin-1")]
        return ADDED % self.facts["removed"]

    @property
    def shows_changed(self):
        """(query, line of the answer) once the changed dump is loaded."""
        return self.facts["shows_changed"]

    @property
    def shows_first(self):
        """(query, line of the answer) once the first dump is loaded again."""
        return self.facts["shows_first"]


def operation(serial, text):
    """@return The bytes of one NRTM version 3 operation."""
    return b"ADD %d\n\n" % serial + text.replace(MARKER, b"bench update %010d" % serial, 1)


def marker_line(serial):
    return "remarks:        bench update %010d" % serial


def key_query(source, text):
    """@return The query for an update's object, or None when its key prints unlike it is stored."""
    found = single_query(text)
    return found and "-s %s -r -T %s %s" % (source, found[0].decode(), found[1].decode())
