"""The stand-in gpt itself: bands under SNAP's names, refusals in SNAP's words, and values that agree with the truth."""

import dataclasses
import re

import numpy as np
import pytest
import rasterio
from affine import Affine

from sen12ts_pipeline.domain.lattice import Grid, to_geographic
from sen12ts_pipeline.sar.snap.operators import Release, operators
from sen12ts_pipeline.terrain.geoid import load_geoid
from tests.sar.snap import standin_graph
from tests.sar.snap.standin_graph import GraphError, Node
from tests.sar.snap.standin_operators import OPERATORS, Context, Refused

STEP_DEGREES = 1 / 3600


@pytest.fixture
def snap(tmp_path):
    """Apply an operator of a release: sources first, then its parameters; defaults are SNAP's."""
    return applier(tmp_path)


def applier(userdir, release=(13, 0, 4), said=None):
    context = Context(release, userdir, (said if said is not None else []).append)

    def call(operator, *sources, **parameters):
        known = operators()[operator].in_release(Release(release))
        defaults = {name: p.default for name, p in known.items() if p.default is not None}
        texts = {name: text(value) for name, value in parameters.items()}
        return OPERATORS[operator]({**defaults, **texts}, list(sources), context)

    return call


def text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def names(product):
    return [band.name for band in product.bands]


def real(product):
    return [band.name for band in product.bands if not band.virtual]


@pytest.fixture(scope="module")
def safes(tiny):
    return [tiny.source.place(one.products[0]) for one in tiny.passes]


@pytest.fixture(scope="module")
def dem(tiny, tmp_path_factory):
    """The place's terrain as SNAP wants it: above EGM96, every sample half a pixel south-east of its place."""
    path = tmp_path_factory.mktemp("dem") / "dem.tif"
    write_dem(path, tiny)
    return path


def write_dem(path, world, *, shifted=True, geoid=True, nodata=-32768):
    west, north = (round(v / STEP_DEGREES) * STEP_DEGREES for v in (-4.95, 38.05))
    lon, lat = west + np.arange(900) * STEP_DEGREES, north - np.arange(900) * STEP_DEGREES
    heights = world.truth.world.relief.geographic(*np.meshgrid(lon, lat))
    if geoid:
        heights = heights - load_geoid("egm96", None).undulation(*np.meshgrid(lon, lat))
    # A sample's place is its pixel's centre, so the corner lies half a pixel north-west of it; shifted, on it.
    corner = 0.0 if shifted else STEP_DEGREES / 2
    place = Affine(STEP_DEGREES, 0, west - corner, 0, -STEP_DEGREES, north + corner)
    profile = {"driver": "GTiff", "width": 900, "height": 900, "count": 1, "dtype": "float32", "nodata": nodata}
    with rasterio.open(path, "w", crs="EPSG:4326", transform=place, **profile) as target:
        target.write(heights.astype(np.float32), 1)


def dem_parameters(path):
    return {
        "demName": "External DEM",
        "externalDEMFile": path,
        "externalDEMNoDataValue": -32768,
        "externalDEMApplyEGM": True,
    }


def lattice_parameters(tiny):
    return {
        "mapProjection": f"EPSG:{tiny.grid.epsg}",
        "pixelSpacingInMeter": 10.0,
        "alignToStandardGrid": True,
        "standardGridOriginX": 5.0,
        "standardGridOriginY": 5.0,
    }


def split_of(snap, safe, pols="VV,VH", swath="IW1", **bursts):
    return snap("TOPSAR-Split", snap("Read", file=safe), subswath=swath, selectedPolarisations=pols, **bursts)


def beta_of(snap, safe, **noise):
    clean = snap("ThermalNoiseRemoval", split_of(snap, safe), selectedPolarisations="VV,VH", **noise)
    beta = snap("Calibration", clean, outputBetaBand=True, outputSigmaBand=False)
    return snap("Multilook", snap("TOPSAR-Deburst", beta), nRgLooks=3, grSquarePixel=False)


def stack_of(snap, safes, dem):
    given = {k: v for k, v in dem_parameters(dem).items() if k != "externalDEMApplyEGM"}
    return snap("Back-Geocoding", *(split_of(snap, safe, "VV") for safe in safes[:2]), **given)


class TestNames:
    def test_of_a_product_are_vh_before_vv_with_a_virtual_power(self, snap, safes):
        product = snap("Read", file=safes[0], formatName="SENTINEL-1")
        assert names(product)[:6] == [f"{part}_IW1_{pol}" for pol in ("VH", "VV") for part in ("i", "q", "Intensity")]
        assert real(product)[:2] == ["i_IW1_VH", "q_IW1_VH"]
        assert names(snap("Read", file=safes[0] / "manifest.safe")) == names(product)

    def test_of_backscatter_step_by_step(self, snap, safes, dem, tiny):
        split = split_of(snap, safes[0])
        noise = snap("ThermalNoiseRemoval", split)
        assert names(noise) == ["Intensity_IW1_VH", "Intensity_IW1_VV"]
        assert names(snap("Calibration", noise)) == ["Sigma0_IW1_VH", "Sigma0_IW1_VV"]
        assert names(snap("Calibration", noise, outputSigmaBand=False)) == ["Sigma0_IW1_VH", "Sigma0_IW1_VV"]
        beta = beta_of(snap, safes[0])
        assert names(beta) == ["Beta0_IW1_VH", "Beta0_IW1_VV"]
        parameters = dem_parameters(dem)
        both = snap("Terrain-Flattening", beta, **parameters, outputSigma0=True, outputSimulatedImage=True)
        assert names(both) == [
            *("Gamma0_IW1_VV", "Sigma0_IW1_VV", "Gamma0_IW1_VH", "Sigma0_IW1_VH", "simulatedImage"),
        ]
        mapped = snap("Terrain-Correction", both, **parameters, **lattice_parameters(tiny), saveDEM=True)
        assert names(mapped) == [*names(both)[:-1], "simulatedImage_VV", "elevation"]
        assert mapped.name.endswith("_NR_Cal_Deb_ML_RTC_TC")

    @pytest.mark.parametrize(
        ("release", "first", "second"), [((13, 0, 4), "mst", "slv1"), ((14, 0, 0), "ref", "sec1")], ids=["13", "14"]
    )
    def test_of_interferometry_step_by_step(self, tmp_path, safes, dem, tiny, release, first, second):
        snap = applier(tmp_path, release)
        stack = stack_of(snap, safes, dem)
        dates = f"{first}_01Aug2023", f"{second}_13Aug2023"
        assert real(stack) == [f"{part}_IW1_VV_{date}" for date in dates for part in "iq"]
        crossed = snap("Interferogram", stack, **dem_parameters(dem), subtractTopographicPhase=True)
        pair = "IW1_VV_01Aug2023_13Aug2023"
        assert names(crossed) == [
            *(f"{name}_{pair}" for name in ("i_ifg", "q_ifg", "Intensity_ifg", "Phase_ifg", "coh")),
        ]
        listed = f"i_ifg_{pair},q_ifg_{pair}"
        looked = snap("Multilook", snap("TOPSAR-Deburst", crossed), sourceBands=listed, nRgLooks=3)
        assert names(looked) == listed.split(",")
        place = {**dem_parameters(dem), **lattice_parameters(tiny)}
        assert names(snap("Terrain-Correction", looked, **place, outputComplex=True)) == listed.split(",")
        assert names(snap("Terrain-Correction", looked, **place)) == [f"Intensity_ifg_{pair}"]
        power = snap(
            "Multilook",
            snap("TOPSAR-Deburst", stack),
            sourceBands=",".join(real(stack)),
            nRgLooks=3,
            grSquarePixel=False,
            outputIntensity=True,
        )
        assert names(power) == [f"Intensity_IW1_VV_{date}" for date in dates]

    def test_of_merged_subswaths_have_no_token_for_them(self, snap, safes):
        parts = [snap("TOPSAR-Deburst", split_of(snap, safes[0], "VV", swath)) for swath in ("IW1", "IW2")]
        assert names(snap("TOPSAR-Merge", *parts)) == ["i_VV", "q_VV", "Intensity_VV"]

    def test_of_a_polarisation_that_is_not_there_are_those_of_all_in_a_split_and_none_elsewhere(self, snap, safes):
        assert len(names(split_of(snap, safes[0], "HH"))) == 6
        assert names(snap("ThermalNoiseRemoval", split_of(snap, safes[0]), selectedPolarisations="HH")) == []


def refusals(snap, safes, dem, tiny):
    split, beta = split_of(snap, safes[0]), beta_of(snap, safes[0])
    single = [split_of(snap, s, "VV", lastBurstIndex=1) for s in safes[:2]]
    given = {k: v for k, v in dem_parameters(dem).items() if k != "externalDEMApplyEGM"}
    pair = snap("Back-Geocoding", *single, **given)
    place = {**dem_parameters(dem), **lattice_parameters(tiny)}
    noise = snap("ThermalNoiseRemoval", split)
    return {
        "no such file": ("does not exist", lambda: snap("Read", file="nowhere.SAFE")),
        "bursts beyond": ("pixel region .* is invalid", lambda: split_of(snap, safes[0], firstBurstIndex=3)),
        "bursts reversed": (
            "pixel region .* is invalid",
            lambda: split_of(snap, safes[0], firstBurstIndex=2, lastBurstIndex=1),
        ),
        "no such swath": ("Index -1 out of bounds", lambda: split_of(snap, safes[0], swath="IW3")),
        "noise twice": ("already been performed", lambda: snap("ThermalNoiseRemoval", noise)),
        "calibration late": ("before deburst", lambda: snap("Calibration", snap("TOPSAR-Deburst", split))),
        "calibration of a stack": ("coregistered", lambda: snap("Calibration", pair)),
        "wrong band": (
            "Value for 'Source Bands' is invalid: 'Beta0_VV'",
            lambda: snap("Multilook", beta, sourceBands="Beta0_VV"),
        ),
        "looks in bursts": ("should first be deburst", lambda: snap("Multilook", split)),
        "crop of bursts": ("should first be deburst", lambda: snap("Subset", split)),
        "flattening of sigma0": (
            "requires beta0",
            lambda: snap("Terrain-Flattening", snap("TOPSAR-Deburst", snap("Calibration", noise)), **place),
        ),
        "one swath to merge": ("at least two", lambda: snap("TOPSAR-Merge", beta)),
        "far swaths to merge": ("neighbouring", lambda: snap("TOPSAR-Merge", beta, beta)),
        "one burst for ESD": ("^0$", lambda: snap("Enhanced-Spectral-Diversity", pair)),
        "no stack": ("must be coregistered", lambda: snap("Interferogram", split, **dem_parameters(dem))),
        "no output": (
            "select output band",
            lambda: snap("Terrain-Correction", beta, **place, saveSelectedSourceBand=False),
        ),
        "a DEM of the network": (
            "cannot be fetched",
            lambda: snap("Terrain-Correction", beta, **lattice_parameters(tiny)),
        ),
        "no orbit file": ("No valid orbit file", lambda: snap("Apply-Orbit-File", snap("Read", file=safes[0]))),
        "one slice": ("at least two", lambda: snap("SliceAssembly", snap("Read", file=safes[0]))),
    }


def test_it_refuses_what_snap_refuses_with_its_words(snap, safes, dem, tiny):
    for name, (words, call) in refusals(snap, safes, dem, tiny).items():
        with pytest.raises(Refused) as caught:
            call()
        assert re.search(words, str(caught.value)), name


class TestOrbitFiles:
    NAME = "S1A_OPER_AUX_{}_OPOD_20230821T080734_V20230731T225942_20230802T005942.EOF"

    def lay(self, folder, kind, month="2023/08"):
        file = folder / f"auxdata/Orbits/Sentinel-1/{kind}/S1A/{month}" / self.NAME.format(kind)
        file.parent.mkdir(parents=True)
        file.write_text("")
        return file.name

    def test_are_found_by_the_month_of_the_acquisition_and_told(self, tmp_path, safes):
        name = self.lay(tmp_path, "POEORB")
        product = applier(tmp_path)("Apply-Orbit-File", applier(tmp_path)("Read", file=safes[0]))
        assert product.notes["orbit_state_vector_file"] == f"Sentinel Precise  {name}"

    def test_of_the_month_in_which_their_validity_begins_are_not_found(self, tmp_path, safes):
        self.lay(tmp_path, "POEORB", "2023/07")
        with pytest.raises(Refused, match="No valid orbit file"):
            applier(tmp_path)("Apply-Orbit-File", applier(tmp_path)("Read", file=safes[0]))

    def test_of_the_lesser_kind_stand_in_with_a_warning_alone(self, tmp_path, safes):
        name, said = self.lay(tmp_path, "RESORB"), []
        snap = applier(tmp_path, said=said)
        product = snap("Apply-Orbit-File", snap("Read", file=safes[0]))
        assert product.notes["orbit_state_vector_file"] == f"Sentinel Precise  {name}"
        assert any(line.startswith("WARNING") for line in said)


class TestGraphs:
    NODE = Node("look", "Multilook", ("deburst",), {"nRgLooks": "3"})

    def test_that_fit_the_table_pass(self):
        standin_graph.validate([self.NODE], (13, 0, 4))

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"parameters": {"bogus": "1"}}, r"\[NodeId: look\] Operator 'MultilookOp': Unknown element 'bogus'"),
            ({"parameters": {"nRgLooks": "0"}}, "Value for 'nRgLooks' is invalid: '0'"),
            ({"parameters": {"nRgLooks": "three"}}, "Value for 'nRgLooks' is invalid"),
            ({"parameters": {"grSquarePixel": "False"}}, "Value for 'grSquarePixel' is invalid"),
            ({"operator": "Multi-look"}, "Unknown operator"),
            ({"sources": ()}, "takes one sources, is given 0"),
        ],
    )
    def test_that_do_not_are_refused_with_node_and_operator(self, changes, words):
        with pytest.raises(GraphError, match=words):
            standin_graph.validate([dataclasses.replace(self.NODE, **changes)], (13, 0, 4))

    def test_may_have_what_came_with_14_in_14_alone(self):
        node = Node("noise", "ThermalNoiseRemoval", ("split",), {"clipNegativeValues": "false"})
        standin_graph.validate([node], (14, 0, 0))
        with pytest.raises(GraphError, match="Unknown element 'clipNegativeValues'"):
            standin_graph.validate([node], (13, 0, 4))

    @pytest.mark.parametrize(
        ("sources", "words"),
        [
            ('<source refid="a"/>', "sources must be"),
            ('<sourceProduct refid="a"/><sourceProduct refid="a"/>', "sources must be"),
            ('<sourceProduct refid="b"/>', "Missing source 'b'"),
        ],
    )
    def test_name_their_sources_in_order_and_only_nodes(self, sources, words):
        body = f"""<graph id="Graph"><version>1.0</version>
        <node id="a"><operator>Read</operator><sources/><parameters/></node>
        <node id="c"><operator>Write</operator><sources>{sources}</sources><parameters/></node></graph>"""
        with pytest.raises(GraphError, match=words):
            standin_graph.parse(body.encode())

    def test_run_sources_first_wherever_they_stand(self):
        nodes = [Node("b", "Write", ("a",), {}), Node("a", "Read", (), {})]
        assert [n.id for n in standin_graph.in_order(nodes)] == ["a", "b"]


def on_truth(product, name, world):
    """A band on the tile's own grid."""
    values = next(b for b in product.bands if b.name == name).values(product.strips[0].swath)
    top, left = (round(d / 10) for d in (product.grid.north - world.grid.north, world.grid.west - product.grid.west))
    return values[top : top + 256, left : left + 256].astype(float)


class TestHeights:
    """What operators see of the file: `elevation` is what Terrain-Correction used."""

    @pytest.fixture
    def off(self, snap, safes, tiny, tmp_path):
        """Heights less the truth, on the tile; parameters of the DEM file, then of the operator."""
        beta = beta_of(snap, safes[0])

        def call(apply_geoid=True, **options):
            path = tmp_path / "dem.tif"
            write_dem(path, tiny, **options)
            place = {**dem_parameters(path), **lattice_parameters(tiny), "externalDEMApplyEGM": apply_geoid}
            mapped = snap("Terrain-Correction", beta, **place, saveDEM=True)
            return on_truth(mapped, "elevation", tiny) - tiny.truth.height(tiny.grid)

        return call

    def test_are_the_truth_s_from_a_file_above_egm96_half_a_pixel_south_east(self, off):
        assert np.abs(off()).max() < 0.6

    def test_lie_half_a_pixel_north_west_from_an_ordinary_file(self, off, tiny):
        found = off(shifted=False)
        half = STEP_DEGREES / 2
        lon, lat = to_geographic(tiny.grid.epsg).transform(
            *np.meshgrid(tiny.grid.west + 10 * (np.arange(256) + 0.5), tiny.grid.north - 10 * (np.arange(256) + 0.5))
        )
        relief = tiny.truth.world.relief
        expected = relief.geographic(lon + half, lat - half) - relief.geographic(lon, lat)
        assert np.abs(expected).max() > 3
        assert np.abs(found - expected).max() < 0.6

    def test_are_off_by_the_undulation_where_the_switch_is_not_that_of_the_file(self, off):
        assert off(apply_geoid=False).mean() == pytest.approx(-51, abs=3)
        assert off(geoid=False).mean() == pytest.approx(51, abs=3)


class TestLattice:
    def corner(self, snap, safes, dem, tiny, **changes):
        place = {**dem_parameters(dem), **lattice_parameters(tiny), **changes}
        grid = snap("Terrain-Correction", beta_of(snap, safes[0]), **place).grid
        return grid.west % grid.spacing_m, grid.north % grid.spacing_m

    def test_has_its_edges_on_multiples_of_the_spacing_by_an_origin_of_half_of_it(self, snap, safes, dem, tiny):
        assert self.corner(snap, safes, dem, tiny) == (0, 0)
        twenty = {"pixelSpacingInMeter": 20.0, "standardGridOriginX": 10.0, "standardGridOriginY": 10.0}
        assert self.corner(snap, safes, dem, tiny, **twenty) == (0, 0)

    def test_is_half_a_pixel_off_by_the_origin_that_snap_takes_by_itself(self, snap, safes, dem, tiny):
        assert self.corner(snap, safes, dem, tiny, standardGridOriginX=0.0, standardGridOriginY=0.0) == (5, 5)

    def test_ends_where_a_crop_ends(self, snap, safes, dem, tiny):
        ring = [(tiny.grid.west, tiny.grid.south), (tiny.grid.east, tiny.grid.north)]
        (w, s), (e, n) = (to_geographic(tiny.grid.epsg).transform(*point) for point in ring)
        region = f"POLYGON (({w} {s}, {e} {s}, {e} {n}, {w} {n}, {w} {s}))"
        crop = snap("Subset", beta_of(snap, safes[0]), geoRegion=region)
        grid = snap("Terrain-Correction", crop, **dem_parameters(dem), **lattice_parameters(tiny)).grid
        assert isinstance(grid, Grid)
        assert abs(grid.west - tiny.grid.west) <= 100
        assert abs(grid.north - tiny.grid.north) <= 100


@pytest.fixture(scope="module")
def powers(safes, dem, tiny, tmp_path_factory):
    """Terrain-flattened power of the first date on the tile, by release and band."""
    found = {}
    for release in ((13, 0, 4), (14, 0, 0)):
        snap = applier(tmp_path_factory.mktemp("user"), release)
        beta = beta_of(snap, safes[0], **({"clipNegativeValues": False} if release >= (14,) else {}))
        flat = snap("Terrain-Flattening", beta, **dem_parameters(dem), outputSigma0=True)
        mapped = snap("Terrain-Correction", flat, **dem_parameters(dem), **lattice_parameters(tiny))
        for name in ("Gamma0_IW1_VV", "Gamma0_IW1_VH", "Sigma0_IW1_VV"):
            found[release[0], name] = on_truth(mapped, name, tiny)
    return found


def decibels_off(power, truth_db, chosen):
    return 10 * np.log10((power / 10 ** (truth_db / 10))[chosen].mean())


class TestBackscatter:
    def test_is_the_truth_s(self, powers, tiny):
        gentle = tiny.truth.slope(tiny.grid) < 15
        for pol in ("VV", "VH"):
            bright = gentle & (tiny.truth.snr(tiny.grid, 0, pol) > 5)
            truth = tiny.truth.gamma0_db(tiny.grid, 0, pol)
            assert bright.sum() > 5000
            assert abs(decibels_off(powers[13, f"Gamma0_IW1_{pol}"], truth, bright)) < 0.3

    def test_of_dark_ground_is_too_bright_in_13_and_not_in_14(self, powers, tiny):
        dark = tiny.truth.snr(tiny.grid, 0, "VH") < 1.0
        truth = tiny.truth.gamma0_db(tiny.grid, 0, "VH")
        assert dark.sum() > 500
        # Of exponential power s + n, what is below n cut off, the mean is (s + n) exp(-n / (s + n)): 1.0 dB over s.
        assert decibels_off(powers[13, "Gamma0_IW1_VH"], truth, dark) == pytest.approx(1.0, abs=0.3)
        assert abs(decibels_off(powers[14, "Gamma0_IW1_VH"], truth, dark)) < 0.3

    def test_as_sigma_nought_is_gamma_nought_times_the_cosine_of_the_incidence(self, powers, tiny):
        gentle = tiny.truth.slope(tiny.grid) < 15
        ratio = powers[13, "Sigma0_IW1_VV"] / powers[13, "Gamma0_IW1_VV"]
        cosine = np.cos(np.radians(tiny.truth.incidence(tiny.grid)))
        assert np.median((ratio / cosine)[gentle]) == pytest.approx(1.0, abs=0.01)


@pytest.fixture(scope="module")
def crossed(safes, dem, tiny, tmp_path_factory):
    """Interferogram, complex, and both powers of the first pair on the tile."""
    snap = applier(tmp_path_factory.mktemp("user"))
    stack, place = stack_of(snap, safes, dem), {**dem_parameters(dem), **lattice_parameters(tiny)}
    looks = {"nRgLooks": 3, "grSquarePixel": False}
    pair = "IW1_VV_01Aug2023_13Aug2023"
    made = snap("Interferogram", stack, **dem_parameters(dem), subtractTopographicPhase=True, includeCoherence=False)
    made = snap("Multilook", snap("TOPSAR-Deburst", made), sourceBands=f"i_ifg_{pair},q_ifg_{pair}", **looks)
    made = snap("Terrain-Correction", made, **place, outputComplex=True)
    power = snap(
        "Multilook", snap("TOPSAR-Deburst", stack), sourceBands=",".join(real(stack)), outputIntensity=True, **looks
    )
    power = snap("Terrain-Correction", power, **place)
    i, q = (on_truth(made, f"{part}_ifg_{pair}", tiny) for part in "iq")
    return i + 1j * q, *(on_truth(power, name, tiny) for name in names(power))


def blocks(values, size=8):
    return values.reshape(256 // size, size, 256 // size, size).mean(axis=(1, 3))


class TestInterferogram:
    def test_has_the_truth_s_phase_with_the_sign_of_earlier_times_conjugate_later(self, crossed, tiny):
        truth = np.exp(1j * tiny.truth.phase(tiny.grid, 0))
        coherent = tiny.truth.coherence(tiny.grid, 0) > 0.5
        turned = (crossed[0] * truth)[coherent].sum()
        assert abs(np.angle(turned)) < 0.05
        assert np.abs(turned) > 2 * np.abs((crossed[0] * np.conj(truth))[coherent].sum())

    def test_has_the_truth_s_coherence(self, crossed, tiny):
        flat = crossed[0] * np.exp(1j * tiny.truth.phase(tiny.grid, 0))
        found = np.abs(blocks(flat)) / np.sqrt(blocks(crossed[1]) * blocks(crossed[2]))
        truth = blocks(tiny.truth.coherence(tiny.grid, 0))
        assert found.max() <= 1 + 1e-6
        high = truth > 0.5
        assert high.sum() > 100
        assert (found - truth)[high].mean() == pytest.approx(0.0, abs=0.04)
        assert np.corrcoef(found.ravel(), truth.ravel())[0, 1] > 0.8
