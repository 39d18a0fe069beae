"""Entries of archives, made after recorded ones: everything that a test does not speak of has a plausible value."""

import copy
from datetime import timedelta

from tests.catalogues import recorded

SQUARE = [[-118.0, 34.0], [-116.0, 34.0], [-116.0, 36.0], [-118.0, 36.0], [-118.0, 34.0]]


def _text(moment):
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"


def slc_name(start, *, platform="S1A", datatake=0x3C421, crc="DFFF", polarisation="DV", mode="IW_SLC__1S"):
    stop = start + timedelta(seconds=27)
    return f"{platform}_{mode}{polarisation}_{start:%Y%m%dT%H%M%S}_{stop:%Y%m%dT%H%M%S}_032861_{datatake:06X}_{crc}"


def l2a_name(start, *, mgrs="11SMU", baseline="0500", made="20230530T175912", mission="S2B"):
    return f"{mission}_MSIL2A_{start:%Y%m%dT%H%M%S}_N{baseline}_R065_T{mgrs}_{made}"


def odata_slice(start, *, ring=SQUARE, attributes=None, **changes):
    """An entry as the recorded ones of GRD products, whose attributes are the same; None drops an attribute."""
    entry = copy.deepcopy(recorded.answer("cdse_odata/s1_grd_2026_expand_all.json")["value"][0])
    name = slc_name(start)
    entry |= {"Id": f"id of {name}", "Name": f"{name}.SAFE"}
    entry["ContentDate"] = {"Start": _text(start), "End": _text(start + timedelta(seconds=27))}
    entry["GeoFootprint"] = {"type": "Polygon", "coordinates": [ring]}
    return _told(entry | changes, {"productType": "IW_SLC__1S"} | (attributes or {}))


def odata_granule(start, *, ring=SQUARE, attributes=None, name=None, **changes):
    """An entry as the recorded ones of L1C products, whose attributes are the same; None drops an attribute."""
    entry = copy.deepcopy(recorded.answer("cdse_odata/s2_l1c_expand_attributes_assets.json")["value"][0])
    name = name or l2a_name(start)
    entry |= {"Id": f"id of {name}", "Name": f"{name}.SAFE"}
    entry["ContentDate"] = {"Start": _text(start + timedelta(milliseconds=24))} | {
        "End": _text(start + timedelta(milliseconds=24))
    }
    entry["GeoFootprint"] = {"type": "Polygon", "coordinates": [ring]}
    return _told(entry | changes, {"productType": "S2MSI2A", "cloudCover": 4.5} | (attributes or {}))


def _told(entry, changes):
    kept = [a for a in entry["Attributes"] if a["Name"] not in changes]
    added = [{"Name": k, "Value": v} for k, v in changes.items() if v is not None]
    return entry | {"Attributes": kept + added}


def stac_item(start, *, ring=SQUARE, name=None, sensed=timedelta(0), **properties):
    """An item as the recorded ones of the Copernicus Data Space; its images are those of its tile."""
    item = copy.deepcopy(recorded.answer("cdse_stac/search_s2_l2a_202007_post.json")["features"][0])
    item |= {"id": name or l2a_name(start), "geometry": {"type": "Polygon", "coordinates": [ring]}, "assets": {}}
    item["properties"] |= {"datetime": _text(start + sensed)} | properties
    return item


def umm_slice(start, *, ring=SQUARE):
    """An entry as the recorded ones of SLC products."""
    item = copy.deepcopy(recorded.answer("asf/slc_granule_umm.json"))
    name = slc_name(start)
    item["meta"]["concept-id"], item["umm"]["GranuleUR"] = f"G of {name}", f"{name}-SLC"
    item["umm"]["CollectionReference"]["ShortName"] = "SENTINEL-1A_SLC"
    times = {"BeginningDateTime": _text(start), "EndingDateTime": _text(start + timedelta(seconds=27))}
    item["umm"]["TemporalExtent"]["RangeDateTime"] = times
    points = [{"Longitude": lon, "Latitude": lat} for lon, lat in ring]
    item["umm"]["SpatialExtent"]["HorizontalSpatialDomain"]["Geometry"]["GPolygons"][0]["Boundary"]["Points"] = points
    return item


def hub_slice(start):
    """A product as DHuS hubs describe it."""
    ring = ", ".join(f"{lon} {lat}" for lon, lat in SQUARE)
    return {
        "id": f"id of {slc_name(start)}",
        "title": slc_name(start),
        "producttype": "SLC",
        "beginposition": f"{start:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
        "endposition": f"{start + timedelta(seconds=27):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
        "ingestiondate": "2020-06-20T10:00:00.000Z",
        "orbitdirection": "DESCENDING",
        "polarisationmode": "VV VH",
        "relativeorbitnumber": 71,
        "footprint": f"MULTIPOLYGON((({ring})))",
    }
