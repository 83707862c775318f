"""NAT as a tuner, without a manager."""

from __future__ import annotations

import pytest

import nni_strategies
from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.tuner import NATTuner, transformation_line
from nni_strategies.nni_database import SHOWN, without_shown
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


def test_each_trial_shows_its_transformation_where_that_is_asked_for() -> None:
    given = dict.fromkeys(search_space(), "nor_conv_3x3")
    tuner = NATTuner(seed=0, costs=COSTS, inputs=[given], budget=30, k=3, show=True)
    silent = NATTuner(seed=0, costs=COSTS, inputs=[given], budget=30, k=3)
    for each in (tuner, silent):
        each.update_search_space(search_space())
    lines = []
    for number in range(30):
        parameters, same = tuner.generate_parameters(number), silent.generate_parameters(number)
        assert without_shown(parameters) == same and SHOWN not in same
        lines.append(parameters[SHOWN])
        for each in (tuner, silent):
            each.receive_trial_result(number, parameters, 0.0)
    assert sum(line.startswith("query: ") for line in lines) == 26 and "input 0" in lines
    assert sum(line.startswith("output of input 0: ") for line in lines) == 3


def test_a_line_says_what_changes_and_what_it_saves() -> None:
    parent = {"a": "conv_3x3", "b": "skip_connect", "c": "none"}
    remark = {"phase": "output", "input": 2, "parent": parent, "parent_cost": [1000, 0], "cost": [370, 0]}
    line = transformation_line(remark, parent | {"a": "conv_1x1", "b": "none"})
    assert line == "output of input 2: a conv_3x3 -> conv_1x1, b skip_connect -> none; MAdds -63 %"
    assert transformation_line({**remark, "phase": "query"}, parent) == "query: nothing changed; MAdds -63 %"
    assert transformation_line({**remark, "phase": "input"}, parent) == "input 2"


def test_what_is_shown_is_no_part_of_what_is_imported() -> None:
    given = dict.fromkeys(search_space(), "nor_conv_3x3")
    tuner = NATTuner(seed=0, costs=COSTS, inputs=[given], budget=30, k=3, show=True)
    tuner.update_search_space(search_space())
    tuner.import_data([{"parameter": {**given, SHOWN: "input 0"}, "value": 0.5}])
    (trial,) = tuner.study.trials
    assert (trial.configuration, trial.value) == (given, 0.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"costs": COSTS, "show": "yes"}, "show = .yes.: true or false"),
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
