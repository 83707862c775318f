"""Candidates are samples; their search space is that of the whole model space, and LaNAS searches it by scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401

# isort: split
import nni
import numpy as np
import pytest
import torch
from nni.nas.evaluator import FunctionalEvaluator
from nni.nas.experiment import NasExperimentConfig
from nni.nas.space import SimplifiedModelSpace, model_context

from nni_strategies import LaNAS
from nni_strategies.bridge.experiment import NasExperiment
from nni_strategies.space.from_nni import ModelSpaceView
from nni_strategies.supernet.candidates import Candidate, Candidates
from nni_strategies.supernet.network import Supernet
from nni_strategies.supernet.scorer import Scorer
from search_spaces.digits_cell_nas import DigitsCellSpace
from search_spaces.lanas_cells_nas import LaNASCellSpace
from search_spaces.layered_conv_nas import LayeredConvSpace

SMALL = {"channels": 2}
SCORER: list[Scorer] = []


@pytest.mark.parametrize(
    ("family", "arguments"),
    [(DigitsCellSpace, SMALL), (LaNASCellSpace, {"width": 2, "cells": 3}), (LayeredConvSpace, None)],
)
def test_the_space_is_the_same(family: Any, arguments: Any):
    whole = ModelSpaceView(family(**(arguments or {})))
    view = ModelSpaceView(Candidates(family, arguments))
    assert view.space.hash == whole.space.hash
    configuration = whole.space.sample(np.random.default_rng(0))
    with model_context(view.sample(configuration)):
        candidate = Candidates(family, arguments)
    assert type(candidate) is Candidate
    assert whole.configuration(candidate.sample) == configuration


def test_a_trial_gets_names_and_no_layers():
    space = Candidates(DigitsCellSpace, SMALL)
    sample = dict.fromkeys(space.simplify(), "none")
    dumped = nni.dump(SimplifiedModelSpace.from_model(space).freeze(sample))
    assert "path:search_spaces.digits_cell_nas.DigitsCellSpace" in dumped
    assert nni.load(dumped).executable_model().sample == sample
    assert list(space.parameters()) == []


def score(candidate: Candidate) -> None:
    (scorer,) = SCORER
    nni.report_final_result(scorer(candidate.sample))


@pytest.mark.timeout(60)
def test_an_experiment_on_scores(tmp_path: Path):
    supernet = Supernet.built(lambda: DigitsCellSpace(**SMALL))
    images = torch.randn(20, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    SCORER[:] = [Scorer(supernet, [(images, torch.arange(20) % 10)])]
    config = NasExperimentConfig("sequential", "simplified")
    config.experiment_working_directory = str(tmp_path)
    config.max_trial_number = 12
    strategy = LaNAS(seed=0, n_init=4)
    made = NasExperiment(Candidates(DigitsCellSpace, SMALL), FunctionalEvaluator(score), strategy, config)
    try:
        assert made.run()
        models = made.export_top_models(12)
        assert len(models) == 12
        assert [model.metric for model in models] == [SCORER[0](model.sample) for model in models]
    finally:
        made.stop()
