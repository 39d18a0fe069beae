"""pyroSAR behind its bridge: what it says of products and graphs, and what is said where it is not there."""

import dataclasses
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sen12ts_pipeline.acquisition.paths import PathSource
from sen12ts_pipeline.domain.passes import Slice
from sen12ts_pipeline.errors import BadProduct, ConfigurationError, EngineFailure
from sen12ts_pipeline.sar.snap import bridge as module
from sen12ts_pipeline.sar.snap.bridge import Bridge, Facts, find_python
from sen12ts_pipeline.sentinel1.manifest import read_slice
from tests.sar.snap import standin_gpt

PROGRAM = Path(module.__file__).with_name("pyrosar_program.py")
GRAPHS = [Path(__file__).parent / f"golden/{name}.xml" for name in ("swaths-backscatter", "esd-stack_iw2")]
REAL = {path.name[-13:-9]: path for path in (Path(__file__).parents[2] / "data/sentinel1").glob("S1A*.SAFE.zip")}
REBUILT = "C158"
"""A product put together from VV bursts, whose manifest is that of the whole slice."""


class TestWithoutPyrosar:
    def test_there_is_one_message_that_says_what_to_install(self, monkeypatch):
        monkeypatch.setattr(module, "USUAL_PLACES", ("nowhere/bin/python",))
        with pytest.raises(
            ConfigurationError, match=r"GDAL's Python bindings .* make test-snap makes one, docs/snap\.md"
        ):
            find_python({})

    def test_a_python_that_is_named_must_be_there(self, tmp_path):
        with pytest.raises(ConfigurationError, match=r"nothing at .*/python"):
            find_python({"SEN12TS_PYROSAR": str(tmp_path / "python")})
        with pytest.raises(ConfigurationError, match="No such file"):
            Bridge(tmp_path / "python").versions()

    def test_an_environment_without_it_says_what_it_lacks(self):
        # This very environment: pyroSAR does not go together with what it has.
        with pytest.raises(ConfigurationError, match="No module named 'pyroSAR'"):
            Bridge(Path(sys.executable)).versions()

    def test_the_program_needs_the_standard_library_alone(self):
        command = [sys.executable, "-I", "-S", str(PROGRAM)]
        done = subprocess.run(command, input='{"question": "versions"}', capture_output=True, text=True, check=True)
        assert done.stdout == """{"missing": "No module named 'pyroSAR'"}"""

    @pytest.mark.parametrize(
        ("script", "words"),
        [
            ("echo nonsense", "status 0"),
            ("echo trouble >&2; exit 3", "trouble"),
            ("sleep 60", "no answer within 0.5 s"),
        ],
    )
    def test_a_python_that_does_not_answer_is_a_failure(self, tmp_path, monkeypatch, script, words):
        monkeypatch.setattr(module, "TIME_LIMIT_S", 0.5)
        python = tmp_path / "python"
        python.write_text(f"#!/bin/sh\n{script.replace('sleep', 'exec sleep')}\n")
        python.chmod(0o755)
        with pytest.raises(EngineFailure, match=words):
            Bridge(python).versions()


SLICE = Slice(
    start=datetime(2021, 4, 1, 5, 26, 22, 396989, tzinfo=UTC),
    stop=datetime(2021, 4, 1, 5, 26, 50, 325833, tzinfo=UTC),
    platform="S1B",
    datatake=0x0315A6,
    relative_orbit=168,
    direction="D",
    polarisations=("VH", "VV"),
    processed=datetime(2021, 4, 1, tzinfo=UTC),
    ipf=(3, 31),
    product="S1B_IW_SLC__1SDV_X",
    footprint="POLYGON ((8.766 45.527, 12.466 45.527, 12.466 47.592, 8.766 47.592, 8.766 45.527))",
)
FACTS = Facts(
    product="S1B_IW_SLC__1SDV_X",
    sensor="S1B",
    mode="IW",
    polarisations=("VH", "VV"),
    direction="D",
    relative_orbit=168,
    start=datetime(2021, 4, 1, 5, 26, 22, tzinfo=UTC),
    stop=datetime(2021, 4, 1, 5, 26, 50, tzinfo=UTC),
    ipf="3.31",
    extent=(8.766, 45.527, 12.466, 47.592),
)


class TestDifferences:
    def test_are_none_where_both_read_the_same(self):
        assert FACTS.differences(SLICE) == ()

    @pytest.mark.parametrize(
        ("changes", "name"),
        [
            ({"sensor": "S1A"}, "sensor"),
            ({"polarisations": ("VV",)}, "polarisations"),
            ({"direction": "A"}, "direction"),
            ({"relative_orbit": 167}, "relative orbit"),
            ({"start": FACTS.start.replace(second=20)}, "start"),
            ({"stop": FACTS.stop.replace(second=52)}, "stop"),
            ({"ipf": "3.40"}, "processor"),
            ({"extent": (8.766, 45.527, 12.466, 47.61)}, "extent"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_are_named(self, changes, name):
        (found,) = dataclasses.replace(FACTS, **changes).differences(SLICE)
        assert found.startswith(f"{name}: ")

    def test_in_the_processor_are_left_open_where_one_does_not_know_it(self):
        assert dataclasses.replace(FACTS, ipf="").differences(SLICE) == ()
        assert FACTS.differences(dataclasses.replace(SLICE, ipf=(0, 0))) == ()


def slice_at(path):
    """What our own reader reads."""
    return read_slice(PathSource([str(path)]).at(str(path)))


@pytest.fixture(scope="module")
def bridge(tmp_path_factory):
    gpt = standin_gpt.install(tmp_path_factory.mktemp("snap"))
    return Bridge(Path(os.environ["SEN12TS_PYROSAR"]), gpt)


@pytest.mark.needs_pyrosar
class TestPyrosar:
    def test_is_of_versions_that_work_together(self, bridge):
        versions = bridge.versions()
        assert set(versions) == {"python", "pyroSAR", "spatialist", "numpy", "GDAL"}
        assert versions["numpy"].startswith("1.")

    def test_reads_of_simulated_products_what_our_reader_reads(self, bridge, tiny):
        for one in tiny.passes:
            (part,) = one.slices
            assert bridge.identify(tiny.source.place(part.product)).differences(part) == ()

    @pytest.mark.parametrize("name", sorted(REAL.keys() - {REBUILT}))
    def test_reads_of_real_products_what_our_reader_reads(self, bridge, name):
        facts = bridge.identify(REAL[name])
        assert facts.differences(slice_at(REAL[name])) == ()
        assert facts.mode == "IW"

    def test_believes_a_manifest_where_our_reader_believes_the_name_too(self, bridge):
        found = bridge.identify(REAL[REBUILT]).differences(slice_at(REAL[REBUILT]))
        assert found == ("polarisations: ('VH', 'VV'), ('VV',)",)

    def test_cannot_read_what_is_no_product(self, bridge, tmp_path):
        folder = tmp_path / "S1A_IW_SLC__1SDV_20230801T062515_20230801T062522_049672_05FA33_F54D.SAFE"
        folder.mkdir()
        with pytest.raises(BadProduct, match="pyroSAR cannot read it"):
            bridge.identify(folder)

    def test_finds_the_gpt_that_is_used(self, bridge):
        found = bridge.snap()
        assert Path(found["gpt"]) == bridge.gpt
        assert Path(found["etc"]) == bridge.gpt.parent.parent / "etc"

    def test_leaves_nothing_in_the_home_folder(self, bridge, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        bridge.snap()
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("path", GRAPHS, ids=lambda path: path.stem)
    def test_reads_the_graphs_that_are_written_here(self, bridge, path):
        operators = bridge.operators(path)
        assert {"Read", "Write"} <= set(operators)
        groups = bridge.groups(path, 2)
        names = [name for group in groups for name in group]
        assert len(groups) > 1
        assert len(names) == len(set(names)) == path.read_text().count("<operator>")


def test_there_are_products_to_ask_about():
    assert {"6681", "BA76", REBUILT} <= REAL.keys()
