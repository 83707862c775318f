"""LaNAS on the scores of a supernet, in one process: the paper's one-shot setting, for programs in ``experiments``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
from nni.nas.evaluator import FunctionalEvaluator
from nni.nas.experiment import NasExperimentConfig
from nni.nas.space import model_context
from torch import nn

from nni_strategies.bridge.experiment import NasExperiment
from nni_strategies.bridge.strategy import StudyStrategy
from nni_strategies.supernet.candidates import Candidates
from trial_code import score_supernet


def experiment_of(
    strategy: StudyStrategy, space: tuple[Any, dict[str, Any]], arguments: list[str], trials: int
) -> NasExperiment:
    """Return an experiment in this process whose candidates are scored, not started yet.

    Parameters
    ----------
    strategy
        What proposes.
    space
        The class of the model space and its arguments.
    arguments
        Of `trial_code.score_supernet`.
    trials
        How many candidates.
    """
    config = NasExperimentConfig("sequential", "simplified")
    config.max_trial_number = trials
    evaluator = FunctionalEvaluator(score_supernet.evaluate_candidate, arguments=arguments)
    return NasExperiment(Candidates(*space), evaluator, strategy, config)


def best_of(
    strategy: StudyStrategy, space: tuple[Any, dict[str, Any]], arguments: list[str], trials: int, top: int
) -> list[tuple[float, dict[str, Any]]]:
    """Search, and return the best scores and NNI's samples; fewer than `top` where fewer were tried."""
    made = experiment_of(strategy, space, arguments, trials)
    try:
        made.run()
        models = strategy.list_models(limit=min(top, trials))
        # plain keys: labels are a class of NNI's, which a checkpoint could not be loaded with
        return [(float(model.metric), {str(k): v for k, v in model.sample.items()}) for model in models]
    finally:
        made.stop()


def stand_alone(space: tuple[Any, dict[str, Any]], sample: dict[str, Any], **size: Any) -> nn.Module:
    """Build the network of a sample with new weights; `size` replaces arguments of the space."""
    make, arguments = space
    with model_context(sample):
        network: nn.Module = make(**{**arguments, **size})
    return network


def journal_of(checkpoint: Path) -> Path:
    """Return where the search is kept: beside its supernet."""
    return checkpoint.with_suffix(".journal.jsonl")
