"""Collect what the judges of half-trained networks are compared on: see :mod:`.rsa_benefit`, :mod:`.rsa_settings`.

Each of 140 random cells of the digits space (drawn once, seed 2026) is trained twice (seeds 0 and 1): 8 epochs (24 with
few labels), learning rate annealed to 0 at the last, and again with the learning rate annealed to 0 at the two shorter
lengths. At each look (epochs 1, 2 and 4 of 8, or 3, 6 and 12 of 24; the ends of the annealed runs) a line notes

- P (validation accuracy), CE (validation cross-entropy), TSE (sum of the epochs' mean training losses),
- TG of each teacher of the setting.

``final`` is the mean test accuracy after the last two epochs. Lines are appended as they come; a stopped run goes on
where it was. Processor time on one core: digits half an hour, cifar10 about two hours, few_labels about half an hour.
``python -m experiments.benchmarks.rsa_table --setting cifar10 --part 0 2 & … --part 1 2``, each into a file of its own,
joined by ``rsa_benefit``.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from experiments.benchmarks import common
from experiments.benchmarks.rsa_settings import LOOKS, Setting, scorers, setting
from nni_strategies.rsa.score import TeacherScorer
from search_spaces.digits_cell import LABELS, OPERATIONS
from trial_code.digits_training import accuracy, cross_entropy, train
from trial_code.noisy_digits import Part

CELLS, DRAWN_WITH, SEEDS = 140, 2026, (0, 1)


def cells() -> list[dict[str, str]]:
    """Return the architectures, all different."""
    rng = np.random.default_rng(DRAWN_WITH)
    chosen: dict[tuple[int, ...], None] = {}
    while len(chosen) < CELLS:
        chosen.setdefault(tuple(int(i) for i in rng.integers(len(OPERATIONS), size=len(LABELS))))
    return [{label: OPERATIONS[i] for label, i in zip(LABELS, cell, strict=True)} for cell in chosen]


def runs_of(cell: dict[str, str], seed: int, chosen: Setting, judges: dict[str, TeacherScorer]) -> list[dict[str, Any]]:
    """Train one architecture with one seed; return a line for each look at it."""
    lines: list[dict[str, Any]] = []
    finals: list[float] = []
    learnt, valid, test = chosen.parts

    def run(epochs: int, looks: Sequence[int], schedule: str) -> nn.Module:
        torch.manual_seed(seed)
        network, losses = chosen.network(cell), []

        def after(epoch: int, loss: float) -> None:
            losses.append(loss)
            if epoch in looks:
                lines.append(look(network, valid, judges) | {"schedule": schedule, "k": epoch, "tse": -sum(losses)})
            if schedule == "full" and epoch > chosen.epochs - 2:
                finals.append(accuracy(network, test))

        train(network, learnt, epochs, seed, after, chosen.batch_size)
        return network

    network = run(chosen.epochs, chosen.looks, "full")
    for epochs in chosen.annealed:
        run(epochs, (epochs,), "annealed")
    known = {
        "cell": " ".join(cell.values()),
        "seed": seed,
        "params": sum(p.numel() for p in network.parameters()),
        "final": round(float(np.mean(finals)), 5),
    }
    return [known | {name: _short(value) for name, value in line.items()} for line in lines]


def look(network: nn.Module, valid: Part, judges: dict[str, TeacherScorer]) -> dict[str, Any]:
    """Return what every judge says of a network now, higher is better."""
    line: dict[str, Any] = {"p": accuracy(network, valid), "ce": -cross_entropy(network, valid)}
    seconds = 0.0
    for name, judge in judges.items():
        result = judge.score(network)
        line[f"tg_{name}"] = result.tg
        seconds += result.seconds
    return line | {"tg_seconds": seconds / len(judges)}


def _short(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value


def main(argv: Sequence[str] | None = None) -> None:
    """Train what the file does not hold yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setting", choices=list(LOOKS), default="digits")
    parser.add_argument("--part", nargs=2, type=int, default=(0, 1), metavar=("I", "N"), help="the I-th of N shares")
    parser.add_argument("--results", type=Path, default=None, help="CSV; rsa_table_SETTING_I.csv unless given")
    given = parser.parse_args(argv)
    share, shares = given.part
    if not 0 <= share < shares:
        parser.error(f"--part {share} {shares}: the first of them is 0, the last {shares - 1}")
    results = given.results if given.results is not None else common.RESULTS / f"rsa_table_{given.setting}_{share}.csv"
    torch.set_num_threads(1)
    looks = Counter((row["cell"], row["seed"]) for row in common.read_rows(results))
    done = {key for key, count in looks.items() if count >= len(LOOKS[given.setting])}
    chosen = setting(given.setting)
    with tempfile.TemporaryDirectory() as folder:
        judges = scorers(given.setting, chosen, Path(folder))
        for seed in SEEDS:
            for i, cell in enumerate(cells()):
                if i % shares == share and (" ".join(cell.values()), str(seed)) not in done:
                    lines = runs_of(cell, seed, chosen, judges)
                    for line in lines:
                        common.append_row(results, line)
                    print(f"{i + 1}/{CELLS}, seed {seed}: final {lines[0]['final']}", flush=True)


if __name__ == "__main__":
    main()
