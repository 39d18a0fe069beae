"""What all questions to web servers share: new credentials are not waited for with a turn in hand."""

import io
from contextlib import contextmanager

import pytest

from sen12ts_pipeline.acquisition.asking import text_of
from sen12ts_pipeline.acquisition.http import HttpFile
from sen12ts_pipeline.acquisition.opening import is_page, shown
from sen12ts_pipeline.acquisition.provider import Credentials, Provider
from sen12ts_pipeline.acquisition.stream import Stream, download
from tests.acquisition.buckets import Bucket


class OneAtATime:
    """A gate of one connection that tells whether it is held."""

    held = False

    @contextmanager
    def turn(self):
        assert not self.held
        self.held = True
        try:
            yield self
        finally:
            self.held = False

    def received(self, size):
        pass


class Renewed:
    """Access whose first token has run out; who gives tokens stands behind the same gate."""

    def __init__(self, gate):
        self.gate, self.token = gate, "old"

    def credentials(self):
        assert not self.gate.held
        return Credentials({"Authorization": self.token})

    def refused(self, credentials):
        assert not self.gate.held
        self.token = "new"
        return True


def to_file(url, provider, tmp_path):
    download(url, tmp_path / "part", "a", provider, lambda done, size: None)
    return (tmp_path / "part").read_bytes()


def to_stream(url, provider, tmp_path):
    out = io.BytesIO()
    Stream(url, "a", provider, checked=True).complete(out)
    return out.getvalue()


WAYS = {
    "a whole file": to_file,
    "a stream": to_stream,
    "a text": lambda url, provider, tmp_path: text_of(url, "a", provider),
    "a version": lambda url, provider, tmp_path: HttpFile(url, "a", "a", provider).version(),
}


@pytest.mark.parametrize("way", WAYS)
def test_credentials_are_renewed_without_a_turn_in_hand(way, tmp_path):
    gate = OneAtATime()
    with Bucket({"a": b"content"}) as bucket:
        bucket.faults.append(401)
        if way == "a version":
            bucket.faults.append(of_one_byte)
        WAYS[way](f"{bucket.url}/a", Provider("x", Renewed(gate), gate=gate), tmp_path)
        assert bucket.shown == ["old", "new"]


def of_one_byte(handler):
    handler.send_response(206)
    handler.send_header("Content-Range", "bytes 0-0/7")
    handler.send_header("Content-Length", "1")
    handler.end_headers()
    handler.wfile.write(b"c")


def test_what_is_shown_of_an_address_has_no_secret():
    assert shown("https://user:password@host/a/b?sig=secret#x") == "https://host/a/b"


@pytest.mark.parametrize(
    ("head", "page"), [(b" <!DOCTYPE html>", True), (b"<HTML>", True), (b"<xml>", False), (b"", False)]
)
def test_pages_are_told_by_their_beginning(head, page):
    assert is_page(head) is page
