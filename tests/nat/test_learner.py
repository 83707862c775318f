"""The default learner: a state machine whose state the order of results makes, and what it makes of inputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nni_strategies.errors import InvalidArgument, SpaceExhausted
from nni_strategies.nat.derive import Derivation, Derived
from nni_strategies.nat.edges import Architectures
from nni_strategies.nat.evaluated import identities
from nni_strategies.nat.learner import Learner
from nni_strategies.nat.learner_config import LearnerConfig
from nni_strategies.nat.queries import Query
from nni_strategies.nat.transitions import Transitions
from search_spaces.nasbench201 import load_table
from tests.nat.edge_spaces import NASBENCH201_COSTS, nasbench201, transitions, two_input_cells

MOVES = transitions(nasbench201(), NASBENCH201_COSTS)
DARTS = transitions(
    two_input_cells(("none", "skip_connect", "sep_conv_3x3", "max_pool_3x3")), {"sep_conv_3x3": (10, 1)}
)
SMALL = LearnerConfig(
    queries=30, n_start=8, round_size=7, policy_steps=2, final_steps=2, hidden=8, query_samples=8, derive_samples=20
)


def worth(architectures: Architectures) -> np.ndarray:
    """A value: skips and what is cheap are worth the most, but not many of a kind; in [0, 1]."""
    shares = np.stack([(architectures.operations == operation).mean(1) for operation in range(5)], axis=1)
    return np.sqrt(shares) @ np.array([0.0, 0.5, 0.4, 0.3, 0.2])


def run(learner: Learner, n: int | None = None) -> list[Query]:
    """Answer `n` queries, or as many as it learns from."""
    answered = []
    while not learner.done and len(answered) != n:
        query = learner.ask()
        learner.tell(query.child, float(worth(query.child)[0]))
        answered.append(query)
    return answered


def name(query: Query) -> tuple[bytes, bytes]:
    return query.parent.keys()[0], query.child.keys()[0]


def derived(learner: Learner, inputs: Architectures, k: int) -> Derived:
    derivation = Derivation(learner, inputs, k)
    for wanted in derivation.rounds():
        learner.evaluated.add(wanted, worth(wanted))
    return derivation.result()


@pytest.mark.parametrize("moves", [MOVES, DARTS], ids=["nasbench201", "darts"])
def test_it_asks_for_valid_new_outputs_as_often_as_it_was_told(moves: Transitions):
    queries = run(Learner(moves, SMALL, seed=1))
    assert len({query.child.keys()[0] for query in queries}) == len(queries) == 30
    assert all(moves.valid(query.parent, query.child)[0] for query in queries)
    assert [query.worth is None for query in queries] == [True] * 8 + [False] * 22


def test_results_alone_bring_another_learner_to_the_same_state():
    first = Learner(MOVES, SMALL, seed=1)
    queries = run(first, 20)
    torch.rand(3)  # generators that are not its own
    np.random.seed(0)
    again = Learner(MOVES, SMALL, seed=1)
    for query in queries:
        again.tell(query.child, float(worth(query.child)[0]))
    assert name(again.propose()) == name(first.propose())
    assert again.outlook == first.outlook
    assert [name(query) for query in run(again)] == [name(query) for query in run(first)]
    for ours, theirs in zip(first.policy.parameters(), again.policy.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_seed_of_its_own_gives_other_queries():
    asked = [[name(query) for query in run(Learner(MOVES, SMALL, seed=seed), 9)] for seed in (1, 2)]
    assert not set(asked[0]) & set(asked[1])


def test_proposals_change_nothing_and_those_under_way_are_not_repeated():
    learner = Learner(MOVES, SMALL, seed=1)
    run(learner, 10)
    assert name(learner.propose()) == name(learner.propose())
    under_way = [learner.ask() for _ in range(12)]  # more than a round has
    assert len({query.child.keys()[0] for query in under_way}) == 12
    again = Learner(MOVES, SMALL, seed=1)
    run(again, 10)
    for query in under_way:
        again.proposed(query.child)
    assert name(again.propose()) == name(learner.propose())


def test_a_round_begins_when_its_results_are_in_whatever_was_asked():
    learner = Learner(MOVES, SMALL, seed=1)
    queries = [learner.ask() for _ in range(9)]
    for query in queries[:7]:
        learner.tell(query.child, float(worth(query.child)[0]))
    assert learner.propose().worth is None
    learner.failed(queries[7].child)
    assert learner.propose().worth is not None
    assert len(learner.evaluated) == 7
    assert len(learner.outlook) == 1


def test_results_in_another_order_are_another_state():
    orders = [list(range(8)), list(range(7, -1, -1))]
    blind = run(Learner(MOVES, SMALL, seed=1), 8)
    states = []
    for order in orders:
        learner = Learner(MOVES, SMALL, seed=1)
        for i in order:
            learner.tell(blind[i].child, float(worth(blind[i].child)[0]))
        states.append(learner.evaluated.values.tolist())
        assert learner.propose().worth is not None
    assert states[0] == states[1][::-1]


def test_when_everything_failed_it_still_asks_and_ends():
    learner = Learner(MOVES, SMALL, seed=1)
    while not learner.done:
        learner.failed(learner.ask().child)
    inputs = MOVES.inputs(np.random.default_rng(0), 3)
    result = Derivation(learner, inputs, 2).result()
    assert result.outputs.operations.tolist() == inputs.operations.tolist()
    assert np.isnan(result.values).all()


def test_results_after_the_last_query_are_known_but_not_learned_from():
    inputs = MOVES.inputs(np.random.default_rng(5), 20)
    learner, other = Learner(MOVES, SMALL, seed=1), Learner(MOVES, SMALL, seed=1)
    run(learner)
    run(other)
    other.tell(inputs[[0]], 9.0)
    learner.finish()
    other.finish()
    assert len(other.evaluated) == len(learner.evaluated) + 1
    assert other.critic.mean(inputs).tolist() == learner.critic.mean(inputs).tolist()


def test_queries_are_outputs_of_the_inputs_that_were_given():
    inputs = MOVES.inputs(np.random.default_rng(0), 2)
    learner = Learner(MOVES, SMALL, seed=1, inputs=inputs)
    assert {query.parent.keys()[0] for query in run(learner)} == set(inputs.keys())


def test_a_space_with_nothing_new_is_exhausted():
    dull = MOVES.view.encode([dict.fromkeys((edge.label for edge in MOVES.view.edges), "skip_connect")])
    learner = Learner(MOVES, LearnerConfig(queries=1000, n_start=900), seed=1, inputs=dull)
    outputs = MOVES.reachable(dull)
    with pytest.raises(SpaceExhausted):
        run(learner)
    assert len(learner.evaluated) == len(outputs)


@pytest.mark.parametrize("moves", [MOVES, DARTS], ids=["nasbench201", "darts"])
@pytest.mark.parametrize("k", [1, 5])
def test_an_output_is_valid_and_never_worse_than_its_input(moves: Transitions, k: int):
    learner, inputs = Learner(moves, SMALL, seed=1), moves.inputs(np.random.default_rng(0), 40)
    run(learner)
    derivation = Derivation(learner, inputs, k)
    rounds = []
    for wanted in derivation.rounds():
        assert len(set(identities(moves.view, wanted))) == len(wanted) <= 40
        assert not set(wanted.keys()) & set(learner.evaluated.architectures.keys())
        rounds.append(wanted)
        learner.evaluated.add(wanted, worth(wanted))
    assert 2 <= len(rounds) <= k + 1
    assert set(inputs.keys()) <= {*rounds[0].keys(), *learner.evaluated.architectures.keys()}
    result = derivation.result()
    assert moves.valid(inputs, result.outputs).all()
    assert (result.values >= worth(inputs)).all()
    assert (result.values > worth(inputs)).mean() > 0.5
    assert result.values == pytest.approx(worth(result.outputs))


def test_without_evaluations_the_critic_chooses():
    learner, inputs = Learner(MOVES, SMALL, seed=1), MOVES.inputs(np.random.default_rng(0), 60)
    run(learner)
    derivation = Derivation(learner, inputs, 0)
    assert list(derivation.rounds()) == []
    result = derivation.result()
    assert MOVES.valid(inputs, result.outputs).all()
    assert worth(result.outputs).mean() > worth(inputs).mean()
    measured = learner.evaluated.places(result.outputs) >= 0
    assert np.isnan(result.values[~measured]).all()
    assert (~measured).any()


def test_an_input_without_a_value_gets_the_best_of_what_has_one():
    learner, inputs = Learner(MOVES, SMALL, seed=1), MOVES.inputs(np.random.default_rng(0), 10)
    run(learner)
    derivation = Derivation(learner, inputs, 3)
    asked: list[bytes] = []
    for wanted in derivation.rounds():
        told = wanted[[i for i, key in enumerate(wanted.keys()) if key not in set(inputs.keys())]]
        learner.evaluated.add(told, worth(told))
        asked += wanted.keys()
    assert len(set(asked)) == len(asked)  # what failed is not asked for again
    result = derivation.result()
    assert np.isfinite(result.values).all()
    assert result.values == pytest.approx(worth(result.outputs))


@pytest.mark.parametrize("policy", ["lstm", "table", "random", "official"])
def test_any_policy_will_do(policy: str):
    learner = Learner(MOVES, LearnerConfig(**{**SMALL.to_json(), "policy": policy}), seed=1)
    run(learner)
    inputs = MOVES.inputs(np.random.default_rng(0), 5)
    assert (derived(learner, inputs, 1).values >= worth(inputs)).all()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("queries", 0),
        ("queries", 2.5),
        ("round_size", 0),
        ("policy", "line_grap"),
        ("entropy", float("nan")),
        ("imagined_outputs", 1),
    ],
)
def test_hyper_parameters_out_of_range_are_refused(field: str, value: object):
    with pytest.raises(InvalidArgument, match=field):
        LearnerConfig(**{field: value})  # type: ignore[arg-type]


def test_a_round_is_a_tenth_of_the_queries():
    assert [LearnerConfig(queries=n).results_a_round for n in (50, 100, 300, 1000)] == [10, 10, 30, 100]


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("rule", ["nat", "cost"])
def test_a_hundred_queries_on_nasbench201(rule: str):
    """At most 5 % of what an exhaustive search would gain is missed, one output of each input evaluated."""
    moves = transitions(nasbench201(), NASBENCH201_COSTS, rule)  # type: ignore[arg-type]
    accuracies = load_table().accuracies
    place = 5 ** np.arange(5, -1, -1)
    learner, inputs = Learner(moves, seed=7), moves.inputs(np.random.default_rng(7), 200)
    while not learner.done:
        query = learner.ask()
        learner.tell(query.child, float(accuracies[(query.child.operations @ place)[0]]))
    derivation = Derivation(learner, inputs, 1)
    for wanted in derivation.rounds():
        learner.evaluated.add(wanted, accuracies[wanted.operations @ place])
    before = accuracies[inputs.operations @ place]
    best = [accuracies[moves.reachable(inputs[[i]]) @ place].max() for i in range(200)]
    gained = derivation.result().values - before
    assert (gained >= 0).all()
    assert gained.mean() > 0.95 * (np.array(best) - before).mean()
