"""A real NNI experiment for tests: its own folders, a free port, and nothing of the user's touched.

    with run_experiment(config, tmp_path) as experiment:
        experiment.wait_for("DONE")

Every wait polls with a deadline; every process started is stopped by its own id.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import yaml

from nni_strategies.bridge.launch import mended_environment
from nni_strategies.bridge.rest import Rest, RestError

REPOSITORY = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

_T = TypeVar("_T")


def run_experiment(
    config: Mapping[str, Any], folder: Path, *, mended: bool = True, variables: Mapping[str, str] | None = None
) -> Experiment:
    """Start an experiment as ``nnictl create`` does.

    Parameters
    ----------
    config
        As in ``config.yml``; `experimentWorkingDirectory` is set to one in `folder`.
    folder
        Where everything is kept, also NNI's own files (``HOME``, ``NNI_CONFIG_DIR``).
    mended
        Whether the manager is started with our preloads, as `nni_strategies launch` does.
    variables
        More environment variables.
    """
    experiment = Experiment(folder, mended=mended, variables=variables or {})
    experiment.create(config)
    return experiment


def poll(look: Callable[[], _T | None], deadline: float, what: str) -> _T:
    """Look again and again until there is something; fail with `what` after `deadline` seconds."""
    end, pause = time.monotonic() + deadline, threading.Event()
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline} s: {what}")
        pause.wait(0.1)


def free_port() -> int:
    """Return a port nothing listens on, whose successor is free too (NNI's remote mode needs both)."""
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            with suppress(OSError):
                two.bind(("127.0.0.1", one.getsockname()[1] + 1))
                return int(one.getsockname()[1])


class Experiment:
    """One experiment and its processes; a context manager that stops it."""

    def __init__(self, folder: Path, *, mended: bool, variables: Mapping[str, str]) -> None:
        self.folder = folder
        self.experiments = folder / "experiments"
        self.id = ""
        self.port = free_port()
        self.output = ""
        self._managers: list[int] = []
        self.environment = {
            **os.environ,
            "HOME": str(folder),
            "NNI_CONFIG_DIR": str(folder / "nni-config"),
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "PYTHONPATH": str(REPOSITORY),
            "OMP_NUM_THREADS": "1",
            **variables,
        }
        if mended:
            self.environment = mended_environment(self.environment)
        (folder / "nni-config").mkdir(parents=True, exist_ok=True)
        self.experiments.mkdir(exist_ok=True)

    # -- life ----------------------------------------------------------------------------------------

    def create(self, config: Mapping[str, Any]) -> None:
        """Start it and learn its id."""
        path = self.folder / "config.yml"
        path.write_text(yaml.safe_dump({**config, "experimentWorkingDirectory": str(self.experiments)}))
        self.output = self.nnictl("create", "--config", str(path), "--port", str(self.port))
        found = re.search(r"Experiment ID: (?:\x1b\[\d+m)?(\w+)", self.output)
        assert found is not None, self.output
        self.id = found.group(1)
        self._managers.append(self.manager)

    def stop(self) -> None:
        """``nnictl stop``, and wait until the manager is gone."""
        manager = self.manager
        with suppress(RestError):
            self.rest.delete("experiment")
        poll(lambda: not alive(manager), 60, "the manager ends")

    def resume(self) -> None:
        """``nnictl resume`` on a new port."""
        self.port = free_port()
        self.nnictl("resume", self.id, "--port", str(self.port), "--experiment_dir", str(self.experiments))
        self._managers.append(self.manager)

    def nnictl(self, *arguments: str) -> str:
        """Run nnictl in this experiment's environment; its output."""
        done = subprocess.run(
            [sys.executable, "-m", "nni.tools.nnictl.nnictl", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=90,
        )
        text = done.stdout + done.stderr
        assert done.returncode == 0, text + self.log("nnictl_stderr.log")
        return text

    def __enter__(self) -> Experiment:
        return self

    def __exit__(self, *_: object) -> None:
        for manager in self._managers:
            if alive(manager):
                with suppress(RestError, AssertionError):
                    self.stop()
            if alive(manager):
                os.kill(manager, signal.SIGKILL)

    # -- looking -------------------------------------------------------------------------------------

    @property
    def rest(self) -> Rest:
        """The manager's REST interface."""
        return Rest(f"http://localhost:{self.port}")

    @property
    def path(self) -> Path:
        """The experiment's own folder."""
        return self.experiments / self.id

    @property
    def manager(self) -> int:
        """The manager's process id."""
        manifest = json.loads((self.folder / "nni-experiments" / ".experiment").read_text())
        return int(manifest[self.id]["pid"])

    def dispatcher(self) -> int:
        """Return the process id of the tuner."""

        def look() -> int | None:
            below = children(self.manager)  # NNI starts it through a shell, which some shells replace by it
            below += [pid for child in below for pid in children(child)]
            return next((pid for pid in below if b"\0-m\0nni\0" in command(pid)), None)

        return poll(look, 30, "the dispatcher runs")

    def status(self) -> str:
        """Return the experiment's status, ``UNREACHABLE`` while nobody answers."""
        try:
            return str(self.rest.get("check-status")["status"])
        except RestError:
            return "UNREACHABLE"

    def wait_for(self, *statuses: str, deadline: float = 60) -> str:
        """Wait until the status is one of `statuses`."""
        seen = ""

        def look() -> str | None:
            nonlocal seen
            seen = self.status()
            return seen if seen in statuses else None

        try:
            return poll(look, deadline, f"status {statuses}")
        except AssertionError as error:
            tail = self.log("dispatcher.log")[-3000:] + self.log("nnictl_stderr.log")[-1000:]
            raise AssertionError(f"{error}; it is {seen}\n{tail}") from None

    def trials(self) -> list[dict[str, Any]]:
        """Return the rows of the web UI."""
        rows: list[dict[str, Any]] = self.rest.get("trial-jobs")
        return rows

    def journal(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Return the whole lines of the journal, or those of one kind."""
        path = self.path / "checkpoint" / "journal.jsonl"
        text = path.read_text() if path.exists() else ""
        events = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
        return [event for event in events if kind in (None, event["event"])]

    def log(self, name: str) -> str:
        """Return one of ``dispatcher.log``, ``nnimanager.log``, ``nnictl_stderr.log``."""
        path = self.path / "log" / name
        return path.read_text(errors="replace") if self.id and path.exists() else ""

    def kill(self, pid: int) -> None:
        """Kill -9 a process of this experiment, and wait until it is gone."""
        os.kill(pid, signal.SIGKILL)
        poll(lambda: not alive(pid), 10, f"process {pid} is gone")


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def children(parent: int) -> list[int]:
    """Return the process ids of a process's children."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if path.read_text().rsplit(")", 1)[1].split()[1] == str(parent):
                found.append(int(path.parent.name))
    return found


def command(pid: int) -> bytes:
    """Return a process's command line, separated by NULs."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
