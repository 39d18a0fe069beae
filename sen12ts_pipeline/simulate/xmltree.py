"""XML trees from plain calls."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from lxml import etree

Node = etree._Element
Content = Node | str | float | int | None


def node(tag: str, *content: Content, **attributes: object) -> Node:
    """Element with text or children: numbers with 16 digits, as annotations write doubles."""
    element = etree.Element(tag, {k: str(v) for k, v in attributes.items()})
    for item in content:
        if isinstance(item, etree._Element):
            element.append(item)
        elif item is not None:
            element.text = text(item)
    return element


def text(value: str | float) -> str:
    """Text of a value: floats as ``1.234567890123456e+00``, whole numbers and text as they are."""
    return f"{value:.15e}" if isinstance(value, float) else str(value)


def single(value: float) -> str:
    """Number with seven digits, as annotations write floats."""
    return f"{value:.6e}"


def listing(tag: str, items: Iterable[Node]) -> Node:
    """List element with its count."""
    children = list(items)
    return node(tag, *children, count=len(children))


def vector(tag: str, values: Iterable[object]) -> Node:
    """Element that holds numbers parted by blanks, with their count; values come as they shall be written."""
    words = [str(v) for v in values]
    return node(tag, " ".join(words), count=len(words))


def moment(time: datetime) -> str:
    """UTC as annotations write it, microseconds and no zone."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.%f")


def document(root: Node) -> bytes:
    """The file."""
    etree.indent(root)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")
