"""Slices are found with the orbit file that serves each of them."""

from datetime import timedelta

from shapely.geometry import box

from sen12ts_pipeline.catalogues.orbits import WithOrbits
from sen12ts_pipeline.domain.seasons import Interval
from tests.domain.examples import NOON, a_granule, a_slice

AREA, TIME = box(0, 0, 1, 1), Interval(NOON, NOON + timedelta(days=1))


class Found:
    """A catalogue with two slices and a granule."""

    def slices(self, over, during):
        assert (over, during) == (AREA, TIME)
        yield from (a_slice(), a_slice(NOON + timedelta(hours=3)))

    def granules(self, over, during):
        assert (over, during) == (AREA, TIME)
        yield a_granule()


class Orbits:
    """Orbit files of the first hour after noon."""

    def name(self, platform, start, stop):
        assert platform == "S1A"
        return "POEORB" if stop < NOON + timedelta(hours=1) else ""


def test_a_slice_names_its_orbit_file_where_there_is_one():
    found = list(WithOrbits(Found(), Orbits()).slices(AREA, TIME))
    assert [s.orbit for s in found] == ["POEORB", ""]
    assert found[1] == a_slice(NOON + timedelta(hours=3))


def test_granules_are_what_they_were():
    assert list(WithOrbits(Found(), Orbits()).granules(AREA, TIME)) == [a_granule()]
