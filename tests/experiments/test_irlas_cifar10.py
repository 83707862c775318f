"""experiments/irlas_cifar10: what its options become, what it refuses, and, small, all of it on real NNI."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
from nni.nas.execution import SequentialExecutionEngine
from nni.nas.space import SimplifiedModelSpace

from nni_strategies.bridge.launch import free_port
from nni_strategies.errors import DataMissing, InvalidArgument
from tests.trial_code.test_cifar10_teacher import saved_images

FOLDER = Path(__file__).resolve().parents[2] / "experiments" / "irlas_cifar10"
TINY = ["--max-steps", "2", "--batch-size", "8", "--holdout", "40"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]


def loaded(name: str, path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def search() -> Any:
    return loaded("irlas_cifar10_search", FOLDER / "search.py")


@pytest.fixture
def small(tmp_path: Path) -> list[str]:
    return ["--small", "--data", f"npz:{saved_images(tmp_path / 'small.npz')}"]


def test_by_default_it_is_for_a_machine_with_gpus(search, monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("NNI_STRATEGIES_DATA", str(tmp_path))
    given, arguments = search.read_options(["--", "--amp", "--conv", "sep"])
    assert (given.T, given.trials, given.concurrency, given.gpus, given.mode) == (10, 300, 1, 1, "prior")
    trial = search.train_nsc.options(arguments)
    assert trial.data == f"npz:{tmp_path}/cifar10/cifar10_full_jpeg.npz"
    assert (trial.epochs, trial.optimizer, trial.N, trial.conv, trial.amp) == (12, "adam", (4, 4, 4), "sep", True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InvalidArgument, match="--gpus = 1: at most 0, which torch finds here"):
        search.read_options([])


def test_the_experiment_is_what_the_options_say(search, small):
    words = [*small, "--trials", "7", "--T", "3", "--experts", "resnet", "--mode", "paper"]
    given, arguments = search.read_options([*words, "--", *TINY, "--conv", "sep"])
    experiment = search.experiment_of(given, arguments)
    config = experiment.config.canonical_copy()
    config.validate()  # NNI's own
    assert (config.max_trial_number, config.trial_concurrency, config.trial_gpu_number) == (7, 2, 0)
    assert experiment.evaluator.function is search.train_nsc.evaluate_candidate
    assert experiment.evaluator.arguments["arguments"] == arguments
    experiment.strategy.initialize(
        SimplifiedModelSpace.from_model(experiment.model_space, experiment.evaluator), SequentialExecutionEngine()
    )
    searcher = experiment.strategy.study.searcher
    assert searcher.space.most == 3
    assert (searcher.config.budget, searcher.config.experts, searcher.config.mode) == (7, ("resnet",), "paper")
    assert "sepconv3" in searcher.scores.projections["resnet"].graph.labels  # what the space's networks are made of


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--trials", "0"], "--trials = 0"),
        (["--T", "0"], "--T = 0"),
        (["--gpus", "99"], "--gpus = 99"),
        (["--experts", "resnext", "densnet"], "did you mean 'densenet'"),
        (["--data", "npz:/nowhere.npz"], r"/nowhere\.npz does not exist"),
        (["--resume", "nosuch", "--", *TINY], '--resume = "nosuch": the id of a NAS experiment that began'),
        (["--", *TINY, "--checkpoint", "one.pt"], "--checkpoint"),  # all trials would share it
        (["--", *TINY, "--width", "4"], "--width"),
        (["--", "--holdout", "500"], "holdout = 500"),
    ],
)
def test_what_cannot_be_searched_is_refused(search, small, words, named):
    with pytest.raises((InvalidArgument, DataMissing), match=named):
        search.experiment_of(*search.read_options([*small, *words]))


def run(experiment: Any, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=experiment.folder, env=experiment.environment, capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.integration
@pytest.mark.timeout(400)
def test_from_start_to_a_retrained_network(search, small, tmp_path, monkeypatch):
    from tests.integration.nni_experiment import Experiment

    program = Experiment(tmp_path, mended=True, variables={})
    words = ["--trials", "2", "--port", str(free_port())]
    output = run(program, str(FOLDER / "search.py"), *small, *words, "--", *TINY)
    identity = re.search(r"nni_strategies report (\w+)", output)
    assert identity is not None, output
    scores = re.findall(r"^(0\.\d{4}) \{", output, re.MULTILINE)
    assert len(scores) == 2 and scores == sorted(scores, reverse=True)

    run(program, "-m", "nni_strategies.cli", "report", identity[1], "-o", "found")
    best = json.loads((tmp_path / "found" / "best.json").read_text())
    assert f"{best['metric']:.4f}" == scores[0]
    network = loaded("irlas_best_py", tmp_path / "found" / "best.py").build()
    used = {weight for weight in network.parameters() if weight.requires_grad}
    assert sum(weight.numel() for weight in used) == best["metrics"]["params"]

    finals: list[Any] = []
    monkeypatch.setattr("nni.report_final_result", finals.append)
    frame = ["--N", "1", "1", "1", "--widths", "4", "8", "16"]
    found = ["--arch", str(tmp_path / "found" / "best.json"), "--data", small[2], *TINY, *frame]
    search.train_nsc.main(["--preset", "retrain", *found, "--epochs", "1"])
    assert finals[0]["params"] == best["metrics"]["params"]


@pytest.mark.integration
def test_bad_input_ends_with_two_before_anything_starts(small, tmp_path):
    from tests.integration.nni_experiment import Experiment

    program = Experiment(tmp_path, mended=True, variables={})
    output = run(program, str(FOLDER / "search.py"), *small, "--experts", "resnxt", code=2)
    assert "Traceback" not in output
    assert output.splitlines()[-1].startswith('error: expert = "resnxt": one of')
    assert not list(tmp_path.glob("**/nni.sqlite"))
