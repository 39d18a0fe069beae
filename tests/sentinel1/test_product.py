"""A slice finds its files by their full names, reads each once, and names what it lacks."""

from datetime import UTC, datetime

import pytest

from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.sentinel1.product import SliceFiles
from tests.sentinel1.shelf import members_of, slice_of

EPOCH = datetime(2023, 9, 16, tzinfo=UTC)
IW2 = "s1a-iw2-slc-vv-20230916t063732-20230916t063757-050349-060fcd-005"


@pytest.fixture
def members():
    return members_of("6814")


@pytest.fixture
def one(members):
    return SliceFiles(slice_of(members.product), members, EPOCH)


def test_subswaths_are_those_annotated(one):
    assert one.subswaths("VV") == ("IW1", "IW2", "IW3")
    assert one.subswaths("VH") == ()


def test_calibration_and_noise_are_not_taken_for_annotation():
    members = members_of("7768")
    assert len(members.members()) == 3
    assert SliceFiles(slice_of(members.product), members, EPOCH).subswaths("VV") == ("IW1",)


def test_each_file_is_read_once(one, members):
    for _ in range(2):
        one.swath("IW2", "VV")
        one.calibration("IW2", "VV")
        one.noise("IW2", "VV")
    assert sorted(members.reads) == [
        f"annotation/calibration/calibration-{IW2}.xml",
        f"annotation/calibration/noise-{IW2}.xml",
        f"annotation/{IW2}.xml",
    ]
    assert one.swath("IW2", "VV") is one.swath("IW2", "VV")


def test_the_measurement_bears_the_name_of_its_annotation(one, members):
    # Beside it may lie that of another product, which a pattern would match as well.
    other = "measurement/s1a-iw2-slc-vv-20230904t063732-20230904t063757-050174-0609e3-005.tiff"
    members.bodies |= {other: b"", f"measurement/{IW2}.tiff": b""}
    assert one.measurement("IW2", "VV") == f"measurement/{IW2}.tiff"


def test_times_count_from_the_epoch_of_the_pass(one, members):
    later = SliceFiles(slice_of(members.product), members, datetime(2023, 9, 15, tzinfo=UTC))
    first = one.swath("IW1", "VV").bursts[0].start_s
    assert later.swath("IW1", "VV").bursts[0].start_s == first + 86400.0
    assert first == pytest.approx(6 * 3600 + 37 * 60 + 31, abs=1.0)


@pytest.mark.parametrize(
    ("ask", "named"),
    [
        (lambda one: one.swath("IW1", "VH"), "annotation/*-iw1-slc-vh-*.xml"),
        (lambda one: one.noise("IW1", "VV"), "annotation/calibration/noise-s1a-iw1"),
        (lambda one: one.calibration("IW3", "VV"), "annotation/calibration/calibration-s1a-iw3"),
    ],
)
def test_what_is_missing_is_named(one, ask, named):
    with pytest.raises(BadProduct) as caught:
        ask(one)
    assert caught.value.product == one.files.product
    assert caught.value.member.startswith(named)
