"""Fetched bytes are made once for all who want them, whole or not at all, and the least used ones go first."""

import fcntl
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from sen12ts_pipeline.acquisition import spool as module
from sen12ts_pipeline.acquisition.spool import Spool, read_extent
from sen12ts_pipeline.errors import BadProduct, ConfigurationError, Retryable

SIZE = 3
"""What is told of the entries whose size does not matter."""


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
    first = spool.keep(("zip", "a", 0, 3), SIZE, writing(b"abc", made))
    assert spool.keep(("zip", "a", 0, 3), SIZE, writing(b"abc", made)) == first
    other = spool.keep(("zip", "a", 1, 3), SIZE, writing(b"bcd", made))
    assert (first.read_bytes(), other.read_bytes(), made) == (b"abc", b"bcd", [b"abc", b"bcd"])


def test_an_identity_is_more_than_its_letters_in_a_row(spool):
    assert spool.keep(("ab", "c"), SIZE, writing(b"1")) != spool.keep(("a", "bc"), SIZE, writing(b"2"))


def test_threads_that_want_the_same_bytes_wait_for_the_first(spool):
    made, started = [], threading.Event()

    def fill(out):
        made.append(1)
        started.wait(5)
        out.write(b"abc")

    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(spool.keep, ("x",), SIZE, fill) for _ in range(8)]
        started.set()
        assert {w.result().read_bytes() for w in waiting} == {b"abc"}
    assert made == [1]


def _keep_in_a_process(folder, made):
    def fill(out):
        made.put(os.getpid())
        out.write(b"abc" * 1000)

    assert Spool(folder).keep(("x",), SIZE, fill).read_bytes() == b"abc" * 1000


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
        spool.keep(("x",), SIZE, fail)
    assert names(spool) == set()
    assert spool.keep(("x",), SIZE, writing(b"abc")).read_bytes() == b"abc"


def test_what_a_killed_process_left_is_begun_anew(spool):
    entry = spool.keep(("x",), SIZE, writing(b"abc"))
    entry.rename(entry.with_name(f"{entry.name}.{SIZE}.part"))
    assert spool.keep(("x",), SIZE, writing(b"xyz")).read_bytes() == b"xyz"
    assert names(spool) == {entry.name}


def test_the_least_recently_used_entries_go(tmp_path):
    spool = Spool(tmp_path / "s", limit_bytes=250)
    a, b, c = (spool.keep((name,), 80, writing(bytes(80))) for name in "abc")
    spool.keep(("a",), SIZE, writing(b""))
    spool.keep(("d",), 80, writing(bytes(80)))
    assert (a.exists(), b.exists(), c.exists()) == (True, False, True)


def test_an_entry_larger_than_the_limit_is_a_wrong_setting(tmp_path):
    spool = Spool(tmp_path / "s", limit_bytes=10)
    with pytest.raises(ConfigurationError, match="SEN12TS_SPOOL_GB: must be at least 1e-07, to hold one of the files"):
        spool.keep(("large",), 100, writing(bytes(100)))
    assert names(spool) == set()


def test_room_is_made_before_a_byte_is_written(tmp_path):
    spool = Spool(tmp_path / "s", limit_bytes=100)
    old = spool.keep(("old",), 80, writing(bytes(80)))

    def fill(out):
        assert not old.exists()
        out.write(bytes(40))

    spool.keep(("new",), 40, fill)


def test_what_is_being_made_counts_with_the_size_that_it_will_have(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ROOM_WAIT_S", 0.0)
    spool = Spool(tmp_path / "s", limit_bytes=100)

    def fill(out):
        with pytest.raises(Retryable, match=r"has no room for 30 bytes: others hold what is there, 10 bytes too many"):
            spool.keep(("other",), 30, writing(bytes(30)))
        out.write(bytes(80))

    assert spool.keep(("x",), 80, fill).read_bytes() == bytes(80)


class TestAHeldEntry:
    """Reference counts: locks of those who hold an entry."""

    def test_is_not_removed(self, tmp_path):
        spool = Spool(tmp_path / "s", limit_bytes=100)
        with spool.held(("a",), 60, writing(bytes(60))) as first, spool.held(("a",), 60, writing(b"")) as again:
            other = spool.keep(("b",), 40, writing(bytes(40)))
            spool.keep(("c",), 40, writing(bytes(40)))
            assert (first == again, first.exists(), other.exists()) == (True, True, False)
        spool.keep(("d",), 60, writing(bytes(60)))
        assert not first.exists()

    def test_leaves_no_room_until_it_is_given_back(self, tmp_path, monkeypatch):
        spool = Spool(tmp_path / "s", limit_bytes=100)
        monkeypatch.setattr(module, "ROOM_WAIT_S", 0.0)
        with spool.held(("a",), 60, writing(bytes(60))), pytest.raises(Retryable, match="let fewer work at a time"):
            spool.keep(("b",), 60, writing(bytes(60)))
        spool.keep(("b",), 60, writing(bytes(60)))

    def test_of_another_process_is_waited_for_and_freed_by_its_death(self, tmp_path):
        spool = Spool(tmp_path / "s", limit_bytes=100)
        entry = spool.keep(("a",), 60, writing(bytes(60)))
        with process(HOLDING, entry) as holder:
            with ThreadPoolExecutor(1) as pool:
                waiting = pool.submit(spool.keep, ("b",), 60, writing(bytes(60)))
                with pytest.raises(TimeoutError):
                    waiting.result(0.3)
                assert entry.exists()
                holder.send_signal(signal.SIGKILL)
                assert waiting.result(10).exists()
            assert not entry.exists()

    def test_that_was_removed_between_is_made_again(self, spool, monkeypatch):
        made = []

        def lock(file, how):
            if how == fcntl.LOCK_SH and len(made) == 1:
                next(spool.folder.iterdir()).unlink()
            flock(file, how)

        flock = fcntl.flock
        monkeypatch.setattr(module.fcntl, "flock", lock)
        with spool.held(("a",), SIZE, writing(b"abc", made)) as path:
            assert path.read_bytes() == b"abc"
        assert len(made) == 2


HOLDING = """
import fcntl, sys
file = open(sys.argv[1], "rb")
fcntl.flock(file, fcntl.LOCK_SH)
print("held", flush=True)
sys.stdin.read()
"""
FILLING = """
import pathlib, sys
from sen12ts_pipeline.acquisition.spool import Spool
def fill(out):
    out.write(b"wrong")
    out.flush()
    print("begun", flush=True)
    sys.stdin.read()
Spool(pathlib.Path(sys.argv[1])).keep(("x",), 3, fill, resumed=sys.argv[2:] == ["resumed"])
"""


def process(program, *arguments):
    """A process of its own, when it has said that it is ready."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    started = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert started.stdout.readline()
    return started


def test_a_process_killed_while_it_writes_leaves_nothing_wrong(spool):
    with process(FILLING, spool.folder) as filling, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(spool.keep, ("x",), SIZE, writing(b"abc"))
        with pytest.raises(TimeoutError):
            waiting.result(0.2)
        filling.kill()
        assert waiting.result(10).read_bytes() == b"abc"
    assert len(names(spool)) == 1


def test_what_can_be_resumed_is_found_by_the_next(spool):
    with process(FILLING, spool.folder, "resumed") as filling:
        filling.kill()

    def go_on(out):
        assert out.read() == b"wrong"
        out.write(b" no more")

    assert spool.keep(("x",), SIZE, go_on, resumed=True).read_bytes() == b"wrong no more"


def test_what_failed_half_way_can_be_resumed_unless_it_was_given_up(spool):
    def fail(out):
        out.write(b"ab")
        out.flush()
        raise Retryable("later")

    def give_up(out):
        assert out.read() == b"ab"
        out.truncate(0)
        raise BadProduct("P", "", "is not what it should be")

    with pytest.raises(Retryable):
        spool.keep("P.zip", SIZE, fail, resumed=True)
    assert names(spool) == {"P.zip.3.part"}
    with pytest.raises(BadProduct):
        spool.keep("P.zip", SIZE, give_up, resumed=True)
    assert names(spool) == set()


def test_an_entry_may_have_a_name_and_folders_inside_are_left_alone(tmp_path):
    spool = Spool(tmp_path / "s", limit_bytes=100)
    Spool(spool.folder / "products").keep("P.zip", 90, writing(bytes(90)))
    assert spool.keep("a.json", 90, writing(bytes(90))).name == "a.json"
    assert (spool.folder / "products/P.zip").exists()
    spool.forget("a.json")
    assert names(spool) == {"products"}


def test_an_entry_that_goes_before_it_is_opened_is_asked_for_again(spool):
    asked = []

    def ask():
        path = spool.keep(("x",), SIZE, writing(b"abcdef"))
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

    with pytest.raises(Retryable, match="No space left on device; free some of the disk, or name another folder"):
        spool.keep(("x",), SIZE, full)
    assert names(spool) == set()


def test_folder_and_size_come_from_the_environment(tmp_path):
    found = Spool.from_environment({"SEN12TS_SPOOL": str(tmp_path), "SEN12TS_SPOOL_GB": "0.5"})
    assert (found.folder, found.limit_bytes) == (tmp_path, 500_000_000)
    default = Spool.from_environment({"XDG_CACHE_HOME": str(tmp_path)})
    assert (default.folder, default.limit_bytes) == (tmp_path / "sen12ts/spool", 20_000_000_000)
    told = Spool.from_environment({}, folder=tmp_path / "told", size_gb=1.5)
    assert (told.folder, told.limit_bytes) == (tmp_path / "told", 1_500_000_000)
    both = Spool.from_environment({"SEN12TS_SPOOL": str(tmp_path)}, folder=tmp_path / "told", size_gb=1.5)
    assert (both.folder, both.limit_bytes) == (tmp_path, 1_500_000_000)


@pytest.mark.parametrize("size", ["much", "0", "-1", "nan", "inf"])
def test_a_wrong_size_is_named(size):
    with pytest.raises(ConfigurationError, match="SEN12TS_SPOOL_GB: must be a positive number"):
        Spool.from_environment({"SEN12TS_SPOOL_GB": size})


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="SEN12TS_SPOOL: must be a folder"):
        Spool(tmp_path / "file").keep(("x",), SIZE, writing(b""))
