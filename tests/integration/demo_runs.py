"""Run ``nni_strategies demo`` as a user does, and look at what it left behind."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from nni_strategies.bridge.launch import free_port

BIN = Path(sys.executable).parent
CHECKOUT = Path(__file__).resolve().parents[2]
RESULT_KEYS = {"default", "accuracy", "latency_ms", "params", "madds"}


@dataclass(frozen=True)
class Run:
    """What a finished demo printed."""

    returncode: int
    output: str

    @property
    def experiment(self) -> str:
        found = re.search(r"Experiment (\w+),", self.output)
        assert found, self.output
        return found[1]

    def path(self, what: str) -> Path:
        found = re.search(rf"^{what} +(/.*)$", self.output, re.MULTILINE)
        assert found, self.output
        return Path(found[1])


def own_port() -> tuple[str, str]:
    """Return the option for a demo beside others: two that start at the same moment both find 8080 free."""
    return "--port", str(free_port())


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "nni_strategies.cli", "demo", *arguments]


def run_demo(*arguments: str, timeout: float) -> Run:
    ran = subprocess.run(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout, check=False
    )
    return Run(ran.returncode, ran.stdout)


def registered(experiment: str) -> dict[str, Any]:
    """Return what `nnictl experiment list --all` knows of an experiment."""
    entries = json.loads((Path.home() / "nni-experiments" / ".experiment").read_text())
    return dict(entries[experiment])


def processes_of(experiment: str) -> list[str]:
    """Return the command lines of the processes that belong to an experiment: manager, tuner, trials."""
    found = []
    for process in psutil.process_iter():
        try:
            mine = process.environ().get("NNI_EXP_ID") == experiment or experiment in " ".join(process.cmdline())
            if mine and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def retrained(configuration: dict[str, str]) -> float:
    """Return the accuracy that this configuration really has: trials are deterministic."""
    script = CHECKOUT / "trial_code" / "train_digits.py"
    ran = subprocess.run(
        [sys.executable, script, json.dumps(configuration)], capture_output=True, text=True, check=True
    )
    line = next(line for line in ran.stdout.splitlines() if line.startswith("result "))
    return float(json.loads(line.removeprefix("result "))["accuracy"])
