"""The quick start, small: what a newcomer sees, what is left behind, and what happens when it goes wrong."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml

from nni_strategies.bridge.launch import free_port
from nni_strategies.commands.demo import QUICKSTART, resized
from search_spaces.digits_cell import check
from tests.integration.demo_runs import (
    BIN,
    RESULT_KEYS,
    command,
    own_port,
    processes_of,
    registered,
    retrained,
    run_demo,
)
from tests.integration.nni_experiment import NNICTL

pytestmark = [pytest.mark.integration, pytest.mark.slow]

TRIALS = 3


@pytest.mark.timeout(240)
def test_the_demo_searches_real_networks():
    run = run_demo("--trials", str(TRIALS), timeout=220)  # on the port that it finds
    assert run.returncode == 0, run.output
    assert "Web UI: http://127.0.0.1:" in run.output
    assert len(re.findall(r"^  trial \d  random  0\.\d{4} .* ms .* params .* s", run.output, re.MULTILINE)) == TRIALS
    assert f"the median of the {TRIALS} random trials" in run.output
    assert "▶ out" in run.output
    assert f"nnictl view {run.experiment}" in run.output

    best = json.loads(run.path("best").read_text())
    check(best["configuration"])
    assert set(best["metrics"]) == RESULT_KEYS
    assert retrained(best["configuration"]) == best["metric"]  # these parameters gave this result
    assert "<svg" in run.path("picture").read_text()
    assert run.path("report").stat().st_size > 10_000

    root = Path.home() / "nni-experiments" / run.experiment
    with sqlite3.connect(root / "db" / "nni.sqlite") as database:
        statuses = database.execute("select event, count(*) from TrialJobEvent group by event").fetchall()
        reports = database.execute("select type, count(*) from MetricData group by type").fetchall()
    assert dict(statuses)["SUCCEEDED"] == TRIALS
    assert dict(reports) == {"PERIODICAL": 8 * TRIALS, "FINAL": TRIALS}

    assert registered(run.experiment)["status"] == "STOPPED"
    assert processes_of(run.experiment) == []


@pytest.mark.timeout(180)
def test_plain_nnictl_runs_the_same_file(tmp_path: Path):
    # a PATH without the environment's python: the trial command has to find it
    environment = {**os.environ, "PATH": "/usr/bin:/bin"}
    if not (QUICKSTART.parents[2] / ".venv" / "bin" / "python3").exists():
        environment["PATH"] = f"{BIN}:/usr/bin:/bin"  # not set up by make: any active environment
    config = resized(QUICKSTART, 1, tmp_path)
    ran = subprocess.run(
        [sys.executable, NNICTL, "create", "--config", config, "--port", str(free_port()), "--foreground"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    output = ran.stdout + ran.stderr
    assert ran.returncode == 0, output
    found = re.search(r"Experiment ID: \S*?(\w{8})\x1b", output) or re.search(r"Experiment ID: (\w+)", output)
    assert found, output
    root = Path.home() / "nni-experiments" / found[1]
    with sqlite3.connect(root / "db" / "nni.sqlite") as database:
        finals = database.execute("select data from MetricData where type = 'FINAL'").fetchall()
    assert [set(json.loads(json.loads(text))) for (text,) in finals] == [RESULT_KEYS]


@pytest.mark.timeout(120)
def test_ctrl_c_stops_everything():
    demo = subprocess.Popen(command(*own_port()), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert demo.stdout is not None
        lines = [next(demo.stdout)]
        experiment = lines[0].split()[1].rstrip(",")
        deadline, pause = time.monotonic() + 60, threading.Event()
        while not any("train_digits" in line for line in processes_of(experiment)):  # in the middle of a trial
            assert time.monotonic() < deadline, "no trial started"
            pause.wait(0.2)
        demo.send_signal(signal.SIGINT)
        output, _ = demo.communicate(timeout=50)
    finally:
        demo.kill()
    assert demo.returncode == 130, output
    assert "Stopping" in output
    assert registered(experiment)["status"] == "STOPPED"
    assert processes_of(experiment) == []


@pytest.mark.timeout(120)
def test_trials_that_all_fail_are_a_failure_with_a_reason(tmp_path: Path):
    fields = yaml.safe_load(resized(QUICKSTART, 2, tmp_path).read_text())
    fields["trialCommand"] = "echo no such dish >&2; exit 3"
    config = tmp_path / "failing.yml"
    config.write_text(yaml.safe_dump(fields))
    run = run_demo("--config", str(config), *own_port(), timeout=110)
    assert run.returncode == 1, run.output
    assert "failed" in run.output and "no such dish" in run.output
    assert processes_of(run.experiment) == []
