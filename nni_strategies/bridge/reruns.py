"""Trials that a resumed manager runs again although their result is known.

NNI takes up every trial without an end, also one that was killed between its final result and its exit. Its result
is in the database and in the journal, so the second run is stopped as soon as it began.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection

from nni_strategies.bridge.nni_record import UNFINISHED
from nni_strategies.bridge.rest import Rest, RestError

_logger = logging.getLogger(__name__)

_POLL = 0.2
_PATIENCE = 3000  # polls, ten minutes: a trial may wait for its place


def stop_needless(rest: Rest, jobs: Collection[str]) -> threading.Thread | None:
    """Stop these trials of NNI's as soon as they run, in a daemon thread; None when there are none."""
    if not jobs:
        return None
    thread = threading.Thread(target=_stop, args=(rest, list(jobs)), name="stop-reruns", daemon=True)
    thread.start()
    return thread


def _stop(rest: Rest, jobs: list[str]) -> None:
    pause = threading.Event()
    for _ in range(_PATIENCE):
        for job in list(jobs):
            try:
                status = rest.get(f"trial-jobs/{job}")["status"]
                if status == "RUNNING":
                    rest.delete(f"trial-jobs/{job}")
                    _logger.info("trial %s is not run again: its result is known", job)
            except (RestError, KeyError, TypeError):
                continue
            if status not in UNFINISHED or status == "RUNNING":
                jobs.remove(job)
        if not jobs:
            return
        pause.wait(_POLL)
