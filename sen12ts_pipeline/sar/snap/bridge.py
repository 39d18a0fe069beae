"""Questions to pyroSAR, which lives in an environment of its own, for it does not go together with Airflow.

Each question is a run of `pyrosar_program` by that environment's Python, with a home folder of its own: pyroSAR keeps
what it found once in the home folder and goes on using it. Its runner of gpt is not used, for it has no time limit and
takes away parameters that gpt does not know.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import shapely

from sen12ts_pipeline.domain.passes import Slice
from sen12ts_pipeline.errors import BadProduct, ConfigurationError, EngineFailure

PYTHON_VARIABLE = "SEN12TS_PYROSAR"
USUAL_PLACES = (".sen12ts/snap-env/bin/python", "/opt/pyrosar/bin/python")
"""Where ``make test-snap`` and the SNAP image have the environment."""
TIME_LIMIT_S = 120.0
EXTENT_TOLERANCE_DEGREES = 0.01
TIME_TOLERANCE = timedelta(seconds=1)
"""pyroSAR drops fractions of a second."""

_RULE = (
    "needs pyroSAR and GDAL's Python bindings in an environment of its own, whose Python SEN12TS_PYROSAR names; "
    "make test-snap makes one, docs/snap.md says what of"
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What pyroSAR reads of a product.

    Attributes
    ----------
    product : str
        Name without ``.SAFE``.
    sensor, mode : str
        For example ``S1A`` and ``IW``.
    polarisations : tuple of str
        Sorted.
    direction : str
        ``A`` or ``D``.
    relative_orbit : int
        1 to 175.
    start, stop : datetime
        UTC, whole seconds.
    ipf : str
        Processor version, for example ``3.31``; empty if unknown.
    extent : tuple of float
        West, south, east, north in degrees.
    """

    product: str
    sensor: str
    mode: str
    polarisations: tuple[str, ...]
    direction: str
    relative_orbit: int
    start: datetime
    stop: datetime
    ipf: str
    extent: tuple[float, float, float, float]

    def differences(self, ours: Slice) -> tuple[str, ...]:
        """In what our own reader says something else, as ``name: pyroSAR's, ours``; empty if in nothing."""
        pairs = {
            "product": (self.product, ours.product),
            "sensor": (self.sensor, ours.platform),
            "polarisations": (self.polarisations, ours.polarisations),
            "direction": (self.direction, ours.direction),
            "relative orbit": (self.relative_orbit, ours.relative_orbit),
        }
        if self.ipf and ours.ipf != (0, 0):
            pairs["processor"] = (float(self.ipf), float("{}.{:02d}".format(*ours.ipf)))
        found = [f"{name}: {theirs}, {own}" for name, (theirs, own) in pairs.items() if theirs != own]
        for name, theirs, own in (("start", self.start, ours.start), ("stop", self.stop, ours.stop)):
            if abs(theirs - own) > TIME_TOLERANCE:
                found.append(f"{name}: {theirs}, {own}")
        extent = shapely.from_wkt(ours.footprint).bounds
        if max(abs(a - b) for a, b in zip(self.extent, extent, strict=True)) > EXTENT_TOLERANCE_DEGREES:
            found.append(f"extent: {self.extent}, {extent}")
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Bridge:
    """The way to pyroSAR.

    Attributes
    ----------
    python : Path
        Of its environment.
    gpt : Path or None
        SNAP's, for questions about SNAP: its folder comes first in ``PATH``.
    """

    python: Path
    gpt: Path | None = None

    def versions(self) -> dict[str, str]:
        """Versions of Python, pyroSAR, spatialist, NumPy and GDAL there."""
        return dict(self._ask("versions"))

    def identify(self, product: Path) -> Facts:
        """What pyroSAR reads of a product, a folder or a zip; BadProduct where it cannot."""
        try:
            said = self._ask("identify", scene=str(product.absolute()))
        except EngineFailure as error:
            raise BadProduct(_stem(product), "", f"pyroSAR cannot read it: {error.reason}") from None
        return Facts(
            product=_stem(product),
            sensor=said["sensor"],
            mode=said["mode"],
            polarisations=tuple(said["polarisations"]),
            direction=said["direction"],
            relative_orbit=said["relative_orbit"],
            start=_moment(said["start"]),
            stop=_moment(said["stop"]),
            ipf=said["ipf"],
            extent=tuple(said["extent"]),
        )

    def snap(self) -> dict[str, str]:
        """SNAP as pyroSAR finds it, by a program ``snap`` beside gpt: ``path``, ``gpt`` and ``etc``."""
        return dict(self._ask("snap"))

    def operators(self, graph: Path) -> tuple[str, ...]:
        """Operators of a graph file as pyroSAR's editor of graphs reads them."""
        return tuple(self._ask("operators", graph=str(graph.absolute())))

    def groups(self, graph: Path, size: int) -> tuple[tuple[str, ...], ...]:
        """Ids of a graph's nodes, in groups of some operators that can be run one after the other."""
        return tuple(tuple(group) for group in self._ask("groups", graph=str(graph.absolute()), size=size))

    def _ask(self, question: str, **about: str | int) -> Any:  # noqa: ANN401 - as the question is
        program = Path(__file__).with_name("pyrosar_program.py")
        with tempfile.TemporaryDirectory(prefix="pyrosar-") as home:
            try:
                done = subprocess.run(  # noqa: S603 - the configured environment's Python
                    [str(self.python), "-s", str(program)],
                    input=json.dumps({"question": question, **about}),
                    capture_output=True,
                    text=True,
                    timeout=TIME_LIMIT_S,
                    cwd=home,
                    env=self._environment(home),
                )
            except OSError as error:
                raise _missing(f"{self.python}: {error.strerror}") from None
            except subprocess.TimeoutExpired:
                raise EngineFailure("pyroSAR", question, f"no answer within {TIME_LIMIT_S:g} s") from None
        try:
            said = json.loads(done.stdout)
        except json.JSONDecodeError:
            last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
            raise EngineFailure("pyroSAR", question, last) from None
        if "missing" in said:
            raise _missing(f"{self.python}: {said['missing']}")
        if "failed" in said:
            raise EngineFailure("pyroSAR", question, said["failed"])
        return said["answer"]

    def _environment(self, home: str) -> dict[str, str]:
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("PYTHON", "GDAL", "PROJ"))}
        path = os.environ.get("PATH", os.defpath)
        if self.gpt is not None:
            path = f"{self.gpt.parent}{os.pathsep}{path}"
        return {**kept, "HOME": home, "PATH": path}


def find_python(environ: Mapping[str, str] = os.environ) -> Path:
    """Python of pyroSAR's environment: the one that ``SEN12TS_PYROSAR`` names, else that of a usual place.

    Raises
    ------
    ConfigurationError
        When there is none, saying what to install.
    """
    named = environ.get(PYTHON_VARIABLE)
    places = [Path(named)] if named else [Path(place).absolute() for place in USUAL_PLACES]
    for place in places:
        if place.is_file():
            return place
    raise _missing(f"nothing at {', '.join(str(place) for place in places)}")


def _missing(found: str) -> ConfigurationError:
    return ConfigurationError("SNAP", "pyroSAR", _RULE, found)


def _stem(product: Path) -> str:
    return product.name.removesuffix(".zip").removesuffix(".SAFE")


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
