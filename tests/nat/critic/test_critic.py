from __future__ import annotations

import numpy as np
import pytest

from nni_strategies.nat.critic.canonical import canonical
from nni_strategies.nat.critic.critic import Critic
from nni_strategies.nat.edges import Architectures, EdgeView
from nni_strategies.nat.input_draws import draw_inputs
from nni_strategies.nat.operation_classes import classes_by_name
from tests.nat.edge_spaces import nasbench201, two_input_cells

ONE, TWO = nasbench201(), nasbench201("a", "b")
DARTS = two_input_cells(("none", "skip_connect", "sep_conv_3x3", "max_pool_3x3"))


def draws(view: EdgeView, n: int, seed: int = 0) -> Architectures:
    return draw_inputs(view, classes_by_name(view), np.random.default_rng(seed), n)


def convolutions(view: EdgeView, architectures: Architectures) -> np.ndarray:
    """A value that a critic can learn: the share of edges that are live and carry a convolution."""
    learned = [i for i, name in enumerate(view.operations) if "conv" in name]
    return np.isin(canonical(view, classes_by_name(view), architectures).operations, learned).mean(axis=1)


def fitted(view: EdgeView, n: int = 60) -> tuple[Critic, Architectures, np.ndarray]:
    critic, known = Critic(view, classes_by_name(view)), draws(view, n)
    values = convolutions(view, known)
    critic.fit(known, values)
    return critic, known, values


@pytest.mark.parametrize("view", [ONE, TWO, DARTS], ids=["one", "two", "darts"])
def test_it_learns_what_it_was_shown(view: EdgeView):
    critic, known, values = fitted(view)
    mean, sd = critic.predict(known)
    assert mean == pytest.approx(critic.target(values), abs=0.3)
    fresh = draws(view, 300, seed=1)
    guessed, unsure = critic.predict(fresh)
    assert np.corrcoef(guessed, convolutions(view, fresh))[0, 1] > 0.6
    assert unsure.mean() > 3 * sd.mean()


def test_mean_and_deviation_are_those_of_the_textbook():
    critic, known, values = fitted(ONE, 40)
    fresh = draws(ONE, 30, seed=1)
    a, b = critic._rows(known), critic._rows(fresh)
    k = critic._covariance(a, a) + (critic.noise + 1e-8) * np.eye(40)
    across = critic._covariance(b, a)
    mean = across @ np.linalg.solve(k, critic.target(values))
    variance = 1 - np.einsum("ij,ji->i", across, np.linalg.solve(k, across.T))
    guessed, sd = critic.predict(fresh)
    assert guessed == pytest.approx(mean)
    assert sd == pytest.approx(np.sqrt(variance), abs=1e-6)
    assert critic.mean(fresh) == pytest.approx(mean)


def test_what_it_explains_is_what_it_guesses_of_each_point_left_out():
    critic, known, values = fitted(ONE, 40)
    rows, target = critic._rows(known), critic.target(values)
    k = critic._covariance(rows, rows) + (critic.noise + 1e-8) * np.eye(40)
    others = [np.flatnonzero(np.arange(40) != i) for i in range(40)]
    guessed = [k[i, rest] @ np.linalg.solve(k[np.ix_(rest, rest)], target[rest]) for i, rest in enumerate(others)]
    expected = 1 - np.mean((target - guessed) ** 2) / target.var()
    assert critic.explained() == pytest.approx(expected)
    assert 0.3 < expected < 1


def test_of_equal_values_nothing_is_explained():
    critic, known = Critic(ONE, classes_by_name(ONE)), draws(ONE, 10)
    critic.fit(known, np.full(10, 0.5))
    assert critic.explained() == 0.0


def test_a_lead_is_the_difference_of_two_of_the_joint_posterior():
    critic, known, values = fitted(ONE, 40)
    fresh = draws(ONE, 5, seed=1)
    a, b = critic._rows(known), critic._rows(fresh)
    k, across = critic._covariance(a, a) + (critic.noise + 1e-8) * np.eye(40), critic._covariance(b, a)
    mean = across @ np.linalg.solve(k, critic.target(values))
    joint = critic._covariance(b, b) - across @ np.linalg.solve(k, across.T)
    contrast = np.eye(5) - np.eye(5)[0]
    lead, sd = critic.lead(fresh)
    assert lead == pytest.approx(contrast @ mean)
    assert sd**2 == pytest.approx(np.diag(contrast @ joint @ contrast.T), abs=1e-8)
    assert (lead[0], sd[0]) == (0.0, 0.0) and sd[1:].min() > 0.1


def test_draws_are_from_the_joint_posterior():
    critic, _, _ = fitted(ONE)
    fresh = draws(ONE, 6, seed=1)
    mean, sd = critic.predict(fresh)
    rng = np.random.default_rng(0)
    drawn = np.array([critic.draw(fresh, rng) for _ in range(800)])
    assert drawn.mean(axis=0) == pytest.approx(mean, abs=0.12)
    assert drawn.std(axis=0) == pytest.approx(sd, rel=0.12)
    twice = critic.draw(fresh[[0, 0]], rng)
    assert twice[0] == pytest.approx(twice[1], abs=1e-6)


def test_weights_and_noise_are_the_most_likely():
    """All twenty are tried: the covariance of the chosen one has the highest Gaussian density."""
    from scipy.stats import multivariate_normal

    from nni_strategies.nat.critic.critic import NOISES, WEIGHTS

    critic, known, values = fitted(ONE, 40)
    rows, target, chosen = critic._rows(known), critic.target(values), (critic.weights.tolist(), critic.noise)
    density = {}
    for weights in WEIGHTS:
        critic.weights = weights
        for noise in NOISES:
            covariance = critic._covariance(rows, rows) + noise * np.eye(40)
            density[tuple(weights), noise] = multivariate_normal(np.zeros(40), covariance).logpdf(target)
    best = max(density, key=lambda key: density[key])
    assert (list(best[0]), best[1]) == chosen
    assert len(density) == 20


def test_the_target_draws_out_the_top():
    critic, _, _ = fitted(ONE)
    values = np.array([0.1, 0.2, 0.6, 0.7])
    critic.fit(draws(ONE, 4), values)
    shift = 0.7 + 0.5 * (np.quantile(values, 0.9) - 0.4 + 1e-3)
    raw = -np.log(shift - values)
    assert critic.target(values) == pytest.approx((raw - raw.mean()) / raw.std())
    assert critic.value(critic.target(values)) == pytest.approx(values)
    low, _, high = np.diff(critic.target(values))
    assert high > 3 * low
    beyond = critic.target(np.array([0.7, 5.0, -np.inf]))
    assert beyond[0] == beyond[1]
    assert beyond[2] == -np.inf


def test_what_was_asked_before_changes_no_bit():
    """A replayed search asks less than the one it repeats."""
    fresh = draws(TWO, 200, seed=1)
    asked, silent = fitted(TWO)[0], fitted(TWO)[0]
    asked.predict(draws(TWO, 500, seed=2))
    assert asked.mean(fresh).tolist() == silent.mean(fresh).tolist()
    rngs = np.random.default_rng(0), np.random.default_rng(0)
    assert asked.draw(fresh[:20], rngs[0]).tolist() == silent.draw(fresh[:20], rngs[1]).tolist()


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.5, 0.5], [1e13] * 3, [-1e100] * 3, [1e100, -1e100]])
def test_values_that_tell_nothing_are_no_fault(values: list[float]):
    critic, known = Critic(ONE, classes_by_name(ONE)), draws(ONE, len(values))
    critic.fit(known, np.array(values))
    assert np.isfinite(critic.predict(draws(ONE, 50, seed=1))).all()


def test_more_points_than_the_likelihood_takes():
    critic, known, values = fitted(ONE, 400)
    assert np.corrcoef(critic.mean(known), critic.target(values))[0, 1] > 0.9
