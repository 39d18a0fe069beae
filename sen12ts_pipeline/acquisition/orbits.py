"""A folder of orbit files: which one serves a slice, and its content."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from sen12ts_pipeline.acquisition.names import walk_once
from sen12ts_pipeline.acquisition.products import open_product
from sen12ts_pipeline.errors import BadProduct, ConfigurationError
from sen12ts_pipeline.sentinel1.orbit_file import OrbitFile, choose

log = logging.getLogger(__name__)


class OrbitFolder:
    """Orbit files under a folder, in any depth, plain (``.EOF``) or zipped (``.EOF.zip``).

    The folder is walked once, at the first question; names alone decide what is an orbit file. A file that is there
    twice is taken plain before zipped, else from the first path.

    Parameters
    ----------
    root : Path
        For example a mirror laid out as ``Sentinel-1/AUX/AUX_POEORB/2020/05/31/*.EOF``, or any other tree; symbolic
        links are followed.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root).absolute()

    def name(self, platform: str, start: datetime, stop: datetime) -> str:
        """Name of what `find` finds, empty if that is nothing: `ports.OrbitFiles`."""
        found = self.find(platform, start, stop)
        return found.name if found else ""

    def find(self, platform: str, start: datetime, stop: datetime) -> OrbitFile | None:
        """Best orbit file for a slice of a platform (``S1A`` to ``S1D``) by `choose`; None if there is none."""
        return choose(self._places, platform, start, stop)

    def read(self, name: str) -> bytes:
        """Content of an orbit file, unpacked.

        Parameters
        ----------
        name : str
            `OrbitFile.name`.

        Raises
        ------
        BadProduct
            When it is not in the folder, unreadable, or a zip that does not hold one orbit file.
        """
        path = self._paths.get(name)
        if path is None:
            raise BadProduct(name, "", f"must be an orbit file under {self.root}; there is none")
        try:
            return unzipped(path) if path.suffix.lower() == ".zip" else open_product(path.parent).read(path.name)
        except BadProduct as error:
            raise BadProduct(name, "", error.reason) from error

    @functools.cached_property
    def _paths(self) -> Mapping[str, Path]:
        return {file.name: path for file, path in self._places.items()}

    @functools.cached_property
    def _places(self) -> Mapping[OrbitFile, Path]:
        if not self.root.is_dir():
            raise ConfigurationError("catalogue", "catalogue.orbits", "must be a folder of orbit files", str(self.root))
        places: dict[OrbitFile, Path] = {}
        for path in sorted(_files(self.root), key=lambda path: (path.suffix.lower() == ".zip", path.as_posix())):
            file = _described(path.name)
            if file is not None and places.setdefault(file, path) != path:
                log.info("orbit file is there twice", extra={"used": str(places[file]), "ignored": str(path)})
        return places


def unzipped(path: Path) -> bytes:
    """The orbit file in a zip; BadProduct if it holds none, or several."""
    container = open_product(path)
    members = [member for member in container.members() if member.lower().endswith(".eof")]
    if len(members) != 1:
        raise BadProduct(container.product, "", f"must be a zip of one .EOF file; it holds {len(members)}")
    return container.read(members[0])


def _described(name: str) -> OrbitFile | None:
    try:
        return OrbitFile.parse(name) if name.lower().endswith((".eof", ".eof.zip")) else None
    except ValueError:
        return None


def _files(root: Path) -> Iterator[Path]:
    for parent, _, files in walk_once(root):
        yield from (parent / name for name in files)
