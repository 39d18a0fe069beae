"""The confusion matrix as a picture (the paper's Table 6)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

CELL, LEFT, TOP = 54, 190, 56


def figure(confusion: Sequence[Sequence[int]], names: Sequence[str], title: str) -> Image.Image:
    """Shares of each true class (rows) that were given each class (columns), percent."""
    counts = np.array(confusion, float)
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = len(names) * CELL
    page = Image.new("RGB", (LEFT + size + 16, TOP + size + 16), (250, 250, 247))
    draw, font, small = ImageDraw.Draw(page), ImageFont.load_default(14), ImageFont.load_default(12)
    draw.text((16, 10), title, (28, 32, 40), ImageFont.load_default(17))
    for row, name in enumerate(names):
        top = TOP + row * CELL
        draw.text((LEFT - 10, top + CELL / 2), f"{name[:22]}  {row}", (28, 32, 40), font, anchor="rm")
        draw.text((LEFT + row * CELL + CELL / 2, TOP - 10), str(row), (28, 32, 40), font, anchor="mm")
        for column in range(len(names)):
            share, left = shares[row, column], LEFT + column * CELL
            blue = tuple(round(255 - share / 100 * (255 - c)) for c in (37, 52, 148))
            draw.rectangle((left, top, left + CELL - 2, top + CELL - 2), fill=blue)
            ink = (255, 255, 255) if share > 45 else (28, 32, 40)
            draw.text((left + CELL / 2, top + CELL / 2), f"{share:.0f}", ink, small, anchor="mm")
    return page
