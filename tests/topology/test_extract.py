"""Declared, traced and recorded topologies agree: over all spaces of NNI's hub, and over random NSC blocks.

torch.fx reads all of them but most cells of NAS-Bench-101, which index an array by what is traced: those that never
sum two hidden nodes can be read. It reads AutoFormer since attention is one operation, not looked into.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from nni_strategies.errors import InvalidArgument, TopologyUnreadable
from nni_strategies.topology.blocks import topology_of
from nni_strategies.topology.declared import declared
from nni_strategies.topology.extract import Topology, to_graph
from nni_strategies.topology.nsc import IRLAS_MOBILE
from nni_strategies.topology.nsc_graph import CONVOLUTIONS, block_graph
from nni_strategies.topology.nsc_space import random_blocks
from nni_strategies.topology.recorded import recorded
from nni_strategies.topology.traced import traced
from search_spaces.nsc_stacks import Stack
from tests.hub_spaces import HUB, build
from tests.topology.networks import IMAGES, Calls, conv, graph
from trial_code.resnet_cifar import resnet20

PIXELS = {"AutoFormer": 224, "MobileNetV3Space": 64, "ProxylessNAS": 64, "ShuffleNetSpace": 64}
SAMPLES = 3
NO_FX = "NasBench101"


def counted(topology: Topology) -> set[tuple[object, int]]:
    return {(block.graph, block.count) for block in topology.blocks}


def images(name: str) -> torch.Tensor:
    return torch.zeros(1, 3, PIXELS.get(name, 32), PIXELS.get(name, 32))


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", HUB)
def test_three_ways_agree_on_hub_spaces(name: str) -> None:
    model_space, view = build(name)
    rng = np.random.default_rng(7)
    by_fx = 0
    for _ in range(SAMPLES):
        configuration = view.space.sample(rng)
        sample = view.sample(configuration)
        model = model_space.freeze(dict(sample))
        run = topology_of(recorded(model, images(name)))
        try:
            seen = topology_of(traced(model))
        except TopologyUnreadable:
            assert name == NO_FX
        else:
            by_fx += 1
            assert seen.graph == run.graph
            assert seen.blocks == run.blocks
        assert counted(declared(configuration, model_space)) == counted(run)
        assert declared(sample, model_space) == declared(configuration, model_space)
        by_name = {block.graph for block in declared(configuration, name).blocks}
        assert by_name == {block.graph for block in run.blocks}
        assert not [label for label in run.graph.labels if label.startswith("other")]
    assert by_fx == SAMPLES or name == NO_FX


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.timeout(60)
def test_squeeze_and_excitation_that_labels_do_not_say() -> None:
    from nni.nas.hub.pytorch import MobileNetV3Space

    from nni_strategies.space.from_nni import ModelSpaceView

    space = MobileNetV3Space(
        base_widths=(16, 16, 24, 40, 64, 96),
        stride=(2, 1, 2, 1, 2, 1),
        activation=("relu",) * 6,
        squeeze_excite=("force", "force", "none"),
        depth_range=(1, 2),
        width_multipliers=1.0,
    )
    view = ModelSpaceView(space)
    sample = view.sample(view.space.sample(np.random.default_rng(0)))
    found = declared(sample, space)
    assert counted(found) == counted(topology_of(traced(space.freeze(dict(sample)))))
    assert sum("mul" in block.graph.labels for block in found.blocks) > 1


@pytest.mark.parametrize("kind", ["cifar", "mobile"])
@pytest.mark.parametrize("convolution", CONVOLUTIONS)
def test_three_ways_agree_on_nsc_blocks(convolution: str, kind: str) -> None:
    for block in (IRLAS_MOBILE, *random_blocks(np.random.default_rng(3), 3, 6)):
        with torch.device("meta"):
            net = Stack(block, kind, (1, 1), (16, 32), convolution)
            seen, run = topology_of(traced(net)), topology_of(recorded(net, torch.zeros(1, 3, 32, 32)))
        assert seen == run
        assert counted(seen) == {(block_graph(block, convolution), 2)}


def test_a_network_goes_by_fx_else_by_a_dry_run() -> None:
    assert to_graph(resnet20()).blocks[0].count == 9
    hesitant = Calls(lambda self, x: self.a(x) if x.shape[0] > 0 and bool(x.sum() > 0) else x, a=conv())
    assert to_graph(hesitant, example_input=IMAGES + 1).graph == graph("conv3")
    with pytest.raises(TopologyUnreadable, match=r"torch\.fx cannot trace it: .*; and without example_input"):
        to_graph(hesitant)


def test_block_regex_reaches_the_network() -> None:
    (block,) = to_graph(nn.Sequential(conv(), conv(1), conv(1)), block_regex="[12]").blocks
    assert (block.graph, block.count) == (graph("conv1"), 2)


class Space:
    """What is asked of a model space that nobody registered."""

    def freeze(self, sample: dict[str, int]) -> nn.Module:
        return nn.Sequential(*(conv(sample["kernel"]) for _ in range(sample["n"])))


def test_a_configuration_is_built_where_labels_do_not_say() -> None:
    state = torch.random.get_rng_state()
    assert to_graph({"kernel": 3, "n": 2}, space=Space()).graph == graph("conv3", "conv3")
    assert torch.equal(torch.random.get_rng_state(), state)
    with pytest.raises(TopologyUnreadable, match="Space: cannot be built from its sample: 'n'"):
        to_graph({"kernel": 3}, space=Space())
    with pytest.raises(TopologyUnreadable, match="no known family"):
        to_graph({"kernel": 3, "n": 2})


def test_a_model_of_an_experiment_has_its_sample_and_space() -> None:
    model = SimpleNamespace(sample={"kernel": 1, "n": 1}, model_space=Space())
    assert to_graph(model).graph == graph("conv1")
    edges = {"cell/0_1": "conv_3x3"}
    assert to_graph(SimpleNamespace(sample=edges, model_space=Space())).blocks[0].graph == graph("conv3")


def test_what_is_no_architecture_is_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"model_or_sample.*a configuration or a torch\.nn\.Module"):
        to_graph(3)


@pytest.mark.integration
def test_a_model_space_is_no_architecture() -> None:
    with pytest.raises(TopologyUnreadable, match="NasBench201: a model space; give a sample of it"):
        to_graph(build("NasBench201")[0])
