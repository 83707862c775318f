"""What a tuner's process learns from its environment, and its end when its manager is killed."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from nni_strategies.bridge.dispatcher import Dispatcher

ENVIRONMENT = {
    "SDK_PROCESS": "dispatcher",
    "NNI_CHECKPOINT_DIRECTORY": "/experiments/abc/checkpoint",
    "NNI_TUNER_COMMAND_CHANNEL": "ws://localhost:8080/tuner",
    "NNI_MODE": "start",
}


def current(arguments: list[str] | None = None, **changes: str) -> Dispatcher | None:
    environment = {**ENVIRONMENT, **changes}
    return Dispatcher.current({name: value for name, value in environment.items() if value}, arguments or [])


def arguments(**experiment: Any) -> list[str]:
    packed = base64.b64encode(json.dumps(experiment).encode()).decode()
    return ["nni", "--exp_params", packed]


def test_folders_and_address():
    found = current(NNI_MODE="resume")
    assert found.journal == Path("/experiments/abc/checkpoint/journal.jsonl")
    assert found.database == Path("/experiments/abc/db/nni.sqlite")
    assert found.resumed and not current().resumed
    assert found.rest.address == "http://localhost:8080"
    assert current(NNI_TUNER_COMMAND_CHANNEL="ws://localhost:1/my/prefix/tuner").rest.address == (
        "http://localhost:1/my/prefix"
    )
    assert 0 <= time.time() - found.since < 600


@pytest.mark.parametrize("missing", ["SDK_PROCESS", "NNI_CHECKPOINT_DIRECTORY", "NNI_TUNER_COMMAND_CHANNEL"])
def test_without_a_manager_there_is_none(missing):
    assert current(**{missing: ""}) is None


@pytest.mark.parametrize(
    ("service", "mixes"),
    [
        ({"platform": "local"}, True),
        ({"platform": "local", "reuseMode": False}, True),
        ({"platform": "remote", "reuseMode": False}, True),
        ({"platform": "remote", "reuseMode": True}, False),
        ({"platform": "kubeflow"}, False),
        ([{"platform": "local"}, {"platform": "remote"}], False),
        (None, False),
    ],
)
def test_which_managers_mix_up_pairs(service, mixes):
    assert current(arguments(trainingService=service)).mixes_pairs is mixes
    assert not current(arguments(trainingService=service), NNI_STRATEGIES_MENDED="1").mixes_pairs


@pytest.mark.parametrize("line", [["--exp_params"], ["--exp_params", "rubbish"], [], ["--exp_params", "W10="]])
def test_an_unreadable_command_line_is_no_fault(line):
    assert current(line).experiment == {}


PARENT = """
import subprocess, sys
child = subprocess.Popen([*{shell}, *{child}])
print(child.pid, flush=True)
child.wait()
"""
CHILD = """
import os, sys, threading
from nni_strategies.bridge.dispatcher import watch_parent
watch_parent(lambda: open(sys.argv[1], "a").write("farewell"))
open(sys.argv[1], "a").write(f"{os.getpid()} ")
threading.Event().wait(60)
"""


@pytest.mark.parametrize("through_a_shell", [True, False])
def test_it_ends_with_its_manager(tmp_path, through_a_shell):
    out = tmp_path / "out.txt"
    (tmp_path / "child.py").write_text(CHILD)
    command = [sys.executable, str(tmp_path / "child.py"), str(out)]
    line = " ".join(command) + "; true"  # keeps the shell from being replaced by the command
    script = tmp_path / "main.js"  # what NNI's manager is called
    script.write_text(PARENT.format(shell=["sh", "-c"] if through_a_shell else [], child=[line]) if through_a_shell
                      else PARENT.format(shell=[], child=command))
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: out.exists() and out.read_text().strip())
        child = int(out.read_text().split()[0])
        parent.kill()
        parent.wait()
        wait_until(lambda: "farewell" in out.read_text())
        wait_until(lambda: not running(child))
    finally:
        parent.kill()
        if out.exists() and running(int(out.read_text().split()[0])):
            os.kill(int(out.read_text().split()[0]), signal.SIGKILL)


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_until(look: Any) -> None:
    end, pause = time.monotonic() + 8, threading.Event()
    while not look():
        assert time.monotonic() < end
        pause.wait(0.05)
