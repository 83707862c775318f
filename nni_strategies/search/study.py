"""Study: owns one searcher and one journal; thread-safe ask / tell / fail that never raises what NNI cannot take."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from nni_strategies.errors import InvalidArgument, SpaceExhausted, TooManyFailures
from nni_strategies.search.journal import Event, Journal
from nni_strategies.search.metrics import Outcome, read_metric
from nni_strategies.search.searcher import Searcher, Trial
from nni_strategies.space.search_space import Configuration, SearchSpace

_logger = logging.getLogger(__name__)

_SEARCHER_TRIES = 3
_BLIND_DRAWS = 2_000
_ENUMERABLE = 100_000


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
        After so many failed trials in a row :meth:`ask` raises :class:`TooManyFailures`.
    on_event
        Called with each new event after it is durable, under the lock (progress display); must not raise.

    Raises
    ------
    InvalidArgument
        A seed that is not a non-negative integer.
    JournalMismatch
        The journal belongs to another space, algorithm, configuration, seed or direction.
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
        self._unseen: Iterator[Configuration] | None = None
        self._on_event = on_event
        self._lock = threading.RLock()
        header = {
            "space": self.space.hash,
            "algorithm": searcher.algorithm,
            "config": searcher.config.to_json(),
            "seed": self.seed,
            "maximize": maximize,
        }
        for event in self.journal.start(header):
            self._apply(event)

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
            phase = self._guarded(lambda: self.searcher.phase, "search")
            configuration, source = self._choose(np.random.default_rng([self.seed, number]))
            event = {"event": "proposed", "trial": number, "configuration": configuration, "phase": phase}
            self._record(event if source == "searcher" else {**event, "source": source})
            return self.trials[number]

    def _choose(self, rng: np.random.Generator) -> tuple[Configuration, str]:
        for _ in range(_SEARCHER_TRIES):
            configuration = self._guarded(lambda: self.searcher.propose(rng), None)
            if configuration is None:
                break
            if not self._guarded(lambda c=configuration: self.space.contains(c), False):
                self._complain("invalid", "proposed a configuration outside the space: %s", configuration)
                break
            if self.space.key(configuration) not in self._by_key:
                return configuration, "searcher"
            self.counts["duplicates"] += 1
        return self._draw_unseen(rng), "fallback"

    def _draw_unseen(self, rng: np.random.Generator) -> Configuration:
        for configuration in self.space.decode(self.space.sample_codes(rng, _BLIND_DRAWS // 10)):
            if self.space.key(configuration) not in self._by_key:
                return configuration
        if self.space.size is not None and self.space.size <= _ENUMERABLE:
            rest = [c for c in self.space.enumerate() if self.space.key(c) not in self._by_key]
            if rest:
                return rest[int(rng.integers(len(rest)))]
        else:
            for configuration in self.space.decode(self.space.sample_codes(rng, _BLIND_DRAWS)):
                if self.space.key(configuration) not in self._by_key:
                    return configuration
        raise SpaceExhausted("no point of the space is left that was not proposed")

    # -- telling ----------------------------------------------------------------------------------

    def tell(self, trial_id: int, metric: Any) -> None:
        """Report what a trial delivered, in any form; a repeated or unknown report is counted and ignored."""
        with self._lock:
            self._conclude(trial_id, read_metric(metric, maximize=self.maximize))

    def fail(self, trial_id: int, reason: str) -> None:
        """Report that a trial ended without a result; ignored when it has one."""
        with self._lock:
            self._conclude(trial_id, Outcome(None, {}, reason))

    def _conclude(self, trial_id: int, outcome: Outcome) -> None:
        if not 0 <= trial_id < len(self.trials):
            self.counts["unknown"] += 1
            return
        trial = self.trials[trial_id]
        if trial.value is not None or (trial.failure is not None and outcome.value is None):
            self.counts["repeated"] += 1
            return
        if outcome.value is None:
            self._record({"event": "failed", "trial": trial_id, "reason": outcome.failure, "metrics": outcome.metrics})
        else:
            self._record(
                {"event": "finished", "trial": trial_id, "value": outcome.value, "metrics": outcome.metrics}
            )

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
            trial_id = self.find(configuration)
            if trial_id is None:
                trial_id = len(self.trials)
                self._record(
                    {"event": "proposed", "trial": trial_id, "configuration": configuration, "source": "import"}
                )
            self.tell(trial_id, metric)
            return trial_id

    def note(self, kind: str, **details: Any) -> None:
        """Write down something the searcher does not learn from (which NNI ids a trial has)."""
        with self._lock:
            self._record({"event": kind, **details})

    # -- looking ----------------------------------------------------------------------------------

    def find(self, configuration: Mapping[str, Any]) -> int | None:
        """Return the trial that has `configuration`, or None."""
        return self._by_key.get(self.space.key(configuration))

    @property
    def pending(self) -> list[Trial]:
        """The trials nothing is known of, in the order of their proposals."""
        with self._lock:
            return [trial for trial in self.trials if trial.pending]

    @property
    def finished(self) -> list[Trial]:
        """The trials that have a value, in the order of their proposals."""
        with self._lock:
            return [trial for trial in self.trials if trial.value is not None]

    @property
    def best(self) -> Trial | None:
        """The trial of highest value, the first of equals; None before any finished."""
        return max(self.finished, key=lambda trial: (trial.value or 0.0, -trial.id), default=None)

    # -- the fold ---------------------------------------------------------------------------------

    def _record(self, event: Event) -> None:
        event = {**event, "time": round(time.time(), 3)}
        self.journal.append(event)
        self._apply(event)
        if self._on_event is not None:
            self._guarded(lambda: self._on_event and self._on_event(event), None)

    def _apply(self, event: Event) -> None:
        kind = event["event"]
        if kind == "proposed":
            trial = Trial(event["trial"], event["configuration"], phase=event.get("phase", "search"))
            self.trials.append(trial)
            self._by_key.setdefault(self.space.key(trial.configuration), trial.id)
            self._guarded(lambda: self.searcher.proposed(trial), None)
        elif kind == "finished":
            done = replace(
                self.trials[event["trial"]], value=event["value"], metrics=event.get("metrics", {}), failure=None
            )
            self.trials[done.id] = done
            self._consecutive_failures = 0
            self._guarded(lambda: self.searcher.finished(done), None)
            self._guarded(lambda: self.searcher.prior.finished(done), None)
        elif kind == "failed":
            lost = replace(
                self.trials[event["trial"]], failure=event["reason"] or "failed", metrics=event.get("metrics", {})
            )
            self.trials[lost.id] = lost
            self._consecutive_failures += 1
            self._guarded(lambda: self.searcher.failed(lost), None)

    def _guarded(self, call: Callable[[], Any], otherwise: Any) -> Any:
        """Call the searcher; what it raises is logged once, counted, and never passed on."""
        try:
            return call()
        except SpaceExhausted:  # the study finds out by itself whether a point is left
            return otherwise
        except Exception as error:
            self._complain("searcher errors", "%s raised %r", self.searcher.algorithm, error, exc_info=True)
            return otherwise

    def _complain(self, kind: str, message: str, *args: Any, exc_info: bool = False) -> None:
        self.counts[kind] += 1
        if self.counts[kind] == 1:
            _logger.warning("search goes on with random points where needed: " + message, *args, exc_info=exc_info)
