"""What every search that experts guide is told, and what of that is refused: the agent's, and one that is not ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.experts import check_names
from nni_strategies.irlas.latency_terms import LatencyTerm, term_of
from nni_strategies.irlas.prior import BETA, GATE, THRESHOLD, check_prior
from nni_strategies.irlas.reward import Schedule, check_lam, check_schedule
from nni_strategies.irlas.scoring import DEFAULT_EXPERTS
from nni_strategies.irlas.stimuli import Measure, Reduce, check_measure
from nni_strategies.search.searcher import SearcherConfig


@dataclass(frozen=True)
class GuidanceConfig(SearcherConfig):
    """Hyper-parameters of guidance.

    Parameters
    ----------
    mode
        ``prior``: experts shape what is drawn. ``paper``: they shape the reward. ``none``, where a search has it: they
        are not asked.
    experts
        Names of built-in experts (:data:`~.experts.EXPERTS`), or JSON files of blocks, or one of stimuli
        (:mod:`.given_experts`).
    beta, gate, threshold
        Of the prior, see :class:`~.prior.ExpertPrior`.
    measure, reduce
        See :class:`~.stimuli.Stimuli`.
    lam
        Weight of S in the paper's reward, 0 or more; ``auto`` is 0.5 * 0.02 / sd(S), for accuracies in [0, 1].
    schedule, budget
        ``constant``, or ``linear``: lam falls to 0 over the last half of the budget.
    latency
        What is made of the ``latency_ms`` that trials report: a term of :mod:`.latency_terms` such as ``{"term":
        "mnas", "target": 5.0}``, or ``module:function`` (value, latency_ms) -> value. None: nothing.
    topology
        ``module:function`` that returns the blocks of a configuration; None reads them from its labels.

    Raises
    ------
    InvalidArgument
        A number out of its range, or an unknown name.
    """

    modes: ClassVar[tuple[str, ...]] = ("prior", "paper")

    mode: Literal["prior", "paper", "none"] = "prior"
    experts: tuple[str, ...] = DEFAULT_EXPERTS
    beta: float = BETA
    gate: int = GATE
    threshold: float = THRESHOLD
    measure: Measure = "cosine"
    reduce: Reduce = "mean"
    lam: float | Literal["auto"] = "auto"
    schedule: Schedule = "constant"
    budget: int | None = None
    latency: Mapping[str, Any] | str | None = None
    topology: str | None = None

    def __post_init__(self) -> None:
        if self.mode not in self.modes:
            raise InvalidArgument("mode", self.mode, f"one of {', '.join(self.modes)}", self.modes)
        check_names(self.experts)
        check_prior(self.beta, self.gate, self.threshold)
        check_measure(self.measure, self.reduce)
        check_lam(self.lam)
        check_schedule(self.schedule, self.budget)
        self.latency_term()

    def latency_term(self) -> LatencyTerm | None:
        """Return what `latency` stands for; raises InvalidArgument where there is no such term or function."""
        return term_of(self.latency)
