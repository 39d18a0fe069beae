"""The folder store on a disk that is full, read-only, without links, or left behind by a killed process."""

import errno
import multiprocessing
import os
import resource
import signal
import time

import pytest

from sen12ts_pipeline.errors import ConfigurationError, Retryable
from sen12ts_pipeline.ports import Put
from sen12ts_pipeline.state import folder
from sen12ts_pipeline.state.folder import TEMPORARY, FolderStore


def temporary_files(root):
    return sorted(path.name for path in (root / TEMPORARY).iterdir() if path.name != ".lock")


def fails(number):
    def fail(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    return fail


def test_an_object_is_a_file_under_its_key(tmp_path):
    FolderStore(tmp_path).put_if_absent("demo/labels/a.tif", b"x")
    assert (tmp_path / "demo/labels/a.tif").read_bytes() == b"x"
    assert temporary_files(tmp_path) == []


def test_temporary_and_hidden_files_are_no_objects(tmp_path):
    store = FolderStore(tmp_path)
    (tmp_path / TEMPORARY / "123-abc").write_bytes(b"half")
    (tmp_path / ".DS_Store").write_bytes(b"")
    assert list(store.keys("")) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("write", ["put_if_absent", "replace"])
def test_a_full_disk_says_so_and_leaves_nothing(tmp_path, monkeypatch, number, write):
    store = FolderStore(tmp_path)
    monkeypatch.setattr(folder.os, "fsync", fails(number))
    with pytest.raises(Retryable, match=r"disk is full: .*demo/a\.tif needs 4 bytes, \d+ are free .*free some space"):
        getattr(store, write)("demo/a.tif", b"body")
    monkeypatch.undo()
    assert not store.exists("demo/a.tif")
    assert temporary_files(tmp_path) == []
    assert store.put_if_absent("demo/a.tif", b"body") is Put.WRITTEN


def write_more_than_is_allowed(root, answers):
    store = FolderStore(root)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    try:
        store.put_if_absent("a", bytes(300_000))
    except Retryable as error:
        answers.put(str(error))


def test_a_write_that_the_system_cuts_short_leaves_nothing(tmp_path):
    context = multiprocessing.get_context("spawn")
    answers = context.SimpleQueue()
    writer = context.Process(target=write_more_than_is_allowed, args=(tmp_path, answers))
    writer.start()
    writer.join()
    assert "disk is full" in answers.get()
    assert temporary_files(tmp_path) == []
    assert not FolderStore(tmp_path).exists("a")


def test_a_folder_that_cannot_be_written_is_a_wrong_setting(tmp_path, monkeypatch):
    store = FolderStore(tmp_path)
    monkeypatch.setattr(folder.os, "fsync", fails(errno.EROFS))
    with pytest.raises(ConfigurationError, match="must be writable"):
        store.put_if_absent("a", b"")


def test_an_unknown_fault_of_the_disk_is_not_swallowed(tmp_path, monkeypatch):
    store = FolderStore(tmp_path)
    monkeypatch.setattr(folder.os, "fsync", fails(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        store.put_if_absent("a", b"")
    assert temporary_files(tmp_path) == []


def test_without_hard_links_the_first_writer_still_wins(tmp_path, monkeypatch):
    store = FolderStore(tmp_path)
    monkeypatch.setattr(folder.os, "link", fails(errno.EPERM))
    assert store.put_if_absent("a", b"one") is Put.WRITTEN
    assert store.put_if_absent("a", b"two") is Put.DIFFERENT
    monkeypatch.setattr(folder.Path, "exists", lambda self: False)  # both saw nothing before they wrote
    monkeypatch.setattr(store, "_rename", lambda finished, path: fails(errno.EEXIST)())
    assert store.put_if_absent("a", b"two") is Put.DIFFERENT
    monkeypatch.undo()
    assert store.get("a") == b"one"
    assert temporary_files(tmp_path) == []


def test_a_writer_that_comes_second_after_all_is_told(tmp_path, monkeypatch):
    store = FolderStore(tmp_path)
    store.put_if_absent("a", b"one")
    monkeypatch.setattr(folder.Path, "exists", lambda self: False)
    assert store.put_if_absent("a", b"one") is Put.SAME
    assert store.put_if_absent("a", b"two") is Put.DIFFERENT


def test_old_temporary_files_are_removed_when_a_store_is_opened(tmp_path):
    FolderStore(tmp_path)
    old, young = tmp_path / TEMPORARY / "1-old", tmp_path / TEMPORARY / "2-young"
    for file in (old, young):
        file.write_bytes(b"half")
    two_days_ago = time.time() - 2 * 86400
    os.utime(old, (two_days_ago, two_days_ago))
    FolderStore(tmp_path)
    assert temporary_files(tmp_path) == ["2-young"]


def write_for_ever(root, started):
    store = FolderStore(root)
    for number in range(10**9):
        store.put_if_absent(f"a/{number}", bytes(100_000))
        if number == 20:
            started.set()


def test_a_killed_writer_leaves_only_whole_objects(tmp_path):
    context = multiprocessing.get_context("spawn")
    started = context.Event()
    writer = context.Process(target=write_for_ever, args=(tmp_path, started))
    writer.start()
    assert started.wait(30)
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    store = FolderStore(tmp_path)
    keys = list(store.keys("a/"))
    assert len(keys) > 20
    assert all(store.get(key) == bytes(100_000) for key in keys)
    assert len(temporary_files(tmp_path)) <= 1
