"""What to evaluate next: the output that may be better than anything known that its input can become.

For a random input the policy proposes outputs, which differ from a large input in a few edges only (:mod:`.nearness`).
Of the most promising that were not evaluated the critic draws a value each, together (Thompson sampling). The highest
is worth a query if it beats the best evaluated output of the input; else the next input is tried. When none of six
inputs has any, the query goes to the highest mean + standard deviation.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass

import numpy as np
from torch import nn

from nni_strategies.errors import SpaceExhausted
from nni_strategies.nat.critic.critic import Critic
from nni_strategies.nat.edges import Architectures, Integers
from nni_strategies.nat.evaluated import Evaluated, Identity, identities
from nni_strategies.nat.learner_config import LearnerConfig
from nni_strategies.nat.nearness import nearer
from nni_strategies.nat.sampling import sampled_outputs, torch_generator
from nni_strategies.nat.transitions import Transitions

DRAWN_TOGETHER = 16
_TRIES = 50  # rounds of inputs of which every proposed output is taken
_BLIND = 1000  # blind draws of something new


@dataclass(frozen=True)
class Query:
    """An output to evaluate.

    Parameters
    ----------
    parent, child
        The input it was proposed for, and the output; batches of one.
    worth
        Whether it was expected to beat what is known; None where nothing was expected.
    """

    parent: Architectures
    child: Architectures
    worth: bool | None = None


@dataclass(frozen=True)
class _Offers:
    """Outputs proposed for inputs; `owner` is the place of each one's input."""

    inputs: Architectures
    outputs: Architectures
    owner: Integers


class Queries:
    """Chooses queries; nothing is remembered.

    Parameters
    ----------
    transitions
        Which outputs an input has.
    config
        Hyper-parameters.
    inputs
        What is to be transformed; None for uniform draws.
    """

    def __init__(self, transitions: Transitions, config: LearnerConfig, inputs: Architectures | None = None) -> None:
        self._transitions, self._config, self._inputs = transitions, config, inputs

    def draw_inputs(self, rng: np.random.Generator, n: int) -> Architectures:
        """Draw `n` inputs."""
        if self._inputs is None:
            return self._transitions.inputs(rng, n)
        return self._inputs[rng.integers(len(self._inputs), size=n)]

    def blind(self, taken: Set[Identity], rng: np.random.Generator) -> Query:
        """Return a random valid transition to something new.

        Parameters
        ----------
        taken
            What is not proposed: evaluated, failed or under way.
        rng
            What it is drawn with.

        Raises
        ------
        SpaceExhausted
            None was found.
        """
        for _ in range(_BLIND):
            parent = self.draw_inputs(rng, 1)
            child = nearer(self._transitions, parent, self._transitions.random_children(parent, 1, rng), rng)
            if identities(self._transitions.view, child)[0] not in taken:
                return Query(parent, child)
        raise SpaceExhausted("every output that was drawn is evaluated already")

    def thompson(
        self, critic: Critic, policy: nn.Module, evaluated: Evaluated, taken: Set[Identity], rng: np.random.Generator
    ) -> Query:
        """Return the output most worth evaluating; see the module.

        Parameters
        ----------
        critic
            Fitted to `evaluated`, or to the first results of it.
        policy
            Proposes outputs: from operations and sources ``[n, n_edges]`` to logits ``[n, n_edges, n_operations]``.
        evaluated
            What is known; not empty.
        taken
            What is not proposed: evaluated, failed or under way.
        rng
            What inputs, outputs and the critic's function are drawn with.

        Returns
        -------
        Query
            `worth` is False where nothing was drawn that beats what is known: the highest mean + standard deviation.

        Raises
        ------
        SpaceExhausted
            Whatever the policy proposed was taken.
        """
        for _ in range(_TRIES):
            offers = self._offers(policy, taken, self._config.query_inputs, rng)
            if len(offers.outputs):
                return self._best(critic, evaluated, offers, rng)
        raise SpaceExhausted("every output that the policy proposed is evaluated already")

    def outlook(self, critic: Critic, policy: nn.Module, evaluated: Evaluated, rng: np.random.Generator) -> float:
        """Return the share of random inputs, as many as a round has queries, with an output worth one.

        Parameters
        ----------
        critic
            Fitted to `evaluated`.
        policy
            As of :meth:`thompson`.
        evaluated
            What is known; not empty.
        rng
            What inputs, outputs and the critic's function are drawn with.

        Returns
        -------
        float
            0 to 1; an input of which everything proposed is evaluated counts as one without.
        """
        n = self._config.results_a_round
        taken = set(identities(self._transitions.view, evaluated.architectures))
        offers = self._offers(policy, taken, n, rng)
        return len(list(self._worthwhile(critic, evaluated, offers, rng))) / n

    def _offers(self, policy: nn.Module, taken: Set[Identity], n: int, rng: np.random.Generator) -> _Offers:
        """Return what the policy proposes for `n` inputs that was not taken, each once for an input."""
        inputs, n_each = self.draw_inputs(rng, n), self._config.query_samples
        outputs = sampled_outputs(policy, self._transitions, inputs, n_each, torch_generator(rng))
        outputs = nearer(self._transitions, inputs, outputs, rng)
        first: dict[tuple[int, Identity], int] = {}
        for place, identity in enumerate(identities(self._transitions.view, outputs)):
            if identity not in taken:
                first.setdefault((place // n_each, identity), place)
        places = np.array(list(first.values()), dtype=np.int64)
        return _Offers(inputs, outputs[places], places // n_each)

    def _worthwhile(
        self, critic: Critic, evaluated: Evaluated, offers: _Offers, rng: np.random.Generator
    ) -> Iterator[Query]:
        """Yield what is worth a query, at most one of an input."""
        mean = critic.mean(offers.outputs)
        known = critic.target(evaluated.best_reachable(offers.inputs)[1])
        for i in range(len(offers.inputs)):
            own = np.flatnonzero(offers.owner == i)
            own = own[np.argsort(-mean[own], kind="stable")[:DRAWN_TOGETHER]]
            if len(own):
                drawn = critic.draw(offers.outputs[own], rng)
                if drawn.max() > known[i]:
                    yield Query(offers.inputs[[i]], offers.outputs[own[[drawn.argmax()]]], worth=True)

    def _best(self, critic: Critic, evaluated: Evaluated, offers: _Offers, rng: np.random.Generator) -> Query:
        for query in self._worthwhile(critic, evaluated, offers, rng):
            return query
        mean, sd = critic.predict(offers.outputs)
        most = [int((mean + sd).argmax())]
        return Query(offers.inputs[offers.owner[most]], offers.outputs[most], worth=False)
