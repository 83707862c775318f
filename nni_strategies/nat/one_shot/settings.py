"""How the policy of a one-shot transformation learns, checked before any work starts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.live_costs import CostMode
from nni_strategies.nat.policy.make import POLICIES
from nni_strategies.nat.rules import RULES, Rule
from nni_strategies.nat.supernet_paths import LEARNED_PATHS, LearnedPaths, check_kept
from nni_strategies.nat.transitions import CostRule, check_cost_rules
from nni_strategies.supernet.seeding import check_seed

_COUNTS = {"n_inputs": 1, "n_outputs": 1, "k": 1, "hidden": 1}


@dataclass(frozen=True)
class OneShotSettings:
    """Settings of :class:`~.learner.OneShotLearner`.

    Parameters
    ----------
    rule, cost_rule, cost_mode
        See :class:`~nni_strategies.nat.transitions.Transitions`.
    paths
        What weights and policy learn. ``space``: uniform architectures, as the paper has it. ``outputs``: what the one
        given can become, so that each operation is trained for longer, and how to transform that one alone.
    kept
        Of paths of outputs: probability with which an edge stays as it is, see
        :func:`~nni_strategies.nat.supernet_paths.outputs_of`.
    n_inputs, n_outputs
        m and n: architectures of a step of the policy (with ``outputs`` all the one given), and outputs of each, judged
        on one batch.
    policy
        A name that :func:`~nni_strategies.nat.policy.make.make_policy` knows.
    hidden
        Size of its layers.
    learning_rate
        Of its Adam.
    entropy
        lambda.
    k
        Different outputs, the input besides, among which the best is chosen in the end.
    seed
        Of the policy's weights and of everything drawn.

    Raises
    ------
    InvalidArgument
        Naming the field, the value and what is allowed.
    """

    rule: Rule = "cost"
    cost_rule: CostRule = "strict"
    cost_mode: CostMode = "nominal"
    paths: LearnedPaths = "space"
    kept: float = 0.0
    n_inputs: int = 1
    n_outputs: int = 4
    policy: str = "line_graph"
    hidden: int = 64
    learning_rate: float = 3e-4
    entropy: float = 3e-3
    k: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        for name, names in (("rule", RULES), ("paths", LEARNED_PATHS), ("policy", POLICIES)):
            value = getattr(self, name)
            if value not in names:
                raise InvalidArgument(name, value, f"one of {', '.join(names)}", names)
        check_cost_rules(self.rule, self.cost_rule, self.cost_mode)
        for name, least in _COUNTS.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InvalidArgument(name, value, f"a whole number from {least}")
        check_seed(self.seed)
        check_kept(self.kept)
        if self.kept and self.paths != "outputs":
            raise InvalidArgument("kept", self.kept, 'absent, or with paths="outputs"')
        for name in ("learning_rate", "entropy"):
            if not is_amount(getattr(self, name)):
                raise InvalidArgument(name, getattr(self, name), "a finite number, 0 or more")

    @property
    def rules(self) -> tuple[Rule, CostRule, CostMode]:
        """What says what may become what, in the order of :class:`~nni_strategies.nat.transitions.Transitions`."""
        return self.rule, self.cost_rule, self.cost_mode


def is_amount(value: Any) -> bool:
    """Return whether a value is a finite number, 0 or more."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf
