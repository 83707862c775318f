"""The hyper-parameters of NAT as a search, checked before any work starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.input_draws import check_null_probability
from nni_strategies.nat.input_files import read_inputs
from nni_strategies.nat.label_transitions import check_costs
from nni_strategies.nat.learner_config import LearnerConfig
from nni_strategies.nat.live_costs import CostMode
from nni_strategies.nat.operation_classes import check_op_classes
from nni_strategies.nat.policy_file import read_header
from nni_strategies.nat.rules import RULES, Rule
from nni_strategies.nat.transitions import CostRule, check_cost_rules

ENTROPY = {"critic": 0.3, "paper": 0.01}
LEARNERS = tuple(ENTROPY)
_BY_LEARNER: Any = None
_PATHS = ("inputs", "policy_file")  # fields that may be one
_COUNTS = ("k", "n_inputs", "parents", "children")


@dataclass(frozen=True)
class NATConfig(LearnerConfig):
    """Hyper-parameters of :class:`~nni_strategies.nat.searcher.NATSearcher`: its own, and those of its learner.

    Parameters
    ----------
    rule
        ``cost``, ``nat++`` or ``nat``: which operation may become which (:mod:`.rules`).
    cost_rule
        ``strict``: no cost may rise. ``paper``: the rule alone decides, and costs need not be known.
    cost_mode
        ``nominal``: all that is chosen counts. ``live``: what reaches a cell's output must not cost more either
        (:mod:`.live_costs`).
    costs
        Operation -> [MAdds, parameters] of all its cells; those of pooling, skips and null are 0 unless given. A
        model space is measured instead.
    op_classes
        Operation, or ``label:operation``, -> ``O`` (operation), ``S`` (skip) or ``N`` (null), where neither names nor
        modules tell.
    inputs
        What is transformed: a configuration, a list of them, or a JSON file of either; None for uniform draws.
    n_inputs
        How many are drawn.
    null_probability
        Of null on each edge of a drawn input that can carry it; None: as of any other operation.
    k
        Outputs of each input that a budget counts with. Where trials are left, more are evaluated.
    budget
        Trials in all: what inputs and outputs leave of it are queries. It takes the place of `queries`.
    learner
        ``critic``, or ``paper`` for the policy gradient on measured rewards.
    parents, children
        Of a step of the paper's learner. With one child each, a parent is evaluated too; else its value cancels.
    policy_file
        File of a policy that has learned on this space (:mod:`.policy_file`), from which learning starts; its form and
        size take the place of `policy` and `hidden`.
    entropy
        Weight of the policy's entropy; 0.3 with a critic, 0.01 without.

    Raises
    ------
    InvalidArgument
        Naming the field, the value and what is allowed.
    DataMissing
        There is no such file of a policy.
    """

    entropy: float = _BY_LEARNER
    rule: Rule = "cost"
    cost_rule: CostRule = "strict"
    cost_mode: CostMode = "nominal"
    costs: Mapping[str, Sequence[int]] | None = None
    op_classes: Mapping[str, str] | None = None
    inputs: Any = None
    n_inputs: int = 10
    null_probability: float | None = None
    k: int = 1
    budget: int | None = None
    learner: str = "critic"
    parents: int = 8
    children: int = 4
    policy_file: str | Path | None = None

    def __post_init__(self) -> None:
        for name, words in (("rule", RULES), ("learner", LEARNERS)):
            if getattr(self, name) not in words:
                raise InvalidArgument(name, getattr(self, name), f"one of {', '.join(words)}", words)
        check_cost_rules(self.rule, self.cost_rule, self.cost_mode)
        if self.entropy is _BY_LEARNER:
            object.__setattr__(self, "entropy", ENTROPY[self.learner])
        for name in _COUNTS:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InvalidArgument(name, value, "a whole number from 1")
        check_null_probability(self.null_probability)
        if self.inputs is not None and self.null_probability is not None:
            raise InvalidArgument("null_probability", self.null_probability, "absent beside inputs: it is of draws")
        if self.costs is not None:
            check_costs(self.costs)
        if self.op_classes is not None:
            check_op_classes(self.op_classes)
        if self.policy_file is not None:
            self._read_policy()
        if self.budget is not None:
            object.__setattr__(self, "queries", self._queries_of(self.budget))
        elif self.inputs is not None:
            read_inputs(self.inputs)  # a file that cannot be read is found here
        super().__post_init__()

    def _read_policy(self) -> None:
        """Take the form of the policy from its file."""
        if not isinstance(self.policy_file, (str, Path)):
            raise InvalidArgument("policy_file", self.policy_file, "the path of a file")
        header = read_header(Path(self.policy_file), "policy_file")
        for name, own in (("policy", header["name"]), ("hidden", header["hidden"])):
            if getattr(self, name) not in (getattr(LearnerConfig, name), own):
                raise InvalidArgument(name, getattr(self, name), f"absent beside policy_file, whose policy has {own!r}")
            object.__setattr__(self, name, own)

    def _queries_of(self, budget: Any) -> int:
        n_inputs = self.n_inputs if self.inputs is None else len(read_inputs(self.inputs))
        derived = n_inputs * (1 + self.k)
        if isinstance(budget, bool) or not isinstance(budget, int) or budget <= derived:
            allowed = f"more than {derived} trials, which {n_inputs} inputs and {self.k} outputs of each take alone"
            raise InvalidArgument("budget", budget, allowed)
        if self.queries not in (LearnerConfig.queries, budget - derived):
            raise InvalidArgument("queries", self.queries, f"absent beside a budget, which leaves {budget - derived}")
        return budget - derived

    @property
    def rules(self) -> tuple[Rule, CostRule, CostMode]:
        """What says what may become what, in the order of :class:`~.transitions.Transitions`."""
        return self.rule, self.cost_rule, self.cost_mode

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON types; of inputs in a file its path."""
        plain = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in _PATHS}
        plain["costs"] = None if self.costs is None else {name: list(cost) for name, cost in self.costs.items()}
        plain["op_classes"] = None if self.op_classes is None else dict(self.op_classes)
        given = {name: getattr(self, name) for name in _PATHS}
        return {**plain, **{name: str(one) if isinstance(one, Path) else one for name, one in given.items()}}
