"""What runs in pyroSAR's environment: a question as JSON on standard input, the answer as JSON on standard output.

It is run as a file by another Python, which has neither this package nor what it needs: the standard library, GDAL and
pyroSAR are all there is. `bridge` asks the questions.
"""

# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import contextlib
import json
import sys
from importlib import metadata
from typing import Any

PACKAGES = ("pyroSAR", "spatialist", "numpy", "GDAL")


def versions() -> dict[str, str]:
    """Versions of what must fit together."""
    import pyroSAR  # noqa: F401 - that it can be imported is what is asked
    from osgeo import gdal_array  # noqa: F401 - fails where GDAL was built for another NumPy

    return {"python": sys.version.split()[0], **{name: metadata.version(name) for name in PACKAGES}}


def identify(scene: str) -> dict[str, Any]:
    """What pyroSAR reads of a product, a folder or a zip."""
    import pyroSAR

    found = pyroSAR.identify(scene)
    with contextlib.ExitStack() as stack:
        outline = stack.enter_context(found.bbox())
        extent = outline.extent
    return {
        "sensor": found.sensor,
        "mode": found.acquisition_mode,
        "product": found.product,
        "polarisations": sorted(found.polarizations),
        "direction": found.orbit,
        "relative_orbit": int(found.orbitNumber_rel),
        "start": found.start,
        "stop": found.stop,
        "ipf": str(found.meta.get("IPF_version", "")),
        "extent": [float(extent[key]) for key in ("xmin", "ymin", "xmax", "ymax")],
    }


def snap() -> dict[str, str]:
    """The SNAP that pyroSAR finds by ``PATH``."""
    from pyroSAR.examine import ExamineSnap

    found = ExamineSnap()
    return {name: str(getattr(found, name, "") or "") for name in ("path", "gpt", "etc")}


def operators(graph: str) -> list[str]:
    """Operators of a graph file in pyroSAR's order."""
    from pyroSAR.snap.auxil import Workflow

    return [str(name) for name in Workflow(graph).operators]


def groups(graph: str, size: int) -> list[list[str]]:
    """Ids of a graph's nodes in groups that can be run one after the other, with the products between on disk."""
    from pyroSAR.snap.auxil import groupbyWorkers

    return [[str(name) for name in group] for group in groupbyWorkers(graph, n=size)]


QUESTIONS: dict[str, Any] = {
    "versions": versions,
    "identify": identify,
    "snap": snap,
    "operators": operators,
    "groups": groups,
}


def main() -> None:
    """Answer one question: ``{"answer": ...}``, ``{"missing": ...}`` or ``{"failed": ...}``."""
    asked = json.load(sys.stdin)
    answer: dict[str, Any]
    # pyroSAR prints; standard output is for the answer alone.
    with contextlib.redirect_stdout(sys.stderr):
        try:
            answer = {"answer": QUESTIONS[asked.pop("question")](**asked)}
        except (ImportError, AttributeError) as error:
            answer = {"missing" if "pyroSAR.drivers" not in sys.modules else "failed": f"{error}"}
        except Exception as error:  # noqa: BLE001 - whatever it is, the other side is to tell it
            answer = {"failed": f"{type(error).__name__}: {error}"}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
