"""The SNAP engine: geometry, masks and the choice of bursts are the native engine's, frames are made by gpt."""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.domain.bursts import BurstId
from sen12ts_pipeline.domain.lattice import Grid, TileId
from sen12ts_pipeline.domain.passes import Pass
from sen12ts_pipeline.domain.recipe import canonical_json
from sen12ts_pipeline.errors import BadProduct, Rejected
from sen12ts_pipeline.ports import Bool, EngineIdentity, Float32, Frame, FrameJob, ProductFiles, Sighting, Terrain
from sen12ts_pipeline.sar.native.engine import NativeEngine
from sen12ts_pipeline.sar.native.interferogram import KERNEL_WAVELENGTH_M
from sen12ts_pipeline.sar.native.scene import OpenPass, PlacedBurst
from sen12ts_pipeline.sar.snap import backscatter, checks, insar
from sen12ts_pipeline.sar.snap.chain import AZIMUTH_LOOKS, RANGE_LOOKS, Site
from sen12ts_pipeline.sar.snap.dem import STEPS_PER_DEGREE, DemArea, prepare
from sen12ts_pipeline.sar.snap.dimap import read_bands
from sen12ts_pipeline.sar.snap.gpt import Gpt
from sen12ts_pipeline.sar.snap.graph import Graph
from sen12ts_pipeline.sar.snap.installation import examine
from sen12ts_pipeline.sar.snap.operators import Release
from sen12ts_pipeline.sar.snap.plan import (
    BLOCK_M,
    MARGIN_M,
    Part,
    PassPlan,
    Region,
    SwathPlan,
    check_platform,
    check_readable,
    plan_pass,
)
from sen12ts_pipeline.sar.snap.workshop import Workshop

Float64 = npt.NDArray[np.float64]

VERSION = "1"
"""Raised whenever a change alters output bytes that no parameter of the identity tells."""


@dataclass(frozen=True, slots=True)
class SnapOptions:
    """Choices that alter the layers; the defaults are the data set's.

    Attributes
    ----------
    release : Release
        Of the toolbox that `Gpt` runs.
    quantity : str
        ``gamma0`` or ``sigma0``.
    esd : bool
        Whether the azimuth misregistration of a pair is estimated in burst overlaps and corrected.
    """

    release: Release
    quantity: str = "gamma0"
    esd: bool = False


class Lay(Protocol):
    """Lays a product of some bursts of a slice in a folder."""

    def __call__(
        self, files: ProductFiles, bursts: Mapping[str, range], polarisations: Sequence[str], folder: Path, /
    ) -> Path:
        """The SAFE folder; `bursts` are indices from 0 by subswath. BadProduct, Retryable."""
        ...


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class _Layers:
    """What gpt made of one grid and pair, on the grid, and digests of the graphs.

    Attributes
    ----------
    powers : dict of float32 (rows, cols)
        By polarisation, linear.
    interferogram, pair_powers : two of float32 (rows + 10, cols + 10)
        As `insar.estimate` takes them.
    digests : dict of str
        By the graph's name.
    """

    powers: Mapping[str, Float32]
    interferogram: tuple[Float32, Float32]
    pair_powers: tuple[Float32, Float32]
    digests: Mapping[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class SnapEngine:
    """`SarEngine` by SNAP, over the native engine's geometry.

    Attributes
    ----------
    native : NativeEngine
        Opens products and makes terrain.
    gpt : Gpt
        Runs graphs.
    scratch : Path
        Folder for intermediate products, some GB a burst and date.
    options : SnapOptions
        Choices that alter the layers.
    keep_gb : float
        Intermediate products that are kept for further tiles.
    cancelled : callable
        Asked while gpt runs; True ends the run.
    lay : Lay, optional
        Lays products of some bursts of a slice in a folder; without it only products of this machine are read.
    """

    native: NativeEngine
    gpt: Gpt
    scratch: Path
    options: SnapOptions
    keep_gb: float = 40.0
    cancelled: Callable[[], bool] = _never
    lay: Lay | None = None
    _workshop: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        def make() -> Workshop:
            examine(self.gpt.program).check(self.options.release)
            return Workshop(self.gpt, self.scratch, self.keep_gb, self.cancelled)

        object.__setattr__(self, "_workshop", functools.lru_cache(maxsize=1)(make))

    @property
    def identity(self) -> EngineIdentity:
        """Name, version and parameters; these tell geometry and elevation model, and the graphs by a digest."""
        return EngineIdentity(
            "snap",
            VERSION,
            {
                "release": str(self.options.release),
                "quantity": self.options.quantity,
                "esd": self.options.esd,
                "graphs": chain_digest(self.options),
                "looks": [RANGE_LOOKS, AZIMUTH_LOOKS],
                "kernel_wavelength_m": KERNEL_WAVELENGTH_M,
                "block_m": [BLOCK_M, MARGIN_M],
                "dem_steps_per_degree": STEPS_PER_DEGREE,
                "geometry": self.native.identity.as_json(),
            },
        )

    def bursts(self, one: Pass) -> frozenset[BurstId]:
        """Bursts that a pass has."""
        return self.native.bursts(one)

    def sightings(self, one: Pass, tiles: Sequence[TileId]) -> dict[TileId, Sighting]:
        """Which of the tiles a pass flies over, when, and with which burst."""
        return self.native.sightings(one, tiles)

    def terrain(self, grid: Grid, reference: Pass) -> Terrain:
        """Terrain layers of a grid as the reference pass sees it; no sample is read."""
        return self.native.terrain(grid, reference)

    def check_pair(self, grid: Grid, bursts: tuple[BurstId, ...], earlier: Pass, later: Pass) -> None:
        """Refuse two passes whose interferogram would be worth nothing, before a sample is read; Rejected."""
        self.native.check_pair(grid, bursts, earlier, later)

    def frames(self, job: FrameJob) -> Iterator[Frame | Exception]:
        """Frames of every grid and pass of the chain but the first, grid by grid.

        Raises
        ------
        EngineFailure, Retryable
            When gpt fails, or leaves what cannot be right, which is no fault of the data.
        ConfigurationError
            When gpt is not there or of another release.
        """
        for terrain in job.terrains:
            for earlier, later in itertools.pairwise(job.chain):
                try:
                    yield self._frame(terrain, earlier, later, job)
                except (BadProduct, Rejected) as error:
                    yield error

    def _frame(self, terrain: Terrain, earlier: Pass, later: Pass, job: FrameJob) -> Frame:
        figures = self.native.pair_figures(terrain.grid, terrain.bursts, earlier, later)
        second = self._plan(later, terrain, ("VV", "VH"))
        pair = insar.Pair(self._plan(earlier, terrain, ("VV",)), second)
        site = Site(Region.around(terrain.grid), self._dem(job))
        layers = self._layers(terrain, pair, site)
        known = np.isfinite(terrain.factor) & (terrain.choice_at_pixels != 255).all(axis=-1)
        vh, vh_floored = backscatter.decibels(layers.powers["VH"], known)
        vv, vv_floored = backscatter.decibels(layers.powers["VV"], known)
        checks.check_filled(vv, terrain.valid, f"{later.id} {terrain.grid.west:.0f} {terrain.grid.north:.0f}")
        sigma_m = insar.kernel_sigma_m(float(np.nanmean(terrain.incidence)))
        coherence, phase = insar.estimate(layers.interferogram, layers.pair_powers, _served(terrain), sigma_m)
        notes = {
            "products": list(later.products),
            "earlier_products": list(earlier.products),
            "orbits": [{"kind": self.native.opened(p).orbit.kind, "files": list(p.orbits)} for p in (earlier, later)],
            "floored_pixels": {"vh": vh_floored, "vv": vv_floored},
            "effective_looks": terrain.notes["effective_looks"],
            "coherence_floor": terrain.notes["coherence_floor"],
            "kernel_sigma_m": round(sigma_m, 3),
            "graphs": dict(layers.digests),
            **figures,
        }
        return Frame(terrain.grid, later.id, earlier.id, vh, vv, coherence, phase, notes)

    def _plan(self, one: Pass, terrain: Terrain, polarisations: tuple[str, ...]) -> PassPlan:
        check_platform(one, self.options.release)
        opened = self.native.opened(one)
        plan = plan_pass(one, opened, terrain.bursts, polarisations, self._part(polarisations))
        check_readable(opened, terrain.bursts, polarisations)
        if plan.orbit:
            body = self.native.orbits.read(plan.orbit)
            self._workshop().offer_orbit(plan.orbit, body, one.platform, _months(one, opened))
        return plan

    def _part(self, polarisations: Sequence[str]) -> Part | None:
        lay = self.lay
        if lay is None:
            return None
        return lambda files, bursts: lay(files.files, bursts, polarisations, self._workshop().folder / "bursts")

    def _dem(self, job: FrameJob) -> Path:
        """The elevation model of a job, made once: of the bursts as the first pass has them that has them all."""
        served = sorted({burst for terrain in job.terrains for burst in terrain.bursts})
        area = DemArea.around(self._placed(job.chain, served))
        name = hashlib.sha256(canonical_json([self.native.dem.identity, [area.west, area.south, *area.shape]]))
        shop = self._workshop()
        path: Path = shop.folder / f"dem-{name.hexdigest()[:16]}.tif"
        with shop.lock:
            if not path.exists():
                prepare(self.native.dem, area, path)
        return path

    def _placed(self, passes: Sequence[Pass], bursts: Sequence[BurstId]) -> list[PlacedBurst]:
        *others, last = passes
        for one in others:
            try:
                return [self.native.opened(one).require(burst) for burst in bursts]
            except BadProduct:
                continue
        return [self.native.opened(last).require(burst) for burst in bursts]

    def _layers(self, terrain: Terrain, pair: insar.Pair, site: Site) -> _Layers:
        shop, release, options = self._workshop(), self.options.release, self.options
        grid, halo = terrain.grid, _with_halo(terrain.grid)
        with shop.lock:
            shop.tidy(
                [path.parent for plan in (pair.earlier, pair.later) for path in plan.products if _laid(path, shop)]
            )
            power = backscatter.backscatter_graph(pair.later, site, Path("backscatter.dim"), release, options.quantity)
            stacks = [
                insar.stack_graph(pair, k, site.dem, Path("stack.dim"), release, esd=options.esd)
                for k in range(len(pair.swaths))
            ]
            image = _with_orbits(shop.made(power), pair.later)
            images = [_with_orbits(shop.made(stack), pair.earlier, pair.later) for stack in stacks]
            crossed = insar.interferogram_graph(pair, images, site, Path("interferogram.dim"), release)
            powers = insar.power_graph(pair, images, site, Path("power.dim"), release)
            vv, vh, heights = _read(image, power, grid)
            real, imaginary = _read(shop.made(crossed), crossed, halo)
            first, second = _read(shop.made(powers), powers, halo)
        checks.check_heights(heights, self._heights(grid), "backscatter")
        checks.check_powers((real, imaginary), (first, second), "interferogram")
        graphs = (power, *stacks, crossed, powers)
        return _Layers(
            {"VV": vv, "VH": vh}, (real, imaginary), (first, second), {graph.name: graph.digest for graph in graphs}
        )

    def _heights(self, grid: Grid) -> Float64:
        """Of pixel centres above the ellipsoid, metres."""
        easting = grid.west + grid.spacing_m * (np.arange(grid.cols, dtype=float) + 0.5)
        northing = grid.north - grid.spacing_m * (np.arange(grid.rows, dtype=float) + 0.5)
        box = float(easting[0]), float(northing[-1]), float(easting[-1]), float(northing[0])
        return self.native.dem.window(grid.epsg, box).lattice(easting, northing)


@functools.lru_cache(maxsize=8)
def chain_digest(options: SnapOptions) -> str:
    """SHA-256 of all graphs of an example: it changes with any parameter of any of them."""
    moment = datetime(2020, 1, 4, tzinfo=UTC)
    near, far = SwathPlan("IW1", 1, 2, moment), SwathPlan("IW2", 1, 2, moment)
    plan = PassPlan((Path("first"), Path("second")), "S1A_OPER_AUX_POEORB_OPOD", (near, far))
    site = Site(Region(32631, 0.0, 0.0, 20_000.0, 20_000.0), Path("dem"))
    pair, stacks, to, release = insar.Pair(plan, plan), (Path("near"), Path("far")), Path("product"), options.release
    graphs = (
        backscatter.backscatter_graph(plan, site, to, release, options.quantity),
        insar.stack_graph(pair, 0, site.dem, to, release, esd=options.esd),
        insar.interferogram_graph(pair, stacks, site, to, release),
        insar.power_graph(pair, stacks, site, to, release),
    )
    return hashlib.sha256(canonical_json([graph.digest for graph in graphs])).hexdigest()


def _laid(path: Path, shop: Workshop) -> bool:
    """Whether a product was laid in the workshop's folder."""
    return shop.folder in path.parents


def _served(terrain: Terrain) -> Bool:
    """Pixels of the grid and its halo of which both samples are served by a burst, (rows + 10, cols + 10)."""
    rows, cols = (n + 2 * insar.HALO for n in terrain.grid.shape)
    served: Bool = (terrain.choice.reshape(rows, cols, 2) != 255).all(axis=-1)
    return served


def _with_halo(grid: Grid) -> Grid:
    around = insar.HALO * grid.spacing_m
    rows, cols = (n + 2 * insar.HALO for n in grid.shape)
    return Grid(grid.epsg, grid.west - around, grid.north + around, rows, cols, grid.spacing_m)


def _read(dim: Path, graph: Graph, grid: Grid) -> tuple[Float32, ...]:
    return checks.on_grid(read_bands(dim, graph.outputs[0].bands), grid, graph.name)


def _with_orbits(dim: Path, *plans: PassPlan) -> Path:
    """The product, to which the orbit files of its passes were applied."""
    expected = [plan.orbit for plan in plans if plan.orbit]
    if expected:
        checks.check_orbits(dim, expected, dim.stem)
    return dim


def _months(one: Pass, opened: OpenPass) -> set[tuple[int, int]]:
    """Months in which SNAP may look for a pass's orbit file: of the first annotated state vector, and of the start."""
    first_s = min(float(placed.swath.orbit.time_s[0]) for placed in opened.bursts.values())
    moments = (opened.epoch + timedelta(seconds=first_s), one.start)
    return {(moment.year, moment.month) for moment in moments}
