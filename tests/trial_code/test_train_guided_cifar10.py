"""The trial script of both spaces: which network a sample is, what is refused, and what a guided trial reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
import nni
from nni.nas.space import model_context

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.score import TeacherScorer
from nni_strategies.rsa.teacher import load_teacher
from search_spaces.layered_conv import LayeredConvNet, layer_labels
from tests.trial_code.test_cifar10_teacher import saved_images, saved_weights
from trial_code import train_guided_cifar10 as script
from trial_code import train_nasnet
from trial_code.cifar10_teacher import held_out, teacher_file

pytestmark = pytest.mark.timeout(60)

TINY = ["--epochs", "2", "--max-steps", "2", "--batch-size", "8", "--holdout", "40", "--width", "4", "--cells", "3"]
LAYER = {"kernel": 3, "filters": 16, "pool": "max", "skip": 1}
LAYERED = {"depth": 2, **{label: LAYER[label.partition(".")[2]] for label in layer_labels(2)}}


@pytest.fixture
def data(tmp_path: Path) -> list[str]:
    return ["--data", f"npz:{saved_images(tmp_path / 'small.npz')}"]


@pytest.fixture
def finals(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    reported: list[Any] = []
    monkeypatch.setattr(nni, "report_final_result", reported.append)
    return reported


def sample_of(space: Any) -> dict[str, Any]:
    return {label: mutable.default() for label, mutable in space.simplify().items()}


@pytest.mark.slow
def test_a_cell_is_built_at_the_wished_size(data, tmp_path, finals):
    given = script.options([*data, *TINY])
    images = train_nasnet.open_images(given)
    sample = sample_of(script.pnas_space(given, images))
    (tmp_path / "best.json").write_text(json.dumps({"configuration": sample, "metric": 0.5}))
    larger = script.options([*data, *TINY, "--arch", str(tmp_path / "best.json"), "--width", "8", "--cells", "4"])
    network = script.build(script.read_architecture(larger), larger, images)
    with model_context({**sample, "width": 8, "depth": 4}):
        from nni.nas.hub.pytorch import PNAS

        same = PNAS(width=(8,), num_cells=(4,), dataset="cifar")  # what best.py of a report does
    shapes = [[tuple(weight.shape) for weight in one.parameters()] for one in (network, same)]
    assert shapes[0] == shapes[1]
    assert len(network.stages[0]) + len(network.stages[1]) + len(network.stages[2]) == 4


def test_a_layered_network_is_trained(data, tmp_path, finals):
    (tmp_path / "sample.json").write_text(json.dumps(LAYERED))
    arguments = [*data, *TINY, "--space", "layered", "--arch", str(tmp_path / "sample.json"), "--preset", "retrain"]
    script.main(arguments)
    plain = LayeredConvNet(LAYERED)
    (final,) = finals
    assert final["params"] == sum(weight.numel() for weight in plain.parameters())
    assert 0 <= final["default"] <= 1


def test_nnis_nested_parameters_are_a_layered_network(data, monkeypatch, finals):
    nested = {"depth": {"_name": "2", **{label: value for label, value in LAYERED.items() if label != "depth"}}}
    monkeypatch.setattr(nni, "get_next_parameter", lambda: nested)
    given = script.options([*data, *TINY, "--space", "layered"])
    assert script.read_architecture(given) == LAYERED


@pytest.mark.slow
def test_a_guided_trial_reports_what_the_teacher_says(data, tmp_path, monkeypatch):
    given = script.options([*data, *TINY, "--space", "layered"])
    images = train_nasnet.open_images(given)
    teacher = teacher_file("resnet20", saved_weights(tmp_path / "weights.th"), *held_out(images, 20), tmp_path)
    (tmp_path / "sample.json").write_text(json.dumps(LAYERED))
    sent: list[tuple[str, Any]] = []
    channel = nni.runtime.trial_command_channel.get_default_trial_command_channel()
    monkeypatch.setattr(channel, "send_metric", lambda kind, pid, job, sequence, value: sent.append((kind, value)))
    built: list[Any] = []
    build = script.build
    monkeypatch.setattr(script, "build", lambda *arguments: built.append(build(*arguments)) or built[-1])
    script.main(
        [*data, *TINY, "--space", "layered", "--arch", str(tmp_path / "sample.json"), "--teacher", str(teacher)]
    )
    assert [kind for kind, _ in sent] == ["PERIODICAL", "PERIODICAL", "FINAL"]
    final = sent[-1][1]
    assert final["P"] == final["accuracy"] == train_nasnet.evaluate(built[0], images, None)
    assert final["TG"] == pytest.approx(TeacherScorer(load_teacher(teacher)).score(built[0]).tg, abs=1e-6)
    assert final["tg_ok"] == 1 and final["params"] > 0 and "TG:pool" in final


def test_bad_options_and_samples_are_refused(data, tmp_path):
    path = tmp_path / "sample.json"
    path.write_text(json.dumps(LAYERED))
    tiny = [*data, *TINY]
    layered = [*tiny, "--space", "layered", "--arch", str(path)]
    with pytest.raises(InvalidArgument, match=r"--auxiliary = 0\.4: 0 for layered networks"):
        script.options([*layered, "--auxiliary", "0.4"])
    with pytest.raises(InvalidArgument, match="--epochs = 0"):
        script.options([*layered, "--epochs", "0"])
    with pytest.raises(InvalidArgument, match="PNAS space"):
        script.main([*tiny, "--arch", str(path)])
    with pytest.raises(InvalidArgument, match="readable JSON file"):
        script.main([*layered, "--teacher", str(tmp_path / "no.json")])
    path.write_text(json.dumps({**LAYERED, "layer_1.kernal": 3}))
    with pytest.raises(InvalidArgument, match=r"did you mean 'layer_1\.kernel'"):
        script.main(layered)
    for text, named in (("[1]", "a dictionary"), ("{", "readable JSON")):
        path.write_text(text)
        with pytest.raises(InvalidArgument, match=named):
            script.main(layered)
    with pytest.raises(SystemExit):
        script.options([*tiny, "--space", "cells"])


def test_layered_presets_have_no_drop_path(data):
    given = script.options([*data, "--space", "layered", "--preset", "retrain"])
    assert (given.drop_path, given.auxiliary, given.ema, given.holdout) == (0.0, 0.0, 0.9999, 0)
    cells = script.options([*data, "--preset", "retrain"])
    assert (cells.space, cells.drop_path, cells.auxiliary) == ("pnas", 0.2, 0.4)
