"""Mirror stimuli for the one-shot strategies of nni.nas: a penalty with a gradient, a reward, a filter."""

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
