"""What a teacher said of trials: known rank correlations, and trials that lack something."""

from __future__ import annotations

from typing import Any

import pytest

from nni_strategies.report.guided import guided, outcome_name, rank_curve
from nni_strategies.report.records import ExperimentRecord, TrialRecord


def trial(number: int, final: dict[str, Any] | None, steps: list[dict[str, Any]] | None = None) -> TrialRecord:
    metric = None if final is None else final.get("default", final.get("P"))
    return TrialRecord(
        id=number,
        configuration={"x": number},
        metric=metric,
        metrics=final or {},
        status="failed" if final is None else "finished",
        started=float(number),
        ended=number + 1.0,
        steps=tuple(steps or ()),
    )


def step(p: float, tg: float, ok: int = 1, default: float | None = None) -> dict[str, Any]:
    return {"default": p if default is None else default, "P": p, "TG": tg, "tg_ok": ok, "alpha": 0.0}


def record(trials: list[TrialRecord], maximize: bool = True) -> ExperimentRecord:
    return ExperimentRecord("a", "a", maximize, "x", {}, None, tuple(trials))


# ranks by test in the end are those of the trials' numbers; at the first step P is turned over, TG has one swap
FIRST_P, FIRST_TG = [5, 4, 3, 2, 1], [2, 1, 3, 4, 5]


def known(maximize: bool = True) -> list[TrialRecord]:
    sign = 1 if maximize else -1
    return [
        trial(
            i,
            {**step(0.5 + i, 0.1 * i, default=sign * (0.5 + i)), "test_acc": 10.0 + i},
            [
                step(FIRST_P[i], FIRST_TG[i], default=sign * FIRST_P[i]),
                step(0.5 + i, 0.1 * i, default=sign * (0.5 + i)),
            ],
        )
        for i in range(5)
    ]


@pytest.mark.parametrize("maximize", [True, False])
def test_known_correlations_at_each_step(maximize: bool) -> None:
    judged = guided(record(known(maximize), maximize))
    assert judged is not None
    assert judged.outcome == "test_acc"
    curve = rank_curve(judged)
    assert curve is not None
    values = {name: [c.value for c in line if c] for name, line in curve.lines.items()}
    assert values["P"] == pytest.approx([-1.0, 1.0])
    assert values["TG"] == pytest.approx([0.9, 1.0])
    assert values["default"] == pytest.approx([-1.0, 1.0])  # lower is better, and so it is counted
    assert (curve.n, curve.left_out, curve.steps) == (5, 0, 2)


def test_without_a_test_result_it_is_p_in_the_end() -> None:
    trials = [trial(i, step(float(i), 0.5), [step(float(-i), 0.1 * i), step(float(i), 0.5)]) for i in range(4)]
    judged = guided(record(trials))
    assert judged is not None
    assert judged.outcome is None
    curve = rank_curve(judged)
    assert curve is not None
    assert [c.value for c in curve.lines["P"] if c] == pytest.approx([-1.0, 1.0])
    assert [c.value for c in curve.lines["TG"] if c] == [pytest.approx(1.0), None]  # all TG equal: not defined


def test_trials_with_fewer_steps_or_gaps_are_left_out() -> None:
    trials = known()
    trials.append(trial(5, step(9.0, 9.0), [step(9.0, 9.0)]))  # stopped early
    trials.append(trial(6, {**step(9.0, 9.0), "test_acc": 1.0}, [{}, step(9.0, 9.0)]))  # NaN at its first
    trials.append(trial(7, {**step(9.0, 9.0), "test_acc": 1.0}, [step(9.0, 0.0, ok=0), step(9.0, 9.0)]))
    trials.append(trial(8, None))
    judged = guided(record(trials))
    assert judged is not None
    assert len(judged.trials) == 8
    curve = rank_curve(judged)
    assert curve is not None
    assert (curve.n, curve.left_out) == (5, 3)
    assert curve.lines["P"][0].value == pytest.approx(-1.0)


def test_one_long_trial_does_not_shut_out_the_others() -> None:
    trials = known()
    trials[0] = trial(0, dict(trials[0].metrics), [*trials[0].steps, step(1.0, 1.0), step(1.0, 1.0)])
    curve = rank_curve(guided(record(trials)))
    assert curve is not None
    assert (curve.n, curve.steps) == (5, 2)


def test_steps_at_which_tg_was_not_computed_have_none() -> None:
    trials = [
        trial(i, step(float(i), float(i)), [step(float(i), 0.0, ok=0), step(float(i), float(i))]) for i in range(4)
    ]
    curve = rank_curve(guided(record(trials)))
    assert curve is not None
    assert curve.lines["TG"][0] is None
    assert curve.lines["TG"][1].value == pytest.approx(1.0)


def test_a_floor_is_no_tg() -> None:
    judged = guided(record([trial(0, step(0.5, 0.0, ok=0)), trial(1, step(0.6, 0.7))]))
    assert judged is not None
    assert [t.id for t in judged.trials] == [1]
    assert judged.unscored == 1
    assert rank_curve(judged) is None


@pytest.mark.parametrize("final", [{"default": 0.5}, {"default": 0.5, "P": 0.5}, {"default": 0.5, "TG": 0.5}, None])
def test_other_experiments_are_not_guided(final: dict[str, Any] | None) -> None:
    assert guided(record([trial(0, final)])) is None


@pytest.mark.parametrize(
    ("name", "found"),
    [
        *((name, True) for name in ("test", "Test_Acc", "test/accuracy", "final acc", "acc_test", "test_top1")),
        *((name, False) for name in ("test_loss", "test_ms", "latest", "accuracy", "TG:test")),
    ],
)
def test_names_of_a_test_result(name: str, found: bool) -> None:
    trials = [trial(i, {"P": 1.0, "TG": 1.0, name: 0.5}) for i in range(2)]
    assert outcome_name(trials) == (name if found else None)
    assert outcome_name([*trials, *(trial(i, {"P": 1.0, "TG": 1.0}) for i in range(3))]) is None  # most lack it


@pytest.mark.parametrize(("name", "direction"), [("test", -1.0), ("test_acc", 1.0)])
def test_a_bare_test_result_of_a_loss_is_a_loss(name: str, direction: float) -> None:
    judged = guided(record([trial(0, {**step(0.5, 0.5), name: 0.25})], maximize=False))
    assert judged is not None
    assert judged.reached(judged.trials[0]) == direction * 0.25
