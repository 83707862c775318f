"""experiments/lanas_oneshot_*: what they refuse, their settings, and a tiny run from supernet to retraining."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from nni_strategies.errors import DataMissing, InvalidArgument
from tests.trial_code.test_cifar10_teacher import saved_images

FOLDERS = Path(__file__).resolve().parents[2] / "experiments"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def program(folder: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"{folder}_search", FOLDERS / folder / "search.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # NNI's trace looks it up
    spec.loader.exec_module(module)
    return module


def test_the_full_settings(tmp_path: Path):
    search = program("lanas_oneshot_cifar10")
    given, retraining = search.read_options(["--output", str(tmp_path), "--data", "npz:x", "--device", "cpu"])
    assert {name: getattr(given, name) for name in search.FULL} == search.FULL
    assert (retraining.width, retraining.cells, retraining.epochs, retraining.holdout) == (36, 20, 600, 0)
    assert (retraining.drop_path, retraining.auxiliary) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--trials", "0"], "--trials = 0"),
        (["--device", "gpu"], "--device"),
        (["--", "--drop-path", "0.1"], "--drop-path"),
        (["--", "--auxiliary", "0.4"], "--auxiliary"),
        (["--", "--arch", "x.json"], "--arch"),
        (["--", "--epochs", "0"], "--epochs = 0"),
    ],
)
def test_bad_options_are_refused(tmp_path: Path, more: list[str], told: str):
    search = program("lanas_oneshot_cifar10")
    with pytest.raises(InvalidArgument, match=told):
        search.read_options(["--output", str(tmp_path), "--data", "npz:x", *more])


def test_half_an_option_is_none(tmp_path: Path):
    """Its defaults are looked up by its whole name."""
    with pytest.raises(SystemExit) as ended:
        program("lanas_oneshot_cifar10").read_options(["--output", str(tmp_path), "--data", "npz:x", "--smal"])
    assert ended.value.code == 2


def test_missing_images_are_said_before_anything_is_written(tmp_path: Path):
    search = program("lanas_oneshot_cifar10")
    with pytest.raises(DataMissing, match="nowhere"):
        search.main(["--output", str(tmp_path / "out"), "--data", "npz:/nowhere/x.npz", "--small"])
    assert not (tmp_path / "out").exists()


def test_cifar10_small(tmp_path: Path):
    search = program("lanas_oneshot_cifar10")
    data = f"npz:{saved_images(tmp_path / 'small.npz')}"
    words = ["--output", str(tmp_path / "out"), "--data", data, "--holdout", "40", "--small", "--trials", "3"]
    (found,) = search.main(words)["architectures"]
    assert 0 <= found["score"] <= 1
    assert found["params"] > 0
    assert json.loads((tmp_path / "out" / "result.json").read_text()) == [found]
    journal = (tmp_path / "out" / "supernet.journal.jsonl").read_text()
    (again,) = search.main(words)["architectures"]  # nothing is left to train or to score
    assert again["sample"] == found["sample"]
    assert again["score"] == found["score"]
    assert journal.count('"ask"') == (tmp_path / "out" / "supernet.journal.jsonl").read_text().count('"ask"')


def test_digits(tmp_path: Path):
    search = program("lanas_oneshot_digits")
    words = ["--output", str(tmp_path), "--epochs", "1", "--trials", "3", "--top", "1", "--epochs-alone", "1"]
    result = search.main(words)
    assert [row["by"] for row in result["architectures"]] == ["LaNAS", "drawn blindly"]
    assert json.loads((tmp_path / "result.json").read_text()) == result
    with pytest.raises(InvalidArgument, match="--top = 0"):
        search.main([*words, "--top", "0"])
