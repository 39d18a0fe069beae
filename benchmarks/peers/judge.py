"""Errors of what tools made of the scene's known ground, against its truth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.windows import Window

from benchmarks.peers.scene import Scene
from sen12ts_pipeline.domain.lattice import CENTRAL_EASTING_M, PIXEL_M, TILE_M, TILE_PIXELS, TileId

Float = npt.NDArray[np.floating[Any]]
Truth = Mapping[str, npt.NDArray[Any]]

BLOCK = 16
"""Pixels on a side of the blocks whose mean powers are compared: 160 m, some 400 looks."""
DARK_DB = -16.0
COHERENT = 0.5
"""True coherence from which phase and coherence are judged."""


def tiles_mosaic(scene: Scene, folder: Path, position: int, cells: int) -> Float:
    """A layer of the known ground from files of tiles, `cells` on a side each."""
    west, north, rows, cols = scene.known
    across, down = cols // TILE_PIXELS, rows // TILE_PIXELS
    zone = scene.epsg % 100
    first_column, first_row = round((west - CENTRAL_EASTING_M) / TILE_M), round(north / TILE_M) - 1
    made = np.full((down * cells, across * cells), np.nan, np.float32)
    for row in range(down):
        for column in range(across):
            tile = TileId(zone, first_column + column, first_row - row)
            window = slice(row * cells, (row + 1) * cells), slice(column * cells, (column + 1) * cells)
            made[window] = np.load(folder / f"{tile}.{position}.npy")
    return made


def known_window(scene: Scene, path: Path) -> Float:
    """A raster's pixels of the known ground, north-up."""
    west, north, rows, cols = scene.known
    with rasterio.open(path) as source:
        step, left, first = source.transform.e, source.transform.c, source.transform.f
        south_first = step > 0
        top = north - rows * PIXEL_M if south_first else north
        values = source.read(1, window=Window(round((west - left) / PIXEL_M), round((top - first) / step), cols, rows))
    return np.asarray(values[::-1] if south_first else values)


def power_errors(power: Float, truth: Truth, of: str) -> dict[str, float]:
    """Mean and spread of the error in dB of mean powers of blocks, and its mean on dark ground.

    Parameters
    ----------
    power : float (rows, cols)
        Linear; NaN where the tool gives nothing.
    truth : mapping
        Arrays of the scene's `truth.npz`.
    of : str
        ``gamma0`` or ``beta0``: what the power should be.
    """
    known = np.isfinite(power)
    found, true = (_block_means(np.where(known, values, 0.0)) for values in (power, truth[of]))
    whole = (_block_means(known.astype(float)) > 0.9) & (found > 0)
    error = np.zeros_like(found)
    error[whole] = 10 * np.log10(found[whole] / true[whole])
    dark = whole & (_block_means(truth["gamma0"]) < 10 ** (DARK_DB / 10))
    return {
        "power_mean_db": float(error[whole].mean()),
        "power_std_db": float(error[whole].std()),
        "dark_mean_db": float(error[dark].mean()),
        "blocks": int(whole.sum()),
    }


def _block_means(values: Float) -> Float:
    rows, cols = values.shape
    return np.asarray(values.reshape(rows // BLOCK, BLOCK, cols // BLOCK, BLOCK).mean(axis=(1, 3)))


def shift_m(power: Float, truth: Truth, of: str) -> dict[str, float]:
    """How far east and north the image lies of where it should, by least squares on the edges between fields.

    The image is taken as ``gain * model - east * dmodel/dx - north * dmodel/dy``, with the weight of speckle.
    """
    model = _blurred(_blurred(truth[of].astype(float)).T).T
    by_row, by_col = np.gradient(model, PIXEL_M)
    known = np.isfinite(power)[8:-8, 8:-8]
    weight = 1 / (model[8:-8, 8:-8][known] + 0.003)
    columns = [values[8:-8, 8:-8][known] * weight for values in (model, -by_col, by_row)]
    solution = np.linalg.lstsq(np.stack(columns, axis=1), power[8:-8, 8:-8][known] * weight, rcond=None)[0]
    return {"east_m": float(solution[1] / solution[0]), "north_m": float(solution[2] / solution[0])}


def _blurred(values: Float) -> Float:
    """Along the rows, by about the image's resolution: a Gaussian of one pixel."""
    weight = np.exp(-(np.arange(-4, 5) ** 2) / 2)
    padded = np.pad(values, ((4, 4), (0, 0)), mode="edge")
    return np.asarray(sum(w * padded[k : k + len(values)] for k, w in enumerate(weight / weight.sum())))


def pair_errors(coherence: Float, phase: Float, truth: Truth) -> dict[str, float]:
    """Errors of coherence and phase, float (rows / 2, cols / 2) on 20 m cells.

    Coherence: its bias on coherent ground, and its mean where the truth is 0. Phase, on coherent ground: offset of its
    error, the plane in it as the difference between opposite corners, and the spread without both, degrees.
    """
    known = np.isfinite(coherence)
    good, none = known & (truth["coherence"] >= COHERENT), known & (truth["coherence"] == 0)
    error = np.where(good, np.exp(1j * (phase - truth["phase"])), 0)
    middle = error.sum()
    plane, corners = _plane(error / middle)
    left = np.angle(error / middle * np.exp(-1j * plane))[good]
    return {
        "coherence_bias": float((coherence - truth["coherence"])[good].mean()),
        "coherence_of_none": float(coherence[none].mean()),
        "phase_offset_deg": float(np.degrees(np.angle(middle))),
        "phase_plane_deg": float(np.degrees(corners)),
        "phase_std_deg": float(np.degrees(np.sqrt(np.mean(left**2)))),
    }


def _plane(error: npt.NDArray[np.complexfloating[Any, Any]]) -> tuple[Float, float]:
    """Least-squares plane, radians, through the phases of sums over blocks, and its largest difference."""
    rows, cols = error.shape
    sums = error.reshape(rows // BLOCK, BLOCK, cols // BLOCK, BLOCK).sum(axis=(1, 3))
    row, col = np.indices(sums.shape) / sums.shape[0] - 0.5
    weight = np.abs(sums).ravel()
    design = np.stack([np.ones(sums.size), row.ravel(), col.ravel()], axis=1)
    solution = np.linalg.lstsq(design * weight[:, None], np.angle(sums).ravel() * weight, rcond=None)[0]
    row, col = np.indices(error.shape) / rows - 0.5
    return solution[0] + solution[1] * row + solution[2] * col, float(np.abs(solution[1:]).sum())
