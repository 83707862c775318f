"""The paper's learner in steps that a search can interrupt: it says what to evaluate, and is told what came of it.

A step draws m parents and n children of each from the policy, as in :mod:`.paper_learner`. Each child that is new is a
query; with n = 1 its parent is one too. When all of a step are known, the policy learns from them. Where all of a step
are under way and more is asked for, the next is drawn from the policy as it is. A child without a value is left out of
its step, and so is the child of a parent without one.

The state depends on the order of what is under way and of results alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nni_strategies.errors import SpaceExhausted
from nni_strategies.nat.config import NATConfig
from nni_strategies.nat.edges import Architectures, Flags, Integers
from nni_strategies.nat.evaluated import Evaluated, Identity, identities
from nni_strategies.nat.gradient import PolicyGradient
from nni_strategies.nat.policy.make import make_policy
from nni_strategies.nat.queries import Queries, Query
from nni_strategies.nat.sampling import drawn_operations, revived, torch_generator
from nni_strategies.nat.transitions import Transitions

_STEP = 3  # what a generator is for
_LOOK_AHEAD = 20  # steps in a row that hold nothing new


@dataclass(frozen=True)
class _Step:
    """What was drawn for a step; a child's parent is at its place divided by the number of children of each."""

    parents: Architectures
    allowed: Flags
    drawn: Integers
    children: Architectures
    parent_names: list[Identity]
    child_names: list[Identity]


class PaperQueries:
    """Chooses queries, and learns a policy from their results.

    Parameters
    ----------
    transitions
        Which outputs an input has.
    config
        Hyper-parameters.
    seed
        Everything drawn depends on it.
    inputs
        What is to be transformed; None for uniform draws.

    Attributes
    ----------
    evaluated
        All results.
    policy
        As of the last step that is complete.
    """

    critic: None = None

    def __init__(
        self, transitions: Transitions, config: NATConfig, seed: int = 0, inputs: Architectures | None = None
    ) -> None:
        self.transitions, self.config, self.seed = transitions, config, seed
        self.policy = make_policy(config.policy, transitions.view, seed, config.hidden)
        self.evaluated = Evaluated(transitions)
        self._gradient = PolicyGradient(self.policy, learning_rate=config.learning_rate, entropy=config.entropy)
        self._draws = Queries(transitions, config, inputs)
        self._values: dict[Identity, float] = {}
        self._taken: dict[Identity, None] = {}  # evaluated, failed or under way
        self._lost: dict[Identity, None] = {}
        self._steps: list[_Step] = []  # under way
        self._n_steps = self._n_results = 0
        self._drawn: list[_Step] = []  # a cache: steps that the policy would draw next

    @property
    def done(self) -> bool:
        """Whether as many results came in as it learns from."""
        return self._n_results >= self.config.queries

    def propose(self) -> Query:
        """Return what to evaluate next; nothing is remembered of it.

        Raises
        ------
        SpaceExhausted
            Whatever the policy drew is evaluated or under way.
        """
        query = self._first_new(self._steps) or self._first_new(self._ahead())
        if query is None:
            raise SpaceExhausted("every output that the policy drew is evaluated already, or under way")
        return query

    def proposed(self, child: Architectures) -> None:
        """Note that a child, a batch of one, is under way: it is not proposed again."""
        name = identities(self.transitions.view, child)[0]
        if not self.done and self._first_new(self._steps) is None:
            ahead = self._ahead()
            if self._first_new(ahead) is None or name in self._needed(ahead[-1]):
                self._begin(ahead)
        self._taken[name] = None

    def tell(self, child: Architectures, value: float) -> None:
        """Learn what a child reached; higher is better. After the last query it is known, but not learned from.

        Parameters
        ----------
        child
            A batch of one.
        value
            A finite number.
        """
        name = identities(self.transitions.view, child)[0]
        self.evaluated.add(child, [value])
        self._values.setdefault(name, value)
        self._lost.pop(name, None)
        self._count(name)

    def failed(self, child: Architectures) -> None:
        """Note that a child has no value."""
        name = identities(self.transitions.view, child)[0]
        self._lost[name] = None
        self._count(name)

    def finish(self) -> None:
        """Do nothing: the policy has learned when the last result came."""

    def _count(self, name: Identity) -> None:
        self._taken[name] = None
        left = self.config.queries - self._n_results
        if left == 0:
            return
        self._n_results += 1
        self._learn()
        if left == 1:
            for step in self._steps:  # what is known of the rest
                self._learn_from(step)
            self._steps = []

    def _ahead(self) -> list[_Step]:
        """Return the steps that the policy would draw, up to the first that holds something new; nothing is noted."""
        steps: list[_Step] = []
        for number in range(self._n_steps, min(self._n_steps + _LOOK_AHEAD, self.config.queries)):
            if len(steps) == len(self._drawn):
                self._drawn.append(self._draw(number))
            steps.append(self._drawn[len(steps)])
            if self._first_new(steps[-1:]) is not None:
                break
        return steps

    def _begin(self, steps: list[_Step]) -> None:
        self._steps += steps
        self._n_steps += len(steps)
        self._drawn = self._drawn[len(steps) :]
        self._learn()

    def _first_new(self, steps: list[_Step]) -> Query | None:
        n = self.config.children
        for step in steps:
            for place, name in enumerate(step.child_names):
                parent = step.parents[[place // n]]
                if n == 1 and step.parent_names[place] not in self._taken:
                    return Query(parent, parent)
                if name not in self._taken:
                    return Query(parent, step.children[[place]])
        return None

    def _draw(self, number: int) -> _Step:
        rng = np.random.default_rng([self.seed, _STEP, number])
        parents = self._draws.draw_inputs(rng, self.config.parents)
        allowed = self.transitions.allowed(parents)
        drawn = drawn_operations(self.policy, parents, allowed, self.config.children, torch_generator(rng))
        children = revived(self.transitions, parents, drawn)
        view = self.transitions.view
        return _Step(parents, allowed, drawn, children, identities(view, parents), identities(view, children))

    def _needed(self, step: _Step) -> list[Identity]:
        return step.child_names + (step.parent_names if self.config.children == 1 else [])

    def _learn(self) -> None:
        """Learn from the steps of which all is known."""
        still = []
        for step in self._steps:
            if all(name in self._values or name in self._lost for name in self._needed(step)):
                self._learn_from(step)
            else:
                still.append(step)
        self._steps = still

    def _learn_from(self, step: _Step) -> None:
        rewards = self._known(step.child_names).reshape(-1, self.config.children)
        if self.config.children == 1:
            rewards = rewards - self._known(step.parent_names)[:, None]
        self._gradient.step(step.parents, step.allowed, step.drawn, rewards)
        self._drawn = []

    def _known(self, names: list[Identity]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return np.array([self._values.get(name, np.nan) for name in names])
