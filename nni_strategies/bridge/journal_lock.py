"""Opening a journal that the tuner of a killed manager may still hold for a moment."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from nni_strategies.errors import JournalError
from nni_strategies.search.journal import Journal

PATIENCE = 5.0  # seconds; a tuner lets go half a second after its manager is gone
_PAUSE = 0.1


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
        except JournalError as error:
            if "another process" not in str(error) or time.monotonic() > deadline:
                raise
            pause.wait(_PAUSE)
