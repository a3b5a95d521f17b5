"""One client that times a long answer: how soon it begins, and how fast it comes."""

import socket
import subprocess
import time

import rig

PART_BYTES = 1 << 20


def time_answer(port, query):
    """@return (seconds to the first byte behind the banner, seconds to the end, bytes)."""
    part = bytearray(PART_BYTES)
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        banner = b""
        while not banner.endswith(b"\n\n"):
            banner += connection.recv(1 << 16)
        began = time.monotonic()
        connection.sendall(query.encode("latin-1") + b"\n")
        total = connection.recv_into(part)
        first = time.monotonic() - began
        while got := connection.recv_into(part):
            total += got
        return first, time.monotonic() - began, total


def beside_clients(port, query, load_program, pid, queries, seconds, clients=4):
    """The answer again and again while other clients ask for single objects.

    @return (bytes per second to the one client, the load generator's figures).
    """
    load = subprocess.Popen([str(word) for word in (
        load_program, "--clients", clients, "--pid", pid, "--seconds", seconds, "127.0.0.1", port,
        queries)], stdout=subprocess.PIPE, text=True)
    total, took = 0, 0.0
    while load.poll() is None:
        _, answer_s, answer_bytes = time_answer(port, query)
        total, took = total + answer_bytes, took + answer_s
    out, _ = load.communicate()
    if load.returncode != 0:
        raise RuntimeError("wrong answers beside a long one")
    return total / took, rig.pairs_of(out)
