from __future__ import annotations

import logging
import math

import numpy as np
import pytest
from scipy.optimize import linprog, minimize

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.irl.demonstration import Demonstration
from nni_strategies.irlas.irl.max_margin import cutting_planes, least_norm, max_margin
from nni_strategies.irlas.nsc_experts import NSC_EXPERTS
from nni_strategies.irlas.nsc_features import FEATURES, BlockArray, NSCFeatures
from tests.irlas.nsc_blocks import all_blocks, random_ones


def differences(features: NSCFeatures, expert, longest: int) -> np.ndarray:
    """mu_E - mu of all blocks with other features."""
    own = features.counts(BlockArray.of([expert]))
    rows = own - features.counts(BlockArray.of(all_blocks(longest)))
    return rows[np.abs(rows).max(axis=1) > 1e-9]


def separable(rows: np.ndarray) -> bool:
    """Whether some weights prefer the expert: a linear program, nothing of ours."""
    n, d = rows.shape
    solved = linprog(
        np.r_[np.zeros(d), -1.0],
        A_ub=np.c_[-rows, np.ones(n)],
        b_ub=np.zeros(n),
        bounds=[(-1, 1)] * d + [(None, 1)],
        method="highs",
    )
    assert solved.status == 0
    return bool(-solved.fun > 1e-7)


def largest_margin(rows: np.ndarray) -> float:
    """The largest margin of weights of norm 1: SLSQP on the primal."""
    d = rows.shape[1]
    start = rows.mean(axis=0) / np.linalg.norm(rows.mean(axis=0))
    solved = minimize(
        lambda x: -x[-1],
        np.r_[start, (rows @ start).min()],
        jac=lambda x: np.r_[np.zeros(d), -1.0],
        method="SLSQP",
        constraints=[
            {"type": "ineq", "fun": lambda x: rows @ x[:-1] - x[-1], "jac": lambda x: np.c_[rows, -np.ones(len(rows))]},
            {"type": "ineq", "fun": lambda x: 1 - x[:-1] @ x[:-1], "jac": lambda x: np.r_[-2 * x[:-1], 0.0]},
        ],
        options={"maxiter": 500, "ftol": 1e-12},
    )
    return float(solved.x[-1])


def test_corners_of_a_simplex_have_the_margin_of_its_geometry():
    # the blocks of one layer are eight unit vectors: the nearest point to e_1 - e_j is their mean, of norm sqrt(8/7)
    for expert in all_blocks(2):
        report = max_margin(Demonstration(NSCFeatures("nsc_joint"), expert, all_blocks(2), max_length=2))
        assert report.expert_is_extreme
        assert report.certificate.upper == pytest.approx(math.sqrt(8 / 7), abs=1e-9)
        assert report.margin == pytest.approx(math.sqrt(8 / 7), abs=1e-3)
        assert report.expert_percentile == 100.0


def test_the_point_of_least_norm():
    assert least_norm(np.array([[1.0, 0.0], [0.0, 1.0]])) == pytest.approx([0.5, 0.5])
    assert least_norm(np.array([[3.0, 1.0], [3.0, -2.0], [5.0, 0.0]])) == pytest.approx([3.0, 0.0])
    assert least_norm(np.array([[1.0, 1.0], [-1.0, 1.0], [0.0, -1.0]])) == pytest.approx([0.0, 0.0], abs=1e-12)


@pytest.mark.parametrize("name", ["nsc_raw_window", "nsc_onehot", "nsc_joint"])
def test_the_verdict_is_that_of_a_linear_program(name: str):
    features, blocks = NSCFeatures(name), all_blocks(3)
    verdicts = []
    for expert in blocks[::4]:
        certificate = cutting_planes(Demonstration(features, expert, blocks, max_length=3)).certificate
        assert certificate.verdict == ("extreme" if separable(differences(features, expert, 3)) else "not extreme")
        verdicts.append(certificate.verdict)
    assert set(verdicts) == {"extreme", "not extreme"}


@pytest.mark.parametrize("number", [3, 40, 90, 151])
def test_the_margin_is_that_of_the_primal(number: int):
    features, blocks = NSCFeatures("nsc_joint_window"), all_blocks(3)
    expected = largest_margin(differences(features, blocks[number], 3))
    certificate = cutting_planes(Demonstration(features, blocks[number], blocks, max_length=3)).certificate
    assert certificate.verdict == "extreme"
    assert certificate.lower - 1e-6 <= expected <= certificate.upper + 1e-6
    assert certificate.upper - certificate.lower <= 1e-3


@pytest.mark.parametrize("expert", NSC_EXPERTS)
@pytest.mark.parametrize("name", FEATURES)
def test_no_expert_is_extreme_and_that_is_certified(name: str, expert: str, caplog: pytest.LogCaptureFixture):
    demonstration = Demonstration(NSCFeatures(name), NSC_EXPERTS[expert], random_ones(1000))
    found = cutting_planes(demonstration)
    assert found.certificate.verdict == "not extreme"
    assert found.certificate.upper < 1e-6
    assert len(found.bounds) <= 50
    assert np.diff(found.bounds).max() <= 1e-9  # more constraints never raise it
    assert all(margin <= bound + 1e-9 for margin, bound in zip(found.margins, found.bounds, strict=False))
    with caplog.at_level(logging.WARNING):
        report = max_margin(demonstration)
    assert not report.expert_is_extreme
    assert report.margin < 0
    assert "no weights make the expert the best block" in caplog.text
    assert np.linalg.norm(report.weights) == pytest.approx(1.0)


def test_with_the_means_of_lengths_subtracted_resnext_is_extreme(caplog: pytest.LogCaptureFixture):
    blocks = random_ones(1000)
    demonstration = Demonstration(NSCFeatures("nsc_joint_window"), NSC_EXPERTS["resnext"], blocks, per_length=True)
    report = max_margin(demonstration)
    assert report.expert_is_extreme
    assert 0 < report.certificate.lower <= report.margin + 1e-12
    assert report.margin <= report.certificate.upper
    assert report.expert_percentile == 100.0
    assert caplog.text == ""
    scores = report.scores(BlockArray.of([NSC_EXPERTS["resnext"], *blocks]))  # from the report alone
    assert scores[0] - scores[1:][scores[1:] < scores[0] - 1e-9].max() >= report.margin - 1e-9


def test_it_says_so_when_it_gives_up():
    demonstration = Demonstration(NSCFeatures("nsc_onehot_window"), NSC_EXPERTS["resnext"], random_ones(1000))
    report = max_margin(demonstration, max_iterations=3)
    assert report.certificate.verdict == "undecided"
    assert not report.expert_is_extreme
    assert report.iterations == 3


def test_random_blocks_have_to_fit():
    features = NSCFeatures("nsc_onehot")
    with pytest.raises(InvalidArgument, match="differs from the expert"):
        Demonstration(features, NSC_EXPERTS["resnext"], [NSC_EXPERTS["resnext"]])
    with pytest.raises(InvalidArgument, match="at most 5 layers"):
        Demonstration(features, NSC_EXPERTS["resnext"], [NSC_EXPERTS["densenet"]], max_length=5)
