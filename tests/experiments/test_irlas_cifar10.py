"""experiments/irlas_cifar10: what its options become, what it refuses, and, small, all of it on real NNI."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
from nni.nas.execution import SequentialExecutionEngine
from nni.nas.space import SimplifiedModelSpace

from nni_strategies.errors import DataMissing, InvalidArgument
from tests.experiments.search_scripts import (
    EXPERIMENTS,
    REFUSED,
    TINY,
    check_config,
    check_that_it_ends_with_two,
    loaded,
    on_a_machine_with_a_gpu,
    program,
    run,
    searched,
)
from tests.trial_code.test_cifar10_teacher import saved_images

FOLDER = EXPERIMENTS / "irlas_cifar10"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]


@pytest.fixture(scope="module")
def search() -> Any:
    return loaded("irlas_cifar10_search", FOLDER / "search.py")


@pytest.fixture
def small(tmp_path: Path) -> list[str]:
    return ["--small", "--data", f"npz:{saved_images(tmp_path / 'small.npz')}"]


def test_by_default_it_is_for_a_machine_with_gpus(search, monkeypatch, tmp_path):
    words = ["--", "--amp", "--conv", "sep"]
    given, arguments = on_a_machine_with_a_gpu(search, words, tmp_path, monkeypatch)
    assert (given.T, given.trials, given.concurrency, given.gpus, given.mode) == (10, 300, 1, 1, "prior")
    trial = search.train_nsc.options(arguments)
    assert trial.data == f"npz:{tmp_path}/cifar10/cifar10_full_jpeg.npz"
    assert (trial.epochs, trial.optimizer, trial.N, trial.conv, trial.amp) == (12, "adam", (4, 4, 4), "sep", True)


def test_the_experiment_is_what_the_options_say(search, small):
    words = [*small, "--trials", "7", "--T", "3", "--experts", "resnet", "--mode", "paper"]
    given, arguments = search.read_options([*words, "--", *TINY, "--conv", "sep"])
    experiment = search.experiment_of(given, arguments)
    check_config(experiment, 7)
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
        *REFUSED,
        (["--T", "0"], "--T = 0"),
        (["--experts", "resnext", "densnet"], "did you mean 'densenet'"),
        (["--resume", "nosuch", "--", *TINY], '--resume = "nosuch": the id of a NAS experiment that began'),
        (["--", *TINY, "--width", "4"], "--width"),
    ],
)
def test_what_cannot_be_searched_is_refused(search, small, words, named):
    with pytest.raises((InvalidArgument, DataMissing), match=named):
        search.experiment_of(*search.read_options([*small, *words]))


@pytest.mark.integration
@pytest.mark.timeout(400)
def test_from_start_to_a_retrained_network(search, small, tmp_path, monkeypatch):
    experiment = program(tmp_path)
    identity, scores = searched(experiment, FOLDER / "search.py", small)
    run(experiment, "-m", "nni_strategies.cli", "report", identity, "-o", "found")
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
    words = [*small, "--experts", "resnxt"]
    check_that_it_ends_with_two(tmp_path, FOLDER / "search.py", words, 'error: expert = "resnxt": one of')
