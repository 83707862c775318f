"""Costs against closed forms."""

from __future__ import annotations

import torch
from torch import nn

from trial_code.measure import count, measure


def test_counts_equal_the_closed_forms():
    # 3->8 3x3 on 8x8: 8*3*9 weights; grouped 8->8 3x3 stride 2: 8*9 weights on 4x4; linear 128->5
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8, bias=False),
        nn.Flatten(),
        nn.Linear(128, 5),
    )
    params, madds = count(model.eval(), torch.zeros(1, 3, 8, 8))
    assert params == 8 * 27 + 16 + 8 * 9 + 128 * 5 + 5
    assert madds == 64 * 8 * 27 + 16 * 8 * 9 + 128 * 5


def test_shared_modules_count_once_and_run_twice():
    layer = nn.Linear(4, 4)
    params, madds = count(nn.Sequential(layer, layer), torch.zeros(1, 4))
    assert (params, madds) == (20, 32)


def test_the_model_is_left_as_it_was():
    model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2 * 16, 3)).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    cost = measure(model, (3, 4, 4), repeats=3)
    assert cost["latency_ms"] > 0
    assert model.training
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert not any(m._forward_hooks for m in model.modules())
