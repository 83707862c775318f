"""What a proposal costs after so many finished trials, and how much memory the search takes.

    python -m experiments.benchmarks.proposal_cost run      # resumable; --methods, --spaces, --sizes for a part
    python -m experiments.benchmarks.proposal_cost table    # results/proposal_cost.md from the CSV

Protocol, written before the first run
--------------------------------------
Two spaces: 20 choices of 5 operations, and the 160-column one of the paper's supernet (two cells of five nodes, each
of which takes 2 of its 8 to 24 (input, operation) slots). The objective is linear in the features with a little
noise; the history is n random configurations. Then so many proposals are made and told, one at a time, that at least
two re-learns are among them (n // 40 + 30, at most 280). A process of its own for each measurement, one thread. Peers
that cannot be handed a history make it themselves; they are left out beyond 1,000 and in the space of subsets, which
they do not have.

Reported: the median wall time of a proposal with its report, its median and mean processor time, the processor time
to take in the history, and the peak resident memory. (Processor times were added after trial measurements on a machine
that many processes shared: a thread that waits for nothing takes as much wall as processor time on an idle one. A first
measurement found 213 MB in the wide space; the searcher was then made to need less, and all was measured again.)

Targets, fixed beforehand: median wall time at most 25 ms at 1,000 and 50 ms at 10,000 in both spaces, re-learning
included; at most 200 MB at 10,000.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.benchmarks import common, peers
from nni_strategies.lanas.searcher import LaNASSearcher
from nni_strategies.search.baselines import RegularizedEvolution
from nni_strategies.space.parameters import Categorical, Subset
from nni_strategies.space.search_space import SearchSpace

SIZES = (100, 1000, 10_000)
SPACES = {
    "20 choices of 5": SearchSpace(tuple(Categorical(f"op_{i}", ("a", "b", "c", "d", "e")) for i in range(20))),
    "160 columns": SearchSpace(
        tuple(Subset(f"{cell}_{i}", tuple(range(4 * (i + 2))), 2) for cell in ("normal", "reduce") for i in range(5))
    ),
}
METHODS: dict[str, peers.PeerFactory] = {
    "LaNAS": peers.ours(LaNASSearcher),
    "LaNAS, paper preset": peers.ours(LaNASSearcher, preset="paper"),
    "regularized evolution": peers.ours(RegularizedEvolution),
    "NNI TPE": peers.nni_tpe,
    "NNI Evolution": peers.nni_evolution,
    "Optuna TPE (multivariate)": peers.optuna_tpe,
}
OURS = list(METHODS)[:3]
RESULTS = common.RESULTS / "proposal_cost.csv"
_MEDIANS, _MEMORY = {1000: 25.0, 10_000: 50.0}, 200.0


def measure(method: str, space_name: str, n: int) -> dict[str, Any]:
    """Return the CSV's line of one measurement, made in this process."""
    space, rng = SPACES[space_name], np.random.default_rng(0)
    weights = rng.normal(size=space.n_codes)
    peer: Any = METHODS[method](space, 0)

    def objective(configuration: Any) -> float:
        return float(space.encode([configuration])[0] @ weights) + 0.1 * float(rng.normal())

    start = time.process_time()
    if isinstance(peer, peers.StudyPeer):
        for configuration in space.decode(space.sample_codes(rng, n)):
            peer.study.import_result(configuration, objective(configuration))
    else:
        for _ in range(n):
            number, configuration = peer.ask()
            peer.tell(number, objective(configuration))
    replay = time.process_time() - start
    wall, processor = [], []
    for _ in range(min(n // 40 + 30, 280)):
        start, start_wall = time.process_time(), time.perf_counter()
        number, configuration = peer.ask()
        peer.tell(number, objective(configuration))
        processor.append(1e3 * (time.process_time() - start))
        wall.append(1e3 * (time.perf_counter() - start_wall))
    return {
        "method": method,
        "space": space_name,
        "n": n,
        "median_ms": round(float(np.median(processor)), 2),
        "mean_ms": round(float(np.mean(processor)), 2),
        "wall_median_ms": round(float(np.median(wall)), 2),
        "history_s": round(replay, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def run(methods: list[str], spaces: list[str], sizes: list[int], results: Path) -> None:
    """Make the measurements that the CSV does not hold yet."""
    done = {(row["method"], row["space"], row["n"]) for row in common.read_rows(results)}
    for n in sizes:
        for space in spaces:
            for method in methods:
                known = method in OURS or (n <= 1000 and space == "20 choices of 5")
                if not known or (method, space, str(n)) in done:
                    continue
                done.add((method, space, str(n)))  # a name may be given twice
                command = [sys.executable, "-m", "experiments.benchmarks.proposal_cost", "measure", method, space]
                environment = {**os.environ, "OMP_NUM_THREADS": "1"}
                made = subprocess.run(
                    [*command, str(n)], env=environment, stdout=subprocess.PIPE, text=True, check=True
                )
                row = json.loads(made.stdout.splitlines()[-1])  # NNI greets on the standard output
                common.append_row(results, row)
                print(row, flush=True)


def table(rows: list[dict[str, str]]) -> str:
    """Return the measurements as Markdown, the verdict on each target first."""
    lines = ["# What a proposal costs", "", common.machine(), "", "## Targets", ""]
    for row in (row for row in rows if row["method"] == "LaNAS"):
        most = _MEDIANS.get(int(row["n"]))
        if most is not None:
            mark = "reached:" if float(row["wall_median_ms"]) <= most else "**NOT reached**:"
            told = f"{row['wall_median_ms']} ms, target {most:g}"
            lines.append(f"- {mark} median at {row['n']} finished trials, {row['space']}: {told}.")
        if int(row["n"]) == 10_000:
            mark = "reached:" if float(row["peak_mb"]) <= _MEMORY else "**NOT reached**:"
            lines.append(f"- {mark} memory at 10000, {row['space']}: {row['peak_mb']} MB, target {_MEMORY:g}.")
    lines += ["", "## Measurements", ""]
    lines += ["| space | finished | method | wall, median ms | processor, median ms | mean ms | history s | peak MB |"]
    lines += ["|" + "---|" * 8]
    for row in rows:
        cells = [row[key] for key in ("space", "n", "method", "wall_median_ms", "median_ms", "mean_ms", "history_s")]
        lines.append(f"| {' | '.join(cells)} | {row['peak_mb']} |")
    lines += ["", "History: processor time to take in the finished trials (NNI's tuners and Optuna proposed them)."]
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> None:
    """Run, make the table, or make one measurement (used by ``run``)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("run", "table", "measure"))
    parser.add_argument("one", nargs="*", help="method, space and size of one measurement")
    parser.add_argument("--methods", nargs="+", type=common.one_of(METHODS), default=list(METHODS))
    parser.add_argument("--spaces", nargs="+", type=common.one_of(SPACES), default=list(SPACES))
    parser.add_argument("--sizes", nargs="+", type=common.at_least(1), default=list(SIZES))
    common.add_results_option(parser, RESULTS)
    given = parser.parse_args(argv)
    if given.command == "measure":
        if len(given.one) != 3:
            parser.error(f"measure takes a method, a space and a size, not {given.one}")
        types = (common.one_of(METHODS), common.one_of(SPACES), common.at_least(1))
        try:
            print(json.dumps(measure(*(parse(text) for parse, text in zip(types, given.one, strict=True)))))
        except argparse.ArgumentTypeError as error:
            parser.error(str(error))
    elif given.one:
        parser.error(f"{given.command} takes no {given.one[0]!r}")
    elif given.command == "run":
        run(given.methods, given.spaces, given.sizes, given.results)
    else:
        columns = ("method", "space", "n", "wall_median_ms", "median_ms", "mean_ms", "history_s", "peak_mb")
        text = table(common.stored_rows(parser, given.results, columns))
        given.results.with_suffix(".md").write_text(text)
        print(text)


if __name__ == "__main__":
    main()
