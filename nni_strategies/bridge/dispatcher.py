"""The process NNI runs a tuner in: where things are, who started it, and how to be heard from it."""

from __future__ import annotations

import base64
import importlib
import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nni_strategies.bridge.launch import MENDED
from nni_strategies.bridge.rest import Rest

_POLL = 0.5  # seconds between two looks at who the parent is


@dataclass(frozen=True)
class Dispatcher:
    """What NNI tells a tuner's process through its environment and command line.

    Parameters
    ----------
    folder
        Of the experiment: holds ``checkpoint``, ``db`` and ``log``.
    resumed
        Whether the experiment was started before.
    rest
        The manager's REST interface.
    mended
        Whether the manager was started by our launch, which mends the pairing of parameters and trials.
    experiment
        The experiment's configuration, as NNI passes it on; empty when it cannot be read.
    since
        When this process was started, in seconds since the epoch, at most a second late.
    """

    folder: Path
    resumed: bool
    rest: Rest
    mended: bool
    experiment: Mapping[str, Any] = field(default_factory=dict)
    since: float = 0.0

    @classmethod
    def current(
        cls, environment: Mapping[str, str] | None = None, arguments: Sequence[str] | None = None
    ) -> Dispatcher | None:
        """Return where this process runs, or None when no NNI manager started it."""
        env = os.environ if environment is None else environment
        channel, checkpoint = env.get("NNI_TUNER_COMMAND_CHANNEL"), env.get("NNI_CHECKPOINT_DIRECTORY")
        if env.get("SDK_PROCESS") != "dispatcher" or not channel or not checkpoint:
            return None
        return cls(
            folder=Path(checkpoint).parent,
            resumed=env.get("NNI_MODE") == "resume",
            rest=Rest.of_channel(channel),
            mended=env.get(MENDED) == "1",
            experiment=_experiment(sys.argv if arguments is None else arguments),
            since=_started() - 1.0,  # the kernel counts from a boot time in whole seconds
        )

    @property
    def journal(self) -> Path:
        """Where the study of this experiment is kept."""
        return self.folder / "checkpoint" / "journal.jsonl"

    @property
    def database(self) -> Path:
        """Of NNI."""
        return self.folder / "db" / "nni.sqlite"

    @property
    def assesses(self) -> bool:
        """Whether an assessor may stop trials early."""
        return bool(self.experiment.get("assessor"))

    @property
    def mixes_pairs(self) -> bool:
        """Whether this manager records concurrent trials with each other's parameters.

        NNI 3.0 does so on the training services ``local`` and ``remote`` without ``reuseMode``.
        """
        service = self.experiment.get("trainingService")
        if self.mended or not isinstance(service, Mapping):
            return False
        return service.get("platform") in ("local", "remote") and not service.get("reuseMode")


def speak_on_stderr() -> None:
    """Print the warnings of this package on stderr too.

    The dispatcher's stderr is the manager's: the terminal, or ``log/nnictl_stderr.log``, which ``nnictl log stderr``
    shows. ``dispatcher.log`` has everything anyway.
    """
    logger = logging.getLogger("nni_strategies")
    if not any(isinstance(handler, _Stderr) for handler in logger.handlers):
        handler = _Stderr(sys.stderr)
        handler.setLevel(logging.WARNING)
        handler.setFormatter(logging.Formatter("[%(asctime)s] %(levelname)s: %(message)s", "%Y-%m-%d %H:%M:%S"))
        logger.addHandler(handler)


class _Stderr(logging.StreamHandler):  # type: ignore[type-arg]  # generic in the stubs only
    """Ours, so that it is added once."""


def watch_parent(farewell: Callable[[], None]) -> threading.Thread:
    """End this process as soon as its NNI manager is gone.

    NNI's dispatcher outlives a killed manager by up to 50 s, and would keep a resumed one from the journal.

    Parameters
    ----------
    farewell
        Called before the end; lets go of the journal.
    """
    watched = manager_child(os.getpid())
    parent = _parent(watched)

    def watch() -> None:
        pause = threading.Event()
        while _parent(watched) == parent:
            pause.wait(_POLL)
        logging.getLogger(__name__).error("the NNI manager is gone: the tuner ends (nnictl resume goes on)")
        try:
            farewell()
        finally:
            os._exit(1)  # the other threads wait for a manager that never comes back

    thread = threading.Thread(target=watch, name="watch-parent", daemon=True)
    thread.start()
    return thread


def manager_child(pid: int) -> int:
    """Return the process between `pid` and its NNI manager: itself, or the shell NNI starts it through."""
    parent = _parent(pid)
    try:
        shell = b"main.js" not in Path(f"/proc/{parent}/cmdline").read_bytes()
        above = b"main.js" in Path(f"/proc/{_parent(parent)}/cmdline").read_bytes()
    except OSError:
        return pid
    return parent if shell and above else pid


def _parent(pid: int) -> int:
    if pid == os.getpid():
        return os.getppid()
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def _started() -> float:
    psutil: Any = importlib.import_module("psutil")  # NNI needs it too
    return float(psutil.Process().create_time())


def _experiment(arguments: Sequence[str]) -> dict[str, Any]:
    if "--exp_params" not in arguments[:-1]:
        return {}
    try:
        read = json.loads(base64.b64decode(arguments[arguments.index("--exp_params") + 1]))
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}
