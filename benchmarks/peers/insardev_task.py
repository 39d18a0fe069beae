"""The tasks of insardev-pygmtsar, in its own environment: `python -m benchmarks.peers.insardev_task TASK SCENE OUT`.

Before its clock starts: the burst in the layout that the Alaska Satellite Facility gives bursts, state vectors of the
annotation as an orbit file, and heights above EGM96, as the tool adds its geoid to whatever it is given.
"""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ET
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import xarray as xr
from insardev_pygmtsar import S1
from insardev_pygmtsar.utils_satellite import get_geoid
from pyproj import Transformer
from scipy.ndimage import gaussian_filter, map_coordinates

from benchmarks.peers.cost import Meter, Task, run_task

KERNEL_SIGMA_M = 14.99
"""Gain of one half at a wavelength of 80 m, as GMTSAR's filter and this project's engine have it."""
CELL_M = 20

Complex64 = npt.NDArray[np.complex64]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


def lay_out(values: dict[str, Any], folder: Path) -> str:
    """Make the tool's input folder, links where files stay as they are; returns the path of its DEM."""
    for index, day in enumerate(values["days"]):
        _lay_out_burst(Path(values["folder"]) / values["products"][index], day, folder)
    dem = folder / "dem.nc"
    with rasterio.open(Path(values["folder"]) / "dem.tif") as source:
        heights = source.read(1)
        lon = source.transform.c + (np.arange(source.width) + 0.5) * source.transform.a
        lat = source.transform.f + (np.arange(source.height) + 0.5) * source.transform.e
    grid = xr.DataArray(heights, coords={"lat": lat, "lon": lon}, dims=["lat", "lon"])[::-1]
    (grid - get_geoid(grid)).astype(np.float32).to_dataset(name="z").to_netcdf(dem)
    return str(dem)


def _lay_out_burst(safe: Path, day: str, folder: Path) -> None:
    (annotation,) = safe.glob("annotation/s1a-iw2-slc-vv-*.xml")
    root = ET.parse(annotation).getroot()
    number, start = root.findtext(".//burstId"), datetime.fromisoformat(root.findtext(".//adsHeader/startTime") or "")
    track = (int(root.findtext(".//absoluteOrbitNumber") or 0) - 73) % 175 + 1
    place = folder / f"{track:03d}_{int(number or 0):06d}_IW2"
    name = f"S1_{int(number or 0):06d}_IW2_{start:%Y%m%dT%H%M%S}_VV_{safe.name[-9:-5]}-BURST"
    beside = safe / "annotation" / "calibration"
    for kind, source in {
        "annotation": annotation,
        "measurement": safe / "measurement" / f"{annotation.stem}.tiff",
        "calibration": beside / f"calibration-{annotation.name}",
        "noise": beside / f"noise-{annotation.name}",
    }.items():
        (place / kind).mkdir(parents=True, exist_ok=True)
        (place / kind / f"{name}{source.suffix}").symlink_to(source.resolve())
    _write_orbit(root, datetime.fromisoformat(day), folder)


def _write_orbit(root: ET.Element, day: datetime, folder: Path) -> None:
    """State vectors of an annotation in the form of an orbit file."""
    vectors = []
    for orbit in root.iterfind(".//orbitList/orbit"):
        numbers = {
            f"{prefix}{axis}".upper(): orbit.findtext(f"{kind}/{axis}")
            for prefix, kind in (("", "position"), ("v", "velocity"))
            for axis in "xyz"
        }
        fields = "".join(f"<{name}>{value}</{name}>" for name, value in numbers.items())
        vectors.append(f"<OSV><UTC>UTC={orbit.findtext('time')}</UTC>{fields}</OSV>")
    span = "_".join(f"{day + timedelta(days=d):%Y%m%d}T120000" for d in (-1, 1))
    name = f"S1A_OPER_AUX_POEORB_OPOD_{day:%Y%m%d}T000000_V{span}.EOF"
    (folder / name).write_text(f"<Earth_Explorer_File>{''.join(vectors)}</Earth_Explorer_File>\n")


def interferogram(values: dict[str, Any], out: Path, *, alone: bool = False) -> dict[str, Any]:
    """Geocode both dates at the tool's default posting, then coherence and phase by the same Gaussian as ours.

    alone : only the tile that is made alone.
    """
    folder, target = out / "input", out / "transformed"
    folder.mkdir()
    dem = lay_out(values, folder)
    meter = Meter()
    S1(str(folder), DEM=dem).transform(
        str(target),
        ref=values["days"][0],
        epsg=values["epsg"],
        bbox=_degrees(values["epsg"], values["tile_box"]) if alone else None,
        remove_tidal_phase=False,
        n_jobs=1,
        scheduler="sequential",
    )
    meter.lap("geocoding")
    (earlier, later), north, east = _geocoded(target, values["days"])
    steps = float(north[1] - north[0]), float(east[1] - east[0])
    coherence, phase = _estimate(earlier, later, steps)
    meter.lap("coherence")
    points = int(np.isfinite(coherence).sum())
    packages = ("insardev-pygmtsar", "insardev-toolkit", "numpy", "opencv-python")
    figures = meter.figures(packages, pixels=round(points * steps[0] * steps[1] / 100), posting_m=steps)
    if not alone:
        cells = np.ix_(*_nearest(values["known"], CELL_M, north, east))
        fine = np.meshgrid(*_positions(values["known"], 10, north, east), indexing="ij")
        power = map_coordinates(np.nan_to_num(earlier.real**2 + earlier.imag**2), fine, order=1)
        np.savez(out / "made.npz", coherence=coherence[cells], phase=phase[cells], power=power)
    return figures


def _degrees(epsg: int, grid: list[int]) -> list[float]:
    """West, south, east, north of a grid of 10 m pixels."""
    west, north, rows, cols = grid
    to_geographic = Transformer.from_crs(epsg, 4326, always_xy=True)
    return list(to_geographic.transform_bounds(west, north - 10 * rows, west + 10 * cols, north))


def _geocoded(target: Path, days: list[str]) -> tuple[list[Complex64], Float64, Float64]:
    """Complex samples of the dates in order of time, northings and eastings, both ascending."""
    (place,) = [p for p in target.iterdir() if re.fullmatch(r"\d+_\d+_IW2", p.name)]
    transform = xr.open_zarr(place / "transform", consolidated=False)
    images = []
    for day in days:
        (path,) = place.glob(f"S1_*_{day.replace('-', '')}T*")
        date = xr.open_zarr(path, consolidated=False)
        images.append((date.re.values + 1j * date.im.values).astype(np.complex64))
    return images, transform.y.values.astype(float), transform.x.values.astype(float)


def _estimate(earlier: Complex64, later: Complex64, steps: tuple[float, float]) -> tuple[Float32, Float32]:
    """Coherence and phase of later * conj(earlier) at every point, NaN where a date has nothing."""
    void = ~np.isfinite(earlier + later)
    first, second = (np.where(void, np.complex64(0), image) for image in (earlier, later))
    cross = second * first.conj()
    sigma = [KERNEL_SIGMA_M / step for step in steps]
    real, imaginary, before, after = (
        gaussian_filter(part, sigma, truncate=4.0)
        for part in (cross.real, cross.imag, first.real**2 + first.imag**2, second.real**2 + second.imag**2)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        coherence = np.hypot(real, imaginary) / np.sqrt(before * after)
    coherence[void] = np.nan
    return coherence, np.arctan2(imaginary, real)


def _positions(known: list[int], step: int, north: Float64, east: Float64) -> tuple[Float64, Float64]:
    """Fractional rows and columns of the centres of the known ground's cells, from the north-west."""
    west, top, rows, cols = known
    northing = top - step * (np.arange(10 * rows // step) + 0.5)
    easting = west + step * (np.arange(10 * cols // step) + 0.5)
    return (northing - north[0]) / (north[1] - north[0]), (easting - east[0]) / (east[1] - east[0])


def _nearest(known: list[int], step: int, north: Float64, east: Float64) -> tuple[Any, Any]:
    rows, cols = _positions(known, step, north, east)
    return np.rint(rows).astype(int), np.rint(cols).astype(int)


TASKS: dict[str, Task] = {"interferogram": interferogram, "tile_interferogram": partial(interferogram, alone=True)}

if __name__ == "__main__":
    run_task(TASKS, sys.argv[1:])
