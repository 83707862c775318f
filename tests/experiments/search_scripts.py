"""What tests of the experiments' search programs share: how they are loaded and run, and what all of them refuse."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from nni_strategies.bridge.launch import free_port
from nni_strategies.errors import InvalidArgument
from tests.integration.nni_experiment import Experiment

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
#: Options of a trial of seconds, on the images of ``saved_images``.
TINY = ["--max-steps", "2", "--batch-size", "8", "--holdout", "40"]

#: Words that any search refuses -> what its message says.
REFUSED = [
    (["--trials", "0"], "--trials = 0"),
    (["--gpus", "99"], "--gpus = 99"),
    (["--data", "npz:/nowhere.npz"], r"/nowhere\.npz does not exist"),
    (["--", *TINY, "--checkpoint", "one.pt"], "--checkpoint"),  # all trials would share it
    (["--", "--holdout", "500"], "holdout = 500"),
]


def loaded(name: str, path: Path) -> Any:
    """Return a script as a module."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def on_a_machine_with_a_gpu(search: Any, words: list[str], data: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what the options mean there; without the GPU the defaults are refused."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("NNI_STRATEGIES_DATA", str(data))
    read = search.read_options(words)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InvalidArgument, match="--gpus = 1: at most 0, which torch finds here"):
        search.read_options([])
    return read


def check_config(experiment: Any, trials: int) -> None:
    """Check what NNI is told of a small experiment."""
    config = experiment.config.canonical_copy()
    config.validate()  # NNI's own
    assert (config.max_trial_number, config.trial_concurrency, config.trial_gpu_number) == (trials, 2, 0)


def program(folder: Path, **variables: str) -> Experiment:
    """Return the folders and environment of a search."""
    return Experiment(folder, mended=True, variables=variables)


def run(experiment: Experiment, *arguments: str, code: int = 0) -> str:
    """Run Python in the folder of an experiment; return what it says."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=experiment.folder, env=experiment.environment, capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def searched(experiment: Experiment, script: Path, words: list[str]) -> tuple[str, list[str]]:
    """Run two tiny trials; return the experiment's id, and the scores it lists, the best first."""
    given = [*words, "--trials", "2", "--port", str(free_port()), "--", *TINY]
    output = run(experiment, str(script), *given)
    identity = re.search(r"nni_strategies report (\w+)", output)
    assert identity is not None, output
    scores = re.findall(r"^(-?\d\.\d{4}) \{", output, re.MULTILINE)
    assert len(scores) == 2 and scores == sorted(scores, key=float, reverse=True)
    return identity[1], scores


def check_that_it_ends_with_two(folder: Path, script: Path, words: list[str], said: str) -> None:
    """Check that bad input ends a search before anything starts, without a traceback."""
    output = run(program(folder), str(script), *words, "--", *TINY, code=2)
    assert "Traceback" not in output
    assert output.splitlines()[-1].startswith(said)
    assert not list(folder.glob("**/nni.sqlite"))
