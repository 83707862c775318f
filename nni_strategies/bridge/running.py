"""An experiment that runs in the background: started, watched and stopped by its own id, whoever else runs some."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nni_strategies.bridge.launch import DEFAULT_PORT, free_port
from nni_strategies.bridge.nnictl import create
from nni_strategies.bridge.rest import Rest, RestError
from nni_strategies.bridge.trial_output import last_lines, latest_stderr
from nni_strategies.nni_manifest import read_manifest

ENDED = frozenset(["DONE", "STOPPED", "ERROR"])

_REST_SECONDS = 30.0  # a busy machine keeps a manager from answering for long
_STOP_SECONDS = 30.0
_SILENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Status:
    """What the manager says.

    Parameters
    ----------
    name
        ``RUNNING``, ``NO_MORE_TRIAL``, ``DONE``, ``ERROR``, ...
    errors
        What it complains of.
    """

    name: str
    errors: tuple[str, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.name in ENDED


class RunningExperiment:
    """One experiment and its manager.

    Parameters
    ----------
    port
        Where its manager listens on this machine.

    Raises
    ------
    RestError
        Nobody answers there.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.address = f"http://127.0.0.1:{port}"
        self._rest = Rest(self.address, timeout=_REST_SECONDS)
        profile = self._rest.get("experiment")
        self.id = str(profile["id"])
        self.name = str(profile["params"].get("experimentName") or self.id)
        self.trials_wanted = int(profile["params"].get("maxTrialNumber") or 0)
        self.directory = Path(profile["params"]["experimentWorkingDirectory"]) / self.id
        self._pid = manager_pid(self.id)
        self._last_answer = time.monotonic()

    @classmethod
    def start(cls, config: Path | str, port: int | None = None) -> RunningExperiment:
        """Start the experiment of a YAML file, its manager mended; see `nni_strategies.bridge.nnictl.create`.

        Parameters
        ----------
        config
            The YAML file.
        port
            Of the web UI; none: 8080, or the next free one.
        """
        chosen = free_port(DEFAULT_PORT) if port is None else port
        with quiet_nni():
            create(config, chosen)
        return cls(chosen)

    def status(self) -> Status:
        """Return what the manager says; a busy manager may be silent for a minute before that is an error."""
        try:
            answer = self._rest.get("check-status")
        except RestError as error:
            if not self._alive():
                return Status("ERROR", (f"NNI's manager (process {self._pid}) is gone",))
            if time.monotonic() - self._last_answer > _SILENCE_SECONDS:
                return Status("ERROR", (f"NNI's manager does not answer: {error}",))
            return Status("BUSY")
        self._last_answer = time.monotonic()
        return Status(str(answer["status"]), tuple(str(error) for error in answer.get("errors", ())))

    def stop(self) -> None:
        """Stop the trials, the tuner and the manager, and wait until they are gone; harmless when they are."""
        with contextlib.suppress(RestError):
            self._rest.delete("experiment")
        deadline = time.monotonic() + _STOP_SECONDS
        while self._alive() and time.monotonic() < deadline:
            time.sleep(0.1)
        if self._pid is not None and self._alive():
            logging.getLogger(__name__).warning("the manager of %s did not end by itself: killed", self.id)
            os.kill(self._pid, signal.SIGKILL)

    def log_tail(self, lines: int = 20) -> str:
        """Return the last lines of the tuner's log, where the reason of a failed experiment stands."""
        return "\n".join(last_lines(self.directory / "log" / "dispatcher.log", lines))

    def trial_errors(self, lines: int = 10) -> str:
        """Return the last lines of stderr of the last trial that wrote any; empty when none did."""
        latest = latest_stderr(self.directory)
        return "\n".join(last_lines(latest, lines)) if latest else ""

    def _alive(self) -> bool:
        if self._pid is None:
            return False
        psutil: Any = importlib.import_module("psutil")
        try:
            process = psutil.Process(self._pid)
            if process.status() == psutil.STATUS_ZOMBIE:  # our own child, not yet waited for
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(self._pid, os.WNOHANG)
                return False
            return "main.js" in " ".join(process.cmdline())  # the number may be another program's by now
        except psutil.Error:
            return False


def manager_pid(experiment: str) -> int | None:
    """Return the process id of an experiment's manager, as NNI noted it; None where it did not, or not yet."""
    try:
        pid = read_manifest().get(experiment, {}).get("pid")
    except (OSError, ValueError):
        return None
    return int(pid) if pid else None


@contextmanager
def quiet_nni() -> Iterator[None]:
    """Let warnings through only: NNI sets up its loggers anew at each start, and announces every address it has."""
    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(before)
