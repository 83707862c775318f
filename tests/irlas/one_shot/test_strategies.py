"""Searches with NNI's Lightning evaluator."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

import nni_strategies.bridge.torchvision_first  # noqa: F401

# isort: split
import numpy as np
import torch
from nni.nas.execution import SequentialExecutionEngine
from nni.nas.nn.pytorch import ModelSpace
from nni.nas.profiler.pytorch.flops import FlopsProfiler
from nni.nas.space import RawFormatModelSpace
from nni.nas.strategy import DARTS, ENAS, GumbelDARTS, Proxyless, RandomOneShot

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.one_shot import (
    IRLASENAS,
    IRLASDarts,
    IRLASGumbelDarts,
    IRLASProxyless,
    IRLASRandomOneShot,
    MirrorPenalty,
)
from nni_strategies.irlas.one_shot.probabilities import supernet_modules
from nni_strategies.topology.graph import TopologyGraph
from tests.irlas.one_shot.spaces import ConvolutionSpace, LayerSpace, MixedSpace
from tests.rsa.small_space import classification

DIFFERENTIABLE: dict[str, Any] = {
    "DARTS": (IRLASDarts, DARTS),
    "GumbelDARTS": (IRLASGumbelDarts, GumbelDARTS),
    "Proxyless": (IRLASProxyless, Proxyless),
}
needs_tianshou = pytest.mark.skipif(importlib.util.find_spec("tianshou") is None, reason="needs tianshou")
real = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(120)]


def search(strategy: Any, space: ModelSpace | None = None, epochs: int = 2) -> Any:
    """Run a strategy on a space to its end, and return it."""
    torch.manual_seed(0)
    made = RawFormatModelSpace(space or MixedSpace(), classification(epochs))
    strategy.initialize(made, SequentialExecutionEngine())
    strategy.run()
    return strategy


def state(strategy: Any) -> dict[str, torch.Tensor]:
    found = {name: value.clone() for name, value in strategy.supernet.state_dict().items()}
    assert any("_arch_alpha" in name for name in found) or isinstance(strategy, RandomOneShot)  # ENAS is one
    return found


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
class TestDifferentiable:
    pytestmark = real

    def test_with_lambda_zero_the_search_is_nnis_own(self, name: str):
        ours, stock = DIFFERENTIABLE[name]
        assert same(state(search(ours(lam=0.0))), state(search(stock())))

    def test_stimuli_move_the_architecture_parameters(self, name: str):
        ours, _ = DIFFERENTIABLE[name]
        arguments = {"arc_learning_rate": 0.3}
        free = search(ours(lam=0.0, **arguments))
        guided = search(ours(lam=100.0, experts=["resnet_basic"], **arguments))
        judge = MirrorPenalty(["resnet_basic"])
        scores = []
        for strategy in (free, guided):
            judge.bind(strategy.supernet)
            scores.append(judge.stimuli.expected().item())
        assert scores[1] > scores[0] + 0.1
        (best,) = guided.list_models()
        assert best is not None

    def test_a_profiler_moves_them_too(self, name: str):
        ours, _ = DIFFERENTIABLE[name]
        space = LayerSpace()
        profiler = FlopsProfiler(space, torch.rand(1, 1, 8, 8))
        strategy = search(ours(lam=0.0, profiler=profiler, baseline=1e3, scale=100.0, arc_learning_rate=0.3), space)
        (cheapest,) = (m for m in supernet_modules(strategy.supernet) if getattr(m, "label", "") == "a")
        assert cheapest.names[int(cheapest._arch_alpha.argmax())] == "skip_connect"

    def test_what_was_added_is_logged(self, name: str):
        ours, _ = DIFFERENTIABLE[name]
        strategy = search(ours(lam=0.1), epochs=1)
        logged = strategy.oneshot_module.trainer.callback_metrics
        assert {"penalty/stimuli", "penalty/loss_original", "penalty/loss_final"} <= set(logged)


class TestSampling:
    pytestmark = real

    def test_random_one_shot_draws_only_what_resembles_an_expert(self):
        drawn: list[float] = []

        strategy = IRLASRandomOneShot(0.0, ["resnet_basic"])
        passes = strategy.guide.filter

        def watched(sample: Any) -> bool:
            if passes(sample):
                drawn.append(strategy.guide.stimuli.of_sample(sample))
                return True
            return False

        strategy.guide.filter = watched
        search(strategy)
        assert len(drawn) >= 4 and min(drawn) >= 0.0

    def test_random_one_shot_without_a_threshold_is_nnis_own(self, monkeypatch: pytest.MonkeyPatch):
        states = []
        for strategy in (IRLASRandomOneShot(-1e9), RandomOneShot()):
            generator = np.random.RandomState(0)  # NNI's own has no seed
            monkeypatch.setattr("nni.mutable.mutable.RandomState", lambda generator=generator: generator)
            states.append(state(search(strategy)))
        assert same(*states)

    @needs_tianshou
    def test_enas(self):
        strategy = search(IRLASENAS(lam=0.5, batches_per_update=2, reward_metric_name="val_acc"))
        logged = strategy.oneshot_module.trainer.callback_metrics
        reward = logged["penalty/reward_original"] + 0.5 * logged["penalty/stimuli"]
        assert logged["penalty/reward_final"].item() == pytest.approx(reward.item())

    @needs_tianshou
    def test_enas_with_lambda_zero_is_nnis_own_but_for_the_loaders(self):
        class Mended(ENAS):
            train_dataloader = IRLASENAS.train_dataloader

        arguments: dict[str, Any] = {"batches_per_update": 2, "reward_metric_name": "val_acc"}
        states = []
        for strategy in (IRLASENAS(lam=0.0, **arguments), Mended(**arguments)):
            np.random.seed(0)  # tianshou's
            states.append(state(search(strategy)))
        assert same(*states)


@pytest.mark.parametrize("strategy", [IRLASDarts, IRLASGumbelDarts, IRLASProxyless, IRLASENAS, IRLASRandomOneShot])
def test_nnis_own_slots_are_refused(strategy: Any):
    slot = "filter" if strategy is IRLASRandomOneShot else "penalty"
    with pytest.raises(InvalidArgument, match=slot):
        strategy(**{slot: None})


def test_experts_are_compared_with_the_space_before_training():
    with pytest.raises(InvalidArgument, match="resnext"):
        IRLASDarts(experts=["resnex"])
    with pytest.raises(InvalidArgument, match="experts"):
        IRLASDarts(experts=[TopologyGraph.chain(["attention"])]).mutate_model(ConvolutionSpace())


def test_an_idle_guide_asks_nothing_of_a_space():
    foreign = [TopologyGraph.chain(["attention"])]
    assert IRLASDarts(experts=foreign, lam=0.0).mutate_model(ConvolutionSpace())


def test_enas_is_told_where_its_batches_are_from():
    batches = IRLASENAS().train_dataloader(lambda: [1, 2], lambda: [3])
    assert list(batches) == [(1, "train"), (2, "train"), (3, "val")] and len(batches) == 3
    assert list(batches) == list(batches)


def test_arguments_of_nni_are_passed_on():
    assert IRLASDarts(arc_learning_rate=0.5).arc_learning_rate == 0.5
    assert IRLASGumbelDarts(temperature=0.5).temperature == 0.5
    assert IRLASDarts(lam=0.0).penalty is None
    assert IRLASDarts(lam=0.1).penalty.lam == 0.1
