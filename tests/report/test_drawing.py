from __future__ import annotations

import itertools
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from nni_strategies.report.drawing import draw, tidy
from nni_strategies.topology.graph import TopologyGraph

EDGES = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 3), st.sampled_from(["nor_conv_3x3", "avg_pool_3x3", "skip", "<&>"])),
    min_size=1,
    max_size=10,
).map(lambda edges: [(i, i + step, op) for i, step, op in edges])


@given(EDGES)
def test_every_operation_is_drawn_once_and_apart(edges: list[tuple[int, int, str]]) -> None:
    graph = TopologyGraph.from_edges(edges).canonical()
    drawn = draw(graph, 'a "cell"')
    if not graph.predecessors[-1]:
        assert "Nothing arrives" in drawn
        return
    svg = ElementTree.fromstring(drawn)
    assert sorted(t.text or "" for t in svg.iter("title")) == sorted(graph.labels)
    boxes = [
        tuple(float(rect.attrib[name]) for name in ("x", "y", "width", "height")) for rect in svg.iter("rect")
    ]
    for (ax, ay, aw, ah), (bx, by, bw, bh) in itertools.combinations(boxes, 2):
        assert ax + aw <= bx or bx + bw <= ax or ay + ah <= by or by + bh <= ay
    width, height = float(svg.attrib["width"]), float(svg.attrib["height"])
    assert all(x >= 0 and x + w <= width and y >= 0 and y + h <= height for x, y, w, h in boxes)
    flows = [path for path in svg.iter("path") if path.attrib["class"] == "flow"]
    assert len(flows) == sum(len(set(reads)) for reads in graph.predecessors)


def test_double_use_is_marked() -> None:
    graph = TopologyGraph.from_edges([(0, 1, "conv"), (1, 2, "skip"), (1, 2, "skip")]).canonical()
    assert "2×" in draw(graph)


def test_names_as_people_read_them() -> None:
    assert [tidy(name) for name in ("nor_conv_3x3", "skip_connect", "sep_conv_5x5", "k3e6")] == [
        *("conv 3×3", "skip connect", "sep conv 5×5", "k3e6")
    ]
    assert [tidy(name) for name in ("conv3", "maxpool3", "conv1x7", "sepconv3d2", "linear", "globalpool")] == [
        *("conv 3×3", "maxpool 3×3", "conv 1×7", "sepconv 3×3 dilated 2", "linear", "globalpool")
    ]
