"""How experts guide a search algorithm that is not ours: what a middleware and a tuner around one are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.latency_terms import LatencyTerm, term_of
from nni_strategies.irlas.prior import BETA, GATE, THRESHOLD, check_prior
from nni_strategies.irlas.reward import Schedule, check_lam, check_schedule
from nni_strategies.irlas.scoring import DEFAULT_EXPERTS
from nni_strategies.irlas.stimuli import MEASURES, REDUCES, Measure, Reduce
from nni_strategies.search.searcher import SearcherConfig

Mode = Literal["prior", "paper"]
MODES: tuple[Mode, ...] = ("prior", "paper")


@dataclass(frozen=True)
class ShapingConfig(SearcherConfig):
    """Options of :class:`~.middleware.MirrorStimuli` and :class:`~.shaped_tuner.MirrorStimuliTuner`.

    Parameters
    ----------
    mode
        ``prior``: experts shape what is drawn, no metric is changed. ``paper``: they shape the reward.
    experts
        Names of built-in experts (:data:`~.experts.EXPERTS`), or JSON files of blocks.
    lam, schedule, budget
        Of the paper's reward, see :mod:`.reward`.
    beta, gate, threshold
        Of the prior, see :class:`~.prior.ExpertPrior`.
    measure, reduce
        See :class:`~.stimuli.Stimuli`.
    topology
        ``module:function`` that returns the blocks of a configuration; None reads them from its labels.
    latency
        In paper mode, for trials that report ``latency_ms``: a term of :mod:`.latency_terms` such as ``{"term": "mnas",
        "target": 5.0}``, or ``module:function`` (value, latency_ms) -> value. None for none.
    strict
        Whether an architecture whose topology cannot be read ends the search, in place of scoring 0.

    Raises
    ------
    InvalidArgument
        A number out of its range, or an unknown name.
    """

    mode: Mode = "prior"
    experts: tuple[str, ...] = DEFAULT_EXPERTS
    lam: float | Literal["auto"] = "auto"
    schedule: Schedule = "constant"
    budget: int | None = None
    beta: float = BETA
    gate: int = GATE
    threshold: float = THRESHOLD
    measure: Measure = "cosine"
    reduce: Reduce = "mean"
    topology: str | None = None
    latency: Mapping[str, Any] | str | None = None
    strict: bool = False

    def __post_init__(self) -> None:
        for name, names in (("mode", MODES), ("measure", MEASURES), ("reduce", REDUCES)):
            if getattr(self, name) not in names:
                raise InvalidArgument(name, getattr(self, name), f"one of {', '.join(names)}", names)
        if not self.experts or not all(isinstance(name, str) for name in self.experts):
            raise InvalidArgument("experts", list(self.experts), "a list of at least one name or file")
        check_lam(self.lam)
        check_schedule(self.schedule, self.budget)
        check_prior(self.beta, self.gate, self.threshold)
        if self.latency is not None and self.mode == "prior":
            raise InvalidArgument("latency", self.latency, "absent: it is for mode='paper', prior changes no metric")
        self.latency_term()

    def latency_term(self) -> LatencyTerm | None:
        """Return what `latency` stands for; raises InvalidArgument where there is no such term or function."""
        return term_of(self.latency)


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
    n_initial: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_initial < 0:
            raise InvalidArgument("n_initial", self.n_initial, "an integer, 0 or more")
