"""A web server on this machine that notes what it is asked for and fails when it is told to; SeaweedFS beside it."""

import http.server
import re
import threading
import urllib.parse
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers import object_store, seaweed, wait_for

__all__ = ["Asked", "Counting", "WebServer", "object_store", "seaweed", "wait_for"]


@dataclass(frozen=True)
class Asked:
    """A question that was answered with bytes."""

    path: str
    start: int
    length: int
    token: str | None


@dataclass
class Counting:
    """A gate that admits all and counts them.

    Attributes
    ----------
    turns, most : int
        All, and most of them at one time.
    notes : list of int
        Bytes that were noted.
    left : list of Exception
        What left a turn.
    """

    turns: int = 0
    most: int = 0
    notes: list = field(default_factory=list)
    left: list = field(default_factory=list)
    _now: int = 0

    @contextmanager
    def turn(self):
        self.turns, self._now = self.turns + 1, self._now + 1
        self.most = max(self.most, self._now)
        try:
            yield self
        except Exception as error:
            self.left.append(error)
            raise
        finally:
            self._now -= 1

    def received(self, size):
        self.notes.append(size)

    @property
    def bytes(self):
        return sum(self.notes)


@dataclass
class WebServer:
    """Files of a folder over HTTP, by ranges; entity tags are made of size and time.

    Attributes
    ----------
    asked : list of Asked
        What was answered.
    faults : deque
        For each of the next questions a status, or a function that answers in its own way; None for a good answer.
    ranges : bool
        Whether a question for a range is answered with that range, else with the whole file.
    """

    folder: Path
    asked: list = field(default_factory=list)
    faults: deque = field(default_factory=deque)
    ranges: bool = True

    def __enter__(self):
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Of", (_Handler,), {"web": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    def put(self, name, body):
        """Write a file, and return its URL."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        return f"{self.url}/{urllib.parse.quote(name)}"

    def note(self, handler, start, length):
        """Remember what is answered."""
        path = urllib.parse.unquote(handler.path.lstrip("/"))
        self.asked.append(Asked(path, start, length, handler.headers["Authorization"]))

    def fetched(self, name):
        """Bytes (start, stop) of a file that were answered, without the questions for its version."""
        return sorted((a.start, a.start + a.length) for a in self.asked if a.path.endswith(name) and a.length > 1)


class _Handler(http.server.BaseHTTPRequestHandler):
    web = None

    def do_GET(self):
        fault = self.web.faults.popleft() if self.web.faults else None
        if isinstance(fault, int):
            self.send_error(fault)
        elif fault:
            fault(self)
        else:
            self.answer()

    def do_HEAD(self):
        self.do_GET()

    @property
    def file(self):
        return self.web.folder / urllib.parse.unquote(urllib.parse.urlsplit(self.path).path).lstrip("/")

    def answer(self, *, cut=0, status=206, tag=None):
        """Answer a range; `cut` bytes of it are not sent."""
        try:
            size, changed = self.file.stat().st_size, self.file.stat().st_mtime_ns
        except FileNotFoundError:
            self.send_error(404)
            return
        asked = self.web.ranges and re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"] or "")
        first, last, status = (int(asked[1]), int(asked[2] or size - 1), status) if asked else (0, size - 1, 200)
        if first >= size:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{size}")
            self.end_headers()
            return
        last = min(last, size - 1) if status == 206 else size - 1
        self.send_response(status)
        if status == 206:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.send_header("Content-Length", str(last - first + 1))
        self.send_header("ETag", tag or f'"{size:x}-{changed:x}"')
        self.end_headers()
        if self.command == "HEAD":
            return
        # Before the body: who has that may look at once.
        self.web.note(self, first, last - first + 1)
        with self.file.open("rb") as file:
            file.seek(first)
            self.wfile.write(file.read(last - first + 1 - cut))

    def handle(self):
        try:
            super().handle()
        except ConnectionError:  # whoever asked has seen enough
            self.close_connection = True

    def log_message(self, *_):
        pass
