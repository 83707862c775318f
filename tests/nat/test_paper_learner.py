"""The paper's learner: its budget, its rewards, its outputs, and what it reaches on NAS-Bench-201."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.cost_table import CostTable
from nni_strategies.nat.edge_views import edge_view
from nni_strategies.nat.edges import Architectures
from nni_strategies.nat.operation_classes import classes_by_name
from nni_strategies.nat.paper_learner import Evaluations, PaperConfig, PaperLearner, Transformed
from nni_strategies.nat.transitions import Transitions
from nni_strategies.space.parameters import Categorical
from nni_strategies.space.search_space import SearchSpace
from search_spaces.nasbench201 import LABELS, OPERATIONS, load_table
from tests.nat.edge_spaces import NASBENCH201_COSTS, nasbench201, transitions, two_input_cells

MOVES = transitions(nasbench201(), NASBENCH201_COSTS, "nat")
WORTH = np.random.default_rng(3).normal(size=(6, 5))


class Counted:
    """Worth the sum over edges of what their operations are worth; counts what it is asked."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def __call__(self, architectures: Architectures) -> np.ndarray:
        self.seen += architectures.keys()
        return WORTH[np.arange(6), architectures.operations].sum(1)


@pytest.mark.parametrize("queries", [1, 37, 200])
def test_exactly_the_budget_is_evaluated_and_nothing_twice(queries):
    scorer = Counted()
    learner = PaperLearner(MOVES, scorer, PaperConfig(policy="random"))
    learner.learn(queries)
    assert len(scorer.seen) == len(set(scorer.seen)) == len(learner.evaluations) == queries


def test_more_queries_go_on():
    scorer = Counted()
    learner = PaperLearner(MOVES, scorer, PaperConfig(policy="table"))
    learner.learn(40)
    learner.learn(90)
    assert len(set(scorer.seen)) == len(learner.evaluations) == 90


def test_a_space_smaller_than_the_budget_ends():
    view = two_input_cells(("conv_1x1", "none"), n_nodes=1, cells=("cell",))
    learner = PaperLearner(transitions(view, {"conv_1x1": (5, 5)}), lambda a: a.operations.sum(1))
    learner.learn(100)
    assert 4 <= len(learner.evaluations) <= 16


def test_siblings_are_compared_without_their_parent():
    scorer = Counted()
    learner = PaperLearner(MOVES, scorer, PaperConfig(parents=1, children=3, seed=1))
    progress = learner.step()
    assert len(scorer.seen) <= 3
    assert learner.gradient.baseline is None
    assert progress is not None
    values = learner.evaluations.values
    parents = MOVES.inputs(np.random.default_rng(1), 1)
    drawn = PaperLearner(MOVES, scorer, PaperConfig(seed=1)).gradient.sample(parents, MOVES.allowed(parents), 3)[0]
    children = parents[[0, 0, 0]].replaced(MOVES.repaired(parents[[0, 0, 0]], drawn))
    assert progress.reward == pytest.approx(values(children).mean())


def test_the_reward_of_an_only_child_is_what_it_gains():
    scorer = Counted()
    learner = PaperLearner(MOVES, scorer, PaperConfig(policy="random", parents=1, children=1, seed=4))
    progress = learner.step()
    parent = MOVES.inputs(np.random.default_rng(4), 1)
    child = next(key for key in scorer.seen if key != parent.keys()[0])
    operations = np.frombuffer(child, dtype=np.int16)[:6].astype(np.int64)
    gain = WORTH[np.arange(6), operations].sum() - WORTH[np.arange(6), parent.operations[0]].sum()
    assert progress is not None
    assert progress.reward == pytest.approx(gain)
    assert learner.gradient.baseline == pytest.approx(gain)


@pytest.mark.parametrize(
    ("policy", "rate", "share"), [("line_graph", 0.003, 0.4), ("lstm", 0.01, 0.9), ("table", 0.004, 0.9)]
)
def test_it_learns_what_edges_are_worth(policy, rate, share):
    """The line graph gains less: it averages over neighbours, which are worth different things here."""
    inputs = MOVES.inputs(np.random.default_rng(0), 200)
    gains = []
    for name in (policy, "random"):
        learner = PaperLearner(MOVES, Counted(), PaperConfig(policy=name, learning_rate=rate))
        for _ in range(60):
            learner.step()
        result = learner.derive(inputs, samples=1)
        gains.append((result.best_values - result.inputs).mean())
    best = np.where(MOVES.allowed(inputs), WORTH, -np.inf).max(2).sum(1) - result.inputs
    assert gains[0] > share * best.mean()
    assert gains[1] < 0.2 * best.mean()


def test_outputs_are_valid_and_never_worse():
    inputs = MOVES.inputs(np.random.default_rng(0), 100)
    learner = PaperLearner(MOVES, Counted(), PaperConfig(policy="random"))
    result = learner.derive(inputs, samples=3)
    assert MOVES.valid(inputs, result.outputs).all()
    np.testing.assert_allclose(Counted()(result.outputs), result.values)
    np.testing.assert_allclose(Counted()(result.best), result.best_values)
    np.testing.assert_allclose(Counted()(inputs), result.inputs)
    assert (result.values >= result.inputs).all()
    worse = result.best_values < result.inputs
    assert worse.any()
    np.testing.assert_array_equal(result.outputs.operations[worse], inputs.operations[worse])
    np.testing.assert_array_equal(result.outputs.operations[~worse], result.best.operations[~worse])
    costs = MOVES.costs.total(result.outputs), MOVES.costs.total(inputs)
    assert (costs[0] <= costs[1]).all()


def test_the_best_of_many_is_the_best_of_all_children():
    inputs = MOVES.inputs(np.random.default_rng(7), 5)
    result = PaperLearner(MOVES, Counted(), PaperConfig(policy="random")).derive(inputs, samples=20_000)
    for row in range(5):
        reachable = MOVES.reachable(inputs[[row]])
        assert result.best_values[row] == pytest.approx(WORTH[np.arange(6), reachable].sum(1).max())


def test_a_seed_makes_everything_and_a_saved_state_goes_on_alike():
    inputs = MOVES.inputs(np.random.default_rng(0), 20)

    def outputs(learner: PaperLearner) -> np.ndarray:
        learner.learn(len(learner.evaluations) + 60)
        return learner.derive(inputs, samples=2).best.operations

    first, again, other = (PaperLearner(MOVES, Counted(), PaperConfig(seed=seed)) for seed in (1, 1, 2))
    for learner in (first, again, other):
        learner.learn(60)
    state = first.state_dict()
    expected = outputs(first)
    np.testing.assert_array_equal(expected, outputs(again))
    assert (expected != outputs(other)).any()
    resumed = PaperLearner(MOVES, Counted(), PaperConfig(seed=9))
    resumed.load_state_dict(state)
    known = PaperLearner(MOVES, Counted(), PaperConfig(seed=1))
    known.learn(60)
    resumed.evaluations = known.evaluations
    np.testing.assert_array_equal(expected, outputs(resumed))


def test_values_are_told_apart_by_what_no_edge_decides():
    parameters = (Categorical("width", (8, 16)), *(Categorical(label, OPERATIONS) for label in LABELS))
    view = edge_view(SearchSpace(parameters))
    evaluations = Evaluations(view, lambda a: [rest["width"] for rest in a.rest])
    cell = dict.fromkeys(LABELS, "skip_connect")
    batch = view.encode([{**cell, "width": width} for width in (8, 16, 8)])
    assert evaluations.values(batch).tolist() == [8, 16, 8]
    assert len(evaluations) == 2


def test_values_beyond_the_limit_are_unknown():
    evaluations = Evaluations(MOVES.view, Counted())
    batch = MOVES.inputs(np.random.default_rng(0), 5)
    repeated = batch[[0, 0, 1, 2, 0, 3]]
    assert np.isnan(evaluations.values(repeated, limit=2)).tolist() == [False, False, False, True, False, True]
    assert np.isnan(evaluations.values(repeated, limit=2)).tolist() == [False, False, False, True, False, True]
    assert not np.isnan(evaluations.values(repeated)).any()


@pytest.mark.parametrize("answer", [np.nan, np.inf])
def test_a_scorer_that_returns_no_number_is_refused(answer):
    learner = PaperLearner(MOVES, lambda a: np.full(len(a), answer))
    with pytest.raises(InvalidArgument, match="scorer"):
        learner.learn(10)


def test_a_scorer_that_returns_too_few_is_refused():
    with pytest.raises(InvalidArgument, match="scorer"):
        PaperLearner(MOVES, lambda a: [0.5]).learn(10)


@pytest.mark.parametrize("field", ["hidden", "parents", "children"])
def test_settings_below_1_are_refused(field):
    with pytest.raises(InvalidArgument, match=field):
        PaperConfig(**{field: 0})


def test_an_unknown_policy_is_refused_with_the_nearest():
    with pytest.raises(InvalidArgument, match="did you mean 'official'"):
        PaperConfig(policy="offical")


def test_a_dead_input_and_no_samples_are_refused():
    learner = PaperLearner(MOVES, Counted())
    dead = MOVES.view.encode([dict.fromkeys(LABELS, "none")])
    with pytest.raises(InvalidArgument, match="dead"):
        learner.derive(dead)
    with pytest.raises(InvalidArgument, match="samples"):
        learner.derive(MOVES.inputs(np.random.default_rng(0), 1), samples=0)


@functools.cache
def benchmark() -> tuple[np.ndarray, np.ndarray]:
    """Validation and test accuracies of CIFAR-10, in per cent, in the order of the space's enumeration."""
    return load_table("cifar10", "valid").accuracies, load_table("cifar10", "test").accuracies


def places(moves: Transitions, architectures: Architectures) -> np.ndarray:
    """Return where architectures are in the order of the space's enumeration."""
    codes = np.array([OPERATIONS.index(name) for name in moves.view.operations])[architectures.operations]
    edges = [edge.label for edge in moves.view.edges]
    return np.asarray(codes[:, [edges.index(label) for label in LABELS]] @ 5 ** np.arange(5, -1, -1))


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("rule", ["nat", "cost"])
def test_a_thousand_queries_of_nasbench201(rule):
    """One seed, 400 inputs that are alive: by test accuracy near the best there is, and far above random."""
    view = nasbench201()
    moves = Transitions(view, classes_by_name(view), CostTable.by_operation(view, NASBENCH201_COSTS), rule)
    valid, test = benchmark()
    inputs = moves.inputs(np.random.default_rng(0), 400)
    before = test[places(moves, inputs)]

    def transformed(policy: str) -> Transformed:
        learner = PaperLearner(moves, lambda a: valid[places(moves, a)] / 100, PaperConfig(policy=policy, seed=0))
        learner.learn(1000)
        assert len(learner.evaluations) <= 1000
        return learner.derive(inputs, samples=10)

    def gain(outputs: Architectures) -> float:
        return float((test[places(moves, outputs)] - before).mean())

    possible = []
    for row in range(len(inputs)):
        children = moves.reachable(inputs[[row]])
        at = places(moves, inputs[np.full(len(children), row)].replaced(children))
        possible.append(test[at[valid[at].argmax()]])
    oracle = np.mean(possible) - before.mean()
    random = gain(transformed("random").outputs)
    for policy in ("line_graph", "lstm"):
        result = transformed(policy)
        assert gain(result.outputs) > 0.9 * oracle, policy
        assert gain(result.outputs) > random + 0.4, policy
        assert (result.values >= result.inputs).all()
        assert (moves.costs.total(result.outputs) <= moves.costs.total(inputs)).all()
    assert gain(transformed("official").outputs) < gain(transformed("line_graph").outputs) - 0.4
