"""Graphs of SNAP operators as values, and their XML as gpt reads it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lxml import etree

PATH_PARAMETERS = frozenset({"file", "externalDEMFile"})
"""Parameters that hold a place on this machine, which is no part of what a graph does."""


@dataclass(frozen=True, slots=True)
class Node:
    """One operator of a graph.

    Attributes
    ----------
    id : str
        Unique in its graph.
    operator : str
        Name that gpt knows, for example ``TOPSAR-Split``.
    sources : tuple
        Name of the source, ``sourceProduct`` or ``sourceProduct.1``, and id of the node that feeds it, in order.
    parameters : tuple
        Name and final text of each parameter, in order; lists are joined by commas.
    """

    id: str
    operator: str
    sources: tuple[tuple[str, str], ...]
    parameters: tuple[tuple[str, str], ...]

    def parameter(self, name: str) -> str:
        """Text of a parameter; KeyError if it is not given."""
        return dict(self.parameters)[name]


@dataclass(frozen=True, slots=True)
class Output:
    """A product that a graph writes.

    Attributes
    ----------
    path : Path
        The ``.dim`` file.
    bands : tuple of str
        Regular expressions; each matches the whole name of exactly one band of the product.
    """

    path: Path
    bands: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """Operators and how they feed each other.

    Attributes
    ----------
    name : str
        Of its file and its log.
    nodes : tuple of Node
        In the order of the file.
    outputs : tuple of Output
        What the Write nodes leave, one each, in order.

    Raises
    ------
    ValueError
        When an id is there twice, a source is no node of the graph, or outputs and Write nodes differ.
    """

    name: str
    nodes: tuple[Node, ...]
    outputs: tuple[Output, ...]

    def __post_init__(self) -> None:
        ids = [node.id for node in self.nodes]
        twice = sorted({i for i in ids if ids.count(i) > 1})
        if twice:
            raise ValueError(f"graph {self.name}: ids must be unique; twice: {', '.join(twice)}")
        for node in self.nodes:
            unknown = [feeds for _, feeds in node.sources if feeds not in ids]
            if unknown:
                raise ValueError(f"graph {self.name}: sources of {node.id} must be nodes; got {', '.join(unknown)}")
        written = [node.parameter("file") for node in self.nodes if node.operator == "Write"]
        if written != [str(output.path) for output in self.outputs] or not written:
            raise ValueError(f"graph {self.name}: must write its outputs, one each; writes {written}")

    def node(self, node_id: str) -> Node:
        """The node of an id; KeyError if there is none."""
        return {node.id: node for node in self.nodes}[node_id]

    def xml(self) -> bytes:
        """The graph as gpt reads it: the same bytes for the same graph, UTF-8.

        The block ``Presentation`` places every node, for editors of graphs that rely on it.
        """
        return _xml(self.nodes)

    @property
    def digest(self) -> str:
        """SHA-256 of the XML without paths: the same work has the same digest wherever its files lie."""
        return hashlib.sha256(_xml(_without_paths(node) for node in self.nodes)).hexdigest()

    def writing_to(self, folder: Path) -> Graph:
        """The same graph with its outputs in another folder, under the same names."""
        moved = {str(output.path): folder / output.path.name for output in self.outputs}
        nodes = tuple(
            _with(node, {"file": str(moved[node.parameter("file")])}) if node.operator == "Write" else node
            for node in self.nodes
        )
        return Graph(self.name, nodes, tuple(replace(o, path=moved[str(o.path)]) for o in self.outputs))


def _xml(nodes: Iterable[Node]) -> bytes:
    root = etree.Element("graph", id="Graph")
    etree.SubElement(root, "version").text = "1.0"
    shown = etree.Element("applicationData", id="Presentation")
    etree.SubElement(shown, "Description")
    for place, node in enumerate(nodes, start=1):
        root.append(_element(node))
        box = etree.SubElement(shown, "node", id=node.id)
        etree.SubElement(box, "displayPosition", x=f"{100 * place}.0", y="100.0")
    root.append(shown)
    etree.indent(root, space="  ")
    body: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return body + b"\n"


def _element(node: Node) -> etree._Element:
    element = etree.Element("node", id=node.id)
    etree.SubElement(element, "operator").text = node.operator
    sources = etree.SubElement(element, "sources")
    for name, feeds in node.sources:
        etree.SubElement(sources, name, refid=feeds)
    parameters = etree.SubElement(element, "parameters")
    parameters.set("class", "com.bc.ceres.binding.dom.XppDomElement")
    for name, text in node.parameters:
        etree.SubElement(parameters, name).text = text
    return element


def _with(node: Node, texts: Mapping[str, str]) -> Node:
    """The node with other texts of parameters that it has."""
    return replace(node, parameters=tuple((name, texts.get(name, text)) for name, text in node.parameters))


def _without_paths(node: Node) -> Node:
    return _with(node, dict.fromkeys(PATH_PARAMETERS, ""))
