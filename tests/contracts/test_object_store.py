"""What every object store keeps; a new adapter joins `ADAPTERS`."""

import multiprocessing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sen12ts_pipeline.ports import Put
from sen12ts_pipeline.state.folder import FolderStore
from sen12ts_pipeline.state.s3 import S3Store
from sen12ts_pipeline.state.s3_server import S3Options
from tests.servers import BUCKET


def bucket(folder):
    return S3Store(f"s3://{BUCKET}{folder}", S3Options(addressing="path"))


def bucket_with_claims(folder):
    return S3Store(f"s3://{BUCKET}{folder}", S3Options(addressing="path", conditional_writes=False))


ADAPTERS = {
    "folder": FolderStore,
    "s3": bucket,
    "s3-claims": bucket_with_claims,
    "moto": bucket,
    "rclone": bucket,
}
"""Stores under the name of a folder that is not used by another test; what a server can is found out where not told."""
SERVERS = {"s3": "s3_server", "s3-claims": "s3_server", "moto": "moto_server", "rclone": "rclone_server"}


@pytest.fixture(params=ADAPTERS)
def adapter(request, monkeypatch):
    """Name of an adapter; the environment leads to its server."""
    if request.param in SERVERS:
        for name, value in request.getfixturevalue(SERVERS[request.param]).items():
            monkeypatch.setenv(name, value)
    return request.param


@pytest.fixture
def store(adapter, tmp_path):
    return ADAPTERS[adapter](tmp_path / "store")


def test_what_was_put_is_got(store):
    assert store.put_if_absent("demo/s1/a.tif", b"one") is Put.WRITTEN
    assert store.get("demo/s1/a.tif") == b"one"
    assert store.exists("demo/s1/a.tif")


def test_an_empty_body_is_a_body(store):
    assert store.put_if_absent("empty", b"") is Put.WRITTEN
    assert store.exists("empty")
    assert store.get("empty") == b""


def test_the_first_writer_wins(store):
    store.put_if_absent("a", b"one")
    assert store.put_if_absent("a", b"one") is Put.SAME
    assert store.put_if_absent("a", b"two") is Put.DIFFERENT
    assert store.put_if_absent("a", b"one longer") is Put.DIFFERENT
    assert store.get("a") == b"one"


def test_replacing_writes_whatever_is_there(store):
    store.replace("a", b"one")
    store.replace("a", b"two")
    assert store.get("a") == b"two"


def test_what_is_absent_is_a_key_error(store):
    store.put_if_absent("a/b", b"")
    for key in ("missing", "a", "a/b/c"):
        assert not store.exists(key)
        with pytest.raises(KeyError):
            store.get(key)


def test_deleting_twice_is_deleting_once(store):
    store.put_if_absent("a/b", b"one")
    store.delete("a/b")
    store.delete("a/b")
    assert not store.exists("a/b")
    assert store.put_if_absent("a/b", b"two") is Put.WRITTEN


def test_keys_are_sorted_and_begin_with_their_prefix(store):
    for key in ("b/2", "b/1", "b-c/3", "b/d/4", "a/5", "bb/6"):
        store.put_if_absent(key, b"")
    assert list(store.keys("b/")) == ["b/1", "b/2", "b/d/4"]
    assert list(store.keys("nothing/")) == []
    assert list(store.keys("")) == sorted(["b/2", "b/1", "b-c/3", "b/d/4", "a/5", "bb/6"])
    with pytest.raises(ValueError, match="prefix"):
        list(store.keys("b"))


def test_a_location_names_the_object(store):
    store.put_if_absent("a/b.tif", b"")
    assert store.location("a/b.tif").endswith("a/b.tif")


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../a", "a/../../b", "a//b", "a/", "./a", "a\\b", "a/.hidden", "a\0"]
)
def test_no_key_leaves_the_store(store, key):
    for act in (store.get, store.exists, store.delete, store.location, lambda k: store.put_if_absent(k, b"")):
        with pytest.raises(ValueError, match="object key"):
            act(key)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(
    writes=st.lists(
        st.tuples(st.sampled_from("ab"), st.booleans(), st.sampled_from([b"", b"x", b"xy"])), min_size=1, max_size=8
    )
)
def test_a_store_is_a_dictionary_that_keeps_its_first_values(tmp_path_factory, adapter, writes):
    store, model = ADAPTERS[adapter](tmp_path_factory.mktemp("store")), {}
    for key, replacing, body in writes:
        if replacing:
            store.replace(key, body)
            model[key] = body
        else:
            expected = Put.WRITTEN if key not in model else Put.SAME if model[key] == body else Put.DIFFERENT
            assert store.put_if_absent(key, body) is expected
            model.setdefault(key, body)
    assert {key: store.get(key) for key in store.keys("")} == model


def race(adapter, root, me, answers, start):
    store = ADAPTERS[adapter](root)
    start.wait(20)
    answers.put([store.put_if_absent(f"race/{n}", bytes([me]) * 10_000).value for n in range(100)])


def test_of_two_processes_one_writes_and_no_object_is_mixed(adapter, tmp_path):
    if adapter == "moto":
        pytest.skip("moto looks and writes in two steps")
    context = multiprocessing.get_context("spawn")
    answers, start = context.Queue(), context.Barrier(2)
    racers = [context.Process(target=race, args=(adapter, tmp_path, me, answers, start)) for me in (1, 2)]
    for racer in racers:
        racer.start()
    # What a busy server refuses is asked again after longer and longer waits.
    results = [answers.get(timeout=240) for _ in racers]
    for racer in racers:
        racer.join()
    assert all(sorted(pair) == ["different", "written"] for pair in zip(*results, strict=True))
    store = ADAPTERS[adapter](tmp_path)
    assert all(len(set(store.get(key))) == 1 for key in store.keys("race/"))
