"""A scriptable dump server: HTTP with ranges and validators, for tests in the same process.

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

import email.utils
import hashlib
import http.server
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
            request.send_response(304)
            request.end_headers()
            self.log(request, "304")
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
        try:
            request.wfile.write(body[:stop])
            request.wfile.flush()
            self.log(request, "%s sent=%d" % (what, stop))
            if "stall_after" in plan:
                request.connection.recv(1)
        except OSError:
            self.log(request, what + " broken")
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
        request.send_response(status)
        request.send_header("Content-Length", "0")
        request.end_headers()
        self.log(request, str(status))

    def log(self, request, what):
        with self.lock:
            self.events.append("GET %s %s" % (request.path, what))

    def close(self):
        self.http.shutdown()
        self.http.server_close()
