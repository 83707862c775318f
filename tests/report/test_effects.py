from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import f_oneway, rankdata

from nni_strategies.report.effects import effect_figure, effects, explained
from nni_strategies.report.records import ExperimentRecord, TrialRecord


def experiment(configurations: list[dict], metrics: list[float]) -> ExperimentRecord:
    pairs = zip(configurations, metrics, strict=True)
    trials = tuple(TrialRecord(i, c, metric=m, status="finished") for i, (c, m) in enumerate(pairs))
    return ExperimentRecord("abcd1234", "x", True, "random", {}, 0, trials)


def test_explained_is_epsilon_squared_of_the_f_statistic() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(4, size=60)
    metrics = (rng.normal(size=60) + 0.5 * groups).round(1)  # some are equal
    ranks = rankdata(metrics)
    f = f_oneway(*(ranks[groups == g] for g in range(4))).statistic
    assert explained(groups, metrics) == pytest.approx(3 * (f - 1) / (3 * f + 56))


def test_known_effects_in_order() -> None:
    rng = np.random.default_rng(1)
    rows = [{"decides": str(rng.integers(3)), "noise": str(rng.integers(3)), "fixed": 1} for _ in range(120)]
    metrics = [float(row["decides"]) + 1e-3 * rng.random() for row in rows]
    found = effects(experiment(rows, metrics))
    assert [effect.label for effect in found] == ["decides", "noise"]
    assert found[0].explained == pytest.approx(8 / 9, abs=0.05)  # ranks within a third are not explained
    assert found[1].explained < 0.05


def test_no_variance_or_no_freedom_explains_nothing() -> None:
    assert explained(["a", "b", "a"], [1.0, 1.0, 1.0]) == 0.0
    assert explained(["a", "b", "c"], [1.0, 2.0, 3.0]) == 0.0
    assert explained(["a", "a"], [1.0, 2.0]) == 0.0


def test_numbers_are_a_scatter_and_lists_are_asked_for_members() -> None:
    rng = np.random.default_rng(2)
    lists = [np.flatnonzero(rng.random(5) < 0.5).tolist() for _ in range(80)]
    rows = [{"lr": float(10 ** rng.uniform(-4, 0)), "inputs": members} for members in lists]
    metrics = [float(3 in row["inputs"]) + 0.1 * rng.random() for row in rows]
    found = effects(experiment(rows, metrics))
    assert found[0].label == "inputs contains 3"
    by_label = {effect.label: effect for effect in found}
    assert by_label["lr"].numeric
    assert effect_figure(by_label["lr"], None)["layout"]["xaxis"]["type"] == "log"
    assert [box["name"] for box in effect_figure(found[0], None)["data"]] == [
        f"yes ({sum(3 in r['inputs'] for r in rows)})",
        f"no ({sum(3 not in r['inputs'] for r in rows)})",
    ]


def test_best_value_comes_first_in_either_direction() -> None:
    found = effects(experiment([{"a": "x"}, {"a": "x"}, {"a": "y"}, {"a": "y"}], [1.0, 2.0, 3.0, 4.0]))[0]
    assert [box["name"] for box in effect_figure(found, None)["data"]] == ["y (2)", "x (2)"]
    assert [box["name"] for box in effect_figure(found, None, maximize=False)["data"]] == ["x (2)", "y (2)"]
