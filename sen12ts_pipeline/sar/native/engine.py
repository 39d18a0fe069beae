"""The native engine: geocoded bursts, a static area factor, Gaussian interferograms."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np

from sen12ts_pipeline.domain.bursts import BurstId
from sen12ts_pipeline.domain.lattice import Grid, TileId
from sen12ts_pipeline.domain.passes import Pass
from sen12ts_pipeline.errors import BadProduct, Rejected
from sen12ts_pipeline.ports import EngineIdentity, Float32, Frame, FrameJob, Sighting, Source, Terrain
from sen12ts_pipeline.sar.native import geometry
from sen12ts_pipeline.sar.native.backscatter import gamma0_db
from sen12ts_pipeline.sar.native.image import Image, make_image
from sen12ts_pipeline.sar.native.interferogram import KERNEL_WAVELENGTH_M, estimate
from sen12ts_pipeline.sar.native.lattice import EASTING_STEP_M
from sen12ts_pipeline.sar.native.pair import SMALLEST_COMMON_BAND, describe_pair
from sen12ts_pipeline.sar.native.scene import OpenPass, open_pass
from sen12ts_pipeline.sar.native.surface import Surface
from sen12ts_pipeline.sar.native.terrain import (
    EDGE_MARGIN_LINES,
    EDGE_MARGIN_SAMPLES,
    FACET_SPLIT,
    make_terrain,
    serving_burst,
)
from sen12ts_pipeline.terrain.dem import Dem

VERSION = "1"
"""Raised whenever a change alters output bytes."""


@dataclass(frozen=True, slots=True, eq=False)
class NativeEngine:
    """`SarEngine` over SAFE products and a DEM.

    Attributes
    ----------
    source : Source
        Opens products.
    dem : Dem
        Heights.
    """

    source: Source
    dem: Dem
    _open: Any = field(init=False, repr=False)
    _centre_cache: dict[tuple[TileId, ...], Any] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_open", functools.lru_cache(maxsize=64)(self._read_pass))

    def _read_pass(self, one: Pass) -> OpenPass:
        return open_pass(one, self.source)

    @property
    def identity(self) -> EngineIdentity:
        """Name, version and parameters."""
        return EngineIdentity(
            "native",
            VERSION,
            {
                "easting_step_m": EASTING_STEP_M,
                "kernel_wavelength_m": KERNEL_WAVELENGTH_M,
                "bistatic_correction": True,
                "edge_margin": [EDGE_MARGIN_LINES, EDGE_MARGIN_SAMPLES],
                "facet_split": FACET_SPLIT,
                "smallest_common_band": SMALLEST_COMMON_BAND,
                "dem": self.dem.identity,
            },
        )

    def opened(self, one: Pass) -> OpenPass:
        """Annotation of a pass, read once."""
        opened: OpenPass = self._open(one)
        return opened

    def bursts(self, one: Pass) -> frozenset[BurstId]:
        """Bursts that a pass has."""
        return frozenset(self.opened(one).bursts)

    def sightings(self, one: Pass, tiles: Sequence[TileId]) -> dict[TileId, Sighting]:
        """Which of the tiles a pass flies over, when, and with which burst."""
        opened = self.opened(one)
        found: dict[TileId, Sighting] = {}
        for zone in sorted({t.zone for t in tiles}):
            group = [t for t in tiles if t.zone == zone]
            time, distance = geometry.solve_far(self._centres(tuple(group)), opened.orbit)
            for tile, t, r in zip(group, time, distance, strict=True):
                if np.isfinite(t):
                    burst = serving_burst(opened, float(t), float(r))
                    found[tile] = Sighting(opened.epoch + timedelta(seconds=float(t)), burst)
        return found

    def _centres(self, tiles: tuple[TileId, ...]) -> np.ndarray[Any, Any]:
        """Earth-fixed centres (n, 3) of tiles of one zone, at height 0 where the DEM is void."""
        centres = self._centre_cache.get(tiles)
        if centres is None:
            heights = np.array([self._centre_height(t.grid) for t in tiles])
            easting, northing = (np.array(x) for x in zip(*(t.grid.centre for t in tiles), strict=True))
            centres = geometry.earth_fixed(tiles[0].epsg, easting, northing, heights)
            self._centre_cache[tiles] = centres
        return centres

    def _centre_height(self, grid: Grid) -> float:
        easting, northing = grid.centre
        window = self.dem.window(grid.epsg, (easting - 5, northing - 5, easting + 5, northing + 5))
        return float(np.nan_to_num(window.lattice(np.array([easting]), np.array([northing]))[0, 0]))

    def terrain(self, grid: Grid, reference: Pass) -> Terrain:
        """Terrain layers of a grid as the reference pass sees it; no sample is read."""
        return make_terrain(grid, self.opened(reference), self.dem)

    def frames(self, job: FrameJob) -> Iterator[Frame | Exception]:
        """Frames of every grid and pass of the chain but the first, grid by grid."""
        for terrain in job.terrains:
            yield from self._frames_of(terrain, job.chain)

    def _frames_of(self, terrain: Terrain, chain: tuple[Pass, ...]) -> Iterator[Frame | Exception]:
        surface = Surface.of(terrain.grid, self.dem)
        earlier: Image | Exception | None = None
        for position, one in enumerate(chain):
            pols = ("VH", "VV") if position else ()
            try:
                image: Image | Exception = make_image(terrain, self.opened(one), surface, pols, "VV")
            except (BadProduct, Rejected) as error:
                image = error
            if earlier is not None:
                yield self._frame(terrain, chain[position - 1], one, earlier, image)
            earlier = image

    def _frame(
        self, terrain: Terrain, first: Pass, second: Pass, earlier: Image | Exception, later: Image | Exception
    ) -> Frame | Exception:
        if isinstance(later, Exception):
            return later
        if isinstance(earlier, Exception):
            return earlier
        grid = terrain.grid
        try:
            pair = describe_pair(
                grid, self._centre_height(grid), self.opened(first), self.opened(second), terrain.bursts
            )
        except Rejected as error:
            return error
        coherence, phase = estimate(earlier.flat, later.flat)
        vh, vh_floored = gamma0_db(later.power["VH"], later.noise["VH"], terrain.factor)
        vv, vv_floored = gamma0_db(later.power["VV"], later.noise["VV"], terrain.factor)
        notes = {
            "products": list(second.products),
            "earlier_products": list(first.products),
            "floored_pixels": {"vh": vh_floored, "vv": vv_floored},
            **pair,
        }
        return Frame(grid, second.id, first.id, vh, vv, coherence, phase, notes)

    def backscatter(self, terrain: Terrain, one: Pass) -> dict[str, np.ndarray[Any, Any]]:
        """gamma0 (dB) by polarisation of one pass, for those who want no interferogram."""
        surface = Surface.of(terrain.grid, self.dem)
        image = make_image(terrain, self.opened(one), surface, ("VH", "VV"), "")
        return {p: gamma0_db(image.power[p], image.noise[p], terrain.factor)[0] for p in ("VH", "VV")}

    def interferogram(self, terrain: Terrain, earlier: Pass, later: Pass, polarisation: str) -> tuple[Float32, Float32]:
        """Coherence and phase of two passes on 20 m cells, for those who want no frame."""
        surface = Surface.of(terrain.grid, self.dem)
        first, second = (
            make_image(terrain, self.opened(one), surface, (), polarisation).flat for one in (earlier, later)
        )
        return estimate(first, second)
