"""What gpt leaves behind with status 0 is refused when it cannot be right."""

import numpy as np
import pytest

from sen12ts_pipeline.domain.lattice import Grid
from sen12ts_pipeline.errors import EngineFailure, Rejected
from sen12ts_pipeline.sar.snap.checks import check_filled, check_heights, check_orbits, check_powers, on_grid
from sen12ts_pipeline.sar.snap.dimap import Raster

GRID = Grid(32631, 500_000.0, 4_400_000.0, 4, 6)
PRECISE = "S1A_OPER_AUX_POEORB_OPOD_20200124T120721_V20200103T225942_20200105T005942"
RESTITUTED = "S1A_OPER_AUX_RESORB_OPOD_20200104T210000_V20200104T160000_20200104T193000"


def raster(west=499_900.0, north=4_400_050.0, spacing=10.0):
    values = np.arange(30 * 40, dtype=np.float32).reshape(30, 40)
    return Raster((values,), Grid(32631, west, north, 30, 40, spacing))


class TestLattice:
    def test_pixels_are_those_of_the_grid(self):
        (layer,) = on_grid(raster(), GRID, "power")
        np.testing.assert_array_equal(layer, raster().layers[0][5:9, 10:16])

    def test_what_lies_beyond_the_raster_is_missing(self):
        (layer,) = on_grid(raster(west=500_020.0), GRID, "power")
        np.testing.assert_array_equal(np.isnan(layer), [[True, True, False, False, False, False]] * 4)

    @pytest.mark.parametrize(
        "other",
        [raster(west=499_905.0), raster(north=4_400_045.0), raster(spacing=20.0)],
        ids=["east", "north", "size"],
    )
    def test_half_a_pixel_beside_it_or_another_size_is_refused(self, other):
        with pytest.raises(EngineFailure, match="gpt failed on power: pixels must be those of the lattice"):
            on_grid(other, GRID, "power")


class TestHeights:
    def test_may_differ_as_much_as_interpolations_do(self):
        truth = np.linspace(100.0, 200.0, 24).reshape(4, 6)
        used = (truth + np.random.default_rng(1).normal(0, 5, truth.shape)).astype(np.float32)
        check_heights(used, truth, "backscatter")

    def test_without_the_geoid_are_refused(self):
        truth = np.full((4, 6), 100.0)
        with pytest.raises(EngineFailure, match=r"lie -49\.0 m off"):
            check_heights((truth - 49.0).astype(np.float32), truth, "backscatter")

    def test_are_not_asked_for_where_one_is_unknown(self):
        truth = np.full((4, 6), np.nan)
        check_heights(np.zeros((4, 6), np.float32), truth, "backscatter")


class TestFilled:
    def test_a_few_holes_are_none_of_gpt_s_faults(self):
        layer = np.zeros((10, 10), np.float32)
        layer[0, :5] = np.nan
        check_filled(layer, np.ones((10, 10), bool), "backscatter")

    def test_more_cost_the_frame(self):
        layer = np.zeros((10, 10), np.float32)
        layer[0, :6] = np.nan
        with pytest.raises(Rejected, match="snap_gaps: 6 of 100 valid pixels have no data, at most 5% may"):
            check_filled(layer, np.ones((10, 10), bool), "backscatter")

    def test_what_is_not_valid_may_be_empty(self):
        valid = np.zeros((10, 10), bool)
        check_filled(np.full((10, 10), np.nan, np.float32), valid, "backscatter")


class TestPowers:
    def test_of_the_same_samples_bound_the_interferogram(self):
        rng = np.random.default_rng(2)
        first, second = (rng.normal(size=(3, 20, 20)) + 1j * rng.normal(size=(3, 20, 20)) for _ in range(2))
        crossed = (first * second.conj()).mean(axis=0)
        powers = [(np.abs(x) ** 2).mean(axis=0).astype(np.float32) for x in (first, second)]
        check_powers((crossed.real.astype(np.float32), crossed.imag.astype(np.float32)), powers, "interferogram")

    def test_of_others_do_not(self):
        one = np.ones((2, 2), np.float32)
        with pytest.raises(EngineFailure, match="exceeds both powers in 4 of 4 pixels"):
            check_powers((one, 0 * one), (one, 0.9 * one), "interferogram")

    def test_are_not_compared_where_there_are_none(self):
        one, nothing = np.ones((2, 2), np.float32), np.full((2, 2), np.nan, np.float32)
        check_powers((nothing, nothing), (one, one), "interferogram")


class TestOrbits:
    @pytest.fixture
    def dim(self, tmp_path):
        def write(*files):
            said = "".join(f'<MDATTR name="orbit_state_vector_file">Sentinel Precise {f}.EOF</MDATTR>' for f in files)
            (tmp_path / "x.dim").write_text(f"<Dimap_Document><MDElem>{said}</MDElem></Dimap_Document>")
            return tmp_path / "x.dim"

        return write

    def test_that_were_asked_for_are_applied(self, dim):
        check_orbits(dim(PRECISE), [PRECISE], "backscatter")

    def test_restituted_in_place_of_precise_are_refused_whatever_the_type_says(self, dim):
        with pytest.raises(EngineFailure, match=f"orbit file {PRECISE} must be applied; applied are .*{RESTITUTED}"):
            check_orbits(dim(RESTITUTED), [PRECISE], "backscatter")

    def test_none_at_all_are_refused(self, dim):
        with pytest.raises(EngineFailure, match="applied are none"):
            check_orbits(dim(), [PRECISE], "backscatter")
