"""A masked softmax gives exactly nothing to what is not allowed."""

from __future__ import annotations

import math

import pytest
import torch

from nni_strategies.nat.edges import ABSENT
from nni_strategies.nat.policy.masked import Masked

LOGITS = torch.tensor([[0.0, math.log(2.0), math.log(5.0), 9.0], [1.0, 1.0, 1.0, 1.0], [3.0, -1.0, 0.0, 2.0]])
ALLOWED = torch.tensor([[True, True, True, False], [False, False, True, False], [False] * 4])


def random_case(seed: int, spread: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = spread * torch.randn(50, 6, 5, generator=generator)
    allowed = torch.rand(50, 6, 5, generator=generator) < 0.5
    return logits, allowed | (torch.arange(5) == 2)


def test_probabilities_are_those_among_the_allowed():
    found = Masked(LOGITS, ALLOWED).probabilities
    assert torch.allclose(found[0], torch.tensor([1 / 8, 2 / 8, 5 / 8, 0.0]))
    assert found[1].tolist() == [0.0, 0.0, 1.0, 0.0]
    assert found[2].tolist() == [0.0] * 4


def test_entropy_by_hand():
    found = Masked(LOGITS, ALLOWED).entropy()
    by_hand = -(1 / 8 * math.log(1 / 8) + 2 / 8 * math.log(2 / 8) + 5 / 8 * math.log(5 / 8))
    assert found.tolist() == pytest.approx([by_hand, 0.0, 0.0])


@pytest.mark.parametrize("spread", [1.0, 1e4])
def test_what_is_not_allowed_has_probability_0_and_the_rest_sums_to_1(spread):
    logits, allowed = random_case(0, spread)
    found = Masked(logits, allowed).probabilities
    assert (found[~allowed] == 0).all()
    assert torch.allclose(found.sum(-1), torch.ones(50, 6), atol=1e-6)


def test_gradients_are_finite_and_0_where_masked():
    logits, allowed = random_case(1, 30.0)
    allowed[:, 0] = torch.arange(5) == 3  # one operation
    allowed[:, 1] = False  # not in use
    logits.requires_grad_()
    masked = Masked(logits, allowed)
    drawn = masked.sample(2, torch.Generator().manual_seed(0))
    (masked.log_probability(drawn).sum() + masked.entropy().sum()).backward()
    assert torch.isfinite(logits.grad).all()
    assert (logits.grad[~allowed] == 0).all()
    assert (logits.grad[:, 2:][allowed[:, 2:]] != 0).any()


def test_draws_are_as_frequent_as_probable():
    n = 40_000
    drawn = Masked(LOGITS, ALLOWED).sample(n, torch.Generator().manual_seed(0))
    assert drawn.shape == (n, 3)
    frequencies = torch.bincount(drawn[:, 0], minlength=4) / n
    assert torch.allclose(frequencies, torch.tensor([1 / 8, 2 / 8, 5 / 8, 0.0]), atol=4 * 0.5 / math.sqrt(n))
    assert frequencies[3] == 0
    assert (drawn[:, 1] == 2).all()


def test_every_draw_is_allowed_whatever_the_logits():
    logits, allowed = random_case(2, 200.0)
    drawn = Masked(logits, allowed).sample(400, torch.Generator().manual_seed(0))
    assert allowed.expand(400, -1, -1, -1).gather(-1, drawn.unsqueeze(-1)).all()


@pytest.mark.parametrize("logit", [math.nan, math.inf, -math.inf])
def test_no_logit_makes_what_is_not_allowed_likely(logit):
    """Those of a policy whose learning diverged: what costs more must not be drawn."""
    _, allowed = random_case(2)
    masked = Masked(torch.full(allowed.shape, logit), allowed)
    drawn = masked.sample(100, torch.Generator().manual_seed(0))
    assert allowed.expand(100, -1, -1, -1).gather(-1, drawn.unsqueeze(-1)).all()
    assert masked.entropy().isfinite().all() and masked.log_probability(drawn).isfinite().all()


def test_an_edge_that_is_not_in_use_stays_absent_and_counts_nothing():
    masked = Masked(LOGITS, ALLOWED)
    drawn = masked.sample(5, torch.Generator().manual_seed(0))
    assert (drawn[:, 2] == ABSENT).all()
    assert masked.log_probability(drawn)[:, 2].tolist() == [0.0] * 5


def test_log_probability_of_what_is_chosen():
    chosen = torch.tensor([[0, 2, ABSENT], [2, 2, ABSENT]])
    found = Masked(LOGITS, ALLOWED).log_probability(chosen)
    assert torch.allclose(found, torch.tensor([[math.log(1 / 8), 0.0, 0.0], [math.log(5 / 8), 0.0, 0.0]]))


def test_its_own_generator_alone_is_used():
    before = torch.random.get_rng_state()
    logits, allowed = random_case(3)
    first, again = (Masked(logits, allowed).sample(3, torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(first, again)
    assert torch.equal(before, torch.random.get_rng_state())
