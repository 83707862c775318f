"""What earlier trials of the same experiment reached: for the scale of TG, and for stopping the worst early.

In one process (the sequential engine) it is kept in memory. Trials of the local training service append lines to a file
in the experiment's folder; a line is one write of less than 4 kB, which no other trial's can interleave. On other
training services trials do not see each other.
"""

from __future__ import annotations

import itertools
import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

FILE = "rsa_history.jsonl"


@dataclass(frozen=True)
class Outcome:
    """A trial at one of its intermediate results.

    Parameters
    ----------
    trial
        NNI's id of it.
    step
        Number of the intermediate result, from 1.
    signals
        What was known of it, by name: see :mod:`.judge`.
    value
        What it was worth, higher is better.
    judged
        Whether it was the trial's last word.
    teacher
        What judged it; values by different teachers do not compare.
    """

    trial: str
    step: int
    signals: Mapping[str, float]
    value: float
    judged: bool = False
    teacher: str = ""


class History:
    """Outcomes in the order they came.

    Parameters
    ----------
    folder
        Of the experiment, where trials share it; None keeps outcomes in memory.
    shared
        Whether other trials' outcomes come here too.
    """

    def __init__(self, folder: Path | None = None, shared: bool = True) -> None:
        self.shared = shared
        self._path = None if folder is None else folder / FILE
        self._memory: list[Outcome] = []
        self._names = itertools.count()
        self._found: list[Outcome] = []  # what was read of the file, up to the byte
        self._end = 0

    def name_trial(self) -> str:
        """Return NNI's id of this trial, or a new name where models run in one process and share an id."""
        given = os.environ.get("NNI_TRIAL_JOB_ID") if self._path is not None else None
        return given or f"trial {next(self._names)}"

    def add(self, outcome: Outcome) -> None:
        """Append one; a full disk or a folder that is gone loses it and nothing else."""
        self._memory.append(outcome)
        if self._path is None:
            return
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(file, f"\n{json.dumps(asdict(outcome))}\n".encode())  # after a torn line too
            finally:
                os.close(file)
        except OSError:
            return

    def read(self) -> list[Outcome]:
        """Return all; lines that make no sense (torn by a kill) are passed over."""
        if self._path is None:
            return list(self._memory)
        try:
            with open(self._path, "rb") as file:
                if file.seek(0, os.SEEK_END) < self._end:
                    self._end, self._found = 0, []
                file.seek(self._end)
                whole, newline, _ = file.read().rpartition(b"\n")
        except OSError:
            return list(self._found or self._memory)
        self._end += len(whole) + len(newline)  # what others write meanwhile is read the next time
        self._found += [outcome for line in whole.splitlines() if (outcome := _outcome(line)) is not None]
        return list(self._found)

    def judged(self, teacher: str = "") -> list[Outcome] | None:
        """Return the last word on each trial, in the order they ended; None where other trials are not seen.

        Parameters
        ----------
        teacher
            By which; any when empty.
        """
        if not self.shared:
            return None
        ended: dict[str, Outcome] = {}
        for outcome in self.read():
            if outcome.judged and (not teacher or outcome.teacher in ("", teacher)):
                ended[outcome.trial] = outcome  # a trial that was run again after a kill counts once
        return list(ended.values())


def _outcome(line: bytes) -> Outcome | None:
    try:
        given = json.loads(line)
        numbers = {str(name): float(x) for name, x in given["signals"].items() if math.isfinite(float(x))}
        if not isinstance(given["trial"], str) or "P" not in numbers or not math.isfinite(float(given["value"])):
            return None
        step, judged, teacher = int(given["step"]), bool(given["judged"]), str(given.get("teacher", ""))
        return Outcome(given["trial"], step, numbers, float(given["value"]), judged, teacher)
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError):
        return None


_of_engines: WeakKeyDictionary[Any, History] = WeakKeyDictionary()


def trial_history(channel: Any) -> History:
    """Return the history that a trial shares with others, else one of its own.

    Shared are the experiment's folder on this machine, and the engine that runs model after model in this process.

    Parameters
    ----------
    channel
        The trial's channel to NNI; the sequential engine's knows its engine.
    """
    platform, system = os.environ.get("NNI_PLATFORM"), os.environ.get("NNI_SYS_DIR")
    if platform == "local" and system:
        experiment = Path(system).parent.parent  # <experiment>/environments/local-env/trials/<trial>
        if experiment.is_dir() and os.access(experiment, os.W_OK):
            return History(experiment)
    engine = getattr(channel, "engine", None)
    return _of_engines.setdefault(engine, History()) if engine is not None else History(shared=False)
