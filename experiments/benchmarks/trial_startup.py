"""What a digits trial costs outside its training: interpreter, imports, data, latency measurement. Limit: 4 s.

    python experiments/benchmarks/trial_startup.py [--repeats 5]

Runs the trial as NNI's local training service does, a process of its own with one thread, and splits its wall-clock
time; CPU time is beside it, which a busy machine disturbs less. What heavier imports would cost is measured as well,
since they are what a trial must not do.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

LIMIT_S = 4.0

TRIAL = Path(__file__).resolve().parents[2] / "trial_code" / "train_digits.py"

RESULT = Path(__file__).with_name("results") / "trial_startup.txt"

PARTS = {
    "interpreter": "pass",
    "import torch": "import torch",
    "import nni": "import nni",
    "both": "import torch, nni",
    "digits from the file": "import trial_code.digits as d; d.split_digits()",
}
AVOIDED = {
    "digits through scikit-learn": "from sklearn.datasets import load_digits; load_digits()",
    "torch.optim.SGD": "import torch; torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)",
    "torchvision": "from nni_strategies.compat import load_torchvision; load_torchvision()",
    "nni.nas, which imports lightning": (
        "from nni_strategies.compat import load_torchvision; load_torchvision(); import nni.nas.evaluator.pytorch"
    ),
}


@dataclass(frozen=True)
class Seconds:
    """Of one process."""

    wall: float
    cpu: float


def run(*arguments: str) -> tuple[Seconds, str]:
    """Run one Python process; return its seconds and what it printed."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    before, started = os.times(), time.perf_counter()
    ran = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=True)
    wall, after = time.perf_counter() - started, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Seconds(wall, cpu), ran.stdout


def run_trial() -> tuple[Seconds, Seconds]:
    """Return the seconds of one trial outside its training, and those of the training."""
    whole, printed = run(str(TRIAL))
    found = re.search(r"^training ([\d.]+) s, ([\d.]+) s of CPU", printed, re.MULTILINE)
    assert found, printed
    training = Seconds(float(found[1]), float(found[2]))
    return Seconds(whole.wall - training.wall, whole.cpu - training.cpu), training


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print and write the table, exit with 1 above the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--results", type=Path, default=RESULT, metavar="TXT", help="%(default)s unless given")
    given = parser.parse_args(argv)
    repeats = given.repeats
    if repeats < 1:
        parser.error(f"argument --repeats: {repeats} is not a whole number from 1")

    table = Table(title=f"seconds, median of {repeats} (load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)")
    table.add_column("process")
    for name in ("wall", "slowest", "CPU"):
        table.add_column(name, justify="right")

    def row(name: str, seconds: list[Seconds]) -> None:
        walls, cpus = [s.wall for s in seconds], [s.cpu for s in seconds]
        table.add_row(name, *(f"{s:.2f}" for s in (statistics.median(walls), max(walls), statistics.median(cpus))))

    run_trial()  # fills the file cache
    trials = [run_trial() for _ in range(repeats)]
    row("a trial, outside training", [outside for outside, _ in trials])
    row("a trial, training", [training for _, training in trials])
    for title, programs in (("its parts", PARTS), ("what it avoids", AVOIDED)):
        table.add_section()
        table.add_row(f"[bold]{title}[/]")
        for name, program in programs.items():
            row(name, [run("-c", program)[0] for _ in range(repeats)])
    console = Console(record=True, width=80)
    console.print(table)
    given.results.parent.mkdir(exist_ok=True)
    given.results.write_text(console.export_text())
    spent = statistics.median(outside.wall for outside, _ in trials)
    if spent > LIMIT_S:
        sys.exit(f"a trial spends {spent:.2f} s outside training, more than {LIMIT_S} s")


if __name__ == "__main__":
    main()
