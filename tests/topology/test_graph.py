"""TopologyGraph: canonical form against known answers, equality against networkx."""

from __future__ import annotations

import csv
import gzip
import re
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nni_strategies.errors import InvalidArgument
from nni_strategies.topology.graph import TopologyGraph

OPERATIONS = ["none", "skip_connect", "conv_1x1", "conv_3x3", "avg_pool_3x3"]


@st.composite
def edge_cells(draw: st.DrawFn, max_nodes: int = 5) -> list[tuple[int, int, str]]:
    n = draw(st.integers(2, max_nodes))
    return [(i, j, draw(st.sampled_from(OPERATIONS))) for j in range(1, n) for i in range(j)]


def same(a: TopologyGraph, b: TopologyGraph) -> bool:
    """The oracle: labelled isomorphism by networkx, without our digest."""
    return nx.is_isomorphic(
        a.to_networkx(),
        b.to_networkx(),
        node_match=lambda x, y: x["label"] == y["label"],
        edge_match=lambda x, y: x["count"] == y["count"],
    )


def test_constructors_agree_on_a_chain() -> None:
    chain = TopologyGraph.chain(["conv_3x3", "max_pool"])
    by_edges = TopologyGraph.from_edges([(0, 1, "conv_3x3"), (1, 2, "max_pool")]).canonical()
    by_nodes = TopologyGraph.from_nodes({"b": ("max_pool", ["a"]), "a": ("conv_3x3", ["input"])}, ["b"])
    assert chain == by_edges == by_nodes
    assert len({chain, by_edges, by_nodes}) == 1
    assert chain.labels == ("input", "conv_3x3", "max_pool", "output")


@pytest.mark.parametrize(
    ("edges", "labels"),
    [
        # normalisation, activation and dropout belong to the convolution before them
        ([(0, 1, "conv"), (1, 2, "BatchNorm2d"), (2, 3, "relu"), (3, 4, "Dropout")], ["input", "conv", "output"]),
        # node 2 gets nothing, so the convolution it feeds is dead, and so is the sum of one term
        ([(0, 1, "conv"), (1, 2, "none"), (2, 3, "pool"), (1, 3, "skip_connect")], ["input", "conv", "output"]),
        # node 1 reaches nobody
        ([(0, 1, "conv"), (0, 2, "pool")], ["input", "pool", "output"]),
        # nothing arrives
        ([(0, 1, "none"), (1, 2, "conv")], ["input", "output"]),
        # a residual block keeps its sum
        ([(0, 1, "conv"), (1, 2, "conv"), (0, 2, "skip")], ["input", "conv", "conv", "add", "output"]),
        # a sum that only feeds a sum is part of it
        ([(0, 1, "a"), (0, 1, "b"), (1, 2, "skip"), (0, 2, "c")], ["input", "a", "b", "c", "add", "output"]),
    ],
)
def test_canonical_form(edges: list[tuple[int, int, str]], labels: list[str]) -> None:
    canonical = TopologyGraph.from_edges(edges).canonical()
    assert sorted(canonical.labels) == sorted(labels)
    assert canonical.labels[-1] == "output"


def test_sum_that_others_read_stays() -> None:
    # x -> sum1 = a + b -> {conv, sum2}: merging sum1 into sum2 would turn a residual network into a dense one
    edges = [(0, 1, "a"), (0, 1, "b"), (1, 2, "conv"), (1, 2, "skip")]
    assert list(TopologyGraph.from_edges(edges).canonical().labels).count("add") == 2


def test_shared_weights_are_not_twice_the_weights() -> None:
    shared = TopologyGraph.from_edges([(0, 1, "conv"), (1, 2, "skip"), (1, 2, "identity")]).canonical()
    separate = TopologyGraph.from_edges([(0, 1, "conv"), (0, 1, "conv")]).canonical()
    assert shared != separate
    assert shared.predecessors[2] == (1, 1)


def test_several_inputs_of_an_operation_are_summed() -> None:
    nodes = {"a": ("conv", ["input"]), "b": ("pool", ["input", "a"])}
    graph = TopologyGraph.from_nodes(nodes, ["b", "a"], merge="concat")
    assert graph.labels == ("input", "conv", "add", "pool", "concat", "output")
    assert graph.predecessors == ((), (0,), (0, 1), (2,), (1, 3), (4,))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: TopologyGraph.from_nodes({"conv1": ("conv", ["conv_1"])}, ["conv1"]), "did you mean 'conv1'"),
        (lambda: TopologyGraph.from_nodes({"a": ("x", ["b"]), "b": ("x", ["a"])}, ["a"]), "free of cycles"),
        (lambda: TopologyGraph.from_nodes({"a": ("x", ["input"])}, ["a"], merge="sum"), "merge"),
        (lambda: TopologyGraph.from_edges([(1, 0, "conv")]), "i < j"),
        (lambda: TopologyGraph.from_edges([]), "i < j"),
        (lambda: TopologyGraph(("input", "conv", "output"), ((), (0, 0), (1,))), "only"),
        (lambda: TopologyGraph(("input", "conv", "output"), ((), (1,), (1,))), "below 1"),
        (lambda: TopologyGraph(("conv", "output"), ((), (0,))), "begin with"),
    ],
)
def test_bad_graphs_are_refused(build, message: str) -> None:
    with pytest.raises(InvalidArgument, match=re.escape(message)):
        build()


@given(edge_cells())
def test_canonical_is_idempotent(edges: list[tuple[int, int, str]]) -> None:
    canonical = TopologyGraph.from_edges(edges).canonical()
    again = canonical.canonical()
    assert (again.labels, again.predecessors) == (canonical.labels, canonical.predecessors)
    assert not {"none", "skip_connect"} & set(canonical.labels)
    drawn = canonical.to_networkx()
    on_a_path = nx.descendants(drawn, 0) & nx.ancestors(drawn, len(canonical.labels) - 1)
    assert on_a_path | {0, len(canonical.labels) - 1} == set(drawn)


@given(edge_cells(), st.randoms(use_true_random=False))
def test_names_and_order_do_not_matter(edges: list[tuple[int, int, str]], random) -> None:
    graph = TopologyGraph.from_edges(edges)
    names = list(range(len(graph.labels)))
    random.shuffle(names)
    items = [
        (names[i], (graph.labels[i], ["input" if p == 0 else names[p] for p in graph.predecessors[i]]))
        for i in range(1, len(graph.labels) - 1)
    ]
    random.shuffle(items)
    renamed = TopologyGraph.from_nodes(dict(items), [names[p] for p in graph.predecessors[-1]])
    assert renamed == graph
    assert hash(renamed) == hash(graph)
    assert renamed.canonical() == graph.canonical()


@given(edge_cells(4), edge_cells(4))
def test_equality_is_labelled_isomorphism(one: list[tuple[int, int, str]], other: list[tuple[int, int, str]]) -> None:
    a, b = TopologyGraph.from_edges(one).canonical(), TopologyGraph.from_edges(other).canonical()
    assert (a == b) == same(a, b)
    assert (a.digest == b.digest) == same(a, b)


def test_equal_digests_are_not_yet_equal_graphs() -> None:
    def joined(pairs: list[tuple[int, int]]) -> TopologyGraph:
        nodes = {f"a{i}": ("a", ["input"]) for i in range(4)}
        nodes |= {f"b{k}": ("b", [f"a{i}" for i in pair]) for k, pair in enumerate(pairs)}
        return TopologyGraph.from_nodes(nodes, [f"b{k}" for k in range(4)])

    circle = joined([(0, 1), (1, 2), (2, 3), (3, 0)])  # each node has two neighbours of the other kind in both
    halves = joined([(0, 1), (0, 1), (2, 3), (2, 3)])
    assert circle.digest == halves.digest and not same(circle, halves)
    assert circle != halves
    assert circle == joined([(2, 0), (1, 3), (2, 1), (0, 3)])
    assert halves == joined([(0, 2), (1, 3), (1, 3), (0, 2)])


def test_digest_is_stable() -> None:
    assert TopologyGraph.chain(["conv"]).digest == "aed92d27da77741736a957b05d5bac5c"


def unfolded(graph: TopologyGraph) -> str:
    """What the graph computes, as text: sums flattened and sorted, sharing forgotten."""
    terms: list[list[str]] = []
    for label, reads in zip(graph.labels, graph.predecessors, strict=True):
        inner = sorted(term for p in reads for term in terms[p])
        named = {"input": ["x"], "add": inner, "output": inner}
        terms.append(named.get(label, [f"{label}({'+'.join(inner)})"]))
    return "+".join(terms[-1])


def without_zeros(unique: str) -> str:
    """The table's ``unique_str`` in the same notation, its zero terms ``#`` dropped."""
    at = 0

    def total() -> list[str]:
        nonlocal at
        terms = term()
        while at < len(unique) and unique[at] == "+":
            at += 1
            terms += term()
        return sorted(terms)

    def term() -> list[str]:
        nonlocal at
        at += 1
        if unique[at - 1] in "#0":
            return ["x"] if unique[at - 1] == "0" else []
        inner = total()
        operation = re.compile(r"\)@(\w+)").match(unique, at)
        assert operation is not None
        at = operation.end()
        return [f"{operation[1]}({'+'.join(inner)})"] if inner else []

    return "+".join(total())


@pytest.mark.slow
@pytest.mark.slow
@pytest.mark.timeout(60)
def test_nasbench201_against_its_unique_strings(data: Path) -> None:
    path = data / "nasbench201" / "nasbench201_all.csv.gz"
    with gzip.open(path, "rt") as file:
        rows = list(csv.DictReader(file))
    graphs = []
    for row in rows:
        groups = [re.findall(r"([^|~]+)~(\d)", group) for group in row["arch_str"].split("+")]
        edges = [(int(i), j, op) for j, group in enumerate(groups, start=1) for op, i in group]
        graphs.append(TopologyGraph.from_edges(edges).canonical())
    texts = [unfolded(graph) for graph in graphs]
    assert texts == [without_zeros(row["unique_str"]) for row in rows]
    assert len({row["unique_str"] for row in rows}) == 6_466
    assert len(set(texts)) == 4_930
    assert len(set(graphs)) == 5_425
