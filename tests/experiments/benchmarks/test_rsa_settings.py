"""What candidates learn and who judges them, in each setting."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from experiments.benchmarks import rsa_settings, rsa_table
from experiments.benchmarks.rsa_settings import LOOKS, TEACHERS, scorers, setting
from search_spaces.digits_cell import LABELS
from trial_code.digits_training import train

pytestmark = pytest.mark.timeout(120)


@pytest.mark.slow
def test_a_look_at_a_cell_has_every_column(tmp_path, monkeypatch):
    monkeypatch.setattr(rsa_settings.digits_teacher, "EPOCHS", 1)
    chosen = replace(setting("digits"), epochs=6)
    judges = scorers("digits", chosen, tmp_path)
    lines = rsa_table.runs_of(rsa_table.cells()[1], 0, chosen, judges)
    assert [(line["schedule"], line["k"]) for line in lines] == list(LOOKS["digits"])
    for line in lines:
        assert {"p", "ce", "tse", *(f"tg_{name}" for name in TEACHERS["digits"])} <= line.keys()
        assert 0.0 <= line["p"] <= 1.0 and line["ce"] < 0.0 and line["tse"] < 0.0
        assert line["final"] == lines[0]["final"]
    assert lines[0]["tse"] > lines[1]["tse"] > lines[2]["tse"]  # a sum of losses grows
    repeated = rsa_table.runs_of(rsa_table.cells()[1], 0, chosen, {"onehot": judges["onehot"]})
    assert [line["p"] for line in repeated] == [line["p"] for line in lines]  # judges leave the training alone


@pytest.mark.slow
def test_few_labels_are_few_and_the_stimuli_are_others(data, tmp_path, monkeypatch):
    if not (data / "cifar10" / "cifar10_full_jpeg.npz").is_file():
        pytest.skip("needs the CIFAR-10 images of the data folder")
    chosen = setting("few_labels")
    assert [len(part.labels) for part in chosen.parts] == [400, 100, 2000]
    assert np.bincount(chosen.parts[0].labels).tolist() == 10 * [40]
    short = replace(chosen, teachers=("untrained", "onehot", "onehot_all", "strong"))
    judges = scorers("few_labels", short, tmp_path)
    assert [len(judge.stimuli) for judge in judges.values()] == [250, 100, 250, 250]
    assert torch.equal(judges["onehot"].stimuli, torch.from_numpy(chosen.parts[1].images))
    labelled = {image.tobytes() for image in chosen.parts[1].images}
    assert not labelled & {image.numpy().tobytes() for image in judges["strong"].stimuli}
    network = chosen.network(dict.fromkeys(LABELS, "nor_conv_3x3"))
    before = {name: judge.score(network).tg for name, judge in judges.items()}
    train(network, chosen.parts[0], 12, 0, batch_size=16)
    after = {name: judge.score(network).tg for name, judge in judges.items()}
    assert all(after[name] > before[name] for name in ("onehot", "onehot_all", "strong"))
