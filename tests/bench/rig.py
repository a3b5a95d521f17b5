"""The bench's private world: a MariaDB server and a whoisd of its own, and an NRTM upstream."""

import contextlib
import os
import pwd
import re
import signal
import socket
import subprocess
import threading
import time

SOURCE, UPSTREAM = "RIPE-GRS", "RIPE"
DATABASE = "WHOIS_MIRROR_RIPE_GRS"
SHOWN_VARIABLES = ("version", "innodb_flush_log_at_trx_commit", "sync_binlog", "log_bin",
                   "innodb_buffer_pool_size", "innodb_doublewrite", "innodb_log_file_size")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(*command):
    """Run a program to its end. @return Its output. A failure raises with both outputs shown."""
    done = subprocess.run([str(word) for word in command], text=True, errors="replace",
                          capture_output=True)
    if done.returncode != 0:
        raise RuntimeError("%s: exit %d\n%s%s" % (" ".join(map(str, command)), done.returncode,
                                                  done.stdout[-2000:], done.stderr[-2000:]))
    return done.stdout


def pairs_of(line):
    """`a=1 b=2.5` as a dictionary of numbers."""
    return {name: float(value) for name, value in re.findall(r"(\w+)=([0-9.]+)", line)}


def wait_for(what, true, timeout, every=0.01):
    """Ask until true() says so. @return Seconds it took."""
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > timeout:
            raise RuntimeError("%s: not within %d s" % (what, timeout))
        time.sleep(every)
    return time.monotonic() - began


class MariaDb:
    """A private server with default durability, through etc/private-mariadb.sh."""

    def __init__(self, root, directory, buffer_pool_mb):
        self.script = [os.path.join(root, "etc", "private-mariadb.sh")]
        self.options = ["--dir", directory, "--buffer-pool", "%dM" % buffer_pool_mb]
        run("bash", *self.script, "start", *self.options)
        self.client = {}
        for line in run("bash", *self.script, "env", *self.options).splitlines():
            name, value = line.split("=", 1)
            self.client[name] = value
        self.cnf, self.socket = self.client["db_cnf"], self.client["db_socket"]

    def sql(self, statement):
        """@return Rows as lists of text."""
        out = run("mariadb", "--defaults-file=" + self.cnf, "-N", "-B", "-e", statement)
        return [line.split("\t") for line in out.splitlines()]

    def variables(self):
        rows = self.sql("SHOW GLOBAL VARIABLES WHERE Variable_name IN (%s)"
                        % ", ".join("'%s'" % name for name in SHOWN_VARIABLES))
        return dict(rows)

    def drop(self, *databases):
        for database in databases:
            self.sql("DROP DATABASE IF EXISTS " + database)

    def table_mb(self, database, table):
        self.sql("ANALYZE TABLE %s.%s" % (database, table))
        return float(self.sql("SELECT (data_length + index_length) / 1e6 FROM information_schema"
                              ".tables WHERE table_schema = '%s' AND table_name = '%s'"
                              % (database, table))[0][0])

    def resize_pool(self, megabytes):
        """Give the buffer pool another size while the server runs. @return Megabytes it got."""
        self.sql("SET GLOBAL innodb_buffer_pool_size = %d" % (megabytes * 1e6))
        wait_for("the buffer pool's new size", lambda: not self.sql(
            "SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_resize_status'")[0][1]
            or "ompleted" in self.sql(
                "SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_resize_status'")[0][1], 600, 0.2)
        return float(self.sql("SELECT @@innodb_buffer_pool_size")[0][0]) / 1e6

    def settle(self):
        """Have what earlier measurements left dirty written out: none pays for another."""
        hurry = {"innodb_max_dirty_pages_pct": "0", "innodb_io_capacity_max": "40000",
                 "innodb_io_capacity": "20000"}
        usual = {name: self.sql("SELECT @@" + name)[0][0] for name in hurry}
        self._set_globals(hurry)
        try:
            wait_for("clean buffer pool", lambda: int(self.sql(
                "SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_pages_dirty'")[0][1]) < 200, 300, 0.2)
        finally:
            self._set_globals(dict(reversed(usual.items())))

    def _set_globals(self, values):
        for name, value in values.items():
            self.sql("SET GLOBAL %s = %s" % (name, value))

    def stop(self):
        run("bash", *self.script, "stop", *self.options)


class Whoisd:
    """The server under test, in a whois root of its own."""

    def __init__(self, binary, root, database, upstream_port):
        self.binary, self.root = os.path.abspath(binary), root
        self.port = free_port()
        self.process = None
        self.checkpoint = os.path.join(root, "var", "checkpoint", SOURCE + ".img")
        self.console = os.path.join(root, "var", "console.log")
        self.console_from = 0
        os.makedirs(os.path.join(root, "var"), exist_ok=True)
        url = "jdbc:mariadb://localhost/%%s?localSocket=%s" % database.socket
        user, password = database.client["db_user"], database.client["db_password"]
        settings = {
            "whois.source": "LOCAL",
            "whois.nonauth.source": "",
            "port.query": self.port,
            "port.nrtm": 0,
            "nrtm.enabled": "false",
            "whois.db.master.url": url % "WHOIS_LOCAL",
            "whois.db.master.username": user,
            "whois.db.master.password": password,
            "whois.db.grs.master.baseurl": url % "WHOIS_MIRROR",
            "nrtm.import.enabled": "true",
            "nrtm.import.sources": SOURCE,
            "nrtm.import.%s.source" % SOURCE: UPSTREAM,
            "nrtm.import.%s.host" % SOURCE: "127.0.0.1",
            "nrtm.import.%s.port" % SOURCE: upstream_port,
            "nrtm.import.%s.charset" % SOURCE: "latin1",
            "mirror.lag.error": 30 * 86400,     # A kept database gives the answers of a fresh one.
        }
        if os.geteuid() == 0:
            # It exists, and can reach the database's socket.
            settings["run.user"] = pwd.getpwuid(os.stat(database.socket).st_uid).pw_name
        with open(os.path.join(root, "properties"), "w", encoding="ascii") as file:
            file.writelines("%s=%s\n" % item for item in settings.items())

    @property
    def pid(self):
        return self.process.pid

    def drop_checkpoint(self):
        """Have the next start read the database."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.checkpoint)

    def used_checkpoint(self):
        """Whether this start read the checkpoint."""
        with open(self.console, encoding="utf-8") as file:
            file.seek(self.console_from)
            return SOURCE + ": index read from checkpoint" in file.read()

    def start(self):
        with contextlib.suppress(FileNotFoundError):
            self.console_from = os.path.getsize(self.console)
        with open(os.path.join(self.root, "output.log"), "ab") as output:
            self.process = subprocess.Popen([self.binary, "--config", "properties"], cwd=self.root,
                                            stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    def is_listening(self):
        self.check_alive()
        try:
            socket.create_connection(("127.0.0.1", self.port), 5).close()
        except ConnectionRefusedError:
            return False
        return True

    def check_alive(self):
        if self.process.poll() is not None:
            raise RuntimeError("whoisd ended with %s: see %s"
                               % (self.process.returncode, self.root))

    def stop(self):
        """@return Seconds until it had ended."""
        began = time.monotonic()
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(120)
            self.process = None
        return time.monotonic() - began

    def load_command(self, dump, serial):
        """The operator's command, carried out by the running server. @return Its process."""
        return subprocess.Popen([self.binary, "--config", "properties", "--load", SOURCE,
                                 os.path.abspath(dump), "--serial", str(serial)], cwd=self.root,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)

    def answers(self, query, line):
        """Whether the query's answer holds the line; False while it refuses or is loading."""
        self.check_alive()
        try:
            return line in ask(self.port, query).split("\n")
        except (ConnectionRefusedError, ConnectionResetError):
            return False

    def memory_mb(self, field):
        """VmRSS or VmHWM in megabytes (10^6), as the kernel counts them."""
        with open("/proc/%d/status" % self.pid, encoding="ascii") as file:
            kilobytes = re.search(r"^%s:\s+(\d+) kB" % field, file.read(), re.M)
        return int(kilobytes[1]) * 1024 / 1e6

    def memory_reset_peak(self):
        with open("/proc/%d/clear_refs" % self.pid, "w", encoding="ascii") as file:
            file.write("5")


def ask(port, query):
    """One query on a connection of its own. @return The answer, Latin-1."""
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        connection.sendall(query.encode("latin-1") + b"\n")
        answer = b""
        while part := connection.recv(1 << 16):
            answer += part
    return answer.decode("latin-1")


class Session:
    """A connection that stays open (`-k`)."""

    def __init__(self, port):
        self.connection = socket.create_connection(("127.0.0.1", port), 60)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tail = b""
        self.tail = b"\n\n\n" + self._read_to(b"\n\n")
        self.ask("-k")

    def _read_to(self, tail):
        answer = bytearray()
        while not answer.endswith(tail):
            part = self.connection.recv(1 << 16)
            if not part:
                raise RuntimeError("the server closed a session")
            answer += part
        return bytes(answer)

    def ask(self, query):
        self.connection.sendall(query.encode("latin-1") + b"\n")
        return self._read_to(self.tail).decode("latin-1")

    def close(self):
        self.connection.close()


class Upstream:
    """An NRTM server that holds its `-k` stream open and sends what the bench hands it."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.stream = None      # The mirror's connection once START was sent.
        self.next_serial = None  # What the mirror asked for.
        self.ready = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):      # close() ends the loop.
            while True:
                connection, _ = self.listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                request = connection.makefile("rb").readline().decode("ascii")
                wanted = re.search(r"-g %s:3:(\d+)-LAST" % UPSTREAM, request)
                if not wanted or "-k" not in request:
                    connection.sendall(b"%ERROR:405: syntax error\n\n")
                    connection.close()
                    continue
                self.next_serial = int(wanted[1])
                connection.sendall(b"%%START Version: 3 %s %d-%d\n\n" % (
                    UPSTREAM.encode(), self.next_serial, self.next_serial))
                self.stream = connection
                self.ready.set()

    def wait(self, timeout):
        """Until the mirror has asked. @return The serial it wants next."""
        if not self.ready.wait(timeout):
            raise RuntimeError("the mirror does not connect")
        return self.next_serial

    def reset(self):
        """Forget a mirror that was stopped."""
        self.ready.clear()
        if self.stream is not None:
            self.stream.close()
            self.stream = None

    def close(self):
        self.listener.close()
        self.reset()
