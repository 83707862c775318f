"""``nni_strategies teacher``: what it says, and how it ends."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from nni_strategies.cli import build
from nni_strategies.errors import InvalidArgument


def run(*arguments):
    result = CliRunner().invoke(build(), ["teacher", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def images(tmp_path):
    np.save(tmp_path / "images.npy", np.random.default_rng(0).integers(0, 256, (12, 8, 8), dtype=np.uint8))
    return tmp_path / "images.npy"


def test_a_network_is_built_inspected_and_compared(tmp_path, images):
    options = ("--stimuli", images, "--network", "tests.rsa.networks:Net")
    built = run("build", tmp_path / "t", *options, "--mean", 0.5, "--std", 0.25, "--method", "spearman")
    assert built.exit_code == 0
    assert "12 stimuli, compared by spearman" in built.output
    spec = json.loads((tmp_path / "t" / "teacher.json").read_text())
    assert spec["layers"] == ["blocks.1", "blocks.2", "head:input"]
    assert (spec["stimuli"]["mean"], spec["stimuli"]["std"]) == ([0.5], [0.25])
    assert run("inspect", tmp_path / "t" / "teacher.json").output == built.output
    run("build", tmp_path / "u", *options, "--layers", "blocks.0")
    compared = run("compare", tmp_path / "t" / "teacher.json", tmp_path / "u" / "teacher.json")
    assert "blocks.0" in compared.output
    assert "head:input" in compared.output


def test_ceilings_of_a_file(tmp_path):
    np.save(tmp_path / "subjects.npy", np.random.default_rng(0).random(45) + np.random.default_rng(1).random((4, 45)))
    output = run("ceiling", tmp_path / "subjects.npy", "--method", "pearson").output
    assert output.startswith("4 RDMs, pearson: lower 0.")


def test_one_source_it_is(tmp_path, images):
    with pytest.raises(InvalidArgument, match="one of --network, --rdm and --activations"):
        run("build", tmp_path / "t", "--stimuli", images)
    with pytest.raises(InvalidArgument, match="readable JSON"):
        run("inspect", tmp_path / "t" / "teacher.json")
