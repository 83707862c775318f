"""NAT's and NAT++'s released transformations, where somebody has them: every move is one of the rules.

The release is no part of this project, and neither are its files: NNI_STRATEGIES_NAT_RELEASE names them, as many as
there are, with the separator of PATH between. In them ``NAT_DARTS`` and ``NATv2_DARTS`` are what became of ``DARTS``,
and so on. The same checks run on a release made up of the cells that the project has.
"""

from __future__ import annotations

import os
from pathlib import Path

import nni_strategies.bridge.torchvision_first  # noqa: F401

# isort: split
import numpy as np
import pytest
from nni.nas.hub.pytorch.nasnet import NDS, OPS

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.genotypes import MERGES, DartsGenotype, read_genotype
from nni_strategies.nat.model_space import MeasuredCosts, classes_of_modules, edges_of_model_space
from nni_strategies.nat.rules import allowed_by_rule
from nni_strategies.nat.transitions import Transitions
from search_spaces.handcrafted_cells import CELLS

RELEASE = [Path(name) for name in os.environ.get("NNI_STRATEGIES_NAT_RELEASE", "").split(os.pathsep) if name]
NETWORKS = ("DARTS", "ENAS", "VGG", "ResBlock", "MobileNetV2")
RULE_OF = {"NAT_": "nat", "NATv2_": "nat++"}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def operations_of(*pair: DartsGenotype) -> list[str]:
    return sorted({value for one in pair for label, value in one.sample.items() if "/op_" in label} | {"none"})


def check_pair(before: DartsGenotype, after: DartsGenotype, rule: str) -> int:
    """Check a transformation by a rule and return how many of its moves the strict rule rejects."""
    merge = next(name for name in MERGES if name in before.merges)
    n_nodes = sum(label.startswith("normal/op_") for label in before.sample) // 2
    operations = operations_of(before, after)
    edges = edges_of_model_space(NDS(operations, merge, n_nodes, width=8, num_cells=6, dataset="cifar"))
    view, classes, costs = edges.view, classes_of_modules(edges), MeasuredCosts(edges, (3, 32, 32))
    old, new = (view.encode([dict(one.sample)]) for one in (before, after))
    assert (old.sources == new.sources).all()
    places = np.arange(view.n_edges)
    assert allowed_by_rule(rule, classes)[places, old.operations[0], new.operations[0]].all()
    strict = Transitions(view, classes, costs, rule).allowed(old)[0]
    rejected = ~strict[places, new.operations[0]]
    free = np.array([view.operations[o] == "none" or "pool" in view.operations[o] for o in old.operations[0]])
    skips = np.array([view.operations[o] == "skip_connect" for o in new.operations[0]])
    halving = np.array([edge.cell == "reduce" for edge in view.edges]) & (old.sources[0] < 2)
    assert rejected.tolist() == (free & skips & halving).tolist()
    return int(rejected.sum())


def made_up() -> str:
    """Return the project's own cells as a release would have them."""
    lines = []
    for name, cell in CELLS.items():
        nodes = tuple(range(2, 2 + cell.n_nodes))
        ends = {kind: tuple(node for node in nodes if [node] not in
                            [value for label, value in cell.sample.items() if label.startswith(f"{kind}/input_")])
                for kind in ("normal", "reduce")}  # fmt: skip
        concat = dict.fromkeys(ends, nodes) if cell.merge == "all" else ends
        lines.append(DartsGenotype(cell.sample, concat, frozenset({cell.merge})).text(name))
    return "".join(lines)


@pytest.mark.parametrize(("name", "rejected"), [("DARTS", 2), ("ENAS", 0), ("VGG", 2), ("ResBlock", 2)])
@pytest.mark.parametrize("rule", ["nat", "nat++"])
def test_the_checks_pass_on_our_own_cells(name: str, rejected: int, rule: str):
    before, after = (read_genotype(made_up(), one, "release") for one in (name, f"NAT_{name}"))
    assert check_pair(before, after, rule) == rejected


def test_the_checks_fail_on_a_move_that_no_rule_has():
    before, after = (read_genotype(made_up(), one, "release") for one in ("NAT_DARTS", "DARTS"))
    with pytest.raises(AssertionError):
        check_pair(before, after, "nat++")


@pytest.mark.skipif(not RELEASE, reason="needs NAT's release: genotypes that NNI_STRATEGIES_NAT_RELEASE names")
@pytest.mark.parametrize("prefix", RULE_OF)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_released_moves_are_those_of_the_rules(name: str, prefix: str):
    text = "\n".join(path.read_text() for path in RELEASE)
    try:
        before, after = (read_genotype(text, one, "release") for one in (name, f"{prefix}{name}"))
    except InvalidArgument as missing:
        pytest.fail(str(missing))
    if unknown := [name for name in operations_of(before, after) if name not in OPS]:
        pytest.skip(f"needs NAT's release to do with what NNI has; it has no {', '.join(unknown)}")
    check_pair(before, after, RULE_OF[prefix])
