"""The store in a bucket: servers that fail, that know no conditions, that are full; large bodies, options, listings.

What every store keeps is in the contract suite, on a real server; here is a server that does what it is told.
"""

import multiprocessing
import os
import pickle
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from sen12ts_pipeline.errors import ConfigurationError, Retryable
from sen12ts_pipeline.ports import Put
from sen12ts_pipeline.state import s3, s3_claims, s3_server
from sen12ts_pipeline.state.folder import FolderStore
from sen12ts_pipeline.state.s3 import S3Store
from sen12ts_pipeline.state.s3_server import Refused, S3Options
from sen12ts_pipeline.state.stores import open_store
from tests.state.bare_s3 import BareS3

SECRET = "not-to-be-shown"
URL = "s3://stores/here"
WAITS_S = s3_server.WAITS_S


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """Credentials as boto3 finds them, and no waits."""
    for name, value in {"ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": SECRET, "DEFAULT_REGION": "somewhere"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    for name in ("CONFIG_FILE", "SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(f"AWS_{name}", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(s3_server, "WAITS_S", (0.001,) * 4)
    s3_server._client.cache_clear()
    yield
    s3_server._client.cache_clear()


@pytest.fixture
def server():
    with BareS3() as server:
        yield server


@pytest.fixture
def store(server):
    return opened(server)


@pytest.fixture
def parts(monkeypatch):
    """Bodies of more than 16 bytes are sent in parts of 8."""
    monkeypatch.setattr(s3, "LARGE_BYTES", 16)
    monkeypatch.setattr(s3, "PART_BYTES", 8)


def opened(server, url=URL, **options):
    return S3Store(url, S3Options(endpoint=server.url, addressing="path", **options))


def bodies(server):
    """What the bucket holds besides what the store keeps for itself."""
    return {key: body for key, (body, _, _) in server.objects.items() if "/.s3/" not in key}


class TestConditions:
    def test_one_request_finds_out_once_a_process_what_the_server_keeps(self, server, store):
        store.put_if_absent("warm", b"")
        before = len(server.asked)
        again = opened(server)
        for n in range(3):
            again.put_if_absent(f"a/{n}", b"one")
        assert [method for method, _, _ in server.asked[before:]] == ["HEAD", *["PUT"] * 4]

    @pytest.mark.parametrize("conditions", ["kept", "ignored", "unknown"])
    @pytest.mark.parametrize("body", [b"one", b"more than sixteen bytes"], ids=["in one", "in parts"])
    def test_the_first_writer_wins_whatever_the_server_knows(self, server, parts, conditions, body):
        server.conditions = server.part_conditions = conditions
        for number, expected in enumerate([Put.WRITTEN, Put.SAME]):
            assert opened(server).put_if_absent("a", body) is expected, number
        assert opened(server).put_if_absent("a", body[::-1]) is Put.DIFFERENT
        assert bodies(server) == {"/stores/here/a": body}
        assert not server.uploads
        assert not [key for key in server.objects if "/claims/" in key]

    def test_a_condition_that_is_kept_for_whole_bodies_alone_is_not_trusted_for_parts(self, server, parts):
        server.part_conditions = "ignored"
        store = opened(server)
        store.put_if_absent("small", b"one")
        assert not server.requests("PUT", "claims")
        store.put_if_absent("large", bytes(20))
        assert server.requests("PUT", "claims")

    def test_claims_are_made_where_they_are_asked_for(self, server):
        opened(server, conditional_writes=False).put_if_absent("a", b"one")
        assert len(server.requests("PUT", "claims")) == 1
        assert not server.requests("PUT", "probe")

    def test_of_many_writers_who_take_turns_one_writes(self, server):
        server.conditions = "ignored"
        stores = [opened(server) for _ in range(6)]
        outcomes, start = [], threading.Barrier(6)

        def write(me):
            start.wait(20)
            outcomes.append([stores[me].put_if_absent(f"race/{n}", bytes([me]) * 100) for n in range(5)])

        racers = [threading.Thread(target=write, args=(me,)) for me in range(6)]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join()
        for column in zip(*outcomes, strict=True):
            assert sorted(column) == [Put.DIFFERENT] * 5 + [Put.WRITTEN]

    def test_a_claim_of_a_living_writer_is_waited_for_and_one_of_a_dead_is_not(self, server, monkeypatch):
        store = opened(server, conditional_writes=False)
        store.put_if_absent("a", b"one")
        (claim,) = [key for method, key, _ in server.asked if method == "PUT" and "claims" in key]
        folder = claim.rpartition("/")[0]
        now = datetime.now(UTC).timestamp()
        server.objects[f"{folder}/other"] = (b"", now - 300, {})
        monkeypatch.setattr(s3_claims, "PATIENCE_S", 0.05)
        with pytest.raises(Retryable, match="claimed by another writer"):
            store.put_if_absent("a", b"one")
        server.objects[f"{folder}/other"] = (b"", now - 700, {})
        assert store.put_if_absent("a", b"one") is Put.SAME
        assert not [key for key in server.objects if "/claims/" in key]

    def test_whoever_holds_a_claim_for_long_does_not_write(self, server, monkeypatch):
        monkeypatch.setattr(s3_claims, "HOLD_S", -1.0)
        store = opened(server, conditional_writes=False)
        server.faults.extend([None, None, None, 503])  # the claim, its listing, the look for the object, the write
        with pytest.raises(Retryable, match="answered 503 Fault, 1 times"):
            store.put_if_absent("a", b"one")
        assert not server.objects


class TestFaults:
    @pytest.mark.parametrize(
        "fault",
        [500, 503, 429, (409, "ConditionalRequestConflict"), (400, "RequestTimeout"), lambda handler: cut_off(handler)],
        ids=["500", "503", "429", "conflict", "timeout", "cut off"],
    )
    def test_that_pass_are_not_noticed_and_those_that_stay_are_left_to_a_later_try(self, server, store, fault):
        store.put_if_absent("known", b"")
        server.faults.extend([fault] * 4)
        assert store.put_if_absent("a", b"one") is Put.WRITTEN
        server.faults.extend([fault] * 4)
        assert store.get("a") == b"one"
        server.faults.extend([fault] * 5)
        with pytest.raises(Retryable, match=r"s3://stores/here/b: .*, 5 times"):
            store.put_if_absent("b", b"two")
        assert bodies(server) == {"/stores/here/known": b"", "/stores/here/a": b"one"}

    def test_a_write_whose_answer_was_lost_is_found_to_be_done(self, server, store):
        store.put_if_absent("known", b"")
        server.faults.append(lambda handler: written_and_cut_off(handler, b"one"))
        assert store.put_if_absent("a", b"one") is Put.SAME
        assert store.get("a") == b"one"

    def test_an_answer_that_breaks_off_is_asked_for_again(self, server, store):
        store.put_if_absent("a", bytes(1000))
        server.faults.append(lambda handler: half(handler, bytes(1000)))
        assert store.get("a") == bytes(1000)

    def test_a_server_s_own_wait_is_kept_to(self, server, store, monkeypatch):
        waits = []
        monkeypatch.setattr(s3_server, "time", SimpleNamespace(sleep=waits.append, monotonic=time.monotonic))
        server.faults.append(lambda handler: handler.answer(503, b"", {"Retry-After": "7"}))
        assert not store.exists("a")
        assert waits == [7.0]

    def test_a_server_that_says_nothing_is_asked_again(self, server, monkeypatch):
        monkeypatch.setattr(s3_server, "READ_TIMEOUT_S", 0.2)
        store = opened(server)
        store.put_if_absent("known", b"")
        silent = threading.Event()
        server.faults.append(lambda handler: (silent.wait(5), cut_off(handler)))
        assert store.put_if_absent("a", b"one") is Put.WRITTEN
        silent.set()

    def test_a_full_store_says_so(self, server, store):
        store.put_if_absent("known", b"")
        server.faults.append((507, "InsufficientStorage"))
        with pytest.raises(Retryable, match=r"object store is full: s3://stores/here/a: .*[Ff]ree some space"):
            store.put_if_absent("a", b"one")

    def test_a_refusal_is_a_wrong_setting_told_without_the_secret(self, server, store):
        server.faults.append((403, "AccessDenied"))
        with pytest.raises(ConfigurationError, match=r"AWS_\*: must let us use s3://stores/here/a") as caught:
            store.get("a")
        assert SECRET not in str(caught.value)

    def test_an_answer_that_nobody_expects_is_told_as_it_is(self, server, store):
        server.faults.append((400, "InvalidRequest"))
        with pytest.raises(Refused, match="s3://stores/here/a: answer 400 InvalidRequest") as caught:
            store.replace("a", b"")
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)

    def test_an_object_that_others_keep_deleting_is_left_to_a_later_try(self, server, store):
        store.put_if_absent("known", b"")
        server.faults.extend([(412, "PreconditionFailed"), (404, "NoSuchKey")] * s3.TRIES)
        with pytest.raises(Retryable, match="neither written nor read"):
            store.put_if_absent("a", b"one")

    def test_a_minute_without_a_server_is_outlasted(self):
        assert 0.5 * sum(WAITS_S) > 60


def cut_off(handler):
    handler.close_connection = True


def written_and_cut_off(handler, body):
    handler.s3.objects[handler.key] = (body, 0.0, {})
    handler.close_connection = True


def half(handler, body):
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[:300])
    handler.close_connection = True


class TestLargeBodies:
    BODY = bytes(range(30))

    def test_are_sent_in_parts_and_come_back_whole(self, server, store, parts):
        assert store.put_if_absent("a", self.BODY) is Put.WRITTEN
        assert store.get("a") == self.BODY
        sent = server.requests("PUT", "here/a?")
        assert [path.partition("partNumber=")[2][0] for path in sent] == ["1", "2", "3", "4"]
        store.replace("a", self.BODY[::-1])
        assert store.get("a") == self.BODY[::-1]

    def test_leave_nothing_when_a_part_fails_for_good(self, server, store, parts):
        store.put_if_absent("known", self.BODY)
        server.faults.extend([None, None, *[500] * 5])
        with pytest.raises(Retryable):
            store.put_if_absent("a", self.BODY)
        assert not server.uploads
        assert not store.exists("a")

    def test_joined_by_a_try_whose_answer_was_lost_are_found_to_be_there(self, server, store, parts):
        store.put_if_absent("known", self.BODY)

        def joined_and_cut_off(handler):
            server.uploads.clear()
            written_and_cut_off(handler, self.BODY)

        server.faults.extend([None] * 5 + [joined_and_cut_off])
        assert store.put_if_absent("a", self.BODY) is Put.SAME

    def test_that_a_killed_writer_left_are_removed_when_they_are_old(self, server, store):
        now = datetime.now(UTC)
        for upload, days in (("old", 3), ("young", 0)):
            begun = (now - timedelta(days=days)).timestamp()
            server.uploads[upload] = ("/stores/here/a", {}, begun)
        assert store.remove_unfinished(now - timedelta(days=1)) == 1
        assert list(server.uploads) == ["young"]


class TestListings:
    def test_come_page_by_page(self, server, store):
        keys = [f"a/{n:02d}" for n in range(10)]
        for key in keys:
            store.replace(key, b"xy")
        server.faults.extend([None, 503])  # within the second page
        assert list(store.keys("a/")) == keys
        assert {entry.size for entry in store.entries("a/")} == {2}
        assert abs(datetime.now(UTC) - store.entries("a/")[0].written) < timedelta(minutes=1)

    def test_show_neither_what_the_store_keeps_for_itself_nor_folders_nor_neighbours(self, server, store):
        store.put_if_absent("a/b", b"")
        server.objects["/stores/here/folder/"] = server.objects["/stores/hereabouts"] = (b"", 0.0, {})
        assert list(store.keys("")) == ["a/b"]
        assert store.folders() == ["_work", "a", "folder"]

    def test_of_a_store_that_is_a_whole_bucket(self, server):
        store = opened(server, "s3://stores")
        store.put_if_absent("a", b"")
        assert list(store.keys("")) == ["a"]
        assert store.location("a") == "s3://stores/a"


class TestOptions:
    def test_encryption_is_asked_for_in_every_write(self, server, parts):
        store = opened(server, encryption="aws:kms", kms_key="alias/data")
        store.put_if_absent("small", b"one")
        store.put_if_absent("large", bytes(20))
        wanted = {
            "x-amz-server-side-encryption": "aws:kms",
            "x-amz-server-side-encryption-aws-kms-key-id": "alias/data",
        }
        begun = [h for method, path, h in server.asked if (method == "PUT" and "?" not in path) or "?uploads" in path]
        assert len(begun) >= 4
        assert all(wanted.items() <= headers.items() for headers in begun)

    @pytest.mark.parametrize(("checksums", "sent"), [("when_supported", True), ("when_required", False)])
    def test_checksums_are_sent_unless_a_server_does_not_know_them(self, server, checksums, sent):
        opened(server, checksums=checksums).replace("a", b"one")
        headers = server.objects["/stores/here/a"][2]
        assert ("x-amz-checksum-crc32" in {name.lower() for name in headers}) is sent

    def test_the_kind_of_an_object_follows_from_its_name(self, server, store):
        kinds = {
            "a.json": "application/json",
            "a.tif": "image/tiff",
            "a.png": "image/png",
            "a": "application/octet-stream",
        }
        for name in kinds:
            store.replace(name, b"")
        assert {name: server.objects[f"/stores/here/{name}"][2]["Content-Type"] for name in kinds} == kinds

    def test_a_forked_process_has_connections_of_its_own(self, server, store):
        context = multiprocessing.get_context("fork")
        answers = context.SimpleQueue()
        child = context.Process(target=lambda: answers.put(store.put_if_absent("a", b"one").value))
        child.start()
        assert answers.get() == "written"
        child.join()
        assert store.get("a") == b"one"
        options = store._options
        assert s3_server._client(options, os.getpid()) is s3_server._client(options, os.getpid())
        assert s3_server._client(options, 1) is not s3_server._client(options, os.getpid())


class TestSettings:
    @pytest.mark.parametrize(
        "url", ["s3://", "s3:///a", "s3://Bucket", "s3://stores/../a", "s3://stores/a//b", "s3://a"]
    )
    def test_an_address_is_a_bucket_and_a_prefix(self, url):
        with pytest.raises(ConfigurationError, match="must be s3://bucket or s3://bucket/prefix"):
            S3Store(url)

    @pytest.mark.parametrize("url", ["s3://stores/here/it", "s3://stores/here/it/"])
    def test_a_slash_at_the_end_makes_no_difference(self, server, url):
        assert opened(server, url).location("a") == "s3://stores/here/it/a"

    @pytest.mark.parametrize("answer", [(404, "NoSuchBucket"), (301, "PermanentRedirect")])
    def test_a_bucket_that_is_not_there_is_a_wrong_setting_found_at_once(self, server, answer):
        server.faults.extend([answer] * 2)
        with pytest.raises(ConfigurationError, match="store: must be a bucket that is there"):
            opened(server)

    def test_missing_keys_are_a_wrong_setting(self, server, monkeypatch):
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        with pytest.raises(ConfigurationError, match=r"AWS_\*: must let us use s3://stores"):
            opened(server)

    def test_a_server_that_is_not_there_is_left_to_a_later_try(self):
        with pytest.raises(Retryable, match="broke off"):
            S3Store(URL, S3Options(endpoint="http://127.0.0.1:9"))

    def test_without_boto3_the_extra_is_named(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "boto3", None)
        with pytest.raises(ConfigurationError, match=r"pip install 'sen12ts-pipeline\[s3\]'"):
            S3Store(URL)

    def test_a_place_is_a_bucket_or_a_folder(self, server, tmp_path, monkeypatch):
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        assert isinstance(open_store(URL, S3Options(addressing="path")), S3Store)
        assert isinstance(open_store(tmp_path / "store"), FolderStore)
        assert isinstance(open_store(str(tmp_path / "store")), FolderStore)
