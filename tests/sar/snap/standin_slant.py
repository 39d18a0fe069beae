"""Part of the stand-in gpt: what its operators compute, from the samples of simulated products and their true orbits.

Short and slow, and of no engine's code. Images are in radar geometry, an array for each subswath: (bursts, lines,
samples) as products have them, (lines, samples) once bursts are joined. Heights come from the DEM file that a graph
names, as SNAP reads it, not from the truth.
"""

import copy
import dataclasses
import functools
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import rasterio

from sen12ts_pipeline.domain.lattice import PIXEL_M, Grid, to_geographic, to_map
from sen12ts_pipeline.simulate import geodesy
from sen12ts_pipeline.simulate.noise import noise_of
from sen12ts_pipeline.simulate.sensor import (
    BETA_NOUGHT,
    LINE_INTERVAL_S,
    RANGE_SPACING_M,
    SPEED_OF_LIGHT_M_S,
    WAVELENGTH_M,
)
from sen12ts_pipeline.simulate.truth import Truth
from sen12ts_pipeline.terrain.geoid import load_geoid

COARSE = 3, 9
"""Lines and samples between the nodes at which radar geometry is solved: 40 m on the ground."""
FLOOR = 1e-5
"""Least power that noise removal and calibration leave."""


@dataclass(frozen=True)
class Strip:
    """Geometry of one subswath's image.

    Attributes
    ----------
    date, swath : int
        Pass of the place, from 0; number of the subswath.
    bursts : tuple of int
        Bursts of the product, from 0.
    joined : bool
        Whether bursts are one image.
    looks : tuple of int
        Lines and samples averaged.
    """

    date: int
    swath: int
    bursts: tuple[int, ...]
    joined: bool = False
    looks: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class SeenDem:
    """A DEM file as SNAP reads it: samples sit on their north-western corners; EGM96 is added where it is asked for.

    Where the file has nothing, the sea is.
    """

    file: Path
    nodata: float
    geoid: bool

    @functools.cached_property
    def _content(self):
        with rasterio.open(self.file) as source:
            if source.crs is None or source.crs.to_epsg() != 4326:
                raise ValueError(f"an external DEM must be in EPSG:4326 for Terrain-Flattening; {source.crs}")
            return source.read(1).astype(float), source.transform

    def at(self, lon, lat):
        """Heights, metres above the ellipsoid where `geoid` is true and the file counts from EGM96."""
        values, place = self._content
        col, row = (np.asarray(lon) - place.c) / place.a, (np.asarray(lat) - place.f) / place.e
        inside = (col >= 0) & (row >= 0) & (col < values.shape[1] - 1) & (row < values.shape[0] - 1)
        i, j = (np.clip(np.floor(v).astype(int), 0, n - 2) for v, n in ((row, values.shape[0]), (col, values.shape[1])))
        v, u = row - i, col - j
        corners = values[i, j], values[i, j + 1], values[i + 1, j], values[i + 1, j + 1]
        known = inside & np.all([np.isfinite(c) & (c != self.nodata) for c in corners], axis=0)
        nw, ne, sw, se = corners
        height = np.where(known, (1 - v) * ((1 - u) * nw + u * ne) + v * ((1 - u) * sw + u * se), 0.0)
        if self.geoid:
            height = height + load_geoid("egm96", None).undulation(np.asarray(lon), np.asarray(lat))
        return height


@dataclass(frozen=True)
class SeenRelief:
    """The place's terrain as a DEM shows it, for the functions of `Truth`."""

    dem: SeenDem
    epsg: int

    def at(self, east, north):
        return self.dem.at(*to_geographic(self.epsg).transform(east, north))

    def on_grid(self, east, north):
        return self.at(*np.meshgrid(east, north))


class Scene:
    """A simulated place, and the geometry of its passes."""

    def __init__(self, folder):
        self.folder, self.truth = Path(folder), Truth.load(folder)
        self.place, self.world = self.truth.place, self.truth.world
        self.epsg = self.place.grid.epsg

    def swath(self, strip):
        return next(s for s in self.world.passes[strip.date].swaths if s.design.number == strip.swath)

    def middle(self):
        """Seconds after the node near which every pass sees the place."""
        return self.world.centre_s

    def bursts_of(self, safe, date, number):
        """Bursts of a subswath that a product has, from 0 as in the whole pass; a product may be a part of it."""
        files = sorted(Path(safe).glob(f"annotation/*-iw{number}-slc-*.xml"))
        listed = re.findall(r"<burst>\s*<azimuthTime>([^<]*)<", files[0].read_text()) if files else []
        one = self.world.passes[date]
        swath = next(s for s in one.swaths if s.design.number == number)
        known = [one.utc(burst.start_s).replace(tzinfo=None) for burst in swath.bursts]
        return tuple(known.index(datetime.fromisoformat(text)) for text in listed)

    def samples(self, safe, strip, pol):
        """complex64 (bursts, lines, samples)."""
        (file,) = Path(safe).glob(f"measurement/*-iw{strip.swath}-slc-{pol.lower()}-*.tiff")
        with rasterio.open(file) as source:
            whole = source.read(1).astype(np.complex64)
        lines, there = self.swath(strip).design.lines, self.bursts_of(safe, strip.date, strip.swath)
        return whole.reshape(-1, lines, whole.shape[1])[[there.index(burst) for burst in strip.bursts]]

    def noise(self, strip, pol):
        """Noise power of every sample, float32 (bursts, lines, samples)."""
        swath = self.swath(strip)
        vectors = noise_of(swath, self.place.noise_scale)[pol.lower()]
        sample, lines = np.arange(swath.samples), swath.design.lines
        parts = [
            np.outer(vectors.by_line(k * lines + np.arange(lines)), vectors.by_sample(swath.bursts[k].start_s, sample))
            for k in strip.bursts
        ]
        return np.stack(parts).astype(np.float32)

    def joined(self, strip, image):
        """(lines, samples) of (bursts, lines, samples): bursts are cut in the middle of their overlap."""
        starts = self._start_lines(strip)
        lines, count = self.swath(strip).design.lines, len(strip.bursts)
        out = np.zeros((starts[-1] + lines, image.shape[2]), image.dtype)
        for k, start in enumerate(starts):
            first = start if k == 0 else (start + starts[k - 1] + lines) // 2
            last = start + lines if k == count - 1 else (starts[k + 1] + start + lines) // 2
            out[first:last] = image[k, first - start : last - start]
        return out

    def _start_lines(self, strip):
        bursts = [self.swath(strip).bursts[k] for k in strip.bursts]
        return [round((b.start_s - bursts[0].start_s) / LINE_INTERVAL_S) for b in bursts]

    def pixels(self, strip, time_s, range_m, burst=0):
        """Fractional line and sample of annotated times and ranges."""
        swath, (down, across) = self.swath(strip), strip.looks
        start = swath.bursts[strip.bursts[burst]].start_s
        line = (time_s - start) / LINE_INTERVAL_S
        sample = (range_m - swath.slant_range_time_s * SPEED_OF_LIGHT_M_S / 2) / RANGE_SPACING_M
        return (line - (down - 1) / 2) / down, (sample - (across - 1) / 2) / across

    def place_of(self, strip, line, sample, burst=0):
        """Annotated times and ranges of fractional lines and samples."""
        swath, (down, across) = self.swath(strip), strip.looks
        time = swath.bursts[strip.bursts[burst]].start_s + (line * down + (down - 1) / 2) * LINE_INTERVAL_S
        near = swath.slant_range_time_s * SPEED_OF_LIGHT_M_S / 2
        return time, near + (sample * across + (across - 1) / 2) * RANGE_SPACING_M

    def seen(self, date, east, north, height):
        """Zero-Doppler time and range. SNAP takes it for the annotated one, without the bistatic residual."""
        points = geodesy.map_points(self.epsg, east, north, height)
        return self.world.passes[date].orbit.observe(points, self.middle())

    def located(self, date, time_s, range_m, dem):
        """Easting and northing of the ground at times and ranges, by Newton over the DEM."""
        relief, step = SeenRelief(dem, self.epsg), 20.0
        east, north = (np.full(time_s.shape, v) for v in self.place.grid.centre)
        for k in range(8):
            # Over flat ground first: far from the solution the slope of the terrain says nothing.
            height = relief.at if k > 1 else (lambda e, _: np.full(e.shape, self.place.base_height_m))
            t, r = self.seen(date, east, north, height(east, north))
            te, re = self.seen(date, east + step, north, height(east + step, north))
            tn, rn = self.seen(date, east, north + step, height(east, north + step))
            te, re, tn, rn = te - t, re - r, tn - t, rn - r
            det, dt, dr = te * rn - tn * re, time_s - t, range_m - r
            reach = 1e5 if k < 2 else 300.0
            east = east + np.clip(step * (dt * rn - dr * tn) / det, -reach, reach)
            north = north + np.clip(step * (dr * te - dt * re) / det, -reach, reach)
        return east, north

    def ground(self, strip, window, dem, burst=0):
        """Rows and columns of coarse nodes over a window of an image, and their easting and northing."""
        top, bottom, left, right = window
        rows, cols = (
            np.unique(np.append(np.arange(a, b, max(1, c // k)), b))
            for (a, b), c, k in zip(((top, bottom), (left, right)), COARSE, strip.looks, strict=True)
        )
        line, sample = np.meshgrid(rows.astype(float), cols.astype(float), indexing="ij")
        return rows, cols, self.located(strip.date, *self.place_of(strip, line, sample, burst), dem)

    def by_dem(self, dem):
        """The truth with the DEM for its terrain."""
        twin = copy.copy(self.truth)
        twin.world = dataclasses.replace(self.world, relief=SeenRelief(dem, self.epsg))
        return twin

    def on_image(self, layer, strip, image, dem):
        """A layer of the ground, a function of the truth with the DEM's terrain and a grid, on a joined image."""
        window = window_of(image)
        rows, cols, (east, north) = self.ground(strip, window, dem)
        step = 2 * PIXEL_M
        grid = grid_around(self.epsg, east, north, step)
        values = layer(self.by_dem(dem), grid)
        nodes = sampled(values, (grid.north - north) / step - 0.5, (east - grid.west) / step - 0.5)
        whole = np.zeros(image.shape, np.float32)
        put(whole, window, refined(nodes, rows, cols))
        return whole

    def coregistered(self, safe, strip, other, pol, dem):
        """A secondary's samples on the reference's bursts, complex64 (bursts, lines, samples).

        Samples are taken where the ground of the reference's is seen, of the burst of the same number, its TOPS carrier
        off before and on after.
        """
        reference = self.samples(*safe[:1], strip, pol)
        given = self.samples(safe[1], other, pol)
        out = np.zeros(reference.shape, np.complex64)
        for k, partner in enumerate(self.partners(strip, other)):
            if partner is None or not reference[k].any():
                continue
            window = window_of(reference[k])
            rows, cols, (east, north) = self.ground(strip, window, dem, k)
            height = SeenRelief(dem, self.epsg).at(east, north)
            time, distance = (refined(v, rows, cols) for v in self.seen(other.date, east, north, height))
            line, sample = self.pixels(other, time, distance, partner)
            part = self._uncarried(other, given[partner], partner)
            values = taken(part, line, sample) * np.exp(2j * np.pi * self._carrier(other, time, distance, partner))
            put(out[k], window, values.astype(np.complex64))
        return out

    def partners(self, strip, other):
        """Of every burst of the reference the secondary's of the same number, or None."""
        numbers = [self.swath(other).bursts[k].number for k in other.bursts]
        own = [self.swath(strip).bursts[k].number for k in strip.bursts]
        return [numbers.index(n) if n in numbers else None for n in own]

    def model(self, strip, other, image, dem, burst):
        """Phase of flat earth and terrain, reference less secondary, radians; on one burst."""
        window = window_of(image)
        rows, cols, (east, north) = self.ground(strip, window, dem, burst)
        height = SeenRelief(dem, self.epsg).at(east, north)
        first, second = (self.seen(date, east, north, height)[1] for date in (strip.date, other))
        whole = np.zeros(image.shape)
        put(whole, window, refined(-4 * np.pi / WAVELENGTH_M * (first - second), rows, cols))
        return whole

    def _carrier(self, strip, time_s, range_m, burst):
        """Cycles of the TOPS carrier; Miranda 2017, as the simulated annotation has it."""
        acquisition, swath = self.world.passes[strip.date], self.swath(strip)
        one = swath.bursts[strip.bursts[burst]]
        steer, reference, t0, *rest = swath.carrier(one, acquisition.orbit)
        tau = 2 * range_m / SPEED_OF_LIGHT_M_S
        rate = np.polynomial.polynomial.polyval(tau - t0, rest[:3])
        centroid = np.polynomial.polynomial.polyval(tau - rest[3], rest[4:])
        eta = time_s - swath.middle_s(one) + centroid / rate + reference
        return 0.5 * rate * steer / (rate - steer) * eta**2 + centroid * eta

    def _uncarried(self, strip, image, burst):
        line, sample = (np.arange(n, dtype=float) for n in image.shape)
        time, distance = self.place_of(strip, line[:, None], sample[None, :], burst)
        return image * np.exp(-2j * np.pi * self._carrier(strip, time, distance, burst)).astype(np.complex64)

    def ellipsoid_incidence(self, strip, samples):
        """Incidence on a sphere by the law of cosines, radians (samples,)."""
        _, distance = self.place_of(strip, np.zeros(samples), np.arange(samples, dtype=float))
        sensor = np.linalg.norm(self.world.passes[strip.date].orbit.states(self.middle())[0][0])
        ground = geodesy.EARTH_RADIUS_M
        return np.pi - np.arccos((distance**2 + ground**2 - sensor**2) / (2 * distance * ground))


def beta_nought(power):
    """Calibrated power; nothing is lifted here."""
    return power / np.float32(BETA_NOUGHT**2)


def multilooked(image, looks):
    """Means of blocks of lines and samples."""
    down, across = looks
    lines, samples = image.shape[0] // down, image.shape[1] // across
    return image[: lines * down, : samples * across].reshape(lines, down, samples, across).mean(axis=(1, 3))


def window_of(image):
    """First and last line and sample that hold something."""
    rows, cols = (np.flatnonzero((image != 0).any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        raise ValueError("no valid output was produced: the image holds nothing")
    return rows[0], rows[-1], cols[0], cols[-1]


def put(image, window, values):
    top, bottom, left, right = window
    image[top : bottom + 1, left : right + 1] = values


def refined(nodes, rows, cols):
    """Values at every line and sample between coarse nodes, bilinear."""
    every = np.arange(rows[0], rows[-1] + 1), np.arange(cols[0], cols[-1] + 1)
    wide = np.stack([np.interp(every[1], cols, row) for row in nodes])
    i = np.clip(np.searchsorted(rows, every[0], side="right") - 1, 0, len(rows) - 2)
    share = ((every[0] - rows[i]) / (rows[i + 1] - rows[i]))[:, None]
    return wide[i] * (1 - share) + wide[i + 1] * share


def sampled(image, line, sample):
    """Bilinear values at fractional lines and samples; 0 outside."""
    rows, cols = image.shape
    inside = (line >= 0) & (sample >= 0) & (line < rows - 1) & (sample < cols - 1)
    i, j = np.where(inside, np.floor(line), 0).astype(int), np.where(inside, np.floor(sample), 0).astype(int)
    v, u = np.where(inside, line - i, 0), np.where(inside, sample - j, 0)
    value = (1 - v) * ((1 - u) * image[i, j] + u * image[i, j + 1])
    return np.where(inside, value + v * ((1 - u) * image[i + 1, j] + u * image[i + 1, j + 1]), 0)


def taken(image, line, sample, reach=4):
    """Values of a band-limited image at fractional lines and samples: a sinc under a raised cosine, 8 x 8 taps."""
    rows, cols = image.shape
    i, j = np.floor(line).astype(int), np.floor(sample).astype(int)
    taps = range(1 - reach, reach + 1)
    down, across = (
        [np.sinc(f - t) * np.cos(np.pi * (f - t) / (2 * reach + 1)) ** 2 for t in taps] for f in (line - i, sample - j)
    )
    out = np.zeros(line.shape, np.complex64)
    for a, wa in zip(taps, down, strict=True):
        row = np.clip(i + a, 0, rows - 1)
        for b, wb in zip(taps, across, strict=True):
            out += (wa * wb).astype(np.float32) * image[row, np.clip(j + b, 0, cols - 1)]
    return out / (sum(down) * sum(across)).astype(np.float32)


def boxcar(image, lines, samples):
    """Moving mean."""
    for axis, n in ((0, lines), (1, samples)):
        padded = np.concatenate([np.zeros_like(image.take([0], axis)), np.cumsum(image, axis=axis)], axis=axis)
        low = np.clip(np.arange(image.shape[axis]) - n // 2, 0, image.shape[axis])
        high = np.clip(low + n, 0, image.shape[axis])
        image = (padded.take(high, axis) - padded.take(low, axis)) / n
    return image


def grid_around(epsg, east, north, spacing_m, margin_m=60.0):
    """Grid on multiples of a spacing that holds points with a margin."""
    (west, right), (bottom, top) = ((x.min() - margin_m, x.max() + margin_m) for x in (east, north))
    west, top = spacing_m * np.floor(west / spacing_m), spacing_m * np.ceil(top / spacing_m)
    rows, cols = int(np.ceil((top - bottom) / spacing_m)), int(np.ceil((right - west) / spacing_m))
    return Grid(epsg, float(west), float(top), rows, cols, spacing_m)


def region_bounds(epsg, wkt):
    """West, south, east, north in map metres of a polygon in degrees."""
    import shapely

    east, north = to_map(epsg).transform(*shapely.get_coordinates(shapely.from_wkt(wkt)).T)
    return east.min(), north.min(), east.max(), north.max()
