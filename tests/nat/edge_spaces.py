"""Small spaces of edges for tests, without NNI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nni_strategies.nat.cost_table import CostTable
from nni_strategies.nat.edge_views import edge_view
from nni_strategies.nat.edges import EdgeView
from nni_strategies.nat.live_costs import CostMode
from nni_strategies.nat.operation_classes import classes_by_name
from nni_strategies.nat.rules import Rule
from nni_strategies.nat.transitions import CostRule, Transitions
from nni_strategies.space.parameters import Categorical, Subset
from nni_strategies.space.search_space import SearchSpace
from nni_strategies.topology.cells import Loose

NASBENCH201 = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
NASBENCH201_COSTS = {"nor_conv_1x1": (3_932_160, 4_096), "nor_conv_3x3": (35_389_440, 36_864)}
NASBENCH201_EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))


def nasbench201(*cells: str) -> EdgeView:
    """NAS-Bench-201's cell, once for each name."""
    labels = [f"{cell}.edge_{i}_{j}" for cell in cells or ("cell",) for i, j in NASBENCH201_EDGES]
    return edge_view(SearchSpace(tuple(Categorical(label, NASBENCH201) for label in labels)))


def two_input_cells(
    operations: Sequence[str], n_nodes: int = 4, cells: Sequence[str] = ("normal", "reduce"), concat: Loose = "all"
) -> EdgeView:
    """Cells as NNI writes them: each node the sum of two operations on earlier nodes, the first two of them inputs."""
    parameters: list[Categorical | Subset] = []
    for cell in cells:
        for node in range(2, 2 + n_nodes):
            for slot in range(2):
                parameters.append(Categorical(f"{cell}/op_{node}_{slot}", tuple(operations)))
                parameters.append(Subset(f"{cell}/input_{node}_{slot}", tuple(range(node)), 1))
    return edge_view(SearchSpace(tuple(parameters)), concat=concat)


def transitions(
    view: EdgeView,
    costs: Mapping[str, tuple[int, int]],
    rule: Rule = "cost",
    cost_rule: CostRule = "strict",
    cost_mode: CostMode = "nominal",
) -> Transitions:
    """Transitions of a space whose operations cost the same on every edge."""
    return Transitions(view, classes_by_name(view), CostTable.by_operation(view, costs), rule, cost_rule, cost_mode)
