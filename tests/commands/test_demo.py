"""What the demo prints at its end, and what it refuses at its beginning."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from nni_strategies.commands.demo import QUICKSTART, resized, show
from nni_strategies.errors import InvalidArgument
from nni_strategies.report.records import ExperimentRecord, TrialRecord
from nni_strategies.report.write import Report
from search_spaces.digits_cell import LABELS

BEST = dict(zip(LABELS, ["none", "nor_conv_3x3", "none", "skip_connect", "none", "skip_connect"], strict=True))


def finished(number: int, metric: float, phase: str) -> TrialRecord:
    metrics = {"default": metric, "accuracy": metric, "params": 4482}
    return TrialRecord(number, BEST, metric, metrics, phase, "finished")


def test_the_end_shows_the_best_and_the_gain(tmp_path: Path):
    blind = [finished(i, metric, "initial") for i, metric in enumerate([0.2, 0.9, 0.4])]
    trials = [*blind, finished(3, 0.95, "search")]
    experiment = ExperimentRecord("abc", "quickstart", True, "LaNAS", {}, 0, tuple(trials))
    screen = io.StringIO()
    report = Report(experiment, tmp_path / "report.html", (tmp_path / "best.json",), ("a [note]",))
    show(report, Console(file=screen, width=100))
    shown = screen.getvalue()
    assert "Best of 4: trial 3" in shown
    assert all(label in shown for label in LABELS)
    assert "4,482" in shown
    assert "0.9500, against 0.4000, the median of the 3 random trials" in shown
    assert "conv 3×3" in shown and "▶ out" in shown
    assert (tmp_path / "cell.svg").read_text().startswith("<svg")
    assert f"picture  {tmp_path / 'cell.svg'}" in shown
    assert "nnictl view abc" in shown and "a [note]" in shown


def test_folders_are_those_that_nni_would_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    file = tmp_path / "some.yml"
    file.write_text(yaml.safe_dump({"trialCodeDirectory": "~/code", "tuner": {"codeDirectory": "tuners"}}))
    (tmp_path / "copy").mkdir()
    copy = yaml.safe_load(resized(file, 3, tmp_path / "copy").read_text())
    assert copy["trialCodeDirectory"] == str(tmp_path / "home" / "code")
    assert copy["tuner"]["codeDirectory"] == str(tmp_path / "tuners")
    file.write_text(yaml.safe_dump({"trialCodeDirectory": "~nosuchuser/code"}))
    with pytest.raises(InvalidArgument, match="trialCodeDirectory = "):
        resized(file, 3, tmp_path / "copy")


def test_another_number_of_trials_leaves_the_rest(tmp_path: Path):
    original, copy = (yaml.safe_load(path.read_text()) for path in (QUICKSTART, resized(QUICKSTART, 3, tmp_path)))
    assert copy.pop("maxTrialNumber") == 3 and original.pop("maxTrialNumber") == 24
    root = QUICKSTART.parents[2]
    assert copy.pop("trialCodeDirectory") == str(root / "trial_code") and original.pop("trialCodeDirectory")
    assert copy["tuner"].pop("codeDirectory") == str(root) and original["tuner"].pop("codeDirectory")
    assert copy == original


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--trials", "0"], "--trials = 0"),
        (["--config", "nowhere.yml"], "nowhere.yml"),
    ],
)
def test_bad_input_ends_with_a_message(arguments: list[str], said: str):
    ran = subprocess.run(
        [sys.executable, "-m", "nni_strategies.cli", "demo", *arguments], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    assert said in ran.stderr and "Traceback" not in ran.stderr
