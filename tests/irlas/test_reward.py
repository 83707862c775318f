"""The paper's reward: R = A + lam S, its weight, its decay, its direction and its latency term."""

from __future__ import annotations

import logging
import math

import pytest

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.reward import Reward, check_lam, weight


def test_the_sum():
    assert Reward(0.1).of(0.9, 0.5, 0.1) == pytest.approx(0.95, abs=1e-15)
    assert Reward(0.1).of(0.9, -1.0, 0.1) == pytest.approx(0.8, abs=1e-15)


def test_lower_is_better_subtracts():
    error = Reward(0.1, maximize=False)
    assert error.of(0.1, 0.5, 0.1) == pytest.approx(0.05, abs=1e-15)
    assert error.of(0.1, 0.5, 0.1) < error.of(0.1, 0.0, 0.1)  # what looks right is better, hence lower


@pytest.mark.parametrize("maximize", [True, False])
@pytest.mark.parametrize("value", [0.1 + 0.2, 1 / 3, 1e-300, -7.25, 92.123456789])
def test_no_weight_changes_no_bit(maximize, value):
    assert Reward(0.0, maximize).of(value, -0.123, 0.0) == value


def test_auto_is_half_of_two_hundredths_a_standard_deviation():
    assert weight("auto", 0.4) == pytest.approx(0.025)
    assert weight(0.07, 0.4) == 0.07


@pytest.mark.parametrize(("lam", "warns"), [("auto", True), (0.0101, True), (0.0099, False), (0, False)])
def test_a_weight_that_was_seen_to_cost_accuracy_is_told(lam, warns, caplog):
    with caplog.at_level(logging.WARNING):
        weight(lam, 0.3)
    assert ("traded for looks" in caplog.text) == warns


@pytest.mark.parametrize("lam", [-0.1, math.nan, math.inf, True, "much", None])
def test_what_is_no_weight(lam):
    with pytest.raises(InvalidArgument, match="lam"):
        check_lam(lam)
    with pytest.raises(InvalidArgument, match="lam"):
        Reward(lam)


def test_the_weight_decays_over_the_last_half_of_the_budget():
    reward = Reward(0.2, schedule="linear", budget=100)
    found = [reward.lam_at(trial) for trial in (0, 50, 75, 99, 100, 500)]
    assert found == pytest.approx([0.2, 0.2, 0.1, 0.004, 0.0, 0.0])
    assert Reward(0.2, budget=100).lam_at(99) == 0.2


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"schedule": "linear"}, "budget"),
        ({"schedule": "cosine", "budget": 10}, "schedule"),
        ({"budget": 0}, "budget"),
        ({"budget": 2.5}, "budget"),
        ({"latency_term": -0.07}, "latency"),
    ],
)
def test_what_is_refused(arguments, field):
    with pytest.raises(InvalidArgument, match=field):
        Reward(0.1, **arguments)


def test_a_latency_term_takes_the_place_of_the_value():
    def half(value, latency_ms):
        return value * 10.0 / latency_ms

    reward = Reward(0.1, latency_term=half)
    assert reward.of(0.8, 0.5, 0.1, 20.0) == pytest.approx(0.4 + 0.05)
    assert reward.of(0.8, 0.5, 0.1) == pytest.approx(0.8 + 0.05)  # not measured


def test_a_latency_term_sees_a_loss_as_what_is_to_be_made_large():
    reward = Reward(0.0, maximize=False, latency_term=lambda value, latency_ms: value - latency_ms)
    assert reward.of(0.3, 0.0, 0.0, 2.0) == pytest.approx(2.3)  # slower is worse, hence higher
