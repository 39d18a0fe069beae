"""From a pass to flattened power on the map: each step once, in its order, and dB with the contract's bounds."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from sen12ts_pipeline.sar.snap.backscatter import backscatter_graph, decibels
from tests.sar.snap.examples import (
    LATER,
    RELEASES,
    SITE,
    SNAP_13,
    SNAP_14,
    before,
    nodes_of,
    operators_of,
    situations,
    two_slices,
    two_swaths,
)

STEPS = [
    "Read",
    "Apply-Orbit-File",
    "TOPSAR-Split",
    "ThermalNoiseRemoval",
    "Calibration",
    "TOPSAR-Deburst",
    "Multilook",
    "Subset",
    "Terrain-Flattening",
    "Terrain-Correction",
    "Write",
]


def graph(plan=LATER, release=SNAP_13, quantity="gamma0"):
    return backscatter_graph(plan, SITE, Path("/out/backscatter.dim"), release, quantity)


def given(graph, operator):
    """Parameters of the one node of an operator."""
    (node,) = nodes_of(graph, operator)
    return dict(node.parameters)


class TestSteps:
    def test_follow_one_another(self):
        assert operators_of(graph()) == STEPS
        assert before(graph(), "write") == STEPS[-2::-1]

    def test_skip_the_orbit_of_a_pass_that_keeps_its_own(self):
        assert operators_of(graph(dataclasses.replace(LATER, orbit=""))) == [STEPS[0], *STEPS[2:]]

    @pytest.mark.parametrize(("kind", "word"), [("POEORB", "Precise"), ("RESORB", "Restituted")])
    def test_apply_the_kind_of_orbit_that_the_pass_names(self, kind, word):
        made = graph(dataclasses.replace(LATER, orbit=f"S1A_OPER_AUX_{kind}_OPOD_20200124T120721"))
        assert given(made, "Apply-Orbit-File")["orbitType"] == f"Sentinel {word} (Auto Download)"
        assert given(made, "Apply-Orbit-File")["continueOnFail"] == "false"

    def test_put_slices_together_in_the_order_of_time_before_anything_else(self):
        made = graph(two_slices(LATER))
        assert operators_of(made)[:4] == ["Read", "Read", "SliceAssembly", "Apply-Orbit-File"]
        files = [made.node(feeds).parameter("file") for _, feeds in made.node("assemble").sources]
        assert files == [str(path) for path in two_slices(LATER).products]

    def test_go_through_every_subswath_and_then_merge(self):
        made = graph(two_swaths(LATER))
        branch = STEPS[2:6]
        assert operators_of(made) == [*STEPS[:2], *STEPS[2:3] * 2, *STEPS[3:6] * 2, "TOPSAR-Merge", *STEPS[6:]]
        for _, feeds in made.node("merge").sources:
            assert [made.node(feeds).operator, *before(made, feeds)] == [*branch[::-1], *STEPS[1::-1]]
        assert [n.parameter("subswath") for n in nodes_of(made, "TOPSAR-Split")] == ["IW1", "IW2"]

    def test_of_a_single_subswath_do_not_merge(self):
        assert "TOPSAR-Merge" not in operators_of(graph())


class TestSplit:
    def test_takes_the_bursts_of_the_plan_in_both_polarisations(self):
        split = given(graph(), "TOPSAR-Split")
        assert (split["subswath"], split["firstBurstIndex"], split["lastBurstIndex"]) == ("IW2", "4", "6")
        assert split["selectedPolarisations"] == "VV,VH"

    @pytest.mark.parametrize("part", [False, True])
    def test_is_told_when_a_product_lacks_subswaths(self, part):
        split = given(graph(dataclasses.replace(LATER, part=part)), "TOPSAR-Split")
        assert split["enableSingleSwathMode"] == str(part).lower()


class TestRadiometry:
    def test_removes_noise_once_and_before_calibration(self):
        for name in ("bursts", "swaths", "slices"):
            made = situations()[name]["backscatter"]
            for node in nodes_of(made, "Calibration"):
                assert before(made, node.id).count("ThermalNoiseRemoval") == 1
            assert len(nodes_of(made, "ThermalNoiseRemoval")) == len(nodes_of(made, "TOPSAR-Split"))

    def test_keeps_negative_power_until_it_is_averaged_where_snap_can(self):
        noise = given(graph(release=SNAP_14), "ThermalNoiseRemoval")
        assert (noise["removeThermalNoise"], noise["clipNegativeValues"]) == ("true", "false")

    def test_makes_beta_nought_and_nothing_else(self):
        made = given(graph(), "Calibration")
        assert [k for k in made if k.startswith("output") and made[k] == "true"] == ["outputBetaBand"]

    def test_calibrates_before_bursts_are_joined_and_never_a_stack(self):
        for release in RELEASES.values():
            for graphs in situations(release).values():
                for made in graphs.values():
                    for node in nodes_of(made, "Calibration"):
                        assert not {"TOPSAR-Deburst", "Back-Geocoding"} & set(before(made, node.id))

    def test_averages_three_samples_in_range_and_none_in_azimuth(self):
        look = given(graph(), "Multilook")
        assert (look["nRgLooks"], look["nAzLooks"], look["grSquarePixel"]) == ("3", "1", "false")

    def test_flattens_with_twice_the_samples_it_must_have(self):
        flat = given(graph(), "Terrain-Flattening")
        assert flat["oversamplingMultiple"] == "2.0"
        assert flat["nodataValueAtSea"] == "false"

    def test_is_not_normalised_again_when_geocoded(self):
        made = given(graph(), "Terrain-Correction")
        wrong = ("applyRadiometricNormalization", "saveSigmaNought", "saveGammaNought", "saveBetaNought")
        assert {made[name] for name in wrong} == {"false"}


class TestCrop:
    def test_comes_only_when_bursts_are_joined(self):
        for release in RELEASES.values():
            for graphs in situations(release).values():
                for made in graphs.values():
                    for node in nodes_of(made, "Subset"):
                        assert "TOPSAR-Deburst" in before(made, node.id)
                        assert node.parameter("geoRegion") == SITE.region.wkt


class TestLattice:
    def test_of_snap_is_that_of_the_data_set(self):
        # Grid points are pixel centres (CRSGeoCodingHandler), so edges lie half a pixel beside them.
        for graphs in situations().values():
            for name in ("backscatter", "interferogram", "power"):
                made = given(graphs[name], "Terrain-Correction")
                spacing = float(made["pixelSpacingInMeter"])
                origin = [float(made[f"standardGridOrigin{axis}"]) for axis in "XY"]
                assert made["alignToStandardGrid"] == "true"
                assert spacing == 10.0
                assert [(x - spacing / 2) % 10.0 for x in origin] == [0.0, 0.0]
                assert float(made["pixelSpacingInDegree"]) == 0.0
                assert made["mapProjection"] == "EPSG:32631"


class TestOutputs:
    @pytest.mark.parametrize(
        ("plan", "names"),
        [(LATER, ("Gamma0_IW2_VV", "Gamma0_IW2_VH")), (two_swaths(LATER), ("Gamma0_VV", "Gamma0_VH"))],
        ids=["one subswath", "two"],
    )
    def test_are_powers_named_by_the_subswath_unless_merged_and_heights(self, plan, names):
        made = graph(plan)
        assert made.outputs[0].bands == (*names, "elevation")
        assert given(made, "Terrain-Correction")["sourceBands"] == ",".join(names)
        assert given(made, "Terrain-Correction")["saveDEM"] == "true"
        beta = ",".join(name.replace("Gamma0", "Beta0") for name in names)
        assert given(made, "Multilook")["sourceBands"] == given(made, "Terrain-Flattening")["sourceBands"] == beta

    def test_are_asked_for_by_pattern_of_one_band_each(self):
        vv, vh, elevation = graph().outputs[0].bands
        assert re.fullmatch(vv, "Gamma0_IW2_VV")
        assert re.fullmatch(vh, "Gamma0_IW2_VH")
        assert re.fullmatch(elevation, "elevation")

    def test_have_no_mask_of_snap_in_which_good_ground_and_none_are_one(self):
        for graphs in situations().values():
            for made in graphs.values():
                masks = [n.parameter("saveLayoverShadowMask") for n in nodes_of(made, "Terrain-Correction")]
                assert set(masks) <= {"false"}

    def test_may_be_sigma_nought(self):
        made = graph(quantity="sigma0")
        assert made.outputs[0].bands == ("Sigma0_IW2_VV", "Sigma0_IW2_VH", "elevation")
        assert given(made, "Terrain-Flattening")["outputSigma0"] == "true"
        assert given(graph(), "Terrain-Flattening")["outputSigma0"] == "false"

    def test_are_of_13_and_14_the_same(self):
        assert graph(release=SNAP_14).outputs == graph(release=SNAP_13).outputs


class TestDecibels:
    def test_are_ten_times_the_logarithm(self):
        power = np.array([[1.0, 0.1, 0.01, 50.0]], np.float32)
        made, floored = decibels(power, np.ones((1, 4), bool))
        np.testing.assert_allclose(made, [[0.0, -10.0, -20.0, 16.98970]], atol=1e-5)
        assert made.dtype == np.float32
        assert floored == 0

    def test_end_at_the_contract_s_bounds(self):
        made, floored = decibels(np.array([[1e-6, -1e-4, 2e3]], np.float32), np.ones((1, 3), bool))
        np.testing.assert_array_equal(made, [[-40.0, -40.0, 30.0]])
        assert floored == 2

    def test_are_missing_where_snap_has_nothing_or_terrain_is_unknown(self):
        power = np.array([[0.0, np.nan, np.inf, 1.0, 1.0]], np.float32)
        made, floored = decibels(power, np.array([[True, True, True, False, True]]))
        np.testing.assert_array_equal(np.isnan(made), [[True, True, True, True, False]])
        assert floored == 0
