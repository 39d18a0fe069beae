"""One triplet for a look: its metadata, files, numbers of its layers, and pictures of its four dates."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from pyarrow import lib as pa
from pyarrow import parquet as pq

from sen12ts_pipeline.dashboard import queries
from sen12ts_pipeline.dataset import colours, geotiff
from sen12ts_pipeline.dataset.triplet import paths_of
from sen12ts_pipeline.domain.lattice import TILE_PIXELS
from sen12ts_pipeline.domain.layers import FRAME_LAYERS, FRAMES, NODATA, S1_LAYERS, S1_UNITS, S2_LAYERS, S2_MASK
from sen12ts_pipeline.domain.names import TripletName
from sen12ts_pipeline.ports import ObjectKey, ObjectStore, Verdict
from sen12ts_pipeline.state.ledger import SqlLedger

MEDIA = {
    "s1": "image/tiff",
    "s2": "image/tiff",
    "label": "image/tiff",
    "quicklook": "image/png",
    "metadata": "application/json",
}
CLASS_SHARE = 0.1
"""Share of a tile from which a class counts as there."""
GAP = 6


@dataclass(frozen=True, slots=True)
class LayerNumbers:
    """Numbers of a layer over the pixels that have data; None where there are none.

    Attributes
    ----------
    share : float
        Pixels with data, 0 to 1.
    expected : tuple of float or None
        Between which the layer's values should lie.
    odd : bool
        Whether a value lies outside.
    """

    layer: str
    unit: str
    share: float
    least: float | None
    mean: float | None
    deviation: float | None
    most: float | None
    expected: tuple[float, float] | None
    odd: bool


@dataclass(frozen=True, slots=True)
class FileLink:
    """A file of a triplet."""

    kind: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class TripletView:
    """What a triplet's page shows.

    Attributes
    ----------
    dates : list of str
        Radar dates, newest first.
    classes : dict
        Share of each class of the label, by its name.
    properties, provenance : dict
        Of the metadata.
    missing : list of str
        What of it cannot be read, and why.
    """

    row: queries.TripletRow
    s1date: str
    s2date: str
    track: int
    direction: str
    files: list[FileLink]
    layers: list[LayerNumbers]
    properties: dict[str, Any]
    provenance: dict[str, Any]
    verdicts: list[Verdict]
    missing: list[str]

    @property
    def withheld(self) -> bool:
        """Whether the newest verdict keeps it out of the index."""
        return bool(self.verdicts) and self.verdicts[0].withheld


def row_of(ledger: SqlLedger, aoi: str, name: str) -> queries.TripletRow | None:
    """A triplet by area and name; None if the ledger knows none."""
    with ledger.reading() as connection:
        return next(iter(queries.triplets_named(connection, aoi, [name])), None)


def key_of(row: queries.TripletRow, kind: str) -> ObjectKey:
    """Where a file of a recorded triplet lies; KeyError for a kind that there is not."""
    return ObjectKey(f"{row.aoi}/{paths_of(TripletName.parse(row.name), row.year)[kind]}")


def view(ledger: SqlLedger, store: ObjectStore, row: queries.TripletRow) -> TripletView:
    """The page of a triplet; what cannot be read is said in it."""
    name, missing = TripletName.parse(row.name), []
    item: dict[str, Any] = {"properties": {}, "assets": {}}
    layers: list[LayerNumbers] = []
    try:
        item = json.loads(store.get(key_of(row, "metadata")))
    except (KeyError, ValueError):
        missing.append("its metadata are not in the store or damaged: sen12ts reconcile tells what is wrong")
    for kind, about in (("s1", _RADAR), ("s2", _OPTICAL)):
        try:
            layers += _numbers(_array(store, row, kind), about)
        except KeyError:
            missing.append(f"its file {kind} is not in the store: sen12ts reconcile tells what is wrong")
    own = {key.removeprefix("sen12ts:"): value for key, value in item["properties"].items()}
    return TripletView(
        row=row,
        s1date=name.s1date.isoformat(),
        s2date=name.s2date.isoformat(),
        track=name.track,
        direction=name.direction,
        files=[_link(kind, asset) for kind, asset in sorted(item["assets"].items())],
        layers=layers,
        properties={key: value for key, value in own.items() if key != "provenance"},
        provenance=dict(own.get("provenance", {})),
        verdicts=ledger.verdicts(row.aoi, row.name),
        missing=missing,
    )


def strip(store: ObjectStore, row: queries.TripletRow) -> bytes:
    """PNG of the four dates, newest left: backscatter, coherence and phase one below the other; KeyError."""
    s1 = _array(store, row, "s1")
    rows, cols = s1.shape[1:]
    page = np.full((3 * rows + 2 * GAP, FRAMES * cols + (FRAMES - 1) * GAP, 4), 0, np.uint8)
    for frame in range(FRAMES):
        vh, vv, coherence, phase = s1[frame * len(FRAME_LAYERS) : (frame + 1) * len(FRAME_LAYERS)]
        pictures = colours.backscatter(vh, vv), colours.coherence(coherence), colours.phase(phase)
        for k, picture in enumerate(pictures):
            top, left = k * (rows + GAP), frame * (cols + GAP)
            page[top : top + rows, left : left + cols, :3] = picture
            page[top : top + rows, left : left + cols, 3] = 255
    body = io.BytesIO()
    Image.fromarray(page).save(body, "PNG", compress_level=3)
    return body.getvalue()


def with_class(store: ObjectStore, aoi: str, code: int) -> frozenset[str]:
    """Names of an area's triplets whose label has a class on at least `CLASS_SHARE` of the tile; from the index."""
    found = _index(store, aoi, ["name", "label_histogram"])
    if found is None:
        return frozenset()
    counts = found.column("label_histogram").chunk(0) if len(found) else None
    if counts is None:
        return frozenset()
    keys, items = counts.keys.to_numpy(zero_copy_only=False), counts.items.to_numpy(zero_copy_only=False)
    owners = np.repeat(np.arange(len(counts)), np.diff(counts.offsets.to_numpy()))
    chosen = owners[(keys == code) & (items >= CLASS_SHARE * TILE_PIXELS * TILE_PIXELS)]
    names = found.column("name").to_pylist()
    return frozenset(names[k] for k in chosen.tolist())


def classes_in(store: ObjectStore, aoi: str) -> list[int]:
    """Codes that occur in the labels of an area's index."""
    found = _index(store, aoi, ["label_histogram"])
    if found is None:
        return []
    codes = {int(c) for chunk in found.column("label_histogram").chunks for c in np.unique(chunk.keys.to_numpy())}
    return sorted(codes - {NODATA})


def _index(store: ObjectStore, aoi: str, columns: list[str]) -> pa.Table | None:
    """Some columns of an area's index; None before it was published."""
    try:
        body = store.get(ObjectKey(f"{aoi}/index/index.parquet"))
    except KeyError:
        return None
    return pq.read_table(pa.BufferReader(body), columns=columns).combine_chunks()


About = Sequence[tuple[str, str, tuple[float, float] | None]]

_RANGES = {"vh": (-40.0, 30.0), "vv": (-40.0, 30.0), "coherence": (0.0, 1.0), "phase": (-3.1416, 3.1416)}
_OTHERS = {"local_incidence_angle": (0.0, 90.0), "slope": (0.0, 90.0), "shadow_layover_mask": (0.0, 1.0)}
_RADAR: About = [
    (layer, unit, _OTHERS.get(layer) or _RANGES.get(layer.split("_")[0]))
    for layer, unit in zip(S1_LAYERS, S1_UNITS, strict=True)
]
_OPTICAL: About = [
    (layer, "reflectance x 10,000", (0.0, 10_000.0)) if k < S2_MASK - 1 else (layer, "1", (0.0, 11.0))
    for k, layer in enumerate(S2_LAYERS)
]


def _array(store: ObjectStore, row: queries.TripletRow, kind: str) -> npt.NDArray[Any]:
    key = key_of(row, kind)
    return geotiff.decode(store.get(key), name=key).array


def _numbers(stack: npt.NDArray[Any], about: About) -> list[LayerNumbers]:
    return [_layer(layer, *one) for layer, one in zip(stack, about, strict=True)]


def _layer(layer: npt.NDArray[Any], name: str, unit: str, expected: tuple[float, float] | None) -> LayerNumbers:
    values = layer[layer != NODATA].astype(np.float64)
    share = values.size / layer.size
    if not values.size:
        return LayerNumbers(name, unit, 0.0, None, None, None, None, expected, True)
    least, most = float(values.min()), float(values.max())
    odd = expected is not None and not (expected[0] <= least and most <= expected[1] + 1e-3)
    return LayerNumbers(name, unit, share, least, float(values.mean()), float(values.std()), most, expected, odd)


def _link(kind: str, asset: Mapping[str, Any]) -> FileLink:
    return FileLink(kind, int(asset["file:size"]), str(asset["file:checksum"]).removeprefix("1220"))
