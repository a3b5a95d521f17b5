#!/usr/bin/env python3
"""Forward searches against a naive model: what a key may mean, and what it finds in which order.

    forward.py [SERVE [SEED [COUNT]]]    from the build folder; SERVE: tests/query/serve

The model follows the query language's description (whois-queries 3 and 4) with regular expressions and
loops over a registry made for it, full persons included. It shares no code with the server.
"""

import ipaddress
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import unicodedata

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
import oracle  # noqa: E402

# In the order of answers.
TYPES = """inetnum inet6num as-block aut-num as-set route route6 route-set inet-rtr filter-set
    peering-set rtr-set domain poetic-form poem mntner irt key-cert organisation role person""".split()
REVERSED = ["inetnum", "inet6num", "route", "route6", "domain"]  # With -d.
NAMES = {"person": "person", "role": "role", "organisation": "org-name"}
MAILED = ("irt", "organisation", "role", "person")
HOST = r"[A-Z0-9/-]*(\.[A-Z0-9-]+)*\.?"
NETNAME = r"[A-Z0-9_-]+"
LETTER = r".*[A-Z].*"
SET = r"(^|.*:)%s-[A-Z0-9_-]*[A-Z0-9](:.*|$)"
KEYS = {  # What finds the objects of a type by their key.
    "aut-num": r"AS\d+",
    "as-set": r"(^|.*:)AS-[A-Z0-9_-]*(:.*|$)",
    "route-set": SET % "RS", "rtr-set": SET % "RTRS",
    "filter-set": SET % "FLTR", "peering-set": SET % "PRNG",
    "inet-rtr": HOST,
    "poem": r"POEM-[A-Z0-9][A-Z0-9_-]*",
    "poetic-form": r"FORM-[A-Z0-9][A-Z0-9_-]*",
    "mntner": LETTER,
    "irt": r"IRT-[A-Z0-9_-]+[A-Z0-9]",
    "key-cert": r"(PGPKEY-|X509).+",
    "organisation": r"ORG-([A-Z]{2,4}([1-9][0-9]{0,5})?(-[A-Z]([A-Z0-9_-]{0,7}[A-Z0-9])))",
    "role": r"[A-Z0-9-]+", "person": r"[A-Z0-9-]+",
}


def fits(pattern, text):
    return re.fullmatch("(?i)" + pattern, text, re.A) is not None


def fold(text):
    """Case and accents do not count."""
    decomposed = unicodedata.normalize("NFD", text.replace("\xdf", "s"))
    return "".join(c for c in decomposed if not unicodedata.combining(c)).upper().rstrip()


# --- addresses: (family, begin, end), or None ---

def octets(text):
    parts = text.strip().split(".")
    numbers = [int(part) for part in parts if re.fullmatch(r"[+-]?\d+", part)]
    if len(numbers) != len(parts) or len(parts) > 4 or not all(0 <= n <= 255 for n in numbers):
        raise ValueError(text)
    return int.from_bytes(bytes(numbers + [0] * (4 - len(numbers))), "big")


def read_v4(text):
    if "/" in text:
        address, length = text.split("/", 1)
        begin, hosts = octets(address), (1 << (32 - int(length))) - 1
        return (4, begin, begin | hosts) if begin & hosts == 0 else None
    if "-" in text:
        begin, end = map(octets, text.split("-", 1))
        return (4, begin, end) if begin <= end else None
    begin = int(ipaddress.IPv4Address(text))
    return 4, begin, begin


def read_ip(text):
    try:
        if ":" not in text:
            return read_v4(text)
        net = ipaddress.IPv6Network(text, strict=False)
        begin = int(net.network_address)
        return (6, begin, int(net.broadcast_address)) if begin >> 32 != 0xffff else None
    except ValueError:
        return None


def read_reverse(name):
    name = name.lower().removesuffix(".")
    if name.endswith(".in-addr.arpa"):
        labels = name[:-13].split(".")[::-1]
        head = ".".join(labels[:3])
        if len(labels) > 4 or not all(fits(r"0|[1-9]\d*", label) for label in labels[:3]):
            return None
        if len(labels) == 4:
            return read_ip(head + "." + labels[3].replace("-", "-" + head + ".", 1))
        return read_ip("%s/%d" % (head, 8 * len(labels)))
    if name.endswith(".ip6.arpa"):
        digits = name[:-9].split(".")[::-1]
        if len(digits) <= 32 and all(fits("[0-9a-f]", digit) for digit in digits):
            hosts = 4 * (32 - len(digits))
            begin = int("".join(digits), 16) << hosts
            return 6, begin, begin | (1 << hosts) - 1
    return None


class Key:
    """What a key means."""

    def __init__(self, text):
        self.value = " ".join(text.split())
        self.ip = read_ip(self.value)
        self.origin = self.reverse = None
        if self.ip and self.ip[0] == 4:
            self.value = "%s - %s" % tuple(map(ipaddress.IPv4Address, self.ip[1:]))
        elif self.ip:
            self.value = str(ipaddress.IPv6Network(self.value, strict=False))
        else:
            self.read_route() or self.read_reverse()
        pair = self.value if "-" in self.value else self.value + "-" + self.value
        numbers = re.fullmatch(r"(?i)AS(\d+)\s*-\s*AS(\d+)", pair, re.A)
        numbers = tuple(map(int, numbers.groups())) if numbers else (1, 0)
        self.as_range = numbers if numbers[0] <= numbers[1] else None

    def read_route(self):
        match = re.fullmatch(r"(?i)(.+)(AS\d+)", self.value, re.A)
        if match and (match[1][-1] != " " or re.search("[/:-]", match[1])):
            self.ip = read_ip(match[1].strip())
            self.origin = match[2].upper() if self.ip else None
        return self.origin

    def read_reverse(self):
        self.reverse = read_reverse(self.value)
        if self.reverse:
            self.value = self.value.removesuffix(".")


class Model:
    def __init__(self, registry):
        self.objects = list(registry.objects.values())
        self.ranges = {}  # (type, family): rows as search_range() takes them
        self.by_key, self.by_netname, self.words, self.mails = {}, {}, {}, {}
        self.as_blocks = []
        for o in self.objects:
            self.take(o)
        for rows in self.ranges.values():
            rows.sort()
        self.as_blocks.sort()

    @staticmethod
    def key_text(o):
        value = o.first("nic-hdl") if o.type in ("person", "role") else o.attributes[0][1]
        origin = o.first("origin") if o.type in ("route", "route6") else b""
        return (value + origin).decode("latin-1")

    def take(self, o):
        key, first = self.key_text(o), o.attributes[0][1].decode("latin-1")
        placed = None
        if o.type in REVERSED:
            placed = read_reverse(first) if o.type == "domain" else read_ip(first)
        if placed:
            self.ranges.setdefault((o.type, placed[0]), []).append(
                (placed[1], -placed[2], o.first("origin").lower(), key))
        if o.type == "as-block":
            begin, end = re.findall(r"\d+", key)
            self.as_blocks.append((int(begin), -int(end), key))
        self.by_key.setdefault((o.type, fold(key)), set()).add(key)
        if o.type in NAMES:
            name = fold(o.first(NAMES[o.type]).decode("latin-1"))
            self.words.setdefault(o.type, []).append((set(name.split()), key))
        if o.type in ("inetnum", "inet6num"):
            name = fold(o.first("netname").decode("latin-1"))
            self.by_netname.setdefault((o.type, name), []).append((o.range[0], -o.range[1], key))
        for name, value in o.attributes if o.type in MAILED else ():
            if name == "e-mail" and value:
                bare = re.search(rb"<([^<>]+)>", value)
                mail = fold((bare[1] if bare else value).decode("latin-1"))
                self.mails.setdefault((o.type, mail), set()).add(key)

    def in_range(self, object_type, wanted, flag, origin=None):
        """With an origin in the key, exact matches only, unless a flag says otherwise."""
        rows = self.ranges.get((object_type, wanted[0]), [])
        return oracle.search_range(rows, "-x" if origin and not flag else flag, *wanted[1:])

    def by_index(self, object_type, key):
        """Keys by key, name and e-mail. @return None when the key fits none of these."""
        value, found, is_candidate = key.value, set(), False
        if fits(KEYS[object_type], value):
            is_candidate = True
            found |= self.by_key.get((object_type, fold(value)), set())
        if object_type in NAMES and fits(LETTER, value):
            is_candidate = True
            words = set(fold(value).split())
            found |= {k for has, k in self.words.get(object_type, []) if words <= has}
        if object_type in MAILED and fits(".+@.+", value):
            is_candidate = True
            found |= self.mails.get((object_type, fold(value)), set())
        return sorted(found, key=lambda k: k.encode()) if is_candidate else None

    def search_type(self, object_type, key, flag, both_ways):
        """Keys in the order of the answer. @return None when the type is no candidate."""
        ip = key.ip or (key.reverse if both_ways else None)
        family = 6 if object_type.endswith("6") or object_type == "inet6num" else 4
        if object_type in ("inetnum", "inet6num"):
            if ip and ip[0] == family and not key.origin:
                return self.in_range(object_type, ip, flag)
            if fits(NETNAME, key.value):
                rows = self.by_netname.get((object_type, fold(key.value)), [])
                return [row[2] for row in sorted(rows)]
            return None
        if object_type == "as-block":
            if not key.as_range:
                return None
            begin, end = key.as_range
            return [b[2] for b in self.as_blocks if b[0] <= begin and -b[1] >= end][:1]
        if object_type in ("route", "route6"):
            if not ip or ip[0] != family:
                return None
            found = self.in_range(object_type, ip, flag, key.origin)
            return [k for k in found
                    if not key.origin or re.search(r"(?i)AS\d+$", k)[0].upper() == key.origin]
        if object_type == "domain":
            return self.search_domain(key, flag, ip, both_ways)
        return self.by_index(object_type, key)

    def search_domain(self, key, flag, ip, both_ways):
        reverse = key.reverse or (key.ip if both_ways else None)
        if not fits(HOST, key.value) and (not ip or key.origin):
            return None
        if key.value.lower().endswith("e164.arpa"):
            return sorted(self.by_key.get(("domain", fold(key.value)), set()))
        return self.in_range("domain", reverse, flag, key.origin) if reverse else []

    def search(self, text, flag, types, both_ways):
        """[(type, key)] in the order of the answer; None: no type is a candidate."""
        key = Key(text)
        wanted = types or (REVERSED if both_ways else TYPES)
        found = {t: self.search_type(t, key, flag, both_ways) for t in TYPES if t in wanted}
        if all(keys is None for keys in found.values()):
            return None
        return [(t, k) for t, keys in found.items() for k in keys or ()]


# --- keys to ask for ---

def draw_address(rnd, model):
    """An address, prefix, range, route or reverse name in or around one that exists."""
    kind = rnd.choice(sorted(model.ranges))
    begin, end, origin, _ = rnd.choice(model.ranges[kind])
    bits, make = (32, ipaddress.IPv4Address) if kind[1] == 4 else (128, ipaddress.IPv6Address)
    at = rnd.randint(begin, -end)
    behind = rnd.randint(at, min(-2 * end, (1 << bits) - 1))
    low = rnd.randint(0, bits - 8)
    forms = [str(make(at)), "%s/%d" % (make(at >> low << low), bits - low)]
    if bits == 32:
        forms += ["%s - %s" % (make(begin), make(-end)), "%s-%s" % (make(at), make(behind))]
        labels, zone = str(make(at)).split("."), "in-addr.arpa"
    else:
        forms += [make(at).exploded.upper(), "%s/%d" % (make(at).exploded, rnd.randint(16, 128))]
        labels, zone = list(make(at).exploded.replace(":", "")), "ip6.arpa"
    if rnd.random() < 0.2:
        known = labels[:rnd.randint(1, len(labels))]
        return ".".join(known[::-1] + [zone]) + rnd.choice(["", "."])
    number = re.sub(rb"\D", b"", origin).decode() or str(rnd.randint(1, 9))
    route = rnd.choice(["", " "]) + rnd.choice(["AS", "as"]) + number
    return rnd.choice(forms) + (route if rnd.random() < 0.2 else "")


def draw_key(rnd, model):
    o = rnd.choice(model.objects)
    key = model.key_text(o)
    words = sorted(rnd.choice(model.words[rnd.choice(sorted(model.words))])[0])
    number = rnd.randint(0, 70000)
    return rnd.choice([
        lambda: key,
        lambda: rnd.choice([key.lower(), key.upper(), key.swapcase()]),
        lambda: key[:rnd.randint(1, len(key))],
        lambda: rnd.choice([v for _, v in o.attributes if v]).decode("latin-1").split(",")[0],
        lambda: (o.first("netname") or o.first("e-mail") or o.first("mnt-by")).decode("latin-1"),
        lambda: " ".join(rnd.sample(words, rnd.randint(1, len(words)))),
        lambda: "AS%d%s" % (number, rnd.choice(["", " - AS%d" % (number + 99), "-as%d" % number])),
        lambda: "".join(rnd.choice("ASrs-:.0123/_@x ") for _ in range(rnd.randint(1, 9))),
    ] + 5 * [lambda: draw_address(rnd, model)])().strip()


def is_askable(key, flag):
    """Nothing that is an option, refused, or changed on its way."""
    everything = read_ip(key.split("A")[0].strip()) in ((4, 0, 2**32 - 1), (6, 0, 2**128 - 1))
    return (key and len(key) < 500 and len(key.split()) <= 60 and not (everything and flag in "-m -M")
            and not re.search(r"(^| )-[^ ]|[\0-\x1f\x7f-\xa0\xad]", key))


# --- the server ---

def start(program, folder):
    """@return The process and its port."""
    path = os.path.join(folder, "made.db.gz")
    subprocess.run([os.path.join(HERE, "..", "data", "rpslgen.py"), "--objects", "2000", "--seed", "77",
                    "--personal", "on", "--journal", "400", "--gaps", "--level", "1", "--out", path],
                   check=True, stderr=subprocess.DEVNULL)
    files = [path, os.path.join(folder, "made.nrtm.gz")]
    process = subprocess.Popen([program, "mirror", "0"] + files, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    return process, int(process.stdout.readline().split()[1]), files


def ask(port, query):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(query.encode() + b"\n")
        return b"".join(iter(lambda: connection.recv(1 << 16), b"")).decode("latin-1")


def compare(port, model, rnd):
    """One query. @return What is wrong, or None, and how many objects were found."""
    key = draw_key(rnd, model)
    flag = rnd.choice(6 * [""] + ["-x", "-l", "-L", "-m", "-M"])
    types = rnd.sample(TYPES, rnd.randint(1, 5)) if rnd.random() < 0.15 else []
    both_ways = rnd.random() < 0.1
    if not is_askable(key, flag):
        return None, 0
    options = ["-s RIPE-GRS -r", flag, "-d" if both_ways else "", "-T " + ",".join(types) if types else ""]
    query = " ".join(options + [key])
    wanted = model.search(key, flag, types, both_ways)
    answer = ask(port, query)
    found = re.findall(r"(?i)^% Information related to '(.*)'\n\n([a-z0-9-]+):", answer, re.M)
    found = [(object_type.lower(), text) for text, object_type in found]
    if found == (wanted or []) and (wanted is None) == ("%ERROR:115" in answer):
        return None, len(found)
    return f"{query}\n  wanted {wanted}\n  found  {found}", len(found)


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else "tests/query/serve"
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 32)
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 2000
    print("seed", seed)
    rnd, wrong, hits = random.Random(seed), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        process, port, (dump, journal) = start(program, folder)
        registry = oracle.Registry.read(dump)
        registry.apply(journal)
        model = Model(registry)
        for _ in range(count):
            difference, found = compare(port, model, rnd)
            hits += found > 0
            if difference:
                wrong += 1
                print(difference)
        process.stdin.close()
        process.wait()
    print(f"{count} queries, {hits} with objects, {wrong} wrong")
    return 1 if wrong or hits < count / 5 else 0


if __name__ == "__main__":
    sys.exit(main())
