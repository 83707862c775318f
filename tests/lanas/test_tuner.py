from __future__ import annotations

import pytest

import nni_strategies
from nni_strategies.errors import InvalidArgument
from nni_strategies.lanas.tuner import LaNASTuner

SPACE = {
    "op": {"_type": "choice", "_value": ["conv", "pool", "skip"]},
    "lr": {"_type": "loguniform", "_value": [1e-4, 1]},
    "layers": {"_type": "randint", "_value": [1, 12]},
}


def test_it_searches_when_driven_as_nni_drives_it():
    tuner = LaNASTuner(optimize_mode="minimize", seed=0, n_init=8)
    tuner.update_search_space(SPACE)
    best = float("inf")
    for i in range(40):
        parameters = tuner.generate_parameters(i)
        loss = (parameters["op"] != "skip") + abs(parameters["layers"] - 7) / 11
        best = min(best, loss)
        tuner.receive_trial_result(i, parameters, {"default": loss})
        tuner.trial_end(i, True)
    assert best < 0.1


def test_wrong_class_arguments_are_refused_with_the_nearest_name():
    with pytest.raises(InvalidArgument, match="did you mean 'height'"):
        LaNASTuner(heigth=4)
    with pytest.raises(InvalidArgument, match="cp"):
        LaNASTuner(cp=-1)


def test_the_public_names_are_found_lazily():
    assert nni_strategies.LaNASTuner is LaNASTuner
    assert set(nni_strategies.__all__) <= set(dir(nni_strategies))
    with pytest.raises(AttributeError, match="no attribute 'LaNASS'"):
        _ = nni_strategies.LaNASS
