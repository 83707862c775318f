"""A program that runs a NAS experiment, in a process of its own: started, killed and started again by tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nni_strategies.bridge.manager_process import find_managers
from nni_strategies.search.journal import read
from tests.integration.nni_experiment import REPOSITORY, free_port

HERE = Path(__file__).parent


def environment(**variables: str) -> dict[str, str]:
    """Return the environment of a program of this folder."""
    return {**os.environ, "PYTHONPATH": f"{REPOSITORY}:{HERE}", "OMP_NUM_THREADS": "1", **variables}


class Program:
    """A script of this folder, again and again on the experiment ``nas``; a context manager that leaves none behind.

    Parameters
    ----------
    script
        Its name.
    folder
        Where the experiment is kept.
    variables
        More environment variables.
    **wanted
        What the script is told beside the folder, the id and a port.
    """

    def __init__(
        self, script: str, folder: Path, *, variables: Mapping[str, str] | None = None, **wanted: object
    ) -> None:
        self.script, self.folder, self.output = script, folder, folder / "output.txt"
        self.wanted: dict[str, Any] = {"folder": str(folder), "id": "nas", **wanted}
        self._variables = dict(variables or {})
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Run or resume the experiment."""
        argument = json.dumps({**self.wanted, "port": free_port()})
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "ignore", self.script, argument],
                cwd=HERE, env=environment(**self._variables), stdout=output, stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip

    def kill(self) -> None:
        """Kill -9 the program; its manager survives."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def result(self, seconds: float = 300) -> dict[str, Any]:
        """Return what the program prints at its end."""
        assert self.process is not None
        self.process.wait(seconds)
        lines = self.output.read_text().splitlines()
        assert lines and lines[-1].startswith("{"), self.output.read_text()[-4000:]
        return dict(json.loads(lines[-1]))

    def events(self, kind: str, journal: str = "journal.jsonl") -> list[dict[str, Any]]:
        """Return the lines of one kind of a journal of the experiment."""
        path = self.folder / "nas" / "checkpoint" / journal
        return [event for event in read(path)[0] if event["event"] == kind] if path.exists() else []

    def managers(self) -> list[int]:
        """Return the process ids of the experiment's managers."""
        return [process.pid for process in find_managers("nas", self.folder)]

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
        for pid in self.managers():
            os.kill(pid, signal.SIGKILL)
