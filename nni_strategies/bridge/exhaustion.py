"""How a search that has nothing left to propose ends its experiment.

NNI 3.0 stays at ``TUNER_NO_MORE_TRIAL`` for ever after a tuner's last proposal; its status becomes ``DONE`` only when
the maximum number of trials is reached. So the maximum is lowered to the number of trials there are.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from nni_strategies.bridge.rest import Rest, RestError

_logger = logging.getLogger(__name__)

_TRIES = 30
_PAUSE = 1.0  # seconds between tries, while the manager is busy


def end_experiment(rest: Rest, issued: Collection[int]) -> threading.Thread:
    """Lower the experiment's maximum number of trials to those there are, in a thread of its own.

    The dispatcher must not be blocked: the manager answers REST only between its own steps.

    Parameters
    ----------
    issued
        The parameter ids this run gave to NNI, some of which may still wait for a place.

    Returns
    -------
    threading.Thread
        Started; a daemon.
    """
    thread = threading.Thread(target=_lower_maximum, args=(rest, frozenset(issued)), name="exhaustion", daemon=True)
    thread.start()
    return thread


def count_trials(jobs: Iterable[Mapping[str, Any]], issued: Collection[int]) -> int:
    """Return how many trials NNI has or will have: its own list, and what was issued but is not yet in it."""
    rows = list(jobs)
    listed = {json.loads(row["hyperParameters"][0]).get("parameter_id") for row in rows if row.get("hyperParameters")}
    return len(rows) + len(set(issued) - listed)


def _lower_maximum(rest: Rest, issued: Collection[int]) -> None:
    pause = threading.Event()
    for attempt in range(_TRIES):
        try:
            profile = rest.get("experiment")
            maximum = count_trials(rest.get("trial-jobs"), issued)
            profile["params"]["maxTrialNumber"] = maximum
            rest.put("experiment?update_type=MAX_TRIAL_NUM", profile)
        except (RestError, KeyError, TypeError, ValueError) as error:
            if attempt == _TRIES - 1:
                _logger.error("the experiment cannot be ended (%s); stop it with nnictl stop", error)
            pause.wait(_PAUSE)
        else:
            _logger.info("nothing is left to propose: the experiment ends after its %d trials", maximum)
            return
