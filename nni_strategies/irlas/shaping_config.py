"""How experts guide a search algorithm that is not ours: what a middleware and a tuner around one are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.guidance_config import GuidanceConfig
from nni_strategies.irlas.prior import GATE

Mode = Literal["prior", "paper"]

N_INITIAL = 2 * GATE  # the gate decides while there is something left to guide


@dataclass(frozen=True)
class ShapingConfig(GuidanceConfig):
    """Options of :class:`~.middleware.MirrorStimuli` and :class:`~.shaped_tuner.MirrorStimuliTuner`.

    In ``prior`` mode no metric is changed: lam, its schedule and a latency term are for ``paper`` mode.

    Parameters
    ----------
    n_initial
        Number of trials from the prior, in prior mode, where there are no random draws to shape: before the tuner that
        is guided, and NNI's strategies ``TPE``, ``GridSearch`` and ``PolicyBasedRL``, go their own way.
    strict
        Whether an architecture whose topology cannot be read ends the search, in place of scoring 0.
    """

    mode: Mode = "prior"
    n_initial: int = N_INITIAL
    strict: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mode == "prior":
            self._refuse_what_shapes()
        if self.n_initial < 0:
            raise InvalidArgument("n_initial", self.n_initial, "an integer, 0 or more")

    def _refuse_what_shapes(self) -> None:
        for name, unset in (("lam", "auto"), ("schedule", "constant"), ("latency", None)):
            value = getattr(self, name)
            if value != unset:
                raise InvalidArgument(name, value, "absent: it is for mode='paper', prior changes no metric")


@dataclass(frozen=True)
class ShapedTunerConfig(ShapingConfig):
    """Options of :class:`~.shaped_tuner.MirrorStimuliTuner`, besides those of :class:`ShapingConfig`.

    Parameters
    ----------
    base_tuner
        The tuner that is guided: its name in a config, or ``module.Class``.
    base_args
        Its class arguments.
    """

    base_tuner: str = "TPE"
    base_args: Mapping[str, Any] = field(default_factory=dict)
