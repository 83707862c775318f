"""How much memory it takes to look at a network: the peak of resident memory, less what was resident before.

300 stimuli of 32 x 32 pixels, a network of 12 cheap blocks whose activations are 1.6 to 6 times the budget. Target: at
most the budget and a tenth, inference included, whether all stimuli are one batch or activations are kept for a part of
the layers at a time.

``python -m experiments.benchmarks.rsa_memory 32`` prints one measurement as JSON; it needs a process of its own.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from experiments.benchmarks import common
from nni_strategies.rsa.layers import discover_layers
from nni_strategies.rsa.taps import layer_grams

N_STIMULI, WIDTH, BLOCKS = 300, 16, 12
MB = 2**20
CASES: dict[str, tuple[str, ...]] = {
    "one batch": ("128",),
    "buffered": ("128", "--batch-size", "64"),
    "buffered, less": ("32",),
}
GIVING_BACK = {"MALLOC_MMAP_THRESHOLD_": str(128 * 1024)}  # else glibc keeps freed blocks of up to 32 MB, by chance


class Block(nn.Module):
    """A 1x1 convolution: as much memory as one of 3x3, for a ninth of the time."""

    def __init__(self, n_in: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(n_in, WIDTH, 1)
        self.norm = nn.BatchNorm2d(WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return maps of the same size."""
        return torch.relu(self.norm(self.convolution(x)))


def resident(key: str) -> float:
    """Return resident memory in MB: ``VmRSS`` now, ``VmHWM`` at most."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(key))


def measure(budget: int, batch_size: int | None) -> dict[str, Any]:
    """Look at a network within a budget of so many MB, and return what it took."""
    model = nn.Sequential(*(Block(WIDTH if i else 3) for i in range(BLOCKS)), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model.append(nn.Linear(WIDTH, 10))
    stimuli = torch.rand(N_STIMULI, 3, 32, 32)
    layers = discover_layers(model, stimuli)
    shown = 0

    def count(module: nn.Module, inputs: Any) -> None:
        nonlocal shown
        shown += len(inputs[0])

    layer_grams(model, stimuli[:64], layers, budget=budget * MB)  # whatever is loaded once
    ctypes.CDLL(None).malloc_trim(0)  # what was given back is not resident, or it would be used again unseen
    handle = model.register_forward_pre_hook(count)
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    made = layer_grams(model, stimuli, layers, budget=budget * MB, batch_size=batch_size)
    extra = max(resident("VmHWM") - before, 0.0)
    handle.remove()
    return {
        "budget_mb": budget,
        "extra_mb": round(extra, 1),
        "activations_mb": round(sum(layer.n_features for layer in layers) * N_STIMULI * 4 / MB, 1),
        "passes": shown // N_STIMULI,
        "layers": len(made.grams),
        "sampled": len(made.approximate),
    }


def in_a_process(case: str, by_default: bool = False) -> dict[str, Any]:
    """Return the measurement of a case, as glibc allocates by default or giving back at once what is freed."""
    command = [sys.executable, "-m", "experiments.benchmarks.rsa_memory", *CASES[case]]
    environment = os.environ | ({} if by_default else GIVING_BACK)
    root = common.RESULTS.parents[2]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root, env=environment)
    measured: dict[str, Any] = json.loads(ended.stdout)
    return measured


def main(argv: Sequence[str] | None = None) -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("budget", type=common.at_least(1), help="MB")
    parser.add_argument("--batch-size", type=common.at_least(1))
    given = parser.parse_args(argv)
    torch.set_num_threads(1)
    print(json.dumps(measure(given.budget, given.batch_size)))


if __name__ == "__main__":
    main()
