"""Validate refuses nothing that NNI runs, and nothing in a config makes it fail itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from nni_strategies.bridge.validate import validate_config
from nni_strategies.cli import build

pytestmark = pytest.mark.timeout(60)  # NNI is imported, 2 s on an idle machine

LONG = "a" * 300
PATHS = ("~nosuchuser/x", "a\0b", f"{LONG}/x")


@pytest.fixture(autouse=True)
def nni_config(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "nni-config"
    folder.mkdir()
    monkeypatch.setenv("NNI_CONFIG_DIR", str(folder))
    return folder


@pytest.fixture
def write(tmp_path):
    """Write a good config with other top-level fields."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "train.py").write_text("")

    def make(**changes: object) -> Path:
        config = {
            "searchSpace": {"a": {"_type": "choice", "_value": [1, 2, 3]}},
            "trialCommand": "python3 train.py",
            "trialCodeDirectory": "code",
            "trialConcurrency": 1,
            "maxTrialNumber": 3,
            "tuner": {"name": "Random"},
            "trainingService": {"platform": "local"},
            **changes,
        }
        file = tmp_path / "config.yml"
        file.write_text(yaml.safe_dump(config))
        return file

    return make


@pytest.mark.parametrize(
    "command",
    [
        "exec python3 train.py",
        "python3 ~/train.py",
        "~/bin/python3 train.py",
        "python3 -m json.tool --outfile result.py",
        "python3 -m pkg --config=cfg.py",
        "python3 -m __main__",
        f"python3 -m {LONG}",
        "# a comment that isn't code\npython3 train.py",
        "python3 train.py  # isn't quoted",
        "python3 train.py \\\n  --lr 0.1",
        "def=1\npython3 other.py",
        "time python3 train.py",
        "source run.sh",
        "bash run.sh",
        "python3 -W ignore other.py",
        "cat <<END\nit's text\nEND",
    ],
)
def test_commands_that_bash_runs(write, command):
    assert validate_config(write(trialCommand=command)).problems == []


@pytest.mark.parametrize("command", ["bash run.sh", "nohup python3 other.py", "python3 -m no_such_module"])
def test_what_only_looks_wrong_is_advice(write, command):
    found = validate_config(write(trialCommand=command))
    assert found.problems == []
    assert any(command.split()[-1] in one for one in found.advice)


def test_a_script_on_another_machine(write):
    remote = {"platform": "remote", "reuseMode": True, "machineList": [{"host": "h", "user": "u", "password": "p"}]}
    assert validate_config(write(trialCommand="python3 /there/train.py", trainingService=remote)).problems == []
    assert validate_config(write(trialCommand="python3 tarin.py", trainingService=remote)).problems != []


@pytest.mark.parametrize("name", ["Evolution", "Hyperband"])
def test_nni_builds_tuners_with_their_defaults(write, name):
    assert validate_config(write(tuner={"name": name})).problems == []
    (problem,) = validate_config(write(tuner={"name": name, "classArgs": {"optimize_mode": "max"}})).problems[1:]
    assert "optimize_mode" in problem


def test_an_assessor_by_class(write):
    path = "nni.algorithms.hpo.medianstop_assessor.MedianstopAssessor"
    assessor = {"className": path, "codeDirectory": ".", "classArgs": {"start_step": 2}}
    assert validate_config(write(assessor=assessor)).problems == []


@pytest.mark.parametrize("value", PATHS)
@pytest.mark.parametrize("field", ["trialCodeDirectory", "experimentWorkingDirectory", "searchSpaceFile"])
def test_paths_that_no_file_system_has(write, field, value):
    file = write(**{field: value}, **({"searchSpace": None} if field == "searchSpaceFile" else {}))
    (problem,) = validate_config(file).problems
    assert problem.startswith(f"{field} = ") and ": a path: " in problem


@pytest.mark.parametrize("value", PATHS)
def test_such_paths_in_sections(write, value):
    named = {"className": "nni.tuner.Tuner", "codeDirectory": value}
    machine = {"host": "h", "user": "u", "sshKeyFile": value}
    service = {"platform": "remote", "machineList": [machine]}
    problems = validate_config(write(tuner=named, assessor=named, trainingService=service)).problems
    fields = ["tuner.codeDirectory", "assessor.codeDirectory", "machineList[0].sshKeyFile"]
    assert [one.split(" = ")[0] for one in problems] == fields


@pytest.mark.parametrize("value", ["~nosuchuser/x.json", "a\0b.json", f"{LONG}.json"])
def test_text_that_is_no_path_is_no_fault_of_a_class_argument(write, value):
    tuner = {"className": "pool_tuners.Mine", "codeDirectory": "code", "classArgs": {"pool": value}}
    file = write(tuner=tuner)
    (file.parent / "code" / "pool_tuners.py").write_text(
        "from nni.tuner import Tuner\nclass Mine(Tuner):\n    def __init__(self, pool): pass\n"
    )
    assert validate_config(file).problems == []


def test_a_tuner_that_cannot_be_built(write):
    file = write(tuner={"className": "broken_tuner.Mine", "codeDirectory": "code"})
    (file.parent / "code" / "broken_tuner.py").write_text(
        "from nni_strategies.lanas.tuner import LaNASTuner\n"
        "class Mine(LaNASTuner):\n    def make_searcher(self, space): return 1 / 0\n"
    )
    (problem,) = validate_config(file).problems
    assert "ZeroDivisionError" in problem


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("registered_algorithms.yml", "tuners: ["),
        ("registered_algorithms.yml", ""),
        ("registered_algorithms.yml", "- a"),
        ("registered_algorithms.yml", "tuners: [{className: a.B}]"),
        ("training_services.json", "{"),
    ],
)
def test_lists_of_nni_that_cannot_be_read(write, nni_config, file, text):
    (nni_config / file).write_text(text)
    (problem,) = validate_config(write()).problems
    assert problem.startswith("NNI_CONFIG_DIR = ") and "\n" not in problem
    if file.endswith(".yml"):
        for options in ([], ["--remove"]):
            outcome = CliRunner().invoke(build(), ["register", *options])
            assert str(outcome.exception).startswith("NNI_CONFIG_DIR = ")


@pytest.mark.parametrize("command", ["register", "validate"])
def test_a_folder_of_nni_that_cannot_be_made(command_line, write, monkeypatch, command):
    monkeypatch.setenv("NNI_CONFIG_DIR", "/dev/null/x")
    done = command_line(command, *([str(write())] if command == "validate" else []))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith('error: NNI_CONFIG_DIR = "/dev/null/x"')
