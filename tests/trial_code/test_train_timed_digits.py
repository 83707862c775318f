"""A timed trial of the digits: the quick start's training, and a latency of LatencyMeter."""

from __future__ import annotations

import json
import sys

import nni
import pytest

from nni_strategies.irlas.latency import Latency, LatencyMeter
from search_spaces.digits_cell import LABELS
from trial_code import train_digits, train_timed_digits

pytestmark = pytest.mark.timeout(120)  # on a busy machine


def test_what_it_reports(monkeypatch):
    told, measured = [], []

    def measure(self, model, key=None):
        measured.append((self, type(model).__name__, key))
        return Latency(1.25, 0.5)

    monkeypatch.setattr(nni, "report_final_result", told.append)
    monkeypatch.setattr(train_digits, "EPOCHS", 1)
    monkeypatch.setattr(LatencyMeter, "measure", measure)
    cell = dict.fromkeys(LABELS, "none") | {"cell.edge_0_3": "nor_conv_1x1"}
    monkeypatch.setattr(sys, "argv", ["train_timed_digits.py", json.dumps(cell)])
    train_timed_digits.main()
    train_digits.main()
    timed, plain = told
    assert timed.pop("latency_iqr_ms") == 0.5 and timed["latency_ms"] == 1.25 and plain["latency_ms"] > 0
    assert timed == plain | {"latency_ms": 1.25}  # the same training, the same counts
    ((meter, name, key),) = measured
    assert (meter.device, tuple(meter.input_shape), meter.batch, meter.threads) == ("cpu", (1, 8, 8), 1, 1)
    assert (name, key) == ("DigitsNet", None)
