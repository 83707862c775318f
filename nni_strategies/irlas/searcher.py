"""IRLAS as a searcher: the Q-learning agent, guided by expert networks.

``mode="prior"`` (the default): experts shape where the agent explores, rewards are the metric alone
(:mod:`.prior`). ``mode="paper"``: the paper's form, r = A + lam S for every trial, explored uniformly. ``mode="none"``:
the agent alone, what both are measured against.

Source: Guo, Zhong, Wu, Lin, Yan: IRLAS: Inverse Reinforcement Learning for Architecture Search, CVPR 2019, 1812.05285.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.given_experts import Experts, read_experts
from nni_strategies.irlas.guidance_config import GuidanceConfig
from nni_strategies.irlas.prior import ExpertPrior
from nni_strategies.irlas.qlearning import QLearning, QLearningConfig
from nni_strategies.irlas.reward import Reward, weight
from nni_strategies.irlas.scoring import BlocksOf, ConfigurationScores, blocks_function
from nni_strategies.irlas.stimuli import check_features
from nni_strategies.search.metrics import is_plain_number
from nni_strategies.search.searcher import Prior, SearcherConfig, Trial
from nni_strategies.space.search_space import Configuration, SearchSpace


@dataclass(frozen=True)
class IRLASConfig(QLearningConfig, GuidanceConfig):
    """Hyper-parameters of :class:`IRLASSearcher`: those of the agent, and of guidance; a latency counts in any mode.

    Parameters
    ----------
    features, irl
        See :meth:`~nni_strategies.irlas.stimuli.Stimuli.fit`. The paper's stimuli are ``features="nsc_raw_window",
        irl="projection"``.
    """

    modes: ClassVar[tuple[str, ...]] = ("prior", "paper", "none")

    features: str = "wl"
    irl: str = "none"

    def __post_init__(self) -> None:
        super().__post_init__()
        GuidanceConfig.__post_init__(self)
        check_features(self.features, self.irl)


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
        Name -> block, or stimuli that were learned, in place of ``config.experts``.

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
        experts: Experts | None = None,
    ) -> None:
        super().__init__(space, config, prior=prior)
        config = self.config
        if prior is not None and config.mode != "prior":
            raise InvalidArgument("prior", prior, f"absent with mode={config.mode!r}, which explores uniformly")
        if isinstance(experts, Mapping) and not experts:
            raise InvalidArgument("experts", [], "at least one expert")
        self.scores: ConfigurationScores | None = None
        if config.mode == "paper" or (config.mode == "prior" and prior is None):
            self.scores = ConfigurationScores(
                space,
                blocks_of or blocks_function(config.topology),
                experts if experts is not None else read_experts(config.experts),
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
            self.lam, schedule=config.schedule, budget=config.budget, latency_term=config.latency_term()
        )

    def describe(self) -> dict[str, Any]:
        """Return what this search is, as JSON types; in paper mode with lam and the experts, which else a prior has."""
        if self.config.mode != "paper" or self.scores is None:
            return super().describe()
        return super().describe() | {"lam": float(f"{self.lam:.6g}"), "stimuli": self.scores.describe()}

    def remarks(self, configuration: Configuration) -> dict[str, Any] | None:
        """Return S and z of a configuration, for reports."""
        return super().remarks(configuration) if self.scores is None else self.scores.remarks(configuration)

    def reward_of(self, trial: Trial) -> float | None:
        """Return the reward where experts or latencies shape it."""
        return self.reward(trial) if self.lam or self._reward.latency_term is not None else None

    def reward(self, trial: Trial) -> float:
        """Return A, with what its latency and, in the paper's mode, its looks make of it."""
        value = super().reward(trial)
        lam = self._reward.lam_at(trial.id)
        stimuli = self.scores.score(trial.configuration) if lam and self.scores is not None else 0.0
        latency: Any = trial.metrics.get("latency_ms")
        measured = float(latency) if is_plain_number(latency) and latency > 0 else None
        return self._reward.of(value, stimuli, lam, measured)
