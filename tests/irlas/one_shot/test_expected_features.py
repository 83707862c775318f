from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import Any

import pytest

import nni_strategies.bridge.torchvision_first  # noqa: F401

# isort: split
import torch
from nni.nas.hub.pytorch import DARTS as DartsSpace
from nni.nas.hub.pytorch import NasBench201
from nni.nas.nn.pytorch import InputChoice, LayerChoice, ModelSpace
from nni.nas.strategy import DARTS, GumbelDARTS, Proxyless, RandomOneShot
from torch import nn

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.experts import expert
from nni_strategies.irlas.one_shot.expected_features import ExpectedStimuli, blocks_of
from nni_strategies.irlas.one_shot.flow import DEAD, ENTRY, Tally, mixture
from nni_strategies.irlas.one_shot.one_hop import OneHop, similarity
from nni_strategies.irlas.one_shot.probabilities import (
    live_probabilities,
    sample_probabilities,
    supernet_modules,
    uniform_probabilities,
)
from nni_strategies.topology.cells import cells_of
from nni_strategies.topology.graph import TopologyGraph
from nni_strategies.topology.vocabulary import standardized
from tests.irlas.one_shot.spaces import VALUES, MixedSpace, mixed_graph

NB201: dict[str, Any] = {"stem_out_channels": 4, "num_modules_per_stack": 1}
CELLS: dict[str, Any] = {"width": 4, "num_cells": 3, "dataset": "cifar"}


def supernet(strategy: Any, space: ModelSpace, spread: float = 1.0) -> ModelSpace:
    """A supernet whose architecture parameters are far from equal."""
    torch.manual_seed(0)
    made = strategy.mutate_model(space)
    for module in supernet_modules(made):
        for parameter in getattr(module, "arch_parameters", list)():
            parameter.data.normal_(std=spread)
    return made


def counts(graph: TopologyGraph) -> tuple[Counter[str], Counter[tuple[str, str]]]:
    labels = graph.labels
    edges = Counter((labels[p], labels[n]) for n, reads in enumerate(graph.predecessors) for p in reads)
    return Counter(labels[1:-1]), edges


def as_floats(scalars: Any) -> dict[Any, float]:
    return {key: torch.as_tensor(scalar).item() for key, scalar in scalars.items()}


def samples(values: dict[str, list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*values.values())]


def test_features_are_the_expectation_over_all_samples():
    net = supernet(DARTS(), MixedSpace())
    live = live_probabilities(supernet_modules(net))
    ops: Counter[str] = Counter()
    edges: Counter[tuple[str, str]] = Counter()
    for sample in samples(VALUES):
        probability = 1.0
        for label, value in sample.items():
            probability *= live[label][value].item()
        for expected, found in zip((ops, edges), counts(mixed_graph(sample).canonical()), strict=True):
            for key, count in found.items():
                expected[key] += probability * count  # type: ignore[assignment]
    (block,) = blocks_of(net)
    tally = block.tally(live)
    assert as_floats(tally.ops) == pytest.approx(dict(ops), abs=1e-12)
    assert as_floats(tally.edges) == pytest.approx(dict(edges), abs=1e-12)


def test_features_of_a_sample_are_those_of_its_graph():
    net = supernet(RandomOneShot(), MixedSpace())
    (block,) = blocks_of(net)
    for sample in samples(VALUES)[::7]:
        tally = block.tally(sample_probabilities(net, {**sample, "pick": [sample["pick"]]}))
        assert (tally.ops, tally.edges) == counts(mixed_graph(sample).canonical())


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_features_of_cells_are_those_of_declared_graphs():
    net = supernet(RandomOneShot(), DartsSpace(**CELLS))
    drawn = {label: mutable.random() for label, mutable in net.simplify().items()}
    declared = cells_of(drawn, concat="all")
    blocks = {block.name: block for block in blocks_of(net)}
    assert {name: block.count for name, block in blocks.items()} == {"normal": 1, "reduce": 2}
    for name, block in blocks.items():
        tally = block.tally(sample_probabilities(net, drawn))
        assert (tally.ops, tally.edges) == counts(standardized(declared[name]))


def test_features_of_nasbench201_are_those_of_declared_graphs_without_zeros_and_nested_sums():
    net = supernet(RandomOneShot(), NasBench201(**NB201))
    (block,) = blocks_of(net)
    assert block.name == "NasBench201Cell"
    drawn = dict.fromkeys(net.simplify(), "conv_3x3") | {"cell/0_1": "conv_1x1", "cell/0_3": "skip_connect"}
    drawn["cell/2_3"] = "avg_pool_3x3"
    (declared,) = cells_of(drawn).values()
    tally = block.tally(sample_probabilities(net, drawn))
    assert (tally.ops, tally.edges) == counts(standardized(declared))


def distance(first: Any, second: Any) -> float:
    """Half the sum of differences between two histograms, each normalised."""
    a, b = sum(first.values()), sum(second.values())
    return 0.5 * sum(abs(first.get(key, 0.0) / a - second.get(key, 0.0) / b) for key in {*first, *second})


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_with_zero_operations_and_nested_sums_only_sums_are_off(spread: float):
    """Over all cells of NAS-Bench-201: sums of sums are one there, two here."""
    net = supernet(DARTS(), NasBench201(**NB201), spread)
    live = {label: as_floats(p) for label, p in live_probabilities(supernet_modules(net)).items()}
    ops: Counter[str] = Counter()
    edges: Counter[tuple[str, str]] = Counter()
    for sample in samples({label: list(p) for label, p in live.items()}):
        probability = math.prod(live[label][value] for label, value in sample.items())
        (cell,) = cells_of(sample).values()
        for expected, found in zip((ops, edges), counts(standardized(cell)), strict=True):
            for key, count in found.items():
                expected[key] += probability * count  # type: ignore[assignment]
    tally = blocks_of(net)[0].tally(live)
    for name in ("conv1", "conv3", "avgpool3"):
        assert tally.ops[name] == pytest.approx(ops[name], rel=1e-6)
    assert ops["add"] < tally.ops["add"] < 1.2 * ops["add"]
    assert distance(tally.ops, ops) < 0.05
    assert distance(tally.edges, edges) < 0.05


@pytest.mark.parametrize("strategy", [DARTS, Proxyless], ids=lambda strategy: strategy.__name__)
@pytest.mark.parametrize("space", [MixedSpace, lambda: NasBench201(**NB201)], ids=["mixed", "NasBench201"])
def test_live_probabilities_are_those_that_nni_exports(strategy: Any, space: Any):
    net = supernet(strategy(), space())
    live = live_probabilities(supernet_modules(net))
    exported: dict[str, Any] = {}
    for module in supernet_modules(net):
        exported.update(module.export_probs(exported))
    assert list(live) == list(exported)
    for label, distribution in exported.items():
        assert as_floats(live[label]) == pytest.approx(as_floats(distribution), abs=1e-6)
        assert all(p.requires_grad for p in live[label].values())


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_live_probabilities_of_cells_have_one_edge_each():
    net = supernet(DARTS(), DartsSpace(**CELLS))
    live = live_probabilities(supernet_modules(net))
    assert len(live) == 2 * (2 + 3 + 4 + 5)
    assert all(0 < sum(as_floats(edge).values()) < 1 for edge in live.values())  # the rest is for no operation


def test_probabilities_of_gumbel_take_no_random_numbers():
    net = supernet(GumbelDARTS(), MixedSpace())
    state = torch.get_rng_state()
    first, second = (live_probabilities(supernet_modules(net)) for _ in range(2))
    assert first == second
    assert torch.equal(torch.get_rng_state(), state)


def test_a_search_begins_at_zero_and_an_expert_has_one():
    net = supernet(DARTS(), MixedSpace(), spread=0.0)
    stimuli = ExpectedStimuli(net)
    assert float(stimuli.score(uniform_probabilities(net))) == 0.0
    assert stimuli.score(live_probabilities(supernet_modules(net))).item() == pytest.approx(0.0, abs=1e-12)
    sample = dict.fromkeys(VALUES, "conv3") | {"a": "conv1", "b": "pool", "pick": [0], "depth": 1}
    own = OneHop.of(mixed_graph({**sample, "pick": 0}))
    sampled = supernet(RandomOneShot(), MixedSpace())
    found = ExpectedStimuli(sampled, [own]).score(sample_probabilities(sampled, sample))
    assert found == pytest.approx(1.0, abs=1e-5)


class TwoOfThree(ModelSpace):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = (nn.Conv2d(1, 1, k, padding=k // 2) for k in (1, 3, 5))
        self.pick = InputChoice(3, n_chosen=2, label="pick")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.pick([self.a(x), self.b(x), self.c(x)])


def test_two_chosen_inputs_of_a_supernet_that_samples_are_two():
    alike = {0: 1 / 3, 1: 1 / 3, 2: 1 / 3}
    supernet = RandomOneShot().mutate_model(TwoOfThree())
    assert uniform_probabilities(supernet) == {"pick": [alike, alike]}


def test_similarity_of_known_histograms():
    one = OneHop({"conv1": 0.5, "conv3": 0.5}, {("input", "conv1"): 1.0})
    assert similarity({"conv1": 3.0, "conv3": 3.0}, {("input", "conv1"): 7.0}, one) == pytest.approx(1.0)
    assert similarity({"conv1": 2.0}, {("conv1", "input"): 1.0}, one) == pytest.approx(0.5 * 0.5**0.5)
    assert similarity({}, {}, one) == 0.0


def test_one_hop_of_resnet():
    found = OneHop.of(expert("resnet_basic"))
    assert found.ops == pytest.approx({"conv3": 2 / 3, "add": 1 / 3})
    assert set(found.edges) == {
        ("input", "conv3"), ("conv3", "conv3"), ("conv3", "add"), ("input", "add"), ("add", "output")
    }  # fmt: skip


def test_a_merge_of_uncertain_flows():
    tally = Tally()
    conv = tally.operation({"conv3": 1.0}, ENTRY, 1.0)
    maybe = mixture([(0.25, conv), (0.75, DEAD)])
    made = tally.merge("add", [ENTRY, maybe], 1.0)
    assert made.producers == pytest.approx({"add": 0.25, "input": 0.75})
    assert tally.ops == {"conv3": 1.0, "add": 0.25}
    assert tally.edges == pytest.approx({("input", "conv3"): 1.0, ("input", "add"): 0.25, ("conv3", "add"): 0.25})


class Untraceable(ModelSpace):
    def __init__(self) -> None:
        super().__init__()
        self.a = LayerChoice([nn.Conv2d(1, 4, 1), nn.Conv2d(1, 4, 3, padding=1)], label="a")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.a(x) if x.sum() > 0 else x


def test_what_cannot_be_read_is_refused():
    with pytest.raises(InvalidArgument, match=r"torch\.fx"):
        blocks_of(DARTS().mutate_model(Untraceable()))
    with pytest.raises(InvalidArgument, match="choices"):
        blocks_of(nn.Linear(2, 2))


@pytest.mark.parametrize(
    "experts",
    [[], "resnext", ["resnex"], [OneHop({"attention": 1.0}, {("input", "attention"): 1.0})]],
    ids=["none", "no list", "misspelt", "foreign"],
)
def test_experts_that_do_not_fit_are_refused(experts: Any):
    with pytest.raises(InvalidArgument, match="expert"):
        ExpectedStimuli(DARTS().mutate_model(MixedSpace()), experts)


@pytest.mark.parametrize("ops", [{}, {"conv3": 0.5}, {"conv3": 1.5, "conv1": -0.5}])
def test_histograms_that_are_none_are_refused(ops: dict[str, float]):
    with pytest.raises(InvalidArgument, match="ops"):
        OneHop(ops, {("input", "conv3"): 1.0})
