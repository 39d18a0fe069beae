"""The catalogue of the Copernicus Data Space: OData ``Products`` and ``Bursts``, as treacherous as it is.

Without ``$orderby`` pages repeat entries and lose others; beyond entry 10,000 there is no page, and no link to one.
"""

import json
import math
import re
import urllib.parse
import uuid
import zlib
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from tests.world.filters import parsed
from tests.world.holdings import plain, text
from tests.world.web import Reply, as_json

ROOT = "/odata/v1"
NEVER = "9999-12-31T23:59:59.999999Z"
PUBLIC = "https://catalogue.dataspace.copernicus.eu/odata/v1"


@dataclass
class ODataCatalogue:
    """Implements the catalogue.

    Attributes
    ----------
    held : list of Held
        Products.
    orbits : list of Path
        Orbit files, which are products too.
    offline : set of str
        Names of products that are listed and cannot be had at once.
    last : int
        Beyond so many entries there is no page.
    """

    held: list
    orbits: list = field(default_factory=list)
    offline: set = field(default_factory=set)
    last: int = 10_000

    def __post_init__(self):
        self._products = [product(h) for h in self.held] + [orbit(path) for path in self.orbits]
        self._bursts = [burst(b) for h in self.held if h.is_slice for b in h.bursts]

    def __call__(self, request):
        path = request.path.removeprefix(ROOT)
        single = re.fullmatch(r"/Products\(([^)]*)\)", path)
        if single:
            return self._single(single[1])
        if request.method != "GET" or path not in ("/Products", "/Bursts"):
            return as_json({"detail": "Not Found"}, 404)
        return self._list(request, "Products" if path == "/Products" else "Bursts")

    def _single(self, identity):
        if not re.fullmatch(r"[0-9a-f-]{36}", identity):
            return as_json({"detail": "Malformed OData request path"}, 400)
        found = [e for e in self._products if e["Id"] == identity]
        context = {"@odata.context": "$metadata#Products/$entity"}
        return as_json(context | _without(found[0], "Attributes")) if found else as_json({"detail": "Not Found"}, 404)

    def _list(self, request, entity):
        options = urllib.parse.parse_qsl(urllib.parse.urlsplit(request.target).query)
        values, expand = dict(options), [v for k, v in options if k == "$expand"]
        skip, top = int(values.get("$skip", 0)), int(values.get("$top", 20))
        for name, value, most in (("$skip", skip, 10_000), ("$top", top, 1000)):
            if value > most:
                return _too_large(name, value, most)
        try:
            found = self._found(entity, values.get("$filter", ""))
        except (ValueError, TypeError) as error:
            return as_json({"detail": {"message": f"Invalid filter: {error}"}}, 400)
        page = _ordered(found, values.get("$orderby"), skip)[skip : skip + top]
        reply = {"@odata.context": _context(entity, expand)}
        if values.get("$count", "").lower() in ("true", "1"):
            reply["@odata.count"] = len(found)
        reply["value"] = [_expanded(e, expand) | self._online(e) for e in page]
        if len(page) == top and skip + top < self.last:
            reply["@odata.nextLink"] = f"{PUBLIC}/{entity}?{_next(options, skip + top)}"
        return as_json(reply)

    def _found(self, entity, said):
        entries = self._products if entity == "Products" else self._bursts
        if not said:
            return list(entries)
        holds = parsed(said)
        return [e for e in entries if holds(e | {"Collection": {"Name": _collection(e)}})]

    def _online(self, entry):
        return {"Online": False} if entry["Name"].removesuffix(".SAFE") in self.offline else {}


def product(held):
    """Entry of a slice or granule, with everything that can be expanded."""
    attributes = _slice_attributes(held) if held.is_slice else _granule_attributes(held)
    times = {"beginningDateTime": held.start, "endingDateTime": held.stop}
    entry = _entry(held.safe, held.id, held.size, held.md5, held.s3_path, held.start, held.stop)
    entry["Attributes"] = [_attribute(k, v) for k, v in (attributes | times).items()]
    wkt = f"geography'SRID=4326;{held.area.wkt}'"
    return entry | {"Footprint": wkt, "GeoFootprint": held.geometry}


def orbit(path):
    """Entry of an orbit file, which covers no place."""
    kind, first = re.search(r"AUX_(\w{6})_.*_V(\d{8}T\d{6})_", path.name).groups()
    start, stop = (f"{t[:4]}-{t[4:6]}-{t[6:11]}:{t[11:13]}:{t[13:]}.000000Z" for t in (first, path.stem[-15:]))
    day = f"{first[:4]}/{first[4:6]}/{first[6:8]}"
    place = f"/eodata/Sentinel-1/AUX/AUX_{kind}/{day}/{path.name}"
    entry = _entry(
        path.name, str(uuid.uuid5(uuid.NAMESPACE_URL, path.name)), path.stat().st_size, "", place, None, None
    )
    entry["ContentDate"] = {"Start": start, "End": stop}
    attributes = {"productType": f"AUX_{kind}", "platformShortName": "SENTINEL-1"}
    entry["Attributes"] = [_attribute(k, v) for k, v in attributes.items()]
    return entry | {"Footprint": None, "GeoFootprint": None}


def burst(one):
    """Entry of a burst of one polarisation."""
    held, start, stop = one.of, text(one.sensing_time), text(one.sensing_time + one.duration)
    hexadecimal = held.name.split("_")[-2]
    name = f"{held.slice.platform}-SLC-{one.azimuth_time:%Y%m%dT%H%M%S}-{one.id.number}-{one.id.subswath}"
    return {
        "@odata.mediaContentType": "application/octet-stream",
        "Id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{held.safe}/{one.measurement}/{one.index}")),
        "Name": f"{name}-{one.polarisation}-{hexadecimal}",
        "ContentType": "application/octet-stream",
        "S3Path": f"{held.s3_path}/{one.measurement}",
        "ContentDate": {"Start": start, "End": stop},
        "Footprint": f"geography'SRID=4326;{one.area.wkt}'",
        "GeoFootprint": plain(one.area.__geo_interface__),
        "ParentProductId": held.id,
        "ParentProductName": held.safe,
        "ByteOffset": one.offset,
        "BurstId": one.id.number,
        "AbsoluteBurstId": held.orbit // 175 * 375_887 + one.id.number,
        "AzimuthTime": text(one.azimuth_time),
        "AzimuthAnxTime": one.anx_time_s,
        "ParentProductType": "IW_SLC__1S",
        "SwathIdentifier": one.id.subswath,
        "RelativeOrbitNumber": held.slice.relative_orbit,
        "OrbitDirection": _direction(held),
        "PlatformSerialIdentifier": held.slice.platform[-1],
        "PolarisationChannels": one.polarisation,
        "OperationalMode": "IW",
        "DatatakeID": int(re.sub("[A-F]", "0", hexadecimal)),  # hexadecimal digits as if decimal, as they are there
        "Lines": one.lines,
        "LinesPerBurst": one.lines,
        "SamplesPerBurst": one.samples,
        "BeginningDateTime": start,
        "EndingDateTime": stop,
    }


def _entry(name, identity, size, md5, place, start, stop):
    published = text(stop) if stop else "2023-11-01T00:00:00.000000Z"
    checksums = [{"Value": md5, "Algorithm": "MD5", "ChecksumDate": published}] if md5 else []
    location = {
        "FormatType": "Extracted",
        "DownloadLink": f"{PUBLIC}/Products({identity})/$value",
        "ContentLength": size,
        "Checksum": checksums,
        "S3Path": place,
    }
    return {
        "@odata.mediaContentType": "application/octet-stream",
        "Id": identity,
        "Name": name,
        "ContentType": "application/octet-stream",
        "ContentLength": size,
        "OriginDate": published,
        "PublicationDate": published,
        "ModificationDate": published,
        "Online": True,
        "EvictionDate": NEVER,
        "S3Path": place,
        "Checksum": checksums,
        "ContentDate": {"Start": text(start), "End": text(stop)} if start else {},
        "Assets": [],
        "Locations": [location],
    }


def _slice_attributes(held):
    one = held.slice
    return {
        "origin": "ESA",
        "datatakeID": one.datatake,
        "timeliness": "Fast-24h",
        "orbitNumber": held.orbit,
        "sliceNumber": 1,
        "totalSlices": 1,
        "productClass": "S",
        "orbitDirection": _direction(held),
        "processingDate": one.processed,
        "operationalMode": "IW",
        "processingLevel": "LEVEL1",
        "processorVersion": f"{one.ipf[0]:03d}.{one.ipf[1]:02d}",
        "sliceProductFlag": False,
        "platformShortName": "SENTINEL-1",
        "instrumentShortName": "SAR",
        "relativeOrbitNumber": one.relative_orbit,
        "polarisationChannels": "VV&VH",
        "platformSerialIdentifier": one.platform[-1],
        "productType": "IW_SLC__1S",
    }


def _granule_attributes(held):
    one = held.granule
    baseline = f"{one.baseline[0]:02d}.{one.baseline[1]:02d}"
    return {
        "origin": "ESA",
        "tileId": one.mgrs,
        "cloudCover": one.cloud_percent,
        "datastripId": one.datastrip,
        "orbitNumber": held.orbit,
        "processingDate": f"{one.discriminator[:4]}-{one.discriminator[4:6]}-{one.discriminator[6:8]}T00:00:00.000000Z",
        "productGroupId": f"G{one.mission}_{one.datatake_start:%Y%m%dT%H%M%S}_{held.orbit:06d}_N{baseline}",
        "operationalMode": "INS-NOBS",
        "processingLevel": "S2MSI2A",
        "processorVersion": baseline,
        "platformShortName": "SENTINEL-2",
        "instrumentShortName": "MSI",
        "relativeOrbitNumber": one.relative_orbit,
        "platformSerialIdentifier": one.mission[-1],
        "productType": "S2MSI2A",
    }


def _attribute(name, value):
    if hasattr(value, "year"):
        value = text(value)
    kind = {bool: "Boolean", int: "Integer", float: "Double", str: "String"}[type(value)]
    kind = "DateTimeOffset" if name.endswith(("Date", "DateTime")) else kind
    return {"@odata.type": f"#OData.CSC.{kind}Attribute", "Name": name, "Value": value, "ValueType": kind}


def _direction(held):
    return {"A": "ASCENDING", "D": "DESCENDING"}[held.slice.direction]


def _collection(entry):
    return {"S1": "SENTINEL-1", "S2": "SENTINEL-2"}[PurePosixPath(entry["Name"]).name[:2]]


def _ordered(found, by, skip):
    if by:
        field_, _, way = by.partition(" ")
        keys = field_.split("/")
        chosen = sorted(found, key=lambda e: e["Id"])
        return sorted(chosen, key=lambda e: _in(e, keys), reverse=way == "desc")
    turn = math.gcd(skip + 1, 7)  # another order for another page, as of a server of many machines
    return sorted(found, key=lambda e: (zlib.crc32(f"{turn} {e['Name']}".encode()), e["Id"]))


def _in(entry, keys):
    for key in keys:
        entry = entry[key]
    return entry


def _context(entity, expand):
    return f"$metadata#{entity}" + (f"({','.join(f'{name}()' for name in expand)})" if expand else "")


def _expanded(entry, expand):
    return _without(entry, *({"Attributes", "Assets", "Locations"} - set(expand)))


def _without(entry, *names):
    return {k: v for k, v in entry.items() if k not in names}


def _next(options, skip):
    return urllib.parse.urlencode([(k, v) for k, v in options if k != "$skip"] + [("$skip", str(skip))])


def _too_large(name, value, most):
    said = f"Input should be less than or equal to {most}"
    detail = {"type": "less_than_equal", "loc": ["query", name], "msg": said, "input": str(value), "ctx": {"le": most}}
    return Reply(422, json.dumps({"detail": [detail]}).encode(), {"Content-Type": "application/json"})
