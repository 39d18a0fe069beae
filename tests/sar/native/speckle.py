"""Homogeneous speckle as a burst holds it: the processed spectra of both axes, and the TOPS carrier on it."""

import numpy as np

from sen12ts_pipeline.sar.native import geometry
from sen12ts_pipeline.sar.native.image import _Block
from sen12ts_pipeline.sar.native.kernels import resample
from sen12ts_pipeline.sar.native.lattice import Lattice
from sen12ts_pipeline.sar.native.measurement import Part
from sen12ts_pipeline.sar.native.scene import PlacedBurst


def white(seed, lines, samples):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(lines, samples)) + 1j * rng.normal(size=(lines, samples))) * np.sqrt(0.5)


def band_limited(noise, swath):
    """White noise through the processor's windows; mean power one."""
    gain = 1.0
    for axis, bandwidth, window in (
        (0, swath.azimuth_bandwidth_hz * swath.line_interval_s, swath.azimuth_window),
        (1, swath.range_bandwidth_hz / swath.range_rate_hz, swath.range_window),
    ):
        f = np.fft.fftfreq(noise.shape[axis])
        shape = np.where(np.abs(f) <= bandwidth / 2, window + (1 - window) * np.cos(2 * np.pi * f / bandwidth), 0.0)
        noise = np.fft.ifft(np.fft.fft(noise, axis=axis) * (shape[:, None] if axis == 0 else shape), axis=axis)
        gain *= np.mean(shape**2)
    return noise / np.sqrt(gain)


def in_burst(speckle, placed, top, left):
    """The samples of a burst from a first line and sample: deramped speckle with its carrier put on."""
    block = block_of(placed, top, left, speckle.shape)
    line, sample = np.meshgrid(*(np.arange(n, dtype=float) for n in speckle.shape), indexing="ij")
    return (speckle * np.exp(2j * np.pi * carrier(block, line, sample))).astype(np.complex64)


def carrier(block, line, sample):
    """In cycles, by the formula itself."""
    eta0, dt, x0, dx = block.scale
    x, eta = x0 + sample * dx, eta0 + line * dt
    kt, ref, fdc = (c[0] + c[1] * x + c[2] * x**2 for c in block.carrier)
    return 0.5 * kt * (eta - ref) ** 2 + fdc * (eta - ref)


def sampled(samples, placed, top, left, line, sample, distance=None):
    """Samples of a burst at positions (of the burst), as the engine takes them."""
    block = block_of(placed, top, left, samples.shape)
    out = np.full(line.shape, np.nan, np.complex64)
    distance = np.zeros(line.shape) if distance is None else distance
    where = line - top, sample - left, np.zeros(line.shape, np.uint8), 0
    values = block.sampled(numbers(samples), where)
    terms = block.scale, block.carrier, placed.swath.wavelength_m
    resample.flatten(values, *where[:2], distance, *where[2:], *terms, out)
    return out


def numbers(samples):
    """Complex samples as the numbers of a file of one polarisation, (1, lines, samples, 2)."""
    return samples.view(np.float32).reshape(1, *samples.shape, 2)


def block_of(placed, top, left, shape):
    """Block of a burst by its first line and sample and its shape."""
    return _Block(placed, Part(top, left, *shape))


def flat_lattice(one, grid, height=500.0):
    """Time and range of a grid's lattice on flat ground."""
    lattice = Lattice.of(grid)
    heights = np.full(lattice.shape, height)
    box = geometry.Box.around(grid.epsg, lattice.easting, lattice.northing, heights)
    return geometry.fit(geometry.survey(box), one.orbit).time_range(lattice.easting, lattice.northing, heights)


def block_around(placed: PlacedBurst, line, sample):
    """First line and sample of a block that holds positions with the kernel's taps, and its shape."""
    top, left = int(line.min()) - 5, int(sample.min()) - 5
    return top, left, (int(line.max()) + 7 - top, int(sample.max()) + 7 - left)
