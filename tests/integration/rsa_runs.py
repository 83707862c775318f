"""What real experiments of the RSA wing share: a teacher, trials without the start of Python, and their results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from torch import nn

from nni_strategies.bridge.rest import Rest
from nni_strategies.rsa.history import FILE
from nni_strategies.rsa.score import TeacherScorer
from nni_strategies.rsa.teacher import load_teacher
from tests.integration.nni_experiment import REPOSITORY
from tests.rsa.test_score import network, teacher_of

HERE = Path(__file__).parent
LAYERS = ("blocks.1", "blocks.2", "head:input")  # of the teacher


def make_teacher(folder: Path) -> str:
    """Build a small teacher and return the path of its file."""
    folder.mkdir()
    teacher_of(network(0), folder, late=True)
    return str(folder / "teacher.json")


@contextmanager
def warm_python() -> Iterator[str]:
    """Yield a command that runs a trial like ``python``, but from a process that has torch and Lightning imported."""
    environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY}:{HERE}", "OMP_NUM_THREADS": "1"}
    program, modules = HERE / "warm_trials.py", ["nni_strategies.bridge.torchvision_first", "pytorch_lightning"]
    with TemporaryDirectory() as folder:  # a socket's name has a hundred characters at most
        address = f"{folder}/socket"
        server = subprocess.Popen([sys.executable, program, "serve", address, *modules], env=environment)
        try:
            yield f"{sys.executable} -SE {program} run {address}"
        finally:
            server.kill()
            server.wait()


def final_metrics(rest: Rest) -> dict[str, dict[str, Any]]:
    """Return what NNI shows as the final result of each trial that has one, by trial."""
    rows = [row for row in rest.get("trial-jobs") if row.get("finalMetricData")]
    return {row["trialJobId"]: json.loads(json.loads(row["finalMetricData"][0]["data"])) for row in rows}


def intermediate_metrics(rest: Rest) -> dict[str, list[dict[str, Any]]]:
    """Return what each trial reported on the way, by trial."""
    found: dict[str, list[dict[str, Any]]] = {}
    for metric in rest.get("metric-data"):
        if metric["type"] == "PERIODICAL":
            found.setdefault(metric["trialJobId"], []).append(json.loads(json.loads(metric["data"])))
    return found


def history(experiment: Path) -> list[dict[str, Any]]:
    """Return the lines that trials of this machine left for each other."""
    (path,) = experiment.rglob(FILE)
    return [json.loads(line) for line in path.read_text().splitlines() if line]


def check_tg(teacher: str, model: nn.Module, experiment: Path, trial: str, shown: dict[str, Any]) -> None:
    """Check a trial's TG against the score of the weights it left."""
    (weights,) = (path for path in experiment.rglob("weights.pt") if trial in path.parts)
    model.load_state_dict(torch.load(weights, weights_only=True))
    result = TeacherScorer(load_teacher(teacher)).score(model)
    assert shown["tg_ok"] == 1
    assert shown["TG"] == pytest.approx(result.tg, abs=1e-6)
    assert {name: shown[f"TG:{name}"] for name in LAYERS} == pytest.approx(result.per_layer, abs=1e-6)
