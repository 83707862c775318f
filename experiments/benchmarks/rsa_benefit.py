"""What a teacher adds to the judgement of half-trained networks: noisy digits, CIFAR-10 images, few labels.

Protocol, written before the first run. Data: :mod:`.rsa_table`, 140 cells, 2 seeds, in the settings of
:mod:`.rsa_settings`. ``final`` of a cell is the mean of its seeds' test accuracies. A judge's rank correlation is
Spearman's with ``final``, of the judge's values of one seed, averaged over the seeds; several signals are combined by
the mean of their ranks. Intervals are 95 %, percentile bootstrap over cells, 2,000 resamples, the same for all judges.
``guided`` is P and TG of the real teacher (linear CKA, late layers), ``paper`` is P + TG (Pearson, all layers). A network
no layer of which says anything (a cell whose output nothing reaches) has TG 0, which is what the evaluator reports; the
first analysis had left it undefined, and with it every correlation of TG. Nothing else was changed after the first run.

Targets for ``digits`` and ``cifar10``, of ``guided`` in the full schedule unless another is named:

1. Over P: at least +.05 in the mean over k = 1, 2, 4, and at no k below -.02.
2. Over the same with a teacher trained on shuffled labels: +.06 in the mean over k; with an untrained one: +.07. With
   the one-hot teacher: reported, whatever it is.
3. Successive halving (all to k = 1, the better half to 2, half of these to 4, half of these to the end): the number of
   cells that has to be started so that one of the best 5 % is trained to the end in half of 4,000 draws, P / guided, is
   at least 1.1.
4. The best of the combined judges (P CE TG; P TSE TG; P CE TSE TG; P CE TSE) is at least as good as the best single
   free signal (P, CE, TSE, number of parameters) at each k = 1, 2, 4.

For ``few_labels`` (k = 3, 6, 12 of 24), written before its first run: the question is whether a teacher that knows more
than the labels beats the labels. Target: P and TG of the strong teacher over P and TG of the one-hot RDM of the labelled
images, mean over k, above 0 with its whole interval. Reported beside it, whatever they are: the same for the real
teacher (ten times the labels), against the one-hot RDM of all stimuli, which nobody would know, and over P alone.

What fails is reported as failed.

``python -m experiments.benchmarks.rsa_benefit --setting cifar10`` reads ``rsa_table_cifar10_*.csv`` and writes
``rsa_benefit_cifar10.md``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from experiments.benchmarks import common

Array = npt.NDArray[np.float64]
Judge = Callable[[Mapping[str, Array]], Array]

RESAMPLES, DRAWS, BEST = 2000, 4000, 0.05
LOOKS = (("full", 1), ("full", 2), ("full", 4), ("annealed", 1), ("annealed", 2))
FULL = LOOKS[:3]


def ranks(*signals: str) -> Judge:
    """Return the judge that takes the mean of signals' ranks."""
    return lambda table: np.mean([rankdata(table[name]) for name in signals], axis=0)


FREE: dict[str, Judge] = {
    "P": ranks("p"), "CE": ranks("ce"), "TSE": ranks("tse"), "parameters": ranks("params"),
}  # fmt: skip
COMBINED: dict[str, Judge] = {
    "P CE TG": ranks("p", "ce", "tg_real"),
    "P TSE TG": ranks("p", "tse", "tg_real"),
    "P CE TSE TG": ranks("p", "ce", "tse", "tg_real"),
    "P CE TSE": ranks("p", "ce", "tse"),
}
PLACEBOS: dict[str, Judge] = {name: ranks("p", f"tg_{name}") for name in ("shuffled", "untrained", "onehot")}
JUDGES: dict[str, Judge] = {
    **FREE,
    "TG alone": ranks("tg_real"),
    "paper: P + TG": lambda table: table["p"] + table["tg_paper"],
    "guided: P, TG": ranks("p", "tg_real"),
    **{f"P, TG {name}": judge for name, judge in PLACEBOS.items()},
    **COMBINED,
}


def load(paths: Sequence[Path]) -> tuple[Array, dict[tuple[str, int], list[dict[str, Array]]]]:
    """Return ``final`` ``[n_cells]``, and for each (schedule, k) the signals ``[n_cells]`` of each seed."""
    rows = [row for path in paths for row in common.read_rows(path)]
    by = {(row["cell"], row["seed"], row["schedule"], int(row["k"])): row for row in rows}
    seeds = sorted({row["seed"] for row in rows})
    cells = sorted({row["cell"] for row in rows})
    cells = [c for c in cells if all((c, s, *look) in by for s in seeds for look in LOOKS)]
    final = np.array([np.mean([float(by[(c, s, *LOOKS[0])]["final"]) for s in seeds]) for c in cells])
    names = [name for name in rows[0] if name not in ("cell", "seed", "schedule", "k", "final")] if rows else []
    tables = {
        look: [{name: _numbers([by[(c, s, *look)][name] for c in cells]) for name in names} for s in seeds]
        for look in LOOKS
    }
    return final, tables


def _numbers(texts: Sequence[str]) -> Array:
    """Return numbers, 0 for what is not one: the evaluator's `tg_floor`."""
    return np.nan_to_num(np.array([float(text) for text in texts]))


def correlation(judge: Judge, tables: Sequence[Mapping[str, Array]], final: Array, rows: npt.NDArray[np.intp]) -> float:
    """Return the rank correlation of a judge over some of the cells, averaged over the seeds."""
    target = rankdata(final[rows])
    found = []
    for table in tables:
        said = rankdata(judge({name: values[rows] for name, values in table.items()}))
        found.append(np.corrcoef(said, target)[0, 1] if np.ptp(said) > 0 else 0.0)
    return float(np.mean(found))


def started(judge: Judge, tables: Mapping[tuple[str, int], Sequence[Mapping[str, Array]]], final: Array) -> float:
    """Return how many cells successive halving has to start to end with one of the best in half of the draws."""
    rng, n = np.random.default_rng(0), len(final)
    good = set(np.argsort(-final)[: max(round(BEST * n), 1)].tolist())
    scores = {look: [judge(table) for table in tables[look]] for look in FULL}
    before, share_before = 0, 0.0
    for size in range(8, n + 1, 4):
        hits = 0
        for draw in range(DRAWS):
            seed = draw % len(tables[FULL[0]])
            alive = rng.choice(n, size=size, replace=False)
            for look in FULL:
                said = scores[look][seed][alive]
                alive = alive[np.argsort(-said, kind="stable")[: max(len(alive) // 2, 1)]]
            hits += bool(good & set(alive.tolist()))
        share = hits / DRAWS
        if share >= 0.5:
            return before + (size - before) * (0.5 - share_before) / (share - share_before)
        before, share_before = size, share
    return float("inf")


def report(final: Array, tables: Mapping[tuple[str, int], Sequence[Mapping[str, Array]]]) -> str:
    """Return targets and table as Markdown."""
    n, rng = len(final), np.random.default_rng(0)
    samples = [np.arange(n), *(rng.integers(n, size=n) for _ in range(RESAMPLES))]
    rho = {
        (name, look): np.array([correlation(judge, tables[look], final, rows) for rows in samples])
        for name, judge in JUDGES.items()
        for look in LOOKS
    }

    def gain(one: str, other: str, looks: Sequence[tuple[str, int]] = FULL) -> Array:
        return np.asarray(np.mean([rho[one, look] - rho[other, look] for look in looks], axis=0))

    def told(values: Array) -> str:
        low, high = np.quantile(values[1:], [0.025, 0.975])
        return f"{values[0]:+.3f} [{low:+.3f}, {high:+.3f}]"

    guided, lines = "guided: P, TG", ["## Targets", ""]

    def target(text: str, reached: bool) -> None:
        lines.append(f"- {'reached' if reached else 'MISSED'}: {text}")

    over = [gain(guided, "P", [look]) for look in FULL]
    mean = gain(guided, "P")
    each = ", ".join(f"{values[0]:+.3f}" for values in over)
    target(f"guided over P: {told(mean)}, target +.05; at k = 1, 2, 4 {each}, none below -.02",
           mean[0] >= 0.05 and min(v[0] for v in over) >= -0.02)  # fmt: skip
    for name, least in (("shuffled", 0.06), ("untrained", 0.07)):
        values = gain(guided, f"P, TG {name}")
        target(f"over the {name} teacher: {told(values)}, target +{least}", values[0] >= least)
    lines.append(f"- reported: over the one-hot teacher: {told(gain(guided, 'P, TG onehot'))}")
    counts = {name: started(JUDGES[name], tables, final) for name in ("P", guided)}
    ratio = counts["P"] / counts[guided]
    numbers = f"{counts['P']:.1f} cells by P, {counts[guided]:.1f} guided"
    target(f"successive halving: {numbers}, ratio {ratio:.2f}, target 1.1", ratio >= 1.1)
    for look in FULL:
        best, free = (max(group, key=lambda name: rho[name, look][0]) for group in (COMBINED, FREE))
        ours, theirs = rho[best, look][0], rho[free, look][0]
        target(f"k = {look[1]}: best combined {best} {ours:.3f}, best free {free} {theirs:.3f}", ours >= theirs)
    lines += ["", f"## Spearman with final accuracy, {n} cells", ""]
    lines += ["| judge | " + " | ".join(f"{schedule} k={k}" for schedule, k in LOOKS) + " |", "|---" * 6 + "|"]
    for name in JUDGES:
        cells = []
        for look in LOOKS:
            low, high = np.quantile(rho[name, look][1:], [0.025, 0.975])
            cells.append(f"{rho[name, look][0]:.3f} [{low:.2f}, {high:.2f}]")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines += ["", f"Final accuracies {final.min():.3f} to {final.max():.3f}, median {np.median(final):.3f}."]
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="+", type=Path, default=sorted(common.RESULTS.glob("rsa_table*.csv")))
    parser.add_argument("--out", type=Path, default=common.RESULTS / "rsa_benefit.md")
    given = parser.parse_args(argv)
    final, tables = load(given.tables)
    if not len(final):
        parser.error(f"{list(map(str, given.tables))} hold no cell with all its looks")
    text = f"# What a teacher adds to the judgement of half-trained networks\n\n{common.machine()}\n\n"
    given.out.write_text(text + report(final, tables))
    print(given.out.read_text())


if __name__ == "__main__":
    main()
