"""What LaNAS is worth where a supernet scores: the best of 200 in the paper's 160-bit space, beside its peers.

    python -m experiments.benchmarks.lanas_oneshot run [--methods … --seeds …]    # resumable
    python -m experiments.benchmarks.lanas_oneshot table                          # results/lanas_oneshot.md and .svg

Protocol, written before the first run
--------------------------------------
The supernet of ``experiments/lanas_oneshot_digits``, its settings and seed 0: three cells of eight channels, 60 epochs
of uniform paths on 700 noisy digits. An architecture's value is the accuracy of the shared weights on the 300 that are
held out. 200 different architectures, one at a time, seeds 0 to 4. Arms: LaNAS as it is by default; its preset of the
paper's one-shot experiments; regularized evolution, local search, random search.

Measured: the best score after 50, 100 and 200, and what the best of 200 scores on the 797 images that nothing was
chosen by. Nothing is trained alone: that higher scores mean better networks this does not say.

Nothing was chosen on this supernet. Target: after 200 scores LaNAS's best is above random search's, the paired 95 %
interval over seeds above 0. The other peers are reported.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
import numpy as np
import torch
from scipy.stats import t

from experiments.benchmarks import common, peers, svg
from nni_strategies.lanas.searcher import LaNASSearcher
from nni_strategies.search.baselines import LocalSearch, RandomSearch, RegularizedEvolution
from nni_strategies.supernet.scorer import Scorer
from trial_code import score_supernet, train_supernet
from trial_code.noisy_digits import noisy_digits
from trial_code.supernet_spaces import DIGITS

Rows = list[dict[str, str]]

SCORES, LOOKS, SEEDS = 200, (50, 100, 200), range(5)
METHODS: dict[str, peers.PeerFactory] = {
    "LaNAS": peers.ours(LaNASSearcher),
    "LaNAS, one-shot preset": peers.ours(LaNASSearcher, preset="oneshot"),
    "regularized evolution": peers.ours(RegularizedEvolution),
    "local search": peers.ours(LocalSearch),
    "random search": peers.ours(RandomSearch),
}
SETTINGS = "--space lanas --width 8 --cells 3 --batch-size 25 --lr 0.1 --epochs 60 --seed 0 --device cpu"
COLUMNS = ("method", "seed", "unseen", "seconds", *(f"best@{n}" for n in LOOKS))

RESULTS = common.RESULTS / "lanas_oneshot.csv"
SUPERNET = Path(tempfile.gettempdir()) / "lanas_oneshot.safetensors"

Judge = Callable[[Any], float]


def judges(path: Path, settings: str = SETTINGS) -> tuple[Scorer, Judge]:
    """Return what scores by the held-out images, and by the others; the supernet is trained where there is none."""
    train_supernet.main([*settings.split(), "--data", DIGITS, "--checkpoint", str(path)])
    scorer = score_supernet.open_scorer(
        score_supernet.options(["--supernet", str(path), "--data", DIGITS, "--device", "cpu"])
    )
    _, _, unseen = noisy_digits()
    batch = torch.from_numpy(unseen.images), torch.from_numpy(unseen.labels)
    return scorer, Scorer(scorer.supernet, [batch])


def run(methods: list[str], seeds: list[int], results: Path, supernet: Path, scores: int = SCORES) -> None:
    """Make the runs that the CSV does not hold yet, one line each."""
    done = {(row["method"], row["seed"]) for row in common.read_rows(results)}
    wanted = [(method, seed) for seed in seeds for method in methods if (method, str(seed)) not in done]
    if not wanted:
        return
    scorer, unseen = judges(supernet)
    for method, seed in dict.fromkeys(wanted):
        found = peers.search(METHODS[method](scorer.supernet.space, seed), scorer, scores)
        best = found.configurations[int(np.argmax(found.values))]
        row: dict[str, Any] = {"method": method, "seed": seed}
        row |= {f"best@{n}": round(found.best[min(n, len(found.best)) - 1], 6) for n in LOOKS}
        row |= {"unseen": round(unseen(best), 6), "seconds": round(sum(found.seconds), 1)}
        common.append_row(results, row)
        print(row, flush=True)


def of(rows: Rows, method: str, column: str) -> dict[str, float]:
    """Return a column of a method by seed."""
    return {row["seed"]: float(row[column]) for row in rows if row["method"] == method}


def table(rows: Rows) -> str:
    """Return the results as Markdown, the verdict first."""
    n_seeds = len({row["seed"] for row in rows})
    lines = ["# LaNAS on the scores of a supernet", "", common.machine(), ""]
    lines += [f"Protocol and target are in `lanas_oneshot.py`. {n_seeds} seeds; mean ± standard deviation.", ""]
    lines += [*verdict(rows), "", f"| method | {' | '.join(f'best of {n}' for n in LOOKS)} | on unseen images |"]
    lines += ["|---" * (len(LOOKS) + 2) + "|"]
    for method in METHODS:
        columns = [list(of(rows, method, name).values()) for name in (*(f"best@{n}" for n in LOOKS), "unseen")]
        if columns[0]:
            told = " | ".join(f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}" for values in columns)
            lines.append(f"| {method} | {told} |")
    return "\n".join(lines) + "\n"


def verdict(rows: Rows) -> list[str]:
    """Return a line on the target, and one for each other peer."""
    ours, lines = of(rows, "LaNAS", f"best@{SCORES}"), []
    for method in reversed(METHODS):
        theirs = of(rows, method, f"best@{SCORES}")
        seeds = sorted(ours.keys() & theirs.keys())
        if method == "LaNAS" or len(seeds) < 2:
            continue
        gaps = np.array([ours[seed] - theirs[seed] for seed in seeds])
        half = float(t.ppf(0.975, len(gaps) - 1) * gaps.std(ddof=1) / np.sqrt(len(gaps)))
        told = f"LaNAS above {method}: {gaps.mean():+.3f} [{gaps.mean() - half:+.3f}, {gaps.mean() + half:+.3f}]"
        good = "reached" if gaps.mean() - half > 0 else "**NOT reached**"
        lines.append(f"- {good}: {told}" if method == "random search" else f"- beside: {told}")
    return lines


def plot(rows: Rows) -> str:
    """Return an SVG: errors of the best so far by number of scores, mean over seeds."""
    curves = {
        method: [(float(n), 1.0 - float(np.mean(list(of(rows, method, f"best@{n}").values())))) for n in LOOKS]
        for method in METHODS
        if of(rows, method, "unseen")
    }
    note = "Mean over seeds."
    return svg.log_curves({"160 bits": curves}, "scores", "error of the best score", (0.1, 1.0), note=note, ticks=LOOKS)


def main(argv: Sequence[str] | None = None) -> None:
    """Run, or make the table and the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("run", "table"))
    parser.add_argument("--methods", nargs="+", type=common.one_of(METHODS), default=list(METHODS))
    parser.add_argument("--seeds", nargs="+", type=common.at_least(0), default=list(SEEDS))
    parser.add_argument("--supernet", type=Path, default=SUPERNET, help="its file; trained where there is none")
    common.add_results_option(parser, RESULTS)
    given = parser.parse_args(argv)
    torch.set_num_threads(1)
    if given.command == "run":
        run(given.methods, given.seeds, given.results, given.supernet)
    else:
        rows = common.stored_rows(parser, given.results, COLUMNS)
        common.write_results(given.results, table(rows), plot(rows))


if __name__ == "__main__":
    main()
