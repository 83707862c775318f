from __future__ import annotations

import json
import time

import numpy as np
import pytest

from nni_strategies.lanas import LaNASConfig
from nni_strategies.lanas.tree import LatentActionTree, Node


def data(n: int = 300, d: int = 12, seed: int = 0):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 2, (n, d)).astype(np.float32)
    return x, 70 + x @ rng.normal(size=d) + 0.1 * rng.normal(size=n)


def inner(node: Node):
    if node.children:
        yield node
        for child in node.children:
            yield from inner(child)


@pytest.mark.parametrize("split", ["ridge", "kmeans_svm", "svm"])
@pytest.mark.parametrize("transform", ["rank", "minmax", "none"])
def test_children_partition_their_parent_by_prediction(split, transform):
    x, values = data()
    tree = LatentActionTree(x, values, LaNASConfig(split=split, value_transform=transform))
    nodes = list(inner(tree.root))
    assert len(nodes) > 3
    assert tree.root.members == list(range(300))
    for node in nodes:
        good, bad = node.children
        assert not set(good.members) & set(bad.members)
        assert sorted(good.members + bad.members) == sorted(node.members)
        assert node.split.margin(x[good.members]).mean() > node.split.margin(x[bad.members]).mean()
        assert good.mean > bad.mean
        assert len(node.members) >= 20
        assert min(len(good.members), len(bad.members)) >= 2
        assert node.mean == pytest.approx(tree.transform(values[node.members]).mean())


@pytest.mark.parametrize("split", ["ridge", "kmeans_svm"])
def test_equal_points_are_routed_alike_as_results_and_as_candidates(split):
    x, values = data()
    tree = LatentActionTree(x, values, LaNASConfig(split=split))
    for i in range(0, 300, 7):
        assert all(i in node.members for node in tree.route(x[i]))
        assert not tree.route(x[i])[-1].children


def test_regions_are_the_conjunction_of_all_boundaries_of_the_path():
    x, values = data()
    tree = LatentActionTree(x, values, LaNASConfig())
    deepest = max(leaves(tree.root), key=lambda node: len(node.path))
    assert len(deepest.path) == 4
    inside = np.ones(300, dtype=bool)
    for split, good in deepest.path:
        inside &= (split.margin(x) >= 0) == good
    assert np.flatnonzero(inside).tolist() == sorted(deepest.members)


def leaves(node: Node):
    return [leaf for child in node.children for leaf in leaves(child)] or [node]


def test_the_height_and_the_sizes_bound_the_tree():
    x, values = data()
    assert LatentActionTree(x, values, LaNASConfig(height=1)).root.children == ()
    tree = LatentActionTree(x, values, LaNASConfig(height=3))
    assert max(len(node.path) for node in leaves(tree.root)) == 2
    assert LatentActionTree(x[:19], values[:19], LaNASConfig()).root.children == ()
    uneven = LatentActionTree(x, values, LaNASConfig(min_split=2, min_leaf=100))
    assert all(len(leaf.members) >= 100 for leaf in leaves(uneven.root))


def test_routing_by_value_sends_results_outside_their_region():
    """The official code does; its nodes' means then describe other points than their regions."""
    x, values = data()
    values = values + np.random.default_rng(1).normal(0, 3, 300)  # no boundary can follow the noise
    by_value = LatentActionTree(x, values, LaNASConfig(training_route="actual"))
    good, bad = by_value.root.children
    assert tree_values(by_value, values, good).min() >= tree_values(by_value, values, bad).max()
    assert any(by_value.route(x[i])[1] is not good for i in good.members)
    by_prediction = LatentActionTree(x, values, LaNASConfig())
    assert all(by_prediction.route(x[i])[1] is by_prediction.root.good for i in by_prediction.root.good.members)


def tree_values(tree, values, node):
    return tree.transform(values[node.members])


def test_a_split_that_orders_its_own_halves_wrongly_is_none():
    """One outlier turns the means of the halves round: the official code stops with an assertion there."""
    for seed in range(200):
        rng = np.random.default_rng(seed)
        x = rng.integers(0, 2, (20, 3)).astype(np.float32)
        values = rng.standard_cauchy(20) ** 3
        tree = LatentActionTree(x, values, LaNASConfig(value_transform="none"))
        for node in inner(tree.root):
            assert node.good.mean >= node.bad.mean


def test_results_after_a_learning_update_their_path():
    x, values = data()
    tree = LatentActionTree(x[:250], values[:250], LaNASConfig())
    before = {id(node): (node.visits, node.total) for node in tree.route(x[250])}
    for i in range(250, 300):
        tree.add(x[i], values[i])
    assert tree.root.visits == tree.n_results == 300
    assert sum(leaf.visits for leaf in leaves(tree.root)) == 300
    assert all(node.visits > before[id(node)][0] for node in tree.route(x[250]))
    quantile = (values[:250] < values[250]).mean()
    single = LatentActionTree(x[:250], values[:250], LaNASConfig())
    single.add(x[250], values[250])
    assert single.root.total - sum((np.arange(250) + 0.5) / 250) == pytest.approx(quantile)


@pytest.mark.parametrize("split", ["ridge", "kmeans_svm", "svm"])
@pytest.mark.parametrize("n", [0, 1, 2, 30])
def test_degenerate_data_make_a_leaf(split, n):
    config = LaNASConfig(split=split, min_split=2, min_leaf=1)
    equal_values = LatentActionTree(data(30)[0][:n], np.full(n, 5.0), config)
    equal_points = LatentActionTree(np.ones((n, 4), dtype=np.float32), np.arange(float(n)), config)
    for tree in (equal_values, equal_points):
        assert tree.root.children == ()
        assert tree.select(np.random.default_rng(0)) is tree.root


def test_the_description_is_json_with_the_splits_named():
    x, values = data()
    tree = LatentActionTree(x, values, LaNASConfig())
    told = json.loads(json.dumps(tree.describe([f"feature {i}" for i in range(12)])))
    assert told["size"] == told["visits"] == 300
    assert sum(child["size"] for child in told["children"]) == 300
    assert told["children"][0]["mean"] > told["children"][1]["mean"]
    weights = [abs(each["weight"]) for each in told["split"]]
    assert len(weights) == 5
    assert weights == sorted(weights, reverse=True)
    assert told["split"][0]["feature"].startswith("feature ")


def test_a_large_tree_is_learned_quickly():

    x, values = data(10_000, 160)
    start = time.process_time()
    LatentActionTree(x, values, LaNASConfig())
    assert time.process_time() - start < 3.0  # about 0.15 s on an idle core
