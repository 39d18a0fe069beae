"""Part of the stand-in gpt: graphs as SNAP reads them, and what it refuses before anything runs."""

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

import sen12ts_pipeline.sar.snap

TABLE = Path(sen12ts_pipeline.sar.snap.__file__).parent / "operators.json"


@dataclass(frozen=True)
class Node:
    """A node of the file: sources are the ids of the nodes that feed it, in order."""

    id: str
    operator: str
    sources: tuple
    parameters: dict


class GraphError(Exception):
    """What gpt prints after ``Error:``."""


def parse(body):
    root = etree.fromstring(body)
    if root.tag != "graph" or root.findtext("version") != "1.0":
        raise GraphError("not a graph of version 1.0")
    nodes = []
    for element in root.iterfind("node"):
        sources = [child.get("refid") for child in element.find("sources")]
        names = [child.tag for child in element.find("sources")]
        expected = ["sourceProduct", *(f"sourceProduct.{k}" for k in range(1, len(names)))][: len(names)]
        if names != expected:
            raise GraphError(f"[NodeId: {element.get('id')}] sources must be {expected}, are {names}")
        parameters = {child.tag: (child.text or "").strip() for child in element.find("parameters")}
        nodes.append(Node(element.get("id"), element.findtext("operator"), tuple(sources), parameters))
    ids = [node.id for node in nodes]
    for node in nodes:
        if ids.count(node.id) > 1:
            raise GraphError(f"Duplicate node id '{node.id}'")
        for source in node.sources:
            if source not in ids:
                raise GraphError(f"[NodeId: {node.id}] Missing source '{source}'")
    return nodes


def in_order(nodes):
    """Nodes such that sources come first."""
    done, left = [], list(nodes)
    while left:
        ready = [n for n in left if all(any(d.id == s for d in done) for s in n.sources)]
        if not ready:
            raise GraphError("the graph has a cycle")
        done += ready
        left = [n for n in left if n not in ready]
    return done


@contextmanager
def named(node):
    """Faults of an operator name their node, as gpt does."""
    try:
        yield
    except Exception as error:
        raise GraphError(f"[NodeId: {node.id}] Operator '{node.operator.replace('-', '')}Op': {error}") from error


def validate(nodes, release):
    table = json.loads(TABLE.read_text())["operators"]
    for node in nodes:
        with named(node):
            if node.operator not in table:
                raise GraphError("Unknown operator")
            operator = table[node.operator]
            least, most = {"none": (0, 0), "one": (1, 1), "many": (1, 99)}[operator["sources"]]
            if not least <= len(node.sources) <= most:
                raise GraphError(f"takes {operator['sources']} sources, is given {len(node.sources)}")
            for name, text in node.parameters.items():
                check(name, text, operator["parameters"].get(name), release)


def check(name, text, known, release):
    since = tuple(int(n) for n in (known or {}).get("since", "0").split("."))
    if known is None or since > release:
        raise GraphError(f"Unknown element '{name}'")
    given = text.split(",") if known["kind"] == "list" else [text]
    values = known.get("values")
    wrong = values is not None and not set(given) <= set(values)
    wrong |= known["kind"] == "boolean" and text not in ("true", "false")
    if known["kind"] in ("whole", "number"):
        wrong |= not re.fullmatch(r"[-+]?\d+" if known["kind"] == "whole" else r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?", text)
        wrong = wrong or not _inside(float(text), known.get("interval"))
    if wrong:
        raise GraphError(f"Value for '{name}' is invalid: '{text}'")


def _inside(value, interval):
    if interval is None:
        return True
    low, high = (part.strip() for part in interval[1:-1].split(","))
    above = low == "*" or (value >= float(low) if interval[0] == "[" else value > float(low))
    return above and (high == "*" or (value <= float(high) if interval[-1] == "]" else value < float(high)))
