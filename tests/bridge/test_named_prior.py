"""Priors by name: any tuner and any strategy of this package takes one."""

from __future__ import annotations

import pytest

from nni_strategies.bridge.named_prior import named_prior
from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.prior import ExpertPrior
from nni_strategies.lanas.strategy import LaNAS
from nni_strategies.lanas.tuner import LaNASTuner
from nni_strategies.search.searcher import UniformPrior
from nni_strategies.space.from_json import space_from_json

OPERATIONS = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
CELL = {f"cell.edge_{i}_{j}": {"_type": "choice", "_value": OPERATIONS} for j in (1, 2, 3) for i in range(j)}


def test_a_name_or_a_dictionary():
    space = space_from_json(CELL)
    assert named_prior(None) is None
    assert isinstance(named_prior("experts")(space), ExpertPrior)
    made = named_prior({"name": "experts", "experts": ["resnext"], "beta": 1.0})(space)
    assert made.beta == 1.0 and list(made.scores.projections) == ["resnext"]


@pytest.mark.parametrize(
    ("given", "match"),
    [("expert", "did you mean 'experts'"), ({"experts": ["resnext"]}, "name of a prior"), (3, "name of a prior"),
     ({"name": "experts", "bta": 1.0}, "did you mean 'beta'"), ({"name": "experts", "beta": -1.0}, "beta"),
     ({"name": "experts", "beta": "x"}, "a finite number")],
)  # fmt: skip
def test_what_cannot_be_is_refused(given, match):
    with pytest.raises(InvalidArgument, match=match):
        named_prior(given)


def test_lanas_takes_one_as_a_tuner():
    tuner = LaNASTuner(seed=1, prior={"name": "experts", "experts": ["resnet_basic"]})
    tuner.update_search_space(CELL)
    assert isinstance(tuner.study.searcher.prior, ExpertPrior)
    assert tuner.study.journal.header["prior"]["name"] == "experts"
    parameters = tuner.generate_parameters(0)
    tuner.receive_trial_result(0, parameters, 0.5)
    assert len(tuner.study.finished) == 1
    assert isinstance(plain().study.searcher.prior, UniformPrior)


def plain() -> LaNASTuner:
    tuner = LaNASTuner(seed=1)
    tuner.update_search_space(CELL)
    return tuner


def test_lanas_takes_one_as_a_strategy():
    made = LaNAS(prior="experts").make_searcher(space_from_json(CELL))
    assert isinstance(made.prior, ExpertPrior)
    with pytest.raises(InvalidArgument, match="did you mean"):
        LaNAS(prior="exprts")


def test_a_misspelt_argument_names_prior():
    with pytest.raises(InvalidArgument, match="did you mean 'prior'"):
        LaNASTuner(priors="experts")
