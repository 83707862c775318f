"""The trial of NSC blocks: its settings, its networks, and a training of a few steps."""

from __future__ import annotations

import json
from pathlib import Path

import nni
import pytest
import torch

from nni_strategies.errors import InvalidArgument
from nni_strategies.topology.nsc import IRLAS_MOBILE, block_configuration
from search_spaces.nsc_stacks import Stack
from tests.trial_code.test_cifar10_teacher import saved_images
from trial_code import train_nasnet, train_nsc

pytestmark = pytest.mark.timeout(60)

SAMPLE = block_configuration(IRLAS_MOBILE, 6)
TINY = ["--N", "1", "1", "--widths", "4", "8", "--max-steps", "2", "--batch-size", "8", "--holdout", "40"]


@pytest.fixture
def data(tmp_path: Path) -> list[str]:
    return ["--data", f"npz:{saved_images(tmp_path / 'small.npz')}", "--device", "cpu"]


def rates(given) -> dict[int, float]:
    """Return the learning rate by the epoch from which on it holds."""
    found: dict[int, float] = {}
    for epoch in range(given.epochs):
        rate = train_nasnet.learning_rate(given, epoch, 0.5)
        if not found or rate != found[max(found)]:
            found[epoch] = rate
    return found


def test_candidates_and_the_chosen_one_are_trained_as_the_readme_says():
    given = train_nsc.options(["--data", "npz:x"])
    assert (given.epochs, given.batch_size, given.holdout, given.cutout, given.weight_decay) == (12, 256, 5000, 0, 0)
    assert rates(given) == pytest.approx({0: 1e-3, 5: 2e-4, 10: 4e-5})
    assert (given.N, given.widths, given.conv, given.stack) == ((4, 4, 4), (32, 64, 128), "plain", "cifar")
    optimizer = train_nasnet.optimizer_of(torch.nn.Linear(1, 1), given)
    assert type(optimizer) is torch.optim.Adam and optimizer.defaults["betas"] == (0.9, 0.999)

    given = train_nsc.options(["--data", "npz:x", "--preset", "retrain"])
    assert (given.epochs, given.batch_size, given.holdout, given.weight_decay) == (300, 128, 0, 5e-4)
    assert rates(given) == pytest.approx({0: 0.1, 150: 0.01, 225: 0.001})
    optimizer = train_nasnet.optimizer_of(torch.nn.Linear(1, 1), given)
    assert type(optimizer) is torch.optim.SGD and optimizer.defaults["momentum"] == 0.9


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--width", "8"], "--width = 8: absent: --stack, --N"),
        (["--cells", "8", "--drop-path", "0.1"], "--drop-path"),
        (["--space", "darts"], "--space"),
        (["--N", "1", "2"], "widths"),
        (["--widths", "4", "0", "4"], "widths"),
        (["--conv", "grouped", "--widths", "4", "4", "4"], "groups"),
        (["--decay", "0"], "--decay = 0"),
        (["--decay-at", "0"], "--decay-at"),
        (["--epochs", "0"], "--epochs"),
    ],
)
def test_refusals(words, named):
    with pytest.raises(InvalidArgument, match=named):
        train_nsc.options(["--data", "npz:x", *words])


def test_a_sample_becomes_its_stack(data):
    given = train_nsc.options([*data, *TINY, "--conv", "sep"])
    images = train_nasnet.open_images(given)
    network = train_nsc.network_of({**SAMPLE, "op_6": "terminal", "p1_6": 3}, given, images)  # as NNI fills samples up
    stack = Stack(IRLAS_MOBILE, "cifar", (1, 1), (4, 8), "sep", channels=3, n_classes=images.n_classes)
    assert {k: v.shape for k, v in network.state_dict().items()} == {k: v.shape for k, v in stack.state_dict().items()}
    with pytest.raises(InvalidArgument, match="architecture"):
        train_nsc.network_of({"normal/op_2_0": "skip_connect"}, given, images)


@pytest.mark.slow
def test_from_a_file_and_as_a_candidate(data, tmp_path, monkeypatch):
    told: list[dict[str, float]] = []
    monkeypatch.setattr(nni, "report_final_result", told.append)
    (tmp_path / "best.json").write_text(json.dumps({"configuration": SAMPLE}))
    words = [*data, *TINY, "--epochs", "2", "--decay-at", "1"]
    final = train_nsc.main([*words, "--arch", str(tmp_path / "best.json"), "--checkpoint", str(tmp_path / "a.pt")])
    given = train_nsc.options(words)
    torch.manual_seed(1)  # NNI builds the network before the seed is set
    candidate = train_nsc.network_of(SAMPLE, given, train_nasnet.open_images(given))
    train_nsc.evaluate_candidate(candidate, words)
    assert told[0] == final and len(told) == 2
    assert {"default", "accuracy", "latency_ms", "latency_iqr_ms", "params", "madds"} <= final.keys()
    assert final["latency_batch"] == 1
    for name in ("params", "madds"):
        assert told[1][name] == final[name]
    again = train_nsc.network_of(SAMPLE, given, train_nasnet.open_images(given))
    train_nsc.evaluate_candidate(again, words)
    assert told[2]["accuracy"] == told[1]["accuracy"]
    assert all(torch.equal(a, b) for a, b in zip(candidate.parameters(), again.parameters(), strict=True))

    with pytest.raises(InvalidArgument, match="--checkpoint"):  # of another frame
        other = [*words, "--conv", "sep", "--arch", str(tmp_path / "best.json")]
        train_nsc.main([*other, "--checkpoint", str(tmp_path / "a.pt")])
