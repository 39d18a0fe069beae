"""A proxy in front of the object store that answers wrongly, late or not at all, as a drill wants it."""

import contextlib
import http.client
import itertools
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

GONE = {"connection", "keep-alive", "transfer-encoding"}


class FaultyProxy:
    """Passes requests on unchanged, so that their signatures hold.

    Attributes
    ----------
    faults : sequence of str or int
        What becomes of the requests, one after another and again from the start: ``pass``; an HTTP status; ``stall``,
        an answer that comes after `STALL_S`; ``half``, a connection that breaks in the middle of the answer; ``down``,
        a connection that is closed at once.
    """

    STALL_S = 3.0

    def __init__(self, upstream):
        self._upstream = urlsplit(upstream).netloc
        self._only = {}
        self.set("pass")

    def __enter__(self):
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": self}))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def set(self, *faults):
        """Change what becomes of requests, and count anew what became of them."""
        self._faults, self.done = itertools.cycle(faults), {}

    @contextlib.contextmanager
    def faulty(self, *faults):
        """Faults for the length of a block."""
        self.set(*faults)
        try:
            yield self
        finally:
            self._faults = itertools.cycle(["pass"])

    def only(self, path, *faults):
        """Faults, one after another and each once, of requests whose path begins with this one."""
        self._only[path] = list(faults)

    def next(self, path):
        """What becomes of the next request."""
        fault = next(self._faults)
        for prefix, faults in self._only.items():
            if path.startswith(prefix) and faults:
                fault = faults.pop(0)
        self.done[fault] = self.done.get(fault, 0) + 1
        return fault


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Nothing is said."""

    def _serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.proxy.next(self.path)
        if fault == "down":
            self.close_connection = True
            return
        if isinstance(fault, int):
            self._say(fault, [], b"<Error><Code>InternalError</Code></Error>")
            return
        if fault == "stall":
            time.sleep(self.proxy.STALL_S)
        upstream = http.client.HTTPConnection(self.proxy._upstream, timeout=60)
        try:
            headers = {k: v for k, v in self.headers.items() if k.lower() not in {"connection", "expect"}}
            upstream.request(self.command, self.path, body, headers)
            answer = upstream.getresponse()
            found = [(k, v) for k, v in answer.getheaders() if k.lower() not in GONE]
            self._say(answer.status, found, answer.read(), cut=fault == "half")
        except (OSError, http.client.HTTPException):
            self.close_connection = True
        finally:
            upstream.close()

    def _say(self, status, headers, body, cut=False):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name, _ in headers):
            self.send_header("Content-Length", str(len(body)))
        with contextlib.suppress(OSError):
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut or status >= 500:
            self.close_connection = True

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve  # noqa: N815 - as http.server wants it
