"""How fast NAT decides what an architecture becomes, on one thread.

Targets: a single decision in at most 2 ms, and at least 50,000 architectures a second in batches of 1,024, both with
the default policy. A decision is what is allowed, the policy's forward pass and one draw. Architectures are uniform
draws of NAS-Bench-201's cell (6 edges, 5 operations) and of a DARTS cell pair (16 edges, 8 operations), seed 0. The
other policies have no target.

Costs: of NNI's DARTS space in eight cells of width 16 all operations are counted, which has to take 10 s at most; the
cost of one architecture is then a sum, which has to take 50 us at most (a mean over 200, so the fastest of such means).

Processor time, the fastest of some repeats.

``python -m experiments.benchmarks.nat_speed`` writes ``nat_speed.md``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from experiments.benchmarks import common
from nni_strategies.nat.cost_table import CostTable
from nni_strategies.nat.edge_views import edge_view
from nni_strategies.nat.operation_classes import classes_by_name
from nni_strategies.nat.policy.make import make_policy
from nni_strategies.nat.sampling import drawn_operations
from nni_strategies.nat.transitions import Transitions
from nni_strategies.space.parameters import Categorical, Subset
from nni_strategies.space.search_space import SearchSpace
from search_spaces.nasbench201 import search_space

SINGLE, BATCHED, BATCH = 2e-3, 50_000.0, 1024
COUNTED, SUMMED, SUMS = 10.0, 50e-6, 200
POLICIES = ("line_graph", "lstm", "official")  # the first is the default
DARTS = (
    "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5",
    "none",
)  # fmt: skip


class Line(NamedTuple):
    """One quantity: what it is, what was measured, the target, and whether it was reached; None without a target."""

    name: str
    measured: str
    target: str = ""
    reached: bool | None = None


def darts_space() -> SearchSpace:
    """Return two cells of four nodes, each with two edges from any earlier node."""
    parameters: list[Categorical | Subset] = []
    for cell in ("normal", "reduce"):
        for node in range(2, 6):
            for slot in range(2):
                parameters.append(Categorical(f"{cell}/op_{node}_{slot}", DARTS))
                parameters.append(Subset(f"{cell}/input_{node}_{slot}", tuple(range(node)), 1))
    return SearchSpace(tuple(parameters))


def fastest(work: Callable[[], object], repeats: int) -> float:
    """Return the processor time of the fastest of some runs, in s."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def decisions(repeats: int) -> Iterator[Line]:
    """Measure the decisions of policies, one at a time and in batches."""
    for told, space in (("NAS-Bench-201", search_space()), ("DARTS cells", darts_space())):
        view = edge_view(space)
        moves = Transitions(view, classes_by_name(view), CostTable.by_operation(view, {}), "nat")
        batch = moves.inputs(np.random.default_rng(0), BATCH)
        for name in POLICIES:
            policy, generator = make_policy(name, view), torch.Generator().manual_seed(0)

            def decide(parents, policy=policy, generator=generator, moves=moves):  # type: ignore[no-untyped-def]
                return drawn_operations(policy, parents, moves.allowed(parents), 1, generator)

            one = batch[:1]
            single = fastest(lambda decide=decide, one=one: decide(one), 20 * repeats)
            rate = BATCH / fastest(lambda decide=decide, batch=batch: decide(batch), repeats)
            targets = (f"at most {1e3 * SINGLE:g} ms", single <= SINGLE), (f"at least {BATCHED:,.0f}", rate >= BATCHED)
            gated = name == POLICIES[0]
            yield Line(f"{name}, {told}: one", f"{1e3 * single:.2f} ms", *(targets[0] if gated else ()))
            yield Line(f"{name}, {told}: batches", f"{rate:,.0f} a second", *(targets[1] if gated else ()))


def costs(repeats: int) -> Iterator[Line]:
    """Measure how long it takes to count the operations of a space, and then to add up the cost of an architecture."""
    import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

    # isort: split
    from nni.nas.hub.pytorch.nasnet import DARTS, NDS

    from nni_strategies.nat.model_space import MeasuredCosts, edges_of_model_space

    space = NDS(["none", *DARTS.DARTS_OPS], num_nodes_per_cell=4, width=16, num_cells=8, dataset="cifar")
    edges = edges_of_model_space(space)
    batch = edges.view.encode(edges.view.space.decode(edges.view.space.sample_codes(np.random.default_rng(0), SUMS)))
    counted = fastest(lambda: MeasuredCosts(edges, (3, 32, 32)).edge_costs, 1)
    known = MeasuredCosts(edges, (3, 32, 32))
    known.total(batch)
    ones = [batch[[row]] for row in range(SUMS)]
    summed = fastest(lambda: [known.total(one) for one in ones], 4 * repeats) / SUMS
    yield Line("costs, DARTS in 8 cells: counted", f"{counted:.1f} s", f"at most {COUNTED:g} s", counted <= COUNTED)
    yield Line("… added up: one", f"{1e6 * summed:.0f} us", f"at most {1e6 * SUMMED:g} us", summed <= SUMMED)


#: What is measured, in order.
PARTS: tuple[Callable[[int], Iterator[Line]], ...] = (decisions, costs)


def table(lines: Sequence[Line]) -> str:
    """Return the results as Markdown."""
    out = ["# Speed of NAT", "", common.machine(), "", "One thread, processor time.", ""]
    out += ["| what | measured | target | |", "|---|---|---|---|"]
    verdicts = {True: "reached", False: "**NOT reached**", None: ""}
    out += [f"| {name} | {measured} | {target} | {verdicts[good]} |" for name, measured, target, good in lines]
    return "\n".join(out) + "\n"


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=common.at_least(1), default=5)
    parser.add_argument("--output", type=Path, default=common.RESULTS / "nat_speed.md")
    given = parser.parse_args(argv)
    torch.set_num_threads(1)
    text = table([line for part in PARTS for line in part(given.repeats)])
    given.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
