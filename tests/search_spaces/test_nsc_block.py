"""NSC blocks as networks: the released model's size, what blocks compute, and that extraction reads them back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nni_strategies.errors import InvalidArgument
from nni_strategies.topology.blocks import topology_of
from nni_strategies.topology.nsc import IRLAS_MOBILE
from nni_strategies.topology.nsc_draws import random_blocks
from nni_strategies.topology.nsc_graph import block_graph
from nni_strategies.topology.recorded import recorded
from nni_strategies.topology.traced import traced
from search_spaces.nsc_block import NSCBlock, convolution
from search_spaces.nsc_stacks import Stack
from trial_code.measure import count

SMALL: dict[str, Any] = {"counts": (1, 2), "widths": (8, 16)}
CHAIN = [(1, "conv", 3, 0), (2, "conv", 1, 1)]


@pytest.mark.timeout(60)
def test_the_released_model_has_its_published_size():
    with torch.device("meta"):
        model = Stack(IRLAS_MOBILE, "mobile", conv="sep", n_classes=1000).eval()
        parameters, madds = count(model, torch.zeros(1, 3, 224, 224))
    assert sum(weight.numel() for weight in model.parameters()) == parameters == 9_962_632
    assert madds == 1_418_807_296
    assert (round(parameters / 1e6, 4), round(madds / 1e6, 1)) == (9.9626, 1418.8)
    assert model.classifier.in_features == 1536


def weights(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters() if weight.dim() > 1)


@pytest.mark.parametrize(
    ("block", "n_in", "options", "expected", "n_out"),
    [
        (CHAIN, 8, {}, 8 * 8 * 9 + 8 * 8, 8),
        (CHAIN, 8, {"conv": "sep"}, 8 * 9 + 8 * 8 + 8 + 8 * 8, 8),
        (CHAIN, 8, {"conv": "grouped", "groups": 4}, 8 * 2 * 9 + 8 * 8, 8),
        (CHAIN, 24, {}, 24 * 8 + 8 * 8 * 9 + 8 * 8, 8),  # a 1x1 before the 3x3
        ([(1, "conv", 1, 0)], 24, {"conv": "sep"}, 24 + 24 * 8, 8),  # none before a 1x1
        ([(1, "conv", 1, 0), (2, "add", 0, 1, 0)], 24, {"wide": True}, 24 * 8 + 8 * 24, 24),  # projected to the wider
        ([(1, "conv", 1, 0), (2, "add", 0, 1, 0)], 8, {}, 8 * 8, 8),
        ([(1, "conv", 1, 0), (2, "concat", 0, 1, 0)], 24, {"wide": True}, 24 * 8 + 32 * 8, 8),  # back to the width
        ([(1, "conv", 1, 0), (2, "conv", 1, 0)], 8, {}, 2 * 8 * 8 + 16 * 8, 8),  # loose ends as well
        ([(1, "conv", 1, 0), (2, "conv", 1, 0)], 8, {"wide": True}, 2 * 8 * 8, 16),  # but not in a wide frame
        ([(1, "maxpool", 3, 0)], 24, {}, 0, 24),
    ],
)
def test_channels_are_made_to_fit(block: Any, n_in: int, options: dict[str, Any], expected: int, n_out: int):
    module = NSCBlock(block, n_in, 8, **options)
    assert weights(module) == expected
    assert module.n_out == n_out
    assert module(torch.zeros(2, n_in, 5, 5)).shape == (2, n_out, 5, 5)


def test_a_sum_in_a_wide_frame_has_a_norm():
    block = [(1, "conv", 1, 0), (2, "add", 0, 1, 0)]
    norms = [sum(isinstance(m, nn.BatchNorm2d) for m in NSCBlock(block, 8, 8, wide=w).modules()) for w in (0, 1)]
    assert norms == [1, 2]


def test_a_block_computes_what_it_says():
    torch.manual_seed(0)
    block = [(1, "conv", 3, 0), (2, "maxpool", 3, 0), (3, "add", 0, 2, 1), (4, "identity", 0, 1), (5, "avgpool", 3, 3)]
    module, x = NSCBlock(block, 4, 4, wide=False).eval(), torch.randn(2, 4, 6, 6)
    conv, last = module.layers[0], module.align["output"]
    one, pooled = conv(x), nn.functional.max_pool2d(x, 3, 1, 1)
    averaged = nn.functional.avg_pool2d(one + pooled, 3, 1, 1, count_include_pad=False)
    assert torch.equal(module(x), last(torch.cat([one, averaged], dim=1)))
    assert [type(part).__name__ for part in convolution(4, 4, 3)] == ["ReLU", "Conv2d", "BatchNorm2d"]


@pytest.mark.parametrize("kind", ["cifar", "mobile"])
@pytest.mark.parametrize("conv", ["plain", "sep", "grouped"])
def test_random_blocks_run_and_learn(kind: str, conv: str):
    torch.manual_seed(0)
    for block in random_blocks(np.random.default_rng(0), 6):
        model = Stack(block, kind, conv=conv, groups=4, n_classes=3, channels=1, **SMALL)
        logits = model(torch.randn(4, 1, 16, 16))
        logits.square().sum().backward()
        assert logits.shape == (4, 3)
        assert all(w.grad is not None for w in model.parameters())  # all of a block reaches its output


def read_back(model: Stack, block: Any, conv: str) -> None:
    by_fx = topology_of(traced(model)).blocks
    by_recorder = topology_of(recorded(model, torch.zeros(1, 3, 32, 32))).blocks
    declared = block_graph(block, conv)
    for found in (by_fx, by_recorder):
        assert [one.graph for one in found] == [declared]
        assert [one.count for one in found] == [n_blocks(model)]


def n_blocks(model: Stack) -> int:
    return sum(isinstance(module, NSCBlock) for module in model.modules())


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_extraction_reads_the_released_block():
    model = Stack(IRLAS_MOBILE, "mobile", conv="sep", n_classes=1000)
    read_back(model, IRLAS_MOBILE, "sep")
    assert n_blocks(model) == 7


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["cifar", "mobile"])
@pytest.mark.parametrize("conv", ["plain", "sep", "grouped"])
def test_extraction_reads_random_blocks(kind: str, conv: str):
    for block in random_blocks(np.random.default_rng(1), 6):
        read_back(Stack(block, kind, conv=conv, groups=4, **SMALL), block, conv)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "imagenet"}, "stack = \"imagenet\": one of"),
        ({"counts": (1, 0)}, r"N = \[1, 0\]: a positive integer"),
        ({"counts": ()}, r"N = \[\]"),
        ({"counts": (1, 1)}, "as many as there are stages in N, 2"),
        ({"widths": (8, 8.0, 8)}, "widths = .*: a positive integer"),
        ({"conv": "separable"}, "conv = \"separable\": one of .*did you mean 'sep'"),
        ({"conv": "grouped", "groups": 5}, "groups = 5: a divisor of the width, 32"),
    ],
)
def test_what_is_no_stack_is_refused(options: dict[str, Any], message: str):
    with pytest.raises(InvalidArgument, match=message):
        Stack(CHAIN, **options)
