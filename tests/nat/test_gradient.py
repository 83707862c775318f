"""The policy gradient against exact expectations over all children of a space of three edges."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.edges import Architectures
from nni_strategies.nat.gradient import DECAY, PolicyGradient, leave_one_out, surrogate
from nni_strategies.nat.policy.make import make_policy
from nni_strategies.nat.policy.masked import Masked
from nni_strategies.nat.transitions import Transitions
from tests.nat.edge_spaces import NASBENCH201_COSTS, nasbench201, transitions
from tests.nat.edge_spaces import two_input_cells as two_inputs

ENTROPY = 0.05


class Toy:
    """An architecture of which three edges may change, all its children, their rewards and exact expectations."""

    def __init__(self) -> None:
        view = nasbench201()
        self.transitions: Transitions = transitions(view, NASBENCH201_COSTS, "nat")
        # edges 3 to 5 are null and stay so: three edges choose among skip, null and what they are
        conv, none = view.operations.index("nor_conv_3x3"), view.operations.index("none")
        sources = np.array([[edge.source for edge in view.edges]])
        self.parent = Architectures(np.array([[conv, conv, conv, none, none, none]]), sources, ({},))
        self.allowed = self.transitions.allowed(self.parent)
        self.allowed[:, 3:] = np.arange(len(view.operations)) == none
        choices = [np.flatnonzero(row) for row in self.allowed[0]]
        self.children = np.stack(np.meshgrid(*choices, indexing="ij"), -1).reshape(-1, 6)
        self.rewards = np.random.default_rng(0).normal(size=len(self.children))
        self.policy = make_policy("line_graph", view, seed=2, hidden=8).double()

    def masked(self) -> Masked:
        logits = self.policy(torch.from_numpy(self.parent.operations), torch.from_numpy(self.parent.sources))
        return Masked(logits, torch.from_numpy(self.allowed))

    def log_probabilities(self) -> torch.Tensor:
        return self.masked().log_probability(torch.from_numpy(self.children)[:, None]).sum((1, 2))

    def objective(self) -> torch.Tensor:
        """Return E R + lambda H, exactly: both are sums over all children."""
        log_p = self.log_probabilities()
        rewards = torch.from_numpy(self.rewards)
        return (log_p.exp() * rewards).sum() - ENTROPY * (log_p.exp() * log_p).sum()

    def gradient_of(self, loss: torch.Tensor) -> torch.Tensor:
        found = torch.autograd.grad(loss, list(self.policy.parameters()), allow_unused=True)
        return torch.cat([
            (torch.zeros_like(p) if g is None else g).flatten()
            for g, p in zip(found, self.policy.parameters(), strict=True)
        ])  # fmt: skip

    def differences(self, places: list[int], step: float = 1e-6) -> torch.Tensor:
        """Return central differences of the objective by some of the weights."""
        weights = torch.nn.utils.parameters_to_vector(self.policy.parameters()).detach()
        found = []
        for place in places:
            sides = []
            for sign in (1, -1):
                moved = weights.clone()
                moved[place] += sign * step
                torch.nn.utils.vector_to_parameters(moved, self.policy.parameters())
                sides.append(self.objective().item())
            found.append((sides[0] - sides[1]) / (2 * step))
        torch.nn.utils.vector_to_parameters(weights, self.policy.parameters())
        return torch.tensor(found, dtype=torch.float64)


@pytest.fixture
def toy() -> Toy:
    return Toy()


def test_there_are_27_children_whose_probabilities_sum_to_1(toy):
    assert len(toy.children) == 27
    assert toy.log_probabilities().exp().sum().item() == pytest.approx(1.0, abs=1e-12)


def test_the_loss_over_all_children_has_the_exact_gradient(toy):
    """Weighted by their probabilities, all children give the gradient of the exact objective, negated."""
    log_p = toy.log_probabilities()
    weighted = len(log_p) * log_p.detach().exp() * torch.from_numpy(toy.rewards)
    loss = surrogate(log_p, weighted, toy.masked().entropy().sum(-1), ENTROPY)
    found, exact = -toy.gradient_of(loss), toy.gradient_of(toy.objective())
    assert exact.norm() > 0.1
    assert (found - exact).norm() / exact.norm() < 1e-6
    places = exact.abs().argsort(descending=True)[:40].tolist()
    torch.testing.assert_close(exact[places], toy.differences(places), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("shape", ["one parent", "four children each"])
def test_sampled_gradients_approach_the_exact_one(toy, shape):
    n_children = 200_000 if shape == "one parent" else 4
    parents = toy.parent[np.zeros(200_000 // n_children, dtype=int)]
    allowed = np.repeat(toy.allowed, len(parents), 0)
    gradient = PolicyGradient(toy.policy, entropy=ENTROPY, standardise=False, seed=0)
    drawn = gradient.sample(parents, allowed, n_children)
    rewards = reward_of(toy, drawn)
    found, exact = -toy.gradient_of(gradient.loss(parents, allowed, drawn, rewards)), toy.gradient_of(toy.objective())
    assert (found - exact).norm() / exact.norm() < 0.05


def reward_of(toy: Toy, drawn: np.ndarray) -> np.ndarray:
    number = 5 ** np.arange(6)
    order = np.argsort(toy.children @ number)
    places = np.searchsorted((toy.children @ number)[order], drawn @ number)
    return toy.rewards[order][places]


def test_leave_one_out_compares_with_the_siblings():
    rewards = np.array([[1.0, 2.0, 6.0], [3.0, np.nan, 5.0], [np.nan, 4.0, np.nan]])
    expected = [[1 - 4, 2 - 3.5, 6 - 1.5], [-2, np.nan, 2], [np.nan] * 3]
    np.testing.assert_allclose(leave_one_out(rewards), expected)


def test_what_all_children_of_a_parent_share_cancels(toy):
    parents = toy.parent[[0, 0]]
    allowed = np.repeat(toy.allowed, 2, 0)
    gradient = PolicyGradient(toy.policy)
    drawn = gradient.sample(parents, allowed, 3)
    rewards = reward_of(toy, drawn)
    first = gradient.loss(parents, allowed, drawn, rewards)
    shifted = gradient.loss(parents, allowed, drawn, rewards + np.array([[5.0], [-2.0]]))
    assert first.item() == pytest.approx(shifted.item(), abs=1e-9)


def test_advantages_are_standardised_over_the_batch(toy):
    parents = toy.parent[[0, 0]]
    allowed = np.repeat(toy.allowed, 2, 0)
    gradient = PolicyGradient(toy.policy, entropy=0.0)
    drawn = gradient.sample(parents, allowed, 4)
    rewards = np.random.default_rng(1).normal(size=(2, 4))
    once, scaled = (gradient.loss(parents, allowed, drawn, factor * rewards).item() for factor in (1.0, 100.0))
    assert once == pytest.approx(scaled)
    plain = PolicyGradient(toy.policy, entropy=0.0, standardise=False)
    raw = plain.loss(parents, allowed, drawn, rewards).item()
    assert once == pytest.approx(raw / leave_one_out(rewards).std())


def test_the_average_of_rewards_settles_at_their_mean(toy):
    """The released code feeds it the rewards less itself; it would settle at 0.35."""
    gradient = PolicyGradient(make_policy("random", toy.transitions.view))
    drawn = gradient.sample(toy.parent, toy.allowed, 1)
    gradient.step(toy.parent, toy.allowed, drawn, np.array([[0.0]]))
    assert gradient.baseline == 0.0
    gradient.step(toy.parent, toy.allowed, drawn, np.array([[0.7]]))
    assert gradient.baseline == pytest.approx((1 - DECAY) * 0.7)
    assert gradient.advantages(np.array([[0.7]])).item() == pytest.approx(0.7 - (1 - DECAY) * 0.7)
    for _ in range(500):
        gradient.step(toy.parent, toy.allowed, drawn, np.array([[0.7]]))
    assert gradient.baseline == pytest.approx(0.7, abs=0.01)


def test_siblings_leave_the_average_alone(toy):
    gradient = PolicyGradient(toy.policy)
    drawn = gradient.sample(toy.parent, toy.allowed, 2)
    gradient.step(toy.parent, toy.allowed, drawn, np.array([[0.1, 0.2]]))
    assert gradient.baseline is None


def test_a_failed_child_is_left_out(toy):
    gradient = PolicyGradient(toy.policy)
    drawn = gradient.sample(toy.parent, toy.allowed, 4)
    failed = gradient.loss(toy.parent, toy.allowed, drawn, np.array([[0.1, np.nan, 0.4, 0.2]]))
    without = gradient.loss(toy.parent, toy.allowed, drawn[:, [0, 2, 3]], np.array([[0.1, 0.4, 0.2]]))
    assert failed.item() == pytest.approx(without.item())


def test_nothing_to_compare_with_is_no_step(toy):
    gradient = PolicyGradient(toy.policy)
    before = [weight.clone() for weight in toy.policy.parameters()]
    drawn = gradient.sample(toy.parent, toy.allowed, 2)
    assert gradient.step(toy.parent, toy.allowed, drawn, np.array([[0.3, np.nan]])) is None
    assert all(torch.equal(a, b) for a, b in zip(before, toy.policy.parameters(), strict=True))


def test_one_child_of_one_parent_has_a_finite_step(toy):
    gradient = PolicyGradient(toy.policy)
    drawn = gradient.sample(toy.parent, toy.allowed, 1)
    for reward in (0.2, 0.9):
        progress = gradient.step(toy.parent, toy.allowed, drawn, np.array([[reward]]))
        assert progress is not None and abs(progress.loss) < 10


@pytest.mark.parametrize(("name", "rate"), [("line_graph", 0.003), ("lstm", 0.01), ("table", 0.002)])
def test_steps_find_the_best_child(toy, name, rate):
    toy.rewards = (np.random.default_rng(3).normal(size=(6, 5))[np.arange(6), toy.children]).sum(1)
    gradient = PolicyGradient(make_policy(name, toy.transitions.view, seed=0), learning_rate=rate)
    before = reward_of(toy, gradient.sample(toy.parent, toy.allowed, 200)).mean()
    for _ in range(60):
        drawn = gradient.sample(toy.parent, toy.allowed, 16)
        gradient.step(toy.parent, toy.allowed, drawn, reward_of(toy, drawn))
    after = reward_of(toy, gradient.sample(toy.parent, toy.allowed, 200)).mean()
    assert before < toy.rewards.max() - 0.5
    assert after > toy.rewards.max() - 0.1


def test_entropy_keeps_a_policy_from_settling(toy):
    left = []
    for weight in (0.0, 1.0):
        policy = make_policy("table", toy.transitions.view)
        gradient = PolicyGradient(policy, learning_rate=0.001, entropy=weight)
        for _ in range(100):
            drawn = gradient.sample(toy.parent, toy.allowed, 8)
            progress = gradient.step(toy.parent, toy.allowed, drawn, reward_of(toy, drawn))
        left.append(progress.entropy)
    assert left[0] < 0.5 < 2.0 < left[1] <= 3 * np.log(3)


@pytest.mark.parametrize("name", ["line_graph", "lstm", "official", "table", "random"])
def test_a_saved_state_goes_on_alike(name):
    view = two_inputs(("sep_conv_3x3", "skip_connect", "none"))
    moves = transitions(view, {"sep_conv_3x3": (10, 10)}, "nat")
    parents = moves.inputs(np.random.default_rng(0), 6)
    allowed = moves.allowed(parents)
    rng = np.random.default_rng(1)

    def advance(gradient: PolicyGradient, n: int, rewards: np.ndarray) -> list[np.ndarray]:
        draws = []
        for row in range(n):
            draws.append(gradient.sample(parents, allowed, 4))
            gradient.step(parents, allowed, draws[-1], rewards[row])
        return draws

    rewards = rng.normal(size=(10, 6, 4))
    original = PolicyGradient(make_policy(name, view, seed=0), seed=5)
    advance(original, 5, rewards)
    file = io.BytesIO()
    torch.save(original.state_dict(), file)
    file.seek(0)
    resumed = PolicyGradient(make_policy(name, view, seed=9), seed=8)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    for ours, theirs in zip(advance(original, 5, rewards[5:]), advance(resumed, 5, rewards[5:]), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_seed_makes_the_draws(toy):
    before = torch.random.get_rng_state()
    first, again, other = (PolicyGradient(toy.policy, seed=s).sample(toy.parent, toy.allowed, 30) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("field", ["learning_rate", "entropy", "weight_decay"])
def test_settings_that_are_no_weights_are_refused(toy, field):
    with pytest.raises(InvalidArgument, match=field):
        PolicyGradient(toy.policy, **{field: -1.0})
