"""Faults of servers on demand: what happens, to which questions, and how often.

Each is a change of the answer that would have been good; those that were reported by users of real archives.
"""

import json
import re
import threading
import urllib.parse
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tests.world.web import Reply, Span

PAGE = b"<html><head><title>Sign in</title></head><body>Please sign in to go on.</body></html>"


@dataclass(frozen=True)
class Fault:
    """A name for reports, and what becomes of a good answer."""

    name: str
    change: Callable


def busy(wait="0"):
    """Too many requests; ``Retry-After`` tells when to come back."""
    body = b'{"code": "DAT-ZIP-100", "message": "Max session number exceeded"}'
    return Fault("429, Retry-After", lambda reply: Reply(429, body, {"Retry-After": wait}))


def limited(reset="0.01"):
    """Too many requests to the object store; ``x-ratelimit-reset`` tells in how many seconds to come back."""
    headers = {"x-ratelimit-limit": "2000, 2000;w=60", "x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
    body = b"<Error><Code>TooManyRequests</Code></Error>"
    return Fault("429, x-ratelimit-reset", lambda reply: Reply(429, body, headers))


def failing(status=503):
    """An internal fault of the server."""
    return Fault(str(status), lambda reply: Reply(status, b"upstream connect error"))


def reset(share=0.5):
    """The connection is reset when some of the body was sent."""
    return Fault("reset", lambda reply: replace(reply, cut=_cut(reply, share), reset=True))


def truncated(share=0.5):
    """The connection ends in good order before all that was announced was sent."""
    return Fault("truncated", lambda reply: replace(reply, cut=_cut(reply, share)))


def altered(place=0.5):
    """One byte of the body is another."""

    def change(reply):
        body = bytearray(reply.bytes)
        body[int(place * (len(body) - 1))] ^= 0x55
        return replace(reply, body=bytes(body))

    return Fault("altered", change)


def page():
    """A page for people in place of the data."""
    return Fault("html", lambda reply: Reply(200, PAGE, {"Content-Type": "text/html"}))


def trickling(pause_s=0.001):
    """The body comes in small pieces."""
    return Fault("trickling", lambda reply: replace(reply, pause_s=pause_s))


def whole():
    """All of a file in answer to a question for a range."""

    def change(reply):
        if reply.status != 206:
            return reply
        headers = {k: v for k, v in reply.headers.items() if k != "Content-Range"}
        return Reply(200, Span(reply.body.path, 0, reply.body.path.stat().st_size), headers)

    return Fault("range ignored", change)


def expired():
    """The token has expired."""
    body = b'{"code": "DAT-ZIP-109", "message": "Token has expired"}'
    return Fault("401, expired", lambda reply: Reply(401, body, {"WWW-Authenticate": "Bearer"}))


def forbidden():
    """What a bucket that may not be listed answers for a key that is not there."""
    body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
    return Fault("403", lambda reply: Reply(403, body, {"Content-Type": "application/xml"}))


def repeated():
    """A list with its first entry twice, in place of its last."""
    return Fault("repeated entry", lambda reply: _listed(reply, lambda entries: [*entries[:1], *entries[:-1]]))


def lost():
    """A list without its last entry."""
    return Fault("lost entry", lambda reply: _listed(reply, lambda entries: entries[:-1]))


def _cut(reply, share):
    return max(int(reply.size * share), 1)


def _listed(reply, change):
    answer = json.loads(reply.bytes)
    key = next(k for k in ("value", "features", "items") if k in answer)
    return replace(reply, body=json.dumps(answer | {key: change(answer[key])}).encode())


def _unsigned(target):
    """An address without its signature, which is another one each time."""
    return re.sub(r"(Signature|sig)=[^&]*", "", target)


@dataclass
class _Planned:
    fault: Fault
    host: str
    path: str
    method: str
    left: int
    between: int
    pause: int


@dataclass
class Faults:
    """What is to go wrong.

    Attributes
    ----------
    happened : Counter
        How often each fault was put into an answer, by its name.
    most : int
        Most faults that one question meets, however often it is asked.
    """

    happened: Counter = field(default_factory=Counter)
    most: int = 1000
    _met: Counter = field(default_factory=Counter)
    _planned: list = field(default_factory=list)
    _choosing: threading.Lock = field(default_factory=threading.Lock)

    def plan(self, fault, *, host, path="", times=1, method="GET|POST", after=0, between=0):
        """Let questions to a host, whose paths hold a pattern, meet a fault.

        Parameters
        ----------
        fault : Fault
            What happens.
        host, path, method : str
            Name of the host; patterns of the address with its query and of the body of a question (anywhere in them),
            and of the method.
        times : int
            How often.
        after, between : int
            How many such questions are spared before the first and between two faults.
        """
        self._planned.append(_Planned(fault, host, path, method, times, between, after))

    def due(self, request):
        """The fault that a question meets; None for a good answer."""
        question = request.host, _unsigned(request.target), request.body, request.headers.get("range")
        with self._choosing:
            if self._met[question] >= self.most:
                return None
            for one in self._planned:
                if not self._meets(one, request):
                    continue
                if one.pause:
                    one.pause -= 1
                    continue
                one.left, one.pause = one.left - 1, one.between
                self.happened[one.fault.name] += 1
                self._met[question] += 1
                return one.fault
        return None

    @staticmethod
    def _meets(one, request):
        if one.left < 1 or one.host != request.host or not re.fullmatch(one.method, request.method):
            return False
        return re.search(
            one.path, f"{urllib.parse.unquote_plus(request.target)} {request.body.decode(errors='replace')}"
        )

    @property
    def left(self):
        """Planned faults that nothing has met by now."""
        return [(one.fault.name, one.host, one.path) for one in self._planned if one.left]

    def clear(self):
        """Let nothing more go wrong."""
        self._planned.clear()
