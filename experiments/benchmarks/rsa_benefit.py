"""What a teacher adds to the judgement of half-trained networks: noisy digits, CIFAR-10 images, few labels.

Protocol, written before the first run. Data: :mod:`.rsa_table`, 140 cells, 2 seeds, in the settings of
:mod:`.rsa_settings`. ``final`` of a cell is the mean of its seeds' test accuracies. A judge's rank correlation is
Spearman's with ``final``, of the judge's values of one seed, averaged over the seeds; several signals are combined by
the mean of their ranks. Intervals are 95 %, percentile bootstrap over cells, 2,000 resamples, the same for all judges.
``guided`` is P and TG of the real teacher (linear CKA, late layers), ``paper`` is P + TG (Pearson, all layers). A
network no layer of which says anything (a cell whose output nothing reaches) has TG 0, which is what the evaluator
reports; the first analysis of ``digits`` had left it undefined, and with it every correlation of TG. Nothing else was
changed after that run.

Targets for ``digits`` and ``cifar10``, of ``guided`` in the full schedule unless another is named:

1. Over P: at least +.05 in the mean over k = 1, 2, 4, and at no k below -.02.
2. Over the same with a teacher trained on shuffled labels: +.06 in the mean over k; with an untrained one: +.07. With
   the one-hot teacher: reported, whatever it is.
3. Successive halving (all to k = 1, the better half to 2, half of these to 4, half of these to the end): the number of
   cells that has to be started so that one of the best 5 % is trained to the end in half of 4,000 draws, P / guided, is
   at least 1.1.
4. The best of the combined judges (P CE TG; P TSE TG; P CE TSE TG; P CE TSE) is at least as good as the best single
   free signal (P, CE, TSE, number of parameters) at each k = 1, 2, 4.

Chosen on ``digits`` after its first run, before either of the other settings was looked at: the default judge, P TSE
TG, and three with the number of parameters. In target 4 for ``cifar10`` they count too; for ``digits`` they do not.

For ``few_labels`` (k = 3, 6, 12 of 24), written before its first run: the question is whether a teacher that knows
more than the labels beats the labels. Target: P and TG of the strong teacher over P and TG of the one-hot RDM of the
labelled images, mean over k, above 0 with its whole interval. Reported beside it, whatever they are: the same for the
real teacher (ten times the labels), against the one-hot RDM of all stimuli, which nobody would know, and over P alone.

What fails is reported as failed.

``python -m experiments.benchmarks.rsa_benefit --setting cifar10`` reads ``rsa_table_cifar10_*.csv`` and writes
``rsa_benefit_cifar10.md``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from experiments.benchmarks import common
from experiments.benchmarks.rsa_settings import LOOKS, TEACHERS

Array = npt.NDArray[np.float64]
Judge = Callable[[Mapping[str, Array]], Array]

Look = tuple[str, int]
Tables = Mapping[Look, Sequence[Mapping[str, Array]]]

RESAMPLES, DRAWS, BEST = 2000, 4000, 0.05


def ranks(*signals: str) -> Judge:
    """Return the judge that takes the mean of signals' ranks."""
    return lambda table: np.mean([rankdata(table[name], axis=-1) for name in signals], axis=0)


FREE: dict[str, Judge] = {
    "P": ranks("p"), "CE": ranks("ce"), "TSE": ranks("tse"), "parameters": ranks("params"),
}  # fmt: skip
COMBINED: dict[str, Judge] = {
    "P CE TG": ranks("p", "ce", "tg_real"),
    "P TSE TG": ranks("p", "tse", "tg_real"),
    "P CE TSE TG": ranks("p", "ce", "tse", "tg_real"),
    "P CE TSE": ranks("p", "ce", "tse"),
}
LATER: dict[str, Judge] = {  # chosen on digits
    "P TSE TG params": ranks("p", "tse", "tg_real", "params"),
    "TSE TG params": ranks("tse", "tg_real", "params"),
    "TSE params": ranks("tse", "params"),
}
GUIDED = "guided: P, TG"


def judges(teachers: Sequence[str]) -> dict[str, Judge]:
    """Return all judges of a setting that has these teachers, by name."""
    others = [name for name in teachers if name not in ("real", "paper")]
    return {
        **FREE,
        "TG alone": ranks("tg_real"),
        "paper: P + TG": lambda table: table["p"] + table["tg_paper"],
        GUIDED: ranks("p", "tg_real"),
        **{f"P, TG {name}": ranks("p", f"tg_{name}") for name in others},
        **COMBINED,
        **LATER,
    }


def full(looks: Sequence[Look]) -> list[Look]:
    """Return the looks within the whole schedule."""
    return [look for look in looks if look[0] == "full"]


def load(paths: Sequence[Path], looks: Sequence[Look]) -> tuple[Array, dict[Look, list[dict[str, Array]]]]:
    """Return ``final`` ``[n_cells]``, and for each (schedule, k) the signals ``[n_cells]`` of each seed."""
    rows = [row for path in paths for row in common.read_rows(path)]
    by = {(row["cell"], row["seed"], row["schedule"], int(row["k"])): row for row in rows}
    seeds = sorted({row["seed"] for row in rows})
    cells = sorted({row["cell"] for row in rows})
    cells = [c for c in cells if all((c, s, *look) in by for s in seeds for look in looks)]
    final = np.array([np.mean([float(by[(c, s, *looks[0])]["final"]) for s in seeds]) for c in cells])
    names = [name for name in rows[0] if name not in ("cell", "seed", "schedule", "k", "final")] if rows else []
    tables = {
        look: [{name: _numbers([by[(c, s, *look)][name] for c in cells]) for name in names} for s in seeds]
        for look in looks
    }
    return final, tables


def _numbers(texts: Sequence[str]) -> Array:
    """Return numbers, 0 for what is not one: the evaluator's `tg_floor`."""
    return np.nan_to_num(np.array([float(text) for text in texts]))


def correlation(
    judge: Judge, tables: Sequence[Mapping[str, Array]], final: Array, rows: npt.NDArray[np.intp]
) -> Array:
    """Return a judge's rank correlations over some of the cells ``[..., n]``, averaged over the seeds, ``[...]``."""
    target = rankdata(final[rows], axis=-1)
    found = [
        _rowwise(rankdata(judge({name: values[rows] for name, values in table.items()}), axis=-1), target)
        for table in tables
    ]
    return np.asarray(np.mean(found, axis=0))


def _rowwise(one: Array, other: Array) -> Array:
    """Return Pearson's correlation along the last axis, 0 where one does not vary."""
    one, other = (x - x.mean(axis=-1, keepdims=True) for x in (one, other))
    scale = np.sqrt((one**2).sum(axis=-1) * (other**2).sum(axis=-1))
    return np.asarray((one * other).sum(axis=-1) / np.where(scale > 0, scale, np.inf))


def started(judge: Judge, tables: Tables, final: Array) -> float:
    """Return how many cells successive halving has to start to end with one of the best in half of the draws."""
    rng, n, looks = np.random.default_rng(0), len(final), full(list(tables))
    good = set(np.argsort(-final)[: max(round(BEST * n), 1)].tolist())
    scores = {look: [judge(table) for table in tables[look]] for look in looks}
    before, share_before = 0, 0.0
    for size in range(8, n + 1, 4):
        hits = 0
        for draw in range(DRAWS):
            seed = draw % len(tables[looks[0]])
            alive = rng.choice(n, size=size, replace=False)
            for look in looks:
                said = scores[look][seed][alive]
                alive = alive[np.argsort(-said, kind="stable")[: max(len(alive) // 2, 1)]]
            hits += bool(good & set(alive.tolist()))
        share = hits / DRAWS
        if share >= 0.5:
            return before + (size - before) * (0.5 - share_before) / (share - share_before)
        before, share_before = size, share
    return float("inf")


class Correlations:
    """Rank correlations of every judge at every look, of all cells first and then of the resamples."""

    def __init__(self, final: Array, tables: Tables, of: Mapping[str, Judge]) -> None:
        n, rng = len(final), np.random.default_rng(0)
        samples = np.stack([np.arange(n), *(rng.integers(n, size=n) for _ in range(RESAMPLES))])
        self.looks = list(tables)
        self.names = list(of)
        self._rho = {
            (name, look): correlation(judge, tables[look], final, samples)
            for name, judge in of.items()
            for look in tables
        }

    def __getitem__(self, key: tuple[str, Look]) -> Array:
        return self._rho[key]

    def gain(self, one: str, other: str, looks: Sequence[Look] | None = None) -> Array:
        """Return how much better `one` is than `other`, the mean over looks of the whole schedule."""
        among = full(self.looks) if looks is None else looks
        return np.asarray(np.mean([self[one, look] - self[other, look] for look in among], axis=0))


def told(values: Array) -> str:
    """Return a difference and its interval."""
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return f"{values[0]:+.3f} [{low:+.3f}, {high:+.3f}]"


def verdict(reached: bool, text: str) -> str:
    """Return a line of the list of targets."""
    return f"- {'reached' if reached else 'MISSED'}: {text}"


def main_targets(rho: Correlations, tables: Tables, final: Array, combined: Iterable[str]) -> list[str]:
    """Return the verdicts on the four targets of ``digits`` and ``cifar10``."""
    looks = full(rho.looks)
    over = [rho.gain(GUIDED, "P", [look]) for look in looks]
    mean = rho.gain(GUIDED, "P")
    each = ", ".join(f"{values[0]:+.3f}" for values in over)
    text = f"guided over P: {told(mean)}, target +.05; at k = 1, 2, 4 {each}, none below -.02"
    lines = [verdict(mean[0] >= 0.05 and min(v[0] for v in over) >= -0.02, text)]
    for name, least in (("shuffled", 0.06), ("untrained", 0.07)):
        values = rho.gain(GUIDED, f"P, TG {name}")
        lines.append(verdict(values[0] >= least, f"over the {name} teacher: {told(values)}, target +{least}"))
    lines.append(f"- reported: over the one-hot teacher: {told(rho.gain(GUIDED, 'P, TG onehot'))}")
    counts = {"P": started(ranks("p"), tables, final), GUIDED: started(ranks("p", "tg_real"), tables, final)}
    ratio = counts["P"] / counts[GUIDED]
    numbers = f"{counts['P']:.1f} cells by P, {counts[GUIDED]:.1f} guided"
    lines.append(verdict(ratio >= 1.1, f"successive halving: {numbers}, ratio {ratio:.2f}, target 1.1"))
    for look in looks:
        best, free = (max(group, key=lambda name: rho[name, look][0]) for group in (combined, FREE))
        ours, theirs = rho[best, look][0], rho[free, look][0]
        text = f"k = {look[1]}: best combined {best} {ours:.3f}, best free {free} {theirs:.3f}"
        lines.append(verdict(ours >= theirs, text))
    return lines


def few_labels_targets(rho: Correlations) -> list[str]:
    """Return the verdict on the target of ``few_labels``, and what is reported beside it."""
    strong = "P, TG strong"
    values = rho.gain(strong, "P, TG onehot")
    reached = bool(np.quantile(values[1:], 0.025) > 0)
    lines = [verdict(reached, f"strong teacher over the labelled images' one-hot: {told(values)}, target: all above 0")]
    others = ((strong, "P, TG onehot_all"), (GUIDED, "P, TG onehot"), (strong, "P"), (GUIDED, "P"), (strong, GUIDED))
    lines += [f"- reported: {one} over {other}: {told(rho.gain(one, other))}" for one, other in others]
    return lines


def report(final: Array, tables: Tables, setting: str = "digits") -> str:
    """Return targets and table as Markdown."""
    rho = Correlations(final, tables, judges(TEACHERS[setting]))
    lines = ["## Targets", ""]
    if setting == "few_labels":
        lines += few_labels_targets(rho)
    else:
        lines += main_targets(rho, tables, final, COMBINED if setting == "digits" else {**COMBINED, **LATER})
    lines += ["", f"## Spearman with final accuracy, {len(final)} cells", ""]
    lines += ["| judge | " + " | ".join(f"{schedule} k={k}" for schedule, k in rho.looks) + " |", "|---" * 6 + "|"]
    for name in rho.names:
        cells = []
        for look in rho.looks:
            low, high = np.quantile(rho[name, look][1:], [0.025, 0.975])
            cells.append(f"{rho[name, look][0]:.3f} [{low:.2f}, {high:.2f}]")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines += ["", f"Final accuracies {final.min():.3f} to {final.max():.3f}, median {np.median(final):.3f}."]
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setting", choices=list(LOOKS), default="digits")
    parser.add_argument("--tables", nargs="+", type=Path, default=None, help="CSV files of the setting")
    parser.add_argument("--out", type=Path, default=None, help="rsa_benefit_SETTING.md unless given")
    given = parser.parse_args(argv)
    paths = given.tables or sorted(common.RESULTS.glob(f"rsa_table_{given.setting}_*.csv"))
    final, tables = load(paths, LOOKS[given.setting])
    if not len(final):
        parser.error(f"{list(map(str, paths))} hold no cell with all its looks")
    text = f"# What a teacher adds to the judgement of half-trained networks: {given.setting}\n\n{common.machine()}\n\n"
    out = given.out if given.out is not None else common.RESULTS / f"rsa_benefit_{given.setting}.md"
    out.write_text(text + report(final, tables, given.setting))
    print(out.read_text())


if __name__ == "__main__":
    main()
