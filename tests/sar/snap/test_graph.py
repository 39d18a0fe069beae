"""A graph is a value: what gpt reads of it, what names it, and what it may not be."""

import dataclasses
import json
from pathlib import Path

import pytest
from lxml import etree

from sen12ts_pipeline.sar.snap.graph import Graph, Node, Output
from tests.sar.snap.examples import every_graph, named, situations

GOLDEN = Path(__file__).parent / "golden"


def node(name, operator, *feeds, **parameters):
    names = ["sourceProduct", *(f"sourceProduct.{k}" for k in range(1, len(feeds)))]
    return Node(name, operator, tuple(zip(names, feeds, strict=False)), tuple(parameters.items()))


READ = node("first", "Read", file="/in/a.SAFE", formatName="SENTINEL-1")
OTHER = node("second", "Read", file="/in/b.SAFE", formatName="SENTINEL-1")
JOIN = node("join", "SliceAssembly", "first", "second", selectedPolarisations="VV,VH")
WRITE = node("write", "Write", "join", file="/out/joined.dim", formatName="BEAM-DIMAP")
JOINED = Graph("joined", (READ, OTHER, JOIN, WRITE), (Output(Path("/out/joined.dim"), ("i_.*",)),))


def changed(position, **parameters):
    """The graph with other parameters of a node."""
    nodes = list(JOINED.nodes)
    nodes[position] = dataclasses.replace(
        nodes[position], parameters=tuple((dict(nodes[position].parameters) | parameters).items())
    )
    written = [Path(n.parameter("file")) for n in nodes if n.operator == "Write"]
    return Graph("joined", tuple(nodes), tuple(Output(path, ("i_.*",)) for path in written))


class TestXml:
    def test_is_what_gpt_reads(self):
        root = etree.fromstring(JOINED.xml())
        assert (root.tag, root.get("id"), root.findtext("version")) == ("graph", "Graph", "1.0")
        assert [n.get("id") for n in root.iterfind("node")] == ["first", "second", "join", "write"]
        join = root.find("node[@id='join']")
        assert join.findtext("operator") == "SliceAssembly"
        assert [(s.tag, s.get("refid")) for s in join.find("sources")] == [
            ("sourceProduct", "first"),
            ("sourceProduct.1", "second"),
        ]
        assert [(p.tag, p.text) for p in join.find("parameters")] == [("selectedPolarisations", "VV,VH")]
        assert join.find("parameters").get("class") == "com.bc.ceres.binding.dom.XppDomElement"

    def test_has_a_place_for_every_node_as_editors_of_graphs_need(self):
        shown = etree.fromstring(JOINED.xml()).find("applicationData[@id='Presentation']")
        assert [n.get("id") for n in shown.iterfind("node")] == ["first", "second", "join", "write"]
        assert all(n.find("displayPosition") is not None for n in shown.iterfind("node"))

    def test_escapes_what_xml_would_misread(self):
        path = "/in/a & b <c>.SAFE"
        root = etree.fromstring(changed(0, file=path).xml())
        assert root.findtext("node/parameters/file") == path

    def test_is_the_same_for_a_graph_made_again(self):
        assert changed(0).xml() == JOINED.xml()

    @pytest.mark.parametrize("name", situations())
    def test_of_every_situation_is_as_it_was(self, name):
        # A change of these files changes results: note it in CHANGELOG.md under Results.
        for graph in situations()[name].values():
            assert graph.xml() == (GOLDEN / f"{name}-{graph.name}.xml").read_bytes()

    def test_no_golden_file_is_left_over(self):
        wanted = {f"{name}-{graph.name}.xml" for name, graphs in situations().items() for graph in graphs.values()}
        assert {path.name for path in GOLDEN.glob("*.xml")} == wanted


class TestDigest:
    def test_does_not_know_where_files_lie(self):
        moved = changed(0, file="/elsewhere/a.SAFE")
        assert moved.xml() != JOINED.xml()
        assert moved.digest == JOINED.digest
        assert JOINED.writing_to(Path("/tmp/out")).digest == JOINED.digest

    def test_changes_with_every_other_parameter(self):
        assert changed(2, selectedPolarisations="VV").digest != JOINED.digest
        assert changed(3, formatName="GeoTIFF").digest != JOINED.digest

    def test_changes_with_the_order_of_sources(self):
        turned = dataclasses.replace(JOIN, sources=(("sourceProduct", "second"), ("sourceProduct.1", "first")))
        assert dataclasses.replace(JOINED, nodes=(READ, OTHER, turned, WRITE)).digest != JOINED.digest

    def test_of_graphs_of_other_situations_and_releases_is_another(self):
        graphs = [graph for _, _, graph in every_graph()]
        assert len({json.dumps([g.name, g.digest]) for g in graphs}) == len({g.xml() for g in graphs})


class TestOutputs:
    def test_move_together_with_what_writes_them(self):
        moved = JOINED.writing_to(Path("/tmp/part"))
        assert moved.outputs == (Output(Path("/tmp/part/joined.dim"), ("i_.*",)),)
        assert moved.node("write").parameter("file") == "/tmp/part/joined.dim"
        assert moved.node("first") == READ

    @pytest.mark.parametrize("entry", every_graph(), ids=named)
    def test_of_every_graph_are_written_by_its_last_node(self, entry):
        *_, graph = entry
        assert graph.nodes[-1].operator == "Write"
        assert [str(o.path) for o in graph.outputs] == [graph.nodes[-1].parameter("file")]
        assert all(o.bands for o in graph.outputs)


class TestRefusals:
    def test_two_nodes_of_one_id(self):
        with pytest.raises(ValueError, match="twice: first"):
            dataclasses.replace(JOINED, nodes=(READ, READ, WRITE))

    def test_a_source_that_is_no_node(self):
        with pytest.raises(ValueError, match="sources of join must be nodes; got second"):
            dataclasses.replace(JOINED, nodes=(READ, JOIN, WRITE))

    def test_an_output_that_nothing_writes(self):
        with pytest.raises(ValueError, match="must write its outputs"):
            dataclasses.replace(JOINED, outputs=(*JOINED.outputs, Output(Path("/out/more.dim"), ("x",))))

    def test_a_graph_that_writes_nothing(self):
        # gpt would write the last node's product into its working folder.
        with pytest.raises(ValueError, match="must write"):
            Graph("joined", (READ,), ())
