"""The programs that train a supernet and score by it: what they write, resume, report and refuse."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401

# isort: split
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from nni_strategies.errors import DataMissing, InvalidArgument, InvalidConfiguration
from nni_strategies.supernet import checkpoint as files
from nni_strategies.supernet.network import Supernet
from search_spaces.digits_cell import LABELS
from trial_code import score_supernet, train_supernet
from trial_code.images import Loading
from trial_code.noisy_digits import noisy_digits
from trial_code.supernet_spaces import FAMILIES, open_images, space_of

SIZE = ["--width", "2", "--batch-size", "50", "--device", "cpu", "--data", "noisy_digits"]
CELL = dict.fromkeys(LABELS, "nor_conv_3x3")


def train(path: Path, *more: str) -> dict[str, Any]:
    return train_supernet.main(["--space", "digits_cell", "--checkpoint", str(path), *SIZE, "--epochs", "2", *more])


@pytest.fixture(scope="module")
def supernet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("supernet") / "digits.safetensors"
    train(path)
    return path


def score(path: Path, tmp_path: Path, cell: Any, *more: str) -> dict[str, float]:
    file = tmp_path / "arch.json"
    file.write_text(json.dumps(cell))
    words = ["--supernet", str(path), "--data", "noisy_digits", "--device", "cpu", "--arch", str(file), *more]
    return score_supernet.main(words)


def test_the_training_says_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "supernet.safetensors"
    result = train(path, "--max-steps", "3")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert [line.get("epoch") for line in lines] == [1, 2, None]
    assert 0 <= result["least"] <= result["mean_score"] <= result["most"] <= 1
    about = files.read_header(path)["description"]["about"]
    assert about["space"] == "digits_cell"
    assert about["max_steps"] == 3
    assert train(path, "--max-steps", "3") == result  # nothing left to do
    with pytest.raises(InvalidArgument, match="batch_size = 25"):
        train(path, "--max-steps", "3", "--batch-size", "25")


@pytest.mark.parametrize("batch_norm", ["batch", "recalibrated"])
def test_a_trial_scores_as_the_scorer_does(supernet: Path, tmp_path: Path, batch_norm: str):
    given = score_supernet.options(
        ["--supernet", str(supernet), "--data", "noisy_digits", "--device", "cpu", "--batch-norm", batch_norm]
    )
    scorer = score_supernet.open_scorer(given)
    result = score(supernet, tmp_path, {"configuration": CELL}, "--batch-norm", batch_norm)
    assert result["default"] == result["accuracy"] == scorer(CELL)
    assert scorer.n_images == 300


def test_bad_input_is_refused(supernet: Path, tmp_path: Path):
    with pytest.raises(InvalidConfiguration, match=r"cell\.edge_0_4.*did you mean 'cell\.edge_0_"):
        score(supernet, tmp_path, {**CELL, "cell.edge_0_4": "none"})
    with pytest.raises(InvalidArgument, match="architecture"):
        score(supernet, tmp_path, [1])
    with pytest.raises(DataMissing, match="no supernet"):
        score(tmp_path / "nothing.safetensors", tmp_path, CELL)
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(InvalidArgument, match="--arch"):
        score_supernet.read_parameters(tmp_path / "deep.json")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(InvalidArgument, match="supernet"):
        score(tmp_path / "other.safetensors", tmp_path, CELL)
    files.save(tmp_path / "own.safetensors", Supernet(FAMILIES["digits_cell"].make(channels=2)))
    with pytest.raises(InvalidArgument, match="says nothing of space"):
        score(tmp_path / "own.safetensors", tmp_path, CELL)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--space", "digits_cel"), "did you mean 'digits_cell'"),
        (("--epochs", "0"), "epochs = 0"),
        (("--precision", "float16"), "did you mean 'bfloat16'"),
        (("--width", "0"), "--width = 0"),
        (("--batch-size", "701"), "--batch-size = 701: at most 700"),
        (("--data", "digits"), "data"),
        (("--device", "gpu"), "--device"),
        (("--max-steps", "0"), "--max-steps"),
        (("--threads", "100000"), "--threads = 100000: 1 to 1024"),  # torch would crash
        (("--seed", "99999999999999999999"), "seed"),
        (("--checkpoint", "/dev/null/x.safetensors"), "checkpoint"),
        (("--space", "darts"), "images of 3 channels"),
    ],
)
def test_bad_options_are_refused(tmp_path: Path, more: tuple[str, ...], told: str):
    path = tmp_path / "supernet.safetensors"
    with pytest.raises(InvalidArgument, match=told):
        train(path, *more)
    assert not path.exists()


@pytest.mark.parametrize("name", ["darts", "darts_none"])
def test_too_few_cells_are_refused(name: str):
    images: Any = Colour()
    with pytest.raises(InvalidArgument, match="--cells = 2: 3 at least"):
        space_of(name, 4, 2, images)


def test_other_images_are_refused(supernet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    learned, judged, tested = noisy_digits()
    monkeypatch.setattr("trial_code.supernet_spaces.noisy_digits", lambda: (learned, tested, judged))
    with pytest.raises(InvalidArgument, match="data = "):
        train(supernet)
    with pytest.raises(InvalidArgument, match=r"--data = .*was trained on"):
        score(supernet, tmp_path, CELL)


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_no_traceback_on_the_command_line(tmp_path: Path, checkout: Path):
    file = tmp_path / "arch.json"
    file.write_text(json.dumps(CELL))
    words = ["--supernet", str(tmp_path / "no"), "--data", "noisy_digits", "--arch", str(file)]
    command = [sys.executable, "-W", "ignore", "-m", "trial_code.score_supernet", *words]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=checkout, check=False)
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1].startswith("error: there is no supernet at ")
    assert "Traceback" not in ended.stderr


class Colour:
    """As much of a data set as the spaces look at."""

    input_shape, n_classes = (3, 16, 16), 10


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "digits_cell"])
def test_every_space_can_be_built(name: str):
    images: Any = Colour()
    make, arguments = space_of(name, 4, 3, images)
    supernet = Supernet(make(**arguments))
    supernet.network.eval()
    path = supernet.space.sample(np.random.default_rng(0))
    assert supernet.set(path)(torch.zeros(2, 3, 16, 16)).shape == (2, 10)
    numbers = {k: v[0] if isinstance(v, list) and len(v) == 1 else v for k, v in path.items()}
    assert score_supernet.configuration_of(numbers, supernet) == path  # as NNI's web UI and nnictl write inputs


def test_the_digits_are_the_same_each_epoch_in_another_order():
    images = open_images("noisy_digits", Loading(batch_size=100))
    assert images.steps_per_epoch == 7
    orders = [torch.cat([labels for _, labels in images.train_batches(epoch)]) for epoch in (0, 0, 1)]
    assert torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[0], orders[2])
    assert torch.equal(orders[0].sort().values, orders[2].sort().values)
    assert [len(labels) for _, labels in images.valid_batches()] == [300]
