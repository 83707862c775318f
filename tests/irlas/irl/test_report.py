from __future__ import annotations

import json
import logging
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.irl.report import Certificate, IRLReport, percentile

REPORT = IRLReport(
    method="projection",
    features="nsc_onehot_window",
    weights=(0.6, -0.8),
    margin=-0.25,
    certificate=Certificate(-0.25, 0.0, "not extreme"),
    expert_percentile=99.97,
    gaps=(2.0, 1.0, 0.5),
    iterations=3,
    length_offsets=(0.1, 0.2),
)


def test_it_survives_json():
    document = json.loads(json.dumps(REPORT.to_json()))
    assert document["expert_is_extreme"] is False
    assert IRLReport.from_json(document) == REPORT


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": 2}, "format 1"),
        ({"weigths": []}, "did you mean 'weights'"),
        ({"certificate": {"lower": 0.0}}, "complete"),
        ({"certificate": 3}, "complete"),
    ],
)
def test_what_is_no_report_is_refused(change: dict, told: str):
    with pytest.raises(InvalidArgument, match=told):
        IRLReport.from_json({**REPORT.to_json(), **change})
    without = {name: value for name, value in REPORT.to_json().items() if name != "gaps"}
    with pytest.raises(InvalidArgument, match="gaps"):
        IRLReport.from_json(without)
    with pytest.raises(InvalidArgument, match="format"):
        IRLReport.from_json([])  # type: ignore[arg-type]


def test_it_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        REPORT.margin = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("verdict", "margin", "told"),
    [
        ("not extreme", -0.25, "no weights make the expert the best block"),
        ("undecided", -0.25, "these weights do not make the expert the best block"),
        ("extreme", -0.25, "these weights do not make the expert the best block"),
        ("extreme", 0.25, ""),
    ],
)
def test_weights_that_fail_are_never_silent(verdict, margin: float, told: str, caplog: pytest.LogCaptureFixture):
    report = IRLReport("projection", "nsc_raw", (1.0,), margin, Certificate(margin, 1.0, verdict), 90.0, (), 0)
    with caplog.at_level(logging.WARNING):
        assert report.warned() is report
    assert told in caplog.text
    assert bool(caplog.text) is bool(told)


def test_ties_are_no_victories():
    assert percentile(1.0, np.array([0.0, 0.5, 1.0, 1.0 - 1e-12, 2.0])) == 40.0
