"""Neural-architecture search as plug-ins of NNI 3.0: LaNAS proposes, a teacher judges early, expert networks guide.

NAT transforms what is there already. Names are imported when they are first used: a tuner's process loads no torch
unless the tuner has a policy to learn, a trial's no searcher.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nni_strategies.irlas.middleware import MirrorStimuli as MirrorStimuli
    from nni_strategies.irlas.searcher import IRLASConfig as IRLASConfig
    from nni_strategies.irlas.searcher import IRLASSearcher as IRLASSearcher
    from nni_strategies.irlas.shaped_tuner import MirrorStimuliTuner as MirrorStimuliTuner
    from nni_strategies.irlas.strategy import IRLAS as IRLAS
    from nni_strategies.irlas.tuner import IRLASTuner as IRLASTuner
    from nni_strategies.lanas.config import LaNASConfig as LaNASConfig
    from nni_strategies.lanas.searcher import LaNASSearcher as LaNASSearcher
    from nni_strategies.lanas.strategy import LaNAS as LaNAS
    from nni_strategies.lanas.tuner import LaNASTuner as LaNASTuner
    from nni_strategies.nat.config import NATConfig as NATConfig
    from nni_strategies.nat.one_shot.strategy import NATOneShot as NATOneShot
    from nni_strategies.nat.searcher import NATSearcher as NATSearcher
    from nni_strategies.nat.strategy import NAT as NAT
    from nni_strategies.nat.tuner import NATTuner as NATTuner
    from nni_strategies.rsa.evaluator import TeacherGuidedEvaluator as TeacherGuidedEvaluator

_HOMES = {
    "IRLAS": "irlas.strategy",
    "IRLASConfig": "irlas.searcher",
    "IRLASSearcher": "irlas.searcher",
    "IRLASTuner": "irlas.tuner",
    "LaNAS": "lanas.strategy",
    "LaNASConfig": "lanas.config",
    "LaNASSearcher": "lanas.searcher",
    "LaNASTuner": "lanas.tuner",
    "MirrorStimuli": "irlas.middleware",
    "MirrorStimuliTuner": "irlas.shaped_tuner",
    "NAT": "nat.strategy",
    "NATConfig": "nat.config",
    "NATOneShot": "nat.one_shot.strategy",
    "NATSearcher": "nat.searcher",
    "NATTuner": "nat.tuner",
    "TeacherGuidedEvaluator": "rsa.evaluator",
}

__all__ = [
    "IRLAS",
    "NAT",
    "IRLASConfig",
    "IRLASSearcher",
    "IRLASTuner",
    "LaNAS",
    "LaNASConfig",
    "LaNASSearcher",
    "LaNASTuner",
    "MirrorStimuli",
    "MirrorStimuliTuner",
    "NATConfig",
    "NATOneShot",
    "NATSearcher",
    "NATTuner",
    "TeacherGuidedEvaluator",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
