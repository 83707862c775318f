"""Search guided by a teacher against search by performance alone, at equal training samples, on noisy digits.

Protocol, written before the first run. Space: cells of :mod:`search_spaces.digits_cell`, 15,625. A trial trains a cell
for the first 2 epochs of a schedule of 8 (seed 0) and is judged there; a run has 40 trials. Searches: LaNAS and NNI's
TPE, defaults. Judges: ``P``; ``guided``, P and TG as the evaluator combines them, ``mode="scaled"``; ``all``, P, CE,
TSE and TG likewise; ``TSE`` alone. At the end of a run its judge values all 40 trials once more (the scale is known by
then), and the best three are trained whole, 8 epochs with seeds 0 and 1; ``final`` is the mean test accuracy after
epochs 7 and 8.
So every run sees the same number of training samples. 10 seeds, the same for all judges. The teacher is the one of
:mod:`.rsa_table` (``real``).

A run's result is the mean final accuracy of its three picks. Target: guided over P, mean over both searches and the
seeds, above 0 with the whole 95 % interval (paired bootstrap over runs, 10,000 resamples). The rest is reported:
each search by itself, the best of the three picks, ``all`` and ``TSE`` over P, and over guided.

After five seeds the evaluator's scale was changed, from mean and deviation of the first ten trials to median and middle
half, for reasons of its own (one diverged trial had set the scale for good); all runs were made again with it.

What a cell shows after 2 epochs, and its final accuracy, are kept in ``rsa_search_cells.csv``, so a stopped run goes on
where it was and runs share trainings. About an hour of one core: ``python -m experiments.benchmarks.rsa_search``.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from experiments.benchmarks import common, peers
from experiments.benchmarks.rsa_benefit import verdict
from experiments.benchmarks.rsa_settings import scorers, setting
from experiments.benchmarks.rsa_table import look
from nni_strategies.lanas.searcher import LaNASSearcher
from nni_strategies.rsa.judge import Judge, Signals
from nni_strategies.rsa.score import TeacherScorer
from nni_strategies.space.from_json import space_from_json
from search_spaces.digits_cell import LABELS, search_space
from trial_code.digits_training import accuracy, train

TRIALS, SEEDS, PICKS, EPOCHS, LOOK = 40, 10, 3, 8, 2
SEARCHES: Mapping[str, peers.PeerFactory] = {"LaNAS": peers.ours(LaNASSearcher), "TPE": peers.nni_tpe}
JUDGES: Mapping[str, Judge] = {
    "P": Judge(combine=("P",)),
    "guided": Judge(combine=("P", "TG")),
    "all": Judge(combine=("P", "CE", "TSE", "TG")),
    "TSE": Judge(combine=("TSE",)),
}
RESAMPLES = 10_000


class Stop(Exception):
    """A cell was looked at: its training need not go on."""


class Cells:
    """What is known of cells, kept in a file.

    Parameters
    ----------
    path
        The CSV.
    folder
        Where the teacher goes.
    """

    def __init__(self, path: Path, folder: Path) -> None:
        self._path, self._setting = path, replace(setting("digits"), teachers=("real",))
        self._known = {(row["cell"], row["what"]): row for row in common.read_rows(path)}
        self._folder = folder
        self._judges: dict[str, TeacherScorer] = {}

    def early(self, cell: Mapping[str, str]) -> dict[str, float]:
        """Return the signals after the first epochs."""
        row = self._row(cell, "early")
        return {"P": row["p"], "CE": -row["ce"], "TSE": -row["tse"], "TG": float(np.nan_to_num(row["tg_real"]))}

    def final(self, cell: Mapping[str, str]) -> float:
        """Return the final accuracy."""
        return float(self._row(cell, "final")["p"])

    def _row(self, cell: Mapping[str, str], what: str) -> dict[str, float]:
        key = (" ".join(cell[label] for label in LABELS), what)
        if key not in self._known:
            made = self._train_early(cell) if what == "early" else {"p": self._train_whole(cell)}
            row = {name: made.get(name, "") for name in ("p", "ce", "tse", "tg_real")}
            self._known[key] = {name: str(value) for name, value in row.items()}
            common.append_row(self._path, {"cell": key[0], "what": what, **row})
        return {name: float(value) for name, value in self._known[key].items() if name in made_of(what)}

    def _train_early(self, cell: Mapping[str, str]) -> dict[str, float]:
        if not self._judges:
            self._judges = scorers("digits", self._setting, self._folder)
        losses: list[float] = []
        torch.manual_seed(0)
        network = self._setting.network(cell)

        def after(epoch: int, loss: float) -> None:
            losses.append(loss)
            if epoch == LOOK:
                raise Stop

        with contextlib.suppress(Stop):
            train(network, self._setting.parts[0], EPOCHS, 0, after)
        seen = look(network, self._setting.parts[1], self._judges)
        return {name: float(f"{value:.6g}") for name, value in (seen | {"tse": -sum(losses)}).items()}

    def _train_whole(self, cell: Mapping[str, str]) -> float:
        finals: list[float] = []
        for seed in (0, 1):
            torch.manual_seed(seed)
            network = self._setting.network(cell)

            def after(epoch: int, loss: float, network: torch.nn.Module = network) -> None:
                if epoch > EPOCHS - 2:
                    finals.append(accuracy(network, self._setting.parts[2]))

            train(network, self._setting.parts[0], EPOCHS, seed, after)
        return round(float(np.mean(finals)), 5)


def made_of(what: str) -> tuple[str, ...]:
    """Return the columns of a kind of row."""
    return ("p", "ce", "tse", "tg_real") if what == "early" else ("p",)


def picks_of(judge: Judge, factory: peers.PeerFactory, seed: int, cells: Any) -> list[dict[str, str]]:
    """Run one search; return the cells that its judge values highest, best first."""
    history: list[Signals] = []
    tried: list[dict[str, str]] = []

    def objective(configuration: dict[str, Any]) -> float:
        signals = cells.early(configuration)
        value = judge.merit(signals, history)
        history.append(signals)
        tried.append(dict(configuration))
        return value

    peers.search(factory(space_from_json(search_space()), seed), objective, TRIALS)
    values = np.array([judge.merit(signals, history) for signals in history])
    return [tried[i] for i in np.argsort(-values, kind="stable")[:PICKS]]


def told(differences: npt.NDArray[np.float64]) -> str:
    """Return the mean of paired differences and its interval."""
    rng = np.random.default_rng(0)
    means = rng.choice(differences, size=(RESAMPLES, len(differences))).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{differences.mean():+.4f} [{low:+.4f}, {high:+.4f}]"


def report(rows: Sequence[Mapping[str, str]]) -> str:
    """Return the results as Markdown."""
    table = {(row["search"], row["judge"], row["seed"]): row for row in rows}
    pairs = sorted({(search, seed) for search, _, seed in table})

    def of(judge: str, column: str, search: str | None = None) -> npt.NDArray[np.float64]:
        among = [pair for pair in pairs if search in (None, pair[0])]
        return np.array([float(table[name, judge, seed][column]) for name, seed in among])

    main = of("guided", "mean") - of("P", "mean")
    rng = np.random.default_rng(0)
    low = np.quantile(rng.choice(main, size=(RESAMPLES, len(main))).mean(axis=1), 0.025)
    lines = [verdict(bool(low > 0), f"guided over P, mean of three picks: {told(main)}, target: all above 0"), ""]
    lines += ["| search | judge | mean of three picks | best of three | against P |", "|---" * 5 + "|"]
    for search in SEARCHES:
        for judge in JUDGES:
            values, best = of(judge, "mean", search), of(judge, "best", search)
            against = "" if judge == "P" else told(values - of("P", "mean", search))
            lines.append(f"| {search} | {judge} | {values.mean():.4f} (sd {values.std(ddof=1):.4f}) "
                         f"| {best.mean():.4f} | {against} |")  # fmt: skip
    lines += ["", f"Over guided, both searches: all {told(of('all', 'mean') - of('guided', 'mean'))}, "
              f"TSE {told(of('TSE', 'mean') - of('guided', 'mean'))}."]  # fmt: skip
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> None:
    """Make the runs that are missing, and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    common.add_results_option(parser, common.RESULTS / "rsa_search.csv")
    given = parser.parse_args(argv)
    torch.set_num_threads(1)
    done = {(row["search"], row["judge"], row["seed"]) for row in common.read_rows(given.results)}
    with tempfile.TemporaryDirectory() as folder:
        cells = Cells(given.results.with_name(given.results.stem + "_cells.csv"), Path(folder))
        for seed in range(SEEDS):
            for search, factory in SEARCHES.items():
                for name, judge in JUDGES.items():
                    if (search, name, str(seed)) in done:
                        continue
                    finals = [cells.final(cell) for cell in picks_of(judge, factory, seed, cells)]
                    row = {"search": search, "judge": name, "seed": seed, "mean": round(float(np.mean(finals)), 5)}
                    common.append_row(given.results, row | {"best": max(finals)})
                    print(row, flush=True)
    text = f"# Search guided by a teacher, at equal training samples\n\n{common.machine()}\n\n"
    given.results.with_suffix(".md").write_text(text + report(common.read_rows(given.results)))
    print(given.results.with_suffix(".md").read_text())


if __name__ == "__main__":
    main()
