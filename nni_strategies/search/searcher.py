"""The one contract an algorithm fulfils, and where it draws from when it draws "at random"."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np

from nni_strategies.errors import InvalidArgument
from nni_strategies.space.parameters import Codes
from nni_strategies.space.search_space import Configuration, SearchSpace


@dataclass(frozen=True)
class Trial:
    """One configuration and what became of it.

    Parameters
    ----------
    id
        Number of the proposal in its study, from 0.
    configuration
        What was proposed.
    value
        What is maximised; None while pending and after a failure. Higher is better, always.
    metrics
        Everything the trial reported, as it came (not negated).
    phase
        ``initial`` while the searcher draws blindly, then ``search``.
    failure
        Why it failed; None otherwise.
    """

    id: int
    configuration: Configuration
    value: float | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    phase: str = "search"
    failure: str | None = None

    @property
    def pending(self) -> bool:
        """Whether nothing is known of it yet."""
        return self.value is None and self.failure is None


class Prior(Protocol):
    """Where a searcher draws from: initial designs, exploratory actions, restarts.

    One with hyper-parameters has a method ``describe()`` too: it returns them as JSON types for the journal's header,
    so that a search is not resumed with another prior. Without one a prior is known by its class. One that has
    something to say of a configuration has a method ``remarks()`` as :class:`Searcher` does. One that can choose among
    given points has ``guides(rng)``, whether it would, and ``choose(codes, rng)``, the place of one of them.
    """

    def sample_codes(self, rng: np.random.Generator, n: int) -> Codes:
        """Draw `n` points of the space as codes ``[n, n_codes]``."""

    def finished(self, trial: Trial) -> None:
        """Learn what a trial reached (a prior may stop trusting itself)."""


class UniformPrior:
    """The space's own distribution."""

    def __init__(self, space: SearchSpace) -> None:
        self._space = space

    def sample_codes(self, rng: np.random.Generator, n: int) -> Codes:
        """Draw `n` points of the space as codes ``[n, n_codes]``."""
        return self._space.sample_codes(rng, n)

    def finished(self, trial: Trial) -> None:
        """Ignore it."""

    def describe(self) -> str:
        """Return its name."""
        return "uniform"


def describe_prior(prior: Prior) -> Any:
    """Return what stands for a prior in a journal's header, as JSON types."""
    describe = getattr(prior, "describe", None)
    return describe() if callable(describe) else f"{type(prior).__module__}.{type(prior).__qualname__}"


@dataclass(frozen=True)
class SearcherConfig:
    """Base of the algorithms' hyper-parameters: a frozen dataclass of JSON types, checked in `__post_init__`."""

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON types, for the journal's header."""
        return asdict(self)


class Searcher(ABC):
    """A search algorithm as a fold over events.

    A :class:`~nni_strategies.search.study.Study` calls ``begin(seed)`` once, and then, under its lock:
    ``propose(rng)``; when it accepted the configuration (or chose another) ``proposed(trial)``; later, in any order,
    ``finished(trial)`` or ``failed(trial)``, and for a result that comes after a failure ``finished`` after
    ``failed``. For imported results ``finished`` or ``failed`` comes alone, without ``proposed``.

    The state depends on ``proposed``, ``finished`` and ``failed`` alone: shown the same events in the same
    order, two searchers propose the same from the same generator. ``propose`` may cache, never remember: it is
    not called when a journal is replayed. Whatever is learned at random is seeded by the state itself. What takes
    long to learn may be written down as a :meth:`memo`.

    Parameters
    ----------
    space
        What is searched.
    config
        The algorithm's hyper-parameters, an instance of its `Config`; its defaults when None.
    prior
        Where blind draws come from; uniform when None.

    Raises
    ------
    InvalidArgument
        One of them is something else: a search space as JSON, for instance.
    """

    algorithm: ClassVar[str] = ""
    Config: ClassVar[type[SearcherConfig]] = SearcherConfig

    def __init__(self, space: SearchSpace, config: SearcherConfig | None = None, *, prior: Prior | None = None) -> None:
        if not hasattr(space, "sample_codes"):
            raise InvalidArgument("space", space, "a SearchSpace; space_from_json and space_from_model_space make one")
        if config is not None and not isinstance(config, SearcherConfig):
            raise InvalidArgument("config", config, f"an instance of {self.Config.__name__}, or None")
        if prior is not None and not hasattr(prior, "sample_codes"):
            raise InvalidArgument("prior", prior, "a Prior, or None for the uniform one")
        self.space = space
        self.config = config if config is not None else self.Config()
        self.prior = prior if prior is not None else UniformPrior(space)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.config})"

    def describe(self) -> dict[str, Any]:
        """Return what this search is but for its space and seed, as JSON types: a journal of another is refused."""
        return {"algorithm": self.algorithm, "config": self.config.to_json(), "prior": describe_prior(self.prior)}

    def begin(self, seed: int) -> None:  # noqa: B027  # optional hook
        """Note the study's seed, before anything else: for what is drawn as a whole and not a proposal at a time."""

    @property
    def phase(self) -> str:
        """``initial`` while the next proposal is a blind draw of the initial design, else ``search``."""
        return "search"

    @abstractmethod
    def propose(self, rng: np.random.Generator) -> Configuration:
        """Choose the next configuration. `rng` is this proposal's own generator."""

    def draw_unseen(self, rng: np.random.Generator) -> Configuration | None:
        """Draw a point blindly, in place of a proposal that failed.

        Returns
        -------
        Configuration | None
            None where any point of the space will do: the study draws one. A searcher over a part of the space
            draws from that.

        Raises
        ------
        SpaceExhausted
            Every point it may propose was proposed.
        """
        return None

    def proposed(self, trial: Trial) -> None:  # noqa: B027  # optional hook
        """Note that `trial` is under way."""

    def memo(self) -> dict[str, Any] | None:
        """Return what the last ``propose`` computed and a replay need not compute again, as JSON types, or None.

        It is written down with the proposal. A cache: without it a replay proposes the same, but later.
        """
        return None

    def recall(self, memo: dict[str, Any]) -> None:  # noqa: B027  # optional hook
        """Take the memo of a proposal, right after its ``proposed(trial)``."""

    def remarks(self, configuration: Configuration) -> dict[str, Any] | None:
        """Return what a report shows of a configuration, as JSON types, or None; nothing is learned from it.

        It is written down with every proposal and import: here what the prior says.
        """
        said = getattr(self.prior, "remarks", None)
        return said(configuration) if callable(said) else None

    def reward_of(self, trial: Trial) -> float | None:
        """Return what is learned of a result in place of its value; None where it is the value.

        It is written down with the result, for reports. Higher is better.
        """
        return None

    @abstractmethod
    def finished(self, trial: Trial) -> None:
        """Learn the value of `trial`."""

    def failed(self, trial: Trial) -> None:  # noqa: B027  # optional hook
        """Note that `trial` gave no value."""
