"""What the fakes answer has the form of what real archives answered: no key of their own, no value of another type."""

import json
import urllib.parse
import urllib.request

import pytest

from sen12ts_pipeline.acquisition.orbit_lists import orbit_files_of_bucket, orbit_files_of_odata
from tests.catalogues import recorded

SLICES = "Attributes/OData.CSC.StringAttribute/any(att:att/Name eq 'productType' and att/Value eq 'IW_SLC__1S')"
GRANULES = SLICES.replace("IW_SLC__1S", "S2MSI2A")
OPEN = {"Attributes", "AdditionalAttributes"}
"""Lists of names and values, whose members are compared by name."""


def asked(url, body=None, headers=None):
    """JSON that a host answers."""
    with urllib.request.urlopen(urllib.request.Request(url, body, headers or {}), timeout=10) as answer:
        return json.load(answer)


def odata(world, entity, filter_="", **options):
    values = {f"${k}": v for k, v in options.items()} | ({"$filter": filter_} if filter_ else {})
    return asked(f"{world.urls['cdse_odata']}/{entity}?{urllib.parse.urlencode(values)}")


def items(world, archive):
    return asked(f"{world.urls[archive]}/search", json.dumps({"limit": 10}).encode())


def named(entries):
    """A list of names and values as a mapping."""
    return {e["Name"]: e.get("Value", e.get("Values")) for e in entries}


def strange(ours, theirs, at=""):
    """Where our value has a key that theirs lacks, or a value of another type."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        found = [f"{at}/{key} is unknown" for key in ours.keys() - theirs.keys()]
        for key in sorted(ours.keys() & theirs.keys()):
            pair = (named(ours[key]), named(theirs[key])) if key in OPEN else (ours[key], theirs[key])
            found += strange(*pair, f"{at}/{key}")
        return found
    if isinstance(ours, list) and isinstance(theirs, list):
        return strange(ours[0], theirs[0], f"{at}[]") if ours and theirs else []
    kinds = [float if type(v) is int else type(v) for v in (ours, theirs)]
    return [] if kinds[0] is kinds[1] else [f"{at} is {ours!r}, not like {theirs!r}"]


def lacking(ours, theirs, allowed=()):
    """Keys of theirs that ours lacks."""
    return sorted(theirs.keys() - ours.keys() - set(allowed))


@pytest.mark.parametrize(
    ("which", "known"),
    [
        (SLICES, "cdse_odata/s1_grd_2026_expand_all.json"),
        (GRANULES, "cdse_odata/s2_l1c_expand_attributes_assets.json"),
    ],
    ids=["slices", "granules"],
)
def test_products_of_odata(world, which, known):
    theirs = recorded.answer(known)
    url = f"{world.urls['cdse_odata']}/Products?$filter={urllib.parse.quote(which)}"
    reply = asked(f"{url}&$expand=Attributes&$expand=Assets")
    assert strange(reply, theirs) == []
    ours = reply["value"][0]
    assert lacking(ours, theirs["value"][0], {"Locations"}) == []
    types = [
        {a["Name"]: (a["@odata.type"], a["ValueType"]) for a in e["Attributes"]} for e in (ours, theirs["value"][0])
    ]
    assert types[0].items() <= types[1].items()


def test_locations_of_odata(world):
    (theirs,) = (e for e in recorded.answer("cdse_odata/s1_grd_2026_expand_all.json")["value"][0]["Locations"][1:])
    ours = odata(world, "Products", SLICES, expand="Locations")["value"][0]["Locations"][0]
    assert strange(ours, theirs) == [] == lacking(ours, theirs)


def test_counts_and_links_of_odata(world):
    theirs = recorded.answer("cdse_odata/s1_odata_page_1.json")
    first = odata(world, "Products", count="true", top="3", orderby="ContentDate/Start asc", expand="Attributes")
    assert first.keys() == theirs.keys()
    assert first["@odata.count"] > len(first["value"]) == 3
    last = odata(world, "Products", top="3", skip=str(first["@odata.count"] - 2), orderby="ContentDate/Start asc")
    assert last.keys() == {"@odata.context", "value"}
    assert "%24skip=3" in first["@odata.nextLink"]
    assert urllib.parse.urlsplit(first["@odata.nextLink"])[:2] == urllib.parse.urlsplit(theirs["@odata.nextLink"])[:2]


def test_bursts_of_odata(world):
    theirs = recorded.answer("cdse_odata/burst_entity.json")
    ours = odata(world, "Bursts")["value"][0]
    assert strange(ours, theirs) == []
    assert lacking(ours, theirs, {"@odata.context"}) == []


def test_orbit_files_of_odata(world):
    theirs = recorded.answer("orbits/cdse_odata_orbit_queries.json")
    said = "contains(Name,'AUX_POEORB') and startswith(Name,'S1A') and ContentDate/Start lt '2023-08-13T06:00:00.000Z'"
    said += " and ContentDate/End gt '2023-08-13T06:30:00.000Z'"
    reply = odata(world, "Products", said, orderby="ContentDate/Start asc", top="1")
    assert strange(reply["value"][0], theirs["value"][0]) == []
    (found,) = orbit_files_of_odata(reply)
    assert (found.kind, f"{found.valid_from:%Y%m%d}") == ("POEORB", "20230812")


def test_too_far_a_page_of_odata(world):
    theirs = recorded.answer("cdse_odata/error_skip_over_10000_422.json")
    with pytest.raises(urllib.error.HTTPError) as refused:
        odata(world, "Products", skip="10001")
    with refused.value as error:
        assert error.code == theirs["status"]
        assert json.load(error) == theirs["body"]


@pytest.mark.parametrize(
    ("archive", "known"),
    [
        ("cdse_stac", "cdse_stac/search_s2_l2a_202007_post.json"),
        ("earth_search", "earth_search/multiple_collections.json"),
        ("planetary_computer", "planetary_computer/s2_l2a_datetime_search.json"),
    ],
)
def test_items(world, archive, known):
    answers = recorded.answers(known) if archive == "earth_search" else [recorded.answer(known)]
    theirs = next(i for a in answers for i in a["features"] if i["collection"] == "sentinel-2-l2a")
    reply = items(world, archive)
    assert strange({k: v for k, v in reply.items() if k not in ("features", "links")}, answers[0]) == []
    for ours in reply["features"]:
        assert strange(ours, theirs) == []
        assert lacking(ours, theirs) == []
        images = [k for k in theirs["assets"] if k in ours["assets"]]
        assert len(images) >= 13
        needed = {"href", "type", "proj:transform", "proj:shape"}
        assert all(needed <= ours["assets"][k].keys() for k in images if "proj:transform" in theirs["assets"][k])


@pytest.mark.parametrize(
    ("collection", "known"),
    [("SENTINEL-1A_SLC", "asf/slc_granule_umm.json"), ("SENTINEL-1_BURSTS", "asf/slc_burst_granule_umm.json")],
    ids=["slices", "bursts"],
)
def test_entries_of_asf(world, collection, known):
    theirs = recorded.answer(known)
    body = urllib.parse.urlencode([("short_name[]", collection), ("page_size", "2")]).encode()
    reply = asked(f"{world.urls['asf']}/granules.umm_json", body)
    assert reply.keys() == {"hits", "took", "items"}
    assert len(reply["items"]) == 2 < reply["hits"]
    for ours in reply["items"]:
        assert strange(ours, theirs) == []
        assert lacking(ours["meta"], theirs["meta"]) == []
        assert lacking(ours["umm"], theirs["umm"], {"MetadataSpecification"} | {"DataGranule"}) in ([], ["DataGranule"])


def test_listings_of_the_bucket_of_orbits(world):
    bucket, seen, marker = world.url("orbits"), [], ""
    for _ in range(3):
        with urllib.request.urlopen(f"{bucket}/?prefix=AUX_POEORB&marker={marker}", timeout=10) as answer:
            files, marker = orbit_files_of_bucket(answer.read(), bucket="s1-orbits")
        seen += files
        if not marker:
            break
    assert len(seen) == len(set(seen)) == 5
