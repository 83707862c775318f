"""IRLAS for nni.nas: hub spaces are read by their class, experts may be any graph."""

from __future__ import annotations

from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
import numpy as np
import pytest
from nni.nas.evaluator import FunctionalEvaluator

from nni_strategies.bridge.experiment import NasExperiment
from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.experts import expert
from nni_strategies.irlas.prior import ExpertPrior
from nni_strategies.irlas.strategy import IRLAS
from tests.hub_spaces import build

pytestmark = pytest.mark.timeout(60)  # 2,000 members of a space are read


@pytest.mark.slow
@pytest.mark.parametrize("name", ["NasBench201", "DARTS", "MobileNetV3Space"])
def test_guided_on_hub_spaces(name: str):
    """The minimal example of each: what the prior draws scores above what is drawn uniformly."""
    model_space, view = build(name)
    strategy = IRLAS(budget=20, gate=0, seed=1)
    strategy.look_at(model_space)
    searcher: Any = strategy.make_searcher(view.space)
    assert isinstance(searcher.prior, ExpertPrior)
    assert searcher.scores.unreadable == 0
    rng = np.random.default_rng(0)
    guided, plain = searcher.prior.sample_codes(rng, 40), view.space.sample_codes(rng, 40)
    assert searcher.prior.stimulus(guided).mean() > searcher.prior.stimulus(plain).mean() + 0.5


@pytest.mark.slow
def test_an_experiment_finds_nothing_wrong_where_labels_do_not_say_all():
    model_space, _ = build("MobileNetV3Space")
    experiment = NasExperiment(model_space, FunctionalEvaluator(print), IRLAS(seed=0))
    experiment._check()  # what run() does first


def test_experts_of_one_s_own():
    _, view = build("NasBench201")
    strategy = IRLAS(experts={"mine": expert("inception")})
    searcher: Any = strategy.make_searcher(view.space)
    assert list(searcher.scores.projections) == ["mine"]
    assert strategy.extra_repr().count("experts=('mine',)") == 1
    with pytest.raises(InvalidArgument, match="networks"):
        IRLAS(experts={"mine": 3})


def test_a_misspelt_argument_is_refused():
    with pytest.raises(InvalidArgument, match="did you mean 'budget'"):
        IRLAS(budgt=3)
