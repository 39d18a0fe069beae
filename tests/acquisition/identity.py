"""A server of tokens and of one file, like that of the Copernicus Data Space, and a worker that asks it."""

import http.server
import itertools
import json
import threading
import urllib.parse
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from sen12ts_pipeline.acquisition.tokens import TokenAccess

USER, PASSWORD = "somebody@example.org", "not-to-be-shown"
BODY = bytes(range(256))


@dataclass
class Identity:
    """Grants tokens for a password or a refresh token; gives the file to who shows a token that is good.

    Attributes
    ----------
    grants : list of str
        Kinds of the grants, in order.
    denied : int
        Grants that were refused.
    good : set of str
        Access tokens that let one in.
    refreshing : set of str
        Refresh tokens that are good.
    faults, file_faults : deque
        Functions that answer the next questions for tokens, or for the file, in their own way.
    shown : list of str
        Tokens that the file was asked for with.
    """

    password: str = PASSWORD
    life_s: float = 600.0
    refresh_life_s: float = 3600.0
    grants: list = field(default_factory=list)
    denied: int = 0
    good: set = field(default_factory=set)
    refreshing: set = field(default_factory=set)
    faults: deque = field(default_factory=deque)
    file_faults: deque = field(default_factory=deque)
    shown: list = field(default_factory=list)

    def __enter__(self):
        self._numbers = itertools.count(1)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Of", (_Handler,), {"identity": self}))
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

    def access(self, folder, password=PASSWORD, **options):
        """Access by this server's tokens."""
        return TokenAccess(f"{self.url}/token", "cdse-public", USER, password, folder, **options)

    def forget(self):
        """Make all tokens worthless."""
        self.good.clear()
        self.refreshing.clear()

    def grant(self, form):
        """Status and answer to a question for a token."""
        known = form.get("username") == USER and form.get("password") == self.password
        refreshed = form.get("refresh_token") in self.refreshing
        if form["grant_type"] == "password" and not known:
            self.denied += 1
            return 401, {"error": "invalid_grant", "error_description": "Invalid user credentials"}
        if form["grant_type"] == "refresh_token" and not refreshed:
            self.denied += 1
            return 400, {"error": "invalid_grant", "error_description": "Token is not active"}
        number = next(self._numbers)
        self.grants.append(form["grant_type"])
        self.good.add(f"access-{number}")
        self.refreshing = {f"refresh-{number}"}
        times = {"expires_in": self.life_s, "refresh_expires_in": self.refresh_life_s}
        return 200, {"access_token": f"access-{number}", "refresh_token": f"refresh-{number}", **times}


class _Handler(http.server.BaseHTTPRequestHandler):
    identity = None

    def do_POST(self):
        form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        if self.identity.faults:
            self.identity.faults.popleft()(self)
        else:
            self.send(*self.identity.grant(form))

    def do_GET(self):
        token = (self.headers["Authorization"] or "").removeprefix("Bearer ")
        self.identity.shown.append(token)
        if self.identity.file_faults:
            self.identity.file_faults.popleft()(self)
        elif token not in self.identity.good:
            self.send(401, {"code": "DAT-ZIP-109", "message": "Token expired"})
        else:
            first, last = (int(x) for x in self.headers["Range"].removeprefix("bytes=").split("-"))
            part = BODY[first : last + 1]
            self.send(206, part, {"Content-Range": f"bytes {first}-{first + len(part) - 1}/{len(BODY)}", "ETag": "a"})

    def send(self, status, reply, headers=None):
        body = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def show(url, folder, password, told, start):
    """Note in a folder which token a process of its own gets, or why it gets none."""
    start.wait(120)
    try:
        text = TokenAccess(url, "cdse-public", USER, password, folder).credentials().headers["Authorization"]
    except Exception as error:  # noqa: BLE001 - whatever it is, the test looks at it
        text = f"{type(error).__name__}: {error}"
    place = Path(told)
    with place.open("a") as file:
        file.write(text + "\n")
