"""The NASNet trial: real training of a few steps, interrupted and resumed, and refusals before any work."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from nni_strategies.errors import InvalidArgument
from trial_code import train_nasnet

OPERATIONS = ("sep_conv_3x3", "max_pool_3x3", "skip_connect", "conv_1x1")


def architecture():
    # Every node of the normal cell feeds the next; in the reduction cell all are loose ends: the two cells
    # then have different widths, which the hub's own auxiliary head cannot take.
    sample = {}
    for cell in ("normal", "reduce"):
        for node, slot in ((n, s) for n in range(2, 7) for s in range(2)):
            sample[f"{cell}/op_{node}_{slot}"] = OPERATIONS[(node + slot) % 4]
            sample[f"{cell}/input_{node}_{slot}"] = node - 1 if cell == "normal" else slot
    return sample


@pytest.fixture
def arguments(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (48, 32, 32, 3), dtype=np.uint8), np.arange(48) % 12
    np.savez(tmp_path / "data.npz", x_train=x[:32], y_train=y[:32], x_test=x[32:], y_test=y[32:])
    (tmp_path / "arch.json").write_text(json.dumps({"configuration": architecture()}))
    small = ["--preset", "retrain", "--cells", "3", "--width", "4", "--batch-size", "8", "--max-steps", "2"]
    small += ["--ema", "0.9", "--drop-path", "0.3"]
    return ["--data", f"npz:{tmp_path / 'data.npz'}", "--arch", str(tmp_path / "arch.json"), *small]


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_interrupted_training_goes_on_as_if_it_had_not_been(arguments, tmp_path, monkeypatch):
    whole = tmp_path / "whole.pt"
    result = train_nasnet.main([*arguments, "--epochs", "3", "--checkpoint", str(whole)])

    class Killed(Exception):
        pass

    cut, saves = tmp_path / "cut.pt", []
    save = train_nasnet.save

    def save_then_die(path, state):
        save(path, state)
        saves.append(path)
        raise Killed

    monkeypatch.setattr(train_nasnet, "save", save_then_die)
    with pytest.raises(Killed):
        train_nasnet.main([*arguments, "--epochs", "3", "--checkpoint", str(cut)])
    monkeypatch.setattr(train_nasnet, "save", save)
    resumed = train_nasnet.main([*arguments, "--epochs", "3", "--checkpoint", str(cut)])

    assert resumed["default"] == result["default"]
    one, other = (torch.load(p, weights_only=True)["model"] for p in (whole, cut))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert 0 <= result["accuracy"] <= 1
    assert result["madds"] > result["params"] > 0


@pytest.mark.slow
@pytest.mark.timeout(30)
def test_the_checkpoint_of_another_architecture_is_refused(arguments, tmp_path):
    path = tmp_path / "c.pt"
    train_nasnet.main([*arguments, "--epochs", "1", "--checkpoint", str(path)])
    other = {**architecture(), "normal/op_2_0": "conv_3x3"}
    (tmp_path / "arch.json").write_text(json.dumps(other))
    with pytest.raises(InvalidArgument, match="another one"):
        train_nasnet.main([*arguments, "--epochs", "1", "--checkpoint", str(path)])


@pytest.mark.slow
@pytest.mark.timeout(30)
def test_bad_input_exits_with_2_before_any_work(arguments, tmp_path):
    broken = {**architecture(), "normal/op_2_0": "conv_9x9"}
    (tmp_path / "arch.json").write_text(json.dumps(broken))
    command = [sys.executable, "-m", "trial_code.train_nasnet", *arguments, "--epochs", "1"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "conv_9x9" in run.stderr
    assert "Traceback" not in run.stderr


def test_bad_options_name_field_and_range(arguments):
    with pytest.raises(InvalidArgument, match="--epochs = 0: a positive integer"):
        train_nasnet.options([*arguments, "--epochs", "0"])
    with pytest.raises(InvalidArgument, match="--ema = 1"):
        train_nasnet.options([*arguments, "--ema", "1"])
    with pytest.raises(InvalidArgument, match="--max-steps = 0"):  # not the same as no limit
        train_nasnet.options([*arguments, "--max-steps", "0"])
    with pytest.raises(InvalidArgument, match=r"--auxiliary = -0\.4"):
        train_nasnet.options([*arguments, "--auxiliary", "-0.4"])
