"""experiments/rsa_it: its files, one trial checked by hand, what missing data do, and a real experiment, small."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import nni
import numpy as np
import pytest
import torch
import yaml

from nni_strategies.bridge.validate import validate_config
from nni_strategies.errors import DataMissing
from nni_strategies.lanas.tuner import LaNASTuner
from nni_strategies.rsa import build_teacher
from nni_strategies.rsa.rdm import upper
from nni_strategies.rsa.similarity import compare
from nni_strategies.rsa.stimuli import Transform
from nni_strategies.rsa.teacher import load_teacher
from search_spaces.layered_conv import LayeredConvNet, check, configuration_of, search_space
from trial_code import train_it
from trial_code.digits_training import accuracy, train
from trial_code.resnet_cifar import INPUT_MEAN, INPUT_STD
from trial_code.small_cifar import SMALL, small_cifar
from trial_code.teacher_it import LAYERS, it_file, it_teacher

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDER = CHECKOUT / "experiments" / "rsa_it"
KEYS = {"default", "P", "TG", "TG:monkey_IT", "TG:human_IT", "ceiling:human_IT:lower", "ceiling:human_IT:upper"}
LAYER = {"kernel": 3, "filters": 16, "pool": "avg", "skip": 1}
POINT = {"depth": {"_name": "2", **{f"layer_{i}.{option}": value for i in (1, 2) for option, value in LAYER.items()}}}


@pytest.fixture
def config() -> dict[str, Any]:
    return dict(yaml.safe_load((FOLDER / "config.yml").read_text()))


# -- what the files say ---------------------------------------------------------------------------


@pytest.mark.timeout(30)
def test_the_configuration_is_valid(config):
    assert validate_config(FOLDER / "config.yml").problems == []
    assert config["tuner"] == {"name": "TPE", "classArgs": {"optimize_mode": "maximize", "seed": 0}}
    assert (CHECKOUT / "trial_code" / config["trialCommand"].split()[-1]).is_file()


def test_the_search_space_is_layered_conv_and_lanas_takes_it_too(config, tmp_path, monkeypatch):
    ours = json.loads((FOLDER / config["searchSpaceFile"]).read_text())
    assert ours == search_space(depths=(2, 3, 4), filters=(16, 32))
    monkeypatch.chdir(tmp_path)
    tuner = LaNASTuner(**config["tuner"]["classArgs"])
    tuner.update_search_space(ours)
    for number in range(5):
        check(configuration_of(tuner.generate_parameters(number)))


# -- the teacher ----------------------------------------------------------------------------------


def test_the_teacher_is_it(data, tmp_path):
    teacher = load_teacher(it_teacher(tmp_path, SMALL))
    with np.load(it_file(), allow_pickle=False) as file:
        for layer, entry in LAYERS.items():
            assert teacher.rdms[teacher.spec.layers.index(layer)] == pytest.approx(file[entry], abs=1e-6)
    assert teacher.spec.ceilings == {"human_IT": pytest.approx((0.3944, 0.6804), abs=1e-3)}
    assert list(tmp_path.glob("*.npz")) == [tmp_path / "teacher.npz"]  # the photographs stay where they are
    assert teacher.spec.stimuli.load().shape == (92, 3, 16, 16)


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_trained_network_is_as_like_it_as_the_readme_says(data, tmp_path):
    weights = data / "resnet_cifar10" / "resnet56-4bfd9763.th"
    photographs = Transform(size=32, mean=INPUT_MEAN, std=INPUT_STD)
    options = {"network": "trial_code.resnet_cifar:resnet56", "layers": "auto", "method": "pearson"}
    trained = load_teacher(build_teacher(it_file(), tmp_path / "a", transform=photographs, weights=weights, **options))
    brain = load_teacher(it_teacher(tmp_path, photographs))
    found = dict(zip(trained.spec.layers, compare(trained.rdms, brain.rdms, "pearson").tolist(), strict=True))
    printed = [line.split() for line in (FOLDER / "README.md").read_text().splitlines()]
    shown = {words[0]: [float(x) for x in words[1:]] for words in printed if len(words) == 3 and words[0] in found}
    assert shown.keys() == found.keys()
    assert all(found[layer] == pytest.approx(values, abs=2e-3) for layer, values in shown.items())


# -- a trial --------------------------------------------------------------------------------------


def by_hand(network: LayeredConvNet) -> list[float]:
    """Return how alike to monkey and human IT a network's best layer is, with nothing of the wing but its images."""
    with np.load(it_file(), allow_pickle=False) as file:
        images, areas = file["images"], [file[entry] for entry in LAYERS.values()]
    activations, features = [], SMALL(images)
    with torch.no_grad():
        for layer in network.eval().layers:
            features = layer(features)
            activations.append(features.flatten(1))
        activations.append(features.mean(dim=(2, 3)))
    rdms = [upper(1.0 - np.corrcoef(layer.double().numpy())) for layer in activations]
    return [max(np.corrcoef(rdm, area)[0, 1] for rdm in rdms) for area in areas]


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_trial_reports_likeness_and_ceiling(data, tmp_path, monkeypatch, capsys):
    told = []
    monkeypatch.setattr(train_it, "IMAGES_A_CLASS", 20)
    monkeypatch.setenv("NNI_OUTPUT_DIR", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["train_it.py", json.dumps(POINT)])
    channel = nni.runtime.trial_command_channel.get_default_trial_command_channel()
    monkeypatch.setattr(
        type(channel), "send_metric", lambda self, *given, **named: told.append((*given, *named.values()))
    )
    train_it.main()

    metrics = [metric[-1] for metric in told]
    assert [metric[0] for metric in told] == ["PERIODICAL", "PERIODICAL", "FINAL"]
    assert all(metric.keys() >= KEYS for metric in metrics)
    final = metrics[-1]
    assert final["default"] == pytest.approx(final["P"] + final["TG"])
    assert final["TG"] == pytest.approx((final["TG:monkey_IT"] + final["TG:human_IT"]) / 2)

    torch.manual_seed(train_it.SEED)
    network = LayeredConvNet(configuration_of(POINT))
    learned, held_out, _ = small_cifar()
    train(network, learned.of_each_class(20).small(), train_it.EPOCHS, train_it.SEED, batch_size=train_it.BATCH_SIZE)
    assert final["P"] == accuracy(network, held_out.small())
    assert [final["TG:monkey_IT"], final["TG:human_IT"]] == pytest.approx(by_hand(network), abs=1e-5)
    said = capsys.readouterr().out
    assert f"TG:human_IT {final['TG:human_IT']:.3f}; noise ceiling 0.394 to 0.680" in said
    assert f"TG:monkey_IT {final['TG:monkey_IT']:.3f}; noise ceiling not known" in said


@pytest.mark.parametrize(("missing", "folder"), [("brain_92images", "cifar10"), ("cifar10", "brain_92images")])
def test_missing_data_are_named_before_any_training(data, tmp_path, monkeypatch, missing, folder):
    (tmp_path / folder).symlink_to(data / folder)
    monkeypatch.setenv("NNI_STRATEGIES_DATA", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["train_it.py", json.dumps(POINT)])
    small_cifar.cache_clear()
    with pytest.raises(DataMissing, match=f"{tmp_path / missing}.*NNI_STRATEGIES_DATA"):
        train_it.main()


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_trial_without_data_ends_with_two(tmp_path, monkeypatch):
    monkeypatch.setenv("NNI_STRATEGIES_DATA", str(tmp_path))
    ended = subprocess.run([sys.executable, "train_it.py"], cwd=CHECKOUT / "trial_code", capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1].startswith("error: the RDMs of IT are not at")
    assert "Traceback" not in ended.stderr


# -- the whole of it ------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.timeout(300)
def test_a_real_experiment(data, config, tmp_path):
    from tests.integration.nni_experiment import run_experiment

    config["searchSpaceFile"] = str(FOLDER / config["searchSpaceFile"])
    config["trialCodeDirectory"] = str(CHECKOUT / "trial_code")
    config["trialCommand"] = f"{sys.executable} train_it.py"
    config.update(maxTrialNumber=2)
    with run_experiment(config, tmp_path, variables={"NNI_STRATEGIES_DATA": str(data)}) as experiment:
        experiment.wait_for("DONE", deadline=240)
        rows = experiment.trials()
        assert [row["status"] for row in rows] == ["SUCCEEDED"] * 2
        for row in rows:
            final = json.loads(json.loads(row["finalMetricData"][0]["data"]))
            assert final.keys() >= KEYS
            assert final["default"] == pytest.approx(final["P"] + (final["TG:monkey_IT"] + final["TG:human_IT"]) / 2)
            check(configuration_of(json.loads(row["hyperParameters"][0])["parameters"]))
