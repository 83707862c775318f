"""The tree of a real LaNAS search, restored from its journal alone."""

from __future__ import annotations

import pytest

from nni_strategies.errors import JournalMismatch
from nni_strategies.lanas.searcher import LaNASSearcher
from nni_strategies.report.tree import replayed_tree, tree_figure, tree_nodes
from nni_strategies.search.baselines import RandomSearch
from nni_strategies.search.study import Study
from nni_strategies.space.from_json import space_from_json

SPACE = space_from_json({f"edge_{i}": {"_type": "choice", "_value": ["conv", "pool", "skip"]} for i in range(6)})


def searched(searcher) -> Study:
    study = Study(searcher, seed=2)
    for _ in range(45):
        trial = study.ask()
        study.tell(trial.id, sum((i + 1) * (op == "conv") for i, op in enumerate(trial.configuration.values())))
    return study


def test_the_replayed_tree_is_the_live_one() -> None:
    live = LaNASSearcher(SPACE)
    study = searched(live)
    tree = replayed_tree(study.journal.events, LaNASSearcher(SPACE))
    assert tree == live.describe_tree()
    nodes = tree_nodes(tree)
    assert (nodes[0].name, nodes[0].size) == ("root", 45)
    assert sum(node.size for node in nodes if node.leaf) == 45
    assert len(nodes) > 1
    assert all(bool(node.split) != node.leaf for node in nodes)
    means = {node.key: node.mean for node in nodes}
    assert means["root/good"] > means["root/bad"]


def test_the_figure_has_every_node_below_its_parent() -> None:
    study = searched(LaNASSearcher(SPACE))
    nodes = tree_nodes(replayed_tree(study.journal.events, LaNASSearcher(SPACE)))
    (icicle,) = tree_figure(nodes)["data"]
    assert len(set(icicle["ids"])) == len(nodes)
    assert set(icicle["parents"]) - {""} <= set(icicle["ids"])


def test_no_tree_to_tell_and_another_searchs_journal() -> None:
    study = searched(RandomSearch(SPACE))
    assert replayed_tree(study.journal.events, RandomSearch(SPACE)) is None
    assert replayed_tree([], LaNASSearcher(SPACE)) is None
    with pytest.raises(JournalMismatch, match="algorithm"):
        replayed_tree(study.journal.events, LaNASSearcher(SPACE))
