"""The policy's steps: what they are rewarded for, what they move, and what they leave alone."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.one_shot.derivation import derived
from nni_strategies.nat.one_shot.settings import OneShotSettings
from nni_strategies.nat.sampling import sampled_outputs
from nni_strategies.supernet.scorer import Scorer
from tests.nat.one_shot.searches import CONVOLUTIONS, Cells, learner, stripes


def weights(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return copy.deepcopy(module.state_dict())


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_a_step_moves_the_policy_and_nothing_of_the_supernet():
    found, _ = learner({"n_inputs": 2})
    network = found.supernet.network.train()
    policy, supernet, modes = weights(found.gradient.policy), weights(network), [m.training for m in network.modules()]
    progress = found.learn(*stripes())
    assert progress is not None and progress.entropy > 0
    assert not same(policy, weights(found.gradient.policy))
    assert same(supernet, weights(network)) and any(name.endswith("running_mean") for name in supernet)
    assert modes == [m.training for m in network.modules()] and all(p.grad is None for p in network.parameters())


def test_a_reward_is_what_a_child_gains_over_its_parent_on_the_same_batch():
    found, moves = learner()
    images, _ = stripes()
    parents = moves.transitions.inputs(np.random.default_rng(0), 2)
    with torch.no_grad():
        found.supernet.network.head[4].bias.zero_()  # type: ignore[union-attr,operator,index]
        labels = found.supernet.set(moves.transitions.view.decode(parents)[0]).eval()(images).argmax(dim=1)
    children = moves.transitions.random_children(parents, 3, np.random.default_rng(1))
    rewards = found.rewards(parents, children, images, labels)
    score = Scorer(found.supernet, [(images, labels)])
    expected = [[score(c) for c in moves.transitions.view.decode(part)] for part in (children, parents)]
    np.testing.assert_allclose(rewards, np.reshape(expected[0], (2, 3)) - np.reshape(expected[1], (2, 1)), atol=1e-12)
    assert np.abs(rewards).max() > 0


def test_a_child_that_is_its_parent_gains_nothing():
    found, moves = learner()
    found.supernet.network.train()  # where dropout would make two passes differ
    parents = moves.transitions.inputs(np.random.default_rng(0), 5)
    assert (found.rewards(parents, parents, *stripes()) == 0).all()


def test_equal_architectures_are_run_once():
    found, moves = learner()
    twice = moves.transitions.inputs(np.random.default_rng(0), 3)[[0, 1, 0, 2, 1]]
    calls: list[int] = []
    found.supernet.network.register_forward_hook(lambda *_: calls.append(1))
    accuracies = found.accuracies(twice, *stripes())
    assert len(calls) == 3 and accuracies[0] == accuracies[2] and accuracies[1] == accuracies[4]


def test_a_child_without_finite_logits_is_left_out():
    found, moves = learner()
    with torch.no_grad():
        for module in found.supernet.network.modules():
            if isinstance(module, torch.nn.Conv2d) and module.kernel_size == (3, 3) and module.in_channels == 4:
                module.weight.fill_(torch.nan)
    parent = moves.transitions.view.encode([{**CONVOLUTIONS, **{k: "skip" for k in CONVOLUTIONS if "op" in k}}])
    spoilt = moves.transitions.view.encode([CONVOLUTIONS])
    rewards = found.rewards(parent, spoilt, *stripes())
    assert np.isnan(rewards).all() and not np.isnan(found.rewards(parent, parent, *stripes())).any()
    allowed = moves.transitions.allowed(parent)
    assert found.gradient.step(parent, allowed, spoilt.operations[None], rewards) is None


def test_paths_are_alive_and_some_have_nulls():
    found, moves = learner()
    paths = [found.draw_path() for _ in range(60)]
    assert moves.transitions.alive(moves.transitions.view.encode(paths)).all()
    nulls = np.mean([value == "none" for path in paths for label, value in path.items() if "op" in label])
    assert 0.1 < nulls < 0.3  # one operation in four, less the dead
    assert found.supernet.configuration == paths[-1]


def test_paths_of_outputs_are_what_the_one_given_can_become():
    found, moves = learner({"paths": "outputs"})
    transitions = moves.transitions
    paths = transitions.view.encode([found.draw_path() for _ in range(200)])
    reachable = {row.tobytes() for row in transitions.reachable(found.parent)}
    assert len(reachable) > 20
    assert {row.tobytes() for row in paths.operations} <= reachable
    assert len({row.tobytes() for row in paths.operations}) > len(reachable) / 4
    of_the_space, _ = learner()
    anywhere = transitions.view.encode([of_the_space.draw_path() for _ in range(200)])
    assert transitions.valid(found.parent[[0] * 200], anywhere).mean() < 0.5


def test_paths_of_outputs_can_keep_most_edges():
    found, moves = learner({"paths": "outputs", "kept": 0.9})
    paths = moves.transitions.view.encode([found.draw_path() for _ in range(200)])
    assert 0.9 < (paths.operations == found.parent.operations).mean() < 0.98


def test_with_paths_of_outputs_the_policy_learns_from_the_one_given_alone():
    found, _ = learner({"paths": "outputs", "n_inputs": 3, "n_outputs": 2})
    seen = []

    def rewards(parents, children, *_):
        seen.append(parents.operations.copy())
        return np.zeros((3, 2))

    found.rewards = rewards  # type: ignore[method-assign]
    found.learn(*stripes(8))
    np.testing.assert_array_equal(seen[0], np.repeat(found.parent.operations, 3, axis=0))


def test_the_policy_learns_which_outputs_score():
    """Only the convolutions work: what turns them into something else loses."""
    found, _ = learner({"learning_rate": 0.02, "n_inputs": 4, "n_outputs": 8})

    def kept() -> float:
        generator = torch.Generator().manual_seed(0)
        drawn = sampled_outputs(found.gradient.policy, found.transitions, found.parent, 50, generator)
        return float((drawn.operations == found.parent.operations).mean())

    def rewards(parents, children, *_):
        return (children.operations.reshape(len(parents), -1, 4) == parents.operations[:, None]).mean(axis=2)

    before = kept()
    found.rewards = rewards  # type: ignore[method-assign]
    for _ in range(60):
        found.learn(*stripes(8))
    assert kept() > before + 0.3


def test_offers_are_distinct_and_new_also_of_a_policy_that_has_made_up_its_mind():
    found, moves = learner({"k": 6})
    with torch.no_grad():
        for weights in found.gradient.policy.parameters():
            weights.mul_(2.0)  # sharper: most draws are alike
    generator = torch.Generator().manual_seed(0)
    drawn = sampled_outputs(found.gradient.policy, found.transitions, found.parent, 6, generator)
    assert len(set(drawn.keys())) < 6
    offers = found.offers()
    assert len(offers) == len(set(offers.keys())) == 6
    assert moves.transitions.valid(found.parent[[0] * 6], offers).all()
    assert (offers.operations != found.parent.operations).any(axis=1).all()
    np.testing.assert_array_equal(offers.operations, found.offers().operations)


def test_a_policy_that_draws_its_input_alone_is_helped_out_by_single_changes(monkeypatch: pytest.MonkeyPatch):
    found, moves = learner({"k": 4})

    def itself(policy, transitions, parent, n, generator):
        return parent[[0] * n]

    monkeypatch.setattr("nni_strategies.nat.one_shot.learner.sampled_outputs", itself)
    offers = found.offers()
    assert ((offers.operations != found.parent.operations).sum(axis=1) == 1).all()
    assert len(set(offers.keys())) == 4 and moves.transitions.valid(found.parent[[0] * 4], offers).all()
    result = derived(found, moves, [stripes()])
    assert result.evaluations == 5 and result.score_after >= result.score_before


def test_an_input_that_can_become_nothing_else_stays_as_it_is(monkeypatch: pytest.MonkeyPatch):
    found, moves = learner()
    nothing = np.zeros((1, 4, len(moves.transitions.view.operations)), dtype=bool)
    nothing[0, np.arange(4), found.parent.operations[0]] = True
    monkeypatch.setattr(moves.transitions, "allowed", lambda inputs: nothing)
    assert len(found.offers()) == 0
    result = derived(found, moves, [stripes()])
    assert result.after == result.before and result.evaluations == 1 and not result.changed


@pytest.mark.slow
def test_a_state_goes_on_as_if_nothing_had_happened():
    first, _ = learner({"n_inputs": 2})
    first.learn(*stripes())
    first.draw_path()
    state = first.state_dict()
    second, _ = learner({"n_inputs": 2, "seed": 0})
    second.load_state_dict(copy.deepcopy(state))
    for each in (first, second):
        each.learn(*stripes())
    assert same(weights(first.gradient.policy), weights(second.gradient.policy))
    assert first.draw_path() == second.draw_path()
    assert Cells().check_contains(first.supernet.view.sample(first.draw_path())) is None


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"rule": "nta"}, "did you mean 'nat'"),
        ({"cost_rule": "strickt"}, "did you mean 'strict'"),
        ({"rule": "cost", "cost_rule": "paper"}, "cost_rule"),
        ({"paths": "output"}, "did you mean 'outputs'"),
        ({"paths": "outputs", "kept": 1}, "kept = 1"),
        ({"kept": 0.5}, "paths"),
        ({"policy": "line"}, "did you mean 'line_graph'"),
        ({"n_outputs": 0}, "n_outputs = 0"),
        ({"k": True}, "k = true"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"entropy": -1}, "entropy"),
        ({"seed": -1}, "seed"),
    ],
)
def test_settings_are_checked(settings, named):
    with pytest.raises(InvalidArgument, match=named):
        OneShotSettings(**settings)
