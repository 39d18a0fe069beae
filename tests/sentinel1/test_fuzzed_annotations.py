"""A damaged file is refused by the name of its element, or read as an IW product: no wrong number, no other error."""

import copy
import functools
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from sen12ts_pipeline.domain.bursts import BURSTS_PER_CYCLE
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.sar.native.scene import PlacedBurst
from sen12ts_pipeline.sentinel1.annotation import SPEED_OF_LIGHT_M_S, read_swath
from sen12ts_pipeline.sentinel1.calibration import read_calibration, read_noise
from sen12ts_pipeline.sentinel1.elements import parse_time
from sen12ts_pipeline.xml import parse
from tests.sentinel1.annotations import TRACKS, body_of, epoch_of

PRODUCT, MEMBER = "S1A_P", "annotation/m.xml"
ANNOTATIONS = [("6814", "IW2"), ("7768", "IW1"), ("07B5", "IW3"), ("26ED", "IW3")]
"""With burst identities; without; FM rates as three elements, vectors 1 s apart; one burst."""
READ = "missionId polarisation swath pass radarFrequency rangeSamplingRate azimuthSteeringRate prf rank slantRangeTime"
READ += " azimuthTimeInterval azimuthPixelSpacing numberOfSamples numberOfLines linesPerBurst processingBandwidth time"
READ += " windowCoefficient x y z azimuthTime t0 azimuthFmRatePolynomial c0 c1 c2 dcMethod dataDcPolynomial sensingTime"
READ += " geometryDcPolynomial dataDcRmsErrorAboveThreshold azimuthAnxTime burstId firstValidSample lastValidSample"
READ += " line pixel betaNought noiseRangeLut noiseLut noiseAzimuthLut"
BURSTS = 2
READERS = {"annotation": read_swath, "calibration": read_calibration, "noise": read_noise}
POISON = ["", "word", "nan", "inf", "-inf", "-1", "0", "0.5", "7", "1e-300", "1e300", "1_0", "²", "1 x", "nan nan nan"]
POISON += ["2023-09-16", "2014-10-04T03:13:12.1e5", "9999-12-31T23:59:59.99999999", "0001-01-01T00:00:00"]
WRONG = ["nan", "-1", "0", "7", "1e300"]


@functools.cache
def tree_of(ending, subswath, kind):
    """A real file of two bursts, without what no reader looks at, so that damage falls where it matters."""
    root = etree.fromstring(body_of(ending, subswath, kind))
    for element in list(root.iter()):
        if len(element) == 0 and element.tag not in READ.split():
            element.getparent().remove(element)
    for element in root.findall("swathTiming/burstList/burst")[BURSTS:]:
        element.getparent().remove(element)
    for element in root.findall("imageAnnotation/imageInformation/numberOfLines"):
        lines, bursts = int(root.findtext("swathTiming/linesPerBurst")), root.findall("swathTiming/burstList/burst")
        element.text = str(lines * len(bursts))
    return root


def read_back(root, ending, subswath, kind):
    """What the reader makes of a tree; None where it refuses it as it should."""
    body, epoch = etree.tostring(root), epoch_of(body_of(ending, subswath, kind))
    names = {"product": PRODUCT, "member": MEMBER, "epoch": epoch}
    try:
        return READERS[kind](body, **names | ({"track": TRACKS[ending]} if kind == "annotation" else {}))
    except BadProduct as caught:
        error = caught
    assert (error.product, error.member) == (PRODUCT, MEMBER)
    assert "element " in error.reason
    return None


def within(values, low, high):
    """Whether all values are numbers of an interval, ends included."""
    values = np.asarray(values, float)
    return bool((np.isfinite(values) & (values >= low) & (values <= high)).all())


def assert_an_iw_swath(swath):
    """Values as an IW product can have them, consistent with each other."""
    assert swath.subswath in ("IW1", "IW2", "IW3")
    assert swath.polarisation in ("VV", "VH", "HH", "HV")
    assert swath.direction in ("A", "D")
    assert within(swath.wavelength_m, 0.054, 0.057)
    assert within(swath.line_interval_s, 2.0e-3, 2.1e-3)
    assert within(swath.azimuth_spacing_m, 13.0, 15.0)
    assert within(np.degrees(swath.steering_rad_s), 0.85, 1.8)
    assert 1000 <= swath.lines_per_burst <= 2500
    assert 0.5 <= min(swath.range_window, swath.azimuth_window) <= max(swath.range_window, swath.azimuth_window) <= 1.0
    assert 0 < swath.range_bandwidth_hz < swath.range_rate_hz
    assert 0 < swath.azimuth_bandwidth_hz < 1 / swath.line_interval_s < swath.prf_hz < 2500
    tau = ranges_of(swath)
    assert within(tau, 5e-3, 7e-3)
    assert within(tau * swath.prf_hz, swath.rank, swath.rank + 1)
    assert_an_orbit(swath.orbit)
    for entry in swath.fm_rates:
        assert within(entry(tau), -3000, -1000)
    for entry in swath.doppler:
        assert within(entry(tau), -swath.prf_hz, swath.prf_hz)
    assert_bursts(swath)


def ranges_of(swath):
    return swath.range_start_s + np.linspace(0, swath.samples, 9) / swath.range_rate_hz


def assert_an_orbit(orbit):
    assert len(orbit.time_s) >= 4
    assert (np.diff(orbit.time_s) > 0).all()
    assert within(np.linalg.norm(orbit.position_m, axis=1), 6.9e6, 7.3e6)
    assert within(np.linalg.norm(orbit.velocity_m_s, axis=1), 7000, 8000)
    flown = np.diff(orbit.position_m, axis=0) / np.diff(orbit.time_s)[:, None]
    assert within(np.linalg.norm(flown - (orbit.velocity_m_s[1:] + orbit.velocity_m_s[:-1]) / 2, axis=1), 0.0, 2.0)


def assert_bursts(swath):
    starts, numbers = [b.start_s for b in swath.bursts], [b.id.number for b in swath.bursts]
    assert within(np.diff(starts), 2.70, 2.82)
    assert set(np.diff(numbers)) <= {1, 1 - BURSTS_PER_CYCLE}
    if starts:
        assert swath.orbit.time_s[0] <= max(starts)
        assert min(starts) <= swath.orbit.time_s[-1]
        for entries in (swath.fm_rates, swath.doppler):
            assert within([min(abs(e.azimuth_time_s - s) for e in entries) for s in starts], 0.0, 60.0)
    tau, line = ranges_of(swath), np.array([0.0, swath.lines_per_burst / 2, swath.lines_per_burst])
    for index, burst in enumerate(swath.bursts):
        assert (burst.index, burst.id.subswath) == (index, swath.subswath)
        if burst.last_line >= 0:
            assert 0 <= burst.first_line <= burst.last_line < swath.lines_per_burst
            assert 0 <= burst.first_valid < swath.samples
            assert burst.last_valid < swath.samples
        placed = PlacedBurst(None, swath, burst, swath.middle_range_s)
        assert within(placed.bistatic_s(tau), -1e-3, 1e-3)
        rate, reference, centroid = placed.carrier(tau)
        assert within(rate, 500, 3000)
        assert within(reference, -3, 3)
        assert within(centroid, -swath.prf_hz, swath.prf_hz)
        time_s = burst.start_s + line * swath.line_interval_s + placed.bistatic_s(tau[:1])
        found = placed.line_sample(time_s, np.full(3, tau[0] * SPEED_OF_LIGHT_M_S / 2))
        np.testing.assert_allclose(found[0], line, atol=1e-4)
        np.testing.assert_allclose(found[1], 0.0, atol=1e-4)


def assert_levels(levels, kind):
    """Calibration or noise as it can be."""
    low, high = (10.0, 1000.0) if kind == "calibration" else (0.0, 1e5)
    for vector in levels.vectors:
        assert within(vector.value, low, high)
        assert within(vector.azimuth_time_s, -86400, 4 * 86400)
        assert (np.diff(vector.sample) > 0).all()
        assert within(vector.at(np.linspace(-100, 30_000, 50)), low, high)
    if kind == "noise":
        assert within(levels.azimuth_value, 0.2, 5.0)
        assert (np.diff(levels.azimuth_line) >= 0).all()
    else:
        assert levels.vectors


def judge(root, ending, subswath, kind):
    """Refused by name, or plausible; tells which."""
    found = read_back(root, ending, subswath, kind)
    if found is not None:
        assert_an_iw_swath(found) if kind == "annotation" else assert_levels(found, kind)
    if found is not None and kind == "annotation" and found.bursts:
        lines = float(root.findtext("imageAnnotation/imageInformation/numberOfLines"))
        assert found.lines_per_burst * len(found.bursts) == lines, "bursts are found in the image by their position"
    return found


CASES = [(*e, "annotation") for e in ANNOTATIONS]
CASES += [("6814", "IW2", "calibration"), ("6814", "IW2", "noise"), ("13F8", "IW1", "noise")]


def moved(text, seconds):
    """A time later by seconds; any other text as it is."""
    try:
        return f"{parse_time(text) + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S.%f}"
    except (ValueError, OverflowError):
        return text


def scaled(text, factor):
    """Every number of a list times a factor; any other text as it is."""
    try:
        return " ".join(repr(float(word) * factor) for word in text.split())
    except ValueError:
        return text


def damage(element, kind, value=None, share=0.5):
    """Change an element's text, words or children in place; `share` tells where in a list."""
    text, children, parent = element.text or "", list(element), element.getparent()
    words, at = text.split(), int(share * max(len(text.split()), len(element)))
    if kind in ("text", "word", "scaled", "moved", "cut"):
        element.text = {
            "text": lambda: value,
            "word": lambda: " ".join([*words[:at], value, *words[at + 1 :]]),
            "scaled": lambda: scaled(text, value),
            "moved": lambda: moved(text, value),
            "cut": lambda: " ".join(words[:at]),
        }[kind]()
    elif kind in ("swapped", "halved"):
        element[:] = children[::-1] if kind == "swapped" else children[:at]
    elif kind == "dropped":
        parent.remove(element)
    elif kind == "repeated":
        parent.append(copy.deepcopy(element))
    elif kind == "all moved":
        for other in (e for siblings in parent.itersiblings(preceding=True) for e in siblings.iter(element.tag)):
            other.text = moved(other.text or "", value)
        element.text = moved(text, value)


def damages_of(element):
    """What is tried on every element."""
    yield ("dropped",)
    if len(element):
        yield from (("repeated",), ("swapped",), ("halved",))
    elif moved(element.text, 1.0) != element.text:
        yield from (("text", "nan"), ("moved", 0.3), ("moved", -10.0), ("all moved", 3600.0))
    elif len(element.text.split()) > 1:
        yield from (("text", "word"), ("cut",), ("scaled", -1.0), ("scaled", 1e3))
        yield from (("word", wrong) for wrong in WRONG)
    else:
        yield from (("text", wrong) for wrong in WRONG)


@pytest.mark.parametrize("case", CASES, ids="-".join)
class TestEveryElement:
    def test_undamaged_is_read(self, case):
        assert judge(tree_of(*case), *case) is not None

    def test_of_a_wrong_value_or_none_is_noticed(self, case):
        for path in last_paths(tree_of(*case)):
            for change in damages_of(tree_of(*case).find(path)):
                root = copy.deepcopy(tree_of(*case))
                damage(root.find(path), *change)
                judge(root, *case)


def last_paths(root):
    """Where the last element of every kind is found."""
    tree = root.getroottree()
    paths = (tree.getelementpath(e) for e in root.iterdescendants())
    return list({path.translate(WITHOUT_NUMBERS): path for path in paths}.values())


WITHOUT_NUMBERS = str.maketrans("", "", "[]0123456789")
SECONDS = [-86400.0, -3600.0, -10.0, -2.76, -0.3, 0.3, 2.76, 10.0, 3600.0, 1e9]
DAMAGES = st.one_of(
    st.tuples(st.sampled_from(["text", "word"]), st.sampled_from(POISON), st.floats(0, 0.999)),
    st.tuples(st.just("scaled"), st.sampled_from([-1.0, 0.0, 0.5, 1.01, 2.0, 1e-6, 1e6, 1e300])),
    st.tuples(st.sampled_from(["moved", "all moved"]), st.sampled_from(SECONDS)),
    st.tuples(st.sampled_from(["cut", "halved"]), st.none(), st.floats(0, 0.999)),
    st.tuples(st.sampled_from(["swapped", "dropped", "repeated"])),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    case=st.sampled_from(CASES),
    wounds=st.lists(st.tuples(st.floats(0, 0.999), st.floats(0, 0.999), DAMAGES), min_size=1, max_size=3),
)
def test_whatever_is_damaged_together_is_noticed(case, wounds):
    root = copy.deepcopy(tree_of(*case))
    for which, where, change in wounds:
        tags = sorted({e.tag for e in root.iterdescendants()})
        same = list(root.iterdescendants(tags[int(which * len(tags))])) if tags else []
        if same:
            damage(same[int(where * len(same))], *change)
    judge(root, *case)


@given(case=st.sampled_from(CASES), start=st.floats(0, 1), length=st.integers(1, 200))
@settings(max_examples=40, deadline=None)
def test_bytes_that_are_lost_are_noticed(case, start, length):
    body = etree.tostring(tree_of(*case))
    at = int(start * len(body))
    cut = body[:at] + body[at + length :]
    try:
        root = etree.fromstring(cut)
    except etree.XMLSyntaxError:
        with pytest.raises(BadProduct, match="well-formed"):
            parse(cut, product=PRODUCT, member=MEMBER)
    else:
        judge(root, *case)
