from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas import wl
from nni_strategies.irlas.irl.kernel import Histograms, KernelScore, fit_kernel, loss
from nni_strategies.irlas.nsc_experts import NSC_EXPERTS
from nni_strategies.irlas.nsc_features import BlockArray
from nni_strategies.topology.nsc_graph import parsed_graph
from tests.irlas.nsc_blocks import random_ones

WEIGHTS = (0.25, 0.35, 0.40)


def one_round(rows: list[list[int]], sizes: list[int]) -> Histograms:
    return Histograms((np.array(rows),), np.array(sizes))


def uniform(expert: tuple[np.ndarray, ...], weights: tuple[float, ...]) -> KernelScore:
    return KernelScore(expert, tuple(np.ones(len(row)) for row in expert), weights)


def of_blocks(expert: wl.Neighbourhoods, blocks) -> Histograms:
    nodes = [wl.whole(parsed_graph(block)) for block in blocks]
    counted = [expert.count(one) for one in nodes]
    rounds = tuple(np.array([counts[r] for counts in counted]) for r in range(3))
    return Histograms(rounds, np.array([one.size for one in nodes]))


def test_it_is_the_weighted_jaccard_similarity():
    blocks = one_round([[2, 1], [1, 0], [0, 0], [3, 1]], [3, 1, 4, 6])
    plain = uniform((np.array([2, 1]),), (1.0,))
    assert plain.scores(blocks).tolist() == pytest.approx([1, 1 / 3, 0, 3 / 6])
    weighted = KernelScore(plain.expert, (np.array([0.5, 1.5]),), (1.0,))
    assert weighted.scores(blocks).tolist() == pytest.approx([1, 0.5 / 2.5, 0, 2.5 / (1.5 + 1.5 + 2)])


@pytest.mark.parametrize("name", NSC_EXPERTS)
def test_without_learning_it_is_that_of_the_stimuli(name: str):
    expert = wl.Neighbourhoods(wl.whole(parsed_graph(NSC_EXPERTS[name])), 2)
    blocks = random_ones(300)
    got = uniform(tuple(expert.histograms), WEIGHTS).scores(of_blocks(expert, [*blocks, NSC_EXPERTS[name]]))
    nodes = [wl.whole(parsed_graph(block)) for block in blocks]
    assert got[:-1] == pytest.approx([wl.jaccard(expert.count(one), one.size, expert, WEIGHTS) for one in nodes])
    assert got[-1] == 1.0


def test_the_gradient_is_that_of_finite_differences():
    rng = np.random.default_rng(0)
    expert = (np.array([2, 1, 3]), np.array([1, 1, 2, 2]))
    counts = tuple(rng.integers(0, 4, (50, len(row))) for row in expert)
    blocks = Histograms(counts, np.maximum(counts[0].sum(axis=1), counts[1].sum(axis=1)) + rng.integers(0, 3, 50))
    theta = rng.uniform(0.3, 2.0, 7)

    def value(theta: np.ndarray) -> float:
        return loss(KernelScore(expert, (theta[:3], theta[3:]), (0.4, 0.6)), blocks)[0]

    gradient = loss(KernelScore(expert, (theta[:3], theta[3:]), (0.4, 0.6)), blocks)[1]
    assert gradient == pytest.approx(approx_fprime(theta, value, 1e-7), rel=1e-4, abs=1e-6)


def imitators() -> tuple[tuple[np.ndarray, ...], Histograms]:
    """An expert of labels 0 and 1; many blocks have all of label 0, none has label 1."""
    rows = [[3, 0]] * 60 + [[1, 0]] * 40
    return (np.array([3, 2]),), one_round(rows, [5] * 100)


def test_labels_that_imitators_lack_come_to_count_more():
    expert, blocks = imitators()
    score, report = fit_kernel(expert, blocks, round_weights=(1.0,))
    assert report.accepted
    assert score.theta[0][1] > 1.05 > 0.95 > score.theta[0][0] >= 0.05
    assert score.theta[0].mean() == pytest.approx(1.0)
    assert report.gaps[1] > report.gaps[0]  # the lead over the runner-up
    assert np.diff(report.objectives).max() <= 1e-9
    assert report.weights == pytest.approx(np.concatenate(score.theta))
    assert report.expert_is_extreme
    with pytest.raises(InvalidArgument, match="features"):  # no linear reward
        report.scores(BlockArray.of(random_ones(2)))
    assert report.margin == pytest.approx(1 - score.scores(blocks).max())
    assert score.scores(one_round([[3, 2]], [5])) == pytest.approx([1.0])


def test_weights_under_which_the_runner_up_rises_are_rejected():
    expert, blocks = imitators()
    # what is fitted to lacks label 1; one that has it is nearer, and comes nearer still
    better = blocks.joined(one_round([[0, 2]] * 3 + [[2, 2]], [5] * 4))
    score, report = fit_kernel(expert, better, round_weights=(1.0,), n_fit=100)
    assert not report.accepted
    assert score.theta[0].tolist() == [1.0, 1.0]
    assert report.gaps[-1] < report.gaps[0] == report.margin


def test_best_responses_take_the_place_of_half_of_the_blocks():
    expert, blocks = imitators()
    harmless = one_round([[1, 0]] * 100, [5] * 100)
    asked: list[KernelScore] = []

    def respond(score: KernelScore) -> Histograms:
        asked.append(score)
        return blocks.joined(one_round([[3, 2]], [5]))  # a copy of the expert among them

    _, alone = fit_kernel(expert, harmless, round_weights=(1.0,))
    score, report = fit_kernel(expert, harmless, respond, round_weights=(1.0,))
    assert len(asked) == 2
    assert len(asked[0].theta[0]) == 2
    assert report.iterations == 600
    assert len(report.gaps) == 4
    assert score.theta[0][1] > alone.weights[1] + 0.01
    assert report.margin < 1


def test_copies_of_the_expert_are_left_out():
    expert, blocks = imitators()
    _, report = fit_kernel(expert, blocks.joined(one_round([[3, 2]] * 20, [5] * 20)), round_weights=(1.0,))
    assert report.expert_percentile == 100.0
    assert report.margin > 0
    with pytest.raises(InvalidArgument, match="differs from the expert"):
        fit_kernel(expert, one_round([[3, 2]], [5]), round_weights=(1.0,))
    with pytest.raises(InvalidArgument, match="one for each of 1 rounds"):
        fit_kernel(expert, blocks)


@pytest.mark.parametrize("name", NSC_EXPERTS)
def test_the_lead_of_an_expert_does_not_shrink(name: str):
    expert = wl.Neighbourhoods(wl.whole(parsed_graph(NSC_EXPERTS[name])), 2)
    score, report = fit_kernel(expert.histograms, of_blocks(expert, random_ones(1000)))
    assert report.margin >= report.gaps[0] - 1e-12
    assert report.expert_percentile == 100.0
    for theta, row in zip(score.theta, score.expert, strict=True):
        assert theta[row > 0].mean() == pytest.approx(1.0)
