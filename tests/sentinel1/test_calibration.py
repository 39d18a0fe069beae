"""Noise is matched by time, calibration held at its ends, and what cannot be used is not used."""

import numpy as np
import pytest

from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.sentinel1.calibration import Calibration, RangeVector, read_calibration, read_noise
from tests.sentinel1.annotations import body_of, calibration_of, epoch_of, noise_of, swath_of


class TestNoiseOverRange:
    def test_belongs_to_the_burst_by_its_time(self):
        # Its vectors start with the bursts; their line numbers are shifted by two of them.
        swath, noise = swath_of("7768", "IW1"), noise_of("7768", "IW1")
        for burst in swath.bursts:
            vector = min(noise.vectors, key=lambda v: abs(v.azimuth_time_s - burst.start_s))
            assert vector.azimuth_time_s == pytest.approx(burst.start_s, abs=1e-5)
            assert vector.line == (burst.index - 2) * swath.lines_per_burst
            np.testing.assert_array_equal(noise.over_range(burst, vector.sample), vector.value)

    def test_by_line_would_be_that_of_another_burst(self):
        swath, noise = swath_of("7768", "IW1"), noise_of("7768", "IW1")
        sample = np.arange(0.0, swath.samples, 100)
        burst = swath.bursts[2]
        by_line = next(v for v in noise.vectors if v.line == burst.index * swath.lines_per_burst)
        assert by_line.azimuth_time_s > burst.start_s + 5.0
        assert (by_line.at(sample) != noise.over_range(burst, sample)).any()

    def test_is_linear_between_its_samples_and_held_beyond(self):
        swath, noise = swath_of("6814", "IW2"), noise_of("6814", "IW2")
        vector = min(noise.vectors, key=lambda v: abs(v.azimuth_time_s - swath.bursts[0].start_s))
        a, b = vector.sample[:2]
        middle = noise.over_range(swath.bursts[0], np.array([(a + b) / 2, vector.sample[-1] + 900.0]))
        assert middle[0] == pytest.approx((vector.value[0] + vector.value[1]) / 2)
        assert middle[1] == vector.value[-1]

    def test_lies_below_the_ground(self):
        swath, noise, beta = swath_of("6814", "IW2"), noise_of("6814", "IW2"), calibration_of("6814", "IW2")
        sample = np.arange(0.0, swath.samples, 500)
        burst = swath.bursts[4]
        level = 10 * np.log10(noise.over_range(burst, sample) / beta.beta_nought(swath, burst, sample) ** 2)
        assert ((level > -27) & (level < -18)).all()


class TestNoiseOverAzimuth:
    def test_is_one_in_the_middle_of_a_burst_and_more_at_its_edges(self):
        swath, noise = swath_of("6814", "IW2"), noise_of("6814", "IW2")
        for burst in swath.bursts:
            value = noise.over_azimuth(swath, burst, np.arange(50.0, swath.lines_per_burst - 50.0))
            assert abs(np.argmin(value) + 50 - swath.lines_per_burst / 2) < 50
            assert value.min() == pytest.approx(1.0, abs=1e-3)
            assert 1.08 < value.max() < 1.2

    def test_is_held_after_its_last_line(self):
        swath = swath_of("6814", "IW2")
        noise = noise_of(
            "6814",
            "IW2",
            (rb"(<noiseAzimuthVector>.*?<line[^>]*>)[^<]*", rb"\g<1>0 500"),
            (rb"(<noiseAzimuthLut[^>]*>)[^<]*", rb"\g<1>1.0 1.5"),
        )
        value = noise.over_azimuth(swath, swath.bursts[0], np.array([250.0, 500.0, 1400.0]))
        np.testing.assert_allclose(value, [1.25, 1.5, 1.5])

    def test_of_one_value_is_constant(self):
        swath = swath_of("6814", "IW2")
        noise = noise_of(
            "6814",
            "IW2",
            (rb"(<noiseAzimuthVector>.*?<line[^>]*>)[^<]*", rb"\g<1>700"),
            (rb"(<noiseAzimuthLut[^>]*>)[^<]*", rb"\g<1>1.1"),
        )
        np.testing.assert_array_equal(noise.over_azimuth(swath, swath.bursts[8], np.array([0.0, 1400.0])), 1.1)

    @pytest.mark.parametrize(
        "change",
        [
            (rb"<noiseAzimuthVectorList.*</noiseAzimuthVectorList>", b""),
            (rb"(<noiseAzimuthLut[^>]*>)[^<]*(</noiseAzimuthLut>)", None),
        ],
        ids=["missing", "zero"],
    )
    def test_missing_or_zero_is_a_factor_of_one(self, change):
        swath = swath_of("6814", "IW2")
        if change[1] is None:
            count = body_of("6814", "IW2", "noise").split(b"<noiseAzimuthLut")[1].split(b">")[1].split(b"<")[0].split()
            change = (change[0], rb"\g<1>" + b"0 " * len(count) + rb"\g<2>")
        noise = noise_of("6814", "IW2", change)
        assert noise.usable
        np.testing.assert_array_equal(noise.over_azimuth(swath, swath.bursts[0], np.array([0.0, 700.0])), 1.0)


class TestOldNoise:
    def test_has_one_list_and_no_azimuth_vector(self):
        swath, noise = swath_of("13F8", "IW1"), noise_of("13F8", "IW1")
        assert noise.usable
        burst = swath.bursts[3]
        assert (noise.over_range(burst, np.array([100.0, 9000.0])) > 100).all()
        np.testing.assert_array_equal(noise.over_azimuth(swath, burst, np.array([0.0, 1499.0])), 1.0)

    @pytest.mark.parametrize(("ending", "subswath"), [("07B5", "IW3"), ("FEC3", "iw")])
    def test_of_a_billionth_or_zero_is_not_used(self, ending, subswath):
        noise = noise_of(ending, subswath)
        assert not noise.usable
        burst = swath_of("07B5", "IW3").bursts[0]
        np.testing.assert_array_equal(noise.over_range(burst, np.array([0.0, 500.0])), 0.0)


class TestCalibration:
    def test_is_the_constant_of_slc_products(self):
        swath, calibration = swath_of("6814", "IW2"), calibration_of("6814", "IW2")
        sample = np.array([-50.0, 0.0, 12345.6, 1e6])
        for burst in swath.bursts:
            np.testing.assert_allclose(calibration.beta_nought(swath, burst, sample), 237.0, rtol=1e-12)

    def test_is_linear_between_the_vectors_around_the_middle_of_the_burst(self):
        swath = swath_of("6814", "IW2")
        calibration = Calibration(tuple(constant(line, 1000.0 + line) for line in (-1500.0, 2000.0, 20000.0)))
        for burst in swath.bursts:
            value = calibration.beta_nought(swath, burst, np.array([10.0]))[0]
            assert value == pytest.approx(1000.0 + (burst.index + 0.5) * swath.lines_per_burst)

    def test_is_held_before_the_first_and_after_the_last_vector(self):
        swath = swath_of("6814", "IW2")
        calibration = Calibration((constant(2000.0, 200.0), constant(9000.0, 900.0)))
        values = [calibration.beta_nought(swath, b, np.array([0.0]))[0] for b in swath.bursts]
        assert (values[0], values[-1]) == (200.0, 900.0)

    def test_of_one_vector_is_that_one(self):
        swath = swath_of("6814", "IW2")
        assert Calibration((constant(-7.0, 237.0),)).beta_nought(swath, swath.bursts[4], np.array([0.0]))[0] == 237.0


def constant(line, value):
    return RangeVector(0.0, line, np.array([0.0, 1000.0]), np.array([value, value]))


class TestFaults:
    @pytest.mark.parametrize(
        ("kind", "change", "element"),
        [
            ("calibration", (rb"<calibrationVectorList.*</calibrationVectorList>", b""), "calibrationVectorList"),
            ("calibration", (rb"(<betaNought[^>]*>)[^<]*", rb"\g<1>"), "betaNought"),
            ("calibration", (rb"(<betaNought[^>]*>)[^<]*", rb"\g<1>1 2"), "betaNought"),
            ("calibration", (rb"(<betaNought[^>]*>)2.37\d*e\+02", rb"\g<1>-1"), "betaNought"),
            ("calibration", (rb"<azimuthTime>[^<]*", b"<azimuthTime>noon"), "azimuthTime"),
            ("noise", (rb"(<noiseRangeLut[^>]*>)[^<]*", rb"\g<1>1 2"), "noiseRangeLut"),
            ("noise", (rb"(<noiseRangeLut[^>]*>)[^<]*", rb"\g<1>loud"), "noiseRangeLut"),
            ("noise", (rb"(<noiseAzimuthLut[^>]*>)[^<]*", rb"\g<1>1 2"), "noiseAzimuthLut"),
        ],
    )
    def test_name_the_file_and_the_element(self, kind, change, element):
        read = calibration_of if kind == "calibration" else noise_of
        with pytest.raises(BadProduct, match=element) as caught:
            read("6814", "IW2", change)
        assert (caught.value.product, caught.value.member) == ("P", "M")

    @pytest.mark.parametrize("read", [read_calibration, read_noise])
    def test_files_that_are_none(self, read):
        with pytest.raises(BadProduct, match="M"):
            read(b"", product="P", member="M", epoch=epoch_of(body_of("6814", "IW2")))
