"""`backscatter` and `interferogram`: one grid from products given by path."""

import os

import numpy as np
import pytest
import rasterio

from sen12ts_pipeline.acquisition.archive import ArchiveSource
from sen12ts_pipeline.cli import science
from sen12ts_pipeline.domain.passes import Pass
from sen12ts_pipeline.sar.native.scene import open_pass
from sen12ts_pipeline.sentinel1.manifest import read_slice
from tests import worlds
from tests.sentinel1.orbit_files import orbit_file

GRID = worlds.TINY.tiles[0].grid
SMALL = f"{GRID.epsg},{GRID.west + 600:.0f},{GRID.north - 600:.0f},60,80"


@pytest.fixture(scope="session")
def products(tiny):
    return worlds.products_of(tiny, "S1")


@pytest.fixture
def dem(tiny):
    return ("--dem", tiny / "dem/dem.tif", "--dem-vertical", "ellipsoidal")


def read(path):
    with rasterio.open(path) as source:
        return source.read(), source.profile, source.descriptions


def test_backscatter_has_five_described_bands_on_the_grid_asked_for(sen12ts, products, dem, tmp_path):
    code, out, err = sen12ts("backscatter", products[4], *dem, "--grid", SMALL, "--out", "new/b.tif")
    assert (code, err) == (0, "")
    assert out == "new/b.tif: 60 x 80 pixels, gamma0_vh, gamma0_vv, local_incidence_angle, slope, valid\n"
    layers, profile, names = read(tmp_path / "new/b.tif")
    assert names == ("gamma0_vh", "gamma0_vv", "local_incidence_angle", "slope", "valid")
    assert layers.shape == (5, 60, 80)
    assert (profile["crs"].to_epsg(), profile["dtype"]) == (GRID.epsg, "float32")
    assert tuple(profile["transform"])[:6] == (10, 0, GRID.west + 600, 0, -10, GRID.north - 600)
    assert np.isnan(profile["nodata"])
    valid = layers[4] == 1
    assert valid.mean() > 0.99
    assert np.isfinite(layers[:4, valid]).all()
    assert layers[0][valid].mean() < layers[1][valid].mean() - 3
    assert (layers[:2, valid] >= -40).all()
    assert 20 < np.nanmean(layers[2]) < 50
    assert not list((tmp_path / "new").glob(".*"))


def test_interferogram_has_two_bands_on_cells_of_20_metres(sen12ts, products, dem, tmp_path):
    code, _, err = sen12ts("interferogram", products[3], products[4], *dem, "--grid", SMALL, "--out", "i.tif")
    assert (code, err) == (0, "")
    layers, _, names = read(tmp_path / "i.tif")
    assert names == ("coherence", "phase")
    cells = layers.reshape(2, 30, 2, 40, 2)
    assert (cells == cells[:, :, :1, :, :1]).all()
    assert (layers[0] >= 0).all()
    assert (layers[0] <= 1).all()
    assert (np.abs(layers[1]) <= np.float32(np.pi)).all()
    first = layers[1]
    assert sen12ts("interferogram", *products[3:5], *dem, "--grid", SMALL, "--out", "vh.tif", "--pol", "VH")[0] == 0
    assert not np.array_equal(read(tmp_path / "vh.tif")[0][1], first)


def test_a_grid_partly_outside_is_filled_where_it_can_be(sen12ts, products, dem, tmp_path):
    wide = f"{GRID.epsg},{GRID.west - 2560:.0f},{GRID.north:.0f},64,768"
    code, _, err = sen12ts("backscatter", products[4], *dem, "--grid", wide, "--out", "b.tif")
    assert code == 0, err
    layers, *_ = read(tmp_path / "b.tif")
    valid = layers[4] == 1
    inside = valid[:, 256:512]
    assert inside.mean() > 0.99
    assert not valid.all()
    assert (layers[4][np.isnan(layers[1])] == 0).all()
    code, _, _ = sen12ts("backscatter", products[4], *dem, "--grid", SMALL, "--out", "s.tif")
    small, *_ = read(tmp_path / "s.tif")
    np.testing.assert_allclose(layers[1, 60:64, 316:396], small[1, :4], atol=0.1)


def test_a_grid_wholly_outside_is_an_error_and_no_file(sen12ts, products, dem, tmp_path):
    far = f"{GRID.epsg},{GRID.west + 100_000:.0f},{GRID.north:.0f},64,64"
    code, _, err = sen12ts("backscatter", products[4], *dem, "--grid", far, "--out", "b.tif")
    assert code == 2
    assert err.splitlines()[-1].startswith("error: EPSG:")
    assert "refused by rule dem_void" in err
    assert not (tmp_path / "b.tif").exists()


BACKSCATTER = {
    "west off 10 m": (("--grid", "32630,340005,4200000,64,64"), "WEST: all edges must be multiples of 10 m"),
    "north off 10 m": (("--grid", "32630,340000,4200003,64,64"), "NORTH: all edges must be multiples of 10 m"),
    "not a grid": (("--grid", "32630,340000,4200000"), "--grid: grid: must be EPSG,WEST,NORTH,ROWS,COLS"),
    "degrees": (("--grid", "4326,-10,40,64,64"), "--grid: EPSG: EPSG must be a projected map system in metres"),
    "feet": (("--grid", "2225,6000000,2000000,64,64"), "--grid: EPSG: EPSG must be a projected map system in metres"),
    "no system": (("--grid", "99999,0,0,64,64"), "--grid: EPSG: EPSG must be a projected map system in metres"),
    "spacing": (("--grid", SMALL, "--spacing", "20"), "--spacing: spacing: must be 10 metres; got 20.0"),
}


@pytest.mark.parametrize("name", BACKSCATTER)
def test_a_wrong_grid_is_refused(name, sen12ts, products, dem, tmp_path):
    arguments, message = BACKSCATTER[name]
    code, out, err = sen12ts("backscatter", products[4], *dem, *arguments, "--out", "b.tif")
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err
    assert not list(tmp_path.glob("*.tif"))


@pytest.mark.parametrize(
    ("grid", "key"),
    [("340010,4200000,64,64", "WEST"), ("340000,4200010,64,64", "NORTH"), ("340000,4200000,63,64", "ROWS")],
)
def test_an_interferogram_needs_edges_on_20_metres(grid, key, sen12ts, products, dem):
    code, _, err = sen12ts("interferogram", *products[:2], *dem, "--grid", f"32630,{grid}", "--out", "i.tif")
    assert code == 2
    assert f"{key}: all edges must be multiples of 20 m" in err


@pytest.mark.parametrize("order", [(4, 3), (3, 3)])
def test_an_interferogram_needs_the_earlier_product_first(order, sen12ts, products, dem):
    pair = [products[k] for k in order]
    code, _, err = sen12ts("interferogram", *pair, *dem, "--grid", SMALL, "--out", "i.tif")
    assert code == 2
    assert "REFERENCE_SAFE: start: the reference must be the earlier product; swap the two" in err


def test_wrong_options_are_named(sen12ts, products, tiny, dem, tmp_path):
    rest = ("--grid", SMALL, "--out", "b.tif")
    height = ("--dem", tiny / "dem/dem.tif", "--dem-vertical")
    cases = [
        (("backscatter", tmp_path / "S1A.SAFE", *dem), "SAFE: path: must be an existing file or folder"),
        (("backscatter", products[4], "--dem", "no.tif", "--dem-vertical", "egm96"), "--dem: dem: must be an existing"),
        (("backscatter", products[4], *height, "sea"), "sea"),
        (("backscatter", products[4], *height, "egm2008"), "heights above EGM2008 need a geoid grid"),
        (("backscatter", products[4], *dem, "--slice", products[3]), "slices given together must be of one datatake"),
        (("interferogram", *products[3:5], *dem, "--pol", "HH"), "--pol: pol: must be VV or VH; got 'HH'"),
    ]
    for arguments, message in cases:
        code, out, err = sen12ts(*arguments, *rest)
        assert (code, out) == (2, ""), arguments
        assert message in err.splitlines()[-1]
        assert "Traceback" not in err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_named(sen12ts, products, dem, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    code, _, err = sen12ts("backscatter", products[4], *dem, "--grid", SMALL, "--out", "locked/b.tif")
    assert code == 2
    assert "--out: out: must be a file that can be written: Permission denied; got 'locked/b.tif'" in err


def test_a_place_that_is_no_file_is_named(sen12ts, products, dem, tmp_path):
    (tmp_path / "there").write_text("a file")
    code, _, err = sen12ts("backscatter", products[4], *dem, "--grid", SMALL, "--out", "there/b.tif")
    assert code == 2
    assert "--out: out: must be a file that can be written: " in err


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    out = tmp_path / "b.tif"
    out.write_bytes(b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(science.ConfigurationError, match="No space left on device"):
        science._replace(out, b"new")
    assert out.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [out]


def test_a_broken_product_is_named_with_its_file(sen12ts, products, dem, tiny, tmp_path):
    folder = worlds.copy(tiny, tmp_path / "world")
    product = worlds.products_of(folder, "S1")[4]
    path = next(product.glob("measurement/*iw1*vv*.tiff"))
    worlds.rewrite(path, path.read_bytes()[: path.stat().st_size // 4])
    code, _, err = sen12ts("backscatter", product, *dem, "--grid", SMALL, "--out", "b.tif")
    assert code == 2
    assert err.startswith(f"error: {product.stem}/measurement/{path.name}: ")
    assert not (tmp_path / "b.tif").exists()


def test_a_zip_gives_the_same_layers_as_its_folder(sen12ts, products, dem, tmp_path):
    import shutil

    root = products[4].parent
    shutil.make_archive(str(tmp_path / products[4].stem), "zip", root, products[4].name)
    for name, product in (("a.tif", products[4]), ("b.tif", tmp_path / f"{products[4].stem}.zip")):
        assert sen12ts("backscatter", product, *dem, "--grid", SMALL, "--out", name)[0] == 0
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


def test_orbit_files_replace_the_annotated_orbits(sen12ts, products, dem, tiny, tmp_path):
    # The later pass's true orbit lay 3 m aside: the phase takes on a ramp of flat earth.
    source = ArchiveSource(tiny / "archive")
    one = open_pass(Pass((read_slice(source.open(products[4].stem)),)), source)
    day = f"{one.epoch:%Y%m%d}"
    name = f"S1A_OPER_AUX_POEORB_OPOD_20990101T000000_V{day}T000000_{day}T235959.EOF"
    for folder, aside_m in (("same", 0.0), ("other", 3.0)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes(orbit_file(one.orbit, one.epoch, aside_m))
    phases = []
    for out, options in (("a.tif", ()), ("b.tif", ("--orbits", "same")), ("c.tif", ("--orbits", "other"))):
        code, _, err = sen12ts("interferogram", *products[3:5], *dem, "--grid", SMALL, "--out", out, *options)
        assert code == 0, err
        phases.append(read(tmp_path / out)[0][1])
    np.testing.assert_allclose(np.exp(1j * phases[1]), np.exp(1j * phases[0]), atol=2e-3)
    assert abs(np.angle(np.exp(1j * (phases[2] - phases[0])))).mean() > 0.5


def test_a_folder_of_orbits_that_is_not_there_is_named(sen12ts, products, dem):
    code, _, err = sen12ts("backscatter", products[4], *dem, "--grid", SMALL, "--out", "b.tif", "--orbits", "nowhere")
    assert code == 2
    assert "nowhere" in err


def test_slices_of_two_passes_are_not_one(sen12ts, products, dem):
    mixed = ("--reference-slice", products[4])
    code, _, err = sen12ts("interferogram", *products[3:5], *dem, "--grid", SMALL, "--out", "i.tif", *mixed)
    assert code == 2
    assert "one datatake" in err
