"""Sub-images of the series of a tile, with the classes of their pixels."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.utils import data as torch_data

from sen12ts_pipeline.dataset import Dataset, Sample
from sen12ts_pipeline.dataset.statistics import Statistics, standardised
from sen12ts_pipeline.domain.layers import NODATA, S1_LAYERS, S2_BANDS

S1_BANDS = S1_LAYERS[:4]
"""Backscatter, coherence and phase of the newest date."""
SIDE = 64
IGNORED = -1


def most_frequent(data: Dataset, count: int) -> tuple[int, ...]:
    """The label codes with most pixels, the most frequent first; a tile's label counts once, nodata never."""
    pixels: Counter[int] = Counter()
    for series in data.tiles().values():
        first = series.entries[0]
        pixels.update(first.classes or dict(zip(*np.unique(data.label(first), return_counts=True), strict=True)))
    pixels.pop(NODATA, None)
    return tuple(int(code) for code, _ in sorted(pixels.items(), key=lambda x: (-x[1], x[0]))[:count])


class CropSeries(torch_data.Dataset[dict[str, torch.Tensor]]):
    """Sub-images of 64 x 64 pixels of all tiles that have a whole series, without those that have no labelled pixel.

    ``s1`` float32 (4 x timesteps, 64, 64), ``s2`` float32 (12 x timesteps, 64, 64), standardised band by band, 0
    without data, in the order of the optical dates; ``label`` int64 (64, 64): place of the class in `classes`, -1 for
    all others.

    Parameters
    ----------
    data : Dataset
        Triplets; tiles with another number of them than `timesteps` are left out.
    statistics : Statistics
        Of the part for training.
    classes : sequence of int
        Label codes.
    cache : Path
        Folder in which each tile's series is kept as it is read, half precision: 34 MB a tile of 16 triplets.
    timesteps : int
        Triplets of a series.
    """

    def __init__(
        self, data: Dataset, statistics: Statistics, classes: Sequence[int], cache: Path, timesteps: int = 16
    ) -> None:
        self.tiles = {place: series for place, series in data.tiles().items() if len(series) == timesteps}
        self._moments = [*(statistics.s1[n] for n in S1_BANDS)], [*(statistics.s2[n] for n in S2_BANDS)]
        self._cache, self._classes = cache, tuple(classes)
        self.labels = {
            place: _places(data.label(series.entries[0]), self._classes) for place, series in self.tiles.items()
        }
        self.parts = [
            (place, row, col)
            for place, label in self.labels.items()
            for row in range(0, label.shape[0], SIDE)
            for col in range(0, label.shape[1], SIDE)
            if (label[row : row + SIDE, col : col + SIDE] != IGNORED).any()
        ]

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        place, row, col = self.parts[index]
        window = slice(row, row + SIDE), slice(col, col + SIDE)
        s1, s2 = (np.array(stack[:, *window], np.float32) for stack in self._series(place))
        label = self.labels[place][window].astype(np.int64)
        return {"s1": torch.from_numpy(s1), "s2": torch.from_numpy(s2), "label": torch.from_numpy(label)}

    def pixels(self) -> npt.NDArray[np.int64]:
        """Pixels of each class in all sub-images."""
        labels = np.concatenate([label.ravel() for label in self.labels.values()] or [np.empty(0, np.int64)])
        return np.bincount(labels[labels != IGNORED], minlength=len(self._classes))

    def _series(self, place: tuple[str, str, str]) -> list[npt.NDArray[np.float16]]:
        """Stacks of a tile, read once and then mapped from the cache."""
        series = self.tiles[place]
        identity = repr((place, [str(e.name) for e in series.entries], self._moments))
        stem = self._cache / hashlib.sha256(identity.encode()).hexdigest()[:24]
        files = [stem.with_suffix(f".{kind}.npy") for kind in ("s1", "s2")]
        if not all(file.exists() for file in files):
            self._cache.mkdir(parents=True, exist_ok=True)
            for file, stack in zip(files, self._read(series), strict=True):
                unfinished = file.with_suffix(".part")
                with unfinished.open("wb") as out:
                    np.save(out, stack)
                unfinished.replace(file)
        return [np.load(file, mmap_mode="r") for file in files]

    def _read(self, series: Dataset) -> tuple[npt.NDArray[np.float16], ...]:
        samples: list[Sample] = list(series)
        s1 = [standardised(s.s1[: len(S1_BANDS)], self._moments[0]).astype(np.float16) for s in samples]
        s2 = [standardised(s.s2[: len(S2_BANDS)], self._moments[1]).astype(np.float16) for s in samples]
        return np.concatenate(s1), np.concatenate(s2)


def _places(label: npt.NDArray[np.int16], classes: Sequence[int]) -> npt.NDArray[np.int64]:
    places: Mapping[int, int] = {code: k for k, code in enumerate(classes)}
    codes, inverse = np.unique(label, return_inverse=True)
    return np.array([places.get(int(c), IGNORED) for c in codes], np.int64)[inverse].reshape(label.shape)
