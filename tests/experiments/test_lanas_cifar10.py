"""experiments/lanas_cifar10: its files say what the hub and the trial script say, and it runs, small, on real NNI."""

from __future__ import annotations

import functools
import importlib.util
import itertools
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from nni_strategies.bridge.launch import free_port
from nni_strategies.bridge.validate import validate_config
from nni_strategies.errors import DataMissing, InvalidArgument
from trial_code import train_nasnet
from trial_code.images import Loading, load_images

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDER = CHECKOUT / "experiments" / "lanas_cifar10"
TINY = ["--max-steps", "2", "--epochs", "2", "--cells", "3", "--width", "4", "--batch-size", "8"]
N_CLASSES = 12  # not the ten that the hub's network has


@pytest.fixture
def config() -> dict[str, Any]:
    return dict(yaml.safe_load((FOLDER / "config.yml").read_text()))


def save_images(path: Path) -> Path:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (64, 32, 32, 3), dtype=np.uint8), np.arange(64) % N_CLASSES
    np.savez(path, x_train=x[:40], y_train=y[:40], x_test=x[40:], y_test=y[40:])
    return path


@pytest.fixture(scope="module")
def search() -> Any:
    spec = importlib.util.spec_from_file_location("lanas_cifar10_search", FOLDER / "search.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    # the same arguments, the same space: to build one takes a second, and nothing here changes one
    module.hub = SimpleNamespace(NASNet=functools.cache(module.hub.NASNet))
    return module


# -- what the files say ---------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_the_search_space_is_the_hubs(search):
    hub = search.hub.NASNet(width=(16,), num_cells=(3,)).simplify()
    assert hub.pop("width").values == [16] and hub.pop("depth").values == [3]  # options of the trial
    ours = json.loads((FOLDER / "search_space.json").read_text())
    assert {spec["_type"] for spec in ours.values()} == {"choice"}
    assert {label: spec["_value"] for label, spec in ours.items()} == {
        label: list(mutable.values) for label, mutable in hub.items()
    }
    inputs = [mutable for label, mutable in hub.items() if "/input_" in label]
    assert len(inputs) == 20 and {mutable.n_chosen for mutable in inputs} == {1}  # one integer says it


@pytest.mark.timeout(30)
def test_the_configuration_is_valid(config):
    assert validate_config(FOLDER / "config.yml").problems == []
    words = shlex.split(config["trialCommand"])
    given = train_nasnet.options(words[words.index("trial_code.train_nasnet") + 1 :])
    assert (given.preset, given.epochs, given.width, given.cells, given.holdout) == ("proxy", 20, 16, 8, 5000)
    assert given.amp and given.arch is None


def test_a_missing_gpu_is_said_before_the_start(tmp_path, monkeypatch):
    def advice() -> list[str]:
        return [line for line in validate_config(FOLDER / "config.yml").advice if "trialGpuNumber = 1" in line]

    monkeypatch.setenv("PATH", str(tmp_path))
    assert len(advice()) == 1
    (tmp_path / "nvidia-smi").touch(mode=0o755)  # what a driver brings
    assert advice() == []


@pytest.mark.timeout(30)
def test_a_tilde_in_the_data_sets_name_is_the_home_folder(config, tmp_path, monkeypatch):
    name = shlex.split(config["trialCommand"])[-1]
    assert name == "cifar10:~/data/cifar10"
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(DataMissing, match=f"{tmp_path}/data/cifar10 does not exist"):
        load_images(name, Loading())
    (tmp_path / "data" / "cifar10").mkdir(parents=True)
    with pytest.raises(DataMissing, match=f"{tmp_path}/data/cifar10 holds no cifar10"):  # torchvision's word
        load_images(name, Loading())


# -- search.py ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_search_py_describes_the_experiment(search, tmp_path):
    data = f"npz:{save_images(tmp_path / 'small.npz')}"
    small = [*TINY, "--holdout", "16"]
    given, arguments = search.read_options(["--data", data, "--trials", "5", "--gpus", "1", "--", *small])
    experiment = search.experiment_of(given, arguments)
    config = experiment.config.canonical_copy()
    config.validate()  # NNI's own; it wants use_active_gpu beside trial_gpu_number
    assert (config.max_trial_number, config.trial_concurrency, config.trial_gpu_number) == (5, 4, 1)
    assert experiment.evaluator.trace_kwargs["arguments"] == ["--data", data, "--preset", "proxy", *small]

    for words, field in (
        (["--data", "npz:/nowhere.npz"], "/nowhere.npz"),
        (["--data", data, "--trials", "0"], "--trials = 0"),
        (["--data", data, "--resume", "nosuch", "--", *small], '--resume = "nosuch"'),
        (["--data", data, "--", *small, "--checkpoint", "one.pt"], "--checkpoint"),  # all trials would share it
        (["--data", data], "holdout = 5000"),  # more than there are images
    ):
        with pytest.raises((InvalidArgument, DataMissing), match=field):
            search.experiment_of(*search.read_options(words))


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_the_space_follows_the_images(search, tmp_path):
    from PIL import Image

    for part, name in itertools.product(("train", "val"), ("ant", "bee")):
        (tmp_path / "folders" / part / name).mkdir(parents=True)
        Image.new("RGB", (240, 240)).save(tmp_path / "folders" / part / name / "0.JPEG")
    small = f"npz:{save_images(tmp_path / 'small.npz')}"
    options = ["--holdout", "16", "--cells", "3", "--width", "4"]
    cifar = search.model_space(["--data", small, *options])
    imagenet = search.model_space(["--data", f"imagenet:{tmp_path / 'folders'}", *options])
    assert (cifar.dataset, imagenet.dataset) == ("cifar", "imagenet")
    candidates = [{k: list(m.values) for k, m in space.simplify().items()} for space in (cifar, imagenet)]
    assert candidates[0] == candidates[1]  # the same space to search


@pytest.mark.slow
@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_candidate_gets_the_classes_and_the_head_it_needs(search, tmp_path):
    arguments = ["--data", f"npz:{save_images(tmp_path / 'small.npz')}", *TINY, "--holdout", "16"]
    arguments += ["--auxiliary", "0.4", "--drop-path", "0.3", "--ema", "0.9", "--epochs", "1"]
    space = search.model_space(arguments)

    def trained(seed: int) -> Any:
        sample = {label: mutable.default() for label, mutable in space.simplify().items()}
        torch.manual_seed(seed)  # NNI builds the model before the evaluator can set a seed
        model = space.freeze(sample)
        train_nasnet.evaluate_candidate(model, arguments)
        return model

    one, other = trained(1), trained(2)
    assert one.classifier.out_features == one.auxiliary_head.classifier.out_features == N_CLASSES
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


# -- the whole of it ------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.timeout(300)
def test_launch_report_retrain(config, tmp_path):
    from tests.integration.nni_experiment import Experiment, run_experiment

    save_images(tmp_path / "small.npz")
    config["searchSpaceFile"] = str(FOLDER / config["searchSpaceFile"])
    config["trialCodeDirectory"] = str(CHECKOUT)
    command = config["trialCommand"].replace("cifar10:~/data/cifar10", "npz:~/small.npz")
    config["trialCommand"] = " ".join([command, *TINY, "--holdout", "16"])
    config.update(maxTrialNumber=2, trialConcurrency=2, trialGpuNumber=0)
    config["tuner"] = {"name": "LaNAS", "classArgs": config["tuner"]["classArgs"]}
    run(Experiment(tmp_path, mended=True, variables={}), "-m", "nni_strategies.cli", "register")

    with run_experiment(config, tmp_path) as experiment:
        experiment.wait_for("DONE", deadline=200)
        rows = experiment.trials()
        assert [row["status"] for row in rows] == ["SUCCEEDED"] * 2
        metrics = experiment.rest.get("metric-data")
        assert sorted((m["type"], m["sequence"]) for m in metrics) == [
            *[("FINAL", 0)] * 2, *[("PERIODICAL", 0)] * 2, *[("PERIODICAL", 1)] * 2,
        ]  # fmt: skip
        finals = {m["trialJobId"]: json.loads(json.loads(m["data"])) for m in metrics if m["type"] == "FINAL"}
        journal = {trial["trial"]: trial["configuration"] for trial in experiment.journal("proposed")}
        shown = [json.loads(row["hyperParameters"][0])["parameters"] for row in rows]
        assert sorted(map(str, shown)) == sorted(map(str, journal.values()))

    report = ["-m", "nni_strategies.cli", "report", experiment.id, "-e", str(experiment.experiments), "-o", "found"]
    run(experiment, *report)
    best = json.loads((tmp_path / "found" / "best.json").read_text())
    assert best["metric"] == max(final["default"] for final in finals.values())
    assert best["metrics"] == finals[best["nni_trials"][0]]

    retrain = ["--preset", "retrain", "--amp", "--data", "npz:~/small.npz", "--checkpoint", "retrain.pt"]
    run(experiment, "-m", "trial_code.train_nasnet", *retrain, "--arch", "found/best.json", *TINY, "--epochs", "1")
    saved = torch.load(tmp_path / "retrain.pt", weights_only=True)
    assert saved["epoch"] == 1 and "averaged" in saved
    assert set(saved["sample"]) == set(best["configuration"])


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.timeout(300)
def test_search_py_from_start_to_best_py(tmp_path):
    from tests.integration.nni_experiment import Experiment

    save_images(tmp_path / "small.npz")
    program = Experiment(tmp_path, mended=True, variables={})  # for its folders and environment
    size = ["--trials", "2", "--concurrency", "2", "--port", str(free_port())]
    output = run(
        program, str(FOLDER / "search.py"), "--data", "npz:~/small.npz", *size, "--", *TINY, "--holdout", "16"
    )
    identity = re.search(r"nni_strategies report (\w+)", output)
    assert identity is not None, output
    scores = re.findall(r"^(0\.\d{4}) \{", output, re.MULTILINE)
    assert len(scores) == 2 and scores[0] >= scores[1]

    run(program, "-m", "nni_strategies.cli", "report", identity[1], "-o", "found")
    best = json.loads((tmp_path / "found" / "best.json").read_text())
    assert f"{best['metric']:.4f}" == scores[0]
    assert run(program, "found/best.py").startswith("NASNet(")


def run(experiment: Any, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=experiment.folder, env=experiment.environment, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
