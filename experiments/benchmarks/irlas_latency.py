"""How well measured latencies repeat, and whether a lookup table ranks networks as they do.

Protocol, fixed before the first run:

- Networks: 20 cells of `search_spaces/digits_cell.py` (the operations and edges of NAS-Bench-201), drawn uniformly
  with `numpy.random.default_rng(0)`, without repetition and without cells whose output nothing reaches; on the CPU 32
  channels and images ``[1, 1, 8, 8]``, on a GPU 64 channels and a batch of 64. One thread on the CPU.
- Repeat error: two processes, one after the other, measure all 20 with `LatencyMeter` (warmup 10, 50 passes). A
  network's error is the difference of its two medians over their mean; the median over the networks is judged, the
  largest is told.
- Table: `LatencyTable` from the layers of all 20, measured in the first process. Kendall's tau-b between its sums and
  the mean of the two medians.

Targets: repeat error at most 8 % on the CPU, 3 % on a GPU; tau at least 0.8. A machine that does other work besides
measures the work: the load average is told.

``python -m experiments.benchmarks.irlas_latency [--device cuda] [--cells 20] [--repeats 50] [--out FILE]``
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from experiments.benchmarks import common
from nni_strategies.irlas.latency import LatencyMeter, device_name
from nni_strategies.irlas.latency_table import LatencyTable, kendall_tau
from nni_strategies.topology.cells import cells_of
from search_spaces.digits_cell import INPUT_SHAPE, LABELS, OPERATIONS, DigitsNet

ROOT = Path(__file__).resolve().parents[2]
CHANNELS = {"cpu": 32, "cuda": 64}
BATCH = {"cpu": 1, "cuda": 64}
LARGEST_ERROR = {"cpu": 0.08, "cuda": 0.03}
LEAST_TAU = 0.8


def cells(n: int) -> list[dict[str, str]]:
    """Draw distinct cells whose output something reaches."""
    rng = np.random.default_rng(0)
    found: dict[tuple[str, ...], dict[str, str]] = {}
    while len(found) < n:
        drawn = tuple(OPERATIONS[i] for i in rng.integers(len(OPERATIONS), size=len(LABELS)))
        configuration = dict(zip(LABELS, drawn, strict=True))
        if cells_of(configuration)["cell"].canonical().predecessors[-1]:
            found[drawn] = configuration
    return list(found.values())


def networks(n: int, device: str) -> list[DigitsNet]:
    """Build the networks."""
    torch.manual_seed(0)
    return [DigitsNet(configuration, CHANNELS[device]) for configuration in cells(n)]


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Measure all networks, and where asked the table's sums."""
    meter = LatencyMeter(given.device, INPUT_SHAPE, BATCH[given.device], repeats=given.repeats)
    made = networks(given.cells, given.device)
    found = [meter.measure(network) for network in made]
    result: dict[str, Any] = {
        "median_ms": [each.median_ms for each in found],
        "unsteady": sum(not each.is_steady for each in found),
    }
    if given.part == "table":
        table = LatencyTable.measured(made, meter)
        result["layers"] = len(table.milliseconds)
        result["table_ms"] = [table.of(network, meter) for network in made]
    return result


def in_a_process(part: str, given: argparse.Namespace) -> dict[str, Any]:
    """Measure in a process of its own."""
    options = ["--device", given.device, "--cells", str(given.cells), "--repeats", str(given.repeats)]
    command = [sys.executable, "-m", "experiments.benchmarks.irlas_latency", "--part", part, *options]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    return dict(json.loads(ran.stdout.splitlines()[-1]))


def report(given: argparse.Namespace) -> str:
    """Measure in two processes, and return the page."""
    first, second = in_a_process("table", given), in_a_process("plain", given)
    pairs = list(zip(first["median_ms"], second["median_ms"], strict=True))
    errors = [abs(a - b) / ((a + b) / 2) for a, b in pairs]
    means = [(a + b) / 2 for a, b in pairs]
    tau = kendall_tau(first["table_ms"], means)
    limit = LARGEST_ERROR[given.device]
    verdicts = [
        (f"repeat error: {100 * median(errors):.1f} % (largest {100 * max(errors):.1f} %), at most {100 * limit:.0f} %",
         median(errors) <= limit),
        (f"Kendall's tau of table and measurement: {tau:.2f}, at least {LEAST_TAU}", tau >= LEAST_TAU),
    ]  # fmt: skip
    lines = [
        "# Latencies: how well they repeat, and a table beside them",
        "",
        f"{device_name(given.device)}; {common.machine()} torch {torch.__version__}. "
        f"{given.cells} cells, {given.repeats} passes; load average {os.getloadavg()[0]:.1f} at the end; "
        f"{first['unsteady']} and {second['unsteady']} measurements stayed unsteady; {first['layers']} kinds of layer.",
        "",
        *[f"- {'reached' if reached else 'MISSED'}: {text}" for text, reached in verdicts],
        "",
        "| cell | process 1 [ms] | process 2 [ms] | difference [%] | table [ms] |",
        "|---|---|---|---|---|",
    ]
    for number, ((a, b), error, summed) in enumerate(zip(pairs, errors, first["table_ms"], strict=True), start=1):
        lines.append(f"| {number} | {a:.3f} | {b:.3f} | {100 * error:.1f} | {summed:.3f} |")
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", type=common.one_of(list(CHANNELS)), default="cpu")
    parser.add_argument("--cells", type=common.at_least(2), default=20)
    parser.add_argument("--repeats", type=common.at_least(3), default=50)
    parser.add_argument("--out", type=Path, default=common.RESULTS / "irlas_latency.md")
    parser.add_argument("--part", choices=("table", "plain"), help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if given.part:
        print(json.dumps(measure(given)))
        return
    given.out.write_text(report(given))
    print(given.out.read_text())


if __name__ == "__main__":
    main()
