from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nni_strategies.errors import InvalidArgument
from nni_strategies.lanas import LaNASConfig
from nni_strategies.lanas.presets import DEFAULTS, PRESETS


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_valid_and_survives_json(preset):
    config = LaNASConfig(preset=preset)
    plain = json.loads(json.dumps(config.to_json()))
    assert LaNASConfig(**plain) == config
    assert plain == {"preset": preset, **DEFAULTS, **PRESETS[preset]}


def test_what_is_given_wins_over_the_preset_even_when_it_is_the_general_default():
    config = LaNASConfig(preset="paper", local_sampler="gp", cp=0.3)
    assert (config.local_sampler, config.cp, config.n_init) == ("gp", 0.3, 50)


def test_the_official_constants():
    nasbench = LaNASConfig(preset="nasbench101")
    assert (nasbench.cp, nasbench.height, nasbench.n_init, nasbench.relearn_every) == (0.1, 5, 10, 20)
    assert nasbench.value_transform == "none"
    oneshot = LaNASConfig(preset="oneshot")
    assert (oneshot.n_init, oneshot.relearn_every, oneshot.height, oneshot.cp) == (1, 1, 5, 0.1)
    distributed = LaNASConfig(preset="distributed")
    assert (distributed.height, distributed.n_init, distributed.relearn_every) == (8, 2000, 50)
    ackley = LaNASConfig(preset="lamcts_ackley")
    assert (ackley.cp, ackley.min_split, ackley.svm_kernel, ackley.n_init, ackley.ucb) == (1.0, 11, "rbf", 40, "sqrt")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("preset", "papr"),
        ("preset", 3),
        ("n_init", 0),
        ("n_init", 2.5),
        ("n_init", True),
        ("relearn_every", 0),
        ("relearn_fraction", -0.1),
        ("value_transform", "ranks"),
        ("split", "tree"),
        ("ridge_lambda", 0),
        ("ridge_lambda", float("nan")),
        ("svm_kernel", "gauss"),
        ("svm_gamma", -1),
        ("svm_gamma", "big"),
        ("training_route", "value"),
        ("height", 0),
        ("height", 65),
        ("min_split", 1),
        ("min_leaf", 0),
        ("cp", -0.1),
        ("cp", "0.1"),
        ("cp", float("inf")),
        ("ucb", "ln"),
        ("pending", "none"),
        ("on_failure", "retry"),
        ("local_sampler", "bo"),
        ("histogram", 1),
        ("histogram_groups", "op"),
        ("histogram_groups", [["a", 1]]),
        ("stagnation", -1),
        ("n_parents", 0),
        ("n_candidates", 0),
        ("enough_candidates", None),
        ("gp_points", 5),
        ("gp_fit_points", 1),
        ("gp_steps", -1),
    ],
)
def test_a_bad_value_is_refused_with_its_field(field, value):
    with pytest.raises(InvalidArgument) as raised:
        LaNASConfig(**{field: value})
    assert raised.value.field == field
    assert raised.value.allowed


def test_a_misspelt_word_gets_the_nearest():
    with pytest.raises(InvalidArgument, match="did you mean 'paper'"):
        LaNASConfig(preset="papr")


def test_of_a_pool_the_file_is_told_or_the_size():
    assert LaNASConfig().to_json()["pool"] is None
    assert LaNASConfig(pool=np.zeros((3, 2))).to_json()["pool"] == {"size": 3}
    assert LaNASConfig(pool="cells.npy").to_json()["pool"] == "cells.npy"
    assert LaNASConfig(pool=Path("cells.npy")).to_json()["pool"] == "cells.npy"
