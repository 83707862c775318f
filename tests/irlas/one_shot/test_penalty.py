from __future__ import annotations

from typing import Any

import pytest

import nni_strategies.bridge.torchvision_first  # noqa: F401

# isort: split
import torch
from nni.nas.hub.pytorch import DARTS as DartsSpace
from nni.nas.hub.pytorch import NasBench201
from nni.nas.nn.pytorch import ModelSpace
from nni.nas.oneshot.pytorch.profiler import ExpectationProfilerPenalty
from nni.nas.profiler.pytorch.flops import FlopsProfiler
from nni.nas.strategy import DARTS, GumbelDARTS, Proxyless
from torch import nn

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.one_shot.penalty import MirrorFilter, MirrorPenalty, MirrorReward
from nni_strategies.irlas.one_shot.probabilities import supernet_modules
from tests.irlas.one_shot.spaces import VALUES, ConvolutionSpace, LayerSpace, MixedSpace

STEP = 5e-3
SPACES = {
    "mixed": MixedSpace,
    "NasBench201": lambda: NasBench201(stem_out_channels=4, num_modules_per_stack=1),
    "DARTS": lambda: DartsSpace(width=4, num_cells=3, dataset="cifar"),
}


def alphas_of(strategy: Any, space: ModelSpace) -> tuple[ModelSpace, list[nn.Parameter]]:
    torch.manual_seed(1)
    net = strategy.mutate_model(space)
    found = {id(p): p for module in supernet_modules(net) for p in getattr(module, "arch_parameters", list)()}
    for parameter in found.values():
        parameter.data.normal_()
    return net, list(found.values())


def assert_gradient_is_that_of_differences(
    penalty: MirrorPenalty, alphas: list[nn.Parameter], most: int = 100
) -> None:
    """Compare d(loss)/d(alpha) with central differences, parameter by parameter, along its own gradient."""
    given = torch.tensor(2.0, dtype=torch.float64)  # of the data; the differences would drown in single precision
    loss, _ = penalty(given)
    gradients = torch.autograd.grad(loss, alphas, allow_unused=True)
    largest = max(float(g.norm()) for g in gradients if g is not None)
    assert largest > 1e-4
    found = [(p, g) for p, g in zip(alphas, gradients, strict=True) if g is not None and g.norm() > 1e-3 * largest]
    assert len(found) >= len(alphas) // 3
    for parameter, gradient in found[:most]:
        start, direction = parameter.data.clone(), gradient / gradient.norm()
        losses, places = [], []
        for sign in (-1, 1):
            parameter.data = start + sign * STEP * direction
            places.append(parameter.data.double())
            losses.append(penalty(given)[0].item())
        parameter.data = start
        expected = float(gradient.double() @ (places[1] - places[0]))
        assert losses[1] - losses[0] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name == "DARTS" else ()) for name in SPACES]
)
@pytest.mark.parametrize("strategy", [DARTS, GumbelDARTS, Proxyless], ids=lambda strategy: strategy.__name__)
@pytest.mark.timeout(60)
def test_gradient(strategy: Any, name: str):
    net, alphas = alphas_of(strategy(), SPACES[name]())
    penalty = MirrorPenalty(lam=0.7)
    penalty.bind(net)
    assert_gradient_is_that_of_differences(penalty, alphas, most=12)


@pytest.mark.parametrize("nonlinear", ["linear", "positive", "absolute"])
@pytest.mark.parametrize("aggregate", ["add", "mul"])
@pytest.mark.parametrize("strategy", [DARTS, GumbelDARTS, Proxyless], ids=lambda strategy: strategy.__name__)
def test_gradient_of_a_profiler(strategy: Any, aggregate: str, nonlinear: str):
    space = LayerSpace()
    profiler = FlopsProfiler(space, torch.rand(1, 1, 8, 8))
    net, alphas = alphas_of(strategy(), space)
    penalty = MirrorPenalty(
        lam=0.0, profiler=profiler, baseline=5e3, scale=0.5, nonlinear=nonlinear, aggregate=aggregate
    )
    penalty.bind(net)
    assert_gradient_is_that_of_differences(penalty, alphas)


@pytest.mark.parametrize("strategy", [DARTS, GumbelDARTS], ids=lambda strategy: strategy.__name__)
def test_nnis_own_penalty_has_no_gradient(strategy: Any):
    """With ``aggregate="add"`` NNI 3.0's penalty is a number beside the loss: it guides nothing."""
    space = ConvolutionSpace()
    profiler = FlopsProfiler(space, torch.rand(1, 1, 8, 8))
    net, alphas = alphas_of(strategy(), space)
    exported: dict[str, Any] = {}
    for module in supernet_modules(net):
        exported.update(module.export_probs(exported))
    data = sum(alpha.square().sum() for alpha in alphas)  # a loss whose gradient is 2 alpha
    loss, details = ExpectationProfilerPenalty(profiler, 2e4, 0.5)(data, exported)
    for alpha, gradient in zip(alphas, torch.autograd.grad(loss, alphas, retain_graph=True), strict=True):
        assert torch.equal(gradient, 2 * alpha)
    ours = MirrorPenalty(lam=0.0, profiler=profiler, baseline=2e4, scale=0.5)
    ours.bind(net)
    same, _ = ours(data)
    assert details["normalized_penalty"] != 0
    if strategy is DARTS:  # what GumbelDARTS exports is a draw
        assert same.item() == pytest.approx(loss.item(), rel=1e-5)
    for alpha, gradient in zip(alphas, torch.autograd.grad(same, alphas), strict=True):
        assert not torch.equal(gradient, 2 * alpha)


def test_the_loss_is_what_its_parts_say():
    space = LayerSpace()
    profiler = FlopsProfiler(space, torch.rand(1, 1, 8, 8))
    net, _ = alphas_of(DARTS(), space)
    penalty = MirrorPenalty(["resnet_basic"], lam=0.3, profiler=profiler, baseline=1e4, scale=0.2)
    penalty.bind(net)
    loss, details = penalty(torch.tensor(2.0), {"ignored": {}})
    expected = 2.0 + 0.2 * (details["penalty"].item() / 1e4 - 1) - 0.3 * details["stimuli"].item()
    assert loss.item() == pytest.approx(expected)
    assert details["loss_original"] == 2.0 and details["loss_final"] is loss


def test_the_penalty_brings_the_supernet_nearer_to_the_expert():
    net, alphas = alphas_of(DARTS(), MixedSpace())
    penalty = MirrorPenalty(["resnet_basic"], lam=1.0)
    penalty.bind(net)
    optimizer = torch.optim.Adam(alphas, 0.1)
    scores = []
    for _ in range(30):
        loss, details = penalty(torch.tensor(0.0))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scores.append(details["stimuli"].item())
    assert scores[-1] > scores[0] + 0.2
    exported = {}
    for module in supernet_modules(net):
        exported.update(module.export(exported))
    assert exported["a" if exported["pick"] == [0] else "b"] in ("conv3", "pair")


def test_extreme_alphas_give_no_nan():
    net, alphas = alphas_of(DARTS(), SPACES["NasBench201"]())
    for alpha in alphas:
        alpha.data = torch.tensor([1e4, 0.0, 0.0, 0.0, 0.0])  # all edges are ``none``
    penalty = MirrorPenalty(lam=1.0)
    penalty.bind(net)
    loss, _ = penalty(torch.tensor(1.0))
    loss.backward()
    assert torch.isfinite(loss)
    assert all(bool(torch.isfinite(alpha.grad).all()) for alpha in alphas)


def test_reward_and_filter_of_samples():
    from nni.nas.strategy import RandomOneShot

    net = RandomOneShot().mutate_model(MixedSpace())
    near = dict.fromkeys(VALUES, "conv3") | {"pick": [0], "depth": 1, "b": "pool"}
    far = near | {"pick": [1]}
    reward, kept = MirrorReward(["resnet_basic"], lam=0.5), MirrorFilter(0.0, ["resnet_basic"])
    reward.bind(net)
    kept.bind(net)
    (high, details), (low, _) = reward(0.8, near), reward(0.8, far)
    assert high == pytest.approx(0.8 + 0.5 * details["stimuli"])
    assert details["stimuli"] > 0 and high > low
    assert kept(near) and not kept(far)
    with pytest.raises(InvalidArgument, match="depth"):
        reward(0.8, {label: value for label, value in near.items() if label != "depth"})


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"lam": -0.1}, "lam"),
        ({"lam": float("nan")}, "lam"),
        ({"lam": "auto"}, "lam"),
        ({"profiler": 3}, "profiler"),
        ({"baseline": 0}, "baseline"),
        ({"nonlinear": "positiv"}, "nonlinear"),
        ({"aggregate": "sum"}, "aggregate"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], field: str):
    with pytest.raises(InvalidArgument, match=field):
        MirrorPenalty(**arguments)


def test_bad_thresholds_are_refused():
    with pytest.raises(InvalidArgument, match="min_score"):
        MirrorFilter(1.0)
    with pytest.raises(InvalidArgument, match="lam"):
        MirrorReward(lam=-1.0)


def test_a_penalty_that_is_not_bound_says_so():
    with pytest.raises(InvalidArgument, match="bind"):
        MirrorPenalty()(torch.tensor(1.0))
