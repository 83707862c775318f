"""How fast topologies are read, encoded, scored and fitted, on one thread.

Targets, written before the first run: Weisfeiler-Lehman features of at least 2,000 blocks a second; scores of at least
20,000 blocks a second from cached features; linear feature counts of at least 8,000 blocks a second; a fit of the
stimuli in at most 10 s; and a score costs a trial nothing that is measurable: less than 0.1 % of a minute's trial.
Blocks are random NSC blocks of at most 12 layers (seed 0). Processor time, the fastest of some repeats.

``python -m experiments.benchmarks.irlas_speed`` writes ``irlas_speed.md``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from experiments.benchmarks import common
from nni_strategies.irlas.experts import expert, load_experts
from nni_strategies.irlas.irl.kernel import KernelScore
from nni_strategies.irlas.nsc_features import BlockArray, NSCFeatures
from nni_strategies.irlas.scoring import DEFAULT_EXPERTS, ConfigurationScores, blocks_function
from nni_strategies.irlas.similarity import WEIGHTS, WLSimilarity
from nni_strategies.irlas.stimuli import Stimuli
from nni_strategies.topology.nsc_graph import parsed_graph
from nni_strategies.topology.nsc_space import nsc_space, random_blocks
from nni_strategies.topology.topology import Block
from search_spaces.nasbench201 import search_space

N_BLOCKS, LAYERS, TRIAL = 2000, 12, 60.0
FEATURES, SCORES, LINEAR, FIT, SHARE = 2000.0, 20_000.0, 8000.0, 10.0, 1e-3


def fastest(work: Callable[[], object], repeats: int) -> float:
    """Return the processor time of the fastest of some runs, in s."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def measure(repeats: int) -> list[tuple[str, str, str, bool]]:
    """Return a line for each quantity: what it is, what was measured, the target, whether it was reached."""
    blocks = random_blocks(np.random.default_rng(0), N_BLOCKS, LAYERS)
    graphs = [parsed_graph(block) for block in blocks]
    similarity = WLSimilarity({"resnext": expert("resnet")}, "jaccard")
    cached = similarity.histograms("resnext", graphs)
    expert_counts = tuple(similarity.neighbourhoods["resnext"].histograms)
    kernel = KernelScore(expert_counts, tuple(np.ones(len(row)) for row in expert_counts), WEIGHTS)
    linear = NSCFeatures("nsc_raw_window")
    lines = []

    def rate(name: str, work: Callable[[], object], least: float) -> None:
        a_second = N_BLOCKS / fastest(work, repeats)
        lines.append((name, f"{a_second:,.0f} blocks a second", f"at least {least:,.0f}", a_second >= least))

    rate("features, rounds 0 to 2", lambda: similarity.histograms("resnext", graphs), FEATURES)
    rate("scores from cached features", lambda: kernel.scores(cached), SCORES)
    rate("linear counts, raw window", lambda: linear.counts(BlockArray.of(blocks)), LINEAR)
    members = [[Block("block", graph, 1)] for graph in graphs]
    paper = {"features": "nsc_raw_window", "irl": "projection"}
    for told, options in (("default", {}), ("kernel", {"irl": "kernel"}), ("projection", paper)):
        taken = fastest(lambda options=options: Stimuli.fit({"resnet": expert("resnet")}, members, **options), 1)
        lines.append((f"fit, {told}", f"{taken:.2f} s", f"at most {FIT:g} s", taken <= FIT))
    for name, space in (("NAS-Bench-201", search_space()), ("NSC, 10 layers", nsc_space(10))):
        taken = fastest(lambda space=space: scores_of(space), 1)
        lines.append((f"scores of a space, {name}", f"{taken:.2f} s", f"at most {FIT:g} s", taken <= FIT))
        scores = scores_of(space)
        fresh = space.decode(space.sample_codes(np.random.default_rng(7), 500))
        each = fastest(lambda scores=scores, fresh=fresh: [scores.score(c) for c in fresh], 1) / len(fresh)
        lines.append((f"a trial's score, {name}", f"{1e3 * each:.2f} ms",
                      f"at most {1e3 * SHARE * TRIAL:g} ms", each <= SHARE * TRIAL))  # fmt: skip
    return lines


def scores_of(space: object) -> ConfigurationScores:
    """Return the scores of a space by the default experts, 2,000 members read."""
    return ConfigurationScores(space, blocks_function(None), load_experts(DEFAULT_EXPERTS))  # type: ignore[arg-type]


def table(lines: Sequence[tuple[str, str, str, bool]]) -> str:
    """Return the results as Markdown."""
    out = ["# Speed of the mirror stimuli", "", common.machine(), ""]
    out += [f"One thread, processor time. {N_BLOCKS:,} random NSC blocks of at most {LAYERS} layers.", ""]
    out += ["| what | measured | target | |", "|---|---|---|---|"]
    for name, told, target, good in lines:
        out.append(f"| {name} | {told} | {target} | {'reached' if good else '**NOT reached**'} |")
    return "\n".join(out) + "\n"


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=common.at_least(1), default=5)
    parser.add_argument("--output", type=Path, default=common.RESULTS / "irlas_speed.md")
    given = parser.parse_args(argv)
    text = table(measure(given.repeats))
    given.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
