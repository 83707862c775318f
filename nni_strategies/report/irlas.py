"""What expert networks did to a search, from its journal: their graphs, S and z of every trial, the gate, the reward.

Nothing is scored here. The header has the experts as they were translated into the space's operations, every proposal
S and z, in ``remarks`` or beside the configuration, and what shaped metrics writes down both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from nni_strategies.errors import JournalError, shorten
from nni_strategies.report.correlation import Correlation, spearman
from nni_strategies.report.guided import value_of
from nni_strategies.report.records import ExperimentRecord
from nni_strategies.search.journal import Event
from nni_strategies.space.parameters import canonical
from nni_strategies.topology.graph import TopologyGraph
from nni_strategies.topology.graph_json import graph_from_json

IMITATION = 0.9
_BEST = 10


@dataclass(frozen=True)
class Expert:
    """An expert network.

    Parameters
    ----------
    name
        What it is called.
    graph
        Its block in the operations of the space.
    replaced
        Which operation of the space stands for which of its own.
    unmapped
        Share of its operations that nothing in the space stands for.
    stimuli
        S of the block.
    """

    name: str
    graph: TopologyGraph
    replaced: Mapping[str, str]
    unmapped: float
    stimuli: float


@dataclass(frozen=True)
class Gate:
    """Whether the experts were trusted.

    Parameters
    ----------
    size
        Number of results it decides by; 0 trusts without asking.
    threshold
        Least correlation for trust.
    trials
        Those it decides by: the first of known z that have a result.
    z, values
        Of those, ``[n]``; values in the experiment's own direction.
    correlation
        Spearman's, positive where a higher z goes with better results.
    trusted
        None before it decided.
    """

    size: int
    threshold: float
    trials: tuple[int, ...]
    z: tuple[float, ...]
    values: tuple[float, ...]
    correlation: Correlation
    trusted: bool | None


@dataclass(frozen=True)
class Guidance:
    """Experts and trials.

    Parameters
    ----------
    mode
        ``prior`` where experts shaped what was drawn, ``paper`` where they shaped the reward.
    experts
        The networks.
    stimuli
        Trial -> S.
    gate
        None in paper mode.
    shaped
        Trial -> what the search was told in place of the metric, where it is another; in the experiment's direction.
    unreadable
        Number of trials whose topology could not be read.
    """

    mode: str
    experts: tuple[Expert, ...]
    stimuli: Mapping[int, float]
    gate: Gate | None
    shaped: Mapping[int, float]
    unreadable: int

    def best_stimuli(self, experiment: ExperimentRecord) -> float | None:
        """Return the mean S of the ten best trials; None where fewer are known."""
        known = [self.stimuli[trial.id] for trial in experiment.ranked[:_BEST] if trial.id in self.stimuli]
        return fmean(known) if len(known) == _BEST else None


def guidance(experiment: ExperimentRecord) -> Guidance | None:
    """Return what experts did; None in a search without any.

    Raises
    ------
    JournalError
        The experts in its header make no graphs.
    """
    events = experiment.shaping or experiment.events
    header = events[0] if events else {}
    prior = header.get("prior")
    prior = prior if isinstance(prior, Mapping) and prior.get("name") == "experts" else {}
    document = header.get("stimuli") or prior.get("stimuli")
    if not document:
        return None
    try:
        experts = tuple(_expert(name, entry) for name, entry in document["experts"].items())
        gate = (int(prior["gate"]), float(prior["threshold"])) if prior else None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        problem = f"has experts that cannot be read ({error!r}): {shorten(document)}"
        raise JournalError(experiment.journal or "in memory", 1, problem) from error
    trials = _Trials(experiment, events)
    mode = str(header.get("config", {}).get("mode", "prior"))
    return Guidance(
        mode,
        experts,
        {number: s for number, said in trials.said.items() if (s := value_of(said, "stimuli")) is not None},
        _gate(trials, *gate) if gate and mode == "prior" else None,
        _shaped(trials, header),
        sum(bool(said.get("unreadable")) for said in trials.said.values()),
    )


def _expert(name: str, entry: Mapping[str, Any]) -> Expert:
    replaced = {str(old): str(new) for old, new in entry["replaced"].items()}
    return Expert(name, graph_from_json(entry), replaced, float(entry["unmapped"]), float(entry["stimuli"]))


class _Trials:
    """What a journal of scores says of the trials of an experiment, whose own journal may be another."""

    def __init__(self, experiment: ExperimentRecord, events: Iterable[Event]) -> None:
        self.sign = 1.0 if experiment.maximize else -1.0
        self.said: dict[int, Mapping[str, Any]] = {}
        self.results: dict[int, Mapping[str, Any]] = {}  # in the order they came
        places = {canonical(dict(trial.configuration)): trial.id for trial in experiment.trials}
        numbers: dict[int, int] = {}
        for event in events:
            if event["event"] == "proposed":
                own = places.get(canonical(event["configuration"])) if experiment.shaping else event["trial"]
                if own is not None:
                    numbers[event["trial"]] = own
                    remarks = event.get("remarks")
                    self.said[own] = {**event, **remarks} if isinstance(remarks, Mapping) else event
            elif event["event"] == "finished" and event["trial"] in numbers:
                self.results[numbers[event["trial"]]] = event


def _gate(trials: _Trials, size: int, threshold: float) -> Gate:
    scored = [(number, z) for number in trials.results if (z := value_of(trials.said[number], "z")) is not None][:size]
    values = [float(trials.results[number]["value"]) for number, _ in scored]
    found = spearman([z for _, z in scored], values)
    decided = len(scored) >= size
    trusted = size == 0 or (found.value or 0.0) > threshold
    return Gate(
        size,
        threshold,
        tuple(number for number, _ in scored),
        tuple(z for _, z in scored),
        tuple(trials.sign * value for value in values),
        found,
        trusted if decided else None,
    )


def _shaped(trials: _Trials, header: Mapping[str, Any]) -> dict[int, float]:
    """Return what the algorithm learned in place of metrics, where that is another.

    It is written down: beside the metrics by what shapes those of a foreign algorithm, as ``reward`` by our agent. Of
    an agent whose journal has A and S alone it is A + lam S, unless lam decays or latencies count.
    """
    shaped, raw = {}, {}
    for number, event in trials.results.items():
        reward, told = value_of(event, "reward"), value_of(event.get("metrics", {}), "shaped")
        if told is None and reward is not None:
            told = trials.sign * reward
        if told is None:
            told = _sum(trials, header, number)
        if told is not None:
            shaped[number], raw[number] = told, trials.sign * event["value"]
    return shaped if shaped != raw else {}


def _sum(trials: _Trials, header: Mapping[str, Any], number: int) -> float | None:
    config, lam = header.get("config", {}), value_of(header, "lam") or 0.0
    if config.get("latency") is not None or config.get("schedule", "constant") != "constant":
        return None
    stimuli = value_of(trials.said[number], "stimuli") or 0.0
    return float(trials.sign * (trials.results[number]["value"] + lam * stimuli))


def ranks(values: Sequence[float], *, maximize: bool) -> list[int]:
    """Return the place of each value, 1 for the best; equal ones share the first of theirs."""
    places: dict[float, int] = {}
    for place, value in enumerate(sorted(values, reverse=maximize), start=1):
        places.setdefault(value, place)
    return [places[value] for value in values]
