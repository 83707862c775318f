"""`nni_strategies launch`, `resume` and `view` as commands, from a shell with a NODE_OPTIONS of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from nni_strategies.bridge.launch import free_port

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(240)]

CONFIG = {
    "searchSpace": {"x": {"_type": "choice", "_value": [1, 2, 3]}},
    "trialCommand": "true",
    "trialConcurrency": 2,
    "maxTrialNumber": 2,
    "tuner": {"name": "Random"},
    "trainingService": {"platform": "local"},
}


def command(folder: Path, *arguments: str) -> str:
    """Run ``nni_strategies`` and return all it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "nni_strategies.cli", *arguments],
        cwd=folder, env={**os.environ, "HOME": str(folder), "NODE_OPTIONS": "--no-warnings"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def rest(port: int, path: str, method: str = "GET", *, prefix: str = "", host: str = "localhost") -> Any:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{prefix}/api/v1/nni/{path}", method=method)
    request.add_header("Host", host)
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.loads(response.read() or "null")


def wait_for(status: str, port: int, **options: str) -> None:
    deadline = time.monotonic() + 60
    while (found := rest(port, "check-status", **options)["status"]) != status:
        assert time.monotonic() < deadline, found
        time.sleep(0.2)


def stop(port: int, **options: str) -> None:
    rest(port, "experiment", "DELETE", **options)
    deadline = time.monotonic() + 60
    while True:
        try:
            rest(port, "check-status", **options)
        except (urllib.error.URLError, ConnectionError):
            return
        assert time.monotonic() < deadline, "the manager did not end"
        time.sleep(0.2)


def test_launch_view_resume(tmp_path):
    (tmp_path / "config.yml").write_text(yaml.safe_dump(CONFIG))
    port, prefix = free_port(), "/ui"
    printed = command(tmp_path, "launch", "config.yml", "--port", str(port), "--url_prefix", "ui", "--debug")
    try:
        assert f"http://127.0.0.1:{port}/ui/" in printed
        experiment = re.search(r"Experiment ID: \S*?(\w{8})\b", printed)[1]
        wait_for("DONE", port, prefix=prefix)
        trials = [trial["trialJobId"] for trial in rest(port, "trial-jobs", prefix=prefix)]
        assert len(trials) == 2
    finally:
        stop(port, prefix=prefix)
    log = (tmp_path / "nni-experiments" / experiment / "log" / "nnimanager.log").read_text()
    assert "DEBUG" in log  # --debug went through

    for action, status in (("view", "VIEWED"), ("resume", "DONE")):
        assert f"http://127.0.0.1:{port}/ " in command(tmp_path, action, experiment, "--port", str(port))
        try:
            wait_for(status, port)
            assert [trial["trialJobId"] for trial in rest(port, "trial-jobs")] == trials
            with pytest.raises(urllib.error.HTTPError, match="421"):  # the guard stands here too
                rest(port, "trial-jobs", host="evil.example")
        finally:
            stop(port)
