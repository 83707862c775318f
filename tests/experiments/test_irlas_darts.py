"""experiments/irlas_darts: what it refuses, its settings, and a supernet of a few steps."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from nni_strategies.errors import DataMissing, InvalidArgument
from tests.trial_code.test_cifar10_teacher import saved_images

FOLDER = Path(__file__).resolve().parents[2] / "experiments" / "irlas_darts"
TINY = ["--max-steps", "1", "--batch-size", "4", "--holdout", "40"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]


@pytest.fixture(scope="module")
def search() -> Any:
    spec = importlib.util.spec_from_file_location("irlas_darts_search", FOLDER / "search.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # NNI's trace looks it up
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def small(tmp_path: Path) -> list[str]:
    return ["--small", "--data", f"npz:{saved_images(tmp_path / 'small.npz')}"]


def test_by_default_the_settings_are_those_of_darts(search):
    given, trained = search.read_options(["--data", "npz:x"])
    assert (given.lam, given.arc_lr, given.output) == (0.1, 3e-4, None)
    assert (trained.epochs, trained.width, trained.cells, trained.batch_size) == (50, 16, 8, 64)
    assert (trained.lr, trained.momentum, trained.weight_decay) == (0.025, 0.9, 3e-4)
    assert (trained.holdout, trained.cutout, trained.max_steps) == (25_000, 0, None)


def test_the_learning_rate_falls_to_a_thousandth(search):
    training = search.Training(0.025, 0.9, 3e-4, 4, 10, search.LAST_RATE)
    training.set_model(torch.nn.Linear(2, 2))
    found = training.configure_optimizers()
    rates = []
    for _ in range(5):
        rates.append(found["optimizer"].param_groups[0]["lr"])
        found["optimizer"].step()
        found["lr_scheduler"].step()
    assert rates[0] == 0.025 and rates[2] == pytest.approx(0.013) and rates[4] == pytest.approx(0.001)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--lam", "-1"], "lam = -1"),
        (["--arc-lr", "nan"], "--arc-lr"),
        (["--experts", "resnxt"], "did you mean 'resnext'"),
        (["--data", "npz:/nowhere.npz"], r"/nowhere\.npz does not exist"),
        (["--data", "imagenet:/"], "--data"),
        (["--", "--cells", "2"], "--cells"),
        (["--", "--amp"], "--amp = true: absent"),
        (["--", "--preset", "retrain"], "--drop-path"),
        (["--", *TINY, "--holdout", "500"], "holdout = 500"),
    ],
)
def test_what_cannot_be_searched_is_refused(search, small, words, named):
    with pytest.raises((InvalidArgument, DataMissing), match=named):
        search.experiment_of(*search.read_options([*small, *words]))


@pytest.mark.integration
@pytest.mark.timeout(300)
def test_a_search_ends_with_a_cell_that_is_trained(search, small, tmp_path, monkeypatch, capfd):
    cell = tmp_path / "cell.json"
    words = [*small, "--lam", "50", "--output", str(cell), "--", *TINY, "--epochs", "2"]
    monkeypatch.setattr(sys, "argv", ["search.py", *words])
    monkeypatch.chdir(tmp_path)
    assert search.main() == 0
    said = capfd.readouterr().out
    scores = [float(text) for text in re.findall(r"S (-?\d\.\d{4})", said)]
    assert len(scores) == 4 and abs(scores[0]) < 0.01 < scores[1] < scores[2]  # before, two epochs, the cell

    finals: list[Any] = []
    monkeypatch.setattr("nni.report_final_result", finals.append)
    retrain = ["--preset", "retrain", "--epochs", "1", "--cells", "3", "--width", "4", "--ema", "0"]
    search.train_nasnet.main(["--space", "darts", "--arch", str(cell), *small[1:], *retrain, *TINY])
    assert finals[0]["params"] > 0
    assert all(label in json.loads(cell.read_text()) for label in ("normal/op_2_0", "reduce/input_5_1"))
