"""What ours is measured against: random search, regularized evolution, local search.

All three leave out points that were proposed before, which the papers' algorithms do not; it helps them.
Where a point is proposed before the results of earlier ones are in, they go on with what is known.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nni_strategies.errors import InvalidArgument
from nni_strategies.search.searcher import Prior, Searcher, SearcherConfig, Trial
from nni_strategies.space.parameters import Codes
from nni_strategies.space.search_space import Configuration, SearchSpace

_DRAWS = (4, 32, 256)  # a few draws nearly always hold an unseen point
_BROODS = 8
_BROOD = 8


@dataclass(frozen=True)
class RandomSearchConfig(SearcherConfig):
    """Random search has no hyper-parameters."""


class RandomSearch(Searcher):
    """Independent draws from the prior.

    Source: Bergstra and Bengio, "Random Search for Hyper-Parameter Optimization", 2012.
    """

    algorithm: ClassVar[str] = "random"
    Config: ClassVar[type[SearcherConfig]] = RandomSearchConfig

    def __init__(self, space: SearchSpace, config: SearcherConfig | None = None, *, prior: Prior | None = None) -> None:
        super().__init__(space, config, prior=prior)
        self._seen: set[str] = set()

    def propose(self, rng: np.random.Generator) -> Configuration:
        """Draw an unseen point, or a seen one where hundreds of draws hold no other."""
        drawn: list[Configuration] = []
        for n in _DRAWS:
            drawn = self.space.decode(self.prior.sample_codes(rng, n))
            unseen = self._first_unseen(drawn)
            if unseen is not None:
                return unseen
        return drawn[-1]

    def proposed(self, trial: Trial) -> None:
        """Remember the point."""
        self._seen.add(self.space.key(trial.configuration))

    def finished(self, trial: Trial) -> None:
        """Learn nothing."""

    def _first_unseen(self, configurations: list[Configuration]) -> Configuration | None:
        return next((c for c in configurations if self.space.key(c) not in self._seen), None)


@dataclass(frozen=True)
class RegularizedEvolutionConfig(SearcherConfig):
    """Hyper-parameters of :class:`RegularizedEvolution`.

    Parameters
    ----------
    population
        How many of the latest results are alive (P; the paper's 100 is for 20,000 trials).
    sample
        How many of them compete to be the parent (S; 25 in the paper).

    Raises
    ------
    InvalidArgument
        A number that is not a positive integer, or a sample larger than the population.
    """

    population: int = 50
    sample: int = 10

    def __post_init__(self) -> None:
        _require_positive("population", self.population)
        _require_positive("sample", self.sample)
        if self.sample > self.population:
            raise InvalidArgument("sample", self.sample, f"at most the population, {self.population}")


class RegularizedEvolution(RandomSearch):
    """Tournament selection from a population of which the oldest dies.

    Source: Real et al., "Regularized Evolution for Image Classifier Architecture Search", 2019, Algorithm 1.

    Deviations: one active parameter is mutated whatever its kind (the paper: one of two kinds of change, or none
    with probability 0.05); failed trials do not enter the population.
    """

    algorithm: ClassVar[str] = "regularized-evolution"
    Config: ClassVar[type[SearcherConfig]] = RegularizedEvolutionConfig
    config: RegularizedEvolutionConfig

    def __init__(self, space: SearchSpace, config: SearcherConfig | None = None, *, prior: Prior | None = None) -> None:
        super().__init__(space, config, prior=prior)
        self._alive: deque[tuple[float, Codes]] = deque(maxlen=self.config.population)
        self._n_proposed = 0

    @property
    def phase(self) -> str:
        """``initial`` until a population was proposed and one of it is alive."""
        return "initial" if self._n_proposed < self.config.population or not self._alive else "search"

    def propose(self, rng: np.random.Generator) -> Configuration:
        """Mutate the best of a random sample; draw while the first population fills."""
        if self.phase == "initial":
            return super().propose(rng)
        values = np.array([value for value, _ in self._alive])
        codes = np.stack([code for _, code in self._alive])
        for _ in range(_BROODS):
            sample = rng.integers(len(values), size=(_BROOD, self.config.sample))
            parents = codes[sample[np.arange(_BROOD), values[sample].argmax(axis=1)]]
            unseen = self._first_unseen(self.space.decode(self.space.mutate_codes(parents, rng)))
            if unseen is not None:
                return unseen
        return super().propose(rng)

    def proposed(self, trial: Trial) -> None:
        """Remember the point."""
        super().proposed(trial)
        self._n_proposed += 1

    def finished(self, trial: Trial) -> None:
        """Let the newcomer live and, in a full population, the oldest die."""
        assert trial.value is not None
        self._alive.append((trial.value, self.space.encode([trial.configuration])[0]))


@dataclass(frozen=True)
class LocalSearchConfig(SearcherConfig):
    """Hyper-parameters of :class:`LocalSearch`.

    Parameters
    ----------
    n_init
        How many points are drawn for each start; the search begins at the best of them.
    first_improvement
        Move to the first better neighbour instead of the best of all neighbours.

    Raises
    ------
    InvalidArgument
        `n_init` is not a positive integer.
    """

    n_init: int = 1
    first_improvement: bool = True

    def __post_init__(self) -> None:
        _require_positive("n_init", self.n_init)
        if not isinstance(self.first_improvement, bool):
            raise InvalidArgument("first_improvement", self.first_improvement, "true or false")


class LocalSearch(RandomSearch):
    """Hill climbing over :meth:`SearchSpace.neighbours`, from a new start at each local optimum.

    Source: White et al., "Local Search is State of the Art for Neural Architecture Search Benchmarks", 2020,
    Algorithm 1 (all neighbours, then the best) and its variant that moves at once.

    Deviations: restarts until the budget ends, as the paper's experiments; neighbours come in random order;
    while the last neighbours run, further proposals are draws, whose results compete for the next start.
    """

    algorithm: ClassVar[str] = "local-search"
    Config: ClassVar[type[SearcherConfig]] = LocalSearchConfig
    config: LocalSearchConfig

    def __init__(self, space: SearchSpace, config: SearcherConfig | None = None, *, prior: Prior | None = None) -> None:
        super().__init__(space, config, prior=prior)
        self._values: dict[str, float | None] = {}  # None: it failed
        self._starts: list[Trial] = []  # drawn since the last start, finished
        self._centre: Trial | None = None
        self._neighbourhood: dict[str, Configuration] = {}
        self._unseen: dict[str, Configuration] = {}

    @property
    def phase(self) -> str:
        """``initial`` before the first start."""
        return "search" if self._centre is not None or self._values else "initial"

    def propose(self, rng: np.random.Generator) -> Configuration:
        """Choose a neighbour at random, or draw where there is none to choose."""
        if not self._unseen:
            return super().propose(rng)
        return list(self._unseen.values())[int(rng.integers(len(self._unseen)))]

    def proposed(self, trial: Trial) -> None:
        """Note that a neighbour is under way."""
        super().proposed(trial)
        self._unseen.pop(self.space.key(trial.configuration), None)

    def finished(self, trial: Trial) -> None:
        """Move if it is time to."""
        key = self.space.key(trial.configuration)
        self._seen.add(key)
        self._values[key] = trial.value
        if self._centre is None or key not in self._neighbourhood:
            self._starts.append(trial)
        elif self.config.first_improvement and _value(trial) > _value(self._centre):
            self._move(trial)
        self._advance()

    def failed(self, trial: Trial) -> None:
        """Move if it was the last neighbour."""
        self._values.setdefault(self.space.key(trial.configuration), None)
        self._advance()

    def _advance(self) -> None:
        if self._centre is not None and all(key in self._values for key in self._neighbourhood):
            better = {k: v for k in self._neighbourhood if (v := self._values[k]) is not None}
            best = max(better, key=lambda k: better[k], default=None)
            if best is not None and better[best] > _value(self._centre):
                self._move(Trial(-1, self._neighbourhood[best], better[best]))
            else:
                self._centre, self._neighbourhood, self._unseen = None, {}, {}
        if self._centre is None and len(self._starts) >= self.config.n_init:
            self._move(max(self._starts, key=_value))

    def _move(self, trial: Trial) -> None:
        self._centre = trial
        self._starts = []
        self._neighbourhood = {self.space.key(c): c for c in self.space.neighbours(trial.configuration)}
        self._unseen = {key: c for key, c in self._neighbourhood.items() if key not in self._seen}


def _value(trial: Trial) -> float:
    assert trial.value is not None
    return trial.value


def _require_positive(field: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidArgument(field, value, "a positive integer")
