"""What :mod:`.nat_darts_supernet` and :mod:`.nat_trained` share: the arms, their cases, runs kept as lines of a CSV."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.benchmarks import common, nat_arms, nat_critic_table
from experiments.benchmarks.nat_benefit import measured
from experiments.benchmarks.nat_benefit_table import KEY
from experiments.benchmarks.nat_critic_table import Comparison
from nni_strategies.nat.edges import Architectures

LEARNERS = ("recipe", "paper_line_graph")
PEERS = ("random", "shared", "local")


@dataclass(frozen=True)
class Case:
    """One run of one arm; `queries` are those it learns from."""

    rule: str
    arm: str
    queries: int
    seed: int


@dataclass(frozen=True)
class Budgets:
    """Outputs of each input, evaluations of the shared cache in all, and those of each climb."""

    ks: Sequence[int]
    totals: Sequence[int]
    climbs: Sequence[int]


def cases(
    rules: Iterable[str], seeds: Iterable[int], queries: Sequence[int], peers: Sequence[str] = PEERS
) -> Iterator[Case]:
    """Yield what learns with each number of queries, and peers that do not; one seed complete before the next."""
    for rule in rules:
        for seed in seeds:
            yield from (Case(rule, arm, n, seed) for arm in LEARNERS for n in queries)
            yield from (Case(rule, arm, 0, seed) for arm in peers)


def outcomes(problem: Any, inputs: Architectures, case: Case, budgets: Budgets) -> Iterator[nat_arms.Outcome]:
    """Return what an arm chooses."""
    if case.arm == "recipe":
        return nat_arms.recipe(problem, inputs, case.queries, "line_graph", case.seed)[0]
    if case.arm == "paper_line_graph":
        return nat_arms.paper(problem, inputs, case.queries, "line_graph", case.seed, budgets.ks)
    if case.arm == "random":
        return nat_arms.random_samples(problem, inputs, case.seed, budgets.ks)
    if case.arm == "shared":
        return nat_arms.shared_cache(problem, inputs, case.seed, budgets.totals)
    return nat_arms.local_search(problem, inputs, case.seed, budgets.climbs)


def run(
    chosen: Sequence[Case],
    path: Path,
    name: str,
    problem_of: Callable[[Case], tuple[Any, Architectures]],
    budgets: Budgets,
) -> None:
    """Make the runs that a CSV does not hold yet; `problem_of` gives the problem, called `name`, and its inputs."""
    done = {(row["rule"], row["arm"], row["queries"], row["seed"]) for row in common.read_rows(path)}
    for case in chosen:
        if (case.rule, case.arm, str(case.queries), str(case.seed)) in done:
            continue
        problem, inputs = problem_of(case)
        begun = time.process_time()
        results = [measured(problem, inputs, outcome) for outcome in outcomes(problem, inputs, case, budgets)]
        row = {"problem": name, "rule": case.rule, "arm": case.arm, "queries": case.queries, "seed": case.seed}
        row |= {"results": " ".join(results), "outlook": "", "seconds": f"{time.process_time() - begun:.1f}"}
        common.append_row(path, row)
        print(*row.values(), flush=True)


def read_options(
    parser: argparse.ArgumentParser, argv: Sequence[str] | None, results: Path, confirmed: Path
) -> argparse.Namespace:
    """Read the command line: ``run`` a part of the seeds or make the ``table``, of the protocol or its confirmation."""
    parser.add_argument("command", choices=["run", "table"])
    parser.add_argument("--part", nargs=2, type=int, default=(0, 1), metavar=("PART", "OF"), help="of the seeds")
    parser.add_argument("--confirm", action="store_true", help="fewer arms on new inputs and seeds")
    common.add_results_option(parser, results)
    given = parser.parse_args(argv)
    if given.confirm and given.results == results:
        given.results = confirmed
    part, parts = given.part
    if not 0 <= part < parts:
        parser.error(f"--part {part} {parts}: the first is a number from 0, below the second")
    return given


def part_of(given: argparse.Namespace, wanted: Iterable[Case]) -> list[Case]:
    """Return the cases of the seeds that the command line asks for."""
    part, parts = given.part
    return [case for case in wanted if case.seed % parts == part]


def write_table(parser: argparse.ArgumentParser, path: Path, about: Comparison) -> None:
    """Write the table and the plot beside the CSV."""
    rows = common.stored_rows(parser, path, (*KEY, "results"))
    common.write_results(path, nat_critic_table.table(rows, about), nat_critic_table.plot(rows, about))
