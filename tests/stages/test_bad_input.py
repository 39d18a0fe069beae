"""Bad input: one recorded refusal or clear error that names file and rule, and nothing else is lost."""

import errno
import json
import re

import numpy as np
import pytest
import rasterio
from shapely.geometry import box

from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.errors import ConfigurationError, Retryable
from sen12ts_pipeline.stages import report
from sen12ts_pipeline.state.artifacts import Artifacts
from sen12ts_pipeline.state.folder import FolderStore
from tests import worlds

THIRD = 2
"""Of the five passes; both candidates need all of them."""


def truncate(pattern, share):
    def damage(product):
        path = min(product.glob(pattern))
        worlds.rewrite(path, path.read_bytes()[: int(path.stat().st_size * share)])

    return damage


def remove(pattern):
    def damage(product):
        for path in product.glob(pattern):
            path.unlink()

    return damage


def replace(pattern, old, new):
    def damage(product):
        for path in product.glob(pattern):
            text = path.read_text()
            assert re.search(old, text, re.DOTALL), f"nothing to replace in {path.name}"
            worlds.rewrite(path, re.sub(old, new, text, flags=re.DOTALL).encode())

    return damage


def exchange(pattern, other):
    """Put another file of the product in the place of one."""

    def damage(product):
        worlds.rewrite(min(product.glob(pattern)), min(product.glob(other)).read_bytes())

    return damage


def rows_of(services):
    """Rows of the report by optical date."""
    partition = Partition.parse(worlds.partition_of(services))
    return {str(r.s2date): r for r in report.rows_of(partition, services)}


def run(tiny, tmp_path, damage, **settings):
    """A run over a damaged copy: services, and the rows of the report by optical date."""
    folder = worlds.copy(tiny, tmp_path / "world")
    damage(folder)
    services = worlds.services_of(folder, tmp_path / "store", **settings)
    worlds.run(services, until="assemble")
    return services, rows_of(services)


VV = "measurement/s1a-iw1-slc-vv"
RADAR = {
    "truncated TIFF": (truncate("measurement/*iw1*vv*.tiff", 0.4), "bad_product", f"{VV}.*truncated"),
    "no TIFF": (remove("measurement/*iw1*vh*.tiff"), "bad_product", "measurement/s1a-iw1-slc-vh.*missing"),
    "no annotation": (remove("annotation/*iw1*vv*.xml"), "series_gap", "annotation/s1a-iw1-slc-vv.*missing"),
    "no VH": (remove("**/*-vh-*"), "series_gap", "same subswaths in each polarisation.*'VH': ()"),
    "no calibration": (remove("**/calibration-*iw1*vh*"), "bad_product", "calibration-s1a-iw1-slc-vh.*readable file"),
    "annotation no XML": (truncate("annotation/*iw1*vv*.xml", 0.5), "series_gap", "annotation/.*well-formed"),
    "noise no XML": (truncate("**/noise*iw1*vv*.xml", 0.5), "bad_product", "noise-s1a-iw1.*well-formed"),
    "manifest no XML": (truncate("manifest.safe", 0.5), "series_gap", r"manifest\.safe.*well-formed"),
    "no manifest": (remove("manifest.safe"), "series_gap", r"manifest\.safe.*readable file"),
    "orbit elsewhere": (
        replace("annotation/*.xml", r"(?<=<time>2023-08-25T06:)(\d\d)", "59"),
        "series_gap",
        "annotation/s1a-iw1-slc-vv.*state vectors",
    ),
}


@pytest.mark.parametrize("name", RADAR)
def test_a_broken_radar_product_refuses_what_needs_it(name, tiny, tmp_path):
    damage, rule, where = RADAR[name]
    product = worlds.products_of(tiny, "S1")[THIRD].stem
    services, rows = run(tiny, tmp_path, lambda folder: damage(worlds.products_of(folder, "S1")[THIRD]))
    assert [r.rule for r in rows.values()] == [rule, rule]
    broken = services.ledger.quarantined()
    assert list(broken) == [product]
    assert re.search(where, broken[product])
    assert f"broken product {product}: {broken[product]}" in report.summary_text(
        worlds.partition_of(services), services
    )
    if rule == "bad_product":
        assert all(product in r.detail and re.search(where, r.detail) for r in rows.values())
    else:
        assert all("2023-08-25" in r.detail for r in rows.values())
    assert not list((tmp_path / "store/tiny").rglob("*.tif"))


OPTICAL = {
    "truncated SCL": (truncate("**/*SCL_20m.jp2", 0.5), "refused", "SCL_20m.jp2"),
    "truncated band": (truncate("**/*B04_10m.jp2", 0.5), "failed", "B04_10m.jp2"),
    "no band": (remove("**/*B11_20m.jp2"), "refused", "_B11_20m.jp2; there is none"),
    "product metadata no XML": (truncate("MTD_MSIL2A.xml", 0.5), None, "MTD_MSIL2A.xml.*well-formed"),
    "granule metadata no XML": (truncate("**/MTD_TL.xml", 0.5), None, "MTD_TL.xml.*well-formed"),
    "SCL of another size": (
        exchange("**/*SCL_20m.jp2", "**/*SCL_60m.jp2"),
        "refused",
        "SCL_20m.jp2: must have 1 layer",
    ),
    "metadata that contradict the name": (
        replace("**/MTD_TL.xml", "EPSG:32630", "EPSG:32631"),
        None,
        "lies in EPSG:32630; its metadata say EPSG:32631",
    ),
    "no product metadata": (remove("MTD_MSIL2A.xml"), None, "MTD_MSIL2A.xml.*exactly once"),
}


@pytest.mark.parametrize("name", OPTICAL)
def test_a_broken_granule_costs_its_own_candidate_only(name, tiny, tmp_path):
    damage, state, where = OPTICAL[name]
    product = worlds.products_of(tiny, "S2")[0].stem
    services, rows = run(tiny, tmp_path, lambda folder: damage(worlds.products_of(folder, "S2")[0]))
    broken = services.ledger.quarantined()
    assert list(broken) == [product]
    assert re.search(where, broken[product])
    first, other = rows.get("2023-09-17"), rows["2023-09-20"]
    assert (other.state, other.slot) == ("finished", 1)
    if state is None:  # it never became a granule
        assert first is None
    else:
        assert (first.state, first.rule) == (state, "bad_product")
        assert re.search(where, first.detail)


def test_no_document_holds_a_path_of_this_machine(tiny, tmp_path):
    damage = truncate("measurement/*iw1*vv*.tiff", 0)
    services, _ = run(tiny, tmp_path, lambda folder: damage(worlds.products_of(folder, "S1")[THIRD]))
    worlds.run(services)
    found = worlds.files_of(tmp_path / "store", "tiny")
    assert len(found) > 5
    assert not [name for name, body in found.items() if str(tmp_path).encode() in body]


@pytest.mark.parametrize("position", [0, THIRD])
def test_a_slice_with_one_polarisation_does_not_count(position, tiny, tmp_path):
    def damage(folder):
        product = worlds.products_of(folder, "S1")[position]
        product.rename(product.with_name(product.name.replace("_1SDV_", "_1SSV_")))

    services, rows = run(tiny, tmp_path, damage)
    assert {r.rule for r in rows.values()} == {"series_gap"}
    assert not services.ledger.quarantined()
    told = [e.message for e in services.ledger.events(Partition.parse(worlds.partition_of(services)))]
    assert sum("slice left out, it must have VV and VH: S1A_IW_SLC__1SSV_" in message for message in told) == 1


def a_hole(folder, pixels, east=0):
    """Void some pixels wide, some pixels east of the middle of the model; all of it if `pixels` is None."""
    path = folder / "dem/dem.tif"
    with rasterio.open(path) as source:
        profile, heights = source.profile, source.read(1)
    row, col = heights.shape[0] // 2, heights.shape[1] // 2 + east
    heights[(slice(row, row + pixels), slice(col, col + pixels)) if pixels else ...] = np.nan
    path.unlink()
    with rasterio.open(path, "w", **profile | {"nodata": np.nan}) as target:
        target.write(heights, 1)


def test_a_large_hole_in_the_elevation_model_is_refused_before_any_sample_is_read(tiny, tmp_path):
    _, rows = run(tiny, tmp_path, lambda folder: a_hole(folder, 40))
    assert {r.rule for r in rows.values()} == {"s1_invalid"}
    assert all(r.invalid_s1 > 655 and str(r.invalid_s1) in r.detail for r in rows.values())
    assert not (tmp_path / "store/_work/frame").exists()


def test_a_small_hole_in_the_elevation_model_is_masked(tiny, tmp_path):
    _, rows = run(tiny, tmp_path, lambda folder: a_hole(folder, 1, east=38))
    assert {r.state for r in rows.values()} == {"finished"}
    path = min((tmp_path / "store/tiny/s1").glob("*.tif"))
    with rasterio.open(path) as source:
        stack = source.read()
    invalid = stack[18] == 0
    assert 0 < invalid.sum() == rows["2023-09-17"].invalid_s1 < 656
    assert (stack[16][invalid] == -3000).any()
    assert not np.isnan(stack).any()


def test_no_elevation_at_all_is_a_refusal_of_its_own(tiny, tmp_path):
    _, rows = run(tiny, tmp_path, lambda folder: a_hole(folder, None))
    assert {(r.rule, r.state.value) for r in rows.values()} == {("dem_void", "refused")}
    assert all("dem.tif" in r.detail for r in rows.values())


def test_an_area_that_meets_no_product_is_an_error_of_the_configuration(tiny, tmp_path):
    folder = worlds.copy(tiny, tmp_path / "world")
    services = worlds.services_of(folder, tmp_path / "store", changes={"area": box(10.0, 50.0, 10.2, 50.2)})
    with pytest.raises(ConfigurationError, match=r"must hold .* that meet the area tiny.* 10\.0000, 50\.0000"):
        worlds.run(services)
    assert not (tmp_path / "store/tiny").exists()


def test_an_empty_season_gives_an_empty_partition(tiny, tmp_path):
    services = worlds.services_of(tiny, tmp_path / "store")
    partition = worlds.run(services, "2023-winter")
    text = report.summary_text(partition, services)
    assert "tiny/2023-winter: 0 triplets" in text
    assert "nothing to make: 0 granules and 0 slices in the season" in text
    made = worlds.files_of(tmp_path / "store", "tiny")
    assert {"index/2023-winter.parquet", "partitions/2023-winter/report.json", "stac/2023-winter.json"} <= made.keys()
    assert not {name for name in made if "inventory" in name or "generation" in name}
    worlds.run(services, "2023-winter")
    assert worlds.files_of(tmp_path / "store", "tiny") == made


def test_a_season_with_one_sensor_says_what_was_found(tiny, tmp_path):
    services = worlds.services_of(tiny, tmp_path / "store")
    partition = worlds.run(services, "2023-summer")
    assert "nothing to make: 0 granules and 3 slices in the season" in report.summary_text(partition, services)


class FullDisk(FolderStore):
    """A disk that is full at the n-th write and after it."""

    def __init__(self, root, writes):
        super().__init__(root)
        self.left = writes

    def _link(self, finished, path):
        self._use()
        super()._link(finished, path)

    def replace(self, key, body):
        with self._explained(self._path(key), len(body)):
            self._use()
        super().replace(key, body)

    def _use(self):
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("writes", [5, 20])
def test_a_full_disk_loses_nothing(writes, tiny, tmp_path):
    store = FullDisk(tmp_path / "store", writes)
    services = worlds.services_of(
        tiny, tmp_path / "store", changes={"store": store, "artifacts": Artifacts(store)}, workers=2
    )
    with pytest.raises(Retryable, match=r"the disk is full: .*/store/.* run the same command again"):
        worlds.run(services)
    before = worlds.files_of(tmp_path / "store", "tiny")
    for metadata in (tmp_path / "store/tiny").glob("metadata/*.json"):
        assets = json.loads(metadata.read_text())["assets"].values()
        assert all((metadata.parent / asset["href"]).is_file() for asset in assets)
    worlds.run(worlds.services_of(tiny, tmp_path / "store"))
    after = worlds.files_of(tmp_path / "store", "tiny")
    assert before.items() <= after.items()
    assert sum(name.startswith("metadata/") for name in after) == 2
