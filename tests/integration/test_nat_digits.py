"""experiments/nat_digits through `nni_strategies launch`, with few trials: an input and its outputs are trained."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml

from tests.integration.nni_experiment import REPOSITORY, run_experiment

pytestmark = [pytest.mark.integration, pytest.mark.slow]

FILE = REPOSITORY / "experiments" / "nat_digits" / "config.yml"
BASE_MADDS, BASE_PARAMS = 6816, 450  # of the network around the cells


@pytest.mark.timeout(300)
def test_what_trials_measure_is_what_the_journal_says_they_cost(tmp_path: Path):
    config = yaml.safe_load(FILE.read_text())
    config["trialCodeDirectory"] = str(REPOSITORY / "trial_code")
    config["trialCommand"] = config["trialCommand"].replace("../.venv/bin", str(Path(sys.executable).parent))
    arguments = config["tuner"]["classArgs"]
    arguments |= {"inputs": arguments["inputs"][-1:], "budget": 3, "k": 1}
    config["maxTrialNumber"] = 3
    with run_experiment(config, tmp_path) as experiment:
        experiment.wait_for("DONE", deadline=260)
        assert [row["status"] for row in experiment.trials()] == ["SUCCEEDED"] * 3
        shown = [json.loads(row["hyperParameters"][0])["parameters"]["_shown"] for row in experiment.trials()]
        assert [line.partition(":")[0] for line in shown] == ["query", "input 0", "output of input 0"]
        said = {json.dumps(e["configuration"]): e["remarks"]["nat"] for e in experiment.journal("proposed")}
        proposed = {event["trial"]: event for event in experiment.journal("proposed")}
        assert [one["phase"] for one in said.values()] == ["query", "input", "output"]
        for event in experiment.journal("finished"):
            measured, remark = event["metrics"], proposed[event["trial"]]["remarks"]["nat"]
            assert remark["cost"] == [measured["madds"] - BASE_MADDS, measured["params"] - BASE_PARAMS]
            assert 0 < measured["default"] <= 1
