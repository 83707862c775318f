"""Whether a supernet's score ranks architectures as training them alone does, and what a score costs.

Rank: 30 cells of the digits space, drawn at random (seed 0) among those whose output depends on the input, on the hard
digits of :mod:`trial_code.noisy_digits`. Each is trained alone three times (12 epochs, seeds 0 to 2), its accuracy the
mean; three supernets (seeds 0 to 2) are trained for 100 epochs by uniform paths, the default recipe, batches of 16.
Accuracies and scores are of the 1,097 images that neither learned. Ceiling: how two trainings of the same cells agree.

Targets, written before the first run:

- Kendall's tau of score and accuracy, mean over the supernets, at least 0.5; Spearman's rho at least 0.65
- statistics of the batch rank at least as well as the ones that training stored, which NNI's evaluation uses
- scores a second: at least 3 times NNI's documented way, at least 1.5 times its leanest (:mod:`.supernet_speed`)
- memory: no more than NNI's documented way on the digits, its leanest on DARTS's space

Added after the first run, without a target: ``TG``, how much a path resembles the teacher of
:mod:`trial_code.digits_teacher` (:mod:`nni_strategies.rsa.supernet_scores`), of the same cells and supernets.

``python -m experiments.benchmarks.supernet_rank rank`` and ``… speed`` append to ``supernet_rank.csv`` and
``supernet_speed.csv`` what is not there yet; ``… table`` writes ``supernet_rank.md``.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
import numpy as np
import torch
from scipy import stats

from experiments.benchmarks import common
from experiments.benchmarks.supernet_speed import CASES, in_own_process
from nni_strategies.rsa.supernet_scores import SupernetTeacherScorer
from nni_strategies.rsa.teacher import load_teacher
from nni_strategies.space.search_space import Configuration
from nni_strategies.supernet.network import Supernet
from nni_strategies.supernet.scorer import Scorer
from nni_strategies.supernet.training import ImageBatches, Recipe, train
from search_spaces.digits_cell import EDGES, LABELS, DigitsNet
from search_spaces.digits_cell_nas import DigitsCellSpace
from trial_code import digits_training
from trial_code.digits_teacher import teacher_file
from trial_code.noisy_digits import Part, noisy_digits

N_CELLS, SEEDS, EPOCHS_ALONE, EPOCHS, ROUNDS = 30, (0, 1, 2), 12, 100, 3
TAU, RHO, TIMES_DOCUMENTED, TIMES_LEANEST = 0.5, 0.65, 3.0, 1.5
SCORES = ("batch", "recalibrated", "stored", "TG")
RANK, SPEED = common.RESULTS / "supernet_rank.csv", common.RESULTS / "supernet_speed.csv"


def alive(configuration: Configuration) -> bool:
    """Whether the last node of a cell depends on the first."""
    reached = {0}
    for (source, target), label in sorted(zip(EDGES, LABELS, strict=True)):
        if source in reached and configuration[label] != "none":
            reached.add(target)
    return 3 in reached


def cells(n: int) -> list[Configuration]:
    """Return the cells that are compared."""
    space, rng = Supernet(DigitsCellSpace()).space, np.random.default_rng(0)
    return list(itertools.islice((c for c in iter(lambda: space.sample(rng), None) if alive(c)), n))


def held_out() -> tuple[Part, Part]:
    """Return the images that are learned, and those that are not."""
    learned, *others = noisy_digits()
    images, labels = (np.concatenate([getattr(part, name) for part in others]) for name in ("images", "labels"))
    return learned, Part(images, labels)


def accuracy_alone(configuration: Configuration, seed: int) -> float:
    """Train a cell alone."""
    learned, judged = held_out()
    torch.manual_seed(seed)
    network = DigitsNet(configuration)
    digits_training.train(network, learned, EPOCHS_ALONE, seed)
    return digits_training.accuracy(network, judged)


def supernet_scores(seed: int, compared: Sequence[Configuration], epochs: int) -> dict[str, list[float]]:
    """Train a supernet and return the scores of cells, with the statistics of the batch, anew, and as stored."""
    learned, judged = held_out()
    images, labels = torch.from_numpy(learned.images), torch.from_numpy(learned.labels)
    supernet = Supernet.built(DigitsCellSpace, seed)
    train(supernet, ImageBatches(images, labels, 16, seed), Recipe(epochs=epochs, seed=seed))
    batches = list(zip(*(torch.from_numpy(part).split(256) for part in (judged.images, judged.labels)), strict=True))
    scores = {
        "batch": Scorer(supernet, batches).scores(compared).tolist(),
        "recalibrated": Scorer(supernet, batches, "recalibrated", images.split(100)).scores(compared).tolist(),
    }
    scores["stored"] = [digits_training.accuracy(supernet.set(cell), judged) for cell in compared]
    with tempfile.TemporaryDirectory() as folder:
        scorer = SupernetTeacherScorer(supernet, load_teacher(teacher_file(Path(folder))))
        return {**scores, "TG": scorer.scores(compared).tolist()}


def run_rank(n: int, seeds: Sequence[int], epochs: int) -> None:
    """Append a row for each training that is not there yet."""
    compared = cells(n)
    known = {(row["what"], row["cell"], row["seed"]) for row in common.read_rows(RANK)}
    for number, seed in itertools.product(range(n), seeds):
        if ("alone", str(number), str(seed)) not in known:
            value = accuracy_alone(compared[number], seed)
            append("alone", number, seed, value, compared[number])
    for seed in seeds:
        if any((what, "0", str(seed)) not in known for what in SCORES):
            for what, scores in supernet_scores(seed, compared, epochs).items():
                for number, value in enumerate(scores):
                    if (what, str(number), str(seed)) not in known:
                        append(what, number, seed, value, compared[number])


def append(what: str, number: int, seed: int, value: float, configuration: Configuration) -> None:
    told = "|".join(configuration[label] for label in LABELS)
    common.append_row(RANK, {"what": what, "cell": number, "seed": seed, "value": round(value, 4), "operations": told})


def run_speed(rounds: int) -> None:
    """Append measurements; the ways take turns, since the machine is shared."""
    known = {(row["round"], row["space"], row["way"]) for row in common.read_rows(SPEED)}
    for number, (space, way) in itertools.product(range(rounds), CASES):
        if (str(number), space, way) in known:
            continue
        print(json.dumps(row := {"round": number, **in_own_process(space, way)}), flush=True)
        common.append_row(SPEED, row)


def values(rows: Sequence[dict[str, str]], what: str) -> dict[int, np.ndarray[Any, Any]]:
    """Return the values of cells, in order, by seed."""
    found: dict[int, dict[int, float]] = {}
    for row in rows:
        if row["what"] == what:
            found.setdefault(int(row["seed"]), {})[int(row["cell"])] = float(row["value"])
    return {seed: np.array([by_cell[i] for i in sorted(by_cell)]) for seed, by_cell in found.items()}


def rank_lines(rows: Sequence[dict[str, str]], targets: list[str]) -> list[str]:
    """Return the table of rank correlations."""
    alone = values(rows, "alone")
    truth = np.mean(list(alone.values()), axis=0)
    head = "| score | Kendall tau, by seed | mean | Spearman rho, by seed | mean | mean score |"
    lines = [head, "|---|---|---|---|---|---|"]
    mean_tau = {}
    for what in SCORES:
        scores = list(values(rows, what).values())
        taus = [float(stats.kendalltau(one, truth)[0]) for one in scores]
        rhos = [float(stats.spearmanr(one, truth)[0]) for one in scores]
        mean_tau[what] = statistics.mean(taus)
        lines.append(
            f"| {what} | {listed(taus)} | {mean_tau[what]:.2f} | {listed(rhos)} | {statistics.mean(rhos):.2f} "
            f"| {np.mean(scores):.3f} |"
        )
        if what == "batch":
            targets += [
                verdict(mean_tau[what] >= TAU, f"Kendall's tau {mean_tau[what]:.2f}, at least {TAU}"),
                verdict(statistics.mean(rhos) >= RHO, f"Spearman's rho {statistics.mean(rhos):.2f}, at least {RHO}"),
            ]
    better = f"batch {mean_tau['batch']:.2f}, stored {mean_tau['stored']:.2f}"
    targets.append(verdict(mean_tau["batch"] >= mean_tau["stored"], f"statistics of the batch rank as well: {better}"))
    pairs = list(itertools.combinations(alone.values(), 2))
    tau = statistics.mean(float(stats.kendalltau(a, b)[0]) for a, b in pairs)
    rho = statistics.mean(float(stats.spearmanr(a, b)[0]) for a, b in pairs)
    spread = f"{truth.min():.3f} to {truth.max():.3f}, mean {truth.mean():.3f}"
    return [
        f"{len(truth)} cells, accuracies alone {spread}.",
        f"Two trainings of the same cell: tau {tau:.2f}, rho {rho:.2f}, mean of {len(pairs)} pairs of seeds.",
        "", *lines,
    ]  # fmt: skip


def speed_lines(rows: Sequence[dict[str, str]], targets: list[str]) -> list[str]:
    """Return the table of scores a second and memory."""
    lines = ["| space | way | scores a second | extra memory | peak |", "|---|---|---|---|---|"]
    rate: dict[tuple[str, str], float] = {}
    extra: dict[tuple[str, str], float] = {}
    for case in CASES:
        own = [row for row in rows if (row["space"], row["way"]) == case]
        rate[case], extra[case], peak = (
            statistics.median(float(row[name]) for row in own) for name in ("scores_per_s", "extra_mb", "peak_mb")
        )
        lines.append(f"| {case[0]} | {case[1]} | {rate[case]:.2f} | {extra[case]:.1f} MB | {peak:.0f} MB |")
    least_times = {("digits", "freeze"): TIMES_DOCUMENTED}
    least_times |= {(space, "resample"): TIMES_LEANEST for space in ("digits", "darts")}
    for (space, way), least in least_times.items():
        times = rate[space, "scorer"] / rate[space, way]
        told = f"{space}: {times:.1f} times the scores a second of {way}, at least {least}"
        targets.append(verdict(times >= least, told))
    for space, way in (("digits", "freeze"), ("darts", "resample")):
        told = f"{space}: {extra[space, 'scorer']:.1f} MB, {way} {extra[space, way]:.1f} MB"
        targets.append(verdict(extra[space, "scorer"] <= extra[space, way], f"memory, {told}"))
    return lines


def verdict(reached: bool, told: str) -> str:
    return f"- {'reached' if reached else '**NOT reached**'}: {told}"


def listed(numbers: Sequence[float]) -> str:
    return ", ".join(f"{number:.2f}" for number in numbers)


def write_table() -> None:
    """Write the results."""
    targets: list[str] = []
    rank = rank_lines(common.read_rows(RANK), targets)
    speed = speed_lines(common.read_rows(SPEED), targets)
    how = "One thread, processor time; medians of processes that took turns."
    head = ["# Scores of a supernet", "", common.machine(), "", "## Targets", "", *targets, ""]
    text = [*head, "## Rank", "", *rank, "", "## Cost of a score", "", how, "", *speed]
    RANK.with_suffix(".md").write_text("\n".join(text) + "\n")
    print("\n".join(text))


def main(argv: Sequence[str] | None = None) -> None:
    """Run a part, or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("rank", "speed", "table"))
    parser.add_argument("--cells", type=common.at_least(3), default=N_CELLS)
    parser.add_argument("--epochs", type=common.at_least(1), default=EPOCHS, help="of the supernets")
    parser.add_argument("--rounds", type=common.at_least(1), default=ROUNDS, help="of speed")
    given = parser.parse_args(argv)
    torch.set_num_threads(1)
    if given.part == "rank":
        run_rank(given.cells, SEEDS, given.epochs)
    elif given.part == "speed":
        run_speed(given.rounds)
    else:
        write_table()


if __name__ == "__main__":
    main()
