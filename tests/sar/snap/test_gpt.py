"""The runner, against the stand-in gpt, which misbehaves in every way that gpt is known for."""

import logging
import pickle
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from sen12ts_pipeline.errors import ConfigurationError, EngineFailure, Retryable
from sen12ts_pipeline.sar.snap import gpt as runner
from sen12ts_pipeline.sar.snap.dimap import open_product
from sen12ts_pipeline.sar.snap.gpt import Gpt
from sen12ts_pipeline.sar.snap.graph import Graph, Node, Output
from tests.sar.snap import standin_gpt

BANDS = (r"i_IW1_VV", r"q_IW1_VV")


def never():
    return False


@pytest.fixture(scope="module")
def gpt(tmp_path_factory):
    program = standin_gpt.install(tmp_path_factory.mktemp("snap"))
    return Gpt(program, memory_gb=2.0, cache_gb=0.5, threads=4, time_limit_s=120.0)


@pytest.fixture
def work(tmp_path):
    return tmp_path / "work"


@pytest.fixture
def graph(tiny, tmp_path):
    """The least that can be asked for: one burst of one polarisation, read and written."""
    safe = tiny.source.place(tiny.passes[0].products[0])
    path = tmp_path / "products" / "burst.dim"
    nodes = (
        Node("read", "Read", (), (("file", str(safe)), ("formatName", "SENTINEL-1"))),
        Node(
            "split",
            "TOPSAR-Split",
            (("sourceProduct", "read"),),
            (
                ("subswath", "IW1"),
                ("selectedPolarisations", "VV"),
                ("firstBurstIndex", "1"),
                ("lastBurstIndex", "1"),
            ),
        ),
        Node("write", "Write", (("sourceProduct", "split"),), (("file", str(path)), ("formatName", "BEAM-DIMAP"))),
    )
    return Graph("burst", nodes, (Output(path, BANDS),))


@pytest.fixture
def fault(monkeypatch):
    """Make the stand-in misbehave."""

    def choose(name, times=1000):
        monkeypatch.setenv("STANDIN_GPT_FAULT", name)
        monkeypatch.setenv("STANDIN_GPT_TIMES", str(times))

    return choose


def with_parameter(graph, name, text):
    """The graph with another parameter of its split."""
    read, split, write = graph.nodes
    changed = tuple((n, text if n == name else t) for n, t in split.parameters)
    added = changed if name in dict(changed) else (*changed, (name, text))
    return replace(graph, nodes=(read, replace(split, parameters=added), write))


def working_in(folder):
    """Processes whose working folder is this one."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == folder:
                found.append(int(process.name))
        except OSError:
            continue
    return found


def attempts(work):
    return sorted(path.name for path in work.glob("*.log"))


def nothing_is_left(graph, work):
    """Neither a product nor a part of one, nor anybody who could still write it."""
    assert working_in(work) == []
    assert not graph.outputs[0].path.exists()
    assert not graph.outputs[0].path.with_suffix(".data").exists()
    assert [path.name for path in work.iterdir() if path.name.endswith(".part")] == []
    return True


class TestARunThatEndsWell:
    def test_leaves_the_product_in_its_place_and_a_log(self, gpt, graph, work):
        gpt.run(graph, work, never)
        product = open_product(graph.outputs[0].path)
        assert [band.name for band in product.bands] == ["i_IW1_VV", "q_IW1_VV"]
        assert attempts(work) == ["burst-1.log"]
        assert "100%" in (work / "burst-1.log").read_text()
        assert (work / "burst.xml").exists()
        assert not list(work.glob("*.part"))

    def test_takes_the_place_of_what_an_earlier_run_left(self, gpt, graph, work):
        folder = graph.outputs[0].path.with_suffix(".data")
        folder.mkdir(parents=True)
        (folder / "Gamma0_VV.img").write_bytes(b"stale")
        gpt.run(graph, work, never)
        assert sorted(path.name for path in folder.glob("*.img")) == ["i_IW1_VV.img", "q_IW1_VV.img"]

    def test_uses_no_more_than_it_was_given(self, gpt, graph, work):
        gpt.run(graph, work, never)
        assert "heap 2048M, cache 512M, threads 4" in (work / "burst-1.log").read_text()

    def test_has_a_user_folder_of_its_own_with_the_auxiliary_data_of_another(self, gpt, graph, work, tmp_path):
        shared = tmp_path / "shared"
        (shared / "auxdata/dem/egm96").mkdir(parents=True)
        (shared / "var").mkdir()
        replace(gpt, userdir=shared).run(graph, work, never)
        own = work / "userdir"
        assert (own / "auxdata/dem/egm96").is_dir()
        assert not (own / "var").exists()

    def test_says_how_far_it_is(self, gpt, graph, work, fault, caplog):
        fault("slow")
        with caplog.at_level(logging.INFO, runner.__name__):
            gpt.run(graph, work, never)
        percents = [record.percent for record in caplog.records if hasattr(record, "percent")]
        assert len(percents) >= 5
        assert percents == sorted(set(percents))
        assert percents[-1] == 100


class TestWhatIsNotTriedAgain:
    def test_a_graph_that_gpt_refuses(self, gpt, graph, work):
        wrong = with_parameter(graph, "bogus", "1")
        with pytest.raises(EngineFailure, match=r"\[NodeId: split\] .* Unknown element 'bogus'.*burst-1\.log"):
            gpt.run(wrong, work, never)
        assert attempts(work) == ["burst-1.log"]
        assert nothing_is_left(graph, work)

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("crash", r"status 1: Error: .*NullPointerException"),
            ("zeros", r"status 0, but its log has 'Exception'"),
            ("quiet-zeros", r"band i_IW1_VV holds nothing"),
            ("missing-band", r"must have one band 'q_IW1_VV', found 0; its bands: i_IW1_VV"),
            ("half-written", r"the image of band q_IW1_VV is not whole"),
            ("no-output", r"must be a readable product"),
        ],
    )
    def test_an_operator_that_fails_with_or_without_a_word(self, gpt, graph, work, fault, name, words):
        fault(name)
        with pytest.raises(EngineFailure, match=words):
            gpt.run(graph, work, never)
        assert attempts(work) == ["burst-1.log"]
        assert nothing_is_left(graph, work)

    def test_a_full_disk_which_may_have_room_later(self, gpt, graph, work, fault):
        fault("disk-full")
        with pytest.raises(Retryable, match="the disk is full"):
            gpt.run(graph, work, never)
        assert attempts(work) == ["burst-1.log"]
        assert nothing_is_left(graph, work)

    def test_a_program_that_is_not_there(self, gpt, graph, work):
        with pytest.raises(ConfigurationError, match="must be a program that starts"):
            replace(gpt, program=Path("/nowhere/gpt")).run(graph, work, never)


class TestMemoryThatGivesOut:
    @pytest.mark.parametrize("name", ["killed", "out-of-memory"])
    def test_costs_a_second_try_with_half_of_cache_and_threads(self, gpt, graph, work, fault, name):
        fault(name, times=1)
        gpt.run(graph, work, never)
        first, second = ((work / log).read_text() for log in ("burst-1.log", "burst-2.log"))
        assert "cache 512M, threads 4" in first
        assert "heap 2048M, cache 256M, threads 2" in second
        assert graph.outputs[0].path.exists()

    @pytest.mark.parametrize(("name", "words"), [("killed", "was killed"), ("out-of-memory", "OutOfMemoryError")])
    def test_is_left_to_a_later_task_when_that_does_not_suffice(self, gpt, graph, work, fault, name, words):
        fault(name)
        with pytest.raises(Retryable, match=words):
            gpt.run(graph, work, never)
        assert attempts(work) == ["burst-1.log", "burst-2.log"]
        assert nothing_is_left(graph, work)


class TestARunThatHangs:
    @pytest.fixture(autouse=True)
    def impatient(self, monkeypatch):
        monkeypatch.setattr(runner, "GRACE_S", 1.0)

    def test_at_its_time_limit_is_ended_with_all_its_children(self, gpt, graph, work, fault):
        fault("hang")
        with pytest.raises(Retryable, match=r"longer on burst than its limit of 4 s at 40 %"):
            replace(gpt, time_limit_s=4.0).run(graph, work, never)
        assert attempts(work) == ["burst-1.log"]
        assert nothing_is_left(graph, work)

    def test_before_it_says_anything_is_tried_once_more(self, gpt, graph, work, fault):
        fault("silent", times=1)
        replace(gpt, start_limit_s=5.0).run(graph, work, never)
        assert attempts(work) == ["burst-1.log", "burst-2.log"]
        assert (work / "burst-1.log").read_text() == ""
        assert graph.outputs[0].path.exists()

    def test_after_its_work_leaves_nothing_that_could_be_taken_for_a_result(self, gpt, graph, work, fault):
        fault("hang-at-end")
        with pytest.raises(Retryable, match="hangs on burst after 100 %"):
            replace(gpt, end_limit_s=0.5).run(graph, work, never)
        assert nothing_is_left(graph, work)


class TestCancelling:
    @pytest.fixture(autouse=True)
    def hanging(self, fault, monkeypatch):
        fault("hang")
        monkeypatch.setattr(runner, "GRACE_S", 1.0)

    def test_ends_everything_at_once(self, gpt, graph, work):
        started = time.monotonic()

        def cancelled():
            return "40%" in (work / "burst-1.log").read_text()

        with pytest.raises(Retryable, match="cancelled on burst"):
            gpt.run(graph, work, cancelled)
        assert time.monotonic() - started < 30
        assert nothing_is_left(graph, work)

    def test_by_an_exception_does_so_too(self, gpt, graph, work):
        def interrupted():
            if "40%" in (work / "burst-1.log").read_text():
                raise KeyboardInterrupt
            return False

        with pytest.raises(KeyboardInterrupt):
            gpt.run(graph, work, interrupted)
        assert nothing_is_left(graph, work)


class TestThisProcessDying:
    PROGRAM = """
import pickle, sys
gpt, graph, work = pickle.loads(bytes.fromhex(sys.argv[1]))
gpt.run(graph, work, lambda: False)
"""

    def test_without_a_word_ends_gpt_too(self, gpt, graph, work, fault):
        fault("hang")
        arguments = pickle.dumps((gpt, graph, work)).hex()
        process = subprocess.Popen([sys.executable, "-c", self.PROGRAM, arguments], cwd=Path(__file__).parents[3])
        wait_until(lambda: len(working_in(work)) >= 3)
        process.kill()
        process.wait()
        wait_until(lambda: working_in(work) == [])


def wait_until(holds, limit_s=30.0):
    until = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_the_options_reach_java_before_gpt_reads_its_configuration(gpt):
    command = gpt.command(Path("g.xml"), Path("user"), Path("tmp"))
    assert command[1:] == [
        *("g.xml", "-e", "-c", "512M", "-q", "4"),
        *("-J-Xmx2048M", "-J-Dsnap.userdir=user", "-J-Djava.io.tmpdir=tmp"),
    ]


@pytest.mark.parametrize("name", standin_gpt.FAULTS)
def test_every_fault_of_the_stand_in_is_met_here_or_where_products_lie_on_the_map(name):
    tests = [Path(__file__), Path(__file__).with_name("test_engine.py")]
    assert any(re.search(rf'"{name}"', test.read_text()) for test in tests)
