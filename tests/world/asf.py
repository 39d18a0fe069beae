"""The Alaska Satellite Facility: its search, its zips behind a redirection, its service that cuts out bursts."""

import functools
import hashlib
import re
import secrets
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from lxml import etree
from shapely.geometry import Polygon

from sen12ts_pipeline.simulate.measurement import Block, write_measurement
from tests.world.holdings import text
from tests.world.web import Reply, as_json, in_file

DATAPOOL = "https://datapool.asf.alaska.edu"
BURSTS = "https://sentinel1-burst.asf.alaska.edu"
_PARTS = {"": "product", "calibration-": "calibration", "noise-": "noise", "rfi-": "rfi"}


@dataclass
class Search:
    """NASA's Common Metadata Repository as far as it tells of ASF's Sentinel-1; it gives what has a part in the time.

    Attributes
    ----------
    held : list of Held
        Slices.
    datapool, bursts : str
        Addresses that entries name; by default the public ones.
    zips : callable
        From a slice to its zip.
    """

    held: list
    zips: object
    datapool: str = DATAPOOL
    bursts: str = BURSTS

    def __post_init__(self):
        self._items = None

    @property
    def items(self):
        """Entries of slices and of bursts."""
        if self._items is None:
            with ThreadPoolExecutor(2) as pool:  # packing is most of the work
                list(pool.map(self.zips, self.held))
            slices = [slice_item(h, self.zips(h), self.datapool) for h in self.held]
            self._items = slices + [burst_item(b, self.bursts) for h in self.held for b in h.bursts]
        return self._items

    def __call__(self, request):
        if request.path != "/search/granules.umm_json":
            return as_json({"errors": ["Not Found"]}, 404)
        asked = request.form if request.method == "POST" else {k: [v] for k, v in request.query.items()}
        size, page = int(asked.get("page_size", ["10"])[0]), int(asked.get("page_num", ["1"])[0])
        if not 0 <= size <= 2000:
            return as_json({"errors": ["page_size must be a number between 0 and 2000"]}, 400)
        try:
            found = [item for item in self.items if _meets(item, asked)]
        except ValueError as error:
            return as_json({"errors": [str(error)]}, 400)
        found.sort(key=lambda item: (_times(item)["BeginningDateTime"], item["meta"]["concept-id"]))
        return as_json({"hits": len(found), "took": 5, "items": found[(page - 1) * size : page * size]})


_NAMES = ("readable_granule_name", "granule_ur", "producer_granule_id", "native_id")
_KNOWN = {"provider", "short_name", "polygon", "temporal", "sort_key", "page_size", "page_num", *_NAMES}


def _meets(item, asked):
    """Whether an entry is asked for; ValueError for a question that is not understood."""
    asked = {name.removesuffix("[]"): values for name, values in asked.items()}
    unknown = sorted(k for k in asked if k not in _KNOWN and not k.startswith("options"))
    if unknown:
        raise ValueError(f"Parameter [{unknown[0]}] was not recognized.")
    umm = item["umm"]
    if umm["CollectionReference"]["ShortName"] not in asked.get(
        "short_name", [umm["CollectionReference"]["ShortName"]]
    ):
        return False
    names = [name for key in _NAMES for name in asked.get(key, ())]
    if names and not {umm["GranuleUR"], umm["GranuleUR"].removesuffix("-SLC")} & set(names):
        return False
    return _in_time(item, asked.get("temporal")) and _in_area(umm, asked.get("polygon"))


def _in_time(item, temporal):
    if not temporal:
        return True
    first, last = (datetime.fromisoformat(t).astimezone(UTC) for t in temporal[0].split(","))
    begins, ends = (datetime.fromisoformat(_times(item)[f"{w}DateTime"]) for w in ("Beginning", "Ending"))
    return begins <= last and ends >= first


def _in_area(umm, polygon):
    if not polygon:
        return True
    numbers = [float(x) for x in polygon[0].split(",")]
    area = Polygon(zip(numbers[::2], numbers[1::2], strict=True))
    if not area.exterior.is_ccw:
        raise ValueError("The polygon boundary points are listed in the wrong order")
    points = umm["SpatialExtent"]["HorizontalSpatialDomain"]["Geometry"]["GPolygons"][0]["Boundary"]["Points"]
    return Polygon([(p["Longitude"], p["Latitude"]) for p in points]).intersects(area)


def _times(item):
    return item["umm"]["TemporalExtent"]["RangeDateTime"]


def slice_item(held, packed, datapool=DATAPOOL):
    """Entry of a slice, whose zip is `packed`."""
    one, url = held.slice, f"{datapool}/SLC/{held.name[0]}{held.name[2]}/{held.name}.zip"
    attributes = {
        "ASCENDING_DESCENDING": {"A": "ASCENDING", "D": "DESCENDING"}[one.direction],
        "ASF_PLATFORM": f"Sentinel-{one.platform[1:]}",
        "BEAM_MODE": "IW",
        "BEAM_MODE_TYPE": "IW",
        "BYTES": str(packed.stat().st_size),
        "LOOK_DIRECTION": "R",
        "MD5SUM": _md5(packed),
        "PATH_NUMBER": str(one.relative_orbit),
        "POLARIZATION": "VV+VH",
        "PROCESSING_DATE": text(one.processed),
        "PROCESSING_LEVEL": "L1",
        "PROCESSING_TYPE": "SLC",
    }
    links = [("GET DATA", url), ("GET DATA", f"s3://asf-ngap2w-p-s1-slc-7b420b89/{held.name}.zip")]
    umm = _umm(f"{held.name}-SLC", f"SENTINEL-{one.platform[1:]}_SLC", held.area, one.start, one.stop, attributes)
    umm["RelatedUrls"] = [{"Type": kind, "URL": address, "Format": "Not provided"} for kind, address in links]
    umm["DataGranule"] = {
        "DayNightFlag": "Unspecified",
        "Identifiers": [{"Identifier": held.name, "IdentifierType": "ProducerGranuleId"}],
        "ProductionDateTime": text(one.start),
    }
    return _item(umm, held, "application/echo10+xml")


def burst_item(burst, service=BURSTS):
    """Entry of a burst of one polarisation."""
    held, place = burst.of, f"{service}/{burst.of.name}/{burst.id.subswath}/{burst.polarisation}/{burst.index}"
    attributes = {
        "ASCENDING_DESCENDING": {"A": "ASCENDING", "D": "DESCENDING"}[held.slice.direction],
        "AZIMUTH_ANX_TIME": str(burst.anx_time_s),
        "AZIMUTH_TIME": f"{burst.azimuth_time:%Y-%m-%dT%H:%M:%S.%f}",
        "BEAM_MODE": "IW",
        "BURST_ID_FULL": burst.full,
        "BURST_ID_RELATIVE": str(burst.id.number),
        "BURST_INDEX": str(burst.index),
        "BYTE_LENGTH": str(burst.size),
        "BYTE_OFFSET": str(burst.offset),
        "LINES_PER_BURST": str(burst.lines),
        "PATH_NUMBER": str(held.slice.relative_orbit),
        "POLARIZATION": burst.polarisation,
        "PROCESSING_LEVEL": "L1",
        "PROCESSING_TYPE": "BURST",
        "SAMPLES_PER_BURST": str(burst.samples),
        "SUBSWATH_NAME": burst.id.subswath,
    }
    name = burst_name(burst).removesuffix(".tiff")
    stop = burst.sensing_time + burst.duration
    umm = _umm(name, "SENTINEL-1_BURSTS", burst.area, burst.sensing_time, stop, attributes)
    kinds = [("GeoTIFF", "tiff"), ("XML", "xml")]
    umm["RelatedUrls"] = [{"URL": f"{place}.{e}", "Type": "USE SERVICE API", "Format": f} for f, e in kinds]
    umm["InputGranules"] = [f"{held.name}-SLC"]
    return _item(umm, held, "application/vnd.nasa.cmr.umm+json")


def _umm(name, collection, area, start, stop, attributes):
    points = [{"Longitude": round(x, 6), "Latitude": round(y, 6)} for x, y in area.exterior.normalize().coords]
    return {
        "TemporalExtent": {"RangeDateTime": {"BeginningDateTime": text(start), "EndingDateTime": text(stop)}},
        "GranuleUR": name,
        "AdditionalAttributes": [{"Name": k, "Values": [v]} for k, v in attributes.items()],
        "SpatialExtent": {
            "HorizontalSpatialDomain": {"Geometry": {"GPolygons": [{"Boundary": {"Points": points[::-1]}}]}}
        },
        "CollectionReference": {"ShortName": collection, "Version": "1"},
    }


def _item(umm, held, form):
    one = held.slice
    umm["OrbitCalculatedSpatialDomains"] = [{"OrbitNumber": held.orbit}]
    umm["PGEVersionClass"] = {"PGEName": "Sentinel-1 IPF", "PGEVersion": f"{one.ipf[0]:03d}.{one.ipf[1]:02d}"}
    umm["ProviderDates"] = [{"Date": "2023-11-01T00:00:00.000Z", "Type": "Insert"}]
    umm["Platforms"] = [{"ShortName": f"SENTINEL-{one.platform[1:]}", "Instruments": [{"ShortName": "C-SAR"}]}]
    number = int.from_bytes(umm["GranuleUR"].encode()[-30:], "big") % 10**9
    meta = {
        "concept-type": "granule",
        "concept-id": f"G{number}-ASF",
        "revision-id": 1,
        "native-id": umm["GranuleUR"],
        "provider-id": "ASF",
        "format": form,
        "revision-date": "2023-11-01T00:00:00.000Z",
    }
    return {"meta": meta, "umm": umm}


@functools.cache
def _md5(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


@dataclass
class Datapool:
    """Zips of slices: who shows a token is sent on to an address that is signed and needs none.

    Attributes
    ----------
    token : str
        Of the user.
    store : Callable
        Gives the address of the host to which users are sent on.
    signed : dict
        Addresses given out, by their signatures.
    """

    held: list
    token: str
    zips: object
    mark: str
    store: object = None
    signed: dict = field(default_factory=dict)

    def __call__(self, request):
        match = re.fullmatch(r"/SLC/S[A-D]/(S1\w+)\.zip", request.path)
        found = [h for h in self.held if match and h.name == match[1]]
        if request.bearer != self.token:
            return Reply(401, b"HTTP Basic: Access denied.", {"WWW-Authenticate": "Bearer"})
        if not found:
            return as_json({"error": "not found"}, 404)
        name = f"{self.mark}-{secrets.token_hex(8)}"
        self.signed[name] = found[0]
        address = f"{self.store()}/{found[0].name}.zip?A-userid=tests&Expires=9999999999&Signature={name}"
        return Reply(303, b"", {"Location": address})

    def store_answer(self, request):
        """The host behind: it looks at the signature alone, and refuses who shows a token as well."""
        held = self.signed.get(request.query.get("Signature"))
        if held is None or "authorization" in request.headers or request.path != f"/{held.name}.zip":
            return Reply(400, b"<Error><Code>InvalidArgument</Code></Error>", {"Content-Type": "application/xml"})
        path = self.zips(held)
        return in_file(request, path, {"ETag": f'"{_md5(path)}"', "Content-Type": "application/zip"})


@dataclass
class BurstService:
    """Cuts bursts out of slices: 202 while it does so, then a TIFF of one burst, or the metadata of its slice.

    Attributes
    ----------
    token : str
        Of the user.
    waits : int
        How often each file is answered with 202.
    others : int
        How many of the next bursts are another one than was asked for.
    """

    held: list
    token: str
    work: Path
    waits: int = 1
    others: int = 0
    asked: Counter = field(default_factory=Counter)

    def __call__(self, request):
        match = re.fullmatch(r"/(S1\w+)/(IW[123])/(VV|VH)/(\d+)\.(tiff|xml)", request.path)
        if request.bearer != self.token:
            return Reply(401, b"{}", {"WWW-Authenticate": "Bearer"})
        held = next((h for h in self.held if match and h.name == match[1]), None)
        if held is None:
            return as_json({"message": "Not Found"}, 404)
        self.asked[request.path] += 1
        if self.asked[request.path] <= self.waits:
            return as_json({"message": "Request is being processed"}, 202)
        if match[5] == "xml":
            return Reply(200, bundle(held.folder, match[3]), {"Content-Type": "text/xml"})
        return self._burst(held, match[2], match[3], int(match[4]))

    def _burst(self, held, subswath, polarisation, index):
        of = [b for b in held.bursts if (b.id.subswath, b.polarisation) == (subswath, polarisation)]
        if index >= len(of):
            return as_json({"message": "Not Found"}, 404)
        if self.others:
            self.others, index = self.others - 1, (index + 1) % len(of)
        path = self._cut(of[index])
        named = {"Content-Type": "image/tiff", "Content-Disposition": f"attachment; filename={burst_name(of[index])}"}
        return Reply(200, path.read_bytes(), named)

    def _cut(self, burst):
        path = self.work / f"{burst.of.name}-{burst_name(burst)}"
        if not path.exists():
            values = np.fromfile(burst.of.folder / burst.measurement, "<i2", burst.size // 2, offset=burst.offset)
            block = Block(0, 0, values.reshape(burst.lines, burst.samples, 2))
            write_measurement(path, burst.lines, burst.samples, [], [block])
        return path


def burst_name(burst):
    """Name under which a burst is delivered."""
    ending = f"{burst.polarisation}_{burst.of.name[-4:]}-BURST.tiff"
    return f"S1_{burst.id.number:06d}_{burst.id.subswath}_{burst.azimuth_time:%Y%m%dT%H%M%S}_{ending}"


def bundle(safe, polarisation):
    """Metadata of a slice in one polarisation as one document."""
    root = etree.Element("burst")
    etree.SubElement(root, "manifest").append(etree.parse(safe / "manifest.safe").getroot())
    metadata = etree.SubElement(root, "metadata")
    for path in sorted((safe / "annotation").rglob(f"*-slc-{polarisation.lower()}-*.xml")):
        whole = etree.parse(path).getroot()
        part = etree.SubElement(metadata, _PARTS[path.name.partition("s1")[0]], source_filename=path.name)
        for name in ("swath", "polarisation"):
            etree.SubElement(part, name).text = whole.findtext(f"adsHeader/{name}")
        content = etree.SubElement(part, "content")
        content.text = whole.text
        content.extend(list(whole))
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def deflated(work):
    """Zips as ASF has them: compressed."""
    return lambda held: held.zipped(work, zipfile.ZIP_DEFLATED)
