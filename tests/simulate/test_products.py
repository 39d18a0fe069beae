from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import rasterio
from lxml import etree

from sen12ts_pipeline.domain.lattice import Grid
from sen12ts_pipeline.simulate.manifest import crc16
from sen12ts_pipeline.simulate.place import places
from sen12ts_pipeline.simulate.radar import World
from sen12ts_pipeline.simulate.truth import Truth
from tests.simulate.reading import Product, ecef, safes


@pytest.fixture(scope="module")
def product(tiny: Path) -> Product:
    return Product(safes(tiny)[0], 1, "vv")


def test_crc_of_the_standard_check_string() -> None:
    assert crc16(b"123456789") == 0x29B1


def test_names_and_manifest_agree_with_the_files(tiny: Path) -> None:
    assert len(safes(tiny)) == 5
    for safe in safes(tiny)[:2]:
        manifest = (safe / "manifest.safe").read_bytes()
        assert safe.stem.endswith(f"_{crc16(manifest):04X}")
        root = etree.fromstring(manifest)
        files = {e.get("href"): e for e in root.iter("fileLocation")}
        assert len(files) == 16
        for href, element in files.items():
            body = (safe / href).read_bytes()
            stream = element.getparent()
            assert int(stream.get("size")) == len(body)
            assert stream.findtext("checksum") == hashlib.md5(body).hexdigest()
        start = root.findtext(".//{*}startTime")
        assert safe.stem.split("_")[5] == start[:19].replace("-", "").replace(":", "")
        assert safe.parent.parts[-3:] == tuple(start[:10].split("-"))
        assert root.findtext(".//{*}pass") == "DESCENDING"


def test_a_measurement_is_a_plain_strip_tiff(product: Product) -> None:
    annotation = product.annotation
    with rasterio.open(product.path) as file:
        assert file.dtypes == ("complex_int16",)
        assert file.shape == (annotation.lines * 2, annotation.samples)
        assert file.block_shapes == [(1, annotation.samples)]
        points, crs = file.gcps
    assert crs.to_epsg() == 4326
    _, _, lon, lat, height, line, pixel, _ = annotation.grid()
    np.testing.assert_allclose(
        [(p.x, p.y, p.z, p.row, p.col) for p in points], np.stack([lon, lat, height, line, pixel], 1)
    )


def test_byte_offsets_point_at_the_bursts(product: Product) -> None:
    annotation = product.annotation
    for index, burst in enumerate(annotation.root.iter("burst")):
        count = annotation.lines * annotation.samples
        raw = np.fromfile(product.path, "<i2", 2 * count, offset=int(burst.findtext("byteOffset")))
        pairs = raw.reshape(annotation.lines, annotation.samples, 2)
        assert np.array_equal(pairs[..., 0] + 1j * pairs[..., 1], product.burst(index))


def test_nothing_lies_outside_valid_samples(product: Product) -> None:
    for index, burst in enumerate(product.annotation.root.iter("burst")):
        first, last = (np.array(burst.findtext(f"{k}ValidSample").split(), int)[:, None] for k in ("first", "last"))
        sample = np.arange(product.annotation.samples)[None, :]
        outside = (first < 0) | (sample < first) | (sample > last)
        assert 20 < (first < 0).sum() < 80
        assert not product.burst(index)[outside].any()


def test_the_file_is_sparse(tiny: Path) -> None:
    for path in (tiny / "archive").rglob("*-iw2-*.tiff"):
        assert path.stat().st_blocks * 512 < 200_000 < path.stat().st_size


def test_a_deramped_burst_is_centred(product: Product) -> None:
    a = product.annotation
    for index in range(2):
        image = product.burst(index)
        rows, cols = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        eta = (rows[:, None] - a.lines / 2) * a.dt
        quiet = image[np.ix_(rows, cols)] * np.exp(-1j * a.carrier(index, eta, a.tau0 + cols[None] / a.fs))
        step = (quiet[1:] * quiet[:-1].conj()).sum(axis=1)
        assert abs(np.angle(step.sum())) / (2 * np.pi * a.dt) < 1.5
        halves = [np.angle(part.sum()) / (2 * np.pi * a.dt) for part in np.array_split(step, 4)]
        assert np.abs(halves).max() < 6.0
        loud = (image[rows[1:]][:, cols] * image[rows[:-1]][:, cols].conj()).sum(axis=1)
        assert np.abs(np.diff(np.angle([part.sum() for part in np.array_split(loud, 4)]))).max() > 0.3


def lattice(truth: Truth, grid: Grid):
    """Points of a grid on the truth's terrain, and the grid."""
    east = grid.west + (np.arange(grid.cols) + 0.5) * grid.spacing_m
    north = grid.north - (np.arange(grid.rows) + 0.5) * grid.spacing_m
    from pyproj import Transformer

    lon, lat = Transformer.from_crs(grid.epsg, 4326, always_xy=True).transform(*np.meshgrid(east, north))
    return ecef(lon, lat, truth.height(grid))


def inside_fields(truth: Truth, grid: Grid, reach: int):
    """Pixels whose neighbours within a reach belong to the same field."""
    level = truth.gamma0_db(grid, 0, "vv")
    same = np.ones(level.shape, bool)
    for axis in (0, 1):
        for shift in (-reach, reach):
            same &= np.roll(level, shift, axis) == level
    same[:reach], same[-reach:], same[:, :reach], same[:, -reach:] = False, False, False, False
    return same


def ratio(truth: Truth, tiny: Path, index: int, pol: str):
    """Measured over true gamma nought at the samples nearest to a 10 m grid's points."""
    grid = truth.place.grid
    product = Product(safes(tiny)[index], truth.place.swath, pol)
    burst, line, sample, _ = product.place(lattice(truth, grid))
    measured = np.empty(grid.shape)
    for k in np.unique(burst):
        here = burst == k
        row, col = np.rint(line[here]).astype(int), np.rint(sample[here]).astype(int)
        power = np.abs(product.burst(k)[row, col]) ** 2 - product.noise.at(k, row, col)
        measured[here] = power / 237.0**2
    return measured * truth.factor(grid, index) / 10 ** (truth.gamma0_db(grid, index, pol) / 10)


@pytest.mark.parametrize(("pol", "tolerance_db"), [("vv", 0.04), ("vh", 0.1)])
def test_backscatter_is_the_truth(tiny: Path, tiny_truth: Truth, pol: str, tolerance_db: float) -> None:
    ratios = np.stack([ratio(tiny_truth, tiny, index, pol) for index in (0, 2, 4)])
    fields = inside_fields(tiny_truth, tiny_truth.place.grid, 4)
    bright = fields & (tiny_truth.gamma0_db(tiny_truth.place.grid, 0, pol) > -20.0)
    gentle = bright & (tiny_truth.slope(tiny_truth.place.grid) < 20.0)
    assert abs(10 * np.log10(ratios[:, gentle].mean())) < tolerance_db
    spread = ratios[:, gentle].var() / ratios[:, gentle].mean() ** 2
    assert 0.95 < spread < (1.25 if pol == "vv" else 2.0)


def test_pairs_have_the_true_phase_and_coherence(tiny: Path, tiny_truth: Truth) -> None:
    whole = tiny_truth.place.grid
    grid = Grid(whole.epsg, whole.west + 200.0, whole.north, 160, 400, 5.0)
    points = lattice(tiny_truth, grid)
    earlier, later = (Product(safes(tiny)[k], 1, "vv").flattened(points) for k in (2, 3))
    product = later * earlier.conj() * np.exp(-1j * tiny_truth.phase(grid, 2))
    expected, fields = tiny_truth.coherence(grid, 2), inside_fields(tiny_truth, grid, 6)
    seen = 0
    for level in np.unique(tiny_truth.temporal_coherence(grid, 2)):
        field = fields & (tiny_truth.temporal_coherence(grid, 2) == level)
        if field.sum() < 3000:
            continue
        total = product[field].sum()
        coherence = abs(total) / np.sqrt((abs(earlier[field]) ** 2).sum() * (abs(later[field]) ** 2).sum())
        assert coherence == pytest.approx(expected[field].mean(), abs=0.08)
        if level > 0.3:
            assert abs(np.angle(total)) < 0.15
        seen += 1
    assert seen >= 2


def test_what_limits_coherence(tiny_truth: Truth) -> None:
    grid = Grid(tiny_truth.place.grid.epsg, tiny_truth.place.grid.west, tiny_truth.place.grid.north, 64, 64, 40.0)
    for pair in range(4):
        spectral = tiny_truth.spectral_coherence(grid, pair)
        assert 0.5 < spectral.min() < spectral.max() <= 1.0
        assert (tiny_truth.coherence(grid, pair) <= tiny_truth.temporal_coherence(grid, pair) + 1e-12).all()
    assert (tiny_truth.snr(grid, 0, "vv") > tiny_truth.snr(grid, 0, "vh")).mean() > 0.95
    assert abs(tiny_truth.perpendicular_baseline_m(1)) < 120.0


def test_angles_of_the_truth_agree_with_the_grid(tiny: Path, tiny_truth: Truth) -> None:
    """On level ground the incidence angle is the ellipsoid's, and the factor its tangent's inverse."""
    import dataclasses

    flat = Truth(dataclasses.replace(places()["tiny"], relief=0.0))
    centre = flat.place.grid
    grid = Grid(centre.epsg, centre.west, centre.north, 16, 16, 160.0)
    incidence = flat.incidence(grid)
    annotated = Product(safes(tiny)[0], 1, "vv").annotation.grid()[-1]
    assert annotated.min() < incidence.min() < incidence.max() < annotated.max()
    np.testing.assert_allclose(flat.factor(grid), np.tan(np.radians(incidence)), rtol=3e-3)
    assert flat.slope(grid).max() < 1e-6
    shadow, layover = flat.shadow_layover(Grid(centre.epsg, centre.west, centre.north, 32, 32))
    assert not shadow.any()
    assert not layover.any()


def test_burst_ids_can_be_left_out() -> None:
    from sen12ts_pipeline.simulate.annotation import geolocation_grid, product_xml

    world = World.of(places()["southern"])
    acquisition = world.passes[0]
    grid = geolocation_grid(acquisition, acquisition.imaged, world.relief)
    for ids in (True, False):
        root = etree.fromstring(
            product_xml(acquisition, acquisition.imaged, "vh", 3, grid, burst_ids=ids, data_offset=4096)
        )
        found = [int(e.text) for e in root.iter("burstId")]
        assert found == ([b.number for b in acquisition.imaged.bursts] if ids else [])
        assert root.findtext(".//productInformation/pass") == "Ascending"
