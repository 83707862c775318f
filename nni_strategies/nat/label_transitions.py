"""What transitions need in order to hold: edges that do not depend on each other, and costs.

Where labels are all there is, the user says what operations cost. Labels do not tell channels, resolutions or strides,
so nothing can be measured; and no order among operations holds without them (a skip that halves is a convolution). A
guarantee that costs never rise therefore needs costs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.cost_table import CostTable
from nni_strategies.nat.edges import EdgeView
from nni_strategies.nat.live_costs import CostMode
from nni_strategies.nat.operation_classes import OPERATION, OperationClasses
from nni_strategies.nat.rules import Rule
from nni_strategies.nat.transitions import CostRule, Transitions

_POOLING = ("maxpool", "avgpool")


def made_transitions(
    view: EdgeView,
    classes: OperationClasses,
    costs: CostTable,
    rule: Rule,
    cost_rule: CostRule,
    cost_mode: CostMode = "nominal",
) -> Transitions:
    """Return the transitions of a space under a rule.

    Parameters
    ----------
    view
        The edges.
    classes, costs
        What their operations are, and cost.
    rule, cost_rule, cost_mode
        See :class:`~.transitions.Transitions`.

    Returns
    -------
    Transitions
        Some operation may become another in it.

    Raises
    ------
    InvalidArgument
        A space with constraints, which a transformation may break, in which no operation may become another, or whose
        costs do not add up; or an unknown rule or mode.
    """
    if view.space.constraints:
        described = [constraint.describe() for constraint in view.space.constraints]
        raise InvalidArgument("space.constraints", described, "none: each edge is transformed by itself")
    transitions = Transitions(view, classes, costs, rule, cost_rule, cost_mode)
    moves = transitions.moves(costs.edge_costs)
    if not (moves & ~np.eye(moves.shape[-1], dtype=bool)).any():
        allowed = f"operations that may become others by the rule {rule}; op_classes says what they are"
        raise InvalidArgument("space", list(view.operations), allowed)
    costs.refuse_uneven()
    return transitions


def given_costs(
    view: EdgeView, classes: OperationClasses, costs: Mapping[str, Sequence[int]] | None, cost_rule: CostRule
) -> CostTable:
    """Return costs that are given as a table; zeros where none are needed.

    Parameters
    ----------
    view, classes
        The edges, and what their operations are.
    costs
        Operation -> [MAdds, parameters], summed over all cells; None for none.
    cost_rule
        ``strict`` or ``paper``.

    Returns
    -------
    CostTable
        Every edge pays the same for an operation, and nothing for one that is not mentioned.

    Raises
    ------
    InvalidArgument
        ``cost_rule="strict"`` without the costs of a real operation other than pooling, or costs of one that there is
        not, or that are none.
    """
    check_costs(costs or {})
    counted = (classes.roles == OPERATION) & ~np.isin(classes.families, _POOLING)
    needed = [name for v, name in enumerate(view.operations) if counted[:, v].any()]
    if cost_rule == "strict":
        missing = [name for name in needed if name not in (costs or {})]
        if missing:
            allowed = (
                f"operation -> [MAdds, parameters], of {', '.join(missing)} too: labels do not tell what operations "
                "cost. Or no guarantee of costs, with rule nat++ or nat and cost_rule paper"
            )
            raise InvalidArgument("costs", costs, allowed)
    return CostTable.by_operation(view, {name: (int(cost[0]), int(cost[1])) for name, cost in (costs or {}).items()})


def check_costs(costs: Any) -> None:
    """Refuse what is no mapping of operations to costs.

    Raises
    ------
    InvalidArgument
        It names the first that is not ``[MAdds, parameters]``.
    """
    if not isinstance(costs, Mapping):
        raise InvalidArgument("costs", costs, "a dictionary: operation -> [MAdds, parameters]")
    for name, cost in costs.items():
        pair = isinstance(cost, (list, tuple)) and len(cost) == 2
        if not pair or any(isinstance(part, bool) or not isinstance(part, int) or part < 0 for part in cost):
            raise InvalidArgument(f"costs[{name}]", cost, "[MAdds, parameters], two whole numbers from 0")
