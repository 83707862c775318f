"""Scores are accuracies with the statistics that are asked for, and leave no trace in the supernet."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nni_strategies.errors import InvalidArgument, InvalidConfiguration
from nni_strategies.supernet.batch_norm import batch_norms, recalibrate, restored
from nni_strategies.supernet.network import Supernet
from nni_strategies.supernet.scorer import ScoreNotFinite, Scorer
from nni_strategies.supernet.training import ImageBatches, Recipe, train
from search_spaces.digits_cell import LABELS
from search_spaces.digits_cell_nas import DigitsCellSpace
from tests.supernet.spaces import Chain, Choosy, Nested, Normed, Plain

LABELS_OF = torch.arange(24) % 3
IMAGES = torch.randn(24, 1, 8, 8, generator=torch.Generator().manual_seed(0)) + LABELS_OF[:, None, None, None]
BATCHES = [(IMAGES[:16], LABELS_OF[:16]), (IMAGES[16:], LABELS_OF[16:])]
CALIBRATION = [IMAGES[:10] - 2, IMAGES[10:] * 2]
PATH = {"named": "three", "listed": 0}


def supernet_of(make: Any = Chain) -> Supernet:
    return Supernet.built(make)


def state(supernet: Supernet) -> dict[str, Any]:
    modes = {name: module.training for name, module in supernet.network.named_modules()}
    tracking = [(norm.track_running_stats, norm.momentum) for norm in batch_norms(supernet.network)]
    return {"tensors": {k: v.clone() for k, v in supernet.network.state_dict().items()}, "rest": (modes, tracking)}


def assert_untouched(supernet: Supernet, before: dict[str, Any]) -> None:
    now = state(supernet)
    assert now["rest"] == before["rest"]
    assert all(torch.equal(now["tensors"][k], v) for k, v in before["tensors"].items())


def test_statistics_of_the_batch():
    supernet = supernet_of()
    frozen: nn.Module = supernet.network.freeze(PATH)
    frozen.train()
    frozen.dropout.eval()
    right = sum(int((frozen(images).argmax(1) == labels).sum()) for images, labels in BATCHES)
    assert Scorer(supernet, BATCHES)(PATH) == right / 24


def test_statistics_computed_anew():
    supernet = supernet_of()
    with torch.no_grad():
        for norm in batch_norms(supernet.network):
            norm.running_mean.fill_(7.0)  # nothing of it is to be left
    frozen: nn.Module = supernet.network.freeze(PATH)
    frozen.train()
    frozen.dropout.eval()
    for norm in batch_norms(frozen):
        norm.reset_running_stats()
        norm.momentum = None  # torch's plain mean over batches
    for images in CALIBRATION:
        frozen(images)
    frozen.eval()
    logits = torch.cat([frozen(images) for images, _ in BATCHES])
    scorer = Scorer(supernet, BATCHES, "recalibrated", CALIBRATION)
    assert scorer(PATH) == float((logits.argmax(1) == LABELS_OF).double().mean())
    norms = batch_norms(supernet.network)
    with restored(norms), torch.no_grad():
        supernet.set(PATH).eval()
        recalibrate(supernet.network, norms, CALIBRATION)
        assert torch.allclose(supernet(IMAGES), frozen(IMAGES), atol=1e-5)


def test_nothing_is_left_of_stored_statistics_that_are_no_numbers():
    supernet = supernet_of()
    scorer = Scorer(supernet, BATCHES, "recalibrated", CALIBRATION)
    before = scorer(PATH)
    with torch.no_grad():
        for norm in batch_norms(supernet.network):
            norm.running_mean.fill_(float("nan"))
            norm.running_var.fill_(float("inf"))
    assert scorer(PATH) == before


@pytest.mark.parametrize("make", [Chain, Choosy, DigitsCellSpace, Nested, Normed, Plain])
@pytest.mark.parametrize("batch_norm", ["batch", "recalibrated"])
def test_the_supernet_is_left_as_it_was(make: Any, batch_norm: Any):
    supernet = supernet_of(make)
    train(supernet, ImageBatches(IMAGES, LABELS_OF, 8), Recipe(epochs=20, learning_rate=0.2))
    supernet.network.train()
    supernet.network.classifier.eval()  # a mode of its own
    before = state(supernet)
    scorer = Scorer(supernet, BATCHES, batch_norm, [IMAGES[::2], IMAGES[1::2] + 0.5])
    rng = np.random.default_rng(0)
    paths = [supernet.space.sample(rng) for _ in range(6)]
    scores = scorer.scores(paths)
    assert_untouched(supernet, before)
    assert scores.shape == (6,)
    assert len(set(scores)) > 1
    assert [scorer(path) for path in reversed(paths)] == list(scores[::-1])  # no score hangs on the ones before
    with pytest.raises(InvalidConfiguration):
        scorer.scores([paths[0], {"no": "path"}])
    assert_untouched(supernet, before)
    assert not any(weight.grad is not None for weight in supernet.network.parameters())


def test_logits_that_are_no_numbers_are_no_score():
    supernet = supernet_of()
    with torch.no_grad():
        supernet.network.listed[0][1].weight.fill_(float("nan"))
    scorer = Scorer(supernet, BATCHES)
    before = state(supernet)
    with pytest.raises(ScoreNotFinite, match=r'"listed": 0'):
        scorer.scores([{"named": "skip", "listed": 1}, {"named": "skip", "listed": 0}])
    now = state(supernet)
    assert now["rest"] == before["rest"]
    assert 0 <= scorer({"named": "skip", "listed": 1}) <= 1


def test_half_precision_is_near():
    supernet = supernet_of(DigitsCellSpace)
    path = dict.fromkeys(LABELS, "nor_conv_3x3")
    seen = []
    supernet.network.classifier.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    batches = [(IMAGES, LABELS_OF)]
    plain, half = Scorer(supernet, batches)(path), Scorer(supernet, batches, precision="bfloat16")(path)
    assert abs(plain - half) <= 0.2
    assert {*seen} == {torch.float32, torch.bfloat16}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"batches": []}, "batches"),
        ({"batches": [(IMAGES[:1], LABELS_OF[:1])]}, "two images"),
        ({"batches": [(IMAGES.squeeze(1).flatten(1), LABELS_OF)]}, r"images = \[24, 64\]"),
        ({"batches": [(torch.zeros(4, 3, 8, 8), LABELS_OF[:4])]}, r"images = \[4, 3, 8, 8\].*channels"),
        ({"batches": [*BATCHES, (torch.zeros(4, 3, 8, 8), LABELS_OF[:4])]}, r"images = \[4, 3, 8, 8\].*channels"),
        ({"batch_norm": "recalibrated", "calibration": [torch.zeros(4, 3, 8, 8)]}, r"images = \[4, 3, 8, 8\]"),
        ({"batches": [(IMAGES, LABELS_OF, LABELS_OF)]}, 'batches = "tuple": pairs'),
        ({"batches": [(IMAGES.numpy(), LABELS_OF)]}, 'batches = "ndarray": tensors'),
        ({"batches": [(IMAGES, LABELS_OF[:5])]}, r"labels = \[5\]: \[24\]"),
        ({"batches": [(IMAGES, LABELS_OF + 1)]}, r"labels = \[1, 3\]: from 0 to 2"),
        ({"batch_norm": "batches"}, "did you mean 'batch'"),
        ({"batch_norm": "recalibrated"}, "calibration"),
        ({"batch_norm": "recalibrated", "calibration": [IMAGES[:1]]}, "calibration = 1"),
        ({"precision": "float16"}, "did you mean 'bfloat16'"),
    ],
)
def test_what_cannot_be_scored_with_is_refused(arguments: dict[str, Any], told: str):
    with pytest.raises(InvalidArgument, match=told):
        Scorer(supernet_of(), **{"batches": BATCHES, **arguments})
