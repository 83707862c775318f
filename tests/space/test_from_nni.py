"""Model spaces as search spaces; NNI's own ``contains`` and ``check_contains`` are the oracle throughout."""

from __future__ import annotations

import itertools
import logging

import nni
import numpy as np
import pytest
import scipy.stats
from nni.mutable import (
    Categorical,
    CategoricalMultiple,
    Constraint,
    ConstraintViolation,
    ExpressionConstraint,
    MutableAnnotation,
    MutableList,
    MutableSymbol,
    Numerical,
)

from nni_strategies.errors import InvalidSearchSpace
from nni_strategies.space.from_nni import ModelSpaceView, space_from_model_space
from nni_strategies.space.parameters import INACTIVE
from nni_strategies.space.search_space import SearchSpace
from tests.hub_spaces import HUB, build


@pytest.fixture(params=HUB, scope="module")
def hub_space(request):
    return build(request.param)


# -- the hub -------------------------------------------------------------------------------------------


def test_hub_spaces_sample_what_the_model_space_contains(hub_space):
    model_space, view = hub_space
    configurations = view.space.decode(view.space.sample_codes(np.random.default_rng(1), 300))
    assert len(configurations) == 300
    assert all(map(view.space.contains, configurations))
    for configuration in configurations[:20]:
        assert model_space.contains(view.sample(configuration))


def test_hub_spaces_encode_without_loss(hub_space):
    _, view = hub_space
    codes = view.space.sample_codes(np.random.default_rng(2), 100)
    assert np.array_equal(view.space.encode(view.space.decode(codes)), codes)


def test_hub_spaces_mutate_to_what_the_model_space_contains(hub_space):
    model_space, view = hub_space
    rng = np.random.default_rng(3)
    parents = view.space.sample_codes(rng, 40)
    children = view.space.mutate_codes(parents, rng, n_changes=2)
    assert len(children) >= 10
    for configuration in view.space.decode(children)[:20]:
        view.space.validate(configuration)
        assert model_space.contains(view.sample(configuration))


def test_hub_samples_come_back_as_configurations(hub_space):
    model_space, view = hub_space
    for configuration in view.space.decode(view.space.sample_codes(np.random.default_rng(4), 10)):
        sample = view.sample(configuration)
        model_space.contains(sample)  # NNI adds labels of its own
        assert view.configuration(sample) == configuration


def test_hub_neighbours_differ_in_one_choice(hub_space):
    model_space, view = hub_space
    start = view.space.sample(np.random.default_rng(5))
    for near in itertools.islice(view.space.neighbours(start), 15):
        assert near != start
        assert model_space.contains(view.sample(near))


def test_hub_hash_is_that_of_the_space_not_of_the_object(hub_space):
    model_space, view = hub_space
    assert space_from_model_space(model_space).hash == view.space.hash


@pytest.mark.parametrize("name", ["NasBench101", "NasBench201"])
def test_a_frozen_model_runs(name):
    import torch

    model_space, view = build(name)
    configuration = view.space.sample(np.random.default_rng(0))
    model = model_space.freeze(ModelSpaceView(model_space).sample(configuration))
    assert model(torch.zeros(2, 3, 8, 8)).shape[0] == 2


def test_nasbench201_is_the_whole_table():
    assert len({SearchSpace.key(c) for c in build("NasBench201")[1].space.enumerate()}) == 15625


# -- NAS-Bench-101 -------------------------------------------------------------------------------------


def test_nasbench101_validity_is_that_of_nni():
    model_space, view = build("NasBench101")
    space, rng = view.space, np.random.default_rng(0)
    codes = space.repair(np.hstack([p.sample_codes(rng, 1000) for p in space.parameters]), rng)
    ours = space.valid(codes)
    configurations = space.decode(codes)
    theirs = [model_space.contains(view.sample(configuration)) for configuration in configurations]
    assert ours.tolist() == theirs
    assert [space.contains(configuration) for configuration in configurations] == theirs
    assert 0.1 < ours.mean() < 0.9


def test_nasbench101_switches_off_the_nodes_it_does_not_use():
    model_space, view = build("NasBench101")
    small = {"cell/num_nodes": 3, "cell/op1": "maxpool3x3", "cell/input1": [0], "cell/input2": [1]}
    view.space.validate(small)
    assert model_space.contains(view.sample(small))
    code = view.space.encode([small])[0]
    assert (code[view.space.columns["cell/op2"]] == INACTIVE).all()
    assert (code[view.space.columns["cell/input6"]] == INACTIVE).all()
    assert not view.space.contains({**small, "cell/op2": "maxpool3x3"})


def test_nasbench101_sizes_follow_nnis_weights():
    space = build("NasBench101")[1].space
    drawn = space["cell/num_nodes"].sample_codes(np.random.default_rng(0), 20_000)[:, 0]
    shares = np.bincount(drawn.astype(int), minlength=6) / 20_000
    assert shares == pytest.approx(2.0 ** np.arange(2, 8) / 252, abs=0.012)


def test_nasbench101_sampling_leaves_the_callers_sample_alone_and_logs_nothing(caplog):
    model_space, view = build("NasBench101")
    configuration = view.space.sample(np.random.default_rng(0))
    before = dict(configuration)
    with caplog.at_level(logging.INFO):
        model_space.freeze(view.sample(configuration))
    assert configuration == before
    assert "Prun" not in caplog.text


# -- single dimensions ---------------------------------------------------------------------------------


def test_subset_of_free_and_of_fixed_count():
    free = CategoricalMultiple([1, 2, 3], label="free")
    fixed = CategoricalMultiple(["a", "b", "c", "d"], n_chosen=2, label="fixed")
    view = ModelSpaceView(MutableList([free, fixed]))
    assert view.space.size == 8 * 6
    for configuration in view.space.enumerate():
        assert MutableList([free, fixed]).contains(view.sample(configuration))


def test_weights_of_a_subset_are_those_nni_draws_with():
    leaf = CategoricalMultiple([0, 1, 2, 3], n_chosen=2, weights=[0.5, 0.3, 0.15, 0.05], label="x")
    p = np.array(leaf.weights)
    # one of two draws without replacement: first, or second after another
    included = p + p * (np.sum(p / (1 - p)) - p / (1 - p))
    state = np.random.RandomState(0)
    theirs = np.zeros(4)
    for _ in range(800):
        theirs[leaf.random(random_state=state)] += 1 / 800
    ours = ModelSpaceView(leaf).space.sample_codes(np.random.default_rng(0), 20_000).mean(axis=0)
    assert theirs == pytest.approx(included, abs=0.05)
    assert ours == pytest.approx(included, abs=0.015)


def test_weights_of_a_free_subset_are_inclusion_probabilities():
    leaf = CategoricalMultiple([0, 1, 2], weights=[0.9, 0.5, 0.1], label="x")
    ours = ModelSpaceView(leaf).space.sample_codes(np.random.default_rng(0), 20_000).mean(axis=0)
    assert ours == pytest.approx([0.9, 0.5, 0.1], abs=0.02)


def test_tuples_reach_nni_as_tuples():
    leaf = Categorical([(1, 2), (3, 4)], label="x")
    view = ModelSpaceView(leaf)
    assert leaf.freeze(view.sample({"x": [3, 4]})) == (3, 4)
    assert view.configuration({"x": (1, 2)}) == {"x": [1, 2]}


NUMERICALS = {
    "uniform": lambda: Numerical(-1, 3, label="x"),
    "quniform off the grid": lambda: Numerical(0.3, 2.2, quantize=0.5, label="x"),
    "loguniform": lambda: Numerical(1e-4, 1e-1, log_distributed=True, label="x"),
    "qloguniform": lambda: Numerical(1, 100, log_distributed=True, quantize=3, label="x"),
    "normal": lambda: Numerical(mu=2, sigma=3, label="x"),
    "qnormal": lambda: Numerical(mu=2, sigma=3, quantize=0.5, label="x"),
    "clipped normal": lambda: Numerical(-1, 1, mu=0, sigma=1, label="x"),
    "half-clipped qnormal": lambda: Numerical(low=0.1, mu=0.5, sigma=1, quantize=0.25, label="x"),
    "lognormal": lambda: Numerical(mu=0, sigma=1, log_distributed=True, label="x"),
    "qlognormal": lambda: Numerical(mu=0, sigma=1, log_distributed=True, quantize=0.5, label="x"),
    "beta": lambda: Numerical(distribution=scipy.stats.beta(2, 5), label="x"),
    "shifted beta on a grid": lambda: Numerical(distribution=scipy.stats.beta(2, 5, loc=1), quantize=0.1, label="x"),
    "uniform by distribution": lambda: Numerical(distribution=scipy.stats.uniform(3, 4), label="x"),
    "student": lambda: Numerical(distribution=scipy.stats.t(3), quantize=1.0, label="x"),
    "exponential": lambda: Numerical(distribution=scipy.stats.expon(scale=2), label="x"),
}


@pytest.mark.parametrize("kind", NUMERICALS)
def test_numericals_have_nnis_values_at_each_quantile(kind):
    leaf = NUMERICALS[kind]()
    view = ModelSpaceView(leaf)
    ours = [c["x"] for c in view.space.decode(view.space.sample_codes(np.random.default_rng(0), 1500))]
    checked = sorted(set(ours))  # those at the ends are the likeliest to be outside; NNI takes 1 ms for each
    assert all(leaf.contains({"x": value}) for value in [*checked[:20], *checked[20:-20:15], *checked[-20:]])
    assert all(view.space.contains({"x": value}) for value in ours[:50])
    for u in (0.02, 0.1, 0.35, 0.5, 0.8, 0.97):
        theirs = float(leaf.qclip(leaf.distribution.ppf(u)))
        if leaf.contains({"x": theirs}):  # NNI itself draws a few values that it then refuses
            assert view.space.decode(np.array([[u]]))[0]["x"] == pytest.approx(theirs, rel=1e-9, abs=1e-9)
    assert np.mean(np.array(ours) <= leaf.distribution.ppf(0.5) + (leaf.quantize or 0)) >= 0.45


def test_two_distributions_have_two_hashes():
    assert len({ModelSpaceView(make()).space.hash for make in NUMERICALS.values()}) == len(NUMERICALS)


# -- constraints ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("total", range(3, 13))
def test_expression_constraints_keep_exactly_nnis_grid(total):
    a, b = Categorical([1, 2, 3, 4], label="a"), Categorical([2, 4, 6, 8], label="b")
    listed = MutableList([a, b, ExpressionConstraint(a + b == total, label="sum")])
    expected = {(left, right) for left, right, _ in listed.grid()}
    view = ModelSpaceView(listed)
    assert {(c["a"], c["b"]) for c in view.space.enumerate()} == expected
    if expected:
        drawn = view.space.decode(view.space.sample_codes(np.random.default_rng(0), 40))
        assert {(c["a"], c["b"]) for c in drawn} == expected


def test_a_rare_point_is_found_and_an_impossible_constraint_is_refused():
    letters = [Categorical(list(range(10)), label=f"x{i}") for i in range(3)]
    rare = MutableList([*letters, ExpressionConstraint(letters[0] + letters[1] + letters[2] == 27, label="c")])
    assert space_from_model_space(rare).sample(np.random.default_rng(0)) == {"x0": 9, "x1": 9, "x2": 9}


class NeverEqual(Constraint):
    """A user's constraint: two dimensions differ."""

    def __init__(self, left, right):
        self.label, self.left, self.right = "never_equal", left, right

    def leaf_mutables(self, is_leaf):
        yield from self.left.leaf_mutables(is_leaf)
        yield from self.right.leaf_mutables(is_leaf)
        yield self

    def check_contains(self, sample):
        if sample["left"] == sample["right"]:
            return ConstraintViolation("left and right must differ")


class Hint(MutableAnnotation):
    """An annotation that is no constraint."""

    def __init__(self):
        self.label = "hint"

    def leaf_mutables(self, is_leaf):
        yield self

    def check_contains(self, sample):
        return None


def test_a_users_constraint_holds_and_its_message_is_shown():
    left, right = Categorical([1, 2], label="left"), Categorical([1, 2], label="right")
    space = space_from_model_space(MutableList([NeverEqual(left, right), Hint()]))
    assert space.labels == ("left", "right")
    assert len(list(space.enumerate())) == 2
    with pytest.raises(ValueError, match="left and right must differ"):
        space.validate({"left": 1, "right": 1})


# -- refusals ------------------------------------------------------------------------------------------


class Strange(MutableSymbol):
    """A dimension of a kind nobody knows."""


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (lambda: MutableList([]), "at least one parameter"),
        (lambda: Categorical([object(), 2], label="op"), "op = .*JSON"),
        (lambda: Strange("what"), 'what = "Strange": Categorical'),
        (lambda: Numerical(distribution=scipy.stats.randint(0, 5), label="n"), "n = .*continuous"),
        (lambda: Numerical(label="lr"), "lr = .*bounds"),
    ],
)
def test_what_cannot_be_searched_is_refused(space, message):
    with pytest.raises(InvalidSearchSpace, match=message):
        space_from_model_space(space())


def test_evaluator_choices_are_part_of_an_executable_space():
    from nni.nas.evaluator import FunctionalEvaluator
    from nni.nas.space import SimplifiedModelSpace

    evaluator = FunctionalEvaluator(len, rate=nni.choice("rate", [0.1, 0.2]))
    executable = SimplifiedModelSpace.from_model(build("NasBench201")[0], evaluator)
    view = ModelSpaceView(executable)
    assert view.space["rate"].size == 2
    frozen = executable.freeze(view.sample(view.space.sample(np.random.default_rng(0))))
    assert frozen.evaluator.get().arguments["rate"] in (0.1, 0.2)
