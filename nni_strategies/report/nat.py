"""What NAT made of its inputs, from the journal: each with the best output that was evaluated, be it for another input.

Nothing is transformed or counted here. Every proposal of the journal has, under ``nat`` in its ``remarks``, what it was
made for, what it costs, what the critic expected of it, and of which inputs it is an output.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from nni_strategies.report.guided import value_of
from nni_strategies.report.records import ExperimentRecord, TrialRecord
from nni_strategies.search.metrics import is_plain_number
from nni_strategies.space.parameters import canonical

_LARGEST = 1e100  # of gains: sums of larger ones may overflow

PHASES = ("query", "input", "output", "import")


class Cost(NamedTuple):
    """What an architecture costs."""

    madds: float
    params: float


@dataclass(frozen=True)
class Proposal:
    """A trial and what it was proposed for.

    Parameters
    ----------
    trial
        The trial.
    phase
        ``query``, ``input``, ``output``, or ``import`` for a result from elsewhere.
    number
        Of the input it was proposed for; -1 for none.
    parent
        That input, or what else it was made of.
    cost, parent_cost
        Of the trial's configuration and of its parent.
    predicted
        What the critic expected, in the experiment's direction; None where it was not asked.
    output_of
        The inputs it is an output of.
    outlook
        Share of inputs that had an output worth a query when this one was chosen; None where that was not asked.
    """

    trial: TrialRecord
    phase: str
    number: int
    parent: Mapping[str, Any]
    cost: Cost
    parent_cost: Cost
    predicted: float | None
    output_of: frozenset[int]
    outlook: float | None = None

    @property
    def failed(self) -> bool:
        """Whether the trial gave no value."""
        return self.trial.status in ("failed", "stopped")


@dataclass(frozen=True)
class Transformed:
    """An input and what became of it.

    Parameters
    ----------
    number
        Of the input.
    before
        The input.
    cost_before
        What it costs.
    trial
        Where it was evaluated; None where it was not, or not yet.
    best
        Its output: the best that was evaluated, of equally good ones the cheapest, then the one with the fewest
        changes; None where that is the input itself.
    n_outputs
        How many of its outputs were evaluated.
    n_failed
        How many trials that were proposed for it failed.
    gain
        How much better the output is, at least 0; None where one of both is not known, or a stand-in of 1e100 or more.
    """

    number: int
    before: Mapping[str, Any]
    cost_before: Cost
    trial: TrialRecord | None
    best: Proposal | None
    n_outputs: int
    n_failed: int
    gain: float | None

    @property
    def metric_before(self) -> float | None:
        """What the input reached."""
        return None if self.trial is None else self.trial.metric

    @property
    def metric(self) -> float | None:
        """What the output reached."""
        return self.metric_before if self.best is None else self.best.trial.metric

    @property
    def after(self) -> Mapping[str, Any]:
        """The output."""
        return self.before if self.best is None else self.best.trial.configuration

    @property
    def cost(self) -> Cost:
        """What the output costs."""
        return self.cost_before if self.best is None else self.best.cost

    @property
    def changed(self) -> dict[str, tuple[Any, Any]]:
        """Label -> operations before and after, of the edges that were changed."""
        after = self.after
        return {label: (old, after.get(label)) for label, old in self.before.items() if after.get(label) != old}


@dataclass(frozen=True)
class Transformations:
    """All inputs, and all trials.

    Parameters
    ----------
    inputs
        Those that anything was proposed for, by number.
    proposals
        In the order of trials.
    """

    inputs: tuple[Transformed, ...]
    proposals: tuple[Proposal, ...]

    @property
    def measured(self) -> list[Transformed]:
        """The inputs whose gain is known, the largest first."""
        known = [one for one in self.inputs if one.gain is not None]
        return sorted(known, key=lambda one: (-(one.gain or 0.0), one.cost.madds - one.cost_before.madds, one.number))


def transformations(experiment: ExperimentRecord) -> Transformations | None:
    """Return what became of the inputs; None in a search that transforms none."""
    sign = 1.0 if experiment.maximize else -1.0
    proposals = _proposals(experiment, sign)
    first: dict[int, Proposal] = {}
    for one in proposals:
        if one.number >= 0:
            first.setdefault(one.number, one)
    if not first:
        return None
    by_id = {one.trial.id: one for one in proposals}
    outputs: dict[int, list[Proposal]] = defaultdict(list)
    for trial in experiment.finished:
        for number in by_id[trial.id].output_of if trial.id in by_id else ():
            outputs[number].append(by_id[trial.id])
    failed = Counter(one.number for one in proposals if one.failed)
    trials = {canonical(dict(trial.configuration)): trial for trial in experiment.trials}
    made = [
        _transformed(one, trials.get(canonical(dict(one.parent))), outputs[number], failed[number], sign)
        for number, one in sorted(first.items())
    ]
    return Transformations(tuple(made), proposals)


def _proposals(experiment: ExperimentRecord, sign: float) -> tuple[Proposal, ...]:
    by_id = {trial.id: trial for trial in experiment.trials}
    found = []
    for event in experiment.events:
        remarks = event.get("remarks")
        said = remarks.get("nat") if event["event"] == "proposed" and isinstance(remarks, Mapping) else None
        if isinstance(said, Mapping) and event["trial"] in by_id:
            found.append(_proposal(by_id[event["trial"]], said, sign))
    return tuple(one for one in found if one is not None)


def _proposal(trial: TrialRecord, said: Mapping[str, Any], sign: float) -> Proposal | None:
    """Return a proposal; None where the remarks are somebody else's."""
    phase, number, parent = said.get("phase"), said.get("input"), said.get("parent")
    cost, parent_cost = _cost(said.get("cost")), _cost(said.get("parent_cost"))
    if phase not in PHASES or not isinstance(number, int) or not isinstance(parent, Mapping):
        return None
    if cost is None or parent_cost is None:
        return None
    predicted, of = value_of(said, "predicted"), said.get("output_of", [number])
    outputs = frozenset(one for one in of if isinstance(one, int)) if isinstance(of, list) else frozenset[int]()
    expected = None if predicted is None else sign * predicted
    made_for = "import" if trial.phase == "import" else phase
    return Proposal(trial, made_for, number, parent, cost, parent_cost, expected, outputs, value_of(said, "outlook"))


def _cost(value: Any) -> Cost | None:
    good = isinstance(value, list) and len(value) == 2 and all(is_plain_number(part) for part in value)
    return Cost(*map(float, value)) if good else None


def _transformed(
    one: Proposal, trial: TrialRecord | None, outputs: Sequence[Proposal], n_failed: int, sign: float
) -> Transformed:
    """Return an input that something was proposed for, with the best of its outputs, which are in order of results."""
    own = None if trial is None else trial.metric
    others = [output for output in outputs if output.trial is not trial]
    ranked: list[tuple[tuple[float, ...], Proposal | None]] = [
        (_rank(output.trial, output.cost, one.parent, sign), output) for output in others
    ]
    if trial is not None and own is not None:
        ranked.append((_rank(trial, one.parent_cost, one.parent, sign), None))
    best = min(ranked, key=lambda pair: pair[0])[1] if ranked else None
    gain = None
    if own is not None:
        gain = 0.0 if best is None else sign * ((best.trial.metric or 0.0) - own)
    known = gain if gain is not None and gain < _LARGEST else None
    return Transformed(one.number, one.parent, one.parent_cost, trial, best, len(others), n_failed, known)


def _rank(trial: TrialRecord, cost: Cost, before: Mapping[str, Any], sign: float) -> tuple[float, ...]:
    """Return what is lower for what is better."""
    n_changed = sum(trial.configuration.get(label) != operation for label, operation in before.items())
    return (-sign * (trial.metric or 0.0), *cost, n_changed)
