"""What the end-to-end scenarios share: a private MariaDB, whois roots, clients, waiting.

A scenario is a program: functions named test_* that take a Lab, and `harness.main(__name__)` at the end.
Every test gets a Lab of its own: a fresh whois root and an empty database server, which all tests of the
program share. Nothing sleeps for luck: tests wait for log lines, answers and SQL values.

    WHOISD       the binary (build/whoisd or whoisd of the tree otherwise)
    E2E_LONG     set: the long form of a scenario
    E2E_SOAK     set: its full form, which takes minutes; implies the long one
    E2E_SEED     of the random choices; printed
    E2E_PATIENCE seconds to wait for something that should happen, 120
    E2E_KEEP     set: keep the temporary directory of a failed run
"""

import atexit
import json
import os
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import namedtuple
from contextlib import contextmanager

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def run_user():
    """The account for servers that root starts."""
    for name in ("whoisd", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    return "nobody"


def readable_data():
    """The folder of the dumps. The server's account may not be able to read a clone under root's home:
    then a copy, for as long as this program runs."""
    folder = os.path.join(ROOT, "tests", "data")
    if os.geteuid() != 0 or subprocess.run(
            ["runuser", "-u", run_user(), "--", "test", "-r", folder + "/ripe-small.db.gz"],
            check=False).returncode == 0:
        return folder
    copy = tempfile.mkdtemp(prefix="whoisd-data-")
    atexit.register(shutil.rmtree, copy)
    os.chmod(copy, 0o755)
    for name in os.listdir(folder):
        if name.startswith("ripe-"):
            shutil.copy(os.path.join(folder, name), copy)
    return copy


DATA = readable_data()
SERIAL = 70000000  # Of every dump.
DATABASE = "WHOIS_MIRROR_RIPE_GRS"
Sample = namedtuple("Sample", "dump journal final last")


def sample(name, last):
    path = os.path.join(DATA, name)
    return Sample(path + ".db.gz", path + ".nrtm.gz", path + ".final.db.gz", last)


SMALL = sample("ripe-small", SERIAL + 4000)  # 20,000 objects: long answers.
TINY = sample("ripe-tiny", SERIAL + 600)  # 2,000 objects, all that most tests need.

sys.path.insert(0, os.path.join(ROOT, "tests", "upstream"))
from upstream import Journal, Upstream  # noqa: E402

IS_SOAK = bool(os.environ.get("E2E_SOAK"))
IS_LONG = IS_SOAK or bool(os.environ.get("E2E_LONG"))
SEED = int(os.environ.get("E2E_SEED") or random.randrange(1 << 32))
# Slow builds (sanitizers) and loaded machines need time; a wait that succeeds costs none of it.
PATIENCE = int(os.environ.get("E2E_PATIENCE") or 120)
DUMP, JOURNAL, FINAL, LAST = SMALL if IS_LONG else TINY


def find_binary():
    for path in (os.environ.get("WHOISD"), ROOT + "/build/whoisd", ROOT + "/whoisd"):
        if path and os.access(path, os.X_OK):
            return os.path.abspath(path)
    sys.exit("no whoisd: set WHOISD")


WHOISD = find_binary()


def wait_for(what, condition, seconds=PATIENCE):
    """Ask again and again until the condition holds; return what it returned."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("waited %d s for %s" % (seconds, what))
        time.sleep(0.01)


def has_ended(pid):
    """Gone, or a zombie that nobody has asked for yet."""
    try:
        with open("/proc/%d/stat" % pid, encoding="latin-1") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def long_only(test):
    """A test of the long form."""
    test.is_left_out = not IS_LONG
    return test


def soak_only(test):
    """A test of the full form: it has to wait for minutes."""
    test.is_left_out = not IS_SOAK
    return test


def equal(got, expected, what):
    if got != expected:
        raise AssertionError("%s: got %.2000r, expected %.2000r" % (what, got, expected))


def free_port():
    """Below those that the kernel hands out to connections: free it stays while a server restarts.
    Programs that run side by side with one seed shall not choose the same."""
    while True:
        port = random.SystemRandom().randrange(10240, 32768)
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue


def states_of(pid):
    """What the threads of a process do, a letter for each."""
    states = set()
    for task in os.listdir("/proc/%d/task" % pid):
        try:
            with open("/proc/%d/task/%s/stat" % (pid, task), encoding="latin-1") as file:
                states.add(file.read().rpartition(")")[2].split()[0])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return states


class Session:
    """A connection to a database server, through its client program. An error ends it."""

    END = "-- end of the rows --"

    def __init__(self, option_file):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            ["mysql", "--defaults-file=" + option_file, "-N", "-B", "-n", "--skip-reconnect",
             "--max-allowed-packet=64M"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors)

    def sql(self, statement, database=DATABASE):
        """Rows of strings; binary columns are best asked for as HEX()."""
        use = "USE `%s`;\n" % database if database else ""
        text = "%s%s;\nSELECT '%s';\n" % (use, statement, self.END)
        rows = []
        try:
            self.process.stdin.write(text.encode())
            self.process.stdin.flush()
            for line in self.process.stdout:
                line = line.decode("latin-1").rstrip("\n")
                if line == self.END:
                    return rows
                rows.append(line.split("\t"))
        except BrokenPipeError:
            pass
        self.close()
        self.errors.seek(0)
        raise AssertionError("%s: %s" % (statement, self.errors.read().decode()))

    def is_open(self):
        return self.process.poll() is None

    def close(self):
        """A transaction that is open is rolled back."""
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.stdout.close()
        self.process.wait()


class Database:
    """The private MariaDB of a test program."""

    def __init__(self, directory):
        self.directory = directory
        self.session = None
        self.control("start")
        self.option_file = os.path.join(directory, "dbint.cnf")
        with open(self.option_file, encoding="ascii") as file:
            settings = dict(line.strip().split("=", 1) for line in file if "=" in line)
        self.socket = settings["socket"]
        self.password = settings["password"]

    def control(self, command):
        if self.session is not None:
            self.session.close()
            self.session = None
        subprocess.run([ROOT + "/etc/private-mariadb.sh", command, "--dir", self.directory],
                       check=True, stdout=subprocess.DEVNULL)

    def pid(self):
        with open(os.path.join(self.directory, "mysqld.pid"), encoding="ascii") as file:
            return int(file.read())

    @contextmanager
    def hanging(self):
        """Stopped by a signal, with all of its threads: connections stay, nobody answers."""
        pid = self.pid()
        os.kill(pid, signal.SIGSTOP)
        try:
            wait_for("the database to stop", lambda: states_of(pid) == {"T"})
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def kill(self):
        """No farewell: what was not committed is lost, what was is recovered by the next start."""
        if self.session is not None:
            self.session.close()
            self.session = None
        pid = self.pid()
        os.kill(pid, signal.SIGKILL)
        wait_for("the end of the database", lambda: has_ended(pid))

    def has_unread_request(self):
        """Of a server that hangs: somebody waits for it."""
        sockets = subprocess.run(["ss", "-xH", "state", "connected", "src", self.socket], check=True,
                                 stdout=subprocess.PIPE).stdout.decode()
        return any(line.split()[2] != "0" for line in sockets.splitlines())

    def waits_for_a_table(self):
        """Somebody wants to change one that another transaction has read."""
        return any(state.startswith("Waiting for table metadata lock") for (state,) in
                   self.sql("SELECT IFNULL(state, '') FROM information_schema.processlist", ""))

    def sql(self, statement, database=DATABASE):
        """As Session.sql(), in a session that is kept for the next one."""
        if self.session is None or not self.session.is_open():
            self.session = Session(self.option_file)
        return self.session.sql(statement, database)

    def value(self, statement, database=DATABASE):
        rows = self.sql(statement, database)
        return rows[0][0] if rows else None

    def max_serial(self, database=DATABASE):
        return int(self.value("SELECT COALESCE(MAX(serial_id), 0) FROM serials", database))

    def drop_all(self):
        names = self.sql("SHOW DATABASES", "")
        for (name,) in names:
            if name not in ("information_schema", "mysql", "performance_schema", "sys"):
                self.sql("DROP DATABASE `%s`" % name, "")


class Whois:
    """A client with a persistent connection."""

    def __init__(self, port, timeout=PATIENCE):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.buffer = b""
        self.banner = b"\n\n\n" + self.read_to(b"\n\n")
        self.sock.sendall(b"-k\n")
        self.read_to(self.banner)

    def read_to(self, end):
        while end not in self.buffer:
            data = self.sock.recv(1 << 20)
            if not data:
                raise EOFError("the server closed; read: %.300r" % self.buffer)
            self.buffer += data
        at = self.buffer.index(end) + len(end)
        found, self.buffer = self.buffer[:at], self.buffer[at:]
        return found

    def answers(self, lines, window=64):
        """Yield the answer to each line, in order, with some of them on their way at a time."""
        waiting = 0
        for line in lines:
            self.sock.sendall(line.encode() + b"\n")
            waiting += 1
            if waiting == window:
                yield self.read_to(self.banner)
                waiting -= 1
        for _ in range(waiting):
            yield self.read_to(self.banner)

    def ask(self, line):
        return next(self.answers([line]))

    def close(self):
        self.sock.close()


def blocks(answer):
    """The objects of an answer: paragraphs that are not comments."""
    return [block for block in re.split(rb"\n\n+", answer.strip(b"\n"))
            if block and not block.startswith(b"%")]


def ask_once(port, line, half_close=False):
    """One connection, one line, everything until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
        sock.sendall(line if isinstance(line, bytes) else line.encode() + b"\n")
        if half_close:
            sock.shutdown(socket.SHUT_WR)
        answer = b""
        while True:
            data = sock.recv(1 << 20)
            if not data:
                return answer
            answer += data


class Prober(threading.Thread):
    """A client that asks one question all the time, on a new connection each time, while the server is
    meant to answer: from the end of Lab.start() to the next stop or kill."""

    PAUSE_S = 0.02

    def __init__(self, port, line, expected):
        super().__init__(daemon=True)
        self.port, self.line, self.expected = port, line, expected
        self.turn = threading.Lock()  # Held during a question: whoever stops the server waits for it.
        self.is_on = False
        self.is_over = threading.Event()
        self.answers = 0
        self.slowest_ms = 0
        self.failures = []

    def run(self):
        while not self.is_over.wait(self.PAUSE_S):
            with self.turn:
                if self.is_on:
                    self.ask()

    def ask(self):
        begin = time.monotonic()
        try:
            answer = ask_once(self.port, self.line)
        except OSError as error:
            self.failures.append(str(error))
            return
        self.slowest_ms = max(self.slowest_ms, (time.monotonic() - begin) * 1000)
        if self.expected in answer:
            self.answers += 1
        else:
            self.failures.append("answer %.300r" % answer)

    def switch(self, is_on):
        with self.turn:
            self.is_on = is_on

    def end(self):
        self.is_over.set()
        self.join()


class Lab:
    """A whois root with its server, in a directory of its own."""

    def __init__(self, database, directory, name="root"):
        self.database = database
        self.root = os.path.join(directory, name)
        self.var = os.path.join(self.root, "var")
        os.mkdir(self.root)
        os.chmod(self.root, 0o755)
        self.port = free_port()
        self.upstreams = []
        self.process = None
        self.prober = None
        self.log_from = 0
        self.preface = ""  # Of the properties, in front of the options.
        self.options = {
            "whois.source": "LOCAL",
            "port.query": self.port,
            "query.bind": "127.0.0.1",
            "whois.db.master.url": "jdbc:mariadb://localhost/LOCAL?localSocket=" + database.socket,
            "whois.db.master.username": "dbint",
            "whois.db.master.password": database.password,
            "whois.db.grs.master.baseurl":
                "jdbc:mariadb://localhost/WHOIS_MIRROR?localSocket=" + database.socket,
            "nrtm.enabled": "false",
            "nrtm.import.enabled": "true",
            "nrtm.import.sources": "RIPE-GRS",
        }
        if os.geteuid() == 0:
            self.options["run.user"] = run_user()

    # --- the upstream ---

    def upstream(self, journal=JOURNAL, last=None, name="RIPE-GRS", **more):
        """Start one for a mirror, publishing up to `last`; the server is told by properties."""
        recorded = journal if isinstance(journal, Journal) else Journal.read(journal)
        if last is not None:
            recorded.last = last
        upstream = Upstream(recorded, **more)
        upstream.patience = PATIENCE
        self.upstreams.append(upstream)
        prefix = "nrtm.import.%s." % name
        self.options[prefix + "source"] = recorded.source
        self.options[prefix + "host"] = upstream.host
        self.options[prefix + "port"] = upstream.port
        return upstream

    # --- the server ---

    def write_properties(self):
        """Replaced in one step: a server may be reading it."""
        path = os.path.join(self.root, "properties")
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(self.preface)
            for key, value in self.options.items():
                file.write("%s=%s\n" % (key, value))
        os.chmod(path + ".new", 0o644)
        os.rename(path + ".new", path)

    def whoisd_as(self, user, *arguments):
        """As whoisd(), by another account; the server's files stay as they are."""
        done = subprocess.run([WHOISD, "--config", os.path.join(self.root, "properties"), *arguments],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, user=user,
                              group=pwd.getpwnam(user).pw_gid, extra_groups=[])
        return done.returncode, done.stdout.decode("latin-1")

    def whoisd(self, *arguments, check=True, env=None, cwd=None):
        """Run a command to its end; return (exit code, output)."""
        self.write_properties()
        done = subprocess.run([WHOISD, "--config", os.path.join(self.root, "properties"), *arguments],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=2 * PATIENCE,
                              env={**os.environ, **(env or {})}, check=False, cwd=cwd)
        output = done.stdout.decode("latin-1")
        if check and done.returncode:
            raise AssertionError("whoisd %s: exit %d: %s" % (" ".join(arguments), done.returncode,
                                                            output))
        return done.returncode, output

    def init(self, *arguments, check=True, user=None):
        """whois.init; return (exit code, output)."""
        self.write_properties()
        done = subprocess.run([ROOT + "/etc/whois.init", *arguments], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False, cwd=self.root, user=user,
                              env={**os.environ, "WHOIS_ROOT": self.root, "WHOISD": WHOISD})
        output = done.stdout.decode("latin-1")
        if check and done.returncode:
            raise AssertionError("whois.init %s: exit %d: %s" % (" ".join(arguments),
                                                                done.returncode, output))
        return done.returncode, output

    def load(self, dump=DUMP, source="RIPE-GRS", serial=SERIAL, *more):
        return self.whoisd("--load", source, dump, "--serial", str(serial), *more)[1]

    def start(self, wait=True, **env):
        """Start the server in the foreground; wait until its sources answer."""
        self.write_properties()
        self.log_from = self.log_size()
        output = open(os.path.join(self.root, "output"), "ab")
        self.process = subprocess.Popen(
            [WHOISD, "--config", os.path.join(self.root, "properties")], stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **env})
        output.close()
        if wait:
            wait_for("the control socket", lambda: not self.is_alive() or self.is_listening())
            code, text = self.whoisd("--wait-ready", str(PATIENCE), check=False)
            if code:
                raise AssertionError("not ready: %s\n%s" % (text, self.tail()))
            self.switch_prober(True)

    def is_listening(self):
        """Whether this server takes commands; a killed one leaves its socket behind."""
        return self.whoisd("--status", check=False)[0] in (0, 150)

    def stop(self):
        """End cleanly; the exit code has to be 0."""
        self.switch_prober(False)
        self.process.send_signal(signal.SIGTERM)
        code = self.wait_for_end()
        equal(code, 0, "exit code of a stopped server (%s)" % self.tail())

    def kill(self):
        self.switch_prober(False)
        self.process.kill()
        return self.wait_for_end()

    def probe(self, line, expected):
        """From the next start() on, somebody asks this all the time; the test fails when an answer
        is missing or wrong."""
        self.prober = Prober(self.port, line, expected)
        self.prober.start()

    def switch_prober(self, is_on):
        if self.prober:
            self.prober.switch(is_on)

    def expect_answers_throughout(self):
        if self.prober:
            self.prober.end()
            equal(self.prober.failures, [], "questions that failed, of %d" % self.prober.answers)
            equal(self.prober.answers > 0, True, "somebody was answered")
            print("      %d answers meanwhile, the slowest took %d ms"
                  % (self.prober.answers, self.prober.slowest_ms))

    def wait_for_end(self):
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError("the server does not end\n" + self.tail()) from None
        self.process = None
        return code

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def close(self):
        if self.prober:
            self.prober.end()
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        for upstream in self.upstreams:
            upstream.close()

    # --- the log ---

    def console(self):
        return os.path.join(self.var, "console.log")

    def checkpoint(self, source="RIPE-GRS"):
        return os.path.join(self.var, "checkpoint", source + ".img")

    def log_size(self):
        try:
            return os.path.getsize(self.console())
        except FileNotFoundError:
            return 0

    def log(self, start=None):
        """What the log says since the last start()."""
        try:
            with open(self.console(), "rb") as file:
                file.seek(self.log_from if start is None else start)
                return file.read().decode("latin-1")
        except FileNotFoundError:
            return ""

    def tail(self):
        text = self.log().splitlines()[-25:]
        with open(os.path.join(self.root, "output"), "rb") as file:
            text += file.read().decode("latin-1").splitlines()[-40:]
        return "\n".join(text)

    def wait_for(self, what, condition, seconds=PATIENCE):
        """As wait_for(); a failure shows the log and what the upstreams saw."""
        try:
            return wait_for(what, condition, seconds)
        except AssertionError as error:
            events = ["\n".join(upstream.events[-15:]) for upstream in self.upstreams]
            raise AssertionError("%s\n%s\n%s" % (error, self.tail(), "\n".join(events))) from None

    def wait_for_log(self, pattern, seconds=PATIENCE, start=None):
        return self.wait_for("log line /%s/" % pattern,
                             lambda: re.search(pattern, self.log(start)), seconds)

    # --- asking ---

    def status(self, source="RIPE-GRS"):
        """What `whoisd --status --json` says of a source; its exit code has to fit."""
        code, text = self.whoisd("--status", "--json", check=False)
        status = json.loads(text)
        equal(code, 150 if status["degraded"] else 0, "exit code of the status")
        return next(entry for entry in status["sources"] if entry["source"] == source)

    def client(self):
        return Whois(self.port)

    def ask(self, line, **more):
        return ask_once(self.port, line, **more)

    def wait_for_serial(self, serial, database=DATABASE, seconds=PATIENCE):
        """Until the serial is committed, and answered from: a moment passes in between."""
        self.wait_for("serial %d in %s" % (serial, database),
                      lambda: self.database.max_serial(database) >= serial or not self.is_alive(),
                      seconds)
        equal(self.database.max_serial(database), serial, "max(serial_id); " + self.tail())
        source = database.removeprefix("WHOIS_MIRROR_").replace("_", "-")
        self.wait_for("answers at serial %d of %s" % (serial, source),
                      lambda: self.status(source)["checksum_serial"] >= serial, seconds)


def run_tests(module):
    """Run the test functions of a module; those named on the command line, otherwise all."""
    names = sys.argv[1:] or [
        name for name, test in vars(module).items()
        if name.startswith("test_") and not getattr(test, "is_left_out", False)]
    print("seed %d" % SEED)
    directory = tempfile.mkdtemp(prefix="whoisd-e2e-")
    os.chmod(directory, 0o755)
    passed, failed = 0, []
    database = Database(os.path.join(directory, "mariadb"))
    try:
        for number, name in enumerate(names):
            database.drop_all()
            lab = Lab(database, directory, "root%d" % number)
            random.seed("%d %s" % (SEED, name))  # Alone or among others: the same choices.
            begin = time.monotonic()
            try:
                getattr(module, name)(lab)
                lab.expect_answers_throughout()
                passed += 1
                print("ok    %s (%.1f s)" % (name, time.monotonic() - begin), flush=True)
            except Exception:
                failed.append(name)
                print("FAIL  %s (seed %d)\n%s" % (name, SEED, traceback.format_exc()), flush=True)
            finally:
                lab.close()
    finally:
        database.control("stop")
        if failed and os.environ.get("E2E_KEEP"):
            print("kept: " + directory)
        else:
            shutil.rmtree(directory, ignore_errors=True)
    print("%d passed, %d failed" % (passed, len(failed)))
    return 1 if failed else 0


def main(name):
    if name == "__main__":
        sys.exit(run_tests(sys.modules["__main__"]))
