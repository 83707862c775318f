"""NNI's one-shot strategies, guided: ``IRLASDarts(lam=0.1)`` in the place of ``DARTS()``.

Each takes the arguments of NNI's strategy as well, and trains the same supernet. The experts are compared with the
supernet when it is made, before any training; what does not fit is refused then. With lam = 0 and no profiler the
search is NNI's own, number for number: its penalty is left out, since NNI would draw random numbers for it
(GumbelDARTS).

NNI's ENAS does not run beside today's pytorch-lightning, which no longer tells a step which of several loaders its
batch is from; ours tells it itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
from nni.nas.oneshot.pytorch.strategy import DARTS, ENAS, GumbelDARTS, Proxyless, RandomOneShot

from nni_strategies.bridge.tagged_batches import TaggedBatches
from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.one_shot.expected_features import EXPERTS, Experts
from nni_strategies.irlas.one_shot.penalty import MirrorFilter, MirrorPenalty, MirrorReward

_LATENCY = ("profiler", "baseline", "scale", "nonlinear", "aggregate")


class _Guided:
    """Binds a strategy's guide to the supernet it makes."""

    guide: Any

    def mutate_model(self, model: Any) -> Any:
        """Convert the model space to a supernet, which the guide reads."""
        supernet = super().mutate_model(model)  # type: ignore[misc]
        if not self.guide.is_idle:
            self.guide.bind(supernet)
        return supernet


class _GuidedByLoss(_Guided):
    def __init__(self, experts: Experts = EXPERTS, lam: float = 0.1, **kwargs: Any) -> None:
        if "penalty" in kwargs:
            raise InvalidArgument("penalty", repr(kwargs["penalty"]), f"{', '.join(_LATENCY)} as arguments instead")
        latency = {name: kwargs.pop(name) for name in _LATENCY if name in kwargs}
        self.guide = MirrorPenalty(experts, lam, **latency)
        super().__init__(penalty=None if self.guide.is_idle else self.guide, **kwargs)  # type: ignore[call-arg]


class IRLASDarts(_GuidedByLoss, DARTS):  # type: ignore[misc]  # NNI has no types
    """DARTS with the mirror penalty.

    Parameters
    ----------
    experts, lam, profiler, baseline, scale, nonlinear, aggregate
        See :class:`~nni_strategies.irlas.one_shot.penalty.MirrorPenalty`.
    **kwargs
        Of ``nni.nas.strategy.DARTS``, but for `penalty`.

    Raises
    ------
    InvalidArgument
        A bad argument; when the search begins, a space that does not fit.
    """


class IRLASGumbelDarts(_GuidedByLoss, GumbelDARTS):  # type: ignore[misc]
    """GumbelDARTS with the mirror penalty; see :class:`IRLASDarts`."""


class IRLASProxyless(_GuidedByLoss, Proxyless):  # type: ignore[misc]
    """Proxyless with the mirror penalty; see :class:`IRLASDarts`."""


class IRLASENAS(_Guided, ENAS):  # type: ignore[misc]
    """ENAS with the mirror reward.

    Parameters
    ----------
    experts, lam
        See :class:`~nni_strategies.irlas.one_shot.penalty.MirrorReward`.
    **kwargs
        Of ``nni.nas.strategy.ENAS``, but for `penalty`.
    """

    def __init__(self, experts: Experts = EXPERTS, lam: float = 0.1, **kwargs: Any) -> None:
        if "penalty" in kwargs:
            raise InvalidArgument("penalty", repr(kwargs["penalty"]), "left out: the stimuli take its place")
        self.guide = MirrorReward(experts, lam)
        super().__init__(penalty=None if self.guide.is_idle else self.guide, **kwargs)

    def train_dataloader(self, train_dataloader_fn: Callable[[], Any], val_dataloader_fn: Callable[[], Any]) -> Any:
        """Return the training batches, then the validation batches."""
        return TaggedBatches({"train": train_dataloader_fn(), "val": val_dataloader_fn()})


class IRLASRandomOneShot(_Guided, RandomOneShot):  # type: ignore[misc]
    """RandomOneShot among samples with S >= min_score.

    Parameters
    ----------
    min_score, experts
        See :class:`~nni_strategies.irlas.one_shot.penalty.MirrorFilter`.
    **kwargs
        Of ``nni.nas.strategy.RandomOneShot``, but for `filter`.
    """

    def __init__(self, min_score: float = 0.0, experts: Experts = EXPERTS, **kwargs: Any) -> None:
        if "filter" in kwargs:
            raise InvalidArgument("filter", repr(kwargs["filter"]), "left out: the stimuli take its place")
        self.guide = MirrorFilter(min_score, experts)
        super().__init__(filter=self.guide, **kwargs)
