from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from nni_strategies.lanas import LaNASConfig
from nni_strategies.lanas.splits import LinearSplit
from nni_strategies.lanas.tree import LatentActionTree, Node
from nni_strategies.lanas.ucb import pick_best, ucb_scores


def leaf(visits: int, mean: float) -> Node:
    return Node((), list(range(visits)), visits * mean)


def by_hand(form: str, **options) -> LatentActionTree:
    """Root 10 -> good 4 (mean .7) -> good 3 (.8), bad 1 (.4); bad 6 (mean .3) -> good 0, bad 6."""
    tree = LatentActionTree(np.zeros((10, 3), dtype=np.float32), np.arange(10.0), LaNASConfig(ucb=form, **options))
    first, second = LinearSplit(np.array([1.0, 0, 0]), 0.5), LinearSplit(np.array([0, 1.0, 0]), 0.5)
    root, good, bad = leaf(10, 0.46), leaf(4, 0.7), leaf(6, 0.3)
    root.split, root.good, root.bad = first, good, bad
    good.split, good.good, good.bad = second, leaf(3, 0.8), leaf(1, 0.4)
    bad.split, bad.good, bad.bad = second, leaf(0, 0.0), leaf(6, 0.3)
    tree.root = root
    return tree


@pytest.mark.parametrize("form", ["log", "sqrt"])
def test_three_levels_match_hand_computation(form):
    tree = by_hand(form, cp=0.25)
    growth = {"log": math.log, "sqrt": math.sqrt}[form]
    root = [0.7 + 0.5 * math.sqrt(2 * growth(10) / 4), 0.3 + 0.5 * math.sqrt(2 * growth(10) / 6)]
    below = [0.8 + 0.5 * math.sqrt(2 * growth(4) / 3), 0.4 + 0.5 * math.sqrt(2 * growth(4) / 1)]
    assert tree.scores(tree.root) == pytest.approx(root, abs=1e-12)
    assert tree.scores(tree.root.good) == pytest.approx(below, abs=1e-12)
    assert tree.scores(tree.root.bad)[0] == math.inf
    assert tree.select(np.random.default_rng(0)) is tree.root.good.children[int(np.argmax(below))]


def test_a_child_that_was_never_visited_is_chosen():
    assert ucb_scores([0.9, 0.0], [5, 0], 5, 0.1)[1] == math.inf
    assert pick_best(ucb_scores([0.9, 0.0], [5, 0], 5, 0.1), np.random.default_rng(0)) == 1


def test_zero_exploration_is_greedy_and_much_is_even():
    assert ucb_scores([0.2, 0.9], [1, 99], 100, 0.0).argmax() == 1
    assert ucb_scores([0.2, 0.9], [1, 99], 100, 10.0).argmax() == 0


def test_ties_are_broken_at_random():
    rng = np.random.default_rng(0)
    counts = Counter(pick_best(np.array([1.0, 1.0, 0.5]), rng) for _ in range(400))
    assert set(counts) == {0, 1}
    assert 150 < counts[0] < 250


def test_the_square_root_explores_more_at_large_counts():
    log, root = (ucb_scores([0.5], [10], 10_000, 0.1, form)[0] for form in ("log", "sqrt"))
    assert root - 0.5 == pytest.approx((log - 0.5) * math.sqrt(100 / math.log(10_000)), rel=1e-12)


X_GOOD = np.array([[1.0, 1.0, 0.0]], dtype=np.float32)


def test_pending_trials_count_as_visits_and_leave_the_mean():
    tree = by_hand("log", cp=0.25)
    tree.set_pending(np.repeat(X_GOOD, 5, axis=0))
    expected = [0.7 + 0.5 * math.sqrt(2 * math.log(15) / 9), 0.3 + 0.5 * math.sqrt(2 * math.log(15) / 6)]
    assert tree.scores(tree.root) == pytest.approx(expected, abs=1e-12)
    assert [node.pending for node in (tree.root, tree.root.good, tree.root.bad)] == [5, 5, 0]
    tree.set_pending(X_GOOD[:0])
    assert [node.pending for node in (tree.root, tree.root.good, tree.root.bad)] == [0, 0, 0]


def test_lies_enter_the_mean():
    liar, loser = by_hand("log", cp=0.0, pending="constant_liar"), by_hand("log", cp=0.0, pending="virtual_loss")
    for tree in (liar, loser):
        tree.set_pending(np.repeat(X_GOOD, 4, axis=0))
    # Their leaf has mean 0.8: 4 * 0.7 + 4 * 0.8 over 8 visits.
    assert liar.scores(liar.root)[0] == pytest.approx(0.75, abs=1e-12)
    worst = loser.transform.lowest
    assert loser.scores(loser.root)[0] == pytest.approx((4 * 0.7 + 4 * worst) / 8, abs=1e-12)


def test_pending_trials_spread_over_the_tree():
    tree = by_hand("log", cp=0.5)
    rng, chosen = np.random.default_rng(0), Counter()
    pending: list[list[float]] = []
    for _ in range(40):
        tree.set_pending(np.array(pending, dtype=np.float32).reshape(-1, 3))
        node = tree.select(rng)
        good = node in tree.root.good.children
        chosen[good] += 1
        second = node in (tree.root.good.good, tree.root.bad.good)
        pending.append([float(good), float(second), 0.0])
    assert min(chosen[True], chosen[False]) > 0
