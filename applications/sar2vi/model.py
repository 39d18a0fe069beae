"""Pix2Pix (Isola et al., 2017): a U-Net that makes the index, and a network that judges patches of it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn

from applications.unet import UNet

RADAR_LAYERS = 16


class Generator(nn.Module):
    """Vegetation index in -1..1 from the radar stack."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.net = UNet(RADAR_LAYERS, 1, width=width, depth=depth)

    def forward(self, radar: torch.Tensor) -> torch.Tensor:
        """(batch, 16, rows, cols) to (batch, 1, rows, cols)."""
        return torch.tanh(self.net(radar))


class Discriminator(nn.Module):
    """Scores of overlapping patches: large where index and radar look as if they belonged together (PatchGAN)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        sizes = [RADAR_LAYERS + 1, width, 2 * width, 4 * width]
        layers: list[nn.Module] = []
        for k, (a, b) in enumerate(pairwise(sizes)):
            layers += [nn.Conv2d(a, b, 4, 2, 1), *([nn.BatchNorm2d(b)] if k else []), nn.LeakyReLU(0.2)]
        self.net = nn.Sequential(*layers, nn.Conv2d(sizes[-1], 1, 4, 1, 1))

    def forward(self, radar: torch.Tensor, evi: torch.Tensor) -> torch.Tensor:
        """(batch, 1, patches, patches)."""
        found: torch.Tensor = self.net(torch.cat([radar, evi], dim=1))
        return found


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of the generator's losses: against the judge, absolute error, absolute error over cropland."""

    adversarial: float = 1.0
    l1: float = 100.0
    l1_crop: float = 100.0


def generator_loss(
    scores: torch.Tensor, made: torch.Tensor, batch: dict[str, torch.Tensor], weights: Weights
) -> torch.Tensor:
    """What the generator is to make small (section 4.1; Isola et al., equation 4, with the loss over crops added)."""
    fooled = nn.functional.binary_cross_entropy_with_logits(scores, torch.ones_like(scores))
    error = (made - batch["evi"]).abs()
    everywhere, crops = _mean(error, batch["known"]), _mean(error, batch["crop"])
    return weights.adversarial * fooled + weights.l1 * everywhere + weights.l1_crop * crops


def discriminator_loss(real: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
    """What the judge is to make small."""
    judge = nn.functional.binary_cross_entropy_with_logits
    return 0.5 * (judge(real, torch.ones_like(real)) + judge(made, torch.zeros_like(made)))


def _mean(error: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """Mean over some pixels; 0 without any."""
    return (error * where).sum() / where.sum().clamp(min=1)
