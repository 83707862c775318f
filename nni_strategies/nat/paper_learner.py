"""The paper's learner: the policy gradient on measured rewards, without a model of them (``learner="paper"``).

Each step draws m parents at random and n children of each from the policy. The reward of a child is what it gains,

    R(a | b) = value(a) - value(b).

The policy learns from them (:mod:`.gradient`) until a budget of evaluations is spent. What was evaluated is never
evaluated again and costs nothing. To transform an architecture, k children are drawn and scored, and the best of them
and of the architecture itself is returned.

Deviations from the paper: with n >= 2 children value(b) cancels in the advantage, so parents are not evaluated
(n = 1 does evaluate them); the released code evaluates on one mini-batch, here the scorer decides.

Source: NAT (1910.14488), algorithm 1; nat.md 1.3, 1.5, 6b.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.edges import Architectures, EdgeView
from nni_strategies.nat.evaluated import Identity, identities
from nni_strategies.nat.gradient import PolicyGradient, Progress
from nni_strategies.nat.policy.make import POLICIES, make_policy
from nni_strategies.nat.sampling import revived
from nni_strategies.nat.transitions import Transitions

Values = npt.NDArray[np.float64]
#: From architectures to what they are worth, ``[n]``, higher is better.
Scorer = Callable[[Architectures], npt.ArrayLike]


class Evaluations:
    """Values of architectures, each evaluated once.

    Parameters
    ----------
    view
        The space.
    scorer
        Evaluates.
    """

    def __init__(self, view: EdgeView, scorer: Scorer) -> None:
        self._view, self._scorer = view, scorer
        self._values: dict[Identity, float] = {}

    def __len__(self) -> int:
        return len(self._values)

    def values(self, architectures: Architectures, limit: int | None = None) -> Values:
        """Return values ``[n]``.

        Parameters
        ----------
        architectures
            `n` of them.
        limit
            How many to know at most, those of earlier calls included; NaN for those that would exceed it.

        Raises
        ------
        InvalidArgument
            The scorer returned something else than a finite number for each.
        """
        keys = identities(self._view, architectures)
        new = {key: row for row, key in reversed(list(enumerate(keys))) if key not in self._values}
        rows = sorted(new.values())[: None if limit is None else max(limit - len(self), 0)]
        if rows:
            values = np.asarray(self._scorer(architectures[rows]), dtype=np.float64)
            if values.shape != (len(rows),) or not np.isfinite(values).all():
                raise InvalidArgument("scorer", values.tolist(), f"{len(rows)} finite numbers")
            self._values.update((keys[row], value) for row, value in zip(rows, values.tolist(), strict=True))
        return np.array([self._values.get(key, np.nan) for key in keys])


@dataclass(frozen=True)
class PaperConfig:
    """Settings of the paper's learner.

    Parameters
    ----------
    policy
        A name that :func:`~.policy.make.make_policy` knows.
    hidden
        Size of its layers.
    parents, children
        m and n.
    learning_rate, entropy
        See :class:`~.gradient.PolicyGradient`.
    seed
        Of the weights and of all draws.

    Raises
    ------
    InvalidArgument
        A value that cannot be used.
    """

    policy: str = "line_graph"
    hidden: int = 64
    parents: int = 8
    children: int = 4
    learning_rate: float = 2e-3
    entropy: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise InvalidArgument("policy", self.policy, f"one of {list(POLICIES)}", POLICIES)
        for field in ("hidden", "parents", "children"):
            if getattr(self, field) < 1:
                raise InvalidArgument(field, getattr(self, field), "a whole number from 1")


@dataclass(frozen=True)
class Transformed:
    """What became of `n` architectures.

    Parameters
    ----------
    inputs
        Values of the architectures, ``[n]``.
    best, best_values
        The best of the children drawn for each, and their values.
    outputs, values
        The same, but the input where no child is better.
    """

    inputs: Values
    best: Architectures
    best_values: Values
    outputs: Architectures
    values: Values


class PaperLearner:
    """Learns which transitions are worth making.

    Parameters
    ----------
    transitions
        Of a space.
    scorer
        Evaluates architectures of it.
    config
        Settings.

    Attributes
    ----------
    evaluations
        All that was evaluated.
    gradient
        The policy and what improves it.
    """

    def __init__(self, transitions: Transitions, scorer: Scorer, config: PaperConfig | None = None) -> None:
        self.config = config or PaperConfig()
        self.transitions = transitions
        self.evaluations = Evaluations(transitions.view, scorer)
        policy = make_policy(self.config.policy, transitions.view, self.config.seed, self.config.hidden)
        self.gradient = PolicyGradient(
            policy,
            learning_rate=self.config.learning_rate,
            entropy=self.config.entropy,
            seed=self.config.seed,
        )
        self._rng = np.random.default_rng(self.config.seed)

    def learn(self, queries: int) -> list[Progress]:
        """Make steps until `queries` architectures were evaluated in all.

        It makes no more steps than that either: a policy that has settled, or has seen all of a space, finds little
        that is new.

        Parameters
        ----------
        queries
            Architectures evaluated in all, those before this call included.

        Returns
        -------
        list[Progress]
            What the steps saw; those that learned nothing are left out.

        Raises
        ------
        InvalidArgument
            The scorer returned something else than finite numbers.
        """
        made = []
        for _ in range(queries):
            if len(self.evaluations) >= queries:
                break
            made.append(self.step(queries))
        return [progress for progress in made if progress is not None]

    def step(self, limit: int | None = None) -> Progress | None:
        """Draw parents and children, evaluate them within the limit, and learn from them."""
        n = self.config.children
        parents = self.transitions.inputs(self._rng, self.config.parents)
        allowed = self.transitions.allowed(parents)
        drawn = self.gradient.sample(parents, allowed, n)
        children = revived(self.transitions, parents, drawn)
        rewards = self.evaluations.values(children, limit).reshape(-1, n)
        if n == 1:
            rewards = rewards - self.evaluations.values(parents, limit)[:, None]
        return self.gradient.step(parents, allowed, drawn, rewards)

    def derive(self, inputs: Architectures, samples: int = 10) -> Transformed:
        """Transform `n` architectures; these and the children drawn for them are evaluated.

        Parameters
        ----------
        inputs
            `n`, none of them dead.
        samples
            Children that are drawn for each, 1 or more.

        Returns
        -------
        Transformed
            `n` outputs; an input stays where no child of it has a higher value.

        Raises
        ------
        InvalidArgument
            No samples, a dead input, or a scorer that returned something else than finite numbers.
        """
        self.transitions.refuse_dead(inputs)
        if samples < 1:
            raise InvalidArgument("samples", samples, "a whole number from 1")
        drawn = self.gradient.sample(inputs, self.transitions.allowed(inputs), samples)
        children = revived(self.transitions, inputs, drawn)
        values = self.evaluations.values(children).reshape(-1, samples)
        before = self.evaluations.values(inputs)
        best = children[np.arange(len(inputs)) * samples + values.argmax(1)]
        gained = values.max(1) > before
        outputs = inputs.replaced(np.where(gained[:, None], best.operations, inputs.operations))
        return Transformed(before, best, values.max(1), outputs, np.maximum(values.max(1), before))

    def state_dict(self) -> dict[str, Any]:
        """Return what later draws depend on, but for what was evaluated."""
        return {"gradient": self.gradient.state_dict(), "rng": self._rng.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a :meth:`state_dict` of the same space and settings."""
        self.gradient.load_state_dict(state["gradient"])
        self._rng.bit_generator.state = state["rng"]
