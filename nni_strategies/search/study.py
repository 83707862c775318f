"""Study: owns one searcher and one journal; thread-safe ask / tell / fail that never raises what NNI cannot take."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from nni_strategies.errors import (
    InvalidArgument,
    InvalidSearchSpace,
    JournalError,
    SpaceExhausted,
    TooManyFailures,
    shorten,
)
from nni_strategies.search.journal import Event, Journal
from nni_strategies.search.metrics import Outcome, is_plain_number, read_metric
from nni_strategies.search.searcher import Searcher, Trial
from nni_strategies.search.unseen import Unseen
from nni_strategies.space.search_space import Configuration, SearchSpace

_logger = logging.getLogger(__name__)

_SEARCHER_TRIES = 3


class Study:
    """One search: the trials so far, and what comes next.

    Parameters
    ----------
    searcher
        The algorithm, in its initial state: the study replays the journal into it.
    seed
        The k-th proposal draws from ``default_rng([seed, k])``.
    journal
        Where the search is kept; in memory when None.
    maximize
        Whether a higher metric is better. Values inside the study always are.
    max_consecutive_failures
        After so many failed trials in a row :meth:`ask` raises :class:`TooManyFailures`. Resuming starts the
        count anew: whoever resumes has mended the cause, or wants to know whether it is mended.
    on_event
        Called with each new event after it is durable, under the lock (progress display); what it raises is
        logged once.

    Attributes
    ----------
    trials
        All of them; a trial's id is its place. Replaced, never changed, as results come.
    counts
        What went wrong so far: ``searcher errors``, ``listener errors``, ``invalid``, ``duplicates`` and
        ``fallbacks`` (proposals), ``repeated`` and ``unknown`` (results), ``imported outside the space``.

    Raises
    ------
    InvalidArgument
        A seed that is not a non-negative integer, a number of failures that is not a positive one.
    JournalMismatch
        The journal belongs to another space, algorithm, configuration, prior, seed or direction.
    JournalError
        A line of the journal does not follow from those before it.
    """

    def __init__(
        self,
        searcher: Searcher,
        *,
        seed: int = 0,
        journal: Journal | None = None,
        maximize: bool = True,
        max_consecutive_failures: int = 20,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
            raise InvalidArgument("seed", seed, "a non-negative integer")
        if isinstance(max_consecutive_failures, bool) or not (
            isinstance(max_consecutive_failures, int) and max_consecutive_failures > 0
        ):
            raise InvalidArgument("max_consecutive_failures", max_consecutive_failures, "a positive integer")
        if not isinstance(searcher, Searcher):
            raise InvalidArgument("searcher", searcher, "a Searcher, such as LaNASSearcher(space)")
        self.searcher = searcher
        self.space: SearchSpace = searcher.space
        self.seed = int(seed)
        self.journal = journal if journal is not None else Journal()
        self.maximize = maximize
        self.trials: list[Trial] = []
        self.counts: Counter[str] = Counter()
        self._max_consecutive_failures = max_consecutive_failures
        self._consecutive_failures = 0
        self._by_key: dict[str, int] = {}
        self._imported: set[int] = set()
        self._pending: dict[int, Trial] = {}
        self._best: Trial | None = None
        self._unseen = Unseen(self.space)
        self._on_event = on_event
        self._lock = threading.RLock()
        header = {
            "space": self.space.hash,
            **searcher.describe(),
            "seed": self.seed,
            "maximize": maximize,
            "space_description": self.space.describe(),
        }
        self._guarded(searcher.begin, None, self.seed)
        for line, event in enumerate(self.journal.start(header), start=2):
            try:
                self._check(event)
                self._apply(event)
            except (KeyError, IndexError, TypeError, ValueError) as error:
                where = self.journal.path or "in memory"
                raise JournalError(where, line, f"does not follow from the lines before: {shorten(event)}") from error
        self._consecutive_failures = 0

    # -- asking -----------------------------------------------------------------------------------

    def ask(self) -> Trial:
        """Propose the next trial.

        Raises
        ------
        SpaceExhausted
            Every point was proposed.
        TooManyFailures
            The last `max_consecutive_failures` trials all failed.
        """
        with self._lock:
            if self._consecutive_failures >= self._max_consecutive_failures:
                reason = next((t.failure for t in reversed(self.trials) if t.failure), "")
                raise TooManyFailures(f"{self._consecutive_failures} trials in a row failed; the last: {reason}")
            if self.space.size is not None and len(self._by_key) >= self.space.size:
                raise SpaceExhausted(f"all {self.space.size} points of the space were proposed")
            number = len(self.trials)
            phase = str(self._guarded(lambda: self.searcher.phase, "search"))
            configuration, source = self._choose(np.random.default_rng([self.seed, number]))
            event = {"event": "proposed", "trial": number, "configuration": configuration, "phase": phase}
            memo = self._guarded(self.searcher.memo, None)
            self._record(
                event
                | ({} if source == "searcher" else {"source": source})
                | ({} if memo is None else {"memo": memo})
                | self._remarks(configuration)
            )
            return self.trials[number]

    def _remarks(self, configuration: Configuration) -> dict[str, Any]:
        remarks = self._guarded(self.searcher.remarks, None, configuration)
        return {} if remarks is None else {"remarks": remarks}

    def _choose(self, rng: np.random.Generator) -> tuple[Configuration, str]:
        for _ in range(_SEARCHER_TRIES):
            configuration: Configuration | None = self._guarded(self.searcher.propose, None, rng)
            if configuration is None:
                break
            if not self._guarded(self.space.contains, False, configuration):
                self._complain("invalid", "proposed a configuration outside the space: %s", shorten(configuration))
                break
            if self.space.key(configuration) not in self._by_key:
                return configuration, "searcher"
            self.counts["duplicates"] += 1
        unseen = self._draw_unseen(rng)
        if unseen is None and not self.trials:
            constraints = [constraint.describe() for constraint in self.space.constraints]
            raise InvalidSearchSpace("constraints", constraints, "satisfiable: thousands of draws found no point")
        if unseen is None:
            raise SpaceExhausted("no point of the space is left that was not proposed")
        self.counts["fallbacks"] += 1
        return unseen, "fallback"

    def _draw_unseen(self, rng: np.random.Generator) -> Configuration | None:
        try:
            own = self.searcher.draw_unseen(rng)
        except SpaceExhausted:
            return None
        except Exception as error:
            self._complain("searcher errors", "%s raised %r", self.searcher.algorithm, error, exc_info=True)
            own = None
        if own is None:
            return self._unseen.draw(self._by_key, rng)
        return own if self.space.key(own) not in self._by_key else None  # a searcher that lost count is at its end

    # -- telling ----------------------------------------------------------------------------------

    def tell(self, trial_id: int, metric: Any) -> None:
        """Report what a trial delivered, in any form; a repeated or unknown report is counted and ignored."""
        with self._lock:
            self._conclude(trial_id, read_metric(metric, maximize=self.maximize))

    def fail(self, trial_id: int, reason: str) -> None:
        """Report that a trial ended without a result; ignored when it has one."""
        with self._lock:
            self._conclude(trial_id, Outcome(None, {}, str(reason) or "failed"))

    def stop(self, trial_id: int, reason: str) -> None:
        """Report that a trial was stopped on purpose, by an assessor: a failure, but no sign that trials fail."""
        with self._lock:
            self._conclude(trial_id, Outcome(None, {}, str(reason) or "stopped"), stopped=True)

    def _conclude(self, trial_id: int, outcome: Outcome, *, stopped: bool = False) -> None:
        if not 0 <= trial_id < len(self.trials):
            self.counts["unknown"] += 1
            return
        trial = self.trials[trial_id]
        if trial.value is not None or (trial.failure is not None and outcome.value is None):
            self.counts["repeated"] += 1
            return
        if outcome.value is None:
            event = {"event": "failed", "trial": trial_id, "reason": outcome.failure, "metrics": outcome.metrics}
            self._record({**event, "stopped": True} if stopped else event)
        else:
            event = {"event": "finished", "trial": trial_id, "value": outcome.value, "metrics": outcome.metrics}
            done = replace(trial, value=outcome.value, metrics=outcome.metrics)
            reward = self._guarded(self.searcher.reward_of, None, done)
            self._record(event if reward is None else {**event, "reward": reward})

    def import_result(self, configuration: Configuration, metric: Any) -> int | None:
        """Take in a result from elsewhere (a warm start, another experiment's export).

        Returns
        -------
        int | None
            The trial it went to: the one with this configuration, else a new one; None when the
            configuration is not of the space (counted).
        """
        with self._lock:
            if not self.space.contains(configuration):
                self.counts["imported outside the space"] += 1
                return None
            # The same point may be written otherwise elsewhere: 0.30000000000000004 for 0.3, 1.0 for 1.
            configuration = self.space.normal_form(configuration)
            trial_id = self.find(configuration)
            if trial_id is None:
                trial_id = len(self.trials)
                event = {"event": "proposed", "trial": trial_id, "configuration": configuration, "source": "import"}
                self._record(event | self._remarks(configuration))
            self.tell(trial_id, metric)
            return trial_id

    def note(self, kind: str, **details: Any) -> None:
        """Write down something the searcher does not learn from (which NNI ids a trial has)."""
        with self._lock:
            self._record({"event": kind, **details})

    # -- looking ----------------------------------------------------------------------------------

    def find(self, configuration: Mapping[str, Any]) -> int | None:
        """Return the trial that has `configuration`, or None."""
        try:
            return self._by_key.get(self.space.key(configuration))
        except (TypeError, ValueError):  # nothing JSON knows, hence nothing proposed
            return None

    @property
    def pending(self) -> list[Trial]:
        """The trials nothing is known of, in the order of their proposals."""
        with self._lock:
            return [self._pending[trial_id] for trial_id in sorted(self._pending)]

    @property
    def finished(self) -> list[Trial]:
        """The trials that have a value, in the order of their proposals."""
        with self._lock:
            return [trial for trial in self.trials if trial.value is not None]

    @property
    def best(self) -> Trial | None:
        """The trial of highest value, the first of equals; None before any finished."""
        return self._best

    # -- the fold ---------------------------------------------------------------------------------

    def _record(self, event: Event) -> None:
        event = self.journal.append({**event, "time": round(time.time(), 3)})
        self._apply(event)
        if self._on_event is not None:
            try:
                self._on_event(event)
            except Exception as error:
                self._complain("listener errors", "the listener raised %r", error, exc_info=True)

    def _check(self, event: Event) -> None:
        """Refuse an event that this study cannot have written; constraints are not looked at, they may be slow."""
        if event["event"] == "proposed":
            configuration = event["configuration"]
            if not set(configuration) <= set(self.space.labels):
                raise ValueError("a label that the space does not have")
            for parameter in self.space.parameters:
                active = self.space.is_active(parameter, configuration)
                if active != (parameter.label in configuration):
                    raise ValueError(f"{parameter.label} is missing, or too much")
                if active and (problem := parameter.problem(configuration[parameter.label])) is not None:
                    raise ValueError(f"{parameter.label} must be {problem}")
        elif event["event"] == "finished" and not is_plain_number(event["value"]):
            raise ValueError(f"value {event['value']!r}")

    def _apply(self, event: Event) -> None:
        kind = event["event"]
        if kind == "proposed":
            trial = Trial(event["trial"], event["configuration"], phase=event.get("phase", "search"))
            if trial.id != len(self.trials):
                raise ValueError(f"trial {trial.id} where {len(self.trials)} comes next")
            self.trials.append(trial)
            self._pending[trial.id] = trial
            self._by_key.setdefault(self.space.key(trial.configuration), trial.id)
            if event.get("source") == "import":  # the searcher learns of it by its result
                self._imported.add(trial.id)
                return
            self._guarded(self.searcher.proposed, None, trial)
            if "memo" in event:
                self._guarded(self.searcher.recall, None, event["memo"])
        elif kind in ("finished", "failed"):
            if event["trial"] < 0:
                raise ValueError(f"trial {event['trial']}")
            trial = self.trials[event["trial"]]
            self._pending.pop(trial.id, None)
            if kind == "finished":
                self._finish(replace(trial, value=event["value"], metrics=event.get("metrics", {}), failure=None))
            else:
                lost = replace(trial, failure=event["reason"] or "failed", metrics=event.get("metrics", {}))
                self.trials[lost.id] = lost
                if event.get("stopped"):
                    self._consecutive_failures = 0
                elif trial.id not in self._imported:  # what failed elsewhere says nothing of here
                    self._consecutive_failures += 1
                self._guarded(self.searcher.failed, None, lost)

    def _finish(self, trial: Trial) -> None:
        assert trial.value is not None
        self.trials[trial.id] = trial
        self._consecutive_failures = 0
        best = self._best
        if best is None or best.value is None or (trial.value, -trial.id) > (best.value, -best.id):
            self._best = trial
        self._guarded(self.searcher.finished, None, trial)
        self._guarded(self.searcher.prior.finished, None, trial)

    def _guarded(self, call: Callable[..., Any], otherwise: Any, *args: Any) -> Any:
        """Call the searcher; what it raises is logged once, counted, and never passed on."""
        try:
            return call(*args)
        except SpaceExhausted:  # the study finds out by itself whether a point is left
            return otherwise
        except Exception as error:
            self._complain("searcher errors", "%s raised %r", self.searcher.algorithm, error, exc_info=True)
            return otherwise

    def _complain(self, kind: str, message: str, *args: Any, exc_info: bool = False) -> None:
        self.counts[kind] += 1
        if self.counts[kind] == 1:
            _logger.warning("the search goes on: " + message, *args, exc_info=exc_info)
