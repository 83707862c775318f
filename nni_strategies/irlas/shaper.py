"""What shapes the metrics of a search algorithm that is not ours, and remembers what it did.

Each trial has a line in a journal (:mod:`nni_strategies.search.journal`) when it is proposed, with S and lam, and one
when it ends, with the raw metric and the shaped one. Reading it again restores everything, the prior's gate included:
nothing is shaped twice.

A configuration whose topology cannot be read scores 0. It is counted, and every 20 in a row are an error in the log.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

from nni_strategies.errors import InvalidArgument, JournalError, NNIStrategiesError, TopologyUnreadable, shorten
from nni_strategies.irlas.given_experts import Experts
from nni_strategies.irlas.latency_terms import LatencyTerm
from nni_strategies.irlas.prior import ExpertPrior
from nni_strategies.irlas.reward import Reward, weight
from nni_strategies.irlas.scoring import BlocksOf, ConfigurationScores
from nni_strategies.irlas.shaping_config import ShapingConfig
from nni_strategies.search.journal import Event, Journal
from nni_strategies.search.metrics import is_plain_number, read_metric
from nni_strategies.search.searcher import Trial
from nni_strategies.space.search_space import Configuration, SearchSpace
from nni_strategies.topology.topology import Block

_logger = logging.getLogger(__name__)

RANKINGS = ("raw", "shaped")

_IN_A_ROW = 20  # unreadable architectures
_UNIT = 1.5  # above it a metric is no accuracy in [0, 1]


@dataclass(frozen=True)
class ShapedTrial:
    """A trial and its metrics.

    Parameters
    ----------
    id
        Its number, from 0.
    configuration
        What was tried.
    stimuli
        S in [-1, 1].
    lam
        The weight of S for this trial.
    raw
        The metric that it reported; None while there is none.
    shaped
        What the search algorithm was told instead; the same in prior mode.
    latency_ms
        What it reported as ``latency_ms``, else what was predicted; None for nothing.
    readable
        False where its topology could not be read.
    """

    id: int
    configuration: Configuration
    stimuli: float
    lam: float
    raw: float | None = None
    shaped: float | None = None
    latency_ms: float | None = None
    readable: bool = True


class Shaper:
    """Scores and shapes the trials of one search.

    Parameters
    ----------
    space
        What is searched.
    config
        How.
    blocks_of
        The blocks of a configuration.
    experts
        Name -> canonical graph, or stimuli that were learned.
    maximize
        Whether a higher metric is better.
    latency_term
        See :class:`~.reward.Reward`.

    Attributes
    ----------
    trials
        All of them; a trial's id is its place.
    counts
        ``unreadable`` architectures, results ``without latency`` where a term needs one.

    Raises
    ------
    InvalidArgument
        Experts or a space that cannot be used, see :class:`~.scoring.ConfigurationScores`.
    """

    def __init__(
        self,
        space: SearchSpace,
        config: ShapingConfig,
        blocks_of: BlocksOf,
        experts: Experts,
        *,
        maximize: bool = True,
        latency_term: LatencyTerm | None = None,
    ) -> None:
        self.space, self.config = space, config
        self._blocks_of = blocks_of
        self._unreadable: dict[str, Exception] = {}  # by configuration: priors read many that are never proposed
        self.scores = ConfigurationScores(space, self._read, experts, measure=config.measure, reduce=config.reduce)
        self.prior = ExpertPrior(self.scores, beta=config.beta, gate=config.gate, threshold=config.threshold)
        lam = weight(config.lam, self.scores.stimuli.sd) if config.mode == "paper" else 0.0
        self.reward = Reward(lam, maximize, config.schedule, config.budget, latency_term)
        self.trials: list[ShapedTrial] = []
        self.counts: Counter[str] = Counter()
        self.journal = Journal()
        self.lock = threading.RLock()
        self._in_a_row = 0

    # -- the journal ------------------------------------------------------------------------------

    def open(self, journal: Journal, **header: Any) -> None:
        """Keep everything in a journal, and take over what is in it; before the first trial.

        Raises
        ------
        JournalError
            It belongs to another search, or a line does not follow from those before.
        """
        first = {
            "space": self.space.hash,
            "algorithm": "mirror-stimuli",
            "config": self.config.to_json(),
            "prior": self.prior.describe(),
            "lam": self.reward.lam,
            "maximize": self.reward.maximize,
            "space_description": self.space.describe(),
            **header,
        }
        events = list(journal.start(first))
        self.journal = journal
        for line, event in enumerate(events, start=2):
            try:
                self._apply(event)
            except (KeyError, IndexError, TypeError, ValueError) as error:
                where = journal.path or "in memory"
                raise JournalError(where, line, f"does not follow from the lines before: {shorten(event)}") from error

    def restore(self, events: Sequence[Event]) -> None:
        """Take over what another journal of this search holds and this one lacks; before the first new trial.

        Raises
        ------
        JournalError
            The two do not agree.
        """
        known = self.journal.events
        if list(events[: len(known)]) == known[: len(events)]:
            for event in events[len(known) :]:
                self._record(event)
            return
        raise JournalError(self.journal.path or "in memory", None, "is not of the search whose state is loaded")

    def note(self, kind: str, **details: Any) -> None:
        """Write down something else, such as which NNI id a trial has."""
        with self.lock:
            self._record({"event": kind, **details})

    def _record(self, event: Event) -> None:
        self._apply(self.journal.append(event if "time" in event else {**event, "time": round(time.time(), 3)}))

    def _apply(self, event: Event) -> None:
        if event["event"] == "proposed":
            trial = ShapedTrial(
                id=event["trial"],
                configuration=event["configuration"],
                stimuli=float(event["stimuli"]),
                lam=float(event["lam"]),
                latency_ms=event.get("latency_ms"),
                readable=not event.get("unreadable"),
            )
            self.counts["unreadable"] += not trial.readable
            if trial.id != len(self.trials):
                raise ValueError(f"trial {trial.id} where {len(self.trials)} comes next")
            self.trials.append(trial)
        elif event["event"] == "finished":
            metrics = event["metrics"]
            number = event["trial"]
            is_first = self.trials[number].raw is None  # a trial may report twice
            self.trials[number] = replace(
                self.trials[number],
                raw=float(metrics["default"]),
                shaped=float(metrics["shaped"]),
                latency_ms=metrics.get("latency_ms", self.trials[number].latency_ms),
            )
            if is_first and self.trials[number].readable:
                self.prior.finished(Trial(number, self.trials[number].configuration, float(event["value"])))

    # -- trials -----------------------------------------------------------------------------------

    def propose(
        self,
        configuration: Configuration,
        *,
        phase: str = "search",
        source: str | None = None,
        latency_ms: float | None = None,
    ) -> int:
        """Score a trial that is about to run; return its number.

        Parameters
        ----------
        latency_ms
            Predicted: counts where the trial reports none.

        Raises
        ------
        TopologyUnreadable
            Only when the configuration says ``strict``.
        """
        with self.lock:
            number = len(self.trials)
            event = {
                "event": "proposed",
                "trial": number,
                "configuration": configuration,
                "phase": phase,
                "stimuli": self.stimuli_of(configuration),
                "lam": self.reward.lam_at(number),
            }
            if self._problem_of(configuration) is not None:
                event["unreadable"] = True
            else:
                event["z"] = self.scores.remarks(configuration)["z"]  # for reports
            if latency_ms is not None:
                event["latency_ms"] = latency_ms
            self._record(event if source is None else {**event, "source": source})
            return number

    def stimuli_of(self, configuration: Configuration) -> float:
        """Return S of a configuration, 0 for one whose topology cannot be read; raises as :meth:`propose` does."""
        with self.lock:
            score = 0.0
            try:
                score = self.scores.score(configuration)
            except Exception as error:  # no point of the space: another's tuner may propose what it likes
                self._unreadable.setdefault(self.space.key(configuration), error)
            problem = self._problem_of(configuration)
            if problem is None:
                self._in_a_row = 0
                return score
            self._in_a_row += 1
            if self.config.strict:
                raise TopologyUnreadable(f"strict: {problem}") from problem
            if self._in_a_row % _IN_A_ROW == 0:
                told = "no topology could be read of the last %d architectures, which score 0: %s"
                _logger.error(told, self._in_a_row, problem)
            return 0.0

    def _read(self, configuration: Configuration) -> Sequence[Block]:
        try:
            return self._blocks_of(configuration)
        except Exception as error:  # `topology` may be anyone's code
            known = isinstance(error, NNIStrategiesError)
            problem = error if known else TopologyUnreadable(f"{type(error).__name__}: {error}")
            self._unreadable[self.space.key(configuration)] = problem
            raise problem from error

    def _problem_of(self, configuration: Configuration) -> Exception | None:
        """Return why a configuration that was scored cannot be read, or None."""
        problem = self._unreadable.get(self.space.key(configuration))
        if problem is None and self.space.contains(configuration):  # it was read as the space writes it
            problem = self._unreadable.get(self.space.key(self.space.normal_form(configuration)))
        return problem

    def unfinished(self, configuration: Configuration, leaving_out: Collection[int] = ()) -> int | None:
        """Return the latest trial of a configuration that has no metric, but for some; None where there is none."""
        return self._latest(configuration, lambda trial: trial.raw is None and trial.id not in leaving_out)

    def finished(self, configuration: Configuration) -> int | None:
        """Return the latest trial of a configuration that has a metric, or None."""
        return self._latest(configuration, lambda trial: trial.raw is not None)

    def _latest(self, configuration: Configuration, holds: Callable[[ShapedTrial], bool]) -> int | None:
        key = self.space.key(configuration)
        with self.lock:
            found = (t.id for t in reversed(self.trials) if holds(t) and self.space.key(t.configuration) == key)
            return next(found, None)

    def conclude(self, number: int, metric: Any) -> Any:
        """Take a trial's final metric; return what the search algorithm is told.

        A number becomes a number, a dictionary with ``default`` one with ``raw`` and ``stimuli`` beside it. What is no
        finite number is passed on as it is, and everything in prior mode.
        """
        with self.lock:
            trial = self.trials[number]
            value = metric.get("default") if isinstance(metric, Mapping) else metric
            if not is_plain_number(value):
                self.fail(number, f"the metric is {shorten(metric)}, not a finite number")
                return metric
            raw, reported = float(cast("float", value)), _latency(metric)
            latency = trial.latency_ms if reported is None else reported
            shaped = self._shaped(trial, raw, latency)
            metrics = {**read_metric(metric).metrics, "stimuli": trial.stimuli, "shaped": shaped}
            sign = 1.0 if self.reward.maximize else -1.0
            self._record({"event": "finished", "trial": number, "value": sign * raw, "metrics": metrics})
            return self.told(number, metric)

    def told(self, number: int, metric: Any) -> Any:
        """Return what the search algorithm is told of a metric that was taken: see :meth:`conclude`."""
        trial = self.trials[number]
        if self.config.mode == "prior":
            return metric
        if not isinstance(metric, Mapping):
            return trial.shaped
        return {**metric, "default": trial.shaped, "raw": trial.raw, "stimuli": trial.stimuli}

    def _shaped(self, trial: ShapedTrial, raw: float, latency: float | None) -> float:
        if self.config.mode == "prior":
            return raw
        if self.config.lam == "auto" and abs(raw) > _UNIT:
            self._warn("other scale", "lam='auto' is for accuracies in [0, 1], a trial reported %s: give a number", raw)
        if self.reward.latency_term is not None and latency is None:
            self._warn("without latency", "a trial reported no latency_ms: its reward has no latency term")
        return self.reward.of(raw, trial.stimuli, trial.lam, latency)

    def fail(self, number: int, reason: str) -> None:
        """Note that a trial ended without a metric; ignored when it has one."""
        with self.lock:
            if self.trials[number].raw is None:
                self._record({"event": "failed", "trial": number, "reason": reason})

    def _warn(self, kind: str, message: str, *args: Any) -> None:
        self.counts[kind] += 1
        if self.counts[kind] == 1:
            _logger.warning(message, *args)

    # -- looking ----------------------------------------------------------------------------------

    def top(
        self, k: int, rank_by: Literal["raw", "shaped"] = "raw", max_latency_ms: float | None = None
    ) -> list[ShapedTrial]:
        """Return the best trials, best first; of equals the first.

        Parameters
        ----------
        k
            How many at most.
        rank_by
            ``raw``: by the metric that was reported. ``shaped``: by the reward.
        max_latency_ms
            Only those that are known to be as fast.

        Raises
        ------
        InvalidArgument
            Another `rank_by`.
        """
        if rank_by not in RANKINGS:
            raise InvalidArgument("rank_by", rank_by, "raw or shaped", RANKINGS)
        with self.lock:
            known = [trial for trial in self.trials if trial.raw is not None]
        if max_latency_ms is not None:
            known = [t for t in known if t.latency_ms is not None and t.latency_ms <= max_latency_ms]
        sign = 1.0 if self.reward.maximize else -1.0
        return sorted(known, key=lambda trial: -sign * getattr(trial, rank_by))[:k]


def _latency(metric: Any) -> float | None:
    value = metric.get("latency_ms") if isinstance(metric, Mapping) else None
    return float(cast("float", value)) if is_plain_number(value) and cast("float", value) > 0 else None
