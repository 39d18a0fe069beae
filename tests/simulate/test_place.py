from __future__ import annotations

import dataclasses
import json
from datetime import date

import pytest

from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.simulate.place import DEMO, OpticalScene, Place, places


@pytest.mark.parametrize("name", sorted(places()))
def test_a_place_survives_json(name: str) -> None:
    place = places()[name]
    assert Place.from_json(json.loads(json.dumps(place.as_json()))) == place


def test_tiles_count_from_the_north_west() -> None:
    first = TileId.at(DEMO.longitude, DEMO.latitude)
    assert DEMO.tile(0, 0) == first
    assert DEMO.tile(2, 1) == TileId(first.zone, first.column + 2, first.row - 1)
    assert DEMO.grid.shape == (512, 768)
    assert DEMO.grid.north == first.grid.north
    assert DEMO.grid.south == DEMO.tile(0, 1).grid.south


def test_dates_are_twelve_days_apart() -> None:
    assert DEMO.dates[0] == date(2023, 8, 1)
    assert {(b - a).days for a, b in zip(DEMO.dates[:-1], DEMO.dates[1:], strict=True)} == {12}


@pytest.mark.parametrize(
    ("key", "value"),
    [("direction", "X"), ("swath", 4), ("latitude", 80.0), ("passes", 0), ("granule_pixels", 601), ("bursts", 0)],
)
def test_a_wrong_parameter_is_named(key: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=key):
        dataclasses.replace(DEMO, **{key: value})


def test_a_granule_must_hold_the_tiles() -> None:
    with pytest.raises(ConfigurationError, match="granule_pixels"):
        dataclasses.replace(DEMO, granule_pixels=600, scenes=(OpticalScene(date(2023, 9, 1)),))
