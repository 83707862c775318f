"""One-shot transformation on a GPU, with what a user may give it there."""

from __future__ import annotations

import pytest

import nni_strategies.bridge.torchvision_first  # noqa: F401

# isort: split
import torch
from nni.nas.space import model_context

from nni_strategies.nat.counter import count
from nni_strategies.nat.one_shot.strategy import NATOneShot
from tests.nat.one_shot.searches import CONVOLUTIONS, SHAPE, Cells, evaluator, searched

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
]


@pytest.mark.parametrize("paths", ["space", "outputs"])
def test_the_result_costs_no_more_and_is_no_worse(paths: str):
    strategy = searched(NATOneShot(CONVOLUTIONS, paths=paths, k=4), judged=evaluator(4, accelerator="gpu", devices=1))
    found = strategy.transformed
    assert 0 <= found.score_before <= found.score_after <= 1
    assert found.cost_after.madds <= found.cost_before.madds
    for sample, cost in ((found.before, found.cost_before), (found.after, found.cost_after)):
        with model_context(sample):
            assert count(Cells(), SHAPE) == cost
    assert found.evaluations > 1
