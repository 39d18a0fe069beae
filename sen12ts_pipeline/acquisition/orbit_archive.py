"""Orbit files fetched from where they are published: an open bucket, and the Copernicus Data Space behind it.

Facts: the listing of the bucket ``s1-orbits`` (names, pages, 4.4 MB a precise file), and recorded OData answers.
"""

from __future__ import annotations

import json
import logging
import zipfile
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import quote, urlencode

from sen12ts_pipeline.acquisition.asking import text_of
from sen12ts_pipeline.acquisition.cache import Absent, Cache
from sen12ts_pipeline.acquisition.listing import objects
from sen12ts_pipeline.acquisition.opening import shown
from sen12ts_pipeline.acquisition.orbit_lists import orbit_files_named, orbit_files_of_odata
from sen12ts_pipeline.acquisition.orbits import unzipped
from sen12ts_pipeline.acquisition.provider import Provider
from sen12ts_pipeline.errors import BadProduct, ConfigurationError, Retryable, Sen12tsError
from sen12ts_pipeline.sentinel1.orbit_file import FEWEST_NODES, MARGIN_S, OrbitFile, choose
from sen12ts_pipeline.xml import parse

log = logging.getLogger(__name__)

BUCKET_URL = "https://s1-orbits.s3.amazonaws.com"
CATALOGUE_URL = "https://catalogue.dataspace.copernicus.eu/odata/v1"
DOWNLOAD_URL = "https://download.dataspace.copernicus.eu/odata/v1"
LIST_AGE_S = 6 * 3600.0
"""How long a list is taken for complete: precise orbits come once a day, restituted ones every 100 minutes."""

T = TypeVar("T")


class OrbitServer(Protocol):
    """A place where orbit files are published."""

    def files(self, kind: str, platform: str, start: datetime, stop: datetime) -> Iterable[OrbitFile]:
        """Files of a kind and platform, at least all that hold an interval."""
        ...

    def fetch(self, file: OrbitFile) -> Path:
        """The file, here; Absent if the server does not have it."""
        ...


class OrbitArchive:
    """Orbit files that are fetched when they are needed; implements `ports.OrbitFiles`.

    Parameters
    ----------
    servers : sequence of OrbitServer
        In the order in which they are asked; one is asked if those before it do not answer or do not have a file.
    restituted : bool
        Whether a slice that no precise file serves takes a restituted one, if there is one; it keeps its annotated
        orbit else.
    """

    def __init__(self, servers: Sequence[OrbitServer], *, restituted: bool = False) -> None:
        self.servers, self.kinds = tuple(servers), ("POEORB", "RESORB") if restituted else ("POEORB",)

    def name(self, platform: str, start: datetime, stop: datetime) -> str:
        """Name of the best file for a slice, empty if there is none.

        Raises
        ------
        Retryable, ConfigurationError, BadProduct
            When no server gives its list: what is not known is not taken for absent.
        """
        for kind in self.kinds:
            files = self._first(lambda server, kind=kind: server.files(kind, platform, start, stop))  # type: ignore[misc]
            if found := choose((file for file in files if file.kind == kind), platform, start, stop):
                return found.name
        return ""

    def read(self, name: str) -> bytes:
        """Content of an orbit file.

        Raises
        ------
        BadProduct
            When no server has it, or what one gives is no orbit file of that name.
        Retryable, ConfigurationError
            When the last server asked is busy or does not let one in.
        """
        try:
            file = OrbitFile.parse(name)
        except ValueError as error:
            raise BadProduct(name, "", str(error)) from None
        path = self._first(lambda server: server.fetch(file))
        try:
            return path.read_bytes()
        except OSError as error:
            raise Retryable(f"{path} cannot be read: {error.strerror or error}") from error

    def _first(self, ask: Callable[[OrbitServer], T]) -> T:
        """Answer of the first server that has one; else the gravest of their faults."""
        faults: list[Sen12tsError] = []
        for server in self.servers:
            try:
                return ask(server)
            except (Retryable, ConfigurationError, BadProduct) as fault:
                log.info("orbit files are looked for elsewhere", extra={"fault": str(fault)})
                faults.append(fault)
        raise min(faults, key=_gravity)


def _gravity(fault: Sen12tsError) -> int:
    """Order of faults: whoever is busy may have the file, a broken one is known, one behind a login may be there."""
    order = (isinstance(fault, Retryable), not isinstance(fault, ConfigurationError | Absent), True)
    return 2 * order.index(True) + isinstance(fault, Absent)


class OrbitBucket:
    """The open bucket: ``AUX_POEORB/<name>.EOF`` of the whole mission, ``AUX_RESORB/<name>.EOF`` of the last 90 days.

    Its list is kept for some hours.

    Parameters
    ----------
    cache : Cache
        Where files and lists are kept.
    url : str
        Of the bucket, or of a mirror with its layout that answers questions for listings.
    """

    def __init__(self, cache: Cache, url: str = BUCKET_URL, list_age_s: float = LIST_AGE_S) -> None:
        self.cache, self.url, self.list_age_s = cache, url.rstrip("/"), list_age_s
        self._known: dict[tuple[Path, int], tuple[OrbitFile, ...]] = {}

    def files(self, kind: str, platform: str, start: datetime, stop: datetime) -> tuple[OrbitFile, ...]:  # noqa: ARG002 - of the protocol
        """All files of a kind and platform."""
        path = self.cache.fresh(f"{platform}_{kind}.list", self.list_age_s) or self._listed(kind, platform)
        key = path, path.stat().st_mtime_ns
        if key not in self._known:
            self._known[key] = orbit_files_named(path.read_text("ascii").splitlines())
        return self._known[key]

    def fetch(self, file: OrbitFile) -> Path:
        """The file, from the bucket unless it is here."""
        url = f"{self.url}/AUX_{file.kind}/{file.name}.EOF"
        return self.cache.fetched(url, f"{file.name}.EOF", lambda path: check_orbit_file(path, file))

    def _listed(self, kind: str, platform: str) -> Path:
        prefix = f"AUX_{kind}/{platform}_OPER_AUX_{kind}_OPOD_"
        names = [one.key.rpartition("/")[2] for one in objects(self.url, prefix, self.cache.provider)]
        return self.cache.put(f"{platform}_{kind}.list", "\n".join(names).encode("ascii", "replace"))


class OrbitCatalogue:
    """The Copernicus Data Space by OData: searching is open to all, fetching needs its token.

    Parameters
    ----------
    cache : Cache
        Where files are kept; its provider shows the token.
    catalogue, download : str
        Addresses of the two services, up to ``/odata/v1``.
    """

    def __init__(self, cache: Cache, catalogue: str = CATALOGUE_URL, download: str = DOWNLOAD_URL) -> None:
        self.cache, self.catalogue, self.download = cache, catalogue.rstrip("/"), download.rstrip("/")

    def files(self, kind: str, platform: str, start: datetime, stop: datetime) -> tuple[OrbitFile, ...]:
        """Files of a kind and platform that hold an interval with its margin."""
        margin = timedelta(seconds=MARGIN_S)
        condition = (
            f"startswith(Name,'{platform}') and contains(Name,'AUX_{kind}')"
            f" and ContentDate/Start lt {_text(start - margin)} and ContentDate/End gt {_text(stop + margin)}"
        )
        return orbit_files_of_odata(self._ask(condition))

    def fetch(self, file: OrbitFile) -> Path:
        """The file, from the archive unless it is here."""
        name = f"{file.name}.EOF"
        if (self.cache.folder / name).exists():
            return self.cache.folder / name
        entries = self._ask(f"Name eq '{name}'")["value"]
        if not entries:
            raise Absent(file.name, "", f"there is none in {shown(self.catalogue)}")
        return self.cache.kept(name, lambda part: self._unpacked(entries[0], file, part))

    def _unpacked(self, entry: dict[str, Any], file: OrbitFile, part: Path) -> None:
        """What the archive gives, which may be the file or a zip of it."""
        url = f"{self.download}/Products({quote(str(entry.get('Id')))})/$value"
        raw = self.cache.fetched(url, f"{file.name}.download", lambda path: check_orbit_file(path, file))
        part.write_bytes(_content(raw))
        raw.unlink()
        raw.with_name(f"{raw.name}.sha256").unlink(missing_ok=True)

    def _ask(self, condition: str) -> dict[str, Any]:
        values = {"$filter": condition, "$orderby": "ContentDate/Start asc", "$top": "100"}
        body = text_of(f"{self.catalogue}/Products?{urlencode(values)}", "orbit files", Provider(gate=self._gate))
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or not isinstance(answer.get("value"), list):
            raise Retryable(f"{shown(self.catalogue)} gives {len(body)} bytes that are no list of products")
        return answer

    @property
    def _gate(self) -> Any:  # noqa: ANN401 - a Gate
        return self.cache.provider.gate


def check_orbit_file(path: Path, file: OrbitFile) -> None:
    """Refuse, by ValueError, what is not the whole orbit file that its name promises: kind, header, vectors."""
    try:
        root = parse(_content(path), product=path.name, member="")
    except BadProduct as error:
        raise ValueError(error.reason) from None
    kind, name = (root.findtext(f"Earth_Explorer_Header/Fixed_Header/{field}") for field in ("File_Type", "File_Name"))
    if kind != f"AUX_{file.kind}" or (name or "").strip() != file.name:
        raise ValueError(f"its header must say AUX_{file.kind} and {file.name}; it says {kind} and {name}")
    vectors = len(root.findall("Data_Block/List_of_OSVs/OSV"))
    if vectors < 2 * FEWEST_NODES:
        raise ValueError(f"it must hold {2 * FEWEST_NODES} state vectors; it holds {vectors}")


def _content(path: Path) -> bytes:
    return unzipped(path) if zipfile.is_zipfile(path) else path.read_bytes()


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
