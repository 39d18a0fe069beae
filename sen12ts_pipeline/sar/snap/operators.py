"""What SNAP's operators accept, by release: the table `operators.json`, and nodes that fit it.

gpt refuses unknown parameters and values, and takes a default for what is left out. Defaults change between releases,
so here a parameter that has one is always given.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.sar.snap.graph import Graph, Node

Value = bool | int | float | str | Path | Sequence[str]

FIRST_RELEASE = (13, 0, 4)
"""From here on a DEM's default, multilooking in float and the noise of burst subsets are as graphs here expect them."""
KNOWN_LINES = ((13, 0), (14, 0))
"""Lines of releases of which the table holds every parameter."""

_INTERVAL = re.compile(r"([\[(])(\S+), ?(\S+)([\])])")


class InvalidGraph(ValueError):
    """A graph that gpt would refuse or complete by defaults: a fault of the program, found before gpt starts."""


@dataclass(frozen=True, slots=True)
class Release:
    """A release of SNAP's radar toolbox.

    Attributes
    ----------
    number : tuple of int
        For example (13, 0, 4).
    """

    number: tuple[int, int, int]

    def __str__(self) -> str:
        return ".".join(map(str, self.number))

    @classmethod
    def parse(cls, text: str) -> Release:
        """Read ``13.0.4``; ConfigurationError unless the release is one that the graphs were made for."""
        rule = "must be 13.0.4 or a later 13.0, or 14.0"
        match = re.fullmatch(r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})", text)
        number = tuple(int(part) for part in match.groups()) if match else ()
        if len(number) != 3 or number < FIRST_RELEASE or number[:2] not in KNOWN_LINES:
            raise ConfigurationError("settings", "snap.release", rule, text)
        return cls(number)

    @property
    def reference(self) -> str:
        """How the earlier date of a stack is called in names of bands."""
        return "mst" if self.number < (14,) else "ref"

    @property
    def secondary(self) -> str:
        """How the later date of a stack is called in names of bands."""
        return "slv" if self.number < (14,) else "sec"


@dataclass(frozen=True, slots=True)
class Parameter:
    """What an operator accepts under one name.

    Attributes
    ----------
    kind : str
        ``text``, ``list``, ``boolean``, ``whole``, ``number``, ``path`` or ``region`` (WKT or numbers).
    values : tuple of str
        All that is accepted; empty if anything of the kind is.
    interval : str
        Bounds such as ``[1, *)``; empty if there are none.
    default : str or None
        What 13.0.4 takes when the parameter is left out.
    since : tuple of int
        First release that has it, as far as the known ones go.
    """

    kind: str
    values: tuple[str, ...] = ()
    interval: str = ""
    default: str | None = None
    since: tuple[int, int, int] = FIRST_RELEASE

    def fault(self, text: str) -> str:
        """What is wrong with a value's text; empty if nothing is."""
        if self.kind == "boolean" and text not in ("true", "false"):
            return "must be true or false"
        if self.kind in ("whole", "number"):
            return self._number_fault(text)
        given = text.split(",") if self.kind == "list" else [text]
        if not text or (self.values and not set(given) <= set(self.values)):
            return f"must be {' or '.join(self.values)}" if self.values else "must not be empty"
        return ""

    def _number_fault(self, text: str) -> str:
        try:
            value = int(text) if self.kind == "whole" else float(text)
        except ValueError:
            return f"must be a {self.kind} number" if self.kind == "whole" else "must be a number"
        if self.values and text not in self.values:
            return f"must be {' or '.join(self.values)}"
        if self.interval and not _within(value, self.interval):
            return f"must lie in {self.interval}"
        return ""


@dataclass(frozen=True, slots=True)
class Operator:
    """How many products feed an operator (``none``, ``one``, ``many``), and what it accepts, in the table's order."""

    sources: str
    parameters: Mapping[str, Parameter]

    def in_release(self, release: Release) -> dict[str, Parameter]:
        """Parameters that a release has."""
        return {name: p for name, p in self.parameters.items() if p.since <= release.number}


@functools.lru_cache(maxsize=1)
def operators() -> Mapping[str, Operator]:
    """The table, by the operator's name."""
    body = resources.files("sen12ts_pipeline.sar.snap").joinpath("operators.json").read_text(encoding="utf-8")
    return {
        name: Operator(entry["sources"], {key: _parameter(p) for key, p in entry["parameters"].items()})
        for name, entry in json.loads(body)["operators"].items()
    }


def _parameter(entry: Mapping[str, object]) -> Parameter:
    known = {**entry, "values": tuple(entry.get("values", ()))}  # type: ignore[arg-type]
    if "since" in entry:
        known["since"] = tuple(int(part) for part in str(entry["since"]).split("."))
    return Parameter(**known)  # type: ignore[arg-type]


def faults(node: Node, release: Release) -> list[str]:
    """Why gpt of a release would refuse a node; empty if it would not."""
    operator = operators().get(node.operator)
    if operator is None:
        return [f"[NodeId: {node.id}] Operator {node.operator!r}: unknown"]
    known, found = operator.in_release(release), []
    count = len(node.sources)
    if not {"none": count == 0, "one": count == 1, "many": count >= 1}[operator.sources]:
        found.append(f"takes {operator.sources} source, got {count}")
    for name, text in node.parameters:
        if name not in known:
            found.append(f"Unknown element {name!r}")
        elif reason := known[name].fault(text):
            found.append(f"Value for {name!r} is invalid: {text!r} {reason}")
    return [f"[NodeId: {node.id}] Operator {node.operator!r}: {fault}" for fault in found]


def left_out(node: Node, release: Release) -> list[str]:
    """Parameters for which gpt would take a default."""
    given = dict(node.parameters)
    return [
        n for n, p in operators()[node.operator].in_release(release).items() if p.default is not None and n not in given
    ]


def check(graph: Graph, release: Release) -> Graph:
    """The graph, if gpt of a release accepts each of its nodes and takes no default; else InvalidGraph."""
    found = [fault for node in graph.nodes for fault in faults(node, release)]
    if not found:
        found = [
            f"[NodeId: {n.id}] leaves {name!r} to its default" for n in graph.nodes for name in left_out(n, release)
        ]
    if found:
        raise InvalidGraph(f"graph {graph.name} for SNAP {release}: {'; '.join(found)}")
    return graph


def text_of(value: Value) -> str:
    """A value as graphs write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(value) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)


@dataclass(slots=True)
class Chain:
    """Nodes that are strung together, each with what the release needs.

    Attributes
    ----------
    release : Release
        Whose parameters are given.
    nodes : list of Node
        In the order in which they were added.
    """

    release: Release
    nodes: list[Node] = field(default_factory=list)

    def add(self, node_id: str, operator: str, sources: Iterable[str] = (), /, **parameters: Value) -> str:
        """Add a node and return its id.

        Parameters that only a later release has are left out in an earlier one; those of the release that are not given
        and have a default get this default, so that it is written down.
        """
        known = operators()[operator]
        for name in set(parameters) - set(known.parameters):
            raise InvalidGraph(f"operator {operator!r} has no parameter {name!r}")
        texts = {}
        for name, parameter in known.in_release(self.release).items():
            if name in parameters:
                texts[name] = text_of(parameters[name])
            elif parameter.default is not None:
                texts[name] = parameter.default
        named = tuple((f"sourceProduct.{k}" if k else "sourceProduct", feeds) for k, feeds in enumerate(sources))
        self.nodes.append(Node(node_id, operator, named, tuple(texts.items())))
        return node_id


def _within(value: float, interval: str) -> bool:
    match = _INTERVAL.fullmatch(interval)
    if match is None:
        raise ValueError(f"an interval is written [1, *); got {interval!r}")
    opens, low, high, closes = match.groups()
    above = low == "*" or value > float(low) or (opens == "[" and value == float(low))
    below = high == "*" or value < float(high) or (closes == "]" and value == float(high))
    return above and below
