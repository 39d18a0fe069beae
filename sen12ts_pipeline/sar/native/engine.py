"""The native engine: geocoded bursts, a static area factor, Gaussian interferograms."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.domain.bursts import BurstId
from sen12ts_pipeline.domain.lattice import Grid, TileId
from sen12ts_pipeline.domain.passes import Pass
from sen12ts_pipeline.domain.recipe import Recipe
from sen12ts_pipeline.errors import BadProduct, Rejected
from sen12ts_pipeline.ports import (
    NO_ORBIT_FILES,
    EngineIdentity,
    Float32,
    Frame,
    FrameJob,
    OrbitFiles,
    Sighting,
    Source,
    Terrain,
    UInt8,
)
from sen12ts_pipeline.sar.native import geometry
from sen12ts_pipeline.sar.native.backscatter import gamma0_db
from sen12ts_pipeline.sar.native.image import Image, make_image
from sen12ts_pipeline.sar.native.interferogram import KERNEL_WAVELENGTH_M, estimate
from sen12ts_pipeline.sar.native.lattice import EASTING_STEP_M
from sen12ts_pipeline.sar.native.misregistration import Delay, combined, delay_in_overlap
from sen12ts_pipeline.sar.native.pair import SMALLEST_COMMON_BAND, describe_pair
from sen12ts_pipeline.sar.native.scene import OpenPass, Sampling, open_pass
from sen12ts_pipeline.sar.native.surface import Surface, centre_height
from sen12ts_pipeline.sar.native.terrain import (
    BIN_SAMPLES,
    EDGE_MARGIN_LINES,
    EDGE_MARGIN_SAMPLES,
    FACET_SPLIT,
    choose_bursts,
    make_terrain,
    serving_burst,
)
from sen12ts_pipeline.terrain.dem import Dem

Float64 = npt.NDArray[np.float64]

VERSION = "2"
"""Raised whenever a change alters output bytes."""

Remember = Callable[[Recipe, Callable[[], Mapping[str, Any]]], Mapping[str, Any]]
"""Gives what was computed under a recipe before, else computes it and keeps it."""


@dataclass(frozen=True, slots=True)
class Options:
    """Choices that alter the layers; the defaults are the data set's.

    Attributes
    ----------
    esd : bool
        Whether the azimuth misregistration of a pair is estimated in burst overlaps and corrected.
    doppler_range_shift, fm_mismatch : bool
        Timing corrections of `scene.Sampling`.
    mask_margin_pixels : int
        Pixels by which layover and shadow are grown.
    """

    esd: bool = False
    doppler_range_shift: bool = False
    fm_mismatch: bool = False
    mask_margin_pixels: int = 0


DEFAULTS = Options()

NOWHERE_LATE: Mapping[BurstId, float] = {}

T = TypeVar("T")


def _compute(_recipe: Recipe, compute: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    return compute()


@dataclass(frozen=True, slots=True, eq=False)
class NativeEngine:
    """`SarEngine` over SAFE products and a DEM.

    Attributes
    ----------
    source : Source
        Opens products.
    dem : Dem
        Heights.
    orbits : OrbitFiles
        Content of the orbit files that passes name.
    options : Options
        Choices that alter the layers.
    remember : Remember
        Keeps what all grids of a pair share: misregistration.
    """

    source: Source
    dem: Dem
    orbits: OrbitFiles = NO_ORBIT_FILES
    options: Options = DEFAULTS
    remember: Remember = _compute
    _open: Any = field(init=False, repr=False)
    _overlap: Any = field(init=False, repr=False)
    _group: Any = field(init=False, repr=False)
    _point: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_open", functools.lru_cache(maxsize=64)(self._read_pass))
        object.__setattr__(self, "_overlap", functools.lru_cache(maxsize=1024)(self._delay_in_overlap))
        object.__setattr__(self, "_group", functools.lru_cache(maxsize=256)(self._centres))
        object.__setattr__(self, "_point", functools.lru_cache(maxsize=4096)(self._centre))

    def _read_pass(self, one: Pass) -> OpenPass:
        return open_pass(one, self.source, self.orbits)

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
                "facet_split": list(FACET_SPLIT),
                "bin_samples": BIN_SAMPLES,
                "smallest_common_band": SMALLEST_COMMON_BAND,
                "dem": self.dem.identity,
                **asdict(self.options),
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
            time, distance = geometry.solve_far(self._group(tuple(group)), opened.orbit)
            for tile, t, r in zip(group, time, distance, strict=True):
                if np.isfinite(t):
                    burst = serving_burst(opened, float(t), float(r))
                    found[tile] = Sighting(opened.epoch + timedelta(seconds=float(t)), burst)
        return found

    def _centres(self, tiles: tuple[TileId, ...]) -> Float64:
        """Earth-fixed centres (n, 3) of tiles of one zone, at height 0 where the DEM is void."""
        heights = np.array([centre_height(t.grid, self.dem) for t in tiles])
        easting, northing = (np.array(x) for x in zip(*(t.grid.centre for t in tiles), strict=True))
        return geometry.earth_fixed(tiles[0].epsg, easting, northing, heights)

    def _centre(self, grid: Grid) -> Float64:
        """Earth-fixed centre (3,) of a grid."""
        centre = (np.array([x]) for x in (*grid.centre, centre_height(grid, self.dem)))
        return np.asarray(geometry.earth_fixed(grid.epsg, *centre)[0])

    def terrain(self, grid: Grid, reference: Pass) -> Terrain:
        """Terrain layers of a grid as the reference pass sees it; no sample is read."""
        return make_terrain(grid, self.opened(reference), self.dem, self.options.mask_margin_pixels)

    def check_pair(self, grid: Grid, bursts: tuple[BurstId, ...], earlier: Pass, later: Pass) -> None:
        """Refuse two passes whose interferogram would be worth nothing, before a sample is read; Rejected."""
        self.pair_figures(grid, bursts, earlier, later)

    def pair_figures(self, grid: Grid, bursts: tuple[BurstId, ...], earlier: Pass, later: Pass) -> dict[str, float]:
        """How a pair was flown, at a grid's centre, as of `pair.describe_pair`; Rejected when it is worth nothing."""
        return describe_pair(self._point(grid), self.opened(earlier), self.opened(later), bursts)

    def frames(self, job: FrameJob) -> Iterator[Frame | Exception]:
        """Frames of every grid and pass of the chain but the first, grid by grid."""
        for terrain in job.terrains:
            yield from self._frames_of(terrain, job.chain)

    def _frames_of(self, terrain: Terrain, chain: tuple[Pass, ...]) -> Iterator[Frame | Exception]:
        surface = Surface.of(terrain.grid, self.dem)
        image_of = functools.partial(self._image, terrain.bursts, terrain.choice, surface)
        before = _attempt(image_of, chain[0], (), NOWHERE_LATE)
        for first, second in itertools.pairwise(chain):
            late = _attempt(self._late, first, second, terrain.bursts)
            if isinstance(late, Exception):
                yield late
                moved = True
            else:
                image = _attempt(image_of, second, ("VH", "VV"), late)
                yield self._frame(terrain, (first, second), before, image, late)
                moved = any(late.values())
            # As the earlier one of the next pair, a pass is sampled where its annotation says.
            before = _attempt(image_of, second, (), NOWHERE_LATE) if moved else image

    def _image(
        self,
        bursts: tuple[BurstId, ...],
        choice: UInt8,
        surface: Surface,
        one: Pass,
        polarisations: tuple[str, ...],
        late: Mapping[BurstId, float],
        flat: str = "VV",
    ) -> Image:
        def sampling(burst: BurstId) -> Sampling:
            return Sampling(self.options.doppler_range_shift, self.options.fm_mismatch, late.get(burst, 0.0))

        return make_image(bursts, choice, self.opened(one), surface, polarisations, flat, sampling)

    def _frame(
        self,
        terrain: Terrain,
        passes: tuple[Pass, Pass],
        earlier: Image | Exception,
        later: Image | Exception,
        late: Mapping[BurstId, float],
    ) -> Frame | Exception:
        if isinstance(later, Exception):
            return later
        if isinstance(earlier, Exception):
            return earlier
        first, second = passes
        try:
            pair = self.pair_figures(terrain.grid, terrain.bursts, first, second)
        except Rejected as error:
            return error
        coherence, phase = estimate(earlier.flat, later.flat)
        vh, vh_floored = gamma0_db(later.power["VH"], later.noise["VH"], terrain.factor)
        vv, vv_floored = gamma0_db(later.power["VV"], later.noise["VV"], terrain.factor)
        notes = {
            "products": list(second.products),
            "earlier_products": list(first.products),
            "orbits": [self._orbit_note(one) for one in passes],
            "floored_pixels": {"vh": vh_floored, "vv": vv_floored},
            "effective_looks": terrain.notes["effective_looks"],
            "coherence_floor": terrain.notes["coherence_floor"],
            **pair,
        }
        if self.options.esd:
            notes["late_s"] = {str(burst): seconds for burst, seconds in late.items()}
        return Frame(terrain.grid, second.id, first.id, vh, vv, coherence, phase, notes)

    def _orbit_note(self, one: Pass) -> dict[str, Any]:
        return {"kind": self.opened(one).orbit.kind, "files": list(one.orbits)}

    def _late(self, earlier: Pass, later: Pass, bursts: tuple[BurstId, ...]) -> dict[BurstId, float]:
        """By how much the later pass's bursts lie late, seconds; nothing unless it is asked for."""
        if not self.options.esd:
            return {}
        return {burst: combined(self._delays(earlier, later, burst)) for burst in bursts}

    def _delays(self, earlier: Pass, later: Pass, burst: BurstId) -> list[Delay]:
        """Delays in the overlaps with the burst before and the one after, where both passes have these."""
        both = self.bursts(earlier) & self.bursts(later)
        pairs = ((burst.before, burst), (burst, burst.after))
        return [self._overlap(earlier, later, first) for first, second in pairs if {first, second} <= both]

    def _delay_in_overlap(self, earlier: Pass, later: Pass, burst: BurstId) -> Delay:
        def compute() -> dict[str, float]:
            delay = delay_in_overlap(self.opened(earlier), self.opened(later), burst, self.dem)
            return {"seconds": delay.seconds, "spread_s": delay.spread_s}

        inputs = {"burst": str(burst), "earlier": list(earlier.inputs), "later": list(later.inputs)}
        kept = self.remember(Recipe("misregistration", {**inputs, "engine": self.identity.as_json()}), compute)
        return Delay(kept["seconds"], kept["spread_s"])

    def backscatter(
        self, terrain: Terrain, one: Pass, polarisations: tuple[str, ...] = ("VH", "VV")
    ) -> dict[str, np.ndarray[Any, Any]]:
        """gamma0 (dB) by polarisation of one pass, for those who want no interferogram."""
        surface = Surface.of(terrain.grid, self.dem)
        image = self._image(terrain.bursts, terrain.choice, surface, one, polarisations, NOWHERE_LATE, flat="")
        return {p: gamma0_db(image.power[p], image.noise[p], terrain.factor)[0] for p in polarisations}

    def interferogram(self, grid: Grid, earlier: Pass, later: Pass, polarisation: str) -> tuple[Float32, Float32]:
        """Coherence and phase of two passes on 20 m cells, for those who want no frame; Rejected, `check_pair`.

        The earlier pass is the reference, and no mask is made.
        """
        surface = Surface.of(grid, self.dem)
        bursts, choice = choose_bursts(surface, self.opened(earlier))
        self.check_pair(grid, bursts, earlier, later)
        first = self._image(bursts, choice, surface, earlier, (), NOWHERE_LATE, polarisation)
        second = self._image(bursts, choice, surface, later, (), self._late(earlier, later, bursts), polarisation)
        return estimate(first.flat, second.flat)


def _attempt(make: Callable[..., T], *arguments: Any) -> T | Exception:  # noqa: ANN401 - those of `make`
    """What is made, or the fault of the data that stands in its place."""
    try:
        return make(*arguments)
    except (BadProduct, Rejected) as error:
        return error
