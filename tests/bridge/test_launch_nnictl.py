"""`nni_strategies launch`, `resume`, `view`: bad input ends with a message and exit code 2, before anything starts."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from nni_strategies.bridge.nnictl import _parser, create
from nni_strategies.cli import build
from nni_strategies.errors import InvalidArgument

pytestmark = pytest.mark.timeout(60)  # NNI is imported, 2 s on an idle machine

GOOD = {
    "searchSpace": {"x": {"_type": "choice", "_value": [1, 2]}},
    "trialCommand": "true",
    "trialConcurrency": 1,
    "tuner": {"name": "Random"},
    "trainingService": {"platform": "local"},
}


def write(folder: Path, text: str, name: str = "config.yml") -> Path:
    (folder / name).write_text(text)
    return folder / name


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"trialConcurrency": 0}, "trialConcurrency = 0"),
        ({"trialConcurrency": "four"}, 'trialConcurrency = "four"'),
        ({"tunr": {"name": "Random"}}, "did you mean 'tuner'"),
        ({"trainingService": {"platform": "moon"}}, "platform"),
        ({"trialCodeDirectory": "nowhere"}, "trialCodeDirectory"),
        ({"logLevel": "loud"}, "NNI refuses it.*log_level"),
        ({"searchSpaceFile": "nowhere.json", "searchSpace": None}, "searchSpaceFile"),
    ],
)
def test_a_config_that_cannot_work_is_refused_before_a_start(tmp_path, change, problem):
    path = write(tmp_path, yaml.safe_dump({**GOOD, **change, "experimentWorkingDirectory": str(tmp_path / "nni")}))
    with pytest.raises(InvalidArgument, match=f"(?s)config = .*cannot be started\\n  .*{problem}"):
        create(path)
    assert not (tmp_path / "nni").exists()


def test_the_logging_of_the_process_is_left_as_it_was():
    """NNI's own parser raises the level of the root logger: warnings of everything else would be lost."""
    before = logging.getLogger().level
    assert _parser().parse_args(["create", "--config", "x.yml"]).config == "x.yml"
    assert logging.getLogger().level == before < logging.ERROR


def test_the_format_of_nni_1_is_refused(tmp_path):
    path = write(tmp_path, yaml.safe_dump({"trainingServicePlatform": "local", "trial": {"command": "true"}}))
    with pytest.raises(InvalidArgument, match="NNI 1's format"):
        create(path)


@pytest.mark.parametrize(
    "arguments",
    [
        ["launch"],
        ["launch", "a.yml", "--config", "b.yml"],
        ["launch", "nowhere.yml"],
        ["launch", "--config", "."],
        ["resume", "nobody"],
        ["view", "nobody"],
        ["view", "nobody", "--experiment_dir", "."],
    ],
)
def test_bad_input_raises_our_error(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    outcome = CliRunner().invoke(build(), arguments)
    assert isinstance(outcome.exception, InvalidArgument), outcome.output


# NNI looks its home folder up once a process
LISTS = """
import pathlib, sys
from nni_strategies import cli
manifest = pathlib.Path.home() / "nni-experiments" / ".experiment"
manifest.parent.mkdir()
for text, command in (("[]", "resume"), ("[]", "view"), ('"abc"', "resume"), ('"abc"', "view")):
    manifest.write_text(text)
    sys.argv[1:] = [command, "abc"]
    try:
        cli.main()
    except SystemExit as end:
        print(command, text, end.code, flush=True)
cli.main()
"""


@pytest.mark.slow
def test_a_list_of_experiments_that_is_none_is_refused(tmp_path):
    call, environment = [sys.executable, "-c", LISTS], {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run(call, capture_output=True, text=True, timeout=50, check=False, env=environment)
    assert done.stdout.splitlines() == ["resume [] 2", "view [] 2", 'resume "abc" 2', 'view "abc" 2']
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert len(lines) == 5
    assert all(line.startswith("error: NNI's list of experiments = ") and ".experiment" in line for line in lines)


@pytest.mark.parametrize("port", ["0", "65535"])
def test_bad_input_ends_with_exit_code_2_and_one_message(command_line, tmp_path, port):
    done = command_line("launch", str(write(tmp_path, yaml.safe_dump(GOOD))), "--port", port)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"error: port = {port}")
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_manager_that_does_not_start_is_tried_three_times(command_line, tmp_path, monkeypatch, caplog):
    path = write(tmp_path, yaml.safe_dump({**GOOD, "experimentWorkingDirectory": str(tmp_path / "nni")}))
    monkeypatch.setenv("NODE_OPTIONS", f"--require {tmp_path}/nowhere.js")
    done = command_line("launch", str(path))
    assert done.returncode == 2
    *_, last = done.stderr.splitlines()
    assert last == "error: NNI's manager ended with exit code 1 while it was starting (3 attempts)"
    assert "nowhere.js" in caplog.text  # what the manager said
    assert "Traceback" not in done.stderr
    assert len(list((tmp_path / "nni").glob("*/log"))) == 3 + 1  # NNI's link `_latest` shows the last one again


@pytest.mark.parametrize("prefix", ["../x", "a//b", "a b", "", "http://h/x"])
def test_a_bad_url_prefix_is_refused_before_a_start(tmp_path, prefix):
    path = write(tmp_path, yaml.safe_dump(GOOD))
    outcome = CliRunner().invoke(build(), ["launch", str(path), "--url_prefix", prefix])
    assert isinstance(outcome.exception, InvalidArgument)
    assert outcome.exception.field == "url_prefix"
