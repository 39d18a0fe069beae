"""What many candidates, a large ledger and many writers cost; prints the figures beside their targets.

    PYTHONPATH=. python -m benchmarks.load [--postgresql]

Writes `benchmarks/results/load.json`. Each part runs in a process of its own, so that its memory is its own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from sen12ts_pipeline.domain import quality
from sen12ts_pipeline.domain.bursts import BurstId, Track
from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.pairing import TrackVisits, pair
from sen12ts_pipeline.domain.passes import Visit
from sen12ts_pipeline.domain.rules import Rules
from sen12ts_pipeline.domain.seasons import Partition, Season
from sen12ts_pipeline.domain.selection import Screened, fill_cap, tile_order, within_budget
from sen12ts_pipeline.ports import CandidateRecord, CandidateState, ObjectKey, QualityRecord, TripletRecord
from sen12ts_pipeline.stages.documents import SELECTION, ChosenTile, Selection
from sen12ts_pipeline.stages.select import records
from sen12ts_pipeline.state.databases import open_database
from sen12ts_pipeline.state.folder import FolderStore
from sen12ts_pipeline.state.ledger import SqlLedger

RESULTS = Path(__file__).parent / "results" / "load.json"
CANDIDATES, ROWS, TRIPLETS, WRITERS, SHARD = 200_000, 1_000_000, 5_000, 8, 64
SEASONS = tuple(Season)
AREAS = tuple(f"area{k:02d}" for k in range(25))
STATES = ("refused",) * 6 + ("spare",) * 2 + ("finished", "failed")
RULES = ("s2_invalid", "granule_cloud", "series_gap", "s1_invalid", "budget", "bad_product")
QUESTIONS = {
    "counts of a partition by state and rule": "SELECT state, rule, count(*) FROM candidates WHERE aoi = 'area07' "
    "AND year = 2020 AND season = 'fall' GROUP BY state, rule",
    "candidates of a tile": "SELECT * FROM candidates WHERE tile = '33_12_34'",
    "failures of an area by rule": "SELECT rule, count(*) FROM candidates WHERE aoi = 'area07' AND state = 'failed' "
    "GROUP BY rule",
    "failures of all areas by rule": "SELECT rule, count(*) FROM candidates WHERE state = 'failed' GROUP BY rule",
    "triplets by area and season": "SELECT aoi, year, season, count(*) FROM triplets GROUP BY year, season, aoi",
    "triplets of a partition": "SELECT tile, slot, name FROM triplets WHERE aoi = 'area07' AND year = 2020 "
    "AND season = 'fall'",
}
"""What a dashboard asks."""
NUMBERS = {one.name: (one.low + one.high) / 2 for one in quality.MEASURES.values()}
"""What was measured of a triplet: the bins of one partition are counted by all writers at once."""


def tiles(count: int) -> list[TileId]:
    """Tiles of one zone, row by row."""
    return [TileId(33, k % 100, k // 100) for k in range(count)]


def plan_and_select() -> dict[str, float]:
    """200,000 candidates paired, ranked, chosen under the budget, frozen, read again and recorded in the ledger."""
    from tests.domain.examples import a_scene

    rules, partition = Rules(), Partition("large", 2020, Season.FALL)
    first = datetime(2020, 7, 10, 5, tzinfo=UTC)
    visits = tuple(Visit(first + timedelta(days=12 * k), f"S1A_{k:06X}", "S1A") for k in range(13))
    tracks = (TrackVisits(Track(44), "D", BurstId.parse("151204_iw1"), visits),)
    scenes = [a_scene(datetime(2020, 9, 1, 10, tzinfo=UTC) + timedelta(days=2 * k)) for k in range(45)]
    begun = time.monotonic()
    made, chosen = 0, {}
    for tile in tiles(50_000):
        candidates, _ = pair(tile, scenes, tracks, rules)
        chosen[tile] = tuple(fill_cap([Screened(c, 0, 0) for c in candidates], len(candidates)))
        made += len(candidates)
        if made >= CANDIDATES:
            break
    order = [(tile, min(rules.cap_per_season, len(chosen[tile]))) for tile in tile_order(chosen, 7)]
    inside = set(within_budget(order, rules.season_triplets))
    kept = tuple(ChosenTile(tile, chosen[tile], slots) for tile, slots in order if tile in inside)
    paired = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        store, ledger = FolderStore(Path(folder)), SqlLedger.connect(f"sqlite:///{folder}/ledger.sqlite")
        SELECTION.freeze(store, partition, Selection(kept, (), ()))
        found = SELECTION.read(store, partition)
        frozen = time.monotonic()
        ledger.record_candidates(records(partition, found))
    ended = time.monotonic()
    figures = {"candidates": made, "tiles": len(chosen), "tiles_within_budget": len(kept), "s": ended - begun}
    return figures | {"pair_s": paired - begun, "freeze_and_read_s": frozen - paired, "record_s": ended - frozen}


def fill(url: str) -> dict[str, float]:
    """A ledger of a million candidates and 100,000 triplets."""
    from sen12ts_pipeline.state.tables import candidates, triplets

    ledger = open_database(url)
    begun = time.monotonic()
    with ledger.begin() as connection:
        for rows in _batches(_candidates(ROWS)):
            connection.execute(candidates.insert(), rows)
        for rows in _batches(_triplets(ROWS // 10)):
            connection.execute(triplets.insert(), rows)
    with ledger.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ANALYZE"))
        if ledger.dialect.name == "postgresql":
            connection.execute(sa.text("VACUUM"))
    return {"rows": ROWS * 1.1, "s": time.monotonic() - begun}


def _batches(rows: Iterator[dict[str, Any]], size: int = 20_000) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _place(k: int) -> dict[str, Any]:
    aoi, season, year = AREAS[k % 25], SEASONS[k // 25 % 4], 2018 + k // 100 % 4
    return {"aoi": aoi, "year": year, "season": str(season), "tile": f"33_{k // 400 % 50}_{k // 20_000 % 50}"}


def _candidates(count: int) -> Iterator[dict[str, Any]]:
    dice = random.Random(1)
    for k in range(count):
        state = dice.choice(STATES)
        yield {
            **_place(k),
            "scene_id": f"S2A_20200901_{k:07d}",
            "track": 44,
            "pass_id": "S1A_05D719",
            "s2date": date(2020, 9, 1),
            "direction": "D",
            "s1date": date(2020, 9, 2),
            "state": state,
            "rule": dice.choice(RULES) if state in {"refused", "failed"} else "",
            "detail": "700 of 65536 pixels, must be below 1 %",
            "invalid_s1": 0,
            "invalid_s2": 700,
            "slot": None,
        }


def _triplets(count: int) -> Iterator[dict[str, Any]]:
    for k in range(count):
        place = _place(k) | {"tile": f"33_{k}_1"}
        sizes, digests = {"s1": 4_900_000}, {"s1": hashlib.sha256(str(k).encode()).hexdigest()}
        yield place | {"slot": 1, "cap": 4, "name": f"triplet-{k:06d}", "sizes": sizes, "digests": digests}


def ask(url: str) -> dict[str, float]:
    """Median milliseconds of each question, of nine, the connection included."""
    ledger, found = open_database(url), {}
    for name, question in QUESTIONS.items():
        took = []
        for _ in range(9):
            begun = time.monotonic()
            with ledger.connect() as connection:
                connection.execute(sa.text(question)).all()
            took.append(1000 * (time.monotonic() - begun))
        found[name] = round(statistics.median(took), 1)
    return found


def write(url: str) -> dict[str, float]:
    """5,000 triplets by eight processes at once: files of the real size's thousandth, rows of the ledger."""
    SqlLedger.connect(url)
    with tempfile.TemporaryDirectory() as folder:
        begun = time.monotonic()
        with multiprocessing.get_context("spawn").Pool(WRITERS) as pool:
            pool.starmap(_writer, [(url, folder, k) for k in range(WRITERS)])
        took = time.monotonic() - begun
        rows = len(SqlLedger.connect(url).triplets(Partition.parse("written/2020-fall")))
        files = sum(1 for _ in FolderStore(Path(folder)).keys("written/"))
    assert (rows, files) == (TRIPLETS, 4 * TRIPLETS), (rows, files)
    return {"triplets": rows, "s": took, "triplets_a_second": round(rows / took, 1)}


def _writer(url: str, folder: str, number: int) -> None:
    """Every eighth triplet, with its rows as a shard of the assembly writes them: measures singly, all else at once."""
    store, ledger, partition = FolderStore(Path(folder)), SqlLedger.connect(url), Partition.parse("written/2020-fall")
    mine = range(number, TRIPLETS, WRITERS)
    for first in range(0, len(mine), SHARD):
        records = []
        for k in mine[first : first + SHARD]:
            name, body, tile = f"triplet-{k:05d}", str(k).encode() * 1000, TileId(33, k, 2)
            for kind in ("s1", "s2", "labels", "metadata"):
                store.put_if_absent(ObjectKey(f"written/{kind}/{name}"), body)
            ledger.record_quality(QualityRecord(partition, tile, name, NUMBERS))
            records.append(TripletRecord(partition, tile, 1, name, {"s1": len(body)}, {"s1": str(k)}))
        ledger.record_triplets(records)
        ledger.record_candidates(_finished(partition, record.tile) for record in records)


def _finished(partition: Partition, tile: TileId) -> CandidateRecord:
    day = date(2020, 9, 1)
    known = {"partition": partition, "tile": tile, "scene_id": "S2A", "s2date": day, "track": 44, "direction": "D"}
    values = {"s1date": day, "pass_id": "S1A_05D719", "state": CandidateState.FINISHED, "rule": "", "detail": ""}
    return CandidateRecord(**known, **values, invalid_s1=0, invalid_s2=0, slot=1)


def alone(work: Callable[..., dict[str, float]], *arguments: str) -> dict[str, float]:
    """Figures of a part that runs in a process of its own, with its highest memory, GB."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        figures = pool.submit(_measured, work, arguments).result()
    print(work.__name__, figures, flush=True)
    return figures


def _measured(work: Callable[..., dict[str, float]], arguments: tuple[str, ...]) -> dict[str, float]:
    return work(*arguments) | {"memory_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)}


def of_database(url: str) -> dict[str, dict[str, float]]:
    """All that is measured of one kind of database."""
    return {name: alone(work, url) for name, work in (("fill", fill), ("questions_ms", ask), ("write", write))}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgresql", action="store_true", help="on a PostgreSQL server of the benchmark's own, too")
    options = parser.parse_args()
    found: dict[str, Any] = {"plan_and_select": alone(plan_and_select)}
    with tempfile.TemporaryDirectory() as folder:
        found["sqlite"] = of_database(f"sqlite:///{folder}/ledger.sqlite")
    if options.postgresql:
        from tests.servers import PostgreSQL

        with PostgreSQL() as server:
            found["postgresql"] = of_database(server.new_database())
    text = json.dumps(found, indent=1)
    RESULTS.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
