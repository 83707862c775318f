"""A digits trial, run as a trial is run."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from nni_strategies.errors import InvalidConfiguration
from search_spaces.digits_cell import LABELS
from trial_code import train_digits
from trial_code.train_digits import MOMENTUM, WEIGHT_DECAY, descend

HEAVY = ("torchvision", "pytorch_lightning", "sklearn", "nni.nas", "torch._dynamo", "torch._inductor")
GOOD = {"cell.edge_0_1": "skip_connect", "cell.edge_0_3": "nor_conv_3x3", "cell.edge_1_3": "nor_conv_3x3"}


def cell(**edges: str) -> str:
    """Return a configuration as JSON: these operations, nothing on the other edges."""
    return json.dumps({label: edges.get(label, "none") for label in LABELS})


def result(output: str) -> dict[str, Any]:
    return json.loads(next(line for line in output.splitlines() if line.startswith("result ")).removeprefix("result "))


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[str], tuple[Any, int]]:
    """Trains a configuration in this process; returns the final result and the number of epochs."""

    def run(configuration: str) -> tuple[Any, int]:
        monkeypatch.setattr(sys, "argv", ["train_digits.py", configuration])
        train_digits.main()
        output = capsys.readouterr().out
        return result(output), len(re.findall("^epoch ", output, re.MULTILINE))

    return run


@pytest.mark.slow
@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_good_cell_learns_the_same_each_time(checkout: Path, train):
    program = (
        "import runpy, sys; sys.argv[0] = 'train_digits.py'; runpy.run_path('train_digits.py', run_name='__main__');"
        f"print('heavy', [name for name in {HEAVY} if name in sys.modules])"
    )
    command = [sys.executable, "-c", program, cell(**GOOD)]
    ran = subprocess.run(command, cwd=checkout / "trial_code", capture_output=True, text=True, check=True)
    lines = ran.stdout.splitlines()
    between = [line.split("result: ")[1].split("  (Index")[0] for line in lines if "Intermediate result" in line]
    intermediate = [ast.literal_eval(text) for text in between]
    final = result(ran.stdout)
    assert set(final) == {"default", "accuracy", "latency_ms", "params", "madds"}
    assert final["default"] == final["accuracy"] > 0.95
    assert final["latency_ms"] > 0
    assert len(intermediate) == 8
    assert intermediate[-1]["default"] == pytest.approx(final["accuracy"], abs=1e-4)
    assert intermediate[-1]["loss"] < intermediate[0]["loss"]
    assert lines[-1] == "heavy []"

    again, _ = train(cell(**GOOD))  # another process, with another seed of Python's hashes
    assert {**again, "latency_ms": 0} == {**final, "latency_ms": 0}


@pytest.mark.timeout(60)
def test_a_disconnected_cell_trains_to_chance(train):
    final, n_epochs = train(cell(**{"cell.edge_0_1": "nor_conv_3x3"}))  # node 1 leads nowhere
    assert 0.05 < final["accuracy"] < 0.16
    assert n_epochs == 8


def test_a_wrong_operation_is_named(train):
    with pytest.raises(InvalidConfiguration, match=r"cell\.edge_0_1.*nor_conv_3x3"):
        train(json.dumps(dict.fromkeys(LABELS, "conv")))


def test_a_step_is_that_of_torch():
    generator = torch.Generator().manual_seed(0)
    ours = [torch.randn(3, 4, generator=generator), torch.randn(5, generator=generator)]
    theirs = [weight.clone().requires_grad_() for weight in ours]
    velocities = [torch.zeros_like(weight) for weight in ours]
    reference = torch.optim.SGD(theirs, lr=0.1, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY, nesterov=True)
    for _ in range(5):
        gradients = [torch.randn(weight.shape, generator=generator) for weight in ours]
        for weight, gradient in zip(theirs, gradients, strict=True):
            weight.grad = gradient.clone()
        reference.step()
        descend(ours, gradients, velocities, 0.1)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other.detach())
