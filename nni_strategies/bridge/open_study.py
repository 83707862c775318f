"""Opening the study of an experiment: its journal, which a killed manager's tuner may still hold, and its seed."""

from __future__ import annotations

import secrets
import threading
import time
from pathlib import Path

from nni_strategies.errors import JournalBusy
from nni_strategies.search.journal import Journal
from nni_strategies.search.searcher import Searcher
from nni_strategies.search.study import Study

PATIENCE = 5.0  # seconds; a tuner lets go half a second after its manager is gone
_PAUSE = 0.1


def open_study(searcher: Searcher, path: Path | str | None, *, seed: int | None, maximize: bool = True) -> Study:
    """Begin a study, or go on with the one in a journal.

    Parameters
    ----------
    searcher
        The algorithm, in its initial state.
    path
        The journal's file; None keeps it in memory.
    seed
        Of the search; None takes the journal's, and a random one where there is none.
    maximize
        Whether a higher metric is better.

    Raises
    ------
    JournalError
        The journal cannot be read, belongs to another search, or another process goes on holding it.
    """
    journal = Journal() if path is None else open_journal(Path(path))
    try:
        if seed is None:
            seed = int(journal.header.get("seed", 0)) if journal.header else secrets.randbelow(2**31)
        return Study(searcher, seed=seed, journal=journal, maximize=maximize)
    except BaseException:
        journal.close()
        raise


def open_journal(path: Path) -> Journal:
    """Open a journal, and wait a little where another process holds it.

    Raises
    ------
    JournalError
        Another process goes on holding it, or it cannot be read.
    """
    deadline = time.monotonic() + PATIENCE
    pause = threading.Event()
    while True:
        try:
            return Journal(path)
        except JournalBusy:
            if time.monotonic() > deadline:
                raise
            pause.wait(_PAUSE)


def count_runs(study: Study) -> int:
    """Return how often an experiment was started or resumed before: each run is one note in the journal."""
    return sum(event["event"] == "run" for event in study.journal.events)
