"""What the official code does wrong and this one must not; the other defects are tested where the part is.

Step size that under-fits, clusters in mixed units, a single cluster: test_splits. Any instead of all constraints,
regions that are not the partition, routing by value, inverted halves: test_tree and test_region. Resume that has no
effect: test_conformance.
"""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import numpy as np

import nni_strategies.lanas
from nni_strategies.lanas import LaNASConfig, LaNASSearcher
from nni_strategies.search.searcher import Trial
from nni_strategies.space.parameters import Categorical
from nni_strategies.space.search_space import SearchSpace

CELL = SearchSpace(tuple(Categorical(f"edge_{i}", tuple("abcde")) for i in range(6)))


def searched(n: int = 200, **config) -> LaNASSearcher:
    searcher = LaNASSearcher(CELL, LaNASConfig(preset="paper", **config))
    for k, configuration in enumerate(CELL.decode(CELL.sample_codes(np.random.default_rng(0), n))):
        codes = CELL.encode([configuration])[0]
        searcher.finished(Trial(k, configuration, float(codes @ np.arange(6.0))))
    return searcher


def test_the_chosen_leaf_is_the_one_that_is_searched():
    """Official, distributed: the choice is discarded and the first leaf is always taken."""
    searcher, rng = searched(cp=2.0), np.random.default_rng(0)
    found = {True: 0, False: 0}
    for k in range(60):
        configuration = searcher.propose(np.random.default_rng([0, k]))
        leaf = searcher.tree.select(np.random.default_rng([0, k]))
        reached = searcher.tree.route(searcher.features.transform(CELL.encode([configuration]))[0])[-1]
        found[reached is leaf] += 1
        searcher.proposed(Trial(1000 + k, configuration))
        searcher.finished(Trial(1000 + k, configuration, float(rng.random())))
    # The tree that was selected from is the one before the proposal, and select is deterministic but for ties.
    assert found == {True: 60, False: 0}
    leaves = Counter(id(searcher.tree.select(np.random.default_rng(k))) for k in range(3))
    assert len(leaves) == 1


def test_exploration_reaches_other_leaves_than_the_first():
    searcher = searched(cp=2.0)
    chosen = set()
    for k in range(40):
        configuration = searcher.propose(np.random.default_rng([0, k]))
        chosen.add(searcher.tree.select(np.random.default_rng([0, k])).leaves)
        searcher.proposed(Trial(1000 + k, configuration))
        searcher.finished(Trial(1000 + k, configuration, 0.0))
    assert len(chosen) > 3


def test_two_searches_share_nothing():
    """Official: node numbers are counted in the class."""
    alone = searched()
    first, _, second = searched(), searched(50), searched()
    proposals = [s.propose(np.random.default_rng(5)) for s in (alone, first, second)]
    assert proposals[0] == proposals[1] == proposals[2]
    assert first.describe_tree() == second.describe_tree()


def test_nothing_prints_exits_pickles_or_seeds_globally():
    for path in Path(nni_strategies.lanas.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text())
        called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        assert not called & {"print", "exit", "os._exit", "sys.exit", "np.random.seed", "random.seed"}, path.name
        assert not any(name.startswith("pickle.") for name in called), path.name
