"""experiments/nat_digits: what its files say, that its costs are those of the networks, that its tuner transforms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from nni_strategies.bridge.validate import validate_config
from nni_strategies.nat.counter import count
from nni_strategies.nat.tuner import NATTuner
from nni_strategies.nni_database import without_shown
from search_spaces.digits_cell import INPUT_SHAPE, LABELS, OPERATIONS, DigitsNet, check, search_space

CHECKOUT = Path(__file__).resolve().parents[2]
FILE = CHECKOUT / "experiments" / "nat_digits" / "config.yml"

pytestmark = pytest.mark.timeout(30)


@pytest.fixture
def config() -> dict[str, Any]:
    return dict(yaml.safe_load(FILE.read_text()))


def test_the_configuration_is_valid(config):
    found = validate_config(FILE)
    assert (found.problems, found.advice) == ([], [])
    assert config["searchSpace"] == search_space()
    assert (CHECKOUT / "trial_code" / config["trialCommand"].split()[-1]).is_file()
    assert config["tuner"]["classArgs"]["budget"] == config["maxTrialNumber"]


def test_its_costs_are_those_of_the_networks(config):
    costs = config["tuner"]["classArgs"]["costs"]
    nothing = count(DigitsNet(dict.fromkeys(LABELS, "none")), INPUT_SHAPE)
    for operation in OPERATIONS:
        one = count(DigitsNet({**dict.fromkeys(LABELS, "none"), LABELS[4]: operation}), INPUT_SHAPE)
        assert costs.get(operation, [0, 0]) == [one.madds - nothing.madds, one.params - nothing.params]


def test_the_tuner_of_the_file_transforms_its_inputs(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = config["tuner"]["classArgs"]
    tuner = NATTuner(**arguments)
    tuner.update_search_space(config["searchSpace"])
    for number in range(config["maxTrialNumber"]):
        cell = without_shown(tuner.generate_parameters(number))
        check(cell)
        tuner.receive_trial_result(number, cell, list(cell.values()).count("skip_connect"))
    assert tuner.study.counts.total() == 0
    phases = [e["remarks"]["nat"]["phase"] for e in tuner.study.journal.events if e["event"] == "proposed"]
    n_outputs = phases.count("output")
    assert n_outputs >= arguments["k"] * len(arguments["inputs"]) and phases.count("input") == len(arguments["inputs"])
    for number, given in enumerate(arguments["inputs"]):
        found = tuner.study.searcher.transformed(number)
        assert found.before == given and found.score_after > found.score_before
