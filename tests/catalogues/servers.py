"""Archives on this machine, over real HTTP: they behave like those that were recorded, and fail when told to."""

import functools
import gzip
import http.server
import json
import re
import threading
import urllib.parse
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime

import shapely
from shapely.geometry import Polygon, shape


@dataclass
class JsonServer:
    """Answers questions with JSON.

    Attributes
    ----------
    archive : object
        Its ``reply(path, values, body)`` gives status and JSON for a question.
    asked : list of (path, values, body)
        The questions, without those met by a fault.
    faults : deque
        For each of the next questions a status, or a function that answers in its own way; None for a good answer.
    """

    archive: object
    asked: list = field(default_factory=list)
    faults: deque = field(default_factory=deque)

    def __enter__(self):
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Of", (_Handler,), {"web": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}"


class _Handler(http.server.BaseHTTPRequestHandler):
    web = None

    def do_GET(self):
        self.body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
        fault = self.web.faults.popleft() if self.web.faults else None
        if isinstance(fault, int):
            self.send_error(fault)
        elif fault:
            fault(self)
        else:
            self.answer()

    def do_POST(self):
        self.do_GET()

    def answer(self, change=lambda reply: reply):
        """The archive's answer, or what `change` makes of it."""
        parts = urllib.parse.urlsplit(self.path)
        values = urllib.parse.parse_qsl(parts.query)
        self.web.asked.append((parts.path, values, self.body))
        status, reply = self.web.archive.reply(parts.path, dict(values), self.body)
        self.send(status, gzip.compress(json.dumps(change(reply)).encode()), {"Content-Encoding": "gzip"})

    def send(self, status, body, headers=None, *, cut=0):
        """An answer, of which `cut` bytes are not sent."""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) - cut])
        self.close_connection = True

    def handle(self):
        try:
            super().handle()
        except ConnectionError:  # whoever asked has seen enough
            self.close_connection = True

    def log_message(self, *_):
        pass


@dataclass
class OData:
    """The OData interface of the Copernicus Data Space, as far as it is asked.

    Its pages are as treacherous as the real ones: unordered without ``$orderby``, and without a link to the next page
    where that would begin after record 10,000.
    """

    products: list
    bursts: list = field(default_factory=list)

    def reply(self, path, values, body):
        if named := re.fullmatch(r"Name eq '([^']+)'", values["$filter"]):
            return 200, {"value": [e for e in self.products if e["Name"] == named[1]]}
        asked = _filter(values["$filter"])
        found = [e for e in (self.bursts if path.endswith("Bursts") else self.products) if _meets(e, *asked)]
        if "$orderby" in values:
            found.sort(key=lambda e: (e["ContentDate"]["Start"], e["Id"]))
        skip, top = int(values.get("$skip", 0)), int(values.get("$top", 20))
        if skip > 10_000 or top > 1000:
            limits = {"less_than_equal": 10_000 if skip > 10_000 else 1000}
            return 422, {"detail": [{"type": "less_than_equal", "ctx": limits}]}
        reply = {"@odata.context": "$metadata#Products", "value": found[skip : skip + top]}
        if values.get("$expand") != "Attributes":
            reply["value"] = [{k: v for k, v in e.items() if k != "Attributes"} for e in reply["value"]]
        if values.get("$count", "").lower() in ("true", "1"):
            reply["@odata.count"] = len(found)
        if len(reply["value"]) == top and skip + top < 10_000:
            reply["@odata.nextLink"] = f"http://127.0.0.1:1/Products?$skip={skip + top}"
        return 200, reply


def _filter(said):
    area = shapely.from_wkt(re.search(r"SRID=4326;(POLYGON ?\(\(.*?\)\))'", said)[1])
    first = re.search(r"ContentDate/Start ge (\S+)", said)[1]
    last = re.search(r"ContentDate/Start lt (\S+)", said)[1]
    wanted = re.search(r"(?:Value|ParentProductType) eq '(\w+)'", said)[1]
    return wanted, _time(first), _time(last), area


def _meets(entry, wanted, first, last, area):
    """Whether an OData entry passes the filter that is asked with."""
    return (
        first <= _time(entry["ContentDate"]["Start"]) < last
        and wanted in (entry.get("ParentProductType"), *(a["Value"] for a in entry.get("Attributes", ())))
        and (entry.get("GeoFootprint") is None or shape(entry["GeoFootprint"]).intersects(area))
    )


@functools.lru_cache(maxsize=100_000)
def _time(text):
    return datetime.fromisoformat(text).astimezone(UTC)


@dataclass
class Stac:
    """A STAC item search; both ends of the time are included, and a total is told only where `tells_total`."""

    items: list
    tells_total: bool = False
    most: int = 10_000

    def reply(self, path, values, body):
        asked = json.loads(body)
        first, last = (_time(t) for t in asked["datetime"].split("/"))
        area, limit = shape(asked["intersects"]), min(asked["limit"], self.most)
        found = [
            item
            for item in self.items
            if first <= _time(item["properties"]["datetime"]) <= last and shape(item["geometry"]).intersects(area)
        ]
        found.sort(key=lambda item: (item["properties"]["datetime"], item["id"]))
        reply = {"type": "FeatureCollection", "features": found[:limit], "links": [], "numberReturned": None}
        reply["numberReturned"] = len(reply["features"])
        if self.tells_total:
            reply["numberMatched"] = len(found)
        if len(found) > limit or (self.tells_total and found):  # the one with totals links to an empty page at the end
            reply["links"] = [{"rel": "next", "method": "POST", "href": "http://127.0.0.1:1/search", "body": {}}]
        return 200, reply


@dataclass
class Cmr:
    """NASA's search of ASF's collections; it gives whatever has a part in the time."""

    items: list

    def reply(self, path, values, body):
        asked = urllib.parse.parse_qs(body)
        if "granule_ur[]" in asked:
            found = [item for item in self.items if item["umm"]["GranuleUR"] in asked["granule_ur[]"]]
            return 200, {"hits": len(found), "took": 5, "items": found}
        numbers = [float(x) for x in asked["polygon"][0].split(",")]
        area = Polygon(zip(numbers[::2], numbers[1::2], strict=True))
        if not area.exterior.is_ccw:
            return 400, {"errors": ["The polygon boundary points are listed in the wrong order"]}
        first, last = (_time(t) for t in asked["temporal"][0].split(","))
        found = [i for i in self.items if self._meets(i["umm"], asked["short_name[]"], area, first, last)]
        found.sort(key=lambda i: i["umm"]["TemporalExtent"]["RangeDateTime"]["BeginningDateTime"])
        size = int(asked["page_size"][0])
        if size > 2000:
            return 400, {"errors": ["page_size must be a number between 0 and 2000"]}
        return 200, {"hits": len(found), "took": 5, "items": found[:size]}

    @staticmethod
    def _meets(umm, collections, area, first, last):
        times = umm["TemporalExtent"]["RangeDateTime"]
        points = umm["SpatialExtent"]["HorizontalSpatialDomain"]["Geometry"]["GPolygons"][0]["Boundary"]["Points"]
        ring = Polygon([(p["Longitude"], p["Latitude"]) for p in points])
        return (
            umm["CollectionReference"]["ShortName"] in collections
            and _time(times["BeginningDateTime"]) <= last
            and _time(times["EndingDateTime"]) >= first
            and ring.intersects(area)
        )


@dataclass
class Hub:
    """A DHuS hub's OpenSearch interface."""

    products: list

    def reply(self, path, values, body):
        first, last = re.search(r'beginPosition:\["(\S+)" TO "(\S+)"\]', values["q"]).groups()
        kind = re.search(r'producttype:"?(\w+)', values["q"])[1]
        area = shapely.from_wkt(re.search(r'Intersects\((.*)\)"', values["q"])[1])
        found = [
            p
            for p in self.products
            if p["producttype"] == kind
            and _time(first) <= _time(p["beginposition"]) <= _time(last)
            and shapely.from_wkt(p["footprint"]).intersects(area)
        ]
        start, rows = int(values["start"]), int(values["rows"])
        entries = [_entry(p) for p in found[start : start + rows]]
        feed = {"opensearch:totalResults": str(len(found)), "entry": entries}
        return 200, {"feed": feed}


def _entry(product):
    dates, numbers = ("beginposition", "endposition", "ingestiondate"), ("relativeorbitnumber",)
    rest = [k for k in product if k not in (*dates, *numbers, "title", "id", "cloudcoverpercentage")]
    entry = {"id": product["id"], "title": product["title"]}
    entry["date"] = [{"name": k, "content": product[k]} for k in dates if k in product]
    entry["int"] = [{"name": k, "content": str(product[k])} for k in numbers if k in product]
    entry["str"] = [{"name": k, "content": product[k]} for k in rest]
    if "cloudcoverpercentage" in product:
        entry["double"] = {"name": "cloudcoverpercentage", "content": str(product["cloudcoverpercentage"])}
    return entry
