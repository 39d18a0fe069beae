"""What a partition needs: counted in its plan, or in outlines, for which no product is opened."""

import dataclasses
import math
from datetime import timedelta

import numpy as np
import pytest

from sen12ts_pipeline.domain.bursts import BURST_PERIOD_S
from sen12ts_pipeline.domain.cost import Needs
from sen12ts_pipeline.domain.quotas import QUOTAS
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.stages import estimate, match, report, search
from sen12ts_pipeline.stages.estimate import Cells
from sen12ts_pipeline.stages.screen import pairings
from tests import worlds
from tests.domain.examples import a_slice, utc

PARTITION = Partition.parse("tall/2023-fall")
START = utc("2020-04-11T13:51:17")


class Untouched:
    """An engine or source of which nothing may be asked."""

    def __getattr__(self, name):
        raise AssertionError(f"{name} was asked for")


@pytest.fixture
def services(tall, tmp_path):
    return worlds.services_of(tall, tmp_path / "store")


@pytest.fixture
def afar(tall, tmp_path):
    """Services of an archive of which nothing may be fetched yet."""
    changes = {"searched": "catalogue.kind", "engine": Untouched(), "source": Untouched()}
    return worlds.services_of(tall, tmp_path / "store", changes=changes)


def needs(plan, services):
    return estimate.needs_of(plan, [pairings(plan, t, services)[0] for t in plan.tiles], services)


def built(services):
    return match.build(search.find(PARTITION, services), match.references(PARTITION, services).values(), services)


def test_each_product_burst_and_frame_counts_once_however_many_triplets_it_serves(services):
    counted = needs(built(services), services)
    assert counted == Needs(tiles=2, triplets=8, frames=10, terrains=2, slices=6, bursts=12, screened=5, granules=5)


def test_outlines_alone_give_the_same_candidates_and_open_no_product(services, afar):
    plan, exact = estimate.plan_by_outlines(search.find(PARTITION, afar), afar), built(services)
    for one, other in zip(plan.tiles, exact.tiles, strict=True):
        assert (one.tile, one.scenes) == (other.tile, other.scenes)
        estimated, known = (pairings(p, t, services)[0] for p, t in ((plan, one), (exact, other)))
        assert [(c.scene_id, c.series.newest.pass_id) for c in estimated] == [
            (c.scene_id, c.series.newest.pass_id) for c in known
        ]
    assert needs(plan, afar) == needs(exact, services)


def test_a_plan_of_a_folder_tells_processors_and_disk_and_nothing_of_fetching(services):
    lines = report.plan_text(str(PARTITION), services).splitlines()
    assert lines[-3:] == [
        "  needs       6 slices with 12 bursts, 5 granules",
        "  processors  0.00092 CPU hours",
        "  disk        78.2 MB at most, spool and store",
    ]


def test_a_plan_of_an_archive_afar_says_that_it_is_an_estimate_and_what_it_costs(afar):
    text = report.plan_text(str(PARTITION), afar)
    lines = text.splitlines()
    assert "about 2 bursts over the area" in text
    assert lines[-6:-2] == [
        "  needs       6 slices with 12 bursts (estimated from outlines), 5 granules",
        "  fetched     by parts 6.95 GB, 1078 requests, 0.001 days at the quota of cdse",
        "              whole    52 GB, 11 requests, 0.0075 days at the quota of cdse",
        "              by parts is 0.058 % of its volume of 30 days",
    ]
    assert lines[-1] == "  disk        7.03 GB at most, spool and store"


def test_a_plan_that_is_frozen_is_exact_wherever_the_archive_is(services):
    worlds.run(services, until="match")
    text = report.plan_text(str(PARTITION), dataclasses.replace(services, searched="catalogue.kind"))
    assert "estimated" not in text
    assert "by parts 6.95 GB" in text


def test_a_provider_without_a_volume_is_told_without_one(afar):
    text = report.plan_text(str(PARTITION), dataclasses.replace(afar, provider="asf", quota=QUOTAS["asf"]))
    assert "at the quota of asf" in text
    assert "volume" not in text


def slice_over(*, heading_deg, latitude=42.0, rows=9):
    """A slice of 250 km x 20 km a row, whose track points so many degrees from north."""
    along = np.array([math.sin(math.radians(heading_deg)), math.cos(math.radians(heading_deg))])
    across = np.array([along[1], -along[0]])
    km = np.array([1 / (111.2 * math.cos(math.radians(latitude))), 1 / 111.2])
    corners = [np.zeros(2), 20 * rows * along, 20 * rows * along + 255 * across, 255 * across]
    points = [np.array([10.0, latitude]) + corner * km for corner in corners]
    ring = ", ".join(f"{x} {y}" for x, y in [*points, points[0]])
    stop = START + timedelta(seconds=rows * BURST_PERIOD_S)
    return a_slice(start=START, stop=stop, footprint=f"POLYGON (({ring}))"), points


@pytest.mark.parametrize("heading_deg", [-12, 12, 168, 192])
def test_a_slice_has_nine_rows_of_three_bursts_whichever_way_it_flies(heading_deg):
    one, points = slice_over(heading_deg=heading_deg)
    cells = Cells.of(one)
    assert cells.rows == 9
    share = np.stack(np.meshgrid(np.linspace(0.005, 0.995, 120), np.linspace(0.005, 0.995, 120)), -1).reshape(-1, 2)
    inside = points[0] + share[:, :1] * (points[1] - points[0]) + share[:, 1:] * (points[3] - points[0])
    found = cells.at(inside)
    assert sum(cell is not None for cell in found) > 0.98 * len(found)
    assert {cell for cell in found if cell} == {(r, c) for r in range(9) for c in range(3)}


def test_points_beside_a_slice_are_in_no_burst():
    one, points = slice_over(heading_deg=-12)
    assert Cells.of(one).at(np.array([points[0] - 0.5, points[2] + 0.5])) == [None, None]


def test_a_burst_is_twenty_by_eighty_five_kilometres():
    one, _ = slice_over(heading_deg=12)
    cells = Cells.of(one)
    for side, count, km in ((cells.along, cells.rows, 20.0), (cells.across, 3, 85.0)):
        assert 111.2 * math.hypot(*side) / count == pytest.approx(km, rel=0.02)
