"""The ledger that is used, and what a stage leaves in it."""

import subprocess
import sys
import time

import pytest
import sqlalchemy as sa

from sen12ts_pipeline import wiring
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.state.tables import timings


def test_the_ledger_is_the_store_s_own_or_the_one_that_is_set(environ, tmp_path, monkeypatch):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    wiring.ledger()
    assert (tmp_path / "store/_work/ledger.sqlite").is_file()
    monkeypatch.setenv("SEN12TS__LEDGER", f"sqlite:///{tmp_path}/other.sqlite")
    wiring.ledger()
    assert (tmp_path / "other.sqlite").is_file()


def test_a_failure_of_a_stage_is_noted_in_the_ledger_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.setenv("SEN12TS__STORE", str(tmp_path))
    partition = Partition.parse("nevada/2023-fall")
    with pytest.raises(BadProduct), wiring.noted(str(partition), "radar"):
        raise BadProduct("S1A", "noise.xml", "is too short")
    [event] = wiring.ledger().events(partition)
    assert (event.stage, event.message) == ("radar", "failed: BadProduct: S1A/noise.xml: is too short")


def test_what_a_task_took_is_noted(tmp_path, monkeypatch):
    monkeypatch.setenv("SEN12TS__STORE", str(tmp_path))
    with wiring.noted("nevada/2023-fall", "radar"):
        time.sleep(0.05)
        size = 200_000_000
        bytearray(size)[::4096] = bytes(len(range(0, size, 4096)))
    with wiring.ledger().reading() as connection:
        [row] = connection.execute(sa.select(timings)).mappings()
    assert (row["aoi"], row["season"], row["stage"]) == ("nevada", "fall", "radar")
    assert 0.05 <= row["seconds"] < 5
    assert size < row["peak_bytes"] < 100 * size


def test_the_memory_of_a_child_counts(tmp_path):
    before = wiring.peak_bytes()
    program = f"a = bytearray({before + 50_000_000}); a[::4096] = bytes(len(a[::4096]))"
    subprocess.run([sys.executable, "-c", program], check=True)
    assert wiring.peak_bytes() > before + 50_000_000


def test_a_ledger_that_is_down_hides_no_failure(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SEN12TS__STORE", str(tmp_path / "file"))
    with pytest.raises(BadProduct), wiring.noted("nevada/2023-fall", "radar"):
        raise BadProduct("S1A", "noise.xml", "is too short")
