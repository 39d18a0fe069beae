"""Land-cover maps as their publishers give them: the right tiles and years, and nothing that only looks like them."""

import io
import zipfile

import geopandas
import numpy as np
import pytest
import rasterio
from affine import Affine
from shapely.geometry import box

from sen12ts_pipeline import passing
from sen12ts_pipeline.acquisition.cache import Absent, Cache
from sen12ts_pipeline.acquisition.maps import (
    PARCEL_FILES,
    fetch_cdl,
    fetch_parcels,
    fetch_worldcover,
    layer_of,
    unpacked,
)
from sen12ts_pipeline.errors import BadProduct, ConfigurationError, Retryable
from tests.acquisition.buckets import Bucket


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(passing, "FIRST_WAIT_S", 0.001)
    with Bucket(page=2) as bucket:
        yield bucket


def raster(path, transform, crs, shape, dtype="uint8", value=40):
    """A raster of which the last block alone is written."""
    profile = {"driver": "GTiff", "count": 1, "dtype": dtype, "crs": crs, "transform": transform, "SPARSE_OK": True}
    profile |= {"height": shape[0], "width": shape[1], "tiled": True, "compress": "deflate"}
    with rasterio.open(path, "w", **profile) as target:
        corner = ((shape[0] - 1, shape[0]), (shape[1] - 1, shape[1]))
        target.write(np.full((1, 1), value, dtype), 1, window=corner)
    return path.read_bytes()


def zipped(**members):
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as container:
        for name, body in members.items():
            container.writestr(name, body)
    return into.getvalue()


class TestWorldCover:
    def key(self, name, edition="v100", year=2020):
        return f"{edition}/{year}/map/ESA_WorldCover_10m_{year}_{edition}_{name}_Map.tif"

    @pytest.fixture
    def bucket(self, server, tmp_path):
        """The tiles N00E006 and S03E006; the sea west of them has none."""
        for name, north in (("N00E006", 3.0), ("S03E006", 0.0)):
            transform = Affine(1 / 12000, 0, 6.0, 0, -1 / 12000, north)
            server.objects[self.key(name)] = raster(tmp_path / "t.tif", transform, "EPSG:4326", (36000, 36000))
        server.objects[self.key("N00E009").replace("Map", "InputQuality")] = b""
        return server

    def test_tiles_of_an_area_are_fetched_once(self, bucket, tmp_path):
        area = box(5.5, -0.5, 6.5, 0.5)
        found = fetch_worldcover(area, "v100", Cache(tmp_path / "c"), bucket.url)
        assert [path.name for path in found] == [self.key(n).rpartition("/")[2] for n in ("S03E006", "N00E006")]
        asked = len(bucket.asked)
        assert fetch_worldcover(area, "v100", Cache(tmp_path / "c"), bucket.url) == found
        assert len(bucket.asked) == asked
        assert sorted(bucket.keys_asked()) == sorted(self.key(n) for n in ("N00E006", "S03E006"))

    def test_the_sea_has_none(self, bucket, tmp_path):
        assert fetch_worldcover(box(0.5, 0.5, 1.0, 1.0), "v100", Cache(tmp_path / "c"), bucket.url) == []

    def test_a_tile_that_does_not_fit_its_list_is_refused(self, bucket, tmp_path):
        area, cache = box(6.5, 0.5, 7.0, 1.0), Cache(tmp_path / "c")
        fetch_worldcover(box(0.5, 0.5, 1.0, 1.0), "v100", cache, bucket.url)
        bucket.objects[self.key("N00E006")] += b"more"
        with pytest.raises(BadProduct, match="bytes; the server gives"):
            fetch_worldcover(area, "v100", cache, bucket.url)

    def test_another_tile_is_not_taken_for_the_one_asked_for(self, bucket, tmp_path):
        bucket.objects[self.key("N00E006")] = bucket.objects[self.key("S03E006")]
        with pytest.raises(BadProduct, match=r"from N00E006 on; it has \(36000, 36000\) uint8 from 6, 0 on"):
            fetch_worldcover(box(6.5, 0.5, 7.0, 1.0), "v100", Cache(tmp_path / "c"), bucket.url)

    def test_a_listed_tile_that_is_refused_is_no_sea(self, bucket, tmp_path):
        cache = Cache(tmp_path / "c")
        fetch_worldcover(box(0.5, 0.5, 1.0, 1.0), "v100", cache, bucket.url)
        del bucket.objects[self.key("N00E006")]
        with pytest.raises(ConfigurationError, match="403"):
            fetch_worldcover(box(6.5, 0.5, 7.0, 1.0), "v100", cache, bucket.url)

    def test_an_edition_without_tiles_or_name_is_refused(self, bucket, tmp_path):
        with pytest.raises(ConfigurationError, match="tiles under v200/2021/map/"):
            fetch_worldcover(box(6.5, 0.5, 7.0, 1.0), "v200", Cache(tmp_path / "c"), bucket.url)
        with pytest.raises(ConfigurationError, match="v100, v200"):
            fetch_worldcover(box(6.5, 0.5, 7.0, 1.0), "v300", Cache(tmp_path / "c"), bucket.url)


class TestCropland:
    def layer(self, tmp_path, crs="EPSG:5070", dtype="uint8"):
        return raster(tmp_path / "c.tif", Affine(30, 0, -106095, 0, -30, 1822605), crs, (600, 600), dtype)

    def test_is_unpacked_and_its_zip_not_kept(self, server, tmp_path):
        body = self.layer(tmp_path)
        server.objects["2020_30m_cdls.zip"] = zipped(**{"2020_30m_cdls.tif": body, "2020_30m_cdls.tfw": b""})
        path = fetch_cdl(2020, Cache(tmp_path / "c"), server.url)
        assert path.read_bytes() == body
        assert fetch_cdl(2020, Cache(tmp_path / "c"), server.url) == path
        assert server.keys_asked() == ["2020_30m_cdls.zip"]
        assert not list((tmp_path / "c").glob("[!.]*zip*"))

    @pytest.mark.parametrize("values", [{"crs": "EPSG:4326"}, {"dtype": "int16"}], ids=["system", "type"])
    def test_of_another_kind_is_refused(self, server, tmp_path, values):
        server.objects["2020_30m_cdls.zip"] = zipped(**{"2020_30m_cdls.tif": self.layer(tmp_path, **values)})
        with pytest.raises(BadProduct, match="uint8 in EPSG:5070"):
            fetch_cdl(2020, Cache(tmp_path / "c"), server.url)
        assert not (tmp_path / "c/2020_30m_cdls.tif").exists()

    def test_that_is_damaged_is_refused(self, server, tmp_path):
        body = bytearray(zipped(**{"2020_30m_cdls.tif": self.layer(tmp_path)}))
        body[len(body) // 2] ^= 0xFF
        server.objects["2020_30m_cdls.zip"] = bytes(body)
        with pytest.raises(BadProduct, match="cannot be unpacked"):
            fetch_cdl(2020, Cache(tmp_path / "c"), server.url)

    def test_of_a_year_that_does_not_exist_is_absent(self, server, tmp_path):
        server.missing = 404
        with pytest.raises(Absent, match="1990_30m_cdls"):
            fetch_cdl(1990, Cache(tmp_path / "c"), server.url)

    def test_a_page_in_its_place_is_asked_for_again(self, server, tmp_path):
        server.objects["2020_30m_cdls.zip"] = b"<html>maintenance</html>"
        with pytest.raises(Retryable, match="a web page"):
            fetch_cdl(2020, Cache(tmp_path / "c"), server.url)


class TestParcels:
    def parcels(self, tmp_path, crs="EPSG:25831", column="cultiu"):
        path = tmp_path / "parcels.gpkg"
        frame = geopandas.GeoDataFrame({column: ["DACTIL"]}, geometry=[box(430000, 4600000, 430100, 4600100)], crs=crs)
        frame.to_file(path, layer="CULTIUS_DUN2023")
        return zipped(**{"CULTIUS_DUN2023.gpkg": path.read_bytes()})

    def put(self, server, body, year=2023):
        key, _ = PARCEL_FILES[year]
        server.faults.append(lambda handler: handler.answer(body=body))
        return f"/{key}?download=true&filename=Cultius_DUN{year}_GPKG.zip"

    def test_are_fetched_once_by_the_portal_s_own_name(self, server, tmp_path):
        asked = self.put(server, self.parcels(tmp_path))
        path = fetch_parcels(2023, Cache(tmp_path / "c"), server.url)
        assert fetch_parcels(2023, Cache(tmp_path / "c"), server.url) == path
        assert server.asked == [asked]
        assert list(geopandas.read_file(layer_of(path)).cultiu) == ["DACTIL"]

    def test_are_unpacked_once_for_those_who_read_a_file(self, server, tmp_path):
        self.put(server, self.parcels(tmp_path))
        path = unpacked(fetch_parcels(2023, Cache(tmp_path / "c"), server.url))
        assert path.name == "CULTIUS_DUN2023.gpkg"
        before = path.stat().st_mtime_ns
        assert unpacked(path.parent.with_suffix(".zip")) == path
        assert path.stat().st_mtime_ns == before
        assert list(geopandas.read_file(path).cultiu) == ["DACTIL"]

    @pytest.mark.parametrize("values", [{"crs": "EPSG:4326"}, {"column": "name"}], ids=["system", "column"])
    def test_of_another_kind_are_refused(self, server, tmp_path, values):
        self.put(server, self.parcels(tmp_path, **values))
        with pytest.raises(BadProduct, match="parcels in EPSG:25831 with a column cultiu"):
            fetch_parcels(2023, Cache(tmp_path / "c"), server.url)

    def test_that_are_no_zip_are_refused(self, server, tmp_path):
        self.put(server, b'{"error": true}')
        with pytest.raises(BadProduct, match="no zip"):
            fetch_parcels(2023, Cache(tmp_path / "c"), server.url)

    def test_of_other_years_must_be_given(self, server, tmp_path):
        with pytest.raises(ConfigurationError, match="2019 to 2024"):
            fetch_parcels(2015, Cache(tmp_path / "c"), server.url)
