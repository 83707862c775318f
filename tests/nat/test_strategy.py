"""NAT for nni.nas: real model spaces, what they cost measured, and a whole experiment on a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
import nni
import pytest
import torch
from nni.nas.evaluator import FunctionalEvaluator
from nni.nas.evaluator.pytorch import Classification, DataLoader
from nni.nas.experiment import NasExperiment as NNIExperiment
from nni.nas.experiment.config import NasExperimentConfig
from nni.nas.hub.pytorch import NasBench201
from nni.nas.space import model_context
from torch.utils.data import TensorDataset

from nni_strategies import NAT
from nni_strategies.bridge.experiment import NasExperiment
from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.counter import count
from nni_strategies.nat.transform import transform
from search_spaces.nasbench201 import EDGES, LABELS, load_table
from tests.hub_spaces import build
from tests.nat.searcher_spaces import COSTS

pytestmark = pytest.mark.timeout(60)

HUB = {"nor_conv_1x1": "conv_1x1", "nor_conv_3x3": "conv_3x3"}
OURS = {hub: own for own, hub in HUB.items()}
SHAPE = (3, 32, 32)
INCEPTION = {
    f"cell/{i}_{j}": operation
    for (i, j), operation in zip(
        EDGES, ["conv_3x3", "conv_1x1", "avg_pool_3x3", "skip_connect", "none", "conv_3x3"], strict=True
    )
}


def space() -> NasBench201:
    return NasBench201(stem_out_channels=4, num_modules_per_stack=1)


def accuracy(sample: dict[str, str]) -> float:
    names = [sample[f"cell/{i}_{j}"] for i, j in EDGES]
    return load_table("cifar10")[dict(zip(LABELS, [OURS.get(name, name) for name in names], strict=True))] / 100


@pytest.mark.slow
def test_a_model_space_is_measured() -> None:
    strategy = NAT(input_shape=SHAPE, inputs=INCEPTION)
    strategy.look_at(space())
    searcher: Any = strategy.make_searcher(build("NasBench201")[1].space)
    found = searcher.transformed(0)
    with model_context(INCEPTION):
        assert tuple(found.cost_before) == count(space(), SHAPE)


@pytest.mark.slow
def test_the_shape_is_that_of_the_evaluator_s_data() -> None:
    class WithData:
        """An executable space, as far as a strategy looks at it."""

        model_space = space()
        evaluator = Classification(
            train_dataloaders=DataLoader(TensorDataset(torch.zeros(4, 3, 16, 16), torch.zeros(4).long()), batch_size=2),
            num_classes=10,
        )

    strategy = NAT(inputs=INCEPTION)
    strategy.look_at(WithData)
    searcher: Any = strategy.make_searcher(build("NasBench201")[1].space)
    with model_context(INCEPTION):
        assert tuple(searcher.transformed(0).cost_before) == count(space(), (3, 16, 16))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "input_shape"),
        ({"input_shape": (1, 32, 32)}, "input_shape"),
        ({"input_shape": SHAPE, "inputs": INCEPTION | {"cell/0_1": "conv3x3"}}, "did you mean 'conv_3x3'"),
        ({"input_shape": SHAPE, "inputs": dict.fromkeys(INCEPTION, "none")}, "dead"),
        ({"input_shape": SHAPE, "inputs": INCEPTION | {"cell/0_4": "none"}}, "nodes of cell"),
        ({"input_shape": SHAPE, "op_classes": {"non": "N"}}, "did you mean 'none'"),
        ({"costs": COSTS}, "conv_1x1, conv_3x3"),
    ],
)
def test_what_cannot_work_is_refused_before_an_experiment(arguments: dict[str, Any], message: str) -> None:
    experiment = NasExperiment(space(), FunctionalEvaluator(print), NAT(**arguments))
    with pytest.raises(InvalidArgument, match=message):
        experiment._check()  # what run() does first


@pytest.mark.parametrize("arguments", [{"input_shape": 32}, {"input_shape": (3, 0)}, {"rule": "nut"}, {"queris": 3}])
def test_bad_arguments_are_refused_at_once(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        NAT(**arguments)


@pytest.mark.parametrize(
    "arguments", [{"costs": {HUB[k]: v for k, v in COSTS.items()}}, {"rule": "nat", "cost_rule": "paper"}]
)
def test_no_shape_is_needed_where_nothing_is_measured(arguments: dict[str, Any]) -> None:
    strategy = NAT(**arguments)
    strategy.look_at(space())
    strategy.make_searcher(build("NasBench201")[1].space)


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.timeout(300)
def test_an_experiment_on_a_table_ends_by_its_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """300 trials of NAS-Bench-201 in NNI's own experiment, on the sequential engine."""
    monkeypatch.setattr(nni.trial, "_params", None)  # the sequential engine leaves it set
    strategy = NAT(input_shape=SHAPE, seed=4, budget=300)

    def look_up(model: Any) -> float:
        return accuracy(strategy.study.trials[-1].configuration)

    def evaluate(model: Any) -> None:
        nni.report_final_result(look_up(model))

    config = NasExperimentConfig("sequential", "simplified", "local")
    config.max_trial_number, config.experiment_working_directory = 300, tmp_path
    experiment = NNIExperiment(space(), FunctionalEvaluator(evaluate), strategy, config)
    experiment.run(port=None)
    (best,) = experiment.export_top_models(1, formatter="dict")
    experiment.stop()
    study = strategy.study
    assert len(study.trials) == len(study.finished) == 300
    assert study.counts.total() == 0 and strategy.problem is None
    phases = [event["remarks"]["nat"]["phase"] for event in study.journal.events if event["event"] == "proposed"]
    assert phases.count("query") + phases.count("input") >= 280 and "output" in phases
    assert accuracy(best) == study.best.value
    with model_context(best):
        assert space()(torch.zeros(2, *SHAPE))[0].shape[-1] == 10
    gains = []
    for number in range(10):
        found = strategy.transformed(number)
        assert (found.score_after, found.score_before) == (accuracy(found.after), accuracy(found.before))
        assert found.cost_after[0] <= found.cost_before[0] and found.cost_after[1] <= found.cost_before[1]
        gains.append(found.score_after - found.score_before)
    assert min(gains) >= 0 and sum(gains) / 10 > 0.02
    strategy.save_policy(tmp_path / "policy.safetensors")
    made = transform(INCEPTION, space(), accuracy, policy=tmp_path / "policy.safetensors", queries=0, k=20)
    assert made.score_after > made.score_before and 1 < made.evaluations <= 21
