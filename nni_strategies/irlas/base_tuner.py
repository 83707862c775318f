"""The tuner that a shaped tuner wraps: found by name or class, and given the direction of the metric.

NNI's tuners do not agree on a direction: TPE and Anneal minimize unless told, the others maximize. So it is always
told here, and one that contradicts the wrapper's is refused.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from nni.tuner import Tuner

from nni_strategies.bridge.class_args import MODES
from nni_strategies.bridge.register import ALGORITHMS
from nni_strategies.bridge.tuner import StudyTuner
from nni_strategies.bridge.tuner_class import (
    check_by_validator,
    check_kind,
    class_by_name,
    class_by_path,
    unknown_arguments,
)
from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.given_experts import Experts
from nni_strategies.irlas.prior import ExpertPrior
from nni_strategies.irlas.scoring import BlocksOf, ConfigurationScores
from nni_strategies.irlas.shaping_config import N_INITIAL, ShapingConfig
from nni_strategies.search.searcher import Searcher
from nni_strategies.space.search_space import SearchSpace

#: NNI's tuners whose ``import_data`` does nothing, or nothing once an experiment runs.
IGNORE_IMPORTS = ("EvolutionTuner", "PBTTuner")


def make_base(name: Any, base_args: Any, optimize_mode: Any, seed: int | None) -> Any:
    """Build a tuner.

    Parameters
    ----------
    name
        As in ``tuner: {name: ...}`` of a config, or ``module.Class``.
    base_args
        Its class arguments, or None.
    optimize_mode
        ``maximize`` or ``minimize``; handed on to a tuner that takes one.
    seed
        The same, unless `base_args` has one.

    Raises
    ------
    InvalidArgument
        No direction or two different ones, no such tuner, an advisor, arguments it does not take, or whatever it
        makes of them.
    """
    if optimize_mode not in MODES:
        allowed = "maximize or minimize, always given: NNI's tuners do not agree on a default"
        raise InvalidArgument("optimize_mode", optimize_mode, allowed, MODES)
    if base_args is not None and not isinstance(base_args, Mapping):
        raise InvalidArgument("base_args", base_args, "a dictionary of class arguments")
    given = dict(base_args or {})
    if given.get("optimize_mode", optimize_mode) != optimize_mode:
        allowed = f"absent, or {optimize_mode} as optimize_mode says"
        raise InvalidArgument("base_args.optimize_mode", given["optimize_mode"], allowed)
    name = next((path for ours, path in ALGORITHMS.items() if ours.lower() == str(name).lower()), name)
    path = isinstance(name, str) and "." in name
    found, registered = (class_by_path(name, None), {}) if path else class_by_name(name)
    check_kind("base_tuner", found, "tuner")
    if not issubclass(found, Tuner):
        raise InvalidArgument("base_tuner", name, "a tuner: an advisor schedules its trials itself")
    passed_on = {"optimize_mode": optimize_mode, **({} if seed is None else {"seed": seed})}
    given = {**{key: value for key, value in passed_on.items() if _takes(found, key)}, **given}
    arguments = {**registered, **given}
    for problem in unknown_arguments(found, arguments):
        raise problem
    if not path:
        check_by_validator(name, given)
    try:
        return found(**arguments)
    except InvalidArgument:
        raise
    except Exception as error:  # whatever it makes of wrong arguments
        raise InvalidArgument("base_args", given, f"arguments {name} can be built with: {error!r}") from error


def give_prior(base: StudyTuner, config: ShapingConfig, blocks_of: BlocksOf, experts: Experts) -> None:
    """Let one of this package's tuners make its blind draws from the expert prior.

    Raises
    ------
    InvalidArgument
        In paper mode, as its recovery would mix raw and shaped metrics; for a tuner that has experts itself; and a
        number of initial trials, which is an argument of its own.
    """
    if config.mode == "paper" or hasattr(base.searcher_class.Config, "experts"):
        allowed = (
            "a tuner of NNI's or yours, or LaNAS with mode='prior'; IRLAS has experts and mode='paper' itself, "
            "without MirrorStimuli around it"
        )
        raise InvalidArgument("base_tuner", base.searcher_class.algorithm, allowed)
    if config.n_initial != N_INITIAL:
        allowed = f"absent: how many trials {base.searcher_class.algorithm} draws blindly is one of its base_args"
        raise InvalidArgument("n_initial", config.n_initial, allowed)
    plain = base.make_searcher

    def make_searcher(space: SearchSpace) -> Searcher:
        searcher = plain(space)
        scores = ConfigurationScores(space, blocks_of, experts, measure=config.measure, reduce=config.reduce)
        prior = ExpertPrior(scores, beta=config.beta, gate=config.gate, threshold=config.threshold)
        return type(searcher)(space, searcher.config, prior=prior)

    base.make_searcher = make_searcher  # type: ignore[method-assign]


def learns_from_imports(tuner: Any) -> bool:
    """Whether ``import_data`` of a tuner makes it any wiser."""
    return type(tuner).import_data is not Tuner.import_data and type(tuner).__name__ not in IGNORE_IMPORTS


def _takes(found: type, name: str) -> bool:
    return name in inspect.signature(found).parameters
