"""Buckets over HTTP: open ones under names of their own, and one of the Copernicus Data Space, for users with keys.

Signatures are checked, by botocore's own arithmetic: an unknown key, a wrong secret or an old request is refused.
"""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

from tests.world.web import Reply, in_file

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_CREDENTIAL = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, ?SignedHeaders=([^,]+), ?Signature=(\w+)"
)


@dataclass
class OpenBucket:
    """A bucket that all may read.

    Attributes
    ----------
    name : str
        Of the bucket.
    objects : mapping of str to Path
        Files by their keys.
    listable : bool
        Whether it may be listed; a key that is not there is 404 then, and 403 where it may not.
    page : int
        Most keys of one listing.
    """

    name: str
    objects: dict
    listable: bool = True
    page: int = 1000

    def __call__(self, request):
        key = request.path.lstrip("/")
        if not key:
            return self.listing(request) if self.listable else _error(403, "AccessDenied")
        return self.object(request, key)

    def object(self, request, key):
        """Answer with an object."""
        if key not in self.objects:
            return _error(404, "NoSuchKey", key) if self.listable else _error(403, "AccessDenied")
        path = self.objects[key]
        return in_file(request, path, {"ETag": _tag(path), "Last-Modified": "Wed, 01 Nov 2023 00:00:00 GMT"})

    def listing(self, request):
        """Answer with a page of keys, in either version of the question."""
        asked = request.query
        second, prefix = asked.get("list-type") == "2", asked.get("prefix", "")
        after = asked.get("continuation-token") or asked.get("start-after") or asked.get("marker") or ""
        keys = [k for k in sorted(self.objects) if k.startswith(prefix) and k > after]
        given = keys[: min(int(asked.get("max-keys", 1000)), self.page)]
        more = len(given) < len(keys)
        words = [("Name", self.name), ("Prefix", prefix), ("MaxKeys", str(asked.get("max-keys", 1000)))]
        words += [("KeyCount", str(len(given)))] if second else [("Marker", asked.get("marker", ""))]
        words += [("IsTruncated", str(more).lower())]
        words += [("NextContinuationToken", given[-1])] if second and more else []
        head = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in words)
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="{NAMESPACE}">{head}'
        body += "".join(self._contents(key) for key in given) + "</ListBucketResult>"
        return Reply(200, body.encode(), {"Content-Type": "application/xml"})

    def _contents(self, key):
        path = self.objects[key]
        words = [("Key", key), ("LastModified", "2023-11-01T00:00:00.000Z"), ("ETag", _tag(path))]
        words += [("Size", str(path.stat().st_size)), ("StorageClass", "STANDARD")]
        return f"<Contents>{''.join(f'<{n}>{escape(v)}</{n}>' for n, v in words)}</Contents>"


@dataclass
class EoData:
    """The object store of the Copernicus Data Space: path-style addresses, signed requests, limits told in headers.

    Attributes
    ----------
    key, secret : str
        Of the user.
    limit : int
        Requests of a minute that the headers tell.
    """

    objects: dict
    key: str
    secret: str
    limit: int = 2000
    asked: int = field(default=0)

    def __call__(self, request):
        self.asked += 1
        refusal = self._refusal(request)
        reply = refusal or self._answer(request)
        left = max(self.limit - self.asked, 0)
        limits = {"x-ratelimit-limit": f"{self.limit}, {self.limit};w=60", "x-ratelimit-reset": "20", "server": "envoy"}
        reply.headers.update(limits | {"x-ratelimit-remaining": str(left), "x-rgw-object-type": "Normal"})
        return reply

    def _answer(self, request):
        bucket, _, key = request.path.lstrip("/").partition("/")
        if bucket != "eodata":
            return _error(404, "NoSuchBucket", bucket)
        holding = OpenBucket("eodata", self.objects)
        return holding.object(request, key) if key else holding.listing(request)

    def _refusal(self, request):
        match = _CREDENTIAL.fullmatch(request.headers.get("authorization", ""))
        if not match:
            return _error(403, "AccessDenied")
        if match[1] != self.key:
            return _error(403, "InvalidAccessKeyId")
        signed = signature(request, self.key, self.secret, region=match[3], headers=match[4].split(";"))
        return None if signed == match[5] else _error(403, "SignatureDoesNotMatch")


def signature(request, key, secret, *, region, headers):
    """What a request must be signed with (Signature Version 4)."""
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    url = f"http://{request.headers['host']}{request.target}"
    shown = {name: request.headers[name] for name in headers}
    asked = AWSRequest(method=request.method, url=url, headers=shown, data=request.body)
    asked.context.update(timestamp=request.headers["x-amz-date"], payload_signing_enabled=False)
    auth = S3SigV4Auth(Credentials(key, secret), "s3", region)
    auth.payload = lambda _: request.headers["x-amz-content-sha256"]
    return auth.signature(auth.string_to_sign(asked, auth.canonical_request(asked)), asked)


def keys_below(held):
    """Files of products by their keys in ``eodata``."""
    places = {one: one.s3_path.removeprefix("/eodata/") for one in held}
    return {f"{place}/{name}": one.folder / name for one, place in places.items() for name in one.files}


def folder(root):
    """Files of a folder by their paths in it."""
    return {p.relative_to(root).as_posix(): p for p in sorted(Path(root).rglob("*")) if p.is_file()}


def _tag(path):
    """In the form of an upload in parts, which is no digest of the content."""
    status = path.stat()
    return f'"{hashlib.md5(f"{status.st_size} {status.st_mtime_ns}".encode()).hexdigest()}-1"'


def _error(status, code, key=""):
    about = f"<Key>{escape(key)}</Key>" if key else ""
    body = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{code}</Message>{about}</Error>'
    return Reply(status, body.encode(), {"Content-Type": "application/xml"})
