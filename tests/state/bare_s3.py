"""A small S3 server in memory that can be told to fail, to ignore conditions, or not to know them."""

import hashlib
import http.server
import itertools
import re
import threading
import time
import urllib.parse
from collections import deque
from dataclasses import dataclass, field
from email.utils import formatdate
from xml.sax.saxutils import escape

PAGE = 3
"""Objects of one page of a listing."""


@dataclass
class BareS3:
    """The server.

    Attributes
    ----------
    conditions : str
        ``kept``, ``ignored`` or ``unknown``; `part_conditions` the same for uploads in parts.
    faults : deque
        For each of the next requests a status, an S3 code, or a function of the handler; None for a good answer.
    objects : dict
        Body, time of writing and headers by ``/bucket/key``.
    asked : list
        Method, path with query, and headers of every request.
    """

    conditions: str = "kept"
    part_conditions: str = "kept"
    faults: deque = field(default_factory=deque)
    objects: dict = field(default_factory=dict)
    uploads: dict = field(default_factory=dict)
    asked: list = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self):
        handler = type("Of", (_Handler,), {"s3": self, "numbers": itertools.count(1)})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def requests(self, method, part=""):
        """Paths of the requests of a method that hold a text."""
        return [path for asked, path, _ in self.asked if asked == method and part in path]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    s3 = None
    numbers = None

    def do_PUT(self):
        body = self.begin()
        if body is None:
            return
        if "uploadId" in self.query:
            parts = self.s3.uploads[self.query["uploadId"]][1]
            parts[int(self.query["partNumber"])] = body
            self.answer(200, headers={"ETag": f'"{hashlib.md5(body).hexdigest()}"'})
        else:
            self.store(body, self.s3.conditions)

    def do_POST(self):
        body = self.begin()
        if body is None:
            return
        if "uploads" in self.query:
            upload = f"u{next(self.numbers)}"
            self.s3.uploads[upload] = (self.key, {}, time.time())
            self.answer(200, f"<R><UploadId>{upload}</UploadId></R>")
        elif self.query["uploadId"] not in self.s3.uploads:
            self.refuse(404, "NoSuchUpload")
        else:
            parts = self.s3.uploads[self.query["uploadId"]][1]
            named = [int(number) for number in re.findall(rb"<PartNumber>(\d+)", body)]
            self.store(b"".join(parts[number] for number in named), self.s3.part_conditions)

    def do_GET(self):
        if self.begin() is None:
            return
        with self.s3.lock:
            known = self.s3.objects.get(self.key)
        if "uploads" in self.query:
            self.list_uploads()
        elif "list-type" in self.query:
            self.list_objects()
        elif self.key.count("/") == 1:
            self.answer(200)
        elif known:
            self.answer(200, known[0], {"ETag": '"e"', "Last-Modified": formatdate(known[1], usegmt=True)})
        else:
            self.refuse(404, "NoSuchKey")

    def do_HEAD(self):
        self.do_GET()

    def do_DELETE(self):
        if self.begin() is None:
            return
        with self.s3.lock:
            if "uploadId" in self.query:
                self.s3.uploads.pop(self.query["uploadId"], None)
            else:
                self.s3.objects.pop(self.key, None)
        self.answer(204)

    def begin(self):
        """Body of the request; None if it was answered with a fault."""
        parsed = urllib.parse.urlsplit(self.path)
        self.key = urllib.parse.unquote(parsed.path).rstrip("/")
        self.query = dict(urllib.parse.parse_qsl(parsed.query, keep_blank_values=True))
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.s3.asked.append((self.command, self.path, dict(self.headers)))
        fault = self.s3.faults.popleft() if self.s3.faults else None
        if callable(fault):
            fault(self)
        elif fault:
            status, code = fault if isinstance(fault, tuple) else (fault, "Fault")
            self.refuse(status, code)
        return None if fault else body

    def store(self, body, conditions):
        with self.s3.lock:
            demanded = "If-None-Match" in self.headers
            if demanded and conditions == "unknown":
                self.refuse(501, "NotImplemented")
                return
            if demanded and conditions == "kept" and self.key in self.s3.objects:
                self.refuse(412, "PreconditionFailed")
                return
            self.s3.objects[self.key] = (body, time.time(), dict(self.headers))
            self.s3.uploads.pop(self.query.get("uploadId"), None)
        self.answer(200, "<R/>" if "uploadId" in self.query else b"", {"ETag": '"e"'})

    def list_objects(self):
        bucket, prefix, after = f"{self.key}/", self.query["prefix"], self.query.get("continuation-token", "")
        with self.s3.lock:
            known = {name.removeprefix(bucket): one for name, one in self.s3.objects.items() if name.startswith(bucket)}
        names = sorted(name for name in known if name.startswith(prefix) and name > after)
        if "delimiter" in self.query:
            folders = {prefix + name.removeprefix(prefix).split("/")[0] for name in names if "/" in name[len(prefix) :]}
            rows = [f"<CommonPrefixes><Prefix>{escape(name)}/</Prefix></CommonPrefixes>" for name in sorted(folders)]
            self.answer(200, f"<R>{''.join(rows)}</R>")
            return
        rows = [
            f"<Contents><Key>{escape(name)}</Key><Size>{len(known[name][0])}</Size>"
            f"{_time('LastModified', known[name][1])}</Contents>"
            for name in names[:PAGE]
        ]
        more = len(names) > PAGE
        token = f"<NextContinuationToken>{escape(names[PAGE - 1])}</NextContinuationToken>" if more else ""
        self.answer(200, f"<R><IsTruncated>{str(more).lower()}</IsTruncated>{token}{''.join(rows)}</R>")

    def list_uploads(self):
        bucket = f"{self.key}/"
        rows = [
            f"<Upload><Key>{escape(key.removeprefix(bucket))}</Key><UploadId>{upload}</UploadId>"
            f"{_time('Initiated', begun)}</Upload>"
            for upload, (key, _, begun) in self.s3.uploads.items()
        ]
        self.answer(200, f"<R>{''.join(rows)}</R>")

    def refuse(self, status, code):
        body = "" if self.command == "HEAD" else f"<Error><Code>{code}</Code><Message>no</Message></Error>"
        self.answer(status, body)

    def answer(self, status, body=b"", headers=()):
        body = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


def _time(name, seconds):
    return f"<{name}>{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.000Z</{name}>"
