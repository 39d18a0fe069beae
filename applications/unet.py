"""A U-Net (Ronneberger, Fischer and Brox, 2015) of a chosen depth and width."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn


class UNet(nn.Module):
    """Features of every pixel.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    width : int
        Channels of the first level; each level below has twice as many.
    depth : int
        Levels below the first; rows and columns must be multiples of ``2 ** depth``.
    """

    def __init__(self, inputs: int, outputs: int, *, width: int = 64, depth: int = 4) -> None:
        super().__init__()
        sizes = [width * 2**k for k in range(depth + 1)]
        self.down = nn.ModuleList([_double(inputs, width), *(_double(a, b) for a, b in pairwise(sizes))])
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, 2) for a, b in pairwise(sizes))
        self.join = nn.ModuleList(_double(2 * a, a) for a in sizes[:-1])
        self.last = nn.Conv2d(width, outputs, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(batch, inputs, rows, cols) to (batch, outputs, rows, cols)."""
        levels = []
        for k, block in enumerate(self.down):
            image = block(nn.functional.max_pool2d(image, 2) if k else image)
            levels.append(image)
        for k in reversed(range(len(self.up))):
            image = self.join[k](torch.cat([levels[k], self.up[k](image)], dim=1))
        found: torch.Tensor = self.last(image)
        return found


def _double(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)
