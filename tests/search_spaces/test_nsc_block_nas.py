"""The NSC blocks as a model space: the conditional space of the codec, and NNI's own strategies run on it."""

from __future__ import annotations

import pickle
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
from nni.nas.space import RawFormatModelSpace, SimplifiedModelSpace, model_context

from nni_strategies import LaNAS
from nni_strategies.bridge.experiment import NasExperiment
from nni_strategies.errors import InvalidArgument, InvalidConfiguration
from nni_strategies.space.from_nni import ModelSpaceView
from nni_strategies.topology.extract import to_graph
from nni_strategies.topology.nsc import IRLAS_MOBILE, block_configuration
from nni_strategies.topology.nsc_graph import block_graph
from nni_strategies.topology.nsc_space import nsc_space
from search_spaces.nsc_block_nas import NSCBlockSpace
from search_spaces.nsc_stacks import Stack

pytestmark = pytest.mark.timeout(60)

SMALL: dict[str, Any] = {"T": 4, "N": (1, 1), "widths": (4, 8), "channels": 1, "num_classes": 3}


def formats(space: NSCBlockSpace) -> list[Any]:
    return [space, SimplifiedModelSpace.from_model(space), RawFormatModelSpace.from_model(space)]


def test_a_view_shows_the_conditional_space():
    for model_space in formats(NSCBlockSpace(**SMALL)):
        view, rng = ModelSpaceView(model_space), np.random.default_rng(0)
        assert view.space == nsc_space(4)
        for _ in range(30):
            configuration = view.space.sample(rng)
            sample = view.sample(configuration)
            assert sample.keys() == set(nsc_space(4).labels)  # NNI wants a value for every label
            assert view.configuration({**sample, "of NNI's": object()}) == configuration


def test_the_labels_are_those_of_the_layers():
    assert list(NSCBlockSpace(T=2).simplify()) == ["op_1", "p1_1", "op_2", "p1_2", "p2_2"]
    assert NSCBlockSpace().own_search_space() == nsc_space(10)


def test_frozen_it_is_the_plain_network():
    configuration = block_configuration(IRLAS_MOBILE, 6)
    options = {**SMALL, "T": 6, "conv": "sep", "stack": "mobile"}
    space = NSCBlockSpace(**options)
    sample = ModelSpaceView(space).sample(configuration)
    with model_context(sample):
        built = [NSCBlockSpace(**options), space.freeze(sample)]
    simplified = SimplifiedModelSpace.from_model(space).freeze(sample)
    built.append(nni.load(nni.dump(simplified)).executable_model())  # as a trial builds it
    plain = Stack(IRLAS_MOBILE, "mobile", (1, 1), (4, 8), "sep", channels=1, n_classes=3)
    assert [repr(network) for network in built] == [repr(plain)] * 3
    assert all(type(network) is Stack for network in built)
    assert built[0].stages[0][-1].block == IRLAS_MOBILE
    assert repr(pickle.loads(pickle.dumps(built[0]))) == repr(plain)  # as evaluators hand it to processes


def test_every_sample_of_nni_is_a_block():
    space = NSCBlockSpace(**SMALL)
    view, unordered, shapes = ModelSpaceView(space), 0, set()
    for seed in range(25):
        memo: dict[str, Any] = {}
        network = space.random(memo=memo, random_state=np.random.RandomState(seed))
        assert network(torch.zeros(2, 1, 8, 8)).shape == (2, 3)
        configuration = view.configuration(memo)
        view.space.validate(configuration)
        unordered += any(memo[f"p1_{t}"] != configuration.get(f"p1_{t}", memo[f"p1_{t}"]) for t in range(1, 5))
        again = space.freeze(view.sample(configuration))
        assert repr(again) == repr(network)
        shapes.add(repr(network))
    assert unordered > 2 and len(shapes) > 15


def test_extraction_needs_no_network():
    space = NSCBlockSpace(**{**SMALL, "conv": "sep"})
    view, rng = ModelSpaceView(space), np.random.default_rng(0)
    for _ in range(20):
        sample = view.sample(view.space.sample(rng))
        (block,) = to_graph(sample, space=space).blocks
        assert block.graph == block_graph(space.block(sample), "sep")
        (by_fx,) = to_graph(space.freeze(sample)).blocks
        assert (by_fx.graph, by_fx.count) == (block.graph, 2)


def test_what_is_not_of_the_space_is_refused():
    for options, message in (
        ({"T": 0}, "most = 0"),
        ({"ops": ("conv3", "conv9")}, "operations = \"conv9\": .*did you mean"),
        ({"N": (1, 1)}, "widths = .*: as many as there are stages in N, 2"),
        ({"stack": "cifra"}, "did you mean 'cifar'"),
        ({"conv": "grouped", "groups": 3}, "groups = 3: a divisor of the width, 32"),
    ):
        with pytest.raises(InvalidArgument, match=message):
            NSCBlockSpace(**options)
    space = NSCBlockSpace(**SMALL)
    sample = ModelSpaceView(space).sample(nsc_space(4).sample(np.random.default_rng(0)))
    with pytest.raises(InvalidConfiguration, match='op_1 = "conv7": one of'):
        space.freeze({**sample, "op_1": "conv7"})
    with pytest.raises(ValueError, match="op_4"):  # NNI's own
        space.freeze({label: value for label, value in sample.items() if label != "op_4"})


def test_a_space_of_its_own_has_the_labels_of_the_model_space():
    class Wrong(NSCBlockSpace):
        def own_search_space(self) -> Any:
            return nsc_space(3)

    with pytest.raises(InvalidArgument, match="own_search_space"):
        ModelSpaceView(Wrong(**SMALL))


def test_not_frozen_it_runs_as_its_first_choices():
    assert NSCBlockSpace(**SMALL)(torch.zeros(2, 1, 8, 8)).shape == (2, 3)


def report_size(model: Stack) -> None:
    assert model(torch.zeros(2, 1, 8, 8)).shape == (2, 3)
    nni.report_final_result(-float(sum(weight.numel() for weight in model.parameters())))


@pytest.mark.integration
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "by",
    [
        lambda: strategy.Random(seed=0),
        lambda: strategy.RegularizedEvolution(population_size=4, sample_size=2, mutation_prob=0.3, seed=0),
        lambda: LaNAS(n_init=3, seed=0),
    ],
    ids=["random", "evolution", "lanas"],
)
def test_an_experiment_of_a_few_trials(by: Any, tmp_path):
    config = NasExperimentConfig("sequential", "simplified")
    config.experiment_working_directory = str(tmp_path)
    config.max_trial_number = 10
    space = NSCBlockSpace(**SMALL)
    experiment = NasExperiment(space, FunctionalEvaluator(report_size), by(), config)
    try:
        assert experiment.run()
        models = experiment.export_top_models(10)
        assert len(models) == 10
        sizes = [-sum(weight.numel() for weight in space.freeze(model.sample).parameters()) for model in models]
        assert [model.metric for model in models] == sizes == sorted(sizes, reverse=True)
    finally:
        experiment.stop()
