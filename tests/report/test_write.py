"""From an experiment's id to files, and the command that does it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nni_strategies.cli import build
from nni_strategies.commands.report import searchers
from nni_strategies.compat import load_torchvision
from nni_strategies.errors import InvalidArgument, NNIStrategiesError
from nni_strategies.lanas.searcher import LaNASSearcher
from nni_strategies.report.write import write_report
from nni_strategies.search.baselines import RandomSearch
from nni_strategies.search.journal import Journal
from nni_strategies.search.study import Study
from nni_strategies.space.from_json import space_from_json

SPACE: dict[str, Any] = {f"edge_{i}_{i + 1}": {"_type": "choice", "_value": ["conv", "pool", "skip"]} for i in range(5)}


@pytest.fixture(scope="module")
def experiment(nni_folder_class, tmp_path_factory) -> Path:
    """The folder of a LaNAS experiment of 24 trials."""
    profile = {"experimentName": "cells", "searchSpace": SPACE, "tuner": {"name": "LaNAS"}}
    nni = nni_folder_class(tmp_path_factory.mktemp("experiments") / "abcd1234", profile)
    journal = Journal(nni.directory / "checkpoint" / "journal.jsonl")
    study = Study(LaNASSearcher(space_from_json(SPACE)), seed=4, journal=journal)
    for number in range(24):
        trial = study.ask()
        study.note("issued", trial=trial.id, run=0, parameter_id=number)
        nni.event(10 * number, f"J{number}", "RUNNING", number, trial.configuration)
        value = sum(op == "conv" for op in trial.configuration.values()) / 5
        nni.metric(10 * number + 8, f"J{number}", number, {"default": value, "params": number})
        nni.event(10 * number + 9, f"J{number}", "SUCCEEDED")
        study.tell(trial.id, {"default": value, "params": number})
    journal.close()
    return nni.directory


def test_a_report_with_the_tree(experiment: Path) -> None:
    report = write_report(experiment.name, directory=experiment, searchers=searchers())
    assert report.notes == ()
    assert report.page == experiment / "report" / "report.html"
    page = report.page.read_text()
    assert 'id="tree"' in page
    assert "root · 24" in page.replace("\\u00b7", "·")
    assert json.loads(report.best[0].read_text())["trial"] == report.experiment.ranked[0].id


def test_a_journal_of_another_space_costs_only_the_tree(experiment: Path, tmp_path: Path) -> None:
    experiment = shutil.copytree(experiment, tmp_path / experiment.name)
    with sqlite3.connect(experiment / "db" / "nni.sqlite") as database:
        profile = {"experimentName": "cells", "searchSpace": {"other": SPACE["edge_0_1"]}}
        database.execute("update ExperimentProfile set params = ?", (json.dumps(profile),))
    report = write_report(experiment.name, directory=experiment, output=tmp_path / "out", searchers=searchers())
    assert 'id="tree"' not in report.page.read_text()
    (note,) = report.notes
    assert "belongs to another search (space" in note


def test_output_must_be_a_folder(experiment: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidArgument, match="a folder"):
        write_report(experiment.name, directory=experiment, output=tmp_path / "file")


@pytest.mark.parametrize("output", ["/dev/null/x", "a" * 300, "a\0b"])
def test_output_must_be_possible(experiment: Path, tmp_path: Path, output: str) -> None:
    with pytest.raises(InvalidArgument, match=r"output = .*a folder, or where one can be made") as refused:
        write_report(experiment.name, directory=experiment, output=tmp_path / output)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["best.json", "report.html"])
def test_a_file_that_cannot_be_replaced_is_named(experiment: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "out" / name).mkdir(parents=True)
    with pytest.raises(NNIStrategiesError, match="cannot be written"):
        write_report(experiment.name, directory=experiment, output=tmp_path / "out")


@pytest.mark.timeout(60)  # NNI is imported
def test_text_that_utf8_does_not_have(nni_folder, command_line) -> None:
    nni = nni_folder()
    journal = Journal(nni.directory / "checkpoint" / "journal.jsonl")
    study = Study(RandomSearch(space_from_json(SPACE)), journal=journal)
    for number in range(3):
        study.tell(study.ask().id, {"default": float(number), "note": "<\ud800>"})
    journal.close()
    done = command_line("report", nni.directory.name, "-e", str(nni.directory))
    assert (done.returncode, done.stderr) == (0, "")
    report = nni.directory / "report"
    assert json.loads((report / "best.json").read_text(encoding="utf-8"))["metrics"]["note"] == "<\ud800>"
    assert "ud800" in (report / "report.html").read_text(encoding="utf-8")


def test_the_command_prints_what_it_wrote(experiment: Path, tmp_path: Path) -> None:
    arguments = ["report", experiment.name, "--directory", str(experiment.parent), "--output", str(tmp_path / "out")]
    result = CliRunner().invoke(build(), arguments)
    assert result.exit_code == 0
    assert result.stdout.split() == [str(tmp_path / "out" / name) for name in ("report.html", "best.json")]


@pytest.mark.timeout(60)  # NNI is imported
def test_unknown_id_ends_with_2_and_names_the_nearest(experiment: Path, command_line) -> None:
    done = command_line("report", "abcd1235", "-e", str(experiment.parent))
    assert done.returncode == 2
    assert "did you mean 'abcd1234'?" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(90)  # nni.nas and torch are imported
def test_a_model_space_is_rebuilt_for_the_tree(nni_folder) -> None:
    load_torchvision()
    import nni
    from nni.nas.evaluator import FunctionalEvaluator
    from nni.nas.hub.pytorch import NasBench201
    from nni.nas.space import SimplifiedModelSpace

    from nni_strategies.space.from_nni import space_from_model_space

    model = NasBench201(stem_out_channels=4, num_modules_per_stack=1)
    dumped = SimplifiedModelSpace.from_model(model, FunctionalEvaluator(nni.trace(max)))
    nni_experiment = nni_folder(profile={"experimentType": "nas", "searchSpace": {}})
    journal = Journal(nni_experiment.directory / "checkpoint" / "journal.jsonl")
    study = Study(LaNASSearcher(space_from_model_space(model)), seed=4, journal=journal)
    for number in range(24):
        trial = study.ask()
        parameters = json.loads(nni.dump(dumped.freeze(trial.configuration)))
        nni_experiment.event(number, f"J{number}", "RUNNING", number, parameters)
        value = sum("conv" in operation for operation in trial.configuration.values())
        nni_experiment.metric(number + 0.5, f"J{number}", number, value)
        study.tell(trial.id, value)
    journal.close()
    folder = nni_experiment.directory
    report = write_report(folder.name, directory=folder, searchers=searchers())
    assert report.notes == ()
    assert [path.name for path in report.best] == ["best.json", "best.py"]
    assert all(trial.nni_ids == (f"J{trial.id}",) for trial in report.experiment.trials)
    page = report.page.read_text()
    assert 'id="tree"' in page
    assert '<svg class="cell"' in page
