"""The expert prior: where a search draws at random, it draws what resembles expert networks more often.

With z the normal score of a configuration's similarity to the experts among uniform members of the space
(:meth:`.stimuli.Stimuli.normal_score`),

    p(x)  proportional to  exp(beta z(x)),   beta = 2.

A draw takes 64 uniform points and chooses one by Gumbel-softmax of beta z, which needs no enumeration. What is learned
from results is not touched: no reward is changed.

Safety gate: until 20 results are known each draw comes from p or from the uniform prior, a fair coin. Then p is kept
only if Spearman's correlation between z and the results exceeds 0.2; otherwise every later draw is uniform. A search
that is misled by its experts loses little.

Deviation from IRLAS (Guo et al., 1812.05285): the paper adds the score to the reward of every trial; the README of
this folder has what was measured of both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.given_experts import read_experts
from nni_strategies.irlas.scoring import DEFAULT_EXPERTS, ConfigurationScores, blocks_function
from nni_strategies.irlas.stimuli import Measure, Reduce, check_measure
from nni_strategies.ranks import average_ranks
from nni_strategies.search.searcher import Trial
from nni_strategies.space.parameters import Codes
from nni_strategies.space.search_space import Configuration, SearchSpace

BETA = 2.0
GATE = 20
THRESHOLD = 0.2

CANDIDATES = 64


def expert_prior(
    experts: Any = DEFAULT_EXPERTS,
    *,
    topology: str | None = None,
    space: str | None = None,
    measure: Measure = "cosine",
    reduce: Reduce = "mean",
    beta: float = BETA,
    gate: int = GATE,
    threshold: float = THRESHOLD,
) -> Callable[[SearchSpace], ExpertPrior]:
    """Return what makes the expert prior of a search space: ``prior=expert_prior()`` of any strategy of this package.

    Parameters
    ----------
    experts
        Names of built-in experts, files, graphs, networks, stimuli: see :func:`~.given_experts.read_experts`.
    topology
        ``module:function`` that returns the blocks of a configuration; None reads them from its labels.
    space
        Name of the model space's class where labels do not say all, such as ``"DARTS"``; a strategy of this package
        knows it by itself.
    measure, reduce
        See :class:`~nni_strategies.irlas.stimuli.Stimuli`.
    beta, gate, threshold
        See :class:`ExpertPrior`.

    Raises
    ------
    InvalidArgument
        At once for what can be seen without a search space; the rest when it is known.
    """
    graphs = read_experts(experts)
    blocks_function(topology, space)  # refused now rather than when a search begins
    check_measure(measure, reduce)
    check_prior(beta, gate, threshold)

    def make(search_space: SearchSpace, model_space: Any = None) -> ExpertPrior:
        blocks_of = blocks_function(topology, model_space if space is None else space)
        scores = ConfigurationScores(search_space, blocks_of, graphs, measure=measure, reduce=reduce)
        return ExpertPrior(scores, beta=beta, gate=gate, threshold=threshold)

    return make


def check_prior(beta: float, gate: int, threshold: float) -> None:
    """Refuse hyper-parameters no :class:`ExpertPrior` can have; raises InvalidArgument."""
    is_number = isinstance(beta, (int, float)) and not isinstance(beta, bool)
    if not (is_number and 0 <= beta < float("inf")):
        raise InvalidArgument("beta", beta, "a finite number, 0 or more")
    if isinstance(gate, bool) or not isinstance(gate, int) or gate < 0 or gate in (1, 2):
        raise InvalidArgument("gate", gate, "0, or at least 3 results: fewer have no correlation")
    if not (isinstance(threshold, (int, float)) and -1 <= threshold <= 1):
        raise InvalidArgument("threshold", threshold, "a correlation, in [-1, 1]")


class ExpertPrior:
    """A :class:`~nni_strategies.search.searcher.Prior` learned from expert networks.

    Parameters
    ----------
    scores
        Similarity of the space's configurations to the experts.
    beta
        How strongly it prefers what resembles them; 0 is uniform.
    gate
        Number of results after which it is decided whether to trust it; 0 trusts it without asking.
    threshold
        Least Spearman correlation between z and the results for that.

    Attributes
    ----------
    trusted
        None before the gate decided.
    correlation
        What it decided by; None before.

    Raises
    ------
    InvalidArgument
        A negative or infinite beta, a gate of 1 or 2 results, a threshold outside [-1, 1].
    """

    def __init__(
        self, scores: ConfigurationScores, *, beta: float = BETA, gate: int = GATE, threshold: float = THRESHOLD
    ) -> None:
        check_prior(beta, gate, threshold)
        self.scores, self.beta, self.gate, self.threshold = scores, beta, gate, threshold
        self.trusted: bool | None = None if gate else True
        self.correlation: float | None = None
        self._z: list[float] = []
        self._values: list[float] = []

    def sample_codes(self, rng: np.random.Generator, n: int) -> Codes:
        """Draw `n` points of the space as codes ``[n, n_codes]``."""
        space = self.scores.space
        drawn = space.sample_codes(rng, n)
        for row in range(len(drawn)):
            if self.guides(rng):
                candidates = space.sample_codes(rng, CANDIDATES)
                drawn[row] = candidates[self.choose(candidates, rng)]
        return drawn

    def guides(self, rng: np.random.Generator) -> bool:
        """Whether the next draw is one from p."""
        return bool(rng.random() < 0.5) if self.trusted is None else self.trusted

    def choose(self, candidates: Codes, rng: np.random.Generator) -> int:
        """Return the place of one of uniform candidates ``[n, n_codes]``, drawn by exp(beta z)."""
        z = self.stimulus(candidates)
        return int(np.argmax(self.beta * z + rng.gumbel(size=len(candidates))))

    def stimulus(self, codes: Codes) -> npt.NDArray[np.float64]:
        """Return z of points of the space, ``[n]``."""
        return self.scores.stimuli.normal_score(self.scores.similarities(codes))

    def finished(self, trial: Trial) -> None:
        """Learn what a trial reached: the gate decides by the first of them."""
        if self.trusted is not None or trial.value is None:
            return
        self._z.append(float(self.stimulus(self.scores.space.encode([trial.configuration]))[0]))
        self._values.append(trial.value)
        if len(self._values) >= self.gate:
            self.correlation = self._spearman()
            self.trusted = self.correlation > self.threshold

    def _spearman(self) -> float:
        if len(set(self._z)) < 2 or len(set(self._values)) < 2:
            return 0.0
        z, values = average_ranks(np.array(self._z)), average_ranks(np.array(self._values))
        return float(np.corrcoef(z, values)[0, 1])

    def remarks(self, configuration: Configuration) -> dict[str, Any]:
        """Return S and z of a configuration, for reports."""
        return self.scores.remarks(configuration)

    def describe(self) -> dict[str, Any]:
        """Return its hyper-parameters, as JSON types, with the experts' graphs: a file's may change."""
        return {
            "name": "experts",
            "beta": self.beta,
            "gate": self.gate,
            "threshold": self.threshold,
            "stimuli": self.scores.describe(),
        }
