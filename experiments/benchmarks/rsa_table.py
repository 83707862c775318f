"""Collect what the judges of half-trained digits networks are compared on: see :mod:`.rsa_benefit`.

Each of 140 random cells of the digits space (drawn once, seed 2026) is trained twice (seeds 0 and 1) on the noisy
digits: 8 epochs, learning rate annealed to 0 at the eighth, and again with the learning rate annealed to 0 at epochs 1
and 2. After epochs 1, 2 and 4, and at the end of the annealed runs, a line notes

- P (validation accuracy), CE (validation cross-entropy), TSE (sum of the epochs' mean training losses),
- TG of four teachers of one architecture, wider than the candidates': trained (``real``), untrained, trained on
  shuffled labels, and the one-hot RDM of the stimuli's classes (``onehot``: what the labels alone say). Linear CKA on
  the last stage and the pooled features; for the real teacher also the paper's form, Pearson on all layers.

``final`` is the mean test accuracy after epochs 7 and 8. Lines are appended as they come; a stopped run goes on where
it was. About 15 minutes on 2 cores: ``python -m experiments.benchmarks.rsa_table --part 0 2 & … --part 1 2``, each
into a file of its own, joined by ``rsa_benefit``.
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
from torch.nn import functional as F

from experiments.benchmarks import common
from nni_strategies.rsa.build import activation_teacher, keep_stimuli, network_teacher
from nni_strategies.rsa.score import TeacherScorer
from nni_strategies.rsa.stimuli import Stimuli
from nni_strategies.rsa.teacher import load_teacher
from search_spaces.digits_cell import LABELS, OPERATIONS, DigitsNet
from trial_code.digits_teacher import CHANNELS, EPOCHS
from trial_code.digits_training import accuracy, train
from trial_code.noisy_digits import STIMULI_A_CLASS, Part, noisy_digits, stimuli

CELLS, DRAWN_WITH, SEEDS = 140, 2026, (0, 1)
LOOKS, LAST = (1, 2, 4), 8
ANNEALED = (1, 2)
TEACHERS = ("real", "untrained", "shuffled", "onehot", "paper")


def cells() -> list[dict[str, str]]:
    """Return the architectures, all different."""
    rng = np.random.default_rng(DRAWN_WITH)
    chosen: dict[tuple[int, ...], None] = {}
    while len(chosen) < CELLS:
        chosen.setdefault(tuple(int(i) for i in rng.integers(len(OPERATIONS), size=len(LABELS))))
    return [{label: OPERATIONS[i] for label, i in zip(LABELS, cell, strict=True)} for cell in chosen]


def scorers(data: tuple[Part, Part, Part], folder: Path) -> dict[str, TeacherScorer]:
    """Build the teachers and return what scores candidates by each."""
    kept = keep_stimuli(stimuli(data[1]), folder)
    made: dict[str, TeacherScorer] = {}
    for name in TEACHERS:
        if name == "onehot":
            made[name] = TeacherScorer(load_teacher(_one_hot(kept, folder / name)))
            continue
        torch.manual_seed(1)
        network = DigitsNet(dict.fromkeys(LABELS, "nor_conv_3x3"), CHANNELS)
        labels = data[0].labels
        if name == "shuffled":
            labels = np.random.default_rng(0).permutation(labels)
        if name != "untrained":
            train(network, Part(data[0].images, labels), EPOCHS, seed=1)
            print(f"teacher {name}: test accuracy {accuracy(network, data[2]):.3f}", flush=True)
        options: dict[str, Any] = {"layers": "auto", "method": "pearson"} if name == "paper" else {}
        made[name] = TeacherScorer(load_teacher(network_teacher(network, kept, folder / name, **options)))
    return made


def _one_hot(kept: Stimuli, folder: Path) -> Path:
    _, valid, _ = noisy_digits()
    chosen = np.concatenate([np.flatnonzero(valid.labels == digit)[:STIMULI_A_CLASS] for digit in range(10)])
    labels = valid.labels[np.sort(chosen)]
    return activation_teacher({"labels": np.eye(10)[labels]}, kept, folder)


def runs_of(
    cell: dict[str, str], seed: int, data: tuple[Part, Part, Part], judges: dict[str, TeacherScorer]
) -> list[dict[str, Any]]:
    """Train one architecture with one seed; return a line for each look at it."""
    lines: list[dict[str, Any]] = []
    finals: list[float] = []

    def run(epochs: int, looks: Sequence[int], schedule: str) -> DigitsNet:
        torch.manual_seed(seed)
        network, losses = DigitsNet(cell), []

        def after(epoch: int, loss: float) -> None:
            losses.append(loss)
            if epoch in looks:
                lines.append(look(network, data[1], judges) | {"schedule": schedule, "k": epoch, "tse": -sum(losses)})
            if schedule == "full" and epoch > LAST - 2:
                finals.append(accuracy(network, data[2]))

        train(network, data[0], epochs, seed, after)
        return network

    network = run(LAST, LOOKS, "full")
    for epochs in ANNEALED:
        run(epochs, (epochs,), "annealed")
    known = {
        "cell": " ".join(cell.values()),
        "seed": seed,
        "params": sum(p.numel() for p in network.parameters()),
        "final": round(float(np.mean(finals)), 5),
    }
    return [known | {name: _short(value) for name, value in line.items()} for line in lines]


def look(network: DigitsNet, valid: Part, judges: dict[str, TeacherScorer]) -> dict[str, Any]:
    """Return what every judge says of a network now, higher is better."""
    line: dict[str, Any] = {"p": accuracy(network, valid)}
    with torch.no_grad():
        logits = network(torch.from_numpy(valid.images))
    line["ce"] = -float(F.cross_entropy(logits, torch.from_numpy(valid.labels)))
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
    parser.add_argument("--part", nargs=2, type=int, default=(0, 1), metavar=("I", "N"), help="the I-th of N shares")
    parser.add_argument("--results", type=Path, default=None, help="CSV; rsa_table.csv, or rsa_table_I.csv of a share")
    given = parser.parse_args(argv)
    share, shares = given.part
    if not 0 <= share < shares:
        parser.error(f"--part {share} {shares}: the first of them is 0, the last {shares - 1}")
    name = "rsa_table.csv" if shares == 1 else f"rsa_table_{share}.csv"
    results = given.results if given.results is not None else common.RESULTS / name
    torch.set_num_threads(1)
    looks = Counter((row["cell"], row["seed"]) for row in common.read_rows(results))
    done = {key for key, count in looks.items() if count >= len(LOOKS) + len(ANNEALED)}
    data = noisy_digits()
    with tempfile.TemporaryDirectory() as folder:
        judges = scorers(data, Path(folder))
        for i, cell in enumerate(cells()):
            for seed in SEEDS:
                if i % shares == share and (" ".join(cell.values()), str(seed)) not in done:
                    lines = runs_of(cell, seed, data, judges)
                    for line in lines:
                        common.append_row(results, line)
                    print(f"{i + 1}/{CELLS}, seed {seed}: final {lines[0]['final']}", flush=True)


if __name__ == "__main__":
    main()
