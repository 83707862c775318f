"""What few evaluations gain when many architectures are transformed: NAS-Bench-201, and two of its cells side by side.

    python -m experiments.benchmarks.nat_benefit run [--part 0 2]    # resumable
    python -m experiments.benchmarks.nat_benefit table               # results/nat_benefit.md and .svg
    python -m experiments.benchmarks.nat_benefit run --confirm       # table --confirm: results/nat_benefit_confirm.md

Protocol, written before the first run
--------------------------------------
1,000 uniform inputs, drawn once (seed 2026) and the same for all arms; seeds of the arms 2019 to 2023. Searched by
validation accuracy after 200 epochs on CIFAR-10, CIFAR-100 and ImageNet16-120, and after 12 epochs on CIFAR-10 (noisy);
gains are mean points of test accuracy after 200 epochs over the inputs. The product space has two cells, 12 edges, and
as value the square root of the one's accuracy on CIFAR-10 times the other's on CIFAR-100. Rules ``nat`` and ``cost``,
strict, nominal cost. The oracle is the best valid output by validation accuracy, found by exhaustion.

Arms: ``recipe``, the default learner, with 100, 300 and 1,000 queries, K = 0, 1 and 10; ``recipe, no policy``, the same
with random candidates, 100 queries; ``random``, the best of the input and of 1, 10 or 11 random valid outputs;
``shared``, no learning: at each total of evaluations the best that an input can become among all inputs and random
outputs of them; ``paper``, the paper's learner without a critic, with the line-graph network, an LSTM and the
official-style encoder, 100, 300 and 1,000 queries, best of 1 or 10; ``local``, a climb by single edges of each input,
of 1, 3, 10 or 30 evaluations. For all, different architectures evaluated in all, inputs included.

All tables had been seen with other inputs, ``default_rng(0)``, and seeds 0 to 5. Chosen on them: with K = 0 the
critic's mean less half its standard deviation decides (CIFAR-10, CIFAR-100); what is evaluated for one input is there
for all (CIFAR-10); kernels of cells are multiplied and added (product, seeds 0 and 1); and the form of the targets
below. Trials of this program used seed 999 and inputs of seed 2019; after them, with K = 0 a dead architecture is never
chosen. Tried and left out, as they brought nothing: candidates half from the policy and half random, queries that must
beat the known by a margin, and no queries of what computes the same as the known.

Since the first complete run, of which the arms that do not derive are kept: outputs are derived in rounds, the inputs
first, with the critic fitted again before each (:mod:`nni_strategies.nat.contenders`), and a critic that explains
little chooses more carefully with K = 0 (:mod:`nni_strategies.nat.unevaluated`). Chosen on CIFAR-10 with inputs of seed
77 and seeds 11 to 13, and on ENAS's cells scored by a supernet; on the product space seed 11 and those inputs were
looked at for the time it takes. The targets are those of the first run; it gained 6.30 and 6.54 on two cells, rule
``cost``, 100 queries, K = 1 and 10, by 2,098 and 11,015 evaluations.

Added after all other runs, without a target: 1,000 queries on two cells, ``random`` with K = 11; then more budgets of
``random``, ``local`` and ``paper``, so that all can be compared at equal totals of evaluations
(:mod:`.nat_equal_totals`). Of these 550 runs 542 came out as before; eight of the official-style encoder did not, on
another processor, and count as they are now.

Confirmation (``--confirm``), written before its only run: that second run used the inputs and seeds of the first. So
the recipe with 100 queries (two cells: without a policy, too), ``shared`` and the oracle once more, with inputs of seed
4052 and seeds 3019 to 3023, which nothing had seen; the same targets, as far as they are of 100 queries. Later, and
again written before the only run: the recipe, unchanged, with 300 queries on the same inputs and seeds, by which
nothing had been chosen; the targets of 300 queries.

Targets. They come from a pre-study with other inputs, whose oracle gained 4.44, 6.06, 6.36, 4.38 and, on the product
space, 7.08 points. How many inputs are dead (they gain 75 points) decides such numbers, so here each is a share of the
oracle's gain, to be reached over all inputs and over living ones alone, mean over seeds, by both rules:

100 queries
    K = 1: 4.25, 5.55, 5.9, 4.15 on CIFAR-10, CIFAR-100, ImageNet16-120, noisy; on CIFAR-10 K = 10: 4.33, K = 0: 4.1.
300 queries
    K = 1: 4.33, 5.75, 6.1, 4.25.
Product, 100 queries
    K = 0: 5.9, K = 10: 6.45, and with the policy 0.2 points more than without at K = 10; 300 queries, K = 10: 6.8.
Everywhere
    With K of 1 or more no output is below its input in validation accuracy; none costs more.
Besides, on CIFAR-10
    The paper's line-graph learner, 1,000 queries, best of 10: 4.0; and the recipe's margin over ``shared`` at equal
    total evaluations is positive on all four tables (100 queries, K = 1).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from experiments.benchmarks import common, nat_arms, nat_benefit_gates, nat_benefit_table, nat_equal_totals
from experiments.benchmarks.nat_problems import INPUT_SEED, PROBLEMS, PRODUCT, Problem
from nni_strategies.errors import DataMissing
from nni_strategies.nat.edges import Architectures

SEEDS = range(2019, 2024)
RULES = ("nat", "cost")
QUERIES = (100, 300, 1000)
PAPER = ("line_graph", "lstm", "official")

CONFIRM_INPUTS, CONFIRM_SEEDS = 4052, range(3019, 3024)

RESULTS, CONFIRMED = common.RESULTS / "nat_benefit.csv", common.RESULTS / "nat_benefit_confirm.csv"


@dataclass(frozen=True)
class Case:
    """One run of one arm.

    Parameters
    ----------
    problem, rule
        What is transformed, and what may become what.
    arm
        ``recipe``, ``no_policy``, ``paper_…``, ``random``, ``shared``, ``local`` or ``oracle``.
    queries
        Evaluations it learns from; 0 where nothing is learned.
    seed
        Of the arm.
    """

    problem: str
    rule: str
    arm: str
    queries: int
    seed: int


def cases() -> Iterator[Case]:
    """Yield every case of the protocol, the cheapest seeds first complete."""
    for seed in SEEDS:
        for problem in PROBLEMS:
            for rule in RULES:
                if seed == SEEDS[0]:
                    yield Case(problem, rule, "oracle", 0, seed)
                yield from (Case(problem, rule, "recipe", n, seed) for n in QUERIES)
                yield Case(problem, rule, "no_policy", QUERIES[0], seed)
                yield from (Case(problem, rule, arm, 0, seed) for arm in ("random", "shared", "local"))
                yield from (Case(problem, rule, f"paper_{policy}", n, seed) for policy in PAPER for n in QUERIES)


def confirmations() -> Iterator[Case]:
    """Yield every case of the confirmation."""
    for seed in CONFIRM_SEEDS:
        for problem in PROBLEMS:
            for rule in RULES:
                if seed == CONFIRM_SEEDS[0]:
                    yield Case(problem, rule, "oracle", 0, seed)
                yield from (Case(problem, rule, "recipe", n, seed) for n in QUERIES[:2])
                if problem == PRODUCT:
                    yield Case(problem, rule, "no_policy", QUERIES[0], seed)
                else:
                    yield Case(problem, rule, "shared", 0, seed)


@lru_cache(maxsize=2)
def problem_of(name: str, rule: str, input_seed: int = INPUT_SEED) -> tuple[Problem, Architectures]:
    """Return a problem and its inputs."""
    problem = Problem(name, rule)  # type: ignore[arg-type]
    return problem, problem.inputs(seed=input_seed)


def run_case(case: Case) -> dict[str, Any]:
    """Return the CSV's line of a case."""
    input_seed = CONFIRM_INPUTS if case.seed in CONFIRM_SEEDS else INPUT_SEED
    problem, inputs = problem_of(case.problem, case.rule, input_seed)
    begun, outlook = time.process_time(), []
    if case.arm in ("recipe", "no_policy"):
        policy = "line_graph" if case.arm == "recipe" else "random"
        outcomes, outlook = nat_arms.recipe(problem, inputs, case.queries, policy, case.seed)
    elif case.arm.startswith("paper_"):
        outcomes = nat_arms.paper(problem, inputs, case.queries, case.arm.removeprefix("paper_"), case.seed)
    elif case.arm == "oracle":
        outcomes = iter([nat_arms.Outcome(0, problem.best(inputs), 0)])
    else:
        make = {"random": nat_arms.random_samples, "shared": nat_arms.shared_cache, "local": nat_arms.local_search}
        outcomes = make[case.arm](problem, inputs, case.seed)
    results = [measured(problem, inputs, outcome) for outcome in outcomes]
    return {
        "problem": case.problem, "rule": case.rule, "arm": case.arm, "queries": case.queries, "seed": case.seed,
        "results": " ".join(results), "outlook": " ".join(f"{share:.2f}" for share in outlook),
        "seconds": f"{time.process_time() - begun:.1f}",
    }  # fmt: skip


def measured(problem: Problem, inputs: Architectures, outcome: nat_arms.Outcome) -> str:
    """Return ``setting:gain:gain of living inputs:evaluations:worst change by validation:worst rise of MAdds``."""
    gain = nat_arms.gains(problem, inputs, outcome.outputs)
    kept = float((problem.valid(outcome.outputs) - problem.valid(inputs)).min())
    costs = problem.transitions.costs
    dearer = int((costs.chosen(outcome.outputs) - costs.chosen(inputs)).max())
    living = gain[problem.transitions.alive(inputs)].mean()
    return f"{outcome.setting}:{gain.mean():.4f}:{living:.4f}:{outcome.evaluations}:{kept:.4f}:{dearer}"


def run(part: int, parts: int, path: Path, chosen: Sequence[Case]) -> None:
    """Make the runs of one part that its CSV does not hold yet."""
    path = path.with_name(f"{path.stem}_{part}.csv")
    done = {tuple(row[name] for name in nat_benefit_table.KEY) for row in common.read_rows(path)}
    for case in [case for number, case in enumerate(chosen) if number % parts == part]:
        if (case.problem, case.rule, case.arm, str(case.queries), str(case.seed)) not in done:
            row = run_case(case)
            common.append_row(path, row)
            print(*row.values(), flush=True)


def stored(path: Path) -> list[dict[str, str]]:
    """Return the lines of all parts, or the published ones where there are no parts."""
    rows = [one for part in sorted(path.parent.glob(f"{path.stem}_[0-9].csv")) for one in common.read_rows(part)]
    return rows or common.read_rows(path)


def main(argv: Sequence[str] | None = None) -> None:
    """Run, or make the table and the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["run", "table"])
    parser.add_argument("--part", nargs=2, type=int, default=(0, 1), metavar=("PART", "OF"))
    parser.add_argument("--only", type=common.one_of(PROBLEMS), metavar="PROBLEM", help="runs of one problem alone")
    told = "how many, %(default)s unless given"
    parser.add_argument("--seeds", type=common.at_least(1), default=len(SEEDS), help=told)
    parser.add_argument("--confirm", action="store_true", help="the recipe on new inputs and seeds")
    common.add_results_option(parser, RESULTS)
    given = parser.parse_args(argv)
    if given.confirm and given.results == RESULTS:
        given.results = CONFIRMED
    torch.set_num_threads(1)
    try:
        if given.command == "run":
            seeds = (CONFIRM_SEEDS if given.confirm else SEEDS)[: given.seeds]
            wanted = [case for case in (confirmations() if given.confirm else cases()) if case.seed in seeds]
            run(*given.part, given.results, [case for case in wanted if given.only in (None, case.problem)])
        elif not (rows := stored(given.results)):
            parser.error(f"{given.results} holds no results")
        else:
            runs = nat_benefit_table.Runs(rows)
            told = nat_benefit_table.table(rows, nat_benefit_gates.gates(runs), nat_equal_totals.lines(runs))
            common.write_results(given.results, told, nat_benefit_table.plot(rows))
    except DataMissing as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
