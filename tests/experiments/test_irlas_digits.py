"""experiments/irlas_digits: what its files say, and that its tuner is guided on this space."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from nni_strategies.bridge.validate import validate_config
from nni_strategies.irlas.scoring import DEFAULT_EXPERTS
from nni_strategies.irlas.tuner import IRLASTuner
from search_spaces.digits_cell import check, search_space

CHECKOUT = Path(__file__).resolve().parents[2]
FILE = CHECKOUT / "experiments" / "irlas_digits" / "config.yml"


@pytest.fixture
def config() -> dict[str, Any]:
    return dict(yaml.safe_load(FILE.read_text()))


@pytest.mark.timeout(30)
def test_the_configuration_is_valid(config):
    assert validate_config(FILE).problems == []
    assert config["searchSpace"] == search_space()
    assert (CHECKOUT / "trial_code" / config["trialCommand"].split()[-1]).is_file()
    arguments = config["tuner"]["classArgs"]
    assert arguments["budget"] == config["maxTrialNumber"]
    assert tuple(arguments["experts"]) == DEFAULT_EXPERTS


@pytest.mark.timeout(30)
def test_the_tuner_of_the_file_is_guided(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = config["tuner"]["classArgs"]
    tuner = IRLASTuner(**arguments)
    tuner.update_search_space(config["searchSpace"])
    drawn = [tuner.generate_parameters(number) for number in range(12)]
    for cell in drawn:
        check(cell)
    scores = tuner.study.searcher.scores
    assert set(scores.projections) == set(arguments["experts"])
    # half of the first draws come from the prior: the best of twelve is rarer than one in twelve of uniform ones
    assert max(scores.score(cell) for cell in drawn) > 2 * scores.stimuli.sd
