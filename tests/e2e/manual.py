#!/usr/bin/python3
"""The manual pages and the README tell the truth: every example works, every option, command, flag and
message that the program has is explained, and nothing is explained that it has not.

Examples stand in literal blocks (``` in the README, .Bd -literal in a page):

    $ command        run in a whois root whose server mirrors the sample registry, by the real clients
    # command        root's: it installs, starts, stops, loads or restores something, and is not run
    > line           typed into the command above
    anything else    what the command prints: these lines, in this order, among others; ... stands for
                     any text. Where no output is shown the command prints an object, at least a line
                     that is no comment. An error message (%ERROR) has to be shown.

The clients are told the test's port and password instead of those that a reader would use."""

import json
import os
import re
import signal
import subprocess

import harness
from harness import PATIENCE, ROOT, SERIAL, SMALL, equal
from changes import Changes

PAGES = ["man/whoisd.8", "man/whois.properties.5", "man/whois-queries.7"]
DUMP = SMALL.dump  # The sample that quickstart loads.
TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(,\d+|Z)?")
CHANGES = 30  # Every fifth is of AS-TEST-NEST-L1.


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


# --- examples ---

class Example:
    def __init__(self, where, command):
        self.where = where
        self.command = command
        self.typed = []
        self.shown = []


def without_escapes(text):
    """The characters that a reader of the page sees."""
    for escape, plain in (("\\-", "-"), ("\\(aq", "'"), ("\\(dq", '"'), ("\\(ti", "~"),
                          ("\\(ha", "^"), ("\\&", ""), ("\\e", "\\")):
        text = text.replace(escape, plain)
    return text


def literal_lines(name):
    """Yield (place, line) of literal blocks; a None behind each block."""
    begin, end = (r"```$", r"```$") if name.endswith(".md") else (r"\.Bd -literal", r"\.Ed")
    inside = False
    for number, line in enumerate(read(name).splitlines(), 1):
        if re.match(end if inside else begin, line):
            inside = not inside
            yield None, None
        elif inside:
            yield "%s:%d" % (name, number), without_escapes(line)


def examples(name):
    found, current = [], None
    for where, line in literal_lines(name):
        if line is None or line.startswith("# "):
            current = None
        elif line.startswith("$ "):
            current = Example(where, line[2:])
            found.append(current)
        elif current is not None and line.startswith("> "):
            current.typed.append(line[2:])
        elif current is not None and line:
            current.shown.append(line)
    return found


class Reader:
    """Somebody who tries the examples in a whois root."""

    def __init__(self, lab):
        self.lab = lab
        self.home = os.path.join(lab.root, "home")
        os.mkdir(self.home)
        with open(lab.database.option_file, encoding="ascii") as options, \
                open(os.path.join(self.home, ".my.cnf"), "w", encoding="ascii") as copy:
            copy.write(options.read())
        os.symlink(os.path.join(ROOT, "etc/whois.init"), os.path.join(lab.root, "whois.init"))
        os.symlink(DUMP, os.path.join(lab.root, "ripe.db.gz"))
        with open(os.path.join(lab.root, "RIPE.CURRENTSERIAL"), "w", encoding="ascii") as file:
            file.write("%d\n" % SERIAL)

    def here(self, text):
        """Our port, upstream and password for those of the text."""
        upstream = self.lab.upstreams[0]
        text = re.sub(r"\b1043\b", str(self.lab.port), text)
        text = text.replace("whois.ripe.net:4444", "%s:%d" % (upstream.host, upstream.port))
        return re.sub(r"^(mysql\w*) -u\w+ -p ", r"\1 ", text)

    def run(self, example):
        """Exit code and output. Input stays open until the command ends, as a terminal's does."""
        environment = {**os.environ, "HOME": self.home, "WHOISD": harness.WHOISD,
                       "WHOIS_ROOT": self.lab.root,
                       "PATH": os.path.dirname(harness.WHOISD) + ":" + os.environ["PATH"]}
        process = subprocess.Popen(["bash", "-o", "pipefail", "-c", self.here(example.command)], cwd=self.lab.root,
                                   env=environment, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   start_new_session=True)
        typed = "".join(self.here(line) + "\n" for line in example.typed).encode()
        if example.command.startswith("telnet "):
            process.stdin.write(typed)
            process.stdin.flush()
            output = process.stdout.read()
            process.stdin.close()
            process.wait(PATIENCE)
            return 0, output.decode("latin-1")  # Its exit code says that the server closed.
        try:
            output, _ = process.communicate(typed, PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return "none: it does not end", ""
        return process.returncode, output.decode("latin-1")

    def judge(self, example):
        """@return What is wrong with it; None: nothing."""
        code, output = self.run(example)
        if code:
            return "exit code %s" % code, output
        at = 0
        for line in example.shown:
            pattern = ".*".join(re.escape(part)
                                for part in TIME.sub("TIME", self.here(line).rstrip()).split("..."))
            found = re.compile("^%s *$" % pattern, re.MULTILINE).search(TIME.sub("TIME", output), at)
            if line != "..." and found is None:
                return "does not print %r" % line, output
            at = found.end() if line != "..." else at
        if "%ERROR" in output and not any("%ERROR" in line for line in example.shown):
            return "an error message", output
        target = re.search(r" > (\S+)$", example.command)
        if target:
            written = os.path.join(self.lab.root, target[1])
            return (None if os.path.getsize(written) else target[1] + " is empty"), output
        if not example.shown and not re.search(r"^[^%\s]", output, re.MULTILINE):
            return "prints no object", output
        return None, output


def test_examples_work(lab):
    changes = Changes(DUMP, 1)
    journal = harness.Journal()
    journal.last = SERIAL
    journal.append([changes.next_change() for _ in range(CHANGES)])
    journal.publish(SERIAL + CHANGES)
    lab.upstream(journal)
    lab.options["acl.database.url"] = \
        "jdbc:mariadb://localhost/ACL_LOCAL?localSocket=" + lab.database.socket
    lab.load(DUMP)
    lab.start()
    lab.wait_for_serial(SERIAL + CHANGES)
    lab.wait_for("the tables of access control", lambda: lab.database.sql(
        "SELECT 1 FROM information_schema.tables WHERE table_schema = 'ACL_LOCAL' AND "
        "table_name = 'acl_personal'", ""))
    reader = Reader(lab)
    wrong, count = [], 0
    for name in ["README.md"] + PAGES:
        found = examples(name)
        if not found:
            wrong.append("%s has no example" % name)
        for example in found:
            problem, output = reader.judge(example)
            count += 1
            if problem is not None:
                wrong.append("%s: %s: %s; it prints:\n%.1500s" %
                             (example.where, example.command, problem, output))
    print("%d examples" % count)
    if wrong:
        raise AssertionError("%d examples do not work:\n%s" % (len(wrong), "\n".join(wrong)))
    lab.stop()


# --- what the pages have to explain ---

def items(page, section):
    """The .It lines below a heading, up to the next of its rank."""
    lines = read(page).splitlines()
    at = next(i for i, line in enumerate(lines) if re.match(r"\.S[hs] %s$" % section, line))
    rank = lines[at][:3]
    for line in lines[at + 1:]:
        if line.startswith(".Sh") or line.startswith(rank):
            return
        if line.startswith(".It"):
            yield line[4:]


def words(page, section, pattern):
    return {word for line in items(page, section) for word in re.findall(pattern, line)}


def same(explained, there, what):
    equal((sorted(there - explained), sorted(explained - there)), ([], []),
          "%s that are not explained, and explained ones that there are not" % what)


def sources(pattern):
    """What the program's own text says."""
    found = set()
    for folder, _, names in os.walk(os.path.join(ROOT, "src")):
        for name in names:
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                found |= {match for match in re.findall(pattern, file.read())}
    return found


def properties(text, pattern):
    """Keys and values; a mirror's key with a star for its name."""
    return [(re.sub(r"^(#?nrtm\.import)\.RIPE-GRS\.", r"\1.*.", key), value.strip())
            for key, value in re.findall(pattern, text, re.MULTILINE)]


def defaults_of_page():
    """What the page says of each key: its default, "" when it names none."""
    found = {}
    for line in items("man/whois.properties.5", "KEYS"):
        match = re.match(r"Ic (\S+) Pq \w+(?:, default (\S+?))?(?:, re-read)?$", line)
        if match:
            found[match[1]] = match[2] or ""
    return found


def test_every_key_is_explained(lab):
    """By the page and by the sample file, with its default; and these know no others."""
    _, text = lab.whoisd("--check-config")
    defaults = {}
    for key, value in properties(text, r"^([a-z][\w.*]+)=(.*)$"):
        defaults.setdefault(key, set()).add(value)
    rows = set()
    for table in sources(r"(?s)struct conf_key \w+\[\] = \{(.*?)\n\};"):
        rows |= set(re.findall(r'^ +\{"([^"]+)"', table, re.MULTILINE))
    same(set(defaults), rows, "keys in tables of the source and of --check-config, ")
    page = defaults_of_page()
    same(set(page), set(defaults), "keys")
    for key, value in page.items():
        equal(value in defaults[key], True, "%s: default %r of the page in %r" %
              (key, value, defaults[key]))
    ignored = words("man/whois.properties.5", "Keys without effect", r"^Ic (\S+)$")
    code = sources(r"(?s)ignored_keys\[\] = \{(.*?)\};")
    there = set(re.findall(r'"([^"]+)"', "".join(code))) | sources(r'conf_ignore\(\w+, "([^"]+)"\)')
    same(ignored, there, "keys without effect")
    known = sources(r'(?m)^    \{"([A-Z0-9-]+)", (?:"[\w.-]+"|NULL), \d+, CHARSET')
    listed = re.search(r"(?s)\.Ss Mirrors.*?\.Bd -filled -offset indent\n(.*?)\.\n\.Ed",
                       read("man/whois.properties.5"))[1]
    same(set(re.split(r",\s+", listed)), known, "known registries")
    sample = properties(read("etc/whois.properties.example"), r"^(#?[a-z][\w.*-]+)=(.*)$")
    same({key.lstrip("#") for key, _ in sample if key.lstrip("#") not in there}, set(defaults),
         "keys in the sample file")
    for key, value in properties(read("etc/whois.properties.example"), r"^#([a-z][\w.*-]+)=(.*)$"):
        if page.get(key):
            equal(value in defaults[key], True, "%s: default %r of the sample file in %r" %
                  (key, value, defaults[key]))


def test_every_command_is_explained(lab):
    page = "man/whoisd.8"
    _, text = lab.whoisd("--help")
    same(words(page, "DESCRIPTION", r"\bFl -([a-z-]+)"),
         set(re.findall(r"--([a-z-]+)", text)), "options")
    script = re.findall(r"^#   whois\.init (\w+)", read("etc/whois.init"), re.MULTILINE)
    same(words(page, "whois.init", r"^Cm (\w+)"), set(script), "commands of whois.init")
    same(words(page, "LOG", r"^Li (\w+)$"), sources(r'#define LOG_\w+ +"(\w+)"'), "labels of the log")


def test_every_row_of_the_status_is_explained(lab):
    """Groups by their name; a mirror whose upstream is away tells as much as any."""
    for key, value in (("source", "RIPE"), ("host", "127.0.0.1"), ("port", harness.free_port())):
        lab.options["nrtm.import.RIPE-GRS." + key] = value
    lab.load()
    lab.start()
    code, text = lab.whoisd("--status", "--json", check=False)
    status = json.loads(text)
    there = set(status) | {key for source in status["sources"] for key in source}
    page = "man/whoisd.8"
    equal(any(source["followed"] for source in status["sources"]), True, "a mirror in %r" % code)
    same(words(page, "STATUS FOR PROGRAMS", r"(?:^Ic|,) (\w+)") | {"sources"}, there,
         "members of the status")
    lab.stop()


def test_every_part_of_the_language_is_explained(lab):
    page = "man/whois-queries.7"
    lab.start()
    client = lab.client()
    flags = set(re.findall(r"(?m)(?:^%     |, )(-[\w-]+)", client.ask("help").decode()))
    same({"-" + word for word in words(page, "FLAGS", r"\bFl (-?[A-Za-z][a-z-]*)")}, flags, "flags")
    types = client.ask("--types").decode().split("\n\n")[0].split("\n")
    names, inverse = set(), set()
    for name in types:
        text = client.ask("-v " + name).decode()
        shorts = dict(re.findall(r"(?s)\n([\w-]+)\n\n   \S.*?Short\s+name:\s+(\w+)\.", text))
        names.add("%s %s" % (name, re.search(r"short name (\w+)", text)[1]))
        inverse |= {"%s %s" % (attribute, shorts[attribute]) for attribute in
                    re.findall(r"(?m)^([\w-]+):.*inverse key\]$", text)}
    same(words(page, "TYPES", r"^Ic ([\w-]+ Pq \w+)"), {name.replace(" ", " Pq ") for name in names},
         "types")
    same(words(page, "INVERSE QUERIES", r"^Ic ([\w-]+ Pq \w+)"),
         {name.replace(" ", " Pq ") for name in inverse}, "inverse attributes")
    same(words(page, "ERRORS", r"^(\d+)$"), sources(r"%(?:ERROR|WARNING):(\d+)"), "errors")
    lab.stop()


harness.main(__name__)
