"""A digits trial, run as a trial is run."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from search_spaces.digits_cell import LABELS
from trial_code.train_digits import MOMENTUM, WEIGHT_DECAY, descend

HEAVY = ("torchvision", "pytorch_lightning", "sklearn", "nni.nas", "torch._dynamo", "torch._inductor")


def train(checkout: Path, **edges: str) -> tuple[dict[str, Any], list[dict[str, float]], list[str]]:
    """Run the script alone; return its final result, its intermediate ones, and the heavy modules it loaded."""
    configuration = {label: edges.get(label.removeprefix("cell."), "none") for label in LABELS}
    program = (
        "import runpy, sys; sys.argv[0] = 'train_digits.py'; runpy.run_path('train_digits.py', run_name='__main__');"
        f"print('heavy', [name for name in {HEAVY} if name in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, json.dumps(configuration)],
        cwd=checkout / "trial_code",
        capture_output=True,
        text=True,
        check=True,
    )
    lines = ran.stdout.splitlines()
    final = next(json.loads(line.removeprefix("result ")) for line in lines if line.startswith("result "))
    between = [line.split("result: ")[1].split("  (Index")[0] for line in lines if "Intermediate result" in line]
    heavy = next(line.removeprefix("heavy ") for line in lines if line.startswith("heavy "))
    return final, [ast.literal_eval(text) for text in between], ast.literal_eval(heavy)


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_good_cell_learns_the_same_each_time(checkout: Path):
    cell = {"edge_0_1": "skip_connect", "edge_0_3": "nor_conv_3x3", "edge_1_3": "nor_conv_3x3"}
    final, intermediate, heavy = train(checkout, **cell)
    assert set(final) == {"default", "accuracy", "latency_ms", "params", "madds"}
    assert final["default"] == final["accuracy"] > 0.95
    assert final["latency_ms"] > 0
    assert len(intermediate) == 8
    assert intermediate[-1]["default"] == pytest.approx(final["accuracy"], abs=1e-4)
    assert intermediate[-1]["loss"] < intermediate[0]["loss"]
    assert heavy == []

    again, _, _ = train(checkout, **cell)
    assert {**again, "latency_ms": 0} == {**final, "latency_ms": 0}


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_disconnected_cell_trains_to_chance(checkout: Path):
    final, intermediate, _ = train(checkout, edge_0_1="nor_conv_3x3")  # node 1 leads nowhere
    assert 0.05 < final["accuracy"] < 0.16
    assert len(intermediate) == 8


@pytest.mark.timeout(30)
def test_a_wrong_operation_is_named(checkout: Path):
    script = checkout / "trial_code" / "train_digits.py"
    ran = subprocess.run(
        [sys.executable, script, json.dumps(dict.fromkeys(LABELS, "conv"))], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert "cell.edge_0_1" in ran.stderr and "nor_conv_3x3" in ran.stderr


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
