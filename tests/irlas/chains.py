"""Chains of NNI's multi-trial strategies and MirrorStimuli, run on NNI's sequential engine."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

import nni_strategies.bridge.torchvision_first  # noqa: F401

# isort: split
import torch
from nni.nas.evaluator import FunctionalEvaluator
from nni.nas.execution import SequentialExecutionEngine
from nni.nas.space import SimplifiedModelSpace
from nni.nas.strategy import TPE, GridSearch, PolicyBasedRL, Random, RegularizedEvolution
from nni.nas.strategy.middleware import Chain

from nni_strategies.bridge.strategy import StudyStrategy
from nni_strategies.irlas import scoring
from nni_strategies.irlas.middleware import MirrorStimuli
from nni_strategies.search.baselines import RandomSearch

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))
from edge_space import EdgeSpace, evaluate


@pytest.fixture(autouse=True)
def few_members(monkeypatch):
    """The scale is that of 200 members, read in a tenth of the time."""
    monkeypatch.setattr(scoring, "_MEMBERS", 200)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    """NNI's TPE strategy pauses a second after each trial."""
    monkeypatch.setattr("nni.nas.strategy.hpo.time.sleep", lambda _: None)


class Ours(StudyStrategy):
    searcher_class = RandomSearch


def rl():
    if importlib.util.find_spec("tianshou") is None:
        pytest.skip("needs tianshou")
    torch.manual_seed(5)  # it has no seed of its own
    np.random.seed(5)  # nor has its replay buffer
    return PolicyBasedRL(samples_per_update=4)


STRATEGIES = {
    "Random": lambda: Random(seed=5),
    "GridSearch": lambda: GridSearch(seed=5),
    "RegularizedEvolution": lambda: RegularizedEvolution(population_size=8, sample_size=4, mutation_prob=0.3, seed=5),
    "TPE": lambda: TPE(optimize_mode="maximize", seed=5),
    "PolicyBasedRL": rl,
    "ours": lambda: Ours(seed=5),
}
RESUMABLE = ["Random", "GridSearch", "RegularizedEvolution"]


def run(strategy, *middlewares, n=24, evaluate=evaluate, formats=SimplifiedModelSpace, state=None, fails=False):
    """Search with a chain, or with the strategy alone; return what ran it."""
    whole = Chain(strategy, *middlewares) if middlewares else strategy
    engine = SequentialExecutionEngine(max_model_count=n, continue_on_failure=fails)
    whole.initialize(formats.from_model(EdgeSpace(), FunctionalEvaluator(evaluate)), engine)
    if state is not None:
        whole.load_state_dict(state)
    whole.run()
    return whole, engine


def samples(engine):
    return [json.dumps(model.sample, sort_keys=True) for model in engine._history]


def paper(**options):
    return MirrorStimuli(mode="paper", **options)


def engine_of(n):
    return SequentialExecutionEngine(max_model_count=n)


def space_of(evaluate=evaluate):
    """Return the model space, ready for a strategy."""
    return SimplifiedModelSpace.from_model(EdgeSpace(), FunctionalEvaluator(evaluate))
