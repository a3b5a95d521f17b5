"""Freshness: how long from the upstream's send to the new answer on the query port.

One update after the other is sent on the mirror's stream and asked for on an open connection until
the new text is there. Meanwhile clients query as fast as they can, and one reads a large -M answer
slowly.
"""

import socket
import statistics
import subprocess
import threading
import time

import rig
import workload

SLOW_READ_BYTES, SLOW_READ_PAUSE_S = 8192, 0.1


class SlowReader:
    """Reads one large answer after the other, about 80 KB/s."""

    def __init__(self, port, query):
        self.port, self.query = port, query
        self.begun, self.stopping = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self):
        while not self.stopping.is_set():
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_READ_BYTES)
            connection.connect(("127.0.0.1", self.port))
            connection.sendall(self.query.encode("ascii") + b"\n")
            while connection.recv(SLOW_READ_BYTES) and not self.stopping.is_set():
                self.begun.set()
                self.stopping.wait(SLOW_READ_PAUSE_S)
            connection.close()

    def stop(self):
        self.stopping.set()
        self.thread.join()


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def updates_to_ask(work, count):
    """@return (query, text) of updates whose object a query finds for certain."""
    found = ((workload.key_query(rig.SOURCE, text), text) for text in work.update_texts()
             if not text.startswith(b"route"))
    chosen = [pair for pair in found if pair[0]]
    return [chosen[i % len(chosen)] for i in range(count)]


def measure(whoisd, upstream, work, load_program, count=500, rate=10, clients=64):
    """@return Percentiles in milliseconds, and what the clients saw meanwhile."""
    serial = upstream.wait(60)
    probe = rig.Session(whoisd.port)
    updates = updates_to_ask(work, count)
    slow = SlowReader(whoisd.port, "-s %s -r -M %s" % (rig.SOURCE, work.facts["busiest_eight"]))
    load = subprocess.Popen([load_program, "--clients", str(clients), "--changing", "--pid",
                             str(whoisd.pid), "--seconds", str(count / rate), "127.0.0.1",
                             str(whoisd.port), work.queries], stdout=subprocess.PIPE, text=True)
    took_ms = []
    load.stdout.readline()      # It is warm.
    try:
        next_at = time.monotonic()
        for query, text in updates:
            time.sleep(max(0, next_at - time.monotonic()))
            next_at += 1 / rate
            line = workload.marker_line(serial)
            sent_at = time.monotonic()
            upstream.stream.sendall(workload.operation(serial, text))
            while line not in probe.ask(query).split("\n"):
                if time.monotonic() > sent_at + 30:
                    raise RuntimeError("serial %d is not answered: %s" % (serial, query))
            took_ms.append(1000 * (time.monotonic() - sent_at))
            serial += 1
    finally:
        slow.stop()
        probe.close()
        out, _ = load.communicate()
    if load.returncode != 0:
        raise RuntimeError("wrong answers under load")
    upstream.next_serial = serial
    return {"p50_ms": statistics.median(took_ms), "p99_ms": percentile(took_ms, 0.99),
            "max_ms": max(took_ms), "within_50_ms": sum(t < 50 for t in took_ms) / count,
            "load": rig.pairs_of(out)}
