"""Which trials are stopped, by hand; NNI's own dispatcher calls it as here."""

from __future__ import annotations

import logging

import pytest
from nni.assessor import AssessResult

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.assessor import TeacherGuidedAssessor


def completed(assessor, values, step=1):
    for i, value in enumerate(values):
        history = [{"default": value, "P": value, "TG": 1.0 - value}] * step
        assert assessor.assess_trial(f"t{i}", history) == AssessResult.Good
        assessor.trial_end(f"t{i}", True)
    return assessor


def goes_on(assessor, *values, key="default"):
    return assessor.assess_trial("new", [{"default": 0.0, key: value} for value in values]) == AssessResult.Good


TEN = [i / 10 for i in range(10)]  # the 0.3 quantile is 0.27


def test_below_the_quantile_a_trial_ends():
    assessor = completed(TeacherGuidedAssessor(min_trials=10), TEN)
    assert goes_on(assessor, 0.28)
    assert not goes_on(assessor, 0.26)
    assert goes_on(assessor, 0.26, 0.3)  # nobody completed has a second result
    assert goes_on(completed(TeacherGuidedAssessor(margin=0.05), TEN), 0.26)
    assert goes_on(completed(TeacherGuidedAssessor(start_step=2), TEN), 0.0)
    assert goes_on(completed(TeacherGuidedAssessor(), TEN[:9]), 0.0)


def test_the_best_so_far_counts():
    assessor = completed(TeacherGuidedAssessor(), TEN, step=2)
    assert goes_on(assessor, 0.5, 0.0)
    assert not goes_on(assessor, 0.1, 0.2)


def test_by_the_teacher_or_by_a_loss():
    by_tg = completed(TeacherGuidedAssessor(key="TG", optimize_mode="minimize"), TEN)  # TG is always maximised
    assert not goes_on(by_tg, 0.3, key="TG")
    assert goes_on(by_tg, 0.5, key="TG")
    by_loss = completed(TeacherGuidedAssessor("minimize"), [-value for value in TEN])
    assert goes_on(by_loss, -0.28)
    assert not goes_on(by_loss, -0.26)


def test_trials_that_fail_are_no_measure():
    assessor = TeacherGuidedAssessor(min_trials=1)
    assessor.assess_trial("a", [{"default": 5.0}])
    assessor.trial_end("a", False)
    assessor.trial_end("never seen", True)
    assert goes_on(assessor, 0.0)


@pytest.mark.parametrize("metric", [None, "text", {"default": None}, {"accuracy": 1.0}, float("nan"), [1.0]])
def test_nothing_is_raised_into_nni(metric, caplog):
    assessor = completed(TeacherGuidedAssessor(), TEN)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert assessor.assess_trial("new", [metric]) == AssessResult.Good
    assert caplog.text.count("no trial is stopped") == (1 if metric == {"accuracy": 1.0} else 0)
    assert TeacherGuidedAssessor(key="P").assess_trial("new", [0.5]) == AssessResult.Good


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimize_mode": "maximise"}, "did you mean 'maximize'"),
        ({"start_step": 0}, "start_step"),
        ({"min_trials": 1.5}, "min_trials"),
        ({"quantile": 1}, "quantile"),
        ({"margin": -1}, "margin"),
        ({"key": 3}, "key"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(InvalidArgument, match=message):
        TeacherGuidedAssessor(**options)
