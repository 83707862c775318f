"""The hyper-parameters of the default learner, checked before any work starts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.policy.make import POLICIES
from nni_strategies.search.searcher import SearcherConfig

_COUNTS: dict[str, int] = {
    "queries": 1,
    "n_start": 1,
    "hidden": 1,
    "policy_steps": 0,
    "final_steps": 0,
    "imagined_inputs": 1,
    "imagined_outputs": 2,
    "query_samples": 1,
    "query_inputs": 1,
    "derive_samples": 1,
}


@dataclass(frozen=True)
class LearnerConfig(SearcherConfig):
    """Hyper-parameters of :class:`~nni_strategies.nat.learner.Learner`.

    Parameters
    ----------
    queries
        Evaluations it learns from.
    n_start
        How many of them are blind: random transitions of random inputs.
    round_size
        Results between two refits; None for a tenth of `queries`, at least 10.
    policy
        ``line_graph``, ``lstm``, ``official``, ``table`` or ``random``.
    hidden
        Size of its layers.
    policy_steps, final_steps
        Steps of the policy in each round, and after the last query.
    imagined_inputs, imagined_outputs
        Inputs of a step and outputs of each, whose rewards the critic imagines.
    entropy
        Weight of the policy's entropy.
    learning_rate
        Of Adam.
    query_samples
        Outputs of an input that the policy proposes for one query.
    query_inputs
        Inputs tried for a query before it is spent where most may be gained.
    derive_samples
        Outputs of an input among which the critic chooses in the end.

    Raises
    ------
    InvalidArgument
        Naming the field, the value and what is allowed.
    """

    queries: int = 100
    n_start: int = 30
    round_size: int | None = None
    policy: str = "line_graph"
    hidden: int = 64
    policy_steps: int = 20
    final_steps: int = 60
    imagined_inputs: int = 32
    imagined_outputs: int = 16
    entropy: float = 0.3
    learning_rate: float = 2e-3
    query_samples: int = 32
    query_inputs: int = 6
    derive_samples: int = 200

    def __post_init__(self) -> None:
        for name, least in _COUNTS.items():
            _check_count(name, getattr(self, name), least)
        if self.round_size is not None:
            _check_count("round_size", self.round_size, 1)
        if self.policy not in POLICIES:
            raise InvalidArgument("policy", self.policy, f"one of {list(POLICIES)}", POLICIES)
        for name in ("entropy", "learning_rate"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
                raise InvalidArgument(name, value, "a finite number, 0 or more")

    @property
    def results_a_round(self) -> int:
        """Results between two refits."""
        return self.round_size if self.round_size is not None else max(10, self.queries // 10)


def _check_count(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InvalidArgument(name, value, f"a whole number from {least}")
