"""Mirror stimuli for the one-shot strategies of nni.nas: a penalty with a gradient, a reward, a filter."""

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
import nni.nas.strategy  # noqa: F401  # before nni.nas.oneshot: by itself that leaves NNI's own DARTS() unusable

from nni_strategies.irlas.one_shot.one_hop import OneHop
from nni_strategies.irlas.one_shot.penalty import MirrorFilter, MirrorPenalty, MirrorReward
from nni_strategies.irlas.one_shot.strategies import (
    IRLASENAS,
    IRLASDarts,
    IRLASGumbelDarts,
    IRLASProxyless,
    IRLASRandomOneShot,
)

__all__ = [
    "IRLASENAS",
    "IRLASDarts",
    "IRLASGumbelDarts",
    "IRLASProxyless",
    "IRLASRandomOneShot",
    "MirrorFilter",
    "MirrorPenalty",
    "MirrorReward",
    "OneHop",
]
