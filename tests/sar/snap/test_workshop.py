"""Every graph runs once; what it made lies in a folder of the process, and goes when it is too much or no more used."""

import gc
from dataclasses import dataclass
from pathlib import Path

import pytest

from sen12ts_pipeline.sar.snap.graph import Graph, Node, Output
from sen12ts_pipeline.sar.snap.workshop import Workshop

RUNS = []


@dataclass(frozen=True)
class Writer:
    """Runs a graph by writing a thousand bytes."""

    userdir: Path | None = None

    def run(self, graph, work, cancelled):
        RUNS.append((graph.name, self.userdir))
        assert not cancelled()
        graph.outputs[0].path.write_bytes(bytes(1000))


def graph(name, source="/in/a.SAFE"):
    read = Node("read", "Read", (), (("file", source),))
    write = Node("write", "Write", (("sourceProduct", "read"),), (("file", f"{name}.dim"),))
    return Graph(name, (read, write), (Output(Path(f"{name}.dim"), ("x",)),))


@pytest.fixture
def shop(tmp_path):
    RUNS.clear()
    return Workshop(Writer(), tmp_path / "scratch", 2.5e-6, lambda: False)


class TestProducts:
    def test_are_made_once(self, shop):
        first, again = shop.made(graph("a")), shop.made(graph("a"))
        assert first == again
        assert first.exists()
        assert [name for name, _ in RUNS] == ["a"]

    def test_of_other_inputs_are_others(self, shop):
        assert shop.made(graph("a")) != shop.made(graph("a", "/in/b.SAFE"))
        assert len(RUNS) == 2

    def test_that_were_longest_not_used_are_removed_beyond_the_limit(self, shop):
        made = {name: shop.made(graph(name)) for name in "abc"}
        shop.made(graph("a"))
        shop.tidy()
        assert {name for name, path in made.items() if path.exists()} == {"a", "c"}
        shop.made(graph("b"))
        assert [name for name, _ in RUNS] == ["a", "b", "c", "b"]

    def test_that_are_about_to_be_read_stay(self, shop):
        laid = shop.folder / "bursts" / "X.SAFE"
        laid.mkdir(parents=True)
        (laid / "m.tiff").write_bytes(bytes(5000))
        made = shop.made(graph("a"))
        shop.tidy([laid])
        assert laid.exists()
        assert not made.exists()
        shop.made(graph("b"))
        shop.tidy()
        assert not laid.exists()

    def test_within_the_limit_stay(self, shop):
        made = [shop.made(graph(name)) for name in "ab"]
        shop.tidy()
        assert all(path.exists() for path in made)


class TestFolder:
    def test_is_gone_when_nobody_uses_it_any_more(self, tmp_path):
        shop = Workshop(Writer(), tmp_path, 1.0, lambda: False)
        folder = shop.folder
        shop.made(graph("a"))
        assert folder.is_dir()
        del shop
        gc.collect()
        assert list(tmp_path.iterdir()) == []

    def test_of_two_processes_are_two(self, tmp_path):
        one, other = (Workshop(Writer(), tmp_path, 1.0, lambda: False) for _ in range(2))
        assert one.folder != other.folder


class TestUserFolder:
    def test_lends_the_auxiliary_data_but_not_the_orbits(self, tmp_path):
        base = tmp_path / "base"
        for name in ("auxdata/dem/egm96", "auxdata/Orbits/Sentinel-1", "etc"):
            (base / name).mkdir(parents=True)
        shop = Workshop(Writer(base), tmp_path / "scratch", 1.0, lambda: False)
        RUNS.clear()
        shop.made(graph("a"))
        own = RUNS[0][1]
        assert own != base
        assert (own / "auxdata/dem").resolve() == base / "auxdata/dem"
        assert (own / "etc").resolve() == base / "etc"
        assert not (own / "auxdata/Orbits").is_symlink()

    @pytest.mark.parametrize("kind", ["POEORB", "RESORB"])
    def test_has_orbit_files_where_snap_looks_by_the_month_of_what_was_acquired(self, shop, kind):
        # The file's own validity begins on the last of the month before.
        name = f"S1A_OPER_AUX_{kind}_OPOD_20200221T120721_V20200131T225942_20200202T005942"
        shop.offer_orbit(name, b"vectors", "S1A", {(2020, 2)})
        (found,) = shop.folder.rglob("*.EOF")
        wanted = Path(f"userdir/auxdata/Orbits/Sentinel-1/{kind}/S1A/2020/02/{name}.EOF")
        assert found.relative_to(shop.folder) == wanted
        assert found.read_bytes() == b"vectors"
