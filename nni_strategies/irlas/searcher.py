"""IRLAS as a searcher: the Q-learning agent, guided by expert networks.

``mode="prior"`` (the default): experts shape where the agent explores, rewards are the metric alone
(:mod:`.prior`). ``mode="paper"``: the paper's form, r = A + lam S for every trial, explored uniformly. ``mode="none"``:
the agent alone, what both are measured against.

Source: Guo, Zhong, Wu, Lin, Yan: IRLAS: Inverse Reinforcement Learning for Architecture Search, CVPR 2019, 1812.05285.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.experts import load_experts
from nni_strategies.irlas.latency_terms import term_of
from nni_strategies.irlas.prior import BETA, GATE, THRESHOLD, ExpertPrior, check_prior
from nni_strategies.irlas.qlearning import QLearning, QLearningConfig
from nni_strategies.irlas.reward import Reward, Schedule, check_lam, check_schedule, weight
from nni_strategies.irlas.scoring import DEFAULT_EXPERTS, BlocksOf, ConfigurationScores, blocks_function
from nni_strategies.irlas.stimuli import Measure, Reduce, check_features, check_measure
from nni_strategies.search.metrics import is_plain_number
from nni_strategies.search.searcher import Prior, SearcherConfig, Trial
from nni_strategies.space.search_space import Configuration, SearchSpace
from nni_strategies.topology.graph import TopologyGraph

MODES = ("prior", "paper", "none")


@dataclass(frozen=True)
class IRLASConfig(QLearningConfig):
    """Hyper-parameters of :class:`IRLASSearcher`, besides those of the agent.

    Parameters
    ----------
    experts
        Names of built-in experts (:data:`~nni_strategies.irlas.experts.EXPERTS`), or JSON files of blocks.
    mode
        ``prior``: experts shape what is drawn. ``paper``: they shape the reward. ``none``: they are not asked.
    beta, gate, threshold
        See :class:`~nni_strategies.irlas.prior.ExpertPrior`.
    measure, reduce, features, irl
        See :meth:`~nni_strategies.irlas.stimuli.Stimuli.fit`. The paper's stimuli are ``features="nsc_raw_window",
        irl="projection"``.
    lam
        Weight of S in the paper's reward, 0 or more; ``auto`` is 0.5 * 0.02 / sd(S), for accuracies in [0, 1].
    schedule
        ``constant``, or ``linear``: lam falls to 0 over the last half of the budget.
    latency
        What is made of the ``latency_ms`` that trials report, in any mode: a term of :mod:`.latency_terms` such as
        ``{"term": "mnas", "target": 5.0}``, or ``module:function`` (value, latency_ms) -> value. None: nothing.
    topology
        ``module:function`` that returns the blocks of a configuration; None reads them from its labels.

    Raises
    ------
    InvalidArgument
        A number out of its range, or an unknown name.
    """

    experts: tuple[str, ...] = DEFAULT_EXPERTS
    mode: Literal["prior", "paper", "none"] = "prior"
    beta: float = BETA
    gate: int = GATE
    threshold: float = THRESHOLD
    measure: Measure = "cosine"
    reduce: Reduce = "mean"
    features: str = "wl"
    irl: str = "none"
    lam: float | Literal["auto"] = "auto"
    schedule: Schedule = "constant"
    latency: Mapping[str, Any] | str | None = None
    topology: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mode not in MODES:
            raise InvalidArgument("mode", self.mode, f"one of {', '.join(MODES)}", MODES)
        if not self.experts or not all(isinstance(name, str) for name in self.experts):
            raise InvalidArgument("experts", list(self.experts), "a list of at least one name or file")
        check_measure(self.measure, self.reduce)
        check_features(self.features, self.irl)
        check_prior(self.beta, self.gate, self.threshold)
        check_lam(self.lam)
        check_schedule(self.schedule, self.budget)
        term_of(self.latency)


class IRLASSearcher(QLearning):
    """Q-learning guided by expert networks.

    Parameters
    ----------
    space
        What is searched.
    config
        Hyper-parameters; the defaults when None.
    prior
        Where it explores, in place of the one its experts give; only with ``mode="prior"``.
    blocks_of
        The blocks of a configuration; None takes ``config.topology``.
    experts
        Name -> block, in place of ``config.experts``.

    Raises
    ------
    InvalidArgument
        An unknown expert, or a space whose topology cannot be read.
    """

    algorithm: ClassVar[str] = "IRLAS"
    Config: ClassVar[type[SearcherConfig]] = IRLASConfig
    config: IRLASConfig

    def __init__(
        self,
        space: SearchSpace,
        config: SearcherConfig | None = None,
        *,
        prior: Prior | None = None,
        blocks_of: BlocksOf | None = None,
        experts: Mapping[str, TopologyGraph] | None = None,
    ) -> None:
        super().__init__(space, config, prior=prior)
        config = self.config
        if prior is not None and config.mode != "prior":
            raise InvalidArgument("prior", prior, f"absent with mode={config.mode!r}, which explores uniformly")
        if experts is not None and not experts:
            raise InvalidArgument("experts", [], "at least one expert")
        self.scores: ConfigurationScores | None = None
        if config.mode == "paper" or (config.mode == "prior" and prior is None):
            self.scores = ConfigurationScores(
                space,
                blocks_of or blocks_function(config.topology),
                experts if experts is not None else load_experts(config.experts),
                measure=config.measure,
                reduce=config.reduce,
                features=config.features,
                irl=config.irl,
            )
        if config.mode == "prior" and self.scores is not None:
            self.prior = ExpertPrior(
                self.scores, beta=config.beta, gate=config.gate, threshold=config.threshold
            )
        shapes = config.mode == "paper" and self.scores is not None
        self.lam = weight(config.lam, self.scores.stimuli.sd) if shapes and self.scores is not None else 0.0
        self._reward = Reward(
            self.lam, schedule=config.schedule, budget=config.budget, latency_term=term_of(config.latency)
        )

    def describe(self) -> dict[str, Any]:
        """Return what this search is, as JSON types; in paper mode with lam and the experts, which else a prior has."""
        if self.config.mode != "paper" or self.scores is None:
            return super().describe()
        return super().describe() | {"lam": float(f"{self.lam:.6g}"), "stimuli": self.scores.describe()}

    def remarks(self, configuration: Configuration) -> dict[str, Any] | None:
        """Return S and z of a configuration, for reports."""
        return super().remarks(configuration) if self.scores is None else self.scores.remarks(configuration)

    def reward(self, trial: Trial) -> float:
        """Return A, with what its latency and, in the paper's mode, its looks make of it."""
        value = super().reward(trial)
        lam = self._reward.lam_at(trial.id)
        stimuli = self.scores.score(trial.configuration) if lam and self.scores is not None else 0.0
        latency: Any = trial.metrics.get("latency_ms")
        measured = float(latency) if is_plain_number(latency) and latency > 0 else None
        return self._reward.of(value, stimuli, lam, measured)
