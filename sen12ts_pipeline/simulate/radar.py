"""Sentinel-1 series of a place: from echoes to SAFE folders."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sen12ts_pipeline.simulate import kernels
from sen12ts_pipeline.simulate.acquisition import Acquisition, Swath, acquisitions
from sen12ts_pipeline.simulate.annotation import GridPoint, geolocation_grid, product_xml
from sen12ts_pipeline.simulate.focusing import Echoes, image, window_of
from sen12ts_pipeline.simulate.landcover import LandCover
from sen12ts_pipeline.simulate.manifest import Entry, manifest_xml, product_name, stem
from sen12ts_pipeline.simulate.measurement import Block, data_offset, write_measurement
from sen12ts_pipeline.simulate.noise import NoiseVectors, noise_of
from sen12ts_pipeline.simulate.place import Place
from sen12ts_pipeline.simulate.radiometry import calibration_xml, noise_xml
from sen12ts_pipeline.simulate.relief import Relief
from sen12ts_pipeline.simulate.scatterers import Complex64, Reflectivity, Scatterers, scatter
from sen12ts_pipeline.simulate.screens import Screens
from sen12ts_pipeline.simulate.sensor import (
    LINE_INTERVAL_S,
    POLARISATIONS,
    RANGE_SPACING_M,
    SPEED_OF_LIGHT_M_S,
)

Blocks = dict[str, list[Block]]


@dataclass(frozen=True, slots=True)
class World:
    """Everything of a place that the radar sees."""

    place: Place
    relief: Relief
    cover: LandCover
    screens: Screens
    passes: tuple[Acquisition, ...]

    @classmethod
    def of(cls, place: Place) -> World:
        """Draw a place from its seed."""
        relief = Relief.of(place)
        return cls(place, relief, LandCover.of(place), Screens.of(place), acquisitions(place, relief))

    @property
    def centre_s(self) -> float:
        """Time near which every pass sees the place."""
        return self.passes[0].orbit.reference_s


def write_series(world: World, archive: Path, *, progress: Callable[[str], None] | None = None) -> list[Path]:
    """Write all passes of a place; returns the SAFE folders in order of time.

    Two passes are made at a time; each pass's bytes depend on the place alone.
    """
    ground = scatter(world.place, world.relief, world.cover, world.passes[0].orbit, world.centre_s)
    series = Reflectivity(world.place, world.cover, ground.field)

    def make(index: int, reflectivity: Complex64) -> Path:
        folder = _write_pass(world, ground, index, reflectivity, archive)
        if progress:
            progress(folder.name)
        return folder

    folders: list[Path] = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        for first in range(0, len(world.passes), 2):
            pair = range(first, min(first + 2, len(world.passes)))
            jobs = [pool.submit(make, index, series.at(index).copy()) for index in pair]
            folders.extend(job.result() for job in jobs)
    return folders


def echoes_of(world: World, ground: Scatterers, index: int, reflectivity: Complex64) -> Echoes:
    """What the scatterers send back on one date."""
    acquisition = world.passes[index]
    time, distance = kernels.zero_doppler(ground.position, acquisition.orbit.coefficients, world.centre_s)
    seen = kernels.projected(ground.position, ground.area, time, acquisition.orbit.coefficients)
    seen *= ground.lit
    sample_area = RANGE_SPACING_M * acquisition.ground_speed_m_s * LINE_INTERVAL_S
    delay = world.screens.delay_m(index, ground.easting[None, :], ground.northing[:, None])
    levels = (10 ** (world.cover.gamma0_db(index, pol) / 20) for pol in POLARISATIONS)
    strength = np.stack([level.astype(np.float32)[ground.field] for level in levels])
    if world.place.bistatic:
        time -= acquisition.bistatic_s(acquisition.imaged.design, 2 * distance / SPEED_OF_LIGHT_M_S)
    return Echoes(
        time_s=time,
        range_m=distance,
        delay_m=delay.ravel().astype(np.float32),
        amplitude=np.sqrt(seen / np.float32(sample_area)),
        reflectivity=reflectivity,
        strength=strength,
    )


def burst_images(
    world: World, index: int, echoes: Echoes, noise: dict[str, NoiseVectors]
) -> Iterator[tuple[int, dict[str, Block]]]:
    """Images of the bursts that echoes reach: index of the burst and a block by polarisation."""
    acquisition = world.passes[index]
    swath = acquisition.imaged
    for k, burst in enumerate(swath.bursts):
        window = window_of(swath, burst, echoes)
        if window is None:
            continue
        line = k * swath.design.lines + window.line
        samples = window.sample + np.arange(window.samples)
        rows = noise["vv"].by_line(line + np.arange(window.lines))
        cols = np.stack([noise[pol].by_sample(burst.start_s, samples) for pol in POLARISATIONS])
        values = image(acquisition, burst, echoes, window, (rows, cols), [world.place.seed, 80, index, k])
        yield k, {pol: Block(line, window.sample, values[p]) for p, pol in enumerate(POLARISATIONS)}


def _write_pass(world: World, ground: Scatterers, index: int, reflectivity: Complex64, archive: Path) -> Path:
    acquisition, place = world.passes[index], world.place
    echoes = echoes_of(world, ground, index, reflectivity)
    blocks: Blocks = {pol: [] for pol in POLARISATIONS}
    noise = noise_of(acquisition.imaged, place.noise_scale)
    for _, images in burst_images(world, index, echoes, noise):
        for pol, block in images.items():
            blocks[pol].append(block)
    del echoes
    day = archive / "Sentinel-1" / "SAR" / "SLC" / f"{acquisition.day:%Y/%m/%d}"
    work = day / f".{acquisition.datatake:06X}.making"
    shutil.rmtree(work, ignore_errors=True)
    for part in ("annotation/calibration", "measurement"):
        (work / part).mkdir(parents=True, exist_ok=True)
    grids = {s.design.number: geolocation_grid(acquisition, s, world.relief) for s in acquisition.swaths}
    entries: list[Entry] = []
    ordered = sorted(acquisition.swaths, key=lambda s: s.design.number)
    for number, (pol, swath) in enumerate([(p, s) for p in ("vh", "vv") for s in ordered], start=1):
        imaged = blocks[pol] if swath is acquisition.imaged else []
        entries += _write_swath(world, index, (swath, pol, number), grids[swath.design.number], imaged, work)
    manifest = manifest_xml(acquisition, entries, grids, "003.61" if place.burst_ids else "003.31")
    (work / "manifest.safe").write_bytes(manifest)
    folder = day / f"{product_name(acquisition, manifest)}.SAFE"
    shutil.rmtree(folder, ignore_errors=True)
    work.rename(folder)
    return folder


def _write_swath(
    world: World, index: int, which: tuple[Swath, str, int], grid: list[GridPoint], blocks: list[Block], folder: Path
) -> list[Entry]:
    """The four files of one swath and polarisation."""
    (swath, pol, number), acquisition = which, world.passes[index]
    name = stem(acquisition, swath, pol, number)
    noise = noise_of(swath, world.place.noise_scale)[pol]
    texts = {
        f"annotation/{name}.xml": product_xml(
            acquisition,
            swath,
            pol,
            number,
            grid,
            burst_ids=world.place.burst_ids,
            data_offset=data_offset(swath.lines, swath.samples, grid),
        ),
        f"annotation/calibration/noise-{name}.xml": noise_xml(acquisition, swath, pol, number, noise),
        f"annotation/calibration/calibration-{name}.xml": calibration_xml(
            acquisition, swath, pol, number, world.relief.base_m
        ),
    }
    entries = []
    for path, body in texts.items():
        (folder / path).write_bytes(body)
        entries.append(Entry(path, len(body), hashlib.md5(body, usedforsecurity=False).hexdigest()))
    path = f"measurement/{name}.tiff"
    digest, size = write_measurement(folder / path, swath.lines, swath.samples, grid, blocks)
    return [*entries, Entry(path, size, digest)]
