"""Neural-architecture search as plug-ins of NNI 3.0: LaNAS proposes what to train next, a teacher judges it early.

Names are imported when they are first used: a tuner's process loads no torch, a trial's no searcher.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nni_strategies.lanas.config import LaNASConfig as LaNASConfig
    from nni_strategies.lanas.searcher import LaNASSearcher as LaNASSearcher
    from nni_strategies.lanas.strategy import LaNAS as LaNAS
    from nni_strategies.lanas.tuner import LaNASTuner as LaNASTuner
    from nni_strategies.rsa.evaluator import TeacherGuidedEvaluator as TeacherGuidedEvaluator

_HOMES = {
    "LaNAS": "lanas.strategy",
    "LaNASConfig": "lanas.config",
    "LaNASSearcher": "lanas.searcher",
    "LaNASTuner": "lanas.tuner",
    "TeacherGuidedEvaluator": "rsa.evaluator",
}

__all__ = ["LaNAS", "LaNASConfig", "LaNASSearcher", "LaNASTuner", "TeacherGuidedEvaluator"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
