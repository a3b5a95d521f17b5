"""Scriptable dump servers, for tests in the same process: DumpServer speaks HTTP with ranges and
validators, FtpServer as much FTP as a download needs.

Files are put() with their bytes and time; each change gives a new ETag. A plan says how one answer goes
wrong; the answers for a file take its plans in turn, and when none is left they go right:

    cut_after     close after so many bytes of the body
    length        this Content-Length instead of the right one; the body is cut or stays short of it
    stall_after   stop sending after so many bytes, until the client leaves
    status        this status instead of an answer
    whole         ignore Range
    then          call this before the answer, which is of the file as it was, is sent

`events` has a line per answer: "GET /ripe.db.gz 206 from=4096 sent=100".
"""

import contextlib
import email.utils
import hashlib
import http.server
import socket
import socketserver
import threading
import time


class DumpServer:
    def __init__(self, host="127.0.0.1"):
        self.files = {}
        self.plans = {}
        self.events = []
        self.lock = threading.Lock()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                server.answer(self)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer((host, 0), Handler)
        self.http.daemon_threads = True
        self.url = "http://%s:%d/" % self.http.server_address[:2]
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def put(self, name, data, age_s=0):
        """Make or replace a file; return its URL."""
        with self.lock:
            self.files[name] = (data, time.time() - age_s)
        return self.url + name

    def plan(self, name, **plan):
        with self.lock:
            self.plans.setdefault(name, []).append(plan)

    def answer(self, request):
        name = request.path.lstrip("/")
        with self.lock:
            data, modified = self.files.get(name, (None, 0))
            plan = self.plans[name].pop(0) if self.plans.get(name) else {}
        if data is None or "status" in plan:
            self.refuse(request, plan.get("status", 404))
            return
        if "then" in plan:
            plan["then"]()
        tag = '"%s"' % hashlib.md5(data).hexdigest()
        if request.headers.get("If-None-Match") == tag:
            self.log(request, "304")
            request.send_response(304)
            request.end_headers()
            return
        first = self.first_byte(request, tag, len(data)) if "whole" not in plan else 0
        body = data[first:]
        request.send_response(206 if first else 200)
        if first:
            request.send_header("Content-Range", "bytes %d-%d/%d" % (first, len(data) - 1, len(data)))
        request.send_header("ETag", tag)
        request.send_header("Last-Modified", email.utils.formatdate(modified, usegmt=True))
        request.send_header("Content-Length", str(plan.get("length", len(body))))
        request.end_headers()
        self.send_body(request, body, plan, "%d from=%d" % (206 if first else 200, first))

    def send_body(self, request, body, plan, what):
        stop = min(plan.get("cut_after", len(body)), plan.get("stall_after", len(body)),
                   plan.get("length", len(body)))
        # Told before it is sent: what the client asks for next comes behind it.
        self.log(request, "%s sent=%d" % (what, stop))
        with contextlib.suppress(OSError):      # The client has left.
            request.wfile.write(body[:stop])
            request.wfile.flush()
            if "stall_after" in plan:
                request.connection.recv(1)
        if stop < max(len(body), plan.get("length", 0)):
            request.close_connection = True

    @staticmethod
    def first_byte(request, tag, size):
        """Of the range that is asked for, when the client's part is of this very file."""
        wanted = request.headers.get("Range", "")
        if not wanted.startswith("bytes=") or request.headers.get("If-Range") not in (None, tag):
            return 0
        first = int(wanted[6:].split("-")[0])
        return first if first < size else 0

    def refuse(self, request, status):
        self.log(request, str(status))
        request.send_response(status)
        request.send_header("Content-Length", "0")
        request.end_headers()

    def log(self, request, what):
        with self.lock:
            self.events.append("GET %s %s" % (request.path, what))

    def close(self):
        self.http.shutdown()
        self.http.server_close()


class FtpServer:
    """Files by FTP, passive and binary. cut_after: of the next larger transfer, once."""

    def __init__(self, host="127.0.0.1"):
        self.files = {}
        self.cut_after = None
        self.events = []  # "RETR ripe.db.gz from=4096"
        server = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                server.serve(self)

        self.ftp = socketserver.ThreadingTCPServer((host, 0), Handler)
        self.ftp.daemon_threads = True
        self.host = host
        self.url = "ftp://%s:%d/" % self.ftp.server_address
        threading.Thread(target=self.ftp.serve_forever, daemon=True).start()

    def put(self, name, data):
        self.files[name] = (data, time.gmtime())
        return self.url + name

    def serve(self, session):
        self.say(session, "220 ready")
        first, passive = 0, None
        for line in session.rfile:
            command, _, argument = line.decode("latin-1").strip().partition(" ")
            name = argument.lstrip("/")
            data, modified = self.files.get(name, (None, None))
            if line.startswith(b"\x16"):
                self.events.append("TLS")  # Somebody tries HTTPS here.
                return
            if command in ("SIZE", "MDTM", "RETR") and data is None:
                self.say(session, "550 no such file")
            elif command == "SIZE":
                self.say(session, "213 %d" % len(data))
            elif command == "MDTM":
                self.say(session, time.strftime("213 %Y%m%d%H%M%S", modified))
            elif command == "REST":
                first = int(argument)
                self.say(session, "350 from there")
            elif command == "EPSV":
                passive = socket.create_server((self.host, 0))
                self.say(session, "229 here (|||%d|)" % passive.getsockname()[1])
            elif command == "RETR":
                self.events.append("RETR %s from=%d" % (name, first))
                self.send(session, passive, data[first:])
                first = 0
            elif command == "QUIT":
                self.say(session, "221 bye")
                return
            else:
                self.say(session, {"USER": "331 password?", "PASS": "230 welcome", "PWD": '257 "/"',
                                   "TYPE": "200 ok", "CWD": "250 ok"}.get(command, "502 unknown"))

    def send(self, session, passive, data):
        stop = len(data)
        if self.cut_after is not None and self.cut_after < stop:
            stop, self.cut_after = self.cut_after, None
        self.say(session, "150 %d bytes follow" % len(data))
        with passive, passive.accept()[0] as sock:
            sock.sendall(data[:stop])
        self.say(session, "226 done" if stop == len(data) else "426 broken")

    @staticmethod
    def say(session, line):
        session.wfile.write(line.encode() + b"\r\n")

    def close(self):
        self.ftp.shutdown()
        self.ftp.server_close()
