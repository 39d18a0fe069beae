"""Backscatter: the graph from a pass to terrain-flattened power on the map, and its bands as decibels."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from sen12ts_pipeline.domain.layers import BACKSCATTER_RANGE_DB
from sen12ts_pipeline.ports import Bool, Float32
from sen12ts_pipeline.sar.snap import names
from sen12ts_pipeline.sar.snap.chain import Site, crop, dem_parameters, geocode, merged, multilook, split_pass, written
from sen12ts_pipeline.sar.snap.graph import Graph
from sen12ts_pipeline.sar.snap.operators import Chain, Release
from sen12ts_pipeline.sar.snap.plan import PassPlan

POLARISATIONS = ("VV", "VH")
ELEVATION = "elevation"
QUANTITIES = {"gamma0": "Gamma0", "sigma0": "Sigma0"}
"""What may be made, and how its bands begin; sigma0 is that of the flattened terrain, gamma0 times a cosine."""


def backscatter_graph(plan: PassPlan, site: Site, to: Path, release: Release, quantity: str = "gamma0") -> Graph:
    """Graph of a pass's backscatter over a region.

    Noise is removed once and first, then beta nought is made, for it alone is flattened and its table is one constant,
    which a subset of bursts cannot shift.

    Parameters
    ----------
    plan : PassPlan
        Slices, subswaths and bursts.
    site : Site
        Region and elevation model.
    to : Path
        The ``.dim`` file to write: powers of VV and VH, and the heights that were used.
    release : Release
        Whose parameters are given.
    quantity : str
        ``gamma0`` or ``sigma0``.
    """
    chain = Chain(release)
    subswath = plan.swaths[0].subswath if len(plan.swaths) == 1 else ""
    debursted = [
        _beta_nought(chain, split, swath.subswath)
        for split, swath in zip(split_pass(chain, plan, plan.swaths, POLARISATIONS, ""), plan.swaths, strict=True)
    ]
    beta = [names.power("Beta0", subswath, p) for p in POLARISATIONS]
    wanted = [names.power(QUANTITIES[quantity], subswath, p) for p in POLARISATIONS]
    last = multilook(chain, merged(chain, debursted, POLARISATIONS), beta)
    last = chain.add(
        "flatten",
        "Terrain-Flattening",
        [crop(chain, last, site.region)],
        sourceBands=beta,
        **dem_parameters("Terrain-Flattening", site.dem),
        demResamplingMethod="BILINEAR_INTERPOLATION",
        outputSimulatedImage=False,
        outputSigma0=quantity == "sigma0",
        additionalOverlap=0.1,
        # One sample of the model per cell leaves a pattern; two do not.
        oversamplingMultiple=2.0,
        nodataValueAtSea=False,
    )
    last = geocode(chain, last, wanted, site, elevation=True, complex_=False)
    return written(chain, "backscatter", last, to, [re.escape(band) for band in (*wanted, ELEVATION)])


def _beta_nought(chain: Chain, split: str, subswath: str) -> str:
    of = f"_{subswath.lower()}"
    noise = chain.add(
        f"noise{of}",
        "ThermalNoiseRemoval",
        [split],
        selectedPolarisations=POLARISATIONS,
        removeThermalNoise=True,
        reIntroduceThermalNoise=False,
        outputNoise=False,
        # Before 14 negative power is cut before it is averaged: dark ground comes out too bright.
        clipNegativeValues=False,
    )
    beta = chain.add(
        f"calibrate{of}",
        "Calibration",
        [noise],
        selectedPolarisations=POLARISATIONS,
        outputImageInComplex=False,
        outputImageScaleInDb=False,
        outputSigmaBand=False,
        outputGammaBand=False,
        outputBetaBand=True,
        createGammaBand=False,
        createBetaBand=False,
    )
    return chain.add(f"deburst{of}", "TOPSAR-Deburst", [beta], selectedPolarisations=POLARISATIONS)


def decibels(power: Float32, known: Bool) -> tuple[Float32, int]:
    """Backscatter in dB.

    Parameters
    ----------
    power : float32 (rows, cols)
        Linear; 0 and NaN without data, as SNAP leaves it outside the image and in deep shadow.
    known : bool (rows, cols)
        Where terrain and burst are known.

    Returns
    -------
    backscatter : float32 (rows, cols)
        dB, -40 to 30; NaN without data.
    floored : int
        Pixels set to the floor: below it, or negative, which SNAP 14 leaves where noise exceeds the power.
    """
    low, high = BACKSCATTER_RANGE_DB
    linear = power.astype(float)
    given = known & np.isfinite(linear) & (linear != 0.0)
    floor = 10.0 ** (low / 10)
    below = given & (linear < floor)
    decibel = 10.0 * np.log10(np.where(given & ~below, linear, floor))
    return np.where(given, np.clip(decibel, low, high), np.nan).astype(np.float32), int(below.sum())
