"""An open S3 bucket on this machine, as the world sees it: files, listings by pages, 403 for what is not there."""

import http.server
import threading
import urllib.parse
from collections import deque
from xml.sax.saxutils import escape


class Bucket:
    """Objects by key.

    Attributes
    ----------
    objects : dict
        Content by key.
    asked : list of str
        Paths with queries, as they came.
    shown : list
        The Authorization header of each question.
    faults : deque
        For each of the next questions a status, or a function that answers in its own way; None for a good answer.
    missing : int
        Status for keys that are not there.
    """

    def __init__(self, objects=None, *, page=1000, missing=403):
        self.objects, self.page, self.missing = dict(objects or {}), page, missing
        self.asked, self.shown, self.faults = [], [], deque()

    def __enter__(self):
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Of", (_Handler,), {"bucket": self}))
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

    def keys_asked(self):
        """Keys of objects that were asked for, in order."""
        return [path.lstrip("/") for path in self.asked if "?" not in path]


class _Handler(http.server.BaseHTTPRequestHandler):
    bucket = None

    def do_GET(self):
        self.bucket.asked.append(urllib.parse.unquote(self.path))
        self.bucket.shown.append(self.headers["Authorization"])
        fault = self.bucket.faults.popleft() if self.bucket.faults else None
        if isinstance(fault, int):
            self.send_error(fault)
        elif fault:
            fault(self)
        else:
            self.answer()

    def answer(self, *, cut=0, body=None):
        """A good answer; `cut` bytes of it are not sent."""
        parts = urllib.parse.urlsplit(self.path)
        key = urllib.parse.unquote(parts.path).lstrip("/")
        if body is None and not key:
            values = dict(urllib.parse.parse_qsl(parts.query))
            body = self.listing(values["prefix"], values.get("marker", ""))
        body = self.bucket.objects.get(key) if body is None else body
        if body is None:
            self.send_error(self.bucket.missing)
            return
        tag, start = f'"{hash(body) & 0xFFFFFFFF:x}"', 0
        if self.headers["Range"] and self.headers["If-Range"] == tag:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        self.send_header("ETag", tag)
        self.end_headers()
        self.wfile.write(body[start : len(body) - cut])

    def listing(self, prefix, marker):
        keys = sorted(k for k in self.bucket.objects if k.startswith(prefix) and k > marker)
        page = keys[: self.bucket.page]
        inner = "".join(
            f"<Contents><Key>{escape(k)}</Key><Size>{len(self.bucket.objects[k])}</Size></Contents>" for k in page
        )
        more = str(len(keys) > len(page)).lower()
        space = "http://s3.amazonaws.com/doc/2006-03-01/"
        return f'<ListBucketResult xmlns="{space}"><IsTruncated>{more}</IsTruncated>{inner}</ListBucketResult>'.encode()

    def handle(self):
        try:
            super().handle()
        except ConnectionError:  # whoever asked has seen enough
            self.close_connection = True

    def log_message(self, *_):
        pass
