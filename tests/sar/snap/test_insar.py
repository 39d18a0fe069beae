"""From two passes to coherence and phase: SNAP's samples, the contract's sign and kernel."""

import dataclasses
import re

import numpy as np
import pytest

from sen12ts_pipeline.sar.native.interferogram import KERNEL_SIGMA_M
from sen12ts_pipeline.sar.native.kernels import gauss
from sen12ts_pipeline.sar.snap.insar import (
    AZIMUTH_SPACING_M,
    RANGE_SPACING_M,
    Pair,
    estimate,
    kernel_sigma_m,
    kernel_taps,
)
from tests.sar.snap.examples import (
    EARLIER,
    LATER,
    RELEASES,
    SNAP_13,
    SNAP_14,
    before,
    graphs_of,
    nodes_of,
    operators_of,
    situations,
    two_swaths,
    with_bursts,
)

SIGMA_M = 13.8
WAVE_M = 80.0


def split_of(graph, role):
    return dict(next(n for n in graph.nodes if n.id == f"split_{role}_iw2").parameters)


class TestStack:
    def test_puts_the_later_date_onto_the_earlier_one(self):
        graph = situations()["bursts"]["stack_iw2"]
        assert graph.node("stack").sources == (
            ("sourceProduct", "split_earlier_iw2"),
            ("sourceProduct.1", "split_later_iw2"),
        )
        assert "earlier" in graph.node("read_earlier").parameter("file")

    def test_pairs_the_same_ground_whatever_its_number(self):
        graph = situations()["bursts"]["stack_iw2"]
        spans = {
            role: [split_of(graph, role)[f"{end}BurstIndex"] for end in ("first", "last")]
            for role in ("earlier", "later")
        }
        assert spans == {"earlier": ["3", "5"], "later": ["4", "6"]}

    def test_reads_vv_alone(self):
        for graphs in situations().values():
            for graph in graphs.values():
                lists = [n.parameter("selectedPolarisations") for n in nodes_of(graph, "TOPSAR-Split")]
                assert set(lists) <= ({"VV,VH"} if graph.name == "backscatter" else {"VV"})

    def test_keeps_what_has_no_height(self):
        stack = situations()["bursts"]["stack_iw2"].node("stack")
        assert stack.parameter("maskOutAreaWithoutElevation") == "false"

    def test_is_made_of_neighbours_only_where_there_are_some(self):
        assert "Enhanced-Spectral-Diversity" not in operators_of(situations()["bursts"]["stack_iw2"])
        assert "Enhanced-Spectral-Diversity" in operators_of(situations()["esd"]["stack_iw2"])
        # Asked for, and impossible: a single burst has no overlap.
        assert "Enhanced-Spectral-Diversity" not in operators_of(situations()["single"]["stack_iw2"])

    def test_is_one_for_each_subswath(self):
        assert {"stack_iw1", "stack_iw2"} <= situations()["swaths"].keys()

    @pytest.mark.parametrize(("release", "roles"), [(SNAP_13, ("mst", "slv1")), (SNAP_14, ("ref", "sec1"))])
    def test_has_bands_named_as_the_release_names_them(self, release, roles):
        dates = [f"{role}_{day}" for role, day in zip(roles, ("04Jan2020", "16Jan2020"), strict=True)]
        wanted = tuple(f"{part}_IW2_VV_{date}" for date in dates for part in "iq")
        assert situations(release)["bursts"]["stack_iw2"].outputs[0].bands == wanted

    def test_of_other_bursts_is_none(self):
        with pytest.raises(ValueError, match="must have the same bursts"):
            Pair(EARLIER, with_bursts(LATER, 2))
        with pytest.raises(ValueError, match="must have the same bursts"):
            Pair(EARLIER, two_swaths(LATER))


class TestInterferogram:
    def test_is_freed_of_flat_ground_and_terrain_before_it_is_averaged(self):
        graph = situations()["bursts"]["interferogram"]
        made = graph.node("interferogram_iw2")
        assert (made.parameter("subtractFlatEarthPhase"), made.parameter("subtractTopographicPhase")) == (
            "true",
            "true",
        )
        assert before(graph, "look") == ["TOPSAR-Deburst", "Interferogram", "Read"]

    def test_is_read_straight_from_the_stack(self):
        # What stands between loses the stack's metadata.
        for release in RELEASES.values():
            for graphs in situations(release).values():
                graph = graphs["interferogram"]
                for node in nodes_of(graph, "Interferogram"):
                    assert before(graph, node.id) == ["Read"]

    def test_is_resampled_as_real_and_imaginary_part_never_as_phase(self):
        for graphs in situations().values():
            node = graphs["interferogram"].node("geocode")
            assert node.parameter("outputComplex") == "true"
            real, imaginary = node.parameter("sourceBands").split(",")
            assert re.fullmatch(r"i_ifg(_IW2)?_VV_04Jan2020_16Jan2020", real)
            assert imaginary == "q" + real[1:]
            assert graphs["interferogram"].outputs[0].bands == (real, imaginary)

    def test_of_several_subswaths_is_merged_and_loses_their_name(self):
        graph = situations()["swaths"]["interferogram"]
        assert before(graph, "look")[0] == "TOPSAR-Merge"
        assert graph.outputs[0].bands[0] == "i_ifg_VV_04Jan2020_16Jan2020"
        branches = [before(graph, feeds) for _, feeds in graph.node("merge").sources]
        assert branches == [["Interferogram", "Read"]] * 2

    def test_carries_the_dates_of_the_first_lines(self):
        swath = EARLIER.swaths[0]
        midnight = dataclasses.replace(swath, first_line=swath.first_line.replace(hour=23, minute=59, second=59))
        graph = graphs_of(dataclasses.replace(EARLIER, swaths=(midnight,)), LATER)["interferogram"]
        assert graph.outputs[0].bands[0] == "i_ifg_IW2_VV_04Jan2020_16Jan2020"


class TestPowers:
    def test_come_from_the_same_stack(self):
        for graphs in situations().values():
            files = [
                [n.parameter("file") for n in nodes_of(graphs[name], "Read")] for name in ("interferogram", "power")
            ]
            assert files[0] == files[1]

    def test_are_averaged_and_resampled_as_the_interferogram_is(self):
        for graphs in situations().values():
            crossed, power = (graphs[name] for name in ("interferogram", "power"))
            assert crossed.node("crop").parameters == power.node("crop").parameters
            for node, own in (
                ("look", {"sourceBands", "outputIntensity"}),
                ("geocode", {"sourceBands", "outputComplex"}),
            ):
                first, second = (dict(graph.node(node).parameters) for graph in (crossed, power))
                assert {name for name in first if first[name] != second[name]} == own

    def test_are_made_of_pairs_of_real_and_imaginary_bands_side_by_side(self):
        for release in RELEASES.values():
            look = situations(release)["bursts"]["power"].node("look")
            assert look.parameter("outputIntensity") == "true"
            i1, q1, i2, q2 = look.parameter("sourceBands").split(",")
            assert (q1, q2) == ("q" + i1[1:], "q" + i2[1:])

    @pytest.mark.parametrize(("release", "roles"), [(SNAP_13, ("mst", "slv1")), (SNAP_14, ("ref", "sec1"))])
    def test_are_named_as_the_release_names_them(self, release, roles):
        found = situations(release)["swaths"]["power"].outputs[0].bands
        assert found == (f"Intensity_VV_{roles[0]}_04Jan2020", f"Intensity_VV_{roles[1]}_16Jan2020")


def white(seed, shape):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=shape) + 1j * rng.normal(size=shape)) / np.sqrt(2)


def as_snap_makes(earlier, later):
    """Real and imaginary part of the interferogram, and the powers, of samples."""
    crossed = earlier * np.conj(later)
    parts = tuple(x.astype(np.float32) for x in (crossed.real, crossed.imag))
    return parts, tuple((np.abs(x) ** 2).astype(np.float32) for x in (earlier, later))


def everywhere(shape):
    return np.ones(shape, bool)


def slow(crossed, powers, known, row, col):
    """Coherence and phase of one cell of 20 m, weight by weight."""
    middle_row, middle_col = 5 + 2 * row + 0.5, 5 + 2 * col + 0.5
    total, first, second, weight, whole = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(2 * row, 2 * row + 12):
        for j in range(2 * col, 2 * col + 12):
            w = np.exp(-((i - middle_row) ** 2 + (j - middle_col) ** 2) * 100.0 / (2 * SIGMA_M**2))
            whole += w
            if known[i, j]:
                total += w * np.conj(crossed[i, j])
                first, second, weight = first + w * powers[0][i, j], second + w * powers[1][i, j], weight + w
    if weight < whole / 2:
        return np.nan, np.nan
    return abs(total) / np.sqrt(first * second), np.angle(total)


class TestEstimate:
    def test_expects_what_a_plain_loop_sums(self):
        earlier, other = white(1, (30, 26)), white(2, (30, 26))
        later = 0.6 * earlier * np.exp(0.9j) + 0.8 * other
        parts, powers = as_snap_makes(earlier, later)
        known = np.random.default_rng(3).random((30, 26)) < 0.7
        known[:14, :14] = False
        coherence, phase = estimate(parts, powers, known, SIGMA_M)
        assert (coherence.shape, coherence.dtype, phase.dtype) == ((10, 8), np.float32, np.float32)
        wanted = np.array([[slow(parts[0] + 1j * parts[1], powers, known, r, c) for c in range(8)] for r in range(10)])
        assert np.isnan(wanted[..., 0]).any()
        np.testing.assert_allclose(coherence, wanted[..., 0], atol=2e-6)
        np.testing.assert_allclose(phase, wanted[..., 1], atol=2e-5)

    def test_is_the_native_kernel_s_on_the_same_samples(self):
        earlier, later = (white(k, (22, 22)).astype(np.complex64) for k in (1, 2))
        coherence, phase = estimate(*as_snap_makes(earlier, later), everywhere((22, 22)), SIGMA_M)
        sums = np.empty((5, 22, 6))
        gauss.cross(earlier, later, kernel_taps(SIGMA_M), 2, sums)
        wanted = np.empty((2, 6, 6), np.float32)
        gauss.finish(sums, kernel_taps(SIGMA_M), 2, *wanted)
        np.testing.assert_allclose(coherence, wanted[0], atol=1e-5)
        np.testing.assert_allclose(phase, wanted[1], atol=1e-4)

    def test_a_longer_way_at_the_later_date_is_a_negative_phase(self):
        earlier = white(1, (22, 22))
        later = earlier * np.exp(-4j * np.pi / 0.0554658 * 0.005)
        coherence, phase = estimate(*as_snap_makes(earlier, later), everywhere((22, 22)), SIGMA_M)
        np.testing.assert_allclose(phase, -1.133, atol=0.001)
        np.testing.assert_allclose(coherence, 1.0, atol=1e-5)

    @pytest.mark.parametrize("nothing", [0.0, np.nan])
    def test_counts_what_lacks_one_power_in_no_sum(self, nothing):
        earlier = white(1, (22, 22))
        later = earlier * np.exp(0.4j)
        parts, powers = as_snap_makes(earlier, later)
        powers[1][:, 9:10] = nothing
        coherence, phase = estimate(parts, powers, everywhere((22, 22)), SIGMA_M)
        np.testing.assert_allclose(coherence, 1.0, atol=1e-5)
        np.testing.assert_allclose(phase, 0.4, atol=1e-4)

    def test_has_nothing_where_more_than_half_of_the_weight_is_missing(self):
        parts, powers = as_snap_makes(*(white(k, (22, 32)) for k in (1, 2)))
        known = everywhere((22, 32))
        known[:, 16:] = False
        coherence, phase = estimate(parts, powers, known, SIGMA_M)
        # The gap begins at the centre of the sixth cell, which has just half.
        np.testing.assert_array_equal(np.isnan(coherence), np.arange(11) > 5 + np.zeros((6, 1)))
        np.testing.assert_array_equal(np.isnan(phase), np.isnan(coherence))

    def test_never_exceeds_one(self):
        parts, powers = as_snap_makes(*(white(5, (62, 62)) * 1e3 for _ in range(2)))
        assert estimate(parts, powers, everywhere((62, 62)), SIGMA_M)[0].max() <= 1.0


def wave_through_snap(incidence_deg, direction_deg, pixels=266):
    """A wave of 80 m on the ground as radar samples, averaged over three in range, interpolated on the map's pixels.

    direction_deg : of the wave against the direction of range. The map lies as in a descending pass.
    """
    rng = np.random.default_rng(7)
    ground, along = RANGE_SPACING_M / np.sin(np.radians(incidence_deg)), AZIMUTH_SPACING_M
    reach = 15.0 * pixels
    x = np.arange(int(reach / ground) // 3 * 3) * ground + rng.uniform(0, ground)
    y = np.arange(int(reach / along)) * along + rng.uniform(0, along)
    turned = np.radians(direction_deg)
    samples = np.exp(2j * np.pi / WAVE_M * (x * np.cos(turned) + y[:, None] * np.sin(turned)))
    looks, middles = samples.reshape(len(y), -1, 3).mean(axis=2), x.reshape(-1, 3).mean(axis=1)
    east, north = np.meshgrid(*[(np.arange(pixels) - pixels / 2) * 10.0] * 2)
    heading = np.radians(-12.0)
    col = (east * np.cos(heading) - north * np.sin(heading) + reach / 2 - middles[0]) / (3 * ground)
    row = (east * np.sin(heading) + north * np.cos(heading) + reach / 2 - y[0]) / along
    c, r = np.floor(col).astype(int), np.floor(row).astype(int)
    upper = looks[r, c] * (1 - col + c) + looks[r, c + 1] * (col - c)
    lower = looks[r + 1, c] * (1 - col + c) + looks[r + 1, c + 1] * (col - c)
    return upper * (1 - row + r) + lower * (row - r)


class TestKernel:
    @pytest.mark.parametrize("incidence", [29.3, 33.0, 37.0, 41.0, 46.2])
    @pytest.mark.parametrize("direction", [0.0, 12.0, 45.0, 90.0])
    def test_of_the_whole_chain_halves_a_wave_of_80_m(self, incidence, direction):
        wave = wave_through_snap(incidence, direction)
        ones = np.ones(wave.shape, np.float32)
        parts = wave.real.astype(np.float32), wave.imag.astype(np.float32)
        gain, _ = estimate(parts, (ones, ones), ones > 0, kernel_sigma_m(incidence))
        assert gain.mean() == pytest.approx(0.50, abs=0.02)

    def test_is_narrower_than_the_native_one_by_what_snap_takes(self):
        for incidence in (30.0, 38.0, 46.0):
            assert 13.4 < kernel_sigma_m(incidence) < 14.1 < KERNEL_SIGMA_M
        assert kernel_sigma_m(5.0) == kernel_sigma_m(29.0), "steep slopes are no reason to sharpen"
        assert kernel_sigma_m(80.0) == kernel_sigma_m(46.5)

    def test_has_even_weights_whose_sum_is_one(self):
        taps = kernel_taps(SIGMA_M)
        assert len(taps) == 12
        assert taps.sum() == pytest.approx(1.0)
        np.testing.assert_allclose(taps, taps[::-1])
        assert taps[0] / taps[5] == pytest.approx(np.exp(-(55.0**2 - 5.0**2) / (2 * SIGMA_M**2)))
