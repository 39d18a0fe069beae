"""Triplets for PyTorch; the samples have the keys that torchgeo's data sets and transforms use. Needs torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils import data as torch_data

from sen12ts_pipeline.dataset.reader import Dataset, Sample
from sen12ts_pipeline.dataset.statistics import Moments, Statistics, standardised
from sen12ts_pipeline.domain.layers import NODATA, S1_LAYERS, S1_MASK, S2_LAYERS, S2_MASK
from sen12ts_pipeline.ports import Float32

DEFAULT_LAYERS = (*S1_LAYERS[:S1_MASK], *S2_LAYERS[: S2_MASK - 1])
"""All layers that hold numbers: 18 of the radar stack, 12 of the optical one."""


class TorchTriplets(torch_data.Dataset[dict[str, Any]]):
    """A map-style data set; reads nothing before a sample is asked for, and may be used by any number of workers.

    A sample is a dict:

    ``image``
        float32 (layers, 256, 256); 0 where there is no data, which is the mean once layers are normalised.
    ``mask``
        int64 (256, 256): codes of the label, -3000 where it says nothing (``ignore_index``).
    ``valid``
        bool (256, 256): what both masks of the triplet hold valid.
    ``crs``, ``bounds``
        ``EPSG:326zz``, and west, south, east, north in metres.
    ``name``
        Name of the triplet's files.

    Parameters
    ----------
    data : Dataset
        Triplets.
    layers : sequence of str
        Names of layers of both stacks, in the order in which they are wanted (`domain.layers`).
    statistics : Statistics, optional
        If given, layers are normalised to mean 0 and deviation 1.
    transform : callable, optional
        Applied to each sample.

    Raises
    ------
    ValueError
        When there is no layer of a name, or no statistics of it.
    """

    def __init__(
        self,
        data: Dataset,
        layers: Sequence[str] = DEFAULT_LAYERS,
        statistics: Statistics | None = None,
        transform: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
    ) -> None:
        self.data, self.layers, self.transform = data, tuple(layers), transform
        unknown = [name for name in self.layers if name not in (*S1_LAYERS, *S2_LAYERS)]
        if unknown:
            raise ValueError(f"layers must be of {', '.join((*S1_LAYERS, *S2_LAYERS))}; got {', '.join(unknown)}")
        self._moments = None if statistics is None else _moments(statistics, self.layers)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> dict[str, Any]:
        sample = self.data[int(index)]
        image = stacked(sample, self.layers)
        if self._moments is None:
            image[image == NODATA] = 0.0
        else:
            image = standardised(image, self._moments)
        grid = sample.grid
        found = {
            "image": torch.from_numpy(image),
            "mask": torch.from_numpy(sample.label.astype(np.int64)),
            "valid": torch.from_numpy(sample.valid),
            "crs": f"EPSG:{grid.epsg}",
            "bounds": (grid.west, grid.south, grid.east, grid.north),
            "name": str(sample.name),
        }
        return self.transform(found) if self.transform else found


def stacked(sample: Sample, layers: Sequence[str]) -> Float32:
    """Layers of both stacks by their names, as stored; float32 (layers, 256, 256)."""
    image: Float32 = np.empty((len(layers), *sample.grid.shape), np.float32)
    for k, name in enumerate(layers):
        image[k] = sample.s1[S1_LAYERS.index(name)] if name in S1_LAYERS else sample.s2[S2_LAYERS.index(name)]
    return image


def _moments(statistics: Statistics, layers: Sequence[str]) -> list[Moments]:
    known = {**statistics.s1, **statistics.s2}
    missing = [name for name in layers if name not in known]
    if missing:
        raise ValueError(f"there are no statistics of {', '.join(missing)}: leave these layers out, or the statistics")
    return [known[name] for name in layers]
