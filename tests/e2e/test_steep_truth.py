"""Mountains with slopes beyond 50 degrees to all sides, seen from two tracks, against their truth.

The ground is of one brightness, in fields of different coherence. A radar's sidelobes carry some percent of a bright
field's power into a dim neighbour, hundreds of metres far; no engine could tell it from the neighbour's own. On ground
of one brightness what a pixel should show is what lies in it.
"""

import dataclasses
import functools
import itertools
import math
import shutil
from dataclasses import dataclass
from datetime import date

import numpy as np
import pytest

from sen12ts_pipeline.acquisition.archive import ArchiveSource
from sen12ts_pipeline.domain.passes import passes_of
from sen12ts_pipeline.ports import FrameJob
from sen12ts_pipeline.sentinel1.manifest import read_slice
from sen12ts_pipeline.simulate import geodesy, radar
from sen12ts_pipeline.simulate.place import Place
from sen12ts_pipeline.simulate.rasters import write_dem
from sen12ts_pipeline.simulate.sensor import LINE_INTERVAL_S, RANGE_SAMPLING_HZ, RANGE_SPACING_M
from sen12ts_pipeline.simulate.sight import Sight
from sen12ts_pipeline.simulate.truth import Truth
from tests.sar.test_against_truth import KERNEL_SIGMA_M, cells, expected_coherence, mixed_coherence, whole_cells
from tests.sar.world import World

pytestmark = pytest.mark.e2e

SNR = 2.0  # 3 dB
BRIGHT = 4
"""Index of the land-cover class that all ground has: VV about -5 dB, VH -12 dB."""

DESCENDING = Place(
    name="mountains",
    longitude=8.3,
    latitude=46.4,
    direction="D",
    first_pass=date(2023, 8, 1),
    passes=5,
    swath=3,
    tiles_across=3,
    tiles_down=2,
    base_height_m=1500.0,
    relief=3.3,
    rough=0.0,
    margin_m=1600.0,
    seed=41,
)
ASCENDING = dataclasses.replace(DESCENDING, direction="A", swath=2)
PLAIN = dataclasses.replace(DESCENDING, relief=0.0, passes=1, tiles_across=1, tiles_down=1, noise_scale=1e-3)
HILLS = dataclasses.replace(DESCENDING, relief=1.0, passes=2, swath=2, tiles_down=1)

SLOPES = range(0, 50, 10)
SECTORS = 8
"""Aspects: 0 faces the radar, 4 faces away from it, 2 and 6 along the track."""
UNSEEN = {(40, 0), (40, 4)}
"""Slopes that, facing the radar, lie in layover or, facing away, are seen at more than 75 degrees."""
PIXEL_M = 10.0


def made(place, folder):
    """Archive of a place whose ground is of one brightness, opened with all its passes."""
    drawn = radar.World.of(place)
    one = dataclasses.replace(
        drawn.cover, kind=np.full_like(drawn.cover.kind, BRIGHT), brightness_db=np.zeros_like(drawn.cover.brightness_db)
    )
    truth = Truth(place)
    truth.world = dataclasses.replace(drawn, cover=one)
    radar.write_series(truth.world, folder / "archive")
    write_dem(place, drawn.relief, folder / "dem" / "dem.tif")
    return opened(folder, truth)


def opened(folder, truth):
    source = ArchiveSource(folder / "archive")
    slices = [read_slice(source.open(product)) for product in source.products()]
    return World(folder, source, passes_of(slices), truth)


def mosaic(place, layers):
    """One layer of all tiles, in their order, as a layer of the whole place."""
    rows = [layers[k : k + place.tiles_across] for k in range(0, len(layers), place.tiles_across)]
    return np.block(rows)


@dataclass(frozen=True, eq=False)
class Track:
    """Layers of all tiles of a place together, and what they should be; frame k is of date k + 1 and of pair k."""

    world: World
    terrains: list
    frames: list

    @classmethod
    def over(cls, world):
        engine = world.engine()
        terrains = [engine.terrain(tile.grid, world.passes[0]) for tile in world.truth.place.tiles]
        frames = [list(engine.frames(FrameJob((terrain,), world.passes))) for terrain in terrains]
        return cls(world, terrains, frames)

    @property
    def truth(self):
        return self.world.truth

    @property
    def grid(self):
        return self.truth.place.grid

    @property
    def dates(self):
        return range(len(self.world.passes) - 1)

    def ground(self, layer):
        return mosaic(self.truth.place, [getattr(terrain, layer) for terrain in self.terrains])

    def frame(self, k, layer):
        return mosaic(self.truth.place, [getattr(frames[k], layer) for frames in self.frames])

    @property
    def noted_looks(self):
        return np.mean([frame.notes["effective_looks"] for frames in self.frames for frame in frames])

    @functools.cached_property
    def sight(self):
        world, place = self.truth.world, self.truth.place
        half = place.extent_m + place.margin_m
        return Sight.of(world.relief, world.passes[0].orbit, world.centre_s, half)

    @functools.cached_property
    def axes(self):
        grid = self.grid
        return grid.west + PIXEL_M * (np.arange(grid.cols) + 0.5), grid.north - PIXEL_M * (np.arange(grid.rows) + 0.5)

    @functools.cached_property
    def aspect(self):
        """Sector of the downhill direction, counted from the direction to the radar."""
        rise_e, rise_n = self.truth.world.relief.gradient(*self.axes)
        away_e, away_n = self.sight.away_east.value, self.sight.away_north.value
        turn = np.degrees(np.arctan2(rise_n * away_e - rise_e * away_n, rise_e * away_e + rise_n * away_n))
        return np.floor(turn * SECTORS / 360 + 0.5).astype(int) % SECTORS

    @functools.cached_property
    def slope(self):
        return self.truth.slope(self.grid)

    @functools.cached_property
    def masks(self):
        """Shadow and layover by the simulator, which walks every ray and asks every neighbour."""
        return self.truth.shadow_layover(self.grid)

    @functools.cached_property
    def seen(self):
        """Pixels outside shadow and layover that the radar sees neither too steeply nor too flatly."""
        incidence = self.truth.incidence(self.grid)
        shadow, layover = self.masks
        share = self.sight.tangent(*np.meshgrid(*self.axes)) / self.truth.factor(self.grid)
        return (incidence > 10) & (incidence < 75) & (share > 0.2) & ~shadow & ~layover & self.ground("valid")

    def ratio(self, pol):
        """Product over truth (dates, rows, cols), linear; NaN where there is nothing to judge."""
        good = self.seen & (self.truth.snr(self.grid, 1, pol) > SNR)
        off = [self.frame(k, pol) - self.truth.gamma0_db(self.grid, k + 1, pol) for k in self.dates]
        return np.where(good, 10 ** (np.array(off) / 10), np.nan)


@pytest.fixture(scope="module")
def tracks(tmp_path_factory):
    return [Track.over(made(place, tmp_path_factory.mktemp(place.direction))) for place in (DESCENDING, ASCENDING)]


@pytest.fixture(scope="module", params=["vv", "vh"])
def ratios(tracks, request):
    """Of both tracks, in one polarisation."""
    return [track.ratio(request.param) for track in tracks]


def grown(mask, pixels):
    """Mask with what lies up to a number of pixels away."""
    around = np.lib.stride_tricks.sliding_window_view(np.pad(mask, pixels), (2 * pixels + 1, 2 * pixels + 1))
    return around.any(axis=(2, 3))


def decibel(ratio):
    return 10 * np.log10(np.nanmean(ratio))


class TestBackscatter:
    def test_is_within_0_2_db_over_all(self, ratios):
        for ratio in ratios:
            assert abs(decibel(ratio)) < 0.2

    def test_is_within_0_3_db_in_every_class_of_slope_and_aspect(self, tracks, ratios):
        judged = set()
        for low, sector in itertools.product(SLOPES, range(SECTORS)):
            own = [(t.slope >= low) & (t.slope < low + 10) & (t.aspect == sector) for t in tracks]
            ratio = np.concatenate([r[:, chosen].ravel() for r, chosen in zip(ratios, own, strict=True)])
            if np.isfinite(ratio).sum() >= 4000:
                judged.add((low, sector))
                assert abs(decibel(ratio)) < 0.3, f"slopes from {low} degrees, sector {sector}"
        assert judged >= set(itertools.product(SLOPES, range(SECTORS))) - UNSEEN

    def test_is_not_dark_beside_layover(self, tracks, ratios):
        # Where area is counted in wide bins, what is folded into layover lies on the ground beside it too.
        beside = []
        for track, ratio in zip(tracks, ratios, strict=True):
            layover = track.ground("layover")
            beside.append(ratio[:, grown(layover, 3) & ~grown(layover, 1)].ravel())
        beside = np.concatenate(beside)
        assert np.isfinite(beside).sum() >= 4000
        assert abs(decibel(beside)) < 0.5

    def test_of_two_tracks_agrees_within_0_2_db_on_every_slope(self, tracks, ratios):
        both = np.isfinite(ratios).all(axis=0)
        for low in SLOPES:
            chosen = both & (tracks[0].slope >= low) & (tracks[0].slope < low + 10)
            assert chosen.sum() >= 20_000
            one, other = (decibel(ratio[chosen]) for ratio in ratios)
            assert abs(one - other) < 0.2, f"slopes from {low} degrees"


def correlation(lag, bandwidth, window):
    """Of speckle, by distance in samples: the transform of the squared Hamming window over a share of the sampling."""
    f = np.linspace(-bandwidth / 2, bandwidth / 2, 201)
    power = (window + (1 - window) * np.cos(2 * np.pi * f / bandwidth)) ** 2
    known = np.linspace(0.0, 8.0, 801)
    return np.interp(np.abs(lag), known, np.cos(2 * np.pi * known[:, None] * f) @ power / power.sum(), right=0.0)


def kernel_looks(track):
    """Independent samples of speckle under the kernel, by 20 m cell: on slopes they lie closer or farther apart."""
    acquisition, (east, north) = track.truth.world.passes[0], track.axes
    points = geodesy.map_points(track.grid.epsg, *np.meshgrid(east, north), track.truth.height(track.grid))
    time, distance = acquisition.orbit.observe(points, track.truth.world.centre_s)
    (line_y, line_x), (sample_y, sample_x) = (
        [cells(change) for change in np.gradient(position, PIXEL_M)]
        for position in (time / LINE_INTERVAL_S, distance / RANGE_SPACING_M)
    )
    design = acquisition.imaged.design
    azimuth = design.azimuth_bandwidth_hz * LINE_INTERVAL_S, design.azimuth_window
    slant = design.range_bandwidth_hz / RANGE_SAMPLING_HZ, design.range_window
    shared, step = np.zeros(line_y.shape), 5.0
    for y in np.arange(-60.0, 60.5, 2 * step):
        for x in np.arange(-60.0, 60.5, step):
            weight = (
                2 * step**2 / (4 * np.pi * KERNEL_SIGMA_M**2) * math.exp(-(x * x + y * y) / (4 * KERNEL_SIGMA_M**2))
            )
            alike = correlation(line_y * y + line_x * x, *azimuth) * correlation(sample_y * y + sample_x * x, *slant)
            shared += weight * alike**2
    return 1 / shared


@dataclass(frozen=True)
class Cells:
    """Of all tracks and pairs, the 20 m cells whose kernel is seen whole; the phase's error as a unit vector."""

    found: np.ndarray
    truth: np.ndarray
    error: np.ndarray
    incidence: np.ndarray
    noted_looks: np.ndarray
    own_looks: np.ndarray

    @classmethod
    def of(cls, track):
        whole = whole_cells(track.seen)
        incidence, looks = cells(track.truth.incidence(track.grid))[whole], kernel_looks(track)[whole]
        parts = []
        for k in track.dates:
            truth = mixed_coherence(track.truth, track.grid, k)[whole]
            error = np.exp(1j * (track.frame(k, "phase")[whole] - np.angle(truth)))
            noted = np.full(truth.shape, track.noted_looks)
            parts.append(cls(track.frame(k, "coherence")[whole], np.abs(truth), error, incidence, noted, looks))
        return cls.together(parts)

    @classmethod
    def together(cls, parts):
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in dataclasses.fields(cls)))

    def classes(self, lowest):
        """Bounds and members of the classes of true coherence, a tenth wide."""
        for tenth in range(lowest, 10):
            chosen = (self.truth >= tenth / 10) & (self.truth < (tenth + 1) / 10)
            assert chosen.sum() >= 10_000
            yield tenth / 10, chosen

    def miss(self, chosen, looks):
        """Mean coherence of some cells less what their truth lets expect at a number of looks."""
        truth, looks = self.truth[chosen], np.rint(looks[chosen])
        expected = sum(expected_coherence(truth[looks == n], n).sum() for n in np.unique(looks))
        return self.found[chosen].mean() - expected / truth.size


@pytest.fixture(scope="module")
def judged(tracks):
    return Cells.together([Cells.of(track) for track in tracks])


class TestInterferogram:
    def test_coherence_is_within_0_01_of_what_its_truth_and_the_noted_looks_let_expect(self, judged):
        """From 0.2 up. The notes count the looks of level ground; slopes that face the radar have as few as four, and
        where the bias is most of the value that lifts the mean: by 0.014 from 0.1 up, by 0.024 below."""
        for low, chosen in judged.classes(lowest=2):
            assert abs(judged.miss(chosen, judged.noted_looks)) < 0.01, f"coherence from {low}"

    def test_coherence_is_within_0_01_in_every_class_at_the_looks_of_its_own_slope(self, judged):
        for low, chosen in judged.classes(lowest=0):
            assert abs(judged.miss(chosen, judged.own_looks)) < 0.01, f"coherence from {low}"

    def test_coherence_is_within_0_01_at_every_incidence(self, judged):
        for low in range(10, 70, 10):
            chosen = (judged.incidence >= low) & (judged.incidence < low + 10)
            assert chosen.sum() >= 20_000
            assert abs(judged.miss(chosen, judged.own_looks)) < 0.01, f"incidence from {low} degrees"

    def test_phase_is_within_0_02_radians(self, judged):
        """Of coherence from 0.2 up; less has no phase that its own noise would not hide."""
        for low, chosen in judged.classes(lowest=2):
            assert abs(np.angle(judged.error[chosen].sum())) < 0.02, f"coherence from {low}"


def slow_masks(track):
    """Shadow and layover of points 5 m apart on lines of sight 40 m apart: every point is compared with every other.

    Range and angle come from the orbit itself. Returns row and column of the points in the grid, and both flags.
    """
    world, (east, north) = track.truth.world, track.grid.centre
    away = np.array([track.sight.away_east.value, track.sight.away_north.value])
    reach = track.truth.place.extent_m * math.sqrt(2)
    along, across = np.arange(-reach - 1500.0, reach + 1500.0, 5.0), np.arange(-reach, reach, 40.0)
    found = []
    for aside in across:
        e = east + along * away[0] - aside * away[1]
        n = north + along * away[1] + aside * away[0]
        row, col = (track.grid.north - n) / PIXEL_M, (e - track.grid.west) / PIXEL_M
        inside = (row >= 0) & (row < track.grid.rows) & (col >= 0) & (col < track.grid.cols)
        if not inside.any():
            continue
        points = geodesy.map_points(track.grid.epsg, e, n, world.relief.at(e, n))
        time, distance = world.passes[0].orbit.observe(points, world.centre_s)
        sensor = world.passes[0].orbit.states(time)[0]
        down = ((sensor - points) * sensor).sum(axis=1) / distance / np.linalg.norm(sensor, axis=1)
        nearer = np.tri(len(along), k=-1, dtype=bool)  # [j, k]: point k lies before point j
        hidden = (nearer & (down[None] <= down[:, None])).any(axis=1)
        folded = (nearer & (distance[None] >= distance[:, None])).any(axis=1)
        folded |= (nearer.T & (distance[None] <= distance[:, None])).any(axis=1)
        found.append((row[inside].astype(int), col[inside].astype(int), hidden[inside], folded[inside]))
    return tuple(np.concatenate(x) for x in zip(*found, strict=True))


def overlap(one, other):
    """Intersection over union of two masks."""
    return (one & other).sum() / (one | other).sum()


class TestMasks:
    def test_are_those_of_comparing_every_point_with_every_other(self, tracks):
        for track in tracks:
            row, col, hidden, folded = slow_masks(track)
            assert min(hidden.sum(), folded.sum()) >= 200
            assert overlap(track.ground("shadow")[row, col], hidden) > 0.9
            assert overlap(track.ground("layover")[row, col], folded) > 0.9

    def test_are_those_of_walking_every_ray(self, tracks):
        for track in tracks:
            shadow, layover = track.masks
            assert min(shadow.sum(), layover.sum()) >= 500
            assert overlap(track.ground("shadow"), shadow) > 0.9
            assert overlap(track.ground("layover"), layover) > 0.9


@pytest.mark.parametrize("swath", [1, 2, 3])
def test_level_ground_of_one_kind_has_1_8_looks(tmp_path, swath):
    world = made(dataclasses.replace(PLAIN, swath=swath), tmp_path)
    engine = world.engine()
    layers = engine.backscatter(engine.terrain(world.grid, world.passes[0]), world.passes[0])
    for layer in layers.values():
        power = 10 ** (layer.astype(float) / 10)
        assert power.mean() ** 2 / power.var() == pytest.approx(1.8, abs=0.1)


@pytest.fixture(scope="module")
def cut(tmp_path_factory):
    """Passes of two slices of one burst each, which meet in the middle of the tiles."""
    folder = tmp_path_factory.mktemp("cut")
    for name, seam_offset_s in (("first", -1e-9), ("second", 0.0)):
        one = made(dataclasses.replace(HILLS, bursts=1, seam_offset_s=seam_offset_s), folder / name)
        shutil.copytree(folder / name, folder / "both", dirs_exist_ok=True)
    return opened(folder / "both", one.truth)


def test_neither_a_step_nor_a_dark_edge_lies_between_the_slices_of_a_pass(cut):
    engine, found = cut.engine(), []
    assert [len(one.slices) for one in cut.passes] == [2, 2]
    for tile in cut.truth.place.tiles:
        terrain = engine.terrain(tile.grid, cut.passes[0])
        second = terrain.choice_at_pixels[..., 0] == 1
        rows_behind = np.arange(tile.grid.rows)[:, None] - second.argmax(axis=0)
        for k, one in enumerate(cut.passes):
            for pol, layer in engine.backscatter(terrain, one).items():
                assert np.isfinite(layer).all()
                found.append((10 ** ((layer - cut.truth.gamma0_db(tile.grid, k, pol)) / 10), rows_behind))
    ratio, behind = (np.concatenate(x).ravel() for x in zip(*found, strict=True))
    assert 0.2 < (behind < 0).mean() < 0.8
    assert abs(decibel(ratio[behind < 0]) - decibel(ratio[behind >= 0])) < 0.1
    for start in (-10, 0):
        assert abs(decibel(ratio[(behind >= start) & (behind < start + 10)])) < 0.1
