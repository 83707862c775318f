"""Registering: NNI itself then finds our tuners by name."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from nni.assessor import Assessor
from nni.tools.package_utils import create_builtin_class_instance, get_algo_meta
from typer.testing import CliRunner

from nni_strategies.bridge.register import (
    ALGORITHMS,
    kind_of,
    names_of,
    register_algorithms,
    unregister_algorithms,
)
from nni_strategies.bridge.tuner import StudyTuner
from nni_strategies.bridge.tuner_class import load_class
from nni_strategies.cli import build
from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.shaped_tuner import MirrorStimuliTuner


@pytest.fixture(autouse=True)
def nni_config(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("NNI_CONFIG_DIR", str(tmp_path))
    return tmp_path / "registered_algorithms.yml"


BASES = {"tuner": (StudyTuner, MirrorStimuliTuner), "assessor": Assessor}


def test_every_name_stands_for_a_class_of_ours():
    for name, path in ALGORITHMS.items():
        assert issubclass(load_class("name", path), BASES[kind_of(path)]), name
    assert sorted(names_of("tuner") + names_of("assessor")) == sorted(ALGORITHMS)


def test_nni_builds_them_by_name_in_any_case(nni_config):
    assert register_algorithms() == list(ALGORITHMS)
    for kind, base in BASES.items():
        for name in names_of(kind):
            arguments = {"optimize_mode": "maximize", **({"seed": 1} if kind == "tuner" else {})}
            assert isinstance(create_builtin_class_instance(name.lower(), arguments, f"{kind}s"), base)


def test_again_changes_nothing(nni_config):
    register_algorithms()
    before = nni_config.stat().st_mtime_ns, nni_config.read_text()
    assert register_algorithms() == []
    assert (nni_config.stat().st_mtime_ns, nni_config.read_text()) == before


def test_others_are_left_alone(nni_config):
    other = {"builtinName": "Other", "className": "a.b.C", "source": "user"}
    nni_config.write_text(yaml.safe_dump({"tuners": [other]}))
    register_algorithms()
    assert get_algo_meta("Other") is not None
    assert unregister_algorithms() == list(ALGORITHMS)
    assert yaml.safe_load(nni_config.read_text()) == {"tuners": [other]}
    assert unregister_algorithms() == []


def test_a_name_of_nni_is_refused():
    with pytest.raises(InvalidArgument, match="none of NNI's own"):
        register_algorithms({"TPE": "a.b.C"})


def test_command():
    def run(*options: str) -> str:
        done = CliRunner().invoke(build(), ["register", *options])
        assert done.exit_code == 0, done.output
        return done.output

    assert run().split()[:2] == ["IRLAS", "registered"]
    assert "as before" in run()
    assert get_algo_meta("lanas").class_name == ALGORITHMS["LaNAS"]
    assert "removed" in run("--remove")
    assert get_algo_meta("lanas") is None
