"""A U-Net for each sensor's series, put together before the layers that predict."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from applications.crops.samples import IGNORED, S1_BANDS
from applications.unet import UNet
from sen12ts_pipeline.domain.layers import S2_BANDS


class Inputs(StrEnum):
    """What the classifier sees."""

    S1 = "s1"
    S2 = "s2"
    BOTH = "both"

    @property
    def sensors(self) -> tuple[str, ...]:
        """Keys of the samples."""
        return ("s1", "s2") if self is Inputs.BOTH else (self.value,)


class Classifier(nn.Module):
    """Scores of the classes of every pixel.

    Parameters
    ----------
    inputs : Inputs
        Sensors.
    classes, timesteps : int
        Number of classes, and of triplets of a series.
    width, depth : int
        Size of each U-Net.
    """

    def __init__(self, inputs: Inputs, classes: int, *, timesteps: int = 16, width: int = 64, depth: int = 4) -> None:
        super().__init__()
        bands = {"s1": len(S1_BANDS), "s2": len(S2_BANDS)}
        nets = {s: UNet(timesteps * bands[s], width, width=width, depth=depth) for s in inputs.sensors}
        self.nets = nn.ModuleDict(nets)
        joined = width * len(nets)
        self.predict = nn.Sequential(
            nn.Conv2d(joined, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, classes, 1)
        )  # fmt: skip

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """(batch, classes, rows, cols)."""
        features = [net(batch[sensor]) for sensor, net in self.nets.items()]
        found: torch.Tensor = self.predict(torch.cat(features, dim=1))
        return found


def balanced(pixels: npt.NDArray[np.int64]) -> torch.Tensor:
    """Weights of the classes: inversely as their pixels, mean 1; 0 for a class without any."""
    present = pixels > 0
    weights = np.where(present, 1.0 / np.maximum(pixels, 1), 0.0)
    return torch.tensor(weights / max(weights[present].mean() if present.any() else 1.0, 1e-300), dtype=torch.float32)


def loss_of(scores: torch.Tensor, label: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Class-balanced cross-entropy over pixels with one of the classes."""
    return nn.functional.cross_entropy(scores, label, weights, ignore_index=IGNORED)
