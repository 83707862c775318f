"""Signals that need no teacher: what a trial reports of its losses, and what the stimuli's classes say."""

from __future__ import annotations

import math

import nni
import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.build import keep_stimuli, network_teacher
from nni_strategies.rsa.history import History, Outcome
from nni_strategies.rsa.judge import Judge
from nni_strategies.rsa.score import TeacherScorer
from nni_strategies.rsa.signals import FreeSignals
from nni_strategies.rsa.teacher import load_teacher
from nni_strategies.rsa.trial import Guide
from tests.rsa.test_score import network

LABELS = np.arange(24) % 3


@pytest.fixture
def stimuli(tmp_path):
    images = np.random.default_rng(0).integers(256, size=(24, 8, 8, 1), dtype=np.uint8)
    return keep_stimuli(images, tmp_path, labels=LABELS)


def scorer(stimuli, folder, **options):
    return TeacherScorer(load_teacher(network_teacher(network(0), stimuli, folder, **options)))


def test_losses_are_summed_as_they_are_reported():
    free, model = FreeSignals(Judge(loss_key="train", ce_key="valid")), nn.Linear(3, 2)
    for step in range(3):
        free.see({"train": 0.5 * step, "valid": 2.0}, final=False)
    known = free.known({"train": 9.0, "valid": 1.25}, None, model)
    assert known == {"CE": 1.25, "TSE": 1.5, "params": 8.0}
    free.see({"train": 9.0}, final=True)  # the final result is no epoch of its own
    assert free.known(0.5, None, model) == {"TSE": 1.5, "params": 8.0}
    free.see({"valid": 1.0}, final=False)  # an epoch's loss is missing
    free.see({"train": 1.0}, final=False)
    assert "TSE" not in free.known({}, None, model)
    assert "TSE" not in FreeSignals(Judge()).known(None, None, model)


def test_cross_entropy_on_the_stimuli(stimuli, tmp_path):
    judge = scorer(stimuli, tmp_path / "teacher")
    result = judge.score(network(1))
    with torch.no_grad():
        logits = network(1).eval()(stimuli.load())
    assert logits.shape[1] >= 3
    expected = nn.functional.cross_entropy(logits, torch.from_numpy(LABELS)).item()
    assert result.cross_entropy == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("method", ["spearman", "pearson", "cka"])
def test_the_likeness_to_the_classes(stimuli, tmp_path, method):
    judge = scorer(stimuli, tmp_path / "teacher", method=method)
    result = judge.score(network(1))
    if method == "spearman":  # an independent reckoning
        different = 1.0 - (LABELS[:, None] == LABELS)[np.triu_indices(24, 1)]
        assert result.onehot == pytest.approx(max(spearmanr(rdm, different)[0] for rdm in result.rdms), abs=1e-9)
    assert result.onehot < 0.9
    knows = nn.Sequential(nn.Flatten(), nn.Linear(64, 3), nn.Linear(3, 3))
    with torch.no_grad():  # a network that separates the classes of these images
        solution = torch.linalg.lstsq(stimuli.load().flatten(1), torch.eye(3)[LABELS]).solution
        knows[1].weight.copy_(solution.T)
        knows[1].bias.zero_()
    alike = TeacherScorer(judge.teacher, type(judge.options)(layers=("1",))).score(knows).onehot
    if method != "spearman":  # the layer's rounding ranks what is equal
        assert alike == pytest.approx(1.0, abs=1e-3)


def test_without_labels_nothing_is_said_of_them(tmp_path):
    images = np.random.default_rng(0).integers(256, size=(24, 8, 8, 1), dtype=np.uint8)
    result = scorer(keep_stimuli(images, tmp_path), tmp_path / "teacher").score(network(1))
    assert math.isnan(result.onehot) and math.isnan(result.cross_entropy)
    with pytest.raises(InvalidArgument, match="24 integers from 0"):
        keep_stimuli(images, tmp_path, labels=[1, 2])
    with pytest.raises(InvalidArgument, match="labels"):
        keep_stimuli(images, tmp_path, labels=-LABELS)


def test_an_output_that_is_no_logits_has_no_cross_entropy(stimuli, tmp_path):
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network(1)

        def forward(self, images):
            return self.inner(images), 0

    result = scorer(stimuli, tmp_path / "teacher").score(Pair())
    assert math.isnan(result.cross_entropy) and math.isfinite(result.onehot)


def test_a_trial_reports_and_combines_them(stimuli, tmp_path, monkeypatch):
    seen = []

    class Channel:
        def send_metric(self, type, parameter_id, trial_job_id, sequence, value):
            seen.append(value)

    previous = nni.runtime.trial_command_channel.get_default_trial_command_channel()
    nni.runtime.trial_command_channel.set_default_trial_command_channel(Channel())
    try:
        history = History()
        for i in range(10):
            signals = {"P": 0.1 * i, "TG": 0.5, "CE": 2.0 - 0.1 * i, "TSE": 4.0 - 0.2 * i}
            history.add(Outcome(f"t{i}", 2, signals, 0.0, judged=True))
        path = network_teacher(network(0), stimuli, tmp_path / "teacher")
        guide = Guide(path, combine=["P", "CE", "TSE", "TG"], history=history)
        with guide.attach(network(1)):
            for loss in (1.5, 1.0):
                nni.report_intermediate_result({"default": 0.5, "val_loss": 1.0, "train_loss": loss})
    finally:
        nni.runtime.trial_command_channel.set_default_trial_command_channel(previous)
    final = seen[-1]
    assert (final["CE"], final["TSE"], final["params"]) == (1.0, 2.5, sum(p.numel() for p in network(1).parameters()))
    assert 0.0 < final["TG_onehot"] < 1.0
    # mean of -CE is -1.55 and of -TSE -3.1, spreads as P's and twice that; TG does not vary and says nothing
    assert final["default"] == pytest.approx(0.5 + (-1.0 + 1.55) + 0.5 * (-2.5 + 3.1))
    assert history.read()[-1].signals["TSE"] == 2.5
