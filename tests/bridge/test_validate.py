"""Validate: each fault of a config alone, several at once, and the configs of this repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from nni_strategies.bridge.register import register_algorithms
from nni_strategies.bridge.validate import validate_config
from nni_strategies.cli import build
from nni_strategies.errors import InvalidArgument

GONE = object()
MEDIANSTOP = "nni.algorithms.hpo.medianstop_assessor.MedianstopAssessor"


@pytest.fixture(autouse=True)
def nni_config(tmp_path, monkeypatch):
    monkeypatch.setenv("NNI_CONFIG_DIR", str(tmp_path / "nni-config"))
    (tmp_path / "nni-config").mkdir()


@pytest.fixture
def write(tmp_path):
    """Write a good config with changes, ``{"tuner.classArgs.seed": 3}``; GONE takes a field out."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "train.py").write_text("")

    def make(changes: dict[str, Any]) -> Path:
        config: dict[str, Any] = {
            "searchSpace": {"a": {"_type": "choice", "_value": [1, 2, 3]}},
            "trialCommand": "python3 train.py",
            "trialCodeDirectory": "code",
            "trialConcurrency": 1,
            "maxTrialNumber": 3,
            "tuner": {"className": "nni_strategies.lanas.tuner.LaNASTuner", "codeDirectory": ".", "classArgs": {}},
            "trainingService": {"platform": "local"},
        }
        for path, value in changes.items():
            *folders, last = path.split(".")
            at = config
            for one in folders:
                at = at[one]
            if value is GONE:
                del at[last]
            else:
                at[last] = value
        file = tmp_path / "config.yml"
        file.write_text(yaml.safe_dump(config))
        return file

    return make


def test_a_good_one(write):
    found = validate_config(write({}))
    assert found.problems == [] and found.advice == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"trialConcurency": 2}, "did you mean 'trialConcurrency'"),
        ({"trialCommand": GONE}, "trialCommand = null"),
        ({"trialCommand": "python3 tarin.py"}, "did you mean 'train.py'"),
        ({"trialCommand": "pyhton3 train.py"}, '"pyhton3": a program on this machine'),
        ({"trialCommand": "exec python3 -u tarin.py --lr 1"}, "did you mean 'train.py'"),
        ({"trialCommand": "# two lines\npython3 tarin.py"}, "did you mean 'train.py'"),
        ({"trialCommand": f"python3 {'a' * 300}.py"}, "a file in"),
        ({"trialCommand": "# nothing else"}, "a command"),
        ({"trialCommand": "python3 'train.py"}, "a command a shell understands"),
        ({"trialCodeDirectory": "cod"}, "trialCodeDirectory = \"cod\": a folder"),
        ({"trialConcurrency": 0}, "trialConcurrency = 0: a positive integer"),
        ({"trialConcurrency": "two"}, 'trialConcurrency = "two"'),
        ({"maxTrialNumber": -1}, "maxTrialNumber = -1"),
        ({"maxTrialDuration": "10 minutes"}, "a time such as"),
        ({"searchSpace": GONE}, "searchSpace = null"),
        ({"searchSpace": {}}, "at least one parameter"),
        ({"searchSpace.a._type": "choise"}, "did you mean 'choice'"),
        ({"searchSpace": GONE, "searchSpaceFile": "none.json"}, "searchSpaceFile"),
        ({"tuner": GONE}, "tuner = null"),
        ({"tuner": {"name": "TPF"}}, "did you mean 'TPE'"),
        ({"tuner": {"name": "LaNAS"}}, "nni_strategies register"),
        ({"tuner": {"name": "TPE", "classArgs": {"optimise_mode": "maximize"}}}, "did you mean 'optimize_mode'"),
        ({"tuner.className": "nni_strategies.lanas.tuner.LaNASTunr"}, "did you mean 'LaNASTuner'"),
        ({"tuner.className": "no_module.Tuner"}, "no module 'no_module'"),
        ({"tuner.className": "Tuner"}, "module.Class"),
        ({"tuner.codeDirectory": "nowhere"}, "tuner.codeDirectory"),
        ({"tuner.codeDirectory": GONE}, "tuner.codeDirectory"),
        ({"tuner.classArgs.heigth": 3}, "did you mean 'height'"),
        ({"tuner.classArgs.height": "high"}, 'height = "high"'),
        ({"tuner.classArgs.seed": -1}, "seed = -1"),
        ({"tuner.classArgs": [1]}, "tuner.classArgs"),
        ({"tuner.classArg": {}}, "did you mean 'classArgs'"),
        ({"trainingService": GONE}, "trainingService = null"),
        ({"trainingService.reuseMode": True}, "reuseMode = true"),
        ({"trainingService.platform": "lokal"}, "lokal"),
        ({"trainingService.plattform": "local"}, "did you mean 'platform'"),
        ({"trialGpuNumber": -1}, "trialGpuNumber = -1"),
        ({"experimentType": "nas"}, "NasExperiment"),
        ({"experimentWorkingDirectory": "code/train.py/x"}, "experimentWorkingDirectory"),
        ({"assessor": {"name": "Medianstopp"}}, "did you mean 'Medianstop'"),
        ({"assessor": {"name": "TPE"}}, 'assessor.name = "TPE"'),
        ({"assessor": {"name": "Medianstop", "classArgs": {"start_step": -1}}}, "start_step"),
        ({"tuner": {"name": "TPE", "classArgs": {"optimize_mode": "maximise"}}}, "did you mean 'maximize'"),
        ({"tuner": {"name": "Evolution", "classArgs": {"population_size": -1}}}, "population_size"),
        ({"tuner.classArgs.pool": "code/train.py"}, "an absolute path, "),
        ({"tuner.classArgs.pool": "none.json"}, "none.json"),
        ({"tuner.classArgs.pool": "a" * 300 + ".json"}, "pool"),
        ({"tuner.classArgs.self": 1}, "tuner.classArgs = \"self\""),
        ({"tuner.classArgs": {1: 2}}, "tuner.classArgs = 1"),
        ({"tuner.className": "collections.OrderedDict"}, "a subclass of nni.tuner.Tuner"),
        ({"tuner.className": "nni.assessor.Assessor"}, "a subclass of nni.tuner.Tuner"),
        ({"tuner.className": "nni.tuner.Tuner"}, "a subclass of nni.tuner.Tuner"),
        ({"tuner.className": "nni_strategies.bridge.tuner.StudyTuner"}, "a tuner with a searcher_class"),
        ({"tuner": {"name": "Evolution", "classArgs": {"self": 1}}}, "tuner.classArgs = \"self\""),
        ({"assessor": {"className": "no_module.Y", "codeDirectory": "."}}, "no module 'no_module'"),
        ({"assessor": {"className": "collections.OrderedDict", "codeDirectory": "."}}, "nni.assessor.Assessor"),
        ({"assessor": {"className": "nni.tuner.Tuner", "codeDirectory": "."}}, "nni.assessor.Assessor"),
        ({"assessor": {"className": MEDIANSTOP, "codeDirectory": ".", "classArgs": {"x": 1}}}, "classArgs = \"x\""),
        ({"assessor": {"className": MEDIANSTOP, "codeDirectory": "nowhere"}}, "assessor.codeDirectory"),
        ({"assessor": {"name": "Medianstop", "classArgs": {"self": 1}}}, "assessor.classArgs = \"self\""),
        ({"trainingService": "local"}, "`trainingService: {platform: local}`"),
        ({"trainingService": ["remote", {"platform": "local"}]}, "`trainingService: [{platform: remote}]`"),
        ({"trainingService": {"platform": "remote", "machineList": 5}}, "machineList = 5: a list"),
        ({"trainingService": {"platform": "remote", "machineList": ["h"]}}, "machineList[0] = \"h\""),
    ],
)
def test_each_fault_is_named(write, changes, problem):
    found = validate_config(write(changes))
    assert any(problem in one for one in found.problems), found.problems
    assert len(found.problems) <= 2


def test_all_faults_are_named_at_once(write):
    changes = {"searchSpace": {"a": {"_type": "x", "_value": [1]}, "b": {"_type": "choice", "_value": []}},
               "trialCommand": "python3 nothing.py", "tuner.classArgs": {"cp": -1}, "maxTrialNumber": 0}
    problems = "\n".join(validate_config(write(changes)).problems)
    for word in ("search_space.a._type", "search_space.b._value", "nothing.py", "cp = -1", "maxTrialNumber"):
        assert word in problems


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        ({"trialConcurrency": 2}, "nni_strategies launch"),
        ({"maxTrialNumber": GONE}, "never ends"),
        ({"maxTrialNumber": 50}, "has 3 points"),
        ({"trainingService": {"platform": "remote", "machineList": [
            {"host": "h", "user": "u", "password": "secret"}]}}, "maxTrialDuration"),
        ({"trainingService": {"platform": "remote", "machineList": [
            {"host": "h", "user": "u", "password": "secret"}]}}, "reuseMode"),
        ({"trainingService": {"platform": "remote", "machineList": [
            {"host": "h", "user": "u", "password": "secret"}]}}, "can be read in the web UI"),
    ],
)  # fmt: skip
def test_advice(write, changes, advice):
    found = validate_config(write(changes))
    assert any(advice in one for one in found.advice)
    assert found.problems == []
    assert not any("secret" in one for one in found.advice)


def test_by_name_once_registered(write):
    register_algorithms()
    assert validate_config(write({"tuner": {"name": "lanas", "classArgs": {"seed": 1}}})).problems == []
    assert validate_config(write({"tuner": {"name": "LaNAS", "classArgs": {"sed": 1}}})).problems != []


def test_snake_case_and_a_search_space_file(write, tmp_path):
    (tmp_path / "space.json").write_text('{"a": {"_type": "uniform", "_value": [0, 1]}}')
    file = write({"searchSpace": GONE, "search_space_file": "space.json", "trial_concurrency": 1,
                  "trialConcurrency": GONE})  # fmt: skip
    assert validate_config(file).problems == []


@pytest.mark.parametrize(
    "text",
    ["- 1", "a: [", "!!python/object/apply:os.system ['x']", "", "a: 1\na: 2", "a: {b: 1, b: 1}", "a: " + "[" * 5000],
)
def test_what_is_no_config(tmp_path, text):
    (tmp_path / "bad.yml").write_text(text)
    with pytest.raises(InvalidArgument, match="config"):
        validate_config(tmp_path / "bad.yml")


def test_a_folder_and_a_missing_file(tmp_path):
    for path in (tmp_path, tmp_path / "none.yml"):
        with pytest.raises(InvalidArgument, match="config"):
            validate_config(path)


def test_a_search_space_file_with_a_parameter_twice(write, tmp_path):
    spec = '{"_type": "uniform", "_value": [0, 1]}'
    (tmp_path / "space.json").write_text(f'{{"a": {spec}, "a": {spec}}}')
    problems = validate_config(write({"searchSpace": GONE, "searchSpaceFile": "space.json"})).problems
    assert len(problems) == 1 and "the key 'a' is there twice" in problems[0]


@pytest.mark.parametrize("problem", [True, False])
def test_command(write, problem):
    file = write({"maxTrialNumber": 0, "tuner.classArgs.sed": 1} if problem else {"maxTrialNumber": 9})
    done = CliRunner().invoke(build(), ["validate", str(file)])
    assert done.exit_code == (2 if problem else 0)
    assert done.output.count("error: ") == (2 if problem else 0)
    assert ("advice: " in done.output) is not problem


def test_the_configs_of_this_repository(checkout):
    for file in sorted(checkout.glob("experiments/*/config.yml")):
        assert validate_config(file).problems == [], file
