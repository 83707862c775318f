"""The configuration of lanas_oneshot_digits through `nni_strategies launch`: trials judge cells by a supernet."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from tests.integration.nni_experiment import REPOSITORY, run_experiment
from trial_code import score_supernet, train_supernet

pytestmark = [pytest.mark.integration, pytest.mark.slow]

FILE = REPOSITORY / "experiments" / "lanas_oneshot_digits" / "config.yml"
SUPERNET = "output/lanas_oneshot_digits/cells.safetensors"


@pytest.mark.timeout(300)
def test_trials_report_what_the_supernet_says_of_their_cells(tmp_path: Path):
    checkpoint = tmp_path / "cells.safetensors"
    data = ["--data", "noisy_digits", "--device", "cpu"]
    trained = ["--space", "digits_cell", "--width", "4", "--batch-size", "16", "--epochs", "1", "--max-steps", "10"]
    train_supernet.main([*trained, *data, "--checkpoint", str(checkpoint)])
    config = yaml.safe_load(FILE.read_text())
    assert SUPERNET in config["trialCommand"]
    config["trialCommand"] = config["trialCommand"].replace(SUPERNET, str(checkpoint))
    config["trialCommand"] = config["trialCommand"].replace(".venv/bin", str(Path(sys.executable).parent))
    config |= {"trialCodeDirectory": str(REPOSITORY), "maxTrialNumber": 3, "trialConcurrency": 1}
    with run_experiment(config, tmp_path) as experiment:
        experiment.wait_for("DONE", deadline=260)
        assert [row["status"] for row in experiment.trials()] == ["SUCCEEDED"] * 3
        cells = {event["trial"]: event["configuration"] for event in experiment.journal("proposed")}
        given = score_supernet.options(["--supernet", str(checkpoint), *data])
        scorer = score_supernet.open_scorer(given)
        for event in experiment.journal("finished"):
            assert event["value"] == pytest.approx(scorer(cells[event["trial"]]), abs=1e-6)
