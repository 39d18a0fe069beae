"""Every node of every graph fits the table of its release, and what does not is refused before gpt starts."""

import dataclasses
import json
from importlib import resources

import pytest

from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.sar.snap.graph import Node
from sen12ts_pipeline.sar.snap.operators import (
    Chain,
    InvalidGraph,
    Parameter,
    Release,
    check,
    faults,
    left_out,
    operators,
    text_of,
)
from tests.sar.snap.examples import RELEASES, SNAP_13, SNAP_14, every_graph, named, nodes_of, situations

LATER_ONLY = {
    "ThermalNoiseRemoval": {"clipNegativeValues": "false"},
    "Interferogram": {"cohWinSizeMeters": "0", "gslcModeAutoDetected": "false", "subtractResidualRamp": "false"},
    "Terrain-Flattening": {"applyAPDCorrection": "false"},
    "Terrain-Correction": {"applyAPDCorrection": "false"},
}
"""Parameters of 14 that 13 does not know, and what they must be for results to stay what they are."""


def replaced(graph, node, **parameters):
    """The graph with other parameters of a node; None takes one out."""
    texts = {k: v for k, v in (dict(node.parameters) | parameters).items() if v is not None}
    other = dataclasses.replace(node, parameters=tuple(texts.items()))
    return dataclasses.replace(graph, nodes=tuple(other if n.id == node.id else n for n in graph.nodes))


class TestTable:
    def test_names_its_source(self):
        body = resources.files("sen12ts_pipeline.sar.snap").joinpath("operators.json").read_text()
        assert "senbox-org/microwave-toolbox" in json.loads(body)["source"]

    def test_defaults_are_values_that_it_accepts(self):
        for name, operator in operators().items():
            for key, parameter in operator.parameters.items():
                assert parameter.default is None or not parameter.fault(parameter.default), f"{name} {key}"

    def test_holds_the_operators_that_graphs_use_and_no_other(self):
        used = {node.operator for _, _, graph in every_graph() for node in graph.nodes}
        assert used == set(operators())


class TestEveryGraph:
    @pytest.mark.parametrize("entry", every_graph(), ids=named)
    def test_is_accepted_by_its_release(self, entry):
        release, _, graph = entry
        assert check(graph, release) is graph

    @pytest.mark.parametrize("entry", every_graph(), ids=named)
    def test_leaves_nothing_to_a_default_which_may_change(self, entry):
        release, _, graph = entry
        assert [left_out(node, release) for node in graph.nodes] == [[] for _ in graph.nodes]
        some = next(n for n in graph.nodes if n.operator == "Write")
        with pytest.raises(InvalidGraph, match="leaves 'deleteOutputOnFailure' to its default"):
            check(replaced(graph, some, deleteOutputOnFailure=None), release)

    @pytest.mark.parametrize("entry", every_graph(), ids=named)
    def test_with_one_name_misspelt_is_refused(self, entry):
        release, _, graph = entry
        for node in graph.nodes:
            name, text = node.parameters[-1]
            with pytest.raises(InvalidGraph, match=rf"NodeId: {node.id}\].*Unknown element '{name}x'"):
                check(replaced(graph, node, **{f"{name}x": text, name: None}), release)

    @pytest.mark.parametrize("entry", every_graph(), ids=named)
    def test_with_one_value_that_is_not_accepted_is_refused(self, entry):
        release, _, graph = entry
        for node in graph.nodes[:-1]:
            known = operators()[node.operator].parameters
            for name, _ in node.parameters:
                if known[name].kind != "text" or known[name].values:
                    with pytest.raises(InvalidGraph, match=f"Value for '{name}' is invalid"):
                        check(replaced(graph, node, **{name: ""}), release)

    def test_of_14_is_refused_by_13_and_of_13_leaves_14_its_defaults(self):
        later, earlier = (situations(r)["bursts"]["backscatter"] for r in (SNAP_14, SNAP_13))
        with pytest.raises(InvalidGraph, match="Unknown element 'clipNegativeValues'"):
            check(later, SNAP_13)
        with pytest.raises(InvalidGraph, match="leaves 'clipNegativeValues' to its default"):
            check(earlier, SNAP_14)

    def test_gives_what_only_14_has_in_14_alone(self):
        for release, _, graph in every_graph():
            for operator, wanted in LATER_ONLY.items():
                for node in nodes_of(graph, operator):
                    given = {k: v for k, v in node.parameters if k in wanted}
                    assert given == (wanted if release == SNAP_14 else {})


class TestNode:
    def test_of_an_unknown_operator_is_refused(self):
        assert faults(Node("x", "Terrain-Corection", (), ()), SNAP_13) == [
            "[NodeId: x] Operator 'Terrain-Corection': unknown"
        ]

    @pytest.mark.parametrize(("operator", "count"), [("Read", 1), ("Write", 0), ("Multilook", 2), ("TOPSAR-Merge", 0)])
    def test_with_more_or_less_sources_than_it_takes_is_refused(self, operator, count):
        sources = tuple((f"sourceProduct.{k}", "a") for k in range(count))
        assert "source" in faults(Node("x", operator, sources, ()), SNAP_13)[0]


class TestValues:
    @pytest.mark.parametrize(
        ("parameter", "good", "bad"),
        [
            (Parameter("boolean"), ["true", "false"], ["True", "1", ""]),
            (Parameter("whole", interval="[1, *)"), ["1", "9"], ["0", "1.5", "one", ""]),
            (Parameter("number", interval="(0, 1]"), ["0.1", "1"], ["0", "1.01", "nil"]),
            (Parameter("number", interval="[0, 1]"), ["0", "1.0"], ["-0.1", "1.1"]),
            (Parameter("list", values=("VV", "VH")), ["VV", "VV,VH"], ["HH", "VV,HH", "VV, VH", ""]),
            (Parameter("text", values=("IW1",)), ["IW1"], ["iw1", "IW4"]),
            (Parameter("whole", values=("301", "501")), ["501"], ["500"]),
        ],
    )
    def test_fit_their_kind_their_set_and_their_bounds(self, parameter, good, bad):
        assert [parameter.fault(text) for text in good] == ["" for _ in good]
        assert all(parameter.fault(text) for text in bad)

    @pytest.mark.parametrize(
        ("value", "text"),
        [(True, "true"), (False, "false"), (3, "3"), (10.0, "10.0"), (("VV", "VH"), "VV,VH"), ("a b", "a b")],
    )
    def test_are_written_as_graphs_write_them(self, value, text):
        assert text_of(value) == text


class TestChain:
    def test_writes_down_defaults_that_are_not_given(self):
        chain = Chain(SNAP_13)
        chain.add("x", "Multilook", ["y"], nRgLooks=3)
        assert dict(chain.nodes[0].parameters) == {
            "nRgLooks": "3",
            "nAzLooks": "1",
            "outputIntensity": "false",
            "grSquarePixel": "true",
        }

    def test_numbers_its_sources_in_their_order(self):
        chain = Chain(SNAP_13)
        chain.add("x", "Back-Geocoding", ["earlier", "later"])
        assert chain.nodes[0].sources == (("sourceProduct", "earlier"), ("sourceProduct.1", "later"))

    def test_knows_no_parameter_that_no_release_has(self):
        with pytest.raises(InvalidGraph, match="'TOPSAR-Split' has no parameter 'swath'"):
            Chain(SNAP_13).add("x", "TOPSAR-Split", ["y"], swath="IW1")


class TestRelease:
    @pytest.mark.parametrize("text", ["13.0.4", "13.0.9", "14.0.0", "14.0.3"])
    def test_of_a_line_that_is_known_is_read(self, text):
        assert str(Release.parse(text)) == text

    @pytest.mark.parametrize("text", ["13.0.3", "12.0.1", "9.0.0", "13.1.0", "14.1.0", "15.0.0", "13", "13.0.x", ""])
    def test_of_which_nothing_is_known_is_refused(self, text):
        with pytest.raises(ConfigurationError, match=r"snap\.release: must be 13\.0\.4 or a later 13\.0, or 14\.0"):
            Release.parse(text)

    def test_names_the_dates_of_a_stack(self):
        assert [(r.reference, r.secondary) for r in RELEASES.values()] == [("mst", "slv"), ("ref", "sec")]
