"""Pieces that graphs share: reading and splitting a pass, geocoding on the data set's lattice, writing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sen12ts_pipeline.domain.lattice import PIXEL_M
from sen12ts_pipeline.sar.snap.graph import Graph, Output
from sen12ts_pipeline.sar.snap.operators import Chain, Value, check, operators
from sen12ts_pipeline.sar.snap.plan import PassPlan, Region, SwathPlan

RANGE_LOOKS, AZIMUTH_LOOKS = 3, 1
"""Looks before geocoding, which interpolates from point to point and would leave samples unused.

More than one in azimuth would stretch the image, for geocoding takes the line interval from the time of the first line,
which Multilook moves, and that of the last, which it does not (MultilookOp, RangeDopplerGeocodingOp).
"""
DEM_NODATA = -32768.0
"""Occurs in no prepared elevation model; these have no gaps."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where graphs work.

    Attributes
    ----------
    region : Region
        What is geocoded.
    dem : Path
        The elevation model, prepared by `dem`.
    """

    region: Region
    dem: Path


def read_product(chain: Chain, node_id: str, path: Path, kind: str) -> str:
    """Read a product: ``SENTINEL-1`` or ``BEAM-DIMAP``."""
    return chain.add(node_id, "Read", file=path, formatName=kind)


def split_pass(
    chain: Chain, plan: PassPlan, swaths: Iterable[SwathPlan], polarisations: Sequence[str], of: str
) -> list[str]:
    """Read a pass, put its slices together, apply its orbit file, and split the bursts of some subswaths.

    of : ending of the nodes' ids.
    """
    reads = [read_product(chain, f"read{k or ''}{of}", path, "SENTINEL-1") for k, path in enumerate(plan.products)]
    whole = reads[0]
    if len(reads) > 1:
        whole = chain.add(f"assemble{of}", "SliceAssembly", reads, selectedPolarisations=polarisations)
    if plan.orbit:
        kind = "Precise" if "_AUX_POEORB_" in plan.orbit else "Restituted"
        orbit_type = f"Sentinel {kind} (Auto Download)"
        whole = chain.add(
            f"orbit{of}", "Apply-Orbit-File", [whole], orbitType=orbit_type, polyDegree=3, continueOnFail=False
        )
    return [
        chain.add(
            f"split{of}_{swath.subswath.lower()}",
            "TOPSAR-Split",
            [whole],
            subswath=swath.subswath,
            selectedPolarisations=polarisations,
            firstBurstIndex=swath.first,
            lastBurstIndex=swath.last,
            enableSingleSwathMode=plan.part,
        )
        for swath in swaths
    ]


def merged(chain: Chain, debursted: Sequence[str], polarisations: Sequence[str]) -> str:
    """One image of one or several subswaths."""
    if len(debursted) == 1:
        return debursted[0]
    return chain.add("merge", "TOPSAR-Merge", debursted, selectedPolarisations=polarisations)


def multilook(chain: Chain, source: str, bands: Sequence[str], *, intensity: bool = False) -> str:
    """Average samples in range; of listed pairs of i and q the parts, or with `intensity` their powers."""
    return chain.add(
        "look",
        "Multilook",
        [source],
        sourceBands=bands,
        nRgLooks=RANGE_LOOKS,
        nAzLooks=AZIMUTH_LOOKS,
        outputIntensity=intensity,
        grSquarePixel=False,
    )


def crop(chain: Chain, source: str, region: Region) -> str:
    """The part of an image without bursts that a region needs."""
    return chain.add("crop", "Subset", [source], geoRegion=region.wkt, copyMetadata=True)


def geocode(chain: Chain, source: str, bands: Sequence[str], site: Site, *, elevation: bool, complex_: bool) -> str:
    """Bands on the data set's lattice: edges on multiples of 10 m, so centres on 5 m and multiples of 10 m.

    elevation : whether the heights that were used are written too. complex_ : whether i and q are resampled as they
    are.
    """
    return chain.add(
        "geocode",
        "Terrain-Correction",
        [source],
        sourceBands=bands,
        **dem_parameters("Terrain-Correction", site.dem),
        demResamplingMethod="BILINEAR_INTERPOLATION",
        imgResamplingMethod="BILINEAR_INTERPOLATION",
        pixelSpacingInMeter=PIXEL_M,
        pixelSpacingInDegree=0.0,
        mapProjection=f"EPSG:{site.region.epsg}",
        alignToStandardGrid=True,
        standardGridOriginX=PIXEL_M / 2,
        standardGridOriginY=PIXEL_M / 2,
        nodataValueAtSea=False,
        saveSelectedSourceBand=True,
        saveDEM=elevation,
        applyRadiometricNormalization=False,
        outputComplex=complex_,
    )


def dem_parameters(operator: str, dem: Path) -> dict[str, Value]:
    """Parameters of an operator by which it takes the prepared elevation model and adds EGM96 to its heights.

    Operators without a switch always add it, so the others are told to, whatever their default.
    """
    given: dict[str, Value] = {
        "demName": "External DEM",
        "externalDEMFile": dem,
        "externalDEMNoDataValue": DEM_NODATA,
        "externalDEMApplyEGM": True,
    }
    return {name: value for name, value in given.items() if name in operators()[operator].parameters}


def written(chain: Chain, name: str, source: str, path: Path, bands: Sequence[str]) -> Graph:
    """The graph that writes a BEAM-DIMAP product with some bands, checked.

    bands : regular expressions.
    """
    chain.add(
        "write",
        "Write",
        [source],
        file=path,
        formatName="BEAM-DIMAP",
        deleteOutputOnFailure=True,
        writeEntireTileRows=False,
        clearCacheAfterRowWrite=False,
    )
    return check(Graph(name, tuple(chain.nodes), (Output(path, tuple(bands)),)), chain.release)
