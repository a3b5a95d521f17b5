#!/usr/bin/env python3
"""Measure whoisd against its targets and floors.

`make bench SCALE=N` runs all of it and writes doc/benchmarks.md. Alone, a measurement prints its
rows:

    bench.py load       a dump: from the command to durable and answering, memory
    bench.py restart    from the start to the first right answer, index rebuilt, memory
    bench.py restart-checkpoint    the same, index read from its checkpoint
    bench.py catchup    a backlog of updates, spread evenly over all objects
    bench.py queries    single objects, 64 persistent clients
    bench.py oneshot    the same, one connection per query
    bench.py contacts   the same with all that goes with them: contacts, references
    bench.py bulk       -M over a /8 to one client, other clients meanwhile
    bench.py inverse    the most referenced contact, -K
    bench.py readers    memory after a catch-up while clients read large answers slowly
    bench.py flat       queries at a tenth, ... of the objects: does the latency stay?
    bench.py freshness  from the upstream's send to the new answer, under load
    bench.py reload     by difference, one object of 100 changed: time, what queries lose meanwhile

Whoisd and its floor are measured in turns in one run; figures are medians. Everything lives in a
scratch directory: the dump is kept there for the next run, and so is the loaded database, so that a
measurement alone starts soon.
"""

import argparse
import contextlib
import datetime
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import time

import answers
import freshness
import reload
import rig
import workload

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FLOOR_DATABASE = "bench_floor"
FLOOR_LINE = "remarks:        as many lines as fill the answer"
FLOOR_BYTES = 700
QUERIES = 100000    # Distinct ones; the clients ask them in random order.
MEASURED_S = 5      # Each turn of a query measurement.
SLOW_READERS = 3
UPDATES_MOST = 1000000
LARGE_SCALE = 4000000   # From here on fewer turns.
FLAT_SCALES = (100000, 1000000)     # Beside the one that is measured, those below it.
IDLE_S = 5          # Before memory is read.

# What must be reached, by scale: row -> (limit, +1 when less is better, -1 when more is).
TARGETS = {
    1000000: {
        "load": (25, 1), "restart": (5, 1), "rss": (320, 1), "peak": (450, 1),
        "peak-catchup": (450, 1), "catchup": (10000, -1), "queries": (0.60, -1),
        "freshness": (50, 1), "reload": (15, 1), "reload-rate": (0.70, -1), "reload-pause": (50, 1),
    },
    8000000: {
        "load": (120, 1), "load-keys": (200, 1), "restart": (60, 1), "restart-checkpoint": (5, 1),
        "rss": (2400, 1), "peak": (3100, 1), "rss-readers": (2900, 1), "catchup": (10000, -1),
        "catchup-small": (10000, -1), "queries-same": (0.70, -1), "oneshot-same": (0.85, -1),
        "contacts-same": (0.50, -1), "bulk": (300, -1), "bulk-others": (5, 1),
        "inverse": (200, 1), "flat": (1.30, 1), "flat-alone": (1.30, 1),
    },
}

median = statistics.median


def note(text):
    print(time.strftime("%H:%M:%S ") + text, file=sys.stderr, flush=True)


class Bench:
    """The rig, brought to the state that a measurement needs."""

    def __init__(self, options):
        self.options = options
        self.build = options.build
        self.directory = options.scratch
        os.makedirs(self.directory, exist_ok=True)
        os.chmod(self.directory, 0o755)
        dump = workload.generate(options.generator, options.scale, options.seed, self.directory)
        self.work = workload.Workload(dump, rig.SOURCE, QUERIES, options.updates)
        self.database = rig.MariaDb(ROOT, os.path.join(self.directory, "mariadb"),
                                    options.buffer_pool)
        self.upstream = rig.Upstream()
        self.whoisd = rig.Whoisd(os.path.join(self.build, "whoisd"),
                                 os.path.join(self.directory, "whois"), self.database,
                                 self.upstream.port)
        self.loaded_stamp = re.sub(r"\.db\.gz$", ".loaded", dump)     # It is in the database.
        self.known = self.work.first_query()
        self.query_threads = max(1, os.cpu_count() - 1)     # The default of query.threads.

    def program(self, name):
        return os.path.join(self.build, "tests", "bench", name)

    def target(self, row):
        return TARGETS.get(self.options.scale, {}).get(row)

    def turns(self, what):
        for turn in range(self.options.pairs):
            note("%s, turn %d of %d" % (what, turn + 1, self.options.pairs))
            yield turn

    def start_empty(self):
        self.whoisd.stop()
        self.upstream.reset()
        for name in os.listdir(self.directory):
            if name.endswith(".loaded"):
                os.unlink(os.path.join(self.directory, name))
        self.database.drop(rig.DATABASE)
        self.whoisd.start()
        rig.wait_for("the query port", self.whoisd.is_listening, 60)

    def load(self):
        """@return Seconds to the first right answer, seconds to the end of the command."""
        began = time.monotonic()
        command = self.whoisd.load_command(self.work.dump, workload.SERIAL)
        answered = rig.wait_for("the loaded dump", lambda: command.poll() not in (None, 0)
                                or self.whoisd.answers(*self.known), 3600)
        out, _ = command.communicate()
        if command.returncode != 0:
            raise RuntimeError("--load: exit %d\n%s" % (command.returncode, out))
        took = time.monotonic() - began
        with open(self.loaded_stamp, "w", encoding="ascii"):
            return answered, took

    def start(self):
        """@return Seconds from the start of the process to the first right answer."""
        began = time.monotonic()
        self.whoisd.start()
        rig.wait_for("an answer", lambda: self.whoisd.answers(*self.known), 600, every=0.001)
        return time.monotonic() - began

    def ensure_running(self):
        """A loaded source, answering."""
        if self.whoisd.process is not None:
            self.whoisd.check_alive()
        elif os.path.exists(self.loaded_stamp):
            self.start()
        else:
            note("loading")
            self.start_empty()
            self.load()

    def sql_floor(self, *arguments):
        return rig.pairs_of(rig.run(self.program("sql_floor"), *arguments))

    def ensure_floor_tables(self):
        """The same rows in a bare table, for the floors that change them."""
        with contextlib.suppress(RuntimeError):     # No such table yet.
            found = self.database.sql("SELECT max(object_id) FROM %s.last" % FLOOR_DATABASE)
            if found == [[str(self.work.facts["objects"])]]:
                return
        self.sql_floor("insert", "--sql", self.database.cnf, "--database", FLOOR_DATABASE,
                       "--dump", self.work.dump)

    def close(self):
        self.whoisd.stop()
        self.upstream.close()
        self.database.stop()


# --- rows of the table ---

def row(bench, name, what, figure, value=None, floor="", ratio="", form="%s"):
    """One row; value is what the target of that name is compared with."""
    target = bench.target(name)
    shown, met = "", None
    if target:
        limit, direction = target
        met = direction * value <= direction * limit
        shown = ("at most " if direction > 0 else "at least ") + form % limit
    return {"name": name, "what": what, "figure": figure, "target": shown, "met": met,
            "floor": floor, "ratio": ratio}


def measure_load(bench):
    answered, finished, rss, peak, parsed, inserted, bare, altered = ([] for _ in range(8))
    for _ in bench.turns("load"):
        bench.start_empty()
        bench.database.settle()
        first, last = bench.load()
        answered.append(first)
        finished.append(last)
        peak.append(bench.whoisd.memory_mb("VmHWM"))
        time.sleep(IDLE_S)
        rss.append(bench.whoisd.memory_mb("VmRSS"))
        bench.database.settle()
        parsed.append(bench.sql_floor("parse", "--dump", bench.work.dump)["seconds"])
        result = bench.sql_floor("insert", "--sql", bench.database.cnf, "--database",
                                 FLOOR_DATABASE, "--dump", bench.work.dump)
        inserted.append(result["sql_seconds"])
        bare.append(result["seconds"])
        began = time.monotonic()
        bench.database.sql("ALTER TABLE %s.last ADD KEY last_pkey (pkey), "
                           "ADD KEY object_type_index (object_type)" % FLOOR_DATABASE)
        altered.append(time.monotonic() - began)
    objects = bench.work.facts["objects"]
    floors = ("bare client %.1f s, of that in SQL %.1f s; reading, inflating, parsing alone %.1f s"
              % (median(bare), median(inserted), median(parsed)))
    return [
        row(bench, "load", "dump loaded: durable and answering", "%.1f s (%.0f objects/s)"
            % (median(answered), objects / median(answered)), median(answered), floors,
            "%.2f x the bare client" % (median(answered) / median(bare)), "%.0f s"),
        row(bench, "load-keys", "... and its secondary keys complete", "%.1f s" % median(finished),
            median(finished), "`ALTER TABLE` of the bare table alone %.1f s" % median(altered),
            form="%.0f s"),
        row(bench, "rss", "resident memory, loaded and idle", "%.0f MB (%.0f bytes/object)"
            % (median(rss), 1e6 * median(rss) / objects), median(rss),
            "text %.0f MB" % (bench.work.facts["text_bytes"] / 1e6),
            "%.2f x the text" % (1e6 * median(rss) / bench.work.facts["text_bytes"]), "%.0f MB"),
        row(bench, "peak", "high-water during the load", "%.0f MB" % max(peak), max(peak),
            form="%.0f MB"),
    ]


def measure_restart(bench):
    bench.ensure_running()
    answered, rss, peak, selected = [], [], [], []
    for _ in bench.turns("restart"):
        bench.whoisd.stop()
        bench.whoisd.drop_checkpoint()
        bench.upstream.reset()
        selected.append(bench.sql_floor("select", "--sql", bench.database.cnf, "--database",
                                        rig.DATABASE)["seconds"])
        answered.append(bench.start())
        peak.append(bench.whoisd.memory_mb("VmHWM"))
        time.sleep(IDLE_S)
        rss.append(bench.whoisd.memory_mb("VmRSS"))
    return [
        row(bench, "restart", "restart to answering, without a checkpoint",
            "%.2f s" % median(answered), median(answered),
            "SELECT of the same rows %.2f s" % median(selected),
            "%.2f x" % (median(answered) / median(selected)), "%.0f s"),
        row(bench, "restart-memory", "resident memory after a restart, high-water",
            "%.0f MB, %.0f MB" % (median(rss), max(peak))),
    ]


def read_file(path):
    """@return Seconds for all of a file, read to one buffer."""
    buffer = bytearray(4 << 20)
    began = time.monotonic()
    with open(path, "rb", buffering=0) as file:
        while file.readinto(buffer):
            pass
    return time.monotonic() - began


def measure_restart_checkpoint(bench):
    bench.ensure_running()
    rig.wait_for("a checkpoint", lambda: os.path.exists(bench.whoisd.checkpoint), 600)
    answered, rss, peak, floor = [], [], [], []
    for _ in bench.turns("restart from the checkpoint"):
        bench.whoisd.stop()
        bench.upstream.reset()
        read_file(bench.whoisd.checkpoint)      # Into the page cache.
        floor.append(read_file(bench.whoisd.checkpoint))
        answered.append(bench.start())
        rig.wait_for("the checkpoint's use: see %s" % bench.whoisd.console,
                     bench.whoisd.used_checkpoint, 60)
        peak.append(bench.whoisd.memory_mb("VmHWM"))
        time.sleep(IDLE_S)
        rss.append(bench.whoisd.memory_mb("VmRSS"))
    size = os.path.getsize(bench.whoisd.checkpoint)
    return [
        row(bench, "restart-checkpoint", "restart from the checkpoint to answering",
            "%.3f s" % median(answered), median(answered),
            "reading the file, %.0f MB in the page cache, %.3f s" % (size / 1e6, median(floor)),
            "%.1f x" % (median(answered) / median(floor)), "%.0f s"),
        row(bench, "restart-checkpoint-memory", "resident memory after it, high-water",
            "%.0f MB, %.0f MB" % (median(rss), max(peak))),
    ]


class Backlog:
    """The updates of a catch-up; the last is one whose arrival a query sees."""

    def __init__(self, bench):
        self.bench = bench
        self.texts = bench.work.update_texts()
        last = next(i for i in range(len(self.texts) - 1, -1, -1)
                    if workload.key_query(rig.SOURCE, self.texts[i])
                    and not self.texts[i].startswith(b"route"))
        self.texts[last], self.texts[-1] = self.texts[-1], self.texts[last]
        self.last_query = workload.key_query(rig.SOURCE, self.texts[-1])

    def play(self):
        """Send all of it. @return Seconds until the last update was answered."""
        upstream, whoisd = self.bench.upstream, self.bench.whoisd
        serial = upstream.wait(60)
        line = workload.marker_line(serial + len(self.texts) - 1)
        sent = b"".join(workload.operation(serial + i, text) for i, text in enumerate(self.texts))
        began = time.monotonic()
        upstream.stream.sendall(sent)
        rig.wait_for("the last update", lambda: whoisd.answers(self.last_query, line), 3600, 0.02)
        upstream.next_serial = serial + len(self.texts)
        return time.monotonic() - began


def catchup_rows(bench, name, pool_share):
    """A catch-up with a buffer pool of so many times the size of the table."""
    bench.ensure_running()
    bench.ensure_floor_tables()
    backlog = Backlog(bench)
    count = len(backlog.texts)
    table_mb = bench.database.table_mb(rig.DATABASE, "last")
    pool_mb = bench.database.resize_pool(min(pool_share * table_mb, memory_bytes() * 0.6 / 1e6))
    rates, floors, peak = [], [], []
    try:
        for _ in bench.turns(name):
            # As in the floor: what earlier turns left there is no part of this one.
            bench.database.sql("TRUNCATE %s.history" % rig.DATABASE)
            bench.database.settle()
            bench.whoisd.memory_reset_peak()
            rates.append(count / backlog.play())
            peak.append(bench.whoisd.memory_mb("VmHWM"))
            bench.database.settle()
            floors.append(bench.sql_floor("update", "--sql", bench.database.cnf, "--database",
                                          FLOOR_DATABASE, "--count", count)["rate"])
    finally:
        bench.database.resize_pool(bench.options.buffer_pool * 1.048576)
    return [
        row(bench, name, "NRTM catch-up, durable, %d uniformly spread updates; table %.0f MB, "
            "buffer pool %.0f MB" % (count, table_mb, pool_mb),
            "%.0f updates/s" % median(rates), median(rates),
            "the statements bare %.0f updates/s" % median(floors),
            "%.0f %%" % (100 * median(rates) / median(floors)), "%.0f updates/s"),
        row(bench, "peak-" + name, "high-water during the catch-up", "%.0f MB" % max(peak),
            max(peak), form="%.0f MB"),
    ]


def measure_catchup(bench):
    return catchup_rows(bench, "catchup", 2) + catchup_rows(bench, "catchup-small", 0.5)


def measure_readers(bench):
    bench.ensure_running()
    backlog = Backlog(bench)
    query = "-s %s -r -M %s" % (rig.SOURCE, bench.work.facts["busiest_eight"])
    readers = [freshness.SlowReader(bench.whoisd.port, query) for _ in range(SLOW_READERS)]
    try:
        for reader in readers:
            reader.begun.wait(60)
        note("catch-up beside slow readers")
        bench.whoisd.memory_reset_peak()
        backlog.play()
        rss, peak = (bench.whoisd.memory_mb(field) for field in ("VmRSS", "VmHWM"))
    finally:
        for reader in readers:
            reader.stop()
    return [row(bench, "rss-readers", "resident memory after %d updates beside %d slow `-M` readers"
                % (len(backlog.texts), SLOW_READERS), "%.0f MB (high-water %.0f MB)" % (rss, peak),
                rss, form="%.0f MB")]


class FloorServer:
    """tests/bench/floor while queries are measured."""

    def __init__(self, bench, answer_bytes, *options):
        self.port = rig.free_port()
        self.process = subprocess.Popen(
            [bench.program("floor"), "--port", str(self.port), "--loops", str(bench.query_threads),
             "--bytes", str(answer_bytes), *options], stdout=subprocess.DEVNULL)
        rig.wait_for("the floor server", self._listens, 10)

    def _listens(self):
        try:
            rig.socket.create_connection(("127.0.0.1", self.port), 5).close()
        except ConnectionRefusedError:
            return False
        return True

    def stop(self):
        self.process.terminate()
        self.process.wait()


def run_load(bench, port, pid, queries, *options):
    """@return The load generator's figures; a wrong answer ends the bench."""
    return rig.pairs_of(rig.run(bench.program("load"), "--pid", pid, "--seconds", MEASURED_S,
                                *options, "127.0.0.1", port, queries))


def against_floor(bench, what, queries, one_shot=False):
    """whoisd, the floor, and the floor with answers as long as whoisd's, in turns.

    @return Three lists of figures.
    """
    options = ["--one-shot"] if one_shot else []
    bench.ensure_running()
    ours, floor, same_size = [], [], []
    floor_server = FloorServer(bench, FLOOR_BYTES, *options)
    same_size_server = None
    expect = ["--expect", FLOOR_LINE]
    try:
        for _ in bench.turns(what):
            ours.append(run_load(bench, bench.whoisd.port, bench.whoisd.pid, queries, *options))
            if same_size_server is None:
                mean = round(ours[0]["answer_bytes"])
                same_size_server = FloorServer(bench, mean, *options)
            floor.append(run_load(bench, floor_server.port, floor_server.process.pid, queries,
                                  *expect, *options))
            same_size.append(run_load(bench, same_size_server.port, same_size_server.process.pid,
                                      queries, *expect, *options))
    finally:
        for server in (floor_server, same_size_server):
            if server is not None:
                server.stop()
    return ours, floor, same_size


def of(results, name):
    return median(result[name] for result in results)


def query_rows(bench, name, what, ours, floor, same_size):
    rate = of(ours, "rate")
    ratio, same_ratio = rate / of(floor, "rate"), rate / of(same_size, "rate")
    return [
        row(bench, name, what, "%.0f/s (p50 %.0f us, p99 %.0f us)"
            % (rate, of(ours, "p50_us"), of(ours, "p99_us")), ratio,
            "%.0f/s" % of(floor, "rate"), "%.0f %%" % (100 * ratio), "%.2f of the floor"),
        row(bench, name + "-cpu", "... CPU time of the server per query",
            "%.0f ns" % of(ours, "server_cpu_ns"), None, "%.0f ns" % of(floor, "server_cpu_ns"),
            "%.2f x" % (of(ours, "server_cpu_ns") / of(floor, "server_cpu_ns"))),
        row(bench, name + "-same", "... floor with answers of the same size (%.0f bytes)"
            % of(ours, "answer_bytes"), "%.0f/s" % rate, same_ratio,
            "%.0f/s, %.0f ns" % (of(same_size, "rate"), of(same_size, "server_cpu_ns")),
            "%.0f %%" % (100 * same_ratio), "%.2f of the floor"),
    ]


def measure_queries(bench):
    return query_rows(bench, "queries", "`-r` single objects, 64 persistent clients",
                      *against_floor(bench, "queries", bench.work.queries))


def measure_oneshot(bench):
    return query_rows(bench, "oneshot", "`-r` single objects, one connection per query",
                      *against_floor(bench, "one-shot", bench.work.queries, one_shot=True))


def measure_contacts(bench):
    return query_rows(bench, "contacts", "default queries with their contacts, 64 persistent "
                      "clients", *against_floor(bench, "contacts", bench.work.default_queries()))


def measure_bulk(bench):
    bench.ensure_running()
    query = "-s %s -r -M %s" % (rig.SOURCE, bench.work.facts["busiest_eight"])
    _, _, answer_bytes = answers.time_answer(bench.whoisd.port, query)
    floor_server = FloorServer(bench, answer_bytes, "--one-shot")
    rates, floors, alone, others = [], [], [], []
    try:
        for _ in bench.turns("bulk"):
            _, took, _ = answers.time_answer(bench.whoisd.port, query)
            alone.append(answer_bytes / took / 1e6)
            rate, load = answers.beside_clients(
                bench.whoisd.port, query, bench.program("load"), bench.whoisd.pid,
                bench.work.queries, MEASURED_S)
            rates.append(rate / 1e6)
            others.append(load["p99_us"] / 1000)
            _, took, _ = answers.time_answer(floor_server.port, query)
            floors.append(answer_bytes / took / 1e6)
    finally:
        floor_server.stop()
    return [
        row(bench, "bulk", "`-M` over a /8 (%d objects, %.0f MB) to one client" % (
            bench.work.facts["busiest_eight_objects"], answer_bytes / 1e6),
            "%.0f MB/s (%.0f MB/s beside 4 busy clients)" % (median(alone), median(rates)),
            median(alone), "the same bytes through a socket %.0f MB/s" % median(floors),
            "%.0f %%" % (100 * median(alone) / median(floors)), "%.0f MB/s"),
        row(bench, "bulk-others", "... the other clients' 99th percentile meanwhile",
            "%.2f ms" % median(others), median(others), form="%.0f ms"),
    ]


def measure_inverse(bench):
    bench.ensure_running()
    attribute, value, count = bench.work.facts["most_referenced"]
    query = "-s %s -K -i %s %s" % (rig.SOURCE, attribute, value)
    firsts, ends = [], []
    for _ in bench.turns("inverse"):
        first, end, _ = answers.time_answer(bench.whoisd.port, query)
        firsts.append(1000 * first)
        ends.append(end)
    return [row(bench, "inverse", "first byte of `-K -i %s %s` (%d objects, sorted)"
                % (attribute, value, count), "%.0f ms (all of it %.2f s)"
                % (median(firsts), median(ends)), median(firsts), form="%.0f ms")]


def measure_flat(bench):
    """The same queries at several scales, in turns: by clients that leave the server no time, and by
    one that is alone."""
    bench.ensure_running()
    scales = [scale for scale in FLAT_SCALES if scale < bench.options.scale]
    benches = [small_bench(bench, scale) for scale in scales] + [bench]
    busy, alone = ([[] for _ in benches] for _ in range(2))
    try:
        for small in benches:
            small.ensure_running()
        for _ in bench.turns("latency by number of objects"):
            for at, small in enumerate(benches):
                server = small.whoisd.port, small.whoisd.pid, small.work.queries
                busy[at].append(run_load(small, *server))
                alone[at].append(run_load(small, *server, "--clients", "1"))
    finally:
        for small in benches[:-1]:
            small.close()
    what = "latency at " + ", ".join(str(small.options.scale) for small in benches) + " objects, "
    return [flat_row(bench, "flat", what + "64 clients without a pause", busy),
            flat_row(bench, "flat-alone", "... of one client", alone)]


def flat_row(bench, name, what, turns):
    latencies = [of(loads, "p50_us") for loads in turns]
    ratio = max(latencies) / min(latencies)
    return row(bench, name, what, ", ".join("%.0f us" % us for us in latencies), ratio,
               ratio="%.2f x" % ratio, form="%.2f x")


def small_bench(bench, scale):
    """A world of its own below the scratch directory."""
    return Bench(argparse.Namespace(**{
        **vars(bench.options), "scale": scale, "updates": scale // 5,
        "scratch": os.path.join(bench.directory, str(scale))}))


def measure_freshness(bench):
    bench.ensure_running()
    bench.ensure_floor_tables()
    bench.database.settle()     # The floor's rows are not written out beside the measurement.
    note("freshness, %d updates" % bench.options.fresh_updates)
    result = freshness.measure(bench.whoisd, bench.upstream, bench.work, bench.program("load"),
                               bench.options.fresh_updates)
    if not bench.database.sql("SHOW DATABASES LIKE '%s'" % FLOOR_DATABASE):
        bench.sql_floor("insert", "--sql", bench.database.cnf, "--database", FLOOR_DATABASE,
                        "--dump", bench.work.dump)
    commit = bench.sql_floor("commit", "--sql", bench.database.cnf, "--database", FLOOR_DATABASE,
                             "--count", bench.options.fresh_updates)
    what = ("upstream's send to the new answer, 99th percentile (64 clients at %.0f queries/s, "
            "one slow -M reader)" % result["load"]["rate"])
    figure = "%.1f ms (p50 %.1f, max %.1f; %.1f %% under 50 ms)" % (
        result["p99_ms"], result["p50_ms"], result["max_ms"], 100 * result["within_50_ms"])
    floor = "bare transaction, idle machine: p50 %.1f ms, p99 %.1f ms" % (
        commit["p50_ms"], commit["p99_ms"])
    return [row(bench, "freshness", what, figure, result["p99_ms"], floor, form="%.0f ms")]


def measure_reload(bench):
    """Back and forth between the two dumps; the source ends at the first."""
    bench.ensure_running()
    first, changed = bench.work, bench.work.changed_dump()
    states = [(changed.dump, changed.shows_changed), (first.dump, changed.shows_first)]
    os.unlink(bench.loaded_stamp)       # In between the database is not what others expect.
    note("reload of the first dump, untimed")   # Undoes what other measurements changed.
    reload.run(bench.whoisd, bench.upstream, *states[1])
    took, parsed, alone, beside = [], [], [], []
    for turn in bench.turns("reload"):
        bench.database.settle()
        dump, shows = states[turn % 2]
        parsed.append(bench.sql_floor("parse", "--dump", dump)["seconds"])
        alone.append(run_load(bench, bench.whoisd.port, bench.whoisd.pid, changed.queries))
        seconds, load = reload.measure(bench.whoisd, bench.upstream, dump, shows, changed.queries,
                                       bench.program("load"))
        took.append(seconds)
        beside.append(load)
    if bench.options.pairs % 2 == 1:
        reload.run(bench.whoisd, bench.upstream, *states[1])
    with open(bench.loaded_stamp, "w", encoding="ascii"):
        pass
    ratio = median(with_it["rate"] / without["rate"] for with_it, without in zip(beside, alone))
    pause = max(load["max_us"] for load in beside) / 1000
    return [
        row(bench, "reload", "reload by difference beside 64 busy clients: %d objects changed, "
            "%d removed, %d added" % (changed.facts["changed"], changed.facts["removed"],
                                      changed.facts["removed"]),
            "%.1f s" % median(took), median(took),
            "reading, inflating, parsing alone %.1f s" % median(parsed),
            "%.1f x" % (median(took) / median(parsed)), "%.0f s"),
        row(bench, "reload-rate", "... the clients' rate meanwhile", "%.0f/s" % of(beside, "rate"),
            ratio, "without a reload %.0f/s" % of(alone, "rate"), "%.0f %%" % (100 * ratio),
            "%.2f of the rate without"),
        row(bench, "reload-pause", "... their longest wait for an answer",
            "%.1f ms (p99 %.1f ms)" % (pause, of(beside, "p99_us") / 1000), pause,
            "without a reload %.1f ms" % (max(load["max_us"] for load in alone) / 1000),
            form="%.0f ms"),
    ]


MEASUREMENTS = {
    "load": measure_load,
    "restart": measure_restart,
    "restart-checkpoint": measure_restart_checkpoint,
    "queries": measure_queries,
    "oneshot": measure_oneshot,
    "contacts": measure_contacts,
    "bulk": measure_bulk,
    "inverse": measure_inverse,
    "flat": measure_flat,
    "reload": measure_reload,
    "readers": measure_readers,
    "catchup": measure_catchup,
    "freshness": measure_freshness,     # Last: by then `serials` is long.
}


# --- the report ---

def memory_bytes():
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def machine():
    with open("/proc/cpuinfo", encoding="ascii") as file:
        model = re.search(r"^model name\s*: (.*)$", file.read(), re.M)
    return "%s, %d cores, %.0f GB, Linux %s" % (
        model[1] if model else platform.machine(), os.cpu_count(), memory_bytes() / 1e9,
        platform.release().split("-")[0])


def table(bench, rows):
    facts = bench.work.facts
    lines = [
        "Measured %s with `make bench SCALE=%d`: %s." % (
            datetime.date.today(), bench.options.scale, machine()),
        "Data: %d objects, %.0f MB of text, %.0f MB as gzip (seed %d)." % (
            facts["objects"], facts["text_bytes"] / 1e6, os.path.getsize(bench.work.dump) / 1e6,
            bench.options.seed),
        "Database: " + ", ".join("`%s=%s`" % item for item in bench.database.variables().items())
        + ".",
        "Medians of %d turns; %d query loops in whoisd and in the floor server." % (
            bench.options.pairs, bench.query_threads),
        "",
        "| what | command | figure | target | met | floor | ratio |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for found in rows:
        met = {None: "", True: "yes", False: "**no**"}[found["met"]]
        lines.append("| %s | `bench.py %s` | %s | %s | %s | %s | %s |" % (
            found["what"], found["command"], found["figure"], found["target"], met, found["floor"],
            found["ratio"]))
    return "\n".join(lines) + "\n"


def write_section(path, scale, text):
    """Replace the marked section of this scale, or add it at the end."""
    begin, end = "<!-- bench %d -->\n" % scale, "<!-- end of bench %d -->\n" % scale
    with open(path, encoding="utf-8") as file:
        old = file.read()
    before, found, rest = old.partition(begin)
    after = rest.partition(end)[2]
    if not found:
        before += "\n## %s objects\n\n" % format(scale, ",")
    with open(path, "w", encoding="utf-8") as file:
        file.write(before + begin + text + end + after)


def options_parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0],
                                     epilog="measurements: " + ", ".join(MEASUREMENTS))
    parser.add_argument("measurements", nargs="+", choices=[*MEASUREMENTS, "all"],
                        metavar="measurement", help="one or several, or all")
    parser.add_argument("--scale", type=int, default=1000000, help="objects (1000000)")
    parser.add_argument("--seed", type=int, default=5, help="of the generated data (5)")
    parser.add_argument("--pairs", type=int, help="turns of whoisd and floor (5; from %d objects on "
                        "2, which take most of an hour)" % LARGE_SCALE)
    parser.add_argument("--updates", type=int, help="in a catch-up (a fifth of the objects, at most %d)" % UPDATES_MOST)
    parser.add_argument("--fresh-updates", type=int, default=500, help="of a freshness run (500)")
    parser.add_argument("--buffer-pool", type=int, metavar="MB",
                        help="of the database (a quarter of the machine's memory)")
    parser.add_argument("--build", default=".", help="where whoisd and tests/bench/load were built")
    parser.add_argument("--scratch", help="directory (/var/tmp/whoisd-bench-UID)")
    parser.add_argument("--generator", default=os.path.join(ROOT, "tests", "data", "rpslgen.py"))
    parser.add_argument("--write", action="store_true", help="put the table into doc/benchmarks.md")
    options = parser.parse_args()
    options.pairs = options.pairs or (2 if options.scale >= LARGE_SCALE else 5)
    options.updates = options.updates or min(options.scale // 5, UPDATES_MOST)
    options.buffer_pool = options.buffer_pool or memory_bytes() // 4 >> 20
    options.scratch = options.scratch or "/var/tmp/whoisd-bench-%d" % os.geteuid()
    if "all" in options.measurements:
        options.measurements = list(MEASUREMENTS)
    return options


def main():
    options = options_parse()
    # So that the servers are stopped on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))
    bench = Bench(options)
    rows = []
    try:
        for name in options.measurements:
            for found in MEASUREMENTS[name](bench):
                rows.append({**found, "command": name})
        text = table(bench, rows)
    finally:
        bench.close()
    print(text)
    with open(os.path.join(bench.directory, "results.json"), "w", encoding="utf-8") as file:
        json.dump(rows, file, indent=1)
    if options.write:
        write_section(os.path.join(ROOT, "doc", "benchmarks.md"), options.scale, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
