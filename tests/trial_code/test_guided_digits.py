"""A guided trial, from the teacher that the first one trains to what NNI is told."""

from __future__ import annotations

import json
import sys

import nni
import pytest
import torch

from search_spaces.digits_cell import LABELS, DigitsNet
from trial_code import digits_teacher, train_guided_digits
from trial_code.digits_training import accuracy, train
from trial_code.noisy_digits import noisy_digits

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

CONFIGURATION = dict.fromkeys(LABELS, "nor_conv_1x1")


def test_training_learns_and_repeats_itself():
    data, reached, losses = noisy_digits(), [], []
    for _ in range(2):
        torch.manual_seed(0)
        network = DigitsNet(dict.fromkeys(LABELS, "nor_conv_3x3"))
        train(network, data[0], 3, 0, lambda epoch, loss: losses.append((epoch, loss)))
        reached.append(accuracy(network, data[1]))
    assert reached[0] == reached[1] > 0.35  # chance is 0.1
    assert losses[:3] == losses[3:]
    assert losses[0][1] > losses[1][1] > losses[2][1]


def test_a_trial_reports_and_the_teacher_is_built_once(tmp_path, monkeypatch, capsys):
    told = []
    monkeypatch.setattr(nni, "report_intermediate_result", nni.report_intermediate_result)
    monkeypatch.setattr(digits_teacher, "EPOCHS", 2)
    monkeypatch.setenv("NNI_PLATFORM", "local")
    monkeypatch.setenv("NNI_SYS_DIR", str(tmp_path / "trials" / "a"))
    (tmp_path / "trials" / "a").mkdir(parents=True)
    monkeypatch.setattr(sys, "argv", ["train_guided_digits.py", json.dumps(CONFIGURATION)])
    channel = nni.runtime.trial_command_channel.get_default_trial_command_channel()
    monkeypatch.setattr(type(channel), "send_metric", lambda self, type, *rest, **named: told.append(named or rest))
    for _ in range(2):
        train_guided_digits.main()
    assert capsys.readouterr().out.count("teacher: test accuracy") == 1
    assert (tmp_path / "teacher" / "teacher.json").is_file()
    assert sum(bool(line) for line in (tmp_path / "rsa_history.jsonl").read_text().splitlines()) == 6
    assert len(told) == 6
    final = told[-1]["value"] if isinstance(told[-1], dict) else told[-1][-1]
    assert {"default", "P", "TG", "CE", "TSE", "TG_onehot", "params", "test", "latency_ms"} <= final.keys()
    assert final["CE"] == final["val_loss"]
    before = [step["value"] if isinstance(step, dict) else step[-1] for step in told[3:5]]
    assert final["TSE"] == pytest.approx(sum(step["train_loss"] for step in before))
