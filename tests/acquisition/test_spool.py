"""Fetched bytes are made once for all who want them, whole or not at all, and the least used ones go first."""

import multiprocessing
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from sen12ts_pipeline.acquisition.spool import Spool, read_extent
from sen12ts_pipeline.errors import BadProduct, ConfigurationError, Retryable


def writing(body, made=None):
    def fill(out):
        if made is not None:
            made.append(body)
        out.write(body)

    return fill


def names(spool):
    return {path.name for path in spool.folder.iterdir()}


def test_bytes_are_made_once_and_keep_their_identity(spool):
    made = []
    first = spool.keep(("zip", "a", 0, 3), writing(b"abc", made))
    assert spool.keep(("zip", "a", 0, 3), writing(b"abc", made)) == first
    other = spool.keep(("zip", "a", 1, 3), writing(b"bcd", made))
    assert (first.read_bytes(), other.read_bytes(), made) == (b"abc", b"bcd", [b"abc", b"bcd"])


def test_an_identity_is_more_than_its_letters_in_a_row(spool):
    assert spool.keep(("ab", "c"), writing(b"1")) != spool.keep(("a", "bc"), writing(b"2"))


def test_threads_that_want_the_same_bytes_wait_for_the_first(spool):
    made, started = [], threading.Event()

    def fill(out):
        made.append(1)
        started.wait(5)
        out.write(b"abc")

    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(spool.keep, ("x",), fill) for _ in range(8)]
        started.set()
        assert {w.result().read_bytes() for w in waiting} == {b"abc"}
    assert made == [1]


def _keep_in_a_process(folder, made):
    def fill(out):
        made.put(os.getpid())
        out.write(b"abc" * 1000)

    assert Spool(folder).keep(("x",), fill).read_bytes() == b"abc" * 1000


def test_processes_that_want_the_same_bytes_wait_for_the_first(spool):
    context = multiprocessing.get_context("spawn")
    made = context.SimpleQueue()
    workers = [context.Process(target=_keep_in_a_process, args=(spool.folder, made)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 3
    made.get()
    assert made.empty()


def test_a_fetch_that_fails_leaves_nothing_and_is_tried_again(spool):
    def fail(out):
        out.write(b"ab")
        raise BadProduct("P", "m", "is gone")

    with pytest.raises(BadProduct):
        spool.keep(("x",), fail)
    assert names(spool) == set()
    assert spool.keep(("x",), writing(b"abc")).read_bytes() == b"abc"


def test_what_a_killed_process_left_is_begun_anew(spool):
    entry = spool.keep(("x",), writing(b"abc"))
    entry.rename(entry.with_suffix(".part"))
    assert spool.keep(("x",), writing(b"xyz")).read_bytes() == b"xyz"
    assert names(spool) == {entry.name}


def test_the_least_recently_used_entries_go(tmp_path):
    spool = Spool(tmp_path / "s", limit_bytes=250)
    a, b, c = (spool.keep((name,), writing(bytes(80))) for name in "abc")
    spool.keep(("a",), writing(b""))
    spool.keep(("d",), writing(bytes(80)))
    assert (a.exists(), b.exists(), c.exists()) == (True, False, True)


def test_an_entry_larger_than_the_limit_is_kept_until_the_next(tmp_path):
    spool = Spool(tmp_path / "s", limit_bytes=10)
    large = spool.keep(("large",), writing(bytes(100)))
    assert large.exists()
    spool.keep(("next",), writing(bytes(5)))
    assert not large.exists()


def test_room_is_not_made_by_removing_what_somebody_is_writing(tmp_path):
    spool = Spool(tmp_path / "s", limit_bytes=10)

    def fill(out):
        out.write(bytes(100))
        out.flush()
        Spool(spool.folder, 10).keep(("other",), writing(bytes(20)))

    assert spool.keep(("x",), fill).read_bytes() == bytes(100)


def test_an_entry_that_goes_before_it_is_opened_is_asked_for_again(spool):
    asked = []

    def ask():
        path = spool.keep(("x",), writing(b"abcdef"))
        asked.append(path)
        if len(asked) == 1:
            path.unlink()
        return path, 2

    assert read_extent(ask, 3) == b"cde"
    assert len(asked) == 2


def test_a_spool_too_small_for_its_users_is_said(tmp_path):
    with pytest.raises(Retryable, match="SEN12TS_SPOOL_GB"):
        read_extent(lambda: (tmp_path / "gone", 0), 1)


def test_a_full_disk_may_pass(spool):
    def full(out):
        raise OSError(28, "No space left on device")

    with pytest.raises(Retryable, match="No space left on device"):
        spool.keep(("x",), full)
    assert names(spool) == set()


def test_folder_and_size_come_from_the_environment(tmp_path):
    found = Spool.from_environment({"SEN12TS_SPOOL": str(tmp_path), "SEN12TS_SPOOL_GB": "0.5"})
    assert (found.folder, found.limit_bytes) == (tmp_path, 500_000_000)
    default = Spool.from_environment({"XDG_CACHE_HOME": str(tmp_path)})
    assert (default.folder, default.limit_bytes) == (tmp_path / "sen12ts/spool", 20_000_000_000)


@pytest.mark.parametrize("size", ["much", "0", "-1", "nan", "inf"])
def test_a_wrong_size_is_named(size):
    with pytest.raises(ConfigurationError, match="SEN12TS_SPOOL_GB: must be a positive number"):
        Spool.from_environment({"SEN12TS_SPOOL_GB": size})


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="SEN12TS_SPOOL: must be a folder"):
        Spool(tmp_path / "file").keep(("x",), writing(b""))
