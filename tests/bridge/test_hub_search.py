"""Every space of NNI's hub is searched by LaNAS: valid, new points, better than the blind ones it began with."""

from __future__ import annotations

import numpy as np
import pytest

from nni_strategies.lanas.config import LaNASConfig
from nni_strategies.lanas.searcher import LaNASSearcher
from nni_strategies.search.study import Study
from tests.hub_spaces import HUB, build


@pytest.mark.slow
@pytest.mark.parametrize("name", HUB)
def test_lanas_searches_the_space(name):
    model_space, view = build(name)
    worth = np.random.default_rng(0).normal(size=view.space.n_codes)
    study = Study(LaNASSearcher(view.space, LaNASConfig(n_init=15)))
    for _ in range(30):
        trial = study.ask()
        code = np.maximum(view.space.encode([trial.configuration])[0], 0)
        study.tell(trial.id, float(code @ worth))
    assert not study.counts  # no duplicate, no fallback, nothing invalid
    assert len({view.space.key(trial.configuration) for trial in study.trials}) == 30
    for trial in study.trials[::3]:
        assert model_space.contains(view.sample(trial.configuration))
    values = [trial.value for trial in study.trials]
    assert np.mean(values[15:]) > np.mean(values[:15]) + np.std(values[:15])
