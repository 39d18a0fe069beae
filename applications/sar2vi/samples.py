"""Pairs of radar stack and vegetation index."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.utils import data as torch_data

from applications.evi import evi_of
from sen12ts_pipeline.dataset import Dataset
from sen12ts_pipeline.dataset.statistics import Statistics, standardised
from sen12ts_pipeline.domain.layers import S1_LAYERS

RADAR = S1_LAYERS[:16]
"""Backscatter, coherence and phase of four dates."""
CROPS = frozenset(
    code
    for first, last in ((1, 6), (10, 14), (21, 39), (41, 58), (66, 69), (71, 72), (74, 77), (204, 250))
    for code in range(first, last + 1)
)
"""Codes of the Cropland Data Layer that the authors' code takes as crops; WorldCover has 40."""


class EviPairs(torch_data.Dataset[dict[str, Any]]):
    """Samples for SAR2VI.

    ``radar`` float32 (16, 256, 256), normalised, 0 without data; ``evi`` float32 (1, 256, 256) in -1..1, 0 where it is
    not known; ``known`` and ``crop`` bool (1, 256, 256).

    Parameters
    ----------
    data : Dataset
        Triplets.
    statistics : Statistics
        Of the part for training.
    crops : set of int
        Label codes of cropland.
    """

    def __init__(self, data: Dataset, statistics: Statistics, crops: frozenset[int] = CROPS) -> None:
        self.data, self.crops = data, np.array(sorted(crops))
        self._moments = [statistics.s1[name] for name in RADAR]

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> dict[str, Any]:
        sample = self.data[index]
        radar = standardised(sample.s1[: len(RADAR)], self._moments)
        evi = evi_of(sample.s2)
        known = sample.valid & np.isfinite(evi)
        return {
            "radar": torch.from_numpy(radar),
            "evi": torch.from_numpy(np.where(known, evi, np.float32(0))[None]),
            "known": torch.from_numpy(known[None]),
            "crop": torch.from_numpy((known & np.isin(sample.label, self.crops))[None]),
        }
