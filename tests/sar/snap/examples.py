"""Plans and graphs of a pair of passes, made up."""

import dataclasses
import functools
from datetime import UTC, datetime
from pathlib import Path

from sen12ts_pipeline.sar.snap.backscatter import backscatter_graph
from sen12ts_pipeline.sar.snap.chain import Site
from sen12ts_pipeline.sar.snap.insar import Pair, interferogram_graph, power_graph, stack_graph
from sen12ts_pipeline.sar.snap.operators import Release
from sen12ts_pipeline.sar.snap.plan import PassPlan, Region, SwathPlan

SNAP_13, SNAP_14 = Release((13, 0, 4)), Release((14, 0, 0))
RELEASES = {"13": SNAP_13, "14": SNAP_14}

SITE = Site(Region(32631, 500_000.0, 4_400_000.0, 504_000.0, 4_404_000.0), Path("/job/dem.tif"))
ORBIT = "S1A_OPER_AUX_POEORB_OPOD_20200124T120721_V20200103T225942_20200105T005942"

EARLIER = PassPlan(
    (Path("/archive/earlier.SAFE/manifest.safe"),),
    ORBIT,
    (SwathPlan("IW2", 3, 5, datetime(2020, 1, 4, 17, 25, 30, tzinfo=UTC)),),
)
LATER = PassPlan(
    (Path("/archive/later.SAFE/manifest.safe"),),
    ORBIT,
    (SwathPlan("IW2", 4, 6, datetime(2020, 1, 16, 17, 25, 30, tzinfo=UTC)),),
)


def with_bursts(plan, count):
    """The plan with so many bursts of each subswath."""
    swaths = tuple(dataclasses.replace(s, last=s.first + count - 1) for s in plan.swaths)
    return dataclasses.replace(plan, swaths=swaths)


def two_swaths(plan):
    """The plan with the same bursts of IW1 besides."""
    return dataclasses.replace(plan, swaths=(dataclasses.replace(plan.swaths[0], subswath="IW1"), *plan.swaths))


def two_slices(plan):
    """The plan with a further slice before."""
    return dataclasses.replace(plan, products=(Path("/archive/before.SAFE/manifest.safe"), *plan.products))


def graphs_of(earlier, later, release=SNAP_13, **options):
    """All graphs that a frame needs, by name."""
    pair = Pair(earlier, later)
    stacks = [Path(f"/out/stack_{s.subswath.lower()}.dim") for s in earlier.swaths]
    made = (
        backscatter_graph(later, SITE, Path("/out/backscatter.dim"), release),
        *(stack_graph(pair, k, SITE.dem, to, release, **options) for k, to in enumerate(stacks)),
        interferogram_graph(pair, stacks, SITE, Path("/out/interferogram.dim"), release),
        power_graph(pair, stacks, SITE, Path("/out/power.dim"), release),
    )
    return {graph.name: graph for graph in made}


@functools.cache
def situations(release=SNAP_13):
    """Graphs by situation: some bursts of a subswath, a single one, two subswaths, two slices, with ESD."""
    return {
        "bursts": graphs_of(EARLIER, LATER, release),
        "single": graphs_of(with_bursts(EARLIER, 1), with_bursts(LATER, 1), release, esd=True),
        "swaths": graphs_of(two_swaths(EARLIER), two_swaths(LATER), release),
        "slices": graphs_of(two_slices(EARLIER), two_slices(LATER), release),
        "esd": graphs_of(EARLIER, LATER, release, esd=True),
    }


def every_graph():
    """All of them in both releases: release, situation, graph."""
    return [
        (release, situation, graph)
        for release in RELEASES.values()
        for situation, graphs in situations(release).items()
        for graph in graphs.values()
    ]


def named(entry):
    """Name of an entry of `every_graph`."""
    release, situation, graph = entry
    return f"{release}-{situation}-{graph.name}"


def nodes_of(graph, operator):
    """Nodes of an operator."""
    return [node for node in graph.nodes if node.operator == operator]


def operators_of(graph):
    """Operators in the order of the nodes."""
    return [node.operator for node in graph.nodes]


def before(graph, node_id):
    """Operators through which data went before a node, from the nearest on."""
    found = []
    for _, feeds in graph.node(node_id).sources:
        found += [graph.node(feeds).operator, *before(graph, feeds)]
    return found
