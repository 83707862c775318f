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
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import yaml

from nni_strategies.bridge.launch import free_port, node_options
from nni_strategies.bridge.rest import Rest, RestError

REPOSITORY = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
NNICTL = str(Path(__file__).with_name("patient_nnictl.py"))

_T = TypeVar("_T")

# Speaks NNI's trial protocol itself, since `import nni` would cost each trial 1.5 s. BODY uses `parameters`,
# `report(value)` and `note(text)`, which appends a line to the file `started.txt` of the test's folder.
_TRIAL = """
import json, os, sys, time, urllib.request
channel = os.environ["NNI_TRIAL_COMMAND_CHANNEL"]
def send(command):
    body = json.dumps(command).encode()
    headers = {"Content-Type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(channel, body, headers, method="PUT"), timeout=30).read()
def note(text):
    with open(STARTED, "a") as file:
        file.write(text + "\\n")
def report(value):
    metric = {"parameter_id": record["parameter_id"], "trial_job_id": os.environ["NNI_TRIAL_JOB_ID"], "type": "FINAL",
              "sequence": 0, "value": json.dumps(value)}
    send({"type": "metric", "metric": json.dumps(metric)})
if os.environ.get("NNI_STRATEGIES_MENDED") != "1":  # stock NNI drops what comes before it lists the trial
    jobs = channel.split("/env/")[0] + "/api/v1/nni/trial-jobs"
    while os.environ["NNI_TRIAL_JOB_ID"] not in urllib.request.urlopen(jobs, timeout=30).read().decode():
        time.sleep(0.1)
send({"type": "request_parameter"})
record = json.loads(json.load(urllib.request.urlopen(channel, timeout=30))["parameter"])
parameters = record["parameters"]
note(json.dumps(parameters, sort_keys=True))
BODY
"""

# A tuner without a wing: the project's bridge, and a searcher whose proposals depend on the results.
_TUNER = """
from nni_strategies.bridge.tuner import StudyTuner
from nni_strategies.search.baselines import RegularizedEvolution

class EvolutionTuner(StudyTuner):
    searcher_class = RegularizedEvolution
"""


def evolution_config(folder: Path, space: Mapping[str, Any], body: str, **fields: Any) -> dict[str, Any]:
    """Return the config of an experiment with regularized evolution whose trials run `body` (Python).

    Parameters
    ----------
    fields
        More fields of the config; `class_args` are the tuner's.
    """
    code = folder / "code"
    code.mkdir(parents=True, exist_ok=True)
    started = repr(str(folder / "started.txt"))
    (code / "trial.py").write_text(_TRIAL.replace("STARTED", started).replace("BODY", body))
    (code / "evolution_tuner.py").write_text(_TUNER)
    class_args = {"seed": 1, "population": 3, "sample": 2, **fields.pop("class_args", {})}
    return {
        "searchSpace": dict(space),
        "trialCommand": f"{sys.executable} -S trial.py",
        "trialCodeDirectory": str(code),
        "trialConcurrency": 1,
        "maxTrialNumber": 6,
        "tuner": {
            "codeDirectory": str(code),
            "className": "evolution_tuner.EvolutionTuner",
            "classArgs": class_args,
        },
        "trainingService": {"platform": "local"},
        **fields,
    }


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


def timeouts(seconds: Mapping[int, int], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with which a manager started in `environment` takes other times than NNI's.

    Parameters
    ----------
    seconds
        NNI's time, of all that has that time -> the one instead.
    """
    return {
        "NODE_OPTIONS": node_options(environment.get("NODE_OPTIONS", ""), [Path(__file__).with_name("timeouts.js")]),
        "NNI_TIMEOUTS": json.dumps({1000 * old: 1000 * new for old, new in seconds.items()}),
    }


class Experiment:
    """One experiment and its processes; a context manager that stops it."""

    def __init__(self, folder: Path, *, mended: bool, variables: Mapping[str, str]) -> None:
        self.folder = folder
        self.experiments = folder / "experiments"
        self.id = ""
        self.mended = mended
        self.port = 0
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
        (folder / "nni-config").mkdir(parents=True, exist_ok=True)
        self.experiments.mkdir(exist_ok=True)

    # -- life ----------------------------------------------------------------------------------------

    def create(self, config: Mapping[str, Any]) -> None:
        """Start it and learn its id."""
        path = self.folder / "config.yml"
        path.write_text(yaml.safe_dump({**config, "experimentWorkingDirectory": str(self.experiments)}))
        self.output = self._start("create", "--config", str(path))
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
        self._start("resume", self.id, "--experiment_dir", str(self.experiments))
        self._managers.append(self.manager)

    def _start(self, action: str, *arguments: str) -> str:
        """Run `nnictl`, or our own command where the manager is to be mended; on a new port."""
        self.port = free_port()
        port = ("--port", str(self.port))
        if not self.mended:
            return self.nnictl(action, *arguments, *port)
        ours = "launch" if action == "create" else action
        return self._run("-m", "nni_strategies.cli", ours, *arguments, *port)

    def nnictl(self, *arguments: str) -> str:
        """Run nnictl in this experiment's environment; its output."""
        return self._run(NNICTL, *arguments)

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        text = done.stdout + done.stderr
        assert done.returncode == 0, text + self.log("nnictl_stderr.log")
        return text

    def __enter__(self) -> Experiment:
        return self

    def __exit__(self, *_: object) -> None:
        for manager in self._managers:
            if alive(manager) and self._busy():  # an orderly stop takes 5 s, and only trials need it
                with suppress(RestError, AssertionError):
                    self.stop()
            if alive(manager):
                os.kill(manager, signal.SIGKILL)

    def _busy(self) -> bool:
        with suppress(RestError):
            return any(trial["status"] in ("WAITING", "RUNNING") for trial in self.trials())
        return True

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

    def started(self) -> list[dict[str, Any]]:
        """Return the parameters of every trial that began, in order (see :func:`evolution_config`)."""
        path = self.folder / "started.txt"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

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
