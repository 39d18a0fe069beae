"""Made-up triplets, and a small finished data set of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np

from sen12ts_pipeline.dataset import index, stac
from sen12ts_pipeline.dataset.geotiff import Profile, encode_label, encode_s1, encode_s2
from sen12ts_pipeline.dataset.quicklook import View, quicklook
from sen12ts_pipeline.dataset.stacks import s1_stack
from sen12ts_pipeline.dataset.triplet import FileFacts, Triplet, histogram, invalid_pixels, name_of
from sen12ts_pipeline.domain.bursts import Track
from sen12ts_pipeline.domain.lattice import Grid, TileId
from sen12ts_pipeline.domain.pairing import Candidate
from sen12ts_pipeline.domain.seasons import Partition, season_of
from sen12ts_pipeline.ports import Frame, Terrain
from sen12ts_pipeline.sentinel2.masks import SclMasker
from tests.domain.examples import ETHIOPIAN_TILE, NOON, a_scene, a_series

AOI = "ethiopia"
SOFTWARE = {"sen12ts-pipeline": "0.1.0"}


def a_terrain(grid: Grid, seed: int = 1, **changes) -> Terrain:
    random = np.random.default_rng(seed)
    values = {
        "grid": grid,
        "bursts": (),
        "choice": np.zeros((grid.rows + 10, 2 * grid.cols + 20), np.uint8),
        "incidence": random.uniform(20, 60, grid.shape).astype(np.float32),
        "slope": random.uniform(0, 40, grid.shape).astype(np.float32),
        "factor": np.ones(grid.shape, np.float32),
        "shadow": np.zeros(grid.shape, bool),
        "layover": np.zeros(grid.shape, bool),
        "notes": {},
    }
    return Terrain(**(values | changes))


def a_frame(grid: Grid, seed: int = 1, **changes) -> Frame:
    random = np.random.default_rng(seed)
    cells = grid.rows // 2, grid.cols // 2
    values = {
        "grid": grid,
        "pass_id": "S1A_000002",
        "earlier_pass_id": "S1A_000001",
        "vh": random.uniform(-25, -10, grid.shape).astype(np.float32),
        "vv": random.uniform(-18, -3, grid.shape).astype(np.float32),
        "coherence": random.uniform(0, 1, cells).astype(np.float32),
        "phase": random.uniform(-np.pi, np.pi, cells).astype(np.float32),
        "notes": {},
    }
    return Frame(**(values | changes))


def an_s1_stack(tile: TileId, seed: int = 1) -> np.ndarray:
    """Radar stack of a tile; the terrain is that of the tile, whatever the seed."""
    frames = [a_frame(tile.grid, 10 * seed + k) for k in range(4)]
    shadow = np.zeros((256, 256), bool)
    shadow[10:20, 10:30] = True
    return s1_stack(frames, a_terrain(tile.grid, abs(tile.column), shadow=shadow))


def an_s2_stack(seed: int = 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    stack = random.integers(0, 10_001, (14, 256, 256)).astype(np.int16)
    stack[12] = random.integers(4, 8, (256, 256))
    stack[12, :10, :10] = 9
    stack[2, 100, :50] = -3000
    stack[13] = SclMasker().valid({"SCL": stack[12]}) & (stack[:12] != -3000).all(axis=0)
    return stack


def a_label(tile: TileId) -> np.ndarray:
    random = np.random.default_rng(abs(tile.row))
    label = random.choice([10, 30, 40], (256, 256)).astype(np.int16)
    label[:3, :3] = -3000
    return label


def a_candidate(tile: TileId = ETHIOPIAN_TILE, *, day: int = 0, gap: int = 1, track: int = 52) -> Candidate:
    s2 = NOON + timedelta(days=day)
    scene = a_scene(s2)
    return Candidate(tile, scene.id, scene.date, Track(track), "D", a_series(s2 - timedelta(days=gap)))


def bodies_of(candidate: Candidate, *, seed: int = 1, profile: Profile = Profile.COG) -> dict[str, bytes]:
    """Files of a triplet, quick-look included."""
    tile, s1, s2 = candidate.tile, an_s1_stack(candidate.tile, seed), an_s2_stack(seed)
    label = a_label(tile)
    return {
        "s1": encode_s1(s1, tile.grid, profile=profile),
        "s2": encode_s2(s2, tile.grid, profile=profile),
        "label": encode_label(label, tile.grid, profile=profile),
        "quicklook": quicklook(View(name_of(candidate), str(tile), s1, s2, label)),
    }


def a_triplet(candidate: Candidate | None = None, *, seed: int = 1, slot: int = 1, **changes) -> Triplet:
    candidate = candidate or a_candidate()
    values = {
        "partition": Partition(AOI, candidate.s2date.year, season_of(candidate.s2date)),
        "slot": slot,
        "candidate": candidate,
        "scene": a_scene(NOON + timedelta(days=(candidate.s2date - NOON.date()).days)),
        "invalid_s1": invalid_pixels(an_s1_stack(candidate.tile, seed)),
        "invalid_s2": invalid_pixels(an_s2_stack(seed)),
        "histogram": histogram(a_label(candidate.tile)),
        "files": {kind: FileFacts(1000 + k, f"{k:064x}") for k, kind in enumerate(("s1", "s2", "label", "quicklook"))},
        "provenance": {"engine": {"name": "none"}},
    }
    return Triplet(**(values | changes))


def put(root: Path, path: str, body: bytes) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(body)


def write_triplet(root: Path, candidate: Candidate, *, seed: int = 1, slot: int = 1) -> Triplet:
    """Write the files of a triplet and its metadata into an AOI's folder."""
    bodies = bodies_of(candidate, seed=seed)
    triplet = a_triplet(candidate, seed=seed, slot=slot)
    triplet = replace(triplet, files={kind: FileFacts.of(body) for kind, body in bodies.items()})
    for kind, body in bodies.items():
        put(root, triplet.paths[kind], body)
    put(root, triplet.paths["metadata"], stac.item_bytes(stac.item(triplet, software=SOFTWARE)))
    return triplet


def write_dataset(root: Path) -> Path:
    """Two triplets of one tile in two seasons, with their index."""
    parts = []
    for season, candidate, seed in (("summer", a_candidate(), 1), ("fall", a_candidate(day=100), 2)):
        triplet = write_triplet(root, candidate, seed=seed)
        parts.append(index.part([stac.item(triplet, software=SOFTWARE)]))
        put(root, f"index/2020-{season}.parquet", parts[-1])
    put(root, "index/index.parquet", index.merge(parts))
    return root
