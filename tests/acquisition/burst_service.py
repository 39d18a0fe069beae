"""A burst service on this machine that behaves as ASF's: it cuts bursts out of SAFE folders, and lets one wait."""

import http.server
import re
import threading
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
from lxml import etree

from sen12ts_pipeline.simulate.measurement import Block, write_measurement

KINDS = {"": "product", "calibration-": "calibration", "noise-": "noise", "rfi-": "rfi"}


@dataclass
class BurstService:
    """Bursts of the products of some folders, over HTTP.

    Attributes
    ----------
    folders : sequence of Path
        SAFE folders.
    work : Path
        Folder for what is cut out.
    waits : int
        How often a file is answered with 202 before it is there.
    token : str
        Who does not show it is answered with 401; empty for all.
    faults : deque
        For each of the next files that are there, a function of the handler that answers in its own way.
    asked : Counter
        How often each path was asked for.
    cookies : list
        Cookies shown with every question, None where there were none.
    """

    folders: list
    work: Path
    waits: int = 1
    token: str = ""
    faults: deque = field(default_factory=deque)
    asked: Counter = field(default_factory=Counter)
    cookies: list = field(default_factory=list)

    def __enter__(self):
        handler = type("Of", (_Handler,), {"service": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def address(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    def served(self, kind):
        """Paths of a kind, ``tiff`` or ``xml``, that were asked for."""
        return sorted(path for path in self.asked if path.endswith(kind))

    def content(self, path):
        """Body and name of a file; None if there is none."""
        match = re.fullmatch(r"/(S1[^/]*)/(IW[123])/(VV|VH)/(\d+)\.(tiff|xml)", path)
        safe = next((f for f in self.folders if match and f.stem == match[1]), None)
        if safe is None:
            return None
        if match[5] == "xml":
            return bundle(safe, match[3]), ""
        return burst(safe, match[2], match[3], int(match[4]), self.work)


def bundle(safe, polarisation):
    """Metadata of a slice in one polarisation, in one document."""
    root = etree.Element("burst")
    etree.SubElement(root, "manifest").append(etree.parse(safe / "manifest.safe").getroot())
    metadata = etree.SubElement(root, "metadata")
    for file in sorted((safe / "annotation").rglob(f"*-slc-{polarisation.lower()}-*.xml")):
        prefix = file.name.split("s1")[0]
        part = etree.parse(file).getroot()
        item = etree.SubElement(metadata, KINDS[prefix], source_filename=file.name)
        etree.SubElement(item, "swath").text = part.findtext("adsHeader/swath")
        etree.SubElement(item, "polarisation").text = part.findtext("adsHeader/polarisation")
        content = etree.SubElement(item, "content")
        content.text = part.text
        content.extend(list(part))
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def burst(safe, swath, polarisation, index, work):
    """TIFF of one burst, and the name under which it is delivered; None if there is none."""
    pattern = f"*-{swath.lower()}-slc-{polarisation.lower()}-*"
    found = list(safe.glob(f"annotation/{pattern}.xml"))
    timing = etree.parse(found[0]).find("swathTiming") if found else None
    bursts = [] if timing is None else timing.findall("burstList/burst")
    if index >= len(bursts):
        return None
    lines, samples = int(timing.findtext("linesPerBurst")), int(timing.findtext("samplesPerBurst"))
    offset = int(bursts[index].findtext("byteOffset"))
    (measurement,) = safe.glob(f"measurement/{pattern}.tiff")
    values = np.fromfile(measurement, "<i2", 2 * lines * samples, offset=offset).reshape(lines, samples, 2)
    path = work / f"{safe.stem}-{swath}-{polarisation}-{index}.tiff"
    if not path.exists():
        write_measurement(path, lines, samples, [], [Block(0, 0, values)])
    start = datetime.fromisoformat(bursts[index].findtext("azimuthTime"))
    name = f"S1_{100000 + index:06d}_{swath}_{start:%Y%m%dT%H%M%S}_{polarisation}_{safe.stem[-4:]}-BURST.tiff"
    return path.read_bytes(), name


class _Handler(http.server.BaseHTTPRequestHandler):
    service = None

    def do_GET(self):
        service = self.service
        service.asked[self.path] += 1
        service.cookies.append(self.headers["Cookie"])
        if service.token and self.headers["Authorization"] != f"Bearer {service.token}":
            self.send_error(401)
            return
        found = service.content(self.path)
        if found is None:
            self.send_error(404)
        elif service.asked[self.path] <= service.waits:
            self.answer(b"{}", status=202)
        elif service.faults:
            service.faults.popleft()(self)
        else:
            self.answer(*found)

    def answer(self, body, name="", status=200, cut=0):
        """Send a body, `cut` bytes of it not."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if name:
            self.send_header("Content-Disposition", f"attachment; filename={name}")
        self.end_headers()
        self.wfile.write(body[: len(body) - cut])

    def another(self, path):
        """Answer with what lies at another path."""
        self.answer(*self.service.content(path))

    def handle(self):
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True

    def log_message(self, *_):
        pass
