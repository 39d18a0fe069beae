"""What a partition lacks against its plan, and how it is filled."""

from datetime import UTC, datetime

import pytest

from sen12ts_pipeline.dataset.verify import verify
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.stages import gaps
from tests import worlds

FALL = Partition.parse("tiny/2023-fall")
LATER = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return worlds.world("tiny", tmp_path_factory.getbasetemp())


def damaged(folder, to):
    """The place with a band missing from the product of one of its two candidates; and what mends it."""
    copied = worlds.copy(folder, to)
    (product,) = [path for path in worlds.products_of(copied, "S2") if "20230920" in path.name]
    (band,) = product.rglob("*_B02_10m.jp2")
    whole = band.read_bytes()
    worlds.rewrite(band, whole[: len(whole) // 2])
    return copied, lambda: worlds.rewrite(band, whole)


def test_a_season_that_is_not_over_is_not_due(tiny, tmp_path):
    services = worlds.services_of(tiny, tmp_path)
    found = gaps.of(FALL, services, datetime(2023, 11, 1, tzinfo=UTC))
    assert (found.standing, found.can_be_filled) == (gaps.Standing.NOT_DUE, False)


def test_what_was_not_run_or_stopped_in_the_middle_is_told(tiny, tmp_path):
    services = worlds.services_of(tiny, tmp_path)
    assert gaps.of(FALL, services, LATER).standing is gaps.Standing.NOT_RUN
    worlds.run(services, until="match")
    assert gaps.of(FALL, services, LATER).standing is gaps.Standing.IN_THE_MIDDLE
    worlds.run(services, until="radar")
    found = gaps.of(FALL, services, LATER)
    assert (found.standing, found.planned, found.missing) == (gaps.Standing.IN_THE_MIDDLE, 2, 2)


def test_a_partition_without_failures_has_nothing_to_fill(tiny, tmp_path):
    services = worlds.services_of(tiny, tmp_path)
    worlds.run(services)
    found = gaps.of(FALL, services, LATER)
    assert (found.standing, found.missing, found.can_be_filled) == (gaps.Standing.FINISHED, 0, False)
    assert gaps.text(found).startswith("tiny/2023-fall: finished; 2 triplets of 2 planned, 1 tiles")


def test_what_failed_is_tried_again_and_what_is_finished_keeps_its_slot(tiny, tmp_path):
    folder, mend = damaged(tiny, tmp_path / "world")
    services = worlds.services_of(folder, tmp_path / "store")
    worlds.run(services)
    found = gaps.of(FALL, services, LATER)
    assert (found.finished, dict(found.failed)) == (1, {"bad_product": 1})
    before = worlds.files_of(tmp_path / "store", "tiny")

    gaps.try_again(str(FALL), services)
    worlds.run(services)
    assert gaps.of(FALL, services, LATER).finished == 1, "it is still broken"

    mend()
    gaps.try_again(str(FALL), services)
    worlds.run(services)
    filled = gaps.of(FALL, services, LATER)
    assert (filled.finished, filled.missing, filled.can_be_filled) == (2, 0, False)
    after = worlds.files_of(tmp_path / "store", "tiny")
    assert all(after[name] == body for name, body in before.items() if name.startswith(("s1/", "s2/", "metadata/")))
    assert [triplet.slot for triplet in services.ledger.triplets(FALL)] == [1, 2]
    assert verify(tmp_path / "store" / "tiny") == []
