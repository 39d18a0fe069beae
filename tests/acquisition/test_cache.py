"""Files that are fetched once, whole, and kept; and what is said when that is not possible."""

import functools
import hashlib
import multiprocessing
import pickle
import threading

import pytest

from sen12ts_pipeline import passing
from sen12ts_pipeline.acquisition.cache import Absent, Cache, cache_folder, digest_of
from sen12ts_pipeline.acquisition.provider import Credentials, Provider
from sen12ts_pipeline.errors import BadProduct, ConfigurationError, Retryable
from tests.acquisition.buckets import Bucket

BODY = bytes(range(256)) * 12_000  # three chunks


def fine(path):
    """Every file is the right one."""


def refuse(path):
    raise ValueError(f"it has {path.stat().st_size} bytes and no header")


@pytest.fixture
def bucket(monkeypatch):
    monkeypatch.setattr(passing, "FIRST_WAIT_S", 0.001)
    with Bucket({"a/file.bin": BODY}) as bucket:
        yield bucket


@pytest.fixture
def fetched(bucket, tmp_path):
    cache = Cache(tmp_path / "cache")

    def fetch(key="a/file.bin", check=fine, **options):
        return cache.fetched(f"{bucket.url}/{key}", "file.bin", check, **options)

    return fetch


def kept(tmp_path):
    """What lies in the cache, but for locks."""
    return sorted(p.name for p in (tmp_path / "cache").iterdir() if not p.name.endswith(".lock"))


class TestAFile:
    def test_is_fetched_once_and_all_of_it(self, fetched, bucket, tmp_path):
        assert fetched().read_bytes() == BODY
        assert fetched() == tmp_path / "cache/file.bin"
        assert bucket.keys_asked() == ["a/file.bin"]

    def test_has_its_digest_beside_it(self, fetched, tmp_path):
        path = fetched()
        assert kept(tmp_path) == ["file.bin", "file.bin.sha256"]
        assert digest_of(path) == hashlib.sha256(BODY).hexdigest()

    def test_is_compared_with_what_is_published(self, fetched, tmp_path):
        with pytest.raises(BadProduct, match=r"file\.bin: must have 7 bytes; the server gives 3072000"):
            fetched(size=7)
        with pytest.raises(BadProduct, match="must have the MD5 0123; what came has"):
            fetched(md5="0123")
        assert kept(tmp_path) == []
        assert fetched(size=len(BODY), md5=hashlib.md5(BODY).hexdigest().upper()).exists()

    def test_that_is_not_the_one_wanted_is_not_kept(self, fetched, bucket, tmp_path):
        with pytest.raises(
            BadProduct, match=rf"file\.bin: what {bucket.url}/a/file\.bin gives is not the file: it has"
        ):
            fetched(check=refuse)
        assert kept(tmp_path) == []
        assert fetched().exists()

    def test_tells_how_far_it_is(self, bucket, tmp_path):
        told = []
        Cache(tmp_path, tell=lambda *news: told.append(news)).fetched(f"{bucket.url}/a/file.bin", "x", fine)
        assert told[-1] == ("x", len(BODY), len(BODY))
        assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


class TestFaultsThatPass:
    def test_a_busy_server_is_asked_again(self, fetched, bucket):
        bucket.faults += [503, 429, 500]
        assert fetched().read_bytes() == BODY

    def test_a_transfer_that_breaks_off_goes_on_where_it_stopped(self, fetched, bucket):
        sent = []

        def note(handler):
            sent.append(handler.headers["Range"])
            handler.answer()

        bucket.faults += [lambda handler: handler.answer(cut=1_000_000), note]
        assert fetched().read_bytes() == BODY
        assert sent == ["bytes=2072000-"]

    def test_a_file_that_changes_meanwhile_is_fetched_anew(self, fetched, bucket):
        def half(handler):
            handler.answer(cut=1_000_000)
            bucket.objects["a/file.bin"] = BODY[::-1]

        bucket.faults.append(half)
        assert fetched().read_bytes() == BODY[::-1]

    def test_a_file_that_became_shorter_meanwhile_is_fetched_anew(self, fetched, bucket):
        bucket.faults += [lambda handler: handler.answer(cut=1_000_000), 416]
        assert fetched().read_bytes() == BODY

    def test_a_storm_is_left_to_the_scheduler(self, fetched, bucket, tmp_path):
        bucket.faults += [503] * 5
        with pytest.raises(Retryable, match=r"a/file\.bin: answered 503 Service Unavailable, 5 times"):
            fetched()
        assert kept(tmp_path) == []

    def test_a_web_page_is_no_file(self, fetched, bucket, tmp_path):
        page = b"\n<!DOCTYPE html><html><body>Please come back later</body></html>"
        bucket.faults += [lambda handler: handler.answer(body=page)] * 5
        with pytest.raises(Retryable, match="sent a web page in the place of the file"):
            fetched()
        assert kept(tmp_path) == []
        assert fetched().read_bytes() == BODY


class TestFaultsThatStay:
    def test_a_file_that_is_not_there_is_told_apart_from_one_that_is_refused(self, fetched, bucket):
        with pytest.raises(
            ConfigurationError, match=r"must be of a user who may read .*a/none; the server refuses it.*answer 403"
        ):
            fetched("a/none")
        bucket.missing = 404
        with pytest.raises(Absent, match=r"file\.bin: there is none at .*/a/none: answer 404"):
            fetched("a/none")

    def test_neither_is_asked_for_again(self, fetched, bucket):
        with pytest.raises(ConfigurationError):
            fetched("a/none")
        assert len(bucket.asked) == 1

    def test_absence_crosses_processes(self):
        absent = pickle.loads(pickle.dumps(Absent("a", "", "there is none")))
        assert (type(absent), str(absent)) == (Absent, "a: there is none")

    def test_a_folder_that_cannot_be_made_is_named(self, bucket, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(Retryable, match="cannot keep x"):
            Cache(tmp_path / "file").fetched(f"{bucket.url}/a/file.bin", "x", fine)

    def test_an_address_of_another_kind_is_refused(self, tmp_path):
        with pytest.raises(ConfigurationError, match="http:// or https:// address"):
            Cache(tmp_path).fetched("ftp://host/file", "x", fine)

    def test_a_secret_in_an_address_is_not_shown(self, bucket, tmp_path):
        with pytest.raises(ConfigurationError) as caught:
            Cache(tmp_path).fetched(f"{bucket.url}/none?sig=secret", "x", fine)
        assert "secret" not in str(caught.value)


class _Tokens:
    """Implements `Access` with a token that runs out once."""

    def __init__(self):
        self.token = "old"

    def credentials(self):
        return Credentials({"Authorization": f"Bearer {self.token}"})

    def refused(self, credentials):
        renewed, self.token = self.token == "old", "new"
        return renewed


class TestAccess:
    def test_is_shown_and_renewed_when_it_is_not_accepted(self, bucket, tmp_path):
        bucket.faults.append(401)
        Cache(tmp_path, Provider("who", _Tokens())).fetched(f"{bucket.url}/a/file.bin", "x", fine)
        assert bucket.shown == ["Bearer old", "Bearer new"]

    def test_that_is_refused_for_good_is_said_with_the_provider(self, bucket, tmp_path):
        bucket.faults += [401, 401]
        with pytest.raises(ConfigurationError, match="who refuses it"):
            Cache(tmp_path, Provider("who", _Tokens())).fetched(f"{bucket.url}/a/file.bin", "x", fine)

    def test_is_not_shown_to_another_server(self, bucket, tmp_path):
        def elsewhere(handler, *, url):
            handler.send_response(302)
            handler.send_header("Location", url)
            handler.end_headers()

        with Bucket({"b": BODY}) as other:
            bucket.faults += [
                functools.partial(elsewhere, url=f"{bucket.url}/again"),
                functools.partial(elsewhere, url=f"{other.url}/b"),
            ]
            Cache(tmp_path, Provider("who", _Tokens())).fetched(f"{bucket.url}/a/file.bin", "x", fine)
            assert (bucket.shown, other.shown) == (["Bearer old"] * 2, [None])


def _fetch_apart(url, folder, ready):
    ready.wait()
    Cache(folder).fetched(url, "file.bin", fine)


class TestManyAtOnce:
    def test_processes_fetch_once(self, bucket, tmp_path):
        context = multiprocessing.get_context("spawn")
        ready = context.Barrier(2)
        arguments = (f"{bucket.url}/a/file.bin", tmp_path / "cache", ready)
        workers = [context.Process(target=_fetch_apart, args=arguments) for _ in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert [w.exitcode for w in workers] == [0] * 2
        assert len(bucket.asked) == 1
        assert kept(tmp_path) == ["file.bin", "file.bin.sha256"]

    def test_threads_go_on_when_the_first_of_them_fails(self, fetched, bucket):
        bucket.faults.append(404)
        outcomes = []

        def fetch():
            try:
                outcomes.append(fetched().read_bytes() == BODY)
            except Absent:
                outcomes.append("absent")

        threads = [threading.Thread(target=fetch) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(map(str, outcomes)) == ["True", "True", "absent"]
        assert len(bucket.asked) == 2


class TestDigests:
    def test_are_not_read_again(self, tmp_path):
        path = tmp_path / "a"
        path.write_bytes(b"one")
        first = digest_of(path)
        note = tmp_path / "a.sha256"
        note.write_text(note.read_text().replace(first, "f" * 64))
        assert digest_of(path) == "f" * 64

    def test_of_a_file_that_was_replaced_are(self, tmp_path):
        path = tmp_path / "a"
        path.write_bytes(b"one")
        first = digest_of(path)
        path.write_bytes(b"three")
        assert digest_of(path) == hashlib.sha256(b"three").hexdigest() != first


def test_the_folder_is_named_by_the_environment(tmp_path):
    assert cache_folder({"SEN12TS_CACHE": str(tmp_path)}) == tmp_path
    assert cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "sen12ts/auxiliary"


def test_links_lead_to_the_files_of_an_area_alone(tmp_path):
    for name in "abc":
        (tmp_path / f"{name}.tif").write_text(name)
    cache = Cache(tmp_path)
    folder = cache.linked("maps/x", [tmp_path / "a.tif", tmp_path / "b.tif"])
    assert cache.linked("maps/x", [tmp_path / "b.tif", tmp_path / "c.tif"]) == folder
    assert {p.name: p.read_text() for p in folder.iterdir()} == {"b.tif": "b", "c.tif": "c"}
