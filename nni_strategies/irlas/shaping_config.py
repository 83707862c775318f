"""How experts guide a search algorithm that is not ours: what a middleware and a tuner around one are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.guidance_config import GuidanceConfig

Mode = Literal["prior", "paper"]


@dataclass(frozen=True)
class ShapingConfig(GuidanceConfig):
    """Options of :class:`~.middleware.MirrorStimuli` and :class:`~.shaped_tuner.MirrorStimuliTuner`.

    In ``prior`` mode no metric is changed; a latency term is for ``paper`` mode.

    Parameters
    ----------
    strict
        Whether an architecture whose topology cannot be read ends the search, in place of scoring 0.
    """

    mode: Mode = "prior"
    strict: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.latency is not None and self.mode == "prior":
            raise InvalidArgument("latency", self.latency, "absent: it is for mode='paper', prior changes no metric")


@dataclass(frozen=True)
class ShapedTunerConfig(ShapingConfig):
    """Options of :class:`~.shaped_tuner.MirrorStimuliTuner`, besides those of :class:`ShapingConfig`.

    Parameters
    ----------
    base_tuner
        The tuner that is guided: its name in a config, or ``module.Class``.
    base_args
        Its class arguments.
    n_initial
        Number of trials from the prior, in prior mode.
    """

    base_tuner: str = "TPE"
    base_args: Mapping[str, Any] = field(default_factory=dict)
    n_initial: int = 40  # twice the gate: it decides while there is something left to guide

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_initial < 0:
            raise InvalidArgument("n_initial", self.n_initial, "an integer, 0 or more")
