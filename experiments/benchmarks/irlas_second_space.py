"""The expert prior on a second space with real accuracies: 200 trained cells of the noisy digits, reported whatever.

    python -m experiments.benchmarks.irlas_second_space run [--part 0 2]   # resumable, half an hour of one core
    python -m experiments.benchmarks.irlas_second_space measure            # latencies: a minute of a quiet machine
    python -m experiments.benchmarks.irlas_second_space table              # results/irlas_second_space.md

Protocol, written before the first run
--------------------------------------
200 distinct cells of :mod:`search_spaces.digits_cell` (the first of uniform draws, seed 0, whose input reaches the
output), each trained with seeds 0 and 1 for 8 epochs on the noisy digits (700 images, learning rate annealed); its
accuracy is the mean over both seeds on 1,097 other images. Latency: the project's meter on the machine that trains, one
image, one thread, untrained networks, twice in turn while nothing else runs; the median of both.

The experts are the defaults, frozen on uniform members of the space before any cell is trained. Reported: Spearman's
correlation of z with accuracy and with latency, over all cells, with 95 % intervals (bootstrap over cells, 10,000);
where the experts' own cells would rank is not known, they are not among the 200.

Searches among the 200 cells (2,000 runs each): draws without replacement, uniform and with p proportional to
exp(2 z); the latter with the gate as the prior has it, half of the first 20 uniform, kept if the correlation exceeds
0.2. LaNAS on the cells as its pool, with and without the prior (20 seeds, 60 evaluations). Evaluations until a cell of
the best 5 % (10 cells) and the best one are found; the lowest latency among the first 30 within a point of the
uniform search's median best at 30.

No target: the pre-study found no speed-up on a second space (small NAS-Bench-101 cells), hence the gate.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import spearmanr, wilcoxon

from experiments.benchmarks import common
from nni_strategies.irlas.experts import load_experts
from nni_strategies.irlas.latency import LatencyMeter
from nni_strategies.irlas.prior import BETA, GATE, THRESHOLD, ExpertPrior
from nni_strategies.irlas.scoring import DEFAULT_EXPERTS, ConfigurationScores, blocks_function
from nni_strategies.lanas.config import LaNASConfig
from nni_strategies.lanas.searcher import LaNASSearcher
from nni_strategies.search.study import Study
from nni_strategies.space.from_json import space_from_json
from nni_strategies.space.search_space import Configuration
from nni_strategies.topology.declared import declared
from search_spaces import digits_cell
from search_spaces.digits_cell import LABELS, DigitsNet
from trial_code.digits_training import accuracy, train
from trial_code.noisy_digits import Part, noisy_digits

RESULTS = common.RESULTS / "irlas_second_space.csv"
N_CELLS, SEEDS, EPOCHS = 200, (0, 1), 8
RUNS, LANAS_SEEDS, LANAS_EVALUATIONS, EARLY = 2000, 20, 60, 30
RESAMPLES, TURNS = 10_000, 2

Array = npt.NDArray[np.float64]


def cells() -> list[Configuration]:
    """Return the cells of the protocol."""
    space = space_from_json(digits_cell.search_space())
    found: dict[str, Configuration] = {}
    for configuration in space.decode(space.sample_codes(np.random.default_rng(0), 2 * N_CELLS)):
        if len(declared(configuration).blocks[0].graph.predecessors[-1]):
            found.setdefault(space.key(configuration), configuration)
    return list(found.values())[:N_CELLS]


@lru_cache(maxsize=1)
def scores() -> ConfigurationScores:
    """Return the similarity of cells to the default experts."""
    space = space_from_json(digits_cell.search_space())
    return ConfigurationScores(space, blocks_function(None), load_experts(DEFAULT_EXPERTS))


def run(part: int, parts: int, path: Path) -> None:
    """Train and measure the cells of one part that its CSV does not hold yet."""
    torch.set_num_threads(1)
    path = path.with_name(f"{path.stem}_{part}.csv")
    done = {(row["cell"], row["seed"]) for row in common.read_rows(path)}
    learned, valid, test = noisy_digits()
    others = Part(np.concatenate([valid.images, test.images]), np.concatenate([valid.labels, test.labels]))
    for number, cell in enumerate(cells()):
        for seed in SEEDS:
            if number % parts == part and (str(number), str(seed)) not in done:
                torch.manual_seed(seed)
                network = DigitsNet(cell)
                train(network, learned, EPOCHS, seed)
                reached = round(accuracy(network, others), 6)
                operations = " ".join(cell[label] for label in LABELS)
                common.append_row(path, {"cell": number, "seed": seed, "operations": operations, "accuracy": reached})


def measure(path: Path) -> None:
    """Measure the latency of every cell, twice."""
    torch.set_num_threads(1)
    meter = LatencyMeter(input_shape=digits_cell.INPUT_SHAPE)
    path = path.with_name(f"{path.stem}_latency.csv")
    path.unlink(missing_ok=True)
    machine = f"{common.machine()} torch {torch.__version__}"
    for turn in range(TURNS):
        for number, cell in enumerate(cells()):
            torch.manual_seed(0)
            latency = meter.measure(DigitsNet(cell))
            row = {"cell": number, "turn": turn, "latency_ms": latency.median_ms, "iqr_ms": latency.iqr_ms}
            common.append_row(path, row | {"machine": machine})


# -- the table ------------------------------------------------------------------------------------


def bests(accuracies: Array, order: npt.NDArray[np.int64]) -> Array:
    """Return the best accuracy so far of cells taken in an order, ``[n]``."""
    return np.maximum.accumulate(accuracies[order])


def drawn(z: Array, accuracies: Array, rng: np.random.Generator, beta: float) -> npt.NDArray[np.int64]:
    """Return all cells in the order of one search: without replacement by exp(beta z), with the gate."""
    left, order, trusted = list(range(len(z))), [], beta > 0
    while left:
        if len(order) == GATE and beta > 0:
            trusted = bool(spearmanr(z[order], accuracies[order]).statistic > THRESHOLD)
        guided = trusted and (len(order) >= GATE or rng.random() < 0.5)
        keys = (beta * z[left] if guided else 0.0) + rng.gumbel(size=len(left))
        order.append(left.pop(int(np.argmax(keys))))
    return np.array(order)


def lanas(cell_list: Sequence[Configuration], accuracies: Array, seed: int, *, prior: bool) -> npt.NDArray[np.int64]:
    """Return the cells that LaNAS evaluates on its pool, in order."""
    space = scores().space
    place = {space.key(cell): number for number, cell in enumerate(cell_list)}
    config = LaNASConfig(pool=list(cell_list))
    study, order = Study(LaNASSearcher(space, config, prior=ExpertPrior(scores()) if prior else None), seed=seed), []
    for _ in range(LANAS_EVALUATIONS):
        trial = study.ask()
        order.append(place[space.key(trial.configuration)])
        study.tell(trial.id, float(accuracies[order[-1]]))
    return np.array(order)


def interval(x: Array, y: Array) -> tuple[float, float, float]:
    """Return Spearman's correlation and its 95 % interval by bootstrap over cells."""
    rng = np.random.default_rng(0)
    resampled = []
    for _ in range(RESAMPLES):
        chosen = rng.integers(len(x), size=len(x))
        resampled.append(spearmanr(x[chosen], y[chosen]).statistic)
    low, high = np.percentile(resampled, [2.5, 97.5])
    return float(spearmanr(x, y).statistic), float(low), float(high)


def table(rows: list[dict[str, str]], measured: list[dict[str, str]]) -> str:
    """Return the results as Markdown, from the rows of training and those of measuring."""
    cell_list = cells()
    by_cell = [[row for row in rows if row["cell"] == str(number)] for number in range(len(cell_list))]
    if any(len(own) != len(SEEDS) for own in by_cell):
        raise SystemExit("error: not every cell was trained with every seed; run the script first")
    accuracies = np.array([np.mean([float(row["accuracy"]) for row in own]) for own in by_cell])
    turns = [[float(row["latency_ms"]) for row in measured if row["turn"] == str(turn)] for turn in range(TURNS)]
    latencies = np.median(turns, axis=0)
    z = scores().stimuli.normal_score(scores().similarities(scores().space.encode(cell_list)))
    halves = [np.array([float(own[k]["accuracy"]) for own in by_cell]) for k in (0, 1)]
    lines = ["# The expert prior on a second space: noisy digits", "", common.machine(), ""]
    lines += ["Protocol in `irlas_second_space.py`; no target was set.", ""]
    for told, y in (("accuracy", accuracies), ("latency", latencies)):
        rho, low, high = interval(z, y)
        lines.append(f"- Spearman of z with {told}: {rho:.2f} [{low:.2f}, {high:.2f}], {len(z)} cells.")
    lines.append(f"- Spearman of the accuracies of both seeds with each other: {spearmanr(*halves).statistic:.2f}; "
                 f"accuracies {accuracies.min():.3f} to {accuracies.max():.3f}.")  # fmt: skip
    steady = np.median(np.abs(np.subtract(*turns)) / latencies)
    lines.append(f"- Latencies {latencies.min():.2f} to {latencies.max():.2f} ms; both measurements differ by "
                 f"{100 * steady:.1f} % in the median. Measured on {measured[0]['machine']}.")  # fmt: skip
    lines += ["", *_search_lines(cell_list, accuracies, latencies, z)]
    return "\n".join(lines) + "\n"


def _search_lines(cell_list: Sequence[Configuration], accuracies: Array, latencies: Array, z: Array) -> list[str]:
    runs: dict[str, list[npt.NDArray[np.int64]]] = {}
    for name, beta in (("random, uniform", 0.0), ("random, prior", BETA)):
        runs[name] = [drawn(z, accuracies, np.random.default_rng([7, k]), beta) for k in range(RUNS)]
    for name, prior in (("LaNAS, uniform", False), ("LaNAS, prior", True)):
        runs[name] = [lanas(cell_list, accuracies, seed, prior=prior) for seed in range(LANAS_SEEDS)]
    top = np.sort(accuracies)[-10]
    goal = float(np.median([bests(accuracies, order[:EARLY])[-1] for order in runs["random, uniform"]])) - 0.01
    lines = ["| search | runs | to the best 5 %, median (quartiles) | to the best | latency in the first 30, ms |"]
    lines += ["|---|---|---|---|---|"]
    first: Mapping[str, Array] = {name: _first(accuracies, orders, top) for name, orders in runs.items()}
    for name, orders in runs.items():
        best = _first(accuracies, orders, accuracies.max())
        fast = [latencies[o[:EARLY]][accuracies[o[:EARLY]] >= goal].min(initial=np.inf) for o in orders]
        cells_ = [name, str(len(orders)), _quartiles(first[name]), _quartiles(best), f"{np.median(fast):.3f}"]
        lines.append("| " + " | ".join(cells_) + " |")
    told = []
    for kind in ("random", "LaNAS"):
        with_prior, without = first[f"{kind}, prior"], first[f"{kind}, uniform"]
        if kind == "LaNAS" and not np.array_equal(with_prior, without):
            told.append(f"LaNAS, paired over seeds: p {wilcoxon(with_prior, without, alternative='less').pvalue:.2g}")
        told.append(f"{kind}: ratio of medians {np.median(with_prior) / np.median(without):.2f}")
    return [*lines, "", "To the best 5 %: " + "; ".join(told) + "."]


def _first(accuracies: Array, orders: Sequence[npt.NDArray[np.int64]], level: float) -> Array:
    found = [np.flatnonzero(accuracies[order] >= level) for order in orders]
    return np.array([float(places[0] + 1) if len(places) else np.inf for places in found])


def _quartiles(numbers: Array) -> str:
    low, middle, high = (f"{q:g}" for q in np.percentile(numbers, [25, 50, 75], method="inverted_cdf"))
    return f"{middle} ({low}–{high})"


def main(argv: Sequence[str] | None = None) -> None:
    """Train the cells, or make the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["run", "measure", "table"])
    parser.add_argument("--part", nargs=2, type=int, default=(0, 1), metavar=("PART", "OF"))
    common.add_results_option(parser, RESULTS)
    given = parser.parse_args(argv)
    if given.command == "run":
        run(*given.part, given.results)
        return
    if given.command == "measure":
        measure(given.results)
        return
    parts = sorted(given.results.parent.glob(f"{given.results.stem}_[0-9].csv"))
    measured = common.read_rows(given.results.with_name(f"{given.results.stem}_latency.csv"))
    text = table([row for part in parts for row in common.read_rows(part)], measured)
    given.results.with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
