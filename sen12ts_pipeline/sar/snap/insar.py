"""Interferometry: graphs from two passes to interferogram and powers on the map, then the kernel over these.

SNAP's interferogram is earlier times conjugate of later; the contract's is its conjugate, so its imaginary part changes
sign before anything else. SNAP estimates coherence over boxes, which is not what is wanted: interferogram and powers
are geocoded and weighed here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.domain.lattice import PIXEL_M
from sen12ts_pipeline.ports import Bool, Float32
from sen12ts_pipeline.sar.native.interferogram import CELL_M, KERNEL_WAVELENGTH_M
from sen12ts_pipeline.sar.native.kernels import gauss
from sen12ts_pipeline.sar.native.lattice import HALO_ROWS
from sen12ts_pipeline.sar.snap import names
from sen12ts_pipeline.sar.snap.chain import (
    AZIMUTH_LOOKS,
    RANGE_LOOKS,
    Site,
    crop,
    dem_parameters,
    geocode,
    merged,
    multilook,
    read_product,
    split_pass,
    written,
)
from sen12ts_pipeline.sar.snap.graph import Graph
from sen12ts_pipeline.sar.snap.operators import Chain, Release
from sen12ts_pipeline.sar.snap.plan import PassPlan, SwathPlan

Float64 = npt.NDArray[np.float64]

HALO = HALO_ROWS
"""Pixels of 10 m beyond a grid that the kernel reaches."""

RANGE_SPACING_M, AZIMUTH_SPACING_M = 2.329562, 13.95
"""Of samples, in slant range and on the ground."""
INCIDENCE_DEG = (29.0, 46.5)
"""Of the interferometric wide swath, on flat ground."""

_TRIFLE = 1e-12

POLARISATION = ("VV",)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two passes over the same bursts of the same subswaths, the earlier one first."""

    earlier: PassPlan
    later: PassPlan

    def __post_init__(self) -> None:
        first, second = ([(s.subswath, s.bursts) for s in plan.swaths] for plan in (self.earlier, self.later))
        if first != second:
            raise ValueError(f"passes of a pair must have the same bursts; got {first} and {second}")

    @property
    def swaths(self) -> tuple[tuple[SwathPlan, SwathPlan], ...]:
        """Subswaths of both passes side by side."""
        return tuple(zip(self.earlier.swaths, self.later.swaths, strict=True))

    def days(self, index: int = 0) -> tuple[str, str]:
        """Dates that SNAP gives a subswath of both passes."""
        first, second = self.swaths[index]
        return names.day_of(first.first_line), names.day_of(second.first_line)


def stack_graph(pair: Pair, index: int, dem: Path, to: Path, release: Release, *, esd: bool = False) -> Graph:
    """Graph that puts the later pass's bursts of one subswath onto the earlier one's, by orbit and elevation model.

    Parameters
    ----------
    pair : Pair
        The passes.
    index : int
        Which of the subswaths.
    dem : Path
        The elevation model, prepared by `dem`.
    to : Path
        The ``.dim`` file to write.
    release : Release
        Whose parameters are given.
    esd : bool
        Whether misregistration is estimated in burst overlaps; a single burst has none, so it is left out there.
    """
    chain = Chain(release)
    first, second = pair.swaths[index]
    split = [
        *split_pass(chain, pair.earlier, [first], POLARISATION, "_earlier"),
        *split_pass(chain, pair.later, [second], POLARISATION, "_later"),
    ]
    last = chain.add(
        "stack",
        "Back-Geocoding",
        split,
        **dem_parameters("Back-Geocoding", dem),
        demResamplingMethod="BICUBIC_INTERPOLATION",
        resamplingType="BISINC_5_POINT_INTERPOLATION",
        maskOutAreaWithoutElevation=False,
        outputRangeAzimuthOffset=False,
        outputDerampDemodPhase=False,
        disableReramp=False,
    )
    if esd and first.bursts > 1:
        last = chain.add("esd", "Enhanced-Spectral-Diversity", [last])
    found = names.stacked(first.subswath, pair.days(index), release)
    return written(chain, f"stack_{first.subswath.lower()}", last, to, [re.escape(band) for band in found])


def interferogram_graph(pair: Pair, stacks: Sequence[Path], site: Site, to: Path, release: Release) -> Graph:
    """Graph from the stacks of all subswaths to the interferogram's real and imaginary part on the map.

    Flat ground's and terrain's phase are taken off before anything is averaged.
    """
    chain = Chain(release)
    debursted = []
    for (swath, _), path in zip(pair.swaths, stacks, strict=True):
        of = f"_{swath.subswath.lower()}"
        product = chain.add(
            f"interferogram{of}",
            "Interferogram",
            [read_product(chain, f"read{of}", path, "BEAM-DIMAP")],
            subtractFlatEarthPhase=True,
            srpPolynomialDegree=5,
            srpNumberPoints=501,
            orbitDegree=3,
            includeCoherence=False,
            squarePixel=False,
            subtractTopographicPhase=True,
            **dem_parameters("Interferogram", site.dem),
            tileExtensionPercent="100",
        )
        debursted.append(chain.add(f"deburst{of}", "TOPSAR-Deburst", [product], selectedPolarisations=POLARISATION))
    found = names.interferogram(_token(pair), pair.days())
    last = multilook(chain, merged(chain, debursted, POLARISATION), found)
    last = geocode(chain, crop(chain, last, site.region), found, site, elevation=False, complex_=True)
    return written(chain, "interferogram", last, to, [re.escape(band) for band in found])


def power_graph(pair: Pair, stacks: Sequence[Path], site: Site, to: Path, release: Release) -> Graph:
    """Graph from the stacks of all subswaths to the powers of both dates on the map, averaged as the interferogram is.

    They come from the resampled stack: powers of another chain would not be those of the interferogram's samples.
    """
    chain = Chain(release)
    debursted = []
    for (swath, _), path in zip(pair.swaths, stacks, strict=True):
        of = f"_{swath.subswath.lower()}"
        read = read_product(chain, f"read{of}", path, "BEAM-DIMAP")
        debursted.append(chain.add(f"deburst{of}", "TOPSAR-Deburst", [read], selectedPolarisations=POLARISATION))
    image = merged(chain, debursted, POLARISATION)
    last = multilook(chain, image, names.stacked(_token(pair), pair.days(), release), intensity=True)
    found = names.intensities(_token(pair), pair.days(), release)
    last = geocode(chain, crop(chain, last, site.region), found, site, elevation=False, complex_=False)
    return written(chain, "power", last, to, [re.escape(band) for band in found])


def _token(pair: Pair) -> str:
    """The subswath in names of bands: none once several are merged."""
    return pair.swaths[0][0].subswath if len(pair.swaths) == 1 else ""


def kernel_sigma_m(incidence_deg: float) -> float:
    """Width of the Gaussian with which the whole chain has half its gain at 80 m, 13.5 to 14.0 m.

    Three looks of width w together take ``sinc(w / 80 m)`` of a wave's amplitude in range, and bilinear interpolation
    between points w apart takes ``sinc(w / 80 m)**2`` in range and, with azimuth's w, in azimuth. What is left to the
    Gaussian is the mean of both axes; each of them keeps within 0.02 of one half.
    """
    low, high = INCIDENCE_DEG
    incidence = math.radians(min(max(incidence_deg, low), high))
    across, along = RANGE_LOOKS * RANGE_SPACING_M / math.sin(incidence), AZIMUTH_LOOKS * AZIMUTH_SPACING_M
    left = np.sinc(across / KERNEL_WAVELENGTH_M) ** 1.5 * np.sinc(along / KERNEL_WAVELENGTH_M)
    return KERNEL_WAVELENGTH_M / math.pi * math.sqrt(math.log(2 * left) / 2)


def kernel_taps(sigma_m: float) -> Float64:
    """Weights (12,) at +- 5 m, +- 15 m, ... +- 55 m from a cell's centre, 4 sigma; their sum is 1, and a trifle more.

    Gaps often end at a cell's centre, and half of the weight is to be enough there, however sums are rounded.
    """
    offset = (np.arange(-HALO - 1, HALO + 1) + 0.5) * PIXEL_M
    weight = np.exp(-(offset**2) / (2 * sigma_m**2))
    return np.asarray(weight / weight.sum() * (1 + _TRIFLE))


def estimate(
    snap: tuple[Float32, Float32], powers: tuple[Float32, Float32], known: Bool, sigma_m: float
) -> tuple[Float32, Float32]:
    """Coherence and phase of ``later * conj(earlier)``.

    Parameters
    ----------
    snap : two of float32 (rows + 10, cols + 10)
        Real and imaginary part of SNAP's interferogram, ``earlier * conj(later)``, on the grid and its halo.
    powers : two of float32, same shape
        Of the earlier and the later date; 0 or NaN without data.
    known : bool, same shape
        Where terrain and burst are known. A pixel without data in any of the four counts in no sum.
    sigma_m : float
        Width of the kernel, metres.

    Returns
    -------
    coherence, phase : float32 (rows / 2, cols / 2)
        0 to 1 and -pi to pi; NaN where less than half of the kernel's weight is valid.
    """
    earlier, later = powers
    with np.errstate(invalid="ignore"):
        given = known & (earlier > 0) & (later > 0) & np.isfinite(snap[0] + snap[1])
    nothing = np.complex64(complex(np.nan, np.nan))
    crossed = np.where(given, snap[0] - 1j * snap[1], nothing).astype(np.complex64)
    first, second = (np.where(given, np.sqrt(np.where(given, p, 0.0)), nothing).astype(np.complex64) for p in powers)
    taps, stride = kernel_taps(sigma_m), int(CELL_M / PIXEL_M)
    rows, cols = (n // stride - HALO for n in crossed.shape)
    # The kernel takes two images; one times the interferogram is the interferogram, and roots have their powers.
    sums, weighed = (np.empty((5, crossed.shape[0], cols)) for _ in range(2))
    gauss.cross(np.ones_like(crossed), crossed, taps, stride, sums)
    gauss.cross(first, second, taps, stride, weighed)
    sums[2:4] = weighed[2:4]
    coherence, phase = np.empty((rows, cols), np.float32), np.empty((rows, cols), np.float32)
    gauss.finish(sums, taps, stride, coherence, phase)
    return coherence, phase
