"""Servers on this machine: a web server that notes what it is asked for and fails when it is told to, and SeaweedFS."""

import http.server
import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Asked:
    """A question that was answered with bytes."""

    path: str
    start: int
    length: int
    token: str | None


@dataclass
class WebServer:
    """Files of a folder over HTTP, by ranges; entity tags are made of size and time.

    Attributes
    ----------
    asked : list of Asked
        What was answered.
    faults : deque
        For each of the next questions a status, or a function that answers in its own way; None for a good answer.
    """

    folder: Path
    asked: list = field(default_factory=list)
    faults: deque = field(default_factory=deque)

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
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"] or "")
        first, last, status = (int(asked[1]), int(asked[2]), status) if asked else (0, size - 1, 200)
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
        with self.file.open("rb") as file:
            file.seek(first)
            self.wfile.write(file.read(last - first + 1 - cut))
        path = urllib.parse.unquote(self.path.lstrip("/"))
        self.web.asked.append(Asked(path, first, last - first + 1, self.headers["Authorization"]))

    def handle(self):
        try:
            super().handle()
        except ConnectionError:  # whoever asked has seen enough
            self.close_connection = True

    def log_message(self, *_):
        pass


def seaweed():
    """The program `weed` of SeaweedFS, beside this Python or on the path; None if it is not installed."""
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.exists() else shutil.which("weed")


@contextmanager
def object_store(folder):
    """SeaweedFS with an S3 interface on this machine; yields the environment in which boto3 finds it."""
    folder.mkdir()
    identity = {"name": "tests", "credentials": [{"accessKey": "key", "secretKey": "secret"}], "actions": ["Admin"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    master, volume, filer, s3 = _free_ports(4)
    ports = [f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}", f"-s3.port={s3}"]
    ports += ["-s3.port.iceberg=0", "-s3.port.lance=0"]
    here = ["-dir=.", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-volume.max=8", "-master.volumeSizeLimitMB=64"]
    with (folder / "log").open("wb") as log:
        command = [seaweed(), "server", *here, "-s3", "-s3.config=s3.json", *ports]
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield {
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{s3}",
                "AWS_ACCESS_KEY_ID": "key",
                "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_DEFAULT_REGION": "default",
            }
        finally:
            process.kill()  # its own way to end may take minutes, and nothing of it is kept
            process.wait()


def wait_for(environment):
    """Client of an object store, when it answers."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    names = {"endpoint_url": "ENDPOINT_URL", "aws_access_key_id": "ACCESS_KEY_ID", "region_name": "DEFAULT_REGION"}
    names["aws_secret_access_key"] = "SECRET_ACCESS_KEY"
    client = boto3.client("s3", **{key: environment[f"AWS_{name}"] for key, name in names.items()})
    for _ in range(300):
        try:
            client.list_buckets()
            return client
        except (BotoCoreError, ClientError):
            time.sleep(0.2)
    raise AssertionError("the object store does not answer")


def _free_ports(count):
    """Ports p for which p and p + 10000, where SeaweedFS puts its own protocol, are free."""
    found = []
    for port in range(21000 + time.time_ns() % 9000, 40000):
        with socket.socket() as one, socket.socket() as other:
            try:
                one.bind(("127.0.0.1", port))
                other.bind(("127.0.0.1", port + 10000))
            except OSError:
                continue
            found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no free ports")
