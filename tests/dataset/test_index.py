"""The index: one row a triplet, taken from the metadata, the same bytes whatever the order."""

import io
import json
from datetime import date

import geopandas
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sen12ts_pipeline.dataset import index, stac
from sen12ts_pipeline.domain.lattice import TileId
from tests.dataset.examples import SOFTWARE, a_candidate, a_triplet

TILES = [TileId(37, -65, 432), TileId(37, -64, 432), TileId(37, -65, 433)]
ITEMS = [
    stac.item(a_triplet(a_candidate(tile, day=day, track=track)), software=SOFTWARE)
    for tile in TILES
    for day, track in ((0, 52), (90, 52), (0, 7))
]


def test_a_row_says_what_people_filter_by():
    (row,) = index.rows_of(index.part(ITEMS[:1]))
    expected = {
        "name": ITEMS[0]["id"],
        "aoi": "ethiopia",
        "year": 2020,
        "season": "summer",
        "slot": 1,
        "tile": "37_-65_432",
        "epsg": 32637,
        "west": 333_600.0,
        "south": 1_105_920.0,
        "east": 336_160.0,
        "north": 1_108_480.0,
        "s1date": date(2020, 6, 14),
        "s2date": date(2020, 6, 15),
        "days": 1,
        "track": 52,
        "direction": "D",
        "platform": "S1A",
        "invalid_s1": 200,
        "invalid_s2": 150,
        "s1_path": f"s1/{ITEMS[0]['id']}.tif",
        "s1_bytes": 1000,
        "label_sha256": f"{2:064x}",
    }
    assert {key: row[key] for key in expected} == expected
    assert row["invalid_s1_percent"] == pytest.approx(200 / 655.36)
    assert row["lon_min"] < row["lon"] < row["lon_max"]
    assert sum(row["label_histogram"].values()) == 65_536
    assert row == index.row(ITEMS[0]) == index.row(json.loads(stac.item_bytes(ITEMS[0])))


def test_anybody_can_read_it():
    table = pq.read_table(io.BytesIO(index.part(ITEMS)))
    assert table.num_rows == len(ITEMS)
    assert set(table.to_pandas()["season"]) == {"summer", "fall"}


def test_a_partition_without_triplets_has_an_empty_part():
    assert index.rows_of(index.part([])) == []
    assert index.merge([]) == index.part([])


@settings(max_examples=20, deadline=None)
@given(st.permutations(ITEMS), st.integers(0, len(ITEMS)), st.integers(0, len(ITEMS)))
def test_order_and_cuts_do_not_change_a_byte(items, first, second):
    whole = index.part(ITEMS)
    assert index.part(items) == whole
    cuts = sorted((first, second))
    parts = [index.part(items[a:b]) for a, b in zip((0, *cuts), (*cuts, None), strict=True)]
    assert index.merge(parts) == whole
    assert index.merge([whole, *parts]) == whole


def test_parts_that_contradict_each_other_are_refused():
    other = json.loads(json.dumps(ITEMS[0]))
    other["properties"]["sen12ts:slot"] = 2
    with pytest.raises(ValueError, match="differ on lat_"):
        index.merge([index.part(ITEMS[:1]), index.part([other])])


@pytest.mark.parametrize("body", [b"", b"PAR1", b"no parquet"])
def test_what_is_no_index_is_refused(body):
    with pytest.raises(ValueError, match="must be a Parquet file"):
        index.rows_of(body)


def test_it_is_geoparquet(tmp_path):
    (tmp_path / "index.parquet").write_bytes(index.part(ITEMS))
    frame = geopandas.read_parquet(tmp_path / "index.parquet")
    assert frame.crs.to_authority() in (("OGC", "CRS84"), ("EPSG", "4326"))
    for one in frame.itertuples():
        assert one.geometry.bounds == pytest.approx((one.lon_min, one.lat_min, one.lon_max, one.lat_max), abs=1e-6)
    assert set(frame["split"]) <= {"train", "validation", "test", "border"}
