"""Cells before and after: drawn alike, with what was changed and what carries nothing told apart without colours."""

from __future__ import annotations

import itertools
from typing import Any
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from nni_strategies.report.nat_cells import CellPair, cell_pairs, draw_pair, live_nodes
from nni_strategies.topology.operations import is_zero
from tests.report.irlas_searches import CELL, EDGES, OPERATIONS

DARTS = ("none", "max_pool_3x3", "skip_connect", "sep_conv_3x3", "dil_conv_5x5")
NODES = [(node, slot) for node in range(2, 6) for slot in range(2)]
BEFORE = dict(zip(CELL.labels, ("nor_conv_3x3", "skip_connect", "none", "nor_conv_1x1", "none", "none"), strict=True))


def edge(i: int, j: int) -> str:
    return f"cell.edge_{i}_{j}"


def bench(operations: list[str]) -> dict[str, Any]:
    return dict(zip(CELL.labels, operations, strict=True))


def darts(operations: list[str], sources: list[int]) -> dict[str, Any]:
    cell: dict[str, Any] = {}
    for (node, slot), operation, source in zip(NODES, operations, sources, strict=True):
        cell[f"normal/op_{node}_{slot}"] = operation
        cell[f"normal/input_{node}_{slot}"] = [source % node]
    return cell


PAIRS = st.one_of(
    st.tuples(*[st.lists(st.sampled_from(OPERATIONS), min_size=6, max_size=6)] * 2).map(
        lambda both: (bench(both[0]), bench(both[1]))
    ),
    st.tuples(
        *[st.lists(st.sampled_from(DARTS), min_size=8, max_size=8)] * 2,
        st.lists(st.integers(0, 59), min_size=8, max_size=8),
    ).map(lambda three: (darts(three[0], three[2]), darts(three[1], three[2]))),
)


def boxes(svg: ElementTree.Element) -> list[tuple[float, ...]]:
    return [tuple(float(rect.attrib[name]) for name in ("x", "y", "width", "height")) for rect in svg.iter("rect")]


def groups(svg: ElementTree.Element) -> dict[str, tuple[set[str], list[str]]]:
    """Title -> classes, lines of text."""
    found = {}
    for group in svg.iter("g"):
        title, texts = group.find("title").text or "", [text.text or "" for text in group.findall("text")]
        found[title] = set(group.attrib["class"].split()), texts
    return found


@given(PAIRS)
def test_both_are_drawn_alike_and_say_what_was_changed(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    before, after = pair
    (cell,) = cell_pairs(before, after)
    changed = {label for label in before if before[label] != after[label]}
    assert set(cell.changed) == changed
    first, second, width = draw_pair(cell)
    drawn = [ElementTree.fromstring(svg) for svg in (first, second)]
    assert boxes(drawn[0]) == boxes(drawn[1])
    for (ax, ay, aw, ah), (bx, by, bw, bh) in itertools.combinations(boxes(drawn[0]), 2):
        assert ax + aw <= bx or bx + bw <= ax or ay + ah <= by or by + bh <= ay
    height = float(drawn[0].attrib["height"])
    assert all(x >= 0 and y >= 0 and x + w <= width + 1 and y + h <= height for x, y, w, h in boxes(drawn[0]))
    for svg, own in zip(drawn, (before, after), strict=True):
        found = groups(svg)
        for label in [label for label in before if isinstance(before[label], str)]:
            classes, texts = found[f"{label}: {own[label]}"]
            assert ("changed" in classes) == (label in changed)
            assert len(texts) == (2 if label in changed else 1)  # it does not take colours
            assert "dead" in classes or not is_zero(own[label])


def test_what_a_changed_operation_says() -> None:
    after = {**BEFORE, edge(0, 1): "skip_connect"}
    (cell,) = cell_pairs(BEFORE, after)
    first, second, _ = draw_pair(cell)
    before_texts = groups(ElementTree.fromstring(first))[f"{edge(0, 1)}: nor_conv_3x3"][1]
    after_texts = groups(ElementTree.fromstring(second))[f"{edge(0, 1)}: skip_connect"][1]
    assert before_texts == ["conv 3×3", "→ skip connect"]
    assert after_texts == ["skip connect", "was conv 3×3"]
    assert "cell.edge_0_1 skip connect" in ElementTree.fromstring(second).attrib["aria-label"]


def test_what_carries_nothing_is_dead() -> None:
    # 0 -> 1 feeds nulls alone; node 2 is fed and not read; 0 -> 3 alone reaches the output
    (cell,) = cell_pairs(BEFORE, BEFORE)
    live = dict(zip(cell.graph.labels, live_nodes(cell.graph, BEFORE), strict=True))
    assert {label for label in BEFORE if live[label]} == {edge(0, 3)}
    assert live["input"]
    assert live["output"]
    through = {**BEFORE, edge(1, 3): "skip_connect"}
    live = dict(zip(cell.graph.labels, live_nodes(cell.graph, through), strict=True))
    assert {label for label in BEFORE if live[label]} == {edge(0, 1), edge(1, 3), edge(0, 3)}
    nothing = dict.fromkeys(BEFORE, "none")
    assert not any(live_nodes(cell.graph, nothing))


def test_every_null_has_dashed_edges() -> None:
    (cell,) = cell_pairs(BEFORE, BEFORE)
    svg = ElementTree.fromstring(draw_pair(cell)[0])
    flows = [path.attrib["class"] for path in svg.iter("path") if "flow" in path.attrib["class"]]
    # alive: input -> 0_3, 0_3 -> sum, sum -> output
    assert flows.count("flow") == 3
    assert flows.count("flow dead") == 2 * len(EDGES) + 1 - 3


def test_cells_are_told_apart_and_operations_may_be_numbers() -> None:
    two = {**{f"normal/{i}_{j}": 0 for i, j in EDGES}, **{f"reduce/{i}_{j}": "conv_3x3" for i, j in EDGES}}
    changed = {**two, **{f"normal/{i}_{j}": 1 for i, j in EDGES}}
    pairs = cell_pairs(two, changed)
    assert {pair.name: len(pair.changed) for pair in pairs} == {"normal": 6, "reduce": 0}
    first, _, _ = draw_pair(next(pair for pair in pairs if pair.changed))
    assert ">0</text>" in first
    assert cell_pairs({"kernel": 3}, {"kernel": 5}) == []


def test_markup_in_names_is_text() -> None:
    (cell,) = cell_pairs({"0_1": "<b>&", "1_2": "skip"}, {"0_1": "skip", "1_2": "skip"})
    assert isinstance(cell, CellPair)
    for svg in draw_pair(cell)[:2]:
        ElementTree.fromstring(svg)
