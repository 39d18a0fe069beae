"""Small products: just the bursts that are needed, in a folder that reads like any product."""

import binascii
import hashlib
import os
import shutil
import threading

import numpy as np
import pytest
import rasterio
from lxml import etree
from shapely.geometry import Point

from sen12ts_pipeline.acquisition import small_safe
from sen12ts_pipeline.acquisition.counted import Counted
from sen12ts_pipeline.acquisition.products import FolderProduct, open_product
from sen12ts_pipeline.acquisition.small_safe import bursts_over, write_small
from sen12ts_pipeline.errors import BadProduct, ConfigurationError, Retryable
from sen12ts_pipeline.sentinel1.annotation import pass_epoch
from sen12ts_pipeline.sentinel1.manifest import read_slice
from sen12ts_pipeline.sentinel1.product import SliceFiles
from tests import worlds

BOTH = ("VH", "VV")
SECOND = {"IW1": range(1, 2)}


@pytest.fixture(scope="module")
def safe(tmp_path_factory):
    """A slice of two bursts in each of IW1 and IW2."""
    return worlds.products_of(worlds.world("tiny", tmp_path_factory.getbasetemp()), "S1")[0]


@pytest.fixture(scope="module")
def small(safe, tmp_path_factory):
    """The second burst of IW1."""
    return write_small(FolderProduct(safe), SECOND, BOTH, tmp_path_factory.mktemp("small"))


def copy_of(safe, to):
    return worlds.copy(safe, to / safe.name)


def opened(safe):
    files = FolderProduct(safe)
    one = read_slice(files)
    return SliceFiles(one, files, pass_epoch(one.start))


def samples_of(files, subswath, polarisation):
    member = files.measurement(subswath, polarisation)
    with files.files.held(member) as path, rasterio.open(path) as source:
        return source.read(1)


class Failing:
    """A product whose server gives nothing more after some questions for samples."""

    def __init__(self, files, questions):
        self._files, self.left, self.asked = files, questions, []

    def __getattr__(self, name):
        return getattr(self._files, name)

    def extent(self, member, start, length):
        if length > small_safe.HEAD_BYTES:
            if self.left == 0:
                raise Retryable("the server is busy")
            self.left -= 1
            self.asked.append((member, start))
        return self._files.extent(member, start, length)


class TestContent:
    @pytest.mark.parametrize("polarisation", BOTH)
    def test_has_the_burst_s_samples(self, safe, small, polarisation):
        whole, part = samples_of(opened(safe), "IW1", polarisation), samples_of(opened(small), "IW1", polarisation)
        assert len(part) == len(whole) // 2
        assert np.abs(part).max() > 0
        np.testing.assert_array_equal(part, whole[len(part) :])

    def test_says_of_the_burst_what_the_slice_says(self, safe, small):
        for polarisation in BOTH:
            one, two = (files.swath("IW1", polarisation) for files in (opened(safe), opened(small)))
            assert [b.id for b in two.bursts] == [one.bursts[1].id]
            assert two.bursts[0].start_s == one.bursts[1].start_s
            assert (two.orbit.position_m == one.orbit.position_m).all()

    def test_knows_the_subswaths_that_it_has_no_bursts_of(self, small):
        files = opened(small)
        assert files.subswaths("VV") == files.subswaths("VH") == ("IW1", "IW2")
        assert files.swath("IW2", "VV").bursts == ()
        files.check()

    def test_leaves_them_out_when_told_so(self, safe, tmp_path):
        files = opened(write_small(FolderProduct(safe), SECOND, BOTH, tmp_path, context=False))
        assert files.subswaths("VV") == ("IW1",)

    def test_byte_offsets_are_those_of_the_measurement_file(self, small):
        for file in small.glob("annotation/*iw1*.xml"):
            (offset,) = etree.parse(file).findall(".//byteOffset")
            size = (small / "measurement" / f"{file.stem}.tiff").stat().st_size
            lines, samples = (int(etree.parse(file).findtext(f".//numberOf{n}")) for n in ("Lines", "Samples"))
            assert int(offset.text) == size - 4 * samples * lines

    def test_measurements_have_tie_points(self, small):
        for file in small.glob("measurement/*.tiff"):
            with rasterio.open(file) as source:
                points, system = source.gcps
                assert source.compression is None
            assert system.to_epsg() == 4326
            assert len(points) == 42

    def test_takes_one_polarisation_alone(self, safe, tmp_path):
        path = write_small(FolderProduct(safe), SECOND, ("VV",), tmp_path)
        assert "_1SSV_" in path.name
        assert read_slice(FolderProduct(path)).polarisations == ("VV",)
        assert not list(path.rglob("*-vh-*"))

    def test_takes_several_subswaths(self, safe, tmp_path):
        files = opened(write_small(FolderProduct(safe), {"IW1": range(2), "IW2": range(1)}, BOTH, tmp_path))
        assert [len(files.swath(name, "VV").bursts) for name in ("IW1", "IW2")] == [2, 1]

    def test_turns_big_endian_samples_round(self, safe, small, tmp_path):
        other = copy_of(safe, tmp_path / "other")
        for file in list(other.glob("measurement/*iw1*.tiff")):
            with rasterio.open(file) as source:
                values, (points, system) = source.read(1), source.gcps
            profile = {"driver": "GTiff", "count": 1, "dtype": "complex_int16", "blockysize": 1, "endianness": "BIG"}
            file.unlink()
            with rasterio.open(
                file, "w", **profile, height=len(values), width=values.shape[1], gcps=points, crs=system
            ) as target:
                target.write(values, 1)
        assert file.read_bytes()[:2] == b"MM"
        path = write_small(FolderProduct(other), SECOND, BOTH, tmp_path)
        assert [(p / "manifest.safe").read_bytes() for p in (path,)] == [(small / "manifest.safe").read_bytes()]


class TestName:
    def test_is_that_of_a_product_of_these_bursts(self, safe, small):
        _, orbit, datatake, _ = safe.stem.rsplit("_", 3)
        start = opened(small).slice.start
        crc = binascii.crc_hqx((small / "manifest.safe").read_bytes(), 0xFFFF)
        times = f"{start:%Y%m%dT%H%M%S}_{start:%Y%m%dT%H%M%S}"
        assert small.name == f"S1A_IW_SLC__1SDV_{times}_{orbit}_{datatake}_{crc:04X}.SAFE"

    def test_is_another_for_other_bursts(self, safe, small, tmp_path):
        others = [{"IW1": range(2)}, {"IW2": range(1, 2)}, {"IW1": range(1, 2), "IW2": range(1, 2)}]
        names = {write_small(FolderProduct(safe), other, BOTH, tmp_path).name for other in others}
        assert len(names | {small.name}) == 4

    def test_and_bytes_are_the_same_every_time(self, safe, small, tmp_path):
        again = write_small(FolderProduct(safe), SECOND, BOTH, tmp_path)
        files = sorted(p.relative_to(small) for p in small.rglob("*") if p.is_file())
        assert again.name == small.name
        assert files == sorted(p.relative_to(again) for p in again.rglob("*") if p.is_file())
        for file in files:
            assert (small / file).read_bytes() == (again / file).read_bytes()


class TestManifest:
    def test_lists_every_file_with_its_size_and_digest(self, small):
        found = {
            o.find(".//fileLocation").get("href").removeprefix("./"): (
                int(o.find("byteStream").get("size")),
                o.findtext(".//checksum"),
            )
            for o in etree.parse(small / "manifest.safe").getroot().iter("dataObject")
        }
        there = {p.relative_to(small).as_posix(): p.read_bytes() for p in small.rglob("*") if p.is_file()}
        del there["manifest.safe"]
        assert found == {
            name: (len(body), hashlib.md5(body, usedforsecurity=False).hexdigest()) for name, body in there.items()
        }

    def test_has_the_slice_s_identity(self, safe, small):
        one, two = (read_slice(FolderProduct(path)) for path in (safe, small))
        for name in ("platform", "datatake", "relative_orbit", "direction", "processed", "ipf", "polarisations"):
            assert getattr(one, name) == getattr(two, name)
        assert one.start < two.start < two.stop <= one.stop


class TestBytes:
    def test_of_other_bursts_are_not_asked_for(self, safe, tmp_path):
        files = Counted(FolderProduct(safe))
        path = write_small(files, SECOND, ("VV",), tmp_path)
        samples = next(path.glob("measurement/*.tiff")).stat().st_size
        assert files.asked_bytes < samples + small_safe.HEAD_BYTES + 1_000_000
        whole = sum(p.stat().st_size for p in safe.rglob("*") if p.is_file())
        assert files.asked_bytes < whole / 5

    def test_are_told_as_they_come(self, safe, tmp_path):
        told = []
        write_small(FolderProduct(safe), {"IW1": range(2)}, BOTH, tmp_path, note=lambda *now: told.append(now))
        total = told[-1][1]
        assert [done / total for done, _ in told] == [0.25, 0.5, 0.75, 1.0]


class TestASecondTime:
    def test_nothing_is_fetched(self, safe, tmp_path):
        first = write_small(FolderProduct(safe), SECOND, BOTH, tmp_path)
        stamp = first.stat().st_mtime_ns
        files = Failing(FolderProduct(safe), 0)
        assert write_small(files, SECOND, BOTH, tmp_path) == first
        assert first.stat().st_mtime_ns == stamp

    def test_a_product_with_other_annotation_is_another(self, safe, tmp_path):
        first = write_small(FolderProduct(safe), SECOND, BOTH, tmp_path)
        assert write_small(FolderProduct(safe), SECOND, BOTH, tmp_path, context=False) != first

    def test_it_goes_on_where_it_was_broken_off(self, safe, small, tmp_path):
        files = Failing(FolderProduct(safe), 3)
        with pytest.raises(Retryable, match="busy"):
            write_small(files, {"IW1": range(2)}, BOTH, tmp_path)
        assert not list(tmp_path.glob("*.SAFE"))
        (part,) = tmp_path.glob(".*.part")
        (torn,) = part.glob("measurement/*-vv-*.tiff")
        os.truncate(torn, torn.stat().st_size - 1000)
        with torn.open("ab") as file:
            file.write(bytes(500))
        again = Failing(FolderProduct(safe), 2)
        path = write_small(again, {"IW1": range(2)}, BOTH, tmp_path)
        assert len(again.asked) == 2
        for polarisation in BOTH:
            np.testing.assert_array_equal(*(samples_of(opened(p), "IW1", polarisation) for p in (safe, path)))
        assert list(tmp_path.iterdir()) == [path]

    @pytest.mark.parametrize("spoil", ["annotation", "measurement"])
    def test_what_was_spoilt_is_made_again(self, safe, tmp_path, spoil):
        first = write_small(FolderProduct(safe), SECOND, BOTH, tmp_path)
        (file,) = (first / spoil).glob("*iw1-slc-vv*")
        body = file.read_bytes()
        file.unlink()
        assert write_small(FolderProduct(safe), SECOND, BOTH, tmp_path) == first
        assert file.read_bytes() == body
        assert list(tmp_path.iterdir()) == [first]

    def test_another_product_of_the_same_name_is_left_alone(self, safe, small, tmp_path):
        (tmp_path / small.name).mkdir()
        (tmp_path / small.name / "manifest.safe").write_bytes(b"another")
        with pytest.raises(ConfigurationError, match="holds another product of this name"):
            write_small(FolderProduct(safe), SECOND, BOTH, tmp_path)
        assert (tmp_path / small.name / "manifest.safe").read_bytes() == b"another"

    def test_two_at_once_make_one(self, safe, tmp_path):
        files = Failing(FolderProduct(safe), 4)
        made = []
        threads = [
            threading.Thread(target=lambda: made.append(write_small(files, SECOND, BOTH, tmp_path))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(made) == 4
        assert set(made) == set(tmp_path.iterdir())
        assert len(files.asked) == 2

    def test_one_that_another_completes_just_now_is_found(self, safe, small, tmp_path, monkeypatch):
        opened, late = os.open, []

        def just_before(path, *flags, **more):
            if str(path).endswith(".part") and not late:
                late.append(path)
                shutil.copytree(small, tmp_path / small.name)
                path.rmdir()
            return opened(path, *flags, **more)

        monkeypatch.setattr(os, "open", just_before)
        assert write_small(FolderProduct(safe), SECOND, BOTH, tmp_path) == tmp_path / small.name
        assert late
        assert list(tmp_path.iterdir()) == [tmp_path / small.name]


class TestRefusals:
    @pytest.mark.parametrize(
        ("bursts", "message"),
        [
            ({"IW1": range(1, 3)}, r"bursts: IW1: must be some of the 2 bursts, 1 to 2, .*; got '2 to 3'"),
            ({"IW1": range(1, 1)}, "must be some of the 2 bursts"),
            ({"IW1": range(0, 2, 2)}, "without a gap"),
            ({"IW3": range(1)}, r"must be one that S1A.* has in VV; got 'IW3'"),
            ({}, "must name one at least"),
        ],
    )
    def test_of_bursts_that_are_not_there(self, safe, tmp_path, bursts, message):
        with pytest.raises(ConfigurationError, match=message):
            write_small(FolderProduct(safe), bursts, ("VV",), tmp_path)

    @pytest.mark.parametrize("wanted", [("VH",), ("HH",), ("VV", "HH"), ()])
    def test_of_polarisations_by_which_no_product_is_named_or_that_are_not_there(self, safe, tmp_path, wanted):
        with pytest.raises(ConfigurationError, match=r"must be VV, or VH and VV"):
            write_small(FolderProduct(safe), SECOND, wanted, tmp_path)

    @pytest.mark.parametrize(
        ("pattern", "length", "message"),
        [
            ("measurement/*iw1*vh*.tiff", 100, "must be a TIFF of plain lines, of which bursts can be taken; it ends"),
            ("measurement/*iw1*vh*.tiff", -1000, "ends inside burst 2"),
            ("annotation/calibration/noise*iw1*vv*", 2000, "well-formed XML"),
        ],
    )
    def test_of_files_that_are_cut_off(self, safe, tmp_path, pattern, length, message):
        other = copy_of(safe, tmp_path / "other")
        (file,) = other.glob(pattern)
        worlds.rewrite(file, file.read_bytes()[:length])
        with pytest.raises(BadProduct, match=message) as caught:
            write_small(FolderProduct(other), SECOND, BOTH, tmp_path / "out")
        assert caught.value.product == safe.stem
        assert not list((tmp_path / "out").glob("*.SAFE"))

    def test_of_packed_samples(self, safe, tmp_path):
        other = copy_of(safe, tmp_path / "other")
        (file,) = other.glob("measurement/*iw1*vv*.tiff")
        with rasterio.open(file) as source:
            values, (points, system) = source.read(1), source.gcps
        file.unlink()
        profile = {"driver": "GTiff", "count": 1, "dtype": "complex_int16", "compress": "deflate"}
        shape = {"height": len(values), "width": values.shape[1]}
        with rasterio.open(file, "w", **profile, **shape, gcps=points, crs=system) as target:
            target.write(values, 1)
        with pytest.raises(BadProduct, match=r"has .* in tag 259, needs 1"):
            write_small(FolderProduct(other), SECOND, ("VV",), tmp_path / "out")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
    def test_of_a_folder_that_cannot_be_written(self, safe, tmp_path):
        (tmp_path / "locked").mkdir(mode=0o500)
        with pytest.raises(Retryable, match=r"cannot take S1A_IW_SLC.*Permission denied"):
            write_small(FolderProduct(safe), SECOND, BOTH, tmp_path / "locked")

    def test_of_a_place_that_is_a_file(self, safe, tmp_path):
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(Retryable, match="cannot take S1A_IW_SLC"):
            write_small(FolderProduct(safe), SECOND, BOTH, tmp_path / "file")


class TestAZip:
    def test_gives_the_same_product_as_its_folder(self, safe, small, tmp_path):
        shutil.make_archive(str(tmp_path / safe.stem), "zip", safe.parent, safe.name)
        path = write_small(open_product(tmp_path / f"{safe.stem}.zip"), SECOND, BOTH, tmp_path / "out")
        assert path.name == small.name


class TestBurstsOverAnArea:
    def test_are_found_in_every_subswath(self, safe):
        centre = Point(worlds.TINY.tiles[0].centre_lonlat)
        assert bursts_over(FolderProduct(safe), centre) == {"IW1": range(2)}
        assert bursts_over(FolderProduct(safe), centre.buffer(1.5)) == {"IW1": range(2), "IW2": range(2)}

    def test_are_none_elsewhere(self, safe):
        assert bursts_over(FolderProduct(safe), Point(10.0, 10.0)) == {}
