"""What a tuner changes in its experiment: how it ends when nothing is left to propose, and its search space back.

NNI 3.0 stays at ``TUNER_NO_MORE_TRIAL`` for ever after a tuner's last proposal; its status becomes ``DONE`` only when
the maximum number of trials is reached. So the maximum is lowered to the number of trials there are. A search space
that was changed while the experiment runs is in NNI's profile even if the tuner refuses it, so it is put back.

Both happen in a thread: the dispatcher must not be blocked, and the manager answers between its own steps only.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from nni_strategies.bridge.rest import Rest, RestError

_logger = logging.getLogger(__name__)

_TRIES = 30
_PAUSE = 1.0  # seconds between tries, while the manager is busy


def end_experiment(rest: Rest, issued: Collection[int]) -> threading.Thread:
    """Lower the experiment's maximum number of trials to those there are.

    Parameters
    ----------
    issued
        The parameter ids this run gave to NNI, some of which may still wait for a place.

    Returns
    -------
    threading.Thread
        Started; a daemon.
    """
    given = frozenset(issued)

    def lower() -> str:
        profile = rest.get("experiment")
        maximum = count_trials(rest.get("trial-jobs"), given)
        profile["params"]["maxTrialNumber"] = maximum
        rest.put("experiment?update_type=MAX_TRIAL_NUM", profile)
        return f"nothing is left to propose: the experiment ends after its {maximum} trials"

    return _insist(lower, "the experiment cannot be ended: stop it with nnictl stop")


def restore_search_space(rest: Rest, search_space: Any) -> threading.Thread:
    """Put the search space the study has into the experiment's profile; returns the thread, started."""

    def restore() -> str:
        profile = rest.get("experiment")
        profile["params"]["searchSpace"] = search_space
        rest.put("experiment?update_type=SEARCH_SPACE", profile)
        return "the search space is what it was"

    return _insist(restore, "NNI's profile holds another search space: it cannot be resumed")


def count_trials(jobs: Iterable[Mapping[str, Any]], issued: Collection[int]) -> int:
    """Return how many trials NNI has or will have: its own list, and what was issued but is not yet in it."""
    rows = list(jobs)
    listed = {json.loads(row["hyperParameters"][0]).get("parameter_id") for row in rows if row.get("hyperParameters")}
    return len(rows) + len(set(issued) - listed)


def _insist(change: Callable[[], str], otherwise: str) -> threading.Thread:
    """Try a change again while the manager is busy; log what came of it."""

    def work() -> None:
        pause = threading.Event()
        for attempt in range(_TRIES):
            try:
                _logger.info("%s", change())
                return
            except (RestError, KeyError, TypeError, ValueError) as error:
                if attempt == _TRIES - 1:
                    _logger.error("%s (%s)", otherwise, error)
                pause.wait(_PAUSE)

    thread = threading.Thread(target=work, name="change-experiment", daemon=True)
    thread.start()
    return thread
