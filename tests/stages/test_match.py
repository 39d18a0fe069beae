"""match: reference passes, and passes of which a slice is broken; with an engine that reads nothing."""

import dataclasses
from datetime import timedelta

import pytest
from shapely.geometry import box

from sen12ts_pipeline.domain.bursts import BurstId
from sen12ts_pipeline.domain.passes import Pass
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.stages import match
from sen12ts_pipeline.stages.documents import PlannedPass
from tests import worlds
from tests.domain.examples import NOON, a_slice

WHOLE = "POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))"
NORTH, SOUTH = "POLYGON ((0 1, 2 1, 2 2, 0 2, 0 1))", "POLYGON ((0 0, 2 0, 2 1, 0 1, 0 0))"
BURST = BurstId(1, "IW1")


@dataclasses.dataclass
class Shelf:
    """Stands for the services: an area, an engine for which some products are broken, and their quarantine."""

    broken: set
    area: object = dataclasses.field(default_factory=lambda: box(0, 0, 2, 2))
    found: list = dataclasses.field(default_factory=list)

    @property
    def engine(self):
        return self

    def bursts(self, one):
        for product in one.products:
            if product in self.broken:
                raise BadProduct(product, "annotation/x.xml", "broken")
        return frozenset({BURST})

    def quarantine(self, error):
        self.found.append(error.product)


def a_pass(cycle, *outlines):
    start = NOON + timedelta(days=12 * cycle)
    return Pass(
        tuple(
            a_slice(start + timedelta(seconds=25 * k), datatake=cycle, footprint=outline, product=f"S1A_{cycle}_{k}")
            for k, outline in enumerate(outlines)
        )
    )


def test_the_reference_is_the_first_pass_that_covers_what_the_best_one_covers():
    passes = [a_pass(0, NORTH), a_pass(1, NORTH, SOUTH), a_pass(2, WHOLE)]
    shelf = Shelf(set())
    assert match._first_complete(passes, shelf) == passes[1]
    assert shelf.found == []


def test_a_best_pass_that_cannot_be_read_sets_no_measure():
    passes = [a_pass(0, NORTH), a_pass(1, WHOLE)]
    shelf = Shelf({"S1A_1_0"})
    assert match._first_complete(passes, shelf) == passes[0]
    assert shelf.found == ["S1A_1_0"]


@pytest.mark.parametrize("outlines", [(NORTH, SOUTH), (WHOLE, WHOLE)])
def test_a_broken_slice_gives_the_same_choice_now_and_when_it_is_known(outlines):
    passes = [a_pass(0, *outlines), a_pass(1, WHOLE)]
    first = match._first_complete(passes, Shelf({"S1A_0_0"}))
    rest = Pass(passes[0].slices[1:])
    assert first == match._first_complete([rest, passes[1]], Shelf(set()))
    assert first == (passes[1] if outlines == (NORTH, SOUTH) else rest)


def test_no_pass_no_reference():
    assert match._first_complete([a_pass(0, WHOLE)], Shelf({"S1A_0_0"})) is None


def test_a_pass_is_read_without_its_broken_slices():
    one = a_pass(0, NORTH, WHOLE, SOUTH)
    shelf = Shelf({"S1A_0_0", "S1A_0_2"})
    assert match._read(one, shelf) == PlannedPass(Pass(one.slices[1:2]), (BURST,))
    assert shelf.found == ["S1A_0_0", "S1A_0_2"]
    assert match._read(one, Shelf({s.product for s in one.slices})) is None


def test_a_fault_of_something_else_ends_the_reading():
    class Elsewhere(Shelf):
        def bursts(self, one):
            raise BadProduct("an orbit file", "", "broken")

    assert match._read(a_pass(0, NORTH, SOUTH), Elsewhere(set())) is None


def test_a_pass_whose_orbit_file_is_broken_keeps_its_annotated_orbit():
    one = Pass(tuple(dataclasses.replace(s, orbit="POEORB") for s in a_pass(0, NORTH, SOUTH).slices))

    class BadOrbit(Shelf):
        def bursts(self, one):
            if one.orbits:
                raise BadProduct(one.orbits[0], "", "broken")
            return super().bursts(one)

    shelf = BadOrbit(set())
    assert match._read(one, shelf) == PlannedPass(one.with_annotated_orbit(), (BURST,))
    assert shelf.found == ["POEORB"]


def renewed(one, **changes):
    """A slice of the same data, processed again."""
    return dataclasses.replace(one, processed=one.processed + timedelta(days=900), ipf=(3, 71), **changes)


class TestSlicesThatAddNothing:
    def test_are_not_read(self):
        (old,) = a_pass(0, WHOLE).slices
        new = renewed(old, product="S1A_0_new")
        assert match._read_needed([old, new], Shelf({old.product})) == PlannedPass(Pass((new,)), (BURST,))

    def test_take_the_place_of_those_that_cannot_be_read(self):
        (old,) = a_pass(0, WHOLE).slices
        new = renewed(old, product="S1A_0_new")
        shelf = Shelf({new.product})
        assert match._read_needed([old, new], shelf) == PlannedPass(Pass((old,)), (BURST,))
        assert shelf.found == [new.product]

    def test_of_data_cut_anew_are_told_by_their_times(self):
        first, second = a_pass(0, NORTH, SOUTH).slices
        whole = renewed(first, product="S1A_0_new", stop=second.stop)
        assert match._read_needed([first, second, whole], Shelf(set())).flight.slices == (whole,)
        assert match._read_needed([first, second, whole], Shelf({whole.product})).flight.slices == (first, second)

    def test_do_not_help_where_nothing_can_be_read(self):
        (old,) = a_pass(0, WHOLE).slices
        new = renewed(old, product="S1A_0_new")
        assert match._read_needed([old, new], Shelf({old.product, new.product})) is None

    def test_neither_make_nor_break_other_datatakes(self):
        slices = [*a_pass(1, NORTH, SOUTH).slices, *a_pass(0, WHOLE).slices]
        assert match._datatakes(slices) == [list(a_pass(0, WHOLE).slices), list(a_pass(1, NORTH, SOUTH).slices)]


def test_a_pass_that_lacks_a_burst_is_told_and_no_series_of_its_tiles_has_it(tmp_path, tall):
    services = worlds.services_of(tall, tmp_path / "whole")
    engine = services.engine
    whole = match.plan_of(Partition.parse(worlds.run(services, until="match")), services)
    third, (gone, *_) = whole.passes[2].flight, (t.burst for tile in whole.tiles for t in tile.tracks)

    class Lacking:
        """The engine over an archive in which part of a pass was not found."""

        def __getattr__(self, name):
            return getattr(engine, name)

        def bursts(self, one):
            return engine.bursts(one) - ({gone} if one == third else set())

    services = worlds.services_of(tall, tmp_path / "lacking", changes={"engine": Lacking()})
    partition = Partition.parse(worlds.run(services, until="match"))
    plan = match.plan_of(partition, services)
    told = [e.message for e in services.ledger.events(partition) if "not found whole" in e.message]
    assert len(told) == 1
    assert told[0].startswith(f"pass not found whole: {third.id} lacks {gone} of track {gone.track}, ")
    for before, after in zip(whole.tiles, plan.tiles, strict=True):
        for track in after.tracks:
            expected = {v.pass_id for t in before.tracks if t.burst == track.burst for v in t.visits}
            assert {v.pass_id for v in track.visits} == expected - ({third.id} if track.burst == gone else set())
    assert any(t.burst == gone and t.visits for tile in plan.tiles for t in tile.tracks)
