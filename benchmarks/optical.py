"""What optical stacks cost beside the mere decoding of their images, on a granule of real size.

Prints the figures beside their targets and writes `benchmarks/results/optical.json`. Images are lossless JPEG 2000 in
blocks as real ones have them, with noise that compresses as real ones do; one image stands for all of its resolution.
Both sides work on the same eight rows of tiles, each in a process of its own, and CPU seconds are compared.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.windows import Window

from benchmarks.engine import table_of
from benchmarks.peers.cost import cpu_s, peak_mib
from benchmarks.peers.run import machine
from sen12ts_pipeline.acquisition.products import FolderProduct
from sen12ts_pipeline.domain.granules import Granule
from sen12ts_pipeline.domain.lattice import TILE_PIXELS, Grid, TileId
from sen12ts_pipeline.domain.layers import S2_BANDS, S2_NATIVE_M
from sen12ts_pipeline.sentinel2.bands import OpenGranule, north_to_south, row_col
from sen12ts_pipeline.sentinel2.description import BAND_IDS, Product
from sen12ts_pipeline.sentinel2.masks import SclMasker, pixel_mask
from sen12ts_pipeline.sentinel2.scene import OpenScene

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "optical.json"
NAME = "S2A_MSIL2A_20200914T105031_N0500_R051_T31TDG_20230315T134023"
PLACE = ROOT / ".sen12ts" / "optical" / f"{NAME}.SAFE"

SIZES = {10: 10_980, 20: 5_490, 60: 1_830}
BLOCKS = {10: 1024, 20: 640, 60: 192}
IMAGES = {"10m.jp2": 10, "20m.jp2": 20, "60m.jp2": 60, "SCL.jp2": 20}
TILE_ROWS = 8

FIGURES = {
    "optical_ratio": ("<=", 1.2, "CPU time of stacks of all 14 layers, over that of decoding the same blocks"),
    "optical_peak_mb": ("<=", 2000.0, "MiB of memory at most, all 13 images open"),
    "optical_cpu_s_per_tile": ("<=", 1.0, "CPU s a tile, decoding included"),
}
"""Figures with their targets."""

PRODUCT = Product(
    granule=Granule(
        datatake_start=datetime(2020, 9, 14, 10, 50, 31, tzinfo=UTC),
        mgrs="31TDG",
        product=NAME,
        mission="S2A",
        relative_orbit=51,
        baseline=(5, 0),
        discriminator="20230315T134023",
        datastrip="",
        cloud_percent=0.0,
        epsg=32631,
        ulx_m=399_960.0,
        uly_m=4_700_040.0,
        size_m=109_800.0,
    ),
    images={(b, r): "SCL.jp2" if b == "SCL" else f"{r}m.jp2" for b, r in S2_NATIVE_M.items()},
    offsets=dict.fromkeys(BAND_IDS, -1000),
    quantification=10_000,
    sizes={r: (size, size) for r, size in SIZES.items()},
)


def prepare() -> None:
    """Write the images, unless they are there."""
    PLACE.mkdir(parents=True, exist_ok=True)
    for name, resolution in IMAGES.items():
        if not (PLACE / name).exists():
            _write(PLACE / name, resolution)


def _write(path: Path, resolution: int) -> None:
    size, granule, random = SIZES[resolution], PRODUCT.granule, np.random.default_rng(resolution)
    fields = random.integers(1200, 4500, (size // 64 + 1, size // 64 + 1), np.int16)
    values = np.kron(fields, np.ones((64, 64), np.int16))[:size, :size]
    values += random.integers(-60, 61, (size, size), np.int16)
    part = path.with_name(f"part-{path.name}")
    with rasterio.open(
        part,
        "w",
        driver="JP2OpenJPEG",
        width=size,
        height=size,
        count=1,
        dtype="uint8" if path.stem == "SCL" else "uint16",
        crs=f"EPSG:{granule.epsg}",
        transform=Affine(resolution, 0, granule.ulx_m, 0, -resolution, granule.uly_m),
        QUALITY="100",
        REVERSIBLE="YES",
        YCBCR420="NO",
        BLOCKXSIZE=BLOCKS[resolution],
        BLOCKYSIZE=BLOCKS[resolution],
    ) as file:
        file.write(values // 400 % 12 if path.stem == "SCL" else values, 1)
    part.rename(path)


def grids() -> list[Grid]:
    """Tiles of the first rows of the granule."""
    granule = PRODUCT.granule
    top = int(granule.north_m // 2560) - 1
    near = (TileId(31, column, top - row) for row in range(TILE_ROWS) for column in range(-45, 10))
    return north_to_south(tile.grid for tile in near if granule.contains(tile))


def stacks() -> dict[str, float]:
    """Stacks of the tiles."""
    chosen, files = grids(), FolderProduct(PLACE)
    start = cpu_s()
    with ExitStack() as images:
        scene = OpenScene([OpenGranule(PRODUCT, files, images)])
        mask = pixel_mask(scene, SclMasker())
        for grid in chosen:
            scene.stack(grid, mask)
    spent = cpu_s() - start
    return {"stacks_cpu_s": spent, "optical_cpu_s_per_tile": spent / len(chosen), "optical_peak_mb": peak_mib()}


def blocks(resolution: int) -> Iterator[Window]:
    """Blocks of an image under the tiles, the block at its end, which tells a truncated image, and no others."""
    size, step = SIZES[resolution], BLOCKS[resolution]
    first, _ = row_col(PRODUCT, grids()[0])
    last, _ = row_col(PRODUCT, grids()[-1])
    rows = range(first * 10 // resolution // step, (last + TILE_PIXELS - 1) * 10 // resolution // step + 1)
    for row in rows:
        for col in range(-(-size // step)):
            yield Window(col * step, row * step, min(step, size - col * step), min(step, size - row * step))
    end = size // step * step
    yield Window(end, end, size - end, size - end)


def decoding() -> dict[str, float]:
    """The same blocks, and nothing else."""
    start = cpu_s()
    for band in (*S2_BANDS, "SCL"):
        resolution = S2_NATIVE_M[band]
        with rasterio.open(PLACE / PRODUCT.image(band)) as image:
            for window in blocks(resolution):
                image.read(1, window=window)
    return {"decoding_cpu_s": cpu_s() - start}


TASKS: dict[str, Callable[[], dict[str, float]]] = {"stacks": stacks, "decoding": decoding}


def measured(name: str) -> dict[str, float]:
    """Figures of a task, run in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.optical", name]
    values = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=values, check=True, stdout=subprocess.PIPE, cwd=ROOT)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def main() -> None:
    """Measure, print and write."""
    prepare()
    figures = measured("decoding") | measured("stacks")
    figures["optical_ratio"] = figures["stacks_cpu_s"] / figures["decoding_cpu_s"]
    RESULTS.write_text(json.dumps({"machine": machine(), **figures}, indent=1) + "\n")
    print(table_of(FIGURES, figures))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(TASKS[sys.argv[1]]()))
    else:
        main()
