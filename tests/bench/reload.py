"""Reload by difference: how long from the command to the new answers, and what it costs queries.

The source is brought back and forth between two dumps, of which one has a hundredth of the objects
changed. Clients ask for objects that are the same in both, so that every answer can be checked.
"""

import subprocess
import time

import rig

SERIALS_APART = 1000    # Each dump is newer than what the mirror has.
MOST_S = 3600


class QueryLoad:
    """The load generator, counting until it is stopped."""

    def __init__(self, program, port, pid, queries, clients=64):
        self.process = subprocess.Popen(
            [program, "--clients", str(clients), "--pid", str(pid), "--seconds", str(MOST_S),
             "127.0.0.1", str(port), queries], stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()      # It is warm.

    def stop(self):
        """@return Its figures."""
        self.process.terminate()
        out, _ = self.process.communicate()
        if self.process.returncode != 0:
            raise RuntimeError("wrong answers beside a reload")
        return rig.pairs_of(out)


def run(whoisd, upstream, dump, shows):
    """Bring the source to a dump. @return Seconds until it was done and the answers were new."""
    serial = upstream.wait(60) - 1 + SERIALS_APART
    began = time.monotonic()
    command = whoisd.load_command(dump, serial)
    out, _ = command.communicate()
    if command.returncode != 0:
        raise RuntimeError("reload: exit %d\n%s" % (command.returncode, out))
    rig.wait_for("the reloaded dump", lambda: whoisd.answers(*shows), 60)
    took = time.monotonic() - began
    rig.wait_for("the mirror behind the dump", lambda: upstream.next_serial == serial + 1, 60)
    return took


def measure(whoisd, upstream, dump, shows, queries, load_program):
    """@return Seconds of a reload, and what the clients saw meanwhile."""
    load = QueryLoad(load_program, whoisd.port, whoisd.pid, queries)
    try:
        took = run(whoisd, upstream, dump, shows)
    finally:
        beside = load.stop()
    return took, beside
