"""The data set card: what a data set holds, in the paper's tables and figures, with checksums, licence and citation."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import yaml
from markdown_it import MarkdownIt
from shapely.geometry.base import BaseGeometry

from sen12ts_pipeline.dataset import figures, stac
from sen12ts_pipeline.dataset.classes import Table, classes_of
from sen12ts_pipeline.dataset.statistics import Statistics
from sen12ts_pipeline.domain.layers import LABEL_LAYERS, NODATA, S1_LAYERS, S1_UNITS, S2_LAYERS, S2_NATIVE_M
from sen12ts_pipeline.domain.rules import TRIPLET_BYTES
from sen12ts_pipeline.domain.seasons import Season
from sen12ts_pipeline.domain.splits import Split

PAPER = "Conlon, T. and Rustowicz, R.: SEN12TS, 2022"
MAP, AVAILABILITY = "map.svg", "_figures/availability.svg"
KINDS = ("s1", "s2", "label", "quicklook")
SHOWN_CLASSES = 10

_WHAT = (
    "A triplet is one tile of 256 x 256 pixels of 10 m: four dates of Sentinel-1 gamma0 backscatter and 12-day "
    f"interferometric coherence and phase, one Sentinel-2 L2A stack, one land-cover label. Made after {PAPER}."
)
_PARTS = (
    "Blocks of a quarter of a degree are given to `train`, `validation` and `test` by lot; a tile on the border of two "
    "parts is in none, so that no ground is shared. Column `split` of the index tells; for areas held out as a whole "
    "use the column `aoi`."
)
_READING = """\
```python
from sen12ts_pipeline.dataset import open_dataset

data = open_dataset("STORE").select(seasons={"summer"}, splits={"train"})
sample = data[0]   # sample.s1 (19, 256, 256), sample.s2 (14, 256, 256), sample.label (256, 256)
```"""

_STYLE = """
:root { color-scheme: light dark; } body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem;
font: 16px/1.5 system-ui, sans-serif; } table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #8886; text-align: left; vertical-align: top; }
pre { overflow-x: auto; } svg { max-width: 100%; height: auto; } code { font-size: .9em; }
"""


@dataclass(frozen=True, slots=True, eq=False)
class Area:
    """An area of the data set.

    Attributes
    ----------
    aoi : str
        Its name.
    rows : sequence of mapping
        Its triplets, as `index.rows_of` gives them.
    software : mapping of str to str
        What made them.
    labels : str
        Name of the label source.
    table : Table or str
        Class table of the labels, or its name (`classes.TABLES`); empty if none.
    outline : Polygon or MultiPolygon, optional
        Boundary in degrees.
    statistics : Statistics, optional
        Numbers of the layers.
    """

    aoi: str
    rows: Sequence[Mapping[str, Any]]
    software: Mapping[str, str]
    labels: str = ""
    table: Table | str = ""
    outline: BaseGeometry | None = None
    statistics: Statistics | None = None

    @property
    def per_tile(self) -> dict[str, int]:
        """Triplets of each tile."""
        return dict(Counter(str(row["tile"]) for row in self.rows))

    @property
    def stored_bytes(self) -> int:
        """Size of the files of all triplets; a tile's label counts once."""
        labels = {row["label_path"]: int(row["label_bytes"]) for row in self.rows}
        return sum(int(row["s1_bytes"]) + int(row["s2_bytes"]) for row in self.rows) + sum(labels.values())


def documents(title: str, areas: Sequence[Area], *, licence: str, author: str) -> dict[str, bytes]:
    """Everything that is written beside a data set, by its path below the store.

    Parameters
    ----------
    title : str
        Of the data set.
    areas : sequence of Area
        In the order in which they are to appear.
    licence : str
        SPDX identifier that the maker chose.
    author : str
        Who made it.

    Returns
    -------
    dict of str to bytes
        ``README.md``, ``card.html``, ``catalog.json`` (STAC), ``LICENCE.md``, ``CITATION.cff``, a figure, and of each
        area its map and ``<aoi>/SHA256SUMS``.
    """
    drawn = {f"{area.aoi}/{MAP}": _map(area) for area in areas}
    drawn[AVAILABILITY] = figures.availability(
        [n for area in areas for n in area.per_tile.values()],
        Counter(Season(row["season"]) for area in areas for row in area.rows),
    )
    text = _markdown(title, areas, licence)
    found = {
        "README.md": text,
        "card.html": _html(title, text, drawn),
        "catalog.json": stac.item_bytes(stac.root(title, [area.aoi for area in areas])).decode(),
        "LICENCE.md": _licence(areas, licence),
        "CITATION.cff": _citation(title, author, licence, areas),
        **drawn,
        **{f"{area.aoi}/SHA256SUMS": checksums(area.rows) for area in areas},
    }
    return {path: body.encode() for path, body in found.items()}


def checksums(rows: Iterable[Mapping[str, Any]]) -> str:
    """Digests of all files of an area, for ``sha256sum --check`` in its folder."""
    found = {row[f"{k}_path"]: row[f"{k}_sha256"] for row in rows for k in KINDS if row[f"{k}_path"]}
    return "".join(f"{digest}  {path}\n" for path, digest in sorted(found.items()))


def _markdown(title: str, areas: Sequence[Area], licence: str) -> str:
    triplets, tiles = sum(len(area.rows) for area in areas), sum(len(area.per_tile) for area in areas)
    years = _listed(sorted({str(row["year"]) for area in areas for row in area.rows}))
    parts = [
        f"# {title}",
        f"{triplets:,} triplets of {tiles:,} tiles in {_listed(a.aoi for a in areas)}, {years}. {_WHAT}",
        "## What there is",
        _areas(areas),
        "\n\n".join(f"![{area.aoi}]({area.aoi}/{MAP})" for area in areas),
        f"![availability]({AVAILABILITY})",
        "## Layers",
        _layers(),
        "## Land cover",
        "\n\n".join(_classes(area) for area in areas),
        "## Parts for training",
        _PARTS,
        _splits(areas),
        *_statistics(areas),
        "## How it differs from the published set",
        resources.files("sen12ts_pipeline.dataset").joinpath("texts", "deviations.md").read_text("utf-8"),
        "## How it was made",
        _provenance(areas),
        "## Reading it",
        _READING,
        f"Licence: {licence}; see LICENCE.md. To cite: CITATION.cff. Digests of all files: `<aoi>/SHA256SUMS`.",
    ]
    return "\n\n".join(parts) + "\n"


def _areas(areas: Sequence[Area]) -> str:
    rows = [
        (
            area.aoi, area.labels or "-", f"{len(area.per_tile):,}", f"{len(area.rows):,}",
            f"{len(area.rows) / max(1, len(area.per_tile)):.1f}",
            f"{len(area.rows) * TRIPLET_BYTES / 1e9:.2f}", f"{area.stored_bytes / 1e9:.2f}",
        )
        for area in areas
    ]  # fmt: skip
    if len(areas) > 1:
        tiles, triplets = sum(len(a.per_tile) for a in areas), sum(len(a.rows) for a in areas)
        raw, stored = triplets * TRIPLET_BYTES / 1e9, sum(a.stored_bytes for a in areas) / 1e9
        rows.append(
            ("all", "", f"{tiles:,}", f"{triplets:,}", f"{triplets / max(1, tiles):.1f}", f"{raw:.2f}", f"{stored:.2f}")
        )
    return _table(("area", "labels", "tiles", "triplets", "triplets a tile", "GB of pixels", "GB stored"), rows)


def _layers() -> str:
    s1 = [("s1", str(k), name, "float32", unit) for k, (name, unit) in enumerate(zip(S1_LAYERS, S1_UNITS, strict=True))]
    s2 = [("s2", str(k), name, "int16", _optical(name)) for k, name in enumerate(S2_LAYERS)]
    return _table(
        ("file", "layer", "name", "type", "unit"), [*s1, *s2, ("label", "0", LABEL_LAYERS[0], "int16", "code")]
    )


def _optical(name: str) -> str:
    native = S2_NATIVE_M.get(name)
    what = "class 0 to 11" if name == "SCL" else "reflectance x 10,000" if native else "1 valid, 0 not"
    return f"{what}, {native} m" if native else what


def _classes(area: Area) -> str:
    counts: Counter[int] = Counter()
    for row in {row["label_path"]: row for row in area.rows}.values():
        counts.update(row["label_histogram"])
    total, unlabelled = max(1, sum(counts.values())), counts.pop(NODATA, 0)
    known = classes_of(counts, area.table)
    shown = [(str(c), known[c].name, f"{100 * n / total:.2f}") for c, n in counts.most_common(SHOWN_CLASSES)]
    rest = sum(n for _, n in counts.most_common()[SHOWN_CLASSES:])
    more = [("", f"{len(counts) - SHOWN_CLASSES} more classes", f"{100 * rest / total:.2f}")] if rest else []
    none = [("-3000", "not labelled", f"{100 * unlabelled / total:.2f}")] if unlabelled else []
    return f"**{area.aoi}** ({len(counts)} classes)\n\n" + _table(
        ("code", "class", "% of pixels"), [*shown, *more, *none]
    )


def _splits(areas: Sequence[Area]) -> str:
    rows = []
    for area in areas:
        count = Counter(str(row["split"]) for row in area.rows)
        rows.append((area.aoi, *(f"{count[str(s)]:,}" for s in Split)))
    return _table(("area", *map(str, Split)), rows)


def _statistics(areas: Sequence[Area]) -> list[str]:
    known = [area for area in areas if area.statistics]
    if not known:
        return []
    parts = ["## Numbers of the layers", "Valid pixels of the part `train`; kept in `<aoi>/statistics.json`."]
    for area in known:
        layers = {**area.statistics.s1, **area.statistics.s2} if area.statistics else {}
        rows = [
            (name, f"{m.mean:.4g}", f"{m.deviation:.4g}", f"{m.least:.4g}", f"{m.most:.4g}")
            for name, m in layers.items()
        ]
        parts.append(f"**{area.aoi}**\n\n" + _table(("layer", "mean", "deviation", "least", "most"), rows))
    return parts


def _provenance(areas: Sequence[Area]) -> str:
    software = sorted({(name, version) for area in areas for name, version in area.software.items()})
    lines = [f"* {name} {version}" for name, version in software]
    return "\n".join(
        [
            *lines,
            "* Each triplet's products, orbits, bursts, elevation model and parameters: `<aoi>/metadata/<name>.json`.",
        ]
    )


def _licence(areas: Sequence[Area], licence: str) -> str:
    years = _listed(sorted({str(row["year"]) for area in areas for row in area.rows}))
    labels = _listed(sorted({area.labels for area in areas if area.labels})) or "of the user"
    return f"""\
# Licence

The maker of this data set gives it away under {licence}.

* Contains modified Copernicus Sentinel data {years}, free and open.
* Geometry from a digital elevation model. Copernicus GLO-30: produced using Copernicus WorldDEM-30, provided under
  COPERNICUS by the European Union and ESA.
* Labels: {labels}, under the terms of their source. ESA WorldCover: CC BY 4.0; USDA Cropland Data Layer: public domain;
  crop declarations of Catalonia: Open Information Use Licence - Catalonia.
"""


def _citation(title: str, author: str, licence: str, areas: Sequence[Area]) -> str:
    software = sorted({name: version for area in areas for name, version in area.software.items()}.items())
    paper_authors = [
        {"family-names": "Conlon", "given-names": "T."},
        {"family-names": "Rustowicz", "given-names": "R."},
    ]
    document = {
        "cff-version": "1.2.0",
        "message": "If you use this data set, please cite it and the paper that it follows.",
        "type": "dataset",
        "title": title,
        "authors": [{"name": author}],
        "license": licence,
        "references": [
            {"type": "article", "title": "SEN12TS", "authors": paper_authors, "year": 2022},
            *({"type": "software", "title": n, "version": v, "authors": [{"name": n}]} for n, v in software),
        ],
    }
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def _map(area: Area) -> str:
    count = area.per_tile
    tiles = {
        (row["lon_min"], row["lat_min"], row["lon_max"], row["lat_max"]): count[str(row["tile"])] for row in area.rows
    }
    return figures.tile_map(area.aoi, tiles, area.outline)


def _html(title: str, text: str, drawn: Mapping[str, str]) -> str:
    body = MarkdownIt("commonmark").enable("table").render(text)
    body = re.sub(r'<img src="([^"]+)" alt="[^"]*" />', lambda found: drawn[found[1]], body)
    viewport = '<meta name="viewport" content="width=device-width">'
    head = f"<head><meta charset='utf-8'>{viewport}<title>{title}</title><style>{_STYLE}</style></head>"
    return f"<!doctype html>\n<html lang='en'>\n{head}\n<body>\n{body}</body>\n</html>\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _listed(names: Iterable[str]) -> str:
    known = list(names)
    return ", ".join(known[:-1]) + " and " + known[-1] if len(known) > 1 else "".join(known)
