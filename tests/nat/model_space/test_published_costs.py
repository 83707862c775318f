"""The networks whose costs the papers publish cost exactly that, as samples of NNI's DARTS space with a null."""

from __future__ import annotations

import pytest
import torch

from nni_strategies.nat.counter import count
from tests.hub_spaces import hub

# isort: split
from nni.nas.hub.pytorch.nasnet import NDS
from nni.nas.space import model_context

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.timeout(120)]

NORMAL = [
    ("sep_conv_3x3", 0), ("sep_conv_3x3", 1), ("sep_conv_3x3", 0), ("sep_conv_3x3", 1),
    ("sep_conv_3x3", 1), ("skip_connect", 0), ("skip_connect", 0), ("dil_conv_3x3", 2),
]  # fmt: skip
REDUCE = [
    ("max_pool_3x3", 0), ("max_pool_3x3", 1), ("skip_connect", 2), ("max_pool_3x3", 1),
    ("max_pool_3x3", 0), ("skip_connect", 2), ("skip_connect", 2), ("max_pool_3x3", 1),
]  # fmt: skip
DARTS = {
    f"{cell}/{part}_{2 + i // 2}_{i % 2}": value
    for cell, edges in (("normal", NORMAL), ("reduce", REDUCE))
    for i, (operation, source) in enumerate(edges)
    for part, value in (("op", operation), ("input", [source]))
}
# Moves of the first and the two-level transitions that lead from DARTS to the costs published for NAT's and NAT++'s
# result; which of several edges that cost the same were changed, costs do not tell.
NAT = {
    "normal/op_2_0": "none", "normal/op_3_1": "skip_connect",
    "reduce/op_2_0": "skip_connect", "reduce/op_2_1": "skip_connect",
}  # fmt: skip
NATV2 = {
    "normal/op_2_0": "none", "normal/op_3_1": "skip_connect", "normal/op_3_0": "dil_conv_3x3",
    "reduce/op_2_0": "skip_connect",
}  # fmt: skip


@pytest.mark.parametrize(
    ("moves", "params", "madds"),
    [({}, 3.349342, 528.359), (NAT, 2.682334, 424.181), (NATV2, 2.476054, 394.156)],
    ids=["DARTS", "NAT", "NAT++"],
)
def test_published_costs(moves: dict[str, str], params: float, madds: float):
    with torch.device("meta"), model_context({**DARTS, **moves}):
        network = NDS([*hub.DARTS.DARTS_OPS, "none"], num_nodes_per_cell=4, width=36, num_cells=20, dataset="cifar")
    cost = count(network, (3, 32, 32))
    assert (cost.params / 1e6, round(cost.madds / 1e6, 3)) == (params, madds)


def test_the_sample_is_the_one_of_the_hub():
    hubs = count(hub.DARTS.load_searched_model("darts-v2"), (3, 32, 32))
    assert (hubs.params, round(hubs.madds / 1e6, 3)) == (3_349_342, 528.359)
