"""Networks of cells for colour images: shapes, and parameters by hand."""

from __future__ import annotations

import pytest
import torch

from nni_strategies.errors import InvalidConfiguration
from search_spaces.cifar_cell import CifarNet
from search_spaces.digits_cell import LABELS


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def test_shapes_and_parameters():
    frame = CifarNet(dict.fromkeys(LABELS, "skip_connect"))
    assert frame(torch.zeros(2, 3, 16, 16)).shape == (2, 10)
    # stem, two 1x1 halvings, five batch norms (8, 16, 32 and the last), classifier
    assert parameters(frame) == 27 * 8 + 16 + (8 * 16 + 32) + (16 * 32 + 64) + 64 + 330
    one = CifarNet(dict.fromkeys(LABELS, "skip_connect") | {LABELS[0]: "nor_conv_3x3"})
    assert parameters(one) - parameters(frame) == sum(9 * c * c + 2 * c for c in (8, 16, 32))
    wide = CifarNet(dict.fromkeys(LABELS, "nor_conv_1x1"), channels=16)
    assert wide(torch.zeros(1, 3, 32, 32)).shape == (1, 10)


def test_a_cell_that_nothing_reaches_has_no_gradient_through_it():
    dead = CifarNet(dict.fromkeys(LABELS, "none"))
    images = torch.rand(4, 3, 16, 16, requires_grad=True)
    dead.eval()(images).sum().backward()
    assert images.grad is None or not images.grad.any()


def test_bad_configurations_are_refused():
    with pytest.raises(InvalidConfiguration):
        CifarNet(dict.fromkeys(LABELS, "conv"))
