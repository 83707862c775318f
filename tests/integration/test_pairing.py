"""Right parameters to right trials: a mended manager at concurrency 4, and stock NNI beside it.

Every trial reports the parameter it ran with as its metric, so each row says itself whether it is right. Trials ask
for their parameters in another order than they were submitted in: the first of each four asks last.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from nni_strategies.bridge.launch import free_port
from tests.integration.nni_experiment import NNICTL

# Speaks NNI's trial protocol itself: `import nni` would cost each trial 1.5 s.
TRIAL = """
import json, os, time, urllib.request
channel = os.environ["NNI_TRIAL_COMMAND_CHANNEL"]
def send(command):
    body = json.dumps(command).encode()
    headers = {"Content-Type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(channel, body, headers, method="PUT"), timeout=30).read()
time.sleep(1.0 if int(os.environ["NNI_TRIAL_SEQ_ID"]) % 4 == 0 else 0.3)
if os.environ.get("NNI_STRATEGIES_MENDED") != "1":  # stock NNI drops what comes before it lists the trial
    jobs = channel.split("/env/")[0] + "/api/v1/nni/trial-jobs"
    while os.environ["NNI_TRIAL_JOB_ID"] not in urllib.request.urlopen(jobs, timeout=30).read().decode():
        time.sleep(0.1)
send({"type": "request_parameter"})
record = json.loads(json.load(urllib.request.urlopen(channel, timeout=30))["parameter"])
for kind, sequence in (("PERIODICAL", 0), ("FINAL", 0)):
    metric = {"parameter_id": record["parameter_id"], "trial_job_id": os.environ["NNI_TRIAL_JOB_ID"], "type": kind,
              "sequence": sequence, "value": json.dumps({"default": record["parameters"]["x"]})}
    send({"type": "metric", "metric": json.dumps(metric)})
"""

TUNER = """
import json
from pathlib import Path
from nni.tuner import Tuner
from nni_strategies.bridge.launch import is_mended

class Counting(Tuner):
    def __init__(self, folder):
        self.folder = Path(folder)
        self.sent = {}
        (self.folder / "mended.txt").write_text(str(is_mended()))

    def update_search_space(self, search_space):
        pass

    def generate_parameters(self, parameter_id, **_):
        self.sent[parameter_id] = {"x": 1000 + parameter_id}
        return self.sent[parameter_id]

    def receive_trial_result(self, parameter_id, parameters, value, **_):
        with (self.folder / "results.jsonl").open("a") as file:
            file.write(json.dumps([parameters["x"], value["default"]]) + "\\n")
"""


def get(port: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/nni/{path}", timeout=30) as response:
        return json.load(response)


@contextmanager
def experiment(folder: Path, command: list[str], trials: int) -> Iterator[int]:
    """Start an experiment with `command`, wait until its trials are done; the port of its manager."""
    (folder / "trial.py").write_text(TRIAL)
    (folder / "counting_tuner.py").write_text(TUNER)
    config = {
        "searchSpace": {"x": {"_type": "randint", "_value": [0, 10]}},
        "trialCommand": f"{sys.executable} -S trial.py",
        "trialCodeDirectory": ".",
        "trialConcurrency": 4,
        "maxTrialNumber": trials,
        "experimentWorkingDirectory": str(folder / "experiments"),
        "tuner": {
            "codeDirectory": str(folder),
            "className": "counting_tuner.Counting",
            "classArgs": {"folder": str(folder)},
        },
        "trainingService": {"platform": "local"},
    }
    (folder / "config.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    started = subprocess.run(
        [*command, "--config", folder / "config.yml", "--port", str(port)],
        cwd=folder, env={**os.environ, "NODE_OPTIONS": "--no-warnings"}, capture_output=True, text=True, timeout=100,
        check=False,
    )  # fmt: skip
    assert started.returncode == 0, started.stdout + started.stderr
    try:
        deadline = time.monotonic() + 120
        while get(port, "check-status")["status"] != "DONE":
            assert time.monotonic() < deadline, get(port, "check-status")
            time.sleep(0.3)
        yield port
    finally:
        stop = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/nni/experiment", method="DELETE")
        urllib.request.urlopen(stop, timeout=30).read()
        deadline = time.monotonic() + 30
        while socket.socket().connect_ex(("127.0.0.1", port)) == 0:
            assert time.monotonic() < deadline, "the manager did not end"
            time.sleep(0.1)


def rows(port: int) -> list[tuple[int, int]]:
    """Return (parameter shown, metric shown) of every row of the web UI's table."""
    return [
        (
            json.loads(trial["hyperParameters"][0])["parameters"]["x"],
            json.loads(json.loads(trial["finalMetricData"][0]["data"]))["default"],
        )
        for trial in get(port, "trial-jobs")
    ]


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.timeout(240)
def test_mended_every_row_shows_the_parameters_its_trial_ran_with(tmp_path):
    folder = tmp_path / "a folder with spaces"
    folder.mkdir()
    with experiment(folder, [sys.executable, "-m", "nni_strategies.cli", "launch"], trials=40) as port:
        table = rows(port)
        assert sorted(shown for shown, _ in table) == list(range(1000, 1040))
        assert [row for row in table if row[0] != row[1]] == []

        trials = [trial["trialJobId"] for trial in get(port, "trial-jobs")]
        ran_with = dict(zip(trials, (shown for shown, _ in table), strict=True))
        metrics = get(port, "metric-data")
        assert len(metrics) == 80  # one intermediate result and one final result each
        for metric in metrics:
            value = json.loads(json.loads(metric["data"]))["default"]
            assert value == ran_with[metric["trialJobId"]] == 1000 + int(metric["parameterId"])

        exported = [(one["parameter"]["x"], json.loads(one["value"])["default"]) for one in get(port, "export-data")]
        assert sorted(exported) == [(x, x) for x in range(1000, 1040)]
    assert (folder / "mended.txt").read_text() == "True"  # the tuner knows that it may trust the rows


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.timeout(180)
def test_stock_nni_shows_trials_with_the_parameters_of_others(tmp_path):
    with experiment(tmp_path, [sys.executable, NNICTL, "create"], trials=12) as port:
        table = rows(port)
        assert len(table) == 12
        assert sum(shown != ran for shown, ran in table) >= 4
    results = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [pair for pair in results if pair[0] != pair[1]] == []  # what the tuner learns from is right all the same
    assert (tmp_path / "mended.txt").read_text() == "False"
