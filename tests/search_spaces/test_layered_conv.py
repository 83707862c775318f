"""The layered convnets: their number and size in closed form, what a skip and a pool do, every configuration runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nni.algorithms.hpo.tpe_tuner import TpeTuner
from torch.nn import functional as F

from nni_strategies.errors import InvalidConfiguration, InvalidSearchSpace
from nni_strategies.lanas.searcher import LaNASSearcher
from nni_strategies.search.study import Study
from nni_strategies.space.from_json import space_from_json
from search_spaces.layered_conv import (
    DEPTHS,
    OPTIONS,
    LayeredConvNet,
    check,
    configuration_of,
    layer_labels,
    search_space,
)
from trial_code.measure import count

SPACE = space_from_json(search_space())


def uniform(depth: int, **options: Any) -> dict[str, Any]:
    """All layers alike."""
    layer = {"kernel": 3, "filters": 16, "pool": "none", "skip": 0, **options}
    return {"depth": depth, **{label: layer[label.partition(".")[2]] for label in layer_labels(depth)}}


def of_depth(depth: int) -> st.SearchStrategy[dict[str, Any]]:
    labels = layer_labels(depth)
    drawn = {label: st.sampled_from(OPTIONS[label.partition(".")[2]]) for label in labels}
    return st.fixed_dictionaries({"depth": st.just(depth), **drawn})


configurations = st.sampled_from(DEPTHS).flatmap(of_depth)


def sides(size: int, configuration: dict[str, Any]) -> list[int]:
    """The side after each layer, as the module's first lines say."""
    after = [size]
    for i in range(1, configuration["depth"] + 1):
        halves = configuration[f"layer_{i}.pool"] != "none" and after[-1] > 1
        after.append(after[-1] // 2 if halves else after[-1])
    return after[1:]


# -- how many, how large --------------------------------------------------------------------------


def test_the_number_of_architectures_is_the_closed_form():
    assert SPACE.size == sum((4 * 4 * 3 * 2) ** depth for depth in range(2, 11))
    assert space_from_json(search_space(depths=(3, 5), filters=(16, 32, 64))).size == 72**3 + 72**5


def test_a_small_space_enumerated_is_that_many_different_networks():
    space = space_from_json(search_space(depths=(2,), filters=(16, 64)))
    found = [configuration_of(space.nest(flat)) for flat in space.enumerate()]
    assert len(found) == space.size == 48**2
    assert len({tuple(sorted(one.items())) for one in found}) == 48**2
    for one in found:
        check(one)


@settings(max_examples=40, deadline=None)
@given(configurations)
def test_params_and_madds_are_the_closed_forms(configuration: dict[str, Any]):
    params = madds = 0
    before, side, channels = 32, 32, 3
    for i, after in enumerate(sides(32, configuration), start=1):
        kernel, filters = configuration[f"layer_{i}.kernel"], configuration[f"layer_{i}.filters"]
        weights = kernel * kernel * channels * filters
        params += weights + 2 * filters  # a batch norm has two numbers a channel; skips and pools have none
        madds += weights * before * before
        channels, before, side = filters, after, after
    assert side == before
    network = LayeredConvNet(configuration)
    assert sum(weight.numel() for weight in network.parameters()) == params + 10 * channels + 10
    if madds < 3e8:  # a second of one core
        assert count(network.eval(), torch.zeros(1, 3, 32, 32)) == (params + 10 * channels + 10, madds + 10 * channels)


def test_the_largest_and_the_smallest():
    largest = LayeredConvNet(uniform(10, kernel=7, filters=128))
    smallest = LayeredConvNet(uniform(2, kernel=1))
    sizes = [sum(weight.numel() for weight in network.parameters()) for network in (largest, smallest)]
    assert sizes == [49 * 3 * 128 + 9 * 49 * 128 * 128 + 10 * 256 + 1290, 3 * 16 + 16 * 16 + 2 * 32 + 170]


# -- what it computes -----------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(configurations, st.sampled_from([8, 32]))
@example(uniform(10, pool="max", skip=1), 32)
@example(uniform(10, pool="avg", filters=128), 8)
def test_every_configuration_runs_and_learns_at_both_sizes(configuration: dict[str, Any], size: int):
    network = LayeredConvNet(configuration).eval()
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    seen: list[int] = []
    for layer in network.layers:
        layer.register_forward_hook(lambda module, inputs, output: seen.append(output.shape[-1]))
    logits = network(images)
    assert logits.shape == (2, 10) and torch.isfinite(logits).all()
    assert seen == sides(size, configuration) and min(seen) >= 1
    logits.square().sum().backward()
    assert all(weight.grad is not None for weight in network.parameters())


@pytest.mark.parametrize(
    ("size", "expected"), [(32, [16, 8, 4, 2, 1, 1, 1]), (8, [4, 2, 1, 1, 1, 1, 1]), (7, [3, 1, 1, 1, 1, 1, 1])]
)
@pytest.mark.parametrize("pool", ["max", "avg"])
def test_pools_stop_at_one_pixel(size: int, expected: list[int], pool: str):
    features, seen = torch.rand(1, 3, size, size), []
    for layer in LayeredConvNet(uniform(7, pool=pool)).eval().layers:
        features = layer(features)
        seen.append(features.shape[-1])
    assert seen == expected == sides(size, uniform(7, pool=pool))


def test_a_pool_at_one_pixel_is_no_pool():
    pooled, plain = uniform(4, pool="max"), {**uniform(4, pool="max"), "layer_4.pool": "none"}
    networks = [LayeredConvNet(configuration).eval() for configuration in (pooled, plain)]
    networks[1].load_state_dict(networks[0].state_dict())
    at_8, at_32 = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 32, 32)
    assert torch.equal(networks[0](at_8), networks[1](at_8))
    assert not torch.equal(networks[0](at_32), networks[1](at_32))


def silent(configuration: dict[str, Any]) -> LayeredConvNet:
    """A network whose convolutions give zero, and whose batch norms do nothing to it: only skips are left."""
    network = LayeredConvNet(configuration).eval()
    for layer in network.layers:
        torch.nn.init.zeros_(layer.conv.weight)
    return network


@pytest.mark.parametrize("filters", [(16, 64), (64, 16)])
def test_skips_append_zeros_or_drop_channels(filters: tuple[int, int]):
    configuration = {**uniform(2, skip=1), "layer_1.filters": filters[0], "layer_2.filters": filters[1]}
    images = torch.rand(2, 3, 8, 8)  # not below zero: ReLU leaves them
    features = silent(configuration).layers(images)
    assert torch.equal(features, F.pad(images, (0, 0, 0, 0, 0, filters[1] - 3)))
    assert not silent({**configuration, "layer_2.skip": 0}).layers(images).any()


def test_a_skip_that_drops_keeps_the_first_channels():
    layer = silent({**uniform(2, skip=1), "layer_1.filters": 64}).layers[1]
    features = torch.rand(2, 64, 4, 4)
    assert torch.equal(layer(features), features[:, :16])


def test_a_layer_is_convolution_norm_skip_relu_pool():
    torch.manual_seed(0)
    layer = LayeredConvNet(uniform(2, kernel=5, pool="avg", skip=1)).eval().layers[0]
    torch.nn.init.normal_(layer.norm.weight)
    images = torch.randn(2, 3, 8, 8)
    scale = layer.norm.weight / torch.sqrt(layer.norm.running_var + layer.norm.eps)
    normed = F.conv2d(images, layer.conv.weight, padding=2) * scale[:, None, None]
    expected = torch.relu(normed + F.pad(images, (0, 0, 0, 0, 0, 13))).reshape(2, 16, 4, 2, 4, 2).mean(dim=(3, 5))
    torch.testing.assert_close(layer(images), expected)


def test_images_and_classes_may_differ():
    network = LayeredConvNet(uniform(3, pool="max"), channels=1, n_classes=7).eval()
    assert network(torch.zeros(2, 1, 20, 9)).shape == (2, 7)


# -- the notation ---------------------------------------------------------------------------------


def test_a_trials_parameters_become_a_configuration():
    layer_1 = {"layer_1.kernel": 3, "layer_1.filters": 16, "layer_1.pool": "max", "layer_1.skip": 0}
    layer_2 = {"layer_2.kernel": 7, "layer_2.filters": 128, "layer_2.pool": "none", "layer_2.skip": 1}
    nested = {"depth": {"_name": "2", **layer_1, **layer_2}}
    flat = {"depth": 2, **layer_1, **layer_2}
    assert configuration_of(nested) == flat == configuration_of(flat)
    assert configuration_of({**flat, "layer_3.kernel": 5, "layer_10.pool": "avg"}) == flat  # NNI's samples have all
    in_space = {"depth": "2", **{f"depth.2.{label}": value for label, value in {**layer_1, **layer_2}.items()}}
    assert SPACE.flatten(nested) == in_space
    SPACE.validate(in_space)
    assert SPACE.nest(in_space) == nested
    assert configuration_of(in_space) == flat  # as a report has it


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"depth": 11}, "depth = 11: an integer, 2 to 10"),
        ({"depth": True}, "depth = true"),
        ({"depth": 2.0}, "depth = 2.0"),
        ({"depth": "3"}, "did you mean '3'"),
        ({"layer_2.pool": "maxx"}, r"layer_2.pool = \"maxx\": one of none, max, avg; did you mean 'max'"),
        ({"layer_2.kernel": 4}, "layer_2.kernel = 4: one of 1, 3, 5, 7"),
        ({"layer_1.skip": True}, "layer_1.skip = true"),
        ({"layer_1.filters": [16]}, "layer_1.filters"),
        ({"layer_3.filters": None}, "layer_3.filters = null"),
        ({"layer_1.kernal": 3}, "did you mean 'layer_1.kernel'"),
        ({"layer_4.kernel": 3}, "a label of layers 1 to 3"),
    ],
)
def test_what_is_not_of_the_space_is_refused(change: dict[str, Any], named: str):
    with pytest.raises(InvalidConfiguration, match=named):
        LayeredConvNet({**uniform(3), **change})


@pytest.mark.parametrize(
    "parameters",
    [{}, {"depth": {}}, {"depth": {"_name": "²"}}, {"depth": {"_name": "12"}}, {"depth": {"_name": "2"}, "lr": 1}],
)
def test_a_trials_parameters_of_another_space_are_refused(parameters: dict[str, Any]):
    with pytest.raises(InvalidConfiguration):
        check(configuration_of(parameters))


@pytest.mark.parametrize("given_", [{"depths": (1, 2)}, {"depths": ()}, {"depths": (2, 2)}, {"filters": (24,)}])
def test_a_restriction_is_one(given_: dict[str, Any]):
    with pytest.raises(InvalidSearchSpace, match="each once"):
        search_space(**given_)


# -- searched -------------------------------------------------------------------------------------


def wanted(configuration: dict[str, Any]) -> float:
    """A value that shorter kernels and more skips raise."""
    depth = configuration["depth"]
    layers = range(1, depth + 1)
    return float(np.mean([configuration[f"layer_{i}.skip"] - configuration[f"layer_{i}.kernel"] / 7 for i in layers]))


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_lanas_proposes_and_learns():
    study, values = Study(LaNASSearcher(SPACE), seed=0), []
    for _ in range(60):
        trial = study.ask()
        configuration = configuration_of(SPACE.nest(trial.configuration))
        check(configuration)
        values.append(wanted(configuration))
        study.tell(trial.id, values[-1])
    assert np.mean(values[-20:]) > np.mean(values[:20]) + 0.2
    assert study.counts["searcher errors"] == study.counts["fallbacks"] == 0


def test_nnis_tpe_proposes_and_learns():
    tuner = TpeTuner(optimize_mode="maximize", seed=0)
    tuner.update_search_space(search_space())
    values = []
    for i in range(200):
        parameters = tuner.generate_parameters(i)
        configuration = configuration_of(parameters)
        check(configuration)
        values.append(wanted(configuration))
        tuner.receive_trial_result(i, parameters, values[-1])
    assert np.mean(values[-50:]) > np.mean(values[:50]) + 0.1
