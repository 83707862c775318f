"""NAT as a tuner, without a manager."""

from __future__ import annotations

import pytest

import nni_strategies
from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.tuner import NATTuner
from search_spaces.digits_cell import search_space
from tests.nat.searcher_spaces import COSTS

pytestmark = pytest.mark.timeout(30)


def test_it_transforms_when_driven_as_nni_drives_it() -> None:
    given = dict.fromkeys(search_space(), "nor_conv_3x3")
    tuner = NATTuner(optimize_mode="minimize", seed=0, costs=COSTS, inputs=[given], budget=30, k=3)
    tuner.update_search_space(search_space())
    for number in range(30):
        parameters = tuner.generate_parameters(number)
        loss = list(parameters.values()).count("nor_conv_3x3") + 0.1 * list(parameters.values()).count("none")
        tuner.receive_trial_result(number, parameters, {"default": loss})
        tuner.trial_end(number, True)
    assert tuner.study.counts.total() == 0
    found = tuner.study.searcher.transformed(0)
    assert (found.before, found.score_before) == (given, -6)
    assert found.score_after == max(trial.value for trial in tuner.study.trials) > -3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "costs = null: operation -> .MAdds, parameters., of nor_conv_1x1, nor_conv_3x3 too"),
        ({"costs": COSTS, "rulle": "nat"}, "did you mean 'rule'"),
        ({"costs": COSTS, "inputs": [{"cell.edge_0_1": "none"}]}, r"inputs\[0\]"),
        ({"costs": COSTS, "budget": 15}, "more than 20 trials"),
        ({"costs": COSTS, "input_shape": [1, 8, 8]}, "classArgs"),
    ],
)
def test_bad_class_arguments_are_refused_before_a_search_begins(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        NATTuner(**arguments).update_search_space(search_space())


def test_the_public_names_are_found_lazily() -> None:
    assert nni_strategies.NATTuner is NATTuner
    assert nni_strategies.NATTuner.searcher_class is nni_strategies.NATSearcher
    assert nni_strategies.NATTuner.searcher_class.Config is nni_strategies.NATConfig
