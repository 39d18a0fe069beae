"""A ledger of the paper's size, filled in bulk, and areas to go with it."""

import json
from datetime import UTC, date, datetime, timedelta

import numpy as np

from sen12ts_pipeline.dashboard import paper
from sen12ts_pipeline.domain import quality
from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.names import TripletName
from sen12ts_pipeline.domain.seasons import Season, label_date
from sen12ts_pipeline.settings.load import adhoc_aoi
from sen12ts_pipeline.state.ledger import SqlLedger
from sen12ts_pipeline.state.tables import (
    candidates,
    events,
    outliers,
    qualities,
    quality_bins,
    quota_volume,
    timings,
    triplets,
)

TRIPLETS = 250_000
CORNERS = {
    "california": (-119.9, 36.4),
    "iowa": (-94.2, 41.8),
    "catalonia": (1.2, 41.4),
    "ethiopia": (38.2, 8.4),
    "uganda": (32.6, 1.2),
    "sumatra": (103.2, -2.6),
}
"""Longitude and latitude of a south-west corner; the tiles of an area fill a square from there."""
WAITING, FAILED = 3_000, 150
"""Candidates of Iowa's fall that are not made yet, and that failed."""
VOLUME = 7_200_000_000_000
"""Bytes that were fetched from the Copernicus Data Space."""
BROKEN = "failed: BadProduct: S1A_IW_SLC__1SDV_20200107: noise vector shorter than its burst"
"""What became of Uganda's winter."""
STAGES = (
    ("search", 40.0, 3e8, 4),
    ("match", 90.0, 6e8, 4),
    ("screen_optical", 25.0, 9e8, 1_200),
    ("screen_radar", 60.0, 8e8, 900),
    ("optical", 120.0, 2.1e9, 1_200),
    ("radar", 900.0, 5.2e9, 900),
    ("labels", 15.0, 4e8, 800),
    ("assemble", 70.0, 1.4e9, 800),
    ("publish", 200.0, 7e8, 4),
)
"""Stages, with mean seconds, bytes of memory and tasks of an area."""
RULES = ("granule_cloud", "series_gap", "s2_invalid", "s1_invalid", "cap")


def tiles_of(aoi):
    """As many tiles as the paper's area has, in a square."""
    count = paper.AREAS[aoi].tiles
    first, side = TileId.at(*CORNERS[aoi]), int(np.ceil(np.sqrt(count)))
    return [TileId(first.zone, first.column + k % side, first.row + k // side) for k in range(count)]


def counts_of(aoi):
    """Triplets of each tile: between 1 and 16, 250,000 in all areas together."""
    total = round(TRIPLETS * paper.AREAS[aoi].triplets / sum(a.triplets for a in paper.AREAS.values()))
    if aoi == "sumatra":
        total = TRIPLETS - sum(sum(counts_of(other)) for other in CORNERS if other != aoi)
    count = paper.AREAS[aoi].tiles
    counts = np.clip(np.random.default_rng(7).poisson(total / count, count), 1, 16)
    while (wrong := total - counts.sum()) != 0:
        free = np.flatnonzero(counts < 16 if wrong > 0 else counts > 1)[: abs(wrong)]
        counts[free] += np.sign(wrong)
    return counts.tolist()


def fill(url, now):
    """Fill a ledger: 250,000 triplets of 31,398 tiles, as many refused pairs, a last day of work.

    Iowa's fall is in work, Uganda's winter failed, all else is done.
    """
    ledger = SqlLedger.connect(url)
    with ledger._writing() as connection:
        for aoi in CORNERS:
            made, pairs = _rows(aoi)
            connection.execute(triplets.insert(), made)
            connection.execute(candidates.insert(), pairs)
            connection.execute(events.insert(), _events(aoi, now))
            connection.execute(timings.insert(), _timings(aoi, now))
            _measure(connection, made)
        connection.execute(quota_volume.insert(), _volume(now))
    return ledger


def _volume(now):
    """What was fetched in the last twenty days: 7.2 TB of one archive, 0.9 TB of another."""
    hour = int(now.timestamp() // 3600)
    each = {"cdse": VOLUME, "asf": VOLUME // 8}
    return [{"provider": p, "hour": hour - k, "bytes": n // 480} for p, n in each.items() for k in range(480)]


def numbers_of(count, seed):
    """Numbers of triplets: some measures, each normal about its place, with some that are odd."""
    rng = np.random.default_rng(seed)
    return {
        "outside": np.zeros(count),
        "clipped_low": rng.beta(2, 30, count).round(4),
        "clipped_high": np.zeros(count),
        "clipped_s2": rng.beta(1, 200, count).round(5),
        "coherence_excess": rng.normal(0.2, 0.06, count).round(4),
        "alignment": np.abs(rng.normal(3.0, 3.0, count)).round(2),
        "seam_jump": np.abs(rng.normal(0.0, 0.08, count)).round(3),
        "vh_t": rng.normal(-18.0, 3.0, count).round(2),
        "vv_t": rng.normal(-11.0, 3.0, count).round(2),
        "coherence_t": rng.beta(8, 12, count).round(3),
        "phase_t": rng.uniform(-3.14, 3.14, count).round(3),
        "B04": rng.normal(1200.0, 350.0, count).clip(2).round(1),
        "B08": rng.normal(2800.0, 600.0, count).clip(2).round(1),
    }


def _measure(connection, made):
    """Rows of what was measured, written in bulk, with the counts that the ledger keeps with them."""
    numbers = numbers_of(len(made), len(made))
    place = [{name: row[name] for name in ("aoi", "name", "year", "season", "tile")} for row in made]
    each = zip(place, *(values.tolist() for values in numbers.values()), strict=True)
    rows = [{**where, "numbers": dict(zip(numbers, values, strict=True))} for where, *values in each]
    connection.execute(qualities.insert(), rows)
    seasons, bins, odd = np.array([where["season"] for where in place]), [], []
    for name, values in numbers.items():
        one = quality.MEASURES[name]
        places = np.floor((values - one.low) / (one.high - one.low) * quality.BINS).clip(0, quality.BINS - 1)
        for season in Season:
            counts = np.bincount(places[seasons == season].astype(int))
            known = {"aoi": place[0]["aoi"], "year": 2020, "season": str(season), "measure": name}
            bins += [{**known, "bin": k, "triplets": n} for k, n in enumerate(counts.tolist()) if n]
        wrong = np.flatnonzero((values < one.least) | (values > one.most))
        odd += [{**place[k], "measure": name, "value": float(values[k])} for k in wrong]
    connection.execute(quality_bins.insert(), bins)
    if odd:
        connection.execute(outliers.insert(), odd)


def _timings(aoi, now):
    """Two days of tasks of every stage."""
    rng = np.random.default_rng(len(aoi))
    rows = []
    for stage, seconds, peak, tasks in STAGES:
        for k, took in enumerate(rng.gamma(4.0, seconds / 4, tasks).tolist()):
            known = {"aoi": aoi, "year": 2020, "season": str(tuple(Season)[k % 4]), "stage": stage}
            at = now - timedelta(hours=48 * (1 - k / tasks), minutes=5)
            rows.append({**known, "at": at, "seconds": took, "peak_bytes": int(peak * rng.uniform(0.8, 1.2))})
    return rows


def _rows(aoi):
    made, pairs = [], []
    for tile, count in zip(tiles_of(aoi), counts_of(aoi), strict=True):
        lon, lat = tile.centre_lonlat
        for k in range(count):
            season, slot = tuple(Season)[k % 4], 1 + k // 4
            s1date = label_date(2020, season) + timedelta(days=3 + 12 * slot)
            name = TripletName(f"{lat:.4f}", f"{lon:.4f}", s1date, s1date + timedelta(days=1), 52, "D")
            known = {"aoi": aoi, "year": 2020, "season": str(season), "tile": str(tile)}
            digests = {"s1": "0" * 64, "s2": "0" * 64, "label": "0" * 64}
            sizes = {"s1": 3_000_000, "s2": 1_000_000, "label": 10_000}
            made.append(
                {
                    **known,
                    "slot": slot,
                    "name": str(name),
                    "cap": 4,
                    "sizes": sizes,
                    "digests": digests,
                    "bytes": sum(sizes.values()),
                }
            )
            pairs.append(_pair(known, slot, "finished", "", slot))
            pairs.append(_pair(known, slot + 20, "refused", RULES[(k + tile.row) % len(RULES)], None))
    if aoi == "iowa":
        fall = [{**pair, "season": "fall"} for pair in pairs[:: len(pairs) // (WAITING + FAILED)][: WAITING + FAILED]]
        for k, pair in enumerate(fall):
            state, rule = ("selected", "") if k < WAITING else ("failed", "common_band")
            pairs.append({**pair, "scene_id": f"late{k}", "state": state, "rule": rule, "slot": None})
    return made, pairs


def _pair(known, number, state, rule, slot):
    day = date(2020, 3, 1) + timedelta(days=number)
    found = {"state": state, "rule": rule, "detail": "found 12" if rule else "", "slot": slot}
    dates = {"s2date": day, "s1date": day, "direction": "D", "invalid_s1": 10, "invalid_s2": 20}
    return {**known, **dates, **found, "scene_id": f"scene{number}", "track": 52, "pass_id": f"pass{number}"}


def _events(aoi, now):
    rows = []
    for season in Season:
        known = {"aoi": aoi, "year": 2020, "season": str(season)}
        found = {"granules": 400.0, "slices": 90.0}, {"tiles": float(paper.AREAS[aoi].tiles), "passes": 12.0}
        start = now - timedelta(hours=20)
        rows.append({**known, "at": start, "stage": "search", "message": "products found", "figures": found[0]})
        rows.append({**known, "at": start, "stage": "match", "message": "tiles planned", "figures": found[1]})
        for shard in range(60):
            at = start + timedelta(minutes=18 * shard)
            figures = {"made": 30.0 + shard % 7, "shard": float(shard)}
            rows.append({**known, "at": at, "stage": "assemble", "message": "shard assembled", "figures": figures})
        if (aoi, season) == ("uganda", Season.WINTER):
            failed = {"stage": "radar", "message": BROKEN, "figures": {}}
            rows.append({**known, "at": now - timedelta(hours=1), **failed})
        elif (aoi, season) != ("iowa", Season.FALL):
            done = {"stage": "report", "message": "report written", "figures": {}}
            rows.append({**known, "at": now - timedelta(hours=1), **done})
    return rows


def areas(folder):
    """Settings of the areas; their boundaries are the squares of their tiles."""
    found = {}
    for aoi in CORNERS:
        tiles = tiles_of(aoi)
        lons, lats = zip(*(tile.centre_lonlat for tile in tiles), strict=True)
        west, south, east, north = min(lons) - 0.01, min(lats) - 0.01, max(lons) + 0.01, max(lats) + 0.01
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        file = folder / f"{aoi}.geojson"
        file.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
        found[aoi] = adhoc_aoi(file, year=2020, budget_gb=340, labels={"name": "worldcover_2020"})
    return found


def now():
    """A moment for which the events are made."""
    return datetime.now(UTC).replace(microsecond=0)
