from __future__ import annotations

import math
from typing import Any

import pytest

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.latency_terms import TERMS, Constraint, Log, Mnas, Relu, latency_term, profiled
from nni_strategies.irlas.reward import Reward


@pytest.mark.parametrize(
    ("term", "value", "latency", "expected"),
    [
        (Mnas(10.0, w=-0.07), 0.9, 10.0, 0.9),
        (Mnas(10.0, w=-0.5), 0.9, 40.0, 0.45),
        (Mnas(10.0, w=-0.5), 0.9, 2.5, 1.8),
        (Mnas(10.0), 0.9, 20.0, 0.9 * 2**-0.03),
        (Mnas(10.0, w=-0.5), -0.9, 40.0, -1.8),
        (Mnas(10.0, hard=True), 0.9, 9.0, 0.9),
        (Mnas(10.0, hard=True), 0.9, 10.0, 0.9),
        (Mnas(10.0, hard=True), 0.9, 20.0, 0.45),
        (Mnas(10.0, hard=True), -0.9, 20.0, -1.8),
        (Log(10.0, beta=0.1), 0.9, 10.0 * math.e, 0.8),
        (Log(10.0, beta=0.1), 0.9, 10.0 / math.e, 1.0),
        (Relu(10.0, beta=0.1), 0.9, 20.0, 0.8),
        (Relu(10.0, beta=0.1), 0.9, 5.0, 0.9),
        (Constraint(10.0), 0.9, 10.0, 0.9),
        (Constraint(10.0), 0.9, 10.1, -1.0),
        (Constraint(10.0, worst=-1.0), 0.9, 10.1, -1.0),
        (Constraint(10.0), -0.5, 10.1, -2.0),  # a loss to be minimised: below any other
    ],
)
def test_closed_forms(term: Any, value: float, latency: float, expected: float):
    assert term(value, latency) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("term", [Mnas(3.0), Mnas(3.0, hard=True), Log(3.0), Relu(3.0), Constraint(3.0, worst=-9.0)])
@pytest.mark.parametrize("value", [0.8, -0.8])
def test_slower_is_never_better(term: Any, value: float):
    shaped = [term(value, latency) for latency in (1.0, 2.0, 3.0, 4.0, 8.0)]
    assert shaped == sorted(shaped, reverse=True)
    assert shaped[0] > shaped[-1]


def test_a_reward_takes_them():
    assert Reward(0.0, latency_term=Mnas(10.0, w=-0.5)).of(0.9, 0.3, 0.0, 40.0) == pytest.approx(0.45)
    assert Reward(0.0, maximize=False, latency_term=Mnas(10.0, w=-0.5)).of(0.9, 0.3, 0.0, 40.0) == pytest.approx(1.8)


def test_terms_by_name():
    assert latency_term("mnas", target=3.0, w=-0.1) == Mnas(3.0, -0.1)
    assert latency_term("constraint", limit=3.0) == Constraint(3.0)
    assert set(TERMS) == {"mnas", "log", "relu", "constraint"}


@pytest.mark.parametrize(
    ("name", "options", "field"),
    [
        ("mnasnet", {"target": 1.0}, "mnas"),
        ("mnas", {}, "target"),
        ("mnas", {"target": 0.0}, "target"),
        ("mnas", {"target": 1.0, "w": 0.1}, "w"),
        ("mnas", {"target": 1.0, "weight": 0.1}, "weight"),
        ("mnas", {"target": 1.0, "hard": "no"}, "hard"),
        ("log", {"target": float("nan")}, "target"),
        ("relu", {"target": 1.0, "beta": -1.0}, "beta"),
        ("constraint", {"limit": -1.0}, "limit"),
        ("constraint", {"limit": 1.0, "worst": float("inf")}, "worst"),
    ],
)
def test_bad_terms_are_refused(name: str, options: dict[str, float], field: str):
    with pytest.raises(InvalidArgument, match=field):
        latency_term(name, **options)


@pytest.mark.timeout(60)  # nni.nas is imported
def test_profilers_of_nni_are_latency_sources():
    import nni_strategies.bridge.torchvision_first  # noqa: F401

    # isort: split
    import torch
    from nni.nas.profiler.pytorch.flops import FlopsProfiler, NumParamsProfiler

    from tests.irlas.one_shot.spaces import WIDTH, LayerSpace

    space = LayerSpace()
    sample = {"a": "skip_connect", "b": "pool", "depth": 1, **{f"rep_{i}": "skip_connect" for i in range(3)}}
    wide = {**sample, "a": "conv3"}
    n_weights = WIDTH * WIDTH * 9
    parameters = profiled(NumParamsProfiler(space, torch.rand(1, 1, 8, 8)))
    assert parameters(wide) - parameters(sample) == n_weights + 2 * WIDTH  # batch norm has two a channel
    flops = profiled(FlopsProfiler(space, torch.rand(1, 1, 8, 8)))
    assert flops(wide) - flops(sample) >= n_weights * 64
    with pytest.raises(InvalidArgument, match="profiler"):
        profiled(3)
