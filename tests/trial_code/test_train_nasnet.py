"""The NASNet trial: real training of a few steps, interrupted and resumed, and refusals before any work."""

from __future__ import annotations

import functools
import json
import runpy
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from nni_strategies.compat import load_torchvision
from nni_strategies.errors import InvalidArgument
from search_spaces.handcrafted_cells import CELLS
from trial_code import train_nasnet
from trial_code.measure import count

pytestmark = pytest.mark.timeout(60)  # torch is imported, and networks are trained

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
    small += ["--ema", "0.9", "--drop-path", "0.3", "--device", "cpu"]
    return ["--data", f"npz:{tmp_path / 'data.npz'}", "--arch", str(tmp_path / "arch.json"), *small]


@pytest.fixture(scope="module")
def spaces():
    """The hub's space, built once for the same arguments: that takes a second, and networks share nothing with it."""
    load_torchvision()
    from nni.nas.hub.pytorch.nasnet import NASNet

    return functools.cache(NASNet)


@pytest.mark.slow
@pytest.mark.slow
@pytest.mark.timeout(60)
def test_interrupted_training_goes_on_as_if_it_had_not_been(arguments, tmp_path, monkeypatch, spaces):
    given = train_nasnet.options(arguments)
    spaces(**train_nasnet.space_arguments(given, train_nasnet.open_images(given)))  # built before the seed is set
    monkeypatch.setattr("nni.nas.hub.pytorch.nasnet.NASNet", spaces)
    whole = tmp_path / "whole.pt"
    result = train_nasnet.main([*arguments, "--epochs", "3", "--checkpoint", str(whole)])

    class Killed(Exception):
        pass

    cut, saves = tmp_path / "cut.pt", []
    save = train_nasnet.save

    def save_then_die(path, state):
        save(path, state)
        saves.append(path)
        if len(saves) == 2:  # the first epoch drops no path: what it leaves of the random numbers would not show
            raise Killed

    monkeypatch.setattr(train_nasnet, "save", save_then_die)
    with pytest.raises(Killed):
        train_nasnet.main([*arguments, "--epochs", "3", "--checkpoint", str(cut)])
    monkeypatch.setattr(train_nasnet, "save", save)
    resumed = train_nasnet.main([*arguments, "--epochs", "3", "--checkpoint", str(cut)])

    assert torch.load(cut, weights_only=True)["sample"] == train_nasnet.read_architecture(tmp_path / "arch.json")
    assert resumed["default"] == result["default"]
    one, other = (torch.load(p, weights_only=True)["model"] for p in (whole, cut))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert 0 <= result["accuracy"] <= 1
    assert result["madds"] > result["params"] > 0


def test_bad_input_exits_with_2_before_any_work(arguments, tmp_path, monkeypatch, capsys):
    broken = {**architecture(), "normal/op_2_0": "conv_9x9"}
    (tmp_path / "arch.json").write_text(json.dumps(broken))
    path = tmp_path / "c.pt"
    monkeypatch.setattr(sys, "argv", ["train_nasnet.py", *arguments, "--epochs", "1", "--checkpoint", str(path)])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(train_nasnet.__file__, run_name="__main__")
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "conv_9x9" in line
    assert not path.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--epochs 0", "--epochs = 0: a positive integer"),
        ("--cells 2", "--cells = 2: at least 3"),
        ("--threads 100000", "--threads = 100000: 1 to 1024"),
        ("--ema 1", "--ema = 1"),
        ("--max-steps 0", "--max-steps = 0"),  # not the same as no limit
        ("--auxiliary -0.4", r"--auxiliary = -0\.4"),
        ("--auxiliary nan", "--auxiliary = NaN"),
        ("--lr -1", r"--lr = -1\.0"),
        ("--lr nan", "--lr = NaN"),
        ("--lr inf", "--lr = Infinity"),
        ("--momentum 1", r"--momentum = 1\.0"),
        ("--weight-decay -1", "--weight-decay = -1"),
        ("--seed -5", "--seed = -5"),
        ("--batch-size 1", "--batch-size = 1: at least 2"),
        ("--cutout -1", "--cutout = -1"),
        ("--workers -1", "--workers = -1"),
        ("--device tpu", '--device = "tpu": auto, cpu, cuda'),
        ("--device cuda:99", "--device = .cuda:99.: cpu, or a GPU"),
        ("--compile", "--compile = true: absent with --drop-path"),  # of the fixture
    ],
)
def test_bad_options_name_field_and_range(arguments, words, message):
    with pytest.raises(InvalidArgument, match=message):
        train_nasnet.options([*arguments, *words.split()])


# -- the loop, with a network that takes no time ---------------------------------------------------


class Tiny(nn.Module):
    """As the script sees the hub's network; it notes its drop-path probabilities."""

    def __init__(self, width=2):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, width, 9, 9), nn.BatchNorm2d(width), nn.Flatten(), nn.LazyLinear(12))
        self.layers(torch.zeros(2, 3, 32, 32))
        self.drop_path = []

    def set_drop_path_prob(self, value):
        self.drop_path.append(value)

    def forward(self, x):
        return self.layers(x)


@pytest.fixture
def tiny(arguments):
    def train(*words, sample=architecture()):  # noqa: B008  # nobody changes it
        given = train_nasnet.options([*arguments, "--auxiliary", "0", *words])
        torch.manual_seed(given.seed)
        model = Tiny(given.width)
        result = train_nasnet.train(model, train_nasnet.open_images(given), given, sample)
        return model, result

    return train


def test_the_checkpoint_of_another_architecture_is_refused(tiny, tmp_path):
    words = ("--epochs", "1", "--checkpoint", str(tmp_path / "c.pt"))
    tiny(*words)
    with pytest.raises(InvalidArgument, match="another one"):
        tiny(*words, sample={**architecture(), "normal/op_2_0": "conv_3x3"})


@pytest.mark.parametrize(
    "change",
    [
        *("--epochs 4", "--lr 0.2", "--momentum 0.5", "--weight-decay 0", "--batch-size 4", "--ema 0", "--width 3"),
        *("--cells 4", "--auxiliary 0.4", "--drop-path 0", "--cutout 0", "--holdout 8", "--seed 1"),
    ],
)
def test_other_options_than_the_checkpoints_are_refused(tiny, tmp_path, change):
    path = tmp_path / "c.pt"
    tiny("--epochs", "1", "--checkpoint", str(path))
    before = path.read_bytes()
    with pytest.raises(InvalidArgument, match=rf"{change.split()[0]} = .*the same as before.*c\.pt was made with"):
        tiny("--epochs", "1", "--checkpoint", str(path), *change.split())
    assert path.read_bytes() == before


def test_another_class_count_than_the_checkpoints_is_refused(tiny, tmp_path):
    tiny("--epochs", "1", "--checkpoint", str(tmp_path / "c.pt"))
    with np.load(tmp_path / "data.npz") as file:
        np.savez(tmp_path / "data.npz", **{**dict(file), "y_train": file["y_train"] % 5, "y_test": file["y_test"] % 5})
    with pytest.raises(InvalidArgument, match=r"classes of --data = 5: .*made with 12"):
        tiny("--epochs", "1", "--checkpoint", str(tmp_path / "c.pt"))


def test_the_learning_rate_goes_on_where_it_was(tiny, tmp_path, monkeypatch):
    rates, step = [], torch.optim.SGD.step

    def noted(self, *rest):
        rates.append(self.param_groups[0]["lr"])
        return step(self, *rest)

    monkeypatch.setattr(torch.optim.SGD, "step", noted)
    save = train_nasnet.save
    path = tmp_path / "c.pt"
    words = ("--epochs", "2", "--lr", "0.1", "--checkpoint", str(path))

    def save_once(where, state):
        if state["epoch"] == 1:
            save(where, state)

    monkeypatch.setattr(train_nasnet, "save", save_once)
    tiny(*words)
    assert rates == pytest.approx([0.05 * (1 + np.cos(np.pi * k / 4)) for k in range(4)])
    rates.clear()
    tiny(*words, "--max-steps", "4", "--workers", "0")  # what may differ: the second half, in twice as many steps
    assert rates == pytest.approx([0.05 * (1 + np.cos(np.pi * k / 8)) for k in range(4, 8)])


def cut_in_half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    "spoil",
    [
        cut_in_half,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("no checkpoint"),
        lambda path: torch.save({"model": {}}, path),
        lambda path: torch.save([1], path),
        lambda path: torch.save({**torch.load(path, weights_only=True), "model": {}}, path),
    ],
    ids=["truncated", "empty", "text", "foreign", "list", "weights"],
)
def test_a_file_that_is_no_checkpoint_is_refused(tiny, tmp_path, spoil):
    path = tmp_path / "c.pt"
    tiny("--epochs", "1", "--checkpoint", str(path))
    spoil(path)
    with pytest.raises(InvalidArgument, match=r"--checkpoint = .*c\.pt"):
        tiny("--epochs", "1", "--checkpoint", str(path))


def test_drop_path_rises_as_the_help_says(tiny, capsys):
    model, _ = tiny("--epochs", "3", "--ema", "0")
    assert model.drop_path == pytest.approx([0, 0.1, 0.2])  # of the fixture's 0.3
    with pytest.raises(SystemExit):
        train_nasnet.options(["--help"])
    assert "epoch / epochs of it" in " ".join(capsys.readouterr().out.split())


def test_the_loss_is_read_once_an_epoch(tiny, monkeypatch):
    reads, read = [], torch.Tensor.__float__
    monkeypatch.setattr(torch.Tensor, "__float__", lambda self: reads.append(1) or read(self))
    tiny("--epochs", "2", "--ema", "0", "--max-steps", "3")
    assert len(reads) == 2


@pytest.mark.parametrize("words", [(), ("--judge-last",)])
def test_it_is_judged_after_each_epoch_or_after_the_last_alone(tiny, words, monkeypatch):
    judged, evaluate = [], train_nasnet.evaluate
    monkeypatch.setattr(train_nasnet, "evaluate", lambda *given: judged.append(1) or evaluate(*given))
    reported: list[dict[str, float]] = []
    monkeypatch.setattr("nni.report_intermediate_result", reported.append)
    _, result = tiny("--epochs", "3", *words)
    assert len(judged) == len(reported) == (1 if words else 3)
    assert result["accuracy"] == reported[-1]["default"]


def test_there_may_be_no_momentum(tiny):
    assert 0 <= tiny("--epochs", "1", "--momentum", "0")[1]["accuracy"] <= 1


@pytest.mark.timeout(60)
def test_what_is_compiled_is_trained_and_judged(tiny, tmp_path, monkeypatch):
    traced: list[int] = []

    def backend(graph, inputs):  # a compiler that only looks
        traced.append(1)
        return graph.forward

    compiler = torch.compile
    monkeypatch.setattr(torch, "compile", lambda model, mode: compiler(model, backend=backend))
    words = ("--epochs", "2", "--drop-path", "0", "--checkpoint")
    (one, plain), (other, compiled) = (
        tiny(*words, str(tmp_path / name), *more) for name, more in (("plain.pt", ()), ("fast.pt", ("--compile",)))
    )
    assert traced
    assert plain["accuracy"] == compiled["accuracy"]
    for name, weight in one.state_dict().items():  # of the same name, so that either goes on with the other's file
        torch.testing.assert_close(other.state_dict()[name], weight)


# -- the auxiliary head ----------------------------------------------------------------------------


@pytest.fixture
def network(arguments, spaces, monkeypatch):
    monkeypatch.setattr("nni.nas.hub.pytorch.nasnet.NASNet", spaces)

    def make(size, width=4):
        given = train_nasnet.options([*arguments, "--width", str(width)])
        images = SimpleNamespace(input_shape=(3, size, size), n_classes=12)
        return train_nasnet.build(train_nasnet.read_architecture(given.arch), given, images)

    return make


@pytest.mark.parametrize("size", [16, 28, 64, 65, 128])
def test_the_auxiliary_head_takes_images_of_any_size(network, size):
    logits, extra = network(size).train()(torch.randn(2, 3, size, size))
    assert logits.shape == extra.shape == (2, 12)


@pytest.mark.parametrize("size", [32, 224])
def test_the_auxiliary_head_is_the_hubs_where_that_fits(network, size):
    model = network(size).train()
    assert isinstance(model.auxiliary_head.features[1], nn.AvgPool2d)
    assert model(torch.randn(2, 3, size, size))[1].shape == (2, 12)


@pytest.mark.parametrize("space", ["darts", "nasnet"])
def test_a_null_is_for_the_darts_space_alone(arguments, space):
    given = train_nasnet.options([*arguments, "--space", space, "--auxiliary", "0"])
    sample = {**CELLS["DARTS"].sample, "normal/op_2_0": "none"}
    images = SimpleNamespace(input_shape=(3, 32, 32), n_classes=10)
    if space == "nasnet":
        with pytest.raises(InvalidArgument, match="a sample of the NASNet space"):
            train_nasnet.build(sample, given, images)
        return
    whole, cut = (train_nasnet.build(one, given, images) for one in (CELLS["DARTS"].sample, sample))
    x = torch.randn(2, 3, 32, 32)
    params, madds = (one - other for one, other in zip(count(whole, x), count(cut, x), strict=True))
    assert params > 0 < madds


def test_a_width_that_the_stem_cannot_halve_is_refused(network):
    with pytest.raises(InvalidArgument, match="--width = 3: even"):
        network(65, width=3)
