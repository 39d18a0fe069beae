"""Records for the contract suites."""

from datetime import date

from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.seasons import Partition, Season
from sen12ts_pipeline.ports import CandidateRecord, CandidateState, TripletRecord

FALL = Partition("nevada", 2023, Season.FALL)
TILE = TileId(11, 32, 1639)


def a_candidate(**changes):
    values = {
        "partition": FALL,
        "tile": TILE,
        "scene_id": "S2A_20231011T182018_11SNB",
        "s2date": date(2023, 10, 11),
        "track": 71,
        "direction": "D",
        "s1date": date(2023, 10, 11),
        "pass_id": "S1A_05D719",
        "state": CandidateState.SPARE,
        "rule": "",
        "detail": "",
        "invalid_s1": 12,
        "invalid_s2": 0,
        "slot": None,
    }
    return CandidateRecord(**values | changes)


def a_triplet(slot=1, name="lat_37.9_lon_-116.1_a", **changes):
    values = {
        "partition": FALL,
        "tile": TILE,
        "slot": slot,
        "name": name,
        "sizes": {"s1": 4980736, "s2": 1835008},
        "digests": {"s1": "ab" * 32, "s2": "cd" * 32},
    }
    return TripletRecord(**values | changes)
