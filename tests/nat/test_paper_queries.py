"""The paper's learner, interruptible: it learns what the loop of :mod:`paper_learner` learns, from the same results."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
import torch

from nni_strategies.errors import SpaceExhausted
from nni_strategies.nat.edges import Architectures
from nni_strategies.nat.gradient import PolicyGradient
from nni_strategies.nat.moves_of_space import moves_of_space
from nni_strategies.nat.paper_queries import PaperQueries
from nni_strategies.nat.policy.make import make_policy
from nni_strategies.nat.sampling import drawn_operations, revived, sampled_outputs, torch_generator
from nni_strategies.space.parameters import Categorical
from nni_strategies.space.search_space import SearchSpace
from tests.nat.edge_spaces import NASBENCH201_COSTS, nasbench201, transitions
from tests.nat.searcher_spaces import COSTS, config

MOVES = transitions(nasbench201(), NASBENCH201_COSTS)
VIEW = MOVES.view


def worth(architecture: Architectures) -> float:
    """How many edges are skips, of a batch in all."""
    return float((architecture.operations == VIEW.operations.index("skip_connect")).sum())


def learner(**fields: object) -> PaperQueries:
    return PaperQueries(MOVES, config(learner="paper", policy="table", **fields), seed=5)


def answered(queries: PaperQueries, value: Callable[[Architectures], float | None] = worth) -> list[Architectures]:
    """Answer all queries at once; None is a failure."""
    asked = []
    while not queries.done:
        child = queries.propose().child
        queries.proposed(child)
        reached = value(child)
        if reached is None:
            queries.failed(child)
        else:
            queries.tell(child, reached)
        asked.append(child)
    return asked


def weights(queries: PaperQueries) -> Mapping[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in queries.policy.state_dict().items()}


def test_a_step_is_one_of_the_policy_gradient_on_measured_rewards() -> None:
    queries = learner(parents=3, children=2, queries=40)
    by_hand = make_policy("table", VIEW, 5, 8)
    gradient = PolicyGradient(by_hand, learning_rate=2e-3, entropy=0.01)
    known: set[bytes] = set()
    for step in range(3):
        rng = np.random.default_rng([5, 3, step])
        parents = MOVES.inputs(rng, 3)
        allowed = MOVES.allowed(parents)
        drawn = drawn_operations(by_hand, parents, allowed, 2, torch_generator(rng))
        children = revived(MOVES, parents, drawn)
        for row, key in enumerate(children.keys()):
            if key not in known:
                known.add(key)
                query = queries.propose()
                assert (query.child.keys(), query.parent.keys()) == ([key], parents[[row // 2]].keys())
                queries.proposed(query.child)
                queries.tell(query.child, worth(query.child))
        rewards = np.array([worth(children[[row]]) for row in range(6)]).reshape(3, 2)
        gradient.step(parents, allowed, drawn, rewards)
        for name, tensor in by_hand.state_dict().items():
            assert torch.equal(tensor, queries.policy.state_dict()[name])


def test_it_learns_what_pays() -> None:
    queries = learner(queries=150)
    parents = MOVES.inputs(np.random.default_rng(1), 20)

    def skips() -> float:
        drawn = sampled_outputs(queries.policy, MOVES, parents, 20, torch.Generator().manual_seed(0))
        return worth(drawn) / len(drawn)

    before = skips()
    asked = answered(queries)
    assert len(asked) == 150 == len({child.keys()[0] for child in asked})
    assert skips() > before + 0.5


def test_with_one_child_each_its_parent_is_a_query_too() -> None:
    queries = learner(parents=2, children=1, queries=4)
    pairs = []
    for _ in range(4):
        query = queries.propose()
        queries.proposed(query.child)
        pairs.append(query)
    alike = [query.parent.keys() == query.child.keys() for query in pairs]
    assert alike == [True, False, True, False]
    assert pairs[0].child.keys() == pairs[1].parent.keys()


def test_nothing_is_learned_from_a_pair_whose_parent_failed() -> None:
    queries = learner(parents=1, children=1, queries=2)
    before = weights(queries)
    answered(queries, lambda child: None if not queries.evaluated.values.size else 1.0)
    assert all(torch.equal(tensor, before[name]) for name, tensor in queries.policy.state_dict().items())


def test_a_failed_child_is_left_out_and_the_others_are_learned_from() -> None:
    def with_failures(fail: bool) -> Mapping[str, torch.Tensor]:
        queries = learner(parents=1, children=4, queries=4)
        numbers = iter(range(100))
        answered(queries, lambda child: None if fail and next(numbers) == 0 else worth(child))
        return weights(queries)

    plain, failed, before = with_failures(False), with_failures(True), weights(learner(parents=1, queries=4))
    assert any(not torch.equal(failed[name], before[name]) for name in before)
    assert any(not torch.equal(failed[name], plain[name]) for name in before)


def test_what_all_is_under_way_does_not_stop_it() -> None:
    queries = learner(parents=2, children=2, queries=30)
    before = weights(queries)
    children = []
    for _ in range(12):  # three steps, none of which has a result
        children.append(queries.propose().child)
        queries.proposed(children[-1])
    assert all(torch.equal(tensor, before[name]) for name, tensor in queries.policy.state_dict().items())
    for child in reversed(children):
        queries.tell(child, worth(child))
    assert any(not torch.equal(tensor, before[name]) for name, tensor in queries.policy.state_dict().items())


def test_a_small_space_is_exhausted_and_not_looped_over() -> None:
    space = SearchSpace((Categorical("cell/edge_0_1", ("skip_connect", "nor_conv_1x1", "nor_conv_3x3")),))
    queries = PaperQueries(moves_of_space(space, costs=COSTS).transitions, config(learner="paper", queries=50), seed=0)
    with pytest.raises(SpaceExhausted):
        answered(queries, lambda _: 0.5)
    assert len(queries.evaluated) == 3
