"""The 160-bit space: its numbers, its supernet, and that a stand-alone network is its path."""

from __future__ import annotations

import math

import nni_strategies.bridge.torchvision_first  # noqa: F401

# isort: split
import numpy as np
import pytest
import torch
from nni.nas.space import model_context

from nni_strategies.errors import InvalidArgument, InvalidConfiguration
from nni_strategies.supernet.network import Supernet
from search_spaces.lanas_cells_nas import LaNASCellSpace, slots

SIZE = {"width": 2, "cells": 3, "channels": 1, "n_classes": 3}


def test_160_bits_of_which_20_are_one():
    space = Supernet(LaNASCellSpace(**SIZE)).space
    assert space.n_codes == 160
    assert space.size == math.prod(math.comb(4 * (i + 2), 2) for i in range(5)) ** 2 == (28 * 66 * 120 * 190 * 276) ** 2
    codes = space.sample_codes(np.random.default_rng(0), 50)
    assert codes.shape == (50, 160)
    assert {*codes.sum(axis=1)} == {20.0}
    assert slots(0) == tuple(
        f"{i}:{name}" for i in (0, 1) for name in ("max_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5")
    )


@pytest.mark.timeout(60)
def test_a_path_is_the_stand_alone_network():
    supernet = Supernet.built(lambda: LaNASCellSpace(**SIZE))
    supernet.network.eval()
    rng, images = np.random.default_rng(0), torch.randn(2, 1, 8, 8)
    shared = {name.replace(".slots.", "."): tensor for name, tensor in supernet.network.state_dict().items()}
    for _ in range(4):
        configuration = supernet.space.sample(rng)
        sample = supernet.view.sample(configuration)
        with model_context(sample):
            alone = LaNASCellSpace(**SIZE).eval()
        alone.load_state_dict({name: shared[name] for name in alone.state_dict()})
        logits = supernet.set(configuration)(images)
        assert logits.shape == (2, 3)
        assert torch.allclose(logits, alone(images), atol=1e-6)
    frozen = LaNASCellSpace(**SIZE).freeze(sample)
    assert [*frozen.state_dict()] == [*alone.state_dict()]


def test_two_slots_a_node_and_no_others():
    supernet = Supernet(LaNASCellSpace(**SIZE))
    good = supernet.space.sample(np.random.default_rng(0))
    for bad in (["0:skip_connect"], ["0:skip_connect", "2:skip_connect"], ["0:skip_connect"] * 2):
        with pytest.raises(InvalidConfiguration, match=r"normal\.node_0"):
            supernet.set({**good, "normal.node_0": bad})


def test_a_size_that_cannot_be_is_refused():
    for size, told in (({"cells": 2}, "cells = 2: 3"), ({"width": 3}, "width = 3: an even")):
        with pytest.raises(InvalidArgument, match=told):
            LaNASCellSpace(**{**SIZE, **size})
