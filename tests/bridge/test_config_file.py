"""An experiment's YAML file: plain fields are read, everything else is refused without being executed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from nni_strategies.bridge.config_file import config_path, plain_fields, read_config
from nni_strategies.errors import InvalidArgument

GOOD = {"searchSpace": {"x": {"_type": "choice", "_value": [1, 2]}}, "trialCommand": "true", "trialConcurrency": 1}


def write(folder: Path, text: str, name: str = "config.yml") -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_a_good_config_is_read(tmp_path):
    assert read_config(write(tmp_path, yaml.safe_dump(GOOD))) == GOOD
    assert read_config(str(tmp_path / "config.yml")) == GOOD


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("tuner: !!python/object/apply:os.system ['touch made']", "without tags"),
        ("!!python/name:os.system", "without tags"),
        ("a: [1, 2", "plain YAML"),
        ("- a\n- b", "not list"),
        ("", "not NoneType"),
        ("tuner", "not str"),
    ],
)
def test_what_is_no_config_is_refused(tmp_path, monkeypatch, text, problem):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, text)
    with pytest.raises(InvalidArgument, match=problem):
        read_config(path)
    assert not (tmp_path / "made").exists()  # nothing in the file was executed


def test_a_config_that_is_not_text_is_refused(tmp_path):
    (tmp_path / "config.yml").write_bytes(b"\x80\x04\x95pickle")
    with pytest.raises(InvalidArgument, match="cannot be read"):
        read_config(tmp_path / "config.yml")


def test_a_missing_file_suggests_the_nearest(tmp_path):
    path = write(tmp_path, yaml.safe_dump(GOOD))
    with pytest.raises(InvalidArgument, match=f"no such file; did you mean '{path}'"):
        read_config(tmp_path / "confg.yml")
    with pytest.raises(InvalidArgument, match=r"no such file$"):
        read_config(tmp_path / "nowhere" / "config.yml")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(InvalidArgument, match="is a folder"):
        read_config(tmp_path)


@pytest.mark.parametrize("name", ["a" * 300, "a\0b", f"{'a' * 300}/config.yml"])
def test_a_file_that_no_file_system_has_is_refused(tmp_path, name):
    with pytest.raises(InvalidArgument, match="cannot be read"):
        read_config(tmp_path / name)


def test_a_path_of_a_config(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert config_path("f", "a/../b", tmp_path) == tmp_path / "b"
    assert config_path("f", "~/b", tmp_path) == tmp_path / "home" / "b"
    for value in ("~nosuchuser/x", "a\0b", "a" * 300):
        with pytest.raises(InvalidArgument, match=r"f = .*: a path: ") as refused:
            config_path("f", value, tmp_path)
        assert "\n" not in str(refused.value)


def test_fields_are_found_however_they_are_written():
    assert plain_fields({"trialCommand": 1, "max_trial_number": 2}) == {"trialcommand": 1, "maxtrialnumber": 2}
