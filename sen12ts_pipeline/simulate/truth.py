"""What a correct product of a simulated archive says: every layer as a function of the map.

Values hold at the centres of a grid's pixels. Nothing is estimated from samples.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.domain.lattice import Grid
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.simulate import geodesy, kernels
from sen12ts_pipeline.simulate.focusing import hamming_band
from sen12ts_pipeline.simulate.geodesy import Array
from sen12ts_pipeline.simulate.noise import noise_of
from sen12ts_pipeline.simulate.optical import Granule, Int16
from sen12ts_pipeline.simulate.place import Place
from sen12ts_pipeline.simulate.radar import World
from sen12ts_pipeline.simulate.rasters import label_truth
from sen12ts_pipeline.simulate.sensor import (
    BETA_NOUGHT,
    LINE_INTERVAL_S,
    RANGE_SPACING_M,
    SPEED_OF_LIGHT_M_S,
    WAVELENGTH_M,
)
from sen12ts_pipeline.simulate.sight import Bool, Sight

GENERATION = 1
"""Counts changes of the simulation that change bytes."""
TRUTH_FILE = "truth.json"
_STEP_M = 2.0


class Truth:
    """Truth of one place.

    Dates count from the oldest, 0; pair k is made of the dates k and k + 1. Layers are float64 (rows, cols) unless said
    otherwise.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.world = World.of(place)

    @classmethod
    def load(cls, out: Path) -> Truth:
        """Truth of the archive in a folder."""
        path = out / TRUTH_FILE
        if not path.exists():
            raise ConfigurationError(str(path), "place", "must be a finished simulation", "nothing there")
        return cls(Place.from_json(json.loads(path.read_text())["place"]))

    def gamma0_db(self, grid: Grid, date_index: int, pol: str) -> Array:
        """Terrain-flattened gamma nought in decibels; `pol` is ``vv`` or ``vh``."""
        level = self.world.cover.gamma0_db(date_index, pol.lower())
        return np.asarray(level[self._fields(grid)])

    def temporal_coherence(self, grid: Grid, pair_index: int) -> Array:
        """Correlation of the reflectivity of a pair, 0 to 1."""
        return np.asarray(self.world.cover.coherence[pair_index].ravel()[self._fields(grid)])

    def coherence(self, grid: Grid, pair_index: int, pol: str = "vv") -> Array:
        """Expected coherence of a pair after removal of the topographic phase, 0 to 1.

        Temporal correlation, times the loss by thermal noise ``1 / sqrt((1 + 1/snr1) (1 + 1/snr2))``, times what the
        spectra of both dates have in common in range and azimuth.
        """
        first, second = self.snr(grid, pair_index, pol), self.snr(grid, pair_index + 1, pol)
        thermal = 1 / np.sqrt((1 + 1 / first) * (1 + 1 / second))
        return self.temporal_coherence(grid, pair_index) * thermal * self.spectral_coherence(grid, pair_index)

    def spectral_coherence(self, grid: Grid, pair_index: int) -> Array:
        """Loss by different viewing angles, burst starts and Doppler centroids of a pair, 0 to 1.

        The phase difference of two points of the ground varies with range and time like a frequency; the spectra are
        shifted by it against each other. Gatelli et al. 1994, doi 10.1109/36.298013, for both axes.
        """
        first, second = self.world.passes[pair_index : pair_index + 2]
        east, north = _axes(grid)
        t1, r1 = self._seen(pair_index, grid)
        difference = functools.partial(self._range_difference, pair_index)
        by_east = (difference(east + _STEP_M, north) - difference(east - _STEP_M, north)) / (2 * _STEP_M)
        by_north = (difference(east, north + _STEP_M) - difference(east, north - _STEP_M)) / (2 * _STEP_M)
        te, tn, re, rn = self._jacobian(pair_index, grid)
        determinant = te * rn - tn * re
        by_time = (by_east * rn - by_north * re) / determinant
        by_range = (by_north * te - by_east * tn) / determinant
        design = first.imaged.design
        shift_r = 2 / WAVELENGTH_M * by_range * SPEED_OF_LIGHT_M_S / 2
        t2, r2 = self._seen(pair_index + 1, grid)
        serving = self._serving(pair_index, t1)
        centroid = self._doppler_hz(pair_index + 1, t2, r2, serving) - self._doppler_hz(pair_index, t1, r1, serving)
        shift_a = centroid + 2 / WAVELENGTH_M * by_time
        common_r = _overlap(shift_r, design.range_bandwidth_hz, design.range_window)
        return common_r * _overlap(shift_a, second.imaged.design.azimuth_bandwidth_hz, design.azimuth_window)

    def phase(self, grid: Grid, pair_index: int) -> Array:
        """Wrapped phase of later * conj(earlier), radians: a range increase is negative."""
        east, north = _axes(grid)
        later = self.world.screens.delay_m(pair_index + 1, east[None, :], north[:, None])
        earlier = self.world.screens.delay_m(pair_index, east[None, :], north[:, None])
        return np.asarray(np.angle(np.exp(-4j * np.pi / WAVELENGTH_M * (later - earlier))))

    def incidence(self, grid: Grid, date_index: int = 0) -> Array:
        """Angle between the surface normal and the direction to the sensor, degrees, 0 to 180."""
        time, distance = self._seen(date_index, grid)
        normal, _ = self._area(grid)
        cosine = np.sum(normal * self._towards(date_index, grid, time, distance), axis=-1)
        return np.asarray(np.degrees(np.arccos(cosine / np.linalg.norm(normal, axis=-1))))

    def slope(self, grid: Grid) -> Array:
        """Slope of the terrain on the map, degrees."""
        return np.degrees(np.arctan(np.hypot(*self.world.relief.gradient(*_axes(grid)))))

    def height(self, grid: Grid) -> Array:
        """Height above the ellipsoid, metres."""
        return self.world.relief.on_grid(*_axes(grid))

    def shadow_layover(self, grid: Grid) -> tuple[Bool, Bool]:
        """Where terrain hides the ground, or another point shares its range; bool (rows, cols) each, no margin."""
        half = self.place.extent_m + self.place.margin_m + 500.0
        sight = Sight.of(self.world.relief, self.world.passes[0].orbit, self.world.centre_s, half)
        east, north = _axes(grid)
        shadow = sight.shadow(self.world.relief, east, north, node_m=5.0) | (self.incidence(grid) >= 90.0)
        return shadow, sight.layover(self.world.relief, east, north)

    def factor(self, grid: Grid, date_index: int = 0) -> Array:
        """Area of a sample over the projected area of the ground that falls into it: gamma nought over beta nought.

        Only of the point itself: where other ground shares its range the true factor is smaller.
        """
        time, distance = self._seen(date_index, grid)
        area, _ = self._area(grid)
        seen = np.sum(area * self._towards(date_index, grid, time, distance), axis=-1)
        te, tn, re, rn = self._jacobian(date_index, grid)
        speed = self.world.passes[date_index].ground_speed_m_s
        return np.asarray(speed * np.abs(te * rn - tn * re) / np.maximum(seen, 1e-9))

    def snr(self, grid: Grid, date_index: int, pol: str) -> Array:
        """Power of the ground over thermal noise, in the burst that lies best for each pixel."""
        acquisition = self.world.passes[date_index]
        swath = acquisition.imaged
        time, distance = self._seen(date_index, grid)
        noise = noise_of(swath, self.place.noise_scale)[pol.lower()]
        sample = (distance - swath.slant_range_time_s * SPEED_OF_LIGHT_M_S / 2) / RANGE_SPACING_M
        power = np.empty(grid.shape)
        serving = self._serving(date_index, time)
        for k in np.unique(serving):
            chosen, burst = serving == k, swath.bursts[k]
            line = (time[chosen] - burst.start_s) / LINE_INTERVAL_S + k * swath.design.lines
            power[chosen] = noise.by_line(line) * noise.by_sample(burst.start_s, sample[chosen])
        beta0 = 10 ** (self.gamma0_db(grid, date_index, pol) / 10) / self.factor(grid, date_index)
        return np.asarray(beta0 * BETA_NOUGHT**2 / power)

    def optical(self, index: int, grid: Grid) -> Int16:
        """The 14 optical layers of a granule, int16 (14, rows, cols)."""
        return Granule.of(self.place, self.world.cover, index).stack(grid)

    def label(self, grid: Grid) -> npt.NDArray[np.int16]:
        """Land-cover codes, int16 (rows, cols)."""
        return label_truth(self.place, self.world.cover, grid)

    def perpendicular_baseline_m(self, pair_index: int) -> float:
        """Distance between the orbits of a pair, normal to the line of sight at the place's centre."""
        first, second = self.world.passes[pair_index : pair_index + 2]
        east, north = self.place.grid.centre
        point = geodesy.map_points(self.place.grid.epsg, east, north, self.world.relief.base_m)
        time, distance = first.orbit.observe(point, self.world.centre_s)
        here, velocity = (v[0] for v in first.orbit.states(time))
        there = second.orbit.states(second.orbit.observe(point, self.world.centre_s)[0])[0][0]
        look = (point - here) / distance
        across = np.cross(look, velocity)
        return float((there - here) @ across / np.linalg.norm(across))

    def _fields(self, grid: Grid) -> npt.NDArray[np.intp]:
        east, north = _axes(grid)
        return self.world.cover.fields(east[None, :], north[:, None])

    def _points(self, east: Array, north: Array) -> Array:
        height = self.world.relief.on_grid(east, north)
        return geodesy.map_points(self.place.grid.epsg, *np.meshgrid(east, north), height)

    def _observe(self, date_index: int, east: Array, north: Array) -> tuple[Array, Array]:
        """True zero-Doppler time and range of a regular grid."""
        return self.world.passes[date_index].orbit.observe(self._points(east, north), self.world.centre_s)

    def _seen(self, date_index: int, grid: Grid) -> tuple[Array, Array]:
        """Annotated azimuth time and range of pixel centres."""
        time, distance = self._observe(date_index, *_axes(grid))
        acquisition = self.world.passes[date_index]
        if self.place.bistatic:
            time = time - acquisition.bistatic_s(acquisition.imaged.design, 2 * distance / SPEED_OF_LIGHT_M_S)
        return time, distance

    def _range_difference(self, pair_index: int, east: Array, north: Array) -> Array:
        points = self._points(east, north)
        first, second = self.world.passes[pair_index : pair_index + 2]
        start = self.world.centre_s
        return second.orbit.observe(points, start)[1] - first.orbit.observe(points, start)[1]

    def _jacobian(self, date_index: int, grid: Grid) -> tuple[Array, Array, Array, Array]:
        """Change of time and of range per metre of easting and of northing along the surface: te, tn, re, rn."""
        east, north = _axes(grid)
        sides = [
            self._observe(date_index, east + dx, north + dy)
            for dx, dy in ((_STEP_M, 0.0), (-_STEP_M, 0.0), (0.0, _STEP_M), (0.0, -_STEP_M))
        ]
        span = 2 * _STEP_M
        te, re = ((a - b) / span for a, b in zip(sides[0], sides[1], strict=True))
        tn, rn = ((a - b) / span for a, b in zip(sides[2], sides[3], strict=True))
        return te, tn, re, rn

    def _area(self, grid: Grid) -> tuple[Array, Array]:
        """Area vector of a square metre of the map, out of the ground, (rows, cols, 3), and the points themselves."""
        east, north = _axes(grid)
        along_east = self._points(east + _STEP_M, north) - self._points(east - _STEP_M, north)
        along_north = self._points(east, north + _STEP_M) - self._points(east, north - _STEP_M)
        return np.cross(along_east, along_north) / (2 * _STEP_M) ** 2, self._points(east, north)

    def _towards(self, date_index: int, grid: Grid, time: Array, distance: Array) -> Array:
        """Unit vectors to the sensor (rows, cols, 3)."""
        acquisition = self.world.passes[date_index]
        if self.place.bistatic:
            time = time + acquisition.bistatic_s(acquisition.imaged.design, 2 * distance / SPEED_OF_LIGHT_M_S)
        sensor = acquisition.orbit.states(time.ravel())[0].reshape(*time.shape, 3)
        return np.asarray((sensor - self._points(*_axes(grid))) / distance[..., None])

    def _serving(self, date_index: int, time: Array) -> npt.NDArray[np.intp]:
        """Index of the burst whose middle lies nearest to annotated times."""
        swath = self.world.passes[date_index].imaged
        off = np.stack([np.abs(time - swath.middle_s(burst)) for burst in swath.bursts])
        return np.asarray(np.argmin(off, axis=0))

    def _doppler_hz(self, date_index: int, time: Array, distance: Array, serving: npt.NDArray[np.intp]) -> Array:
        """Doppler centroid of the image at pixels, from the derivative of its carrier."""
        acquisition = self.world.passes[date_index]
        swath = acquisition.imaged
        out = np.empty(time.shape)
        for k in np.unique(serving):
            chosen, burst = serving == k, swath.bursts[k]
            eta = time[chosen] - swath.middle_s(burst)
            tau = 2 * distance[chosen] / SPEED_OF_LIGHT_M_S
            out[chosen] = kernels.carrier_frequency(eta, tau, swath.carrier(burst, acquisition.orbit))
        return out


def marker_text(place: Place) -> str:
    """Content of the file that marks a finished archive."""
    return json.dumps({"generation": GENERATION, "place": place.as_json()}, indent=2) + "\n"


def _axes(grid: Grid) -> tuple[Array, Array]:
    """Eastings (cols,) and northings (rows,) of pixel centres."""
    step = grid.spacing_m
    return grid.west + (np.arange(grid.cols) + 0.5) * step, grid.north - (np.arange(grid.rows) + 0.5) * step


def _overlap(shift: Array, bandwidth: float, coefficient: float) -> Array:
    """Correlation of two windowed spectra shifted against each other, by shift in the bandwidth's unit."""
    x = np.linspace(-bandwidth, bandwidth, 4001)
    still = hamming_band(x, bandwidth, coefficient)
    shifts = np.linspace(0, 0.6 * bandwidth, 121)
    common = np.array([np.sum(still * hamming_band(x - s, bandwidth, coefficient)) for s in shifts]) / np.sum(still**2)
    return np.interp(np.abs(shift), shifts, common)
