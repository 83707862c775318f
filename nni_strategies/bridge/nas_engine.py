"""What a strategy has to know of the engine it was given, in one place: these are NNI's private parts.

An engine may be wrapped in middlewares. The innermost one is either the sequential engine, which trains in this
process, or the training-service engine, which has an NNI manager (its ``nodejs_binding``, the experiment).
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
from nni.nas.execution import Middleware

from nni_strategies.bridge.launch import is_mended
from nni_strategies.bridge.rest import Rest


def innermost(engine: Any) -> Any:
    """Return the engine below all middlewares."""
    while isinstance(engine, Middleware):
        engine = engine.engine
    return engine


def shape_recovered(engine: Any, configuration: Mapping[str, Any], metric: Any) -> Any:
    """Return what middlewares make of a result that came while no strategy was there to be told.

    A middleware that changes metrics has a method ``shape_recovered(configuration, metric)``; the innermost is asked
    first, as the result would have passed it.
    """
    if not isinstance(engine, Middleware):
        return metric
    metric = shape_recovered(engine.engine, configuration, metric)
    shapes = getattr(engine, "shape_recovered", None)
    return metric if shapes is None else shapes(configuration, metric)


def experiment_of(engine: Any) -> Any:
    """Return the experiment whose manager runs the trials, or None for an engine without one."""
    return getattr(innermost(engine), "nodejs_binding", None)


def checkpoint_folder(engine: Any) -> Path | None:
    """Return ``<experiment>/checkpoint``, or None for an engine without a manager."""
    experiment = experiment_of(engine)
    return None if experiment is None else Path(experiment._checkpoint_directory)


def rest_of(experiment: Any) -> Rest:
    """Return the REST interface of an experiment's manager."""
    prefix = f"/{experiment.url_prefix.strip('/')}" if experiment.url_prefix else ""
    return Rest(f"http://localhost:{experiment.port}{prefix}")


def mixes_pairs(engine: Any) -> bool:
    """Whether NNI may record concurrent trials with each other's parameters: several at a time, manager not mended."""
    experiment = experiment_of(engine)
    if experiment is None or getattr(experiment, "mended", False) or is_mended():
        return False
    concurrency = getattr(experiment.config, "trial_concurrency", 1)
    return not isinstance(concurrency, int) or concurrency > 1


def last_parameter_id(engine: Any) -> int | None:
    """Return the parameter id of the model that was submitted last, or None where there are none."""
    number = getattr(innermost(engine), "_current_parameter_id", None)
    return number if isinstance(number, int) else None


def adopt(engine: Any, parameter_id: int, model: Any) -> None:
    """Let events of `parameter_id` reach `model`, as if this process had submitted it.

    A resumed manager runs its unfinished trials again by itself; NNI drops their events for want of a model.
    """
    innermost(engine)._models[parameter_id] = weakref.ref(model)


def occupy(engine: Any, n_workers: int) -> None:
    """Take `n_workers` places that a resumed manager offers although its own trials fill them."""
    innermost(engine)._workers -= n_workers


def count_models(engine: Any, n_models: int) -> None:
    """Tell the sequential engine how many models count against its budget; others know by themselves."""
    inner = innermost(engine)
    if hasattr(inner, "_model_count"):
        inner._model_count = n_models


def most_trials(engine: Any) -> int | None:
    """Return the experiment's maximum number of trials as it is now, None for none or an engine without a manager.

    The manager asks for a new trial whenever one ends, also when that many were submitted; it then never runs it.
    """
    experiment = experiment_of(engine)
    if experiment is None:
        return None
    maximum = experiment.get_experiment_profile()["params"].get("maxTrialNumber")
    return maximum if isinstance(maximum, int) else None
