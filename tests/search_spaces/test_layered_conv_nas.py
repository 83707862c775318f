"""The layered convnets as a model space: the same space as the JSON, and NNI's experiments run on it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
import nni
from nni.nas import strategy
from nni.nas.evaluator import FunctionalEvaluator
from nni.nas.experiment.config import NasExperimentConfig
from nni.nas.space import SimplifiedModelSpace, model_context

from nni_strategies import LaNAS
from nni_strategies.bridge.experiment import NasExperiment
from nni_strategies.errors import InvalidConfiguration, InvalidSearchSpace
from nni_strategies.space.from_json import space_from_json
from nni_strategies.space.from_nni import ModelSpaceView
from search_spaces.layered_conv import LayeredConvNet, configuration_of, layer_labels, search_space
from search_spaces.layered_conv_nas import LayeredConvSpace

pytestmark = pytest.mark.timeout(60)

VIEW = ModelSpaceView(LayeredConvSpace())
SMALL: dict[str, Any] = {"depths": (2, 3), "filters": (16,)}


def test_it_is_the_space_of_the_json():
    by_json = space_from_json(search_space())
    assert VIEW.space.size == by_json.size
    assert VIEW.space.labels == ("depth", *layer_labels(10))
    rng = np.random.default_rng(0)
    for _ in range(50):
        configuration = VIEW.space.sample(rng)
        depth = configuration["depth"]
        labels = {f"depth.{depth}.{label}": value for label, value in configuration.items() if label != "depth"}
        flat = {"depth": str(depth), **labels}
        by_json.validate(flat)
        assert configuration_of(by_json.nest(flat)) == configuration
        other = configuration_of(by_json.nest(by_json.sample(rng)))
        VIEW.space.validate(other)


def test_a_small_one_is_enumerated_alike():
    view, by_json = ModelSpaceView(LayeredConvSpace(**SMALL)), space_from_json(search_space(**SMALL))
    ours = {repr(sorted(one.items())) for one in view.space.enumerate()}
    theirs = {repr(sorted(configuration_of(by_json.nest(one)).items())) for one in by_json.enumerate()}
    assert ours == theirs
    assert len(ours) == 24**2 + 24**3


def test_frozen_it_is_the_plain_network():
    configuration = VIEW.space.sample(np.random.default_rng(1))
    sample = VIEW.sample(configuration)
    assert sample.keys() == {"depth", *layer_labels(10)}  # NNI wants a value for every label
    space = LayeredConvSpace(channels=1, n_classes=4)
    with model_context(sample):
        built = [LayeredConvSpace(channels=1, n_classes=4), space.freeze(sample)]
    simplified = SimplifiedModelSpace.from_model(space).freeze(sample)
    built.append(nni.load(nni.dump(simplified)).executable_model())  # as a trial builds it
    plain = LayeredConvNet(configuration, 1, 4)
    assert [repr(network) for network in built] == [repr(plain)] * 3
    assert all(type(network) is LayeredConvNet for network in built)


def test_what_is_not_of_the_space_is_refused():
    with pytest.raises(InvalidSearchSpace, match="depths"):
        LayeredConvSpace(depths=(1,))
    with pytest.raises(InvalidSearchSpace, match="filters"):
        LayeredConvSpace(filters=(16, 20))
    sample = VIEW.sample(VIEW.space.sample(np.random.default_rng(0)))
    with pytest.raises(InvalidConfiguration, match=r"layer_1\.kernel = 2: one of 1, 3, 5, 7"):
        LayeredConvSpace().freeze({**sample, "layer_1.kernel": 2})
    with pytest.raises(ValueError, match=r"9 not found in \[2, 3\]"):
        LayeredConvSpace(depths=(2, 3)).freeze({**sample, "depth": 9})  # NNI's own


def test_not_frozen_it_runs_as_its_first_choices():
    assert LayeredConvSpace()(torch.zeros(2, 3, 8, 8)).shape == (2, 10)


def report_size(model: LayeredConvNet) -> None:
    assert model(torch.zeros(2, 3, 8, 8)).shape == (2, 10)
    nni.report_final_result(
        {"default": -sum(weight.numel() for weight in model.parameters()), "depth": len(model.layers)}
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "by",
    [lambda: LaNAS(n_init=3, seed=0), lambda: strategy.TPE(optimize_mode="maximize", seed=0)],
    ids=["lanas", "tpe"],
)
def test_an_experiment_of_a_few_trials(by: Any, tmp_path):
    config = NasExperimentConfig("sequential", "simplified")
    config.experiment_working_directory = str(tmp_path)
    config.max_trial_number = 5
    experiment = NasExperiment(LayeredConvSpace(**SMALL), FunctionalEvaluator(report_size), by(), config)
    try:
        assert experiment.run()
        models = experiment.export_top_models(5)
        sizes = []
        for model in models:
            network = LayeredConvNet(configuration_of(model.sample))
            sizes.append(-sum(weight.numel() for weight in network.parameters()))
        assert len(models) == 5
        assert [model.metric for model in models] == sizes == sorted(sizes, reverse=True)
    finally:
        experiment.stop()
