"""experiments/irlas_digits through `nni_strategies launch`'s start, with few trials: real training, real latencies."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml

from search_spaces.digits_cell import check
from tests.integration.nni_experiment import REPOSITORY, run_experiment

pytestmark = [pytest.mark.integration, pytest.mark.slow]

FILE = REPOSITORY / "experiments" / "irlas_digits" / "config.yml"
KEYS = {"default", "accuracy", "latency_ms", "latency_iqr_ms", "params", "madds"}


@pytest.mark.timeout(300)
def test_trials_train_and_are_measured(tmp_path: Path):
    config = yaml.safe_load(FILE.read_text())
    config["trialCodeDirectory"] = str(REPOSITORY / "trial_code")
    config["trialCommand"] = config["trialCommand"].replace("../.venv/bin", str(Path(sys.executable).parent))
    config["maxTrialNumber"] = 2
    with run_experiment(config, tmp_path) as experiment:
        experiment.wait_for("DONE", deadline=260)
        rows = experiment.trials()
        assert [row["status"] for row in rows] == ["SUCCEEDED"] * 2
        proposed = {json.dumps(line["configuration"], sort_keys=True) for line in experiment.journal("proposed")}
        for row in rows:
            final = json.loads(json.loads(row["finalMetricData"][0]["data"]))
            assert final.keys() == KEYS
            assert final["default"] == final["accuracy"] and final["latency_ms"] > 0
            cell = json.loads(row["hyperParameters"][0])["parameters"]
            check(cell)
            assert json.dumps(cell, sort_keys=True) in proposed
