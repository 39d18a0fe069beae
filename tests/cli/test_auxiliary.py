"""`fetch-aux`: an area's elevations, orbit files and geoid are here before a run, and a run takes them."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from sen12ts_pipeline import passing, wiring
from sen12ts_pipeline.acquisition.areas import cells_around
from sen12ts_pipeline.acquisition.elevation import MARGIN_DEG
from sen12ts_pipeline.acquisition.orbit_archive import OrbitArchive
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.ports import NO_ORBIT_FILES
from sen12ts_pipeline.settings.boundary import read_boundary
from sen12ts_pipeline.settings.load import write_aoi
from sen12ts_pipeline.settings.model import CatalogueSettings, DemSettings, Settings
from sen12ts_pipeline.terrain.mosaic import Cell
from tests import worlds
from tests.acquisition.buckets import Bucket
from tests.terrain import tiles

ORBITS = Path(__file__).parents[1] / "data/orbits"


@pytest.fixture
def server(tiny, tmp_path, monkeypatch):
    """Flat tiles of GLO-30 around the area tiny, and an orbit file that serves its newest pass, as by its name."""
    monkeypatch.setattr(passing, "FIRST_WAIT_S", 0.001)
    with Bucket(missing=404) as bucket:
        for corner in cells_around(read_boundary(worlds.area_of(tiny)), 1, MARGIN_DEG):
            name = f"Copernicus_DSM_COG_10_{Cell(*corner).name[:3]}_00_{Cell(*corner).name[3:]}_00_DEM"
            path = tiles.glo30(tmp_path / "t.tif", Cell(*corner), lambda x, y: 80.0 + 0 * x * y, columns=36, rows=36)
            bucket.objects[f"{name}/{name}.tif"] = path.read_bytes()
        bucket.objects["tileList.txt"] = "\n".join(k.partition("/")[0] for k in bucket.objects).encode()
        start = max(p.name[17:25] for p in worlds.products_of(tiny, "S1"))
        template = next(ORBITS.glob("*20181203*.EOF"))
        days = f"V{int(start) - 1}T225942_{int(start) + 1}T005942"
        name = template.stem.replace(template.stem.partition("OPOD_20181203T120749_")[2], days)
        body = template.read_bytes().replace(template.stem.encode(), name.encode())
        bucket.objects[f"AUX_POEORB/{name}.EOF"] = body
        yield bucket


@pytest.fixture
def area(tiny, server, tmp_path, monkeypatch):
    """The area tiny, all of it fetched."""
    kept = worlds.area_of(tiny)
    catalogue = CatalogueSettings(**kept.catalogue.model_dump() | {"orbits": "archive"})
    dem = DemSettings(source="glo30", allow_egm96=True)
    area = kept.model_copy(update={"catalogue": catalogue, "dem": dem})
    write_aoi(area, tmp_path / "aois")
    config = {"auxiliary": {"urls": dict.fromkeys(("orbits", "glo30", "cdse_catalogue"), server.url)}}
    (tmp_path / "pipeline.yaml").write_text(yaml.safe_dump(config))
    monkeypatch.setenv("SEN12TS_CONFIG", str(tmp_path / "pipeline.yaml"))
    monkeypatch.setenv("SEN12TS_AOIS", str(tmp_path / "aois"))
    monkeypatch.setenv("SEN12TS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SEN12TS__STORE", str(tmp_path / "store"))
    return area


class TestFetching:
    def test_brings_everything_once(self, area, server, sen12ts, tmp_path):
        code, out, _ = sen12ts("fetch-aux", "tiny")
        assert code == 0
        elevation, orbits = out.splitlines()
        assert elevation.startswith(f"elevation  {tmp_path}/cache/glo30/glo30-")
        assert orbits.startswith("orbits     1 files for ")
        asked = len(server.asked)
        assert sen12ts("fetch-aux", "tiny")[:2] == (0, out)
        assert len(server.asked) == asked

    def test_a_run_takes_what_is_here(self, area, server, sen12ts):
        sen12ts("fetch-aux", "tiny")
        asked = len(server.asked)
        services = wiring.connect("tiny")
        told = services.engine.identity.as_json()["parameters"]["dem"]
        assert (told["vertical"], told["stand_in"]) == ("egm2008", "egm96")
        x, y = services.area.centroid.x + np.arange(2) * 1e-3, services.area.centroid.y - np.arange(2) * 1e-3
        heights = services.engine.dem.window(4326, (x[0], y[-1], x[-1], y[0])).lattice(x, y)
        assert np.ptp(heights) < 0.1
        found = worlds.run(services, until="search")
        assert found
        assert len(server.asked) == asked

    def test_a_map_that_cannot_be_fetched_is_an_error(self, area, sen12ts, tmp_path):
        other = area.model_copy(update={"labels": area.labels.model_copy(update={"path": None, "name": "corine_2018"})})
        write_aoi(other, tmp_path / "aois")
        code, _, err = sen12ts("fetch-aux", "tiny", "--no-orbits")
        assert code == 2
        assert "labels.name: must be worldcover_2020_v100" in err
        assert sen12ts("fetch-aux", "tiny", "--no-orbits", "--no-labels")[0] == 0

    def test_a_server_that_is_busy_is_said(self, area, server, sen12ts):
        server.faults += [503] * 5
        code, _, err = sen12ts("fetch-aux", "tiny")
        assert code == 2
        assert "answered 503" in err


def test_doctor_tells_what_is_here_and_what_will_be_fetched(area, sen12ts, tmp_path):
    code, before, _ = sen12ts("doctor", "tiny")
    assert code == 0
    assert f"tiles of glo30 into {tmp_path}/cache/glo30, 0 files are there" in before
    assert "sen12ts fetch-aux tiny fetches it before a run" in before
    sen12ts("fetch-aux", "tiny")
    _, after, _ = sen12ts("doctor", "tiny")
    assert "orbit files of orbits" in after
    assert "1 files are there" in after


class TestOrbits:
    @pytest.mark.parametrize(
        ("values", "kind"),
        [
            ({"kind": "archive"}, type(NO_ORBIT_FILES)),
            ({"kind": "cdse"}, OrbitArchive),
            ({"kind": "archive", "orbits": "archive"}, OrbitArchive),
            ({"kind": "cdse", "orbits": "annotated"}, type(NO_ORBIT_FILES)),
        ],
        ids=lambda x: "-".join(x.values()) if isinstance(x, dict) else None,
    )
    def test_are_fetched_for_live_archives_and_where_it_is_said(self, tiny, tmp_path, values, kind):
        area = worlds.area_of(tiny).model_copy(update={"catalogue": CatalogueSettings(**values)})
        fetching = wiring.auxiliary(Settings(store=tmp_path), {"SEN12TS_CACHE": str(tmp_path)})
        assert type(wiring.orbits_of(area, fetching)) is kind

    def test_are_restituted_only_where_that_is_said(self, tiny, tmp_path):
        fetching = wiring.auxiliary(Settings(store=tmp_path), {"SEN12TS_CACHE": str(tmp_path)})
        for restituted, kinds in ((False, ("POEORB",)), (True, ("POEORB", "RESORB"))):
            catalogue = CatalogueSettings(orbits="archive", restituted=restituted)
            area = worlds.area_of(tiny).model_copy(update={"catalogue": catalogue})
            assert wiring.orbits_of(area, fetching).kinds == kinds

    def test_of_a_folder_are_a_path(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert CatalogueSettings(orbits="./archive").orbit_files == tmp_path / "archive"


class TestGeoid:
    @pytest.mark.parametrize(
        ("values", "fetched"),
        [
            ({"source": "glo30"}, True),
            ({"source": "glo30", "allow_egm96": True}, False),
            ({"source": "glo30", "geoid": "/grid.tif"}, False),
            ({"source": "srtmgl1"}, False),
            ({"geoid": "fetch"}, True),
            ({"geoid": "fetch", "vertical": "egm96"}, False),
            ({}, False),
        ],
        ids=lambda x: "-".join(map(str, x.values())) or "file" if isinstance(x, dict) else None,
    )
    def test_is_fetched_where_heights_need_it_and_none_is_given(self, values, fetched):
        assert DemSettings(**values).fetches_geoid is fetched

    def test_of_a_file_is_not_fetched_unasked(self, tiny, tmp_path):
        area = worlds.area_of(tiny)
        dem = area.dem.model_copy(update={"vertical": "egm2008"})
        fetching = wiring.auxiliary(Settings(store=tmp_path), {"SEN12TS_CACHE": str(tmp_path)})
        with pytest.raises(ConfigurationError, match=r"dem\.geoid: fetch"):
            wiring.dem_of(area.model_copy(update={"dem": dem}), fetching).check()
