"""Where users of the Copernicus Data Space sign in and download: tokens, and products as zips made on the fly."""

import re
import secrets
import threading
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from tests.world.web import as_json, in_file

TOKEN_PATH = "/auth/realms/CDSE/protocol/openid-connect/token"


@dataclass
class Identity:
    """The token service: grants by password and by refresh token, sessions that are counted, tokens that expire.

    Attributes
    ----------
    user, password : str
        Who is let in.
    mark : str
        In every token, so that one can be found wherever it was written.
    life_s, refresh_life_s : float
        Of tokens.
    grants : list of str
        Kinds of the grants asked for, in their order.
    """

    user: str
    password: str
    mark: str
    life_s: float = 600.0
    refresh_life_s: float = 3600.0
    most_sessions: int = 100
    grants: list = field(default_factory=list)
    _access: dict = field(default_factory=dict)
    _refresh: dict = field(default_factory=dict)
    _granting: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request):
        if request.path != TOKEN_PATH or request.method != "POST":
            return as_json({"error": "RESTEASY003210: Could not find resource for full path"}, 404)
        form = {name: values[0] for name, values in request.form.items()}
        if form.get("client_id") != "cdse-public":
            return as_json({"error": "invalid_client", "error_description": "Invalid client credentials"}, 401)
        with self._granting:
            self.grants.append(form.get("grant_type", ""))
            return self._granted(form)

    def _granted(self, form):
        if form.get("grant_type") == "password":
            if (form.get("username"), form.get("password")) != (self.user, self.password):
                return as_json({"error": "invalid_grant", "error_description": "Invalid user credentials"}, 401)
            if self.sessions >= self.most_sessions:
                return as_json({"code": "DAT-ZIP-100", "message": "Max session number exceeded"}, 429)
        elif form.get("grant_type") == "refresh_token":
            if self._refresh.pop(form.get("refresh_token"), 0.0) < time.monotonic():
                return as_json({"error": "invalid_grant", "error_description": "Token is not active"}, 400)
        else:
            return as_json({"error": "unsupported_grant_type"}, 400)
        return as_json(self._new())

    def _new(self):
        access, refresh = (f"{self.mark}-{kind}-{secrets.token_urlsafe(12)}" for kind in ("access", "refresh"))
        self._access[access] = time.monotonic() + self.life_s
        self._refresh[refresh] = time.monotonic() + self.refresh_life_s
        return {
            "access_token": access,
            "expires_in": self.life_s,
            "refresh_expires_in": int(self.refresh_life_s),
            "refresh_token": refresh,
            "token_type": "Bearer",
            "not-before-policy": 0,
            "session_state": secrets.token_hex(8),
            "scope": "AUDIENCE_PUBLIC openid email profile",
        }

    @property
    def sessions(self):
        """Sessions that have not ended by now."""
        now = time.monotonic()
        return sum(until > now for until in self._refresh.values())

    def admits(self, token):
        """Whether an access token holds good."""
        return self._access.get(token, 0.0) > time.monotonic()

    def expire(self):
        """Let all access tokens be too old from now on."""
        self._access = dict.fromkeys(self._access, 0.0)


@dataclass
class Download:
    """The download service: whole products as zips without compression, single files; ranges are not regarded."""

    held: list
    identity: Identity
    work: Path

    def __call__(self, request):
        match = re.fullmatch(r"/odata/v1/Products\(([^)]*)\)((?:/Nodes\([^)]*\))*)/\$value", request.path)
        if not match or not re.fullmatch(r"[0-9a-f-]+", match[1]):
            return _refused(400, "DAT-ZIP-104", "Malformed OData request path")
        if not request.bearer:
            return _refused(401, "DAT-ZIP-604", "Token not found")
        if not self.identity.admits(request.bearer):
            return _refused(401, "DAT-ZIP-109", "Token has expired")
        found = [h for h in self.held if h.id == match[1]]
        if not found:
            return _refused(404, "DAT-ZIP-101", "Product not found")
        return self._node(request, found[0], re.findall(r"\(([^)]*)\)", match[2]))

    def _node(self, request, held, nodes):
        if not nodes:
            path = held.zipped(self.work, zipfile.ZIP_STORED)
            named = {"Content-Type": "application/zip", "Content-Disposition": f"attachment; filename={held.safe}.zip"}
            return in_file(request, path, named, ranges=False)
        name = "/".join(nodes[1:])
        if nodes[0] != held.safe or name not in held.files:
            return _refused(404, "DAT-ZIP-101", "Node not found")
        return in_file(request, held.folder / name, ranges=False)


def _refused(status, code, message):
    return as_json({"code": code, "message": message}, status)
