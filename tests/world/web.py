"""Hosts of a world: real HTTP on this machine, every exchange written down, faults put in between.

A service is a function that makes a `Reply` of a `Request`. Hosts differ by their ports, as servers of the world do by
their names.
"""

import contextlib
import http.server
import json
import re
import socket
import struct
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True)
class Request:
    """A question; path and query are decoded, names of headers are in lower case."""

    host: str
    method: str
    target: str
    path: str
    query: dict
    headers: dict
    body: bytes

    @property
    def form(self):
        """Fields of a form that was sent, each with all its values."""
        return urllib.parse.parse_qs(self.body.decode(errors="replace"))

    @property
    def bearer(self):
        """The bearer token that was shown; empty if none was."""
        return (re.fullmatch(r"Bearer (\S+)", self.headers.get("authorization", "")) or ["", ""])[1]


@dataclass(frozen=True)
class Span:
    """Bytes of a file."""

    path: Path
    start: int
    length: int


@dataclass(frozen=True)
class Reply:
    """An answer, and in what way it is sent.

    Attributes
    ----------
    body : bytes or Span
        What belongs to the answer.
    cut : int
        Bytes of the body, at its end, that are announced and not sent.
    reset : bool
        Whether the connection is then reset instead of closed.
    pause_s : float
        Time between two thousand bytes.
    """

    status: int = 200
    body: bytes | Span = b""
    headers: dict = field(default_factory=dict)
    cut: int = 0
    reset: bool = False
    pause_s: float = 0.0

    @property
    def size(self):
        return self.body.length if isinstance(self.body, Span) else len(self.body)

    @property
    def bytes(self):
        """All of the body."""
        if not isinstance(self.body, Span):
            return self.body
        with self.body.path.open("rb") as file:
            file.seek(self.body.start)
            return file.read(self.body.length)

    def sent(self):
        """Pieces of what is sent of the body."""
        left, whole = self.size - self.cut, self.bytes if not isinstance(self.body, Span) or self.pause_s else None
        step = 1000 if self.pause_s else CHUNK_BYTES
        if whole is not None:
            yield from (whole[k : min(k + step, left)] for k in range(0, left, step))
            return
        with self.body.path.open("rb") as file:
            file.seek(self.body.start)
            while left > 0:
                piece = file.read(min(step, left))
                left -= len(piece)
                yield piece


def as_json(value, status=200, headers=None):
    """An answer in JSON."""
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})


def in_file(request, path, headers=None, *, ranges=True):
    """An answer with a file, or with the range of it that was asked for (RFC 9110, section 14)."""
    size, headers = path.stat().st_size, {"Content-Type": "application/octet-stream", **(headers or {})}
    if not ranges:
        return Reply(200, Span(path, 0, size), headers)
    headers["Accept-Ranges"] = "bytes"
    asked = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
    if not asked or not any(asked.groups()):
        return Reply(200, Span(path, 0, size), headers)
    first = int(asked[1]) if asked[1] else max(size - int(asked[2]), 0)
    last = min(int(asked[2]), size - 1) if asked[1] and asked[2] else size - 1
    if first > last:
        return Reply(416, b"", {"Content-Range": f"bytes */{size}"})
    return Reply(206, Span(path, first, last - first + 1), headers | {"Content-Range": f"bytes {first}-{last}/{size}"})


@dataclass
class Exchange:
    """What was asked, what was answered, and the bytes of the body that were sent by now."""

    request: Request
    status: int
    fault: str = ""
    sent: int = 0


@dataclass
class Journal:
    """Exchanges of all hosts of a world, in the order of their answers."""

    exchanges: list = field(default_factory=list)

    def of(self, host=None, path=""):
        """Exchanges with a host whose paths hold a pattern."""
        found = list(self.exchanges)
        return [x for x in found if host in (None, x.request.host) and re.search(path, x.request.path)]

    def sent(self, host=None, path=""):
        """Bytes of bodies that were sent."""
        return sum(x.sent for x in self.of(host, path))


class Host:
    """A server that answers as a service says, unless a fault is due.

    Parameters
    ----------
    name : str
        Under which exchanges are written down and faults are planned.
    service : callable
        From `Request` to `Reply`.
    journal : Journal
        Shared by the hosts of a world.
    faults : Faults
        Shared likewise.
    """

    def __init__(self, name, service, journal, faults):
        self.name, self.service, self.journal, self.faults = name, service, journal, faults
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Of", (_Handler,), {"of": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, request):
        """The answer to a question, and its place in the journal."""
        reply, fault = self.service(request), self.faults.due(request)
        if fault:
            reply = fault.change(reply)
        exchange = Exchange(request, reply.status, fault.name if fault else "")
        self.journal.exchanges.append(exchange)  # before the body: who has that may look at once
        return reply, exchange


class _Handler(http.server.BaseHTTPRequestHandler):
    of = None

    def do_GET(self):
        reply, exchange = self.of.answer(self._request())
        self.send_response(reply.status)
        for name, value in ({"Content-Length": str(reply.size)} | reply.headers | {"Connection": "close"}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            for piece in reply.sent():
                exchange.sent += len(piece)
                self.wfile.write(piece)
                time.sleep(reply.pause_s)
        if reply.reset:
            self.wfile.flush()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def do_HEAD(self):
        self.do_GET()

    def do_POST(self):
        self.do_GET()

    def _request(self):
        parts = urllib.parse.urlsplit(self.path)
        return Request(
            self.of.name,
            self.command,
            self.path,
            urllib.parse.unquote(parts.path),
            dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True)),
            {name.lower(): value for name, value in self.headers.items()},
            self.rfile.read(int(self.headers["Content-Length"] or 0)),
        )

    def handle(self):
        with contextlib.suppress(ConnectionError):  # whoever asked has seen enough
            super().handle()

    def finish(self):
        with contextlib.suppress(OSError, ValueError):  # after a reset nothing can be flushed
            super().finish()

    def log_message(self, *_):
        pass
