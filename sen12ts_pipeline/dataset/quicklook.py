"""Pictures for people: a panel of one triplet, and a page of many; the same triplets give the same bytes."""

from __future__ import annotations

import functools
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.ImageFont import FreeTypeFont

from sen12ts_pipeline.dataset import colours
from sen12ts_pipeline.dataset.classes import RGB, LandClass, Table, classes_of
from sen12ts_pipeline.domain.layers import NODATA, S1_MASK, S2_MASK
from sen12ts_pipeline.domain.names import TripletName
from sen12ts_pipeline.ports import Float32, Int16, UInt8

COLUMNS = ("Backscatter", "Coherence", "Phase", "Sentinel-2", "Land cover")
CHANNELS = (
    ((222, 60, 50), "VV", colours.VV_RANGE_DB),
    ((60, 168, 70), "VH", colours.VH_RANGE_DB),
    ((58, 96, 214), "VV / VH", colours.RATIO_RANGE_DB),
)
DIRECTIONS = {"A": "ascending", "D": "descending"}

PAPER, INK, GREY, RULE = (250, 250, 247), (28, 32, 40), (108, 114, 124), (216, 217, 212)
GAP, MARGIN = 14, 28
SIDE, THUMB = 256, 184
LEGEND_CLASSES = 5


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A triplet to look at.

    Attributes
    ----------
    name : TripletName
        Dates, track and direction.
    tile : str
        Text form of the tile.
    s1 : float32 (19, rows, cols)
        Radar stack as in the file.
    s2 : int16 (14, rows, cols)
        Optical stack as in the file.
    label : int16 (rows, cols)
        Codes as in the file.
    table : Table or str
        Class table of the label, or its name (`classes.TABLES`); by default WorldCover if it has all codes.
    """

    name: TripletName
    tile: str
    s1: Float32
    s2: Int16
    label: Int16
    table: Table | str = ""


def quicklook(view: View, *, title: str = "") -> bytes:
    """PNG of one triplet: newest backscatter, coherence, phase, natural colours and label side by side.

    Parameters
    ----------
    view : View
        The triplet.
    title : str
        Left of the tile's name, for example the AOI.
    """
    width = 2 * MARGIN + len(COLUMNS) * SIDE + (len(COLUMNS) - 1) * GAP
    top = 104
    page = Image.new("RGB", (width, top + SIDE + 142), PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN, 18), f"{title}  ·  {view.tile}" if title else view.tile, INK, _font(26))
    draw.text((MARGIN, 51), f"{_place(view.name)}   ·   {_dates(view.name)}   ·   {_invalid(view)}", GREY, _font(15))
    legends = (_legend_backscatter, _legend_coherence, _legend_phase, _legend_optical, _legend_label)
    for k, (column, picture) in enumerate(zip(COLUMNS, _pictures(view), strict=True)):
        x = MARGIN + k * (SIDE + GAP)
        draw.text((x, top - 22), column, INK, _font(15))
        page.paste(_image(picture, SIDE), (x, top))
        legends[k](page, x, top + SIDE + 10, view)
    return _png(page)


def contact_sheet(views: Sequence[View], *, title: str, subtitle: str = "") -> bytes:
    """PNG of a page with a row for each triplet.

    Parameters
    ----------
    views : sequence of View
        In the order of the rows; a dozen make a page that fits a screen.
    title, subtitle : str
        Head of the page.
    """
    text_width, top, pitch = 236, 132, THUMB + GAP
    width = 2 * MARGIN + text_width + len(COLUMNS) * THUMB + (len(COLUMNS) - 1) * GAP
    legend = _legend_lines(views, width - 2 * MARGIN)
    page = Image.new("RGB", (width, top + max(len(views), 1) * pitch + 40 + 24 * len(legend)), PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN, 22), title, INK, _font(30))
    draw.text((MARGIN, 62), subtitle, GREY, _font(16))
    for k, column in enumerate(COLUMNS):
        draw.text((MARGIN + text_width + k * (THUMB + GAP), top - 28), column, INK, _font(15))
    for row, view in enumerate(views):
        y = top + row * pitch
        draw.line((MARGIN, y - GAP // 2, width - MARGIN, y - GAP // 2), RULE)
        _row_text(draw, MARGIN, y + 2, view)
        for k, picture in enumerate(_pictures(view)):
            page.paste(_image(picture, THUMB), (MARGIN + text_width + k * (THUMB + GAP), y))
    if not views:
        draw.text((MARGIN, top + 12), "no triplets", GREY, _font(16))
    y = top + max(len(views), 1) * pitch + 8
    for line in legend:
        _draw_line(draw, y, line)
        y += 24
    return _png(page)


def _pictures(view: View) -> tuple[UInt8, ...]:
    vh, vv, coherence, phase = view.s1[:4]
    return (
        colours.backscatter(vh, vv),
        colours.coherence(coherence),
        colours.phase(phase),
        colours.true_colour(view.s2),
        colours.label(view.label, _classes(view.label, view.table)),
    )


def _classes(label: Int16, table: Table | str) -> dict[int, LandClass]:
    return dict(classes_of((code for code in np.unique(label).tolist() if code != NODATA), table))


def _shares(view: View) -> list[tuple[LandClass, float]]:
    """Classes of a label with their shares of its pixels, largest first."""
    codes, counts = np.unique(view.label[view.label != NODATA], return_counts=True)
    classes = _classes(view.label, view.table)
    shares = [(classes[int(code)], int(count) / view.label.size) for code, count in zip(codes, counts, strict=True)]
    return sorted(shares, key=lambda one: (-one[1], one[0].code))


def _place(name: TripletName) -> str:
    return f"{_hemisphere(name.latitude, 'N', 'S')}, {_hemisphere(name.longitude, 'E', 'W')}"


def _hemisphere(degrees: str, positive: str, negative: str) -> str:
    return f"{degrees.removeprefix('-')}° {negative if degrees.startswith('-') else positive}"


def _dates(name: TripletName) -> str:
    track = f"track {name.track} {DIRECTIONS[name.direction]}"
    return f"Sentinel-1 {name.s1date.isoformat()}, {track}   ·   Sentinel-2 {name.s2date.isoformat()}"


def _invalid(view: View) -> str:
    s1, s2 = int((view.s1[S1_MASK] != 1).sum()), int((view.s2[S2_MASK] != 1).sum())
    return f"invalid pixels: {s1} radar, {s2} optical"


def _row_text(draw: ImageDraw.ImageDraw, x: int, y: int, view: View) -> None:
    name = view.name
    draw.text((x, y), view.tile, INK, _font(19))
    lines = (
        _place(name),
        f"S1  {name.s1date.isoformat()}",
        f"S2  {name.s2date.isoformat()}",
        f"track {name.track}, {DIRECTIONS[name.direction]}",
    )
    for k, line in enumerate(lines):
        draw.text((x, y + 31 + 21 * k), line, GREY, _font(15))
    for k, (one, share) in enumerate(_shares(view)[:2]):
        _chip(draw, x, y + 127 + 22 * k, one.rgb, f"{one.name}  {share:.0%}", 196)


def _legend_backscatter(page: Image.Image, x: int, y: int, _: View) -> None:
    draw = ImageDraw.Draw(page)
    for k, (colour, text, (low, high)) in enumerate(CHANNELS):
        _chip(draw, x, y + 22 * k, colour, f"{text}   {low:g} … {high:g} dB", SIDE - 20)


def _legend_coherence(page: Image.Image, x: int, y: int, _: View) -> None:
    _bar(page, x, y, colours.COHERENCE, ("0", "0.5", "1"))


def _legend_phase(page: Image.Image, x: int, y: int, _: View) -> None:
    _bar(page, x, y, colours.PHASE, ("-180°", "0°", "180°"))


def _legend_optical(page: Image.Image, x: int, y: int, _: View) -> None:
    draw = ImageDraw.Draw(page)
    draw.text((x, y - 3), "B04, B03, B02", GREY, _font(14))
    draw.text((x, y + 17), "stretched to the tile", GREY, _font(14))


def _legend_label(page: Image.Image, x: int, y: int, view: View) -> None:
    draw = ImageDraw.Draw(page)
    entries = [(share, one.rgb, one.name) for one, share in _shares(view)]
    unlabelled = float((view.label == NODATA).mean())
    if not entries:
        draw.text((x, y - 3), "the source says nothing here", GREY, _font(14))
        return
    if unlabelled:
        entries = sorted([*entries, (unlabelled, colours.NOTHING, "without a label")], key=lambda one: -one[0])
    for k, (share, colour, name) in enumerate(entries[:LEGEND_CLASSES]):
        percent = f"{share:.0%}" if share >= 0.005 else "< 1%"
        _chip(draw, x, y + 22 * k, colour, f"{name}   {percent}", SIDE - 20)
    rest = len(entries) - LEGEND_CLASSES
    if rest > 0:
        draw.text((x + 20, y + 22 * LEGEND_CLASSES - 3), f"and {rest} more", GREY, _font(14))


def _bar(page: Image.Image, x: int, y: int, anchors: Sequence[RGB], ticks: tuple[str, str, str]) -> None:
    strip = colours.gradient(anchors, np.broadcast_to(np.linspace(0.0, 1.0, SIDE), (12, SIDE)))
    page.paste(Image.fromarray(strip), (x, y))
    draw = ImageDraw.Draw(page)
    for text, at, anchor in zip(ticks, (x, x + SIDE // 2, x + SIDE), ("la", "ma", "ra"), strict=True):
        draw.text((at, y + 17), text, GREY, _font(14), anchor=anchor)


def _chip(draw: ImageDraw.ImageDraw, x: int, y: int, colour: RGB, text: str, width: int) -> None:
    draw.rectangle((x, y, x + 12, y + 12), colour, RULE)
    draw.text((x + 20, y - 3), _shortened(text, width), GREY, _font(14))


def _shortened(text: str, width: int) -> str:
    """A text cut to a width in pixels, the share at its end kept."""
    if _font(14).getlength(text) <= width:
        return text
    head, _, tail = text.rpartition("  ")
    while head and _font(14).getlength(f"{head}… {tail}") > width:
        head = head[:-1].rstrip()
    return f"{head}… {tail}"


def _legend_lines(views: Sequence[View], width: int) -> list[list[tuple[int, LandClass]]]:
    """Classes of all labels, by code, broken into lines: (offset in pixels, class)."""
    classes = {one for view in views for one, _ in _shares(view)}
    lines: list[list[tuple[int, LandClass]]] = []
    at = width
    for one in sorted(classes):
        needed = 20 + int(_font(14).getlength(one.name)) + 26
        if at + needed > width:
            lines.append([])
            at = 0
        lines[-1].append((at, one))
        at += needed
    return lines[:8]


def _draw_line(draw: ImageDraw.ImageDraw, y: int, line: Sequence[tuple[int, LandClass]]) -> None:
    for at, one in line:
        _chip(draw, MARGIN + at, y, one.rgb, one.name, 10_000)


def _image(picture: UInt8, side: int) -> Image.Image:
    image = Image.fromarray(picture)
    if image.size == (side, side):
        return image
    smaller = image.width > side
    return image.resize((side, side), Image.Resampling.BOX if smaller else Image.Resampling.NEAREST)


@functools.cache
def _font(size: int) -> FreeTypeFont:
    """Pillow's own font, so that a page does not depend on what is installed."""
    font = ImageFont.load_default(size)
    assert isinstance(font, FreeTypeFont)  # noqa: S101 - Pillow without FreeType cannot be installed from a wheel
    return font


def _png(page: Image.Image) -> bytes:
    body = io.BytesIO()
    page.save(body, "PNG")
    return body.getvalue()
