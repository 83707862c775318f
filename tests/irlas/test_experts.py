"""Experts: what they are made of, how they are translated, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.experts import EXPERTS, expert, load_experts, projected
from nni_strategies.topology.graph import TopologyGraph
from nni_strategies.topology.graph_json import graph_from_json, graph_to_json
from nni_strategies.topology.vocabulary import standard


@pytest.mark.parametrize("name", EXPERTS)
def test_experts_are_canonical_and_in_standard_operations(name: str):
    graph = expert(name)
    assert graph == graph.canonical()
    assert all(standard(label) == (label,) for label in graph.labels)


def test_an_unknown_expert_names_the_nearest():
    with pytest.raises(InvalidArgument, match="did you mean 'resnext'"):
        expert("resnxt")


def test_projected_on_nasbench201():
    found = projected(expert("resnext"), {"input", "output", "conv1", "conv3", "avgpool3", "add"})
    assert found.replaced == {"gconv3": "conv3"}
    assert found.graph == expert("resnet")
    assert found.unmapped == 0


def test_a_joined_output_becomes_a_sum_where_there_is_no_concatenation():
    found = projected(expert("inception"), {"conv1", "conv3", "maxpool3", "add"})
    assert found.replaced == {"conv5": "conv3", "concat": "add"}
    assert "concat" not in found.graph.labels


def test_what_nothing_stands_for_is_reported():
    found = projected(expert("resnet_basic"), {"attention", "linear", "add"})
    assert found.unmapped == pytest.approx(2 / 3)
    assert "conv3" in found.graph.labels


def test_the_own_kind_is_preferred_with_the_nearest_kernel():
    assert projected(TopologyGraph.chain(["conv7"]), {"conv3", "conv5", "sepconv7"}).replaced == {"conv7": "conv5"}


def test_what_looks_around_goes_on_doing_so():
    assert projected(TopologyGraph.chain(["conv3"]), {"conv1", "sepconv3"}).replaced == {"conv3": "sepconv3"}


def test_experts_of_one_name_and_empty_ones_are_refused(tmp_path: Path):
    with pytest.raises(InvalidArgument, match="twice"):
        load_experts(["resnet", "resnet"])
    empty = tmp_path / "empty.json"
    empty.write_text(json.dumps({"labels": ["input", "output"], "predecessors": [[], [0]]}))
    with pytest.raises(InvalidArgument, match="at least one operation"):
        load_experts([str(empty)])
    for given in ("resnext", [], [1]):
        with pytest.raises(InvalidArgument, match="a list of at least one"):
            load_experts(given)  # type: ignore[arg-type]


def test_graphs_survive_json():
    graph = expert("densenet")
    assert graph_from_json(json.loads(json.dumps(graph_to_json(graph)))) == graph


def test_experts_from_files(tmp_path: Path):
    nsc, graph = tmp_path / "mine.json", tmp_path / "other.json"
    layers = [[1, "conv", 3, 0, 0], [2, "conv", 3, 1, 0], [3, "add", 0, 2, 0], [4, 7, 0, 0, 0]]
    nsc.write_text(json.dumps({"nsc": layers}))
    graph.write_text(json.dumps(graph_to_json(expert("densenet"))))
    assert load_experts([str(nsc), str(graph), "resnet"]) == {
        "mine": expert("resnet_basic"), "other": expert("densenet"), "resnet": expert("resnet"),
    }  # fmt: skip


@pytest.mark.parametrize("text", ["{", "[]", '{"labels": ["input"]}', '{"nsc": [[1, "cnv", 3, 0, 0]]}', '"x"'])
def test_a_file_that_holds_no_block_is_refused(tmp_path: Path, text: str):
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(InvalidArgument):
        load_experts([str(path)])


def test_a_file_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(InvalidArgument, match="can be read"):
        load_experts([str(tmp_path / "none.json")])
