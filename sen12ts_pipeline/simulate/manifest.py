"""Names and manifest of an IW SLC product."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sen12ts_pipeline.simulate.acquisition import Acquisition, Swath
from sen12ts_pipeline.simulate.annotation import GridPoint, extent
from sen12ts_pipeline.simulate.sensor import LINE_INTERVAL_S
from sen12ts_pipeline.simulate.xmltree import moment


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the product: path inside it, size, MD5."""

    path: str
    size: int
    md5: str


_KINDS = {
    "annotation/s1": ("product", "s1Level1ProductSchema", "text/xml"),
    "annotation/calibration/noise": ("", "s1Level1NoiseSchema", "text/xml"),
    "annotation/calibration/calibration": ("", "s1Level1CalibrationSchema", "text/xml"),
    "measurement/": ("", "s1Level1MeasurementSchema", "application/octet-stream"),
}


def stem(acquisition: Acquisition, swath: Swath, pol: str, image_number: int) -> str:
    """Name that a swath's files share: ``s1a-iw1-slc-vv-...-004``."""
    start, stop = (t[:19].replace("-", "").replace(":", "").lower() for t in extent(acquisition, swath))
    orbit = f"{acquisition.absolute_orbit:06d}-{acquisition.datatake:06x}"
    return f"s1a-iw{swath.design.number}-slc-{pol}-{start}-{stop}-{orbit}-{image_number:03d}"


def sensing_span_s(acquisition: Acquisition) -> tuple[float, float]:
    """First and last line over all swaths, seconds after the node."""
    first = min(s.bursts[0].start_s for s in acquisition.swaths)
    last = max(s.bursts[-1].start_s + (s.design.lines - 1) * LINE_INTERVAL_S for s in acquisition.swaths)
    return first, last


def product_name(acquisition: Acquisition, manifest: bytes) -> str:
    """Name of the product without ``.SAFE``; the last field is the manifest's CRC-16."""
    start, stop = (f"{acquisition.utc(t):%Y%m%dT%H%M%S}" for t in sensing_span_s(acquisition))
    orbit = f"{acquisition.absolute_orbit:06d}_{acquisition.datatake:06X}"
    return f"S1A_IW_SLC__1SDV_{start}_{stop}_{orbit}_{crc16(manifest):04X}"


def crc16(data: bytes) -> int:
    """CRC-16/CCITT with start value 0xFFFF."""
    register = 0xFFFF
    for byte in data:
        register ^= byte << 8
        for _ in range(8):
            register = (register << 1) ^ (0x1021 if register & 0x8000 else 0)
        register &= 0xFFFF
    return register


def manifest_xml(
    acquisition: Acquisition, entries: Sequence[Entry], grids: Mapping[int, list[GridPoint]], version: str
) -> bytes:
    """The manifest; `grids` are the geolocation grids by swath number, `version` the processor's."""
    objects = (
        _metadata("platform", "Platform Description", _platform(acquisition)),
        _metadata("measurementOrbitReference", "Orbit Reference", _orbit_reference(acquisition)),
        _metadata("generalProductInformation", "General Product Information", _information(acquisition)),
        _metadata("acquisitionPeriod", "Acquisition Period", _period(acquisition)),
        _metadata("measurementFrameSet", "Frame Set", _frame_set(grids)),
        _metadata("processing", "Processing", _processing(acquisition, version), kind="PROVENANCE", category="PDI"),
    )
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<xfdu:XFDU xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:gml="http://www.opengis.net/gml" '
        'xmlns:xfdu="urn:ccsds:schema:xfdu:1" xmlns:safe="http://www.esa.int/safe/sentinel-1.0" '
        'xmlns:s1="http://www.esa.int/safe/sentinel-1.0/sentinel-1" '
        'xmlns:s1sarl1="http://www.esa.int/safe/sentinel-1.0/sentinel-1/sar/level-1" '
        'version="esa/safe/sentinel-1.0/sentinel-1/sar/level-1/slc/standard/iwdp">\n'
        "<informationPackageMap>\n"
        '<xfdu:contentUnit unitType="SAFE Archive Information Package" '
        'textInfo="Sentinel-1 IW Level-1 SLC Product" pdiID="processing">\n'
        f"{''.join(map(_content_unit, entries))}</xfdu:contentUnit>\n</informationPackageMap>\n"
        f"<metadataSection>\n{''.join(objects)}</metadataSection>\n"
        f"<dataObjectSection>\n{''.join(map(_data_object, entries))}</dataObjectSection>\n</xfdu:XFDU>\n"
    )
    return text.encode()


def _platform(acquisition: Acquisition) -> str:
    names = sorted(s.design.name for s in acquisition.swaths)
    swaths = "".join(f"<s1sarl1:swath>{name}</s1sarl1:swath>" for name in names)
    return (
        "<safe:platform><safe:nssdcIdentifier>2014-016A</safe:nssdcIdentifier>"
        "<safe:familyName>SENTINEL-1</safe:familyName><safe:number>A</safe:number>"
        '<safe:instrument><safe:familyName abbreviation="SAR">Synthetic Aperture Radar</safe:familyName>'
        f"<safe:extension><s1sarl1:instrumentMode><s1sarl1:mode>IW</s1sarl1:mode>{swaths}"
        "</s1sarl1:instrumentMode></safe:extension></safe:instrument></safe:platform>"
    )


def _orbit_reference(acquisition: Acquisition) -> str:
    ends = ("start", "stop")
    absolute = "".join(
        f'<safe:orbitNumber type="{end}">{acquisition.absolute_orbit}</safe:orbitNumber>' for end in ends
    )
    relative = "".join(
        f'<safe:relativeOrbitNumber type="{end}">{acquisition.track}</safe:relativeOrbitNumber>' for end in ends
    )
    return (
        f"<safe:orbitReference>{absolute}{relative}"
        f"<safe:cycleNumber>{(acquisition.absolute_orbit - 73) // 175 + 15}</safe:cycleNumber>"
        "<safe:phaseIdentifier>1</safe:phaseIdentifier><safe:extension><s1:orbitProperties>"
        f"<s1:pass>{'ASCENDING' if acquisition.direction == 'A' else 'DESCENDING'}</s1:pass>"
        f"<s1:ascendingNodeTime>{moment(acquisition.node)}</s1:ascendingNodeTime>"
        "</s1:orbitProperties></safe:extension></safe:orbitReference>"
    )


def _information(acquisition: Acquisition) -> str:
    values = (
        ("instrumentConfigurationID", "7"),
        ("missionDataTakeID", str(acquisition.datatake)),
        ("transmitterReceiverPolarisation", "VV"),
        ("transmitterReceiverPolarisation", "VH"),
        ("productClass", "S"),
        ("productClassDescription", "SAR Standard L1 Product"),
        ("productComposition", "Slice"),
        ("productType", "SLC"),
        ("productTimelinessCategory", "Fast-24h"),
        ("sliceProductFlag", "false"),
        ("sliceNumber", "1"),
        ("totalSlices", "1"),
    )
    body = "".join(f"<s1sarl1:{key}>{value}</s1sarl1:{key}>" for key, value in values)
    return f"<s1sarl1:standAloneProductInformation>{body}</s1sarl1:standAloneProductInformation>"


def _period(acquisition: Acquisition) -> str:
    first, last = sensing_span_s(acquisition)
    return (
        "<safe:acquisitionPeriod>"
        f"<safe:startTime>{moment(acquisition.utc(first))}</safe:startTime>"
        f"<safe:stopTime>{moment(acquisition.utc(last))}</safe:stopTime><safe:extension><s1:timeANX>"
        f"<s1:startTimeANX>{first * 1e3:.6e}</s1:startTimeANX><s1:stopTimeANX>{last * 1e3:.6e}</s1:stopTimeANX>"
        "</s1:timeANX></safe:extension></safe:acquisitionPeriod>"
    )


def _frame_set(grids: Mapping[int, list[GridPoint]]) -> str:
    corners = " ".join(f"{p.latitude:.6f},{p.longitude:.6f}" for p in _corners(grids))
    return (
        '<safe:frameSet><safe:frame><safe:footPrint srsName="http://www.opengis.net/gml/srs/epsg.xml#4326">'
        f"<gml:coordinates>{corners}</gml:coordinates></safe:footPrint></safe:frame></safe:frameSet>"
    )


def _processing(acquisition: Acquisition, version: str) -> str:
    begun = acquisition.utc(sensing_span_s(acquisition)[1]) + timedelta(hours=3)
    return (
        f'<safe:processing name="SLC Post Processing" start="{moment(begun)}" '
        f'stop="{moment(begun + timedelta(minutes=10))}">'
        '<safe:facility country="" name="Simulation" organisation="" site="">'
        f'<safe:software name="Sentinel-1 IPF" version="{version}"/></safe:facility></safe:processing>'
    )


def _corners(grids: Mapping[int, list[GridPoint]]) -> list[GridPoint]:
    """Corners of the footprint, around: first line near and far, last line far and near."""
    near, far = grids[min(grids)], grids[max(grids)]
    near_edge = [p for p in near if p.pixel == 0]
    width = max(p.pixel for p in far)
    far_edge = [p for p in far if p.pixel == width]
    return [near_edge[0], far_edge[0], far_edge[-1], near_edge[-1]]


def _metadata(name: str, title: str, body: str, *, kind: str = "DESCRIPTION", category: str = "DMD") -> str:
    return (
        f'<metadataObject ID="{name}" classification="{kind}" category="{category}">'
        f'<metadataWrap mimeType="text/xml" vocabularyName="SAFE" textInfo="{title}">'
        f"<xmlData>{body}</xmlData></metadataWrap></metadataObject>\n"
    )


def _identity(entry: Entry) -> tuple[str, str, str]:
    """ID, schema and MIME type of a file."""
    prefix, schema, mime = next(v for k, v in _KINDS.items() if entry.path.startswith(k))
    name = entry.path.rsplit("/", 1)[-1].rsplit(".", 1)[0].replace("-", "")
    return prefix + name, schema, mime


def _content_unit(entry: Entry) -> str:
    name, schema, _ = _identity(entry)
    kind = "Measurement Data Unit" if entry.path.startswith("measurement/") else "Metadata Unit"
    return (
        f'<xfdu:contentUnit unitType="{kind}" repID="{schema}"><dataObjectPointer dataObjectID="{name}"/>'
        "</xfdu:contentUnit>\n"
    )


def _data_object(entry: Entry) -> str:
    name, schema, mime = _identity(entry)
    return (
        f'<dataObject ID="{name}" repID="{schema}"><byteStream mimeType="{mime}" size="{entry.size}">'
        f'<fileLocation locatorType="URL" href="./{entry.path}"/>'
        f'<checksum checksumName="MD5">{entry.md5}</checksum></byteStream></dataObject>\n'
    )
