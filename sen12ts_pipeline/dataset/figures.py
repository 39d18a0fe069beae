"""Figures of a data set card as SVG: a map of the tiles, and how many triplets there are when (the paper's 1 and 2)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape

from shapely.geometry.base import BaseGeometry

from sen12ts_pipeline.domain.seasons import Season

Box = tuple[float, float, float, float]
"""West, south, east, north in degrees."""

STEPS = ((1, 4), (5, 8), (9, 12), (13, 16))
STEP_COLOURS = ("#c7e9b4", "#5cc0c0", "#2c7fb8", "#253494")
"""From few to many triplets; also told apart by those who do not see all colours, and in grey."""
INK, GREY, PAPER = "#1c2028", "#6c727c", "#fafaf7"
WIDTH, TALLEST = 640, 620
_FONT = 'font-family="system-ui, sans-serif"'
_MARGIN = 46
_KM_PER_DEGREE = 111.32


def step_of(triplets: int) -> int:
    """Index of the colour for a number of triplets; more than 16 count as 13 to 16."""
    return next((k for k, (_, most) in enumerate(STEPS) if triplets <= most), len(STEPS) - 1)


def tile_map(aoi: str, tiles: Mapping[Box, int], outline: BaseGeometry | None = None) -> str:
    """Map of an area: its tiles, coloured by their number of triplets.

    Parameters
    ----------
    aoi : str
        Title.
    tiles : mapping of box to int
        Triplets of each tile, by its bounds.
    outline : Polygon or MultiPolygon, optional
        Boundary of the area in degrees.
    """
    frame = _Frame.around([*tiles, *([outline.bounds] if outline is not None else [])])
    body = [_text(_MARGIN, 26, aoi, 17, INK), *frame.graticule()]
    for k, colour in enumerate(STEP_COLOURS):
        cells = "".join(frame.cell(b) for b, n in sorted(tiles.items()) if step_of(n) == k)
        body.append(f'<path d="{cells}" fill="{colour}" stroke="{PAPER}" stroke-width="0.3"/>' if cells else "")
    if outline is not None:
        body.append(f'<path d="{frame.ring(outline)}" fill="none" stroke="{INK}" stroke-width="1"/>')
    body += [*frame.scale_bar(), *_legend(_MARGIN + 190, frame.height - 22)]
    return _svg(WIDTH, frame.height, body, f"Tiles of {aoi} by number of triplets")


def availability(per_tile: Sequence[int], per_season: Mapping[Season, int]) -> str:
    """Tiles by their number of triplets, and triplets by season."""
    height, count = 270, Counter(per_tile)
    most = max([16, *count])
    tiles = [(str(n), count[n], STEP_COLOURS[step_of(n)]) for n in range(1, most + 1)]
    seasons = [(s.value, per_season.get(s, 0), STEP_COLOURS[2]) for s in Season]
    body = [
        *_bars((_MARGIN, 48, 340, 170), "tiles by number of triplets", tiles),
        *_bars((_MARGIN + 390, 48, 180, 170), "triplets by season", seasons),
    ]
    return _svg(WIDTH, height, body, "Availability of triplets")


class _Frame:
    """Degrees to pixels: equal scales along and across the middle latitude."""

    def __init__(self, box: Box) -> None:
        self.box = box
        west, south, east, north = box
        narrowing = math.cos(math.radians((south + north) / 2))
        self.y_scale = min((WIDTH - 2 * _MARGIN) / ((east - west) * narrowing), TALLEST / (north - south))
        self.x_scale = self.y_scale * narrowing
        self.height = round((north - south) * self.y_scale + 2 * _MARGIN + 24)

    @classmethod
    def around(cls, boxes: Sequence[Box]) -> _Frame:
        if not boxes:
            return cls((-1.0, -1.0, 1.0, 1.0))
        west, south = min(b[0] for b in boxes), min(b[1] for b in boxes)
        east, north = max(b[2] for b in boxes), max(b[3] for b in boxes)
        pad = 0.03 * max(east - west, north - south)
        return cls((west - pad, south - pad, east + pad, north + pad))

    def at(self, longitude: float, latitude: float) -> tuple[float, float]:
        west, north = self.box[0], self.box[3]
        return _MARGIN + (longitude - west) * self.x_scale, _MARGIN + (north - latitude) * self.y_scale

    def cell(self, box: Box) -> str:
        (left, top), (right, bottom) = self.at(box[0], box[3]), self.at(box[2], box[1])
        return f"M{left:.1f} {top:.1f}H{right:.1f}V{bottom:.1f}H{left:.1f}Z"

    def ring(self, outline: BaseGeometry) -> str:
        parts = getattr(outline, "geoms", [outline])
        rings = [r for part in parts for r in (part.exterior, *part.interiors)]
        return "".join("M" + "L".join("{:.1f} {:.1f}".format(*self.at(*c[:2])) for c in r.coords) + "Z" for r in rings)

    def graticule(self) -> list[str]:
        west, south, east, north = self.box
        step = _round_step(max(east - west, north - south) / 4)
        (left, top), (right, bottom) = self.at(west, north), self.at(east, south)
        lines = [f'<path d="M{left:.1f} {top:.1f}H{right:.1f}V{bottom:.1f}H{left:.1f}Z" fill="none" stroke="{GREY}"/>']
        for k in range(math.ceil(west / step), math.floor(east / step) + 1):
            x, _ = self.at(k * step, north)
            lines += [_rule(x, top, x, bottom), _text(x, bottom + 14, _degrees(k * step, "WE"), 10, GREY, "middle")]
        for k in range(math.ceil(south / step), math.floor(north / step) + 1):
            _, y = self.at(west, k * step)
            lines += [_rule(left, y, right, y), _text(left - 5, y + 3, _degrees(k * step, "SN"), 10, GREY, "end")]
        return lines

    def scale_bar(self) -> list[str]:
        km_per_pixel = _KM_PER_DEGREE / self.y_scale
        length = _round_step(90 * km_per_pixel)
        x, y = float(_MARGIN), self.height - 14.0
        end = x + length / km_per_pixel
        return [
            f'<path d="M{x:.1f} {y - 5:.1f}V{y:.1f}H{end:.1f}V{y - 5:.1f}" fill="none" stroke="{INK}"/>',
            _text(end + 6, y, f"{length:g} km", 11, INK),
        ]


def _bars(at: tuple[int, int, int, int], title: str, bars: Sequence[tuple[str, int, str]]) -> list[str]:
    left, top, width, height = at
    most = max([1, *(n for _, n, _ in bars)])
    step = width / len(bars)
    body = [_text(left, top - 22, title, 13, INK), _rule(left, top + height, left + width, top + height)]
    for k, (name, n, colour) in enumerate(bars):
        tall, middle = height * n / most, left + (k + 0.5) * step
        x, y = left + k * step + 0.1 * step, top + height - tall
        body += [
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{0.8 * step:.1f}" height="{tall:.1f}" fill="{colour}"/>',
            _text(middle, top + height + 15, name, 10, GREY, "middle"),
            _text(middle, y - 4, _short(n), 9, INK, "middle") if n else "",
        ]
    return body


def _legend(x: float, y: float) -> list[str]:
    body = [_text(x, y + 10, "triplets of a tile", 11, GREY)]
    for k, ((least, most), colour) in enumerate(zip(STEPS, STEP_COLOURS, strict=True)):
        left = x + 100 + 62 * k
        body.append(f'<rect x="{left:.1f}" y="{y:.1f}" width="12" height="12" fill="{colour}"/>')
        body.append(_text(left + 17, y + 10, f"{least}-{most}", 11, INK))
    return body


def _svg(width: int, height: int, body: Sequence[str], title: str) -> str:
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img"><title>{escape(title)}</title>'
    return "\n".join(
        [head, f'<rect width="{width}" height="{height}" fill="{PAPER}"/>', *filter(None, body), "</svg>\n"]
    )


def _text(x: float, y: float, text: str, size: int, colour: str, anchor: str = "start") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}"'
    return f"<text {place} {_FONT}>{escape(text)}</text>"


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{GREY}" stroke-width="0.4" opacity="0.6"/>'


def _round_step(about: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is not above a number."""
    power: float = 10.0 ** math.floor(math.log10(about))
    return next(k * power for k in (5, 2, 1) if k * power <= about)


def _degrees(value: float, letters: str) -> str:
    text = f"{abs(value):.4f}".rstrip("0").rstrip(".")
    return f"{text}°{letters[value > 0]}" if round(value, 4) else "0°"


def _short(n: int) -> str:
    return f"{n}" if n < 10_000 else f"{n / 1000:.0f}k"
