"""Does guidance by expert networks help, and is it the experts that help? NAS-Bench-201 with latencies of real devices.

    python -m experiments.benchmarks.irlas_benefit run [--part 0 2]    # resumable
    python -m experiments.benchmarks.irlas_benefit table               # results/irlas_benefit.md and .svg

Protocol, written before the first run
--------------------------------------
Search by validation accuracy after 200 epochs on CIFAR-10, CIFAR-100 and ImageNet16-120; 300 evaluations a run (LaNAS:
150), no cell twice; 20 seeds, 1000 to 1019, the same for all arms. Devices: titanxp_32, gold_6226, pixel2, raspi4.

Agents: QL, our Q-learning agent; RE, regularized evolution (population 50, tournament 10); LaNAS, its default.
Arms: ``unshaped``; ``prior``, the expert prior with its defaults; ``paper``, r = A + lam S with one expert, ResNeXt,
and lam = auto; and for QL and RE, on each device, ``latency``, r = A (LAT / T)^-0.03 with T the median latency of all
cells, and ``prior+latency``. Accuracies are in [0, 1].

Controls, QL with the prior's defaults but other experts, 10 seeds, 1000 to 1009: ``random``, 20 triples of cells whose
CIFAR-100 accuracy is within the middle tenth; ``cost``, 20 triples of cells with as many 1x1 and 3x3 convolutions as
the experts have, one cell each; ``good``, 10 triples of cells whose CIFAR-100 accuracy is within half a point of that
of the two experts that are cells of the space, and of their mean; ``flops``, no experts but z the normal score of the
multiply-adds. ``random`` is run once more without the gate (``ungated``).

The form of the prior (which measure, what counts as a node) and the agent's learning rate were chosen on CIFAR-100
with seeds 0 to 7; the recipe behind it by a pre-study on all three tables with other seeds: what is confirmed here are
seeds and labels, not spaces.

Reported, medians over seeds: evaluations until the unshaped arm's median best at 100 is reached (301 if never); best
accuracy at 100 and at 300; L@100, the lowest latency within the first 100 evaluations of a cell whose accuracy is at
least the unshaped arm's median best at 100 minus one point (the ratio of medians, infinite where more than half found
none); hypervolume at 100 (accuracy above the table's median against latency below its maximum), as ratio. For LaNAS
also evaluations to its median best at 25, and how often the optimum is found within 150. Paired one-sided Wilcoxon
tests over seeds. Added after a first look at the table: L@100 and hypervolume of ``flops`` and ``good``, to the
unshaped runs of the same seeds; and the LaNAS prior arm was run anew after its blind draws were made cheaper.

Targets, fixed beforehand (prior against unshaped):
 1. QL: evaluations to the unshaped best@100 at most 0.33 times, p < .01, on 3 of 3 datasets.
 2. RE: at most 0.85 times, p < .05, on at least 2 of 3.
 3. L@100: QL at most 0.90 times on 4 of 4 devices and 3 of 3 datasets; RE at most 0.93 times on at least 3 of 4 devices
    with p < .05, on CIFAR-100 and on CIFAR-10.
 4. Final best at most 0.05 point below unshaped (mean over seeds), both agents, all datasets.
 5. Of the 20 ``random`` placebos at most 2 as fast as the prior, median evaluations, on each dataset; of ``cost`` too.
 6. LaNAS: evaluations to its best@25 at most 0.85 times, and the optimum found in at most 5 of 100 runs less.
 7. With the gate a ``random`` placebo costs at most 0.2 point of final best (mean over seeds and placebos).
"""

from __future__ import annotations

import argparse
import csv
import gzip
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from experiments.benchmarks import common, irlas_benefit_table
from experiments.benchmarks.irlas_controls import ControlPrior, triples
from nni_strategies.errors import DataMissing
from nni_strategies.irlas.experts import load_experts
from nni_strategies.irlas.prior import ExpertPrior
from nni_strategies.irlas.qlearning import QLearning
from nni_strategies.irlas.scoring import DEFAULT_EXPERTS, ConfigurationScores, blocks_function
from nni_strategies.lanas.searcher import LaNASSearcher
from nni_strategies.search.baselines import RegularizedEvolution
from nni_strategies.search.searcher import Prior, Searcher
from nni_strategies.search.study import Study
from nni_strategies.topology.graph import TopologyGraph
from search_spaces.nasbench201 import DATASETS, load_latencies, load_table, search_space

EVALUATIONS = {"QL": 300, "RE": 300, "LaNAS": 150}
SEEDS = range(1000, 1020)
CONTROL_SEEDS = range(1000, 1010)
DEVICES = ("titanxp_32", "gold_6226", "pixel2", "raspi4")
AGENTS: Mapping[str, type[Searcher]] = {"QL": QLearning, "RE": RegularizedEvolution, "LaNAS": LaNASSearcher}
WEIGHT = -0.03
_KAPPA, _ACCURACY_SD = 0.5, 0.02

RESULTS = common.RESULTS / "irlas_benefit.csv"
CELLS = 100  # of each run are kept: what L@100 and the hypervolume need


@dataclass(frozen=True)
class Case:
    """One arm of one agent.

    Parameters
    ----------
    agent
        Its name in `AGENTS`.
    arm
        ``unshaped``, ``prior``, ``paper``, ``latency``, ``prior+latency``, or the kind of a control.
    variant
        The device of a latency arm, the number of a control's triple.
    seeds
        What it is run with.
    """

    agent: str
    arm: str
    variant: str = ""
    seeds: range = SEEDS


def cases() -> Iterator[Case]:
    """Yield every case of the protocol, what others are compared with first."""
    for agent in AGENTS:
        for arm in ("unshaped", "prior", "paper"):
            yield Case(agent, arm)
    for agent in ("QL", "RE"):
        for arm in ("latency", "prior+latency"):
            yield from (Case(agent, arm, device) for device in DEVICES)
    yield Case("QL", "flops", seeds=CONTROL_SEEDS)
    for kind, count in (("random", 20), ("cost", 20), ("good", 10), ("ungated", 20)):
        yield from (Case("QL", kind, str(number), CONTROL_SEEDS) for number in range(count))


@lru_cache(maxsize=4)
def scores(*names: str) -> ConfigurationScores:
    """Return the similarity of every cell to built-in experts."""
    return ConfigurationScores(search_space(), blocks_function(None), load_experts(names))


@lru_cache(maxsize=2)
def control_scores(kind: str, number: int) -> ConfigurationScores:
    """Return the similarity of every cell to a control's triple."""
    experts: dict[str, TopologyGraph] = triples(kind)[number]
    return ConfigurationScores(search_space(), blocks_function(None), experts)


def prior_of(case: Case) -> Prior | None:
    """Return where a case's agent draws from; None for uniformly."""
    if case.arm in ("prior", "prior+latency"):
        return ExpertPrior(scores(*DEFAULT_EXPERTS))
    if case.arm == "flops":
        return ControlPrior()
    if case.arm in ("random", "cost", "good", "ungated"):
        kind = "random" if case.arm == "ungated" else case.arm
        return ExpertPrior(control_scores(kind, int(case.variant)), gate=0 if case.arm == "ungated" else 20)
    return None


def reward_of(case: Case) -> Callable[[Mapping[str, Any], int, float], float]:
    """Return what a case makes of an accuracy in [0, 1], given the configuration and its place in the table."""
    if case.arm == "paper":
        one = scores("resnext")
        lam = _KAPPA * _ACCURACY_SD / one.stimuli.sd
        return lambda configuration, place, accuracy: accuracy + lam * one.score(dict(configuration))
    if case.arm.endswith("latency"):
        latencies = load_latencies(case.variant)
        factor = (latencies / np.median(latencies)) ** WEIGHT
        return lambda configuration, place, accuracy: accuracy * float(factor[place])
    return lambda configuration, place, accuracy: accuracy


def search(case: Case, dataset: str, seed: int) -> npt.NDArray[np.int64]:
    """Return the places in the table of the cells a run evaluates, in order."""
    space, accuracies, reward = search_space(), load_table(dataset).accuracies, reward_of(case)
    study = Study(AGENTS[case.agent](space, prior=prior_of(case)), seed=seed)
    n_values = [int(parameter.size or 0) for parameter in space.parameters]
    places = []
    for _ in range(EVALUATIONS[case.agent]):
        trial = study.ask()
        codes = space.encode([trial.configuration])[0].astype(np.int64)
        place = int(np.ravel_multi_index(tuple(codes.tolist()), n_values))
        study.tell(trial.id, reward(trial.configuration, place, float(accuracies[place]) / 100))
        places.append(place)
    if any(study.counts.values()):
        raise RuntimeError(f"{case}, seed {seed}: {dict(study.counts)}")
    return np.array(places)


def row(case: Case, dataset: str, seed: int) -> dict[str, Any]:
    """Return the CSV's line of one run: bests so far by when they were found, and the first cells."""
    places = search(case, dataset, seed)
    found = load_table(dataset).accuracies[places]
    best = np.maximum.accumulate(found)
    steps = [i for i in range(len(best)) if i == 0 or best[i] > best[i - 1]]
    return {
        "agent": case.agent, "arm": case.arm, "variant": case.variant, "dataset": dataset, "seed": seed,
        "improvements": " ".join(f"{i + 1}:{best[i]:.4f}" for i in steps),
        "cells": " ".join(map(str, places[:CELLS])) if case.seeds == SEEDS or case.arm in ("flops", "good") else "",
    }  # fmt: skip


def run(part: int, parts: int, path: Path) -> None:
    """Make the runs of one part that its CSV does not hold yet."""
    path = path.with_name(f"{path.stem}_{part}.csv")
    done = {(r["agent"], r["arm"], r["variant"], r["dataset"], r["seed"]) for r in common.read_rows(path)}
    listed = [case for number, case in enumerate(cases()) if number % parts == part]
    for case in listed:
        for dataset in DATASETS:
            for seed in case.seeds:
                if (case.agent, case.arm, case.variant, dataset, str(seed)) not in done:
                    common.append_row(path, row(case, dataset, seed))
            print(case.agent, case.arm, case.variant, dataset, flush=True)


def stored(path: Path) -> list[dict[str, str]]:
    """Return the published lines, or those of the parts where there are any."""
    rows = [one for part in sorted(path.parent.glob(f"{path.stem}_[0-9].csv")) for one in common.read_rows(part)]
    packed = path.with_suffix(".csv.gz")
    if rows or not packed.exists():
        return rows
    with gzip.open(packed, "rt", newline="") as file:
        return list(csv.DictReader(file))


def complete(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return the rows of the cases of which every run is there."""
    wanted = {(case.agent, case.arm, case.variant): len(DATASETS) * len(case.seeds) for case in cases()}
    counts = Counter((row["agent"], row["arm"], row["variant"]) for row in rows)
    return [row for row in rows if counts[key := (row["agent"], row["arm"], row["variant"])] == wanted[key]]


def pack(path: Path) -> None:
    """Put the parts together into one compressed CSV, which is what is published."""
    rows = complete(stored(path))
    whole = path.with_suffix(".part")
    whole.unlink(missing_ok=True)
    for one in rows:
        common.append_row(whole, one)
    path.with_suffix(".csv.gz").write_bytes(gzip.compress(whole.read_bytes(), mtime=0))
    whole.unlink()


def main(argv: Sequence[str] | None = None) -> None:
    """Run, or make the table and the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["run", "table", "pack"])
    parser.add_argument("--part", nargs=2, type=int, default=(0, 1), metavar=("PART", "OF"))
    common.add_results_option(parser, RESULTS)
    given = parser.parse_args(argv)
    try:
        if given.command == "run":
            run(*given.part, given.results)
        elif given.command == "pack":
            pack(given.results)
        elif not (rows := complete(stored(given.results))):
            parser.error(f"{given.results} holds no results")
        else:
            table, plot = irlas_benefit_table.table(rows), irlas_benefit_table.plot(rows)
            common.write_results(given.results, table, plot)
    except DataMissing as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
