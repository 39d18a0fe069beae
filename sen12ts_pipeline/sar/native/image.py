"""One pass on the lattice of one grid: flattened VV samples, powers of both polarisations, thermal noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.windows import Window

from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.ports import Float32, Terrain, UInt8
from sen12ts_pipeline.sar.native import geometry
from sen12ts_pipeline.sar.native.kernels import resample
from sen12ts_pipeline.sar.native.lattice import Lattice
from sen12ts_pipeline.sar.native.scene import OpenPass, PlacedBurst
from sen12ts_pipeline.sar.native.taps import DOPPLER_MARGIN, least_squares_taps
from sen12ts_pipeline.sentinel1.orbit import fit_powers

Complex64 = npt.NDArray[np.complex64]
Float64 = npt.NDArray[np.float64]

_HALF = resample.TAPS // 2
_CARRIER_POINTS = 9


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """Samples of one pass; all (rows + 10, 2 * cols + 20), NaN without data.

    Attributes
    ----------
    flat : complex64
        The interferogram polarisation with carrier restored and range phase removed, in digital numbers.
    power : dict of float32
        beta nought by polarisation, thermal noise not yet removed.
    noise : dict of float32
        beta nought of the thermal noise.
    """

    flat: Complex64
    power: dict[str, Float32]
    noise: dict[str, Float32]


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """Part of a burst that a grid needs: lines and samples of the slice, and the positions in it."""

    placed: PlacedBurst
    top: int
    left: int
    rows: int
    cols: int

    @property
    def scale(self) -> tuple[float, float, float, float]:
        """First line's time from the burst's middle, line step; scaled range of the first sample, and step."""
        swath = self.placed.swath
        eta0 = (self.top - swath.lines_per_burst / 2) * swath.line_interval_s
        return eta0, swath.line_interval_s, -1.0, 2.0 / (self.cols - 1)

    def carrier(self) -> Float64:
        """Quadratics of k_t, eta_ref and f_dc over the block's samples, (3, 3).

        The same quadratics serve removal and restoration, so their error cancels.
        """
        swath = self.placed.swath
        x = np.linspace(-1.0, 1.0, _CARRIER_POINTS)
        sample = self.left + (x + 1) / 2 * (self.cols - 1)
        tau = swath.range_start_s + sample / swath.range_rate_hz
        return np.ascontiguousarray(fit_powers(np.stack(self.placed.carrier(tau), 1), degree=2).T)

    def read(self, polarisation: str) -> Complex64:
        """Complex samples (rows, cols); BadProduct naming the file when they cannot be read."""
        files, swath = self.placed.files, self.placed.swath
        member, path = files.measurement(swath.subswath, polarisation)
        first = self.placed.burst.index * swath.lines_per_burst + self.top
        try:
            with rasterio.open(path) as source:
                lines = swath.lines_per_burst * len(swath.bursts)
                whole = source.width == swath.samples and source.height >= lines
                if not whole or not source.dtypes[0].startswith("complex"):
                    reason = (
                        f"needs complex numbers in {lines} lines of {swath.samples} samples, as its annotation says; "
                        f"found {source.dtypes[0]} in {source.height} lines of {source.width}"
                    )
                    raise BadProduct(files.slice.product, member, reason)
                window = Window(self.left, first, self.cols, self.rows)
                return np.asarray(source.read(1, window=window), dtype=np.complex64)
        except rasterio.errors.RasterioError as error:
            raise BadProduct(files.slice.product, member, f"cannot be read, truncated or damaged ({error})") from error


def make_image(terrain: Terrain, one: OpenPass, heights: Float64, polarisations: tuple[str, ...], flat: str) -> Image:
    """Sample a pass where the terrain's choice says.

    Parameters
    ----------
    terrain : Terrain
        Grid and burst choice.
    one : OpenPass
        The pass; it must have every burst of the choice.
    heights : float64 (rows + 10, 2 * cols + 20)
        Ellipsoidal heights of the lattice.
    polarisations : tuple of str
        Those whose power is wanted.
    flat : str
        Polarisation of the flattened complex samples; empty for none.

    Raises
    ------
    BadProduct
        When a burst is missing or a file cannot be read.
    """
    lattice = Lattice.of(terrain.grid)
    box = geometry.Box.around(terrain.grid.epsg, lattice.easting, lattice.northing, heights)
    time, distance = geometry.fit(geometry.survey(box), one.orbit).time_range(
        lattice.easting, lattice.northing, heights
    )
    nothing = np.full(lattice.shape, complex(np.nan, np.nan), np.complex64)
    image = Image(nothing, *({p: np.full(lattice.shape, np.nan, np.float32) for p in polarisations} for _ in range(2)))
    for index, burst_id in enumerate(terrain.bursts):
        placed = one.require(burst_id)
        line, sample = placed.line_sample(time, distance)
        block = _block(placed, line, sample, terrain.choice == index)
        if block is None:
            continue
        where = line - block.top, sample - block.left, terrain.choice, index
        taps = _taps(placed)
        for polarisation in sorted({*polarisations, *([flat] if flat else [])}):
            _sample(block, polarisation, flat, where, taps, distance, image)
    return image


def _block(placed: PlacedBurst, line: Float64, sample: Float64, chosen: npt.NDArray[np.bool_]) -> _Block | None:
    """Bounding block of the chosen positions with the taps' margin, within what is valid in the burst."""
    used = chosen & np.isfinite(line)
    if not used.any():
        return None
    burst = placed.burst
    top = max(int(np.floor(line[used].min())) - _HALF, burst.first_line)
    bottom = min(int(np.ceil(line[used].max())) + _HALF, burst.last_line)
    left = max(int(np.floor(sample[used].min())) - _HALF, burst.first_valid)
    right = min(int(np.ceil(sample[used].max())) + _HALF, burst.last_valid)
    if bottom - top < resample.TAPS or right - left < resample.TAPS:
        return None
    return _Block(placed, top, left, bottom - top + 1, right - left + 1)


def _taps(placed: PlacedBurst) -> tuple[Float32, Float32]:
    swath = placed.swath
    return (
        least_squares_taps(swath.azimuth_bandwidth_hz * swath.line_interval_s, swath.azimuth_window, DOPPLER_MARGIN),
        least_squares_taps(swath.range_bandwidth_hz / swath.range_rate_hz, swath.range_window, margin=0.0),
    )


def _sample(
    block: _Block,
    polarisation: str,
    flat: str,
    where: tuple[Float64, Float64, UInt8, int],
    taps: tuple[Float32, Float32],
    distance: Float64,
    image: Image,
) -> None:
    placed = block.placed
    swath, burst = placed.swath, placed.burst
    line, sample, chosen, index = where
    data = block.read(polarisation)
    carrier = block.carrier()
    resample.deramp(data, *block.scale, carrier)
    mine = chosen == index
    if polarisation == flat:
        resample.sample_complex(
            data, line, sample, distance, chosen, index, *taps, block.scale, carrier, swath.wavelength_m, image.flat
        )
    if polarisation not in image.power:
        return
    power, noise = image.power[polarisation], image.noise[polarisation]
    if polarisation == flat:
        amplitude = image.flat[mine]
        power[mine] = amplitude.real**2 + amplitude.imag**2
    else:
        resample.sample_power(data, line, sample, chosen, index, *taps, power)
    samples = block.left + np.arange(block.cols, dtype=float)
    lines = block.top + np.arange(block.rows, dtype=float)
    beta = placed.files.calibration(swath.subswath, polarisation).beta_nought(swath, burst, samples)
    thermal = placed.files.noise(swath.subswath, polarisation)
    over_range = thermal.over_range(burst, samples)
    resample.noise_power(line, sample, chosen, index, thermal.over_azimuth(swath, burst, lines), over_range, noise)
    column = np.clip(np.rint(np.nan_to_num(sample[mine])), 0, block.cols - 1).astype(int)
    scale = (1.0 / beta[column] ** 2).astype(np.float32)
    power[mine] *= scale
    noise[mine] *= scale
