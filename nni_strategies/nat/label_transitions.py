"""The transitions of a space of which labels are all there is: what operations cost, the user says.

Labels do not tell channels, resolutions or strides, so nothing can be measured; and no order among operations holds
without them (a skip that halves is a convolution). A guarantee that costs never rise therefore needs costs.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.config import NATConfig
from nni_strategies.nat.cost_table import CostTable
from nni_strategies.nat.edge_views import edge_view
from nni_strategies.nat.edges import EdgeView
from nni_strategies.nat.moves_of_space import SpaceMoves
from nni_strategies.nat.operation_classes import OPERATION, OperationClasses, classes_by_name
from nni_strategies.nat.rules import Rule
from nni_strategies.nat.transitions import CostRule, Transitions
from nni_strategies.space.search_space import SearchSpace

_POOLING = ("maxpool", "avgpool")


def moves_of_labels(space: SearchSpace, config: NATConfig) -> SpaceMoves:
    """Return what the architectures of a search space may become.

    Raises
    ------
    InvalidArgument
        It has no edges with operations, costs are needed and not given, or an operation is named that it lacks.
    """
    view = edge_view(space)
    classes = classes_by_name(view, config.op_classes)
    return SpaceMoves(made_transitions(view, classes, given_costs(view, classes, config), config))


def made_transitions(view: EdgeView, classes: OperationClasses, costs: CostTable, config: NATConfig) -> Transitions:
    """Return transitions under a configuration's rules.

    Raises
    ------
    InvalidArgument
        A space with constraints, which a transformation may break, or in which no operation may become another.
    """
    if view.space.constraints:
        described = [constraint.describe() for constraint in view.space.constraints]
        raise InvalidArgument("space.constraints", described, "none: each edge is transformed by itself")
    rules = cast(Rule, config.rule), cast(CostRule, config.cost_rule)
    transitions = Transitions(view, classes, costs, *rules)
    moves = transitions.moves(costs.edge_costs)
    if not (moves & ~np.eye(moves.shape[-1], dtype=bool)).any():
        allowed = f"operations that may become others by the rule {config.rule}; op_classes says what they are"
        raise InvalidArgument("space", list(view.operations), allowed)
    return transitions


def given_costs(view: EdgeView, classes: OperationClasses, config: NATConfig) -> CostTable:
    """Return the costs that a configuration gives; zeros where none are needed.

    Raises
    ------
    InvalidArgument
        ``cost_rule="strict"`` without the costs of an operation, or costs of one that there is not.
    """
    counted = (classes.roles == OPERATION) & ~np.isin(classes.families, _POOLING)
    needed = [name for v, name in enumerate(view.operations) if counted[:, v].any()]
    if config.cost_rule == "strict":
        missing = [name for name in needed if name not in (config.costs or {})]
        if missing:
            allowed = (
                f"operation -> [MAdds, parameters], of {', '.join(missing)} too: labels do not tell what operations "
                "cost. Or no guarantee of costs, with rule nat++ or nat and cost_rule paper"
            )
            raise InvalidArgument("costs", config.costs, allowed)
    costs = {name: (int(cost[0]), int(cost[1])) for name, cost in (config.costs or {}).items()}
    return CostTable.by_operation(view, costs)
