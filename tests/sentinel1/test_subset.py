"""Annotation of a few bursts says of them, to the last bit, what that of the slice says: of every real slice here."""

import dataclasses
import functools
import hashlib
import random
import re
from datetime import timedelta

import numpy as np
import pytest
from lxml import etree

from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.sentinel1 import subset
from sen12ts_pipeline.sentinel1.calibration import read_calibration, read_noise
from sen12ts_pipeline.sentinel1.manifest import MANIFEST, read_slice
from sen12ts_pipeline.sentinel1.subset import Cut, Listed
from tests.sentinel1.shelf import Members
from tests.sentinel1.slices import annotation, annotations, files, manifests

FIRST_BYTE = 4096
REBUILT = {"C158", "7466"}
"""Made of bursts of two slices: their grids have a row at the end of the first, none where the next burst begins."""


@dataclasses.dataclass(frozen=True)
class Pair:
    """A slice's annotation and that of some of its bursts."""

    whole: object
    cut: Cut

    @functools.cached_property
    def body(self):
        return subset.cut_annotation(self.whole.body, self.cut, FIRST_BYTE)

    @functools.cached_property
    def swath(self):
        return self.whole.read(self.body)

    @functools.cached_property
    def noise(self):
        body = subset.cut_noise(self.beside("noise"), self.cut)
        return read_noise(body, product="", member="", epoch=self.whole.epoch)

    @functools.cached_property
    def calibration(self):
        body = subset.cut_calibration(self.beside("calibration"), self.cut)
        return read_calibration(body, product="", member="", epoch=self.whole.epoch)

    def beside(self, kind):
        return files()[self.whole.name.replace("annotation/", f"annotation/calibration/{kind}-")]

    @property
    def bursts(self):
        """Bursts as the part and as the slice has them."""
        kept = self.cut.bursts
        return list(zip(self.swath.bursts, self.whole.swath.bursts[kept.start : kept.stop], strict=True))


@functools.cache
def pairs():
    """Of every slice and subswath with bursts one run at random, the same in every session."""
    made = []
    for number, whole in enumerate(a for a in annotations() if a.swath.bursts):
        low, high = sorted(random.Random(number).sample(range(len(whole.swath.bursts) + 1), 2))
        made.append(Pair(whole, Cut(whole.swath, range(low, high))))
    return made


def pair(slice_, subswath, low, high, polarisation="VV"):
    whole = annotation(slice_, subswath, polarisation)
    return Pair(whole, Cut(whole.swath, range(low, high)))


def places(one, count=12):
    """Lines of a burst and samples, at random, on and between those of the files, and beyond the ends."""
    chosen = random.Random(one.whole.name)
    lines = np.array([chosen.randrange(one.swath.lines_per_burst) for _ in range(count)]) + 0.5 * chosen.randrange(2)
    return lines, np.array([chosen.uniform(-50.0, one.swath.samples + 50.0) for _ in range(count)])


class TestBursts:
    def test_have_the_same_identities_times_and_valid_samples(self):
        assert len(pairs()) == 104
        for one in pairs():
            for part, whole in one.bursts:
                for name in ("id", "start_s", "first_valid", "last_valid", "first_line", "last_line"):
                    assert getattr(part, name) == getattr(whole, name), (one.whole.name, name)

    def test_are_counted_and_placed_in_the_new_file(self):
        for one in pairs():
            offsets = [int(n) for n in re.findall(rb"<byteOffset>(\d+)<", one.body)]
            step = 4 * one.swath.samples * one.swath.lines_per_burst
            assert offsets == [FIRST_BYTE + k * step for k in range(len(one.cut.bursts))]
            assert int(re.search(rb"<numberOfLines>(\d+)<", one.body)[1]) == len(offsets) * one.swath.lines_per_burst
            counted = re.search(rb'<burstList count="(\d+)"', one.body)
            assert int(counted[1]) == len(offsets)

    def test_have_the_same_rates_and_centroids(self):
        for one in pairs():
            for part, whole in one.bursts:
                for name in ("fm_rate", "doppler_centroid"):
                    a, b = (getattr(s, name)(k) for s, k in ((one.swath, part), (one.whole.swath, whole)))
                    assert (a.azimuth_time_s, a.t0_s, *a.coefficients) == (b.azimuth_time_s, b.t0_s, *b.coefficients)

    def test_behind_the_node_keep_the_track_on_which_the_slice_began(self):
        # The first burst alone decides from which node times count, where the processor wrote no identities.
        whole = annotation("D6E2", "IW2")
        body = re.sub(rb"<burstId[^>]*>\s*\d+\s*</burstId>", b"", whole.body)
        cut = Cut(whole.read(body), range(7, 10))
        part = whole.read(subset.cut_annotation(body, cut, FIRST_BYTE))
        assert [b.id for b in part.bursts] == [b.id for b in whole.swath.bursts[7:10]]
        assert {b.id.track for b in part.bursts} == {16}


class TestReach:
    """What is known along the slice is known beyond the cut, wherever the slice went on."""

    def test_of_rates_and_centroids(self):
        for one in pairs():
            kept, middles = one.cut.bursts, [one.swath.middle_s(burst) for burst in one.swath.bursts]
            for entries in (one.swath.fm_rates, one.swath.doppler):
                times = [entry.azimuth_time_s for entry in entries]
                assert kept.start == 0 or min(times) < one.swath.bursts[0].start_s
                assert kept.stop == len(one.whole.swath.bursts) or max(times) > middles[-1]

    def test_of_noise_over_azimuth(self):
        found = [one for one in pairs() if one.whole.noise is not None and len(one.noise.azimuth_line)]
        assert len(found) > 50
        for one in found:
            lines = one.noise.azimuth_line
            assert lines[0] <= 0.0
            assert lines[-1] >= one.cut.lines - 1


class TestEverythingElse:
    def test_of_the_whole_slice_is_what_it_was(self):
        def text(body):
            plain = etree.tostring(etree.fromstring(body), method="c14n")
            return re.sub(rb"<byteOffset>\d+</byteOffset>|<burstId>\d+</burstId>|\s+", b"", plain)

        for number, whole in enumerate(a for a in annotations() if a.swath.bursts and a.polarisation != "VH"):
            if number % 3 == 0:
                cut = Cut(whole.swath, range(len(whole.swath.bursts)))
                same = re.sub(rb"<burstId>\d+</burstId>", b"", whole.body)
                assert text(subset.cut_annotation(whole.body, cut, 0)) == text(same), whole.name

    def test_that_is_tagged_by_time_stays(self):
        one = pair("6814", "IW2", 3, 5)
        for path in ("orbit", "attitude", "azimuthFmRate", "dcEstimate", "terrainHeight", "noise", "replica"):
            both = [etree.fromstring(body).findall(f".//{path}List/{path}") for body in (one.body, one.whole.body)]
            assert len(both[0]) == len(both[1]) > 0
            assert [etree.tostring(e) for e in both[0]] == [etree.tostring(e) for e in both[1]]
        assert (one.swath.orbit.position_m == one.whole.swath.orbit.position_m).all()

    def test_tells_the_period_of_what_is_kept(self):
        one = pair("6814", "IW2", 3, 5)
        start, stop = one.cut.start, one.cut.stop
        assert start == one.whole.epoch + timedelta(seconds=one.whole.swath.bursts[3].start_s)
        assert abs((stop - start).total_seconds() - (1518 * one.swath.line_interval_s + 2.758)) < 0.01
        for body in (
            one.body,
            subset.cut_noise(one.beside("noise"), one.cut),
            subset.cut_calibration(one.beside("calibration"), one.cut),
            subset.cut_report(one.beside("noise"), one.cut),
        ):
            assert f"<startTime>{start:%Y-%m-%dT%H:%M:%S.%f}</startTime>".encode() in body
            assert f"<stopTime>{stop:%Y-%m-%dT%H:%M:%S.%f}</stopTime>".encode() in body
        assert f"<productLastLineUtcTime>{stop:%Y-%m-%dT%H:%M:%S.%f}<".encode() in one.body

    def test_is_named_by_the_part_s_times(self):
        one = pair("6814", "IW2", 3, 5)
        name = "annotation/calibration/noise-s1a-iw2-slc-vv-20230916t063732-20230916t063757-050349-060fcd-005.xml"
        part = "annotation/calibration/noise-s1a-iw2-slc-vv-20230916t063740-20230916t063746-050349-060fcd-005.xml"
        assert one.cut.named(name) == part


class TestGrid:
    def test_encloses_what_is_kept(self):
        for one in pairs():
            found = subset.grid_of(one.body, one.cut)
            assert found.line.min() <= 0.0
            last = one.cut.lines if one.cut.bursts.stop < len(one.whole.swath.bursts) else one.cut.lines - 1
            assert last <= found.line.max()
            if one.whole.slice not in REBUILT:
                assert found.line.max() <= one.cut.lines
            assert found.line.min() > -one.swath.lines_per_burst
            assert len(np.unique(found.line)) >= len(one.cut.bursts) + 1

    def test_has_the_slice_s_points_on_moved_lines(self):
        for one in pairs():
            found, known = subset.grid_of(one.body, one.cut), one.whole.grid
            by_place = {
                (line - one.cut.first_line, sample): k
                for k, (line, sample) in enumerate(zip(known.line, known.sample, strict=True))
            }
            index = [by_place[place] for place in zip(found.line, found.sample, strict=True)]
            for name in ("azimuth_time_s", "range_time_s", "latitude", "longitude", "height_m"):
                assert (getattr(found, name) == getattr(known, name)[index]).all()

    def test_counts_its_points(self):
        one = pair("6814", "IW2", 3, 5)
        assert b'<geolocationGridPointList count="63"' in one.body
        assert one.body.count(b"<geolocationGridPoint>") == 63


class TestCalibration:
    def test_is_the_same_in_every_burst_and_sample(self):
        found = [one for one in pairs() if one.whole.calibration is not None]
        assert len(found) > 60
        for one in found:
            _, sample = places(one)
            for part, whole in one.bursts:
                a = one.calibration.beta_nought(one.swath, part, sample)
                assert (a == one.whole.calibration.beta_nought(one.whole.swath, whole, sample)).all()

    def test_that_changes_along_the_slice_is_the_same_too(self):
        # Real beta nought is one number: here it is another one in every vector.
        one, count = pair("6814", "IW2", 3, 5), iter(range(100))

        def another(match):
            level = f"{237.0 + next(count)}".encode()
            return match[1] + b" ".join([level] * len(match[2].split())) + match[3]

        body = re.sub(rb"(<betaNought[^>]*>)([^<]*)(<)", another, one.beside("calibration"))
        whole, part = (
            read_calibration(b, product="", member="", epoch=one.whole.epoch)
            for b in (body, subset.cut_calibration(body, one.cut))
        )
        _, sample = places(one)
        for a, b in one.bursts:
            level = part.beta_nought(one.swath, a, sample)
            assert (level == whole.beta_nought(one.whole.swath, b, sample)).all()
            assert level[0] != 237.0
        assert 2 <= len(part.vectors) < len(whole.vectors)

    def test_keeps_two_vectors_where_none_lies_near(self):
        # IPF 2.36: the first one lies on the second burst, and the last ones behind the image.
        for low, high in ((0, 1), (8, 9)):
            one = pair("91FC", "IW1", low, high, "HH")
            assert len(one.calibration.vectors) >= 2


class TestNoise:
    def test_is_the_same_in_every_burst_line_and_sample(self):
        found = [one for one in pairs() if one.whole.noise is not None]
        assert len(found) > 60
        for one in found:
            line, sample = places(one)
            assert one.noise.usable == one.whole.noise.usable
            for part, whole in one.bursts:
                assert (one.noise.over_range(part, sample) == one.whole.noise.over_range(whole, sample)).all()
                a = one.noise.over_azimuth(one.swath, part, line)
                assert (a == one.whole.noise.over_azimuth(one.whole.swath, whole, line)).all(), one.whole.name

    def test_has_a_vector_for_every_burst_by_time_and_for_every_line_by_line(self):
        # Lines are shifted by a burst: vector 4 has the time of burst 4 and the line at which burst 3 begins.
        one = pair("6814", "IW2", 3, 5)
        lines = one.cut.swath.lines_per_burst
        assert [v.line for v in one.noise.vectors] == [-lines, 0, lines, 2 * lines]
        assert [v.azimuth_time_s for v in one.noise.vectors[:2]] == pytest.approx(
            [b.start_s for b in one.swath.bursts], abs=1e-3
        )

    def test_over_azimuth_ends_with_the_image(self):
        one = pair("6814", "IW2", 3, 5)
        body = subset.cut_noise(one.beside("noise"), one.cut)
        ends = [int(re.search(rb"<%b>(-?\d+)<" % name, body)[1]) for name in (b"firstAzimuthLine", b"lastAzimuthLine")]
        assert ends == [0, one.cut.lines - 1]
        lines = one.noise.azimuth_line
        assert -10 < lines[0] <= 0
        assert one.cut.lines - 1 <= lines[-1] < one.cut.lines + 9

    def test_of_the_first_processors_is_cut_as_well(self):
        one = pair("13F8", "IW2", 2, 4)
        assert 3 <= len(one.noise.vectors) < len(one.whole.noise.vectors)


class TestASubswathOfWhichNothingIsKept:
    def test_is_absent_but_known(self):
        whole = annotation("6814", "IW2")
        swath = whole.read(subset.without_bursts(whole.body, whole.swath))
        assert swath.bursts == ()
        assert (swath.range_start_s, swath.middle_range_s) == (whole.swath.range_start_s, whole.swath.middle_range_s)
        assert (swath.orbit.time_s == whole.swath.orbit.time_s).all()


def listed(whole, cut, source):
    """Files of a product of one cut, with made-up sizes."""
    names = [n for n in source if f"-{cut.swath.subswath.lower()}-slc-vv-" in n]
    return [Listed(cut.named(n), n, len(n), hashlib.md5(n.encode()).hexdigest()) for n in names]


@pytest.fixture(scope="module")
def manifest():
    """Manifest of bursts 4 and 5 of IW2, of the slice of September 2023; and its cut and files."""
    whole = annotation("6814", "IW2")
    product = next(name for name in manifests() if name.endswith("6814"))
    cut = Cut(dataclasses.replace(whole.swath, product=product), range(3, 5))
    source = re.findall(r'href="\./((?:annotation|measurement)/[^"]*)"', manifests()[product].decode())
    entries = listed(whole, cut, source)
    grid = subset.grid_of(subset.cut_annotation(whole.body, cut, 0), cut)
    return subset.cut_manifest(manifests()[product], [cut], entries, [grid], MANIFEST), cut, entries, product


class TestManifest:
    def test_has_the_slice_s_identity(self, manifest):
        body, cut, _, product = manifest
        part, whole = (read_slice(Members(product, {MANIFEST: b})) for b in (body, manifests()[product]))
        for name in ("platform", "datatake", "relative_orbit", "direction", "processed", "ipf"):
            assert getattr(part, name) == getattr(whole, name)
        assert (part.start, part.stop) == (cut.start, cut.stop)
        assert part.polarisations == ("VV",)
        assert whole.polarisations == ("VH", "VV")

    def test_lies_inside_the_slice_and_around_its_grid(self, manifest):
        import shapely

        body, _, _, product = manifest
        part, whole = (
            shapely.from_wkt(read_slice(Members(product, {MANIFEST: b})).footprint)
            for b in (body, manifests()[product])
        )
        assert part.difference(whole).area < 0.01 * part.area
        assert 0.05 < part.area / whole.area < 0.1

    def test_lists_the_files_that_are_there_and_no_others(self, manifest):
        body, _, entries, _ = manifest
        assert len(entries) == 5
        root = etree.fromstring(body)
        found = {
            (o.find(".//fileLocation").get("href"), o.find("byteStream").get("size"), o.findtext(".//checksum"))
            for o in root.iter("dataObject")
        }
        assert found == {(f"./{e.member}", str(e.size), e.md5) for e in entries}

    def test_refers_only_to_what_it_defines(self, manifest):
        root = etree.fromstring(manifest[0])
        defined = {element.get("ID") for element in root.iter() if element.get("ID")}
        for element in root.iter():
            assert element.get("dataObjectID") in defined | {None}
            assert set((element.get("dmdID") or "").split()) <= defined
            assert element.get("repID") in defined | {None}
        assert len(list(root.iter("dataObjectPointer"))) == 5 + 4

    def test_names_files_as_esa_does(self, manifest):
        names = {o.get("ID") for o in etree.fromstring(manifest[0]).iter("dataObject")}
        tail = "s1aiw2slcvv20230916t06374020230916t063746050349060fcd005"
        assert names == {tail, f"product{tail}", f"noise{tail}", f"calibration{tail}", f"rfi{tail}"}

    def test_takes_up_files_that_the_slice_s_does_not_list(self, manifest):
        _, cut, entries, product = manifest
        more = Listed("annotation/rfi/rfi-a.xml", "annotation/rfi/rfi-b.xml", 7, "ab")
        grid = subset.grid_of(subset.cut_annotation(annotation("6814", "IW2").body, cut, 0), cut)
        body = subset.cut_manifest(manifests()[product], [cut], [*entries, more], [grid], MANIFEST)
        assert b'href="./annotation/rfi/rfi-a.xml"' in body

    def test_crosses_the_antimeridian(self, manifest):
        product = manifest[3]
        whole = annotation("2250", "IW1")
        cut = Cut(dataclasses.replace(whole.swath, product=product), range(2, 5))
        grid = subset.grid_of(subset.cut_annotation(whole.body, cut, 0), cut)
        body = subset.cut_manifest(manifests()[product], [cut], [], [grid], MANIFEST)
        corners = np.array([c.split(b",") for c in re.search(rb"coordinates>([^<]*)<", body)[1].split()], float)
        assert len(corners) == 4
        assert (np.abs(corners[:, 1]) > 170.0).all()
        import shapely

        area = shapely.from_wkt(read_slice(Members(product, {MANIFEST: body})).footprint)
        assert area.area < 2.0

    @pytest.mark.parametrize("tag", ["startTime", "coordinates", "dataObjectSection"])
    def test_that_lacks_what_is_to_be_changed_is_refused(self, manifest, tag):
        _, cut, entries, product = manifest
        body = manifests()[product].replace(tag.encode(), b"other")
        grid = subset.grid_of(subset.cut_annotation(annotation("6814", "IW2").body, cut, 0), cut)
        with pytest.raises(BadProduct, match=f"element {tag}: missing"):
            subset.cut_manifest(body, [cut], entries, [grid], MANIFEST)


@pytest.mark.parametrize("tag", ["burstList", "numberOfLines", "geolocationGridPointList", "startTime"])
def test_an_annotation_that_lacks_what_is_to_be_changed_is_refused(tag):
    one = pair("6814", "IW2", 3, 5)
    body = one.whole.body.replace(b"<" + tag.encode(), b"<other").replace(b"</" + tag.encode(), b"</other")
    with pytest.raises(BadProduct, match=f"{tag}.*: missing"):
        subset.cut_annotation(body, one.cut, 0)
